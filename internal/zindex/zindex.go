// Package zindex is the ordered index of a large sorted set: its elements by
// score and, where scores are equal, by the bytes of their members, with the
// rank of each. It does the work of Redis's skip list.
//
// It is a counted B+tree. An element is a record of dict.ElemLayout that a hash
// table owns too; the index knows its score and its reference.
//
//	Tree ─► inner   n, cap
//	                score   [ -7   ][ 2    ][ 2    ] …     the least element of each child:
//	                element [ ref  ][ ref  ][ ref  ] …     its score and its reference
//	                child   [ ref  ][ ref  ][ ref  ] …
//	                count   [ 51   ][ 63   ][ 40   ] …     elements under each child
//	                           │
//	                           ▼
//	        leaf    n, cap
//	                score   [ -7 ][ -6.5 ][ 0 ][ 1 ] …     8 bytes each
//	                element [ref ][ref   ][ref][ref] …     5 bytes each ──► flags │ klen member │ 8 score
//
// Why not a skip list: it costs a pointer and a span for each level of each
// element, a block of its own, and a cache miss at every step of a search. Here an
// element costs 13 bytes and the unused part of its leaf, 14 to 15 in all; the
// scores of a leaf are one run of eight cache lines, and an element itself is
// looked at only where its score is the one that is searched for.
//
// # How it keeps its shape
//
// A node has at most 63 entries, but its block is no larger than its content
// needs: it grows by eight entries at a time. So a leaf that was split is not
// half empty memory, and no elements need to be shifted between neighbours. An
// element that belongs at either end of the whole tree, into a full node, gets a
// node of its own: a set that is filled in order, as by an RDB (which has
// the greatest score first), has full leaves. A node that falls below a quarter is
// joined to a neighbour if the two fit loosely into one.
//
// The first key of each inner entry is exactly the least element under it, not
// merely a separator, since a separator would be a reference to an element that
// may be gone.
//
// # Conventions
//
// Scores are not NaN; -0 and 0 are equal. No two elements have the same member.
// A Tree has no Go pointers and may be moved, in the record it stands in. One
// goroutine owns the arena and everything here. Nothing allocates on the Go heap.
package zindex

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

const (
	maxKeys   = 63 // entries of a node: a full leaf is a block of 832 bytes, to the last nine
	growBy    = 8  // entries that a node grows and shrinks by
	minKeys   = maxKeys / 4
	joinKeys  = maxKeys * 5 / 8 // two nodes are joined when they have no more entries together
	maxHeight = 16

	hdrSize    = 4
	leafEntry  = 8 + 5
	innerEntry = leafEntry + 5 + 5
)

// Tree is an index. The zero value is an empty one.
type Tree struct {
	root   dict.Ref
	n      uint64
	bytes  uint64 // of all nodes
	height uint8  // levels; 1: the root is a leaf
	_      [7]byte
}

// Size is the number of bytes of a Tree.
const Size = int(unsafe.Sizeof(Tree{}))

// node is a view of a node, valid until its block is freed.
type node struct{ p unsafe.Pointer }

func (x node) n() int       { return int(*(*uint16)(x.p)) }
func (x node) cap() int     { return int(*(*uint16)(unsafe.Add(x.p, 2))) }
func (x node) setN(n int)   { *(*uint16)(x.p) = uint16(n) }
func (x node) setCap(n int) { *(*uint16)(unsafe.Add(x.p, 2)) = uint16(n) }

func (x node) scores() unsafe.Pointer   { return unsafe.Add(x.p, hdrSize) }
func (x node) refs() unsafe.Pointer     { return unsafe.Add(x.p, hdrSize+8*x.cap()) }
func (x node) children() unsafe.Pointer { return unsafe.Add(x.p, hdrSize+13*x.cap()) }
func (x node) counts() unsafe.Pointer   { return unsafe.Add(x.p, hdrSize+18*x.cap()) }

// get5 and put5 access numbers of five bytes.
func get5(p unsafe.Pointer, i int) uint64 {
	p = unsafe.Add(p, 5*i)
	return uint64(*(*uint32)(p)) | uint64(*(*uint8)(unsafe.Add(p, 4)))<<32
}

func put5(p unsafe.Pointer, i int, v uint64) {
	p = unsafe.Add(p, 5*i)
	*(*uint32)(p) = uint32(v)
	*(*uint8)(unsafe.Add(p, 4)) = uint8(v >> 32)
}

