package config

import "strings"

var (
	disklessLoads     = words("disabled", "on-empty-db", "swapdb")
	activeExpires     = words("grace", "no", "immediate")
	propagationErrors = words("ignore", "panic", "panic-on-replicas")
	expireProfiles    = words("default", "small-dataset", "medium-dataset", "large-dataset", "best-performance", "low-latency", "custom")
	evictionPolicies  = words("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction")
	rdbVersions       = []word{{"10", 10}, {"11", 11}, {"12", 12}}
	sanitizeModes     = words("no", "yes", "clients")
)

func replicationRows(r *Registry, v *Values) {
	r.section("Replication")
	replicaofRow(r, v).alias("slaveof").by("masterlink")
	r.text("masteruser", &v.MasterUser, "", nil, "ACL user to log in to the master as.").with(Sensitive).env("REDIS_REPLICA_MASTERUSER").by("masterlink")
	r.text("masterauth", &v.MasterAuth, "", nil, "Password to log in to the master with.").with(Sensitive).raw().env("REDIS_REPLICA_MASTERAUTH").by("masterlink")
	r.bool("replica-serve-stale-data", &v.ReplicaServeStaleData, true, "Answer reads while the link to the master is down.").alias("slave-serve-stale-data").by("commands")
	r.bool("replica-read-only", &v.ReplicaReadOnly, true, "Refuse writes of clients while following a master.").alias("slave-read-only").by("commands")
	enum(r, "replica-active-expire", &v.ReplicaActiveExpire, activeExpires, ExpireGrace, "What a replica deletes by itself: keys that expired longer ago than the grace while it is caught up, nothing (as Redis), or expired keys at once.").with(Own).by("expire")
	integer(r, "replica-expire-grace", &v.ReplicaExpireGrace, signed(0, maxInt), 60, "Seconds of replica-active-expire grace.").with(Own).by("expire")
	integer(r, "repl-timeout", &v.ReplTimeout, signed(1, maxInt), 60, "Seconds of silence after which a master, or a replica of ours, counts as lost.").by("masterlink")
	integer(r, "repl-ping-replica-period", &v.ReplPingPeriod, signed(1, maxInt), 10, "Seconds between pings to replicas of ours.").alias("repl-ping-slave-period").by("replproto")
	memory(r, "repl-backlog-size", &v.ReplBacklogSize, signed(1, maxLong), 1<<20, "Bytes of the stream kept so that a replica of ours can resume, at least 16 KB.").applies(func() error {
		v.ReplBacklogSize = max(v.ReplBacklogSize, 16<<10)
		return nil
	}).by("replproto")
	integer(r, "repl-backlog-ttl", &v.ReplBacklogTTL, signed(0, maxLong), 3600, "Seconds without replicas after which that buffer is freed; 0 keeps it.").by("replproto")
	r.bool("repl-disable-tcp-nodelay", &v.ReplDisableTCPNodelay, false, "Let the system gather small packets to replicas of ours.").by("redisreplica")
	enum(r, "repl-diskless-load", &v.ReplDisklessLoad, disklessLoads, DisklessDisabled, "Where Redis loads a full sync; here it is always decoded beside the old data and swapped in.").with(DenyLoading | NoEffect)
	r.bool("repl-diskless-sync", &v.ReplDisklessSync, true, "Send a full sync to replicas of ours straight from memory, without a file.").by("replproto")
	integer(r, "repl-diskless-sync-delay", &v.ReplDisklessSyncDelay, signed(0, maxInt), 5, "Seconds to wait for more replicas before such a transfer starts.").by("replproto")
	integer(r, "repl-diskless-sync-max-replicas", &v.ReplDisklessSyncMax, signed(0, maxInt), 0, "Replicas at which the transfer starts without further waiting; 0 for no such number.").by("replproto")
	integer(r, "replica-priority", &v.ReplicaPriority, signed(0, maxInt), 100, "Rank for Sentinel's choice of a new master, lowest first; 0 is never chosen.").alias("slave-priority").by("commands")
	r.text("replica-announce-ip", &v.ReplicaAnnounceIP, "", nil, "Address to announce to the master instead of the one it sees.").alias("slave-announce-ip").by("masterlink")
	integer(r, "replica-announce-port", &v.ReplicaAnnouncePort, signed(0, 65535), 0, "Port to announce to the master; 0 announces port.").alias("slave-announce-port").by("masterlink")
	r.bool("replica-announced", &v.ReplicaAnnounced, true, "Let Sentinel report this replica to clients.").by("commands")
	r.bool("replica-ignore-maxmemory", &v.ReplicaIgnoreMaxmemory, true, "Leave eviction to the master while following one.").alias("slave-ignore-maxmemory").by("commands")
	r.bool("replica-lazy-flush", &v.ReplicaLazyFlush, false, "Free the old data in the background after a full sync, which is always done here.").alias("slave-lazy-flush").with(NoEffect)
	integer(r, "min-replicas-to-write", &v.MinReplicasToWrite, signed(0, maxInt), 0, "As a master, refuse writes with fewer good replicas than this.").alias("min-slaves-to-write").by("commands")
	integer(r, "min-replicas-max-lag", &v.MinReplicasMaxLag, signed(0, maxInt), 10, "Seconds without an acknowledgement after which a replica is not good.").alias("min-slaves-max-lag").by("commands")
	enum(r, "propagation-error-behavior", &v.PropagationErrorBehaviour, propagationErrors, PropagationIgnore, "What to do when a command of the master fails here.").by("commands")
	r.bool("replica-ignore-disk-write-errors", new(bool), false, "Go on applying the stream when the append-only file cannot be written.").with(NoEffect)
	r.bool("rdb-del-sync-files", new(bool), false, "Remove the files of a full sync; none are made here.").with(NoEffect)
}

