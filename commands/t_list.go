package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
)

// List commands that never wait. Those that move elements from list to list and
// those that wait are in t_list_move.go and t_list_block.go.

// listEnd is an end of a list.
type listEnd bool

const (
	listHead listEnd = false
	listTail listEnd = true
)

// popEvent is the name of the keyspace event of taking elements off an end.
func (w listEnd) popEvent() string {
	if w == listTail {
		return "rpop"
	}
	return "lpop"
}

// pushEvent is that of adding some.
func (w listEnd) pushEvent() string {
	if w == listTail {
		return "rpush"
	}
	return "lpush"
}

// lookupListRead finds the list under a key for a read. Without one, or for
// another type, it returns false; in the latter case it has answered, and
// answered is true.
func (c *Client) lookupListRead(key []byte) (v object.Value, ok, answered bool) {
	e, found := c.lookupKeyRead(key)
	if !found {
		return v, false, false
	}
	if e.Type() != object.TypeList {
		c.addReplyErrorWrongType()
		return v, false, true
	}
	return e.Value(), true, false
}

// lookupListWrite is lookupListRead for a command that is about to change the
// list.
func (c *Client) lookupListWrite(key []byte) (e keyspace.Entry, ok, answered bool) {
	e, found := c.lookupKeyWrite(key)
	if !found {
		return e, false, false
	}
	if e.Type() != object.TypeList {
		c.addReplyErrorWrongType()
		return e, false, true
	}
	return e, true, false
}

// createList makes an empty list.
func (c *Client) createList(key []byte) keyspace.Entry {
	var empty [listpack.EmptySize]byte
	return c.db.Create(key, object.TypeList, object.EncListpack, listpack.AppendEmpty(empty[:0]), 0)
}

// pushElements adds elements one after the other at an end of the list under a
// key and returns its new length. e and found are what looking for it gave.
func (c *Client) pushElements(key []byte, e keyspace.Entry, found bool, elems [][]byte, where listEnd) int {
	env := &c.srv.lists
	if !found {
		if lp, ok := object.AppendList(c.srv.scratch[:0], env, elems, bool(where)); ok {
			c.db.Create(key, object.TypeList, object.EncListpack, lp, 0)
			c.srv.keepScratch(lp)
			return len(elems)
		}
		e = c.createList(key)
	}
	v := e.Value()
	for _, s := range elems {
		v.ListPush(env, s, bool(where))
	}
	n := v.ListLen()
	c.db.Update(e, v, false)
	return n
}

func (c *Client) pushGeneric(where listEnd, onlyExisting bool) {
	key := c.args[1]
	e, found, answered := c.lookupListWrite(key)
	if answered {
		return
	}
	if !found && onlyExisting {
		c.addReplyLongLong(0)
		return
	}
	n := c.pushElements(key, e, found, c.args[2:], where)
	c.srv.dirty += int64(len(c.args) - 2)
	c.addReplyLongLong(int64(n))
	c.signalModified(key)
	c.notify(notifyList, where.pushEvent(), key)
}

func lpushCommand(c *Client)  { c.pushGeneric(listHead, false) }
func rpushCommand(c *Client)  { c.pushGeneric(listTail, false) }
func lpushxCommand(c *Client) { c.pushGeneric(listHead, true) }
func rpushxCommand(c *Client) { c.pushGeneric(listTail, true) }

func linsertCommand(c *Client) {
	var after bool
	switch {
	case equalFold(c.args[2], "after"):
		after = true
	case !equalFold(c.args[2], "before"):
		c.addReplyErrorSyntax()
		return
	}
	key := c.args[1]
	e, ok, answered := c.lookupListWrite(key)
	if !ok {
		if !answered {
			c.addReplyLongLong(0)
		}
		return
	}
	v := e.Value()
	i := 0
	it := v.ListIter(&c.srv.lists, 0, false)
	pivot := quicklist.NeedleOf(c.args[3])
	for it.Valid() && !it.Is(&pivot) {
		it.Next()
		i++
	}
	if !it.Valid() {
		c.addReplyLongLong(-1)
		return
	}
	v.ListInsert(&c.srv.lists, i, c.args[4], after)
	n := v.ListLen()
	c.db.Update(e, v, false)
	c.signalModified(key)
	c.notify(notifyList, "linsert", key)
	c.srv.dirty++
	c.addReplyLongLong(int64(n))
}

func llenCommand(c *Client) {
	v, ok, answered := c.lookupListRead(c.args[1])
	if answered {
		return
	}
	n := 0
	if ok {
		n = v.ListLen()
	}
	c.addReplyLongLong(int64(n))
}

