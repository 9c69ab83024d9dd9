package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// model is a stream beside plain Go data that says what it must hold.
type model struct {
	t       testing.TB
	a       *dict.Arena
	s       *Stream
	block   dict.Ref
	entries []modelEntry
	last    ID
	deleted ID // greatest
	added   uint64
	groups  map[string]*modelGroup
}

type modelEntry struct {
	id   ID
	args [][]byte
}

type modelGroup struct {
	last      ID
	consumers map[string]int64
	pending   map[ID]modelNACK
}

type modelNACK struct {
	time     int64
	count    uint64
	consumer string
}

func newModel(t testing.TB) *model {
	a := newArena(t)
	m := &model{t: t, a: a, block: a.Alloc(HeadSize), groups: map[string]*modelGroup{}}
	m.s = At(a.Ptr(m.block))
	m.s.Init()
	return m
}

func (m *model) add(id ID, args [][]byte, lim Limits) {
	m.s.Append(m.a, id, args, lim)
	m.entries = append(m.entries, modelEntry{id, args})
	m.last = id
	m.added++
}

func (m *model) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(m.entries, id, func(e modelEntry, id ID) int { return compareIDs(e.id, id) })
}

func (m *model) del(id ID) {
	i, found := m.find(id)
	if m.s.Exists(m.a, id) != found {
		m.t.Fatalf("exists %v: want %v", id, found)
	}
	if m.s.Delete(m.a, id) != found {
		m.t.Fatalf("delete %v: want %v", id, found)
	}
	if found {
		m.entries = slices.Delete(m.entries, i, i+1)
		if m.deleted.Less(id) {
			m.deleted = id
		}
	}
}

func (m *model) trim(t Trim) {
	gone := int(m.s.Trim(m.a, t))
	exact := len(m.entries) - int(t.MaxLen)
	if t.ByID {
		exact, _ = m.find(t.MinID)
	}
	exact = max(exact, 0)
	if t.Approx && gone > exact || !t.Approx && t.Limit == 0 && gone != exact {
		m.t.Fatalf("trim %+v removed %d, want %d", t, gone, exact)
	}
	m.entries = slices.Delete(m.entries, 0, gone)
}

// ranges compares a range in both directions, reading the fields of some
// entries only.
func (m *model) ranges(from, to ID, skip func() bool) {
	m.t.Helper()
	i, _ := m.find(from)
	j, ok := m.find(to)
	if ok {
		j++
	}
	want := m.entries[min(i, len(m.entries)):max(i, j)]
	got := 0
	for it := m.s.Range(m.a, from, to, false); it.Next(); got++ {
		m.entry(&it, want, got, skip())
	}
	if got != len(want) {
		m.t.Fatalf("range %v %v has %d entries, want %d", from, to, got, len(want))
	}
	for it := m.s.Range(m.a, from, to, true); it.Next(); {
		got--
		m.entry(&it, want, got, skip())
	}
	if got != 0 {
		m.t.Fatalf("reverse range %v %v has %d entries too few", from, to, got)
	}
}

func (m *model) entry(it *Iter, want []modelEntry, i int, skip bool) {
	m.t.Helper()
	if i < 0 || i >= len(want) {
		m.t.Fatalf("an entry too many: %v", it.ID)
	}
	e := want[i]
	if it.ID != e.id || it.Fields != len(e.args)/2 {
		m.t.Fatalf("entry %v of %d fields, want %v of %d", it.ID, it.Fields, e.id, len(e.args)/2)
	}
	if skip {
		return
	}
	for k := range it.Fields {
		f, v := it.Field()
		if !bytes.Equal(f, e.args[2*k]) || !bytes.Equal(v, e.args[2*k+1]) {
			m.t.Fatalf("entry %v field %d is %q %q, want %q %q", e.id, k, f, v, e.args[2*k], e.args[2*k+1])
		}
	}
}

func (m *model) check() {
	m.t.Helper()
	s := m.s
	if err := s.Check(m.a); err != nil {
		m.t.Fatal(err)
	}
	var first, live ID
	if n := len(m.entries); n > 0 {
		first, live = m.entries[0].id, m.entries[n-1].id
	}
	if int(s.Length) != len(m.entries) || s.LastID != m.last || s.FirstID != first || s.Added != m.added ||
		s.MaxDeletedID != m.deleted || s.LastLive(m.a) != live {
		m.t.Fatalf("head %+v, want length %d last %v first %v added %d deleted %v", *s, len(m.entries), m.last, first, m.added, m.deleted)
	}
	m.ranges(Min, Max, func() bool { return false })
	if s.Groups() != len(m.groups) {
		m.t.Fatalf("%d groups, want %d", s.Groups(), len(m.groups))
	}
	for name, g := range m.groups {
		m.checkGroup(s.Group(m.a, []byte(name)), name, g)
	}
}

