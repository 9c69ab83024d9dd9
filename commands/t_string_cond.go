package commands

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Compare-and-set on strings, as Valkey has it since 8.1 and Redis since 8.4: a condition is a value that the string must (or must not)
// equal, or the digest of one, which is XXH3 with 64 bits in 16 hexadecimal digits.

// A condition is one of IFEQ, IFNE, IFDEQ and IFDNE with its operand.
type condition struct {
	given    bool
	negated  bool // IFNE, IFDNE
	byDigest bool // IFDEQ, IFDNE
	operand  []byte
}

// parseCondition reads a condition from a word and the one after it; ok is false when the word is none.
func parseCondition(word, operand []byte) (cond condition, ok bool) {
	cond = condition{given: true, operand: operand}
	switch {
	case equalFold(word, "ifeq"):
	case equalFold(word, "ifne"):
		cond.negated = true
	case equalFold(word, "ifdeq"):
		cond.byDigest = true
	case equalFold(word, "ifdne"):
		cond.negated, cond.byDigest = true, true
	default:
		return condition{}, false
	}
	return cond, true
}

// sameKind tells whether two conditions are of the same word: only then may SET have both, and the later counts.
func (cond *condition) sameKind(other *condition) bool {
	return cond.negated == other.negated && cond.byDigest == other.byDigest
}

// digestText appends the digest of a value.
func digestText(dst, value []byte) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], xxh3.Hash(value))
	return hex.AppendEncode(dst, b[:])
}

// holds tells whether a string meets the condition.
func (cond *condition) holds(value []byte) bool {
	if cond.byDigest {
		var buf [16]byte
		return equalFold(cond.operand, string(digestText(buf[:0], value))) != cond.negated
	}
	return (string(cond.operand) == string(value)) != cond.negated
}

// validDigest answers a digest that cannot be one.
func (c *Client) validDigest(cond *condition) bool {
	if cond.byDigest && len(cond.operand) != 16 {
		c.addReplyError("must be exactly 16 hexadecimal characters")
		return false
	}
	return true
}

// meets tells whether the key that SET is to write meets the condition: an absent key equals nothing. ok is false after an error was answered.
func (c *Client) meets(cond *condition, key []byte) (holds, ok bool) {
	e, found := c.lookupKeyReplace(key)
	switch {
	case !found:
		return cond.negated, true
	case e.Type() != object.TypeString:
		c.addReplyErrorWrongType()
		return false, false
	case !c.validDigest(cond):
		return false, false
	}
	return cond.holds(e.StringValue()), true
}

// deleteKey removes a key that exists, as DEL does.
func (c *Client) deleteKey(key []byte) {
	c.db.Delete(key)
	c.signalModified(key)
	c.notify(notifyGeneric, "del", key)
	c.srv.dirty++
}

func delexCommand(c *Client) {
	if len(c.args) == 2 {
		c.delGeneric()
		return
	}
	if len(c.args) != 4 {
		c.addReplyErrorArity()
		return
	}
	key := c.args[1]
	e, found := c.lookupKeyReplace(key)
	if !found {
		c.addReplyLongLong(0)
		return
	}
	if e.Type() != object.TypeString {
		c.addReplyError("Key should be of string type if conditions are specified")
		return
	}
	cond, ok := parseCondition(c.args[2], c.args[3])
	if !ok {
		c.addReplyError("Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
		return
	}
	if !c.validDigest(&cond) {
		return
	}
	c.deleteIf(cond.holds(e.StringValue()))
}

// delifeqCommand is DELEX key IFEQ value in Valkey's words.
func delifeqCommand(c *Client) {
	e, found := c.lookupKeyReplace(c.args[1])
	switch {
	case !found:
		c.addReplyLongLong(0)
	case e.Type() != object.TypeString:
		c.addReplyErrorWrongType()
	default:
		c.deleteIf(string(e.StringValue()) == string(c.args[2]))
	}
}

// deleteIf deletes args[1] if its value meets a condition.
func (c *Client) deleteIf(holds bool) {
	if !holds {
		c.addReplyLongLong(0)
		return
	}
	c.deleteKey(c.args[1])
	c.rewrite(wordDel, c.args[1])
	c.addReplyLongLong(1)
}

func digestCommand(c *Client) {
	e, found := c.lookupKeyRead(c.args[1])
	switch {
	case !found:
		c.addReplyNull()
	case e.Type() != object.TypeString:
		c.addReplyErrorWrongType()
	default:
		var buf [16]byte
		c.addReplyBulk(digestText(buf[:0], e.StringValue()))
	}
}

// msetexCommand is MSETEX numkeys key value … [NX|XX] [EX|PX|EXAT|PXAT time|KEEPTTL]: all keys or none.
func msetexCommand(c *Client) {
	n, ok := c.rangeArg(1, 1, 1<<30, "invalid numkeys value")
	if !ok {
		return
	}
	if int64(len(c.args)) < 2+2*n {
		c.addReplyError("wrong number of key-value pairs")
		return
	}
	pairs := c.args[2 : 2+2*n]
	flags, cond, expire, ok := c.parseSetOptions(2+2*int(n), false)
	if !ok {
		return
	}
	if cond.given || flags&setGet != 0 {
		c.addReplyErrorSyntax()
		return
	}
	when := int64(keyspace.NoExpire)
	if flags&setAnyExpire != 0 {
		if when, ok = c.expireMillis(expire, flags); !ok {
			return
		}
	} else if flags&setKeepTTL != 0 {
		when = keyspace.KeepExpire
	}
	if flags&(setNX|setXX) != 0 {
		for j := 0; j < len(pairs); j += 2 {
			if _, found := c.lookupKeyReplace(pairs[j]); found == (flags&setNX != 0) {
				c.addReplyLongLong(0)
				return
			}
		}
	}
	for j := 0; j < len(pairs); j += 2 {
		k, v := pairs[j], pairs[j+1]
		c.setKey(k, v, object.EncodeString(v), when)
		c.notify(notifyString, "set", k)
		if flags&setAnyExpire != 0 {
			c.notify(notifyGeneric, "expire", k)
		}
	}
	c.srv.dirty += n
	if flags&setAnyExpire != 0 && c.propagating() {
		args := append([][]byte{c.args[0], c.args[1]}, pairs...)
		c.rewrite(append(args, wordPXAT, c.srv.propNumber(when))...)
	}
	c.addReplyLongLong(1)
}
