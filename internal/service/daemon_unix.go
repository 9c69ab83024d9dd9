//go:build unix

package service

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// markVariable tells a process that it is the one in the background; its descriptor readyFD leads to the one that waits.
const (
	markVariable = "REDIS_REPLICA_DAEMON"
	readyFD      = 3
	readyWord    = "ready\n"
)

// Background tells whether this process is the one that Detach started.
func Background() bool { return os.Getenv(markVariable) != "" }

// Detach starts this program again in a session of its own, with the same arguments, the given standard input and no other
// terminal, and waits until that process says Started or Failed. The error is what it failed with.
//
// A Go program cannot go on as a fork of itself, its threads would be gone; starting it again comes to the same for who looks
// at it from outside, with one thing gained: the command returns when the server can be reached, or tells why not.
func Detach(stdin []byte) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	defer null.Close()
	in, feed, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	defer feed.Close()
	word, done, err := os.Pipe()
	if err != nil {
		in.Close()
		return fmt.Errorf("daemonize: %w", err)
	}
	defer word.Close()
	p, err := os.StartProcess(exe, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), markVariable+"=1"),
		Files: []*os.File{in, null, null, done},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	in.Close()
	done.Close()
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	go func() {
		_, _ = feed.Write(stdin)
		feed.Close()
	}()
	said, err := io.ReadAll(word)
	switch {
	case err != nil:
		return fmt.Errorf("daemonize: %w", err)
	case string(said) == readyWord:
		return p.Release()
	case len(said) > 0:
		_, _ = p.Wait()
		return errors.New(string(bytes.TrimSuffix(said, []byte("\n"))))
	}
	state, _ := p.Wait()
	return fmt.Errorf("the server ended before it was ready: %v", state)
}

// Started tells the process that waits that the server can be reached. Elsewhere than in the background it does nothing.
func Started() { report(readyWord) }

// Failed tells it why there is no server.
func Failed(err error) { report(err.Error() + "\n") }

func report(word string) {
	if !Background() {
		return
	}
	os.Unsetenv(markVariable)
	f := os.NewFile(readyFD, "ready")
	_, _ = f.WriteString(word)
	f.Close()
}
