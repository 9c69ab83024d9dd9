package quicklist

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

func newArena(t testing.TB) *dict.Arena {
	t.Helper()
	a, err := dict.NewArena(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Check(); err != nil {
			t.Error(err)
		}
		a.Release()
	})
	return a
}

// model is a list beside a slice that says what it must hold.
type model struct {
	t    testing.TB
	a    *dict.Arena
	env  Env
	l    List
	want []string
}

func newModel(t testing.TB, a *dict.Arena, env Env) *model {
	m := &model{t: t, a: a, env: env}
	m.l.Init(&m.env)
	return m
}

func (m *model) free() {
	for m.l.FreeStep(m.a, 30) {
	}
}

// check compares the list, walked both ways, with the slice.
func (m *model) check(op string) {
	m.t.Helper()
	if err := m.l.Check(m.a); err != nil {
		m.t.Fatalf("%s: %v", op, err)
	}
	if m.l.Len() != len(m.want) {
		m.t.Fatalf("%s: %d elements, want %d", op, m.l.Len(), len(m.want))
	}
	var buf listpack.IntBuf
	i := 0
	for it := m.l.Seek(m.a, &m.env, 0, false); it.Valid(); it.Next() {
		same, other := NeedleOf([]byte(m.want[i])), NeedleOf([]byte(m.want[i]+"0"))
		if v := it.Value(&buf); string(v) != m.want[i] || !it.Is(&same) || it.Is(&other) {
			m.t.Fatalf("%s: element %d is %q, want %q", op, i, v, m.want[i])
		}
		i++
	}
	if i != len(m.want) {
		m.t.Fatalf("%s: walked over %d of %d elements", op, i, len(m.want))
	}
	for it := m.l.Seek(m.a, &m.env, len(m.want)-1, true); it.Valid(); it.Next() {
		i--
		if v := it.Value(&buf); string(v) != m.want[i] {
			m.t.Fatalf("%s: element %d is %q on the way back, want %q", op, i, v, m.want[i])
		}
	}
	if i != 0 {
		m.t.Fatalf("%s: %d elements left on the way back", op, i)
	}
}

// step makes one change, chosen by the bytes that next returns.
func (m *model) step(next func() int) string {
	elem := func() []byte {
		switch k := next(); k % 8 {
		case 0, 1, 2:
			return fmt.Append(nil, k*next()-1000)
		case 3:
			return []byte(strings.Repeat("x", next()))
		case 4:
			return []byte{}
		case 5:
			return []byte(strings.Repeat("long text ", next()/8))
		}
		return fmt.Append(nil, "element ", next()%4)
	}
	at := func() int { return next() * len(m.want) / 256 }
	n := len(m.want)
	op := next() % 16
	if n == 0 && op > 5 {
		op %= 6
	}
	switch op {
	case 0, 1, 2:
		s := elem()
		m.l.PushHead(m.a, &m.env, s)
		m.want = slices.Insert(m.want, 0, string(s))
		return fmt.Sprintf("push head %q", s)
	case 3, 4, 5:
		s := elem()
		m.l.PushTail(m.a, &m.env, s)
		m.want = append(m.want, string(s))
		return fmt.Sprintf("push tail %q", s)
	case 6:
		m.l.DelHead(m.a, &m.env)
		m.want = m.want[1:]
		return "delete head"
	case 7:
		m.l.DelTail(m.a, &m.env)
		m.want = m.want[:n-1]
		return "delete tail"
	case 8, 9, 10:
		i, s, after := at(), elem(), next()%2 == 0
		it := m.l.Seek(m.a, &m.env, i, next()%2 == 0)
		it.Insert(s, after)
		if after {
			i++
		}
		m.want = slices.Insert(m.want, i, string(s))
		return fmt.Sprintf("insert %q at %d, after %v", s, i, after)
	case 11, 12:
		i, s := at(), elem()
		it := m.l.Seek(m.a, &m.env, i, false)
		it.Replace(s)
		m.want[i] = string(s)
		return fmt.Sprintf("replace %d by %q", i, s)
	case 13:
		i := at()
		k := (n - i) * next() / 512
		m.l.DelRange(m.a, &m.env, i, k)
		m.want = slices.Delete(m.want, i, i+k)
		return fmt.Sprintf("delete %d from %d", k, i)
	case 14:
		return m.remove(m.want[at()], next()%3+1, next()%2 == 0)
	}
	m.compact(next)
	return "compact"
}

