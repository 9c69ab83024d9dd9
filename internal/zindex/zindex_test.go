package zindex

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

func newArena(t testing.TB) *dict.Arena {
	t.Helper()
	a, err := dict.NewArena(0x9e3779b97f4a7c15)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Release)
	return a
}

type item struct {
	score  float64
	member string
	ref    dict.Ref
}

// world is an index and the same elements in a sorted slice.
type world struct {
	t     testing.TB
	a     *dict.Arena
	tree  Tree
	items []item
	have  map[string]bool
}

func (w *world) element(member string) dict.Ref {
	return w.a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, []byte(member), make([]byte, 8))
}

func (w *world) place(score float64, member string) int {
	return sort.Search(len(w.items), func(i int) bool {
		x := w.items[i]
		return x.score > score || x.score == score && x.member >= member
	})
}

func (w *world) insert(score float64, member string) {
	if w.have == nil {
		w.have = map[string]bool{}
	}
	if w.have[member] {
		return
	}
	w.have[member] = true
	e := w.element(member)
	w.tree.Insert(w.a, score, e)
	w.items = slices.Insert(w.items, w.place(score, member), item{score, member, e})
}

func (w *world) remove(i int) {
	x := w.items[i]
	w.tree.Delete(w.a, x.score, x.ref)
	w.a.Free(x.ref)
	delete(w.have, x.member)
	w.items = slices.Delete(w.items, i, i+1)
}

func (w *world) update(i int, score float64) {
	x := w.items[i]
	w.tree.Update(w.a, x.score, x.ref, score)
	w.items = slices.Delete(w.items, i, i+1)
	x.score = score
	w.items = slices.Insert(w.items, w.place(score, x.member), x)
}

func (w *world) move(i int) {
	x := &w.items[i]
	e := w.a.CopyRecord(dict.ElemLayout, x.ref)
	w.tree.Moved(w.a, x.score, x.ref, e)
	w.a.Free(x.ref)
	x.ref = e
}

func (w *world) removeRange(i, j int) {
	left := j - i
	for left > 0 {
		left -= w.tree.DeleteRun(w.a, i, left, func(score float64, e dict.Ref) {
			x := w.items[i]
			if x.ref != e || x.score != score {
				w.t.Fatalf("removed (%v, %q), not (%v, %q)", score, w.a.Elem(e).Key(), x.score, x.member)
			}
			w.a.Free(e)
			delete(w.have, x.member)
			w.items = slices.Delete(w.items, i, i+1)
		})
	}
}

// verify compares everything that can be asked.
func (w *world) verify() {
	w.t.Helper()
	if err := w.tree.Check(w.a); err != nil {
		w.t.Fatal(err)
	}
	if w.tree.Len() != len(w.items) {
		w.t.Fatalf("%d elements, expected %d", w.tree.Len(), len(w.items))
	}
	if len(w.items) == 0 {
		return
	}
	var it Iter
	it.Seek(w.a, &w.tree, 0)
	for i, x := range w.items {
		if it.Ref() != x.ref || it.Score() != x.score {
			w.t.Fatalf("rank %d: (%v, %q), expected (%v, %q)", i, it.Score(), w.a.Elem(it.Ref()).Key(), x.score, x.member)
		}
		if it.Next() != (i+1 < len(w.items)) {
			w.t.Fatalf("after rank %d of %d", i, len(w.items))
		}
	}
	it.Seek(w.a, &w.tree, len(w.items)-1)
	for i := len(w.items) - 1; i >= 0; i-- {
		if it.Ref() != w.items[i].ref {
			w.t.Fatalf("backwards, rank %d", i)
		}
		if it.Prev() != (i > 0) {
			w.t.Fatalf("backwards, after rank %d", i)
		}
	}
}

// probe compares ranks and bounds around one element.
func (w *world) probe(i int) {
	w.t.Helper()
	x := w.items[i]
	if r := w.tree.Rank(w.a, x.score, x.ref); r != i {
		w.t.Fatalf("rank of (%v, %q) is %d, expected %d", x.score, x.member, r, i)
	}
	for _, s := range []float64{x.score, x.score - 0.25, x.score + 0.25} {
		lo := sort.Search(len(w.items), func(i int) bool { return w.items[i].score >= s })
		hi := sort.Search(len(w.items), func(i int) bool { return w.items[i].score > s })
		if got := w.tree.Below(w.a, &Bound{Score: s, By: ByScore}); got != lo {
			w.t.Fatalf("%d below score %v, expected %d", got, s, lo)
		}
		if got := w.tree.Below(w.a, &Bound{Score: s, By: ByScore, After: true}); got != hi {
			w.t.Fatalf("%d up to score %v, expected %d", got, s, hi)
		}
	}
	if got := w.tree.Below(w.a, &Bound{Score: x.score, Member: []byte(x.member + "\x00")}); got != i+1 {
		w.t.Fatalf("%d below what follows element %d", got, i)
	}
	var it Iter
	it.Seek(w.a, &w.tree, i)
	if it.Ref() != x.ref {
		w.t.Fatalf("rank %d is %q", i, w.a.Elem(it.Ref()).Key())
	}
}

