package commands

import (
	"fmt"
	"sort"
	"strings"
)

// INFO. Each section is one function that writes its lines; the table below
// gives their order and which of them a plain INFO shows.

type infoSection struct {
	name      string
	isDefault bool
	write     func(s *Server, b *strings.Builder)
}

var infoSections = []infoSection{
	{"server", true, (*Server).infoServer},
	{"clients", true, (*Server).infoClients},
	{"memory", true, (*Server).infoMemory},
	{"persistence", true, (*Server).infoPersistence},
	{"stats", true, (*Server).infoStats},
	{"replication", true, (*Server).infoReplication},
	{"cpu", true, (*Server).infoCPU},
	{"modules", true, (*Server).infoModules},
	{"commandstats", false, (*Server).infoCommandStats},
	{"errorstats", true, (*Server).infoErrorStats},
	{"latencystats", false, (*Server).infoLatencyStats},
	{"cluster", true, (*Server).infoCluster},
	{"keyspace", true, (*Server).infoKeyspace},
	{"eventloop", false, (*Server).infoEventLoop},
}

func infoCommand(c *Client) {
	want := map[string]bool{}
	all, defaults := false, len(c.args) == 1
	for _, a := range c.args[1:] {
		switch name := strings.ToLower(string(a)); name {
		case "all", "everything":
			all = true
		case "default":
			defaults = true
		default:
			want[name] = true
		}
	}
	c.addReplyVerbatim("txt", c.srv.Info(func(sec string, isDefault bool) bool {
		return all || (defaults && isDefault) || want[sec]
	}))
}

// process are the figures of the process, measured once for all sections of an INFO.
func (s *Server) process() *ProcessInfo {
	if s.infoProcess == nil {
		p := s.Host.Process()
		return &p
	}
	return s.infoProcess
}

// Info writes the sections that want selects.
func (s *Server) Info(want func(section string, isDefault bool) bool) string {
	p := s.Host.Process()
	s.infoProcess = &p
	defer func() { s.infoProcess = nil }()
	var b strings.Builder
	b.Grow(8 << 10)
	for _, sec := range infoSections {
		if !want(sec.name, sec.isDefault) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		sec.write(s, &b)
	}
	return b.String()
}

// infoWriter writes "name:value" lines.
func line(b *strings.Builder, name string, v any) {
	b.WriteString(name)
	b.WriteByte(':')
	switch v := v.(type) {
	case string:
		b.WriteString(v)
	case int64:
		b.WriteString(itoa(v))
	case int:
		b.WriteString(itoa(int64(v)))
	default:
		fmt.Fprint(b, v)
	}
	b.WriteString("\r\n")
}

func head(b *strings.Builder, name string) { b.WriteString("# " + name + "\r\n") }

func (s *Server) infoServer(b *strings.Builder) {
	p := s.process()
	head(b, "Server")
	line(b, "redis_version", CompatVersion)
	line(b, "redis_git_sha1", "00000000")
	line(b, "redis_git_dirty", 0)
	line(b, "redis_build_id", "0")
	line(b, "redis_mode", "standalone")
	line(b, "server_name", "redis-inmemory-replica")
	line(b, "server_version", p.Version)
	line(b, "os", p.OS)
	line(b, "arch_bits", p.ArchBits)
	line(b, "monotonic_clock", "Go runtime")
	line(b, "multiplexing_api", "epoll")
	line(b, "atomicvar_api", "go-builtin")
	line(b, "gcc_version", "0.0.0")
	line(b, "process_id", p.PID)
	line(b, "process_supervised", supervisor(p.Supervised))
	line(b, "run_id", p.RunID)
	line(b, "tcp_port", p.TCPPort)
	line(b, "server_time_usec", s.Host.UnixMicro())
	up := (s.now - p.StartedAt) / 1000
	if s.ending != nil {
		line(b, "shutdown_in_milliseconds", max(s.ending.deadline-s.now, 0))
	}
	line(b, "uptime_in_seconds", up)
	line(b, "uptime_in_days", up/86400)
	line(b, "hz", s.hz())
	line(b, "configured_hz", s.V.Hz)
	line(b, "lru_clock", (s.now/1000)&(1<<24-1))
	line(b, "executable", p.Executable)
	line(b, "config_file", p.ConfigFile)
	line(b, "io_threads_active", 0)
}

func supervisor(systemd bool) string {
	if systemd {
		return "systemd"
	}
	return "no"
}

func (s *Server) infoClients(b *strings.Builder) {
	maxIn, maxOut := s.recent.largest()
	head(b, "Clients")
	line(b, "connected_clients", s.clients.n-len(s.repl.replicas))
	line(b, "cluster_connections", 0)
	line(b, "maxclients", s.V.MaxClients)
	line(b, "client_recent_max_input_buffer", maxIn)
	line(b, "client_recent_max_output_buffer", maxOut)
	line(b, "blocked_clients", s.blockedCount)
	line(b, "tracking_clients", s.tracking.clients)
	line(b, "clients_in_timeout_table", len(s.timeouts))
	line(b, "pubsub_clients", s.pubsub.count)
}

