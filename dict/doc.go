// Package dict holds the dataset off the Go heap: an [Arena] of pointer-free memory taken straight from the operating
// system, [Table], a bucketed hash table that lives inside it, and the layout of the records that both serve.
//
// # Why
//
// A Go map of five million strings is five million heap objects that the collector marks again and again, each with a
// header, a length, a capacity and the rounding of its size class. Here a key and its value are one block of bytes, a
// reference is five bytes, and the collector sees a struct of a few hundred bytes whatever the dataset.
//
// # Layers
//
//	Table      buckets of (reference, tag); knows only where a record keeps its key
//	Record     header, optional expiry, key, payload; one block
//	Arena      blocks in size classes, page runs, compaction
//	System     reserve, commit, purge, release (mmap or its cousins)
//
// # Who may call
//
// One goroutine owns an arena, its tables and its records. Nothing here locks. The only hand-over is that of the whole
// arena: a loader fills one, gives it away and never touches it again; whoever holds it last calls [Arena.Release].
package dict
