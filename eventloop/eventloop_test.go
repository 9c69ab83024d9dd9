package eventloop

import (
	"errors"
	"fmt"
	"io"
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
)

func TestEcho(t *testing.T) {
	s := start(t, Config{}, &hooks{data: echo, opened: func(c *Conn) { c.Out = append(c.Out, "hello\n"...) }})
	c := dial(t, "tcp", s.addr)
	expect(t, c, "hello\n")
	for i := range 100 {
		msg := fmt.Sprintf("message %d\n", i)
		c.Write([]byte(msg))
		expect(t, c, msg)
	}
}

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.sock")
	var mu sync.Mutex
	seen := map[int]string{}
	h := &hooks{data: func(c *Conn, in []byte) {
		mu.Lock()
		seen[c.ListenerIndex()] = c.RemoteAddr() + " " + c.LocalAddr() + fmt.Sprint(" ", c.IsUnix())
		mu.Unlock()
		echo(c, in)
	}}
	s := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "tcp://[::1]:0", "unix://" + path}, UnixSocketPerm: 0o700}, h)
	addrs := s.Addrs()
	for i, network := range []string{"tcp", "tcp", "unix"} {
		c := dial(t, network, addrs[i].String())
		c.Write([]byte("x"))
		expect(t, c, "x")
		want := c.LocalAddr().String() + " " + c.RemoteAddr().String() + " false"
		if network == "unix" {
			want = path + ":0 " + path + ":0 true"
		}
		mu.Lock()
		got := seen[i]
		mu.Unlock()
		if got != want {
			t.Errorf("listener %d: the loop sees %q, the client %q", i, got, want)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("socket file: %v, %v", fi, err)
	}
	s.stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is left: %v", err)
	}
}

// Both wildcards on one port: only possible when IPv6 is bound for itself.
func TestBothWildcards(t *testing.T) {
	probe, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := probe.Addr().(*net.TCPAddr).Port
	probe.Close()
	s := start(t, Config{Addrs: []string{fmt.Sprintf("tcp://0.0.0.0:%d", port), fmt.Sprintf("tcp://[::]:%d", port)}}, &hooks{data: echo})
	for _, a := range []string{"127.0.0.1", "[::1]"} {
		c := dial(t, "tcp", fmt.Sprintf("%s:%d", a, port))
		c.Write([]byte("x"))
		expect(t, c, "x")
	}
	s.stop()
	// The port is free again.
	s = start(t, Config{Addrs: []string{fmt.Sprintf("tcp://0.0.0.0:%d", port)}}, &hooks{data: echo})
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("x"))
	expect(t, c, "x")
}

func TestListenErrors(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = New(Config{Addrs: []string{"tcp://" + busy.Addr().String()}}, &hooks{})
	var le *ListenError
	if !errors.As(err, &le) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("busy port: %v", err)
	}
	if want := busy.Addr().String() + ": bind: Address already in use"; runtime.GOOS == "linux" && !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %q, want it to end in %q", err, want)
	}
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Addrs: []string{"unix://" + file}}, &hooks{}); err == nil {
		t.Error("a plain file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "x" {
		t.Errorf("a plain file in the socket's place was harmed: %q, %v", b, err)
	}
	for _, a := range []string{"127.0.0.1:1", "udp://127.0.0.1:1", "unix://", "tcp://127.0.0.1", "tcp://127.0.0.1:99999"} {
		if l, err := New(Config{Addrs: []string{a}}, &hooks{}); err == nil {
			l.Stop()
			t.Errorf("%q was accepted as an address", a)
		}
	}
	// An address that this machine does not have (TEST-NET-1), optional and not.
	if _, err := New(Config{Addrs: []string{"tcp://192.0.2.1:0"}}, &hooks{}); err == nil {
		t.Error("a foreign address was bound")
	}
	s := start(t, Config{Addrs: []string{"tcp://127.0.0.1:0", "-tcp://192.0.2.1:0"}}, &hooks{data: echo})
	if a := s.Addrs(); len(a) != 2 || a[1] != nil {
		t.Errorf("addresses: %v", a)
	}
}