// listIndex makes an index that counts from either end one that counts from the
// head; -1 if it is out of the list.
func listIndex(i int64, n int) int {
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return -1
	}
	return int(i)
}

func lindexCommand(c *Client) {
	v, ok, answered := c.lookupListRead(c.args[1])
	if !ok {
		if !answered {
			c.addReplyNull()
		}
		return
	}
	i, ok := c.longArg(2, "")
	if !ok {
		return
	}
	it := v.ListIter(&c.srv.lists, listIndex(i, v.ListLen()), false)
	if !it.Valid() {
		c.addReplyNull()
		return
	}
	c.addReplyBulk(it.Value(&c.srv.hashBuf[0]))
}

func lsetCommand(c *Client) {
	key := c.args[1]
	e, ok, answered := c.lookupListWrite(key)
	if !ok {
		if !answered {
			c.addReplyError(errNoKey)
		}
		return
	}
	n, ok := c.longArg(2, "")
	if !ok {
		return
	}
	v := e.Value()
	i := listIndex(n, v.ListLen())
	if i < 0 {
		c.addReplyError(errOutOfRange)
		return
	}
	v.ListReplace(&c.srv.lists, i, c.args[3])
	c.db.Update(e, v, false)
	c.addReplyOK()
	c.signalModified(key)
	c.notify(notifyList, "lset", key)
	c.srv.dirty++
}

// replyElements answers n elements from index from on, towards the head if back
// is true, without the head of an array.
func (c *Client) replyElements(v object.Value, from, n int, back bool) {
	buf := &c.srv.hashBuf[0]
	it := v.ListIter(&c.srv.lists, from, back)
	for ; n > 0; n-- {
		c.addReplyBulk(it.Value(buf))
		it.Next()
	}
}

// listRange makes a range, whose ends count from either end of a list of n
// elements, one of a first element and a number of them, which may be 0.
func listRange(start, end int64, n int) (from, count int) {
	if start < 0 {
		start = max(start+int64(n), 0)
	}
	if end < 0 {
		end += int64(n)
	}
	end = min(end, int64(n)-1)
	if start > end || start >= int64(n) {
		return 0, 0
	}
	return int(start), int(end - start + 1)
}

func lrangeCommand(c *Client) {
	start, ok := c.longArg(2, "")
	if !ok {
		return
	}
	end, ok := c.longArg(3, "")
	if !ok {
		return
	}
	v, ok, answered := c.lookupListRead(c.args[1])
	if !ok {
		if !answered {
			c.addReplyArrayLen(0)
		}
		return
	}
	from, n := listRange(start, end, v.ListLen())
	c.addReplyArrayLen(n)
	c.replyElements(v, from, n, false)
}

func ltrimCommand(c *Client) {
	start, ok := c.longArg(2, "")
	if !ok {
		return
	}
	end, ok := c.longArg(3, "")
	if !ok {
		return
	}
	key := c.args[1]
	e, ok, answered := c.lookupListWrite(key)
	if !ok {
		if !answered {
			c.addReplyOK()
		}
		return
	}
	v := e.Value()
	n := v.ListLen()
	from, kept := listRange(start, end, n)
	if kept > 0 {
		v.ListDelRange(&c.srv.lists, from+kept, n-from-kept)
		v.ListDelRange(&c.srv.lists, 0, from)
	}
	c.db.Update(e, v, kept == 0)
	c.notify(notifyList, "ltrim", key)
	if kept == 0 {
		c.notify(notifyGeneric, "del", key)
	}
	c.signalModified(key)
	c.srv.dirty += int64(n - kept)
	c.addReplyOK()
}

// lposOptions are those of LPOS.
type lposOptions struct {
	rank   int64 // 1 the first match, -1 the last
	count  int64 // -1 not given
	maxlen int64
}

