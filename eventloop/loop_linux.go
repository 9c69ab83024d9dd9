//go:build !plainevio

package eventloop

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/tidwall/evio"
)

// Where a connection is polled.
const (
	homeNone = iota
	homeEvio // input, read by evio
	homeSide // in the nested set: side.go
)

// connSys is the Linux part of a Conn.
type connSys struct {
	ln   *listener // that it came in through; it may be closed by now
	fd   int32
	side uint32 // events asked of the nested set
	ip   [16]byte
	port uint16
	home uint8
}

// loopSys is the Linux part of a Loop.
type loopSys struct {
	guts   guts
	lns    []*listener
	conns  []*Conn // by descriptor
	max    int
	evfd   int // mailbox
	tmfd   int // clock
	spare  int // a descriptor to give up when there are no others; -1 while it is given up
	period time.Duration
	booted bool

	acceptFD      func(fd, flags int) (int, syscall.Sockaddr, error) // accept4; tests have it fail
	nextComplaint int64                                              // earliest time of the next line about want of descriptors
	sidefd        int
	sideEC        unsafe.Pointer
	events        []syscall.EpollEvent
	packet        []byte // for reads of the nested set

	goid      atomic.Uint64
	startOnce sync.Once
	start     chan struct{} // closed by Run and by Stop
	running   atomic.Bool
	ready     chan error // result of the bootstrap
	clean     bool       // ended by shutdown
	err       error      // what Run returns
	born      time.Time
}

// Contexts that tell our own descriptors in evio's table from clients.
type (
	mailCtx struct{}
	timeCtx struct{}
	sideCtx struct{}
)

// New binds the addresses and makes a loop that Run will run. A busy or
// impossible address gives a *[ListenError]. Connections made before Run wait in the
// backlog. A loop that was made must be run or stopped to give its descriptors back.
func New(cfg Config, h Handler) (*Loop, error) {
	cfg.setDefaults()
	l := &Loop{cfg: cfg, h: h, done: make(chan struct{}), pool: newPool(), chunks: newChunks()}
	l.clock.init()
	l.visits.on = cfg.Visits
	l.evfd, l.tmfd, l.sidefd, l.spare = -1, -1, -1, -1
	l.start, l.ready = make(chan struct{}), make(chan error, 1)
	if err := l.open(); err != nil {
		l.closeAll()
		return nil, err
	}
	return l, nil
}

func (l *Loop) open() error {
	// evio takes descriptor 0 for none: it must not become one of ours.
	var st syscall.Stat_t
	if err := syscall.Fstat(0, &st); err == syscall.EBADF {
		if _, err := syscall.Open(os.DevNull, syscall.O_RDWR, 0); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	want, err := parseAddrs(l.cfg.Addrs)
	if err != nil {
		return err
	}
	for i, a := range want {
		ln, err := listen(&l.cfg, i, a)
		if err != nil {
			return err
		}
		if ln != nil {
			l.lns = append(l.lns, ln)
		}
	}
	l.publish(len(want))
	if l.evfd, err = eventfd(); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if l.tmfd, err = timerfd(); err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	if l.sidefd, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := l.openSpare(); err != nil {
		return fmt.Errorf("reserve descriptor: %w", err)
	}
	l.acceptFD = syscall.Accept4
	l.events = make([]syscall.EpollEvent, 128)
	if err := l.bootstrap(); err != nil {
		return err
	}
	l.max = fitLimit(l.cfg.MaxConns, l.cfg.ReserveFDs, openFDs(), l.cfg.Logf)
	return nil
}

// bootstrap starts evio on a private socket and connects to it once: a live
// connection is what guts are found by. The loop goroutine then waits in that
// connection's Opened for Run or Stop.
func (l *Loop) bootstrap() error {
	var token [16]byte
	if _, err := rand.Read(token[:]); err != nil {
		return err
	}
	name := "@eventloop-" + hex.EncodeToString(token[:])
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("eventloop: private socket: %w", err)
	}
	defer syscall.Close(fd)
	listening := make(chan struct{})
	go func() {
		err := evio.Serve(evio.Events{
			NumLoops: 1,
			Serving: func(evio.Server) evio.Action {
				l.born = time.Now()
				close(listening)
				return evio.None
			},
			Opened: l.evioOpened,
			Data:   l.evioData,
			Closed: l.evioClosed,
		}, "unix://"+name)
		if l.err == nil && !l.clean {
			if l.err = err; err == nil {
				l.err = errors.New("evio's loop ended by itself")
			}
			l.err = fmt.Errorf("eventloop: %w", l.err)
		}
		close(l.done)
	}()
	select {
	case <-listening:
	case <-l.done:
		return l.err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: name}); err != nil {
		return fmt.Errorf("eventloop: private socket: %w", err)
	}
	select {
	case err = <-l.ready:
	case <-l.done: // its accept failed
		return fmt.Errorf("%w: are there descriptors left?", l.err)
	}
	if err != nil {
		l.startOnce.Do(func() { close(l.start) })
		<-l.done
		return err
	}
	deafen(l.guts.epfd, name)
	return nil
}

