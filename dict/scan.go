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
	next := t.walk(cursor, func(w int, i uint64) {
		t.prefetchRecords(a, w, i)
		t.visit(a, w, i, fn)
	})
	prefetch(a.bucket(t.headOf(0, next)))
	return next
}

// Each calls fn for every record, in the order of the buckets, until it returns false; it says whether fn never did. fn must
// not change the table. It is the fastest way to read a whole table: records are on their way from memory before fn
// sees them.
func (t *Table) Each(a *Arena, fn func(Ref) bool) bool {
	goOn := true
	for w := 0; w < 2 && t.arr[w] != 0; w++ {
		i, end := uint64(0), uint64(1)<<t.bits[w]
		if w == 0 {
			i = t.pos
		}
		for ; i < end; i++ {
			if i+2 < end {
				t.prefetchRecords(a, w, i+2)
			}
			t.visit(a, w, i, func(r Ref) { goOn = goOn && fn(r) })
			if !goOn {
				return false
			}
		}
	}
	return true
}

// visit calls fn for the records of a chain.
func (t *Table) visit(a *Arena, w int, i uint64, fn func(Ref)) {
	for u := t.arr[w] + uint32(i); u != 0; {
		b := a.bucket(u)
		for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
			fn(Ref(slotWord(b, firstSlot(m)) & refMask))
		}
		u = bucketNext(b)
	}
}

// walk calls fn for the chains that one value of a cursor stands for, by array and number, and returns the next value.
func (t *Table) walk(cursor uint64, fn func(w int, i uint64)) uint64 {
	visit := func(w int) {
		i := cursor & (1<<t.bits[w] - 1)
		if w == 1 || i >= t.pos { // the others have been moved to array 1
			fn(w, i)
		}
	}
	if t.arr[1] == 0 {
		visit(0)
		return nextCursor(cursor, t.bits[0])
	}
	small, large := 0, 1
	if t.bits[0] > t.bits[1] {
		small, large = 1, 0
	}
	visit(small)
	mask := uint64(1)<<t.bits[small] - 1
	for {
		visit(large)
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
