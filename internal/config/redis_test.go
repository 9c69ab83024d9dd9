package config

import (
	"bufio"
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/testport"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisServer is a real redis-server 7.0 that decides what is right. Tests that need it fail where it is not installed.
type redisServer struct {
	t    *testing.T
	addr string
	conn net.Conn
	rd   *bufio.Reader
}

// freePort is a TCP port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := testport.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startRedis runs redis-server in dir with the arguments (a config file first, if any) on the given port until the test
// ends.
func startRedis(t *testing.T, dir string, port int, args ...string) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test compares with a real redis-server 7.0, which must be installed:", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := os.Create(filepath.Join(t.TempDir(), "redis.out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
	})
	s := &redisServer{t: t, addr: fmt.Sprintf("127.0.0.1:%d", port)}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = s.dial(); err == nil {
			if reply, err := s.try("PING"); err == nil && reply != "" {
				return s
			}
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(out.Name())
			t.Fatalf("redis-server %q does not answer: %v\n%s", args, err, text)
		}
	}
}

func (s *redisServer) dial() error {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	c, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return err
	}
	s.conn, s.rd = c, bufio.NewReader(c)
	s.t.Cleanup(func() { _ = c.Close() })
	return nil
}

// do sends a command and returns the reply: a line's text, or the elements of an array, one a line.
func (s *redisServer) do(args ...string) string {
	s.t.Helper()
	reply, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("%q: %v", args, err)
	}
	return reply
}

func (s *redisServer) try(args ...string) (string, error) {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	if err := s.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return "", err
	}
	if _, err := s.conn.Write(b); err != nil {
		return "", err
	}
	return s.read()
}

func (s *redisServer) read() (string, error) {
	line, err := s.rd.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '+', '-', ':':
		return line[1:], nil
	case '$':
		if n < 0 {
			return "", nil
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(s.rd, b); err != nil {
			return "", err
		}
		return string(b[:n]), nil
	case '*':
		var parts []string
		for range n {
			p, err := s.read()
			if err != nil {
				return "", err
			}
			parts = append(parts, p)
		}
		return strings.Join(parts, "\n"), nil
	}
	return "", fmt.Errorf("unexpected reply %q", line)
}

// config returns the server's CONFIG GET * as a map.
func (s *redisServer) config() map[string]string {
	s.t.Helper()
	m := make(map[string]string)
	parts := strings.Split(s.do("CONFIG", "GET", "*"), "\n")
	for i := 0; i+1 < len(parts); i += 2 {
		m[parts[i]] = parts[i+1]
	}
	return m
}

// ownConfig is the same of a registry, without the directives that Redis does not have.
func ownConfig(r *Registry) map[string]string {
	m := make(map[string]string)
	for _, p := range r.Get("*") {
		if !r.byName[p.Name].is(Own) {
			m[p.Name] = p.Value
		}
	}
	return m
}

func compareConfigs(t *testing.T, want, got map[string]string, except map[string]string) {
	t.Helper()
	for name, w := range want {
		g, known := got[name]
		switch {
		case !known:
			t.Errorf("%s = %q: redis-server has it, the registry does not", name, w)
		case g != w && except[name] == "":
			t.Errorf("%s = %q, redis-server has %q", name, g, w)
		case g == w && except[name] != "":
			t.Errorf("%s is excepted (%s) but equal", name, except[name])
		}
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("%s: redis-server does not have it", name)
		}
	}
}

func TestDefaultsEqualRedis(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	args := []string{"--port", strconv.Itoa(port)}
	s := startRedis(t, dir, port, args...)
	t.Chdir(dir)
	r := New()
	if err := r.LoadArgs(args, noEnvironment()); err != nil {
		t.Fatal(err)
	}
	want := s.config()
	compareConfigs(t, want, ownConfig(r), nil)

	// Hidden directives are reported by name only.
	for _, d := range r.Directives() {
		if !d.is(Hidden) {
			continue
		}
		if got, want := d.get(), strings.TrimPrefix(s.do("CONFIG", "GET", d.Name), d.Name+"\n"); got != want {
			t.Errorf("%s = %q, redis-server has %q", d.Name, got, want)
		}
		if _, listed := want[d.Name]; listed {
			t.Errorf("%s is hidden here and listed by redis-server", d.Name)
		}
	}
}

