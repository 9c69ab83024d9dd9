package eventloop

import (
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// Handler receives the events of a [Loop]. All methods run on the loop goroutine,
// one at a time, and never inside one another.
type Handler interface {
	// Opened is called once for each accepted connection, before any Data. It may
	// set c.Ctx, append a greeting to c.Out and close c.
	Opened(c *Conn)
	// Data delivers bytes as they were read, at most 64 KB at a time. The slice is
	// the loop's own buffer: it is valid during the call only and may be overwritten by the callee.
	// The end of input closes c once its output is sent, so a handler that puts work on its
	// input off (to [Loop.Again], say) must PauseRead until it has caught up. One that
	// makes much output of little input should watch c.Pending: the reading is only
	// paused (Config.PauseReadAbove) between calls.
	Data(c *Conn, in []byte)
	// Closed is called exactly once for each opened connection, after its
	// descriptor was closed. err is nil when the peer ended its side or when we
	// closed, else the socket's error.
	Closed(c *Conn, err error)
	// Tick is the cron: it is called when the loop starts and then again each time
	// the returned delay has passed. A delay below 100 µs is taken as 100 µs. Missed
	// ticks are merged into one.
	Tick() time.Duration
}

// Config says where and how a loop listens. The zero value of each field is usable.
type Config struct {
	// Addrs are the listening addresses: "tcp://127.0.0.1:6379", "tcp://[::1]:6379",
	// "tcp://:6379" (IPv4 wildcard), "unix:///path/to/socket". A leading '-' makes an address
	// optional: it is passed over when the system does not have it. IPv6 addresses are
	// bound for IPv6 only, so that both wildcards can be had at once. Port 0 picks a free port.
	Addrs []string
	// UnixSocketPerm is the mode of the unix sockets; 0 leaves what the umask gives.
	UnixSocketPerm os.FileMode
	// TCPBacklog is the length of the queue of connections not yet accepted; 0 is 511.
	TCPBacklog int
	// TCPKeepAlive is the idle time before keepalive probes on accepted
	// connections (3 probes, a third of it apart); 0 sends none.
	TCPKeepAlive time.Duration
	// MaxConns is the most connections held at once; 0 is 10000. It is lowered when
	// the limit on open files leaves no room: see [Loop.MaxConns].
	MaxConns int
	// ReserveFDs is the number of descriptors kept free for the rest of the
	// program (files, the link to a master); 0 is 32.
	ReserveFDs int
	// RejectReply is written to a connection that is refused because MaxConns are open.
	RejectReply []byte
	// PauseReadAbove is the number of unsent bytes above which a connection
	// is no longer read, until less than half of that is left. 0 is 64 MB, negative is never.
	PauseReadAbove int
	// StopTimeout bounds the time that a stop waits for slow readers; 0 is 200 ms.
	StopTimeout time.Duration
	// Visits has the loop lend its state while it waits: see [Loop.Visit]. It costs about 20 ns a callback.
	Visits bool
	// Logf receives one line for each thing an operator should know. May be nil.
	Logf func(format string, args ...any)
}

const (
	defaultBacklog        = 511
	defaultMaxConns       = 10000
	defaultReserveFDs     = 32
	defaultPauseReadAbove = 64 << 20
	defaultStopTimeout    = 200 * time.Millisecond
	minTick               = 100 * time.Microsecond
)

// yieldEvery is the time in ns after which the loop passes through Go's scheduler. A goroutine
// that only leaves the processor for system calls looks to the runtime like one
// that has run for ever: from 10 ms on its monitor thread interrupts it with a signal or takes its
// processor away in each system call, and polls every 20 µs to do so, which was
// measured at a fifth of the loop's CPU time. One pass starts a new time slice.
const yieldEvery = 4e6

func (cfg *Config) setDefaults() {
	if cfg.TCPBacklog <= 0 {
		cfg.TCPBacklog = defaultBacklog
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.ReserveFDs <= 0 {
		cfg.ReserveFDs = defaultReserveFDs
	}
	if cfg.PauseReadAbove == 0 {
		cfg.PauseReadAbove = defaultPauseReadAbove
	}
	if cfg.StopTimeout <= 0 {
		cfg.StopTimeout = defaultStopTimeout
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
}

// flags of a Conn.
const (
	flagDirty      = 1 << iota // in loop.dirty
	flagClosing                // in loop.reap: no more Data, output dropped
	flagClosed                 // Closed was or is being called
	flagCloseAfter             // close when the output is gone
	flagEOF                    // the peer ended its side; its output is still being sent
	flagPaused                 // PauseRead
	flagThrottled              // over Config.PauseReadAbove
	flagV6
	flagUnix
)

// Conn is one accepted connection. Its fields and methods are for the loop goroutine only.
type Conn struct {
	// Ctx is the handler's own.
	Ctx any
	// Out takes the output: append to it, keep no reference to it, and assign nothing but the
	// result of append (or a shorter prefix of itself). It is flushed when the
	// callback in which it was filled ends; see MarkDirty for connections
	// other than the callback's own.
	Out []byte

	loop  *Loop
	pend  *outQueue // output that the kernel refused; nil nearly always
	share Shared    // output that stands in loop.shared; then Out is empty
	id    uint64
	flags uint16
	connSys
}

// ID returns the connection's number: they rise from 1 and are never used again within a loop.
func (c *Conn) ID() uint64 { return c.id }

// IsUnix tells whether c came in through a unix socket.
func (c *Conn) IsUnix() bool { return c.flags&flagUnix != 0 }

// Pending returns the bytes of output not yet taken by the kernel, those in Out included.
func (c *Conn) Pending() int {
	n := len(c.Out) + c.share.To - c.share.From
	if c.pend != nil {
		n += c.pend.size
	}
	return n
}

// IsClosed tells whether c was closed, by either side. Output appended to it goes nowhere.
func (c *Conn) IsClosed() bool { return c.flags&(flagClosing|flagClosed) != 0 }

// MarkDirty has c flushed at the end of the current callback. It is needed for
// connections other than the callback's own. When called before the first
// append, Out becomes a pooled buffer, which saves an allocation.
func (c *Conn) MarkDirty() {
	if c.flags&(flagDirty|flagClosing|flagClosed) != 0 || c.loop.cur == c {
		return
	}
	c.flags |= flagDirty
	c.loop.dirty = append(c.loop.dirty, c)
	if c.Out == nil && c.share.From == c.share.To {
		c.Out = c.loop.pool.get()
	}
}

// Append adds p to the output of a connection that is not the callback's own, to leave at the end of the callback.
func (c *Conn) Append(p []byte) {
	c.unshare()
	c.MarkDirty()
	c.Out = append(c.Out, p...)
}

// Shared is a stretch of output that goes to many connections: the loop holds it once.
type Shared struct{ From, To int }

// Share keeps p until the end of the callback, for AppendShared. Nothing refers to p afterwards.
func (l *Loop) Share(p []byte) Shared {
	from := len(l.shared)
	l.shared = append(l.shared, p...)
	return Shared{from, len(l.shared)}
}

// AppendShared is Append of what Share was given in the same callback. A connection that gets nothing but one shared stretch after the other,
// as subscribers of one channel do, has it written from where it stands.
func (c *Conn) AppendShared(s Shared) {
	l := c.loop
	switch {
	case c.flags&(flagClosing|flagClosed) != 0:
		return
	case c.share.From != c.share.To && c.share.To == s.From:
		c.share.To = s.To
		return
	case c.share.From != c.share.To || len(c.Out) != 0 || c.pend != nil || l.cur == c:
		c.Append(l.shared[s.From:s.To])
		return
	}
	c.share = s
	c.MarkDirty()
}

// unshare makes shared output c's own, before other output follows it.
func (c *Conn) unshare() {
	if s := c.share; s.From != s.To {
		c.share = Shared{}
		if c.Out == nil {
			c.Out = c.loop.pool.get()
		}
		c.Out = append(c.Out, c.loop.shared[s.From:s.To]...)
	}
}

// keepShared is the size up to which the storage of shared output is kept for the next callback.
const keepShared = 1 << 20

// Flush hands out, what the callback has appended to c.Out so far, to the kernel and returns an empty buffer to go on with. A callback that produces
// much output calls it now and then, so that the peer reads while the rest is made and the buffer stays small. For the connection whose Data
// callback runs; for any other it returns out as it is.
func (c *Conn) Flush(out []byte) []byte {
	l := c.loop
	if l.cur != c {
		return out
	}
	l.peak = max(l.peak, len(out))
	if l.flush(c, out) == bufferTaken {
		l.scratch = make([]byte, 0, scratchSize)
		return l.scratch
	}
	return out[:0]
}

// Close closes c and drops its pending output. Handler.Closed is
// called when the current callback has ended.
func (c *Conn) Close() { c.loop.fail(c, nil) }

// CloseAfterFlush closes c as soon as the kernel has taken all of its output. No more
// Data is delivered.
func (c *Conn) CloseAfterFlush() {
	if c.flags&(flagClosing|flagClosed) == 0 {
		c.flags |= flagCloseAfter
		c.MarkDirty()
		c.loop.unsettled = true
	}
}

// PauseRead stops the delivery of Data, from the end of the current callback on. The
// peer is held back by TCP's own flow control.
func (c *Conn) PauseRead() {
	c.flags |= flagPaused
	c.MarkDirty()
	c.loop.unsettled = true
}

// ResumeRead takes PauseRead back.
func (c *Conn) ResumeRead() {
	c.flags &^= flagPaused
	c.MarkDirty()
	c.loop.unsettled = true
}

// fail arranges the end of c; err is what Handler.Closed will be told.
func (l *Loop) fail(c *Conn, err error) {
	if c.flags&(flagClosing|flagClosed) != 0 {
		return
	}
	c.flags |= flagClosing
	l.reap = append(l.reap, doomed{c, err})
}

type doomed struct {
	c   *Conn
	err error
}

// Loop is an event loop and its listeners. Make one with [New].
type Loop struct {
	cfg Config
	h   Handler

	// Owned by the loop goroutine.
	cur       *Conn    // connection whose callback runs
	scratch   []byte   // lent to cur as Out
	dirty     []*Conn  // to be flushed at the end of the callback
	reap      []doomed // to be closed at the end of the callback
	unsettled bool     // cur's interests changed
	pool      stock    // of buffers for Out
	chunks    stock    // of chunks for outQueues
	peak      int      // longest output in scratch since the last tick
	shared    []byte   // output of this callback that goes to many connections
	nextID    uint64
	again     []func() // to run in the next turn
	againOld  []func() // the other buffer of again
	inbox     []func() // taken from mail and not yet run, from inboxHead on
	inboxHead int
	clock     clock
	lastYield int64 // see yieldEvery
	trimAfter int64 // see TrimOutput
	trimmedAt int64
	stats     statCounters
	visits    visits

	mail  mailbox
	addrs atomic.Pointer[[]net.Addr]
	done  chan struct{} // closed when evio has returned
	loopSys
}

// Addrs returns the addresses listened on, in the order of Config.Addrs (or of the last
// Rebind), with the ports the system picked. The entry of an optional address that
// was passed over is nil. Any goroutine may call it.
func (l *Loop) Addrs() []net.Addr {
	if p := l.addrs.Load(); p != nil {
		return append([]net.Addr(nil), *p...)
	}
	return nil
}

// enter begins a callback.
func (l *Loop) enter() { l.clock.read() }

// leave ends a callback: flushes the connections that were marked and closes
// those that were doomed. Closed may mark and doom more.
func (l *Loop) leave() {
	for len(l.dirty) > 0 || len(l.reap) > 0 {
		for i := 0; i < len(l.dirty); i++ {
			c := l.dirty[i]
			l.dirty[i] = nil
			c.flags &^= flagDirty
			out := c.Out
			c.Out = nil
			if s := c.share; s.From != s.To {
				c.share = Shared{}
				l.pool.put(out)
				l.flushShared(c, l.shared[s.From:s.To])
				continue
			}
			if l.flush(c, out) == bufferFree {
				l.pool.put(out)
			}
		}
		l.dirty = l.dirty[:0]
		for i := 0; i < len(l.reap); i++ {
			d := l.reap[i]
			l.reap[i] = doomed{}
			l.release(d.c)
			l.closed(d.c, d.err)
		}
		l.reap = l.reap[:0]
	}
	if len(l.shared) > 0 {
		l.shared = l.shared[:0]
		if cap(l.shared) > keepShared {
			l.shared = nil
		}
	}
	l.stats.callback(l.clock.sinceRead())
	if end := l.clock.now + l.stats.last; end-l.lastYield > yieldEvery {
		l.lastYield = end
		runtime.Gosched()
	}
}

// flushShared is flush of bytes that must not be kept.
func (l *Loop) flushShared(c *Conn, p []byte) {
	if len(p) > maxScratch {
		p = append([]byte(nil), p...)
	}
	l.flush(c, p)
}

// closed tells the handler that c, whose descriptor is closed, is gone.
func (l *Loop) closed(c *Conn, err error) {
	c.flags |= flagClosed
	c.pend = nil
	c.share = Shared{}
	l.h.Closed(c, err)
	c.Out = nil
}

// begin lends c the scratch buffer and makes it the callback's connection.
func (l *Loop) begin(c *Conn) {
	l.enter()
	l.cur = c
	if c.Out == nil {
		if l.scratch == nil {
			l.scratch = make([]byte, 0, scratchSize)
		}
		c.Out = l.scratch
	}
}

// end flushes the callback's connection and takes the scratch buffer back.
func (l *Loop) end(c *Conn) {
	l.cur = nil
	out := c.Out
	c.Out = nil
	if len(out) > 0 || l.unsettled {
		l.unsettled = false
		if l.flush(c, out) == bufferTaken {
			l.scratch = nil
			l.leave()
			return
		}
	}
	l.keepScratch(out)
	l.leave()
}

// keepScratch makes the buffer that a callback's output grew into the scratch buffer.
func (l *Loop) keepScratch(out []byte) {
	l.peak = max(l.peak, len(out))
	if cap(out) > cap(l.scratch) && cap(out) <= maxScratch {
		l.scratch = out[:0]
	}
}

// trimScratch lets go, at a tick, a large scratch buffer that nothing has filled for a while.
func (l *Loop) trimScratch() {
	now := l.clock.now
	if l.trimAfter < 0 || now-l.trimmedAt < l.trimAfter {
		return
	}
	l.trimmedAt = now
	if cap(l.scratch) > idleScratch && l.peak < cap(l.scratch)/8 {
		l.scratch = nil
	}
	l.peak = 0
}

// TrimOutput sets after how long a large output buffer is given up that was not needed meanwhile; negative: never. The default is
// at the next tick. For the loop goroutine.
func (l *Loop) TrimOutput(after time.Duration) { l.trimAfter = int64(after) }
