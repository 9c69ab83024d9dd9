package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// emitZset emits a sorted set in the form in which an RDB has it: a small one
// whole, a large one member by member, the greatest first, which is the order that
// Redis saves in and loads fastest.
func emitZset(s rdb.Sink, m *rdb.Meta, v object.Value) error {
	m.Type = rdb.TypeZSet
	n := v.ZsetLen()
	if lp := v.ZsetPacked(); lp != nil {
		return s.Packed(m, rdb.Listpack, lp, n)
	}
	if err := s.Begin(m, uint64(n)); err != nil {
		return err
	}
	var it object.ZsetIter
	for ok := it.Seek(v, n-1); ok; ok = it.Prev() {
		if err := s.ZSetMember(it.Member(), it.Score()); err != nil {
			return err
		}
	}
	return s.End()
}
