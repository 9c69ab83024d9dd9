package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// BITFIELD: integers of any width at any bit of a string.

// overflow says what becomes of a value that does not fit.
type overflow uint8

const (
	overflowWrap overflow = iota
	overflowSat
	overflowFail
)

// maxKeptBitfieldOps bounds the memory for sub-commands that is kept from one
// command to the next.
const maxKeptBitfieldOps = 256

// bitfieldOp is one sub-command.
type bitfieldOp struct {
	op     byte // 'g' GET, 's' SET, 'i' INCRBY
	signed bool
	width  int
	offset int64
	value  int64
	mode   overflow
}

// bitfieldType reads a type like i16 or u8; it answers the error itself.
func (c *Client) bitfieldType(arg []byte) (signed bool, width int, ok bool) {
	if len(arg) > 1 && (arg[0] == 'i' || arg[0] == 'u') {
		signed = arg[0] == 'i'
		n, isInt := numeric.ParseInt(arg[1:])
		if isInt && n >= 1 && ((signed && n <= 64) || (!signed && n <= 63)) {
			return signed, int(n), true
		}
	}
	c.addReplyError("Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	return false, 0, false
}

// parseBitfield reads the sub-commands; it answers the error itself. The result
// is valid until the next call.
func (c *Client) parseBitfield(readOnly bool) (ops []bitfieldOp, ok bool) {
	mode := overflowWrap
	writes := false
	ops = c.srv.bitfieldOps[:0]
	defer func() {
		if cap(ops) <= maxKeptBitfieldOps {
			c.srv.bitfieldOps = ops[:0]
		}
	}()
	for j := 2; j < len(c.args); j++ {
		left := len(c.args) - j - 1
		var op bitfieldOp
		switch name := c.args[j]; {
		case equalFold(name, "get") && left >= 2:
			op.op = 'g'
		case equalFold(name, "set") && left >= 3:
			op.op = 's'
		case equalFold(name, "incrby") && left >= 3:
			op.op = 'i'
		case equalFold(name, "overflow") && left >= 1:
			j++
			switch m := c.args[j]; {
			case equalFold(m, "wrap"):
				mode = overflowWrap
			case equalFold(m, "sat"):
				mode = overflowSat
			case equalFold(m, "fail"):
				mode = overflowFail
			default:
				c.addReplyError("Invalid OVERFLOW type specified")
				return nil, false
			}
			continue
		default:
			c.addReplyErrorSyntax()
			return nil, false
		}
		if op.signed, op.width, ok = c.bitfieldType(c.args[j+1]); !ok {
			return nil, false
		}
		if op.offset, ok = c.bitOffset(c.args[j+2], op.width); !ok {
			return nil, false
		}
		j += 2
		if op.op != 'g' {
			writes = true
			j++
			if op.value, ok = c.longArg(j, ""); !ok {
				return nil, false
			}
		}
		op.mode = mode
		ops = append(ops, op)
	}
	if writes && readOnly {
		c.addReplyError("BITFIELD_RO only supports the GET subcommand")
		return nil, false
	}
	return ops, true
}

func (c *Client) bitfield(readOnly bool) {
	ops, ok := c.parseBitfield(readOnly)
	if !ok {
		return
	}
	lastWrite := int64(-1)
	for i := range ops {
		if o := &ops[i]; o.op != 'g' {
			lastWrite = max(lastWrite, o.offset+int64(o.width)-1)
		}
	}
	key := c.args[1]
	var buf []byte
	grown := false
	if lastWrite < 0 {
		if buf, _, ok = c.readString(key); !ok {
			return
		}
	} else if buf, grown, ok = c.bitString(key, lastWrite); !ok {
		return
	}
	changes := int64(0)
	c.addReplyArrayLen(len(ops))
	for i := range ops {
		o := &ops[i]
		old := readBits(buf, o.offset, o.width)
		if o.signed {
			old = signExtend(old, o.width)
		}
		if o.op == 'g' {
			c.addReplyLongLong(int64(old))
			continue
		}
		base, incr := old, o.value
		if o.op == 's' {
			base, incr = uint64(o.value), 0
		}
		val, over := o.add(base, incr)
		if over && o.mode == overflowFail {
			c.addReplyNull()
			continue
		}
		if o.op == 's' {
			c.addReplyLongLong(int64(old))
		} else {
			c.addReplyLongLong(int64(val))
		}
		writeBits(buf, o.offset, o.width, val)
		if grown || old != val {
			changes++
		}
	}
	if changes > 0 {
		c.signalModified(key)
		c.notify(notifyString, "setbit", key)
		c.srv.dirty += changes
	}
}

func bitfieldCommand(c *Client)   { c.bitfield(false) }
func bitfieldroCommand(c *Client) { c.bitfield(true) }

// add returns base+incr as the field can hold it, and whether it did not fit.
func (o *bitfieldOp) add(base uint64, incr int64) (uint64, bool) {
	if o.signed {
		return o.addSigned(int64(base), incr)
	}
	limit := uint64(1)<<o.width - 1
	sum := base + uint64(incr)
	switch {
	case base > limit || (incr > 0 && uint64(incr) > limit-base):
		if o.mode == overflowSat {
			return limit, true
		}
		return sum & limit, true
	case incr < 0 && uint64(-(incr+1))+1 > base:
		if o.mode == overflowSat {
			return 0, true
		}
		return sum & limit, true
	}
	return sum, false
}

func (o *bitfieldOp) addSigned(v, incr int64) (uint64, bool) {
	hi := int64(math.MaxInt64)
	if o.width < 64 {
		hi = 1<<(o.width-1) - 1
	}
	lo := -hi - 1
	sum := signExtend(uint64(v)+uint64(incr), o.width)
	// What may be added before the value leaves the range. Far below it the first
	// wraps around, and SET … SAT of such a value gives the largest one: so it
	// does in redis-server, whose replicas must come to the same.
	most, least := hi-v, lo-v
	narrow := o.width < 64
	switch {
	case v > hi || (narrow && incr > most) || (v >= 0 && incr > 0 && incr > most):
		if o.mode == overflowSat {
			return uint64(hi), true
		}
		return sum, true
	case v < lo || (narrow && incr < least) || (v < 0 && incr < 0 && incr < least):
		if o.mode == overflowSat {
			return uint64(lo), true
		}
		return sum, true
	}
	return sum, false
}

// signExtend spreads the highest of width bits over those above it.
func signExtend(v uint64, width int) uint64 {
	shift := 64 - width
	return uint64(int64(v<<shift) >> shift)
}

// readBits reads an unsigned integer of width bits at a bit offset; behind the
// end of the string there are zeros.
func readBits(p []byte, offset int64, width int) uint64 {
	v := uint64(0)
	for width > 0 {
		in := int(offset & 7)
		take := min(8-in, width)
		b := byte(0)
		if i := offset >> 3; i < int64(len(p)) {
			b = p[i]
		}
		v = v<<take | uint64(b<<in>>(8-take))
		offset += int64(take)
		width -= take
	}
	return v
}

// writeBits writes the low width bits of v at a bit offset; the string is long
// enough.
func writeBits(p []byte, offset int64, width int, v uint64) {
	for width > 0 {
		in := int(offset & 7)
		take := min(8-in, width)
		mask := byte(0xff) << (8 - take) >> in
		b := byte(v>>(width-take)) << (8 - take) >> in
		i := offset >> 3
		p[i] = p[i]&^mask | b&mask
		offset += int64(take)
		width -= take
	}
}
