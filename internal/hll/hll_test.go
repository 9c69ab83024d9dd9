package hll

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

const defaultSparse = 3000

// check verifies that a sketch is well formed.
func check(t *testing.T, s []byte) {
	t.Helper()
	if !Valid(s) {
		t.Fatalf("not a sketch: %q", s[:min(len(s), 40)])
	}
	if IsDense(s) {
		return
	}
	if err := eachRun(s, func(i, n int, v byte) {
		if v == 0 || v > maxVal || n > maxValLen {
			t.Fatalf("run of %d registers of %d at %d", n, v, i)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func registers(t *testing.T, s []byte) *Union {
	t.Helper()
	u := new(Union)
	if err := u.Merge(s); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestHash holds the hash to the published MurmurHash64A, worked out by hand
// from its definition for the lengths that take different paths.
func TestHash(t *testing.T) {
	plain := func(p []byte, seed uint64) uint64 {
		const m = 0xc6a4a7935bd1e995
		h := seed ^ uint64(len(p))*m
		i := 0
		for ; i+8 <= len(p); i += 8 {
			var k uint64
			for j := 7; j >= 0; j-- {
				k = k<<8 + uint64(p[i+j])
			}
			k *= m
			k ^= k >> 47
			k *= m
			h ^= k
			h *= m
		}
		if i < len(p) {
			for j := i; j < len(p); j++ {
				h ^= uint64(p[j]) << (8 * (j - i))
			}
			h *= m
		}
		h ^= h >> 47
		h *= m
		h ^= h >> 47
		return h
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		if got, want := murmur64A(p, hashSeed), plain(p, hashSeed); got != want {
			t.Errorf("%x: %x, want %x", p, got, want)
		}
	}
	for range 10000 {
		var p [8]byte
		binary.LittleEndian.PutUint64(p[:], r.Uint64())
		if i, v := Hash(p[:]); i < 0 || i >= Registers || v < 1 || v > hashBits+1 {
			t.Fatalf("register %d, value %d", i, v)
		}
	}
}

// TestModel plays the same history on a sketch and on plain registers.
func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		limit := []int64{0, 30, 200, defaultSparse, 20000}[r.IntN(5)]
		space := 1 + r.IntN(Registers)
		var k Sketch
		k.LoadEmpty()
		var model Union
		wasDense := false
		for step := range 1500 {
			i, v := r.IntN(space), byte(1+r.IntN(1+r.IntN(5)))
			if r.IntN(400) == 0 {
				v = byte(1 + r.IntN(hashBits+1))
			}
			changed, err := k.Set(i, v, limit)
			if err != nil {
				t.Fatal(err)
			}
			if want := v > model[i]; changed != want {
				t.Fatalf("seed %d, step %d: changed is %v", seed, step, changed)
			}
			model[i] = max(model[i], v)
			if dense := IsDense(k.Bytes()); wasDense && !dense {
				t.Fatal("dense, then sparse")
			} else if !dense && int64(len(k.Bytes())) > max(limit, HeaderSize+2) {
				t.Fatalf("a sparse sketch of %d bytes", len(k.Bytes()))
			} else {
				wasDense = dense
			}
			if step%100 == 0 {
				check(t, k.Bytes())
				if *registers(t, k.Bytes()) != model {
					t.Fatalf("seed %d, step %d: registers differ", seed, step)
				}
				sparseCount, err := Count(k.Bytes())
				if err != nil || sparseCount != model.Count() {
					t.Fatalf("seed %d: %d, %v, want %d", seed, sparseCount, err, model.Count())
				}
			}
		}
		before := registers(t, k.Bytes())
		if err := k.ToDense(); err != nil {
			t.Fatal(err)
		}
		check(t, k.Bytes())
		if *registers(t, k.Bytes()) != *before {
			t.Fatal("ToDense changed a register")
		}
		for i, v := range before {
			if Register(k.Bytes(), i) != v {
				t.Fatalf("register %d is %d, want %d", i, Register(k.Bytes(), i), v)
			}
		}
	}
}

// TestEstimate: within four standard errors at every size, in either form.
func TestEstimate(t *testing.T) {
	var k Sketch
	k.LoadEmpty()
	next := 1
	for n := 1; n <= 1_000_000; n++ {
		if _, err := k.Add(fmt.Appendf(nil, "element:%d", n), defaultSparse); err != nil {
			t.Fatal(err)
		}
		if n != next {
			continue
		}
		next = next*3 + 1
		got, err := Count(k.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(float64(got) - float64(n)); off > math.Ceil(4*1.04/128*float64(n)) {
			t.Errorf("%d elements are estimated as %d", n, got)
		}
	}
	if !IsDense(k.Bytes()) {
		t.Error("still sparse")
	}
}

func TestCached(t *testing.T) {
	s := AppendEmpty(nil)
	if n, ok := Cached(s); n != 0 || !ok {
		t.Errorf("new: %d, %v", n, ok)
	}
	Invalidate(s)
	if _, ok := Cached(s); ok {
		t.Error("not out of date")
	}
	SetCached(s, 123456789012)
	if n, ok := Cached(s); n != 123456789012 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	var k Sketch
	k.Load(s)
	if _, err := k.Set(5, 1, defaultSparse); err != nil {
		t.Fatal(err)
	}
	if _, ok := Cached(k.Bytes()); ok {
		t.Error("a register rose and the estimate is not out of date")
	}
}

func TestDecoded(t *testing.T) {
	var k Sketch
	k.LoadEmpty()
	for _, i := range []int{5, 6, 9, 200} {
		if _, err := k.Set(i, 3, defaultSparse); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(AppendDecoded(nil, k.Bytes())), "z:5 v:3,2 z:2 v:3,1 Z:190 v:3,1 Z:16183"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestImpossibleRegisters: no estimate is as large as one of nothing but
// registers that no element makes.
func TestImpossibleRegisters(t *testing.T) {
	s := bytes.Repeat([]byte{0xff}, DenseSize)
	copy(s, "HYLL\x00")
	if n, err := Count(s); n != 1<<63 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNoAllocations(t *testing.T) {
	var k Sketch
	k.LoadEmpty()
	for i := range 300 {
		if _, err := k.Add(fmt.Appendf(nil, "%d", i), defaultSparse); err != nil {
			t.Fatal(err)
		}
	}
	s := bytes.Clone(k.Bytes())
	u := new(Union)
	elem := []byte("one more")
	if n := testing.AllocsPerRun(100, func() {
		k.Load(s)
		if _, err := k.Add(elem, defaultSparse); err != nil {
			t.Error(err)
		}
		if u.Merge(s) != nil || u.Count() == 0 {
			t.Error("no union")
		}
		if _, err := Count(s); err != nil {
			t.Error(err)
		}
		if err := k.ToDense(); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%.1f allocations", n)
	}
}

// FuzzCorrupt: whatever follows the header, nothing panics, nothing grows beyond
// its limit, and who calls a sketch corrupt agrees with the others.
func FuzzCorrupt(f *testing.F) {
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"), []byte("abc"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfd\x81\x7f"), []byte("x"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x80\x7f\xfd\x80\x80\x80"), []byte("12345678901"))
	f.Add([]byte("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f"), []byte(""))
	f.Add(AppendEmpty(nil), []byte{0xff})
	d := new(Sketch)
	d.LoadEmpty()
	if err := d.ToDense(); err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(d.Bytes()), []byte("z"))
	f.Fuzz(func(t *testing.T, s, elem []byte) {
		if !Valid(s) {
			return
		}
		u := new(Union)
		mergeErr := u.Merge(s)
		n, countErr := Count(s)
		if (mergeErr == nil) != (countErr == nil) {
			t.Fatalf("Merge says %v, Count says %v", mergeErr, countErr)
		}
		if mergeErr == nil && n != u.Count() {
			t.Fatalf("Count is %d, of the union %d", n, u.Count())
		}
		if !IsDense(s) {
			AppendDecoded(nil, s)
		}
		var k Sketch
		k.Load(s)
		i, v := Hash(elem)
		changed, err := k.Add(elem, defaultSparse)
		switch {
		case err != nil:
			if mergeErr == nil {
				t.Fatalf("Add: %v", err)
			}
			if !bytes.Equal(k.Bytes(), s) {
				t.Fatal("a failed Add changed the sketch")
			}
		case mergeErr == nil:
			if changed != (v > u[i]) {
				t.Fatalf("register %d was %d, %d is new, changed is %v", i, u[i], v, changed)
			}
			u[i] = max(u[i], v)
			after := new(Union)
			if err := after.Merge(k.Bytes()); err != nil || *after != *u {
				t.Fatalf("registers differ after Add: %v", err)
			}
		}
		k.Load(s)
		if err := k.ToDense(); (err == nil) != (mergeErr == nil) {
			t.Fatalf("ToDense says %v, Merge says %v", err, mergeErr)
		}
	})
}
