package commands

import "github.com/raniellyferreira/redis-inmemory-replica/internal/object"

// Blocking commands.
//
// A command that finds nothing to answer with (BLPOP on empty lists, XREAD BLOCK
// past the end of a stream) suspends its client on the keys it looked at:
//
//	blockedOn   (db, key) ──► clients in the order in which they blocked
//	readyKeys   keys that changed since the last look, each once, in order
//	timeouts    waits that end by themselves, the earliest first
//
// Every write ends in signalModifiedKey, which notes the keys that somebody
// waits for. When the outermost command is done, the keys are looked at in the
// order in which they changed: if a key now holds a value of the type that a
// client waits for, the client's command runs again, for that key only. Clients
// take their turns in the order in which they blocked, until the value is used
// up. One whose command still finds nothing keeps its place. So it does not
// matter whether a client's write, a transaction, a script or the master's
// stream brought the element, and a key that is gone again when the transaction
// ends, or that holds something else, wakes nobody.
//
// A client that was served goes on with its pipeline in a later turn: never
// in the middle of the command that served it.

// blockedState is what a suspended client waits for.
type blockedState struct {
	c        *Client
	keys     []watchID
	cmd      *Command
	args     [][]byte // copy of the command, run again when a key is ready
	deadline int64    // unix ms; 0 none
	at       int      // place in Server.timeouts, -1 for none
	// onTimeout answers when the time is up, or CLIENT UNBLOCK says so.
	onTimeout func(c *Client)
	// wait is the offset that it waits for.
	wait *offsetWait
	// acks and ackOffset are what WAIT waits for: that many replicas with that offset.
	acks, ackOffset int64
	// redirected: the client's next command waits for replies from the master.
	redirected bool
	// typ is the type that a key must have to end the wait; with anyType every
	// change of the key counts, its deletion too.
	typ     byte
	anyType bool
	// ready is the key for which the command runs again; again is set by it when
	// it wants to go on waiting.
	ready []byte
	again bool
}

// keyQueue is the clients that wait for one key.
type keyQueue struct {
	clients []*Client
	ready   bool // stands in readyKeys
}

// wakenBy tells which changes of a key end a wait of the command: a list for
// list commands, a sorted set for theirs, a stream for XREAD. XREADGROUP answers
// also that its stream is gone.
func wakenBy(cmd *Command) (typ byte, anyType bool) {
	switch cmd.Group {
	case GroupList:
		return object.TypeList, false
	case GroupSortedSet:
		return object.TypeZset, false
	case GroupStream:
		return object.TypeStream, cmd.Flags&CmdWrite != 0
	}
	return 0, true
}

// blockForKeys suspends the client on keys of its database until one of them is
// ready (see wakenBy), or until deadline (unix ms, 0 for never), when onTimeout
// answers. Called again while the command is retried it keeps the client's place
// and deadline.
func (c *Client) blockForKeys(keys [][]byte, deadline int64, onTimeout func(c *Client)) {
	if c.retrying != nil {
		c.retrying.again = true
		return
	}
	if c.conn == nil {
		onTimeout(c) // nobody who could wait
		return
	}
	b := &blockedState{cmd: c.cmd, args: copyArgs(c.args), deadline: deadline, onTimeout: onTimeout}
	b.typ, b.anyType = wakenBy(c.cmd)
	s := c.srv
	for _, k := range keys {
		id := watchID{c.db.ID, string(k)}
		q := s.blockedOn[id]
		if q == nil {
			q = new(keyQueue)
			s.blockedOn[id] = q
		}
		if n := len(q.clients); n > 0 && q.clients[n-1] == c {
			continue // the same key twice
		}
		q.clients = append(q.clients, c)
		b.keys = append(b.keys, id)
	}
	c.block(b)
}

// readyKey is the key for which a blocked command runs again; nil when the
// command runs for the first time and has to look at all its keys.
func (c *Client) readyKey() []byte {
	if c.retrying == nil {
		return nil
	}
	return c.retrying.ready
}

