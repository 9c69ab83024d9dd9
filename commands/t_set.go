package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Set commands on one set or two. Intersections, unions and differences are in
// t_set_ops.go.

// lookupSetRead finds the set under a key for a read. Without one, or for
// another type, it returns false; in the latter case it has answered, and
// answered is true.
func (c *Client) lookupSetRead(key []byte) (v object.Value, ok, answered bool) {
	e, found := c.lookupKeyRead(key)
	if !found {
		return v, false, false
	}
	if e.Type() != object.TypeSet {
		c.addReplyErrorWrongType()
		return v, false, true
	}
	return e.Value(), true, false
}

// lookupSetWrite is lookupSetRead for a command that is about to change the set.
func (c *Client) lookupSetWrite(key []byte) (e keyspace.Entry, ok, answered bool) {
	e, found := c.lookupKeyWrite(key)
	if !found {
		return e, false, false
	}
	if e.Type() != object.TypeSet {
		c.addReplyErrorWrongType()
		return e, false, true
	}
	return e, true, false
}

// setBuf is the storage that integers of a set are rendered into; one of its own
// for a second set that is read at the same time is not needed: members that are
// looked up are not rendered.
func (c *Client) setBuf() *listpack.IntBuf { return &c.srv.hashBuf[0] }

// createSet makes an empty set that is to have the member.
func (c *Client) createSet(key, member []byte) keyspace.Entry {
	switch enc := object.SetEncodingFor(member, &c.srv.lim); enc {
	case object.EncIntset:
		var empty [intset.HeaderSize]byte
		return c.db.Create(key, object.TypeSet, enc, intset.Append(empty[:0]), 0)
	case object.EncListpack:
		var empty [listpack.EmptySize]byte
		return c.db.Create(key, object.TypeSet, enc, listpack.AppendEmpty(empty[:0]), 0)
	default:
		e := c.db.Create(key, object.TypeSet, enc, nil, object.SetHeadSize)
		object.InitSet(e.Value())
		return e
	}
}

// addMembers adds members to the set under key, which it makes if found is
// false, and returns how many are new.
func (c *Client) addMembers(key []byte, e keyspace.Entry, found bool, members [][]byte) (added int64) {
	lim := &c.srv.lim
	if !found {
		p, enc, n, ok := object.AppendSet(c.srv.scratch[:0], members, lim)
		c.srv.keepScratch(p)
		if ok {
			c.db.Create(key, object.TypeSet, enc, p, 0)
			return int64(n)
		}
		e = c.createSet(key, members[0])
	}
	v := e.Value()
	for _, m := range members {
		if object.SetAdd(&v, m, lim) {
			added++
		}
	}
	c.db.Update(e, v, false)
	return added
}

func saddCommand(c *Client) {
	key := c.args[1]
	e, found, answered := c.lookupSetWrite(key)
	if answered {
		return
	}
	n := c.addMembers(key, e, found, c.args[2:])
	if n > 0 {
		c.signalModified(key)
		c.notify(notifySet, "sadd", key)
	}
	c.srv.dirty += n
	c.addReplyLongLong(n)
}

// setShrunk notes that members of the set under key were removed, with an event
// that says how. v is the set afterwards; the key goes with its last member.
func (c *Client) setShrunk(key []byte, e keyspace.Entry, v object.Value, event string) {
	empty := object.SetLen(v) == 0
	c.db.Update(e, v, empty)
	c.signalModified(key)
	c.notify(notifySet, event, key)
	if empty {
		c.notify(notifyGeneric, "del", key)
	}
}

func sremCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupSetWrite(key)
	if !ok {
		if !answered {
			c.addReplyLongLong(0)
		}
		return
	}
	v, n := e.Value(), int64(0)
	for _, m := range c.args[2:] {
		if object.SetRemove(&v, m) {
			n++
			if object.SetLen(v) == 0 {
				break
			}
		}
	}
	if n > 0 {
		c.setShrunk(key, e, v, "srem")
		c.srv.dirty += n
	}
	c.addReplyLongLong(n)
}

func smoveCommand(c *Client) {
	from, to, member := c.args[1], c.args[2], c.args[3]
	src, ok := c.lookupKeyWrite(from)
	dst, there := c.lookupKeyWrite(to)
	if !ok {
		c.addReplyLongLong(0)
		return
	}
	if src.Type() != object.TypeSet || (there && dst.Type() != object.TypeSet) {
		c.addReplyErrorWrongType()
		return
	}
	v := src.Value()
	if there && src.Ref() == dst.Ref() {
		c.addReplyTruth(object.SetContains(v, member))
		return
	}
	if !object.SetRemove(&v, member) {
		c.addReplyLongLong(0)
		return
	}
	c.setShrunk(from, src, v, "srem")
	c.srv.dirty++
	if c.addMembers(to, dst, there, c.args[3:4]) > 0 {
		c.srv.dirty++
		c.signalModified(to)
		c.notify(notifySet, "sadd", to)
	}
	c.addReplyLongLong(1)
}

// addReplyTruth answers 1 or 0.
func (c *Client) addReplyTruth(b bool) {
	if b {
		c.addReplyLongLong(1)
		return
	}
	c.addReplyLongLong(0)
}

