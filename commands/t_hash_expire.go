package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Commands about the expiry of single fields: those of Redis 7.4 (HEXPIRE and
// its relatives) and of 8.0 (HGETDEL, HGETEX, HSETEX).

// Answers about one field.
const (
	fieldAbsent       = -2
	fieldNoTTL        = -1
	fieldConditionNot = 0
	fieldDone         = 1
	fieldDeleted      = 2
)

// Texts of their errors.
const (
	errFieldsMissing  = "Mandatory argument FIELDS is missing or not at the right position"
	errFieldsPositive = "Number of fields must be a positive integer"
	errFieldsZero     = "Parameter `numFields` should be greater than 0"
	errFieldsCount    = "The `numfields` parameter must match the number of arguments"
	errExpireNegative = "invalid expire time, must be >= 0"
)

// fieldsArg reads "FIELDS n field …" from argument i to the end.
func (c *Client) fieldsArg(i int, countText string) ([][]byte, bool) {
	if i+1 >= len(c.args) || !equalFold(c.args[i], "fields") {
		c.addReplyError(errFieldsMissing)
		return nil, false
	}
	n, ok := c.rangeArg(i+1, 1, math.MaxInt64, countText)
	if !ok {
		return nil, false
	}
	fields := c.args[i+2:]
	if n != int64(len(fields)) {
		c.addReplyError(errFieldsCount)
		return nil, false
	}
	return fields, true
}

// fieldExpireArg reads an expiry in argument i, in seconds or milliseconds from
// base (unix ms), and returns it in unix ms.
func (c *Client) fieldExpireArg(i int, seconds bool, base int64) (int64, bool) {
	when, ok := c.longArg(i, "")
	if !ok {
		return 0, false
	}
	if when < 0 {
		c.addReplyError(errExpireNegative)
		return 0, false
	}
	if seconds {
		if when > object.MaxFieldExpiry/1000 {
			c.addReplyErrorExpireTime()
			return 0, false
		}
		when *= 1000
	}
	if when > object.MaxFieldExpiry-base {
		c.addReplyErrorExpireTime()
		return 0, false
	}
	return when + base, true
}

// fieldUpdate is a change of the expiries of some fields of one hash.
type fieldUpdate struct {
	c       *Client
	key     []byte
	e       keyspace.Entry
	v       object.Value
	now     int64 // with which expiries are compared
	updated int64
	deleted int64
	lazy    bool // an expired field was met
	// touched are the fields that were updated, for the stream of replicas: those
	// have got the expiry when, or lost theirs (object.NoFieldExpiry).
	touched [][]byte
	when    int64
}

func (c *Client) beginFieldUpdate(key []byte, e keyspace.Entry) fieldUpdate {
	return fieldUpdate{c: c, key: key, e: e, v: e.Value(), now: c.fieldTime()}
}

// Conditions of HEXPIRE.
const (
	expireNX = 1 << iota
	expireXX
	expireGT
	expireLT
)

// set gives a field an expiry, under a condition, and returns the answer. A time
// in the past deletes the field, unless this is a replica, which stores it.
func (u *fieldUpdate) set(field []byte, when int64, cond int) int64 {
	_, old, ok := u.v.HashLookup(field, &u.c.srv.hashBuf[0])
	switch {
	case !ok:
		return fieldAbsent
	case u.now > old:
		u.lazy = true
		return fieldAbsent
	}
	has := old != object.NoFieldExpiry
	if (cond == expireNX && has) || (cond == expireXX && !has) ||
		(cond == expireGT && (!has || old >= when)) || (cond == expireLT && has && old <= when) {
		return fieldConditionNot
	}
	if u.c.alreadyExpired(when) {
		u.delete(field)
		u.c.srv.Stats.ExpiredFields++
		return fieldDeleted
	}
	u.v.HashSetExpiry(field, when)
	u.updated++
	u.touch(field, when)
	return fieldDone
}

// persist takes a field's expiry away.
func (u *fieldUpdate) persist(field []byte) int64 {
	_, old, ok := u.v.HashLookup(field, &u.c.srv.hashBuf[0])
	switch {
	case !ok:
		return fieldAbsent
	case old == object.NoFieldExpiry:
		return fieldNoTTL
	case u.now > old:
		u.lazy = true
		return fieldAbsent
	}
	u.v.HashSetExpiry(field, object.NoFieldExpiry)
	u.updated++
	u.touch(field, object.NoFieldExpiry)
	return fieldDone
}

// delete removes a field.
func (u *fieldUpdate) delete(field []byte) {
	u.c.srv.alsoPropagate(u.c.db.ID, wordHdel, u.key, field)
	u.v.HashDelete(field)
	u.deleted++
}

func (u *fieldUpdate) touch(field []byte, when int64) {
	if u.c.propagating() {
		u.touched, u.when = append(u.touched, field), when
	}
}

// propagate writes what became of the fields in place of the command; deletions
// are in the stream already.
func (u *fieldUpdate) propagate() {
	c := u.c
	if !c.propagating() {
		return
	}
	if len(u.touched) > 0 {
		var num [20]byte
		args := [][]byte{wordHpersist, u.key}
		if u.when != object.NoFieldExpiry {
			args = [][]byte{wordHpexpireat, u.key, c.srv.propNumber(u.when)}
		}
		args = append(args, wordFields, appendUint(num[:0], uint64(len(u.touched))))
		c.srv.alsoPropagate(c.db.ID, append(args, u.touched...)...)
	}
	c.preventPropagation()
}

// end stores what became of the hash and reports it; event is the one for
// updated fields.
func (u *fieldUpdate) end(event string) {
	c := u.c
	empty := u.v.HashLen() == 0
	c.db.Update(u.e, u.v, empty)
	if u.deleted+u.updated > 0 {
		c.signalModified(u.key)
		if u.deleted > 0 {
			event = "hdel"
		}
		c.notify(notifyHash, event, u.key)
		if empty {
			c.notify(notifyGeneric, "del", u.key)
		}
		c.srv.dirty += u.deleted + u.updated
		u.propagate()
	}
	if u.lazy {
		c.expireFields(u.key)
	}
}

// addReplyIntegers answers an array of n times the same number.
func (c *Client) addReplyIntegers(n int, value int64) {
	c.addReplyArrayLen(n)
	for range n {
		c.addReplyLongLong(value)
	}
}

// hexpireGeneric serves HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT.
func (c *Client) hexpireGeneric(seconds bool, base int64) {
	key := c.args[1]
	e, ok, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	when, valid := c.fieldExpireArg(2, seconds, base)
	if !valid {
		return
	}
	cond, at := 0, 4
	switch opt := c.args[3]; {
	case equalFold(opt, "nx"):
		cond = expireNX
	case equalFold(opt, "xx"):
		cond = expireXX
	case equalFold(opt, "gt"):
		cond = expireGT
	case equalFold(opt, "lt"):
		cond = expireLT
	default:
		at = 3
	}
	fields, valid := c.fieldsArg(at, errFieldsZero)
	if !valid {
		return
	}
	if !ok {
		c.addReplyIntegers(len(fields), fieldAbsent)
		return
	}
	u := c.beginFieldUpdate(key, e)
	c.addReplyArrayLen(len(fields))
	for _, f := range fields {
		c.addReplyLongLong(u.set(f, when, cond))
	}
	u.end("hexpire")
}

func hexpireCommand(c *Client)    { c.hexpireGeneric(true, c.now()) }
func hpexpireCommand(c *Client)   { c.hexpireGeneric(false, c.now()) }
func hexpireatCommand(c *Client)  { c.hexpireGeneric(true, 0) }
func hpexpireatCommand(c *Client) { c.hexpireGeneric(false, 0) }

// httlGeneric serves HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME.
func (c *Client) httlGeneric(seconds bool, base int64) {
	key := c.args[1]
	v, ok, answered := c.lookupHashRead(key)
	if answered {
		return
	}
	fields, valid := c.fieldsArg(2, errFieldsPositive)
	if !valid {
		return
	}
	now := c.fieldTime()
	c.addReplyArrayLen(len(fields))
	for _, f := range fields {
		expiry, found := int64(0), false
		if ok {
			_, expiry, found = v.HashLookup(f, &c.srv.hashBuf[0])
		}
		switch {
		case !found || now > expiry:
			c.addReplyLongLong(fieldAbsent)
		case expiry == object.NoFieldExpiry:
			c.addReplyLongLong(fieldNoTTL)
		case seconds:
			c.addReplyLongLong((expiry + 999 - base) / 1000)
		default:
			c.addReplyLongLong(expiry - base)
		}
	}
}

func httlCommand(c *Client)         { c.httlGeneric(true, c.now()) }
func hpttlCommand(c *Client)        { c.httlGeneric(false, c.now()) }
func hexpiretimeCommand(c *Client)  { c.httlGeneric(true, 0) }
func hpexpiretimeCommand(c *Client) { c.httlGeneric(false, 0) }

func hpersistCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	fields, valid := c.fieldsArg(2, errFieldsPositive)
	if !valid {
		return
	}
	if !ok {
		c.addReplyIntegers(len(fields), fieldAbsent)
		return
	}
	u := c.beginFieldUpdate(key, e)
	c.addReplyArrayLen(len(fields))
	for _, f := range fields {
		c.addReplyLongLong(u.persist(f))
	}
	// One change, however many fields: so Redis counts it.
	u.updated = min(u.updated, 1)
	u.end("hpersist")
}

func hgetdelCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	fields, valid := c.fieldsArg(2, errFieldsPositive)
	if !valid {
		return
	}
	u := fieldUpdate{}
	if ok {
		u = c.beginFieldUpdate(key, e)
	}
	c.addReplyArrayLen(len(fields))
	for _, f := range fields {
		if !ok || !c.replyField(&u, f) {
			if !ok {
				c.addReplyNull()
			}
			continue
		}
		u.delete(f)
	}
	if ok {
		u.end("hdel")
	}
}

// replyField answers the value of a field, or null, and tells which.
func (c *Client) replyField(u *fieldUpdate, field []byte) bool {
	val, st := u.v.HashGet(field, u.now, &c.srv.hashBuf[0])
	if st != object.FieldFound {
		u.lazy = u.lazy || st == object.FieldExpired
		c.addReplyNull()
		return false
	}
	c.addReplyBulk(val)
	return true
}

func hgetexCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	var when int64
	valid, at, change, persist := true, 4, true, false
	switch opt := c.args[2]; {
	case equalFold(opt, "ex"):
		when, valid = c.fieldExpireArg(3, true, c.now())
	case equalFold(opt, "px"):
		when, valid = c.fieldExpireArg(3, false, c.now())
	case equalFold(opt, "exat"):
		when, valid = c.fieldExpireArg(3, true, 0)
	case equalFold(opt, "pxat"):
		when, valid = c.fieldExpireArg(3, false, 0)
	case equalFold(opt, "persist"):
		persist, at = true, 3
	default:
		change, at = false, 2
	}
	if !valid {
		return
	}
	fields, valid := c.fieldsArg(at, errFieldsPositive)
	if !valid {
		return
	}
	c.addReplyArrayLen(len(fields))
	if !ok {
		for range fields {
			c.addReplyNull()
		}
		return
	}
	u := c.beginFieldUpdate(key, e)
	event := "hexpire"
	for _, f := range fields {
		switch {
		case !c.replyField(&u, f) || !change:
		case persist:
			u.persist(f)
			event = "hpersist"
		default:
			u.set(f, when, 0)
		}
	}
	u.end(event)
}

