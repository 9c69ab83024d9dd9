package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// A value is written out by emitting it to an rdb.Sink, in the calls that a
// decoder would make for it: to an encoder for DUMP and snapshots, or straight
// to a Loader. Each type has its part beside its commands (emit_hash.go, …).

// emitValue emits the value of a key described by m.
func emitValue(s rdb.Sink, m *rdb.Meta, v object.Value) error {
	switch r := v.Record(); r.Type() {
	case object.TypeString:
		return s.String(m, r.Payload())
	case object.TypeZset:
		return emitZset(s, m, v)
	case object.TypeHash:
		return emitHash(s, m, v)
	case object.TypeList:
		return emitList(s, m, v)
	case object.TypeSet:
		return emitSet(s, m, v)
	case object.TypeStream:
		return emitStream(s, m, v)
	default:
		panic("commands: no way to write a value of type " + object.TypeName(r.Type()))
	}
}

// emitKeyspace emits every key of every database.
func emitKeyspace(s rdb.Sink, ks *keyspace.Keyspace, lfu bool) error {
	for i := 0; i < ks.Databases(); i++ {
		db := ks.DB(i)
		if db.Len() == 0 {
			continue
		}
		if err := s.SelectDB(i); err != nil {
			return err
		}
		if err := s.ResizeDB(uint64(db.Len()), uint64(db.Expires())); err != nil {
			return err
		}
		var err error
		db.Each(func(e keyspace.Entry) bool {
			m := metaOf(e, i, lfu)
			err = emitValue(s, &m, e.Value())
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// metaOf describes a key.
func metaOf(e keyspace.Entry, db int, lfu bool) rdb.Meta {
	m := rdb.Meta{Key: e.Key(), ExpireAt: -1, Idle: -1, Freq: -1, DB: db, Type: rdb.Type(e.Type())}
	if when := e.ExpireAt(); when != keyspace.NoExpire {
		m.ExpireAt = when
	}
	if lfu {
		m.Freq = int(e.Frequency())
	} else {
		m.Idle = e.IdleSeconds()
	}
	return m
}
