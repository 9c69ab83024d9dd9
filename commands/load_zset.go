package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Sorted sets from an RDB.

// packedZset stores a small sorted set as it came (the decoder has seen to its
// order), or makes it large if it has more members than the limits allow. Their
// length is not looked at, which is Redis's way too.
func (l *Loader) packedZset(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	if p != rdb.Listpack {
		return unsupported(m)
	}
	a := l.ks.Arena()
	v := object.Value{A: a, Ref: a.NewEntry(l.header(m, object.TypeZset, object.EncListpack), m.Key, data)}
	if n > l.lim.ZsetMaxListpackEntries {
		v.ZsetToSkiplist()
	}
	return l.finish(m, v.Ref)
}

// maxZsetHint bounds the table that is made ahead by what an RDB claims.
const maxZsetHint = 1 << 20

// beginZset starts a sorted set that comes member by member. It is built as a
// large one, in which duplicates show, and packed at the end if it is small.
func (l *Loader) beginZset(m *rdb.Meta, n uint64) error {
	a := l.ks.Arena()
	r, _ := a.NewEntryFixed(l.header(m, object.TypeZset, object.EncSkiplist), m.Key, object.ZsetHeadSize)
	l.value = object.Value{A: a, Ref: r}
	l.value.InitZset()
	l.value.ZsetExpand(int(min(n, maxZsetHint)))
	return nil
}

// ZSetMember is the next member.
func (l *Loader) ZSetMember(member []byte, score float64) error {
	if !l.value.ZsetBuild(member, score) {
		return rdb.ErrDuplicate
	}
	return nil
}

func (l *Loader) endZset() error {
	l.value.ZsetToListpack(&l.lim)
	return l.finish(&l.meta, l.value.Ref)
}
