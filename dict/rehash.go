package dict

import "math/bits"

// A step visits up to this many empty buckets for each bucket that it is to move.
const emptyVisits = 10

// forceGrow is how many times as full as usual a table becomes before it grows although its arena says that tables keep
// their sizes.
const forceGrow = 5

// KeepTableSizes says whether the tables of the arena keep the sizes that they have: they then shrink no more, and grow only
// when they are five times as full as they should be. A rehash under way goes on.
func (a *Arena) KeepTableSizes(on bool) { a.fixed = on }

// growBits returns the size of an array for n elements: at most ten a bucket.
func growBits(n uint64) uint8 {
	return uint8(min(bits.Len64((max(n, 1)-1)/bucketSlots), maxTableBits))
}

// shrinkBits returns the size of the array that a sparse one shrinks to: between a quarter and half full, far from both
// limits, so that a table does not go back and forth. It goes down at most sixteenfold at once, since a SCAN that
// meets two arrays visits that many buckets in one call.
func shrinkBits(n uint64, from uint8) uint8 {
	to := growBits(2 * n)
	if from > 4 {
		to = max(to, from-4)
	}
	return to
}

// newArray allocates an empty array of 2^n buckets.
func (a *Arena) newArray(n uint8) uint32 {
	return uint32(a.AllocZeroed(bucketSize<<n) >> (bucketShift - granShift))
}

func (a *Arena) freeArray(u uint32) { a.Free(Ref(u) << (bucketShift - granShift)) }

// makeRoom prepares an insertion: a step of a rehash under way, or the start of one if the table is full.
func (t *Table) makeRoom(a *Arena) {
	switch {
	case t.arr[1] != 0:
		t.RehashStep(a, 1)
	case t.arr[0] == 0:
		t.arr[0] = a.newArray(t.bits[0])
		t.known[0] = extraBits
	case t.used[0] >= bucketSlots<<t.bits[0] && t.bits[0] < maxTableBits && (!a.fixed || t.used[0] >= forceGrow*bucketSlots<<t.bits[0]):
		t.resize(a, t.bits[0]+1)
	}
}

// Expand prepares the table for n elements in all, so that it does not rehash on the way there. A table that has
// elements starts to rehash. The array takes addresses at once (8 to 13 bytes an element) and memory as it fills; still, n must
// not be a number that someone only claims.
func (t *Table) Expand(a *Arena, n int) {
	to := growBits(uint64(max(n, 0)))
	if t.arr[1] != 0 {
		return
	}
	if t.arr[0] == 0 {
		t.bits[0] = to
		t.makeRoom(a)
		return
	}
	if to > t.bits[0] {
		t.resize(a, to)
	}
}

// resize starts a rehash to 2^n buckets. A small table is done at once.
func (t *Table) resize(a *Arena, n uint8) {
	if t.used[0] == 0 {
		u := a.newArray(n)
		a.freeArray(t.arr[0])
		t.arr[0], t.bits[0], t.known[0] = u, n, extraBits
		return
	}
	t.arr[1] = a.newArray(n)
	t.bits[1] = n
	t.pos = 0
	// A slot of the new array keeps the hash bits that the old one knew and the new bucket number does not imply.
	have := int(t.bits[0]) + int(t.known[0]) - int(n)
	if have < 0 {
		have = extraBits // keys are read, so all four are known
	}
	t.known[1] = uint8(min(have, extraBits))
	if t.bits[0] <= 3 {
		t.RehashStep(a, 1<<t.bits[0])
	}
}

// Rehashing says whether the table has two arrays.
func (t *Table) Rehashing() bool { return t.arr[1] != 0 }

// RehashStep moves up to that many buckets of a rehash under way (and passes ten empty ones for each), and says whether
// there is more to do. A bucket takes some 50 ns; one time in five doublings, when keys are read again, ten times that.
func (t *Table) RehashStep(a *Arena, buckets int) bool {
	if t.arr[1] == 0 {
		return false
	}
	end := uint64(1) << t.bits[0]
	readKeys := t.bits[1] > t.bits[0]+t.known[0]
	for visits := buckets * emptyVisits; buckets > 0 && visits > 0 && t.pos < end; visits-- {
		t.prefetchRehash(a, end, readKeys)
		if t.moveBucket(a, t.pos, readKeys) {
			buckets--
		}
		t.pos++
	}
	if t.pos < end {
		return true
	}
	shrunk := t.bits[1] < t.bits[0]
	t.dropFirst(a)
	if shrunk {
		t.shrinkIfSparse(a) // a table that was emptied fast goes down in several rounds
	}
	return t.arr[1] != 0
}

// dropFirst frees array 0, which is empty, and puts array 1 in its place.
func (t *Table) dropFirst(a *Arena) {
	a.freeArray(t.arr[0])
	t.arr = [2]uint32{t.arr[1], 0}
	t.used = [2]uint64{t.used[1], 0}
	t.over = [2]uint32{t.over[1], 0}
	t.bits = [2]uint8{t.bits[1], 0}
	t.known = [2]uint8{t.known[1], 0}
	t.pos = 0
}

// shrinkIfSparse starts to shrink a table of less than one element a bucket.
func (t *Table) shrinkIfSparse(a *Arena) {
	if t.used[0]>>t.bits[0] == 0 && t.bits[0] != 0 && !a.fixed {
		t.resize(a, shrinkBits(t.used[0], t.bits[0]))
	}
}

// moveBucket moves chain i of array 0 to array 1 and says whether it held anything. If the arena is out of memory on the
// way, every element is in one of the arrays, and a later call goes on.
func (t *Table) moveBucket(a *Arena, i uint64, readKeys bool) bool {
	head := t.arr[0] + uint32(i)
	moved := false
	mask := uint64(1)<<t.bits[1] - 1
	for u := head; u != 0; u = bucketNext(a.bucket(u)) {
		b := a.bucket(u)
		for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
			j := firstSlot(m)
			word := slotWord(b, j)
			var h uint64
			if readKeys {
				h = t.hashOf(a, Ref(word&refMask))
			} else {
				h = i | word>>refBits<<t.bits[0]
			}
			t.place(a, 1, t.arr[1]+uint32(h&mask), word&refMask|t.extra(1, h), slotTag(b, j))
			setSlot(b, j, 0, 0)
			t.used[0]--
			moved = true
		}
	}
	b := a.bucket(head)
	next := bucketNext(b)
	st32(b, nextAt, 0)
	for next != 0 {
		u := next
		next = bucketNext(a.bucket(u))
		t.over[0]--
		a.freeArray(u)
	}
	return moved
}
