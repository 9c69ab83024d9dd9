package replication

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file shows what clients of a replica see of the stream: keyspace events, watched keys, cached keys. A redis-server and ours follow
// the same master, and their clients must be told the same.

type twins struct {
	t           *testing.T
	master      *testutil.Conn
	redis, ours *testutil.Server
	ctl         [2]*testutil.Conn
	conns       map[string][2]*testutil.Conn
}

func newTwins(t *testing.T, args ...string) *twins {
	t.Helper()
	m := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0", "--hz", "100")
	w := &twins{t: t, master: m.Dial(t), conns: map[string][2]*testutil.Conn{}}
	args = append([]string{"--replicaof", fmt.Sprintf("127.0.0.1 %d", m.Port)}, args...)
	var wg sync.WaitGroup
	wg.Go(func() { w.redis = testutil.StartRedis(t, args...) })
	wg.Go(func() { w.ours = testutil.StartOurs(t, args...) })
	wg.Wait()
	if w.redis == nil || w.ours == nil {
		t.FailNow()
	}
	w.ctl = [2]*testutil.Conn{w.redis.Dial(t), w.ours.Dial(t)}
	w.settle()
	return w
}

// settle waits until both have all that the master has sent.
func (w *twins) settle() {
	w.t.Helper()
	testutil.Eventually(w.t, syncTimeout, "both are in step", func() error {
		m, err := w.master.Info("replication")
		if err != nil {
			return err
		}
		for _, c := range w.ctl {
			r, err := c.Info("replication")
			if err != nil {
				return err
			}
			if r["master_link_status"] != "up" || r["slave_repl_offset"] != m["master_repl_offset"] || r["master_replid"] != m["master_replid"] {
				return fmt.Errorf("link %s, at %s of %s", r["master_link_status"], r["slave_repl_offset"], m["master_repl_offset"])
			}
		}
		return nil
	})
}

// write has the master execute a command, and the replicas apply it.
func (w *twins) write(cmd ...string) {
	w.t.Helper()
	w.master.Must(w.t, cmd...)
	w.settle()
}

func (w *twins) conn(name string) [2]*testutil.Conn {
	c, ok := w.conns[name]
	if !ok {
		c = [2]*testutil.Conn{w.redis.Dial(w.t), w.ours.Dial(w.t)}
		w.conns[name] = c
	}
	return c
}

// do has a client of each replica send a command, and compares the replies. No words: what comes by itself is compared.
func (w *twins) do(name string, cmd ...string) {
	w.t.Helper()
	var raw [2][]byte
	for i, c := range w.conn(name) {
		if len(cmd) > 0 {
			if err := c.Send(cmd...); err != nil {
				w.t.Fatal(err)
			}
		}
		c.SetTimeout(10 * time.Second)
		_, b, err := c.Read()
		if err != nil {
			w.t.Fatalf("%q of %s, server %d: %v", cmd, name, i, err)
		}
		raw[i] = b
	}
	if !bytes.Equal(raw[0], raw[1]) {
		w.t.Errorf("%q of %s:\n  redis: %q\n  ours:  %q", cmd, name, raw[0], raw[1])
	}
}

// quiet has a client ask for something whose reply must be the next thing that it gets.
func (w *twins) quiet(name string) {
	w.t.Helper()
	for i, c := range w.conn(name) {
		if v, err := c.Do("PING"); err != nil || v.Text != "PONG" {
			w.t.Errorf("server %d tells %s %v, %v", i, name, v, err)
		}
	}
}

// resync gives the master another history, so that both synchronise in full.
func (w *twins) resync() {
	w.t.Helper()
	before := [2]string{}
	for i, c := range w.ctl {
		info, err := c.Info("replication")
		if err != nil {
			w.t.Fatal(err)
		}
		before[i] = info["master_replid"]
	}
	w.master.Must(w.t, "DEBUG", "CHANGE-REPL-ID")
	w.master.Must(w.t, "CLIENT", "KILL", "TYPE", "replica")
	w.settle()
	for i, c := range w.ctl {
		if info, err := c.Info("replication"); err != nil || info["master_replid"] == before[i] {
			w.t.Errorf("server %d did not synchronise anew: %v", i, err)
		}
	}
}

