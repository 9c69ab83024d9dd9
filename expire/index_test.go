package expire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

const testNow = int64(1_700_000_000_000)

func newArena(t testing.TB) *dict.Arena {
	a, err := dict.NewArena(42)
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

func entry(a *dict.Arena, key string, when int64) dict.Ref {
	return a.NewEntry(dict.Header{ExpireAt: when}, []byte(key), []byte("value"))
}

// model drives an index and a Go map with the same operations.
func model(t testing.TB, seed uint64, ops int) {
	a := newArena(t)
	x := New(a, testNow)
	rnd := rand.New(rand.NewPCG(seed, 1))
	type key struct {
		ref  dict.Ref
		when int64
	}
	var keys []key
	whens := []int64{0, -5, math.MinInt64 + 1, math.MaxInt64, testNow, testNow - 1, testNow + 1, testNow + 1<<38, testNow + 1<<38 + 1024}
	when := func() int64 {
		if rnd.IntN(10) == 0 {
			return whens[rnd.IntN(len(whens))]
		}
		return testNow + rnd.Int64N(1_000_000) - 1000
	}
	grow := true
	for op := range ops {
		if len(keys) == 0 {
			grow = true
		} else if rnd.IntN(ops/8+1) == 0 {
			grow = !grow
		}
		switch k := rnd.IntN(10); {
		case len(keys) == 0 || grow && k < 6 || k < 2:
			w := when()
			r := entry(a, fmt.Sprint("k", op), w)
			x.Add(r)
			keys = append(keys, key{r, w})
		case k < 7:
			i := rnd.IntN(len(keys))
			x.Remove(keys[i].ref)
			a.Free(keys[i].ref)
			keys[i] = keys[len(keys)-1]
			keys = keys[:len(keys)-1]
		case k < 8:
			i := rnd.IntN(len(keys))
			keys[i].when = when()
			x.Set(keys[i].ref, keys[i].when)
		default:
			i := rnd.IntN(len(keys))
			pos := a.Entry(keys[i].ref).ExpireIndex()
			keys[i].ref = a.MoveRecord(dict.EntryLayout, keys[i].ref)
			x.Moved(pos, keys[i].ref)
		}
		if op%997 == 0 {
			if err := x.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
	if x.Len() != len(keys) {
		t.Fatalf("%d keys in the index, %d in the model", x.Len(), len(keys))
	}
	for _, k := range keys {
		rec := a.Entry(k.ref)
		if x.At(int(rec.ExpireIndex())) != k.ref || rec.ExpireAt() != k.when {
			t.Fatalf("key %q: at %#x, expiry %d; want %#x, %d", rec.Key(), x.At(int(rec.ExpireIndex())), rec.ExpireAt(), k.ref, k.when)
		}
	}
	for _, k := range keys {
		x.Remove(k.ref)
		a.Free(k.ref)
	}
	if x.Len() != 0 || x.Bytes() != 0 || a.Used() != 0 {
		t.Fatalf("emptied index: %d keys, %d bytes, arena %d bytes", x.Len(), x.Bytes(), a.Used())
	}
}

func TestIndexModel(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		model(t, seed, 60_000)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, ops uint16) { model(t, seed, int(ops)+1) })
}

// The coarse time must never be later than the true one, or a key would be missed, and must keep order.
func TestCoarse(t *testing.T) {
	x := New(nil, testNow)
	last := uint64(0)
	for _, ms := range []int64{math.MinInt64, -1, 0, testNow - 1, testNow, testNow + 1023, testNow + 1024, testNow + 1025, testNow + 1<<38 - 1,
		testNow + 1<<38, testNow + 1<<50, math.MaxInt64} {
		c := x.coarse(ms)
		if c < last || c > coarseMax {
			t.Errorf("coarse(%d) = %d after %d", ms, c, last)
		}
		if c != 0 && testNow+int64(c)<<unitShift > ms {
			t.Errorf("coarse(%d) = %d is later than the time itself", ms, c)
		}
		last = c
	}
	if last != coarseMax {
		t.Errorf("the last time has coarse %d, want %d", last, coarseMax)
	}
	if y := New(nil, -testNow); y.coarse(math.MaxInt64) != coarseMax {
		t.Errorf("distance beyond int64: coarse %d", y.coarse(math.MaxInt64))
	}
}

func TestIndexGrowsInBoundedSteps(t *testing.T) {
	a := newArena(t)
	x := New(a, testNow)
	var refs []dict.Ref
	for i := range 3*segWords + 5 {
		r := entry(a, fmt.Sprint(i), testNow)
		x.Add(r)
		refs = append(refs, r)
	}
	if len(x.segs) != 4 || x.Bytes() != 4*segWords*wordSize {
		t.Fatalf("%d segments, %d bytes", len(x.segs), x.Bytes())
	}
	for _, r := range refs {
		x.Remove(r)
		a.Free(r)
		if x.Bytes() > (x.Len()+2*segWords)*wordSize {
			t.Fatalf("%d bytes for %d keys", x.Bytes(), x.Len())
		}
	}
}

func TestIndexRefusesForeignEntry(t *testing.T) {
	a := newArena(t)
	x := New(a, testNow)
	r, stranger := entry(a, "a", testNow), entry(a, "b", testNow)
	x.Add(r)
	for name, f := range map[string]func(){
		"remove": func() { x.Remove(stranger) },
		"set":    func() { x.Set(stranger, testNow) },
		"at":     func() { x.At(1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of an entry that is not in the index went unnoticed", name)
				}
			}()
			f()
		}()
	}
}

