package commands

// Transactions: MULTI queues, EXEC runs the queue as one, WATCH makes EXEC
// depend on keys that nobody changed.

// multiState is the queue of an open transaction.
type multiState struct {
	queue []queuedCommand
	flags Flags // union of the flags of the queued commands
	bytes int64
}

type queuedCommand struct {
	cmd  *Command
	args [][]byte
}

func multiCommand(c *Client) {
	if c.flags&flagMulti != 0 {
		c.addReplyError("MULTI calls can not be nested")
		return
	}
	c.flags |= flagMulti
	c.multi = &multiState{}
	c.addReplyOK()
}

// queueMultiCommand keeps a copy of the command for EXEC: the arguments are
// views into input that is gone by then.
func (c *Client) queueMultiCommand() {
	if c.flags&(flagDirtyCAS|flagDirtyExec) != 0 {
		// EXEC will not run it anyway.
		c.addReplyStatus("QUEUED")
		return
	}
	args := copyArgs(c.args)
	total := 0
	for _, a := range args {
		total += len(a)
	}
	c.multi.queue = append(c.multi.queue, queuedCommand{c.cmd, args})
	c.multi.flags |= c.cmd.Flags
	c.multi.bytes += int64(total)
	c.addReplyStatus("QUEUED")
}

// copyArgs copies arguments into one block of their own.
func copyArgs(from [][]byte) [][]byte {
	total := 0
	for _, a := range from {
		total += len(a)
	}
	buf := make([]byte, 0, total)
	args := make([][]byte, len(from))
	for i, a := range from {
		n := len(buf)
		buf = append(buf, a...)
		args[i] = buf[n:len(buf):len(buf)]
	}
	return args
}

// flagTransaction makes a later EXEC fail because a command was refused.
func (c *Client) flagTransaction() {
	if c.flags&flagMulti != 0 {
		c.flags |= flagDirtyExec
	}
}

// discardTransaction leaves the transaction and forgets the watched keys.
func (c *Client) discardTransaction() {
	c.multi = nil
	c.flags &^= flagMulti | flagDirtyCAS | flagDirtyExec
	c.unwatchAll()
}

func discardCommand(c *Client) {
	if c.flags&flagMulti == 0 {
		c.addReplyError("DISCARD without MULTI")
		return
	}
	c.discardTransaction()
	c.addReplyOK()
}

func execCommand(c *Client) {
	if c.flags&flagMulti == 0 {
		c.addReplyError("EXEC without MULTI")
		return
	}
	if c.watchedExpired() {
		c.flags |= flagDirtyCAS
	}
	if c.flags&(flagDirtyCAS|flagDirtyExec) != 0 {
		aborted := c.flags&flagDirtyExec != 0
		c.discardTransaction()
		if aborted {
			c.addReplyError(errExecAbort)
		} else {
			c.addReplyNullArray()
		}
		return
	}
	c.unwatchAll()
	if m := c.multi; m.flags&CmdSkipMonitor != 0 { // scripts, which may have to step aside
		c.srv.scripts().host(c, func() { c.runQueue(m) })
	} else {
		c.runQueue(m)
	}
}

// runQueue executes what was queued.
func (c *Client) runQueue(m *multiState) {
	args, cmd := c.args, c.cmd
	c.flags |= flagExecuting | flagDenyBlocking
	c.addReplyArrayLen(len(m.queue))
	for i := range m.queue {
		q := &m.queue[i]
		c.args, c.cmd = q.args, q.cmd
		if d, at := c.srv.aclCheck(c.user, q.cmd, q.args); d != notDenied {
			// The rules changed since the command was queued.
			c.srv.logDenial(c, d, "multi", c.deniedObject(d, at), c.user.Name)
			c.addReplyError("-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: " + denialInExec[d])
			continue
		}
		c.srv.call(c)
		if len(c.out) >= flushReplies && c.conn != nil && c.flags&(flagReplyOff|flagReplySkip|flagClosed) == 0 {
			c.out = c.conn.Flush(c.out)
		}
	}
	c.args, c.cmd = args, cmd
	c.flags &^= flagExecuting | flagDenyBlocking
	c.failed = false
	c.discardTransaction()
}