func memoryRows(r *Registry, v *Values) {
	r.section("Memory, expiry and eviction")
	memory(r, "maxmemory", &v.Maxmemory, unsigned(0, noLimit), 0, "Most memory for data before keys are evicted or writes refused; 0 for no limit.").by("commands")
	enum(r, "maxmemory-policy", &v.MaxmemoryPolicy, evictionPolicies, NoEviction, "Which keys are evicted.").by("commands")
	integer(r, "maxmemory-samples", &v.MaxmemorySamples, signed(1, maxInt), 5, "Keys compared for each eviction.").by("commands")
	integer(r, "maxmemory-eviction-tenacity", &v.MaxmemoryTenacity, signed(0, 100), 10, "How long one round of eviction may take, 0 shortest.").by("commands")
	numeric(r, MemoryPc, "maxmemory-clients", &v.MaxmemoryClients, bounds{lo: -100, hi: maxLong, percent: true}, 0, "Most memory of all client buffers before the largest clients are dropped, in bytes or percent of maxmemory; 0 for no limit.").by("commands")
	integer(r, "lfu-log-factor", &v.LFULogFactor, signed(0, maxInt), 10, "How slowly the access counter of LFU saturates.").by("internal/keyspace")
	integer(r, "lfu-decay-time", &v.LFUDecayTime, signed(0, maxInt), 1, "Minutes after which the access counter of LFU is lowered.").by("internal/keyspace")
	integer(r, "active-expire-effort", &v.ActiveExpireEffort, signed(1, 10), 1, "Effort of the expiry cycle, 1 least.").by("expire")
	enum(r, "active-expire-profile", &v.ActiveExpireProfile, expireProfiles, ExpireDefault, "Parameters of the expiry cycle, by the kind of dataset; custom takes the four that follow.").with(Own).by("expire")
	integer(r, "active-expire-sample-size", &v.CustomExpire.SampleSize, signed(1, 1000000), 20, "Profile custom: keys looked at in a round.").with(Own).by("expire")
	integer(r, "active-expire-rounds", &v.CustomExpire.Rounds, signed(1, 1000000), 4, "Profile custom: most rounds in a cycle.").with(Own).by("expire")
	integer(r, "active-expire-batch", &v.CustomExpire.Batch, signed(1, 1000000), 10, "Profile custom: deletions before the clock is looked at again.").with(Own).by("expire")
	integer(r, "active-expire-threshold", &v.CustomExpire.Threshold, signed(0, 100), 25, "Profile custom: percent of expired keys in a sample above which another round follows.").with(Own).by("expire")
	lazy := func(name string, p *bool, what string) {
		r.bool(name, p, false, "Free "+what+" in the background, which this server always does for large values.").with(NoEffect)
	}
	lazy("lazyfree-lazy-eviction", &v.LazyfreeLazyEviction, "evicted keys")
	lazy("lazyfree-lazy-expire", &v.LazyfreeLazyExpire, "expired keys")
	lazy("lazyfree-lazy-server-del", &v.LazyfreeServerDel, "overwritten keys")
	lazy("lazyfree-lazy-user-del", &v.LazyfreeUserDel, "keys of DEL")
	r.bool("lazyfree-lazy-user-flush", &v.LazyfreeUserFlush, false, "Whether FLUSHALL and FLUSHDB without SYNC or ASYNC free in the background, which this server always does.").with(NoEffect)
	integer(r, "tracking-table-max-keys", &v.TrackingTableMaxKeys, unsigned(0, maxLong), 1000000, "Keys remembered for client-side caching; 0 for no limit.").by("commands")
}

