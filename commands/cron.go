package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// cronState is what the periodic work remembers between its runs.
type cronState struct {
	loops int64
	cycle *expire.Cycle
	// fields is the cycle over the expiring fields of hashes.
	fields *expire.Cycle
	// freeing is set while a slice of freeing is due.
	freeing bool
}

// Cron is the periodic work of the loop: it runs hz times a second and each
// part of it has a time budget. It returns the delay to the next run,
// nanoseconds.
func (s *Server) Cron() int64 {
	s.now = s.Host.UnixMilli()
	s.monoNow = s.Host.Nanos()
	s.cron.loops++
	hz := s.hz()
	s.KS.SetClock(s.now)
	if s.debug.cronPaused {
		return 1e9 / hz
	}
	s.heapLive = s.Host.HeapLive()

	if s.cron.loops%max(hz/10, 1) == 0 {
		s.sampleRates()
	}
	s.armProbe()
	if len(s.offsetWaits) != 0 {
		s.endOffsetWaits(s.now)
	}
	if s.activeExpire && !s.Loading && !s.Busy() && s.ending == nil {
		s.activeExpireCycle(1e9 / hz)
		if len(s.readyKeys) != 0 {
			s.serveBlocked() // whose stream has expired is told
		}
	}
	s.maintain()
	s.saveCron()
	s.clientsCron(hz)
	if s.cron.loops%hz == 0 {
		s.recent.nextSecond()
		s.replicasCron()
		s.boundTracking()
		s.flushBroadcast()
	}
	s.evictClients()
	s.peakMemory = max(s.peakMemory, s.UsedMemory())
	return 1e9 / hz
}

const (
	clientsPerTick = 200 // that dynamic-hz aims at, as in Redis
	maxHz          = 500
)

// hz is how often a second cron runs: as configured, or with dynamic-hz more often the more clients there are.
func (s *Server) hz() int64 {
	hz := int64(s.V.Hz)
	for s.V.DynamicHz && hz < maxHz && int64(s.clients.n)/hz > clientsPerTick {
		hz = min(hz*2, maxHz)
	}
	return hz
}

// Freeing goes on between the runs of cron, in slices of freeSlice with pauses of
// freePause, nanoseconds: half of the loop's time while there is something to free,
// in steps that a reader does not notice.
const (
	maintainSlice = 1e6
	freeSlice     = 500_000
	freePause     = 500_000
)

// maintain is cron's slice of the keyspace's slow work.
func (s *Server) maintain() {
	s.KS.Begin(s.now, keyspace.ExpiryIgnored)
	begin, moving := s.Host.Nanos(), s.KS.Compacting()
	s.KS.Maintain(s.Host.Nanos, maintainSlice)
	if moving || s.KS.Compacting() {
		took := s.Host.Nanos() - begin
		s.Stats.compactNanos += took
		s.noteLatency("active-defrag-cycle", took)
	}
	s.freeMore()
}

// freeMore has the next slice of freeing run soon, if there is one.
func (s *Server) freeMore() {
	if s.cron.freeing || s.KS.LazyPending() == 0 {
		return
	}
	s.cron.freeing = true
	s.Host.After(freePause, func() {
		s.cron.freeing = false
		if s.Busy() {
			return // a script is half way through; cron comes back to it
		}
		s.KS.Free(s.Host.Nanos, freeSlice)
		s.freeMore()
	})
}

const (
	clientsAtLeast = 5   // looked at in each run of cron
	idleBuffers    = 2e3 // ms of silence after which a client's buffers are given back
)

// clientsCron looks at each client once a second, at a part of them in each of the hz runs: it closes those that have been idle for
// longer than timeout, and gives the buffers of idle ones back.
func (s *Server) clientsCron(hz int64) {
	limit := int64(s.V.Timeout) * 1000
	for range min(max((s.clients.n+int(hz)-1)/int(hz), clientsAtLeast), s.clients.n) {
		c := s.clients.nextInTurn()
		if n := c.conn.Pending(); n != c.waiting {
			c.waiting, c.lastUsed = n, s.now
		}
		idle := s.now - c.lastUsed
		if idle > idleBuffers && c.reader.BufferCap() > 0 {
			c.reader.Release()
			s.account(c)
		}
		if limit != 0 && idle > limit && c.flags&(flagReplicaConn|flagMaster|flagPubSub|flagMonitor) == 0 && c.blocked == nil {
			s.Host.Logf(LogVerbose, "Closing idle client")
			c.conn.Close()
		}
	}
}

// activeExpireCycle reclaims expired keys within its share of the period
// (nanoseconds). Which ones a replica may reclaim stands in reclaim.go.
func (s *Server) activeExpireCycle(period int64) {
	before, ok := s.reclaimBefore()
	if !ok {
		return
	}
	// active-expire-effort adds to the share of time, as in Redis: 25 % and 2 %
	// more for each step.
	percent := int64(expire.SlowPercent + 2*(s.V.ActiveExpireEffort-1))
	s.KS.Begin(s.now, keyspace.ExpiryDeletes)
	begin := s.Host.Nanos()
	r := s.KS.ActiveExpire(s.cron.cycle, before, period*percent/100)
	// The fields of hashes come after the keys: those that a key took along need
	// no visit. They have half the time that the keys have.
	f := s.KS.ActiveExpireFields(s.cron.fields, before, period*percent/200)
	if r.TimedOut || f.TimedOut {
		s.Stats.TimeCapReached++
	}
	took := s.Host.Nanos() - begin
	s.Stats.ExpireCycleTime += took / 1000
	s.noteLatency("expire-cycle", took)
}

// expireProfile is the configured profile of the active expiry cycle.
func expireProfile(v *config.Values) expire.Profile {
	switch v.ActiveExpireProfile {
	case config.ExpireSmallDataset:
		return expire.SmallDataset
	case config.ExpireMediumDataset:
		return expire.MediumDataset
	case config.ExpireLargeDataset:
		return expire.LargeDataset
	case config.ExpireBestPerformance:
		return expire.BestPerformance
	case config.ExpireLowLatency:
		return expire.LowLatency
	case config.ExpireCustom:
		if p, err := expire.Custom(v.CustomExpire.SampleSize, v.CustomExpire.Rounds, v.CustomExpire.Batch, v.CustomExpire.Threshold); err == nil {
			return p
		}
	}
	return expire.Default
}
