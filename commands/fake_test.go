package commands

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// fakeHost is a Host with clocks that the test turns and no process around it.
type fakeHost struct {
	s     *Server
	milli int64
	nanos int64
	clock func() int64 // for Nanos, if set
	slow  int64        // ns that pass between two looks at the clock; 0 for 100
	link  LinkInfo
	logs  []string
	timer []func()
	later []*Client
	again []func()
	file  []byte // dump.rdb
	fail  error  // of files
	temp  *fakeFile
	resum bool
	heap  int64

	exchanges []ExchangeCall
}

// fakeFile is a snapshot file in memory, complete when the test says so.
type fakeFile struct {
	h    *fakeHost
	p    []byte
	full bool
	done func(error)
}

func (f *fakeFile) Write(p []byte)        { f.p = append(f.p, p...) }
func (f *fakeFile) Room() bool            { return !f.full }
func (f *fakeFile) Wait()                 {}
func (f *fakeFile) Err() error            { return f.h.fail }
func (f *fakeFile) Commit(fn func(error)) { f.done = fn }
func (f *fakeFile) Discard()              { f.h.temp = nil }

func (f *fakeFile) CommitNow() error {
	if f.h.fail == nil {
		f.h.file = f.p
	}
	return f.h.fail
}

func (h *fakeHost) Resumable() bool { return h.resum }

func (h *fakeHost) CreateSnapshotFile() (SnapshotFile, error) {
	if h.fail != nil {
		return nil, h.fail
	}
	h.temp = &fakeFile{h: h}
	return h.temp, nil
}

func (h *fakeHost) OpenSnapshotFile() (io.ReadCloser, error) {
	if h.file == nil {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(h.file)), nil
}

func (h *fakeHost) UnixMilli() int64            { return h.milli }
func (h *fakeHost) UnixMicro() int64            { return h.milli * 1000 }
func (h *fakeHost) ReplicaOf(string, int)       {}
func (h *fakeHost) Sleep(int64)                 {}
func (h *fakeHost) Process() ProcessInfo        { return ProcessInfo{} }
func (h *fakeHost) Replication() LinkInfo       { return h.link }
func (h *fakeHost) Loop() LoopInfo              { return LoopInfo{} }
func (h *fakeHost) AckNow()                     {}
func (h *fakeHost) ReleaseLater(release func()) { release() }
func (h *fakeHost) After(_ int64, fn func())    { h.timer = append(h.timer, fn) }
func (h *fakeHost) Resume(c *Client)            { h.s.Resume(c) }
func (h *fakeHost) DropLink()                   {}
func (h *fakeHost) ResetLoopStats()             {}
func (h *fakeHost) Again(fn func())             { h.again = append(h.again, fn) }

func (h *fakeHost) Nanos() int64 {
	if h.clock != nil {
		return h.clock()
	}
	h.nanos += max(h.slow, 100)
	return h.nanos
}
func (h *fakeHost) Share([]byte) Shared        { return Shared{} }
func (h *fakeHost) HeapLive() int64            { return h.heap }
func (h *fakeHost) TrimOutput(int64)           {}
func (h *fakeHost) Exchange(call ExchangeCall) { h.exchanges = append(h.exchanges, call) }

func (h *fakeHost) Shutdown(ShutdownOptions) error { return nil }

func (h *fakeHost) Logf(_ LogLevel, format string, args ...any) {
	h.logs = append(h.logs, fmt.Sprintf(format, args...))
}

func (h *fakeHost) RandomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*37 + 11)
	}
	return b
}

func (h *fakeHost) Answer(c *Client, fn func()) {
	fn()
	h.later = append(h.later, c)
}

// spin runs the work that was put off to later turns, snapshots for example.
func (h *fakeHost) spin() {
	for len(h.again) > 0 {
		list := h.again
		h.again = nil
		for _, fn := range list {
			fn()
		}
	}
}

// turn lets the clients that were answered go on.
func (h *fakeHost) turn() {
	for len(h.later) > 0 {
		c := h.later[0]
		h.later = h.later[1:]
		h.s.Resume(c)
	}
}

// fakeConn is a connection of which only the pushes are kept.
type fakeConn struct {
	id     uint64
	pushed []byte
	closed bool
}

func (c *fakeConn) ID() uint64              { return c.id }
func (c *fakeConn) RemoteAddr() string      { return "127.0.0.1:1234" }
func (c *fakeConn) LocalAddr() string       { return "127.0.0.1:6379" }
func (c *fakeConn) Fd() int                 { return 9 }
func (c *fakeConn) IsUnix() bool            { return false }
func (c *fakeConn) Pending() int            { return 0 }
func (c *fakeConn) Flush(out []byte) []byte { return out }

func (c *fakeConn) Push(p []byte)                 { c.pushed = append(c.pushed, p...) }
func (c *fakeConn) PushShared(p []byte, _ Shared) { c.Push(p) }

func (c *fakeConn) Close()           { c.closed = true }
func (c *fakeConn) CloseAfterFlush() { c.closed = true }
func (c *fakeConn) PauseRead()       {}
func (c *fakeConn) ResumeRead()      {}

// newTestServer makes a server that is its own master, with the time standing
// at one million seconds.
func newTestServer(t testing.TB, directives ...string) (*Server, *fakeHost) {
	t.Helper()
	conf := config.New()
	for i := 0; i+1 < len(directives); i += 2 {
		if err := conf.LoadLines("test", []byte(directives[i]+" "+directives[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	ks, err := keyspace.New(conf.Values.Databases, 42)
	if err != nil {
		t.Fatal(err)
	}
	h := &fakeHost{milli: 1e9}
	s, err := New(h, conf, ks)
	if err != nil {
		t.Fatal(err)
	}
	h.s = s
	t.Cleanup(func() {
		if err := s.KS.Check(); err != nil {
			t.Errorf("after the test: %v", err)
		}
		s.KS.Release()
	})
	return s, h
}

var nextConnID uint64

func newTestClient(s *Server) *Client {
	nextConnID++
	return s.NewClient(&fakeConn{id: nextConnID})
}

// wire is a command as a client sends it.
func wire(words ...string) []byte {
	in := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		in = fmt.Appendf(in, "$%d\r\n%s\r\n", len(w), w)
	}
	return in
}

// do runs one command given as words and returns the raw reply.
func do(c *Client, words ...string) string { return doRaw(c, wire(words...)) }

func doRaw(c *Client, in []byte) string {
	c.SetOutput(make([]byte, 0, 256))
	c.srv.Process(c, in)
	out := string(c.Output())
	c.SetOutput(nil)
	return out
}
