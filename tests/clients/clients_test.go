// Package clients lets the clients and tools that people use talk to the server, each with its default settings: to a writable
// server, and to a replica of a real redis-server.
//
// It is a module of its own, so that the libraries are no dependencies of the product.
package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func TestMain(m *testing.M) {
	testutil.ShownLog = 1500
	testutil.Main(m)
}

// A site is where a client writes and where it reads: one writable server of ours, or a redis-server and our replica of it.
type site struct {
	name        string
	write, read *testutil.Server
}

func (s *site) replica() bool { return s.write != s.read }

// sites starts both kinds of site.
func sites(t *testing.T, args ...string) []*site {
	t.Helper()
	ours := testutil.StartOurs(t, args...)
	return []*site{{"writable", ours, ours}, replicaSite(t, args...)}
}

func replicaSite(t *testing.T, args ...string) *site {
	t.Helper()
	master := testutil.StartRedis(t, args...)
	replica := testutil.StartOurs(t, append([]string{"--replicaof", fmt.Sprintf("127.0.0.1 %d", master.Port)}, args...)...)
	s := &site{"replica", master, replica}
	c := replica.Dial(t)
	testutil.Eventually(t, 10*time.Second, "the replica is in step", func() error {
		info, err := c.Info("replication")
		if err != nil {
			return err
		}
		if info["master_link_status"] != "up" {
			return errors.New("the link is " + info["master_link_status"])
		}
		return nil
	})
	return s
}

// settle waits until what was written can be read.
func (s *site) settle(t *testing.T) {
	t.Helper()
	if !s.replica() {
		return
	}
	w, r := s.write.Dial(t), s.read.Dial(t)
	defer w.Close()
	defer r.Close()
	testutil.Eventually(t, 10*time.Second, "the replica is in step", func() error { return testutil.SameDigest(w, r) })
}

// run executes a program for at most a time and returns what it printed.
func run(t *testing.T, limit time.Duration, stdin string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "NODE_PATH="+npmDir()+"/node_modules")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("still running after %v: %w", limit, ctx.Err())
	}
	return string(out), err
}

// need returns the path of a program that `make deps` installs.
func need(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: `make deps` installs it", err)
	}
	return p
}

// npmDir is where scripts/install-test-deps.sh puts the Node.js libraries.
func npmDir() string {
	if dir := os.Getenv("REPLICA_TEST_NPM"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "redis-inmemory-replica", "npm")
}

// script runs a program of testdata that plays a library's user: it exits with 0 if everything was as it should be.
func script(t *testing.T, s *site, interpreter, file string) {
	t.Helper()
	out, err := run(t, 30*time.Second, "", interpreter, filepath.Join("testdata", file),
		fmt.Sprint(s.write.Port), fmt.Sprint(s.read.Port), s.name)
	if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "all is well") {
		t.Errorf("%s: %v\n%s", file, err, out)
	}
}

// TestLibraries runs the libraries of other languages.
func TestLibraries(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, l := range []struct{ interpreter, file string }{
				{"/usr/bin/python3", "redis_py.py"}, {"node", "ioredis.cjs"}, {"node", "node_redis.cjs"},
			} {
				t.Run(l.file, func(t *testing.T) {
					t.Parallel()
					script(t, s, need(t, l.interpreter), l.file)
				})
			}
		})
	}
}
