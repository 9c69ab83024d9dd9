package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"math"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Commands on keys of any type: Redis's db.c.

// delGeneric removes the keys in args[1:].
func (c *Client) delGeneric() {
	n := int64(0)
	for _, k := range c.args[1:] {
		if _, ok := c.db.LookupReplace(k); !ok {
			continue
		}
		if c.db.Delete(k) {
			c.signalModified(k)
			c.notify(notifyGeneric, "del", k)
			c.srv.dirty++
			n++
		}
	}
	c.addReplyLongLong(n)
}

// Large values are always freed in slices (see keyspace), so DEL and UNLINK
// do the same here.
func delCommand(c *Client)    { c.delGeneric() }
func unlinkCommand(c *Client) { c.delGeneric() }

func (c *Client) countKeys(touch bool) {
	n := int64(0)
	for _, k := range c.args[1:] {
		e, ok := c.db.Lookup(k)
		if !ok {
			c.srv.Stats.KeyspaceMisses++
			continue
		}
		c.srv.Stats.KeyspaceHits++
		if touch {
			e.Touch()
		}
		n++
	}
	c.addReplyLongLong(n)
}

func existsCommand(c *Client) { c.countKeys(false) }
func touchCommand(c *Client)  { c.countKeys(true) }

func selectCommand(c *Client) {
	id, ok := c.intArg(1, "")
	if !ok {
		return
	}
	if !c.selectDB(int(id)) {
		c.addReplyError(errDBOutOfRange)
		return
	}
	c.addReplyOK()
}

// intArg reads argument i as a C int; text is the error for what is not one
// ("" for Redis's default).
func (c *Client) intArg(i int, text string) (int64, bool) {
	return c.rangeArg(i, math.MinInt32, math.MaxInt32, text)
}

// longArg reads argument i as a 64-bit integer.
func (c *Client) longArg(i int, text string) (int64, bool) {
	n, ok := numeric.ParseInt(c.args[i])
	if !ok {
		if text == "" {
			text = errNotInteger
		}
		c.addReplyError(text)
		return 0, false
	}
	return n, true
}

func (c *Client) rangeArg(i int, lo, hi int64, text string) (int64, bool) {
	n, ok := c.longArg(i, text)
	if !ok {
		return 0, false
	}
	if n < lo || n > hi {
		if text == "" {
			text = "value is out of range, value must between " + strconv.FormatInt(lo, 10) + " and " + strconv.FormatInt(hi, 10)
		}
		c.addReplyError(text)
		return 0, false
	}
	return n, true
}

func randomkeyCommand(c *Client) {
	key, ok := c.db.RandomKey(c.srv.rand)
	if !ok {
		c.addReplyNull()
		return
	}
	c.addReplyBulk(key)
}

func keysCommand(c *Client) {
	p := glob.Compile(c.args[1])
	mark, n := c.deferredLen(), 0
	c.db.Each(func(e keyspace.Entry) bool {
		if k := e.Key(); (p.All() || p.Match(k)) && !e.Expired() {
			c.addReplyBulk(k)
			n++
		}
		return true
	})
	c.setDeferredArrayLen(mark, n)
}

// parseCursor reads a SCAN cursor.
func (c *Client) parseCursor(arg []byte) (uint64, bool) {
	n, ok := numeric.ParseCursor(arg)
	if !ok {
		c.addReplyError("invalid cursor")
	}
	return n, ok
}

// scanOptions are the options that SCAN and its relatives share.
type scanOptions struct {
	count    int64
	pattern  *glob.Pattern
	typeName []byte
}

func (c *Client) parseScanOptions(first int, keys bool) (o scanOptions, ok bool) {
	o.count = 10
	for i := first; i < len(c.args); i += 2 {
		opt := c.args[i]
		left := len(c.args) - i
		switch {
		case equalFold(opt, "count") && left >= 2:
			if o.count, ok = c.longArg(i+1, ""); !ok {
				return o, false
			}
			if o.count < 1 {
				c.addReplyErrorSyntax()
				return o, false
			}
		case equalFold(opt, "match") && left >= 2:
			if p := glob.Compile(c.args[i+1]); !p.All() {
				o.pattern = &p
			} else {
				o.pattern = nil
			}
		case equalFold(opt, "type") && keys && left >= 2:
			o.typeName = c.args[i+1]
		default:
			c.addReplyErrorSyntax()
			return o, false
		}
	}
	return o, true
}

