package redisreplica

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/snapfile"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// This file is the snapshot file: writing it for the command layer, loading it
// when the server starts, and going on from there.

func (r *Replica) snapshotPath() string { return r.v.Path(r.v.DBFilename) }

// snapshotFile brings the end of the writing back to the loop.
type snapshotFile struct {
	*snapfile.File
	r *Replica
}

func (f snapshotFile) Commit(done func(error)) {
	f.File.Commit(func(err error) { f.r.loop.Post(func() { done(err) }) })
}

// CreateSnapshotFile begins a snapshot file.
func (r *Replica) CreateSnapshotFile() (commands.SnapshotFile, error) {
	f, err := snapfile.Create(r.snapshotPath(), r.v.RDBIncrementalFsync)
	if err != nil {
		return nil, err
	}
	return snapshotFile{f, r}, nil
}

// OpenSnapshotFile opens the snapshot file that stands.
func (r *Replica) OpenSnapshotFile() (io.ReadCloser, error) { return os.Open(r.snapshotPath()) }

// Resumable tells whether the master could be asked to go on from the data here.
func (r *Replica) Resumable() bool { return r.resumable }

// startup is the loading of the snapshot file at the start. A goroutine of its own
// decodes it into a keyspace that is not seen by anyone before it is complete.
type startup struct {
	file   *os.File
	size   int64
	begun  time.Time
	read   atomic.Int64
	cancel atomic.Bool
	done   chan struct{}
	// ld and err are the outcome. The goroutine sets them before done is closed; the
	// loop takes ld.
	ld  *commands.Loader
	err error
}

var errCancelled = errors.New("the server ends")

// Read counts what the decoder gets.
func (u *startup) Read(p []byte) (int, error) {
	if u.cancel.Load() {
		return 0, errCancelled
	}
	n, err := u.file.Read(p)
	u.read.Add(int64(n))
	return n, err
}

// openStartup opens the snapshot file, if there is one: until it is loaded the
// server answers LOADING.
func (r *Replica) openStartup() error {
	if r.v.DBFilename == "" {
		return nil
	}
	f, err := os.Open(r.snapshotPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fatalLoad(err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a directory", r.snapshotPath())
	}
	if err != nil {
		_ = f.Close()
		return fatalLoad(err)
	}
	u := &startup{file: f, size: st.Size(), done: make(chan struct{})}
	r.startup = u
	r.srv.Loading = true
	r.srv.Startup = &commands.StartupLoad{StartMilli: time.Now().UnixMilli(), Total: u.size, Progress: u.read.Load}
	if r.v.MasterHost != "" {
		// A replica from the start, though the link waits for the data.
		r.srv.SetFollowing(true)
		r.linkHost, r.linkPort = r.v.MasterHost, r.v.MasterPort
	}
	return nil
}

//lint:ignore ST1005 redis-server's own words, which end the log
func fatalLoad(err error) error { return fmt.Errorf("Fatal error loading the DB: %w. Exiting.", err) }

// begin starts the goroutine.
func (u *startup) begin(r *Replica) {
	u.begun = time.Now()
	filter, limits := r.srv.CurrentFilter(), commands.LimitsOf(r.v)
	databases, seed, checksum, master := r.v.Databases, r.seed(), r.v.RDBChecksum, r.v.MasterHost == ""
	go func() {
		defer close(u.done)
		defer u.file.Close()
		ks, err := keyspace.New(databases, seed)
		if err != nil {
			u.err = err
			r.loop.Post(r.loaded)
			return
		}
		ld := commands.NewLoader(ks, limits, time.Now().UnixMilli())
		ld.Filter, ld.DropExpired = filter, master
		dec := rdb.NewDecoder(u)
		dec.SetChecksum(checksum)
		if u.err = ld.Load(dec); u.err != nil {
			ks.Release()
		} else {
			u.ld = ld
		}
		r.loop.Post(r.loaded)
	}()
}

// loaded puts the loaded data in place and goes on from the point of the
// replication history that it stands for. It runs on the loop.
func (r *Replica) loaded() {
	u := r.startup
	<-u.done // at once: the outcome is there
	r.startup = nil
	if u.err != nil {
		r.startErr = fatalLoad(u.err)
		r.log.Warningf("%v", r.startErr)
		r.loop.Stop()
		return
	}
	ld := u.ld
	resumable := r.srv.InstallLoaded(ld)
	took := time.Since(u.begun)
	r.log.Noticef("DB loaded from disk: %.3f seconds, keys loaded: %d, keys expired: %d.", took.Seconds(), ld.Keys, ld.Expired)
	host, port := r.linkHost, r.linkPort
	r.synced = host != ""
	r.tellReady()
	if host == "" {
		return
	}
	// Reads are answered from it, come what may.
	r.master = r.srv.NewMasterClient(ld.StreamDB)
	r.srv.FilterInstalled(ld.StreamDB, ld)
	if resumable {
		r.resumable = true
		r.stream.Reset(r.srv.Repl.Offset)
		r.srv.HistoryReplaced()
		r.srv.NewHistory(0)
		r.log.Noticef("The data is that of replication ID %s at offset %d: trying a partial resynchronization from there.", r.srv.Repl.ID, r.srv.Repl.Offset)
	}
	r.srv.Follow(host, port)
}

// end waits for the goroutine when the server ends before the data is loaded.
func (u *startup) end() {
	u.cancel.Store(true)
	<-u.done
	if u.ld != nil {
		u.ld.Keyspace().Release()
	}
}

// Signal ends the server as a signal asks for it: with a last snapshot, if there
// are save rules, and not at all if that fails. interrupt tells SIGINT from SIGTERM. Any
// goroutine may call it.
func (r *Replica) Signal(name string, interrupt bool) {
	r.log.Warningf("Received %s scheduling shutdown...", name)
	r.loop.Post(func() {
		flags := r.v.OnSigterm
		if interrupt {
			flags = r.v.OnSigint
		}
		o := commands.ShutdownOptions{
			Save: flags&config.ShutdownSave != 0, NoSave: flags&config.ShutdownNoSave != 0,
			Now: flags&config.ShutdownNow != 0, Force: flags&config.ShutdownForce != 0,
		}
		r.srv.BeginShutdown(o)
	})
}
