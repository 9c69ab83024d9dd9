package dict

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// recordModel is what a record should say.
type recordModel struct {
	h       Header
	key     []byte
	payload []byte // nil: none
	index   uint32
}

func (m recordModel) verify(t testing.TB, a *Arena, l Layout, r Ref) {
	t.Helper()
	rec := Record{a.Ptr(r), l}
	size := EntrySize(len(m.key), m.h.ExpireAt != NoExpire, len(m.payload))
	if l == ElemLayout {
		n := len(m.payload)
		if m.payload == nil {
			n = -1
		}
		size = ElemSize(len(m.key), m.h.ExpireAt != NoExpire, n)
	}
	switch {
	case !bytes.Equal(rec.Key(), m.key):
		t.Fatalf("key %q, want %q", rec.Key(), m.key)
	case rec.HasPayload() != (m.payload != nil || l == EntryLayout) || !bytes.Equal(rec.Payload(), m.payload):
		t.Fatalf("key %q: payload %q (%v), want %q", m.key, rec.Payload(), rec.HasPayload(), m.payload)
	case rec.ExpireAt() != m.h.ExpireAt || rec.HasExpire() != (m.h.ExpireAt != NoExpire):
		t.Fatalf("key %q: expiry %d (%v), want %d", m.key, rec.ExpireAt(), rec.HasExpire(), m.h.ExpireAt)
	case rec.Size() != size || a.Usable(r) < size:
		t.Fatalf("key %q: %d bytes in %d, want %d", m.key, rec.Size(), a.Usable(r), size)
	case l == ElemLayout && rec.Flags() != m.h.Flags:
		t.Fatalf("key %q: flags %#x, want %#x", m.key, rec.Flags(), m.h.Flags)
	case l == EntryLayout && (rec.Type() != m.h.Type || rec.Encoding() != m.h.Encoding || rec.LRU() != m.h.LRU):
		t.Fatalf("key %q: type %d, encoding %d, clock %d, want %+v", m.key, rec.Type(), rec.Encoding(), rec.LRU(), m.h)
	case l == EntryLayout && m.h.ExpireAt != NoExpire && rec.ExpireIndex() != m.index:
		t.Fatalf("key %q: index position %d, want %d", m.key, rec.ExpireIndex(), m.index)
	}
}

func randomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// lengths around each change of the width of a length.
func randomLen(rnd *rand.Rand) int {
	switch rnd.IntN(8) {
	case 0:
		return 0
	case 1:
		return 120 + rnd.IntN(16)
	case 2:
		return 16370 + rnd.IntN(30)
	case 3:
		return rnd.IntN(60_000)
	default:
		return rnd.IntN(100)
	}
}

func randomExpire(rnd *rand.Rand) int64 {
	if rnd.IntN(2) == 0 {
		return NoExpire
	}
	return []int64{0, -1, math.MaxInt64, math.MinInt64 + 1, 1_700_000_000_000, rnd.Int64()}[rnd.IntN(6)]
}

// Every kind of change, over records of every shape, against a struct that says what should be there.
func TestRecordModel(t *testing.T) {
	for _, l := range []Layout{EntryLayout, ElemLayout} {
		a := testArena(t)
		rnd := rand.New(rand.NewPCG(5, uint64(l.Hdr)))
		for n := range shorter(3000) {
			m := recordModel{key: randomBytes(rnd, randomLen(rnd)), payload: randomBytes(rnd, randomLen(rnd))}
			m.h = Header{ExpireAt: randomExpire(rnd)}
			var r Ref
			if l == EntryLayout {
				m.h.Type, m.h.Encoding, m.h.LRU = uint8(rnd.IntN(8)), uint8(rnd.IntN(16)), rnd.Uint32()&LRUMask
			} else {
				m.h.Flags = uint8(rnd.IntN(64))
			}
			switch {
			case l == ElemLayout && n%3 == 0:
				m.payload = nil
				r = a.NewElem(m.h, m.key, nil)
			case l == ElemLayout && n%3 == 1:
				var p []byte
				r, p = a.NewElemSize(m.h, m.key, len(m.payload))
				copy(p, m.payload)
			case l == ElemLayout:
				r = a.NewElem(m.h, m.key, m.payload)
			case n%3 == 0:
				var p []byte
				r, p = a.NewEntrySize(m.h, m.key, len(m.payload))
				copy(p, m.payload)
			case n%3 == 1:
				clear(m.payload)
				r, _ = a.NewEntryFixed(m.h, m.key, len(m.payload))
			default:
				r = a.NewEntry(m.h, m.key, m.payload)
			}
			m.verify(t, a, l, r)
			for range 12 {
				m.change(t, a, l, &r, rnd)
				m.verify(t, a, l, r)
			}
			a.Free(r)
		}
		if a.Used() != 0 {
			t.Errorf("layout %v: %d bytes are left", l, a.Used())
		}
	}
}

