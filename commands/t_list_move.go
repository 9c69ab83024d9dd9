package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
)

// Commands that take elements off one list of several, or move them from one
// list to another, and their waiting forms. A waiting command that is run again
// because a key has become a list looks at that key only (see blocked.go).

// listEndArg reads an argument LEFT or RIGHT.
func (c *Client) listEndArg(i int) (where listEnd, ok bool) {
	switch {
	case equalFold(c.args[i], "left"):
		return listHead, true
	case equalFold(c.args[i], "right"):
		return listTail, true
	}
	c.addReplyErrorSyntax()
	return listHead, false
}

// lmoveGeneric moves an element from an end of the list args[1], which e is, to
// an end of the list args[2].
func (c *Client) lmoveGeneric(e keyspace.Entry, from, to listEnd) {
	src, dst := c.args[1], c.args[2]
	d, found, answered := c.lookupListWrite(dst)
	if answered {
		return
	}
	v := e.Value()
	env := &c.srv.lists
	if string(src) == string(dst) {
		c.rotate(e, from, to)
		return
	}
	i := 0
	if from == listTail {
		i = v.ListLen() - 1
	}
	it := v.ListIter(env, i, false)
	// A view of the source, which no push to another list moves.
	elem := [1][]byte{it.Value(&c.srv.hashBuf[0])}
	c.addReplyBulk(elem[0])
	c.pushElements(dst, d, found, elem[:], to)
	c.signalModified(dst)
	c.notify(notifyList, to.pushEvent(), dst)
	// The source's record stays where it is, but its database has changed.
	e, _ = c.db.LookupRaw(src)
	c.elementsRemoved(src, e, from, 1)
	c.rewriteMove(from, to)
}

// rotate moves an element within the list args[1].
func (c *Client) rotate(e keyspace.Entry, from, to listEnd) {
	key := c.args[1]
	env := &c.srv.lists
	v := e.Value()
	i := 0
	if from == listTail {
		i = v.ListLen() - 1
	}
	it := v.ListIter(env, i, false)
	elem := append(c.srv.scratch[:0], it.Value(&c.srv.hashBuf[0])...)
	c.addReplyBulk(elem)
	v.ListDelRange(env, i, 1)
	v.ListPush(env, elem, bool(to))
	c.srv.keepScratch(elem)
	c.db.Update(e, v, false)
	c.signalModified(key)
	c.notify(notifyList, to.pushEvent(), key)
	c.notify(notifyList, from.popEvent(), key)
	c.srv.dirty++
	c.rewriteMove(from, to)
}

// lmoveOrNull is what LMOVE and RPOPLPUSH do once their arguments are read.
func (c *Client) lmoveOrNull(from, to listEnd) {
	e, ok, answered := c.lookupListWrite(c.args[1])
	switch {
	case answered:
	case !ok:
		c.addReplyNull()
	default:
		c.lmoveGeneric(e, from, to)
	}
}

func lmoveCommand(c *Client) {
	from, ok := c.listEndArg(3)
	if !ok {
		return
	}
	to, ok := c.listEndArg(4)
	if !ok {
		return
	}
	c.lmoveOrNull(from, to)
}

func rpoplpushCommand(c *Client) { c.lmoveOrNull(listTail, listHead) }

// lmpopOptions reads the arguments of LMPOP and BLMPOP from numkeys on.
func (c *Client) lmpopOptions(first int) (keys [][]byte, where listEnd, count int64, ok bool) {
	n, ok := c.rangeArg(first, 1, math.MaxInt64, errNumKeys)
	if !ok {
		return nil, where, 0, false
	}
	if n >= int64(len(c.args)-first-1) {
		c.addReplyErrorSyntax()
		return nil, where, 0, false
	}
	at := first + 1 + int(n)
	keys = c.args[first+1 : at]
	if where, ok = c.listEndArg(at); !ok {
		return nil, where, 0, false
	}
	count = -1
	for j := at + 1; j < len(c.args); j += 2 {
		if count != -1 || !equalFold(c.args[j], "count") || j+1 >= len(c.args) {
			c.addReplyErrorSyntax()
			return nil, where, 0, false
		}
		if count, ok = c.rangeArg(j+1, 1, math.MaxInt64, "count should be greater than 0"); !ok {
			return nil, where, 0, false
		}
	}
	return keys, where, max(count, 1), true
}

// popFirst answers the first list of keys with elements from its end: the key
// and one element if count is -1 (BLPOP), else the key and an array of up to
// count. It returns false, with nothing answered, when no key holds a list.
func (c *Client) popFirst(keys [][]byte, where listEnd, count int64) bool {
	ready := c.readyKey()
	for _, key := range keys {
		if ready != nil && string(ready) != string(key) {
			continue
		}
		e, ok, answered := c.lookupListWrite(key)
		if answered {
			return true
		}
		if !ok {
			continue
		}
		v := e.Value()
		n := 1
		c.addReplyArrayLen(2)
		c.addReplyBulk(key)
		if count != -1 {
			n = int(min(count, int64(v.ListLen())))
			c.addReplyArrayLen(n)
		}
		c.replyEnd(v, where, n)
		c.elementsRemoved(key, e, where, n)
		c.rewritePop(where.popWord(), key, count, n)
		return true
	}
	return false
}

func lmpopCommand(c *Client) {
	keys, where, count, ok := c.lmpopOptions(1)
	if ok && !c.popFirst(keys, where, count) {
		c.addReplyNullArray()
	}
}

// blockingPop is popFirst, which waits if there is nothing.
func (c *Client) blockingPop(keys [][]byte, where listEnd, count, deadline int64) {
	switch {
	case c.popFirst(keys, where, count):
	case c.flags&flagDenyBlocking != 0:
		c.addReplyNullArray()
	default:
		c.blockForKeys(keys, deadline, (*Client).addReplyNullArray)
	}
}

func (c *Client) blockingPopGeneric(where listEnd) {
	last := len(c.args) - 1
	if deadline, ok := c.timeoutArg(last, true); ok {
		c.blockingPop(c.args[1:last], where, -1, deadline)
	}
}

func blpopCommand(c *Client) { c.blockingPopGeneric(listHead) }
func brpopCommand(c *Client) { c.blockingPopGeneric(listTail) }

func blmpopCommand(c *Client) {
	keys, where, count, ok := c.lmpopOptions(2)
	if !ok {
		return
	}
	if deadline, ok := c.timeoutArg(1, true); ok {
		c.blockingPop(keys, where, count, deadline)
	}
}

// blmoveGeneric is lmoveGeneric, which waits if there is no source.
func (c *Client) blmoveGeneric(from, to listEnd, deadline int64) {
	e, ok, answered := c.lookupListWrite(c.args[1])
	switch {
	case answered:
	case ok:
		c.lmoveGeneric(e, from, to)
	case c.flags&flagDenyBlocking != 0:
		c.addReplyNull()
	default:
		c.blockForKeys(c.args[1:2], deadline, (*Client).addReplyNullArray)
	}
}

func blmoveCommand(c *Client) {
	from, ok := c.listEndArg(3)
	if !ok {
		return
	}
	to, ok := c.listEndArg(4)
	if !ok {
		return
	}
	if deadline, ok := c.timeoutArg(5, true); ok {
		c.blmoveGeneric(from, to, deadline)
	}
}

func brpoplpushCommand(c *Client) {
	if deadline, ok := c.timeoutArg(3, true); ok {
		c.blmoveGeneric(listTail, listHead, deadline)
	}
}
