//go:build !plainevio

package eventloop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/tidwall/evio"
)

// Each hazard has two tests: one that shows it in bare evio, or in the obvious use of
// it, and one that shows this package surviving the same treatment. Should an
// Evio… test fail with a later evio, that hazard is gone and its remedy may go too.

// bareEvio serves events on a unix socket until the test ends, and gives its path.
// Opened connections, ended tells when Serve has returned.
func bareEvio(t *testing.T, ev evio.Events) (path string, opened chan evio.Conn, ended chan struct{}) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "evio")
	opened, ended = make(chan evio.Conn, 100), make(chan struct{})
	serving, stop := make(chan struct{}), atomic.Bool{}
	ev.Serving = func(evio.Server) evio.Action { close(serving); return evio.None }
	ev.Opened = func(c evio.Conn) ([]byte, evio.Options, evio.Action) {
		opened <- c
		return nil, evio.Options{}, evio.None
	}
	ev.Tick = func() (time.Duration, evio.Action) {
		if stop.Load() {
			return time.Hour, evio.Shutdown
		}
		return 10 * time.Millisecond, evio.None
	}
	go func() {
		evio.Serve(ev, "unix://"+path)
		close(ended)
	}()
	<-serving
	t.Cleanup(func() {
		stop.Store(true)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("evio does not end")
		}
	})
	return path, opened, ended
}

// chunk is 64 KB that tell their number.
func chunk(n int) []byte {
	b := make([]byte, 64<<10)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

const chunks = 320 // 20 MB, more than any socket holds

// Hazard 1, slow reader with pushes: evio forgets what it could not send yet.
func TestEvioForgetsPushes(t *testing.T) {
	var n atomic.Int64
	path, opened, _ := bareEvio(t, evio.Events{Data: func(c evio.Conn, in []byte) ([]byte, evio.Action) {
		return chunk(int(n.Add(1))), evio.None
	}})
	c := dial(t, "unix", path)
	ec := <-opened
	for i := range chunks {
		ec.Wake()
		eventually(t, "a push", func() bool { return n.Load() == int64(i+1) })
	}
	c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	got, _ := io.ReadAll(c)
	if len(got) == chunks*64<<10 {
		t.Fatal("evio sent all pushes: the hazard is gone")
	}
}

func TestSlowReaderGetsPushes(t *testing.T) {
	var r roll
	h := &hooks{opened: r.opened, closed: r.gone, data: echo}
	s := start(t, Config{}, h)
	slow := dial(t, "tcp", s.addr)
	eventually(t, "open", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.order) == 1 })
	other := dial(t, "tcp", s.addr)
	for i := range chunks {
		s.Post(func() {
			r.order[0].MarkDirty()
			r.order[0].Out = append(r.order[0].Out, chunk(i)...)
		})
	}
	s.do(func() {
		if n := r.order[0].Pending(); n == 0 || n > chunks*64<<10 {
			t.Errorf("pending: %d", n)
		}
	})
	// Others do not notice, and the loop is not kept busy by what cannot be sent.
	for range 100 {
		other.Write([]byte("x"))
		expect(t, other, "x")
	}
	expectIdle(t, s)
	for i := range chunks {
		if b := readFull(t, slow, 64<<10); binary.BigEndian.Uint64(b) != uint64(i) {
			t.Fatalf("push %d came in place of push %d", binary.BigEndian.Uint64(b), i)
		}
	}
	s.do(func() {
		c := r.order[0]
		if c.Pending() != 0 || c.pend != nil || c.home != homeEvio {
			t.Errorf("after all is read: pending %d, home %d", c.Pending(), c.home)
		}
	})
	slow.Write([]byte("still here"))
	expect(t, slow, "still here")
}

// expectIdle fails when the loop is busy though nothing can be done.
func expectIdle(t *testing.T, s *server) {
	t.Helper()
	var calls [2]uint64
	s.do(func() { calls[0] = s.TurnStats().Callbacks })
	cpu := cpuTime(t)
	const wait = 300 * time.Millisecond
	time.Sleep(wait)
	cpu = cpuTime(t) - cpu
	s.do(func() { calls[1] = s.TurnStats().Callbacks })
	if n := calls[1] - calls[0]; n > 100 {
		t.Errorf("%d callbacks in %v of nothing to do", n, wait)
	}
	if cpu > wait/2 {
		t.Errorf("%v of CPU in %v of nothing to do", cpu, wait)
	}
}

