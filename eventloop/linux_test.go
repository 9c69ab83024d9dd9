//go:build linux && !plainevio

package eventloop

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What was sent before the peer left is read after the pause.
func TestPauseThenEOF(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprint(network, " full=", full), func(t *testing.T) { testPauseThenEOF(t, network, full) })
		}
	}
}

func testPauseThenEOF(t *testing.T, network string, full bool) {
	var r roll
	var got atomic.Int64
	h := &hooks{opened: r.opened, closed: r.gone}
	h.data = func(c *Conn, in []byte) {
		if got.Add(int64(len(in))) == 1 {
			c.PauseRead()
		}
		echo(c, in)
	}
	s := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")}}, h)
	addr := s.Addrs()[0]
	if network == "unix" {
		addr = s.Addrs()[1]
	}
	c := dial(t, network, addr.String())
	c.Write([]byte("p"))
	expect(t, c, "p")
	c.Write([]byte("testament"))
	if full {
		c.Close()
	} else {
		c.(interface{ CloseWrite() error }).CloseWrite()
	}
	time.Sleep(30 * time.Millisecond)
	if r.closed.Load() != 0 || got.Load() != 1 {
		t.Fatal("read or closed while paused")
	}
	idle := cpuTime(t)
	time.Sleep(100 * time.Millisecond)
	if used := cpuTime(t) - idle; used > 60*time.Millisecond {
		t.Errorf("a paused connection whose peer left costs %v of CPU in 100 ms", used)
	}
	s.do(func() { r.order[0].ResumeRead() })
	eventually(t, "closed", func() bool { return r.closed.Load() == 1 })
	if got.Load() != 1+int64(len("testament")) {
		t.Errorf("%d bytes were read", got.Load())
	}
	if !full {
		expect(t, c, "testament")
		expectEOF(t, c)
	}
	r.check(t)
}

// A paused connection whose peer resets it is closed at once.
func TestPauseThenReset(t *testing.T) {
	var r roll
	h := &hooks{opened: r.opened, closed: r.gone, data: func(c *Conn, in []byte) { c.PauseRead(); echo(c, in) }}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("p"))
	expect(t, c, "p")
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	eventually(t, "closed", func() bool { return r.closed.Load() == 1 })
	r.check(t)
}

// The stop sends what readers take and leaves nothing behind.
func TestStopLeavesNothing(t *testing.T) {
	settle := func() (int, int) {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
		return runtime.NumGoroutine(), openFDsTest(t)
	}
	start(t, Config{}, &hooks{}).stop() // whatever starts once in a process has started
	g0, f0 := settle()
	want := pattern(4 << 20)
	for range 5 {
		var r roll
		h := &hooks{opened: r.opened, closed: r.gone, data: func(c *Conn, in []byte) { c.Out = append(c.Out, want...) }}
		s := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")}, StopTimeout: 5 * time.Second}, h)
		var cs []net.Conn
		for i := range 10 {
			network := []string{"tcp", "unix"}[i%2]
			c, err := net.Dial(network, s.Addrs()[i%2].String())
			if err != nil {
				t.Fatal(err)
			}
			cs = append(cs, c)
			c.SetDeadline(time.Now().Add(20 * time.Second))
		}
		cs[0].Write([]byte("x"))
		expect(t, cs[0], string(want[:1000]))
		eventually(t, "10 open", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.order) == 10 })
		s.Stop()
		rest, err := io.ReadAll(cs[0])
		if err != nil || string(rest) != string(want[1000:]) {
			t.Errorf("the pending reply was cut: %d of %d bytes, %v", len(rest), len(want)-1000, err)
		}
		s.stop()
		if r.closed.Load() != 10 {
			t.Errorf("%d of 10 connections were closed", r.closed.Load())
		}
		for _, c := range cs {
			c.Close()
		}
	}
	eventually(t, fmt.Sprintf("%d goroutines and %d descriptors, as before", g0, f0), func() bool {
		g, f := settle()
		return g <= g0 && f <= f0
	})
}

func openFDsTest(t testing.TB) int {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(dir)
}

// cpuTime is what the process has used.
func cpuTime(t testing.TB) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
