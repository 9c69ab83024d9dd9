package dict

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"
)

// Records
//
// A record is one block. Entries stand in the main dictionary, elements in the tables of big sets, hashes and sorted
// sets; they differ in their first bytes only, which is what a Layout tells a Table.
//
//	entry     byte 0      type:3 | encoding:4 | TTL:1 (bit 7)
//	          1 .. 3      LRU clock or LFU counter, 24 bits
//	          [8 + 4]     if TTL: expiry (Unix time in ms), position in the expiry index
//	element   byte 0      owner's flags:6 | payload:1 (bit 6) | TTL:1 (bit 7)
//	          [8]         if TTL: expiry
//	both      n, n bytes  key; its length n as unsigned LEB128
//	          n, n bytes  payload (an element has one only if bit 6 says so)
//
// The payload of an entry is the text of a string, a packed collection as the RDB carries it, or the fixed struct that
// heads a big collection. As the length always stands before it, a record describes itself: it can be measured, copied and
// moved by those who know nothing of its type. The struct of a big collection is not aligned: it must hold no Go pointers.
//
// A record may be shorter than its block; the rest is room to grow in place.

const (
	flagTTL   = 0x80
	flagValue = 0x40 // elements

	maxType     = 7
	maxEncoding = 15

	// ElemFlags are the bits of an element's first byte that its owner may use.
	ElemFlags = 0x3f
	// LRUMask are the bits of an entry's LRU clock.
	LRUMask = 1<<24 - 1
	// NoExpire stands for the expiry of a record that has none.
	NoExpire = math.MinInt64
)

var (
	// EntryLayout is that of the main dictionary's records.
	EntryLayout = Layout{4, 12}
	// ElemLayout is that of the elements of big collections.
	ElemLayout = Layout{1, 8}
)

// uvarint reads an unsigned LEB128 number and its length in bytes.
func uvarint(p unsafe.Pointer) (uint64, uintptr) {
	b := ld8(p, 0)
	if b < 0x80 {
		return uint64(b), 1
	}
	v, n := uint64(b&0x7f), uintptr(1)
	for shift := uint(7); ; shift += 7 {
		b = ld8(p, n)
		n++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, n
		}
	}
}

// putUvarint writes v and returns its length in bytes.
func putUvarint(p unsafe.Pointer, v uint64) uintptr {
	n := uintptr(0)
	for v >= 0x80 {
		st8(p, n, uint8(v)|0x80)
		v >>= 7
		n++
	}
	st8(p, n, uint8(v))
	return n + 1
}

// uvarintLen returns the bytes that v takes as LEB128.
func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// keyAt returns the offset of the key's length.
func (l Layout) keyAt(p unsafe.Pointer) uintptr {
	off := uintptr(l.Hdr)
	if ld8(p, 0)&flagTTL != 0 {
		off += uintptr(l.TTL)
	}
	return off
}

// key returns the key as a view.
func (l Layout) key(p unsafe.Pointer) []byte {
	off := l.keyAt(p)
	n, w := uvarint(unsafe.Add(p, off))
	return view(unsafe.Add(p, off+w), int(n))
}

// payloadAt returns the offset of the payload's length.
func (l Layout) payloadAt(p unsafe.Pointer) uintptr {
	off := l.keyAt(p)
	n, w := uvarint(unsafe.Add(p, off))
	return off + w + uintptr(n)
}

func (l Layout) hasPayload(p unsafe.Pointer) bool {
	return l.Hdr != ElemLayout.Hdr || ld8(p, 0)&flagValue != 0
}

// size returns the bytes of a record, without the room behind it.
func (l Layout) size(p unsafe.Pointer) int {
	off := l.payloadAt(p)
	if l.hasPayload(p) {
		n, w := uvarint(unsafe.Add(p, off))
		off += w + uintptr(n)
	}
	return int(off)
}

// Record is a view of a record at its address, valid until its block is freed or moved: do not keep it.
// Its methods are for the owner of the arena.
type Record struct {
	p unsafe.Pointer
	l Layout
}

// Entry returns a view of an entry.
func (a *Arena) Entry(r Ref) Record { return Record{a.Ptr(r), EntryLayout} }

