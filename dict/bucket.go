package dict

import (
	"math/bits"
	"unsafe"
)

// A bucket is one cache line:
//
//	byte   0                                                50           60       64
//	       | slot 0 | slot 1 | …                  | slot 9  | t0 … t9    | next   |
//	         5 bytes each: 36 bits reference,                 1 byte tags  u32
//	         4 bits more of the hash
//
// A tag is the top byte of the key's hash, with 0 (which marks an empty slot) replaced by 1. All ten are compared at
// once in two words. The four bits in a slot are those of the hash just above the bits that chose the bucket: with
// them a bucket can be split four times over before a table must read keys again to rehash them, and they
// rule out 15 of 16 chance matches of the tag.
//
// next is the number of an overflow bucket, in units of 64 bytes from the arena's start, 0 for none. A bucket that
// has overflow is full, and so are all buckets of its chain but the first overflow bucket: it alone has empty slots.
// So an insertion looks at two lines at most, and a deletion fills its hole from there.
const (
	bucketShift = 6
	bucketSize  = 1 << bucketShift
	bucketSlots = 10

	tagsAt = 50
	nextAt = 60

	slotMask  = 1<<40 - 1
	extraBits = 4
	extraMask = 1<<extraBits - 1

	ones = 0x0101010101010101
	low7 = 0x7f7f7f7f7f7f7f7f

	allSlots = 0x0101010101010303 // as matchTags returns them
)

func (a *Arena) bucket(u uint32) unsafe.Pointer {
	return unsafe.Add(a.base, uintptr(u)<<bucketShift)
}

func tagOf(h uint64) uint64 {
	t := h >> 56
	if t == 0 {
		t = 1
	}
	return t
}

// matchTags returns a set of the slots whose tag is that of pat, which is the tag in all eight bytes. Take slots out
// with nextSlot.
func matchTags(b unsafe.Pointer, pat uint64) uint64 {
	x := ld64(b, tagsAt) ^ pat
	y := uint64(ld16(b, tagsAt+8)) ^ pat
	// A byte is zero if neither its low seven bits nor its top bit are set; this form has no carries between bytes,
	// so there are no false matches.
	x = ^(x&low7 + low7 | x | low7) >> 7
	y = ^(y&low7 + low7 | y | low7) >> 6 & 0x202
	return x | y
}

// firstSlot returns the first slot of a set that is not empty; m & (m-1) is the set without it.
func firstSlot(m uint64) int {
	t := bits.TrailingZeros64(m)
	return t>>3 + t&1<<3
}

func slotWord(b unsafe.Pointer, i int) uint64 { return ld64(b, uintptr(i)*5) & slotMask }

func slotTag(b unsafe.Pointer, i int) uint8 { return ld8(b, tagsAt+uintptr(i)) }

func setSlot(b unsafe.Pointer, i int, word uint64, tag uint8) {
	st32(b, uintptr(i)*5, uint32(word))
	st8(b, uintptr(i)*5+4, uint8(word>>32))
	st8(b, tagsAt+uintptr(i), tag)
}

func bucketNext(b unsafe.Pointer) uint32 { return ld32(b, nextAt) }

// bucketLen returns how many slots are taken.
func bucketLen(b unsafe.Pointer) int { return bucketSlots - bits.OnesCount64(matchTags(b, 0)) }
