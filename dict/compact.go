package dict

import "unsafe"

// Compaction
//
// After many deletions a class may hold its blocks in far more slabs than they need, each with a few left. Compaction
// empties the sparsest of them:
//
//	CompactBegin    is it worth it? if so, start
//	CompactMark     in steps: count the slabs of each class by how full they are, then mark the sparsest, as many as the
//	                others can take in, from the high end of the arena
//	CompactStep     in steps, for each table: where ShouldMove(ref), the owner copies the record, which frees the old
//	                block, and the table takes the new reference; overflow buckets and small arrays move likewise
//	CompactEnd      what is still marked (the owner stopped early, or keeps blocks that it does not move) is used again
//
// A marked slab gets no new blocks, and returns to the pages with its last one. All may go on as usual in between. Page
// runs do not move: they are whole pages, and free the moment they are freed.

type compaction struct {
	marked int    // slabs marked
	head   uint32 // list of them
	freed  int    // slabs freed since CompactBegin

	all    bool  // mark every slab with room, whatever it gains
	phase  uint8 // of CompactMark
	cursor uint32
	counts [numClasses][fillSteps]uint32 // slabs by class and sixteenths full
	take   [numClasses]uint32            // of the sparsest slabs, how many to mark
}

const (
	compactIdle = iota
	compactCounting
	compactMarking
	compactMarked
)

const fillSteps = 16

// fill returns how full a slab is, in steps from 0 to fillSteps-1; only an entirely full one is beyond.
func (m *slabMeta) fill(ci *classInfo) int { return int(m.used) * fillSteps / int(ci.blocks) }

// excess returns how many slabs of class c its blocks do not need, with some slack.
func (a *Arena) excess(c int) int64 {
	need := (a.classUsed[c] + int64(classes[c].blocks) - 1) / int64(classes[c].blocks)
	return max(0, a.classSlab[c]-need-need/32-1)
}

// CompactGain returns how many bytes a compaction could free: the measure of fragmentation.
func (a *Arena) CompactGain() int64 {
	gain := int64(0)
	for c := 1; c < numClasses; c++ {
		gain += a.excess(c) * int64(classes[c].units) * unitSize
	}
	return gain
}

// CompactBegin starts a compaction if it can free anything, and says whether it did. The next is CompactMark.
func (a *Arena) CompactBegin() bool {
	a.CompactEnd()
	if a.CompactGain() == 0 {
		return false
	}
	a.compact = compaction{phase: compactCounting}
	return true
}

// CompactBeginAll starts a compaction that moves whatever can be moved, though it may free nothing: every block of every
// slab that is not full. It is there for tests, which it shows who keeps a reference too long.
func (a *Arena) CompactBeginAll() {
	a.CompactEnd()
	a.compact = compaction{phase: compactCounting, all: true}
}

// CompactMark marks slabs to be emptied, looking at no more than that many units of 64 KB, and says whether there is more
// to do. A unit takes about 2 ns.
func (a *Arena) CompactMark(budget int) bool {
	k := &a.compact
	end := a.pages.chunks * unitsPerChunk
	switch k.phase {
	case compactCounting:
		for ; budget > 0 && k.cursor < end; budget-- {
			if m := &a.slabs[k.cursor]; m.class != classNone && m.class != classCont {
				if f := m.fill(&classes[m.class]); f < fillSteps {
					k.counts[m.class][f]++
				}
			}
			k.cursor++
		}
		if k.cursor >= end {
			for c := 1; c < numClasses; c++ {
				k.take[c] = uint32(a.excess(c))
			}
			k.phase = compactMarking
		}
		return true
	case compactMarking:
		for ; budget > 0 && k.cursor > 0; budget-- {
			k.cursor--
			m := &a.slabs[k.cursor]
			if m.class == classNone || m.class == classCont || m.flags&slabListed == 0 {
				continue
			}
			if k.all {
				a.evacuate(int(m.class), k.cursor)
				continue
			}
			if k.take[m.class] == 0 {
				continue
			}
			// This slab is among the sparsest if the sparser ones leave some to take.
			f := m.fill(&classes[m.class])
			sparser := uint32(0)
			for i := range f {
				sparser += k.counts[m.class][i]
			}
			if sparser >= k.take[m.class] {
				continue
			}
			k.take[m.class]--
			if k.counts[m.class][f] > 0 {
				k.counts[m.class][f]--
			}
			a.evacuate(int(m.class), k.cursor)
		}
		if k.cursor > 0 {
			return true
		}
		k.phase = compactMarked
	}
	return false
}

