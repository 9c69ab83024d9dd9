package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// cronState is what the periodic work remembers between its runs.
type cronState struct {
	loops int64
	cycle expire.Cycle
}

// Cron is the periodic work of the loop: it runs hz times a second and each
// part of it has a time budget. It returns the delay to the next run,
// nanoseconds.
func (s *Server) Cron() int64 {
	s.now = s.Host.UnixMilli()
	s.monoNow = s.Host.Nanos()
	s.cron.loops++
	hz := int64(s.V.Hz)
	s.KS.SetClock(s.now)

	lo := s.Host.Loop()
	if s.cron.loops%max(hz/10, 1) == 0 {
		s.ops.sample(s.monoNow, s.Stats.Commands, s.Stats.netInput, lo.NetOutput)
	}
	if s.activeExpire && !s.Loading {
		s.activeExpireCycle(1e9 / hz)
	}
	s.KS.Begin(s.now, keyspace.ExpiryIgnored)
	s.KS.Maintain(s.Host.Nanos, 1e6)
	if s.cron.loops%hz == 0 {
		s.clientsCron()
	}
	if m := s.KS.UsedMemory(); m > s.peakMemory {
		s.peakMemory = m
	}
	return 1e9 / hz
}

// clientsCron closes connections that have been idle for longer than timeout.
func (s *Server) clientsCron() {
	limit := int64(s.V.Timeout) * 1000
	if limit == 0 {
		return
	}
	for c := s.clients.head; c != nil; {
		next := c.next
		if c.flags&(flagReplicaConn|flagMaster|flagPubSub) == 0 && c.blocked == nil && s.now-c.lastUsed > limit {
			s.Host.Logf(LogVerbose, "Closing idle client")
			c.conn.Close()
		}
		c = next
	}
}

// activeExpireCycle reclaims expired keys within its share of the period
// (nanoseconds).
//
// A master reclaims what has expired. A replica leaves that to its master's
// DEL; with replica-active-expire it reclaims a key once it has been expired
// for so long that no command under way can still refer to it, and only while
// the link is up and everything received has been applied.
func (s *Server) activeExpireCycle(period int64) {
	rule := keyspace.ExpiryDeletes
	grace := int64(0)
	if s.following {
		rule = keyspace.ExpiryDeletesSilently
		switch s.V.ReplicaActiveExpire {
		case "no":
			return
		case "grace":
			l := s.Host.Replication()
			if !l.Up || l.ReadOffset != s.Repl.Offset {
				return
			}
			grace = int64(s.V.ReplicaExpireGrace) * 1000
		}
	}
	budget := period * int64(s.V.ActiveExpireEffortPercent()) / 100
	s.KS.Begin(s.now, rule)
	r := s.KS.ActiveExpire(&s.cron.cycle, s.now-grace, budget, s.Host.Nanos)
	if r.TimedOut {
		s.Stats.TimeCapReached++
	}
	s.Stats.ExpireCycleTime += r.Nanos / 1000
}
