package dict

import "unsafe"

// Memory latency, not instructions, is the cost of a lookup in a large table: two lines that are in no cache, one after
// the other. Whoever has several keys at hand (a pipeline, MGET, a stretch of the master's stream) overlaps them: first
// Prefetch for each key, then PrefetchRecord for each, then the lookups.

// Prefetch starts to load the bucket that a lookup of the hash will read first.
func (t *Table) Prefetch(a *Arena, h uint64) {
	if t.arr[0] == 0 {
		return
	}
	prefetch(a.bucket(t.headOf(0, h)))
	if t.arr[1] != 0 {
		prefetch(a.bucket(t.headOf(1, h)))
	}
}

// PrefetchRecord starts to load the record that a lookup of the hash will compare first. It reads the bucket, which
// should have arrived by now.
func (t *Table) PrefetchRecord(a *Arena, h uint64) {
	w := 0
	if t.arr[1] != 0 && h&(1<<t.bits[0]-1) < t.pos {
		w = 1
	}
	if t.arr[w] == 0 {
		return
	}
	b := a.bucket(t.headOf(w, h))
	if m := matchTags(b, tagOf(h)*ones); m != 0 {
		a.Prefetch(Ref(slotWord(b, firstSlot(m)) & refMask))
	} else if next := bucketNext(b); next != 0 {
		prefetch(a.bucket(next))
	}
}

// Prefetch starts to load the first cache lines of a block.
func (a *Arena) Prefetch(r Ref) {
	p := unsafe.Add(a.base, uintptr(r)<<granShift)
	prefetch(p)
	prefetch(unsafe.Add(p, 64))
}

// prefetchChain starts to load the records of a bucket of array 0.
func (t *Table) prefetchChain(a *Arena, i uint64) {
	b := a.bucket(t.arr[0] + uint32(i))
	for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
		prefetch(unsafe.Add(a.base, uintptr(slotWord(b, firstSlot(m))&refMask)<<granShift))
	}
}
