package differential

import (
	"math/rand/v2"
	"strconv"
)

// Places are drawn around a few centres, and anywhere.
func init() {
	coordinate := func(limit float64, odd []string) func(r *rand.Rand) string {
		return func(r *rand.Rand) string {
			switch r.IntN(8) {
			case 0:
				return pick(r, odd)
			case 1, 2:
				return strconv.FormatFloat((r.Float64()*2-1)*limit, 'f', r.IntN(9), 64)
			}
			near := []float64{0, 13.36, 45}[r.IntN(3)]
			return strconv.FormatFloat(near+r.Float64()*r.Float64()*4, 'f', 4, 64)
		}
	}
	addKind("gkey", func(r *rand.Rand) string { return mostly(r, "g", keyPool) })
	addKind("gmember", func(r *rand.Rand) string { return "p" + strconv.Itoa(r.IntN(40)) })
	addKind("lon", coordinate(180, []string{"180", "-180", "181", "inf", "abc", "0", "179.9999999"}))
	addKind("lat", coordinate(85, []string{"85.05112878", "-85.05112878", "86", "-inf", "x", "0", "84"}))
	addKind("radius", func(r *rand.Rand) string {
		return pick(r, []string{"0", "1", "10", "100", "200", "500", "1000", "5000.5", "100000", "1e6", "3e7", "-1", "abc", "0.001"})
	})
	addKind("unit", func(r *rand.Rand) string {
		return pick(r, []string{"m", "km", "km", "km", "ft", "mi", "KM", "parsec"})
	})
}
