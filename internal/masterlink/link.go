package masterlink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// Link follows one master until it is stopped.
type Link struct {
	cfg  Config
	host Host

	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	stopped atomic.Bool

	pool   pool
	ackNow chan int64    // offsets that GETACK asked for
	retry  chan struct{} // ends a pause

	// dropped is owned by the loop: chunks of the present connection are unwanted.
	dropped bool

	mu      sync.Mutex
	next    Config   // of the next attempt
	current *session // the connection under way, for Drop
	dropErr error    // why the host dropped it

	applied   atomic.Int64
	acked     atomic.Int64
	state     atomic.Uint32
	lastIO    atomic.Int64
	downSince atomic.Int64
	syncTotal atomic.Int64
	syncRead  atomic.Int64
	syncIO    atomic.Int64
	bytes     atomic.Int64
	fullSyncs atomic.Int64
	partials  atomic.Int64
	denied    atomic.Int64
	failures  atomic.Int64
}

// Start begins to follow the master of cfg. It returns at once; everything that happens
// is told to h.
func Start(cfg Config, h Host) *Link {
	cfg = cfg.withDefaults()
	l := &Link{cfg: cfg, host: h, done: make(chan struct{}),
		next: cfg, ackNow: make(chan int64, 64), retry: make(chan struct{}, 1)}
	l.pool.init(cfg.Chunks)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range cfg.Chunks {
		c := &Chunk{link: l}
		c.deliver = func() {
			if l.stopped.Load() || l.dropped {
				c.Release()
				return
			}
			l.host.OnStream(c)
		}
		l.pool.put(c)
	}
	l.downSince.Store(cfg.Clock())
	l.state.Store(uint32(StateConnect))
	go l.run()
	return l
}

// Stop ends the link and waits until its goroutines are gone; any goroutine but the
// link's own may call it, any number of times. When the loop calls it no method of the
// host runs on the loop afterwards; chunks that the host still holds may be released
// later or never.
func (l *Link) Stop() {
	l.Close()
	<-l.done
}

// Close ends the link without waiting; Done tells when it is gone.
func (l *Link) Close() {
	l.stopped.Store(true)
	l.cancel()
}

// Done is closed when the goroutines of a stopped link are gone.
func (l *Link) Done() <-chan struct{} { return l.done }

// Update changes the configuration: addresses, credentials, announcements, timeouts and
// backoff hold from the next attempt on, and a pause before it ends now. A connection
// under way goes on as it is. Sizes, Clock, Rand and Logf stay those of Start. Any
// goroutine may call it.
func (l *Link) Update(cfg Config) {
	cfg.ChunkSize, cfg.Chunks = l.cfg.ChunkSize, l.cfg.Chunks
	cfg.Clock, cfg.Rand, cfg.Logf = l.cfg.Clock, l.cfg.Rand, l.cfg.Logf
	l.mu.Lock()
	l.next = cfg.withDefaults()
	l.mu.Unlock()
	l.Retry()
}

// Retry ends the pause before the next attempt, if there is one. Any goroutine may call
// it.
func (l *Link) Retry() {
	select {
	case l.retry <- struct{}{}:
	default:
	}
}

// SetApplied tells the offset up to which the stream is applied, for the ACKs. The loop
// calls it after each slice; it costs one atomic store.
func (l *Link) SetApplied(offset int64) { l.applied.Store(offset) }

// SendAckNow answers REPLCONF GETACK with offset, the applied offset that does not yet
// count GETACK itself. It never blocks; the loop calls it.
func (l *Link) SendAckNow(offset int64) {
	select {
	case l.ackNow <- offset:
	default: // 64 answers are under way already; the beat will tell this offset
	}
}

// Drop closes the present connection because what it sent cannot be applied: corruption.
// The loop calls it, on the way to refuse the next Resume with an empty ReplID if the
// history cannot be trusted any more. Chunks of the connection that were not yet handed
// over never are; those that the host holds it must still release.
func (l *Link) Drop(err error) {
	l.dropped = true
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && l.dropErr == nil {
		l.dropErr = err
		go l.current.close() // closing a TLS connection may wait for its peer
	}
}