func model(t testing.TB, next func() (uint64, bool)) {
	w := &world{t: t, a: newArena(t)}
	steps := 0
	for {
		op, ok := next()
		if !ok {
			break
		}
		x, _ := next()
		y, _ := next()
		score := float64(int64(x%64)) - 20
		switch x >> 6 % 16 {
		case 0:
			score = math.Inf(1)
		case 1:
			score = math.Inf(-1)
		case 2:
			score = math.Copysign(0, -1)
		case 3, 4, 5:
			score = 7
		}
		i := 0
		if len(w.items) > 0 {
			i = int(y % uint64(len(w.items)))
		}
		switch op %= 32; {
		case len(w.items) == 0 || op < 14:
			w.insert(score, "m"+strconv.FormatUint(y%3000, 36))
		case op < 18: // a run at one end, which fills nodes in order
			edge := 1e6 * float64(1+op%2)
			if op >= 16 {
				edge = -edge
			}
			for k := range x % 80 {
				w.insert(edge, fmt.Sprintf("r%d.%d", steps, k))
			}
		case op < 22:
			w.remove(i)
		case op < 26:
			w.update(i, score)
		case op < 27:
			w.update(i, w.items[i].score+0.125)
		case op < 28:
			w.move(i)
		case op < 29:
			w.removeRange(i, min(i+int(x%200), len(w.items)))
		default:
			w.probe(i)
		}
		if steps++; steps%151 == 0 {
			w.verify()
		}
	}
	w.verify()
	for w.tree.FreeStep(w.a, 3) {
	}
	if err := w.tree.Check(w.a); err != nil {
		t.Fatal(err)
	}
	for _, x := range w.items {
		w.a.Free(x.ref)
	}
	if n := w.a.Stats().Live; n != 0 {
		t.Fatalf("%d bytes leaked", n)
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		left := 7500
		model(t, func() (uint64, bool) { left--; return rnd.Uint64(), left > 0 })
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte("a sorted set is a set that is sorted"))
	f.Add(bytes.Repeat([]byte{0, 1, 2, 3, 15, 200, 100, 28, 31}, 60))
	f.Fuzz(func(t *testing.T, data []byte) {
		model(t, func() (uint64, bool) {
			if len(data) == 0 {
				return 0, false
			}
			v := uint64(data[0]) * 0x0101010101010101 >> 3
			data = data[1:]
			return v, true
		})
	})
}

// TestMembersOrder fills an index whose scores are all the same, as for
// lexicographic ranges.
func TestMembersOrder(t *testing.T) {
	w := &world{t: t, a: newArena(t)}
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 3000 {
		w.insert(0, fmt.Sprintf("%04x", rnd.Uint32()%0xffff)+strconv.Itoa(i%3))
	}
	w.verify()
	for range 500 {
		m := fmt.Sprintf("%04x", rnd.Uint32()%0xffff)
		want := sort.Search(len(w.items), func(i int) bool { return w.items[i].member >= m })
		if got := w.tree.Below(w.a, &Bound{Member: []byte(m), By: ByMember}); got != want {
			t.Fatalf("%d below %q, expected %d", got, m, want)
		}
		x := w.items[rnd.IntN(len(w.items))]
		want = sort.Search(len(w.items), func(i int) bool { return w.items[i].member > x.member })
		if got := w.tree.Below(w.a, &Bound{Member: []byte(x.member), By: ByMember, After: true}); got != want {
			t.Fatalf("%d up to %q, expected %d", got, x.member, want)
		}
	}
}

