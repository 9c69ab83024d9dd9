package redisreplica

import (
	"cmp"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// This file is the master link's host: it puts what the link receives into the
// keyspace. Methods of linkHost run on the loop, except where said.

// ReplicaOf starts to follow a master; an empty host ends it. Called on the
// loop, by REPLICAOF and at start.
func (r *Replica) ReplicaOf(host string, port int) {
	if r.link != nil {
		// No method of the host runs after Stop; it waits for the link's
		// goroutine, which may be in the middle of a load that ends at once.
		r.link.Close()
		r.abandoned(r.link)
		r.link = nil
	}
	if r.linkHost == "" && host != "" && r.srv.HasHistory() {
		// What we wrote as a master can be resumed from, if the new master has it too.
		r.stream.Reset(r.srv.Repl.Offset)
		r.resumable = true
	}
	r.dropStream()
	r.dropRedirects()
	r.linkHost, r.linkPort = host, port
	if host == "" {
		r.log.SetRole('M')
	} else {
		r.log.SetRole('S')
	}
	r.v.MasterHost, r.v.MasterPort = host, port
	r.everUp = false
	if host == "" {
		r.synced = false
		r.resumable = false
		r.tellState()
		return
	}
	h := &linkHostOf{r: r}
	r.link = masterlink.Start(r.linkConfig(), h)
	h.link = r.link
}

// updateLink gives the link new credentials, for its next attempt.
func (r *Replica) updateLink() {
	if r.link != nil {
		r.link.Update(r.linkConfig())
	}
}

// linkConfig is the link's configuration as the directives have it.
func (r *Replica) linkConfig() masterlink.Config {
	host, port := r.linkHost, r.linkPort
	timeout := time.Duration(r.v.ReplTimeout) * time.Second
	times := &r.lib.times
	return masterlink.Config{
		Clock: r.Nanos,
		Addr:  net.JoinHostPort(host, strconv.Itoa(port)),
		User:  r.v.MasterUser, Pass: r.v.MasterAuth,
		Dial:          r.masterDialer(),
		ListeningPort: r.announcedPort(), AnnounceIP: r.v.ReplicaAnnounceIP,
		ConnectTimeout:   cmp.Or(times.connect, timeout),
		HandshakeTimeout: cmp.Or(times.connect, timeout),
		TransferTimeout:  cmp.Or(times.sync, timeout),
		StreamTimeout:    cmp.Or(times.read, timeout),
		WriteTimeout:     times.write, AckInterval: times.heartbeat,
		Logf: func(level masterlink.LogLevel, format string, args ...any) {
			r.Logf(commands.LogLevel(level), format, args...)
		},
	}
}

// abandoned lets a link that was closed end away from the loop.
func (r *Replica) abandoned(l *masterlink.Link) { go l.Stop() }

// announcedPort is the port that the master shows and hands to others.
func (r *Replica) announcedPort() int {
	if r.v.ReplicaAnnouncePort != 0 {
		return r.v.ReplicaAnnouncePort
	}
	if r.v.TLSReplication && r.v.TLSPort != 0 {
		return r.v.TLSPort
	}
	for _, a := range r.loop.Addrs() {
		if t, ok := a.(*net.TCPAddr); ok {
			return t.Port
		}
	}
	return r.v.Port
}

// DropLink ends the present connection to the master; the link comes back by
// itself (CLIENT KILL TYPE master).
func (r *Replica) DropLink() {
	if r.link != nil {
		r.link.Drop(errors.New("closed on request"))
	}
}

// AckNow answers REPLCONF GETACK.
func (r *Replica) AckNow() {
	if r.link != nil {
		r.link.SendAckNow(r.stream.Applied())
	}
}

// dropStream forgets what was received and not applied. The unfinished command
// and an open transaction of the master come again, whole.
func (r *Replica) dropStream() {
	for _, c := range r.queue {
		c.Release()
	}
	r.queue = r.queue[:0]
	r.fed, r.waiting = false, nil
	r.relayed, r.tail = r.stream.Applied(), r.tail[:0]
	r.oldest, r.received = 0, r.stream.Applied()
	r.stream.Reset(r.stream.Applied())
	if r.master != nil {
		r.master.Reset()
	}
}

// linkHostOf ties the host methods to one link, so that a link which was
// replaced can no longer reach the keyspace.
type linkHostOf struct {
	r    *Replica
	link *masterlink.Link
}

func (h *linkHostOf) current() bool { return h.link == nil || h.r.link == h.link }

// Post runs fn on the loop. Called on the link's goroutines.
func (h *linkHostOf) Post(fn func()) { h.r.loop.Post(fn) }

// Resume tells the link where to go on.
func (h *linkHostOf) Resume() masterlink.Resume {
	r := h.r
	if !h.current() {
		return masterlink.Resume{}
	}
	r.dropStream()
	if !r.resumable {
		return masterlink.Resume{}
	}
	return masterlink.Resume{ReplID: r.srv.Repl.ID, Offset: r.stream.Applied()}
}

// LoadRDB reads a full dataset into a new keyspace. It runs on the link's
// goroutine, which is the owner of the new keyspace until Install.
func (h *linkHostOf) LoadRDB(rd io.Reader, info masterlink.SyncInfo) (masterlink.Loaded, error) {
	r := h.r
	ks, err := keyspace.New(r.v.Databases, r.seed())
	if err != nil {
		return masterlink.Loaded{}, err
	}
	ld := commands.NewLoader(ks, commands.LimitsOf(r.v), time.Now().UnixMilli())
	ld.Filter = r.filter.Load()
	ld.Clock = func() int64 { return time.Now().UnixMilli() }
	dec := rdb.NewDecoder(rd)
	if err := ld.Load(dec); err != nil {
		ks.Release()
		var ve *rdb.VersionError
		var ue *rdb.UnsupportedError
		switch {
		case errors.As(err, &ve):
			return masterlink.Loaded{}, &masterlink.Refused{Err: err, Remedy: "follow a master whose snapshots have a version that this build reads"}
		case errors.As(err, &ue):
			return masterlink.Loaded{}, &masterlink.Refused{Err: err, Remedy: "remove such keys from the master, or wait for a build that knows the type"}
		}
		return masterlink.Loaded{}, err
	}
	return masterlink.Loaded{Data: ld, Bytes: dec.Offset(), StreamDB: ld.StreamDB}, nil
}

// Discard frees a keyspace that will not be installed; any goroutine.
func (h *linkHostOf) Discard(l masterlink.Loaded) { l.Data.(*commands.Loader).Keyspace().Release() }

// Install swaps the new dataset in.
func (h *linkHostOf) Install(l masterlink.Loaded, info masterlink.SyncInfo) {
	r := h.r
	ld := l.Data.(*commands.Loader)
	if !h.current() {
		ld.Keyspace().Release()
		return
	}
	r.dropStream()
	r.srv.SwapKeyspace(ld.Keyspace())
	r.srv.InstallFunctions(ld.Functions)
	r.srv.NoteLoaded(ld)
	r.srv.Loading = false
	r.synced = true
	r.resumable = info.ReplID != ""
	offset := max(info.Offset, 0)
	r.srv.Repl = commands.ReplID{ID: info.ReplID, ID2: commands.ZeroReplID, Offset: offset, SecondOffset: -1}
	if info.ReplID == "" {
		r.srv.Repl.ID = commands.ZeroReplID
	}
	r.stream.Reset(offset)
	r.relayed = offset
	r.srv.HistoryReplaced()
	r.master = r.srv.NewMasterClient(l.StreamDB)
	r.srv.FilterInstalled(l.StreamDB, ld)
	r.received = offset
	r.srv.NewHistory(r.syncAt)
	r.srv.SnapshotArrived(ld.Age, ld.HasAge)
	r.link.SetApplied(offset)
	if ld.Filter != r.srv.CurrentFilter() {
		r.resync("the filters changed while the dataset was being loaded")
		return
	}
	r.lastSync = r.Nanos() - r.syncAt
	r.syncs++
	r.syncNanos += r.lastSync
	r.Logf(commands.LogNotice, "Loaded %d keys in %d ms", ld.Keys, time.Now().UnixMilli()-r.syncStart)
}

// Continue notes a granted partial resync.
func (h *linkHostOf) Continue(newID string, offset int64) {
	r := h.r
	if !h.current() {
		return
	}
	if newID != "" && newID != r.srv.Repl.ID {
		r.srv.Repl.ID2, r.srv.Repl.SecondOffset = r.srv.Repl.ID, offset+1
		r.srv.Repl.ID = newID
		r.srv.HistoryRenamed()
	}
	r.synced = true
	r.srv.OffsetMoved()
	r.link.SetApplied(offset)
}

// OnState notes a change of the link's state.
func (h *linkHostOf) OnState(c masterlink.Change) {
	r := h.r
	if !h.current() {
		return
	}
	r.linkState = c
	defer r.tellState()
	if c.State == masterlink.StateConnected {
		r.lib.syncs.synced()
	}
	switch c.State {
	case masterlink.StateSync:
		if c.Info.Size == -1 && !c.Info.Marked {
			r.syncAt = r.Nanos()
			r.syncStart = time.Now().UnixMilli()
		}
		// Until the first dataset is there, nothing can be served.
		r.srv.Loading = !r.synced && (c.Info.Size >= 0 || c.Info.Marked)
	case masterlink.StateConnected:
		r.everUp = true
		r.srv.LinkUp()
		r.lastErr = nil
		r.srv.Loading = false
	case masterlink.StateConnect:
		if c.Err != nil {
			r.lastErr = c.Err
		}
		if c.WasUp {
			r.reconnect++
		}
		r.srv.Loading = false
	}
}

// sliceBudget is how long the stream may be applied before clients get their
// turn, nanoseconds.
const sliceBudget = 300_000

// OnStream queues a stretch of the stream.
func (h *linkHostOf) OnStream(c *masterlink.Chunk) {
	r := h.r
	if !h.current() {
		c.Release()
		return
	}
	r.queue = append(r.queue, c)
	r.arrived, r.received = c.At, c.Offset+int64(len(c.Data))
	if r.oldest == 0 {
		r.oldest = c.At
	}
	if r.applying {
		r.srv.StreamProgress(r.received, r.arrived, r.oldest)
	}
	if !r.applying {
		r.applying = true
		r.applySlice()
	}
}

// applySlice applies what was received, for at most the slice's budget; what is
// left waits for a later turn, so that neither readers nor the stream starve.
// A transaction is applied as one whatever it takes, because EXEC is one
// command of the stream.
func (r *Replica) applySlice() {
	if r.srv.Busy() {
		// A script is half way through: what it reads must not change under it.
		r.applying = true
		r.After(2e6, r.applySlice)
		return
	}
	r.applying = false
	var err error
	func() {
		defer keyspace.CatchOutOfMemory(&err)
		r.applyQueue()
	}()
	if err != nil {
		r.Logf(commands.LogWarning, "The replication stream cannot be applied: %v. The link is dropped, and a full resync follows.", err)
		r.loseHistory(err)
	}
}

// applyQueue is the body of applySlice.
func (r *Replica) applyQueue() {
	begin := r.Nanos()
	r.srv.BeginStream()
	ahead := 0
	for n := 0; len(r.queue) > 0; {
		c := r.queue[0]
		if !r.fed {
			r.stream.Feed(c.Data)
			r.fed = true
		}
		args, ok, err := r.waiting, true, error(nil)
		if args == nil {
			if ahead--; ahead < 0 {
				ahead = r.srv.LookAheadMaster(r.master, r.stream) - 1
			}
			args, ok, err = r.stream.Next()
		}
		r.waiting = nil
		if err != nil {
			r.relay(c, false)
			r.srv.Repl.Offset = r.stream.Applied()
			r.corruptStream(err)
			return
		}
		if !ok {
			// What is left of it, an unfinished command or an open transaction, began in it
			// or earlier.
			if r.stream.Applied() == r.stream.Received() {
				r.oldest = 0
				if len(r.queue) > 1 {
					r.oldest = r.queue[1].At
				}
			} else if r.stream.Applied() > c.Offset {
				r.oldest = c.At
			}
			r.relay(c, true)
			c.Release()
			copy(r.queue, r.queue[1:])
			r.queue = r.queue[:len(r.queue)-1]
			r.fed = false
			continue
		}
		if waits, full := r.srv.StreamWaits(r.master, args); waits {
			r.waiting, r.applying = args, true
			if full {
				r.After(1e6, r.applySlice)
			} else {
				r.loop.Again(r.applySlice)
			}
			break
		}
		r.srv.CallMaster(r.master, args)
		if r.srv.ResyncWanted != "" {
			r.relay(c, false)
			r.srv.Repl.Offset = r.stream.Applied()
			r.resync(r.srv.ResyncWanted)
			return
		}
		r.stream.Done()
		if n++; n&15 == 0 && r.Nanos()-begin > sliceBudget {
			r.applying = true
			r.loop.Again(r.applySlice)
			break
		}
	}
	if len(r.queue) > 0 && r.fed {
		r.relay(r.queue[0], false)
	}
	r.srv.Repl.Offset = r.stream.Applied()
	r.srv.StreamProgress(r.received, r.arrived, r.oldest)
	r.srv.OffsetMoved()
	if r.link != nil {
		r.link.SetApplied(r.stream.Applied())
	}
}

// relay passes what has been applied on to replicas of ours, byte for byte. c is
// the chunk that is being applied; done says that all of it was read, and what
// of it belongs to an unfinished command or transaction is kept.
func (r *Replica) relay(c *masterlink.Chunk, done bool) {
	if !r.srv.Relaying() {
		r.relayed = r.stream.Applied()
		return
	}
	start, upto := c.Offset, r.stream.Applied()
	if r.relayed < start && upto > r.relayed {
		n := min(upto, start) - r.relayed
		r.srv.Relay(r.tail[:n])
		r.tail = r.tail[:copy(r.tail, r.tail[n:])]
		r.relayed += n
	}
	if upto > r.relayed {
		r.srv.Relay(c.Data[r.relayed-start : upto-start])
		r.relayed = upto
	}
	if end := start + int64(len(c.Data)); done && r.relayed < end {
		r.tail = append(r.tail, c.Data[max(r.relayed, start)-start:]...)
	} else if done && cap(r.tail) > 1<<20 {
		r.tail = nil
	}
}

// corruptStream drops a link whose bytes are not a command stream; the history
// cannot be trusted, so the next synchronisation is a full one.
func (r *Replica) corruptStream(err error) {
	r.Logf(commands.LogWarning, "Corrupt replication stream: %v. The link is dropped, and a full resync follows.", err)
	r.loseHistory(err)
}

// loseHistory drops the link and forgets that its history could be resumed.
func (r *Replica) loseHistory(err error) {
	r.resumable = false
	r.dropStream()
	r.link.Drop(err)
}

// resync gives the present history up for a full synchronisation, because of what
// the data here lacks. The old data is served until then.
func (r *Replica) resync(reason string) {
	r.srv.ResyncWanted = ""
	r.resumable = false
	r.dropStream()
	if r.link != nil {
		r.Logf(commands.LogNotice, "A full resync is needed: %s", reason)
		r.link.Drop(errors.New(reason))
	}
}

// filterChanged puts the filters in force that the directives now ask for. What was
// left out until now only a full resync can bring.
func (r *Replica) filterChanged() error {
	f, err := commands.NewFilter(r.v, r.srv.Table)
	if err != nil {
		return config.Refuse("%v", err)
	}
	if f.ID() == r.srv.CurrentFilter().ID() {
		return nil
	}
	r.srv.SetFilter(f)
	r.filter.Store(f)
	if r.linkHost != "" {
		r.resync("the filters were changed")
	}
	return nil
}
