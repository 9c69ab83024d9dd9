package commands

import (
	"encoding/hex"
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"math"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
)

// debugCommand serves DEBUG and all its subcommands.
func debugCommand(c *Client) {
	s := c.srv
	n := len(c.args)
	switch sub := c.args[1]; {
	case n == 2 && equalFold(sub, "help"):
		debugHelp(c)
	case n == 2 && equalFold(sub, "digest"):
		d := s.Digest()
		c.addReplyStatus(hex.EncodeToString(d[:]))
	case n >= 2 && equalFold(sub, "digest-value"):
		c.addReplyArrayLen(n - 2)
		for _, k := range c.args[2:] {
			var d digest.State
			if e, ok := c.db.LookupRaw(k); ok {
				e.Value().Digest(&d)
			}
			c.addReplyStatus(hex.EncodeToString(d[:]))
		}
	case n == 3 && equalFold(sub, "sleep"):
		f, ok := numeric.ParseFloat(c.args[2])
		if !ok {
			f = 0
		}
		s.Host.Sleep(int64(f * 1e9))
		c.addReplyOK()
	case n >= 3 && n <= 5 && equalFold(sub, "populate"):
		debugPopulate(c)
	case n == 3 && equalFold(sub, "object"):
		debugObject(c)
	case n == 3 && equalFold(sub, "quicklist-packed-threshold"):
		debugPackedThreshold(c)
	case equalFold(sub, "reload"):
		debugReload(c)
	case n == 3 && equalFold(sub, "set-active-expire"):
		s.activeExpire = string(c.args[2]) != "0"
		c.addReplyOK()
	case n == 3 && equalFold(sub, "error"):
		c.addReplyError("-" + strings.NewReplacer("\r", " ", "\n", " ").Replace(c.arg(2)))
	case n == 3 && equalFold(sub, "log"):
		s.Host.Logf(LogWarning, "DEBUG LOG: %s", c.args[2])
		c.addReplyOK()
	case n == 2 && equalFold(sub, "change-repl-id"):
		s.Host.Logf(LogNotice, "Changing replication IDs after receiving change-repl-id")
		s.newReplID()
		c.addReplyOK()
	case n == 2 && equalFold(sub, "structsize"):
		c.addReplyBulkString("bits:64 bucket:64 slots:10 entry:4 entry-ttl:16 element:1 client:" + itoa(clientFixedSize))
	case n == 2 && equalFold(sub, "check"):
		if err := s.KS.Check(); err != nil {
			c.addReplyError(err.Error())
			return
		}
		c.addReplyOK()
	case n == 2 && equalFold(sub, "compact"):
		s.KS.CompactAll()
		c.addReplyOK()
	case n == 3 && equalFold(sub, "protocol"):
		debugProtocol(c)
	case n >= 3 && n <= 4 && equalFold(sub, "htstats"):
		debugHTStats(c)
	default:
		debugInternals(c)
	}
}

// Digest is the SHA-1 based fingerprint of the whole dataset: equal to that of
// a redis-server with the same data. Its cost grows with the data; it is a
// debugging aid and stops the loop while it runs, as in Redis.
func (s *Server) Digest() digest.State {
	var final digest.Dataset
	for i := 0; i < s.KS.Databases(); i++ {
		db := s.KS.DB(i)
		if db.Len() == 0 {
			continue
		}
		final.DB(i)
		db.Each(func(e keyspace.Entry) bool {
			d := digest.Key(e.Key())
			e.Value().Digest(&d)
			final.Add(d)
			return true
		})
	}
	return final.Sum()
}

func debugPopulate(c *Client) {
	count, ok := c.rangeArg(2, 0, math.MaxInt64, errMustBePositive)
	if !ok {
		return
	}
	prefix := []byte("key")
	if len(c.args) > 3 {
		prefix = c.args[3]
	}
	size := int64(0)
	if len(c.args) == 5 {
		if size, ok = c.rangeArg(4, 0, math.MaxInt64, errMustBePositive); !ok {
			return
		}
	}
	c.db.Expand(int(count))
	var key, val []byte
	for i := int64(0); i < count; i++ {
		key = append(append(key[:0], prefix...), ':')
		key = numeric.AppendInt(key, i)
		if _, exists := c.db.LookupReplace(key); exists {
			continue
		}
		val = numeric.AppendInt(append(val[:0], "value:"...), i)
		if size > 0 {
			for int64(len(val)) < size {
				val = append(val, 0)
			}
			val = val[:size]
		}
		enc := object.EncEmbstr
		if len(val) > object.EmbstrLimit {
			enc = object.EncRaw
		}
		c.db.SetString(key, val, enc, keyspace.NoExpire)
		c.signalModified(key)
	}
	c.addReplyOK()
}

