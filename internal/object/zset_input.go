package object

import (
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// What the operations on several sorted sets read and build. Each input is a
// sorted set or a set, whose members all have the score 1.

// ZsetInput is a sorted set or a set as such an input.
type ZsetInput struct {
	v   Value
	set bool
}

// NewZsetInput makes one of a value of type zset or set.
func NewZsetInput(v Value) ZsetInput {
	return ZsetInput{v, v.Record().Type() == TypeSet}
}

// Len is the number of members.
func (in ZsetInput) Len() int { return in.v.Len() }

// Same tells whether two inputs are the same key.
func (in ZsetInput) Same(other ZsetInput) bool { return in.v.Ref == other.v.Ref }

// Each calls fn for every member until it returns false. The member is a view
// that is valid during the call; fn must not change the input.
func (in ZsetInput) Each(fn func(member []byte, score float64) bool) {
	if !in.set {
		var it ZsetIter
		for ok := it.Seek(in.v, 0); ok; ok = it.Next() {
			if !fn(it.Member(), it.Score()) {
				return
			}
		}
		return
	}
	switch rec := in.v.Record(); rec.Encoding() {
	case EncIntset:
		p := rec.Payload()
		var num [20]byte
		for i := range intset.Len(p) {
			if !fn(strconv.AppendInt(num[:0], intset.Get(p, i), 10), 1) {
				return
			}
		}
	case EncListpack:
		lp := rec.Payload()
		var buf listpack.IntBuf
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			if !fn(listpack.Get(lp, p, &buf), 1) {
				return
			}
		}
	default:
		EachElem(in.v.A, (*dict.Table)(rec.Fixed()), func(r dict.Ref) bool {
			return fn(in.v.A.Elem(r).Key(), 1)
		})
	}
}

// Find returns the score of a member, and whether there is such a member.
func (in ZsetInput) Find(member []byte) (float64, bool) {
	if !in.set {
		return in.v.ZsetScore(member)
	}
	switch rec := in.v.Record(); rec.Encoding() {
	case EncIntset:
		n, ok := listpack.ParseInt(member)
		return 1, ok && intset.Contains(rec.Payload(), n)
	case EncListpack:
		lp := rec.Payload()
		return 1, listpack.Find(lp, listpack.First(lp), member, 0) >= 0
	default:
		a := in.v.A
		return 1, (*dict.Table)(rec.Fixed()).Find(a, dict.Hash(a.Seed(), member), member) != 0
	}
}

// ZsetCollect returns where the score of a member of a large sorted set stands
// while it is collected: the member is added with the score 0 if it is not there
// (fresh). The place is valid until the next call. When all members are collected
// ZsetCollected puts them in order; before that nothing else may be done with
// the sorted set.
func (v Value) ZsetCollect(member []byte) (score *float64, fresh bool) {
	a, z := v.A, v.zset()
	h := dict.Hash(a.Seed(), member)
	r := z.table.Find(a, h, member)
	if r == 0 {
		r = newZsetElem(a, member, 0)
		z.table.Insert(a, h, r)
		fresh = true
	}
	return elemScore(a, r), fresh
}

// ZsetCollected completes what ZsetCollect built.
func (v Value) ZsetCollected() {
	a, z := v.A, v.zset()
	EachElem(a, &z.table, func(r dict.Ref) bool {
		z.index.Insert(a, *elemScore(a, r), r)
		return true
	})
}
