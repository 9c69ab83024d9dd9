package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
)

// logSink writes one line for each call.
type logSink struct{ lines []string }

var _ Sink = (*logSink)(nil)

func (l *logSink) logf(format string, a ...any) error {
	l.lines = append(l.lines, fmt.Sprintf(format, a...))
	return nil
}

func (l *logSink) text() string { return strings.Join(l.lines, "\n") }

func (l *logSink) Aux(k, v []byte) error         { return l.logf("aux %q %q", k, v) }
func (l *logSink) SelectDB(db int) error         { return l.logf("select %d", db) }
func (l *logSink) ResizeDB(k, e uint64) error    { return l.logf("resize %d %d", k, e) }
func (l *logSink) SlotInfo(s, k, e uint64) error { return l.logf("slot %d %d %d", s, k, e) }
func (l *logSink) SlotImport(j []byte, f, t uint16) error {
	return l.logf("slotimport %q %d-%d", j, f, t)
}
func (l *logSink) Function(c []byte) error { return l.logf("function %q", c) }
func (l *logSink) ModuleAux(n string, v int, w uint64) error {
	return l.logf("moduleaux %s %d %d", n, v, w)
}
func (l *logSink) String(m *Meta, v []byte) error {
	return l.logf("string db=%d %q exp=%d idle=%d freq=%d %q", m.DB, m.Key, m.ExpireAt, m.Idle, m.Freq, v)
}
func (l *logSink) Packed(m *Meta, p Packing, data []byte, n int) error {
	if p == Intset {
		var v []int64
		for i := range intset.Len(data) {
			v = append(v, intset.Get(data, i))
		}
		return l.logf("packed %v intset %d %v", m.Type, n, v)
	}
	return l.logf("packed %v %d %d %q", m.Type, p, n, lpTexts(data))
}
func (l *logSink) Begin(m *Meta, n uint64) error         { return l.logf("begin %v %q %d", m.Type, m.Key, n) }
func (l *logSink) ListNode(lp []byte, n int) error       { return l.logf("node %d %q", n, lpTexts(lp)) }
func (l *logSink) ListElement(v []byte) error            { return l.logf("element %q", v) }
func (l *logSink) SetMember(v []byte) error              { return l.logf("member %q", v) }
func (l *logSink) ZSetMember(v []byte, f float64) error  { return l.logf("member %q %v", v, f) }
func (l *logSink) HashField(f, v []byte, at int64) error { return l.logf("field %q %q %d", f, v, at) }
func (l *logSink) StreamNode(id StreamID, lp []byte, live int) error {
	return l.logf("streamnode %d-%d live=%d %q", id.Ms, id.Seq, live, lpTexts(lp))
}
func (l *logSink) StreamInfo(s *StreamInfo) error { return l.logf("info %+v", *s) }
func (l *logSink) StreamGroup(g *StreamGroup) error {
	return l.logf("group %q last=%v read=%d pending=%d consumers=%d", g.Name, g.LastID, g.EntriesRead, g.Pending, g.Consumers)
}
func (l *logSink) StreamConsumer(c *StreamConsumer) error {
	return l.logf("consumer %q seen=%d active=%d pending=%d", c.Name, c.SeenTime, c.ActiveTime, c.Pending)
}
func (l *logSink) StreamPending(p *StreamPending) error { return l.logf("pending %+v", *p) }
func (l *logSink) End() error                           { return l.logf("end") }
func (l *logSink) Module(m *Meta, n string, v int) error {
	return l.logf("module %q %s %d", m.Key, n, v)
}

// Builders of values, byte by byte.

func cat(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, p)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return b
}

// str is a string with its length in 14 bits or 6.
func str(s any) []byte {
	p := cat(s)
	if len(p) < 64 {
		return cat(len(p), p)
	}
	return cat(0x40|len(p)>>8, len(p)&0xff, p)
}

func lpOf(texts ...string) []byte { return str(newLP(texts...)) }

// zl is a ziplist of short strings and of the integers 0 to 12 where a text is
// one digit.
func zl(texts ...string) []byte {
	b := make([]byte, 10)
	prev, last := 0, 10
	for _, s := range texts {
		last = len(b)
		if len(s) == 1 && s[0] >= '0' && s[0] <= '9' {
			b = append(b, byte(prev), 0xf1+s[0]-'0')
		} else {
			b = append(append(b, byte(prev), byte(len(s))), s...)
		}
		prev = len(b) - last
	}
	b = append(b, 0xff)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], uint32(last))
	binary.LittleEndian.PutUint16(b[8:], uint16(len(texts)))
	return str(b)
}