// change applies one random change to a record and its model.
func (m *recordModel) change(t testing.TB, a *Arena, l Layout, r *Ref, rnd *rand.Rand) {
	rec := Record{a.Ptr(*r), l}
	hadExpire := m.h.ExpireAt != NoExpire
	switch rnd.IntN(10) {
	case 0:
		at := randomExpire(rnd)
		if at == NoExpire {
			a.DropExpire(l, *r)
		} else {
			fit := hadExpire || rec.Size()+int(l.TTL) <= a.Usable(*r)
			if ok := a.SetExpire(l, *r, at); ok != fit {
				t.Fatalf("SetExpire: %v, want %v", ok, fit)
			} else if !ok {
				*r = a.WithExpire(l, *r, at)
			}
			if !hadExpire {
				m.index = 0
			}
		}
		m.h.ExpireAt = at
	case 1:
		if hadExpire {
			m.h.ExpireAt = rnd.Int64()
			rec.SetExpireAt(m.h.ExpireAt)
			if l == EntryLayout {
				m.index = rnd.Uint32()
				rec.SetExpireIndex(m.index)
			}
		}
	case 2:
		if l == EntryLayout {
			m.h.LRU, m.h.Encoding = rnd.Uint32()&LRUMask, uint8(rnd.IntN(16))
			rec.SetLRU(m.h.LRU)
			rec.SetEncoding(m.h.Encoding)
		} else {
			m.h.Flags = uint8(rnd.IntN(64))
			rec.SetFlags(m.h.Flags)
		}
	case 3:
		m.payload = randomBytes(rnd, randomLen(rnd))
		*r = a.WithPayload(l, *r, m.payload)
	case 4, 5:
		p := randomBytes(rnd, max(0, len(m.payload)+rnd.IntN(9)-4))
		had := m.payload != nil || l == EntryLayout
		if ok := a.SetPayload(l, *r, p); ok && !had {
			t.Fatal("SetPayload put a payload where there is none")
		} else if ok {
			m.payload = p
		} else if had && len(p) <= len(m.payload) && len(p)+8 > len(m.payload) && a.Usable(*r) <= 64 {
			t.Fatalf("a payload of %d bytes does not fit where one of %d was", len(p), len(m.payload))
		}
	case 6:
		if m.payload == nil && l == ElemLayout {
			if a.Room(l, *r) != 0 {
				t.Fatal("room for a payload where there is none")
			}
			return
		}
		// Exactly to the brim of the block.
		n := a.Room(l, *r)
		size := rec.Size() - uvarintLen(uint64(len(m.payload))) - len(m.payload)
		if n < len(m.payload) || size+uvarintLen(uint64(n))+n > a.Usable(*r) || size+uvarintLen(uint64(n+1))+n+1 <= a.Usable(*r) {
			t.Fatalf("room %d in a block of %d, %d before the payload", n, a.Usable(*r), size)
		}
		m.fillTo(a.SetPayloadLen(l, *r, n), rnd)
	case 7:
		if m.payload == nil && l == ElemLayout {
			return
		}
		n := randomLen(rnd)
		if rnd.IntN(2) == 0 {
			n = len(m.payload) + rnd.IntN(40)
		}
		var p []byte
		*r, p = a.WithPayloadLen(l, *r, n, rnd.IntN(2)*n)
		m.fillTo(p, rnd)
	case 8:
		*r = a.MoveRecord(l, *r)
	case 9:
		key, drop := randomBytes(rnd, randomLen(rnd)), rnd.IntN(2) == 0
		q := a.Rename(l, *r, key, drop)
		m.verify(t, a, l, *r) // the old one is untouched
		a.Free(*r)
		*r, m.key = q, key
		if drop {
			m.h.ExpireAt = NoExpire
		}
	}
}