// hsetexOptions are the arguments of HSETEX before its fields.
type hsetexOptions struct {
	fnx, fxx, keepTTL, expires bool
	when                       int64
	pairs                      [][]byte
}

func (c *Client) parseHsetex() (o hsetexOptions, ok bool) {
	for i := 2; i < len(c.args); i++ {
		opt := c.args[i]
		seconds, relative := false, false
		switch {
		case equalFold(opt, "fields"):
			return o, c.hsetexPairs(i, &o)
		case equalFold(opt, "fnx"), equalFold(opt, "fxx"):
			if o.fnx || o.fxx {
				c.addReplyError("Only one of FXX or FNX arguments can be specified")
				return o, false
			}
			o.fnx = equalFold(opt, "fnx")
			o.fxx = !o.fnx
			continue
		case equalFold(opt, "ex"):
			seconds, relative = true, true
		case equalFold(opt, "px"):
			relative = true
		case equalFold(opt, "exat"):
			seconds = true
		case equalFold(opt, "pxat"), equalFold(opt, "keepttl"):
		default:
			c.addReplyError("unknown argument: " + cText(opt))
			return o, false
		}
		if o.expires || o.keepTTL {
			c.addReplyError("Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
			return o, false
		}
		if equalFold(opt, "keepttl") {
			o.keepTTL = true
			continue
		}
		if i++; i >= len(c.args) {
			c.addReplyError("missing expire time")
			return o, false
		}
		base := int64(0)
		if relative {
			base = c.now()
		}
		if o.when, ok = c.fieldExpireArg(i, seconds, base); !ok {
			return o, false
		}
		o.expires = true
	}
	c.addReplyError(errFieldsMissing)
	return o, false
}

// hsetexPairs reads "FIELDS n field value …" from argument i to the end.
func (c *Client) hsetexPairs(i int, o *hsetexOptions) bool {
	if i >= len(c.args)-3 {
		c.addReplyErrorArity()
		return false
	}
	n, ok := c.rangeArg(i+1, 1, math.MaxInt32, "invalid number of fields")
	if !ok {
		return false
	}
	o.pairs = c.args[i+2:]
	if len(o.pairs)%2 != 0 || n != int64(len(o.pairs)/2) {
		c.addReplyErrorArity()
		return false
	}
	return true
}

// hsetexAllowed checks FNX and FXX: none, or all, of the fields are there.
func (c *Client) hsetexAllowed(v object.Value, found bool, o *hsetexOptions) (allowed, lazy bool) {
	if !found {
		return !o.fxx, false
	}
	var buf listpack.IntBuf
	now := c.fieldTime()
	for i := 0; i < len(o.pairs) && (o.fnx || o.fxx); i += 2 {
		_, st := v.HashGet(o.pairs[i], now, &buf)
		lazy = lazy || st == object.FieldExpired
		if (st == object.FieldFound) != o.fxx {
			return false, lazy
		}
	}
	return true, lazy
}

func hsetexCommand(c *Client) {
	o, ok := c.parseHsetex()
	if !ok {
		return
	}
	key := c.args[1]
	e, found, answered := c.lookupHashWrite(key)
	if answered {
		return
	}
	var v object.Value
	if found {
		v = e.Value()
	}
	allowed, lazy := c.hsetexAllowed(v, found, &o)
	if !allowed {
		c.addReplyLongLong(0)
		if lazy {
			c.expireFields(key)
		}
		return
	}
	c.setPairs(key, e, found, o.pairs, o.keepTTL || o.expires)
	c.signalModified(key)
	c.notify(notifyHash, "hset", key)
	c.srv.dirty += int64(len(o.pairs) / 2)
	if o.expires {
		c.rewrite(append([][]byte{wordHset, key}, o.pairs...)...)
		e, _ = c.db.LookupRaw(key)
		u := c.beginFieldUpdate(key, e)
		for i := 0; i < len(o.pairs); i += 2 {
			u.set(o.pairs[i], o.when, 0)
		}
		c.srv.dirty -= u.updated + u.deleted // counted above
		u.end("hexpire")
	}
	if lazy {
		c.expireFields(key)
	}
	c.addReplyLongLong(1)
}
