package object

import (
	"bytes"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/zindex"
)

// Sorted sets
//
// A sorted set is members with scores, in the order of their scores and, where
// those are equal, of the members' bytes.
//
//	listpack    payload  │ listpack: member score member score …, in order │
//	skiplist    payload  │ dict.Table │ zindex.Tree │
//	                          │            └──► nodes: (score, element), in order
//	                          └──► elements:  flags │ klen member │ 8 score:8
//
// The name of the large form is Redis's; there is no skip list in it. The score
// stands twice, in the element (for a look-up by member) and in the index (so
// that a search compares numbers that stand together).
//
// A sorted set becomes large when it has more members, or a longer one, than
// Limits say; what a command builds as a whole takes the form that its size asks for.
// Ranges of all kinds are turned into ranges of ranks (ZsetBelow), which both
// forms then walk (ZsetIter) or remove.

// zsetHead is the payload of a large sorted set.
type zsetHead struct {
	table dict.Table
	index zindex.Tree
}

// ZsetHeadSize is the size of the payload of a large sorted set, to create one:
// InitZset must follow.
const ZsetHeadSize = int(unsafe.Sizeof(zsetHead{}))

// InitZset makes the zeroed payload of a new large sorted set an empty one.
func (v Value) InitZset() { v.zset().table.Init(dict.ElemLayout) }

// zset is the head of a large sorted set, valid until the record moves.
func (v Value) zset() *zsetHead { return (*zsetHead)(v.Record().Fixed()) }

// zsetPacked tells whether a sorted set is in the small form.
func (v Value) zsetPacked() bool { return v.Record().Encoding() == EncListpack }

// elemScore is where the score stands in an element of a sorted set.
func elemScore(a *dict.Arena, r dict.Ref) *float64 {
	return (*float64)(a.Elem(r).Fixed())
}

// newZsetElem makes an element.
func newZsetElem(a *dict.Arena, member []byte, score float64) dict.Ref {
	r, _ := a.NewElemSize(dict.Header{ExpireAt: dict.NoExpire}, member, 8)
	*elemScore(a, r) = score
	return r
}

// lpScore is the score that stands at p in a listpack. What got there passed a
// check: a text that is no number would be a fault of the loader, and counts as 0.
func lpScore(lp []byte, p int) float64 {
	s, n, isInt := listpack.Entry(lp, p)
	if isInt {
		return float64(n)
	}
	f, _ := numeric.ParseFloat(s)
	return f
}

// appendLpScore appends the text of a score as it stands in a listpack, where
// the sign of zero is lost.
func appendLpScore(dst []byte, score float64) []byte {
	if n, ok := numeric.DoubleToInt(score); ok {
		return numeric.AppendInt(dst, n)
	}
	return numeric.AppendDouble(dst, score)
}

// ZsetLen is the number of members.
func (v Value) ZsetLen() int {
	if v.zsetPacked() {
		return listpack.Len(v.Packed()) / 2
	}
	return v.zset().index.Len()
}

// zsetFind returns the element of a member of a large sorted set, or 0.
func (v Value) zsetFind(member []byte) dict.Ref {
	return v.zset().table.Find(v.A, dict.Hash(v.A.Seed(), member), member)
}

// ZsetScore returns the score of a member, and whether there is such a member.
func (v Value) ZsetScore(member []byte) (float64, bool) {
	if v.zsetPacked() {
		lp := v.Packed()
		p := listpack.Find(lp, listpack.First(lp), member, 1)
		if p < 0 {
			return 0, false
		}
		return lpScore(lp, listpack.Next(lp, p)), true
	}
	r := v.zsetFind(member)
	if r == 0 {
		return 0, false
	}
	return *elemScore(v.A, r), true
}

// ZsetRank returns how many members stand before a member, and whether there is
// such a member.
func (v Value) ZsetRank(member []byte) (rank int, ok bool) {
	if v.zsetPacked() {
		lp := v.Packed()
		at := listpack.Find(lp, listpack.First(lp), member, 1)
		if at < 0 {
			return 0, false
		}
		for p := listpack.First(lp); p != at; rank++ {
			p = listpack.Next(lp, listpack.Next(lp, p))
		}
		return rank, true
	}
	r := v.zsetFind(member)
	if r == 0 {
		return 0, false
	}
	return v.zset().index.Rank(v.A, *elemScore(v.A, r), r), true
}

// ZsetBelow is the number of members before a bound.
func (v Value) ZsetBelow(b *zindex.Bound) int {
	if !v.zsetPacked() {
		return v.zset().index.Below(v.A, b)
	}
	lp, n := v.Packed(), 0
	for p := listpack.First(lp); p >= 0 && lpBefore(lp, p, b); n++ {
		p = listpack.Next(lp, listpack.Next(lp, p))
	}
	return n
}

