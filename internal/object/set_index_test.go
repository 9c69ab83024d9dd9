package object

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// An index answers as its set does, in every encoding and at every length, from the same storage again and again.
func TestSetIndexAnswersAsTheSet(t *testing.T) {
	a, err := dict.NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	rnd := rand.New(rand.NewPCG(3, 4))
	var x SetIndex
	indexed := 0
	for round := range 400 {
		lim := &Limits{SetMaxIntsetEntries: rnd.IntN(3) * 20, SetMaxListpackEntries: rnd.IntN(600), SetMaxListpackValue: 64}
		v := newSet(a)
		space := 1 + rnd.IntN(900)
		for range rnd.IntN(space + 1) {
			SetAdd(&v, setMember(rnd, space), lim)
		}
		x.Init(v, rnd.IntN(2*worthIndexing))
		if x.lp != nil {
			indexed++
		}
		for range 300 {
			if m := setMember(rnd, space); x.Has(m) != SetContains(v, m) {
				t.Fatalf("round %d, %s of %d: %q: the index says %v", round, setEnc(v), SetLen(v), m, x.Has(m))
			}
		}
		SetEach(v, func(m []byte) bool {
			if !x.Has(m) {
				t.Fatalf("round %d: %q is not in the index", round, m)
			}
			return true
		})
		freeSet(v)
	}
	if indexed < 50 {
		t.Errorf("only %d of the sets had an index", indexed)
	}
	if err := a.Check(); err != nil {
		t.Error(err)
	}
}

// The last offset that fits, and the first listpack that has too many.
func TestSetIndexOfALongListpack(t *testing.T) {
	a, err := dict.NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	lim := &Limits{SetMaxListpackEntries: 1 << 20, SetMaxListpackValue: 1 << 20}
	v := newSet(a)
	SetAdd(&v, []byte("a string"), lim)
	var x SetIndex
	last := []byte("")
	for i := 0; len(v.Packed()) <= 1<<16; i++ {
		x.Init(v, 1000)
		if x.lp == nil && i >= worthIndexing {
			t.Fatalf("no index over %d bytes", len(v.Packed()))
		}
		if i > 0 && !x.Has(last) {
			t.Fatalf("%d bytes: %q is not in the index", len(v.Packed()), last[:20])
		}
		last = []byte(strconv.Itoa(i) + strings.Repeat("-", 1000))
		SetAdd(&v, last, lim)
	}
	x.Init(v, 1000)
	if x.lp != nil || !x.Has(last) || x.Has([]byte("none")) {
		t.Errorf("an index over %d bytes, or wrong answers", len(v.Packed()))
	}
}

func BenchmarkSetIndex(b *testing.B) {
	a, err := dict.NewArena(1)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Release()
	lim := &Limits{SetMaxIntsetEntries: 512, SetMaxListpackEntries: 128, SetMaxListpackValue: 64}
	v, w := newSet(a), newSet(a)
	for i := range 128 {
		SetAdd(&v, fmt.Appendf(nil, "member:%06d", i), lim)
		SetAdd(&w, fmt.Appendf(nil, "member:%06d", i+1000), lim)
	}
	var x SetIndex
	var buf listpack.IntBuf
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			x.Init(w, 128)
			SetEachBuf(v, &buf, func(m []byte) bool { return !x.Has(m) })
		}
	})
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			SetEachBuf(v, &buf, func(m []byte) bool { return !SetContains(w, m) })
		}
	})
}
