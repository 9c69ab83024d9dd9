package eventloop

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// ListenError says which address could not be listened on, and why.
type ListenError struct {
	Addr string // as a user would write it: 127.0.0.1:6379, [::1]:6379, /path/sock
	Unix bool
	Op   string // the call that failed: socket, bind, listen, …
	Err  error
}

func (e *ListenError) Error() string {
	kind := "TCP"
	if e.Unix {
		kind = "Unix"
	}
	return fmt.Sprintf("could not create server %s listening socket %s: %s: %s", kind, e.Addr, e.Op, strerror(e.Err))
}

// Unwrap returns the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// strerror words an error as C programs do, with a capital.
func strerror(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		err = no
	}
	s := err.Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// listenAddr is one parsed entry of Config.Addrs.
type listenAddr struct {
	optional bool
	unix     bool
	path     string // unix
	tcp      *net.TCPAddr
	v6       bool
}

func (a *listenAddr) String() string {
	if a.unix {
		return a.path
	}
	host := ""
	switch {
	case len(a.tcp.IP) > 0:
		host = a.tcp.IP.String()
	case a.v6:
		host = "::"
	default:
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, strconv.Itoa(a.tcp.Port))
}

func parseAddr(s string) (a listenAddr, err error) {
	rest, optional := strings.CutPrefix(s, "-")
	a.optional = optional
	if path, ok := strings.CutPrefix(rest, "unix://"); ok {
		if path == "" {
			return a, fmt.Errorf("listen address %q: the path is empty", s)
		}
		a.unix, a.path = true, path
		return a, nil
	}
	hostport, ok := strings.CutPrefix(rest, "tcp://")
	if !ok {
		return a, fmt.Errorf("listen address %q: neither tcp:// nor unix://", s)
	}
	if a.tcp, err = net.ResolveTCPAddr("tcp", hostport); err != nil {
		return a, fmt.Errorf("listen address %q: %w", s, err)
	}
	if a.tcp.IP != nil {
		a.v6 = a.tcp.IP.To4() == nil
	}
	return a, nil
}

func parseAddrs(addrs []string) (out []listenAddr, err error) {
	for _, s := range addrs {
		a, err := parseAddr(s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
