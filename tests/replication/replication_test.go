package replication

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// seedData puts a little of everything that exists into a master, with and without expiries, in several databases.
func seedData(t *testing.T, seed uint64, n int) func(m *testutil.Conn) {
	return func(m *testutil.Conn) {
		w := &writer{rnd: rand.New(rand.NewPCG(seed, 7)), conn: m}
		for _, k := range writes {
			for range k.weight {
				w.all = append(w.all, k)
			}
		}
		if err := w.write(n); err != nil {
			t.Fatal(err)
		}
		m.Must(t, "SELECT", "0")
	}
}

// TestFollow: full sync of existing data, then random writes; from disk and diskless masters.
func TestFollow(t *testing.T) {
	t.Parallel()
	for _, diskless := range []string{"no", "yes"} {
		t.Run("diskless="+diskless, func(t *testing.T) {
			s := seed(t)
			c := newCluster(t, clusterOptions{master: []string{"--repl-diskless-sync", diskless}, populate: seedData(t, s, scaled(5000))})
			c.online()
			c.checkpoint()
			w := newWriter(t, c.master, s)
			for range 5 {
				if err := w.write(scaled(5000)); err != nil {
					t.Fatal(err)
				}
				c.checkpoint()
			}
			if full, partial := c.syncs(); full != 1 || partial != 0 {
				t.Errorf("%d full and %d partial syncs, want 1 and 0", full, partial)
			}
			if v := c.r.Must(t, "ROLE"); len(v.Elems) != 5 || v.Elems[0].Text != "slave" || v.Elems[3].Text != "connected" {
				t.Errorf("ROLE: %v", v)
			}
			if v, err := c.r.Do("SET", "k", "v"); err != nil || v.Text != "READONLY You can't write against a read only replica." {
				t.Errorf("a write to the replica: %v, %v", v, err)
			}
		})
	}
}

// TestCutLink cuts the link at random bytes of the stream while the master is written to. Every reconnect must be a partial sync.
func TestCutLink(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 3))
	c := newCluster(t, clusterOptions{populate: seedData(t, s, scaled(2000))})
	c.online()
	w := newWriter(t, c.master, s)
	cuts := 0
	for range scaled(25) {
		before := c.proxy.Opened()
		c.proxy.CutAfter(1 + rnd.Int64N(1<<uint(4+rnd.IntN(14))))
		// Write until the link has been cut and the replica is back.
		for done := false; !done; done = c.proxy.Opened() > before {
			if err := w.write(100); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		cuts++
		if rnd.IntN(3) == 0 {
			c.checkpoint()
		}
	}
	c.checkpoint()
	full, partial := c.syncs()
	// A cut may fall into the handshake that follows another: that one is not counted.
	if full != 1 || partial < cuts/2 {
		t.Errorf("after %d cuts: %d full and %d partial syncs; want 1 full, and a partial one for most cuts", cuts, full, partial)
	}
}

// TestCutDuringSync cuts the link at random bytes of the handshake and the payload. What the replica had before is served all the while.
func TestCutDuringSync(t *testing.T) {
	t.Parallel()
	for _, diskless := range []string{"no", "yes"} {
		t.Run("diskless="+diskless, func(t *testing.T) {
			s := seed(t)
			rnd := rand.New(rand.NewPCG(s, 4))
			// The replica has synchronised once, so it holds data; then the master's history changes, and cuts hit the next full sync.
			c := newCluster(t, clusterOptions{master: []string{"--repl-diskless-sync", diskless}, populate: seedData(t, s, scaled(3000))})
			c.online()
			c.checkpoint()
			c.m.Must(t, "SELECT", "0")
			c.m.Must(t, "SET", "witness", "old")
			c.checkpoint()

			size := int64(snapshotSize(t, c))
			c.proxy.Refuse(true)
			newHistory(t, c)
			for i := range max(scaled(7), 2) { // each failure makes the replica wait longer
				before := c.proxy.Opened()
				c.proxy.CutAfter(1 + rnd.Int64N(max(size*3/4, 100)))
				c.proxy.Refuse(false)
				// The next cut is set only when this one has come: set in the middle of a payload, it could lie behind its end.
				testutil.Eventually(t, syncTimeout, "the replica tries again and is cut", func() error {
					if c.proxy.Opened() == before || c.proxy.Armed() {
						return fmt.Errorf("%d connections so far", before)
					}
					return nil
				})
				if v, err := c.r.Do("GET", "witness"); err != nil || (v.Text != "old" && v.Text != "new") {
					t.Fatalf("round %d: GET witness: %v, %v", i, v, err)
				}
			}
			c.proxy.CutNow()
			c.online()
			c.checkpoint()
			if v := c.r.Must(t, "GET", "witness"); v.Text != "new" {
				t.Errorf("witness is %v", v)
			}
		})
	}
}

