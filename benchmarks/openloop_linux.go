package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file is the instrument of the latency rows: reads at fixed moments, whatever the answers do. It runs on a thread of its own over plain
// sockets, so that neither Go's scheduler nor its timers are measured, and it allocates nothing while it runs.

const (
	readRate  = 5000 // a second
	readConns = 8
	// The thread sleeps until this long before a read is due, and spins for the rest: a sleep may end some tens of microseconds late.
	spin = 40 * time.Microsecond
	// longestRun is how long an openLoop may run at most: its memory is taken at the start.
	longestRun = 5 * time.Minute
)

// A read is one question: when it was due and how long after that the answer was there, in ns since the start of the loop.
type read struct {
	due, took int64
	answered  bool // with a value; an error or a nil otherwise
}

// An openLoop asks for random keys of a dataset.
type openLoop struct {
	conns    []*rawConn
	requests [][]byte
	reads    []read
	begun    time.Time
	quit     atomic.Bool
	done     chan struct{}
	err      error
	refusal  string // the first answer that was no value
}

// rawConn is a socket and what is under way on it.
type rawConn struct {
	fd      int
	waiting []int32 // indexes of reads, a ring
	head, n int
	in      []byte
	held    int
}

// dialRaw connects a socket that does not block, past Go's poller.
func dialRaw(addr string, blocking bool) (int, error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	sa := &unix.SockaddrInet4{Port: a.Port}
	copy(sa.Addr[:], a.IP.To4())
	err = errors.Join(unix.Connect(fd, sa), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.SetNonblock(fd, !blocking))
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	return fd, nil
}

// startReads begins to read key:0 … key:n-1 of a server at random.
func startReads(s *testutil.Server, keys int) (*openLoop, error) {
	o := &openLoop{done: make(chan struct{}), reads: make([]read, 0, readRate*int(longestRun/time.Second))}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 8192 {
		o.requests = append(o.requests, testutil.AppendCommand(nil, "GET", "key:"+strconv.Itoa(rnd.IntN(keys))))
	}
	for range readConns {
		fd, err := dialRaw(s.Addr(), false)
		if err != nil {
			o.close()
			return nil, err
		}
		o.conns = append(o.conns, &rawConn{fd: fd, waiting: make([]int32, 1<<18), in: make([]byte, 64<<10)})
	}
	o.begun = time.Now()
	go o.run()
	return o, nil
}

func (o *openLoop) close() {
	for _, c := range o.conns {
		unix.Close(c.fd)
	}
}

func (o *openLoop) now() int64 { return int64(time.Since(o.begun)) }

func (o *openLoop) run() {
	defer close(o.done)
	defer o.close()
	defer onThread()()
	fds := make([]unix.PollFd, len(o.conns))
	for i, c := range o.conns {
		fds[i] = unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN}
	}
	const period = int64(time.Second) / readRate
	next := o.now() + period
	for stopAt := int64(0); ; {
		now := o.now()
		if stopAt == 0 && (o.quit.Load() || len(o.reads) == cap(o.reads)) {
			stopAt = now + int64(30*time.Second)
		}
		if stopAt != 0 {
			switch under := o.underWay(); {
			case under == 0:
				return
			case now > stopAt:
				o.err = fmt.Errorf("%d reads are without an answer after 30 s", under)
				return
			}
			next = now + int64(time.Millisecond)
		}
		for now >= next && stopAt == 0 {
			if o.err = o.ask(next); o.err != nil {
				return
			}
			next += period
			now = o.now()
		}
		wait := unix.NsecToTimespec(max(next-now-int64(spin), 0))
		n, err := unix.Ppoll(fds, &wait, nil)
		if err != nil && err != unix.EINTR {
			o.err = fmt.Errorf("ppoll: %w", err)
			return
		}
		if n <= 0 {
			continue
		}
		for i := range fds {
			if fds[i].Revents == 0 {
				continue
			}
			if o.err = o.listen(o.conns[i]); o.err != nil {
				return
			}
		}
	}
}