// deafen shuts evio's private listening socket, so that no stranger can connect to it:
// evio's accept would fail, and end the loop, when descriptors are short.
func deafen(epfd int, name string) {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // the name is a secret of 128 bits still, except to those who read /proc/net/unix
	}
	for _, e := range dir {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if sa, err := syscall.Getsockname(fd); err == nil {
			if sa, ok := sa.(*syscall.SockaddrUnix); ok && sa.Name == name {
				if on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err == nil && on == 1 {
					syscall.EpollCtl(epfd, syscall.EPOLL_CTL_DEL, fd, &syscall.EpollEvent{})
				}
			}
		}
	}
}

// MaxConns returns the number of connections that are held at most: Config.MaxConns, or what
// the limit on open files allows. Loop goroutine, or before Run.
func (l *Loop) MaxConns() int { return l.max }

// SetMaxConns changes the limit, raising that on open files where needed, and returns
// what it could be set to. Connections beyond it stay. Loop goroutine, or before Run.
func (l *Loop) SetMaxConns(n int) int {
	l.max = fitLimit(max(1, n), l.cfg.ReserveFDs, openFDs()-l.stats.conns, l.cfg.Logf)
	return l.max
}

// Run serves until Stop. It may be called once; the callbacks run on another goroutine.
// The error is nil after Stop.
func (l *Loop) Run() error {
	if l.running.Swap(true) {
		return errors.New("eventloop: Run was called twice")
	}
	l.startOnce.Do(func() { close(l.start) })
	<-l.done
	return l.err
}

// leaveIt is no action of evio's. Told None, it would change what is polled for; with this
// it keeps its hands off, and rearm has it forget the action.
const leaveIt evio.Action = 100

// evioOpened: a connection to the private socket, or a descriptor of ours is ready.
func (l *Loop) evioOpened(ec evio.Conn) ([]byte, evio.Options, evio.Action) {
	switch ctx := ec.Context().(type) {
	case *listener:
		l.guts.rearm(ctx.ec)
		l.own()
		l.accept(ctx)
		l.disown()
		return nil, evio.Options{}, leaveIt
	case sideCtx:
		l.guts.rearm(l.sideEC)
		l.own()
		l.onSide()
		l.disown()
		return nil, evio.Options{}, leaveIt
	case nil:
		if l.booted {
			return nil, evio.Options{}, evio.Close // a stranger on the private socket
		}
		return nil, evio.Options{}, l.boot(ec)
	}
	return nil, evio.Options{}, evio.None
}

// boot is the first thing that runs on the loop goroutine.
func (l *Loop) boot(ec evio.Conn) evio.Action {
	l.booted = true
	l.goid.Store(goid())
	g, err := openGuts(ec)
	if err == nil {
		l.guts = g
	}
	l.ready <- err
	<-l.start
	if err != nil {
		return evio.Shutdown
	}
	if !l.running.Load() { // stopped before it ran
		defer syscall.Close(l.evfd)
		return l.shutdown()
	}
	enter := func(fd int, ctx any, opened bool) unsafe.Pointer {
		p := l.guts.enter(fd, ctx, opened)
		if e := l.guts.poll(fd); e != nil && err == nil {
			err = fmt.Errorf("epoll_ctl: %w", e)
		}
		return p
	}
	enter(l.evfd, mailCtx{}, true)
	enter(l.tmfd, timeCtx{}, true)
	l.sideEC = enter(l.sidefd, sideCtx{}, false)
	for _, ln := range l.lns {
		ln.ec = enter(ln.fd, ln, false)
	}
	if err != nil {
		l.err = err
		return l.shutdown()
	}
	settime(l.tmfd, 1, 0)
	l.own()
	l.visits.open = true
	l.disown()
	return evio.Close // the bootstrap connection has done its duty
}

// evioData: input of a client, or of our own descriptors.
func (l *Loop) evioData(ec evio.Conn, in []byte) ([]byte, evio.Action) {
	action := evio.None
	l.own()
	switch ctx := ec.Context().(type) {
	case *Conn:
		l.stats.in += uint64(len(in))
		l.begin(ctx)
		l.h.Data(ctx, in)
		l.end(ctx)
	case mailCtx:
		if l.onMail() {
			action = l.shutdown()
		}
	case timeCtx:
		l.onTime()
	}
	l.disown()
	return nil, action
}

// evioClosed: evio read the end or an error of a client's input and closed its descriptor.
func (l *Loop) evioClosed(ec evio.Conn, err error) evio.Action {
	l.own()
	defer l.disown()
	switch c := ec.Context().(type) {
	case *Conn:
		l.enter()
		c.home = homeNone
		l.conns[c.fd] = nil
		l.stats.conns--
		l.closed(c, err)
		l.leave()
	case mailCtx: // nobody is to write to its descriptor any more
		l.mail.mu.Lock()
		l.mail.closed = true
		l.mail.mu.Unlock()
	}
	return evio.None
}

