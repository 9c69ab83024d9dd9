package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// XREAD and XREADGROUP.

// streamRead is a parsed XREAD or XREADGROUP.
type streamRead struct {
	inGroup         bool
	group, consumer []byte
	noack           bool
	count           int64 // 0: all
	blocks          bool
	deadline        int64 // unix ms; 0 never
	first, n        int   // the keys are args[first:first+n], their IDs follow
}

func xreadCommand(c *Client)      { c.xreadGeneric(false) }
func xreadgroupCommand(c *Client) { c.xreadGeneric(true) }

// parseRead reads the arguments up to the keys; it answers errors itself.
func (c *Client) parseRead(inGroup bool) (r streamRead, ok bool) {
	r.inGroup = inGroup
	for i := 1; i < len(c.args); i++ {
		opt := c.args[i]
		more := len(c.args) - i - 1
		switch {
		case more > 0 && equalFold(opt, "block"):
			i++
			r.blocks = true
			if r.deadline, ok = c.streamTimeout(i); !ok {
				return r, false
			}
		case more > 0 && equalFold(opt, "count"):
			i++
			if r.count, ok = c.longArg(i, ""); !ok {
				return r, false
			}
			r.count = max(r.count, 0)
		case more > 0 && equalFold(opt, "streams"):
			r.first, r.n = i+1, more/2
			if more%2 != 0 {
				c.addReplyError("Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
				return r, false
			}
			i = len(c.args)
		case more >= 2 && equalFold(opt, "group"):
			if !inGroup {
				c.addReplyError("The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
				return r, false
			}
			r.group, r.consumer = c.args[i+1], c.args[i+2]
			i += 2
		case equalFold(opt, "noack"):
			if !inGroup {
				c.addReplyError("The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
				return r, false
			}
			r.noack = true
		default:
			c.addReplyErrorSyntax()
			return r, false
		}
	}
	if r.first == 0 {
		c.addReplyErrorSyntax()
		return r, false
	}
	if inGroup && r.group == nil {
		c.addReplyError("Missing GROUP option for XREADGROUP")
		return r, false
	}
	return r, true
}

// streamTimeout reads the argument of BLOCK and returns the time at which it
// ends, unix ms, 0 for never.
func (c *Client) streamTimeout(i int) (int64, bool) {
	ms, ok := c.longArg(i, "timeout is not an integer or out of range")
	switch {
	case !ok:
		return 0, false
	case ms < 0:
		c.addReplyError("timeout is negative")
		return 0, false
	case ms == 0:
		return 0, true
	case ms > math.MaxInt64-c.now():
		return 1, true // redis-server's clock overflows: the wait is over at once
	}
	return c.now() + ms, true
}

// readFrom is where one of the streams is read from.
type readFrom struct {
	after  stream.ID // entries above it
	newest bool      // ">": those that the group has not seen
	latest bool      // "$": those that come from now on
}

// parseReadIDs checks the keys and reads their IDs; it answers errors itself.
func (c *Client) parseReadIDs(r *streamRead) ([]readFrom, bool) {
	froms := c.srv.readFroms[:0]
	for i := range r.n {
		key, arg := c.args[r.first+i], c.args[r.first+r.n+i]
		v, found, ok := c.lookupStream(key)
		if !ok {
			return nil, false
		}
		if r.inGroup && (!found || v.Stream().Group(v.A, r.group) == nil) {
			c.addReplyError("-NOGROUP No such key '" + cText(key) + "' or consumer group '" + cText(r.group) + "' in XREADGROUP with GROUP option")
			return nil, false
		}
		var f readFrom
		switch {
		case len(arg) == 1 && arg[0] == '$':
			if r.inGroup {
				c.addReplyError("The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
				return nil, false
			}
			f.latest = true
			if found {
				f.after = v.Stream().LastID
			}
		case len(arg) == 1 && arg[0] == '>':
			if !r.inGroup {
				c.addReplyError("The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
				return nil, false
			}
			f.newest = true
		default:
			if f.after, ok = c.streamID(arg); !ok {
				return nil, false
			}
			f.newest = r.inGroup && f.after == stream.Max
		}
		froms = append(froms, f)
	}
	c.srv.readFroms = froms
	return froms, true
}

func (c *Client) xreadGeneric(inGroup bool) {
	r, ok := c.parseRead(inGroup)
	if !ok {
		return
	}
	if key := c.readyKey(); key != nil {
		c.xreadAgain(&r, key)
		return
	}
	froms, ok := c.parseReadIDs(&r)
	if !ok {
		return
	}
	mark, n := c.deferredLen(), 0
	for i, f := range froms {
		if c.readStream(&r, c.args[r.first+i], f) {
			n++
		}
	}
	switch {
	case n > 0:
		c.setReadLen(mark, n)
	case r.blocks && c.flags&flagDenyBlocking == 0:
		c.blockForStreams(&r, froms)
	default:
		c.addReplyNullArray()
	}
}

// setReadLen completes a reply of n streams: a map of them, in RESP2 a list of
// pairs.
func (c *Client) setReadLen(mark, n int) {
	if c.proto == 3 {
		c.setDeferredMapLen(mark, n)
	} else {
		c.setDeferredArrayLen(mark, n)
	}
}

// xreadAgain looks at a stream that changed while the command waited for it. New
// entries end the wait even if they are deleted again. A reader in a group
// learns that its stream or group is gone.
func (c *Client) xreadAgain(r *streamRead, key []byte) {
	e, found := c.db.Lookup(key)
	isStream := found && e.Type() == object.TypeStream
	if !isStream && r.inGroup {
		c.addReplyError("-UNBLOCKED the stream key no longer exists")
		return
	}
	if !isStream {
		c.blockForKeys(nil, 0, nil)
		return
	}
	v := e.Value()
	var g *stream.Group
	var from stream.ID
	if r.inGroup {
		if g = v.Stream().Group(v.A, r.group); g == nil {
			c.addReplyError("-NOGROUP the consumer group this client was blocked on no longer exists")
			return
		}
		from = g.LastID
	} else {
		i := 0
		for string(c.args[r.first+i]) != string(key) {
			i++
		}
		from, _, _ = parseStreamID(c.args[r.first+r.n+i], 0, true, false)
	}
	if !from.Less(v.Stream().LastID) {
		c.blockForKeys(nil, 0, nil)
		return
	}
	mark := c.deferredLen()
	c.addReplyRead(r, key, v, g, readFrom{after: from, newest: r.inGroup})
	c.setReadLen(mark, 1)
}

// blockForStreams waits for entries. The IDs that mean "from now on" are
// replaced by what they stand for, since the command will run again later.
func (c *Client) blockForStreams(r *streamRead, froms []readFrom) {
	args := c.args
	c.args = append([][]byte(nil), args...)
	for i, f := range froms {
		if f.latest {
			c.args[r.first+r.n+i] = f.after.AppendText(nil)
		}
	}
	c.blockForKeys(args[r.first:r.first+r.n], r.deadline, (*Client).addReplyNullArray)
	c.args = args
}

// readStream answers what there is to read of one stream; false when there is
// nothing, and nothing is answered.
func (c *Client) readStream(r *streamRead, key []byte, f readFrom) bool {
	e, found := c.db.Lookup(key)
	if !found {
		return false
	}
	v := e.Value()
	s := v.Stream()
	var g *stream.Group
	if r.inGroup {
		g = s.Group(v.A, r.group)
	}
	if f.newest {
		f.after = g.LastID
	}
	if (f.newest || !r.inGroup) && (s.Length == 0 || !f.after.Less(s.LastLive(v.A))) {
		return false
	}
	c.addReplyRead(r, key, v, g, f)
	return true
}

// addReplyRead answers one stream: its name, and the entries after an ID.
func (c *Client) addReplyRead(r *streamRead, key []byte, v object.Value, g *stream.Group, f readFrom) {
	if c.proto == 2 {
		c.addReplyArrayLen(2)
	}
	c.addReplyBulk(key)
	start, _ := f.after.Next()
	if g == nil {
		c.addReplyRange(v, start, stream.Max, r.count, false)
		return
	}
	if r.noack && c.propagating() && g.Consumer(v.A, r.consumer) == nil {
		c.srv.alsoPropagate(c.db.ID, wordXgroup, wordCreateCons, key, g.Name(), r.consumer)
	}
	con := c.groupConsumer(v, key, g, r.consumer)
	if f.newest {
		c.deliver(v, key, g, con, start, r)
	} else {
		c.addReplyHistory(v, g, con, start, r.count)
	}
	c.srv.dirty++
	c.preventPropagation() // its effects are
}

// deliver answers the entries from start on, hands them to the consumer and
// moves the group on.
func (c *Client) deliver(v object.Value, key []byte, g *stream.Group, con *stream.Consumer, start stream.ID, r *streamRead) {
	s := v.Stream()
	mark, n := c.deferredLen(), int64(0)
	for it := s.Range(v.A, start, stream.Max, false); it.Next(); {
		s.Advance(g, it.ID)
		c.addReplyEntry(&it)
		if !r.noack {
			g.Deliver(v.A, con, it.ID, c.now())
			c.propagateClaim(v, key, g, it.ID, nil)
		}
		if n++; n == r.count {
			break
		}
	}
	con.ActiveTime = c.now()
	c.setDeferredArrayLen(mark, int(n))
	if r.noack {
		c.propagateGroupID(key, g)
	}
}

// addReplyHistory answers the consumer's pending entries from start on, which
// counts as a delivery of each that is still there.
func (c *Client) addReplyHistory(v object.Value, g *stream.Group, con *stream.Consumer, start stream.ID, count int64) {
	mark, n := c.deferredLen(), int64(0)
	for cur := con.SeekPending(v.A, start); cur.Valid(); cur.Next() {
		id := cur.Key()
		if c.addReplyOneEntry(v, id) {
			nack := g.Find(v.A, id)
			nack.SetTime(c.now())
			nack.SetCount(nack.Count() + 1)
		} else {
			c.addReplyArrayLen(2)
			c.addReplyStreamID(id)
			c.addReplyNullArray()
		}
		if n++; n == count {
			break
		}
	}
	c.setDeferredArrayLen(mark, int(n))
}
