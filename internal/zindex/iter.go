package zindex

import "github.com/raniellyferreira/redis-inmemory-replica/dict"

// Iter walks over an index in either direction. It is valid until the next change
// of the index. It is meant to stand on the stack.
type Iter struct {
	a    *dict.Arena
	t    *Tree
	leaf node
	i, n int
	p    path
}

// ahead is how many elements before their turn their records are fetched from
// memory.
const ahead = 8

// Seek places the iterator at the element of a rank, 0 <= rank < Len.
func (it *Iter) Seek(a *dict.Arena, t *Tree, rank int) {
	it.a, it.t = a, t
	r, i := t.seek(a, uint64(rank), &it.p)
	it.leaf, it.i = at(a, r), i
	it.n = it.leaf.n()
}

// Score is the score of the element that the iterator stands at.
func (it *Iter) Score() float64 { return it.leaf.score(it.i) }

// Ref is the record of the element that the iterator stands at.
func (it *Iter) Ref() dict.Ref { return it.leaf.ref(it.i) }

// Next goes to the next element and returns false if there is none.
func (it *Iter) Next() bool {
	it.i++
	if it.i+ahead < it.n {
		it.a.Prefetch(it.leaf.ref(it.i + ahead))
	}
	return it.i < it.n || it.turn(1)
}

// Prev goes to the element before and returns false if there is none.
func (it *Iter) Prev() bool {
	it.i--
	if it.i >= ahead {
		it.a.Prefetch(it.leaf.ref(it.i - ahead))
	}
	return it.i >= 0 || it.turn(-1)
}

// turn goes to the next leaf (d is 1) or the one before (d is -1).
func (it *Iter) turn(d int) bool {
	for l := 1; l < int(it.t.height); l++ {
		s := &it.p[l]
		if i := s.i + d; i < 0 || i >= at(it.a, s.ref).n() {
			continue
		}
		s.i += d
		r := at(it.a, s.ref).child(s.i)
		for l--; l > 0; l-- {
			x := at(it.a, r)
			i := 0
			if d < 0 {
				i = x.n() - 1
			}
			it.p[l] = step{r, i}
			r = x.child(i)
		}
		it.leaf = at(it.a, r)
		it.n = it.leaf.n()
		it.i = 0
		if d < 0 {
			it.i = it.n - 1
		}
		for j := range min(ahead, it.n) {
			if d < 0 {
				j = it.n - 1 - j
			}
			it.a.Prefetch(it.leaf.ref(j))
		}
		return true
	}
	return false
}
