package stream

import (
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// UnknownRead is the EntriesRead of a group that cannot tell.
const UnknownRead = -1

// Group is a consumer group. Its address is valid until the group is deleted or
// moved by CompactStep.
type Group struct {
	named
	// LastID is the ID that was delivered last. EntriesRead counts the entries
	// delivered, as if all had been from the first on; UnknownRead if that
	// cannot be said.
	LastID      ID
	EntriesRead int64

	pending   Tree // values: NACK
	consumers dir
}

// Consumer is a consumer of a group. Its address is valid as a Group's is.
type Consumer struct {
	named
	// SeenTime is the unix time in ms of its last attempt to read, ActiveTime of
	// the last success (-1 when there was none).
	SeenTime, ActiveTime int64

	pending Tree // keys only
	slot    uint32
}

// NACK is what a group knows of an entry that was delivered and is not
// acknowledged: time of the last delivery, number of deliveries, consumer. It is
// made of words of 4 bytes so that it takes no more than its 20.
type NACK struct{ w [5]uint32 }

const (
	groupSize    = int(unsafe.Sizeof(Group{}))
	consumerSize = int(unsafe.Sizeof(Consumer{}))
	nackSize     = uint8(unsafe.Sizeof(NACK{}))
)

// Time is the unix time of the last delivery, ms.
func (n *NACK) Time() int64 { return int64(uint64(n.w[0]) | uint64(n.w[1])<<32) }

// SetTime sets the time of the last delivery, unix ms.
func (n *NACK) SetTime(ms int64) { n.w[0], n.w[1] = uint32(ms), uint32(uint64(ms)>>32) }

// Count is the number of deliveries.
func (n *NACK) Count() uint64 { return uint64(n.w[2]) | uint64(n.w[3])<<32 }

// SetCount sets the number of deliveries.
func (n *NACK) SetCount(c uint64) { n.w[2], n.w[3] = uint32(c), uint32(c>>32) }

// Name is a view of the group's name.
func (g *Group) Name() []byte { return g.name(unsafe.Pointer(g)) }

// Name is a view of the consumer's name.
func (c *Consumer) Name() []byte { return c.name(unsafe.Pointer(c)) }

func (h *named) name(p unsafe.Pointer) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, h.at)), h.len)
}

func groupIn(a *dict.Arena, r dict.Ref) *Group       { return (*Group)(a.Ptr(r)) }
func consumerIn(a *dict.Arena, r dict.Ref) *Consumer { return (*Consumer)(a.Ptr(r)) }

// Groups is the number of groups.
func (s *Stream) Groups() int { return int(s.groups.n) }

// GroupAt returns the i-th group by name, 0 <= i < Groups().
func (s *Stream) GroupAt(a *dict.Arena, i int) *Group { return groupIn(a, s.groups.at(a, i)) }

// Group returns the group of a name, or nil.
func (s *Stream) Group(a *dict.Arena, name []byte) *Group {
	if r := s.groups.find(a, name); r != 0 {
		return groupIn(a, r)
	}
	return nil
}

// AddGroup makes a group; nil when there is one of that name.
func (s *Stream) AddGroup(a *dict.Arena, name []byte, last ID, read int64) *Group {
	i, found := s.groups.search(a, name)
	if found {
		return nil
	}
	s.groups.reserve(a)
	r := newNamed(a, groupSize, name)
	g := groupIn(a, r)
	g.LastID, g.EntriesRead = last, read
	g.pending.vsize = nackSize
	s.groups.add(a, i, r)
	return g
}

// DeleteGroup deletes a group with its consumers and pending entries; false when
// there is none of that name. It takes time proportional to these.
func (s *Stream) DeleteGroup(a *dict.Arena, name []byte) bool {
	i, found := s.groups.search(a, name)
	if !found {
		return false
	}
	g := s.GroupAt(a, i)
	for g.freeStep(a, 1<<20) {
	}
	a.Free(s.groups.remove(a, i))
	return true
}

// Consumers is the number of consumers.
func (g *Group) Consumers() int { return int(g.consumers.n) }

// ConsumerAt returns the i-th consumer by name, 0 <= i < Consumers().
func (g *Group) ConsumerAt(a *dict.Arena, i int) *Consumer {
	return consumerIn(a, g.consumers.at(a, i))
}

// Consumer returns the consumer of a name, or nil.
func (g *Group) Consumer(a *dict.Arena, name []byte) *Consumer {
	if r := g.consumers.find(a, name); r != 0 {
		return consumerIn(a, r)
	}
	return nil
}

