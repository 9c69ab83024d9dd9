package stream

import (
	"math"
	"strconv"
)

// ID identifies an entry: unix time in milliseconds, and a sequence number
// within the millisecond. The order is by Ms, then by Seq.
type ID struct{ Ms, Seq uint64 }

// Min and Max are the least and the greatest ID.
var (
	Min = ID{}
	Max = ID{math.MaxUint64, math.MaxUint64}
)

// Less tells whether a comes before b.
func (a ID) Less(b ID) bool { return a.Ms < b.Ms || a.Ms == b.Ms && a.Seq < b.Seq }

// IsZero tells whether the ID is 0-0, which no entry has.
func (a ID) IsZero() bool { return a == ID{} }

// Next returns the ID after a; ok is false when a is Max.
func (a ID) Next() (id ID, ok bool) {
	switch {
	case a.Seq != math.MaxUint64:
		return ID{a.Ms, a.Seq + 1}, true
	case a.Ms != math.MaxUint64:
		return ID{a.Ms + 1, 0}, true
	}
	return ID{}, false
}

// Prev returns the ID before a; ok is false when a is Min.
func (a ID) Prev() (id ID, ok bool) {
	switch {
	case a.Seq != 0:
		return ID{a.Ms, a.Seq - 1}, true
	case a.Ms != 0:
		return ID{a.Ms - 1, math.MaxUint64}, true
	}
	return Max, false
}

// AppendText appends the ID as commands show it: "ms-seq", at most 41 bytes.
func (a ID) AppendText(dst []byte) []byte {
	dst = strconv.AppendUint(dst, a.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, a.Seq, 10)
}

// String is the ID as text.
func (a ID) String() string { return string(a.AppendText(nil)) }