// lpBefore tells whether the member at p of a listpack stands before a bound.
func lpBefore(lp []byte, p int, b *zindex.Bound) bool {
	if b.By != zindex.ByMember {
		s := lpScore(lp, listpack.Next(lp, p))
		if s != b.Score {
			return s < b.Score
		}
		if b.By == zindex.ByScore {
			return b.After
		}
	}
	var buf listpack.IntBuf
	c := bytes.Compare(listpack.Get(lp, p, &buf), b.Member)
	return c < 0 || c == 0 && b.After
}

// ZsetLexRange returns the ranks [lo, hi) of the members between two bounds by
// member. That makes sense where all scores are equal; where they are not, a small
// sorted set gives what Redis gives, which depends on the end that the range is
// read from.
func (v Value) ZsetLexRange(from, to *zindex.Bound, reverse bool) (lo, hi int) {
	if !v.zsetPacked() {
		lo = v.ZsetBelow(from)
		return lo, max(v.ZsetBelow(to), lo)
	}
	lp := v.Packed()
	first, last := listpack.First(lp), listpack.Seek(lp, -2)
	if first < 0 || lpBefore(lp, last, from) || !lpBefore(lp, first, to) {
		return 0, 0
	}
	if !reverse {
		p := first
		for ; p >= 0 && lpBefore(lp, p, from); lo++ {
			p = listpack.Next(lp, listpack.Next(lp, p))
		}
		for hi = lo; p >= 0 && lpBefore(lp, p, to); hi++ {
			p = listpack.Next(lp, listpack.Next(lp, p))
		}
		return lo, hi
	}
	back := func(p int) int {
		if p = listpack.Prev(lp, p); p < 0 {
			return p
		}
		return listpack.Prev(lp, p)
	}
	p := last
	for hi = v.ZsetLen(); p >= 0 && !lpBefore(lp, p, to); hi-- {
		p = back(p)
	}
	for lo = hi; p >= 0 && !lpBefore(lp, p, from); lo-- {
		p = back(p)
	}
	return lo, hi
}

// ZaddFlags are the conditions of an addition.
type ZaddFlags uint8

// The options of ZADD that decide about one member.
const (
	ZaddIncr ZaddFlags = 1 << iota // add to the score that the member has
	ZaddNX                         // only if there is no such member
	ZaddXX                         // only if there is one
	ZaddGT                         // only if the score becomes greater
	ZaddLT                         // only if it becomes less
)

// ZaddResult says what an addition did.
type ZaddResult uint8

// ZaddNop: a condition forbade it. ZaddSame: the member has the score already.
// ZaddNaN: infinity and its opposite cannot be added; nothing was changed.
const (
	ZaddNop ZaddResult = iota
	ZaddSame
	ZaddNaN
	ZaddAdded
	ZaddUpdated
)

// decide computes the score that a present member is to have.
func (f ZaddFlags) decide(cur, score float64) (float64, ZaddResult) {
	if f&ZaddNX != 0 {
		return cur, ZaddNop
	}
	if f&ZaddIncr != 0 {
		score += cur
		if score != score {
			return score, ZaddNaN
		}
	}
	if f&ZaddLT != 0 && score >= cur || f&ZaddGT != 0 && score <= cur {
		return cur, ZaddNop
	}
	if score == cur {
		return score, ZaddSame
	}
	return score, ZaddUpdated
}

// ZsetAdd gives a member a score (not NaN), and returns what came of it and the
// score that the member has now. It may make the sorted set large, by lim.
func (v *Value) ZsetAdd(score float64, member []byte, flags ZaddFlags, lim *Limits) (ZaddResult, float64) {
	if v.zsetPacked() {
		lp := v.Packed()
		if p := listpack.Find(lp, listpack.First(lp), member, 1); p >= 0 {
			cur := lpScore(lp, listpack.Next(lp, p))
			score, res := flags.decide(cur, score)
			if res == ZaddUpdated {
				v.zsetMove(p, cur, score, member)
			}
			return res, score
		}
		if flags&ZaddXX != 0 {
			return ZaddNop, 0
		}
		if listpack.Len(lp)/2+1 <= lim.ZsetMaxListpackEntries && len(member) <= lim.ZsetMaxListpackValue &&
			len(lp)+len(member) <= listpack.MaxSafeSize {
			v.zsetInsert(listpack.First(lp), score, member)
			return ZaddAdded, score
		}
		v.ZsetToSkiplist()
	}
	a := v.A
	h := dict.Hash(a.Seed(), member)
	z := v.zset()
	if r := z.table.Find(a, h, member); r != 0 {
		at := elemScore(a, r)
		cur := *at
		score, res := flags.decide(cur, score)
		if res == ZaddUpdated {
			z.index.Update(a, cur, r, score)
			*at = score
		}
		return res, score
	}
	if flags&ZaddXX != 0 {
		return ZaddNop, 0
	}
	z.add(a, h, member, score)
	return ZaddAdded, score
}

