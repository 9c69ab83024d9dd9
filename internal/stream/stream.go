package stream

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// Flags of an entry of a node.
const (
	entryDeleted    = 1
	entrySameFields = 2
)

// Stream is the head of a stream. It holds no Go pointers: it lives in the
// record of its key and moves with it.
type Stream struct {
	nodes Tree // values: dict.Ref of the listpack

	// LastID is the greatest ID ever given; FirstID that of the first live
	// entry, 0-0 without one; MaxDeletedID the greatest that XDEL deleted.
	LastID, FirstID, MaxDeletedID ID
	// Length is the number of live entries, Added of all that ever were.
	Length, Added uint64

	groups dir
	walk   ID // where CompactStep is in the tree that it walks
}

// HeadSize is the bytes of a Stream, which a record must have room for.
const HeadSize = int(unsafe.Sizeof(Stream{}))

// At returns the stream whose head stands at p.
func At(p unsafe.Pointer) *Stream { return (*Stream)(p) }

// Init makes the head that of an empty stream.
func (s *Stream) Init() { *s = Stream{nodes: Tree{vsize: 8}} }

// Limits bound the nodes: stream-node-max-bytes and stream-node-max-entries;
// 0 is no limit.
type Limits struct{ NodeMaxBytes, NodeMaxEntries int }

// MaxEntry is what the fields and values of an entry, and a node, may have
// at most, bytes.
const MaxEntry = listpack.MaxSafeSize

// node returns the listpack of a node with the capacity of its block.
func node(a *dict.Arena, r dict.Ref) []byte {
	lp := a.Bytes(r, listpack.EmptySize)
	return a.Bytes(r, a.Usable(r))[:listpack.Size(lp)]
}

func intAt(lp []byte, p int) int64 {
	if b := lp[p]; b < 0x80 {
		return int64(b) // as most are: flags, counts, differences of times
	}
	return longAt(lp, p)
}

func longAt(lp []byte, p int) int64 {
	n, ok := listpack.GetInt(lp, p)
	if !ok {
		panic(fmt.Sprintf("stream: no integer at offset %d of a node of %d bytes", p, len(lp)))
	}
	return n
}

// master is what the master entry of a node says.
type master struct {
	live, deleted, fields int64
	names                 int // offset of the first field's name
}

func masterOf(lp []byte) (m master) {
	p := listpack.HeaderSize
	m.live = intAt(lp, p)
	p = listpack.Next(lp, p)
	m.deleted = intAt(lp, p)
	p = listpack.Next(lp, p)
	m.fields = intAt(lp, p)
	m.names = listpack.Next(lp, p)
	return m
}

// after returns the offset behind n elements from p on; -1 is the end.
func after(lp []byte, p int, n int64) int {
	if n == 0 {
		return p
	}
	return listpack.Advance(lp, p, int(n))
}

// sameFields tells whether the names in args are those of the master entry.
func (m *master) sameFields(lp []byte, args [][]byte) bool {
	if int(m.fields) != len(args)/2 {
		return false
	}
	p := m.names
	for i := 0; i < len(args); i += 2 {
		if !listpack.Equal(lp, p, args[i]) {
			return false
		}
		p = listpack.Next(lp, p)
	}
	return true
}

// Append adds an entry with an ID above LastID. args are its fields and values
// in turn, together not above MaxEntry bytes; they must not be views of the
// stream.
func (s *Stream) Append(a *dict.Arena, id ID, args [][]byte, lim Limits) {
	if !s.LastID.Less(id) {
		panic(fmt.Sprintf("stream: entry %v appended after %v", id, s.LastID))
	}
	total := 0
	for _, x := range args {
		total += len(x)
	}
	if !s.appendToLast(a, id, args, total, lim) {
		s.appendNode(a, id, args)
	}
	s.Length++
	s.Added++
	s.LastID = id
	if s.Length == 1 {
		s.FirstID = id
	}
}