// Hazard 2, a client that sends without reading: evio spins.
func TestEvioSpins(t *testing.T) {
	var writes atomic.Int64
	path, _, _ := bareEvio(t, evio.Events{
		PreWrite: func() { writes.Add(1) },
		Data: func(c evio.Conn, in []byte) ([]byte, evio.Action) {
			return make([]byte, 16<<20), evio.None
		},
	})
	c := dial(t, "unix", path)
	c.Write([]byte("x"))
	eventually(t, "the first write", func() bool { return writes.Load() > 0 })
	c.Write([]byte("yz")) // input is ready, room for output is not
	time.Sleep(50 * time.Millisecond)
	n := writes.Load()
	eventually(t, "2000 futile writes", func() bool { return writes.Load() > n+2000 })
}

func TestFloodIsHeldBack(t *testing.T) {
	const (
		limit    = 1 << 20
		requests = 400000
		size     = 64  // of a request
		reply    = 128 // to each
	)
	var peak atomic.Int64
	var conn atomic.Pointer[Conn]
	var seq uint32
	var part int
	h := &hooks{}
	h.data = func(c *Conn, in []byte) {
		conn.Store(c)
		part += len(in)
		for ; part >= size; part -= size {
			var b [reply]byte
			binary.BigEndian.PutUint32(b[:], seq)
			seq++
			c.Out = append(c.Out, b[:]...)
		}
		if n := int64(c.Pending()); n > peak.Load() {
			peak.Store(n)
		}
	}
	s := start(t, Config{PauseReadAbove: limit}, h)
	c := dial(t, "tcp", s.addr)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, requests*size))
		sent <- err
	}()
	// The client is stuck, as is its socket.
	eventually(t, "held back", func() (ok bool) {
		s.do(func() { ok = conn.Load() != nil && conn.Load().flags&flagThrottled != 0 })
		return
	})
	expectIdle(t, s)
	select {
	case <-sent:
		t.Fatal("all was taken from a client that reads nothing")
	default:
	}
	// One read of 64 KB may add its replies to what was just below the limit.
	if most := int64(limit + 64<<10/size*reply + reply); peak.Load() > most {
		t.Errorf("%d bytes were pending, more than %d", peak.Load(), most)
	}
	for i := range requests {
		if b := readFull(t, c, reply); binary.BigEndian.Uint32(b) != uint32(i) {
			t.Fatalf("reply %d in place of %d", binary.BigEndian.Uint32(b), i)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// Hazard 2, half-closed client: whoever writes past evio loses what waits when evio reads the
// end of input.
func TestEvioDropsHalfClosed(t *testing.T) {
	want := pattern(4 << 20)
	short := make(chan int, 1)
	path, _, _ := bareEvio(t, evio.Events{Data: func(c evio.Conn, in []byte) ([]byte, evio.Action) {
		fd := int(reflect.ValueOf(c).Elem().FieldByName("fd").Int())
		n, _ := syscall.Write(fd, want)
		short <- n // the rest would have to wait for room
		return nil, evio.None
	}})
	c := dial(t, "unix", path)
	c.Write([]byte("x"))
	n := <-short
	c.(*net.UnixConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || len(got) != n || n == len(want) {
		t.Fatalf("%d bytes came, %d were written at first, of %d (%v): the hazard is gone", len(got), n, len(want), err)
	}
}

// (TestHalfClose shows the remedy for TCP.)
func TestHalfCloseSlowReader(t *testing.T) {
	want := pattern(4 << 20)
	var r roll
	h := &hooks{opened: r.opened, closed: r.gone, data: func(c *Conn, in []byte) {
		for range in {
			c.Out = append(c.Out, want...)
		}
	}}
	s := start(t, Config{Addrs: []string{"unix://" + filepath.Join(t.TempDir(), "s")}}, h)
	c := dial(t, "unix", s.addr)
	c.Write([]byte("xyz")) // a pipeline
	c.(*net.UnixConn).CloseWrite()
	eventually(t, "the end of input is seen", func() (ok bool) {
		s.do(func() { ok = len(r.order) == 1 && r.order[0].flags&flagEOF != 0 })
		return
	})
	expectIdle(t, s)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, bytes.Repeat(want, 3)) {
		t.Fatalf("%d of %d bytes, %v", len(got), 3*len(want), err)
	}
	eventually(t, "closed", func() bool { return r.closed.Load() == 1 })
	r.check(t)
}

// Flush in the middle of a callback: the bytes keep their order whether the kernel takes them or not, and the buffer that comes back is empty.
func TestFlushInCallback(t *testing.T) {
	want := pattern(24 << 20)
	var r roll
	grown := 0
	h := &hooks{opened: r.opened, closed: r.gone, data: func(c *Conn, in []byte) {
		out := c.Out
		for p := want; len(p) > 0; {
			n := min(len(p), 100_000)
			out = append(out, p[:n]...)
			p = p[n:]
			if out = c.Flush(out); len(out) != 0 {
				t.Errorf("%d bytes come back", len(out))
			}
		}
		c.Out = append(out, in...)
		grown = cap(c.Out)
	}}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("end"))
	time.Sleep(100 * time.Millisecond) // the kernel's buffers fill
	if got := readFull(t, c, len(want)+3); !bytes.Equal(got[:len(want)], want) || string(got[len(want):]) != "end" {
		t.Error("the bytes are not those that were flushed, in their order")
	}
	s.do(func() {
		if grown > 1<<20 {
			t.Errorf("the buffer grew to %d bytes", grown)
		}
	})
	r.check(t)
}

// A reader that vanishes with output pending is noticed.
func TestSlowReaderVanishes(t *testing.T) {
	var r roll
	why := make(chan error, 1)
	h := &hooks{opened: r.opened, data: func(c *Conn, in []byte) { c.Out = append(c.Out, make([]byte, 32<<20)...) }}
	h.closed = func(c *Conn, err error) { r.gone(c, err); why <- err }
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("x"))
	readFull(t, c, 1000)
	c.Close() // unread input: a reset
	select {
	case err := <-why:
		if err == nil {
			t.Error("no error was told")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not noticed")
	}
	r.check(t)
}

// Hazard 3, descriptor exhaustion, is shown in a child process with few descriptors.
const childEnv = "EVENTLOOP_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "evio":
		childEvio()
	case "ours":
		childOurs()
	default:
		os.Exit(m.Run())
	}
}

