package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

// profileEnv turns this program into the server, with a CPU profile of its whole life written to the folder that it names. So a measure runs
// as it always does, and what it measured is in the profile.
const profileEnv = "BENCHMARKS_SERVE_PROFILED"

func serveProfiled(dir string, args []string) error {
	conf := config.New()
	if err := conf.LoadArgs(args, config.ProcessEnvironment()); err != nil {
		return err
	}
	r, err := redisreplica.Open(conf)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.prof", os.Getpid())))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGTERM)
	go func() { r.Signal((<-sig).String(), false) }()
	return r.Run()
}

// profiled makes later servers of ours write their profiles to dir, and redis-server is left out.
func (e *env) profiled(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if e.oursPath, err = os.Executable(); err != nil {
		return err
	}
	e.profiling = true
	return os.Setenv(profileEnv, dir)
}
