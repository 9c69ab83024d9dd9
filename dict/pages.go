package dict

import (
	"math/bits"
	"unsafe"
)

// Pages
//
// Three bits describe a page of 4 KB: used, head (first page of a run; runs need no length, they end where the next
// one begins or a page is free; a slab counts as one) and dirty (written since the system handed it out, so not known to be zero). A chunk
// is eight words of each, and a summary that lets a search skip it:
//
//	chunk  pages   0         1         2 …                                511
//	       used    ####............#########......................########
//	       head    #...............#....#.................................
//	               slab (4 shown)  two runs               max=22   tail=0   head=0
//
// The search is first fit from the low end: low chunks stay dense and high ones empty out.
// Slabs want their pages aligned to their own size; as chunks are a multiple of it, they lie in whole lanes of a word.
//
// Freed pages stay with the arena, dirty, and are the first to be used again. Arena.ReleaseStep returns the surplus
// to the system in small steps. That is the only place where memory leaves the arena before its end.

type chunkMeta struct {
	free  uint16 // free pages
	max   uint16 // longest run of free pages
	head  uint16 // free pages at the start
	tail  uint16 // free pages at the end
	dirty uint16 // free pages that are dirty
	flags uint16
	_     uint32
}

const (
	chunkHuge = 1 << iota // huge pages were asked for
	chunkTorn             // … and refused again, because the chunk has holes that must not become resident
)

const metaPerChunk = int64(unsafe.Sizeof(chunkMeta{})) + 3*pagesPerChunk/8 + unitsPerChunk*int64(unsafe.Sizeof(slabMeta{}))

type pageHeap struct {
	used, head, dirty []uint64
	meta              []chunkMeta
	chunks            uint32     // committed so far: the chunks below this number
	max               uint32     // chunks in the reservation
	metaChunks        uint32     // chunks that the side arrays have memory for
	unitHint          [5]uint32  // by units of a slab: no chunk below has room for one
	runHint           [10]uint32 // by k: no chunk below has a free run of 2^k pages within
	relCursor         uint32     // ReleaseStep goes down from here
	usedPages         int
	dirtyFree         int
	touched           int // pages that may be resident: used, or free and dirty
}

// metaStep is how many chunks get side-array memory at once.
const metaStep = 1024

func align(n, to uintptr) uintptr { return (n + to - 1) &^ (to - 1) }

// reserveMeta reserves the side arrays for an arena of the given size.
func (a *Arena) reserveMeta(size uintptr) error {
	n := size / chunkSize
	lens := [5]uintptr{n * unsafe.Sizeof(chunkMeta{}), n * pagesPerChunk / 8, n * pagesPerChunk / 8, n * pagesPerChunk / 8,
		n * unitsPerChunk * unsafe.Sizeof(slabMeta{})}
	var offs [5]uintptr
	total := uintptr(0)
	for i, l := range lens {
		offs[i] = total
		total += align(l, unitSize)
	}
	p, err := sysReserve(total)
	if err != nil {
		return err
	}
	a.meta, a.metaSize = p, total
	h := &a.pages
	h.max = uint32(n)
	h.meta = unsafe.Slice((*chunkMeta)(unsafe.Add(p, offs[0])), n)
	h.used = unsafe.Slice((*uint64)(unsafe.Add(p, offs[1])), n*wordsPerChunk)
	h.head = unsafe.Slice((*uint64)(unsafe.Add(p, offs[2])), n*wordsPerChunk)
	h.dirty = unsafe.Slice((*uint64)(unsafe.Add(p, offs[3])), n*wordsPerChunk)
	a.slabs = unsafe.Slice((*slabMeta)(unsafe.Add(p, offs[4])), n*unitsPerChunk)
	return nil
}

// commitMeta gives the side arrays memory for the next chunks.
func (h *pageHeap) commitMeta(slabs []slabMeta) error {
	lo, hi := uintptr(h.metaChunks), uintptr(min(h.metaChunks+metaStep, h.max))
	grow := func(p unsafe.Pointer, each uintptr) error {
		from, to := lo*each&^(unitSize-1), align(hi*each, pageSize)
		return sysCommit(unsafe.Add(p, from), to-from)
	}
	err := grow(unsafe.Pointer(unsafe.SliceData(h.meta)), unsafe.Sizeof(chunkMeta{}))
	for _, b := range [][]uint64{h.used, h.head, h.dirty} {
		if err == nil {
			err = grow(unsafe.Pointer(unsafe.SliceData(b)), pagesPerChunk/8)
		}
	}
	if err == nil {
		err = grow(unsafe.Pointer(unsafe.SliceData(slabs)), unitsPerChunk*unsafe.Sizeof(slabMeta{}))
	}
	if err == nil {
		h.metaChunks = uint32(hi)
	}
	return err
}

