package replication

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

func listKey(r *rand.Rand) string { return "list:" + strconv.Itoa(r.IntN(60)) }

// element is a text, seldom one that fills a node.
func element(r *rand.Rand) string {
	if r.IntN(40) == 0 {
		return strings.Repeat(text(r)+"x", 1+r.IntN(200))
	}
	if r.IntN(3) == 0 {
		return strconv.Itoa(r.IntN(10))
	}
	return text(r)
}

func elements(r *rand.Rand, cmd ...string) []string {
	for range 1 + r.IntN(12) {
		cmd = append(cmd, element(r))
	}
	return cmd
}

func listEnd(r *rand.Rand) string   { return pickOne(r, "LEFT", "RIGHT") }
func listIndex(r *rand.Rand) string { return strconv.Itoa(r.IntN(40) - 20) }

func init() {
	writes = append(writes, []write{
		{10, one(func(r *rand.Rand) []string { return elements(r, "RPUSH", listKey(r)) })},
		{10, one(func(r *rand.Rand) []string { return elements(r, "LPUSH", listKey(r)) })},
		{2, one(func(r *rand.Rand) []string { return elements(r, pickOne(r, "LPUSHX", "RPUSHX"), listKey(r)) })},
		{4, one(func(r *rand.Rand) []string { return []string{pickOne(r, "LPOP", "RPOP"), listKey(r)} })},
		{2, one(func(r *rand.Rand) []string {
			return []string{pickOne(r, "LPOP", "RPOP"), listKey(r), strconv.Itoa(r.IntN(20))}
		})},
		{4, one(func(r *rand.Rand) []string { return []string{"LSET", listKey(r), listIndex(r), element(r)} })},
		{4, one(func(r *rand.Rand) []string {
			return []string{"LINSERT", listKey(r), pickOne(r, "BEFORE", "AFTER"), strconv.Itoa(r.IntN(10)), element(r)}
		})},
		{2, one(func(r *rand.Rand) []string {
			return []string{"LREM", listKey(r), strconv.Itoa(r.IntN(5) - 2), strconv.Itoa(r.IntN(10))}
		})},
		{1, one(func(r *rand.Rand) []string { return []string{"LTRIM", listKey(r), strconv.Itoa(r.IntN(6)), "-2"} })},
		{4, one(func(r *rand.Rand) []string { return []string{"LMOVE", listKey(r), listKey(r), listEnd(r), listEnd(r)} })},
		{2, one(func(r *rand.Rand) []string { return []string{"RPOPLPUSH", listKey(r), listKey(r)} })},
		{2, one(func(r *rand.Rand) []string {
			return []string{"LMPOP", "2", listKey(r), listKey(r), listEnd(r), "COUNT", strconv.Itoa(1 + r.IntN(5))}
		})},
		// A waiting command reaches the replica as what it did.
		{2, one(func(r *rand.Rand) []string { return []string{"BLPOP", listKey(r), listKey(r), "0.001"} })},
		{2, one(func(r *rand.Rand) []string {
			return []string{"BLMOVE", listKey(r), listKey(r), listEnd(r), listEnd(r), "0.001"}
		})},
		{1, one(func(r *rand.Rand) []string {
			return []string{"BLMPOP", "0.001", "1", listKey(r), listEnd(r), "COUNT", strconv.Itoa(1 + r.IntN(5))}
		})},
		{2, one(func(r *rand.Rand) []string {
			return []string{"COPY", listKey(r), listKey(r), "DB", database(r), "REPLACE"}
		})},
		{2, one(func(r *rand.Rand) []string { return []string{"RENAME", listKey(r), listKey(r)} })},
		{1, one(func(r *rand.Rand) []string { return []string{"DEL", listKey(r)} })},
		{1, one(func(r *rand.Rand) []string {
			return []string{"CONFIG", "SET", "list-max-listpack-size", pickOne(r, "-1", "-2", "4", "16"), "list-compress-depth", pickOne(r, "0", "1", "2")}
		})},
	}...)
}
