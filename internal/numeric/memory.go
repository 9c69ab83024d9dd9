package numeric

import (
	"math"
	"strconv"
)

// ParseMemory parses an amount of memory as redis.conf has it (Redis's memtoull): digits and a unit in any case. k, m
// and g are powers of 1000; kb, mb and gb are powers of 1024; b or nothing is bytes. Digits beyond 64 bits count as the
// highest number, and the product wraps around, as there; without digits the amount is 0.
func ParseMemory(s string) (uint64, bool) {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	if i >= 128 {
		return 0, false
	}
	var mul uint64
	switch unit := s[i:]; {
	case unit == "" || foldEqual([]byte(unit), "b"):
		mul = 1
	case foldEqual([]byte(unit), "k"):
		mul = 1000
	case foldEqual([]byte(unit), "kb"):
		mul = 1 << 10
	case foldEqual([]byte(unit), "m"):
		mul = 1000 * 1000
	case foldEqual([]byte(unit), "mb"):
		mul = 1 << 20
	case foldEqual([]byte(unit), "g"):
		mul = 1000 * 1000 * 1000
	case foldEqual([]byte(unit), "gb"):
		mul = 1 << 30
	default:
		return 0, false
	}
	var v uint64
	if i > 0 {
		n, err := strconv.ParseUint(s[:i], 10, 64)
		if err != nil {
			n = math.MaxUint64
		}
		v = n
	}
	return v * mul, true
}

// AppendMemory appends an amount of memory as CONFIG REWRITE does: in the largest of gb, mb and kb that divides it, else
// in bytes.
func AppendMemory(dst []byte, n int64) []byte {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n != 0 && n%u.size == 0 {
			return append(strconv.AppendInt(dst, n/u.size, 10), u.name...)
		}
	}
	return strconv.AppendInt(dst, n, 10)
}

// AppendBytesHuman appends an amount of memory as INFO's *_human fields have it: "512B", "1.50K", "2.00M".
func AppendBytesHuman(dst []byte, n uint64) []byte {
	const units = "KMGTP"
	if n < 1<<10 || n >= 1<<60 {
		return append(strconv.AppendUint(dst, n, 10), 'B')
	}
	i := 0
	for n >= 1<<(10*(i+2)) {
		i++
	}
	f := float64(n) / float64(uint64(1)<<(10*(i+1)))
	return append(strconv.AppendFloat(dst, f, 'f', 2, 64), units[i])
}
