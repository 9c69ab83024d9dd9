package redisreplica

import (
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/eventloop"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Tx is the data during a View: all of its reads see one moment. It is good until the view's function returns, on its goroutine only.
type Tx struct {
	s     *Storage
	d     commands.Direct
	c     *local
	key   []byte
	ended bool
}

// View runs fn with the data standing still: no write, neither of the master nor of a client, comes between its reads, and nothing is copied
// but what is asked for. The server does nothing else meanwhile, so fn should take microseconds, not milliseconds, and must not wait.
// It must not use Storage or View of the same replica either (ErrInView). View returns what fn returns.
func (s *Storage) View(fn func(tx *Tx) error) error {
	id := eventloop.GoroutineID()
	var failed error
	err := s.r.visit(func() {
		d, err := s.r.srv.DirectAccess(s.db)
		if err != nil {
			failed = directError(err)
			return
		}
		// The mailbox may have it run on the loop's goroutine.
		if here := eventloop.GoroutineID(); here != id {
			id = here
		}
		s.r.lib.viewer.Store(id)
		tx := &Tx{s: s, d: d}
		defer tx.end()
		failed = fn(tx)
	})
	if err == nil {
		err = failed
	}
	return err
}

func (tx *Tx) end() {
	tx.ended = true
	if tx.c != nil {
		tx.s.r.giveLocal(tx.c)
	}
	tx.d.Done()
	tx.s.r.lib.viewer.Store(0)
}

func (tx *Tx) check() {
	if tx.ended {
		panic("redisreplica: a Tx is used after its View has ended")
	}
}

func (tx *Tx) bytes(key string) []byte {
	tx.check()
	tx.key = append(tx.key[:0], key...)
	return tx.key
}

// Get is the value of a string without a copy: it must not be changed, and is good until the view ends. The error is ErrNoSuchKey when there is
// no such key.
func (tx *Tx) Get(key string) ([]byte, error) {
	v, ok, err := tx.d.String(tx.bytes(key))
	switch {
	case err != nil:
		return nil, directError(err)
	case !ok:
		return nil, ErrNoSuchKey
	}
	return v, nil
}

// Exists tells whether there is such a key.
func (tx *Tx) Exists(key string) bool { return tx.d.Exists(tx.bytes(key)) }

// Type is the type of a key, "none" when there is no such key.
func (tx *Tx) Type(key string) string { return tx.d.Type(tx.bytes(key)) }

// PTTL is the time until a key expires, in whole milliseconds, or NoExpiry.
func (tx *Tx) PTTL(key string) (time.Duration, error) {
	at, expires, ok := tx.d.ExpireAt(tx.bytes(key))
	switch {
	case !ok:
		return 0, ErrNoSuchKey
	case !expires:
		return NoExpiry, nil
	}
	return time.Duration(max(at-tx.d.Now(), 0)) * time.Millisecond, nil
}

// KeyCount is the number of keys.
func (tx *Tx) KeyCount() int64 {
	tx.check()
	return int64(tx.d.Len())
}

// command runs a reading command.
func (tx *Tx) command(args ...string) (resp.Value, error) {
	tx.check()
	if tx.c == nil {
		c, err := tx.s.r.takeLocal(tx.s.db)
		if err != nil {
			return resp.Value{}, err
		}
		tx.c = c
	}
	tx.c.begin(args)
	select {
	case <-tx.c.done:
		return tx.c.decode()
	default: // a pause of clients, say
		tx.c.lost = true
		tx.c = nil
		return resp.Value{}, serverError("BUSY the server does not answer reads now")
	}
}

// HGetAll is a hash's fields and values.
func (tx *Tx) HGetAll(key string) (map[string]string, error) {
	v, err := tx.command("HGETALL", key)
	if err != nil {
		return nil, err
	}
	return fieldMap(v), nil
}

// LRange is like Storage.LRange.
func (tx *Tx) LRange(key string, start, stop int64) ([]string, error) {
	v, err := tx.command("LRANGE", key, itoa(start), itoa(stop))
	if err != nil {
		return nil, err
	}
	return texts(v), nil
}

// SMembers is like Storage.SMembers.
func (tx *Tx) SMembers(key string) ([]string, error) {
	v, err := tx.command("SMEMBERS", key)
	if err != nil {
		return nil, err
	}
	return texts(v), nil
}

// ZRange is like Storage.ZRange.
func (tx *Tx) ZRange(key string, start, stop int64) ([]Member, error) {
	v, err := tx.command("ZRANGE", key, itoa(start), itoa(stop), "WITHSCORES")
	if err != nil {
		return nil, err
	}
	return members(v), nil
}

// XRange is like Storage.XRange.
func (tx *Tx) XRange(key, start, end string, count int64) ([]StreamEntry, error) {
	args := []string{"XRANGE", key, start, end}
	if count > 0 {
		args = append(args, "COUNT", itoa(count))
	}
	v, err := tx.command(args...)
	if err != nil {
		return nil, err
	}
	return entries(v), nil
}
