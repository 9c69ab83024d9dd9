package dict

import (
	"fmt"
	"unsafe"
)

// The arena
//
// One contiguous range of addresses is reserved at the start (256 GB where the system grants it; it costs nothing) and
// made usable in chunks of 2 MB as it fills. A reference is the distance from its start, so turning one into an
// address is one shift and one addition: no chunk table stands on the hot path.
//
//	reservation  |chunk 0        |chunk 1        |chunk 2        | … reserved, not committed …
//	             |u|u|u|u|…32 units of 64 KB|…
//	unit         a slab of one size class        [b][b][b][ ][b][ ]…   blocks, free ones linked through themselves
//	             or (part of) page runs          |run of 9 pages       |free |run of 12 pages …
//
// Blocks of up to 32 KB come from slabs (see class.go), larger ones are runs of 4 KB pages (see pages.go). What the
// arena knows about units, pages and chunks stands in arrays outside the range, indexed by the address, without Go
// pointers, in a mapping of its own: 0.04 % of the data. A block has no header.
//
// Free blocks of a slab form a list through their first two bytes; a slab that was never full hands out its blocks in
// order first, so that a fresh slab touches no page before it must. Slabs with room are linked in one list a class.
// An empty slab goes back to the pages unless it is the only one of its class with room.

// Ref refers to a block of an arena: its distance from the arena's start in units of 4 bytes, 36 bits of it used.
// 0 refers to nothing.
type Ref uint64

const (
	granShift  = 2
	pageShift  = 12
	pageSize   = 1 << pageShift
	unitShift  = 16
	unitSize   = 1 << unitShift
	chunkShift = 21
	chunkSize  = 1 << chunkShift

	pagesPerUnit  = unitSize / pageSize
	pagesPerChunk = chunkSize / pageSize
	unitsPerChunk = chunkSize / unitSize
	wordsPerChunk = pagesPerChunk / 64

	refBits    = 36
	refMask    = 1<<refBits - 1
	maxReserve = 1 << (refBits + granShift)
	minReserve = 64 << 20

	// Transparent huge pages make 2 MB resident at the first touch. A small dataset must not pay for that, so only
	// an arena of more than hugeAfter chunks asks for them.
	hugeAfter = 8
)

// slabMeta describes one unit of 64 KB.
type slabMeta struct {
	free  uint16 // 1 + offset of the first free block in steps of the class's granule; 0 none
	used  uint16 // blocks in use
	bump  uint16 // blocks handed out at least once
	class uint8  // classNone, a class, or classCont (then next is the slab's first unit)
	flags uint8
	next  uint32 // list of the slabs of this class with room; 0 ends it (unit 0 is never a slab)
	prev  uint32
}

const (
	slabEvac   = 1 << iota // marked for evacuation: no new blocks, see compact.go
	slabListed             // stands in the list of its class
)

// Arena is a memory of blocks off the Go heap. One goroutine owns it; see the package comment. Create it with
// [NewArena].
type Arena struct {
	base    unsafe.Pointer // of chunk 0
	slabs   []slabMeta     // by unit
	partial [numClasses]uint32
	seed    uint64

	pages pageHeap

	live      int64 // bytes of blocks in use, rounded to their classes
	runBytes  int64 // of these, in page runs
	classUsed [numClasses]int64
	classSlab [numClasses]int64

	compact compaction
	fixed   bool // KeepTableSizes

	raw      unsafe.Pointer // as reserved
	rawSize  uintptr
	meta     unsafe.Pointer
	metaSize uintptr
	debug    debugArena
}

// OutOfMemoryError is the panic of an arena that cannot grow: the reserved range is used up, or the system refuses
// memory. Those who start work that allocates (a command, a load) recover it there.
type OutOfMemoryError struct {
	Bytes     int   // size of the block asked for
	Committed int64 // bytes that the arena had then
	Reserved  int64 // bytes that it may grow to
	Err       error // the system's answer; nil if the range is used up
}

func (e *OutOfMemoryError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("dict: out of memory: block of %d bytes, %d committed: %v", e.Bytes, e.Committed, e.Err)
	}
	return fmt.Sprintf("dict: out of memory: block of %d bytes, %d committed of %d reserved", e.Bytes, e.Committed, e.Reserved)
}

func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// NewArena reserves the addresses of an arena; no memory is used yet. The seed is that of [Hash] for all its tables
// and must be secret and random. The error is the system's, if it grants not even 64 MB of addresses.
func NewArena(seed uint64) (*Arena, error) { return newArena(seed, maxReserve) }

