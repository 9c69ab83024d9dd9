package object

import (
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// Streams have one encoding: the record's payload is the head of package stream,
// of fixed size, so the record never has to move for a stream's sake. A stream
// without entries stays; only deleting its key ends it.

// StreamHeadSize is the bytes of payload of a stream's record, which Stream
// finds zeroed when the record is made.
const StreamHeadSize = stream.HeadSize

// Stream is the head of the stream in a record of type TypeStream. It is valid
// until the record moves or is freed.
func (v Value) Stream() *stream.Stream { return stream.At(v.Record().Fixed()) }

// InitStream makes the zeroed payload of a new record an empty stream.
func (v Value) InitStream() *stream.Stream {
	s := v.Stream()
	s.Init()
	return s
}

// StreamLimits are the limits of a stream's nodes.
func (l *Limits) StreamLimits() stream.Limits {
	return stream.Limits{NodeMaxBytes: l.StreamNodeMaxBytes, NodeMaxEntries: l.StreamNodeMaxEntries}
}

func init() {
	register(TypeStream, EncStream, Ops{
		Len:      func(v Value) int { return int(v.Stream().Length) },
		FreeStep: func(v Value, budget int) bool { return v.Stream().FreeStep(v.A, budget) },
		CompactStep: func(v Value, cursor uint64, budget int) uint64 {
			return v.Stream().CompactStep(v.A, cursor, budget)
		},
		Copy: func(v Value, key []byte) dict.Ref {
			n := Value{v.A, v.A.Rename(dict.EntryLayout, v.Ref, key, false)}
			v.Stream().CopyTo(v.A, n.Stream())
			return n.Ref
		},
		Digest: func(v Value, d *digest.State) {
			for it := v.Stream().Range(v.A, stream.Min, stream.Max, false); it.Next(); {
				d.StreamEntry(it.ID.Ms, it.ID.Seq)
				for range it.Fields {
					d.StreamField(it.Field())
				}
			}
		},
		Memory: func(v Value, samples int) int64 { return v.Stream().Memory(v.A, samples) },
		Check:  func(v Value) error { return v.Stream().Check(v.A) },
	})
}
