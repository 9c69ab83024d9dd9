package eventloop

import (
	"math/bits"
	"time"
)

// clock is the loop's time, read once at the start of each callback.
type clock struct {
	base time.Time // monotonic zero
	wall int64     // unix ns at base
	now  int64     // ns since base
}

func (k *clock) init() {
	k.base = time.Now()
	k.wall = k.base.UnixNano()
}

func (k *clock) read() { k.now = int64(time.Since(k.base)) }

func (k *clock) sinceRead() int64 { return int64(time.Since(k.base)) - k.now }

// sync follows steps of the wall clock; called each tick.
func (k *clock) sync() {
	t := time.Now()
	k.wall = t.UnixNano() - int64(t.Sub(k.base))
}

// Nanotime returns the monotonic time, in ns since the loop was made, at which the current
// callback began. Loop goroutine only.
func (l *Loop) Nanotime() int64 { return l.clock.now }

// UnixMilli returns the wall-clock time, in ms since 1970, at which the current
// callback began. Steps of the system's clock are followed each tick. Loop goroutine only.
func (l *Loop) UnixMilli() int64 { return (l.clock.wall + l.clock.now) / 1e6 }

// TurnStats tells how long the loop was deaf: the durations of its callbacks, flushing included. Up
// to 64 posted functions count as one callback.
type TurnStats struct {
	Callbacks uint64
	Busy      time.Duration // sum
	Longest   time.Duration
	// Buckets[i] counts callbacks of less than 1<<i ns (and not less than 1<<(i-1)); the last
	// one also those beyond.
	Buckets [36]uint64
}

// Stats counts what the loop did since it was made.
type Stats struct {
	Conns    int    // open now
	Accepted uint64 // opened in all
	Rejected uint64 // refused for want of room or descriptors
	BytesIn  uint64
	BytesOut uint64 // taken by the kernel
	Wakes    uint64 // looks at the mailbox
	Slow     uint64 // times that a connection's output did not fit in the socket
}

type statCounters struct {
	turns    TurnStats
	last     int64 // ns of the last callback
	accepted uint64
	rejected uint64
	in, out  uint64
	wakes    uint64
	slow     uint64
	conns    int
}

func (s *statCounters) callback(ns int64) {
	s.last = ns
	s.turns.Callbacks++
	s.turns.Busy += time.Duration(ns)
	if ns > int64(s.turns.Longest) {
		s.turns.Longest = time.Duration(ns)
	}
	s.turns.Buckets[min(bits.Len64(uint64(ns)), len(s.turns.Buckets)-1)]++
}

// TurnStats returns the durations of callbacks since the loop was made or ResetTurnStats was
// called. Loop goroutine only.
func (l *Loop) TurnStats() TurnStats { return l.stats.turns }

// ResetTurnStats starts TurnStats afresh. Loop goroutine only.
func (l *Loop) ResetTurnStats() { l.stats.turns = TurnStats{} }

// Stats returns the counters. Loop goroutine only.
func (l *Loop) Stats() Stats {
	s := &l.stats
	return Stats{Conns: s.conns, Accepted: s.accepted, Rejected: s.rejected,
		BytesIn: s.in, BytesOut: s.out, Wakes: s.wakes, Slow: s.slow}
}
