//go:build unix

package differential

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file holds the limits that protect a server from its clients: the same clients do the same to both servers, and must meet the same
// end.

// both runs a test for each server of a pair at the same time.
func (p *pair) both(t *testing.T, fn func(t *testing.T, s *testutil.Server, c *testutil.Conn)) {
	t.Helper()
	var wg sync.WaitGroup
	for _, side := range []struct {
		name string
		s    *testutil.Server
	}{{"redis", p.redis}, {"ours", p.ours}} {
		wg.Go(func() {
			t.Run(side.name, func(t *testing.T) { fn(t, side.s, side.s.Dial(t)) })
		})
	}
	wg.Wait()
}

// fate waits until the server has closed the connection, or until a time is over; what it says before is returned.
func fate(c *testutil.Conn, patience time.Duration) (said string, closed bool) {
	data, closed := c.ReadAll(patience)
	return string(data), closed
}

func infoInt(t *testing.T, c *testutil.Conn, section, field string) int {
	t.Helper()
	info, err := c.Info(section)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(info[field])
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	return n
}

// smallReader connects with a small receive buffer, so that what it does not read soon waits at the server.
func smallReader(t *testing.T, s *testutil.Server) *testutil.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) (err error) {
		if e := rc.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
			return e
		}
		return err
	}}
	nc, err := d.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return testutil.NewConn(nc)
}

func TestMaxClients(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--maxclients", "5")
	p.both(t, func(t *testing.T, s *testutil.Server, c *testutil.Conn) { // with the control connection: 2 clients
		var conns []*testutil.Conn
		for range 3 {
			conns = append(conns, s.Dial(t))
			conns[len(conns)-1].Must(t, "PING")
		}
		for range 2 {
			if said, closed := fate(s.Dial(t), 5*time.Second); said != "-ERR max number of clients reached\r\n" || !closed {
				t.Errorf("the sixth client is told %q, closed %v", said, closed)
			}
		}
		if n := infoInt(t, c, "stats", "rejected_connections"); n != 2 {
			t.Errorf("rejected_connections %d", n)
		}
		if n := infoInt(t, c, "clients", "maxclients"); n != 5 {
			t.Errorf("maxclients %d", n)
		}
		conns[0].Close()
		testutil.Eventually(t, 5*time.Second, "there is room again", func() error {
			if v, err := s.Dial(t).Do("PING"); err != nil || v.Err() != nil {
				return errors.Join(err, v.Err())
			}
			return nil
		})
		// Fewer than there are: those that are connected stay.
		c.Must(t, "CONFIG", "SET", "maxclients", "2")
		conns[1].Must(t, "PING")
		if said, _ := fate(s.Dial(t), 5*time.Second); said != "-ERR max number of clients reached\r\n" {
			t.Errorf("beyond the lowered limit: %q", said)
		}
		c.Must(t, "CONFIG", "SET", "maxclients", "50")
		s.Dial(t).Must(t, "PING")
		for _, bad := range []string{"0", "-1", "x", "5000000"} {
			v, err := c.Do("CONFIG", "SET", "maxclients", bad)
			if err != nil || v.Err() == nil {
				t.Errorf("maxclients %s: %v %v", bad, v, err)
			}
		}
	})
}

// TestIdleTimeout: who is idle is disconnected, unless it waits for something.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--timeout", "1")
	p.both(t, func(t *testing.T, s *testutil.Server, _ *testutil.Conn) {
		begun := map[string][]string{
			"idle": nil, "a command": {"PING"}, "a transaction": {"MULTI"}, "a subscriber": {"SUBSCRIBE", "x"}, "blocked": {"BLPOP", "nolist", "0"}, "a monitor": {"MONITOR"}, "waits": {"WAIT", "1", "0"},
		}
		var wg sync.WaitGroup
		for name, cmd := range begun {
			wg.Go(func() {
				c := s.Dial(t)
				if cmd != nil {
					if err := c.Send(cmd...); err != nil {
						t.Error(err)
					}
				}
				_, closed := fate(c, 3500*time.Millisecond)
				if want := name == "idle" || name == "a command" || name == "a transaction"; closed != want {
					t.Errorf("%s: disconnected %v after 3.5 s", name, closed)
				}
			})
		}
		wg.Go(func() { // sends a command byte by byte
			c := s.Dial(t)
			for _, b := range testutil.AppendCommand(nil, "ECHO", "hello") {
				if _, err := c.Write([]byte{b}); err != nil {
					t.Errorf("a slow writer was disconnected: %v", err)
				}
				time.Sleep(120 * time.Millisecond)
			}
			if v, _, err := c.Read(); err != nil || v.Text != "hello" {
				t.Errorf("a slow writer gets %v, %v", v, err)
			}
		})
		wg.Wait()
	})
}

