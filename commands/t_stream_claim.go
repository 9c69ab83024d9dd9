package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// XCLAIM and XAUTOCLAIM: pending entries change their consumer.

// claimOptions are the options of XCLAIM.
type claimOptions struct {
	minIdle int64 // ms
	ids     []stream.ID
	time    int64 // of the delivery, unix ms
	retries int64 // -1: one more
	force   bool
	justID  bool
	lastID  stream.ID
	told    bool   // the stream of replicas has the group's last ID
	text    []byte // the ID in hand as it was given; nil for XAUTOCLAIM

	consumer *stream.Consumer // made when there is something for it
}

// parseClaim reads the arguments behind the consumer; it answers errors itself.
func (c *Client) parseClaim() (o claimOptions, ok bool) {
	if o.minIdle, ok = c.longArg(4, "Invalid min-idle-time argument for XCLAIM"); !ok {
		return o, false
	}
	o.minIdle = max(o.minIdle, 0)
	o.time, o.retries = -1, -1
	o.ids = c.srv.streamIDs[:0]
	j := 5
	for ; j < len(c.args); j++ {
		id, _, isID := parseStreamID(c.args[j], 0, true, false)
		if !isID {
			break
		}
		o.ids = append(o.ids, id)
	}
	c.srv.streamIDs = o.ids
	for ; j < len(c.args); j++ {
		opt := c.args[j]
		more := len(c.args) - 1 - j
		switch {
		case equalFold(opt, "force"):
			o.force = true
		case equalFold(opt, "justid"):
			o.justID = true
		case more > 0 && equalFold(opt, "idle"):
			j++
			if o.time, ok = c.longArg(j, "Invalid IDLE option argument for XCLAIM"); !ok {
				return o, false
			}
			o.time = c.now() - o.time
		case more > 0 && equalFold(opt, "time"):
			j++
			if o.time, ok = c.longArg(j, "Invalid TIME option argument for XCLAIM"); !ok {
				return o, false
			}
		case more > 0 && equalFold(opt, "retrycount"):
			j++
			if o.retries, ok = c.longArg(j, "Invalid RETRYCOUNT option argument for XCLAIM"); !ok {
				return o, false
			}
		case more > 0 && equalFold(opt, "lastid"):
			j++
			if o.lastID, ok = c.streamID(c.args[j]); !ok {
				return o, false
			}
		default:
			c.addReplyError("Unrecognized XCLAIM option '" + cText(opt) + "'")
			return o, false
		}
	}
	if o.time < 0 || o.time > c.now() {
		o.time = c.now()
	}
	return o, true
}

func xclaimCommand(c *Client) {
	v, g := c.lookupGroup()
	if g == nil {
		return
	}
	o, ok := c.parseClaim()
	if !ok {
		return
	}
	moved := g.LastID.Less(o.lastID)
	if moved {
		g.LastID = o.lastID
		c.srv.dirty++
	}
	mark, n := c.deferredLen(), 0
	for i, id := range o.ids {
		o.text = c.args[5+i]
		if c.claim(v, g, id, &o) {
			n++
		}
	}
	c.setDeferredArrayLen(mark, n)
	if moved && !o.told {
		c.propagateGroupID(c.args[1], g)
	}
	c.preventPropagation()
}

// claim gives one entry to the consumer args[3] and answers it; false when it
// stays where it is. An entry that was deleted from the stream is pending no
// longer.
func (c *Client) claim(v object.Value, g *stream.Group, id stream.ID, o *claimOptions) bool {
	it := v.Stream().Range(v.A, id, id, false)
	if !it.Next() {
		if g.Find(v.A, id) != nil {
			c.propagateClaim(v, c.args[1], g, id, o.text)
			o.told = true
			g.Ack(v.A, id)
			c.srv.dirty++
		}
		return false
	}
	nack := g.Find(v.A, id)
	if nack == nil && !o.force || nack != nil && o.minIdle > 0 && c.now()-nack.Time() < o.minIdle {
		return false
	}
	if o.consumer == nil {
		o.consumer = c.groupConsumer(v, c.args[1], g, c.args[3])
	}
	if nack == nil {
		g.Add(v.A, o.consumer, id, o.time, 1)
		nack = g.Find(v.A, id)
	} else {
		g.Claim(v.A, nack, id, o.consumer)
	}
	nack.SetTime(o.time)
	switch {
	case o.retries >= 0:
		nack.SetCount(uint64(o.retries))
	case !o.justID:
		nack.SetCount(nack.Count() + 1)
	}
	o.consumer.ActiveTime = c.now()
	if o.justID {
		c.addReplyStreamID(id)
	} else {
		c.addReplyEntry(&it)
	}
	c.srv.dirty++
	c.propagateClaim(v, c.args[1], g, id, o.text)
	o.told = true
	return true
}

// autoclaimAttempts is how many pending entries XAUTOCLAIM looks at for each
// that it may return.
const autoclaimAttempts = 10

func xautoclaimCommand(c *Client) {
	o := claimOptions{retries: -1, time: c.now()}
	var ok bool
	if o.minIdle, ok = c.longArg(4, "Invalid min-idle-time argument for XAUTOCLAIM"); !ok {
		return
	}
	o.minIdle = max(o.minIdle, 0)
	start, ok := c.streamBound(c.args[5], 0, true)
	if !ok {
		return
	}
	count := int64(100)
	for j := 6; j < len(c.args); j++ {
		switch {
		case equalFold(c.args[j], "count") && j+1 < len(c.args):
			if count, ok = c.rangeArg(j+1, 1, math.MaxInt64/16, "COUNT must be > 0"); !ok {
				return
			}
			j++
		case equalFold(c.args[j], "justid"):
			o.justID = true
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	v, g := c.lookupGroup()
	if g == nil {
		return
	}
	c.addReplyArrayLen(3)
	head := len(c.out)
	mark, n := c.deferredLen(), 0
	gone := c.srv.streamIDs[:0]
	id, more := firstPending(v, g, start)
	for attempts := count * autoclaimAttempts; attempts > 0 && count > 0 && more; attempts-- {
		switch {
		case c.claim(v, g, id, &o):
			n++
			count--
		case g.Find(v.A, id) == nil:
			gone = append(gone, id)
			count--
		}
		next, ok := id.Next()
		if !ok {
			more = false
			break
		}
		id, more = firstPending(v, g, next)
	}
	c.srv.streamIDs = gone
	if !more {
		id = stream.ID{}
	}
	c.setDeferredArrayLen(mark, n)
	end := len(c.out)
	c.addReplyStreamID(id)
	c.rotateReply(head, end)
	c.addReplyArrayLen(len(gone))
	for _, id := range gone {
		c.addReplyStreamID(id)
	}
	c.preventPropagation()
}

// firstPending returns the first pending entry at or after start.
func firstPending(v object.Value, g *stream.Group, start stream.ID) (stream.ID, bool) {
	cur := g.SeekPending(v.A, start)
	if !cur.Valid() {
		return stream.ID{}, false
	}
	return cur.Key(), true
}

// rotateReply moves what was written after end, a few bytes, in front of what
// was written between head and end.
func (c *Client) rotateReply(head, end int) {
	var buf [64]byte
	tail := append(buf[:0], c.out[end:]...)
	copy(c.out[head+len(tail):], c.out[head:end])
	copy(c.out[head:], tail)
}
