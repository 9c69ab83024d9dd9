package dict

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// The hash table
//
// An array of 2^n buckets of one cache line (bucket.go), in one block of the arena. It grows when there are more than
// ten elements a bucket on average, and shrinks when there is less than one. At that load about 0.4 overflow buckets
// stand behind each bucket, which makes 9 to 19 bytes an element from just before to just after it doubles.
//
//	Table   arr[0] ──► [bucket 0][bucket 1] … [bucket 2^n-1]       being emptied, from the left, while
//	                        └► overflow ─► overflow
//	        arr[1] ──► [bucket 0] … [bucket 2^m-1]                 this one is filled
//
// A table that changes size has two arrays. Each insertion and deletion moves one bucket, RehashStep as many as the
// owner has time for; the buckets of arr[0] below the position that this has reached hold nothing any more. New
// elements go to arr[1]. A lookup looks into arr[0] only from that position on, then into arr[1].
// Lookups never move anything, so a Slot stays valid over them.
//
// The Table itself has no pointers and no reference to its arena: it may live in a record, and move with it.

// Layout says where a record keeps its key: behind Hdr bytes, and TTL more if bit 7 of the first byte is set. There
// stands the key's length (unsigned LEB128), then the key.
type Layout struct{ Hdr, TTL uint8 }

// Table is a hash table over records of an arena. The zero value is not ready: call Init. The owner of the arena
// calls all methods, always with the same arena.
type Table struct {
	used   [2]uint64
	pos    uint64    // arr[0]: buckets below it have been moved or cleared
	arr    [2]uint32 // bucket arrays, in units of 64 bytes from the arena's start; 0 none
	over   [2]uint32 // overflow buckets
	bits   [2]uint8  // log2 of the number of buckets
	known  [2]uint8  // how many of a slot's four extra hash bits are valid
	layout Layout
	_      [10]byte
}

// Slot is the position of an element in a table, valid until the table's next Insert, Delete, RehashStep, Expand,
// ClearStep or CompactStep.
type Slot struct {
	head, unit uint32 // first bucket of the chain, and the bucket
	idx, arr   uint8
}

const maxTableBits = 30

// Init makes t an empty table for records of the given layout. It takes no memory until the first insertion.
func (t *Table) Init(l Layout) { *t = Table{layout: l} }

// Len returns the number of elements.
func (t *Table) Len() int { return int(t.used[0] + t.used[1]) }

// Find returns the record with the key, or 0. h is Hash(a.Seed(), key).
func (t *Table) Find(a *Arena, h uint64, key []byte) Ref {
	w := 0
	if t.arr[1] != 0 && h&(1<<t.bits[0]-1) < t.pos {
		w = 1
	}
	for ; w < 2 && t.arr[w] != 0; w++ {
		if _, _, r := t.probe(a, w, h, key); r != 0 {
			return r
		}
	}
	return 0
}

// Lookup returns the position of the key's record, and whether there is one. h is Hash(a.Seed(), key).
func (t *Table) Lookup(a *Arena, h uint64, key []byte) (Slot, bool) {
	w := 0
	if t.arr[1] != 0 && h&(1<<t.bits[0]-1) < t.pos {
		w = 1
	}
	for ; w < 2 && t.arr[w] != 0; w++ {
		if u, i, r := t.probe(a, w, h, key); r != 0 {
			return Slot{t.headOf(w, h), u, uint8(i), uint8(w)}, true
		}
	}
	return Slot{}, false
}

// LookupRef returns the position of a record that is known to the caller, without reading it: h is the hash of its key.
func (t *Table) LookupRef(a *Arena, h uint64, r Ref) (Slot, bool) {
	for w := 0; w < 2 && t.arr[w] != 0; w++ {
		if w == 0 && h&(1<<t.bits[0]-1) < t.pos {
			continue
		}
		for u := t.headOf(w, h); u != 0; {
			b := a.bucket(u)
			for m := matchTags(b, tagOf(h)*ones); m != 0; m &= m - 1 {
				if i := firstSlot(m); Ref(slotWord(b, i)&refMask) == r {
					return Slot{t.headOf(w, h), u, uint8(i), uint8(w)}, true
				}
			}
			u = bucketNext(b)
		}
	}
	return Slot{}, false
}

