// Package hll is the HyperLogLog of PFADD, PFCOUNT and PFMERGE: an estimate of
// how many different elements were seen, to about 0.8 %, in at most 12 KB.
//
// An element's 64-bit hash chooses one of 16384 registers by its low 14 bits;
// the register keeps the longest run of zeros, and the one behind it, that the
// other 50 bits began with in any element: 0 (none yet) to 51. The estimate
// comes from how many registers hold which value.
//
// A sketch is an ordinary string, byte for byte what redis-server makes of the
// same history, so that GET, DUMP, a snapshot and DEBUG DIGEST agree:
//
//	 0      4     5        8                16
//	┌──────┬─────┬────────┬────────────────┬───────────────────────────────┐
//	│ HYLL │ enc │ unused │ cached estimate│ registers                     │
//	└──────┴─────┴────────┴────────────────┴───────────────────────────────┘
//	         0 dense       little endian; the highest bit says that it is out
//	         1 sparse      of date
//
// Dense: 12288 bytes, 6 bits a register from the lowest bit of each byte up.
//
//	byte   0        1        2        3
//	    11000000 22221111 33333322 55444444 …
//
// Sparse: runs of equal registers, from the first to the last one.
//
//	00LLLLLL           ZERO   L+1 registers (1 to 64) that are 0
//	01LLLLLL LLLLLLLL  XZERO  L+1 registers (1 to 16384) that are 0
//	1VVVVVLL           VAL    L+1 registers (1 to 4) that are V+1 (1 to 32)
//
// A new sketch is one XZERO. It becomes dense when a register exceeds 32 or the
// string would become longer than hll-sparse-max-bytes, and stays so.
//
// Such a string may come from anywhere (SET, RESTORE, SETRANGE), so whoever
// reads a sparse one bears with runs that do not add up: ErrCorrupt, where
// redis-server says so too.
//
// Sources: P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal
// cardinality estimation algorithm" (2007); S. Heule et al., "HyperLogLog in
// Practice" (2013); O. Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (arXiv:1702.01284). The hash is A. Appleby's
// MurmurHash64A.
//
// Nothing here is safe for concurrent use, and nothing keeps a view of an
// argument beyond the call.
package hll

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

const (
	// Registers is how many registers a sketch has.
	Registers = 1 << indexBits
	// DenseSize is the length of a dense sketch, bytes.
	DenseSize = HeaderSize + Registers*registerBits/8
	// HeaderSize is the length of what precedes the registers, bytes.
	HeaderSize = 16

	indexBits    = 14
	hashBits     = 64 - indexBits // what is left of the hash to look for zeros in
	registerBits = 6
	registerMax  = 1<<registerBits - 1

	dense  = 0
	sparse = 1

	maxVal     = 32 // largest value of a VAL run
	maxValLen  = 4
	maxZeroLen = 64

	hashSeed = 0xadc83b19
)

// ErrCorrupt says that the runs of a sparse sketch do not make up its registers.
var ErrCorrupt = errors.New("corrupt HyperLogLog")

// Valid tells whether a string can be a sketch, by its header and length.
func Valid(s []byte) bool {
	return len(s) >= HeaderSize && string(s[:4]) == "HYLL" && s[4] <= sparse && (s[4] != dense || len(s) == DenseSize)
}

// IsDense tells whether a valid sketch is dense.
func IsDense(s []byte) bool { return s[4] == dense }