// TestMemoryPerElement holds the index to its promise, for each order of arrival.
func TestMemoryPerElement(t *testing.T) {
	const n = 20000
	orders := map[string]func(i int) float64{
		"ascending":  func(i int) float64 { return float64(i) },
		"descending": func(i int) float64 { return float64(-i) },
		"random":     func(i int) float64 { return float64(uint32(i) * 2654435761) },
	}
	limit := map[string]float64{"ascending": 14, "descending": 14, "random": 15.5}
	for name, score := range orders {
		a := newArena(t)
		var tree Tree
		for i := range n {
			e := a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, strconv.AppendInt(nil, int64(i), 10), make([]byte, 8))
			tree.Insert(a, score(i), e)
		}
		if err := tree.Check(a); err != nil {
			t.Fatal(err)
		}
		if per := float64(tree.Bytes()) / n; per > limit[name] {
			t.Errorf("%s: %.2f bytes an element, above %v", name, per, limit[name])
		} else {
			t.Logf("%s: %.2f bytes an element, %d levels", name, per, tree.height)
		}
	}
}

// TestShrinks removes almost everything and wants the memory back.
func TestShrinks(t *testing.T) {
	w := &world{t: t, a: newArena(t)}
	for i := range 4000 {
		w.items = append(w.items, item{float64(i), strconv.Itoa(i), w.element(strconv.Itoa(i))})
		w.tree.Insert(w.a, float64(i), w.items[i].ref)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for len(w.items) > 400 {
		w.remove(rnd.IntN(len(w.items)))
	}
	w.verify()
	if per := w.tree.Bytes() / 400; per > 26 {
		t.Errorf("%d bytes an element are left", per)
	}
	w.removeRange(0, 399)
	w.verify()
	if w.tree.height != 1 || w.tree.Bytes() > 256 {
		t.Errorf("one element in %d levels, %d bytes", w.tree.height, w.tree.Bytes())
	}
}

func TestCompact(t *testing.T) {
	w := &world{t: t, a: newArena(t)}
	rnd := rand.New(rand.NewPCG(7, 8))
	var others []dict.Ref
	for i := range 20000 {
		e := w.element(strconv.Itoa(i))
		w.items = append(w.items, item{float64(i), strconv.Itoa(i), e})
		w.tree.Insert(w.a, float64(i), e)
		for range 3 { // blocks of the sizes of nodes, so that freeing them leaves slabs sparse
			others = append(others, w.a.Alloc(300+rnd.IntN(600)))
		}
	}
	for _, r := range others {
		w.a.Free(r)
	}
	if !w.a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for w.a.CompactMark(1000) {
	}
	if !w.a.Compacting() {
		t.Fatal("no slab is marked")
	}
	for cursor := uint64(0); ; {
		if cursor = w.tree.CompactStep(w.a, cursor, 7); cursor == 0 {
			break
		}
	}
	c := 0
	for i := range w.items {
		if w.a.ShouldMove(w.items[i].ref) {
			w.move(i)
			c++
		}
	}
	w.verify()
	if w.a.Compacting() {
		t.Errorf("slabs are still marked")
	}
	t.Logf("%d elements moved, %d bytes freed", c, w.a.CompactEnd())
}

func TestNoHeapAllocations(t *testing.T) {
	w := &world{t: t, a: newArena(t)}
	for i := range 1000 {
		w.items = append(w.items, item{ref: w.element(strconv.Itoa(i))})
	}
	sum := 0.0
	if n := testing.AllocsPerRun(20, func() {
		for i, x := range w.items {
			w.tree.Insert(w.a, float64(i*7919%1000), x.ref)
		}
		var it Iter
		for it.Seek(w.a, &w.tree, 0); it.Next(); {
			sum += it.Score()
		}
		for i, x := range w.items {
			w.tree.Update(w.a, float64(i*7919%1000), x.ref, float64(i*101%1000))
			w.tree.Rank(w.a, float64(i*101%1000), x.ref)
			w.tree.Below(w.a, &Bound{Score: 5, By: ByScore})
		}
		for i, x := range w.items {
			w.tree.Delete(w.a, float64(i*101%1000), x.ref)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchTree(b *testing.B, n int) *world {
	w := &world{t: b, a: newArena(b)}
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		s := rnd.Float64()
		e := w.element("member:" + strconv.Itoa(i))
		w.tree.Insert(w.a, s, e)
		w.items = append(w.items, item{score: s, ref: e})
	}
	return w
}

func BenchmarkUpdate1M(b *testing.B) {
	w := benchTree(b, 1000000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		x := &w.items[rnd.IntN(len(w.items))]
		s := rnd.Float64()
		w.tree.Update(w.a, x.score, x.ref, s)
		x.score = s
	}
}

func BenchmarkRank1M(b *testing.B) {
	w := benchTree(b, 1000000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		x := &w.items[rnd.IntN(len(w.items))]
		w.tree.Rank(w.a, x.score, x.ref)
	}
}
