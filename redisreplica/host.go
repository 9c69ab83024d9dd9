package redisreplica

import (
	"runtime"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/sysinfo"
)

// This file is the command layer's host: clocks, log, process and timers. All
// methods are called on the loop goroutine.

// UnixMilli is the wall clock at the start of the loop's callback.
func (r *Replica) UnixMilli() int64 { return r.loop.UnixMilli() }

// UnixMicro is the wall clock.
func (r *Replica) UnixMicro() int64 { return time.Now().UnixMicro() }

// Nanos is a monotonic clock.
func (r *Replica) Nanos() int64 { return int64(time.Since(r.start)) }

// Logf writes to the server's log.
func (r *Replica) Logf(level commands.LogLevel, format string, args ...any) {
	r.log.Logf(logging.Level(level), format, args...)
}

// After runs fn on the loop once d nanoseconds have passed.
func (r *Replica) After(d int64, fn func()) {
	time.AfterFunc(time.Duration(max(d, 0)), func() { r.loop.Post(fn) })
}

// Again runs fn in a later turn of the loop.
func (r *Replica) Again(fn func()) { r.loop.Again(fn) }

// Sleep stops the loop.
func (r *Replica) Sleep(nanos int64) { time.Sleep(time.Duration(nanos)) }

// Resume goes on with the input that a client's connection held back.
func (r *Replica) Resume(c *commands.Client) {
	r.serve(c, func() { r.srv.Resume(c) })
}

// Share keeps output that many connections get until the end of the callback.
func (r *Replica) Share(p []byte) commands.Shared { return commands.Shared(r.loop.Share(p)) }

// Answer lets a client that is not being served write replies. It goes on with
// its input in a later turn.
func (r *Replica) Answer(c *commands.Client, fn func()) {
	r.serve(c, fn)
	if rd := c.Reader(); rd != nil && rd.Buffered() > 0 {
		r.loop.Again(func() { r.Resume(c) })
	}
}

// serve lends a client that is not being served the output of its connection.
func (r *Replica) serve(c *commands.Client, fn func()) {
	if l, ok := c.Conn().(*local); ok {
		l.serve(fn)
		return
	}
	cn, ok := c.Conn().(*conn)
	if !ok || cn.client == nil || cn.IsClosed() {
		return
	}
	cn.Append(nil)
	c.SetOutput(cn.Out)
	fn()
	(*handler)(r).finish(cn)
	if !cn.IsClosed() {
		cn.MarkDirty()
	}
}

// Shutdown ends the server after this turn.
func (r *Replica) Shutdown(o commands.ShutdownOptions) error {
	r.loop.Stop()
	return nil
}

// ReleaseLater returns memory that nothing refers to any more to the system.
// For gigabytes that takes tens of milliseconds, and it needs no loop.
func (r *Replica) ReleaseLater(release func()) { go release() }

// Process reports the figures of the process.
func (r *Replica) Process() commands.ProcessInfo {
	rss, file := r.sys.Resident()
	f := r.sys.Facts
	h := r.heap.read()
	all, main, kids := sysinfo.SelfCPU(), sysinfo.ThreadCPU(), sysinfo.ChildrenCPU()
	// The runtime may move the loop to another thread, whose clock is behind: a counter must not go back.
	r.mainCPU.User, r.mainCPU.System = max(r.mainCPU.User, main.User), max(r.mainCPU.System, main.System)
	main = r.mainCPU
	return commands.ProcessInfo{
		PID: f.PID, RSS: rss, FileRSS: file, TotalSystemMemory: f.TotalMemory,
		UserCPU: all.User.Seconds(), SysCPU: all.System.Seconds(),
		UserCPUMain: main.User.Seconds(), SysCPUMain: main.System.Seconds(),
		UserCPUChild: kids.User.Seconds(), SysCPUChild: kids.System.Seconds(),
		OS: f.OS, ArchBits: f.ArchBits, Executable: f.Executable, ConfigFile: r.conf.ConfigFile,
		GoHeapObjects: h.objects, GoHeapInUse: h.inUse, GoHeapSys: h.sys,
		GoNumGC: h.collections, GoGCPauseTotalNanos: h.pauses,
		GoRoutines: runtime.NumGoroutine(),
		TCPPort:    r.tcpPort(), RunID: r.runID, Version: Version,
		StartedAt: f.StartedMs, Supervised: r.manager != nil,
	}
}

// HeapLive is what was alive on the Go heap at the last collection.
func (r *Replica) HeapLive() int64 { return r.heap.live() }

// tcpPort is the port that INFO reports: the plain one, else that of TLS.
func (r *Replica) tcpPort() int {
	if r.v.Port == 0 {
		return r.v.TLSPort
	}
	return r.v.Port
}

