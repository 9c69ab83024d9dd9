package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// String commands. A string value is held as its text whatever its encoding
// says, so a reply is one copy from the record to the output.

const (
	errStringTooLong = "string exceeds maximum allowed size (proto-max-bulk-len)"
	errIncrOverflow  = "increment or decrement would overflow"
)

// setFlags are the options of SET and GETEX.
type setFlags uint16

const (
	setNX setFlags = 1 << iota
	setXX
	setEX
	setPX
	setEXAT
	setPXAT
	setKeepTTL
	setGet
	setPersist
	setIf // a condition on the value held
)

const setAnyExpire = setEX | setPX | setEXAT | setPXAT

// parseSetOptions reads the options of SET (get false) or GETEX from argument
// first on. It answers a syntax error itself and returns false.
func (c *Client) parseSetOptions(first int, getex bool) (flags setFlags, cond condition, expire []byte, ok bool) {
	for j := first; j < len(c.args); j++ {
		opt := c.args[j]
		hasNext := j+1 < len(c.args)
		switch {
		case !getex && equalFold(opt, "nx") && flags&setXX == 0:
			flags |= setNX
		case !getex && equalFold(opt, "xx") && flags&setNX == 0:
			flags |= setXX
		case !getex && equalFold(opt, "get"):
			flags |= setGet
		case !getex && equalFold(opt, "keepttl") && flags&(setPersist|setAnyExpire) == 0:
			flags |= setKeepTTL
		case getex && equalFold(opt, "persist") && flags&(setKeepTTL|setAnyExpire) == 0:
			flags |= setPersist
		case equalFold(opt, "ex") && flags&(setKeepTTL|setPersist|setAnyExpire&^setEX) == 0 && hasNext:
			flags |= setEX
			j++
			expire = c.args[j]
		case equalFold(opt, "px") && flags&(setKeepTTL|setPersist|setAnyExpire&^setPX) == 0 && hasNext:
			flags |= setPX
			j++
			expire = c.args[j]
		case equalFold(opt, "exat") && flags&(setKeepTTL|setPersist|setAnyExpire&^setEXAT) == 0 && hasNext:
			flags |= setEXAT
			j++
			expire = c.args[j]
		case equalFold(opt, "pxat") && flags&(setKeepTTL|setPersist|setAnyExpire&^setPXAT) == 0 && hasNext:
			flags |= setPXAT
			j++
			expire = c.args[j]
		default:
			if !getex && hasNext && flags&(setNX|setXX) == 0 {
				if next, is := parseCondition(opt, c.args[j+1]); is && (!cond.given || cond.sameKind(&next)) {
					cond = next
					j++
					continue
				}
			}
			c.addReplyErrorSyntax()
			return 0, cond, nil, false
		}
	}
	return flags, cond, expire, true
}

// expireMillis turns the argument of EX, PX, EXAT or PXAT into an absolute
// time, unix milliseconds; it answers the error itself.
func (c *Client) expireMillis(arg []byte, flags setFlags) (int64, bool) {
	ms, ok := numeric.ParseInt(arg)
	if !ok {
		c.addReplyError(errNotInteger)
		return 0, false
	}
	seconds := flags&(setEX|setEXAT) != 0
	if ms <= 0 || (seconds && ms > math.MaxInt64/1000) {
		c.addReplyErrorExpireTime()
		return 0, false
	}
	if seconds {
		ms *= 1000
	}
	if flags&(setEX|setPX) != 0 {
		if ms > math.MaxInt64-c.now() {
			c.addReplyErrorExpireTime()
			return 0, false
		}
		ms += c.now()
	}
	return ms, true
}

