package commands

import (
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
	"github.com/raniellyferreira/redis-inmemory-replica/scripting"
)

// Write redirection: on a read-only replica a client's write goes to the master,
// and the master's reply comes back as it is.
//
//	client ─► gates ─► redirect ─► Redirector ══► master
//	   ▲                  │ entry                    │
//	   └── deliver ◄── entries, in order ◄── Done ◄──┘
//
// Of each redirected command the client has an entry, in the order of its input.
// While there are entries only commands that are redirected too may follow: they
// go out behind the others, and a pipeline of writes needs one round trip. Anything
// else (a read) is held back until the entries are delivered, so replies keep their
// order, and a read after a write is executed after it.

// Redirector carries commands to the master. The loop calls it; nothing blocks.
type Redirector interface {
	// Do sends a command over a connection that it shares with others.
	Do(q *RedirectCall)
	// Session gives a connection to one client, for what is more than one command.
	Session(db, proto int) RedirectSession
}

// RedirectSession is a connection of one client. It is given back by Release, if it
// is as it was at the start, or by Close.
type RedirectSession interface {
	Do(q *RedirectCall)
	Release()
	Close()
}

// RedirectCall is what is sent: Wire, whose last reply of Replies is the answer.
// In a session First goes before it, and each of its replies must be OK.
type RedirectCall struct {
	DB, Proto    int
	First        []byte
	FirstReplies int
	Wire         []byte
	Replies      int
	Blocks       bool // the reply may take as long as it likes
	Offset       bool // tell the master's offset after it, too
	// Done is called once, on the loop, in a later turn.
	Done func(RedirectResult)
}

// RedirectResult is how a call ended: with the master's reply, or an error. With
// Sent the outcome is unknown, without it nothing was executed. Offset is -1 if it is
// not known.
type RedirectResult struct {
	Reply  []byte
	Err    error
	Sent   bool
	Offset int64
	ReplID string
}

// RedirectStats are INFO's counters.
type RedirectStats struct {
	Commands int64 // sent, or tried to
	Unsent   int64 // failed without having been sent
	Unknown  int64 // failed with an unknown outcome
	Late     int64 // replies given before this replica had applied the write
}

// redirState is what a client has under way at the master.
type redirState struct {
	list []*redirEntry // not delivered yet, in order
	// alone: the last entry must be done before anything else is sent.
	alone bool
	// session is in use by the last entry. watch holds what WATCH watches.
	session    RedirectSession
	watch      RedirectSession
	watchDB    int // selected in it
	watchProto int
}

type redirEntry struct {
	reply []byte
	err   string // instead
	done  bool
	quiet bool // CLIENT REPLY says that the client wants none
}

// maxRedirected bounds what one client has under way.
const maxRedirected = 128

// redirecting tells whether this client's writes go to the master.
func (s *Server) redirecting(c *Client) bool {
	return s.V.WriteRedirection && s.following && s.V.ReplicaReadOnly && s.Redirect != nil &&
		c.conn != nil && c.flags&(flagMaster|flagScript|flagInternal) == 0
}

// redirectable tells whether a command is one for the master: a write, a message,
// a script that may write.
func (s *Server) redirectable(cmd *Command, args [][]byte) bool {
	if cmd.Flags&CmdWrite != 0 {
		return true
	}
	if cmd.Flags&CmdMayReplicate == 0 {
		return false
	}
	switch cmd.FullName {
	case "publish", "spublish":
		return true
	case "eval":
		if len(args[1]) < 2 || string(args[1][:2]) != "#!" {
			return true
		}
		sc, err := s.scripts().load(args[1], false)
		return err == nil && sc.Flags&scripting.NoWrites == 0 // an error is told here
	case "evalsha":
		sc := s.scripts().find(args[1])
		return sc == nil || !sc.Shebang || sc.Flags&scripting.NoWrites == 0
	case "fcall":
		fn := s.functions.byName[string(args[1])]
		if fn == nil {
			fn = s.functions.find(args[1])
		}
		return fn == nil || fn.Script().Flags&scripting.NoWrites == 0
	}
	return false
}

