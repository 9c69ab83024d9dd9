package dict

import (
	"bytes"
	"fmt"
)

// Check verifies what the arena knows about itself: bitmaps, summaries, slabs, free lists and sums. It reads every free
// block, so it is for tests and DEBUG commands.
func (a *Arena) Check() error {
	if err := a.checkPages(); err != nil {
		return err
	}
	listed := map[uint32]bool{}
	for c := 1; c < numClasses; c++ {
		prev := uint32(0)
		for s := a.partial[c]; s != 0; s = a.slabs[s].next {
			m := a.slabs[s]
			if listed[s] || int(m.class) != c || m.prev != prev || m.flags != slabListed {
				return fmt.Errorf("dict: list of class %d: slab %d: %+v, seen before: %v", c, s, m, listed[s])
			}
			listed[s] = true
			prev = s
		}
	}
	marked := 0
	for s := a.compact.head; s != 0; s = a.slabs[s].next {
		if m := a.slabs[s]; listed[s] || m.flags != slabEvac {
			return fmt.Errorf("dict: marked slab %d: %+v, seen before: %v", s, m, listed[s])
		}
		listed[s] = true
		marked++
	}
	if marked != a.compact.marked {
		return fmt.Errorf("dict: %d slabs marked, %d in the list", a.compact.marked, marked)
	}
	var used, slabs [numClasses]int64
	live := a.runBytes
	for s := uint32(0); s < a.pages.chunks*unitsPerChunk; s++ {
		m := a.slabs[s]
		if m.class == classNone {
			continue
		}
		if int(m.class) >= numClasses {
			return fmt.Errorf("dict: unit %d: %+v does not follow its slab", s, m)
		}
		if err := a.checkSlab(s, m, listed[s]); err != nil {
			return err
		}
		used[m.class] += int64(m.used)
		slabs[m.class]++
		live += int64(m.used) * int64(classes[m.class].size)
		s += uint32(classes[m.class].units) - 1
	}
	if used != a.classUsed || slabs != a.classSlab || live != a.live {
		return fmt.Errorf("dict: sums differ: %d bytes live, %d counted; blocks %v, counted %v; slabs %v, counted %v",
			a.live, live, a.classUsed, used, a.classSlab, slabs)
	}
	return a.debug.check(a)
}

func (a *Arena) checkSlab(s uint32, m slabMeta, listed bool) error {
	ci := &classes[m.class]
	for i := uint32(1); i < uint32(ci.units); i++ {
		if c := a.slabs[s+i]; c.class != classCont || c.next != s {
			return fmt.Errorf("dict: slab %d of %d units: unit %d is %+v", s, ci.units, s+i, c)
		}
	}
	for i := uint32(0); i < uint32(ci.units)*pagesPerUnit; i++ {
		if p := s*pagesPerUnit + i; a.pages.used[p/64]>>(p%64)&1 == 0 {
			return fmt.Errorf("dict: page %d of slab %d is free", p, s)
		}
	}
	if listed != (m.used < ci.blocks) {
		return fmt.Errorf("dict: slab %d with %d of %d blocks in use, in a list: %v", s, m.used, ci.blocks, listed)
	}
	base := uintptr(s) << unitShift
	free := 0
	seen := make([]bool, ci.blocks)
	for f := m.free; f != 0; free++ {
		off := uintptr(f-1) << ci.gran
		i := off / uintptr(ci.size)
		if off%uintptr(ci.size) != 0 || i >= uintptr(m.bump) || seen[i] {
			return fmt.Errorf("dict: free list of slab %d (%+v): offset %d, again: %v", s, m, off, i < uintptr(m.bump) && seen[i])
		}
		seen[i] = true
		if invariants && a.debug.isLive(Ref((base+off)>>granShift)) {
			return fmt.Errorf("dict: live block %#x is in the free list", (base+off)>>granShift)
		}
		f = ld16(a.base, base+off)
	}
	if free+int(m.used) != int(m.bump) || m.bump > ci.blocks {
		return fmt.Errorf("dict: slab %d: %d used and %d free of %d handed out, %d in all", s, m.used, free, m.bump, ci.blocks)
	}
	return nil
}

