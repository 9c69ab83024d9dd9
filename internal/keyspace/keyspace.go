// Package keyspace is the set of databases that a server holds: look-ups that
// know about expiry, the writes of whole values, and the slow work (rehashing,
// compaction, freeing) cut into slices.
//
// A Keyspace owns its memory, one arena. That is what makes a full
// synchronisation painless: the new dataset is built aside in a keyspace of its
// own, put in place by exchanging a pointer, and the old one is returned to the
// system in one piece.
//
//	Keyspace ── arena (all records, tables, indexes)
//	   ├─ DB 0 ── table: key → entry record        entry: header, expiry, key, value
//	   │       └─ expires: index of entries with an expiry
//	   ├─ DB 1 …
//
// One goroutine owns a keyspace: the loop, or while a dataset is being loaded
// the link's. An Entry is a view that is valid until the next write to its
// database.
package keyspace

import (
	"errors"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

const (
	// NoExpire stands for the expiry of a key that has none.
	NoExpire = dict.NoExpire
	// KeepExpire tells a write to leave the expiry as it is.
	KeepExpire = dict.NoExpire + 1
)

// ExpiryRule says what becomes of a key whose time has come.
type ExpiryRule uint8

const (
	// ExpiryIgnored: the key is as any other. The master's stream is applied so:
	// what the master did to the key it did in time.
	ExpiryIgnored ExpiryRule = iota
	// ExpiryHidden: the key is absent for readers, and stays until the master's
	// DEL comes. Clients of a read-only replica see it so.
	ExpiryHidden
	// ExpiryHiddenForReads: as ExpiryHidden, but a write finds the key gone and
	// deletes it. Clients of a writable replica.
	ExpiryHiddenForReads
	// ExpiryDeletes: whoever meets the key deletes it. A server without a master.
	ExpiryDeletes
)

// Keyspace is all databases of a server and the memory they live in.
type Keyspace struct {
	a    *dict.Arena
	dbs  []*DB
	now  int64 // unix ms, logical time of the command in execution
	rule ExpiryRule
	lru  uint32 // present LRU clock (seconds, 24 bits)
	lfu  lfuState
	// fixed: see KeepTableSizes.
	fixed bool

	// OnExpired is called after a key was deleted because its time had come. The
	// key is a copy that the callee may keep during the call.
	OnExpired func(db *DB, key []byte)

	// OnNew is called after a key was added; nil while nobody wants to know.
	OnNew func(db *DB, key []byte)
	// PassiveRehashing leaves the growth of tables to the operations on them.
	PassiveRehashing bool

	// OnFieldExpired is called before each of them is deleted. Nil mostly.
	OnFieldExpired func(db *DB, key, field []byte)
	// OnFieldsExpired is called after n fields of a hash were deleted because
	// their time had come, and with the last also the key, if gone is true. The
	// key is valid during the call.
	OnFieldsExpired func(db *DB, key []byte, n int, gone bool)

	// OnRetire takes an arena that was emptied by exchanging it, and releases it
	// away from the loop.
	OnRetire func(a *dict.Arena)

	keyBuf     []byte // copy of a key that is about to be deleted
	pending    []lazyTable
	lazyValues []dict.Ref // detached values that are being freed
	freed      int64
	moved      int64
	compact    compactState
	snap       *Snapshot // under way, or nil
	fieldCycle fieldTarget
}

// New makes an empty keyspace with n databases. seed keys its hash function.
// It reserves address space, and no memory yet; the error is that of the
// system refusing even that.
func New(n int, seed uint64) (*Keyspace, error) {
	a, err := dict.NewArena(seed)
	if err != nil {
		return nil, err
	}
	ks := &Keyspace{a: a, dbs: make([]*DB, n)}
	for i := range ks.dbs {
		db := &DB{ks: ks, ID: i}
		db.reset()
		ks.dbs[i] = db
	}
	return ks, nil
}

// Release returns all memory to the system. Nothing of the keyspace may be used
// afterwards. It may be called from any goroutine once the owner is done.
func (ks *Keyspace) Release() {
	ks.a.Release()
}

// Arena is the memory of all databases.
func (ks *Keyspace) Arena() *dict.Arena { return ks.a }

// Databases is the number of databases.
func (ks *Keyspace) Databases() int { return len(ks.dbs) }

// DB returns database i, 0 <= i < Databases().
func (ks *Keyspace) DB(i int) *DB { return ks.dbs[i] }

// Keys is the number of keys in all databases.
func (ks *Keyspace) Keys() int {
	n := 0
	for _, db := range ks.dbs {
		n += db.Len()
	}
	return n
}

// Begin sets the logical time (unix ms) and the expiry rule of the command that
// is about to run.
func (ks *Keyspace) Begin(now int64, rule ExpiryRule) {
	ks.now, ks.rule = now, rule
}

// SetClock sets the clock that accesses are stamped with, from unix ms.
func (ks *Keyspace) SetClock(now int64) {
	ks.lru = uint32(now/1000) & dict.LRUMask
	ks.lfu.minutes = uint16(now / 60000)
}

// DB is one database.
type DB struct {
	ks      *Keyspace
	ID      int
	table   dict.Table
	expires *expire.Index
	fields  *expire.Index // hashes with expiring fields
	later   [][]byte
	load    *loading // nil but while a snapshot is loaded
	// snap is the keyspace's snapshot under way; part this database's share in it.
	snap *Snapshot
	part *snapshotPart
}

// reset makes the database empty, leaving what it held to whoever took it.
func (db *DB) reset() {
	db.table = dict.Table{}
	db.table.Init(dict.EntryLayout)
	db.expires = expire.New(db.ks.a, db.ks.now)
	db.fields = expire.NewInPayload(db.ks.a, db.ks.now)
}

// Len is the number of keys, expired ones that are not deleted yet included.
func (db *DB) Len() int { return db.table.Len() }

// Expires is the number of keys with an expiry.
func (db *DB) Expires() int { return db.expires.Len() }

// AvgTTL is an estimate of the mean time to live, ms.
func (db *DB) AvgTTL() int64 { return db.expires.AvgTTL() }

func (db *DB) hash(key []byte) uint64 { return dict.Hash(db.ks.a.Seed(), key) }

// Entry is a key and its value where they stand. It is valid until the next
// write to its database.
type Entry struct {
	db  *DB
	ref dict.Ref
	rec dict.Record
}

func (db *DB) entry(r dict.Ref) Entry { return Entry{db, r, db.ks.a.Entry(r)} }

// Ref is the entry's address in the arena, for debugging output.
func (e Entry) Ref() dict.Ref { return e.ref }

// Key is a view of the key.
func (e Entry) Key() []byte { return e.rec.Key() }

// Type is the type of the value: object.TypeString, …
func (e Entry) Type() byte { return e.rec.Type() }

// Encoding is the encoding of the value: object.EncRaw, …
func (e Entry) Encoding() byte { return e.rec.Encoding() }

// Value is the entry seen as a value.
func (e Entry) Value() object.Value { return object.Value{A: e.db.ks.a, Ref: e.ref} }

// StringValue is a view of a string's text.
func (e Entry) StringValue() []byte { return e.rec.Payload() }

// ExpireAt is the expiry, unix ms, or NoExpire.
func (e Entry) ExpireAt() int64 { return e.rec.ExpireAt() }

// Expired tells whether the key is gone for the command in execution although
// it is still held.
func (e Entry) Expired() bool {
	return e.rec.HasExpire() && e.db.ks.now > e.rec.ExpireAt() && e.db.ks.rule != ExpiryIgnored
}

// LookupRaw finds a key as it is held, expired or not.
func (db *DB) LookupRaw(key []byte) (Entry, bool) {
	r := db.table.Find(db.ks.a, db.hash(key), key)
	if r == 0 {
		return Entry{}, false
	}
	return db.entry(r), true
}

// Lookup finds a key for a read.
func (db *DB) Lookup(key []byte) (Entry, bool) {
	r := db.table.Find(db.ks.a, db.hash(key), key)
	if r == 0 {
		return Entry{}, false
	}
	e := db.entry(r)
	if e.rec.HasExpire() && db.ks.now > e.rec.ExpireAt() && db.expireOnAccess(key, false) {
		return Entry{}, false
	}
	return e, true
}

// LookupWrite finds a key for a command that is about to change its value.
func (db *DB) LookupWrite(key []byte) (Entry, bool) {
	h := db.hash(key)
	r := db.table.Find(db.ks.a, h, key)
	if r == 0 {
		return Entry{}, false
	}
	e := db.entry(r)
	if e.rec.HasExpire() && db.ks.now > e.rec.ExpireAt() && db.expireOnAccess(key, true) {
		return Entry{}, false
	}
	if db.snap != nil {
		db.snap.beforeChange(db, h, r)
	}
	return e, true
}

// LookupReplace is LookupWrite for a command that leaves the value as it is: it
// deletes or replaces the key, changes its expiry, or asks only whether it is
// there before it writes.
func (db *DB) LookupReplace(key []byte) (Entry, bool) {
	r := db.table.Find(db.ks.a, db.hash(key), key)
	if r == 0 {
		return Entry{}, false
	}
	e := db.entry(r)
	if e.rec.HasExpire() && db.ks.now > e.rec.ExpireAt() && db.expireOnAccess(key, true) {
		return Entry{}, false
	}
	return e, true
}

// expireOnAccess applies the rule to an expired key that a command met; true
// when the command must not see it.
func (db *DB) expireOnAccess(key []byte, write bool) bool {
	switch db.ks.rule {
	case ExpiryIgnored:
		return false
	case ExpiryHidden:
		return true
	case ExpiryHiddenForReads:
		if !write {
			return true
		}
	}
	db.reclaim(key)
	return true
}

// reclaim deletes an expired key and reports it.
func (db *DB) reclaim(key []byte) {
	db.ks.keyBuf = append(db.ks.keyBuf[:0], key...)
	k := db.ks.keyBuf
	if db.Delete(k) && db.ks.OnExpired != nil {
		db.ks.OnExpired(db, k)
	}
}

// Exists tells whether a key is held, expired or not.
func (db *DB) Exists(key []byte) bool {
	return db.table.Find(db.ks.a, db.hash(key), key) != 0
}

// IsExpired tells whether a key is held whose time has come. It deletes
// nothing.
func (db *DB) IsExpired(key []byte) bool {
	e, ok := db.LookupRaw(key)
	return ok && e.rec.HasExpire() && db.ks.now > e.rec.ExpireAt()
}

// Prefetch starts to load what look-ups of the keys will read, so that their
// cache misses overlap. More than a handful of keys at once pushes out what the
// first ones loaded.
func (db *DB) Prefetch(keys [][]byte) {
	if len(keys) < 2 || db.table.Len() < PrefetchFrom {
		return
	}
	var h [prefetchBatch]uint64
	n := min(len(keys), prefetchBatch)
	for i, k := range keys[:n] {
		h[i] = db.hash(k)
		db.table.Prefetch(db.ks.a, h[i])
	}
	for _, x := range h[:n] {
		db.table.PrefetchRecord(db.ks.a, x)
	}
}

const (
	prefetchBatch = 32
	// PrefetchFrom is the number of keys below which everything is likely to be
	// in the processor's cache already.
	PrefetchFrom = 1 << 13
)

// Delete removes a key and frees its value.
func (db *DB) Delete(key []byte) bool {
	a := db.ks.a
	h := db.hash(key)
	s, ok := db.table.Lookup(a, h, key)
	if !ok {
		return false
	}
	if db.snap != nil {
		db.snap.before(db, h)
	}
	r := db.table.Ref(a, s)
	db.forgetExpire(r)
	db.table.DeleteSlot(a, s)
	db.freeEntry(r)
	return true
}

// freeEntry frees a value that no table refers to any more: a small one at once,
// a large one in slices.
func (db *DB) freeEntry(r dict.Ref) { db.ks.FreeDetached(r) }

// FreeDetached frees the record of a value that stands in no table.
func (ks *Keyspace) FreeDetached(r dict.Ref) {
	if ks.snap != nil && ks.snap.keep(r) {
		return
	}
	v := object.Value{A: ks.a, Ref: r}
	if v.IsPlain() {
		v.A.Free(r)
		return
	}
	if v.Len() > lazyFrom || v.FreeStep(lazyFrom) {
		ks.lazyValues = append(ks.lazyValues, r)
	}
}

// lazyFrom is the number of elements above which a value is freed in slices.
const lazyFrom = 64

func (db *DB) forgetExpire(r dict.Ref) {
	rec := db.ks.a.Entry(r)
	if rec.HasExpire() {
		db.expires.Remove(r)
	}
	db.forgetFields(rec, r)
}

// SetString stores a string under a key, whatever it held before; what has
// expired is reclaimed first, as by LookupWrite. when is the expiry: unix ms,
// NoExpire or KeepExpire. val must not be a view of the key's own present value.
func (db *DB) SetString(key, val []byte, enc byte, when int64) {
	a := db.ks.a
	h := db.hash(key)
	s, ok := db.table.Lookup(a, h, key)
	if ok {
		if rec := a.Entry(db.table.Ref(a, s)); rec.HasExpire() && db.ks.now > rec.ExpireAt() && db.expireOnAccess(key, true) {
			s, ok = db.table.Lookup(a, h, key)
		}
	}
	if !ok {
		if when == KeepExpire {
			when = NoExpire
		}
		r := a.NewEntry(dict.Header{Type: object.TypeString, Encoding: enc, LRU: db.ks.freshLRU(), ExpireAt: when}, key, val)
		db.insert(h, r)
		return
	}
	r := db.table.Ref(a, s)
	rec := a.Entry(r)
	replace := rec.Type() != object.TypeString
	if db.snap != nil {
		db.snap.before(db, h)
		replace = replace || db.snap.holds(r)
	}
	if replace {
		db.replace(s, r, enc, key, val, when)
		return
	}
	if when != KeepExpire && rec.HasExpire() != (when != NoExpire) {
		if when == NoExpire {
			db.forgetExpire(r)
			a.DropExpire(dict.EntryLayout, r)
		} else {
			n := a.WithExpire(dict.EntryLayout, r, when)
			if n != r {
				db.table.SetRef(a, s, n)
				r = n
			}
			db.expires.Add(r)
		}
	} else if when != KeepExpire && when != NoExpire {
		db.expires.Set(r, when)
	}
	if n := a.WithPayload(dict.EntryLayout, r, val); n != r {
		db.moved(s, n)
		r = n
	}
	rec = a.Entry(r)
	rec.SetEncoding(enc)
	rec.SetLRU(db.ks.freshLRU())
}

// replace puts a new string record in the place of a value of another type.
func (db *DB) replace(s dict.Slot, old dict.Ref, enc byte, key, val []byte, when int64) {
	a := db.ks.a
	if when == KeepExpire {
		when = a.Entry(old).ExpireAt()
	}
	db.forgetExpire(old)
	r := a.NewEntry(dict.Header{Type: object.TypeString, Encoding: enc, LRU: db.ks.freshLRU(), ExpireAt: when}, key, val)
	db.table.SetRef(a, s, r)
	if when != NoExpire {
		db.expires.Add(r)
	}
	db.freeEntry(old)
}

// insert puts the record of a new key into the table and the index.
func (db *DB) insert(h uint64, r dict.Ref) {
	a := db.ks.a
	if db.snap != nil {
		db.snap.before(db, h)
	}
	db.table.Insert(a, h, r)
	if a.Entry(r).HasExpire() {
		db.expires.Add(r)
	}
	if db.ks.OnNew != nil {
		db.ks.OnNew(db, a.Entry(r).Key())
	}
}

// moved notes that the record in a slot has a new address.
func (db *DB) moved(s dict.Slot, r dict.Ref) {
	db.table.SetRef(db.ks.a, s, r)
	db.relocated(r)
}

// growSpare is how much more than asked for a growing string gets, so that
// appending again and again copies it a logarithmic number of times: as much
// again, up to 1 MB.
func growSpare(n int) int { return min(n, 1<<20) }

// ResizeString makes the string under key n bytes long, with zeros where it
// grows, and returns its text to be written to; without a key it makes one.
// e is the key's entry as LookupWrite found it.
func (db *DB) ResizeString(key []byte, e Entry, n int) []byte {
	a := db.ks.a
	if e.ref == 0 {
		h := db.hash(key)
		r, p := a.NewEntrySize(dict.Header{Type: object.TypeString, Encoding: object.EncRaw, LRU: db.ks.freshLRU(), ExpireAt: NoExpire}, key, n)
		clear(p)
		db.insert(h, r)
		return p
	}
	db.WillChange(e)
	old := len(e.rec.Payload())
	spare := 0
	if n > old {
		spare = growSpare(n)
	}
	r, p := a.WithPayloadLen(dict.EntryLayout, e.ref, n, spare)
	if n > old {
		clear(p[old:])
	}
	if r != e.ref {
		s, ok := db.table.LookupRef(a, db.hash(key), e.ref)
		if !ok {
			panic(fmt.Sprintf("keyspace: record %d of key %q is not in the table of database %d", e.ref, key, db.ID))
		}
		db.moved(s, r)
	}
	a.Entry(r).SetEncoding(object.EncRaw)
	return p
}

// loadBatch is how many strings of a snapshot are put into the table together:
// their buckets are loaded at the same time, instead of one cache miss after
// the other.
const loadBatch = 32

// loading are string records that are made and not in the table yet.
type loading struct {
	n    int
	hash [loadBatch]uint64
	ref  [loadBatch]dict.Ref
}

// LoadString takes a string that an RDB brought. It is found by look-ups after
// FlushLoad, which also reports a key that is there twice: an RDB has each
// once. expireAt is unix ms, -1 for none; idle is seconds (LRU), freq the LFU
// counter, -1 when unknown.
func (db *DB) LoadString(key, val []byte, expireAt, idle int64, freq int) error {
	a := db.ks.a
	h := db.hash(key)
	db.table.Prefetch(a, h)
	if expireAt == -1 {
		expireAt = NoExpire
	}
	r := a.NewEntry(dict.Header{Type: object.TypeString, Encoding: object.EncodeString(val), LRU: db.ks.LoadedLRU(idle, freq), ExpireAt: expireAt}, key, val)
	if db.load == nil {
		db.load = new(loading)
	}
	l := db.load
	l.hash[l.n], l.ref[l.n] = h, r
	if l.n++; l.n == loadBatch {
		return db.FlushLoad()
	}
	return nil
}

// FlushLoad puts the strings taken by LoadString into the table.
func (db *DB) FlushLoad() error {
	l := db.load
	if l == nil {
		return nil
	}
	a := db.ks.a
	for i := range l.n {
		h, r := l.hash[i], l.ref[i]
		rec := a.Entry(r)
		if db.table.Find(a, h, rec.Key()) != 0 {
			return fmt.Errorf("key %q is there twice", rec.Key())
		}
		if db.snap != nil {
			db.snap.before(db, h)
		}
		db.table.Insert(a, h, r)
		if rec.HasExpire() {
			db.expires.Add(r)
		}
	}
	l.n = 0
	return nil
}

// SetExpire gives a key an expiry, unix ms. e is no longer valid afterwards.
func (db *DB) SetExpire(e Entry, when int64) {
	a := db.ks.a
	if e.rec.HasExpire() {
		if db.snap != nil {
			db.snap.before(db, db.hash(e.Key()))
		}
		db.expires.Set(e.ref, when)
		return
	}
	h := db.hash(e.Key())
	r := e.ref
	if db.snap != nil {
		db.snap.beforeChange(db, h, r)
	}
	s, ok := db.table.Lookup(a, h, e.Key())
	if !ok {
		panic(fmt.Sprintf("keyspace: record %d of key %q is not in the table of database %d", r, e.Key(), db.ID))
	}
	n := a.WithExpire(dict.EntryLayout, r, when)
	db.expires.Add(n)
	if n != r {
		db.moved(s, n)
	}
}

// Create makes a collection: an entry of the given type and encoding for a key
// that does not exist. payload is a small collection's, and is copied; for a
// large one pass fixed, the size of its head struct, which starts as zeros.
func (db *DB) Create(key []byte, typ, enc byte, payload []byte, fixed int) Entry {
	a := db.ks.a
	h := dict.Header{Type: typ, Encoding: enc, LRU: db.ks.freshLRU(), ExpireAt: NoExpire}
	var r dict.Ref
	if fixed > 0 {
		r, _ = a.NewEntryFixed(h, key, fixed)
	} else {
		r = a.NewEntry(h, key, payload)
	}
	db.insert(db.hash(key), r)
	return db.entry(r)
}

// Adopt puts a record that was made elsewhere (by a loader, or by Copy) under
// its key, which must not exist.
func (db *DB) Adopt(r dict.Ref) Entry {
	db.insert(db.hash(db.ks.a.Entry(r).Key()), r)
	db.trackFields(r)
	return db.entry(r)
}

// Update notes what an operation on e's value did to its record: v is the value
// afterwards. A record that moved gets its new place; if empty is true the key
// is deleted. It returns the entry as it is now (the zero Entry if deleted).
func (db *DB) Update(e Entry, v object.Value, empty bool) Entry {
	a := db.ks.a
	if invariants && db.snap != nil {
		db.snap.mustBeOut(db, v.Record().Key(), e.ref)
	}
	if v.Ref != e.ref {
		rec := a.Entry(v.Ref)
		s, ok := db.table.LookupRef(a, db.hash(rec.Key()), e.ref)
		if !ok {
			panic(fmt.Sprintf("keyspace: record %d of key %q is not in the table of database %d", e.ref, rec.Key(), db.ID))
		}
		db.moved(s, v.Ref)
	}
	if empty {
		db.Delete(a.Entry(v.Ref).Key())
		return Entry{}
	}
	db.trackFields(v.Ref)
	return db.entry(v.Ref)
}

// Persist removes a key's expiry; false when it had none.
func (db *DB) Persist(e Entry) bool {
	if !e.rec.HasExpire() {
		return false
	}
	db.WillChange(e)
	a := db.ks.a
	db.expires.Remove(e.ref)
	a.DropExpire(dict.EntryLayout, e.ref)
	return true
}

// MoveEntry moves a value, with its expiry, to a key of a database (which may
// be its own) that does not exist there. e is no longer valid afterwards.
func (db *DB) MoveEntry(e Entry, dst *DB, to []byte) {
	a := db.ks.a
	from := e.Key()
	h := db.hash(from)
	s, ok := db.table.Lookup(a, h, from)
	if !ok {
		panic(fmt.Sprintf("keyspace: record %d of key %q is not in the table of database %d", e.ref, from, db.ID))
	}
	if db.snap != nil {
		db.snap.beforeChange(db, h, e.ref)
	}
	db.forgetExpire(e.ref)
	r := e.ref
	db.table.DeleteSlot(a, s)
	if string(from) != string(to) {
		r = a.Rename(dict.EntryLayout, e.ref, to, false)
		a.Free(e.ref)
	}
	dst.insert(dst.hash(to), r)
	dst.trackFields(r)
}

// CopyEntry copies a value, with its expiry, to a key of a database that does
// not exist there.
func (db *DB) CopyEntry(e Entry, dst *DB, to []byte) {
	a := db.ks.a
	r := e.Value().Copy(to)
	dst.insert(dst.hash(to), r)
	dst.trackFields(r)
	a.Entry(r).SetLRU(db.ks.freshLRU())
}

// Swap exchanges the contents of two databases.
func (ks *Keyspace) Swap(i, j int) {
	a, b := ks.dbs[i], ks.dbs[j]
	a.table, b.table = b.table, a.table
	a.expires, b.expires = b.expires, a.expires
	a.fields, b.fields = b.fields, a.fields
	if ks.snap != nil {
		ks.snap.swapped(a, b)
	}
}

// Scan calls fn for the keys of one step of a SCAN and returns the next cursor,
// 0 at the end. A key that is there from the first to the last step is
// returned at least once.
func (db *DB) Scan(cursor uint64, fn func(Entry)) uint64 {
	return db.table.Scan(db.ks.a, cursor, func(r dict.Ref) { fn(db.entry(r)) })
}

// Each calls fn for every key until it returns false. fn must not write.
func (db *DB) Each(fn func(Entry) bool) {
	cursor, stop := uint64(0), false
	for {
		cursor = db.table.Scan(db.ks.a, cursor, func(r dict.Ref) {
			if !stop {
				stop = !fn(db.entry(r))
			}
		})
		if cursor == 0 || stop {
			return
		}
	}
}

// ExpireLater notes an expired key that a scan met; ExpireNow, after the scan,
// deletes those noted, where the rule says so.
func (db *DB) ExpireLater(e Entry) {
	if db.ks.rule == ExpiryDeletes {
		db.later = append(db.later, append([]byte(nil), e.Key()...))
	}
}

// ExpireNow deletes the keys that ExpireLater noted.
func (db *DB) ExpireNow() {
	for _, k := range db.later {
		if db.IsExpired(k) {
			db.reclaim(k)
		}
	}
	db.later = db.later[:0]
}

// RandomKey returns a copy-free view of a random key that is not expired. On a
// replica, where expired keys stay until the master deletes them, it gives up
// after a bounded number of tries and returns an expired one.
func (db *DB) RandomKey(rnd func() uint64) ([]byte, bool) {
	const maxTries = 100
	for try := 0; ; try++ {
		if db.table.Len() == 0 {
			return nil, false
		}
		r := db.table.Random(db.ks.a, rnd)
		e := db.entry(r)
		if !e.Expired() {
			return e.Key(), true
		}
		if db.ks.rule == ExpiryDeletes {
			db.reclaim(e.Key())
			continue
		}
		if try >= maxTries && db.expires.Len() == db.table.Len() {
			return e.Key(), true
		}
	}
}

// Expand makes room for n keys ahead of their arrival.
func (db *DB) Expand(n int) { db.table.Expand(db.ks.a, n) }

// Check verifies the structures of all databases. It takes time proportional to
// the data; for tests and DEBUG.
func (ks *Keyspace) Check() error {
	if err := ks.a.Check(); err != nil {
		return err
	}
	for _, db := range ks.dbs {
		if err := db.table.Check(ks.a); err != nil {
			return fmt.Errorf("database %d: %w", db.ID, err)
		}
		if err := db.expires.Check(); err != nil {
			return fmt.Errorf("database %d: expires: %w", db.ID, err)
		}
		n := 0
		var err error
		db.Each(func(e Entry) bool {
			if e.rec.HasExpire() {
				n++
			}
			if err = e.Value().Check(); err != nil {
				err = fmt.Errorf("database %d: key %q: %w", db.ID, e.Key(), err)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		if n != db.expires.Len() {
			return fmt.Errorf("database %d: %d keys have an expiry, the index holds %d", db.ID, n, db.expires.Len())
		}
	}
	return nil
}

// CatchOutOfMemory is deferred by who loads a dataset: it turns the panic of an
// exhausted arena into an error.
func CatchOutOfMemory(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if e, ok := r.(error); ok {
		var oom *dict.OutOfMemoryError
		if errors.As(e, &oom) {
			*err = e
			return
		}
	}
	panic(r)
}
