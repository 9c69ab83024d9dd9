package object

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Hashes
//
// A hash is fields with values. It has four encodings, two by two: small or
// large, and without or with expiries of single fields. A hash that never had
// such an expiry knows nothing of them and pays nothing for them.
//
//	listpack     payload  │ listpack: field value field value …                 │
//	listpackex   payload  │ due │ listpack: field value expiry field value …    │
//	hashtable    payload  │ dict.Table │──► elements
//	  with TTLs  payload  │ due │ dict.Table │ ttlHeap │──► elements, heap of (expiry, element)
//
//	due          12 bytes: the least expiry of a field (unix ms), and the position of the
//	             hash in its database's index of hashes with such fields
//	element      flags │ expiry? │ klen field │ vlen value          without an expiry
//	             flags │ expiry  │ klen field │ vlen pos:4 value    with one; pos is its place in the heap
//
// The triples of a listpackex ascend by expiry, those without one (0) at the
// end: the form in which an RDB of Redis 7.4 has it. The last expiry to go does
// not turn the encoding back, as in Redis.
//
// Whether a field that has expired is still there depends on the role of the
// server. All functions that look at expiries take the time to compare with;
// NoTime says that nothing is expired, which is how the master's stream is
// applied. They report an expired field as such and delete nothing: that is for
// HashExpire.
//
// A hash becomes large when it has more fields, or a longer field or value, than
// Limits say, and never becomes small again.

// NoTime is the time at which no field has expired.
const NoTime = math.MinInt64

// NoFieldExpiry stands for the expiry of a field that has none.
const NoFieldExpiry int64 = math.MaxInt64

// MaxFieldExpiry is the greatest expiry of a field, unix ms: 48 bits, less what
// Redis keeps for itself.
const MaxFieldExpiry int64 = 1<<46 - 1

// FieldState is what looking for a field gives.
type FieldState uint8

// A field may be missing, be there, or be there with its time over.
const (
	FieldMissing FieldState = iota
	FieldFound
	FieldExpired
)

const (
	tableSize = int(unsafe.Sizeof(dict.Table{}))

	// Offsets in the payload of a hash with field expiries.
	dueSize   = 12
	exTable   = dueSize
	exHeap    = exTable + tableSize
	exHeadLen = exHeap + ttlHeapSize
)

// HashHeadSize is the size of the payload of a large hash without field
// expiries, to create one: InitHash must follow.
const HashHeadSize = tableSize

func init() {
	register(TypeHash, EncListpack, Ops{Len: Value.HashLen, Digest: hashDigest, Check: hashCheck})
	register(TypeHash, EncListpackEx, Ops{Len: Value.HashLen, Copy: hashCopy, Digest: hashDigest, Check: hashCheck})
	for _, enc := range []byte{EncHashtable, EncHashtableEx} {
		register(TypeHash, enc, Ops{
			Len: Value.HashLen, FreeStep: hashFreeStep, CompactStep: hashCompactStep,
			Copy: hashCopy, Digest: hashDigest, Memory: hashMemory, Check: hashCheck,
		})
	}
}

// InitHash makes the zeroed payload of a new large hash an empty one.
func (v Value) InitHash() { v.hashTable().Init(dict.ElemLayout) }

// HashExpand makes room for n fields in a large hash.
func (v Value) HashExpand(n int) { v.hashTable().Expand(v.A, n) }

// hashTable is the table of a large hash, valid until the record moves.
func (v Value) hashTable() *dict.Table {
	rec := v.Record()
	if rec.Encoding() == EncHashtableEx {
		return (*dict.Table)(unsafe.Add(rec.Fixed(), exTable))
	}
	return (*dict.Table)(rec.Fixed())
}

// hashHeap is the heap of a large hash with field expiries.
func (v Value) hashHeap() *ttlHeap {
	return (*ttlHeap)(unsafe.Add(v.Record().Fixed(), exHeap))
}

// isSmallHash tells listpacks from tables.
func isSmallHash(enc byte) bool { return enc == EncListpack || enc == EncListpackEx }

