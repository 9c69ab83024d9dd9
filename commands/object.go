package commands

import (
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

func memoryHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"DOCTOR", "    Answer what looks wrong with the memory, in words.",
		"MALLOC-STATS", "    Answer the figures of the allocator.",
		"PURGE", "    Return unused memory to the system.",
		"STATS", "    Answer where the memory goes.",
		"USAGE <key> [SAMPLES <count>]", "    Estimate the memory that a key takes, bytes.",
	})
}