// setGeneric stores val under args[1] as SET and its relatives do; cond may be nil.
func (c *Client) setGeneric(flags setFlags, cond *condition, val, expire []byte, okReply, abortReply func(*Client)) {
	key := c.args[1]
	when := int64(keyspace.NoExpire)
	if flags&setAnyExpire != 0 {
		var ok bool
		if when, ok = c.expireMillis(expire, flags); !ok {
			return
		}
	}
	abort := false
	if flags&(setNX|setXX) != 0 {
		_, found := c.lookupKeyReplace(key)
		abort = found == (flags&setNX != 0)
	}
	if cond != nil && !abort {
		holds, ok := c.meets(cond, key)
		if !ok {
			return
		}
		abort = !holds
	}
	if flags&setGet != 0 && !c.getGeneric() {
		return
	}
	if abort {
		switch {
		case flags&setGet != 0:
		case abortReply != nil:
			abortReply(c)
		default:
			c.addReplyNull()
		}
		return
	}
	if flags&setKeepTTL != 0 {
		when = keyspace.KeepExpire
	}
	c.setKey(key, val, object.EncodeString(val), when)
	c.srv.dirty++
	c.notify(notifyString, "set", key)
	if flags&setAnyExpire != 0 {
		c.notify(notifyGeneric, "expire", key)
	}
	if c.propagating() {
		c.rewriteSet(flags, val, when)
	}
	if flags&setGet == 0 {
		if okReply != nil {
			okReply(c)
		} else {
			c.addReplyOK()
		}
	}
}

func setCommand(c *Client) {
	if len(c.args) == 3 {
		c.setGeneric(0, nil, c.args[2], nil, nil, nil)
		return
	}
	flags, cond, expire, ok := c.parseSetOptions(3, false)
	if !ok {
		return
	}
	if cond.given {
		c.setGeneric(flags|setIf, &cond, c.args[2], expire, nil, nil)
		return
	}
	c.setGeneric(flags, nil, c.args[2], expire, nil, nil)
}

func replyOne(c *Client)  { c.addReplyLongLong(1) }
func replyZero(c *Client) { c.addReplyLongLong(0) }

func setnxCommand(c *Client) {
	c.setGeneric(setNX, nil, c.args[2], nil, replyOne, replyZero)
}

func setexCommand(c *Client) {
	c.setGeneric(setEX, nil, c.args[3], c.args[2], nil, nil)
}

func psetexCommand(c *Client) {
	c.setGeneric(setPX, nil, c.args[3], c.args[2], nil, nil)
}

// getGeneric answers the value of args[1]; false after a type error.
func (c *Client) getGeneric() bool {
	e, ok := c.lookupKeyRead(c.args[1])
	if !ok {
		c.addReplyNull()
		return true
	}
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return false
	}
	c.addReplyBulk(e.StringValue())
	return true
}

func getCommand(c *Client) { c.getGeneric() }

func getexCommand(c *Client) {
	flags, _, expire, ok := c.parseSetOptions(2, true)
	if !ok {
		return
	}
	key := c.args[1]
	e, found := c.lookupKeyRead(key)
	if !found {
		c.addReplyNull()
		return
	}
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return
	}
	var when int64
	if flags&setAnyExpire != 0 {
		if when, ok = c.expireMillis(expire, flags); !ok {
			return
		}
	}
	c.addReplyBulk(e.StringValue())
	switch {
	case flags&(setEXAT|setPXAT) != 0 && c.alreadyExpired(when):
		c.db.Delete(key)
		c.signalModified(key)
		c.notify(notifyGeneric, "del", key)
		c.srv.dirty++
		c.rewrite(delWord(c.srv.V.LazyfreeLazyExpire), key)
	case flags&setAnyExpire != 0:
		c.db.SetExpire(e, when)
		c.signalModified(key)
		c.notify(notifyGeneric, "expire", key)
		c.srv.dirty++
		if c.propagating() {
			c.rewrite(wordPexpireat, key, c.srv.propNumber(when))
		}
	case flags&setPersist != 0:
		if c.db.Persist(e) {
			c.signalModified(key)
			c.notify(notifyGeneric, "persist", key)
			c.srv.dirty++
			c.rewrite(wordPersist, key)
		}
	}
}