// headOf returns the first bucket for a hash in array w.
func (t *Table) headOf(w int, h uint64) uint32 { return t.arr[w] + uint32(h&(1<<t.bits[w]-1)) }

// extra returns the four hash bits that stand in a slot of array w.
func (t *Table) extra(w int, h uint64) uint64 { return h >> t.bits[w] & extraMask << refBits }

// probe searches array w for the key.
func (t *Table) probe(a *Arena, w int, h uint64, key []byte) (uint32, int, Ref) {
	if invariants {
		a.debug.mustLive(Ref(t.arr[w]) << (bucketShift - granShift))
	}
	pat := tagOf(h) * ones
	extra := t.extra(w, h)
	valid := uint64(1<<t.known[w]-1) << refBits
	u := t.headOf(w, h)
	for {
		b := a.bucket(u)
		for m := matchTags(b, pat); m != 0; m &= m - 1 {
			i := firstSlot(m)
			word := slotWord(b, i)
			if (word^extra)&valid != 0 {
				continue
			}
			if r := Ref(word & refMask); t.hasKey(a, r, key) {
				return u, i, r
			}
		}
		if u = bucketNext(b); u == 0 {
			return 0, 0, 0
		}
	}
}

// hasKey compares the key of a record.
func (t *Table) hasKey(a *Arena, r Ref, key []byte) bool {
	p := a.Ptr(r)
	off := uintptr(t.layout.Hdr)
	if ld8(p, 0)&flagTTL != 0 {
		off += uintptr(t.layout.TTL)
	}
	n := uint64(ld8(p, off))
	off++
	if n >= 0x80 {
		var w uintptr
		n, w = uvarint(unsafe.Add(p, off-1))
		off += w - 1
	}
	return n == uint64(len(key)) &&
		unsafe.String((*byte)(unsafe.Add(p, off)), len(key)) == unsafe.String(unsafe.SliceData(key), len(key))
}

// hashOf computes the hash of a record's key.
func (t *Table) hashOf(a *Arena, r Ref) uint64 { return Hash(a.seed, t.layout.key(a.Ptr(r))) }

// Ref returns the record at a position.
func (t *Table) Ref(a *Arena, s Slot) Ref {
	return Ref(slotWord(a.bucket(s.unit), int(s.idx)) & refMask)
}

// SetRef replaces the record at a position by one with the same key: it moved, or was rewritten.
func (t *Table) SetRef(a *Arena, s Slot, r Ref) {
	b := a.bucket(s.unit)
	setSlot(b, int(s.idx), slotWord(b, int(s.idx))&^refMask|uint64(r), slotTag(b, int(s.idx)))
}

// Insert adds a record. Its key must not be in the table; h is the key's hash.
func (t *Table) Insert(a *Arena, h uint64, r Ref) {
	if r == 0 || r > refMask {
		panic(fmt.Sprintf("dict: insertion of reference %#x", uint64(r)))
	}
	t.makeRoom(a)
	w := 0
	if t.arr[1] != 0 {
		w = 1
	}
	t.place(a, w, t.headOf(w, h), uint64(r)|t.extra(w, h), uint8(tagOf(h)))
}

// place puts a slot's word into the chain of array w that begins at bucket head.
func (t *Table) place(a *Arena, w int, head uint32, word uint64, tag uint8) {
	if invariants {
		a.debug.mustLive(Ref(t.arr[w]) << (bucketShift - granShift))
	}
	b := a.bucket(head)
	if m := matchTags(b, 0); m != 0 {
		setSlot(b, firstSlot(m), word, tag)
		t.used[w]++
		return
	}
	next := bucketNext(b)
	if next != 0 {
		o := a.bucket(next)
		if m := matchTags(o, 0); m != 0 {
			setSlot(o, firstSlot(m), word, tag)
			t.used[w]++
			return
		}
	}
	u := uint32(a.AllocZeroed(bucketSize) >> (bucketShift - granShift))
	t.over[w]++
	t.used[w]++
	o := a.bucket(u)
	setSlot(o, 0, word, tag)
	st32(o, nextAt, next)
	st32(b, nextAt, u)
}