// AppendEmpty appends a sketch that has seen nothing.
func AppendEmpty(dst []byte) []byte {
	dst = append(dst, "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	return appendZeros(dst, Registers)
}

// Cached is the estimate kept in the header; ok is false if it is out of date.
func Cached(s []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(s[8:])
	return n, n>>63 == 0
}

// SetCached keeps an estimate in the header.
func SetCached(s []byte, n uint64) { binary.LittleEndian.PutUint64(s[8:], n) }

// Invalidate marks the estimate in the header as out of date.
func Invalidate(s []byte) { s[15] |= 1 << 7 }

// Hash returns the register that an element belongs to and the value it asks
// for, 1 to 51.
func Hash(elem []byte) (index int, value byte) {
	h := murmur64A(elem, hashSeed)
	index = int(h & (Registers - 1))
	h = h>>indexBits | 1<<hashBits
	return index, byte(bits.TrailingZeros64(h) + 1)
}

// murmur64A is MurmurHash64A, reading little-endian words on any machine.
func murmur64A(p []byte, seed uint64) uint64 {
	const m, r = 0xc6a4a7935bd1e995, 47
	h := seed ^ uint64(len(p))*m
	for ; len(p) >= 8; p = p[8:] {
		k := binary.LittleEndian.Uint64(p) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(p) > 0 {
		var tail uint64
		for i := len(p) - 1; i >= 0; i-- {
			tail = tail<<8 | uint64(p[i])
		}
		h = (h ^ tail) * m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}

// Register is register i of a dense sketch.
func Register(s []byte, i int) byte { return getRegister(s[HeaderSize:], i) }

// SetRegister raises register i of a dense sketch to v; false if it was as large
// already.
func SetRegister(s []byte, i int, v byte) bool {
	regs := s[HeaderSize:]
	if v <= getRegister(regs, i) {
		return false
	}
	putRegister(regs, i, v)
	return true
}

// AddDense adds an element to a dense sketch; false if that changes nothing. The
// cached estimate is the caller's.
func AddDense(s, elem []byte) bool {
	i, v := Hash(elem)
	return SetRegister(s, i, v)
}

func getRegister(regs []byte, i int) byte {
	at, shift := i*registerBits/8, i*registerBits&7
	v := uint(regs[at]) >> shift
	if shift > 8-registerBits {
		v |= uint(regs[at+1]) << (8 - shift)
	}
	return byte(v & registerMax)
}

func putRegister(regs []byte, i int, v byte) {
	at, shift := i*registerBits/8, i*registerBits&7
	regs[at] = regs[at]&^byte(registerMax<<shift) | v<<shift
	if shift > 8-registerBits {
		regs[at+1] = regs[at+1]&^(registerMax>>(8-shift)) | v>>(8-shift)
	}
}

// A run is one opcode of the sparse form.
type run struct {
	size  int  // bytes, 1 or 2
	n     int  // registers
	value byte // 0 for ZERO and XZERO
}

func isVal(b byte) bool { return b&0x80 != 0 }

// runAt reads the run at p[i]. A byte that an XZERO at the very end lacks counts
// as 0, as does the byte that ends a string in C.
func runAt(p []byte, i int) run {
	b := p[i]
	switch b >> 6 {
	case 0:
		return run{1, int(b) + 1, 0}
	case 1:
		low := byte(0)
		if i+1 < len(p) {
			low = p[i+1]
		}
		return run{2, int(b&0x3f)<<8 + int(low) + 1, 0}
	}
	return run{1, int(b&3) + 1, b>>2&0x1f + 1}
}

func val(v byte, n int) byte { return 0x80 | (v-1)<<2 | byte(n-1) }

// appendZeros appends a run of n zeros in the shortest form.
func appendZeros(dst []byte, n int) []byte {
	if n > maxZeroLen {
		return append(dst, 0x40|byte((n-1)>>8), byte(n-1))
	}
	return append(dst, byte(n-1))
}

// AppendDecoded appends the runs of a sparse sketch in the words of PFDEBUG
// DECODE: z:len, Z:len or v:value,len.
func AppendDecoded(dst, s []byte) []byte {
	p := s[HeaderSize:]
	for i := 0; i < len(p); {
		r := runAt(p, i)
		if i > 0 {
			dst = append(dst, ' ')
		}
		switch {
		case r.value != 0:
			dst = append(dst, "v:"...)
			dst = appendInt(dst, int(r.value))
			dst = append(dst, ',')
		case r.size == 2:
			dst = append(dst, "Z:"...)
		default:
			dst = append(dst, "z:"...)
		}
		dst = appendInt(dst, r.n)
		i += r.size
	}
	return dst
}