// snapshotSize is how many bytes the master's RDB has.
func snapshotSize(t *testing.T, c *cluster) int {
	t.Helper()
	c.m.Must(t, "SAVE")
	info, err := os.Stat(filepath.Join(c.master.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}

// newHistory gives the master another replication id, so that no partial sync is possible, and changes the witness.
func newHistory(t *testing.T, c *cluster) {
	t.Helper()
	c.m.Must(t, "SELECT", "0")
	c.m.Must(t, "SET", "witness", "new")
	c.m.Must(t, "DEBUG", "CHANGE-REPL-ID")
}

// TestSmallBacklog: when the master has lost the bytes, a full sync follows, and only one.
func TestSmallBacklog(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{master: []string{"--repl-backlog-size", "16kb"}, populate: seedData(t, s, 1000)})
	c.online()
	c.checkpoint()
	c.proxy.Refuse(true)
	w := newWriter(t, c.master, s)
	if err := w.write(scaled(10000)); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 10*time.Second, "the replica says that the link is down", func() error { return wantInfo(c.r, "replication", "master_link_status", "down") })
	c.r.Must(t, "DBSIZE") // the old data is served
	c.proxy.Refuse(false)
	c.online()
	c.checkpoint()
	if full, _ := c.syncs(); full != 2 {
		t.Errorf("%d full syncs, want 2", full)
	}
}

// TestMasterRestarts: the master comes back empty, with a new replication id; the replica keeps the old data until the new has come.
func TestMasterRestarts(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{populate: seedData(t, s, 1000)})
	c.online()
	c.m.Must(t, "SELECT", "0")
	c.m.Must(t, "SET", "witness", "old")
	c.checkpoint()
	c.master.Kill()
	testutil.Eventually(t, 10*time.Second, "link down", func() error { return wantInfo(c.r, "replication", "master_link_status", "down") })
	if v := c.r.Must(t, "GET", "witness"); v.Text != "old" {
		t.Errorf("with the master gone: %v", v)
	}
	if err := c.master.Start(); err != nil {
		t.Fatal(err)
	}
	c.m = c.master.Dial(t)
	c.online()
	c.checkpoint()
	if v := c.r.Must(t, "DBSIZE"); v.Int != 0 {
		t.Errorf("the master is empty, the replica has %v", v)
	}
	if err := newWriter(t, c.master, s).write(1000); err != nil {
		t.Fatal(err)
	}
	c.checkpoint()
}

// TestReplicaRestarts: killed and started again, it comes back to the same data.
func TestReplicaRestarts(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{populate: seedData(t, s, 1000)})
	c.online()
	w := newWriter(t, c.master, s)
	for _, kill := range []bool{true, false} {
		if kill {
			c.replica.Kill()
		} else if err := c.replica.Stop(); err != nil {
			t.Error(err)
		}
		if err := w.write(1000); err != nil {
			t.Fatal(err)
		}
		if err := c.replica.Start(); err != nil {
			t.Fatal(err)
		}
		c.r = c.replica.Dial(t)
		c.online()
		c.checkpoint()
	}
}

// TestStreamDatabaseSurvivesPartialSync: the SELECT stands before the cut, the writes after it.
func TestStreamDatabaseSurvivesPartialSync(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{})
	c.online()
	c.m.Must(t, "SELECT", "3")
	for i := range 5 {
		c.m.Must(t, "SET", "k"+strconv.Itoa(i), "v")
		c.checkpoint()
		c.proxy.CutNow()
	}
	c.m.Must(t, "SELECT", "3")
	c.m.Must(t, "SET", "last", "v")
	c.checkpoint()
	c.r.Must(t, "SELECT", "3")
	if v := c.r.Must(t, "DBSIZE"); v.Int != 6 {
		t.Errorf("database 3 has %v keys, want 6", v)
	}
}

// TestTransactionsAreWhole: readers of the replica never see half of a MULTI, with the link cut inside it too.
func TestTransactionsAreWhole(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 5))
	c := newCluster(t, clusterOptions{})
	c.m.Must(t, "MSET", "a", "0", "b", "0")
	c.online()
	c.checkpoint()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	reader := c.replica.Dial(t)
	wg.Go(func() {
		for seen := 0; ; seen++ {
			select {
			case <-stop:
				if seen >= 100 {
					return
				}
				// A busy machine let few of them in: the others look at what there is now.
			default:
			}
			v, err := reader.Do("MGET", "a", "b")
			if err != nil || len(v.Elems) != 2 || v.Elems[0].Text != v.Elems[1].Text {
				t.Errorf("a reader saw %v, %v", v, err)
				return
			}
		}
	})
	var wire []byte
	wire = testutil.AppendCommand(wire, "MULTI")
	wire = testutil.AppendCommand(wire, "INCR", "a")
	wire = testutil.AppendCommand(wire, "SET", "filler", strings.Repeat("x", 300))
	wire = testutil.AppendCommand(wire, "INCR", "b")
	wire = testutil.AppendCommand(wire, "EXEC")
	for i := range scaled(2000) {
		if i%100 == 50 {
			c.proxy.CutAfter(1 + rnd.Int64N(2000))
		}
		if _, err := c.m.Write(wire); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, _, err := c.m.Read(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	wg.Wait()
	c.checkpoint()
	if full, _ := c.syncs(); full != 1 {
		t.Errorf("%d full syncs, want 1", full)
	}
}

// TestExpiryIsTheMasters: a key that is due is gone for readers at once, and deleted only when the master says so.
func TestExpiryIsTheMasters(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{})
	c.online()
	c.m.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	c.m.Must(t, "SET", "k", "5", "PX", "300")
	c.m.Must(t, "SET", "stay", "v")
	c.checkpoint()
	time.Sleep(400 * time.Millisecond)
	for _, q := range []struct{ cmd, want string }{
		{"GET k", "(nil)"}, {"EXISTS k", "(int)0"}, {"TTL k", "(int)-2"}, {"TYPE k", "none"}, {"KEYS *", `*["stay"]`}, {"SCAN 0 COUNT 100", `*["0" *["stay"]]`}, {"DBSIZE", "(int)2"}, {"RANDOMKEY", `"stay"`},
	} {
		if v := c.r.Must(t, strings.Fields(q.cmd)...); v.String() != q.want {
			t.Errorf("%s on the replica: %v, want %s", q.cmd, v, q.want)
		}
	}
	if err := testutil.SameDigest(c.m, c.r); err != nil {
		t.Errorf("the key is still in both: %v", err)
	}
	c.m.Must(t, "GET", "k") // the master deletes it now
	testutil.Eventually(t, 5*time.Second, "the master's DEL", func() error {
		if v := c.r.Must(t, "DBSIZE"); v.Int != 1 {
			return fmt.Errorf("DBSIZE %v", v)
		}
		return nil
	})
	c.checkpoint()
}

