package masterlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// script is a whole life of a connection: handshake, payload, stream.
func script(marked bool) (mastertest.Config, []byte) {
	stream := bytes.Join([][]byte{
		mastertest.Command("SELECT", "0"),
		mastertest.Command("SET", "a", "1"),
		mastertest.Command("MULTI"),
		mastertest.Command("INCR", "a"),
		mastertest.Command("INCR", "b"),
		mastertest.Command("EXEC"),
		[]byte("\r\n"),
		mastertest.Command("SET", "z", "end"),
	}, nil)
	return mastertest.Config{RDB: someRDB(60), Offset: 500, Marked: marked, Eager: true, Keepalives: 1}, stream
}

// scriptBytes is how many bytes the master sends on an undisturbed connection.
func scriptBytes(cfg mastertest.Config, stream []byte) int64 {
	n := len("+PONG\r\n+OK\r\n+OK\r\n") + 2*cfg.Keepalives + len("+FULLRESYNC  500\r\n") + replproto.IDLen + len(cfg.RDB) + len(stream)
	if cfg.Marked {
		return int64(n + len("$EOF:\r\n") + 40 + 40)
	}
	return int64(n + len("$60\r\n"))
}

// TestFaultAtEveryByte cuts, resets, or corrupts the first connection at each of its
// bytes. Whatever happens there, the link ends with exactly the master's data: the whole
// payload and the whole stream, each command once.
func TestFaultAtEveryByte(t *testing.T) {
	kinds := map[string]mastertest.Fault{
		"cut":     {Kind: mastertest.Cut},
		"reset":   {Kind: mastertest.Reset},
		"garbage": {Kind: mastertest.Insert, Data: []byte("\x00garbage\xff\r\n")},
	}
	for name, fault := range kinds {
		for _, marked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,marked=%v", name, marked), func(t *testing.T) {
				cfg, stream := script(marked)
				total := scriptBytes(cfg, stream)
				step := int64(1)
				if raceEnabled {
					step = 7
				}
				// Most of the time is waiting for timeouts: many at once.
				var wg sync.WaitGroup
				for lane := range int64(24) {
					wg.Go(func() {
						for at := lane * step; at < total && !t.Failed(); at += 24 * step {
							if err := faultOnce(t, cfg, stream, fault, at); err != nil {
								t.Errorf("fault at byte %d of %d: %v", at, total, err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

func faultOnce(t *testing.T, cfg mastertest.Config, stream []byte, fault mastertest.Fault, at int64) error {
	cfg.Fault = func(conn int) mastertest.Fault {
		if conn > 0 {
			return mastertest.Fault{}
		}
		f := fault
		f.After = at
		return f
	}
	m, err := mastertest.New(cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	m.Feed(stream)
	// Another dataset is held from the start: it has to stay until it is replaced whole.
	h := newHost(t)
	h.trailer(len(cfg.RDB))
	old := []byte("old data")
	h.data = old
	lc := quick(m)
	lc.TransferTimeout = 200 * time.Millisecond
	lc.HandshakeTimeout = 200 * time.Millisecond
	lc.StreamTimeout = 200 * time.Millisecond
	var l *Link
	h.on(func() { l = Start(lc, h); h.link = l })
	defer func() {
		h.on(l.Stop)
		h.close()
	}()
	want := 500 + int64(len(stream))
	end := time.Now().Add(20 * time.Second)
	for done := false; !done; {
		if time.Now().After(end) {
			return fmt.Errorf("applied %d instead of %d, acknowledged %d; errors %v", h.applied(), want, m.Acked(), h.errs())
		}
		time.Sleep(time.Millisecond)
		h.mu.Lock()
		if h.installs == 0 && !bytes.Equal(h.data, old) {
			err = errors.New("the old data is gone before the new is there")
		}
		done = h.installs > 0 && h.stream.Applied() == want && m.Acked() == want || err != nil
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil:
		return err
	case h.bad != nil:
		return h.bad
	case !bytes.Equal(h.data, cfg.RDB):
		return fmt.Errorf("the dataset is %q", h.data)
	}
	checkWritten(t, m)
	return nil
}

// checkWritten verifies that the master never got anything but the protocol.
func checkWritten(t *testing.T, m *mastertest.Master) {
	t.Helper()
	for _, s := range m.Seen() {
		if s.Args == nil {
			continue
		}
		switch strings.ToUpper(s.Args[0]) {
		case "PING", "PSYNC", "REPLCONF", "AUTH", "SYNC":
		default:
			t.Errorf("the replica sent %q", s.Args)
		}
	}
}

// TestStallInEveryPhase: each phase runs into its own timeout and names itself.
func TestStallInEveryPhase(t *testing.T) {
	cfg, stream := script(false)
	total := scriptBytes(cfg, stream)
	header := int64(len("+PONG\r\n+OK\r\n+OK\r\n") + 2 + len("+FULLRESYNC  500\r\n") + replproto.IDLen)
	for _, c := range []struct {
		at    int64
		phase replproto.Phase
		set   func(c *Config, d time.Duration)
	}{
		{0, replproto.PhasePing, func(c *Config, d time.Duration) { c.HandshakeTimeout = d }},
		{3, replproto.PhasePing, func(c *Config, d time.Duration) { c.HandshakeTimeout = d }},
		{7, replproto.PhaseReplconf, func(c *Config, d time.Duration) { c.HandshakeTimeout = d }},
		{20, replproto.PhasePsync, func(c *Config, d time.Duration) { c.HandshakeTimeout = d }},
		{header, replproto.PhaseHeader, func(c *Config, d time.Duration) { c.TransferTimeout = d }},
		{header + 20, replproto.PhasePayload, func(c *Config, d time.Duration) { c.TransferTimeout = d }},
		{total - 5, replproto.PhaseStream, func(c *Config, d time.Duration) { c.StreamTimeout = d }},
	} {
		t.Run(c.phase.String(), func(t *testing.T) {
			cfg := cfg
			cfg.Fault = func(conn int) mastertest.Fault {
				if conn > 0 {
					return mastertest.Fault{}
				}
				return mastertest.Fault{Kind: mastertest.Stall, After: c.at}
			}
			m := newMaster(t, cfg)
			m.Feed(stream)
			h := newHost(t)
			lc := quick(m)
			c.set(&lc, 60*time.Millisecond)
			start := time.Now()
			follow(t, h, lc)
			until(t, "an error", func() bool { return len(h.errs()) > 0 })
			if d := time.Since(start); d < 60*time.Millisecond || d > 1500*time.Millisecond {
				t.Errorf("the timeout of 60 ms took %v", d)
			}
			e := asError(t, h.errs()[0])
			if e.Kind != replproto.KindTimeout || e.Phase != c.phase {
				t.Fatalf("%v (%v)", e, e.Kind)
			}
			until(t, "recovery", func() bool { return h.applied() == 500+int64(len(stream)) })
		})
	}
}

func TestConnectTimeoutAndRefusal(t *testing.T) {
	h := newHost(t)
	never := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	l := follow(t, h, Config{Addr: "10.255.255.1:1", Dial: never, ConnectTimeout: 20 * time.Millisecond, Backoff: Backoff{Min: time.Millisecond, Max: time.Millisecond}})
	until(t, "timeouts", func() bool { return len(h.errs()) >= 3 })
	if e := asError(t, h.errs()[0]); e.Phase != replproto.PhaseConnect || e.Kind != replproto.KindTimeout {
		t.Fatal(e)
	}
	if s := l.Status(); s.Failures < 3 || s.State == StateConnected || s.DownSince == 0 {
		t.Fatalf("%+v", s)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	h2 := newHost(t)
	follow(t, h2, Config{Addr: addr, Backoff: Backoff{Min: time.Millisecond, Max: time.Millisecond}})
	until(t, "refusals", func() bool { return len(h2.errs()) >= 3 })
	if e := asError(t, h2.errs()[0]); e.Phase != replproto.PhaseConnect || e.Kind != replproto.KindLost {
		t.Fatal(e)
	}
}

// TestLies: lengths and marks that do not hold, with a loader that knows where its RDB
// ends. Nothing is installed, the error says what was wrong, and the next sync works.
func TestLies(t *testing.T) {
	honest := func(c mastertest.Config) mastertest.Config { return c }
	for name, c := range map[string]struct {
		lie  func(c mastertest.Config) mastertest.Config
		want string
	}{
		"one byte less": {func(c mastertest.Config) mastertest.Config {
			c.Declare = func(n int64) int64 { return n - 1 }
			return c
		}, "unexpected EOF"},
		"one byte more": {func(c mastertest.Config) mastertest.Config {
			c.Declare = func(n int64) int64 { return n + 1 }
			return c
		}, "the master announced 61 bytes"},
		"a world more": {func(c mastertest.Config) mastertest.Config {
			c.Declare = func(n int64) int64 { return 1 << 62 }
			return c
		}, "the master announced"},
		"negative": {func(c mastertest.Config) mastertest.Config {
			c.Declare = func(n int64) int64 { return -1 }
			return c
		}, "malformed payload length"},
		"another mark": {func(c mastertest.Config) mastertest.Config {
			c.Marked, c.EndMark = true, strings.Repeat("x", 40)
			return c
		}, "the end mark does not follow"},
		"a mark wrong in its last byte": {func(c mastertest.Config) mastertest.Config {
			c.Marked, c.EndMark = true, mastertest.DefaultMark[:39]+"x"
			return c
		}, "the end mark does not follow"},
		"a byte before the mark": {func(c mastertest.Config) mastertest.Config {
			c.Marked, c.EndMark = true, "x"+mastertest.DefaultMark
			return c
		}, "the end mark does not follow"},
		"no mark": {func(c mastertest.Config) mastertest.Config {
			c.Marked, c.EndMark = true, "\n"
			return c
		}, "the end mark does not follow"},
	} {
		for _, greedy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,greedy=%v", name, greedy), func(t *testing.T) {
				cfg, stream := script(false)
				cfg = c.lie(cfg)
				liar := newMaster(t, cfg)
				h := newHost(t)
				h.trailer(60)
				if greedy {
					h.greedy(60)
				}
				h.data = []byte("old")
				lc := quick(liar)
				l := follow(t, h, lc)
				until(t, "an error", func() bool { return len(h.errs()) > 0 })
				if e := h.errs()[0].Error(); !strings.Contains(e, c.want) {
					t.Fatalf("%s\nwant: %s", e, c.want)
				}
				h.mu.Lock()
				if h.installs != 0 || string(h.data) != "old" {
					t.Fatal("a lie was installed")
				}
				h.mu.Unlock()
				h.on(l.Stop)

				cfg, _ = script(false)
				m := newMaster(t, honest(cfg))
				m.Feed(stream)
				h.on(func() { h.link = Start(quick(m), h); l = h.link })
				defer func() { h.on(l.Stop) }()
				until(t, "the honest sync", func() bool { return h.applied() == 500+int64(len(stream)) })
			})
		}
	}
}

func TestCredentials(t *testing.T) {
	cfg, stream := script(false)
	cfg.User, cfg.Pass = "repl", "secret"
	m := newMaster(t, cfg)
	m.Feed(stream)
	var log strings.Builder
	wrong := newHost(t)
	lc := quick(m)
	lc.User, lc.Pass = "repl", "hunter2"
	lc.Backoff = Backoff{Min: time.Millisecond, Max: 100 * time.Millisecond, Jitter: -1}
	lc.Logf = func(_ LogLevel, f string, a ...any) { fmt.Fprintf(&log, f+"\n", a...) }
	l := follow(t, wrong, lc)
	start := time.Now()
	until(t, "three refusals", func() bool { return len(wrong.errs()) >= 3 })
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("three refusals in %v: too fast a loop", d)
	}
	e := asError(t, wrong.errs()[0])
	if e.Kind != replproto.KindRefused || e.Phase != replproto.PhaseAuth || e.Remedy == "" {
		t.Fatalf("%v", e)
	}
	wrong.on(l.Stop)
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "masterauth") {
		t.Fatalf("the log:\n%s", log.String())
	}

	none := newHost(t)
	lc = quick(m)
	l2 := follow(t, none, lc)
	until(t, "a refusal", func() bool { return len(none.errs()) >= 1 })
	if e := asError(t, none.errs()[0]); e.Kind != replproto.KindRefused || !strings.Contains(e.Remedy, "masterauth") {
		t.Fatal(e)
	}
	none.on(l2.Stop)

	right := newHost(t)
	lc = quick(m)
	lc.User, lc.Pass = "repl", "secret"
	follow(t, right, lc)
	until(t, "the sync", func() bool { return right.applied() == 500+int64(len(stream)) })
}

// TestUpdateEndsThePause: new credentials are tried at once.
func TestUpdateEndsThePause(t *testing.T) {
	cfg, stream := script(false)
	cfg.Pass = "secret"
	m := newMaster(t, cfg)
	m.Feed(stream)
	h := newHost(t)
	lc := quick(m)
	lc.Pass = "old"
	lc.Backoff = Backoff{Max: time.Hour}
	l := follow(t, h, lc)
	until(t, "a refusal", func() bool { return len(h.errs()) > 0 })
	lc.Pass = "secret"
	l.Update(lc)
	until(t, "the sync", func() bool { return h.applied() == 500+int64(len(stream)) })
}

func TestDoubleReleasePanics(t *testing.T) {
	l := &Link{}
	l.pool.init(1)
	c := &Chunk{link: l}
	c.Release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.Release()
}

// TestTooNewRDB: a host that refuses the payload for good is not asked in a tight loop.
func TestTooNewRDB(t *testing.T) {
	m := newMaster(t, mastertest.Config{RDB: someRDB(1 << 20)})
	h := newHost(t)
	read := 0
	h.load = func(r io.Reader, _ SyncInfo) (Loaded, error) {
		var head [9]byte
		n, err := io.ReadFull(r, head[:])
		read += n
		if err != nil {
			return Loaded{}, err
		}
		return Loaded{}, &Refused{Err: errors.New("RDB version 10"), Remedy: "run a newer replica"}
	}
	lc := quick(m)
	lc.Backoff = Backoff{Min: time.Millisecond, Max: 80 * time.Millisecond, Jitter: -1}
	start := time.Now()
	l := follow(t, h, lc)
	until(t, "three refusals", func() bool { return len(h.errs()) >= 3 })
	if d := time.Since(start); d < 160*time.Millisecond {
		t.Errorf("three refusals in %v", d)
	}
	if e := h.errs()[0]; !strings.Contains(e.Error(), "RDB version 10 (run a newer replica)") {
		t.Fatal(e)
	}
	h.on(l.Stop)
	if read > 4*9 {
		t.Errorf("%d bytes read of payloads that were refused at byte 9", read)
	}
}

func TestResumeAfterCuts(t *testing.T) {
	m := newMaster(t, mastertest.Config{RDB: someRDB(100), Offset: 10})
	h := newHost(t)
	lc := quick(m)
	follow(t, h, lc)
	if err := m.WaitOnline(1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	var all []byte
	rounds := 60
	for i := range rounds {
		p := bytes.Join([][]byte{
			mastertest.Command("SET", fmt.Sprint("k", i), strings.Repeat("v", i*13%5000)),
			mastertest.Command("MULTI"), mastertest.Command("INCR", "n"), mastertest.Command("EXEC"),
		}, nil)
		all = append(all, p...)
		half := len(p) * (i % 7) / 7
		m.Feed(p[:half])
		m.CutAll()
		m.Feed(p[half:])
		until(t, "the end of the round", func() bool { return h.applied() == m.Offset() })
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, full, _ := m.Counts(); full != 1 || h.installs != 1 {
		t.Fatalf("%d full syncs, %d installs", full, h.installs)
	}
	if h.continues < rounds/2 {
		t.Fatalf("%d resumes in %d rounds", h.continues, rounds)
	}
	if want := 10 + int64(len(all)); h.stream.Applied() != want {
		t.Fatalf("applied %d, want %d", h.stream.Applied(), want)
	}
}

func TestNewHistoryIsLearnt(t *testing.T) {
	m := newMaster(t, mastertest.Config{RDB: someRDB(100), Offset: 10})
	h := newHost(t)
	follow(t, h, quick(m))
	m.Feed(mastertest.Command("SET", "a", "1"))
	until(t, "the first", func() bool { return h.applied() == m.Offset() })
	newID := strings.Repeat("f", 40)
	m.Rename(newID)
	m.CutAll()
	m.Feed(mastertest.Command("SET", "a", "2"))
	until(t, "the second", func() bool { return h.applied() == m.Offset() })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newID != newID || h.installs != 1 {
		t.Fatalf("new id %q, %d installs", h.newID, h.installs)
	}
}

// TestCorruptStreamForcesAFullSync: what the stream holds after noise cannot be trusted.
func TestCorruptStreamForcesAFullSync(t *testing.T) {
	cfg, stream := script(false)
	m := newMaster(t, cfg)
	h := newHost(t)
	follow(t, h, quick(m))
	m.Feed(stream)
	until(t, "the stream", func() bool { return h.applied() == m.Offset() })
	m.Feed([]byte("SET inline command\r\n"))
	until(t, "an error", func() bool { return len(h.errs()) > 0 })
	if e := asError(t, h.errs()[0]); e.Kind != replproto.KindProtocol || e.Phase != replproto.PhaseStream || e.Offset != 500+int64(len(stream)) {
		t.Fatal(e)
	}
	m.SetSnapshot(someRDB(70))
	until(t, "a second full sync", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.data) == 70
	})
	for _, s := range m.Seen() {
		if len(s.Args) > 1 && s.Args[0] == "PSYNC" && s.Args[1] != "?" {
			t.Fatalf("resumed from a corrupt stream: %q", s.Args)
		}
	}
}

// TestOldMasterWithoutPSYNC: SYNC works, and nothing is acknowledged.
func TestOldMasterWithoutPSYNC(t *testing.T) {
	cfg, stream := script(false)
	cfg.Reply = func(_ int, args []string) (string, bool) {
		if args[0] == "PSYNC" || args[0] == "REPLCONF" {
			return "-ERR unknown command\r\n", true
		}
		return "", false
	}
	m := newMaster(t, cfg)
	m.Feed(stream)
	h := newHost(t)
	follow(t, h, quick(m))
	until(t, "the stream", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.stream.Applied() == int64(len(stream))
	})
	h.on(func() { h.link.SendAckNow(5) })
	time.Sleep(30 * time.Millisecond)
	for _, s := range m.Seen() {
		if len(s.Args) > 1 && s.Args[1] == "ACK" {
			t.Fatalf("sent %q", s.Args)
		}
	}
}

// TestBackpressure: a loop that is slow holds the master back, bounds what is read ahead,
// and is no timeout.
func TestBackpressure(t *testing.T) {
	m := newMaster(t, mastertest.Config{RDB: someRDB(10), BacklogSize: 1 << 20})
	h := newHost(t)
	lc := quick(m)
	lc.ChunkSize, lc.Chunks = 64<<10, 2
	lc.StreamTimeout = 250 * time.Millisecond
	l := follow(t, h, lc)
	if err := m.WaitOnline(1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	block := make(chan struct{})
	h.Post(func() { <-block })
	p := mastertest.Command("SET", "k", strings.Repeat("v", 100_000))
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for range 100 {
			m.Feed(p)
		}
	}()
	time.Sleep(700 * time.Millisecond)
	before := l.Status().BytesRead
	if limit := int64(3*64<<10 + 1000); before > limit {
		t.Errorf("%d bytes were read ahead of a loop that stands still", before)
	}
	close(block)
	<-fed
	until(t, "everything applied", func() bool { return h.applied() == m.Offset() })
	h.mu.Lock()
	n := h.commands
	h.mu.Unlock()
	if n != 100 {
		t.Fatalf("%d commands", n)
	}
	if errs := h.errs(); len(errs) > 0 {
		t.Fatalf("a busy loop was taken for a silent master: %v", errs)
	}
}

// TestKeepalivesWhileLoading: at most one empty line a second, then the ACK.
func TestKeepalivesWhileLoading(t *testing.T) {
	m := newMaster(t, mastertest.Config{RDB: someRDB(1000), Marked: true, Offset: 77})
	h := newHost(t)
	h.load = func(r io.Reader, _ SyncInfo) (Loaded, error) {
		p, err := io.ReadAll(r)
		time.Sleep(2500 * time.Millisecond)
		return Loaded{Data: p, Bytes: int64(len(p))}, err
	}
	lc := quick(m)
	lc.TransferTimeout = 500 * time.Millisecond // a slow load is not a silence
	follow(t, h, lc)
	if err := m.WaitAck(77, 8*time.Second); err != nil {
		t.Fatal(err)
	}
	blank := 0
	var last time.Time
	for _, s := range m.Seen() {
		if s.Args == nil {
			blank++
			if d := s.At.Sub(last); d < 900*time.Millisecond {
				t.Errorf("two empty lines within %v", d)
			}
			last = s.At
		}
	}
	if blank != 2 {
		t.Errorf("%d empty lines in 2.5 s", blank)
	}
	// Idle: the first ACKs come quickly, then one a second.
	if err := m.WaitAck(77, time.Second); err != nil {
		t.Fatal(err)
	}
	n := len(m.Seen())
	time.Sleep(1500 * time.Millisecond)
	if k := len(m.Seen()) - n; k < 1 || k > 8 {
		t.Errorf("%d messages in 1.5 s of idling", k)
	}
}

// TestStopAnywhere: Stop ends the link whatever it is doing, twice is once, and nothing
// runs on the loop afterwards.
func TestStopAnywhere(t *testing.T) {
	cfg, stream := script(true)
	cfg.RDB = someRDB(300_000)
	cfg.MaxWrite = 4096
	for i := range 60 {
		m, err := mastertest.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.Feed(stream)
		h := newHost(t)
		var l *Link
		h.on(func() { l = Start(quick(m), h); h.link = l })
		time.Sleep(time.Duration(i*i*3) * time.Microsecond)
		var after int
		h.on(func() {
			l.Stop()
			l.Stop()
			h.mu.Lock()
			after = len(h.changes) + h.commands + h.installs
			h.mu.Unlock()
		})
		<-l.Done()
		h.on(func() {})
		h.mu.Lock()
		if n := len(h.changes) + h.commands + h.installs; n != after {
			t.Errorf("the host was called after Stop: %d, %d", after, n)
		}
		h.mu.Unlock()
		h.close()
		m.Close()
	}
}

// TestNothingLeaks counts goroutines and descriptors over many links, syncs and faults.
func TestNothingLeaks(t *testing.T) {
	cfg, stream := script(true)
	total := scriptBytes(cfg, stream)
	descriptors := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	run := func(n int) {
		for i := range n {
			kind := []mastertest.FaultKind{mastertest.Cut, mastertest.Reset, mastertest.Stall}[i%3]
			f := mastertest.Fault{Kind: kind}
			c := cfg
			c.Fault = func(conn int) mastertest.Fault {
				g := f
				g.After = int64(i*17+conn*31) % total
				return g
			}
			m, err := mastertest.New(c)
			if err != nil {
				t.Fatal(err)
			}
			m.Feed(stream)
			h := newHost(t)
			lc := quick(m)
			lc.HandshakeTimeout, lc.TransferTimeout, lc.StreamTimeout = 5*time.Millisecond, 5*time.Millisecond, 5*time.Millisecond
			var l *Link
			h.on(func() { l = Start(lc, h); h.link = l })
			time.Sleep(20 * time.Millisecond)
			h.on(l.Stop)
			h.close()
			m.Close()
		}
	}
	run(3)
	settle := func(want int, count func() int) int {
		end := time.Now().Add(3 * time.Second)
		for count() > want && time.Now().Before(end) {
			time.Sleep(5 * time.Millisecond)
		}
		return count()
	}
	g, d := runtime.NumGoroutine(), descriptors()
	run(40)
	if n := settle(g, runtime.NumGoroutine); n > g {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, before %d\n%s", n, g, buf[:runtime.Stack(buf, true)])
	}
	if n := settle(d, descriptors); n > d {
		t.Errorf("%d descriptors, before %d", n, d)
	}
}

func TestBackoffPauses(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second, Jitter: 0.5}
	for _, c := range []struct {
		n       int
		refused bool
		random  float64
		want    time.Duration
	}{
		{0, false, 0.9, 0},
		{1, false, 0, 100 * time.Millisecond},
		{1, false, 1, 50 * time.Millisecond},
		{2, false, 0, 200 * time.Millisecond},
		{6, false, 0, 3200 * time.Millisecond},
		{7, false, 0, 5 * time.Second},
		{7, false, 0.5, 3750 * time.Millisecond},
		{1 << 30, false, 0, 5 * time.Second},
		{0, true, 0, 5 * time.Second},
	} {
		if d := b.pause(c.n, c.refused, c.random); d != c.want {
			t.Errorf("after %d failures (refused %v, random %v): %v, want %v", c.n, c.refused, c.random, d, c.want)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	cfg, stream := script(true)
	cfg.Addr = "unix:" + t.TempDir() + "/master.sock"
	m := newMaster(t, cfg)
	m.Feed(stream)
	h := newHost(t)
	follow(t, h, quick(m))
	until(t, "the sync", func() bool { return h.applied() == m.Offset() })
}
