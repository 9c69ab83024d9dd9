//go:build !plainevio

package eventloop

import (
	"syscall"
)

// The nested epoll set serves the connections that evio must not: those with
// output that waits, those that are not to be read, those whose input has ended.

const flagNotReading = flagCloseAfter | flagEOF | flagPaused | flagThrottled

// settle puts c where its state says it is to be polled.
func (l *Loop) settle(c *Conn) {
	if c.flags&(flagClosing|flagClosed) != 0 {
		return
	}
	if c.pend != nil {
		if lim := l.cfg.PauseReadAbove; lim > 0 {
			if c.pend.size > lim {
				c.flags |= flagThrottled
			} else if c.pend.size < lim/2 {
				c.flags &^= flagThrottled
			}
		}
	} else {
		c.flags &^= flagThrottled
		if c.flags&(flagCloseAfter|flagEOF) != 0 {
			l.fail(c, nil)
			return
		}
	}
	if c.pend == nil && c.flags&flagNotReading == 0 {
		if c.home == homeEvio {
			return
		}
		l.leaveSide(c)
		if err := l.guts.poll(int(c.fd)); err != nil {
			l.fail(c, err)
			return
		}
		c.home = homeEvio
		return
	}
	want := uint32(0)
	if c.pend != nil {
		want |= syscall.EPOLLOUT
	}
	if c.flags&flagNotReading == 0 {
		want |= syscall.EPOLLIN
	}
	l.enterSide(c, want)
}

// enterSide moves c to the nested set, or changes what is asked of it there.
func (l *Loop) enterSide(c *Conn, want uint32) {
	op := syscall.EPOLL_CTL_MOD
	if c.home != homeSide {
		if c.home == homeEvio {
			if err := l.guts.unpoll(int(c.fd)); err != nil {
				l.fail(c, err)
				return
			}
		}
		op = syscall.EPOLL_CTL_ADD
	} else if c.side == want {
		return
	}
	ev := syscall.EpollEvent{Events: want, Fd: c.fd, Pad: int32(c.id)}
	if err := syscall.EpollCtl(l.sidefd, op, int(c.fd), &ev); err != nil {
		c.home = homeNone
		l.fail(c, err)
		return
	}
	c.home, c.side = homeSide, want
}

// leaveSide takes c out of the nested set.
func (l *Loop) leaveSide(c *Conn) {
	if c.home == homeSide {
		syscall.EpollCtl(l.sidefd, syscall.EPOLL_CTL_DEL, int(c.fd), &syscall.EpollEvent{})
		c.home = homeNone
	}
}

// onSide serves what is ready in the nested set.
func (l *Loop) onSide() {
	n, err := syscall.EpollWait(l.sidefd, l.events, 0)
	if err != nil {
		return // EINTR: it is still ready, and told again
	}
	for i := range n {
		ev := &l.events[i]
		c := l.conns[ev.Fd]
		// A connection closed earlier in this batch may have left its number to another.
		if c == nil || int32(c.id) != ev.Pad || c.home != homeSide {
			continue
		}
		l.sideEvent(c, ev.Events)
	}
}

const epollFailed = syscall.EPOLLERR | syscall.EPOLLHUP

func (l *Loop) sideEvent(c *Conn, events uint32) {
	l.enter()
	if c.pend != nil && events&(syscall.EPOLLOUT|epollFailed) != 0 {
		l.drain(c)
		l.settle(c)
	}
	if c.IsClosed() || c.flags&flagNotReading != 0 {
		if !c.IsClosed() && c.pend == nil && events&epollFailed != 0 {
			l.hungUp(c)
		}
		l.leave()
		return
	}
	if events&(syscall.EPOLLIN|epollFailed) == 0 {
		l.leave()
		return
	}
	in := l.sidePacket()
	n, err := syscall.Read(int(c.fd), in)
	switch {
	case n > 0:
		l.stats.in += uint64(n)
		l.begin(c)
		l.h.Data(c, in[:n])
		l.end(c)
		return
	case err == syscall.EAGAIN || err == syscall.EINTR:
	case err != nil:
		l.fail(c, err)
	default: // the peer has said all; what it asked for is still to be sent
		c.flags |= flagEOF
		l.settle(c)
	}
	l.leave()
}

// hungUp handles the end of a connection that is not being read.
func (l *Loop) hungUp(c *Conn) {
	if no, err := syscall.GetsockoptInt(int(c.fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err == nil && no != 0 {
		l.fail(c, syscall.Errno(no))
		return
	}
	// Both sides are shut in order. What was sent before may be waiting to be read: out of
	// every set, so as not to spin, until ResumeRead.
	l.leaveSide(c)
}

// drain sends queued output, as much as one turn may.
func (l *Loop) drain(c *Conn) {
	for sent := 0; sent < drainMax; {
		p := c.pend.next()
		if len(p) == 0 {
			c.pend = nil
			return
		}
		n, err := l.write(c, p[:min(len(p), drainMax-sent)])
		if err != 0 {
			l.fail(c, err)
			return
		}
		if n == 0 {
			return
		}
		c.pend.sent(n, &l.chunks)
		sent += n
	}
	if c.pend.size == 0 {
		c.pend = nil
	}
}

func (l *Loop) sidePacket() []byte {
	if l.packet == nil {
		l.packet = make([]byte, 0xFFFF)
	}
	return l.packet
}
