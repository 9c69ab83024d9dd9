package dict

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// testArena returns an arena that is checked and released at the end of the test.
func testArena(t testing.TB) *Arena {
	t.Helper()
	a, err := NewArena(0x5eed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Check(); err != nil {
			t.Error(err)
		}
		a.Release()
	})
	return a
}

func mustCheck(t testing.TB, a *Arena) {
	t.Helper()
	if err := a.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestClasses(t *testing.T) {
	for c := 1; c < numClasses; c++ {
		ci := classes[c]
		slab := uint32(ci.units) * unitSize
		if ci.size <= classes[c-1].size || ci.size%4 != 0 || ci.size%(1<<ci.gran) != 0 {
			t.Errorf("class %d: size %d after %d, granule %d", c, ci.size, classes[c-1].size, 1<<ci.gran)
		}
		if n := slab / ci.size; uint32(ci.blocks) != n {
			t.Errorf("class %d: %d blocks of %d in a slab of %d", c, ci.blocks, ci.size, slab)
		}
		if waste := slab - uint32(ci.blocks)*ci.size; waste*100 > slab*4 {
			t.Errorf("class %d: %d bytes of a slab of %d are lost", c, waste, slab)
		}
		if slab>>ci.gran > 1<<16-1 {
			t.Errorf("class %d: offsets in a slab of %d do not fit", c, slab)
		}
		steps := uint32(14) // a sixteenth, but for what the stretching to whole slabs adds
		if ci.size > 16<<10 {
			steps = 8
		}
		if prev := classes[c-1].size; prev >= 128 && (ci.size-prev)*steps > ci.size {
			t.Errorf("class %d: a block of %d bytes takes %d", c, prev+1, ci.size)
		}
	}
	if classes[numClasses-1].size != maxSmall {
		t.Errorf("the last class is %d, want %d", classes[numClasses-1].size, maxSmall)
	}
	for n := 1; n <= maxSmall; n++ {
		if c := classOf(n); int(classes[c].size) < n || c > 1 && int(classes[c-1].size) >= n {
			t.Fatalf("%d bytes go to class %d of %d bytes", n, c, classes[c].size)
		}
	}
	for size := 64; size <= maxSmall; size *= 2 {
		if RoundUp(size) != size {
			t.Errorf("%d is not a class", size)
		}
	}
	if RoundUp(maxSmall+1) != maxSmall+pageSize || RoundUp(81) != 84 {
		t.Errorf("RoundUp: %d, %d", RoundUp(maxSmall+1), RoundUp(81))
	}
}

func TestEmptyArenaCostsNothing(t *testing.T) {
	a := testArena(t)
	if n := resident(t, a); n != 0 {
		t.Errorf("an empty arena takes %d bytes", n)
	}
	if s := a.Stats(); s.Committed != 0 || s.Live != 0 || s.Fragmentation() != 1 {
		t.Errorf("%+v", s)
	}
	// One key must not cost more than a few pages, for the data and for the metadata.
	a.NewEntry(Header{ExpireAt: NoExpire}, []byte("key"), []byte("value"))
	if n := resident(t, a); n == 0 || n > 64<<10 {
		t.Errorf("an arena with one key takes %d bytes", n)
	}
}

// Small datasets of many sizes share chunks, and pages that hold nothing are not resident.
func TestSmallArenaStaysSmall(t *testing.T) {
	a := testArena(t)
	for n := 8; n <= maxSmall; n += n/8 + 4 {
		clear(a.Bytes(a.Alloc(n), n))
	}
	if d := resident(t, a); d > 1<<20 {
		t.Errorf("one block of each class takes %d bytes", d)
	}
}

// block is a live block of a model, full of its own byte.
type block struct {
	ref  Ref
	n    int
	fill byte
}

func (b block) write(a *Arena) {
	p := a.Bytes(b.ref, b.n)
	for i := range p {
		p[i] = b.fill
	}
}

func (b block) verify(t testing.TB, a *Arena) {
	t.Helper()
	for i, c := range a.Bytes(b.ref, b.n) {
		if c != b.fill {
			t.Fatalf("block %#x of %d bytes: byte %d is %#x, want %#x", b.ref, b.n, i, c, b.fill)
		}
	}
}

// arenaModel allocates, frees, grows and releases at random, and verifies each block's bytes.
func arenaModel(t testing.TB, seed uint64, ops int) {
	a := testArena(t)
	rnd := rand.New(rand.NewPCG(seed, 0))
	size := func() int {
		switch rnd.IntN(10) {
		case 0:
			return 1 + rnd.IntN(300<<10)
		case 1:
			return 1 + rnd.IntN(maxSmall)
		default:
			return 1 + rnd.IntN(300)
		}
	}
	var live []block
	grow := true
	for op := range ops {
		if rnd.IntN(ops/6+1) == 0 {
			grow = !grow
		}
		k := rnd.IntN(20)
		switch {
		case len(live) == 0 || grow && k < 13 || k < 5:
			b := block{n: size(), fill: byte(rnd.Uint32())}
			if k%3 == 0 {
				b.ref = a.AllocZeroed(b.n)
				block{b.ref, a.Usable(b.ref), 0}.verify(t, a)
			} else {
				b.ref = a.Alloc(b.n)
			}
			if u := a.Usable(b.ref); u != RoundUp(b.n) {
				t.Fatalf("block of %d bytes has %d", b.n, u)
			}
			b.write(a)
			live = append(live, b)
		case k < 17:
			i := rnd.IntN(len(live))
			live[i].verify(t, a)
			a.Free(live[i].ref)
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		case k < 19:
			b := &live[rnd.IntN(len(live))]
			n := b.n + rnd.IntN(b.n+1)
			b.ref = a.Realloc(b.ref, n, b.n)
			b.verify(t, a)
			if a.Usable(b.ref) < n {
				t.Fatalf("block grown to %d bytes has %d", n, a.Usable(b.ref))
			}
			b.n = n
			b.write(a)
		default:
			a.ReleaseStep(rnd.IntN(600))
		}
		if op%1009 == 0 {
			mustCheck(t, a)
		}
	}
	mustCheck(t, a)
	for _, b := range live {
		b.verify(t, a)
		a.Free(b.ref)
	}
	mustCheck(t, a)
	a.Trim()
	mustCheck(t, a)
	if s := a.Stats(); s.Live != 0 || s.Slabs != 0 || s.Committed != 0 {
		t.Fatalf("all freed: %+v", s)
	}
}

// shorter cuts a number of operations down for go test -short.
func shorter(ops int) int {
	if testing.Short() {
		return ops / 5
	}
	return ops
}

func TestArenaModel(t *testing.T) {
	for seed := range uint64(3) {
		arenaModel(t, seed, shorter(6000))
	}
}

func FuzzArena(f *testing.F) {
	f.Add(uint64(1), uint16(500))
	f.Fuzz(func(t *testing.T, seed uint64, ops uint16) { arenaModel(t, seed, int(ops%4096)+1) })
}

func TestAlignment(t *testing.T) {
	a := testArena(t)
	for size := 64; size <= 4096; size *= 2 {
		for range 50 {
			if r := a.Alloc(size); uintptr(a.Ptr(r))%uintptr(size) != 0 {
				t.Fatalf("block of %d bytes at %p", size, a.Ptr(r))
			}
		}
	}
	for _, size := range []int{8192, 32768, 65536, 5 << 20} {
		if r := a.Alloc(size); uintptr(a.Ptr(r))%64 != 0 {
			t.Fatalf("block of %d bytes at %p", size, a.Ptr(r))
		}
	}
}

func TestHugeBlock(t *testing.T) {
	a := testArena(t)
	const n = 600 << 20
	r := a.AllocZeroed(n)
	p := a.Bytes(r, n)
	p[0], p[n/2], p[n-1] = 1, 2, 3
	if a.Usable(r) != n {
		t.Errorf("%d bytes usable", a.Usable(r))
	}
	if d := resident(t, a); d > 8<<20 && !invariants {
		t.Errorf("three touched pages take %d bytes", d)
	}
	a.Free(r)
	for a.ReleaseStep(4096) {
	}
	if s := a.Stats(); s.Committed > 2<<20 {
		t.Errorf("after the release: %+v", s)
	}
	// The same addresses, used and returned, read as zero again.
	r = a.AllocZeroed(n)
	if p := a.Bytes(r, n); p[0] != 0 || p[n/2] != 0 || p[n-1] != 0 {
		t.Error("zeroed block is not zero")
	}
	a.Free(r)
}

func TestGrowInPlace(t *testing.T) {
	a := testArena(t)
	r := a.Alloc(100 << 10)
	n := a.Usable(r)
	if !a.Grow(r, n) || !a.Grow(r, n+1) || a.Usable(r) != n+pageSize {
		t.Fatalf("block of %d bytes did not grow: %d", n, a.Usable(r))
	}
	wall := a.Alloc(64 << 10)
	if a.Grow(r, 4<<20) {
		t.Fatal("a block grew through another one")
	}
	if last := a.Usable(wall); !a.Grow(wall, last+9<<20) || a.Stats().Chunks < 5 {
		t.Fatal("the last block did not grow beyond what was committed")
	}
	if a.Grow(wall, 1<<50) {
		t.Fatal("a block grew beyond the arena")
	}
	a.Free(wall)
	if !a.Grow(r, n+8*pageSize) {
		t.Fatal("a block did not grow into free pages")
	}
	s := a.Alloc(100)
	if !a.Grow(s, a.Usable(s)) || a.Grow(s, a.Usable(s)+1) {
		t.Fatal("a small block grows to its capacity and no further")
	}
}

func TestOutOfMemory(t *testing.T) {
	a, err := newArena(1, minReserve)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	fail := func(f func()) (e *OutOfMemoryError) {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.As(err, &e) {
				t.Fatalf("panic of another kind: %v", err)
			}
		}()
		f()
		return nil
	}
	for _, n := range []int{minReserve, 1 << 45, -1} {
		if e := fail(func() { a.Alloc(n) }); e.Bytes != n || e.Error() == "" || e.Unwrap() != nil {
			t.Errorf("block of %d bytes: %+v", n, e)
		}
	}
	var refs []Ref
	e := fail(func() {
		for {
			refs = append(refs, a.Alloc(1000))
		}
	})
	if e.Committed < minReserve*9/10 || e.Bytes < 1000 {
		t.Errorf("%+v after %d blocks", e, len(refs))
	}
	mustCheck(t, a)
	for _, r := range refs {
		a.Free(r)
	}
	mustCheck(t, a)
	a.Free(a.Alloc(32 << 20)) // and it is of use again
}

