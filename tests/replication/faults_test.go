package replication

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

var faultsFlag = flag.Int("faults", 0, "how many faults a test of random faults strikes; 0 takes as many as fit into the gate")

// faults is that number, or n.
func faults(n int) int {
	if *faultsFlag > 0 {
		return *faultsFlag
	}
	return scaled(n)
}

// vitals are what a server of ours holds of the system.
type vitals struct {
	descriptors, goroutines int
	rss                     int64
}

func takeVitals(s *testutil.Server, c *testutil.Conn) (v vitals, err error) {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		return v, err
	}
	v.descriptors = len(fds)
	info, err := c.Info("memory")
	if err != nil {
		return v, err
	}
	if v.goroutines, err = strconv.Atoi(info["goroutines"]); err != nil {
		return v, err
	}
	v.rss, err = testutil.RSS(s.PID())
	return v, err
}

// A leakCheck compares what a server holds after a test with what it held before, both at rest with the link up.
type leakCheck struct {
	t      *testing.T
	s      *testutil.Server
	c      *testutil.Conn
	before vitals
}

func watchLeaks(t *testing.T, s *testutil.Server, c *testutil.Conn) *leakCheck {
	t.Helper()
	v, err := takeVitals(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return &leakCheck{t, s, c, v}
}

// done fails the test when descriptors or goroutines stay, or when the memory is more than grown bytes above what it was.
func (l *leakCheck) done(grown int64) {
	l.t.Helper()
	var last vitals
	testutil.Eventually(l.t, 20*time.Second, "nothing is leaked", func() (err error) {
		if last, err = takeVitals(l.s, l.c); err != nil {
			return err
		}
		// A goroutine more than before may be a timer that has just fired.
		if last.descriptors > l.before.descriptors || last.goroutines > l.before.goroutines+1 || last.rss > l.before.rss+grown {
			return fmt.Errorf("before %+v, now %+v", l.before, last)
		}
		return nil
	})
	l.t.Logf("descriptors %d → %d, goroutines %d → %d, resident %d → %d MB", l.before.descriptors, last.descriptors,
		l.before.goroutines, last.goroutines, l.before.rss>>20, last.rss>>20)
}

// hurry ends the pause before the replica's next attempt: a change of the user (who is not used without a password) is news to the link.
func (c *cluster) hurry(i int) {
	c.t.Helper()
	c.r.Must(c.t, "CONFIG", "SET", "masteruser", "u"+strconv.Itoa(i))
}

// sameFunctions compares the libraries, which are in no digest.
func sameFunctions(t *testing.T, a, b *testutil.Conn) {
	t.Helper()
	list := func(c *testutil.Conn) []string {
		v := c.Must(t, "FUNCTION", "LIST", "WITHCODE")
		var libraries []string
		for _, e := range v.Elems {
			libraries = append(libraries, e.String())
		}
		slices.Sort(libraries)
		return libraries
	}
	if la, lb := list(a), list(b); !slices.Equal(la, lb) {
		t.Errorf("the libraries differ: %q and %q", la, lb)
	}
}

// TestFaultsAtRandomBytes spoils the link at hundreds of random bytes of handshake and stream, under writes of every kind. A link that was
// cut, reset or silent resumes, so there is one full sync only; garbage costs one each at most.
func TestFaultsAtRandomBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		kinds []testutil.FaultKind
		n     int
	}{
		{"lost", []testutil.FaultKind{testutil.Cut, testutil.Cut, testutil.Reset}, 100},
		{"silent", []testutil.FaultKind{testutil.Stall}, 3},
		{"spoilt", []testutil.FaultKind{testutil.Garbage}, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := faults(c.n)
			if c.name == "silent" {
				n = max(scaled(c.n), 1) // each takes seconds
			}
			strikeStream(t, n, c.kinds)
		})
	}
}

