package digest

import (
	"math"
	"math/big"
	"math/bits"
)

// Redis 7.2 and later print scores with Grisu2 (Florian Loitsch, "Printing
// Floating-Point Numbers Quickly and Accurately with Integers", 2010), whose
// digits always read back as the same number but, for about one number in a
// thousand, are not the shortest such digits. strconv always gives the shortest,
// so a digest that must agree needs the algorithm itself.
//
// The number and the middles to its neighbours, each a 64-bit significand and a
// binary exponent, are multiplied by a power of ten that brings the exponent
// into [-60, -32], where the integer part can be split off with shifts. Digits
// are then produced until the rest falls within the interval.

const (
	firstPower = -348
	powerStep  = 8
	powerCount = 87
	minExp     = -60
	maxExp     = -32
)

// extFloat is frac * 2^exp.
type extFloat struct {
	frac uint64
	exp  int
}

// powers are 10^-348, 10^-340 … 10^340, rounded to 64 bits.
var powers = makePowers()

func makePowers() (p [powerCount]extFloat) {
	ten := big.NewInt(10)
	for i := range p {
		k := firstPower + i*powerStep
		f := new(big.Float).SetPrec(1500)
		f.SetInt(new(big.Int).Exp(ten, big.NewInt(int64(max(k, -k))), nil))
		if k < 0 {
			f.Quo(big.NewFloat(1).SetPrec(1500), f)
		}
		f.SetMode(big.ToNearestEven).SetPrec(64)
		exp := f.MantExp(f) - 64
		frac, _ := f.SetMantExp(f, 64).Uint64()
		p[i] = extFloat{frac, exp}
	}
	return p
}

// powerFor returns the power with which a number of binary exponent exp comes
// into range, and its decimal exponent.
func powerFor(exp int) (extFloat, int) {
	i := (int(-float64(exp+powerCount)*0.30102999566398114) - firstPower) / powerStep
	for {
		switch e := exp + powers[i].exp + 64; {
		case e < minExp:
			i++
		case e > maxExp:
			i--
		default:
			return powers[i], firstPower + i*powerStep
		}
	}
}

func (a extFloat) mul(b extFloat) extFloat {
	hi, lo := bits.Mul64(a.frac, b.frac)
	return extFloat{hi + lo>>63, a.exp + b.exp + 64} // rounded to nearest
}

func (a extFloat) normal() extFloat {
	s := bits.LeadingZeros64(a.frac)
	return extFloat{a.frac << s, a.exp - s}
}

// grisu2 returns the digits of f > 0 and the decimal exponent of the last one.
func grisu2(dst []byte, f float64) (digits []byte, exp10 int) {
	u := math.Float64bits(f)
	w := extFloat{u & (1<<52 - 1), int(u >> 52 & 0x7ff)}
	if w.exp != 0 {
		w.frac |= 1 << 52
		w.exp -= 1075
	} else {
		w.exp = -1074
	}
	upper := extFloat{w.frac<<1 + 1, w.exp - 1}.normal()
	lower := extFloat{w.frac<<1 - 1, w.exp - 1}
	if w.frac == 1<<52 {
		// Below a power of two the neighbour is only half as far away.
		lower = extFloat{w.frac<<2 - 1, w.exp - 2}
	}
	lower = extFloat{lower.frac << (lower.exp - upper.exp), upper.exp}
	power, k := powerFor(upper.exp)
	w, upper, lower = w.normal().mul(power), upper.mul(power), lower.mul(power)
	// The products may be off by one: stay inside of the interval.
	lower.frac++
	upper.frac--
	exp10 = -k

	delta := upper.frac - lower.frac
	toW := upper.frac - w.frac
	shift := -upper.exp
	one := uint64(1) << shift
	whole, rest := upper.frac>>shift, upper.frac&(one-1)
	start := len(dst)
	for kappa, div := 10, uint64(1_000_000_000); kappa > 0; div /= 10 {
		d := whole / div
		if d != 0 || len(dst) > start {
			dst = append(dst, '0'+byte(d))
		}
		whole -= d * div
		kappa--
		if left := whole<<shift + rest; left <= delta {
			round(dst, delta, left, div<<shift, toW)
			return dst, exp10 + kappa
		}
	}
	for unit := uint64(10); ; unit *= 10 {
		rest *= 10
		delta *= 10
		exp10--
		d := rest >> shift
		if d != 0 || len(dst) > start {
			dst = append(dst, '0'+byte(d))
		}
		rest &= one - 1
		if rest < delta {
			round(dst, delta, rest, one, toW*unit)
			return dst, exp10
		}
	}
}

// round lowers the last digit while that brings the number closer to the real
// one.
func round(digits []byte, delta, left, step, toW uint64) {
	for left < toW && delta-left >= step && (left+step < toW || toW-left > left+step-toW) {
		digits[len(digits)-1]--
		left += step
	}
}
