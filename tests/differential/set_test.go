package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func init() {
	addKind("setkey", func(r *rand.Rand) string { return mostly(r, "s", keyPool) })
	addKind("member", func(r *rand.Rand) string {
		switch r.IntN(12) {
		case 0:
			return pick(r, integers)
		case 1:
			return strings.Repeat("m", []int{10, 63, 64, 65, 200}[r.IntN(5)])
		case 2:
			return pick(r, []string{"", "\x00\xff", "a b", "01", "+1", "1.0"})
		case 3, 4, 5:
			return "m" + strconv.Itoa(r.IntN(12))
		case 6:
			return strconv.Itoa(r.IntN(20) * 5000)
		}
		return strconv.Itoa(r.IntN(15))
	})
}

func init() {
	word := func(r *rand.Rand) string { return pick(r, []string{"a", "b", "B", "aa", "", "\xff", "10x"}) }
	addKind("olist", func(r *rand.Rand) string { return "ol" + strconv.Itoa(r.IntN(2)) })
	addKind("oset", func(r *rand.Rand) string { return "os" + strconv.Itoa(r.IntN(2)) })
	addKind("ozset", func(r *rand.Rand) string { return "oz" + strconv.Itoa(r.IntN(2)) })
	addKind("sortelem", func(r *rand.Rand) string {
		if r.IntN(25) == 0 {
			return word(r)
		}
		return pick(r, []string{"", "-", "", ""}) + strconv.Itoa(r.IntN(12)) + pick(r, []string{"", "", "", ".5"})
	})
	addKind("weightkey", func(r *rand.Rand) string { return "w_" + strconv.Itoa(r.IntN(12)) })
	addKind("weighthash", func(r *rand.Rand) string { return "h_" + strconv.Itoa(r.IntN(12)) })
	addKind("sortget", func(r *rand.Rand) string { return pick(r, []string{"#", "w_*", "h_*->f", "h_*->g", "nokey_*", "x"}) })
}