func (m *model) checkGroup(g *Group, name string, want *modelGroup) {
	m.t.Helper()
	if g == nil || string(g.Name()) != name || g.LastID != want.last || g.Consumers() != len(want.consumers) || g.Pending() != len(want.pending) {
		m.t.Fatalf("group %q: %+v", name, g)
	}
	for cur := g.SeekPending(m.a, Min); cur.Valid(); cur.Next() {
		n, w := cur.NACK(), want.pending[cur.Key()]
		if n.Time() != w.time || n.Count() != w.count || string(g.ConsumerOf(m.a, n).Name()) != w.consumer {
			m.t.Fatalf("pending %v: time %d count %d, want %+v", cur.Key(), n.Time(), n.Count(), w)
		}
	}
	for i := range g.Consumers() {
		c := g.ConsumerAt(m.a, i)
		if seen, ok := want.consumers[string(c.Name())]; !ok || seen != c.SeenTime {
			m.t.Fatalf("consumer %q", c.Name())
		}
	}
}

// groupStep does something random with groups.
func (m *model) groupStep(rnd *rand.Rand) {
	name := "g" + strconv.Itoa(rnd.IntN(4))
	w := m.groups[name]
	g := m.s.Group(m.a, []byte(name))
	if (g == nil) != (w == nil) {
		m.t.Fatalf("group %q: %v", name, g)
	}
	if w == nil {
		m.s.AddGroup(m.a, []byte(name), m.last, 5)
		m.groups[name] = &modelGroup{last: m.last, consumers: map[string]int64{}, pending: map[ID]modelNACK{}}
		return
	}
	if rnd.IntN(400) == 0 {
		m.s.DeleteGroup(m.a, []byte(name))
		delete(m.groups, name)
		return
	}
	cn := "consumer-" + strconv.Itoa(rnd.IntN(12))
	c := g.Consumer(m.a, []byte(cn))
	if _, ok := w.consumers[cn]; ok != (c != nil) {
		m.t.Fatalf("consumer %q", cn)
	}
	if c == nil {
		seen := rnd.Int64N(1000)
		c = g.AddConsumer(m.a, []byte(cn), seen)
		w.consumers[cn] = seen
	}
	id := ID{rnd.Uint64N(500), rnd.Uint64N(3)}
	old, pending := w.pending[id]
	switch k := rnd.IntN(60); {
	case k == 0:
		n, ok := g.DeleteConsumer(m.a, []byte(cn))
		want := 0
		for id, p := range w.pending {
			if p.consumer == cn {
				delete(w.pending, id)
				want++
			}
		}
		if !ok || n != want {
			m.t.Fatalf("consumer %q deleted with %d pending, want %d", cn, n, want)
		}
		delete(w.consumers, cn)
	case k < 35:
		nack := modelNACK{rnd.Int64(), rnd.Uint64(), cn}
		if g.Add(m.a, c, id, nack.time, nack.count) == pending {
			m.t.Fatalf("add %v", id)
		}
		if !pending {
			w.pending[id] = nack
		}
	case k < 45 && pending:
		g.Claim(m.a, g.Find(m.a, id), id, c)
		old.consumer = cn
		w.pending[id] = old
	default:
		if g.Ack(m.a, id) != pending {
			m.t.Fatalf("ack %v", id)
		}
		delete(w.pending, id)
	}
}

// args makes the fields of an entry: most often those of the entries before.
func randomArgs(rnd *rand.Rand) [][]byte {
	text := func() []byte {
		switch rnd.IntN(12) {
		case 0:
			return []byte(strconv.FormatInt(rnd.Int64()>>rnd.IntN(64), 10))
		case 1:
			return bytes.Repeat([]byte{'x'}, rnd.IntN(300))
		case 2:
			return nil
		}
		return fmt.Appendf(nil, "v%d", rnd.IntN(1000))
	}
	switch rnd.IntN(8) {
	case 0:
		args := make([][]byte, 0, 8)
		for range 1 + rnd.IntN(4) {
			args = append(args, text(), text())
		}
		return args
	case 1:
		return [][]byte{[]byte("12"), text()}
	}
	return [][]byte{[]byte("field"), text(), []byte("-7"), text()}
}

