package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// Which expired keys a replica may delete by itself.
//
// A key that has expired is gone for readers, and its master will delete it. Until
// its DEL comes the key must stay: the master may have kept it alive in time, by a
// PERSIST or an EXPIRE that is still on its way, and an INCR that was sent in time must
// find it. So a replica deletes a key by itself only if it had expired, by the
// master's clock, before a moment up to which all that the master did is applied
// here: what the master meets as expired it deletes, and nothing revives it.
//
//	expired            F = known to be the master's       now
//	──●──── ahead ──┬── grace ──●──── staleness ───────────●──► our clock
//	                └ reclaimed before here
//
// F is a probe's time, when there are probes: then it is exact. Else it is the
// arrival of the last byte, and the grace stands for the time that the bytes were under
// way; a link that has just come up has a backlog to deliver whose length nobody
// knows, so it has to be up for the grace first. A link that falls silent makes F
// stand still.
//
// How far our clock is ahead of the master's is bounded by the snapshot: it
// carries the time at which it was begun, and arrived later. If our clock is set after
// that, the bound moves along.

// clockBound is what a snapshot tells of the master's clock.
type clockBound struct {
	known bool
	ahead int64 // ms by which our clock may be ahead, at most; negative: it is behind
	shift int64 // wall clock less monotonic clock then, ms
}

// clockSlack covers that the snapshot tells its time in seconds, and that a diskless
// master announces it before it has begun.
const clockSlack = 1000

// SnapshotArrived tells how long before its arrival, by the two clocks, a snapshot
// was begun (ms); known is false if it does not say so.
func (s *Server) SnapshotArrived(ahead int64, known bool) {
	s.clock = clockBound{known: known, ahead: ahead + clockSlack, shift: s.wallShift()}
}

func (s *Server) wallShift() int64 { return s.Host.UnixMilli() - s.Host.Nanos()/1e6 }

// clockAhead is the most by which our clock can be ahead of the master's, ms; 0 when
// nothing is known.
func (s *Server) clockAhead() int64 {
	if !s.clock.known {
		return 0
	}
	return max(s.clock.ahead+s.wallShift()-s.clock.shift, 0)
}

// LinkUp tells that the link begins to deliver the stream.
func (s *Server) LinkUp() { s.fresh.upSince = s.Host.Nanos() }

// reclaimBefore is the time (unix ms, our clock) before which a key must have
// expired for the active cycle to delete it; false if none may be.
func (s *Server) reclaimBefore() (int64, bool) {
	if !s.following || s.V.ReplicaActiveExpire == config.ExpireImmediate {
		return s.now, true
	}
	if s.V.ReplicaActiveExpire == config.ExpireNo {
		return 0, false
	}
	l := s.Host.Replication()
	if !l.Up || l.ReadOffset != s.Repl.Offset {
		return 0, false
	}
	now := s.Host.Nanos()
	old := s.staleness(now)
	if old == math.MaxInt64 {
		return 0, false
	}
	grace := int64(s.V.ReplicaExpireGrace) * 1000
	if !s.probing() && now-s.fresh.upSince < grace*1e6 {
		return 0, false
	}
	return s.now - old/1e6 - grace - s.clockAhead(), true
}
