package replication

import (
	"math/rand/v2"
	"strconv"
)

func bitmap(r *rand.Rand) string { return "bitmap:" + strconv.Itoa(r.IntN(20)) }
func sketch(r *rand.Rand) string { return "sketch:" + strconv.Itoa(r.IntN(20)) }

func init() {
	writes = append(writes,
		write{8, one(func(r *rand.Rand) []string {
			return []string{"SETBIT", bitmap(r), strconv.Itoa(r.IntN(1 << r.IntN(20))), pickOne(r, "0", "1")}
		})},
		write{3, one(func(r *rand.Rand) []string {
			return []string{"BITOP", pickOne(r, "AND", "OR", "XOR"), bitmap(r), bitmap(r), bitmap(r), bitmap(r)}
		})},
		write{1, one(func(r *rand.Rand) []string { return []string{"BITOP", "NOT", bitmap(r), bitmap(r)} })},
		write{4, one(func(r *rand.Rand) []string {
			offset := strconv.Itoa(r.IntN(3000))
			incr := strconv.Itoa(r.IntN(1000) - 500)
			return []string{"BITFIELD", bitmap(r), "SET", "i33", offset, incr, "OVERFLOW", pickOne(r, "SAT", "WRAP", "FAIL"), "INCRBY", "u9", "#" + offset, incr, "GET", "u5", "3"}
		})},
		write{1, one(func(r *rand.Rand) []string { return []string{"DEL", bitmap(r)} })},
		write{12, one(func(r *rand.Rand) []string {
			cmd := []string{"PFADD", sketch(r)}
			for range r.IntN(40) {
				cmd = append(cmd, strconv.Itoa(r.IntN(100000)))
			}
			return cmd
		})},
		write{3, one(func(r *rand.Rand) []string { return []string{"PFCOUNT", sketch(r)} })}, // keeps the estimate in the key
		write{3, one(func(r *rand.Rand) []string { return []string{"PFMERGE", sketch(r), sketch(r), sketch(r)} })},
		write{1, one(func(r *rand.Rand) []string { return []string{"PFDEBUG", pickOne(r, "TODENSE", "GETREG"), sketch(r)} })},
		write{2, one(func(r *rand.Rand) []string { return []string{"DEL", sketch(r)} })},
	)
}