func (x node) score(i int) float64  { return *(*float64)(unsafe.Add(x.p, hdrSize+8*i)) }
func (x node) ref(i int) dict.Ref   { return dict.Ref(get5(x.refs(), i)) }
func (x node) child(i int) dict.Ref { return dict.Ref(get5(x.children(), i)) }
func (x node) count(i int) uint64   { return get5(x.counts(), i) }

func (x node) setScore(i int, s float64)           { *(*float64)(unsafe.Add(x.p, hdrSize+8*i)) = s }
func (x node) setRef(i int, r dict.Ref)            { put5(x.refs(), i, uint64(r)) }
func (x node) setChild(i int, r dict.Ref)          { put5(x.children(), i, uint64(r)) }
func (x node) setCount(i int, n uint64)            { put5(x.counts(), i, n) }
func (x node) setKey(i int, s float64, r dict.Ref) { x.setScore(i, s); x.setRef(i, r) }

// sum is the number of elements under the children from i to j.
func (x node) sum(i, j int) uint64 {
	total := uint64(0)
	for c := x.counts(); i < j; i++ {
		total += get5(c, i)
	}
	return total
}

// size is the number of elements under a node.
func (x node) size(leaf bool) uint64 {
	if leaf {
		return uint64(x.n())
	}
	return x.sum(0, x.n())
}

func at(a *dict.Arena, r dict.Ref) node { return node{a.Ptr(r)} }

func view(p unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(p), n) }

// shift moves n items of width w in the array p from index i to index j.
func shift(p unsafe.Pointer, w, i, j, n int) {
	if n > 0 {
		copy(view(unsafe.Add(p, w*j), w*n), view(unsafe.Add(p, w*i), w*n))
	}
}

// shift moves the entries from i on to j, and sets the number of entries.
func (x node) shift(i, j int, leaf bool) {
	n := x.n() - i
	shift(x.scores(), 8, i, j, n)
	shift(x.refs(), 5, i, j, n)
	if !leaf {
		shift(x.children(), 5, i, j, n)
		shift(x.counts(), 5, i, j, n)
	}
	x.setN(j + n)
}

// copyFrom copies n entries of y from i on to j; the number of entries is not
// changed.
func (x node) copyFrom(y node, i, j, n int, leaf bool) {
	if n == 0 {
		return
	}
	copy(view(unsafe.Add(x.scores(), 8*j), 8*n), view(unsafe.Add(y.scores(), 8*i), 8*n))
	copy(view(unsafe.Add(x.refs(), 5*j), 5*n), view(unsafe.Add(y.refs(), 5*i), 5*n))
	if !leaf {
		copy(view(unsafe.Add(x.children(), 5*j), 5*n), view(unsafe.Add(y.children(), 5*i), 5*n))
		copy(view(unsafe.Add(x.counts(), 5*j), 5*n), view(unsafe.Add(y.counts(), 5*i), 5*n))
	}
}

func entrySize(leaf bool) int {
	if leaf {
		return leafEntry
	}
	return innerEntry
}

// newNode allocates a node with room for n entries at least.
func (t *Tree) newNode(a *dict.Arena, n int, leaf bool) (dict.Ref, node) {
	w := entrySize(leaf)
	n = min((n+growBy-1)&^(growBy-1), maxKeys)
	r := a.Alloc(hdrSize + w*n)
	have := a.Usable(r)
	t.bytes += uint64(have)
	x := at(a, r)
	x.setN(0)
	x.setCap(min((have-hdrSize)/w, maxKeys))
	return r, x
}

func (t *Tree) freeNode(a *dict.Arena, r dict.Ref) {
	t.bytes -= uint64(a.Usable(r))
	a.Free(r)
}

// resized puts a copy of a node with room for n entries in its place.
func (t *Tree) resized(a *dict.Arena, r dict.Ref, n int, leaf bool) (dict.Ref, node) {
	q, y := t.newNode(a, n, leaf)
	x := at(a, r)
	y.copyFrom(x, 0, 0, x.n(), leaf)
	y.setN(x.n())
	t.freeNode(a, r)
	return q, y
}

// Bound is a place between elements: before or behind an element, a score or a
// member. Its methods and those that take it keep nothing of it.
type Bound struct {
	Score  float64
	Member []byte
	By     By
	// After makes it the place behind all elements that are equal to it, rather
	// than before them.
	After bool
}

