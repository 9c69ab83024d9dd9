package commands

import (
	"fmt"
)

// The slow log: the last commands that ran longer than slowlog-log-slower-than.

const (
	slowlogMaxArgs   = 32
	slowlogMaxString = 128
	slowlogDefault   = 10 // entries that GET returns
)

// slowlogEntry is one command as the log keeps it: long arguments and many of
// them are cut.
type slowlogEntry struct {
	id       int64
	when     int64 // unix seconds
	micros   int64
	args     []string
	addr     string
	clientID string // name of the connection
}

// slowlog keeps its entries from the oldest to the newest.
type slowlog struct {
	entries []slowlogEntry
	nextID  int64
}

// noteSlow enters a command that has just run in the slow log and the latency
// monitor, if it took long enough.
func (s *Server) noteSlow(c *Client, cmd *Command, nanos int64) {
	micros := nanos / 1000
	if limit := s.V.SlowlogLogSlowerThan; limit >= 0 && micros >= limit && cmd.Flags&CmdSkipSlowlog == 0 {
		s.slowlog.push(c, cmd, micros, s.now/1000, s.V.SlowlogMaxLen)
	}
	event := "command"
	if cmd.Flags&CmdFast != 0 {
		event = "fast-command"
	}
	s.noteLatency(event, nanos)
}

func (l *slowlog) push(c *Client, cmd *Command, micros, now, maxLen int64) {
	e := slowlogEntry{id: l.nextID, when: now, micros: micros, clientID: c.name, addr: c.peer()}
	l.nextID++
	n := len(c.args)
	hidden := c.secretArgs(cmd)
	if n > slowlogMaxArgs {
		n = slowlogMaxArgs - 1
	}
	e.args = make([]string, 0, slowlogMaxArgs)
	for i, a := range c.args[:n] {
		switch {
		case hidden.has(i):
			e.args = append(e.args, redacted)
		case len(a) > slowlogMaxString:
			e.args = append(e.args, fmt.Sprintf("%s... (%d more bytes)", a[:slowlogMaxString], len(a)-slowlogMaxString))
		default:
			e.args = append(e.args, string(a))
		}
	}
	if n < len(c.args) {
		e.args = append(e.args, fmt.Sprintf("... (%d more arguments)", len(c.args)-n))
	}
	l.entries = append(l.entries, e)
	if over := int64(len(l.entries)) - maxLen; over > 0 {
		clear(l.entries[:over]) // let go of the strings
		l.entries = l.entries[over:]
	}
}

// peer is the address of the client as the slow log and MONITOR show it; empty
// for the server's own clients.
func (c *Client) peer() string {
	if c.conn != nil {
		return c.conn.RemoteAddr()
	}
	if c.isMaster() {
		l := c.srv.Host.Replication()
		return fmt.Sprintf("%s:%d", l.Host, l.Port)
	}
	return ""
}

const redacted = "(redacted)"

// argSet is a set of positions of arguments.
type argSet struct {
	from int // this and all behind it, if > 0
	list []int
}

func (a *argSet) has(i int) bool {
	if a.from > 0 && i >= a.from {
		return true
	}
	for _, j := range a.list {
		if i == j {
			return true
		}
	}
	return false
}

// secretArgs are the arguments of the command in execution that logs and monitors
// must not show.
func (c *Client) secretArgs(cmd *Command) argSet {
	switch cmd.FullName {
	case "auth":
		return argSet{from: 1}
	case "acl|setuser", "acl|deluser", "acl|getuser":
		return argSet{from: 2}
	case "hello":
		for j := 2; j < len(c.args); j++ {
			if equalFold(c.args[j], "auth") && j+2 < len(c.args) {
				return argSet{list: []int{j + 1, j + 2}}
			}
		}
	case "config|set":
		var set argSet
		for j := 2; j+1 < len(c.args); j += 2 {
			if c.srv.Conf.IsSensitive(string(c.args[j])) {
				set.list = append(set.list, j+1)
			}
		}
		return set
	case "migrate":
		for j := 6; j < len(c.args); j++ {
			if equalFold(c.args[j], "auth") || equalFold(c.args[j], "auth2") {
				return argSet{from: j + 1}
			}
		}
	}
	return argSet{}
}

func slowlogGetCommand(c *Client) {
	l := &c.srv.slowlog
	count := int64(slowlogDefault)
	if len(c.args) > 3 {
		c.addReplySubcommandSyntaxError()
		return
	}
	if len(c.args) == 3 {
		var ok bool
		if count, ok = c.rangeArg(2, -1, 1<<63-1, "count should be greater than or equal to -1"); !ok {
			return
		}
	}
	if n := int64(len(l.entries)); count == -1 || count > n {
		count = n
	}
	c.addReplyArrayLen(int(count))
	for i := range int(count) {
		e := &l.entries[len(l.entries)-1-i]
		c.addReplyArrayLen(6)
		c.addReplyLongLong(e.id)
		c.addReplyLongLong(e.when)
		c.addReplyLongLong(e.micros)
		c.addReplyArrayLen(len(e.args))
		for _, a := range e.args {
			c.addReplyBulkString(a)
		}
		c.addReplyBulkString(e.addr)
		c.addReplyBulkString(e.clientID)
	}
}

func slowlogLenCommand(c *Client) { c.addReplyLongLong(int64(len(c.srv.slowlog.entries))) }

func slowlogResetCommand(c *Client) {
	c.srv.slowlog.entries = nil
	c.addReplyOK()
}

func slowlogHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"GET [<count>]", "    Answer the newest <count> entries (10 if not given, -1: all):",
		"    id, unix time, microseconds, arguments, address and name of the client.",
		"LEN", "    Answer the number of entries.",
		"RESET", "    Forget all entries.",
	})
}
