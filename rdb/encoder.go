package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/crc64"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Encoder writes an RDB (NewEncoder) or the payload of a DUMP (StartDump). It is
// a Sink: what a Decoder reads can be fed to it as it is, and the keyspace feeds
// it the same way. Call
//
//	Header, then any Sink method …, then Close
//
// Where a Decoder claims, an Encoder must be told the truth: the n of Begin is
// the number of elements or nodes that follow exactly. A mismatch is an error at
// End. A list that arrives by Begin is written node by node: pack small elements
// into listpacks and pass big ones alone to ListElement.
//
// Errors of the writer stick and are returned by every later call.
type Encoder struct {
	w       io.Writer
	buf     []byte
	start   int // where a DUMP payload begins in buf
	dump    bool
	crc     uint64
	written int64
	err     error
	version int
	comp    *Compressor

	fragment bool // see Fragment
	noSum    bool

	typ    Type
	code   byte
	left   uint64
	inside bool
	rest   int // bytes of a string that comes in parts
	stream streamEncoder
	tmp    []byte
}

var _ Sink = (*Encoder)(nil)

// streamEncoder holds a consumer group until all of it is known: its pending
// entries are written before its consumers, but arrive with them.
type streamEncoder struct {
	groups    uint64
	consumers uint64
	pending   uint64 // of the current consumer, still to come
	group     bool
	name      []byte
	g         StreamGroup
	pel       []StreamPending
	body      []byte // the consumers, encoded
	info      bool
}

const flushSize = 64 << 10

// NewEncoder returns an encoder that writes to w an RDB of the given version: 10
// (Redis 7.0; DumpVersion), 11 (7.2, Valkey 7.2 and 8) or 12 (7.4). compress
// turns LZF compression on, as Redis's rdbcompression.
func NewEncoder(w io.Writer, version int, compress bool) *Encoder {
	if err := CheckVersion(version); err != nil {
		panic(err)
	}
	e := &Encoder{w: w, version: version}
	if compress {
		e.comp = new(Compressor)
	}
	return e
}

// SetDumpVersion changes the version of the payloads that StartDump begins: 10
// to 12.
func (e *Encoder) SetDumpVersion(version int) { e.version = version }

// StartDump makes the encoder append the payload of a DUMP of one value to dst;
// after the value, FinishDump returns it. Keys and expiries are not part of a
// payload and are left out. Use an encoder made with a nil writer.
func (e *Encoder) StartDump(dst []byte) {
	*e = Encoder{version: e.version, comp: e.comp, tmp: e.tmp, buf: dst, start: len(dst), dump: true}
}

// FinishDump completes the payload and returns the buffer it was appended to.
func (e *Encoder) FinishDump() ([]byte, error) {
	if e.err == nil && e.inside {
		e.err = fmt.Errorf("rdb: the value is not complete")
	}
	if e.err != nil {
		return e.buf[:e.start], e.err
	}
	return AppendFooter(e.buf, e.start, uint16(e.version)), nil
}

// Header writes the magic and version.
func (e *Encoder) Header() error {
	e.buf = fmt.Appendf(e.buf, "REDIS%04d", e.version)
	return e.flush(false)
}

// Close writes the EOF marker and the checksum and flushes. It does not close
// the writer.
func (e *Encoder) Close() error {
	if e.inside {
		return e.fail("a value is not complete")
	}
	e.buf = append(e.buf, opEOF)
	if err := e.flush(true); err != nil {
		return err
	}
	e.buf = binary.LittleEndian.AppendUint64(e.buf, e.crc)
	return e.flush(true)
}

// Offset returns how many bytes the RDB has so far.
func (e *Encoder) Offset() int64 { return e.written + int64(len(e.buf)-e.start) }

func (e *Encoder) flush(force bool) error {
	if e.err != nil || e.dump || e.fragment || len(e.buf) < flushSize && !force {
		return e.err
	}
	if !e.noSum {
		e.crc = crc64.Update(e.crc, e.buf)
	}
	_, e.err = e.w.Write(e.buf)
	e.written += int64(len(e.buf))
	e.buf = e.buf[:0]
	return e.err
}

func (e *Encoder) fail(format string, a ...any) error {
	if e.err == nil {
		e.err = fmt.Errorf("rdb: "+format, a...)
	}
	return e.err
}

func (e *Encoder) str(s []byte) { e.buf = AppendString(e.buf, s, e.comp) }

func (e *Encoder) lengths(n ...uint64) {
	for _, v := range n {
		e.buf = AppendLength(e.buf, v)
	}
}

