package commands

// Blocking commands.
//
// A command that finds nothing to answer with (BLPOP on empty lists, XREAD BLOCK
// past the end of a stream) suspends its client on the keys it looked at:
//
//	keys     (db, key) ──► clients in the order in which they blocked
//	ready    keys that changed since the last look, each once
//
// Every write ends in signalModifiedKey, which notes the keys that somebody
// waits for. When the outermost command is done, the clients of each ready key
// run their command again, first come first served: it either answers, and the
// client goes on, or blocks again in its old place. So it does not matter
// whether a client's write, a script, a transaction or the master's stream
// brought the element.

// blockedState is what a suspended client waits for.
type blockedState struct {
	keys     []watchID
	cmd      *Command
	args     [][]byte // copy of the command, run again when a key is ready
	deadline int64    // unix ms; 0 none
	// onTimeout answers when the time is up; onUnblock when CLIENT UNBLOCK or a
	// change of role ends the wait (nil: as a timeout).
	onTimeout func(c *Client)
	onRole    bool // end the wait with -UNBLOCKED when the server becomes a replica
}

// blockForKeys suspends the client on keys of its database until one changes,
// or until deadline (unix ms, 0 for never), when onTimeout answers. Called again
// while a blocked command is retried it keeps the client's place and deadline.
func (c *Client) blockForKeys(keys [][]byte, deadline int64, onTimeout func(c *Client)) {
	if c.retrying != nil {
		c.blocked = c.retrying
		return
	}
	b := &blockedState{cmd: c.cmd, args: copyArgs(c.args), deadline: deadline, onTimeout: onTimeout, onRole: c.cmd.Flags&CmdWrite != 0}
	s := c.srv
	for _, k := range keys {
		id := watchID{c.db.ID, string(k)}
		list := s.blockedOn[id]
		if len(list) > 0 && list[len(list)-1] == c {
			continue // the same key twice
		}
		s.blockedOn[id] = append(list, c)
		b.keys = append(b.keys, id)
	}
	c.block(b)
}

// block suspends the client until unblock, or until the deadline passes.
func (c *Client) block(b *blockedState) {
	c.blocked = b
	c.srv.blockedCount++
	if b.deadline != 0 {
		c.srv.Host.After((b.deadline-c.now())*1e6, func() {
			if c.blocked == b && c.flags&flagClosed == 0 {
				c.unblock(func() { b.onTimeout(c) })
			}
		})
	}
}

// forgetBlocked takes the client out of the queues it waits in.
func (c *Client) forgetBlocked() {
	b := c.blocked
	if b == nil {
		return
	}
	s := c.srv
	for _, id := range b.keys {
		list := s.blockedOn[id]
		for i, x := range list {
			if x == c {
				list = append(list[:i], list[i+1:]...)
				break
			}
		}
		if len(list) == 0 {
			delete(s.blockedOn, id)
		} else {
			s.blockedOn[id] = list
		}
	}
	c.blocked = nil
	s.blockedCount--
}

// unblock lets the client answer and go on with the input held back.
func (c *Client) unblock(answer func()) {
	c.forgetBlocked()
	c.srv.Host.Answer(c, answer)
}

// keyReady notes that a key somebody waits for has changed.
func (s *Server) keyReady(db int, key []byte) {
	id := watchID{db, string(key)}
	if s.blockedOn[id] == nil {
		return
	}
	for _, x := range s.readyKeys {
		if x == id {
			return
		}
	}
	s.readyKeys = append(s.readyKeys, id)
}

// serveBlocked retries the commands of clients whose keys have changed. It runs
// when the outermost command is done.
func (s *Server) serveBlocked() {
	s.servingBlocked = true
	for len(s.readyKeys) > 0 {
		id := s.readyKeys[0]
		s.readyKeys = s.readyKeys[1:]
		waiting := append([]*Client(nil), s.blockedOn[id]...)
		for _, c := range waiting {
			if c.blocked == nil || c.flags&flagClosed != 0 {
				continue
			}
			s.retry(c)
		}
	}
	s.readyKeys = s.readyKeys[:0]
	s.servingBlocked = false
}

// retry runs a blocked client's command again.
func (s *Server) retry(c *Client) {
	b := c.blocked
	c.blocked, c.retrying = nil, b
	s.Host.Attempt(c, func() bool {
		args, cmd := c.args, c.cmd
		c.args, c.cmd = b.args, b.cmd
		s.call(c)
		c.args, c.cmd = args, cmd
		c.retrying = nil
		if c.blocked != nil {
			return false // nothing for it yet: it keeps its place
		}
		c.blocked = b
		c.forgetBlocked()
		return true
	})
}

// unblockForRole ends the waits of writing commands when the server becomes a
// replica: no client's write can succeed any more.
func (s *Server) unblockForRole() {
	for c := s.clients.head; c != nil; {
		next := c.next
		if b := c.blocked; b != nil && b.onRole {
			c.unblock(func() {
				c.addReplyError("-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
			})
		}
		c = next
	}
}
