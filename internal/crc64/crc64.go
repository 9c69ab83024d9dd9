// Package crc64 computes the CRC-64 that Redis puts at the end of an RDB file
// and of a DUMP payload.
//
// It is the "Jones" variant: polynomial 0xad93d23594c935a9, bits reflected,
// initial value zero and no final inversion (the last two are what sets it
// apart from what hash/crc64 can compute). Because there is no inversion a
// checksum can be continued over any split of the data:
//
//	Update(Update(0, a), b) == Update(0, ab)
//
// The check value of "123456789" is 0xe9c6d914c4b8d9ca.
//
// On amd64 long inputs are folded with carry-less multiplication. The portable
// implementation is slicing-by-8 (Kounavis and Berry, "A
// systematic approach to building high performance software-based CRC
// generators", 2005): eight table look-ups fold eight bytes at once.
package crc64

import "encoding/binary"

// poly is the Jones polynomial with its bits reversed: bit i is the
// coefficient of x^(63-i).
const poly = 0x95ac9329ac4bc9b5

// tables[k][b] is the CRC of byte b followed by k zero bytes.
var tables = makeTables()

func makeTables() *[8][256]uint64 {
	t := new([8][256]uint64)
	for i := range t[0] {
		crc := uint64(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ poly
			} else {
				crc >>= 1
			}
		}
		t[0][i] = crc
	}
	for i := range t[0] {
		crc := t[0][i]
		for k := 1; k < 8; k++ {
			crc = t[0][crc&0xff] ^ crc>>8
			t[k][i] = crc
		}
	}
	return t
}

// Update returns the checksum of the data already summed in crc followed by p.
// Start with zero. It allocates nothing and may be called by any goroutine.
func Update(crc uint64, p []byte) uint64 {
	return update(crc, p)
}

func updateGeneric(crc uint64, p []byte) uint64 {
	t := tables
	for len(p) >= 8 {
		crc = step8(t, crc^binary.LittleEndian.Uint64(p))
		p = p[8:]
	}
	for _, b := range p {
		crc = t[0][byte(crc)^b] ^ crc>>8
	}
	return crc
}

// step8 is the checksum of eight bytes that were added to the one so far.
func step8(t *[8][256]uint64, x uint64) uint64 {
	return t[7][x&0xff] ^ t[6][x>>8&0xff] ^ t[5][x>>16&0xff] ^ t[4][x>>24&0xff] ^
		t[3][x>>32&0xff] ^ t[2][x>>40&0xff] ^ t[1][x>>48&0xff] ^ t[0][x>>56]
}
