// Package listpack is Redis's listpack: a sequence of short strings and
// integers in one block of memory. Small lists, sets, hashes and sorted sets,
// the nodes of long lists and the nodes of streams are listpacks, both in memory
// and in an RDB, byte for byte the same.
//
//	┌───────────┬──────────┬───────┬───────┬─────┬───────┬──────┐
//	│ bytes:4LE │ count:2LE│ entry │ entry │ ... │ entry │ 0xFF │
//	└───────────┴──────────┴───────┴───────┴─────┴───────┴──────┘
//	                       ▲ offset 6
//	entry:
//	┌──────────────────┬─────────┬─────────┐
//	│ encoding, length │ data    │ backlen │
//	└──────────────────┴─────────┴─────────┘
//	├────── encoded size ────────┤
//
//	encoding              data
//	0xxxxxxx              none: the integer 0..127
//	10xxxxxx              string of x (0..63) bytes
//	110xxxxx xxxxxxxx     none: a signed integer of 13 bits
//	1110xxxx xxxxxxxx     string of x (0..4095) bytes
//	11110000 length:4LE   string
//	11110001              integer of 16 bits, little endian
//	11110010              integer of 24 bits
//	11110011              integer of 32 bits
//	11110100              integer of 64 bits
//	11111111              the end
//
// backlen is the encoded size again, in groups of seven bits, most significant
// first, so arranged that it can be read from its last byte backwards (bit 7:
// another byte stands to the left). It is what allows walking backwards. bytes
// is the size of the whole block. count is the number of entries, or 65535 when
// there are too many to say, and then they must be counted.
//
// A string that is the canonical decimal form of an int64 is always stored as
// that integer, in the shortest form. All functions encode bit for bit as Redis
// does (listpack.c).
//
// # Conventions
//
// A listpack is a []byte whose len is exactly its size. An entry is named by the
// offset of its first byte; -1 is no entry. Functions that change a listpack
// work in place when the slice's capacity allows, and return the slice that is
// now valid: use it as the result of append is used. A listpack that came from
// outside must pass Validate before anything else touches it; with an unchecked
// one, functions may panic (never write or read out of the slice). A string that
// is added must not be a view into the listpack it is added to.
//
// Reading allocates nothing. Nothing here is safe for concurrent use.
package listpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

const (
	// HeaderSize is the offset of the first entry.
	HeaderSize = 6
	// EmptySize is the size of a listpack without entries.
	EmptySize = HeaderSize + 1
	// IntBufSize is enough for the text of any int64.
	IntBufSize = 20
	// MaxSafeSize is the size that a listpack must not pass if it is to grow by
	// commands: 1 GiB, well under what its header can express.
	MaxSafeSize = 1 << 30

	eof          = 0xff
	countUnknown = math.MaxUint16

	enc32BitStr = 0xf0
	encInt16    = 0xf1
	encInt24    = 0xf2
	encInt32    = 0xf3
	encInt64    = 0xf4
)

// IntBuf is the storage that Get renders integers into.
type IntBuf [IntBufSize]byte

// New returns an empty listpack with room for capacity bytes.
func New(capacity int) []byte {
	return AppendEmpty(make([]byte, 0, max(capacity, EmptySize)))
}

// AppendEmpty appends the seven bytes of an empty listpack to dst.
func AppendEmpty(dst []byte) []byte {
	return append(dst, EmptySize, 0, 0, 0, 0, 0, eof)
}

// Size returns the size in bytes that the header states: len(lp) in a valid one.
func Size(lp []byte) int { return int(binary.LittleEndian.Uint32(lp)) }

// Len returns the number of entries. It is O(1) below 65535 entries.
func Len(lp []byte) int {
	if n := int(binary.LittleEndian.Uint16(lp[4:])); n != countUnknown {
		return n
	}
	n := 0
	for p := First(lp); p >= 0; p = Next(lp, p) {
		n++
	}
	return n
}

func setSize(lp []byte) {
	if len(lp) > math.MaxUint32 {
		panic(fmt.Sprintf("listpack: size %d is above the format's limit %d", len(lp), uint32(math.MaxUint32)))
	}
	binary.LittleEndian.PutUint32(lp, uint32(len(lp)))
}

