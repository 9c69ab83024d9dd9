package object

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

type hashField struct {
	val    string
	expiry int64
}

func newHash(a *dict.Arena) Value {
	h := dict.Header{Type: TypeHash, Encoding: EncListpack, ExpireAt: dict.NoExpire}
	return Value{a, a.NewEntry(h, []byte("thekey"), listpack.AppendEmpty(nil))}
}

func freeHash(v Value) {
	for v.FreeStep(10) {
	}
}

// sameHash compares a hash with a model, field by field and as a whole.
func sameHash(t *testing.T, v Value, model map[string]hashField) {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	if v.HashLen() != len(model) {
		t.Fatalf("%d fields, want %d", v.HashLen(), len(model))
	}
	least := NoFieldExpiry
	got := map[string]hashField{}
	v.HashEach(new(HashBuf), func(field, val []byte, expiry int64) bool {
		got[string(field)] = hashField{string(val), expiry}
		least = min(least, expiry)
		return true
	})
	if !maps.Equal(got, model) {
		t.Fatalf("%v\nwant %v", got, model)
	}
	if v.HashDue() != least {
		t.Fatalf("due %d, want %d", v.HashDue(), least)
	}
	var buf listpack.IntBuf
	for k, f := range model {
		val, expiry, ok := v.HashLookup([]byte(k), &buf)
		if !ok || string(val) != f.val || expiry != f.expiry {
			t.Fatalf("%q: %q %d %v, want %v", k, val, expiry, ok, f)
		}
	}
	if k := v.Record().Key(); string(k) != "thekey" {
		t.Fatalf("key %q", k)
	}
}

// TestHashModel makes random changes under several limits, so that every
// encoding and every conversion comes up, and expects a map to agree.
func TestHashModel(t *testing.T) {
	limits := []Limits{
		{HashMaxListpackEntries: 1000, HashMaxListpackValue: 1000},
		{HashMaxListpackEntries: 12, HashMaxListpackValue: 64},
		{HashMaxListpackEntries: 60, HashMaxListpackValue: 30},
		{},
	}
	a := newArena(t)
	for seed := range uint64(40) {
		lim := &limits[seed%4]
		ttls := seed%8 < 4
		rnd := rand.New(rand.NewPCG(seed, 3))
		v := newHash(a)
		model := map[string]hashField{}
		now := int64(1_700_000_000_000)
		text := func(n int) string {
			switch rnd.IntN(4) {
			case 0:
				return fmt.Sprint(rnd.IntN(n))
			case 1:
				return ""
			}
			return fmt.Sprint("text", strings.Repeat("-", rnd.IntN(70)), rnd.IntN(n))
		}
		for range 500 {
			now += int64(rnd.IntN(100))
			field, val := fmt.Sprint("f", rnd.IntN(80)), text(1000)
			if rnd.IntN(10) == 0 {
				field = text(20)
			}
			if !ttls && rnd.IntN(200) != 0 {
				val = val[:min(len(val), 20)]
			}
			f, b := []byte(field), []byte(val)
			old, had := model[field]
			expired := had && now > old.expiry
			switch op := rnd.IntN(12); {
			case op < 6:
				keep := rnd.IntN(2) == 0
				if created := v.HashSet(f, b, keep, now, lim); created != (!had || expired) {
					t.Fatalf("setting %q: created %v, had %v, expired %v", field, created, had, expired)
				}
				n := hashField{val, NoFieldExpiry}
				if keep && had && !expired {
					n.expiry = old.expiry
				}
				model[field] = n
			case op < 8:
				if v.HashDelete(f) != had {
					t.Fatalf("deleting %q, had %v", field, had)
				}
				delete(model, field)
			case op == 8 && ttls:
				n := v.HashExpire(now, 3, func(field []byte) {
					x, ok := model[string(field)]
					if !ok || now <= x.expiry {
						t.Fatalf("%q expired: %v %v at %d", field, x, ok, now)
					}
					delete(model, string(field))
				})
				if n < 3 && v.HashDue() < now {
					t.Fatalf("%d expired, due %d at %d", n, v.HashDue(), now)
				}
			case ttls:
				when := now - 20 + int64(rnd.IntN(3000))
				if rnd.IntN(4) == 0 {
					when = NoFieldExpiry
				}
				if v.HashSetExpiry(f, when) != had {
					t.Fatalf("expiry of %q, had %v", field, had)
				}
				if had {
					model[field] = hashField{old.val, when}
				}
			}
			sameHash(t, v, model)
			got, st := v.HashGet(f, now, new(listpack.IntBuf))
			switch m, ok := model[field]; {
			case !ok && st == FieldMissing:
			case ok && now > m.expiry && st == FieldExpired && got == nil:
			case ok && now <= m.expiry && st == FieldFound && string(got) == m.val:
			default:
				t.Fatalf("%q: %q %v, want %v %v", field, got, st, m, ok)
			}
			alive := 0
			for _, m := range model {
				if now <= m.expiry {
					alive++
				}
			}
			if v.HashAlive(now) != alive || v.HashAlive(NoTime) != len(model) {
				t.Fatalf("%d alive, want %d", v.HashAlive(now), alive)
			}
			if enc := v.Record().Encoding(); !ttls && enc != EncListpack && enc != EncHashtable {
				t.Fatalf("encoding %d without expiries", enc)
			}
			if rnd.IntN(50) == 0 {
				c := Value{a, v.Copy([]byte("thekey"))}
				sameHash(t, c, model)
				if _, indexed := FieldsDue(c.Record()); indexed {
					t.Fatal("a copy claims to be indexed")
				}
				var d1, d2 digest.State
				v.Digest(&d1)
				c.Digest(&d2)
				if d1 != d2 {
					t.Fatal("the digest of the copy differs")
				}
				c.HashToListpack(&Limits{HashMaxListpackEntries: 1000, HashMaxListpackValue: 1000})
				if !isSmallHash(c.Record().Encoding()) {
					t.Fatal("still large")
				}
				sameHash(t, c, model)
				freeHash(v)
				v = c
			}
		}
		freeHash(v)
		if n := a.Stats().Live; n != 0 {
			t.Fatalf("seed %d: %d bytes leaked", seed, n)
		}
	}
}

