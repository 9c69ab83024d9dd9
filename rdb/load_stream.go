package rdb

import (
	"cmp"
	"math"
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// A stream in an RDB:
//
//	nodes, (first ID, listpack)…, length, last ID
//	[first ID, greatest deleted ID, entries ever added]       since version 2 of the type
//	groups, (name, last ID, [entries read],                   since version 2
//	         pending, (ID, time, count)…,
//	         consumers, (name, seen time, [active time],      since version 3
//	                     pending, ID…)…)…
//
// The pending entries of a group come before its consumers, who then claim
// them by ID. The decoder holds those of one group (32 bytes each) until their
// owners are known, so that the sink gets each with its consumer.
//
// A node's listpack:
//
//	live, deleted, fields, field…, 0                          the master entry
//	flags, ms delta, seq delta, [fields, field, value…] | value…, number of entries before this
//	…

const (
	streamFlagDeleted    = 1
	streamFlagSameFields = 2
)

type pelEntry struct {
	StreamPending
	owned bool
}

func (a StreamID) compare(b StreamID) int {
	if c := cmp.Compare(a.Ms, b.Ms); c != 0 {
		return c
	}
	return cmp.Compare(a.Seq, b.Seq)
}

func (d *Decoder) streamID() (id StreamID, err error) {
	if id.Ms, err = d.count(); err != nil {
		return id, err
	}
	id.Seq, err = d.count()
	return id, err
}

func (d *Decoder) loadStream(code byte) error {
	nodes, err := d.count()
	if err != nil {
		return err
	}
	if err := d.begin(nodes); err != nil {
		return err
	}
	var walk streamWalk
	for i := range nodes {
		at := d.offset()
		k, err := d.value()
		if err != nil {
			return err
		}
		if len(k) != 16 {
			return &offsetError{at, corrupt("the key of a stream's node has %d bytes", len(k))}
		}
		id := streamID(k)
		if i > 0 && !walk.node.Less(id) {
			return &offsetError{at, corrupt("stream node %d-%d after %d-%d", id.Ms, id.Seq, walk.node.Ms, walk.node.Seq)}
		}
		walk.node = id
		at = d.offset()
		v, err := d.value()
		if err != nil {
			return err
		}
		n, err := listpack.Validate(v)
		if err == nil {
			err = walk.entries(v, n)
		}
		if err != nil {
			return &offsetError{at, err}
		}
		if err := d.sink.StreamNode(id, v, walk.live); err != nil {
			return err
		}
	}
	var s StreamInfo
	if s.Length, err = d.count(); err != nil {
		return err
	}
	if s.LastID, err = d.streamID(); err != nil {
		return err
	}
	if code >= rdbStreamListpacks2 {
		if s.FirstID, err = d.streamID(); err != nil {
			return err
		}
		if s.MaxDeletedID, err = d.streamID(); err != nil {
			return err
		}
		if s.EntriesAdded, err = d.count(); err != nil {
			return err
		}
	} else {
		// What an old RDB does not say is set as Redis sets it.
		s.EntriesAdded = s.Length
		s.FirstID = StreamID{math.MaxUint64, math.MaxUint64}
		if walk.any {
			s.FirstID = walk.first
		}
	}
	if s.Length > 0 && nodes == 0 {
		return corrupt("a stream of %d entries without nodes", s.Length)
	}
	if walk.seen && s.LastID.Less(walk.last) {
		return corrupt("the stream's last ID %d-%d is before its last entry %d-%d", s.LastID.Ms, s.LastID.Seq, walk.last.Ms, walk.last.Seq)
	}
	if s.Groups, err = d.count(); err != nil {
		return err
	}
	if err := d.sink.StreamInfo(&s); err != nil {
		return err
	}
	if err := d.streamGroups(code, &s); err != nil {
		return err
	}
	return d.sink.End()
}

// streamWalk goes over the entries of one node after the other.
type streamWalk struct {
	node  StreamID // of the current node
	last  StreamID // of the last entry, live or deleted
	first StreamID // of the first live entry
	seen  bool     // last is set
	any   bool     // first is set
	live  int      // live entries of the current node
}

// lpReader reads entries of a valid listpack one after the other.
type lpReader struct {
	lp   []byte
	p    int
	left int
}

func (r *lpReader) skip(n int64) bool {
	if n < 0 || n > int64(r.left) {
		return false
	}
	for ; n > 0; n-- {
		r.p = listpack.Next(r.lp, r.p)
		r.left--
	}
	return true
}

func (r *lpReader) int() (int64, bool) {
	if r.left == 0 {
		return 0, false
	}
	v, ok := listpack.GetInt(r.lp, r.p)
	return v, ok && r.skip(1)
}

// entries checks a node whose listpack has n entries and is valid as such.
func (w *streamWalk) entries(lp []byte, n int) error {
	bad := func(what string) error {
		return corrupt("node %d-%d of the stream: %s", w.node.Ms, w.node.Seq, what)
	}
	r := lpReader{lp, listpack.First(lp), n}
	count, ok1 := r.int()
	deleted, ok2 := r.int()
	fields, ok3 := r.int()
	if !ok1 || !ok2 || !ok3 || count < 0 || deleted < 0 || fields < 0 ||
		count > int64(n) || deleted > int64(n) {
		return bad("its counts are missing or impossible")
	}
	if !r.skip(fields) {
		return bad("fewer field names than it says")
	}
	if zero, ok := r.int(); !ok || zero != 0 {
		return bad("its master entry does not end with 0")
	}
	w.live = 0
	for k := count + deleted; k > 0; k-- {
		flags, ok1 := r.int()
		ms, ok2 := r.int()
		seq, ok3 := r.int()
		if !ok1 || !ok2 || !ok3 {
			return bad("fewer entries than it says")
		}
		id := StreamID{w.node.Ms + uint64(ms), w.node.Seq + uint64(seq)}
		if w.seen && !w.last.Less(id) || id.Less(w.node) {
			return bad("entries out of order")
		}
		w.last, w.seen = id, true
		values, total := fields, fields+3
		if flags&streamFlagSameFields == 0 {
			f, ok := r.int()
			if !ok || f < 0 || f > int64(n) {
				return bad("an entry without its number of fields")
			}
			values, total = 2*f, 2*f+4
		}
		if !r.skip(values) {
			return bad("an entry with fewer values than it says")
		}
		if c, ok := r.int(); !ok || c != total {
			return bad("an entry whose length does not match")
		}
		if flags&streamFlagDeleted == 0 {
			w.live++
			if !w.any {
				w.first, w.any = id, true
			}
		}
	}
	if r.left != 0 {
		return bad("more entries than it says")
	}
	return nil
}

// fresh remembers a name and tells whether it is new in this collection.
func (d *Decoder) fresh(name []byte) bool {
	if _, ok := d.work.names[string(name)]; ok {
		return false
	}
	d.work.names[string(name)] = struct{}{}
	return true
}

func (d *Decoder) streamGroups(code byte, s *StreamInfo) error {
	groups := map[string]struct{}{}
	for range s.Groups {
		var g StreamGroup
		if err := d.pinned(&d.fld); err != nil {
			return err
		}
		if _, dup := groups[string(d.fld.b)]; dup {
			return corrupt("consumer group %.64q occurs twice", d.fld.b)
		}
		groups[string(d.fld.b)] = struct{}{}
		var err error
		if g.LastID, err = d.streamID(); err != nil {
			return err
		}
		if code >= rdbStreamListpacks2 {
			n, err := d.count()
			if err != nil {
				return err
			}
			g.EntriesRead = int64(n)
		} else {
			g.EntriesRead = s.entriesReadAt(g.LastID)
		}
		if err := d.streamPEL(); err != nil {
			return err
		}
		g.Pending = uint64(len(d.work.pel))
		if g.Consumers, err = d.count(); err != nil {
			return err
		}
		g.Name = d.fld.b
		if err := d.sink.StreamGroup(&g); err != nil {
			return err
		}
		d.fld.live = false
		if err := d.streamConsumers(code, &g); err != nil {
			return err
		}
	}
	return nil
}

// streamPEL reads the pending entries of a group into the workspace, sorted.
func (d *Decoder) streamPEL() error {
	d.work.pel = d.work.pel[:0]
	n, err := d.count()
	if err != nil {
		return err
	}
	sorted := true
	for range n {
		p, err := d.take(16)
		if err != nil {
			return err
		}
		e := pelEntry{}
		e.ID = streamID(p)
		t, err := d.uint64()
		if err != nil {
			return err
		}
		e.DeliveryTime = int64(t)
		if e.DeliveryCount, err = d.count(); err != nil {
			return err
		}
		if k := len(d.work.pel); k > 0 && !d.work.pel[k-1].ID.Less(e.ID) {
			sorted = false
		}
		d.work.pel = append(d.work.pel, e)
	}
	if sorted {
		return nil
	}
	slices.SortFunc(d.work.pel, func(a, b pelEntry) int { return a.ID.compare(b.ID) })
	for i := 1; i < len(d.work.pel); i++ {
		if id := d.work.pel[i].ID; id == d.work.pel[i-1].ID {
			return corrupt("pending entry %d-%d occurs twice in its group", id.Ms, id.Seq)
		}
	}
	return nil
}

func (d *Decoder) streamConsumers(code byte, g *StreamGroup) error {
	if d.work.names == nil {
		d.work.names = map[string]struct{}{}
	}
	clear(d.work.names)
	owned := 0
	for range g.Consumers {
		var c StreamConsumer
		if err := d.pinned(&d.fld); err != nil {
			return err
		}
		if !d.fresh(d.fld.b) {
			return corrupt("consumer %.64q occurs twice", d.fld.b)
		}
		t, err := d.uint64()
		if err != nil {
			return err
		}
		c.SeenTime, c.ActiveTime = int64(t), int64(t)
		if code >= rdbStreamListpacks3 {
			if t, err = d.uint64(); err != nil {
				return err
			}
			c.ActiveTime = int64(t)
		}
		if c.Pending, err = d.count(); err != nil {
			return err
		}
		c.Name = d.fld.b
		if err := d.sink.StreamConsumer(&c); err != nil {
			return err
		}
		d.fld.live = false
		last := -1
		for range c.Pending {
			p, err := d.take(16)
			if err != nil {
				return err
			}
			id := streamID(p)
			i, found := slices.BinarySearchFunc(d.work.pel, id, func(e pelEntry, id StreamID) int { return e.ID.compare(id) })
			if !found {
				return corrupt("a consumer's pending entry %d-%d is not in its group's list", id.Ms, id.Seq)
			}
			e := &d.work.pel[i]
			if e.owned {
				return corrupt("pending entry %d-%d is claimed twice", id.Ms, id.Seq)
			}
			if i < last {
				return corrupt("a consumer's pending entry %d-%d is out of order", id.Ms, id.Seq)
			}
			e.owned = true
			owned++
			last = i
			if err := d.sink.StreamPending(&e.StreamPending); err != nil {
				return err
			}
		}
	}
	if owned != len(d.work.pel) {
		return corrupt("%d of %d pending entries of a group belong to no consumer", len(d.work.pel)-owned, len(d.work.pel))
	}
	return nil
}

// entriesReadAt estimates how many entries a group at id has read, from what an
// RDB before Redis 7.0 says: -1 when it cannot be known. It is the rule of
// Redis's streamEstimateDistanceFromFirstEverEntry for a stream about whose
// deletions nothing is known.
func (s *StreamInfo) entriesReadAt(id StreamID) int64 {
	switch {
	case s.EntriesAdded == 0:
		return 0
	case id == s.LastID:
		return int64(s.EntriesAdded)
	case s.LastID.Less(id):
		return -1
	case id.Less(s.FirstID):
		return int64(s.EntriesAdded - s.Length)
	case id == s.FirstID:
		return int64(s.EntriesAdded - s.Length + 1)
	}
	return -1
}
