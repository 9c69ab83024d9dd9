package object

import (
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Sets
//
// A set is members, each once. It has three encodings.
//
//	intset       payload  │ intset: integers, ascending                │
//	listpack     payload  │ listpack: member member member …           │
//	hashtable    payload  │ dict.Table │──► elements
//
//	element      flags │ klen member          without a payload
//
// A set that has only had integers, and not too many of them, is an intset.
// Redis 7.0 makes any other a hash table. Here it is a listpack while it has few
// and short members, which takes a fraction of the memory and one block instead
// of one a member; OBJECT ENCODING reports it as the hash table that it would be
// (see EncodingName).
//
//	            a string, few members           too many, or a long one
//	   intset ──────────────────────► listpack ────────────────────────► hashtable
//	      └──────── a string or too many, when beyond a listpack ────────────▲
//
// A set never goes back to the left.

// SetHeadSize is the size of the payload of a set in a hash table, to create
// one: InitSet must follow.
const SetHeadSize = tableSize

// maxIntset bounds intsets whatever the limit says: their length is 32 bits.
const maxIntset = 1 << 30

func init() {
	register(TypeSet, EncIntset, Ops{Len: SetLen, Digest: setDigest, Check: setCheck})
	register(TypeSet, EncListpack, Ops{Len: SetLen, Digest: setDigest, Check: setCheck})
	register(TypeSet, EncHashtable, Ops{
		Len: SetLen, FreeStep: setFreeStep, CompactStep: setCompactStep,
		Copy: setCopy, Digest: setDigest, Memory: setMemory, Check: setCheck,
	})
}

// InitSet makes the zeroed payload of a new set in a hash table an empty one.
func InitSet(v Value) { v.setTable().Init(dict.ElemLayout) }

// setTable is the table of a large set, valid until the record moves.
func (v Value) setTable() *dict.Table { return (*dict.Table)(v.Record().Fixed()) }

// SetEncodingFor is the encoding in which a new set begins that is to hold the
// member: EncIntset, EncListpack or EncHashtable.
func SetEncodingFor(member []byte, lim *Limits) byte {
	if _, ok := listpack.ParseInt(member); ok {
		return EncIntset
	}
	if lim.SetMaxListpackEntries > 0 && len(member) <= lim.SetMaxListpackValue {
		return EncListpack
	}
	return EncHashtable
}

// IntsetLimit is the number of members up to which a set of integers stays an
// intset.
func IntsetLimit(lim *Limits) int { return min(lim.SetMaxIntsetEntries, maxIntset) }

// SetLen is the number of members.
func SetLen(v Value) int {
	switch rec := v.Record(); rec.Encoding() {
	case EncIntset:
		return intset.Len(rec.Payload())
	case EncListpack:
		return listpack.Len(rec.Payload())
	}
	return v.setTable().Len()
}

// SetContains tells whether member is in the set.
func SetContains(v Value, member []byte) bool {
	switch rec := v.Record(); rec.Encoding() {
	case EncIntset:
		n, ok := listpack.ParseInt(member)
		return ok && intset.Contains(rec.Payload(), n)
	case EncListpack:
		lp := rec.Payload()
		return listpack.Find(lp, listpack.First(lp), member, 0) >= 0
	}
	return v.setTable().Find(v.A, dict.Hash(v.A.Seed(), member), member) != 0
}

// SetAdd adds a member, and says whether it was not there yet. member must not
// be a view of the set.
func SetAdd(v *Value, member []byte, lim *Limits) bool { return setAdd(v, member, lim, false) }

// SetAddNew is SetAdd of a member that is known not to be in the set: a listpack is
// not searched for it.
func SetAddNew(v *Value, member []byte, lim *Limits) { setAdd(v, member, lim, true) }

func setAdd(v *Value, member []byte, lim *Limits, isNew bool) bool {
	switch v.Record().Encoding() {
	case EncIntset:
		n, ok := listpack.ParseInt(member)
		if ok {
			return v.intsetAdd(n, lim)
		}
		if SetLen(*v) < lim.SetMaxListpackEntries && len(member) <= lim.SetMaxListpackValue {
			v.intsetToListpack()
			v.LpAppend(member)
			return true
		}
		SetToTable(v)
	case EncListpack:
		lp := v.Packed()
		if !isNew && listpack.Find(lp, listpack.First(lp), member, 0) >= 0 {
			return false
		}
		if listpack.Len(lp) < lim.SetMaxListpackEntries && len(member) <= lim.SetMaxListpackValue {
			v.LpAppend(member)
			return true
		}
		SetToTable(v)
	}
	a, t := v.A, v.setTable()
	h := dict.Hash(a.Seed(), member)
	if _, ok := t.Lookup(a, h, member); ok {
		return false
	}
	t.Insert(a, h, a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, member, nil))
	return true
}

func (v *Value) intsetAdd(n int64, lim *Limits) bool {
	s := v.Packed()
	if intset.Contains(s, n) {
		return false
	}
	intset.Add(v.GrowPacked(intset.SizeWith(s, n)-len(s)), n)
	if l := intset.Len(v.Packed()); l > IntsetLimit(lim) {
		if l <= lim.SetMaxListpackEntries {
			v.intsetToListpack()
		} else {
			SetToTable(v)
		}
	}
	return true
}