func getdelCommand(c *Client) {
	key := c.args[1]
	if !c.getGeneric() {
		return
	}
	if c.db.Delete(key) {
		c.signalModified(key)
		c.notify(notifyGeneric, "del", key)
		c.srv.dirty++
		c.rewrite(wordDel, key)
	}
}

func getsetCommand(c *Client) {
	if !c.getGeneric() {
		return
	}
	c.setKey(c.args[1], c.args[2], object.EncodeString(c.args[2]), keyspace.NoExpire)
	c.notify(notifyString, "set", c.args[1])
	c.srv.dirty++
	c.rewrite(wordSet, c.args[1], c.args[2])
}

func mgetCommand(c *Client) {
	keys := c.args[1:]
	c.db.Prefetch(keys)
	c.addReplyArrayLen(len(keys))
	for _, k := range keys {
		e, ok := c.lookupKeyRead(k)
		if !ok || e.Type() != object.TypeString {
			c.addReplyNull()
			continue
		}
		c.addReplyBulk(e.StringValue())
	}
}

func (c *Client) msetGeneric(nx bool) {
	if len(c.args)%2 == 0 {
		c.addReplyErrorArity()
		return
	}
	if nx {
		for j := 1; j < len(c.args); j += 2 {
			if _, ok := c.lookupKeyReplace(c.args[j]); ok {
				c.addReplyLongLong(0)
				return
			}
		}
	}
	for j := 1; j < len(c.args); j += 2 {
		k, v := c.args[j], c.args[j+1]
		c.setKey(k, v, object.EncodeString(v), keyspace.NoExpire)
		c.notify(notifyString, "set", k)
	}
	c.srv.dirty += int64(len(c.args)-1) / 2
	if nx {
		c.addReplyLongLong(1)
		return
	}
	c.addReplyOK()
}

func msetCommand(c *Client)   { c.msetGeneric(false) }
func msetnxCommand(c *Client) { c.msetGeneric(true) }

func strlenCommand(c *Client) {
	e, ok := c.lookupKeyRead(c.args[1])
	if !ok {
		c.addReplyLongLong(0)
		return
	}
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return
	}
	c.addReplyLongLong(int64(len(e.StringValue())))
}

func getrangeCommand(c *Client) {
	start, ok := numeric.ParseInt(c.args[2])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	end, ok := numeric.ParseInt(c.args[3])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	e, found := c.lookupKeyRead(c.args[1])
	if !found {
		c.addReplyBulk(nil)
		return
	}
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return
	}
	v := e.StringValue()
	n := int64(len(v))
	if start < 0 && end < 0 && start > end {
		c.addReplyBulk(nil)
		return
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	start, end = max(start, 0), max(end, 0)
	end = min(end, n-1)
	if start > end || n == 0 {
		c.addReplyBulk(nil)
		return
	}
	c.addReplyBulk(v[start : end+1])
}

// stringLengthOK refuses a string that would become longer than
// proto-max-bulk-len; the master's commands are exempt.
func (c *Client) stringLengthOK(size, add int64) bool {
	total := size + add
	if c.isMaster() {
		return true
	}
	if total > int64(c.srv.V.ProtoMaxBulkLen) || total < size || total < add {
		c.addReplyError(errStringTooLong)
		return false
	}
	return true
}