// By says what of an element a Bound is compared with.
type By uint8

const (
	// ByElement compares scores, and members where those are equal: the order of
	// the index.
	ByElement By = iota
	// ByScore compares scores only.
	ByScore
	// ByMember compares members only. It makes sense where all scores are equal.
	ByMember
)

// below is the number of keys of a node that stand before the bound.
func (x node) below(a *dict.Arena, b *Bound) int {
	n := x.n()
	if b.By == ByMember {
		return x.memberBelow(a, 0, n, b)
	}
	s := b.Score
	if b.By == ByScore && b.After {
		return x.scoreAtMost(0, n, s)
	}
	lo := 0
	for n > 0 {
		h := n / 2
		if x.score(lo+h) < s {
			lo += h + 1
			n -= h + 1
		} else {
			n = h
		}
	}
	if b.By == ByScore {
		return lo
	}
	n = x.n()
	if lo == n || x.score(lo) != s {
		return lo
	}
	hi := lo + 1
	if hi < n && x.score(hi) == s {
		hi = x.scoreAtMost(hi, n, s)
	}
	return x.memberBelow(a, lo, hi, b)
}

// scoreAtMost is the first index in [lo, hi) whose score is greater than s, or hi.
func (x node) scoreAtMost(lo, hi int, s float64) int {
	for lo < hi {
		h := int(uint(lo+hi) / 2)
		if x.score(h) <= s {
			lo = h + 1
		} else {
			hi = h
		}
	}
	return lo
}

// memberBelow is the first index in [lo, hi) whose member does not stand before
// the bound, or hi.
func (x node) memberBelow(a *dict.Arena, lo, hi int, b *Bound) int {
	for lo < hi {
		h := int(uint(lo+hi) / 2)
		c := bytes.Compare(a.Elem(x.ref(h)).Key(), b.Member)
		if c < 0 || c == 0 && b.After {
			lo = h + 1
		} else {
			hi = h
		}
	}
	return lo
}

// step is an inner node on the way down, and the child that the way goes on
// with.
type step struct {
	ref dict.Ref
	i   int
}

// path is the way down to a leaf. path[l] is the inner node l levels above the
// leaves.
type path [maxHeight]step

// Len is the number of elements.
func (t *Tree) Len() int { return int(t.n) }

// Bytes is the memory of all nodes.
func (t *Tree) Bytes() int64 { return int64(t.bytes) }

// descend goes down to the leaf where the last element before the bound stands,
// or to the first leaf, and returns it with the index behind that element.
func (t *Tree) descend(a *dict.Arena, b *Bound, p *path) (dict.Ref, int) {
	r := t.root
	for l := int(t.height) - 1; l > 0; l-- {
		x := at(a, r)
		i := max(x.below(a, b)-1, 0)
		p[l] = step{r, i}
		r = x.child(i)
	}
	return r, at(a, r).below(a, b)
}

// Insert adds an element. Its member must not be in the index.
func (t *Tree) Insert(a *dict.Arena, score float64, e dict.Ref) {
	if t.root == 0 {
		r, x := t.newNode(a, 1, true)
		x.setKey(0, score, e)
		x.setN(1)
		t.root, t.height, t.n = r, 1, 1
		return
	}
	var p path
	b := Bound{Score: score, Member: a.Elem(e).Key()}
	leaf, i := t.descend(a, &b, &p)
	t.n++
	for l := 1; l < int(t.height); l++ {
		x := at(a, p[l].ref)
		x.setCount(p[l].i, x.count(p[l].i)+1)
	}
	if i == 0 {
		// Only at the left edge of the tree: else the way down would have led to the
		// leaf before this one.
		t.setMin(a, &p, 1, score, e)
	}
	x := at(a, leaf)
	if n := x.n(); n == x.cap() {
		if n == maxKeys {
			t.splitLeaf(a, &p, leaf, i, score, e)
			return
		}
		leaf, x = t.resized(a, leaf, n+1, true)
		t.relink(a, &p, 0, leaf)
	}
	x.shift(i, i+1, true)
	x.setKey(i, score, e)
}

// setMin notes that the least element under the node that path p leads to at
// level l-1 is another one.
func (t *Tree) setMin(a *dict.Arena, p *path, l int, score float64, e dict.Ref) {
	for ; l < int(t.height); l++ {
		at(a, p[l].ref).setKey(p[l].i, score, e)
		if p[l].i != 0 {
			return
		}
	}
}

