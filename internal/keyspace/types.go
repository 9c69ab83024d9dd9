package keyspace

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
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
)

var encodingNames = [...]string{"raw", "int", "hashtable", "listpack", "intset", "skiplist", "embstr", "quicklist", "stream", "listpackex"}

// EncodingName is what OBJECT ENCODING answers.
func EncodingName(e byte) string {
	if int(e) < len(encodingNames) {
		return encodingNames[e]
	}
	return "unknown"
}

// EmbstrLimit is the length up to which a string that was stored whole is
// reported as embstr, bytes.
const EmbstrLimit = 44

// EncodeString is the encoding that a string stored whole is reported with.
func EncodeString(v []byte) byte {
	if len(v) <= 20 && len(v) > 0 {
		if c := v[0]; c == '-' || (c >= '0' && c <= '9') {
			if _, ok := numeric.ParseInt(v); ok {
				return EncInt
			}
		}
	}
	if len(v) <= EmbstrLimit {
		return EncEmbstr
	}
	return EncRaw
}

// DigestValue mixes an entry's value into a fingerprint, as DEBUG DIGEST-VALUE
// does.
func DigestValue(d *digest.State, e Entry) {
	d.Type(int(e.Type()))
	switch e.Type() {
	case TypeString:
		d.StringValue(e.StringValue())
	default:
		panic("keyspace: digest of a value of type " + TypeName(e.Type()))
	}
	if e.ExpireAt() != NoExpire {
		d.Expires()
	}
}
