// Package digest computes what DEBUG DIGEST and DEBUG DIGEST-VALUE of Redis
// report: a fingerprint of a value, or of a whole dataset, that does not depend
// on how anything is encoded, so that a master and a replica can be compared.
//
// It is built from SHA-1 by two operations on a state of 20 bytes, one that
// does not care for the order of what it is fed and one that does:
//
//	xor: state ^= SHA1(data)
//	mix: state ^= SHA1(data); state = SHA1(state)
//
// A value is mix(type), then its elements: strings, list elements and stream
// entries are mixed in order; members of sets are xored; a pair of a sorted set
// or hash is mixed into a state of its own, which is then xored. A key with an
// expiry xors a fixed text at the end (the time itself does not count). The
// dataset starts from zero; each database that is not empty mixes its number,
// and xors the state of each of its keys (mix(key), then the value). This is
// the algorithm of debug.c.
//
// Feed a State the parts of a value, in this order:
//
//	Type, String                                    a string
//	Type, ListElement…                              a list
//	Type, SetMember… | ZSetMember… | HashField…     in any order
//	Type, (StreamEntry, StreamField…)…              a stream
//	Expires                                         if the key has an expiry
//
// It allocates nothing and is not safe for concurrent use.
package digest

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
)

// The numbers that Type takes.
const (
	TypeString = 0
	TypeList   = 1
	TypeSet    = 2
	TypeZSet   = 3
	TypeHash   = 4
	TypeStream = 6
)

// State is a digest in the making. Its zero value is where DEBUG DIGEST-VALUE
// starts; Key gives where a key of DEBUG DIGEST starts.
type State [sha1.Size]byte

// Xor adds data without regard to order.
func (s *State) Xor(data []byte) {
	h := sha1.Sum(data)
	for i := range s {
		s[i] ^= h[i]
	}
}

// Mix adds data so that order matters.
func (s *State) Mix(data []byte) {
	s.Xor(data)
	*s = sha1.Sum(s[:])
}

// String returns the digest as DEBUG DIGEST prints it: 40 hexadecimal digits.
func (s *State) String() string { return hex.EncodeToString(s[:]) }

func (s *State) mixUint32(v uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	s.Mix(b[:])
}

// Key returns the state with which the value of a key begins in a Dataset.
func Key(key []byte) State {
	var s State
	s.Mix(key)
	return s
}

// Type starts a value of the type with Redis's number t.
func (s *State) Type(t int) { s.mixUint32(uint32(t)) }

// StringValue adds the value of a string.
func (s *State) StringValue(v []byte) { s.Mix(v) }

// ListElement adds the next element of a list.
func (s *State) ListElement(v []byte) { s.Mix(v) }

// SetMember adds a member of a set.
func (s *State) SetMember(v []byte) { s.Xor(v) }

// ZSetMember adds a member of a sorted set with its score, as Redis up to 7.0
// does.
func (s *State) ZSetMember(v []byte, score float64) {
	var buf [32]byte
	s.zsetMember(v, AppendScore(buf[:0], score))
}

// ZSetMemberShort is ZSetMember as Redis 7.2, Valkey and later do it: the score
// enters in its shortest form.
func (s *State) ZSetMemberShort(v []byte, score float64) {
	var buf [32]byte
	s.zsetMember(v, AppendShortScore(buf[:0], score))
}

func (s *State) zsetMember(v, score []byte) {
	var e State
	e.Mix(v)
	e.Mix(score)
	s.Xor(e[:])
}

// HashField adds a field of a hash. expires is true when the field has an expiry
// of its own (Redis 7.4; the time itself does not count).
func (s *State) HashField(field, value []byte, expires bool) {
	var e State
	e.Mix(field)
	e.Mix(value)
	if expires {
		e.Xor(hexpireText)
	}
	s.Xor(e[:])
}

var (
	expireText  = []byte("!!expire!!")
	hexpireText = []byte("!!hexpire!!")
)

// StreamEntry starts the next entry of a stream; its fields follow.
func (s *State) StreamEntry(ms, seq uint64) {
	var buf [41]byte
	b := strconv.AppendUint(buf[:0], ms, 10)
	b = append(b, '.')
	s.Mix(strconv.AppendUint(b, seq, 10))
}

// StreamField adds the next field of the entry.
func (s *State) StreamField(field, value []byte) {
	s.Mix(field)
	s.Mix(value)
}

// Expires completes a value whose key has an expiry.
func (s *State) Expires() { s.Xor(expireText) }

// Dataset is the digest of all databases.
type Dataset struct{ s State }

// DB starts a database that has keys. Databases must come in ascending order.
func (d *Dataset) DB(n int) { d.s.mixUint32(uint32(n)) }

// Add adds a key of the database: the state that began with Key and was fed the
// value.
func (d *Dataset) Add(key State) { d.s.Xor(key[:]) }

// Sum returns the digest so far.
func (d *Dataset) Sum() State { return d.s }

// AppendScore appends a score as C's printf("%.17g") writes it: the form that
// enters the digest.
func AppendScore(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}

// AppendShortScore appends a decimal form from which the score can be read back,
// with few digits (Grisu2), laid out as Redis 7.2 and later do: plain digits for
// whole numbers with up to seven zeros and for fractions that are not too small,
// else a mantissa and an exponent without padding.
func AppendShortScore(dst []byte, f float64) []byte {
	if f == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return AppendScore(dst, f)
	}
	if f < 0 {
		dst = append(dst, '-')
		f = -f
	}
	var buf [32]byte
	digits, zeros := grisu2(buf[:0], f) // zeros behind the digits, or minus the digits behind the point
	n := len(digits)
	exp := zeros + n - 1
	down := exp < 0
	exp = max(exp, -exp)
	switch {
	case zeros >= 0 && exp < n+7:
		dst = append(dst, digits...)
		for range zeros {
			dst = append(dst, '0')
		}
		return dst
	case zeros < 0 && (zeros > -7 || exp < 4):
		if point := n + zeros; point > 0 {
			dst = append(dst, digits[:point]...)
			dst = append(dst, '.')
			return append(dst, digits[point:]...)
		}
		dst = append(dst, '0', '.')
		for range -(n + zeros) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	if down {
		dst = append(dst, 'e', '-')
	} else {
		dst = append(dst, 'e', '+')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}
