// Package service is the server's side of what starts and watches it: readiness notification to systemd, and running in
// the background (daemonize).
package service

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// Notifier tells a service manager how the service is, by the protocol of systemd's sd_notify: datagrams of VARIABLE=value lines
// to the socket that NOTIFY_SOCKET names. A nil Notifier tells nobody. Any goroutine may call its methods; they never
// block for long and never fail: a manager that is gone is no reason to stop serving.
type Notifier struct {
	addr     net.UnixAddr
	watchdog time.Duration
}

// FromEnvironment is the notifier that the environment asks for, nil for none.
func FromEnvironment(getenv func(string) string) *Notifier {
	path := getenv("NOTIFY_SOCKET")
	if path == "" || path[0] != '/' && path[0] != '@' {
		return nil
	}
	n := &Notifier{addr: net.UnixAddr{Name: path, Net: "unixgram"}} // a leading @ is the abstract namespace
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 63); err == nil && us > 0 {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// Watchdog is the time after which the manager restarts a service that has not said Alive, 0 for never.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Ready tells that the service can be used.
func (n *Notifier) Ready(status string) { n.send("READY=1\nSTATUS=" + oneLine(status)) }

// Status tells what the service does, for people.
func (n *Notifier) Status(status string) { n.send("STATUS=" + oneLine(status)) }

// Stopping tells that the service ends.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Alive feeds the watchdog.
func (n *Notifier) Alive() { n.send("WATCHDOG=1") }

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

func (n *Notifier) send(message string) {
	if n == nil {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &n.addr)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
	_, _ = c.Write([]byte(message + "\n"))
}