// checkPages verifies bitmaps and summaries.
func (a *Arena) checkPages() error {
	h := &a.pages
	used, dirtyFree, touched, runs := 0, 0, 0, 0
	for c := uint32(0); c < h.chunks; c++ {
		var m chunkMeta
		run, first := uint16(0), true
		for i := uint32(0); i < pagesPerChunk; i++ {
			p := c*pagesPerChunk + i
			isUsed, isDirty, isHead := h.used[p/64]>>(p%64)&1 != 0, h.dirty[p/64]>>(p%64)&1 != 0, h.head[p/64]>>(p%64)&1 != 0
			if isHead && !isUsed {
				return fmt.Errorf("dict: free page %d heads a run", p)
			}
			if isUsed && !isDirty && p != 0 {
				return fmt.Errorf("dict: used page %d is thought to be untouched", p)
			}
			if isDirty {
				touched++
			}
			if isUsed {
				if first {
					m.head, first = run, false
				}
				run = 0
				used++
				if a.slabs[p/pagesPerUnit].class == classNone {
					runs++
				}
				continue
			}
			run++
			m.free++
			m.max = max(m.max, run)
			if isDirty {
				dirtyFree++
				m.dirty++
			}
		}
		if first {
			m.head = run
		}
		m.tail = run
		m.flags = h.meta[c].flags
		if m != h.meta[c] {
			return fmt.Errorf("dict: chunk %d: summary %+v, counted %+v", c, h.meta[c], m)
		}
		for k, hint := range h.runHint {
			if c < hint && int(m.max) >= 1<<k {
				return fmt.Errorf("dict: chunk %d has %d free pages in a row, below the hint %d for %d", c, m.max, hint, 1<<k)
			}
		}
		for _, units := range []int{1, 2, 4} {
			if _, ok := h.findUnits(c, units); ok && c < h.unitHint[units] {
				return fmt.Errorf("dict: chunk %d has room for a slab of %d units below the hint %d", c, units, h.unitHint[units])
			}
		}
	}
	if used > 0 {
		used, runs = used-1, runs-1 // page 0
	}
	if used != h.usedPages || dirtyFree != h.dirtyFree || touched != h.touched {
		return fmt.Errorf("dict: pages used %d, dirty and free %d, touched %d; counted %d, %d, %d",
			h.usedPages, h.dirtyFree, h.touched, used, dirtyFree, touched)
	}
	if int64(runs)<<pageShift != a.runBytes {
		return fmt.Errorf("dict: %d bytes in page runs, counted %d pages", a.runBytes, runs)
	}
	return nil
}

// Check verifies that every record is where its key's hash says, with the right tag, once, and that chains and sums are as
// they should be. It reads every record.
func (t *Table) Check(a *Arena) error {
	if t.arr[0] == 0 && (t.arr[1] != 0 || t.used != [2]uint64{} || t.over != [2]uint32{}) {
		return fmt.Errorf("dict: table without an array: %+v", *t)
	}
	for w, u := range t.arr {
		if u == 0 {
			continue
		}
		if invariants {
			a.debug.mustLive(Ref(u) << (bucketShift - granShift))
		}
		used, over := uint64(0), uint32(0)
		from := uint64(0)
		if w == 0 {
			if from = t.pos; t.arr[1] == 0 && t.pos != 0 {
				return fmt.Errorf("dict: position %d in a table that does not rehash", t.pos)
			}
		}
		for i := from; i < 1<<t.bits[w]; i++ {
			n, o, err := t.checkChain(a, w, i)
			if err != nil {
				return fmt.Errorf("dict: array %d, bucket %d of %d: %w", w, i, uint64(1)<<t.bits[w], err)
			}
			used += n
			over += o
		}
		if used != t.used[w] || over != t.over[w] {
			return fmt.Errorf("dict: array %d has %d elements and %d overflow buckets, counted %d and %d", w, t.used[w], t.over[w], used, over)
		}
	}
	return nil
}

func (t *Table) checkChain(a *Arena, w int, i uint64) (used uint64, over uint32, err error) {
	var keys [][]byte
	place := 0
	for u := t.arr[w] + uint32(i); u != 0; place++ {
		if invariants && place > 0 {
			a.debug.mustLive(Ref(u) << (bucketShift - granShift))
		}
		b := a.bucket(u)
		n := bucketLen(b)
		next := bucketNext(b)
		// A rehash that ran out of memory leaves a chain half moved.
		half := w == 0 && t.arr[1] != 0 && i == t.pos
		if half {
			// It may have holes anywhere.
		} else if place == 0 && next != 0 && n != bucketSlots || place > 1 && n != bucketSlots || place == 1 && n == 0 {
			return 0, 0, fmt.Errorf("bucket %d of the chain holds %d elements, next %d", place, n, next)
		}
		for j := range bucketSlots {
			word, tag := slotWord(b, j), slotTag(b, j)
			if tag == 0 {
				if word != 0 {
					return 0, 0, fmt.Errorf("empty slot %d refers to %#x", j, word)
				}
				continue
			}
			r := Ref(word & refMask)
			key := t.layout.key(a.Ptr(r))
			h := Hash(a.seed, key)
			valid := uint64(1<<t.known[w]-1) << refBits
			if uint64(tag) != tagOf(h) || h&(1<<t.bits[w]-1) != i || (word^t.extra(w, h))&valid != 0 {
				return 0, 0, fmt.Errorf("slot %d: record %#x, key %q, hash %#x, tag %#x, extra bits %#x (%d valid)",
					j, r, key, h, tag, word>>refBits, t.known[w])
			}
			for _, k := range keys {
				if bytes.Equal(k, key) {
					return 0, 0, fmt.Errorf("key %q is there twice", key)
				}
			}
			keys = append(keys, key)
			used++
		}
		if place > 0 {
			over++
		}
		u = next
	}
	return used, over, nil
}
