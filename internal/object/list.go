package object

import (
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
)

// Lists
//
// A list that fits in one node of a quicklist is that node's listpack, in the
// record itself; a longer one is a quicklist. Both go by the name of quicklist,
// the only one that Redis 7.0 has for a list.
//
//	listpack     payload  │ listpack: element element …  │
//	quicklist    payload  │ quicklist.List │──► nodes ──► listpacks
//
// When one node is full is the quicklist's rule, so that a list has the same
// nodes in both forms. A list does not become small again.
//
// quicklist.Env has the settings, and storage for compression. Indexes count
// from 0 and must exist where nothing else is said.

func init() {
	register(TypeList, EncListpack, Ops{Len: Value.ListLen, Digest: listDigest, Check: listCheck})
	register(TypeList, EncQuicklist, Ops{
		Len: Value.ListLen, FreeStep: listFreeStep, CompactStep: listCompactStep,
		Copy: listCopy, Digest: listDigest, Memory: listMemory, Check: listCheck,
	})
}

// SetListSettings takes the settings for new lists from the limits.
func SetListSettings(env *quicklist.Env, lim *Limits) {
	env.Fill, env.Depth = lim.ListMaxListpackSize, lim.ListCompressDepth
	if env.Large == 0 {
		env.Large = quicklist.DefaultLarge
	}
}

// List is the head of a large list, valid until the record moves; nil for a
// small one.
func (v Value) List() *quicklist.List {
	rec := v.Record()
	if rec.Encoding() != EncQuicklist {
		return nil
	}
	return (*quicklist.List)(rec.Fixed())
}

// ListLen is the number of elements.
func (v Value) ListLen() int {
	if l := v.List(); l != nil {
		return l.Len()
	}
	return listpack.Len(v.Packed())
}

// ListIter returns an iterator at the element index, which need not exist; back
// says that it goes towards the head.
func (v Value) ListIter(env *quicklist.Env, index int, back bool) quicklist.Iter {
	if l := v.List(); l != nil {
		return l.Seek(v.A, env, index, back)
	}
	return quicklist.Over(v.Packed(), index, back)
}

// AppendList appends to dst the listpack of a new list with the given elements,
// pushed one after the other at the head or at the tail. ok is false if they do
// not fit in one.
func AppendList(dst []byte, env *quicklist.Env, elems [][]byte, tail bool) (lp []byte, ok bool) {
	size := listpack.EmptySize
	for i, s := range elems {
		if len(s) >= env.Large || i > 0 && !env.Allows(size, i, len(s)) {
			return dst, false
		}
		size += listpack.EntrySize(s)
	}
	start := len(dst)
	dst = listpack.Begin(dst)
	for i := range elems {
		if !tail {
			i = len(elems) - 1 - i
		}
		dst = listpack.AppendEntry(dst, elems[i])
	}
	return listpack.Finish(dst, start, len(elems)), true
}

// ListPush adds s at the tail, or at the head.
func (v *Value) ListPush(env *quicklist.Env, s []byte, tail bool) {
	l := v.List()
	if l == nil {
		lp := v.Packed()
		if n := listpack.Len(lp); env.Allows(len(lp), n, len(s)) || n == 0 && len(s) < env.Large {
			if tail {
				v.LpAppend(s)
			} else {
				v.LpInsert(listpack.HeaderSize, s)
			}
			return
		}
		l = v.ListToQuicklist(env)
	}
	if tail {
		l.PushTail(v.A, env, s)
	} else {
		l.PushHead(v.A, env, s)
	}
}

// ListDelRange removes n elements from index on.
func (v *Value) ListDelRange(env *quicklist.Env, index, n int) {
	switch l := v.List(); {
	case l == nil:
		if n > 0 {
			v.LpDelete(listpack.Seek(v.Packed(), index), n)
		}
	case n == 1 && index == 0:
		l.DelHead(v.A, env)
	case n == 1 && index == l.Len()-1:
		l.DelTail(v.A, env)
	default:
		l.DelRange(v.A, env, index, n)
	}
}

// ListReplace puts s in the place of the element index.
func (v *Value) ListReplace(env *quicklist.Env, index int, s []byte) {
	l := v.List()
	if l == nil {
		lp := v.Packed()
		if len(s) < env.Large && len(lp)+listpack.EntrySize(s) <= listpack.MaxSafeSize {
			v.LpReplace(listpack.Seek(lp, index), s)
			return
		}
		l = v.ListToQuicklist(env)
	}
	it := l.Seek(v.A, env, index, false)
	it.Replace(s)
}

// ListInsert adds s before (or after) the element index.
func (v *Value) ListInsert(env *quicklist.Env, index int, s []byte, after bool) {
	l := v.List()
	if l == nil {
		lp := v.Packed()
		if n := listpack.Len(lp); env.Allows(len(lp), n, len(s)) {
			if after {
				index++
			}
			p := len(lp) - 1
			if index < n {
				p = listpack.Seek(lp, index)
			}
			v.LpInsert(p, s)
			return
		}
		l = v.ListToQuicklist(env)
	}
	it := l.Seek(v.A, env, index, false)
	it.Insert(s, after)
}

