package zindex

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// Check verifies the whole index: order, counts, least elements, fill and the
// sum of its memory. It takes time proportional to the elements.
func (t *Tree) Check(a *dict.Arena) error {
	if t.root == 0 {
		if t.n != 0 || t.height != 0 || t.bytes != 0 {
			return fmt.Errorf("zindex: an empty tree says it has %d elements, %d levels, %d bytes", t.n, t.height, t.bytes)
		}
		return nil
	}
	c := checker{a: a}
	n, err := c.node(t.root, int(t.height)-1)
	switch {
	case err != nil:
		return fmt.Errorf("zindex: %w", err)
	case n != t.n:
		return fmt.Errorf("zindex: %d elements, the tree says %d", n, t.n)
	case c.bytes != t.bytes:
		return fmt.Errorf("zindex: %d bytes of nodes, the tree says %d", c.bytes, t.bytes)
	}
	return nil
}

type checker struct {
	a     *dict.Arena
	bytes uint64
	prev  dict.Ref // the element before
	score float64
}

// node verifies a node at level l and returns the number of elements under it.
func (c *checker) node(r dict.Ref, l int) (uint64, error) {
	x := at(c.a, r)
	c.bytes += uint64(c.a.Usable(r))
	n := x.n()
	if n == 0 || n > x.cap() || x.cap() > maxKeys || hdrSize+entrySize(l == 0)*x.cap() > c.a.Usable(r) {
		return 0, fmt.Errorf("node %#x of level %d has %d entries, room for %d, in %d bytes", r, l, n, x.cap(), c.a.Usable(r))
	}
	total := uint64(0)
	for i := range n {
		if l > 0 {
			y := at(c.a, x.child(i))
			if x.score(i) != y.score(0) || x.ref(i) != y.ref(0) {
				return 0, fmt.Errorf("node %#x of level %d: the least element of child %d is (%v, %#x), not (%v, %#x)",
					r, l, i, y.score(0), y.ref(0), x.score(i), x.ref(i))
			}
			k, err := c.node(x.child(i), l-1)
			if err != nil {
				return 0, err
			}
			if k != x.count(i) {
				return 0, fmt.Errorf("node %#x of level %d: child %d has %d elements, not %d", r, l, i, k, x.count(i))
			}
			total += k
			continue
		}
		s, e := x.score(i), x.ref(i)
		member := c.a.Elem(e).Key()
		if s != s || c.prev != 0 && !keyLess(c.a, c.score, c.prev, s, member) {
			return 0, fmt.Errorf("leaf %#x: entry %d, score %v, member %q, follows score %v, element %#x", r, i, s, member, c.score, c.prev)
		}
		c.prev, c.score = e, s
		total++
	}
	return total, nil
}