const childLimit = 64

func childEvio() {
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: childLimit, Max: childLimit})
	evio.Serve(evio.Events{
		Serving: func(s evio.Server) evio.Action { fmt.Println("listening", s.Addrs[0]); return evio.None },
		Data:    func(c evio.Conn, in []byte) ([]byte, evio.Action) { return in, evio.None },
	}, "tcp://127.0.0.1:0")
	fmt.Println("ended")
}

// childOurs echoes; "hog" takes all descriptors that are left, "free" gives them back.
func childOurs() {
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: childLimit, Max: childLimit})
	var hogged []int
	h := &hooks{data: lineHandler(func(c *Conn, line string) {
		switch line {
		case "hog":
			for {
				fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
				if err != nil {
					break
				}
				hogged = append(hogged, fd)
			}
		case "free":
			for _, fd := range hogged {
				syscall.Close(fd)
			}
			hogged = nil
		}
		c.Out = append(append(c.Out, line...), '\n')
	})}
	l, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, MaxConns: 1000, ReserveFDs: 8, RejectReply: []byte("full\n"),
		Logf: func(f string, a ...any) { fmt.Printf("log "+f+"\n", a...) }}, h)
	if err != nil {
		fmt.Println("New:", err)
		os.Exit(1)
	}
	fmt.Println("listening", l.Addrs()[0])
	go func() { // the parent closes our standard input
		io.Copy(io.Discard, os.Stdin)
		l.Stop()
	}()
	fmt.Println("ended", l.Run())
}

// child starts the test binary as a server and returns its address and its further lines.
func child(t *testing.T, mode string) (addr string, lines chan string, quit func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines = make(chan string, 10000)
	got := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if a, ok := strings.CutPrefix(sc.Text(), "listening "); ok {
				got <- a
			} else {
				lines <- sc.Text()
			}
		}
		close(lines)
	}()
	select {
	case addr = <-got:
	case <-time.After(20 * time.Second):
		t.Fatal("the child does not listen")
	}
	return addr, lines, func() { in.Close() }
}

func TestEvioEndsWithoutDescriptors(t *testing.T) {
	addr, lines, _ := child(t, "evio")
	first := dial(t, "tcp", addr)
	first.Write([]byte("x"))
	expect(t, first, "x")
	deadline := time.After(20 * time.Second)
	for n := 0; ; n++ {
		if c, err := net.Dial("tcp", addr); err == nil {
			defer c.Close()
		}
		if n < childLimit+10 {
			continue
		}
		select {
		case line := <-lines:
			if line != "ended" {
				t.Fatal(line)
			}
			expectEOF(t, first)
			return
		case <-deadline:
			t.Fatal("evio lives: the hazard is gone")
		case <-time.After(50 * time.Millisecond): // it may not have met the last ones yet: another
		}
	}
}

