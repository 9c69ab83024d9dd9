package demo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

const (
	// period is the time between two steps of the workload, each of which is a handful of writes.
	period = 250 * time.Millisecond
	// users is how many there are. All that the workload keeps is bounded.
	users      = 500
	ioTimeout  = 10 * time.Second
	maxSession = 30 // seconds that a session lives at most
)

// A workload is a small web shop that writes to the master over one connection. Between start and stop a goroutine of its own owns
// it.
type workload struct {
	addr  string
	rd    resp.ReplyReader
	in    []byte
	wire  []byte
	sent  int // commands in wire
	rnd   *rand.Rand
	steps int

	quit chan struct{}
	wg   sync.WaitGroup // of run

	mu sync.Mutex
	nc net.Conn // nil between two connections
}

func newWorkload(addr string) *workload {
	return &workload{addr: addr, in: make([]byte, 16<<10), rnd: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)),
		quit: make(chan struct{})}
}

// open connects and puts in what the shop has at the start.
func (w *workload) open() error {
	if err := w.dial(); err != nil {
		return err
	}
	return w.fill()
}

func (w *workload) dial() error {
	nc, err := net.DialTimeout("tcp", w.addr, ioTimeout)
	if err != nil {
		return err
	}
	w.rd = resp.ReplyReader{}
	w.wire, w.sent = w.wire[:0], 0
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.quit:
		_ = nc.Close()
		return net.ErrClosed
	default:
		w.nc = nc
		return nil
	}
}

// start lets a goroutine do a step each period until stop. It calls online once, when the master first has a replica that follows its stream. A
// connection that is lost, or a master that does not answer for long (CLIENT PAUSE), is tried again.
func (w *workload) start(online func()) { w.wg.Go(func() { w.run(online) }) }

func (w *workload) run(online func()) {
	beat := time.NewTicker(period)
	defer beat.Stop()
	told := false
	for {
		select {
		case <-w.quit:
			return
		case <-beat.C:
		}
		err := w.step()
		if err == nil && !told {
			if told, err = w.replicaOnline(); told {
				online()
			}
		}
		if err != nil {
			w.hangUp()
			_ = w.dial() // a failure shows at the next step
		}
	}
}

// stop ends the workload, in the middle of a step too, and waits for its end; it may be called again.
func (w *workload) stop() {
	w.mu.Lock()
	select {
	case <-w.quit:
	default:
		close(w.quit)
	}
	w.mu.Unlock()
	w.hangUp()
	w.wg.Wait()
}

func (w *workload) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nc != nil {
		_ = w.nc.Close()
		w.nc = nil
	}
}

func (w *workload) conn() net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nc
}

// add puts a command, its words separated by spaces, into the next pipeline.
func (w *workload) add(format string, args ...any) {
	words := strings.Fields(fmt.Sprintf(format, args...))
	w.wire = resp.AppendArray(w.wire, len(words))
	for _, word := range words {
		w.wire = resp.AppendBulkString(w.wire, word)
	}
	w.sent++
}

// flush sends the pipeline and returns the last reply. Errors of the master (somebody made it a replica, or changed a key to
// another type) are not the workload's business.
func (w *workload) flush() (resp.Value, error) {
	nc, wire, want := w.conn(), w.wire, w.sent
	w.wire, w.sent = w.wire[:0], 0
	if nc == nil {
		return resp.Value{}, net.ErrClosed
	}
	if err := nc.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return resp.Value{}, err
	}
	if _, err := nc.Write(wire); err != nil {
		return resp.Value{}, err
	}
	for {
		raw, ok, err := w.rd.Next()
		if err != nil {
			return resp.Value{}, err
		}
		if ok {
			if want--; want == 0 {
				return resp.DecodeValue(raw)
			}
			continue
		}
		n, err := nc.Read(w.in)
		if err != nil {
			return resp.Value{}, err
		}
		w.rd.Feed(w.in[:n])
	}
}

// fill puts in what the shop has before it opens: strings, hashes, sorted sets, a stream, places, a bitmap, a HyperLogLog.
func (w *workload) fill() error {
	names := []string{"ada", "grace", "edsger", "barbara", "donald", "leslie", "tony", "niklaus", "frances", "john"}
	for i := range users {
		w.add("HSET user:%d name %s visits %d joined 2024-%02d-%02d", i, names[i%len(names)], w.rnd.IntN(100), 1+i%12, 1+i%28)
		w.add("SET page:%d:views %d", i, w.rnd.IntN(10000))
		w.add("ZADD leaderboard %d user:%d", w.rnd.IntN(1000), i)
		w.add("GEOADD shops %.4f %.4f shop:%d", w.rnd.Float64()*360-180, w.rnd.Float64()*160-80, i)
		w.add("PFADD visitors user:%d", i)
		if i%50 == 49 {
			if _, err := w.flush(); err != nil {
				return err
			}
		}
	}
	return w.step()
}

// step is a quarter of a second of the shop.
func (w *workload) step() error {
	w.steps++
	user, page := w.rnd.IntN(users), w.rnd.IntN(users)
	w.add("SET clock %s", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	w.add("INCR page:%d:views", page)
	w.add("ZINCRBY leaderboard %d user:%d", 1+w.rnd.IntN(9), user)
	switch w.steps % 4 {
	case 0:
		w.add("SET session:%08x user:%d EX %d", w.rnd.Uint32(), user, 5+w.rnd.IntN(maxSession-5))
		w.add("HINCRBY user:%d visits 1", user)
		w.add("PFADD visitors user:%d", user)
	case 1:
		w.add("LPUSH recent user:%d", user)
		w.add("LTRIM recent 0 99")
		w.add("SETBIT active %d %d", user, w.rnd.IntN(2))
	case 2:
		w.add("XADD events MAXLEN ~ 1000 * user %d page %d", user, page)
		w.add("PUBLISH news user:%d-saw-page:%d", user, page)
	case 3:
		w.add("MULTI")
		w.add("SADD online user:%d", user)
		w.add("SREM online user:%d", w.rnd.IntN(users))
		w.add("EXEC")
	}
	_, err := w.flush()
	return err
}

// replicaOnline asks the master whether a replica follows its stream.
func (w *workload) replicaOnline() (bool, error) {
	w.add("INFO replication")
	v, err := w.flush()
	if err != nil {
		return false, err
	}
	if v.IsError() {
		return false, errors.New(string(v.Str))
	}
	return bytes.Contains(v.Str, []byte("slave0:")) && bytes.Contains(v.Str, []byte("state=online")), nil
}
