package dict

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// compactAll runs a compaction in small steps.
func (w *world) compactAll(budget int) int64 {
	if !w.a.CompactBegin() {
		return 0
	}
	for w.a.CompactMark(budget) {
	}
	cursor := uint64(0)
	for {
		if cursor = w.tb.CompactStep(w.a, cursor, budget, w.move); cursor == 0 {
			break
		}
	}
	return w.a.CompactEnd()
}

// After nine tenths of the keys are deleted at random, compaction brings the memory back to what is left.
func TestCompact(t *testing.T) {
	n := 100_000
	if invariants || testing.Short() {
		n = 40_000
	}
	w := newWorld(t, EntryLayout)
	rnd := rand.New(rand.NewPCG(21, 22))
	for i := range n {
		w.set(fmt.Sprintf("key:%07d", i), fmt.Sprintf("%0*d", 40+i%60, i))
	}
	full := w.a.Stats()
	for _, i := range rnd.Perm(n)[:n/10*9] {
		w.del(fmt.Sprintf("key:%07d", i))
	}
	for w.tb.RehashStep(w.a, 100) {
	}
	for w.a.ReleaseStep(512) {
	}
	sparse := w.a.Stats()
	if sparse.Fragmentation() < 3 {
		t.Fatalf("there is nothing to compact: %+v", sparse)
	}
	freed := w.compactAll(64)
	for w.a.ReleaseStep(512) {
	}
	w.verify()
	mustCheck(t, w.a)
	s := w.a.Stats()
	if s.Committed > s.Live+s.Live/5+3<<20 {
		t.Errorf("%d bytes live, %d committed after the compaction, %d before, %d full", s.Live, s.Committed, sparse.Committed, full.Committed)
	}
	if freed < (sparse.Committed-s.Committed)/2 {
		t.Errorf("%d bytes said to be freed, committed fell from %d to %d", freed, sparse.Committed, s.Committed)
	}
	t.Logf("committed: %d full, %d sparse, %d compacted, %d live", full.Committed, sparse.Committed, s.Committed, s.Live)
	if w.compactAll(64) != 0 && w.a.CompactGain() > s.Live/5 {
		t.Error("a second compaction finds as much again")
	}
}

// Resident memory falls too, as the system counts it.
func TestCompactRSS(t *testing.T) {
	a := testArena(t)
	var tb Table
	tb.Init(EntryLayout)
	n := shorter(400_000)
	var key [16]byte
	name := func(i int) []byte { return fmt.Appendf(key[:0], "key:%07d", i) }
	val := make([]byte, 64)
	for i := range n {
		k := name(i)
		tb.Insert(a, Hash(a.Seed(), k), a.NewEntry(Header{ExpireAt: NoExpire}, k, val))
	}
	full := resident(t, a)
	for i := range n {
		if i%10 != 3 {
			k := name(i)
			a.Free(tb.Delete(a, Hash(a.Seed(), k), k))
		}
	}
	for tb.RehashStep(a, 100) {
	}
	if !a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for a.CompactMark(1000) {
	}
	for c := uint64(0); ; {
		if c = tb.CompactStep(a, c, 100, func(r Ref) Ref { return a.MoveRecord(EntryLayout, r) }); c == 0 {
			break
		}
	}
	a.CompactEnd()
	for a.ReleaseStep(512) {
	}
	if err := tb.Check(a); err != nil {
		t.Fatal(err)
	}
	for i := 3; i < n; i += 10 {
		if k := name(i); tb.Find(a, Hash(a.Seed(), k), k) == 0 {
			t.Fatalf("%q is lost", k)
		}
	}
	after := resident(t, a)
	t.Logf("resident: %d full, %d compacted, %d live", full, after, a.Used())
	if after > a.Used()*3/2+4<<20 {
		t.Errorf("%d bytes resident for %d live", after, a.Used())
	}
}

// Allocation, deletion and a change of mind in the middle of a compaction.
func TestCompactInterrupted(t *testing.T) {
	w := newWorld(t, ElemLayout)
	rnd := rand.New(rand.NewPCG(31, 32))
	for round := range 12 {
		for i := range 6000 {
			w.set(fmt.Sprint(round, i), fmt.Sprintf("%0*d", rnd.IntN(80), i))
		}
		for range 5500 {
			w.del(w.keys[rnd.IntN(len(w.keys))])
		}
		w.a.CompactBegin()
		for w.a.CompactMark(10) {
			w.set(fmt.Sprint("mark", rnd.IntN(100)), "v")
		}
		for c := uint64(0); ; {
			c = w.tb.CompactStep(w.a, c, 3, w.move)
			w.set(fmt.Sprint("step", rnd.IntN(1000)), "v")
			w.del(w.keys[rnd.IntN(len(w.keys))])
			if c == 0 || round%3 == 0 && rnd.IntN(20) == 0 {
				break
			}
		}
		mustCheck(t, w.a)
		w.verify()
		if round%2 == 0 {
			w.a.CompactEnd()
			mustCheck(t, w.a)
		}
	}
}

// Small bucket arrays and overflow buckets move too, in tables that live in records.
func TestCompactSmallTables(t *testing.T) {
	a := testArena(t)
	tables := make([]Table, 3000)
	fill := func(tb *Table, n int) {
		for i := range n {
			k := fmt.Append(nil, i)
			tb.Insert(a, Hash(a.Seed(), k), a.NewElem(Header{ExpireAt: NoExpire}, k, nil))
		}
	}
	for i := range tables {
		tables[i].Init(ElemLayout)
		fill(&tables[i], 25)
	}
	for i := range tables {
		if i%10 != 0 {
			tables[i].Clear(a, a.Free)
		}
	}
	before := a.Stats()
	if !a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for a.CompactMark(100) {
	}
	if !a.Compacting() {
		t.Fatal("nothing is marked")
	}
	for i := range tables {
		for c := uint64(0); ; {
			if c = tables[i].CompactStep(a, c, 1, func(r Ref) Ref { return a.MoveRecord(ElemLayout, r) }); c == 0 {
				break
			}
		}
	}
	if a.Compacting() {
		t.Error("slabs are still marked after all tables were walked")
	}
	a.CompactEnd()
	for i := range tables {
		if err := tables[i].Check(a); err != nil {
			t.Fatal(err)
		}
	}
	if s := a.Stats(); s.Slabs > before.Slabs/2 {
		t.Errorf("%d bytes of slabs, %d before", s.Slabs, before.Slabs)
	}
}

func TestCompactAllocs(t *testing.T) {
	w := newWorld(t, EntryLayout)
	for i := range 20_000 {
		w.set(fmt.Sprint(i), "v")
	}
	for i := range 20_000 {
		if i%10 != 0 {
			w.del(fmt.Sprint(i))
		}
	}
	move := w.move
	if n := testing.AllocsPerRun(1, func() {
		w.a.CompactBegin()
		for w.a.CompactMark(100) {
		}
		for c := uint64(0); ; {
			if c = w.tb.CompactStep(w.a, c, 100, move); c == 0 {
				break
			}
		}
		w.a.CompactEnd()
	}); n != 0 && !invariants {
		t.Errorf("%v allocations", n)
	}
}
