package listpack

import (
	"encoding/binary"
	"fmt"
)

// CorruptError says what is wrong with a listpack, and where in it.
type CorruptError struct {
	// Offset in bytes from the start of the listpack.
	Offset int
	msg    string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt listpack at byte %d: %s", e.Offset, e.msg)
}

func bad(off int, format string, args ...any) error {
	return &CorruptError{off, fmt.Sprintf(format, args...)}
}

// Validate checks every byte of structure in lp: after it returns nil, all
// functions of this package can walk and change lp. It returns the number of
// entries. Errors are *CorruptError.
//
// The rules are those of Redis's deep validation: the stated size is the real
// one, every entry's encoding is known and its length stays inside, every
// backlen has the canonical size and repeats the length, the end byte is where
// the size says, and the stated count is right or unknown.
func Validate(lp []byte) (n int, err error) {
	if len(lp) < EmptySize {
		return 0, bad(0, "%d bytes are not even an empty listpack", len(lp))
	}
	if s := binary.LittleEndian.Uint32(lp); uint64(s) != uint64(len(lp)) {
		return 0, bad(0, "the header states %d bytes, there are %d", s, len(lp))
	}
	end := len(lp) - 1
	if lp[end] != eof {
		return 0, bad(end, "no end byte")
	}
	for p := HeaderSize; p < end; n++ {
		size := 1
		switch b := lp[p]; {
		case b < 0x80:
			// The commonest entry is a small integer: 1 byte and backlen 1.
			if p+1 >= end {
				return 0, bad(p, "an entry ends beyond the end byte")
			}
			if lp[p+1] != 1 {
				return 0, bad(p+1, "backlen %d after an entry of 1 byte", lp[p+1])
			}
			p += 2
			continue
		case b < 0xc0:
			size = 1 + int(b&0x3f)
		case b < 0xe0:
			size = 2
		case b < 0xf0:
			if p+1 >= end {
				return 0, bad(p, "an entry ends beyond the end byte")
			}
			size = 2 + int(b&0x0f)<<8 + int(lp[p+1])
		case b == enc32BitStr:
			if end-p <= 4 {
				return 0, bad(p, "an entry ends beyond the end byte")
			}
			size = 5 + int(binary.LittleEndian.Uint32(lp[p+1:]))
		case b == encInt16:
			size = 3
		case b == encInt24:
			size = 4
		case b == encInt32:
			size = 5
		case b == encInt64:
			size = 9
		case b == eof:
			return 0, bad(p, "an end byte before the end at byte %d", end)
		default:
			return 0, bad(p, "unknown encoding 0x%02x", b)
		}
		k := backlenSize(size)
		if size > end-p || k > end-p-size {
			return 0, bad(p, "an entry of %d bytes ends beyond the end byte", size)
		}
		p += size
		if k == 1 {
			if int(lp[p]) != size {
				return 0, bad(p, "backlen %d after an entry of %d bytes", lp[p], size)
			}
		} else if !backlenIs(lp[p:p+k], size) {
			return 0, bad(p, "backlen % x after an entry of %d bytes", lp[p:p+k], size)
		}
		p += k
	}
	if c := int(binary.LittleEndian.Uint16(lp[4:])); c != countUnknown && c != n {
		return 0, bad(4, "the header states %d entries, there are %d", c, n)
	}
	return n, nil
}

func backlenIs(b []byte, n int) bool {
	for i := len(b) - 1; i >= 0; i-- {
		c := byte(n & 127)
		if i > 0 {
			c |= 128
		}
		if b[i] != c {
			return false
		}
		n >>= 7
	}
	return true
}
