package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// emitSet emits a set: a small one whole, a large one member by member. RDBs of
// Redis 7.0 have no listpacks of sets; the encoder takes them apart.
func emitSet(s rdb.Sink, m *rdb.Meta, v object.Value) error {
	n := object.SetLen(v)
	switch p, enc := object.SetPacked(v); enc {
	case object.EncIntset:
		return s.Packed(m, rdb.Intset, p, n)
	case object.EncListpack:
		return s.Packed(m, rdb.Listpack, p, n)
	}
	if err := s.Begin(m, uint64(n)); err != nil {
		return err
	}
	var err error
	object.SetEachBuf(v, nil, func(member []byte) bool {
		err = s.SetMember(member)
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.End()
}
