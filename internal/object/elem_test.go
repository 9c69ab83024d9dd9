package object

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

func elemTable(a *dict.Arena, n int) *dict.Table {
	t := new(dict.Table)
	t.Init(dict.ElemLayout)
	for i := range n {
		k := fmt.Append(nil, "member:", i)
		t.Insert(a, dict.Hash(a.Seed(), k), a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, k, nil))
	}
	return t
}

func TestEachElemVisitsEachOnce(t *testing.T) {
	a := newArena(t)
	for _, n := range []int{0, 1, 9, 10, 11, 100, 1000, 5000} {
		tab := elemTable(a, n)
		seen := map[string]int{}
		EachElem(a, tab, func(r dict.Ref) bool {
			seen[string(a.Elem(r).Key())]++
			return true
		})
		if len(seen) != n {
			t.Errorf("%d of %d", len(seen), n)
		}
		for k, c := range seen {
			if c != 1 {
				t.Errorf("%s %d times", k, c)
			}
		}
		calls := 0
		EachElem(a, tab, func(dict.Ref) bool { calls++; return calls < 3 })
		if calls != min(n, 3) {
			t.Errorf("%d calls after asking to stop at 3 of %d", calls, n)
		}
		for FreeElemsStep(a, tab, 10) {
		}
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

func TestScanElemsFindsAll(t *testing.T) {
	a := newArena(t)
	tab := elemTable(a, 3000)
	seen := map[string]bool{}
	calls := 0
	for cursor := uint64(0); ; calls++ {
		cursor = ScanElems(a, tab, cursor, 10, func(r dict.Ref) { seen[string(a.Elem(r).Key())] = true })
		if cursor == 0 {
			break
		}
	}
	if len(seen) != 3000 || calls > 320 || calls < 100 {
		t.Errorf("%d elements in %d calls", len(seen), calls)
	}
	// A count near the limit of its type must end, not overflow.
	if c := ScanElems(a, tab, 0, math.MaxInt64, func(dict.Ref) {}); c != 0 {
		t.Errorf("cursor %d", c)
	}
}

// TestSampleElemsIsFair draws often, in both ways of drawing, and wants every
// element to come up equally often.
func TestSampleElemsIsFair(t *testing.T) {
	a := newArena(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n, rounds = 60, 6000
	tab := elemTable(a, n)
	var scratch []dict.Ref
	for _, count := range []int{0, 1, 7, 20, 21, 40, 59, 60} {
		hits := map[dict.Ref]int{}
		for range rounds {
			one := map[dict.Ref]bool{}
			scratch = SampleElems(a, tab, rnd.Uint64, count, scratch, func(r dict.Ref) { one[r] = true; hits[r]++ })
			if len(one) != count {
				t.Fatalf("%d different elements of %d", len(one), count)
			}
		}
		p := float64(count) / n
		want, sigma := rounds*p, math.Sqrt(rounds*p*(1-p))
		EachElem(a, tab, func(r dict.Ref) bool {
			if d := math.Abs(float64(hits[r]) - want); d > 5*sigma {
				t.Errorf("count %d: an element was drawn %d times, expected %.0f", count, hits[r], want)
			}
			if a.Elem(r).Flags() != 0 {
				t.Error("a mark stayed")
			}
			return true
		})
	}
}

func TestCopyElems(t *testing.T) {
	a := newArena(t)
	src := elemTable(a, 500)
	var dst dict.Table
	dst.Init(dict.ElemLayout)
	CopyElems(a, &dst, src)
	if dst.Len() != 500 {
		t.Fatal(dst.Len())
	}
	EachElem(a, src, func(r dict.Ref) bool {
		k := a.Elem(r).Key()
		if q := dst.Find(a, dict.Hash(a.Seed(), k), k); q == 0 || q == r {
			t.Errorf("%q", k)
		}
		return true
	})
	if m := SampleMemory(a, src, 0); m < int64(src.Bytes())+500*12 {
		t.Errorf("memory %d", m)
	}
}