func setrangeCommand(c *Client) {
	key, val := c.args[1], c.args[3]
	offset, ok := numeric.ParseInt(c.args[2])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	if offset < 0 {
		c.addReplyError("offset is out of range")
		return
	}
	e, found := c.lookupKeyWrite(key)
	oldLen := int64(0)
	if found {
		if e.Type() != object.TypeString {
			c.addReplyErrorWrongType()
			return
		}
		oldLen = int64(len(e.StringValue()))
	}
	if len(val) == 0 {
		c.addReplyLongLong(oldLen)
		return
	}
	if !c.stringLengthOK(offset, int64(len(val))) {
		return
	}
	n := max(oldLen, offset+int64(len(val)))
	buf := c.db.ResizeString(key, e, int(n))
	copy(buf[offset:], val)
	c.signalModified(key)
	c.notify(notifyString, "setrange", key)
	c.srv.dirty++
	c.addReplyLongLong(n)
}

func appendCommand(c *Client) {
	key, val := c.args[1], c.args[2]
	e, found := c.lookupKeyWrite(key)
	var total int64
	if !found {
		c.setKey(key, val, object.EncodeString(val), keyspace.NoExpire)
		total = int64(len(val))
	} else {
		if e.Type() != object.TypeString {
			c.addReplyErrorWrongType()
			return
		}
		old := int64(len(e.StringValue()))
		if !c.stringLengthOK(old, int64(len(val))) {
			return
		}
		total = old + int64(len(val))
		buf := c.db.ResizeString(key, e, int(total))
		copy(buf[old:], val)
		c.signalModified(key)
	}
	c.notify(notifyString, "append", key)
	c.srv.dirty++
	c.addReplyLongLong(total)
}

// incrDecr adds incr to the integer under args[1].
func (c *Client) incrDecr(incr int64) {
	key := c.args[1]
	e, found := c.lookupKeyWrite(key)
	var value int64
	if found {
		if e.Type() != object.TypeString {
			c.addReplyErrorWrongType()
			return
		}
		var ok bool
		if value, ok = numeric.ParseInt(e.StringValue()); !ok {
			c.addReplyError(errNotInteger)
			return
		}
	}
	if (incr < 0 && value < 0 && incr < math.MinInt64-value) ||
		(incr > 0 && value > 0 && incr > math.MaxInt64-value) {
		c.addReplyError(errIncrOverflow)
		return
	}
	value += incr
	var tmp [24]byte
	text := numeric.AppendInt(tmp[:0], value)
	c.db.SetString(key, text, object.EncInt, keyspace.KeepExpire)
	c.signalModified(key)
	c.notify(notifyString, "incrby", key)
	c.srv.dirty++
	c.addReplyLongLong(value)
}

func incrCommand(c *Client) { c.incrDecr(1) }
func decrCommand(c *Client) { c.incrDecr(-1) }

func incrbyCommand(c *Client) {
	n, ok := numeric.ParseInt(c.args[2])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	c.incrDecr(n)
}

func decrbyCommand(c *Client) {
	n, ok := numeric.ParseInt(c.args[2])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	if n == math.MinInt64 {
		c.addReplyError("decrement would overflow")
		return
	}
	c.incrDecr(-n)
}

func incrbyfloatCommand(c *Client) {
	key := c.args[1]
	e, found := c.lookupKeyWrite(key)
	var old numeric.LongDouble
	if found {
		if e.Type() != object.TypeString {
			c.addReplyErrorWrongType()
			return
		}
		var ok bool
		if old, ok = numeric.ParseLongDouble(e.StringValue()); !ok {
			c.addReplyError(errNotFloat)
			return
		}
	}
	incr, ok := numeric.ParseLongDouble(c.args[2])
	if !ok {
		c.addReplyError(errNotFloat)
		return
	}
	text, err := numeric.AppendIncr(c.srv.scratch[:0], old, incr)
	if err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.srv.scratch = text[:0]
	enc := object.EncEmbstr
	if len(text) > object.EmbstrLimit {
		enc = object.EncRaw
	}
	c.db.SetString(key, text, enc, keyspace.KeepExpire)
	c.signalModified(key)
	c.notify(notifyString, "incrbyfloat", key)
	c.srv.dirty++
	c.rewrite(wordSet, key, text, wordKeepTTL)
	c.addReplyBulk(text)
}
