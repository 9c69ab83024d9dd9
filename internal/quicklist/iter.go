package quicklist

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Iter is a place in a list, and walks over it in one direction. It is valid
// until the list changes by other means than its own methods, of which those
// that say so end it too.
type Iter struct {
	l    *List // nil for a bare listpack
	a    *dict.Arena
	env  *Env
	node dict.Ref
	data []byte // what the node holds
	p    int    // entry of a listpack; -1 when there is none left
	i    int    // index of the element in its node
	pure bool   // the node is a plain element
	back bool
	cut  bool // elements of the node were removed
}

// Seek returns an iterator that stands at the element index, if there is one,
// and goes towards the head if back is true.
func (l *List) Seek(a *dict.Arena, env *Env, index int, back bool) Iter {
	it := Iter{l: l, a: a, env: env, p: -1, back: back}
	if index >= 0 && index < l.Len() {
		it.node, it.i = l.locate(a, index)
		it.load()
		if !it.pure {
			it.p = listpack.Seek(it.data, it.i)
		}
	}
	return it
}

// Over is Seek for a listpack that is a whole list. Its iterator only reads.
func Over(lp []byte, index int, back bool) Iter {
	it := Iter{data: lp, p: -1, i: index, back: back}
	if index >= 0 {
		it.p = listpack.Seek(lp, index)
	}
	return it
}

// load takes up what the iterator's node holds, at its first byte.
func (it *Iter) load() {
	it.data = read(it.a, it.env, it.node)
	it.pure = at(it.a, it.node).plain()
	it.p = 0
}

// Valid tells whether the iterator stands at an element.
func (it *Iter) Valid() bool { return it.p >= 0 }

// Next goes to the next element.
func (it *Iter) Next() {
	if !it.pure {
		if it.back {
			it.i--
			it.p = listpack.Prev(it.data, it.p)
		} else {
			it.i++
			it.p = listpack.Next(it.data, it.p)
		}
		if it.p >= 0 {
			return
		}
	}
	it.p = -1
	if it.l != nil {
		it.nextNode()
	}
}

// nextNode goes to the first element, in the iterator's direction, of the node
// after its own.
func (it *Iter) nextNode() {
	left := it.node
	x := at(it.a, left)
	r := x.nextRef()
	if it.back {
		r = x.prevRef()
	}
	if it.cut {
		it.finish(left)
	}
	it.enter(r)
}

// enter goes to the first element of the node r, which may be 0.
func (it *Iter) enter(r dict.Ref) {
	if it.node = r; r == 0 {
		it.p = -1
		return
	}
	it.load()
	it.i = 0
	if it.back {
		it.i = int(at(it.a, r).count) - 1
	}
	if it.pure {
		return
	}
	if it.back {
		it.p = listpack.Last(it.data)
	} else {
		it.p = listpack.First(it.data)
	}
}

// Value is the element, a view of the list or, for an integer, of buf.
func (it *Iter) Value(buf *listpack.IntBuf) []byte {
	if it.pure {
		return it.data
	}
	return listpack.Get(it.data, it.p, buf)
}

// Needle is a text that elements are compared with.
type Needle struct {
	text  []byte
	n     int64
	isInt bool
}

// NeedleOf prepares the comparison of many elements with s, which it refers to.
func NeedleOf(s []byte) Needle {
	n, ok := listpack.ParseInt(s)
	return Needle{s, n, ok}
}

// Is tells whether the element is the needle's text.
func (it *Iter) Is(x *Needle) bool {
	if it.pure {
		return string(it.data) == string(x.text)
	}
	s, n, isInt := listpack.Entry(it.data, it.p)
	if isInt {
		return x.isInt && n == x.n
	}
	return string(s) == string(x.text)
}

// Delete removes the element and goes to the next one.
func (it *Iter) Delete() {
	l, a := it.l, it.a
	x := at(a, it.node)
	if x.count == 1 {
		gone := it.node
		r := x.nextRef()
		if it.back {
			r = x.prevRef()
		}
		l.drop(a, gone)
		it.cut = false
		l.settle(a, it.env, 0, 0)
		it.enter(r)
		return
	}
	open(a, it.node)
	_, next := l.cut(a, it.node, it.p, 1)
	it.cut = true
	it.data = a.Bytes(x.dataRef(), x.length())
	if it.back {
		it.i--
		it.p = listpack.Prev(it.data, it.p)
	} else {
		it.p = next
	}
	if it.p < 0 {
		it.nextNode()
	}
}

// Done restores the state of the node in which elements were removed. Call it
// after the last Delete. It ends the iterator.
func (it *Iter) Done() {
	if it.cut {
		it.finish(it.node)
	}
	it.p = -1
}

// finish restores the state of a node in which elements were removed.
func (it *Iter) finish(r dict.Ref) {
	it.cut = false
	x := at(it.a, r)
	it.l.fit(it.a, r, x.prevRef() == 0 || x.nextRef() == 0)
	it.l.settle(it.a, it.env, r, 0)
}

// Insert adds s after the element, or before it, and ends the iterator.
func (it *Iter) Insert(s []byte, after bool) {
	it.l.insert(it.a, it.env, it.node, it.i, s, after)
	it.p = -1
}

// Replace puts s in the place of the element and ends the iterator.
func (it *Iter) Replace(s []byte) {
	it.l.replace(it.a, it.env, it.node, it.i, it.p, s)
	it.p = -1
}
