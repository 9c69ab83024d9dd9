package keyspace

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Expiry of single fields of hashes.
//
// A database has a second index beside that of its keys with an expiry: of the
// hashes that have a field with one, by the least of theirs. A hash knows its
// place in it, in the first bytes of its payload. The active cycle is the same as
// that of keys; where that one deletes a key, this one deletes some fields of a
// hash, and the hash when it has none left. Records that are no such hash are
// told apart by their first byte.
//
//	DB  expires ─► keys with an expiry
//	    fields  ─► hashes with expiring fields ─► (in each) fields by expiry

// trackFields brings the index in line with what a write made of a record.
func (db *DB) trackFields(r dict.Ref) {
	rec := db.ks.a.Entry(r)
	if !object.MayHaveFieldTTLs(rec) {
		return
	}
	switch due, indexed := object.FieldsDue(rec); {
	case indexed && due == object.NoFieldExpiry:
		db.fields.Remove(r)
	case indexed:
		db.fields.Refresh(r)
	case due != object.NoFieldExpiry:
		db.fields.Add(r)
	}
}

// forgetFields takes a record that goes away out of the index.
func (db *DB) forgetFields(rec dict.Record, r dict.Ref) {
	if object.MayHaveFieldTTLs(rec) {
		if _, indexed := object.FieldsDue(rec); indexed {
			db.fields.Remove(r)
		}
	}
}

// relocated tells the indexes that a record has a new address.
func (db *DB) relocated(r dict.Ref) {
	rec := db.ks.a.Entry(r)
	if rec.HasExpire() {
		db.expires.Moved(rec.ExpireIndex(), r)
	}
	if object.MayHaveFieldTTLs(rec) {
		if _, indexed := object.FieldsDue(rec); indexed {
			db.fields.MovedTo(r)
		}
	}
}

// FieldExpires is the number of hashes that have a field with an expiry.
func (db *DB) FieldExpires() int { return db.fields.Len() }

// FieldTime is the time (unix ms) with which the command in execution compares
// the expiry of a field: a field is gone when its expiry lies before it. For the
// master's stream it is before all times.
func (ks *Keyspace) FieldTime() int64 {
	if ks.rule == ExpiryIgnored {
		return object.NoTime
	}
	return ks.now
}

// ExpireFields deletes up to limit expired fields of a hash, and the hash if
// none is left, where the rule lets accesses delete. It returns how many went; e
// is not valid afterwards if any did. OnFieldsExpired is called.
func (db *DB) ExpireFields(e Entry, limit int) int {
	if db.ks.rule != ExpiryDeletes || e.Type() != object.TypeHash {
		return 0
	}
	return db.expireFields(e, db.ks.now, limit)
}

func (db *DB) expireFields(e Entry, due int64, limit int) int {
	v := e.Value()
	ks := db.ks
	var each func(field []byte)
	if ks.OnFieldExpired != nil {
		each = func(field []byte) { ks.OnFieldExpired(db, v.Record().Key(), field) }
	}
	n := v.HashExpire(due, limit, each)
	if n == 0 {
		return 0
	}
	ks.keyBuf = append(ks.keyBuf[:0], v.Record().Key()...)
	empty := v.HashLen() == 0
	db.Update(e, v, empty)
	if ks.OnFieldsExpired != nil {
		ks.OnFieldsExpired(db, ks.keyBuf, n, empty)
	}
	return n
}

// ActiveExpireFields is a slice of the active expiry of hash fields: it deletes
// fields that expired before due (unix ms), for at most budget nanoseconds.
func (ks *Keyspace) ActiveExpireFields(c *expire.Cycle, due, budget int64) expire.Result {
	ks.fieldCycle = fieldTarget{ks, due}
	return c.Run(&ks.fieldCycle, due, budget)
}

// fieldTarget shows the indexes of hashes with expiring fields to the cycle.
type fieldTarget struct {
	ks  *Keyspace
	due int64
}

// fieldBatch is how many fields of a hash are deleted between two looks at the
// clock by the cycle, which takes a hash for one unit of work.
const fieldBatch = 32

func (t *fieldTarget) Databases() int { return len(t.ks.dbs) }

func (t *fieldTarget) Index(i int) *expire.Index { return t.ks.dbs[i].fields }

// Expire deletes a batch. The hash stays in its place of the index while it has
// more, so that the cycle comes to it again next.
func (t *fieldTarget) Expire(i int, r dict.Ref, _ int64) bool {
	db := t.ks.dbs[i]
	return db.expireFields(db.entry(r), t.due, fieldBatch) > 0
}
