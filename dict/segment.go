package dict

// Segments
//
// A segment is the set of records whose hashes agree in their low k bits: with k bits as a table has at some moment, the
// records of one of its buckets. Unlike a bucket it is the same set of keys however the table grows and shrinks later, so
// that work on a table which goes on for long can be noted with one bit a segment.
//
//	k = 2                            table of 8 buckets        table of 2 buckets
//	segment 1 ─ hash …01             buckets 1 (001), 5 (101)  those of bucket 1 whose hash ends in 01

// SegmentBits returns the k of a walk that begins now: as many segments as the table has buckets.
func (t *Table) SegmentBits() uint8 { return max(t.bits[0], t.bits[1]) }

// SegmentOf returns the segment of a hash among 2^k.
func SegmentOf(h uint64, k uint8) uint64 { return h & (1<<k - 1) }

// EachInSegment calls fn for every record of a segment, each once. fn must not change the table. Where the table has
// become smaller than it was at the start of the walk, it reads the keys of the bucket to tell its segments apart.
func (t *Table) EachInSegment(a *Arena, k uint8, seg uint64, fn func(Ref)) {
	for w := 0; w < 2 && t.arr[w] != 0; w++ {
		lo := uint64(0)
		if w == 0 {
			lo = t.pos
		}
		if t.bits[w] < k {
			if i := seg & (1<<t.bits[w] - 1); i >= lo {
				t.visit(a, w, i, func(r Ref) {
					if SegmentOf(t.hashOf(a, r), k) == seg {
						fn(r)
					}
				})
			}
			continue
		}
		for i := seg; i < 1<<t.bits[w]; i += 1 << k {
			if i >= lo {
				t.visit(a, w, i, fn)
			}
		}
	}
}

// PrefetchSegment starts to load the buckets of a segment, PrefetchSegmentRecords its records: call the one some segments
// ahead of EachInSegment, and the other in between.
func (t *Table) PrefetchSegment(a *Arena, seg uint64) {
	for w := 0; w < 2 && t.arr[w] != 0; w++ {
		prefetch(a.bucket(t.arr[w] + uint32(seg&(1<<t.bits[w]-1))))
	}
}

// PrefetchSegmentRecords reads the buckets that PrefetchSegment loaded.
func (t *Table) PrefetchSegmentRecords(a *Arena, seg uint64) {
	for w := 0; w < 2 && t.arr[w] != 0; w++ {
		t.prefetchRecords(a, w, seg&(1<<t.bits[w]-1))
	}
}
