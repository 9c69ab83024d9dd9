package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Hash commands. Those about the expiry of fields are in t_hash_expire.go.
//
// A field whose time has come is absent for every command of a client. On a
// master the command that met one deletes what has expired of that hash when it
// is done (c.expireFields); on a replica it stays until the master's HDEL comes.

// lazyFields is how many expired fields of a hash a command that met one deletes.
const lazyFields = 128

// expireFields deletes expired fields of the hash under key, if the role of the
// server lets it.
func (c *Client) expireFields(key []byte) {
	if e, ok := c.db.LookupRaw(key); ok {
		c.db.ExpireFields(e, lazyFields)
	}
}

// fieldTime is the time that expiries of fields are compared with.
func (c *Client) fieldTime() int64 { return c.srv.KS.FieldTime() }

// lookupHashRead finds the hash under a key for a read. Without one, or for
// another type, it returns false; in the latter case it has answered, and
// answered is true.
func (c *Client) lookupHashRead(key []byte) (v object.Value, ok, answered bool) {
	e, found := c.lookupKeyRead(key)
	if !found {
		return v, false, false
	}
	if e.Type() != object.TypeHash {
		c.addReplyErrorWrongType()
		return v, false, true
	}
	return e.Value(), true, false
}

// lookupHashWrite is lookupHashRead for a command that is about to change the
// hash.
func (c *Client) lookupHashWrite(key []byte) (e keyspace.Entry, ok, answered bool) {
	e, found := c.lookupKeyWrite(key)
	if !found {
		return e, false, false
	}
	if e.Type() != object.TypeHash {
		c.addReplyErrorWrongType()
		return e, false, true
	}
	return e, true, false
}

// createHash makes an empty hash, which may hold the strings as fields and
// values.
func (c *Client) createHash(key []byte, strs [][]byte) keyspace.Entry {
	if !object.HashFitsSmall(strs, &c.srv.lim) {
		e := c.db.Create(key, object.TypeHash, object.EncHashtable, nil, object.HashHeadSize)
		e.Value().InitHash()
		return e
	}
	var empty [listpack.EmptySize]byte
	return c.db.Create(key, object.TypeHash, object.EncListpack, listpack.AppendEmpty(empty[:0]), 0)
}

// directPairs is the number of fields up to which a new hash is put together
// before it is stored.
const directPairs = 32

// setPairs sets fields and values under a key and returns how many fields are
// new. e and found are what looking for the hash gave.
func (c *Client) setPairs(key []byte, e keyspace.Entry, found bool, pairs [][]byte, keepTTL bool) (created int) {
	lim := &c.srv.lim
	if !found && len(pairs) <= 2*directPairs && object.HashFitsSmall(pairs, lim) {
		var lp []byte
		lp, created = object.AppendHashPairs(c.srv.scratch[:0], pairs)
		c.srv.scratch = lp[:0]
		e = c.db.Create(key, object.TypeHash, object.EncListpack, lp, 0)
		if created > lim.HashMaxListpackEntries {
			v := e.Value()
			v.HashToTable()
			c.db.Update(e, v, false)
		}
		return created
	}
	if !found {
		e = c.createHash(key, pairs)
	}
	v, now := e.Value(), c.fieldTime()
	v.HashTryConversion(pairs, lim)
	for i := 0; i < len(pairs); i += 2 {
		if v.HashSet(pairs[i], pairs[i+1], keepTTL, now, lim) {
			created++
		}
	}
	c.db.Update(e, v, false)
	return created
}

// hsetGeneric sets the pairs in args[2:].
func (c *Client) hsetGeneric() (created int, ok bool) {
	if len(c.args)%2 == 1 {
		c.addReplyErrorArity()
		return 0, false
	}
	key := c.args[1]
	e, found, answered := c.lookupHashWrite(key)
	if answered {
		return 0, false
	}
	created = c.setPairs(key, e, found, c.args[2:], false)
	c.signalModified(key)
	c.notify(notifyHash, "hset", key)
	c.srv.dirty += int64(len(c.args)-2) / 2
	return created, true
}

