package redisreplica

import (
	"context"
	"net"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/httpapi"
)

// openOps opens the listener of metrics-addr.
func (r *Replica) openOps() error {
	if r.v.MetricsAddr == "" {
		return nil
	}
	s, err := httpapi.Listen(r.v.MetricsAddr, (*figureSource)(r), r.opsSettings(), func(format string, args ...any) {
		r.Logf(commands.LogVerbose, format, args...)
	})
	if err != nil {
		return err
	}
	r.ops = s
	r.conf.OnChange(func() error { s.Set(r.opsSettings()); return nil }, "status-page", "metrics-pprof", "ready-max-lag-ms", "ready-max-lag-bytes")
	return nil
}

func (r *Replica) opsSettings() httpapi.Settings {
	return httpapi.Settings{
		Page: r.v.StatusPage, Pprof: r.v.MetricsPprof,
		MaxLag: time.Duration(r.v.ReadyMaxLag) * time.Millisecond, MaxLagBytes: r.v.ReadyMaxLagBytes,
	}
}

// serveOps begins to answer requests.
func (r *Replica) serveOps() {
	if r.ops != nil {
		r.log.Noticef("Ready to serve metrics and the status page on http://%s/", r.ops.Addr())
		r.ops.Start()
	}
}

func (r *Replica) closeOps() {
	if r.ops != nil {
		r.ops.Close()
	}
}

// MetricsAddr is the address of metrics-addr that is listened on, nil for none.
func (r *Replica) MetricsAddr() net.Addr {
	if r.ops == nil {
		return nil
	}
	return r.ops.Addr()
}

// figureSource asks the loop goroutine on behalf of others. It is the Replica under another name, so that
// these methods are not part of the library's surface.
type figureSource Replica

// Figures measures on the loop.
func (s *figureSource) Figures(ctx context.Context, slow, clients int) (*commands.Figures, error) {
	r := (*Replica)(s)
	answer := make(chan *commands.Figures, 1) // the loop never waits for who has left
	return askLoop(ctx, r, answer, func() {
		if ctx.Err() == nil {
			answer <- r.srv.Figures(slow, clients)
		}
	})
}

// Alive returns once the loop has answered.
func (s *figureSource) Alive(ctx context.Context) error {
	answer := make(chan struct{}, 1)
	_, err := askLoop(ctx, (*Replica)(s), answer, func() { answer <- struct{}{} })
	return err
}

// askLoop posts fn and waits for what it sends.
func askLoop[T any](ctx context.Context, r *Replica, answer <-chan T, fn func()) (v T, err error) {
	if !r.loop.Post(fn) {
		return v, httpapi.ErrStopped
	}
	select {
	case v = <-answer:
		return v, nil
	case <-r.done:
		return v, httpapi.ErrStopped
	case <-ctx.Done():
		return v, ctx.Err()
	}
}
