//go:build !invariants

package keyspace

import "github.com/raniellyferreira/redis-inmemory-replica/dict"

// invariants is whether the package checks, at a cost, what it otherwise takes
// for granted; see the build tag of the same name.
const invariants = false

func (s *Snapshot) mustBeOut(*DB, []byte, dict.Ref) {}
