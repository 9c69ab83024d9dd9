package rdb

import "fmt"

// Fragments
//
// Keys of an RDB may stand in any order, but one cannot begin within another. Who
// writes a large value in parts over a long time, and must write other keys
// meanwhile, collects these in a fragment, which is put into the RDB when the
// value is complete.

// Fragment returns an encoder of the same version and compression as e whose
// output stays in memory: records, without a header and a checksum. Take returns
// it. The two share the state of the compression and belong to one goroutine.
func (e *Encoder) Fragment() *Encoder {
	return &Encoder{version: e.version, comp: e.comp, fragment: true}
}

// Take returns what a fragment has collected and begins an empty one. The bytes
// are valid until the fragment is written to.
func (e *Encoder) Take() []byte {
	p := e.buf
	e.written += int64(len(p))
	e.buf = e.buf[:0]
	if cap(p) > 16*flushSize {
		e.buf = nil // it was a long wait, which is rare
	}
	return p
}

// Err is the first error of an encoder, which every later call returns as well.
func (e *Encoder) Err() error { return e.err }

// Raw writes records that were encoded by a Fragment.
func (e *Encoder) Raw(p []byte) error {
	if e.inside || e.rest != 0 {
		return e.fail("records within a value")
	}
	for len(p) > 0 && e.err == nil {
		n := min(len(p), flushSize)
		e.buf = append(e.buf, p[:n]...)
		p = p[n:]
		_ = e.flush(false) // sticks
	}
	return e.err
}

// BeginString starts a string of n bytes that comes by StringPart. It is not
// compressed.
func (e *Encoder) BeginString(m *Meta, n int) error {
	if e.head(m, rdbString) {
		e.lengths(uint64(n))
		e.rest = n
		e.inside = n > 0
	}
	return e.flush(false)
}

// StringPart is the next part; with the last one the value is complete.
func (e *Encoder) StringPart(p []byte) error {
	if e.err == nil && len(p) > e.rest {
		return e.fail("%d bytes of a string of which %d are left", len(p), e.rest)
	}
	e.rest -= len(p)
	e.inside = e.rest > 0
	e.buf = append(e.buf, p...)
	return e.flush(false)
}

// SetChecksum turns the checksum at the end on (as it is at first) or off, as
// Redis's rdbchecksum: 0 then stands in its place.
func (e *Encoder) SetChecksum(on bool) { e.noSum = !on }

// Version is the RDB version that is written.
func (e *Encoder) Version() int { return e.version }

// CheckVersion tells whether an Encoder can write a version.
func CheckVersion(v int) error {
	if v < 10 || v > MaxVersion {
		return fmt.Errorf("rdb: version %d to write, possible are 10 to %d", v, MaxVersion)
	}
	return nil
}
