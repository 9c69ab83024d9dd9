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

// rehashAhead is how many buckets ahead a rehash prefetches. As it moves one a time between other work, the processor
// does not see that it reads in order.
const rehashAhead = 8

// prefetchRehash starts to load what later steps of a rehash will read and write.
func (t *Table) prefetchRehash(a *Arena, end uint64, readKeys bool) {
	if i := t.pos + rehashAhead; i < end {
		prefetch(a.bucket(t.arr[0] + uint32(i)))
		if t.bits[1] > t.bits[0] && !readKeys {
			prefetch(a.bucket(t.arr[1] + uint32(i)))
			prefetch(a.bucket(t.arr[1] + uint32(i|end)))
		}
	}
	if i := t.pos + rehashAhead/2; i < end {
		b := a.bucket(t.arr[0] + uint32(i))
		if readKeys {
			t.prefetchRecords(a, 0, i)
		} else if next := bucketNext(b); next != 0 {
			prefetch(a.bucket(next))
		}
	}
}

// prefetchRecords starts to load the records of a bucket, and its overflow bucket.
func (t *Table) prefetchRecords(a *Arena, w int, i uint64) {
	if t.bits[w] < 4 {
		return // such a table is read as fast without
	}
	b := a.bucket(t.arr[w] + uint32(i))
	if next := bucketNext(b); next != 0 {
		prefetch(a.bucket(next))
	}
	for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
		prefetch(unsafe.Add(a.base, uintptr(slotWord(b, firstSlot(m))&refMask)<<granShift))
	}
}

// batchAhead is how many elements ahead the batch methods prefetch: enough to cover the latency of main memory with the
// work on the elements in between, and few enough for the processor's queue of outstanding loads.
const batchAhead = 12

// InsertBatch inserts records rs[i] with hashes hs[i], as Insert does one by one, with their buckets on the way from
// memory. For loaders.
func (t *Table) InsertBatch(a *Arena, hs []uint64, rs []Ref) {
	for i := range min(batchAhead, len(hs)) {
		t.prefetchInsert(a, hs[i])
	}
	for i, h := range hs {
		if i+batchAhead < len(hs) {
			t.prefetchInsert(a, hs[i+batchAhead])
		}
		t.Insert(a, h, rs[i])
	}
}

// prefetchInsert starts to load the bucket that an insertion will write to.
func (t *Table) prefetchInsert(a *Arena, h uint64) {
	w := 0
	if t.arr[1] != 0 {
		w = 1
	}
	if t.arr[w] != 0 {
		prefetch(a.bucket(t.headOf(w, h)))
	}
}