func TestPostOrder(t *testing.T) {
	s := start(t, Config{}, &hooks{})
	const posters, each = 4, 25000
	var next [posters]int
	var bad atomic.Int64
	var wg sync.WaitGroup
	for p := range posters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				s.Post(func() {
					if next[p] != i {
						bad.Add(1)
					}
					next[p]++
				})
			}
		}()
	}
	wg.Wait()
	var stats Stats
	s.do(func() { stats = s.Stats() })
	if bad.Load() != 0 {
		t.Errorf("%d functions out of order", bad.Load())
	}
	for p := range next {
		if next[p] != each {
			t.Errorf("poster %d: %d of %d ran", p, next[p], each)
		}
	}
	t.Logf("%d posts, %d looks at the mailbox", posters*each, stats.Wakes)
}

// A post from a sleeping program must not wait for a poll timeout.
func TestPostLatency(t *testing.T) {
	s := start(t, Config{}, &hooks{tick: func() time.Duration { return time.Hour }})
	var fast int
	for range 50 {
		begin := time.Now()
		s.do(func() {})
		if time.Since(begin) < 50*time.Millisecond {
			fast++
		}
	}
	if fast < 40 {
		t.Errorf("only %d of 50 posts ran within 50 ms", fast)
	}
}

func TestPostBeforeRunAndAfterStop(t *testing.T) {
	l, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}}, &hooks{})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan bool, 1)
	if !l.Post(func() { ran <- l.OnLoop() }) {
		t.Fatal("Post before Run was refused")
	}
	end := make(chan error, 1)
	go func() { end <- l.Run() }()
	if !<-ran {
		t.Error("a posted function does not run on the loop")
	}
	if l.OnLoop() {
		t.Error("the test runs on the loop")
	}
	l.Stop()
	l.Stop()
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	if l.Post(func() { t.Error("ran after the stop") }) {
		t.Error("Post after the stop was taken")
	}
	l.Stop()
	if err := l.Run(); err == nil {
		t.Error("a second Run was accepted")
	}
}

func TestStopBeforeRun(t *testing.T) {
	l, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}}, &hooks{tick: func() time.Duration { t.Error("tick"); return time.Second }})
	if err != nil {
		t.Fatal(err)
	}
	l.Stop()
	<-l.done
	if c, err := net.Dial("tcp", l.Addrs()[0].String()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// Everything posted before Stop runs.
func TestStopRunsMailbox(t *testing.T) {
	s := start(t, Config{}, &hooks{})
	s.do(func() {})
	var n atomic.Int64
	for range 10000 {
		s.Post(func() { n.Add(1) })
	}
	s.stop()
	if n.Load() != 10000 {
		t.Errorf("%d of 10000 functions ran", n.Load())
	}
}

func TestAgain(t *testing.T) {
	var s *server
	var steps atomic.Int64
	h := &hooks{data: echo}
	s = start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	var slice func()
	slice = func() {
		if steps.Add(1); steps.Load() < 1e9 {
			s.Again(slice)
		}
	}
	s.Post(slice)
	// The loop works all the time now and still serves input.
	for range 100 {
		c.Write([]byte("x"))
		expect(t, c, "x")
	}
	n := steps.Load()
	s.do(func() { steps.Store(1e9) })
	if n == 0 {
		t.Error("no slice ran")
	}
	// Order, and a turn between calls from within.
	var order []int
	s.do(func() {
		s.Again(func() { order = append(order, 1); s.Again(func() { order = append(order, 3) }) })
		s.Again(func() { order = append(order, 2) })
	})
	eventually(t, "three slices", func() (ok bool) { s.do(func() { ok = len(order) == 3 }); return })
	if fmt.Sprint(order) != "[1 2 3]" {
		t.Errorf("order: %v", order)
	}
}

func TestTick(t *testing.T) {
	var n atomic.Int64
	d := 5 * time.Millisecond
	s := start(t, Config{}, &hooks{tick: func() time.Duration { n.Add(1); return d }})
	eventually(t, "ten ticks", func() bool { return n.Load() >= 10 })
	s.do(func() { d = time.Hour })
	time.Sleep(50 * time.Millisecond)
	last := n.Load()
	time.Sleep(100 * time.Millisecond)
	if n.Load() != last {
		t.Errorf("%d ticks while the delay is an hour", n.Load()-last)
	}
}

// Pushes to other connections leave at the end of the callback.
func TestMarkDirty(t *testing.T) {
	var r roll
	h := &hooks{opened: r.opened, closed: r.gone}
	h.data = func(c *Conn, in []byte) {
		for _, o := range r.order {
			o.MarkDirty()
			o.Out = append(o.Out, in...)
			o.MarkDirty()
		}
	}
	s := start(t, Config{}, h)
	var cs []net.Conn
	for range 20 {
		cs = append(cs, dial(t, "tcp", s.addr))
	}
	eventually(t, "20 open", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.order) == 20 })
	cs[3].Write([]byte("to all"))
	for _, c := range cs {
		expect(t, c, "to all")
	}
	s.do(func() {
		for _, o := range r.order {
			o.Out = append(o.Out, "posted"...) // without a buffer of the pool
			o.MarkDirty()
		}
	})
	for _, c := range cs {
		expect(t, c, "posted")
	}
	// Written to and closed: what was written before CloseAfterFlush comes through.
	s.do(func() {
		for _, o := range r.order {
			o.MarkDirty()
			o.Out = append(o.Out, "bye"...)
			o.CloseAfterFlush()
		}
	})
	for _, c := range cs {
		expect(t, c, "bye")
		expectEOF(t, c)
	}
	eventually(t, "20 closed", func() bool { return r.closed.Load() == 20 })
	r.check(t)
}

