package object

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/zindex"
)

type zpair struct {
	member string
	score  float64
}

// zworld is a sorted set and the same members in a sorted slice.
type zworld struct {
	t   testing.TB
	v   Value
	lim Limits
	m   []zpair
}

func newZworld(t testing.TB, a *dict.Arena, lim Limits) *zworld {
	h := dict.Header{Type: TypeZset, Encoding: EncListpack, ExpireAt: dict.NoExpire}
	return &zworld{t: t, v: Value{a, a.NewEntry(h, []byte("key"), listpack.AppendEmpty(nil))}, lim: lim}
}

func (w *zworld) index(member string) int {
	return slices.IndexFunc(w.m, func(p zpair) bool { return p.member == member })
}

func (w *zworld) put(member string, score float64) {
	if i := w.index(member); i >= 0 {
		w.m = slices.Delete(w.m, i, i+1)
	}
	i := sort.Search(len(w.m), func(i int) bool {
		return w.m[i].score > score || w.m[i].score == score && w.m[i].member > member
	})
	w.m = slices.Insert(w.m, i, zpair{member, score})
}

func (w *zworld) add(member string, score float64, flags ZaddFlags) {
	want, cur := ZaddAdded, score
	if i := w.index(member); i >= 0 {
		old := w.m[i].score
		next := score
		if flags&ZaddIncr != 0 {
			next += old
		}
		switch {
		case flags&ZaddNX != 0:
			want, cur = ZaddNop, old
		case next != next:
			want = ZaddNaN
		case flags&ZaddGT != 0 && next <= old, flags&ZaddLT != 0 && next >= old:
			want, cur = ZaddNop, old
		case next == old:
			want, cur = ZaddSame, old
		default:
			want, cur = ZaddUpdated, next
		}
	} else if flags&ZaddXX != 0 {
		want = ZaddNop
	}
	got, now := w.v.ZsetAdd(score, []byte(member), flags, &w.lim)
	if got != want || (want >= ZaddAdded || want == ZaddSame) && now != cur {
		w.t.Fatalf("adding (%q, %v) by %b: %d and %v, expected %d and %v", member, score, flags, got, now, want, cur)
	}
	if want >= ZaddAdded {
		w.put(member, cur)
	}
}

func (w *zworld) verify() {
	w.t.Helper()
	if err := w.v.Check(); err != nil {
		w.t.Fatal(err)
	}
	if w.v.ZsetLen() != len(w.m) || w.v.Len() != len(w.m) {
		w.t.Fatalf("%d members, expected %d", w.v.ZsetLen(), len(w.m))
	}
	var it ZsetIter
	i := 0
	for ok := it.Seek(w.v, 0); ok; ok = it.Next() {
		if p := w.m[i]; string(it.Member()) != p.member || it.Score() != p.score {
			w.t.Fatalf("rank %d: (%q, %v), expected %v", i, it.Member(), it.Score(), p)
		}
		i++
	}
	for ok := it.Seek(w.v, len(w.m)-1); ok; ok = it.Prev() {
		i--
		if string(it.Member()) != w.m[i].member {
			w.t.Fatalf("backwards, rank %d: %q", i, it.Member())
		}
	}
	if i != 0 {
		w.t.Fatalf("the walk missed %d members", i)
	}
	if it.Seek(w.v, len(w.m)) || it.Seek(w.v, -1) {
		w.t.Fatal("found a member outside of the ranks")
	}
}

func (w *zworld) probe(rnd *rand.Rand) {
	w.t.Helper()
	if len(w.m) > 0 {
		i := rnd.IntN(len(w.m))
		if r, ok := w.v.ZsetRank([]byte(w.m[i].member)); !ok || r != i {
			w.t.Fatalf("rank of %q is %d, %v, expected %d", w.m[i].member, r, ok, i)
		}
		if s, ok := w.v.ZsetScore([]byte(w.m[i].member)); !ok || s != w.m[i].score {
			w.t.Fatalf("score of %q is %v, %v", w.m[i].member, s, ok)
		}
	}
	if _, ok := w.v.ZsetRank([]byte("no such member")); ok {
		w.t.Fatal("found what is not there")
	}
	s := float64(rnd.IntN(40) - 10)
	for _, after := range []bool{false, true} {
		want := sort.Search(len(w.m), func(i int) bool { return w.m[i].score > s || w.m[i].score == s && !after })
		if got := w.v.ZsetBelow(&zindex.Bound{Score: s, By: zindex.ByScore, After: after}); got != want {
			w.t.Fatalf("%d below %v (after: %v), expected %d", got, s, after, want)
		}
	}
}