// redirect sends the command in c.args to the master if it is one for it. The gates
// have let it pass.
func (s *Server) redirect(c *Client, cmd *Command) bool {
	if !s.redirecting(c) {
		return false
	}
	switch {
	case cmd.isExec:
		return s.redirectExec(c)
	case c.flags&flagMulti != 0:
		return false
	case cmd.FullName == "watch":
		s.redirectWatch(c)
		return true
	case !s.redirectable(cmd, c.args):
		return false
	}
	if text := c.redirectDenied(cmd, c.args); text != "" {
		s.refuse(c, text)
		return true
	}
	s.noteRedirected(c, cmd)
	e, st := c.redirEntry()
	q := &RedirectCall{
		DB: c.db.ID, Proto: c.proto, Wire: appendCall(nil, c.args), Replies: 1, Offset: s.V.RedirectWait,
		Done: func(res RedirectResult) { s.redirected(c, e, res) },
	}
	switch {
	case cmd.Flags&CmdBlocking != 0:
		q.Blocks = true
		sess := s.Redirect.Session(q.DB, q.Proto)
		st.alone, st.session = true, sess
		q.Done = func(res RedirectResult) {
			if res.Err == nil {
				c.endSession(sess, false)
			} else {
				c.endSession(sess, true)
			}
			s.redirected(c, e, res)
		}
		sess.Do(q)
		return true
	case cmd.FullName == "evalsha":
		// The script may be known here only: then its text goes instead, since
		// NOSCRIPT says that nothing was executed.
		if sc := s.scripts().find(c.args[1]); sc != nil {
			st.alone = true
			args := copyArgs(c.args)
			again := *q
			q.Done = func(res RedirectResult) {
				if res.Err != nil || !strings.HasPrefix(string(res.Reply[:min(len(res.Reply), 10)]), "-NOSCRIPT ") || c.flags&flagClosed != 0 {
					s.redirected(c, e, res)
					return
				}
				args[0], args[1] = []byte("EVAL"), []byte(sc.Text)
				again.Wire = appendCall(nil, args)
				s.Redirect.Do(&again)
			}
		}
	}
	s.Redirect.Do(q)
	return true
}

// redirectDenied is the refusal of a command that the gates let pass, and whose
// handler would look at the user's permissions once more: the master does not know
// the user. "" if there is nothing to refuse.
func (c *Client) redirectDenied(cmd *Command, args [][]byte) string {
	if c.user == nil || c.user.Unrestricted {
		return ""
	}
	switch cmd.FullName {
	case "eval", "evalsha", "fcall":
		return "-NOPERM Write redirection: a script would run at the master with another user's permissions, so a user with restricted permissions cannot send one."
	case "sort":
		if sortDereferences(args) && !c.readsAllKeys() {
			return "-NOPERM Write redirection: BY or GET option of SORT denied due to insufficient ACL permissions."
		}
	}
	return ""
}

// noteRedirected accounts for a command that is executed elsewhere.
func (s *Server) noteRedirected(c *Client, cmd *Command) {
	if len(s.monitors) != 0 && cmd.Flags&CmdAdmin == 0 {
		s.feedMonitors(c)
	}
	s.Redirects.Commands++
	s.Stats.Commands++
	s.cmdStats[cmd.ID].calls++
	c.commands++
	c.lastUsed = s.now
}

// redirEntry adds an entry for the command in execution.
func (c *Client) redirEntry() (*redirEntry, *redirState) {
	if c.redir == nil {
		c.redir = &redirState{}
	}
	e := &redirEntry{quiet: c.flags&(flagReplyOff|flagReplySkip) != 0}
	c.redir.list = append(c.redir.list, e)
	return e, c.redir
}

// appendCall appends a command in RESP.
func appendCall(dst []byte, args [][]byte) []byte {
	if dst == nil {
		dst = make([]byte, 0, respSize(args))
	}
	dst = resp.AppendArray(dst, len(args))
	for _, a := range args {
		dst = resp.AppendBulk(dst, a)
	}
	return dst
}

// behindRedirected deals with a command that follows redirected ones whose replies
// have not come: it goes to the master too, or it is held back.
func (s *Server) behindRedirected(c *Client) {
	st := c.redir
	cmd, _ := s.Table.LookupArgs(c.args)
	if cmd == nil || st.alone || len(st.list) >= maxRedirected || c.flags&(flagMulti|flagReplyOff|flagReplySkip) != 0 ||
		cmd.Flags&CmdBlocking != 0 || cmd.FullName == "evalsha" || !s.redirecting(c) || len(c.args) < 2 || !s.redirectable(cmd, c.args) {
		c.held = copyArgs(c.args)
		c.block(&blockedState{cmd: cmd, redirected: true})
		return
	}
	start := len(c.out)
	s.executeNow(c)
	if len(c.out) > start {
		// A gate refused it: the refusal has its place in the order, too.
		st.list = append(st.list, &redirEntry{reply: append([]byte(nil), c.out[start:]...), done: true})
		c.out = c.out[:start]
	}
}

