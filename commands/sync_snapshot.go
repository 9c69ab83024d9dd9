package commands

import "errors"

var errReplicasLeft = errors.New("no replica is left that waits for it")

// snapshotForReplicas sends the dataset of now to the replicas of f.
func (s *Server) snapshotForReplicas(streamDB int, f *fullSync) (stop func(error), err error) {
	sn, err := s.BeginSnapshot(SnapshotOptions{
		Version: s.rdbVersion(), ReplID: s.Repl.ID, Offset: s.Repl.Offset, StreamDB: streamDB,
		Functions: !f.filter.nothing, Keys: f.filter == syncFilter{},
		Sink: func(p []byte) { f.write(p) }, Room: f.room, Done: f.done,
	})
	if err != nil {
		return nil, err
	}
	return sn.Abort, nil
}
