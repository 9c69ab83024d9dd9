package object

import (
	"bytes"
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// What every type offers (Ops), for sorted sets.

func init() {
	register(TypeZset, EncListpack, Ops{Len: Value.ZsetLen, Digest: zsetDigest, Check: zsetCheck})
	register(TypeZset, EncSkiplist, Ops{
		Len: Value.ZsetLen, FreeStep: zsetFreeStep, CompactStep: zsetCompactStep,
		Copy: zsetCopy, Digest: zsetDigest, Memory: zsetMemory, Check: zsetCheck,
	})
}

func zsetDigest(v Value, d *digest.State) {
	var it ZsetIter
	for ok := it.Seek(v, 0); ok; ok = it.Next() {
		d.ZSetMember(it.Member(), it.Score())
	}
}

// nodeElems is about how many elements a node of the index holds, for budgets
// that count elements.
const nodeElems = 32

// zsetFreeStep frees the index, which needs no element for it, and then the
// elements.
func zsetFreeStep(v Value, budget int) bool {
	z := v.zset()
	if z.index.FreeStep(v.A, max(budget/nodeElems, 1)) {
		return true
	}
	return FreeElemsStep(v.A, &z.table, budget)
}

// compactIndex marks a cursor of zsetCompactStep that has finished with the
// table. Cursors of tables do not reach that far.
const compactIndex = 1 << 63

func zsetCompactStep(v Value, cursor uint64, budget int) uint64 {
	a, z := v.A, v.zset()
	if cursor&compactIndex == 0 {
		cursor = z.table.CompactStep(a, cursor, max(budget/8, 1), func(r dict.Ref) dict.Ref {
			// The index is searched by what stands in the old record.
			n := a.CopyRecord(dict.ElemLayout, r)
			z.index.Moved(a, *elemScore(a, r), r, n)
			a.Free(r)
			return n
		})
		if cursor == 0 {
			cursor = compactIndex
		}
		return cursor
	}
	cursor = z.index.CompactStep(a, cursor&^compactIndex, max(budget/nodeElems, 1))
	if cursor != 0 {
		cursor |= compactIndex
	}
	return cursor
}

func zsetCopy(v Value, key []byte) dict.Ref {
	a := v.A
	n := Value{a, a.Rename(dict.EntryLayout, v.Ref, key, false)}
	to, from := n.zset(), v.zset()
	*to = zsetHead{}
	to.table.Init(dict.ElemLayout)
	to.table.Expand(a, from.index.Len())
	var it ZsetIter
	for ok := it.Seek(v, 0); ok; ok = it.Next() {
		m := it.Member()
		to.add(a, dict.Hash(a.Seed(), m), m, it.Score())
	}
	return n.Ref
}

func zsetMemory(v Value, samples int) int64 {
	z := v.zset()
	return SampleMemory(v.A, &z.table, samples) + z.index.Bytes()
}

func zsetCheck(v Value) error {
	if v.zsetPacked() {
		return zsetCheckPacked(v)
	}
	a, z := v.A, v.zset()
	if err := z.table.Check(a); err != nil {
		return err
	}
	if err := z.index.Check(a); err != nil {
		return err
	}
	if z.table.Len() != z.index.Len() {
		return fmt.Errorf("sorted set: %d elements in the table, %d in the index", z.table.Len(), z.index.Len())
	}
	var it ZsetIter
	for ok := it.Seek(v, 0); ok; ok = it.Next() {
		m := it.Member()
		if r := v.zsetFind(m); r != it.tree.Ref() {
			return fmt.Errorf("sorted set: member %q is element %#x in the index, %#x in the table", m, it.tree.Ref(), r)
		}
		if s := *elemScore(a, it.tree.Ref()); s != it.Score() {
			return fmt.Errorf("sorted set: member %q has score %v in the index, %v in its element", m, it.Score(), s)
		}
	}
	return nil
}

func zsetCheckPacked(v Value) error {
	lp := v.Packed()
	n, err := listpack.Validate(lp)
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return fmt.Errorf("sorted set: a listpack of %d entries", n)
	}
	var prev []byte
	last := 0.0
	seen := make(map[string]bool, n/2)
	var it ZsetIter
	for ok := it.Seek(v, 0); ok; ok = it.Next() {
		m, s := it.Member(), it.Score()
		if seen[string(m)] {
			return fmt.Errorf("sorted set: member %q is there twice", m)
		}
		if len(seen) > 0 && (s < last || s == last && bytes.Compare(prev, m) > 0) {
			return fmt.Errorf("sorted set: (%v, %q) follows (%v, %q)", s, m, last, prev)
		}
		seen[string(m)] = true
		prev, last = append(prev[:0], m...), s
	}
	return nil
}