// redirected takes the result of one command.
func (s *Server) redirected(c *Client, e *redirEntry, res RedirectResult) {
	switch {
	case res.Err != nil && res.Sent:
		s.Redirects.Unknown++
		e.err = "-OUTCOMEUNKNOWN Write redirection: the connection to the master broke after the command was sent (" + oneLine(res.Err) + "). It may or may not have been executed."
	case res.Err != nil:
		s.Redirects.Unsent++
		e.err = "-MASTERDOWN Write redirection: the master cannot be reached (" + oneLine(res.Err) + "). The command was not sent."
	default:
		e.reply = res.Reply
		if s.V.RedirectWait && res.Reply[0] != '-' {
			s.afterOffset(res, func(applied bool) {
				if !applied {
					s.Redirects.Late++
				}
				s.deliverEntry(c, e)
			})
			return
		}
	}
	s.deliverEntry(c, e)
}

// afterOffset calls fn once this replica has applied what the master had done by
// the end of the command, or with false when it takes too long.
func (s *Server) afterOffset(res RedirectResult, fn func(applied bool)) {
	if res.Offset < 0 {
		fn(false)
		return
	}
	if s.reached(res.ReplID, res.Offset) {
		fn(true)
		return
	}
	s.waitOffset(&offsetWait{id: res.ReplID, offset: res.Offset, due: s.Host.UnixMilli() + int64(s.V.RedirectWaitTimeout), fn: fn})
}

func oneLine(err error) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, err.Error())
}

// deliverEntry marks an entry as done and gives the client what is due in order.
func (s *Server) deliverEntry(c *Client, e *redirEntry) {
	e.done = true
	st := c.redir
	if c.flags&flagClosed != 0 || st == nil || len(st.list) == 0 || !st.list[0].done {
		return
	}
	n := 0
	for n < len(st.list) && st.list[n].done {
		n++
	}
	due := st.list[:n]
	st.list = st.list[n:]
	s.now = s.Host.UnixMilli()
	c.lastUsed = s.now
	s.Host.Answer(c, func() {
		for _, e := range due {
			switch {
			case e.quiet:
			case e.err != "":
				c.addReplyError(e.err)
			default:
				c.out = append(c.out, e.reply...)
			}
		}
	})
	if len(st.list) > 0 || c.flags&flagClosed != 0 {
		return
	}
	st.list, st.alone, st.session = nil, false, nil
	if st.watch == nil {
		c.redir = nil
	}
	if c.blocked != nil && c.blocked.redirected {
		c.forgetBlocked()
		s.Host.Resume(c)
	}
}

// endSession gives a session back that a command had to itself.
func (c *Client) endSession(sess RedirectSession, spoiled bool) {
	if c.redir != nil && c.redir.session == sess {
		c.redir.session = nil
	} else if c.flags&flagClosed != 0 {
		return // closed with the client
	}
	if spoiled {
		sess.Close()
	} else {
		sess.Release()
	}
}

// dropRedirected ends what a client that is gone has under way.
func (c *Client) dropRedirected() {
	st := c.redir
	if st == nil {
		return
	}
	c.redir = nil
	if st.session != nil {
		st.session.Close()
	}
	if st.watch != nil {
		st.watch.Close()
	}
}

// dropRemoteWatch forgets what WATCH watches at the master.
func (c *Client) dropRemoteWatch() {
	st := c.redir
	if st == nil || st.watch == nil {
		return
	}
	st.watch.Close()
	st.watch = nil
	if len(st.list) == 0 {
		c.redir = nil
	}
}

// selectWire is SELECT for a session that stands in another database.
func selectWire(dst []byte, db int) []byte {
	return appendCall(dst, [][]byte{[]byte("SELECT"), strconv.AppendInt(nil, int64(db), 10)})
}

// redirectWatch watches at the master, in a session that EXEC will use. The reply
// waits until this replica has applied what the master had done by then: a read that
// follows sees at least that, and whatever changes later makes EXEC fail.
func (s *Server) redirectWatch(c *Client) {
	s.noteRedirected(c, c.cmd)
	e, st := c.redirEntry()
	q := &RedirectCall{DB: c.db.ID, Proto: c.proto, Wire: appendCall(nil, c.args), Replies: 1, Offset: true}
	switch {
	case st.watch == nil:
		st.watch, st.watchDB, st.watchProto = s.Redirect.Session(c.db.ID, c.proto), c.db.ID, c.proto
	case st.watchDB != c.db.ID:
		q.First, q.FirstReplies = selectWire([]byte{}, c.db.ID), 1
		st.watchDB = c.db.ID
	}
	st.alone = true
	sess := st.watch
	lost := func(res RedirectResult) {
		if c.redir != nil && c.redir.watch == sess {
			c.redir.watch = nil
			sess.Close()
		}
		if res.Err != nil {
			s.redirected(c, e, res)
			return
		}
		s.deliverEntry(c, e)
	}
	q.Done = func(res RedirectResult) {
		if res.Err != nil || res.Reply[0] != '+' {
			res.Sent = false // watching nothing any more is certain
			e.reply = res.Reply
			lost(res)
			return
		}
		e.reply = res.Reply
		s.afterOffset(res, func(applied bool) {
			if applied {
				s.deliverEntry(c, e)
				return
			}
			e.err = "-MASTERDOWN Write redirection: this replica is behind its master, so WATCH is not in force."
			if res.Offset < 0 {
				e.err = "-MASTERDOWN Write redirection: the master does not tell its offset (INFO replication), so WATCH is not in force."
			}
			lost(RedirectResult{})
		})
	}
	sess.Do(q)
}