func be(ms, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, ms), seq)
}

// moduleID is the ID of a module type.
func moduleID(name string, version uint64) []byte {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var id uint64
	for _, c := range name {
		id = id<<6 | uint64(strings.IndexRune(set, c))
	}
	return AppendLength(nil, id<<10|version)
}

// streamNode has two live entries, 5-1 with the master's fields and 7-0 with its
// own, and a deleted one between them, 5-2.
var streamNode = newLP("2", "1", "2", "f", "g", "0",
	"2", "0", "0", "v1", "v2", "5",
	"3", "0", "1", "x1", "x2", "5",
	"0", "2", "-1", "1", "own", "val", "6")

var valueCases = []struct {
	name  string
	code  byte
	value []byte
	want  string // lines after the key's own, "KEY" stands for the key
}{
	{"list", 1, cat(3, str("a"), 0xc0, 5, str("")), "begin list KEY 3\nelement \"a\"\nelement \"5\"\nelement \"\"\nend"},
	{"set", 2, cat(2, str("a"), 0xc1, 0x10, 0x27), "begin set KEY 2\nmember \"a\"\nmember \"10000\"\nend"},
	{"zset", 3, cat(4, str("a"), 3, "1.5", str("b"), 254, str("c"), 255, str("d"), 22, "0.10000000000000000555"), "begin zset KEY 4\nmember \"a\" 1.5\nmember \"b\" +Inf\nmember \"c\" -Inf\nmember \"d\" 0.1\nend"},
	{"zset2", 5, cat(2, str("a"), math.Float64bits(2.25), str("b"), math.Float64bits(math.Inf(-1))), "begin zset KEY 2\nmember \"a\" 2.25\nmember \"b\" -Inf\nend"},
	{"hash", 4, cat(1, str("f"), str("v")), "begin hash KEY 1\nfield \"f\" \"v\" -1\nend"},
	{"zipmap", 9, str("\x02\x03foo\x03\x00bar\x01f\x02\x01vv_\xff"), "packed hash 0 2 [\"foo\" \"bar\" \"f\" \"vv\"]"},
	{"list ziplist", 10, zl("a", "5", "b"), "packed list 0 3 [\"a\" \"5\" \"b\"]"},
	{"intset", 11, str(cat(2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 7, 0)), "packed set intset 2 [-1 7]"},
	{"intset of 64 bits", 11, str(cat(8, 0, 0, 0, 1, 0, 0, 0, uint64(1)<<40)), "packed set intset 1 [1099511627776]"},
	{"zset ziplist", 12, zl("a", "1", "b", "2.5"), "packed zset 0 2 [\"a\" \"1\" \"b\" \"2.5\"]"},
	{"hash ziplist", 13, zl("f", "v", "g", "9"), "packed hash 0 2 [\"f\" \"v\" \"g\" \"9\"]"},
	{"quicklist", 14, cat(3, zl("a", "1"), zl(), zl("b")), "begin list KEY 3\nnode 2 [\"a\" \"1\"]\nnode 1 [\"b\"]\nend"},
	{"quicklist of one", 14, cat(1, zl("a")), "packed list 0 1 [\"a\"]"},
	{"quicklist2", 18, cat(3, 2, lpOf("a", "1"), 1, str("plain"), 2, lpOf("b")), "begin list KEY 3\nnode 2 [\"a\" \"1\"]\nelement \"plain\"\nnode 1 [\"b\"]\nend"},
	{"quicklist2 of one", 18, cat(1, 2, lpOf("a", "b")), "packed list 0 2 [\"a\" \"b\"]"},
	{"quicklist2 of one plain", 18, cat(1, 1, str("big")), "begin list KEY 1\nelement \"big\"\nend"},
	{"set listpack", 20, lpOf("a", "7"), "packed set 0 2 [\"a\" \"7\"]"},
	{"zset listpack", 17, lpOf("a", "1", "b", "1", "c", "inf"), "packed zset 0 3 [\"a\" \"1\" \"b\" \"1\" \"c\" \"inf\"]"},
	{"zset listpack out of order", 17, lpOf("c", "3", "b", "-1.5", "a", "3"), "packed zset 0 3 [\"b\" \"-1.5\" \"a\" \"3\" \"c\" \"3\"]"},
	{"hash listpack", 16, lpOf("f", "v", "v", "f"), "packed hash 0 2 [\"f\" \"v\" \"v\" \"f\"]"},
	{"hash with expiries", 24, cat(uint64(1000), 3, 1, str("f"), str("v"), 0, str("g"), str("w"), 0x41, 0x00, str("h"), str("")), "begin hash KEY 3\nfield \"f\" \"v\" 1000\nfield \"g\" \"w\" -1\nfield \"h\" \"\" 1255\nend"},
	{"hash with expiries pre", 22, cat(2, 0x43, 0xe8, str("f"), str("v"), 0, str("g"), str("w")), "begin hash KEY 2\nfield \"f\" \"v\" 1000\nfield \"g\" \"w\" -1\nend"},
	{"listpackex", 25, cat(uint64(1000), lpOf("f", "v", "1000", "g", "w", "2000", "h", "x", "0")), "packed hash 2 3 [\"f\" \"v\" \"1000\" \"g\" \"w\" \"2000\" \"h\" \"x\" \"0\"]"},
	{"listpackex pre", 23, lpOf("f", "v", "0"), "packed hash 2 1 [\"f\" \"v\" \"0\"]"},
	{"stream", 15, cat(1, str(be(5, 1)), str(streamNode), 2, 7, 0, 4,
		str("g1"), 5, 1, 0, 0, str("g2"), 7, 0, 0, 0, str("g3"), 1, 0, 0, 0, str("g4"), 9, 0, 0, 0),
		`begin stream KEY 1
streamnode 5-1 live=2 ["2" "1" "2" "f" "g" "0" "2" "0" "0" "v1" "v2" "5" "3" "0" "1" "x1" "x2" "5" "0" "2" "-1" "1" "own" "val" "6"]
info {Length:2 LastID:{Ms:7 Seq:0} FirstID:{Ms:5 Seq:1} MaxDeletedID:{Ms:0 Seq:0} EntriesAdded:2 Groups:4}
group "g1" last={5 1} read=1 pending=0 consumers=0
group "g2" last={7 0} read=2 pending=0 consumers=0
group "g3" last={1 0} read=0 pending=0 consumers=0
group "g4" last={9 0} read=-1 pending=0 consumers=0
end`},
	{"stream without entries", 15, cat(0, 0, 0, 0, 1, str("g"), 0, 0, 0, 0),
		"begin stream KEY 0\ninfo {Length:0 LastID:{Ms:0 Seq:0} FirstID:{Ms:18446744073709551615 Seq:18446744073709551615} MaxDeletedID:{Ms:0 Seq:0} EntriesAdded:0 Groups:1}\n" +
			"group \"g\" last={0 0} read=0 pending=0 consumers=0\nend"},
	{"stream2", 19, cat(1, str(be(5, 1)), str(streamNode), 2, 7, 0, 5, 1, 5, 2, 3, 1,
		str("g"), 7, 0, 2, 2, be(5, 1), uint64(100), 1, be(7, 0), uint64(200), 3,
		2, str("c1"), uint64(500), 1, be(7, 0), str("c2"), uint64(600), 1, be(5, 1)),
		`begin stream KEY 1
streamnode 5-1 live=2 ["2" "1" "2" "f" "g" "0" "2" "0" "0" "v1" "v2" "5" "3" "0" "1" "x1" "x2" "5" "0" "2" "-1" "1" "own" "val" "6"]
info {Length:2 LastID:{Ms:7 Seq:0} FirstID:{Ms:5 Seq:1} MaxDeletedID:{Ms:5 Seq:2} EntriesAdded:3 Groups:1}
group "g" last={7 0} read=2 pending=2 consumers=2
consumer "c1" seen=500 active=500 pending=1
pending {ID:{Ms:7 Seq:0} DeliveryTime:200 DeliveryCount:3}
consumer "c2" seen=600 active=600 pending=1
pending {ID:{Ms:5 Seq:1} DeliveryTime:100 DeliveryCount:1}
end`},
	{"stream3", 21, cat(0, 0, 7, 0, 0, 0, 7, 0, 1, 1,
		str("g"), 7, 0, AppendLength(nil, math.MaxUint64), 1, be(7, 0), uint64(200), 3, 1, str("c"), uint64(500), uint64(math.MaxUint64), 1, be(7, 0)),
		`begin stream KEY 0
info {Length:0 LastID:{Ms:7 Seq:0} FirstID:{Ms:0 Seq:0} MaxDeletedID:{Ms:7 Seq:0} EntriesAdded:1 Groups:1}
group "g" last={7 0} read=-1 pending=1 consumers=1
consumer "c" seen=500 active=-1 pending=1
pending {ID:{Ms:7 Seq:0} DeliveryTime:200 DeliveryCount:3}
end`},
	{"module", 7, cat(moduleID("ReJSON-RL", 3), 1, 5, 2, 0x43, 0xe8, 3, "ffff", 4, "dddddddd", 5, str("text"), 5, 0xc2, "iiii", 5, 0xc3, 3, 9, "\x00a\xe0", 0),
		"module KEY ReJSON-RL 3"},
}

