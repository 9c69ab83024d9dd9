package dict

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// A flipped bit of the key or the seed changes each bit of the hash half of the time.
func TestHashAvalanche(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const tries = 400
	for _, n := range []int{1, 2, 3, 4, 7, 8, 11, 15, 16, 17, 31, 33, 48, 49, 64, 100, 150} {
		key := make([]byte, n)
		for bit := -64; bit < n*8; bit++ {
			if n > 16 && bit%5 != 0 {
				continue
			}
			var flips [64]int
			for range tries {
				for i := range key {
					key[i] = byte(rnd.Uint32())
				}
				seed := rnd.Uint64()
				h := Hash(seed, key)
				if bit < 0 {
					seed ^= 1 << -(bit + 1)
				} else {
					key[bit/8] ^= 1 << (bit % 8)
				}
				for d := h ^ Hash(seed, key); d != 0; d &= d - 1 {
					flips[bits.TrailingZeros64(d)]++
				}
			}
			for i, f := range flips {
				// 400 fair coins: six standard deviations are 60.
				if math.Abs(float64(f)-tries/2) > 62 {
					t.Fatalf("length %d, input bit %d: output bit %d flips %d times of %d", n, bit, i, f, tries)
				}
			}
		}
	}
}

// Keys as people choose them spread over buckets and tags as random numbers would.
func TestHashDistribution(t *testing.T) {
	const n, buckets = 1 << 17, 1 << 12
	families := map[string]func(i int) []byte{
		"decimal":   func(i int) []byte { return fmt.Appendf(nil, "key:%d", i) },
		"padded":    func(i int) []byte { return fmt.Appendf(nil, "user:%012d:session", i) },
		"binary":    func(i int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(i)) },
		"binary8":   func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) },
		"high bits": func(i int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)<<44) },
		"long":      func(i int) []byte { return fmt.Appendf(nil, "%0200d", i) },
		"long head": func(i int) []byte { return fmt.Appendf(nil, "%08d%0200d", i, 0) },
		"zeros":     func(i int) []byte { return make([]byte, i%(1<<14)) },
	}
	for name, key := range families {
		n := n
		if testing.Short() {
			n /= 4
		}
		if name == "zeros" {
			n = 1 << 14
		}
		for what, part := range map[string]func(h uint64) uint64{
			"low":   func(h uint64) uint64 { return h % buckets },
			"tag":   func(h uint64) uint64 { return h >> 56 << 4 },
			"extra": func(h uint64) uint64 { return h >> 20 % buckets },
		} {
			cells := map[uint64]int{}
			count := buckets
			if what == "tag" {
				count = 256
			}
			for i := range n {
				cells[part(Hash(99, key(i)))]++
			}
			if err := chiSquare(cells, count, n); err != nil {
				t.Errorf("%s, %s bits: %v", name, what, err)
			}
		}
	}
}

// chiSquare says whether n draws over count cells look uniform: an error beyond five standard deviations either way.
func chiSquare[K comparable](cells map[K]int, count, n int) error {
	want := float64(n) / float64(count)
	sum := float64(count-len(cells)) * want
	for _, c := range cells {
		d := float64(c) - want
		sum += d * d / want
	}
	df := float64(count - 1)
	if dev := (sum - df) / math.Sqrt(2*df); len(cells) > count || math.Abs(dev) > 5 {
		return fmt.Errorf("chi square %.0f with %.0f degrees of freedom: %.1f deviations, %d cells", sum, df, dev, len(cells))
	}
	return nil
}

// Every byte counts at every length, and the hash depends on nothing else.
func TestHashInput(t *testing.T) {
	seen := map[uint64]string{}
	buf := make([]byte, 300)
	for n := range 200 {
		for shift := range 8 {
			key := buf[shift : shift+n]
			clear(buf)
			if h := Hash(7, key); shift == 0 {
				if other, ok := seen[h]; ok {
					t.Errorf("%d zeros hash as %s", n, other)
				}
				seen[h] = fmt.Sprintf("%d zeros", n)
			} else if _, ok := seen[h]; !ok {
				t.Errorf("%d zeros at another address hash differently", n)
			}
			for i := range buf {
				if i < shift || i >= shift+n {
					buf[i] = 0xff
				}
			}
			if _, ok := seen[Hash(7, key)]; !ok {
				t.Errorf("the hash of %d bytes reads beyond them", n)
			}
		}
		for i := range n {
			clear(buf)
			buf[i] = 1
			h := Hash(7, buf[:n])
			if other, ok := seen[h]; ok {
				t.Errorf("%d bytes with byte %d set hash as %s", n, i, other)
			}
			seen[h] = fmt.Sprintf("%d bytes with byte %d set", n, i)
		}
	}
	if Hash(1, []byte("a")) == Hash(2, []byte("a")) {
		t.Error("the seed does not matter")
	}
	if Hash(1, nil) != Hash(1, []byte{}) {
		t.Error("nil and empty differ")
	}
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{4, 11, 16, 32, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			key := make([]byte, n)
			b.SetBytes(int64(n))
			sum := uint64(0)
			for b.Loop() {
				sum = Hash(sum, key)
			}
		})
	}
}
