package testutil

import (
	"net"
	"sync"
	"testing"
)

// A Proxy stands between a replica and its master and can cut the link at a chosen byte. Its methods may be called from any goroutine.
type Proxy struct {
	l      net.Listener
	target string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	closed  bool
	refuse  bool
	opened  int
	down    int64 // bytes passed from target to client so far
	cutDown int64 // cut when `down` reaches this; 0: never
}

// NewProxy listens on a free port of 127.0.0.1 and passes connections on to target until the test ends.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{l: l, target: target, conns: map[net.Conn]bool{}}
	go p.accept()
	tb.Cleanup(p.Close)
	return p
}

// Port is where the proxy listens.
func (p *Proxy) Port() int { return p.l.Addr().(*net.TCPAddr).Port }

// Addr is host:port of the proxy.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Opened is how many connections it has passed on so far.
func (p *Proxy) Opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Passed is how many bytes went from the target to clients so far.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

// CutAfter drops every connection when n more bytes have gone from the target to the client: exactly n arrive.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutDown = p.down + n
}

// Armed tells whether a cut that CutAfter asked for is still to come.
func (p *Proxy) Armed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutDown != 0
}

// CutNow drops every connection; new ones are passed on as before.
func (p *Proxy) CutNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropAll()
}

// Refuse makes the proxy drop every connection, new ones too, until Refuse(false).
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
	if on {
		p.dropAll()
	}
}

// Retarget sends later connections elsewhere.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Close drops everything.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.l.Close()
	p.dropAll()
}

func (p *Proxy) dropAll() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
	p.cutDown = 0
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target, ok := p.target, !p.closed && !p.refuse
	p.mu.Unlock()
	if !ok {
		client.Close()
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	if p.closed || p.refuse {
		p.mu.Unlock()
		client.Close()
		server.Close()
		return
	}
	p.conns[client], p.conns[server] = true, true
	p.opened++
	p.mu.Unlock()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if n > 0 {
				if _, werr := server.Write(buf[:n]); werr != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		p.drop(client, server)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 && !p.pass(client, buf[:n]) {
			break
		}
		if err != nil {
			break
		}
	}
	p.drop(client, server)
}

// pass writes to the client what stands before the cut; false: this link is over.
func (p *Proxy) pass(client net.Conn, b []byte) bool {
	p.mu.Lock()
	cut := p.cutDown > 0 && p.down+int64(len(b)) >= p.cutDown
	if cut {
		b = b[:max(0, p.cutDown-p.down)]
	}
	p.down += int64(len(b))
	p.mu.Unlock()
	_, err := client.Write(b)
	if cut {
		p.CutNow()
	}
	return err == nil && !cut
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		c.Close()
	}
}