// relink notes that the node at level l of the path has a new reference.
func (t *Tree) relink(a *dict.Arena, p *path, l int, r dict.Ref) {
	if l > 0 {
		p[l].ref = r
	}
	if l+1 == int(t.height) {
		t.root = r
		return
	}
	at(a, p[l+1].ref).setChild(p[l+1].i, r)
}

// edge tells whether the node at level l of the path is the last one (or first
// one) of its level.
func (t *Tree) edge(a *dict.Arena, p *path, l int, last bool) bool {
	for l++; l < int(t.height); l++ {
		if last && p[l].i != at(a, p[l].ref).n()-1 || !last && p[l].i != 0 {
			return false
		}
	}
	return true
}

// splitLeaf inserts an element at index i of a full leaf.
func (t *Tree) splitLeaf(a *dict.Arena, p *path, leaf dict.Ref, i int, score float64, e dict.Ref) {
	// The split is such that the new element goes to the right node, behind
	// the first m, or to the left one.
	m := maxKeys / 2
	switch {
	case i == maxKeys && t.edge(a, p, 0, true):
		m = maxKeys
	case i == 0 && t.edge(a, p, 0, false):
		m = 0
	}
	right, y := t.newNode(a, max(maxKeys-m, 1), true)
	x := at(a, leaf)
	y.copyFrom(x, m, 0, maxKeys-m, true)
	y.setN(maxKeys - m)
	x.setN(m)
	if m < maxKeys {
		leaf, x = t.resized(a, leaf, m+1, true)
		t.relink(a, p, 0, leaf)
	}
	if i < m || m == 0 {
		x.shift(i, i+1, true)
		x.setKey(i, score, e)
	} else {
		if y.n() == y.cap() {
			right, y = t.resized(a, right, y.n()+1, true)
		}
		y.shift(i-m, i-m+1, true)
		y.setKey(i-m, score, e)
	}
	t.addSibling(a, p, 0, leaf, right)
}

// addSibling puts node right behind node left, which stands at level l of the
// path and from which it was split off.
func (t *Tree) addSibling(a *dict.Arena, p *path, l int, left, right dict.Ref) {
	leaf := l == 0
	nl, nr := at(a, left).size(leaf), at(a, right).size(leaf)
	y := at(a, right)
	score, e := y.score(0), y.ref(0)
	if l+1 == int(t.height) {
		r, x := t.newNode(a, 2, false)
		w := at(a, left)
		x.setKey(0, w.score(0), w.ref(0))
		x.setChild(0, left)
		x.setCount(0, nl)
		x.setKey(1, score, e)
		x.setChild(1, right)
		x.setCount(1, nr)
		x.setN(2)
		t.root = r
		t.height++
		if t.height > maxHeight {
			panic(fmt.Sprintf("zindex: %d levels for %d elements", t.height, t.n))
		}
		return
	}
	parent, i := p[l+1].ref, p[l+1].i
	x := at(a, parent)
	x.setCount(i, nl)
	i++
	n := x.n()
	if n < maxKeys {
		if n == x.cap() {
			parent, x = t.resized(a, parent, n+1, false)
			t.relink(a, p, l+1, parent)
		}
		x.shift(i, i+1, false)
		x.setKey(i, score, e)
		x.setChild(i, right)
		x.setCount(i, nr)
		return
	}
	m := maxKeys / 2
	switch {
	case i == maxKeys && t.edge(a, p, l+1, true):
		m = maxKeys
	case i == 1 && t.edge(a, p, l+1, false):
		m = 1
	}
	sibling, z := t.newNode(a, maxKeys-m+1, false)
	x = at(a, parent)
	z.copyFrom(x, m, 0, maxKeys-m, false)
	z.setN(maxKeys - m)
	x.setN(m)
	if m < maxKeys {
		parent, x = t.resized(a, parent, m+1, false)
		t.relink(a, p, l+1, parent)
	}
	if i > m || m == maxKeys {
		i -= m
		x = z
	}
	x.shift(i, i+1, false)
	x.setKey(i, score, e)
	x.setChild(i, right)
	x.setCount(i, nr)
	t.addSibling(a, p, l+1, parent, sibling)
}

