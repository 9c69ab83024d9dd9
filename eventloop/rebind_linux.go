//go:build !plainevio

package eventloop

import (
	"errors"
	"net"
	"syscall"
)

// Rebind makes addrs (in the notation of Config.Addrs) the addresses listened on. What is
// listened on already stays open; connections are not touched. On an error all is as it
// was before, as far as the system gives closed addresses back. Loop goroutine only.
func (l *Loop) Rebind(addrs []string) error {
	want, err := parseAddrs(addrs)
	if err != nil {
		return err
	}
	next := make([]*listener, len(want)) // nil: still to be opened, or passed over
	kept := map[*listener]bool{}
	for i := range want {
		for _, ln := range l.lns {
			if !kept[ln] && ln.addr.String() == want[i].String() && ln.addr.unix == want[i].unix {
				kept[ln], next[i] = true, ln
				break
			}
		}
	}
	var old []*listener
	for _, ln := range l.lns {
		if !kept[ln] {
			old = append(old, ln)
		}
	}
	var fresh []*listener
	open := func() (failed error) {
		for i, a := range want {
			if next[i] != nil {
				continue
			}
			ln, err := listen(&l.cfg, i, a)
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			if ln != nil {
				next[i] = ln
				fresh = append(fresh, ln)
			}
		}
		return failed
	}
	// New before old, so that no client finds the door shut; but a wildcard and an address under
	// it exclude each other, and then old goes first.
	failed := open()
	l.retire(old)
	if failed != nil {
		failed = open()
	}
	if failed != nil {
		for _, ln := range fresh {
			ln.close()
		}
		var back []*listener
		for _, ln := range l.lns {
			if !kept[ln] {
				again, err := listen(&l.cfg, ln.index, ln.bound())
				if err != nil || again == nil {
					failed = errors.Join(failed, err)
					continue
				}
				l.attach(again)
				ln = again
			}
			back = append(back, ln)
		}
		l.lns = back
		l.publish(len(*l.addrs.Load()))
		return failed
	}
	l.lns = l.lns[:0]
	for i, ln := range next {
		if ln == nil {
			continue
		}
		ln.index = i
		l.lns = append(l.lns, ln)
		if !kept[ln] {
			l.attach(ln)
		}
	}
	l.publish(len(want))
	return nil
}

// attach has evio announce ln's connections.
func (l *Loop) attach(ln *listener) {
	ln.ec = l.guts.enter(ln.fd, ln, false)
	if err := l.guts.poll(ln.fd); err != nil {
		l.cfg.Logf("listening on %s: epoll_ctl: %v; trying again at the next tick", ln.addr.String(), err)
		ln.resting = true
	}
}

// retire closes listeners. Connections that wait in their queues are taken still, and opened in the
// next turn: this runs within a callback.
func (l *Loop) retire(lns []*listener) {
	type waiting struct {
		ln *listener
		fd int
		sa syscall.Sockaddr
	}
	var last []waiting
	for _, ln := range lns {
		for len(last) < l.cfg.TCPBacklog {
			fd, sa, err := l.acceptFD(ln.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			if err != nil {
				break
			}
			last = append(last, waiting{ln, fd, sa})
		}
		l.guts.remove(ln.fd)
		ln.close()
	}
	if len(last) > 0 {
		l.Again(func() {
			for _, w := range last {
				l.admit(w.ln, w.fd, w.sa)
			}
		})
	}
}

// bound is the address of ln with the port it got.
func (ln *listener) bound() listenAddr {
	a := ln.addr
	if t, ok := ln.local.(*net.TCPAddr); ok {
		a.tcp = t
	}
	return a
}

// publish lists the listeners' addresses for Addrs; n is the number of those asked for.
func (l *Loop) publish(n int) {
	addrs := make([]net.Addr, n)
	for _, ln := range l.lns {
		addrs[ln.index] = ln.local
	}
	l.addrs.Store(&addrs)
}
