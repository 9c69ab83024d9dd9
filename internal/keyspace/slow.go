package keyspace

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Work that grows with the data is cut into slices here, so that no turn of the
// loop takes longer than its budget: rehashing, freeing what was flushed,
// compaction.

// lazyTable is a table that was detached from its database and is being freed.
type lazyTable struct {
	table dict.Table
	index *expire.Index
	field *expire.Index
}

// FlushDB empties a database and returns how many keys it had. The memory comes
// back in slices (Maintain), or at once where no other database uses the arena.
func (ks *Keyspace) FlushDB(db *DB) int {
	n := db.Len()
	if n == 0 {
		return 0
	}
	if ks.Keys() == n {
		ks.renew()
		return n
	}
	ks.empty(db)
	return n
}

// empty takes the table of a database away from it.
func (ks *Keyspace) empty(db *DB) {
	if ks.snap == nil || !ks.snap.detach(db, ks) {
		ks.pending = append(ks.pending, lazyTable{db.table, db.expires, db.fields})
	}
	db.reset()
}

// FlushAll empties all databases and returns how many keys they had.
func (ks *Keyspace) FlushAll() int {
	n := ks.Keys()
	if n > 0 {
		ks.renew()
	}
	return n
}

// renewFrom is the size of an arena, bytes, above which emptying the keyspace
// replaces the arena instead of freeing record by record.
const renewFrom = 1 << 20

// renew empties everything. A large arena is replaced by a new one and given to
// OnRetire's goroutine to be returned to the system; a small one is cleared.
func (ks *Keyspace) renew() {
	if ks.a.Used() >= renewFrom && ks.OnRetire != nil {
		if a, err := dict.NewArena(ks.a.Seed()); err == nil {
			if ks.snap != nil {
				ks.snap.retire()
			} else {
				ks.OnRetire(ks.a)
			}
			ks.a = a
			a.KeepTableSizes(ks.fixed)
			ks.pending, ks.lazyValues = nil, nil
			for _, db := range ks.dbs {
				db.reset()
			}
			ks.compact = compactState{}
			return
		}
	}
	for _, db := range ks.dbs {
		if db.Len() == 0 {
			continue
		}
		ks.empty(db)
	}
	ks.freeSlice(lazyBuckets)
}

// retireArena gives an arena that was exchanged back to the system.
func (ks *Keyspace) retireArena(a *dict.Arena) {
	if ks.OnRetire != nil {
		ks.OnRetire(a)
		return
	}
	a.Release()
}

// lazyBuckets is how many buckets of a flushed table are freed between two
// looks at the clock: some hundred records.
const lazyBuckets = 64

// freeSlice frees a part of what was flushed; false when nothing is left.
func (ks *Keyspace) freeSlice(buckets int) bool {
	if n := len(ks.lazyValues); n > 0 {
		v := object.Value{A: ks.a, Ref: ks.lazyValues[n-1]}
		if !v.FreeStep(buckets * 4) {
			ks.lazyValues = ks.lazyValues[:n-1]
			ks.freed++
		}
		return true
	}
	if len(ks.pending) == 0 {
		return false
	}
	p := &ks.pending[0]
	p.index.Clear()
	p.field.Clear()
	if !p.table.ClearStep(ks.a, buckets, func(r dict.Ref) {
		if ks.snap != nil && ks.snap.keep(r) {
			return
		}
		if v := (object.Value{A: ks.a, Ref: r}); v.IsPlain() {
			ks.a.Free(r)
			ks.freed++
		} else {
			ks.lazyValues = append(ks.lazyValues, r)
		}
	}) {
		ks.pending = ks.pending[1:]
	}
	return len(ks.pending) > 0
}

// LazyPending is the number of keys that were flushed and are not freed yet.
func (ks *Keyspace) LazyPending() int {
	n := len(ks.lazyValues)
	for i := range ks.pending {
		n += ks.pending[i].table.Len()
	}
	return n
}

// LazyFreed is the number of keys freed in slices so far.
func (ks *Keyspace) LazyFreed() int64 { return ks.freed }