func strikeStream(t *testing.T, n int, kinds []testutil.FaultKind) {
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 21))
	c := newCluster(t, clusterOptions{populate: seedData(t, s, scaled(2000)), replica: []string{"--repl-timeout", "2"}})
	c.online()
	c.checkpoint()
	leaks := watchLeaks(t, c.replica, c.r)
	w := newWriter(t, c.master, s)
	garbage := 0
	for i := range n {
		kind := kinds[rnd.IntN(len(kinds))]
		if kind == testutil.Garbage {
			garbage++
		}
		at := 1 + rnd.Int64N(1<<uint(4+rnd.IntN(13)))
		if rnd.IntN(2) == 0 {
			// In the handshake that follows, or right after it.
			c.proxy.CutNow()
			at = 1 + rnd.Int64N(160)
		}
		c.proxy.StrikeAfter(at, kind)
		for deadline := time.Now().Add(syncTimeout); c.proxy.Armed(); {
			if err := w.write(30); err != nil {
				t.Fatal(err)
			}
			c.hurry(i)
			if time.Now().After(deadline) {
				t.Fatalf("fault %d (%v at %d) does not come", i, kind, at)
			}
		}
		if rnd.IntN(20) == 0 {
			c.hurry(n + i)
			c.checkpoint()
		}
	}
	c.hurry(2 * n)
	c.checkpoint()
	sameFunctions(t, c.m, c.r)
	full, partial := c.syncs()
	t.Logf("%d faults: %d full and %d partial syncs", n, full, partial)
	// Garbage in an answer to PSYNC may be taken for that of an old master; the fallback, SYNC, has no history, so the next loss costs a full sync too.
	if most := 1 + 2*garbage; full > most || partial < (n-garbage)/3 {
		t.Errorf("%d full and %d partial syncs after %d faults, %d of which spoil the history", full, partial, n, garbage)
	}
	c.r.Must(t, "DEBUG", "CHECK")
	leaks.done(64 << 20)
}

// TestFaultsDuringFullSyncs spoils full syncs at random bytes of handshake, header and payload. The old data is served until the new is whole.
func TestFaultsDuringFullSyncs(t *testing.T) {
	t.Parallel()
	for _, diskless := range []string{"no", "yes"} {
		t.Run("diskless="+diskless, func(t *testing.T) {
			t.Parallel()
			s := seed(t)
			rnd := rand.New(rand.NewPCG(s, 22))
			c := newCluster(t, clusterOptions{master: []string{"--repl-diskless-sync", diskless}, populate: seedData(t, s, scaled(2000)), replica: []string{"--repl-timeout", "2"}})
			c.online()
			c.m.Must(t, "SELECT", "0")
			c.m.Must(t, "SET", "witness", "old")
			c.checkpoint()
			leaks := watchLeaks(t, c.replica, c.r)
			size := int64(snapshotSize(t, c))
			before, _ := c.syncs()
			c.proxy.Refuse(true)
			newHistory(t, c)
			n := faults(25)
			kinds := []testutil.FaultKind{testutil.Cut, testutil.Reset, testutil.Garbage, testutil.Flip, testutil.Cut, testutil.Reset, testutil.Garbage, testutil.Flip, testutil.Stall}
			stalls := scaled(2)
			for i := range n {
				kind := kinds[rnd.IntN(len(kinds))]
				if kind == testutil.Stall {
					if stalls--; stalls < 0 {
						kind = testutil.Cut
					}
				}
				// Half of them in the first bytes. A flipped byte before the payload need not be noticed.
				at := 1 + rnd.Int64N(size)
				if rnd.IntN(2) == 0 && kind != testutil.Flip {
					at = 1 + rnd.Int64N(200)
				} else if kind == testutil.Flip {
					at = 200 + rnd.Int64N(size-200)
				}
				c.proxy.StrikeAndBlock(at, kind)
				c.proxy.Block(false)
				// A spoilt attempt ends by itself, with the old data in place all the while.
				for begun := time.Now(); c.proxy.Armed() || c.proxy.Open() > 0; {
					c.hurry(i)
					if v, err := c.r.Do("GET", "witness"); err != nil || v.Text != "old" {
						t.Fatalf("fault %d (%v at %d of %d): GET witness: %v, %v", i, kind, at, size, v, err)
					}
					if time.Since(begun) > syncTimeout {
						t.Fatalf("fault %d (%v at %d of %d): struck is %v, %d connections stand", i, kind, at, size, !c.proxy.Armed(), c.proxy.Open())
					}
				}
			}
			c.proxy.Refuse(false)
			c.hurry(n)
			c.online()
			c.hurry(n + 1)
			c.checkpoint()
			if v := c.r.Must(t, "GET", "witness"); v.Text != "new" {
				t.Errorf("witness is %v", v)
			}
			sameFunctions(t, c.m, c.r)
			full, _ := c.syncs()
			t.Logf("%d faults: %d full syncs begun", n, full-before)
			if full-before > n+1 {
				t.Errorf("%d full syncs after %d faults", full-before, n)
			}
			c.r.Must(t, "DEBUG", "CHECK")
			leaks.done(64 << 20)
		})
	}
}

