package replication

import (
	"math/rand/v2"
	"strconv"
)

// Scripts reach a replica by their effects, libraries as they are.
func init() {
	writes = append(writes,
		write{2, one(func(r *rand.Rand) []string {
			return []string{"EVAL", "local n = redis.call('INCR', KEYS[1]) if n % 2 == 0 then redis.call('SET', KEYS[2], 'n' .. n, 'EX', 500) redis.call('APPEND', KEYS[2], ARGV[1]) end return n",
				"2", number(r), key(r), text(r)}
		})},
		write{1, one(func(r *rand.Rand) []string {
			n := strconv.Itoa(r.IntN(5))
			return []string{"FUNCTION", "LOAD", "REPLACE", "#!lua name=lib" + n + "\nredis.register_function('add" + n + "', function(keys, args) redis.call('SET', keys[1], args[1]) return redis.call('RPUSH', keys[2], args[1], '" + strconv.Itoa(r.IntN(1000)) + "') end)"}
		})},
		write{2, one(func(r *rand.Rand) []string {
			return []string{"FCALL", "add" + strconv.Itoa(r.IntN(5)), "2", key(r), "calls:" + strconv.Itoa(r.IntN(5)), text(r)}
		})},
		write{1, one(func(r *rand.Rand) []string { return []string{"DEL", "calls:" + strconv.Itoa(r.IntN(5))} })},
		write{1, func(r *rand.Rand) [][]string {
			if r.IntN(10) > 0 {
				return nil
			}
			return [][]string{{"FUNCTION", "DELETE", "lib" + strconv.Itoa(r.IntN(5))}}
		}},
	)
}
