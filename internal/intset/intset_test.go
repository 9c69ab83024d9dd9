package intset

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func values(s []byte) []int64 {
	var out []int64
	for i := range Len(s) {
		out = append(out, Get(s, i))
	}
	return out
}

func TestBytes(t *testing.T) {
	s := New(4)
	for _, v := range []int64{3, 1, -2} {
		s, _ = Add(s, v)
	}
	if got := hex.EncodeToString(s); got != "0200000003000000feff01000300" {
		t.Fatal(got)
	}
	s, _ = Add(s, 70000)
	if got := hex.EncodeToString(s); got != "0400000004000000feffffff010000000300000070110100" {
		t.Fatal(got)
	}
	s, _ = Add(s, math.MinInt64)
	if want := []int64{math.MinInt64, -2, 1, 3, 70000}; !slices.Equal(values(s), want) || Width(s) != 8 {
		t.Fatal(values(s))
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		s := New(0)
		model := map[int64]bool{}
		width := 2
		for range 400 {
			v := int64(rnd.IntN(100)) - 50
			if rnd.IntN(10) == 0 {
				v = int64(rnd.Uint64()) >> rnd.IntN(64)
			}
			if rnd.IntN(50) == 0 {
				v = []int64{math.MaxInt16, math.MaxInt16 + 1, math.MinInt16, math.MinInt16 - 1, math.MaxInt32, math.MaxInt32 + 1, math.MinInt32, math.MinInt32 - 1, math.MaxInt64, math.MinInt64}[rnd.IntN(10)]
			}
			var done bool
			if Contains(s, v) != model[v] {
				t.Fatalf("Contains(%d) = %v", v, !model[v])
			}
			switch rnd.IntN(3) {
			case 0:
				s, done = Remove(s, v)
				if done != model[v] {
					t.Fatalf("Remove(%d) = %v", v, done)
				}
				delete(model, v)
			default:
				size := SizeWith(s, v)
				s, done = Add(s, v)
				if done == model[v] {
					t.Fatalf("Add(%d) = %v", v, done)
				}
				if done && len(s) != size {
					t.Fatalf("SizeWith says %d, is %d", size, len(s))
				}
				model[v] = true
				width = max(width, widthOf(v))
			}
			n, err := Validate(s)
			if err != nil || n != len(model) {
				t.Fatalf("%d of %d, %v", n, len(model), err)
			}
			if Width(s) != width {
				t.Fatalf("width %d, want %d: it grows and never shrinks", Width(s), width)
			}
			want := make([]int64, 0, len(model))
			for v := range model {
				want = append(want, v)
			}
			slices.Sort(want)
			if got := values(s); !slices.Equal(got, want) && len(want) > 0 {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, h := range []string{
		"", "02000000000000", "03000000" + "00000000", "00000000" + "00000000", "0200000001000000", "020000000100000001", "02000000010000000100ff",
		"02000000020000000100" + "0100", "02000000020000000200" + "0100", "02000000ffffffff0100", "08000000" + "00000020" + "0000000000000000",
	} {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Validate(b); err == nil {
			t.Errorf("%s: accepted with %d values", h, n)
		}
	}
	if n, err := Validate(New(0)); n != 0 || err != nil {
		t.Error("an empty set is valid")
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	s := New(100)
	for i := range int64(100) {
		s, _ = Add(s, i*7)
	}
	s = slices.Grow(s, 64)
	if n := testing.AllocsPerRun(10, func() {
		if !Contains(s, 77) || Contains(s, 78) {
			t.Fatal()
		}
		if _, err := Validate(s); err != nil {
			t.Fatal(err)
		}
		x, _ := Add(s, 3)
		_, _ = Remove(x, 3)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzIntsetValidate(f *testing.F) {
	s := New(0)
	for _, v := range []int64{1, -5, 100000, 1 << 40} {
		f.Add(slices.Clone(s), v)
		s, _ = Add(s, v)
	}
	f.Add(s, int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, v int64) {
		n, err := Validate(b)
		if err != nil {
			return
		}
		had := Contains(b, v)
		s, added := Add(slices.Clone(b), v)
		if added == had {
			t.Fatal("Add and Contains disagree")
		}
		m, err := Validate(s)
		if err != nil || !Contains(s, v) || added && m != n+1 {
			t.Fatalf("%d, %v", m, err)
		}
		s, removed := Remove(s, v)
		if m, err := Validate(s); !removed || err != nil || Contains(s, v) {
			t.Fatalf("%v, %d, %v", removed, m, err)
		}
	})
}
