// Package stream is the storage of Redis's stream type: an ordered index of
// listpack nodes, and consumer groups with their lists of pending entries, all
// of it in blocks of an arena (package dict), none of it on the Go heap.
//
//	head (in the key's record)
//	 ├─ nodes: tree  ID of a node's first entry ──► listpack of entries
//	 └─ groups: dir  by name
//	     └─ group     last delivered ID, entries read
//	         ├─ pending: tree  ID ──► delivery time, count, number of the consumer
//	         └─ consumers: dir  by name
//	             └─ consumer   seen time, active time
//	                 └─ pending: tree  ID
//
// # Nodes
//
// A node is a listpack in exactly Redis's layout, so that a node of an RDB is
// a validated copy, and DUMP gives out the bytes as they stand:
//
//	┌──────┬─────────┬────────┬───────┬─────┬───────┬───┐
//	│ live │ deleted │ fields │ field │ ... │ field │ 0 │                     master entry
//	├──────┴┬────────┴─┬──────┴────┬──┴────┬┴───────┴───┼────────────────┐
//	│ flags │ ms delta │ seq delta │ value │ ... value  │ elements (n+3) │   fields as the master's (flag 2)
//	├───────┼──────────┼───────────┼───────┼────────────┼───────┬────────┼─────┬──────────────────┐
//	│ flags │ ms delta │ seq delta │ n     │ field      │ value │ field  │ ... │ elements (2n+4)  │
//	└───────┴──────────┴───────────┴───────┴────────────┴───────┴────────┴─────┴──────────────────┘
//
// The deltas are to the ID under which the index has the node. A deleted entry
// stays where it is with flag 1 set, and the node goes with its last live
// entry. The count of elements at the end of each entry (0 for the master)
// serves walking backwards.
//
// # The tree
//
// Nodes and pending entries are held in B+trees of IDs, 64 to 72 keys a leaf (what
// fills a block) and 64 children an inner node. IDs almost always arrive in ascending order, so a
// full leaf at the right end is not split in halves: a new one is begun, and
// leaves stay full. A tree of one leaf starts at four keys and doubles.
//
//	inner   n | lower bound × 64 | child × 64
//	          ╱        │        ╲
//	leaf    n, room | prev, next | key × room | value × room
//	leaf ◄─► leaf ◄─► leaf                         linked in order
//
// keys[i] of an inner node is not above any key below child i, and above every
// key below child i-1. A leaf that empties is removed; one that becomes sparse
// is merged with a neighbour when both fit in three quarters of one.
//
// A pending entry costs 36 bytes in its group's tree and 16 in its consumer's.
// An entry names its consumer by a number, the consumer's slot in the group's
// directory, so that a consumer can be moved by changing one reference.
//
// # Conventions
//
// A *Stream, *Group, *Consumer or *NACK is an address inside the arena: valid
// until its block is freed or moved, that is until the key's record moves, the
// thing is deleted, a tree it stands in changes (NACK), or CompactStep runs. A
// Group or Consumer stays where it is while others come and go. Listpack
// views are valid until the stream is written to.
//
// One goroutine owns an arena and with it everything here. Whatever allocates
// may panic with *dict.OutOfMemoryError; the structures are consistent then.
package stream
