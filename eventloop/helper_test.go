package eventloop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hooks is a Handler made of functions; nil ones do nothing.
type hooks struct {
	opened func(*Conn)
	data   func(*Conn, []byte)
	closed func(*Conn, error)
	tick   func() time.Duration
}

func (h *hooks) Opened(c *Conn) {
	if h.opened != nil {
		h.opened(c)
	}
}

func (h *hooks) Data(c *Conn, in []byte) {
	if h.data != nil {
		h.data(c, in)
	}
}

func (h *hooks) Closed(c *Conn, err error) {
	if h.closed != nil {
		h.closed(c, err)
	}
}

func (h *hooks) Tick() time.Duration {
	if h.tick != nil {
		return h.tick()
	}
	return 20 * time.Millisecond
}

// server is a running loop.
type server struct {
	*Loop
	t    testing.TB
	addr string
	ran  chan error
}

// start runs a loop on a free port (or on cfg.Addrs) until the test ends.
func start(t testing.TB, cfg Config, h Handler) *server {
	t.Helper()
	if cfg.Addrs == nil {
		cfg.Addrs = []string{"tcp://127.0.0.1:0"}
	}
	l, err := New(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Loop: l, t: t, ran: make(chan error, 1)}
	if a := l.Addrs()[0]; a != nil {
		s.addr = a.String()
	}
	go func() { s.ran <- l.Run() }()
	t.Cleanup(s.stop)
	return s
}

// stop ends the loop and waits for it.
func (s *server) stop() {
	s.Stop()
	select {
	case err := <-s.ran:
		if err != nil {
			s.t.Errorf("Run: %v", err)
		}
		s.ran <- nil
	case <-time.After(20 * time.Second):
		s.t.Fatal("the loop does not end")
	}
}

// do runs fn on the loop and waits for it.
func (s *server) do(fn func()) {
	s.t.Helper()
	done := make(chan struct{})
	if !s.Post(func() { fn(); close(done) }) {
		s.t.Fatal("Post: the loop is stopped")
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		s.t.Fatal("a posted function does not run")
	}
}

func dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func readFull(t testing.TB, c net.Conn, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if k, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("after %d of %d bytes: %v", k, n, err)
	}
	return b
}

func expect(t testing.TB, c net.Conn, want string) {
	t.Helper()
	if got := readFull(t, c, len(want)); string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func expectEOF(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Fatalf("the connection is open: read gave %d, %v", n, err)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the connection is open: nothing came")
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// echo answers each byte with itself.
func echo(c *Conn, in []byte) { c.Out = append(c.Out, in...) }

// pattern is n bytes of noise, each KB of which tells its number.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range min(n, 1<<16) {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	for done := 1 << 16; done < n; done *= 2 {
		copy(b[done:], b[:done])
	}
	for i := 0; i+8 <= n; i += 1 << 10 {
		binary.BigEndian.PutUint64(b[i:], uint64(i))
	}
	return b
}

// lineHandler calls fn for each line of each connection.
func lineHandler(fn func(c *Conn, line string)) func(*Conn, []byte) {
	rest := map[*Conn][]byte{}
	return func(c *Conn, in []byte) {
		b := append(rest[c], in...)
		for !c.IsClosed() {
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				break
			}
			line := string(b[:i])
			b = b[i+1:]
			fn(c, line)
		}
		rest[c] = append([]byte(nil), b...)
	}
}

// roll keeps the connections that are open and checks the life of each.
type roll struct {
	mu     sync.Mutex
	open   map[*Conn]bool
	order  []*Conn
	closed atomic.Int64
	bad    string
}

func (r *roll) opened(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[*Conn]bool{}
	}
	if _, again := r.open[c]; again {
		r.bad = fmt.Sprintf("connection %d was opened twice", c.ID())
	}
	r.open[c] = true
	r.order = append(r.order, c)
}

func (r *roll) gone(c *Conn, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open[c] {
		r.bad = fmt.Sprintf("connection %d was closed while not open", c.ID())
	}
	r.open[c] = false
	r.closed.Add(1)
}

func (r *roll) check(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad != "" {
		t.Error(r.bad)
	}
}
