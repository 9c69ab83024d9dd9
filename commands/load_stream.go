package commands

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// Streams from an RDB. Their nodes are held as the RDB carries them.

func (l *Loader) beginStream(m *rdb.Meta, _ uint64) error {
	a := l.ks.Arena()
	r, _ := a.NewEntryFixed(l.header(m, object.TypeStream, object.EncStream), m.Key, object.StreamHeadSize)
	l.value = object.Value{A: a, Ref: r}
	l.value.InitStream()
	return nil
}

func loadedID(id rdb.StreamID) stream.ID { return stream.ID{Ms: id.Ms, Seq: id.Seq} }

// StreamNode is the next node.
func (l *Loader) StreamNode(id rdb.StreamID, lp []byte, live int) error {
	l.value.Stream().AppendNode(l.value.A, loadedID(id), lp, live)
	return nil
}

// StreamInfo is the head of the stream, after its nodes.
func (l *Loader) StreamInfo(i *rdb.StreamInfo) error {
	s := l.value.Stream()
	if i.Length != s.Length {
		return fmt.Errorf("a stream says that it has %d entries, its nodes have %d", i.Length, s.Length)
	}
	s.LastID, s.FirstID, s.MaxDeletedID = loadedID(i.LastID), loadedID(i.FirstID), loadedID(i.MaxDeletedID)
	s.Added = i.EntriesAdded
	return nil
}

// StreamGroup is the next consumer group.
func (l *Loader) StreamGroup(g *rdb.StreamGroup) error {
	l.group = l.value.Stream().AddGroup(l.value.A, g.Name, loadedID(g.LastID), g.EntriesRead)
	if l.group == nil {
		return rdb.ErrDuplicate
	}
	return nil
}

// StreamConsumer is the next consumer of the group.
func (l *Loader) StreamConsumer(c *rdb.StreamConsumer) error {
	l.consumer = l.group.AddConsumer(l.value.A, c.Name, c.SeenTime)
	if l.consumer == nil {
		return rdb.ErrDuplicate
	}
	l.consumer.ActiveTime = c.ActiveTime
	return nil
}

// StreamPending is the next pending entry of the consumer.
func (l *Loader) StreamPending(p *rdb.StreamPending) error {
	if !l.group.Add(l.value.A, l.consumer, loadedID(p.ID), p.DeliveryTime, p.DeliveryCount) {
		return rdb.ErrDuplicate
	}
	return nil
}

func (l *Loader) endStream() error {
	l.group, l.consumer = nil, nil
	return l.finish(&l.meta, l.value.Ref)
}
