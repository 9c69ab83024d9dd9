package stream

import (
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

const (
	leafCap   = 64 // keys that a leaf has at least once it has grown; see fullRoom
	leafStart = 4  // keys of the first leaf of a tree
	maxVsize  = 31 // bytes of a value
	fanout    = 64 // children of an inner node
	maxHeight = 8  // levels of inner nodes: 32^8 leaves are more than an arena holds

	// What two neighbours may have together to be merged.
	leafMerge  = leafCap * 3 / 4
	innerMerge = fanout * 3 / 4
)

// Tree is a B+tree of IDs with values of a fixed size; see the package comment.
// It holds no Go pointers and may be moved with the block it stands in. The
// zero value is an empty tree without values.
type Tree struct {
	root, head, tail dict.Ref // head and tail: first and last leaf
	n                uint64
	height           uint8 // levels of inner nodes
	vsize            uint8 // bytes of a value
}

type leaf struct {
	n, room    uint16
	prev, next dict.Ref
}

const leafHead = int(unsafe.Sizeof(leaf{}))

type inner struct {
	n    int
	keys [fanout]ID
	kids [fanout]dict.Ref
}

const innerSize = int(unsafe.Sizeof(inner{}))

func leafSize(room, vsize int) int { return leafHead + room*(16+vsize) }

// fullRooms is how many keys a grown leaf has room for, by the size of its
// values: what fits into the block that the arena gives for leafCap of them.
var fullRooms = func() (rooms [maxVsize + 1]int) {
	for vsize := range rooms {
		rooms[vsize] = (dict.RoundUp(leafSize(leafCap, vsize)) - leafHead) / (16 + vsize)
	}
	return rooms
}()

func (t *Tree) fullRoom() int { return fullRooms[t.vsize&maxVsize] }

func (l *leaf) keys() []ID {
	return unsafe.Slice((*ID)(unsafe.Add(unsafe.Pointer(l), leafHead)), int(l.room))[:l.n]
}

// vals returns the address of value i.
func (l *leaf) val(i int, vsize uint8) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(l), leafHead+int(l.room)*16+i*int(vsize))
}

func (l *leaf) vals(i, n int, vsize uint8) []byte {
	return unsafe.Slice((*byte)(l.val(i, vsize)), n*int(vsize))
}

func leafAt(a *dict.Arena, r dict.Ref) *leaf   { return (*leaf)(a.Ptr(r)) }
func innerAt(a *dict.Arena, r dict.Ref) *inner { return (*inner)(a.Ptr(r)) }