func hsetCommand(c *Client) {
	if n, ok := c.hsetGeneric(); ok {
		c.addReplyLongLong(int64(n))
	}
}

func hmsetCommand(c *Client) {
	if _, ok := c.hsetGeneric(); ok {
		c.addReplyOK()
	}
}

func hsetnxCommand(c *Client) {
	key := c.args[1]
	e, found, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	if found {
		if _, st := e.Value().HashGet(c.args[2], c.fieldTime(), &c.srv.hashBuf[0]); st == object.FieldFound {
			c.addReplyLongLong(0)
			return
		}
	}
	c.setPairs(key, e, found, c.args[2:4], false)
	c.addReplyLongLong(1)
	c.signalModified(key)
	c.notify(notifyHash, "hset", key)
	c.srv.dirty++
}

// hashNumber finds the present value of a field for HINCRBY and HINCRBYFLOAT:
// nil when there is none.
func (c *Client) hashNumber() (e keyspace.Entry, found bool, val []byte, ok bool) {
	e, found, answered := c.lookupHashWrite(c.args[1])
	if answered {
		return e, found, nil, false
	}
	if found {
		val, _ = e.Value().HashGet(c.args[2], c.fieldTime(), &c.srv.hashBuf[0])
	}
	return e, found, val, true
}

// storeNumber stores the result of HINCRBY or HINCRBYFLOAT.
func (c *Client) storeNumber(e keyspace.Entry, found bool, text []byte, event string) {
	key := c.args[1]
	lim := &c.srv.lim
	if !found {
		// Only what is too long for it makes a new hash large.
		e = c.createHash(key, [][]byte{c.args[2], text})
	}
	v := e.Value()
	v.HashSet(c.args[2], text, true, c.fieldTime(), lim)
	c.db.Update(e, v, false)
	c.signalModified(key)
	c.notify(notifyHash, event, key)
	c.srv.dirty++
}

func hincrbyCommand(c *Client) {
	incr, ok := c.longArg(3, "")
	if !ok {
		return
	}
	e, found, val, ok := c.hashNumber()
	if !ok {
		return
	}
	var n int64
	if val != nil {
		if n, ok = numeric.ParseInt(val); !ok {
			c.addReplyError("hash value is not an integer")
			return
		}
	}
	if (incr < 0 && n < 0 && incr < math.MinInt64-n) || (incr > 0 && n > 0 && incr > math.MaxInt64-n) {
		c.addReplyError(errIncrOverflow)
		return
	}
	n += incr
	c.srv.scratch = numeric.AppendInt(c.srv.scratch[:0], n)
	c.storeNumber(e, found, c.srv.scratch, "hincrby")
	c.addReplyLongLong(n)
}

func hincrbyfloatCommand(c *Client) {
	incr, ok := numeric.ParseLongDouble(c.args[3])
	if !ok {
		c.addReplyError(errNotFloat)
		return
	}
	if !incr.IsFinite() {
		c.addReplyError("value is NaN or Infinity")
		return
	}
	e, found, val, ok := c.hashNumber()
	if !ok {
		return
	}
	var old numeric.LongDouble
	if val != nil {
		if old, ok = numeric.ParseLongDouble(val); !ok {
			c.addReplyError("hash value is not a float")
			return
		}
	}
	text, err := numeric.AppendIncr(c.srv.scratch[:0], old, incr)
	if err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.srv.scratch = text
	c.storeNumber(e, found, text, "hincrbyfloat")
	c.rewrite(wordHset, c.args[1], c.args[2], text)
	c.addReplyBulk(text)
}

func hgetCommand(c *Client) {
	v, ok, answered := c.lookupHashRead(c.args[1])
	if !ok {
		if !answered {
			c.addReplyNull()
		}
		return
	}
	val, st := v.HashGet(c.args[2], c.fieldTime(), &c.srv.hashBuf[0])
	if st == object.FieldFound {
		c.addReplyBulk(val)
		return
	}
	c.addReplyNull()
	if st == object.FieldExpired {
		c.expireFields(c.args[1])
	}
}

