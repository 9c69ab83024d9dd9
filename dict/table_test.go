package dict

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

func ptrOf(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// world is a table with records and a Go map that says what should be in it.
type world struct {
	t     testing.TB
	a     *Arena
	tb    Table
	model map[string]string
	keys  []string // of the model, for a random choice
	where map[string]int
}

func newWorld(t testing.TB, l Layout) *world {
	w := &world{t: t, a: testArena(t), model: map[string]string{}, where: map[string]int{}}
	w.tb.Init(l)
	return w
}

func (w *world) hash(key string) uint64 { return Hash(w.a.Seed(), []byte(key)) }

func (w *world) find(key string) Ref { return w.tb.Find(w.a, w.hash(key), []byte(key)) }

func (w *world) make(key, val string) Ref {
	if w.tb.layout == ElemLayout {
		return w.a.NewElem(Header{ExpireAt: NoExpire}, []byte(key), []byte(val))
	}
	return w.a.NewEntry(Header{ExpireAt: NoExpire}, []byte(key), []byte(val))
}

// set inserts or replaces, as a SET would.
func (w *world) set(key, val string) {
	if s, ok := w.tb.Lookup(w.a, w.hash(key), []byte(key)); ok {
		r := w.tb.Ref(w.a, s)
		w.tb.SetRef(w.a, s, w.a.WithPayload(w.tb.layout, r, []byte(val)))
	} else {
		w.tb.Insert(w.a, w.hash(key), w.make(key, val))
		w.where[key] = len(w.keys)
		w.keys = append(w.keys, key)
	}
	w.model[key] = val
}

func (w *world) del(key string) {
	r := w.tb.Delete(w.a, w.hash(key), []byte(key))
	if _, ok := w.model[key]; ok != (r != 0) {
		w.t.Fatalf("delete of %q found %#x, the model says %v", key, r, ok)
	}
	if r == 0 {
		return
	}
	w.a.Free(r)
	delete(w.model, key)
	i, last := w.where[key], w.keys[len(w.keys)-1]
	w.keys[i], w.where[last] = last, i
	w.keys = w.keys[:len(w.keys)-1]
	delete(w.where, key)
}

func (w *world) record(r Ref) Record { return Record{w.a.Ptr(r), w.tb.layout} }

// verify compares the whole table with the model.
func (w *world) verify() {
	w.t.Helper()
	if err := w.tb.Check(w.a); err != nil {
		w.t.Fatal(err)
	}
	if w.tb.Len() != len(w.model) {
		w.t.Fatalf("%d elements, want %d", w.tb.Len(), len(w.model))
	}
	for key, val := range w.model {
		r := w.find(key)
		if r == 0 {
			w.t.Fatalf("key %q is lost", key)
		}
		if got := string(w.record(r).Payload()); got != val {
			w.t.Fatalf("key %q: %q, want %q", key, got, val)
		}
	}
}

func (w *world) move(r Ref) Ref { return w.a.MoveRecord(w.tb.layout, r) }

// scanState is a SCAN under way: what was there at its start and has not been deleted since must be returned.
type scanState struct {
	cursor uint64
	owed   map[string]bool
	calls  int
}

func (w *world) beginScan() *scanState {
	s := &scanState{owed: map[string]bool{}}
	for _, k := range w.keys {
		s.owed[k] = true
	}
	return s
}

// step makes one call and says whether the scan is over; then nothing must be owed any more.
func (w *world) scanStep(s *scanState) bool {
	s.cursor = w.tb.Scan(w.a, s.cursor, func(r Ref) {
		key := string(w.record(r).Key())
		if _, ok := w.model[key]; !ok {
			w.t.Fatalf("scan returns %q, which is not there", key)
		}
		delete(s.owed, key)
	})
	s.calls++
	if s.cursor != 0 {
		return false
	}
	for key := range s.owed {
		if _, ok := w.model[key]; ok {
			w.t.Fatalf("scan of %d calls did not return %q", s.calls, key)
		}
	}
	return true
}

// run drives the world by a stream of numbers: fuzzer and model test share it.
func (w *world) run(next func() (uint64, bool)) {
	var scan *scanState
	var compact uint64
	compacting := false
	space := uint64(64)
	for op := 0; ; op++ {
		x, ok := next()
		if !ok {
			break
		}
		key := fmt.Sprintf("key:%d", x>>16%space)
		if x>>40&15 == 0 {
			key = fmt.Sprintf("%0150d", x>>16%space) // its length takes two bytes
		}
		switch k := x & 0xff; {
		case k < 90:
			w.set(key, fmt.Sprintf("%0*d", int(x>>8%90), op))
		case k < 150:
			w.del(key)
			if scan != nil {
				delete(scan.owed, key)
			}
		case k < 180:
			_, has := w.model[key]
			w.tb.Prefetch(w.a, w.hash(key))
			w.tb.PrefetchRecord(w.a, w.hash(key))
			r := w.find(key)
			if has != (r != 0) {
				w.t.Fatalf("find %q: %#x, the model says %v", key, r, has)
			}
			if s, ok := w.tb.LookupRef(w.a, w.hash(key), r); has && (!ok || w.tb.Ref(w.a, s) != r) || !has && ok {
				w.t.Fatalf("lookup of %#x, key %q: %v", r, key, ok)
			}
		case k < 190:
			w.tb.RehashStep(w.a, int(x>>8%5))
		case k < 210:
			if scan == nil {
				scan = w.beginScan()
			}
			if w.scanStep(scan) {
				scan = nil
			}
		case k < 220:
			r := w.tb.Random(w.a, func() uint64 { x = x*6364136223846793005 + 1442695040888963407; return x })
			if (r != 0) != (len(w.model) != 0) {
				w.t.Fatalf("random element %#x of %d", r, len(w.model))
			}
			if r != 0 {
				if _, ok := w.model[string(w.record(r).Key())]; !ok {
					w.t.Fatalf("random element %q is not there", w.record(r).Key())
				}
			}
		case k < 225:
			// A flood of deletions, or of insertions, so that the table changes size.
			for range x >> 8 % 300 {
				if x>>32&1 == 0 {
					if len(w.keys) == 0 {
						break
					}
					k := w.keys[x>>16%uint64(len(w.keys))]
					w.del(k)
					if scan != nil {
						delete(scan.owed, k)
					}
				} else {
					x = x*6364136223846793005 + 1442695040888963407
					w.set(fmt.Sprintf("key:%d", x>>16%space), "flood")
				}
			}
		case k < 235:
			if !compacting {
				compacting = w.a.CompactBegin()
			}
			if compacting && !w.a.CompactMark(int(x>>8%64)) {
				if compact = w.tb.CompactStep(w.a, compact, int(x>>16%40)+1, w.move); compact == 0 {
					w.a.CompactEnd()
					compacting = false
				}
			}
		case k < 237:
			w.tb.Expand(w.a, int(x>>16%4000))
		case k < 239:
			w.a.ReleaseStep(int(x >> 8 % 100))
		case k < 241:
			space = 1 << (x >> 8 % 15)
		case k < 250:
			w.batch(x, space)
		}
		if op%512 == 0 {
			w.verify()
		}
	}
	w.verify()
	mustCheck(w.t, w.a)
	w.a.CompactEnd()
	w.tb.Clear(w.a, w.a.Free)
	if w.tb.Len() != 0 || w.a.Used() != 0 {
		w.t.Fatalf("cleared table: %d elements, %d bytes", w.tb.Len(), w.a.Used())
	}
}

// batch inserts a few absent keys at once.
func (w *world) batch(x, space uint64) {
	var hs []uint64
	var rs []Ref
	for range x >> 8 % 40 {
		x = x*6364136223846793005 + 1442695040888963407
		key := fmt.Sprintf("key:%d", x>>16%space)
		if _, ok := w.model[key]; ok {
			continue
		}
		w.model[key] = "batch"
		w.where[key] = len(w.keys)
		w.keys = append(w.keys, key)
		hs, rs = append(hs, w.hash(key)), append(rs, w.make(key, "batch"))
	}
	w.tb.InsertBatch(w.a, hs, rs)
}

func TestTableModel(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, []Layout{EntryLayout, ElemLayout}[seed%2])
		rnd := rand.New(rand.NewPCG(seed, 9))
		left := shorter(20_000)
		w.run(func() (uint64, bool) {
			left--
			return rnd.Uint64(), left >= 0
		})
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("some operations, eight bytes each, as numbers; then more of them"), true)
	f.Fuzz(func(t *testing.T, ops []byte, entries bool) {
		l := ElemLayout
		if entries {
			l = EntryLayout
		}
		w := newWorld(t, l)
		i := 0
		w.run(func() (uint64, bool) {
			// Each byte of the input is an operation; what it does depends on its place too.
			if i >= len(ops) || i > 4000 {
				return 0, false
			}
			h := Hash(uint64(i), ops[i:i+1])
			i++
			return h&^0xff | uint64(ops[i-1]), true
		})
	})
}

