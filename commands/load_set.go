package commands

import (
	"math"
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Sets from an RDB.

// packedSet stores a small set as it came, or makes it large if it is beyond the
// limits. A listpack of integers becomes an intset: so does any such set that
// Redis 7.0 loads, and with that it takes least.
func (l *Loader) packedSet(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	enc, table := object.EncIntset, n > object.IntsetLimit(&l.lim)
	if p == rdb.Listpack {
		ints, longest := surveyListpack(data)
		switch {
		case ints && !table:
			data = l.intsetOf(data)
		default:
			enc = object.EncListpack
			table = n > l.lim.SetMaxListpackEntries || longest > l.lim.SetMaxListpackValue
		}
	}
	v := object.Value{A: l.ks.Arena()}
	v.Ref = v.A.NewEntry(l.header(m, object.TypeSet, enc), m.Key, data)
	if table {
		object.SetToTable(&v)
	}
	return l.finish(m, v.Ref)
}

// surveyListpack tells whether all entries are integers, and the length of the
// longest that is none.
func surveyListpack(lp []byte) (ints bool, longest int) {
	ints = true
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		if s, _, isInt := listpack.Entry(lp, p); !isInt {
			// What a foreign encoder left as a string may be an integer all the same.
			if _, ok := listpack.ParseInt(s); !ok {
				ints = false
			}
			longest = max(longest, len(s))
		}
	}
	return ints, longest
}

// intsetOf makes an intset of a listpack of integers, in l.buf.
func (l *Loader) intsetOf(lp []byte) []byte {
	s := intset.Append(l.buf[:0])
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		n, _ := listpack.GetInt(lp, p)
		s, _ = intset.Add(s, n)
	}
	l.buf = s
	return s
}

// setBuilder is a set that comes member by member. While it may be a small one it
// is put together in a buffer, where duplicates are found by a table of the
// places of the members, and copied into a record at the end.
type setBuilder struct {
	enc   byte
	n     int    // members so far
	want  int    // members announced
	p     []byte // intset, or the beginning of a listpack
	slots []setSlot
}

// setSlot is where an entry of the listpack stands (0: a free slot), and a part
// of its hash.
type setSlot struct{ at, tag uint32 }

// maxSetHint bounds the table that is made ahead by what an RDB claims.
const maxSetHint = 1 << 16

func (l *Loader) beginSet(_ *rdb.Meta, n uint64) error {
	b := &l.set
	b.n, b.want = 0, int(min(n, math.MaxInt64))
	l.value = object.Value{}
	switch {
	case n <= uint64(object.IntsetLimit(&l.lim)):
		b.enc, b.p = object.EncIntset, intset.Append(b.p[:0])
	case n <= uint64(l.lim.SetMaxListpackEntries):
		b.beginListpack()
	default:
		l.setTable()
	}
	return nil
}

// SetMember is the next member.
func (l *Loader) SetMember(m []byte) error {
	b := &l.set
	if b.enc != object.EncHashtable && b.n == b.want {
		// More than announced, for which the buffer was not made.
		l.setTable()
	}
	if b.enc == object.EncIntset {
		if n, ok := listpack.ParseInt(m); ok {
			var added bool
			if b.p, added = intset.Add(b.p, n); !added {
				return rdb.ErrDuplicate
			}
			b.n++
			return nil
		}
		l.setLeaveIntset()
	}
	if b.enc == object.EncListpack {
		if len(m) <= l.lim.SetMaxListpackValue {
			if !b.add(l.ks.Arena().Seed(), m) {
				return rdb.ErrDuplicate
			}
			return nil
		}
		l.setTable()
	}
	if !object.SetAdd(&l.value, m, &l.lim) {
		return rdb.ErrDuplicate
	}
	return nil
}

func (l *Loader) endSet() error {
	b := &l.set
	switch b.enc {
	case object.EncListpack:
		b.p = listpack.Finish(b.p, 0, b.n)
		fallthrough
	case object.EncIntset:
		return l.finish(&l.meta, l.ks.Arena().NewEntry(l.header(&l.meta, object.TypeSet, b.enc), l.meta.Key, b.p))
	}
	return l.finish(&l.meta, l.value.Ref)
}

// setLeaveIntset goes on as a listpack, or as a table if more members are
// announced than one may have.
func (l *Loader) setLeaveIntset() {
	b := &l.set
	if b.want > l.lim.SetMaxListpackEntries {
		l.setTable()
		return
	}
	s := append(l.buf[:0], b.p...)
	l.buf = s
	b.beginListpack()
	var buf listpack.IntBuf
	for i := range intset.Len(s) {
		b.add(l.ks.Arena().Seed(), numeric.AppendInt(buf[:0], intset.Get(s, i)))
	}
}

// setTable makes the record of a large set, with the members so far.
func (l *Loader) setTable() {
	b, a := &l.set, l.ks.Arena()
	r, _ := a.NewEntryFixed(l.header(&l.meta, object.TypeSet, object.EncHashtable), l.meta.Key, object.SetHeadSize)
	v := object.Value{A: a, Ref: r}
	object.InitSet(v)
	object.SetExpand(v, min(b.want, maxSetHint))
	l.value = v
	if b.n > 0 {
		var buf listpack.IntBuf
		switch b.enc {
		case object.EncIntset:
			for i := range intset.Len(b.p) {
				object.SetAdd(&l.value, numeric.AppendInt(buf[:0], intset.Get(b.p, i)), &l.lim)
			}
		case object.EncListpack:
			lp := listpack.Finish(b.p, 0, b.n)
			for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
				object.SetAdd(&l.value, listpack.Get(lp, p, &buf), &l.lim)
			}
		}
	}
	b.enc = object.EncHashtable
}

func (b *setBuilder) beginListpack() {
	b.enc, b.n, b.p = object.EncListpack, 0, listpack.Begin(b.p[:0])
	// At most half full.
	size := 1 << bits.Len(uint(2*b.want))
	if cap(b.slots) < size {
		b.slots = make([]setSlot, size)
	}
	b.slots = b.slots[:size]
	clear(b.slots)
}

// add appends a member to the listpack; false if it is there.
func (b *setBuilder) add(seed uint64, m []byte) bool {
	h := dict.Hash(seed, m)
	mask, tag := uint64(len(b.slots)-1), uint32(h>>32)
	i := h & mask
	for ; b.slots[i].at != 0; i = (i + 1) & mask {
		if b.slots[i].tag == tag && listpack.Equal(b.p, int(b.slots[i].at), m) {
			return false
		}
	}
	b.slots[i] = setSlot{uint32(len(b.p)), tag}
	b.p = listpack.AppendEntry(b.p, m)
	b.n++
	return true
}
