package rdb

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// keyInfo is what digestSink keeps of a key.
type keyInfo struct {
	typ      string
	encoding string
	expireAt int64
	idle     int64
	freq     int
	value    string // DEBUG DIGEST-VALUE
	state    digest.State
	n        int // elements
}

// digestSink computes the digests of what it is given, and checks that calls
// come in the order that Sink promises.
type digestSink struct {
	dbs  map[int]map[string]*keyInfo
	aux  map[string]string
	code []string
	mods []string

	cur     *keyInfo
	m       Meta
	key     string
	value   digest.State // as DIGEST-VALUE
	dataset digest.State // as in DIGEST
	open    bool
	stage   string
	node    StreamID
	pending uint64
	owned   uint64
	groups  uint64
	cons    uint64
	length  uint64
	live    uint64
	short   bool // scores as Redis 7.2 and later have them in the digest
}

var _ Sink = (*digestSink)(nil)

func newDigestSink() *digestSink {
	return &digestSink{dbs: map[int]map[string]*keyInfo{}, aux: map[string]string{}}
}

func (s *digestSink) Aux(k, v []byte) error                   { s.aux[string(k)] = string(v); return nil }
func (s *digestSink) SelectDB(int) error                      { return s.outside() }
func (s *digestSink) ResizeDB(uint64, uint64) error           { return s.outside() }
func (s *digestSink) SlotInfo(_, _, _ uint64) error           { return s.outside() }
func (s *digestSink) SlotImport([]byte, uint16, uint16) error { return s.outside() }
func (s *digestSink) ModuleAux(string, int, uint64) error     { return s.outside() }
func (s *digestSink) Module(m *Meta, n string, v int) error {
	s.mods = append(s.mods, fmt.Sprintf("%s=%s.%d", m.Key, n, v))
	return s.outside()
}
func (s *digestSink) Function(code []byte) error {
	s.code = append(s.code, string(code))
	return s.outside()
}

func (s *digestSink) outside() error {
	if s.open {
		return fmt.Errorf("a call within key %q", s.key)
	}
	return nil
}

func (s *digestSink) start(m *Meta, encoding string) error {
	if err := s.outside(); err != nil {
		return err
	}
	s.m, s.key = *m, string(m.Key)
	if s.dbs[m.DB] == nil {
		s.dbs[m.DB] = map[string]*keyInfo{}
	}
	if s.dbs[m.DB][s.key] != nil {
		return fmt.Errorf("key %q twice", s.key)
	}
	s.cur = &keyInfo{typ: m.Type.String(), encoding: encoding, expireAt: m.ExpireAt, idle: m.Idle, freq: m.Freq}
	s.value = digest.State{}
	s.dataset = digest.Key(m.Key)
	s.both(func(d *digest.State) { d.Type(int(m.Type)) })
	return nil
}

func (s *digestSink) zset(d *digest.State, v []byte, score float64) {
	if s.short {
		d.ZSetMemberShort(v, score)
	} else {
		d.ZSetMember(v, score)
	}
}

func (s *digestSink) both(f func(*digest.State)) {
	f(&s.value)
	f(&s.dataset)
}

func (s *digestSink) finish() error {
	if s.m.ExpireAt != -1 {
		s.both((*digest.State).Expires)
	}
	s.cur.value, s.cur.state = s.value.String(), s.dataset
	s.dbs[s.m.DB][s.key] = s.cur
	return nil
}

func (s *digestSink) String(m *Meta, v []byte) error {
	enc := "raw"
	if _, ok := listpack.ParseInt(v); ok {
		enc = "int"
	} else if len(v) <= 44 {
		enc = "embstr"
	}
	if err := s.start(m, enc); err != nil {
		return err
	}
	s.both(func(d *digest.State) { d.StringValue(v) })
	return s.finish()
}

func lpTexts(lp []byte) (out [][]byte) {
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		var buf listpack.IntBuf
		out = append(out, slices.Clone(listpack.Get(lp, p, &buf)))
	}
	return out
}

func (s *digestSink) Packed(m *Meta, p Packing, data []byte, n int) error {
	if err := s.start(m, map[Packing]string{Listpack: "listpack", Intset: "intset", ListpackEx: "listpackex"}[p]); err != nil {
		return err
	}
	s.cur.n = n
	if p == Intset {
		if k, err := intset.Validate(data); err != nil || k != n {
			return fmt.Errorf("intset of %d, not %d: %v", k, n, err)
		}
		for i := range intset.Len(data) {
			e := strconv.AppendInt(nil, intset.Get(data, i), 10)
			s.both(func(d *digest.State) { d.SetMember(e) })
		}
		return s.finish()
	}
	if _, err := listpack.Validate(data); err != nil {
		return err
	}
	e := lpTexts(data)
	step := 1
	if m.Type == TypeHash || m.Type == TypeZSet {
		step = 2
	}
	if p == ListpackEx {
		step = 3
	}
	if len(e) != n*step {
		return fmt.Errorf("%d entries, n is %d", len(e), n)
	}
	for i := 0; i < len(e); i += step {
		s.both(func(d *digest.State) {
			switch {
			case m.Type == TypeList:
				d.ListElement(e[i])
			case m.Type == TypeSet:
				d.SetMember(e[i])
			case m.Type == TypeZSet:
				f, ok := parseScore(e[i+1])
				if !ok {
					panic(fmt.Sprintf("score %q", e[i+1]))
				}
				s.zset(d, e[i], f)
			default:
				d.HashField(e[i], e[i+1], step == 3 && string(e[i+2]) != "0")
			}
		})
	}
	return s.finish()
}

