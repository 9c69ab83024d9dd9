package object

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// The fields of a large hash that expire, by expiry: a binary heap whose words
// lie in segments in the arena, so that it grows without a large copy.
//
//	ttlHeap  { dir, n, room }
//	           │
//	           ▼
//	dir      [seg 0][seg 1][seg 2]…          8 bytes each
//	           │
//	           ▼
//	segment  [word][word]…                   4096 words of 12 bytes; the first one starts small and doubles
//
//	word     expiry:48 | reference:36, in 12 bytes: 8 of (expiry << 16 | reference >> 32), 4 of the reference's rest
//
// An element knows its place: the first four bytes of its payload, which the
// heap writes whenever it moves a word. So any field can be taken out or have
// its expiry changed in O(log n), and the least is always the first.
type ttlHeap struct {
	dir  uint64 // dict.Ref of the directory, 0 while the heap is empty
	n    uint32 // words in use
	room uint32 // words in all segments
}

const (
	ttlHeapSize = int(unsafe.Sizeof(ttlHeap{}))
	// ttlPosSize is what an element with an expiry has in front of its value.
	ttlPosSize = 4

	heapWord     = 12
	heapSegShift = 12
	heapSegWords = 1 << heapSegShift
	heapMinWords = 16
	heapDirMin   = 4

	heapMaxExpiry = 1<<48 - 1
)

// heapKey is a word: its order is that of key.
type heapKey struct {
	key uint64 // expiry << 16 | upper bits of the reference
	low uint32
}

func (w heapKey) ref() dict.Ref  { return dict.Ref(w.key&0xffff)<<32 | dict.Ref(w.low) }
func (w heapKey) expiry() uint64 { return w.key >> 16 }

func keyOf(expiry int64, r dict.Ref) heapKey {
	e := uint64(max(expiry, 0))
	return heapKey{min(e, heapMaxExpiry)<<16 | uint64(r)>>32, uint32(r)}
}

// segs returns the directory as a view of n references.
func (h *ttlHeap) segs(a *dict.Arena, n int) []byte { return a.Bytes(dict.Ref(h.dir), n*8) }

func (h *ttlHeap) segCount() int {
	return int((h.room + heapSegWords - 1) >> heapSegShift)
}

// word returns the place of word i.
func (h *ttlHeap) word(a *dict.Arena, i uint32) []byte {
	seg := int(i >> heapSegShift)
	r := dict.Ref(binary.LittleEndian.Uint64(h.segs(a, seg+1)[seg*8:]))
	at := int(i&(heapSegWords-1)) * heapWord
	return a.Bytes(r, at+heapWord)[at:]
}

func (h *ttlHeap) load(a *dict.Arena, i uint32) heapKey {
	w := h.word(a, i)
	return heapKey{binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint32(w[8:])}
}

// store writes a word and tells its element where it is.
func (h *ttlHeap) store(a *dict.Arena, i uint32, k heapKey) {
	w := h.word(a, i)
	binary.LittleEndian.PutUint64(w, k.key)
	binary.LittleEndian.PutUint32(w[8:], k.low)
	binary.LittleEndian.PutUint32(a.Elem(k.ref()).Payload(), i)
}

// grow makes room for at least one more word.
func (h *ttlHeap) grow(a *dict.Arena) {
	switch {
	case h.room == 0:
		h.dir = uint64(a.Alloc(heapDirMin * 8))
		h.addSeg(a, 0, a.Alloc(heapMinWords*heapWord))
		h.room = heapMinWords
	case h.room < heapSegWords:
		d := h.segs(a, 1)
		old := dict.Ref(binary.LittleEndian.Uint64(d))
		n := a.Realloc(old, 2*int(h.room)*heapWord, int(h.n)*heapWord)
		h.addSeg(a, 0, n)
		h.room *= 2
	default:
		k := h.segCount()
		if (k+1)*8 > a.Usable(dict.Ref(h.dir)) {
			h.dir = uint64(a.Realloc(dict.Ref(h.dir), 2*k*8, k*8))
		}
		h.addSeg(a, k, a.Alloc(heapSegWords*heapWord))
		h.room += heapSegWords
	}
}

func (h *ttlHeap) addSeg(a *dict.Arena, i int, r dict.Ref) {
	binary.LittleEndian.PutUint64(h.segs(a, i+1)[i*8:], uint64(r))
}

// add puts an element that has an expiry into the heap.
func (h *ttlHeap) add(a *dict.Arena, r dict.Ref) {
	if h.n == h.room {
		h.grow(a)
	}
	h.n++
	h.up(a, h.n-1, keyOf(a.Elem(r).ExpireAt(), r))
}

func less(x, y heapKey) bool { return x.key < y.key || x.key == y.key && x.low < y.low }

// up places k at i or above.
func (h *ttlHeap) up(a *dict.Arena, i uint32, k heapKey) {
	for i > 0 {
		p := (i - 1) / 2
		q := h.load(a, p)
		if !less(k, q) {
			break
		}
		h.store(a, i, q)
		i = p
	}
	h.store(a, i, k)
}

// down places k at i or below.
func (h *ttlHeap) down(a *dict.Arena, i uint32, k heapKey) {
	for {
		c := 2*i + 1
		if c >= h.n {
			break
		}
		q := h.load(a, c)
		if c+1 < h.n {
			if q2 := h.load(a, c+1); less(q2, q) {
				c, q = c+1, q2
			}
		}
		if !less(q, k) {
			break
		}
		h.store(a, i, q)
		i = c
	}
	h.store(a, i, k)
}

