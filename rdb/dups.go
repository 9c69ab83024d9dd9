package rdb

import (
	"bytes"
	"hash/maphash"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// dupSet finds elements that occur twice in a listpack. It is an open-addressed
// table of entry offsets, at most half full, hashed with a seed that an attacker
// does not know. It is kept from one key to the next.
type dupSet struct {
	seed  maphash.Seed
	ready bool
	slots []uint32 // offset of an entry; 0 is free (no entry stands there)
	tags  []uint32 // the hash of the slot's entry: most misses end here, and growth needs no entry
}

// fewElements is how many are compared pairwise without any table.
const fewElements = 8

// find returns the offset of an element that occurred before, or -1. Every
// step-th entry of the valid listpack lp, which has n entries, is an element.
func (s *dupSet) find(lp []byte, n, step int) int {
	elements := n / step
	if elements < 2 {
		return -1
	}
	if elements <= fewElements {
		return findFew(lp, step)
	}
	if !s.ready {
		s.seed = maphash.MakeSeed()
		s.ready = true
	}
	// The table grows as elements come, not by their number: data that repeats
	// itself (the only kind that can be far bigger than what arrived) is refused
	// before it grows.
	size := 32
	for size < 2*elements && size < 1024 {
		size *= 2
	}
	s.resize(size)
	used := 0
	var buf, other listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = nextElement(lp, p, step) {
		e := listpack.Get(lp, p, &buf)
		h := uint32(maphash.Bytes(s.seed, e))
		i := h & uint32(size-1)
		for s.slots[i] != 0 {
			if s.tags[i] == h && bytes.Equal(listpack.Get(lp, int(s.slots[i]), &other), e) {
				return p
			}
			i = (i + 1) & uint32(size-1)
		}
		s.slots[i], s.tags[i] = uint32(p), h
		if used++; 2*used > size {
			size = s.grow(size)
		}
	}
	return -1
}

// resize makes an empty table of size slots.
func (s *dupSet) resize(size int) {
	if cap(s.slots) < size {
		s.slots = make([]uint32, size)
		s.tags = make([]uint32, size)
	}
	s.slots, s.tags = s.slots[:size], s.tags[:size]
	clear(s.slots)
}

// grow doubles the table.
func (s *dupSet) grow(size int) int {
	slots, tags := s.slots, s.tags
	s.slots, s.tags = make([]uint32, 2*size), make([]uint32, 2*size)
	mask := uint32(2*size - 1)
	for k, p := range slots {
		if p != 0 {
			i := tags[k] & mask
			for s.slots[i] != 0 {
				i = (i + 1) & mask
			}
			s.slots[i], s.tags[i] = p, tags[k]
		}
	}
	return 2 * size
}

func findFew(lp []byte, step int) int {
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = nextElement(lp, p, step) {
		rest := nextElement(lp, p, step)
		if rest < 0 {
			return -1
		}
		if q := listpack.Find(lp, rest, listpack.Get(lp, p, &buf), step-1); q >= 0 {
			return q
		}
	}
	return -1
}

func nextElement(lp []byte, p, step int) int {
	for ; step > 0 && p >= 0; step-- {
		p = listpack.Next(lp, p)
	}
	return p
}
