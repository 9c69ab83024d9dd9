package rdb

import (
	"bytes"
	"errors"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

// strictDigest is a sink that checks everything it is given and, like a real
// one, refuses duplicates.
type strictDigest struct {
	*digestSink
	strict strictSink
}

func (s *strictDigest) Begin(m *Meta, n uint64) error {
	return errors.Join(s.digestSink.Begin(m, n), s.strict.Begin(m, n))
}
func (s *strictDigest) SetMember(v []byte) error {
	return errors.Join(s.strict.add(v), s.digestSink.SetMember(v))
}
func (s *strictDigest) ZSetMember(v []byte, f float64) error {
	return errors.Join(s.strict.add(v), s.digestSink.ZSetMember(v, f))
}
func (s *strictDigest) HashField(f, v []byte, at int64) error {
	return errors.Join(s.strict.add(f), s.digestSink.HashField(f, v, at))
}

// FuzzDecode feeds any bytes: data or an *Error with an offset within them, the
// same for every size of buffer; what was accepted can be written again.
func FuzzDecode(f *testing.F) {
	f.Add(kitchenSink())
	for _, c := range valueCases {
		f.Add(append(cat("REDIS0012", record(c.code, "k", c.value), 255), make([]byte, 8)...))
	}
	f.Add(append(cat("VALKEY080", record(22, "k", cat(1, str("f"), str("v"), uint64(5))), 255), make([]byte, 8)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &strictDigest{digestSink: newDigestSink()}
		d := NewDecoder(bytes.NewReader(b))
		err := d.Decode(a)
		small := &strictDigest{digestSink: newDigestSink()}
		d2 := NewDecoderSize(&chunkReader{b, 3}, 0)
		err2 := d2.Decode(small)
		if (err == nil) != (err2 == nil) || a.sum() != small.sum() {
			t.Fatalf("a big buffer gives %v, a small one %v", err, err2)
		}
		if len(d2.buf) > 4*len(b)+4*minBufferSize {
			t.Fatalf("the buffer grew to %d for %d bytes", len(d2.buf), len(b))
		}
		if n := cap(d2.vbuf) + cap(d2.key.scratch) + cap(d2.fld.scratch); n > 3*lzf.MaxRatio*len(b)+1024 {
			t.Fatalf("%d bytes of scratch for %d bytes", n, len(b))
		}
		if err != nil {
			var e, e2 *Error
			if !errors.As(err, &e) || !errors.As(err2, &e2) || e.Offset < 0 || e.Offset > int64(len(b)) || e.Offset != e2.Offset {
				t.Fatalf("%v and %v for %d bytes", err, err2, len(b))
			}
			return
		}
		if d.Offset()+int64(len(d.Rest())) != int64(len(b)) {
			t.Fatalf("offset %d and a rest of %d, of %d", d.Offset(), len(d.Rest()), len(b))
		}
	})
}

// FuzzPayload does the same with what RESTORE is given; the footer is made right
// so that the value is reached.
func FuzzPayload(f *testing.F) {
	for _, c := range valueCases {
		f.Add(cat(int(c.code), c.value), uint8(12))
	}
	f.Fuzz(func(t *testing.T, b []byte, version uint8) {
		_ = DecodePayload(b, 0, []byte("k"), NopSink{})
		p := AppendFooter(bytes.Clone(b), 0, uint16(version))
		s := &strictDigest{digestSink: newDigestSink()}
		err := DecodePayload(p, 0, []byte("k"), s)
		if err == ErrPayload {
			if version <= MaxVersion || version == ValkeyVersion {
				t.Fatal("a right footer is refused")
			}
			return
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(p))) {
			t.Fatal(err)
		}
		if err != nil || len(s.mods) > 0 {
			return
		}
		enc := NewEncoder(nil, 12, true)
		enc.StartDump(nil)
		if err := DecodePayload(p, 0, []byte("k"), enc); err != nil {
			// Only a list whose empty nodes were skipped may be miscounted.
			if s.dbs[0]["k"].typ != "list" && version != ValkeyVersion {
				t.Fatalf("accepted, but cannot be encoded: %v", err)
			}
			return
		}
		out, err := enc.FinishDump()
		if err != nil {
			if s.dbs[0]["k"].typ != "list" {
				t.Fatal(err)
			}
			return
		}
		again := &strictDigest{digestSink: newDigestSink()}
		if err := DecodePayload(out, 0, []byte("k"), again); err != nil || again.dbs[0]["k"].value != s.dbs[0]["k"].value {
			t.Fatalf("encoded again: %v", err)
		}
	})
}
