package dict

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func rss(t testing.TB) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func scaleKey(key []byte, i uint64) []byte {
	key = append(key[:0], "key:0000000"...)
	for p := 10; i > 0; p-- {
		key[p] = byte('0' + i%10)
		i /= 10
	}
	return key
}

func TestScale(t *testing.T) {
	const n = 5_000_000
	for _, mode := range []string{"plain", "batch", "sized"} {
	a, err := NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	before := rss(t)
	var tb Table
	tb.Init(EntryLayout)
	if mode=="sized" { tb.Expand(a, n) }
	val := make([]byte, 64)
	key := make([]byte, 0, 32)
	t0 := time.Now()
	for i := range uint64(n) {
		key = scaleKey(key, i)
	}
	fmtCost := time.Since(t0)
	t0 = time.Now()
	var hs [64]uint64
	var rs [64]Ref
	k := 0
	for i := range uint64(n) {
		key = scaleKey(key, i)
		r := a.NewEntry(Header{Encoding: 6, ExpireAt: NoExpire}, key, val)
		if mode == "plain" {
			tb.Insert(a, Hash(a.Seed(), key), r)
			continue
		}
		hs[k], rs[k] = Hash(a.Seed(), key), r
		if k++; k == 64 {
			tb.InsertBatch(a, hs[:], rs[:])
			k = 0
		}
	}
	ins := time.Since(t0) - fmtCost
	after := rss(t)
	t0 = time.Now()
	hit := 0
	x := uint64(1)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		key = scaleKey(key, (x>>33)%n)
		if tb.Find(a, Hash(a.Seed(), key), key) != 0 {
			hit++
		}
	}
	find := time.Since(t0) - fmtCost
	t0 = time.Now()
	var ks [16][]byte
	for i := range ks { ks[i] = make([]byte, 0, 32) }
	for range n/16 {
		for j := range ks {
		x = x*6364136223846793005 + 1442695040888963407
		ks[j] = scaleKey(ks[j], (x>>33)%n)
		hs[j] = Hash(a.Seed(), ks[j])
		tb.Prefetch(a, hs[j])
		}
		for j := range ks {
		tb.PrefetchRecord(a, hs[j])
		}
		for j := range ks {
		if tb.Find(a, hs[j], ks[j]) != 0 {
			hit++
		}
		}
	}
	findB := time.Since(t0) - fmtCost
	t.Logf("%s insert %.1f ns, find %.1f ns, batch %.1f hit %d, %.2f bytes/key, stats %+v", mode, float64(ins)/n, float64(find)/n, float64(findB)/n, hit, float64(after-before)/n, tb.Stats())
	a.Release()
	}
}
