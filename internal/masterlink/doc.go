// Package masterlink owns the socket to the master.
//
// One goroutine, the link goroutine, dials, runs the machine of package replproto, feeds
// the payload of a full sync to the host's loader (which builds a keyspace that nobody
// else sees), and then reads the stream in large chunks and posts them to the loop. A
// second one, alive while there is a payload or a stream, writes: an empty line a second
// while loading, REPLCONF ACK once a second and on demand. Neither touches the keyspace.
//
//	master ══socket══▶ link goroutine ──LoadRDB──▶ new keyspace ─┐
//	   ▲                    │ Post(Install), Post(OnStream)       │
//	   ║                    ▼                                     ▼
//	   ╚══ACK══ writer ◀──SetApplied, SendAckNow── the loop: keyspace
//
// Bounds: the stream is read ahead by at most Chunks buffers of ChunkSize bytes; when the
// loop has them all the link stops reading and TCP holds the master back. A link that is
// lost asks the host where to go on only after the loop has released every chunk, so the
// applied offset is final by then.
//
// A failed attempt at any byte leaves the host's data alone: Install is called only for a
// payload that was complete and verified to the byte.
package masterlink
