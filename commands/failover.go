package commands

import (
	"math"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// FAILOVER hands the role of master to a replica without losing a write:
//
//	writes are paused ──► a replica has acknowledged everything ──► we follow it, by PSYNC … FAILOVER ──► it is the master
//	      │ timeout: abort, or go on if FORCE                              │ it refuses: we are the master again
//
// Writes wait until the end: then they are refused, because this is a replica, or done, because it is the master still.

type failoverPhase uint8

const (
	noFailover failoverPhase = iota
	failoverWaits
	failoverInProgress
)

var failoverNames = [...]string{"no-failover", "waiting-for-sync", "failover-in-progress"}

type failoverState struct {
	phase failoverPhase
	host  string // of the target, "" for any replica
	port  int
	force bool
	until int64      // unix ms, 0: no limit
	pause pauseState // of CLIENT PAUSE, meanwhile
}

// failoverTick is the time between two looks at a failover, ns.
const failoverTick = 20e6

func failoverCommand(c *Client) {
	s := c.srv
	f := &s.failover
	if len(c.args) == 2 && equalFold(c.args[1], "abort") {
		if f.phase == noFailover {
			c.addReplyError("No failover in progress.")
			return
		}
		s.abortFailover("Failover manually aborted")
		c.addReplyOK()
		return
	}
	timeout, port, host, force := int64(0), int64(0), "", false
	for i := 1; i < len(c.args); i++ {
		var ok bool
		switch {
		case equalFold(c.args[i], "timeout") && i+1 < len(c.args) && timeout == 0:
			if timeout, ok = numeric.ParseInt(c.args[i+1]); !ok {
				c.addReplyError(errNotInteger)
				return
			}
			if timeout <= 0 {
				c.addReplyError("FAILOVER timeout must be greater than 0")
				return
			}
			i++
		case equalFold(c.args[i], "to") && i+2 < len(c.args) && host == "":
			if port, ok = numeric.ParseInt(c.args[i+2]); !ok {
				c.addReplyError(errNotInteger)
				return
			}
			host = c.arg(i + 1)
			i += 2
		case equalFold(c.args[i], "force") && !force:
			force = true
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	switch {
	case f.phase != noFailover:
		c.addReplyError("FAILOVER already in progress.")
		return
	case s.following:
		c.addReplyError("FAILOVER is not valid when server is a replica.")
		return
	case len(s.repl.replicas) == 0:
		c.addReplyError("FAILOVER requires connected replicas.")
		return
	case force && (timeout == 0 || host == ""):
		c.addReplyError("FAILOVER with force option requires both a timeout and target HOST and IP.")
		return
	}
	if host != "" {
		r := s.findReplica(host, int(port))
		if r == nil {
			c.addReplyError("FAILOVER target HOST and PORT is not a replica.")
			return
		}
		if r.replica.state != replicaOnline {
			c.addReplyError("FAILOVER target replica is not online.")
			return
		}
		s.Host.Logf(LogNotice, "FAILOVER requested to %s:%d.", host, port)
	} else {
		s.Host.Logf(LogNotice, "FAILOVER requested to any replica.")
	}
	*f = failoverState{phase: failoverWaits, host: host, port: int(port), force: force, pause: s.paused}
	if timeout > 0 {
		f.until = c.now() + timeout
	}
	s.paused.until = math.MaxInt64
	s.Host.After(failoverTick, s.failoverStep)
	c.addReplyOK()
}

func (s *Server) findReplica(host string, port int) *Client {
	for _, c := range s.repl.replicas {
		if h, p := c.announcedAddr(); p == port && h == host {
			return c
		}
	}
	return nil
}

// failoverStep looks whether the target has everything.
func (s *Server) failoverStep() {
	f := &s.failover
	if f.phase != failoverWaits {
		return
	}
	s.now = s.Host.UnixMilli()
	if f.until != 0 && f.until <= s.now {
		if !f.force {
			s.abortFailover("Replica never caught up before timeout")
			return
		}
		s.Host.Logf(LogNotice, "FAILOVER to %s:%d time out exceeded, failing over.", f.host, f.port)
		s.failOver()
		return
	}
	for _, c := range s.repl.replicas {
		host, port := c.announcedAddr()
		if c.replica.offset == s.Repl.Offset && c.replica.state == replicaOnline && port != 0 && (f.host == "" || f.host == host && f.port == port) {
			f.host, f.port = host, port
			s.Host.Logf(LogNotice, "Failover target %s:%d is synced, failing over.", host, port)
			s.failOver()
			return
		}
	}
	s.Host.After(failoverTick, s.failoverStep)
}

// failOver begins to follow the target.
func (s *Server) failOver() {
	s.failover.phase = failoverInProgress
	s.Follow(s.failover.host, s.failover.port)
}

// FailingOver tells whether the next PSYNC asks a replica to take over.
func (s *Server) FailingOver() bool { return s.failover.phase == failoverInProgress }

// FailoverEnded is called when the target has answered: it serves us as our master, or err says why it does not.
func (s *Server) FailoverEnded(err error) {
	switch {
	case s.failover.phase != failoverInProgress:
	case err != nil:
		s.abortFailover("Failover target rejected psync request: " + err.Error())
	default:
		s.endFailover()
	}
}

func (s *Server) abortFailover(why string) {
	f := &s.failover
	target := "any replica"
	if f.host != "" {
		target = f.host + ":" + strconv.Itoa(f.port)
	}
	s.Host.Logf(LogNotice, "FAILOVER to %s aborted: %s", target, why)
	if f.phase == failoverInProgress {
		s.Promote()
	}
	s.endFailover()
}

// endFailover lets the writes go on that waited.
func (s *Server) endFailover() {
	pause := s.failover.pause
	s.failover = failoverState{}
	s.paused.until, s.paused.all = pause.until, pause.all
	if pause.until <= s.Host.UnixMilli() {
		s.unpause()
	}
}