// otherValue gives a valid value of a directive that is not its default.
func otherValue(d *Directive) string {
	special := map[string]string{
		"bind": "127.0.0.1 -::1", "client-output-buffer-limit": "pubsub 3mb 1001 7", "save": "77 3",
		"oom-score-adj-values": "1 100 2000", "notify-keyspace-events": "KEA", "latency-tracking-info-percentiles": "1.5 100 99.999",
		"proc-title-template": "\"{title}  {port} {{x}\"", "dir": ".", "replicaof": "127.0.0.1 1", "unixsocket": "s.sock",
		"unixsocketperm": "755", "maxmemory": "777mb", "maxmemory-clients": "7%", "maxclients": "123",
		"syslog-facility": "local3", "shutdown-on-sigint": "force now", "shutdown-on-sigterm": "save", "supervised": "upstart",
		"logfile": "out.log", "pidfile": "x.pid", "dbfilename": "x.rdb", "bio_cpulist": "0", "server_cpulist": "0",
		"aof_rewrite_cpulist": "0", "bgsave_cpulist": "0", "tcp-backlog": "17", "databases": "3", "hz": "33",
		"tls-protocols": "TLSv1.2", "socket-mark-id": "0", "replica-filter-databases": "0 2-5 !3",
		"replica-filter-keys": `user:* !user:tmp:* "a b"`, "replica-filter-commands": "!publish !@scripting", "bind-source-addr": "127.0.0.1", "cluster-announce-hostname": "host-1.example", "aclfile": "",
		"metrics-addr": "127.0.0.1:9121",
	}
	if v, ok := special[d.Name]; ok {
		return v
	}
	switch d.Kind {
	case Bool:
		return yesNo(d.Default == "no")
	case Enum, EnumSet:
		list := strings.Split(d.Range, ", ")
		if list[0] == d.Default {
			return list[1]
		}
		return list[0]
	case String:
		return `"x y\x01z"`
	}
	lo, err := strconv.ParseInt(strings.SplitN(d.Range, " ", 2)[0], 10, 64)
	if err != nil {
		panic(d.Name + ": no range in " + d.Range)
	}
	n := max(lo, -5) + 3
	if strconv.FormatInt(n, 10) == d.Default {
		n++
	}
	return strconv.FormatInt(n, 10)
}

func TestFullFileEqualsRedis(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	// Settings that keep a redis-server from starting, or that it does not take here.
	leftOut := map[string]string{
		"port": "chosen below", "tls-port": "needs certificates", "tls-replication": "needs certificates",
		"tls-cluster": "needs certificates", "cluster-enabled": "excludes replicaof", "daemonize": "must stay our child",
		"aclfile": "needs a file and excludes user lines", "activedefrag": "this redis-server has no defragmentation",
		"tls-dh-params-file": "", "supervised": "needs a service manager", "syslog-enabled": "writes to the machine's log",
		"appendonly": "needs files of its own", "appendfilename": "", "appenddirname": "",
		"log-format": "ours",
	}
	var b strings.Builder
	fmt.Fprintf(&b, "port %d\n", port)
	for _, d := range New().Directives() {
		if _, out := leftOut[d.Name]; out || d.is(Own) {
			continue
		}
		name := d.Name
		if d.Alias != "" {
			name = strings.ToUpper(d.Alias)
		}
		fmt.Fprintf(&b, "%s %s\n", name, otherValue(d))
	}
	file := filepath.Join(dir, "full.conf")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startRedis(t, dir, port, file)
	s.do("AUTH", "x y\x01z")
	t.Chdir(dir)
	r := New()
	if err := r.LoadFile(file); err != nil {
		t.Fatal(err)
	}
	compareConfigs(t, s.config(), ownConfig(r), nil)
	changed := 0
	for _, d := range r.Directives() {
		if !d.isDefault() {
			changed++
		}
	}
	if changed < 150 {
		t.Errorf("only %d directives have another value than their default: the test has lost its point", changed)
	}
}
