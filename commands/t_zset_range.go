package commands

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/zindex"
)

// Ranges of sorted sets. Whether by rank, score or member, and from whichever end,
// a range becomes one of ranks, [lo, hi), and then all go the same way.

// zrangeBy says what the ends of a range mean.
type zrangeBy uint8

const (
	zrangeAuto zrangeBy = iota // what the options say: rank without any
	zrangeRank
	zrangeScore
	zrangeLex
)

const (
	errRangeFloat = "min or max is not a float"
	errRangeLex   = "min or max not valid string range item"
)

// zrangeSpec is a parsed range.
type zrangeSpec struct {
	by         zrangeBy
	start, end int64        // ranks
	min, max   zindex.Bound // scores or members
	none       bool         // the ends are such that nothing can be between them
}

// parseRangeFloat reads an end of a range of scores as C's strtod does, up to a
// zero byte: nothing at all is 0, blanks may stand in front, what is too great is
// infinite.
func parseRangeFloat(b []byte) (float64, bool) {
	if f, ok := numeric.ParseFloat(b); ok {
		return f, true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] >= '\t' && b[0] <= '\r') {
		b = b[1:]
	}
	if f, ok := numeric.ParseFloat(b); ok {
		return f, true
	}
	// What is left is not a number, or one out of range.
	for _, x := range b {
		if x == '_' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || f != f {
		return 0, false
	}
	return f, true
}

func parseScoreEnd(arg []byte) (score float64, exclusive, ok bool) {
	if len(arg) > 0 && arg[0] == '(' {
		exclusive = true
		arg = arg[1:]
	}
	score, ok = parseRangeFloat(arg)
	return score, exclusive, ok
}

// scoreRange parses a range of scores.
func scoreRange(minArg, maxArg []byte) (r zrangeSpec, ok bool) {
	lo, loEx, ok1 := parseScoreEnd(minArg)
	hi, hiEx, ok2 := parseScoreEnd(maxArg)
	if !ok1 || !ok2 {
		return r, false
	}
	r.by = zrangeScore
	r.min = zindex.Bound{Score: lo, By: zindex.ByScore, After: loEx}
	r.max = zindex.Bound{Score: hi, By: zindex.ByScore, After: !hiEx}
	r.none = lo > hi || lo == hi && (loEx || hiEx)
	return r, true
}

// lexEnd parses an end of a range of members. The ends of everything are bounds
// by score: before -Inf and behind +Inf.
func lexEnd(arg []byte, isMax bool) (b zindex.Bound, ok bool) {
	if len(arg) == 0 {
		return b, false
	}
	switch arg[0] {
	case '-', '+':
		if len(arg) > 1 && arg[1] != 0 {
			return b, false
		}
		inf := math.Inf(1)
		if arg[0] == '-' {
			inf = -inf
		}
		return zindex.Bound{Score: inf, By: zindex.ByScore, After: arg[0] == '+'}, true
	case '(':
		return zindex.Bound{Member: arg[1:], By: zindex.ByMember, After: !isMax}, true
	case '[':
		return zindex.Bound{Member: arg[1:], By: zindex.ByMember, After: isMax}, true
	}
	return b, false
}

// lexRange parses a range of members.
func lexRange(minArg, maxArg []byte) (r zrangeSpec, ok bool) {
	var ok1, ok2 bool
	r.min, ok1 = lexEnd(minArg, false)
	r.max, ok2 = lexEnd(maxArg, true)
	r.by = zrangeLex
	return r, ok1 && ok2
}

// ranks turns a range into one of ranks in a set: [lo, hi). With reverse
// it is read from the end, and ranks are counted from there.
func (r *zrangeSpec) ranks(v object.Value, reverse bool) (lo, hi int) {
	switch {
	case r.none:
		return 0, 0
	case r.by == zrangeLex:
		return v.ZsetLexRange(&r.min, &r.max, reverse)
	case r.by == zrangeScore:
		lo = v.ZsetBelow(&r.min)
		return lo, max(v.ZsetBelow(&r.max), lo)
	}
	n := int64(v.ZsetLen())
	start, end := r.start, r.end
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end += n
	}
	if start > end || start >= n {
		return 0, 0
	}
	end = min(end, n-1)
	if reverse {
		start, end = n-1-end, n-1-start
	}
	return int(start), int(end) + 1
}

