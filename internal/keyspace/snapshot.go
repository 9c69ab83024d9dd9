package keyspace

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// A snapshot of one moment, taken while the keyspace changes, without a copy of
// it.
//
// Each table is divided into as many segments as it has buckets at the start
// (dict/segment.go). A walk in the background emits segment after segment and
// notes them in a bitmap. A write looks up the segment of its key: if that is not
// out yet, the whole segment is emitted first, as it was at the start.
//
//	bitmap    1 1 1 1 1 1 0 0 1 0 0 0 1 0 0 …     1: emitted
//	                      ▲     ▲       ▲
//	                walk ─┘     └───────┴─ written to in the meantime
//
// So nothing is remembered about single keys, the memory is one bit a segment and
// what has been emitted and not been taken yet, and the work is one pass over the
// data, whatever is written. A key that did not exist at the start is in no
// segment that is still to come: its insertion emitted it before.
//
// What would take too long to emit together with its segment (large collections,
// long strings) is held instead: it stands in a queue that goes before the walk,
// and is emitted in slices. Until then nobody changes it: a write to it waits, if
// the caller can let it wait (WouldWait), or else completes it (OnForce). Nobody
// waits who only deletes or replaces it: it is freed later. The queue keeps the
// key, the expiry and the access history of the start.
//
// A database that is flushed goes on as a database that only the snapshot knows,
// and so do all databases when the arena is exchanged. SWAPDB exchanges the parts
// of the walk with the tables.
type Snapshot struct {
	ks    *Keyspace
	parts []*snapshotPart
	at    int // the walk is in this part
	left  int // segments that are not out yet
	total int

	emit func(db int, e Entry)
	// OnForce is called when a held value is about to be changed: Emitted must
	// have been called for it when it returns.
	OnForce func(h *Held)

	queue   []*Held
	held    map[dict.Ref]*Held // those in the present arena
	begun   *Held              // is being emitted; stays where it is
	early   int                // segments emitted because of a write
	inWrite bool               // one is being emitted
	retired []*dict.Arena      // exchanged in the meantime; the snapshot reads them
}

// snapshotPart is one table of the walk.
type snapshotPart struct {
	id   int // number of the database at the start
	db   *DB // the database that has the table now
	bits uint8
	out  []uint64 // bitmap
	next uint64   // the walk goes on here
	left int
	// detached: the table belongs to no database any more.
	detached bool
	keys     int
	expires  int
}

// Held is a value that is too large to be emitted with its segment.
type Held struct {
	// DB, Key, ExpireAt (unix ms or NoExpire) and LRU (the raw 24 bits) are those
	// of the start.
	DB       int
	Key      []byte
	ExpireAt int64
	LRU      uint32

	value    object.Value
	unlinked bool // belongs to no table any more: to be freed
	done     bool
}

// Value is the value. Its record may have another expiry by now.
func (h *Held) Value() object.Value { return h.value }

const (
	// heldBytes and heldElements are the size from which a value is held back
	// from its segment: some 50 µs of encoding.
	heldBytes    = 32 << 10
	heldElements = 1024
)

// takesLong tells whether a value is to be held.
func takesLong(v object.Value) bool {
	if v.IsPlain() {
		return v.A.Usable(v.Ref) >= heldBytes
	}
	return v.Len() >= heldElements || v.Memory(4) >= heldBytes
}

// BeginSnapshot starts a snapshot of now. emit is called for every small value
// that the keyspace holds now, with the number that its database has now; e is
// valid during the call, which must not change anything. Large ones come from
// NextHeld. There is one snapshot at a time.
func (ks *Keyspace) BeginSnapshot(emit func(db int, e Entry)) *Snapshot {
	if ks.snap != nil {
		panic("keyspace: a snapshot begins while another is under way")
	}
	s := &Snapshot{ks: ks, emit: emit, held: make(map[dict.Ref]*Held)}
	for _, db := range ks.dbs {
		db.snap = s
		if db.Len() == 0 {
			continue
		}
		p := &snapshotPart{id: db.ID, db: db, bits: db.table.SegmentBits(), keys: db.Len(), expires: db.Expires()}
		p.left = 1 << p.bits
		p.out = make([]uint64, (p.left+63)/64)
		s.left += p.left
		s.parts = append(s.parts, p)
		db.part = p
	}
	s.total = s.left
	ks.snap = s
	return s
}

// Snapshot is the snapshot under way, or nil.
func (ks *Keyspace) Snapshot() *Snapshot { return ks.snap }