func zsetModel(t testing.TB, seed uint64, steps int, lim Limits) {
	a := newArena(t)
	w := newZworld(t, a, lim)
	rnd := rand.New(rand.NewPCG(seed, 9))
	scores := []float64{0, math.Copysign(0, -1), 1, 1.5, -3, 7, 7, 7, 0.1, 1e17, -1e300, math.Inf(1), math.Inf(-1)}
	for step := range steps {
		member := strconv.Itoa(rnd.IntN(400))
		switch rnd.IntN(8) {
		case 0:
			member = "m" + member
		case 1:
			member = strings.Repeat("x", rnd.IntN(70))
		}
		score := scores[rnd.IntN(len(scores))]
		if rnd.IntN(2) == 0 {
			score = float64(rnd.IntN(50) - 20)
		}
		switch op := rnd.IntN(20); {
		case op < 8:
			w.add(member, score, 0)
		case op < 11:
			w.add(member, score, []ZaddFlags{ZaddNX, ZaddXX, ZaddGT, ZaddLT, ZaddXX | ZaddGT}[rnd.IntN(5)])
		case op < 13:
			w.add(member, score, ZaddIncr)
		case op < 15 && len(w.m) > 0:
			i := rnd.IntN(len(w.m))
			if !w.v.ZsetDelete([]byte(w.m[i].member)) {
				t.Fatalf("%q was not there", w.m[i].member)
			}
			w.m = slices.Delete(w.m, i, i+1)
		case op < 16:
			if i := w.index(member); w.v.ZsetDelete([]byte(member)) != (i >= 0) {
				t.Fatalf("deletion of %q", member)
			} else if i >= 0 {
				w.m = slices.Delete(w.m, i, i+1)
			}
		case op < 17 && rnd.IntN(6) == 0:
			lo := rnd.IntN(len(w.m) + 1)
			hi := lo + rnd.IntN(len(w.m)-lo+1)
			w.v.ZsetDeleteRange(lo, hi)
			w.m = slices.Delete(w.m, lo, hi)
		case op < 18 && rnd.IntN(40) == 0:
			w.v.ZsetToListpack(&w.lim)
		default:
			w.probe(rnd)
		}
		if len(w.m) > lim.ZsetMaxListpackEntries && w.v.zsetPacked() {
			t.Fatalf("%d members in a listpack", len(w.m))
		}
		if step%41 == 0 {
			w.verify()
		}
	}
	w.verify()
	w.checkCopy()
	for w.v.FreeStep(10) {
	}
	if n := a.Stats().Live; n != 0 {
		t.Fatalf("seed %d: %d bytes leaked", seed, n)
	}
}

// checkCopy copies the sorted set, compares digests, and frees the copy.
func (w *zworld) checkCopy() {
	w.t.Helper()
	c := Value{w.v.A, w.v.Copy([]byte("copy"))}
	if err := c.Check(); err != nil {
		w.t.Fatal(err)
	}
	var d, e digest.State
	w.v.Digest(&d)
	c.Digest(&e)
	if d != e || c.Len() != len(w.m) || string(c.Record().Key()) != "copy" {
		w.t.Fatal("the copy differs")
	}
	for c.FreeStep(7) {
	}
	w.verify()
}

func TestZsetModel(t *testing.T) {
	small, tiny := DefaultLimits(), DefaultLimits()
	tiny.ZsetMaxListpackEntries, tiny.ZsetMaxListpackValue = 6, 20
	none := Limits{}
	for seed := range uint64(4) {
		zsetModel(t, seed, 1200, small)
		zsetModel(t, seed, 800, tiny)
		zsetModel(t, seed, 800, none)
	}
}

func FuzzZset(f *testing.F) {
	f.Add(uint64(1), 5)
	f.Add(uint64(2), 0)
	f.Fuzz(func(t *testing.T, seed uint64, entries int) {
		zsetModel(t, seed, 300, Limits{ZsetMaxListpackEntries: entries & 127, ZsetMaxListpackValue: 64})
	})
}

// TestZsetThresholds converts exactly where Redis does.
func TestZsetThresholds(t *testing.T) {
	a := newArena(t)
	lim := DefaultLimits()
	w := newZworld(t, a, lim)
	for i := range 128 {
		w.add(strconv.Itoa(i), float64(i), 0)
	}
	if !w.v.zsetPacked() {
		t.Error("128 members are not a listpack")
	}
	w.add("5", 1000, 0)
	if !w.v.zsetPacked() {
		t.Error("an update made it large")
	}
	w.add("x", 1, 0)
	if w.v.zsetPacked() {
		t.Error("129 members are a listpack")
	}
	w.verify()
	w = newZworld(t, a, lim)
	w.add(strings.Repeat("a", 64), 1, 0)
	if !w.v.zsetPacked() {
		t.Error("64 bytes are not in a listpack")
	}
	w.add(strings.Repeat("a", 65), 1, 0)
	if w.v.zsetPacked() {
		t.Error("65 bytes are in a listpack")
	}
	w.verify()
}