func newArena(seed uint64, size uintptr) (*Arena, error) {
	for {
		a, err := tryArena(seed, size)
		if err == nil {
			return a, nil
		}
		if size /= 2; size < minReserve {
			return nil, fmt.Errorf("dict: cannot reserve addresses for an arena: %w", err)
		}
	}
}

func tryArena(seed uint64, size uintptr) (*Arena, error) {
	raw, err := sysReserve(size + chunkSize)
	if err != nil {
		return nil, err
	}
	a := &Arena{seed: seed, raw: raw, rawSize: size + chunkSize}
	a.base = unsafe.Add(raw, -uintptr(raw)&(chunkSize-1))
	if err := a.reserveMeta(size); err != nil {
		_ = sysRelease(raw, a.rawSize)
		return nil, err
	}
	a.debug.init()
	return a, nil
}

// Release gives all memory back to the system. Any goroutine may call it once the owner is done with the arena; a
// second call does nothing. The memory goes in slices, because taking down one large mapping would hold up the page
// faults of every other goroutine. Nothing of the arena may be used afterwards.
func (a *Arena) Release() {
	if a.raw == nil {
		return
	}
	const slice = 16 * chunkSize
	total := uintptr(a.pages.chunks) * chunkSize
	for off := uintptr(0); off < total; off += slice {
		_ = sysPurge(unsafe.Add(a.base, off), min(slice, total-off))
	}
	raw, rawSize, meta, metaSize := a.raw, a.rawSize, a.meta, a.metaSize
	*a = Arena{}
	if err := sysRelease(raw, rawSize); err != nil {
		panic(fmt.Sprintf("dict: release of %d bytes at %p: %v", rawSize, raw, err))
	}
	if err := sysRelease(meta, metaSize); err != nil {
		panic(fmt.Sprintf("dict: release of %d bytes at %p: %v", metaSize, meta, err))
	}
}

// Seed returns the seed for [Hash] of keys in this arena's tables.
func (a *Arena) Seed() uint64 { return a.seed }

// Ptr returns the address of a block, valid until it is freed or moved.
func (a *Arena) Ptr(r Ref) unsafe.Pointer {
	if invariants {
		a.debug.mustLive(r)
	}
	return unsafe.Add(a.base, uintptr(r)<<granShift)
}

// Bytes returns the first n bytes of a block as a view, valid until it is freed or moved.
func (a *Arena) Bytes(r Ref, n int) []byte {
	if invariants && n > a.Usable(r) {
		panic(fmt.Sprintf("dict: view of %d bytes over block %#x of %d", n, r, a.Usable(r)))
	}
	return view(a.Ptr(r), n)
}

// Alloc returns a block of at least n bytes with undefined content, aligned to 4 bytes, and to its size if that is a
// power of two up to 4096. It panics with *[OutOfMemoryError].
func (a *Arena) Alloc(n int) Ref {
	if uint(n) > maxSmall {
		return a.allocRun(n, false)
	}
	c := classOf(n)
	s := a.partial[c]
	if s == 0 {
		s = a.newSlab(c)
	}
	m := &a.slabs[s]
	ci := &classes[c]
	off := uintptr(s) << unitShift
	// Under invariants blocks that were never used come first, so that a stale reference is not soon alive again.
	if m.free != 0 && (!invariants || m.bump == ci.blocks) {
		off += uintptr(m.free-1) << ci.gran
		m.free = ld16(a.base, off)
	} else {
		off += uintptr(m.bump) * uintptr(ci.size)
		m.bump++
	}
	m.used++
	if m.used == ci.blocks {
		a.unlist(c, s)
	}
	a.live += int64(ci.size)
	a.classUsed[c]++
	r := Ref(off >> granShift)
	if invariants {
		a.debug.alloc(a, r, int(ci.size))
	}
	return r
}

// AllocZeroed is Alloc with all usable bytes zero. Large blocks come from pages that the system just handed out, so
// their cost does not depend on their size.
func (a *Arena) AllocZeroed(n int) Ref {
	if uint(n) > maxSmall {
		return a.allocRun(n, true)
	}
	r := a.Alloc(n)
	clear(view(a.Ptr(r), int(classes[classOf(n)].size)))
	return r
}

