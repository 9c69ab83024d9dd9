package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func init() {
	kinds["setkey"] = func(r *rand.Rand) string { return mostly(r, "s", keyPool) }
	kinds["member"] = func(r *rand.Rand) string {
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
	}
}
