package testutil

import (
	"io"
	"net"
	"sync"
	"testing"
)

// FaultKind is a way in which a Proxy spoils what goes from the target to the client.
type FaultKind uint8

// The faults.
const (
	Cut     FaultKind = iota // both connections are closed in order
	Reset                    // the client's connection is aborted (RST), the target's closed
	Stall                    // nothing more arrives, and nobody is told; what the target sends is lost
	Garbage                  // bytes that mean nothing are put in, then it goes on
	Flip                     // one byte arrives inverted, then it goes on
)

// String names the fault.
func (k FaultKind) String() string { return [...]string{"cut", "reset", "stall", "garbage", "flip"}[k] }

// garbage is what the fault of that name puts in.
var garbage = []byte("\x00garbage\xff\r\n")

// A Proxy stands between a replica and its master and can spoil the link at a chosen byte. Its methods may be called from any goroutine.
type Proxy struct {
	l      net.Listener
	target string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	closed  bool
	refuse  bool
	opened  int
	down    int64 // bytes passed from target to client so far
	cutDown int64 // strike when `down` reaches this; 0: never
	kind    FaultKind
	block   bool // refuse when it has struck
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
func (p *Proxy) CutAfter(n int64) { p.StrikeAfter(n, Cut) }

// StrikeAfter lets a fault strike when n more bytes have gone from the target to the client, which get exactly these before it. It strikes
// once, on the connection that carries that byte; Cut and Reset end all others too.
func (p *Proxy) StrikeAfter(n int64, kind FaultKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutDown, p.kind, p.block = p.down+n, kind, false
}

// StrikeAndBlock is StrikeAfter, and no connection is passed on after the strike until Block(false).
func (p *Proxy) StrikeAndBlock(n int64, kind FaultKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutDown, p.kind, p.block = p.down+n, kind, true
}

// Armed tells whether a fault that was asked for is still to come.
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

// Block makes the proxy drop new connections, while those that stand go on, until Block(false).
func (p *Proxy) Block(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Open is how many connections of clients stand now.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
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
		if n > 0 && !p.pass(client, server, buf[:n]) {
			break
		}
		if err != nil {
			break
		}
	}
	p.drop(client, server)
}

// pass writes to the client what stands before the fault, and then does it; false: this link is over, or silent for good.
func (p *Proxy) pass(client, server net.Conn, b []byte) bool {
	p.mu.Lock()
	kind, rest, end := p.kind, []byte(nil), p.down+int64(len(b))
	// To flip a byte, there has to be one.
	strikes := p.cutDown > 0 && (end > p.cutDown || end == p.cutDown && kind != Flip)
	if strikes {
		n := max(0, p.cutDown-p.down)
		b, rest = b[:n], b[n:]
		p.cutDown = 0
		p.refuse = p.refuse || p.block
	}
	p.down += int64(len(b))
	if strikes && (kind == Garbage || kind == Flip) {
		p.down += int64(len(rest))
	}
	p.mu.Unlock()
	_, err := client.Write(b)
	if !strikes || err != nil {
		return err == nil
	}
	switch kind {
	case Garbage:
		b = append(append([]byte{}, garbage...), rest...)
	case Flip:
		if b = rest; len(b) > 0 {
			b[0] ^= 0xff
		}
	case Stall:
		io.Copy(io.Discard, server) // until one of the two gives up
		return false
	case Reset:
		if tc, ok := client.(*net.TCPConn); ok {
			tc.SetLinger(0)
		}
		fallthrough
	default:
		p.CutNow()
		return false
	}
	_, err = client.Write(b)
	return err == nil
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		c.Close()
	}
}
