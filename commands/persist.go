package commands

import (
	"errors"
	"fmt"
	"io"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// SAVE, BGSAVE and the save rules: snapshots in the file dbfilename of dir.
//
// SAVE writes the whole file before it answers, BGSAVE in slices (snapshot.go). The
// file is put in the place of the old one when it is complete and on the disk.

// SnapshotFile is a file in the making: see internal/snapfile. Its methods are
// called on the loop.
type SnapshotFile interface {
	// Write takes a copy of p.
	Write(p []byte)
	// Room tells whether the disk keeps up; Wait blocks until it does.
	Room() bool
	Wait()
	// Err is the error that has ended the writing, if any.
	Err() error
	// Commit has the file put in its place, and then done called on the loop.
	Commit(done func(error))
	// CommitNow waits for that.
	CommitNow() error
	// Discard gives the file up.
	Discard()
}

// persistence is the state of saving.
type persistence struct {
	file      *savingFile // of the BGSAVE under way, or nil
	scheduled bool        // BGSAVE SCHEDULE waits for another snapshot to end

	lastTry   int64 // unix seconds of the last BGSAVE begun by itself or not
	failed    bool  // the last one failed
	lastTook  int64 // seconds, -1 none yet
	lastEarly int64 // bytes that writes emitted early in it
	saves     int64
	// The file that was loaded last.
	loadedKeys, loadedExpired int64
}

// savingFile is a BGSAVE under way.
type savingFile struct {
	f         SnapshotFile
	sn        *Snapshot // nil once all is handed to the file
	dirty     int64     // changes at its start
	startedAt int64     // unix ms
}

// retryDelay is how long the save rules wait after a failure, seconds.
const retryDelay = 5

var (
	errFlushed  = errors.New("the data was flushed")
	errReplaced = errors.New("the data was replaced by another dataset")
	errExiting  = errors.New("the server ends")
	errSaveNow  = errors.New("the final snapshot comes instead")
)

// savingNow tells whether a snapshot is being taken or written.
func (s *Server) savingNow() bool { return s.snapshot != nil || s.persist.file != nil }

// rdbVersion is the version of snapshots, in files and for replicas: the configured
// one, or the first that can hold expiries of fields if there are any.
func (s *Server) rdbVersion() int {
	v := s.V.RDBVersion
	for i := range s.KS.Databases() {
		if s.KS.DB(i).FieldExpires() > 0 {
			return max(v, rdbVersionFieldTTL)
		}
	}
	return v
}

// fileSnapshot are the options of a snapshot to f.
func (s *Server) fileSnapshot(f SnapshotFile) SnapshotOptions {
	o := SnapshotOptions{
		Version: s.rdbVersion(), Functions: true, Keys: true,
		Sink: f.Write, Room: f.Room, Done: func(error) {},
	}
	o.ReplID, o.Offset, o.StreamDB, o.Own = s.historyPoint()
	return o
}

// historyPoint is where in the replication history the data stands, for a
// snapshot from which it is to be resumed; id is empty if it cannot be.
func (s *Server) historyPoint() (id string, offset int64, db int, own [][2]string) {
	switch {
	case s.following:
		if !s.Host.Resumable() || s.filter != nil && s.filter.count > 0 {
			return "", 0, 0, nil
		}
		db = s.master.db.ID
		if s.filter != nil {
			db = s.filter.db
			own = append(own, [2]string{auxFilter, s.filter.id})
		}
		if s.clock.known {
			own = append(own, [2]string{auxClockAhead, itoa(s.clockAhead())})
		}
	case s.repl.backlog != nil:
		db = max(s.prop.selected, 0)
	default:
		return "", 0, 0, nil // nobody follows, nothing is counted
	}
	return s.Repl.ID, s.Repl.Offset, db, own
}

// Aux fields of our own. Others ignore them.
const (
	// auxFilter is the filter in force.
	auxFilter = "replica-filter"
	// auxClockAhead bounds by how much our clock is ahead of the master's, ms.
	auxClockAhead = "replica-clock-ahead"
)

// bgsave starts to save in the background. What fails at once is reported like
// what fails later.
func (s *Server) bgsave() {
	p := &s.persist
	now := s.Host.UnixMilli()
	p.saves++
	p.lastTry = now / 1000
	p.scheduled = false
	x := &savingFile{dirty: s.dirty, startedAt: now}
	f, err := s.Host.CreateSnapshotFile()
	if err == nil {
		x.f = f
		o := s.fileSnapshot(f)
		o.Done = func(err error) { s.snapshotWritten(x, err) }
		if x.sn, err = s.BeginSnapshot(o); err != nil {
			f.Discard()
		}
	}
	if err != nil {
		s.bgsaveEnded(x, err)
		return
	}
	p.file = x
	s.Host.Logf(LogNotice, "Background saving started: %d keys", s.KS.Keys())
}

// snapshotWritten goes on when all of the snapshot is in the file's hands.
func (s *Server) snapshotWritten(x *savingFile, err error) {
	x.note(s)
	if err != nil {
		x.f.Discard()
		s.bgsaveEnded(x, err)
		return
	}
	x.sn = nil
	x.f.Commit(func(err error) {
		if s.persist.file == x {
			s.bgsaveEnded(x, err)
		}
	})
}

func (x *savingFile) note(s *Server) {
	if x.sn != nil {
		s.persist.lastEarly = x.sn.early
	}
}

// bgsaveEnded accounts for a BGSAVE that is over.
func (s *Server) bgsaveEnded(x *savingFile, err error) {
	p := &s.persist
	now := s.Host.UnixMilli()
	p.file = nil
	p.lastTook = (now - x.startedAt) / 1000
	switch {
	case err == nil:
		s.dirty -= x.dirty
		s.lastSave = now / 1000
		p.failed = false
		s.Host.Logf(LogNotice, "Background saving terminated with success")
	case errors.Is(err, errFlushed), errors.Is(err, errReplaced), errors.Is(err, errExiting), errors.Is(err, errSaveNow):
		// Given up on purpose: that is no failure.
		s.Host.Logf(LogNotice, "Background saving was given up: %v", err)
	default:
		p.failed = true
		s.Host.Logf(LogWarning, "Background saving error: %v", err)
	}
	s.Host.Again(s.snapshotEnded)
}

// abortSaving gives a BGSAVE up.
func (s *Server) abortSaving(why error) {
	x := s.persist.file
	if x == nil {
		return
	}
	if x.sn != nil {
		x.sn.Abort(why) // ends in bgsaveEnded
		return
	}
	x.f.Discard()
	s.bgsaveEnded(x, why)
}

// SaveNow writes a snapshot file and waits for it. It blocks the loop.
func (s *Server) SaveNow() error {
	err := s.saveNow()
	if err != nil {
		s.Host.Logf(LogWarning, "Write error saving DB on disk: %v", err)
		return err
	}
	s.Host.Logf(LogNotice, "DB saved on disk")
	s.dirty = 0
	s.lastSave = s.Host.UnixMilli() / 1000
	s.persist.failed = false
	return nil
}

func (s *Server) saveNow() error {
	f, err := s.Host.CreateSnapshotFile()
	if err != nil {
		return err
	}
	o := s.fileSnapshot(f)
	o.Sink = func(p []byte) {
		f.Write(p)
		f.Wait()
	}
	sn, err := s.newSnapshot(o)
	if err == nil {
		err = sn.finish()
	}
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		f.Discard()
		return err
	}
	return f.CommitNow()
}