// TestTCPKeepalive looks at the timers of the connections in the system's table.
func TestTCPKeepalive(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--tcp-keepalive", "200")
	p.both(t, func(t *testing.T, s *testutil.Server, c *testutil.Conn) {
		check := func(x *testutil.Conn, from, to float64) {
			t.Helper()
			testutil.Eventually(t, 5*time.Second, "the timer", func() error {
				on, left, err := tcpTimer(s.Port, x.Net().LocalAddr().(*net.TCPAddr).Port)
				if err != nil {
					return err
				}
				if on != (to > 0) || on && (left < from || left > to) {
					return fmt.Errorf("keepalive %v, in %.0f s", on, left)
				}
				return nil
			})
		}
		check(c, 100, 201)
		c.Must(t, "CONFIG", "SET", "tcp-keepalive", "30")
		x := s.Dial(t)
		x.Must(t, "PING")
		check(x, 1, 31)
		c.Must(t, "CONFIG", "SET", "tcp-keepalive", "0")
		y := s.Dial(t)
		y.Must(t, "PING")
		check(y, 0, 0)
	})
}

// tcpTimer finds the server's end of a connection and tells whether its keepalive timer runs, and for how many seconds it still does.
func tcpTimer(server, client int) (on bool, left float64, err error) {
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false, 0, err
	}
	ends := func(addr string, port int) bool { return strings.HasSuffix(addr, fmt.Sprintf(":%04X", port)) }
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || !ends(f[1], server) || !ends(f[2], client) {
			continue
		}
		kind, when, _ := strings.Cut(f[5], ":")
		ticks, err := strconv.ParseInt(when, 16, 64)
		return kind == "02", float64(ticks) / 100, err
	}
	return false, 0, fmt.Errorf("no connection from port %d to %d", client, server)
}

// TestOutputLimits: per class, who lets its replies pile up is disconnected.
func TestOutputLimits(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--client-output-buffer-limit", "normal 2mb 0 0", "--client-output-buffer-limit", "pubsub 0 1mb 2", "--client-output-buffer-limit", "replica 3mb 0 0",
		"--repl-backlog-size", "1mb", "--repl-diskless-sync-delay", "0")
	p.both(t, func(t *testing.T, s *testutil.Server, c *testutil.Conn) {
		const kb = 100
		c.Must(t, "SET", "k", strings.Repeat("v", kb<<10))
		gets := func(n int) []byte {
			var b []byte
			for range n {
				b = testutil.AppendCommand(b, "GET", "k")
			}
			return b
		}
		gone := func(what string, x *testutil.Conn) {
			t.Helper()
			testutil.Eventually(t, 10*time.Second, what+" is disconnected", func() error {
				if list := c.Must(t, "CLIENT", "LIST").Text; strings.Contains(list, "name="+x.Net().LocalAddr().String()+" ") {
					return errors.New(list)
				}
				return nil
			})
		}
		named := func() *testutil.Conn {
			x := smallReader(t, s)
			x.Must(t, "CLIENT", "SETNAME", x.Net().LocalAddr().String())
			return x
		}
		// A pipeline, a transaction: both end, and the commands before it have been executed.
		x := named()
		if _, err := x.Write(gets(200)); err != nil {
			t.Fatal(err)
		}
		gone("a pipeline without a reader", x)
		x = named()
		x.Write(testutil.AppendCommand(slices.Concat(testutil.AppendCommand(nil, "MULTI"), gets(200), testutil.AppendCommand(nil, "SET", "done", "yes")), "EXEC"))
		gone("a transaction without a reader", x)
		if v := c.Must(t, "GET", "done"); v.Text != "yes" {
			t.Errorf("the transaction's last write: %v", v)
		}
		// Who reads may have any amount.
		y := named()
		for range 20 {
			if _, err := y.Write(gets(10)); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if v, _, err := y.Read(); err != nil || len(v.Text) != kb<<10 {
					t.Fatalf("%c: %v", v.Kind, err)
				}
			}
		}
		// A subscriber may be above the soft limit for a while, with or without a new message.
		soft := named()
		soft.Must(t, "SUBSCRIBE", "ch")
		message := strings.Repeat("m", kb<<10)
		for range 100 { // what the system takes, and well over 1 MB of it that waits here
			c.Must(t, "PUBLISH", "ch", message)
		}
		if n := c.Must(t, "PUBLISH", "ch", "x").Int; n != 1 {
			t.Errorf("a subscriber above the soft limit is gone at once")
		}
		begin := time.Now()
		gone("a subscriber for long above the soft limit", soft)
		if d := time.Since(begin); d < time.Second {
			t.Errorf("after %v", d)
		}
		// One that was above it, and caught up, may be there again.
		soft = named()
		soft.Must(t, "SUBSCRIBE", "ch")
		for round := range 2 {
			for range 100 {
				c.Must(t, "PUBLISH", "ch", message)
			}
			for range 100 {
				if v, _, err := soft.Read(); err != nil || len(v.Elems) != 3 {
					t.Fatalf("round %d: %v, %v", round, v, err)
				}
			}
			time.Sleep(2500 * time.Millisecond)
		}
		soft.Must(t, "PING")
		// A replica that does not read its stream.
		r := smallReader(t, s)
		if _, err := r.Write([]byte("SYNC\r\n")); err != nil {
			t.Fatal(err)
		}
		testutil.Eventually(t, 10*time.Second, "the replica is there", func() error {
			if n := infoInt(t, c, "replication", "connected_slaves"); n != 1 {
				return fmt.Errorf("%d replicas", n)
			}
			return nil
		})
		testutil.Eventually(t, 20*time.Second, "the replica is disconnected", func() error {
			for range 20 {
				c.Must(t, "SET", "big", message)
			}
			if n := infoInt(t, c, "replication", "connected_slaves"); n != 0 {
				return fmt.Errorf("%d replicas", n)
			}
			return nil
		})
	})
}