func scanCommand(c *Client) {
	cursor, ok := c.parseCursor(c.args[1])
	if !ok {
		return
	}
	o, ok := c.parseScanOptions(2, true)
	if !ok {
		return
	}
	// The keys are collected in place behind room for the two heads: the cursor
	// is known last.
	mark, n := c.deferredLen(), 0
	emit := func(e keyspace.Entry) {
		k := e.Key()
		if o.pattern != nil && !o.pattern.Match(k) {
			return
		}
		if o.typeName != nil && !equalFold(o.typeName, object.TypeName(e.Type())) {
			return
		}
		if e.Expired() {
			c.db.ExpireLater(e)
			return
		}
		c.addReplyBulk(k)
		n++
	}
	seen := int64(0)
	for tries := o.count * 10; ; tries-- {
		cursor = c.db.Scan(cursor, func(e keyspace.Entry) { seen++; emit(e) })
		if cursor == 0 || tries <= 0 || seen >= o.count {
			break
		}
	}
	c.setDeferredArrayLen(mark, n)
	c.insertScanHead(mark, cursor)
	c.db.ExpireNow()
}

// insertRaw puts bytes in front of what was written since mark.
func (c *Client) insertRaw(mark int, head []byte) {
	old := len(c.out)
	c.out = append(c.out, head...)
	copy(c.out[mark+len(head):], c.out[mark:old])
	copy(c.out[mark:], head)
}

func dbsizeCommand(c *Client) { c.addReplyLongLong(int64(c.db.Len())) }

func typeCommand(c *Client) {
	e, ok := c.lookupKeyReadNoTouchCounted(c.args[1])
	if !ok {
		c.addReplyStatus("none")
		return
	}
	c.addReplyStatus(object.TypeName(e.Type()))
}

// lookupKeyReadNoTouchCounted counts the hit but leaves the access clock.
func (c *Client) lookupKeyReadNoTouchCounted(key []byte) (keyspace.Entry, bool) {
	e, ok := c.db.Lookup(key)
	if ok {
		c.srv.Stats.KeyspaceHits++
	} else {
		c.srv.Stats.KeyspaceMisses++
	}
	return e, ok
}

func (c *Client) renameGeneric(nx bool) {
	from, to := c.args[1], c.args[2]
	if _, ok := c.lookupKeyReplace(from); !ok {
		c.addReplyError(errNoKey)
		return
	}
	if string(from) == string(to) {
		if nx {
			c.addReplyLongLong(0)
		} else {
			c.addReplyOK()
		}
		return
	}
	if _, exists := c.lookupKeyReplace(to); exists {
		if nx {
			c.addReplyLongLong(0)
			return
		}
		c.db.Delete(to)
	}
	e, _ := c.db.LookupRaw(from)
	c.db.MoveEntry(e, c.db, to)
	c.signalModified(from)
	c.signalModified(to)
	c.notify(notifyGeneric, "rename_from", from)
	c.notify(notifyGeneric, "rename_to", to)
	c.srv.dirty++
	if nx {
		c.addReplyLongLong(1)
	} else {
		c.addReplyOK()
	}
}

func renameCommand(c *Client)   { c.renameGeneric(false) }
func renamenxCommand(c *Client) { c.renameGeneric(true) }

