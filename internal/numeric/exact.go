package numeric

import (
	"bytes"
	"math"
	"math/big"
)

// maxDigits is how many digits can matter: the longest decimal that lies exactly between two long doubles has some
// 11,500. What stands behind them only breaks such a tie, for which any digit will do.
const maxDigits = 12000

// exact converts a decimal number with many digits or a large exponent to binary by exact division of big integers:
//
//	value = (hi:lo) * 2^(exp-64), cut off   more: the rest is not zero
//
// with at least 127 significant bits. ok is false when the number is beyond the range of long double either way; the
// cost is therefore bounded whatever the text.
func (n *number) exact() (hi, lo uint64, exp int, more, ok bool) {
	digits := make([]byte, 0, len(n.digits))
	for _, c := range n.digits {
		if c != '.' && (c != '0' || len(digits) > 0) {
			digits = append(digits, c)
		}
	}
	// n.exp belongs to the 19 digits that mant keeps at most. The exponent behind all of them is lower.
	exp10 := n.exp - max(0, len(digits)-19)
	if extra := len(digits) - maxDigits; extra > 0 {
		rest := digits[maxDigits:]
		digits, exp10 = digits[:maxDigits], exp10+extra
		if len(bytes.Trim(rest, "0")) > 0 {
			digits, exp10 = append(digits, '1'), exp10-1
		}
	}
	if exp10+len(digits) > 5000 || exp10+len(digits) < -5000 {
		return 0, 0, 0, false, false // the range is 10^-4951 to 10^4932
	}
	num, _ := new(big.Int).SetString(string(digits), 10)
	den := big.NewInt(1)
	// The power of five is multiplied out, the power of two goes into the exponent.
	five := new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(max(exp10, -exp10))), nil)
	if exp10 >= 0 {
		num.Mul(num, five)
	} else {
		den = five
	}
	// Scale so that the quotient has 127 or 128 bits.
	shift := 127 - (num.BitLen() - den.BitLen())
	if shift >= 0 {
		num.Lsh(num, uint(shift))
	} else {
		den.Lsh(den, uint(-shift))
	}
	quo, rem := new(big.Int).QuoRem(num, den, new(big.Int))
	lo = new(big.Int).And(quo, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	hi = quo.Rsh(quo, 64).Uint64()
	return hi, lo, exp10 - shift + 64, rem.Sign() != 0, true
}
