//go:build !linux || plainevio

package eventloop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/evio"
)

// The plain backend: evio's portable server (a goroutine reads each connection, one
// goroutine runs the callbacks) for systems that are not the target. It keeps
// the contract of the Handler, not the promises about cost: a peer that does not read holds the
// loop up, a failing accept ends it, paused connections keep their input in memory.

// connSys is the plain part of a Conn.
type connSys struct {
	ec    evio.Conn
	lnidx int
	held  []byte // input that came while paused
}

// loopSys is the plain part of a Loop.
type loopSys struct {
	indexes []int    // of evio's addresses in Config.Addrs
	wakeW   net.Conn // one byte here wakes the loop
	wakeAt  string   // its local address, by which its other end is told
	conns   map[*Conn]struct{}
	max     int
	inData  *Conn  // connection whose Data returns its output itself
	outbuf  []byte // what it returns

	goid      atomic.Uint64
	startOnce sync.Once
	start     chan struct{}
	running   atomic.Bool
	served    chan struct{}
	serveErr  error
}

type mailCtx struct{}

// New binds the addresses and makes a loop that Run will run. A busy or
// impossible address gives a *[ListenError]. A loop that was made must be run or stopped.
func New(cfg Config, h Handler) (*Loop, error) {
	cfg.setDefaults()
	l := &Loop{cfg: cfg, h: h, done: make(chan struct{}), pool: newPool(), chunks: newChunks()}
	l.clock.init()
	l.start, l.served, l.conns = make(chan struct{}), make(chan struct{}), map[*Conn]struct{}{}
	l.max = cfg.MaxConns
	var urls []string
	want, err := parseAddrs(cfg.Addrs)
	if err != nil {
		return nil, err
	}
	for i, a := range want {
		network := "tcp4"
		switch {
		case a.unix:
			network = "unix"
		case a.v6:
			network = "tcp6"
		}
		if a.unix { // evio would remove whatever stands there
			if fi, err := os.Lstat(a.path); err == nil && fi.Mode()&os.ModeSocket == 0 {
				return nil, &ListenError{Addr: a.path, Unix: true, Op: "bind", Err: errors.New("the file exists and is not a socket")}
			}
		} else {
			probe, err := net.Listen(network, a.String())
			if err == nil {
				probe.Close()
			} else if a.optional {
				continue
			} else {
				return nil, &ListenError{Addr: a.String(), Op: "bind", Err: err}
			}
		}
		urls = append(urls, network+"-net://"+a.String())
		l.indexes = append(l.indexes, i)
	}
	serving := make(chan evio.Server, 1)
	go func() {
		l.serveErr = evio.Serve(evio.Events{
			NumLoops: 1,
			Serving: func(s evio.Server) evio.Action {
				serving <- s
				<-l.start
				if !l.running.Load() {
					return evio.Shutdown
				}
				return evio.None
			},
			Opened: l.evioOpened,
			Data:   l.evioData,
			Closed: l.evioClosed,
			Tick:   l.evioTick,
		}, append(urls, "tcp-net://127.0.0.1:0")...)
		if errors.Is(l.serveErr, net.ErrClosed) {
			l.serveErr = nil
		}
		close(l.served)
	}()
	var s evio.Server
	select {
	case s = <-serving:
	case <-l.served:
		return nil, &ListenError{Addr: fmt.Sprint(cfg.Addrs), Op: "listen", Err: l.serveErr}
	}
	addrs := make([]net.Addr, len(cfg.Addrs))
	for i, at := range l.indexes {
		addrs[at] = s.Addrs[i]
		if u, ok := s.Addrs[i].(*net.UnixAddr); ok && cfg.UnixSocketPerm != 0 {
			if err := os.Chmod(u.Name, cfg.UnixSocketPerm.Perm()); err != nil {
				l.Stop()
				<-l.served
				return nil, &ListenError{Addr: u.Name, Unix: true, Op: "chmod", Err: err}
			}
		}
	}
	l.addrs.Store(&addrs)
	if l.wakeW, err = net.Dial("tcp", s.Addrs[len(l.indexes)].String()); err != nil {
		l.Stop()
		<-l.served
		return nil, fmt.Errorf("eventloop: mailbox: %w", err)
	}
	l.wakeAt = l.wakeW.LocalAddr().String()
	l.wake() // for what is posted before the loop runs
	go func() {
		<-l.served
		l.mail.mu.Lock()
		l.mail.closed = true
		l.mail.mu.Unlock()
		l.wakeW.Close()
		close(l.done)
	}()
	return l, nil
}