// SetRemove removes a member, and says whether it was there.
func SetRemove(v *Value, member []byte) bool {
	switch v.Record().Encoding() {
	case EncIntset:
		n, ok := listpack.ParseInt(member)
		if !ok {
			return false
		}
		s, removed := intset.Remove(v.Packed(), n)
		if removed {
			v.ShrinkPacked(len(s))
		}
		return removed
	case EncListpack:
		lp := v.Packed()
		p := listpack.Find(lp, listpack.First(lp), member, 0)
		if p < 0 {
			return false
		}
		v.LpDelete(p, 1)
		return true
	}
	r := v.setTable().Delete(v.A, dict.Hash(v.A.Seed(), member), member)
	if r == 0 {
		return false
	}
	v.A.Free(r)
	return true
}

// intsetToListpack turns an intset into a listpack. The listpack is built behind
// the intset, in the same payload, and then takes its place.
func (v *Value) intsetToListpack() {
	s := v.Packed()
	old, size := len(s), listpack.EmptySize
	for i := range intset.Len(s) {
		size += listpack.EntrySizeInt(intset.Get(s, i))
	}
	s = v.GrowPacked(size)
	lp := listpack.Begin(s[old:old])
	for i := range intset.Len(s) {
		lp = listpack.AppendEntryInt(lp, intset.Get(s, i))
	}
	lp = listpack.Finish(lp, 0, intset.Len(s))
	copy(s[:old+size], lp)
	v.ShrinkPacked(size)
	v.Record().SetEncoding(EncListpack)
}

// SetToTable turns an intset or a listpack into a hash table.
func SetToTable(v *Value) {
	a := v.A
	var t dict.Table
	t.Init(dict.ElemLayout)
	t.Expand(a, SetLen(*v))
	var buf listpack.IntBuf
	add := func(m []byte) {
		t.Insert(a, dict.Hash(a.Seed(), m), a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, m, nil))
	}
	switch p := v.Packed(); v.Record().Encoding() {
	case EncIntset:
		for i := range intset.Len(p) {
			add(numeric.AppendInt(buf[:0], intset.Get(p, i)))
		}
	case EncListpack:
		for q := listpack.First(p); q >= 0; q = listpack.Next(p, q) {
			add(listpack.Get(p, q, &buf))
		}
	}
	r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, SetHeadSize, 0)
	v.Ref = r
	*(*dict.Table)(unsafe.Pointer(&p[0])) = t
	v.Record().SetEncoding(EncHashtable)
}

// SetExpand makes room for n members in a set in a hash table.
func SetExpand(v Value, n int) { v.setTable().Expand(v.A, n) }

// SetPacked returns the intset or the listpack of a small set, nil for a large
// one; enc is the set's encoding.
func SetPacked(v Value) (p []byte, enc byte) {
	rec := v.Record()
	if enc = rec.Encoding(); enc == EncHashtable {
		return nil, enc
	}
	return rec.Payload(), enc
}

// maxDirectMembers is the number of members up to which a new set is put
// together before it is stored.
const maxDirectMembers = 32

// AppendSet puts together a small set of the members, of which some may be
// there twice, in dst, which is empty: it returns the payload for a record, its
// encoding and the number of members. ok is false when they are too many or too
// long for that; the set must then be made member by member, which also
// converts it as it should.
func AppendSet(dst []byte, members [][]byte, lim *Limits) (p []byte, enc byte, n int, ok bool) {
	if len(members) > min(maxDirectMembers, IntsetLimit(lim), lim.SetMaxListpackEntries) {
		return dst, 0, 0, false
	}
	dst = intset.Append(dst[:0])
	for i, m := range members {
		v, isInt := listpack.ParseInt(m)
		if !isInt {
			return appendSetListpack(dst, members, i, lim)
		}
		dst, _ = intset.Add(dst, v)
	}
	return dst, EncIntset, intset.Len(dst), true
}

// appendSetListpack is AppendSet for members of which the one at from is no
// integer.
func appendSetListpack(dst []byte, members [][]byte, from int, lim *Limits) (p []byte, enc byte, n int, ok bool) {
	for _, m := range members[from:] {
		if len(m) > lim.SetMaxListpackValue {
			return dst, 0, 0, false
		}
	}
	dst = listpack.Begin(dst[:0])
next:
	for i, m := range members {
		for _, before := range members[:i] {
			if len(before) == len(m) && string(before) == string(m) {
				continue next
			}
		}
		dst = listpack.AppendEntry(dst, m)
		n++
	}
	return listpack.Finish(dst, 0, n), EncListpack, n, true
}

// NewSet makes an empty set aside, in a record that stands in no table: a result
// in the making, which is then stored under key, or dropped.
func NewSet(a *dict.Arena, lru uint32, key []byte) Value {
	var empty [intset.HeaderSize]byte
	h := dict.Header{Type: TypeSet, Encoding: EncIntset, LRU: lru, ExpireAt: dict.NoExpire}
	return Value{a, a.NewEntry(h, key, intset.Append(empty[:0]))}
}
