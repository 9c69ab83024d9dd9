package numeric

import "math/bits"

// number is the text of a floating point number taken apart: sign, then infinity, or
//
//	decimal  mant * 10^exp   more: digits that are not zero were left out behind mant (19 digits are kept)
//	hex      (mant:low) * 2^exp   more: likewise behind low (31 digits are kept)
type number struct {
	mant, low uint64
	exp       int
	neg       bool
	inf       bool
	hex       bool
	more      bool
	digits    []byte // decimal: the digits and the point, for who needs all of them
}

// scanLimit bounds the exponents that are told apart; beyond it everything is infinite or zero.
const scanLimit = 1 << 40

// scan takes apart what C's strtod accepts without leading blanks and without anything behind it: decimal and
// hexadecimal numbers, "inf" and "infinity" in any case. "nan" is refused: nothing in Redis takes it.
func scan(b []byte) (n number, ok bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return n, false
	}
	if c := b[0] | 0x20; c == 'i' {
		n.inf = foldEqual(b, "inf") || foldEqual(b, "infinity")
		return n, n.inf
	}
	if b[0] == '0' && len(b) > 1 && b[1]|0x20 == 'x' {
		n.hex = true
		return n, n.scanHex(b[2:])
	}
	return n, n.scanDecimal(b)
}

func (n *number) scanDecimal(b []byte) bool {
	i, kept, dropped, frac := 0, 0, 0, 0
	seen, point := false, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		d := c - '0'
		if d > 9 {
			break
		}
		seen = true
		if point {
			frac++
		}
		switch {
		case kept < 19:
			n.mant = n.mant*10 + uint64(d)
			if n.mant != 0 {
				kept++
			}
		default:
			dropped++
			n.more = n.more || d != 0
		}
	}
	if !seen {
		return false
	}
	n.digits = b[:i]
	exp, ok := scanExponent(b[i:], 'e')
	n.exp = exp - frac + dropped
	return ok
}

func (n *number) scanHex(b []byte) bool {
	i, kept, dropped, frac := 0, 0, 0, 0
	seen, point := false, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		d := hexDigit(c)
		if d > 15 {
			break
		}
		seen = true
		if point {
			frac++
		}
		if kept < 31 {
			n.mant = n.mant<<4 | n.low>>60
			n.low = n.low<<4 | uint64(d)
			if n.mant|n.low != 0 {
				kept++
			}
		} else {
			dropped++
			n.more = n.more || d != 0
		}
	}
	if !seen {
		return false
	}
	exp, ok := scanExponent(b[i:], 'p')
	n.exp = exp + 4*(dropped-frac)
	return ok
}

// scanExponent parses an optional exponent that takes all of b.
func scanExponent(b []byte, mark byte) (int, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0]|0x20 != mark {
		return 0, false
	}
	b = b[1:]
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	exp := 0
	for _, c := range b {
		d := int(c - '0')
		if d > 9 {
			return 0, false
		}
		if exp < scanLimit {
			exp = exp*10 + d
		}
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// zero tells whether every digit is zero.
func (n *number) zero() bool { return n.mant|n.low == 0 && !n.more }

func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// foldEqual compares b with a lower-case word, without regard to case.
func foldEqual(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if b[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// shiftRight shifts a 128-bit number to the right and tells whether a bit that was set has fallen off.
func shiftRight(hi, lo uint64, n uint) (uint64, uint64, bool) {
	switch {
	case n == 0:
		return hi, lo, false
	case n < 64:
		return hi >> n, lo>>n | hi<<(64-n), lo<<(64-n) != 0
	case n == 64:
		return 0, hi, lo != 0
	case n < 128:
		return 0, hi >> (n - 64), lo != 0 || hi<<(128-n) != 0
	}
	return 0, 0, hi|lo != 0
}

// normalize shifts a 128-bit number other than zero to the left until its highest bit is set.
func normalize(hi, lo uint64) (uint64, uint64, int) {
	shift := 0
	if hi == 0 {
		hi, lo, shift = lo, 0, 64
	}
	if z := bits.LeadingZeros64(hi); z > 0 {
		hi, lo, shift = hi<<z|lo>>(64-z), lo<<z, shift+z
	}
	return hi, lo, shift
}