// hmgetGeneric answers the values of fields, null for each that is absent, and
// tells whether one of them had expired.
func (c *Client) hmgetGeneric(v object.Value, ok bool, fields [][]byte) (expired bool) {
	c.addReplyArrayLen(len(fields))
	now := c.fieldTime()
	for _, f := range fields {
		if ok {
			val, st := v.HashGet(f, now, &c.srv.hashBuf[0])
			if st == object.FieldFound {
				c.addReplyBulk(val)
				continue
			}
			expired = expired || st == object.FieldExpired
		}
		c.addReplyNull()
	}
	return expired
}

func hmgetCommand(c *Client) {
	v, ok, answered := c.lookupHashRead(c.args[1])
	if answered {
		return
	}
	if c.hmgetGeneric(v, ok, c.args[2:]) {
		c.expireFields(c.args[1])
	}
}

func hdelCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupHashWrite(key)
	if !ok {
		if !answered {
			c.addReplyLongLong(0)
		}
		return
	}
	n := c.deleteFields(key, e, c.args[2:])
	c.addReplyLongLong(n)
}

// deleteFields removes fields of a hash, and the key with the last, and reports
// it.
func (c *Client) deleteFields(key []byte, e keyspace.Entry, fields [][]byte) (n int64) {
	v := e.Value()
	empty := false
	for _, f := range fields {
		if v.HashDelete(f) {
			n++
			if empty = v.HashLen() == 0; empty {
				break
			}
		}
	}
	if n == 0 {
		return 0
	}
	c.db.Update(e, v, empty)
	c.signalModified(key)
	c.notify(notifyHash, "hdel", key)
	if empty {
		c.notify(notifyGeneric, "del", key)
	}
	c.srv.dirty += n
	return n
}

func hlenCommand(c *Client) {
	v, ok, answered := c.lookupHashRead(c.args[1])
	if answered {
		return
	}
	n := 0
	if ok {
		n = v.HashLen()
	}
	c.addReplyLongLong(int64(n))
}

// hashField finds the field args[2] of the hash under args[1] for HSTRLEN and
// HEXISTS; ok is false after an error reply.
func (c *Client) hashField() (val []byte, found, ok bool) {
	v, there, answered := c.lookupHashRead(c.args[1])
	if !there {
		return nil, false, !answered
	}
	val, st := v.HashGet(c.args[2], c.fieldTime(), &c.srv.hashBuf[0])
	if st == object.FieldExpired {
		c.expireFields(c.args[1])
	}
	return val, st == object.FieldFound, true
}

func hstrlenCommand(c *Client) {
	if val, _, ok := c.hashField(); ok {
		c.addReplyLongLong(int64(len(val)))
	}
}

func hexistsCommand(c *Client) {
	_, found, ok := c.hashField()
	switch {
	case !ok:
	case found:
		c.addReplyLongLong(1)
	default:
		c.addReplyLongLong(0)
	}
}

// Parts of a field that are asked for.
const (
	hashFields = 1 << iota
	hashValues
)

func (c *Client) hgetallGeneric(what int) {
	v, ok, answered := c.lookupHashRead(c.args[1])
	if answered {
		return
	}
	n, now := 0, c.fieldTime()
	if ok {
		n = v.HashAlive(now)
	}
	if what == hashFields|hashValues {
		c.addReplyMapLen(n)
	} else {
		c.addReplyArrayLen(n)
	}
	if n == 0 {
		return
	}
	if lp, stride := v.HashPacked(); stride == 2 {
		c.replyPairs(lp, what)
		return
	}
	v.HashEach(&c.srv.hashBuf, func(field, val []byte, expiry int64) bool {
		if now > expiry {
			return true
		}
		if what&hashFields != 0 {
			c.addReplyBulk(field)
		}
		if what&hashValues != 0 {
			c.addReplyBulk(val)
		}
		return true
	})
}

// replyPairs answers the entries of a small hash in the order in which they
// stand.
func (c *Client) replyPairs(lp []byte, what int) {
	buf := &c.srv.hashBuf[0]
	for p := listpack.First(lp); p >= 0; {
		q := listpack.Next(lp, p)
		if what&hashFields != 0 {
			c.addReplyBulk(listpack.Get(lp, p, buf))
		}
		if what&hashValues != 0 {
			c.addReplyBulk(listpack.Get(lp, q, buf))
		}
		p = listpack.Next(lp, q)
	}
}

