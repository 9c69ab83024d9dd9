//go:build !plainevio

package eventloop

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ListenerIndex returns the index of the address that c came in through, in Config.Addrs or in what
// Rebind was given last; that of a closed listener is what it was, and -1 that of an adopted connection.
func (c *Conn) ListenerIndex() int { return c.ln.index }

// Fd returns the descriptor, which stays the loop's: never close it.
func (c *Conn) Fd() int { return int(c.fd) }

// RemoteAddr returns the peer's address in Redis's notation: "127.0.0.1:1234", "[::1]:1234", and the
// socket's own path with port 0, "/path/sock:0", for a unix socket.
func (c *Conn) RemoteAddr() string {
	switch {
	case c.flags&flagUnix != 0:
		return c.unixAddr()
	case c.flags&flagV6 != 0:
		return formatHostPort(netip.AddrFrom16(c.ip).String(), int(c.port))
	}
	return formatHostPort(netip.AddrFrom4([4]byte(c.ip[:4])).String(), int(c.port))
}

// LocalAddr returns the address that the peer connected to, in the same notation. It asks the system.
func (c *Conn) LocalAddr() string {
	if c.flags&flagUnix != 0 {
		return c.unixAddr()
	}
	if c.adopted() {
		a := c.ln.local.(*net.TCPAddr).AddrPort()
		return formatHostPort(a.Addr().Unmap().String(), int(a.Port()))
	}
	if c.flags&flagClosed != 0 {
		return "?:0"
	}
	sa, err := syscall.Getsockname(int(c.fd))
	if err != nil {
		return "?:0"
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return formatHostPort(netip.AddrFrom4(sa.Addr).String(), sa.Port)
	case *syscall.SockaddrInet6:
		return formatHostPort(netip.AddrFrom16(sa.Addr).String(), sa.Port)
	}
	return "?:0"
}

func (c *Conn) unixAddr() string {
	return c.ln.addr.path + ":0"
}

// SetKeepAlive has the idle connection probed after d (3 probes, a third of d apart); 0 turns
// probing off. Accepted connections start with Config.TCPKeepAlive. Unix sockets have none.
func (c *Conn) SetKeepAlive(d time.Duration) error {
	if c.IsUnix() || c.adopted() || c.IsClosed() {
		return nil
	}
	return setKeepAlive(int(c.fd), d)
}

// SetTCPKeepAlive changes Config.TCPKeepAlive for connections accepted from now on. Loop goroutine.
func (l *Loop) SetTCPKeepAlive(d time.Duration) {
	l.cfg.TCPKeepAlive = d
	for _, ln := range l.lns {
		if ln.fd >= 0 && !ln.addr.unix { // accepted sockets inherit it
			if err := setKeepAlive(ln.fd, d); err != nil {
				l.cfg.Logf("keepalive of %s: %v", ln.addr.String(), err)
			}
		}
	}
}

// SetNoDelay turns Nagle's algorithm off, as it is from the start, or on.
func (c *Conn) SetNoDelay(on bool) error {
	if c.IsUnix() || c.adopted() || c.IsClosed() {
		return nil
	}
	v := 0
	if on {
		v = 1
	}
	return syscall.SetsockoptInt(int(c.fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, v)
}

// formatHostPort formats an address in Redis's way.
func formatHostPort(ip string, port int) string {
	if strings.IndexByte(ip, ':') >= 0 {
		return "[" + ip + "]:" + strconv.Itoa(port)
	}
	return ip + ":" + strconv.Itoa(port)
}
