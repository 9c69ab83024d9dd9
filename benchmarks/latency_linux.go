package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file measures what clients of a replica feel: reads at 5,000 a second, timed from when each was due, on an idle replica, during full
// resyncs and under a stream as fast as it goes; and how long a write takes from its acknowledgement by the master until the replica shows it.

func latencyRows() []*measure {
	idle := func(name string) func(*env, string) (float64, error) { return field("latency-idle", name, idleReads) }
	resynced := func(name string) func(*env, string) (float64, error) {
		return field("latency-resync", name, readsDuringResync)
	}
	streamed := func(name string) func(*env, string) (float64, error) {
		return field("latency-stream", name, readsUnderStream)
	}
	lag := func(name string) func(*env, string) (float64, error) {
		return field("latency-lag", name, replicationLag)
	}
	return []*measure{
		{name: "latency-idle-p50", title: "reads of an idle replica, 5,000/s: p50", unit: "µs", sign: "<=", once: idle("p50")},
		{name: "latency-idle-p999", title: "the same: p99.9", unit: "µs", sign: "<=", once: idle("p999")},
		{name: "latency-reload", title: "p99.9 of reads during full resyncs ÷ the idle p99.9", unit: "x", bar: 3, aim: 1.5, sign: "<=", absolute: true, once: resynced("ratio")},
		{name: "latency-reload-p999", title: "p99.9 of reads during full resyncs", unit: "ms", sign: "<=", once: resynced("p999")},
		{name: "latency-reload-max", title: "slowest of them", unit: "ms", sign: "<=", once: resynced("max")},
		{name: "latency-reload-turn", title: "longest turn of the loop meanwhile", unit: "ms", bar: 5, sign: "<=", absolute: true, once: resynced("turn")},
		{name: "latency-reload-answered", title: "share of them answered with the value, not -LOADING", unit: "%", sign: ">=", once: resynced("answered")},
		{name: "latency-firehose-p50", title: "p50 of reads while the master streams as fast as it can", unit: "ms", sign: "<=", once: streamed("p50")},
		{name: "latency-firehose-p99", title: "the same: p99", unit: "ms", sign: "<=", once: streamed("p99")},
		{name: "latency-firehose-p999", title: "the same: p99.9", unit: "ms", bar: 0.25, aim: 0.10, sign: "<=", once: streamed("p999")},
		{name: "latency-lag-p50", title: "write acknowledged until visible on the replica, idle: p50", unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: lag("idle-p50")},
		{name: "latency-lag-p99", title: "the same: p99", unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: lag("idle-p99")},
		{name: "latency-lag-busy-p50", title: "the same at 50,000 writes/s: p50", unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: lag("busy-p50")},
		{name: "latency-lag-busy-p99", title: "the same: p99", unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: lag("busy-p99")},
	}
}

func init() { measures = append(measures, latencyRows()...) }

// instrument gives the measuring thread a P of Go's scheduler whenever it comes back from a system call.
func instrument() (restore func()) {
	was := runtime.GOMAXPROCS(max(runtime.NumCPU(), 2) + 6)
	return func() { runtime.GOMAXPROCS(was) }
}

// replicaAtRest starts a replica with the dataset of the latency rows.
func replicaAtRest(e *env, which string) (*mastertest.Master, *testutil.Server, []byte, error) {
	rdb, err := e.snapshot(e.sizes.loadKeys)
	if err != nil {
		return nil, nil, nil, err
	}
	m, s, err := e.follow(which, rdb)
	if err != nil {
		return nil, nil, nil, err
	}
	time.Sleep(e.sizes.settle)
	return m, s, rdb, nil
}

