package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// Look-ups with the meaning that commands need: an expired key is absent, hits
// and misses are counted, the access clock moves. They carry the names of
// Redis's db.c.

// lookupKeyRead finds a key for a command that only reads.
func (c *Client) lookupKeyRead(key []byte) (keyspace.Entry, bool) {
	e, ok := c.db.Lookup(key)
	if ok {
		c.srv.Stats.KeyspaceHits++
		if c.flags&flagNoTouch == 0 {
			e.Touch()
		}
		return e, true
	}
	c.srv.Stats.KeyspaceMisses++
	if c.srv.notifyFlags&notifyKeyMiss != 0 {
		c.notify(notifyKeyMiss, "keymiss", key)
	}
	return e, false
}

// lookupKeyWrite finds a key that the command is about to change. Hits and
// misses are those of readers only.
func (c *Client) lookupKeyWrite(key []byte) (keyspace.Entry, bool) {
	e, ok := c.db.LookupWrite(key)
	if ok && c.flags&flagNoTouch == 0 {
		e.Touch()
	}
	return e, ok
}

// lookupKeyReplace finds a key that the command is about to replace, delete or
// rename, or only asks for before it writes: its value is not changed in place.
func (c *Client) lookupKeyReplace(key []byte) (keyspace.Entry, bool) {
	e, ok := c.db.LookupReplace(key)
	if ok && c.flags&flagNoTouch == 0 {
		e.Touch()
	}
	return e, ok
}

// overwrite has store put a value under a key in the place of what is there. A key that was there is no new one.
func (c *Client) overwrite(key []byte, store func()) {
	if _, ok := c.lookupKeyReplace(key); !ok {
		store()
		return
	}
	ks := c.srv.KS
	onNew := ks.OnNew
	ks.OnNew = nil
	c.db.Delete(key)
	store()
	ks.OnNew = onNew
}

// setKey stores a string under a key, whatever it held, and reports the
// change. when is the expiry (keyspace.NoExpire, KeepExpire or unix ms).
func (c *Client) setKey(key, val []byte, enc byte, when int64) {
	c.db.SetString(key, val, enc, when)
	c.signalModified(key)
}

// signalModified tells watchers (and whoever else cares) that a key changed.
func (c *Client) signalModified(key []byte) {
	c.srv.signalModifiedKey(c.db, key)
}

// alreadyExpired tells whether a time given to an EXPIRE-like command means
// that the key dies at once. A replica never decides that: the time is stored,
// and the master's DEL follows.
func (c *Client) alreadyExpired(when int64) bool {
	return when <= c.now() && !c.srv.Loading && !c.srv.Following()
}

// expiryRule is how the keyspace treats an expired key for the command of c.
func (s *Server) expiryRule(c *Client) keyspace.ExpiryRule {
	if s.following {
		if c.isMaster() {
			return keyspace.ExpiryIgnored
		}
		if !s.V.ReplicaReadOnly {
			return keyspace.ExpiryHiddenForReads
		}
		return keyspace.ExpiryHidden
	}
	return keyspace.ExpiryDeletes
}

// keyExpired is called by the keyspace when it deleted a key because its time
// had come.
func (s *Server) keyExpired(db *keyspace.DB, key []byte) {
	s.Stats.ExpiredKeys++
	s.signalModifiedKey(db, key)
	s.notifyEvent(notifyExpired, "expired", key, db.ID)
	s.propagateDeletion(db, key, s.V.LazyfreeLazyExpire)
}

// fieldExpires is called by the keyspace before it deletes a field whose time had
// come, while there is a stream to write that into.
func (s *Server) fieldExpires(db *keyspace.DB, key, field []byte) {
	s.alsoPropagate(db.ID, wordHdel, key, field)
}

// fieldsExpired is called by the keyspace when it deleted n fields of a hash
// because their time had come, and with the last of them the key, if gone.
func (s *Server) fieldsExpired(db *keyspace.DB, key []byte, n int, gone bool) {
	s.Stats.ExpiredFields += int64(n)
	s.signalModifiedKey(db, key)
	if s.notifyFlags&notifyHash != 0 {
		s.notifyEvent(notifyHash, "hexpired", key, db.ID)
	}
	if gone && s.notifyFlags&notifyGeneric != 0 {
		s.notifyEvent(notifyGeneric, "del", key, db.ID)
	}
}

// signalModifiedKey marks the transactions that watch the key.
func (s *Server) signalModifiedKey(db *keyspace.DB, key []byte) {
	if len(s.watchedKeys) != 0 {
		s.touchWatched(db.ID, key)
	}
	if s.tracking.clients != 0 {
		s.trackWrite(key)
	}
	if len(s.blockedOn) != 0 {
		s.keyReady(db.ID, key)
	}
}
