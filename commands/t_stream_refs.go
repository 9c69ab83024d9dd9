package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// Deletion of stream entries that minds the consumer groups, as Redis has it since 8.2 (XDELEX, XACKDEL, and options of XADD and XTRIM). An
// entry is referenced while a group has not been given it yet, or has it pending.

// A refPolicy says what becomes of the references to an entry that is deleted.
type refPolicy uint8

const (
	refsKeep  refPolicy = iota // KEEPREF: they stay, dangling. The default, and what XDEL and XTRIM always did
	refsDrop                   // DELREF: they go with the entry
	refsAcked                  // ACKED: an entry that has any stays
)

// parseRefPolicy reads a word; ok is false when it is none.
func parseRefPolicy(word []byte) (p refPolicy, ok bool) {
	switch {
	case equalFold(word, "keepref"):
		return refsKeep, true
	case equalFold(word, "delref"):
		return refsDrop, true
	case equalFold(word, "acked"):
		return refsAcked, true
	}
	return refsKeep, false
}

func isRefPolicy(word []byte) bool {
	_, ok := parseRefPolicy(word)
	return ok
}

// What XDELEX and XACKDEL answer for an ID.
const (
	entryAbsent     = -1 // no such entry, or not pending in the group
	entryDeleted    = 1
	entryReferenced = 2 // it stays, because a group refers to it
)

// referenced tells whether a group waits for the entry or has it pending.
func referenced(v object.Value, id stream.ID) bool {
	s := v.Stream()
	for i := range s.Groups() {
		g := s.GroupAt(v.A, i)
		if g.LastID.Less(id) || g.Find(v.A, id) != nil {
			return true
		}
	}
	return false
}

// dropRefs takes the entry out of all groups; true if it stood in any.
func dropRefs(v object.Value, id stream.ID) bool {
	s, any := v.Stream(), false
	for i := range s.Groups() {
		if s.GroupAt(v.A, i).Ack(v.A, id) {
			any = true
		}
	}
	return any
}

// trimStream is Stream.Trim under a policy. With any but refsKeep it goes entry by entry, also where whole nodes would do.
func trimStream(v object.Value, t stream.Trim, policy refPolicy) int64 {
	s := v.Stream()
	if policy == refsKeep {
		return s.Trim(v.A, t)
	}
	const batch = 128
	gone, from := int64(0), stream.Min
	for {
		var ids []stream.ID
		looked := 0
		for it := s.Range(v.A, from, stream.Max, false); looked < batch && it.Next(); looked++ {
			if t.ByID && !it.ID.Less(t.MinID) {
				break
			}
			if !t.ByID && int64(s.Length)-int64(len(ids)) <= t.MaxLen {
				break
			}
			if t.Limit != 0 && gone+int64(len(ids)) >= t.Limit {
				break
			}
			from, _ = it.ID.Next()
			if policy == refsDrop || !referenced(v, it.ID) {
				ids = append(ids, it.ID)
			}
		}
		for _, id := range ids {
			if policy == refsDrop {
				dropRefs(v, id)
			}
			if s.Delete(v.A, id) {
				gone++
			}
		}
		if looked < batch {
			return gone
		}
	}
}

// parseDeletion reads [KEEPREF|DELREF|ACKED] IDS numids id … from argument first on; it answers errors itself.
func (c *Client) parseDeletion(first int) (policy refPolicy, ids []stream.ID, ok bool) {
	i := first
	if p, is := parseRefPolicy(c.args[i]); is {
		policy = p
		i++
	}
	if i+2 >= len(c.args) || !equalFold(c.args[i], "ids") {
		c.addReplyErrorSyntax()
		return policy, nil, false
	}
	n, ok := c.rangeArg(i+1, 1, 1<<30, "Number of IDs must be a positive integer")
	if !ok {
		return policy, nil, false
	}
	if int64(len(c.args)-i-2) != n {
		c.addReplyError("The `numids` parameter must match the number of arguments")
		return policy, nil, false
	}
	ids, ok = c.streamIDs(i + 2)
	return policy, ids, ok
}

// deleteEntry deletes an entry under a policy and gives the answer for it; changed tells whether anything changed.
func deleteEntry(v object.Value, id stream.ID, policy refPolicy) (res int, changed bool) {
	switch policy {
	case refsDrop:
		changed = dropRefs(v, id)
	case refsAcked:
		if v.Stream().Exists(v.A, id) && referenced(v, id) {
			return entryReferenced, false
		}
	}
	if v.Stream().Delete(v.A, id) {
		return entryDeleted, true
	}
	return entryAbsent, changed
}

func xdelexCommand(c *Client) {
	c.deleteEntries(2, deleteEntry)
}

func xackdelCommand(c *Client) {
	name := c.args[2]
	c.deleteEntries(3, func(v object.Value, id stream.ID, policy refPolicy) (int, bool) {
		g := v.Stream().Group(v.A, name)
		if g == nil || !g.Ack(v.A, id) {
			return entryAbsent, false
		}
		res, _ := deleteEntry(v, id, policy)
		if res == entryAbsent {
			res = entryDeleted // acknowledged, and the entry was gone before
		}
		return res, true
	})
}

// deleteEntries reads the options and IDs from argument first on, and answers for each ID what one made of it.
func (c *Client) deleteEntries(first int, one func(v object.Value, id stream.ID, policy refPolicy) (res int, changed bool)) {
	policy, ids, ok := c.parseDeletion(first)
	if !ok {
		return
	}
	key := c.args[1]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	c.addReplyArrayLen(len(ids))
	changes, deleted := int64(0), false
	for _, id := range ids {
		res, changed := entryAbsent, false
		if found {
			before := v.Stream().Length
			res, changed = one(v, id, policy)
			deleted = deleted || v.Stream().Length < before
		}
		if changed {
			changes++
		}
		c.addReplyLongLong(int64(res))
	}
	if changes == 0 {
		return
	}
	c.signalModified(key)
	if deleted {
		c.notify(notifyStream, "xdel", key)
	}
	c.srv.dirty += changes
}