// The table grows and shrinks through all its sizes, and each size is right at every moment.
func TestGrowAndShrink(t *testing.T) {
	w := newWorld(t, EntryLayout)
	const n = 30_000
	for i := range n {
		w.set(fmt.Sprint(i), "v")
		if s := w.tb.Stats(); !s.Rehashing && s.Len > s.Buckets*bucketSlots {
			t.Fatalf("%+v", s)
		}
	}
	for w.tb.RehashStep(w.a, 10) {
	}
	w.verify()
	if s := w.tb.Stats(); s.Buckets != 4096 {
		t.Errorf("%d elements: %+v", n, s)
	}
	for i := range n {
		w.del(fmt.Sprint(i))
		if s := w.tb.Stats(); !s.Rehashing && s.Len < s.Buckets && s.Buckets > 1 {
			t.Fatalf("%+v", s)
		}
		if i%1000 == 0 {
			w.verify()
		}
	}
	for w.tb.RehashStep(w.a, 10) {
	}
	if s := w.tb.Stats(); s.Buckets > 1 || s.Rehashing {
		t.Errorf("empty table: %+v", s)
	}
	w.verify()
	w.tb.Clear(w.a, nil)
	if w.a.Used() != 0 {
		t.Errorf("%d bytes are left", w.a.Used())
	}
}

