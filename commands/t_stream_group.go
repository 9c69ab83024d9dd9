package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// Consumer groups: XGROUP, XACK, XPENDING.

// groupConsumer finds a consumer, or makes it, and notes that it was seen.
func (c *Client) groupConsumer(v object.Value, key []byte, g *stream.Group, name []byte) *stream.Consumer {
	if con := g.Consumer(v.A, name); con != nil {
		con.SeenTime = c.now()
		return con
	}
	con := g.AddConsumer(v.A, name, c.now())
	c.srv.dirty++
	c.notify(notifyStream, "xgroup-createconsumer", key)
	return con
}

// lookupGroup finds the group args[2] of the stream args[1]; a nil group is
// answered with an error.
func (c *Client) lookupGroup() (v object.Value, g *stream.Group) {
	v, found, ok := c.lookupStream(c.args[1])
	if !ok {
		return v, nil
	}
	if found {
		g = v.Stream().Group(v.A, c.args[2])
	}
	if g == nil {
		c.addReplyError("-NOGROUP No such key '" + cText(c.args[1]) + "' or consumer group '" + cText(c.args[2]) + "'")
	}
	return v, g
}

func (c *Client) addReplyNoSuchGroup() {
	c.addReplyError("-NOGROUP No such consumer group '" + cText(c.args[3]) + "' for key name '" + cText(c.args[2]) + "'")
}

// xgroupLookup finds the stream of args[2], which must exist, and in it the
// group of args[3], which may be nil unless must.
func (c *Client) xgroupLookup(must bool) (v object.Value, g *stream.Group, ok bool) {
	v, found, ok := c.lookupStreamWrite(c.args[2])
	if !ok {
		return v, nil, false
	}
	if !found {
		c.addReplyError("The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
		return v, nil, false
	}
	g = v.Stream().Group(v.A, c.args[3])
	if g == nil && must {
		c.addReplyNoSuchGroup()
		return v, nil, false
	}
	return v, g, true
}

// entriesReadArg reads the argument of ENTRIESREAD.
func (c *Client) entriesReadArg(i int) (int64, bool) {
	n, ok := c.longArg(i, "")
	if ok && n < 0 && n != stream.UnknownRead {
		c.addReplyError("value for ENTRIESREAD must be positive or -1")
		return 0, false
	}
	return n, ok
}

// xgroupOptions reads the options of CREATE and SETID.
func (c *Client) xgroupOptions(create bool) (mkstream bool, read int64, ok bool) {
	read = stream.UnknownRead
	for i := 5; i < len(c.args); i++ {
		switch {
		case create && equalFold(c.args[i], "mkstream"):
			mkstream = true
		case equalFold(c.args[i], "entriesread") && i+1 < len(c.args):
			i++
			if read, ok = c.entriesReadArg(i); !ok {
				return false, 0, false
			}
		default:
			c.addReplySubcommandSyntaxError()
			return false, 0, false
		}
	}
	return mkstream, read, true
}

func xgroupCreateCommand(c *Client) {
	mkstream, read, ok := c.xgroupOptions(true)
	if !ok {
		return
	}
	key := c.args[2]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	if !found && !mkstream {
		c.xgroupLookup(false) // says that the key is missing
		return
	}
	if len(c.args) > 8 {
		c.addReplySubcommandSyntaxError()
		return
	}
	var id stream.ID
	if arg := c.args[4]; len(arg) == 1 && arg[0] == '$' {
		if found {
			id = v.Stream().LastID
		}
	} else if id, ok = c.streamID(arg); !ok {
		return
	}
	if !found {
		v = c.createStream(key)
		c.signalModified(key)
	}
	if v.Stream().AddGroup(v.A, c.args[3], id, read) == nil {
		c.addReplyError("-BUSYGROUP Consumer Group name already exists")
		return
	}
	c.addReplyOK()
	c.srv.dirty++
	c.notify(notifyStream, "xgroup-create", key)
}

func xgroupSetidCommand(c *Client) {
	_, read, ok := c.xgroupOptions(false)
	if !ok {
		return
	}
	v, g, ok := c.xgroupLookup(true)
	if !ok {
		return
	}
	if len(c.args) != 5 && len(c.args) != 7 {
		c.addReplySubcommandSyntaxError()
		return
	}
	id := v.Stream().LastID
	if arg := c.args[4]; len(arg) != 1 || arg[0] != '$' {
		if id, _, ok = parseStreamID(arg, 0, false, false); !ok {
			c.addReplyError(errStreamID)
			return
		}
	}
	g.LastID, g.EntriesRead = id, read
	c.addReplyOK()
	c.srv.dirty++
	c.notify(notifyStream, "xgroup-setid", c.args[2])
}

func xgroupDestroyCommand(c *Client) {
	v, g, ok := c.xgroupLookup(false)
	if !ok {
		return
	}
	if g == nil {
		c.addReplyLongLong(0)
		return
	}
	v.Stream().DeleteGroup(v.A, c.args[3])
	c.addReplyLongLong(1)
	c.srv.dirty++
	c.notify(notifyStream, "xgroup-destroy", c.args[2])
	if len(c.srv.blockedOn) != 0 {
		c.srv.keyReady(c.db.ID, c.args[2]) // who waits in the group is told
	}
}

func xgroupCreateconsumerCommand(c *Client) {
	v, g, ok := c.xgroupLookup(true)
	if !ok {
		return
	}
	if g.AddConsumer(v.A, c.args[4], c.now()) == nil {
		c.addReplyLongLong(0)
		return
	}
	c.srv.dirty++
	c.notify(notifyStream, "xgroup-createconsumer", c.args[2])
	c.addReplyLongLong(1)
}

func xgroupDelconsumerCommand(c *Client) {
	v, g, ok := c.xgroupLookup(true)
	if !ok {
		return
	}
	pending, found := g.DeleteConsumer(v.A, c.args[4])
	c.addReplyLongLong(int64(pending))
	if found {
		c.srv.dirty++
		c.notify(notifyStream, "xgroup-delconsumer", c.args[2])
	}
}

func xgroupHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]", "    Make a group that reads on from an ID.",
		"CREATECONSUMER <key> <group> <consumer>", "    Make a consumer.",
		"DELCONSUMER <key> <group> <consumer>", "    Delete a consumer and forget its pending entries.",
		"DESTROY <key> <group>", "    Delete a group.",
		"SETID <key> <group> <id|$> [ENTRIESREAD <n>]", "    Make a group read on from another ID.",
	})
}

