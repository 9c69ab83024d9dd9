package commands

import (
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// filterSink stands before a Loader and keeps from it what the filter leaves out.
// It belongs to the goroutine that decodes.
type filterSink struct {
	rdb.Sink // the loader
	l        *Loader
	f        *Filter
	db       int
	out      bool // the present database is left out
	skip     bool // the collection under way is left out
	noFuncs  bool
}

// sink is what the decoder writes to.
func (l *Loader) sink() rdb.Sink {
	if l.Filter == nil {
		return l
	}
	s := &filterSink{Sink: l, l: l, f: l.Filter, noFuncs: l.Filter.skipFunctions}
	s.out = !s.f.DB(0)
	return s
}

// left tells whether a key is left out, and counts it.
func (s *filterSink) left(m *rdb.Meta, size int) bool {
	if !s.out && s.f.Key(m.Key) {
		return false
	}
	s.l.FilteredKeys++
	s.l.FilteredBytes += int64(len(m.Key) + size)
	return true
}

// element counts an element of a collection that is left out.
func (s *filterSink) element(size int) bool {
	if s.skip {
		s.l.FilteredBytes += int64(size)
	}
	return s.skip
}

func (s *filterSink) Aux(key, value []byte) error {
	if string(key) == "repl-stream-db" {
		// A database that is left out need not exist here.
		if n, err := strconv.Atoi(string(value)); err == nil && n >= 0 && !s.f.DB(n) {
			s.l.StreamDB = n
			return nil
		}
	}
	return s.Sink.Aux(key, value)
}

func (s *filterSink) SelectDB(n int) error {
	s.db, s.out = n, !s.f.DB(n)
	if s.out {
		return nil
	}
	return s.Sink.SelectDB(n)
}

func (s *filterSink) ResizeDB(keys, expires uint64) error {
	if s.out || !s.f.keys.empty() {
		return nil // how many of them will be taken nobody knows
	}
	return s.Sink.ResizeDB(keys, expires)
}

func (s *filterSink) Function(code []byte) error {
	if s.noFuncs {
		s.l.FilteredBytes += int64(len(code))
		return nil
	}
	return s.Sink.Function(code)
}

func (s *filterSink) String(m *rdb.Meta, v []byte) error {
	if s.left(m, len(v)) {
		return nil
	}
	return s.Sink.String(m, v)
}

func (s *filterSink) Packed(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	if s.left(m, len(data)) {
		return nil
	}
	return s.Sink.Packed(m, p, data, n)
}

func (s *filterSink) Begin(m *rdb.Meta, n uint64) error {
	if s.skip = s.left(m, 0); s.skip {
		return nil
	}
	return s.Sink.Begin(m, n)
}

func (s *filterSink) ListNode(lp []byte, n int) error {
	if s.element(len(lp)) {
		return nil
	}
	return s.Sink.ListNode(lp, n)
}

func (s *filterSink) ListElement(v []byte) error {
	if s.element(len(v)) {
		return nil
	}
	return s.Sink.ListElement(v)
}

func (s *filterSink) SetMember(v []byte) error {
	if s.element(len(v)) {
		return nil
	}
	return s.Sink.SetMember(v)
}

func (s *filterSink) ZSetMember(v []byte, score float64) error {
	if s.element(len(v) + 8) {
		return nil
	}
	return s.Sink.ZSetMember(v, score)
}

func (s *filterSink) HashField(field, value []byte, expireAt int64) error {
	if s.element(len(field) + len(value)) {
		return nil
	}
	return s.Sink.HashField(field, value, expireAt)
}

func (s *filterSink) StreamNode(id rdb.StreamID, lp []byte, live int) error {
	if s.element(len(lp) + 16) {
		return nil
	}
	return s.Sink.StreamNode(id, lp, live)
}

func (s *filterSink) StreamInfo(i *rdb.StreamInfo) error {
	if s.skip {
		return nil
	}
	return s.Sink.StreamInfo(i)
}

func (s *filterSink) StreamGroup(g *rdb.StreamGroup) error {
	if s.element(len(g.Name)) {
		return nil
	}
	return s.Sink.StreamGroup(g)
}

func (s *filterSink) StreamConsumer(c *rdb.StreamConsumer) error {
	if s.element(len(c.Name)) {
		return nil
	}
	return s.Sink.StreamConsumer(c)
}

func (s *filterSink) StreamPending(p *rdb.StreamPending) error {
	if s.element(24) {
		return nil
	}
	return s.Sink.StreamPending(p)
}

func (s *filterSink) End() error {
	if s.skip {
		s.skip = false
		return nil
	}
	return s.Sink.End()
}

// Module lets pass what is left out: a filter is a way to follow a master that has
// keys of a module.
func (s *filterSink) Module(m *rdb.Meta, name string, version int) error {
	if s.left(m, 0) {
		return nil
	}
	return s.Sink.Module(m, name, version)
}