// watchID names a watched key.
type watchID struct {
	db  int
	key string
}

// watchedKey is one key watched by one client.
type watchedKey struct {
	id watchID
	c  *Client
	// expired is set when the key had already expired at the time of WATCH: its
	// disappearance is then no change.
	expired bool
}

func watchCommand(c *Client) {
	if c.flags&flagMulti != 0 {
		c.addReplyError("WATCH inside MULTI is not allowed")
		return
	}
	if c.flags&flagDirtyCAS == 0 {
		for _, k := range c.args[1:] {
			c.watchKey(k)
		}
	}
	c.addReplyOK()
}

func unwatchCommand(c *Client) {
	c.unwatchAll()
	c.flags &^= flagDirtyCAS
	c.addReplyOK()
}

func (c *Client) watchKey(key []byte) {
	id := watchID{c.db.ID, string(key)}
	for _, w := range c.watch {
		if w.id == id {
			return
		}
	}
	w := &watchedKey{id: id, c: c, expired: c.db.IsExpired(key)}
	c.watch = append(c.watch, w)
	c.srv.watchedKeys[id] = append(c.srv.watchedKeys[id], w)
}

func (c *Client) unwatchAll() {
	c.dropRemoteWatch()
	for _, w := range c.watch {
		list := c.srv.watchedKeys[w.id]
		for i, x := range list {
			if x == w {
				list[i] = list[len(list)-1]
				list = list[:len(list)-1]
				break
			}
		}
		if len(list) == 0 {
			delete(c.srv.watchedKeys, w.id)
		} else {
			c.srv.watchedKeys[w.id] = list
		}
	}
	c.watch = nil
}

// watchedExpired tells whether a watched key has expired since WATCH.
func (c *Client) watchedExpired() bool {
	for _, w := range c.watch {
		if !w.expired && c.srv.KS.DB(w.id.db).IsExpired([]byte(w.id.key)) {
			return true
		}
	}
	return false
}

// touchWatched marks the transactions that watch one key.
func (s *Server) touchWatched(db int, key []byte) {
	for _, w := range s.watchedKeys[watchID{db, string(key)}] {
		if w.expired && !s.KS.DB(db).Exists(key) {
			// The key was dead when it was watched; that it is now gone is
			// what the client saw already.
			w.expired = false
			continue
		}
		w.c.flags |= flagDirtyCAS
	}
}

// touchWatchedDB marks the transactions that watch a key which exists in a
// database that is about to be emptied.
func (s *Server) touchWatchedDB(db int) {
	for id, list := range s.watchedKeys {
		if id.db != db {
			continue
		}
		s.touchList(id, list, func(key []byte) bool { return s.KS.DB(db).Exists(key) })
	}
}

// touchWatchedDBs does so for two databases that are about to be exchanged: a
// key counts as changed when it exists on either side.
func (s *Server) touchWatchedDBs(a, b int) {
	for id, list := range s.watchedKeys {
		if id.db != a && id.db != b {
			continue
		}
		s.touchList(id, list, func(key []byte) bool {
			return s.KS.DB(a).Exists(key) || s.KS.DB(b).Exists(key)
		})
	}
}

// touchAllWatched marks every transaction that watches an existing key.
func (s *Server) touchAllWatched() {
	for id, list := range s.watchedKeys {
		s.touchList(id, list, func(key []byte) bool { return s.KS.DB(id.db).Exists(key) })
	}
}

func (s *Server) touchList(id watchID, list []*watchedKey, exists func([]byte) bool) {
	if !exists([]byte(id.key)) {
		return
	}
	for _, w := range list {
		if !w.expired {
			w.c.flags |= flagDirtyCAS
		}
	}
}