// addCount changes the header's count, which sticks at 65535 once it is there.
func addCount(lp []byte, d int) {
	n := int(binary.LittleEndian.Uint16(lp[4:]))
	if n == countUnknown {
		return
	}
	binary.LittleEndian.PutUint16(lp[4:], uint16(min(n+d, countUnknown)))
}

// First returns the first entry, or -1.
func First(lp []byte) int {
	if lp[HeaderSize] == eof {
		return -1
	}
	return HeaderSize
}

// Last returns the last entry, or -1.
func Last(lp []byte) int { return Prev(lp, len(lp)-1) }

// Next returns the entry after p, or -1.
func Next(lp []byte, p int) int {
	if n := shortSize[lp[p]]; n != 0 {
		p += int(n)
	} else {
		p = skip(lp, p)
	}
	if lp[p] == eof {
		return -1
	}
	return p
}

// Advance returns the entry n places after p, or -1 if that is the end. All n entries must exist.
func Advance(lp []byte, p, n int) int {
	for ; n > 0; n-- {
		if k := shortSize[lp[p]]; k != 0 {
			p += int(k)
		} else {
			p = skip(lp, p)
		}
	}
	if lp[p] == eof {
		return -1
	}
	return p
}

// skip returns what follows the entry p: an entry or the end byte.
func skip(lp []byte, p int) int {
	n := encodedSize(lp, p)
	return p + n + backlenSize(n)
}

// SizeAt returns the bytes that the entry p takes, backlen included.
func SizeAt(lp []byte, p int) int { return skip(lp, p) - p }

// Prev returns the entry before p (which may be the end byte's offset), or -1.
func Prev(lp []byte, p int) int {
	if p == HeaderSize {
		return -1
	}
	n, k := decodeBacklen(lp, p-1)
	return p - k - n
}

// Seek returns the entry with the given index, counted from 0, or from the end
// for a negative one (-1 is the last); -1 when there is none. O(n).
func Seek(lp []byte, index int) int {
	n := int(binary.LittleEndian.Uint16(lp[4:]))
	forward := index >= 0
	if n != countUnknown {
		if index < 0 {
			index += n
		}
		if index < 0 || index >= n {
			return -1
		}
		forward = index <= n/2
		if !forward {
			index -= n
		}
	}
	switch {
	case n == countUnknown && forward:
		p := First(lp)
		for ; index > 0 && p >= 0; index-- {
			p = Next(lp, p)
		}
		return p
	case n == countUnknown:
		p := Last(lp)
		for ; index < -1 && p >= 0; index++ {
			p = Prev(lp, p)
		}
		return p
	case forward:
		return Advance(lp, HeaderSize, index)
	}
	p := len(lp) - 1
	for ; index < 0; index++ {
		if k := int(lp[p-1]); k < 0x80 {
			p -= k + 1
		} else {
			size, k := decodeBacklen(lp, p-1)
			p -= size + k
		}
	}
	return p
}

// encodedSize returns the size of the entry at p without its backlen.
func encodedSize(lp []byte, p int) int {
	b := lp[p]
	switch {
	case b < 0x80:
		return 1
	case b < 0xc0:
		return 1 + int(b&0x3f)
	case b < 0xe0:
		return 2
	case b < 0xf0:
		return 2 + int(b&0x0f)<<8 + int(lp[p+1])
	case b == enc32BitStr:
		return 5 + int(binary.LittleEndian.Uint32(lp[p+1:]))
	case b == encInt16:
		return 3
	case b == encInt24:
		return 4
	case b == encInt32:
		return 5
	case b == encInt64:
		return 9
	}
	panic(fmt.Sprintf("listpack: encoding 0x%02x at offset %d of %d", b, p, len(lp)))
}

// The limits of each length of a backlen are Redis's, which stop one short of
// what seven more bits could hold, save for the first.
func backlenSize(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 16383:
		return 2
	case n < 2097151:
		return 3
	case n < 268435455:
		return 4
	}
	return 5
}

