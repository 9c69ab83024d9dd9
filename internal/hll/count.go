package hll

import (
	"encoding/binary"
	"math"
)

// histogram says how many registers hold which value. Only 0 to 51 occur in what
// Set makes.
type histogram [registerMax + 1]int

// Count estimates how many different elements a valid sketch has seen. It reads
// the registers, not the cached estimate.
func Count(s []byte) (uint64, error) {
	var h histogram
	if IsDense(s) {
		h.addDense(s[HeaderSize:])
		return h.estimate(), nil
	}
	p := s[HeaderSize:]
	total := 0
	for i := 0; i < len(p); {
		r := runAt(p, i)
		h[r.value] += r.n
		total += r.n
		i += r.size
	}
	if total != Registers {
		return 0, ErrCorrupt
	}
	return h.estimate(), nil
}

// addDense counts dense registers, four in three bytes.
func (h *histogram) addDense(regs []byte) {
	for i := 0; i+6 <= len(regs); i += 6 {
		w := uint64(binary.LittleEndian.Uint32(regs[i:])) | uint64(binary.LittleEndian.Uint16(regs[i+4:]))<<32
		h[w&registerMax]++
		h[w>>6&registerMax]++
		h[w>>12&registerMax]++
		h[w>>18&registerMax]++
		h[w>>24&registerMax]++
		h[w>>30&registerMax]++
		h[w>>36&registerMax]++
		h[w>>42&registerMax]++
	}
}

// estimate is Ertl's improved raw estimator (algorithm 6 of his paper). Products
// are rounded before they are added, so that no machine fuses the two and every
// one comes to the same number.
func (h *histogram) estimate() uint64 {
	const (
		m        = float64(Registers)
		alphaInf = 0.721347520444481703680 // 1 / (2 ln 2)
	)
	z := m * tau((m-float64(h[hashBits+1]))/m)
	for j := hashBits; j >= 1; j-- {
		z += float64(h[j])
		z *= 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	e := math.Round(alphaInf * m * m / z)
	if e >= 1<<63 {
		// Registers that no element can produce: what the conversion of an
		// infinite number gives in C on the usual machines.
		return 1 << 63
	}
	return uint64(e)
}

// sigma is the sum over k of x^(2^k) 2^(k-1), plus x.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += float64(x * y)
		y += y
		if z == last {
			return z
		}
	}
}

// tau is (1 - x - the sum over k of (1-x^(2^-k))^2 2^-k) / 3.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == last {
			return z / 3
		}
	}
}

// Union is the registers of the union of several sketches, a byte each.
type Union [Registers]byte

// Merge raises the registers to those of a valid sketch. After ErrCorrupt some of
// them may have been raised.
func (u *Union) Merge(s []byte) error {
	if IsDense(s) {
		u.mergeDense(s[HeaderSize:])
		return nil
	}
	return eachRun(s, func(i, n int, v byte) {
		for j, old := range u[i : i+n] {
			u[i+j] = max(old, v)
		}
	})
}

func (u *Union) mergeDense(regs []byte) {
	for i, j := 0, 0; i+6 <= len(regs); i, j = i+6, j+8 {
		w := uint64(binary.LittleEndian.Uint32(regs[i:])) | uint64(binary.LittleEndian.Uint16(regs[i+4:]))<<32
		out := u[j : j+8 : j+8]
		for b := range out {
			out[b] = max(out[b], byte(w&registerMax))
			w >>= registerBits
		}
	}
}

// Count estimates how many different elements the sketches have seen together.
func (u *Union) Count() uint64 {
	var h histogram
	for _, v := range u {
		h[v&registerMax]++
	}
	return h.estimate()
}
