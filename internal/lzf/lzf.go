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
// All functions are pure: they keep no state between calls and may be called by
// any goroutine.
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
	hashBits   = 13
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
			copy(dst[d:d+c], src[i:i+c])
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
		back := (c&31)<<8 | int(src[i])
		i++
		from := d - back - 1
		if from < 0 || len(dst)-d < n {
			return ErrCorrupt
		}
		if back+1 >= n {
			copy(dst[d:d+n], dst[from:from+n])
			d += n
			continue
		}
		// The copy reads what it writes: double the period until it is done.
		end := d + n
		for d < end {
			d += copy(dst[d:end], dst[from:d])
		}
	}
	if d != len(dst) {
		return ErrCorrupt
	}
	return nil
}

// Table is the compressor's dictionary: the last position at which each hash of
// three bytes was seen. It needs no initialisation and no clearing between
// calls (a stale position is verified before use), so one may be kept for the
// life of an encoder. It is 32 KB.
type Table [1 << hashBits]uint32

func hash3(v uint32) uint32 {
	return (v & 0xffffff) * 0x9e3779b1 >> (32 - hashBits)
}

// Compress appends the compressed form of src to dst and returns it with true,
// or dst unchanged and false when the result would not be shorter than limit
// bytes. Redis keeps a compressed string only if it saves at least four bytes:
// limit = len(src)-4. src must be shorter than 4 GiB.
func Compress(dst, src []byte, limit int, t *Table) ([]byte, bool) {
	start := len(dst)
	if len(src) < 4 || limit <= 0 {
		return dst, false
	}
	lit := 0 // start of the literals that are not yet written
	i := 0
	last := len(src) - 4 // the last position at which four bytes can be read
	for i <= last {
		v := binary.LittleEndian.Uint32(src[i:])
		h := hash3(v)
		p := int(t[h])
		t[h] = uint32(i)
		if p >= i || i-p > maxOffset || (binary.LittleEndian.Uint32(src[p:])^v)&0xffffff != 0 {
			i++
			continue
		}
		n := 3
		maxN := min(len(src)-i, maxCopy)
		for n < maxN && src[p+n] == src[i+n] {
			n++
		}
		dst = appendLiterals(dst, src[lit:i])
		back := i - p - 1
		if n-2 < 7 {
			dst = append(dst, byte((n-2)<<5|back>>8), byte(back))
		} else {
			dst = append(dst, byte(7<<5|back>>8), byte(n-2-7), byte(back))
		}
		if len(dst)-start >= limit {
			return dst[:start], false
		}
		// Remember the two positions before the end of the match: enough to
		// find the continuation of most repeats without hashing every byte.
		end := i + n
		for _, k := range [2]int{end - 2, end - 1} {
			if k <= last {
				t[hash3(binary.LittleEndian.Uint32(src[k:]))] = uint32(k)
			}
		}
		i = end
		lit = end
	}
	rest := len(src) - lit
	if len(dst)-start+rest+(rest+maxLiteral-1)/maxLiteral >= limit {
		return dst[:start], false
	}
	return appendLiterals(dst, src[lit:]), true
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
