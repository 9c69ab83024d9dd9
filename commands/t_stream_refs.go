package commands

import (
	"math"

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

// parseDeletion reads [KEEPREF|DELREF|ACKED] IDS numids id … from argument first on, in any order, and returns the arguments that are IDs;
// it answers errors itself.
func (c *Client) parseDeletion(first int) (policy refPolicy, ids [][]byte, ok bool) {
	policyGiven := false
	for i := first; i < len(c.args); {
		p, isPolicy := parseRefPolicy(c.args[i])
		switch {
		case isPolicy && !policyGiven:
			policy, policyGiven = p, true
			i++
		case equalFold(c.args[i], "ids") && i+1 < len(c.args):
			n, ok := c.rangeArg(i+1, 1, math.MaxInt64, "Number of IDs must be a positive integer")
			if !ok {
				return policy, nil, false
			}
			if n > int64(len(c.args)-i-2) {
				c.addReplyError("The `numids` parameter must match the number of arguments")
				return policy, nil, false
			}
			ids = c.args[i+2 : i+2+int(n)]
			i += 2 + int(n)
		default:
			c.addReplyErrorSyntax()
			return policy, nil, false
		}
	}
	if ids == nil {
		c.addReplyError("IDS option is required")
		return policy, nil, false
	}
	return policy, ids, true
}

// deleteEntry deletes an entry under a policy and gives the answer for it; changed tells whether anything changed.
func deleteEntry(v object.Value, id stream.ID, policy refPolicy) (res int, changed bool) {
	switch policy {
	case refsDrop:
		changed = dropRefs(v, id)
	case refsAcked:
		if referenced(v, id) {
			return entryReferenced, false
		}
	}
	if v.Stream().Delete(v.A, id) {
		return entryDeleted, true
	}
	return entryAbsent, changed
}

func xdelexCommand(c *Client) {
	c.deleteEntries(2, nil, deleteEntry)
}

func xackdelCommand(c *Client) {
	group := c.args[2]
	c.deleteEntries(3, group, func(v object.Value, id stream.ID, policy refPolicy) (int, bool) {
		if !v.Stream().Group(v.A, group).Ack(v.A, id) {
			return entryAbsent, false
		}
		res, _ := deleteEntry(v, id, policy)
		if res == entryAbsent {
			res = entryDeleted // acknowledged, and the entry was gone before
		}
		return res, true
	})
}

// deleteEntries reads the options and IDs from argument first on, and answers for each ID what one made of it. Where the key or the group
// (nil: none is needed) does not exist, every ID is absent, also what is none.
func (c *Client) deleteEntries(first int, group []byte, one func(v object.Value, id stream.ID, policy refPolicy) (res int, changed bool)) {
	key := c.args[1]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	policy, words, ok := c.parseDeletion(first)
	if !ok {
		return
	}
	if !found || group != nil && v.Stream().Group(v.A, group) == nil {
		c.addReplyArrayLen(len(words))
		for range words {
			c.addReplyLongLong(entryAbsent)
		}
		return
	}
	ids, ok := c.streamIDs(words)
	if !ok {
		return
	}
	c.addReplyArrayLen(len(ids))
	changes, deleted := int64(0), false
	for _, id := range ids {
		before := v.Stream().Length
		res, changed := one(v, id, policy)
		deleted = deleted || v.Stream().Length < before
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
