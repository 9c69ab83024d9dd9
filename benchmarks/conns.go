package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file measures many connections: the memory of idle ones, the latency of reads over them, and messages to many subscribers.

func connRows() []*measure {
	return []*measure{
		{name: "conns-rss", title: "memory of an idle connection", unit: "KB", bar: 1.0, aim: 0.5, sign: "<=", once: field("conns", "rss", idleConns)},
		{name: "conns-p99", title: "p99 of GETs over 10,000 connections ÷ over 50", unit: "x", bar: 1.1, sign: "<=", absolute: true, once: field("latency", "ratio", connLatency)},
		{name: "conns-p99-abs", title: "p99 of GETs over 10,000 connections", unit: "µs", sign: "<=", once: field("latency", "many", connLatency)},
		{name: "fanout", title: "messages to 1,000 subscribers", unit: "k/s", bar: 1.0, aim: 1.5, sign: ">=", once: field("fanout", "rate", fanout)},
		{name: "fanout-cpu", title: "CPU per message delivered", unit: "µs", sign: "<=", once: field("fanout", "cpu", fanout)},
	}
}

func init() { measures = append(measures, connRows()...) }

// dialMany opens n connections, each of which has sent one PING and read the answer.
func dialMany(addr string, n int) (conns []net.Conn, err error) {
	conns = make([]net.Conn, n)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for w := range errs {
		wg.Go(func() {
			buf := make([]byte, 64)
			for i := w; i < n; i += len(errs) {
				c, err := net.DialTimeout("tcp", addr, 10*time.Second)
				if err == nil {
					conns[i] = c
					c.SetDeadline(time.Now().Add(time.Minute))
					err = ask(c, []byte("PING\r\n"), buf)
				}
				if err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		closeAll(conns)
		return nil, err
	}
	return conns, nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// ask sends a request and reads one reply that fits in buf.
func ask(c net.Conn, request, buf []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	n := 0
	for {
		k, err := c.Read(buf[n:])
		n += k
		if err != nil {
			return err
		}
		if complete(buf[:n]) {
			return nil
		}
	}
}

// complete tells whether b is a whole status or bulk reply.
func complete(b []byte) bool {
	head, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok {
		return false
	}
	if b[0] != '$' {
		return true
	}
	n, err := strconv.Atoi(string(head[1:]))
	return err == nil && (n < 0 || len(rest) >= n+2)
}

// idleConns opens connections and looks at the server's memory before and after.
func idleConns(e *env, which string) (sample, error) {
	s, err := e.start(which, "--maxclients", "11000")
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	warm, err := dialMany(s.Addr(), 100)
	if err != nil {
		return nil, err
	}
	defer closeAll(warm)
	time.Sleep(e.sizes.settle)
	before, err := testutil.RSS(s.PID())
	if err != nil {
		return nil, err
	}
	conns, err := dialMany(s.Addr(), e.sizes.conns)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	time.Sleep(3*time.Second + e.sizes.settle) // redis-server gives the buffers of idle clients back after two seconds
	after, err := testutil.RSS(s.PID())
	if err != nil {
		return nil, err
	}
	return sample{"rss": float64(after-before) / float64(len(conns)) / 1024}, nil
}

// connLatency reads at a fixed rate, each time over another connection, of many and of few.
func connLatency(e *env, which string) (sample, error) {
	s, err := e.start(which, "--maxclients", "11000")
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	if err := fill(s, 10_000); err != nil {
		return nil, err
	}
	p99 := func(n int) (float64, error) {
		conns, err := dialMany(s.Addr(), n)
		if err != nil {
			return 0, err
		}
		defer closeAll(conns)
		return readLatency(conns, e.sizes.latencyReads)
	}
	// In turn, three times: what disturbs the machine then disturbs both.
	var few, many []float64
	for range 3 {
		f, err := p99(50)
		if err != nil {
			return nil, err
		}
		m, err := p99(e.sizes.conns)
		if err != nil {
			return nil, err
		}
		few, many = append(few, f), append(many, m)
	}
	f, m := slices.Min(few), slices.Min(many)
	return sample{"few": f, "many": m, "ratio": m / f}, nil
}

// readLatency sends reads over the connections, some thousand a second, and returns the 99th percentile of their durations in µs.
func readLatency(conns []net.Conn, reads int) (float64, error) {
	const workers, pace = 4, 400 * time.Microsecond
	took := make([][]time.Duration, workers)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			buf := make([]byte, 256)
			next := time.Now()
			for i := range reads / workers {
				c := conns[rnd.IntN(len(conns)/workers)*workers+w]
				request := testutil.AppendCommand(nil, "GET", fmt.Sprintf("key:%012d", rnd.IntN(10_000)))
				begin := time.Now()
				if errs[w] = ask(c, request, buf); errs[w] != nil {
					return
				}
				if i >= 100 {
					took[w] = append(took[w], time.Since(begin))
				}
				next = next.Add(pace)
				time.Sleep(time.Until(next))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return micros(all[len(all)*99/100]), nil
}

// fanout publishes to many subscribers and waits until each has everything.
func fanout(e *env, which string) (sample, error) {
	s, err := e.start(which, "--client-output-buffer-limit", "pubsub 0 0 0")
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	subs, err := dialMany(s.Addr(), 1000)
	if err != nil {
		return nil, err
	}
	defer closeAll(subs)
	const payload = "a message of sixty-four bytes, which is a common size for them.."
	perMessage := len("*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$64\r\n\r\n") + len(payload)
	messages := e.sizes.messages
	var ready, done sync.WaitGroup
	errs := make([]error, len(subs))
	for i, c := range subs {
		ready.Add(1)
		done.Go(func() {
			confirmation := len("*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
			buf := make([]byte, 32<<10)
			if _, errs[i] = c.Write([]byte("SUBSCRIBE ch\r\n")); errs[i] != nil {
				ready.Done()
				return
			}
			n, told := 0, false
			for n < confirmation+messages*perMessage {
				k, err := c.Read(buf)
				if n += k; !told && n >= confirmation {
					told = true
					ready.Done()
				}
				if err != nil {
					errs[i] = err
					if !told {
						ready.Done()
					}
					return
				}
			}
		})
	}
	ready.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	pub, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer pub.Close()
	cpu, err := testutil.CPUTime(s.PID())
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	for sent := 0; sent < messages; {
		n := min(10, messages-sent) // as a publisher with a few messages at a time
		var wire []byte
		for range n {
			wire = testutil.AppendCommand(wire, "PUBLISH", "ch", payload)
		}
		if _, err := pub.Write(wire); err != nil {
			return nil, err
		}
		for range n {
			if v, _, err := pub.Read(); err != nil || v.Int != int64(len(subs)) {
				return nil, fmt.Errorf("PUBLISH: %v, %w", v, err)
			}
		}
		sent += n
	}
	done.Wait()
	took := time.Since(begin)
	after, err := testutil.CPUTime(s.PID())
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	total := float64(messages * len(subs))
	return sample{"rate": total / took.Seconds() / 1000, "cpu": micros(after-cpu) / total}, nil
}
