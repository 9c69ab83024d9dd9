package numeric

import (
	"math"
	"strconv"
	"unsafe"
)

// ParseFloat parses a double as Redis's string2d does, by which every score and coordinate is read: what C's strtod
// accepts ("1", "+1.5e3", ".5", "0x1.8p1", "inf", "-Infinity") and nothing around it. Refused are "nan", blanks, an
// overflow to infinity and an underflow to zero.
func ParseFloat(b []byte) (float64, bool) {
	n, ok := scan(b)
	if !ok {
		return 0, false
	}
	var f float64
	switch {
	case n.inf:
		f = math.Inf(1)
	case n.zero():
	case n.hex:
		if n.exp > scanLimit || n.exp < -scanLimit {
			return 0, false
		}
		if f, ok = roundDouble(n.mant, n.low, n.exp+64, n.more); !ok {
			return 0, false
		}
	case n.exp == 0 && n.mant <= 1<<53 && !n.more:
		f = float64(n.mant)
	default:
		if f, ok = n.decimalDouble(b); !ok {
			return 0, false
		}
	}
	if n.neg {
		f = -f
	}
	return f, true
}

// maxStrconv is the number of digits up to which strconv rounds correctly: it keeps 800 and miscounts what it drops.
const maxStrconv = 700

// decimalDouble rounds a decimal number other than zero.
func (n *number) decimalDouble(b []byte) (float64, bool) {
	if n.exp > scanLimit || n.exp < -scanLimit {
		return 0, false
	}
	if n.more && len(n.digits) > maxStrconv {
		hi, lo, exp, more, ok := n.exact()
		if !ok {
			return 0, false
		}
		return roundDouble(hi, lo, exp, more)
	}
	var buf [48]byte
	if !n.more {
		// In canonical form, since strconv does not read very long exponents to their end.
		b = strconv.AppendUint(buf[:0], n.mant, 10)
		b = append(b, 'e')
		b = strconv.AppendInt(b, int64(n.exp), 10)
	} else if b[0] == '-' {
		b = b[1:]
	}
	f, err := strconv.ParseFloat(unsafe.String(&b[0], len(b)), 64)
	return f, err == nil && f != 0
}

// roundDouble rounds (hi:lo) * 2^(exp-64), which is not zero, to 53 bits, or fewer below the normal range, half to
// even. more stands for a nonzero rest below lo. It refuses infinity and zero.
func roundDouble(hi, lo uint64, exp int, more bool) (float64, bool) {
	hi, lo, shift := normalize(hi, lo)
	exp -= shift
	if exp > 1024 || exp < -1200 {
		return 0, false
	}
	// The lowest bit that stays has the exponent exp+cut, at least that of the least subnormal number.
	cut := max(11, -1074-exp)
	if cut > 65 {
		return 0, false
	}
	top, rest, lost := shiftRight(hi, lo, uint(cut))
	if rest > 1<<63 || rest == 1<<63 && (lost || more || top&1 == 1) {
		top++
	}
	f := math.Ldexp(float64(top), exp+cut)
	return f, f != 0 && !math.IsInf(f, 0)
}

// AppendDouble17g appends f as C's printf("%.17g") writes it: 17 significant digits without trailing zeros, an
// exponent of at least two digits when it is below -4 or above 16. Infinities are "inf" and "-inf", a NaN is "nan"
// or "-nan" by its sign bit, as glibc has them.
func AppendDouble17g(dst []byte, f float64) []byte {
	if n := int64(f); float64(n) == f && n > -1e15 && n < 1e15 && (n != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, n, 10)
	}
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, "nan"...)
	}
	// For 17 digits Go's %g follows C's rules to the letter; only its infinities and NaN differ.
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}

// AppendDouble appends f as Redis's d2string does, which writes scores into listpacks and replication: integers of up
// to half the range of int64 with all their digits, anything else as AppendDouble17g. A NaN is "nan" whatever its sign.
func AppendDouble(dst []byte, f float64) []byte {
	if f != f {
		return append(dst, "nan"...)
	}
	if n, ok := DoubleToInt(f); ok && (n != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, n, 10)
	}
	return AppendDouble17g(dst, f)
}

// DoubleToInt returns f as an int64 when it is an integer within half the range of int64 (Redis's double2ll). Such
// scores are stored as integers; the sign of zero is lost.
func DoubleToInt(f float64) (int64, bool) {
	const half = float64(math.MaxInt64 / 2)
	if !(f >= -half && f <= half) {
		return 0, false
	}
	n := int64(f)
	return n, float64(n) == f
}

// AppendFixed appends f with a fixed number of decimals, 1 to 17, as Redis's fixedpoint_d2string does for distances:
// f times the power of ten is rounded to an integer, half to even, and that is printed. A product beyond the range of
// int64 gives the least int64, as on x86-64.
func AppendFixed(dst []byte, f float64, decimals int) []byte {
	if decimals < 1 || decimals > 17 {
		panic("numeric: AppendFixed with " + strconv.Itoa(decimals) + " decimals")
	}
	scaled := math.RoundToEven(f * pow10[decimals])
	n := int64(math.MinInt64)
	if scaled > -1<<63 && scaled < 1<<63 {
		n = int64(scaled)
	}
	v := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		v = -v
	}
	var buf [20]byte
	digits := strconv.AppendUint(buf[:0], v, 10)
	for len(digits) <= decimals {
		digits = append(digits, 0)
		copy(digits[1:], digits)
		digits[0] = '0'
	}
	dst = append(dst, digits[:len(digits)-decimals]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-decimals:]...)
}

var pow10 = [18]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17}
