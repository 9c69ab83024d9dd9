package ziplist

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// builder writes ziplists as servers before Redis 7.0 did.
type builder struct {
	b    []byte
	prev int
	last int
	n    int
	// widePrev writes the previous size in five bytes even where one is enough,
	// as a ziplist looks after a cascade of updates.
	widePrev bool
}

func newBuilder() *builder { return &builder{b: make([]byte, HeaderSize)} }

func (z *builder) entry(enc []byte, data string) {
	z.last = len(z.b)
	if z.prev < 254 && !z.widePrev {
		z.b = append(z.b, byte(z.prev))
	} else {
		z.b = append(z.b, 254)
		z.b = binary.LittleEndian.AppendUint32(z.b, uint32(z.prev))
	}
	z.b = append(z.b, enc...)
	z.b = append(z.b, data...)
	z.prev = len(z.b) - z.last
	z.n++
}

func (z *builder) str(s string) {
	n := len(s)
	switch {
	case n < 64:
		z.entry([]byte{byte(n)}, s)
	case n < 16384:
		z.entry([]byte{0x40 | byte(n>>8), byte(n)}, s)
	default:
		z.entry(binary.BigEndian.AppendUint32([]byte{0x80}, uint32(n)), s)
	}
}

func (z *builder) int(v int64) {
	le := binary.LittleEndian.AppendUint64(nil, uint64(v))
	switch {
	case v >= 0 && v <= 12:
		z.entry([]byte{0xf1 + byte(v)}, "")
	case v >= math.MinInt8 && v <= math.MaxInt8:
		z.entry([]byte{0xfe}, string(le[:1]))
	case v >= math.MinInt16 && v <= math.MaxInt16:
		z.entry([]byte{0xc0}, string(le[:2]))
	case v >= -1<<23 && v < 1<<23:
		z.entry([]byte{0xf0}, string(le[:3]))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		z.entry([]byte{0xd0}, string(le[:4]))
	default:
		z.entry([]byte{0xe0}, string(le))
	}
}

func (z *builder) done() []byte {
	z.b = append(z.b, 0xff)
	binary.LittleEndian.PutUint32(z.b, uint32(len(z.b)))
	if z.n == 0 {
		z.last = HeaderSize
	}
	binary.LittleEndian.PutUint32(z.b[4:], uint32(z.last))
	binary.LittleEndian.PutUint16(z.b[8:], uint16(min(z.n, 0xffff)))
	return z.b
}

func toTexts(t *testing.T, lp []byte, n int) []string {
	t.Helper()
	if m, err := listpack.Validate(lp); err != nil || m != n {
		t.Fatalf("the listpack has %d entries, want %d; %v", m, n, err)
	}
	var out []string
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		out = append(out, string(listpack.Get(lp, p, &buf)))
	}
	return out
}

func TestEveryEncodingConverts(t *testing.T) {
	for _, wide := range []bool{false, true} {
		z := newBuilder()
		z.widePrev = wide
		var want []string
		for _, n := range []int{0, 1, 63, 64, 300, 16383, 16384, 70000} {
			s := strings.Repeat("s", n)
			z.str(s)
			want = append(want, s)
		}
		for _, v := range []int64{0, 1, 12, 13, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 1<<23 - 1, 1 << 23, -1 << 23, -1<<23 - 1,
			math.MaxInt32, math.MaxInt32 + 1, math.MinInt32, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
			z.int(v)
			want = append(want, strconv.FormatInt(v, 10))
		}
		z.str("42") // a string that could be an integer becomes one
		want = append(want, "42")
		zl := z.done()
		if n, err := Validate(zl); err != nil || n != len(want) {
			t.Fatalf("%d, %v", n, err)
		}
		out, n, err := AppendListpack([]byte("prefix"), zl)
		if err != nil || string(out[:6]) != "prefix" {
			t.Fatal(err)
		}
		if got := toTexts(t, out[6:], n); !slices.Equal(got, want) {
			t.Fatalf("got %.300q", got)
		}
	}
}

func TestEmpty(t *testing.T) {
	zl := newBuilder().done()
	out, n, err := AppendListpack(nil, zl)
	if err != nil || n != 0 || string(out) != string(listpack.New(0)) {
		t.Fatalf("%q, %d, %v", out, n, err)
	}
	out, n, err = AppendMapListpack(nil, []byte{0, 0xff})
	if err != nil || n != 0 || string(out) != string(listpack.New(0)) {
		t.Fatalf("%q, %d, %v", out, n, err)
	}
}

func TestUnknownCount(t *testing.T) {
	z := newBuilder()
	for i := range 70000 {
		z.int(int64(i % 10))
	}
	if n, err := Validate(z.done()); n != 70000 || err != nil {
		t.Fatal(n, err)
	}
}