// Close works from everywhere, and Closed comes once and never from within a callback.
func TestCloseEverywhere(t *testing.T) {
	var r roll
	var ticking *Conn
	inside := 0
	enter := func() func() {
		if inside++; inside > 1 {
			r.bad = "a callback runs inside another"
		}
		return func() { inside-- }
	}
	h := &hooks{}
	h.opened = func(c *Conn) {
		defer enter()()
		r.opened(c)
	}
	h.closed = func(c *Conn, err error) {
		defer enter()()
		r.gone(c, err)
		c.Out = append(c.Out, "into the void"...)
		c.MarkDirty()
		c.Close()
		if c.Ctx == "pair" {
			r.order[0].MarkDirty()
			r.order[0].Out = append(r.order[0].Out, "P"...)
		}
	}
	h.tick = func() time.Duration {
		defer enter()()
		if ticking != nil {
			ticking.Close()
			ticking = nil
		}
		return time.Millisecond
	}
	h.data = lineHandler(func(c *Conn, line string) {
		defer enter()()
		var n int
		fmt.Sscan(line[1:], &n)
		switch line[0] {
		case 'o': // another one
			r.order[n].Close()
			r.order[n].Close()
		case 's': // itself
			c.Close()
		case 't':
			ticking = r.order[n]
		case 'a': // itself, later, twice
			c.Out = append(c.Out, "last"...)
			c.CloseAfterFlush()
			c.CloseAfterFlush()
			c.Out = append(c.Out, " words"...)
		case 'p':
			r.order[n].Ctx = "pair"
			r.order[n].Close()
		}
	})
	s := start(t, Config{}, h)
	var cs []net.Conn
	for i := range 12 {
		cs = append(cs, dial(t, "tcp", s.addr))
		eventually(t, "open", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.order) == i+1 })
	}
	say := func(i int, line string) { cs[i].Write([]byte(line + "\n")) }
	say(0, "o1")
	expectEOF(t, cs[1])
	say(2, "s0")
	expectEOF(t, cs[2])
	say(0, "t3")
	expectEOF(t, cs[3])
	say(4, "a0")
	expect(t, cs[4], "last words")
	expectEOF(t, cs[4])
	s.Post(func() { r.order[5].Close(); r.order[6].Close() })
	expectEOF(t, cs[5])
	expectEOF(t, cs[6])
	say(0, "p7") // Closed of 7 writes to 0
	expect(t, cs[0], "P")
	cs[8].Close()
	eventually(t, "8 closed", func() bool { return r.closed.Load() == 8 })
	s.do(func() { r.order[8].Close() }) // long gone
	s.stop()
	if n := r.closed.Load(); n != 12 {
		t.Errorf("%d of 12 connections were closed", n)
	}
	r.check(t)
}

