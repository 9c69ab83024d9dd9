package quicklist

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Changes to a list: at its ends, at an index, of a range.

// link puts the node r before (after, if after is true) the node at, which is 0
// only in an empty list.
func (l *List) link(a *dict.Arena, pos, r dict.Ref, after bool) {
	prev, next := pos, dict.Ref(0)
	switch {
	case pos == 0:
	case after:
		next = at(a, pos).nextRef()
	default:
		prev, next = at(a, pos).prevRef(), pos
	}
	x := at(a, r)
	x.setPrev(prev)
	x.setNext(next)
	if prev != 0 {
		at(a, prev).setNext(r)
	} else {
		l.first = uint64(r)
	}
	if next != 0 {
		at(a, next).setPrev(r)
	} else {
		l.last = uint64(r)
	}
	l.nodes++
	l.count += uint64(x.count)
	// A node that was an end and is none any more will rarely grow.
	if prev != 0 && next == 0 && dict.Ref(l.first) != prev {
		l.fit(a, prev, false)
	} else if next != 0 && prev == 0 && dict.Ref(l.last) != next {
		l.fit(a, next, false)
	}
}

// drop takes a node out of the list and frees it, with the elements that it is
// still said to have.
func (l *List) drop(a *dict.Arena, r dict.Ref) {
	x := at(a, r)
	prev, next := x.prevRef(), x.nextRef()
	if prev != 0 {
		at(a, prev).setNext(next)
	} else {
		l.first = uint64(next)
	}
	if next != 0 {
		at(a, next).setPrev(prev)
	} else {
		l.last = uint64(prev)
	}
	if dict.Ref(l.mark) == r {
		l.mark = uint64(next)
	}
	l.nodes--
	l.count -= uint64(x.count)
	freeNode(a, r)
}

// PushHead adds s before the first element.
func (l *List) PushHead(a *dict.Arena, env *Env, s []byte) {
	if r := dict.Ref(l.first); l.allows(a, env, r, len(s)) {
		l.insertInto(a, r, listpack.HeaderSize, s)
		return
	}
	l.pushNode(a, env, l.nodeOf(a, env, s), false)
}

// PushTail adds s after the last element.
func (l *List) PushTail(a *dict.Arena, env *Env, s []byte) {
	if r := dict.Ref(l.last); l.allows(a, env, r, len(s)) {
		l.insertInto(a, r, at(a, r).length()-1, s)
		return
	}
	l.pushNode(a, env, l.nodeOf(a, env, s), true)
}

// nodeOf makes a node of one element.
func (l *List) nodeOf(a *dict.Arena, env *Env, s []byte) dict.Ref {
	if len(s) >= env.Large {
		return newPlain(a, s)
	}
	return l.newPacked(a, s)
}

func (l *List) pushNode(a *dict.Arena, env *Env, r dict.Ref, tail bool) {
	pos := l.first
	if tail {
		pos = l.last
	}
	l.link(a, dict.Ref(pos), r, tail)
	l.settle(a, env, 0, 0)
}

// AppendListpack adds a valid listpack of n > 0 elements as a node after the
// last one, whatever its size: for loaders.
func (l *List) AppendListpack(a *dict.Arena, env *Env, lp []byte, n int) {
	data := a.Alloc(len(lp))
	copy(a.Bytes(data, len(lp)), lp)
	l.pushNode(a, env, newNode(a, data, len(lp), n, false), true)
}

// AppendPlain adds one element as a plain node after the last one: for loaders.
func (l *List) AppendPlain(a *dict.Arena, env *Env, s []byte) {
	l.pushNode(a, env, newPlain(a, s), true)
}

// insertInto adds s to the raw node r before the entry p, or at the end if p is
// the offset of the end byte.
func (l *List) insertInto(a *dict.Arena, r dict.Ref, p int, s []byte) {
	lp := l.grow(a, r, listpack.EntrySize(s))
	if p == len(lp)-1 {
		lp = listpack.Append(lp, s)
	} else {
		lp = listpack.Insert(lp, p, s)
	}
	x := at(a, r)
	x.setLength(len(lp))
	x.count++
	l.count++
}

