package quicklist

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

// What concerns a list as a whole: its nodes one after the other, freeing,
// copying, compaction, checking.

// EachNode calls fn for every node, from the first to the last, until it returns
// an error, which it returns: with the listpack and its number of elements, or
// with a plain element and n = 0. data is valid during the call.
func (l *List) EachNode(a *dict.Arena, env *Env, fn func(data []byte, n int) error) error {
	for r := dict.Ref(l.first); r != 0; {
		x := at(a, r)
		n := int(x.count)
		if x.plain() {
			n = 0
		}
		if err := fn(read(a, env, r), n); err != nil {
			return err
		}
		r = at(a, r).nextRef()
	}
	return nil
}

// FreeStep frees nodes with about budget elements in all from the head on, and
// returns true while there are more. The list must not be used for anything else
// once this has begun. The cost of a node does not depend on its size.
func (l *List) FreeStep(a *dict.Arena, budget int) bool {
	for n := max(budget/8, 1); n > 0 && l.first != 0; n-- {
		l.drop(a, dict.Ref(l.first))
	}
	return l.first != 0
}

// CopyTo makes dst, whose content is overwritten, a copy with nodes of its own.
func (l *List) CopyTo(a *dict.Arena, dst *List) {
	*dst = List{fill: l.fill, depth: l.depth}
	for r := dict.Ref(l.first); r != 0; r = at(a, r).nextRef() {
		q := a.Alloc(nodeSize)
		x, y := at(a, r), at(a, q)
		*y = *x
		y.setData(copyBlock(a, x))
		dst.link(a, dict.Ref(dst.last), q, true)
	}
}

// copyBlock copies what a node holds into a new block.
func copyBlock(a *dict.Arena, x *node) dict.Ref {
	n := x.stored(a)
	data := a.Alloc(max(n, 1))
	copy(a.Bytes(data, n), a.Bytes(x.dataRef(), n))
	return data
}

// CompactStep moves nodes and their blocks out of memory that is to be emptied
// (see dict.Arena.ShouldMove), looking at about budget/8 nodes. It begins with
// cursor 0, and returns the cursor to go on with, 0 at the end. The list may
// change between two steps.
func (l *List) CompactStep(a *dict.Arena, cursor uint64, budget int) uint64 {
	r := dict.Ref(l.mark)
	if cursor == 0 {
		r = dict.Ref(l.first)
	}
	for n := max(budget/8, 1); n > 0 && r != 0; n-- {
		x := at(a, r)
		next := x.nextRef()
		if data := x.dataRef(); a.ShouldMove(data) {
			x.setData(copyBlock(a, x))
			a.Free(data)
		}
		if a.ShouldMove(r) {
			l.moveNode(a, r)
		}
		r = next
	}
	l.mark = uint64(r)
	if r == 0 {
		return 0
	}
	return 1
}

// moveNode moves a node to another block.
func (l *List) moveNode(a *dict.Arena, r dict.Ref) {
	q := a.Alloc(nodeSize)
	*at(a, q) = *at(a, r)
	x := at(a, q)
	if prev := x.prevRef(); prev != 0 {
		at(a, prev).setNext(q)
	} else {
		l.first = uint64(q)
	}
	if next := x.nextRef(); next != 0 {
		at(a, next).setPrev(q)
	} else {
		l.last = uint64(q)
	}
	a.Free(r)
}

// Memory estimates the bytes of the nodes and their blocks, looking at no more
// than samples nodes (0: at all).
func (l *List) Memory(a *dict.Arena, samples int) int64 {
	n, sum := 0, int64(0)
	for r := dict.Ref(l.first); r != 0 && (samples == 0 || n < samples); r = at(a, r).nextRef() {
		sum += int64(a.Usable(r) + a.Usable(at(a, r).dataRef()))
		n++
	}
	if n == 0 {
		return 0
	}
	return int64(float64(sum) / float64(n) * float64(l.nodes))
}

// Stats are the figures that DEBUG OBJECT shows of a quicklist.
type Stats struct {
	Nodes, Count int
	Fill         int
	Compressed   bool // the list has a compression depth
	Size         int64
}

// Stats measures the list: Size is the bytes of all nodes' content, not
// compressed.
func (l *List) Stats(a *dict.Arena) Stats {
	s := Stats{Nodes: int(l.nodes), Count: int(l.count), Fill: int(l.fill), Compressed: l.depth != 0}
	for r := dict.Ref(l.first); r != 0; r = at(a, r).nextRef() {
		s.Size += int64(at(a, r).length())
	}
	return s
}

// Check verifies the list: links, counts, each listpack in depth, which nodes
// are compressed and that each decompresses.
func (l *List) Check(a *dict.Arena) error {
	var env Env
	nodes, count := uint32(0), uint64(0)
	prev := dict.Ref(0)
	marked := l.mark == 0
	for r := dict.Ref(l.first); r != 0; r = at(a, r).nextRef() {
		x := at(a, r)
		marked = marked || dict.Ref(l.mark) == r
		if x.prevRef() != prev {
			return fmt.Errorf("quicklist: node %d: the one before is %#x, not %#x", nodes, prev, x.prevRef())
		}
		if nodes == l.nodes {
			return fmt.Errorf("quicklist: more than %d nodes", l.nodes)
		}
		if have := a.Usable(x.dataRef()); x.stored(a) > have {
			return fmt.Errorf("quicklist: node %d: %d bytes in a block of %d", nodes, x.stored(a), have)
		}
		if err := l.checkNode(a, &env, r, nodes); err != nil {
			return fmt.Errorf("quicklist: node %d: %w", nodes, err)
		}
		nodes++
		count += uint64(x.count)
		prev = r
	}
	switch {
	case prev != dict.Ref(l.last):
		return fmt.Errorf("quicklist: the last node is %#x, the list says %#x", prev, l.last)
	case nodes != l.nodes || count != l.count:
		return fmt.Errorf("quicklist: %d elements in %d nodes, the list says %d in %d", count, nodes, l.count, l.nodes)
	case !marked:
		return fmt.Errorf("quicklist: mark %#x is not a node", l.mark)
	}
	return nil
}

func (l *List) checkNode(a *dict.Arena, env *Env, r dict.Ref, i uint32) error {
	x := at(a, r)
	outer := l.depth == 0 || i < uint32(l.depth) || l.nodes-1-i < uint32(l.depth)
	if x.lzf() && outer {
		return fmt.Errorf("compressed at place %d of %d with depth %d", i, l.nodes, l.depth)
	}
	data := read(a, env, r)
	if !x.lzf() && !outer && len(data) >= minCompress {
		if _, ok := lzf.Compress(nil, data, len(data)-minGain, new(lzf.Table)); ok {
			return fmt.Errorf("not compressed at place %d of %d with depth %d", i, l.nodes, l.depth)
		}
	}
	if x.plain() {
		if x.count != 1 {
			return fmt.Errorf("plain, with %d elements", x.count)
		}
		return nil
	}
	n, err := listpack.Validate(data)
	if err != nil {
		return err
	}
	if n == 0 || n != int(x.count) {
		return fmt.Errorf("%d elements, the node says %d", n, x.count)
	}
	return nil
}
