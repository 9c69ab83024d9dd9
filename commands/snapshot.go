package commands

import (
	"errors"
	"fmt"
	"iter"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Snapshots: the dataset of one moment as an RDB, written in slices while the
// server goes on.
//
//	keyspace.Snapshot ──► encoder ──► Sink: a file's goroutine, replicas
//	  │ walk, in slices      ▲
//	  │ large values, in     │ when the value is complete
//	  │ slices               │
//	  └ before writes ───► fragment
//
// What the walk emits and what writes make it emit goes into the same RDB, whose
// records may come in any order. Only while a large value is half written the
// others collect in a fragment behind it.
//
// The walk is a coroutine: it is written as one loop over everything, and gives
// way in the middle of whatever it does when its slice of time is over. It pauses
// while the sink has no room. What writes make it emit goes to the sink all the
// same, so the most that can pile up there is what has been written to, each key
// once.

// errSnapshotRunning: there is one snapshot at a time.
var errSnapshotRunning = errors.New("a snapshot is in progress")

// SnapshotOptions say what a snapshot holds and where it goes.
type SnapshotOptions struct {
	// Version is the RDB version; see rdb.NewEncoder.
	Version int
	// ReplID, Offset and StreamDB are the point of the replication history that
	// the data stands for; ReplID is empty if there is none to name.
	ReplID   string
	Offset   int64
	StreamDB int
	// Own are further aux fields.
	Own [][2]string
	// Functions and Keys are what it holds.
	Functions, Keys bool
	// Sink takes the next bytes, which are valid during the call. It must not
	// change the keyspace.
	Sink func(p []byte)
	// Room tells whether the sink wants more now. While it does not, the walk rests
	// and asks again after a millisecond.
	Room func() bool
	// Done is called once at the end, by the loop: err is nil, or why the snapshot
	// is incomplete.
	Done func(err error)
}

// Snapshot is a snapshot under way.
type Snapshot struct {
	s    *Server
	o    SnapshotOptions
	walk *keyspace.Snapshot

	enc, side     *rdb.Encoder
	encDB, sideDB int // databases selected in them, -1 none
	sized         map[int]bool
	begun         *keyspace.Held // enc is in the middle of it
	written       int64          // bytes handed to the sink
	early         int64          // bytes of records that writes brought about
	keys          int            // emitted
	m             rdb.Meta       // of the small value that is being emitted
	waiters       []*Client      // until a large value is out
	startedAt     int64          // unix ms

	resume   func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
	deadline int64 // of the slice, by Host.Nanos
	forced   bool  // the present value is to be completed, however long it takes
	stopped  bool
	steps    uint
	ended    bool
}

const (
	// snapshotSlice is how long the walk may run in a turn of the loop,
	// nanoseconds.
	snapshotSlice = 250_000
	// snapshotRest is how long it rests when the sink is full.
	snapshotRest = 1_000_000
	// clockEvery is how many small steps pass between two looks at the clock: some
	// ten microseconds.
	clockEvery = 8
)

// errStopped unwinds the walk when the snapshot is given up.
var errStopped = errors.New("snapshot: given up")

// BeginSnapshot starts a snapshot of now; it goes on by itself. Nothing may be
// half done to the keyspace. Called on the loop.
func (s *Server) BeginSnapshot(o SnapshotOptions) (*Snapshot, error) {
	if s.snapshot != nil {
		return nil, errSnapshotRunning
	}
	sn, err := s.newSnapshot(o)
	if err != nil {
		return nil, err
	}
	s.snapshot = sn
	s.Host.Again(sn.slice)
	return sn, nil
}

// newSnapshot writes the header and notes the moment.
func (s *Server) newSnapshot(o SnapshotOptions) (*Snapshot, error) {
	if err := rdb.CheckVersion(o.Version); err != nil {
		return nil, err
	}
	sn := &Snapshot{s: s, o: o, encDB: -1, sideDB: -1, sized: map[int]bool{}, startedAt: s.Host.UnixMilli()}
	sn.enc = rdb.NewEncoder(snapshotWriter{sn}, o.Version, s.V.RDBCompression)
	sn.enc.SetChecksum(s.V.RDBChecksum)
	sn.side = sn.enc.Fragment()
	if err := sn.header(); err != nil {
		return nil, err
	}
	if o.Keys {
		sn.walk = s.KS.BeginSnapshot(sn.emit)
		sn.walk.OnForce = sn.force
	}
	sn.resume, sn.stop = iter.Pull(sn.run)
	return sn, nil
}

// snapshotWriter hands the encoder's output to the sink.
type snapshotWriter struct{ sn *Snapshot }

func (w snapshotWriter) Write(p []byte) (int, error) {
	w.sn.written += int64(len(p))
	w.sn.o.Sink(p)
	return len(p), nil
}

// header writes what precedes the keys.
func (sn *Snapshot) header() error {
	s, o, enc := sn.s, &sn.o, sn.enc
	aux := [][2]string{
		{"redis-ver", CompatVersion}, {"redis-bits", "64"}, {"ctime", itoa(s.now / 1000)},
		{"used-mem", itoa(s.UsedMemory())},
	}
	if o.ReplID != "" {
		aux = append(aux, [2]string{"repl-stream-db", itoa(int64(o.StreamDB))},
			[2]string{"repl-id", o.ReplID}, [2]string{"repl-offset", itoa(o.Offset)})
	}
	aux = append(append(aux, [2]string{"aof-base", "0"}), o.Own...)
	err := enc.Header()
	for _, a := range aux {
		if err == nil {
			err = enc.Aux([]byte(a[0]), []byte(a[1]))
		}
	}
	if err == nil && o.Functions {
		err = s.emitFunctions(enc)
	}
	return err
}

// run is the walk.
func (sn *Snapshot) run(yield func(struct{}) bool) {
	sn.yield = yield
	if sn.walk == nil {
		return
	}
	for {
		if h := sn.walk.NextHeld(); h != nil {
			if !sn.emitHeld(h) {
				return
			}
		} else if !sn.walk.Step() {
			return
		}
		if sn.steps++; sn.steps%clockEvery == 0 && sn.giveWay() != nil {
			return
		}
	}
}

// giveWay ends the slice if its time is over.
func (sn *Snapshot) giveWay() error {
	if sn.forced || sn.s.Host.Nanos() < sn.deadline && sn.o.Room() {
		return nil
	}
	return sn.pause()
}

// pause ends the slice.
func (sn *Snapshot) pause() error {
	if sn.stopped || !sn.yield(struct{}{}) {
		sn.stopped = true
		return errStopped
	}
	return nil
}

// slice is the work of one turn.
func (sn *Snapshot) slice() {
	if sn.ended {
		return
	}
	if !sn.o.Room() {
		sn.s.Host.After(snapshotRest, sn.slice)
		return
	}
	sn.deadline = sn.s.Host.Nanos() + snapshotSlice
	_, more := sn.resume()
	switch {
	case sn.ended:
	case sn.enc.Err() != nil || sn.side.Err() != nil:
		sn.end(errors.Join(sn.enc.Err(), sn.side.Err()))
	case more:
		sn.s.Host.Again(sn.slice)
	default:
		sn.end(sn.enc.Close())
	}
}

// finish writes all of the rest at once.
func (sn *Snapshot) finish() error {
	sn.forced = true
	for more := true; more; {
		_, more = sn.resume()
	}
	err := errors.Join(sn.enc.Err(), sn.side.Err())
	if err == nil {
		err = sn.enc.Close()
	}
	sn.end(err)
	return err
}

// Abort gives the snapshot up; Done is told why. Called on the loop.
func (sn *Snapshot) Abort(err error) {
	if !sn.ended {
		sn.end(err)
	}
}

// end ends the snapshot.
func (sn *Snapshot) end(err error) {
	s := sn.s
	sn.ended = true
	sn.stop()
	if sn.walk != nil {
		sn.walk.End()
	}
	if s.snapshot == sn {
		s.snapshot = nil
	}
	sn.letGo()
	sn.o.Done(err)
	// Later: who ended this one may be about to replace the data.
	s.Host.Again(s.snapshotEnded)
}

// letGo lets the clients that wait for a value try again.
func (sn *Snapshot) letGo() {
	for _, c := range sn.waiters {
		// In a turn of their own: this one is in the middle of the walk, or of a command.
		sn.s.Host.Again(func() {
			if c.flags &^= flagPostponed; c.flags&flagClosed == 0 {
				sn.s.Host.Resume(c)
			}
		})
	}
	sn.waiters = nil
}

// meta describes a key for the RDB: the access history is part of it where the
// eviction policy uses it, as in Redis.
func (sn *Snapshot) meta(db int, key []byte, typ byte, expireAt int64, lru uint32) rdb.Meta {
	m := rdb.Meta{Key: key, ExpireAt: -1, Idle: -1, Freq: -1, DB: db, Type: rdb.Type(typ)}
	if expireAt != keyspace.NoExpire {
		m.ExpireAt = expireAt
	}
	switch s := sn.s; {
	case s.lfuPolicy():
		m.Freq = int(s.KS.FrequencyOf(lru))
	case s.lruPolicy():
		m.Idle = s.KS.IdleOf(lru)
	}
	return m
}

// selectDB makes an encoder write to a database.
func (sn *Snapshot) selectDB(enc *rdb.Encoder, selected *int, db int) {
	if *selected == db {
		return
	}
	*selected = db
	_ = enc.SelectDB(db) // its errors stick
	if !sn.sized[db] {
		sn.sized[db] = true
		keys, expires := sn.walk.Counts(db)
		_ = enc.ResizeDB(uint64(keys), uint64(expires))
	}
}

// target is where a record goes that can wait for nothing.
func (sn *Snapshot) target(db int) *rdb.Encoder {
	if sn.begun == nil {
		sn.selectDB(sn.enc, &sn.encDB, db)
		return sn.enc
	}
	sn.selectDB(sn.side, &sn.sideDB, db)
	return sn.side
}

// emit writes a small value.
func (sn *Snapshot) emit(db int, e keyspace.Entry) {
	sn.m = sn.meta(db, e.Key(), e.Type(), e.ExpireAt(), e.LRU())
	enc := sn.target(db)
	at := enc.Offset()
	_ = emitValue(enc, &sn.m, e.Value()) // its errors stick
	if sn.walk.InWrite() {
		sn.early += enc.Offset() - at
	}
	sn.keys++
}

// emitHeld writes a large value, in slices; false when the snapshot is given up.
func (sn *Snapshot) emitHeld(h *keyspace.Held) bool {
	sn.walk.Begin(h)
	sn.selectDB(sn.enc, &sn.encDB, h.DB)
	sn.begun = h
	err := sn.emitLarge(&slicedEncoder{Encoder: sn.enc, sn: sn}, h)
	if sn.stopped {
		return false
	}
	sn.begun = nil
	sn.emitted(h)
	if p := sn.side.Take(); len(p) > 0 {
		_ = sn.enc.Raw(p)
		sn.encDB, sn.sideDB = sn.sideDB, -1
	}
	if err == nil && sn.forced {
		sn.forced = false
		return sn.pause() == nil
	}
	return err == nil
}

// emitLarge writes a large value with an encoder that may give way.
func (sn *Snapshot) emitLarge(enc *slicedEncoder, h *keyspace.Held) error {
	v := h.Value()
	typ := v.Record().Type()
	m := sn.meta(h.DB, h.Key, typ, h.ExpireAt, h.LRU)
	if typ != object.TypeString {
		return emitValue(enc, &m, v)
	}
	p := v.Record().Payload()
	if len(p) <= wholeString {
		return enc.String(&m, p)
	}
	err := enc.BeginString(&m, len(p))
	for err == nil && len(p) > 0 {
		n := min(len(p), stringPart)
		err = enc.StringPart(p[:n])
		p = p[n:]
		if err == nil {
			err = sn.giveWay()
		}
	}
	return err
}

const (
	// wholeString is the length above which a string is written in parts, and not
	// compressed.
	wholeString = 128 << 10
	stringPart  = 64 << 10
)

func (sn *Snapshot) emitted(h *keyspace.Held) {
	sn.keys++
	sn.walk.Emitted(h)
	sn.letGo()
}

// force writes a held value at once, because it is about to change.
func (sn *Snapshot) force(h *keyspace.Held) {
	if h == sn.begun {
		sn.forced = true
		sn.resume() // until it is complete
		sn.forced = false
		return
	}
	begun := sn.begun
	if begun == nil {
		sn.selectDB(sn.enc, &sn.encDB, h.DB)
	} else {
		sn.selectDB(sn.side, &sn.sideDB, h.DB)
	}
	enc := sn.enc
	if begun != nil {
		enc = sn.side
	}
	forced := sn.forced
	sn.forced = true
	_ = sn.emitLarge(&slicedEncoder{Encoder: enc, sn: sn}, h)
	sn.forced = forced
	sn.emitted(h)
}

// slicedEncoder gives way between the elements of a value.
type slicedEncoder struct {
	*rdb.Encoder
	sn *Snapshot
	n  uint
}

func (e *slicedEncoder) part(err error) error {
	if e.n++; err != nil || e.n%(4*clockEvery) != 0 {
		return err
	}
	return e.sn.giveWay()
}

func (e *slicedEncoder) node(err error) error {
	if err != nil {
		return err
	}
	return e.sn.giveWay()
}

func (e *slicedEncoder) ListNode(lp []byte, n int) error { return e.node(e.Encoder.ListNode(lp, n)) }
func (e *slicedEncoder) ListElement(v []byte) error      { return e.node(e.Encoder.ListElement(v)) }
func (e *slicedEncoder) SetMember(v []byte) error        { return e.part(e.Encoder.SetMember(v)) }

func (e *slicedEncoder) ZSetMember(v []byte, score float64) error {
	return e.part(e.Encoder.ZSetMember(v, score))
}

func (e *slicedEncoder) HashField(field, value []byte, expireAt int64) error {
	return e.part(e.Encoder.HashField(field, value, expireAt))
}

func (e *slicedEncoder) StreamNode(id rdb.StreamID, lp []byte, live int) error {
	return e.node(e.Encoder.StreamNode(id, lp, live))
}

func (e *slicedEncoder) StreamPending(p *rdb.StreamPending) error {
	return e.part(e.Encoder.StreamPending(p))
}

// snapshotEnded starts what waited for the end of a snapshot.
func (s *Server) snapshotEnded() {
	if !s.savingNow() {
		s.startWaiting()
	}
}

// snapshotHolds tells whether a command, which is about to run, should wait until
// a large value that it changes is in the snapshot.
func (s *Server) snapshotHolds(c *Client, cmd *Command, args [][]byte) bool {
	if cmd.isExec {
		if c.multi == nil {
			return false
		}
		for i := range c.multi.queue {
			if q := &c.multi.queue[i]; s.snapshotHolds(c, q.cmd, q.args) {
				return true
			}
		}
		return false
	}
	if cmd.Flags&(CmdWrite|CmdMayReplicate) == 0 {
		return false
	}
	refs, err := cmd.Keys(args, s.keyRefs[:0])
	if err != nil {
		return false
	}
	s.keyRefs = refs[:0]
	for _, r := range refs {
		if r.Flags&(KeyOW|KeyRM|KeyRO) == 0 && s.snapshot.walk.WouldWait(c.db, args[r.Pos]) {
			return true
		}
	}
	return false
}

// waitForSnapshot parks a client whose command changes a large value that is not
// in the snapshot yet.
func (s *Server) waitForSnapshot(c *Client, cmd *Command) bool {
	if s.snapshot.walk == nil || c.flags&(flagInternal|flagReplicaConn) != 0 || c.flags&flagMulti != 0 && !cmd.isExec {
		return false
	}
	if !s.snapshotHolds(c, cmd, c.args) {
		return false
	}
	c.flags |= flagPostponed
	c.held = copyArgs(c.args)
	s.snapshot.waiters = append(s.snapshot.waiters, c)
	return true
}

// StreamWaits tells whether the next command of the master's stream is to be
// applied later, because it changes a large value that is not in a snapshot yet.
// full says that the snapshot cannot go on in this turn.
func (s *Server) StreamWaits(c *Client, args [][]byte) (waits, full bool) {
	if s.snapshot == nil || s.snapshot.walk == nil {
		return false, false
	}
	cmd, _ := s.Table.LookupArgs(args)
	if cmd == nil || c.flags&flagMulti != 0 && !cmd.isExec || !s.snapshotHolds(c, cmd, args) {
		return false, false
	}
	return true, !s.snapshot.o.Room()
}

// String describes the progress for the log.
func (sn *Snapshot) String() string {
	return fmt.Sprintf("%d keys, %d bytes", sn.keys, sn.written)
}
