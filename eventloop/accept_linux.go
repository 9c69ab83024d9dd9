//go:build !plainevio

package eventloop

import (
	"syscall"
)

// acceptMax bounds the connections accepted in one turn.
const acceptMax = 64

// accept takes waiting connections of ln. No error of accept is an end: those of a
// connection that went away are passed over, and want of descriptors is met with the spare one.
func (l *Loop) accept(ln *listener) {
	for i := 0; i < acceptMax && ln.fd >= 0; i++ { // Opened may close listeners
		fd, sa, err := l.acceptFD(ln.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err == nil {
			l.admit(ln, fd, sa)
			continue
		}
		switch err {
		case syscall.EAGAIN:
			return
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			if l.shed(ln, err) {
				continue
			}
			return
		case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EFAULT, syscall.EOPNOTSUPP:
			// Impossible for a listening socket; polling it again would spin.
			l.cfg.Logf("accepting on %s: %v; waiting until the next tick", ln.addr.String(), err)
			l.rest(ln)
			return
		default: // EINTR, ECONNABORTED, EPROTO, EPERM and the network's own errors: the next one may be good
		}
	}
}

// shed refuses one connection for want of descriptors: the spare one is given up, so that the
// connection can be accepted and closed instead of being announced for ever.
func (l *Loop) shed(ln *listener, cause error) bool {
	l.stats.rejected++
	if l.spare >= 0 {
		syscall.Close(l.spare)
		l.spare = -1
		fd, _, err := l.acceptFD(ln.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err == nil {
			l.refuse(fd)
		}
		l.restore()
		if err == nil && l.spare >= 0 {
			l.complain(cause)
			return true
		}
	}
	l.complain(cause)
	l.rest(ln)
	return false
}

// complain logs want of descriptors, once a second at most.
func (l *Loop) complain(cause error) {
	if l.clock.read(); l.clock.now >= l.nextComplaint {
		l.nextComplaint = l.clock.now + 1e9
		l.cfg.Logf("refusing connections: %v (%d are open)", cause, l.stats.conns)
	}
}

// rest stops polling ln until the next tick.
func (l *Loop) rest(ln *listener) {
	if l.guts.unpoll(ln.fd) == nil {
		ln.resting = true
	}
}

// openSpare takes the descriptor that shed may give up.
func (l *Loop) openSpare() error {
	fd, err := eventfd()
	if err != nil {
		return err
	}
	l.spare = fd
	return nil
}

// restore takes the spare descriptor again, if it is to be had.
func (l *Loop) restore() {
	if l.spare < 0 {
		l.openSpare() // else again at the next tick
	}
}

// refuse closes a connection that there is no room for, after a word on why.
func (l *Loop) refuse(fd int) {
	if len(l.cfg.RejectReply) > 0 {
		send(fd, l.cfg.RejectReply)
	}
	syscall.Close(fd)
}

// admit makes fd a connection.
func (l *Loop) admit(ln *listener, fd int, sa syscall.Sockaddr) {
	if l.stats.conns >= l.max {
		l.stats.rejected++
		l.refuse(fd)
		return
	}
	if fd == 0 {
		// evio takes descriptor 0 for none; it is free when standard input was closed.
		up, err := dupAbove(fd)
		syscall.Close(fd)
		if err != nil {
			l.stats.rejected++
			return
		}
		fd = up
	}
	l.nextID++
	c := &Conn{loop: l, id: l.nextID}
	c.ln, c.fd = ln, int32(fd)
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		copy(c.ip[:], sa.Addr[:])
		c.port = uint16(sa.Port)
	case *syscall.SockaddrInet6:
		c.flags |= flagV6
		c.ip = sa.Addr
		c.port = uint16(sa.Port)
	default:
		c.flags |= flagUnix
	}
	if err := l.guts.poll(fd); err != nil {
		l.stats.rejected++
		l.cfg.Logf("refusing a connection: epoll_ctl: %v", err)
		l.refuse(fd)
		return
	}
	l.guts.enter(fd, c, true)
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	c.home = homeEvio
	l.stats.conns++
	l.stats.accepted++
	l.begin(c)
	l.h.Opened(c)
	l.end(c)
}
