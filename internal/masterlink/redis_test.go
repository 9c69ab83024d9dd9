package masterlink

import (
	"bufio"
	"bytes"
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/testport"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
)

// redisServer is a real redis-server on a free port.
type redisServer struct {
	t    *testing.T
	addr string
	nc   net.Conn
	r    *bufio.Reader
}

func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs a redis-server: %v", err)
	}
	port, err := testport.Free()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(),
		"--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes"}, args...)
	c := exec.Command(path, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, addr: fmt.Sprint("127.0.0.1:", port)}
	t.Cleanup(func() {
		if s.nc != nil {
			s.nc.Close()
		}
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("redis-server said:\n%s", out.String())
		}
	})
	until(t, "redis-server answers", func() bool {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			return false
		}
		s.nc, s.r = nc, bufio.NewReader(nc)
		return true
	})
	return s
}

// do sends one command and returns a simple, integer or bulk reply.
func (s *redisServer) do(args ...string) string {
	s.t.Helper()
	_ = s.nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := s.nc.Write(mastertest.Command(args...)); err != nil {
		s.t.Fatal(err)
	}
	return s.reply()
}

func (s *redisServer) reply() string {
	s.t.Helper()
	line, err := s.r.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "$-1" || line == "*-1":
		return ""
	case line[0] == '$':
		n, _ := strconv.Atoi(line[1:])
		b := make([]byte, n+2)
		if _, err := io.ReadFull(s.r, b); err != nil {
			s.t.Fatal(err)
		}
		return string(b[:n])
	case line[0] == '*':
		n, _ := strconv.Atoi(line[1:])
		for range n {
			s.reply()
		}
	}
	return line
}

// info reads one field of INFO replication.
func (s *redisServer) info(field string) string {
	s.t.Helper()
	for _, line := range strings.Split(s.do("INFO", "replication"), "\r\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return v
		}
	}
	return ""
}

func (s *redisServer) offset() int64 {
	n, err := strconv.ParseInt(s.info("master_repl_offset"), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestAgainstRedis follows a real master: both ways to send the payload, a stream of
// everything that counts bytes, WAIT, cut links, an ACL user with the least rights.
func TestAgainstRedis(t *testing.T) {
	for _, diskless := range []string{"no", "yes"} {
		t.Run("diskless="+diskless, func(t *testing.T) {
			s := startRedis(t, "--repl-diskless-sync", diskless, "--repl-ping-replica-period", "1")
			s.do("ACL", "SETUSER", "repl", "on", ">secret", "+psync", "+replconf", "+ping")
			s.do("DEBUG", "POPULATE", "20000", "key", "100")
			h := newHost(t)
			cfg := Config{Addr: s.addr, User: "repl", Pass: "secret", ListeningPort: 7654, AnnounceIP: "127.0.0.9",
				Backoff: Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}}
			l := follow(t, h, cfg)
			until(t, "the full sync", func() bool { return l.Status().State == StateConnected })
			if !bytes.HasPrefix(h.data, []byte("REDIS0010")) || len(h.data) < 20000*100/10 {
				t.Fatalf("a payload of %d bytes: %.9q", len(h.data), h.data)
			}
			until(t, "online", func() bool { return strings.Contains(s.info("slave0"), "state=online") })
			slave := s.info("slave0")
			if !strings.HasPrefix(slave, "ip=127.0.0.9,port=7654,state=online") {
				t.Fatal(slave)
			}

			rnd := rand.New(rand.NewPCG(7, 7))
			for i := range 300 {
				switch rnd.IntN(6) {
				case 0:
					s.do("SET", fmt.Sprint("k", i), strings.Repeat("x", rnd.IntN(100_000)))
				case 1:
					s.do("SELECT", strconv.Itoa(rnd.IntN(16)))
				case 2:
					s.do("MULTI")
					s.do("INCR", "a")
					s.do("RPUSH", "l", "1", "2")
					s.do("EXEC")
				case 3:
					s.do("EVAL", "for i=1,10 do redis.call('INCR','n'..i) end", "0")
				case 4:
					s.do("SETEX", "t", "1", "v")
				case 5:
					if i%30 == 0 {
						s.do("CLIENT", "KILL", "TYPE", "replica")
					}
				}
			}
			// WAIT sends GETACK; the answer does not yet count it.
			until(t, "connected", func() bool { return strings.Contains(s.info("slave0"), "state=online") })
			s.do("SET", "last", "1")
			if n := s.do("WAIT", "1", "5000"); n != ":1" {
				t.Fatalf("WAIT: %s", n)
			}
			want := s.offset()
			until(t, "the same offset", func() bool { want = s.offset(); return h.applied() == want })
			until(t, "acknowledged, with lag=0", func() bool {
				slave := s.info("slave0")
				want = s.offset()
				return strings.Contains(slave, fmt.Sprintf("offset=%d,lag=0", want)) || strings.Contains(slave, ",lag=0") && h.applied() == want
			})
			h.mu.Lock()
			installs, continues, replid := h.installs, h.continues, h.replid
			h.mu.Unlock()
			if installs != 1 || continues == 0 {
				t.Fatalf("%d full and %d partial syncs", installs, continues)
			}
			if id := s.info("master_replid"); id != replid {
				t.Fatalf("replid %s, the master says %s", replid, id)
			}

			// The master gives the history a new name: we learn it and go on.
			s.do("DEBUG", "CHANGE-REPL-ID")
			s.do("CLIENT", "KILL", "TYPE", "replica")
			s.do("SET", "after", "1")
			until(t, "the sync after the change", func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				return h.replid == s.info("master_replid") && h.stream.Applied() == s.offset()
			})
		})
	}
}

// TestRedisRefuses: what a real server says to those it does not want.
func TestRedisRefuses(t *testing.T) {
	s := startRedis(t)
	s.do("ACL", "SETUSER", "noone", "on", ">secret", "+ping")
	s.do("CONFIG", "SET", "requirepass", "topsecret")
	for name, c := range map[string]struct{ user, pass, want string }{
		"no password":    {"", "", "masterauth"},
		"wrong password": {"", "wrong", "WRONGPASS"},
		"no rights":      {"noone", "secret", "grant the replication user"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			l := follow(t, h, Config{Addr: s.addr, User: c.user, Pass: c.pass, Backoff: Backoff{Max: time.Hour}})
			until(t, "an error", func() bool { return len(h.errs()) > 0 })
			if e := h.errs()[0].Error(); !strings.Contains(e, c.want) || strings.Contains(e, "topsecret") {
				t.Fatal(e)
			}
			// An hour's pause does not delay Stop.
			start := time.Now()
			h.on(l.Stop)
			if d := time.Since(start); d > time.Second {
				t.Fatalf("Stop took %v", d)
			}
		})
	}
	if _, err := os.Stat("dump.rdb"); err == nil {
		t.Error("a dump in the source tree")
	}
}
