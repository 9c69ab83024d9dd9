package redisreplica

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"
)

// Start begins to follow the master and to serve. It returns at once; WaitForSync waits for the data. When ctx ends, the replica closes. A second
// call does nothing.
func (r *Replica) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	switch {
	case r.stopped || r.closing:
		r.mu.Unlock()
		return ErrClosed
	case r.started:
		r.mu.Unlock()
		return nil
	}
	r.started = true
	r.lib.forget = context.AfterFunc(ctx, func() { _ = r.Close() })
	r.mu.Unlock()
	if m := r.lib.metrics; m != nil {
		r.goWhileOpen(r.collectMetrics)
	}
	go func() { _ = r.serveUntilStopped() }()
	return nil
}

// Close ends the replica, and returns when nothing of it is left: connections, goroutines, memory. It may be called several times. It must not be
// called from a function that the replica calls.
func (r *Replica) Close() error {
	r.mu.Lock()
	first := !r.closing
	r.closing = true
	started := r.started
	if r.lib.forget != nil {
		r.lib.forget() // a context that lives on must not keep the replica
	}
	r.mu.Unlock()
	if first {
		close(r.lib.stop) // collectors look once more while the loop lives
	}
	r.lib.running.Wait()
	if !started {
		if first {
			r.release()
		}
		return nil
	}
	r.loop.Stop()
	<-r.done
	return r.runErr
}

// goWhileOpen runs fn on a goroutine that Close waits for; false if it is too late. fn ends when the channel that it is given is closed.
func (r *Replica) goWhileOpen(fn func(closing <-chan struct{})) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing || r.stopped {
		return false
	}
	r.lib.running.Go(func() { fn(r.lib.stop) })
	return true
}

// syncWaiters are those who wait for the first dataset.
type syncWaiters struct {
	mu   sync.Mutex
	done chan struct{} // closed once it is in place
	have bool
	fns  []func()
	at   time.Time // of the last full sync's end
}

// synced tells those who wait. It runs on the loop goroutine.
func (w *syncWaiters) synced() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = time.Now()
	if w.have {
		return
	}
	w.have = true
	close(w.done)
	for _, fn := range w.fns {
		go fn()
	}
	w.fns = nil
}

// WaitForSync returns when a dataset of the master is in place: at once if one is, also while the link is down. Without a deadline in ctx it waits
// for WithSyncTimeout at most.
func (r *Replica) WaitForSync(ctx context.Context) error {
	master := ""
	if err := r.visit(func() { master = r.v.MasterHost }); err != nil {
		return err
	}
	if master == "" {
		return ErrNoMaster
	}
	if _, has := ctx.Deadline(); !has && r.lib.times.sync > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.lib.times.sync)
		defer cancel()
	}
	select {
	case <-r.lib.syncs.done:
		return nil
	default:
	}
	select {
	case <-r.lib.syncs.done:
		return nil
	case <-r.lib.stop:
		return ErrClosed
	case <-r.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OnSyncComplete has fn called once, on a goroutine of its own, when the first dataset of the master is in place; if it is already, at once.
func (r *Replica) OnSyncComplete(fn func()) {
	w := &r.lib.syncs
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.have {
		go fn()
		return
	}
	w.fns = append(w.fns, fn)
}

// SyncStatus is how far the replica has come.
type SyncStatus struct {
	InitialSyncCompleted bool // a dataset of the master is in place
	// InitialSyncProgress goes from 0 to 1. Where the master does not tell the size of what it sends (a diskless sync), it is an estimate
	// that comes closer to 1 with each byte.
	InitialSyncProgress float64
	Connected           bool   // the link to the master is up
	MasterHost          string // host:port, "" without a master
	ReplicationOffset   int64  // bytes of the master's stream that are applied
	LastSyncTime        time.Time
	BytesReceived       int64 // from the master, since the start
	CommandsProcessed   int64 // of the master's stream
}

// unsizedScale is the payload, in bytes, at which the estimate of a transfer of unknown size is a half.
const unsizedScale = 64 << 20

// SyncStatus is the present state. Before Start and after Close there is none, but for LastSyncTime.
func (r *Replica) SyncStatus() SyncStatus {
	var s SyncStatus
	_ = r.visit(func() {
		l := r.Replication()
		s.Connected = l.Up
		if l.Configured {
			s.MasterHost = net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
		}
		s.ReplicationOffset = r.srv.Repl.Offset
		s.CommandsProcessed = r.srv.Stats.AppliedCommands
		if r.link != nil {
			s.BytesReceived = r.link.Status().BytesRead
		}
		s.InitialSyncCompleted = l.Synced
		switch read, total := float64(l.SyncReadBytes), float64(l.SyncTotalBytes); {
		case l.Synced:
			s.InitialSyncProgress = 1
		case !l.SyncInProgress:
		case total > 0:
			s.InitialSyncProgress = min(read/total, 1)
		default:
			s.InitialSyncProgress = read / (read + unsizedScale)
		}
	})
	w := &r.lib.syncs
	w.mu.Lock()
	s.LastSyncTime = w.at
	w.mu.Unlock()
	return s
}

// IsConnected tells whether the link to the master is up.
func (r *Replica) IsConnected() bool { return r.SyncStatus().Connected }
