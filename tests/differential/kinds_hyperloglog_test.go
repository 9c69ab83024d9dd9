package differential

import (
	"math/rand/v2"
	"strconv"
)

// The kinds of hyperloglog.grammar. Sketches are also made by hand, well formed and not.
func init() {
	addKind("pkey", func(r *rand.Rand) string { return mostly(r, "p", keyPool) })
	addKind("pelem", func(r *rand.Rand) string {
		if r.IntN(8) == 0 {
			return value(r)
		}
		return strconv.Itoa(r.IntN(3000))
	})
	runs := func(r *rand.Rand) string {
		b := make([]byte, 0, 64)
		for range r.IntN(12) {
			switch r.IntN(4) {
			case 0:
				b = append(b, byte(r.IntN(64)))
			case 1:
				b = append(b, 0x40|byte(r.IntN(64)), byte(r.Uint32()))
			default:
				b = append(b, 0x80|byte(r.IntN(128)))
			}
		}
		return string(b)
	}
	// fill makes the runs add up to all the registers.
	fill := func(s string) string {
		n := 0
		for i := 0; i < len(s); i++ {
			switch {
			case s[i]&0x80 != 0:
				n += int(s[i]&3) + 1
			case s[i]&0x40 != 0:
				n += int(s[i]&0x3f)<<8 + int(s[i+1]) + 1
				i++
			default:
				n += int(s[i]) + 1
			}
		}
		if left := 16384 - n; left > 0 {
			s += string([]byte{0x40 | byte((left-1)>>8), byte(left - 1)})
		}
		return s
	}
	addKind("hllruns", runs)
	addKind("hllstr", func(r *rand.Rand) string {
		head := "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + pick(r, []string{"\x00", "\x80"})
		if r.IntN(4) == 0 {
			return head + runs(r)
		}
		return head + fill(runs(r))
	})
	addKind("hlloff", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(40)) })
	addKind("hllbit", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(400)) })
}