// Loop reports the event loop's figures.
func (r *Replica) Loop() commands.LoopInfo {
	s := r.loop.Stats()
	t := r.loop.TurnStats()
	return commands.LoopInfo{
		Turns: int64(t.Callbacks), BusyNanos: int64(t.Busy), LongestTurnNanos: int64(t.Longest),
		Connections: int64(s.Accepted), Rejected: int64(s.Rejected),
		NetInput: int64(s.BytesIn), NetOutput: int64(s.BytesOut), Reads: r.reads, Writes: r.writes,
		TurnBuckets: t.Buckets,
	}
}

// TrimOutput sets after how long the loop's output buffer is trimmed.
func (r *Replica) TrimOutput(after int64) { r.loop.TrimOutput(time.Duration(after)) }

// ResetLoopStats forgets the longest turn.
func (r *Replica) ResetLoopStats() { r.loop.ResetTurnStats() }

// Replication reports the link to the master.
func (r *Replica) Replication() commands.LinkInfo {
	if r.link == nil {
		return commands.LinkInfo{
			Configured: r.linkHost != "", Host: r.linkHost, Port: r.linkPort, State: "connect", LastIOSeconds: -1, DownSinceSeconds: -1,
			Synced: r.synced, SyncsTimed: r.syncs, SyncNanos: r.syncNanos, LastSyncNanos: r.lastSync,
		}
	}
	st := r.link.Status()
	info := commands.LinkInfo{
		Configured: true, Host: r.linkHost, Port: r.linkPort,
		State: r.linkState.State.String(), Up: r.linkState.State == masterlink.StateConnected,
		SyncInProgress: r.linkState.State == masterlink.StateSync,
		LastIOSeconds:  -1, DownSinceSeconds: -1,
		SyncTotalBytes: st.SyncTotal, SyncReadBytes: st.SyncRead,
		SyncStartMilli: r.syncStart, ReadOffset: r.stream.Received(),
		FullSyncs: st.FullSyncs, PartialSyncs: st.PartialSyncs, Reconnects: r.reconnect,
		Synced: r.synced, SyncsTimed: r.syncs, SyncNanos: r.syncNanos, LastSyncNanos: r.lastSync,
	}
	for _, c := range r.queue {
		if !r.fed || c != r.queue[0] {
			info.ReadOffset += int64(len(c.Data))
		}
	}
	if st.LastIO != 0 && info.Up {
		info.LastIOSeconds = (st.Now - st.LastIO) / 1e9
	}
	if st.DownSince != 0 && r.everUp {
		info.DownSinceSeconds = (st.Now - st.DownSince) / 1e9
	}
	if info.SyncInProgress && st.SyncLastIO != 0 {
		info.SyncLastIOSec = (st.Now - st.SyncLastIO) / 1e9
	}
	if r.lastErr != nil {
		info.LastError = r.lastErr.Error()
	}
	return info
}

// watchConfig applies directives that change while the server runs.
func (r *Replica) watchConfig() {
	r.conf.OnChange(func() error {
		n := r.loop.SetMaxConns(r.v.MaxClients)
		if r.tlsServer != nil {
			r.tlsServer.SetMaxConns(n)
		}
		if n < r.v.MaxClients {
			return config.Refuse("The operating system is not able to handle the specified number of clients, try with %d", n)
		}
		return nil
	}, "maxclients")
	r.conf.OnChange(func() error {
		r.loop.SetTCPKeepAlive(time.Duration(r.v.TCPKeepalive) * time.Second)
		return nil
	}, "tcp-keepalive")
	r.conf.OnChange(func() error {
		for _, secret := range r.conf.Passwords() {
			r.log.Hide(secret)
		}
		r.updateLink()
		r.dropRedirects()
		return nil
	}, "requirepass", "masterauth", "masteruser", "write-redirection-user", "write-redirection-auth", "write-redirection-timeout")
	r.conf.OnChange(r.filterChanged, "replica-filter-databases", "replica-filter-keys", "replica-filter-commands")
	r.conf.OnChange(func() error { r.srv.ResizeBacklog(); return nil }, "repl-backlog-size")
	r.conf.OnChange(func() error { r.log.SetLevel(logging.Level(r.v.LogLevel)); return nil }, "loglevel")
	r.conf.OnChange(func() error { r.srv.MemoryLimitsChanged(); return nil }, "maxmemory", "maxmemory-policy", "maxmemory-clients")
	r.conf.OnChange(func() error { r.srv.ConfigChanged(); return nil },
		"requirepass", "proto-max-bulk-len", "client-query-buffer-limit", "notify-keyspace-events",
		"maxmemory-policy", "activerehashing", "active-expire-profile", "lfu-log-factor", "lfu-decay-time",
		"hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries", "zset-max-listpack-entries",
		"zset-max-listpack-value", "list-max-listpack-size", "list-compress-depth", "stream-node-max-bytes", "stream-node-max-entries",
		"write-redirection", "replica-max-staleness", "replica-max-staleness-bytes")
}
