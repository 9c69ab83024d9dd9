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
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// newSet makes a set that begins as an intset.
func newSet(a *dict.Arena) Value {
	h := dict.Header{Type: TypeSet, Encoding: EncIntset, LRU: 77, ExpireAt: 123456}
	return Value{a, a.NewEntry(h, []byte("thekey"), intset.New(0))}
}

func freeSet(v Value) {
	for v.FreeStep(10) {
	}
}

func setEnc(v Value) string {
	switch v.Record().Encoding() {
	case EncIntset:
		return "intset"
	case EncListpack:
		return "listpack"
	case EncHashtable:
		return "hashtable"
	}
	return "another"
}

// sameSet compares a set with a model, member by member and as a whole.
func sameSet(t *testing.T, v Value, model map[string]bool) {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if SetLen(v) != len(model) || v.Len() != len(model) {
		t.Fatalf("%d members, want %d", SetLen(v), len(model))
	}
	seen := map[string]bool{}
	SetEach(v, func(m []byte) bool {
		if !model[string(m)] {
			t.Fatalf("%q is not in the model", m)
		}
		if seen[string(m)] {
			t.Fatalf("%q comes twice", m)
		}
		seen[string(m)] = true
		return true
	})
	if len(seen) != len(model) {
		t.Fatalf("%d members visited of %d", len(seen), len(model))
	}
	for m := range model {
		if !SetContains(v, []byte(m)) {
			t.Fatalf("%q is missing", m)
		}
	}
	rec := v.Record()
	if string(rec.Key()) != "thekey" || rec.Type() != TypeSet || rec.LRU() != 77 || rec.ExpireAt() != 123456 {
		t.Fatalf("the head of the record changed: %q %d %d %d", rec.Key(), rec.Type(), rec.LRU(), rec.ExpireAt())
	}
}

// setMember draws a member: integers of all widths, texts that only look like
// them, short and long strings.
func setMember(rnd *rand.Rand, space int) []byte {
	n := rnd.IntN(space)
	switch rnd.IntN(12) {
	case 0, 1, 2:
		return strconv.AppendInt(nil, int64(n)-int64(space)/2, 10)
	case 3:
		return strconv.AppendInt(nil, int64(n)*1e6, 10)
	case 4:
		return strconv.AppendInt(nil, math.MaxInt64-int64(n), 10)
	case 5:
		return fmt.Appendf(nil, "0%d", n)
	case 6:
		return fmt.Appendf(nil, "+%d", n)
	case 7:
		return []byte(strings.Repeat("x", n%70))
	}
	return fmt.Append(nil, "member:", n)
}

func TestSetAgainstModel(t *testing.T) {
	a := newArena(t)
	small := DefaultLimits()
	small.SetMaxIntsetEntries, small.SetMaxListpackEntries, small.SetMaxListpackValue = 5, 9, 12
	none := Limits{}
	big := DefaultLimits()
	big.SetMaxIntsetEntries, big.SetMaxListpackEntries = 100000, 400
	def := DefaultLimits()
	encs := map[string]int{}
	for seed := range uint64(32) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		lim := []*Limits{&def, &small, &none, &big}[seed%4]
		onlyInts := rnd.IntN(3) == 0
		v := newSet(a)
		model := map[string]bool{}
		space := []int{8, 40, 900}[rnd.IntN(3)]
		for step := range 1500 {
			m := setMember(rnd, space)
			if onlyInts && step < 700 {
				m = strconv.AppendInt(nil, rnd.Int64N(int64(space))<<(rnd.IntN(3)*20), 10)
			}
			switch op := rnd.IntN(100); {
			case op < 60:
				if got := SetAdd(&v, m, lim); got == model[string(m)] {
					t.Fatalf("seed %d: adding %q: %v", seed, m, got)
				}
				model[string(m)] = true
			case op < 85:
				if got := SetRemove(&v, m); got != model[string(m)] {
					t.Fatalf("seed %d: removing %q: %v", seed, m, got)
				}
				delete(model, string(m))
			case op < 90:
				if got := SetContains(v, m); got != model[string(m)] {
					t.Fatalf("seed %d: %q: %v", seed, m, got)
				}
			case op < 93 && len(model) > 0:
				SetPop(&v, rnd.Uint64, new(listpack.IntBuf), func(m []byte) {
					if !model[string(m)] {
						t.Fatalf("seed %d: popped %q", seed, m)
					}
					delete(model, string(m))
				})
			case op < 95 && len(model) > 0:
				if m := SetRandom(v, rnd.Uint64, new(listpack.IntBuf)); !model[string(m)] {
					t.Fatalf("seed %d: drew %q", seed, m)
				}
			}
			if step%100 == 99 {
				sameSet(t, v, model)
			}
			encs[setEnc(v)]++
		}
		sameSet(t, v, model)
		c := Value{a, v.Copy([]byte("copy"))}
		if string(c.Record().Key()) != "copy" || c.Record().ExpireAt() != 123456 {
			t.Fatal("the head of the copy")
		}
		var dv, dc digest.State
		v.Digest(&dv)
		c.Digest(&dc)
		if dv != dc || SetLen(c) != len(model) {
			t.Fatal("the copy differs")
		}
		if v.Memory(0) < int64(a.Usable(v.Ref)) {
			t.Fatal("memory")
		}
		freeSet(c)
		sameSet(t, v, model)
		freeSet(v)
	}
	for _, e := range []string{"intset", "listpack", "hashtable"} {
		if encs[e] < 500 {
			t.Errorf("the encoding %s came up %d times", e, encs[e])
		}
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
	if err := a.Check(); err != nil {
		t.Error(err)
	}
}