func TestPauseRead(t *testing.T) {
	var r roll
	var got atomic.Int64
	h := &hooks{opened: r.opened, closed: r.gone}
	h.data = func(c *Conn, in []byte) {
		got.Add(int64(len(in)))
		if in[0] == 'p' {
			c.PauseRead()
		}
		echo(c, in)
	}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("p"))
	expect(t, c, "p")
	c.Write([]byte("more"))
	time.Sleep(50 * time.Millisecond)
	if got.Load() != 1 {
		t.Errorf("%d bytes were read of a paused connection", got.Load()-1)
	}
	s.do(func() { // a paused connection is still written to
		r.order[0].MarkDirty()
		r.order[0].Out = append(r.order[0].Out, "push"...)
	})
	expect(t, c, "push")
	s.do(func() { r.order[0].ResumeRead() })
	expect(t, c, "more")
	s.do(func() { r.order[0].PauseRead(); r.order[0].ResumeRead() })
	c.Write([]byte("again"))
	expect(t, c, "again")
}

func TestMaxConns(t *testing.T) {
	var r roll
	s := start(t, Config{MaxConns: 3, RejectReply: []byte("full\n")}, &hooks{opened: r.opened, closed: r.gone, data: echo})
	var cs []net.Conn
	for range 3 {
		c := dial(t, "tcp", s.addr)
		c.Write([]byte("x"))
		expect(t, c, "x")
		cs = append(cs, c)
	}
	c := dial(t, "tcp", s.addr)
	expect(t, c, "full\n")
	expectEOF(t, c)
	cs[0].Close()
	eventually(t, "room", func() bool { return r.closed.Load() == 1 })
	c = dial(t, "tcp", s.addr)
	c.Write([]byte("y"))
	expect(t, c, "y")
	s.do(func() {
		if st := s.Stats(); st.Conns != 3 || st.Accepted != 4 || st.Rejected != 1 {
			t.Errorf("stats: %+v", st)
		}
		if n := s.SetMaxConns(4); n != 4 {
			t.Errorf("SetMaxConns gave %d", n)
		}
	})
	c = dial(t, "tcp", s.addr)
	c.Write([]byte("z"))
	expect(t, c, "z")
}

// Replies that do not fit in a socket, to a reader that takes its time.
func TestHugeReply(t *testing.T) {
	want := pattern(12 << 20)
	h := &hooks{data: func(c *Conn, in []byte) { c.Out = append(c.Out, want...); c.Out = append(c.Out, '.') }}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	for range 2 {
		c.Write([]byte("x"))
		time.Sleep(20 * time.Millisecond)
		got := readFull(t, c, len(want)+1)
		if string(got[:len(want)]) != string(want) || got[len(want)] != '.' {
			t.Fatal("the reply is garbled")
		}
	}
}

// The reply to a pipeline much larger than a read arrives whole and in order.
func TestBigPipeline(t *testing.T) {
	var largest atomic.Int64
	h := &hooks{data: func(c *Conn, in []byte) {
		if n := int64(len(in)); n > largest.Load() {
			largest.Store(n)
		}
		echo(c, in)
	}}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	want := pattern(12 << 20)
	go c.Write(want)
	got := readFull(t, c, len(want))
	if string(got) != string(want) {
		t.Fatal("garbled")
	}
	if n := largest.Load(); n > 64<<10 || n < 1<<10 {
		t.Errorf("largest piece: %d bytes", n)
	}
}

