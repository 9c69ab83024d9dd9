package commands

import (
	"errors"

	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

var errReplicasLeft = errors.New("no replica is left that waits for it")

// syncVersion is the RDB version of what replicas are sent: 10, which Redis 7.0
// and all later ones read, unless fields of hashes have an expiry, which takes 12 (Redis 7.4).
func (s *Server) syncVersion() int {
	for i := range s.KS.Databases() {
		if s.KS.DB(i).FieldExpires() > 0 {
			return 12
		}
	}
	return rdb.DumpVersion
}

// snapshotForReplicas sends the dataset of now to the replicas of f.
func (s *Server) snapshotForReplicas(streamDB int, f *fullSync) (stop func(error), err error) {
	sn, err := s.BeginSnapshot(SnapshotOptions{
		Version: s.syncVersion(), ReplID: s.Repl.ID, Offset: s.Repl.Offset, StreamDB: streamDB,
		Functions: true, Keys: true,
		Sink: func(p []byte) { f.write(p) }, Room: f.room, Done: f.done,
	})
	if err != nil {
		return nil, err
	}
	return sn.Abort, nil
}