func appendBacklen(dst []byte, n int) []byte {
	switch backlenSize(n) {
	case 1:
		return append(dst, byte(n))
	case 2:
		return append(dst, byte(n>>7), byte(n)|128)
	case 3:
		return append(dst, byte(n>>14), byte(n>>7)|128, byte(n)|128)
	case 4:
		return append(dst, byte(n>>21), byte(n>>14)|128, byte(n>>7)|128, byte(n)|128)
	}
	return append(dst, byte(n>>28), byte(n>>21)|128, byte(n>>14)|128, byte(n>>7)|128, byte(n)|128)
}

// decodeBacklen reads the backlen that ends at p: its value and its own size.
func decodeBacklen(lp []byte, p int) (n, size int) {
	for shift := 0; shift < 35; shift += 7 {
		b := lp[p]
		n |= int(b&127) << shift
		size++
		if b&128 == 0 {
			return n, size
		}
		p--
	}
	panic(fmt.Sprintf("listpack: backlen of more than 5 bytes ends at offset %d of %d", p+size, len(lp)))
}

// Entry returns what stands at p: a string as a view into lp, or an integer.
func Entry(lp []byte, p int) (s []byte, n int64, isInt bool) {
	b := lp[p]
	switch {
	case b < 0x80:
		return nil, int64(b), true
	case b < 0xc0:
		from := p + 1
		to := from + int(b&0x3f)
		return lp[from:to:to], 0, false
	case b < 0xe0:
		u := uint16(b&0x1f)<<8 | uint16(lp[p+1])
		return nil, int64(int16(u<<3) >> 3), true
	case b < 0xf0:
		from := p + 2
		to := from + int(b&0x0f)<<8 + int(lp[p+1])
		return lp[from:to:to], 0, false
	case b == enc32BitStr:
		from := p + 5
		to := from + int(binary.LittleEndian.Uint32(lp[p+1:]))
		return lp[from:to:to], 0, false
	case b == encInt16:
		return nil, int64(int16(binary.LittleEndian.Uint16(lp[p+1:]))), true
	case b == encInt24:
		_ = lp[p+3]
		u := uint32(lp[p+1]) | uint32(lp[p+2])<<8 | uint32(lp[p+3])<<16
		return nil, int64(int32(u<<8) >> 8), true
	case b == encInt32:
		return nil, int64(int32(binary.LittleEndian.Uint32(lp[p+1:]))), true
	case b == encInt64:
		return nil, int64(binary.LittleEndian.Uint64(lp[p+1:])), true
	}
	panic(fmt.Sprintf("listpack: encoding 0x%02x at offset %d of %d", b, p, len(lp)))
}

// Get returns the text of the entry p: a view into lp, or for an integer into
// buf.
func Get(lp []byte, p int, buf *IntBuf) []byte {
	s, n, isInt := Entry(lp, p)
	if isInt {
		return strconv.AppendInt(buf[:0], n, 10)
	}
	return s
}

// GetInt returns the integer at p; ok is false when it is a string. (A string
// that reads as an integer is never stored as a string by Redis or by this
// package, but may be by others.)
func GetInt(lp []byte, p int) (n int64, ok bool) {
	s, n, isInt := Entry(lp, p)
	if !isInt {
		return ParseInt(s)
	}
	return n, true
}

// Equal reports whether the text of the entry p is s.
func Equal(lp []byte, p int, s []byte) bool {
	e, n, isInt := Entry(lp, p)
	if !isInt {
		return bytes.Equal(e, s)
	}
	v, ok := ParseInt(s)
	return ok && v == n
}

// Find looks for the text s from the entry p on, comparing one entry and then
// passing over skip (1 to compare only the keys of pairs). It returns the entry
// or -1. p may be -1.
func Find(lp []byte, p int, s []byte, skipN int) int {
	v, isNum := ParseInt(s)
	// Nearly all entries are short strings, told apart by their first byte, which
	// has their length, and by their last: fields of one hash often begin alike.
	tag, last := byte(eof), byte(0)
	if n := len(s); n > 0 && n < 64 {
		tag, last = 0x80|byte(n), s[n-1]
	}
	for p >= 0 {
		switch b := lp[p]; {
		case b == tag:
			if e := lp[p+1 : p+1+len(s)]; e[len(e)-1] == last && string(e) == string(s) {
				return p
			}
		case b >= 0x81 && b < 0xc0:
			// A short string of another length.
		default:
			e, n, isInt := Entry(lp, p)
			if isInt {
				if isNum && v == n {
					return p
				}
			} else if len(e) == len(s) && string(e) == string(s) {
				return p
			}
		}
		for k := skipN; ; k-- {
			if n := shortSize[lp[p]]; n != 0 {
				p += int(n)
			} else {
				p = skip(lp, p)
			}
			if lp[p] == eof {
				return -1
			}
			if k == 0 {
				break
			}
		}
	}
	return -1
}