// saveCron begins what is due: a scheduled BGSAVE, or one by the save rules.
func (s *Server) saveCron() {
	p := &s.persist
	if x := p.file; x != nil && x.sn != nil && x.f.Err() != nil {
		s.abortSaving(x.f.Err())
	}
	if s.savingNow() || s.Loading || s.Busy() {
		return
	}
	now := s.now / 1000
	mayTry := !p.failed || now-p.lastTry > retryDelay
	if p.scheduled && mayTry {
		s.bgsave()
		return
	}
	for _, r := range s.V.Save {
		if s.dirty >= int64(r.Changes) && now-s.lastSave > int64(r.Seconds) && mayTry {
			s.Host.Logf(LogNotice, "%d changes in %d seconds. Saving...", r.Changes, r.Seconds)
			s.bgsave()
			return
		}
	}
}

func saveCommand(c *Client) {
	s := c.srv
	if s.savingNow() {
		c.addReplyError("Background save already in progress")
		return
	}
	s.persist.saves++
	if s.SaveNow() != nil {
		c.addReplyError("-ERR") // as redis-server: the log says why
		return
	}
	c.addReplyOK()
}

func bgsaveCommand(c *Client) {
	s := c.srv
	if len(c.args) > 1 && (len(c.args) != 2 || !equalFold(c.args[1], "schedule")) {
		c.addReplyErrorSyntax()
		return
	}
	switch {
	case s.savingNow():
		c.addReplyError("Background save already in progress")
	case c.flags&flagExecuting != 0:
		// A snapshot in the middle of a transaction would hold half of it.
		s.persist.scheduled = true
		c.addReplyStatus("Background saving scheduled")
	default:
		s.bgsave()
		c.addReplyStatus("Background saving started")
	}
}

func lastsaveCommand(c *Client) { c.addReplyLongLong(c.srv.lastSave) }

// cannotPersist tells whether writes are refused because they would be lost.
func (s *Server) cannotPersist() bool {
	return s.persist.failed && s.V.StopWritesOnSaveError && len(s.V.Save) > 0
}