// MaxConns returns the number of connections that are held at most. Loop goroutine, or before Run.
func (l *Loop) MaxConns() int { return l.max }

// SetMaxConns changes that number and returns it. Loop goroutine, or before Run.
func (l *Loop) SetMaxConns(n int) int {
	l.max = max(1, n)
	return l.max
}

// Run serves until Stop. It may be called once; the callbacks run on another goroutine.
func (l *Loop) Run() error {
	if l.running.Swap(true) {
		return errors.New("eventloop: Run was called twice")
	}
	l.startOnce.Do(func() { close(l.start) })
	<-l.done
	return l.serveErr
}

func (l *Loop) evioOpened(ec evio.Conn) ([]byte, evio.Options, evio.Action) {
	l.goid.Store(goid())
	opts := evio.Options{TCPKeepAlive: l.cfg.TCPKeepAlive}
	if ec.AddrIndex() == len(l.indexes) {
		if ec.RemoteAddr().String() != l.wakeAt {
			return nil, opts, evio.Close
		}
		ec.SetContext(mailCtx{})
		return nil, opts, evio.None
	}
	if l.stats.conns >= l.max {
		l.stats.rejected++
		return l.cfg.RejectReply, opts, evio.Close
	}
	l.nextID++
	c := &Conn{loop: l, id: l.nextID}
	c.ec, c.lnidx = ec, l.indexes[ec.AddrIndex()]
	if _, ok := ec.LocalAddr().(*net.UnixAddr); ok {
		c.flags |= flagUnix
	}
	ec.SetContext(c)
	l.conns[c] = struct{}{}
	l.stats.conns++
	l.stats.accepted++
	l.inData = c
	l.begin(c)
	l.h.Opened(c)
	l.end(c)
	out, action := l.result(c)
	return out, opts, action
}

func (l *Loop) evioData(ec evio.Conn, in []byte) ([]byte, evio.Action) {
	l.goid.Store(goid())
	switch c := ec.Context().(type) {
	case mailCtx:
		if l.onMail() {
			return nil, l.shutdown()
		}
	case *Conn:
		l.inData = c
		switch {
		case len(in) == 0: // our own Wake, for output or the end
		case c.flags&(flagClosing|flagClosed|flagCloseAfter) != 0:
		case c.flags&flagPaused != 0:
			c.held = append(c.held, in...)
		default:
			l.deliver(c, in)
		}
		return l.result(c)
	}
	return nil, evio.None
}

func (l *Loop) deliver(c *Conn, in []byte) {
	l.stats.in += uint64(len(in))
	l.begin(c)
	l.h.Data(c, in)
	l.end(c)
}

// result is what evio is to do for c after a callback. It writes the output before it returns.
func (l *Loop) result(c *Conn) ([]byte, evio.Action) {
	l.inData = nil
	if c.flags&(flagClosing|flagClosed) != 0 {
		return nil, evio.Close
	}
	l.outbuf = l.outbuf[:0]
	if c.pend != nil {
		for p := c.pend.next(); len(p) > 0; p = c.pend.next() {
			l.outbuf = append(l.outbuf, p...)
			c.pend.sent(len(p), nil) // evio holds them
		}
		c.pend = nil
		l.stats.out += uint64(len(l.outbuf))
	}
	if c.flags&flagCloseAfter != 0 {
		return l.outbuf, evio.Close
	}
	out := l.outbuf
	if cap(out) > maxScratch {
		l.outbuf = nil
	}
	return out, evio.None
}