// Elem returns a view of an element.
func (a *Arena) Elem(r Ref) Record { return Record{a.Ptr(r), ElemLayout} }

// Key returns the key as a view.
func (r Record) Key() []byte { return r.l.key(r.p) }

// Size returns the bytes of the record, without the room behind it in its block.
func (r Record) Size() int { return r.l.size(r.p) }

// Type returns an entry's type.
func (r Record) Type() uint8 { return ld8(r.p, 0) & maxType }

// Encoding returns an entry's encoding.
func (r Record) Encoding() uint8 { return ld8(r.p, 0) >> 3 & maxEncoding }

// SetEncoding changes an entry's encoding.
func (r Record) SetEncoding(enc uint8) {
	st8(r.p, 0, ld8(r.p, 0)&(maxType|flagTTL)|enc&maxEncoding<<3)
}

// LRU returns an entry's LRU clock or LFU counter.
func (r Record) LRU() uint32 { return ld32(r.p, 0) >> 8 }

// SetLRU sets an entry's LRU clock or LFU counter, 24 bits.
func (r Record) SetLRU(v uint32) { st32(r.p, 0, ld32(r.p, 0)&0xff|v<<8) }

// Flags returns the owner's flags of an element.
func (r Record) Flags() uint8 { return ld8(r.p, 0) & ElemFlags }

// SetFlags sets the owner's flags of an element.
func (r Record) SetFlags(f uint8) { st8(r.p, 0, ld8(r.p, 0)&^ElemFlags|f&ElemFlags) }

// HasExpire says whether the record has an expiry.
func (r Record) HasExpire() bool { return ld8(r.p, 0)&flagTTL != 0 }

// ExpireAt returns the expiry in ms since 1970, or NoExpire.
func (r Record) ExpireAt() int64 {
	if !r.HasExpire() {
		return NoExpire
	}
	return int64(ld64(r.p, uintptr(r.l.Hdr)))
}

// SetExpireAt changes the expiry of a record that has one. See also [SetExpire].
func (r Record) SetExpireAt(ms int64) {
	r.mustExpire()
	st64(r.p, uintptr(r.l.Hdr), uint64(ms))
}

// ExpireIndex returns an entry's position in the expiry index; only an entry with an expiry has one.
func (r Record) ExpireIndex() uint32 {
	r.mustExpire()
	return ld32(r.p, uintptr(EntryLayout.Hdr)+8)
}

// SetExpireIndex sets an entry's position in the expiry index.
func (r Record) SetExpireIndex(pos uint32) {
	r.mustExpire()
	st32(r.p, uintptr(EntryLayout.Hdr)+8, pos)
}

func (r Record) mustExpire() {
	if invariants && !r.HasExpire() {
		panic(fmt.Sprintf("dict: expiry of a record without one: key %q", r.Key()))
	}
}

// HasPayload says whether the record has a payload; an entry always has.
func (r Record) HasPayload() bool { return r.l.hasPayload(r.p) }

// Payload returns the payload as a view: the text of a string, the bytes of a packed collection, the value of a hash field.
// It is nil for an element without one.
func (r Record) Payload() []byte {
	if !r.l.hasPayload(r.p) {
		return nil
	}
	off := r.l.payloadAt(r.p)
	n, w := uvarint(unsafe.Add(r.p, off))
	return view(unsafe.Add(r.p, off+w), int(n))
}

// Fixed returns the address of the payload: the struct that heads a big collection. It is valid until the record's block is
// freed or moved, and not aligned.
func (r Record) Fixed() unsafe.Pointer {
	off := r.l.payloadAt(r.p)
	_, w := uvarint(unsafe.Add(r.p, off))
	return unsafe.Add(r.p, off+w)
}

// Header is what a record is made from besides its key and payload.
type Header struct {
	Type     uint8  // entry
	Encoding uint8  // entry
	LRU      uint32 // entry, 24 bits
	Flags    uint8  // element: owner's flags
	ExpireAt int64  // ms since 1970, or NoExpire (which is not the zero value)
}