func (s *digestSink) Begin(m *Meta, n uint64) error {
	enc := map[Type]string{TypeList: "quicklist", TypeSet: "hashtable", TypeZSet: "skiplist", TypeHash: "hashtable", TypeStream: "stream"}[m.Type]
	if err := s.start(m, enc); err != nil {
		return err
	}
	s.open, s.stage = true, "nodes"
	s.node, s.live = StreamID{}, 0
	return nil
}

func (s *digestSink) in(t Type) error {
	if !s.open || s.m.Type != t {
		return fmt.Errorf("an element of a %v within %q, %v, open %v", t, s.key, s.m.Type, s.open)
	}
	s.cur.n++
	return nil
}

func (s *digestSink) ListNode(lp []byte, n int) error {
	e := lpTexts(lp)
	if len(e) != n || n == 0 {
		return fmt.Errorf("a node of %d elements, n is %d", len(e), n)
	}
	for _, v := range e {
		if err := s.ListElement(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *digestSink) ListElement(v []byte) error {
	s.both(func(d *digest.State) { d.ListElement(v) })
	return s.in(TypeList)
}

func (s *digestSink) SetMember(v []byte) error {
	s.both(func(d *digest.State) { d.SetMember(v) })
	return s.in(TypeSet)
}

func (s *digestSink) ZSetMember(v []byte, score float64) error {
	s.both(func(d *digest.State) { s.zset(d, v, score) })
	return s.in(TypeZSet)
}

func (s *digestSink) HashField(f, v []byte, expireAt int64) error {
	s.both(func(d *digest.State) { d.HashField(f, v, expireAt != -1) })
	return s.in(TypeHash)
}

func (s *digestSink) StreamNode(id StreamID, lp []byte, live int) error {
	if s.stage != "nodes" || !s.node.Less(id) && s.node != (StreamID{}) {
		return fmt.Errorf("node %v after %v in stage %s", id, s.node, s.stage)
	}
	s.node = id
	s.live += uint64(live)
	e := lpTexts(lp)
	num := func(i int) int {
		v, err := strconv.Atoi(string(e[i]))
		if err != nil {
			panic(err)
		}
		return v
	}
	count, deleted, fields := num(0), num(1), num(2)
	names := e[3 : 3+fields]
	i := 3 + fields + 1
	for range count + deleted {
		flags := num(i)
		ms, seq := id.Ms+uint64(num(i+1)), id.Seq+uint64(num(i+2))
		i += 3
		gone := flags&streamFlagDeleted != 0
		if !gone {
			live--
			s.both(func(d *digest.State) { d.StreamEntry(ms, seq) })
		}
		k := fields
		same := flags&streamFlagSameFields != 0
		if !same {
			k = num(i)
			i++
		}
		for j := range k {
			var f, v []byte
			if same {
				f, v = names[j], e[i]
				i++
			} else {
				f, v = e[i], e[i+1]
				i += 2
			}
			if !gone {
				s.both(func(d *digest.State) { d.StreamField(f, v) })
			}
		}
		i++
	}
	if i != len(e) || live != 0 {
		return fmt.Errorf("node %v: %d of %d entries, live off by %d", id, i, len(e), live)
	}
	return s.in(TypeStream)
}

func (s *digestSink) StreamInfo(i *StreamInfo) error {
	if s.stage != "nodes" {
		return fmt.Errorf("StreamInfo in stage %s", s.stage)
	}
	s.stage, s.groups, s.length = "groups", i.Groups, i.Length
	return s.in(TypeStream)
}

func (s *digestSink) StreamGroup(g *StreamGroup) error {
	if s.stage != "groups" || s.groups == 0 || s.cons != 0 || s.pending != s.owned {
		return fmt.Errorf("group %q in stage %s with %d groups, %d consumers left", g.Name, s.stage, s.groups, s.cons)
	}
	s.groups--
	s.cons, s.pending, s.owned = g.Consumers, g.Pending, 0
	return nil
}

func (s *digestSink) StreamConsumer(c *StreamConsumer) error {
	if s.cons == 0 {
		return fmt.Errorf("consumer %q too many", c.Name)
	}
	s.cons--
	return nil
}

func (s *digestSink) StreamPending(p *StreamPending) error {
	s.owned++
	if s.owned > s.pending {
		return fmt.Errorf("pending entry %v too many", p.ID)
	}
	return nil
}

func (s *digestSink) End() error {
	if !s.open {
		return fmt.Errorf("End without Begin")
	}
	s.open = false
	return s.finish()
}

func (s *digestSink) keys() (n int) {
	for _, db := range s.dbs {
		n += len(db)
	}
	return n
}

// sum is DEBUG DIGEST.
func (s *digestSink) sum() string {
	var all digest.Dataset
	for _, db := range slices.Sorted(maps.Keys(s.dbs)) {
		all.DB(db)
		for _, k := range s.dbs[db] {
			all.Add(k.state)
		}
	}
	sum := all.Sum()
	return sum.String()
}