func TestReleaseFromAnotherGoroutine(t *testing.T) {
	a, err := NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		clear(a.Bytes(a.Alloc(1<<20), 1<<20))
	}
	if n := resident(t, a); n < 100<<20 {
		t.Errorf("%d bytes are resident", n)
	}
	before := *a
	done := make(chan struct{})
	go func() {
		a.Release()
		a.Release() // a second call does nothing
		close(done)
	}()
	<-done
	if n := resident(t, &before); n != 0 {
		t.Errorf("%d bytes are still resident", n)
	}
}

// Freed memory goes back in steps of bounded size, and a reserve stays.
func TestReleaseStep(t *testing.T) {
	a := testArena(t)
	var refs []Ref
	for range 25 {
		r := a.Alloc(1 << 20)
		clear(a.Bytes(r, 1<<20))
		refs = append(refs, r)
	}
	full := resident(t, a)
	for _, r := range refs[1:] {
		a.Free(r)
	}
	steps := 0
	for more := true; more; steps++ {
		before := a.Stats().Committed
		more = a.ReleaseStep(512)
		if d := before - a.Stats().Committed; d > 1024*pageSize {
			t.Fatalf("one step returned %d bytes", d)
		}
	}
	if steps < 10 {
		t.Errorf("24 MB were returned in %d steps of 2 MB", steps)
	}
	if s := a.Stats(); s.Committed > 4<<20 {
		t.Errorf("%+v", s)
	}
	if d := full - resident(t, a); d < 20<<20 {
		t.Errorf("resident memory fell by %d bytes only", d)
	}
}