func idleReads(e *env, which string) (sample, error) {
	defer instrument()()
	m, s, _, err := replicaAtRest(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer m.Close()
	o, err := startReads(s, e.sizes.loadKeys)
	if err != nil {
		return nil, err
	}
	got, err := watch(o, e.sizes.watch)
	if err != nil {
		return nil, err
	}
	return sample{"p50": micros(got.p50), "p999": micros(got.p999)}, nil
}

// watch lets the loop run for a warm-up and for d, and stops it.
func watch(o *openLoop, d time.Duration) (spread, error) {
	time.Sleep(d / 10)
	from := o.now()
	time.Sleep(d)
	to := o.now()
	reads, err := o.stop()
	if err != nil {
		return spread{}, err
	}
	got := within(reads, [2]int64{from, to})
	if got.refused > 0 {
		return got, fmt.Errorf("%d of %d reads were answered %q", got.refused, got.n, o.refusal)
	}
	return got, nil
}

// readsDuringResync lets the replica take its whole dataset again from masters with other histories, several times, and counts the reads that
// were due from the REPLICAOF to half a second after the acknowledgement, when the old data is freed. Our replica has to answer every one.
func readsDuringResync(e *env, which string) (sample, error) {
	defer instrument()()
	m, s, rdb, err := replicaAtRest(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer m.Close()
	ctl, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	ctl.SetTimeout(syncLimit)
	o, err := startReads(s, e.sizes.loadKeys)
	if err != nil {
		return nil, err
	}
	defer o.stop()
	time.Sleep(e.sizes.watch / 10)
	calm := [2]int64{o.now()}
	time.Sleep(e.sizes.watch)
	calm[1] = o.now()
	if err := do(ctl, "CONFIG", "RESETSTAT"); err != nil {
		return nil, err
	}
	var windows [][2]int64
	for i := range e.sizes.resyncs {
		other, err := mastertest.New(mastertest.Config{RDB: rdb, Offset: startOffset, Marked: true, ReplID: fmt.Sprintf("%040x", i+1)})
		if err != nil {
			return nil, err
		}
		e.atEnd(other.Close)
		from := o.now()
		if err := do(ctl, "REPLICAOF", "127.0.0.1", other.Port()); err != nil {
			return nil, err
		}
		if err := other.WaitAck(startOffset, syncLimit); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, s.LogTail(2000))
		}
		time.Sleep(500 * time.Millisecond)
		windows = append(windows, [2]int64{from, o.now()})
	}
	reads, err := o.stop()
	if err != nil {
		return nil, err
	}
	idle, got := within(reads, calm), within(reads, windows...)
	if which == oursSide && got.refused > 0 {
		return nil, fmt.Errorf("%d of %d reads during the resyncs were answered %q", got.refused, got.n, o.refusal)
	}
	result := sample{"ratio": float64(got.p999) / float64(idle.p999), "p999": ms(got.p999), "max": ms(got.max),
		"answered": 100 * float64(got.n-got.refused) / float64(got.n)}
	if which == oursSide {
		if result["turn"], err = infoNumber(ctl, "everything", "eventloop_longest_turn_usec", 1000); err != nil && e.oursPath != e.redisPath {
			return nil, err
		}
	}
	return result, nil
}

// readsUnderStream has the master send SETs of 64 bytes on random keys of the dataset as fast as the replica takes them.
func readsUnderStream(e *env, which string) (sample, error) {
	defer instrument()()
	m, s, _, err := replicaAtRest(e, which)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	rnd := rand.New(rand.NewPCG(13, 14))
	value := string(make([]byte, 64))
	list, _ := pieces(func(yield func(args ...string)) {
		for range min(e.sizes.streamSets, 400_000) {
			yield("SET", "key:"+strconv.Itoa(rnd.IntN(e.sizes.loadKeys)), value)
		}
	})
	quit, fed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(fed)
		for {
			for _, p := range list {
				select {
				case <-quit:
					return
				default:
					m.Feed(p)
				}
			}
		}
	}()
	o, err := startReads(s, e.sizes.loadKeys)
	if err == nil {
		var got spread
		if got, err = watch(o, e.sizes.watch); err == nil {
			close(quit)
			m.Close() // wakes a Feed that waits for the replica
			<-fed
			return sample{"p50": ms(got.p50), "p99": ms(got.p99), "p999": ms(got.p999)}, nil
		}
	}
	close(quit)
	m.Close()
	<-fed
	return nil, err
}