// add adds a member that is not there.
func (z *zsetHead) add(a *dict.Arena, h uint64, member []byte, score float64) {
	r := newZsetElem(a, member, score)
	z.table.Insert(a, h, r)
	z.index.Insert(a, score, r)
}

// zsetInsert adds a member that is not there to a listpack, before the first
// pair from p on that is to follow it.
func (v *Value) zsetInsert(p int, score float64, member []byte) {
	lp := v.Packed()
	var buf listpack.IntBuf
	for p >= 0 {
		q := listpack.Next(lp, p)
		s := lpScore(lp, q)
		if s > score || s == score && bytes.Compare(listpack.Get(lp, p, &buf), member) > 0 {
			break
		}
		p = listpack.Next(lp, q)
	}
	if p < 0 {
		p = len(lp) - 1
	}
	var num [40]byte
	v.LpInsertPair(p, member, appendLpScore(num[:0], score))
}

// zsetMove changes the score of the member at p of a listpack from cur.
func (v *Value) zsetMove(p int, cur, score float64, member []byte) {
	lp := v.Packed()
	from := listpack.First(lp)
	if score > cur {
		from = p
	}
	next := v.LpDelete(p, 2)
	switch {
	case score < cur:
	case next < 0:
		from = -1 // it was the last, and stays so
	default:
		from = next
	}
	if listpack.First(v.Packed()) < 0 {
		from = -1
	}
	v.zsetInsert(from, score, member)
}

// ZsetDelete removes a member and says whether it was there.
func (v *Value) ZsetDelete(member []byte) bool {
	if v.zsetPacked() {
		lp := v.Packed()
		p := listpack.Find(lp, listpack.First(lp), member, 1)
		if p < 0 {
			return false
		}
		v.LpDelete(p, 2)
		return true
	}
	a, z := v.A, v.zset()
	s, ok := z.table.Lookup(a, dict.Hash(a.Seed(), member), member)
	if !ok {
		return false
	}
	r := z.table.Ref(a, s)
	z.index.Delete(a, *elemScore(a, r), r)
	z.table.DeleteSlot(a, s)
	a.Free(r)
	return true
}

// ZsetDeleteRange removes the members of the ranks from lo to hi-1,
// 0 <= lo <= hi <= ZsetLen.
func (v *Value) ZsetDeleteRange(lo, hi int) {
	if lo == hi {
		return
	}
	if v.zsetPacked() {
		v.LpDelete(listpack.Seek(v.Packed(), 2*lo), 2*(hi-lo))
		return
	}
	a, z := v.A, v.zset()
	for n := hi - lo; n > 0; {
		n -= z.index.DeleteRun(a, lo, n, func(_ float64, r dict.Ref) {
			key := a.Elem(r).Key()
			z.table.Delete(a, dict.Hash(a.Seed(), key), key)
			a.Free(r)
		})
	}
}

// ZsetToSkiplist makes a small sorted set a large one.
func (v *Value) ZsetToSkiplist() {
	if !v.zsetPacked() {
		return
	}
	a, lp := v.A, v.Packed()
	var head zsetHead
	head.table.Init(dict.ElemLayout)
	head.table.Expand(a, listpack.Len(lp)/2+1)
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; {
		q := listpack.Next(lp, p)
		member := listpack.Get(lp, p, &buf)
		head.add(a, dict.Hash(a.Seed(), member), member, lpScore(lp, q))
		p = listpack.Next(lp, q)
	}
	v.setZsetHead(&head)
}

// setZsetHead puts the head of a large sorted set in the place of a listpack.
func (v *Value) setZsetHead(head *zsetHead) {
	r, p := v.A.WithPayloadLen(dict.EntryLayout, v.Ref, ZsetHeadSize, 0)
	v.Ref = r
	*(*zsetHead)(unsafe.Pointer(&p[0])) = *head
	v.Record().SetEncoding(EncSkiplist)
}

