package object

import (
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// A SetIndex answers whether members are in a set, for one who asks for many. A
// listpack is read from its beginning for each member that is looked for, so an
// intersection of two of them would take the product of their lengths. The index
// reads it once, and then a member costs a hash and mostly one comparison.
//
//	slots  │ tag:16 offset:16 │ 0 │ tag offset │ …     at least two slots a member
//	                    │
//	listpack  │ member member member …
//
// A set in another encoding, or a listpack too long for 16 bits of offset, is asked
// itself. The zero value is ready for Init; the slots are kept for the next one.
// The set must not change or move while its index is in use.
type SetIndex struct {
	v     Value
	lp    []byte // nil: ask the set
	slots []uint32
}

// worthIndexing is the number of members that must be going to be looked for, and
// that the listpack must have, for an index to pay.
const worthIndexing = 8

// Init makes x the index of v, for one who will look for about that many members.
func (x *SetIndex) Init(v Value, lookups int) {
	x.v, x.lp = v, nil
	rec := v.Record()
	if rec.Encoding() != EncListpack || lookups < worthIndexing {
		return
	}
	lp := rec.Payload()
	n := listpack.Len(lp)
	if n < worthIndexing || len(lp) > 1<<16 {
		return
	}
	size := 1 << bits.Len(uint(2*n-1))
	if cap(x.slots) < size {
		x.slots = make([]uint32, size)
	}
	x.slots = x.slots[:size]
	clear(x.slots)
	x.lp = lp
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		tag, at := x.place(listpack.Get(lp, p, &buf))
		for x.slots[at] != 0 {
			at = (at + 1) & uint32(size-1)
		}
		x.slots[at] = tag | uint32(p)
	}
}

// place is the tag of a member, and the slot from which on it stands.
func (x *SetIndex) place(member []byte) (tag, at uint32) {
	h := dict.Hash(x.v.A.Seed(), member)
	return uint32(h>>32) &^ 0xffff, uint32(h) & uint32(len(x.slots)-1)
}

// Has tells whether member is in the set.
func (x *SetIndex) Has(member []byte) bool {
	if x.lp == nil {
		return SetContains(x.v, member)
	}
	tag, at := x.place(member)
	for ; ; at = (at + 1) & uint32(len(x.slots)-1) {
		s := x.slots[at]
		if s == 0 {
			return false
		}
		if s&^0xffff == tag && listpack.Equal(x.lp, int(s&0xffff), member) {
			return true
		}
	}
}