// record is a key of the RDB.
func record(code byte, key string, value []byte) []byte { return cat(int(code), str(key), value) }

func file(version string, records ...[]byte) []byte {
	return sealed(version + string(bytes.Join(records, nil)))
}

func TestEveryType(t *testing.T) {
	for _, c := range valueCases {
		for _, size := range []int{0, DefaultBufferSize} {
			var l logSink
			rdb := file("REDIS0012", record(c.code, "the key", c.value), record(0, "next", str("v")))
			// One byte at a time moves the buffer under every view.
			d := NewDecoderSize(&dripReader{p: rdb}, size)
			if err := d.Decode(&l); err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			want := strings.ReplaceAll(c.want, "KEY", `"the key"`) + "\nstring db=0 \"next\" exp=-1 idle=-1 freq=-1 \"v\""
			if l.text() != want {
				t.Errorf("%s:\n%s\nwant\n%s", c.name, l.text(), want)
			}
			if d.Stats().Keys != 2 {
				t.Errorf("%s: %+v", c.name, d.Stats())
			}
		}
	}
}

// dripReader gives one byte a time and fills the rest of the buffer with rubbish,
// so that a view which is used after its time shows.
type dripReader struct{ p []byte }

func (r *dripReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xdd
	}
	n := copy(b[:min(len(b), 1)], r.p)
	r.p = r.p[n:]
	return n, nil
}