// onThread keeps the goroutine on one thread, whose sleeps end on time. The thread has to live on after that: it may have started
// a server, which the system would end with it.
func onThread() (leave func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // the default again
		runtime.UnlockOSThread()
	}
}

func (o *openLoop) underWay() (n int) {
	for _, c := range o.conns {
		n += c.n
	}
	return n
}

// ask sends the read that was due at that time.
func (o *openLoop) ask(due int64) error {
	i := len(o.reads)
	c := o.conns[i%len(o.conns)]
	if c.n == len(c.waiting) {
		return fmt.Errorf("%d reads of a connection are without an answer", c.n)
	}
	request := o.requests[i%len(o.requests)]
	// What is under way takes far less than a socket's buffer.
	if n, err := unix.Write(c.fd, request); err != nil || n != len(request) {
		return fmt.Errorf("sending a read: %d of %d bytes, %w", n, len(request), err)
	}
	o.reads = append(o.reads, read{due: due})
	c.waiting[(c.head+c.n)%len(c.waiting)] = int32(i)
	c.n++
	return nil
}

// listen takes the answers that a connection has.
func (o *openLoop) listen(c *rawConn) error {
	n, err := unix.Read(c.fd, c.in[c.held:])
	if err == unix.EAGAIN {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("reading an answer: %d bytes, %w", n, err)
	}
	c.held += n
	now, at := o.now(), 0
	for {
		size, value := replyLen(c.in[at:c.held])
		if size == 0 {
			break
		}
		if c.n == 0 {
			return fmt.Errorf("an answer that nobody asked for: %q", c.in[at:at+size])
		}
		r := &o.reads[c.waiting[c.head]]
		c.head, c.n = (c.head+1)%len(c.waiting), c.n-1
		r.took, r.answered = now-r.due, value
		if !value && o.refusal == "" {
			o.refusal = string(c.in[at : at+size])
		}
		at += size
	}
	c.held = copy(c.in, c.in[at:c.held])
	return nil
}

// replyLen is the length of the reply at the start of b, 0 if it is not whole, and whether it is a value.
func replyLen(b []byte) (n int, value bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, false
	}
	if b[0] != '$' {
		return end + 1, false
	}
	size := 0
	for _, d := range b[1 : end-1] {
		if d == '-' {
			return end + 1, false
		}
		size = size*10 + int(d-'0')
	}
	if n = end + 1 + size + 2; n > len(b) {
		return 0, false
	}
	return n, true
}

// stop ends the asking, waits for the answers that are under way, and gives everything that was asked.
func (o *openLoop) stop() ([]read, error) {
	o.quit.Store(true)
	<-o.done
	if o.err == nil && len(o.reads) == 0 {
		o.err = errors.New("no read was answered")
	}
	return o.reads, o.err
}

// A spread is what a row wants to know of many durations.
type spread struct {
	n, refused          int
	p50, p99, p999, max time.Duration
}

func spreadOf(took []int64) spread {
	if len(took) == 0 {
		return spread{}
	}
	slices.Sort(took)
	at := func(thousandths int) time.Duration {
		return time.Duration(took[min(len(took)-1, len(took)*thousandths/1000)])
	}
	return spread{n: len(took), p50: at(500), p99: at(990), p999: at(999), max: time.Duration(took[len(took)-1])}
}

// within is the spread of the reads that were due in one of the windows (pairs of ns since the start).
func within(reads []read, windows ...[2]int64) spread {
	var took []int64
	refused := 0
	for _, r := range reads {
		for _, w := range windows {
			if r.due >= w[0] && r.due < w[1] {
				took = append(took, r.took)
				if !r.answered {
					refused++
				}
				break
			}
		}
	}
	s := spreadOf(took)
	s.refused = refused
	return s
}
