package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Hashes from an RDB.

// packedHash stores a small hash as it came, or makes it large if it has more
// fields than the limits allow. A listpack of Redis 7 is known to have only
// short fields and values; older packings are looked at, as Redis does.
func (l *Loader) packedHash(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	a := l.ks.Arena()
	var v object.Value
	switch p {
	case rdb.ListpackEx:
		l.buf = object.NewHashEx(l.buf[:0], data)
		v = object.Value{A: a, Ref: a.NewEntry(l.header(m, object.TypeHash, object.EncListpackEx), m.Key, l.buf)}
	case rdb.Listpack:
		v = object.Value{A: a, Ref: a.NewEntry(l.header(m, object.TypeHash, object.EncListpack), m.Key, data)}
	default:
		return unsupported(m)
	}
	if n > l.lim.HashMaxListpackEntries || (m.OldPacking() && longestEntry(data) > l.lim.HashMaxListpackValue) {
		v.HashToTable()
	}
	return l.finish(m, v.Ref)
}

// longestEntry is the length of the longest string in a listpack.
func longestEntry(lp []byte) int {
	n := 0
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		n = max(n, len(listpack.Get(lp, p, &buf)))
	}
	return n
}

// maxHashHint bounds the table that is made ahead by what an RDB claims.
const maxHashHint = 1 << 14

// beginHash starts a hash that comes field by field. It is built as a large one,
// in which duplicates show, and packed at the end if it is small.
func (l *Loader) beginHash(m *rdb.Meta, n uint64) error {
	a := l.ks.Arena()
	r, _ := a.NewEntryFixed(l.header(m, object.TypeHash, object.EncHashtable), m.Key, object.HashHeadSize)
	l.value = object.Value{A: a, Ref: r}
	l.value.InitHash()
	l.value.HashExpand(int(min(n, maxHashHint)))
	return nil
}

// HashField is the next field. expireAt is in unix ms, -1 for never.
func (l *Loader) HashField(field, value []byte, expireAt int64) error {
	if !l.value.HashSet(field, value, false, object.NoTime, &l.lim) {
		return rdb.ErrDuplicate
	}
	if expireAt != -1 {
		l.value.HashSetExpiry(field, expireAt)
	}
	return nil
}

func (l *Loader) endHash() error {
	l.value.HashToListpack(&l.lim)
	return l.finish(&l.meta, l.value.Ref)
}
