package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// emitList emits a list: a small one as the listpack that it is, a large one
// node by node.
func emitList(s rdb.Sink, m *rdb.Meta, v object.Value) error {
	l := v.List()
	if l == nil {
		return s.Packed(m, rdb.Listpack, v.Packed(), v.ListLen())
	}
	m.Code = rdb.CodeListNodes
	if err := s.Begin(m, uint64(l.Nodes())); err != nil {
		return err
	}
	err := l.EachNode(v.A, new(quicklist.Env), func(data []byte, n int) error {
		if n == 0 {
			return s.ListElement(data)
		}
		return s.ListNode(data, n)
	})
	if err != nil {
		return err
	}
	return s.End()
}
