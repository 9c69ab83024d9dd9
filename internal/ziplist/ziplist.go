// Package ziplist reads the two packed encodings that RDB files of older
// servers hold, and turns them into listpacks: the ziplist (lists, hashes and
// sorted sets before Redis 7.0) and the zipmap (hashes before Redis 2.6).
//
// A ziplist:
//
//	┌────────────┬───────────┬────────────┬───────┬───────┬─────┬──────┐
//	│ bytes: 4LE │ tail: 4LE │ count: 2LE │ entry │ entry │ ... │ 0xFF │
//	└────────────┴───────────┴────────────┴───────┴───────┴─────┴──────┘
//	tail: offset of the last entry      count: 65535 = not known
//	entry:  previous entry's size (1 byte below 254, else 0xFE and 4LE), encoding, data
//
//	encoding                        data
//	00xxxxxx                        string of x bytes
//	01xxxxxx xxxxxxxx               string of x bytes, big endian
//	10------ length:4BE             string
//	11000000                        integer of 16 bits, little endian
//	11010000                        integer of 32 bits
//	11100000                        integer of 64 bits
//	11110000                        integer of 24 bits
//	11111110                        integer of 8 bits
//	1111xxxx (0001..1101)           none: the integer x-1
//
// A zipmap:
//
//	┌──────────┬─────┬───────┬─────┬──────┬───────┬──────────────┬─────┬──────┐
//	│ count: 1 │ len │ field │ len │ free │ value │ `free` bytes │ ... │ 0xFF │
//	└──────────┴─────┴───────┴─────┴──────┴───────┴──────────────┴─────┴──────┘
//	count: 254 or 255 = not known   len: 1 byte below 254, else 0xFE and 4LE   free: 1 byte
//
// Everything is checked while it is read, with the rules of Redis's deep
// validation. Conversion allocates only what the listpack needs.
package ziplist