// lowerBound returns the first position whose key is not below id.
func lowerBound(keys []ID, id ID) int {
	lo, hi := 0, len(keys)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if keys[m].Less(id) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// childFor returns the child under which id belongs.
func (n *inner) childFor(id ID) int {
	lo, hi := 1, n.n
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if id.Less(n.keys[m]) {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo - 1
}

// path is the way from the root to a leaf: inner nodes and the children taken.
type path [maxHeight]struct {
	node *inner
	ref  dict.Ref
	i    int
}

// descend finds the leaf under which id belongs. The tree is not empty.
func (t *Tree) descend(a *dict.Arena, id ID, p *path) (dict.Ref, *leaf) {
	r := t.root
	for h := 0; h < int(t.height); h++ {
		n := innerAt(a, r)
		i := n.childFor(id)
		p[h].node, p[h].ref, p[h].i = n, r, i
		r = n.kids[i]
	}
	return r, leafAt(a, r)
}

// leafFor is descend without the path.
func (t *Tree) leafFor(a *dict.Arena, id ID) *leaf {
	r := t.root
	for h := t.height; h > 0; h-- {
		n := innerAt(a, r)
		r = n.kids[n.childFor(id)]
	}
	return leafAt(a, r)
}

// Len is the number of keys.
func (t *Tree) Len() int { return int(t.n) }

// Find returns the address of the value of id, and whether it is there.
func (t *Tree) Find(a *dict.Arena, id ID) (unsafe.Pointer, bool) {
	if t.n == 0 {
		return nil, false
	}
	l := t.leafFor(a, id)
	if i := lowerBound(l.keys(), id); i < int(l.n) && l.keys()[i] == id {
		return l.val(i, t.vsize), true
	}
	return nil, false
}

// First and Last return the least and the greatest key of a tree that is not
// empty.
func (t *Tree) First(a *dict.Arena) ID { return leafAt(a, t.head).keys()[0] }

// Last returns the greatest key; see First.
func (t *Tree) Last(a *dict.Arena) ID {
	l := leafAt(a, t.tail)
	return l.keys()[l.n-1]
}

func newLeaf(a *dict.Arena, room int, vsize uint8) dict.Ref {
	r := a.Alloc(leafSize(room, int(vsize)))
	*leafAt(a, r) = leaf{room: uint16(room)}
	return r
}

// Insert adds id and returns the address of its value, which is undefined when
// added is true; else id was there already.
func (t *Tree) Insert(a *dict.Arena, id ID) (v unsafe.Pointer, added bool) {
	if t.n == 0 {
		r := newLeaf(a, leafStart, t.vsize)
		t.root, t.head, t.tail, t.height = r, r, r, 0
		return t.put(leafAt(a, r), 0, id), true
	}
	if l := leafAt(a, t.tail); l.n < l.room && l.keys()[l.n-1].Less(id) {
		return t.put(l, int(l.n), id), true
	}
	var p path
	r, l := t.descend(a, id, &p)
	i := lowerBound(l.keys(), id)
	if i < int(l.n) && l.keys()[i] == id {
		return l.val(i, t.vsize), false
	}
	if l.n < l.room {
		return t.put(l, i, id), true
	}
	if int(l.room) < t.fullRoom() {
		return t.put(t.grow(a, r, l, &p), i, id), true
	}
	return t.split(a, r, l, &p, i, id), true
}

// put makes room for id at position i of a leaf that is not full.
func (t *Tree) put(l *leaf, i int, id ID) unsafe.Pointer {
	n := int(l.n)
	l.n++
	k := l.keys()
	if i < n {
		copy(k[i+1:], k[i:n])
		if vs := int(t.vsize); vs != 0 {
			v := l.vals(0, n+1, t.vsize)
			copy(v[(i+1)*vs:], v[i*vs:n*vs])
		}
	}
	k[i] = id
	t.n++
	return l.val(i, t.vsize)
}

// grow gives a leaf that is not of full size twice the room, in another block.
func (t *Tree) grow(a *dict.Arena, r dict.Ref, l *leaf, p *path) *leaf {
	nr := newLeaf(a, min(2*int(l.room), t.fullRoom()), t.vsize)
	t.replaceLeaf(a, r, l, nr, p)
	return leafAt(a, nr)
}

// replaceLeaf moves the content of leaf r to the empty leaf nr, which has room
// for it, puts nr in its place and frees r.
func (t *Tree) replaceLeaf(a *dict.Arena, r dict.Ref, l *leaf, nr dict.Ref, p *path) {
	m := leafAt(a, nr)
	m.n, m.prev, m.next = l.n, l.prev, l.next
	copy(m.keys(), l.keys())
	copy(m.vals(0, int(l.n), t.vsize), l.vals(0, int(l.n), t.vsize))
	if t.height == 0 {
		t.root = nr
	} else {
		up := &p[t.height-1]
		up.node.kids[up.i] = nr
	}
	t.relink(a, m, nr)
	a.Free(r)
}

// relink makes the neighbours of leaf l refer to it at r.
func (t *Tree) relink(a *dict.Arena, l *leaf, r dict.Ref) {
	if l.prev != 0 {
		leafAt(a, l.prev).next = r
	} else {
		t.head = r
	}
	if l.next != 0 {
		leafAt(a, l.next).prev = r
	} else {
		t.tail = r
	}
}

// split adds id at position i of a full leaf, which becomes two. The blocks are
// allocated before anything changes, so that running out of memory leaves the
// tree as it was.
func (t *Tree) split(a *dict.Arena, r dict.Ref, l *leaf, p *path, i int, id ID) unsafe.Pointer {
	full := 0
	for h := int(t.height) - 1; h >= 0 && p[h].node.n == fanout; h-- {
		full++
	}
	grows := full == int(t.height)
	if grows && t.height == maxHeight {
		panic("stream: tree of " + ID{t.n, uint64(t.height)}.String() + " keys-levels cannot grow")
	}
	nr := newLeaf(a, t.fullRoom(), t.vsize)
	var spare [maxHeight + 1]dict.Ref
	for k := range full {
		spare[k] = a.Alloc(innerSize)
	}
	if grows {
		spare[full] = a.Alloc(innerSize)
	}

	m := leafAt(a, nr)
	m.prev, m.next = r, l.next
	var v unsafe.Pointer
	if r == t.tail && i == int(l.n) {
		v = t.put(m, 0, id) // in ascending order leaves stay full
	} else {
		half := int(l.n) / 2
		m.n = l.n - uint16(half)
		copy(m.keys(), l.keys()[half:])
		copy(m.vals(0, int(m.n), t.vsize), l.vals(half, int(m.n), t.vsize))
		l.n = uint16(half)
		if i <= half {
			v = t.put(l, i, id)
		} else {
			v = t.put(m, i-half, id)
		}
	}
	t.relink(a, m, nr)
	t.addChild(a, p, int(t.height)-1, m.keys()[0], nr, spare[:])
	return v
}

// addChild adds a child behind the one that the path took at level h. spare are
// the nodes for those that must be split.
func (t *Tree) addChild(a *dict.Arena, p *path, h int, key ID, kid dict.Ref, spare []dict.Ref) {
	for {
		if h < 0 {
			old := t.root
			n := innerAt(a, spare[0])
			n.n = 2
			n.keys[0], n.kids[0] = Min, old
			n.keys[1], n.kids[1] = key, kid
			t.root = spare[0]
			t.height++
			return
		}
		n, i := p[h].node, p[h].i+1
		if n.n < fanout {
			n.insert(i, key, kid)
			return
		}
		r := spare[0]
		spare = spare[1:]
		m := innerAt(a, r)
		half := fanout / 2
		if i == fanout {
			half = fanout // ascending: see split
		}
		m.n = copy(m.keys[:], n.keys[half:])
		copy(m.kids[:], n.kids[half:])
		n.n = half
		if i <= half && i < fanout {
			n.insert(i, key, kid)
		} else {
			m.insert(i-half, key, kid)
		}
		key, kid = m.keys[0], r
		h--
	}
}

func (n *inner) insert(i int, key ID, kid dict.Ref) {
	copy(n.keys[i+1:n.n+1], n.keys[i:n.n])
	copy(n.kids[i+1:n.n+1], n.kids[i:n.n])
	n.keys[i], n.kids[i] = key, kid
	n.n++
}

func (n *inner) remove(i int) {
	copy(n.keys[i:n.n], n.keys[i+1:n.n])
	copy(n.kids[i:n.n], n.kids[i+1:n.n])
	n.n--
}

// Delete removes id; false when it is not there.
func (t *Tree) Delete(a *dict.Arena, id ID) bool {
	if t.n == 0 {
		return false
	}
	var p path
	r, l := t.descend(a, id, &p)
	i := lowerBound(l.keys(), id)
	if i >= int(l.n) || l.keys()[i] != id {
		return false
	}
	k, n := l.keys(), int(l.n)
	copy(k[i:], k[i+1:])
	if vs := int(t.vsize); vs != 0 {
		v := l.vals(0, n, t.vsize)
		copy(v[i*vs:], v[(i+1)*vs:])
	}
	l.n--
	t.n--
	switch {
	case l.n == 0:
		t.dropLeaf(a, r, l, &p)
	case t.height > 0 && int(l.n) < leafCap/4:
		t.mergeLeaf(a, l, &p)
	}
	return true
}

// dropLeaf removes an empty leaf.
func (t *Tree) dropLeaf(a *dict.Arena, r dict.Ref, l *leaf, p *path) {
	if l.prev != 0 {
		leafAt(a, l.prev).next = l.next
	} else {
		t.head = l.next
	}
	if l.next != 0 {
		leafAt(a, l.next).prev = l.prev
	} else {
		t.tail = l.prev
	}
	a.Free(r)
	if t.height == 0 {
		t.root = 0
		return
	}
	t.dropChild(a, p, int(t.height)-1)
}

// mergeLeaf joins a sparse leaf with a neighbour below the same node, if they
// fit.
func (t *Tree) mergeLeaf(a *dict.Arena, l *leaf, p *path) {
	h := int(t.height) - 1
	n, i := p[h].node, p[h].i
	if i+1 >= n.n || int(l.n)+int(leafAt(a, n.kids[i+1]).n) > leafMerge {
		if i == 0 || int(l.n)+int(leafAt(a, n.kids[i-1]).n) > leafMerge {
			return
		}
		i--
		l = leafAt(a, n.kids[i])
	}
	// The right one's keys go to the left one.
	rr := n.kids[i+1]
	m := leafAt(a, rr)
	at := int(l.n)
	l.n += m.n
	copy(l.keys()[at:], m.keys())
	copy(l.vals(at, int(m.n), t.vsize), m.vals(0, int(m.n), t.vsize))
	l.next = m.next
	if m.next != 0 {
		leafAt(a, m.next).prev = n.kids[i]
	} else {
		t.tail = n.kids[i]
	}
	a.Free(rr)
	p[h].i = i + 1
	t.dropChild(a, p, h)
}

// dropChild removes the child that the path took at level h, whose block is
// gone already, and what becomes empty or sparse by that.
func (t *Tree) dropChild(a *dict.Arena, p *path, h int) {
	for ; h >= 0; h-- {
		n := p[h].node
		n.remove(p[h].i)
		if n.n > 0 {
			if h == 0 || n.n >= fanout/4 || !t.mergeInner(a, p, h) {
				break
			}
			continue
		}
		a.Free(p[h].ref)
		if h == 0 {
			t.root, t.height = 0, 0
			return
		}
	}
	for t.height > 0 && innerAt(a, t.root).n == 1 {
		old := t.root
		t.root = innerAt(a, old).kids[0]
		t.height--
		a.Free(old)
	}
}

// mergeInner joins the sparse node of level h with a neighbour below the same
// node, if they fit. It frees the right one and leaves in the path that it is to
// be removed from its parent.
func (t *Tree) mergeInner(a *dict.Arena, p *path, h int) bool {
	up, i := p[h-1].node, p[h-1].i
	n := p[h].node
	if i+1 >= up.n || n.n+innerAt(a, up.kids[i+1]).n > innerMerge {
		if i == 0 || n.n+innerAt(a, up.kids[i-1]).n > innerMerge {
			return false
		}
		i--
	}
	left, right := innerAt(a, up.kids[i]), innerAt(a, up.kids[i+1])
	copy(left.keys[left.n:], right.keys[:right.n])
	copy(left.kids[left.n:], right.kids[:right.n])
	left.keys[left.n] = up.keys[i+1]
	left.n += right.n
	a.Free(up.kids[i+1])
	p[h-1].i = i + 1
	return true
}

// Cursor is a position in a tree, valid until the tree changes.
type Cursor struct {
	a *dict.Arena
	l *leaf
	i int
}

// Seek returns the position of the first key that is not below id.
func (t *Tree) Seek(a *dict.Arena, id ID) Cursor {
	if t.n == 0 {
		return Cursor{}
	}
	l := t.leafFor(a, id)
	c := Cursor{a, l, lowerBound(l.keys(), id)}
	if c.i == int(l.n) {
		c.i--
		c.Next()
	}
	return c
}

// SeekLast returns the position of the last key that is not above id.
func (t *Tree) SeekLast(a *dict.Arena, id ID) Cursor {
	if t.n == 0 {
		return Cursor{}
	}
	l := t.leafFor(a, id)
	i := lowerBound(l.keys(), id)
	c := Cursor{a, l, i}
	if i < int(l.n) && l.keys()[i] == id {
		return c
	}
	c.Prev()
	return c
}

// Valid tells whether the cursor is at a key.
func (c *Cursor) Valid() bool { return c.l != nil }

// Key is the key at the cursor.
func (c *Cursor) Key() ID { return c.l.keys()[c.i] }

// Next moves to the next key, or makes the cursor invalid.
func (c *Cursor) Next() {
	if c.i++; c.i < int(c.l.n) {
		return
	}
	if c.l.next == 0 {
		c.l = nil
		return
	}
	c.l, c.i = leafAt(c.a, c.l.next), 0
}

// Prev moves to the previous key, or makes the cursor invalid.
func (c *Cursor) Prev() {
	if c.i > 0 {
		c.i--
		return
	}
	if c.l.prev == 0 {
		c.l = nil
		return
	}
	c.l = leafAt(c.a, c.l.prev)
	c.i = int(c.l.n) - 1
}

// val is the address of the value at the cursor, of vsize bytes.
func (c *Cursor) val(vsize uint8) unsafe.Pointer { return c.l.val(c.i, vsize) }
