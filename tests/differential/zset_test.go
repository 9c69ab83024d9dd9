package differential

import (
	"math/rand/v2"
	"strconv"
)

// Sorted sets draw members from few, so that they meet again, and scores from
// such that are equal, next to one another, infinite, or of 17 digits.

var (
	zscores = []string{"0", "1", "2", "3", "1.5", "-1", "-0", "10", "0.1", "0.30000000000000004", "3.0e5", "1e17", "123456789012345678", "-1e-7", "inf", "-inf", "+inf", "5", "5", "5"}
	zends   = []string{"-inf", "+inf", "(1", "1", "(2", "2", "0", "(0", "3", "1.5", "(1.5", "5", "(5", "-1", "(inf", "10", "1e400", "", "(", " 1", "nan", "abc", "(abc", "1x", "((1"}
	zlexes  = []string{"-", "+", "[a", "(a", "[b", "(b", "[c", "(c", "[m5", "(m5", "[", "(", "[zz", "a", "", "--", "+x", "[10", "(10"}
)

func init() {
	addKind("zkey", func(r *rand.Rand) string { return mostly(r, "z", keyPool) })
	addKind("zlkey", func(r *rand.Rand) string { return "l" + strconv.Itoa(r.IntN(3)) })
	addKind("short", func(r *rand.Rand) string { return pick(r, []string{"m", "a", "b", "", "c"}) + strconv.Itoa(r.IntN(20)) })
	addKind("score", func(r *rand.Rand) string {
		if r.IntN(3) == 0 {
			return strconv.Itoa(r.IntN(20) - 5)
		}
		return pick(r, zscores)
	})
	addKind("zmember", func(r *rand.Rand) string {
		switch r.IntN(8) {
		case 0:
			return strconv.Itoa(r.IntN(20))
		case 1:
			return pick(r, []string{"", "\x00", "a\xff", "a", "b", "c"})
		case 2:
			return value(r)
		}
		return "m" + strconv.Itoa(r.IntN(30))
	})
	addKind("zend", func(r *rand.Rand) string { return pick(r, zends) })
	addKind("zlex", func(r *rand.Rand) string { return pick(r, zlexes) })
}
