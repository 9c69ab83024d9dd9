package demo

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/testport"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// output is what Run writes, for two goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// A running demonstration.
type running struct {
	t      *testing.T
	port   int
	out    *output
	cancel context.CancelFunc
	done   chan error
}

func begin(t *testing.T, args ...string) *running {
	t.Helper()
	port, err := testport.Free()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, port: port, out: &output{}, cancel: cancel, done: make(chan error, 1)}
	args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--loglevel", "warning"}, args...)
	go func() { r.done <- Run(ctx, args, config.Environment{}, r.out) }()
	t.Cleanup(cancel)
	return r
}

// eventually waits for a condition.
func (r *running) eventually(what string, is func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-r.done:
			r.t.Fatalf("waiting for %s: Run has ended: %v", what, err)
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not in 30 s: %s\n%s", what, r.out)
		}
	}
}

// ended waits for the end of Run.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(30 * time.Second):
		r.t.Fatal("Run does not end")
		return nil
	}
}

// ask sends one command on a connection of its own; a server that does not answer gives "".
func ask(port int, command string) string {
	nc, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return ""
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(nc, "%s\r\n", command)
	var rd resp.ReplyReader
	buf := make([]byte, 64<<10)
	for {
		raw, ok, err := rd.Next()
		if err != nil {
			return ""
		}
		if ok {
			v, err := resp.DecodeValue(raw)
			if err != nil {
				return ""
			}
			if v.Elems != nil {
				return v.String()
			}
			return string(v.Str)
		}
		n, err := nc.Read(buf)
		if err != nil {
			return ""
		}
		rd.Feed(buf[:n])
	}
}

func demoFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "replica-demo-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestDemo starts the two, sees the master's data move on the replica, types what the guide says, and ends them; nothing is left.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	goroutines := runtime.NumGoroutine()
	r := begin(t)
	r.eventually("the guide", func() bool { return strings.Contains(r.out.String(), "Ctrl-C ends both.") })
	guide := r.out.String()
	named := regexp.MustCompile(`master with a live workload listens on port (\d+), and a replica that follows it on port (\d+)`).FindStringSubmatch(guide)
	if named == nil || named[2] != strconv.Itoa(r.port) {
		t.Fatalf("the guide does not name the ports:\n%s", guide)
	}
	master, err := strconv.Atoi(named[1])
	if err != nil {
		t.Fatal(err)
	}

	if info := ask(r.port, "INFO replication"); !strings.Contains(info, "role:slave") || !strings.Contains(info, "master_link_status:up") {
		t.Errorf("INFO of the replica:\n%s", info)
	}
	if info := ask(master, "INFO replication"); !strings.Contains(info, "role:master") || !strings.Contains(info, "connected_slaves:1") {
		t.Errorf("INFO of the master:\n%s", info)
	}
	clock := ask(r.port, "GET clock")
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", clock); err != nil {
		t.Errorf("clock: %v", err)
	}
	r.eventually("the clock moves on", func() bool { now := ask(r.port, "GET clock"); return now != "" && now != clock })
	for key, kind := range map[string]string{"user:1": "hash", "page:1:views": "string", "leaderboard": "zset", "shops": "zset", "visitors": "string",
		"events": "stream", "recent": "list", "online": "set", "active": "string"} {
		r.eventually(key+" is a "+kind, func() bool { return ask(r.port, "TYPE "+key) == kind })
	}
	r.eventually("a session that expires", func() bool { return strings.Contains(ask(r.port, "SCAN 0 COUNT 10000 MATCH session:*"), "session:") })
	if got := ask(r.port, "SET greeting hello"); !strings.HasPrefix(got, "READONLY") {
		t.Errorf("a write to the replica: %q", got)
	}
	if got := ask(master, "SET greeting hello"); got != "OK" {
		t.Errorf("a write to the master: %q", got)
	}
	r.eventually("the greeting", func() bool { return ask(r.port, "GET greeting") == "hello" })
	// A connection that is lost does not end the workload.
	ask(master, "CLIENT KILL TYPE normal SKIPME no")
	clock = ask(master, "GET clock")
	r.eventually("the clock moves on again", func() bool { now := ask(r.port, "GET clock"); return now != "" && now != clock })
	if got := ask(r.port, "REPLICAOF NO ONE"); got != "OK" {
		t.Errorf("promotion: %q", got)
	}
	if got := ask(r.port, "SET greeting hallo"); got != "OK" {
		t.Errorf("a write after the promotion: %q", got)
	}

	r.cancel()
	if err := r.ended(); err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{r.port, master} {
		if l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port)); err != nil {
			t.Errorf("port %d is not free again: %v", port, err)
		} else {
			l.Close()
		}
	}
	if left := demoFolders(t); len(left) != 0 {
		t.Errorf("folders left behind: %q", left)
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", goroutines, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestShutdownOfOneEndsBoth: SHUTDOWN of either server is an orderly end of the whole.
func TestShutdownOfOneEndsBoth(t *testing.T) {
	for _, which := range []string{"replica", "master"} {
		r := begin(t)
		r.eventually("the guide", func() bool { return strings.Contains(r.out.String(), "Ctrl-C ends both.") })
		port := r.port
		if which == "master" {
			if _, err := fmt.Sscanf(ask(r.port, "ROLE"), `["slave" "127.0.0.1" %d`, &port); err != nil {
				t.Fatalf("ROLE is %s: %v", ask(r.port, "ROLE"), err)
			}
		}
		ask(port, "SHUTDOWN NOSAVE")
		if err := r.ended(); err != nil {
			t.Errorf("after SHUTDOWN of the %s: %v", which, err)
		}
	}
}

// TestBadCommandLine: what cannot be is said, and nothing is left running.
func TestBadCommandLine(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--nosuch", "x"}, "nosuch"},
		{[]string{"--replicaof", "127.0.0.1", "6379"}, "brings its own master"},
		{[]string{"--port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}, "in use"},
	} {
		r := begin(t, c.args...)
		if err := r.ended(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}
