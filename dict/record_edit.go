package dict

import "unsafe"

// Changes to a record. Those called Set… work in place and say whether they could; those called With… return the record's
// new reference, which is the old one if it could stay, and otherwise free the old block: the caller updates the
// one place that refers to it (Table.SetRef), and the expiry index if the record stands there.

// Room returns how long the payload of a record can become where it stands.
func (a *Arena) Room(l Layout, r Ref) int {
	p := a.Ptr(r)
	if !l.hasPayload(p) {
		return 0
	}
	room := a.Usable(r) - int(l.payloadAt(p))
	// The length takes one byte to five; its own length depends on what it leaves.
	w := uvarintLen(uint64(room))
	if w > 1 && uvarintLen(uint64(room-w+1)) < w {
		w--
	}
	return room - w
}

// fits says whether a block of capacity bytes is right for a record of size bytes: large enough, and not so large that the
// difference should be given back.
func fits(size, capacity int) bool {
	return size <= capacity && (capacity <= 64 || size > capacity-capacity/4)
}

// SetPayload replaces the payload in place, if the block has room for it and would not be mostly empty afterwards. The new
// payload must not be a view of this record.
func (a *Arena) SetPayload(l Layout, r Ref, payload []byte) bool {
	p := a.Ptr(r)
	if !l.hasPayload(p) {
		return false
	}
	off := l.payloadAt(p)
	size := int(off) + uvarintLen(uint64(len(payload))) + len(payload)
	if !fits(size, a.Usable(r)) {
		return false
	}
	off += putUvarint(unsafe.Add(p, off), uint64(len(payload)))
	if len(payload) != 0 {
		copy(view(unsafe.Add(p, off), len(payload)), payload)
	}
	return true
}

// SetPayloadLen changes the payload's length in place to n, which must not exceed Room, and returns the payload. The bytes up
// to the shorter length are kept, those beyond the old one are undefined.
func (a *Arena) SetPayloadLen(l Layout, r Ref, n int) []byte {
	p := a.Ptr(r)
	off := l.payloadAt(p)
	old, w := uvarint(unsafe.Add(p, off))
	nw := uintptr(uvarintLen(uint64(n)))
	if nw != w {
		keep := min(int(old), n)
		copy(view(unsafe.Add(p, off+nw), keep), view(unsafe.Add(p, off+w), keep))
	}
	putUvarint(unsafe.Add(p, off), uint64(n))
	return view(unsafe.Add(p, off+nw), n)
}

// WithPayloadLen changes the payload's length to n, in place if it can, and returns the payload; the block may become another.
// The bytes up to the shorter length are kept, those beyond the old one are undefined. spare is how many bytes more a new
// block should have room for (0: none), for payloads that grow again and again.
func (a *Arena) WithPayloadLen(l Layout, r Ref, n, spare int) (Ref, []byte) {
	p := a.Ptr(r)
	off := int(l.payloadAt(p))
	size := off + uvarintLen(uint64(n)) + n
	if have := a.Usable(r); size <= have && (fits(size, have) || fits(size+spare, have)) || size > have && a.Grow(r, size) {
		return r, a.SetPayloadLen(l, r, n)
	}
	q := a.Alloc(size + spare)
	old := Record{a.Ptr(r), l}.Payload()
	np := a.Ptr(q)
	copy(view(np, off), view(a.Ptr(r), off))
	w := putUvarint(unsafe.Add(np, off), uint64(n))
	payload := view(unsafe.Add(np, uintptr(off)+w), n)
	copy(payload, old)
	a.Free(r)
	return q, payload
}

// WithPayload replaces the payload, in place if it can. payload must not be a view of this record.
func (a *Arena) WithPayload(l Layout, r Ref, payload []byte) Ref {
	if a.SetPayload(l, r, payload) {
		return r
	}
	q := a.replacement(l, r, len(payload))
	if len(payload) != 0 {
		copy(Record{a.Ptr(q), l}.Payload(), payload)
	}
	a.Free(r)
	return q
}