func encodingRows(r *Registry, v *Values) {
	r.section("Encodings")
	integer(r, "hash-max-listpack-entries", &v.HashMaxListpackEntries, unsigned(0, maxLong), 512, "Fields up to which a hash is a listpack.").alias("hash-max-ziplist-entries").by("internal/object")
	memory(r, "hash-max-listpack-value", &v.HashMaxListpackValue, unsigned(0, maxLong), 64, "Longest field or value of a listpack hash.").alias("hash-max-ziplist-value").by("internal/object")
	integer(r, "list-max-listpack-size", &v.ListMaxListpackSize, signed(-1<<31, maxInt), -2, "Size of a list's nodes: elements if positive; -1 to -5 for 4, 8, 16, 32 or 64 KB.").alias("list-max-ziplist-size").by("internal/object")
	integer(r, "list-compress-depth", &v.ListCompressDepth, signed(0, maxInt), 0, "Nodes at both ends of a list that are not compressed; 0 compresses none.").by("internal/object")
	integer(r, "set-max-intset-entries", &v.SetMaxIntsetEntries, unsigned(0, maxLong), 512, "Members up to which a set of integers is an intset.").by("internal/object")
	integer(r, "zset-max-listpack-entries", &v.ZsetMaxListpackEntries, unsigned(0, maxLong), 128, "Members up to which a sorted set is a listpack.").alias("zset-max-ziplist-entries").by("internal/object")
	memory(r, "zset-max-listpack-value", &v.ZsetMaxListpackValue, unsigned(0, maxLong), 64, "Longest member of a listpack sorted set.").alias("zset-max-ziplist-value").by("internal/object")
	memory(r, "hll-sparse-max-bytes", &v.HLLSparseMaxBytes, unsigned(0, maxLong), 3000, "Largest sparse HyperLogLog.").by("internal/object")
	memory(r, "stream-node-max-bytes", &v.StreamNodeMaxBytes, unsigned(0, maxLong), 4096, "Largest node of a stream; 0 for no limit.").by("internal/object")
	integer(r, "stream-node-max-entries", &v.StreamNodeMaxEntries, signed(0, maxLong), 100, "Most entries of a stream's node; 0 for no limit.").by("internal/object")
}

