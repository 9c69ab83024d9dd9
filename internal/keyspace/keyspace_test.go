package keyspace

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

func newTest(t testing.TB, dbs int) *Keyspace {
	t.Helper()
	ks, err := New(dbs, 7)
	if err != nil {
		t.Fatal(err)
	}
	ks.OnRetire = func(a *dict.Arena) { a.Release() }
	ks.SetClock(1000)
	ks.Begin(1000, ExpiryDeletes)
	t.Cleanup(ks.Release)
	return ks
}

func set(db *DB, key, val string, when int64) {
	db.SetString([]byte(key), []byte(val), object.EncodeString([]byte(val)), when)
}

func get(db *DB, key string) (string, bool) {
	e, ok := db.Lookup([]byte(key))
	if !ok {
		return "", false
	}
	return string(e.StringValue()), true
}

// modelValue is what the model knows of a key.
type modelValue struct {
	val  string
	when int64
}

// TestModel runs random histories against Go maps: every write of whole values,
// growth, moves between databases, expiry by access and by the cycle, flushes,
// and slices of the slow work in between.
func TestModel(t *testing.T) {
	const dbs, keys, steps = 3, 300, 30000
	n := steps
	if testing.Short() {
		n = steps / 6
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	ks := newTest(t, dbs)
	expired := 0
	ks.OnExpired = func(*DB, []byte) { expired++ }
	now := int64(1000)
	nanos := int64(0)
	clock := func() int64 { nanos += 1000; return nanos }
	cycle := expire.NewCycle(expire.Default, clock)
	model := make([]map[string]modelValue, dbs)
	for i := range model {
		model[i] = map[string]modelValue{}
	}
	dead := func(m modelValue) bool { return m.when != NoExpire && now > m.when }
	for step := range n {
		ks.Begin(now, ExpiryDeletes)
		i := r.IntN(dbs)
		db, m := ks.DB(i), model[i]
		key := fmt.Sprintf("key:%d", r.IntN(keys))
		have, ok := m[key]
		if ok && dead(have) {
			delete(m, key)
			have, ok = modelValue{}, false
		}
		val := fmt.Sprintf("%d-%0*d", step, r.IntN(200), step)
		when := int64(NoExpire)
		if r.IntN(3) == 0 {
			when = now + int64(r.IntN(2000))
		}
		switch op := r.IntN(100); {
		case op < 35:
			set(db, key, val, when)
			m[key] = modelValue{val, when}
		case op < 40:
			db.LookupWrite([]byte(key))
			set(db, key, val, KeepExpire)
			if !ok {
				have.when = NoExpire
			}
			m[key] = modelValue{val, have.when}
		case op < 50:
			if got := db.Delete([]byte(key)); got != ok && !(got && !ok) {
				t.Fatalf("step %d: Delete(%s) = %v, the model has it: %v", step, key, got, ok)
			}
			delete(m, key)
		case op < 58:
			e, found := db.LookupWrite([]byte(key))
			if found != ok {
				t.Fatalf("step %d: LookupWrite(%s) = %v, want %v", step, key, found, ok)
			}
			size := r.IntN(3000)
			buf := db.ResizeString([]byte(key), e, size)
			want := make([]byte, size)
			copy(want, have.val)
			if string(buf) != string(want) {
				t.Fatalf("step %d: ResizeString(%s, %d) does not keep the text", step, key, size)
			}
			if !ok {
				have.when = NoExpire
			}
			m[key] = modelValue{string(want), have.when}
		case op < 64:
			if e, found := db.LookupWrite([]byte(key)); found {
				db.SetExpire(e, now+500)
				m[key] = modelValue{have.val, now + 500}
			}
		case op < 68:
			if e, found := db.LookupWrite([]byte(key)); found {
				db.Persist(e)
				m[key] = modelValue{have.val, NoExpire}
			}
		case op < 76:
			j := r.IntN(dbs)
			to := fmt.Sprintf("key:%d", r.IntN(keys))
			if j == i && to == key {
				break
			}
			if _, found := db.LookupWrite([]byte(key)); found {
				ks.DB(j).Delete([]byte(to))
				e, _ := db.LookupRaw([]byte(key))
				if op < 72 {
					db.MoveEntry(e, ks.DB(j), []byte(to))
					delete(m, key)
				} else {
					db.CopyEntry(e, ks.DB(j), []byte(to))
				}
				model[j][to] = have
			}
		case op < 77:
			j := r.IntN(dbs)
			ks.Swap(i, j)
			model[i], model[j] = model[j], model[i]
		case op < 78 && r.IntN(20) == 0:
			ks.FlushDB(db)
			clear(m)
		case op < 79 && r.IntN(40) == 0:
			ks.FlushAll()
			for _, x := range model {
				clear(x)
			}
		case op < 85:
			now += int64(r.IntN(40))
		case op < 88:
			ks.ActiveExpire(cycle, now, 1e6)
		case op < 91:
			ks.Begin(now, ExpiryIgnored)
			ks.Maintain(clock, int64(r.IntN(1e6)))
		default:
			got, found := get(db, key)
			if found != ok || (ok && got != have.val) {
				t.Fatalf("step %d: get %s in %d = %q %v, want %q %v", step, key, i, got, found, have.val, ok)
			}
		}
		if step%2000 == 0 || step == n-1 {
			compare(t, ks, model, now, dead)
		}
	}
	if expired == 0 {
		t.Error("no key expired in the whole history")
	}
}

func compare(t *testing.T, ks *Keyspace, model []map[string]modelValue, now int64, dead func(modelValue) bool) {
	t.Helper()
	ks.Begin(now, ExpiryDeletes)
	if err := ks.Check(); err != nil {
		t.Fatal(err)
	}
	for i, m := range model {
		db := ks.DB(i)
		seen := 0
		db.Each(func(e Entry) bool {
			want, ok := m[string(e.Key())]
			switch {
			case e.Expired():
			case !ok:
				t.Fatalf("database %d holds %s, the model does not", i, e.Key())
			case want.val != string(e.StringValue()) || want.when != e.ExpireAt():
				t.Fatalf("database %d: %s is %q until %d, want %q until %d", i, e.Key(), e.StringValue(), e.ExpireAt(), want.val, want.when)
			default:
				seen++
			}
			return true
		})
		alive := 0
		for _, v := range m {
			if !dead(v) {
				alive++
			}
		}
		if seen != alive {
			t.Fatalf("database %d has %d living keys, the model %d", i, seen, alive)
		}
	}
}

// TestExpiryRules: one expired key under each rule.
func TestExpiryRules(t *testing.T) {
	for _, tc := range []struct {
		rule              ExpiryRule
		read, write, held bool
	}{
		{ExpiryIgnored, true, true, true},
		{ExpiryHidden, false, false, true},
		{ExpiryHiddenForReads, false, false, false},
		{ExpiryDeletes, false, false, false},
	} {
		ks := newTest(t, 1)
		db := ks.DB(0)
		set(db, "k", "v", 1500)
		ks.Begin(1500, tc.rule)
		if _, ok := db.Lookup([]byte("k")); !ok {
			t.Errorf("rule %d: gone at the very millisecond, one too early", tc.rule)
		}
		ks.Begin(1501, tc.rule)
		if _, ok := db.Lookup([]byte("k")); ok != tc.read {
			t.Errorf("rule %d: read finds it: %v", tc.rule, ok)
		}
		if _, ok := db.LookupWrite([]byte("k")); ok != tc.write {
			t.Errorf("rule %d: write finds it: %v", tc.rule, ok)
		}
		if got := db.Exists([]byte("k")); got != tc.held {
			t.Errorf("rule %d: still held: %v", tc.rule, got)
		}
	}
}

// TestFlushIsSliced: emptying one of several databases frees its records in
// slices, and the memory comes back.
func TestFlushIsSliced(t *testing.T) {
	ks := newTest(t, 2)
	const n = 20000
	for i := range n {
		set(ks.DB(0), fmt.Sprintf("key:%d", i), "some value of some length", NoExpire)
	}
	set(ks.DB(1), "other", "v", NoExpire)
	before := ks.UsedMemory()
	if got := ks.FlushDB(ks.DB(0)); got != n {
		t.Fatalf("FlushDB says %d keys", got)
	}
	if ks.DB(0).Len() != 0 || ks.LazyPending() == 0 {
		t.Fatalf("%d keys left, %d pending", ks.DB(0).Len(), ks.LazyPending())
	}
	nanos, slices := int64(0), 0
	for ks.LazyPending() > 0 {
		ks.Maintain(func() int64 { nanos += 10000; return nanos }, 50000)
		if slices++; slices > n {
			t.Fatal("the slices do not end")
		}
	}
	if slices < 5 {
		t.Errorf("%d records were freed in %d slices", n, slices)
	}
	if after := ks.UsedMemory(); after > before/20 {
		t.Errorf("%d bytes in use before, %d after", before, after)
	}
	if v, ok := get(ks.DB(1), "other"); !ok || v != "v" {
		t.Error("the other database was touched")
	}
	if err := ks.Check(); err != nil {
		t.Fatal(err)
	}
}

// TestCompaction: after most keys are deleted at random, the memory that the
// rest keeps busy is given back.
func TestCompaction(t *testing.T) {
	ks := newTest(t, 1)
	db := ks.DB(0)
	const n = 200000
	for i := range n {
		set(db, fmt.Sprintf("key:%d", i), fmt.Sprintf("value:%058d", i), NoExpire)
	}
	for i := range n {
		if i%10 != 0 {
			db.Delete(fmt.Appendf(nil, "key:%d", i))
		}
	}
	before := ks.Memory()
	nanos := int64(0)
	for range 5000 {
		ks.Maintain(func() int64 { nanos += 5000; return nanos }, 1e6)
	}
	after := ks.Memory()
	if ks.Moved() == 0 || after.Slabs > before.Slabs/4 {
		t.Errorf("slabs take %d bytes before, %d after (%d live); %d records moved", before.Slabs, after.Slabs, after.Live, ks.Moved())
	}
	for i := 0; i < n; i += 10 {
		if v, ok := get(db, fmt.Sprintf("key:%d", i)); !ok || v != fmt.Sprintf("value:%058d", i) {
			t.Fatalf("key:%d is %q, %v", i, v, ok)
		}
	}
	if err := ks.Check(); err != nil {
		t.Fatal(err)
	}
}