// Counts tells how many keys database db had at the start, and how many of them
// had an expiry.
func (s *Snapshot) Counts(db int) (keys, expires int) {
	for _, p := range s.parts {
		if p.id == db {
			return p.keys, p.expires
		}
	}
	return 0, 0
}

// Keys is how many keys there were at the start.
func (s *Snapshot) Keys() int {
	n := 0
	for _, p := range s.parts {
		n += p.keys
	}
	return n
}

// Early is the number of segments that were emitted because of a write.
func (s *Snapshot) Early() int { return s.early }

// InWrite tells whether emit is called because of a write.
func (s *Snapshot) InWrite() bool { return s.inWrite }

// Progress is the part of the segments that are out, 0 to 1.
func (s *Snapshot) Progress() float64 {
	if s.total == 0 {
		return 1
	}
	return 1 - float64(s.left)/float64(s.total)
}

// ahead is how many segments ahead the walk loads their memory.
const ahead = 6

// Step emits the next segment of the walk; false when all are out. What it held
// back is in the queue.
func (s *Snapshot) Step() bool {
	for s.at < len(s.parts) {
		p := s.parts[s.at]
		if p.left == 0 {
			s.at++
			continue
		}
		for p.isOut(p.next) {
			p.next++
		}
		seg := p.next
		p.next++
		if end := uint64(1) << p.bits; seg+ahead < end {
			t, a := &p.db.table, p.db.ks.a
			t.PrefetchSegment(a, seg+ahead)
			t.PrefetchSegmentRecords(a, seg+ahead/2)
		}
		s.emitSegment(p, seg)
		return true
	}
	return false
}

func (p *snapshotPart) isOut(seg uint64) bool { return p.out[seg>>6]>>(seg&63)&1 != 0 }

// emitSegment emits what a segment holds.
func (s *Snapshot) emitSegment(p *snapshotPart, seg uint64) {
	p.out[seg>>6] |= 1 << (seg & 63)
	p.left--
	s.left--
	db := p.db
	a := db.ks.a
	db.table.EachInSegment(a, p.bits, seg, func(r dict.Ref) {
		if takesLong(object.Value{A: a, Ref: r}) {
			s.hold(p, r)
			return
		}
		s.emit(p.id, db.entry(r))
	})
}

// hold queues a value.
func (s *Snapshot) hold(p *snapshotPart, r dict.Ref) {
	e := p.db.entry(r)
	h := &Held{
		DB: p.id, Key: append([]byte(nil), e.Key()...), ExpireAt: e.ExpireAt(), LRU: e.LRU(),
		value: e.Value(),
	}
	s.queue = append(s.queue, h)
	if h.value.A == s.ks.a {
		s.held[r] = h
	}
}

