package object

import (
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// What sets, hashes and sorted sets in a hash table have in common: walking the
// elements of a dict.Table (records of dict.ElemLayout), drawing from them and
// freeing them.

// elemMarked is the one flag of an element that is taken for all types: it marks
// what SampleElems has drawn, and is set only inside it.
const elemMarked = 0x20

// ElemFlagsFree are the flags of an element that a type may use.
const ElemFlagsFree = dict.ElemFlags &^ elemMarked

// below returns a fair number in [0, n).
func below(rnd func() uint64, n int) int {
	hi, _ := bits.Mul64(rnd(), uint64(n))
	return int(hi)
}

// EachElem calls fn for every element until it returns false, each exactly once.
// fn must not change the table.
func EachElem(a *dict.Arena, t *dict.Table, fn func(r dict.Ref) bool) {
	more := true
	for cursor := uint64(0); more; {
		cursor = t.Scan(a, cursor, func(r dict.Ref) {
			if more {
				more = fn(r)
			}
		})
		if cursor == 0 {
			return
		}
	}
}

// ScanElems does one step of a SCAN with COUNT count: it calls fn for the
// elements of some buckets, until it has met count elements or looked into
// ten times as many buckets, and returns the next cursor, 0 at the end.
func ScanElems(a *dict.Arena, t *dict.Table, cursor uint64, count int64, fn func(r dict.Ref)) uint64 {
	seen := int64(0)
	for tries := int64(0); ; tries++ {
		cursor = t.Scan(a, cursor, func(r dict.Ref) {
			seen++
			fn(r)
		})
		// Twice: tries/10 cannot overflow where count*10 can.
		if cursor == 0 || seen >= count || tries/10 >= count {
			return cursor
		}
	}
}

// SampleElems calls fn for n different elements, every choice of n having the
// same chance; 0 <= n <= t.Len(). scratch is storage that may be used, and is
// returned for the next call. fn must not change the table.
//
// Where much of the table is wanted it walks it and takes each element with the
// chance that the rest of the wanted has among the rest of all (selection
// sampling, Knuth's algorithm 3.4.2 S). Else it draws, and marks what it drew so
// as not to take it twice.
func SampleElems(a *dict.Arena, t *dict.Table, rnd func() uint64, n int, scratch []dict.Ref, fn func(r dict.Ref)) []dict.Ref {
	left := t.Len()
	if n*3 > left {
		EachElem(a, t, func(r dict.Ref) bool {
			if below(rnd, left) < n {
				n--
				fn(r)
			}
			left--
			return n > 0
		})
		return scratch
	}
	scratch = scratch[:0]
	for len(scratch) < n {
		r := t.Random(a, rnd)
		e := a.Elem(r)
		if f := e.Flags(); f&elemMarked == 0 {
			e.SetFlags(f | elemMarked)
			scratch = append(scratch, r)
		}
	}
	for _, r := range scratch {
		e := a.Elem(r)
		e.SetFlags(e.Flags() &^ elemMarked)
		fn(r)
	}
	return scratch
}

// FreeElemsStep frees the elements of a table in steps of about budget elements,
// and says whether there is more. Once begun, the table must not be used for
// anything else.
func FreeElemsStep(a *dict.Arena, t *dict.Table, budget int) bool {
	return t.ClearStep(a, max(budget/8, 1), a.Free)
}

// CopyElems fills dst, which is empty and initialised, with copies of the
// elements of src.
func CopyElems(a *dict.Arena, dst, src *dict.Table) {
	dst.Expand(a, src.Len())
	EachElem(a, src, func(r dict.Ref) bool {
		n := a.CopyRecord(dict.ElemLayout, r)
		dst.Insert(a, dict.Hash(a.Seed(), a.Elem(n).Key()), n)
		return true
	})
}

// SampleMemory estimates the bytes of a table and its elements, looking at no
// more than samples elements (0: at all).
func SampleMemory(a *dict.Arena, t *dict.Table, samples int) int64 {
	n, bytes := 0, int64(0)
	EachElem(a, t, func(r dict.Ref) bool {
		bytes += int64(a.Usable(r))
		n++
		return n != samples
	})
	if n > 0 {
		bytes = int64(float64(bytes) / float64(n) * float64(t.Len()))
	}
	return bytes + int64(t.Bytes())
}

// CompactElems moves elements out of memory that is being evacuated, in about
// budget elements from cursor on; it returns the cursor to go on with, 0 at the
// end. moved is called with the new reference of each that moved.
func CompactElems(a *dict.Arena, t *dict.Table, cursor uint64, budget int, moved func(r dict.Ref)) uint64 {
	return t.CompactStep(a, cursor, max(budget/8, 1), func(r dict.Ref) dict.Ref {
		n := a.MoveRecord(dict.ElemLayout, r)
		moved(n)
		return n
	})
}