// remove removes up to k elements that equal s.
func (m *model) remove(s string, k int, back bool) string {
	from := 0
	if back {
		from = len(m.want) - 1
		slices.Reverse(m.want)
	}
	left := k
	it := m.l.Seek(m.a, &m.env, from, back)
	needle := NeedleOf([]byte(s))
	for it.Valid() && left > 0 {
		if it.Is(&needle) {
			it.Delete()
			left--
		} else {
			it.Next()
		}
	}
	it.Done()
	gone := 0
	m.want = slices.DeleteFunc(m.want, func(x string) bool {
		if x == s && gone < k {
			gone++
			return true
		}
		return false
	})
	if back {
		slices.Reverse(m.want)
	}
	return fmt.Sprintf("remove %d of %q, back %v", k, s, back)
}

// compact runs a few steps of a compaction, or leaves it half done.
func (m *model) compact(next func() int) {
	if !m.a.CompactBegin() {
		return
	}
	for m.a.CompactMark(1 << 20) {
	}
	cursor := uint64(0)
	for range next() % 8 {
		if cursor = m.l.CompactStep(m.a, cursor, 64); cursor == 0 {
			break
		}
	}
	m.a.CompactEnd()
}

var settings = []Env{
	{Fill: -2, Large: DefaultLarge},
	{Fill: -1, Depth: 1, Large: DefaultLarge},
	{Fill: 5, Large: DefaultLarge},
	{Fill: 3, Depth: 1, Large: DefaultLarge},
	{Fill: 16, Depth: 2, Large: 100},
	{Fill: 4, Depth: 3, Large: 60},
	{Fill: 1, Depth: 1, Large: 40},
	{Fill: 0, Large: 9},
	{Fill: -5, Depth: 1, Large: 200},
}

// TestModel makes random changes under all kinds of settings and expects a
// slice to agree after each.
func TestModel(t *testing.T) {
	for i, env := range settings {
		t.Run(fmt.Sprintf("fill%d,depth%d,large%d", env.Fill, env.Depth, env.Large), func(t *testing.T) {
			a := newArena(t)
			rnd := rand.New(rand.NewPCG(uint64(i), 5))
			next := func() int { return rnd.IntN(256) }
			for range 3 {
				m := newModel(t, a, env)
				for range 400 {
					m.check(m.step(next))
				}
				if env.Fill == 16 && m.l.Nodes() < 3 {
					t.Errorf("only %d nodes were ever there", m.l.Nodes())
				}
				m.free()
			}
			if n := a.Stats().Live; n != 0 {
				t.Errorf("%d bytes leaked", n)
			}
		})
	}
}

func FuzzList(f *testing.F) {
	for i := range settings {
		f.Add([]byte{byte(i), 0, 3, 9, 3, 1, 1, 8, 7, 9, 100, 3, 200, 14, 0, 1, 13, 20, 255})
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || len(in) > 4000 {
			return
		}
		a := newArena(t)
		m := newModel(t, a, settings[int(in[0])%len(settings)])
		in = in[1:]
		next := func() int {
			if len(in) == 0 {
				return 7
			}
			b := in[0]
			in = in[1:]
			return int(b)
		}
		for len(in) > 0 {
			m.check(m.step(next))
		}
		m.free()
		if n := a.Stats().Live; n != 0 {
			t.Errorf("%d bytes leaked", n)
		}
	})
}