// Status takes a snapshot of the counters. Any goroutine may call it.
func (l *Link) Status() Status {
	return Status{
		State: State(l.state.Load()), LastIO: l.lastIO.Load(), DownSince: l.downSince.Load(),
		SyncTotal: l.syncTotal.Load(), SyncRead: l.syncRead.Load(), SyncLastIO: l.syncIO.Load(),
		BytesRead: l.bytes.Load(), FullSyncs: l.fullSyncs.Load(), PartialSyncs: l.partials.Load(),
		PartialDenied: l.denied.Load(), Failures: l.failures.Load(), Acked: l.acked.Load(), Now: l.cfg.Clock(),
	}
}

// run is the life of the link goroutine: connect, follow, pause, again.
func (l *Link) run() {
	defer close(l.done)
	defer l.cancel()
	var (
		last    error
		wasUp   bool
		refused bool
		n       int // failures in a row
	)
	for l.ctx.Err() == nil {
		pause := l.config().Backoff.pause(n, refused, l.cfg.Rand())
		l.setState(Change{State: StateConnect, Err: last, Attempt: n, RetryIn: int64(pause), WasUp: wasUp})
		if last != nil {
			l.logFailure(last, wasUp, pause)
		}
		if !l.sleep(pause) {
			return
		}
		s := &session{l: l, cfg: l.config()}
		err := s.run()
		if l.ctx.Err() != nil {
			return
		}
		l.failures.Add(1)
		last, wasUp = fmt.Errorf("master %s: %w", s.cfg.Addr, err), s.upAt != 0
		refused = isRefused(err)
		if wasUp && !s.corrupt && l.cfg.Clock()-s.upAt >= int64(s.worthwhile()) {
			n = 0
		} else {
			n++
		}
	}
}

func (l *Link) config() Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

func isRefused(err error) bool {
	var r *Refused
	if errors.As(err, &r) {
		return true
	}
	var e *replproto.Error
	return errors.As(err, &e) && e.Kind == replproto.KindRefused
}

func (l *Link) logFailure(err error, wasUp bool, pause time.Duration) {
	var e *replproto.Error
	level := Warning
	if errors.As(err, &e) && e.Kind == replproto.KindLater {
		level = Notice
	}
	what := "Sync with master failed"
	if wasUp {
		what = "Connection with master lost"
	}
	l.cfg.Logf(level, "%s: %v; next attempt in %v", what, err, pause.Round(time.Millisecond))
}

func (l *Link) setState(c Change) {
	was := State(l.state.Swap(uint32(c.State)))
	if c.State == StateConnected {
		l.downSince.Store(0)
	} else if was == StateConnected {
		l.downSince.Store(l.cfg.Clock())
	}
	l.host.Post(func() {
		if !l.stopped.Load() {
			l.host.OnState(c)
		}
	})
}

// sleep waits for d, or reports false when the link is stopped first.
func (l *Link) sleep(d time.Duration) bool {
	if d <= 0 {
		return l.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.retry:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// drain waits until the loop has released every chunk.
func (l *Link) drain() bool {
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	n := 0
	defer func() {
		for ; n > 0; n-- {
			l.pool.free <- struct{}{}
		}
	}()
	for n < l.cfg.Chunks {
		select {
		case <-l.pool.free:
			n++
		case <-t.C:
			l.cfg.Logf(Warning, "The rest of the lost link's stream is still being applied (%d chunks); reconnecting after it", l.cfg.Chunks-n)
		case <-l.ctx.Done():
			return false
		}
	}
	return true
}

// resumePoint asks the host on the loop where to go on.
func (l *Link) resumePoint() (r Resume, ok bool) {
	if !l.drain() {
		return Resume{}, false
	}
	asked := make(chan Resume, 1)
	l.host.Post(func() {
		if l.stopped.Load() {
			return
		}
		l.dropped = false
		for len(l.ackNow) > 0 { // asked for on an earlier connection, whose writer is gone
			<-l.ackNow
		}
		asked <- l.host.Resume()
	})
	select {
	case r = <-asked:
		return r, true
	case <-l.ctx.Done():
		return Resume{}, false
	}
}

// install hands a dataset to the loop and waits until it is swapped in. Exactly one side
// disposes of it: the loop once it took it, else the link.
func (l *Link) install(d Loaded, info SyncInfo) bool {
	var taken atomic.Bool
	done := make(chan struct{})
	l.host.Post(func() {
		if !taken.CompareAndSwap(false, true) {
			return
		}
		if l.stopped.Load() {
			l.host.Discard(d)
			return
		}
		l.host.Install(d, info)
		close(done)
	})
	select {
	case <-done:
		return true
	case <-l.ctx.Done():
		if taken.CompareAndSwap(false, true) {
			l.host.Discard(d)
		}
		return false
	}
}
