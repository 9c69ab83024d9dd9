package geo

import "math"

// Sine, cosine and arcsine, rounded correctly.
//
// GEOSEARCHSTORE with STOREDIST stores distances, and a replica that executes it
// must store what its master stored. The master's come from glibc, whose results
// are the correctly rounded ones in all but three cases in ten thousand; Go's math
// package is off by a bit in five to thirty of a hundred. So these are computed with
// twice the precision, in pairs of numbers whose sum is the value
// (double-double arithmetic: Dekker 1971; Knuth's two-sum), and rounded once.

// dd is hi + lo, |lo| at most half a unit in the last place of hi.
type dd struct{ hi, lo float64 }

func quickSum(a, b float64) dd {
	s := a + b
	return dd{s, b - (s - a)}
}

func sum(a, b float64) dd {
	s := a + b
	t := s - a
	return dd{s, (a - (s - t)) + (b - t)}
}

func product(a, b float64) dd {
	p := a * b
	return dd{p, math.FMA(a, b, -p)}
}

func (x dd) add(y dd) dd {
	s, t := sum(x.hi, y.hi), sum(x.lo, y.lo)
	s = quickSum(s.hi, s.lo+t.hi)
	return quickSum(s.hi, s.lo+t.lo)
}

func (x dd) mul(y dd) dd {
	p := product(x.hi, y.hi)
	p.lo += float64(x.hi*y.lo) + float64(x.lo*y.hi)
	return quickSum(p.hi, p.lo)
}

func (x dd) neg() dd { return dd{-x.hi, -x.lo} }

// recip is 1/n! for n from 2 on, as pairs.
var recip = func() (t [30]dd) {
	f := dd{1, 0}
	for n := range t {
		// Division of a pair by a small integer: one step of long division.
		d := float64(n + 1)
		q := f.hi / d
		r := f.add(product(q, d).neg())
		f = quickSum(q, (r.hi+r.lo)/d)
		t[n] = f
	}
	return t
}()

// sincos is the sine and cosine of |x| < 4.
func sincos(x float64) (s, c dd) {
	// Pi/2 in three parts.
	const p1, p2, p3 = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33
	k := math.RoundToEven(x / p1)
	r := product(-k, p1).add(dd{x, 0}).add(product(-k, p2)).add(dd{-k * p3, 0})
	// Taylor series by Horner's rule; |r| is at most Pi/4.
	z := r.mul(r).neg()
	s, c = dd{}, dd{}
	for n := 28; n >= 2; n -= 2 {
		c = c.add(recip[n-1]).mul(z) // 1/n!
		s = s.add(recip[n]).mul(z)   // 1/(n+1)!
	}
	// c is now z/2! + z²/4! …, and s is z/3! + z²/5! …; with the sign in z.
	c = c.add(dd{1, 0})
	s = s.mul(r).add(r)
	switch int(k) & 3 {
	case 1:
		return c, s.neg()
	case 2:
		return s.neg(), c.neg()
	case 3:
		return c.neg(), s
	}
	return s, c
}

func sin(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		// x - x³/6, which is x for the smallest.
		return x - x*x*x/6
	}
	s, _ := sincos(x)
	return s.hi + s.lo
}

func cos(x float64) float64 {
	_, c := sincos(x)
	return c.hi + c.lo
}

// asin is the arcsine of 0 <= x <= 1; Newton's step on the sine corrects what the
// math package gives.
func asin(x float64) float64 {
	y := math.Asin(x)
	if x < 1e-9 || y != y {
		return y
	}
	s, c := sincos(y)
	if c.hi == 0 {
		return y
	}
	d := dd{x, 0}.add(s.neg())
	return y + (d.hi+d.lo)/c.hi
}
