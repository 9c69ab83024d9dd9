package rdb

// Meta is what an RDB says of a key beside its value. A *Meta and the Key in it
// are valid only during the call that passes them.
type Meta struct {
	// Key is a view into the decoder's buffer.
	Key []byte
	// ExpireAt is the unix time in milliseconds at which the key expires, -1 for
	// never. It may lie in the past: what to do then depends on the role.
	ExpireAt int64
	// Idle is the idle time in seconds (LRU), -1 when not given.
	Idle int64
	// DB is the database number.
	DB int
	// Freq is the LFU counter, 0 to 255, -1 when not given.
	Freq int
	// Type is the type of the value.
	Type Type
	// Code is the type byte of the RDB, for messages.
	Code byte
}

// Sink receives what a Decoder reads, in the order of the file, from the
// goroutine that called Decode. Every []byte and pointer is a view that is valid
// only during the call: a sink copies what it keeps. A non-nil error ends the
// decoding; the decoder returns it wrapped in *Error.
//
// A key arrives in one of these forms:
//
//	String(m, v)
//	Packed(m, packing, data, n)                         a whole small collection
//	Begin(m, n) ListNode|ListElement … End()
//	Begin(m, n) SetMember … End()
//	Begin(m, n) ZSetMember … End()
//	Begin(m, n) HashField … End()
//	Begin(m, n) StreamNode… StreamInfo (StreamGroup (StreamConsumer StreamPending…)…)… End()
//	Module(m, name, version)
//
// Between Begin and End no other key is begun. If decoding fails in between, End
// is not called, and the sink drops the unfinished value.
//
// Values are as Redis 7.0 would hold them: ziplists and zipmaps arrive as
// listpacks, and small collections stay packed, so that loading one is a
// validated copy. Whether a packed value is small enough to stay so is the
// sink's decision. Collections without elements never arrive (Decoder.Stats
// counts them).
//
// Embed NopSink to implement only a part.
type Sink interface {
	// Aux is a field of the header, such as redis-ver or repl-stream-db.
	Aux(key, value []byte) error
	// SelectDB announces the database of the keys that follow.
	SelectDB(db int) error
	// ResizeDB is a hint: the number of keys of the database and how many of
	// them expire. The numbers are claims; do not allocate blindly by them.
	ResizeDB(keys, expires uint64) error
	// SlotInfo is a hint of a cluster: the number of keys in one slot.
	SlotInfo(slot, keys, expires uint64) error
	// SlotImport is Valkey 9's record of a slot range being imported: the job's
	// name and one range of slots, once for each range.
	SlotImport(job []byte, first, last uint16) error
	// Function is the source of a function library.
	Function(code []byte) error
	// ModuleAux reports data of a module outside of any key, which was skipped.
	// When is 1 (before the keys) or 2 (after them).
	ModuleAux(name string, version int, when uint64) error

	// String is a string value, integer forms rendered as text.
	String(m *Meta, v []byte) error
	// Packed is a whole collection in one block. data is valid in depth: an
	// iterator needs no checks. n is its number of elements: listpack entries
	// for a list or set, pairs for a hash or sorted set, triples for ListpackEx.
	Packed(m *Meta, p Packing, data []byte, n int) error

	// Begin starts a collection that arrives in parts. n is how many parts the
	// RDB claims: elements, or nodes for a list of nodes and for a stream.
	Begin(m *Meta, n uint64) error
	// ListNode is a valid listpack with the next n > 0 elements of a list.
	ListNode(lp []byte, n int) error
	// ListElement is the next element of a list, alone (from an old RDB, or a
	// "plain" node that holds a single big element).
	ListElement(v []byte) error
	// SetMember is a member of a set; ErrDuplicate if it is already there.
	SetMember(v []byte) error
	// ZSetMember is a member of a sorted set; the score is not NaN. Members
	// arrive in the order of the file, most often with scores descending.
	ZSetMember(v []byte, score float64) error
	// HashField is a field of a hash. expireAt is in unix ms, -1 for never.
	HashField(field, value []byte, expireAt int64) error
	// StreamNode is a node of a stream: the ID of its first entry and a valid
	// listpack of entries in the layout of Redis's streams; live is the number of
	// entries that are not deleted. Nodes ascend by ID.
	StreamNode(id StreamID, lp []byte, live int) error
	// StreamInfo follows the last node.
	StreamInfo(s *StreamInfo) error
	// StreamGroup starts a consumer group.
	StreamGroup(g *StreamGroup) error
	// StreamConsumer starts a consumer of the group.
	StreamConsumer(c *StreamConsumer) error
	// StreamPending is an entry that was delivered to the consumer and is not yet
	// acknowledged; ascending by ID.
	StreamPending(p *StreamPending) error
	// End completes what Begin began.
	End() error

	// Module is a key of a module type, whose value was skipped. An error
	// refuses the RDB; nil loses the key knowingly.
	Module(m *Meta, name string, version int) error
}