// ListRemove removes up to n elements that equal s (0: all of them), from the
// tail on if back is true, and returns how many.
func (v *Value) ListRemove(env *quicklist.Env, s []byte, n int, back bool) (removed int) {
	l := v.List()
	if l == nil {
		return v.lpRemove(s, n, back)
	}
	from := 0
	if back {
		from = l.Len() - 1
	}
	it := l.Seek(v.A, env, from, back)
	x := quicklist.NeedleOf(s)
	for it.Valid() {
		if !it.Is(&x) {
			it.Next()
			continue
		}
		it.Delete()
		if removed++; removed == n {
			break
		}
	}
	it.Done()
	return removed
}

// lpRemove is ListRemove for a small list. The listpack is edited where it
// stands, and given its new length once.
func (v *Value) lpRemove(s []byte, n int, back bool) (removed int) {
	lp := v.Packed()
	p := listpack.First(lp)
	if back {
		p = listpack.Last(lp)
	}
	for p >= 0 {
		switch {
		case !listpack.Equal(lp, p, s):
			if back {
				p = listpack.Prev(lp, p)
			} else {
				p = listpack.Next(lp, p)
			}
			continue
		case back:
			lp, _ = listpack.Delete(lp, p)
			p = listpack.Prev(lp, p)
		default:
			lp, p = listpack.Delete(lp, p)
		}
		if removed++; removed == n {
			break
		}
	}
	if removed > 0 {
		v.ShrinkPacked(len(lp))
	}
	return removed
}

// ListToQuicklist makes a small list a large one of one node.
func (v *Value) ListToQuicklist(env *quicklist.Env) *quicklist.List {
	var l quicklist.List
	l.Init(env)
	if lp := v.Packed(); listpack.Len(lp) > 0 {
		l.AppendListpack(v.A, env, lp, listpack.Len(lp))
	}
	r, p := v.A.WithPayloadLen(dict.EntryLayout, v.Ref, quicklist.HeadSize, 0)
	v.Ref = r
	head := (*quicklist.List)(unsafe.Pointer(&p[0]))
	*head = l
	v.Record().SetEncoding(EncQuicklist)
	// The record's length may have changed the place of the payload.
	return v.List()
}

// maxRecordList is the largest listpack in bytes that is held in a record: the
// largest limit of a node.
const maxRecordList = 1 << 16

// ListFitsRecord tells whether a listpack of n elements that was made elsewhere
// may be a small list.
func ListFitsRecord(lp []byte, n int) bool { return len(lp) <= maxRecordList && n < 1<<16-1 }

// ListToListpack makes a large list of one node a small one if it may be that:
// for loaders.
func (v *Value) ListToListpack(env *quicklist.Env) {
	l := v.List()
	if l.Nodes() != 1 {
		return
	}
	var lp []byte
	_ = l.EachNode(v.A, env, func(data []byte, n int) error {
		if n > 0 && ListFitsRecord(data, n) {
			lp = data
		}
		return nil
	})
	if lp == nil {
		return
	}
	head := *l
	v.SetPacked(lp)
	v.Record().SetEncoding(EncListpack)
	for head.FreeStep(v.A, v.Len()) {
	}
}

// ListEach calls fn for every element, from the head on, until it returns false.
func (v Value) ListEach(env *quicklist.Env, fn func(s []byte) bool) {
	var buf listpack.IntBuf
	for it := v.ListIter(env, 0, false); it.Valid(); it.Next() {
		if !fn(it.Value(&buf)) {
			return
		}
	}
}

// ListFigures is what DEBUG OBJECT says of a list beside what it says of every
// value; nothing for another type.
func (v Value) ListFigures(env *quicklist.Env) string {
	if v.Record().Type() != TypeList {
		return ""
	}
	s := quicklist.Stats{Nodes: 1, Fill: env.Fill, Compressed: env.Depth > 0}
	if l := v.List(); l != nil {
		s = l.Stats(v.A)
	} else {
		s.Count, s.Size = v.ListLen(), int64(len(v.Packed()))
	}
	compressed := 0
	if s.Compressed {
		compressed = 1
	}
	return fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d ql_uncompressed_size:%d",
		s.Nodes, float64(s.Count)/float64(s.Nodes), s.Fill, compressed, s.Size)
}

func listDigest(v Value, d *digest.State) {
	v.ListEach(new(quicklist.Env), func(s []byte) bool {
		d.ListElement(s)
		return true
	})
}

func listCheck(v Value) error {
	if l := v.List(); l != nil {
		return l.Check(v.A)
	}
	_, err := listpack.Validate(v.Packed())
	return err
}

func listFreeStep(v Value, budget int) bool { return v.List().FreeStep(v.A, budget) }

func listCompactStep(v Value, cursor uint64, budget int) uint64 {
	return v.List().CompactStep(v.A, cursor, budget)
}

func listCopy(v Value, key []byte) dict.Ref {
	n := Value{v.A, v.A.Rename(dict.EntryLayout, v.Ref, key, false)}
	v.List().CopyTo(v.A, n.List())
	return n.Ref
}

func listMemory(v Value, samples int) int64 { return v.List().Memory(v.A, samples) }