// Free gives a block back. It does bounded work whatever the block's size: pages return to the system later, in
// [Arena.ReleaseStep].
func (a *Arena) Free(r Ref) {
	if invariants {
		a.debug.free(a, r)
	}
	off := uintptr(r) << granShift
	s := uint32(off >> unitShift)
	m := &a.slabs[s]
	if m.class == classCont {
		s = m.next
		m = &a.slabs[s]
	}
	if m.class == classNone {
		a.freeRun(r)
		return
	}
	c := int(m.class)
	ci := &classes[c]
	st16(a.base, off, m.free)
	m.free = uint16((off-uintptr(s)<<unitShift)>>ci.gran) + 1
	m.used--
	a.live -= int64(ci.size)
	a.classUsed[c]--
	if m.used == 0 || m.flags != slabListed {
		a.freedInSlab(c, s, m)
	}
}

// freedInSlab does what is due when a slab becomes empty, or has room again.
func (a *Arena) freedInSlab(c int, s uint32, m *slabMeta) {
	if m.used == 0 {
		if m.flags&slabEvac != 0 {
			a.dropSlab(c, s)
			return
		}
		// One empty slab a class may stay, so that a class that hovers around a slab's edge does not take and
		// return pages with every block.
		if m.flags&slabListed == 0 || a.partial[c] != s || m.next != 0 {
			a.dropSlab(c, s)
			return
		}
		m.free, m.bump = 0, 0
		return
	}
	if m.flags&(slabEvac|slabListed) == 0 {
		a.list(c, s)
	}
}

// Usable returns the capacity of a block in bytes: what was asked for, rounded up to its class or whole pages.
func (a *Arena) Usable(r Ref) int {
	s := uint32(r >> (unitShift - granShift))
	m := &a.slabs[s]
	if m.class == classCont {
		m = &a.slabs[m.next]
	}
	if m.class == classNone {
		return a.pages.runLen(uint32(r>>(pageShift-granShift))) << pageShift
	}
	return int(classes[m.class].size)
}

// Grow tries to make a block hold n bytes where it stands and says whether it does: always if n fits its capacity,
// and for a page run if the pages behind it are free. The content is kept; new bytes are undefined.
func (a *Arena) Grow(r Ref, n int) bool {
	have := a.Usable(r)
	if n <= have {
		return true
	}
	if have <= maxSmall {
		return false
	}
	page := uint32(r >> (pageShift - granShift))
	more := (n+pageSize-1)>>pageShift - have>>pageShift
	h := &a.pages
	end := uint64(page) + uint64(have>>pageShift)
	if beyond := int64(end+uint64(more)) - int64(h.chunks)*pagesPerChunk; beyond > 0 {
		// The run may be the last one; then the arena grows for it.
		left := int(int64(more) - beyond)
		if left < 0 || !h.isFree(uint32(end), left) || a.commit(int(beyond+pagesPerChunk-1)/pagesPerChunk) != nil {
			return false
		}
	}
	if !h.isFree(uint32(end), more) {
		return false
	}
	h.take(uint32(end), more)
	a.live += int64(more) << pageShift
	a.runBytes += int64(more) << pageShift
	if invariants {
		a.debug.resize(a, r, have+more<<pageShift)
	}
	return true
}

// Realloc returns a block of at least n bytes with the first keep bytes of block r, in place if it can. r is freed if
// the result is another block.
func (a *Arena) Realloc(r Ref, n, keep int) Ref {
	if a.Grow(r, n) {
		return r
	}
	q := a.Alloc(n)
	copy(a.Bytes(q, keep), a.Bytes(r, keep))
	a.Free(r)
	return q
}

// list puts a slab at the head of the list of its class.
func (a *Arena) list(c int, s uint32) {
	m := &a.slabs[s]
	m.prev, m.next = 0, a.partial[c]
	if m.next != 0 {
		a.slabs[m.next].prev = s
	}
	a.partial[c] = s
	m.flags |= slabListed
}

// unlist takes a slab out of the list of its class.
func (a *Arena) unlist(c int, s uint32) {
	m := &a.slabs[s]
	if m.prev != 0 {
		a.slabs[m.prev].next = m.next
	} else {
		a.partial[c] = m.next
	}
	if m.next != 0 {
		a.slabs[m.next].prev = m.prev
	}
	m.next, m.prev = 0, 0
	m.flags &^= slabListed
}

// newSlab makes a slab of class c and lists it.
func (a *Arena) newSlab(c int) uint32 {
	ci := &classes[c]
	page := a.takePages(int(ci.units)*pagesPerUnit, int(ci.units), false, int(ci.size))
	a.pages.markHead(page)
	s := page / pagesPerUnit
	a.slabs[s] = slabMeta{class: uint8(c)}
	for i := uint32(1); i < uint32(ci.units); i++ {
		a.slabs[s+i] = slabMeta{class: classCont, next: s}
	}
	a.classSlab[c]++
	a.list(c, s)
	return s
}

