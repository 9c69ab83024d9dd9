package commands

import (
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// Serving replicas: the stream's way out.
//
// Whatever feeds the stream (our own writes, see propagate.go, or our master's
// bytes, see Relay) goes to the backlog, from which a replica that lost its link
// resumes, and to every replica that is online. One that is in the middle of a full
// sync gets what came since the snapshot's point from a chain of blocks that all
// such replicas share:
//
//	snapshot's point           first replica online           now
//	──●─── block ──► block ──► block ──► … ──────────────────── tail
//	  ▲ replica A, B                ▲ replica C (next snapshot)
//
// A block that no replica points to is garbage: nobody counts references.

// replicaState is the life of a replica's connection.
type replicaState uint8

const (
	replicaWaits  replicaState = iota // for a snapshot to begin (wait_bgsave)
	replicaLoads                      // is sent the snapshot (send_bulk)
	replicaOnline                     // gets the stream
)

var replicaStateNames = [...]string{"wait_bgsave", "send_bulk", "online"}

// announced is what a connection told about itself by REPLCONF.
type announced struct {
	port    int
	ip      string
	eof     bool // reads a payload of unknown length
	psync2  bool // learns a new replication id by +CONTINUE
	rdbOnly bool // wants the snapshot and no stream
	filter  syncFilter
}

// syncFilter is what a connection wants of the snapshot: everything, only the functions, or not even these.
type syncFilter struct{ functionsOnly, nothing bool }

// replicaConn is a connection that gets the stream.
type replicaConn struct {
	state   replicaState
	offset  int64 // acknowledged
	ackAt   int64 // unix ms of the last acknowledgement
	old     bool  // came by SYNC: no header, and later it may be silent
	waitAck bool  // the stream begins with the first acknowledgement
	since   int64 // unix ms of entering the state
	// from is the offset after which block has the bytes it is to get.
	from  int64
	block *streamBlock
	at    int // place in block
	// pending and progressAt tell a peer that reads slowly from one that is gone.
	pending    int
	progressAt int64
	softSince  int64
}

// streamBlock is a stretch of the stream.
type streamBlock struct {
	buf  []byte
	next *streamBlock
}

const streamBlockSize = 64 << 10

// masterState is what the server keeps for those that follow it.
type masterState struct {
	backlog  *replproto.Backlog
	replicas []*Client
	tail     *streamBlock // nil when no replica waits for its stream
	aloneAt  int64        // unix ms since which there is no replica
	seconds  int64        // runs of replicasCron
	good     int          // replicas whose acknowledgement is recent enough
	waiters  []*blockedState
	askAcks  bool // a WAIT has begun: ask for acknowledgements
	sync     *fullSync
}

// sourceChanged decides anew whether this server is the source of its stream.
func (s *Server) sourceChanged() {
	s.prop.on = s.repl.backlog != nil && !s.following
	s.hookKeyspace(s.KS)
}

// feedStream adds bytes of our own to the stream.
func (s *Server) feedStream(p []byte) {
	s.Repl.Offset += int64(len(p))
	s.feedReplicas(p)
}

// Relay adds bytes of our master's stream that are applied now. The caller moves
// Repl.Offset.
func (s *Server) Relay(p []byte) {
	if s.repl.backlog != nil {
		s.feedReplicas(p)
	}
}

// Relaying tells whether Relay is of any use.
func (s *Server) Relaying() bool { return s.repl.backlog != nil }

func (s *Server) feedReplicas(p []byte) {
	m := &s.repl
	m.backlog.Append(p)
	if len(m.replicas) == 0 {
		return
	}
	if m.tail != nil {
		m.keep(p)
	}
	for _, c := range m.replicas {
		r := c.replica
		switch {
		case r.block == nil:
			if r.state == replicaOnline {
				c.push(p)
			}
		case s.overReplicaLimit(r):
			s.Host.Logf(LogWarning, "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", s.describeClient(c))
			c.conn.Close()
		}
	}
}

// keep adds bytes to the shared blocks.
func (m *masterState) keep(p []byte) {
	for len(p) > 0 {
		t := m.tail
		if len(t.buf) == cap(t.buf) {
			t.next = &streamBlock{buf: make([]byte, 0, streamBlockSize)}
			t = t.next
			m.tail = t
		}
		n := min(len(p), cap(t.buf)-len(t.buf))
		t.buf = append(t.buf, p[:n]...)
		p = p[n:]
	}
}

// hold begins to keep the stream for a replica, from here on.
func (s *Server) hold(c *Client) {
	m, r := &s.repl, c.replica
	if m.tail == nil {
		m.tail = &streamBlock{buf: make([]byte, 0, streamBlockSize)}
	}
	r.block, r.at, r.from = m.tail, len(m.tail.buf), m.backlog.Next()-1
}

// letGo sends a replica what was kept for it; from here on it gets the stream as
// it comes.
func (s *Server) letGo(c *Client) {
	r := c.replica
	for b := r.block; b != nil; b, r.at = b.next, 0 {
		if len(b.buf) > r.at {
			c.push(b.buf[r.at:])
		}
	}
	s.forgetBlocks(r)
}

func (s *Server) forgetBlocks(r *replicaConn) {
	r.block = nil
	for _, c := range s.repl.replicas {
		if c.replica.block != nil {
			return
		}
	}
	s.repl.tail = nil
}

// overReplicaLimit tells whether too much of the stream waits for a replica.
func (s *Server) overReplicaLimit(r *replicaConn) bool {
	l := &s.V.ClientOutput[config.ClientReplica]
	n := s.repl.backlog.Next() - 1 - r.from
	if l.Hard > 0 && n >= max(l.Hard, s.V.ReplBacklogSize) {
		return true
	}
	if l.Soft == 0 || n < max(l.Soft, s.V.ReplBacklogSize) {
		r.softSince = 0
		return false
	}
	if r.softSince == 0 {
		r.softSince = s.now
	}
	return s.now-r.softSince > int64(l.SoftSeconds)*1000
}

// attach makes a client a replica.
func (s *Server) attach(c *Client, state replicaState) *replicaConn {
	m := &s.repl
	r := &replicaConn{state: state, since: s.now, ackAt: s.now, progressAt: s.now}
	c.replica = r
	c.flags |= flagReplicaConn
	m.replicas = append(m.replicas, c)
	if n, ok := c.conn.(interface{ SetNoDelay(on bool) error }); ok && s.V.ReplDisableTCPNodelay {
		if err := n.SetNoDelay(false); err != nil {
			s.Host.Logf(LogWarning, "repl-disable-tcp-nodelay: %v", err)
		}
	}
	return r
}

// detach forgets a replica whose connection is gone.
func (s *Server) detach(c *Client) {
	m, r := &s.repl, c.replica
	if r == nil {
		return
	}
	c.replica = nil
	for i, x := range m.replicas {
		if x == c {
			m.replicas = append(m.replicas[:i:i], m.replicas[i+1:]...)
			break
		}
	}
	s.forgetBlocks(r)
	if m.sync != nil {
		m.sync.left(s, c)
	}
	m.aloneAt = s.now
	s.countGood()
	if s.ending != nil {
		s.Host.Again(s.checkShutdown)
	}
	s.Host.Logf(LogNotice, "Connection with replica %s lost.", s.replicaName(c))
}

// dropReplicas ends the connections of all replicas: the history that they
// follow has another name now, or is no more.
func (s *Server) dropReplicas() {
	for _, c := range s.repl.replicas {
		c.conn.Close()
		if c.replica.state == replicaOnline {
			// Nothing of what follows may reach it any more.
			c.replica.state = replicaLoads
		}
		c.replica.block = nil
	}
	s.repl.tail = nil
}

// announcedAddr is where a replica says that it listens.
func (c *Client) announcedAddr() (host string, port int) {
	host = c.announce.ip
	if host == "" {
		host = c.conn.RemoteAddr()
		if i := strings.LastIndexByte(host, ':'); i >= 0 {
			host = strings.Trim(host[:i], "[]")
		}
	}
	return host, c.announce.port
}

// startBacklog begins a history of our own, for the first replica.
func (s *Server) startBacklog() {
	s.newReplID()
	s.repl.backlog = replproto.NewBacklog(s.V.ReplBacklogSize, s.Repl.Offset)
	s.prop.selected = -1
	s.sourceChanged()
}

// newReplID gives the history a new name and forgets the old ones.
func (s *Server) newReplID() {
	s.Repl.ID, s.Repl.ID2, s.Repl.SecondOffset = hexID(s.Host.RandomBytes(20)), ZeroReplID, -1
}

// HistoryReplaced tells that the data and its history are those in Repl now, by a
// full sync from our master.
func (s *Server) HistoryReplaced() {
	s.dropReplicas()
	if s.repl.backlog == nil {
		s.repl.backlog = replproto.NewBacklog(s.V.ReplBacklogSize, s.Repl.Offset)
	} else {
		s.repl.backlog.Reset(s.Repl.Offset)
	}
	s.sourceChanged()
}

// HistoryRenamed tells that the history goes on under another id: replicas come
// back and learn it.
func (s *Server) HistoryRenamed() { s.dropReplicas() }

// HasHistory tells whether what this server wrote can be resumed from.
func (s *Server) HasHistory() bool { return s.repl.backlog != nil }

// ResizeBacklog applies repl-backlog-size.
func (s *Server) ResizeBacklog() {
	if b := s.repl.backlog; b != nil {
		b.Resize(s.V.ReplBacklogSize)
	}
}

var (
	rawPing   = []byte("*1\r\n$4\r\nPING\r\n")
	rawGetack = []byte("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n")
	newline   = []byte("\n")
)

// replicasCron runs once a second.
func (s *Server) replicasCron() {
	m := &s.repl
	m.seconds++
	if len(m.replicas) == 0 {
		if ttl := s.V.ReplBacklogTTL; ttl > 0 && m.backlog != nil && !s.following && s.now-m.aloneAt > ttl*1000 {
			// Without a backlog writes are not counted: the history ends here.
			s.newReplID()
			m.backlog = nil
			s.sourceChanged()
			s.Host.Logf(LogNotice, "Replication backlog freed after %d seconds without connected replicas.", ttl)
		}
		return
	}
	if !s.following && m.seconds%int64(s.V.ReplPingPeriod) == 0 && !s.Busy() && s.failover.phase == noFailover {
		s.feedStream(rawPing)
	}
	timeout := int64(s.V.ReplTimeout) * 1000
	for _, c := range m.replicas {
		r := c.replica
		if n := c.conn.Pending(); n == 0 || n < r.pending {
			r.pending, r.progressAt = n, s.now
		} else {
			r.pending = n
		}
		switch {
		case r.state == replicaWaits || r.state == replicaLoads && m.sync != nil && m.sync.spools(c):
			c.push(newline)
		case r.state == replicaLoads && s.now-r.progressAt > timeout,
			r.state == replicaOnline && !r.old && s.now-r.ackAt > timeout:
			s.Host.Logf(LogWarning, "Disconnecting timedout replica: %s", s.describeClient(c))
			c.conn.Close()
		}
	}
	s.countGood()
	s.startWaiting()
}

// countGood counts the replicas that min-replicas-to-write may rely on.
func (s *Server) countGood() {
	n, lag := 0, int64(s.V.MinReplicasMaxLag)
	for _, c := range s.repl.replicas {
		if r := c.replica; r.state == replicaOnline && (s.now-r.ackAt)/1000 <= lag {
			n++
		}
	}
	s.repl.good = n
}

// tooFewReplicas tells whether min-replicas-to-write forbids a write now.
func (s *Server) tooFewReplicas() bool {
	return s.V.MinReplicasToWrite > 0 && s.V.MinReplicasMaxLag > 0 && !s.following && s.repl.good < s.V.MinReplicasToWrite
}

// acknowledged takes REPLCONF ACK.
func (s *Server) acknowledged(c *Client, offset int64) {
	r := c.replica
	if r == nil {
		return
	}
	r.offset = max(r.offset, offset)
	r.ackAt = s.now
	if r.waitAck && r.state == replicaOnline {
		r.waitAck = false
		s.letGo(c)
		s.Host.Logf(LogNotice, "Synchronization with replica %s succeeded", s.replicaName(c))
		s.countGood()
	}
	s.endWaitsForAcks()
	s.checkShutdown()
}

func (s *Server) replicaName(c *Client) string {
	host, port := c.announcedAddr()
	return host + ":" + strconv.Itoa(port)
}

// countAcks is how many replicas have acknowledged an offset.
func (s *Server) countAcks(offset int64) int {
	n := 0
	for _, c := range s.repl.replicas {
		if r := c.replica; r.state == replicaOnline && r.offset >= offset {
			n++
		}
	}
	return n
}

// askForAcks has the replicas acknowledge what they have, at once.
func (s *Server) askForAcks() {
	m := &s.repl
	m.askAcks = false
	if len(m.replicas) > 0 && m.backlog != nil {
		s.feedStream(rawGetack)
	}
}

// waitCommand answers how many replicas have what this client wrote last, once
// they are as many as asked for, or the time is up.
func waitCommand(c *Client) {
	s := c.srv
	if s.Following() {
		c.addReplyError("WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
		return
	}
	want, ok := c.longArg(1, "")
	if !ok {
		return
	}
	deadline, ok := c.timeoutArg(2, false)
	if !ok {
		return
	}
	offset := c.writeOffset
	if n := int64(s.countAcks(offset)); n >= want || c.flags&flagDenyBlocking != 0 {
		c.addReplyLongLong(n)
		return
	}
	b := &blockedState{deadline: deadline, acks: want, ackOffset: offset}
	b.onTimeout = func(c *Client) { c.addReplyLongLong(int64(s.countAcks(offset))) }
	c.block(b)
	s.repl.waiters = append(s.repl.waiters, b)
	s.repl.askAcks = true
}

// endWaitsForAcks answers the WAITs that have what they wait for.
func (s *Server) endWaitsForAcks() {
	m := &s.repl
	if len(m.waiters) == 0 {
		return
	}
	kept := m.waiters[:0]
	var over []*blockedState
	for _, b := range m.waiters {
		switch {
		case b.c.blocked != b:
		case int64(s.countAcks(b.ackOffset)) >= b.acks:
			over = append(over, b)
		default:
			kept = append(kept, b)
		}
	}
	clear(m.waiters[len(kept):])
	m.waiters = kept
	for _, b := range over {
		b.c.unblock(func() { b.onTimeout(b.c) })
	}
}

// infoReplicas is the part of INFO replication about those that follow us.
func (s *Server) infoReplicas(b *strings.Builder) {
	m := &s.repl
	line(b, "connected_slaves", len(m.replicas))
	if s.V.MinReplicasToWrite > 0 && s.V.MinReplicasMaxLag > 0 {
		line(b, "min_slaves_good_slaves", m.good)
	}
	for i, c := range m.replicas {
		r := c.replica
		host, port := c.announcedAddr()
		lag := int64(0)
		if r.state == replicaOnline {
			lag = (s.Host.UnixMilli() - r.ackAt) / 1000
		}
		line(b, "slave"+strconv.Itoa(i), "ip="+host+",port="+strconv.Itoa(port)+",state="+replicaStateNames[r.state]+
			",offset="+itoa(r.offset)+",lag="+itoa(lag))
	}
}

func (s *Server) infoBacklog(b *strings.Builder) {
	first, held, active := int64(0), int64(0), 0
	if k := s.repl.backlog; k != nil {
		first, held, active = k.First(), k.Len(), 1
	}
	line(b, "repl_backlog_active", active)
	line(b, "repl_backlog_size", s.V.ReplBacklogSize)
	line(b, "repl_backlog_first_byte_offset", first)
	line(b, "repl_backlog_histlen", held)
}