// StreamID is the identifier of a stream entry.
type StreamID struct {
	// Ms is the unix time in milliseconds, Seq the sequence number within it.
	Ms, Seq uint64
}

// Less reports whether a comes before b.
func (a StreamID) Less(b StreamID) bool {
	return a.Ms < b.Ms || a.Ms == b.Ms && a.Seq < b.Seq
}

// StreamInfo is what a stream holds beside its entries.
type StreamInfo struct {
	// Length is the number of live entries.
	Length uint64
	// LastID is the greatest ID ever given.
	LastID StreamID
	// FirstID is the ID of the first live entry, zero when there is none.
	FirstID StreamID
	// MaxDeletedID is the greatest ID that was deleted with XDEL, or zero.
	MaxDeletedID StreamID
	// EntriesAdded counts all entries ever added.
	EntriesAdded uint64
	// Groups is the number of consumer groups that follow.
	Groups uint64
}

// StreamGroup is a consumer group.
type StreamGroup struct {
	// Name of the group.
	Name []byte
	// LastID is the last ID delivered.
	LastID StreamID
	// EntriesRead is the group's logical read counter, -1 when not known.
	EntriesRead int64
	// Pending is the number of pending entries of all its consumers.
	Pending uint64
	// Consumers is the number of consumers that follow.
	Consumers uint64
}

// StreamConsumer is a consumer of a group.
type StreamConsumer struct {
	// Name of the consumer.
	Name []byte
	// SeenTime is the unix time in ms of its last attempt, ActiveTime of its last
	// success (-1 when it never had one).
	SeenTime, ActiveTime int64
	// Pending is the number of its pending entries that follow.
	Pending uint64
}

// StreamPending is a delivered entry that is not yet acknowledged.
type StreamPending struct {
	// ID of the entry; the entry itself may have been deleted since.
	ID StreamID
	// DeliveryTime is the unix time in ms of the last delivery.
	DeliveryTime int64
	// DeliveryCount is the number of deliveries.
	DeliveryCount uint64
}

// NopSink is a Sink that accepts everything and keeps nothing: a decoder with
// it checks a file.
type NopSink struct{}

// Aux implements Sink.
func (NopSink) Aux(key, value []byte) error { return nil }

// SelectDB implements Sink.
func (NopSink) SelectDB(db int) error { return nil }

// ResizeDB implements Sink.
func (NopSink) ResizeDB(keys, expires uint64) error { return nil }

// SlotInfo implements Sink.
func (NopSink) SlotInfo(slot, keys, expires uint64) error { return nil }

// SlotImport implements Sink.
func (NopSink) SlotImport(job []byte, first, last uint16) error { return nil }

// Function implements Sink.
func (NopSink) Function(code []byte) error { return nil }

// ModuleAux implements Sink.
func (NopSink) ModuleAux(name string, version int, when uint64) error { return nil }

// String implements Sink.
func (NopSink) String(m *Meta, v []byte) error { return nil }

// Packed implements Sink.
func (NopSink) Packed(m *Meta, p Packing, data []byte, n int) error { return nil }

// Begin implements Sink.
func (NopSink) Begin(m *Meta, n uint64) error { return nil }

// ListNode implements Sink.
func (NopSink) ListNode(lp []byte, n int) error { return nil }

// ListElement implements Sink.
func (NopSink) ListElement(v []byte) error { return nil }

// SetMember implements Sink.
func (NopSink) SetMember(v []byte) error { return nil }

// ZSetMember implements Sink.
func (NopSink) ZSetMember(v []byte, score float64) error { return nil }

// HashField implements Sink.
func (NopSink) HashField(field, value []byte, expireAt int64) error { return nil }

// StreamNode implements Sink.
func (NopSink) StreamNode(id StreamID, lp []byte, live int) error { return nil }

// StreamInfo implements Sink.
func (NopSink) StreamInfo(s *StreamInfo) error { return nil }

// StreamGroup implements Sink.
func (NopSink) StreamGroup(g *StreamGroup) error { return nil }

// StreamConsumer implements Sink.
func (NopSink) StreamConsumer(c *StreamConsumer) error { return nil }

// StreamPending implements Sink.
func (NopSink) StreamPending(p *StreamPending) error { return nil }

// End implements Sink.
func (NopSink) End() error { return nil }

// Module implements Sink.
func (NopSink) Module(m *Meta, name string, version int) error { return nil }