// hashPacked returns the listpack of a small hash, where it begins in the
// payload, and how many entries a field takes.
func (v Value) hashPacked() (lp []byte, off, stride int) {
	rec := v.Record()
	p := rec.Payload()
	if rec.Encoding() == EncListpackEx {
		return p[dueSize:], dueSize, 3
	}
	return p, 0, 2
}

// HashPacked returns the listpack of a small hash and the number of entries that
// a field takes in it: 2, or 3 with its expiry (0 for none). It is nil for a
// large one.
func (v Value) HashPacked() (lp []byte, stride int) {
	if !isSmallHash(v.Record().Encoding()) {
		return nil, 0
	}
	lp, _, stride = v.hashPacked()
	return lp, stride
}

// HashHasTTLs tells whether the hash is in an encoding that has field expiries.
func (v Value) HashHasTTLs() bool {
	enc := v.Record().Encoding()
	return enc == EncListpackEx || enc == EncHashtableEx
}

// elemValue is the value in an element.
func elemValue(e dict.Record) []byte {
	p := e.Payload()
	if e.HasExpire() {
		return p[ttlPosSize:]
	}
	return p
}

// elemExpiry is the expiry of an element's field.
func elemExpiry(e dict.Record) int64 {
	if e.HasExpire() {
		return e.ExpireAt()
	}
	return NoFieldExpiry
}

// HashLen is the number of fields, those that have expired and are still held
// included.
func (v Value) HashLen() int {
	if isSmallHash(v.Record().Encoding()) {
		lp, _, stride := v.hashPacked()
		return listpack.Len(lp) / stride
	}
	return v.hashTable().Len()
}

// expiryAt reads the third entry of a triple.
func expiryAt(lp []byte, p int) int64 {
	n, ok := listpack.GetInt(lp, p)
	if !ok {
		panic(fmt.Sprintf("object: the expiry at %d of a listpack of %d bytes is no integer", p, len(lp)))
	}
	if n == 0 {
		return NoFieldExpiry
	}
	return n
}

// HashGet returns the value of a field: a view of the record, or of buf for an
// integer. It is nil unless the field is found.
func (v Value) HashGet(field []byte, now int64, buf *listpack.IntBuf) ([]byte, FieldState) {
	val, expiry, ok := v.HashLookup(field, buf)
	if !ok {
		return nil, FieldMissing
	}
	if now > expiry {
		return nil, FieldExpired
	}
	return val, FieldFound
}

// HashLookup returns the value of a field and its expiry (NoFieldExpiry if it
// has none), whether expired or not.
func (v Value) HashLookup(field []byte, buf *listpack.IntBuf) (val []byte, expiry int64, ok bool) {
	enc := v.Record().Encoding()
	if isSmallHash(enc) {
		lp, _, stride := v.hashPacked()
		p := listpack.Find(lp, listpack.First(lp), field, stride-1)
		if p < 0 {
			return nil, 0, false
		}
		p = listpack.Next(lp, p)
		expiry = NoFieldExpiry
		if stride == 3 {
			expiry = expiryAt(lp, listpack.Next(lp, p))
		}
		return listpack.Get(lp, p, buf), expiry, true
	}
	r := v.hashTable().Find(v.A, dict.Hash(v.A.Seed(), field), field)
	if r == 0 {
		return nil, 0, false
	}
	e := v.A.Elem(r)
	return elemValue(e), elemExpiry(e), true
}

// HashSet sets a field. keepTTL leaves its expiry; else it has none afterwards.
// created is true when there was no such field, or an expired one, whose expiry
// is never kept.
func (v *Value) HashSet(field, val []byte, keepTTL bool, now int64, lim *Limits) (created bool) {
	enc := v.Record().Encoding()
	if isSmallHash(enc) {
		if len(field) > lim.HashMaxListpackValue || len(val) > lim.HashMaxListpackValue {
			v.HashToTable()
			return v.tableSet(field, val, keepTTL, now)
		}
		created = v.packedSet(field, val, keepTTL, now)
		if v.HashLen() > lim.HashMaxListpackEntries {
			v.HashToTable()
		}
		return created
	}
	return v.tableSet(field, val, keepTTL, now)
}

