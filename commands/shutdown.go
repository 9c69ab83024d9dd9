package commands

// SHUTDOWN, and what a signal asks for.
//
// With replicas that lack a part of the stream the end waits up to shutdown-timeout
// seconds until they have it; meanwhile writes are held back, so that there is no
// more to have. SHUTDOWN ABORT gives it up, and what was held back goes on.

// ending is a shutdown that waits for replicas.
type ending struct {
	options  ShutdownOptions
	offset   int64 // that the replicas are to have
	deadline int64 // unix ms
	clients  []*blockedState
}

const errShutdown = "Errors trying to SHUTDOWN. Check logs."

// BeginShutdown ends the server at once, or when its replicas have everything: then
// it returns true. Called on the loop.
func (s *Server) BeginShutdown(o ShutdownOptions) (waits bool) {
	if s.ending != nil {
		return true
	}
	e := &ending{options: o, offset: s.Repl.Offset}
	s.ending = e
	if o.Now || s.V.ShutdownTimeout == 0 || s.Busy() || s.Loading || s.replicasHave(e.offset) {
		s.finishShutdown()
		return false
	}
	s.Host.Logf(LogNotice, "Waiting for replicas before shutting down.")
	seconds := min(int64(s.V.ShutdownTimeout), 1<<31)
	e.deadline = s.Host.UnixMilli() + seconds*1000
	s.Host.After(seconds*1e9, func() {
		if s.ending == e {
			s.finishShutdown()
		}
	})
	s.repl.askAcks = !s.following
	return true
}

// replicasHave tells whether every replica has acknowledged the offset.
func (s *Server) replicasHave(offset int64) bool {
	for _, c := range s.repl.replicas {
		if c.replica.offset < offset {
			return false
		}
	}
	return true
}

// checkShutdown ends the server if it waited for what the replicas have now.
func (s *Server) checkShutdown() {
	if s.ending != nil && s.ending.deadline != 0 && s.replicasHave(s.ending.offset) {
		s.finishShutdown()
	}
}

// finishShutdown ends the server, or gives up if it cannot save.
func (s *Server) finishShutdown() {
	e := s.ending
	lag := 0
	for _, c := range s.repl.replicas {
		if r := c.replica; r.offset < e.offset {
			lag++
			s.Host.Logf(LogNotice, "Lagging replica %s reported offset %d behind master, state=%s.",
				s.replicaName(c), e.offset-r.offset, replicaStateNames[r.state])
		}
	}
	if n := len(s.repl.replicas); n > 0 {
		s.Host.Logf(LogNotice, "%d of %d replicas are in sync when shutting down.", n-lag, n)
	}
	err := s.PrepareShutdown(e.options)
	if err == nil {
		err = s.Host.Shutdown(e.options)
	}
	if err != nil {
		s.abortShutdown()
		return
	}
	s.ended = true
}

// abortShutdown gives up a shutdown that waits; false if there is none.
func (s *Server) abortShutdown() bool {
	e := s.ending
	if e == nil || s.ended {
		return false
	}
	s.ending = nil
	s.Host.Logf(LogNotice, "Shutdown was given up.")
	for _, b := range e.clients {
		if b.c.blocked == b {
			b.c.unblock(func() { b.c.addReplyError(errShutdown) })
		}
	}
	if s.paused.until == 0 || s.Host.UnixMilli() >= s.paused.until {
		s.unpause()
	}
	return true
}

func shutdownCommand(c *Client) {
	var o ShutdownOptions
	abort := false
	for _, a := range c.args[1:] {
		switch {
		case equalFold(a, "nosave"):
			o.NoSave = true
		case equalFold(a, "save"):
			o.Save = true
		case equalFold(a, "now"):
			o.Now = true
		case equalFold(a, "force"):
			o.Force = true
		case equalFold(a, "abort"):
			abort = true
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	if (abort && len(c.args) != 2) || (o.NoSave && o.Save) {
		c.addReplyErrorSyntax()
		return
	}
	s := c.srv
	if abort {
		if !s.abortShutdown() {
			c.addReplyError("No shutdown in progress.")
			return
		}
		c.addReplyOK()
		return
	}
	if !o.Now && c.flags&flagDenyBlocking != 0 {
		c.addReplyError("SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
		return
	}
	if s.Busy() && !o.NoSave {
		s.refuseBusy(c) // what a script has half done is not to be saved
		return
	}
	s.Host.Logf(LogWarning, "User requested shutdown...")
	if s.BeginShutdown(o) {
		b := &blockedState{}
		c.block(b)
		s.ending.clients = append(s.ending.clients, b)
		return
	}
	if !s.ended {
		c.addReplyError(errShutdown)
		return
	}
	// Like redis-server, a successful shutdown is answered by the closed
	// connection alone.
	c.flags |= flagCloseAfter
}