// cut removes up to n entries of the raw node r from the entry p on and frees
// what they took; it returns how many, and where the next one stands, -1 if
// there is none. The node may be empty then.
func (l *List) cut(a *dict.Arena, r dict.Ref, p, n int) (cut, next int) {
	x := at(a, r)
	n = min(n, int(x.count))
	lp := a.Bytes(x.dataRef(), x.length())
	if n == 1 {
		lp, next = listpack.Delete(lp, p)
	} else {
		lp, next = listpack.DeleteN(lp, p, n)
	}
	x.setLength(len(lp))
	x.count -= uint32(n)
	l.count -= uint64(n)
	return n, next
}

// DelHead removes the first element; there is one.
func (l *List) DelHead(a *dict.Arena, env *Env) { l.delEnd(a, env, dict.Ref(l.first), false) }

// DelTail removes the last element; there is one.
func (l *List) DelTail(a *dict.Arena, env *Env) { l.delEnd(a, env, dict.Ref(l.last), true) }

func (l *List) delEnd(a *dict.Arena, env *Env, r dict.Ref, tail bool) {
	x := at(a, r)
	if x.count == 1 {
		l.drop(a, r)
		l.settle(a, env, 0, 0)
		return
	}
	p := listpack.HeaderSize
	if tail {
		p = listpack.Last(a.Bytes(x.dataRef(), x.length()))
	}
	l.cut(a, r, p, 1)
	l.fit(a, r, true)
}

// DelRange removes n elements from index on; all of them exist.
func (l *List) DelRange(a *dict.Arena, env *Env, index, n int) {
	if n <= 0 {
		return
	}
	if index < 0 || index+n > l.Len() {
		panic(fmt.Sprintf("quicklist: elements %d to %d of %d removed", index, index+n, l.Len()))
	}
	r, i := l.locate(a, index)
	var touched, touched2 dict.Ref
	for n > 0 {
		x := at(a, r)
		next := x.nextRef()
		if i == 0 && int(x.count) <= n {
			n -= int(x.count)
			l.drop(a, r)
		} else {
			open(a, r)
			x = at(a, r)
			cut, _ := l.cut(a, r, listpack.Seek(a.Bytes(x.dataRef(), x.length()), i), min(n, int(x.count)-i))
			n -= cut
			l.fit(a, r, x.prevRef() == 0 || next == 0)
			if touched == 0 {
				touched = r
			} else {
				touched2 = r
			}
		}
		i = 0
		r = next
	}
	l.settle(a, env, touched, touched2)
}

// locate finds the node that has the element at index, which exists, and the
// element's index in it.
func (l *List) locate(a *dict.Arena, index int) (r dict.Ref, i int) {
	if index < l.Len()/2 {
		for r = dict.Ref(l.first); ; {
			x := at(a, r)
			if index < int(x.count) {
				return r, index
			}
			index -= int(x.count)
			r = x.nextRef()
		}
	}
	left := l.Len() - index // elements from this one to the end
	for r = dict.Ref(l.last); ; {
		x := at(a, r)
		if left <= int(x.count) {
			return r, int(x.count) - left
		}
		left -= int(x.count)
		r = x.prevRef()
	}
}

// replace puts s in the place of the element i of the node r, which stands at p
// if the node is packed.
func (l *List) replace(a *dict.Arena, env *Env, r dict.Ref, i, p int, s []byte) {
	open(a, r)
	x := at(a, r)
	switch {
	case x.plain() && len(s) >= env.Large:
		replaceData(a, x, s)
		l.settle(a, env, r, 0)
	case x.plain():
		l.insert(a, env, r, 0, s, true)
		l.drop(a, r)
		l.settle(a, env, 0, 0)
	default:
		lp := a.Bytes(x.dataRef(), x.length())
		d := listpack.EntrySize(s) - listpack.SizeAt(lp, p)
		if len(s) < env.Large && len(lp)+d <= listpack.MaxSafeSize {
			if d > 0 {
				lp = l.grow(a, r, d)
			}
			lp = listpack.Replace(lp, p, s)
			x.setLength(len(lp))
			l.fit(a, r, x.prevRef() == 0 || x.nextRef() == 0)
			l.settle(a, env, r, 0)
			return
		}
		if x.count == 1 {
			q := l.nodeOf(a, env, s)
			l.link(a, r, q, true)
			l.drop(a, r)
			l.settle(a, env, q, 0)
			return
		}
		l.cut(a, r, p, 1)
		if i < int(x.count) {
			l.insert(a, env, r, i, s, false)
		} else {
			l.insert(a, env, r, i-1, s, true)
		}
	}
}