// Values that need the buffer to grow or to move in the middle of a record.
func TestBigValuesInASmallBuffer(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1000)
	longKey := strings.Repeat("k", 900)
	rdb := file("REDIS0010",
		record(0, longKey, AppendString(nil, []byte(big), nil)),
		record(4, longKey, cat(2, str(longKey), AppendString(nil, []byte(big), nil), str("g"), AppendString(nil, []byte(big), new(Compressor)))),
		record(5, longKey, cat(1, str(longKey), math.Float64bits(1))),
		record(0, "small", str("v")))
	for _, chunk := range []int{1, 7, 511, 4096} {
		var l logSink
		d := NewDecoderSize(&chunkReader{rdb, chunk}, 0)
		if err := d.Decode(&l); err != nil {
			t.Fatalf("chunks of %d: %v", chunk, err)
		}
		want := fmt.Sprintf("string db=0 %q exp=-1 idle=-1 freq=-1 %q\nbegin hash %q 2\nfield %q %q -1\nfield \"g\" %q -1\nend\nbegin zset %q 1\nmember %q 1\nend\nstring db=0 \"small\" exp=-1 idle=-1 freq=-1 \"v\"",
			longKey, big, longKey, longKey, big, big, longKey, longKey)
		if l.text() != want {
			t.Fatalf("chunks of %d: %.300s", chunk, l.text())
		}
		if len(d.buf) > 64<<10 {
			t.Errorf("the buffer stayed at %d bytes", len(d.buf))
		}
	}
}

type chunkReader struct {
	p []byte
	n int
}

func (r *chunkReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xdd
	}
	n := copy(b[:min(len(b), r.n)], r.p)
	r.p = r.p[n:]
	return n, nil
}

func TestValkey(t *testing.T) {
	rdb := file("VALKEY080",
		cat(243, str("job-name"), 2, 0, 5, 10, 0x7f, 0xff),
		cat(244, 3, 4, 1),
		record(22, "k", cat(3, str("f"), str("v"), uint64(1000), str("g"), str("w"), uint64(math.MaxUint64), str("h"), str(strings.Repeat("x", 40)), uint64(5))))
	for _, size := range []int{0, 4096} {
		var l logSink
		d := NewDecoderSize(&dripReader{p: rdb}, size)
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		want := "slotimport \"job-name\" 0-5\nslotimport \"job-name\" 10-16383\nslot 3 4 1\nbegin hash \"k\" 3\nfield \"f\" \"v\" 1000\nfield \"g\" \"w\" -1\nfield \"h\" \"" + strings.Repeat("x", 40) + "\" 5\nend"
		if l.text() != want {
			t.Errorf("%s", l.text())
		}
		if v, valkey := d.Version(); v != 80 || !valkey {
			t.Error(v, valkey)
		}
	}
	// What Redis gave a meaning to and Valkey did not.
	for _, code := range []byte{23, 24, 25} {
		var ue *UnsupportedError
		if err := NewDecoder(bytes.NewReader(file("VALKEY080", record(code, "k", lpOf("a", "b", "0"))))).Decode(NopSink{}); !errors.As(err, &ue) || ue.Code != code {
			t.Errorf("type %d: %v", code, err)
		}
	}
	var ue *UnsupportedError
	if err := NewDecoder(bytes.NewReader(file("REDIS0012", cat(243, str("x"), 0)))).Decode(NopSink{}); !errors.As(err, &ue) {
		t.Errorf("op code 243 in an RDB of Redis: %v", err)
	}
	// The same value in a payload, whose version says whose numbering it is.
	p := AppendFooter(cat(22, 1, str("f"), str("v"), uint64(7)), 0, 80)
	var l logSink
	if err := DecodePayload(p, 0, []byte("k"), &l); err != nil || l.text() != "begin hash \"k\" 1\nfield \"f\" \"v\" 7\nend" {
		t.Errorf("%v, %s", err, l.text())
	}
}