func TestHashConvertsAtTheLimits(t *testing.T) {
	a := newArena(t)
	lim := DefaultLimits()
	enc := func(v Value) string { return EncodingName(TypeHash, v.Record().Encoding()) }
	v := newHash(a)
	for i := range 512 {
		v.HashSet(fmt.Append(nil, i), []byte("v"), false, NoTime, &lim)
	}
	if enc(v) != "listpack" {
		t.Errorf("512 fields: %s", enc(v))
	}
	v.HashSet([]byte("one more"), []byte("v"), false, NoTime, &lim)
	if enc(v) != "hashtable" || v.HashLen() != 513 {
		t.Errorf("513 fields: %s", enc(v))
	}
	w := newHash(a)
	w.HashSet([]byte("f"), []byte(strings.Repeat("x", 64)), false, NoTime, &lim)
	if enc(w) != "listpack" {
		t.Errorf("64 bytes: %s", enc(w))
	}
	w.HashSetExpiry([]byte("f"), 5)
	if enc(w) != "listpackex" {
		t.Errorf("with an expiry: %s", enc(w))
	}
	w.HashSetExpiry([]byte("f"), NoFieldExpiry)
	if enc(w) != "listpackex" {
		t.Errorf("after the last expiry: %s", enc(w))
	}
	w.HashSet([]byte("f"), []byte(strings.Repeat("x", 65)), false, NoTime, &lim)
	if enc(w) != "hashtable" || !w.HashHasTTLs() {
		t.Errorf("65 bytes: %s", enc(w))
	}
}

func TestAppendHashPairs(t *testing.T) {
	pairs := [][]byte{[]byte("a"), []byte("1"), []byte("b"), []byte("2"), []byte("a"), []byte("3"), []byte("c"), []byte(""), []byte("b"), []byte("x")}
	lp, n := AppendHashPairs([]byte("before"), pairs)
	if got := lpTexts(t, lp[6:]); n != 3 || !slices.Equal(got, []string{"a", "3", "b", "x", "c", ""}) {
		t.Errorf("%d, %q", n, got)
	}
}

