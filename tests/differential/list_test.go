package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func init() {
	kinds["lkey"] = func(r *rand.Rand) string { return mostly(r, "l", keyPool) }
	kinds["index"] = func(r *rand.Rand) string {
		if r.IntN(10) == 0 {
			return pick(r, integers)
		}
		return strconv.Itoa(r.IntN(40) - 20)
	}
	// Few and repeated, so that searches find something; some as long as a good part of a node.
	kinds["elem"] = func(r *rand.Rand) string {
		switch r.IntN(12) {
		case 0:
			return pick(r, integers)
		case 1:
			return strings.Repeat(string(rune('a'+r.IntN(3))), []int{63, 64, 1000, 4095, 4096, 9000}[r.IntN(6)])
		case 2:
			return pick(r, []string{"", "\x00\xff", "a b"})
		}
		return strconv.Itoa(r.IntN(8))
	}
}
