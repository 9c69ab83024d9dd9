package keyspace

import "github.com/raniellyferreira/redis-inmemory-replica/dict"

// The 24 bits that each entry has for its access history hold either the time
// of the last access (LRU: seconds, modulo 2^24, which is 194 days) or, under an
// LFU policy, the minutes of the last decrement (16 bits) and a logarithmic
// counter of accesses (8 bits). The counter is Morris's approximate counter
// with a decay, as Redis describes it.

// lfuInit is the counter of a new key: a new key must not be the first victim.
const lfuInit = 5

type lfuState struct {
	enabled   bool
	minutes   uint16
	logFactor int
	decay     int // minutes
	rnd       uint64
}

// SetLFU switches between the two meanings. logFactor and decay (minutes) are
// those of lfu-log-factor and lfu-decay-time.
func (ks *Keyspace) SetLFU(on bool, logFactor, decay int) {
	ks.lfu.enabled, ks.lfu.logFactor, ks.lfu.decay = on, logFactor, decay
	if ks.lfu.rnd == 0 {
		ks.lfu.rnd = ks.a.Seed() | 1
	}
}

func (ks *Keyspace) freshLRU() uint32 {
	if ks.lfu.enabled {
		return uint32(ks.lfu.minutes)<<8 | lfuInit
	}
	return ks.lru
}

// LoadedLRU is the history that an RDB brought.
func (ks *Keyspace) LoadedLRU(idle int64, freq int) uint32 {
	switch {
	case ks.lfu.enabled && freq >= 0:
		return uint32(ks.lfu.minutes)<<8 | uint32(freq&0xff)
	case !ks.lfu.enabled && idle >= 0:
		return (ks.lru - uint32(idle)) & dict.LRUMask
	}
	return ks.freshLRU()
}

// Touch notes an access.
func (e Entry) Touch() {
	ks := e.db.ks
	if ks.lfu.enabled {
		c := ks.lfuDecayed(e.rec.LRU())
		c = ks.lfuIncrement(c)
		e.rec.SetLRU(uint32(ks.lfu.minutes)<<8 | uint32(c))
		return
	}
	if e.rec.LRU() != ks.lru {
		e.rec.SetLRU(ks.lru)
	}
}

// LRU is the raw 24 bits.
func (e Entry) LRU() uint32 { return e.rec.LRU() }

// IdleSeconds is the time since the last access.
func (e Entry) IdleSeconds() int64 { return e.db.ks.IdleOf(e.rec.LRU()) }

// Frequency is the access counter, 0 to 255, as of now.
func (e Entry) Frequency() int64 { return e.db.ks.FrequencyOf(e.rec.LRU()) }

// IdleOf is what IdleSeconds is for an entry with these 24 bits.
func (ks *Keyspace) IdleOf(lru uint32) int64 { return int64((ks.lru - lru) & dict.LRUMask) }

// FrequencyOf is what Frequency is for an entry with these 24 bits.
func (ks *Keyspace) FrequencyOf(lru uint32) int64 { return int64(ks.lfuDecayed(lru)) }

func (ks *Keyspace) lfuDecayed(v uint32) uint8 {
	c := uint8(v)
	if ks.lfu.decay > 0 {
		periods := int(ks.lfu.minutes-uint16(v>>8)) / ks.lfu.decay
		c -= uint8(min(periods, int(c)))
	}
	return c
}

func (ks *Keyspace) lfuIncrement(c uint8) uint8 {
	if c == 255 {
		return c
	}
	// xorshift64*: quality matters little here, speed does.
	x := ks.lfu.rnd
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	ks.lfu.rnd = x
	r := float64((x*2685821657736338717)>>11) / (1 << 53)
	base := max(float64(c)-lfuInit, 0)
	if r < 1/(base*float64(ks.lfu.logFactor)+1) {
		c++
	}
	return c
}

// SetAccess sets the access history: idle seconds under LRU, the counter under
// LFU; -1 leaves it.
func (e Entry) SetAccess(idle int64, freq int) {
	ks := e.db.ks
	if (ks.lfu.enabled && freq >= 0) || (!ks.lfu.enabled && idle >= 0) {
		e.rec.SetLRU(ks.LoadedLRU(idle, freq))
	}
}
