package replication

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// Ours as a master: real redis-servers and our own replicas follow it.

// quick are the settings of a master that starts a full sync at once.
var quick = []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--repl-backlog-size", "64mb"}

// node is one server of a topology.
type node struct {
	*testutil.Server
	c *testutil.Conn
}

func ours(t *testing.T, args ...string) *node {
	s := testutil.StartOurs(t, append(append([]string{}, quick...), args...)...)
	return &node{s, s.Dial(t)}
}

func real(t *testing.T, args ...string) *node {
	s := testutil.StartRedis(t, append(append([]string{}, quick...), args...)...)
	return &node{s, s.Dial(t)}
}

func follow(port int) []string { return []string{"--replicaof", "127.0.0.1", strconv.Itoa(port)} }

// settled waits until a chain of servers has the same offset and the same data.
func settled(t *testing.T, head *node, chain ...*node) {
	t.Helper()
	for _, n := range chain {
		testutil.Eventually(t, syncTimeout, "a replica has the master's offset", func() error {
			a, err := head.c.Info("replication")
			if err != nil {
				return err
			}
			b, err := n.c.Info("replication")
			if err != nil {
				return err
			}
			if b["master_link_status"] != "up" || a["master_replid"] != b["master_replid"] || a["master_repl_offset"] != b["master_repl_offset"] {
				return fmt.Errorf("%s %s at %s; the master has %s at %s", b["master_link_status"], b["master_replid"], b["master_repl_offset"], a["master_replid"], a["master_repl_offset"])
			}
			return nil
		})
		testutil.Eventually(t, 10*time.Second, "equal data", func() error { return testutil.SameDigest(head.c, n.c) })
	}
}

func (n *node) counts(t *testing.T) (full, partial string) {
	t.Helper()
	info, err := n.c.Info("stats")
	if err != nil {
		t.Fatal(err)
	}
	return info["sync_full"], info["sync_partial_ok"]
}

// TestRedisFollowsUs: a real redis-server and one of ours follow us through cuts of their links under random writes.
func TestRedisFollowsUs(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 11))
	m := ours(t)
	seedData(t, s, scaled(3000))(m.c)
	proxy := testutil.NewProxy(t, m.Addr())
	replicas := []*node{real(t, follow(proxy.Port())...), ours(t, follow(proxy.Port())...)}
	settled(t, m, replicas...)
	w := newWriter(t, m.Server, s)
	for range scaled(10) {
		proxy.CutAfter(1 + rnd.Int64N(100_000))
		if err := w.write(scaled(1500)); err != nil {
			t.Fatal(err)
		}
	}
	proxy.CutAfter(1 << 60)
	if err := w.write(scaled(1000)); err != nil {
		t.Fatal(err)
	}
	settled(t, m, replicas...)
	if full, partial := m.counts(t); full != "2" || partial == "0" {
		t.Errorf("%s full and %s partial syncs; want 2 full, and partial ones for the cuts", full, partial)
	}
	info, _ := m.c.Info("replication")
	if info["connected_slaves"] != "2" || !strings.Contains(info["slave0"], "state=online") {
		t.Errorf("INFO: %v", info)
	}
}