func (l *Loop) evioClosed(ec evio.Conn, err error) evio.Action {
	if c, ok := ec.Context().(*Conn); ok && c.flags&flagClosed == 0 {
		l.enter()
		l.forget(c)
		l.closed(c, err)
		l.leave()
	}
	return evio.None
}

func (l *Loop) evioTick() (time.Duration, evio.Action) {
	l.clock.sync()
	l.enter()
	d := l.h.Tick()
	l.leave()
	l.trimScratch()
	return max(d, minTick), evio.None
}

// flush queues out until evio asks for it.
func (l *Loop) flush(c *Conn, out []byte) int {
	if c.flags&(flagClosing|flagClosed) != 0 {
		return bufferFree
	}
	res := bufferFree
	if len(out) > 0 {
		if c.pend == nil {
			c.pend = new(outQueue)
		}
		if c.pend.add(out, &l.chunks) {
			res = bufferTaken
		}
	}
	if c.flags&flagPaused == 0 && len(c.held) > 0 && c.flags&flagCloseAfter == 0 {
		l.Again(func() { l.deliverHeld(c) })
	}
	if c != l.inData && (c.pend != nil || c.flags&flagCloseAfter != 0) {
		go c.ec.Wake() // it blocks while the loop is busy
	}
	return res
}

// deliverHeld gives a resumed connection the input that it missed.
func (l *Loop) deliverHeld(c *Conn) {
	if in := c.held; len(in) > 0 && c.flags&(flagPaused|flagClosing|flagClosed|flagCloseAfter) == 0 {
		c.held = nil
		l.deliver(c, in)
	}
}

// release has evio close c.
func (l *Loop) release(c *Conn) {
	l.forget(c)
	if c != l.inData {
		go c.ec.Wake()
	}
}

func (l *Loop) forget(c *Conn) {
	delete(l.conns, c)
	l.stats.conns--
	c.held = nil
}

func (l *Loop) shutdown() evio.Action {
	l.enter()
	for c := range l.conns {
		l.fail(c, nil)
	}
	l.leave()
	return evio.Shutdown
}

// wake is called under mail.mu.
func (l *Loop) wake() {
	if l.wakeW != nil {
		l.wakeW.Write([]byte{1})
	}
}

// Rebind is not to be had on this system.
func (l *Loop) Rebind([]string) error {
	return errors.New("the addresses cannot be changed at run time on this system")
}

// ListenerIndex returns the index in Config.Addrs of the address that c came in through.
func (c *Conn) ListenerIndex() int { return c.lnidx }

// Fd returns -1: evio keeps the descriptor to itself here.
func (c *Conn) Fd() int { return -1 }

// RemoteAddr returns the peer's address: "127.0.0.1:1234", "[::1]:1234", or "/path/sock:0" for a unix socket.
func (c *Conn) RemoteAddr() string {
	if c.IsUnix() {
		return c.ec.LocalAddr().String() + ":0"
	}
	return c.ec.RemoteAddr().String()
}

// LocalAddr returns the address listened on, in the same notation.
func (c *Conn) LocalAddr() string {
	if c.IsUnix() {
		return c.ec.LocalAddr().String() + ":0"
	}
	return c.ec.LocalAddr().String()
}

// SetTCPKeepAlive changes Config.TCPKeepAlive for connections accepted from now on. Loop goroutine.
func (l *Loop) SetTCPKeepAlive(d time.Duration) { l.cfg.TCPKeepAlive = d }

// SetKeepAlive does nothing here: connections keep Config.TCPKeepAlive.
func (c *Conn) SetKeepAlive(time.Duration) error { return nil }

// SetNoDelay does nothing here: Go's net package turned Nagle's algorithm off.
func (c *Conn) SetNoDelay(bool) error { return nil }

// Adopt is for Linux; here it refuses.
func (l *Loop) Adopt(fd int, _, _ netip.AddrPort, _ func()) bool {
	os.NewFile(uintptr(fd), "adopted").Close()
	return false
}
