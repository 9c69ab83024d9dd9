package commands

import (
	"errors"

	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

var errReplicasLeft = errors.New("no replica is left that waits for it")

// syncVersion is the RDB version of what replicas are sent: Redis 5 cannot read
// it, Redis 7.0 and all later ones can.
const syncVersion = 10

// syncWriter hands the encoder's output to the replicas.
type syncWriter struct{ f *fullSync }

func (w syncWriter) Write(p []byte) (int, error) {
	w.f.write(p)
	return len(p), nil
}

// emitSyncHeader writes what precedes the keys of a snapshot for replicas.
func (s *Server) emitSyncHeader(enc *rdb.Encoder, streamDB int, functions bool) error {
	if err := enc.Header(); err != nil {
		return err
	}
	aux := [][2]string{
		{"redis-ver", CompatVersion}, {"redis-bits", "64"}, {"ctime", itoa(s.now / 1000)},
		{"used-mem", itoa(s.KS.UsedMemory())}, {"repl-stream-db", itoa(int64(streamDB))},
		{"repl-id", s.Repl.ID}, {"repl-offset", itoa(s.Repl.Offset)}, {"aof-base", "0"},
	}
	for _, a := range aux {
		if err := enc.Aux([]byte(a[0]), []byte(a[1])); err != nil {
			return err
		}
	}
	if functions {
		return s.emitFunctions(enc)
	}
	return nil
}

// snapshotForReplicas writes the dataset of now to the replicas of f.
func (s *Server) snapshotForReplicas(streamDB int, f *fullSync) (stop func(error), err error) {
	enc := rdb.NewEncoder(syncWriter{f}, syncVersion, s.V.RDBCompression)
	if err := s.emitSyncHeader(enc, streamDB, true); err != nil {
		return nil, err
	}
	if err := emitKeyspace(enc, s.KS, s.lfuPolicy()); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	f.done(nil)
	return func(error) {}, nil
}
