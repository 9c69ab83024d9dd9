// Package intset is Redis's intset: a small set of integers in one block of
// memory, sorted, in the narrowest width that holds all of them.
//
//	┌────────────┬─────────────┬────┬────┬─────┬────┐
//	│ width: 4LE │ length: 4LE │ v0 │ v1 │ ... │ vn │   v0 < v1 < ... < vn
//	└────────────┴─────────────┴────┴────┴─────┴────┘
//	                           ▲ offset 8, each width bytes, little endian, signed
//
// width is 2, 4 or 8. Adding a value that does not fit upgrades the whole set to
// the next width that does; it is never narrowed again. The same bytes stand in
// memory and in an RDB (intset.c).
//
// A set is a []byte whose len is exactly its size. Functions that change one
// work in place when the capacity allows and return the slice that is now valid,
// as append does. What came from outside must pass Validate first. Reading
// allocates nothing. Nothing here is safe for concurrent use.
package intset

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// HeaderSize is the offset of the first value: the size of an empty set.
const HeaderSize = 8

// New returns an empty set with room for n values of 16 bits.
func New(n int) []byte { return Append(make([]byte, 0, HeaderSize+2*n)) }

// Append appends the eight bytes of an empty set to dst.
func Append(dst []byte) []byte { return append(dst, 2, 0, 0, 0, 0, 0, 0, 0) }

// Len returns the number of values.
func Len(s []byte) int { return int(binary.LittleEndian.Uint32(s[4:])) }

// Width returns the bytes of each value: 2, 4 or 8.
func Width(s []byte) int { return int(s[0]) }

func widthOf(v int64) int {
	switch {
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return 2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return 4
	}
	return 8
}

// Get returns the value with the index i, 0 <= i < Len(s), in ascending order.
func Get(s []byte, i int) int64 { return get(s, i, Width(s)) }

func get(s []byte, i, w int) int64 {
	p := s[HeaderSize+i*w:]
	switch w {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p)))
	case 8:
		return int64(binary.LittleEndian.Uint64(p))
	}
	panic(fmt.Sprintf("intset: width %d of a set of %d bytes", w, len(s)))
}

func set(s []byte, i, w int, v int64) {
	p := s[HeaderSize+i*w:]
	switch w {
	case 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p, uint32(v))
	case 8:
		binary.LittleEndian.PutUint64(p, uint64(v))
	}
}

// Search returns where v is, or with found false where it would be inserted.
// O(log n).
func Search(s []byte, v int64) (i int, found bool) {
	w, n := Width(s), Len(s)
	if n == 0 {
		return 0, false
	}
	// The ends first: appending in order is the common way to fill a set.
	if last := get(s, n-1, w); v >= last {
		if v == last {
			return n - 1, true
		}
		return n, false
	}
	if v < get(s, 0, w) {
		return 0, false
	}
	lo, hi := 0, n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if get(s, mid, w) < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < n && get(s, lo, w) == v
}

// Contains reports whether v is in the set.
func Contains(s []byte, v int64) bool {
	_, found := Search(s, v)
	return found
}

// SizeWith returns the size in bytes of the set with v added to it, assuming v
// is not there yet.
func SizeWith(s []byte, v int64) int {
	return HeaderSize + (Len(s)+1)*max(Width(s), widthOf(v))
}

// Add adds v; added is false when it was there.
func Add(s []byte, v int64) (out []byte, added bool) {
	w, n := Width(s), Len(s)
	if need := widthOf(v); need > w {
		return upgrade(s, v, need), true
	}
	i, found := Search(s, v)
	if found {
		return s, false
	}
	s = slices.Grow(s, w)[:len(s)+w]
	at := HeaderSize + i*w
	copy(s[at+w:], s[at:len(s)-w])
	set(s, i, w, v)
	setLen(s, n+1)
	return s, true
}

// upgrade widens every value and adds v, which is wider than all of them and so
// stands at one of the ends.
func upgrade(s []byte, v int64, w int) []byte {
	old, n := Width(s), Len(s)
	size := HeaderSize + (n+1)*w
	s = slices.Grow(s, size-len(s))[:size]
	shift := 0
	if v < 0 {
		shift = 1
	}
	// From the end, so that no value is overwritten before it is read.
	for i := n - 1; i >= 0; i-- {
		set(s, i+shift, w, get(s, i, old))
	}
	if v < 0 {
		set(s, 0, w, v)
	} else {
		set(s, n, w, v)
	}
	binary.LittleEndian.PutUint32(s, uint32(w))
	setLen(s, n+1)
	return s
}

// Remove removes v; removed is false when it was not there.
func Remove(s []byte, v int64) (out []byte, removed bool) {
	w := Width(s)
	if widthOf(v) > w {
		return s, false
	}
	i, found := Search(s, v)
	if !found {
		return s, false
	}
	return RemoveAt(s, i), true
}

// RemoveAt removes the value with the index i.
func RemoveAt(s []byte, i int) []byte {
	w, n := Width(s), Len(s)
	at := HeaderSize + i*w
	copy(s[at:], s[at+w:])
	s = s[:len(s)-w]
	setLen(s, n-1)
	return s
}

func setLen(s []byte, n int) { binary.LittleEndian.PutUint32(s[4:], uint32(n)) }

// CorruptError says what is wrong with an intset.
type CorruptError struct{ msg string }

func (e *CorruptError) Error() string { return "corrupt intset: " + e.msg }

// Validate checks everything: the width is known, the size is what the length
// says, and the values ascend without duplicates. It returns the number of
// values, which may be 0.
func Validate(s []byte) (n int, err error) {
	if len(s) < HeaderSize {
		return 0, &CorruptError{fmt.Sprintf("%d bytes are not even a header", len(s))}
	}
	w := binary.LittleEndian.Uint32(s)
	if w != 2 && w != 4 && w != 8 {
		return 0, &CorruptError{fmt.Sprintf("width %d", w)}
	}
	count := binary.LittleEndian.Uint32(s[4:])
	if uint64(len(s)-HeaderSize) != uint64(count)*uint64(w) {
		return 0, &CorruptError{fmt.Sprintf("%d values of %d bytes do not make %d bytes", count, w, len(s))}
	}
	n = int(count)
	for i := 1; i < n; i++ {
		if a, b := get(s, i-1, int(w)), get(s, i, int(w)); a >= b {
			return 0, &CorruptError{fmt.Sprintf("value %d is %d, after %d", i, b, a)}
		}
	}
	return n, nil
}