// block suspends the client until unblock, or until the deadline passes.
func (c *Client) block(b *blockedState) {
	b.c, b.at = c, -1
	c.blocked = b
	s := c.srv
	s.blockedCount++
	if b.deadline != 0 {
		s.timeouts.add(b)
		s.armTimeouts()
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
		q := s.blockedOn[id]
		for i, x := range q.clients {
			if x != c {
				continue
			}
			if i == 0 {
				q.clients[0] = nil
				q.clients = q.clients[1:]
			} else {
				q.clients = append(q.clients[:i], q.clients[i+1:]...)
			}
			break
		}
		if len(q.clients) == 0 {
			delete(s.blockedOn, id)
		}
	}
	if b.at >= 0 {
		s.timeouts.remove(b)
	}
	if b.wait != nil {
		s.forgetWait(b.wait)
	}
	c.blocked = nil
	s.blockedCount--
}

// unblocked is what is due once a blocked client has its answer.
func (c *Client) unblocked() {
	c.forgetBlocked()
	c.flags &^= flagReplySkip
}

// unblock lets the client answer and go on with the input held back.
func (c *Client) unblock(answer func()) {
	b := c.blocked
	c.forgetBlocked()
	s := c.srv
	c.failed = false
	s.Host.Answer(c, func() { c.maybeQuiet(answer) })
	c.flags &^= flagReplySkip
	if c.failed && b.cmd != nil {
		s.cmdStats[b.cmd.ID].failed++
	}
}

// maybeQuiet drops what fn answers if the client wants no replies; messages to it pass.
func (c *Client) maybeQuiet(fn func()) {
	if c.flags&(flagReplyOff|flagReplySkip) == 0 {
		n := len(c.out)
		fn()
		if c.flags&(flagReplyOff|flagReplySkip) != 0 {
			c.out = c.out[:n]
		}
		return
	}
	s, n := c.srv, len(c.out)
	outer := s.quiet
	s.quiet = quietClient{c: c}
	fn()
	pushes := s.quiet.pushes
	s.quiet = outer
	if c.flags&(flagReplyOff|flagReplySkip) != 0 {
		c.out = append(c.out[:n], pushes...)
	}
}

// quietClient is the client in execution that may have turned its replies off, and what it is told all the same: messages of
// channels, confirmations of subscriptions, invalidations.
type quietClient struct {
	c      *Client
	pushes []byte
}

// keyReady notes that a key somebody waits for has changed.
func (s *Server) keyReady(db int, key []byte) {
	if q := s.blockedOn[watchID{db, string(key)}]; q != nil && !q.ready {
		q.ready = true
		s.readyKeys = append(s.readyKeys, watchID{db, string(key)})
	}
}

// databasesReady notes that databases hold other keys than before: after
// SWAPDB, FLUSHDB or a synchronisation (db -1: all of them).
func (s *Server) databasesReady(a, b int) {
	for id, q := range s.blockedOn {
		if (a < 0 || id.db == a || id.db == b) && !q.ready && (q.anyChange() || s.KS.DB(id.db).Exists([]byte(id.key))) {
			q.ready = true
			s.readyKeys = append(s.readyKeys, id)
		}
	}
}

// anyChange tells whether a client waits for whatever becomes of the key.
func (q *keyQueue) anyChange() bool {
	for _, c := range q.clients {
		if c.blocked.anyType {
			return true
		}
	}
	return false
}

// serveBlocked retries the commands of clients whose keys have changed. It runs
// when the outermost command is done; what it changes itself is looked at in
// a further round.
func (s *Server) serveBlocked() {
	s.servingBlocked = true
	for len(s.readyKeys) > 0 {
		round := s.readyKeys
		s.readyKeys = s.readySpare[:0]
		for _, id := range round {
			if q := s.blockedOn[id]; q != nil {
				q.ready = false
				s.serveKey(id, q)
			}
		}
		clear(round)
		s.readySpare = round
	}
	s.servingBlocked = false
}