func moveCommand(c *Client) {
	id, ok := c.intArg(2, "")
	if !ok {
		return
	}
	if id < 0 || int(id) >= c.srv.KS.Databases() {
		c.addReplyError(errDBOutOfRange)
		return
	}
	dst := c.srv.KS.DB(int(id))
	if dst == c.db {
		c.addReplyError(errSameObject)
		return
	}
	key := c.args[1]
	if _, ok = c.lookupKeyReplace(key); !ok {
		c.addReplyLongLong(0)
		return
	}
	if _, exists := dst.LookupReplace(key); exists {
		c.addReplyLongLong(0)
		return
	}
	e, _ := c.db.LookupRaw(key)
	c.db.MoveEntry(e, dst, key)
	c.srv.signalModifiedKey(c.db, key)
	c.srv.signalModifiedKey(dst, key)
	c.notify(notifyGeneric, "move_from", key)
	if c.srv.notifyFlags&notifyGeneric != 0 {
		c.srv.notifyEvent(notifyGeneric, "move_to", key, dst.ID)
	}
	c.srv.dirty++
	c.addReplyLongLong(1)
}

func copyCommand(c *Client) {
	dst, replace := c.db, false
	for j := 3; j < len(c.args); j++ {
		switch {
		case equalFold(c.args[j], "replace"):
			replace = true
		case equalFold(c.args[j], "db") && j+1 < len(c.args):
			id, ok := c.intArg(j+1, "")
			if !ok {
				return
			}
			if id < 0 || int(id) >= c.srv.KS.Databases() {
				c.addReplyError(errDBOutOfRange)
				return
			}
			dst = c.srv.KS.DB(int(id))
			j++
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	from, to := c.args[1], c.args[2]
	if dst == c.db && string(from) == string(to) {
		c.addReplyError(errSameObject)
		return
	}
	if _, ok := c.lookupKeyRead(from); !ok {
		c.addReplyLongLong(0)
		return
	}
	if _, exists := dst.LookupReplace(to); exists {
		if !replace {
			c.addReplyLongLong(0)
			return
		}
		dst.Delete(to)
	}
	e, _ := c.db.LookupRaw(from)
	c.db.CopyEntry(e, dst, to)
	c.srv.signalModifiedKey(dst, to)
	if c.srv.notifyFlags&notifyGeneric != 0 {
		c.srv.notifyEvent(notifyGeneric, "copy_to", to, dst.ID)
	}
	c.srv.dirty++
	c.addReplyLongLong(1)
}

func swapdbCommand(c *Client) {
	a, ok := c.intArg(1, "invalid first DB index")
	if !ok {
		return
	}
	b, ok := c.intArg(2, "invalid second DB index")
	if !ok {
		return
	}
	n := int64(c.srv.KS.Databases())
	if a < 0 || b < 0 || a >= n || b >= n {
		c.addReplyError(errDBOutOfRange)
		return
	}
	if a != b {
		c.srv.touchWatchedDBs(int(a), int(b))
		c.srv.KS.Swap(int(a), int(b))
		c.srv.databasesReady(int(a), int(b))
		c.srv.wholeChanged(int(a), "swapdb")
		c.srv.wholeChanged(int(b), "swapdb")
	}
	c.srv.dirty++
	c.addReplyOK()
}

// flushOptions checks the arguments of FLUSHDB and FLUSHALL. The memory is
// always released in slices, so ASYNC and SYNC differ in name only.
func (c *Client) flushOptions() bool {
	if len(c.args) > 2 || (len(c.args) == 2 && !equalFold(c.args[1], "sync") && !equalFold(c.args[1], "async")) {
		c.addReplyErrorSyntax()
		return false
	}
	return true
}

func flushdbCommand(c *Client) {
	if !c.flushOptions() {
		return
	}
	c.srv.touchWatchedDB(c.db.ID)
	c.srv.trackFlush()
	c.srv.dirty += int64(c.srv.KS.FlushDB(c.db))
	c.srv.dirty++
	c.srv.databasesReady(c.db.ID, c.db.ID)
	c.srv.wholeChanged(c.db.ID, "flushdb")
	c.addReplyOK()
}

func flushallCommand(c *Client) {
	if !c.flushOptions() {
		return
	}
	c.srv.touchAllWatched()
	c.srv.trackFlush()
	c.srv.abortSaving(errFlushed) // it would bring the data back
	c.srv.dirty += int64(c.srv.KS.FlushAll())
	c.srv.flushedAll()
	c.srv.dirty++
	c.srv.databasesReady(-1, -1)
	c.srv.wholeChanged(-1, "flushdb")
	c.addReplyOK()
}

// expireGeneric sets args[1]'s expiry to base + args[2] units.
func (c *Client) expireGeneric(base int64, seconds bool) {
	const (
		nx = 1 << iota
		xx
		gt
		lt
	)
	opts := 0
	for j := 3; j < len(c.args); j++ {
		switch o := c.args[j]; {
		case equalFold(o, "nx"):
			opts |= nx
		case equalFold(o, "xx"):
			opts |= xx
		case equalFold(o, "gt"):
			opts |= gt
		case equalFold(o, "lt"):
			opts |= lt
		default:
			c.addReplyError("Unsupported option " + cText(o))
			return
		}
	}
	if opts&nx != 0 && opts&(xx|gt|lt) != 0 {
		c.addReplyError("NX and XX, GT or LT options at the same time are not compatible")
		return
	}
	if opts&gt != 0 && opts&lt != 0 {
		c.addReplyError("GT and LT options at the same time are not compatible")
		return
	}
	when, ok := c.longArg(2, "")
	if !ok {
		return
	}
	if seconds {
		if when > math.MaxInt64/1000 || when < math.MinInt64/1000 {
			c.addReplyErrorExpireTime()
			return
		}
		when *= 1000
	}
	if when > math.MaxInt64-base {
		c.addReplyErrorExpireTime()
		return
	}
	when += base
	key := c.args[1]
	e, found := c.lookupKeyReplace(key)
	if !found {
		c.addReplyLongLong(0)
		return
	}
	if opts != 0 {
		cur := e.ExpireAt()
		if (opts&nx != 0 && cur != keyspace.NoExpire) ||
			(opts&xx != 0 && cur == keyspace.NoExpire) ||
			(opts&gt != 0 && (cur == keyspace.NoExpire || when <= cur)) ||
			(opts&lt != 0 && cur != keyspace.NoExpire && when >= cur) {
			c.addReplyLongLong(0)
			return
		}
	}
	if c.alreadyExpired(when) {
		c.db.Delete(key)
		c.srv.dirty++
		c.signalModified(key)
		c.notify(notifyGeneric, "del", key)
		c.addReplyLongLong(1)
		c.rewrite(delWord(c.srv.V.LazyfreeLazyExpire), key)
		return
	}
	c.db.SetExpire(e, when)
	if (base != 0 || seconds) && c.propagating() {
		c.rewriteArgs(3, wordPexpireat, key, c.srv.propNumber(when))
	}
	c.addReplyLongLong(1)
	c.signalModified(key)
	c.notify(notifyGeneric, "expire", key)
	c.srv.dirty++
}

func expireCommand(c *Client)    { c.expireGeneric(c.now(), true) }
func pexpireCommand(c *Client)   { c.expireGeneric(c.now(), false) }
func expireatCommand(c *Client)  { c.expireGeneric(0, true) }
func pexpireatCommand(c *Client) { c.expireGeneric(0, false) }

func (c *Client) ttlGeneric(ms, abs bool) {
	e, ok := c.lookupKeyReadNoTouchCounted(c.args[1])
	if !ok {
		c.addReplyLongLong(-2)
		return
	}
	t := e.ExpireAt()
	if t == keyspace.NoExpire {
		c.addReplyLongLong(-1)
		return
	}
	if !abs {
		t = max(t-c.now(), 0)
	}
	if !ms {
		t = (t + 500) / 1000
	}
	c.addReplyLongLong(t)
}

func ttlCommand(c *Client)         { c.ttlGeneric(false, false) }
func pttlCommand(c *Client)        { c.ttlGeneric(true, false) }
func expiretimeCommand(c *Client)  { c.ttlGeneric(false, true) }
func pexpiretimeCommand(c *Client) { c.ttlGeneric(true, true) }

func persistCommand(c *Client) {
	key := c.args[1]
	e, ok := c.lookupKeyReplace(key)
	if !ok || !c.db.Persist(e) {
		c.addReplyLongLong(0)
		return
	}
	c.signalModified(key)
	c.notify(notifyGeneric, "persist", key)
	c.addReplyLongLong(1)
	c.srv.dirty++
}
