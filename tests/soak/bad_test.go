package soak

import (
	"bytes"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// badClients are those among whom the good ones live. Each works over and over again, with a pause between: they take what a server
// gives them, but not all of the machine's processors.
var badClients = []struct {
	name    string
	workers int
	pause   time.Duration
	fn      func(addr string, r *rand.Rand, stop chan bool)
}{
	{"floods", 2, 3 * time.Millisecond, flood},
	{"asks for much and reads nothing", 2, 20 * time.Millisecond, deaf},
	{"subscribes and reads nothing", 3, 10 * time.Millisecond, deafSubscriber},
	{"watches all and reads nothing", 1, 50 * time.Millisecond, deafMonitor},
	{"publishes large messages", 1, 10 * time.Millisecond, publish},
	{"stops in the middle of a command", 1, 10 * time.Millisecond, unfinished},
	{"resets its connection", 1, 5 * time.Millisecond, reset},
	{"sends garbage", 2, 5 * time.Millisecond, garbage},
	{"comes and goes", 1, 5 * time.Millisecond, churn},
	{"waits and breaks off", 1, 5 * time.Millisecond, waiter},
	{"sends while it waits", 1, 20 * time.Millisecond, sender},
	{"queues and leaves", 1, 10 * time.Millisecond, queues},
}

// pause is a sleep that the end of the test ends.
func pause(stop chan bool, d time.Duration) {
	select {
	case <-stop:
	case <-time.After(d):
	}
}

// dial connects, with a small buffer for what it receives; nil when the server refuses it.
func dial(addr string) *net.TCPConn {
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10) })
	}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// end closes in one of the ways in which connections end.
func end(c *net.TCPConn, r *rand.Rand) {
	switch r.IntN(3) {
	case 0:
		c.SetLinger(0) // a reset
	case 1:
		c.CloseWrite()
	}
	c.Close()
}

// someCommand is anything that does no lasting harm.
func someCommand(b []byte, r *rand.Rand) []byte {
	k, v := strconv.Itoa(r.IntN(2000)), strings.Repeat("x", r.IntN(300))
	switch r.IntN(12) {
	case 0, 1, 2:
		return testutil.AppendCommand(b, "SET", "s"+k, v)
	case 3, 4, 5:
		return testutil.AppendCommand(b, "GET", "s"+k)
	case 6:
		return testutil.AppendCommand(testutil.AppendCommand(b, "LPUSH", "l"+k, v), "LTRIM", "l"+k, "0", "20")
	case 7:
		return testutil.AppendCommand(b, "HSET", "h"+k, strconv.Itoa(r.IntN(50)), v)
	case 8:
		return testutil.AppendCommand(b, "ZADD", "z"+k, k, strconv.Itoa(r.IntN(50)))
	case 9:
		return testutil.AppendCommand(b, "SET", "e"+k, v, "PX", strconv.Itoa(1+r.IntN(500)))
	case 10:
		return testutil.AppendCommand(b, "EVAL", "for i = 1, 50 do redis.call('INCR', KEYS[1]) end return ARGV[1]", "1", "n"+k, v)
	}
	return testutil.AppendCommand(b, "HGETALL", "h"+k)
}

func pipeline(r *rand.Rand, n int) []byte {
	var b []byte
	for range n {
		b = someCommand(b, r)
	}
	return b
}

// readTo reads until the bytes have come.
func readTo(c net.Conn, mark []byte) bool {
	var tail []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		tail = append(tail, buf[:n]...)
		if bytes.Contains(tail, mark) {
			return true
		}
		if err != nil {
			return false
		}
		tail = tail[max(0, len(tail)-len(mark)):]
	}
}

func flood(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	mark := "the end of " + strconv.Itoa(r.Int())
	for range 20 {
		if _, err := c.Write(testutil.AppendCommand(pipeline(r, 300), "ECHO", mark)); err != nil || !readTo(c, []byte(mark+"\r\n")) {
			return
		}
		pause(stop, 2*time.Millisecond)
	}
}

