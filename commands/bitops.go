package commands

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Strings as arrays of bits. Bit 0 is the highest bit of the first byte.

const (
	errBitOffset = "bit offset is not an integer or out of range"
	errBitValue  = "bit is not an integer or out of range"
)

// maxBitOffset leaves room behind an offset for the widest field. Only a master,
// whose writes no other limit binds, can come near it.
const maxBitOffset = math.MaxInt64 - 64

// bitOffset reads a bit offset. With width > 0 a leading '#' counts in units of
// that many bits.
func (c *Client) bitOffset(arg []byte, width int) (int64, bool) {
	hash := width > 0 && len(arg) > 0 && arg[0] == '#'
	if hash {
		arg = arg[1:]
	}
	n, ok := numeric.ParseInt(arg)
	if hash {
		n *= int64(width) // Redis lets the product wrap, too
	}
	if !ok || n < 0 || n > maxBitOffset || (!c.isMaster() && n>>3 >= c.srv.V.ProtoMaxBulkLen) {
		c.addReplyError(errBitOffset)
		return 0, false
	}
	return n, true
}

// bitString makes the string under a key long enough for a bit and returns it
// for writing; grown tells whether it was made or became longer.
func (c *Client) bitString(key []byte, lastBit int64) (buf []byte, grown, ok bool) {
	e, found := c.lookupKeyWrite(key)
	old := 0
	if found {
		if e.Type() != object.TypeString {
			c.addReplyErrorWrongType()
			return nil, false, false
		}
		old = len(e.StringValue())
	}
	n := max(old, int(lastBit>>3)+1)
	return c.db.ResizeString(key, e, n), n != old || !found, true
}

func setbitCommand(c *Client) {
	offset, ok := c.bitOffset(c.args[2], 0)
	if !ok {
		return
	}
	on, ok := c.longArg(3, errBitValue)
	if !ok {
		return
	}
	if on&^1 != 0 {
		c.addReplyError(errBitValue)
		return
	}
	buf, grown, ok := c.bitString(c.args[1], offset)
	if !ok {
		return
	}
	mask := byte(1) << (7 - offset&7)
	p := &buf[offset>>3]
	was := *p&mask != 0
	if grown || was != (on == 1) {
		*p &^= mask
		if on == 1 {
			*p |= mask
		}
		c.signalModified(c.args[1])
		c.notify(notifyString, "setbit", c.args[1])
		c.srv.dirty++
	}
	c.addReplyLongLong(int64(b2i(was)))
}

func getbitCommand(c *Client) {
	offset, ok := c.bitOffset(c.args[2], 0)
	if !ok {
		return
	}
	v, found, ok := c.readString(c.args[1])
	if !ok {
		return
	}
	bit := 0
	if found && offset>>3 < int64(len(v)) {
		bit = int(v[offset>>3] >> (7 - offset&7) & 1)
	}
	c.addReplyLongLong(int64(bit))
}

// readString finds a string for reading. ok is false after a type error, which
// has been answered.
func (c *Client) readString(key []byte) (v []byte, found, ok bool) {
	e, found := c.lookupKeyRead(key)
	if !found {
		return nil, false, true
	}
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return nil, true, false
	}
	return e.StringValue(), true, true
}

// The operations of BITOP. Those from bitDiff on are of Redis 8.2: the first source
// has a part of its own, or (bitOne) the bits seen more than once have to be known.
const (
	bitAnd   = iota
	bitOr    // in any source
	bitXor   // in an odd number of sources
	bitNot   // not in the only source
	bitDiff  // in the first source, and in none of the others
	bitDiff1 // in any of the others, and not in the first
	bitAndOr // in the first source and in any of the others
	bitOne   // in exactly one source
)

var bitOps = [...]string{bitAnd: "and", bitOr: "or", bitXor: "xor", bitNot: "not", bitDiff: "diff", bitDiff1: "diff1", bitAndOr: "andor", bitOne: "one"}