// TestWritesDuringFullSync: what is written while a snapshot is on its way follows it.
func TestWritesDuringFullSync(t *testing.T) {
	t.Parallel()
	s := seed(t)
	m := ours(t)
	m.c.Must(t, "DEBUG", "POPULATE", strconv.Itoa(scaled(200000)), "k", "100")
	w := newWriter(t, m.Server, s)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := w.write(200); err != nil {
					done <- err
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
	}()
	replicas := []*node{real(t, follow(m.Port)...), ours(t, follow(m.Port)...)}
	for _, r := range replicas {
		testutil.Eventually(t, syncTimeout, "the replica is up", func() error { return wantInfo(r.c, "replication", "master_link_status", "up") })
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	settled(t, m, replicas...)
}

// TestChain: redis → ours → redis → ours, cuts included, then the second is promoted and the rest resumes.
func TestChain(t *testing.T) {
	t.Parallel()
	s := seed(t)
	// A PING of the old master after the promotion, or the DEL of what expires, would be a history of its own.
	head := real(t, "--repl-ping-replica-period", "3600")
	seedData(t, s, scaled(3000))(head.c)
	p1 := testutil.NewProxy(t, head.Addr())
	a := ours(t, follow(p1.Port())...)
	testutil.Eventually(t, syncTimeout, "the first link is up", func() error { return wantInfo(a.c, "replication", "master_link_status", "up") })
	p2 := testutil.NewProxy(t, a.Addr())
	b := real(t, follow(p2.Port())...)
	testutil.Eventually(t, syncTimeout, "the second link is up", func() error { return wantInfo(b.c, "replication", "master_link_status", "up") })
	c := ours(t, follow(b.Port)...)
	w := newWriter(t, head.Server, s)
	rnd := rand.New(rand.NewPCG(s, 12))
	for range scaled(6) {
		p1.CutAfter(1 + rnd.Int64N(100_000))
		p2.CutAfter(1 + rnd.Int64N(100_000))
		if err := w.write(scaled(1500)); err != nil {
			t.Fatal(err)
		}
	}
	p1.CutAfter(1 << 60)
	p2.CutAfter(1 << 60)
	head.c.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	settled(t, head, a, b, c)
	if full, _ := a.counts(t); full != "1" {
		t.Errorf("%s full syncs of the replica behind us, want 1", full)
	}
	// Promotion: the history goes on under a new id, and who followed it resumes.
	a.c.Must(t, "REPLICAOF", "NO", "ONE")
	w2 := newWriter(t, a.Server, s+1)
	if err := w2.write(scaled(2000)); err != nil {
		t.Fatal(err)
	}
	settled(t, a, b, c)
	if full, _ := a.counts(t); full != "1" {
		t.Errorf("%s full syncs after the promotion, want 1", full)
	}
	// The old master follows: what it has beyond the promotion is nothing, so it resumes too.
	head.c.Must(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(a.Port))
	if err := w2.write(scaled(500)); err != nil {
		t.Fatal(err)
	}
	settled(t, a, b, c, head)
	if full, _ := a.counts(t); full != "1" {
		t.Errorf("%s full syncs after the old master joined, want 1", full)
	}
}

// TestSubReplicaOfALostMaster: a replica that has no master to speak of takes nobody.
func TestSubReplicaOfALostMaster(t *testing.T) {
	t.Parallel()
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	r := ours(t, follow(port)...)
	for _, cmd := range [][]string{{"PSYNC", "?", "-1"}, {"SYNC"}} {
		if v, err := r.c.Do(cmd...); err != nil || v.Text != "NOMASTERLINK Can't SYNC while not connected with my master" {
			t.Errorf("%v answers %v, %v", cmd, v, err)
		}
	}
}

// TestWait compares WAIT on ours with WAIT on redis-server, each with one replica that is stopped and goes on.
func TestWait(t *testing.T) {
	t.Parallel()
	for _, m := range []*node{real(t), ours(t)} {
		r := real(t, follow(m.Port)...)
		settled(t, m, r)
		c := m.Dial(t)
		wait := func(want int64, args ...string) {
			t.Helper()
			if v := c.Must(t, append([]string{"WAIT"}, args...)...); v.Int != want {
				t.Errorf("%s: WAIT %v answers %v, want %d", m.Name, args, v, want)
			}
		}
		wait(1, "1", "1000") // nothing written
		c.Must(t, "SET", "k", "v")
		wait(1, "1", "5000")
		wait(1, "0", "1000")
		wait(1, "2", "50") // one is all there is
		if err := r.Suspend(); err != nil {
			t.Fatal(err)
		}
		c.Must(t, "SET", "k", "w")
		wait(0, "1", "100")
		c.Must(t, "MULTI")
		c.Must(t, "WAIT", "1", "0")
		if v := c.Must(t, "EXEC"); len(v.Elems) != 1 || v.Elems[0].Int != 0 {
			t.Errorf("%s: WAIT in a transaction: %v", m.Name, v)
		}
		if err := c.Send("WAIT", "1", "10000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := r.Resume(); err != nil {
			t.Fatal(err)
		}
		if v, _, err := c.Read(); err != nil || v.Int != 1 {
			t.Errorf("%s: WAIT answers %v, %v when the replica goes on", m.Name, v, err)
		}
		if v, err := r.c.Do("WAIT", "1", "1"); err != nil || !strings.HasPrefix(v.Text, "ERR WAIT cannot be used with replica") {
			t.Errorf("WAIT on a replica: %v, %v", v, err)
		}
	}
}

// TestMinReplicas: writes are refused without enough replicas that acknowledge.
func TestMinReplicas(t *testing.T) {
	t.Parallel()
	for _, m := range []*node{real(t, "--min-replicas-to-write", "1"), ours(t, "--min-replicas-to-write", "1")} {
		const refusal = "NOREPLICAS Not enough good replicas to write."
		for _, cmd := range [][]string{{"SET", "k", "v"}, {"EVAL", "return redis.call('set','k','v')", "0"}} {
			if v, err := m.c.Do(cmd...); err != nil || !strings.HasPrefix(v.Text, refusal) {
				t.Errorf("%s: %v without a replica: %v, %v", m.Name, cmd, v, err)
			}
		}
		m.c.Must(t, "GET", "k")
		r := real(t, follow(m.Port)...)
		testutil.Eventually(t, syncTimeout, "the master may write", func() error {
			v, err := m.c.Do("SET", "k", "v")
			if err == nil {
				err = v.Err()
			}
			return err
		})
		settled(t, m, r)
		info, _ := m.c.Info("replication")
		if info["min_slaves_good_slaves"] != "1" {
			t.Errorf("%s: min_slaves_good_slaves:%s", m.Name, info["min_slaves_good_slaves"])
		}
	}
}

// TestRedisCLI: redis-cli --rdb saves our data, --replica shows our stream.
func TestRedisCLI(t *testing.T) {
	t.Parallel()
	m := ours(t)
	seedData(t, 5, 500)(m.c)
	time.Sleep(500 * time.Millisecond) // what is due soon goes
	digest, err := m.c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "dump.rdb")
	if out, err := exec.Command("redis-cli", "-p", strconv.Itoa(m.Port), "--rdb", file).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --rdb: %v\n%s", err, out)
	}
	if st, err := os.Stat(file); err != nil || st.Size() == 0 {
		t.Fatalf("the file: %v, %v", st, err)
	}
	r := real(t, "--dir", dir, "--dbfilename", "dump.rdb")
	if got, err := r.c.Digest(); err != nil || got != digest {
		t.Errorf("what redis-server loads has the digest %s, %v; ours is %s", got, err, digest)
	}
	cli := exec.Command("redis-cli", "-p", strconv.Itoa(m.Port), "--replica")
	out, err := cli.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cli.Process.Kill(); cli.Wait() }()
	seen := make(chan bool)
	go func() {
		var all []byte
		b := make([]byte, 4096)
		for {
			n, err := out.Read(b)
			all = append(all, b[:n]...)
			if strings.Contains(string(all), "witness") || err != nil {
				seen <- err == nil
				return
			}
		}
	}()
	deadline := time.After(20 * time.Second)
	for {
		m.c.Must(t, "SET", "witness", "v")
		select {
		case ok := <-seen:
			if !ok {
				t.Error("redis-cli --replica ended without showing a write")
			}
			return
		case <-deadline:
			t.Fatal("redis-cli --replica shows no write")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
