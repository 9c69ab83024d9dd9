//go:build invariants

package keyspace

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

const invariants = true

// mustBeOut holds every write against the rule of snapshots: what is changed has
// been emitted before.
func (s *Snapshot) mustBeOut(db *DB, key []byte, r dict.Ref) {
	if p := db.part; p != nil {
		if seg := dict.SegmentOf(db.hash(key), p.bits); !p.isOut(seg) {
			panic(fmt.Sprintf("keyspace: key %q of database %d changed before its segment %d was in the snapshot", key, db.ID, seg))
		}
	}
	if s.held[r] != nil {
		panic(fmt.Sprintf("keyspace: key %q of database %d changed while it was held for the snapshot", key, db.ID))
	}
}