// compactState is a pass of compaction under way.
type compactState struct {
	running bool
	marked  bool
	db      int
	cursor  uint64
	// nested: the records of db are done, the values they head are next. keys are
	// those whose values are being visited, inner the cursor in the first.
	nested bool
	last   bool // the scan for such values is done
	keys   [][]byte
	inner  uint64
}

// Free frees a part of what was deleted or flushed: at most budget nanoseconds
// by the clock nanos, a little more for the last step. True when nothing is left.
func (ks *Keyspace) Free(nanos func() int64, budget int64) bool {
	end := nanos() + budget
	for ks.freeSlice(lazyBuckets) {
		if nanos() > end {
			return false
		}
	}
	return true
}

// Maintain does a slice of the slow work: at most budget nanoseconds by the
// clock nanos, a little more for the last step.
func (ks *Keyspace) Maintain(nanos func() int64, budget int64) {
	end := nanos() + budget
	if !ks.Free(nanos, budget) {
		return
	}
	for _, db := range ks.dbs {
		for !ks.PassiveRehashing && db.table.RehashStep(ks.a, 64) {
			if nanos() > end {
				return
			}
		}
	}
	for ks.a.ReleaseStep(64) {
		if nanos() > end {
			return
		}
	}
	ks.compactSlice(nanos, end)
}

// compactSlice moves records out of sparsely used memory. A pass walks all
// tables once; records are found through the one reference that each has, and
// what a large value refers to is moved with it.
func (ks *Keyspace) compactSlice(nanos func() int64, end int64) {
	c := &ks.compact
	if ks.snap != nil && ks.snap.begun != nil {
		return // what is being read stays where it is
	}
	if !c.running {
		if gain := ks.a.CompactGain(); gain < compactFrom || gain < ks.a.Used()/8 || !ks.a.CompactBegin() {
			return
		}
		*c = compactState{running: true}
	}
	for !c.marked {
		c.marked = !ks.a.CompactMark(4096)
		if nanos() > end {
			return
		}
	}
	for c.db < len(ks.dbs) {
		db := ks.dbs[c.db]
		for !c.nested {
			c.cursor = db.table.CompactStep(ks.a, c.cursor, 64, func(r dict.Ref) dict.Ref {
				n := ks.a.MoveRecord(dict.EntryLayout, r)
				db.relocated(n)
				if ks.snap != nil {
					ks.snap.moved(r, n)
				}
				ks.moved++
				return n
			})
			c.nested = c.cursor == 0
			if nanos() > end {
				return
			}
		}
		for c.nested {
			if !db.compactValues(c, nanos, end) {
				return
			}
			if c.last {
				c.nested, c.last = false, false
				break
			}
			c.cursor = db.table.Scan(ks.a, c.cursor, func(r dict.Ref) {
				if e := db.entry(r); !e.Value().IsPlain() {
					c.keys = append(c.keys, append([]byte(nil), e.Key()...))
				}
			})
			c.last = c.cursor == 0
			if nanos() > end {
				return
			}
		}
		db.expires.Compact()
		db.fields.Compact()
		c.db++
	}
	ks.a.CompactEnd()
	*c = compactState{}
}

// CompactAll moves every record and every part of a value that can be moved, in
// one go: a debugging aid, which shows a reference that was kept too long. It does
// nothing while a value is being written to a snapshot.
func (ks *Keyspace) CompactAll() {
	if ks.snap != nil && ks.snap.begun != nil {
		return
	}
	ks.compact = compactState{running: true}
	ks.a.CompactBeginAll()
	for ks.compact.running {
		ks.compactSlice(func() int64 { return 0 }, 0)
	}
}

// compactValues moves what the large values noted in c refer to; false if the
// time was up first.
func (db *DB) compactValues(c *compactState, nanos func() int64, end int64) bool {
	for len(c.keys) > 0 {
		e, ok := db.LookupRaw(c.keys[0])
		for ok && !e.Value().IsPlain() {
			c.inner = e.Value().CompactStep(c.inner, 256)
			if c.inner == 0 {
				break
			}
			if nanos() > end {
				return false
			}
		}
		c.keys, c.inner = c.keys[1:], 0
	}
	return true
}

// compactFrom is how many bytes a compaction must promise to free.
const compactFrom = 4 << 20

// Compacting tells whether a pass of compaction is under way.
func (ks *Keyspace) Compacting() bool { return ks.compact.running }