func (c *Client) parseLposOptions() (o lposOptions, ok bool) {
	o = lposOptions{rank: 1, count: -1}
	for j := 3; j < len(c.args); j += 2 {
		opt := c.args[j]
		more := j+1 < len(c.args)
		switch {
		case equalFold(opt, "rank") && more:
			if o.rank, ok = c.longArg(j+1, ""); !ok {
				return o, false
			}
			if o.rank == 0 {
				c.addReplyError("RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
				return o, false
			}
		case equalFold(opt, "count") && more:
			if o.count, ok = c.rangeArg(j+1, 0, math.MaxInt64, "COUNT can't be negative"); !ok {
				return o, false
			}
		case equalFold(opt, "maxlen") && more:
			if o.maxlen, ok = c.rangeArg(j+1, 0, math.MaxInt64, "MAXLEN can't be negative"); !ok {
				return o, false
			}
		default:
			c.addReplyErrorSyntax()
			return o, false
		}
	}
	return o, true
}

func lposCommand(c *Client) {
	o, ok := c.parseLposOptions()
	if !ok {
		return
	}
	v, ok, answered := c.lookupListRead(c.args[1])
	if answered {
		return
	}
	mark, n := 0, 0
	if o.count >= 0 {
		mark = c.deferredLen()
	}
	if ok {
		n = c.lposGeneric(v, o)
	}
	switch {
	case o.count >= 0:
		c.setDeferredArrayLen(mark, n)
	case n == 0:
		c.addReplyNull()
	}
}

// lposGeneric answers the indexes of the matches, without the head of an array,
// and returns how many they are.
func (c *Client) lposGeneric(v object.Value, o lposOptions) (found int) {
	size := v.ListLen()
	i, step, rank := 0, 1, o.rank
	if rank < 0 {
		i, step, rank = size-1, -1, -rank
	}
	looked, matches := int64(0), int64(0)
	x := quicklist.NeedleOf(c.args[2])
	for it := v.ListIter(&c.srv.lists, i, step < 0); it.Valid(); it.Next() {
		if o.maxlen > 0 && looked >= o.maxlen {
			break
		}
		if it.Is(&x) {
			if matches++; matches >= rank {
				c.addReplyLongLong(int64(i))
				found++
				if o.count < 0 || int64(found) == o.count {
					break
				}
			}
		}
		looked++
		i += step
	}
	return found
}

func lremCommand(c *Client) {
	n, ok := c.longArg(2, "")
	if !ok {
		return
	}
	key := c.args[1]
	e, ok, answered := c.lookupListWrite(key)
	if !ok {
		if !answered {
			c.addReplyLongLong(0)
		}
		return
	}
	back := n < 0
	if back {
		n = -n
	}
	v := e.Value()
	removed := v.ListRemove(&c.srv.lists, c.args[3], int(n), back)
	empty := v.ListLen() == 0
	c.db.Update(e, v, empty)
	if removed > 0 {
		c.signalModified(key)
		c.notify(notifyList, "lrem", key)
	}
	if empty {
		c.notify(notifyGeneric, "del", key)
	}
	c.srv.dirty += int64(removed)
	c.addReplyLongLong(int64(removed))
}

// elementsRemoved takes n elements, which have been answered, off an end of the
// list under a key and reports it.
func (c *Client) elementsRemoved(key []byte, e keyspace.Entry, where listEnd, n int) {
	v := e.Value()
	left := v.ListLen() - n
	if left > 0 {
		from := 0
		if where == listTail {
			from = left
		}
		v.ListDelRange(&c.srv.lists, from, n)
	}
	c.db.Update(e, v, left == 0)
	c.notify(notifyList, where.popEvent(), key)
	if left == 0 {
		c.notify(notifyGeneric, "del", key)
	}
	c.signalModified(key)
	c.srv.dirty += int64(n)
}

// replyEnd answers n elements from an end on, that one first, without the head
// of an array.
func (c *Client) replyEnd(v object.Value, where listEnd, n int) {
	if where == listTail {
		c.replyElements(v, v.ListLen()-1, n, true)
	} else {
		c.replyElements(v, 0, n, false)
	}
}

func (c *Client) popGeneric(where listEnd) {
	if len(c.args) > 3 {
		c.addReplyErrorArity()
		return
	}
	counted, count := len(c.args) == 3, int64(1)
	if counted {
		var ok bool
		if count, ok = c.rangeArg(2, 0, math.MaxInt64, errMustBePositive); !ok {
			return
		}
	}
	key := c.args[1]
	e, ok, answered := c.lookupListWrite(key)
	if !ok {
		switch {
		case answered:
		case counted:
			c.addReplyNullArray()
		default:
			c.addReplyNull()
		}
		return
	}
	if count == 0 {
		c.addReplyArrayLen(0)
		return
	}
	v := e.Value()
	n := int(min(count, int64(v.ListLen())))
	if counted {
		c.addReplyArrayLen(n)
	}
	c.replyEnd(v, where, n)
	c.elementsRemoved(key, e, where, n)
}

func lpopCommand(c *Client) { c.popGeneric(listHead) }
func rpopCommand(c *Client) { c.popGeneric(listTail) }