func sismemberCommand(c *Client) {
	v, ok, answered := c.lookupSetRead(c.args[1])
	if answered {
		return
	}
	c.addReplyTruth(ok && object.SetContains(v, c.args[2]))
}

func smismemberCommand(c *Client) {
	v, ok, answered := c.lookupSetRead(c.args[1])
	if answered {
		return
	}
	c.addReplyArrayLen(len(c.args) - 2)
	for _, m := range c.args[2:] {
		c.addReplyTruth(ok && object.SetContains(v, m))
	}
}

func scardCommand(c *Client) {
	v, ok, answered := c.lookupSetRead(c.args[1])
	if answered {
		return
	}
	n := 0
	if ok {
		n = object.SetLen(v)
	}
	c.addReplyLongLong(int64(n))
}

func smembersCommand(c *Client) {
	v, ok, answered := c.lookupSetRead(c.args[1])
	if answered {
		return
	}
	if !ok {
		c.addReplySetLen(0)
		return
	}
	c.addReplySet(v)
}

// addReplySet answers all members.
func (c *Client) addReplySet(v object.Value) {
	c.addReplySetLen(object.SetLen(v))
	c.addReplyMembers(v)
}

// addReplyMembers answers the members without the head of the reply.
func (c *Client) addReplyMembers(v object.Value) {
	if lp, enc := object.SetPacked(v); enc == object.EncListpack {
		buf := c.setBuf()
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			c.addReplyBulk(listpack.Get(lp, p, buf))
		}
		return
	}
	object.SetEachBuf(v, c.setBuf(), func(m []byte) bool {
		c.addReplyBulk(m)
		return true
	})
}

func spopCommand(c *Client) {
	switch {
	case len(c.args) == 3:
		c.spopWithCount()
		return
	case len(c.args) > 3:
		c.addReplyErrorSyntax()
		return
	}
	key := c.args[1]
	e, ok, answered := c.lookupSetWrite(key)
	if !ok {
		if !answered {
			c.addReplyNull()
		}
		return
	}
	v := e.Value()
	object.SetPop(&v, c.srv.rand, c.setBuf(), func(m []byte) {
		c.addReplyBulk(m)
		c.rewrite(wordSrem, key, m)
	})
	c.setShrunk(key, e, v, "spop")
	c.srv.dirty++
}

func (c *Client) spopWithCount() {
	count, ok := c.rangeArg(2, 0, math.MaxInt64, errMustBePositive)
	if !ok {
		return
	}
	key := c.args[1]
	e, ok, answered := c.lookupSetWrite(key)
	if answered {
		return
	}
	if !ok || count == 0 {
		c.addReplySetLen(0)
		return
	}
	v := e.Value()
	n := int(min(count, int64(object.SetLen(v))))
	if n == object.SetLen(v) {
		c.addReplySet(v)
		c.db.Update(e, v, true)
		c.signalModified(key)
		c.notify(notifySet, "spop", key)
		c.notify(notifyGeneric, "del", key)
		c.rewrite(delWord(c.srv.V.LazyfreeServerDel), key)
	} else {
		c.addReplySetLen(n)
		for range n {
			object.SetPop(&v, c.srv.rand, c.setBuf(), func(m []byte) {
				c.addReplyBulk(m)
				c.rewrite(wordSrem, key, m)
			})
		}
		c.setShrunk(key, e, v, "spop")
	}
	c.srv.dirty += int64(n)
}

func srandmemberCommand(c *Client) {
	switch {
	case len(c.args) == 3:
		c.srandmemberWithCount()
		return
	case len(c.args) > 3:
		c.addReplyErrorSyntax()
		return
	}
	v, ok, answered := c.lookupSetRead(c.args[1])
	if !ok {
		if !answered {
			c.addReplyNull()
		}
		return
	}
	c.addReplyBulk(object.SetRandom(v, c.srv.rand, c.setBuf()))
}

func (c *Client) srandmemberWithCount() {
	count, ok := c.rangeArg(2, -math.MaxInt64, math.MaxInt64, "")
	if !ok {
		return
	}
	v, ok, answered := c.lookupSetRead(c.args[1])
	if answered {
		return
	}
	if !ok || count == 0 {
		c.addReplyArrayLen(0)
		return
	}
	if count < 0 {
		c.addReplyArrayLen(int(-count))
		for ; count < 0 && c.flags&flagCloseAfter == 0; count++ {
			c.addReplyBulk(object.SetRandom(v, c.srv.rand, c.setBuf()))
		}
		return
	}
	n := object.SetLen(v)
	if count >= int64(n) {
		c.addReplyArrayLen(n)
		c.addReplyMembers(v)
		return
	}
	c.addReplyArrayLen(int(count))
	c.srv.refs = object.SetSample(v, c.srv.rand, int(count), c.setBuf(), c.srv.refs, func(m []byte) { c.addReplyBulk(m) })
}

func sscanCommand(c *Client) {
	s, ok := c.beginScan(object.TypeSet)
	if !ok {
		return
	}
	s.cursor = object.SetScan(s.v, c.setBuf(), s.cursor, s.count, func(m []byte) {
		if s.match(m) {
			s.emit(m)
		}
	})
	c.endScan(&s)
}