// AddConsumer makes a consumer, seen at now (unix ms) and not active yet; nil
// when there is one of that name.
func (g *Group) AddConsumer(a *dict.Arena, name []byte, now int64) *Consumer {
	i, found := g.consumers.search(a, name)
	if found {
		return nil
	}
	g.consumers.reserve(a)
	r := newNamed(a, consumerSize, name)
	c := consumerIn(a, r)
	c.SeenTime, c.ActiveTime = now, -1
	c.slot = g.consumers.add(a, i, r)
	return c
}

// DeleteConsumer deletes a consumer and its pending entries, and returns how
// many these were; ok is false when there is none of that name.
func (g *Group) DeleteConsumer(a *dict.Arena, name []byte) (pending int, ok bool) {
	i, found := g.consumers.search(a, name)
	if !found {
		return 0, false
	}
	c := g.ConsumerAt(a, i)
	pending = c.pending.Len()
	for cur := c.pending.Seek(a, Min); cur.Valid(); cur.Next() {
		g.pending.Delete(a, cur.Key())
	}
	for c.pending.Len() > 0 {
		c.pending.freeStep(a, 1<<20, nil)
	}
	a.Free(g.consumers.remove(a, i))
	return pending, true
}

// ConsumerOf returns the consumer that a pending entry belongs to.
func (g *Group) ConsumerOf(a *dict.Arena, n *NACK) *Consumer {
	return consumerIn(a, g.consumers.get(a, n.w[4]))
}

// Pending is the number of pending entries.
func (g *Group) Pending() int { return g.pending.Len() }

// Pending is the number of pending entries.
func (c *Consumer) Pending() int { return c.pending.Len() }

// FirstPending and LastPending are the ends of the list of pending entries,
// which is not empty.
func (g *Group) FirstPending(a *dict.Arena) ID { return g.pending.First(a) }

// LastPending is the other end; see FirstPending.
func (g *Group) LastPending(a *dict.Arena) ID { return g.pending.Last(a) }

// Find returns what is known of a pending entry, or nil.
func (g *Group) Find(a *dict.Arena, id ID) *NACK {
	if v, ok := g.pending.Find(a, id); ok {
		return (*NACK)(v)
	}
	return nil
}

// Add makes an entry pending for a consumer; false when it is pending already.
func (g *Group) Add(a *dict.Arena, c *Consumer, id ID, time int64, count uint64) bool {
	v, added := g.pending.Insert(a, id)
	if !added {
		return false
	}
	n := (*NACK)(v)
	n.SetTime(time)
	n.SetCount(count)
	n.w[4] = c.slot
	done := false
	defer func() {
		if !done { // no memory: the two lists must agree
			g.pending.Delete(a, id)
		}
	}()
	c.pending.Insert(a, id)
	done = true
	return true
}

// Claim gives a pending entry to another consumer, or leaves it with the same.
func (g *Group) Claim(a *dict.Arena, n *NACK, id ID, c *Consumer) {
	if n.w[4] == c.slot {
		return
	}
	c.pending.Insert(a, id)
	g.ConsumerOf(a, n).pending.Delete(a, id)
	n.w[4] = c.slot
}

// Ack takes an entry off the list of pending ones; false when it is not there.
func (g *Group) Ack(a *dict.Arena, id ID) bool {
	n := g.Find(a, id)
	if n == nil {
		return false
	}
	if !g.ConsumerOf(a, n).pending.Delete(a, id) {
		panic(fmt.Sprintf("stream: entry %v is pending in group %q and not for its consumer %q", id, g.Name(), g.ConsumerOf(a, n).Name()))
	}
	g.pending.Delete(a, id)
	return true
}

// SeekPending returns the position of the first pending entry of the group that
// is not below id.
func (g *Group) SeekPending(a *dict.Arena, id ID) Cursor { return g.pending.Seek(a, id) }

// SeekPending returns the position of the first pending entry of the consumer
// that is not below id. Such a cursor has no NACK: see Group.Find.
func (c *Consumer) SeekPending(a *dict.Arena, id ID) Cursor { return c.pending.Seek(a, id) }

// NACK is what is known of the pending entry at a cursor of a group.
func (c *Cursor) NACK() *NACK { return (*NACK)(c.val(nackSize)) }

// Deliver makes an entry pending for a consumer, delivered once, now (unix ms).
// An entry that is pending already, because the group was set back, changes its
// consumer.
func (g *Group) Deliver(a *dict.Arena, c *Consumer, id ID, now int64) {
	if g.Add(a, c, id, now, 1) {
		return
	}
	n := g.Find(a, id)
	g.Claim(a, n, id, c)
	n.SetTime(now)
	n.SetCount(1)
}
