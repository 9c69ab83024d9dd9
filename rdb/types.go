package rdb

// MaxVersion is the newest RDB version that is understood of those that begin
// with "REDIS" (version 12 is Redis 7.4 and 8.0).
const MaxVersion = 12

// ValkeyVersion is the RDB version that is understood of those that begin with
// "VALKEY" (80 is Valkey 9.0). Valkey up to 8 writes RDB 11 as Redis 7.2 does.
const ValkeyVersion = 80

// DumpVersion is the RDB version that AppendDump… and Encoder put into what
// they write: 10, Redis 7.0, which every server of today can read.
const DumpVersion = 10

// Op codes: values of the byte before a record that is not an object.
const (
	opSlotImport   = 243 // Valkey: state of an atomic slot migration
	opSlotInfo     = 244
	opFunction2    = 245
	opFunctionPre  = 246 // Redis 7.0 RC1 and RC2
	opModuleAux    = 247
	opIdle         = 248
	opFreq         = 249
	opAux          = 250
	opResizeDB     = 251
	opExpireTimeMS = 252
	opExpireTime   = 253
	opSelectDB     = 254
	opEOF          = 255
)

// Value types: values of the byte before a key.
const (
	rdbString             = 0
	rdbList               = 1
	rdbSet                = 2
	rdbZSet               = 3
	rdbHash               = 4
	rdbZSet2              = 5
	rdbModulePreGA        = 6
	rdbModule2            = 7
	rdbHashZipmap         = 9
	rdbListZiplist        = 10
	rdbSetIntset          = 11
	rdbZSetZiplist        = 12
	rdbHashZiplist        = 13
	rdbListQuicklist      = 14
	rdbStreamListpacks    = 15
	rdbHashListpack       = 16
	rdbZSetListpack       = 17
	rdbListQuicklist2     = 18
	rdbStreamListpacks2   = 19
	rdbSetListpack        = 20
	rdbStreamListpacks3   = 21
	rdbHashMetadataPreGA  = 22 // Redis 7.4 release candidates; Valkey 80 gives 22 another meaning
	rdbHashListpackExPre  = 23
	rdbHashMetadata       = 24
	rdbHashListpackEx     = 25
	rdbHashFieldsExpiring = 22 // Valkey 9: field, value, expiry
)

// Type is the kind of a value, numbered as Redis numbers its object types.
type Type uint8

// The value types.
const (
	TypeString Type = 0
	TypeList   Type = 1
	TypeSet    Type = 2
	TypeZSet   Type = 3
	TypeHash   Type = 4
	TypeModule Type = 5
	TypeStream Type = 6
)

var typeNames = [...]string{"string", "list", "set", "zset", "hash", "module", "stream"}

// String returns the name that the TYPE command gives.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// Packing says how the bytes of a packed value are laid out.
type Packing uint8

// The packings.
const (
	// Listpack is a listpack of the elements: members of a set or list; field
	// and value by turns for a hash; member and score by turns for a sorted set,
	// in ascending order of (score, member).
	Listpack Packing = iota
	// Intset is Redis's sorted array of integers (sets only).
	Intset
	// ListpackEx is a listpack of field, value and expiry (unix ms, 0 for none)
	// by turns (hashes only), in ascending order of expiry with 0 last.
	ListpackEx
)

// module sub op codes
const (
	moduleEOF    = 0
	moduleSint   = 1
	moduleUint   = 2
	moduleFloat  = 3
	moduleDouble = 4
	moduleString = 5
)

// string encodings after a length byte of 11xxxxxx
const (
	encInt8  = 0
	encInt16 = 1
	encInt32 = 2
	encLZF   = 3
)

// CodeHashTTL is the Meta.Code of a hash some of whose fields expire: with it,
// Encoder.Begin writes the expiries.
const CodeHashTTL byte = rdbHashMetadata

// CodeListNodes is the Meta.Code of a list that is held in nodes: with it,
// Sink.ListElement is a node of one big element; with another it is just the
// next element.
const CodeListNodes byte = rdbListQuicklist2

// OldPacking tells whether the value came in a ziplist or zipmap of Redis before
// 7.0, whose elements may be longer than those that a listpack would be given.
func (m *Meta) OldPacking() bool {
	switch m.Code {
	case rdbHashZipmap, rdbListZiplist, rdbZSetZiplist, rdbHashZiplist:
		return true
	}
	return false
}