// zremrangeGeneric removes the range that the arguments 2 and 3 name.
func (c *Client) zremrangeGeneric(by zrangeBy, event string) {
	r := zrangeSpec{by: by}
	var ok bool
	switch by {
	case zrangeRank:
		if r.start, ok = c.longArg(2, ""); !ok {
			return
		}
		if r.end, ok = c.longArg(3, ""); !ok {
			return
		}
	case zrangeScore:
		if r, ok = scoreRange(c.args[2], c.args[3]); !ok {
			c.addReplyError(errRangeFloat)
			return
		}
	case zrangeLex:
		if r, ok = lexRange(c.args[2], c.args[3]); !ok {
			c.addReplyError(errRangeLex)
			return
		}
	}
	key := c.args[1]
	e, found := c.lookupKeyWrite(key)
	if !found {
		c.addReplyLongLong(0)
		return
	}
	if e.Type() != object.TypeZset {
		c.addReplyErrorWrongType()
		return
	}
	v := e.Value()
	lo, hi := r.ranks(v, false)
	if hi > lo {
		empty := hi-lo == v.ZsetLen()
		if empty {
			c.db.Delete(key) // in slices, if it is large
		} else {
			v.ZsetDeleteRange(lo, hi)
			c.db.Update(e, v, false)
		}
		c.signalModified(key)
		c.notify(notifyZset, event, key)
		if empty {
			c.notify(notifyGeneric, "del", key)
		}
		c.srv.dirty += int64(hi - lo)
	}
	c.addReplyLongLong(int64(hi - lo))
}

func zremrangebyrankCommand(c *Client)  { c.zremrangeGeneric(zrangeRank, "zremrangebyrank") }
func zremrangebyscoreCommand(c *Client) { c.zremrangeGeneric(zrangeScore, "zremrangebyscore") }
func zremrangebylexCommand(c *Client)   { c.zremrangeGeneric(zrangeLex, "zremrangebylex") }

// zcountGeneric answers how many members are in a range.
func (c *Client) zcountGeneric(r zrangeSpec) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	if !found {
		c.addReplyLongLong(0)
		return
	}
	lo, hi := r.ranks(v, false)
	c.addReplyLongLong(int64(hi - lo))
}

func zcountCommand(c *Client) {
	r, ok := scoreRange(c.args[2], c.args[3])
	if !ok {
		c.addReplyError(errRangeFloat)
		return
	}
	c.zcountGeneric(r)
}

func zlexcountCommand(c *Client) {
	r, ok := lexRange(c.args[2], c.args[3])
	if !ok {
		c.addReplyError(errRangeLex)
		return
	}
	c.zcountGeneric(r)
}

// zrangeDirection is from which end a range is read.
type zrangeDirection uint8

const (
	zrangeAnyDirection zrangeDirection = iota // what the options say
	zrangeForward
	zrangeReverse
)

