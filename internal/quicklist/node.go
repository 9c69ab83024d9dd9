package quicklist

import (
	"encoding/binary"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

// What one node holds: its block, and its two states, raw and compressed.

// roomyFrom is the number of nodes from which the nodes at the ends get and keep
// a block of full size: then what stays empty in two of them does not count.
const roomyFrom = 4

// newNode makes a node that belongs to no list yet. data has its block; size and
// count describe it.
func newNode(a *dict.Arena, data dict.Ref, size, count int, plain bool) dict.Ref {
	r := a.Alloc(nodeSize)
	x := at(a, r)
	*x = node{count: uint32(count)}
	if plain {
		x.high |= isPlain
	}
	x.setData(data)
	x.setLength(size)
	return r
}

// newPlain makes a node of one big element.
func newPlain(a *dict.Arena, s []byte) dict.Ref {
	data := a.Alloc(max(len(s), 1))
	copy(a.Bytes(data, len(s)), s)
	return newNode(a, data, len(s), 1, true)
}

// newPacked makes a node of one element in a listpack.
func (l *List) newPacked(a *dict.Arena, s []byte) dict.Ref {
	n := listpack.EmptySize + listpack.EntrySize(s)
	data := a.Alloc(l.roomFor(n))
	lp := listpack.AppendEmpty(a.Bytes(data, n)[:0])
	listpack.Append(lp, s)
	return newNode(a, data, n, 1, false)
}

// roomFor is the size of the block for a listpack of n bytes that is going to
// grow.
func (l *List) roomFor(n int) int {
	lim := limit(int(l.fill))
	switch {
	case n >= lim:
		return n
	case l.nodes >= roomyFrom && l.fill < 0:
		return lim
	}
	return min(n+n/4, lim)
}

// grow makes room for d bytes more in the listpack of a raw node, and returns
// it with the capacity to take them.
func (l *List) grow(a *dict.Arena, r dict.Ref, d int) []byte {
	x := at(a, r)
	size := x.length()
	data := x.dataRef()
	if have := a.Usable(data); size+d > have {
		data = a.Realloc(data, l.roomFor(size+d), size)
		x.setData(data)
	}
	return a.Bytes(data, a.Usable(data))[:size]
}

// fit gives back what a node does not need of its block. ends says that it may
// keep room to grow, as a node at an end of the list.
func (l *List) fit(a *dict.Arena, r dict.Ref, ends bool) {
	x := at(a, r)
	if x.lzf() {
		return
	}
	size, data := x.length(), x.dataRef()
	have := a.Usable(data)
	if ends && (l.nodes >= roomyFrom || size > have/2) || dict.RoundUp(size) >= have {
		return
	}
	q := a.Alloc(size)
	copy(a.Bytes(q, size), a.Bytes(data, size))
	a.Free(data)
	x.setData(q)
}

// replaceData puts b into the node's block, or into another one.
func replaceData(a *dict.Arena, x *node, b []byte) {
	data := x.dataRef()
	if have := a.Usable(data); len(b) > have || dict.RoundUp(max(len(b), 1)) < have {
		a.Free(data)
		data = a.Alloc(max(len(b), 1))
		x.setData(data)
	}
	copy(a.Bytes(data, len(b)), b)
	x.setLength(len(b))
}

// freeNode frees a node that is out of its list.
func freeNode(a *dict.Arena, r dict.Ref) {
	a.Free(at(a, r).dataRef())
	a.Free(r)
}

// read returns what a node holds: a view of it, or of env's buffer.
func read(a *dict.Arena, env *Env, r dict.Ref) []byte {
	x := at(a, r)
	if !x.lzf() {
		return a.Bytes(x.dataRef(), x.length())
	}
	if n := x.length(); cap(env.plain) < n || cap(env.plain) > keepBuffer && n <= keepBuffer {
		env.plain = make([]byte, n)
	}
	env.plain = env.plain[:x.length()]
	expand(a, x, env.plain)
	return env.plain
}

// keepBuffer is the size up to which buffers are kept for reuse.
const keepBuffer = 1 << 20

// expand decompresses a node into dst.
func expand(a *dict.Arena, x *node, dst []byte) {
	src := a.Bytes(x.dataRef(), x.stored(a))[lzfHead:]
	if err := lzf.Decompress(dst, src); err != nil {
		panic(fmt.Sprintf("quicklist: a node of %d bytes from %d: %v", len(dst), len(src), err))
	}
}

// open makes a node raw, to be changed or because it is near an end.
func open(a *dict.Arena, r dict.Ref) {
	x := at(a, r)
	if !x.lzf() {
		return
	}
	n := x.length()
	data := a.Alloc(n)
	expand(a, x, a.Bytes(data, n))
	a.Free(x.dataRef())
	x.setData(data)
	x.high &^= isLZF
}

// compress compresses a node, if that pays.
func compress(a *dict.Arena, env *Env, r dict.Ref) {
	x := at(a, r)
	n := x.length()
	if x.high&(isLZF|isTried) != 0 || n < minCompress || n > maxCompress {
		return
	}
	if env.table == nil {
		env.table = new(lzf.Table)
	}
	out, ok := lzf.Compress(append(env.out[:0], 0, 0, 0, 0), a.Bytes(x.dataRef(), n), n-minGain, env.table)
	env.out = out[:0]
	if cap(out) > keepBuffer {
		env.out = nil
	}
	if !ok {
		x.high |= isTried
		return
	}
	binary.LittleEndian.PutUint32(out, uint32(len(out)-lzfHead))
	data := a.Alloc(len(out))
	copy(a.Bytes(data, len(out)), out)
	a.Free(x.dataRef())
	x.setData(data)
	x.high |= isLZF
}

// maxCompress is the size above which a node is left as it is: the compressor's
// positions have 32 bits.
const maxCompress = 1<<32 - 1<<16

// settle restores the rule that nodes within depth of an end are raw and others
// compressed, after up to three nodes were added, nodes were removed, or the
// nodes touched (0: none) were opened.
func (l *List) settle(a *dict.Arena, env *Env, touched, touched2 dict.Ref) {
	depth := uint32(l.depth)
	if depth == 0 {
		return
	}
	if l.nodes <= 2*depth {
		for r := dict.Ref(l.first); r != 0; r = at(a, r).nextRef() {
			open(a, r)
		}
		return
	}
	f, b := dict.Ref(l.first), dict.Ref(l.last)
	for range depth {
		open(a, f)
		open(a, b)
		if f == touched || b == touched {
			touched = 0
		}
		if f == touched2 || b == touched2 {
			touched2 = 0
		}
		f, b = at(a, f).nextRef(), at(a, b).prevRef()
	}
	// What was added near an end pushed as many nodes out of its reach.
	inner := min(l.nodes-2*depth, 3)
	for range inner {
		compress(a, env, f)
		compress(a, env, b)
		f, b = at(a, f).nextRef(), at(a, b).prevRef()
	}
	if touched != 0 {
		compress(a, env, touched)
	}
	if touched2 != 0 {
		compress(a, env, touched2)
	}
}