// InstallLoaded puts the data of the snapshot file in place when the server starts,
// and its point of the replication history. A replica that was the replica of the same history
// may ask its master to go on from there: then it returns true. A master takes up a
// history of its own, and replicas of the old one can go on with it.
func (s *Server) InstallLoaded(ld *Loader) (resumable bool) {
	s.Loading, s.Startup = false, nil
	s.SwapKeyspace(ld.Keyspace())
	s.InstallFunctions(ld.Functions)
	s.NoteLoaded(ld)
	if ld.ReplID == "" || ld.ReplOffset < 0 {
		return false
	}
	if s.following {
		now := ""
		if s.filter != nil {
			now = s.filter.id
		}
		if ld.SavedFilter != now {
			s.Host.Logf(LogNotice, "The snapshot was taken with other filters: a full resynchronization follows.")
			return false
		}
		s.Repl = ReplID{ID: ld.ReplID, ID2: ZeroReplID, Offset: ld.ReplOffset, SecondOffset: -1}
		if ld.ClockKnown {
			s.clock = clockBound{known: true, ahead: ld.ClockAhead, shift: s.wallShift()}
		}
		return true
	}
	if ld.SavedFilter == "" {
		s.Repl.ID2, s.Repl.SecondOffset, s.Repl.Offset = ld.ReplID, ld.ReplOffset+1, ld.ReplOffset
		s.repl.backlog = replproto.NewBacklog(s.V.ReplBacklogSize, ld.ReplOffset)
		s.repl.aloneAt = s.Host.UnixMilli()
		s.prop.selected = -1
		s.sourceChanged()
	}
	return false
}

// Close gives up what is under way when the loop has ended.
func (s *Server) Close() {
	s.abortSaving(errExiting)
	if s.snapshot != nil {
		s.snapshot.Abort(errExiting)
	}
}

// PrepareShutdown does what is due before the server ends, or says why it should
// not. Called on the loop.
func (s *Server) PrepareShutdown(o ShutdownOptions) error {
	// While it loads, what is here is not what the file has.
	save := !s.Loading && (o.Save || len(s.V.Save) > 0 || s.following && s.V.ReplicaSaveOnShutdown)
	if save && !o.NoSave {
		s.abortSaving(errSaveNow)
		if s.snapshot != nil {
			s.snapshot.Abort(errExiting)
		}
		s.Host.Logf(LogNotice, "Saving the final RDB snapshot before exiting.")
		if err := s.SaveNow(); err != nil && !o.Force {
			s.Host.Logf(LogWarning, "Error trying to save the DB, can't exit.")
			return err
		}
		return nil
	}
	s.Close()
	return nil
}

// flushedAll is what FLUSHALL means for the snapshot file: the one that stands would
// bring the data back.
func (s *Server) flushedAll() {
	if len(s.V.Save) > 0 && s.snapshot == nil {
		dirty := s.dirty
		_ = s.SaveNow() // logged
		s.dirty = dirty // FLUSHALL is a change to propagate all the same
	}
}

// reload reads the snapshot file back (DEBUG RELOAD). Without flush the data stays
// and the file's is added; a key that is there already is replaced if merge is
// true, and else an error. Only then can an error leave the data changed.
func (s *Server) reload(flush, merge bool) (err error) {
	file, err := s.Host.OpenSnapshotFile()
	if err != nil {
		return err
	}
	defer file.Close()
	ks := s.KS
	if flush {
		if ks, err = keyspace.New(s.KS.Databases(), s.rand()); err != nil {
			return err
		}
	}
	ld, err := s.loadInto(ks, file, merge)
	if err != nil {
		if flush {
			ks.Release()
		}
		return err
	}
	if flush {
		s.SwapKeyspace(ks)
		s.InstallFunctions(ld.Functions)
	}
	s.NoteLoaded(ld)
	return nil
}

func (s *Server) loadInto(ks *keyspace.Keyspace, r io.Reader, merge bool) (*Loader, error) {
	ld := NewLoader(ks, s.lim, s.now)
	ld.Merge = merge
	ld.DropExpired = !s.following
	d := rdb.NewDecoder(r)
	d.SetChecksum(s.V.RDBChecksum)
	err := ld.Load(d)
	if err == nil && merge {
		for _, code := range ld.Functions {
			if _, e := s.loadLibrary(code, true); e != nil && err == nil {
				err = fmt.Errorf("a function library: %w", e)
			}
		}
	}
	return ld, err
}

// NoteLoaded keeps what INFO tells of the dataset that was loaded last.
func (s *Server) NoteLoaded(ld *Loader) {
	s.persist.loadedKeys, s.persist.loadedExpired = ld.Keys, ld.Expired
}