// NextHeld is the value that is to be emitted before the walk goes on; nil when
// there is none.
func (s *Snapshot) NextHeld() *Held {
	for len(s.queue) > 0 {
		if h := s.queue[0]; !h.done {
			return h
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
	}
	return nil
}

// HeldLen is how many values are in the queue, at most.
func (s *Snapshot) HeldLen() int { return len(s.queue) }

// Begin notes that a held value is being emitted. It neither changes nor moves
// before Emitted.
func (s *Snapshot) Begin(h *Held) { s.begun = h }

// Emitted notes that a held value has been emitted.
func (s *Snapshot) Emitted(h *Held) {
	if h.done {
		panic(fmt.Sprintf("keyspace: the value of key %q is emitted twice", h.Key))
	}
	h.done = true
	if s.begun == h {
		s.begun = nil
	}
	if h.value.A != s.ks.a {
		return // goes with its arena
	}
	delete(s.held, h.value.Ref)
	if h.unlinked {
		s.ks.FreeDetached(h.value.Ref)
	}
}

// first moves a held value to the front of the queue, behind one that is begun.
func (s *Snapshot) first(h *Held) {
	s.NextHeld()
	at := 0
	if s.queue[0] == s.begun {
		at = 1
	}
	for i, x := range s.queue {
		if x == h && i > at {
			copy(s.queue[at+1:i+1], s.queue[at:i])
			s.queue[at] = h
			return
		}
	}
}

// WouldWait tells whether a command that is about to change the value of a key
// should wait first, because the value takes long to be emitted, and is not out.
// It then comes next.
func (s *Snapshot) WouldWait(db *DB, key []byte) bool {
	h := db.hash(key)
	p := db.part
	if p != nil && !p.isOut(dict.SegmentOf(h, p.bits)) {
		r := db.table.Find(db.ks.a, h, key)
		if r == 0 || !takesLong(object.Value{A: db.ks.a, Ref: r}) {
			return false
		}
		s.before(db, h)
	}
	if len(s.held) == 0 {
		return false
	}
	x := s.held[db.table.Find(db.ks.a, h, key)]
	if x == nil {
		return false
	}
	s.first(x)
	return true
}

// before emits the segment of a hash, unless it is out. It is called before
// anything about a key changes.
func (s *Snapshot) before(db *DB, h uint64) {
	p := db.part
	if p == nil || p.left == 0 {
		return
	}
	if seg := dict.SegmentOf(h, p.bits); !p.isOut(seg) {
		s.early++
		s.inWrite = true
		s.emitSegment(p, seg)
		s.inWrite = false
	}
}

// beforeChange is before for a record that is about to be changed or moved where
// it stands.
func (s *Snapshot) beforeChange(db *DB, h uint64, r dict.Ref) {
	s.before(db, h)
	if len(s.held) == 0 {
		return
	}
	if h := s.held[r]; h != nil {
		s.OnForce(h)
		if !h.done {
			panic(fmt.Sprintf("keyspace: the value of key %q was to be emitted and is not", h.Key))
		}
	}
}

// holds tells whether a record is that of a held value.
func (s *Snapshot) holds(r dict.Ref) bool { return len(s.held) != 0 && s.held[r] != nil }

// keep takes over the record of a value that is about to be freed, if it is held.
func (s *Snapshot) keep(r dict.Ref) bool {
	if len(s.held) == 0 {
		return false
	}
	h := s.held[r]
	if h != nil {
		h.unlinked = true
	}
	return h != nil
}

// moved follows a record that compaction moved.
func (s *Snapshot) moved(from, to dict.Ref) {
	if len(s.held) == 0 {
		return
	}
	if h := s.held[from]; h != nil {
		delete(s.held, from)
		h.value.Ref = to
		s.held[to] = h
	}
}

// detach makes the table of a database, which is about to be emptied, one that
// only the snapshot knows, in keyspace ks. It returns false if the snapshot needs
// nothing of it.
func (s *Snapshot) detach(db *DB, ks *Keyspace) bool {
	p := db.part
	db.part = nil
	if p == nil || p.left == 0 {
		return false
	}
	p.db = &DB{ks: ks, ID: p.id, table: db.table, expires: db.expires, fields: db.fields}
	p.detached = true
	return true
}

// retire takes over the arena that is about to be exchanged, with all tables.
func (s *Snapshot) retire() {
	ks := s.ks
	old := &Keyspace{a: ks.a, now: ks.now, lru: ks.lru, lfu: ks.lfu}
	for _, p := range s.parts {
		switch {
		case p.db.ks != ks: // of an arena before this one
		case p.detached:
			p.db.ks = old
		default:
			s.detach(p.db, old)
		}
	}
	clear(s.held) // nothing can reach these values any more
	s.retired = append(s.retired, ks.a)
}

// swapped exchanges the parts of two databases whose tables were exchanged.
func (s *Snapshot) swapped(a, b *DB) {
	a.part, b.part = b.part, a.part
	if a.part != nil {
		a.part.db = a
	}
	if b.part != nil {
		b.part.db = b
	}
}

// End ends the snapshot, complete or not, and lets go of what was kept for it.
func (s *Snapshot) End() {
	ks := s.ks
	if ks.snap != s {
		return
	}
	ks.snap = nil
	for _, db := range ks.dbs {
		db.snap, db.part = nil, nil
	}
	for _, h := range s.queue {
		if h != nil && !h.done && h.unlinked && h.value.A == ks.a {
			ks.FreeDetached(h.value.Ref)
		}
	}
	s.queue, s.held, s.begun = nil, nil, nil
	for _, p := range s.parts {
		if p.detached && p.db.ks == ks {
			ks.pending = append(ks.pending, lazyTable{p.db.table, p.db.expires, p.db.fields})
		}
	}
	for _, a := range s.retired {
		ks.retireArena(a)
	}
	s.retired = nil
}

// WillChange is called before the value of an entry that was found by Lookup is
// changed after all: an answer that is cached in it, the state of a reader.
func (db *DB) WillChange(e Entry) {
	if db.snap != nil {
		db.snap.beforeChange(db, db.hash(e.Key()), e.ref)
	}
}
