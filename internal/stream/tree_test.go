package stream

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

func newArena(t testing.TB) *dict.Arena {
	a, err := dict.NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Release)
	return a
}

func compareIDs(x, y ID) int {
	switch {
	case x.Less(y):
		return -1
	case y.Less(x):
		return 1
	}
	return 0
}

// treeModel is a tree beside a sorted slice; the value of a key is made from it.
type treeModel struct {
	t    *testing.T
	a    *dict.Arena
	tree Tree
	keys []ID
}

func value(id ID) uint64 { return id.Ms*1e9 + id.Seq }

func (m *treeModel) insert(id ID) {
	m.t.Helper()
	i, found := slices.BinarySearchFunc(m.keys, id, compareIDs)
	v, added := m.tree.Insert(m.a, id)
	if added == found {
		m.t.Fatalf("insert %v: added %v, was there %v", id, added, found)
	}
	if added {
		*(*uint64)(v) = value(id)
		m.keys = slices.Insert(m.keys, i, id)
	} else if *(*uint64)(v) != value(id) {
		m.t.Fatalf("insert %v: value %d", id, *(*uint64)(v))
	}
}

func (m *treeModel) remove(id ID) {
	m.t.Helper()
	i, found := slices.BinarySearchFunc(m.keys, id, compareIDs)
	if m.tree.Delete(m.a, id) != found {
		m.t.Fatalf("delete %v: want %v", id, found)
	}
	if found {
		m.keys = slices.Delete(m.keys, i, i+1)
	}
}

func (m *treeModel) check() {
	m.t.Helper()
	if err := m.tree.Check(m.a); err != nil {
		m.t.Fatal(err)
	}
	if m.tree.Len() != len(m.keys) {
		m.t.Fatalf("%d keys, want %d", m.tree.Len(), len(m.keys))
	}
	i := 0
	for c := m.tree.Seek(m.a, Min); c.Valid(); c.Next() {
		if c.Key() != m.keys[i] || *(*uint64)(c.val(8)) != value(c.Key()) {
			m.t.Fatalf("key %d is %v, want %v", i, c.Key(), m.keys[i])
		}
		i++
	}
	for c := m.tree.SeekLast(m.a, Max); c.Valid(); c.Prev() {
		if i--; c.Key() != m.keys[i] {
			m.t.Fatalf("backwards: key %d is %v, want %v", i, c.Key(), m.keys[i])
		}
	}
	if i != 0 {
		m.t.Fatalf("backwards: %d keys not seen", i)
	}
}

// seeks compares the three look-ups around id.
func (m *treeModel) seeks(id ID) {
	m.t.Helper()
	i, found := slices.BinarySearchFunc(m.keys, id, compareIDs)
	if _, ok := m.tree.Find(m.a, id); ok != found {
		m.t.Fatalf("find %v: %v, want %v", id, ok, found)
	}
	if c := m.tree.Seek(m.a, id); c.Valid() != (i < len(m.keys)) || c.Valid() && c.Key() != m.keys[i] {
		m.t.Fatalf("seek %v", id)
	}
	if !found {
		i--
	}
	if c := m.tree.SeekLast(m.a, id); c.Valid() != (i >= 0) || c.Valid() && c.Key() != m.keys[i] {
		m.t.Fatalf("seek last %v", id)
	}
}

func TestTreeModel(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		m := &treeModel{t: t, a: newArena(t), tree: Tree{vsize: 8}}
		span := []uint64{40, 300, 5000, 100000, 3000, 20000}[seed]
		next := uint64(0)
		for round := range 60 {
			growing := round%20 < 12
			for range 400 {
				id := ID{rnd.Uint64N(span), rnd.Uint64N(3)}
				switch k := rnd.IntN(10); {
				case k < 4 && growing, k < 2:
					m.insert(id)
				case k < 7 && growing:
					next++
					m.insert(ID{span + next, 0})
				case len(m.keys) > 0 && k < 9:
					m.remove(m.keys[rnd.IntN(len(m.keys))])
				case len(m.keys) > 0 && rnd.IntN(2) == 0:
					m.remove(m.keys[0])
				default:
					m.remove(id)
				}
				m.seeks(ID{rnd.Uint64N(span), rnd.Uint64N(3)})
			}
			m.check()
		}
		for len(m.keys) > 0 {
			m.remove(m.keys[rnd.IntN(len(m.keys))])
			if len(m.keys)%64 == 0 {
				m.check()
			}
		}
		m.check()
		if err := m.a.Check(); err != nil {
			t.Fatal(err)
		}
		if m.a.Used() != 0 {
			t.Fatalf("an empty tree holds %d bytes", m.a.Used())
		}
	}
}

// TestTreeAscending proves that keys in order leave no half-empty leaves, at a
// size that has three levels, and that such a tree shrinks from both ends.
func TestTreeAscending(t *testing.T) {
	const n = 300_000
	m := &treeModel{t: t, a: newArena(t), tree: Tree{vsize: 8}}
	for i := range uint64(n) {
		id := ID{i / 3, i % 3}
		m.keys = append(m.keys, id)
		v, _ := m.tree.Insert(m.a, id)
		*(*uint64)(v) = value(id)
	}
	m.check()
	if m.tree.height < 2 {
		t.Errorf("height %d", m.tree.height)
	}
	if per := float64(m.a.Used()) / n; per > 26 {
		t.Errorf("%.1f bytes a key", per)
	}
	for i := range n / 2 {
		if !m.tree.Delete(m.a, m.keys[i]) || !m.tree.Delete(m.a, m.keys[n-1-i]) {
			t.Fatal(i)
		}
		if i%50000 == 0 {
			if err := m.tree.Check(m.a); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m.a.Used() != 0 || m.tree.Len() != 0 {
		t.Errorf("%d bytes left", m.a.Used())
	}
}
