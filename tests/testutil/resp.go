package testutil

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Value is one parsed RESP2 or RESP3 reply.
type Value struct {
	Kind  byte    // the type byte of the wire: + - : $ * _ , # ( = ! % ~ > |
	Text  string  // line or bulk content; a verbatim string without its "txt:" prefix is Text[4:]
	Int   int64   // of ':'
	Null  bool    // $-1, *-1 or _
	Elems []Value // of * ~ > and, keys and values in turn, of %
	Attr  []Value // keys and values of the attribute that stood before this value
}

// Err is the reply as a Go error when it is an error reply.
func (v Value) Err() error {
	if v.Kind == '-' || v.Kind == '!' {
		return fmt.Errorf("%s", v.Text)
	}
	return nil
}

// String prints a reply on one line, as an assertion shows it.
func (v Value) String() string {
	switch {
	case v.Null:
		return "(nil)"
	case v.Kind == '+':
		return v.Text
	case v.Kind == '-', v.Kind == '!':
		return "-" + v.Text
	case v.Kind == ':':
		return "(int)" + v.Text
	case v.Kind == '$', v.Kind == '=':
		return strconv.Quote(v.Text)
	case strings.IndexByte("*~>%", v.Kind) >= 0:
		var b strings.Builder
		b.WriteByte(v.Kind)
		b.WriteByte('[')
		for i, e := range v.Elems {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(e.String())
		}
		b.WriteByte(']')
		return b.String()
	}
	return string(v.Kind) + v.Text
}

// Strings is the texts of an array's elements.
func (v Value) Strings() []string {
	list := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		list[i] = e.Text
	}
	return list
}

// DefaultTimeout is how long a Conn waits for a whole reply.
const DefaultTimeout = 30 * time.Second

// A Conn is a client connection that keeps the exact bytes of each reply. One goroutine at a time uses it.
type Conn struct {
	nc      net.Conn
	r       *bufio.Reader
	raw     []byte
	timeout time.Duration
}

// Dial connects to host:port, or to a unix socket when addr holds a slash.
func Dial(addr string) (*Conn, error) {
	network := "tcp"
	if strings.Contains(addr, "/") {
		network = "unix"
	}
	nc, err := net.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return NewConn(nc), nil
}

// NewConn wraps a connection that stands already.
func NewConn(nc net.Conn) *Conn {
	return &Conn{nc: nc, r: bufio.NewReaderSize(nc, 64<<10), timeout: DefaultTimeout}
}

// SetTimeout sets the limit for one write or one whole reply.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// Net is the connection underneath; what the reader has buffered is not in it any more.
func (c *Conn) Net() net.Conn { return c.nc }

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// Write sends raw bytes.
func (c *Conn) Write(p []byte) (int, error) {
	c.nc.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.nc.Write(p)
}

// AppendCommand appends the multibulk form of a command.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	dst = append(dst, '\r', '\n')
	for _, a := range args {
		dst = append(dst, '$')
		dst = strconv.AppendInt(dst, int64(len(a)), 10)
		dst = append(dst, '\r', '\n')
		dst = append(dst, a...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// Send writes one command.
func (c *Conn) Send(args ...string) error {
	_, err := c.Write(AppendCommand(nil, args...))
	return err
}

// Read reads exactly one reply and returns it parsed and as the bytes that came. The bytes are the caller's.
// An attribute belongs to the value that follows it.
func (c *Conn) Read() (Value, []byte, error) {
	c.nc.SetReadDeadline(time.Now().Add(c.timeout))
	c.raw = nil
	v, err := c.value(0)
	return v, c.raw, err
}

// Do sends one command and reads its reply. An error reply is a Value, not an error.
func (c *Conn) Do(args ...string) (Value, error) {
	v, _, err := c.DoRaw(args...)
	return v, err
}

// DoRaw is Do with the bytes of the reply.
func (c *Conn) DoRaw(args ...string) (Value, []byte, error) {
	if err := c.Send(args...); err != nil {
		return Value{}, nil, err
	}
	return c.Read()
}

// Quiet reports whether nothing arrives for the given time; bytes that did arrive stay readable.
func (c *Conn) Quiet(d time.Duration) bool {
	c.nc.SetReadDeadline(time.Now().Add(d))
	_, err := c.r.Peek(1)
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// ReadAll reads until the peer closes, the timeout at most; closed says that it did (a reset counts).
func (c *Conn) ReadAll(timeout time.Duration) (data []byte, closed bool) {
	c.nc.SetReadDeadline(time.Now().Add(timeout))
	data, err := io.ReadAll(c.r)
	ne, ok := err.(net.Error)
	return data, !(ok && ne.Timeout())
}

func (c *Conn) line() (string, error) {
	b, err := c.r.ReadBytes('\n')
	c.raw = append(c.raw, b...)
	if err != nil {
		return "", err
	}
	if len(b) < 2 || b[len(b)-2] != '\r' {
		return "", fmt.Errorf("reply line without CR: %q", b)
	}
	return string(b[:len(b)-2]), nil
}

const (
	maxDepth = 64
	maxReply = 1 << 30
)

func (c *Conn) value(depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("reply nested deeper than %d", maxDepth)
	}
	l, err := c.line()
	if err != nil {
		return Value{}, err
	}
	if l == "" {
		return Value{}, fmt.Errorf("empty line where a reply should begin")
	}
	v := Value{Kind: l[0], Text: l[1:]}
	switch v.Kind {
	case '+', '-', ',', '(':
		return v, nil
	case '#':
		if v.Text != "t" && v.Text != "f" {
			return v, fmt.Errorf("bad boolean %q", l)
		}
		return v, nil
	case '_':
		v.Null = true
		return v, nil
	case ':':
		v.Int, err = strconv.ParseInt(v.Text, 10, 64)
		return v, err
	case '$', '=', '!':
		n, err := c.length(l)
		if err != nil || n < 0 {
			v.Null = true
			return v, err
		}
		body := make([]byte, n+2)
		got, err := io.ReadFull(c.r, body)
		c.raw = append(c.raw, body[:got]...)
		if err != nil {
			return v, err
		}
		if string(body[n:]) != "\r\n" {
			return v, fmt.Errorf("bulk of %d bytes is followed by %q", n, body[n:])
		}
		v.Text = string(body[:n])
		return v, nil
	case '*', '~', '>', '%', '|':
		n, err := c.length(l)
		if err != nil || n < 0 {
			v.Null = true
			return v, err
		}
		if v.Kind == '%' || v.Kind == '|' {
			n *= 2
		}
		v.Text = ""
		for range n {
			e, err := c.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.Elems = append(v.Elems, e)
		}
		if v.Kind == '|' {
			next, err := c.value(depth)
			next.Attr = v.Elems
			return next, err
		}
		return v, nil
	}
	return v, fmt.Errorf("unknown reply type: %q", l)
}

func (c *Conn) length(l string) (int, error) {
	n, err := strconv.Atoi(l[1:])
	if err != nil || n < -1 || n > maxReply {
		return 0, fmt.Errorf("bad length in %q", l)
	}
	return n, nil
}

// ReadSome returns what has arrived, at least one byte, or the error that ended the connection.
func (c *Conn) ReadSome() ([]byte, error) {
	if _, err := c.r.Peek(1); err != nil {
		return nil, err
	}
	b := make([]byte, c.r.Buffered())
	_, err := io.ReadFull(c.r, b)
	return b, err
}