// TestSetConvertsAtTheLimits walks each arrow of the picture in set.go.
func TestSetConvertsAtTheLimits(t *testing.T) {
	a := newArena(t)
	lim := DefaultLimits()
	long := []byte(strings.Repeat("x", lim.SetMaxListpackValue+1))
	ints := func(n int) Value {
		v := newSet(a)
		for i := range n {
			SetAdd(&v, strconv.AppendInt(nil, int64(i), 10), &lim)
		}
		return v
	}
	want := func(name string, v Value, enc, shown string) {
		t.Helper()
		if setEnc(v) != enc || EncodingName(TypeSet, v.Record().Encoding()) != shown {
			t.Errorf("%s: %s, shown as %s", name, setEnc(v), EncodingName(TypeSet, v.Record().Encoding()))
		}
		if err := v.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	v := ints(512)
	want("512 integers", v, "intset", "intset")
	SetAdd(&v, []byte("7"), &lim)
	want("512 integers, one again", v, "intset", "intset")
	SetAdd(&v, []byte("512"), &lim)
	want("513 integers", v, "hashtable", "hashtable")
	v = ints(127)
	SetAdd(&v, []byte("s"), &lim)
	want("127 integers and a string", v, "listpack", "hashtable")
	SetAdd(&v, []byte("128"), &lim)
	want("129 members", v, "hashtable", "hashtable")
	v = ints(128)
	SetAdd(&v, []byte("s"), &lim)
	want("128 integers and a string", v, "hashtable", "hashtable")
	v = ints(3)
	SetAdd(&v, long[1:], &lim)
	want("64 bytes", v, "listpack", "hashtable")
	SetAdd(&v, long, &lim)
	want("65 bytes", v, "hashtable", "hashtable")
	v = ints(3)
	SetAdd(&v, long, &lim)
	want("integers and 65 bytes", v, "hashtable", "hashtable")
	lim.SetMaxIntsetEntries = 3
	v = ints(4)
	want("4 integers where 3 are allowed", v, "listpack", "hashtable")
	if len(setTexts(v)) != 4 {
		t.Error(setTexts(v))
	}
	for _, c := range []struct {
		m    string
		want byte
	}{{"1", EncIntset}, {"-9223372036854775808", EncIntset}, {"9223372036854775808", EncListpack}, {"", EncListpack}, {"01", EncListpack}, {"a", EncListpack}, {string(long), EncHashtable}} {
		if got := SetEncodingFor([]byte(c.m), &lim); got != c.want {
			t.Errorf("%q begins as %d", c.m, got)
		}
	}
	lim.SetMaxListpackEntries = 0
	if SetEncodingFor([]byte("a"), &lim) != EncHashtable {
		t.Error("no listpacks allowed, and one made")
	}
}

func setTexts(v Value) []string {
	var out []string
	SetEach(v, func(m []byte) bool {
		out = append(out, string(m))
		return true
	})
	return out
}

func TestSetEachStops(t *testing.T) {
	a := newArena(t)
	lim := DefaultLimits()
	v := newSet(a)
	for _, add := range []string{"1", "a", strings.Repeat("y", 100)} {
		for i := range 5 {
			SetAdd(&v, fmt.Append(nil, add, i), &lim)
		}
		n := 0
		SetEach(v, func([]byte) bool { n++; return n < 4 })
		if n != 4 {
			t.Errorf("%s: %d calls after asking to stop at 4", setEnc(v), n)
		}
	}
	v = newSet(a)
	for _, n := range []string{"5", "-3", "70000", "4"} {
		SetAdd(&v, []byte(n), &lim)
	}
	if got := setTexts(v); !slices.Equal(got, []string{"-3", "4", "5", "70000"}) {
		t.Errorf("%q", got)
	}
	SetAdd(&v, []byte("x"), &lim)
	SetAdd(&v, []byte("1"), &lim)
	if got := setTexts(v); !slices.Equal(got, []string{"-3", "4", "5", "70000", "x", "1"}) {
		t.Errorf("%q", got)
	}
}

// TestSetDrawsAreFair draws from each encoding in each way, and wants every
// member to come up equally often.
func TestSetDrawsAreFair(t *testing.T) {
	a := newArena(t)
	rnd := rand.New(rand.NewPCG(8, 9))
	const n, rounds = 40, 4000
	var buf listpack.IntBuf
	for _, enc := range []string{"intset", "listpack", "hashtable"} {
		v := newSet(a)
		lim := DefaultLimits()
		if enc == "hashtable" {
			lim = Limits{}
		}
		for i := range n {
			m := strconv.AppendInt(nil, int64(i), 10)
			if enc == "listpack" && i%2 == 0 {
				m = append(m, 'x')
			}
			SetAdd(&v, m, &lim)
		}
		if setEnc(v) != enc {
			t.Fatal(setEnc(v))
		}
		fair := func(how string, p float64, hits map[string]int) {
			t.Helper()
			want, sigma := rounds*p, math.Sqrt(rounds*p*(1-p))
			for _, m := range setTexts(v) {
				if d := math.Abs(float64(hits[m]) - want); d > 5*sigma {
					t.Errorf("%s, %s: %q came up %d times, expected %.0f", enc, how, m, hits[m], want)
				}
			}
		}
		hits := map[string]int{}
		for range rounds {
			hits[string(SetRandom(v, rnd.Uint64, &buf))]++
		}
		fair("one", 1.0/n, hits)
		var scratch []dict.Ref
		for _, count := range []int{0, 1, 7, 20, 39, 40} {
			hits := map[string]int{}
			for range rounds {
				one := map[string]bool{}
				scratch = SetSample(v, rnd.Uint64, count, &buf, scratch, func(m []byte) { one[string(m)] = true })
				if len(one) != count {
					t.Fatalf("%d different members of %d", len(one), count)
				}
				for m := range one {
					hits[m]++
				}
			}
			fair(fmt.Sprint("sample of ", count), float64(count)/n, hits)
		}
		hits = map[string]int{}
		for range rounds {
			w := Value{a, v.Copy([]byte("thekey"))}
			for range 3 {
				SetPop(&w, rnd.Uint64, &buf, func(m []byte) { hits[string(m)]++ })
			}
			if SetLen(w) != n-3 {
				t.Fatal(SetLen(w))
			}
			freeSet(w)
		}
		fair("pop of 3", 3.0/n, hits)
		freeSet(v)
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

func TestSetScanFindsAll(t *testing.T) {
	a := newArena(t)
	var buf listpack.IntBuf
	for _, n := range []int{3, 100, 500, 4000} {
		v := newSet(a)
		lim := DefaultLimits()
		var want []string
		for i := range n {
			m := strconv.Itoa(i)
			if n != 500 {
				m += "x"
			}
			want = append(want, m)
			SetAdd(&v, []byte(m), &lim)
		}
		got := map[string]bool{}
		calls := 0
		for cursor := uint64(0); ; {
			calls++
			cursor = SetScan(v, &buf, cursor, 10, func(m []byte) { got[string(m)] = true })
			if cursor == 0 {
				break
			}
		}
		if small := setEnc(v) != "hashtable"; small != (calls == 1) {
			t.Errorf("%d members: %d calls", n, calls)
		}
		var all []string
		for m := range got {
			all = append(all, m)
		}
		sort.Strings(all)
		sort.Strings(want)
		if !slices.Equal(all, want) {
			t.Errorf("%d members: scanned %d", n, len(all))
		}
		freeSet(v)
	}
}

func TestSetOperationsStayOffTheHeap(t *testing.T) {
	a := newArena(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	random := rnd.Uint64
	for _, enc := range []string{"intset", "listpack", "hashtable"} {
		v := newSet(a)
		lim := DefaultLimits()
		var members [60][]byte
		for i := range members {
			members[i] = strconv.AppendInt(nil, int64(i)*3000, 10)
			if enc != "intset" {
				members[i] = append(members[i], 'm')
			}
			if enc == "hashtable" {
				lim = Limits{}
			}
			SetAdd(&v, members[i], &lim)
		}
		if setEnc(v) != enc {
			t.Fatal(setEnc(v))
		}
		var buf listpack.IntBuf
		sum := 0
		if n := testing.AllocsPerRun(20, func() {
			for _, m := range members {
				if SetContains(v, m) {
					sum++
				}
				SetRemove(&v, m)
				SetAdd(&v, m, &lim)
			}
			sum += len(SetRandom(v, random, &buf))
			SetEachBuf(v, &buf, func(m []byte) bool { sum += len(m); return true })
			SetScan(v, &buf, 0, 10, func(m []byte) { sum += len(m) })
			SetPop(&v, random, &buf, func(m []byte) { sum += len(m) })
		}); n != 0 {
			t.Errorf("%s: %v allocations", enc, n)
		}
		freeSet(v)
	}
}

// TestSetCompaction moves the members of a large set, and all must be found
// afterwards.
func TestSetCompaction(t *testing.T) {
	a := newArena(t)
	lim := Limits{}
	v := newSet(a)
	model := map[string]bool{}
	var dead []dict.Ref
	for i := range 60000 {
		m := fmt.Append(nil, "member:", i)
		if i%8 == 0 {
			SetAdd(&v, m, &lim)
			model[string(m)] = true
		} else {
			dead = append(dead, a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, m, nil))
		}
	}
	for _, r := range dead {
		a.Free(r)
	}
	before := a.Stats().Slabs
	if !a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for a.CompactMark(1 << 20) {
	}
	if a.ShouldMove(v.Ref) {
		v.Ref = a.MoveRecord(dict.EntryLayout, v.Ref)
	}
	for cursor := uint64(0); ; {
		if cursor = v.CompactStep(cursor, 100); cursor == 0 {
			break
		}
	}
	a.CompactEnd()
	for a.ReleaseStep(1 << 20) {
	}
	if after := a.Stats().Slabs; after > before*3/4 {
		t.Errorf("slabs %d before, %d after", before, after)
	}
	sameSet(t, v, model)
}

// TestSetCheckFindsFaults breaks a set in each encoding.
func TestSetCheckFindsFaults(t *testing.T) {
	a := newArena(t)
	v := newSet(a)
	lim := DefaultLimits()
	for _, m := range []string{"1", "2", "3"} {
		SetAdd(&v, []byte(m), &lim)
	}
	v.Packed()[intset.HeaderSize] = 9
	if v.Check() == nil {
		t.Error("integers out of order passed")
	}
	v.Packed()[intset.HeaderSize] = 1
	SetAdd(&v, []byte("x"), &lim)
	v.LpAppend([]byte("x"))
	if v.Check() == nil {
		t.Error("a member twice passed")
	}
	v = newSet(a)
	SetToTable(&v)
	m := []byte("m")
	v.setTable().Insert(a, dict.Hash(a.Seed(), m), a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, m, []byte{}))
	if v.Check() == nil {
		t.Error("a member with a value passed")
	}
}