// serveKey gives those that wait for a key their turns.
func (s *Server) serveKey(id watchID, q *keyQueue) {
	key := []byte(id.key)
	for i, left := 0, len(q.clients); left > 0 && i < len(q.clients); left-- {
		c := q.clients[i]
		b := c.blocked
		e, ok := s.KS.DB(id.db).LookupRaw(key)
		if !b.anyType && (!ok || e.Type() != b.typ) || !s.retry(c, b, key) {
			i++
		}
	}
}

// retry runs a blocked client's command again for a key and returns true if it
// answered: the client waits no longer.
func (s *Server) retry(c *Client, b *blockedState, key []byte) (served bool) {
	b.ready, b.again = key, false
	c.retrying = b
	s.Host.Answer(c, func() {
		c.maybeQuiet(func() {
			args, cmd := c.args, c.cmd
			c.args, c.cmd = b.args, b.cmd
			s.callAgain(c)
			c.args, c.cmd = args, cmd
		})
		if served = !b.again; served {
			c.unblocked()
		}
	})
	c.retrying = nil
	return served
}

// callAgain is call for a command that was counted when it blocked.
func (s *Server) callAgain(c *Client) {
	prev := s.current
	s.current = c
	c.failed = false
	begin := s.monoNow
	s.KS.Begin(s.now, s.expiryRule(c))
	dirty := s.dirty
	s.prop.as = 0
	c.cmd.Proc(c)
	if s.prop.on {
		s.propagateCall(c, dirty, prev == nil)
	}
	end := s.Host.Nanos()
	s.current = prev
	s.monoNow = end
	st := &s.cmdStats[c.cmd.ID]
	st.nanos += end - begin
	if c.failed {
		st.failed++
	}
}

// unblockForRole ends all waits when the server becomes a replica, and the
// connections with them: what they wait for can no longer come as they meant it.
func (s *Server) unblockForRole() {
	for c := s.clients.head; c != nil; {
		next := c.next
		if c.blocked != nil && !c.blocked.redirected {
			c.unblock(func() {
				c.addReplyError("-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
				c.closeAsync()
			})
		}
		c = next
	}
}

// timeoutHeap is the waits with a deadline, a binary heap by it.
type timeoutHeap []*blockedState

func (h *timeoutHeap) add(b *blockedState) {
	b.at = len(*h)
	*h = append(*h, b)
	h.up(b.at)
}

func (h *timeoutHeap) remove(b *blockedState) {
	s := *h
	i, last := b.at, len(s)-1
	s.swap(i, last)
	s[last] = nil
	*h = s[:last]
	if i < last {
		h.down(i)
		h.up(i)
	}
	b.at = -1
}

func (h timeoutHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h timeoutHeap) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if h[p].deadline <= h[i].deadline {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h timeoutHeap) down(i int) {
	for {
		k := 2*i + 1
		if k+1 < len(h) && h[k+1].deadline < h[k].deadline {
			k++
		}
		if k >= len(h) || h[i].deadline <= h[k].deadline {
			return
		}
		h.swap(i, k)
		i = k
	}
}

// maxTimer is the longest wait for one timer, ms. A timer cannot be taken back:
// short ones keep the number of those that have become pointless small.
const maxTimer = 10_000

// armTimeouts makes sure that a timer runs for the earliest deadline.
func (s *Server) armTimeouts() {
	if len(s.timeouts) == 0 {
		return
	}
	now := s.Host.UnixMilli()
	// A wait ends when its deadline is over, not when it is reached.
	when := min(s.timeouts[0].deadline, now+maxTimer) + 1
	if s.timerAt != 0 && s.timerAt <= when {
		return
	}
	s.timerAt = when
	s.Host.After(max(when-now, 0)*1e6, func() {
		if s.timerAt == when {
			s.timerAt = 0
			s.endWaits()
		}
	})
}

// endWaits answers those whose time is up.
func (s *Server) endWaits() {
	now := s.Host.UnixMilli()
	for len(s.timeouts) > 0 && s.timeouts[0].deadline < now {
		b := s.timeouts[0]
		b.c.unblock(func() { b.onTimeout(b.c) })
	}
	s.armTimeouts()
}