// TestEventsOfTheStream: random writes fire the same keyspace events, in the same order, as at a redis-server that is a replica.
func TestEventsOfTheStream(t *testing.T) {
	t.Parallel()
	s := seed(t)
	w := newTwins(t, "--notify-keyspace-events", "KEAn")
	var events [2][]string
	var wg sync.WaitGroup
	const end = "the last message"
	for i, c := range w.conn("subscriber") {
		c.Must(t, "PSUBSCRIBE", "*")
		c.SetTimeout(60 * time.Second)
		wg.Go(func() {
			for {
				v, _, err := c.Read()
				if err != nil || len(v.Elems) != 4 {
					t.Errorf("server %d: %v, %v", i, v, err)
					return
				}
				if v.Elems[3].Text == end {
					return
				}
				events[i] = append(events[i], v.Elems[2].Text+" "+v.Elems[3].Text)
			}
		})
	}
	seedData(t, s, scaled(4000))(w.master)
	for _, cmd := range [][]string{ // classes that the random history may have missed
		{"SET", "string", "v"}, {"RPUSH", "list", "a", "b"}, {"SADD", "set", "a"}, {"HSET", "hash", "f", "v"}, {"ZADD", "zset", "1", "a"}, {"XADD", "stream", "1-1", "f", "v"},
		{"SET", "short", "v", "PX", "1"}, {"XGROUP", "CREATE", "stream", "g", "0"}, {"XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"}, {"XDEL", "stream", "1-1"}, {"XTRIM", "stream", "MAXLEN", "0"},
		{"LTRIM", "list", "1", "0"}, {"SPOP", "set"}, {"HDEL", "hash", "f"}, {"ZPOPMIN", "zset"}, {"RENAME", "string", "other"}, {"EXPIRE", "other", "-1"},
		{"EVAL", "redis.call('SET', KEYS[1], 1) redis.call('DEL', KEYS[1])", "1", "scripted"}, {"GEOADD", "geo", "1", "1", "a"}, {"PFADD", "hll", "a"}, {"SETBIT", "bits", "1", "1"}, {"BITOP", "NOT", "bits", "bits"},
	} {
		w.master.Must(t, cmd...)
	}
	time.Sleep(5 * time.Millisecond)
	w.master.Must(t, "GET", "short")
	w.write("PUBLISH", "channel", end)
	wg.Wait()
	if len(events[0]) < 1000 {
		t.Errorf("only %d events", len(events[0]))
	}
	if !slices.Equal(events[0], events[1]) {
		at := 0
		for at < len(events[0]) && at < len(events[1]) && events[0][at] == events[1][at] {
			at++
		}
		show := func(list []string) string { return strings.Join(list[max(at-3, 0):min(at+4, len(list))], "\n    ") }
		t.Errorf("%d events and %d, and they part at %d:\n  redis:\n    %s\n  ours:\n    %s", len(events[0]), len(events[1]), at, show(events[0]), show(events[1]))
	}
	for _, want := range []string{"__keyevent@0__:set", "__keyevent@0__:rpush", "__keyevent@0__:sadd", "__keyevent@0__:hset", "__keyevent@0__:zadd", "__keyevent@0__:xadd", "__keyevent@0__:del", "__keyevent@0__:new", "__keyspace@0__:list"} {
		if !slices.ContainsFunc(events[1], func(e string) bool { return strings.HasPrefix(e, want+" ") }) {
			t.Errorf("no %s", want)
		}
	}
}

// TestWatchOnReplica: EXEC on a replica fails when the stream, an expiry, a flush or a full synchronisation has changed a watched key.
func TestWatchOnReplica(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	w.write("MSET", "k", "1", "other", "1")
	exec := func() {
		t.Helper()
		w.do("a", "MULTI")
		w.do("a", "GET", "k")
		w.do("a", "EXEC")
	}
	for _, change := range []func(){
		func() { w.write("SET", "k", "2") },
		func() { w.write("SET", "other", "2") },
		func() { w.write("DEL", "nokey") },
		func() { w.write("DEL", "k") },
		func() { w.write("RPUSH", "k", "a") },
		func() { w.write("FLUSHALL") },
		func() { w.write("FLUSHALL") },
		func() { w.write("SET", "k", "v", "PX", "30") },
		func() { // it expires after WATCH
			time.Sleep(60 * time.Millisecond)
			w.write("DEL", "nokey")
		},
		func() { w.write("SET", "k", "3") },
		func() { w.write("EXPIRE", "k", "100") },
		func() { w.write("SWAPDB", "0", "1") },
		func() { w.write("EVAL", "redis.call('SET', KEYS[1], 4)", "1", "k") },
		func() { w.resync() },
		func() { w.write("DEL", "k"); w.resync() },
		func() { w.resync() },
	} {
		w.do("a", "WATCH", "k")
		change()
		exec()
	}
}