func (s *Server) infoStats(b *strings.Builder) {
	lo := s.Host.Loop()
	l := s.Host.Replication()
	st := &s.Stats
	head(b, "Stats")
	line(b, "total_connections_received", lo.Connections)
	line(b, "total_commands_processed", st.Commands)
	line(b, "instantaneous_ops_per_sec", s.ops.rate(0))
	line(b, "total_net_input_bytes", st.netInput)
	line(b, "total_net_output_bytes", lo.NetOutput)
	line(b, "total_net_repl_input_bytes", l.ReadOffset)
	line(b, "total_net_repl_output_bytes", s.Stats.replOutput)
	line(b, "instantaneous_input_kbps", kbps(s.ops.rate(1)))
	line(b, "instantaneous_output_kbps", kbps(s.ops.rate(2)))
	line(b, "instantaneous_input_repl_kbps", kbps(s.ops.rate(3)))
	line(b, "instantaneous_output_repl_kbps", kbps(s.ops.rate(4)))
	line(b, "rejected_connections", lo.Rejected)
	line(b, "sync_full", st.SyncFull)
	line(b, "sync_partial_ok", st.SyncPartialOK)
	line(b, "sync_partial_err", st.SyncPartialErr)
	line(b, "expired_keys", st.ExpiredKeys)
	line(b, "expired_subkeys", st.ExpiredFields)
	line(b, "expired_stale_perc", fmt.Sprintf("%.2f", s.cron.cycle.StaleFraction()*100))
	line(b, "expired_time_cap_reached_count", st.TimeCapReached)
	line(b, "expire_cycle_cpu_milliseconds", st.ExpireCycleTime/1000)
	line(b, "evicted_keys", st.EvictedKeys)
	line(b, "evicted_clients", st.EvictedClients)
	total, current := s.exceededTime()
	line(b, "total_eviction_exceeded_time", total)
	line(b, "current_eviction_exceeded_time", current)
	line(b, "keyspace_hits", st.KeyspaceHits)
	line(b, "keyspace_misses", st.KeyspaceMisses)
	line(b, "pubsub_channels", len(s.pubsub.channels))
	line(b, "pubsub_patterns", len(s.pubsub.patterns))
	line(b, "pubsubshard_channels", len(s.pubsub.shard))
	line(b, "latest_fork_usec", 0)
	line(b, "total_forks", 0)
	line(b, "migrate_cached_sockets", 0)
	line(b, "slave_expires_tracked_keys", 0)
	line(b, "active_defrag_hits", 0)
	line(b, "active_defrag_misses", 0)
	line(b, "active_defrag_key_hits", s.KS.Moved())
	line(b, "active_defrag_key_misses", 0)
	line(b, "total_active_defrag_time", st.compactNanos/1e6)
	line(b, "current_active_defrag_time", 0)
	line(b, "tracking_total_keys", len(s.tracking.table))
	line(b, "tracking_total_items", s.tracking.items)
	line(b, "tracking_total_prefixes", len(s.tracking.prefixes))
	line(b, "unexpected_error_replies", st.ApplyErrors)
	line(b, "total_error_replies", st.ErrorReplies)
	line(b, "dump_payload_sanitizations", 0)
	line(b, "total_reads_processed", lo.Reads)
	line(b, "total_writes_processed", lo.Writes)
	line(b, "io_threaded_reads_processed", 0)
	line(b, "io_threaded_writes_processed", 0)
	line(b, "reply_buffer_shrinks", 0)
	line(b, "reply_buffer_expands", 0)
	line(b, "eventloop_cycles", lo.Turns)
	line(b, "eventloop_duration_sum", lo.BusyNanos/1000)
	line(b, "eventloop_duration_cmd_sum", s.Stats.commandNanos/1000)
	line(b, "instantaneous_eventloop_cycles_per_sec", s.ops.rate(5))
	line(b, "instantaneous_eventloop_duration_usec", s.ops.perTurn())
	line(b, "acl_access_denied_auth", s.aclLog.denied[deniedAuth])
	line(b, "acl_access_denied_cmd", s.aclLog.denied[deniedCommand])
	line(b, "acl_access_denied_key", s.aclLog.denied[deniedKey])
	line(b, "acl_access_denied_channel", s.aclLog.denied[deniedChannel])
}

func kbps(bytesPerSec int64) string { return fmt.Sprintf("%.2f", float64(bytesPerSec)/1024) }

