package commands

import (
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// OBJECT and MEMORY: what a value costs and how it is held.

// objectLookup finds the key of args[2] without touching it; it answers null
// when there is none.
func (c *Client) objectLookup() (keyspace.Entry, bool) {
	e, ok := c.lookupKeyReadNoTouchCounted(c.args[2])
	if !ok {
		c.addReplyNull()
	}
	return e, ok
}

func objectEncodingCommand(c *Client) {
	if e, ok := c.objectLookup(); ok {
		c.addReplyBulkString(object.EncodingName(e.Type(), e.Encoding()))
	}
}

// refcount is the number of references that Redis would report: integers up to
// 9999 are shared there, unless each key needs an access history of its own.
func (s *Server) refcount(e keyspace.Entry) int64 {
	if e.Encoding() == object.EncInt && !s.lfuPolicy() && !(s.V.Maxmemory > 0 && s.lruPolicy()) {
		if v := e.StringValue(); len(v) <= 4 && v[0] != '-' {
			return math.MaxInt32
		}
	}
	return 1
}

func objectRefcountCommand(c *Client) {
	if e, ok := c.objectLookup(); ok {
		c.addReplyLongLong(c.srv.refcount(e))
	}
}

func (s *Server) lfuPolicy() bool {
	return s.V.MaxmemoryPolicy == config.AllkeysLFU || s.V.MaxmemoryPolicy == config.VolatileLFU
}

func (s *Server) lruPolicy() bool {
	return s.V.MaxmemoryPolicy == config.AllkeysLRU || s.V.MaxmemoryPolicy == config.VolatileLRU
}

func objectIdletimeCommand(c *Client) {
	e, ok := c.objectLookup()
	if !ok {
		return
	}
	if c.srv.lfuPolicy() {
		c.addReplyError("An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
		return
	}
	c.addReplyLongLong(e.IdleSeconds())
}

func objectFreqCommand(c *Client) {
	e, ok := c.objectLookup()
	if !ok {
		return
	}
	if !c.srv.lfuPolicy() {
		c.addReplyError("An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
		return
	}
	c.addReplyLongLong(e.Frequency())
}

func objectHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"ENCODING <key>", "    Answer how the value is held in memory.",
		"FREQ <key>", "    Answer the logarithmic access frequency of the key.",
		"IDLETIME <key>", "    Answer the seconds since the last access to the key.",
		"REFCOUNT <key>", "    Answer the number of references to the value.",
	})
}

func memoryUsageCommand(c *Client) {
	samples := int64(5)
	for j := 3; j < len(c.args); j++ {
		if !equalFold(c.args[j], "samples") || j+1 >= len(c.args) {
			c.addReplyErrorSyntax()
			return
		}
		n, ok := c.longArg(j+1, "")
		if !ok {
			return
		}
		if n < 0 {
			c.addReplyErrorSyntax()
			return
		}
		samples = n
		j++
	}
	e, ok := c.lookupKeyReadNoTouchCounted(c.args[2])
	if !ok {
		c.addReplyNull()
		return
	}
	c.addReplyLongLong(c.db.MemoryUsage(e, int(samples)))
}

func memoryDoctorCommand(c *Client) {
	m := c.srv.KS.Memory()
	if m.Slabs < 5<<20 {
		c.addReplyVerbatim("txt", "The dataset is too small to say anything useful about its memory.\n")
		return
	}
	text := ""
	if m.Slabs > m.Live+m.Live/2 {
		text += fmt.Sprintf(" * Fragmentation: %d bytes are held for %d bytes of data. Compaction gives the rest back over time.\n", m.Slabs, m.Live)
	}
	if m.Committed > m.Slabs+m.Slabs/2 {
		text += " * Free chunks: much memory is committed and unused; MEMORY PURGE returns it now.\n"
	}
	if text == "" {
		text = "Memory looks healthy.\n"
	}
	c.addReplyVerbatim("txt", text)
}

func memoryPurgeCommand(c *Client) {
	c.srv.KS.Purge()
	c.addReplyOK()
}

func memoryMallocStatsCommand(c *Client) {
	m := c.srv.KS.Memory()
	c.addReplyVerbatim("txt", fmt.Sprintf("arena: live %d, slabs %d, committed %d, tables %d, records %d, expires %d\n",
		m.Live, m.Slabs, m.Committed, m.Tables, m.Records, m.Expires))
}

func memoryHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"DOCTOR", "    Answer what looks wrong with the memory, in words.",
		"MALLOC-STATS", "    Answer the figures of the allocator.",
		"PURGE", "    Return unused memory to the system.",
		"STATS", "    Answer where the memory goes.",
		"USAGE <key> [SAMPLES <count>]", "    Estimate the memory that a key takes, bytes.",
	})
}

func memoryStatsCommand(c *Client) {
	s := c.srv
	m := s.KS.Memory()
	p := s.Host.Process()
	used := m.Live + p.GoHeapInUse
	s.peakMemory = max(s.peakMemory, used)
	n := 0
	mark := c.deferredLen()
	num := func(name string, v int64) { c.addReplyBulkString(name); c.addReplyLongLong(v); n++ }
	dbl := func(name string, v float64) { c.addReplyBulkString(name); c.addReplyDouble(v); n++ }
	div := func(a, b int64) float64 {
		if b == 0 {
			return 0
		}
		return float64(a) / float64(b)
	}
	num("peak.allocated", s.peakMemory)
	num("total.allocated", used)
	num("startup.allocated", s.startupMemory)
	num("replication.backlog", 0)
	num("clients.slaves", 0)
	num("clients.normal", s.clientsMemory())
	num("cluster.links", 0)
	num("aof.buffer", 0)
	num("lua.caches", 0)
	num("functions.caches", 0)
	for i := 0; i < s.KS.Databases(); i++ {
		db := s.KS.DB(i)
		if db.Len() == 0 {
			continue
		}
		c.addReplyBulkString("db." + itoa(int64(i)))
		n++
		c.addReplyMapLen(2)
		c.addReplyBulkString("overhead.hashtable.main")
		c.addReplyLongLong(db.TableMemory())
		c.addReplyBulkString("overhead.hashtable.expires")
		c.addReplyLongLong(db.ExpiresMemory())
	}
	num("overhead.total", used-m.Records)
	keys := int64(s.KS.Keys())
	num("keys.count", keys)
	if keys > 0 {
		num("keys.bytes-per-key", max(used-s.startupMemory, 0)/keys)
	} else {
		num("keys.bytes-per-key", 0)
	}
	num("dataset.bytes", m.Records)
	dbl("dataset.percentage", 100*div(m.Records, max(used-s.startupMemory, 1)))
	dbl("peak.percentage", 100*div(used, s.peakMemory))
	num("allocator.allocated", m.Live)
	num("allocator.active", m.Slabs)
	num("allocator.resident", m.Committed)
	dbl("allocator-fragmentation.ratio", div(m.Slabs, m.Live))
	num("allocator-fragmentation.bytes", m.Slabs-m.Live)
	dbl("allocator-rss.ratio", div(m.Committed, m.Slabs))
	num("allocator-rss.bytes", m.Committed-m.Slabs)
	dbl("rss-overhead.ratio", div(p.RSS, m.Committed))
	num("rss-overhead.bytes", p.RSS-m.Committed)
	dbl("fragmentation", div(p.RSS, used))
	num("fragmentation.bytes", p.RSS-used)
	c.setDeferredMapLen(mark, n)
}
