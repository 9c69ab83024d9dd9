package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func init() {
	addKind("hkey", func(r *rand.Rand) string { return mostly(r, "h", keyPool) })
	addKind("field", func(r *rand.Rand) string {
		switch r.IntN(8) {
		case 0:
			return pick(r, integers)
		case 1:
			return strings.Repeat("f", []int{10, 11, 63, 64, 65}[r.IntN(5)])
		case 2:
			return pick(r, []string{"", "\x00\xff", "a b"})
		}
		return "f" + strconv.Itoa(r.IntN(12))
	})
	addKind("numfield", func(r *rand.Rand) string { return "n" + strconv.Itoa(r.IntN(4)) })
}