// Aux implements Sink.
func (e *Encoder) Aux(key, value []byte) error {
	e.buf = append(e.buf, opAux)
	e.str(key)
	e.str(value)
	return e.flush(false)
}

// SelectDB implements Sink.
func (e *Encoder) SelectDB(db int) error {
	e.buf = append(e.buf, opSelectDB)
	e.lengths(uint64(db))
	return e.flush(false)
}

// ResizeDB implements Sink.
func (e *Encoder) ResizeDB(keys, expires uint64) error {
	e.buf = append(e.buf, opResizeDB)
	e.lengths(keys, expires)
	return e.flush(false)
}

// SlotInfo implements Sink. It is a hint that versions before 12 do not know:
// there it is left out.
func (e *Encoder) SlotInfo(slot, keys, expires uint64) error {
	if e.version < 12 {
		return e.err
	}
	e.buf = append(e.buf, opSlotInfo)
	e.lengths(slot, keys, expires)
	return e.flush(false)
}

// SlotImport implements Sink. Only Valkey 9 has it, whose RDBs are not written.
func (e *Encoder) SlotImport(job []byte, first, last uint16) error {
	return e.fail("the import of slots %d-%d cannot be written to an RDB of version %d", first, last, e.version)
}

// Function implements Sink.
func (e *Encoder) Function(code []byte) error {
	e.buf = append(e.buf, opFunction2)
	e.str(code)
	return e.flush(false)
}

// ModuleAux implements Sink. A decoder skips the data, so it cannot be written.
func (e *Encoder) ModuleAux(name string, version int, when uint64) error {
	return e.fail("data of module type %s cannot be written", name)
}

// Module implements Sink. A decoder skips the value, so it cannot be written.
func (e *Encoder) Module(m *Meta, name string, version int) error {
	return e.fail("key %.64q: a value of module type %s cannot be written", m.Key, name)
}

// head writes all of a key that precedes its value.
func (e *Encoder) head(m *Meta, code byte) bool {
	if e.err != nil {
		return false
	}
	if e.inside {
		e.fail("key %.64q begins within another", m.Key)
		return false
	}
	if e.dump {
		e.buf = append(e.buf, code)
		return true
	}
	if m.ExpireAt != -1 {
		e.buf = AppendMillis(append(e.buf, opExpireTimeMS), m.ExpireAt)
	}
	if m.Idle >= 0 {
		e.buf = AppendLength(append(e.buf, opIdle), uint64(m.Idle))
	}
	if m.Freq >= 0 {
		e.buf = append(e.buf, opFreq, byte(m.Freq))
	}
	e.buf = append(e.buf, code)
	e.str(m.Key)
	return true
}

// String implements Sink.
func (e *Encoder) String(m *Meta, v []byte) error {
	if e.head(m, rdbString) {
		e.str(v)
	}
	return e.flush(false)
}

// Packed implements Sink. What the version has no packed form for is written
// element by element; field expiries need version 12.
func (e *Encoder) Packed(m *Meta, p Packing, data []byte, n int) error {
	var code byte
	switch {
	case p == Intset && m.Type == TypeSet:
		code = rdbSetIntset
	case p == ListpackEx && m.Type == TypeHash:
		if e.version < 12 {
			return e.fail("key %.64q: expiries of hash fields need RDB version 12, this one is %d", m.Key, e.version)
		}
		code = rdbHashListpackEx
	case p != Listpack:
		return e.fail("key %.64q: packing %d of a %v", m.Key, p, m.Type)
	case m.Type == TypeHash:
		code = rdbHashListpack
	case m.Type == TypeZSet:
		code = rdbZSetListpack
	case m.Type == TypeSet:
		if e.version < 11 {
			return e.unpackedSet(m, data, n)
		}
		code = rdbSetListpack
	case m.Type == TypeList:
		if e.head(m, rdbListQuicklist2) {
			e.lengths(1, nodePacked)
			e.str(data)
		}
		return e.flush(false)
	default:
		return e.fail("key %.64q: a packed %v", m.Key, m.Type)
	}
	if e.head(m, code) {
		if code == rdbHashListpackEx {
			e.buf = AppendMillis(e.buf, leastExpiry(data))
		}
		e.str(data)
	}
	return e.flush(false)
}

// leastExpiry returns the least expiry in a listpack of triples, 0 for none.
func leastExpiry(lp []byte) int64 {
	p := nextElement(lp, listpack.First(lp), 2)
	if p < 0 {
		return 0
	}
	v, _ := listpack.GetInt(lp, p)
	return v
}

