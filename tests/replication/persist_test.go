package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// Snapshot files: a real redis-server reads ours and we read its, and a replica that is started again goes on from its own.

const library = "#!lua name=kept\nredis.register_function('kept', function() return 'here' end)"

func dump(n *node) string { return filepath.Join(n.Dir, "dump.rdb") }

// copyDump puts one server's snapshot file in the place of the other's.
func copyDump(t *testing.T, from, to *node) {
	t.Helper()
	b, err := os.ReadFile(dump(from))
	if err == nil {
		err = os.WriteFile(dump(to), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// again starts the server anew once it has ended, and waits until it has loaded its file.
func (n *node) again(t *testing.T, more ...string) {
	t.Helper()
	if err := n.Start(more...); err != nil {
		t.Fatalf("%v\n%s", err, n.LogTail(2000))
	}
	n.c = n.Dial(t)
	testutil.Eventually(t, syncTimeout, "the file is loaded", func() error { return wantInfo(n.c, "persistence", "loading", "0") })
}

// shutdown ends the server by the command and waits until its process is gone.
func (n *node) shutdown(t *testing.T, how ...string) {
	t.Helper()
	if v, err := n.c.Do(append([]string{"SHUTDOWN"}, how...)...); err == nil {
		t.Fatalf("SHUTDOWN %v answers %v", how, v)
	}
	testutil.Eventually(t, syncTimeout, "the server ends", func() error {
		if n.Running() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
	_ = n.Stop()
}

// field is a field of INFO.
func (n *node) field(t *testing.T, section, name string) string {
	t.Helper()
	info, err := n.c.Info(section)
	if err != nil {
		t.Fatal(err)
	}
	return info[name]
}

// saved waits until a BGSAVE has ended well.
func (n *node) saved(t *testing.T) {
	t.Helper()
	testutil.Eventually(t, syncTimeout, "the snapshot is written", func() error {
		if err := wantInfo(n.c, "persistence", "rdb_bgsave_in_progress", "0"); err != nil {
			return err
		}
		return wantInfo(n.c, "persistence", "rdb_last_bgsave_status", "ok")
	})
}

// TestSnapshotFiles: what either server saves the other loads, all types, expiries and functions.
func TestSnapshotFiles(t *testing.T) {
	t.Parallel()
	s := seed(t)
	us, redis := ours(t), real(t)
	seedData(t, s, scaled(3000))(us.c)
	us.c.Must(t, "FUNCTION", "LOAD", library)
	us.c.Must(t, "SAVE")
	if got := us.field(t, "persistence", "rdb_changes_since_last_save"); got != "0" {
		t.Errorf("after SAVE rdb_changes_since_last_save is %s", got)
	}
	redis.shutdown(t, "NOSAVE")
	copyDump(t, us, redis)
	redis.again(t)
	testutil.EventuallySame(t, 10*time.Second, us.c, redis.c)
	sameFunctions(t, us.c, redis.c)

	// More writes there, and back.
	seedData(t, s+1, scaled(1000))(redis.c)
	redis.c.Must(t, "SAVE")
	us.shutdown(t, "NOSAVE")
	copyDump(t, redis, us)
	us.again(t)
	testutil.EventuallySame(t, 10*time.Second, redis.c, us.c)
	sameFunctions(t, redis.c, us.c)

	us.c.Must(t, "DEBUG", "RELOAD")
	testutil.EventuallySame(t, 10*time.Second, redis.c, us.c)
	sameFunctions(t, redis.c, us.c)

	// NOSAVE reads the file that stands, so what came later is gone; NOFLUSH without MERGE refuses a key that is there.
	us.c.Must(t, "SELECT", "0")
	us.c.Must(t, "SET", "later", "1")
	us.c.Must(t, "DEBUG", "RELOAD", "NOSAVE")
	if v := us.c.Must(t, "EXISTS", "later"); v.Int != 0 {
		t.Errorf("EXISTS after DEBUG RELOAD NOSAVE: %v", v)
	}
	us.c.Must(t, "SET", "later", "1")
	us.c.Must(t, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")
	if v := us.c.Must(t, "EXISTS", "later"); v.Int != 1 {
		t.Errorf("EXISTS after DEBUG RELOAD NOSAVE NOFLUSH MERGE: %v", v)
	}
}

// TestSaveRules: a rule begins a snapshot by itself, LASTSAVE moves and nothing is left to save; the file is where dir and
// dbfilename say.
func TestSaveRules(t *testing.T) {
	t.Parallel()
	n := ours(t)
	sub := filepath.Join(n.Dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	// dir and the file name are protected, as in redis-server.
	n.shutdown(t, "NOSAVE")
	n.again(t, "--enable-protected-configs", "yes", "--save", "1 10")
	n.c.Must(t, "CONFIG", "SET", "dir", sub)
	n.c.Must(t, "CONFIG", "SET", "dbfilename", "other.rdb")
	before := n.c.Must(t, "LASTSAVE").Int
	for i := range 10 {
		n.c.Must(t, "SET", "k"+strconv.Itoa(i), "v")
	}
	testutil.Eventually(t, syncTimeout, "the rule fires", func() error {
		return wantInfo(n.c, "persistence", "rdb_changes_since_last_save", "0")
	})
	n.saved(t)
	if after := n.c.Must(t, "LASTSAVE").Int; after <= before {
		t.Errorf("LASTSAVE was %d and is %d", before, after)
	}
	if got := n.field(t, "persistence", "rdb_saves"); got != "1" {
		t.Errorf("rdb_saves is %s", got)
	}
	if _, err := os.Stat(filepath.Join(sub, "other.rdb")); err != nil {
		t.Error(err)
	}

	// A folder that is gone: the snapshot fails, and writes are refused until one succeeds.
	if err := os.RemoveAll(sub); err != nil {
		t.Fatal(err)
	}
	_, _ = n.c.Do("BGSAVE")
	testutil.Eventually(t, syncTimeout, "the failure shows", func() error {
		return wantInfo(n.c, "persistence", "rdb_last_bgsave_status", "err")
	})
	if v, err := n.c.Do("SET", "k", "v"); err != nil || v.Err() == nil || !strings.HasPrefix(v.Err().Error(), "MISCONF") {
		t.Errorf("SET after a failed snapshot: %v %v", v, err)
	}
	n.c.Must(t, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
	n.c.Must(t, "SET", "k", "v")
	n.c.Must(t, "CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
	// With save rules a shutdown that cannot save is refused, unless it is forced.
	if v, err := n.c.Do("SHUTDOWN"); err != nil || v.Err() == nil {
		t.Fatalf("SHUTDOWN that cannot save: %v %v", v, err)
	}
	n.c.Must(t, "CONFIG", "SET", "dir", n.Dir)
	n.c.Must(t, "SAVE")
	n.c.Must(t, "SET", "k", "v2")
	n.c.Must(t, "CONFIG", "SET", "dbfilename", "nowhere.rdb")
	n.shutdown(t, "NOSAVE")
	if _, err := os.Stat(filepath.Join(n.Dir, "nowhere.rdb")); err == nil {
		t.Error("SHUTDOWN NOSAVE has saved")
	}
}

// TestSnapshotUnderWrites: a snapshot is one moment, although writes go on.
func TestSnapshotUnderWrites(t *testing.T) {
	t.Parallel()
	us, redis := ours(t), real(t)
	redis.shutdown(t, "NOSAVE")
	us.c.Must(t, "DEBUG", "POPULATE", strconv.Itoa(scaled(100000)))
	// Every transaction keeps a and b equal, and so has any moment.
	w := us.Dial(t)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			for _, cmd := range [][]string{{"MULTI"}, {"INCR", "a"}, {"SET", "key:" + strconv.Itoa(i%1000), strconv.Itoa(i)}, {"INCR", "b"}, {"EXEC"}} {
				if _, err := w.Do(cmd...); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	us.c.Must(t, "BGSAVE")
	us.saved(t)
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	copyDump(t, us, redis)
	redis.again(t)
	a, b := redis.c.Must(t, "GET", "a").String(), redis.c.Must(t, "GET", "b").String()
	if a != b {
		t.Errorf("a is %s and b is %s", a, b)
	}
	if v := redis.c.Must(t, "DBSIZE").Int; v < int64(scaled(100000)) {
		t.Errorf("%d keys", v)
	}
}

// TestBrokenSnapshot: a file that is cut short or damaged ends the start with an error that names it.
func TestBrokenSnapshot(t *testing.T) {
	t.Parallel()
	n := ours(t)
	seedData(t, seed(t), 300)(n.c)
	n.c.Must(t, "SAVE")
	n.shutdown(t, "NOSAVE")
	whole, err := os.ReadFile(dump(n))
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, whole...)
	damaged[len(damaged)-1] ^= 1
	for name, b := range map[string][]byte{
		"empty": {}, "header cut": whole[:5], "half": whole[:len(whole)/2], "checksum": damaged,
		"no snapshot": []byte("hello, this is no snapshot at all"),
	} {
		if err := os.WriteFile(dump(n), b, 0o644); err != nil {
			t.Fatal(err)
		}
		before := len(n.Log())
		// It may answer LOADING before it has read all.
		_ = n.Start()
		testutil.Eventually(t, syncTimeout, name+": the server ends", func() error {
			if n.Running() {
				return fmt.Errorf("it runs")
			}
			return nil
		})
		_ = n.Stop()
		if log := n.Log()[before:]; !strings.Contains(log, "Fatal error loading the DB") {
			t.Errorf("%s: the log says\n%s", name, log)
		}
	}
	if err := os.WriteFile(dump(n), whole, 0o644); err != nil {
		t.Fatal(err)
	}
	n.again(t)
}

// TestWarmRestart: a replica that was shut down with its data serves from its file, and goes on by a partial resync; also
// after kill -9 from the last snapshot, and not when its filter is another one or the master's history is gone.
func TestWarmRestart(t *testing.T) {
	t.Parallel()
	s := seed(t)
	m := real(t)
	seedData(t, s, scaled(2000))(m.c)
	r := ours(t, follow(m.Port)...)
	sub := ours(t, follow(r.Port)...)
	settled(t, m, r, sub)
	full, _ := m.counts(t)
	resumed := func(what string) {
		t.Helper()
		settled(t, m, r, sub)
		if now, _ := m.counts(t); now != full {
			t.Errorf("%s: sync_full of the master was %s and is %s", what, full, now)
			full = now
		}
	}

	r.shutdown(t, "SAVE")
	seedData(t, s+1, 200)(m.c)
	r.again(t)
	resumed("SHUTDOWN SAVE")

	r.shutdown(t, "NOSAVE")
	r.again(t, "--save", "3600 1000000") // from the file of the first
	resumed("an older file")
	r.shutdown(t)
	r.again(t)
	resumed("SHUTDOWN with save rules")

	r.c.Must(t, "BGSAVE")
	r.saved(t)
	seedData(t, s+2, 200)(m.c)
	r.Kill()
	r.again(t)
	resumed("kill -9 after a snapshot")

	// The master is away: the data is served all the same.
	r.shutdown(t, "SAVE")
	r.again(t, "--replicaof", "127.0.0.1", "1")
	if v := r.c.Must(t, "DBSIZE").Int; v == 0 {
		t.Error("no data is served while the master is away")
	}
	r.shutdown(t, "NOSAVE")
	r.again(t, "--replica-filter-commands", "!publish")
	testutil.Eventually(t, syncTimeout, "another filter takes a full sync", func() error {
		now, _ := m.counts(t)
		if now == full {
			return fmt.Errorf("sync_full is still %s", now)
		}
		return wantInfo(r.c, "replication", "master_link_status", "up")
	})
	r.shutdown(t, "NOSAVE")
	r.again(t)
	settled(t, m, r, sub)

	// The master has a new history.
	r.shutdown(t, "SAVE")
	m.shutdown(t, "NOSAVE")
	m.again(t)
	m.c.Must(t, "SET", "new", "history")
	r.again(t)
	settled(t, m, r, sub)
	if full, _ := m.counts(t); full != "1" {
		t.Errorf("sync_full of the master with a new history is %s", full)
	}
}

// TestFilterKeepsFunctions: a filter of keys takes the functions of the snapshot all the same, one that denies FUNCTION does not.
func TestFilterKeepsFunctions(t *testing.T) {
	t.Parallel()
	m := real(t)
	m.c.Must(t, "FUNCTION", "LOAD", library)
	m.c.Must(t, "SET", "user:1", "a")
	m.c.Must(t, "SET", "other:1", "b")
	keys := ours(t, append(follow(m.Port), "--replica-filter-keys", "user:*")...)
	none := ours(t, append(follow(m.Port), "--replica-filter-commands", "!function")...)
	for _, n := range []*node{keys, none} {
		testutil.Eventually(t, syncTimeout, "the link is up", func() error { return wantInfo(n.c, "replication", "master_link_status", "up") })
	}
	sameFunctions(t, m.c, keys.c)
	if v := keys.c.Must(t, "DBSIZE").Int; v != 1 {
		t.Errorf("%d keys pass user:*", v)
	}
	if v := none.c.Must(t, "FUNCTION", "LIST"); len(v.Strings()) != 0 {
		t.Errorf("functions that were denied: %v", v)
	}
}

// TestLinkDirectives: the link comes from bind-source-addr, and an error of the master's stream ends a replica that is told to panic.
func TestLinkDirectives(t *testing.T) {
	t.Parallel()
	m := ours(t)
	r := ours(t, append(follow(m.Port), "--bind-source-addr", "127.0.0.7", "--propagation-error-behavior", "panic")...)
	m.c.Must(t, "SET", "k", "v")
	settled(t, m, r)
	if s := m.field(t, "replication", "slave0"); !strings.Contains(s, "ip=127.0.0.7,") {
		t.Errorf("slave0:%s", s)
	}
	// The master's next command meets another value here than there.
	r.c.Must(t, "CONFIG", "SET", "replica-read-only", "no")
	r.c.Must(t, "SET", "n", "no number")
	r.c.Must(t, "CONFIG", "SET", "replica-read-only", "yes")
	m.c.Must(t, "INCR", "n")
	testutil.Eventually(t, syncTimeout, "the replica ends", func() error {
		if r.Running() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
	if log := r.Log(); !strings.Contains(log, "this replica panicked sending an error to its master") {
		t.Error("the log does not say why")
	}
}

// TestShutdownWaits: the end waits for a replica that lacks writes, holds writes back meanwhile, can be given up, and comes when the
// replica has everything, or when the time is up.
func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	m := ours(t, "--shutdown-timeout", "600")
	r := real(t, follow(m.Port)...)
	m.c.Must(t, "SET", "k", "1")
	settled(t, m, r)
	if v, err := m.c.Do("SHUTDOWN", "ABORT"); err != nil || v.String() != "-ERR No shutdown in progress." {
		t.Errorf("SHUTDOWN ABORT: %v %v", v, err)
	}
	if err := r.Suspend(); err != nil {
		t.Fatal(err)
	}
	defer r.Resume()
	m.c.Must(t, "SET", "k", "2")

	asks, writes := m.Dial(t), m.Dial(t)
	waits := func() {
		t.Helper()
		if err := asks.Send("SHUTDOWN"); err != nil {
			t.Fatal(err)
		}
		testutil.Eventually(t, syncTimeout, "the shutdown waits", func() error {
			if m.field(t, "server", "shutdown_in_milliseconds") == "" {
				return fmt.Errorf("no shutdown_in_milliseconds")
			}
			return nil
		})
	}
	waits()
	if err := writes.Send("SET", "k", "3"); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, syncTimeout, "the write is read", func() error {
		if v := m.c.Must(t, "CLIENT", "LIST").String(); !strings.Contains(v, "cmd=set") {
			return fmt.Errorf("CLIENT LIST: %s", v)
		}
		return nil
	})
	if v := m.c.Must(t, "GET", "k").String(); !strings.Contains(v, "2") {
		t.Errorf("a write went through: %s", v)
	}
	m.c.Must(t, "SHUTDOWN", "ABORT")
	if v, _, err := asks.Read(); err != nil || v.Err() == nil {
		t.Errorf("the SHUTDOWN that was given up: %v %v", v, err)
	}
	if v, _, err := writes.Read(); err != nil || v.Err() != nil {
		t.Errorf("the write held back: %v %v", v, err)
	}

	waits()
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	ends := func() {
		t.Helper()
		testutil.Eventually(t, syncTimeout, "the server ends", func() error {
			if m.Running() {
				return fmt.Errorf("it runs")
			}
			return nil
		})
		_ = m.Stop()
	}
	ends()
	if v := r.c.Must(t, "GET", "k").String(); !strings.Contains(v, "3") {
		t.Errorf("the replica has %s", v)
	}

	m.again(t, "--shutdown-timeout", "1")
	m.c.Must(t, "SET", "k", "4")
	settled(t, m, r)
	if err := r.Suspend(); err != nil {
		t.Fatal(err)
	}
	m.c.Must(t, "SET", "k", "5")
	m.shutdown(t)
	if log := m.Log(); !strings.Contains(log, "0 of 1 replicas are in sync when shutting down.") {
		t.Error("the log does not tell of the replica that lags")
	}
	_ = r.Resume()
}
