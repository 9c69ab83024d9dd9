package commands

import (
	"fmt"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Loader puts what an RDB holds into a keyspace: a whole snapshot during a full
// synchronisation, on the goroutine that decodes and owns the new keyspace, or
// one value for RESTORE, on the loop.
//
// A small collection that is within the limits becomes a record as it came, one
// validated copy; everything else is built element by element. The methods
// for each type stand beside its commands (load_hash.go, …).
type Loader struct {
	rdb.NopSink
	// Keys counts the keys loaded.
	Keys int64
	// StreamDB is the database that was selected in the master's stream when the
	// snapshot was taken.
	StreamDB int
	// Functions are the texts of the function libraries, for InstallFunctions.
	Functions []string
	// Filter keeps a part of the snapshot out, nil nothing; set it before Load.
	// FilteredKeys and FilteredBytes count what that was.
	Filter                      *Filter
	FilteredKeys, FilteredBytes int64
	// Clock, if set before Load, is the wall clock (unix ms). Age is then how long ago,
	// by it, the master began the snapshot by its own (ms); HasAge if it says so.
	Clock  func() int64
	Age    int64
	HasAge bool

	// ReplID and ReplOffset are the point of the replication history that the
	// snapshot stands for: "" and -1 if it does not say.
	ReplID     string
	ReplOffset int64
	// SavedFilter is the filter of the replica that took the snapshot, "" for none.
	SavedFilter string
	// ClockAhead, if ClockKnown, is how far that replica's clock was ahead of its
	// master's, at most, ms.
	ClockAhead int64
	ClockKnown bool

	// DropExpired, set before Load, leaves out keys that have expired by the time
	// given to NewLoader, and Expired counts them. A replica keeps them.
	DropExpired bool
	Expired     int64
	// Merge, set before Load, puts keys in the place of those that are there.
	Merge bool

	ks  *keyspace.Keyspace
	db  *keyspace.DB
	lim object.Limits
	now int64

	// The collection between Begin and End: its record, which no table refers
	// to yet.
	value object.Value
	typ   rdb.Type
	buf   []byte // scratch
	lists quicklist.Env
	set   setBuilder
	meta  rdb.Meta // of that collection; Key is a copy

	// single is set for RESTORE: the value is kept in value, not put in a table.
	single bool
	got    bool

	// The consumer group and the consumer of the stream being loaded.
	group    *stream.Group
	consumer *stream.Consumer
}

// NewLoader makes a loader into ks, which is empty. now (unix ms) is the clock
// that accesses are stamped with.
func NewLoader(ks *keyspace.Keyspace, lim object.Limits, now int64) *Loader {
	ks.SetClock(now)
	ks.Begin(now, keyspace.ExpiryIgnored)
	return &Loader{ks: ks, db: ks.DB(0), lim: lim, now: now, ReplOffset: -1}
}

// Load decodes a whole RDB. An exhausted system is an error here, not the end
// of the process: the old dataset stays in service.
func (l *Loader) Load(d *rdb.Decoder) (err error) {
	defer keyspace.CatchOutOfMemory(&err)
	if err := d.Decode(l.sink()); err != nil {
		return err
	}
	return l.flush()
}

// flush puts what the databases still hold back into their tables.
func (l *Loader) flush() error {
	for i := range l.ks.Databases() {
		if err := l.ks.DB(i).FlushLoad(); err != nil {
			return fmt.Errorf("database %d: %w", i, err)
		}
	}
	return nil
}

// Keyspace is what was loaded into.
func (l *Loader) Keyspace() *keyspace.Keyspace { return l.ks }

// Aux reads the fields that replication needs.
func (l *Loader) Aux(key, value []byte) error {
	if string(key) == "repl-stream-db" {
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 || n >= l.ks.Databases() {
			return fmt.Errorf("aux field repl-stream-db is %q: not a database of this server (databases %d)", value, l.ks.Databases())
		}
		l.StreamDB = n
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	switch string(key) {
	case "ctime":
		if err == nil && n > 0 && n < 1<<40 && l.Clock != nil {
			l.Age, l.HasAge = l.Clock()-n*1000, true
		}
	case "repl-id":
		if len(value) == 40 {
			l.ReplID = string(value)
		}
	case "repl-offset":
		if err == nil && n >= 0 {
			l.ReplOffset = n
		}
	case auxFilter:
		l.SavedFilter = string(value)
	case auxClockAhead:
		if err == nil && n >= 0 {
			l.ClockAhead, l.ClockKnown = n, true
		}
	}
	return nil
}

// SelectDB switches the database.
func (l *Loader) SelectDB(n int) error {
	if n < 0 || n >= l.ks.Databases() {
		return fmt.Errorf("the RDB uses database %d, but databases is set to %d", n, l.ks.Databases())
	}
	l.db = l.ks.DB(n)
	return nil
}

// maxSizeHint bounds the table that is made ahead by a claim of the RDB; beyond
// it the table grows as keys arrive.
const maxSizeHint = 1 << 24

// ResizeDB makes room ahead.
func (l *Loader) ResizeDB(keys, expires uint64) error {
	l.db.Expand(int(min(keys, maxSizeHint)))
	return nil
}

// String stores a string key.
func (l *Loader) String(m *rdb.Meta, v []byte) error {
	if l.single {
		return l.finish(m, l.ks.Arena().NewEntry(l.header(m, object.TypeString, object.EncodeString(v)), m.Key, v))
	}
	if l.DropExpired && m.ExpireAt != -1 && m.ExpireAt < l.now {
		l.Expired++
		return nil
	}
	if l.Merge {
		l.db.Delete(m.Key)
	}
	l.Keys++
	return l.db.LoadString(m.Key, v, m.ExpireAt, m.Idle, m.Freq)
}

// header is the header of the record for a key.
func (l *Loader) header(m *rdb.Meta, typ, enc byte) dict.Header {
	when := m.ExpireAt
	if when == -1 {
		when = keyspace.NoExpire
	}
	return dict.Header{Type: typ, Encoding: enc, LRU: l.ks.LoadedLRU(m.Idle, m.Freq), ExpireAt: when}
}

// finish puts a complete record in its table.
func (l *Loader) finish(m *rdb.Meta, r dict.Ref) error {
	if l.single {
		l.value, l.got = object.Value{A: l.ks.Arena(), Ref: r}, true
		return nil
	}
	if err := l.db.FlushLoad(); err != nil {
		return err
	}
	if l.DropExpired && m.ExpireAt != -1 && m.ExpireAt < l.now {
		l.ks.FreeDetached(r)
		l.Expired++
		return nil
	}
	if l.Merge {
		l.db.Delete(m.Key)
	} else if l.db.Exists(m.Key) {
		return fmt.Errorf("key %q is there twice", m.Key)
	}
	l.db.Adopt(r)
	l.Keys++
	return nil
}

// Packed stores a small collection, or builds a large one if it is beyond the
// limits.
func (l *Loader) Packed(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	switch m.Type {
	case rdb.TypeHash:
		return l.packedHash(m, p, data, n)
	case rdb.TypeSet:
		return l.packedSet(m, p, data, n)
	case rdb.TypeZSet:
		return l.packedZset(m, p, data, n)
	case rdb.TypeList:
		return l.packedList(m, p, data, n)
	}
	return unsupported(m)
}

// Begin starts a collection that arrives in parts.
func (l *Loader) Begin(m *rdb.Meta, n uint64) error {
	l.typ = m.Type
	l.meta = *m
	l.meta.Key = append([]byte(nil), m.Key...)
	switch m.Type {
	case rdb.TypeHash:
		return l.beginHash(&l.meta, n)
	case rdb.TypeSet:
		return l.beginSet(&l.meta, n)
	case rdb.TypeZSet:
		return l.beginZset(&l.meta, n)
	case rdb.TypeList:
		return l.beginList(&l.meta, n)
	case rdb.TypeStream:
		return l.beginStream(&l.meta, n)
	}
	return unsupported(m)
}

// End completes the collection that Begin began.
func (l *Loader) End() error {
	switch l.typ {
	case rdb.TypeHash:
		return l.endHash()
	case rdb.TypeSet:
		return l.endSet()
	case rdb.TypeZSet:
		return l.endZset()
	case rdb.TypeList:
		return l.endList()
	case rdb.TypeStream:
		return l.endStream()
	}
	return nil
}

// Module refuses a module's value: its commands do not exist here, and what is
// not held must not be dropped in silence.
func (l *Loader) Module(m *rdb.Meta, name string, _ int) error {
	return &rdb.UnsupportedError{Code: m.Code, Name: "module " + name}
}

func unsupported(m *rdb.Meta) error {
	return &rdb.UnsupportedError{Code: m.Code, Name: m.Type.String()}
}