func xackCommand(c *Client) {
	v, found, ok := c.lookupStream(c.args[1])
	if !ok {
		return
	}
	var g *stream.Group
	if found {
		g = v.Stream().Group(v.A, c.args[2])
	}
	if g == nil {
		c.addReplyLongLong(0)
		return
	}
	ids, ok := c.streamIDs(c.args[3:])
	if !ok {
		return
	}
	n := int64(0)
	for _, id := range ids {
		if g.Ack(v.A, id) {
			n++
		}
	}
	c.srv.dirty += n
	c.addReplyLongLong(n)
}

func xpendingCommand(c *Client) {
	if n := len(c.args); n != 3 && (n < 6 || n > 9) {
		c.addReplyErrorSyntax()
		return
	}
	if len(c.args) > 3 {
		c.xpendingRange()
		return
	}
	v, g := c.lookupGroup()
	if g == nil {
		return
	}
	c.addReplyArrayLen(4)
	c.addReplyLongLong(int64(g.Pending()))
	if g.Pending() == 0 {
		c.addReplyNull()
		c.addReplyNull()
		c.addReplyNullArray()
		return
	}
	c.addReplyStreamID(g.FirstPending(v.A))
	c.addReplyStreamID(g.LastPending(v.A))
	mark, n := c.deferredLen(), 0
	for i := range g.Consumers() {
		con := g.ConsumerAt(v.A, i)
		if con.Pending() == 0 {
			continue
		}
		var buf [20]byte
		c.addReplyArrayLen(2)
		c.addReplyBulk(con.Name())
		c.addReplyBulk(appendUint(buf[:0], uint64(con.Pending())))
		n++
	}
	c.setDeferredArrayLen(mark, n)
}

// xpendingRange is XPENDING with a range of IDs.
func (c *Client) xpendingRange() {
	at, idle := 3, int64(0)
	var ok bool
	if equalFold(c.args[3], "idle") {
		if idle, ok = c.longArg(4, ""); !ok {
			return
		}
		if len(c.args) < 8 {
			c.addReplyErrorSyntax()
			return
		}
		at = 5
	}
	count, ok := c.longArg(at+2, "")
	if !ok {
		return
	}
	start, ok := c.streamBound(c.args[at], 0, true)
	if !ok {
		return
	}
	end, ok := c.streamBound(c.args[at+1], math.MaxUint64, false)
	if !ok {
		return
	}
	v, g := c.lookupGroup()
	if g == nil {
		return
	}
	var con *stream.Consumer
	if at+3 < len(c.args) {
		if con = g.Consumer(v.A, c.args[at+3]); con == nil {
			c.addReplyArrayLen(0)
			return
		}
	}
	cur := g.SeekPending(v.A, start)
	if con != nil {
		cur = con.SeekPending(v.A, start)
	}
	mark, n := c.deferredLen(), int64(0)
	for ; n < count && cur.Valid() && !end.Less(cur.Key()); cur.Next() {
		var nack *stream.NACK
		owner := con
		if con != nil {
			nack = g.Find(v.A, cur.Key())
		} else {
			nack = cur.NACK()
			owner = g.ConsumerOf(v.A, nack)
		}
		since := c.now() - nack.Time()
		if idle != 0 && since < idle {
			continue
		}
		c.addReplyArrayLen(4)
		c.addReplyStreamID(cur.Key())
		c.addReplyBulk(owner.Name())
		c.addReplyLongLong(max(since, 0))
		c.addReplyLongLong(int64(nack.Count()))
		n++
	}
	c.setDeferredArrayLen(mark, int(n))
}
