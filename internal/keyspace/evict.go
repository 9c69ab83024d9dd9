package keyspace

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// Which key to evict.
//
// As in Redis, the best victims of many small samples are kept: each choice samples a few keys of every database and
// puts those into a pool of 16 that are better than its worst; the best of the pool goes. So the choice is nearly
// that among all keys, at the cost of five, and no list of keys in the order of their use is kept.
//
//	sample of 5 ──►  pool, by score:  │ 12 │ 40 │ 41 │ … │ 977 │ ──► victim
//
// A member of the pool is known by the hash of its key and by its reference: whether it still stands in its table is seen
// without reading the record, which may be gone.

// EvictBy is what makes a key a better victim.
type EvictBy uint8

const (
	EvictIdle   EvictBy = iota // the longest time without an access
	EvictRare                  // the least frequent accesses
	EvictSoon                  // the nearest expiry
	EvictRandom                // nothing
)

const poolSize = 16

type candidate struct {
	score uint64
	hash  uint64
	ref   dict.Ref
	db    int
}

// EvictionPool is the candidates between one choice and the next. The zero value is empty. It belongs to one keyspace: Forget
// when another takes its place.
type EvictionPool struct {
	c    [poolSize]candidate // by score, ascending
	n    int
	next int // database in which the next random victim is looked for
}

// Forget empties the pool, as a change of the policy requires.
func (p *EvictionPool) Forget() { *p = EvictionPool{next: p.next} }

// Victim chooses a key of any database, of those with an expiry only if volatile is true, by samples of the given size. It
// deletes nothing. ok is false when there is no such key.
func (ks *Keyspace) Victim(p *EvictionPool, by EvictBy, volatile bool, samples int, rnd func() uint64) (db *DB, e Entry, ok bool) {
	if by == EvictRandom {
		return ks.randomVictim(p, volatile, rnd)
	}
	for {
		any := false
		for _, db := range ks.dbs {
			if db.candidates(volatile) > 0 {
				any = true
				p.fill(db, by, volatile, samples, rnd)
			}
		}
		if !any {
			return nil, Entry{}, false
		}
		for p.n > 0 {
			p.n--
			c := &p.c[p.n]
			db := ks.dbs[c.db]
			if _, there := db.table.LookupRef(ks.a, c.hash, c.ref); there {
				if e := db.entry(c.ref); !volatile || e.rec.HasExpire() {
					return db, e, true
				}
			}
		}
	}
}

// candidates is the number of keys that may be evicted.
func (db *DB) candidates(volatile bool) int {
	if volatile {
		return db.expires.Len()
	}
	return db.table.Len()
}

func (ks *Keyspace) randomVictim(p *EvictionPool, volatile bool, rnd func() uint64) (*DB, Entry, bool) {
	for range ks.dbs {
		p.next = (p.next + 1) % len(ks.dbs)
		db := ks.dbs[p.next]
		if db.candidates(volatile) == 0 {
			continue
		}
		if volatile {
			return db, db.entry(db.expires.Random(rnd)), true
		}
		return db, db.entry(db.table.Random(ks.a, rnd)), true
	}
	return nil, Entry{}, false
}

// fill samples a database.
func (p *EvictionPool) fill(db *DB, by EvictBy, volatile bool, samples int, rnd func() uint64) {
	if !volatile {
		db.table.Sample(db.ks.a, rnd, samples, func(r dict.Ref) { p.offer(db, by, r) })
		return
	}
	// The index has its entries in the order of their coming, so neighbours are alike: each sample is from a place of its own.
	for range min(samples, db.expires.Len()) {
		p.offer(db, by, db.expires.Random(rnd))
	}
}

// offer puts a key into the pool if it has room for it, or a worse one.
func (p *EvictionPool) offer(db *DB, by EvictBy, r dict.Ref) {
	e := db.entry(r)
	var score uint64
	switch by {
	case EvictRare:
		score = 255 - uint64(e.Frequency())
	case EvictSoon:
		score = math.MaxUint64 - uint64(e.ExpireAt())
	default:
		score = uint64(e.IdleSeconds())
	}
	if p.n == poolSize && score <= p.c[0].score {
		return
	}
	for i := range p.n {
		if p.c[i].ref == r && p.c[i].db == db.ID {
			return
		}
	}
	at := 0
	for at < p.n && p.c[at].score < score {
		at++
	}
	c := candidate{score: score, hash: db.hash(e.Key()), ref: r, db: db.ID}
	if p.n < poolSize {
		copy(p.c[at+1:p.n+1], p.c[at:p.n])
		p.c[at] = c
		p.n++
		return
	}
	copy(p.c[:at-1], p.c[1:at])
	p.c[at-1] = c
}

// Evict deletes a key that Victim chose and returns a copy of the key, valid until the next deletion. e is no longer valid
// afterwards. A large value is freed in slices: see FreeSome.
func (db *DB) Evict(e Entry) []byte {
	ks := db.ks
	ks.keyBuf = append(ks.keyBuf[:0], e.Key()...)
	db.Delete(ks.keyBuf)
	return ks.keyBuf
}

// FreeSome frees a little of what was deleted and not freed yet, a few microseconds' worth; false when there is nothing
// of that kind.
func (ks *Keyspace) FreeSome() bool {
	if len(ks.lazyValues) == 0 && len(ks.pending) == 0 {
		return false
	}
	ks.freeSlice(lazyBuckets)
	return true
}

// KeepTableSizes stops, or lets go on, that hash tables grow and shrink as they should: see dict.Arena.KeepTableSizes.
func (ks *Keyspace) KeepTableSizes(on bool) {
	ks.fixed = on
	ks.a.KeepTableSizes(on)
}