// insert adds s before (or after) the element i of the node r.
func (l *List) insert(a *dict.Arena, env *Env, r dict.Ref, i int, s []byte, after bool) {
	x := at(a, r)
	prev, next := x.prevRef(), x.nextRef()
	atTail := after && i == int(x.count)-1
	atHead := !after && i == 0
	if len(s) >= env.Large {
		if x.plain() || atTail || atHead {
			big := newPlain(a, s)
			l.link(a, r, big, after)
			l.settle(a, env, r, big)
			return
		}
		rest := l.split(a, r, i, after)
		big := newPlain(a, s)
		l.link(a, r, big, after)
		l.link(a, big, rest, after)
		l.settle(a, env, r, rest)
		l.settle(a, env, big, 0)
		return
	}
	switch {
	case l.allows(a, env, r, len(s)):
		open(a, r)
		lp := a.Bytes(x.dataRef(), x.length())
		p := len(lp) - 1
		if !atTail {
			if after {
				i++
			}
			p = listpack.Seek(lp, i)
		}
		l.insertInto(a, r, p, s)
		l.settle(a, env, r, 0)
	case atTail && l.allows(a, env, next, len(s)):
		open(a, next)
		l.insertInto(a, next, listpack.HeaderSize, s)
		l.settle(a, env, next, 0)
	case atHead && l.allows(a, env, prev, len(s)):
		open(a, prev)
		l.insertInto(a, prev, at(a, prev).length()-1, s)
		l.settle(a, env, prev, 0)
	case atTail || atHead || x.plain():
		q := l.newPacked(a, s)
		l.link(a, r, q, after)
		l.settle(a, env, r, q)
	default:
		rest := l.split(a, r, i, after)
		l.link(a, r, rest, after)
		if after {
			l.insertInto(a, rest, listpack.HeaderSize, s)
		} else {
			l.insertInto(a, rest, at(a, rest).length()-1, s)
		}
		l.mergeAround(a, env, r)
	}
}

// split cuts a packed node in two. With after, the node keeps the elements up to
// i and the new one, which is returned unlinked, gets the rest; else the node
// keeps those from i on and the new one gets those before. Neither is empty.
func (l *List) split(a *dict.Arena, r dict.Ref, i int, after bool) dict.Ref {
	open(a, r)
	x := at(a, r)
	lp := a.Bytes(x.dataRef(), x.length())
	if after {
		i++
	}
	p := listpack.Seek(lp, i)
	from, to, n := listpack.HeaderSize, p, i
	if after {
		from, to, n = p, len(lp)-1, int(x.count)-i
	}
	size := to - from + listpack.EmptySize
	data := a.Alloc(size)
	out := listpack.Begin(a.Bytes(data, size)[:0])
	out = append(out, lp[from:to]...)
	listpack.Finish(out, 0, n)
	rest := newNode(a, data, size, n, false)
	l.cut(a, r, from, n)
	l.fit(a, r, false)
	return rest
}

// merge appends the elements of the node q, which follows r, to r and drops q.
func (l *List) merge(a *dict.Arena, r, q dict.Ref) {
	open(a, r)
	open(a, q)
	x, y := at(a, r), at(a, q)
	lp := l.grow(a, r, y.length()-lpOverhead)
	lp = listpack.Concat(lp, a.Bytes(y.dataRef(), y.length()))
	x.setLength(len(lp))
	x.count += y.count
	l.count += uint64(y.count) // drop takes them off again
	l.drop(a, q)
}

// mergeAround merges the nodes about r where two together are within the limits:
// the two before it, the two behind it, then r with its neighbours.
func (l *List) mergeAround(a *dict.Arena, env *Env, r dict.Ref) {
	if prev := at(a, r).prevRef(); prev != 0 {
		if pp := at(a, prev).prevRef(); l.mergeable(a, pp, prev) {
			l.merge(a, pp, prev)
		}
	}
	if next := at(a, r).nextRef(); next != 0 {
		if nn := at(a, next).nextRef(); l.mergeable(a, next, nn) {
			l.merge(a, next, nn)
		}
	}
	if prev := at(a, r).prevRef(); l.mergeable(a, prev, r) {
		l.merge(a, prev, r)
		r = prev
	}
	if next := at(a, r).nextRef(); l.mergeable(a, r, next) {
		l.merge(a, r, next)
	}
	l.settle(a, env, at(a, r).prevRef(), at(a, r).nextRef())
	l.settle(a, env, r, 0)
}