// redirectExec sends a transaction that writes, or that watches, as a unit. MULTI
// goes first and alone: were it refused, its commands would be executed one by one.
func (s *Server) redirectExec(c *Client) bool {
	m := c.multi
	if m == nil || c.flags&(flagDirtyExec|flagDirtyCAS) != 0 || len(c.watch) != 0 {
		if len(c.watch) != 0 {
			c.flags |= flagDirtyCAS // watched here, before redirection was turned on
		}
		return false
	}
	watching := c.redir != nil && c.redir.watch != nil
	there := watching
	for i := range m.queue {
		q := &m.queue[i]
		there = there || s.redirectable(q.cmd, q.args)
	}
	if !there {
		return false
	}
	db := c.db.ID
	for i := range m.queue {
		q := &m.queue[i]
		if own := q.cmd.Flags&CmdPubSub != 0 && !s.redirectable(q.cmd, q.args) || q.cmd.Group == GroupConnection; !own {
			continue
		}
		switch q.cmd.FullName {
		case "ping", "echo":
			continue
		case "select":
			if n, err := strconv.Atoi(string(q.args[1])); err == nil && n >= 0 && n < s.KS.Databases() {
				db = n
			}
			continue
		}
		name := q.cmd.FullName
		c.discardTransaction()
		c.addReplyError("-EXECABORT Transaction discarded because of: '" + name + "' belongs to this connection and cannot be redirected together with writes")
		return true
	}
	for i := range m.queue {
		q := &m.queue[i]
		text := c.redirectDenied(q.cmd, q.args)
		if d, _ := s.aclCheck(c.user, q.cmd, q.args); d != notDenied {
			text = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: " + denialInExec[d]
		}
		if text != "" {
			c.discardTransaction()
			c.addReplyError("-EXECABORT Transaction discarded because of: " + text[1:])
			return true
		}
	}
	s.noteRedirected(c, c.cmd)
	q := &RedirectCall{DB: c.db.ID, Proto: c.proto, Offset: s.V.RedirectWait, Replies: len(m.queue) + 1}
	e, st := c.redirEntry()
	sess := st.watch
	spoiled := db != c.db.ID
	lost := false
	if sess == nil {
		sess = s.Redirect.Session(q.DB, q.Proto)
	} else {
		lost = st.watchProto != c.proto
		if st.watchDB != q.DB {
			q.First, q.FirstReplies = selectWire(nil, q.DB), 1
		}
		spoiled = true // it may have been in several databases
		st.watch = nil
	}
	q.First = append(q.First, "*1\r\n$5\r\nMULTI\r\n"...)
	q.FirstReplies++
	for i := range m.queue {
		q.Wire = appendCall(q.Wire, m.queue[i].args)
	}
	q.Wire = append(q.Wire, "*1\r\n$4\r\nEXEC\r\n"...)
	c.discardTransaction()
	c.redir = st
	st.alone, st.session = true, sess
	q.Done = func(res RedirectResult) {
		c.endSession(sess, spoiled || res.Err != nil || res.Reply[0] == '-')
		if watching && res.Err != nil && !res.Sent {
			// The session broke, and with it what it watched: as if a key had changed.
			res = RedirectResult{Reply: resp.AppendNullArray(nil, c.proto), Offset: -1}
		}
		if res.Err == nil && len(res.Reply) > 1 && res.Reply[0] == '*' && res.Reply[1] != '-' {
			c.selectDB(db)
		}
		s.redirected(c, e, res)
	}
	if lost {
		sess.Close()
		st.session = nil
		e.reply, e.done = resp.AppendNullArray(nil, c.proto), true
		st.list, st.alone = nil, false
		c.redir = nil
		c.out = append(c.out, e.reply...)
		return true
	}
	sess.Do(q)
	return true
}

// infoRedirect is the part of INFO replication about redirection.
func (s *Server) infoRedirect(b *strings.Builder) {
	if !s.V.WriteRedirection {
		return
	}
	st := &s.Redirects
	line(b, "write_redirection_commands", st.Commands)
	line(b, "write_redirection_unsent", st.Unsent)
	line(b, "write_redirection_unknown", st.Unknown)
	line(b, "write_redirection_late", st.Late)
}