// find goes down to an element and returns its leaf and index; it panics if the
// element is not there.
func (t *Tree) find(a *dict.Arena, score float64, e dict.Ref, p *path) (dict.Ref, int) {
	b := Bound{Score: score, Member: a.Elem(e).Key(), After: true}
	if t.root != 0 {
		if leaf, i := t.descend(a, &b, p); i > 0 && at(a, leaf).ref(i-1) == e {
			return leaf, i - 1
		}
	}
	panic(fmt.Sprintf("zindex: element %#x, member %q, is not in the index with score %v", uint64(e), b.Member, score))
}

// Delete removes an element, which must be in the index with that score. It does
// not free it.
func (t *Tree) Delete(a *dict.Arena, score float64, e dict.Ref) {
	var p path
	leaf, i := t.find(a, score, e, &p)
	t.remove(a, &p, leaf, i, 1)
}

// remove takes n elements out of a leaf, from index i on.
func (t *Tree) remove(a *dict.Arena, p *path, leaf dict.Ref, i, n int) {
	t.n -= uint64(n)
	for l := 1; l < int(t.height); l++ {
		x := at(a, p[l].ref)
		x.setCount(p[l].i, x.count(p[l].i)-uint64(n))
	}
	t.drop(a, p, 0, leaf, i, n)
}

// drop removes n entries of the node at level l of the path, from index i on, and
// restores what must be true of it. What the entries refer to is the caller's.
func (t *Tree) drop(a *dict.Arena, p *path, l int, r dict.Ref, i, n int) {
	leaf := l == 0
	top := l+1 == int(t.height)
	x := at(a, r)
	x.shift(i+n, i, leaf)
	n = x.n()
	if n == 0 {
		t.freeNode(a, r)
		if top {
			t.root, t.height = 0, 0
			return
		}
		t.drop(a, p, l+1, p[l+1].ref, p[l+1].i, 1)
		return
	}
	if i == 0 {
		t.setMin(a, p, l+1, x.score(0), x.ref(0))
	}
	if top {
		if !leaf && n == 1 {
			t.root = x.child(0)
			t.height--
			t.freeNode(a, r)
			return
		}
	} else if n < minKeys && t.join(a, p, l, r) {
		return
	}
	if x.cap() >= n+2*growBy {
		r, _ = t.resized(a, r, n+1, leaf)
		t.relink(a, p, l, r)
	}
}

// join unites a sparse node with a neighbour under the same parent, if the two
// fit loosely into one.
func (t *Tree) join(a *dict.Arena, p *path, l int, r dict.Ref) bool {
	leaf := l == 0
	parent, i := at(a, p[l+1].ref), p[l+1].i
	// i becomes the left one of the two.
	switch {
	case i > 0 && at(a, parent.child(i-1)).n()+at(a, r).n() <= joinKeys:
		i--
	case i+1 < parent.n() && at(a, parent.child(i+1)).n()+at(a, r).n() <= joinKeys:
	default:
		return false
	}
	left, right := parent.child(i), parent.child(i+1)
	n, m := at(a, left).n(), at(a, right).n()
	if at(a, left).cap() < n+m {
		left, _ = t.resized(a, left, n+m, leaf)
		parent.setChild(i, left)
	}
	x := at(a, left)
	x.copyFrom(at(a, right), 0, n, m, leaf)
	x.setN(n + m)
	t.freeNode(a, right)
	parent.setCount(i, parent.count(i)+parent.count(i+1))
	p[l+1].i = i
	t.drop(a, p, l+1, p[l+1].ref, i+1, 1)
	return true
}

// Update gives an element, which is in the index with score from, the score to.
func (t *Tree) Update(a *dict.Arena, from float64, e dict.Ref, to float64) {
	var p path
	leaf, i := t.find(a, from, e, &p)
	x := at(a, leaf)
	n := x.n()
	// Where its neighbours stay the same it stays too.
	if i > 0 && (i+1 < n || t.edge(a, &p, 0, true)) {
		member := a.Elem(e).Key()
		if keyLess(a, x.score(i-1), x.ref(i-1), to, member) &&
			(i+1 == n || !keyLess(a, x.score(i+1), x.ref(i+1), to, member)) {
			x.setScore(i, to)
			return
		}
	}
	t.remove(a, &p, leaf, i, 1)
	t.Insert(a, to, e)
}

