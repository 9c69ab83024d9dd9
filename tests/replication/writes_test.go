package replication

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// A write draws one or more commands that change data. weight says how often it is drawn.
type write struct {
	weight int
	fn     func(r *rand.Rand) [][]string
}

// writes is what a random history is made of. Each data type's file may add its own in an init function.
var writes = []write{
	{20, one(func(r *rand.Rand) []string { return []string{"SET", key(r), text(r)} })},
	{4, one(func(r *rand.Rand) []string {
		return []string{"SET", key(r), text(r), "EX", strconv.Itoa(100 + r.IntN(1000))}
	})},
	{4, one(func(r *rand.Rand) []string {
		return []string{"SET", key(r), text(r), "PX", strconv.Itoa(1 + r.IntN(200))}
	})},
	{2, one(func(r *rand.Rand) []string { return []string{"SET", key(r), text(r), "NX"} })},
	{2, one(func(r *rand.Rand) []string { return []string{"SET", key(r), text(r), "XX", "KEEPTTL"} })},
	{2, one(func(r *rand.Rand) []string { return []string{"GETSET", key(r), text(r)} })},
	{2, one(func(r *rand.Rand) []string { return []string{"GETDEL", key(r)} })},
	{2, one(func(r *rand.Rand) []string { return []string{"GETEX", key(r), "EX", strconv.Itoa(50 + r.IntN(50))} })},
	{1, one(func(r *rand.Rand) []string { return []string{"GETEX", key(r), "PERSIST"} })},
	{6, one(func(r *rand.Rand) []string { return []string{"APPEND", key(r), text(r)} })},
	{4, one(func(r *rand.Rand) []string { return []string{"SETRANGE", key(r), strconv.Itoa(r.IntN(2000)), text(r)} })},
	{6, one(func(r *rand.Rand) []string { return []string{"INCR", number(r)} })},
	{4, one(func(r *rand.Rand) []string { return []string{"DECRBY", number(r), strconv.Itoa(r.IntN(100000))} })},
	{6, one(func(r *rand.Rand) []string {
		return []string{"INCRBYFLOAT", number(r), strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64)}
	})},
	{4, one(func(r *rand.Rand) []string { return []string{"MSET", key(r), text(r), key(r), text(r), number(r), "7"} })},
	{2, one(func(r *rand.Rand) []string { return []string{"MSETNX", key(r), text(r), key(r), text(r)} })},
	{6, one(func(r *rand.Rand) []string { return []string{"DEL", key(r), key(r)} })},
	{2, one(func(r *rand.Rand) []string { return []string{"UNLINK", key(r)} })},
	{4, one(func(r *rand.Rand) []string { return []string{"EXPIRE", key(r), strconv.Itoa(100 + r.IntN(900))} })},
	{3, one(func(r *rand.Rand) []string { return []string{"PEXPIRE", key(r), strconv.Itoa(1 + r.IntN(300))} })},
	{1, one(func(r *rand.Rand) []string { return []string{"EXPIRE", key(r), "0"} })},
	{1, one(func(r *rand.Rand) []string { return []string{"EXPIREAT", key(r), "4000000000", "GT"} })},
	{2, one(func(r *rand.Rand) []string { return []string{"PERSIST", key(r)} })},
	{4, one(func(r *rand.Rand) []string { return []string{"RENAME", key(r), key(r)} })},
	{2, one(func(r *rand.Rand) []string { return []string{"RENAMENX", key(r), key(r)} })},
	{4, one(func(r *rand.Rand) []string { return []string{"COPY", key(r), key(r), "DB", database(r), "REPLACE"} })},
	{4, one(func(r *rand.Rand) []string { return []string{"MOVE", key(r), database(r)} })},
	{8, one(func(r *rand.Rand) []string { return []string{"SELECT", database(r)} })},
	{2, one(func(r *rand.Rand) []string { return []string{"SWAPDB", database(r), database(r)} })},
	{1, func(r *rand.Rand) [][]string {
		if r.IntN(20) > 0 {
			return nil
		}
		return [][]string{{pickOne(r, "FLUSHDB", "FLUSHALL", "FLUSHDB ASYNC")}}
	}},
	{1, one(func(r *rand.Rand) []string { // a value far larger than a read
		return []string{"SET", key(r), strings.Repeat(text(r)+"x", 1+r.IntN(5000))}
	})},
	{3, func(r *rand.Rand) [][]string {
		cmds := [][]string{{"MULTI"}}
		for range r.IntN(8) {
			cmds = append(cmds, simple(r))
		}
		return append(cmds, []string{pickOne(r, "EXEC", "EXEC", "EXEC", "DISCARD")})
	}},
	{1, one(func(r *rand.Rand) []string { return []string{"PUBLISH", "channel", text(r)} })},
}

func one(fn func(r *rand.Rand) []string) func(r *rand.Rand) [][]string {
	return func(r *rand.Rand) [][]string { return [][]string{fn(r)} }
}

func simple(r *rand.Rand) []string {
	switch r.IntN(4) {
	case 0:
		return []string{"SET", key(r), text(r)}
	case 1:
		return []string{"INCR", number(r)}
	case 2:
		return []string{"SELECT", database(r)}
	}
	return []string{"DEL", key(r)}
}

func key(r *rand.Rand) string      { return "key:" + strconv.Itoa(r.IntN(300)) }
func number(r *rand.Rand) string   { return "number:" + strconv.Itoa(r.IntN(50)) }
func database(r *rand.Rand) string { return strconv.Itoa(r.IntN(4)) }

func pickOne(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

func text(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return strconv.FormatInt(r.Int64()>>r.IntN(63), 10)
	case 1:
		return strings.Repeat("ab", r.IntN(300)) // compressible
	case 2:
		b := make([]byte, r.IntN(100))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	return "value " + strconv.Itoa(r.IntN(1000))
}

// A writer drives one connection to the master with random pipelines.
type writer struct {
	rnd  *rand.Rand
	conn *testutil.Conn
	all  []write // each as often as its weight says
}

func newWriter(t *testing.T, master *testutil.Server, seed uint64) *writer {
	t.Helper()
	w := &writer{rnd: rand.New(rand.NewPCG(seed, 9)), conn: master.Dial(t)}
	for _, k := range writes {
		for range k.weight {
			w.all = append(w.all, k)
		}
	}
	return w
}

// write sends n random writes in pipelines and reads every reply. Error replies (INCR of a text) are part of the game.
func (w *writer) write(n int) error {
	for n > 0 {
		var wire []byte
		replies := 0
		for range min(n, 1+w.rnd.IntN(60)) {
			for _, cmd := range w.all[w.rnd.IntN(len(w.all))].fn(w.rnd) {
				if len(cmd) == 1 {
					cmd = strings.Fields(cmd[0])
				}
				wire = testutil.AppendCommand(wire, cmd...)
				replies++
			}
			n--
		}
		if _, err := w.conn.Write(wire); err != nil {
			return err
		}
		for range replies {
			if _, _, err := w.conn.Read(); err != nil {
				return fmt.Errorf("reading the master's reply: %w", err)
			}
		}
	}
	return nil
}
