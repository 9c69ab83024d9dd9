package dict

import (
	"fmt"
	"testing"
)

// TestSegments: the segments of a walk divide the records, each in exactly one,
// whatever the table does in between.
func TestSegments(t *testing.T) {
	a := testArena(t)
	var tab Table
	tab.Init(EntryLayout)
	add := func(from, to int) {
		for i := from; i < to; i++ {
			k := []byte(fmt.Sprint("key:", i))
			tab.Insert(a, Hash(a.Seed(), k), a.NewEntry(Header{ExpireAt: NoExpire}, k, k))
		}
	}
	del := func(from, to int) {
		for i := from; i < to; i++ {
			k := []byte(fmt.Sprint("key:", i))
			a.Free(tab.Delete(a, Hash(a.Seed(), k), k))
		}
	}
	add(0, 1000)
	k := tab.SegmentBits()
	if k != 7 {
		t.Fatalf("%d segment bits for 1000 records, want 7", k)
	}
	check := func(what string, want int) {
		t.Helper()
		n := 0
		for seg := range uint64(1) << k {
			tab.PrefetchSegment(a, seg)
			tab.PrefetchSegmentRecords(a, seg)
			tab.EachInSegment(a, k, seg, func(r Ref) {
				n++
				if got := SegmentOf(Hash(a.Seed(), a.Entry(r).Key()), k); got != seg {
					t.Fatalf("%s: %q is in segment %d, came in %d", what, a.Entry(r).Key(), got, seg)
				}
			})
		}
		if n != want || tab.Len() != want {
			t.Fatalf("%s: %d records in the segments, %d in the table, want %d", what, n, tab.Len(), want)
		}
	}
	check("as it was", 1000)
	add(1000, 1281) // starts to grow
	if !tab.Rehashing() {
		t.Fatal("the table does not grow")
	}
	check("growing", 1281)
	add(1281, 20000)
	check("grown", 20000)
	for tab.RehashStep(a, 1000) {
	}
	check("grown and done", 20000)
	del(100, 20000)
	check("shrinking", 100)
	for tab.RehashStep(a, 1000) {
	}
	if tab.SegmentBits() >= k {
		t.Fatalf("the table has %d bits still", tab.SegmentBits())
	}
	check("shrunk", 100)
	del(0, 100)
	check("empty", 0)
}
