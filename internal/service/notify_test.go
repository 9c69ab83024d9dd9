//go:build unix

package service

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestNotifier(t *testing.T) {
	for _, env := range []map[string]string{{}, {"NOTIFY_SOCKET": "relative"}} {
		if n := FromEnvironment(func(k string) string { return env[k] }); n != nil {
			t.Errorf("%v: a notifier", env)
		}
	}
	var none *Notifier
	none.Ready("x") // tells nobody
	if none.Watchdog() != 0 {
		t.Error("a watchdog of nobody")
	}
	path := filepath.Join(t.TempDir(), "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2500000"}
	n := FromEnvironment(func(k string) string { return env[k] })
	if n.Watchdog() != 2500*time.Millisecond {
		t.Errorf("watchdog %v", n.Watchdog())
	}
	n.Ready("all\nwell")
	n.Status("busy")
	n.Alive()
	n.Stopping()
	for _, want := range []string{"READY=1\nSTATUS=all well\n", "STATUS=busy\n", "WATCHDOG=1\n", "STOPPING=1\n"} {
		buf := make([]byte, 200)
		sock.SetReadDeadline(time.Now().Add(10 * time.Second))
		k, err := sock.Read(buf)
		if err != nil || string(buf[:k]) != want {
			t.Errorf("got %q, %v, want %q", buf[:k], err, want)
		}
	}
	sock.Close()
	n.Status("nobody listens") // neither blocks nor fails
}
