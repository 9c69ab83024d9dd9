package dict

import (
	"math/bits"
	"unsafe"
)

// Constants of the hash: odd, with 32 bits set, and without short runs, so that neither a multiplication nor an
// exclusive-or leaves a byte of the input in its place.
const (
	hashK0 = 0x9e6c63d0876a9a99
	hashK1 = 0xd1b54a32d192ed03
	hashK2 = 0x8bb84b93962eacc9
	hashK3 = 0xa3b195354a39b70d
)

// mix folds the 128-bit product of two words: the one step of the multiply-mix (wyhash) family. Every output bit
// depends on every input bit.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Hash is the seeded 64-bit hash of a key, a multiply-mix hash of the wyhash family: about two multiplications for a
// key of up to 16 bytes and one for each 16 bytes more. The seed is secret (one a dataset), which is what keeps a
// client from sending keys that collide. It is a pure function: any goroutine may call it.
//
// The table takes the bucket from the low bits and the tag from the top byte, so all bits must be good; the tests
// measure avalanche and distribution.
func Hash(seed uint64, key []byte) uint64 {
	n := uintptr(len(key))
	p := unsafe.Pointer(unsafe.SliceData(key))
	s := seed ^ hashK0
	var a, b uint64
	switch {
	case n > 16:
		return hashLong(s, p, n)
	case n >= 8:
		a, b = ld64(p, 0), ld64(p, n-8)
	case n >= 4:
		a, b = uint64(ld32(p, 0)), uint64(ld32(p, n-4))
	case n > 0:
		// First, middle and last byte: all of a key of one, two or three bytes.
		a = uint64(ld8(p, 0))<<16 | uint64(ld8(p, n>>1))<<8 | uint64(ld8(p, n-1))
	}
	return mix(mix(a^hashK1, b^s)^hashK2^uint64(n), s^hashK3)
}

func hashLong(s uint64, p unsafe.Pointer, n uintptr) uint64 {
	left := n
	if left > 48 {
		// Three independent lanes keep the multiplier busy.
		s1, s2 := s, s
		for left > 48 {
			s = mix(ld64(p, 0)^hashK1, ld64(p, 8)^s)
			s1 = mix(ld64(p, 16)^hashK2, ld64(p, 24)^s1)
			s2 = mix(ld64(p, 32)^hashK3, ld64(p, 40)^s2)
			p = unsafe.Add(p, 48)
			left -= 48
		}
		s ^= s1 ^ s2
	}
	for left > 16 {
		s = mix(ld64(p, 0)^hashK1, ld64(p, 8)^s)
		p = unsafe.Add(p, 16)
		left -= 16
	}
	// The last 16 bytes, overlapping what came before: n > 16, so they exist.
	p = unsafe.Add(p, int(left)-16)
	return mix(mix(ld64(p, 0)^hashK1, ld64(p, 8)^s)^hashK2^uint64(n), s^hashK3)
}