// keyLess tells whether an element stands before (s, member).
func keyLess(a *dict.Arena, score float64, e dict.Ref, s float64, member []byte) bool {
	return score < s || score == s && bytes.Compare(a.Elem(e).Key(), member) < 0
}

// Moved notes that an element's record is now at another place. Both records must
// still be there: the old one is freed afterwards.
func (t *Tree) Moved(a *dict.Arena, score float64, from, to dict.Ref) {
	var p path
	leaf, i := t.find(a, score, from, &p)
	x := at(a, leaf)
	x.setRef(i, to)
	if i == 0 {
		t.setMin(a, &p, 1, x.score(0), to)
	}
}

// Rank is the number of elements before an element, which must be in the index
// with that score.
func (t *Tree) Rank(a *dict.Arena, score float64, e dict.Ref) int {
	b := Bound{Score: score, Member: a.Elem(e).Key()}
	return t.Below(a, &b)
}

// Below is the number of elements before a bound, which is the rank of the first
// one behind it.
func (t *Tree) Below(a *dict.Arena, b *Bound) int {
	r, total := t.root, uint64(0)
	for l := int(t.height) - 1; l > 0; l-- {
		x := at(a, r)
		i := x.below(a, b) - 1
		if i < 0 {
			return int(total)
		}
		total += x.sum(0, i)
		r = x.child(i)
	}
	if r == 0 {
		return 0
	}
	return int(total) + at(a, r).below(a, b)
}

// seek goes down to the element of a rank below Len.
func (t *Tree) seek(a *dict.Arena, rank uint64, p *path) (dict.Ref, int) {
	r := t.root
	for l := int(t.height) - 1; l > 0; l-- {
		x := at(a, r)
		c, i := x.counts(), 0
		for k := get5(c, 0); rank >= k; k = get5(c, i) {
			rank -= k
			i++
		}
		p[l] = step{r, i}
		r = x.child(i)
	}
	return r, int(rank)
}

// DeleteRun removes some elements from the given rank on, at least one and at
// most limit, and returns how many. fn is called for each, and may free it.
// 0 <= rank < Len, limit > 0. A range is removed by repeated calls.
func (t *Tree) DeleteRun(a *dict.Arena, rank, limit int, fn func(score float64, e dict.Ref)) int {
	var p path
	leaf, i := t.seek(a, uint64(rank), &p)
	x := at(a, leaf)
	n := min(x.n()-i, limit)
	for j := i; j < i+n; j++ {
		fn(x.score(j), x.ref(j))
	}
	t.remove(a, &p, leaf, i, n)
	return n
}

// FreeStep frees about budget nodes of an index that is not used any more, from
// the right, and says whether there is more to do.
func (t *Tree) FreeStep(a *dict.Arena, budget int) bool {
	for ; budget > 0; budget-- {
		if t.root == 0 {
			return false
		}
		var p path
		r := t.root
		for l := int(t.height) - 1; l > 0; l-- {
			x := at(a, r)
			p[l] = step{r, x.n() - 1}
			r = x.child(x.n() - 1)
		}
		t.freeNode(a, r)
		l := 1
		for ; l < int(t.height); l++ {
			x := at(a, p[l].ref)
			if x.setN(p[l].i); p[l].i > 0 {
				break
			}
			t.freeNode(a, p[l].ref)
		}
		if l >= int(t.height) {
			*t = Tree{}
		}
	}
	return t.root != 0
}

// CompactStep moves nodes out of memory that is being evacuated (see
// dict.Arena.ShouldMove), about budget leaves from cursor on. The cursor begins
// with 0; it returns that for the next call, and 0 at the end. It may be kept over
// all other use of the index.
func (t *Tree) CompactStep(a *dict.Arena, cursor uint64, budget int) uint64 {
	for ; budget > 0; budget-- {
		if cursor >= t.n {
			return 0
		}
		var p path
		r, i := t.seek(a, cursor, &p)
		cursor += uint64(at(a, r).n() - i)
		for l := int(t.height) - 1; l >= 0; l-- {
			if l > 0 {
				r = p[l].ref
			} else if t.height > 1 {
				r = at(a, p[1].ref).child(p[1].i)
			} else {
				r = t.root
			}
			if a.ShouldMove(r) {
				n := at(a, r).n()
				q, _ := t.resized(a, r, n, l == 0)
				t.relink(a, &p, l, q)
			}
		}
	}
	if cursor >= t.n {
		return 0
	}
	return cursor
}
