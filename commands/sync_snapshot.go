package commands

import "errors"

var errReplicasLeft = errors.New("no replica is left that waits for it")

// syncVersion is the RDB version of what replicas are sent: Redis 5 cannot read
// it, Redis 7.0 and all later ones can.
const syncVersion = 10

// snapshotForReplicas sends the dataset of now to the replicas of f.
func (s *Server) snapshotForReplicas(streamDB int, f *fullSync) (stop func(error), err error) {
	sn, err := s.BeginSnapshot(SnapshotOptions{
		Version: syncVersion, ReplID: s.Repl.ID, Offset: s.Repl.Offset, StreamDB: streamDB,
		Functions: true, Keys: true,
		Sink: func(p []byte) { f.write(p) }, Room: f.room, Done: f.done,
	})
	if err != nil {
		return nil, err
	}
	return sn.Abort, nil
}
