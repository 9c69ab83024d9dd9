package masterlink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// testHost is a trivial owner of a "keyspace": it remembers the payload and every command,
// and runs its loop on one goroutine.
type testHost struct {
	t    testing.TB
	box  chan func()
	quit chan struct{}
	gone chan struct{}

	link *Link // set before the loop uses it

	// LoadRDB's behaviour.
	load      func(r io.Reader, info SyncInfo) (Loaded, error)
	onApplied func() // after each chunk, on the loop

	mu        sync.Mutex // guards what tests look at while the loop runs
	data      []byte     // installed payload
	replid    string
	stream    replproto.Stream
	commands  int
	changes   []Change
	installs  int
	continues int
	discards  int
	newID     string
	bad       error
	noResume  bool
}

func newHost(t testing.TB) *testHost {
	h := &testHost{t: t, box: make(chan func(), 1<<14), quit: make(chan struct{}), gone: make(chan struct{})}
	h.stream.Init(0)
	go h.loop()
	return h
}

// trailer makes the loader take exactly n bytes, as a decoder that finds the end of its
// RDB does.
func (h *testHost) trailer(n int) {
	h.load = func(r io.Reader, _ SyncInfo) (Loaded, error) {
		p := make([]byte, n)
		k, err := io.ReadFull(r, p)
		if err != nil {
			return Loaded{}, fmt.Errorf("reading the RDB at %d: %w", k, err)
		}
		if !bytes.Equal(p, someRDB(n)) {
			return Loaded{}, errors.New("the RDB is corrupt")
		}
		return Loaded{Data: p, Bytes: int64(n)}, nil
	}
}

// greedy is trailer with a decoder that reads ahead.
func (h *testHost) greedy(n int) {
	h.load = func(r io.Reader, _ SyncInfo) (Loaded, error) {
		p := make([]byte, 1<<16)
		k := 0
		for k < n {
			m, err := r.Read(p[k:])
			k += m
			if err != nil && k < n {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return Loaded{}, fmt.Errorf("reading the RDB at %d: %w", k, err)
			}
		}
		return Loaded{Data: p[:n], Bytes: int64(n)}, nil
	}
}

func (h *testHost) loop() {
	defer close(h.gone)
	for {
		select {
		case fn := <-h.box:
			fn()
		case <-h.quit:
			return
		}
	}
}

func (h *testHost) close() {
	close(h.quit)
	<-h.gone
}

// on runs fn on the loop and waits.
func (h *testHost) on(fn func()) {
	done := make(chan struct{})
	h.box <- func() { fn(); close(done) }
	<-done
}

func (h *testHost) Post(fn func()) { h.box <- fn }

func (h *testHost) Resume() Resume {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stream.Reset(h.stream.Applied())
	if h.noResume {
		h.noResume = false
		h.replid = ""
	}
	if h.replid == "" {
		return Resume{}
	}
	return Resume{ReplID: h.replid, Offset: h.stream.Applied()}
}

func (h *testHost) LoadRDB(r io.Reader, info SyncInfo) (Loaded, error) {
	if h.load != nil {
		return h.load(r, info)
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, 1<<30))
	if err != nil {
		return Loaded{}, fmt.Errorf("reading the payload at %d: %w", n, err)
	}
	return Loaded{Data: b.Bytes(), Bytes: n}, nil
}

func (h *testHost) Install(l Loaded, info SyncInfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.installs++
	h.data = l.Data.([]byte)
	h.replid = info.ReplID
	h.stream.Reset(max(info.Offset, 0))
	h.link.SetApplied(info.Offset)
}

func (h *testHost) Discard(Loaded) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.discards++
}

func (h *testHost) Continue(newID string, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.continues++
	if offset != h.stream.Applied() {
		h.bad = fmt.Errorf("continue at %d, applied %d", offset, h.stream.Applied())
	}
	if newID != "" {
		h.newID, h.replid = newID, newID
	}
}

func (h *testHost) OnStream(c *Chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer c.Release()
	if c.Offset != h.stream.Received() {
		h.bad = fmt.Errorf("chunk at offset %d, stream at %d", c.Offset, h.stream.Received())
	}
	h.stream.Feed(c.Data)
	for {
		args, ok, err := h.stream.Next()
		if err != nil {
			h.noResume = true
			h.link.Drop(err)
			return
		}
		if !ok {
			break
		}
		h.commands++
		getack := len(args) == 3 && strings.EqualFold(string(args[1]), "getack")
		if getack {
			h.link.SendAckNow(h.stream.Applied())
		}
		h.stream.Done()
	}
	h.link.SetApplied(h.stream.Applied())
	if h.onApplied != nil {
		h.onApplied()
	}
}

func (h *testHost) OnState(s Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, s)
}

func (h *testHost) applied() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stream.Applied()
}

func (h *testHost) errs() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, c := range h.changes {
		if c.Err != nil {
			errs = append(errs, c.Err)
		}
	}
	return errs
}

// until polls is, which must come true in time.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !is() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("waited in vain: %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func quick(m *mastertest.Master) Config {
	return Config{
		Addr: m.Addr(), ListeningPort: 7777,
		ConnectTimeout: 2 * time.Second, HandshakeTimeout: 2 * time.Second, TransferTimeout: 2 * time.Second, StreamTimeout: 2 * time.Second,
		Backoff: Backoff{Min: time.Millisecond, Max: 3 * time.Millisecond},
	}
}

func newMaster(t testing.TB, cfg mastertest.Config) *mastertest.Master {
	t.Helper()
	m, err := mastertest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// follow starts a link of h to the master of cfg; both end with the test.
func follow(t testing.TB, h *testHost, cfg Config) *Link {
	t.Helper()
	var l *Link
	h.on(func() {
		l = Start(cfg, h)
		h.link = l
	})
	t.Cleanup(func() {
		h.on(l.Stop)
		h.close()
		if h.bad != nil {
			t.Error(h.bad)
		}
	})
	return l
}

func asError(t testing.TB, err error) *replproto.Error {
	t.Helper()
	var e *replproto.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *replproto.Error in %v", err)
	}
	return e
}