// HashTryConversion makes the hash large if one of the strings, which are to be
// fields or values, is too long for a small one.
func (v *Value) HashTryConversion(strs [][]byte, lim *Limits) {
	if isSmallHash(v.Record().Encoding()) && !HashFitsSmall(strs, lim) {
		v.HashToTable()
	}
}

// HashFitsSmall tells whether all strings are short enough for a small hash.
func HashFitsSmall(strs [][]byte, lim *Limits) bool {
	sum := 0
	for _, s := range strs {
		if len(s) > lim.HashMaxListpackValue {
			return false
		}
		sum += len(s)
	}
	return sum <= listpack.MaxSafeSize
}

// AppendHashPairs appends to dst the listpack of a new hash with the given
// fields and values, a field that comes twice having its last value, and returns
// it with the number of fields.
func AppendHashPairs(dst []byte, pairs [][]byte) ([]byte, int) {
	start := len(dst)
	dst = listpack.Begin(dst)
	n := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if dup := lastDuplicate(pairs, i); dup {
			continue
		}
		dst = listpack.AppendEntry(dst, pairs[i])
		dst = listpack.AppendEntry(dst, lastValue(pairs, i))
		n++
	}
	return listpack.Finish(dst, start, 2*n), n
}

// lastDuplicate tells whether the field at i stood before it already.
func lastDuplicate(pairs [][]byte, i int) bool {
	for j := 0; j < i; j += 2 {
		if string(pairs[j]) == string(pairs[i]) {
			return true
		}
	}
	return false
}

// lastValue is the value that the field at i has in the end.
func lastValue(pairs [][]byte, i int) []byte {
	val := pairs[i+1]
	for j := i + 2; j+1 < len(pairs); j += 2 {
		if string(pairs[j]) == string(pairs[i]) {
			val = pairs[j+1]
		}
	}
	return val
}

func (v *Value) packedSet(field, val []byte, keepTTL bool, now int64) (created bool) {
	lp, off, stride := v.hashPacked()
	p := listpack.Find(lp, listpack.First(lp), field, stride-1)
	if stride == 2 {
		if p < 0 {
			v.LpAppendPair(field, val)
			return true
		}
		v.LpReplace(listpack.Next(lp, p), val)
		return false
	}
	if p < 0 {
		v.tripleInsert(field, val, NoFieldExpiry)
		return true
	}
	q := listpack.Next(lp, p)
	expiry := expiryAt(lp, listpack.Next(lp, q))
	expired := now > expiry
	if expiry == NoFieldExpiry || (keepTTL && !expired) {
		v.lpReplaceAt(off, q, val)
		return false
	}
	v.lpDeleteAt(off, p, 3)
	v.tripleInsert(field, val, NoFieldExpiry)
	v.updateDue()
	return expired
}

func (v *Value) tableSet(field, val []byte, keepTTL bool, now int64) (created bool) {
	a := v.A
	t := v.hashTable()
	h := dict.Hash(a.Seed(), field)
	s, ok := t.Lookup(a, h, field)
	if !ok {
		t.Insert(a, h, a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, field, nonNil(val)))
		return true
	}
	r := t.Ref(a, s)
	e := a.Elem(r)
	if !e.HasExpire() {
		if n := a.WithPayload(dict.ElemLayout, r, nonNil(val)); n != r {
			t.SetRef(a, s, n)
		}
		return false
	}
	expired := now > e.ExpireAt()
	if keepTTL && !expired {
		n, p := a.WithPayloadLen(dict.ElemLayout, r, ttlPosSize+len(val), 0)
		copy(p[ttlPosSize:], val)
		if n != r {
			t.SetRef(a, s, n)
			v.hashHeap().moved(a, n)
		}
		return false
	}
	v.hashHeap().remove(a, r)
	a.DropExpire(dict.ElemLayout, r)
	if n := a.WithPayload(dict.ElemLayout, r, nonNil(val)); n != r {
		t.SetRef(a, s, n)
	}
	v.updateDue()
	return expired
}

