package redirect

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// master is a scripted server: each connection is given to serve, with its commands as words.
type master struct {
	l     net.Listener
	mu    sync.Mutex
	conns int
	got   []string // commands in the order of their arrival, SELECTs left out
}

func newMaster(t *testing.T, serve func(m *master, n int, nc net.Conn, read func() []string)) *master {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &master{l: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			n := m.conns
			m.conns++
			m.mu.Unlock()
			go func() {
				defer nc.Close()
				rd := resp.NewReader()
				rd.Authenticated = true
				br := bufio.NewReader(nc)
				buf := make([]byte, 4096)
				serve(m, n, nc, func() []string {
					for {
						args, ok, err := rd.Next()
						if err != nil {
							return nil
						}
						if ok {
							var words []string
							for _, a := range args {
								words = append(words, string(a))
							}
							if words[0] == "SELECT" {
								if words[1] == "9" {
									fmt.Fprint(nc, "-ERR DB index is out of range\r\n")
								} else {
									fmt.Fprint(nc, "+OK\r\n")
								}
								continue
							}
							m.mu.Lock()
							m.got = append(m.got, strings.Join(words, " "))
							m.mu.Unlock()
							return words
						}
						n, err := br.Read(buf)
						if err != nil {
							return nil
						}
						rd.Feed(buf[:n])
					}
				})
			}()
		}
	}()
	return m
}

func (m *master) commands() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.got...)
}

// outcome is the result of a request as text.
func outcome(r Result) string {
	if r.Err != nil {
		return fmt.Sprintf("sent=%v", r.Err.Sent)
	}
	return strings.TrimSpace(string(r.Reply))
}

type asker struct {
	t  *testing.T
	ch chan string
}

func (a asker) request(words ...string) *Request {
	return &Request{Proto: 2, Wire: resp.AppendCommand(nil, words...), Replies: 1, Done: func(r Result) { a.ch <- outcome(r) }}
}

func (a asker) want(texts ...string) {
	a.t.Helper()
	for _, w := range texts {
		select {
		case got := <-a.ch:
			if got != w {
				a.t.Errorf("got %q, want %q", got, w)
			}
		case <-time.After(5 * time.Second):
			a.t.Fatalf("no result, want %q", w)
		}
	}
}

func newAsker(t *testing.T) asker { return asker{t, make(chan string, 100)} }

// noLeak checks that the goroutines of the test are gone.
func noLeak(t *testing.T) func() {
	before := runtime.NumGoroutine()
	return func() {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			n := runtime.NumGoroutine()
			if n <= before {
				return
			}
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Fatalf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
			}
		}
	}
}

func TestPipelineInOrder(t *testing.T) {
	m := newMaster(t, func(_ *master, _ int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			fmt.Fprintf(nc, "$%d\r\n%s\r\n", len(w[1]), w[1])
		}
	})
	p := New(Config{Addr: m.l.Addr().String()})
	a := newAsker(t)
	for i := range 50 {
		p.Do(a.request("ECHO", fmt.Sprint(i)))
	}
	for i := range 50 {
		s := fmt.Sprint(i)
		a.want(fmt.Sprintf("$%d\r\n%s", len(s), s))
	}
	if m.conns != 1 {
		t.Errorf("%d connections", m.conns)
	}
	p.Close()
	p.Do(a.request("ECHO", "x"))
	a.want("sent=false")
}

// TestBrokenConnection: what was sent is unknown, what was not goes to the next connection, in order, and nothing twice.
func TestBrokenConnection(t *testing.T) {
	hold := make(chan struct{})
	m := newMaster(t, func(_ *master, n int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			if n == 0 {
				<-hold
				return // no reply to what is there by now
			}
			fmt.Fprint(nc, "+"+w[1]+"\r\n")
		}
	})
	p := New(Config{Addr: m.l.Addr().String()})
	defer p.Close()
	a := newAsker(t)
	p.Do(a.request("SET", "a"))
	for len(m.commands()) == 0 {
		time.Sleep(time.Millisecond)
	}
	// These stay in the queue: the writer is kept from taking them.
	c := p.shared[key{0, 2}]
	c.mu.Lock()
	c.pending = append(c.pending, a.request("SET", "b"), a.request("SET", "c"))
	c.mu.Unlock()
	close(hold)
	a.want("sent=true", "+b", "+c")
	p.Do(a.request("SET", "d"))
	a.want("+d")
	if got := strings.Join(m.commands(), ","); got != "SET a,SET b,SET c,SET d" {
		t.Errorf("the master saw %s", got)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := New(Config{Addr: l.Addr().String()})
	defer p.Close()
	a := newAsker(t)
	p.Do(a.request("SET", "a"))
	a.want("sent=false")
	s := p.Session(0, 2)
	s.Do(a.request("SET", "a"))
	a.want("sent=false")
	for !s.Broken() {
		time.Sleep(time.Millisecond)
	}
	s.Do(a.request("SET", "a"))
	a.want("sent=false")
	s.Close()
}

