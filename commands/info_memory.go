package commands

import (
	"fmt"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Where the memory is: INFO memory, MEMORY STATS and MEMORY DOCTOR read one set of figures, in which everything adds up.
//
//	used_memory         blocks of the arena in use + what was alive on the Go heap at its last collection
//	  = dataset         records of keys
//	  + overhead        hash tables, expiry indexes, and everything on the Go heap
//	allocator_allocated used_memory + what the Go heap holds and nobody needs any more
//	+ frag_bytes        = active: slabs of the arena and spans of the Go heap, holes included
//	+ rss_bytes         = resident: anonymous memory that the system has given (also free chunks, stacks)
//	+ rss_overhead      = used_memory_rss: the program itself, mapped from its file
type memoryFigures struct {
	used, startup, peak        int64
	dataset, overhead          int64
	allocated, active          int64
	resident, rss              int64
	tables, expires            int64
	clientsNormal              int64
	clientsReplicas            int64
	backlog, replicaBuffers    int64
	vmEval, vmFunctions        int64
	scripts, functions         int64
	scriptCount                int
	libraries, functionsNumber int
	tracking                   int64
	arenaSlabs, arenaLive      int64
	arenaCommitted             int64
	process                    ProcessInfo
}

const (
	// luaStateSize is what an interpreter takes before the first script, bytes; a test of package scripting measures it.
	luaStateSize = 122 << 10
	// scriptOverhead is what a compiled script takes beside its text, bytes, in the mean.
	scriptOverhead = 1200
	// trackedSize is an entry of the invalidation table with its key and one client, bytes.
	trackedSize = 120
)

func (s *Server) memoryFigures() *memoryFigures {
	p := s.process()
	m := s.KS.Memory()
	f := &memoryFigures{
		process: *p, used: s.UsedMemory(), startup: s.startupMemory, dataset: m.Records, tables: m.Tables, expires: m.Expires,
		allocated: m.Live + p.GoHeapObjects, active: m.Slabs + m.Runs + p.GoHeapInUse, rss: p.RSS, resident: p.RSS - p.FileRSS,
		arenaSlabs: m.Slabs + m.Runs, arenaLive: m.Live, arenaCommitted: m.Committed,
	}
	s.peakMemory = max(s.peakMemory, f.used)
	f.peak = s.peakMemory
	f.overhead = f.used - f.dataset
	for c := s.clients.head; c != nil; c = c.next {
		if c.flags&flagReplicaConn != 0 {
			f.clientsReplicas += c.memory()
			f.replicaBuffers += int64(c.conn.Pending())
		} else {
			f.clientsNormal += c.memory()
		}
	}
	if b := s.repl.backlog; b != nil {
		f.backlog = b.Memory()
		f.replicaBuffers += f.backlog
	}
	if s.script != nil {
		f.vmEval = luaStateSize
		f.scriptCount = len(s.script.bySHA)
		f.scripts = s.script.bytes + int64(f.scriptCount)*scriptOverhead
	}
	if s.functions.engine != nil {
		f.vmFunctions = luaStateSize
		f.libraries, f.functionsNumber = len(s.functions.libs), len(s.functions.byName)
		for _, l := range s.functions.libs {
			f.functions += int64(len(l.Code) + len(l.Name))
		}
		f.functions += int64(f.libraries+f.functionsNumber) * scriptOverhead
	}
	f.tracking = int64(len(s.tracking.table)) * trackedSize
	return f
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (s *Server) infoMemory(b *strings.Builder) {
	f := s.memoryFigures()
	perc := func(a, b int64) string { return fmt.Sprintf("%.2f%%", 100*ratio(a, b)) }
	human := func(name string, n int64) {
		line(b, name, n)
		line(b, name+"_human", string(numeric.AppendBytesHuman(nil, uint64(max(n, 0)))))
	}
	times := func(name string, a, b2 int64) { line(b, name, fmt.Sprintf("%.2f", ratio(a, b2))) }
	head(b, "Memory")
	human("used_memory", f.used)
	human("used_memory_rss", f.rss)
	human("used_memory_peak", f.peak)
	line(b, "used_memory_peak_perc", perc(f.used, f.peak))
	line(b, "used_memory_overhead", f.overhead)
	line(b, "used_memory_startup", f.startup)
	line(b, "used_memory_dataset", f.dataset)
	line(b, "used_memory_dataset_perc", perc(f.dataset, max(f.used-f.startup, 1)))
	line(b, "allocator_allocated", f.allocated)
	line(b, "allocator_active", f.active)
	line(b, "allocator_resident", f.resident)
	human("total_system_memory", f.process.TotalSystemMemory)
	line(b, "used_memory_lua", f.vmEval)
	line(b, "used_memory_vm_eval", f.vmEval)
	line(b, "used_memory_lua_human", string(numeric.AppendBytesHuman(nil, uint64(f.vmEval))))
	line(b, "used_memory_scripts_eval", f.scripts)
	line(b, "number_of_cached_scripts", f.scriptCount)
	line(b, "number_of_functions", f.functionsNumber)
	line(b, "number_of_libraries", f.libraries)
	line(b, "used_memory_vm_functions", f.vmFunctions)
	human("used_memory_vm_total", f.vmEval+f.vmFunctions)
	line(b, "used_memory_functions", f.functions)
	human("used_memory_scripts", f.scripts+f.functions)
	human("maxmemory", int64(s.V.Maxmemory))
	line(b, "maxmemory_policy", s.V.MaxmemoryPolicy)
	times("allocator_frag_ratio", f.active, f.allocated)
	line(b, "allocator_frag_bytes", f.active-f.allocated)
	times("allocator_rss_ratio", f.resident, f.active)
	line(b, "allocator_rss_bytes", f.resident-f.active)
	times("rss_overhead_ratio", f.rss, f.resident)
	line(b, "rss_overhead_bytes", f.rss-f.resident)
	times("mem_fragmentation_ratio", f.rss, f.used)
	line(b, "mem_fragmentation_bytes", f.rss-f.used)
	line(b, "mem_not_counted_for_evict", s.notEvictable())
	line(b, "mem_replication_backlog", f.backlog)
	line(b, "mem_total_replication_buffers", f.replicaBuffers)
	line(b, "mem_clients_slaves", f.clientsReplicas)
	line(b, "mem_clients_normal", f.clientsNormal)
	line(b, "mem_cluster_links", 0)
	line(b, "mem_aof_buffer", 0)
	line(b, "mem_allocator", "arena")
	line(b, "active_defrag_running", b2i(s.KS.Compacting()))
	line(b, "lazyfree_pending_objects", s.KS.LazyPending())
	line(b, "lazyfreed_objects", s.KS.LazyFreed())
	line(b, "mem_table", f.tables)
	line(b, "mem_expires_index", f.expires)
	line(b, "mem_tracking_table", f.tracking)
	line(b, "arena_live", f.arenaLive)
	line(b, "arena_slabs", f.arenaSlabs)
	line(b, "arena_committed", f.arenaCommitted)
	line(b, "go_heap_live", s.heapLive)
	line(b, "go_heap_inuse", f.process.GoHeapInUse)
	line(b, "go_heap_sys", f.process.GoHeapSys)
	line(b, "go_gc_runs", f.process.GoNumGC)
	line(b, "go_gc_pause_total_usec", f.process.GoGCPauseTotalNanos/1000)
	line(b, "goroutines", f.process.GoRoutines)
}

func memoryStatsCommand(c *Client) {
	s := c.srv
	f := s.memoryFigures()
	n := 0
	mark := c.deferredLen()
	num := func(name string, v int64) { c.addReplyBulkString(name); c.addReplyLongLong(v); n++ }
	dbl := func(name string, v float64) { c.addReplyBulkString(name); c.addReplyDouble(v); n++ }
	num("peak.allocated", f.peak)
	num("total.allocated", f.used)
	num("startup.allocated", f.startup)
	num("replication.backlog", f.backlog)
	num("clients.slaves", f.clientsReplicas)
	num("clients.normal", f.clientsNormal)
	num("cluster.links", 0)
	num("aof.buffer", 0)
	num("lua.caches", f.scripts)
	num("functions.caches", f.functions)
	for i := 0; i < s.KS.Databases(); i++ {
		db := s.KS.DB(i)
		if db.Len() == 0 {
			continue
		}
		c.addReplyBulkString("db." + itoa(int64(i)))
		n++
		c.addReplyMapLen(3)
		c.addReplyBulkString("overhead.hashtable.main")
		c.addReplyLongLong(db.TableMemory())
		c.addReplyBulkString("overhead.hashtable.expires")
		c.addReplyLongLong(db.ExpiresMemory())
		c.addReplyBulkString("overhead.hashtable.slot-to-keys")
		c.addReplyLongLong(0)
	}
	num("overhead.total", f.overhead)
	keys := int64(s.KS.Keys())
	num("keys.count", keys)
	num("keys.bytes-per-key", max(f.used-f.startup, 0)/max(keys, 1)*min(keys, 1))
	num("dataset.bytes", f.dataset)
	dbl("dataset.percentage", 100*ratio(f.dataset, max(f.used-f.startup, 1)))
	dbl("peak.percentage", 100*ratio(f.used, f.peak))
	num("allocator.allocated", f.allocated)
	num("allocator.active", f.active)
	num("allocator.resident", f.resident)
	dbl("allocator-fragmentation.ratio", ratio(f.active, f.allocated))
	num("allocator-fragmentation.bytes", f.active-f.allocated)
	dbl("allocator-rss.ratio", ratio(f.resident, f.active))
	num("allocator-rss.bytes", f.resident-f.active)
	dbl("rss-overhead.ratio", ratio(f.rss, f.resident))
	num("rss-overhead.bytes", f.rss-f.resident)
	dbl("fragmentation", ratio(f.rss, f.used))
	num("fragmentation.bytes", f.rss-f.used)
	c.setDeferredMapLen(mark, n)
}

// memoryDoctorFrom is how much memory there must be for ratios to mean something, bytes.
const memoryDoctorFrom = 16 << 20

// memoryDoctorCommand says in words what looks wrong with the memory.
func memoryDoctorCommand(c *Client) {
	s := c.srv
	f := s.memoryFigures()
	if f.used < memoryDoctorFrom {
		c.addReplyVerbatim("txt", "The dataset is too small to say anything useful about its memory.\n")
		return
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, " * "+format+"\n", args...) }
	if f.peak > f.used+f.used/2 {
		say("Peak memory: the server has used %d bytes in the past and %d now. What the system does not need for others may still be resident; MEMORY PURGE returns it.", f.peak, f.used)
	}
	if f.arenaSlabs > f.arenaLive+f.arenaLive*2/5 && f.arenaSlabs-f.arenaLive > memoryDoctorFrom {
		say("Fragmentation: the arena holds %d bytes for %d bytes of data. Compaction closes the gaps by itself, as time allows.", f.arenaSlabs, f.arenaLive)
	}
	if f.resident > f.active+f.active/10 && f.resident-f.active > memoryDoctorFrom {
		say("Free memory that is resident: %d bytes belong to the server and hold nothing. MEMORY PURGE returns them.", f.resident-f.active)
	}
	if n := int64(s.clients.n); n > 0 && f.clientsNormal/n > 200<<10 {
		say("Client buffers: %d clients hold %d bytes in all. Look at CLIENT LIST for those that do not read, and at maxmemory-clients.", n, f.clientsNormal)
	}
	if n := int64(len(s.repl.replicas)); n > 0 && f.clientsReplicas/n > 10<<20 {
		say("Replica buffers: %d replicas have %d bytes to read. They are slow, or their network is.", n, f.clientsReplicas)
	}
	if f.scriptCount > 1000 {
		say("Scripts: %d are cached. Scripts that differ in every call should take what differs as arguments.", f.scriptCount)
	}
	if s.V.Maxmemory > 0 && s.overLimit() > 0 {
		say("maxmemory: %d bytes are used beyond the limit, and the policy is %v.", s.overLimit(), s.V.MaxmemoryPolicy)
	}
	if b.Len() == 0 {
		c.addReplyVerbatim("txt", "Memory looks healthy.\n")
		return
	}
	c.addReplyVerbatim("txt", "What looks wrong:\n\n"+b.String())
}

func memoryPurgeCommand(c *Client) {
	c.srv.KS.Purge()
	c.addReplyOK()
}

// memoryMallocStatsCommand is the allocator's own report: where the bytes are, and what each size of block takes.
func memoryMallocStatsCommand(c *Client) {
	f := c.srv.memoryFigures()
	var b strings.Builder
	fmt.Fprintf(&b, "arena: live %d, slabs %d, committed %d bytes\n", f.arenaLive, f.arenaSlabs, f.arenaCommitted)
	fmt.Fprintf(&b, "of the live bytes: tables %d, expiry indexes %d, records %d\n", f.tables, f.expires, f.dataset)
	fmt.Fprintf(&b, "go heap: live %d, objects %d, in use %d, from the system %d bytes, %d collections\n",
		c.srv.heapLive, f.process.GoHeapObjects, f.process.GoHeapInUse, f.process.GoHeapSys, f.process.GoNumGC)
	fmt.Fprintf(&b, "resident: %d bytes, of which anonymous %d\n", f.rss, f.resident)
	b.WriteString("\nblocks of   live bytes  slab bytes  used\n")
	c.srv.KS.EachClass(func(size, live, slabs int64) {
		fmt.Fprintf(&b, "%9d %12d %11d %4.0f%%\n", size, live, slabs, 100*ratio(live, slabs))
	})
	c.addReplyVerbatim("txt", b.String())
}