// TestCorpusIsCutShort serves snapshots of several servers up to a random byte, again and again, and then whole: until that the old data stays.
func TestCorpusIsCutShort(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 23))
	names, err := filepath.Glob("../../rdb/testdata/*.rdb")
	if err != nil || len(names) < 5 {
		t.Fatalf("%d snapshots, %v", len(names), err)
	}
	v := newVictim(t)
	leaks := watchLeaks(t, v.server, v.c)
	plain := testutil.StartOurs(t)
	pc := plain.Dial(t)
	for i, name := range names {
		rdb, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole := master(t, mastertest.Config{RDB: rdb, Offset: firstOffset, ReplID: fmt.Sprintf("%040d", i+1)})
		pc.Must(t, "REPLICAOF", "127.0.0.1", whole.Port())
		if err := whole.WaitAck(firstOffset, syncTimeout); err != nil {
			t.Fatal(name, err)
		}
		want, err := pc.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if want == strings.Repeat("0", 40) {
			t.Fatalf("%s holds nothing", name)
		}

		cuts := faults(15)
		places := make([]int64, cuts)
		for i := range places {
			places[i] = 100 + rnd.Int64N(int64(len(rdb))-100)
		}
		places[0] = 60 + int64(len(rdb)) // all but the last bytes: what comes before the payload is 80 and more
		short := master(t, mastertest.Config{RDB: rdb, Offset: firstOffset, ReplID: strings.Repeat("ef", 20), Marked: rnd.IntN(2) == 0,
			Fault: func(conn int) mastertest.Fault {
				if conn >= cuts {
					return mastertest.Fault{}
				}
				return mastertest.Fault{Kind: []mastertest.FaultKind{mastertest.Cut, mastertest.Reset}[conn%2], After: places[conn]}
			}})
		v.follow(v.good.Port())
		v.serves("old")
		v.follow(short.Port())
		for i := 0; ; i++ {
			conns, _, _ := short.Counts()
			if conns > cuts {
				break
			}
			v.serves("old")
			v.c.Must(t, "CONFIG", "SET", "masteruser", "u"+strconv.Itoa(i))
		}
		if err := short.WaitAck(firstOffset, syncTimeout); err != nil {
			t.Fatal(name, err)
		}
		if got, err := v.c.Digest(); err != nil || got != want {
			t.Errorf("%s: digest %s, %v; want %s", name, got, err, want)
		}
		v.c.Must(t, "DEBUG", "CHECK")
		// Back to the old data.
		v.c.Must(t, "REPLICAOF", "NO", "ONE")
		v.c.Must(t, "FLUSHALL")
		v.good.SetSnapshot(v.goodRDB)
		v.follow(v.good.Port())
		testutil.Eventually(t, syncTimeout, "the old data is back", func() error {
			if got, err := v.c.Do("GET", "witness"); err != nil || got.Text != "old" {
				return fmt.Errorf("witness is %v, %v", got, err)
			}
			return nil
		})
		short.Close()
		whole.Close()
	}
	leaks.done(64 << 20)
}

