//go:build unix

package logging

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSyslog: lines go to both, with the level's severity, as one line each; a logger that was restarted is found again.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func() *net.UnixConn {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sock := listen()
	read := func() string {
		t.Helper()
		buf := make([]byte, 1000)
		sock.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := sock.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	var out strings.Builder
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l, err := New(Options{Output: &out, PID: 7, Now: func() time.Time { return now }, Syslog: &Syslog{Ident: "replica", Facility: 19, Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Hide("secret")
	l.Warningf("one\nline with a secret")
	l.Debugf("details")
	if got, want := read(), `<156>Jan  2 03:04:05 replica[7]: one\nline with a (hidden)`; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := read(), "<159>Jan  2 03:04:05 replica[7]: details"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines in the log itself:\n%s", n, out.String())
	}
	sock.Close()
	l.Noticef("nobody listens")
	if l.Dropped() != 1 {
		t.Errorf("%d lines dropped, want 1", l.Dropped())
	}
	// ListenUnixgram leaves the name behind when it is closed, as a logger that crashed does.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	sock = listen()
	defer sock.Close()
	l.Noticef("back again")
	if got := read(); !strings.HasSuffix(got, "replica[7]: back again") {
		t.Errorf("got %q", got)
	}
}