func (m *model) step(rnd *rand.Rand, lim Limits) {
	somewhere := func() ID {
		if len(m.entries) == 0 || rnd.IntN(5) == 0 {
			return ID{rnd.Uint64N(m.last.Ms + 2), rnd.Uint64N(4)}
		}
		return m.entries[rnd.IntN(len(m.entries))].id
	}
	switch k := rnd.IntN(100); {
	case k < 45:
		id := ID{m.last.Ms + rnd.Uint64N(3), 0}
		if id.Ms == m.last.Ms {
			id.Seq = m.last.Seq + 1 + rnd.Uint64N(3)
		} else {
			id.Seq = rnd.Uint64N(6)
		}
		m.add(id, randomArgs(rnd), lim)
	case k < 70:
		m.groupStep(rnd)
	case k < 85:
		m.del(somewhere())
	case k < 97:
		m.ranges(somewhere(), somewhere(), func() bool { return rnd.IntN(3) == 0 })
	case k < 98:
		m.trim(Trim{MaxLen: rnd.Int64N(int64(len(m.entries))*5/4 + 1), Approx: rnd.IntN(2) == 0})
	case k < 99:
		m.trim(Trim{ByID: true, MinID: m.lowID(rnd), Approx: rnd.IntN(2) == 0})
	default:
		m.trim(Trim{MaxLen: rnd.Int64N(int64(len(m.entries)) + 1), Approx: true, Limit: 1 + rnd.Int64N(100)})
	}
}

func (m *model) lowID(rnd *rand.Rand) ID {
	if len(m.entries) == 0 {
		return m.last
	}
	return m.entries[rnd.IntN(len(m.entries)/4+1)].id
}

func TestStreamModel(t *testing.T) {
	limits := []Limits{{4096, 100}, {0, 0}, {100, 0}, {0, 1}, {0, 7}, {4096, 300}}
	for seed := range uint64(len(limits)) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		m := newModel(t)
		for i := range 4000 {
			m.step(rnd, limits[seed])
			if i%50 == 0 {
				m.check()
			}
		}
		m.check()
		m.checkCopy()
		m.checkFree()
	}
}

// checkCopy compares a copy.
func (m *model) checkCopy() {
	r := m.a.Alloc(HeadSize)
	s := At(m.a.Ptr(r))
	m.s.CopyTo(m.a, s)
	old := m.s
	m.s = s
	m.check()
	for s.FreeStep(m.a, 1<<20) {
	}
	m.a.Free(r)
	m.s = old
	m.check()
}

// checkFree frees the stream in slices of bounded work.
func (m *model) checkFree() {
	steps := 0
	for m.s.FreeStep(m.a, 64) {
		if err := m.s.nodes.Check(m.a); err != nil {
			m.t.Fatal(err)
		}
		steps++
	}
	m.a.Free(m.block)
	if m.a.Used() != 0 {
		m.t.Fatalf("%d bytes are left of a freed stream", m.a.Used())
	}
	if err := m.a.Check(); err != nil {
		m.t.Fatal(err)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(uint64(1), uint64(2), 4096, 100)
	f.Add(uint64(3), uint64(4), 64, 0)
	f.Fuzz(func(t *testing.T, x, y uint64, nodeBytes, nodeEntries int) {
		rnd := rand.New(rand.NewPCG(x, y))
		m := newModel(t)
		lim := Limits{nodeBytes & 0xffff, nodeEntries & 0xfff}
		for range 300 {
			m.step(rnd, lim)
		}
		m.check()
		m.checkFree()
	})
}

// TestCompact proves that a stream whose neighbours were freed can be moved
// together, while it goes on being written to, and stays what it was.
func TestCompact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	m := newModel(t)
	var others []*model
	for range 6 {
		o := newModel(t)
		o.a = m.a
		o.block = m.a.Alloc(HeadSize)
		o.s = At(m.a.Ptr(o.block))
		o.s.Init()
		others = append(others, o)
	}
	// Streams that grow together share their slabs.
	for i := range uint64(15000) {
		for _, o := range append(others, m) {
			o.add(ID{i + 1, 0}, randomArgs(rnd), Limits{1024, 50})
			o.groupStep(rnd)
		}
	}
	for _, o := range others {
		for o.s.FreeStep(m.a, 1000) {
		}
		m.a.Free(o.block)
	}
	if !m.a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for m.a.CompactMark(1 << 20) {
	}
	before := m.a.Stats()
	cursor, steps := uint64(0), 0
	for {
		cursor = m.s.CompactStep(m.a, cursor, 20)
		steps++
		m.step(rnd, Limits{1024, 50})
		if steps%25 == 0 {
			m.check()
		}
		if cursor == 0 {
			break
		}
	}
	m.a.CompactEnd()
	m.check()
	if steps < 10 {
		t.Errorf("only %d steps", steps)
	}
	if got := m.a.Stats(); got.Slabs*10 > before.Slabs*7 {
		t.Errorf("%d bytes of slabs before, %d after", before.Slabs, got.Slabs)
	}
	if err := m.a.Check(); err != nil {
		t.Error(err)
	}
}

