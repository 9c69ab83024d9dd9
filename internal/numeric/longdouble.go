package numeric

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// LongDouble is a number in the 80-bit extended format of the x87, C's long double on x86-64:
//
//	value = (-1)^neg * mant * 2^exp
//
//	mant  64 bits, the highest one set (normal numbers); below it only when exp == ldMinExp (subnormal numbers)
//	exp   ldMinExp .. ldMaxExp
//
// Operations round to the nearest, half to even, as the hardware does.
type LongDouble struct {
	mant uint64
	exp  int32
	neg  bool
	inf  bool
}

const (
	ldMinExp = -16445 // of the least subnormal number
	ldMaxExp = 16320  // 16383 - 63
	// ldMaxText is Redis's limit: text of this many bytes is refused.
	ldMaxText = 5 * 1024
	// ldDecimals is how many decimals Redis prints at most.
	ldDecimals = 17
)

// ErrIncrement is the error of INCRBYFLOAT and HINCRBYFLOAT when the sum is no finite number.
var ErrIncrement = errors.New("increment would produce NaN or Infinity")

// LongDoubleFrom returns f, which is exact. A NaN has no counterpart and becomes infinity.
func LongDoubleFrom(f float64) LongDouble {
	neg := math.Signbit(f)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return LongDouble{neg: neg, inf: true}
	}
	frac, exp := math.Frexp(math.Abs(f))
	ld, _ := roundLD(neg, uint64(frac*(1<<53)), 0, exp-53, false)
	return ld
}

// roundLD makes a LongDouble of (hi:lo) * 2^(exp-64), where more stands for a nonzero rest below lo. An overflow gives
// infinity and false.
func roundLD(neg bool, hi, lo uint64, exp int, more bool) (LongDouble, bool) {
	if hi|lo == 0 {
		return LongDouble{neg: neg}, true // a lone rest is below half the least number: callers keep 64 bits above it
	}
	hi, lo, shift := normalize(hi, lo)
	exp -= shift
	if exp < ldMinExp {
		var lost bool
		hi, lo, lost = shiftRight(hi, lo, uint(ldMinExp-exp))
		more = more || lost
		exp = ldMinExp
	}
	if lo > 1<<63 || lo == 1<<63 && (more || hi&1 == 1) {
		if hi++; hi == 0 {
			hi = 1 << 63
			exp++
		}
	}
	if exp > ldMaxExp {
		return LongDouble{neg: neg, inf: true}, false
	}
	return LongDouble{mant: hi, exp: int32(exp), neg: neg}, true
}

// ParseLongDouble parses a long double as Redis's string2ld does: the rules of ParseFloat, at most 5119 bytes.
func ParseLongDouble(b []byte) (LongDouble, bool) {
	if len(b) >= ldMaxText {
		return LongDouble{}, false
	}
	n, ok := scan(b)
	if !ok {
		return LongDouble{}, false
	}
	if n.inf {
		return LongDouble{neg: n.neg, inf: true}, true
	}
	if n.zero() {
		return LongDouble{neg: n.neg}, true
	}
	var ld LongDouble
	switch {
	case n.exp > scanLimit || n.exp < -scanLimit:
		return LongDouble{}, false
	case n.hex:
		// The value is below 2^(128+exp), and at least 2^exp.
		if n.exp > 20000 || n.exp < -20000 {
			return LongDouble{}, false
		}
		ld, ok = roundLD(n.neg, n.mant, n.low, n.exp+64, n.more)
	case !n.more && n.exp >= 0 && n.exp <= 27:
		// 5^27 is the highest power of five within 64 bits: the product is exact in 128.
		hi, lo := bits.Mul64(n.mant, pow5[n.exp])
		ld, ok = roundLD(n.neg, hi, lo, n.exp+64, false)
	case !n.more && n.exp < 0 && n.exp >= -27:
		ld, ok = divideLD(n.neg, n.mant, pow5[-n.exp], n.exp)
	default:
		var hi, lo uint64
		var exp int
		var more bool
		if hi, lo, exp, more, ok = n.exact(); ok {
			ld, ok = roundLD(n.neg, hi, lo, exp, more)
		}
	}
	return ld, ok && (ld.mant != 0 || ld.inf)
}

// divideLD returns mant / div * 2^exp. Two divisions give 128 bits of the quotient, the remainder the rest.
func divideLD(neg bool, mant, div uint64, exp int) (LongDouble, bool) {
	zm, zd := bits.LeadingZeros64(mant), bits.LeadingZeros64(div)
	mant, div = mant<<zm, div<<zd
	exp += zd - zm
	// The quotient of two normalized numbers is within (1/2, 2): mant is halved so that it is below one.
	q1, rem := bits.Div64(mant>>1, mant<<63, div)
	q0, rem := bits.Div64(rem, 0, div)
	return roundLD(neg, q1, q0, exp-63, rem != 0)
}

// IsFinite tells whether the number is not infinite.
func (a LongDouble) IsFinite() bool { return !a.inf }

