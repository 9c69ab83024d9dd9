package keyspace

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// valueWalk is the part of a compaction that moves what large values refer to.
// It walks the keys of a database as SCAN does and compacts one value after the
// other, a step at a time. In between anything may happen to the value: it is
// found again by its key, and what was made anew since the pass began needs no
// moving.
type valueWalk struct {
	begun  bool
	cursor uint64   // of the walk over the keys
	found  [][]byte // keys of large values of the last step, to be compacted
	inner  uint64   // where the compaction of found[0] goes on
}

// compactElems is how many elements of a value are looked at between two looks
// at the clock.
const compactElems = 512

// compactValues goes on with the walk until it is done (true) or the time is up.
func (ks *Keyspace) compactValues(db *DB, nanos func() int64, end int64) bool {
	w := &ks.compact.values
	for !w.begun || w.cursor != 0 || len(w.found) > 0 {
		if len(w.found) > 0 {
			w.step(db)
		} else {
			w.begun = true
			w.cursor = db.table.Scan(ks.a, w.cursor, func(r dict.Ref) {
				if v := (object.Value{A: ks.a, Ref: r}); !v.IsPlain() {
					w.found = append(w.found, append([]byte(nil), ks.a.Entry(r).Key()...))
				}
			})
		}
		if nanos() > end {
			return false
		}
	}
	*w = valueWalk{}
	return true
}

// step compacts a part of the value that is next.
func (w *valueWalk) step(db *DB) {
	if e, ok := db.LookupRaw(w.found[0]); ok {
		w.inner = e.Value().CompactStep(w.inner, compactElems)
	} else {
		w.inner = 0
	}
	if w.inner == 0 {
		w.found = w.found[1:]
	}
}
