package commands

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// stateOf describes every key of a server: value, expiry, and the groups of streams.
func stateOf(s *Server) map[string]string {
	m := map[string]string{}
	c := newTestClient(s)
	defer s.RemoveClient(c)
	for i := range s.KS.Databases() {
		c.db = s.KS.DB(i)
		c.db.Each(func(e keyspace.Entry) bool {
			var d digest.State
			e.Value().Digest(&d)
			text := fmt.Sprint(hex.EncodeToString(d[:]), " ", e.ExpireAt())
			if e.Type() == object.TypeStream && !e.Expired() {
				text += do(c, "XINFO", "STREAM", string(e.Key()), "FULL", "COUNT", "0")
			}
			m[fmt.Sprint(i, " ", string(e.Key()))] = text
			return true
		})
	}
	return m
}

// loadState loads an RDB into a new server and describes it.
func loadState(t *testing.T, rdbBytes []byte, milli int64) map[string]string {
	t.Helper()
	s, h := newTestServer(t)
	h.milli, s.now = milli, milli
	ks, err := keyspace.New(s.KS.Databases(), 99)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewLoader(ks, s.lim, milli).Load(rdb.NewDecoder(bytes.NewReader(rdbBytes))); err != nil {
		t.Fatal(err)
	}
	s.SwapKeyspace(ks)
	ks.Begin(milli, keyspace.ExpiryIgnored)
	return stateOf(s)
}

func compareStates(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	n := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			if n++; n < 8 {
				t.Errorf("key %s: at the start %.300q, in the snapshot %.300q", k, want[k], got[k])
			}
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			if n++; n < 8 {
				t.Errorf("key %s is in the snapshot and was not there at the start", k)
			}
		}
	}
	t.Fatalf("%d of %d keys differ", n, len(want))
}

// writer makes random writes of every kind.
type writer struct {
	r    *rand.Rand
	c    *Client
	n    int
	keys int
	wild bool // flushes too
}

func (w *writer) key() string { return fmt.Sprint("k", w.r.IntN(w.keys)) }

// words are n strings, each after prefix if there is one.
func (w *writer) words(cmd []string, n int, each func(i int) []string) []string {
	for i := range n {
		cmd = append(cmd, each(i)...)
	}
	return cmd
}

// fill adds many elements to keys of each type.
func (w *writer) fill(n int, suffix string) {
	val := func(i int) string { return fmt.Sprint("value-", i, "-", w.r.IntN(1000)) }
	do(w.c, w.words([]string{"RPUSH", "list" + suffix}, n, func(i int) []string { return []string{val(i) + strings.Repeat("x", 40)} })...)
	do(w.c, w.words([]string{"SADD", "set" + suffix}, n, func(i int) []string { return []string{val(i)} })...)
	do(w.c, w.words([]string{"HSET", "hash" + suffix}, n, func(i int) []string { return []string{fmt.Sprint("f", i), val(i)} })...)
	do(w.c, w.words([]string{"HSET", "ttl" + suffix}, n, func(i int) []string { return []string{fmt.Sprint("f", i), val(i)} })...)
	do(w.c, w.words([]string{"HPEXPIRE", "ttl" + suffix, fmt.Sprint(200 + w.r.IntN(2000)), "FIELDS", fmt.Sprint(n / 2)}, n/2, func(i int) []string { return []string{fmt.Sprint("f", i)} })...)
	do(w.c, w.words([]string{"ZADD", "zset" + suffix}, n, func(i int) []string { return []string{fmt.Sprint(w.r.IntN(5000)), val(i)} })...)
	do(w.c, "SET", "string"+suffix, strings.Repeat(val(n), n*16))
	do(w.c, "XGROUP", "CREATE", "stream"+suffix, "g", "0", "MKSTREAM")
	for i := range n {
		do(w.c, "XADD", "stream"+suffix, "*", "f", val(i))
	}
	do(w.c, "XREADGROUP", "GROUP", "g", "c1", "COUNT", fmt.Sprint(n/2), "STREAMS", "stream"+suffix, ">")
}

var largeNames = []string{"list", "set", "hash", "ttl", "zset", "string", "stream"}