// Add returns a + b. ok is false when the sum is infinite or not a number.
func (a LongDouble) Add(b LongDouble) (sum LongDouble, ok bool) {
	if a.inf || b.inf {
		return LongDouble{inf: true}, false
	}
	if a.mant == 0 {
		return b, true
	}
	if b.mant == 0 {
		return a, true
	}
	// Subnormal numbers are normalized for the while; roundLD undoes it.
	am, ae := normal(a)
	bm, be := normal(b)
	if ae < be || ae == be && am < bm {
		a, b = b, a
		am, ae, bm, be = bm, be, am, ae
	}
	// 128-bit operands, a bit below the top so that the sum has room.
	xh, xl := am>>1, am<<63
	yh, yl, more := shiftRight(bm, 0, uint(min(ae-be, 200))+1)
	if a.neg == b.neg {
		lo, c := bits.Add64(xl, yl, 0)
		hi, _ := bits.Add64(xh, yh, c)
		return roundLD(a.neg, hi, lo, ae+1, more)
	}
	// A rest below y makes the difference smaller by less than its last bit.
	borrow := uint64(0)
	if more {
		borrow = 1
	}
	lo, c := bits.Sub64(xl, yl, borrow)
	hi, _ := bits.Sub64(xh, yh, c)
	return roundLD(a.neg && hi|lo != 0, hi, lo, ae+1, more)
}

func normal(a LongDouble) (mant uint64, exp int) {
	z := bits.LeadingZeros64(a.mant)
	return a.mant << z, int(a.exp) - z
}

// AppendHuman appends the number as Redis's ld2string does in its human mode, which INCRBYFLOAT, HINCRBYFLOAT and
// GEOPOS use: all digits before the point, up to 17 behind it, rounded half to even, without trailing zeros and never
// in exponential form. Minus zero is "0".
func (a LongDouble) AppendHuman(dst []byte) []byte {
	if a.inf {
		if a.neg {
			dst = append(dst, '-')
		}
		return append(dst, "inf"...)
	}
	if a.mant == 0 {
		return append(dst, '0')
	}
	start := len(dst)
	if a.neg {
		dst = append(dst, '-')
	}
	if a.exp >= 0 {
		return appendLarge(dst, a)
	}
	// Split at the binary point: at most 64 bits before it, the fraction of k bits behind it.
	k := uint(-a.exp)
	whole, frac := uint64(0), a.mant
	if k < 64 {
		whole, frac = a.mant>>k, a.mant&(1<<k-1)
	}
	// frac * 10^17 / 2^k, rounded. The product has at most 121 bits.
	hi, lo := bits.Mul64(frac, 1e17)
	_, dec, _ := shiftRight(hi, lo, k)
	if k <= 128 {
		// What was shifted off, as a fraction of 2^k, against one half.
		_, half, below := shiftRight(hi, lo, k-1)
		if half&1 == 1 && (below || dec&1 == 1) {
			dec++
		}
	}
	if dec == 1e17 {
		whole, dec = whole+1, 0
	}
	if whole == 0 && dec == 0 {
		return append(dst[:start], '0')
	}
	dst = strconv.AppendUint(dst, whole, 10)
	if dec == 0 {
		return dst
	}
	var digits [ldDecimals + 1]byte
	n := ldDecimals
	for i := ldDecimals; i > 0; i-- {
		digits[i] = '0' + byte(dec%10)
		dec /= 10
	}
	for digits[n] == '0' {
		n--
	}
	digits[0] = '.'
	return append(dst, digits[:n+1]...)
}

// appendLarge appends an integer of 64 bits or more.
func appendLarge(dst []byte, a LongDouble) []byte {
	if a.exp == 0 {
		return strconv.AppendUint(dst, a.mant, 10)
	}
	if a.exp < 64 {
		// Up to 128 bits, 39 digits: two divisions by 10^19 take them apart.
		hi, lo := a.mant>>(64-a.exp), a.mant<<a.exp
		q1, r := hi/1e19, hi%1e19
		q0, low := bits.Div64(r, lo, 1e19)
		if q1 == 0 {
			if q0 != 0 {
				dst = strconv.AppendUint(dst, q0, 10)
				return appendPadded(dst, low)
			}
			return strconv.AppendUint(dst, low, 10)
		}
		top, mid := bits.Div64(q1, q0, 1e19)
		if top != 0 {
			dst = strconv.AppendUint(dst, top, 10)
			dst = appendPadded(dst, mid)
		} else {
			dst = strconv.AppendUint(dst, mid, 10)
		}
		return appendPadded(dst, low)
	}
	n := new(big.Int).SetUint64(a.mant)
	return n.Lsh(n, uint(a.exp)).Append(dst, 10)
}

// appendPadded appends n with leading zeros, 19 digits in all.
func appendPadded(dst []byte, n uint64) []byte {
	for p := uint64(1e18); p > 1 && n < p; p /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 10)
}

// AppendIncr appends the text of cur + incr as INCRBYFLOAT stores and replies it. The error is ErrIncrement when the
// sum is no finite number; dst is returned unchanged then.
func AppendIncr(dst []byte, cur, incr LongDouble) ([]byte, error) {
	sum, ok := cur.Add(incr)
	if !ok {
		return dst, ErrIncrement
	}
	return sum.AppendHuman(dst), nil
}

// pow5 holds the powers of five that fit 64 bits.
var pow5 = func() (t [28]uint64) {
	t[0] = 1
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * 5
	}
	return t
}()
