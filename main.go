// Command redis-inmemory-replica is a Redis replica server: it follows a master,
// holds its data in memory and serves it. It is started like redis-server:
//
//	redis-inmemory-replica [FILE.conf] [--directive value ...]
//
// With --demo as its first argument it brings a master of its own; with --probe it asks another one's health and ends.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/demo"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/httpapi"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/service"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

func main() {
	// The system's scheduler shares the processors more evenly, and at once, than
	// Go's shares out its Ps: with a few Ps to spare, the loop need not wait for
	// the goroutine that decodes a snapshot.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.NumCPU()+2, 4))
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) > 0 && args[0] == "--demo" {
		return runDemo(args[1:])
	}
	if len(args) > 0 && args[0] == "--probe" {
		return probe(args[1:])
	}
	conf := config.New()
	env := config.ProcessEnvironment()
	var input bytes.Buffer // what was read of standard input, for the process in the background
	env.Stdin = io.TeeReader(os.Stdin, &input)
	switch err := conf.LoadArgs(args, env); {
	case errors.Is(err, config.ErrHelp):
		fmt.Print(config.Usage("redis-inmemory-replica"))
		return 0
	case errors.Is(err, config.ErrVersion):
		fmt.Println(config.Version("redis-inmemory-replica", redisreplica.Version, build()))
		return 0
	case err != nil:
		return fail(err)
	}
	if conf.Values.Daemonize && !redisreplica.Supervised(conf) && !service.Background() {
		if err := service.Detach(input.Bytes()); err != nil {
			return fail(err)
		}
		return 0
	}
	r, err := redisreplica.Open(conf)
	if err != nil {
		return fail(err)
	}
	service.Started()
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		interrupted := false
		for s := range sig {
			if s == syscall.SIGINT && interrupted {
				fmt.Fprintln(os.Stderr, "You insist... exiting now.")
				os.Exit(1)
			}
			interrupted = s == syscall.SIGINT
			r.Signal(s.String(), interrupted)
		}
	}()
	if err := r.Run(); err != nil {
		return fail(err)
	}
	return 0
}

// fail says why the program ends, to whoever started it.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	service.Failed(err)
	return 1
}

// runDemo serves a master with a workload and a replica of it until the first signal. A second one ends the process at once.
func runDemo(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := demo.Run(ctx, args, config.ProcessEnvironment(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// probe asks the health of a server that runs elsewhere: at the address given, or at the usual one.
func probe(args []string) int {
	url := httpapi.DefaultProbe
	if len(args) > 0 {
		url = args[0]
	}
	if err := httpapi.Probe(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// build is the commit that the program was made from, "" if it does not know.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	return commit + dirty
}