// TestTrackingOnReplica: clients that cache are told of what the stream changes, of expiry, flush and full synchronisation.
func TestTrackingOnReplica(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	w.write("MSET", "k", "1", "user:1", "a", "other", "x")
	for _, name := range []string{"a", "b", "n"} {
		for _, c := range w.conn(name) {
			c.Must(t, "HELLO", "3")
		}
	}
	w.do("a", "CLIENT", "TRACKING", "ON")
	w.do("b", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:")
	w.do("n", "CLIENT", "TRACKING", "ON", "OPTIN")
	w.do("a", "MGET", "k", "user:1", "nokey")
	w.write("SET", "k", "2")
	w.do("a")
	w.write("SET", "k", "3") // told once
	w.write("SET", "user:1", "b")
	w.do("a")
	w.do("b")
	w.write("SET", "nokey", "now")
	w.do("a")
	w.quiet("n")
	// Each type's writes.
	for _, cmds := range [][]string{
		{"RPUSH l a", "LLEN l"}, {"LPOP l", "LRANGE l 0 -1"}, {"HSET h f v", "HGETALL h"}, {"SADD s a", "SCARD s"}, {"ZADD z 1 a", "ZCARD z"}, {"XADD x 1-1 f v", "XLEN x"}, {"XTRIM x MAXLEN 0", "XINFO STREAM x"},
		{"EXPIRE h 100", "TTL h"}, {"RENAME h g", "EXISTS h"}, {"INCR n", "GET n"}, {"EVAL redis.call('SET',KEYS[1],1) 1 n", "GET n"}, {"COPY n m", "GET m"}, {"SETBIT bit 1 1", "GETBIT bit 1"}, {"UNLINK n", "STRLEN n"},
	} {
		w.do("a", strings.Fields(cmds[1])...)
		w.write(strings.Fields(cmds[0])...)
		w.do("a")
	}
	w.quiet("a")
	// Expiry: told when the master's DEL comes.
	w.write("SET", "e", "v", "PX", "100")
	w.do("a", "GET", "e")
	testutil.Eventually(t, 10*time.Second, "the master has deleted it", func() error {
		if n := w.master.Must(t, "EXISTS", "e").Int; n != 0 {
			return errors.New("not yet")
		}
		return nil
	})
	w.settle()
	w.do("a")
	w.quiet("a")
	// In one transaction of the master: broadcasts are gathered.
	w.master.Must(t, "MULTI")
	for _, k := range []string{"user:3", "user:2", "user:9", "user:2", "else"} {
		w.master.Must(t, "SET", k, "v")
	}
	w.write("EXEC")
	w.do("b")
	w.quiet("b")
	w.do("n", "CLIENT", "CACHING", "YES")
	w.do("n", "GET", "user:2")
	w.do("a", "GET", "other")
	w.write("FLUSHALL")
	for _, name := range []string{"a", "b", "n"} {
		w.do(name)
		w.quiet(name)
	}
	w.write("SET", "k", "v")
	w.do("a", "GET", "k")
	w.resync()
	for _, name := range []string{"a", "b", "n"} {
		w.do(name)
		w.quiet(name)
	}
	w.do("a", "GET", "k")
	w.write("SET", "k", "after")
	w.do("a")
}

// TestReplicaAwareClients: drivers that route reads send READONLY to whatever they read from, and Valkey's ask where to write.
func TestReplicaAwareClients(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	info, err := w.ctl[1].Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	c := w.ours.Dial(t)
	says := func(want string, cmd ...string) {
		t.Helper()
		if v, err := c.Do(cmd...); err != nil || v.Text != want {
			t.Errorf("%q answers %v, %v; want %q", cmd, v, err, want)
		}
	}
	w.write("SET", "k", "v")
	says("OK", "READONLY")
	says("v", "GET", "k")
	says("READONLY You can't write against a read only replica.", "SET", "k", "w")
	says("OK", "READWRITE")
	// What is there for clusters only answers as redis-server does.
	for _, cmd := range []string{"ASKING", "CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOTS", "CLUSTER MYID", "CLUSTER KEYSLOT k", "CLUSTER FOO", "CLUSTER"} {
		w.do("a", strings.Fields(cmd)...)
	}
	redirect := "REDIRECT " + info["master_host"] + ":" + info["master_port"]
	says("OK", "CLIENT", "CAPA", "redirect")
	says(redirect, "SET", "k", "w")
	says(redirect, "GET", "k") // until it says that it reads here
	says("OK", "READONLY")
	says("v", "GET", "k")
	says(redirect, "DEL", "k")
	says("OK", "READWRITE")
	says(redirect, "GET", "k")
	says("PONG", "PING")
	says("RESET", "RESET")
	says("READONLY You can't write against a read only replica.", "SET", "k", "w")
	c.Must(t, "CLIENT", "CAPA", "redirect")
	c.Must(t, "REPLICAOF", "NO", "ONE")
	says("OK", "SET", "k", "w")
	says("w", "GET", "k")
	says("ERR This instance has cluster support disabled", "READONLY")
	says("ERR This instance has cluster support disabled", "READWRITE")
}
