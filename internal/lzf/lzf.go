// Package lzf is the LZF compression that RDB files use for strings of more
// than 20 bytes (rdbcompression yes). The format is Marc Lehmann's LibLZF, a
// byte-oriented LZ77 without entropy coding:
//
//	000LLLLL <L+1 bytes>              a literal run of 1 to 32 bytes
//	LLLooooo oooooooo                 copy L+2 bytes (L 1..6) from o+1 bytes back
//	111ooooo LLLLLLLL oooooooo        copy L+9 bytes (L 0..255) from o+1 bytes back
//
// A copy may overlap what it writes, which is how runs are expressed. Three
// bytes in can thus become at most 264 bytes out.
//
// Decompression keeps no state and may be called by any goroutine; compression
// keeps its state in a Table that one goroutine owns.
package lzf

import (
	"encoding/binary"
	"errors"
)

// MaxRatio bounds how many bytes one byte of compressed data can become: a
// three-byte copy yields at most 264 bytes.
const MaxRatio = 88

// ErrCorrupt says that compressed data is not well formed, or does not
// decompress to exactly the length announced.
var ErrCorrupt = errors.New("corrupt LZF data")

const (
	maxLiteral = 32
	maxOffset  = 1 << 13
	maxCopy    = 264
	hashSize   = 1 << 16
)

// DecompressedLen walks the tokens of src and returns the length of what it
// decompresses to, without producing it. Only the structure is checked.
func DecompressedLen(src []byte) (int, error) {
	n := 0
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		switch {
		case c < 32:
			i += c + 1
			n += c + 1
		case c < 7<<5:
			i++
			n += c>>5 + 2
		default:
			if i >= len(src) {
				return 0, ErrCorrupt
			}
			n += int(src[i]) + 9
			i += 2
		}
		if i > len(src) {
			return 0, ErrCorrupt
		}
	}
	return n, nil
}

// Decompress fills dst with what src decompresses to. It fails with ErrCorrupt
// unless the result has exactly len(dst) bytes. dst and src must not overlap.
func Decompress(dst, src []byte) error {
	d := 0
	for i := 0; i < len(src); {
		c := int(src[i])
		i++
		if c < 32 {
			c++
			if len(src)-i < c || len(dst)-d < c {
				return ErrCorrupt
			}
			if c <= 16 && len(src)-i >= 16 && len(dst)-d >= 16 {
				// Short literals are the rule: two words beat a call of memmove.
				// What is copied too much is overwritten by what follows.
				binary.LittleEndian.PutUint64(dst[d:], binary.LittleEndian.Uint64(src[i:]))
				binary.LittleEndian.PutUint64(dst[d+8:], binary.LittleEndian.Uint64(src[i+8:]))
			} else {
				copy(dst[d:d+c], src[i:i+c])
			}
			i += c
			d += c
			continue
		}
		n := c >> 5
		if n == 7 {
			if i >= len(src) {
				return ErrCorrupt
			}
			n += int(src[i])
			i++
		}
		n += 2
		if i >= len(src) {
			return ErrCorrupt
		}
		dist := (c&31)<<8 | int(src[i]) + 1
		i++
		if dist > d || len(dst)-d < n {
			return ErrCorrupt
		}
		copyBack(dst[:d+n], d, dist)
		d += n
	}
	if d != len(dst) {
		return ErrCorrupt
	}
	return nil
}

// copyBack fills dst from d on with what stands dist bytes before; the copy may
// read what it wrote.
func copyBack(dst []byte, d, dist int) {
	switch {
	case dist == 1:
		b := dst[d-1]
		word := uint64(b) * 0x0101010101010101
		for ; len(dst)-d >= 8; d += 8 {
			binary.LittleEndian.PutUint64(dst[d:], word)
		}
		for ; d < len(dst); d++ {
			dst[d] = b
		}
	case dist >= len(dst)-d && len(dst)-d > 32:
		copy(dst[d:], dst[d-dist:])
	case dist >= 8:
		for ; len(dst)-d >= 8; d += 8 {
			binary.LittleEndian.PutUint64(dst[d:], binary.LittleEndian.Uint64(dst[d-dist:]))
		}
		for ; d < len(dst); d++ {
			dst[d] = dst[d-dist]
		}
	default:
		// Short periods: double what is there.
		from := d - dist
		for d < len(dst) {
			d += copy(dst[d:], dst[from:d])
		}
	}
}

