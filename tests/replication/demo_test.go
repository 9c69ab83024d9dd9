package replication

import (
	"bufio"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestDemo is what `make run` does without a master: the program with --demo serves a replica whose data moves, and ends in order on Ctrl-C.
func TestDemo(t *testing.T) {
	t.Parallel()
	path, err := testutil.OursBinary()
	if err != nil {
		t.Fatal(err)
	}
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--demo", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--enable-debug-command", "yes")
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = testutil.DieWithParent()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	// The output is read to its end before Wait, which closes it.
	ended := make(chan error, 1)
	defer func() {
		cmd.Process.Kill()
		for range lines {
		}
	}()
	until := func(what string) string {
		t.Helper()
		var all []string
		deadline := time.After(syncTimeout)
		for {
			select {
			case l, ok := <-lines:
				if all = append(all, l); strings.Contains(l, what) {
					return strings.Join(all, "\n")
				}
				if !ok {
					t.Fatalf("the output ends without %q:\n%s", what, strings.Join(all, "\n"))
				}
			case <-deadline:
				t.Fatalf("the output does not say %q:\n%s", what, strings.Join(all, "\n"))
			}
		}
	}
	guide := until("Ctrl-C ends both")
	masterPort := regexp.MustCompile(`redis-cli -p (\d+) set greeting hello`).FindAllStringSubmatch(guide, -1)
	if len(masterPort) != 2 || masterPort[0][1] != strconv.Itoa(port) {
		t.Fatalf("the guide writes to the replica and to the master:\n%s", guide)
	}
	dial := func(port string) *testutil.Conn {
		c, err := testutil.Dial("127.0.0.1:" + port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	r, m := dial(strconv.Itoa(port)), dial(masterPort[1][1])
	if err := wantInfo(r, "replication", "master_link_status", "up"); err != nil {
		t.Error(err)
	}
	first := r.Must(t, "GET", "clock").Text
	testutil.Eventually(t, syncTimeout, "the data moves", func() error {
		if now := r.Must(t, "GET", "clock").Text; now == first {
			return errors.New(now)
		}
		return nil
	})
	m.Must(t, "SET", "greeting", "hello")
	testutil.Eventually(t, syncTimeout, "the write arrives", func() error {
		if v := r.Must(t, "GET", "greeting"); v.Text != "hello" {
			return errors.New(v.String())
		}
		return nil
	})
	r.Must(t, "DEBUG", "CHECK")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	until("Ending the replica and the master")
	for range lines {
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
	case <-time.After(syncTimeout):
		t.Error("the program does not end")
	}
}