// nonNil makes an empty value one: an element without a payload is not a field.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// HashDelete removes a field and says whether it was there.
func (v *Value) HashDelete(field []byte) bool {
	if isSmallHash(v.Record().Encoding()) {
		lp, off, stride := v.hashPacked()
		p := listpack.Find(lp, listpack.First(lp), field, stride-1)
		if p < 0 {
			return false
		}
		v.lpDeleteAt(off, p, stride)
		v.updateDue()
		return true
	}
	a := v.A
	t := v.hashTable()
	r := t.Delete(a, dict.Hash(a.Seed(), field), field)
	if r == 0 {
		return false
	}
	v.freeElem(r)
	return true
}

// freeElem frees an element that was taken out of the table.
func (v Value) freeElem(r dict.Ref) {
	if v.A.Elem(r).HasExpire() {
		v.hashHeap().remove(v.A, r)
		v.updateDue()
	}
	v.A.Free(r)
}

// HashToTable makes a small hash a large one.
func (v *Value) HashToTable() {
	a := v.A
	lp, _, stride := v.hashPacked()
	var t dict.Table
	t.Init(dict.ElemLayout)
	var heap ttlHeap
	t.Expand(a, listpack.Len(lp)/stride)
	var kb, vb listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		key := listpack.Get(lp, p, &kb)
		p = listpack.Next(lp, p)
		val := listpack.Get(lp, p, &vb)
		expiry := NoFieldExpiry
		if stride == 3 {
			p = listpack.Next(lp, p)
			expiry = expiryAt(lp, p)
		}
		t.Insert(a, dict.Hash(a.Seed(), key), newField(a, &heap, key, val, expiry))
	}
	if stride == 2 {
		r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, HashHeadSize, 0)
		v.Ref = r
		clear(p)
		*(*dict.Table)(unsafe.Pointer(&p[0])) = t
		v.Record().SetEncoding(EncHashtable)
		return
	}
	// What stands in front, the least expiry and the position, stays.
	r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, exHeadLen, 0)
	v.Ref = r
	*(*dict.Table)(unsafe.Pointer(&p[exTable])) = t
	*(*ttlHeap)(unsafe.Pointer(&p[exHeap])) = heap
	v.Record().SetEncoding(EncHashtableEx)
}

// newField makes the element of a field, in the heap if it has an expiry.
func newField(a *dict.Arena, heap *ttlHeap, key, val []byte, expiry int64) dict.Ref {
	if expiry == NoFieldExpiry {
		return a.NewElem(dict.Header{ExpireAt: dict.NoExpire}, key, nonNil(val))
	}
	r, p := a.NewElemSize(dict.Header{ExpireAt: expiry}, key, ttlPosSize+len(val))
	copy(p[ttlPosSize:], val)
	heap.add(a, r)
	return r
}

// HashToListpack makes a large hash a small one if it is within the limits: for
// loaders, which learn the sizes only while they build.
func (v *Value) HashToListpack(lim *Limits) {
	if isSmallHash(v.Record().Encoding()) || v.HashLen() > lim.HashMaxListpackEntries {
		return
	}
	fits, size := true, listpack.EmptySize
	var buf HashBuf
	v.HashEach(&buf, func(field, val []byte, expiry int64) bool {
		fits = len(field) <= lim.HashMaxListpackValue && len(val) <= lim.HashMaxListpackValue
		size += listpack.EntrySize(field) + listpack.EntrySize(val)
		return fits
	})
	if !fits || size > listpack.MaxSafeSize {
		return
	}
	// The fields go to a new record, then the old one is freed with all it has.
	a := v.A
	rec := v.Record()
	ttls := rec.Encoding() == EncHashtableEx
	n := Value{a, a.NewEntry(dict.Header{Type: TypeHash, Encoding: EncListpack, LRU: rec.LRU(), ExpireAt: rec.ExpireAt()}, rec.Key(), listpack.AppendEmpty(nil))}
	n.GrowPacked(size - listpack.EmptySize)
	n.ShrinkPacked(listpack.EmptySize)
	if ttls {
		n.hashToEx()
	}
	v.HashEach(&buf, func(field, val []byte, expiry int64) bool {
		if ttls {
			n.tripleInsert(field, val, expiry)
		} else {
			n.LpAppendPair(field, val)
		}
		return true
	})
	n.updateDue()
	for v.FreeStep(1 << 10) {
	}
	v.Ref = n.Ref
}