// shortSize is the size of an entry, backlen included, by its first byte, where
// that tells it all: integers of 7 and 13 bits, strings of up to 63 bytes.
var shortSize = func() (t [256]uint8) {
	for b := range t {
		switch {
		case b < 0x80:
			t[b] = 2
		case b < 0xc0:
			t[b] = uint8(b&0x3f) + 2
		case b < 0xe0:
			t[b] = 3
		}
	}
	return t
}()

// ParseInt returns the value of s if s is the canonical decimal form of an
// int64: what a listpack stores as an integer.
func ParseInt(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > IntBufSize {
		return 0, false
	}
	i := 0
	neg := s[0] == '-'
	if neg {
		i = 1
		if len(s) == 1 {
			return 0, false
		}
	}
	if s[i] == '0' {
		return 0, len(s) == 1
	}
	var v uint64
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		if v > math.MaxUint64/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
		if v < uint64(c) {
			return 0, false
		}
	}
	if neg {
		if v > 1<<63 {
			return 0, false
		}
		return -int64(v), true
	}
	if v > math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}

// EntrySize returns the bytes that s takes as an entry, backlen included.
func EntrySize(s []byte) int {
	if v, ok := ParseInt(s); ok {
		return EntrySizeInt(v)
	}
	n := len(s)
	switch {
	case n < 64:
		n++
	case n < 4096:
		n += 2
	default:
		n += 5
	}
	return n + backlenSize(n)
}

// EntrySizeInt returns the bytes that n takes as an entry, backlen included.
func EntrySizeInt(n int64) int {
	switch {
	case n >= 0 && n <= 127:
		return 2
	case n >= -4096 && n <= 4095:
		return 3
	case n >= math.MinInt16 && n <= math.MaxInt16:
		return 4
	case n >= -1<<23 && n < 1<<23:
		return 5
	case n >= math.MinInt32 && n <= math.MaxInt32:
		return 6
	}
	return 10
}

// AppendEntry appends the encoding of s, backlen included, to dst: the means to
// build many entries at once. Start with Begin and complete with Finish.
func AppendEntry(dst, s []byte) []byte {
	if v, ok := ParseInt(s); ok {
		return AppendEntryInt(dst, v)
	}
	n := len(s)
	start := len(dst)
	switch {
	case n < 64:
		dst = append(dst, 0x80|byte(n))
	case n < 4096:
		dst = append(dst, 0xe0|byte(n>>8), byte(n))
	default:
		dst = append(dst, enc32BitStr, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	dst = append(dst, s...)
	return appendBacklen(dst, len(dst)-start)
}

// AppendEntryInt is AppendEntry for an integer.
func AppendEntryInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0 && v <= 127:
		return append(dst, byte(v), 1)
	case v >= -4096 && v <= 4095:
		return append(dst, 0xc0|byte(v>>8)&0x1f, byte(v), 2)
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return append(dst, encInt16, byte(v), byte(v>>8), 3)
	case v >= -1<<23 && v < 1<<23:
		return append(dst, encInt24, byte(v), byte(v>>8), byte(v>>16), 4)
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return append(dst, encInt32, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), 5)
	}
	dst = append(dst, encInt64)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	return append(dst, 9)
}

// Begin appends an unfinished header to dst, to be followed by entries and
// Finish.
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0, 0, 0) }

// Finish completes the listpack of n entries that was begun at dst[start:]: it
// appends the end byte and fills in the header.
func Finish(dst []byte, start, n int) []byte {
	dst = append(dst, eof)
	setSize(dst[start:])
	binary.LittleEndian.PutUint16(dst[start+4:], uint16(min(n, countUnknown)))
	return dst
}