// replicationLag writes to a redis-server and asks the replica for the value, again and again on a connection of its own, until it is there. The
// clock runs from the master's answer to the replica's. First nobody else writes, then somebody does at 50,000 a second.
func replicationLag(e *env, which string) (sample, error) {
	defer instrument()()
	// Whatever is compared, the master is a real redis-server.
	m, err := testutil.NewServer(redisSide, "redis-server", "--repl-diskless-sync", "yes", "--client-output-buffer-limit", "replica 0 0 0")
	if err != nil {
		return nil, err
	}
	defer m.Close()
	mc, err := testutil.Dial(m.Addr())
	if err != nil {
		return nil, err
	}
	defer mc.Close()
	mc.SetTimeout(syncLimit)
	if err := do(mc, "DEBUG", "POPULATE", strconv.Itoa(e.sizes.loadKeys), "key", "64"); err != nil {
		return nil, err
	}
	s, err := e.start(which, "--replicaof", "127.0.0.1", strconv.Itoa(m.Port))
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	if v, err := mc.Do("WAIT", "1", strconv.Itoa(int(syncLimit.Milliseconds()))); err != nil || v.Int != 1 {
		return nil, fmt.Errorf("the replica does not follow: %v, %w\n%s", v, err, s.LogTail(2000))
	}
	time.Sleep(e.sizes.settle)
	idle, err := probeLag(m, s, e.sizes.probes)
	if err != nil {
		return nil, err
	}
	stop, err := steadyWrites(m, e.sizes.loadKeys)
	if err != nil {
		return nil, err
	}
	busy, err := probeLag(m, s, e.sizes.probes)
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	return sample{"idle-p50": micros(idle.p50), "idle-p99": micros(idle.p99), "busy-p50": micros(busy.p50), "busy-p99": micros(busy.p99)}, nil
}

// probeLag measures n writes, one about every two milliseconds.
func probeLag(m, s *testutil.Server, n int) (spread, error) {
	type outcome struct {
		spread
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		defer onThread()()
		took, err := probe(m.Addr(), s.Addr(), n)
		done <- outcome{spreadOf(took), err}
	}()
	o := <-done
	return o.spread, o.err
}

func probe(master, replica string, n int) ([]int64, error) {
	mfd, err := dialRaw(master, true)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mfd)
	rfd, err := dialRaw(replica, true)
	if err != nil {
		return nil, err
	}
	defer unix.Close(rfd)
	buf := make([]byte, 4096)
	exchange := func(fd int, request []byte) ([]byte, error) {
		if _, err := unix.Write(fd, request); err != nil {
			return nil, err
		}
		for held := 0; ; {
			k, err := unix.Read(fd, buf[held:])
			if err == unix.EINTR {
				continue
			}
			if err != nil || k == 0 {
				return nil, errors.Join(err, io.ErrUnexpectedEOF)
			}
			held += k
			if size, _ := replyLen(buf[:held]); size > 0 {
				return buf[:size], nil
			}
		}
	}
	get := testutil.AppendCommand(nil, "GET", "probe")
	took := make([]int64, 0, n)
	rnd := rand.New(rand.NewPCG(15, 16))
	for i := range n {
		want := strconv.Itoa(1_000_000 + i)
		set := testutil.AppendCommand(nil, "SET", "probe", want)
		reply := "$7\r\n" + want + "\r\n"
		got, err := exchange(mfd, set)
		if err != nil || string(got) != "+OK\r\n" {
			return nil, fmt.Errorf("SET: %q, %w", got, err)
		}
		acknowledged := time.Now()
		for {
			got, err := exchange(rfd, get)
			if err != nil {
				return nil, err
			}
			if string(got) == reply {
				break
			}
			if time.Since(acknowledged) > 30*time.Second {
				return nil, fmt.Errorf("the replica answers %q, not %q, after 30 s", got, reply)
			}
		}
		took = append(took, int64(time.Since(acknowledged)))
		// Not in step with the writer of batches.
		time.Sleep(time.Millisecond + time.Duration(rnd.IntN(2000))*time.Microsecond)
	}
	return took, nil
}

// steadyWrites sends 50 SETs of 64 bytes each millisecond to a server until stop is called.
func steadyWrites(s *testutil.Server, keys int) (stop func() error, err error) {
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(17, 18))
	value := string(make([]byte, 64))
	var batches [][]byte
	for range 1000 {
		var wire []byte
		for range writesPerMilli {
			wire = testutil.AppendCommand(wire, "SET", "key:"+strconv.Itoa(rnd.IntN(keys)), value)
		}
		batches = append(batches, wire)
	}
	nc := c.Net()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var writeErr error
	wg.Go(func() {
		defer nc.Close()
		next := time.Now()
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			default:
			}
			if _, writeErr = nc.Write(batches[i%len(batches)]); writeErr != nil {
				return
			}
			next = next.Add(time.Millisecond)
			time.Sleep(time.Until(next))
		}
	})
	wg.Go(func() { io.Copy(io.Discard, nc) })
	return func() error {
		close(quit)
		wg.Wait()
		return writeErr
	}, nil
}
