package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
)

// Names: what prometheus-redis-exporter measures too has the exporter's name, labels and unit, so that dashboards and
// alerts made for it go on working; what only this server has begins with redis_replica_.

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// metric is one number of Figures.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	value      func(f *commands.Figures) float64
}

func seconds(nanos int64) float64 { return float64(nanos) / 1e9 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var plainMetrics = []metric{
	// As the exporter has them.
	{"redis_uptime_in_seconds", "Time since the start.", gauge, func(f *commands.Figures) float64 {
		return float64((f.NowMilli - f.Process.StartedAt) / 1000)
	}},
	{"redis_connected_clients", "Connections of clients, without replicas.", gauge, func(f *commands.Figures) float64 { return float64(f.Clients) }},
	{"redis_blocked_clients", "Clients that wait in a blocking command.", gauge, func(f *commands.Figures) float64 { return float64(f.BlockedClients) }},
	{"redis_tracking_clients", "Clients with client-side caching.", gauge, func(f *commands.Figures) float64 { return float64(f.TrackingClients) }},
	{"redis_tracking_total_keys", "Keys whose change somebody will be told of.", gauge, func(f *commands.Figures) float64 { return float64(f.TrackedKeys) }},
	{"redis_config_maxclients", "Most connections at one time.", gauge, func(f *commands.Figures) float64 { return float64(f.MaxClients) }},
	{"redis_connected_slaves", "Replicas of this server.", gauge, func(f *commands.Figures) float64 { return float64(f.Replicas) }},
	{"redis_memory_used_bytes", "Memory in use: dataset, tables, buffers, Go heap.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Used) }},
	{"redis_memory_used_rss_bytes", "Resident memory.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.RSS) }},
	{"redis_memory_used_peak_bytes", "Most memory that was in use.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Peak) }},
	{"redis_memory_used_overhead_bytes", "Memory in use that is not records of keys.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Overhead) }},
	{"redis_memory_used_startup_bytes", "Memory in use at the start.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Startup) }},
	{"redis_memory_used_dataset_bytes", "Records of keys.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Dataset) }},
	{"redis_memory_max_bytes", "maxmemory; 0 for none.", gauge, func(f *commands.Figures) float64 { return float64(f.MaxMemory) }},
	{"redis_allocator_allocated_bytes", "Blocks in use, and objects on the Go heap.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Allocated) }},
	{"redis_allocator_active_bytes", "Slabs and spans that hold those, with their holes.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Active) }},
	{"redis_allocator_resident_bytes", "Resident memory that is not the program's file.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.Resident) }},
	{"redis_mem_clients_normal", "Buffers of clients, bytes.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.ClientsNormal) }},
	{"redis_mem_clients_slaves", "Buffers of replicas, bytes.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.ClientsReplicas) }},
	{"redis_mem_not_counted_for_eviction_bytes", "Memory that maxmemory does not count.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.NotEvictable) }},
	{"redis_commands_processed_total", "Commands executed, those of the master too.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.Commands) }},
	{"redis_connections_received_total", "Connections accepted.", counter, func(f *commands.Figures) float64 { return float64(f.Loop.Connections) }},
	{"redis_rejected_connections_total", "Connections refused for want of room.", counter, func(f *commands.Figures) float64 { return float64(f.Loop.Rejected) }},
	{"redis_net_input_bytes_total", "Bytes that clients have sent.", counter, func(f *commands.Figures) float64 { return float64(f.NetInput) }},
	{"redis_net_output_bytes_total", "Bytes sent to clients.", counter, func(f *commands.Figures) float64 { return float64(f.Loop.NetOutput) }},
	{"redis_keyspace_hits_total", "Look-ups of clients that found their key.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.KeyspaceHits) }},
	{"redis_keyspace_misses_total", "Look-ups of clients that did not.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.KeyspaceMisses) }},
	{"redis_expired_keys_total", "Keys deleted because they expired.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.ExpiredKeys) }},
	{"redis_expired_stale_percentage", "Estimated percentage of keys that have expired and are still there.", gauge, func(f *commands.Figures) float64 { return f.ExpiredStale * 100 }},
	{"redis_expired_time_cap_reached_total", "Expiry cycles that ended for want of time.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.TimeCapReached) }},
	{"redis_evicted_keys_total", "Keys evicted by maxmemory.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.EvictedKeys) }},
	{"redis_pubsub_channels", "Channels with subscribers.", gauge, func(f *commands.Figures) float64 { return float64(f.Channels) }},
	{"redis_pubsub_patterns", "Patterns with subscribers.", gauge, func(f *commands.Figures) float64 { return float64(f.Patterns) }},
	{"redis_slowlog_length", "Entries of the slow log.", gauge, func(f *commands.Figures) float64 { return float64(f.SlowLen) }},
	{"redis_slowlog_last_id", "Id of the newest entry of the slow log.", gauge, func(f *commands.Figures) float64 { return float64(max(f.SlowLast, 0)) }},
	{"redis_last_slow_execution_duration_seconds", "Duration of the newest entry of the slow log.", gauge, func(f *commands.Figures) float64 { return seconds(f.SlowNanos) }},
	{"redis_cpu_sys_seconds_total", "CPU time of the process in the system.", counter, func(f *commands.Figures) float64 { return f.Process.SysCPU }},
	{"redis_cpu_user_seconds_total", "CPU time of the process.", counter, func(f *commands.Figures) float64 { return f.Process.UserCPU }},
	{"redis_cpu_sys_main_thread_seconds_total", "CPU time of the event loop's thread in the system.", counter, func(f *commands.Figures) float64 { return f.Process.SysCPUMain }},
	{"redis_cpu_user_main_thread_seconds_total", "CPU time of the event loop's thread.", counter, func(f *commands.Figures) float64 { return f.Process.UserCPUMain }},
	{"redis_rdb_changes_since_last_save", "Changes since the last snapshot file.", gauge, func(f *commands.Figures) float64 { return float64(f.DirtyKeys) }},
	{"redis_rdb_bgsave_in_progress", "1 while a snapshot file is being written.", gauge, func(f *commands.Figures) float64 { return truth(f.SaveRunning) }},
	{"redis_rdb_last_bgsave_status", "1 if the last snapshot file was written without an error.", gauge, func(f *commands.Figures) float64 { return truth(!f.SaveFailed) }},
	{"redis_rdb_last_save_timestamp_seconds", "When the last snapshot file was written, unix time.", gauge, func(f *commands.Figures) float64 { return float64(f.LastSave) }},
	{"redis_loading_dump_file", "1 while there is no dataset that could be served.", gauge, func(f *commands.Figures) float64 { return truth(f.Loading) }},
	{"redis_master_repl_offset", "Applied offset of the replication stream.", gauge, func(f *commands.Figures) float64 { return float64(f.Repl.Offset) }},
	{"redis_repl_backlog_history_bytes", "Bytes of the stream that partial resyncs of replicas can be served from.", gauge, func(f *commands.Figures) float64 { return float64(f.BacklogBytes) }},
	{"redis_replica_resyncs_full", "Full resyncs given to replicas.", gauge, func(f *commands.Figures) float64 { return float64(f.Stats.SyncFull) }},
	{"redis_replica_partial_resync_accepted", "Partial resyncs given to replicas.", gauge, func(f *commands.Figures) float64 { return float64(f.Stats.SyncPartialOK) }},
	{"redis_replica_partial_resync_denied", "Partial resyncs refused to replicas.", gauge, func(f *commands.Figures) float64 { return float64(f.Stats.SyncPartialErr) }},
	{"redis_total_error_replies", "Error replies.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.ErrorReplies) }},

	// This server's own.
	{"redis_replica_start_time_seconds", "When the process started, unix time.", gauge, func(f *commands.Figures) float64 { return float64(f.Process.StartedAt) / 1000 }},
	{"redis_replica_following", "1 if a master is configured.", gauge, func(f *commands.Figures) float64 { return truth(f.Following) }},
	{"redis_replica_link_up", "1 while the master's stream arrives.", gauge, func(f *commands.Figures) float64 { return truth(f.Link.Up) }},
	{"redis_replica_synced", "1 if the data held is a dataset of the master.", gauge, func(f *commands.Figures) float64 { return truth(f.Link.Synced) }},
	{"redis_replica_lag_bytes", "Bytes of the master's stream that are known of and not applied.", gauge, func(f *commands.Figures) float64 { return float64(f.Freshness.LagBytes) }},
	{"redis_replica_lag_seconds", "How long the oldest of those bytes has been known of; 0 when caught up.", gauge, func(f *commands.Figures) float64 { return float64(f.Freshness.LagMillis) / 1000 }},
	{"redis_replica_probe_round_trip_seconds", "Round trip of the last question for the master's offset.", gauge, func(f *commands.Figures) float64 { return float64(f.Freshness.ProbeMicros) / 1e6 }},
	{"redis_replica_received_offset_bytes", "Offset of the stream up to which it has arrived.", gauge, func(f *commands.Figures) float64 { return float64(f.Link.ReadOffset) }},
	{"redis_replica_applied_offset_bytes", "Offset of the stream up to which it is applied.", gauge, func(f *commands.Figures) float64 { return float64(f.Repl.Offset) }},
	{"redis_replica_link_reconnects_total", "Times that the link was up and broke.", counter, func(f *commands.Figures) float64 { return float64(f.Link.Reconnects) }},
	{"redis_replica_full_syncs_total", "Full resyncs from the present master.", counter, func(f *commands.Figures) float64 { return float64(f.Link.FullSyncs) }},
	{"redis_replica_partial_syncs_total", "Partial resyncs from the present master.", counter, func(f *commands.Figures) float64 { return float64(f.Link.PartialSyncs) }},
	{"redis_replica_sync_in_progress", "1 while a full resync runs.", gauge, func(f *commands.Figures) float64 { return truth(f.Link.SyncInProgress) }},
	{"redis_replica_sync_read_bytes", "Bytes of the running, or last, full resync that have arrived.", gauge, func(f *commands.Figures) float64 { return float64(f.Link.SyncReadBytes) }},
	{"redis_replica_sync_size_bytes", "Its size; 0 when the master does not tell.", gauge, func(f *commands.Figures) float64 { return float64(max(f.Link.SyncTotalBytes, 0)) }},
	{"redis_replica_last_full_sync_duration_seconds", "Duration of the last full resync, from the request to the data in place.", gauge, func(f *commands.Figures) float64 { return seconds(f.Link.LastSyncNanos) }},
	{"redis_replica_apply_errors_total", "Commands of the stream that answered an error.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.ApplyErrors) }},
	{"redis_replica_stale_reads_refused_total", "Reads refused by replica-max-staleness.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.StaleRefused) }},
	{"redis_replica_expired_fields_total", "Fields of hashes deleted because they expired.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.ExpiredFields) }},
	{"redis_replica_expire_cycle_seconds_total", "Time spent looking for expired keys.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.ExpireCycleTime) / 1e6 }},
	{"redis_replica_compaction_seconds_total", "Time spent moving records to close gaps in memory.", counter, func(f *commands.Figures) float64 { return seconds(f.CompactNanos) }},
	{"redis_replica_command_seconds_total", "Time spent in commands.", counter, func(f *commands.Figures) float64 { return seconds(f.CommandNanos) }},
	{"redis_replica_pubsub_clients", "Clients with subscriptions.", gauge, func(f *commands.Figures) float64 { return float64(f.PubSubClients) }},
	{"redis_replica_evicted_clients_total", "Clients closed by maxmemory-clients.", counter, func(f *commands.Figures) float64 { return float64(f.Stats.EvictedClients) }},
	{"redis_replica_stream_output_bytes_total", "Bytes of the stream sent to replicas of this server.", counter, func(f *commands.Figures) float64 { return float64(f.ReplOutput) }},
	{"redis_replica_arena_live_bytes", "Blocks of the arena in use.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.ArenaLive) }},
	{"redis_replica_arena_slab_bytes", "Slabs and page runs that hold them, with their holes.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.ArenaSlabs) }},
	{"redis_replica_arena_committed_bytes", "Memory that the arena has from the system.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.ArenaCommitted) }},
	{"redis_replica_go_heap_live_bytes", "Go heap that was alive at its last collection.", gauge, func(f *commands.Figures) float64 { return float64(f.Memory.GoHeapLive) }},
	{"redis_replica_loop_longest_turn_seconds", "Longest time that the event loop was deaf.", gauge, func(f *commands.Figures) float64 { return seconds(f.Loop.LongestTurnNanos) }},
}

// memoryParts are disjoint.
var memoryParts = []struct {
	name  string
	bytes func(m *commands.MemoryFigures) int64
}{
	{"records", func(m *commands.MemoryFigures) int64 { return m.Dataset }},
	{"tables", func(m *commands.MemoryFigures) int64 { return m.Tables }},
	{"expires", func(m *commands.MemoryFigures) int64 { return m.Expires }},
	{"clients", func(m *commands.MemoryFigures) int64 { return m.ClientsNormal }},
	{"replicas", func(m *commands.MemoryFigures) int64 { return m.ClientsReplicas }},
	{"backlog", func(m *commands.MemoryFigures) int64 { return m.Backlog }},
	{"scripts", func(m *commands.MemoryFigures) int64 { return m.Scripts }},
	{"tracking", func(m *commands.MemoryFigures) int64 { return m.Tracking }},
}

// parts calls fn with each part; what no part explains is "other".
func parts(m *commands.MemoryFigures, fn func(name string, bytes int64)) {
	rest := m.Used
	for _, p := range memoryParts {
		n := p.bytes(m)
		rest -= n
		fn(p.name, n)
	}
	fn("other", max(rest, 0))
}

// linkStates are those of commands.LinkInfo.State.
var linkStates = []string{"connect", "connecting", "handshake", "sync", "connected"}

// turnBounds are the buckets of the loop's histogram that are exported: powers of two, by their exponent, from 1 µs to 4 s.
const firstTurn, lastTurn = 10, 32

// collector makes the metrics of one scrape out of Figures.
type collector struct {
	src   Source
	plain []*prometheus.Desc

	info, linkState, linkUp, linkSync, linkIO, staleness, ready *prometheus.Desc
	memory, keys, expiring, ttl, errors                         *prometheus.Desc
	calls, time, rejected, failed, latency                      *prometheus.Desc
	turns, syncs                                                *prometheus.Desc
	settings                                                    func() *Settings
}

func newCollector(src Source, settings func() *Settings) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	c := &collector{
		src: src, settings: settings,
		info:      d("redis_replica_info", "Always 1; what runs here.", "version", "role", "run_id", "replid"),
		linkState: d("redis_replica_link_state", "1 for the state that the link to the master is in.", "state"),
		linkUp:    d("redis_master_link_up", "1 while the master's stream arrives.", "master_host", "master_port"),
		linkSync:  d("redis_master_sync_in_progress", "1 while a full resync runs.", "master_host", "master_port"),
		linkIO:    d("redis_master_last_io_seconds_ago", "Time since the master was last heard of, whole seconds; -1 while the link is down.", "master_host", "master_port"),
		staleness: d("redis_replica_staleness_seconds", "Time since the data was last known to be the master's; missing if it never was."),
		ready:     d("redis_replica_ready", "1 if /readyz says yes."),
		memory:    d("redis_replica_memory_bytes", "Memory in use by part; what no part explains is other.", "part"),
		keys:      d("redis_db_keys", "Keys by database.", "db"),
		expiring:  d("redis_db_keys_expiring", "Keys with an expiry by database.", "db"),
		ttl:       d("redis_db_avg_ttl_seconds", "Mean time to live by database, estimated.", "db"),
		errors:    d("redis_errors_total", "Error replies by their first word.", "err"),
		calls:     d("redis_commands_total", "Calls by command.", "cmd"),
		time:      d("redis_commands_duration_seconds_total", "Time spent by command.", "cmd"),
		rejected:  d("redis_commands_rejected_calls_total", "Calls refused before execution by command.", "cmd"),
		failed:    d("redis_commands_failed_calls_total", "Calls that answered an error by command.", "cmd"),
		latency:   d("redis_replica_command_duration_seconds", "Durations of calls by command.", "cmd"),
		turns:     d("redis_replica_loop_turn_duration_seconds", "Durations of the event loop's turns: for how long nobody else was served."),
		syncs:     d("redis_replica_full_sync_duration_seconds", "Durations of full resyncs, from the request to the data in place."),
	}
	for _, m := range plainMetrics {
		c.plain = append(c.plain, d(m.name, m.help))
	}
	return c
}

// Describe describes nothing: which series there are depends on the figures, which makes this an unchecked collector.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the loop for figures and makes metrics of them.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f, err := c.src.Figures(ctx, 0, 0)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.info, err)
		return
	}
	put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for i, m := range plainMetrics {
		put(c.plain[i], m.kind, m.value(f))
	}
	role := "master"
	if f.Following {
		role = "slave"
		for _, s := range linkStates {
			put(c.linkState, gauge, truth(s == f.Link.State), s)
		}
		host, port := f.Link.Host, strconv.Itoa(f.Link.Port)
		put(c.linkUp, gauge, truth(f.Link.Up), host, port)
		put(c.linkSync, gauge, truth(f.Link.SyncInProgress), host, port)
		put(c.linkIO, gauge, float64(f.Link.LastIOSeconds), host, port)
		if f.Freshness.StalenessMillis >= 0 {
			put(c.staleness, gauge, float64(f.Freshness.StalenessMillis)/1000)
		}
	}
	put(c.info, gauge, 1, f.Process.Version, role, f.Process.RunID, f.Repl.ID)
	put(c.ready, gauge, truth(Judge(f, c.settings()).Ready))
	parts(&f.Memory, func(name string, n int64) { put(c.memory, gauge, float64(n), name) })
	for _, db := range f.Databases {
		name := "db" + strconv.Itoa(db.ID)
		put(c.keys, gauge, float64(db.Keys), name)
		put(c.expiring, gauge, float64(db.Expires), name)
		put(c.ttl, gauge, float64(db.AvgTTL)/1000, name)
	}
	for _, e := range f.Errors {
		put(c.errors, counter, float64(e.Count), valid(e.Code))
	}
	for i := range f.Commands {
		cmd := &f.Commands[i]
		put(c.calls, counter, float64(cmd.Calls), cmd.Name)
		put(c.time, counter, seconds(cmd.Nanos), cmd.Name)
		put(c.rejected, counter, float64(cmd.Rejected), cmd.Name)
		put(c.failed, counter, float64(cmd.Failed), cmd.Name)
		if cmd.Timed > 0 {
			buckets := make(map[float64]uint64, len(commands.LatencyBounds))
			for i, b := range commands.LatencyBounds {
				buckets[seconds(b)] = uint64(cmd.Counts[i])
			}
			ch <- prometheus.MustNewConstHistogram(c.latency, uint64(cmd.Timed), seconds(cmd.Nanos), buckets, cmd.Name)
		}
	}
	turns, seen := make(map[float64]uint64, lastTurn-firstTurn+1), uint64(0)
	for i, n := range f.Loop.TurnBuckets {
		seen += n
		if i >= firstTurn && i <= lastTurn {
			turns[seconds(1<<i)] = seen
		}
	}
	ch <- prometheus.MustNewConstHistogram(c.turns, seen, seconds(f.Loop.BusyNanos), turns)
	ch <- prometheus.MustNewConstSummary(c.syncs, uint64(f.Link.SyncsTimed), seconds(f.Link.SyncNanos), nil)
}

// metricsHandler answers scrapes.
func (s *Server) metricsHandler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		newCollector(s.src, s.settings.Load),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
