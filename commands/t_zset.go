package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Sorted set commands: members and their scores. Ranges, pops and operations on
// several sets stand in the files beside this one.

var emptyListpack = listpack.New(listpack.EmptySize)

// floatArg reads argument i as a double; text is the error for what is not one
// ("" for Redis's default).
func (c *Client) floatArg(i int, text string) (float64, bool) {
	f, ok := numeric.ParseFloat(c.args[i])
	if !ok {
		if text == "" {
			text = errNotFloat
		}
		c.addReplyError(text)
	}
	return f, ok
}

// lookupZsetRead finds a sorted set for a command that only reads. found is false
// if there is no such key, ok after a type error, which is answered.
func (c *Client) lookupZsetRead(key []byte) (v object.Value, found, ok bool) {
	e, found := c.lookupKeyRead(key)
	if !found {
		return v, false, true
	}
	if e.Type() != object.TypeZset {
		c.addReplyErrorWrongType()
		return v, false, false
	}
	return e.Value(), true, true
}

// createZset makes the sorted set under a key that does not exist, in the form
// that a first member of firstLen bytes asks for.
func (c *Client) createZset(key []byte, firstLen int) keyspace.Entry {
	lim := &c.srv.lim
	if lim.ZsetMaxListpackEntries == 0 || firstLen > lim.ZsetMaxListpackValue {
		e := c.db.Create(key, object.TypeZset, object.EncSkiplist, nil, object.ZsetHeadSize)
		e.Value().InitZset()
		return e
	}
	return c.db.Create(key, object.TypeZset, object.EncListpack, emptyListpack, 0)
}

// storeZset puts a sorted set that was built aside (object.NewZset) under key, in
// the place of whatever was there, or deletes the key if the set is empty. It
// answers the number of members, with the event for it.
func (c *Client) storeZset(key []byte, v object.Value, event string) {
	n := v.ZsetLen()
	if n == 0 {
		c.srv.KS.FreeDetached(v.Ref)
		c.addReplyLongLong(0)
		c.deleteForStore(key)
		return
	}
	v.ZsetToListpack(&c.srv.lim)
	c.overwrite(key, func() { c.db.Adopt(v.Ref) })
	c.signalModified(key)
	c.addReplyLongLong(int64(n))
	c.notify(notifyZset, event, key)
	c.srv.dirty++
}

// deleteForStore deletes the destination of a command whose result is empty.
func (c *Client) deleteForStore(key []byte) {
	if c.db.Delete(key) { // expired or not, as redis-server does
		c.signalModified(key)
		c.notify(notifyGeneric, "del", key)
		c.srv.dirty++
	}
}

// newZset starts a sorted set aside, to be stored under key.
func (c *Client) newZset(key []byte) object.Value {
	return object.NewZset(c.srv.KS.Arena(), dict.Header{LRU: c.srv.KS.LoadedLRU(-1, -1)}, key)
}

const errNaN = "resulting score is not a number (NaN)"