// TestAllocations proves that the operations of the common path do without the
// Go heap.
func TestAllocations(t *testing.T) {
	a := newArena(t)
	s := At(a.Ptr(a.Alloc(HeadSize)))
	s.Init()
	g := s.AddGroup(a, []byte("g"), Min, 0)
	c := g.AddConsumer(a, []byte("c"), 0)
	args := [][]byte{[]byte("temperature"), []byte("21"), []byte("place"), []byte("hall")}
	id := ID{1, 0}
	if n := testing.AllocsPerRun(2000, func() {
		id.Ms++
		s.Append(a, id, args, Limits{4096, 100})
		g.Add(a, c, id, 1, 1)
		for it := s.Range(a, id, Max, false); it.Next(); {
			it.Field()
		}
		s.Exists(a, id)
		g.Claim(a, g.Find(a, id), id, c)
		g.Ack(a, ID{id.Ms - 10, 0})
		s.Trim(a, Trim{MaxLen: 500})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestMemory bounds what an entry and a pending entry cost.
func TestMemory(t *testing.T) {
	a := newArena(t)
	s := At(a.Ptr(a.Alloc(HeadSize)))
	s.Init()
	args := [][]byte{[]byte("temperature"), []byte("21.5"), []byte("place"), []byte("hall")}
	const n = 100_000
	raw := 0
	for i := range uint64(n) {
		s.Append(a, ID{1700000000000 + i*3, 0}, args, Limits{4096, 100})
	}
	s.EachNode(a, func(_ ID, lp []byte, _ int) bool { raw += len(lp); return true })
	if used := a.Used(); float64(used) > 1.15*float64(raw) {
		t.Errorf("%d bytes for nodes of %d", used, raw)
	}
	if est, used := s.Memory(a, 0), a.Used()-int64(dict.RoundUp(HeadSize)); est < used*9/10 || est > used*11/10 {
		t.Errorf("Memory says %d, %d are used", est, used)
	}
	before := a.Used()
	g := s.AddGroup(a, []byte("g"), Min, 0)
	c := g.AddConsumer(a, []byte("c"), 0)
	for i := range uint64(n) {
		g.Add(a, c, ID{1700000000000 + i*3, 0}, 1, 1)
	}
	if per := float64(a.Used()-before) / n; per > 54 {
		t.Errorf("%.1f bytes a pending entry", per)
	}
}

// TestEmptyNode walks, trims and appends to a stream with a node that has no
// entries, which an RDB may bring.
func TestEmptyNode(t *testing.T) {
	m := newModel(t)
	var lp []byte
	for _, n := range []int64{0, 0, 0, 0} { // live, deleted, fields, end of the master entry
		if lp == nil {
			lp = listpack.New(16)
		}
		lp = listpack.AppendInt(lp, n)
	}
	m.s.AppendNode(m.a, ID{5, 0}, lp, 0)
	m.s.LastID, m.last = ID{5, 0}, ID{5, 0}
	m.check()
	m.add(ID{6, 0}, [][]byte{[]byte("a"), []byte("b")}, Limits{4096, 100})
	m.add(ID{7, 0}, [][]byte{[]byte("a"), []byte("b")}, Limits{4096, 1})
	m.check()
	m.trim(Trim{ByID: true, MinID: ID{4, 0}})
	m.check()
	m.trim(Trim{ByID: true, MinID: ID{7, 0}, Approx: true})
	m.check()
	m.trim(Trim{})
	m.check()
	m.checkFree()
}
