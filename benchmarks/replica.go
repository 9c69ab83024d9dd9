package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

const (
	syncLimit   = 5 * time.Minute
	startOffset = 1000
)

// snapshot returns an RDB of n keys as DEBUG POPULATE n key 64 makes them, written by redis-server, kept in the cache folder.
func (e *env) snapshot(n int) ([]byte, error) {
	dir := e.cache
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "redis-inmemory-replica-bench")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("populate-%d-64.rdb", n))
	if b, err := os.ReadFile(path); err == nil {
		return b, nil
	}
	e.say("making %s", path)
	// Whatever is compared with ours, the snapshot is a real redis-server's.
	s, err := testutil.NewServer(redisSide, "redis-server", "--dbfilename", "made.rdb")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetTimeout(syncLimit)
	cmds := [][]string{{"DEBUG", "POPULATE", strconv.Itoa(n), "key", "64"}, {"SAVE"}}
	if n == 0 {
		cmds = cmds[1:]
	}
	for _, cmd := range cmds {
		v, err := c.Do(cmd...)
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", cmd, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(s.Dir, "made.rdb"))
	if err != nil {
		return nil, err
	}
	// Written aside and renamed: another run may be reading.
	tmp, err := os.CreateTemp(dir, "making-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	return b, errors.Join(err, tmp.Close(), os.Rename(tmp.Name(), path))
}

// follow starts a server that follows a scripted master with that snapshot, and waits for the first ACK of the whole of it.
func (e *env) follow(which string, rdb []byte) (*mastertest.Master, *testutil.Server, error) {
	m, err := mastertest.New(mastertest.Config{RDB: rdb, Offset: startOffset, Marked: true, BacklogSize: 64 << 20})
	if err != nil {
		return nil, nil, err
	}
	e.atEnd(m.Close)
	s, err := e.start(which, "--replicaof", "127.0.0.1", m.Port())
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	if err := m.WaitAck(startOffset, syncLimit); err != nil {
		e.stop(s)
		m.Close()
		return nil, nil, fmt.Errorf("waiting for the ACK of the snapshot: %w\n%s", err, s.LogTail(2000))
	}
	return m, s, nil
}

// fullSync is the time from PSYNC to the first ACK of the whole snapshot. The payload is EOF-marked: after one, a replica acknowledges
// at once, while after a payload of declared length it may wait up to a second.
func fullSync(e *env, which string) (sample, error) {
	rdb, err := e.snapshot(e.sizes.keys)
	if err != nil {
		return nil, err
	}
	m, s, err := e.follow(which, rdb)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer m.Close()
	cpu, err := testutil.CPUTime(s.PID()) // of the whole life so far: a server that starts does little
	if err != nil {
		return nil, err
	}
	var asked, acked time.Time
	for _, seen := range m.Seen() {
		switch {
		case len(seen.Args) > 0 && seen.Args[0] == "PSYNC":
			asked = seen.At
		case len(seen.Args) == 3 && seen.Args[1] == "ACK" && seen.Args[2] == strconv.Itoa(startOffset) && acked.IsZero():
			acked = seen.At
		}
	}
	if asked.IsZero() || acked.Before(asked) {
		return nil, fmt.Errorf("no PSYNC before the ACK among %d commands", len(m.Seen()))
	}
	if err := checkKeys(s, e.sizes.keys); err != nil {
		return nil, err
	}
	return sample{"time": acked.Sub(asked).Seconds(), "cpu": cpu.Seconds()}, nil
}

func checkKeys(s *testutil.Server, want int) error {
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	v, err := c.Do("DBSIZE")
	if err != nil || v.Int != int64(want) {
		return fmt.Errorf("DBSIZE of the replica is %v (%v), want %d", v, err, want)
	}
	return nil
}

// streamApply is the rate, in thousands a second, at which a replica applies SETs of 64 bytes on random keys.
func streamApply(e *env, which string) (sample, error) {
	return apply(e, which, e.sizes.streamSets, func(yield func(args ...string)) {
		rnd := rand.New(rand.NewPCG(11, 12))
		value := make([]byte, 64)
		for range e.sizes.streamSets {
			for i := range value {
				value[i] = 'a' + byte(rnd.Uint32()&15)
			}
			yield("SET", fmt.Sprintf("key:%07d", rnd.IntN(e.sizes.streamKeys)), string(value))
		}
	})
}

// apply feeds a stream of n commands to a replica that has nothing yet: thousands of commands a second, from the first byte sent to the ACK of
// the last, and the CPU of one. A GETACK stands at the end, so that nobody waits for the ACK that comes every second.
func apply(e *env, which string, n int, commands func(yield func(args ...string))) (sample, error) {
	rdb, err := e.snapshot(0)
	if err != nil {
		return nil, err
	}
	m, s, err := e.follow(which, rdb)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer m.Close()
	pieces, total := pieces(commands)
	end := m.Offset() + total
	before, err := testutil.CPUTime(s.PID())
	if err != nil {
		return nil, err
	}
	from := time.Now()
	for _, p := range pieces {
		m.Feed(p)
	}
	m.Feed(mastertest.Command("REPLCONF", "GETACK", "*"))
	if err := m.WaitAck(end, syncLimit); err != nil {
		return nil, fmt.Errorf("acknowledged %d of %d: %w\n%s", m.Acked(), end, err, s.LogTail(2000))
	}
	took, done := time.Since(from), float64(n)
	after, err := testutil.CPUTime(s.PID())
	return sample{"rate": done / took.Seconds() / 1000, "cpu": micros(after-before) / done}, err
}

// pieces is the bytes of a stream, in pieces of about a megabyte.
func pieces(commands func(yield func(args ...string))) (list [][]byte, total int64) {
	piece := testutil.AppendCommand(nil, "SELECT", "0")
	flush := func() {
		list = append(list, piece)
		total += int64(len(piece))
		piece = make([]byte, 0, 1<<20)
	}
	commands(func(args ...string) {
		piece = testutil.AppendCommand(piece, args...)
		if len(piece) > 1<<20-256 {
			flush()
		}
	})
	flush()
	return list, total
}

// resync has a replica with a whole dataset take the same dataset again from a master with another history, while a reader asks for random
// keys a thousand times a second (open loop: a late answer delays no later question). Every read must find its key.
func resync(e *env, which string) (sample, error) {
	rdb, err := e.snapshot(e.sizes.keys)
	if err != nil {
		return nil, err
	}
	m, s, err := e.follow(which, rdb)
	if err != nil {
		return nil, err
	}
	defer e.stop(s)
	defer m.Close()
	other, err := mastertest.New(mastertest.Config{RDB: rdb, Offset: startOffset, Marked: true, ReplID: "fedcba9876543210fedcba9876543210fedcba98"})
	if err != nil {
		return nil, err
	}
	defer other.Close()
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	calm := newReader(c, e.sizes.keys)
	calm.start()
	time.Sleep(2 * time.Second)
	before, err := calm.stop()
	if err != nil {
		return nil, err
	}
	r := newReader(c, e.sizes.keys)
	ctl, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	for _, cmd := range [][]string{{"CONFIG", "RESETSTAT"}, {"REPLICAOF", "127.0.0.1", other.Port()}} {
		v, err := ctl.Do(cmd...)
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", cmd, err)
		}
	}
	r.start()
	synced := other.WaitAck(startOffset, syncLimit)
	time.Sleep(500 * time.Millisecond) // the old data is being freed
	latencies, err := r.stop()
	if err := errors.Join(synced, err); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.LogTail(2000))
	}
	got := sample{"calm": ms(before[len(before)-1]), "slowest": ms(latencies[len(latencies)-1]), "p999": ms(latencies[len(latencies)*999/1000])}
	for _, section := range []string{"stats", "everything"} {
		if turn, err := infoNumber(ctl, section, "eventloop_longest_turn_usec", 1000); err == nil {
			got["turn"] = turn
			break
		}
	}
	return got, nil
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// A reader sends GETs at a fixed pace on one connection, whatever the answers do, and keeps each one's latency.
type reader struct {
	c    *testutil.Conn
	keys int
	quit chan struct{}
	sent chan time.Time
	done chan struct{}

	latencies []time.Duration
	err       error
}

