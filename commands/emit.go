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

// dumpMeta describes a key for DUMP, which knows neither expiry nor access
// history.
func dumpMeta(e keyspace.Entry) rdb.Meta {
	return rdb.Meta{Key: e.Key(), ExpireAt: -1, Idle: -1, Freq: -1, Type: rdb.Type(e.Type())}
}
