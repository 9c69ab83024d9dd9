package config

import (
	"math"
	"strconv"
	"strings"
)

// ParseInt reads a whole number in the strict form that Redis accepts for integer settings: optional minus, no plus,
// no blanks, no leading zeros, within int64.
func ParseInt(s string) (n int64, ok bool) {
	if s == "0" {
		return 0, true
	}
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// ParseMemory reads a number of bytes with an optional unit, case-insensitive: b, k (1000), kb (1024), m, mb, g, gb.
// Like Redis, it takes a missing number as 0, a number above 64 bits as the largest, and wraps when the unit overflows.
func ParseMemory(s string) (n uint64, ok bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i >= 128 {
		return 0, false
	}
	unit, ok := memoryUnit(s[i:])
	if !ok {
		return 0, false
	}
	if i > 0 {
		var err error
		if n, err = strconv.ParseUint(s[:i], 10, 64); err != nil {
			n = math.MaxUint64
		}
	}
	return n * unit, true
}

func memoryUnit(s string) (factor uint64, ok bool) {
	switch strings.ToLower(s) {
	case "", "b":
		return 1, true
	case "k":
		return 1000, true
	case "kb":
		return 1 << 10, true
	case "m":
		return 1000 * 1000, true
	case "mb":
		return 1 << 20, true
	case "g":
		return 1000 * 1000 * 1000, true
	case "gb":
		return 1 << 30, true
	}
	return 0, false
}

// formatMemory writes bytes in the largest unit that divides them, as CONFIG REWRITE does.
func formatMemory(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// looseInt reads a number the way C's strtoll does (leading blanks, a sign, saturation, nothing at all is 0) and
// demands that nothing follows it. Redis reads the numbers inside its composite directives so.
func looseInt(s string, base int) (n int64, saturated, ok bool) {
	s = cString(s)
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	neg := false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start := i
	var v uint64
	for ; i < len(s) && s[i] >= '0' && int(s[i]-'0') < base; i++ {
		d := uint64(s[i] - '0')
		if v > (math.MaxUint64-d)/uint64(base) {
			saturated = true
			continue
		}
		v = v*uint64(base) + d
	}
	if i == start {
		// Without a digit the number is 0 and nothing is consumed.
		return 0, false, s == ""
	}
	switch {
	case neg && (saturated || v > 1<<63):
		return math.MinInt64, true, i == len(s)
	case neg:
		return int64(-v), false, i == len(s)
	case saturated || v > math.MaxInt64:
		return math.MaxInt64, true, i == len(s)
	}
	return int64(v), false, i == len(s)
}