func TestHandshakeRefused(t *testing.T) {
	m := newMaster(t, func(_ *master, _ int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			if w[0] == "AUTH" && w[len(w)-1] != "right" {
				fmt.Fprint(nc, "-WRONGPASS no\r\n")
				continue
			}
			fmt.Fprint(nc, "+OK\r\n")
		}
	})
	a := newAsker(t)
	for _, tc := range []struct {
		cfg  Config
		db   int
		want string
	}{
		{Config{Pass: "wrong"}, 0, "refused AUTH"}, {Config{User: "u", Pass: "right"}, 9, "refused SELECT 9"}, {Config{Pass: "right"}, 1, ""},
	} {
		tc.cfg.Addr = m.l.Addr().String()
		p := New(tc.cfg)
		r := a.request("SET", "a")
		r.DB = tc.db
		r.Done = func(r Result) {
			switch {
			case tc.want == "" && r.Err == nil:
				a.ch <- "ok"
			case r.Err != nil && !r.Err.Sent && strings.Contains(r.Err.Error(), tc.want):
				a.ch <- "ok"
			default:
				a.ch <- fmt.Sprintf("%q %v", r.Reply, r.Err)
			}
		}
		p.Do(r)
		a.want("ok")
		p.Close()
	}
}

// TestFirst: what follows First is sent only if First is fine.
func TestFirst(t *testing.T) {
	refuse := false
	m := newMaster(t, func(_ *master, _ int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			if w[0] == "MULTI" && refuse {
				fmt.Fprint(nc, "-NOPERM no\r\n")
				continue
			}
			fmt.Fprint(nc, "+OK\r\n")
		}
	})
	p := New(Config{Addr: m.l.Addr().String()})
	defer p.Close()
	a := newAsker(t)
	for _, refuse = range []bool{false, true} {
		s := p.Session(0, 2)
		r := a.request("SET", "a")
		r.First, r.FirstReplies = resp.AppendCommand(resp.AppendCommand(nil, "PING"), "MULTI"), 2
		r.Wire, r.Replies = resp.AppendCommand(r.Wire, "EXEC"), 2
		s.Do(r)
		if refuse {
			a.want("-NOPERM no")
			s.Close()
		} else {
			a.want("+OK")
			s.Release()
		}
	}
	if got := strings.Join(m.commands(), ","); got != "PING,MULTI,SET a,EXEC,PING,MULTI" {
		t.Errorf("the master saw %s", got)
	}
	if m.conns != 1 {
		t.Errorf("%d connections: the idle one was not used", m.conns)
	}
}

func TestOffset(t *testing.T) {
	m := newMaster(t, func(_ *master, _ int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			if w[0] == "INFO" {
				info := "# Replication\r\nrole:master\r\nmaster_replid:abc\r\nmaster_repl_offset:1234\r\n"
				fmt.Fprintf(nc, "$%d\r\n%s\r\n", len(info), info)
				continue
			}
			fmt.Fprint(nc, "+OK\r\n")
		}
	})
	p := New(Config{Addr: m.l.Addr().String()})
	defer p.Close()
	ch := make(chan Result, 1)
	p.Do(&Request{Proto: 2, Wire: resp.AppendCommand(nil, "SET", "a"), Replies: 1, Offset: true, Done: func(r Result) { ch <- r }})
	if r := <-ch; r.Err != nil || r.Offset != 1234 || r.ReplID != "abc" || string(r.Reply) != "+OK\r\n" {
		t.Errorf("%+v", r)
	}
	if off, id := ParseOffset([]byte("-NOPERM no\r\n")); off != -1 || id != "" {
		t.Errorf("of an error: %d %q", off, id)
	}
}

// TestTimeouts: a reply that does not come ends the connection, except for what may block; nothing is left behind.
func TestTimeouts(t *testing.T) {
	check := noLeak(t)
	m := newMaster(t, func(_ *master, _ int, nc net.Conn, read func() []string) {
		for w := read(); w != nil; w = read() {
			if w[0] == "BLPOP" {
				time.Sleep(150 * time.Millisecond)
				fmt.Fprint(nc, "+popped\r\n")
			}
		}
	})
	p := New(Config{Addr: m.l.Addr().String(), Timeout: 50 * time.Millisecond})
	a := newAsker(t)
	p.Do(a.request("SET", "a"))
	a.want("sent=true")
	s := p.Session(0, 2)
	r := a.request("BLPOP", "l", "0")
	r.Blocks = true
	s.Do(r)
	a.want("+popped")
	r = a.request("BLPOP", "l", "0")
	r.Blocks = true
	s.Do(r)
	s.Close() // its client is gone
	select {
	case got := <-a.ch:
		if !strings.HasPrefix(got, "sent=") {
			t.Errorf("a session that was closed: %q", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("no result of a closed session")
	}
	p.Retire()
	p.Do(a.request("SET", "x"))
	a.want("sent=false")
	p.Close()
	p.Close()
	m.l.Close()
	check()
}

// TestUnaskedReply: a master that speaks out of turn is not believed.
func TestUnaskedReply(t *testing.T) {
	m := newMaster(t, func(_ *master, n int, nc net.Conn, read func() []string) {
		read()
		fmt.Fprint(nc, "+one\r\n+two\r\n")
		read()
	})
	p := New(Config{Addr: m.l.Addr().String()})
	defer p.Close()
	a := newAsker(t)
	p.Do(a.request("SET", "a"))
	a.want("+one")
	p.Do(a.request("SET", "b"))
	select {
	case got := <-a.ch:
		if got == "+two" {
			t.Error("a stray reply answered the next request")
		}
	case <-time.After(5 * time.Second):
		t.Error("no result")
	}
}