// write does one random write, most of the time to a small key.
func (w *writer) write() {
	r, k := w.r, w.key()
	w.n++
	val := fmt.Sprint("v", w.n)
	large := func(t string) string { return fmt.Sprint(t, r.IntN(3)) }
	f := fmt.Sprint("f", r.IntN(3000))
	cmds := [][]string{
		{"SET", k, val}, {"SET", k, val, "PX", fmt.Sprint(1 + r.IntN(3000))}, {"APPEND", k, val}, {"SETRANGE", k, "3", val},
		{"GETEX", k, "PERSIST"}, {"GETDEL", k}, {"GETSET", k, val}, {"INCR", "n" + k}, {"INCRBYFLOAT", "n" + k, "1.5"},
		{"SETBIT", k, fmt.Sprint(r.IntN(300)), "1"}, {"BITOP", "OR", k, w.key(), w.key()}, {"PFADD", "hll", val}, {"PFCOUNT", "hll"},
		{"PFMERGE", "hll2", "hll"}, {"DEL", k, w.key()}, {"UNLINK", k}, {"PEXPIRE", k, fmt.Sprint(r.IntN(2000) - 100)}, {"PERSIST", k},
		{"RENAME", k, w.key()}, {"COPY", k, w.key(), "REPLACE"}, {"COPY", k, w.key(), "DB", "1"}, {"MOVE", k, "1"}, {"RESTORE", k, "0", "x"},
		{"LPUSH", "l" + k, val}, {"LPOP", "l" + k}, {"LMOVE", "l" + k, "l" + w.key(), "LEFT", "RIGHT"},
		{"SADD", "s" + k, val}, {"SPOP", "s" + k}, {"SMOVE", "s" + k, "s" + w.key(), val}, {"SUNIONSTORE", "s" + k, "s" + w.key(), "s" + w.key()},
		{"HSET", "h" + k, f, val}, {"HDEL", "h" + k, f}, {"HPEXPIRE", "h" + k, "300", "FIELDS", "1", f}, {"HGETALL", "h" + k},
		{"ZADD", "z" + k, fmt.Sprint(r.IntN(100)), val}, {"ZPOPMIN", "z" + k}, {"ZRANGESTORE", "z" + k, "z" + w.key(), "0", "5"},
		{"XADD", "x" + k, "MAXLEN", "20", "*", "f", val}, {"XTRIM", "x" + k, "MAXLEN", "3"}, {"GEOADD", "geo", "13.3", "38.1", val},
		{"SORT", "l" + k, "ALPHA", "STORE", "l" + w.key()}, {"SELECT", fmt.Sprint(r.IntN(3))},
		{"MSET", k, val, w.key(), val}, {"EVAL", "redis.call('set',KEYS[1],ARGV[1]) redis.call('del',ARGV[2]) return 1", "1", k, val, w.key()},
		// The large ones.
		{"RPUSH", large("list"), val}, {"LPOP", large("list"), "5"}, {"LSET", large("list"), "100", val}, {"LREM", large("list"), "1", val}, {"LTRIM", large("list"), "1", "-2"},
		{"SADD", large("set"), val}, {"SPOP", large("set"), "3"}, {"SREM", large("set"), val},
		{"HSET", large("hash"), f, val}, {"HDEL", large("hash"), f}, {"HINCRBY", large("hash"), "n", "1"}, {"HSET", large("ttl"), f, val},
		{"ZADD", large("zset"), "5", val}, {"ZINCRBY", large("zset"), "1", val}, {"ZREMRANGEBYRANK", large("zset"), "0", "3"}, {"ZPOPMAX", large("zset")},
		{"APPEND", large("string"), val}, {"SETRANGE", large("string"), "5000", val}, {"SET", large("string"), val},
		{"XADD", large("stream"), "*", "f", val}, {"XREADGROUP", "GROUP", "g", "c2", "COUNT", "2", "STREAMS", large("stream"), ">"}, {"XTRIM", large("stream"), "MAXLEN", "1000"},
		{"XDEL", large("stream"), "1000000000-5"}, {"XACK", large("stream"), "g", "1000000000-7"}, {"XGROUP", "CREATE", large("stream"), val, "$"},
		{"EVAL", "redis.call('sadd',ARGV[1],'a') redis.call('hset',ARGV[2],'a','b') return redis.call('rpush',ARGV[3],'c')", "0", large("set"), large("hash"), large("list")},
		{"EVAL", "return redis.call('zadd',KEYS[1],1,ARGV[1])", "1", large("zset"), val},
	}
	cmd := cmds[r.IntN(len(cmds))]
	if r.IntN(8) == 0 { // expiries set, moved and taken away
		cmd = [][]string{{"SET", k, val, "PX", fmt.Sprint(1 + r.IntN(100_000))}, {"PEXPIRE", k, fmt.Sprint(1 + r.IntN(100_000))}, {"PERSIST", k}}[r.IntN(3)]
	}
	name := large(largeNames[r.IntN(len(largeNames))])
	switch x := r.IntN(4000); {
	case x < 20 && !w.wild:
	case x < 4:
		cmd = []string{"FLUSHDB"}
	case x < 6:
		cmd = []string{"FLUSHALL"}
	case x < 20:
		cmd = []string{"SWAPDB", fmt.Sprint(r.IntN(3)), fmt.Sprint(r.IntN(3))}
	case x < 30:
		cmd = []string{"DEL", name}
	case x < 40:
		cmd = []string{"RENAME", name, large(largeNames[r.IntN(len(largeNames))])}
	case x < 50:
		cmd = []string{"PEXPIRE", name, fmt.Sprint(r.IntN(3000))}
	case x < 60:
		cmd = []string{"SET", name, val}
	case x < 70:
		cmd = []string{"MOVE", name, "1"}
	case x < 80:
		cmd = []string{"COPY", name, large("copy"), "REPLACE"}
	case x < 200:
		do(w.c, "MULTI")
		do(w.c, cmd...)
		do(w.c, cmds[r.IntN(len(cmds))]...)
		cmd = []string{"EXEC"}
	}
	do(w.c, cmd...)
}