func (m *model) nodes() string {
	var b strings.Builder
	err := m.l.EachNode(m.a, &m.env, func(data []byte, n int) error {
		if n == 0 {
			fmt.Fprintf(&b, "(%s)", data)
			return nil
		}
		var buf listpack.IntBuf
		b.WriteByte('[')
		for p := listpack.First(data); p >= 0; p = listpack.Next(data, p) {
			b.Write(listpack.Get(data, p, &buf))
		}
		b.WriteByte(']')
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return b.String()
}

// TestNodes states where nodes begin and end after typical changes.
func TestNodes(t *testing.T) {
	for _, c := range []struct {
		name string
		env  Env
		do   func(m *model)
		want string
	}{
		{"tail", Env{Fill: 3}, func(m *model) {}, "[abc][def][g]"},
		{"head", Env{Fill: 3}, func(m *model) { m.head("xyz") }, "[zyx][abc][def][g]"},
		{"fill 0 is one a node", Env{}, func(m *model) {}, "[a][b][c][d][e][f][g]"},
		{"into the next node", Env{Fill: 3}, func(m *model) { m.insert(5, "x", true) }, "[abc][def][xg]"},
		{"into the one before", Env{Fill: 3}, func(m *model) { m.l.DelRange(m.a, &m.env, 0, 1); m.insert(2, "x", false) }, "[bcx][def][g]"},
		{"between full ones", Env{Fill: 3}, func(m *model) { m.insert(3, "x", false) }, "[abc][x][def][g]"},
		{"split, rest merges", Env{Fill: 3}, func(m *model) { m.insert(4, "x", true) }, "[abc][de][xfg]"},
		{"split before", Env{Fill: 4}, func(m *model) { m.insert(2, "x", false) }, "[abx][cd][efg]"},
		{"range", Env{Fill: 3}, func(m *model) { m.l.DelRange(m.a, &m.env, 2, 3) }, "[ab][f][g]"},
		{"big one splits", Env{Fill: 9, Large: 4}, func(m *model) { m.insert(2, "big!", true) }, "[abc](big!)[defg]"},
		{"big ones at the ends", Env{Fill: 9, Large: 4}, func(m *model) { m.insert(0, "big!", false); m.insert(7, "BIG!", true) }, "(big!)[abcdefg](BIG!)"},
		{"big replaces", Env{Fill: 9, Large: 4}, func(m *model) { m.replace(3, "big!") }, "[abc](big!)[efg]"},
		{"big replaces the first", Env{Fill: 9, Large: 4}, func(m *model) { m.replace(0, "big!") }, "(big!)[bcdefg]"},
		{"big replaces the last", Env{Fill: 9, Large: 4}, func(m *model) { m.replace(6, "big!") }, "[abcdef](big!)"},
		{"small replaces big", Env{Fill: 9, Large: 4}, func(m *model) { m.replace(3, "big!"); m.replace(3, "x") }, "[abc][xefg]"},
		{"big replaces big", Env{Fill: 9, Large: 4}, func(m *model) { m.replace(3, "big!"); m.replace(3, "bigger") }, "[abc](bigger)[efg]"},
	} {
		a := newArena(t)
		if c.env.Large == 0 {
			c.env.Large = DefaultLarge
		}
		m := newModel(t, a, c.env)
		for _, s := range "abcdefg" {
			m.l.PushTail(a, &m.env, []byte(string(s)))
		}
		c.do(m)
		if got := m.nodes(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err := m.l.Check(a); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func (m *model) head(s string) {
	for _, c := range s {
		m.l.PushHead(m.a, &m.env, []byte(string(c)))
	}
}

func (m *model) insert(i int, s string, after bool) {
	it := m.l.Seek(m.a, &m.env, i, false)
	it.Insert([]byte(s), after)
}

func (m *model) replace(i int, s string) {
	it := m.l.Seek(m.a, &m.env, i, false)
	it.Replace([]byte(s))
}

func TestBytesOfANode(t *testing.T) {
	a := newArena(t)
	for fill, lim := range map[int]int{-1: 4096, -2: 8192, -3: 16384, -4: 32768, -5: 65536, -9: 65536, 1000: 8192} {
		m := newModel(t, a, Env{Fill: fill, Large: DefaultLarge})
		elem := bytes.Repeat([]byte("0123456789abcdef"), 8)
		for m.l.Nodes() < 3 {
			m.l.PushTail(a, &m.env, elem)
		}
		err := m.l.EachNode(a, &m.env, func(data []byte, n int) error {
			if len(data) > lim || n > 1 && len(data) < lim-2*len(elem) {
				return fmt.Errorf("fill %d: a node of %d bytes", fill, len(data))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		m.free()
	}
}

func TestOver(t *testing.T) {
	lp := listpack.New(0)
	for i := range 5 {
		lp = listpack.AppendInt(lp, int64(i))
	}
	var buf listpack.IntBuf
	walk := func(i int, back bool) (s string) {
		for it := Over(lp, i, back); it.Valid(); it.Next() {
			s += string(it.Value(&buf))
		}
		return s
	}
	if got := walk(1, false) + "," + walk(3, true) + "," + walk(5, false) + "," + walk(-1, false); got != "1234,3210,," {
		t.Error(got)
	}
}

func TestCopyIsDeep(t *testing.T) {
	a := newArena(t)
	for _, env := range settings {
		rnd := rand.New(rand.NewPCG(9, 9))
		m := newModel(t, a, env)
		for range 300 {
			m.step(func() int { return rnd.IntN(256) })
		}
		c := &model{t: t, a: a, env: env, want: slices.Clone(m.want)}
		m.l.CopyTo(a, &c.l)
		if mem := m.l.Memory(a, 0); mem < c.l.Stats(a).Size/4 && !c.l.Stats(a).Compressed {
			t.Errorf("%d bytes for %d", mem, c.l.Stats(a).Size)
		}
		m.free()
		c.check("copy")
		c.free()
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

// TestCompaction empties sparse slabs of a list of many small nodes in steps,
// with changes between them, and expects memory back and nothing lost.
func TestCompaction(t *testing.T) {
	a := newArena(t)
	m := newModel(t, a, Env{Fill: 2, Large: DefaultLarge})
	for i := range 60000 {
		s := fmt.Sprintf("element number %d", i)
		m.l.PushTail(a, &m.env, []byte(s))
		m.want = append(m.want, s)
	}
	it := m.l.Seek(a, &m.env, 0, false)
	kept := m.want[:0]
	for i := range 60000 {
		if i%16 < 14 {
			it.Delete()
		} else {
			kept = append(kept, m.want[i])
			it.Next()
		}
	}
	it.Done()
	m.want = kept
	m.check("sparse")
	before := a.Stats().Slabs
	if !a.CompactBegin() {
		t.Fatal("nothing to compact")
	}
	for a.CompactMark(1 << 20) {
	}
	steps := 0
	for cursor := m.l.CompactStep(a, 0, 512); cursor != 0; cursor = m.l.CompactStep(a, cursor, 512) {
		if steps++; steps%10 == 0 {
			m.l.DelTail(a, &m.env)
			m.l.DelRange(a, &m.env, 100, 2)
			m.want = slices.Delete(m.want[:len(m.want)-1], 100, 102)
		}
	}
	a.CompactEnd()
	m.check("compacted")
	if after := a.Stats().Slabs; steps < 10 || after > before/2 {
		t.Errorf("%d steps, slabs %d, before %d", steps, after, before)
	}
	m.free()
}

func TestFreeInSteps(t *testing.T) {
	a := newArena(t)
	m := newModel(t, a, Env{Fill: 1, Large: DefaultLarge})
	for range 10000 {
		m.l.PushTail(a, &m.env, []byte("x"))
	}
	steps := 1
	for m.l.FreeStep(a, 256) {
		steps++
	}
	if n := a.Stats().Live; n != 0 || steps < 10000/40 || steps > 10000/20 {
		t.Errorf("%d steps, %d bytes leaked", steps, n)
	}
}

// TestNoGarbage: pushes, pops, reads and changes of nodes that are not
// compressed take nothing from the Go heap.
func TestNoGarbage(t *testing.T) {
	a := newArena(t)
	m := newModel(t, a, Env{Fill: -2, Depth: 1, Large: DefaultLarge})
	elem := bytes.Repeat([]byte("text "), 20)
	for range 1000 {
		m.l.PushTail(a, &m.env, elem)
	}
	var buf listpack.IntBuf
	sum := 0
	n := testing.AllocsPerRun(200, func() {
		m.l.PushHead(a, &m.env, elem)
		m.l.PushTail(a, &m.env, elem)
		it := m.l.Seek(a, &m.env, 400, false)
		for range 200 {
			sum += len(it.Value(&buf))
			it.Next()
		}
		it = m.l.Seek(a, &m.env, 500, false)
		it.Replace(elem)
		m.l.DelHead(a, &m.env)
		m.l.DelTail(a, &m.env)
	})
	if n != 0 || sum == 0 {
		t.Errorf("%v allocations", n)
	}
}
