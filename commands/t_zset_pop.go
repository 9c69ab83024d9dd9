package commands

import (
	"math"
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Commands that take members off the ends of sorted sets, waiting for them or
// not, and those that draw members at random.

// zsetEnd is the end that a command takes members from.
type zsetEnd uint8

const (
	zsetMin zsetEnd = iota
	zsetMaxEnd
)

// zpopReply is the shape of the reply to a pop.
type zpopReply struct {
	nested   bool // members and scores in pairs
	key      bool // preceded by the key
	nilEmpty bool // nothing to take is null, not an empty array
	asGiven  bool // the command is its own effect
}

// genericZpop takes up to count members (-1: one, without a count) off the first
// of the keys that has any, and says whether it answered anything but "none".
func (c *Client) genericZpop(keys [][]byte, end zsetEnd, count int64, shape zpopReply) {
	for _, key := range keys {
		e, found := c.lookupKeyWrite(key)
		if !found {
			continue
		}
		if e.Type() != object.TypeZset {
			c.addReplyErrorWrongType()
			return
		}
		if count == 0 {
			c.addReplyArrayLen(0)
			return
		}
		v := e.Value()
		total := v.ZsetLen()
		n := 1
		if count > 0 {
			n = int(min(count, int64(total)))
		}
		switch {
		case shape.nested && shape.key:
			c.addReplyArrayLen(2)
			c.addReplyBulk(key)
			c.addReplyArrayLen(n)
		case shape.nested:
			c.addReplyArrayLen(n)
		case shape.key:
			c.addReplyArrayLen(2*n + 1)
			c.addReplyBulk(key)
		default:
			c.addReplyArrayLen(2 * n)
		}
		lo, at := 0, 0
		if end == zsetMaxEnd {
			lo, at = total-n, total-1
		}
		var it object.ZsetIter
		it.Seek(v, at)
		for i := range n {
			if i > 0 {
				it.Step(end == zsetMaxEnd)
			}
			if shape.nested {
				c.addReplyArrayLen(2)
			}
			c.addReplyBulk(it.Member())
			c.addReplyDouble(it.Score())
		}
		if n == total {
			c.db.Delete(key)
		} else {
			v.ZsetDeleteRange(lo, lo+n)
			c.db.Update(e, v, false)
		}
		event := "zpopmin"
		if end == zsetMaxEnd {
			event = "zpopmax"
		}
		c.notify(notifyZset, event, key)
		if n == total {
			c.notify(notifyGeneric, "del", key)
		}
		c.signalModified(key)
		c.srv.dirty += int64(n)
		if !shape.asGiven {
			word := wordZpopmin
			if end == zsetMaxEnd {
				word = wordZpopmax
			}
			c.rewritePop(word, key, count, n)
		}
		return
	}
	if shape.nilEmpty {
		c.addReplyNullArray()
	} else {
		c.addReplyArrayLen(0)
	}
}

func (c *Client) zpopGeneric(end zsetEnd) {
	if len(c.args) > 3 {
		c.addReplyErrorSyntax()
		return
	}
	count := int64(-1)
	if len(c.args) == 3 {
		var ok bool
		if count, ok = c.rangeArg(2, 0, math.MaxInt64, "value is out of range, must be positive"); !ok {
			return
		}
	}
	c.genericZpop(c.args[1:2], end, count, zpopReply{nested: c.proto == 3 && count != -1, asGiven: true})
}

func zpopminCommand(c *Client) { c.zpopGeneric(zsetMin) }
func zpopmaxCommand(c *Client) { c.zpopGeneric(zsetMaxEnd) }

// blockingZpop is genericZpop that waits until one of the keys has members.
func (c *Client) blockingZpop(keys [][]byte, end zsetEnd, timeoutArg int, count int64, shape zpopReply) {
	deadline, ok := c.timeoutArg(timeoutArg, true)
	if !ok {
		return
	}
	ready := c.readyKey()
	for i, key := range keys {
		if ready != nil && string(ready) != string(key) {
			continue
		}
		e, found := c.lookupKeyWrite(key)
		if !found {
			continue
		}
		if e.Type() != object.TypeZset {
			c.addReplyErrorWrongType()
			return
		}
		c.genericZpop(keys[i:i+1], end, count, shape)
		return
	}
	if c.flags&flagDenyBlocking != 0 {
		c.addReplyNullArray()
		return
	}
	c.blockForKeys(keys, deadline, (*Client).addReplyNullArray)
}

func (c *Client) bzpopGeneric(end zsetEnd) {
	last := len(c.args) - 1
	c.blockingZpop(c.args[1:last], end, last, -1, zpopReply{key: true, nilEmpty: true})
}

func bzpopminCommand(c *Client) { c.bzpopGeneric(zsetMin) }
func bzpopmaxCommand(c *Client) { c.bzpopGeneric(zsetMaxEnd) }

// zmpopGeneric is ZMPOP, whose number of keys is argument at, and BZMPOP.
func (c *Client) zmpopGeneric(at int, block bool) {
	numKeys, ok := c.rangeArg(at, 1, math.MaxInt64, errNumKeys)
	if !ok {
		return
	}
	if numKeys >= int64(len(c.args)-at-1) {
		c.addReplyErrorSyntax()
		return
	}
	where := at + 1 + int(numKeys)
	end := zsetMin
	switch {
	case equalFold(c.args[where], "min"):
	case equalFold(c.args[where], "max"):
		end = zsetMaxEnd
	default:
		c.addReplyErrorSyntax()
		return
	}
	count := int64(-1)
	for j := where + 1; j < len(c.args); j++ {
		if count != -1 || !equalFold(c.args[j], "count") || j+1 == len(c.args) {
			c.addReplyErrorSyntax()
			return
		}
		j++
		if count, ok = c.rangeArg(j, 1, math.MaxInt64, "count should be greater than 0"); !ok {
			return
		}
	}
	if count == -1 {
		count = 1
	}
	keys := c.args[at+1 : where]
	shape := zpopReply{nested: true, key: true, nilEmpty: true}
	if block {
		c.blockingZpop(keys, end, 1, count, shape)
		return
	}
	c.genericZpop(keys, end, count, shape)
}

func zmpopCommand(c *Client)  { c.zmpopGeneric(1, false) }
func bzmpopCommand(c *Client) { c.zmpopGeneric(2, true) }

// randomBelow is a fair number in [0, n).
func (s *Server) randomBelow(n int) int {
	hi, _ := bits.Mul64(s.rand(), uint64(n))
	return int(hi)
}

func zrandmemberCommand(c *Client) {
	if len(c.args) == 2 {
		v, found, ok := c.lookupZsetRead(c.args[1])
		switch {
		case !ok:
		case !found:
			c.addReplyNull()
		default:
			var it object.ZsetIter
			it.Seek(v, c.srv.randomBelow(v.ZsetLen()))
			c.addReplyBulk(it.Member())
		}
		return
	}
	count, ok := c.rangeArg(2, -math.MaxInt64, math.MaxInt64, "")
	if !ok {
		return
	}
	withScores := len(c.args) == 4
	if len(c.args) > 4 || withScores && !equalFold(c.args[3], "withscores") {
		c.addReplyErrorSyntax()
		return
	}
	if withScores && (count < -math.MaxInt64/2 || count > math.MaxInt64/2) {
		c.addReplyError("value is out of range")
		return
	}
	c.zrandmemberWithCount(count, withScores)
}

// zrandmemberWithCount answers count different members, or -count members that
// may repeat.
func (c *Client) zrandmemberWithCount(count int64, withScores bool) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	if !found || count == 0 {
		c.addReplyArrayLen(0)
		return
	}
	size := v.ZsetLen()
	var it object.ZsetIter
	if count < 0 {
		// What the client asks for may be without bound: it is written in full
		// only as long as the client is there to read it.
		n := int(-count)
		c.addReplyScoresLen(n, withScores)
		for range n {
			it.Seek(v, c.srv.randomBelow(size))
			c.addReplyMember(it.Member(), it.Score(), withScores)
			if c.flags&flagCloseAfter != 0 {
				return
			}
		}
		return
	}
	n := int(min(count, int64(size)))
	if n == size {
		// All of them, from the end, as Redis does.
		c.addReplyZrange(v, 0, size, true, withScores)
		return
	}
	c.addReplyScoresLen(n, withScores)
	if n*3 > size || size <= 256 {
		// Selection sampling (Knuth's algorithm 3.4.2 S).
		ok := it.Seek(v, 0)
		for left := size; ok && n > 0; left-- {
			if c.srv.randomBelow(left) < n {
				n--
				c.addReplyMember(it.Member(), it.Score(), withScores)
			}
			if n > 0 {
				ok = it.Next()
			}
		}
		return
	}
	// Few of many: ranks are drawn until enough are different.
	drawn := make(map[int]struct{}, n)
	for len(drawn) < n {
		rank := c.srv.randomBelow(size)
		if _, again := drawn[rank]; again {
			continue
		}
		drawn[rank] = struct{}{}
		it.Seek(v, rank)
		c.addReplyMember(it.Member(), it.Score(), withScores)
	}
}