func debugObject(c *Client) {
	e, ok := c.db.LookupRaw(c.args[2])
	if !ok {
		c.addReplyError(errNoKey)
		return
	}
	c.addReplyStatus(fmt.Sprintf("Value at:0x%x refcount:%d encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d%s",
		uint64(e.Ref()), c.srv.refcount(e), object.EncodingName(e.Type(), e.Encoding()), c.srv.serializedLength(e), e.LRU(), e.IdleSeconds(), e.Value().ListFigures(&c.srv.lists)))
}

// debugPackedThreshold sets the size from which an element of a list is kept
// plain: tests do not want to push elements of 1 GB.
func debugPackedThreshold(c *Client) {
	n, ok := config.ParseMemory(c.arg(2))
	if !ok || n > 1<<32-1<<20 {
		c.addReplyError("argument must be a memory value bigger than 1 and smaller than 4gb")
		return
	}
	if n == 0 {
		n = quicklist.DefaultLarge
	}
	c.srv.lists.Large = int(n)
	c.addReplyOK()
}

func debugProtocol(c *Client) {
	switch name := c.args[2]; {
	case equalFold(name, "string"):
		c.addReplyBulkString("Hello World")
	case equalFold(name, "integer"):
		c.addReplyLongLong(12345)
	case equalFold(name, "double"):
		c.addReplyDouble(3.141)
	case equalFold(name, "null"):
		c.addReplyNull()
	case equalFold(name, "array"):
		c.addReplyArrayLen(3)
		for j := int64(0); j < 3; j++ {
			c.addReplyLongLong(j)
		}
	case equalFold(name, "set"):
		c.addReplySetLen(3)
		for j := int64(0); j < 3; j++ {
			c.addReplyLongLong(j)
		}
	case equalFold(name, "map"):
		c.addReplyMapLen(3)
		for j := int64(0); j < 3; j++ {
			c.addReplyLongLong(j)
			c.addReplyBool(j == 1)
		}
	case equalFold(name, "attrib"):
		if c.proto == 3 {
			c.out = append(c.out, "|1\r\n"...)
			c.addReplyBulkString("key-popularity")
			c.addReplyArrayLen(2)
			c.addReplyBulkString("key:123")
			c.addReplyLongLong(90)
		}
		c.addReplyBulkString("Some real reply following the attribute")
	case equalFold(name, "push"):
		if c.proto < 3 {
			c.addReplyError("RESP2 is not supported by this command")
			return
		}
		c.addReplyPushLen(2)
		c.addReplyBulkString("server-cpu-usage")
		c.addReplyLongLong(42)
		c.addReplyBulkString("Some real reply following the push reply")
	case equalFold(name, "true"):
		c.addReplyBool(true)
	case equalFold(name, "false"):
		c.addReplyBool(false)
	case equalFold(name, "verbatim"):
		c.addReplyVerbatim("txt", "This is a verbatim\nstring")
	case equalFold(name, "bignum"):
		c.addReplyBigNum("1234567999999999999999999999999999999")
	default:
		c.addReplyError("Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
}

func debugHTStats(c *Client) {
	id, ok := c.longArg(2, "")
	if !ok {
		return
	}
	if id < 0 || int(id) >= c.srv.KS.Databases() {
		c.addReplyError("Out of range database")
		return
	}
	full := len(c.args) == 4
	if full && !equalFold(c.args[3], "full") {
		c.addReplyErrorSyntax()
		return
	}
	c.addReplyVerbatim("txt", c.srv.KS.DB(int(id)).TableReport(full))
}

// debugReload saves the dataset and loads it back: what a restart would make of
// it. The new dataset replaces the old one only if it loads.
func debugReload(c *Client) {
	s := c.srv
	save, flush, merge := true, true, false
	for _, o := range c.args[2:] {
		switch {
		case equalFold(o, "merge"):
			merge = true
		case equalFold(o, "noflush"):
			flush = false
		case equalFold(o, "nosave"):
			save = false
		default:
			c.addReplyError("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
			return
		}
	}
	if save {
		s.abortSaving(errSaveNow)
		if s.SaveNow() != nil {
			c.addReplyError("-ERR") // as redis-server: the log says why
			return
		}
	}
	if err := s.reload(flush, merge); err != nil {
		s.Host.Logf(LogWarning, "DEBUG RELOAD failed: %v", err)
		c.addReplyError("Error trying to load the RDB dump, check server logs.")
		return
	}
	s.Host.Logf(LogWarning, "DB reloaded by DEBUG RELOAD")
	c.addReplyOK()
}