func monitoringRows(r *Registry, v *Values) {
	r.section("Monitoring and scripts")
	integer(r, "slowlog-log-slower-than", &v.SlowlogLogSlowerThan, signed(-1, maxLong), 10000, "Microseconds above which a command enters the slow log; -1 turns it off.").by("commands")
	integer(r, "slowlog-max-len", &v.SlowlogMaxLen, signed(0, maxLong), 128, "Entries kept in the slow log.").by("commands")
	integer(r, "latency-monitor-threshold", &v.LatencyMonitorThreshold, signed(0, maxLong), 0, "Milliseconds above which an event enters the latency history; 0 turns it off.").by("commands")
	r.bool("latency-tracking", &v.LatencyTracking, true, "Keep latency histograms of commands.").by("commands")
	percentilesRow(r, "latency-tracking-info-percentiles", &v.LatencyPercentiles, "Percentiles that INFO latencystats reports.").by("commands")
	eventsRow(r, "notify-keyspace-events", &v.NotifyKeyspaceEvents, "Classes of keyspace events to publish, as letters of "+eventLetters+".").by("internal/keyspace")
	integer(r, "busy-reply-threshold", &v.BusyReplyThreshold, signed(0, maxLong), 5000, "Milliseconds after which a running script makes the server answer BUSY; 0: never.").alias("lua-time-limit").by("scripting")
	integer(r, "lua-max-cached-scripts", &v.LuaMaxCachedScripts, signed(0, maxLong), 0, "Scripts that EVAL leaves in the cache before the one not used for the longest time goes; those of SCRIPT LOAD stay. 0 for no limit.").with(Own).by("scripting")
	memory(r, "lua-memory-limit", &v.LuaMemoryLimit, signed(1<<20, maxLong), 128<<20, "Most memory that one script may take while it runs; one that wants more ends with an error.").with(Own).by("scripting")
}

func persistenceRows(r *Registry, v *Values) {
	r.section("Persistence")
	saveRow(r, "save", &v.Save, "Snapshot after so many seconds if so many changes came; pairs, or \"\" for never.").by("redisreplica")
	r.text("dbfilename", &v.DBFilename, "dump.rdb", checkBaseName("dbfilename", "filename", true), "Name of the snapshot file in dir.").with(Protected).by("redisreplica")
	r.bool("rdbcompression", &v.RDBCompression, true, "Compress long strings in snapshots.").by("rdb")
	r.bool("rdbchecksum", &v.RDBChecksum, true, "Write a checksum at the end of snapshots and check it on loading.").with(Immutable).by("rdb")
	enum(r, "rdb-version", &v.RDBVersion, rdbVersions, 10, "Version of the RDBs that are written: 10 is read by Redis 7.0 and later, 11 by 7.2, 12 by 7.4. A dataset with expiries of hash fields is always written in 12.").with(Own).by("commands")
	enum(r, "sanitize-dump-payload", &v.SanitizeDumpPayload, sanitizeModes, SanitizeNo, "Whether Redis checks encoded values deeply on loading; here they always are.").with(NoEffect)
	r.bool("stop-writes-on-bgsave-error", &v.StopWritesOnSaveError, true, "Refuse clients' writes while snapshots by save rules fail.").by("commands")
	r.bool("rdb-save-incremental-fsync", &v.RDBIncrementalFsync, true, "Flush a snapshot to disk every 4 MB while it is written.").by("redisreplica")
	r.bool("replica-save-on-shutdown", &v.ReplicaSaveOnShutdown, false, "Save a snapshot when a replica is shut down although there are no save rules, so that it starts with its data and a partial resync.").with(Own).by("commands")
	integer(r, "rdb-key-save-delay", new(int), signed(-1<<31, maxInt), 0, "Microseconds of delay a saved key, for tests.").with(Hidden | NoEffect)
	integer(r, "key-load-delay", &v.KeyLoadDelay, signed(-1<<31, maxInt), 0, "Microseconds of delay a loaded key, for tests.").with(Hidden | NoEffect)
	integer(r, "loading-process-events-interval-bytes", new(int64), signed(1024, maxInt), 2<<20, "Bytes of a load between looks at clients; here they are always served.").with(Hidden | NoEffect)
	r.bool("appendonly", new(bool), false, "Keep an append-only file.").with(DenyLoading | NoEffect)
	r.text("appendfilename", new(string), "appendonly.aof", checkBaseName("appendfilename", "filename", false), "Base name of the append-only files.").with(Immutable | NoEffect)
	r.text("appenddirname", new(string), "appendonlydir", checkBaseName("appenddirname", "dirname", false), "Directory of the append-only files.").with(Immutable | NoEffect)
	enum(r, "appendfsync", new(int), words("everysec", "always", "no"), 0, "When the append-only file is flushed to disk.").with(NoEffect)
	r.bool("no-appendfsync-on-rewrite", new(bool), false, "Do not flush it while it is rewritten.").with(NoEffect)
	integer(r, "auto-aof-rewrite-percentage", new(int), signed(0, maxInt), 100, "Growth at which it is rewritten.").with(NoEffect)
	memory(r, "auto-aof-rewrite-min-size", new(int64), signed(0, maxLong), 64<<20, "Size below which it is not rewritten.").with(NoEffect)
	r.bool("aof-load-truncated", new(bool), true, "Load it although its end is missing.").with(NoEffect)
	r.bool("aof-use-rdb-preamble", new(bool), true, "Start it with a snapshot.").with(NoEffect)
	r.bool("aof-timestamp-enabled", new(bool), false, "Note times in it.").with(NoEffect)
	r.bool("aof-rewrite-incremental-fsync", new(bool), true, "Flush a rewrite to disk in steps.").with(NoEffect)
	r.bool("aof-disable-auto-gc", new(bool), false, "Keep its old parts.").with(NoEffect)
}

