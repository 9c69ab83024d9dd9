package lzf

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func roundTrip(t *testing.T, tab *Table, src []byte) (compressed []byte, ok bool) {
	t.Helper()
	prefix := []byte("keep")
	out, ok := Compress(bytes.Clone(prefix), src, len(src)-4, tab)
	if !bytes.HasPrefix(out, prefix) {
		t.Fatalf("Compress lost what dst held: %q", out)
	}
	out = out[len(prefix):]
	if !ok {
		if len(out) != 0 {
			t.Fatalf("Compress refused but left %d bytes", len(out))
		}
		return nil, false
	}
	if len(out) > len(src)-4 {
		t.Fatalf("%d bytes became %d, not under the limit", len(src), len(out))
	}
	n, err := DecompressedLen(out)
	if err != nil || n != len(src) {
		t.Fatalf("DecompressedLen = %d, %v; want %d", n, err, len(src))
	}
	back := make([]byte, n)
	if err := Decompress(back, out); err != nil {
		t.Fatalf("Decompress: %v", err)
	}
	if !bytes.Equal(back, src) {
		t.Fatalf("round trip of %d bytes differs", len(src))
	}
	return out, true
}

func TestRoundTrip(t *testing.T) {
	var tab Table
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, src := range []string{
		strings.Repeat("a", 21), strings.Repeat("a", 20000), strings.Repeat("abcdefg", 9000),
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", strings.Repeat("x", 265), strings.Repeat("x", 266),
	} {
		if _, ok := roundTrip(t, &tab, []byte(src)); !ok && len(src) > 21 {
			t.Errorf("%.20q… (%d bytes) should compress", src, len(src))
		}
	}
	for range 3000 {
		n := rnd.IntN(3000)
		src := make([]byte, n)
		alphabet := 1 + rnd.IntN(256)
		for i := range src {
			if i > 10 && rnd.IntN(3) == 0 {
				src[i] = src[i-1-rnd.IntN(10)]
			} else {
				src[i] = byte(rnd.IntN(alphabet))
			}
		}
		roundTrip(t, &tab, src)
	}
}

// The result must not depend on what was compressed before with the same table.
func TestTableIsReusable(t *testing.T) {
	var used Table
	rnd := rand.New(rand.NewPCG(11, 12))
	for k := range 300 {
		if k == 150 {
			used.base = 1<<32 - 500 // just before it starts over
		}
		src := make([]byte, 30+rnd.IntN(2000))
		for i := range src {
			src[i] = byte(rnd.IntN(3))
		}
		a, ok1 := Compress(nil, src, len(src)-4, &used)
		b, ok2 := Compress(nil, src, len(src)-4, new(Table))
		if ok1 != ok2 || !bytes.Equal(a, b) {
			t.Fatalf("input %d: a used table gives another result", k)
		}
	}
}

func TestFarMatchesStayWithinTheWindow(t *testing.T) {
	var tab Table
	rnd := rand.New(rand.NewPCG(9, 9))
	for _, gap := range []int{8000, 8180, 8191, 8192, 8193, 9000} {
		src := make([]byte, gap+400)
		for i := range src {
			src[i] = byte(rnd.Uint32())
		}
		copy(src[gap:], src[:400])
		roundTrip(t, &tab, src)
	}
}

func TestIncompressibleIsRefused(t *testing.T) {
	var tab Table
	src := make([]byte, 1000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range src {
		src[i] = byte(rnd.Uint32())
	}
	if _, ok := Compress(nil, src, len(src)-4, &tab); ok {
		t.Fatal("random bytes were compressed")
	}
}

func TestCorrupt(t *testing.T) {
	for _, c := range []struct {
		name string
		src  string
		n    int
	}{
		{"literal beyond input", "\x05ab", 6},
		{"literal beyond output", "\x01ab", 1},
		{"copy before start", "\x00a\x20\x01", 4},
		{"copy without offset", "\x00a\x20", 4},
		{"long copy without length", "\x00a\xe0", 4},
		{"long copy without offset", "\x00a\xe0\x00", 10},
		{"copy beyond output", "\x00a\x20\x00", 3},
		{"too short", "\x00a", 2},
		{"empty", "", 1},
	} {
		if err := Decompress(make([]byte, c.n), []byte(c.src)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	var tab Table
	src := []byte(strings.Repeat("hello world ", 50))
	out := make([]byte, 0, 1000)
	back := make([]byte, len(src))
	if n := testing.AllocsPerRun(10, func() {
		c, ok := Compress(out, src, len(src)-4, &tab)
		if !ok || Decompress(back, c) != nil {
			t.Fatal("round trip failed")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzLZF(f *testing.F) {
	f.Add([]byte("\x00a\x20\x00"), 4)
	f.Add([]byte(strings.Repeat("abc", 100)), 300)
	var tab Table
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		roundTrip(t, &tab, src)
		real, err := DecompressedLen(src)
		if err == nil && real > MaxRatio*len(src) {
			t.Fatalf("%d bytes claim to become %d, over MaxRatio", len(src), real)
		}
		if n < 0 || n > 1<<16 {
			n = 1 << 10
		}
		if Decompress(make([]byte, n), src) == nil && (err != nil || real != n) {
			t.Fatalf("decompressed to %d but DecompressedLen says %d, %v", n, real, err)
		}
		if err == nil && real <= 1<<16 {
			// Must not panic; whether the offsets are right is Decompress's affair.
			_ = Decompress(make([]byte, real), src)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	var tab Table
	src := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog; ", 100))
	c, _ := Compress(nil, src, len(src), &tab)
	dst := make([]byte, len(src))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if err := Decompress(dst, c); err != nil {
			b.Fatal(err)
		}
	}
}