// takePages finds count free pages, aligned to units*64 KB if units is not 0, and marks them used. With zero they
// read as zero. bytes is what the caller wants them for, for the error.
func (a *Arena) takePages(count, units int, zero bool, bytes int) uint32 {
	h := &a.pages
	// A large zeroed run takes clean chunks only: clearing it would take longer than a turn may.
	clean := zero && count >= pagesPerChunk/2
	for {
		page, missing := h.find(count, units, clean)
		if missing == 0 {
			if zero {
				a.zeroPages(page, count)
			}
			h.take(page, count)
			a.mend(page, count)
			return page
		}
		if err := a.commit(missing); err != nil {
			if clean {
				clean = false // rather clear memory than refuse it
				continue
			}
			panic(&OutOfMemoryError{Bytes: bytes, Committed: a.committed(), Reserved: int64(a.rawSize), Err: err.err})
		}
	}
}

// commitFailure distinguishes "no addresses left" (nil inside) from the system's refusal.
type commitFailure struct{ err error }

// commit adds n chunks.
func (a *Arena) commit(n int) *commitFailure {
	h := &a.pages
	if uint64(h.chunks)+uint64(n) > uint64(h.max) {
		return &commitFailure{}
	}
	for h.chunks+uint32(n) > h.metaChunks {
		if err := h.commitMeta(a.slabs); err != nil {
			return &commitFailure{err}
		}
	}
	p := unsafe.Add(a.base, uintptr(h.chunks)*chunkSize)
	if err := sysCommit(p, uintptr(n)*chunkSize); err != nil {
		return &commitFailure{err}
	}
	first := h.chunks
	for i := first; i < first+uint32(n); i++ {
		h.meta[i] = chunkMeta{free: pagesPerChunk, max: pagesPerChunk, head: pagesPerChunk, tail: pagesPerChunk}
	}
	h.chunks += uint32(n)
	if h.chunks > hugeAfter {
		if first <= hugeAfter {
			first = 0 // the arena has just outgrown the small ones
		}
		for c := first; c < h.chunks; c++ {
			a.setHuge(c, true)
		}
	}
	if h.used[0] == 0 {
		h.take(0, 1) // Ref 0 refers to nothing: page 0 is never handed out, nor touched
		h.touched = 0
		h.dirty[0] = 0
		h.usedPages = 0
	}
	return nil
}

// setHuge asks for huge pages in chunk c, or refuses them.
func (a *Arena) setHuge(c uint32, on bool) {
	m := &a.pages.meta[c]
	if on {
		m.flags = m.flags&^chunkTorn | chunkHuge
	} else {
		m.flags = m.flags&^chunkHuge | chunkTorn
	}
	sysHuge(unsafe.Add(a.base, uintptr(c)*chunkSize), chunkSize, on)
}

// mend asks for huge pages again in torn chunks that a run has filled.
func (a *Arena) mend(page uint32, count int) {
	last := (page + uint32(count) - 1) / pagesPerChunk
	for c := page / pagesPerChunk; c <= last; c++ {
		if m := &a.pages.meta[c]; m.flags&chunkTorn != 0 && m.free <= pagesPerChunk/16 {
			a.setHuge(c, true)
		}
	}
}

// find returns the first page of a fit (a clean one avoids chunks with dirty free pages), or how many chunks must be
// committed before there is one.
func (h *pageHeap) find(count, units int, clean bool) (page uint32, missing int) {
	if units != 0 {
		for c := h.unitHint[units]; c < h.chunks; c++ {
			if int(h.meta[c].max) >= count {
				if p, ok := h.findUnits(c, units); ok {
					h.unitHint[units] = c
					return p, 0
				}
			}
		}
		h.unitHint[units] = h.chunks
		return 0, 1
	}
	k := min(bits.Len(uint(count))-1, len(h.runHint)-1)
	c := h.runHint[k]
	for c < h.chunks && int(h.meta[c].max) < 1<<k {
		c++
	}
	h.runHint[k] = c
	run := 0 // free pages that end where chunk c begins
	for ; c < h.chunks; c++ {
		m := &h.meta[c]
		if m.free == 0 || clean && m.dirty != 0 {
			run = 0
			continue
		}
		if run+int(m.head) >= count {
			return c*pagesPerChunk - uint32(run), 0
		}
		if int(m.max) >= count {
			return c*pagesPerChunk + h.findIn(c, count), 0
		}
		if m.free == pagesPerChunk {
			run += pagesPerChunk
		} else {
			run = int(m.tail)
		}
	}
	return 0, (count - run + pagesPerChunk - 1) / pagesPerChunk
}

