package keyspace

import (
	"fmt"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// TestCompactionReachesIntoLargeValues makes hashes with holes and lets the slow
// work close them while the hashes change.
func TestCompactionReachesIntoLargeValues(t *testing.T) {
	ks := newTest(t, 2)
	lim := object.Limits{}
	nanos := int64(0)
	clock := func() int64 { nanos += 1000; return nanos }
	hset := func(db *DB, key string, i int) {
		e, ok := db.LookupRaw([]byte(key))
		if !ok {
			e = db.Create([]byte(key), object.TypeHash, object.EncHashtable, nil, object.HashHeadSize)
			e.Value().InitHash()
		}
		v := e.Value()
		f := fmt.Appendf(nil, "field:%08d", i)
		v.HashSet(f, f, false, object.NoTime, &lim)
		if i%3 == 0 {
			v.HashSetExpiry(f, 1_000_000+int64(i))
		}
		db.Update(e, v, false)
	}
	const n, keep = 200_000, 16
	names := []string{"one", "two", "three"}
	for i := range n {
		hset(ks.DB(i%2), names[i%3], i)
	}
	for i := range n {
		if i/6%keep == 0 {
			continue
		}
		db := ks.DB(i % 2)
		e, _ := db.LookupRaw([]byte(names[i%3]))
		v := e.Value()
		v.HashDelete(fmt.Appendf(nil, "field:%08d", i))
		db.Update(e, v, false)
	}
	before := ks.Memory().Slabs
	for i := range 20000 {
		ks.Maintain(clock, 20_000)
		if i%50 == 0 {
			hset(ks.DB(0), "new", i)
		}
	}
	if ks.Compacting() {
		t.Error("the compaction does not end")
	}
	if after := ks.Memory().Slabs; after > before/3 {
		t.Errorf("%d bytes of slabs before, %d after", before, after)
	}
	if err := ks.Check(); err != nil {
		t.Fatal(err)
	}
	var buf listpack.IntBuf
	for i := range n {
		if i/6%keep != 0 {
			continue
		}
		e, ok := ks.DB(i % 2).LookupRaw([]byte(names[i%3]))
		f := fmt.Sprintf("field:%08d", i)
		if !ok {
			t.Fatal("a key is gone")
		}
		if val, expiry, ok := e.Value().HashLookup([]byte(f), &buf); !ok || string(val) != f || (expiry != object.NoFieldExpiry) != (i%3 == 0) {
			t.Fatalf("%s: %q %d %v", f, val, expiry, ok)
		}
	}
	for i := range 2 {
		ks.DB(i).Each(func(e Entry) bool {
			if err := e.Value().Check(); err != nil {
				t.Errorf("%s: %v", e.Key(), err)
			}
			return true
		})
	}
}