func bitopCommand(c *Client) {
	op := 0
	for op < len(bitOps) && !equalFold(c.args[1], bitOps[op]) {
		op++
	}
	if op == len(bitOps) {
		c.addReplyErrorSyntax()
		return
	}
	if op == bitNot && len(c.args) != 4 {
		c.addReplyError("BITOP NOT must be called with a single source key.")
		return
	}
	firstApart := op == bitDiff || op == bitDiff1 || op == bitAndOr
	if firstApart && len(c.args) < 5 {
		c.addReplyError("BITOP " + strings.ToUpper(bitOps[op]) + " must be called with at least two source keys.")
		return
	}
	keys := c.args[3:]
	longest := 0
	for _, k := range keys {
		v, _, ok := c.readString(k)
		if !ok {
			return
		}
		longest = max(longest, len(v))
	}
	target := c.args[2]
	if longest == 0 {
		c.deleteForStore(target)
		c.addReplyLongLong(0)
		return
	}
	// The target may be one of the sources, so the result is made aside.
	res := make([]byte, longest)
	var twice []byte // bitOne: the bits that more than one source had
	if op == bitOne {
		twice = make([]byte, longest)
	}
	source := func(k []byte) (v []byte) {
		if e, found := c.db.Lookup(k); found {
			v = e.StringValue()
		}
		return v
	}
	for i, k := range keys {
		v := source(k)
		switch {
		case i == 0 && firstApart: // joined last, below
		case i == 0 || op == bitOr || firstApart:
			orBytes(res, v)
		case op == bitAnd:
			andBytes(res, v)
		case op == bitXor:
			xorBytes(res, v)
		case op == bitOne:
			for j, b := range v {
				twice[j] |= res[j] & b
			}
			orBytes(res, v)
		}
	}
	switch first := source(keys[0]); op {
	case bitNot:
		notBytes(res)
	case bitDiff:
		notBytes(res)
		andBytes(res, first)
	case bitDiff1:
		for j, b := range first {
			res[j] &^= b
		}
	case bitAndOr:
		andBytes(res, first)
	case bitOne:
		for j, b := range twice {
			res[j] &^= b
		}
	}
	c.setKey(target, res, object.EncRaw, keyspace.NoExpire)
	c.notify(notifyString, "set", target)
	c.srv.dirty++
	c.addReplyLongLong(int64(longest))
}

func notBytes(dst []byte) {
	i := 0
	for ; i+8 <= len(dst); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], ^binary.LittleEndian.Uint64(dst[i:]))
	}
	for ; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
}

// andBytes, orBytes and xorBytes combine dst with src eight bytes at a time; src
// counts as padded with zeros.
func andBytes(dst, src []byte) {
	n := min(len(dst), len(src))
	i := 0
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(dst[i:])&binary.LittleEndian.Uint64(src[i:]))
	}
	for ; i < n; i++ {
		dst[i] &= src[i]
	}
	clear(dst[n:])
}

func orBytes(dst, src []byte) {
	i := 0
	for ; i+8 <= len(src); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(dst[i:])|binary.LittleEndian.Uint64(src[i:]))
	}
	for ; i < len(src); i++ {
		dst[i] |= src[i]
	}
}

func xorBytes(dst, src []byte) {
	i := 0
	for ; i+8 <= len(src); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(dst[i:])^binary.LittleEndian.Uint64(src[i:]))
	}
	for ; i < len(src); i++ {
		dst[i] ^= src[i]
	}
}

// popcount counts the bits that are set.
func popcount(p []byte) int64 {
	n := 0
	for len(p) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(p))
		p = p[8:]
	}
	for _, b := range p {
		n += bits.OnesCount8(b)
	}
	return int64(n)
}

// bitRange is a range of a string given by the arguments of BITCOUNT or BITPOS:
// bytes start to end, and masks of the bits of the first and last byte that lie
// outside of it.
type bitRange struct {
	start, end          int64
	firstMask, lastMask byte
	endGiven            bool
}

// normalize turns indexes that may count from the end into bytes of a string of
// n bytes; unit tells whether they are bits.
func (r *bitRange) normalize(n int64, inBits bool) {
	total := n
	if inBits {
		total <<= 3
	}
	if r.start < 0 {
		r.start += total
	}
	if r.end < 0 {
		r.end += total
	}
	r.start, r.end = max(r.start, 0), max(r.end, 0)
	r.end = min(r.end, total-1)
	if inBits && r.start <= r.end {
		r.firstMask = ^(byte(1<<(8-r.start&7) - 1))
		if r.start&7 == 0 {
			r.firstMask = 0
		}
		r.lastMask = byte(1<<(7-r.end&7) - 1)
		r.start >>= 3
		r.end >>= 3
	}
}

// bitUnit reads the last argument: BYTE or BIT.
func (c *Client) bitUnit(i int) (inBits, ok bool) {
	switch {
	case equalFold(c.args[i], "bit"):
		return true, true
	case equalFold(c.args[i], "byte"):
		return false, true
	}
	c.addReplyErrorSyntax()
	return false, false
}

