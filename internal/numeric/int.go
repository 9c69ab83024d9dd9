package numeric

import (
	"bytes"
	"math"
	"strconv"
)

// ParseInt parses a decimal int64 by the rules of Redis's string2ll: an optional minus sign, digits without leading
// zeros, nothing else. "-0", "+1", " 1" and "" are refused. What it accepts, AppendInt writes back unchanged.
func ParseInt(b []byte) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	v := uint64(b[0] - '0')
	if v-1 > 8 {
		return 0, v == 0 && len(b) == 1 && !neg
	}
	for _, c := range b[1:] {
		d := uint64(c - '0')
		if d > 9 {
			return 0, false
		}
		v = v*10 + d // 19 digits fit an uint64
	}
	if neg {
		return -int64(v), v <= 1<<63
	}
	return int64(v), v <= math.MaxInt64
}

// AppendInt appends n in decimal.
func AppendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// ParseUint parses an uint64 as Redis's string2ull does for the parts of stream IDs: what ParseInt accepts, unless it
// is negative; else what C's strtoull accepts: blanks, a sign and leading zeros. A negative number that only strtoull
// understands ("-01") wraps around, as it does there. A NUL byte ends the text.
func ParseUint(b []byte) (uint64, bool) {
	b = cString(b)
	if n, ok := ParseInt(b); ok {
		return uint64(n), n >= 0
	}
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return strtoull(b)
}

// ParseCursor parses the cursor of SCAN and its kin as Redis does, with strtoul: like ParseUint, but blanks are refused,
// every negative number wraps around, and no text at all is 0.
func ParseCursor(b []byte) (uint64, bool) {
	b = cString(b)
	if len(b) == 0 {
		return 0, true
	}
	return strtoull(b)
}

// strtoull parses an optional sign and digits.
func strtoull(b []byte) (uint64, bool) {
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || v > math.MaxUint64/10 || v*10 > math.MaxUint64-d {
			return 0, false
		}
		v = v*10 + d
	}
	if neg {
		v = -v
	}
	return v, true
}

// cString cuts b at its first NUL byte.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// isSpace is the C locale's isspace.
func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }
