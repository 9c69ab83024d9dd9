package testutil

import (
	"bytes"
	"errors"
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/testport"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// StartTimeout is how long a server may take until it answers its first PING.
const StartTimeout = 20 * time.Second

// ShownLog is how many bytes of a server's log a failed test shows.
var ShownLog = 2500

// A Server is a running process that speaks RESP on 127.0.0.1. Its methods may be called from any goroutine.
type Server struct {
	Name string // "redis" or "ours"
	Port int
	Dir  string // its working folder: dump, log
	Path string // the binary
	Args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
}

// Common arguments of both servers: nothing is saved, nothing is daemonized, DEBUG answers.
func baseArgs(port int, dir string) []string {
	return []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--save", "", "--appendonly", "no", "--enable-debug-command", "yes",
		"--repl-diskless-sync-delay", "0", "--loglevel", "notice",
	}
}

// StartRedis runs a redis-server until the test ends; args are further directives ("--requirepass", "x").
// The log is shown when the test failed.
func StartRedis(tb testing.TB, args ...string) *Server { return start(tb, "redis", RedisBinary, args) }

// StartOurs runs our server until the test ends.
func StartOurs(tb testing.TB, args ...string) *Server { return start(tb, "ours", OursBinary, args) }

func start(tb testing.TB, name string, binary func() (string, error), args []string) *Server {
	tb.Helper()
	p, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := NewServer(name, p, args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s (port %d):\n%s", s.Name, s.Port, s.LogTail(ShownLog))
		}
		s.Close()
	})
	return s
}

// NewServer starts the binary on a free port in a new temporary folder and waits until it answers. Close ends it.
func NewServer(name, binary string, args ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "replica-"+name+"-")
	if err != nil {
		return nil, err
	}
	// Another process may take a free port between our look and the server's bind: try a few.
	for attempt := 0; ; attempt++ {
		port, err := FreePort()
		if err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
		s := &Server{Name: name, Port: port, Dir: dir, Path: binary, Args: args}
		if err = s.Start(); err == nil {
			return s, nil
		}
		log := s.LogTail(4000)
		s.Kill()
		if attempt < 3 && bytes.Contains([]byte(log), []byte("in use")) {
			continue
		}
		os.RemoveAll(dir)
		return nil, fmt.Errorf("%w\nits log:\n%s", err, log)
	}
}

// Start runs the process (again, after Stop or Kill: same port, same folder) and waits for its first answer.
func (s *Server) Start(more ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return fmt.Errorf("%s on port %d runs already", s.Name, s.Port)
	}
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	args := append(baseArgs(s.Port, s.Dir), s.Args...)
	cmd := exec.Command(s.Path, append(args, more...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, logFile, logFile
	cmd.SysProcAttr = DieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	s.cmd, s.done = cmd, done

	deadline := time.Now().Add(StartTimeout)
	for {
		select {
		case <-done:
			s.cmd = nil
			return fmt.Errorf("%s %v: exited at start: %v", s.Path, cmd.Args[1:], cmd.ProcessState)
		default:
		}
		if err = answers(s.Addr()); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s on port %d gave no answer in %v: %w", s.Path, s.Port, StartTimeout, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// answers sends a PING; any reply line will do (a server with a password answers -NOAUTH, one that loads -LOADING).
func answers(addr string) error {
	c, err := Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetTimeout(time.Second)
	_, err = c.Do("PING")
	return err
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// PID is the process id, 0 when it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Running says whether the process lives.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Stop sends SIGTERM and waits for the end, 10 s at most, and tells how it went.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Kill sends SIGKILL and waits for the end.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return nil
	}
	cmd, done := s.cmd, s.done
	s.cmd = nil
	resume(cmd.Process)
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		cmd.Process.Kill()
		<-done
		return fmt.Errorf("%s did not end 10 s after %v", s.Name, sig)
	}
	if code := cmd.ProcessState.ExitCode(); sig == syscall.SIGTERM && code != 0 {
		return fmt.Errorf("%s ended with %v after %v", s.Name, cmd.ProcessState, sig)
	}
	return nil
}

// Suspend stops the process where it stands (SIGSTOP); Resume lets it go on.
func (s *Server) Suspend() error { return s.signal(suspend) }

// Resume undoes Suspend.
func (s *Server) Resume() error { return s.signal(resume) }

func (s *Server) signal(send func(*os.Process) error) error {
	p, err := os.FindProcess(s.PID())
	if err != nil {
		return err
	}
	return send(p)
}

// Close kills the process and removes its folder.
func (s *Server) Close() {
	s.Kill()
	os.RemoveAll(s.Dir)
}

func (s *Server) logPath() string { return filepath.Join(s.Dir, "server.log") }

// Log is all that the server wrote.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.logPath())
	return string(b)
}

// LogTail is at most the last n bytes of the log.
func (s *Server) LogTail(n int) string {
	l := s.Log()
	return l[max(0, len(l)-n):]
}

// Dial opens a connection that the test's end closes.
func (s *Server) Dial(tb testing.TB) *Conn {
	tb.Helper()
	c, err := Dial(s.Addr())
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// FreePort returns a TCP port on 127.0.0.1 that nobody listens on and that no other test gets.
func FreePort() (int, error) { return testport.Free() }
