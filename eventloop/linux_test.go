//go:build linux && !plainevio

package eventloop

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/evio"
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

// Accept errors of every kind are survived.
func TestAcceptErrors(t *testing.T) {
	var logs atomic.Int64
	s := start(t, Config{Logf: func(string, ...any) { logs.Add(1) }}, &hooks{data: echo})
	for _, errno := range []syscall.Errno{syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN,
		syscall.EHOSTUNREACH, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINVAL, syscall.EIO} {
		left := 3
		s.do(func() {
			s.acceptFD = func(fd, flags int) (int, syscall.Sockaddr, error) {
				if left--; left >= 0 {
					return -1, nil, errno
				}
				return syscall.Accept4(fd, flags)
			}
		})
		// For want of descriptors one may be sacrificed; the next is served.
		eventually(t, "served after "+errno.Error(), func() bool {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(10 * time.Second))
			c.Write([]byte("x"))
			n, _ := c.Read(make([]byte, 1))
			return n == 1
		})
	}
	if logs.Load() == 0 {
		t.Error("nothing was logged")
	}
}

// Sockets are set up as they should be, at no call per connection.
func TestSocketOptions(t *testing.T) {
	var r roll
	s := start(t, Config{TCPKeepAlive: 300 * time.Second}, &hooks{opened: r.opened, data: echo})
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("x"))
	expect(t, c, "x")
	s.do(func() {
		c := r.order[0]
		check := func(what string, level, name, want int) {
			t.Helper()
			if got, err := syscall.GetsockoptInt(c.Fd(), level, name); err != nil || (got != 0) != (want != 0) || want > 1 && got != want {
				t.Errorf("%s: %d, %v; want %d", what, got, err, want)
			}
		}
		check("nodelay", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		check("keepalive", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		check("idle", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 300)
		check("interval", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 100)
		check("count", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3)
		if err := c.SetKeepAlive(0); err != nil {
			t.Error(err)
		}
		if err := c.SetNoDelay(false); err != nil {
			t.Error(err)
		}
		check("keepalive, off", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0)
		check("nodelay, off", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0)
		if fl, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(c.Fd()), syscall.F_GETFD, 0); e != 0 || fl&syscall.FD_CLOEXEC == 0 {
			t.Error("a child process would inherit the connection")
		}
	})
}

// A socket file that a crash left is replaced; one that is in use is not.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	syscall.Close(fd) // without unlink, as a crash does
	s := start(t, Config{Addrs: []string{"unix://" + path}}, &hooks{data: echo})
	c := dial(t, "unix", path)
	c.Write([]byte("x"))
	expect(t, c, "x")
	if _, err := New(Config{Addrs: []string{"unix://" + path}}, &hooks{}); err == nil {
		t.Fatal("a socket in use was taken over")
	}
	c.Write([]byte("y"))
	expect(t, c, "y")
	// Another program took the path over in its own way: its file is not ours to remove.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if b, err := os.ReadFile(path); err != nil || string(b) != "theirs" {
		t.Errorf("%q, %v", b, err)
	}
}

// Addresses change under way; connections and kept listeners do not notice.
func TestRebind(t *testing.T) {
	var r roll
	dir := t.TempDir()
	unix1, unix2 := "unix://"+filepath.Join(dir, "1"), "unix://"+filepath.Join(dir, "2")
	s := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", unix1}}, &hooks{opened: r.opened, closed: r.gone, data: echo})
	ask := func(c net.Conn) {
		t.Helper()
		c.Write([]byte("x"))
		expect(t, c, "x")
	}
	old := dial(t, "tcp", s.addr)
	ask(old)
	_, port, _ := net.SplitHostPort(s.addr)
	// From one address to the wildcard on the same port: the old one must go first.
	var err error
	s.do(func() { err = s.Rebind([]string{unix1, "tcp://0.0.0.0:" + port, unix2}) })
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Addrs(); len(a) != 3 || a[1].String() != "0.0.0.0:"+port {
		t.Fatalf("addresses: %v", a)
	}
	ask(old)
	ask(dial(t, "tcp", "127.0.0.1:"+port))
	ask(dial(t, "unix", filepath.Join(dir, "1")))
	ask(dial(t, "unix", filepath.Join(dir, "2")))
	// To what cannot be had: all stays.
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	s.do(func() { err = s.Rebind([]string{"tcp://127.0.0.1:0", "tcp://" + busy.Addr().String()}) })
	if err == nil {
		t.Fatal("a busy address was taken")
	}
	s.do(func() { err = s.Rebind([]string{"nonsense"}) })
	if err == nil {
		t.Fatal("nonsense was taken")
	}
	ask(old)
	ask(dial(t, "tcp", "127.0.0.1:"+port))
	ask(dial(t, "unix", filepath.Join(dir, "1")))
	ask(dial(t, "unix", filepath.Join(dir, "2")))
	// Clients that wait in the queue of a listener that goes are not lost.
	gate, held := make(chan struct{}), make(chan struct{})
	s.Post(func() { close(held); <-gate; err = s.Rebind([]string{unix2}) })
	<-held
	late := dial(t, "tcp", "127.0.0.1:"+port)
	close(gate)
	ask(late)
	s.do(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		c.Close()
		t.Error("the old port is open")
	}
	if _, err := os.Lstat(filepath.Join(dir, "1")); err == nil {
		t.Error("the old socket file is left")
	}
	ask(old)
	ask(dial(t, "unix", filepath.Join(dir, "2")))
	r.check(t)
}

