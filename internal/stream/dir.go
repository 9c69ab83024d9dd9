package stream

import (
	"bytes"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// dir is a directory of named blocks: groups of a stream, consumers of a group.
// Each has a slot, whose number is its name for those who refer to it, and the
// numbers are kept in the order of the names.
//
//	block   slot × room (8 bytes: block, or the next free slot) | number × room (4 bytes, sorted by name)
type dir struct {
	block dict.Ref
	n     uint32 // named blocks
	room  uint32
	used  uint32 // slots ever used
	free  uint32 // 1 + first free slot
}

const slotFree = 1 << 63

// named is how a named block begins: where its name stands in it.
type named struct{ at, len uint32 }

func nameOf(a *dict.Arena, r dict.Ref) []byte {
	p := a.Ptr(r)
	h := (*named)(p)
	return unsafe.Slice((*byte)(unsafe.Add(p, h.at)), h.len)
}

func (d *dir) slots(a *dict.Arena) []uint64 {
	return unsafe.Slice((*uint64)(a.Ptr(d.block)), d.room)
}

func (d *dir) order(a *dict.Arena) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Add(a.Ptr(d.block), 8*d.room)), d.room)
}

// at returns the block with the i-th name.
func (d *dir) at(a *dict.Arena, i int) dict.Ref { return d.get(a, d.order(a)[i]) }

// get returns the block in a slot.
func (d *dir) get(a *dict.Arena, slot uint32) dict.Ref { return dict.Ref(d.slots(a)[slot]) }

// search returns the position of a name in the order, or where it belongs.
func (d *dir) search(a *dict.Arena, name []byte) (int, bool) {
	lo, hi := 0, int(d.n)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(nameOf(a, d.at(a, m)), name); {
		case c == 0:
			return m, true
		case c < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return lo, false
}

// find returns the block with a name, 0 when there is none.
func (d *dir) find(a *dict.Arena, name []byte) dict.Ref {
	if i, ok := d.search(a, name); ok {
		return d.at(a, i)
	}
	return 0
}

// add puts a block with a new name into a slot, at position i of the order.
func (d *dir) add(a *dict.Arena, i int, r dict.Ref) uint32 {
	d.reserve(a)
	var slot uint32
	if d.free != 0 {
		slot = d.free - 1
		d.free = uint32(d.slots(a)[slot] &^ slotFree)
	} else {
		slot = d.used
		d.used++
	}
	d.slots(a)[slot] = uint64(r)
	o := d.order(a)
	copy(o[i+1:d.n+1], o[i:d.n])
	o[i] = slot
	d.n++
	return slot
}

// reserve makes room for one more.
func (d *dir) reserve(a *dict.Arena) {
	if d.n < d.room {
		return
	}
	room := max(2, 2*d.room)
	nd := dir{block: a.Alloc(int(12 * room)), n: d.n, room: room, used: d.used, free: d.free}
	if d.room > 0 {
		copy(nd.slots(a), d.slots(a))
		copy(nd.order(a), d.order(a)[:d.n])
		a.Free(d.block)
	}
	*d = nd
}

// remove takes out the i-th name and returns its block, which the caller frees.
func (d *dir) remove(a *dict.Arena, i int) dict.Ref {
	o := d.order(a)
	slot := o[i]
	copy(o[i:d.n], o[i+1:d.n])
	d.n--
	r := d.get(a, slot)
	d.slots(a)[slot] = slotFree | uint64(d.free)
	d.free = slot + 1
	if d.n == 0 {
		a.Free(d.block)
		*d = dir{}
	}
	return r
}

// moved notes that the block with the i-th name has a new address.
func (d *dir) moved(a *dict.Arena, i int, r dict.Ref) { d.slots(a)[d.order(a)[i]] = uint64(r) }

func newNamed(a *dict.Arena, size int, name []byte) dict.Ref {
	r := a.Alloc(size + len(name))
	p := a.Ptr(r)
	clear(unsafe.Slice((*byte)(p), size))
	*(*named)(p) = named{uint32(size), uint32(len(name))}
	copy(nameOf(a, r), name)
	return r
}

// moveNamed copies a named block to another place and frees it.
func moveNamed(a *dict.Arena, r dict.Ref) dict.Ref {
	h := (*named)(a.Ptr(r))
	n := int(h.at + h.len)
	q := a.Alloc(n)
	copy(a.Bytes(q, n), a.Bytes(r, n))
	a.Free(r)
	return q
}
