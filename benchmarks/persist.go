package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

const (
	// A writer sends this many SETs each millisecond.
	writesPerMilli = 50
	saveLimit      = 5 * time.Minute
)

// dataset starts a server with the keys of a row, as DEBUG POPULATE makes them, at rest.
func dataset(e *env, which string) (*testutil.Server, *testutil.Conn, error) {
	s, err := e.start(which)
	if err != nil {
		return nil, nil, err
	}
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		e.stop(s)
		return nil, nil, err
	}
	c.SetTimeout(saveLimit)
	if err := do(c, "DEBUG", "POPULATE", strconv.Itoa(e.sizes.keys), "key", "64"); err != nil {
		c.Close()
		e.stop(s)
		return nil, nil, err
	}
	time.Sleep(e.sizes.settle)
	return s, c, nil
}

func do(c *testutil.Conn, cmd ...string) error {
	v, err := c.Do(cmd...)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return fmt.Errorf("%v: %w", cmd, err)
	}
	return nil
}

// background is a BGSAVE of the whole dataset while SETs of 64 bytes on random keys of it come at 50,000 a second (open loop: each batch of a
// millisecond is timed from when it was due). Memory is the highest resident memory of the time, a child's own included, by that before it.
func background(e *env, which string) (sample, error) {
	s, c, err := dataset(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer c.Close()
	wc, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer wc.Close()
	w := newWriter(wc, e.sizes.keys)
	w.start()
	time.Sleep(e.sizes.settle)
	// What is written is as long as what is there: the memory does not grow by it.
	before, err := testutil.RSS(s.PID())
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID()), []byte("5"), 0); err != nil {
		return nil, err // VmHWM begins anew
	}
	if err := do(c, "CONFIG", "RESETSTAT"); err != nil {
		return nil, err
	}
	w.mark()
	begun := time.Now()
	if err := do(c, "BGSAVE"); err != nil {
		return nil, err
	}
	var cow float64
	for {
		info, err := c.Info("persistence")
		if err != nil {
			return nil, err
		}
		if which == redisSide {
			if n, err := strconv.ParseFloat(info["current_cow_size"], 64); err == nil {
				cow = max(cow, n)
			}
		}
		if info["rdb_bgsave_in_progress"] == "0" {
			if info["rdb_last_bgsave_status"] != "ok" {
				return nil, fmt.Errorf("the BGSAVE failed\n%s", s.LogTail(2000))
			}
			if n, err := strconv.ParseFloat(info["rdb_last_cow_size"], 64); err == nil && which == redisSide {
				cow = max(cow, n)
			}
			break
		}
		if time.Since(begun) > saveLimit {
			return nil, errors.New("the BGSAVE does not end")
		}
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(begun)
	latencies, err := w.stop()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.LogTail(2000))
	}
	peak, err := testutil.PeakRSS(s.PID())
	if err != nil {
		return nil, err
	}
	got := sample{
		"time": took.Seconds(), "memory": (float64(peak) + cow) / float64(before),
		"p999": ms(latencies[len(latencies)*999/1000]), "slowest": ms(latencies[len(latencies)-1]),
	}
	if turn, err := infoNumber(c, "everything", "eventloop_longest_turn_usec", 1000); err == nil {
		got["turn"] = turn
	}
	return got, nil
}

// restart is the time from the start of the process until the first read is answered from a snapshot file of the whole dataset, which the
// server wrote itself.
func restart(e *env, which string) (sample, error) {
	s, c, err := dataset(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	err = do(c, "SAVE")
	c.Close()
	if err != nil {
		return nil, err
	}
	s.Kill()
	begun := time.Now()
	if err := s.Start(); err != nil {
		return nil, err
	}
	if c, err = testutil.Dial(s.Addr()); err != nil {
		return nil, err
	}
	defer c.Close()
	for {
		v, err := c.Do("GET", "key:"+strconv.Itoa(e.sizes.keys-1))
		switch {
		case err != nil:
			return nil, err
		case v.Kind == '$' && !v.Null:
			took := time.Since(begun)
			cpu, err := testutil.CPUTime(s.PID())
			if err != nil {
				return nil, err
			}
			return sample{"time": took.Seconds(), "cpu": cpu.Seconds()}, checkKeys(s, e.sizes.keys)
		case v.Err() == nil || time.Since(begun) > saveLimit:
			return nil, fmt.Errorf("the restarted server answers %v", v)
		}
		time.Sleep(time.Millisecond)
	}
}

// A writer sends SETs at a fixed pace on one connection, whatever the answers do, and keeps the latency of each batch.
type writer struct {
	c     *testutil.Conn
	keys  int
	quit  chan struct{}
	sent  chan time.Time
	done  chan struct{}
	since chan struct{}

	latencies []time.Duration
	err       error
}

func newWriter(c *testutil.Conn, keys int) *writer {
	c.SetTimeout(saveLimit)
	return &writer{c: c, keys: keys, quit: make(chan struct{}), sent: make(chan time.Time, 1<<20), done: make(chan struct{}), since: make(chan struct{}, 1)}
}

func (w *writer) start() {
	go func() { // writes
		defer close(w.sent)
		rnd := rand.New(rand.NewPCG(7, 8))
		value := slices.Repeat([]byte("w"), 64)
		var wire []byte
		for next := time.Now(); ; next = next.Add(time.Millisecond) {
			time.Sleep(time.Until(next))
			select {
			case <-w.quit:
				return
			default:
			}
			wire = wire[:0]
			for range writesPerMilli {
				wire = testutil.AppendCommand(wire, "SET", "key:"+strconv.Itoa(rnd.IntN(w.keys)), string(value))
			}
			w.sent <- next
			if _, err := w.c.Write(wire); err != nil {
				return
			}
		}
	}()
	go func() { // listens
		defer close(w.done)
		for due := range w.sent {
			for range writesPerMilli {
				v, _, err := w.c.Read()
				if err == nil {
					err = v.Err()
				}
				if err != nil {
					w.err = err
					return
				}
			}
			select {
			case <-w.since:
				w.latencies = w.latencies[:0]
			default:
			}
			w.latencies = append(w.latencies, time.Since(due))
		}
	}()
}

// mark forgets the latencies so far.
func (w *writer) mark() { w.since <- struct{}{} }

// stop returns the latencies since mark in rising order.
func (w *writer) stop() ([]time.Duration, error) {
	close(w.quit)
	<-w.done
	if w.err == nil && len(w.latencies) == 0 {
		w.err = errors.New("no write was answered")
	}
	slices.Sort(w.latencies)
	return w.latencies, w.err
}