type otherConn struct{ evio.Conn }

type renamedConn struct {
	evio.Conn
	fd, lnidx     int
	opened, reuse bool
	loop          *struct{ conns map[int]*renamedConn }
}

// An evio that is made otherwise is refused, not misread.
func TestOtherEvio(t *testing.T) {
	renamed := &renamedConn{fd: 3, lnidx: 0, opened: true, reuse: true, loop: new(struct{ conns map[int]*renamedConn })}
	for _, c := range []evio.Conn{&otherConn{}, &renamedConn{}, renamed} {
		if _, err := openGuts(c); err == nil || !strings.Contains(err.Error(), "v1.0.8") {
			t.Errorf("%T: %v", c, err)
		}
	}
}

// Clients of all tempers at once; each byte is answered, each connection closed once.
func TestStress(t *testing.T) {
	var r roll
	rnd := rand.New(rand.NewPCG(1, 2)) // of the loop
	h := &hooks{opened: r.opened, closed: r.gone}
	var s *server
	h.data = func(c *Conn, in []byte) {
		echo(c, in)
		switch rnd.IntN(40) {
		case 0:
			c.PauseRead()
			s.Again(func() { s.Again(c.ResumeRead) })
		case 1:
			c.PauseRead()
			c.ResumeRead()
		case 2: // a push to a connection that may be gone
			o := r.order[rnd.IntN(len(r.order))]
			o.MarkDirty()
		case 3:
			s.Post(func() { c.PauseRead(); s.Post(c.ResumeRead) })
		}
	}
	h.tick = func() time.Duration { return time.Millisecond }
	s = start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")}, PauseReadAbove: 100 << 10}, h)
	src := pattern(1 << 20)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for range 6 {
				at := rnd.IntN(2)
				c, err := net.Dial([]string{"tcp", "unix"}[at], s.Addrs()[at].String())
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(30 * time.Second))
				n := rnd.IntN(1 << rnd.IntN(21))
				pieces := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				go func() {
					for p := src[:n]; len(p) > 0; {
						k := 1 + pieces.IntN(min(len(p), 100000))
						if _, err := c.Write(p[:k]); err != nil {
							return
						}
						p = p[k:]
					}
					c.(interface{ CloseWrite() error }).CloseWrite()
				}()
				if i%10 == 0 { // leaves in a hurry
					io.CopyN(io.Discard, c, int64(n/2))
					c.Close()
					continue
				}
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(got, src[:n]) {
					t.Errorf("%d of %d bytes, %v", len(got), n, err)
				}
				c.Close()
			}
		}()
	}
	wg.Wait()
	eventually(t, "all are closed", func() bool { return r.closed.Load() == 360 })
	s.do(func() {
		if n := s.Stats().Conns; n != 0 {
			t.Errorf("%d connections are counted as open", n)
		}
		for fd, c := range s.conns {
			if c != nil {
				t.Errorf("descriptor %d is still in the table", fd)
			}
		}
		if n := s.guts.table.Len(); n != 5 { // mailbox, clock, nested set, two listeners
			t.Errorf("evio's table holds %d descriptors", n)
		}
	})
	r.check(t)
}
