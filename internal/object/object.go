// Package object is the Redis types over their encodings: what a hash, a set,
// a sorted set, a list or a stream is made of, and when it changes from the
// small form to the large one.
//
// A value lives in the record of its key (package dict). Small collections are
// the record's payload itself, one listpack or intset as an RDB carries it;
// large ones keep a struct of fixed size there, which heads tables, nodes and
// indexes elsewhere in the same arena:
//
//	entry  header | expiry? | key | payload
//	                               ├─ text                          string
//	                               ├─ listpack / intset bytes       small hash, set, zset
//	                               └─ head struct ──► tables, nodes large collections, lists, streams
//
// Every value has exactly one reference, the one to its record. Functions that
// may have to move the record (because its payload grew) return or set the new
// reference, and the caller puts it where the old one was.
//
// One goroutine owns an arena, and with it everything here.
package object

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
)

// Types of values, by Redis's numbers.
const (
	TypeString byte = 0
	TypeList   byte = 1
	TypeSet    byte = 2
	TypeZset   byte = 3
	TypeHash   byte = 4
	TypeStream byte = 6
)

var typeNames = [...]string{"string", "list", "set", "zset", "hash", "module", "stream"}

// TypeName is what TYPE answers.
func TypeName(t byte) string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// Encodings of values.
const (
	EncRaw byte = iota
	EncInt
	EncHashtable
	EncListpack
	EncIntset
	EncSkiplist
	EncEmbstr
	EncQuicklist
	EncStream
	EncListpackEx
	EncHashtableEx // a hash in a table, some of whose fields expire
)

var encodingNames = [...]string{"raw", "int", "hashtable", "listpack", "intset", "skiplist", "embstr", "quicklist", "stream", "listpackex", "hashtable"}

// EncodingName is what OBJECT ENCODING answers for a value of type t in
// encoding enc. A list is always a quicklist there, however small. A small set of strings is held as a listpack here, which Redis
// 7.0 does not have: it goes by the name that Redis gives such a set.
func EncodingName(t, enc byte) string {
	switch {
	case t == TypeSet && enc == EncListpack:
		enc = EncHashtable
	case t == TypeList:
		enc = EncQuicklist
	}
	if int(enc) < len(encodingNames) {
		return encodingNames[enc]
	}
	return "unknown"
}

// Limits are the thresholds between the small and the large encodings, as the
// directives of the same names set them.
type Limits struct {
	HashMaxListpackEntries int // pairs
	HashMaxListpackValue   int // bytes of a field or value
	SetMaxIntsetEntries    int
	SetMaxListpackEntries  int
	SetMaxListpackValue    int // bytes of a member
	ZsetMaxListpackEntries int
	ZsetMaxListpackValue   int // bytes of a member
	ListMaxListpackSize    int // elements a node if positive, else -1 … -5: 4 … 64 KB a node
	ListCompressDepth      int // nodes at either end that are not compressed, 0 none are
	StreamNodeMaxBytes     int
	StreamNodeMaxEntries   int
}

// DefaultLimits are those of redis.conf.
func DefaultLimits() Limits {
	return Limits{
		HashMaxListpackEntries: 512, HashMaxListpackValue: 64,
		SetMaxIntsetEntries: 512, SetMaxListpackEntries: 128, SetMaxListpackValue: 64,
		ZsetMaxListpackEntries: 128, ZsetMaxListpackValue: 64,
		ListMaxListpackSize: -2, StreamNodeMaxBytes: 4096, StreamNodeMaxEntries: 100,
	}
}

// Value is a key's record seen as a value, for the length of one operation.
type Value struct {
	A   *dict.Arena
	Ref dict.Ref
}

// Record is the record of the value's key.
func (v Value) Record() dict.Record { return v.A.Entry(v.Ref) }

// Ops is what can be done with a value without knowing its type. Each type
// registers one for each of its encodings that is not a plain payload; nil
// fields say that the payload is all there is.
type Ops struct {
	// Len is the number of elements (pairs, for a hash).
	Len func(v Value) int
	// FreeStep frees a part of what the head refers to, about budget elements,
	// and returns true while there is more. It does not free the record.
	FreeStep func(v Value, budget int) bool
	// CompactStep moves blocks that stand in memory to be emptied (see
	// dict.Arena.ShouldMove), about budget elements from cursor on, and returns
	// the cursor to go on with, 0 at the end. It does not move the record.
	CompactStep func(v Value, cursor uint64, budget int) uint64
	// Copy makes a deep copy of the value in a record for key, with the record's
	// expiry, and returns it.
	Copy func(v Value, key []byte) dict.Ref
	// Digest feeds the elements to a fingerprint.
	Digest func(v Value, d *digest.State)
	// Memory estimates the bytes beside the record, looking at most at samples
	// elements (0: at all).
	Memory func(v Value, samples int) int64
	// Check verifies the structure.
	Check func(v Value) error
}

var registry [8][16]*Ops

// register is called by init functions of this package.
func register(t, enc byte, o Ops) {
	if registry[t][enc] != nil {
		panic(fmt.Sprintf("object: type %s has two registrations for encoding %d", TypeName(t), enc))
	}
	registry[t][enc] = &o
}

func (v Value) ops() *Ops {
	r := v.Record()
	return registry[r.Type()&7][r.Encoding()&15]
}

// Len is the number of elements of a collection; 1 for a string.
func (v Value) Len() int {
	if o := v.ops(); o != nil {
		return o.Len(v)
	}
	return 1
}

// IsPlain tells whether the record is all there is: it may be copied and freed
// like any block.
func (v Value) IsPlain() bool {
	o := v.ops()
	return o == nil || o.FreeStep == nil
}

// FreeStep frees a part of a value, about budget elements, and returns true
// while there is more. After false the record itself is freed too.
func (v Value) FreeStep(budget int) bool {
	if o := v.ops(); o != nil && o.FreeStep != nil && o.FreeStep(v, budget) {
		return true
	}
	v.A.Free(v.Ref)
	return false
}

// CompactStep is Ops.CompactStep; 0 for a plain value.
func (v Value) CompactStep(cursor uint64, budget int) uint64 {
	if o := v.ops(); o != nil && o.CompactStep != nil {
		return o.CompactStep(v, cursor, budget)
	}
	return 0
}

// Copy makes a deep copy of the value in a record for key.
func (v Value) Copy(key []byte) dict.Ref {
	if o := v.ops(); o != nil && o.Copy != nil {
		return o.Copy(v, key)
	}
	return v.A.Rename(dict.EntryLayout, v.Ref, key, false)
}

// Digest mixes the value into a fingerprint, as DEBUG DIGEST-VALUE does.
func (v Value) Digest(d *digest.State) {
	r := v.Record()
	d.Type(int(r.Type()))
	switch o := v.ops(); {
	case r.Type() == TypeString:
		d.StringValue(r.Payload())
	case o != nil && o.Digest != nil:
		o.Digest(v, d)
	default:
		panic(fmt.Sprintf("object: no digest of type %s in encoding %d", TypeName(r.Type()), r.Encoding()))
	}
	if r.HasExpire() {
		d.Expires()
	}
}

// Memory estimates the bytes of the value, its record included.
func (v Value) Memory(samples int) int64 {
	n := int64(v.A.Usable(v.Ref))
	if o := v.ops(); o != nil && o.Memory != nil {
		n += o.Memory(v, samples)
	}
	return n
}

// Check verifies the value's structure.
func (v Value) Check() error {
	if o := v.ops(); o != nil && o.Check != nil {
		return o.Check(v)
	}
	return nil
}
