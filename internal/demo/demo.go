package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

// defaultPort is the replica's port when the command line names none.
const defaultPort = 6380

// Run starts the master and the replica, writes to out what can be typed now, and serves until ctx is done or one of the two
// has ended (SHUTDOWN); then it ends both. args is the replica's command line, in the form that the program takes. Both servers
// keep their files in a temporary folder that is gone afterwards, unless args says otherwise. The error is nil after an orderly
// end.
func Run(ctx context.Context, args []string, env config.Environment, out io.Writer) error {
	dir, err := os.MkdirTemp("", "replica-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	// The file, where there is one, stays in front; what the user says comes last and wins.
	file := []string{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file, args = args[:1], args[1:]
	}
	own := []string{"--port", strconv.Itoa(defaultPort), "--save", "", "--dir", dir}
	line := append(append(append([]string{}, file...), own...), args...)
	conf := config.New()
	if err := conf.LoadArgs(line, env); err != nil {
		return err
	}
	if conf.Values.MasterHost != "" {
		return errors.New("the demonstration brings its own master: start the program without --demo to follow another")
	}

	master, port, err := startMaster(conf.Values, dir)
	if err != nil {
		return fmt.Errorf("starting the master: %w", err)
	}
	defer master.stop()
	shop := newWorkload(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	defer shop.stop()
	if err := shop.open(); err != nil {
		return fmt.Errorf("filling the master: %w", err)
	}

	conf.Values.MasterHost, conf.Values.MasterPort = "127.0.0.1", port
	replica, err := start(conf)
	if err != nil {
		return fmt.Errorf("starting the replica: %w", err)
	}
	defer replica.stop()
	guide := guideText(conf.Values, port)
	shop.start(func() { fmt.Fprint(out, guide) })

	select {
	case <-ctx.Done():
		shop.stop()
		fmt.Fprintln(out, "\nEnding the replica and the master.")
		return errors.Join(replica.stop(), master.stop())
	case <-replica.done:
		return replica.stop()
	case <-master.done:
		return master.stop()
	}
}

// startMaster starts a writable server on a port of its own: the one after the replica's if it is free.
func startMaster(replica *config.Values, dir string) (*server, int, error) {
	sub := filepath.Join(dir, "master")
	if err := os.Mkdir(sub, 0o700); err != nil {
		return nil, 0, err
	}
	var last error
	for attempt := range 5 {
		port := 0
		if attempt == 0 && replica.Port > 0 && replica.Port < 65535 {
			port = replica.Port + 1
		}
		port, err := freePort(port)
		if err != nil {
			last = err
			continue
		}
		conf := config.New()
		err = conf.LoadArgs([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", sub,
			"--databases", strconv.Itoa(replica.Databases), "--loglevel", "warning",
			"--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0",
		}, config.Environment{})
		if err != nil {
			return nil, 0, err
		}
		s, err := start(conf)
		if err == nil {
			return s, port, nil
		}
		last = err // somebody else took the port since we looked
	}
	return nil, 0, last
}

// freePort looks whether a port of the loopback interface is free; 0 asks the system for one.
func freePort(port int) (int, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// A server is one Replica and the goroutine that runs it.
type server struct {
	r    *redisreplica.Replica
	done chan struct{}
	err  error // after done
}

func start(conf *config.Registry) (*server, error) {
	r, err := redisreplica.Open(conf)
	if err != nil {
		return nil, err
	}
	s := &server{r: r, done: make(chan struct{})}
	go func() {
		s.err = r.Run()
		close(s.done)
	}()
	return s, nil
}

// stop ends the server, waits for its end and tells how it went; it may be called again.
func (s *server) stop() error {
	s.r.Stop()
	<-s.done
	return s.err
}

// guideText is what the user may type now.
func guideText(replica *config.Values, master int) string {
	reach := " -p " + strconv.Itoa(replica.Port)
	if replica.Port == 0 {
		reach = " -s " + replica.Path(replica.UnixSocket)
	}
	if replica.RequirePass != "" {
		reach += " -a …"
	}
	cli := "redis-cli" + reach
	lines := []struct{ command, remark string }{
		{cli + " info replication", "the link, offsets, lag"},
		{cli + " get clock", "again in a second: it has moved on"},
		{cli + " --scan --pattern 'session:*'", "keys that expire, and new ones"},
		{cli + " zrange leaderboard 0 4 rev withscores", ""},
		{cli + " xrevrange events + - count 3", ""},
		{cli + " subscribe news", "published on the master"},
		{cli + " set greeting hello", "refused: it is a replica"},
		{fmt.Sprintf("redis-cli -p %d set greeting hello", master), "so write to the master,"},
		{cli + " get greeting", "and read it here"},
		{cli + " replicaof no one", "promoted: it takes writes now"},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nA master with a live workload listens on port %d, and a replica that follows it on port %d.\n", master, replica.Port)
	fmt.Fprintf(&b, "In another terminal:\n\n")
	for _, l := range lines {
		if l.remark != "" {
			l.remark = "# " + l.remark
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-58s %s", l.command, l.remark), " ") + "\n")
	}
	if _, err := exec.LookPath("redis-cli"); err != nil && replica.Port != 0 {
		fmt.Fprintf(&b, "\nWithout redis-cli:  printf 'GET clock\\r\\nQUIT\\r\\n' | nc 127.0.0.1 %d\n", replica.Port)
	}
	fmt.Fprintf(&b, "\nCtrl-C ends both.\n\n")
	return b.String()
}
