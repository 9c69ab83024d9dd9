package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

func emittedID(id stream.ID) rdb.StreamID { return rdb.StreamID{Ms: id.Ms, Seq: id.Seq} }

// emitStream writes a stream out, node by node as it is held.
func emitStream(out rdb.Sink, m *rdb.Meta, v object.Value) error {
	a, s := v.A, v.Stream()
	if err := out.Begin(m, uint64(s.Nodes())); err != nil {
		return err
	}
	var err error
	s.EachNode(a, func(id stream.ID, lp []byte, live int) bool {
		err = out.StreamNode(emittedID(id), lp, live)
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := out.StreamInfo(&rdb.StreamInfo{
		Length: s.Length, EntriesAdded: s.Added, Groups: uint64(s.Groups()),
		LastID: emittedID(s.LastID), FirstID: emittedID(s.FirstID), MaxDeletedID: emittedID(s.MaxDeletedID),
	}); err != nil {
		return err
	}
	for i := range s.Groups() {
		if err := emitGroup(out, v, s.GroupAt(a, i)); err != nil {
			return err
		}
	}
	return out.End()
}

func emitGroup(out rdb.Sink, v object.Value, g *stream.Group) error {
	a := v.A
	if err := out.StreamGroup(&rdb.StreamGroup{
		Name: g.Name(), LastID: emittedID(g.LastID), EntriesRead: g.EntriesRead,
		Pending: uint64(g.Pending()), Consumers: uint64(g.Consumers()),
	}); err != nil {
		return err
	}
	for i := range g.Consumers() {
		c := g.ConsumerAt(a, i)
		if err := out.StreamConsumer(&rdb.StreamConsumer{
			Name: c.Name(), SeenTime: c.SeenTime, ActiveTime: c.ActiveTime, Pending: uint64(c.Pending()),
		}); err != nil {
			return err
		}
		for cur := c.SeekPending(a, stream.Min); cur.Valid(); cur.Next() {
			n := g.Find(a, cur.Key())
			if err := out.StreamPending(&rdb.StreamPending{
				ID: emittedID(cur.Key()), DeliveryTime: n.Time(), DeliveryCount: n.Count(),
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