func clusterRows(r *Registry) {
	r.section("Cluster")
	flag := func(name string, def bool, doc string) *Directive {
		return r.bool(name, new(bool), def, doc).with(NoEffect)
	}
	num := func(name string, hi int64, def int, doc string) *Directive {
		return integer(r, name, new(int), signed(0, hi), def, doc).with(NoEffect)
	}
	flag("cluster-enabled", false, "Take part in a Redis Cluster; not supported here.").with(Immutable)
	r.text("cluster-config-file", new(string), "nodes.conf", nil, "File of the cluster's nodes.").with(Immutable | NoEffect)
	integer(r, "cluster-node-timeout", new(int64), signed(0, maxLong), 15000, "Milliseconds after which a node counts as lost.").with(NoEffect)
	num("cluster-port", 65535, 0, "Port of the cluster bus.").with(Immutable)
	num("cluster-replica-validity-factor", maxInt, 10, "How old a replica's data may be for a failover.").alias("cluster-slave-validity-factor")
	num("cluster-migration-barrier", maxInt, 1, "Replicas a master keeps before one may move away.")
	flag("cluster-require-full-coverage", true, "Stop when a slot has no node.")
	flag("cluster-replica-no-failover", false, "Never become a master by itself.").alias("cluster-slave-no-failover")
	flag("cluster-allow-reads-when-down", false, "Answer reads while the cluster is down.")
	flag("cluster-allow-pubsubshard-when-down", true, "Serve sharded Pub/Sub while the cluster is down.")
	flag("cluster-allow-replica-migration", true, "Let replicas move to masters without one.")
	memory(r, "cluster-link-sendbuf-limit", new(uint64), unsigned(0, noLimit), 0, "Limit of a bus link's buffer.").with(NoEffect)
	r.text("cluster-announce-ip", new(string), "", nil, "Address to announce on the bus.").with(NoEffect)
	num("cluster-announce-port", 65535, 0, "Port to announce on the bus.")
	num("cluster-announce-tls-port", 65535, 0, "TLS port to announce on the bus.")
	num("cluster-announce-bus-port", 65535, 0, "Bus port to announce.")
	r.text("cluster-announce-hostname", new(string), "", checkHostname, "Host name to announce on the bus.").with(NoEffect)
	enum(r, "cluster-preferred-endpoint-type", new(int), words("ip", "hostname", "unknown-endpoint"), 0, "What clients are told to connect to.").with(NoEffect)
}

// checkBaseName refuses paths; what is "filename" or "dirname".
func checkBaseName(name, what string, emptyOK bool) func(string) error {
	return func(s string) error {
		switch {
		case s == "" && !emptyOK:
			return Refuse("%s can't be empty", name)
		case strings.ContainsAny(s, `/\`):
			return Refuse("%s can't be a path, just a %s", name, what)
		}
		return nil
	}
}

func checkHostname(s string) error {
	if len(s) >= 256 {
		return replyText("Hostnames must be less than 256 characters")
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return replyText("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}