func hkeysCommand(c *Client)   { c.hgetallGeneric(hashFields) }
func hvalsCommand(c *Client)   { c.hgetallGeneric(hashValues) }
func hgetallCommand(c *Client) { c.hgetallGeneric(hashFields | hashValues) }

func hscanCommand(c *Client) {
	s, ok := c.beginScan(object.TypeHash)
	if !ok {
		return
	}
	now := c.fieldTime()
	s.cursor = s.v.HashScan(&c.srv.hashBuf, s.cursor, s.count, func(field, val []byte, expiry int64) {
		if now <= expiry && s.match(field) {
			s.emit(field)
			s.emit(val)
		}
	})
	c.endScan(&s)
}

// hrandfieldCommand answers HRANDFIELD. On a master what has expired goes first,
// as in Redis; on a replica it is passed over.
func hrandfieldCommand(c *Client) {
	if len(c.args) == 2 {
		c.hrandfieldOne()
		return
	}
	count, ok := c.rangeArg(2, -math.MaxInt64, math.MaxInt64, "")
	if !ok {
		return
	}
	values := len(c.args) == 4 && equalFold(c.args[3], "withvalues")
	if len(c.args) > 4 || (len(c.args) == 4 && !values) {
		c.addReplyErrorSyntax()
		return
	}
	if values && (count < -math.MaxInt64/2 || count > math.MaxInt64/2) {
		c.addReplyError("value is out of range")
		return
	}
	v, alive, ok := c.hrandfieldHash()
	if !ok {
		return
	}
	if alive == 0 || count == 0 {
		c.addReplyArrayLen(0)
		return
	}
	flat := 1
	if values && c.proto == 2 {
		flat = 2
	}
	emit := func(field, val []byte) {
		if values && c.proto > 2 {
			c.addReplyArrayLen(2)
		}
		c.addReplyBulk(field)
		if values {
			c.addReplyBulk(val)
		}
	}
	now := c.fieldTime()
	if count > 0 {
		n := int(min(count, int64(alive)))
		c.addReplyArrayLen(n * flat)
		c.srv.refs = v.HashSample(c.srv.rand, n, alive, now, &c.srv.hashBuf, c.srv.refs, emit)
		return
	}
	c.addReplyArrayLen(int(-count) * flat)
	for ; count < 0 && c.flags&flagCloseAfter == 0; count++ {
		c.randomField(v, alive, now, emit)
	}
}

// randomField draws one field that has not expired.
func (c *Client) randomField(v object.Value, alive int, now int64, emit func(field, val []byte)) {
	if alive == v.HashLen() {
		emit(v.HashRandom(c.srv.rand, &c.srv.hashBuf))
		return
	}
	c.srv.refs = v.HashSample(c.srv.rand, 1, alive, now, &c.srv.hashBuf, c.srv.refs, emit)
}

// hrandfieldHash finds the hash and the number of its fields that have not
// expired; ok is false after an error reply.
func (c *Client) hrandfieldHash() (v object.Value, alive int, ok bool) {
	key := c.args[1]
	e, found := c.lookupKeyRead(key)
	if !found {
		return v, 0, true
	}
	if e.Type() != object.TypeHash {
		c.addReplyErrorWrongType()
		return v, 0, false
	}
	if c.db.ExpireFields(e, math.MaxInt) > 0 {
		if e, found = c.db.LookupRaw(key); !found {
			return v, 0, true
		}
	}
	v = e.Value()
	return v, v.HashAlive(c.fieldTime()), true
}

func (c *Client) hrandfieldOne() {
	v, alive, ok := c.hrandfieldHash()
	if !ok {
		return
	}
	if alive == 0 {
		c.addReplyNull()
		return
	}
	c.randomField(v, alive, c.fieldTime(), func(field, _ []byte) { c.addReplyBulk(field) })
}