func bitcountCommand(c *Client) {
	v, found, ok := c.readString(c.args[1])
	if !ok {
		return
	}
	if !found {
		c.addReplyLongLong(0)
		return
	}
	r := bitRange{end: int64(len(v)) - 1}
	switch len(c.args) {
	case 2:
	case 4, 5:
		if r.start, ok = c.longArg(2, ""); !ok {
			return
		}
		if r.end, ok = c.longArg(3, ""); !ok {
			return
		}
		inBits := false
		if len(c.args) == 5 {
			if inBits, ok = c.bitUnit(4); !ok {
				return
			}
		}
		if r.start < 0 && r.end < 0 && r.start > r.end {
			c.addReplyLongLong(0)
			return
		}
		r.normalize(int64(len(v)), inBits)
	default:
		c.addReplyErrorSyntax()
		return
	}
	if r.start > r.end {
		c.addReplyLongLong(0)
		return
	}
	n := popcount(v[r.start : r.end+1])
	n -= int64(bits.OnesCount8(v[r.start] & r.firstMask))
	n -= int64(bits.OnesCount8(v[r.end] & r.lastMask))
	c.addReplyLongLong(n)
}

// bitpos is the position of the first bit of the given value: -1 if there is no
// set one, and the bit behind the end if there is no clear one.
func bitpos(p []byte, bit int64) int64 {
	skip := uint64(0)
	flip := byte(0)
	if bit == 0 {
		skip, flip = ^uint64(0), 0xff
	}
	i := 0
	for i+8 <= len(p) && binary.LittleEndian.Uint64(p[i:]) == skip {
		i += 8
	}
	for ; i < len(p); i++ {
		if b := p[i] ^ flip; b != 0 {
			return int64(i)*8 + int64(bits.LeadingZeros8(b))
		}
	}
	if bit == 1 {
		return -1
	}
	return int64(len(p)) * 8
}

func bitposCommand(c *Client) {
	bit, ok := c.longArg(2, "")
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.addReplyError("The bit argument must be 1 or 0.")
		return
	}
	v, found, ok := c.readString(c.args[1])
	if !ok {
		return
	}
	if !found {
		// An endless array of clear bits.
		c.addReplyLongLong(-bit)
		return
	}
	r := bitRange{end: int64(len(v)) - 1}
	switch len(c.args) {
	case 3:
	case 4, 5, 6:
		if r.start, ok = c.longArg(3, ""); !ok {
			return
		}
		inBits := false
		if len(c.args) == 6 {
			if inBits, ok = c.bitUnit(5); !ok {
				return
			}
		}
		if len(c.args) >= 5 {
			if r.end, ok = c.longArg(4, ""); !ok {
				return
			}
			r.endGiven = true
		}
		r.normalize(int64(len(v)), inBits)
	default:
		c.addReplyErrorSyntax()
		return
	}
	if r.start > r.end {
		c.addReplyLongLong(-1)
		return
	}
	c.addReplyLongLong(r.find(v, bit))
}

// find is the position of the first bit of the given value within the range.
func (r *bitRange) find(v []byte, bit int64) int64 {
	// masked is a byte of the range with the bits outside of it made unfit.
	masked := func(b, mask byte) []byte {
		if bit == 1 {
			return []byte{b &^ mask}
		}
		return []byte{b | mask}
	}
	start, n := r.start, r.end-r.start+1
	pos := int64(-1)
	switch {
	case r.firstMask != 0:
		m := r.firstMask
		if n == 1 {
			m |= r.lastMask
		}
		pos = bitpos(masked(v[start], m), bit)
		if n == 1 || (pos != -1 && pos != 8) {
			break
		}
		start++
		n--
		fallthrough
	default:
		whole := n
		if r.lastMask != 0 {
			whole--
		}
		if whole > 0 {
			pos = bitpos(v[start:start+whole], bit)
			if whole == n || (pos != -1 && pos != whole<<3) {
				break
			}
			start += whole
			n -= whole
		}
		pos = bitpos(masked(v[r.end], r.lastMask), bit)
	}
	// Behind a string there are only clear bits, unless the range was given an
	// end.
	if r.endGiven && bit == 0 && pos == n<<3 {
		return -1
	}
	if pos != -1 {
		pos += start << 3
	}
	return pos
}
