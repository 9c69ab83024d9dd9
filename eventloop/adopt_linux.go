//go:build !plainevio

package eventloop

import (
	"net"
	"net/netip"
	"syscall"
)

// Adopt makes a connected stream socket a connection of the loop, which owns fd from
// then on. It is the way in for connections that somebody else terminates, TLS for one: the other end of a
// socket pair. remote and local are the addresses that c.RemoteAddr and c.LocalAddr report. closed, which may be nil, runs on
// the loop when the connection's descriptor is closed; it must not block. Opened is called in a later turn; the limit on
// connections holds as for others. Any goroutine may call it; false if the loop takes nothing any more, fd being
// closed then and closed not called.
func (l *Loop) Adopt(fd int, remote, local netip.AddrPort, closed func()) bool {
	ok := l.Post(func() {
		l.Again(func() {
			ln := &listener{fd: -1, index: -1, local: net.TCPAddrFromAddrPort(local), closed: closed}
			before := l.stats.rejected
			l.admit(ln, fd, sockaddrOf(remote))
			if l.stats.rejected != before && closed != nil {
				closed()
			}
		})
	})
	if !ok {
		syscall.Close(fd)
	}
	return ok
}

func sockaddrOf(a netip.AddrPort) syscall.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &syscall.SockaddrInet4{Addr: ip.As4(), Port: int(a.Port())}
	}
	return &syscall.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// adopted tells whether c came in by Adopt.
func (c *Conn) adopted() bool { return c.ln.index < 0 }
