//go:build !plainevio

package eventloop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// listener is one listening socket.
type listener struct {
	fd    int
	index int // in Config.Addrs
	addr  listenAddr
	local net.Addr
	// The socket file is removed at the end only if it still is this one.
	dev, ino uint64
	ec       unsafe.Pointer // in evio's table
	resting  bool           // not polled: accept failed, and waiting is all that helps
	closed   func()         // of an adopted connection, which is its own listener
}

// listen binds one address. It returns nil when an optional address is not to be had.
func listen(cfg *Config, index int, a listenAddr) (*listener, error) {
	fail := func(op string, err error) (*listener, error) {
		return nil, &ListenError{Addr: a.String(), Unix: a.unix, Op: op, Err: err}
	}
	domain := syscall.AF_INET
	switch {
	case a.unix:
		domain = syscall.AF_UNIX
	case a.v6:
		domain = syscall.AF_INET6
	}
	fd, err := syscall.Socket(domain, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		if a.optional && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)) {
			return nil, nil
		}
		return fail("socket", err)
	}
	ln := &listener{fd: fd, index: index, addr: a}
	done := false
	defer func() {
		if !done {
			syscall.Close(fd)
		}
	}()
	var sa syscall.Sockaddr
	if a.unix {
		if err := removeStaleSocket(a.path); err != nil {
			return fail("bind", err)
		}
		sa = &syscall.SockaddrUnix{Name: a.path}
	} else {
		// Accepted sockets inherit these from the listening one, which spares
		// a call for each connection.
		opts := []struct{ level, name, value int }{
			{syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1},
			{syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
		}
		if a.v6 {
			opts = append(opts, struct{ level, name, value int }{syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1})
		}
		for _, o := range opts {
			if err := syscall.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
				return fail("setsockopt", err)
			}
		}
		if err := setKeepAlive(fd, cfg.TCPKeepAlive); err != nil {
			return fail("setsockopt", err)
		}
		sa = sockaddr(a)
	}
	if err := syscall.Bind(fd, sa); err != nil {
		if a.optional && errors.Is(err, syscall.EADDRNOTAVAIL) {
			return nil, nil
		}
		return fail("bind", err)
	}
	if a.unix {
		var st syscall.Stat_t
		if err := syscall.Stat(a.path, &st); err != nil {
			return fail("stat", err)
		}
		ln.dev, ln.ino = uint64(st.Dev), st.Ino
		if cfg.UnixSocketPerm != 0 {
			if err := syscall.Chmod(a.path, uint32(cfg.UnixSocketPerm.Perm())); err != nil {
				ln.unlink()
				return fail("chmod", err)
			}
		}
	}
	if err := syscall.Listen(fd, cfg.TCPBacklog); err != nil {
		ln.unlink()
		return fail("listen", err)
	}
	if a.unix {
		ln.local = &net.UnixAddr{Name: a.path, Net: "unix"}
	} else {
		got, err := syscall.Getsockname(fd)
		if err != nil {
			return fail("getsockname", err)
		}
		t := *a.tcp
		switch got := got.(type) {
		case *syscall.SockaddrInet4:
			t.IP, t.Port = append(net.IP(nil), got.Addr[:]...), got.Port
		case *syscall.SockaddrInet6:
			t.IP, t.Port = append(net.IP(nil), got.Addr[:]...), got.Port
		}
		ln.local = &t
	}
	done = true
	return ln, nil
}

func sockaddr(a listenAddr) syscall.Sockaddr {
	if !a.v6 {
		sa := &syscall.SockaddrInet4{Port: a.tcp.Port}
		copy(sa.Addr[:], a.tcp.IP.To4())
		return sa
	}
	sa := &syscall.SockaddrInet6{Port: a.tcp.Port}
	copy(sa.Addr[:], a.tcp.IP.To16())
	if a.tcp.Zone != "" {
		if ifi, err := net.InterfaceByName(a.tcp.Zone); err == nil {
			sa.ZoneId = uint32(ifi.Index)
		}
	}
	return sa
}

// removeStaleSocket clears the way for a unix socket: a socket file that nobody
// listens on is what a crash leaves behind. Anything else is not ours to remove.
func removeStaleSocket(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("the file exists and is not a socket: %w", syscall.EADDRINUSE)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
	syscall.Close(fd)
	if err == nil || errors.Is(err, syscall.EAGAIN) { // EAGAIN: its backlog is full, so it lives
		return syscall.EADDRINUSE
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// unlink removes the socket file, if it is still the one that listen made.
func (ln *listener) unlink() {
	if !ln.addr.unix {
		return
	}
	var st syscall.Stat_t
	if syscall.Lstat(ln.addr.path, &st) == nil && uint64(st.Dev) == ln.dev && st.Ino == ln.ino {
		syscall.Unlink(ln.addr.path)
	}
}

func (ln *listener) close() {
	syscall.Close(ln.fd)
	ln.fd = -1
	ln.unlink()
}

// setKeepAlive has an idle TCP connection probed after d, three times, a third of d
// apart (Redis's choice); 0 turns probing off.
func setKeepAlive(fd int, d time.Duration) error {
	if d <= 0 {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0)
	}
	secs := max(1, int(d/time.Second))
	for _, o := range []struct{ level, name, value int }{
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, secs},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, max(1, secs/3)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3},
	} {
		if err := syscall.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}

// fitLimit raises the limit on open files to hold want connections and the
// reserve, and returns how many connections fit. inUse descriptors are open already.
func fitLimit(want, reserve, inUse int, logf func(string, ...any)) int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		logf("the limit on open files is unknown (%v): assuming 1024", err)
		lim.Cur = 1024
	}
	need := uint64(want + reserve + inUse)
	if lim.Cur < need {
		old := lim.Cur
		raised := syscall.Rlimit{Cur: need, Max: max(lim.Max, need)}
		err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised)
		if err != nil { // beyond the hard limit needs a privilege
			raised = syscall.Rlimit{Cur: min(need, lim.Max), Max: lim.Max}
			err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised)
		}
		if err == nil {
			lim = raised
		}
		if lim.Cur > old {
			logf("raised the limit on open files from %d to %d", old, lim.Cur)
		}
	}
	if lim.Cur >= need {
		return want
	}
	fit := max(1, int(lim.Cur)-reserve-inUse)
	logf("the most connections held is lowered from %d to %d: the limit on open files is %d, of which %d are in use and %d kept in reserve; raise it (ulimit -n) for more",
		want, fit, lim.Cur, inUse, reserve)
	return fit
}

// openFDs counts the process's descriptors.
func openFDs() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 16
	}
	return len(names)
}