// findUnits looks for free pages of a slab in chunk c.
func (h *pageHeap) findUnits(c uint32, units int) (uint32, bool) {
	lane := uint64(1)<<(units*pagesPerUnit) - 1 // 4 units: the shift gives 0, the mask all ones
	for w := uint32(0); w < wordsPerChunk; w++ {
		x := h.used[c*wordsPerChunk+w]
		if x == ^uint64(0) {
			continue
		}
		for s := 0; s < 64; s += units * pagesPerUnit {
			if x>>s&lane == 0 {
				return c*pagesPerChunk + w*64 + uint32(s), true
			}
		}
	}
	return 0, false
}

// findIn returns where in chunk c the first run of count free pages begins; there is one.
func (h *pageHeap) findIn(c uint32, count int) uint32 {
	run := 0
	for i := uint32(0); i < pagesPerChunk; {
		x := h.used[c*wordsPerChunk+i/64] >> (i % 64)
		left := int(64 - i%64)
		if n := min(bits.TrailingZeros64(x), left); n > 0 {
			run += n
			i += uint32(n)
			if run >= count {
				return i - uint32(run)
			}
			continue
		}
		n := bits.TrailingZeros64(^x)
		run = 0
		i += uint32(n)
	}
	panic("dict: a chunk's summary promises a run that is not there")
}

// eachWord calls fn for the words of the bitmaps that cover a run, with the mask of its pages.
func eachWord(page uint32, count int, fn func(w uint32, mask uint64)) {
	for count > 0 {
		bit := page % 64
		n := min(count, int(64-bit))
		fn(page/64, (^uint64(0)>>(64-n))<<bit)
		page += uint32(n)
		count -= n
	}
}

// take marks pages used, and dirty since they will be.
func (h *pageHeap) take(page uint32, count int) {
	eachWord(page, count, func(w uint32, mask uint64) {
		dirty := bits.OnesCount64(h.dirty[w] & mask)
		h.dirtyFree -= dirty
		h.touched += bits.OnesCount64(mask) - dirty
		h.used[w] |= mask
		h.dirty[w] |= mask
	})
	h.usedPages += count
	h.summarize(page, count)
}

// free marks pages free.
func (h *pageHeap) free(page uint32, count int) {
	eachWord(page, count, func(w uint32, mask uint64) { h.used[w] &^= mask })
	h.usedPages -= count
	h.dirtyFree += count
	h.summarize(page, count)
	c := page / pagesPerChunk
	last := (page + uint32(count) - 1) / pagesPerChunk
	room := max(h.meta[c].max, h.meta[last].max)
	if last > c+1 {
		room = pagesPerChunk
	}
	for k := range h.runHint {
		if int(room) >= 1<<k {
			h.runHint[k] = min(h.runHint[k], c)
		}
	}
	for i := range h.unitHint {
		if int(room) >= i*pagesPerUnit {
			h.unitHint[i] = min(h.unitHint[i], c)
		}
	}
}

// summarize computes the summaries of the chunks of a run anew.
func (h *pageHeap) summarize(page uint32, count int) {
	last := (page + uint32(count) - 1) / pagesPerChunk
	for c := page / pagesPerChunk; c <= last; c++ {
		m := chunkMeta{flags: h.meta[c].flags}
		run, first := 0, true
		longest := 0
		for i := c * wordsPerChunk; i < (c+1)*wordsPerChunk; i++ {
			x := h.used[i]
			m.free += uint16(64 - bits.OnesCount64(x))
			m.dirty += uint16(bits.OnesCount64(h.dirty[i] &^ x))
			if x == 0 {
				run += 64
				continue
			}
			if x == ^uint64(0) && run == 0 {
				first = false
				continue
			}
			run += bits.TrailingZeros64(x)
			if first {
				m.head, first = uint16(run), false
			}
			longest = max(longest, run, zeroRun(x))
			run = bits.LeadingZeros64(x)
		}
		if first {
			m.head = uint16(run)
		}
		m.tail = uint16(run)
		m.max = uint16(max(longest, run))
		h.meta[c] = m
	}
}

// zeroRun returns the longest run of zero bits in x.
func zeroRun(x uint64) int {
	n := 0
	for x = ^x; x != 0; x &= x >> 1 {
		n++
	}
	return n
}

func (h *pageHeap) markHead(page uint32)  { h.head[page/64] |= 1 << (page % 64) }
func (h *pageHeap) clearHead(page uint32) { h.head[page/64] &^= 1 << (page % 64) }