// A table whose length hovers around a limit does not go back and forth.
func TestNoPingPong(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for i := range 5121 {
		w.set(fmt.Sprint(i), "v")
	}
	for w.tb.RehashStep(w.a, 10) {
	}
	resizes := 0
	for range 20 {
		for i := range 600 {
			w.del(fmt.Sprint(i))
		}
		for i := range 600 {
			w.set(fmt.Sprint(i), "v")
			if w.tb.Rehashing() {
				resizes++
			}
		}
	}
	if resizes != 0 {
		t.Errorf("the table was rehashing %d times", resizes)
	}
	w.verify()
}

// One insertion or deletion moves at most one bucket of elements (and passes ten empty ones), whatever the size.
func TestBoundedWork(t *testing.T) {
	w := newWorld(t, EntryLayout)
	moved := func() int {
		if !w.tb.Rehashing() {
			return 0
		}
		return w.tb.Stats().Moved
	}
	for i := range 20_000 {
		before, was := moved(), w.tb.Rehashing()
		w.set(fmt.Sprint(i), "v")
		if w.tb.Rehashing() && was && moved()-before > emptyVisits {
			t.Fatalf("one insertion passed %d buckets", moved()-before)
		}
	}
	for i := range 20_000 {
		before, was := moved(), w.tb.Rehashing()
		w.del(fmt.Sprint(i))
		if w.tb.Rehashing() && was && moved()-before > emptyVisits {
			t.Fatalf("one deletion passed %d buckets", moved()-before)
		}
	}
}

