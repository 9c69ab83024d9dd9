package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// maxmemory: keys are evicted before each command while the memory is above the limit.
//
// One round ends after a time that maxmemory-eviction-tenacity gives; then the command runs although there is too much
// memory, and eviction goes on between the callbacks of the loop. Only when there is nothing to evict are commands refused
// that may add data. What counts is what the server's data and structures take, not what the system has given it:
// keys, values, tables, and the live part of the Go heap, without buffers towards replicas, since what is evicted adds to those.

// evictionState is what eviction remembers between rounds.
type evictionState struct {
	pool keyspace.EvictionPool
	// goes is set while a round between callbacks is due.
	goes bool
	// overSince is the monotonic time, ns, since which there has been too much memory; 0 when there is not.
	overSince int64
	overTotal int64 // ns, of earlier times
}

// evictResult is the outcome of a round.
type evictResult uint8

const (
	evictOK      evictResult = iota // below the limit
	evictRunning                    // the time was up: the rest follows
	evictFail                       // nothing to evict
)

// EvictionBudget is the time of one round, nanoseconds, for a tenacity of 0 to 100: up to 10 it grows by 50 µs a step, from there
// by 15 percent a step, and 100 is without an end. These are Redis's.
func evictionBudget(tenacity int) int64 {
	switch {
	case tenacity <= 10:
		return int64(tenacity) * 50_000
	case tenacity < 100:
		return int64(500_000 * math.Pow(1.15, float64(tenacity)-10))
	}
	return math.MaxInt64
}

// UsedMemory is what data and structures take, bytes: the blocks of the arena that are in use, and what was alive on the Go heap
// at its last collection. It is what maxmemory limits and INFO's used_memory.
func (s *Server) UsedMemory() int64 { return s.KS.UsedMemory() + s.heapLive }

// overLimit tells by how many bytes the memory is above maxmemory; 0 if it is not, or there is no limit.
func (s *Server) overLimit() int64 {
	if s.V.Maxmemory == 0 {
		return 0
	}
	return max(s.UsedMemory()-s.notEvictable()-int64(s.V.Maxmemory), 0)
}

// notEvictable are the bytes that eviction does not count: what waits to be sent to replicas. Each eviction adds to it.
func (s *Server) notEvictable() int64 {
	n := int64(0)
	for _, c := range s.repl.replicas {
		n += int64(c.conn.Pending())
	}
	return min(n, s.heapLive)
}

// mayEvict tells whether keys may be evicted now. A replica follows its master, a script that stands still is in the middle of
// its work, and a pause of writes is meant for the time in which the data must not change.
func (s *Server) mayEvict() bool {
	return !(s.following && s.V.ReplicaIgnoreMaxmemory) && !s.Loading && !s.Busy() && s.now >= s.paused.until && s.ending == nil
}

// evict brings the memory below maxmemory, or does one round of that.
func (s *Server) evict() evictResult {
	if s.overLimit() == 0 {
		if s.evicting.overSince != 0 {
			s.evicting.overTotal += s.monoNow - s.evicting.overSince
			s.evicting.overSince = 0
		}
		return evictOK
	}
	if !s.mayEvict() {
		return evictOK
	}
	if s.evicting.overSince == 0 {
		s.evicting.overSince = max(s.monoNow, 1)
	}
	by, volatile := keyspace.EvictRandom, false
	switch s.V.MaxmemoryPolicy {
	case config.NoEviction:
		return s.freeInstead()
	case config.AllkeysLRU:
		by = keyspace.EvictIdle
	case config.AllkeysLFU:
		by = keyspace.EvictRare
	case config.VolatileLRU:
		by, volatile = keyspace.EvictIdle, true
	case config.VolatileLFU:
		by, volatile = keyspace.EvictRare, true
	case config.VolatileTTL:
		by, volatile = keyspace.EvictSoon, true
	case config.VolatileRandom:
		volatile = true
	}
	begin := s.Host.Nanos()
	budget := evictionBudget(s.V.MaxmemoryTenacity)
	s.KS.Begin(s.now, keyspace.ExpiryIgnored)
	result := evictOK
	evicted := 0
	for s.overLimit() > 0 {
		// What was deleted and is not free yet comes first, or more keys than needed would go.
		if !s.KS.FreeSome() {
			db, e, ok := s.KS.Victim(&s.evicting.pool, by, volatile, s.V.MaxmemorySamples, s.rand)
			if !ok {
				result = evictFail
				break
			}
			s.keyEvicted(db, e)
			evicted++
		}
		if s.Host.Nanos()-begin > budget {
			result = evictRunning
			s.evictMore()
			break
		}
	}
	if evicted > 0 {
		s.freeMore()
		if len(s.readyKeys) != 0 && s.current == nil && !s.servingBlocked {
			s.serveBlocked()
		}
	}
	s.noteLatency("eviction-cycle", s.Host.Nanos()-begin)
	return result
}

// freeInstead is a round under noeviction: there may be something deleted that only waits to be freed.
func (s *Server) freeInstead() evictResult {
	for s.overLimit() > 0 {
		if !s.KS.FreeSome() {
			return evictFail
		}
	}
	return evictOK
}

// keyEvicted evicts a key and tells everyone.
func (s *Server) keyEvicted(db *keyspace.DB, e keyspace.Entry) {
	begin := s.Host.Nanos()
	key := db.Evict(e)
	s.noteLatency("eviction-del", s.Host.Nanos()-begin)
	s.Stats.EvictedKeys++
	s.dirty++
	s.propagateDeletion(db, key, s.V.LazyfreeLazyEviction)
	s.signalModifiedKey(db, key)
	s.notifyEvent(config.NotifyEvicted, "evicted", key, db.ID)
}

// evictMore has the next round run in a turn of its own.
func (s *Server) evictMore() {
	if s.evicting.goes {
		return
	}
	s.evicting.goes = true
	s.Host.After(evictPause, func() {
		s.evicting.goes = false
		s.now, s.monoNow = s.Host.UnixMilli(), s.Host.Nanos()
		s.evict()
	})
}

// evictPause is between two rounds that no command asked for, nanoseconds: clients are served meanwhile.
const evictPause = 100_000

// memoryGate evicts before a command; true if the command must be refused because memory is short. The master's own commands
// are never refused.
func (s *Server) memoryGate(c *Client, flags Flags) bool {
	short := s.evict() == evictFail
	if s.tracking.clients != 0 {
		s.flushBroadcast()
	}
	s.memoryShort = short
	if !short || c.isMaster() {
		return false
	}
	// Queueing takes memory too.
	return flags&CmdDenyOOM != 0 || c.flags&flagMulti != 0 && c.cmd.Flags&cmdUnqueued == 0
}

// maxmemoryChanged is what a new maxmemory or policy brings with it.
func (s *Server) maxmemoryChanged() {
	s.evicting.pool.Forget()
	if s.V.Maxmemory == 0 || s.overLimit() == 0 {
		return
	}
	s.Host.Logf(LogWarning, "WARNING: the new maxmemory value set via CONFIG SET (%d) is smaller than the current memory usage (%d). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.", s.V.Maxmemory, s.UsedMemory())
	s.evictMore()
}

// exceededTime is how long memory has been above maxmemory: in all and this time, milliseconds.
func (s *Server) exceededTime() (total, current int64) {
	if s.evicting.overSince != 0 {
		current = s.monoNow - s.evicting.overSince
	}
	return (s.evicting.overTotal + current) / 1e6, current / 1e6
}