func TestIndexAllocs(t *testing.T) {
	a := newArena(t)
	x := New(a, testNow)
	r := entry(a, "a", testNow)
	q := entry(a, "b", testNow)
	x.Add(q)
	if n := testing.AllocsPerRun(1000, func() {
		x.Add(r)
		x.Set(r, testNow+1)
		x.Moved(a.Entry(r).ExpireIndex(), r)
		x.Remove(r)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIndexClear(t *testing.T) {
	a := newArena(t)
	x := New(a, testNow)
	for i := range 10 {
		x.Add(entry(a, fmt.Sprint(i), testNow))
	}
	x.Clear()
	if x.Len() != 0 || x.Bytes() != 0 || x.Check() != nil {
		t.Fatalf("%d keys, %d bytes, %v", x.Len(), x.Bytes(), x.Check())
	}
	x.Add(entry(a, "again", testNow))
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
}

// TestIndexInPayload keeps an index over entries that say in their payload when they are due, as hashes with expiring fields
// do, and lets the cycle find them.
func TestIndexInPayload(t *testing.T) {
	a, err := dict.NewArena(9)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	x := NewInPayload(a, 1000)
	rnd := rand.New(rand.NewPCG(3, 4))
	due := func(r dict.Ref) int64 { return int64(binary.LittleEndian.Uint64(a.Entry(r).Payload())) }
	setDue := func(r dict.Ref, ms int64) { binary.LittleEndian.PutUint64(a.Entry(r).Payload(), uint64(ms)) }
	var in []dict.Ref
	for step := range 20000 {
		i := 0
		if len(in) > 0 {
			i = rnd.IntN(len(in))
		}
		switch op := rnd.IntN(5); {
		case op < 2 || len(in) == 0:
			r, p := a.NewEntrySize(dict.Header{Type: 4, ExpireAt: dict.NoExpire}, fmt.Appendf(nil, "hash:%d", step), 12+rnd.IntN(30))
			binary.LittleEndian.PutUint32(p[8:], NoPosition)
			setDue(r, 1000+rnd.Int64N(1_000_000))
			x.Add(r)
			in = append(in, r)
		case op == 2:
			setDue(in[i], 1000+rnd.Int64N(1_000_000))
			x.Refresh(in[i])
		case op == 3:
			in[i] = a.MoveRecord(dict.EntryLayout, in[i])
			x.MovedTo(in[i])
		default:
			x.Remove(in[i])
			if binary.LittleEndian.Uint32(a.Entry(in[i]).Payload()[8:]) != NoPosition {
				t.Fatal("what was removed still has a position")
			}
			a.Free(in[i])
			in = slices.Delete(in, i, i+1)
		}
		if x.Len() != len(in) {
			t.Fatalf("%d of %d", x.Len(), len(in))
		}
		if step%500 == 0 {
			if err := x.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What the cycle finds due is put off, as a hash that has later fields is.
	target := &payloadTarget{x: x, postpone: func(r dict.Ref) { setDue(r, 9_000_000); x.Refresh(r) }}
	nanos := int64(0)
	c := NewCycle(Default, func() int64 { nanos += 1000; return nanos })
	for range 2000 {
		c.Run(target, 500_000, 1_000_000)
	}
	want := 0
	for _, r := range in {
		if at := due(r); at < 500_000 {
			t.Fatalf("an entry due at %d was left", at)
		} else if at == 9_000_000 {
			want++
		}
	}
	if want == 0 || target.n != want {
		t.Errorf("%d visits for %d entries that were due", target.n, want)
	}
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
}

type payloadTarget struct {
	x        *Index
	postpone func(dict.Ref)
	n        int
}

func (p *payloadTarget) Databases() int   { return 1 }
func (p *payloadTarget) Index(int) *Index { return p.x }
func (p *payloadTarget) Expire(_ int, r dict.Ref, _ int64) bool {
	p.n++
	p.postpone(r)
	return true
}
