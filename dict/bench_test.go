package dict

import (
	"fmt"
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

func TestScale(t *testing.T) {
	const n = 5_000_000
	a, err := NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	before := rss(t)
	var tb Table
	tb.Init(EntryLayout)
	val := make([]byte, 64)
	key := make([]byte, 0, 32)
	t0 := time.Now()
	for i := range n {
		key = fmt.Appendf(key[:0], "key:%07d", i)
	}
	fmtCost := time.Since(t0)
	t0 = time.Now()
	for i := range n {
		key = fmt.Appendf(key[:0], "key:%07d", i)
		r := a.NewEntry(Header{Encoding: 6, ExpireAt: NoExpire}, key, val)
		tb.Insert(a, Hash(a.Seed(), key), r)
	}
	ins := time.Since(t0) - fmtCost
	after := rss(t)
	t0 = time.Now()
	hit := 0
	x := uint64(1)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		key = fmt.Appendf(key[:0], "key:%07d", (x>>33)%n)
		if tb.Find(a, Hash(a.Seed(), key), key) != 0 {
			hit++
		}
	}
	find := time.Since(t0) - fmtCost
	t.Logf("insert %.1f ns, find %.1f ns, hit %d, %.2f bytes/key, stats %+v", float64(ins)/n, float64(find)/n, hit, float64(after-before)/n, tb.Stats())
	s := a.Stats()
	t.Logf("%+v", s)
}