func (e *Encoder) unpackedSet(m *Meta, lp []byte, n int) error {
	if e.head(m, rdbSet) {
		e.lengths(uint64(n))
		var buf listpack.IntBuf
		for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
			e.str(listpack.Get(lp, p, &buf))
		}
	}
	return e.flush(false)
}

// SetOfIntset writes an intset member by member: what Redis does for a set that
// outgrew set-max-intset-entries.
func (e *Encoder) SetOfIntset(m *Meta, data []byte) error {
	if e.head(m, rdbSet) {
		n := intset.Len(data)
		e.lengths(uint64(n))
		for i := range n {
			e.tmp = fmt.Append(e.tmp[:0], intset.Get(data, i))
			e.str(e.tmp)
		}
	}
	return e.flush(false)
}

// Begin implements Sink; n is exact here. A hash whose fields may expire must
// have been read from such a hash (Meta.Code says so) or be begun by
// BeginHashTTL.
func (e *Encoder) Begin(m *Meta, n uint64) error {
	var code byte
	switch m.Type {
	case TypeList:
		code = rdbListQuicklist2
	case TypeSet:
		code = rdbSet
	case TypeZSet:
		code = rdbZSet2
	case TypeHash:
		if m.Code == rdbHashMetadata || m.Code == rdbHashMetadataPreGA {
			return e.BeginHashTTL(m, n)
		}
		code = rdbHash
	case TypeStream:
		code = rdbStreamListpacks2
		if e.version >= 11 {
			code = rdbStreamListpacks3
		}
	default:
		return e.fail("key %.64q: a %v in parts", m.Key, m.Type)
	}
	e.begin(m, code, n)
	return e.flush(false)
}

// BeginHashTTL is Begin for a hash some of whose fields expire. It needs
// version 12.
func (e *Encoder) BeginHashTTL(m *Meta, n uint64) error {
	if e.version < 12 {
		return e.fail("key %.64q: expiries of hash fields need RDB version 12, this one is %d", m.Key, e.version)
	}
	e.begin(m, rdbHashMetadata, n)
	return e.flush(false)
}

func (e *Encoder) begin(m *Meta, code byte, n uint64) {
	if !e.head(m, code) {
		return
	}
	if code == rdbHashMetadata {
		// Expiries are stored relative to this; 0 makes them absolute, plus 1.
		e.buf = AppendMillis(e.buf, 0)
	}
	e.lengths(n)
	e.typ, e.code, e.left, e.inside = m.Type, code, n, true
	e.stream = streamEncoder{pel: e.stream.pel[:0], body: e.stream.body[:0], name: e.stream.name}
}

// part checks that an element of the type t may come now.
func (e *Encoder) part(t Type) bool {
	switch {
	case e.err != nil:
		return false
	case !e.inside || e.typ != t:
		e.fail("an element of a %v outside of one", t)
		return false
	case e.left == 0:
		e.fail("more elements than Begin was told")
		return false
	}
	e.left--
	return true
}

// ListNode implements Sink.
func (e *Encoder) ListNode(lp []byte, n int) error {
	if e.part(TypeList) {
		e.lengths(nodePacked)
		e.str(lp)
	}
	return e.flush(false)
}

// ListElement implements Sink.
func (e *Encoder) ListElement(v []byte) error {
	if e.part(TypeList) {
		if len(v) == 0 {
			// A plain node of no bytes is refused by those who read it.
			e.tmp = listpack.Append(listpack.AppendEmpty(e.tmp[:0]), v)
			e.lengths(nodePacked)
			e.str(e.tmp)
		} else {
			e.lengths(nodePlain)
			e.str(v)
		}
	}
	return e.flush(false)
}

// SetMember implements Sink.
func (e *Encoder) SetMember(v []byte) error {
	if e.part(TypeSet) {
		e.str(v)
	}
	return e.flush(false)
}

// ZSetMember implements Sink.
func (e *Encoder) ZSetMember(v []byte, score float64) error {
	if e.part(TypeZSet) {
		e.str(v)
		e.buf = AppendDouble(e.buf, score)
	}
	return e.flush(false)
}

// HashField implements Sink.
func (e *Encoder) HashField(field, value []byte, expireAt int64) error {
	if e.part(TypeHash) {
		if e.code == rdbHashMetadata {
			ttl := uint64(0)
			if expireAt >= 0 {
				ttl = uint64(expireAt) + 1
			}
			e.lengths(ttl)
		} else if expireAt != -1 {
			return e.fail("an expiry of field %.64q in a hash that was begun without", field)
		}
		e.str(field)
		e.str(value)
	}
	return e.flush(false)
}

