package commands

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// This file is for a program in whose process the server runs: it has clients without a connection, looks up strings without the
// detour by a reply, and hears of changes.

// NewLocalClient makes a client for the program itself. It passes every gate that a connected client passes (read-only replicas, memory,
// staleness, pauses), but that of the ACL, and is not listed. conn takes what is said to it while it is not being served.
func (s *Server) NewLocalClient(conn Conn) *Client {
	c := &Client{
		srv: s, conn: conn, proto: 3, db: s.KS.DB(0), authed: true, reader: resp.NewReader(),
		createdAt: s.now, lastUsed: s.now,
	}
	c.applyReaderLimits()
	s.locals = append(s.locals, c)
	return c
}

// SelectDatabase changes the client's database; false if there is no such one.
func (c *Client) SelectDatabase(db int) bool { return c.selectDB(db) }

// UnderWay tells whether a command of the client is still to be answered: it waits for keys, for the end of a pause or of a slow script, for
// the master to whom it was sent.
func (c *Client) UnderWay() bool {
	return c.blocked != nil || c.held != nil || c.flags&flagPostponed != 0 || c.reader.Buffered() > 0 || c.redir != nil && len(c.redir.list) != 0
}

// Errors of direct access.
var (
	ErrNoDatabase = errors.New("DB index is out of range")
	ErrWrongType  = errors.New(errWrongType[1:])
)

// Direct is access to the keys of one database without commands. It is good for as long as the loop goroutine, or a visitor, is not left.
type Direct struct {
	s  *Server
	db *keyspace.DB
}

// DirectAccess begins a visit: the clock is read, and the gates of a reading client are passed or their error is returned.
func (s *Server) DirectAccess(db int) (Direct, error) {
	s.now = s.Host.UnixMilli()
	s.monoNow = s.Host.Nanos()
	if db < 0 || db >= s.KS.Databases() {
		return Direct{}, ErrNoDatabase
	}
	switch {
	case s.stale():
		return Direct{}, errors.New(errMasterDown[1:])
	case s.Loading:
		return Direct{}, errors.New(errLoading[1:])
	case s.following && s.limitsStaleness():
		if text, too := s.staleText(); too {
			s.Stats.StaleRefused++
			return Direct{}, errors.New(text[1:])
		}
	}
	s.KS.SetClock(s.now)
	s.KS.Begin(s.now, s.expiryRule(&directClient))
	return Direct{s, s.KS.DB(db)}, nil
}

// Done ends the access: what came of it (keys that were found expired) goes to the replicas.
func (d Direct) Done() { d.s.propagatePending() }

// directClient is who reads without commands.
var directClient Client

// String returns the value of a string: a view that is good until the visit ends or anything is written. ok is false when there is no such key.
func (d Direct) String(key []byte) (val []byte, ok bool, err error) {
	e, found := d.lookup(key)
	if !found {
		return nil, false, nil
	}
	if e.Type() != object.TypeString {
		return nil, false, ErrWrongType
	}
	return e.StringValue(), true, nil
}

func (d Direct) lookup(key []byte) (keyspace.Entry, bool) {
	e, ok := d.db.Lookup(key)
	if !ok {
		d.s.Stats.KeyspaceMisses++
		return e, false
	}
	d.s.Stats.KeyspaceHits++
	e.Touch()
	return e, true
}

// Exists tells whether there is such a key.
func (d Direct) Exists(key []byte) bool {
	_, ok := d.lookup(key)
	return ok
}

// Type is the name of the key's type, "none" when there is no such key.
func (d Direct) Type(key []byte) string {
	e, ok := d.db.Lookup(key)
	if !ok {
		return "none"
	}
	return object.TypeName(e.Type())
}

// ExpireAt is when the key expires, unix ms; expires is false when it does not.
func (d Direct) ExpireAt(key []byte) (at int64, expires, ok bool) {
	e, found := d.db.Lookup(key)
	if !found {
		return 0, false, false
	}
	if at = e.ExpireAt(); at == keyspace.NoExpire {
		return 0, false, true
	}
	return at, true, true
}

// Len is the number of keys, expired ones that are still there among them.
func (d Direct) Len() int { return d.db.Len() }

// Now is the clock of the visit, unix ms.
func (d Direct) Now() int64 { return d.s.now }

// ExpireProfile is what the active expiry cycle works with.
func (s *Server) ExpireProfile() expire.Profile { return s.cron.cycle.Profile }

// A ChangeHook hears of every change of the dataset on the loop goroutine, in the moment of the change: what it is given is good for the
// call only, and it must be quick. event is the name that keyspace notifications have for it (set, del, expired, hset …); of what concerns
// whole databases it is flushdb (db -1: all of them), swapdb (told for either database) and resync (another dataset is in place, db is -1),
// with a nil key.
type ChangeHook func(db int, event string, key []byte)

// OnChange has hook told of changes, in place of an earlier one; nil is none.
func (s *Server) OnChange(hook ChangeHook) {
	s.changeHook = hook
	s.setNotifyFlags()
}

// setNotifyFlags has events made for those who listen: subscribers, by notify-keyspace-events, and the hook.
func (s *Server) setNotifyFlags() {
	s.notifyFlags = s.V.NotifyKeyspaceEvents
	if s.changeHook != nil {
		s.notifyFlags |= config.NotifyAll
	}
}

// wholeChanged tells the hook of a change of a whole database, or of all of them (-1).
func (s *Server) wholeChanged(db int, event string) {
	if s.changeHook != nil {
		s.changeHook(db, event, nil)
	}
}

// staleText is the refusal of a read by replica-max-staleness; too is false when the data are fresh enough.
func (s *Server) staleText() (text string, too bool) {
	old, behind := s.staleness(s.monoNow), s.lagBytes()
	if (s.V.MaxStaleness == 0 || old <= int64(s.V.MaxStaleness)*1e6) && (s.V.MaxStalenessBytes == 0 || behind <= s.V.MaxStalenessBytes) {
		return "", false
	}
	since := "not known to have been the master's at any time"
	if old != math.MaxInt64 {
		since = fmt.Sprintf("last known to be the master's %d ms ago", old/1e6)
	}
	return fmt.Sprintf("-STALEREPLICA The data is older than replica-max-staleness allows: %s, %d bytes behind.", since, behind), true
}

// IsErrorReply tells an error, and returns its text without the sign before it.
func IsErrorReply(reply []byte) (text string, is bool) {
	if len(reply) == 0 || reply[0] != '-' {
		return "", false
	}
	line, _, _ := bytes.Cut(reply[1:], []byte("\r\n"))
	return string(line), true
}
