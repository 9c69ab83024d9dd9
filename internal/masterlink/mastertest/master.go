// Package mastertest is a scripted master: it speaks the master's side of PSYNC over a
// loopback socket, serves any RDB bytes and any stream, and misbehaves at a chosen byte.
// It is a measuring instrument for tests and benchmarks of replicas, not a server: it
// understands no command but those of the replication protocol.
package mastertest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// DefaultReplID is the replication id of a master that was given none.
const DefaultReplID = "0123456789abcdef0123456789abcdef01234567"

// DefaultMark is the end mark of EOF-marked payloads when none is given. Its start
// repeats inside it, which a careless search for it gets wrong.
const DefaultMark = "abababacababababacabababababacabab012345"

// Config is the script. Everything has a default; an empty RDB is an empty payload.
type Config struct {
	Addr   string // "127.0.0.1:0" by default; "unix:/path" for a unix socket
	ReplID string

	// RDB is the payload, and Offset the replication offset that it leads to.
	RDB    []byte
	Offset int64
	// WriteRDB, if set, produces the payload instead; RDBSize is its exact length.
	WriteRDB func(w io.Writer) error
	RDBSize  int64

	Marked bool   // EOF-marked payload; the stream then waits for the first ACK
	Mark   string // 40 bytes
	Eager  bool   // do not wait for the ACK

	BacklogSize int64 // 1 MB by default; Feed blocks rather than lose bytes that a replica needs

	User, Pass string // AUTH that is required

	// Keepalives is how many empty lines come before +FULLRESYNC, and again before the
	// payload's header, Pause apart.
	Keepalives int
	Pause      time.Duration

	// Lies. Declare changes the announced length, EndMark replaces the mark that is sent
	// after the payload.
	Declare func(size int64) int64
	EndMark string

	// Reply, if set, may answer a command of the handshake itself: reply is sent as it is.
	Reply func(conn int, args []string) (reply string, handled bool)

	// Fault says what goes wrong on the connection with this number, counted from 0.
	Fault func(conn int) Fault

	// MaxWrite cuts everything that is sent into pieces of at most so many bytes.
	MaxWrite int
}

// FaultKind is a way to misbehave.
type FaultKind uint8

// The faults. Each strikes once, when After bytes have been sent on the connection.
const (
	None   FaultKind = iota
	Cut              // close the connection in order
	Reset            // abort it (RST)
	Stall            // send nothing more, keep it open
	Insert           // send Data first, then go on
	Flip             // invert the next byte, then go on
	Delay            // pause for Pause, then go on
)

// Fault is one misbehaviour.
type Fault struct {
	Kind  FaultKind
	After int64
	Data  []byte
	Pause time.Duration
}

// Seen is one thing that a replica sent.
type Seen struct {
	Conn int
	At   time.Time
	Args []string // nil: an empty line
}

// Master is a running script.
type Master struct {
	cfg Config
	ln  net.Listener

	mu      sync.Mutex
	cond    *sync.Cond // anything below changed
	state   replproto.ReplState
	log     *replproto.Backlog
	conns   map[int]*conn
	accepts int
	fulls   int
	parts   int
	seen    []Seen
	acked   int64
	closed  bool
	wg      sync.WaitGroup
}

// New starts a scripted master on a free port.
func New(cfg Config) (*Master, error) {
	if cfg.ReplID == "" {
		cfg.ReplID = DefaultReplID
	}
	if cfg.Mark == "" {
		cfg.Mark = DefaultMark
	}
	if len(cfg.ReplID) != replproto.IDLen || len(cfg.Mark) != 40 {
		return nil, fmt.Errorf("mastertest: an id of %d and a mark of %d bytes", len(cfg.ReplID), len(cfg.Mark))
	}
	if cfg.BacklogSize == 0 {
		cfg.BacklogSize = 1 << 20
	}
	if cfg.WriteRDB == nil {
		rdb := cfg.RDB
		cfg.RDBSize = int64(len(rdb))
		cfg.WriteRDB = func(w io.Writer) error { _, err := w.Write(rdb); return err }
	}
	network, addr := "tcp", cfg.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	m := &Master{cfg: cfg, ln: ln, conns: map[int]*conn{}, acked: -1,
		state: replproto.NewReplState(cfg.ReplID), log: replproto.NewBacklog(cfg.BacklogSize, cfg.Offset)}
	m.state.Offset = cfg.Offset
	m.cond = sync.NewCond(&m.mu)
	m.wg.Add(1)
	go m.accept()
	return m, nil
}

