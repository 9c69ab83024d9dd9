package testutil

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// TestReadOneReply feeds replies in every split of two pieces: the reader returns exactly the first reply's bytes.
func TestReadOneReply(t *testing.T) {
	for _, c := range []struct{ wire, want string }{
		{"+OK\r\n", "OK"},
		{"-ERR no\r\n", "-ERR no"},
		{":-12\r\n", "(int)-12"},
		{"$3\r\na\r\n\r\n", `"a\r\n"`},
		{"$-1\r\n", "(nil)"},
		{"*-1\r\n", "(nil)"},
		{"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", `*["a" *[(int)1]]`},
		{"%1\r\n+k\r\n~2\r\n_\r\n#t\r\n", "%[k ~[(nil) #t]]"},
		{"|1\r\n+ttl\r\n:3\r\n=5\r\ntxt:x\r\n", `"txt:x"`},
		{",1.5\r\n", ",1.5"},
		{">1\r\n(123\r\n", ">[(123]"},
	} {
		for cut := range len(c.wire) {
			here, there := net.Pipe()
			go func() {
				there.Write([]byte(c.wire[:cut]))
				there.Write([]byte(c.wire[cut:] + "+NEXT\r\n"))
			}()
			conn := NewConn(here)
			v, raw, err := conn.Read()
			if err != nil || string(raw) != c.wire || v.String() != c.want {
				t.Errorf("%q cut at %d: %v, raw %q, %v; want %s", c.wire, cut, v, raw, err, c.want)
			}
			if next, _, err := conn.Read(); err != nil || next.Text != "NEXT" {
				t.Errorf("%q cut at %d: the next reply is %v, %v", c.wire, cut, next, err)
			}
			here.Close()
			there.Close()
		}
	}
}

func TestReadRefusesGarbage(t *testing.T) {
	for _, wire := range []string{"\r\n", "?\r\n", "$5\r\nabc\r\nx\r\n", "*x\r\n", "$-2\r\n", ":x\r\n", "+no cr\n", "#q\r\n"} {
		here, there := net.Pipe()
		go func() { there.Write([]byte(wire)); there.Close() }()
		if v, _, err := NewConn(here).Read(); err == nil {
			t.Errorf("%q was read as %v", wire, v)
		}
		here.Close()
	}
}

func TestServerLife(t *testing.T) {
	a, b := StartRedis(t), StartRedis(t, "--requirepass", "x")
	if v, err := b.Dial(t).Do("PING"); err != nil || !strings.HasPrefix(v.Text, "NOAUTH") {
		t.Errorf("a directive did not reach the server: %v, %v", v, err)
	}
	c := a.Dial(t)
	c.Must(t, "SET", "k", "v")
	before, err := CPUTime(a.PID())
	if err != nil {
		t.Fatal(err)
	}
	c.Must(t, "DEBUG", "POPULATE", "200000", "key", "64")
	after, err := CPUTime(a.PID())
	if err != nil || after-before < 5*time.Millisecond {
		t.Errorf("200,000 keys cost %v of CPU (%v)", after-before, err)
	}
	if rss, err := RSS(a.PID()); err != nil || rss < 20<<20 {
		t.Errorf("RSS %d, %v", rss, err)
	}
	if info, err := c.Info("server"); err != nil || info["tcp_port"] != fmt.Sprint(a.Port) {
		t.Errorf("INFO: %v, %v", info, err)
	}
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
	if a.Running() {
		t.Error("runs after Stop")
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	dir := a.Dir
	a.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestSameDigestNamesTheKey(t *testing.T) {
	a, b := StartRedis(t).Dial(t), StartRedis(t).Dial(t)
	for _, c := range []*Conn{a, b} {
		c.Must(t, "SET", "same", "1")
		c.Must(t, "SELECT", "3")
		c.Must(t, "SET", "other", "1")
	}
	if err := SameDigest(a, b); err != nil {
		t.Error(err)
	}
	b.Must(t, "SET", "other", "2")
	if err := SameDigest(a, b); err == nil || !strings.Contains(err.Error(), `db 3 key "other"`) || strings.Contains(err.Error(), "same") {
		t.Errorf("got %v", err)
	}
}

func TestStartTellsWhy(t *testing.T) {
	p, err := RedisBinary()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := NewServer("redis", p, "--no-such-directive", "1"); err == nil {
		s.Close()
		t.Error("started with a bad directive")
	} else if !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("the error hides the log: %v", err)
	}
}

func TestProxyCutsAtTheByte(t *testing.T) {
	s := StartRedis(t)
	p := NewProxy(t, s.Addr())
	for _, n := range []int64{1, 5, 7} {
		c, err := Dial(p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do("PING"); err != nil {
			t.Fatal(err)
		}
		p.CutAfter(n)
		if err := c.Send("PING"); err != nil {
			t.Fatal(err)
		}
		if n >= 7 { // a whole +PONG\r\n
			if _, _, err := c.Read(); err != nil {
				t.Errorf("cut after %d: %v", n, err)
			}
		}
		if got, closed := c.ReadAll(5 * time.Second); !closed || (n < 7 && string(got) != "+PONG\r\n"[:n]) {
			t.Errorf("cut after %d: %q arrived, closed: %v", n, got, closed)
		}
		c.Close()
	}
	p.Refuse(true)
	if c, err := Dial(p.Addr()); err == nil {
		if _, err := c.Do("PING"); err == nil {
			t.Error("refused, yet it answers")
		}
		c.Close()
	}
	p.Refuse(false)
	c, err := Dial(p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do("PING"); err != nil {
		t.Error(err)
	}
}

// TestProxyFaults: each fault lets exactly the bytes before it through, and then does what it says.
func TestProxyFaults(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for range 100 {
				c.Write([]byte("0123456789"))
			}
			c.(*net.TCPConn).CloseWrite()
		}
	}()
	whole := strings.Repeat("0123456789", 100)
	for _, kind := range []FaultKind{Cut, Reset, Stall, Garbage, Flip} {
		for _, at := range []int64{1, 7, 500, 999} {
			p := NewProxy(t, l.Addr().String())
			p.StrikeAfter(at, kind)
			c, err := net.Dial("tcp", p.Addr())
			if err != nil && kind == Reset {
				continue // it came before we had looked
			}
			if err != nil {
				t.Fatal(err)
			}
			limit := 20 * time.Second
			if kind == Stall {
				limit = 100 * time.Millisecond
			}
			c.SetReadDeadline(time.Now().Add(limit))
			got, err := io.ReadAll(c)
			c.Close()
			want := whole[:at]
			switch kind {
			case Garbage:
				want += string(garbage) + whole[at:]
			case Flip:
				want += string([]byte{whole[at] ^ 0xff}) + whole[at+1:]
			}
			// What a reset catches on its way is lost.
			if string(got) != want && (kind != Reset || !strings.HasPrefix(want, string(got))) {
				t.Errorf("%v at %d: %d bytes of %d", kind, at, len(got), len(want))
			}
			if kind == Reset && err == nil || kind != Reset && kind != Stall && err != nil {
				t.Errorf("%v at %d ends with %v", kind, at, err)
			}
			if p.Armed() {
				t.Errorf("%v at %d has not struck", kind, at)
			}
			p.Close()
		}
	}
}