// Append adds s after the last entry.
func Append(lp, s []byte) []byte {
	lp = AppendEntry(lp[:len(lp)-1], s)
	lp = append(lp, eof)
	setSize(lp)
	addCount(lp, 1)
	return lp
}

// AppendInt adds n after the last entry.
func AppendInt(lp []byte, n int64) []byte {
	lp = AppendEntryInt(lp[:len(lp)-1], n)
	lp = append(lp, eof)
	setSize(lp)
	addCount(lp, 1)
	return lp
}

// Prepend adds s before the first entry.
func Prepend(lp, s []byte) []byte { return Insert(lp, HeaderSize, s) }

// PrependInt adds n before the first entry.
func PrependInt(lp []byte, n int64) []byte { return InsertInt(lp, HeaderSize, n) }

// Insert adds s before the entry p, or at the end when p is len(lp)-1. The new
// entry stands at p.
func Insert(lp []byte, p int, s []byte) []byte {
	lp = open(lp, p, p, EntrySize(s))
	AppendEntry(lp[:p:len(lp)], s)
	addCount(lp, 1)
	return lp
}

// InsertInt is Insert for an integer.
func InsertInt(lp []byte, p int, n int64) []byte {
	lp = open(lp, p, p, EntrySizeInt(n))
	AppendEntryInt(lp[:p:len(lp)], n)
	addCount(lp, 1)
	return lp
}

// InsertAfter adds s after the entry p and returns where the new entry stands.
func InsertAfter(lp []byte, p int, s []byte) ([]byte, int) {
	p = skip(lp, p)
	return Insert(lp, p, s), p
}

// Replace puts s in the place of the entry p; the new one stands at p too.
func Replace(lp []byte, p int, s []byte) []byte {
	lp = open(lp, p, skip(lp, p), EntrySize(s))
	AppendEntry(lp[:p:len(lp)], s)
	return lp
}

// ReplaceInt is Replace for an integer.
func ReplaceInt(lp []byte, p int, n int64) []byte {
	lp = open(lp, p, skip(lp, p), EntrySizeInt(n))
	AppendEntryInt(lp[:p:len(lp)], n)
	return lp
}

// Delete removes the entry p. What followed it then stands at p: next is p, or
// -1 when it was the last.
func Delete(lp []byte, p int) (out []byte, next int) {
	lp = open(lp, p, skip(lp, p), 0)
	addCount(lp, -1)
	if lp[p] == eof {
		return lp, -1
	}
	return lp, p
}

// DeleteN removes up to n entries from the entry p on; next as with Delete.
func DeleteN(lp []byte, p, n int) (out []byte, next int) {
	to := p
	k := 0
	for ; k < n && lp[to] != eof; k++ {
		to = skip(lp, to)
	}
	lp = open(lp, p, to, 0)
	addCount(lp, -k)
	if lp[p] == eof {
		return lp, -1
	}
	return lp, p
}

// DeleteRange removes up to n entries from the one with the given index on
// (negative: from the end).
func DeleteRange(lp []byte, index, n int) []byte {
	p := Seek(lp, index)
	if p < 0 || n <= 0 {
		return lp
	}
	lp, _ = DeleteN(lp, p, n)
	return lp
}

// Concat appends the entries of b to a. b is not changed and must not share
// memory with a.
func Concat(a, b []byte) []byte {
	n := Len(a) + Len(b)
	a = append(a[:len(a)-1], b[HeaderSize:]...)
	setSize(a)
	binary.LittleEndian.PutUint16(a[4:], uint16(min(n, countUnknown)))
	return a
}

// open replaces lp[from:to] by n bytes of unspecified content and sets the size
// in the header.
func open(lp []byte, from, to, n int) []byte {
	if to-from == n {
		return lp // the usual replacement: what follows stays where it is
	}
	size := len(lp) - (to - from) + n
	if size > len(lp) {
		old := len(lp)
		lp = slices.Grow(lp, size-old)[:size]
		copy(lp[from+n:], lp[to:old])
	} else {
		copy(lp[from+n:], lp[to:])
		lp = lp[:size]
	}
	setSize(lp)
	return lp
}