func (s *Server) infoReplication(b *strings.Builder) {
	head(b, "Replication")
	l := s.Host.Replication()
	if !s.Following() {
		line(b, "role", "master")
	} else {
		status := "down"
		if l.Up {
			status = "up"
		}
		line(b, "role", "slave")
		line(b, "master_host", l.Host)
		line(b, "master_port", l.Port)
		line(b, "master_link_status", status)
		line(b, "master_last_io_seconds_ago", l.LastIOSeconds)
		line(b, "master_sync_in_progress", b2i(l.SyncInProgress))
		line(b, "slave_read_repl_offset", l.ReadOffset)
		line(b, "slave_repl_offset", s.Repl.Offset)
		if l.SyncInProgress {
			perc := 0.0
			left := int64(-1)
			if l.SyncTotalBytes > 0 {
				perc = float64(l.SyncReadBytes) * 100 / float64(l.SyncTotalBytes)
				left = l.SyncTotalBytes - l.SyncReadBytes
			}
			line(b, "master_sync_total_bytes", l.SyncTotalBytes)
			line(b, "master_sync_read_bytes", l.SyncReadBytes)
			line(b, "master_sync_left_bytes", left)
			line(b, "master_sync_perc", fmt.Sprintf("%.2f", perc))
			line(b, "master_sync_last_io_seconds_ago", l.SyncLastIOSec)
		}
		if !l.Up {
			line(b, "master_link_down_since_seconds", l.DownSinceSeconds)
		}
		line(b, "slave_priority", s.V.ReplicaPriority)
		line(b, "slave_read_only", b2i(s.V.ReplicaReadOnly))
		line(b, "replica_announced", b2i(s.V.ReplicaAnnounced))
		line(b, "master_link_reconnects", l.Reconnects)
		line(b, "master_full_syncs", l.FullSyncs)
		line(b, "master_partial_syncs", l.PartialSyncs)
		s.infoFreshness(b)
		line(b, "master_apply_errors", s.Stats.ApplyErrors)
		s.infoFilter(b)
		s.infoRedirect(b)
	}
	s.infoReplicas(b)
	line(b, "master_failover_state", failoverNames[s.failover.phase])
	line(b, "master_replid", s.Repl.ID)
	line(b, "master_replid2", s.Repl.ID2)
	line(b, "master_repl_offset", s.Repl.Offset)
	line(b, "second_repl_offset", s.Repl.SecondOffset)
	s.infoBacklog(b)
}

func (s *Server) infoCPU(b *strings.Builder) {
	p := s.process()
	head(b, "CPU")
	f := func(x float64) string { return fmt.Sprintf("%.6f", x) }
	line(b, "used_cpu_sys", f(p.SysCPU))
	line(b, "used_cpu_user", f(p.UserCPU))
	line(b, "used_cpu_sys_children", f(p.SysCPUChild))
	line(b, "used_cpu_user_children", f(p.UserCPUChild))
	line(b, "used_cpu_sys_main_thread", f(p.SysCPUMain))
	line(b, "used_cpu_user_main_thread", f(p.UserCPUMain))
}

func (s *Server) infoModules(b *strings.Builder) { head(b, "Modules") }

func (s *Server) infoCommandStats(b *strings.Builder) {
	head(b, "Commandstats")
	for id := range s.Table.Len() {
		cmd := s.Table.ByID(id)
		st := &s.cmdStats[cmd.ID]
		if st.calls == 0 && st.failed == 0 && st.rejected == 0 {
			continue
		}
		per := 0.0
		if st.calls > 0 {
			per = float64(st.nanos) / 1000 / float64(st.calls)
		}
		fmt.Fprintf(b, "cmdstat_%s:calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d\r\n",
			cmd.FullName, st.calls, st.nanos/1000, per, st.rejected, st.failed)
	}
}

func (s *Server) infoErrorStats(b *strings.Builder) {
	head(b, "Errorstats")
	names := make([]string, 0, len(s.errorStats))
	for n := range s.errorStats {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(b, "errorstat_%s:count=%d\r\n", strings.Map(safeInfoChar, n), *s.errorStats[n])
	}
}

// safeInfoChar keeps what a client made up from breaking INFO's line format.
func safeInfoChar(r rune) rune {
	switch r {
	case '#', ':', '\n', '\r':
		return '_'
	}
	return r
}

func (s *Server) infoLatencyStats(b *strings.Builder) {
	head(b, "Latencystats")
	if !s.V.LatencyTracking {
		return
	}
	for id := range s.Table.Len() {
		cmd := s.Table.ByID(id)
		st := &s.cmdStats[cmd.ID]
		if st.hist == nil {
			continue
		}
		fmt.Fprintf(b, "latency_percentiles_usec_%s:", cmd.FullName)
		for i, p := range s.V.LatencyPercentiles {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "p%g=%.3f", p, float64(st.percentile(p))/1000)
		}
		b.WriteString("\r\n")
	}
}

func (s *Server) infoCluster(b *strings.Builder) {
	head(b, "Cluster")
	line(b, "cluster_enabled", 0)
}

func (s *Server) infoKeyspace(b *strings.Builder) {
	head(b, "Keyspace")
	for i := 0; i < s.KS.Databases(); i++ {
		db := s.KS.DB(i)
		if db.Len() == 0 {
			continue
		}
		fmt.Fprintf(b, "db%d:keys=%d,expires=%d,avg_ttl=%d\r\n", i, db.Len(), db.Expires(), db.AvgTTL())
	}
}

func (s *Server) infoEventLoop(b *strings.Builder) {
	lo := s.Host.Loop()
	head(b, "Eventloop")
	line(b, "eventloop_turns", lo.Turns)
	line(b, "eventloop_longest_turn_usec", lo.LongestTurnNanos/1000)
}