// replacement makes a record with the header and key of r and room for a payload of n bytes.
func (a *Arena) replacement(l Layout, r Ref, n int) Ref {
	off := int(l.payloadAt(a.Ptr(r)))
	q := a.Alloc(off + uvarintLen(uint64(n)) + n)
	p := a.Ptr(q)
	copy(view(p, off), view(a.Ptr(r), off))
	if l.Hdr == ElemLayout.Hdr {
		st8(p, 0, ld8(p, 0)|flagValue)
	}
	putUvarint(unsafe.Add(p, off), uint64(n))
	return q
}

// SetExpire gives a record an expiry (ms since 1970) in place, if it has one already or its block has room. A new expiry
// has index position 0.
func (a *Arena) SetExpire(l Layout, r Ref, ms int64) bool {
	p := a.Ptr(r)
	hdr, ttl := uintptr(l.Hdr), uintptr(l.TTL)
	if ld8(p, 0)&flagTTL == 0 {
		size := l.size(p)
		if size+int(ttl) > a.Usable(r) {
			return false
		}
		n := size - int(hdr)
		copy(view(unsafe.Add(p, hdr+ttl), n), view(unsafe.Add(p, hdr), n))
		st8(p, 0, ld8(p, 0)|flagTTL)
		clear(view(unsafe.Add(p, hdr), int(ttl)))
	}
	st64(p, hdr, uint64(ms))
	return true
}

// WithExpire gives a record an expiry (ms since 1970), in place if it can. A new expiry has index position 0.
func (a *Arena) WithExpire(l Layout, r Ref, ms int64) Ref {
	if a.SetExpire(l, r, ms) {
		return r
	}
	size := l.size(a.Ptr(r))
	hdr, ttl := int(l.Hdr), int(l.TTL)
	q := a.Alloc(size + ttl)
	from, to := view(a.Ptr(r), size), view(a.Ptr(q), size+ttl)
	copy(to[:hdr], from[:hdr])
	clear(to[hdr : hdr+ttl])
	copy(to[hdr+ttl:], from[hdr:])
	to[0] |= flagTTL
	st64(a.Ptr(q), uintptr(hdr), uint64(ms))
	a.Free(r)
	return q
}

// DropExpire removes the expiry of a record, in place. Take it out of the expiry index first.
func (a *Arena) DropExpire(l Layout, r Ref) {
	p := a.Ptr(r)
	if ld8(p, 0)&flagTTL == 0 {
		return
	}
	n := l.size(p) - int(l.Hdr) - int(l.TTL)
	copy(view(unsafe.Add(p, l.Hdr), n), view(unsafe.Add(p, l.Hdr+l.TTL), n))
	st8(p, 0, ld8(p, 0)&^flagTTL)
}

// CopyRecord makes a copy of a record in a block of its own, of the record's size.
func (a *Arena) CopyRecord(l Layout, r Ref) Ref {
	n := l.size(a.Ptr(r))
	q := a.Alloc(n)
	copy(view(a.Ptr(q), n), view(a.Ptr(r), n))
	return q
}

// MoveRecord copies a record and frees the old block: what compaction does with it.
func (a *Arena) MoveRecord(l Layout, r Ref) Ref {
	q := a.CopyRecord(l, r)
	a.Free(r)
	return q
}

// Rename makes a copy of a record under another key, without its expiry if dropExpire, and leaves the old one alone.
func (a *Arena) Rename(l Layout, r Ref, key []byte, dropExpire bool) Ref {
	rec := Record{a.Ptr(r), l}
	payload := rec.Payload()
	expires := rec.HasExpire() && !dropExpire
	n := int(l.Hdr) + uvarintLen(uint64(len(key))) + len(key)
	if rec.HasPayload() {
		n += uvarintLen(uint64(len(payload))) + len(payload)
	}
	if expires {
		n += int(l.TTL)
	}
	q := a.Alloc(n)
	p := a.Ptr(q)
	off := uintptr(l.Hdr)
	if expires {
		off += uintptr(l.TTL)
	}
	copy(view(p, int(off)), view(rec.p, int(off)))
	if !expires {
		st8(p, 0, ld8(p, 0)&^flagTTL)
	}
	off += putKey(unsafe.Add(p, off), key)
	if rec.HasPayload() {
		off += putUvarint(unsafe.Add(p, off), uint64(len(payload)))
		copy(view(unsafe.Add(p, off), len(payload)), payload)
	}
	return q
}
