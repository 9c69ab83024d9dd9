package object

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Walking a set and drawing from it. The members that these functions pass on
// are views of the set, or of the buffer given for integers, and valid during
// the call; fn must not change the set.

// SetEach calls fn for every member until it returns false: in ascending order
// for an intset, in the order of insertion for a listpack. It allocates a buffer
// when the set may hold integers as such; SetEachBuf does not.
func SetEach(v Value, fn func(member []byte) bool) {
	var buf *listpack.IntBuf
	if v.Record().Encoding() != EncHashtable {
		buf = new(listpack.IntBuf)
	}
	SetEachBuf(v, buf, fn)
}

// SetEachBuf is SetEach with a buffer to render integers into.
func SetEachBuf(v Value, buf *listpack.IntBuf, fn func(member []byte) bool) {
	switch rec := v.Record(); rec.Encoding() {
	case EncIntset:
		s := rec.Payload()
		for i := range intset.Len(s) {
			if !fn(numeric.AppendInt(buf[:0], intset.Get(s, i))) {
				return
			}
		}
	case EncListpack:
		lp := rec.Payload()
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			if !fn(listpack.Get(lp, p, buf)) {
				return
			}
		}
	default:
		EachElem(v.A, v.setTable(), func(r dict.Ref) bool { return fn(v.A.Elem(r).Key()) })
	}
}

// SetScan is one step of an SSCAN: it calls fn for some members, all of those of
// a small set, and returns the next cursor, 0 at the end.
func SetScan(v Value, buf *listpack.IntBuf, cursor uint64, count int64, fn func(member []byte)) uint64 {
	if v.Record().Encoding() != EncHashtable {
		SetEachBuf(v, buf, func(m []byte) bool {
			fn(m)
			return true
		})
		return 0
	}
	return ScanElems(v.A, v.setTable(), cursor, count, func(r dict.Ref) { fn(v.A.Elem(r).Key()) })
}

// SetRandom returns a member chosen fairly. The set is not empty.
func SetRandom(v Value, rnd func() uint64, buf *listpack.IntBuf) []byte {
	switch rec := v.Record(); rec.Encoding() {
	case EncIntset:
		s := rec.Payload()
		return numeric.AppendInt(buf[:0], intset.Get(s, below(rnd, intset.Len(s))))
	case EncListpack:
		lp := rec.Payload()
		return listpack.Get(lp, listpack.Seek(lp, below(rnd, listpack.Len(lp))), buf)
	}
	return v.A.Elem(v.setTable().Random(v.A, rnd)).Key()
}

// SetSample calls fn for n different members, each choice having the same
// chance; n is not more than SetLen. scratch is storage for its use, which it
// returns.
func SetSample(v Value, rnd func() uint64, n int, buf *listpack.IntBuf, scratch []dict.Ref, fn func(member []byte)) []dict.Ref {
	if v.Record().Encoding() == EncHashtable {
		return SampleElems(v.A, v.setTable(), rnd, n, scratch, func(r dict.Ref) { fn(v.A.Elem(r).Key()) })
	}
	if n <= 0 {
		return scratch
	}
	left := SetLen(v)
	SetEachBuf(v, buf, func(m []byte) bool {
		if below(rnd, left) < n {
			n--
			fn(m)
		}
		left--
		return n > 0
	})
	return scratch
}

// SetPop removes a member chosen fairly; fn is called with it just before. The
// set is not empty.
func SetPop(v *Value, rnd func() uint64, buf *listpack.IntBuf, fn func(member []byte)) {
	switch v.Record().Encoding() {
	case EncIntset:
		s := v.Packed()
		i := below(rnd, intset.Len(s))
		fn(numeric.AppendInt(buf[:0], intset.Get(s, i)))
		v.ShrinkPacked(len(intset.RemoveAt(s, i)))
	case EncListpack:
		lp := v.Packed()
		p := listpack.Seek(lp, below(rnd, listpack.Len(lp)))
		fn(listpack.Get(lp, p, buf))
		v.LpDelete(p, 1)
	default:
		a, t := v.A, v.setTable()
		r := t.Random(a, rnd)
		key := a.Elem(r).Key()
		fn(key)
		s, ok := t.LookupRef(a, dict.Hash(a.Seed(), key), r)
		if !ok {
			panic("object: the member " + string(key) + " that was drawn is not in its set")
		}
		t.DeleteSlot(a, s)
		a.Free(r)
	}
}