// zaddGeneric is ZADD, and ZINCRBY with incr.
func (c *Client) zaddGeneric(flags object.ZaddFlags) {
	first, ch := 2, false
options:
	for ; first < len(c.args); first++ {
		switch opt := c.args[first]; {
		case equalFold(opt, "nx"):
			flags |= object.ZaddNX
		case equalFold(opt, "xx"):
			flags |= object.ZaddXX
		case equalFold(opt, "ch"):
			ch = true
		case equalFold(opt, "incr"):
			flags |= object.ZaddIncr
		case equalFold(opt, "gt"):
			flags |= object.ZaddGT
		case equalFold(opt, "lt"):
			flags |= object.ZaddLT
		default:
			break options
		}
	}
	const nx, xx, gt, lt = object.ZaddNX, object.ZaddXX, object.ZaddGT, object.ZaddLT
	has := func(f object.ZaddFlags) bool { return flags&f == f }
	incr := has(object.ZaddIncr)
	pairs := c.args[first:]
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		c.addReplyErrorSyntax()
		return
	case has(nx | xx):
		c.addReplyError("XX and NX options at the same time are not compatible")
		return
	case has(gt | nx), has(lt | nx), has(gt | lt):
		c.addReplyError("GT, LT, and/or NX options at the same time are not compatible")
		return
	case incr && len(pairs) > 2:
		c.addReplyError("INCR option supports a single increment-element pair")
		return
	}
	// All scores are read before anything is changed.
	var few [8]float64
	scores := few[:0]
	for i := 0; i < len(pairs); i += 2 {
		f, ok := c.floatArg(first+i, "")
		if !ok {
			return
		}
		scores = append(scores, f)
	}
	key := c.args[1]
	e, found := c.lookupKeyWrite(key)
	if found && e.Type() != object.TypeZset {
		c.addReplyErrorWrongType()
		return
	}
	added, updated, processed := 0, 0, 0
	score := 0.0
	if found || flags&xx == 0 {
		if !found {
			e = c.createZset(key, len(pairs[1]))
		}
		v := e.Value()
		nan := false
		for i, s := range scores {
			res, now := v.ZsetAdd(s, pairs[2*i+1], flags, &c.srv.lim)
			switch res {
			case object.ZaddNaN:
				nan = true
			case object.ZaddAdded:
				added++
			case object.ZaddUpdated:
				updated++
			}
			if res != object.ZaddNop {
				processed++
				score = now
			}
		}
		c.db.Update(e, v, false)
		c.srv.dirty += int64(added + updated)
		if nan {
			c.addReplyError(errNaN)
			return
		}
	}
	switch {
	case incr && processed > 0:
		c.addReplyDouble(score)
	case incr:
		c.addReplyNull()
	case ch:
		c.addReplyLongLong(int64(added + updated))
	default:
		c.addReplyLongLong(int64(added))
	}
	if added+updated > 0 {
		c.signalModified(key)
		event := "zadd"
		if incr {
			event = "zincr"
		}
		c.notify(notifyZset, event, key)
	}
}

func zaddCommand(c *Client)    { c.zaddGeneric(0) }
func zincrbyCommand(c *Client) { c.zaddGeneric(object.ZaddIncr) }

func zcardCommand(c *Client) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	switch {
	case !ok:
	case !found:
		c.addReplyLongLong(0)
	default:
		c.addReplyLongLong(int64(v.ZsetLen()))
	}
}

func zscoreCommand(c *Client) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	if found {
		if score, has := v.ZsetScore(c.args[2]); has {
			c.addReplyDouble(score)
			return
		}
	}
	c.addReplyNull()
}

func zmscoreCommand(c *Client) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	c.addReplyArrayLen(len(c.args) - 2)
	for _, m := range c.args[2:] {
		if found {
			if score, has := v.ZsetScore(m); has {
				c.addReplyDouble(score)
				continue
			}
		}
		c.addReplyNull()
	}
}

func (c *Client) zrankGeneric(reverse bool) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	if found {
		if rank, has := v.ZsetRank(c.args[2]); has {
			if reverse {
				rank = v.ZsetLen() - 1 - rank
			}
			c.addReplyLongLong(int64(rank))
			return
		}
	}
	c.addReplyNull()
}

func zrankCommand(c *Client)    { c.zrankGeneric(false) }
func zrevrankCommand(c *Client) { c.zrankGeneric(true) }

func zremCommand(c *Client) {
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
	deleted, left := 0, v.ZsetLen()
	for _, m := range c.args[2:] {
		if v.ZsetDelete(m) {
			deleted++
			if left--; left == 0 {
				break
			}
		}
	}
	c.db.Update(e, v, left == 0)
	if deleted > 0 {
		c.notify(notifyZset, "zrem", key)
		if left == 0 {
			c.notify(notifyGeneric, "del", key)
		}
		c.signalModified(key)
		c.srv.dirty += int64(deleted)
	}
	c.addReplyLongLong(int64(deleted))
}

func zscanCommand(c *Client) {
	s, ok := c.beginScan(object.TypeZset)
	if !ok {
		return
	}
	packed := s.v.Record().Encoding() == object.EncListpack
	var num [40]byte
	s.cursor = s.v.ZsetScan(s.cursor, s.count, func(member []byte, score float64) {
		if !s.match(member) {
			return
		}
		s.emit(member)
		if n, ok := numeric.DoubleToInt(score); ok && packed {
			s.emit(numeric.AppendInt(num[:0], n))
			return
		}
		s.emit(numeric.AppendDouble17g(num[:0], score))
	})
	c.endScan(&s)
}