// Four doublings in five need no key: the slots know enough of the hash.
func TestRehashReadsFewKeys(t *testing.T) {
	w := newWorld(t, EntryLayout)
	w.tb.Expand(w.a, 160)
	start := w.tb.bits[0]
	for i := 0; w.tb.bits[0] < start+6; i++ {
		w.set(fmt.Sprint(i), "v")
		if w.tb.Rehashing() {
			reads := w.tb.bits[1] > w.tb.bits[0]+w.tb.known[0]
			if want := w.tb.bits[0] == start+4; reads != want {
				t.Fatalf("from %d to %d bits: keys are read: %v", w.tb.bits[0], w.tb.bits[1], reads)
			}
		}
	}
	w.verify()
}

// Growth before, between and after the calls of a scan, at every size: nothing that stays is missed.
func TestScanGuarantee(t *testing.T) {
	for _, n := range []int{0, 1, 10, 11, 100, 1000, shorter(2000)} {
		for _, change := range []string{"none", "grow", "shrink", "both", "expand"} {
			w := newWorld(t, EntryLayout)
			for i := range n {
				w.set(fmt.Sprint("stay", i), "v")
			}
			if change != "grow" {
				for i := range 8 * n {
					w.set(fmt.Sprint("go", i), "v")
				}
			}
			s := w.beginScan()
			for i := 0; ; i++ {
				if w.scanStep(s) {
					break
				}
				for j := range 40 {
					switch change {
					case "grow":
						w.set(fmt.Sprint("new", i*40+j), "v")
					case "shrink":
						w.del(fmt.Sprint("go", i*40+j))
					case "both":
						if i/20%2 == 0 {
							w.set(fmt.Sprint("new", i*40+j), "v")
						} else {
							w.del(fmt.Sprint("new", (i-20)*40+j))
							w.del(fmt.Sprint("go", i*40+j))
						}
					case "expand":
						if j == 0 && i%7 == 0 {
							w.tb.Expand(w.a, n*min(i, 100))
						}
						w.tb.RehashStep(w.a, 1)
					}
				}
				if i > 100_000 {
					t.Fatalf("%d keys, %s: the scan does not end", n, change)
				}
			}
			w.verify()
		}
	}
}

// A scan of a table at rest returns every element once.
func TestScanOnce(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for i := range 3000 {
		w.set(fmt.Sprint(i), "v")
		if i%100 != 0 {
			continue
		}
		seen := map[string]int{}
		cursor := uint64(0)
		for {
			cursor = w.tb.Scan(w.a, cursor, func(r Ref) { seen[string(w.record(r).Key())]++ })
			if cursor == 0 {
				break
			}
		}
		if len(seen) != w.tb.Len() {
			t.Fatalf("%d of %d elements", len(seen), w.tb.Len())
		}
		for k, n := range seen {
			if n != 1 {
				t.Fatalf("%q was returned %d times", k, n)
			}
		}
	}
}

// Each returns every element once, in the middle of a rehash too, and stops when told.
func TestEach(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for i := range 3000 {
		w.set(fmt.Sprint(i), "v")
		if i%97 != 0 {
			continue
		}
		seen := map[Ref]bool{}
		if !w.tb.Each(w.a, func(r Ref) bool { seen[r] = true; return true }) || len(seen) != w.tb.Len() {
			t.Fatalf("%d of %d elements", len(seen), w.tb.Len())
		}
		n := 0
		if w.tb.Each(w.a, func(Ref) bool { n++; return n < i/2 }) || n != max(1, i/2) {
			t.Fatalf("stopped after %d of %d", n, i/2)
		}
	}
}

