package commands

import (
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Commands about replication, and the identity of the data held.

func roleCommand(c *Client) {
	s := c.srv
	if !s.Following() {
		c.addReplyArrayLen(3)
		c.addReplyBulkString("master")
		c.addReplyLongLong(s.Repl.Offset)
		mark, n := c.deferredLen(), 0
		for _, x := range s.repl.replicas {
			if x.replica.state != replicaOnline {
				continue
			}
			host, port := x.announcedAddr()
			c.addReplyArrayLen(3)
			c.addReplyBulkString(host)
			c.addReplyBulkString(itoa(int64(port)))
			c.addReplyBulkString(itoa(x.replica.offset))
			n++
		}
		c.setDeferredArrayLen(mark, n)
		return
	}
	l := s.Host.Replication()
	c.addReplyArrayLen(5)
	c.addReplyBulkString("slave")
	c.addReplyBulkString(l.Host)
	c.addReplyLongLong(int64(l.Port))
	c.addReplyBulkString(l.State)
	offset := int64(-1)
	if l.Up || s.Repl.Offset > 0 {
		offset = s.Repl.Offset
	}
	c.addReplyLongLong(offset)
}

// replicaofCommand serves REPLICAOF and SLAVEOF.
func replicaofCommand(c *Client) {
	s := c.srv
	if s.failover.phase != noFailover {
		c.addReplyError("REPLICAOF not allowed while failing over.")
		return
	}
	if equalFold(c.args[1], "no") && equalFold(c.args[2], "one") {
		if s.Following() {
			s.Promote()
			s.Host.Logf(LogNotice, "MASTER MODE enabled (user request from '%s')", s.describeClient(c))
		}
		c.addReplyOK()
		return
	}
	if c.flags&flagReplicaConn != 0 {
		c.addReplyError("Command is not valid when client is a replica.")
		return
	}
	port, ok := c.rangeArg(2, 0, 65535, "Invalid master port")
	if !ok {
		return
	}
	host := c.arg(1)
	if l := s.Host.Replication(); s.Following() && l.Host == host && int64(l.Port) == port {
		s.Host.Logf(LogNotice, "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.")
		c.addReplyStatus("OK Already connected to specified master")
		return
	}
	s.Follow(host, int(port))
	s.Host.Logf(LogNotice, "REPLICAOF %s:%d enabled (user request from '%s')", host, port, s.describeClient(c))
	c.addReplyOK()
}

// Follow starts to follow a master. The data held stays served until the first
// synchronisation is complete.
func (s *Server) Follow(host string, port int) {
	s.following = true
	s.sourceChanged()
	s.dropReplicas()
	s.Host.ReplicaOf(host, port)
	s.unblockForRole()
}

// Promote stops following: this server becomes a master that continues the
// history of its data. Its own id is new, the old one stays valid for what
// replicas of the old history have seen.
func (s *Server) Promote() {
	partial := s.Filtered()
	s.following = false
	s.Loading = false
	s.Host.ReplicaOf("", 0)
	s.Repl.ID2 = s.Repl.ID
	s.Repl.SecondOffset = s.Repl.Offset + 1
	if partial {
		// Who has seen the whole history must not go on with a part of it.
		s.Repl.ID2, s.Repl.SecondOffset = ZeroReplID, -1
	}
	s.Repl.ID = hexID(s.Host.RandomBytes(20))
	// Replicas come back, learn the new id and go on: the backlog is kept.
	s.dropReplicas()
	s.repl.aloneAt = s.now
	s.prop.selected = -1
	s.sourceChanged()
	s.OffsetMoved()
}

// rdbFilter reads what of the snapshot a connection wants: nothing, or only the
// functions.
func (c *Client) rdbFilter(list []byte) bool {
	words := strings.Fields(string(list))
	c.announce.filter = syncFilter{nothing: len(words) == 0}
	for _, w := range words {
		if !equalFold([]byte(w), "functions") {
			c.addReplyError("Unsupported rdb-filter-only option: " + w)
			return false
		}
		c.announce.filter.functionsOnly = true
	}
	return true
}

func replconfCommand(c *Client) {
	if len(c.args)%2 == 0 {
		c.addReplyErrorSyntax()
		return
	}
	for j := 1; j < len(c.args); j += 2 {
		switch opt := c.args[j]; {
		case equalFold(opt, "listening-port"):
			port, ok := c.longArg(j+1, "")
			if !ok {
				return
			}
			c.announce.port = int(port)
		case equalFold(opt, "ip-address"):
			if len(c.args[j+1]) > 255 {
				c.addReplyError("REPLCONF ip-address provided by replica instance is too long: " + itoa(int64(len(c.args[j+1]))) + " bytes")
				return
			}
			c.announce.ip = c.arg(j + 1)
		case equalFold(opt, "capa"):
			switch {
			case equalFold(c.args[j+1], "eof"):
				c.announce.eof = true
			case equalFold(c.args[j+1], "psync2"):
				c.announce.psync2 = true
			}
		case equalFold(opt, "version"), equalFold(opt, "fack"):
		case equalFold(opt, "rdb-only"):
			only, ok := c.rangeArg(j+1, 0, 1, "")
			if !ok {
				return
			}
			c.announce.rdbOnly = only == 1
		case equalFold(opt, "rdb-filter-only"):
			if !c.rdbFilter(c.args[j+1]) {
				return
			}
		case equalFold(opt, "ack"):
			// From a replica: never answered.
			if offset, ok := numeric.ParseInt(c.args[j+1]); ok {
				c.srv.acknowledged(c, offset)
			}
			return
		case equalFold(opt, "getack"):
			if c.isMaster() {
				c.srv.Host.AckNow()
			}
			return // answered by the link, not here
		default:
			c.addReplyError("Unrecognized REPLCONF option: " + cText(opt))
			return
		}
	}
	c.addReplyOK()
}
