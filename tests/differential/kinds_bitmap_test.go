package differential

import (
	"math/rand/v2"
	"strconv"
)

// The kinds of bitmap.grammar.
func init() {
	addKind("bitoff", func(r *rand.Rand) string {
		if r.IntN(12) == 0 {
			return pick(r, []string{"-1", "x", "4294967296", "#1", "9223372036854775807", ""})
		}
		return strconv.Itoa(r.IntN(200))
	})
	addKind("bithash", func(r *rand.Rand) string { return "#" + strconv.Itoa(r.IntN(10)) })
	addKind("bittype", func(r *rand.Rand) string {
		if r.IntN(20) == 0 {
			return pick(r, []string{"u64", "i65", "u0", "i0", "U8", "u", "8"})
		}
		if r.IntN(3) == 0 {
			return pick(r, []string{"u1", "i1", "u8", "i8", "u63", "i64", "i63", "u32", "i32"})
		}
		return pick(r, []string{"u", "i"}) + strconv.Itoa(1+r.IntN(63))
	})
	addKind("bitval", func(r *rand.Rand) string { return strconv.FormatInt(int64(r.Uint64())>>r.IntN(64), 10) })
	addKind("span", func(r *rand.Rand) string {
		if r.IntN(15) == 0 {
			return pick(r, integers)
		}
		if r.IntN(3) == 0 {
			return strconv.Itoa(r.IntN(400) - 200)
		}
		return strconv.Itoa(r.IntN(16) - 6)
	})
}