// TestKilled ends master, replica or both with SIGKILL in the middle of writes, again and again. The master keeps what it has answered; a restart
// gives it a new history.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 24))
	c := newCluster(t, clusterOptions{master: []string{"--appendonly", "yes", "--appendfsync", "no"}, populate: seedData(t, s, scaled(1500))})
	c.online()
	c.checkpoint()
	for i := range max(scaled(6), 3) {
		w := newWriter(t, c.master, s+uint64(i))
		if err := w.write(200 + rnd.IntN(1000)); err != nil {
			t.Fatal(err)
		}
		what := (i + 2) % 3 // both, master, replica …
		if what != 1 {
			c.replica.Kill()
		}
		if what != 0 {
			if what != 1 {
				c.master.Kill()
			} else {
				done := make(chan struct{})
				go func() { // a write is under way
					defer close(done)
					for w.write(100) == nil {
					}
				}()
				time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
				c.master.Kill()
				<-done
				c.r.Must(t, "DBSIZE")
			}
			if err := c.master.Start(); err != nil {
				t.Fatal(err)
			}
			c.m = c.master.Dial(t)
		}
		if what != 1 {
			if err := c.replica.Start(); err != nil {
				t.Fatal(err)
			}
			c.r = c.replica.Dial(t)
		}
		c.hurry(i)
		c.online()
		c.checkpoint()
		sameFunctions(t, c.m, c.r)
	}
	c.r.Must(t, "DEBUG", "CHECK")
}

// flood writes as fast as the master takes it, until stop is called, which returns how many bytes of the stream that made.
func flood(t *testing.T, s *testutil.Server, c *testutil.Conn, seed uint64) (stop func() int64) {
	t.Helper()
	before := replOffset(t, c)
	quit, done := make(chan struct{}), make(chan error, 1)
	conn := s.Dial(t)
	go func() {
		rnd := rand.New(rand.NewPCG(seed, 25))
		value := strings.Repeat("v", 400)
		for {
			select {
			case <-quit:
				done <- nil
				return
			default:
			}
			var wire []byte
			for range 200 {
				wire = testutil.AppendCommand(wire, "SET", "flood:"+strconv.Itoa(rnd.IntN(20000)), value[rnd.IntN(300):])
			}
			if _, err := conn.Write(wire); err != nil {
				done <- err
				return
			}
			for range 200 {
				if v, _, err := conn.Read(); err != nil || v.Err() != nil {
					done <- errors.Join(err, v.Err())
					return
				}
			}
		}
	}()
	return func() int64 {
		close(quit)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return replOffset(t, c) - before
	}
}