import (
	"encoding/binary"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// HeaderSize is the offset of a ziplist's first entry.
const HeaderSize = 10

const (
	end     = 0xff
	bigPrev = 254
)

// CorruptError says what is wrong, and where.
type CorruptError struct {
	// Offset in bytes from the start of the ziplist or zipmap.
	Offset int
	kind   string
	msg    string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt %s at byte %d: %s", e.kind, e.Offset, e.msg)
}

func bad(off int, format string, args ...any) error {
	return &CorruptError{off, "ziplist", fmt.Sprintf(format, args...)}
}

// Iter walks a ziplist and checks each entry as it comes to it.
type Iter struct {
	zl       []byte
	pos      int
	prevSize int // size of the entry before pos
	prev     int // offset of the entry before pos, -1 none
	n        int

	// Str is the current entry as a view when it is a string; else it is nil
	// and Int is its value.
	Str []byte
	// Int is the value of the current entry when IsInt.
	Int int64
	// IsInt tells which of the two it is.
	IsInt bool
}

// Start checks the header of zl and makes it the ziplist to walk.
func (it *Iter) Start(zl []byte) error {
	*it = Iter{zl: zl, pos: HeaderSize, prev: -1}
	if len(zl) < HeaderSize+1 {
		return bad(0, "%d bytes are not even an empty ziplist", len(zl))
	}
	if n := binary.LittleEndian.Uint32(zl); uint64(n) != uint64(len(zl)) {
		return bad(0, "the header states %d bytes, there are %d", n, len(zl))
	}
	if zl[len(zl)-1] != end {
		return bad(len(zl)-1, "no end byte")
	}
	if tail := binary.LittleEndian.Uint32(zl[4:]); uint64(tail) > uint64(len(zl)-1) {
		return bad(4, "the last entry is said to be at %d of %d", tail, len(zl))
	}
	return nil
}

// Next moves to the next entry; ok is false at the end, when the header's count
// and tail were checked too.
func (it *Iter) Next() (ok bool, err error) {
	zl, p := it.zl, it.pos
	last := len(zl) - 1 // the end byte
	if zl[p] == end {
		return false, it.finish()
	}
	prevSize, h := int(zl[p]), 1
	if prevSize >= bigPrev {
		h = 5
		if last-p < h {
			return false, bad(p, "an entry ends beyond the end byte")
		}
		prevSize = int(binary.LittleEndian.Uint32(zl[p+1:]))
	}
	if prevSize != it.prevSize {
		return false, bad(p, "the entry before has %d bytes, not %d", it.prevSize, prevSize)
	}
	q := p + h
	if q >= last {
		return false, bad(p, "an entry ends beyond the end byte")
	}
	enc := zl[q]
	size, n := 1, 0 // bytes of the encoding and of the data
	switch {
	case enc < 0x40:
		n = int(enc)
	case enc < 0x80:
		if size = 2; last-q >= size {
			n = int(enc&0x3f)<<8 | int(zl[q+1])
		}
	case enc < 0xc0:
		if size = 5; last-q >= size {
			n = int(binary.BigEndian.Uint32(zl[q+1:]))
		}
	case enc == 0xc0:
		n = 2
	case enc == 0xd0:
		n = 4
	case enc == 0xe0:
		n = 8
	case enc == 0xf0:
		n = 3
	case enc == 0xfe:
		n = 1
	case enc >= 0xf1 && enc <= 0xfd:
	default:
		return false, bad(q, "unknown encoding 0x%02x", enc)
	}
	if last-q < size || last-q-size < n {
		return false, bad(p, "an entry ends beyond the end byte")
	}
	data := zl[q+size : q+size+n : q+size+n]
	it.Str, it.Int, it.IsInt = nil, 0, true
	switch {
	case enc < 0xc0:
		it.Str, it.IsInt = data, false
	case n == 2:
		it.Int = int64(int16(binary.LittleEndian.Uint16(data)))
	case n == 4:
		it.Int = int64(int32(binary.LittleEndian.Uint32(data)))
	case n == 8:
		it.Int = int64(binary.LittleEndian.Uint64(data))
	case n == 3:
		it.Int = int64(int32(uint32(data[0])<<8|uint32(data[1])<<16|uint32(data[2])<<24) >> 8)
	case n == 1:
		it.Int = int64(int8(data[0]))
	default:
		it.Int = int64(enc&0x0f) - 1
	}
	it.prev = p
	it.pos = q + size + n
	it.prevSize = it.pos - p
	it.n++
	return true, nil
}

func (it *Iter) finish() error {
	if it.pos != len(it.zl)-1 {
		return bad(it.pos, "an end byte before the end at byte %d", len(it.zl)-1)
	}
	if tail := binary.LittleEndian.Uint32(it.zl[4:]); it.prev >= 0 && int(tail) != it.prev {
		return bad(4, "the last entry is said to be at %d, it is at %d", tail, it.prev)
	}
	if c := int(binary.LittleEndian.Uint16(it.zl[8:])); c != 0xffff && c != it.n {
		return bad(8, "the header states %d entries, there are %d", c, it.n)
	}
	return nil
}

// Validate checks zl in depth and returns the number of its entries.
func Validate(zl []byte) (n int, err error) {
	var it Iter
	if err := it.Start(zl); err != nil {
		return 0, err
	}
	for {
		ok, err := it.Next()
		if !ok || err != nil {
			return it.n, err
		}
	}
}

// AppendListpack appends the listpack with the entries of zl to dst and returns
// how many there are. On an error dst is returned as it was.
func AppendListpack(dst, zl []byte) (out []byte, n int, err error) {
	var it Iter
	if err := it.Start(zl); err != nil {
		return dst, 0, err
	}
	start := len(dst)
	out = listpack.Begin(dst)
	for {
		ok, err := it.Next()
		if err != nil {
			return out[:start], 0, err
		}
		if !ok {
			return listpack.Finish(out, start, it.n), it.n, nil
		}
		if it.IsInt {
			out = listpack.AppendEntryInt(out, it.Int)
		} else {
			out = listpack.AppendEntry(out, it.Str)
		}
	}
}