// onTime calls Tick and sets the timer for the next.
func (l *Loop) onTime() {
	l.clock.sync()
	l.enter()
	for _, ln := range l.lns {
		if ln.resting {
			ln.resting = false
			l.restore()
			l.guts.poll(ln.fd)
		}
	}
	d := l.h.Tick()
	l.leave()
	l.trimScratch()
	if d != l.period {
		l.setPeriod(d)
	}
}

// setPeriod has the timer fire each d.
func (l *Loop) setPeriod(d time.Duration) {
	l.period = d
	d = max(d, minTick)
	settime(l.tmfd, d, d)
}

// flush writes out to c, or queues it, and puts c where it is to be polled. It tells
// whether out still is the caller's.
func (l *Loop) flush(c *Conn, out []byte) int {
	if c.flags&(flagClosing|flagClosed) != 0 {
		return bufferFree
	}
	res := bufferFree
	if len(out) > 0 {
		if c.pend == nil {
			n, err := l.write(c, out)
			if n == len(out) && c.flags&flagNotReading == 0 && c.home == homeEvio {
				return bufferFree
			}
			if err != 0 {
				l.fail(c, err)
				return bufferFree
			}
			out = out[n:]
		}
		if len(out) > 0 {
			if c.pend == nil {
				c.pend = new(outQueue)
				l.stats.slow++
			}
			if c.pend.add(out, &l.chunks) {
				res = bufferTaken
			}
		}
	}
	l.settle(c)
	return res
}

// write hands p, or as much of it as one turn may, to the kernel. n is less than
// len(p) and err 0 when it will not take more now.
func (l *Loop) write(c *Conn, p []byte) (n int, err syscall.Errno) {
	for n < len(p) {
		m := min(len(p)-n, writeMax)
		k, e := send(int(c.fd), p[n:n+m])
		if e == 0 {
			n += k
			l.stats.out += uint64(k)
			if k < m || n >= drainMax {
				return n, 0
			}
			continue
		}
		if e == syscall.EINTR {
			continue
		}
		if e == syscall.EAGAIN {
			return n, 0
		}
		return n, e
	}
	return n, 0
}

// release closes c's descriptor.
func (l *Loop) release(c *Conn) {
	fd := int(c.fd)
	if c.flags&flagCloseAfter != 0 {
		// Unread input would turn our close into a reset, which can overtake the last
		// words on their way to the peer.
		for range 16 {
			if n, err := syscall.Read(fd, l.sidePacket()); n <= 0 || err != nil {
				break
			}
		}
	}
	l.guts.remove(fd)
	c.home = homeNone
	l.conns[fd] = nil
	l.stats.conns--
	syscall.Close(fd)
	if c.ln.closed != nil {
		c.ln.closed()
	}
}

// shutdown ends everything: it runs as the last callback of the loop. evio will close its listening
// descriptor twice; what a stranger opens in between gets a lower number, for those that are closed
// here were opened before it.
func (l *Loop) shutdown() evio.Action {
	l.visits.open = false
	l.mail.mu.Lock()
	l.mail.closed = true
	l.mail.mu.Unlock()
	for _, ln := range l.lns {
		l.guts.remove(ln.fd)
		ln.close()
	}
	l.lns = nil
	l.lastFlush()
	l.enter()
	for _, c := range l.conns {
		if c != nil {
			c.flags |= flagCloseAfter // in the orderly way: see release
			l.fail(c, nil)
		}
	}
	l.leave()
	l.guts.remove(l.tmfd)
	l.guts.remove(l.sidefd)
	for _, fd := range []*int{&l.tmfd, &l.sidefd, &l.spare} {
		if *fd >= 0 {
			syscall.Close(*fd)
			*fd = -1
		}
	}
	// evio.Serve may miss the end of a loop that ends before it waits for that: give it time to get there.
	for time.Since(l.born) < 10*time.Millisecond {
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	l.clean = true
	return evio.Shutdown // the mailbox's eventfd is closed by evio
}

// lastFlush gives slow readers a last chance.
func (l *Loop) lastFlush() {
	for deadline := time.Now().Add(l.cfg.StopTimeout); ; {
		waiting := false
		for _, c := range l.conns {
			if c != nil && c.pend != nil && c.flags&flagClosing == 0 {
				c.flags |= flagPaused // only room for output is of interest now
				l.drain(c)
				l.settle(c)
				waiting = waiting || c.pend != nil && c.flags&flagClosing == 0
			}
		}
		if !waiting || time.Now().After(deadline) {
			return
		}
		syscall.EpollWait(l.sidefd, l.events, 5)
	}
}

// closeAll gives everything back after New failed.
func (l *Loop) closeAll() {
	for _, ln := range l.lns {
		ln.close()
	}
	for _, fd := range []int{l.evfd, l.tmfd, l.sidefd, l.spare} {
		if fd >= 0 {
			syscall.Close(fd)
		}
	}
}

// wake makes the mailbox's descriptor readable; under mail.mu, so never after evio closed it.
func (l *Loop) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	syscall.Write(l.evfd, one[:])
}