func replOffset(t *testing.T, c *testutil.Conn) int64 {
	t.Helper()
	info, err := c.Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(info["master_repl_offset"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSmallBacklogUnderHeavyWrites: with a backlog of 1 MB, and a master that writes as fast as it can, a replica that stays connected needs one
// full sync; each loss of the link costs one more at most, and never a loop of them.
func TestSmallBacklogUnderHeavyWrites(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 26))
	c := newCluster(t, clusterOptions{master: []string{"--repl-backlog-size", "1mb"}, populate: seedData(t, s, scaled(2000))})
	c.online()
	c.checkpoint()
	leaks := watchLeaks(t, c.replica, c.r)
	stop := flood(t, c.master, c.m, s)
	time.Sleep(time.Second)
	if full, _ := c.syncs(); full != 1 {
		t.Errorf("%d full syncs of a link that nobody cut", full)
	}
	cuts := scaled(10)
	for i := range cuts {
		c.proxy.CutAfter(1 + rnd.Int64N(3<<20))
		testutil.Eventually(t, syncTimeout, "the cut comes", func() error {
			if c.proxy.Armed() {
				return errors.New("not yet")
			}
			return nil
		})
		c.hurry(i)
		c.online()
	}
	written := stop()
	c.checkpoint()
	full, partial := c.syncs()
	t.Logf("%d MB written; %d cuts: %d full and %d partial syncs", written>>20, cuts, full, partial)
	if full > 1+cuts || full+partial < 1+cuts/2 {
		t.Errorf("%d full and %d partial syncs after %d cuts", full, partial, cuts)
	}
	leaks.done(128 << 20)
}

// TestStopped stops the replica's process for a while under heavy writes: the master drops it when its output buffer is full. It resumes if the
// backlog still reaches back that far, else there is one full sync.
func TestStopped(t *testing.T) {
	t.Parallel()
	for _, backlog := range []string{"256mb", "1mb"} {
		t.Run("backlog "+backlog, func(t *testing.T) {
			t.Parallel()
			s := seed(t)
			c := newCluster(t, clusterOptions{master: []string{"--repl-backlog-size", backlog, "--client-output-buffer-limit", "replica 4mb 4mb 1"}, populate: seedData(t, s, 500)})
			c.online()
			c.checkpoint()
			leaks := watchLeaks(t, c.replica, c.r)
			stop := flood(t, c.master, c.m, s)
			if err := c.replica.Suspend(); err != nil {
				t.Fatal(err)
			}
			testutil.Eventually(t, syncTimeout, "the master drops the replica", func() error { return wantInfo(c.m, "replication", "connected_slaves", "0") })
			written := stop()
			if err := c.replica.Resume(); err != nil {
				t.Fatal(err)
			}
			c.online()
			c.checkpoint()
			want := 1
			if backlog == "1mb" {
				want = 2
			}
			full, partial := c.syncs()
			t.Logf("%d MB written: %d full and %d partial syncs", written>>20, full, partial)
			if full != want {
				t.Errorf("%d full syncs, want %d", full, want)
			}
			leaks.done(128 << 20)
		})
	}
}

var hugeFlag = flag.Int("huge", 64, "megabytes of the argument that TestHugeArgument sends, 512 at most")

// TestHugeArgument: one argument of a command takes a long stretch of the stream; the link is cut in its middle, and readers wait for nothing.
func TestHugeArgument(t *testing.T) {
	t.Parallel()
	size := *hugeFlag << 20
	if testing.Short() {
		size /= 4
	}
	c := newCluster(t, clusterOptions{master: []string{"--repl-backlog-size", strconv.Itoa(2*size + 32<<20), "--client-output-buffer-limit", "replica 0 0 0"}})
	c.online()
	c.m.Must(t, "SET", "witness", "v")
	c.checkpoint()
	c.m.SetTimeout(2 * time.Minute)
	c.proxy.CutAfter(int64(size) * 2 / 3)
	wire := fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$%d\r\n", size)
	piece := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	if _, err := c.m.Write(wire); err != nil {
		t.Fatal(err)
	}
	for range size >> 20 {
		if _, err := c.m.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.m.Write([]byte("\r\n")); err != nil {
		t.Fatal(err)
	}
	if v, _, err := c.m.Read(); err != nil || v.Text != "OK" {
		t.Fatalf("SET of %d MB: %v, %v", size>>20, v, err)
	}
	testutil.Eventually(t, 2*time.Minute, "the replica has it", func() error {
		if v := c.r.Must(t, "GET", "witness"); v.Text != "v" {
			t.Fatalf("witness is %v", v)
		}
		if v := c.r.Must(t, "STRLEN", "huge"); v.Int != int64(size) {
			return fmt.Errorf("it has %v bytes of it", v)
		}
		return nil
	})
	c.m.Must(t, "SETRANGE", "huge", "5", "end")
	c.checkpoint()
	if full, partial := c.syncs(); full != 1 || partial != 1 || c.proxy.Armed() {
		t.Errorf("%d full and %d partial syncs, want one of each", full, partial)
	}
	c.m.Must(t, "DEL", "huge")
	c.checkpoint()
	// The buffers that it took are no longer counted, nor kept from the system. (Resident memory would say the same, but for the race detector's own.)
	testutil.Eventually(t, 30*time.Second, "the memory comes back", func() error {
		info, err := c.r.Info("memory")
		if err != nil {
			return err
		}
		for _, field := range []string{"used_memory", "go_heap_sys"} {
			n, err := strconv.Atoi(info[field])
			if err != nil {
				return fmt.Errorf("%s: %w", field, err)
			}
			if n > size*3/4+16<<20 {
				return fmt.Errorf("%s is %d MB", field, n>>20)
			}
		}
		return nil
	})
}

// TestSlowDisklessMaster: a snapshot that comes slower than repl-timeout in all, but never stands still that long, is waited for; the first one
// with -LOADING, the next one beside the old data.
func TestSlowDisklessMaster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{
		master: []string{"--repl-diskless-sync", "yes", "--rdb-key-save-delay", "6000", "--rdbcompression", "no"},
		populate: func(m *testutil.Conn) {
			m.Must(t, "DEBUG", "POPULATE", "350", "key", "20000")
			m.Must(t, "SET", "witness", "old")
		},
		replica: []string{"--repl-timeout", "1"},
	})
	begun := time.Now()
	c.online()
	if took := time.Since(begun); took < 1500*time.Millisecond {
		t.Errorf("the sync took %v only", took)
	}
	c.checkpoint()
	newHistory(t, c)
	c.proxy.CutNow()
	testutil.Eventually(t, syncTimeout, "the second sync", func() error {
		v := c.r.Must(t, "GET", "witness")
		if v.Text != "old" && v.Text != "new" {
			t.Fatalf("witness is %v", v)
		}
		if v.Text == "old" {
			return errors.New("the old data still")
		}
		return nil
	})
	c.online()
	c.checkpoint()
	if full, _ := c.syncs(); full != 2 {
		t.Errorf("%d full syncs, want 2", full)
	}
}

