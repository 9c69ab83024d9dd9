package masterlink

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// Config tells a Link where the master is and how to deal with it. The zero value of
// every field but Addr has a default.
type Config struct {
	// Addr is "host:port", "[v6]:port", or "unix:/path" (also a plain "/path").
	Addr string
	User string // ACL user for AUTH; "" is the default user
	Pass string // "" sends no AUTH

	ListeningPort int      // announced by REPLCONF listening-port; 0: not announced
	AnnounceIP    string   // announced by REPLCONF ip-address; "": not announced
	Capa          []string // nil: eof, psync2

	// Each phase has its own timeout; 0 means DefaultTimeout, negative none.
	ConnectTimeout   time.Duration
	HandshakeTimeout time.Duration
	TransferTimeout  time.Duration // silence before and inside of the payload
	StreamTimeout    time.Duration // silence in the stream, and for each write

	// WriteTimeout bounds each write to the master; 0 is the timeout of its phase.
	WriteTimeout time.Duration
	// AckInterval is the time between two acknowledgements; 0 is a second.
	AckInterval time.Duration

	Backoff Backoff

	// ChunkSize and Chunks bound the bytes of the stream that are read ahead of the loop:
	// 16 buffers of 256 KB by default.
	ChunkSize int
	Chunks    int

	// Dial connects; nil dials TCP or a unix socket. It is where TLS goes: it returns when
	// the handshake is done. ctx ends with ConnectTimeout and with Stop.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Logf  func(level LogLevel, format string, args ...any) // nil: silent
	Rand  func() float64                                   // jitter, in [0,1); nil: math/rand
	Clock func() int64                                     // monotonic ns; nil: the system's
}

// DefaultTimeout is repl-timeout's default.
const DefaultTimeout = 60 * time.Second

// LogLevel grades what a Link logs, by Redis's names.
type LogLevel uint8

// The levels of Logf.
const (
	Debug LogLevel = iota
	Verbose
	Notice
	Warning
)

// Backoff spaces attempts to connect. After a link that worked the first attempt comes at
// once; then the pause doubles from Min up to Max. Of each pause a random part, at most
// the fraction Jitter, is taken off, so that replicas of one master do not come back in
// step. A refusal that no retry cures (credentials, an RDB version that is too new)
// pauses for Max at once.
type Backoff struct {
	Min    time.Duration // default 100 ms
	Max    time.Duration // default 10 s
	Jitter float64       // default 0.5, in [0,1]; negative: none
}

// pause is the wait before the attempt that follows n failures in a row.
func (b Backoff) pause(n int, refused bool, random float64) time.Duration {
	d := b.Max
	if !refused {
		if n <= 0 {
			return 0
		}
		if n <= 30 {
			d = min(b.Max, b.Min<<(n-1))
		}
	}
	return d - time.Duration(float64(d)*b.Jitter*random)
}

func (c Config) withDefaults() Config {
	for _, t := range []*time.Duration{&c.ConnectTimeout, &c.HandshakeTimeout, &c.TransferTimeout, &c.StreamTimeout} {
		if *t == 0 {
			*t = DefaultTimeout
		}
		if *t < 0 {
			*t = 0
		}
	}
	if c.Backoff.Min <= 0 {
		c.Backoff.Min = 100 * time.Millisecond
	}
	if c.Backoff.Max <= 0 {
		c.Backoff.Max = 10 * time.Second
	}
	c.Backoff.Max = max(c.Backoff.Max, c.Backoff.Min)
	switch {
	case c.Backoff.Jitter < 0:
		c.Backoff.Jitter = 0
	case c.Backoff.Jitter == 0:
		c.Backoff.Jitter = 0.5
	}
	c.Backoff.Jitter = min(c.Backoff.Jitter, 1)
	if c.ChunkSize <= 0 {
		c.ChunkSize = 256 << 10
	}
	if c.Chunks <= 0 {
		c.Chunks = 16
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Logf == nil {
		c.Logf = func(LogLevel, string, ...any) {}
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Clock == nil {
		start := time.Now()
		c.Clock = func() int64 { return int64(time.Since(start)) + 1 }
	}
	return c
}

func (c Config) network() (network, addr string) {
	if path, ok := strings.CutPrefix(c.Addr, "unix:"); ok {
		return "unix", path
	}
	if strings.HasPrefix(c.Addr, "/") {
		return "unix", c.Addr
	}
	return "tcp", c.Addr
}

func (c Config) machine(r Resume) replproto.Config {
	return replproto.Config{
		User: c.User, Pass: c.Pass,
		ListeningPort: c.ListeningPort, AnnounceIP: c.AnnounceIP, Capa: c.Capa,
		ReplID: r.ReplID, Offset: r.Offset, Failover: r.Failover,
		HandshakeTimeout: int64(c.HandshakeTimeout),
		TransferTimeout:  int64(c.TransferTimeout),
		StreamTimeout:    int64(c.StreamTimeout),
	}
}
