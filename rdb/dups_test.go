package rdb

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

func TestDupSetAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 3))
	var s dupSet
	for range 600 {
		step := 1 + rnd.IntN(3)
		elements := rnd.IntN(20)
		if rnd.IntN(4) == 0 {
			elements = rnd.IntN(4000)
		}
		space := elements * (1 + rnd.IntN(2000))
		lp := listpack.Begin(nil)
		seen := map[string]bool{}
		want := -1
		for i := range elements {
			e := strconv.Itoa(rnd.IntN(space + 1))
			if rnd.IntN(2) == 0 {
				e = "x" + e
			}
			if rnd.IntN(3) > 0 {
				e = fmt.Sprint("unique", i)
			}
			if seen[e] && want < 0 {
				want = len(lp)
			}
			seen[e] = true
			lp = listpack.AppendEntry(lp, []byte(e))
			for range step - 1 {
				lp = listpack.AppendEntry(lp, []byte("same"))
			}
		}
		lp = listpack.Finish(lp, 0, elements*step)
		got := s.find(lp, elements*step, step)
		if (got >= 0) != (want >= 0) {
			t.Fatalf("%d elements in steps of %d: find says %d, a map %d", elements, step, got, want)
		}
		if elements > fewElements && got != want {
			t.Fatalf("%d elements: the first duplicate is at %d, not %d", elements, want, got)
		}
	}
}

// Data that repeats itself must not make the table grow to its size.
func TestDupSetGrowsWithDistinctElementsOnly(t *testing.T) {
	lp := listpack.Begin(nil)
	const n = 1 << 20
	for range n {
		lp = listpack.AppendEntry(lp, []byte("7"))
	}
	lp = listpack.Finish(lp, 0, n)
	var s dupSet
	if s.find(lp, n, 1) < 0 || len(s.slots) > 1024 {
		t.Fatalf("table of %d slots", len(s.slots))
	}
}