// Addr is where it listens, in the form that a link's configuration wants.
func (m *Master) Addr() string {
	if m.ln.Addr().Network() == "unix" {
		return "unix:" + m.ln.Addr().String()
	}
	return m.ln.Addr().String()
}

// Port is the TCP port, as text.
func (m *Master) Port() string {
	_, port, _ := net.SplitHostPort(m.ln.Addr().String())
	return port
}

// Close ends the master and all its connections, and waits for its goroutines.
func (m *Master) Close() {
	m.mu.Lock()
	m.closed = true
	_ = m.ln.Close()
	for _, c := range m.conns {
		c.abort()
	}
	m.cond.Broadcast()
	m.mu.Unlock()
	m.wg.Wait()
}

// CutAll closes every connection, at whatever byte they are.
func (m *Master) CutAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		c.abort()
	}
}

// Feed appends p to the stream and sends it to all replicas. It blocks while a replica
// that follows would lose bytes it has not been sent.
func (m *Master) Feed(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(p) > 0 {
		n := min(int64(len(p)), m.log.Size()/2)
		for !m.closed && m.wouldLose(n) {
			m.cond.Wait()
		}
		m.log.Append(p[:n])
		m.state.Offset += n
		p = p[n:]
		m.cond.Broadcast()
	}
}

func (m *Master) wouldLose(n int64) bool {
	for _, c := range m.conns {
		if c.online && !c.stuck && c.next < m.log.Next()+n-m.log.Size() {
			return true
		}
	}
	return false
}

// Command writes args as a RESP command, for Feed.
func Command(args ...string) []byte {
	var b []byte
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	b = append(b, "\r\n"...)
	for _, a := range args {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(a)), 10)
		b = append(b, "\r\n"...)
		b = append(b, a...)
		b = append(b, "\r\n"...)
	}
	return b
}

// Offset is the master's replication offset.
func (m *Master) Offset() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Offset
}

// Rename gives the history a new id from here on, as a failover does: replicas that
// resume get +CONTINUE newID.
func (m *Master) Rename(newID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Promote(newID)
}

// SetSnapshot changes the payload of full syncs to come: rdb leads to the present offset.
func (m *Master) SetSnapshot(rdb []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg.RDBSize = int64(len(rdb))
	m.cfg.WriteRDB = func(w io.Writer) error { _, err := w.Write(rdb); return err }
	m.cfg.Offset = m.state.Offset
}

// Counts tells how many connections were accepted, and how many full and partial syncs
// were granted.
func (m *Master) Counts() (conns, full, partial int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.accepts, m.fulls, m.parts
}

// Seen returns what replicas have sent so far, in order of arrival.
func (m *Master) Seen() []Seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Seen(nil), m.seen...)
}

// Acked is the last offset acknowledged, -1 when there was none.
func (m *Master) Acked() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acked
}

// ErrTimeout is what the Wait methods return when time is up.
var ErrTimeout = errors.New("mastertest: time is up")

// WaitAck waits until an offset of at least offset has been acknowledged.
func (m *Master) WaitAck(offset int64, timeout time.Duration) error {
	return m.wait(timeout, func() bool { return m.acked >= offset })
}

// WaitConns waits until n connections have been accepted.
func (m *Master) WaitConns(n int, timeout time.Duration) error {
	return m.wait(timeout, func() bool { return m.accepts >= n })
}

// WaitOnline waits until n replicas follow the stream.
func (m *Master) WaitOnline(n int, timeout time.Duration) error {
	return m.wait(timeout, func() bool {
		k := 0
		for _, c := range m.conns {
			if c.online {
				k++
			}
		}
		return k >= n
	})
}

func (m *Master) wait(timeout time.Duration, is func() bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	late := false
	t := time.AfterFunc(timeout, func() {
		m.mu.Lock()
		late = true
		m.cond.Broadcast()
		m.mu.Unlock()
	})
	defer t.Stop()
	for !is() {
		if late || m.closed {
			return ErrTimeout
		}
		m.cond.Wait()
	}
	return nil
}

func (m *Master) accept() {
	defer m.wg.Done()
	for {
		nc, err := m.ln.Accept()
		if err != nil {
			return
		}
		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			_ = nc.Close()
			return
		}
		c := newConn(m, m.accepts, nc)
		m.conns[c.id] = c
		m.accepts++
		m.wg.Add(1)
		m.cond.Broadcast()
		m.mu.Unlock()
		go c.serve()
	}
}
