package replication

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// configured is a server that was started with a configuration file, which CONFIG REWRITE can write.
type configured struct {
	port       int
	conf, addr string
}

func startConfigured(t *testing.T, binary string, args []string, lines ...string) *configured {
	t.Helper()
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &configured{port: port, conf: filepath.Join(dir, "server.conf"), addr: fmt.Sprint("127.0.0.1:", port)}
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\n%s\n", port, dir, strings.Join(lines, "\n"))
	if err := os.WriteFile(s.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{s.conf}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, testutil.DieWithParent()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if b, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("log of %s (port %d):\n%s", binary, port, b[max(0, len(b)-4000):])
		}
	})
	testutil.Eventually(t, syncTimeout, "the server answers", func() error {
		c, err := testutil.Dial(s.addr)
		if err == nil {
			_, err = c.Do("PING")
			_ = c.Close()
		}
		return err
	})
	return s
}

// wantInfo asks over a connection of its own: Sentinel has clients of servers whose role changes dropped.
func (s *configured) wantInfo(field, want string) error {
	c, err := testutil.Dial(s.addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return wantInfo(c, "replication", field, want)
}

func (s *configured) dial(t *testing.T) *testutil.Conn {
	t.Helper()
	c, err := testutil.Dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestSentinel has a real Sentinel look after a redis-server and two replicas of ours. When the master is killed, the replica with a priority
// is promoted and the one with priority 0 is not; the other one, and the old master when it comes back, follow it.
func TestSentinel(t *testing.T) {
	t.Parallel()
	ours, err := testutil.OursBinary()
	if err != nil {
		t.Fatal(err)
	}
	redis, err := testutil.RedisBinary()
	if err != nil {
		t.Fatal(err)
	}
	master := testutil.StartRedis(t, "--repl-ping-replica-period", "1")
	m := master.Dial(t)
	seedData(t, seed(t), scaled(2000))(m)
	replicaof := fmt.Sprint("replicaof 127.0.0.1 ", master.Port)
	usual := []string{"enable-debug-command yes", "save \"\"", "repl-diskless-sync-delay 0"}
	heir := startConfigured(t, ours, nil, append(usual, replicaof, "replica-priority 10", "replica-announce-ip 127.0.0.1")...)
	never := startConfigured(t, ours, nil, append(usual, replicaof, "replica-priority 0")...)
	for _, r := range []*configured{heir, never} {
		testutil.Eventually(t, syncTimeout, "the replica is in step", func() error { return r.wantInfo("master_link_status", "up") })
	}
	sentinel := startConfigured(t, redis, []string{"--sentinel"},
		fmt.Sprintf("sentinel monitor m 127.0.0.1 %d 1", master.Port), "sentinel down-after-milliseconds m 2000",
		"sentinel failover-timeout m 20000", "sentinel parallel-syncs m 2")
	s := sentinel.dial(t)

	// It finds both by the master's INFO, asks each for its own, and hears them.
	seen := func(port int) map[string]string {
		v, err := s.Do("SENTINEL", "REPLICAS", "m")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range v.Elems {
			fields := map[string]string{}
			for words := e.Strings(); len(words) >= 2; words = words[2:] {
				fields[words[0]] = words[1]
			}
			if fields["port"] == strconv.Itoa(port) {
				return fields
			}
		}
		return nil
	}
	testutil.Eventually(t, syncTimeout, "Sentinel monitors both", func() error {
		for _, x := range []struct {
			s        *configured
			priority string
		}{{heir, "10"}, {never, "0"}} {
			f := seen(x.s.port)
			if f["flags"] != "slave" || f["slave-priority"] != x.priority || f["master-link-status"] != "ok" || f["slave-repl-offset"] == "0" {
				return fmt.Errorf("port %d: %v", x.s.port, f)
			}
		}
		return nil
	})

	master.Kill()
	testutil.Eventually(t, syncTimeout, "the replica with a priority is promoted", func() error {
		v, err := s.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m")
		if err != nil {
			return err
		}
		if got := v.Strings(); len(got) != 2 || got[1] != strconv.Itoa(heir.port) {
			return fmt.Errorf("the master is %v", got)
		}
		return heir.wantInfo("role", "master")
	})
	testutil.Eventually(t, syncTimeout, "the other one follows it", func() error {
		if err := never.wantInfo("master_port", strconv.Itoa(heir.port)); err != nil {
			return err
		}
		return never.wantInfo("master_link_status", "up")
	})
	testutil.Eventually(t, syncTimeout, "the files say so", func() error {
		for _, x := range []struct {
			s    *configured
			want string
		}{{heir, ""}, {never, fmt.Sprint("replicaof 127.0.0.1 ", heir.port)}} {
			b, err := os.ReadFile(x.s.conf)
			if err != nil {
				return err
			}
			got := ""
			for line := range strings.SplitSeq(string(b), "\n") {
				if strings.HasPrefix(line, "replicaof") {
					got = line
				}
			}
			if got != x.want {
				return fmt.Errorf("%s has %q, want %q", x.s.conf, got, x.want)
			}
		}
		return nil
	})
	h, n := heir.dial(t), never.dial(t)
	h.Must(t, "SET", "written", "after the promotion")
	h.Must(t, "CLIENT", "KILL", "TYPE", "pubsub") // Sentinel comes back

	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	back := &configured{addr: master.Addr()}
	testutil.Eventually(t, syncTimeout, "the old master follows", func() error {
		if err := back.wantInfo("master_port", strconv.Itoa(heir.port)); err != nil {
			return err
		}
		return back.wantInfo("master_link_status", "up")
	})
	old := master.Dial(t)
	for _, c := range []*testutil.Conn{old, n} {
		testutil.EventuallySame(t, syncTimeout, h, c)
		if v := c.Must(t, "GET", "written"); v.Text != "after the promotion" {
			t.Errorf("a follower has %v", v)
		}
	}
	testutil.Eventually(t, syncTimeout, "Sentinel hears the new master again", func() error {
		v, err := h.Do("PUBSUB", "NUMSUB", "__sentinel__:hello")
		if err == nil && (len(v.Elems) != 2 || v.Elems[1].Int != 1) {
			err = fmt.Errorf("%v listeners", v)
		}
		return err
	})
}
