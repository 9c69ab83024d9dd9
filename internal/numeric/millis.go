package numeric

import "math/bits"

// CeilMillis returns a number of seconds in milliseconds, rounded up as Redis
// rounds a timeout: the product is rounded to a long double first. ok is false
// when it is beyond an int64.
func (a LongDouble) CeilMillis() (ms int64, ok bool) {
	if a.inf {
		return 0, false
	}
	if a.mant == 0 {
		return 0, true
	}
	hi, lo := bits.Mul64(a.mant, 1000)
	p, ok := roundLD(a.neg, hi, lo, int(a.exp)+64, false)
	if !ok || p.inf {
		return 0, false
	}
	n, exp := p.mant, int(p.exp)
	switch {
	case n == 0:
		return 0, true
	case exp > 0:
		if bits.Len64(n)+exp > 63 {
			return 0, false
		}
		n <<= exp
	case exp < 0:
		// A negative number is rounded towards zero.
		rest := exp <= -64 || n<<(64+exp) != 0
		if exp <= -64 {
			n = 0
		} else {
			n >>= -exp
		}
		if rest && !p.neg {
			n++
		}
	}
	if n > 1<<63-1 {
		return 0, false
	}
	if p.neg {
		return -int64(n), true
	}
	return int64(n), true
}