// Delete unlinks the key's record and returns it, or 0. The caller frees the block.
func (t *Table) Delete(a *Arena, h uint64, key []byte) Ref {
	s, ok := t.Lookup(a, h, key)
	if !ok {
		return 0
	}
	return t.DeleteSlot(a, s)
}

// DeleteSlot unlinks the record at a position and returns it. The caller frees the block.
func (t *Table) DeleteSlot(a *Arena, s Slot) Ref {
	r := t.Ref(a, s)
	t.unlink(a, s)
	if t.arr[1] != 0 || t.used[0]>>t.bits[0] == 0 && t.bits[0] != 0 {
		t.stepAfterDelete(a)
	}
	return r
}

// stepAfterDelete goes on with a rehash or begins to shrink. A deletion must not fail for want of the memory that this
// takes: then it waits.
func (t *Table) stepAfterDelete(a *Arena) {
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(*OutOfMemoryError); !ok {
				panic(e)
			}
		}
	}()
	if t.arr[1] != 0 {
		t.RehashStep(a, 1)
	} else {
		t.shrinkIfSparse(a)
	}
}

// unlink empties a slot and keeps the chain's rule.
func (t *Table) unlink(a *Arena, s Slot) {
	t.used[s.arr]--
	b, i := a.bucket(s.unit), int(s.idx)
	head := a.bucket(s.head)
	next := bucketNext(head)
	if next == 0 {
		setSlot(b, i, 0, 0)
		return
	}
	o := a.bucket(next)
	taken := ^matchTags(o, 0) & allSlots
	if s.unit != next {
		if taken == 0 { // a rehash stopped within this chain, see moveBucket
			setSlot(b, i, 0, 0)
			return
		}
		j := firstSlot(taken)
		setSlot(b, i, slotWord(o, j), slotTag(o, j))
		i = j
	}
	setSlot(o, i, 0, 0)
	if taken&(taken-1) == 0 {
		st32(head, nextAt, bucketNext(o))
		t.over[s.arr]--
		a.Free(Ref(next) << (bucketShift - granShift))
	}
}

// Clear empties the table at once and calls fn for each record, which it may free. fn may be nil.
func (t *Table) Clear(a *Arena, fn func(Ref)) {
	for t.ClearStep(a, 1<<20, fn) {
	}
}

// ClearStep empties the table in steps: it takes out the records of at most that many buckets, calls fn for each (which
// may free it), and says whether there is more to do. Once begun, the table must be used for nothing else before it
// is done; then it is empty and without memory. Take the Table out of where it is used first.
func (t *Table) ClearStep(a *Arena, buckets int, fn func(Ref)) bool {
	for ; buckets > 0; buckets-- {
		if t.arr[0] == 0 {
			t.Init(t.layout)
			return false
		}
		if t.pos == 1<<t.bits[0] {
			t.dropFirst(a)
			continue
		}
		if ahead := t.pos + 2; ahead < 1<<t.bits[0] {
			t.prefetchRecords(a, 0, ahead) // freeing writes to each of them
		}
		head := t.arr[0] + uint32(t.pos)
		t.pos++
		for u := head; u != 0; {
			b := a.bucket(u)
			for i := 0; i < bucketSlots; i++ {
				if slotTag(b, i) != 0 {
					t.used[0]--
					if fn != nil {
						fn(Ref(slotWord(b, i) & refMask))
					}
				}
			}
			next := bucketNext(b)
			if u != head {
				t.over[0]--
				a.Free(Ref(u) << (bucketShift - granShift))
			}
			u = next
		}
	}
	return true
}

