package commands

import (
	"fmt"
	"math"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// The CLIENT family.

func clientIDCommand(c *Client) { c.addReplyLongLong(int64(c.id)) }
func clientGetnameCommand(c *Client) {
	if c.name == "" {
		c.addReplyNull()
		return
	}
	c.addReplyBulkString(c.name)
}

func clientSetnameCommand(c *Client) {
	if !validClientName(c.args[2]) {
		c.addReplyError(errClientName)
		return
	}
	c.name = c.arg(2)
	c.addReplyOK()
}

func clientSetinfoCommand(c *Client) {
	if !validClientName(c.args[3]) {
		c.addReplyError(c.arg(2) + " cannot contain spaces, newlines or special characters.")
		return
	}
	switch {
	case equalFold(c.args[2], "lib-name"):
		c.libName = c.arg(3)
	case equalFold(c.args[2], "lib-ver"):
		c.libVer = c.arg(3)
	default:
		c.addReplyError("Unrecognized option '" + cText(c.args[2]) + "'")
		return
	}
	c.addReplyOK()
}

func clientInfoCommand(c *Client) {
	c.addReplyVerbatim("txt", c.srv.describeClient(c)+"\n")
}

// clientTypeName is the class that CLIENT LIST TYPE and the output limits use.
func (c *Client) typeName() string {
	switch {
	case c.flags&flagMaster != 0:
		return "master"
	case c.flags&flagReplicaConn != 0:
		return "replica"
	case c.flags&flagPubSub != 0:
		return "pubsub"
	}
	return "normal"
}

func clientTypeByName(name []byte) (string, bool) {
	switch {
	case equalFold(name, "normal"):
		return "normal", true
	case equalFold(name, "slave"), equalFold(name, "replica"):
		return "replica", true
	case equalFold(name, "pubsub"):
		return "pubsub", true
	case equalFold(name, "master"):
		return "master", true
	}
	return "", false
}

// describeClient is one line of CLIENT LIST.
func (s *Server) describeClient(c *Client) string {
	flags := c.flagLetters()
	var sub, psub, ssub int
	if c.subs != nil {
		sub, psub, ssub = len(c.subs.channels.list), len(c.subs.patterns.list), len(c.subs.shard.list)
	}
	multi := -1
	multiMem := int64(0)
	if c.multi != nil {
		multi = len(c.multi.queue)
		multiMem = c.multi.bytes
	}
	var addr, laddr string
	fd, oll, omem := -1, 0, 0
	events := ""
	if c.conn != nil {
		addr, laddr, fd = c.conn.RemoteAddr(), c.conn.LocalAddr(), c.conn.Fd()
		omem = c.conn.Pending()
		events = "r"
		if omem > 0 {
			oll, events = 1, "rw"
		}
	}
	qbuf, qbufFree, argv := 0, 0, 0
	if c.reader != nil {
		qbuf = c.reader.Buffered()
		qbufFree = max(c.reader.BufferCap()-qbuf, 0)
	}
	for _, a := range c.args {
		argv += len(a)
	}
	cmd := "NULL"
	if c.lastCmd != nil {
		cmd = c.lastCmd.FullName
	}
	user := "(superuser)"
	if c.user != nil {
		user = c.user.Name
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d events=%s cmd=%s user=%s redir=%d resp=%d",
		c.id, addr, laddr, fd, c.name, (s.now-c.createdAt)/1000, (s.now-c.lastUsed)/1000, flags, c.db.ID,
		sub, psub, ssub, multi, qbuf, qbufFree, argv, multiMem, cap(c.out), cap(c.out), len(c.out), oll, omem, c.memory()+int64(cap(c.out)), events, cmd, user, c.trackingRedirect(), c.proto)
}

// flagLetters are the client's states as CLIENT LIST shows them.
func (c *Client) flagLetters() string {
	flags := ""
	if c.flags&flagMonitor != 0 {
		flags += "O"
	}
	if c.flags&flagMaster != 0 {
		flags += "M"
	}
	if c.flags&flagReplicaConn != 0 {
		flags += "S"
	}
	if c.flags&flagPubSub != 0 {
		flags += "P"
	}
	if c.flags&flagMulti != 0 {
		flags += "x"
	}
	if c.blocked != nil {
		flags += "b"
	}
	if c.flags&flagDirtyCAS != 0 {
		flags += "d"
	}
	if c.flags&flagCloseAfter != 0 {
		flags += "c"
	}
	if c.conn != nil && c.conn.IsUnix() {
		flags += "U"
	}
	if c.track != nil {
		flags += "t"
		if c.track.broken {
			flags += "R"
		}
		if c.track.bcast {
			flags += "B"
		}
	}
	if c.flags&flagReadOnly != 0 {
		flags += "r"
	}
	if c.flags&flagNoEvict != 0 {
		flags += "e"
	}
	if c.flags&flagNoTouch != 0 {
		flags += "T"
	}
	if flags == "" {
		flags = "N"
	}
	return flags
}

// clientFixedSize is what a connected client costs before it sends anything,
// bytes: this struct, its reader and the loop's connection.
const clientFixedSize = 900

func clientReplyCommand(c *Client) {
	switch {
	case equalFold(c.args[2], "on"):
		c.flags &^= flagReplyOff | flagReplySkip | flagReplySkipNxt
		c.addReplyOK()
	case equalFold(c.args[2], "off"):
		c.flags |= flagReplyOff
	case equalFold(c.args[2], "skip"):
		if c.flags&flagReplyOff == 0 {
			c.flags |= flagReplySkipNxt
		}
	default:
		c.addReplyErrorSyntax()
	}
}

func (c *Client) onOff(i int, flag clientFlags) {
	switch {
	case equalFold(c.args[i], "on"):
		c.flags |= flag
	case equalFold(c.args[i], "off"):
		c.flags &^= flag
	default:
		c.addReplyErrorSyntax()
		return
	}
	c.addReplyOK()
}

func clientNoEvictCommand(c *Client) { c.onOff(2, flagNoEvict) }
func clientNoTouchCommand(c *Client) { c.onOff(2, flagNoTouch) }

// pauseState is CLIENT PAUSE in force.
type pauseState struct {
	until     int64 // unix ms; 0 none
	all       bool  // not writes only
	postponed []*Client
}

func clientPauseCommand(c *Client) {
	all := true
	if len(c.args) == 4 {
		switch {
		case equalFold(c.args[3], "write"):
			all = false
		case equalFold(c.args[3], "all"):
		default:
			c.addReplyError("CLIENT PAUSE mode must be WRITE or ALL")
			return
		}
	}
	end, ok := c.timeoutArg(2, false)
	if !ok {
		return
	}
	p := &c.srv.paused
	if f := &c.srv.failover; f.phase != noFailover {
		p.all = p.all || all
		f.pause.until, f.pause.all = max(end, f.pause.until), all || f.pause.all
		c.addReplyOK()
		return
	}
	// A pause in force is not made weaker or shorter.
	if p.until > c.now() {
		all = all || p.all
		end = max(end, p.until)
	}
	p.until, p.all = end, all
	c.srv.Host.After((end-c.now())*1e6, c.srv.checkPause)
	c.addReplyOK()
}

func clientUnpauseCommand(c *Client) {
	if c.srv.failover.phase != noFailover {
		c.srv.failover.pause = pauseState{} // the failover's own pause goes on
	} else {
		c.srv.unpause()
	}
	c.addReplyOK()
}

func (s *Server) unpause() {
	s.paused.until = 0
	list := s.paused.postponed
	s.paused.postponed = nil
	for _, c := range list {
		c.flags &^= flagPostponed
		// In a turn of its own: inside the command that ends the pause its writes would not be propagated.
		s.Host.Again(func() {
			if c.flags&flagClosed == 0 {
				s.Host.Resume(c)
			}
		})
	}
}

func (s *Server) checkPause() {
	if s.paused.until != 0 && s.Host.UnixMilli() >= s.paused.until {
		s.unpause()
	}
}

// pausedNow holds the command back when a pause covers it. The command is put
// back into the client's reader, so that it runs first when the pause ends.
func (s *Server) pausedNow(c *Client, flags Flags) bool {
	over := s.now >= s.paused.until
	if over && s.ending == nil || c.flags&(flagInternal|flagReplicaConn) != 0 {
		return false
	}
	if over || !s.paused.all {
		if flags&(CmdWrite|CmdMayReplicate) == 0 {
			return false
		}
		switch c.cmd.FullName {
		case "eval", "evalsha", "fcall":
			if !s.redirectable(c.cmd, c.args) {
				return false // it says that it writes nothing
			}
		}
	}
	c.flags |= flagPostponed
	c.held = copyArgs(c.args)
	s.paused.postponed = append(s.paused.postponed, c)
	return true
}

// timeoutArg reads a timeout and returns the unix time in milliseconds at
// which it ends (0: never, for a timeout of 0). seconds allows fractions.
func (c *Client) timeoutArg(i int, seconds bool) (int64, bool) {
	var ms int64
	if seconds {
		f, ok := numeric.ParseLongDouble(c.args[i])
		if !ok {
			c.addReplyError("timeout is not a float or out of range")
			return 0, false
		}
		if ms, ok = f.CeilMillis(); !ok {
			ms = -1 // what overflows is negative, as in Redis
		}
	} else {
		n, ok := c.longArg(i, "timeout is not an integer or out of range")
		if !ok {
			return 0, false
		}
		ms = n
	}
	if ms < 0 {
		c.addReplyError("timeout is negative")
		return 0, false
	}
	if ms > 0 {
		// Beyond the end of time is never.
		ms = c.now() + min(ms, math.MaxInt64-c.now())
	}
	return ms, true
}

func clientUnblockCommand(c *Client) {
	withError := false
	if len(c.args) > 4 {
		c.addReplySubcommandSyntaxError()
		return
	}
	if len(c.args) == 4 {
		switch {
		case equalFold(c.args[3], "timeout"):
		case equalFold(c.args[3], "error"):
			withError = true
		default:
			c.addReplyError("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
			return
		}
	}
	id, ok := c.longArg(2, "")
	if !ok {
		return
	}
	t := c.srv.byID[uint64(id)]
	if t == nil || t.blocked == nil || t.blocked.onTimeout == nil {
		c.addReplyLongLong(0)
		return
	}
	b := t.blocked
	t.unblock(func() {
		if withError {
			t.addReplyError("-UNBLOCKED client unblocked via CLIENT UNBLOCK")
			return
		}
		b.onTimeout(t)
	})
	c.addReplyLongLong(1)
}

func clientHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"GETNAME", "    Answer the name of this connection.",
		"ID", "    Answer the number of this connection.",
		"INFO", "    Answer one line about this connection.",
		"KILL <ip:port>", "    Close the connection from that address.",
		"KILL <option> <value> [<option> <value> [...]]", "    Close the connections that all options select:",
		"    ADDR <ip:port>, LADDR <ip:port>, TYPE <normal|master|replica|pubsub>,",
		"    USER <name>, ID <number>, SKIPME <yes|no>.",
		"LIST [TYPE <type>|ID <number> [<number> ...]]", "    Answer one line about each connection.",
		"NO-EVICT <ON|OFF>", "    Keep this connection when memory of clients is reclaimed.",
		"PAUSE <milliseconds> [WRITE|ALL]", "    Hold back the commands of clients.",
		"REPLY <ON|OFF|SKIP>", "    Choose which commands are answered.",
		"SETNAME <name>", "    Name this connection.",
		"UNBLOCK <number> [TIMEOUT|ERROR]", "    Wake a blocked connection.",
		"UNPAUSE", "    End a pause.",
	})
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
