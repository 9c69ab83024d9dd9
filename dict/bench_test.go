//go:build unix

package dict

import (
	"testing"

	"golang.org/x/sys/unix"
)

// scaleKey writes the key of DEBUG POPULATE's size: 11 bytes.
func scaleKey(key []byte, i uint64) []byte {
	key = append(key[:0], "key:0000000"...)
	for p := 10; i > 0; p-- {
		key[p] = byte('0' + i%10)
		i /= 10
	}
	return key
}

// load fills a table with n keys of 11 and values of 64 bytes: one by one, or in batches as a loader does.
func load(a *Arena, tb *Table, n uint64, batch bool) {
	var buf [32]byte
	var val [64]byte
	var hs [64]uint64
	var rs [64]Ref
	k := 0
	for i := range n {
		key := scaleKey(buf[:0], i)
		r := a.NewEntry(Header{Encoding: 6, ExpireAt: NoExpire}, key, val[:])
		h := Hash(a.Seed(), key)
		if !batch {
			tb.Insert(a, h, r)
			continue
		}
		hs[k], rs[k] = h, r
		if k++; k == len(hs) {
			tb.InsertBatch(a, hs[:], rs[:])
			k = 0
		}
	}
	tb.InsertBatch(a, hs[:k], rs[:k])
}

// A key of 11 bytes with a value of 64 costs at most 95 bytes of resident memory, all in. The number of keys stands to its
// power of two as five million do.
func TestBytesPerKey(t *testing.T) {
	n := uint64(1_250_000)
	small := invariants || testing.Short()
	if small {
		n = 78_125 // the same share of a power of two
	}
	a := testArena(t)
	var tb Table
	tb.Init(EntryLayout)
	load(a, &tb, n, true)
	for tb.RehashStep(a, 100) {
	}
	for a.ReleaseStep(512) {
	}
	perKey := float64(resident(t, a)) / float64(n)
	t.Logf("%.2f bytes a key; %+v", perKey, tb.Stats())
	if perKey > 95 && !small {
		t.Errorf("%.2f bytes a key: %+v, %+v", perKey, tb.Stats(), a.Stats())
	}
}

// cpuTime returns the CPU time of this process in ns: on a busy machine the clock on the wall says little.
func cpuTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

const scale = 5_000_000

// perKey reports CPU ns for each of the keys that f handles.
func perKey(b *testing.B, what string, f func()) {
	start := cpuTime(b)
	f()
	b.ReportMetric(float64(cpuTime(b)-start)/scale, what)
}

// BenchmarkLoad loads five million keys, times are CPU ns a key: go test -bench Load -benchtime 1x.
func BenchmarkLoad(b *testing.B) {
	for _, mode := range []string{"single", "batch", "sized"} {
		b.Run(mode, func(b *testing.B) {
			for range b.N {
				a, err := NewArena(1)
				if err != nil {
					b.Fatal(err)
				}
				var tb Table
				tb.Init(EntryLayout)
				perKey(b, "ns/key", func() {
					if mode == "sized" {
						tb.Expand(a, scale)
					}
					load(a, &tb, scale, mode != "single")
				})
				b.ReportMetric(float64(resident(b, a))/scale, "bytes/key")
				b.ReportMetric(0, "ns/op")
				a.Release()
			}
		})
	}
}

// BenchmarkUse works on five million keys, times are CPU ns a key: go test -bench Use -benchtime 1x.
func BenchmarkUse(b *testing.B) {
	a := testArena(b)
	var tb Table
	tb.Init(EntryLayout)
	load(a, &tb, scale, true)
	var buf [32]byte
	random := uint64(1)
	next := func() uint64 {
		random = random*6364136223846793005 + 1442695040888963407
		return random >> 33 % scale
	}
	bench := func(name string, want int, f func() int) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				n := 0
				perKey(b, "ns/key", func() { n = f() })
				if n != want {
					b.Fatalf("%d keys, want %d", n, want)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	bench("hit", scale, func() (n int) {
		for range scale {
			key := scaleKey(buf[:0], next())
			if tb.Find(a, Hash(a.Seed(), key), key) != 0 {
				n++
			}
		}
		return n
	})
	// The next key depends on the last value, as when other work stands between two lookups.
	bench("serial", scale, func() (n int) {
		x := uint64(0)
		for range scale {
			key := scaleKey(buf[:0], (next()+x)%scale)
			r := tb.Find(a, Hash(a.Seed(), key), key)
			x = uint64(a.Entry(r).Payload()[0])
			n++
		}
		return n
	})
	bench("miss", 0, func() (n int) {
		for range scale {
			key := scaleKey(buf[:0], next())
			key[0] = 'x'
			if tb.Find(a, Hash(a.Seed(), key), key) != 0 {
				n++
			}
		}
		return n
	})
	bench("batch16", scale/16*16, func() (n int) {
		var keys [16][]byte
		var bufs [16][32]byte
		var hs [16]uint64
		for range scale / 16 {
			for j := range keys {
				keys[j] = scaleKey(bufs[j][:0], next())
				hs[j] = Hash(a.Seed(), keys[j])
				tb.Prefetch(a, hs[j])
			}
			for j := range keys {
				tb.PrefetchRecord(a, hs[j])
			}
			for j := range keys {
				if tb.Find(a, hs[j], keys[j]) != 0 {
					n++
				}
			}
		}
		return n
	})
	bench("scan", scale, func() (n int) {
		for c := uint64(0); ; {
			if c = tb.Scan(a, c, func(Ref) { n++ }); c == 0 {
				return n
			}
		}
	})
	bench("random", scale, func() (n int) {
		for range scale {
			if tb.Random(a, func() uint64 { random = random*6364136223846793005 + 1442695040888963407; return random }) != 0 {
				n++
			}
		}
		return n
	})
}

func BenchmarkFind(b *testing.B) {
	a := testArena(b)
	var tb Table
	tb.Init(EntryLayout)
	load(a, &tb, 10_000, false)
	key := scaleKey(nil, 4321)
	h := Hash(a.Seed(), key)
	for b.Loop() {
		tb.Find(a, h, key)
	}
}