// A client that half-closes after its request gets the whole reply.
func TestHalfClose(t *testing.T) {
	want := pattern(12 << 20)
	var r roll
	h := &hooks{opened: r.opened, closed: r.gone, data: func(c *Conn, in []byte) { c.Out = append(c.Out, want...) }}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("x"))
	c.(*net.TCPConn).CloseWrite()
	time.Sleep(100 * time.Millisecond) // the end of input is long there before the reply is out
	got, err := io.ReadAll(c)
	if err != nil || string(got) != string(want) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
	}
	eventually(t, "closed", func() bool { return r.closed.Load() == 1 })
	r.check(t)
}

// Handlers of several loops in one process do not meet.
func TestManyLoops(t *testing.T) {
	for range 20 {
		s := start(t, Config{}, &hooks{data: echo})
		c := dial(t, "tcp", s.addr)
		c.Write([]byte("x"))
		expect(t, c, "x")
		s.stop()
	}
}

// A handler may turn a connection away in Opened.
func TestCloseInOpened(t *testing.T) {
	var r roll
	h := &hooks{closed: r.gone, data: func(*Conn, []byte) { t.Error("data of a connection that was turned away") }}
	h.opened = func(c *Conn) {
		r.opened(c)
		if c.ID()%2 == 0 {
			c.Close()
			return
		}
		c.Out = append(c.Out, "go away\n"...)
		c.CloseAfterFlush()
	}
	s := start(t, Config{}, h)
	for i := range 20 {
		c := dial(t, "tcp", s.addr)
		if i%2 == 0 {
			expect(t, c, "go away\n")
		}
		expectEOF(t, c)
	}
	eventually(t, "all closed", func() bool { return r.closed.Load() == 20 })
	r.check(t)
}

// The last word reaches a client that talked on.
func TestLastWordAgainstUnreadInput(t *testing.T) {
	h := &hooks{data: func(c *Conn, in []byte) {
		c.Out = append(c.Out, "protocol error\n"...)
		c.CloseAfterFlush()
		time.Sleep(30 * time.Millisecond) // more comes in meanwhile
	}}
	s := start(t, Config{}, h)
	c := dial(t, "tcp", s.addr)
	c.Write([]byte("garbage"))
	time.Sleep(10 * time.Millisecond)
	c.Write(make([]byte, 10000))
	got, err := io.ReadAll(c)
	if string(got) != "protocol error\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestClockAndTurnStats(t *testing.T) {
	s := start(t, Config{}, &hooks{tick: func() time.Duration { return time.Hour }})
	s.do(func() { s.ResetTurnStats() })
	s.do(func() {
		if d := s.UnixMilli() - time.Now().UnixMilli(); d < -5000 || d > 100 {
			t.Errorf("the loop's clock is %d ms off", d)
		}
	})
	var before int64
	s.do(func() { before = s.Nanotime(); time.Sleep(20 * time.Millisecond) })
	s.do(func() {
		if d := s.Nanotime() - before; d < 20e6 {
			t.Errorf("%d ns went by", d)
		}
		st := s.TurnStats()
		if st.Longest < 20*time.Millisecond || st.Busy < st.Longest || st.Callbacks < 2 {
			t.Errorf("%+v", st)
		}
		var sum uint64
		for _, n := range st.Buckets {
			sum += n
		}
		if sum != st.Callbacks || st.Buckets[24] == 0 && st.Buckets[25] == 0 && time.Duration(1<<25) > st.Longest {
			t.Errorf("buckets: %v", st)
		}
	})
}

func benchmark(b *testing.B, pipeline int) {
	s := start(b, Config{}, &hooks{data: echo})
	c := dial(b, "tcp", s.addr)
	req := make([]byte, 14*pipeline)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(req)
		if _, err := io.ReadFull(c, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B)    { benchmark(b, 1) }
func BenchmarkPipeline16(b *testing.B) { benchmark(b, 16) }

func BenchmarkPost(b *testing.B) {
	s := start(b, Config{}, &hooks{})
	fn := func() {}
	b.ReportAllocs()
	for b.Loop() {
		s.Post(fn)
	}
}