// TestRandomTopologies: two redis-servers and three of ours, chained up to three deep and more, are rewired at random while the head is written
// to: other masters for subtrees, promotions, cuts. In the end, and in between, all hold the same data.
func TestRandomTopologies(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 27))
	nodes := []*node{real(t), ours(t), ours(t), real(t), ours(t)}
	above := []int{-1, -1, -1, -1, -1} // whom each follows
	head := 0
	attach := func(i, to int) {
		above[i] = to
		nodes[i].c.Must(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(nodes[to].Port))
	}
	below := func(i, of int) bool { // i follows of, at any depth
		for ; i >= 0; i = above[i] {
			if i == of {
				return true
			}
		}
		return false
	}
	seedData(t, s, scaled(1500))(nodes[0].c)
	for i := 1; i < len(nodes); i++ {
		attach(i, i-1)
	}
	all := func() {
		t.Helper()
		nodes[head].c.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
		var rest []*node
		for i, n := range nodes {
			if i != head {
				rest = append(rest, n)
			}
		}
		settled(t, nodes[head], rest...)
		for _, n := range rest {
			sameFunctions(t, nodes[head].c, n.c)
		}
	}
	all()
	w := newWriter(t, nodes[head].Server, s)
	var history []string
	for step := range max(scaled(15), 5) {
		switch move := rnd.IntN(4); {
		case move == 0: // another head, after its data was whole
			all()
			next := rnd.IntN(len(nodes))
			if next == head {
				continue
			}
			nodes[head].c.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "1")
			nodes[next].c.Must(t, "REPLICAOF", "NO", "ONE")
			// Who stood above the new head goes below it.
			old := head
			for i := above[next]; i >= 0; {
				up := above[i]
				attach(i, next)
				i = up
			}
			above[next], head = -1, next
			w = newWriter(t, nodes[head].Server, s+uint64(step))
			history = append(history, fmt.Sprintf("%d promoted, %d followed", head, old))
		default:
			i, to := rnd.IntN(len(nodes)), rnd.IntN(len(nodes))
			if i == head || below(to, i) {
				continue
			}
			attach(i, to)
			history = append(history, fmt.Sprintf("%d below %d", i, to))
		}
		if err := w.write(scaled(300)); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(3) == 0 {
			// A link of the tree is lost.
			nodes[rnd.IntN(len(nodes))].c.Do("CLIENT", "KILL", "TYPE", "replica")
		}
	}
	all()
	t.Logf("head %d, above %v after: %s", head, above, strings.Join(history, ", "))
	for _, n := range nodes {
		if n.Name == "ours" {
			n.c.Must(t, "DEBUG", "CHECK")
		}
	}
}
