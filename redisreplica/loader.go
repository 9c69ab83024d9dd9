package redisreplica

import (
	"fmt"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// loader puts what an RDB holds into a keyspace that nobody else sees yet.
// Everything happens on the goroutine that decodes.
type loader struct {
	rdb.NopSink
	ks       *keyspace.Keyspace
	db       *keyspace.DB
	dbIndex  int
	keys     int64
	streamDB int
	now      int64
}

func newLoader(ks *keyspace.Keyspace, now int64) *loader {
	ks.SetClock(now)
	ks.Begin(now, keyspace.ExpiryIgnored)
	return &loader{ks: ks, db: ks.DB(0), now: now}
}

// run decodes the whole RDB. An exhausted system is an error here, not the end
// of the process: the old dataset stays in service.
func (l *loader) run(d *rdb.Decoder) (err error) {
	defer keyspace.CatchOutOfMemory(&err)
	return d.Decode(l)
}

// Aux reads the fields that replication needs.
func (l *loader) Aux(key, value []byte) error {
	if string(key) == "repl-stream-db" {
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 || n >= l.ks.Databases() {
			return fmt.Errorf("aux field repl-stream-db is %q: not a database of this server (databases %d)", value, l.ks.Databases())
		}
		l.streamDB = n
	}
	return nil
}

// SelectDB switches the database.
func (l *loader) SelectDB(n int) error {
	if n < 0 || n >= l.ks.Databases() {
		return fmt.Errorf("the RDB uses database %d, but databases is set to %d", n, l.ks.Databases())
	}
	l.db = l.ks.DB(n)
	l.dbIndex = n
	return nil
}

// maxSizeHint bounds the table that is made ahead by a claim of the RDB; beyond
// it the table grows as keys arrive.
const maxSizeHint = 1 << 24

// ResizeDB makes room ahead.
func (l *loader) ResizeDB(keys, expires uint64) error {
	l.db.Expand(int(min(keys, maxSizeHint)))
	return nil
}

// String stores a string key.
func (l *loader) String(m *rdb.Meta, v []byte) error {
	l.keys++
	return l.db.LoadString(m.Key, v, m.ExpireAt, m.Idle, m.Freq)
}

func unsupported(m *rdb.Meta) error {
	return &rdb.UnsupportedError{Code: m.Code, Name: m.Type.String()}
}

// Packed refuses small collections by name: their commands do not exist yet,
// and what is not held must not be dropped in silence.
func (l *loader) Packed(m *rdb.Meta, _ rdb.Packing, _ []byte, _ int) error { return unsupported(m) }

// Begin refuses large collections.
func (l *loader) Begin(m *rdb.Meta, _ uint64) error { return unsupported(m) }

// Module refuses module values.
func (l *loader) Module(m *rdb.Meta, name string, _ int) error {
	return &rdb.UnsupportedError{Code: m.Code, Name: "module " + name}
}
