package object

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Expiries of single fields: the part of hashes that only those which have some
// ever reach. See hash.go for the layout.

// notIndexed is the position of a hash that is not in its database's index.
const notIndexed = math.MaxUint32

// HashDue returns the least expiry of a field, NoFieldExpiry if there is none.
func (v Value) HashDue() int64 {
	if !v.HashHasTTLs() {
		return NoFieldExpiry
	}
	return int64(binary.LittleEndian.Uint64(v.Packed()))
}

// FieldsDue says when the first field of the record's hash expires, and whether
// the hash stands in its database's index. due is NoFieldExpiry for a record
// that is no hash or has no such field.
func FieldsDue(rec dict.Record) (due int64, indexed bool) {
	if !MayHaveFieldTTLs(rec) {
		return NoFieldExpiry, false
	}
	p := rec.Payload()
	return int64(binary.LittleEndian.Uint64(p)), binary.LittleEndian.Uint32(p[8:]) != notIndexed
}

// MayHaveFieldTTLs tells whether the record is a hash in an encoding with field
// expiries: the only records with a position in the index of such hashes.
func MayHaveFieldTTLs(rec dict.Record) bool {
	return rec.Type() == TypeHash && rec.Encoding() >= EncListpackEx
}

// initDue makes the first bytes of a payload those of a hash without expiries
// that is in no index.
func initDue(p []byte) {
	binary.LittleEndian.PutUint64(p, uint64(NoFieldExpiry))
	binary.LittleEndian.PutUint32(p[8:], notIndexed)
}

// updateDue brings the least expiry up to date after a change.
func (v Value) updateDue() {
	rec := v.Record()
	due := NoFieldExpiry
	switch rec.Encoding() {
	case EncListpackEx:
		lp, _, _ := v.hashPacked()
		if p := listpack.First(lp); p >= 0 {
			due = expiryAt(lp, listpack.Next(lp, listpack.Next(lp, p)))
		}
	case EncHashtableEx:
		due = v.hashHeap().least(v.A)
	default:
		return
	}
	binary.LittleEndian.PutUint64(rec.Payload(), uint64(due))
}

// hashToEx brings a hash into the encoding with field expiries.
func (v *Value) hashToEx() {
	a := v.A
	switch v.Record().Encoding() {
	case EncListpack:
		lp := v.Packed()
		old, n := len(lp), listpack.Len(lp)
		r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, dueSize+old+n, packedSpare(old))
		v.Ref = r
		// The pairs become triples from the end on, each with the entry 0.
		v.Record().SetEncoding(EncListpackEx)
		copy(p[dueSize+n:], p[:old])
		initDue(p)
		src, dst := p[dueSize+n:], p[dueSize:]
		at := copy(dst, src[:listpack.HeaderSize])
		out := listpack.Begin(dst[:0:len(dst)])
		for q := listpack.HeaderSize; q < old-1; {
			m := listpack.SizeAt(src, q)
			m += listpack.SizeAt(src, q+m)
			out = append(out, src[q:q+m]...)
			out = listpack.AppendEntryInt(out, 0)
			q += m
		}
		out = listpack.Finish(out, 0, n/2*3)
		if len(out) != len(dst) {
			panic(fmt.Sprintf("object: triples of %d bytes from pairs of %d, after %d", len(out), old, at))
		}
	case EncHashtable:
		t := *v.hashTable()
		r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, exHeadLen, 0)
		v.Ref = r
		initDue(p)
		*(*dict.Table)(unsafe.Pointer(&p[exTable])) = t
		*(*ttlHeap)(unsafe.Pointer(&p[exHeap])) = ttlHeap{}
		v.Record().SetEncoding(EncHashtableEx)
	}
}

// HashSetExpiry gives a field an expiry (unix ms, 1 to 2^48-1), or takes it away
// (NoFieldExpiry). It returns false if there is no such field.
func (v *Value) HashSetExpiry(field []byte, expiry int64) bool {
	expiry = max(expiry, 1)
	if expiry != NoFieldExpiry {
		v.hashToEx()
	} else if !v.HashHasTTLs() {
		return v.hashHas(field)
	}
	if v.Record().Encoding() == EncListpackEx {
		lp, off, _ := v.hashPacked()
		p := listpack.Find(lp, listpack.First(lp), field, 2)
		if p < 0 {
			return false
		}
		q := listpack.Next(lp, p)
		if expiryAt(lp, listpack.Next(lp, q)) == expiry {
			return true
		}
		var buf listpack.IntBuf
		var tmp [256]byte
		val := append(tmp[:0], listpack.Get(lp, q, &buf)...)
		v.lpDeleteAt(off, p, 3)
		v.tripleInsert(field, val, expiry)
		v.updateDue()
		return true
	}
	a := v.A
	t := v.hashTable()
	s, ok := t.Lookup(a, dict.Hash(a.Seed(), field), field)
	if !ok {
		return false
	}
	heap := v.hashHeap()
	r := t.Ref(a, s)
	has := a.Elem(r).HasExpire()
	switch {
	case has && expiry != NoFieldExpiry:
		a.Elem(r).SetExpireAt(expiry)
		heap.changed(a, r)
	case has:
		heap.remove(a, r)
		n := len(a.Elem(r).Payload()) - ttlPosSize
		a.DropExpire(dict.ElemLayout, r)
		p := a.Elem(r).Payload()
		copy(p, p[ttlPosSize:])
		if q, _ := a.WithPayloadLen(dict.ElemLayout, r, n, 0); q != r {
			t.SetRef(a, s, q)
		}
	case expiry != NoFieldExpiry:
		n := len(a.Elem(r).Payload())
		q := a.WithExpire(dict.ElemLayout, r, expiry)
		q, p := a.WithPayloadLen(dict.ElemLayout, q, ttlPosSize+n, 0)
		copy(p[ttlPosSize:], p[:n])
		if q != r {
			t.SetRef(a, s, q)
		}
		heap.add(a, q)
	}
	v.updateDue()
	return true
}

