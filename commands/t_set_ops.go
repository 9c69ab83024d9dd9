package commands

import (
	"math"
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Intersections, unions and differences of sets.
//
// What is only answered is written straight into the reply where no member can
// come twice. What is stored, or may repeat itself, is built as a set aside, in
// the same memory as all data. Its encoding follows from the order in which it is
// built, so the algorithms and their choice are those of Redis (t_set.c).

// setSource is an input: the set, and its number of members. A key that does not
// exist is an empty one, with the zero Value.
type setSource struct {
	v object.Value
	n int
}

func (s *setSource) missing() bool { return s.v.Ref == 0 }

// indexes prepares the sets, none of which is missing, to be asked for about that many members
// each. They are good until the next call.
func (c *Client) indexes(src []setSource, lookups int) []object.SetIndex {
	s := c.srv
	for len(s.setIndexes) < len(src) && len(s.setIndexes) < maxSetIndexes {
		s.setIndexes = append(s.setIndexes, object.SetIndex{})
	}
	x := s.setIndexes[:min(len(src), maxSetIndexes)]
	for i := range x {
		x[i].Init(src[i].v, lookups)
	}
	return x
}

// maxSetIndexes is the number of sets that have an index at once: with more of them a member
// rarely gets to the last ones, and what they need stays allocated.
const maxSetIndexes = 16

// anyLacks tells whether one of the sets does not have a member; x indexes the first of them.
func anyLacks(src []setSource, x []object.SetIndex, member []byte) bool {
	for i := range x {
		if !x[i].Has(member) {
			return true
		}
	}
	for i := len(x); i < len(src); i++ {
		if !object.SetContains(src[i].v, member) {
			return true
		}
	}
	return false
}

// anyHas tells whether one of the sets has it.
func anyHas(src []setSource, x []object.SetIndex, member []byte) bool {
	for i := range x {
		if x[i].Has(member) {
			return true
		}
	}
	for i := len(x); i < len(src); i++ {
		if object.SetContains(src[i].v, member) {
			return true
		}
	}
	return false
}

// lookupSets finds the sets under keys; false after an error reply. The slice is
// good until the next call.
func (c *Client) lookupSets(keys [][]byte) (src []setSource, ok bool) {
	src = c.srv.sets[:0]
	for _, k := range keys {
		v, found, answered := c.lookupSetRead(k)
		if answered {
			return nil, false
		}
		s := setSource{}
		if found {
			s = setSource{v, object.SetLen(v)}
		}
		src = append(src, s)
	}
	c.srv.sets = src
	return src, true
}

// newSet starts a set aside, to be stored under key.
func (c *Client) newSet(key []byte) object.Value {
	return object.NewSet(c.srv.KS.Arena(), c.srv.KS.LoadedLRU(-1, -1), key)
}

// storeSet puts a set that was built aside under key, in the place of whatever
// was there, or deletes the key if the set is empty. It answers the number of
// members.
func (c *Client) storeSet(key []byte, v object.Value, event string) {
	n := object.SetLen(v)
	if n == 0 {
		c.srv.KS.FreeDetached(v.Ref)
		c.addReplyLongLong(0)
		c.deleteForStore(key)
		return
	}
	c.overwrite(key, func() { c.db.Adopt(v.Ref) })
	c.signalModified(key)
	c.addReplyLongLong(int64(n))
	c.notify(notifySet, event, key)
	c.srv.dirty++
}

func bySize(a, b setSource) int { return a.n - b.n }

// intersect calls fn for each member that all sets have, until it returns false.
// It sorts the sets.
func (c *Client) intersect(src []setSource, fn func(member []byte) bool) {
	for i := range src {
		if src[i].missing() {
			return
		}
	}
	// The smallest is walked; the next in size is the likeliest to miss a member.
	slices.SortStableFunc(src, bySize)
	first := src[0]
	rest := slices.DeleteFunc(src[1:], func(s setSource) bool { return s.v.Ref == first.v.Ref })
	x := c.indexes(rest, first.n)
	object.SetEachBuf(first.v, c.setBuf(), func(m []byte) bool {
		return anyLacks(rest, x, m) || fn(m)
	})
}

func sinterCommand(c *Client) {
	src, ok := c.lookupSets(c.args[1:])
	if !ok {
		return
	}
	mark, n := c.deferredLen(), 0
	c.intersect(src, func(m []byte) bool {
		c.addReplyBulk(m)
		n++
		return true
	})
	c.setDeferredSetLen(mark, n)
}

func sintercardCommand(c *Client) {
	numKeys, ok := c.rangeArg(1, 1, math.MaxInt64, errNumKeys)
	if !ok {
		return
	}
	if numKeys > int64(len(c.args)-2) {
		c.addReplyError("Number of keys can't be greater than number of args")
		return
	}
	limit := int64(0)
	for j := 2 + int(numKeys); j < len(c.args); j += 2 {
		if !equalFold(c.args[j], "limit") || j+1 == len(c.args) {
			c.addReplyErrorSyntax()
			return
		}
		if limit, ok = c.rangeArg(j+1, 0, math.MaxInt64, "LIMIT can't be negative"); !ok {
			return
		}
	}
	src, ok := c.lookupSets(c.args[2 : 2+numKeys])
	if !ok {
		return
	}
	n := int64(0)
	c.intersect(src, func([]byte) bool {
		n++
		return n != limit
	})
	c.addReplyLongLong(n)
}

func sinterstoreCommand(c *Client) {
	src, ok := c.lookupSets(c.args[2:])
	if !ok {
		return
	}
	res, lim := c.newSet(c.args[1]), &c.srv.lim
	c.intersect(src, func(m []byte) bool {
		object.SetAddNew(&res, m, lim)
		return true
	})
	c.storeSet(c.args[1], res, "sinterstore")
}

// unite adds the members of all sets to res.
func (c *Client) unite(src []setSource, res *object.Value) {
	lim := &c.srv.lim
	for i := range src {
		if src[i].missing() {
			continue
		}
		object.SetEachBuf(src[i].v, c.setBuf(), func(m []byte) bool {
			object.SetAdd(res, m, lim)
			return true
		})
	}
}

// fewSets is the number of sets up to which a union asks those before whether
// they have a member already, instead of building the result.
const fewSets = 4

func sunionCommand(c *Client) {
	src, ok := c.lookupSets(c.args[1:])
	if !ok {
		return
	}
	src = slices.DeleteFunc(src, func(s setSource) bool { return s.missing() })
	if len(src) > fewSets {
		res := c.newSet(nil)
		c.unite(src, &res)
		c.addReplySet(res)
		c.srv.KS.FreeDetached(res.Ref)
		return
	}
	// The largest is walked first: its members are looked up nowhere.
	slices.SortStableFunc(src, func(a, b setSource) int { return b.n - a.n })
	mark, n := c.deferredLen(), 0
	for i := range src {
		if i == 0 {
			n += src[0].n
			c.addReplyMembers(src[0].v)
			continue
		}
		before := src[:i]
		x := c.indexes(before, src[i].n)
		object.SetEachBuf(src[i].v, c.setBuf(), func(m []byte) bool {
			if anyHas(before, x, m) {
				return true
			}
			c.addReplyBulk(m)
			n++
			return true
		})
	}
	c.setDeferredSetLen(mark, n)
}

func sunionstoreCommand(c *Client) {
	src, ok := c.lookupSets(c.args[2:])
	if !ok {
		return
	}
	res := c.newSet(c.args[1])
	c.unite(src, &res)
	c.storeSet(c.args[1], res, "sunionstore")
}

// diffWays says how to subtract the sets from the first one: trivially, because
// nothing is left, or by asking them for each of its members, or by removing all
// of theirs from a copy.
type diffWay uint8

const (
	diffEmpty diffWay = iota
	diffAsk
	diffRemove
)

func wayOfDiff(src []setSource) diffWay {
	if src[0].missing() {
		return diffEmpty
	}
	ask, remove := 0, 0
	for i := range src {
		if i > 0 && src[i].v.Ref == src[0].v.Ref {
			return diffEmpty
		}
		if !src[i].missing() {
			ask += src[0].n
			remove += src[i].n
		}
	}
	// Asking stops at the first that has a member, and is cheaper a step.
	if ask/2 <= remove {
		return diffAsk
	}
	return diffRemove
}

// diffAsking calls fn for each member of the first set that no other has. It
// sorts the others.
func (c *Client) diffAsking(src []setSource, fn func(member []byte)) {
	rest := slices.DeleteFunc(src[1:], func(s setSource) bool { return s.missing() })
	// The largest first: it is the likeliest to have a member.
	slices.SortStableFunc(rest, func(a, b setSource) int { return b.n - a.n })
	x := c.indexes(rest, src[0].n)
	object.SetEachBuf(src[0].v, c.setBuf(), func(m []byte) bool {
		if !anyHas(rest, x, m) {
			fn(m)
		}
		return true
	})
}

// diffRemoving makes res the first set without the members of the others.
func (c *Client) diffRemoving(src []setSource, res *object.Value) {
	c.unite(src[:1], res)
	for _, s := range src[1:] {
		if s.missing() {
			continue
		}
		object.SetEachBuf(s.v, c.setBuf(), func(m []byte) bool {
			object.SetRemove(res, m)
			return true
		})
		if object.SetLen(*res) == 0 {
			return
		}
	}
}

func sdiffCommand(c *Client) {
	src, ok := c.lookupSets(c.args[1:])
	if !ok {
		return
	}
	switch wayOfDiff(src) {
	case diffEmpty:
		c.addReplySetLen(0)
	case diffAsk:
		mark, n := c.deferredLen(), 0
		c.diffAsking(src, func(m []byte) {
			c.addReplyBulk(m)
			n++
		})
		c.setDeferredSetLen(mark, n)
	case diffRemove:
		res := c.newSet(nil)
		c.diffRemoving(src, &res)
		c.addReplySet(res)
		c.srv.KS.FreeDetached(res.Ref)
	}
}

func sdiffstoreCommand(c *Client) {
	src, ok := c.lookupSets(c.args[2:])
	if !ok {
		return
	}
	res, lim := c.newSet(c.args[1]), &c.srv.lim
	switch wayOfDiff(src) {
	case diffAsk:
		c.diffAsking(src, func(m []byte) { object.SetAddNew(&res, m, lim) })
	case diffRemove:
		c.diffRemoving(src, &res)
	}
	c.storeSet(c.args[1], res, "sdiffstore")
}
