package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Lists from an RDB. Nodes stay as they came, whatever this server's settings
// for new ones: where they end has no meaning, and a load is a copy.

// packedList stores a list of one listpack.
func (l *Loader) packedList(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	if p != rdb.Listpack {
		return unsupported(m)
	}
	if object.ListFitsRecord(data, n) {
		return l.finish(m, l.ks.Arena().NewEntry(l.header(m, object.TypeList, object.EncListpack), m.Key, data))
	}
	l.newList(m)
	l.value.List().AppendListpack(l.value.A, &l.lists, data, n)
	return l.finish(m, l.value.Ref)
}

// newList makes an empty large list.
func (l *Loader) newList(m *rdb.Meta) {
	object.SetListSettings(&l.lists, &l.lim)
	a := l.ks.Arena()
	r, _ := a.NewEntryFixed(l.header(m, object.TypeList, object.EncQuicklist), m.Key, quicklist.HeadSize)
	l.value = object.Value{A: a, Ref: r}
	l.value.List().Init(&l.lists)
}

func (l *Loader) beginList(m *rdb.Meta, _ uint64) error {
	l.newList(m)
	return nil
}

// ListNode is the next node.
func (l *Loader) ListNode(lp []byte, n int) error {
	l.value.List().AppendListpack(l.value.A, &l.lists, lp, n)
	return nil
}

// ListElement is the next element, or a node of one big one.
func (l *Loader) ListElement(v []byte) error {
	if l.meta.Code == rdb.CodeListNodes {
		l.value.List().AppendPlain(l.value.A, &l.lists, v)
	} else {
		l.value.List().PushTail(l.value.A, &l.lists, v)
	}
	return nil
}

func (l *Loader) endList() error {
	l.value.ListToListpack(&l.lists)
	return l.finish(&l.meta, l.value.Ref)
}