// appendToLast adds the entry to the last node, unless that is full or there
// is none.
func (s *Stream) appendToLast(a *dict.Arena, id ID, args [][]byte, total int, lim Limits) bool {
	if s.nodes.n == 0 {
		return false
	}
	tail := leafAt(a, s.nodes.tail)
	i := int(tail.n) - 1
	first := tail.keys()[i]
	place := (*dict.Ref)(tail.val(i, 8))
	lp := node(a, *place)
	m := masterOf(lp)
	most := lim.NodeMaxBytes
	if most == 0 || most > MaxEntry {
		most = MaxEntry
	}
	if len(lp)+total >= most || (lim.NodeMaxEntries != 0 && m.live+m.deleted >= int64(lim.NodeMaxEntries)) {
		s.complete(a, place)
		return false
	}
	same := m.sameFields(lp, args)
	ms, seq := int64(id.Ms-first.Ms), int64(id.Seq-first.Seq)
	need := len(lp) + entrySize(ms, seq, args, same) + listpack.EntrySizeInt(m.live+1) - listpack.EntrySizeInt(m.live)
	if need > cap(lp) {
		*place = a.Realloc(*place, roomFor(need, most), len(lp))
		lp = node(a, *place)
	}
	n := int(binary.LittleEndian.Uint16(lp[4:]))
	lp = listpack.ReplaceInt(lp, listpack.HeaderSize, m.live+1)
	lp, k := appendEntry(lp[:len(lp)-1], ms, seq, args, same)
	listpack.Finish(lp, 0, n+k)
	return true
}

// roomFor is the capacity given to a node that must hold need bytes: half as
// much again, as long as it may grow that far.
func roomFor(need, most int) int { return max(need, min(need+need/2, most)) }

// complete gives back what a full node has left over.
func (s *Stream) complete(a *dict.Arena, place *dict.Ref) {
	r := *place
	have, size := a.Usable(r), listpack.Size(a.Bytes(r, listpack.EmptySize))
	if have-dict.RoundUp(size) <= have/16 {
		return
	}
	q := a.Alloc(size)
	copy(a.Bytes(q, size), a.Bytes(r, size))
	*place = q
	a.Free(r)
}

// entrySize is the bytes of an entry in a node.
func entrySize(ms, seq int64, args [][]byte, same bool) int {
	n := 2 + listpack.EntrySizeInt(ms) + listpack.EntrySizeInt(seq)
	nf := int64(len(args) / 2)
	if same {
		for i := 1; i < len(args); i += 2 {
			n += listpack.EntrySize(args[i])
		}
		return n + listpack.EntrySizeInt(nf+3)
	}
	n += listpack.EntrySizeInt(nf)
	for _, x := range args {
		n += listpack.EntrySize(x)
	}
	return n + listpack.EntrySizeInt(2*nf+4)
}

// appendEntry appends an entry and returns how many elements it took.
func appendEntry(dst []byte, ms, seq int64, args [][]byte, same bool) ([]byte, int) {
	nf := len(args) / 2
	flags := int64(0)
	if same {
		flags = entrySameFields
	}
	dst = listpack.AppendEntryInt(dst, flags)
	dst = listpack.AppendEntryInt(dst, ms)
	dst = listpack.AppendEntryInt(dst, seq)
	if same {
		for i := 1; i < len(args); i += 2 {
			dst = listpack.AppendEntry(dst, args[i])
		}
		return listpack.AppendEntryInt(dst, int64(nf+3)), nf + 4
	}
	dst = listpack.AppendEntryInt(dst, int64(nf))
	for _, x := range args {
		dst = listpack.AppendEntry(dst, x)
	}
	return listpack.AppendEntryInt(dst, int64(2*nf+4)), 2*nf + 5
}