// TestZsetToListpackKeepsAll builds large ones and wants the listpack that
// adding one by one would have given.
func TestZsetToListpackKeepsAll(t *testing.T) {
	a := newArena(t)
	lim := DefaultLimits()
	for _, n := range []int{0, 1, 2, 100, 128, 129} {
		v := NewZset(a, dict.Header{}, []byte("key"))
		w := newZworld(t, a, lim)
		for i := range n {
			m, s := "m"+strconv.Itoa(i), float64(i*7919%n)+0.5
			if !v.ZsetBuild([]byte(m), s) || v.ZsetBuild([]byte(m), 9) {
				t.Fatalf("building %q", m)
			}
			w.add(m, s, 0)
		}
		v.ZsetToListpack(&lim)
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
		if v.zsetPacked() != (n <= 128) {
			t.Errorf("%d members: encoding %d", n, v.Record().Encoding())
		}
		if v.zsetPacked() && string(v.Packed()) != string(w.v.Packed()) {
			t.Errorf("%d members: the listpacks differ", n)
		}
		for v.FreeStep(100) {
		}
		for w.v.FreeStep(100) {
		}
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

func TestZsetScanAndInputs(t *testing.T) {
	a := newArena(t)
	for _, n := range []int{5, 1000} {
		w := newZworld(t, a, DefaultLimits())
		for i := range n {
			w.add("m"+strconv.Itoa(i), float64(i), 0)
		}
		seen := map[string]float64{}
		for cursor := uint64(0); ; {
			cursor = w.v.ZsetScan(cursor, 10, func(m []byte, s float64) { seen[string(m)] = s })
			if cursor == 0 {
				break
			}
		}
		in := NewZsetInput(w.v)
		each := 0
		in.Each(func(m []byte, s float64) bool {
			if f, ok := in.Find(m); !ok || f != s {
				t.Errorf("%q: %v, %v", m, f, ok)
			}
			each++
			return true
		})
		if len(seen) != n || each != n || in.Len() != n {
			t.Errorf("%d scanned, %d visited of %d", len(seen), each, n)
		}
		for i := range n {
			if s, ok := seen["m"+strconv.Itoa(i)]; !ok || s != float64(i) {
				t.Errorf("member %d: %v, %v", i, s, ok)
			}
		}
	}
}

// TestZsetCompact leaves memory sparse, lets it be evacuated and wants all slabs
// given back and nothing lost.
func TestZsetCompact(t *testing.T) {
	a := newArena(t)
	w := newZworld(t, a, Limits{})
	const n = 6000
	var others []dict.Ref
	for i := range n {
		m := "member" + strconv.Itoa(i)
		w.v.ZsetAdd(float64(i%97), []byte(m), 0, &w.lim)
		for range 3 {
			others = append(others, a.CopyRecord(dict.ElemLayout, w.v.zsetFind([]byte(m))))
		}
		if i%16 == 0 {
			for k := range 4 {
				others = append(others, a.Alloc(400+100*k))
			}
		}
	}
	for _, r := range others {
		a.Free(r)
	}
	if !a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for a.CompactMark(1000) {
	}
	moves := 0
	for cursor := uint64(0); ; moves++ {
		if cursor = w.v.CompactStep(cursor, 40); cursor == 0 {
			break
		}
	}
	if err := w.v.Check(); err != nil {
		t.Fatal(err)
	}
	if w.v.Len() != n {
		t.Fatalf("%d members", w.v.Len())
	}
	freed := a.CompactEnd()
	if freed < 256<<10 {
		t.Errorf("%d bytes freed in %d steps", freed, moves)
	}
}

func TestZsetStaysOffTheHeap(t *testing.T) {
	a := newArena(t)
	members := make([][]byte, 300)
	for i := range members {
		members[i] = fmt.Append(nil, "member:", i)
	}
	for _, lim := range []Limits{{ZsetMaxListpackEntries: 1000, ZsetMaxListpackValue: 64}, {}} {
		w := newZworld(t, a, lim)
		sum := 0.0
		if n := testing.AllocsPerRun(10, func() {
			for i, m := range members {
				w.v.ZsetAdd(float64(i*7919%300)+0.5, m, 0, &w.lim)
			}
			var it ZsetIter
			for ok := it.Seek(w.v, 0); ok; ok = it.Next() {
				sum += it.Score() + float64(len(it.Member()))
			}
			for i, m := range members {
				w.v.ZsetAdd(float64(i*101%300), m, ZaddIncr, &w.lim)
				w.v.ZsetRank(m)
			}
			for _, m := range members[:200] {
				w.v.ZsetDelete(m)
			}
			w.v.ZsetDeleteRange(10, 90)
		}); n > 5 { // of a thousand operations; with -tags invariants the arena's own books grow
			t.Errorf("%v allocations", n)
		}
	}
}