func deaf(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	wire := bytes.Repeat(testutil.AppendCommand(nil, "GET", "large"), 100)
	for range 10 {
		if _, err := c.Write(wire); err != nil {
			return
		}
	}
	pause(stop, time.Duration(r.IntN(500))*time.Millisecond)
}

func deafSubscriber(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	wire := testutil.AppendCommand(nil, "SUBSCRIBE", "noise")
	if r.IntN(2) == 0 {
		wire = testutil.AppendCommand(testutil.AppendCommand(nil, "HELLO", "3"), "PSUBSCRIBE", "noise*", "n?ise")
	}
	if r.IntN(3) == 0 {
		wire = testutil.AppendCommand(testutil.AppendCommand(wire, "CLIENT", "TRACKING", "ON", "BCAST"), "GET", "large")
	}
	c.Write(wire)
	pause(stop, time.Duration(r.IntN(3000))*time.Millisecond)
}

func deafMonitor(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	c.Write([]byte("MONITOR\r\n"))
	pause(stop, time.Duration(r.IntN(1000))*time.Millisecond)
}

func publish(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	message := strings.Repeat("m", 32<<10)
	for range 50 {
		if _, err := c.Write(testutil.AppendCommand(nil, "PUBLISH", "noise", message)); err != nil || !readTo(c, []byte("\r\n")) {
			return
		}
		pause(stop, 2*time.Millisecond)
	}
}

func unfinished(addr string, r *rand.Rand, stop chan bool) {
	var conns []*net.TCPConn
	for range 40 {
		c := dial(addr)
		if c == nil {
			continue
		}
		conns = append(conns, c)
		wire := testutil.AppendCommand(nil, "SET", "u", strings.Repeat("u", 1+r.IntN(40_000)))
		c.Write(wire[:r.IntN(len(wire))])
	}
	pause(stop, time.Duration(r.IntN(300))*time.Millisecond)
	for _, c := range conns {
		end(c, r)
	}
}

func reset(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	c.Write(append(pipeline(r, r.IntN(50)), bytes.Repeat(testutil.AppendCommand(nil, "GET", "large"), 20)...))
	c.SetLinger(0)
	c.Close()
}

func garbage(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	var wire []byte
	if r.IntN(2) == 0 {
		wire = make([]byte, r.IntN(100_000))
		for i := range wire {
			wire[i] = byte(r.Uint32())
		}
	} else {
		wire = pipeline(r, 20)
		for range 1 + r.IntN(5) {
			wire[r.IntN(len(wire))] = "\r\n*$0123456789-:+ \x00\xff"[r.IntN(20)]
		}
	}
	c.Write(wire)
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	c.Read(make([]byte, 1000))
}

func churn(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	c.Write([]byte("PING\r\nQUIT\r\n"))
	readTo(c, []byte("+OK\r\n"))
	c.Close()
}

func waiter(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	switch r.IntN(3) {
	case 0:
		c.Write([]byte("BLPOP nolist otherlist 0\r\n"))
	case 1:
		c.Write([]byte("XREAD BLOCK 0 STREAMS nostream $\r\n"))
	default:
		c.Write([]byte("BZPOPMIN nozset 0.05\r\n"))
	}
	pause(stop, time.Duration(r.IntN(100))*time.Millisecond)
}

func sender(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	wire := append([]byte("BLPOP nolist 0\r\n"), bytes.Repeat(testutil.AppendCommand(nil, "SET", "w", strings.Repeat("w", 1000)), 1000)...)
	for range 10 { // beyond client-query-buffer-limit
		if _, err := c.Write(wire); err != nil {
			return
		}
	}
	pause(stop, 100*time.Millisecond)
}

func queues(addr string, r *rand.Rand, stop chan bool) {
	c := dial(addr)
	if c == nil {
		return
	}
	defer end(c, r)
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	c.Write([]byte("WATCH s1 s2 s3\r\nMULTI\r\n"))
	c.Write(pipeline(r, r.IntN(2000)))
	if r.IntN(2) == 0 {
		c.Write([]byte("EXEC\r\n"))
	}
	pause(stop, time.Duration(r.IntN(100))*time.Millisecond)
}