// TestPromotionAndBack: made a master it takes writes; made a replica again it has the master's data.
func TestPromotionAndBack(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{populate: seedData(t, s, 500)})
	c.online()
	c.checkpoint()
	c.r.Must(t, "REPLICAOF", "NO", "ONE")
	c.r.Must(t, "SELECT", "0")
	c.r.Must(t, "SET", "mine", "v")
	if v := c.r.Must(t, "ROLE"); v.Elems[0].Text != "master" {
		t.Errorf("ROLE: %v", v)
	}
	if err := newWriter(t, c.master, s).write(500); err != nil {
		t.Fatal(err)
	}
	c.r.Must(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(c.proxy.Port()))
	c.online()
	c.checkpoint()
	if v := c.r.Must(t, "EXISTS", "mine"); v.Int != 0 {
		t.Error("a key of the time as a master is still there")
	}
}

// TestMasterWithPassword: masterauth, and an ACL user that may do no more than a replica needs.
func TestMasterWithPassword(t *testing.T) {
	t.Parallel()
	t.Run("requirepass", func(t *testing.T) {
		c := newCluster(t, clusterOptions{master: []string{"--requirepass", "secret"}, replica: []string{"--masterauth", "secret"}})
		c.online()
		c.m.Must(t, "SET", "k", "v")
		c.checkpoint()
	})
	t.Run("acl", func(t *testing.T) {
		c := newCluster(t, clusterOptions{
			populate: func(m *testutil.Conn) {
				m.Must(t, "ACL", "SETUSER", "repl", "on", ">secret", "+psync", "+replconf", "+ping")
			},
			replica: []string{"--masteruser", "repl", "--masterauth", "secret"},
		})
		c.online()
		c.m.Must(t, "SET", "k", "v")
		c.checkpoint()
	})
	t.Run("wrong", func(t *testing.T) {
		c := newCluster(t, clusterOptions{master: []string{"--requirepass", "secret"}, replica: []string{"--masterauth", "topsecretword"}})
		testutil.Eventually(t, 10*time.Second, "the log names the refusal", func() error {
			if !strings.Contains(c.replica.Log(), "WRONGPASS") {
				return fmt.Errorf("no WRONGPASS in the log")
			}
			return nil
		})
		if err := wantInfo(c.r, "replication", "master_link_status", "down"); err != nil {
			t.Error(err)
		}
		if strings.Contains(c.replica.Log(), "topsecretword") {
			t.Error("the password is in the log")
		}
		time.Sleep(300 * time.Millisecond)
		if n := c.proxy.Opened(); n > 60 {
			t.Errorf("%d connections already: a tight loop", n)
		}
	})
}

// TestStalledMaster: a master that is stopped (its kernel still acknowledges) does not stop readers; after repl-timeout the link is down;
// when it goes on, a partial sync brings both together.
func TestStalledMaster(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{replica: []string{"--repl-timeout", "2"}, populate: seedData(t, s, 500)})
	c.online()
	c.m.Must(t, "SELECT", "0")
	c.m.Must(t, "SET", "witness", "v")
	c.checkpoint()
	if err := c.master.Suspend(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 15*time.Second, "link down", func() error { return wantInfo(c.r, "replication", "master_link_status", "down") })
	if v := c.r.Must(t, "GET", "witness"); v.Text != "v" {
		t.Errorf("GET witness: %v", v)
	}
	if err := c.master.Resume(); err != nil {
		t.Fatal(err)
	}
	c.online()
	c.m.Must(t, "SET", "witness", "w")
	c.checkpoint()
	if full, partial := c.syncs(); full != 1 || partial < 1 {
		t.Errorf("%d full and %d partial syncs, want 1 and some", full, partial)
	}
}
