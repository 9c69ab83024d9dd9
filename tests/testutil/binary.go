package testutil

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/raniellyferreira/redis-inmemory-replica"

// buildFlags go to `go build` of our binary: a suite run with -race or -tags invariants drives a server built the same way.
var buildFlags []string

var (
	// OursPath, when not empty, is the binary to test in place of a fresh build. The environment variable OURS sets it too;
	// with OURS=redis-server the suites compare redis-server with itself, which tests the suites.
	OursPath = os.Getenv("OURS")
	// RedisPath is the redis-server to compare with. The environment variable REDIS sets it too.
	RedisPath = os.Getenv("REDIS")
)

// Invariants is set by the build tag of that name: the server is built with checks that take memory of their own.
var Invariants bool

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// OursBinary returns the path of our server, building it once a process. Call Cleanup (or run the tests under Main) to remove it.
func OursBinary() (string, error) {
	if OursPath != "" {
		return exec.LookPath(OursPath)
	}
	built.once.Do(func() {
		built.dir, built.err = os.MkdirTemp("", "replica-bin-")
		if built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "redis-inmemory-replica")
		// In its own folder: a suite may belong to a module of its own, with other dependencies.
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", modulePath).Output()
		if err != nil {
			built.err = fmt.Errorf("go list -m %s: %w", modulePath, err)
			return
		}
		args := append([]string{"build"}, buildFlags...)
		cmd := exec.Command("go", append(args, "-o", built.path, ".")...)
		cmd.Dir = strings.TrimSpace(string(root))
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	})
	return built.path, built.err
}

// RedisBinary returns the path of redis-server, or an error that says how to get it.
func RedisBinary() (string, error) {
	name := RedisPath
	if name == "" {
		name = "redis-server"
	}
	p, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: `make deps` installs redis-server", err)
	}
	return p, err
}

// Cleanup removes the binary that OursBinary built.
func Cleanup() {
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}

// Main is the body of a TestMain: runs the tests and removes what was built.
func Main(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}
