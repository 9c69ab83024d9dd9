package replication

import (
	"math/rand/v2"
	"strconv"
)

// Writes of sets, and SORT's. SPOP reaches a replica as SREM or DEL, and results are built anew by both sides.
func init() {
	writes = append(writes,
		write{5, one(func(r *rand.Rand) []string { return append([]string{"SADD", set(r)}, members(r)...) })},
		write{4, one(func(r *rand.Rand) []string { return append([]string{"SREM", set(r)}, members(r)...) })},
		write{3, one(func(r *rand.Rand) []string { return []string{"SPOP", set(r)} })},
		write{3, one(func(r *rand.Rand) []string { return []string{"SPOP", set(r), strconv.Itoa(r.IntN(10))} })},
		write{3, one(func(r *rand.Rand) []string { return []string{"SMOVE", set(r), set(r), member(r)} })},
		write{3, one(func(r *rand.Rand) []string {
			return []string{pickOne(r, "SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"), set(r), set(r), set(r), set(r)}
		})},
		write{1, one(func(r *rand.Rand) []string {
			return []string{"SORT", set(r), "ALPHA", "GET", "#", "GET", "key:*", "STORE", key(r)}
		})},
		write{1, one(func(r *rand.Rand) []string { return []string{"COPY", set(r), set(r), "REPLACE"} })},
		write{1, one(func(r *rand.Rand) []string { return []string{"DEL", set(r)} })},
	)
}

func set(r *rand.Rand) string { return "set:" + strconv.Itoa(r.IntN(30)) }

func member(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return strconv.Itoa(r.IntN(2000) - 1000)
	}
	return "member " + strconv.Itoa(r.IntN(300))
}

func members(r *rand.Rand) []string {
	ints := r.IntN(2) == 0
	list := make([]string, 1+r.IntN(12))
	for i := range list {
		if list[i] = member(r); ints {
			list[i] = strconv.Itoa(r.IntN(2000))
		}
	}
	return list
}