func sample() []byte {
	z := newBuilder()
	z.str("field")
	z.int(7)
	z.str(strings.Repeat("x", 260))
	z.int(-300)
	z.int(1 << 40)
	return z.done()
}

func TestDamageIsFoundOrHarmless(t *testing.T) {
	good := sample()
	for i := range good {
		if _, err := Validate(good[:i]); err == nil {
			t.Fatalf("a prefix of %d bytes is valid", i)
		}
		for bit := range 8 {
			b := slices.Clone(good)
			b[i] ^= 1 << bit
			out, n, err := AppendListpack(nil, b)
			if err == nil {
				toTexts(t, out, n)
			} else if len(out) != 0 {
				t.Fatal("an error must leave dst as it was")
			}
		}
	}
	for name, edit := range map[string]func(b []byte){
		"size":     func(b []byte) { b[0]++ },
		"tail":     func(b []byte) { b[4]-- },
		"far tail": func(b []byte) { b[6] = 1 },
		"count":    func(b []byte) { b[8]++ },
		"encoding": func(b []byte) { b[11] = 0xff },
		"prevlen":  func(b []byte) { b[10] = 3 },
		"end":      func(b []byte) { b[len(b)-1] = 0 },
	} {
		b := slices.Clone(good)
		edit(b)
		if _, err := Validate(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func appendZipmap(b []byte, free int, texts ...string) []byte {
	for i, s := range texts {
		if len(s) < 254 {
			b = append(b, byte(len(s)))
		} else {
			b = append(b, 254)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		}
		if i%2 == 1 {
			b = append(b, byte(free))
		}
		b = append(b, s...)
		if i%2 == 1 {
			b = append(b, make([]byte, free)...)
		}
	}
	return append(b, 0xff)
}

func TestZipmap(t *testing.T) {
	want := []string{"foo", "bar", "hello", "", "long", strings.Repeat("v", 300), strings.Repeat("k", 254), "12"}
	for _, count := range []byte{4, 254} {
		for _, free := range []int{0, 3} {
			zm := appendZipmap([]byte{count}, free, want...)
			if n, err := ValidateMap(zm); n != 4 || err != nil {
				t.Fatal(n, err)
			}
			out, n, err := AppendMapListpack(nil, zm)
			if err != nil {
				t.Fatal(err)
			}
			if got := toTexts(t, out, 2*n); !slices.Equal(got, want) {
				t.Fatalf("%.200q", got)
			}
			for i := range zm {
				if _, err := ValidateMap(zm[:i]); err == nil {
					t.Fatalf("a prefix of %d bytes is valid", i)
				}
			}
		}
	}
	for name, zm := range map[string][]byte{
		"count":         appendZipmap([]byte{2}, 0, "a", "b"),
		"no value":      []byte("\x01\x01a\xff"),
		"no end":        []byte("\x01\x01a\x01\x00b"),
		"length cut":    []byte("\x01\xfe\x01\x00\xff"),
		"length beyond": []byte("\x01\x09a\xff"),
		"free beyond":   []byte("\x01\x01a\x01\x05b\xff"),
		"free missing":  []byte("\x01\x01a\x00\xff"),
		"trailing":      []byte("\x00\xff\x00\xff"),
	} {
		if n, err := ValidateMap(zm); err == nil {
			t.Errorf("%s: accepted with %d pairs", name, n)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	zl := sample()
	zm := appendZipmap([]byte{2}, 1, "a", "b", "c", "d")
	buf := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := Validate(zl); err != nil {
			t.Fatal(err)
		}
		if _, _, err := AppendListpack(buf, zl); err != nil {
			t.Fatal(err)
		}
		if _, _, err := AppendMapListpack(buf, zm); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRandomContentRoundTrips(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		z := newBuilder()
		var want []string
		for range rnd.IntN(40) {
			if rnd.IntN(2) == 0 {
				v := int64(rnd.Uint64()) >> rnd.IntN(64)
				z.int(v)
				want = append(want, fmt.Sprint(v))
			} else {
				s := strings.Repeat("q", rnd.IntN(300))
				z.str(s)
				want = append(want, s)
			}
		}
		out, n, err := AppendListpack(nil, z.done())
		if err != nil {
			t.Fatal(err)
		}
		if got := toTexts(t, out, n); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func FuzzZiplist(f *testing.F) {
	f.Add(sample())
	f.Add(appendZipmap([]byte{1}, 2, "a", "b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Validate(b)
		out, m, err2 := AppendListpack(nil, b)
		if (err == nil) != (err2 == nil) || n != m && err == nil {
			t.Fatalf("Validate: %d, %v; AppendListpack: %d, %v", n, err, m, err2)
		}
		if err == nil {
			toTexts(t, out, n)
		}
		if out, n, err := AppendMapListpack(nil, b); err == nil {
			toTexts(t, out, 2*n)
		}
	})
}
