//go:build linux

package redisreplica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 30 * time.Second

func open(t testing.TB, options ...Option) *Replica {
	t.Helper()
	r, err := New(options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pairOf is a writable server and a replica of it, in step.
func pairOf(t testing.TB, options ...Option) (master, replica *Replica) {
	t.Helper()
	master = open(t, WithReplicaAddr("127.0.0.1:0"), WithConfig("repl-diskless-sync-delay", "0"))
	replica = open(t, append([]Option{WithMaster(master.Addrs()[0].String())}, options...)...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := replica.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return master, replica
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestStorage goes through the methods on a writable server.
func TestStorage(t *testing.T) {
	r := open(t, WithDatabases(4), WithDefaultDatabase(1))
	s := r.Storage()
	if s.DB() != 1 {
		t.Errorf("database %d", s.DB())
	}
	if err := s.Set("k", []byte("v\x00\r\n"), 0); err != nil {
		t.Fatal(err)
	}
	if v := must[[]byte](t)(s.Get("k")); string(v) != "v\x00\r\n" {
		t.Errorf("%q", v)
	}
	if d := must[time.Duration](t)(s.TTL("k")); d != NoExpiry {
		t.Errorf("TTL %v", d)
	}
	if !must[bool](t)(s.Expire("k", 100*time.Second)) {
		t.Error("Expire of a key")
	}
	if d := must[time.Duration](t)(s.PTTL("k")); d <= 90*time.Second || d > 100*time.Second {
		t.Errorf("PTTL %v", d)
	}
	if _, err := s.Get("missing"); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("Get of a missing key: %v", err)
	}
	if _, err := s.PTTL("missing"); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("PTTL of a missing key: %v", err)
	}
	other := must[*Storage](t)(s.SelectDB(2))
	if n := must[int64](t)(other.KeyCount()); n != 0 {
		t.Errorf("%d keys in the other database", n)
	}
	if _, err := s.SelectDB(4); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("database 4 of 4: %v", err)
	}
	for _, cmd := range [][]string{
		{"HSET", "h", "a", "1", "b", "2"}, {"RPUSH", "l", "x", "y", "z"}, {"SADD", "set", "m", "n"},
		{"ZADD", "z", "1.5", "one", "2", "two"}, {"XADD", "x", "1-1", "f", "v", "g", "w"}, {"XADD", "x", "2-1", "f", "v"},
	} {
		if _, err := r.command(1, cmd...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get("h"); !errors.Is(err, ErrWrongType) {
		t.Errorf("Get of a hash: %v", err)
	}
	if _, err := s.LRange("h", 0, -1); !errors.Is(err, ErrWrongType) {
		t.Errorf("LRange of a hash: %v", err)
	}
	read := func(h map[string]string, l, set []string, z []Member, x []StreamEntry) {
		t.Helper()
		slices.Sort(set)
		got := fmt.Sprint(h, l, set, z, x)
		if want := "map[a:1 b:2] [y z] [m n] [{one 1.5} {two 2}] [{1-1 [{f v} {g w}]}]"; got != want {
			t.Errorf("read %s, want %s", got, want)
		}
	}
	read(must[map[string]string](t)(s.HGetAll("h")), must[[]string](t)(s.LRange("l", 1, -1)), must[[]string](t)(s.SMembers("set")),
		must[[]Member](t)(s.ZRange("z", 0, -1)), must[[]StreamEntry](t)(s.XRange("x", "-", "+", 1)))
	var last *Tx
	err := s.View(func(tx *Tx) error {
		last = tx
		read(must[map[string]string](t)(tx.HGetAll("h")), must[[]string](t)(tx.LRange("l", 1, -1)), must[[]string](t)(tx.SMembers("set")),
			must[[]Member](t)(tx.ZRange("z", 0, -1)), must[[]StreamEntry](t)(tx.XRange("x", "-", "+", 1)))
		if v, err := tx.Get("k"); err != nil || string(v) != "v\x00\r\n" {
			t.Errorf("Get in a view: %q, %v", v, err)
		}
		if _, err := tx.Get("none"); !errors.Is(err, ErrNoSuchKey) {
			t.Errorf("Get of a missing key in a view: %v", err)
		}
		if tx.Type("z") != "zset" || tx.Exists("none") || tx.KeyCount() != 6 {
			t.Errorf("%s, %v, %d keys", tx.Type("z"), tx.Exists("none"), tx.KeyCount())
		}
		if _, err := s.Get("k"); !errors.Is(err, ErrInView) {
			t.Errorf("Storage in a view: %v", err)
		}
		return ErrNoMaster
	})
	if !errors.Is(err, ErrNoMaster) {
		t.Errorf("View returned %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a Tx can be used after its view")
			}
		}()
		_, _ = last.Get("k")
	}()
	// A panic in a view is the caller's, by a visit and by the mailbox; the server goes on.
	for _, busy := range []bool{false, true} {
		func() {
			defer func() {
				if got := recover(); got != "mine" {
					t.Errorf("busy %v: recovered %v", busy, got)
				}
			}()
			if busy {
				r.loop.Post(func() { time.Sleep(20 * time.Millisecond) })
				time.Sleep(5 * time.Millisecond)
			}
			_ = s.View(func(*Tx) error { panic("mine") })
		}()
	}
	if n := must[int64](t)(s.Exists("k", "k", "none", "h")); n != 3 {
		t.Errorf("%d exist", n)
	}
	if ty := must[string](t)(s.Type("x")); ty != "stream" {
		t.Errorf("type %s", ty)
	}
	seen := map[string]bool{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		keys, next, err := s.Scan(cursor, "", 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			seen[k] = true
		}
		cursor = next
	}
	if len(seen) != 6 || len(must[[]string](t)(s.Keys("?"))) != 5 {
		t.Errorf("Scan saw %v", seen)
	}
	if n := must[int64](t)(s.MemoryUsage()); n < 500 {
		t.Errorf("%d bytes", n)
	}
	if info := must[map[string]string](t)(s.Info("server")); info["redis_version"] == "" || info["role"] != "" {
		t.Errorf("Info: %v", info)
	}
	for _, preset := range []CleanupConfig{
		CleanupSmallDataset, CleanupMediumDataset, CleanupLargeDataset, CleanupBestPerformance, CleanupLowLatency, CleanupDefault,
		{Name: "custom", SampleSize: 7, MaxRounds: 3, BatchSize: 2, Threshold: 60},
	} {
		if err := s.SetCleanupConfig(preset); err != nil {
			t.Fatal(err)
		}
		got := must[CleanupConfig](t)(s.GetCleanupConfig())
		if got.Name != preset.Name || got.SampleSize == 0 || preset.SampleSize != 0 && got != preset {
			t.Errorf("preset %v became %v", preset, got)
		}
	}
	if err := s.SetCleanupConfig(CleanupConfig{Name: "nonsense"}); err == nil {
		t.Error("a preset of that name")
	}
	if n := must[int64](t)(s.Del("k", "none")); n != 1 {
		t.Errorf("%d deleted", n)
	}
	if err := s.FlushAll(); err != nil {
		t.Fatal(err)
	}
	if n := must[int64](t)(s.KeyCount()); n != 0 {
		t.Errorf("%d keys after FlushAll", n)
	}
	if err := r.WaitForSync(t.Context()); !errors.Is(err, ErrNoMaster) {
		t.Errorf("WaitForSync without a master: %v", err)
	}
}

// TestFollower follows a master in the same process.
func TestFollower(t *testing.T) {
	told := make(chan struct{}, 2)
	master, replica := pairOf(t)
	replica.OnSyncComplete(func() { told <- struct{}{} })
	<-told
	if err := master.Storage().Set("k", []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key is there", func() bool { v, err := replica.Storage().Get("k"); return err == nil && string(v) == "v" })
	if err := replica.Storage().Set("k", nil, 0); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a write on a replica: %v", err)
	}
	var se *ServerError
	if _, err := replica.Storage().Del("k"); !errors.As(err, &se) || se.Text != "READONLY You can't write against a read only replica." {
		t.Errorf("a write on a replica: %v", err)
	}
	st := replica.SyncStatus()
	if !st.InitialSyncCompleted || st.InitialSyncProgress != 1 || !st.Connected || st.MasterHost != master.Addrs()[0].String() ||
		st.ReplicationOffset == 0 || st.LastSyncTime.IsZero() || st.BytesReceived == 0 || st.CommandsProcessed == 0 {
		t.Errorf("%+v", st)
	}
	if !replica.IsConnected() || master.IsConnected() {
		t.Error("IsConnected")
	}
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link is down", func() bool { return !replica.IsConnected() })
	if v, err := replica.Storage().Get("k"); err != nil || string(v) != "v" {
		t.Errorf("while the master is away: %q, %v", v, err)
	}
}

// TestRedirectedWrites: a write of the program goes to the master and shows here.
func TestRedirectedWrites(t *testing.T) {
	master, replica := pairOf(t, WithWriteRedirection(true), WithConfig("write-redirection-wait", "yes"))
	s := replica.Storage()
	for i := range 50 {
		k := fmt.Sprint("k", i)
		if err := s.Set(k, []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Get(k); err != nil || string(v) != "v" {
			t.Fatalf("one's own write: %q, %v", v, err)
		}
	}
	if n := must[int64](t)(master.Storage().KeyCount()); n != 50 {
		t.Errorf("%d keys on the master", n)
	}
}

// TestChanges: events in order, of the pattern only, with values; a resync, a flush, and an overflow are told.
func TestChanges(t *testing.T) {
	master, replica := pairOf(t)
	var mu sync.Mutex
	var got []ChangeEvent
	cancel, err := replica.OnChange("user:*", func(e ChangeEvent) { mu.Lock(); got = append(got, e); mu.Unlock() }, WithValues())
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range [][]string{
		{"SET", "user:1", "a"}, {"SET", "other", "b"}, {"HSET", "user:2", "f", "v"}, {"DEL", "user:1"}, {"SELECT", "3"}, {"RPUSH", "user:3", "x", "y"},
		{"SELECT", "0"}, {"FLUSHALL"},
	} {
		db := 0
		if cmd[0] == "RPUSH" {
			db = 3
		}
		if cmd[0] == "SELECT" {
			continue
		}
		if _, err := master.command(db, cmd...); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the flush was told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) > 0 && got[len(got)-1].Kind == DatabaseChanged
	})
	cancel()
	cancel()
	names := ""
	for _, e := range got {
		names += fmt.Sprintf("%d/%s=%s ", e.Database, e.Key, e.Command)
	}
	if want := "0/user:1=set 0/user:2=hset 0/user:1=del 3/user:3=rpush -1/=flushdb "; names != want {
		t.Errorf("events %s\nwant   %s", names, want)
	}
	if n := len(*replica.lib.changes.list.Load()); n != 0 {
		t.Errorf("%d listeners after cancel", n)
	}

	// A listener that does not go on loses events, and hears how many; the loop never waits.
	block, lost := make(chan struct{}), make(chan int64, 1)
	var calls atomic.Int64
	cancel, err = replica.OnChange("", func(e ChangeEvent) {
		<-block
		if calls.Add(1); e.Kind == Overflow {
			lost <- e.Lost
		}
	}, WithQueue(4))
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for i := range 100 {
		if err := master.Storage().Set(fmt.Sprint(i), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are there", func() bool { n, err := replica.Storage().KeyCount(); return err == nil && n == 100 })
	close(block)
	if n := <-lost; n < 90 || n+calls.Load() != 101 {
		t.Errorf("%d lost, %d told", n, calls.Load())
	}

	// A full sync in place of the data.
	resynced := make(chan struct{}, 8)
	cancel2, err := replica.OnChange("none", func(e ChangeEvent) {
		if e.Kind == Resynced {
			resynced <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cancel2()
	second := open(t, WithReplicaAddr("127.0.0.1:0"), WithConfig("repl-diskless-sync-delay", "0"))
	host, port, _ := net.SplitHostPort(second.Addrs()[0].String())
	if _, err := replica.command(0, "REPLICAOF", host, port); err != nil {
		t.Fatal(err)
	}
	select {
	case <-resynced:
	case <-time.After(patience):
		t.Error("the full sync was not told")
	}
}

// TestValuesOfChanges: with values, each type has its own.
func TestValuesOfChanges(t *testing.T) {
	r := open(t)
	events := make(chan ChangeEvent, 16)
	if _, err := r.OnChange("*", func(e ChangeEvent) { events <- e }, WithValues()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cmd  []string
		want string
	}{
		{[]string{"SET", "s", "v"}, "string [118]"},
		{[]string{"HSET", "h", "f", "v"}, "hash map[f:v]"},
		{[]string{"RPUSH", "l", "a", "b"}, "list [a b]"},
		{[]string{"SADD", "e", "m"}, "set [m]"},
		{[]string{"ZADD", "z", "1", "m"}, "zset [{m 1}]"},
		{[]string{"XADD", "x", "1-1", "f", "v"}, "stream [{1-1 [{f v}]}]"},
		{[]string{"DEL", "s"}, "none <nil>"},
	} {
		if _, err := r.command(0, c.cmd...); err != nil {
			t.Fatal(err)
		}
		e := <-events
		if got := fmt.Sprint(e.Type, " ", e.Value); got != c.want {
			t.Errorf("%v: %s, want %s", c.cmd, got, c.want)
		}
	}
}

type recorder struct {
	mu   sync.Mutex
	seen map[string]int64
}

func (c *recorder) add(what string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int64{}
	}
	c.seen[what] += n
}
func (c *recorder) SyncDuration(d time.Duration) { c.add("sync", int64(d)) }
func (c *recorder) CommandProcessed(n string, calls int64, _ time.Duration) {
	c.add("command "+n, calls)
}
func (c *recorder) NetworkBytes(n int64)       { c.add("bytes", n) }
func (c *recorder) KeyCount(n int64)           { c.add("keys", n) }
func (c *recorder) MemoryUsage(n int64)        { c.add("memory", n) }
func (c *recorder) Reconnection(n int64)       { c.add("reconnections", n) }
func (c *recorder) Error(kind string, n int64) { c.add("error "+kind, n) }

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) add(level, msg string) {
	l.mu.Lock()
	l.text = append(l.text, level+": "+msg)
	l.mu.Unlock()
}
func (l *lines) Debug(msg string, _ ...any) { l.add("debug", msg) }
func (l *lines) Info(msg string, _ ...any)  { l.add("info", msg) }
func (l *lines) Error(msg string, _ ...any) { l.add("error", msg) }

// TestMetricsAndLogger: every method of a collector is called, and all three of a logger.
func TestMetricsAndLogger(t *testing.T) {
	var c recorder
	var l lines
	master, replica := pairOf(t, WithMetrics(&c), WithLogger(&l), WithConfig("loglevel", "debug"), WithReplicaAddr("127.0.0.1:0"), WithHeartbeatInterval(50*time.Millisecond),
		WithReadTimeout(20*time.Second), WithWriteTimeout(20*time.Second), WithConnectTimeout(20*time.Second), WithSyncTimeout(time.Minute))
	if err := master.Storage().Set("k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key is there", func() bool { n, err := replica.Storage().Exists("k"); return err == nil && n == 1 })
	if err := replica.Storage().Set("k", nil, 0); err == nil {
		t.Fatal("a write on a replica")
	}
	nc, err := net.Dial("tcp", replica.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if _, err := master.command(0, "CLIENT", "KILL", "TYPE", "replica"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("measured: %v", c.seen)
		}
	}()
	eventually(t, "all is measured", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, name := range []string{"sync", "command set", "bytes", "keys", "memory", "reconnections", "error link", "error READONLY"} {
			if c.seen[name] == 0 {
				return false
			}
		}
		return true
	})
	eventually(t, "all levels were logged", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		levels := map[string]bool{}
		for _, line := range l.text {
			levels[line[:5]] = true
		}
		return levels["debug"] && levels["info:"] && levels["error"]
	})
}

// TestLifeOfAReplica: what is asked before the start or after the end gets its error, and nothing is left.
func TestLifeOfAReplica(t *testing.T) {
	for i, o := range []Option{
		WithMaster("host:port:x"), WithReplicaAddr("nothing"), WithTLS(nil), WithConnectTimeout(0), WithConfig("nonsense", "1"), WithConfig("maxmemory", "x"),
		WithDefaultDatabase(16), WithDatabases(0),
	} {
		if r, err := New(o); err == nil {
			t.Errorf("wrong option %d was taken", i)
			_ = r.Close()
		}
	}
	before, files := settled(), countFiles(t)
	for range 5 {
		r, err := New(WithReplicaAddr("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Storage().Get("k"); !errors.Is(err, ErrNotStarted) {
			t.Errorf("before the start: %v", err)
		}
		cancelChanges, err := r.OnChange("*", func(ChangeEvent) {})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		follower := must[*Replica](t)(New(WithMaster(r.Addrs()[0].String())))
		if err := follower.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Storage().Set("k", nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := follower.Close(); err != nil {
			t.Fatal(err)
		}
		cancel() // closes r
		eventually(t, "the end of the context closes", func() bool { _, err := r.Storage().Get("k"); return errors.Is(err, ErrClosed) })
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		cancelChanges()
		if err := r.Start(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Start after Close: %v", err)
		}
		if _, err := r.OnChange("*", func(ChangeEvent) {}); !errors.Is(err, ErrClosed) {
			t.Errorf("OnChange after Close: %v", err)
		}
		never := must[*Replica](t)(New())
		if err := never.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "goroutines and files are as before", func() bool { return settled() <= before && countFiles(t) <= files })
}

func settled() int {
	runtime.GC()
	return runtime.NumGoroutine()
}

func countFiles(t *testing.T) int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// TestSeveral: many goroutines and several replicas side by side, under the race detector.
func TestSeveral(t *testing.T) {
	master, a := pairOf(t)
	b := open(t, WithMaster(master.Addrs()[0].String()))
	if err := b.WaitForSync(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				k := fmt.Sprint(g, "/", i)
				if err := master.Storage().Set(k, []byte(k), 0); err != nil {
					t.Error(err)
					return
				}
				for _, r := range []*Replica{a, b} {
					if v, err := r.Storage().Get(k); err == nil && string(v) != k {
						t.Errorf("%s has %q", k, v)
					} else if err != nil && !errors.Is(err, ErrNoSuchKey) {
						t.Error(err)
					}
					if err := r.Storage().View(func(tx *Tx) error {
						n := tx.KeyCount()
						runtime.Gosched()
						if m := tx.KeyCount(); m != n {
							return fmt.Errorf("%d keys became %d in a view", n, m)
						}
						return nil
					}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, r := range []*Replica{a, b} {
		eventually(t, "all keys are there", func() bool { n, err := r.Storage().KeyCount(); return err == nil && n == 1200 })
	}
}

func BenchmarkStorageGet(b *testing.B) {
	r := open(b)
	s := r.Storage()
	if err := s.Set("key", make([]byte, 64), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get("key"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkView1000(b *testing.B) {
	r := open(b)
	s := r.Storage()
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("key:", i)
		if err := s.Set(keys[i], make([]byte, 64), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.View(func(tx *Tx) error {
			for _, k := range keys {
				if _, err := tx.Get(k); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}
