package redisreplica

import (
	"crypto/tls"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/eventloop"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// How a goroutine of the program gets at the data: it visits the loop while that waits for events, and runs there what it has to do; if the
// loop is busy, it leaves the work in the mailbox and waits. See package eventloop.

// library is what a Replica has that was made by New.
type library struct {
	on        bool
	defaultDB int
	locals    []*local      // clients of the program that have nothing to do; of the loop
	viewer    atomic.Uint64 // goroutine whose View is under way

	tls     *tls.Config // of WithTLS
	times   linkTimes
	metrics MetricsCollector
	syncs   syncWaiters
	changes changeHub
	forget  func() bool   // of the context of Start
	stop    chan struct{} // ends the library's goroutines
	running sync.WaitGroup
}

// waiter is one goroutine that waits for the loop.
type waiter struct {
	done chan struct{}
	fn   func()
	run  func() // what the mailbox is given
	bad  any    // what fn panicked with: it is the caller's, not the loop's
}

var waiters = sync.Pool{New: func() any {
	w := &waiter{done: make(chan struct{}, 1)}
	w.run = func() {
		defer func() {
			w.bad = recover()
			w.done <- struct{}{}
		}()
		w.fn()
	}
	return w
}}

// visit runs fn with what belongs to the loop goroutine, and returns when it has run. Any goroutine but the loop's.
func (r *Replica) visit(fn func()) error {
	if r.loop.Visit(fn) {
		return nil
	}
	if err := r.alive(); err != nil {
		return err
	}
	if v := r.lib.viewer.Load(); v != 0 && v == eventloop.GoroutineID() {
		return ErrInView
	}
	w := waiters.Get().(*waiter)
	w.fn = fn
	if !r.loop.Post(w.run) {
		w.fn = nil
		waiters.Put(w)
		return ErrClosed
	}
	<-w.done // what is posted runs, also when the loop ends
	bad := w.bad
	w.fn, w.bad = nil, nil
	waiters.Put(w)
	if bad != nil {
		panic(bad)
	}
	return nil
}

// alive tells whether the loop runs.
func (r *Replica) alive() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopped:
		return ErrClosed
	case !r.started:
		return ErrNotStarted
	}
	return nil
}

// local is a client of the program, with the connection that it would have.
type local struct {
	r      *Replica
	client *commands.Client
	out    []byte
	reply  []byte        // of the command under way, once it is there
	done   chan struct{} // tells that it is
	asked  bool          // a command is under way
	lost   bool          // nobody waits for its reply
	in     []byte
}

var _ commands.Conn = (*local)(nil)

// ID implements commands.Conn.
func (c *local) ID() uint64 { return 0 }

// RemoteAddr implements commands.Conn.
func (c *local) RemoteAddr() string { return "embedded:0" }

// LocalAddr implements commands.Conn.
func (c *local) LocalAddr() string { return "embedded:0" }

// Fd implements commands.Conn.
func (c *local) Fd() int { return -1 }

// IsUnix implements commands.Conn.
func (c *local) IsUnix() bool { return false }

// Pending implements commands.Conn.
func (c *local) Pending() int { return len(c.out) }

// Push implements commands.Conn: a reply that comes later.
func (c *local) Push(p []byte) {
	c.out = append(c.out, p...)
	c.settle()
}

// PushShared implements commands.Conn.
func (c *local) PushShared(p []byte, _ commands.Shared) { c.Push(p) }

// Flush implements commands.Conn: everything is kept until the reply is whole.
func (c *local) Flush(out []byte) []byte { return out }

// Close implements commands.Conn.
func (c *local) Close() {}

// CloseAfterFlush implements commands.Conn.
func (c *local) CloseAfterFlush() {}

// PauseRead implements commands.Conn.
func (c *local) PauseRead() {}

// ResumeRead implements commands.Conn.
func (c *local) ResumeRead() {}

// serve lends the client its output while fn runs.
func (c *local) serve(fn func()) {
	c.client.SetOutput(append(c.out[:0:cap(c.out)], c.out...))
	fn()
	c.out = c.client.Output()
	c.client.SetOutput(nil)
	c.settle()
}

// settle hands the reply over when it is whole.
func (c *local) settle() {
	if !c.asked || len(c.out) == 0 || c.client.UnderWay() {
		return
	}
	c.asked = false
	if c.lost {
		c.lost = false
		c.r.giveLocal(c)
		return
	}
	c.reply = c.out
	c.done <- struct{}{}
}

// takeLocal is a client that has nothing to do, in a database.
func (r *Replica) takeLocal(db int) (*local, error) {
	var c *local
	if n := len(r.lib.locals); n > 0 {
		c = r.lib.locals[n-1]
		r.lib.locals = r.lib.locals[:n-1]
	} else {
		c = &local{r: r, done: make(chan struct{}, 1)}
		c.client = r.srv.NewLocalClient(c)
	}
	if !c.client.SelectDatabase(db) {
		r.giveLocal(c)
		return nil, ErrNoDatabase
	}
	return c, nil
}

// maxLocalOutput is the largest buffer that a client without work keeps.
const maxLocalOutput = 64 << 10

func (r *Replica) giveLocal(c *local) {
	c.reply = nil
	if cap(c.out) > maxLocalOutput {
		c.out = nil
	}
	c.out = c.out[:0]
	r.lib.locals = append(r.lib.locals, c)
}

// begin executes a command: the reply is there when done tells.
func (c *local) begin(args []string) {
	c.in = append(append(c.in[:0], '*'), strconv.Itoa(len(args))...)
	c.in = append(c.in, '\r', '\n')
	for _, a := range args {
		c.in = append(append(c.in, '$'), strconv.Itoa(len(a))...)
		c.in = append(append(append(c.in, '\r', '\n'), a...), '\r', '\n')
	}
	c.asked, c.out = true, c.out[:0]
	c.serve(func() { c.r.srv.Process(c.client, c.in) })
}

// command executes a command in a database and returns its reply, an error as such.
func (r *Replica) command(db int, args ...string) (resp.Value, error) {
	var c *local
	var err error
	if e := r.visit(func() {
		if c, err = r.takeLocal(db); err == nil {
			c.begin(args)
		}
	}); e != nil {
		return resp.Value{}, e
	}
	if err != nil {
		return resp.Value{}, err
	}
	select {
	case <-c.done:
	case <-r.done:
		select {
		case <-c.done: // it was answered before the end
		default:
			return resp.Value{}, ErrClosed
		}
	}
	v, err := c.decode()
	_ = r.visit(func() { r.giveLocal(c) }) // after the end there is nobody to give it to
	return v, err
}

// decode turns the reply, which is whole, into a value that shares nothing with it.
func (c *local) decode() (resp.Value, error) {
	v, err := resp.DecodeValue(c.reply)
	if err != nil {
		return v, err
	}
	if v.Kind == '-' || v.Kind == '!' {
		return v, serverError(string(v.Str))
	}
	return v, nil
}
