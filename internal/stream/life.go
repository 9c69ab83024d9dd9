package stream

import (
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Work that goes over a whole stream: freeing and compaction in slices,
// copying, measuring.

// freeStep frees leaves from the left until about budget keys are gone, giving
// each value to fn first. It returns what is left of the budget, 0 when there may be
// more. The tree stays in order in between.
func (t *Tree) freeStep(a *dict.Arena, budget int, fn func(v unsafe.Pointer)) int {
	for budget > 0 && t.n > 0 {
		var p path
		r, l := t.descend(a, Min, &p)
		if fn != nil {
			for i := range int(l.n) {
				fn(l.val(i, t.vsize))
			}
		}
		budget -= int(l.n)
		t.n -= uint64(l.n)
		t.dropLeaf(a, r, l, &p)
	}
	if t.n > 0 {
		return 0
	}
	return max(budget, 0)
}

// freeStep frees a part of what the group refers to; true while there is more.
func (g *Group) freeStep(a *dict.Arena, budget int) bool {
	if budget = g.pending.freeStep(a, budget, nil); budget == 0 {
		return true
	}
	for g.consumers.n > 0 {
		i := int(g.consumers.n) - 1
		if budget = g.ConsumerAt(a, i).pending.freeStep(a, budget, nil); budget == 0 {
			return true
		}
		a.Free(g.consumers.remove(a, i))
		if budget--; budget == 0 {
			return true
		}
	}
	return false
}

// nodeCost is what freeing a node takes of a budget.
const nodeCost = 4

// FreeStep frees a part of the stream, about budget pending entries or a
// quarter as many nodes, and returns true while there is more. Once begun the
// stream is good for nothing else.
func (s *Stream) FreeStep(a *dict.Arena, budget int) bool {
	budget = max(budget/nodeCost, 1)
	budget = s.nodes.freeStep(a, budget, func(v unsafe.Pointer) { a.Free(*(*dict.Ref)(v)) })
	if budget == 0 {
		return true
	}
	budget *= nodeCost
	for s.groups.n > 0 {
		i := int(s.groups.n) - 1
		if s.GroupAt(a, i).freeStep(a, budget) {
			return true
		}
		a.Free(s.groups.remove(a, i))
	}
	return false
}

// compactLeaf moves the leaf under which id belongs, and the nodes on the way to
// it, if they should move. It returns the leaf.
func (t *Tree) compactLeaf(a *dict.Arena, id ID) *leaf {
	var p path
	r := t.root
	up := &t.root
	for h := 0; h < int(t.height); h++ {
		if a.ShouldMove(r) {
			q := a.Alloc(innerSize)
			copy(a.Bytes(q, innerSize), a.Bytes(r, innerSize))
			a.Free(r)
			*up, r = q, q
		}
		n := innerAt(a, r)
		i := n.childFor(id)
		p[h].node, p[h].ref, p[h].i = n, r, i
		up = &n.kids[i]
		r = *up
	}
	l := leafAt(a, r)
	if a.ShouldMove(r) {
		q := newLeaf(a, int(l.room), t.vsize)
		t.replaceLeaf(a, r, l, q, &p)
		l = leafAt(a, q)
	}
	return l
}

// compact moves what should move of the leaves from id on, about budget keys,
// gives the values to fn, and returns where to go on; ok is false at the end.
func (t *Tree) compact(a *dict.Arena, id ID, budget *int, fn func(v unsafe.Pointer)) (next ID, ok bool) {
	for *budget > 0 {
		if t.n == 0 {
			return Min, false
		}
		l := t.compactLeaf(a, id)
		if fn != nil {
			for i := range int(l.n) {
				fn(l.val(i, t.vsize))
			}
		}
		*budget -= int(l.n)
		if l.next == 0 {
			return Min, false
		}
		id = leafAt(a, l.next).keys()[0]
	}
	return id, true
}

// CompactStep moves blocks that stand in memory to be emptied, looking at about
// budget nodes or pending entries from cursor on, and returns the cursor to go
// on with, 0 at the end. The stream may change in between: what is missed then
// stays where it is. Groups and consumers may move.
//
// The cursor is 1 + the group's position << 32 + that of the consumer, plus one,
// with 0 for the group's own list; s.walk is the place in the tree.
func (s *Stream) CompactStep(a *dict.Arena, cursor uint64, budget int) uint64 {
	var ok bool
	if cursor == 0 {
		s.walk = Min
		cursor = 1
	}
	if cursor == 1 {
		s.walk, ok = s.nodes.compact(a, s.walk, &budget, func(v unsafe.Pointer) {
			place := (*dict.Ref)(v)
			if r := *place; a.ShouldMove(r) {
				n := listpack.Size(a.Bytes(r, listpack.EmptySize))
				q := a.Alloc(n)
				copy(a.Bytes(q, n), a.Bytes(r, n))
				*place = q
				a.Free(r)
			}
		})
		if ok {
			return 1
		}
		s.groups.compactBlock(a)
		cursor = 1 << 32
	}
	for budget > 0 {
		i, j := int(cursor>>32)-1, int(uint32(cursor))
		if i >= s.Groups() {
			return 0
		}
		if j == 0 && s.walk == Min {
			if r := s.groups.at(a, i); a.ShouldMove(r) {
				s.groups.moved(a, i, moveNamed(a, r))
			}
			s.GroupAt(a, i).consumers.compactBlock(a)
		}
		g := s.GroupAt(a, i)
		switch {
		case j == 0:
			s.walk, ok = g.pending.compact(a, s.walk, &budget, nil)
		case j > g.Consumers():
			cursor = uint64(i+2) << 32
			continue
		default:
			if r := g.consumers.at(a, j-1); a.ShouldMove(r) {
				g.consumers.moved(a, j-1, moveNamed(a, r))
			}
			s.walk, ok = g.ConsumerAt(a, j-1).pending.compact(a, s.walk, &budget, nil)
		}
		budget--
		if !ok {
			cursor++
		}
	}
	return cursor
}

func (d *dir) compactBlock(a *dict.Arena) {
	if d.block == 0 || !a.ShouldMove(d.block) {
		return
	}
	n := int(12 * d.room)
	q := a.Alloc(n)
	copy(a.Bytes(q, n), a.Bytes(d.block, n))
	a.Free(d.block)
	d.block = q
}

// CopyTo makes dst, the head of an empty stream, a deep copy of s. The two heads
// may stand in the same arena only.
func (s *Stream) CopyTo(a *dict.Arena, dst *Stream) {
	dst.Init()
	s.EachNode(a, func(id ID, lp []byte, live int) bool {
		dst.AppendNode(a, id, lp, live)
		return true
	})
	dst.LastID, dst.FirstID, dst.MaxDeletedID = s.LastID, s.FirstID, s.MaxDeletedID
	dst.Length, dst.Added = s.Length, s.Added
	for i := range s.Groups() {
		g := s.GroupAt(a, i)
		ng := dst.AddGroup(a, g.Name(), g.LastID, g.EntriesRead)
		for j := range g.Consumers() {
			c := g.ConsumerAt(a, j)
			nc := ng.AddConsumer(a, c.Name(), c.SeenTime)
			nc.ActiveTime = c.ActiveTime
		}
		for cur := g.SeekPending(a, Min); cur.Valid(); cur.Next() {
			n := cur.NACK()
			ng.Add(a, ng.Consumer(a, g.ConsumerOf(a, n).Name()), cur.Key(), n.Time(), n.Count())
		}
	}
}

// bytes is the memory of a tree, its values' blocks not counted: exact for a
// tree of one leaf, else as if leaves were full by seven eighths.
func (t *Tree) bytes(a *dict.Arena) int64 {
	switch {
	case t.n == 0:
		return 0
	case t.height == 0:
		return int64(a.Usable(t.root))
	}
	leaves := int64(t.n)/int64(t.fullRoom()*7/8) + 1
	return leaves*int64(dict.RoundUp(leafSize(leafCap, int(t.vsize)))) + (leaves/(fanout*3/4)+1)*int64(dict.RoundUp(innerSize))
}

// Memory estimates the bytes of all but the head, from at most samples nodes,
// groups and consumers of each kind; 0 looks at all.
func (s *Stream) Memory(a *dict.Arena, samples int) int64 {
	total := s.nodes.bytes(a)
	seen, sum := 0, int64(0)
	for c := s.nodes.Seek(a, Min); c.Valid() && (samples == 0 || seen < samples); c.Next() {
		sum += int64(a.Usable(*(*dict.Ref)(c.val(8))))
		seen++
	}
	total += scale(sum, seen, s.Nodes())
	seen, sum = 0, 0
	for i := 0; i < s.Groups() && (samples == 0 || seen < samples); i++ {
		g := s.GroupAt(a, i)
		sum += int64(a.Usable(s.groups.at(a, i))) + g.pending.bytes(a) + 12*int64(g.consumers.room)
		got, part := 0, int64(0)
		for j := 0; j < g.Consumers() && (samples == 0 || got < samples); j++ {
			part += int64(a.Usable(g.consumers.at(a, j))) + g.ConsumerAt(a, j).pending.bytes(a)
			got++
		}
		sum += scale(part, got, g.Consumers())
		seen++
	}
	return total + scale(sum, seen, s.Groups()) + 12*int64(s.groups.room)
}

func scale(sum int64, seen, all int) int64 {
	if seen == 0 {
		return 0
	}
	return int64(float64(sum) / float64(seen) * float64(all))
}