// End implements Sink.
func (e *Encoder) End() error {
	if e.err != nil {
		return e.err
	}
	if !e.inside {
		return e.fail("End without Begin")
	}
	if e.typ == TypeStream {
		e.finishGroup()
		if !e.stream.info || e.stream.groups != 0 {
			e.fail("the stream is not complete: %d consumer groups are missing", e.stream.groups)
		}
	}
	if e.left != 0 {
		e.fail("%d elements fewer than Begin was told", e.left)
	}
	e.inside = false
	return e.flush(false)
}

// StreamNode implements Sink.
func (e *Encoder) StreamNode(id StreamID, lp []byte, live int) error {
	if e.part(TypeStream) {
		e.buf = append(e.buf, 16)
		e.buf = appendStreamID(e.buf, id)
		e.str(lp)
	}
	return e.flush(false)
}

func appendStreamID(dst []byte, id StreamID) []byte {
	dst = binary.BigEndian.AppendUint64(dst, id.Ms)
	return binary.BigEndian.AppendUint64(dst, id.Seq)
}

func (e *Encoder) inStream() bool {
	if e.err == nil && (!e.inside || e.typ != TypeStream) {
		e.fail("a part of a stream outside of one")
	}
	return e.err == nil
}

// StreamInfo implements Sink.
func (e *Encoder) StreamInfo(s *StreamInfo) error {
	if !e.inStream() {
		return e.err
	}
	e.lengths(s.Length, s.LastID.Ms, s.LastID.Seq, s.FirstID.Ms, s.FirstID.Seq, s.MaxDeletedID.Ms, s.MaxDeletedID.Seq, s.EntriesAdded, s.Groups)
	e.stream.groups, e.stream.info = s.Groups, true
	return e.flush(false)
}

// StreamGroup implements Sink.
func (e *Encoder) StreamGroup(g *StreamGroup) error {
	if !e.inStream() {
		return e.err
	}
	e.finishGroup()
	st := &e.stream
	if st.groups == 0 {
		return e.fail("consumer group %.64q is more than was told", g.Name)
	}
	st.groups--
	st.group = true
	st.g = *g
	st.name = append(st.name[:0], g.Name...)
	st.pel, st.body = st.pel[:0], st.body[:0]
	st.consumers, st.pending = g.Consumers, 0
	return e.err
}

// StreamConsumer implements Sink.
func (e *Encoder) StreamConsumer(c *StreamConsumer) error {
	if !e.inStream() {
		return e.err
	}
	st := &e.stream
	if st.consumers == 0 || st.pending != 0 {
		return e.fail("consumer %.64q comes after %d too few pending entries, %d consumers were left", c.Name, st.pending, st.consumers)
	}
	st.consumers--
	st.pending = c.Pending
	st.body = AppendString(st.body, c.Name, e.comp)
	st.body = AppendMillis(st.body, c.SeenTime)
	if e.version >= 11 {
		st.body = AppendMillis(st.body, c.ActiveTime)
	}
	st.body = AppendLength(st.body, c.Pending)
	return e.err
}

// StreamPending implements Sink.
func (e *Encoder) StreamPending(p *StreamPending) error {
	if !e.inStream() {
		return e.err
	}
	st := &e.stream
	if st.pending == 0 {
		return e.fail("pending entry %d-%d is more than was told", p.ID.Ms, p.ID.Seq)
	}
	st.pending--
	st.pel = append(st.pel, *p)
	st.body = appendStreamID(st.body, p.ID)
	return e.err
}

// finishGroup writes the group that was collected.
func (e *Encoder) finishGroup() {
	st := &e.stream
	if e.err != nil || !st.group {
		return
	}
	st.group = false
	if st.consumers != 0 || st.pending != 0 || uint64(len(st.pel)) != st.g.Pending {
		e.fail("consumer group %.64q: %d consumers and %d pending entries are missing, %d of %d pending entries came",
			st.name, st.consumers, st.pending, len(st.pel), st.g.Pending)
		return
	}
	slices.SortFunc(st.pel, func(a, b StreamPending) int { return a.ID.compare(b.ID) })
	e.str(st.name)
	e.lengths(st.g.LastID.Ms, st.g.LastID.Seq, uint64(st.g.EntriesRead), st.g.Pending)
	for i := range st.pel {
		e.buf = appendStreamID(e.buf, st.pel[i].ID)
		e.buf = AppendMillis(e.buf, st.pel[i].DeliveryTime)
		e.buf = AppendLength(e.buf, st.pel[i].DeliveryCount)
	}
	e.lengths(st.g.Consumers)
	e.buf = append(e.buf, st.body...)
}