// EntrySize returns the bytes of an entry.
func EntrySize(keyLen int, expires bool, payloadLen int) int {
	n := int(EntryLayout.Hdr) + uvarintLen(uint64(keyLen)) + keyLen + uvarintLen(uint64(payloadLen)) + payloadLen
	if expires {
		n += int(EntryLayout.TTL)
	}
	return n
}

// ElemSize returns the bytes of an element; payloadLen is -1 for one without a payload.
func ElemSize(keyLen int, expires bool, payloadLen int) int {
	n := int(ElemLayout.Hdr) + uvarintLen(uint64(keyLen)) + keyLen
	if payloadLen >= 0 {
		n += uvarintLen(uint64(payloadLen)) + payloadLen
	}
	if expires {
		n += int(ElemLayout.TTL)
	}
	return n
}

// NewEntry makes an entry with payload as its payload. It panics with *OutOfMemoryError, as all makers do.
func (a *Arena) NewEntry(h Header, key, payload []byte) Ref {
	r, p := a.newEntry(h, key, len(payload))
	if len(payload) != 0 {
		copy(view(p, len(payload)), payload)
	}
	return r
}

// NewEntrySize makes an entry with a payload of n bytes, and returns it as a view for the caller to fill: its content is
// undefined.
func (a *Arena) NewEntrySize(h Header, key []byte, n int) (Ref, []byte) {
	r, p := a.newEntry(h, key, n)
	return r, view(p, n)
}

// NewEntryFixed makes an entry that heads a big collection, with a struct of n zero bytes, and returns its address.
func (a *Arena) NewEntryFixed(h Header, key []byte, n int) (Ref, unsafe.Pointer) {
	r, p := a.newEntry(h, key, n)
	clear(view(p, n))
	return r, p
}

func (a *Arena) newEntry(h Header, key []byte, n int) (Ref, unsafe.Pointer) {
	r := a.Alloc(EntrySize(len(key), h.ExpireAt != NoExpire, n))
	p := a.Ptr(r)
	first := h.Type&maxType | h.Encoding&maxEncoding<<3
	off := uintptr(EntryLayout.Hdr)
	if h.ExpireAt != NoExpire {
		first |= flagTTL
		st64(p, off, uint64(h.ExpireAt))
		st32(p, off+8, 0)
		off += uintptr(EntryLayout.TTL)
	}
	st32(p, 0, uint32(first)|h.LRU<<8)
	off += putKey(unsafe.Add(p, off), key)
	off += putUvarint(unsafe.Add(p, off), uint64(n))
	return r, unsafe.Add(p, off)
}

// putKey writes a key behind its length and returns the bytes of both.
func putKey(p unsafe.Pointer, key []byte) uintptr {
	w := putUvarint(p, uint64(len(key)))
	copy(view(unsafe.Add(p, w), len(key)), key)
	return w + uintptr(len(key))
}

// NewElem makes an element. A nil payload makes one without (a member of a set); an empty one is a payload.
func (a *Arena) NewElem(h Header, key, payload []byte) Ref {
	n := -1
	if payload != nil {
		n = len(payload)
	}
	r, p := a.newElem(h, key, n)
	if n > 0 {
		copy(view(p, n), payload)
	}
	return r
}

// NewElemSize makes an element with a payload of n bytes, and returns it as a view for the caller to fill: its content is
// undefined.
func (a *Arena) NewElemSize(h Header, key []byte, n int) (Ref, []byte) {
	r, p := a.newElem(h, key, n)
	return r, view(p, n)
}

func (a *Arena) newElem(h Header, key []byte, n int) (Ref, unsafe.Pointer) {
	r := a.Alloc(ElemSize(len(key), h.ExpireAt != NoExpire, n))
	p := a.Ptr(r)
	first := h.Flags & ElemFlags
	off := uintptr(ElemLayout.Hdr)
	if h.ExpireAt != NoExpire {
		first |= flagTTL
		st64(p, off, uint64(h.ExpireAt))
		off += uintptr(ElemLayout.TTL)
	}
	if n >= 0 {
		first |= flagValue
	}
	st8(p, 0, first)
	off += putKey(unsafe.Add(p, off), key)
	if n >= 0 {
		off += putUvarint(unsafe.Add(p, off), uint64(n))
	}
	return r, unsafe.Add(p, off)
}
