package object

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Editing a packed collection in its record
//
// The payload of a small collection is its listpack or intset. An edit first
// makes the payload as long as the result, in place if the block has room (a
// block has, by its size class, and a growing one is given some on purpose),
// else by moving the record; then the bytes are shifted where they stand. No
// edit goes through the Go heap.
//
//	before   | header key | len 9  | a b c d FF |  room      |
//	grown    | header key | len 12 | a b c d FF ? ? ? | room |
//	edited   | header key | len 12 | a b X c d FF     | room |
//
// The functions are methods of *Value: they put the record's new reference into
// it when it moved. A []byte that they return is a view of the payload, valid
// until the next edit. What is added must not be a view of the same record.

// packedSpare is the room that a packed collection of n bytes gets beyond what
// it needs when its block has to be replaced because it grew. The block's size
// class adds up to a sixteenth by itself, so that a long one is copied once in
// several insertions anyway; a short one is copied in no time, and the room in
// many short ones would add up.
func packedSpare(n int) int {
	if n < 1024 {
		return 0
	}
	return min(n/32, 512)
}

// Packed returns the payload: the listpack or intset itself.
func (v Value) Packed() []byte { return v.A.Entry(v.Ref).Payload() }

// GrowPacked makes the payload n bytes longer. It returns the old payload as a
// slice whose capacity is that of the new one, so that a function that edits a
// listpack or intset in place when the capacity allows, and adds exactly n bytes,
// does so.
func (v *Value) GrowPacked(n int) []byte {
	old := len(v.Packed())
	r, p := v.A.WithPayloadLen(dict.EntryLayout, v.Ref, old+n, packedSpare(old+n))
	v.Ref = r
	return p[:old:len(p)]
}

// ShrinkPacked makes the payload n bytes long, which must not be more than it is,
// and moves the record to a smaller block when this one would be mostly empty.
func (v *Value) ShrinkPacked(n int) []byte {
	r, p := v.A.WithPayloadLen(dict.EntryLayout, v.Ref, n, packedSpare(n))
	v.Ref = r
	return p
}

// SetPacked replaces the payload, which b must not be a view of.
func (v *Value) SetPacked(b []byte) {
	v.Ref = v.A.WithPayload(dict.EntryLayout, v.Ref, b)
}

// LpAppend adds s at the end of the record's listpack.
func (v *Value) LpAppend(s []byte) {
	listpack.Append(v.GrowPacked(listpack.EntrySize(s)), s)
}

// LpAppendPair adds a and then b at the end.
func (v *Value) LpAppendPair(a, b []byte) {
	lp := v.GrowPacked(listpack.EntrySize(a) + listpack.EntrySize(b))
	listpack.Append(listpack.Append(lp, a), b)
}

// LpInsert adds s before the entry p (or at the end if p is the offset of the
// end byte). The new entry stands at p.
func (v *Value) LpInsert(p int, s []byte) {
	listpack.Insert(v.GrowPacked(listpack.EntrySize(s)), p, s)
}

// LpInsertPair adds a and then b before the entry p (or at the end if p is the
// offset of the end byte). a stands at p then.
func (v *Value) LpInsertPair(p int, a, b []byte) {
	lp := v.GrowPacked(listpack.EntrySize(a) + listpack.EntrySize(b))
	listpack.Insert(listpack.Insert(lp, p, b), p, a)
}

// LpReplace puts s in the place of the entry p; the new one stands at p too.
func (v *Value) LpReplace(p int, s []byte) {
	lp := v.Packed()
	n := len(lp)
	d := listpack.EntrySize(s) - listpack.SizeAt(lp, p)
	if d > 0 {
		lp = v.GrowPacked(d)
	}
	lp = listpack.Replace(lp[:n:n+max(d, 0)], p, s)
	if d < 0 {
		v.ShrinkPacked(len(lp))
	}
}

// LpDelete removes n entries (or as many as there are) from the entry p on. What
// followed them then stands at p; next is p, or -1 if nothing did.
func (v *Value) LpDelete(p, n int) (next int) {
	lp, next := listpack.DeleteN(v.Packed(), p, n)
	v.ShrinkPacked(len(lp))
	return next
}