// Table is the compressor's memory of where each hash of three bytes was last
// seen. Its zero value is ready; it may be kept for the life of an encoder, and
// what it remembers of earlier inputs does not influence later ones. 256 KB.
type Table struct {
	seen [hashSize]uint32
	// base is added to positions: what is not above it is from an earlier input.
	base uint32
}

// slot is LibLZF's hash of three bytes.
func slot(a, b, c byte) uint32 {
	h := uint32(a)<<16 | uint32(b)<<8 | uint32(c)
	return (h>>8 - h*5) & (hashSize - 1)
}

// Compress appends the compressed form of src to dst and returns it with true,
// or dst unchanged and false when the result would not fit into limit bytes.
// (Redis keeps a compressed string only if it saves at least four bytes:
// limit = len(src)-4.) It finds the same matches as LibLZF does in Redis, so that
// a DUMP of the same string has the same bytes. src must be shorter than 4 GiB.
func Compress(dst, src []byte, limit int, t *Table) ([]byte, bool) {
	if len(src) == 0 || limit <= 0 {
		return dst, false
	}
	if uint64(t.base)+uint64(len(src)) >= 1<<32 {
		*t = Table{}
	}
	base := t.base
	t.base += uint32(len(src))

	start := len(dst)
	lit := 0 // literals before i that are not yet written
	i := 0
	last := len(src) - 3 // the last position with three bytes
	for i <= last {
		h := slot(src[i], src[i+1], src[i+2])
		ref := t.seen[h]
		t.seen[h] = base + uint32(i)
		// Position 0 is never a match: it cannot be told from an unset slot.
		p := int(int64(ref) - int64(base))
		if p <= 0 || i-p > maxOffset || src[p] != src[i] || src[p+1] != src[i+1] || src[p+2] != src[i+2] {
			if len(dst)-start+1+lit >= limit {
				return dst[:start], false
			}
			i++
			if lit++; lit == maxLiteral {
				dst = appendLiterals(dst, src[i-lit:i])
				lit = 0
			}
			continue
		}
		size := len(dst) - start + 4
		if lit > 0 {
			size += lit + 1
		}
		if size >= limit {
			return dst[:start], false
		}
		n := matchLen(src, p, i)
		dst = appendLiterals(dst, src[i-lit:i])
		lit = 0
		back := i - p - 1
		if n-2 < 7 {
			dst = append(dst, byte((n-2)<<5|back>>8), byte(back))
		} else {
			dst = append(dst, byte(7<<5|back>>8), byte(n-2-7), byte(back))
		}
		i += n
		if i > last {
			break
		}
		// Of the positions within the match only the last two are remembered.
		t.seen[slot(src[i-2], src[i-1], src[i])] = base + uint32(i-2)
		t.seen[slot(src[i-1], src[i], src[i+1])] = base + uint32(i-1)
	}
	if len(dst)-start+1+lit+3 > limit {
		return dst[:start], false
	}
	return appendLiterals(dst, src[i-lit:]), true
}

// matchLen returns how many bytes from p and from i on are taken as equal; three
// are known to be. LibLZF looks at 16 further ones before it minds the bound,
// which lies two before the end of the input.
func matchLen(src []byte, p, i int) int {
	bound := min(len(src)-i-2, maxCopy)
	n := 2
	if bound > 16 {
		for range 16 {
			if n++; src[p+n] != src[i+n] {
				return n
			}
		}
	}
	for {
		if n++; n >= bound || src[p+n] != src[i+n] {
			return n
		}
	}
}

func appendLiterals(dst, p []byte) []byte {
	for len(p) > maxLiteral {
		dst = append(dst, maxLiteral-1)
		dst = append(dst, p[:maxLiteral]...)
		p = p[maxLiteral:]
	}
	if len(p) > 0 {
		dst = append(dst, byte(len(p)-1))
		dst = append(dst, p...)
	}
	return dst
}