// A cursor that no scan gave out does no harm.
func TestScanForeignCursor(t *testing.T) {
	w := newWorld(t, EntryLayout)
	if w.tb.Scan(w.a, 12345, func(Ref) {}) != 0 {
		t.Error("the scan of an empty table goes on")
	}
	for i := range 2000 {
		w.set(fmt.Sprint(i), "v")
		c := Hash(uint64(i), nil)
		for steps := 0; c != 0; steps++ {
			if c = w.tb.Scan(w.a, c, func(Ref) {}); steps > 1000 {
				t.Fatal("the scan does not end")
			}
		}
	}
}

// All elements have the same chance: in full and sparse tables, with and without overflow, and while rehashing.
func TestRandomIsFair(t *testing.T) {
	for _, test := range []struct {
		name     string
		n, extra int // elements; deleted again
		rehash   bool
	}{
		{"one bucket", 7, 0, false},
		{"full", 1270, 0, false},
		{"growing", 1282, 0, true},
		{"half", 700, 0, false},
		{"sparse", 200, 1000, false},
		{"shrinking", 120, 1100, true},
	} {
		w := newWorld(t, EntryLayout)
		for i := range test.n + test.extra {
			w.set(fmt.Sprint(i), "v")
			for !test.rehash && w.tb.RehashStep(w.a, 1) {
			}
		}
		for i := range test.extra {
			w.del(fmt.Sprint(i))
		}
		if w.tb.Rehashing() != test.rehash {
			t.Errorf("%s: %+v", test.name, w.tb.Stats())
		}
		rnd := rand.New(rand.NewPCG(11, 12))
		calls := 0
		counts := map[Ref]int{}
		draws := 60 * test.n
		for range draws {
			counts[w.tb.Random(w.a, func() uint64 { calls++; return rnd.Uint64() })]++
		}
		if err := chiSquare(counts, test.n, draws); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if calls > draws*150 {
			t.Errorf("%s: %d random numbers for %d elements", test.name, calls, draws)
		}
	}
}

// One element in a table made for a million is found with bounded tries.
func TestRandomInEmptySpace(t *testing.T) {
	w := newWorld(t, EntryLayout)
	w.tb.Expand(w.a, 1_000_000)
	w.set("only", "v")
	calls := 0
	for i := range 3 {
		if r := w.tb.Random(w.a, func() uint64 { calls++; return Hash(uint64(i), []byte{byte(calls)}) }); r != w.find("only") {
			t.Fatalf("%#x", r)
		}
	}
	if calls > 2000 {
		t.Errorf("%d random numbers", calls)
	}
}

// Clearing in steps gives each record once, also in the middle of a rehash, and frees everything.
func TestClearStep(t *testing.T) {
	for _, n := range []int{0, 1, 500, 641, 700, 5000} {
		for _, budget := range []int{1, 7, 1 << 20} {
			w := newWorld(t, EntryLayout)
			for i := range n {
				w.set(fmt.Sprint(i), "v")
			}
			seen := 0
			steps := 0
			for w.tb.ClearStep(w.a, budget, func(r Ref) { seen++; w.a.Free(r) }) {
				steps++
			}
			if seen != n || w.tb.Len() != 0 || w.a.Used() != 0 || budget == 1 && steps < n/bucketSlots/2 {
				t.Errorf("%d elements by %d: %d cleared in %d steps, %d bytes are left", n, budget, seen, steps, w.a.Used())
			}
			w.tb.Insert(w.a, w.hash("again"), w.make("again", "v"))
			if err := w.tb.Check(w.a); err != nil {
				t.Error(err)
			}
		}
	}
}