// zrangeGeneric is ZRANGE and its older and storing relatives. The source key is
// argument src; the result goes to key dst, or, if that is nil, to the client.
func (c *Client) zrangeGeneric(src int, dst []byte, by zrangeBy, dir zrangeDirection) {
	store := dst != nil
	withScores := false
	offset, limit := int64(0), int64(-1)
	var ok bool
	for j := src + 3; j < len(c.args); j++ {
		opt := c.args[j]
		left := len(c.args) - j - 1
		switch {
		case !store && equalFold(opt, "withscores"):
			withScores = true
		case equalFold(opt, "limit") && left >= 2:
			if offset, ok = c.longArg(j+1, ""); !ok {
				return
			}
			if limit, ok = c.longArg(j+2, ""); !ok {
				return
			}
			j += 2
		case dir == zrangeAnyDirection && equalFold(opt, "rev"):
			dir = zrangeReverse
		case by == zrangeAuto && equalFold(opt, "bylex"):
			by = zrangeLex
		case by == zrangeAuto && equalFold(opt, "byscore"):
			by = zrangeScore
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	if by == zrangeAuto {
		by = zrangeRank
	}
	switch {
	case limit != -1 && by == zrangeRank:
		c.addReplyError("syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
		return
	case withScores && by == zrangeLex:
		c.addReplyError("syntax error, WITHSCORES not supported in combination with BYLEX")
		return
	}
	reverse := dir == zrangeReverse
	first, last := src+1, src+2
	if reverse && by != zrangeRank {
		first, last = last, first
	}
	r := zrangeSpec{by: by}
	switch by {
	case zrangeRank:
		if r.start, ok = c.longArg(first, ""); !ok {
			return
		}
		if r.end, ok = c.longArg(last, ""); !ok {
			return
		}
	case zrangeScore:
		if r, ok = scoreRange(c.args[first], c.args[last]); !ok {
			c.addReplyError(errRangeFloat)
			return
		}
	case zrangeLex:
		if r, ok = lexRange(c.args[first], c.args[last]); !ok {
			c.addReplyError(errRangeLex)
			return
		}
	}
	v, found, ok := c.lookupZsetRead(c.args[src])
	if !ok {
		return
	}
	lo, hi := 0, 0
	if found {
		lo, hi = r.ranks(v, reverse)
	}
	if by != zrangeRank {
		lo, hi = limited(lo, hi, offset, limit, reverse)
	}
	if store {
		c.zrangeStore(dst, v, lo, hi)
		return
	}
	c.addReplyZrange(v, lo, hi, reverse, withScores)
}

// limited applies LIMIT to a range of ranks. A negative offset leaves nothing, a
// negative limit means all.
func limited(lo, hi int, offset, limit int64, reverse bool) (int, int) {
	n := int64(hi - lo)
	if offset < 0 || offset > n {
		offset = n
	}
	n -= offset
	if limit >= 0 {
		n = min(n, limit)
	}
	if reverse {
		hi -= int(offset)
		return hi - int(n), hi
	}
	lo += int(offset)
	return lo, lo + int(n)
}

// addReplyScoresLen is the head of an array of n members: with scores, RESP2 has
// a flat array, and RESP3 an array of pairs.
func (c *Client) addReplyScoresLen(n int, withScores bool) {
	if withScores && c.proto == 2 {
		n *= 2
	}
	c.addReplyArrayLen(n)
}

// addReplyMember is an element of such an array.
func (c *Client) addReplyMember(member []byte, score float64, withScores bool) {
	if withScores && c.proto == 3 {
		c.addReplyArrayLen(2)
	}
	c.addReplyBulk(member)
	if withScores {
		c.addReplyDouble(score)
	}
}

// addReplyZrange answers the members of the ranks [lo, hi).
func (c *Client) addReplyZrange(v object.Value, lo, hi int, reverse, withScores bool) {
	c.addReplyScoresLen(hi-lo, withScores)
	if lo == hi {
		return
	}
	at := lo
	if reverse {
		at = hi - 1
	}
	var it object.ZsetIter
	it.Seek(v, at)
	for n := hi - lo; ; {
		m := it.Member()
		if withScores {
			c.addReplyMember(m, it.Score(), true)
		} else {
			c.addReplyBulk(m)
		}
		if n--; n == 0 {
			return
		}
		it.Step(reverse)
	}
}

// zrangeStore stores the members of the ranks [lo, hi) under dst.
func (c *Client) zrangeStore(dst []byte, v object.Value, lo, hi int) {
	res := c.newZset(dst)
	if lo < hi {
		res.ZsetExpand(hi - lo)
		var it object.ZsetIter
		for ok := it.Seek(v, lo); ok && lo < hi; ok = it.Next() {
			res.ZsetBuild(it.Member(), it.Score())
			lo++
		}
	}
	c.storeZset(dst, res, "zrangestore")
}

func zrangeCommand(c *Client) { c.zrangeGeneric(1, nil, zrangeAuto, zrangeAnyDirection) }
func zrangestoreCommand(c *Client) {
	c.zrangeGeneric(2, c.args[1], zrangeAuto, zrangeAnyDirection)
}
func zrevrangeCommand(c *Client)        { c.zrangeGeneric(1, nil, zrangeRank, zrangeReverse) }
func zrangebyscoreCommand(c *Client)    { c.zrangeGeneric(1, nil, zrangeScore, zrangeForward) }
func zrevrangebyscoreCommand(c *Client) { c.zrangeGeneric(1, nil, zrangeScore, zrangeReverse) }
func zrangebylexCommand(c *Client)      { c.zrangeGeneric(1, nil, zrangeLex, zrangeForward) }
func zrevrangebylexCommand(c *Client)   { c.zrangeGeneric(1, nil, zrangeLex, zrangeReverse) }
