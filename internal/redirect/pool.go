package redirect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config tells a Pool where the master is.
type Config struct {
	// Addr is "host:port", or "unix:/path".
	Addr string
	// User and Pass log in; without a Pass there is no AUTH, without a User it is
	// the default one's.
	User, Pass string
	// Timeout bounds connecting with its handshake, each write, and the wait for a
	// reply to a request that does not block; 0 is 10 s.
	Timeout time.Duration
	// Dial connects; nil dials TCP or a unix socket. It is where TLS goes.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Request is one or more commands whose last reply is the answer.
type Request struct {
	DB    int // database, selected before
	Proto int // RESP version of the reply, 2 or 3
	// First is sent before Wire, and each of its FirstReplies must be +OK, else Wire
	// is not sent and the error of the master is the answer. Only for sessions.
	First        []byte
	FirstReplies int
	Wire         []byte
	Replies      int // of Wire, at least 1
	// Blocks: the reply may take as long as it likes.
	Blocks bool
	// Offset asks for the master's replication offset after the command.
	Offset bool
	// Done is called exactly once, on a goroutine of the pool; it must not block.
	Done func(Result)

	due   time.Time
	left  int // replies of Wire, or of First, that have not come
	first bool
	reply []byte
	tries int
}

// Result is how a Request ended.
type Result struct {
	// Reply is the master's last reply, raw; nil if there is an error.
	Reply []byte
	Err   *Error
	// Offset is the master's offset after the command, -1 if it is not known;
	// ReplID is the history that it counts in.
	Offset int64
	ReplID string
}

// Error says why there is no reply.
type Error struct {
	// Sent: the command may have been executed. Otherwise it certainly was not.
	Sent bool
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

var errClosed = errors.New("redirect: closed")

// key tells connections apart: what was agreed on at their start.
type key struct{ db, proto int }

// maxIdle bounds the sessions that are kept for the next one who needs one.
const maxIdle = 16

// Pool is the connections to one master. Its methods may be called from any
// goroutine, and none of them blocks.
type Pool struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	shared map[key]*conn
	idle   map[key][]*conn
	all    map[*conn]bool
	closed bool
}

// New makes a pool; it connects when there is something to send.
func New(cfg Config) *Pool {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	p := &Pool{cfg: cfg, shared: map[key]*conn{}, idle: map[key][]*conn{}, all: map[*conn]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Do sends a request over the shared connection of its database and protocol.
// Requests of one database and protocol are executed in the order of the calls.
func (p *Pool) Do(r *Request) {
	p.mu.Lock()
	ok := p.submit(r)
	p.mu.Unlock()
	if !ok {
		r.fail(false, errClosed)
	}
}

// submit queues a request; the caller holds the lock.
func (p *Pool) submit(r *Request) bool {
	if p.closed {
		return false
	}
	k := key{r.DB, r.Proto}
	c := p.shared[k]
	if c == nil {
		c = p.connect(k)
		c.isShared = true
		p.shared[k] = c
	}
	if !c.tryAdd(r) {
		// It has just died and its requests are on their way to the next one: this one
		// comes behind them.
		c.late = append(c.late, r)
	}
	return true
}

// connect starts a connection; the caller holds the lock.
func (p *Pool) connect(k key) *conn {
	c := &conn{p: p, key: k, wake: make(chan struct{}, 1)}
	p.all[c] = true
	p.wg.Add(1)
	go c.run()
	return c
}

// Session is a connection for one client at a time.
type Session struct{ c *conn }

// Session gives a connection to oneself, one that is idle or a new one. It must be
// given back by Release or Close.
func (p *Pool) Session(db, proto int) *Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{db, proto}
	for list := p.idle[k]; len(list) > 0; list = p.idle[k] {
		c := list[len(list)-1]
		p.idle[k] = list[:len(list)-1]
		if c.alive() {
			return &Session{c}
		}
	}
	if p.closed {
		c := &conn{p: p, key: k, wake: make(chan struct{}, 1), dead: errClosed}
		return &Session{c}
	}
	return &Session{p.connect(k)}
}

// Do sends a request. If the connection has broken since the session began,
// it fails with Sent false: the session's state is lost, so nothing is retried.
func (s *Session) Do(r *Request) {
	if !s.c.tryAdd(r) {
		r.fail(false, s.c.reason())
	}
}

// Broken tells whether the connection is gone.
func (s *Session) Broken() bool { return !s.c.alive() }

// Release gives a session back whose connection is as it was at the start: in its
// database, watching nothing, with no request under way.
func (s *Session) Release() {
	p := s.c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !s.c.alive() || len(p.idle[s.c.key]) >= maxIdle {
		go s.c.fail(errClosed)
		return
	}
	p.idle[s.c.key] = append(p.idle[s.c.key], s.c)
}

// Close ends the session and its connection; requests under way fail.
func (s *Session) Close() { go s.c.fail(errClosed) }

// Retire lets what was sent or queued come to its end and takes no more: the master
// is another one from now on. Close is still due.
func (p *Pool) Retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.all {
		c.retire()
	}
}

// Close ends all connections and waits until the goroutines are gone. It must not
// be called from Done.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	list := make([]*conn, 0, len(p.all))
	for c := range p.all {
		list = append(list, c)
	}
	p.mu.Unlock()
	p.cancel()
	for _, c := range list {
		c.fail(errClosed)
	}
	p.wg.Wait()
}

// gone forgets a connection. Those of its requests that were never sent go to the
// next one, in their order and before any that comes later; retry is false if there is
// no hope in that.
func (p *Pool) gone(c *conn, unsent []*Request, retry bool) (failed []*Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, c)
	if p.shared[c.key] == c {
		delete(p.shared, c.key)
	}
	for i, x := range p.idle[c.key] {
		if x == c {
			p.idle[c.key] = slices.Delete(p.idle[c.key], i, i+1)
			break
		}
	}
	for _, r := range append(unsent, c.late...) {
		r.tries++
		if !retry || !c.isShared || r.tries > 2 || !p.submit(r) {
			failed = append(failed, r)
		}
	}
	return failed
}

// fail ends a request without a reply.
func (r *Request) fail(sent bool, err error) {
	r.Done(Result{Err: &Error{Sent: sent, Err: err}, Offset: -1})
}

// network splits an address.
func network(addr string) (string, string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", addr
}

// refused is an error of the master in the handshake.
func refused(what string, reply []byte) error {
	return fmt.Errorf("the master refused %s: %s", what, strings.TrimRight(string(reply[1:]), "\r\n"))
}
