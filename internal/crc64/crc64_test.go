package crc64

import (
	"math/rand/v2"
	"testing"
)

// bitwise is the definition: one bit at a time.
func bitwise(crc uint64, p []byte) uint64 {
	for _, b := range p {
		crc ^= uint64(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ poly
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

func TestCheckValue(t *testing.T) {
	if got := Update(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("check value %#x", got)
	}
}

func TestAgainstDefinitionAtEveryLengthAndSplit(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, 700)
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	for n := 0; n <= len(p); n++ {
		start := rnd.Uint64()
		want := bitwise(start, p[:n])
		if got := Update(start, p[:n]); got != want {
			t.Fatalf("length %d: got %#x, want %#x", n, got, want)
		}
		if got := updateGeneric(start, p[:n]); got != want {
			t.Fatalf("generic, length %d: got %#x, want %#x", n, got, want)
		}
		cut := 0
		if n > 0 {
			cut = rnd.IntN(n)
		}
		if got := Update(Update(start, p[:cut]), p[cut:n]); got != want {
			t.Fatalf("length %d cut at %d: got %#x, want %#x", n, cut, got, want)
		}
	}
	// Unaligned starts.
	for off := range 64 {
		if got, want := Update(5, p[off:]), bitwise(5, p[off:]); got != want {
			t.Fatalf("offset %d: got %#x, want %#x", off, got, want)
		}
	}
}

func TestUpdateAllocatesNothing(t *testing.T) {
	p := make([]byte, 4096)
	var crc uint64
	if n := testing.AllocsPerRun(10, func() { crc = Update(crc, p) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkUpdate(b *testing.B) {
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	var crc uint64
	for b.Loop() {
		crc = Update(crc, p)
	}
}

func BenchmarkUpdateGeneric(b *testing.B) {
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	var crc uint64
	for b.Loop() {
		crc = updateGeneric(crc, p)
	}
}