// TestQueryBufferLimit: an argument larger than the limit ends the client without a word, and so does what piles up behind a command that
// waits; small arguments may be as many as one likes.
func TestQueryBufferLimit(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--client-query-buffer-limit", "1mb")
	p.both(t, func(t *testing.T, s *testutil.Server, c *testutil.Conn) {
		write := func(b []byte) *testutil.Conn {
			x := s.Dial(t)
			go x.Net().Write(b)
			return x
		}
		if v, _, err := write(testutil.AppendCommand(nil, "SET", "k", strings.Repeat("v", 900<<10))).Read(); err != nil || v.Text != "OK" {
			t.Errorf("900 KB: %v %v", v, err)
		}
		if said, closed := fate(write(testutil.AppendCommand(nil, "SET", "k", strings.Repeat("v", 3<<20))), 10*time.Second); said != "" || !closed {
			t.Errorf("3 MB: told %q, closed %v", said, closed)
		}
		many := []string{"MSET"}
		for i := range 30_000 {
			many = append(many, fmt.Sprint("key", i%100), strings.Repeat("v", 100))
		}
		if v, _, err := write(testutil.AppendCommand(nil, many...)).Read(); err != nil || v.Text != "OK" {
			t.Errorf("60,000 arguments: %v %v", v, err)
		}
		flood := bytes.Repeat(testutil.AppendCommand(nil, "SET", "k", strings.Repeat("v", 1000)), 3000)
		blocked := write(append(testutil.AppendCommand(nil, "BLPOP", "nolist", "0"), flood...))
		if said, closed := fate(blocked, 10*time.Second); said != "" || !closed {
			t.Errorf("behind BLPOP: told %q, closed %v", said, closed)
		}
		c.Must(t, "CLIENT", "PAUSE", "8000", "WRITE")
		if said, closed := fate(write(flood), 10*time.Second); said != "" || !closed {
			t.Errorf("while paused: told %q, closed %v", said, closed)
		}
		c.Must(t, "CLIENT", "UNPAUSE")
		testutil.Eventually(t, 5*time.Second, "the blocked client is gone", func() error {
			if n := infoInt(t, c, "clients", "blocked_clients"); n != 0 {
				return fmt.Errorf("%d are blocked", n)
			}
			return nil
		})
	})
}