// fillTo checks that a payload kept its old bytes, writes the new ones, and makes it the model's.
func (m *recordModel) fillTo(p []byte, rnd *rand.Rand) {
	n := min(len(p), len(m.payload))
	if !bytes.Equal(p[:n], m.payload[:n]) {
		panic(fmt.Sprintf("payload changed when its length did: %q, want %q", p[:n], m.payload[:n]))
	}
	copy(p[n:], randomBytes(rnd, len(p)-n))
	m.payload = bytes.Clone(p)
}

func TestRecordSizes(t *testing.T) {
	if n := EntrySize(11, false, 64); n != 81 || RoundUp(n) != 84 {
		t.Errorf("an entry of 11 + 64 bytes takes %d in %d", n, RoundUp(n))
	}
	if n := ElemSize(11, false, -1); n != 13 {
		t.Errorf("a member of 11 bytes takes %d", n)
	}
	for _, v := range []uint64{0, 1, 127, 128, 16383, 16384, 1 << 31, math.MaxUint64} {
		var b [12]byte
		p := (*[12]byte)(&b)
		n := putUvarint(ptrOf(p[:]), v)
		if got, w := uvarint(ptrOf(p[:])); got != v || w != n || uvarintLen(v) != int(n) {
			t.Errorf("%d: read back %d; %d, %d and %d bytes", v, got, n, w, uvarintLen(v))
		}
	}
}

// A value that shrinks to a fraction of its block does not keep the block.
func TestSetPayloadGivesBack(t *testing.T) {
	a := testArena(t)
	r := a.NewEntry(Header{ExpireAt: NoExpire}, []byte("k"), make([]byte, 10_000))
	if a.SetPayload(EntryLayout, r, make([]byte, 100)) {
		t.Error("100 bytes stay in a block of 10,000")
	}
	if r = a.WithPayload(EntryLayout, r, make([]byte, 100)); a.Usable(r) > 120 {
		t.Errorf("100 bytes are in a block of %d", a.Usable(r))
	}
	a.Free(r)
}

func TestFixedPayload(t *testing.T) {
	a := testArena(t)
	r, p := a.NewEntryFixed(Header{Type: 4, ExpireAt: NoExpire}, []byte("hash"), 48)
	tb := (*Table)(p)
	tb.Init(ElemLayout)
	for i := range 500 {
		f := fmt.Appendf(nil, "field%d", i)
		tb.Insert(a, Hash(a.Seed(), f), a.NewElem(Header{ExpireAt: NoExpire}, f, f))
	}
	// The table lives in the record and moves with it.
	r = a.MoveRecord(EntryLayout, r)
	r = a.WithExpire(EntryLayout, r, 5)
	tb = (*Table)(a.Entry(r).Fixed())
	if err := tb.Check(a); err != nil || tb.Len() != 500 {
		t.Fatalf("%d fields, %v", tb.Len(), err)
	}
	if f := []byte("field123"); !bytes.Equal(a.Elem(tb.Find(a, Hash(a.Seed(), f), f)).Payload(), f) {
		t.Error("a field is lost")
	}
	tb.Clear(a, a.Free)
	a.Free(r)
	if a.Used() != 0 {
		t.Errorf("%d bytes are left", a.Used())
	}
}

func TestRecordAllocs(t *testing.T) {
	a := testArena(t)
	key, val := []byte("some key"), []byte("some value, longer than the other")
	if n := testing.AllocsPerRun(1000, func() {
		r := a.NewEntry(Header{ExpireAt: NoExpire}, key, val)
		a.SetPayload(EntryLayout, r, val[:len(val)-1])
		r = a.WithExpire(EntryLayout, r, 5)
		a.DropExpire(EntryLayout, r)
		r, _ = a.WithPayloadLen(EntryLayout, r, 500, 500)
		rec := a.Entry(r)
		rec.SetLRU(7)
		if len(rec.Key())+len(rec.Payload()) != len(key)+500 {
			t.Error("lengths")
		}
		a.Free(r)
	}); n != 0 && !invariants {
		t.Errorf("%v allocations", n)
	}
}
