//go:build linux

package eventloop

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counting is a handler whose state nothing guards but the loop: the race detector watches it.
type counting struct {
	n     int
	conns []*Conn
}

func (h *counting) Opened(c *Conn) { h.conns = append(h.conns, c); h.n++ }
func (h *counting) Data(c *Conn, in []byte) {
	h.n++
	c.Out = append(c.Out, in...)
}
func (h *counting) Closed(*Conn, error) { h.n++ }
func (h *counting) Tick() time.Duration { h.n++; return time.Millisecond }

// TestVisits has several goroutines visit a busy loop: all that they and the callbacks counted is there.
func TestVisits(t *testing.T) {
	h := &counting{}
	l, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, Visits: true}, h)
	if err != nil {
		t.Fatal(err)
	}
	if l.Visit(func() { t.Error("a visit before the start") }) {
		t.Error("a loop that has not begun was visited")
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run() }()
	c, err := net.Dial("tcp", l.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const goroutines, each = 4, 2000
	var visited, posted atomic.Int64
	inside := 0
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				done := make(chan struct{})
				fn := func() {
					if inside++; inside != 1 {
						t.Error("two at once")
					}
					h.n++
					inside--
				}
				if l.Visit(fn) {
					visited.Add(1)
					continue
				}
				posted.Add(1)
				if !l.Post(func() { fn(); close(done) }) {
					t.Error("refused")
					return
				}
				<-done
			}
		})
	}
	buf := make([]byte, 4)
	for range 500 {
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if visited.Load() == 0 {
		t.Error("no visit was let in")
	}
	// What a visitor says to a connection leaves by itself, and what it closes is closed.
	said := false
	for !said {
		said = l.Visit(func() { h.conns[0].Append([]byte("visitor")); h.conns[0].CloseAfterFlush() })
	}
	got := make([]byte, 64)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := c.Read(got)
	if err != nil || string(got[:n]) != "visitor" {
		t.Fatalf("read %q, %v", got[:n], err)
	}
	if _, err := c.Read(got); err == nil {
		t.Error("the connection is open")
	}
	l.Stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if l.Visit(func() { t.Error("a visit after the end") }) {
		t.Error("a loop that has ended was visited")
	}
	if h.n < goroutines*each {
		t.Errorf("counted %d", h.n)
	}
	t.Logf("%d visits, %d by the mailbox", visited.Load(), posted.Load())
}

func BenchmarkVisit(b *testing.B) {
	l, err := New(Config{Visits: true}, &counting{})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run() }()
	n := 0
	fn := func() { n++ }
	for b.Loop() {
		for !l.Visit(fn) {
		}
	}
	l.Stop()
	<-ended
}