// Random returns a record chosen fairly, or 0 if the table is empty. rnd is the source of randomness.
//
// It draws positions until one is taken (rejection sampling over the arrays' slots and as many again for overflow), so
// that every record has the same chance, whatever its neighbours. If a hundred tries fail, in a very sparse table, the choice is
// among the records of a random stretch of 512 buckets.
func (t *Table) Random(a *Arena, rnd func() uint64) Ref {
	if t.Len() == 0 {
		return 0
	}
	w := 0
	if t.used[0] == 0 || t.used[1] != 0 && below(rnd, uint64(t.Len())) >= t.used[0] {
		w = 1
	}
	lo := uint64(0)
	if w == 0 {
		lo = t.pos
	}
	n := uint64(1)<<t.bits[w] - lo
	depth := uint64(bucketSlots)
	if t.over[w] != 0 {
		depth = 3 * bucketSlots // one chain in ten million is longer at full load
	}
	for try := 0; ; try++ {
		i := lo + below(rnd, n)
		if r := t.nth(a, t.arr[w]+uint32(i), below(rnd, depth)); r != 0 {
			return r
		}
		if try >= 100 {
			return t.randomNear(a, w, lo, n, i, rnd)
		}
	}
}

// randomNear returns a record from the stretch of buckets that begins at i, or from a later one if that is empty.
// Buckets lo to lo+n of array w hold something.
func (t *Table) randomNear(a *Arena, w int, lo, n, i uint64, rnd func() uint64) Ref {
	const stretch = 512
	for {
		start, count := i, uint64(0)
		for range min(stretch, n) {
			count += t.chainLen(a, t.arr[w]+uint32(i))
			if i++; i == lo+n {
				i = lo
			}
		}
		if count == 0 {
			continue
		}
		for want := below(rnd, count); ; {
			size := t.chainLen(a, t.arr[w]+uint32(start))
			if want < size {
				return t.nth(a, t.arr[w]+uint32(start), want)
			}
			want -= size
			if start++; start == lo+n {
				start = lo
			}
		}
	}
}

// below returns a number in [0, n), without modulo bias worth speaking of.
func below(rnd func() uint64, n uint64) uint64 {
	hi, _ := bits.Mul64(rnd(), n)
	return hi
}

func (t *Table) chainLen(a *Arena, u uint32) uint64 {
	n := 0
	for u != 0 {
		b := a.bucket(u)
		n += bucketLen(b)
		u = bucketNext(b)
	}
	return uint64(n)
}

// nth returns the record number n of a chain, or 0 if it is shorter.
func (t *Table) nth(a *Arena, u uint32, n uint64) Ref {
	for u != 0 {
		b := a.bucket(u)
		for i := 0; i < bucketSlots; i++ {
			if slotTag(b, i) == 0 {
				continue
			}
			if n == 0 {
				return Ref(slotWord(b, i) & refMask)
			}
			n--
		}
		u = bucketNext(b)
	}
	return 0
}

// TableStats are the figures of a table.
type TableStats struct {
	Len       int
	Buckets   int // in the array, or in both
	Overflow  int // overflow buckets
	Bytes     int // memory of all buckets
	Rehashing bool
	Moved     int // of a rehash: buckets done
	ToMove    int // of a rehash: buckets in all
}

// Stats returns the table's figures.
func (t *Table) Stats() TableStats {
	s := TableStats{Len: t.Len(), Overflow: int(t.over[0] + t.over[1])}
	for w, u := range t.arr {
		if u != 0 {
			s.Buckets += 1 << t.bits[w]
		}
	}
	s.Bytes = (s.Buckets + s.Overflow) * bucketSize
	if t.arr[1] != 0 {
		s.Rehashing, s.Moved, s.ToMove = true, int(t.pos), 1<<t.bits[0]
	}
	return s
}

// Bytes returns the memory of the table's buckets.
func (t *Table) Bytes() int { return t.Stats().Bytes }
