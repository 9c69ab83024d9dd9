package replication

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestBigKeysAreFreedInSlices removes collections of a million elements in every way there is. The command answers at once, the memory comes back
// within seconds, and no turn of the loop is long: freeing a million elements in one go takes about 100 ms.
func TestBigKeysAreFreedInSlices(t *testing.T) {
	elements := 1_000_000
	if testing.Short() {
		elements = 200_000
	}
	s := testutil.StartOurs(t)
	c := s.Dial(t)
	c.SetTimeout(time.Minute)
	add := map[string]func(from, to int) []string{
		"set": func(from, to int) []string {
			args := []string{"SADD", "big"}
			for i := from; i < to; i++ {
				args = append(args, "member:"+strconv.Itoa(i))
			}
			return args
		},
		"hash": func(from, to int) []string {
			args := []string{"HSET", "big"}
			for i := from; i < to; i++ {
				args = append(args, "field:"+strconv.Itoa(i), "value")
			}
			return args
		},
		"zset": func(from, to int) []string {
			args := []string{"ZADD", "big"}
			for i := from; i < to; i++ {
				args = append(args, strconv.Itoa(i), "member:"+strconv.Itoa(i))
			}
			return args
		},
		"list": func(from, to int) []string {
			args := []string{"RPUSH", "big"}
			for i := from; i < to; i++ {
				args = append(args, "element:"+strconv.Itoa(i))
			}
			return args
		},
	}
	removals := [][]string{
		{"DEL", "big"}, {"UNLINK", "big"}, {"SET", "big", "small"}, {"PEXPIRE", "big", "-1"}, {"FLUSHDB"}, {"RENAME", "other", "big"}, {"SUNIONSTORE", "big", "members"}, {"PEXPIRE", "big", "1"},
	}
	kinds := []string{"set", "hash", "zset", "list"}
	for i, removal := range removals {
		kind := kinds[i%len(kinds)]
		t.Run(fmt.Sprintf("%s of a %s", removal[0], kind), func(t *testing.T) {
			c.Must(t, "FLUSHALL")
			c.Must(t, "SET", "other", "x")
			c.Must(t, "SADD", "members", "a")
			var wire []byte
			const batch = 1000
			for from := 0; from < elements; from += batch {
				wire = testutil.AppendCommand(wire[:0], add[kind](from, from+batch)...)
				if _, err := c.Write(wire); err != nil {
					t.Fatal(err)
				}
				if v, _, err := c.Read(); err != nil || v.Err() != nil {
					t.Fatal(v, err)
				}
			}
			freed := func() int64 {
				info, err := c.Info("memory")
				if err != nil {
					t.Fatal(err)
				}
				n, err := strconv.ParseInt(info["lazyfree_pending_objects"], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			c.Must(t, "CONFIG", "RESETSTAT")
			begin := time.Now()
			c.Must(t, removal...)
			answered := time.Since(begin)
			if removal[1:] != nil && removal[len(removal)-1] == "1" {
				time.Sleep(300 * time.Millisecond) // the active cycle comes by
			}
			for freed() != 0 {
				if time.Since(begin) > 20*time.Second {
					t.Fatal("not freed in 20 seconds")
				}
				time.Sleep(5 * time.Millisecond)
			}
			took := time.Since(begin)
			info, err := c.Info("eventloop")
			if err != nil {
				t.Fatal(err)
			}
			longest, err := strconv.Atoi(info["eventloop_longest_turn_usec"])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("answered in %v, freed in %v, longest turn %d µs", answered, took, longest)
			if longest > 40_000 {
				t.Errorf("a turn of the loop took %d µs", longest)
			}
			if v := c.Must(t, "DBSIZE"); v.Int > 3 {
				t.Errorf("DBSIZE %d", v.Int)
			}
			c.Must(t, "DEBUG", "CHECK")
		})
	}
}
