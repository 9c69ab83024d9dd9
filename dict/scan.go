package dict

import "math/bits"

// Scan calls fn for some records and returns the cursor for the next call; the scan is over when that is 0, and begins
// with 0. A record that is in the table from the first call to the last is returned at least once, however the table
// grows and shrinks in between; one may be returned twice. fn must not change the table.
//
// The cursor counts bucket numbers with their bits reversed (the algorithm that Pieter Noordhuis gave Redis): the
// bits that a larger or smaller array adds or drops are then the least significant of the count, so that what
// has been visited in one array covers whole buckets of the other. While there are two arrays, a call visits one
// bucket of the smaller and all those of the larger that its elements could be in.
func (t *Table) Scan(a *Arena, cursor uint64, fn func(Ref)) uint64 {
	if t.arr[0] == 0 {
		return 0
	}
	if t.arr[1] == 0 {
		t.scanBucket(a, 0, cursor, fn)
		return nextCursor(cursor, t.bits[0])
	}
	small, large := 0, 1
	if t.bits[0] > t.bits[1] {
		small, large = 1, 0
	}
	t.scanBucket(a, small, cursor, fn)
	mask := uint64(1)<<t.bits[small] - 1
	for {
		t.scanBucket(a, large, cursor, fn)
		cursor = nextCursor(cursor, t.bits[large])
		// Until the bits that only the larger array has are through.
		if cursor&^mask&(1<<t.bits[large]-1) == 0 {
			return cursor
		}
	}
}

// nextCursor adds one to the cursor's low n bits, taken in reverse; the bits above are dropped.
func nextCursor(v uint64, n uint8) uint64 {
	v |= ^uint64(0) << n
	return bits.Reverse64(bits.Reverse64(v) + 1)
}

// scanBucket calls fn for the records of the bucket that the cursor's low bits name in array w.
func (t *Table) scanBucket(a *Arena, w int, cursor uint64, fn func(Ref)) {
	i := cursor & (1<<t.bits[w] - 1)
	if w == 0 && i < t.pos {
		return // moved to the other array
	}
	for u := t.arr[w] + uint32(i); u != 0; {
		b := a.bucket(u)
		for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
			fn(Ref(slotWord(b, firstSlot(m)) & refMask))
		}
		u = bucketNext(b)
	}
}
