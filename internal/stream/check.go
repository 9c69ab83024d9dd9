package stream

import (
	"bytes"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Check verifies the tree's structure: order, bounds, links, counts.
func (t *Tree) Check(a *dict.Arena) error {
	if t.n == 0 {
		if t.root != 0 || t.head != 0 || t.tail != 0 || t.height != 0 {
			return fmt.Errorf("an empty tree has root %d, head %d, tail %d, height %d", t.root, t.head, t.tail, t.height)
		}
		return nil
	}
	w := treeWalk{t: t, a: a}
	if err := w.node(t.root, int(t.height), Min, Max); err != nil {
		return err
	}
	if w.last != t.tail {
		return fmt.Errorf("the last leaf is %d, the tree says %d", w.last, t.tail)
	}
	if leafAt(a, w.last).next != 0 {
		return fmt.Errorf("the last leaf has a next one")
	}
	if w.n != t.n {
		return fmt.Errorf("%d keys in the leaves, the tree says %d", w.n, t.n)
	}
	return nil
}

type treeWalk struct {
	t    *Tree
	a    *dict.Arena
	last dict.Ref // leaf seen last
	n    uint64
}

// node checks a node of the given height whose keys lie in [lo, hi], or below
// hi if that is not Max.
func (w *treeWalk) node(r dict.Ref, height int, lo, hi ID) error {
	if height == 0 {
		return w.leaf(r, lo, hi)
	}
	n := innerAt(w.a, r)
	if n.n < 1 || n.n > fanout || height == int(w.t.height) && n.n < 2 {
		return fmt.Errorf("inner node %d of height %d has %d children", r, height, n.n)
	}
	for i := range n.n {
		from, to := lo, hi
		if i > 0 {
			from = n.keys[i]
			if from.Less(lo) || !from.Less(hi) {
				return fmt.Errorf("bound %v of inner node %d is not in %v … %v", from, r, lo, hi)
			}
		}
		if i+1 < n.n {
			to = n.keys[i+1]
		}
		if err := w.node(n.kids[i], height-1, from, to); err != nil {
			return err
		}
	}
	return nil
}

func (w *treeWalk) leaf(r dict.Ref, lo, hi ID) error {
	l := leafAt(w.a, r)
	if l.n == 0 || l.n > l.room || int(l.room) > w.t.fullRoom() || leafSize(int(l.room), int(w.t.vsize)) > w.a.Usable(r) {
		return fmt.Errorf("leaf %d has %d keys, room for %d, %d bytes", r, l.n, l.room, w.a.Usable(r))
	}
	if l.prev != w.last {
		return fmt.Errorf("leaf %d follows leaf %d, it says %d", r, w.last, l.prev)
	}
	if w.last != 0 && leafAt(w.a, w.last).next != r {
		return fmt.Errorf("leaf %d precedes leaf %d, it says %d", w.last, r, leafAt(w.a, w.last).next)
	}
	if w.last == 0 && w.t.head != r {
		return fmt.Errorf("the first leaf is %d, the tree says %d", r, w.t.head)
	}
	for i, k := range l.keys() {
		if k.Less(lo) || hi.Less(k) || k == hi && hi != Max {
			return fmt.Errorf("key %v of leaf %d is not in %v … %v", k, r, lo, hi)
		}
		if i > 0 && !l.keys()[i-1].Less(k) {
			return fmt.Errorf("key %v of leaf %d after %v", k, r, l.keys()[i-1])
		}
	}
	w.n += uint64(l.n)
	w.last = r
	return nil
}

// Check verifies the whole stream.
func (s *Stream) Check(a *dict.Arena) error {
	if s.nodes.vsize != 8 {
		return fmt.Errorf("the index of nodes has values of %d bytes", s.nodes.vsize)
	}
	if err := s.nodes.Check(a); err != nil {
		return fmt.Errorf("index of nodes: %w", err)
	}
	var err error
	var last ID
	total := uint64(0)
	s.EachNode(a, func(id ID, lp []byte, live int) bool {
		if err = checkNode(lp, id, &last); err != nil {
			err = fmt.Errorf("node %v: %w", id, err)
		}
		total += uint64(live)
		return err == nil
	})
	if err != nil {
		return err
	}
	if total != s.Length {
		return fmt.Errorf("%d live entries in the nodes, the head says %d", total, s.Length)
	}
	if s.LastID.Less(last) {
		return fmt.Errorf("the last entry is %v, the head says %v", last, s.LastID)
	}
	if err := s.groups.check(a); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	for i := range s.Groups() {
		if err := s.GroupAt(a, i).check(a); err != nil {
			return fmt.Errorf("group %q: %w", s.GroupAt(a, i).Name(), err)
		}
	}
	return nil
}

// checkNode verifies a node's counts and the order of its entries after last,
// which it moves on.
func checkNode(lp []byte, first ID, last *ID) error {
	if _, err := listpack.Validate(lp); err != nil {
		return err
	}
	m := masterOf(lp)
	p := after(lp, m.names, m.fields)
	if end := intAt(lp, p); end != 0 {
		return fmt.Errorf("the master entry ends with %d", end)
	}
	var live, deleted int64
	for p = listpack.Next(lp, p); p >= 0; {
		flags := intAt(lp, p)
		p = listpack.Next(lp, p)
		ms := intAt(lp, p)
		p = listpack.Next(lp, p)
		id := ID{first.Ms + uint64(ms), first.Seq + uint64(intAt(lp, p))}
		if !last.Less(id) || id.Less(first) {
			return fmt.Errorf("entry %v after %v", id, *last)
		}
		*last = id
		p = listpack.Next(lp, p)
		skip, count := m.fields, m.fields+3
		if flags&entrySameFields == 0 {
			n := intAt(lp, p)
			skip, count = 2*n+1, 2*n+4
		}
		p = after(lp, p, skip)
		if c := intAt(lp, p); c != count {
			return fmt.Errorf("entry %v has %d elements, it says %d", id, count, c)
		}
		p = listpack.Next(lp, p)
		if flags&entryDeleted != 0 {
			deleted++
		} else {
			live++
		}
	}
	if live != m.live || deleted != m.deleted {
		return fmt.Errorf("%d live and %d deleted entries, the master entry says %d and %d", live, deleted, m.live, m.deleted)
	}
	return nil
}

func (d *dir) check(a *dict.Arena) error {
	if d.n == 0 {
		if *d != (dir{}) {
			return fmt.Errorf("an empty directory is %+v", *d)
		}
		return nil
	}
	free := uint32(0)
	for f := d.free; f != 0; free++ {
		if f > d.used || d.slots(a)[f-1]&slotFree == 0 {
			return fmt.Errorf("slot %d is in the list of free ones", f-1)
		}
		f = uint32(d.slots(a)[f-1] &^ slotFree)
	}
	if d.n+free != d.used || d.used > d.room {
		return fmt.Errorf("%d names, %d free slots, %d used, room for %d", d.n, free, d.used, d.room)
	}
	for i := 1; i < int(d.n); i++ {
		if x, y := nameOf(a, d.at(a, i-1)), nameOf(a, d.at(a, i)); bytes.Compare(x, y) >= 0 {
			return fmt.Errorf("name %q before %q", x, y)
		}
	}
	return nil
}

func (g *Group) check(a *dict.Arena) error {
	if g.pending.vsize != nackSize {
		return fmt.Errorf("pending entries of %d bytes", g.pending.vsize)
	}
	if err := g.pending.Check(a); err != nil {
		return fmt.Errorf("pending entries: %w", err)
	}
	if err := g.consumers.check(a); err != nil {
		return fmt.Errorf("consumers: %w", err)
	}
	n := 0
	for i := range g.Consumers() {
		c := g.ConsumerAt(a, i)
		if g.consumers.order(a)[i] != c.slot {
			return fmt.Errorf("consumer %q is in slot %d, it says %d", c.Name(), g.consumers.order(a)[i], c.slot)
		}
		if err := c.pending.Check(a); err != nil {
			return fmt.Errorf("pending entries of %q: %w", c.Name(), err)
		}
		for cur := c.pending.Seek(a, Min); cur.Valid(); cur.Next() {
			if nack := g.Find(a, cur.Key()); nack == nil || nack.w[4] != c.slot {
				return fmt.Errorf("entry %v pending for %q is not so in the group", cur.Key(), c.Name())
			}
		}
		n += c.Pending()
	}
	if n != g.Pending() {
		return fmt.Errorf("%d pending entries of consumers, %d of the group", n, g.Pending())
	}
	return nil
}
