package replication

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func hash(r *rand.Rand) string { return "hash:" + strconv.Itoa(r.IntN(40)) }

// field draws from few names for most hashes, and many for some, so that both encodings live through the history.
func field(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return "field:" + strconv.Itoa(r.IntN(2000))
	}
	return strconv.Itoa(r.IntN(30))
}

func init() {
	writes = append(writes,
		write{20, one(func(r *rand.Rand) []string {
			cmd := []string{pickOne(r, "HSET", "HSET", "HMSET"), hash(r)}
			for range 1 + r.IntN(20) {
				cmd = append(cmd, field(r), strconv.Itoa(r.IntN(100000)))
			}
			return cmd
		})},
		write{6, one(func(r *rand.Rand) []string { return []string{"HSET", hash(r), field(r), text(r)} })},
		write{2, one(func(r *rand.Rand) []string { return []string{"HSETNX", hash(r), field(r), text(r)} })},
		write{6, one(func(r *rand.Rand) []string {
			return []string{"HINCRBY", hash(r), "n" + field(r), strconv.Itoa(r.IntN(1000) - 500)}
		})},
		write{4, one(func(r *rand.Rand) []string {
			return []string{"HINCRBYFLOAT", hash(r), "x" + field(r), strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64)}
		})},
		write{8, one(func(r *rand.Rand) []string {
			cmd := []string{"HDEL", hash(r)}
			for range 1 + r.IntN(6) {
				cmd = append(cmd, field(r))
			}
			return cmd
		})},
		write{1, one(func(r *rand.Rand) []string { return []string{"DEL", hash(r)} })},
		write{1, one(func(r *rand.Rand) []string { return []string{"RENAME", hash(r), hash(r)} })},
		write{1, one(func(r *rand.Rand) []string { return []string{"COPY", hash(r), hash(r), "REPLACE"} })},
		write{1, one(func(r *rand.Rand) []string { return []string{"PEXPIRE", hash(r), strconv.Itoa(1 + r.IntN(500))} })},
		write{1, one(func(r *rand.Rand) []string {
			return []string{"HSET", hash(r), "long", strings.Repeat("z", r.IntN(200))}
		})},
	)
}