// runLen returns the pages of the run that begins at page: up to the next head or free page.
func (h *pageHeap) runLen(page uint32) int {
	w := page / 64
	// Ends: pages that begin another run, or are free.
	x := (h.head[w] | ^h.used[w]) >> (page % 64) &^ 1
	if x != 0 {
		return bits.TrailingZeros64(x)
	}
	n := int(64 - page%64)
	for w++; w < h.chunks*wordsPerChunk; w++ {
		if x := h.head[w] | ^h.used[w]; x != 0 {
			return n + bits.TrailingZeros64(x)
		}
		n += 64
	}
	return n
}

// isFree says whether all pages of a stretch are free.
func (h *pageHeap) isFree(page uint32, count int) bool {
	ok := true
	eachWord(page, count, func(w uint32, mask uint64) { ok = ok && h.used[w]&mask == 0 })
	return ok
}

// zeroPages makes free pages that are about to be taken read as zero.
func (a *Arena) zeroPages(page uint32, count int) {
	h := &a.pages
	end := page + uint32(count)
	for page < end {
		if x := h.dirty[page/64] >> (page % 64); x&1 == 0 {
			page += min(uint32(bits.TrailingZeros64(x)), 64-page%64)
			continue
		}
		n := uint32(1)
		for page+n < end && h.dirty[(page+n)/64]>>((page+n)%64)&1 != 0 {
			n++
		}
		p := unsafe.Add(a.base, uintptr(page)<<pageShift)
		// A long stretch is cheaper to give back than to clear, and then costs nothing until it is used.
		if n < 64 || sysPurge(p, uintptr(n)<<pageShift) != nil {
			clear(view(p, int(n)<<pageShift))
		}
		page += n
	}
}

// purgeCall is what one call to the system counts in a budget, in pages.
const purgeCall = 16

// ReleaseStep returns free pages to the system, for a budget of pages (4 KB each; a stretch of them counts 16 more), and says
// whether there is more to do. It keeps a small reserve for what is allocated next. Call it on every tick of the owner: a
// budget of 256 takes some 50 us on bare metal, and ten times that in a virtual machine that tells its host.
func (a *Arena) ReleaseStep(budget int) bool {
	h := &a.pages
	keep := h.usedPages/64 + 256
	for visited := uint32(0); budget > 0 && h.dirtyFree > keep; visited++ {
		if visited > h.chunks {
			return false
		}
		if h.relCursor == 0 || h.relCursor > h.chunks {
			h.relCursor = h.chunks
		}
		budget--
		if c := h.relCursor - 1; h.meta[c].dirty != 0 {
			budget -= a.purgeChunk(c, budget)
			if h.meta[c].dirty != 0 {
				break // the budget ended within the chunk
			}
		}
		h.relCursor--
	}
	return h.dirtyFree > keep
}

// Trim returns all free pages to the system, with no regard for time.
func (a *Arena) Trim() {
	for c := 1; c < numClasses; c++ {
		if s := a.partial[c]; s != 0 && a.slabs[s].used == 0 {
			a.dropSlab(c, s)
		}
	}
	for c := uint32(0); c < a.pages.chunks; c++ {
		if a.pages.meta[c].dirty != 0 {
			a.purgeChunk(c, 1<<30)
		}
	}
}

// purgeChunk returns free dirty pages of a chunk to the system, for a budget, and reports what it spent.
func (a *Arena) purgeChunk(c uint32, budget int) int {
	h := &a.pages
	m := &h.meta[c]
	if m.flags&chunkHuge != 0 && m.free >= pagesPerChunk/4 && m.free < pagesPerChunk {
		// The kernel would make the chunk one huge page again, and its holes resident.
		a.setHuge(c, false)
	}
	spent := 0
	for i := uint32(0); i < pagesPerChunk && spent < budget; {
		page := c*pagesPerChunk + i
		x := (h.dirty[page/64] &^ h.used[page/64]) >> (page % 64)
		if x == 0 {
			i += 64 - page%64
			continue
		}
		if z := uint32(bits.TrailingZeros64(x)); z > 0 {
			i += z
			continue
		}
		n := uint32(0)
		for i+n < pagesPerChunk {
			p := page + n
			o := uint32(bits.TrailingZeros64(^((h.dirty[p/64] &^ h.used[p/64]) >> (p % 64))))
			o = min(o, 64-p%64)
			n += o
			if o == 0 || (p+o)%64 != 0 {
				break
			}
		}
		if err := sysPurge(unsafe.Add(a.base, uintptr(page)<<pageShift), uintptr(n)<<pageShift); err == nil {
			eachWord(page, int(n), func(w uint32, mask uint64) { h.dirty[w] &^= mask })
			h.dirtyFree -= int(n)
			h.touched -= int(n)
		}
		spent += int(n) + purgeCall
		i += n
	}
	h.summarize(c*pagesPerChunk, pagesPerChunk)
	return spent
}
