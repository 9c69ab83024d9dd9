package replication

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// Sorted sets, small and large (the limit is 128 members), and places. No score is -0: a listpack loses the sign, a large set
// does not, and which of the two a set is depends on its history, of which a snapshot tells nothing (between two redis-servers too).
func init() {
	zkey := func(r *rand.Rand) string { return "zset:" + strconv.Itoa(r.IntN(25)) }
	member := func(r *rand.Rand) string { return "m" + strconv.Itoa(r.IntN(r.IntN(2)*600+40)) }
	score := func(r *rand.Rand) string {
		switch r.IntN(6) {
		case 0:
			return pickOne(r, "inf", "-inf", "0", "1e300")
		case 1, 2:
			return strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64)
		}
		return strconv.Itoa(r.IntN(100))
	}
	places := func(r *rand.Rand) []string {
		cmd := []string{"GEOADD", "geo:" + strconv.Itoa(r.IntN(3))}
		for range 1 + r.IntN(30) {
			cmd = append(cmd, strconv.FormatFloat(r.Float64()*20, 'f', 5, 64), strconv.FormatFloat(r.Float64()*20, 'f', 5, 64), member(r))
		}
		return cmd
	}
	writes = append(writes, []write{
		{10, one(func(r *rand.Rand) []string {
			cmd := []string{"ZADD", zkey(r)}
			for range 1 + r.IntN(20) {
				cmd = append(cmd, score(r), member(r))
			}
			return cmd
		})},
		{2, one(func(r *rand.Rand) []string {
			return []string{"ZADD", zkey(r), pickOne(r, "NX", "XX", "GT", "LT"), score(r), member(r)}
		})},
		{1, one(func(r *rand.Rand) []string {
			return []string{"ZADD", zkey(r), score(r), strings.Repeat("x", r.IntN(100))}
		})},
		{4, one(func(r *rand.Rand) []string { return []string{"ZINCRBY", zkey(r), score(r), member(r)} })},
		{4, one(func(r *rand.Rand) []string { return []string{"ZREM", zkey(r), member(r), member(r)} })},
		{2, one(func(r *rand.Rand) []string {
			return []string{pickOne(r, "ZPOPMIN", "ZPOPMAX"), zkey(r), strconv.Itoa(r.IntN(5))}
		})},
		{1, one(func(r *rand.Rand) []string {
			return []string{"ZMPOP", "2", zkey(r), zkey(r), pickOne(r, "MIN", "MAX"), "COUNT", "3"}
		})},
		{1, one(func(r *rand.Rand) []string { return []string{"BZPOPMIN", zkey(r), zkey(r), "0.001"} })},
		{1, one(func(r *rand.Rand) []string {
			return []string{"ZREMRANGEBYSCORE", zkey(r), strconv.Itoa(r.IntN(100)), strconv.Itoa(r.IntN(100))}
		})},
		{1, one(func(r *rand.Rand) []string {
			return []string{"ZREMRANGEBYRANK", zkey(r), "3", strconv.Itoa(3 + r.IntN(10))}
		})},
		{2, one(func(r *rand.Rand) []string {
			return []string{pickOne(r, "ZUNIONSTORE", "ZINTERSTORE"), zkey(r), "2", zkey(r), zkey(r), "WEIGHTS", score(r), score(r), "AGGREGATE", pickOne(r, "SUM", "MIN", "MAX")}
		})},
		{1, one(func(r *rand.Rand) []string { return []string{"ZDIFFSTORE", zkey(r), "2", zkey(r), zkey(r)} })},
		{1, one(func(r *rand.Rand) []string {
			return []string{"ZRANGESTORE", zkey(r), zkey(r), "0", strconv.Itoa(r.IntN(200))}
		})},
		{1, one(func(r *rand.Rand) []string { return []string{pickOne(r, "EXPIRE", "PERSIST"), zkey(r), "1000"} })},
		{1, one(func(r *rand.Rand) []string { return []string{"COPY", zkey(r), zkey(r), "REPLACE"} })},
		{1, one(func(r *rand.Rand) []string { return []string{"DEL", zkey(r)} })},
		{2, one(places)},
		{1, one(func(r *rand.Rand) []string {
			return []string{"GEOSEARCHSTORE", zkey(r), "geo:1", "FROMLONLAT", "10", "10", "BYRADIUS", "500", "km"}
		})},
	}...)
}