func TestModuleAux(t *testing.T) {
	var l logSink
	rdb := file("REDIS0010", cat(247, moduleID("scdtype00", 1), 2, 2, 5, str("data"), 1, 9, 0), record(0, "k", str("v")))
	if err := NewDecoder(bytes.NewReader(rdb)).Decode(&l); err != nil || l.lines[0] != "moduleaux scdtype00 1 2" {
		t.Errorf("%v %s", err, l.text())
	}
	// A big string of a module is passed over, not held.
	huge := cat(int(rdbModule2), str("k"), moduleID("AAAAAAAAA", 0), 5, 0x80, 0, 0x40, 0, 0) // 4 MB
	d := NewDecoderSize(bytes.NewReader(file("REDIS0010", huge, make([]byte, 4<<20), []byte{0})), 4096)
	if err := d.Decode(NopSink{}); err != nil || len(d.buf) > 8192 || d.Stats().Modules != 1 {
		t.Errorf("%v, buffer %d", err, len(d.buf))
	}
}

func TestEmptyCollectionsAreSkipped(t *testing.T) {
	empty := map[string][]byte{
		"list": record(1, "k", []byte{0}), "set": record(2, "k", []byte{0}), "zset": record(3, "k", []byte{0}), "hash": record(4, "k", []byte{0}), "zset2": record(5, "k", []byte{0}),
		"zipmap": record(9, "k", str("\x00\xff")), "list ziplist": record(10, "k", zl()), "intset": record(11, "k", str("\x02\x00\x00\x00\x00\x00\x00\x00")),
		"zset ziplist": record(12, "k", zl()), "hash ziplist": record(13, "k", zl()), "quicklist": record(14, "k", []byte{0}), "quicklist of nothing": record(14, "k", cat(2, zl(), zl())),
		"hash listpack": record(16, "k", lpOf()), "zset listpack": record(17, "k", lpOf()), "quicklist2": record(18, "k", cat(1, 2, lpOf())), "set listpack": record(20, "k", lpOf()),
		"metadata": record(24, "k", cat(uint64(0), 0)), "listpackex": record(25, "k", cat(uint64(0), lpOf())),
	}
	for name, r := range empty {
		var l logSink
		d := NewDecoder(bytes.NewReader(file("REDIS0012", cat(252, uint64(5)), r, record(0, "next", str("v")))))
		if err := d.Decode(&l); err != nil || l.text() != `string db=0 "next" exp=-1 idle=-1 freq=-1 "v"` {
			t.Errorf("%s: %v\n%s", name, err, l.text())
		}
		if s := d.Stats(); s.EmptyKeys != 1 || s.Keys != 1 || s.Expires != 0 {
			t.Errorf("%s: %+v", name, s)
		}
		p := AppendFooter(cat(int(r[0]), r[3:]), 0, 12)
		if err := DecodePayload(p, 0, []byte("k"), NopSink{}); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s as a payload: %v", name, err)
		}
	}
}

