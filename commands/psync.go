package commands

import (
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// PSYNC, SYNC and full syncs: how a connection becomes a replica.

func psyncCommand(c *Client) {
	if c.replica != nil {
		return // it is one already
	}
	s := c.srv
	failover := len(c.args) > 3
	if failover && !equalFold(c.args[3], "failover") || len(c.args) > 4 {
		c.addReplyErrorSyntax()
		return
	}
	if failover {
		if string(c.args[1]) != s.Repl.ID {
			c.addReplyError("PSYNC FAILOVER replid must match my replid.")
			return
		}
		if !s.following {
			c.addReplyError("PSYNC FAILOVER can't be sent to a master.")
			return
		}
		s.Promote()
		s.Host.Logf(LogNotice, "MASTER MODE enabled (failover request from '%s')", s.describeClient(c))
	}
	if !s.mayServeReplica(c) {
		return
	}
	offset, ok := numeric.ParseInt(c.args[2])
	if !ok {
		c.addReplyError(errNotInteger)
		return
	}
	asked := string(c.args[1])
	st := replproto.ReplState{ID: s.Repl.ID, ID2: s.Repl.ID2, Offset: s.Repl.Offset, SecondOffset: s.Repl.SecondOffset}
	if ok, why := st.Resume(asked, offset, s.repl.backlog); !ok {
		if asked != "?" {
			s.Stats.SyncPartialErr++
			s.Host.Logf(LogNotice, "Partial resynchronization with replica %s not accepted: %s", s.replicaName(c), why)
		}
		s.wantFullSync(c, false)
		return
	}
	s.Stats.SyncPartialOK++
	s.attach(c, replicaOnline)
	c.out = append(c.out, "+CONTINUE"...)
	if c.announce.psync2 {
		c.out = append(append(c.out, ' '), s.Repl.ID...)
	}
	c.out = append(c.out, '\r', '\n')
	sent := s.repl.backlog.Next() - offset
	for offset < s.repl.backlog.Next() {
		p, _ := s.repl.backlog.View(offset)
		c.out = append(c.out, p...)
		offset += int64(len(p))
	}
	s.countGood()
	s.Host.Logf(LogNotice, "Partial resynchronization request from %s accepted. Sending %d bytes of backlog.", s.replicaName(c), sent)
}

func syncCommand(c *Client) {
	if c.replica == nil && c.srv.mayServeReplica(c) {
		c.srv.wantFullSync(c, true)
	}
}

// mayServeReplica refuses a replica that cannot be served now.
func (s *Server) mayServeReplica(c *Client) bool {
	switch {
	case s.failover.phase != noFailover:
		c.addReplyError("-NOMASTERLINK Can't SYNC while failing over")
	case s.following && !s.Host.Replication().Up:
		c.addReplyError("-NOMASTERLINK Can't SYNC while not connected with my master")
	case s.Filtered():
		c.addReplyError(errFiltered)
	case len(c.out) > 0 || c.conn == nil || c.conn.Pending() > 0:
		c.addReplyError("SYNC and PSYNC are invalid with pending output")
	default:
		return true
	}
	return false
}

// wantFullSync queues a replica for the next snapshot.
func (s *Server) wantFullSync(c *Client, old bool) {
	s.Stats.SyncFull++
	if s.repl.backlog == nil {
		s.startBacklog()
	}
	r := s.attach(c, replicaWaits)
	r.old = old
	s.Host.Logf(LogNotice, "Full resync requested by replica %s", s.replicaName(c))
	s.startWaiting()
}

// fullSync is a snapshot on its way to the replicas that waited for it.
type fullSync struct {
	s        *Server
	replicas []*Client
	filter   syncFilter
	mark     string    // ends a payload of unknown length
	spooling []*Client // those that must be told the length first
	spool    [][]byte
	size     int
	stop     func(error)
	ended    bool
}

// startWaiting begins a snapshot for the replicas that wait, unless one is under
// way, or more replicas may be about to come (repl-diskless-sync-delay).
func (s *Server) startWaiting() {
	m := &s.repl
	if m.sync != nil || s.savingNow() {
		return // until that one has ended
	}
	n, longest := 0, int64(0)
	for _, c := range m.replicas {
		if r := c.replica; r.state == replicaWaits {
			n++
			longest = max(longest, s.now-r.since)
		}
	}
	if n == 0 {
		return
	}
	delay := int64(s.V.ReplDisklessSyncDelay) * 1000
	if !s.V.ReplDisklessSync {
		delay = 0
	}
	if longest < delay && (s.V.ReplDisklessSyncMax == 0 || n < s.V.ReplDisklessSyncMax) {
		return
	}
	s.startFullSync()
}

// startFullSync sends a snapshot of now to all replicas that wait and want the same of it; the others wait for the next. Each gets the
// stream from this point on, which begins with a SELECT.
func (s *Server) startFullSync() {
	m := &s.repl
	f := &fullSync{s: s, mark: hexID(s.Host.RandomBytes(20))}
	selected := s.prop.selected
	if !s.following {
		s.prop.selected = -1
		selected = 0
	} else if s.master != nil {
		selected = s.master.db.ID
	}
	head := "+FULLRESYNC " + s.Repl.ID + " " + itoa(s.Repl.Offset) + "\r\n"
	for _, c := range m.replicas {
		r := c.replica
		if r.state != replicaWaits || len(f.replicas) > 0 && c.announce.filter != f.filter {
			continue
		}
		f.filter = c.announce.filter
		f.replicas = append(f.replicas, c)
		r.state, r.since, r.progressAt = replicaLoads, s.now, s.now
		s.hold(c)
		if !r.old {
			c.push([]byte(head))
		}
		if c.announce.eof {
			c.push([]byte("$EOF:" + f.mark + "\r\n"))
		} else {
			f.spooling = append(f.spooling, c)
		}
	}
	m.sync = f
	s.Host.Logf(LogNotice, "Starting a snapshot at offset %d for %d replicas", s.Repl.Offset, len(f.replicas))
	stop, err := s.snapshotForReplicas(selected, f)
	if err != nil {
		f.done(err)
		return
	}
	f.stop = stop
}

// spools tells whether the payload for a replica is still being measured.
func (f *fullSync) spools(c *Client) bool {
	for _, x := range f.spooling {
		if x == c {
			return true
		}
	}
	return false
}

// maxReplicaPending is how many bytes of a snapshot may wait for a replica's
// connection before the snapshot pauses.
const maxReplicaPending = 1 << 20

// write takes a piece of the snapshot.
func (f *fullSync) write(p []byte) {
	for _, c := range f.replicas {
		if c.announce.eof {
			c.push(p)
		}
	}
	if len(f.spooling) > 0 {
		f.spool = append(f.spool, append([]byte(nil), p...))
		f.size += len(p)
	}
}

// room tells whether the replicas keep up with the snapshot.
func (f *fullSync) room() bool {
	for _, c := range f.replicas {
		if c.announce.eof && c.conn.Pending() > maxReplicaPending {
			return false
		}
	}
	return true
}

// done ends the transfer: the replicas are online, and get the stream once they
// have loaded what they got.
func (f *fullSync) done(err error) {
	if f.ended {
		return
	}
	f.ended = true
	s := f.s
	s.repl.sync = nil
	if err != nil {
		s.Host.Logf(LogWarning, "The snapshot for replicas failed: %v", err)
		for _, c := range f.replicas {
			c.conn.Close()
		}
		return
	}
	for _, c := range f.replicas {
		r := c.replica
		if r == nil {
			continue
		}
		if c.announce.eof {
			c.push([]byte(f.mark))
		} else {
			c.push([]byte("$" + strconv.Itoa(f.size) + "\r\n"))
			for _, p := range f.spool {
				c.push(p)
			}
		}
		if c.announce.rdbOnly {
			// It has what it wanted, and closes the connection itself.
			s.forgetBlocks(r)
			r.since, r.progressAt = s.now, s.now
			continue
		}
		r.state, r.since, r.ackAt = replicaOnline, s.now, s.now
		if c.announce.eof {
			r.waitAck = true
			continue
		}
		s.letGo(c)
	}
	s.countGood()
	s.startWaiting()
}

// left notes that a replica went during the transfer; without any the snapshot is
// pointless.
func (f *fullSync) left(s *Server, c *Client) {
	for i, x := range f.replicas {
		if x == c {
			f.replicas = append(f.replicas[:i:i], f.replicas[i+1:]...)
		}
	}
	for i, x := range f.spooling {
		if x == c {
			f.spooling = append(f.spooling[:i:i], f.spooling[i+1:]...)
		}
	}
	if len(f.replicas) == 0 && !f.ended {
		f.ended = true
		s.repl.sync = nil
		if f.stop != nil {
			f.stop(errReplicasLeft)
		}
	}
}
