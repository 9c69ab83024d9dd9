package numeric

import (
	"math"
	"strconv"
)

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