// Out of memory in the middle of anything, the table has all its elements, and it goes on when there is memory again.
func TestTableOutOfMemory(t *testing.T) {
	for _, ballast := range []int{1 << 10, 40 << 10, 1 << 20} {
		a, err := newArena(1, minReserve)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, a: a, model: map[string]string{}, where: map[string]int{}}
		w.tb.Init(EntryLayout)
		full := func(f func()) (failed bool) {
			defer func() {
				if e := recover(); e != nil {
					if _, ok := e.(*OutOfMemoryError); !ok {
						panic(e)
					}
					failed = true
				}
			}()
			f()
			return false
		}
		var fill []Ref
		failures := 0
		for i := range shorter(20_000) {
			key := fmt.Sprint(i)
			var r Ref
			if !full(func() { r = w.make(key, "v") }) {
				if !full(func() { w.tb.Insert(a, w.hash(key), r) }) {
					w.model[key], w.where[key] = "v", len(w.keys)
					w.keys = append(w.keys, key)
					if i%500 == 499 {
						// Now there is no memory at all, for some time.
						for !full(func() { fill = append(fill, a.Alloc(ballast)) }) {
						}
						for !full(func() { fill = append(fill, a.Alloc(64)) }) {
						}
					}
					if i%500 == 400 {
						for _, r := range fill {
							a.Free(r)
						}
						fill = fill[:0]
					}
					continue
				}
				a.Free(r)
			}
			failures++
			if failures%100 == 1 {
				w.verify()
				mustCheck(t, a)
			}
			if i%3 == 0 && len(w.keys) > 0 {
				w.del(w.keys[i%len(w.keys)])
			}
		}
		for _, r := range fill {
			a.Free(r)
		}
		w.verify()
		if failures == 0 {
			t.Error("there was always memory")
		}
		w.tb.Clear(a, a.Free)
		if a.Used() != 0 {
			t.Errorf("%d bytes are left", a.Used())
		}
		mustCheck(t, a)
		a.Release()
	}
}

func TestInsertRefusesNone(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for _, r := range []Ref{0, refMask + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("insertion of %#x went unnoticed", r)
				}
			}()
			w.tb.Insert(w.a, 1, r)
		}()
	}
}

func TestTableAllocs(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for i := range 2000 {
		w.set(fmt.Sprint("k", i), "v")
	}
	key := []byte("some key")
	h := Hash(w.a.Seed(), key)
	hs, rs := make([]uint64, 1), make([]Ref, 1)
	rnd := rand.New(rand.NewPCG(1, 1))
	source := func() uint64 { return rnd.Uint64() }
	ignore := func(Ref) {}
	if n := testing.AllocsPerRun(1000, func() {
		hs[0], rs[0] = h, w.a.NewEntry(Header{ExpireAt: NoExpire}, key, key)
		w.tb.InsertBatch(w.a, hs, rs)
		w.tb.Prefetch(w.a, h)
		w.tb.PrefetchRecord(w.a, h)
		w.tb.Find(w.a, h, key)
		s, _ := w.tb.Lookup(w.a, h, key)
		w.tb.SetRef(w.a, s, w.a.WithPayload(EntryLayout, w.tb.Ref(w.a, s), key[1:]))
		w.tb.Random(w.a, source)
		w.tb.Scan(w.a, 5, ignore)
		w.a.Free(w.tb.Delete(w.a, h, key))
	}); n != 0 && !invariants {
		t.Errorf("%v allocations", n)
	}
}

// Growth allocates nothing on the Go heap either, from the first element on.
func TestGrowthAllocs(t *testing.T) {
	a := testArena(t)
	var keys [5000][]byte
	for i := range keys {
		keys[i] = fmt.Append(nil, i)
	}
	if n := testing.AllocsPerRun(3, func() {
		var tb Table
		tb.Init(EntryLayout)
		for _, k := range keys {
			tb.Insert(a, Hash(a.Seed(), k), a.NewEntry(Header{ExpireAt: NoExpire}, k, k))
		}
		for _, k := range keys {
			a.Free(tb.Delete(a, Hash(a.Seed(), k), k))
		}
		tb.Clear(a, nil)
	}); n != 0 && !invariants {
		t.Errorf("%v allocations", n)
	}
}