// HashBuf is the storage that integers of a small hash are rendered into.
type HashBuf [2]listpack.IntBuf

// HashEach calls fn for every field until it returns false. The slices, which are
// views of the hash or of buf, are valid during the call. fn must not change the
// hash.
func (v Value) HashEach(buf *HashBuf, fn func(field, val []byte, expiry int64) bool) {
	if isSmallHash(v.Record().Encoding()) {
		lp, _, stride := v.hashPacked()
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			key := listpack.Get(lp, p, &buf[0])
			p = listpack.Next(lp, p)
			val := listpack.Get(lp, p, &buf[1])
			expiry := NoFieldExpiry
			if stride == 3 {
				p = listpack.Next(lp, p)
				expiry = expiryAt(lp, p)
			}
			if !fn(key, val, expiry) {
				return
			}
		}
		return
	}
	EachElem(v.A, v.hashTable(), func(r dict.Ref) bool {
		e := v.A.Elem(r)
		return fn(e.Key(), elemValue(e), elemExpiry(e))
	})
}

// HashScan is one step of an HSCAN: it calls fn for some fields, all of those of
// a small hash, and returns the next cursor, 0 at the end.
func (v Value) HashScan(buf *HashBuf, cursor uint64, count int64, fn func(field, val []byte, expiry int64)) uint64 {
	if isSmallHash(v.Record().Encoding()) {
		v.HashEach(buf, func(field, val []byte, expiry int64) bool {
			fn(field, val, expiry)
			return true
		})
		return 0
	}
	return ScanElems(v.A, v.hashTable(), cursor, count, func(r dict.Ref) {
		e := v.A.Elem(r)
		fn(e.Key(), elemValue(e), elemExpiry(e))
	})
}

// HashRandom returns a field chosen fairly among all that are held, and its
// value: views, or of buf's two halves for integers. The hash is not empty.
func (v Value) HashRandom(rnd func() uint64, buf *HashBuf) (field, val []byte) {
	if isSmallHash(v.Record().Encoding()) {
		lp, _, stride := v.hashPacked()
		p := listpack.Seek(lp, below(rnd, listpack.Len(lp)/stride)*stride)
		return listpack.Get(lp, p, &buf[0]), listpack.Get(lp, listpack.Next(lp, p), &buf[1])
	}
	e := v.A.Elem(v.hashTable().Random(v.A, rnd))
	return e.Key(), elemValue(e)
}

// HashSample calls fn for n different fields that have not expired at now, each
// choice having the same chance; alive is the number of such fields (see
// HashAlive), n not more. scratch is storage for its use, which it returns.
func (v Value) HashSample(rnd func() uint64, n, alive int, now int64, buf *HashBuf, scratch []dict.Ref, fn func(field, val []byte)) []dict.Ref {
	if alive == v.HashLen() && !isSmallHash(v.Record().Encoding()) {
		return SampleElems(v.A, v.hashTable(), rnd, n, scratch, func(r dict.Ref) {
			e := v.A.Elem(r)
			fn(e.Key(), elemValue(e))
		})
	}
	v.HashEach(buf, func(field, val []byte, expiry int64) bool {
		if now > expiry {
			return true
		}
		if below(rnd, alive) < n {
			n--
			fn(field, val)
		}
		alive--
		return n > 0
	})
	return scratch
}

// HashAlive is the number of fields that have not expired at now. It costs a walk
// only if some have.
func (v Value) HashAlive(now int64) int {
	n := v.HashLen()
	if !v.HashHasTTLs() || now <= v.HashDue() {
		return n
	}
	if v.Record().Encoding() == EncListpackEx {
		// They stand in front.
		lp, _, _ := v.hashPacked()
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			p = listpack.Next(lp, listpack.Next(lp, p))
			if now <= expiryAt(lp, p) {
				break
			}
			n--
		}
		return n
	}
	return n - v.hashHeap().countBefore(v.A, 0, now)
}