func TestDescriptorExhaustion(t *testing.T) {
	addr, lines, quit := child(t, "ours")
	if line := <-lines; !strings.Contains(line, "lowered from 1000 to") {
		t.Errorf("the limit was not told: %q", line)
	}
	first := dial(t, "tcp", addr)
	ask := func(c net.Conn, line string) {
		t.Helper()
		c.Write([]byte(line + "\n"))
		expect(t, c, line+"\n")
	}
	ask(first, "hello")
	// More connections than fit: all get an answer, good or bad, none hangs.
	flood := func(n int) (in []net.Conn, refused int) {
		for range n {
			c := dial(t, "tcp", addr)
			c.Write([]byte("hi\n"))
			b := make([]byte, 3)
			if _, err := io.ReadFull(c, b); err == nil && string(b) == "hi\n" {
				in = append(in, c)
				continue
			} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("a connection hangs")
			}
			refused++
			c.Close()
		}
		return in, refused
	}
	in, refused := flood(200)
	if len(in) < 16 || refused < 100 {
		t.Errorf("%d connections are served, %d refused", len(in), refused)
	}
	ask(first, "are you there")
	for _, c := range in {
		ask(c, "and here")
		c.Close()
	}
	in, _ = flood(10)
	if len(in) != 10 {
		t.Errorf("after the flood %d of 10 connections are served", len(in))
	}
	// The rest of the program takes every descriptor: accept itself fails.
	ask(first, "hog")
	_, refused = flood(50)
	if refused != 50 {
		t.Errorf("without descriptors %d of 50 connections were refused", refused)
	}
	for _, c := range in {
		ask(c, "still")
	}
	ask(first, "free")
	in, _ = flood(10)
	if len(in) != 10 {
		t.Errorf("after the drought %d of 10 connections are served", len(in))
	}
	quit()
	var last string
	for last = range lines {
	}
	if last != "ended <nil>" {
		t.Errorf("the server's last words: %q", last)
	}
}

// Not even the spare descriptor can be had back: the listener rests and recovers.
func TestListenerRests(t *testing.T) {
	s := start(t, Config{}, &hooks{data: echo})
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	old := dial(t, "tcp", s.addr)
	old.Write([]byte("x"))
	expect(t, old, "x")
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := os.NewFile(uintptr(fd), "client")
	defer c.Close()
	sa := sockaddr(listenAddr{tcp: s.Addrs()[0].(*net.TCPAddr)})
	s.do(func() { // no number is low enough from here on
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: lim.Max}); err != nil {
			t.Error(err)
		}
	})
	err = syscall.Connect(fd, sa)
	time.Sleep(100 * time.Millisecond)
	old.Write([]byte("y"))
	expect(t, old, "y")
	if e := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.do(func() {
		if s.Stats().Rejected == 0 {
			t.Error("accept never failed: nothing was tested")
		}
	})
	again := dial(t, "tcp", s.addr)
	again.Write([]byte("z"))
	expect(t, again, "z")
}

// Hazard 4, pipelines: evio answers a turn late.
func TestEvioAnswersLate(t *testing.T) {
	var clients [2]net.Conn
	var calls atomic.Int64
	inTime := make(chan bool, 2)
	gate := make(chan struct{})
	path, opened, _ := bareEvio(t, evio.Events{Data: func(c evio.Conn, in []byte) ([]byte, evio.Action) {
		switch calls.Add(1) {
		case 1: // holds the loop until both others are ready
			<-gate
		case 3:
			inTime <- readable(clients[0]) || readable(clients[1])
		}
		return in, evio.None
	}})
	blocker := dial(t, "unix", path)
	<-opened
	for i := range clients {
		clients[i] = dial(t, "unix", path)
		<-opened
	}
	blocker.Write([]byte("x"))
	eventually(t, "the loop is held", func() bool { return calls.Load() == 1 })
	clients[0].Write([]byte("x"))
	clients[1].Write([]byte("x"))
	close(gate)
	if <-inTime {
		t.Fatal("evio answered in the same turn: the hazard is gone")
	}
}