// appendNode begins a node with the entry. It gets the room that the node
// before it needed, which is most often what it will need.
func (s *Stream) appendNode(a *dict.Arena, id ID, args [][]byte) {
	nf := len(args) / 2
	need := listpack.EmptySize + listpack.EntrySizeInt(1) + 2*listpack.EntrySizeInt(0) + listpack.EntrySizeInt(int64(nf)) +
		entrySize(0, 0, args, true)
	for i := 0; i < len(args); i += 2 {
		need += listpack.EntrySize(args[i])
	}
	room := need
	if s.nodes.n > 0 {
		tail := leafAt(a, s.nodes.tail)
		last := *(*dict.Ref)(tail.val(int(tail.n)-1, 8))
		room = max(need, listpack.Size(a.Bytes(last, listpack.EmptySize)))
	}
	r := a.Alloc(room)
	lp := listpack.Begin(a.Bytes(r, a.Usable(r))[:0])
	lp = listpack.AppendEntryInt(lp, 1)
	lp = listpack.AppendEntryInt(lp, 0)
	lp = listpack.AppendEntryInt(lp, int64(nf))
	for i := 0; i < len(args); i += 2 {
		lp = listpack.AppendEntry(lp, args[i])
	}
	lp = listpack.AppendEntryInt(lp, 0)
	lp, k := appendEntry(lp, 0, 0, args, true)
	listpack.Finish(lp, 0, 4+nf+k)
	s.addNode(a, id, r)
}

func (s *Stream) addNode(a *dict.Arena, id ID, r dict.Ref) {
	v, added := s.nodes.Insert(a, id)
	if !added {
		panic(fmt.Sprintf("stream: node %v is there twice", id))
	}
	*(*dict.Ref)(v) = r
}

// AppendNode adds a whole node with live entries that are not deleted, as an
// RDB has it: a valid node listpack, after all others. It is copied. The
// caller sets the counters and IDs of the head once all nodes are there.
func (s *Stream) AppendNode(a *dict.Arena, id ID, lp []byte, live int) {
	r := a.Alloc(len(lp))
	copy(a.Bytes(r, len(lp)), lp)
	s.addNode(a, id, r)
	s.Length += uint64(live)
}

// Nodes is the number of nodes.
func (s *Stream) Nodes() int { return s.nodes.Len() }

// EachNode calls fn with the first ID, the listpack and the number of live
// entries of each node until it returns false.
func (s *Stream) EachNode(a *dict.Arena, fn func(id ID, lp []byte, live int) bool) {
	for c := s.nodes.Seek(a, Min); c.Valid(); c.Next() {
		lp := node(a, *(*dict.Ref)(c.val(8)))
		if !fn(c.Key(), lp, int(intAt(lp, listpack.HeaderSize))) {
			return
		}
	}
}

// Exists tells whether the entry is there and not deleted.
func (s *Stream) Exists(a *dict.Arena, id ID) bool {
	it := s.Range(a, id, id, false)
	return it.Next()
}

// Delete deletes an entry; false when it is not there. The counters MaxDeletedID
// and FirstID follow.
func (s *Stream) Delete(a *dict.Arena, id ID) bool {
	it := s.Range(a, id, id, false)
	if !it.Next() {
		return false
	}
	lp := it.lp
	m := masterOf(lp)
	if m.live == 1 {
		r := *(*dict.Ref)(it.cur.val(8))
		s.nodes.Delete(a, it.cur.Key())
		a.Free(r)
	} else {
		flags := intAt(lp, it.at)
		listpack.ReplaceInt(lp, it.at, flags|entryDeleted)
		s.setCounts(a, (*dict.Ref)(it.cur.val(8)), m.live-1, m.deleted+1)
	}
	s.Length--
	if s.MaxDeletedID.Less(id) {
		s.MaxDeletedID = id
	}
	if id == s.FirstID {
		s.findFirst(a)
	}
	return true
}

// findFirst sets FirstID by what is there.
func (s *Stream) findFirst(a *dict.Arena) {
	s.FirstID = ID{}
	if s.Length == 0 {
		return
	}
	it := s.Range(a, Min, Max, false)
	if it.Next() {
		s.FirstID = it.ID
	}
}

// LastLive is the ID of the last live entry, 0-0 without one.
func (s *Stream) LastLive(a *dict.Arena) ID {
	it := s.Range(a, Min, Max, true)
	if it.Next() {
		return it.ID
	}
	return ID{}
}

