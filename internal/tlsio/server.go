package tlsio

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// errNoListener is Listen's answer on other systems than Linux.
var errNoListener = errors.New("TLS for clients (tls-port) needs Linux; put a TLS proxy in front of this server")

// Options of a Server.
type Options struct {
	// Addrs are "host:port"; a leading '-' makes an address optional: it is passed over when the system does not have it.
	Addrs []string
	// Adopt hands one end of a socket pair to the event loop, with the addresses of the client's connection; see eventloop's Loop.Adopt.
	Adopt func(fd int, remote, local netip.AddrPort, closed func()) bool
	// MaxConns is the most connections at once, those in their handshake included; see SetMaxConns.
	MaxConns int
	// KeepAlive is the idle time before keepalive probes; 0 sends none.
	KeepAlive time.Duration
	// Logf tells of connections that came to nothing.
	Logf func(format string, args ...any)
	// HandshakeTimeout and Linger are for tests; 0 is 10 and 2 seconds.
	HandshakeTimeout time.Duration
	// Linger is how long the last replies may take once the loop has closed a connection.
	Linger time.Duration
}

// Server terminates TLS for the event loop. All methods may be called from any goroutine; none waits for a peer.
type Server struct {
	opt Options
	cfg atomic.Pointer[tls.Config]
	max atomic.Int64

	mu       sync.Mutex
	lns      []net.Listener
	sessions map[*session]struct{}
	closed   bool
	wg       sync.WaitGroup
}

// Listen opens the listeners and starts to serve.
func Listen(cfg *tls.Config, opt Options) (*Server, error) {
	if !listens {
		return nil, errNoListener
	}
	if opt.HandshakeTimeout <= 0 {
		opt.HandshakeTimeout = 10 * time.Second
	}
	if opt.Linger <= 0 {
		opt.Linger = 2 * time.Second
	}
	if opt.Logf == nil {
		opt.Logf = func(string, ...any) {}
	}
	s := &Server{opt: opt, sessions: make(map[*session]struct{})}
	s.cfg.Store(cfg)
	s.max.Store(int64(opt.MaxConns))
	lc := net.ListenConfig{KeepAlive: -1}
	if d := opt.KeepAlive; d > 0 {
		lc.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: d, Interval: max(d/3, time.Second), Count: 3}
	}
	for _, addr := range opt.Addrs {
		optional := false
		if addr[0] == '-' {
			optional, addr = true, addr[1:]
		}
		network := "tcp4"
		if host, _, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
			network = "tcp6"
		}
		ln, err := lc.Listen(context.Background(), network, addr)
		if err != nil {
			if optional && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)) {
				continue
			}
			s.Close()
			return nil, err
		}
		s.lns = append(s.lns, ln)
	}
	for _, ln := range s.lns {
		s.wg.Add(1)
		go s.accept(ln)
	}
	return s, nil
}

// Addrs are the addresses listened on.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.lns))
	for i, ln := range s.lns {
		addrs[i] = ln.Addr()
	}
	return addrs
}

// SetConfig puts another configuration into force for the connections to come. Those that are open go on as they are.
func (s *Server) SetConfig(cfg *tls.Config) { s.cfg.Store(cfg) }

// SetMaxConns changes the limit on connections. Those beyond it stay.
func (s *Server) SetMaxConns(n int) { s.max.Store(int64(n)) }

// Sessions is the number of connections, those in their handshake included.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// CloseListeners ends the listening. Connections stay.
func (s *Server) CloseListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.lns {
		_ = ln.Close()
	}
}

// Close ends the listening and every connection, with the time of Linger for what is under way. It does not wait; Wait does.
func (s *Server) Close() {
	s.CloseListeners()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.sessions {
		c.end()
	}
}

// Wait waits until all goroutines of a closed server are gone.
func (s *Server) Wait() { s.wg.Wait() }

// accept takes connections until the listener is closed.
func (s *Server) accept(ln net.Listener) {
	defer s.wg.Done()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Want of descriptors, or a connection that went away: the next one may be good.
			s.opt.Logf("Accepting a TLS connection: %v", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c := &session{s: s, nc: nc.(*net.TCPConn)}
		s.mu.Lock()
		full := s.closed || int64(len(s.sessions)) >= s.max.Load()
		if !full {
			s.sessions[c] = struct{}{}
			s.wg.Add(1)
		}
		s.mu.Unlock()
		if full {
			// There is nobody to say it to in the clear.
			_ = nc.Close()
			continue
		}
		go c.run()
	}
}