// evacuate marks a slab.
func (a *Arena) evacuate(c int, s uint32) {
	a.unlist(c, s)
	k, m := &a.compact, &a.slabs[s]
	m.flags |= slabEvac
	m.prev, m.next = 0, k.head
	if k.head != 0 {
		a.slabs[k.head].prev = s
	}
	k.head = s
	k.marked++
	if m.used == 0 {
		a.dropSlab(c, s)
	}
}

// unmark takes a slab out of the list of those being evacuated.
func (a *Arena) unmark(s uint32) {
	k, m := &a.compact, &a.slabs[s]
	if m.prev != 0 {
		a.slabs[m.prev].next = m.next
	} else {
		k.head = m.next
	}
	if m.next != 0 {
		a.slabs[m.next].prev = m.prev
	}
	m.next, m.prev = 0, 0
	m.flags &^= slabEvac
	k.marked--
}

// Compacting says whether slabs are marked, so that a walk over the tables has something to move.
func (a *Arena) Compacting() bool { return a.compact.marked != 0 }

// CompactEnd ends a compaction and returns how many bytes of slabs it freed. Its work is bounded by the slabs still marked.
func (a *Arena) CompactEnd() int64 {
	for a.compact.head != 0 {
		s := a.compact.head
		a.unmark(s)
		a.list(int(a.slabs[s].class), s)
	}
	freed := a.compact.freed
	a.compact.freed = 0
	a.compact.phase = compactIdle
	return int64(freed) * unitSize
}

// ShouldMove says whether a block stands in a slab that is being emptied: its owner is to allocate another, copy, and free
// this one.
func (a *Arena) ShouldMove(r Ref) bool {
	m := &a.slabs[r>>(unitShift-granShift)]
	if m.class == classCont {
		m = &a.slabs[m.next]
	}
	return m.flags&slabEvac != 0
}

// CompactStep walks at most that many buckets and calls move for each record that should move; move allocates a new block,
// copies the record, frees the old one (Arena.MoveRecord does all that), tells whoever else knows the record (the expiry
// index), and returns the new reference. It must not change this table. The cursor begins with 0; CompactStep returns
// that for the next call, and 0 when the walk is over. It may be kept over all other use of the table, like that of Scan.
func (t *Table) CompactStep(a *Arena, cursor uint64, buckets int, move func(Ref) Ref) uint64 {
	if t.arr[0] == 0 {
		return 0
	}
	if cursor == 0 {
		t.moveArrays(a)
	}
	for ; buckets > 0; buckets-- {
		cursor = t.walk(cursor, func(w int, i uint64) { t.compactChain(a, w, i, move) })
		if cursor == 0 {
			break
		}
	}
	return cursor
}

// moveArrays moves the table's own arrays if they should; those of more than 32 KB are page runs.
func (t *Table) moveArrays(a *Arena) {
	for w, u := range t.arr {
		if r := Ref(u) << (bucketShift - granShift); u != 0 && a.ShouldMove(r) {
			q := a.Alloc(bucketSize << t.bits[w])
			copy(a.Bytes(q, bucketSize<<t.bits[w]), a.Bytes(r, bucketSize<<t.bits[w]))
			a.Free(r)
			t.arr[w] = uint32(q >> (bucketShift - granShift))
		}
	}
}

func (t *Table) compactChain(a *Arena, w int, i uint64, move func(Ref) Ref) {
	var prev unsafe.Pointer
	for u := t.arr[w] + uint32(i); u != 0; {
		if r := Ref(u) << (bucketShift - granShift); prev != nil && a.ShouldMove(r) {
			q := a.Alloc(bucketSize)
			copy(a.Bytes(q, bucketSize), a.Bytes(r, bucketSize))
			a.Free(r)
			u = uint32(q >> (bucketShift - granShift))
			st32(prev, nextAt, u)
		}
		b := a.bucket(u)
		for m := ^matchTags(b, 0) & allSlots; m != 0; m &= m - 1 {
			j := firstSlot(m)
			word := slotWord(b, j)
			if r := Ref(word & refMask); a.ShouldMove(r) {
				setSlot(b, j, word&^refMask|uint64(move(r)), slotTag(b, j))
			}
		}
		prev = b
		u = bucketNext(b)
	}
}
