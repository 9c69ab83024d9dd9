package commands

import (
	"bytes"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// MIGRATE moves keys to another server: DUMP here, RESTORE there, DEL here.
//
// redis-server stands still until the other one has answered. Here only the client waits. The keys are watched meanwhile: one
// that changed is sent again as it is then, or deleted there if it is gone, so that nothing that was written in the meantime
// is lost by the DEL. For the other clients the move happens at the moment in which the key goes away here.
//
//	MIGRATE ── payloads ──► Host.Exchange ══► the other server
//	              ▲                │ replies
//	              └── what changed ┤
//	                               └──► DEL of what did not, reply

// ExchangeCall is a conversation with another server: Wire goes out over a new connection, and Replies replies come back. The
// time (nanoseconds) is that of each step: to connect, to write, to read.
type ExchangeCall struct {
	Host, Port string
	Timeout    int64
	Wire       []byte
	Replies    int
	// Done is called once, on the loop, in a later turn, with the replies that came.
	Done func(ExchangeResult)
}

// ExchangeResult is how an exchange ended. Phase says what failed, "writing to" or "reading from"; empty if nothing did.
type ExchangeResult struct {
	Replies [][]byte
	Phase   string
}

// migration is one MIGRATE under way.
type migration struct {
	c          *Client
	call       ExchangeCall
	db         int // here
	target     int64
	copy       bool
	replace    bool
	user, pass []byte
	keys       []migratedKey
	rounds     int
}

type migratedKey struct {
	key []byte
	// watcher is marked when the key changes.
	watcher *Client
	moved   bool
	failed  bool
}

// maxExchangeMillis keeps a timeout within what nanoseconds can say.
const maxExchangeMillis = 1e12

// maxMigrateRounds bounds how often a key that keeps changing is sent.
const maxMigrateRounds = 16

func migrateCommand(c *Client) {
	m := &migration{c: c, db: c.db.ID}
	keys := c.args[3:4]
	for j := 6; j < len(c.args); j++ {
		left := len(c.args) - 1 - j
		switch {
		case equalFold(c.args[j], "copy"):
			m.copy = true
		case equalFold(c.args[j], "replace"):
			m.replace = true
		case equalFold(c.args[j], "auth"):
			if left < 1 {
				c.addReplyErrorSyntax()
				return
			}
			m.pass = bytes.Clone(c.args[j+1])
			j++
		case equalFold(c.args[j], "auth2"):
			if left < 2 {
				c.addReplyErrorSyntax()
				return
			}
			m.user, m.pass = bytes.Clone(c.args[j+1]), bytes.Clone(c.args[j+2])
			j += 2
		case equalFold(c.args[j], "keys"):
			if len(c.args[3]) != 0 {
				c.addReplyError("When using MIGRATE KEYS option, the key argument must be set to the empty string")
				return
			}
			keys = c.args[j+1:]
			j = len(c.args)
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	timeout, ok := c.longArg(5, "")
	if !ok {
		return
	}
	if m.target, ok = c.longArg(4, ""); !ok {
		return
	}
	if timeout <= 0 {
		timeout = 1000
	}
	for _, k := range keys {
		if _, there := c.lookupKeyRead(k); there {
			m.keys = append(m.keys, migratedKey{key: bytes.Clone(k)})
		}
	}
	if len(m.keys) == 0 {
		c.addReplyStatus("NOKEY")
		return
	}
	if c.conn == nil || c.flags&(flagExecuting|flagScript|flagDenyBlocking) != 0 {
		c.addReplyError("MIGRATE waits for another server and is not allowed in transactions and scripts")
		return
	}
	m.call = ExchangeCall{Host: c.arg(1), Port: c.arg(2), Timeout: min(timeout, maxExchangeMillis) * 1e6, Done: m.done}
	c.block(&blockedState{cmd: c.cmd, args: copyArgs(c.args)})
	m.send()
}

// send begins a round with what has not been moved.
func (m *migration) send() {
	s := m.c.srv
	db := s.KS.DB(m.db)
	w := m.call.Wire[:0]
	m.call.Replies = 0
	add := func(args ...[]byte) {
		w = resp.AppendArray(w, len(args))
		for _, a := range args {
			w = resp.AppendBulk(w, a)
		}
		m.call.Replies++
	}
	switch {
	case m.user != nil:
		add([]byte("AUTH"), m.user, m.pass)
	case m.pass != nil:
		add([]byte("AUTH"), m.pass)
	}
	add([]byte("SELECT"), []byte(itoa(m.target)))
	for i := range m.keys {
		k := &m.keys[i]
		if k.moved || k.failed {
			continue
		}
		k.watch(s, m.db)
		e, there := db.LookupRaw(k.key)
		if !there {
			add([]byte("DEL"), k.key)
			continue
		}
		ttl := int64(0)
		if e.ExpireAt() != keyspace.NoExpire {
			ttl = max(e.ExpireAt()-s.now, 1)
		}
		s.scratch = s.appendDump(s.scratch[:0], e)
		args := [][]byte{[]byte("RESTORE"), k.key, []byte(itoa(ttl)), s.scratch}
		if m.replace || m.rounds > 0 {
			args = append(args, []byte("REPLACE"))
		}
		add(args...)
	}
	m.call.Wire = w
	m.rounds++
	s.Host.Exchange(m.call)
}

func (k *migratedKey) watch(s *Server, db int) {
	if k.watcher == nil {
		k.watcher = s.NewInternalClient()
		k.watcher.selectDB(db)
	}
	k.watcher.flags &^= flagDirtyCAS
	k.watcher.watchKey(k.key)
}

// done takes the replies of a round.
func (m *migration) done(res ExchangeResult) {
	s := m.c.srv
	s.now, s.monoNow = s.Host.UnixMilli(), s.Host.Nanos()
	refused := ""
	replies := res.Replies
	next := func() []byte {
		if len(replies) == 0 {
			return nil
		}
		r := replies[0]
		replies = replies[1:]
		return r
	}
	note := func(r []byte) bool {
		if len(r) > 0 && r[0] == '-' {
			if refused == "" {
				refused = string(bytes.TrimRight(r[1:], "\r\n"))
			}
			return false
		}
		return r != nil
	}
	welcome := true
	if m.pass != nil {
		welcome = note(next())
	}
	welcome = note(next()) && welcome
	again := false
	for i := range m.keys {
		k := &m.keys[i]
		if k.moved || k.failed {
			continue
		}
		if !note(next()) || !welcome {
			k.failed = true
			continue
		}
		changed := k.watcher.flags&flagDirtyCAS != 0
		switch {
		case changed && !m.copy && m.rounds < maxMigrateRounds:
			again = true
		case changed && !m.copy:
			k.failed = true
			if refused == "" {
				refused = "the key keeps changing"
			}
		default:
			k.moved = true
			m.remove(k)
		}
		k.watcher.unwatchAll()
	}
	if again && refused == "" && res.Phase == "" {
		m.send()
		return
	}
	m.answer(res.Phase, refused)
}

// remove deletes a key that is now over there.
func (m *migration) remove(k *migratedKey) {
	s := m.c.srv
	db := s.KS.DB(m.db)
	k.watcher.unwatchAll()
	if m.copy || !db.Delete(k.key) {
		return
	}
	s.dirty++
	s.propagateDeletion(db, k.key, false)
	s.signalModifiedKey(db, k.key)
	s.notifyEvent(notifyGeneric, "del", k.key, db.ID)
}

func (m *migration) answer(phase, refused string) {
	for i := range m.keys {
		if w := m.keys[i].watcher; w != nil {
			w.unwatchAll()
		}
	}
	c := m.c
	if len(c.srv.readyKeys) != 0 {
		c.srv.serveBlocked()
	}
	if c.flags&flagClosed != 0 || c.blocked == nil {
		return
	}
	c.unblock(func() {
		switch {
		case refused != "":
			c.addReplyError("Target instance replied with error: " + refused)
		case phase != "":
			c.addReplyError("-IOERR error or timeout " + phase + " target instance")
		default:
			c.addReplyOK()
		}
	})
}