func newReader(c *testutil.Conn, keys int) *reader {
	c.SetTimeout(syncLimit)
	return &reader{c: c, keys: keys, quit: make(chan struct{}), sent: make(chan time.Time, 1<<20), done: make(chan struct{})}
}

func (r *reader) start() {
	go func() { // asks
		defer close(r.sent)
		rnd := rand.New(rand.NewPCG(5, 6))
		for next := time.Now(); ; next = next.Add(time.Millisecond) {
			time.Sleep(time.Until(next))
			select {
			case <-r.quit:
				return
			default:
			}
			// The clock starts when the question was due, not when this goroutine got to it.
			r.sent <- next
			if err := r.c.Send("GET", "key:"+strconv.Itoa(rnd.IntN(r.keys))); err != nil {
				return
			}
		}
	}()
	go func() { // listens
		defer close(r.done)
		for due := range r.sent {
			v, _, err := r.c.Read()
			if err != nil {
				r.err = err
				return
			}
			if v.Kind != '$' || v.Null {
				r.err = fmt.Errorf("a GET during the resync was answered %v", v)
				return
			}
			r.latencies = append(r.latencies, time.Since(due))
		}
	}()
}

// stop returns the latencies in rising order.
func (r *reader) stop() ([]time.Duration, error) {
	close(r.quit)
	<-r.done
	if r.err == nil && len(r.latencies) == 0 {
		r.err = errors.New("no read was answered")
	}
	slices.Sort(r.latencies)
	return r.latencies, r.err
}