func (v Value) hashHas(field []byte) bool {
	var buf listpack.IntBuf
	_, _, ok := v.HashLookup(field, &buf)
	return ok
}

// HashExpire deletes up to limit fields that have expired at now, those that
// expired first first, and returns how many. If fn is not nil it is called with
// each before it goes.
func (v *Value) HashExpire(now int64, limit int, fn func(field []byte)) int {
	n := 0
	switch v.Record().Encoding() {
	case EncListpackEx:
		lp, off, _ := v.hashPacked()
		p := listpack.First(lp)
		var buf listpack.IntBuf
		for q := p; q >= 0 && n < limit; n++ {
			val := listpack.Next(lp, q)
			at := listpack.Next(lp, val)
			if now <= expiryAt(lp, at) {
				break
			}
			if fn != nil {
				fn(listpack.Get(lp, q, &buf))
			}
			q = listpack.Next(lp, at)
		}
		if n > 0 {
			v.lpDeleteAt(off, p, 3*n)
		}
	case EncHashtableEx:
		a := v.A
		heap, t := v.hashHeap(), v.hashTable()
		for ; n < limit && heap.n > 0; n++ {
			r := heap.first(a)
			e := a.Elem(r)
			if now <= e.ExpireAt() {
				break
			}
			key := e.Key()
			if fn != nil {
				fn(key)
			}
			if t.Delete(a, dict.Hash(a.Seed(), key), key) != r {
				panic(fmt.Sprintf("object: field %q of the heap of expiries is not in the table", key))
			}
			heap.remove(a, r)
			a.Free(r)
		}
	}
	if n > 0 {
		v.updateDue()
	}
	return n
}

// tripleInsert adds a field to a listpackex, where its expiry belongs.
func (v *Value) tripleInsert(field, val []byte, expiry int64) {
	lp, off, _ := v.hashPacked()
	at, stored := len(lp)-1, int64(0)
	if expiry != NoFieldExpiry {
		stored = expiry
		for p := listpack.First(lp); p >= 0; {
			q := listpack.Next(lp, listpack.Next(lp, p))
			if expiryAt(lp, q) > expiry {
				at = p
				break
			}
			p = listpack.Next(lp, q)
		}
	}
	grown := v.GrowPacked(listpack.EntrySize(field) + listpack.EntrySize(val) + listpack.EntrySizeInt(stored))
	lp = listpack.InsertInt(grown[off:], at, stored)
	lp = listpack.Insert(lp, at, val)
	listpack.Insert(lp, at, field)
}

// lpReplaceAt is LpReplace for a listpack that begins at off in the payload.
func (v *Value) lpReplaceAt(off, p int, s []byte) {
	lp := v.Packed()[off:]
	n := len(lp)
	d := listpack.EntrySize(s) - listpack.SizeAt(lp, p)
	if d > 0 {
		lp = v.GrowPacked(d)[off:]
	}
	lp = listpack.Replace(lp[:n:n+max(d, 0)], p, s)
	if d < 0 {
		v.ShrinkPacked(off + len(lp))
	}
}

// lpDeleteAt is LpDelete for a listpack that begins at off in the payload.
func (v *Value) lpDeleteAt(off, p, n int) {
	lp, _ := listpack.DeleteN(v.Packed()[off:], p, n)
	v.ShrinkPacked(off + len(lp))
}

// NewHashEx appends to dst the payload of a listpackex from the listpack of
// triples, in the order of expiry, that an RDB brought.
func NewHashEx(dst, lp []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, dueSize)...)
	dst = append(dst, lp...)
	p := dst[start:]
	initDue(p)
	if q := listpack.First(lp); q >= 0 {
		binary.LittleEndian.PutUint64(p, uint64(expiryAt(lp, listpack.Next(lp, listpack.Next(lp, q)))))
	}
	return dst
}