// An owner that never calls ReleaseStep does not keep everything.
func TestFreeReturnsMemoryByItself(t *testing.T) {
	a := testArena(t)
	for range 3 {
		var refs []Ref
		for range 200 {
			refs = append(refs, a.Alloc(1<<20))
		}
		for _, r := range refs {
			a.Free(r)
		}
	}
	if s := a.Stats(); s.Idle > 180<<20 {
		t.Errorf("%d bytes idle", s.Idle)
	}
}

func TestArenaAllocs(t *testing.T) {
	a := testArena(t)
	keep := a.Alloc(84)
	if n := testing.AllocsPerRun(50, func() {
		for _, size := range []int{8, 84, 1000, 20000, 100000, 3 << 20} {
			r := a.AllocZeroed(size)
			a.Free(a.Realloc(r, size*2, size))
		}
	}); n != 0 && !invariants {
		t.Errorf("%v allocations", n)
	}
	a.Free(keep)
}

func TestMetaSizes(t *testing.T) {
	if s := unsafe.Sizeof(slabMeta{}); s != 16 {
		t.Errorf("slabMeta has %d bytes", s)
	}
	if s := unsafe.Sizeof(chunkMeta{}); s != 16 {
		t.Errorf("chunkMeta has %d bytes", s)
	}
	if s := unsafe.Sizeof(Table{}); s > 64 {
		t.Errorf("Table has %d bytes", s)
	}
	if metaPerChunk*1000 > chunkSize {
		t.Errorf("%d bytes of metadata a chunk", metaPerChunk)
	}
}

func TestStats(t *testing.T) {
	a := testArena(t)
	a.Alloc(81)
	a.Alloc(83)
	a.Alloc(maxSmall + 1)
	s := a.Stats()
	if s.Live != 2*84+maxSmall+pageSize || s.Runs != maxSmall+pageSize || s.Slabs != unitSize || s.Chunks != 1 || a.Used() != s.Live {
		t.Errorf("%+v", s)
	}
	if len(s.Classes) != 1 || s.Classes[0] != (ClassStats{84, 1, 2, unitSize / 84}) {
		t.Errorf("%+v", s.Classes)
	}
	if f := s.Fragmentation(); f < 1 {
		t.Errorf("fragmentation %v", f)
	}
}

func BenchmarkAllocFree(b *testing.B) {
	a := testArena(b)
	for b.Loop() {
		a.Free(a.Alloc(84))
	}
}

func BenchmarkAlloc(b *testing.B) {
	for _, size := range []int{84, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			a := testArena(b)
			for i := 0; i < b.N; i++ {
				a.Alloc(size)
			}
		})
	}
}