// TestSnapshotIsOfOneMoment: whatever is written, flushed, swapped or expires while
// a snapshot is taken, it holds what there was at its start.
func TestSnapshotIsOfOneMoment(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		s, h := newTestServer(t, "databases", "4", "enable-debug-command", "yes")
		h.slow = 20_000
		clients := []*Client{newTestClient(s), newTestClient(s), newTestClient(s)}
		debug := newTestClient(s)
		w := &writer{r: r, keys: []int{100, 1000, 5000}[round%3]}
		for i := range 3 {
			w.c = clients[0]
			w.fill(1500+r.IntN(1000), fmt.Sprint(i))
			do(clients[0], "SELECT", fmt.Sprint(i))
		}
		for range min(2*w.keys, 4000) {
			w.c = clients[r.IntN(3)]
			w.write()
		}
		w.wild = round%4 != 0
		h.spin()
		want, start := stateOf(s), h.milli
		var file bytes.Buffer
		var outcome error
		done, full := false, false
		sn, err := s.BeginSnapshot(SnapshotOptions{
			Version: 12, Functions: true, Keys: true,
			Sink: func(p []byte) { file.Write(p) }, Room: func() bool { return !full },
			Done: func(err error) { done, outcome = true, err },
		})
		if err != nil {
			t.Fatal(err)
		}
		writes := 0
		for !done {
			w.c = clients[r.IntN(3)]
			for range r.IntN(30) {
				w.write()
				writes++
			}
			switch r.IntN(20) {
			case 0:
				h.milli += int64(r.IntN(300))
				s.Cron()
			case 1:
				if got := do(debug, "DEBUG", "COMPACT"); got != "+OK\r\n" {
					t.Fatal(got)
				}
			case 2:
				full = !full
			case 3:
				s.KS.Maintain(h.Nanos, 1e6)
			case 4: // tables grow, and shrink
				for i := range r.IntN(300) {
					do(w.c, "SET", fmt.Sprint("more", writes, "-", i), "v")
					do(w.c, "DEL", w.key(), "l"+w.key(), "s"+w.key(), "h"+w.key(), "z"+w.key())
				}
			}
			full = full && writes < 50_000
			list, timers := h.again, h.timer
			h.again, h.timer = nil, nil
			for _, fn := range append(list, timers...) {
				fn()
			}
			h.turn()
		}
		if outcome != nil {
			t.Fatal(outcome)
		}
		if s.snapshot != nil || s.KS.Snapshot() != nil {
			t.Fatal("the snapshot is under way still")
		}
		h.spin()
		for _, c := range clients {
			if c.flags&flagPostponed != 0 {
				t.Fatal("a client waits for ever")
			}
		}
		t.Logf("round %d: %d keys, %d writes meanwhile, %d segments early, %d bytes", round, len(want), writes, sn.walk.Early(), file.Len())
		compareStates(t, loadState(t, file.Bytes(), start), want)
		if err := s.KS.Check(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSnapshotGivenUp: one that is given up leaves nothing behind, wherever it was.
func TestSnapshotGivenUp(t *testing.T) {
	s, h := newTestServer(t)
	h.slow = 20_000
	c := newTestClient(s)
	w := &writer{r: rand.New(rand.NewPCG(1, 2)), c: c, keys: 10}
	w.fill(2000, "0")
	for turns := range 40 {
		var got error
		sn, err := s.BeginSnapshot(SnapshotOptions{
			Version: 12, Keys: true, Sink: func([]byte) {}, Room: func() bool { return true },
			Done: func(err error) { got = err },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.BeginSnapshot(SnapshotOptions{Version: 10}); !errors.Is(err, errSnapshotRunning) {
			t.Fatal("a second snapshot:", err)
		}
		for range turns {
			list := h.again
			h.again = nil
			for _, fn := range list {
				fn()
			}
		}
		do(c, "DEL", largeNames[turns%len(largeNames)]+"0")
		why := errors.New("enough")
		if s.snapshot != nil {
			sn.Abort(why)
			if !errors.Is(got, why) {
				t.Fatalf("given up after %d turns: %v", turns, got)
			}
		}
		h.spin()
		w.fill(2000, "0")
	}
	for s.KS.LazyPending() > 0 {
		s.KS.Maintain(h.Nanos, 1e9)
	}
}

// TestWritesWait: a write to a large value waits until that is in the snapshot, and
// so do scripts and transactions that say what they write; others do not.
func TestWritesWait(t *testing.T) {
	s, h := newTestServer(t)
	c, other := newTestClient(s), newTestClient(s)
	w := &writer{r: rand.New(rand.NewPCG(1, 2)), c: c, keys: 10}
	w.fill(3000, "0")
	for _, cmd := range [][]string{
		{"SADD", "set0", "x"}, {"ZADD", "zset0", "1", "x"}, {"RPUSH", "list0", "x"}, {"HSET", "hash0", "x", "y"}, {"XADD", "stream0", "*", "f", "v"},
		{"EVAL", "return redis.call('sadd',KEYS[1],'y')", "1", "set0"}, {"EXEC"},
	} {
		done := false
		if _, err := s.BeginSnapshot(SnapshotOptions{
			Version: 12, Keys: true, Sink: func([]byte) {}, Room: func() bool { return true },
			Done: func(error) { done = true },
		}); err != nil {
			t.Fatal(err)
		}
		if cmd[0] == "EXEC" {
			do(c, "MULTI")
			do(c, "SET", "small", "1")
			do(c, "ZADD", "zset0", "1", "z")
		}
		if got := do(c, cmd...); got != "" || c.flags&flagPostponed == 0 {
			t.Errorf("%q did not wait: %q", cmd, got)
		}
		if got := do(other, "SET", "k", "v"); got != "+OK\r\n" {
			t.Errorf("SET of a small key beside it: %q", got)
		}
		if got := do(other, "SCARD", "set0"); got == "" {
			t.Errorf("a read waits")
		}
		if got := do(other, "DEL", "string0"); got == "" {
			t.Error("DEL of a large value waits")
		}
		c.SetOutput(make([]byte, 0, 100))
		h.spin()
		if out := string(c.Output()); out == "" || out[0] == '-' || !done {
			t.Errorf("%q answers %q, snapshot done: %v", cmd, out, done)
		}
		c.SetOutput(nil)
	}
}