func TestAnswersAtOnce(t *testing.T) {
	var clients [2]net.Conn
	var calls atomic.Int64
	inTime := make(chan bool, 2)
	gate := make(chan struct{})
	h := &hooks{data: func(c *Conn, in []byte) {
		switch calls.Add(1) {
		case 1:
			<-gate
		case 3:
			inTime <- readable(clients[0]) || readable(clients[1])
		}
		echo(c, in)
	}}
	s := start(t, Config{Addrs: []string{"unix://" + filepath.Join(t.TempDir(), "s")}}, h)
	blocker := dial(t, "unix", s.addr)
	for i := range clients {
		clients[i] = dial(t, "unix", s.addr)
	}
	eventually(t, "all are open", func() (ok bool) { s.do(func() { ok = s.Stats().Conns == 3 }); return })
	blocker.Write([]byte("x"))
	eventually(t, "the loop is held", func() bool { return calls.Load() == 1 })
	clients[0].Write([]byte("x"))
	clients[1].Write([]byte("x"))
	close(gate)
	if !<-inTime {
		t.Error("the first reply was not out when the second request was served")
	}
}

// readable tells whether c has input.
func readable(c net.Conn) (yes bool) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		var n int32
		syscall.Syscall(syscall.SYS_IOCTL, fd, 0x541B /* FIONREAD */, uintptr(unsafe.Pointer(&n)))
		yes = n > 0
	})
	return yes
}

// Hazard 5, mailbox: each Wake of evio's is a write, a note and a call.
func TestEvioWakesEachTime(t *testing.T) {
	var calls atomic.Int64
	path, opened, _ := bareEvio(t, evio.Events{Data: func(c evio.Conn, in []byte) ([]byte, evio.Action) {
		calls.Add(1)
		return nil, evio.None
	}})
	dial(t, "unix", path)
	ec := <-opened
	for range 1000 {
		ec.Wake()
	}
	eventually(t, "1000 calls for 1000 wakes", func() bool { return calls.Load() == 1000 })
}

func TestMailboxBurst(t *testing.T) {
	const posters, each = 4, 25000
	s := start(t, Config{}, &hooks{data: echo})
	c := dial(t, "tcp", s.addr)
	gate := make(chan struct{})
	held := make(chan struct{})
	s.Post(func() { close(held); <-gate })
	<-held
	var wakes uint64
	var next [posters]int
	bad := 0
	var wg sync.WaitGroup
	for p := range posters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				s.Post(func() {
					if next[p] != i {
						bad++
					}
					next[p]++
				})
			}
		}()
	}
	wg.Wait() // although the loop is stuck: Post never waits
	s.Post(func() { wakes = s.stats.wakes - wakes })
	wakes = s.stats.wakes // the loop is held
	close(gate)
	c.Write([]byte("x"))
	expect(t, c, "x")
	s.do(func() {})
	if bad != 0 || next != [posters]int{each, each, each, each} {
		t.Errorf("%d out of order, %v ran", bad, next)
	}
	// A look per slice of mailBudget, and one wake for them all.
	if wakes > 500 {
		t.Errorf("%d looks at the mailbox for one burst", wakes)
	}
	t.Logf("%d posts, %d looks", posters*each, wakes)
}

// A connection at rest costs little.
func TestIdleConnMemory(t *testing.T) {
	const n = 2000
	var r roll
	s := start(t, Config{}, &hooks{data: echo, opened: r.opened, closed: r.gone})
	clients := make([]int, 0, n)
	defer func() {
		for _, fd := range clients {
			syscall.Close(fd)
		}
	}()
	sa := sockaddr(listenAddr{tcp: s.Addrs()[0].(*net.TCPAddr)})
	connect := func() {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err == nil {
			err = syscall.Connect(fd, sa)
		}
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, fd)
		syscall.Write(fd, []byte("x"))
		if n, err := syscall.Read(fd, make([]byte, 1)); n != 1 {
			t.Fatal(n, err)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		return ms.HeapAlloc
	}
	for range 100 {
		connect()
	}
	before := heap()
	for range n {
		connect()
	}
	after := heap()
	each := (int64(after) - int64(before)) / n
	t.Logf("%d bytes of heap for an idle connection (%d of them in Conn)", each, unsafe.Sizeof(Conn{}))
	if each > 512 {
		t.Errorf("an idle connection costs %d bytes of heap", each)
	}
}

// Serving requests allocates nothing.
func TestNoAllocations(t *testing.T) {
	s := start(t, Config{}, &hooks{data: echo, tick: func() time.Duration { return time.Hour }})
	c := dial(t, "tcp", s.addr)
	buf := make([]byte, 16)
	req := []byte("0123456789abcdef")
	ask := func() {
		c.Write(req)
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		ask()
	}
	if n := testing.AllocsPerRun(2000, ask); n >= 1 {
		t.Errorf("%v allocations per request", n)
	}
}