// dropSlab returns the pages of an empty slab.
func (a *Arena) dropSlab(c int, s uint32) {
	m := &a.slabs[s]
	if m.used != 0 {
		panic(fmt.Sprintf("dict: slab %d of class %d dropped with %d blocks in use", s, c, m.used))
	}
	if m.flags&slabListed != 0 {
		a.unlist(c, s)
	}
	if m.flags&slabEvac != 0 {
		a.unmark(s)
		a.compact.freed += int(classes[c].units)
	}
	units := uint32(classes[c].units)
	for i := uint32(0); i < units; i++ {
		a.slabs[s+i] = slabMeta{}
	}
	a.classSlab[c]--
	a.pages.clearHead(s * pagesPerUnit)
	a.pages.free(s*pagesPerUnit, int(units)*pagesPerUnit)
}

// allocRun allocates a block of whole pages.
func (a *Arena) allocRun(n int, zero bool) Ref {
	if n < 0 || uintptr(n) > a.rawSize {
		panic(&OutOfMemoryError{Bytes: n, Committed: a.committed(), Reserved: int64(a.rawSize)})
	}
	count := (n + pageSize - 1) >> pageShift
	page := a.takePages(count, 0, zero, n)
	a.pages.markHead(page)
	a.live += int64(count) << pageShift
	a.runBytes += int64(count) << pageShift
	r := Ref(page) << (pageShift - granShift)
	if invariants {
		a.debug.alloc(a, r, count<<pageShift)
		if zero {
			clear(view(a.Ptr(r), count<<pageShift))
		}
	}
	return r
}

func (a *Arena) freeRun(r Ref) {
	page := uint32(r >> (pageShift - granShift))
	count := a.pages.runLen(page)
	a.pages.clearHead(page)
	a.pages.free(page, count)
	a.live -= int64(count) << pageShift
	a.runBytes -= int64(count) << pageShift
	// An owner that never ticks must not keep all it freed: beyond a generous share, each free does a little of the
	// returning itself.
	if a.pages.dirtyFree > a.pages.usedPages/2+16*pagesPerChunk {
		a.ReleaseStep(256)
	}
}

func (a *Arena) committed() int64 { return int64(a.pages.touched) << pageShift }

// ArenaStats are the figures of an arena, all in bytes unless they say otherwise.
type ArenaStats struct {
	Live      int64 // blocks in use, each rounded up to its class or whole pages
	Runs      int64 // of Live: page runs
	Slabs     int64 // memory in slabs; what exceeds their blocks in use is fragmentation
	Committed int64 // memory that may be resident: used pages, and free ones not yet returned to the system
	Idle      int64 // of Committed: free pages, which ReleaseStep returns
	Chunks    int   // chunks of 2 MB ever committed
	Meta      int64 // what the arena keeps about itself for these chunks
	Classes   []ClassStats
}

// ClassStats are the figures of one size class.
type ClassStats struct {
	Size   int   // bytes of a block
	Slabs  int64 // number of slabs
	Blocks int64 // blocks in use
	Room   int64 // blocks in all slabs
}

// Fragmentation returns the committed bytes per byte in use: 1 is perfect.
func (s ArenaStats) Fragmentation() float64 {
	if s.Live == 0 {
		return 1
	}
	return float64(s.Committed) / float64(s.Live)
}

// Used returns the bytes of blocks in use: ArenaStats.Live, without the cost of the rest.
func (a *Arena) Used() int64 { return a.live }

// Stats returns the arena's figures. Classes are listed if they have slabs.
func (a *Arena) Stats() ArenaStats {
	s := ArenaStats{
		Live: a.live, Runs: a.runBytes, Committed: a.committed(),
		Idle: int64(a.pages.dirtyFree) << pageShift, Chunks: int(a.pages.chunks),
		Meta: int64(a.pages.chunks) * metaPerChunk,
	}
	for c := 1; c < numClasses; c++ {
		if a.classSlab[c] == 0 {
			continue
		}
		ci := classes[c]
		s.Slabs += a.classSlab[c] * int64(ci.units) * unitSize
		s.Classes = append(s.Classes, ClassStats{
			Size: int(ci.size), Slabs: a.classSlab[c], Blocks: a.classUsed[c], Room: a.classSlab[c] * int64(ci.blocks),
		})
	}
	return s
}