func TestCorruptValues(t *testing.T) {
	stream := func(node []byte) []byte { return cat(1, str(be(5, 1)), str(node), 1, 5, 1, 0) }
	group := func(pel, consumers []byte) []byte { return cat(0, 0, 9, 0, 1, str("g"), 0, 0, pel, consumers) }
	one := cat(1, be(5, 1), uint64(1), 1)
	for name, c := range map[string]struct {
		code  byte
		value []byte
	}{
		"length encoding":             {1, cat(0x82, 1)},
		"encoding for a length":       {1, cat(0xc0, 1)},
		"string encoding":             {1, cat(1, 0xc4, 1)},
		"LZF length":                  {1, cat(1, 0xc3, 5, 11, "\x00a\xe0\x00\x00")},
		"LZF content":                 {1, cat(1, 0xc3, 5, 10, "\x00a\xe0\x00\x05")},
		"score text":                  {3, cat(1, str("a"), 3, "x.5")},
		"score hex":                   {3, cat(1, str("a"), 3, "0x5")},
		"score NaN":                   {3, cat(1, str("a"), 253)},
		"score NaN text":              {3, cat(1, str("a"), 3, "nan")},
		"score NaN binary":            {5, cat(1, str("a"), math.Float64bits(math.NaN()))},
		"set twice":                   {20, lpOf("a", "b", "a")},
		"set twice as integer":        {20, lpOf("12", "b", "12")},
		"zset odd":                    {17, lpOf("a", "1", "b")},
		"zset twice":                  {17, lpOf("a", "1", "a", "2")},
		"zset score":                  {17, lpOf("a", "one")},
		"zset score nan":              {17, lpOf("a", "nan")},
		"hash odd":                    {16, lpOf("a")},
		"hash twice":                  {16, lpOf("a", "1", "b", "1", "a", "1")},
		"hash ziplist odd":            {13, zl("a")},
		"hash ziplist twice":          {13, zl("a", "1", "a", "1")},
		"zipmap twice":                {9, str("\x02\x01a\x01\x00b\x01a\x01\x00c\xff")},
		"listpack":                    {16, str("\x09\x00\x00\x00\x02\x00\x01\x02\xff")},
		"quicklist container":         {18, cat(1, 3, lpOf("a"))},
		"quicklist node of nothing":   {18, cat(1, 1, 0)},
		"ziplist node":                {14, cat(1, str("\x0b\x00\x00\x00\x0a\x00\x00\x00\x01\x00\xff"))},
		"intset order":                {11, str(cat(2, 0, 0, 0, 2, 0, 0, 0, 7, 0, 7, 0))},
		"triples":                     {25, cat(uint64(0), lpOf("a", "b"))},
		"triples twice":               {25, cat(uint64(0), lpOf("a", "b", "1", "a", "c", "2"))},
		"triples order":               {25, cat(uint64(0), lpOf("a", "b", "2", "c", "d", "1"))},
		"triples zero first":          {25, cat(uint64(0), lpOf("a", "b", "0", "c", "d", "1"))},
		"triples text":                {25, cat(uint64(0), lpOf("a", "b", "x"))},
		"triples far":                 {25, cat(uint64(0), lpOf("a", "b", "281474976710656"))},
		"field expiry":                {24, cat(uint64(1)<<48, 1, 2, str("f"), str("v"))},
		"least field expiry":          {24, cat(uint64(1)<<50, 1, 0, str("f"), str("v"))},
		"field expiry wraps":          {24, cat(uint64(1000), 1, 0x81, "\xff\xff\xff\xff\xff\xff\xff\xff", str("f"), str("v"))},
		"stream key":                  {15, cat(1, str("short"), str(streamNode), 0, 0, 0, 0)},
		"stream node empty":           {15, stream(newLP())},
		"stream counts":               {15, stream(newLP("1", "x", "0", "0"))},
		"stream negative count":       {15, stream(newLP("-1", "1", "0", "0"))},
		"stream big count":            {15, stream(newLP("9223372036854775807", "9223372036854775807", "0", "0"))},
		"stream fields":               {15, stream(newLP("1", "0", "9", "0"))},
		"stream terminator":           {15, stream(newLP("0", "0", "1", "f", "1"))},
		"stream entry missing":        {15, stream(newLP("1", "0", "0", "0"))},
		"stream entry length":         {15, stream(newLP("1", "0", "1", "f", "0", "2", "0", "0", "v", "9"))},
		"stream entry values":         {15, stream(newLP("1", "0", "1", "f", "0", "0", "0", "0", "9", "v", "9"))},
		"stream entry order":          {15, stream(newLP("2", "0", "1", "f", "0", "2", "0", "0", "v", "4", "2", "0", "0", "v", "4"))},
		"stream entry before node":    {15, stream(newLP("1", "0", "1", "f", "0", "2", "-1", "0", "v", "4"))},
		"stream entries left":         {15, stream(newLP("0", "0", "1", "f", "0", "2", "0", "0", "v", "4"))},
		"stream nodes order":          {15, cat(2, str(be(5, 1)), str(streamNode), str(be(5, 1)), str(streamNode), 0, 0, 0, 0)},
		"stream nodes overlap":        {15, cat(2, str(be(5, 1)), str(streamNode), str(be(6, 0)), str(streamNode), 4, 9, 0, 0)},
		"stream last ID":              {15, cat(1, str(be(5, 1)), str(streamNode), 2, 6, 0, 0)},
		"stream length without nodes": {15, cat(0, 1, 0, 0, 0)},
		"group twice":                 {15, cat(0, 0, 9, 0, 2, str("g"), 0, 0, 0, 0, str("g"), 0, 0, 0, 0)},
		"pending twice":               {15, group(cat(2, be(5, 1), uint64(1), 1, be(5, 1), uint64(1), 1), []byte{0})},
		"pending of nobody":           {15, group(one, []byte{0})},
		"pending unknown":             {15, group([]byte{0}, cat(1, str("c"), uint64(0), 1, be(5, 1)))},
		"pending of two":              {15, group(one, cat(2, str("c"), uint64(0), 1, be(5, 1), str("d"), uint64(0), 1, be(5, 1)))},
		"consumer twice":              {15, group([]byte{0}, cat(2, str("c"), uint64(0), 0, str("c"), uint64(0), 0))},
		"module op code":              {7, cat(moduleID("AAAAAAAAA", 0), 6, 0)},
		"module pre GA":               {6, cat(1, 2)},
		"unknown type 8":              {8, nil},
		"unknown type 26":             {26, nil},
	} {
		rdb := file("REDIS0012", cat(254, 3), record(c.code, "the key", c.value), record(0, "next", str("v")))
		err := NewDecoder(bytes.NewReader(rdb)).Decode(NopSink{})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: accepted (%v)", name, err)
			continue
		}
		if errors.Is(err, ErrTruncated) {
			t.Errorf("%s: read past the value: %v", name, err)
		}
		var ue *UnsupportedError
		if e.DB != 3 || string(e.Key) != "the key" && !errors.As(err, &ue) || e.Offset < 11 || e.Offset > int64(len(rdb)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, op := range map[string][]byte{
		"database":           cat(254, 0x81, "\xff\xff\xff\xff\xff\xff\xff\xff"),
		"function pre GA":    cat(246, str("x")),
		"module aux":         cat(247, 1, 1, 1, 0),
		"unknown op":         cat(242),
		"encoded resize":     cat(251, 0xc0, 1),
		"aux string encoded": cat(250, 0xc9, 0),
	} {
		if err := NewDecoder(bytes.NewReader(file("REDIS0012", op, record(0, "next", str("v"))))).Decode(NopSink{}); err == nil || errors.Is(err, ErrTruncated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kitchenSink is a small file with every type and op code.
func kitchenSink() []byte {
	records := [][]byte{cat(250, str("redis-ver"), str("7.4.0")), cat(245, str("#!lua name=x")), cat(247, moduleID("AAAAAAAAA", 0), 2, 1, 0), cat(254, 1), cat(251, 3, 1), cat(244, 1, 2, 3)}
	for i, c := range valueCases {
		switch i % 4 {
		case 0:
			records = append(records, cat(252, uint64(4102444800000)))
		case 1:
			records = append(records, cat(253, 1, 0, 0, 0, 249, 7))
		case 2:
			records = append(records, cat(248, 50))
		}
		records = append(records, record(c.code, fmt.Sprint("key", i), c.value))
	}
	return file("REDIS0012", records...)
}

func TestEveryPrefix(t *testing.T) {
	rdb := kitchenSink()
	d := NewDecoderSize(nil, 0)
	for n := range rdb {
		d.Reset(bytes.NewReader(rdb[:n]))
		err := d.Decode(NopSink{})
		var e *Error
		if !errors.Is(err, ErrTruncated) || !errors.As(err, &e) || e.Offset > int64(n) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	d.Reset(bytes.NewReader(rdb))
	if err := d.Decode(newDigestSink()); err != nil || d.Stats().Keys != uint64(len(valueCases)) {
		t.Fatalf("%v, %+v", err, d.Stats())
	}
}

// With the checksum in place no flipped bit passes; without it none does harm.
func TestEveryFlippedBit(t *testing.T) {
	rdb := kitchenSink()
	d := NewDecoderSize(nil, 0)
	for i := range rdb {
		for bit := range 8 {
			b := slices.Clone(rdb)
			b[i] ^= 1 << bit
			d.Reset(bytes.NewReader(b))
			if err := d.Decode(NopSink{}); err == nil && i >= 9 {
				t.Fatalf("bit %d of byte %d flipped: accepted", bit, i)
			}
			clear(b[len(b)-8:])
			d.Reset(bytes.NewReader(b))
			err := d.Decode(newDigestSink())
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Fatal(err)
			}
		}
	}
}

// An error of the sink ends the decoding wherever it comes from.
func TestSinkErrorsPass(t *testing.T) {
	rdb := kitchenSink()
	var l logSink
	if err := NewDecoder(bytes.NewReader(rdb)).Decode(&l); err != nil {
		t.Fatal(err)
	}
	for n := range len(l.lines) {
		s := &failSink{after: n}
		err := NewDecoder(bytes.NewReader(rdb)).Decode(s)
		if !errors.Is(err, errFail) || s.calls != n+1 {
			t.Fatalf("call %d: %v after %d calls", n, err, s.calls)
		}
	}
}

var errFail = errors.New("the sink fails")

// failSink fails at one of its calls.
type failSink struct{ calls, after int }

func (s *failSink) call() error {
	if s.calls++; s.calls > s.after {
		return errFail
	}
	return nil
}

func (s *failSink) Aux(k, v []byte) error                            { return s.call() }
func (s *failSink) SelectDB(db int) error                            { return s.call() }
func (s *failSink) ResizeDB(a, b uint64) error                       { return s.call() }
func (s *failSink) SlotInfo(a, b, c uint64) error                    { return s.call() }
func (s *failSink) SlotImport(j []byte, f, l uint16) error           { return s.call() }
func (s *failSink) Function(c []byte) error                          { return s.call() }
func (s *failSink) ModuleAux(n string, v int, w uint64) error        { return s.call() }
func (s *failSink) String(m *Meta, v []byte) error                   { return s.call() }
func (s *failSink) Packed(m *Meta, p Packing, d []byte, n int) error { return s.call() }
func (s *failSink) Begin(m *Meta, n uint64) error                    { return s.call() }
func (s *failSink) ListNode(lp []byte, n int) error                  { return s.call() }
func (s *failSink) ListElement(v []byte) error                       { return s.call() }
func (s *failSink) SetMember(v []byte) error                         { return s.call() }
func (s *failSink) ZSetMember(v []byte, f float64) error             { return s.call() }
func (s *failSink) HashField(f, v []byte, at int64) error            { return s.call() }
func (s *failSink) StreamNode(id StreamID, lp []byte, n int) error   { return s.call() }
func (x *failSink) StreamInfo(s *StreamInfo) error                   { return x.call() }
func (s *failSink) StreamGroup(g *StreamGroup) error                 { return s.call() }
func (s *failSink) StreamConsumer(c *StreamConsumer) error           { return s.call() }
func (s *failSink) StreamPending(p *StreamPending) error             { return s.call() }
func (s *failSink) End() error                                       { return s.call() }
func (s *failSink) Module(m *Meta, n string, v int) error            { return s.call() }

// Once its storage has grown, decoding collections allocates nothing per key
// either (streams with groups aside).
func TestCollectionsAllocateNothing(t *testing.T) {
	var records [][]byte
	for i := range 200 {
		for _, c := range valueCases {
			if c.code != rdbModule2 && !strings.HasPrefix(c.name, "stream") {
				records = append(records, record(c.code, fmt.Sprint(c.name, i), c.value))
			}
		}
	}
	rdb := file("REDIS0012", records...)
	d := NewDecoder(nil)
	r := bytes.NewReader(nil)
	if n := testing.AllocsPerRun(5, func() {
		r.Reset(rdb)
		d.Reset(r)
		if err := d.Decode(NopSink{}); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations for %d keys", n, len(records))
	}
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&VersionError{Version: 13}, "RDB version 13 is too new: this server reads versions 1 to 12 of Redis and 80 of Valkey; follow a master of Redis 8.0 or older, or upgrade this server"},
		{&VersionError{Version: 0}, "RDB version 0 does not exist: the file is damaged or not an RDB"},
		{&VersionError{Version: 81, Valkey: true}, "RDB version 81 of Valkey is not supported: this server reads versions 1 to 12 of Redis and 80 of Valkey; follow a master of Valkey 9.0 or older, or upgrade this server"},
		{&UnsupportedError{Code: 6, Name: "x"}, "RDB type 6 (x) is not supported"},
		{&Error{Offset: 7, DB: -1, Err: ErrNotRDB}, "rdb: offset 7: " + ErrNotRDB.Error()},
		{&Error{Offset: 7, DB: 0, Key: []byte("a\n"), Err: ErrEmpty}, "rdb: offset 7, db 0, key \"a\\n\": collection without elements"},
		{&ChecksumError{Stored: 1, Computed: 2}, "RDB checksum mismatch: it says 0000000000000001, its bytes give 0000000000000002"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("%q", c.err.Error())
		}
	}
	if Type(99).String() != "unknown" || TypeStream.String() != "stream" {
		t.Error("names of types")
	}
}