// TestMaxBulkLen: proto-max-bulk-len bounds what is sent and what is made.
func TestMaxBulkLen(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--proto-max-bulk-len", "1mb")
	l, err := p.open(2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for _, cmd := range [][]string{
		{"SET", "k", strings.Repeat("v", 1<<20)}, {"APPEND", "k", "x"}, {"STRLEN", "k"}, {"SETRANGE", "k", "1048575", "a"}, {"SETRANGE", "k", "1048576", "a"}, {"SETRANGE", "k", "1048570", "1234567"},
		{"SETBIT", "b", "8388607", "1"}, {"SETBIT", "b", "8388608", "1"}, {"BITFIELD", "b", "SET", "u8", "8388600", "255"}, {"BITFIELD", "b", "SET", "u8", "8388601", "255"},
		{"CONFIG", "SET", "proto-max-bulk-len", "1000"}, {"CONFIG", "SET", "proto-max-bulk-len", "2mb"}, {"APPEND", "k", "x"}, {"SET", "k", strings.Repeat("v", 1<<20+1)},
		{"CONFIG", "SET", "proto-max-bulk-len", "1mb"}, {"GETRANGE", "k", "1048570", "-1"}, {"APPEND", "k", ""}, {"CONFIG", "GET", "proto-max-bulk-len"},
	} {
		if err := l.do(cmd...); err != nil {
			t.Error(err)
		}
	}
	runRaw(t, p, []string{"*1\r\n$1048577\r\n", "*1\r\n$1048576\r\n", "PING\r\n*2\r\n$4\r\nECHO\r\n$1048577\r\nPING\r\n"})
}

// TestClientEviction: maxmemory-clients drops the largest clients first, and none of those that must stay: they only count.
func TestClientEviction(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.both(t, func(t *testing.T, s *testutil.Server, c *testutil.Conn) {
		c.Must(t, "CLIENT", "NO-EVICT", "ON")
		type holder struct {
			name string
			mb   int
			conn *testutil.Conn
		}
		var holders []*holder
		hold := func(name string, mb int, first ...string) *holder {
			x := s.Dial(t)
			x.Must(t, "CLIENT", "SETNAME", name)
			if first != nil {
				x.Must(t, first...)
			}
			// An argument of which all but a little has come.
			if _, err := fmt.Fprintf(x.Net(), "*2\r\n$4\r\nECHO\r\n$%d\r\n%s", mb<<20, strings.Repeat("x", mb<<20-100)); err != nil {
				t.Fatal(err)
			}
			h := &holder{name, mb, x}
			holders = append(holders, h)
			return h
		}
		present := func() map[string]bool {
			m := map[string]bool{}
			list := c.Must(t, "CLIENT", "LIST").Text
			for _, h := range holders {
				m[h.name] = strings.Contains(list, " name="+h.name+" ")
			}
			return m
		}
		hold("one", 1)
		hold("sixteen", 16)
		hold("four", 4)
		hold("stays", 20, "CLIENT", "NO-EVICT", "ON")
		hold("eight", 8)
		testutil.Eventually(t, 10*time.Second, "all has arrived", func() error {
			list := c.Must(t, "CLIENT", "LIST").Text
			for _, h := range holders {
				if !strings.Contains(list, " name="+h.name+" ") {
					return errors.New(h.name + " is missing")
				}
			}
			for line := range strings.Lines(list) {
				for _, h := range holders {
					if strings.Contains(line, " name="+h.name+" ") {
						var got int
						_, rest, _ := strings.Cut(line, " qbuf=")
						fmt.Sscan(rest, &got)
						if got < h.mb<<20-200 {
							return fmt.Errorf("%s: %d bytes", h.name, got)
						}
					}
				}
			}
			return nil
		})
		for _, step := range []struct {
			limit string
			gone  int
		}{{"100mb", 0}, {"43mb", 1}, {"31mb", 2}} {
			c.Must(t, "CONFIG", "SET", "maxmemory-clients", step.limit)
			order := []string{"sixteen", "eight", "four", "one"}
			testutil.Eventually(t, 10*time.Second, "with "+step.limit, func() error {
				if n := infoInt(t, c, "stats", "evicted_clients"); n != step.gone {
					return fmt.Errorf("evicted_clients %d", n)
				}
				have := present()
				for i, name := range order {
					if have[name] != (i >= step.gone) {
						return fmt.Errorf("%s is there: %v", name, have[name])
					}
				}
				if !have["stays"] {
					return errors.New("a client that must not be evicted is gone")
				}
				return nil
			})
		}
		// What waits to be read counts too, and so does a queued transaction.
		c.Must(t, "SET", "v", strings.Repeat("v", 100<<10))
		x := smallReader(t, s)
		x.Must(t, "CLIENT", "SETNAME", "output")
		holders = append(holders, &holder{name: "output"})
		for range 300 {
			if err := x.Send("GET", "v"); err != nil {
				break
			}
		}
		testutil.Eventually(t, 10*time.Second, "one that does not read is gone", func() error {
			if present()["output"] {
				return errors.New("it is there")
			}
			return nil
		})
		y := s.Dial(t)
		y.Must(t, "CLIENT", "SETNAME", "queue")
		y.Must(t, "MULTI")
		for range 300 {
			if v, err := y.Do("SET", "k", strings.Repeat("q", 100<<10)); err != nil {
				break
			} else if v.Text != "QUEUED" {
				t.Fatal(v)
			}
		}
		testutil.Eventually(t, 10*time.Second, "one with a long queue is gone", func() error {
			if list := c.Must(t, "CLIENT", "LIST").Text; strings.Contains(list, " name=queue ") {
				return errors.New(list)
			}
			return nil
		})
		c.Must(t, "PING")
	})
}
