package commands

import (
	"errors"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// DUMP and RESTORE: one value in the form in which an RDB holds it, behind it
// the RDB version and a CRC64.

func dumpCommand(c *Client) {
	e, ok := c.lookupKeyRead(c.args[1])
	if !ok {
		c.addReplyNull()
		return
	}
	c.srv.scratch = c.srv.appendDump(c.srv.scratch[:0], e)
	c.addReplyBulk(c.srv.scratch)
}

// appendDump appends the payload of DUMP.
func (s *Server) appendDump(dst []byte, e keyspace.Entry) []byte {
	if s.dumper == nil || s.dumperCompresses != s.V.RDBCompression {
		s.dumper = rdb.NewEncoder(nil, rdb.DumpVersion, s.V.RDBCompression)
		s.dumperCompresses = s.V.RDBCompression
	}
	s.dumper.SetDumpVersion(dumpVersion(e.Value()))
	s.dumper.StartDump(dst)
	m := metaOf(e, 0, false)
	err := emitValue(s.dumper, &m, e.Value())
	if err == nil {
		dst, err = s.dumper.FinishDump()
	}
	if err != nil {
		panic("commands: DUMP of key " + string(e.Key()) + ": " + err.Error())
	}
	return dst
}

// serializedLength is the size of the value in an RDB, as DEBUG OBJECT reports
// it: the payload without its type byte and footer.
func (s *Server) serializedLength(e keyspace.Entry) int {
	s.scratch = s.appendDump(s.scratch[:0], e)
	return len(s.scratch) - 1 - rdb.FooterSize
}

func restoreCommand(c *Client) {
	var replace, abs bool
	idle, freq := int64(-1), int64(-1)
	for j := 4; j < len(c.args); j++ {
		opt := c.args[j]
		more := len(c.args) - j - 1
		var ok bool
		switch {
		case equalFold(opt, "replace"):
			replace = true
		case equalFold(opt, "absttl"):
			abs = true
		case equalFold(opt, "idletime") && more >= 1 && freq == -1:
			if idle, ok = c.longArg(j+1, ""); !ok {
				return
			}
			if idle < 0 {
				c.addReplyError("Invalid IDLETIME value, must be >= 0")
				return
			}
			j++
		case equalFold(opt, "freq") && more >= 1 && idle == -1:
			if freq, ok = c.longArg(j+1, ""); !ok {
				return
			}
			if freq < 0 || freq > 255 {
				c.addReplyError("Invalid FREQ value, must be >= 0 and <= 255")
				return
			}
			j++
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	key := c.args[1]
	if !replace {
		if _, exists := c.lookupKeyWrite(key); exists {
			c.addReplyError(errBusyKey)
			return
		}
	}
	ttl, ok := c.longArg(2, "")
	if !ok {
		return
	}
	if ttl < 0 {
		c.addReplyError("Invalid TTL value, must be >= 0")
		return
	}
	l := newSingleLoader(c.srv.KS, c.srv.lim)
	err := rdb.DecodePayload(c.args[3], c.db.ID, key, l)
	switch {
	case errors.Is(err, rdb.ErrPayload):
		c.addReplyError("DUMP payload version or checksum are wrong")
		return
	case err != nil || !l.got:
		l.abort()
		c.addReplyError("Bad data format")
		return
	}
	deleted := false
	if replace {
		if _, exists := c.lookupKeyWrite(key); exists {
			deleted = c.db.Delete(key)
		}
	}
	when := int64(keyspace.NoExpire)
	if ttl != 0 {
		when = ttl
		if !abs {
			when = c.now() + min(ttl, math.MaxInt64-c.now())
		}
		if c.alreadyExpired(when) {
			l.abort()
			if deleted {
				c.signalModified(key)
				c.notify(notifyGeneric, "del", key)
				c.srv.dirty++
				c.rewrite(delWord(c.srv.V.LazyfreeServerDel), key)
			}
			c.addReplyOK()
			return
		}
	}
	e := c.db.Adopt(l.value.Ref)
	e.SetAccess(idle, int(freq))
	if when != keyspace.NoExpire {
		c.db.SetExpire(e, when)
	}
	c.signalModified(key)
	c.notify(notifyGeneric, "restore", key)
	c.srv.dirty++
	if ttl != 0 && !abs && c.propagating() {
		args := append([][]byte{c.args[0], key, c.srv.propNumber(when)}, c.args[3:]...)
		c.rewrite(append(args, wordAbsTTL)...)
	}
	c.addReplyOK()
}

// newSingleLoader makes a loader for one value into the memory of the live
// keyspace, which puts it in no table.
func newSingleLoader(ks *keyspace.Keyspace, lim object.Limits) *Loader {
	return &Loader{ks: ks, db: ks.DB(0), lim: lim, single: true}
}

// abort frees a value that was built, in whole or in part, and is not wanted.
func (l *Loader) abort() {
	if l.value.Ref != 0 {
		l.ks.FreeDetached(l.value.Ref)
		l.value.Ref = 0
	}
}