// pos is the place that an element claims to have, which must be right.
func (h *ttlHeap) pos(a *dict.Arena, r dict.Ref) uint32 {
	i := binary.LittleEndian.Uint32(a.Elem(r).Payload())
	if i >= h.n {
		panic(fmt.Sprintf("object: field %q says it is at %d of %d in the heap of expiries", a.Elem(r).Key(), i, h.n))
	}
	return i
}

// remove takes an element out. Its payload keeps the bytes of its place.
func (h *ttlHeap) remove(a *dict.Arena, r dict.Ref) {
	i := h.pos(a, r)
	if have := h.load(a, i).ref(); have != r {
		panic(fmt.Sprintf("object: field %q says it is at %d in the heap of expiries, where %#x is and not %#x", a.Elem(r).Key(), i, have, r))
	}
	h.n--
	if i != h.n {
		h.fix(a, i, h.load(a, h.n))
	}
	h.shrink(a)
}

// fix places k at i, above or below.
func (h *ttlHeap) fix(a *dict.Arena, i uint32, k heapKey) {
	if i > 0 && less(k, h.load(a, (i-1)/2)) {
		h.up(a, i, k)
		return
	}
	h.down(a, i, k)
}

// changed tells that an element in the heap has a new expiry.
func (h *ttlHeap) changed(a *dict.Arena, r dict.Ref) {
	h.fix(a, h.pos(a, r), keyOf(a.Elem(r).ExpireAt(), r))
}

// moved tells that an element has a new reference, and everything else from its
// old block.
func (h *ttlHeap) moved(a *dict.Arena, r dict.Ref) {
	// References order words of equal expiry: the place may change.
	h.changed(a, r)
}

// least returns the least expiry, or NoFieldExpiry.
func (h *ttlHeap) least(a *dict.Arena) int64 {
	if h.n == 0 {
		return NoFieldExpiry
	}
	return int64(h.load(a, 0).expiry())
}

// first is the element with the least expiry; the heap is not empty.
func (h *ttlHeap) first(a *dict.Arena) dict.Ref { return h.load(a, 0).ref() }

// countBefore is the number of fields at i and below it that expire before now.
// It visits no more than two words for each.
func (h *ttlHeap) countBefore(a *dict.Arena, i uint32, now int64) int {
	if i >= h.n || h.load(a, i).expiry() >= uint64(max(now, 0)) {
		return 0
	}
	return 1 + h.countBefore(a, 2*i+1, now) + h.countBefore(a, 2*i+2, now)
}

// shrink frees the last segment once the one before it is half empty too.
func (h *ttlHeap) shrink(a *dict.Arena) {
	if k := h.segCount(); k > 1 {
		if h.n <= h.room-heapSegWords-heapSegWords/2 {
			a.Free(dict.Ref(binary.LittleEndian.Uint64(h.segs(a, k)[(k-1)*8:])))
			h.room -= heapSegWords
		}
		return
	}
	if h.n == 0 {
		h.free(a)
	}
}

// free frees the heap's memory. The elements are left alone.
func (h *ttlHeap) free(a *dict.Arena) {
	for i := range h.segCount() {
		a.Free(dict.Ref(binary.LittleEndian.Uint64(h.segs(a, i+1)[i*8:])))
	}
	if h.dir != 0 {
		a.Free(dict.Ref(h.dir))
	}
	*h = ttlHeap{}
}

// compact moves the directory and the segments out of memory that is being
// evacuated.
func (h *ttlHeap) compact(a *dict.Arena) {
	if h.dir == 0 {
		return
	}
	for i := range h.segCount() {
		r := dict.Ref(binary.LittleEndian.Uint64(h.segs(a, i+1)[i*8:]))
		if a.ShouldMove(r) {
			n := a.Usable(r)
			q := a.Alloc(n)
			copy(a.Bytes(q, n), a.Bytes(r, n))
			a.Free(r)
			h.addSeg(a, i, q)
		}
	}
	if a.ShouldMove(dict.Ref(h.dir)) {
		n := a.Usable(dict.Ref(h.dir))
		q := a.Alloc(n)
		copy(a.Bytes(q, n), a.Bytes(dict.Ref(h.dir), n))
		a.Free(dict.Ref(h.dir))
		h.dir = uint64(q)
	}
}

// bytes is the memory of the heap.
func (h *ttlHeap) bytes() int64 { return int64(h.room)*heapWord + int64(h.segCount())*8 }

// check verifies the order, and that each element has the expiry and the place
// that its word says.
func (h *ttlHeap) check(a *dict.Arena) error {
	if h.n > h.room || (h.n == 0) != (h.dir == 0) {
		return fmt.Errorf("heap of expiries: %d words in room for %d, directory %#x", h.n, h.room, h.dir)
	}
	for i := range h.n {
		k := h.load(a, i)
		e := a.Elem(k.ref())
		switch {
		case !e.HasExpire():
			return fmt.Errorf("heap of expiries: field %q at %d has none", e.Key(), i)
		case keyOf(e.ExpireAt(), k.ref()) != k:
			return fmt.Errorf("heap of expiries: field %q expires at %d, its word says %d", e.Key(), e.ExpireAt(), k.expiry())
		case binary.LittleEndian.Uint32(e.Payload()) != i:
			return fmt.Errorf("heap of expiries: field %q at %d says it is at %d", e.Key(), i, binary.LittleEndian.Uint32(e.Payload()))
		case i > 0 && less(k, h.load(a, (i-1)/2)):
			return fmt.Errorf("heap of expiries: field %q at %d is before its parent", e.Key(), i)
		}
	}
	return nil
}