// setCounts rewrites the two counters at the start of a node, which may take a
// few bytes more or less.
func (s *Stream) setCounts(a *dict.Arena, place *dict.Ref, live, deleted int64) {
	lp := node(a, *place)
	m := masterOf(lp)
	need := len(lp) + listpack.EntrySizeInt(live) + listpack.EntrySizeInt(deleted) -
		listpack.EntrySizeInt(m.live) - listpack.EntrySizeInt(m.deleted)
	if most := max(need, len(lp)+listpack.EntrySizeInt(live)-listpack.EntrySizeInt(m.live)); most > cap(lp) {
		*place = a.Realloc(*place, most, len(lp))
		lp = node(a, *place)
	}
	lp = listpack.ReplaceInt(lp, listpack.HeaderSize, live)
	listpack.ReplaceInt(lp, listpack.Next(lp, listpack.HeaderSize), deleted)
}

// Trim tells Stream.Trim what to remove.
type Trim struct {
	ByID   bool // entries below MinID, else all but the last MaxLen
	MaxLen int64
	MinID  ID
	Approx bool  // whole nodes only
	Limit  int64 // look at nodes of at most so many entries together; 0 at all
}

// Trim removes entries from the start and returns how many.
func (s *Stream) Trim(a *dict.Arena, t Trim) int64 {
	gone, first := int64(0), ID{}
	for s.nodes.n > 0 {
		if !t.ByID && int64(s.Length) <= t.MaxLen {
			break
		}
		head := leafAt(a, s.nodes.head)
		id := head.keys()[0]
		place := (*dict.Ref)(head.val(0, 8))
		lp := node(a, *place)
		live := intAt(lp, listpack.HeaderSize)
		if t.Limit != 0 && gone+live > t.Limit {
			break
		}
		whole := int64(s.Length)-live >= t.MaxLen
		if t.ByID {
			whole = lastOf(lp, id).Less(t.MinID)
		}
		if whole {
			r := *place
			s.nodes.Delete(a, id)
			a.Free(r)
			s.Length -= uint64(live)
			gone += live
			continue
		}
		if !t.Approx {
			var n int64
			n, first = s.trimNode(a, place, id, t)
			gone += n
		}
		break
	}
	switch {
	case s.Length == 0, gone > 0 && first.IsZero():
		s.findFirst(a)
	case gone > 0:
		s.FirstID = first
	}
	return gone
}

// lastOf returns the ID of the last entry of a node, deleted or not; that of the
// node itself when it has no entries, as one from an RDB may.
func lastOf(lp []byte, first ID) ID {
	p := listpack.Last(lp)
	k := intAt(lp, p)
	if k == 0 {
		return first
	}
	for ; k > 0; k-- {
		p = listpack.Prev(lp, p)
	}
	p = listpack.Next(lp, p)
	ms := intAt(lp, p)
	return ID{first.Ms + uint64(ms), first.Seq + uint64(intAt(lp, listpack.Next(lp, p)))}
}

// trimNode marks entries at the start of the first node as deleted and returns how many, and the ID of the first entry that
// is left in the node, 0-0 if none is.
func (s *Stream) trimNode(a *dict.Arena, place *dict.Ref, base ID, t Trim) (gone int64, first ID) {
	lp := node(a, *place)
	m := masterOf(lp)
	for p := listpack.Next(lp, after(lp, m.names, m.fields)); p >= 0; {
		at := p
		flags := intAt(lp, p)
		p = listpack.Next(lp, p)
		ms := intAt(lp, p)
		p = listpack.Next(lp, p)
		seq := intAt(lp, p)
		p = listpack.Next(lp, p)
		if flags&entryDeleted == 0 {
			id := ID{base.Ms + uint64(ms), base.Seq + uint64(seq)}
			if t.ByID && !id.Less(t.MinID) || !t.ByID && int64(s.Length) <= t.MaxLen {
				first = id
				break
			}
			listpack.ReplaceInt(lp, at, flags|entryDeleted)
			gone++
			s.Length--
		}
		skip := m.fields
		if flags&entrySameFields == 0 {
			skip = 1 + 2*intAt(lp, p)
		}
		p = listpack.Next(lp, after(lp, p, skip))
	}
	if gone > 0 {
		s.setCounts(a, place, m.live-gone, m.deleted+gone)
	}
	return gone, first
}
