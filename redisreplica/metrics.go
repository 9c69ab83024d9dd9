package redisreplica

import (
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
)

// MetricsCollector is told of measurements, about once a second and at the end, from a goroutine of its own: it may take its time. For
// Prometheus there is the directive metrics-addr, which needs no collector.
type MetricsCollector interface {
	// SyncDuration: a full sync ended well.
	SyncDuration(d time.Duration)
	// CommandProcessed: calls of a command since the last time, of clients and of the master's stream, and what they took together.
	CommandProcessed(name string, calls int64, took time.Duration)
	// NetworkBytes: bytes received from the master since the last time.
	NetworkBytes(n int64)
	// KeyCount: keys in all databases.
	KeyCount(n int64)
	// MemoryUsage: bytes of the dataset.
	MemoryUsage(bytes int64)
	// Reconnection: the link to the master was lost and is attempted anew; n times since the last time.
	Reconnection(n int64)
	// Error: something went wrong since the last time. kind is "link" (the error is why the link to the master ended) or the first word of an
	// error reply, n how often.
	Error(kind string, n int64)
}

// metricsInterval is the time between two reports.
const metricsInterval = time.Second

// collectMetrics reports until done is closed, and once more then.
func (r *Replica) collectMetrics(stop <-chan struct{}) {
	t := time.NewTicker(metricsInterval)
	defer t.Stop()
	var before metricsState
	for {
		select {
		case <-t.C:
			r.reportMetrics(&before)
		case <-stop:
			r.reportMetrics(&before)
			return
		}
	}
}

// metricsState is what was reported up to now.
type metricsState struct {
	syncs, bytes, reconnects, failures int64
	calls, nanos                       map[string]int64
	errors                             map[string]int64
}

func (r *Replica) reportMetrics(b *metricsState) {
	var f *commands.Figures
	var bytes, failures int64
	if r.visit(func() {
		f = r.srv.Figures(0, 0)
		if r.link != nil {
			st := r.link.Status()
			bytes, failures = st.BytesRead, st.Failures
		}
	}) != nil {
		return
	}
	c := r.lib.metrics
	if n := f.Link.SyncsTimed; n > b.syncs {
		c.SyncDuration(time.Duration(f.Link.LastSyncNanos))
		b.syncs = n
	}
	if b.calls == nil {
		b.calls, b.nanos, b.errors = map[string]int64{}, map[string]int64{}, map[string]int64{}
	}
	for _, cmd := range f.Commands {
		if n := cmd.Calls - b.calls[cmd.Name]; n > 0 {
			c.CommandProcessed(cmd.Name, n, time.Duration(cmd.Nanos-b.nanos[cmd.Name]))
		}
		b.calls[cmd.Name], b.nanos[cmd.Name] = cmd.Calls, cmd.Nanos
	}
	if bytes < b.bytes {
		b.bytes = 0 // another master's link
	}
	if n := bytes - b.bytes; n > 0 {
		c.NetworkBytes(n)
		b.bytes = bytes
	}
	keys := int64(0)
	for _, db := range f.Databases {
		keys += db.Keys
	}
	c.KeyCount(keys)
	c.MemoryUsage(f.Memory.Dataset)
	if n := f.Link.Reconnects - b.reconnects; n > 0 {
		c.Reconnection(n)
	}
	b.reconnects = f.Link.Reconnects
	if failures < b.failures {
		b.failures = 0
	}
	if n := failures - b.failures; n > 0 {
		c.Error("link", n)
		b.failures = failures
	}
	for _, e := range f.Errors {
		if n := e.Count - b.errors[e.Code]; n > 0 {
			c.Error(e.Code, n)
		}
		b.errors[e.Code] = e.Count
	}
}