// TestHashSampleIsFair draws from each encoding, with and without expired
// fields.
func TestHashSampleIsFair(t *testing.T) {
	a := newArena(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, lim := range []Limits{{HashMaxListpackEntries: 100, HashMaxListpackValue: 100}, {}} {
		for _, expired := range []int{0, 10} {
			v := newHash(a)
			for i := range 40 {
				f := fmt.Append(nil, "f", i)
				v.HashSet(f, f, false, NoTime, &lim)
				if i < expired {
					v.HashSetExpiry(f, 1000)
				}
			}
			const now, rounds = 2000, 4000
			alive := v.HashAlive(now)
			if alive != 40-expired {
				t.Fatal(alive)
			}
			for _, n := range []int{1, 5, 15, alive} {
				hits := map[string]int{}
				var scratch []dict.Ref
				for range rounds {
					one := 0
					scratch = v.HashSample(rnd.Uint64, n, alive, now, new(HashBuf), scratch, func(field, val []byte) {
						if string(field) != string(val) {
							t.Fatalf("%q has %q", field, val)
						}
						hits[string(field)]++
						one++
					})
					if one != n {
						t.Fatalf("%d drawn of %d", one, n)
					}
				}
				want := float64(rounds*n) / float64(alive)
				for f, h := range hits {
					if d := float64(h) - want; d*d > 36*want {
						t.Errorf("%s drawn %d times, expected %.0f", f, h, want)
					}
				}
				if len(hits) != alive {
					t.Errorf("%d fields came up of %d", len(hits), alive)
				}
			}
			if expired == 0 {
				hits := map[string]int{}
				var buf HashBuf
				for range rounds {
					f, val := v.HashRandom(rnd.Uint64, &buf)
					if string(f) != string(val) {
						t.Fatalf("%q has %q", f, val)
					}
					hits[string(f)]++
				}
				for f, h := range hits {
					if h < 50 || h > 160 {
						t.Errorf("%s drawn %d times of %d", f, h, rounds)
					}
				}
			}
			freeHash(v)
		}
	}
}

func TestHashScanFindsAll(t *testing.T) {
	a := newArena(t)
	v := newHash(a)
	lim := DefaultLimits()
	for i := range 2000 {
		v.HashSet(fmt.Append(nil, "f", i), fmt.Append(nil, i), false, NoTime, &lim)
	}
	got := map[string]string{}
	for cursor := uint64(0); ; {
		cursor = v.HashScan(new(HashBuf), cursor, 10, func(f, val []byte, expiry int64) {
			got[string(f)] = string(val)
			if expiry != NoFieldExpiry {
				t.Error(expiry)
			}
		})
		if cursor == 0 {
			break
		}
	}
	if len(got) != 2000 || got["f7"] != "7" {
		t.Errorf("%d fields", len(got))
	}
}

// TestHashHeapOfMany fills several segments of the heap and empties it in the
// order of expiry, and at random.
func TestHashHeapOfMany(t *testing.T) {
	a := newArena(t)
	v := newHash(a)
	lim := DefaultLimits()
	rnd := rand.New(rand.NewPCG(1, 9))
	const n = 20000
	for i := range n {
		f := fmt.Append(nil, "f", i)
		v.HashSet(f, []byte("v"), false, NoTime, &lim)
		v.HashSetExpiry(f, 1+rnd.Int64N(1_000_000))
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	for i := range n / 2 {
		v.HashDelete(fmt.Append(nil, "f", i))
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	last, gone := int64(0), 0
	for now := int64(0); v.HashLen() > 0; now += 10_000 {
		gone += v.HashExpire(now, n, func(field []byte) {
			_, at, _ := v.HashLookup(field, new(listpack.IntBuf))
			if at < last || at >= now {
				t.Fatalf("%q expired at %d, after one at %d, now is %d", field, at, last, now)
			}
			last = at
		})
	}
	if gone != n/2 {
		t.Errorf("%d of %d expired", gone, n/2)
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	freeHash(v)
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

func TestHashOperationsStayOffTheHeap(t *testing.T) {
	a := newArena(t)
	for _, lim := range []Limits{DefaultLimits(), {}} {
		for _, ttl := range []bool{false, true} {
			v := newHash(a)
			var fields [40][]byte
			for i := range fields {
				fields[i] = fmt.Append(nil, "field", i)
				v.HashSet(fields[i], []byte("value"), false, NoTime, &lim)
				if ttl {
					v.HashSetExpiry(fields[i], 1000+int64(i))
				}
			}
			long := []byte("a value that is a good deal longer")
			var buf listpack.IntBuf
			var hb HashBuf
			sum := 0
			if n := testing.AllocsPerRun(20, func() {
				for _, f := range fields {
					v.HashSet(f, long, true, NoTime, &lim)
					v.HashSet(f, []byte("value"), true, NoTime, &lim)
					val, _ := v.HashGet(f, NoTime, &buf)
					sum += len(val)
				}
				v.HashDelete(fields[3])
				v.HashSet(fields[3], []byte("value"), false, NoTime, &lim)
				if ttl {
					v.HashSetExpiry(fields[3], 77)
				}
				v.HashEach(&hb, func(f, val []byte, _ int64) bool { sum += len(f) + len(val); return true })
				v.HashScan(&hb, 0, 10, func(f, val []byte, _ int64) { sum += len(f) + len(val) })
			}); n != 0 {
				t.Errorf("limits %v, expiries %v: %v allocations", lim.HashMaxListpackEntries, ttl, n)
			}
			freeHash(v)
		}
	}
}

// TestHashCompaction moves the elements and the heap of a large hash, and
// everything must still be found.
func TestHashCompaction(t *testing.T) {
	a := newArena(t)
	lim := Limits{}
	v := newHash(a)
	model := map[string]hashField{}
	var dead []dict.Ref
	for i := range 60000 {
		f := fmt.Append(nil, "field:", i)
		if i%8 == 0 {
			v.HashSet(f, f, false, NoTime, &lim)
			e := NoFieldExpiry
			if i%16 == 0 {
				e = int64(1 + i%977)
				v.HashSetExpiry(f, e)
			}
			model[string(f)] = hashField{string(f), e}
		} else {
			dead = append(dead, a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, f, f))
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
	moved := false
	if a.ShouldMove(v.Ref) {
		v.Ref = a.MoveRecord(dict.EntryLayout, v.Ref)
	}
	for cursor := uint64(0); ; moved = true {
		if cursor = v.CompactStep(cursor, 100); cursor == 0 {
			break
		}
	}
	a.CompactEnd()
	for a.ReleaseStep(1 << 20) {
	}
	if after := a.Stats().Slabs; !moved || after > before*3/4 {
		t.Errorf("slabs %d before, %d after", before, after)
	}
	sameHash(t, v, model)
}
