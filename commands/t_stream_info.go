package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// XINFO.

// xinfoLookup finds the stream of args[2]; it answers errors itself.
func (c *Client) xinfoLookup() (object.Value, bool) {
	v, found, ok := c.lookupStream(c.args[2])
	if ok && !found {
		c.addReplyError(errNoKey)
	}
	return v, ok && found
}

func xinfoConsumersCommand(c *Client) {
	v, ok := c.xinfoLookup()
	if !ok {
		return
	}
	g := v.Stream().Group(v.A, c.args[3])
	if g == nil {
		c.addReplyNoSuchGroup()
		return
	}
	c.addReplyArrayLen(g.Consumers())
	for i := range g.Consumers() {
		con := g.ConsumerAt(v.A, i)
		c.addReplyMapLen(3)
		c.addReplyBulkString("name")
		c.addReplyBulk(con.Name())
		c.addReplyBulkString("pending")
		c.addReplyLongLong(int64(con.Pending()))
		c.addReplyBulkString("idle")
		c.addReplyLongLong(max(c.now()-con.SeenTime, 0))
	}
}

func xinfoGroupsCommand(c *Client) {
	v, ok := c.xinfoLookup()
	if !ok {
		return
	}
	s := v.Stream()
	c.addReplyArrayLen(s.Groups())
	for i := range s.Groups() {
		g := s.GroupAt(v.A, i)
		c.addReplyMapLen(6)
		c.addReplyBulkString("name")
		c.addReplyBulk(g.Name())
		c.addReplyBulkString("consumers")
		c.addReplyLongLong(int64(g.Consumers()))
		c.addReplyBulkString("pending")
		c.addReplyLongLong(int64(g.Pending()))
		c.addReplyGroupProgress(s, g)
	}
}

// addReplyGroupProgress answers the three fields that say how far a group is.
func (c *Client) addReplyGroupProgress(s *stream.Stream, g *stream.Group) {
	c.addReplyBulkString("last-delivered-id")
	c.addReplyStreamID(g.LastID)
	c.addReplyBulkString("entries-read")
	if g.EntriesRead == stream.UnknownRead {
		c.addReplyNull()
	} else {
		c.addReplyLongLong(g.EntriesRead)
	}
	c.addReplyBulkString("lag")
	if lag, ok := s.Lag(g); ok {
		c.addReplyLongLong(lag)
	} else {
		c.addReplyNull()
	}
}

func xinfoStreamCommand(c *Client) {
	v, ok := c.xinfoLookup()
	if !ok {
		return
	}
	full, count := len(c.args) > 3, int64(10)
	if full {
		n := len(c.args)
		if n != 4 && n != 6 || !equalFold(c.args[3], "full") || n == 6 && !equalFold(c.args[4], "count") {
			c.addReplySubcommandSyntaxError()
			return
		}
		if n == 6 {
			if count, ok = c.longArg(5, ""); !ok {
				return
			}
			if count < 0 {
				count = 10
			}
		}
	}
	s := v.Stream()
	if full {
		c.addReplyMapLen(9)
	} else {
		c.addReplyMapLen(10)
	}
	c.addReplyBulkString("length")
	c.addReplyLongLong(int64(s.Length))
	c.addReplyBulkString("radix-tree-keys")
	c.addReplyLongLong(int64(s.Nodes()))
	c.addReplyBulkString("radix-tree-nodes")
	c.addReplyLongLong(int64(s.RadixNodes(v.A)))
	c.addReplyBulkString("last-generated-id")
	c.addReplyStreamID(s.LastID)
	c.addReplyBulkString("max-deleted-entry-id")
	c.addReplyStreamID(s.MaxDeletedID)
	c.addReplyBulkString("entries-added")
	c.addReplyLongLong(int64(s.Added))
	c.addReplyBulkString("recorded-first-entry-id")
	c.addReplyStreamID(s.FirstID)
	if full {
		c.addReplyBulkString("entries")
		c.addReplyRange(v, stream.Min, stream.Max, count, false)
		c.addReplyBulkString("groups")
		c.addReplyArrayLen(s.Groups())
		for i := range s.Groups() {
			c.addReplyFullGroup(v, s.GroupAt(v.A, i), count)
		}
		return
	}
	c.addReplyBulkString("groups")
	c.addReplyLongLong(int64(s.Groups()))
	for _, end := range [...]struct {
		name string
		rev  bool
	}{{"first-entry", false}, {"last-entry", true}} {
		c.addReplyBulkString(end.name)
		if it := s.Range(v.A, stream.Min, stream.Max, end.rev); it.Next() {
			c.addReplyEntry(&it)
		} else {
			c.addReplyNull()
		}
	}
}

// addReplyFullGroup answers a group with at most count pending entries of it and
// of each consumer (0: all).
func (c *Client) addReplyFullGroup(v object.Value, g *stream.Group, count int64) {
	a := v.A
	c.addReplyMapLen(7)
	c.addReplyBulkString("name")
	c.addReplyBulk(g.Name())
	c.addReplyGroupProgress(v.Stream(), g)
	c.addReplyBulkString("pel-count")
	c.addReplyLongLong(int64(g.Pending()))
	c.addReplyBulkString("pending")
	mark, n := c.deferredLen(), int64(0)
	for cur := g.SeekPending(a, stream.Min); cur.Valid() && (count == 0 || n < count); cur.Next() {
		nack := cur.NACK()
		c.addReplyArrayLen(4)
		c.addReplyStreamID(cur.Key())
		c.addReplyBulk(g.ConsumerOf(a, nack).Name())
		c.addReplyLongLong(nack.Time())
		c.addReplyLongLong(int64(nack.Count()))
		n++
	}
	c.setDeferredArrayLen(mark, int(n))
	c.addReplyBulkString("consumers")
	c.addReplyArrayLen(g.Consumers())
	for i := range g.Consumers() {
		con := g.ConsumerAt(a, i)
		c.addReplyMapLen(4)
		c.addReplyBulkString("name")
		c.addReplyBulk(con.Name())
		c.addReplyBulkString("seen-time")
		c.addReplyLongLong(con.SeenTime)
		c.addReplyBulkString("pel-count")
		c.addReplyLongLong(int64(con.Pending()))
		c.addReplyBulkString("pending")
		mark, n := c.deferredLen(), int64(0)
		for cur := con.SeekPending(a, stream.Min); cur.Valid() && (count == 0 || n < count); cur.Next() {
			nack := g.Find(a, cur.Key())
			c.addReplyArrayLen(3)
			c.addReplyStreamID(cur.Key())
			c.addReplyLongLong(nack.Time())
			c.addReplyLongLong(int64(nack.Count()))
			n++
		}
		c.setDeferredArrayLen(mark, int(n))
	}
}

func xinfoHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"CONSUMERS <key> <group>", "    Answer the consumers of a group.",
		"GROUPS <key>", "    Answer the groups of a stream.",
		"STREAM <key> [FULL [COUNT <count>]]", "    Answer what a stream is made of; with FULL its entries and groups too.",
	})
}
