package stream

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Iter goes over the live entries of a range. It is valid until the stream is
// written to.
//
//	for it := s.Range(a, from, to, false); it.Next(); {
//		// it.ID, it.Fields
//		for range it.Fields {
//			field, value := it.Field()
//		}
//	}
type Iter struct {
	// ID of the current entry, and the number of its fields.
	ID     ID
	Fields int

	a        *dict.Arena
	from, to ID
	rev      bool
	fresh    bool // the cursor's node has not been opened yet

	cur   Cursor
	first ID
	m     master
	lp    []byte
	next  int // forward: the next entry; backward: the end of the one before; -1 none
	at    int // flags of the current entry
	name  int // next name
	val   int // next value, or the next element where names stand between values
	same  bool
	left  int64 // elements of the current entry that Field has not passed yet, the count at its end included

	nameBuf, valBuf listpack.IntBuf
}

// Range returns an iterator over the entries from one ID to another, both
// included, in descending order if rev.
func (s *Stream) Range(a *dict.Arena, from, to ID, rev bool) Iter {
	it := Iter{a: a, from: from, to: to, rev: rev, fresh: true}
	if rev {
		it.cur = s.nodes.SeekLast(a, to)
		return it
	}
	it.cur = s.nodes.SeekLast(a, from)
	if !it.cur.Valid() {
		it.cur = s.nodes.Seek(a, Min)
	}
	return it
}

// open reads the head of the cursor's node.
func (it *Iter) open() {
	it.first = it.cur.Key()
	it.lp = node(it.a, *(*dict.Ref)(it.cur.val(8)))
	it.m = masterOf(it.lp)
	if it.rev {
		it.next = len(it.lp) - 1
	} else {
		it.next = listpack.Next(it.lp, after(it.lp, it.m.names, it.m.fields))
	}
	it.left = 0
	it.fresh = false
}

// Next goes to the next live entry; false at the end of the range.
func (it *Iter) Next() bool {
	for it.cur.Valid() {
		if it.fresh {
			it.open()
		}
		if it.rev {
			if !it.back() {
				it.cur.Prev()
				it.fresh = true
				continue
			}
		} else if !it.forward() {
			it.cur.Next()
			it.fresh = true
			continue
		}
		flags := it.parse()
		if it.rev && it.ID.Less(it.from) || !it.rev && it.to.Less(it.ID) {
			it.cur = Cursor{}
			return false
		}
		if flags&entryDeleted != 0 || it.rev && it.to.Less(it.ID) || !it.rev && it.ID.Less(it.from) {
			continue
		}
		return true
	}
	return false
}

// forward sets at to the next entry of the node.
func (it *Iter) forward() bool {
	if it.left > 0 {
		// What nobody read of the current entry.
		it.next = listpack.Advance(it.lp, it.val, int(it.left))
		it.left = 0
	}
	it.at = it.next
	return it.at >= 0
}

// back sets at to the previous entry of the node.
func (it *Iter) back() bool {
	p := listpack.Prev(it.lp, it.next)
	n := intAt(it.lp, p)
	if n == 0 {
		return false
	}
	for ; n > 0; n-- {
		p = listpack.Prev(it.lp, p)
	}
	it.at, it.next = p, p
	return true
}

// parse reads the head of the entry at it.at and returns its flags.
func (it *Iter) parse() int64 {
	lp, p := it.lp, it.at
	flags := intAt(lp, p)
	p = listpack.Next(lp, p)
	ms := intAt(lp, p)
	p = listpack.Next(lp, p)
	seq := intAt(lp, p)
	p = listpack.Next(lp, p)
	it.ID = ID{it.first.Ms + uint64(ms), it.first.Seq + uint64(seq)}
	if it.same = flags&entrySameFields != 0; it.same {
		it.Fields = int(it.m.fields)
		it.name = it.m.names
		it.left = it.m.fields + 1
	} else {
		n := intAt(lp, p)
		p = listpack.Next(lp, p)
		it.Fields = int(n)
		it.left = 2*n + 1
	}
	it.val = p
	return flags
}

// Field returns the next field and its value: views that are valid until the
// next call. Call it at most it.Fields times an entry.
func (it *Iter) Field() (name, value []byte) {
	lp := it.lp
	if it.same {
		name = listpack.Get(lp, it.name, &it.nameBuf)
		it.name = listpack.Next(lp, it.name)
		value = listpack.Get(lp, it.val, &it.valBuf)
		it.val = listpack.Next(lp, it.val)
		it.left--
		return name, value
	}
	name = listpack.Get(lp, it.val, &it.nameBuf)
	it.val = listpack.Next(lp, it.val)
	value = listpack.Get(lp, it.val, &it.valBuf)
	it.val = listpack.Next(lp, it.val)
	it.left -= 2
	return name, value
}