// Moved is the number of records that compaction has moved.
func (ks *Keyspace) Moved() int64 { return ks.moved }

// Purge returns the memory that holds nothing to the system.
func (ks *Keyspace) Purge() { ks.a.Trim() }

// Memory is where the bytes of a keyspace are.
type Memory struct {
	Live      int64 // blocks in use, by their size
	Records   int64 // of those, records of keys
	Tables    int64 // of those, hash tables
	Expires   int64 // of those, indexes of expiries
	Slabs     int64 // slabs, which hold the blocks of up to 16 KB
	Runs      int64 // runs of pages, a larger block each
	Committed int64 // memory taken from the system
}

// Memory measures.
func (ks *Keyspace) Memory() Memory {
	st := ks.a.Stats()
	m := Memory{Live: st.Live, Slabs: st.Slabs, Runs: st.Runs, Committed: st.Committed}
	for _, db := range ks.dbs {
		m.Tables += db.TableMemory()
		m.Expires += db.ExpiresMemory()
	}
	m.Records = max(m.Live-m.Tables-m.Expires, 0)
	return m
}

// EachClass calls fn for every size of block that is in use: its bytes, the bytes of such blocks in use, and those of the slabs
// that they stand in.
func (ks *Keyspace) EachClass(fn func(size, live, slabs int64)) {
	for _, c := range ks.a.Stats().Classes {
		if c.Slabs > 0 {
			fn(int64(c.Size), int64(c.Size)*c.Blocks, int64(c.Size)*c.Room)
		}
	}
}

// UsedMemory is the bytes of all blocks in use.
func (ks *Keyspace) UsedMemory() int64 { return ks.a.Used() }

// TableMemory is the bytes of the hash table.
func (db *DB) TableMemory() int64 { return int64(db.table.Bytes()) }

// ExpiresMemory is the bytes of the index of expiries.
func (db *DB) ExpiresMemory() int64 { return int64(db.expires.Bytes() + db.fields.Bytes()) }

// MemoryUsage is what a key costs: its block, its slot in the table and its
// place in the index of expiries, bytes.
func (db *DB) MemoryUsage(e Entry, samples int) int64 {
	n := e.Value().Memory(samples) + slotBytes
	if e.rec.HasExpire() {
		n += expireWord
	}
	return n
}

// slotBytes is a key's share of a table filled to about two thirds.
const slotBytes = 9

// expireWord is a key's place in the index of expiries.
const expireWord = 8

// TableReport describes the hash table of a database and its index of expiries in the form of redis-server's DEBUG
// HTSTATS; full adds what the memory of the table is. It takes time proportional to the table.
func (db *DB) TableReport(full bool) string {
	return "[Dictionary HT]\n" + db.table.Report(db.ks.a, full) +
		fmt.Sprintf("[Expires HT]\n number of elements: %d\n bytes: %d\n", db.expires.Len(), db.expires.Bytes())
}

// InheritStats takes over the counters of the keyspace that this one replaces.
func (ks *Keyspace) InheritStats(old *Keyspace) {
	ks.freed, ks.moved = old.freed, old.moved
	ks.lru, ks.lfu = old.lru, old.lfu
}

// ActiveExpire is a slice of the active expiry cycle: it reclaims keys that
// expired before due (unix ms), for at most budget nanoseconds, and reports
// each to OnExpired. Begin was called with a rule that lets keys be deleted.
func (ks *Keyspace) ActiveExpire(c *expire.Cycle, due, budget int64) expire.Result {
	return c.Run((*expireTarget)(ks), due, budget)
}

// ActiveExpireFast is the short cycle that may run in every turn of the loop.
func (ks *Keyspace) ActiveExpireFast(c *expire.Cycle, due int64) expire.Result {
	return c.RunFast((*expireTarget)(ks), due)
}

// expireTarget shows the keyspace to the cycle.
type expireTarget Keyspace

func (t *expireTarget) Databases() int { return len(t.dbs) }

func (t *expireTarget) Index(i int) *expire.Index { return t.dbs[i].expires }

func (t *expireTarget) Expire(i int, r dict.Ref, _ int64) bool {
	t.dbs[i].reclaim(t.a.Entry(r).Key())
	return true
}
