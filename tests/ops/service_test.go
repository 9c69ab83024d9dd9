//go:build unix

package ops

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	path string
	sock *net.UnixConn
	seen []string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() })
	m.sock = sock
	return m
}

// expect reads until a message has the line.
func (m *manager) expect(line string) {
	m.t.Helper()
	for {
		buf := make([]byte, 4096)
		m.sock.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := m.sock.Read(buf)
		if err != nil {
			m.t.Fatalf("the manager was not told %q, but %q: %v", line, m.seen, err)
		}
		m.seen = append(m.seen, string(buf[:n]))
		if strings.Contains("\n"+string(buf[:n]), "\n"+line) {
			return
		}
	}
}

// program starts our server under the test's own environment.
func program(t *testing.T, env []string, args ...string) (*exec.Cmd, *bytes.Buffer, int) {
	t.Helper()
	path, err := testutil.OursBinary()
	if err != nil {
		t.Fatal(err)
	}
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	dir := t.TempDir()
	cmd := exec.Command(path, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	return cmd, &out, port
}

func dial(t *testing.T, port int) *testutil.Conn {
	t.Helper()
	c, err := testutil.Dial("127.0.0.1:" + strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestSystemd: the manager hears of readiness when clients are served, of the link's state, and of the end; its watchdog is fed
// while the loop turns.
func TestSystemd(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"systemd", "auto"} {
		master := testutil.StartRedis(t)
		m := newManager(t)
		cmd, out, port := program(t, []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=200000"}, "--supervised", mode,
			"--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port), "--daemonize", "yes")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { cmd.Process.Kill() })
		m.expect("READY=1")
		c := dial(t, port) // at once: it is ready
		if v := c.Must(t, "PING"); v.String() == "" {
			t.Error("no PONG")
		}
		m.expect("STATUS=Serving; in step with 127.0.0.1:" + strconv.Itoa(master.Port))
		m.expect("WATCHDOG=1")
		info, err := c.Info("server")
		if err != nil || info["process_supervised"] != "systemd" {
			t.Errorf("process_supervised is %q, %v", info["process_supervised"], err)
		}
		master.Kill()
		m.expect("STATUS=Serving what it has; no link")
		cmd.Process.Signal(syscall.SIGTERM)
		m.expect("STOPPING=1")
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the server does not end")
		}
	}
}

// TestDaemonize: the command returns when the server can be reached, which goes on in a session of its own; a server that cannot
// start says why and fails.
func TestDaemonize(t *testing.T) {
	t.Parallel()
	cmd, out, port := program(t, nil, "--daemonize", "yes", "--pidfile", "server.pid", "--logfile", "server.log", "-")
	cmd.Stdin = strings.NewReader("maxclients 321\n")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(cmd.Dir, "server.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	c := dial(t, port)
	if got := c.Must(t, "CONFIG", "GET", "maxclients").Strings(); len(got) != 2 || got[1] != "321" {
		t.Errorf("what came by standard input is lost: %v", got)
	}
	if pid == cmd.Process.Pid {
		t.Error("the server is the process that was started")
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(stat)); f[5] != strconv.Itoa(pid) {
		t.Errorf("session %s, want one of its own, %d", f[5], pid)
	}
	// The same port again: the reason comes to who asked.
	again := exec.Command(cmd.Path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--daemonize", "yes", "--save", "", "--dir", cmd.Dir)
	if said, err := again.CombinedOutput(); err == nil || !strings.Contains(string(said), "in use") {
		t.Errorf("a second server on the port: %v, %s", err, said)
	}
	c.Do("SHUTDOWN", "NOSAVE")
	testutil.Eventually(t, 20*time.Second, "the server ends", func() error {
		if _, err := os.Stat(filepath.Join(cmd.Dir, "server.pid")); err == nil {
			return os.ErrExist
		}
		return nil
	})
}

// TestJSONLog: every line is an object, with time, level and message, and levels are obeyed.
func TestJSONLog(t *testing.T) {
	t.Parallel()
	s := testutil.StartOurs(t, "--log-format", "json", "--loglevel", "verbose")
	c := s.Dial(t)
	c.Must(t, "SET", "a", "b")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	levels := map[string]int{}
	for line := range strings.Lines(s.Log()) {
		var l struct{ Time, Level, Role, Msg string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, l.Time); err != nil || l.Msg == "" || l.Role == "" {
			t.Errorf("%q: %v", line, err)
		}
		levels[l.Level]++
	}
	if levels["notice"] == 0 || levels["debug"] != 0 {
		t.Errorf("levels %v", levels)
	}
}