// session is one client's connection.
type session struct {
	s     *Server
	nc    *net.TCPConn
	inner *net.UnixConn // our end of the socket pair
	// ended is set once the loop, or the server, has closed the connection.
	ended atomic.Bool
}

// end gives what is under way the time of Linger. It does not block: the loop calls it.
func (c *session) end() {
	if !c.ended.Swap(true) {
		_ = c.nc.SetDeadline(time.Now().Add(c.s.opt.Linger))
	}
}

// run does the handshake and carries bytes until either side is done.
func (c *session) run() {
	s := c.s
	defer func() {
		_ = c.nc.Close()
		s.mu.Lock()
		delete(s.sessions, c)
		s.mu.Unlock()
		s.wg.Done()
	}()
	_ = c.nc.SetDeadline(time.Now().Add(s.opt.HandshakeTimeout))
	t := tls.Server(c.nc, s.cfg.Load())
	if err := t.Handshake(); err != nil {
		if !errors.Is(err, io.EOF) {
			s.opt.Logf("Error accepting a client connection: %v (addr=%s)", err, c.nc.RemoteAddr())
		}
		return
	}
	if !c.ended.Load() {
		_ = c.nc.SetDeadline(time.Time{})
	}
	fd, err := c.pair()
	if err != nil {
		s.opt.Logf("Error accepting a client connection: %v (addr=%s)", err, c.nc.RemoteAddr())
		return
	}
	defer c.inner.Close()
	remote, local := c.nc.RemoteAddr().(*net.TCPAddr).AddrPort(), c.nc.LocalAddr().(*net.TCPAddr).AddrPort()
	if !s.opt.Adopt(fd, remote, local, c.end) {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.replies(t)
	}()
	c.requests(t)
	<-done
}

// Sizes of the buffer for requests: an idle connection holds the small one.
const (
	smallBuffer = 1 << 10
	largeBuffer = 64 << 10
)

// requests carries what the client sends to the loop, which holds it back by not reading.
func (c *session) requests(t *tls.Conn) {
	buf := make([]byte, smallBuffer)
	for {
		n, err := t.Read(buf)
		if n > 0 {
			if _, werr := c.inner.Write(buf[:n]); werr != nil {
				// The loop has closed the connection. The rest of the input is read, until the client is done or the
				// time is over: closing over it would reset the connection under the last reply.
				_, _ = io.Copy(io.Discard, t)
				return
			}
		}
		if err != nil {
			// A client that ends its side, with TLS's word for it or without, still gets its replies.
			_ = c.inner.CloseWrite()
			return
		}
		switch {
		case n == len(buf) && len(buf) < largeBuffer:
			buf = make([]byte, 8*len(buf))
		case n < smallBuffer/2 && len(buf) > smallBuffer:
			buf = make([]byte, smallBuffer)
		}
	}
}

// replyBuffers are lent to connections while they have replies to carry.
var replyBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

// replies carries what the loop sends to the client. While there is nothing, it holds no buffer.
func (c *session) replies(t *tls.Conn) {
	raw, err := c.inner.SyscallConn()
	if err != nil {
		_ = c.nc.Close()
		return
	}
	for {
		var (
			lent *[]byte
			n    int
			no   error
		)
		err := raw.Read(func(fd uintptr) bool {
			b := replyBuffers.Get().(*[]byte)
			if n, no = readSocket(fd, *b); no == syscall.EAGAIN {
				replyBuffers.Put(b)
				return false
			}
			lent = b
			return true
		})
		if err == nil && no == nil && n > 0 {
			_, err = t.Write((*lent)[:n])
			replyBuffers.Put(lent)
			if err == nil {
				continue
			}
			// The client is gone: so is its connection to the loop.
			_ = c.inner.Close()
			_ = c.nc.Close()
			return
		}
		if lent != nil {
			replyBuffers.Put(lent)
		}
		// The loop has closed its end; every reply is out.
		c.end()
		_ = t.CloseWrite()
		_ = c.nc.CloseWrite()
		return
	}
}