// ZsetToListpack makes a large sorted set a small one if it is within the limits:
// for those who learn the sizes only while they build.
func (v *Value) ZsetToListpack(lim *Limits) {
	n := v.ZsetLen()
	if v.zsetPacked() || n > lim.ZsetMaxListpackEntries {
		return
	}
	size := listpack.EmptySize
	var num [40]byte
	var it ZsetIter
	for ok := it.Seek(*v, 0); ok; ok = it.Next() {
		m := it.Member()
		if len(m) > lim.ZsetMaxListpackValue {
			return
		}
		size += listpack.EntrySize(m) + listpack.EntrySize(appendLpScore(num[:0], it.Score()))
	}
	if size > listpack.MaxSafeSize {
		return
	}
	// The head moves to the stack, so that the record can take the listpack while
	// the elements are still there.
	a, head := v.A, *v.zset()
	r, p := a.WithPayloadLen(dict.EntryLayout, v.Ref, size, 0)
	v.Ref = r
	lp := listpack.Begin(p[:0])
	if n > 0 {
		var t zindex.Iter
		t.Seek(a, &head.index, 0)
		for more := true; more; more = t.Next() {
			lp = listpack.AppendEntry(lp, a.Elem(t.Ref()).Key())
			lp = listpack.AppendEntry(lp, appendLpScore(num[:0], t.Score()))
		}
	}
	listpack.Finish(lp, 0, 2*n)
	v.Record().SetEncoding(EncListpack)
	for head.index.FreeStep(a, 64) {
	}
	head.table.Clear(a, a.Free)
}

// ZsetIter walks over the members of a sorted set in either direction, in both
// forms. It is valid until the next change. It is meant to stand on the stack.
type ZsetIter struct {
	packed bool
	lp     []byte
	p      int // entry of the member
	buf    listpack.IntBuf
	tree   zindex.Iter
	a      *dict.Arena
}

// Seek places the iterator at the member of a rank; false if there is none.
func (it *ZsetIter) Seek(v Value, rank int) bool {
	it.packed = v.zsetPacked()
	if it.packed {
		it.lp = v.Packed()
		if rank < 0 {
			return false
		}
		it.p = listpack.Seek(it.lp, 2*rank)
		return it.p >= 0
	}
	z := v.zset()
	if rank < 0 || rank >= z.index.Len() {
		return false
	}
	it.a = v.A
	it.tree.Seek(v.A, &z.index, rank)
	return true
}

// Member is the member that the iterator stands at, a view valid until it goes
// on.
func (it *ZsetIter) Member() []byte {
	if it.packed {
		return listpack.Get(it.lp, it.p, &it.buf)
	}
	return it.a.Elem(it.tree.Ref()).Key()
}

// Score is the score of the member that the iterator stands at.
func (it *ZsetIter) Score() float64 {
	if it.packed {
		return lpScore(it.lp, listpack.Next(it.lp, it.p))
	}
	return it.tree.Score()
}

// Next goes to the next member and returns false if there is none.
func (it *ZsetIter) Next() bool {
	if it.packed {
		it.p = listpack.Next(it.lp, listpack.Next(it.lp, it.p))
		return it.p >= 0
	}
	return it.tree.Next()
}

// Prev goes to the member before and returns false if there is none.
func (it *ZsetIter) Prev() bool {
	if it.packed {
		if it.p = listpack.Prev(it.lp, it.p); it.p >= 0 {
			it.p = listpack.Prev(it.lp, it.p)
		}
		return it.p >= 0
	}
	return it.tree.Prev()
}

// Step is Prev if rev, else Next.
func (it *ZsetIter) Step(rev bool) bool {
	if rev {
		return it.Prev()
	}
	return it.Next()
}

// ZsetScan does a step of a ZSCAN: it calls fn for the members of some buckets of
// a large sorted set, or for all of a small one, and returns the next cursor.
func (v Value) ZsetScan(cursor uint64, count int64, fn func(member []byte, score float64)) uint64 {
	if v.zsetPacked() {
		var it ZsetIter
		for ok := it.Seek(v, 0); ok; ok = it.Next() {
			fn(it.Member(), it.Score())
		}
		return 0
	}
	return ScanElems(v.A, &v.zset().table, cursor, count, func(r dict.Ref) {
		fn(v.A.Elem(r).Key(), *elemScore(v.A, r))
	})
}

// ZsetExpand makes room for n members of a large sorted set ahead of their
// arrival.
func (v Value) ZsetExpand(n int) { v.zset().table.Expand(v.A, n) }

// ZsetBuild adds a member to a large sorted set unless it is there, and says
// whether it did: for those who build one.
func (v Value) ZsetBuild(member []byte, score float64) bool {
	a, z := v.A, v.zset()
	h := dict.Hash(a.Seed(), member)
	if z.table.Find(a, h, member) != 0 {
		return false
	}
	z.add(a, h, member, score)
	return true
}

// ZsetPacked is the listpack of a small sorted set, nil for a large one.
func (v Value) ZsetPacked() []byte {
	if v.zsetPacked() {
		return v.Packed()
	}
	return nil
}

// NewZset makes a detached record of an empty large sorted set, for what a
// command builds and then stores or drops. ZsetToListpack comes when it is
// complete.
func NewZset(a *dict.Arena, h dict.Header, key []byte) Value {
	h.Type, h.Encoding, h.ExpireAt = TypeZset, EncSkiplist, dict.NoExpire
	r, _ := a.NewEntryFixed(h, key, ZsetHeadSize)
	v := Value{a, r}
	v.InitZset()
	return v
}
