package commands

import (
	"bytes"
	"errors"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Process feeds the bytes that a client sent and executes every whole command
// in them. What remains is kept by the client's reader until more arrives.
// Replies are appended to the client's lent output (see Client.SetOutput).
//
// A client that is blocked, paused or closing keeps its unread input, which
// Resume executes later.
func (s *Server) Process(c *Client, in []byte) {
	c.bytesIn += int64(len(in))
	s.Stats.netInput += int64(len(in))
	if c.replica != nil {
		// While it loads it sends empty lines, to say that it lives.
		c.replica.ackAt = s.Host.UnixMilli()
	}
	c.reader.Feed(in)
	s.run(c)
	c.lastUsed = s.now
}

// Resume executes the commands that were held back while the client was
// blocked or paused.
func (s *Server) Resume(c *Client) {
	if c.reader == nil || c.flags&flagClosed != 0 {
		return
	}
	s.run(c)
}

// run executes what the client's reader holds. A command that finds the memory
// exhausted fails, and the next one runs: the server lives.
func (s *Server) run(c *Client) {
	s.now = s.Host.UnixMilli()
	s.monoNow = s.Host.Nanos()
	for s.runCommands(c) {
	}
	// The input that is left belongs to the caller: keep a copy of it.
	c.reader.Keep()
	if n := c.reader.Buffered(); n > 0 {
		s.recent.noteIn(n)
		if n > c.reader.QueryBufferLimit && c.holdsInput() {
			s.protocolError(c, resp.ErrQueryBufferLimit)
		}
	}
	if s.clientsMax > 0 {
		s.afterServing(c)
	}
}

// runCommands executes commands until there is none; true if it was cut short
// by exhausted memory.
func (s *Server) runCommands(c *Client) (again bool) {
	defer func() {
		if r := recover(); r != nil {
			s.outOfMemory(c, r)
			again = true
		}
	}()
	if c.held != nil && c.flags&flagPostponed == 0 && c.blocked == nil {
		c.args, c.held = c.held, nil
		s.Execute(c)
		c.args = nil
	}
	ahead := 0 // commands whose keys were looked at
	for c.flags&(flagCloseAfter|flagClosed|flagPostponed) == 0 && c.blocked == nil {
		if ahead--; ahead < 0 {
			ahead = s.lookAhead(c, c.reader) - 1
		}
		args, ok, err := c.reader.Next()
		if err != nil {
			s.protocolError(c, err)
			return false
		}
		if !ok {
			return false
		}
		if len(args) == 0 {
			continue
		}
		c.args = args
		s.Execute(c)
		c.args = nil
		if len(c.out) >= flushReplies && c.conn != nil {
			c.out = c.conn.Flush(c.out)
		}
	}
	return false
}

// flushReplies is how many bytes of replies a pipeline gathers before they are
// sent: small enough to stay in the cache, large enough to spare system calls.
const flushReplies = 64 << 10

// aheadCommands is how many commands of a pipeline are looked at together: their
// cache misses overlap, and what was loaded is still there when they run.
const aheadCommands = 16

// KeyPeeker gives the keys of commands that are about to be read.
type KeyPeeker interface{ Ahead(keys [][]byte) [][]byte }

// lookAhead starts to load what the next commands of a pipeline, or of the
// master's stream, will touch. It returns how many commands it looked at.
func (s *Server) lookAhead(c *Client, r KeyPeeker) int {
	if c.db.Len() < keyspace.PrefetchFrom {
		return aheadCommands
	}
	keys := r.Ahead(s.ahead[:0])
	c.db.Prefetch(keys)
	return max(len(keys), 1)
}

// LookAheadMaster does so for the stream; it returns after how many commands to
// call it again.
func (s *Server) LookAheadMaster(c *Client, r KeyPeeker) int { return s.lookAhead(c, r) }

// outOfMemory answers a command that the arena had no memory for; any other
// panic goes on.
func (s *Server) outOfMemory(c *Client, r any) {
	err, ok := r.(error)
	var oom *dict.OutOfMemoryError
	if !ok || !errors.As(err, &oom) {
		panic(r)
	}
	s.Host.Logf(LogWarning, "Out of memory while executing '%s': %v", c.cmdName(), err)
	s.current = nil
	s.propagatePending() // what it had done before
	c.args = nil
	c.addReplyError(errNoMemory)
}

// protocolError answers bytes that are not RESP and ends the connection.
func (s *Server) protocolError(c *Client, err error) {
	s.Stats.Protocol++
	if errors.Is(err, resp.ErrQueryBufferLimit) {
		s.Host.Logf(LogWarning, "Closing client that reached max query buffer length: %s", s.describeClient(c))
		c.closeAsync()
		return
	}
	c.addReplyError(err.Error())
	s.Host.Logf(LogVerbose, "Protocol error (%s) from client: %s", err, s.describeClient(c))
	c.closeAsync()
}

// Execute runs the command in c.args through the gates and, if they let it
// pass, calls its handler. It is Redis's processCommand.
func (s *Server) Execute(c *Client) {
	if c.flags&(flagReplyOff|flagReplySkip|flagReplySkipNxt) != 0 {
		s.executeQuietly(c)
		return
	}
	s.execute(c)
}

// executeQuietly honours CLIENT REPLY.
func (s *Server) executeQuietly(c *Client) {
	if c.flags&flagReplySkipNxt != 0 {
		c.flags = c.flags&^flagReplySkipNxt | flagReplySkip
	}
	c.maybeQuiet(func() { s.execute(c) })
	if c.blocked == nil {
		c.flags &^= flagReplySkip
	}
}

func (s *Server) execute(c *Client) {
	if c.redir != nil && len(c.redir.list) != 0 {
		s.behindRedirected(c)
		return
	}
	s.executeNow(c)
}

func (s *Server) executeNow(c *Client) {
	args := c.args
	cmd := s.lookup(c, args)
	if cmd == nil {
		return
	}
	c.cmd = cmd
	if (cmd.Arity > 0 && cmd.Arity != len(args)) || len(args) < -cmd.Arity {
		s.refuse(c, "wrong number of arguments for '"+cmd.FullName+"' command")
		return
	}
	if c.track != nil && c.track.caching && c.flags&flagMulti == 0 && c.lastCmd.FullName != "client|caching" {
		c.track.caching = false
	}
	c.lastCmd = cmd
	if !s.gates(c, cmd) || s.afterGates && (s.redirect(c, cmd) || s.limitsStaleness() && s.tooStale(c, cmd)) {
		return
	}
	if c.flags&flagMulti != 0 && cmd.Flags&cmdUnqueued == 0 {
		c.queueMultiCommand()
		return
	}
	s.call(c)
}

// gates are the refusals that precede every command, in Redis's order. They
// read the command's row only. A false return means that the refusal has been
// answered.
func (s *Server) gates(c *Client, cmd *Command) bool {
	flags := cmd.Flags
	if flags&CmdProtected != 0 && !s.protectedAllowed(c, cmd) {
		return s.refuse(c, protectedText(cmd.topName()))
	}
	if !c.authed && flags&CmdNoAuth == 0 && s.authRequired(c) {
		return s.refuse(c, errNoAuth)
	}
	if c.flags&flagMulti != 0 && flags&CmdNoMulti != 0 {
		return s.refuse(c, "Command not allowed inside a transaction")
	}
	if u := c.user; u != nil && !u.Unrestricted && !s.aclGate(c) {
		return false
	}
	obey := c.isMaster()
	effective := flags
	if cmd.isExec && c.multi != nil {
		effective |= c.multi.flags
	}
	if c.flags&flagCapaRedirect != 0 && s.redirectGate(c, effective) {
		return false
	}
	if s.clientsMax > 0 && c.flags&flagCloseAfter != 0 {
		return false // it was itself the largest client
	}
	if s.V.Maxmemory > 0 && s.memoryGate(c, effective) {
		return s.refuse(c, errOOM)
	}
	if effective&(CmdWrite|CmdMayReplicate) != 0 && !obey && !s.writeGate(c, effective) {
		return false
	}
	if c.flags&flagPubSub != 0 && c.proto == 2 && !cmd.pubsubContext {
		return s.refuse(c, "Can't execute '"+cmd.FullName+"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
	}
	if s.Following() {
		if effective&CmdStale == 0 && !s.V.ReplicaServeStaleData && !obey && !s.Host.Replication().Up {
			return s.refuse(c, errMasterDown)
		}
	}
	if s.Loading && flags&CmdLoading == 0 && !obey {
		return s.refuse(c, errLoading)
	}
	if s.Busy() && !obey && !s.busyGate(c) {
		return false
	}
	if c.flags&(flagMonitor|flagReplicaConn) != 0 && effective&(CmdReadonly|CmdWrite|CmdMayReplicate) != 0 {
		// Redis keeps monitors among its replicas.
		return s.refuse(c, "Replica can't interact with the keyspace")
	}
	if (s.paused.until != 0 || s.ending != nil) && !obey && s.pausedNow(c, effective) {
		return false
	}
	if s.snapshot != nil && !obey && s.waitForSnapshot(c, cmd) {
		return false
	}
	return true
}

// writeGate holds the gates that only writes pass: READONLY and NOREPLICAS.
func (s *Server) writeGate(c *Client, flags Flags) bool {
	if flags&CmdWrite == 0 {
		return true
	}
	if s.Following() && s.V.ReplicaReadOnly && !s.redirecting(c) {
		return s.refuse(c, errReadOnly)
	}
	if s.persist.failed && s.cannotPersist() && !s.redirecting(c) {
		return s.refuse(c, errMisconf)
	}
	if s.V.MinReplicasToWrite > 0 && s.tooFewReplicas() {
		return s.refuse(c, errNoReplicas)
	}
	return true
}

// Following tells whether a master is configured.
func (s *Server) Following() bool { return s.following }

// SetFollowing switches between the replica's rules and the master's: who
// decides about expiry, and whether clients may write.
func (s *Server) SetFollowing(f bool) {
	s.following = f
	s.sourceChanged()
}

// refuse answers a gate's refusal; queueing transactions are marked so that
// EXEC fails.
func (s *Server) refuse(c *Client, text string) bool {
	c.flagTransaction()
	s.reject(c.cmd)
	if c.cmd.isExec {
		// EXEC itself was refused: the transaction ends and says why.
		c.discardTransaction()
		c.addReplyError("-EXECABORT Transaction discarded because of: " + strings.TrimPrefix(text, "-"))
		return false
	}
	c.addReplyError(text)
	return false
}

func (s *Server) reject(cmd *Command) {
	if cmd != nil {
		s.cmdStats[cmd.ID].rejected++
	}
}

// lookup finds the command's row and answers when there is none.
func (s *Server) lookup(c *Client, args [][]byte) *Command {
	cmd, container := s.Table.LookupArgs(args)
	if cmd != nil {
		return cmd
	}
	c.flagTransaction()
	if container != nil {
		c.cmd = container
		c.addReplyError("unknown subcommand '" + string(cString(args[1], 128)) + "'. Try " + upper([]byte(container.FullName)) + " HELP.")
		return nil
	}
	c.cmd = nil
	name := args[0]
	if equalFold(name, "post") || equalFold(name, "host:") {
		s.crossProtocol(c)
		return nil
	}
	text := append([]byte("unknown command '"), cString(name, 128)...)
	text = append(text, "', with args beginning with: "...)
	n := 0
	for _, a := range args[1:] {
		if n >= 128 {
			break
		}
		a = cString(a, 128-n)
		text = append(text, '\'')
		text = append(text, a...)
		text = append(text, "' "...)
		n += len(a) + 3
	}
	c.addReplyError(string(text))
	return nil
}

// cText is an argument as C's "%s" shows it.
func cText(b []byte) string { return string(cString(b, len(b))) }

// cString cuts an argument as C's "%.*s" shows it: at a NUL, or after max bytes.
func cString(b []byte, max int) []byte {
	if len(b) > max {
		b = b[:max]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

// crossProtocol ends a connection over which somebody makes a browser speak
// HTTP to us: the lines of a request's body could be commands.
func (s *Server) crossProtocol(c *Client) {
	if s.monoNow-s.lastCrossProtocol > 60e9 || s.lastCrossProtocol == 0 {
		s.lastCrossProtocol = s.monoNow
		s.Host.Logf(LogWarning, "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. Connection from %s aborted.", s.describeClient(c))
	}
	c.out = c.out[:0]
	c.flags |= flagCloseAfter
	if c.conn != nil {
		c.conn.Close()
	}
}

// call runs the handler and accounts for it.
func (s *Server) call(c *Client) {
	cmd := c.cmd
	prev := s.current
	s.current = c
	c.failed = false
	begin := s.monoNow
	s.KS.Begin(s.now, s.expiryRule(c))
	if len(s.monitors) != 0 && cmd.Flags&CmdSkipMonitor != 0 {
		s.feedMonitors(c) // a script shows before the commands in it
	}
	dirty := s.dirty
	s.prop.as = 0
	cmd.Proc(c)
	if s.prop.on {
		s.propagateCall(c, dirty, prev == nil)
	}
	end := s.Host.Nanos()
	s.noteSlow(c, cmd, end-begin)
	if len(s.monitors) != 0 && cmd.Flags&(CmdSkipMonitor|CmdAdmin) == 0 {
		s.feedMonitors(c)
	}
	s.current = prev
	s.monoNow = end
	st := &s.cmdStats[cmd.ID]
	st.calls++
	st.nanos += end - begin
	if prev == nil {
		s.Stats.commandNanos += end - begin
	}
	if s.V.LatencyTracking {
		st.observe(end - begin)
	}
	if c.failed {
		st.failed++
	}
	s.Stats.Commands++
	c.commands++
	if c.flags&flagInternal == 0 {
		c.lastUsed = s.now
	}
	if s.tracking.clients != 0 {
		if cmd.Flags&CmdReadonly != 0 && (c.track != nil || c.flags&flagScript != 0) {
			s.trackRead(c, cmd)
		}
		if prev == nil {
			s.trackingAfterCommand(c)
			s.flushBroadcast()
		}
	}
	if len(s.readyKeys) != 0 && prev == nil && !s.servingBlocked {
		s.serveBlocked()
	}
}

// CallMaster applies one command of the master's stream. The gates do not
// apply; an unknown command is logged loudly, since from here on the data may
// differ from the master's.
func (s *Server) CallMaster(c *Client, args [][]byte) {
	if s.filter != nil {
		if args = s.filterCall(c, args); args == nil {
			return
		}
	}
	s.applyMaster(c, args)
	s.Stats.AppliedCommands++
}

func (s *Server) applyMaster(c *Client, args [][]byte) {
	c.args = args
	c.out = c.out[:0]
	s.execute(c)
	c.args = nil
}

// BeginStream sets the logical time for a stretch of the master's stream.
func (s *Server) BeginStream() {
	s.current = nil
	s.now = s.Host.UnixMilli()
	s.monoNow = s.Host.Nanos()
}
