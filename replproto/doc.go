// Package replproto holds the machines of the PSYNC replication protocol. They are
// pure: bytes and the time go in; bytes to send, decisions and pieces of the payload
// and of the stream come out. Nothing here opens a socket, starts a goroutine or reads
// a clock, so every split of the input and every fault can be tested by a table.
//
//	Replica    the replica side of a connection: handshake, payload framing, stream
//	Pacer      what the replica writes back once the handshake is over, and when
//	Stream     the master's command stream with exact offsets
//	Backlog    the newest bytes of the stream, addressed by replication offset
//	ReplState  the replication ids and offsets of this server
//
// Offsets follow Redis's convention: the offset of a server is the number of stream
// bytes that it has produced or applied, so the first byte of a history that starts at
// offset N has the offset N+1, and a replica at offset N asks for N+1.
//
// All types belong to one goroutine at a time; none of them locks.
package replproto
