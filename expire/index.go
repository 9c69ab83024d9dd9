// Package expire finds the keys whose time has come: an index of the keys with a time to live, and the active cycle
// that walks it within a time budget.
//
// One goroutine, the owner of the arena, calls everything here. There is no clock inside: wall time (Unix ms) and a
// monotonic clock (ns) are passed in.
package expire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// The index
//
// One word of 8 bytes for each key with an expiry, in no order:
//
//	63                    28 27                     0
//	| reference, 36 bits    | coarse expiry, 28 bits |
//
// The coarse expiry counts units of 1024 ms from the index's start, rounded down and cut off at both ends (the upper one
// is 8.7 years away). Whether a key may have expired is thus seen without touching its record: a cycle reads the index
// in order, eight keys a cache line, and visits the records of those that are due. As the coarse time is never later than
// the true one, no key is missed; as the record's own expiry decides, none is taken early.
//
//	record  … | expiry ms | pos | key …        segs[0]   [w][w][w]…[w]   8192 words, a page run of 64 KB
//	                         └───────────────► segs[1]   [w][w]…         one at a time: no large copy
//
// An index made by [NewInPayload] serves entries whose payload says when they are due: the hashes of which single fields
// expire. There the expiry and the position are the first 12 bytes of the payload.
//
// A record knows its position. Removal puts the last word in the hole and writes the new position into that word's record.
// The first segment starts small and doubles, so that a database with three volatile keys does not pay for 8192.

const (
	segShift = 13
	segWords = 1 << segShift
	wordSize = 8
	minWords = 32

	unitShift  = 10 // a coarse unit is 1024 ms
	coarseBits = 28
	coarseMax  = 1<<coarseBits - 1
)

// Index is the set of a database's entries that have an expiry. Create it with [New]. Every entry of the database with an
// expiry must stand in it, and no other.
type Index struct {
	a    *dict.Arena
	segs []dict.Ref
	n    int
	room int   // words in all segments
	base int64 // ms: where coarse time starts

	inPayload bool // expiry and position stand in the payload

	cursor int // the cycle goes on here
	avgTTL int64
	stale  float64
}

// New returns an empty index over entries of the arena. now (Unix ms) is where its coarse time starts.
func New(a *dict.Arena, now int64) *Index { return &Index{a: a, base: now} }

// NewInPayload returns an empty index over entries that begin their payload with an expiry (Unix ms, 8 bytes, little
// endian) and a position in the index (4 bytes; NoPosition while they are not in it).
func NewInPayload(a *dict.Arena, now int64) *Index { return &Index{a: a, base: now, inPayload: true} }

// NoPosition is the position of an entry that is not in an index made by NewInPayload.
const NoPosition = math.MaxUint32

// when returns the time at which an entry is due.
func (x *Index) when(rec dict.Record) int64 {
	if x.inPayload {
		return int64(binary.LittleEndian.Uint64(rec.Payload()))
	}
	return rec.ExpireAt()
}

// setPos writes an entry's position.
func (x *Index) setPos(rec dict.Record, pos uint32) {
	if x.inPayload {
		binary.LittleEndian.PutUint32(rec.Payload()[8:], pos)
		return
	}
	rec.SetExpireIndex(pos)
}

// recPos reads an entry's position.
func (x *Index) recPos(rec dict.Record) uint32 {
	if x.inPayload {
		return binary.LittleEndian.Uint32(rec.Payload()[8:])
	}
	return rec.ExpireIndex()
}

// Len returns the number of keys in the index.
func (x *Index) Len() int { return x.n }

// Bytes returns the memory of the index.
func (x *Index) Bytes() int { return x.room * wordSize }

// coarse converts an expiry (Unix ms) to coarse units.
func (x *Index) coarse(ms int64) uint64 {
	if ms < x.base {
		return 0
	}
	// The difference of two int64 may exceed one, but not as unsigned.
	return min(uint64(ms)-uint64(x.base), coarseMax<<unitShift) >> unitShift
}

func (x *Index) word(pos int) []byte {
	if uint(pos) >= uint(x.n) {
		panic(fmt.Sprintf("expire: position %d of %d", pos, x.n))
	}
	return x.slot(pos)
}

// slot is word without the check.
func (x *Index) slot(pos int) []byte {
	seg := x.a.Bytes(x.segs[pos>>segShift], x.segWords(pos>>segShift)*wordSize)
	return seg[pos&(segWords-1)*wordSize:][:wordSize]
}

// segWords returns how many words a segment has room for: all are full-sized but a lone first one.
func (x *Index) segWords(seg int) int {
	if seg == 0 {
		return min(x.room, segWords)
	}
	return segWords
}

func (x *Index) load(pos int) (dict.Ref, uint64) {
	w := binary.LittleEndian.Uint64(x.word(pos))
	return dict.Ref(w >> coarseBits), w & coarseMax
}

func (x *Index) store(pos int, r dict.Ref, coarse uint64) {
	binary.LittleEndian.PutUint64(x.word(pos), uint64(r)<<coarseBits|coarse)
}

// Add puts an entry that has just been given an expiry into the index, and writes its position into the record.
func (x *Index) Add(r dict.Ref) {
	rec := x.a.Entry(r)
	when := x.when(rec)
	if x.n == x.room {
		x.grow()
		rec = x.a.Entry(r)
	}
	pos := x.n
	x.n++
	x.store(pos, r, x.coarse(when))
	x.setPos(rec, uint32(pos))
}

// Refresh reads again when an entry in an index made by NewInPayload is due.
func (x *Index) Refresh(r dict.Ref) {
	rec := x.a.Entry(r)
	x.store(x.posOf(r, rec), r, x.coarse(x.when(rec)))
}

// Set changes the expiry of an entry in the index, in its record and here.
func (x *Index) Set(r dict.Ref, ms int64) {
	rec := x.a.Entry(r)
	rec.SetExpireAt(ms)
	x.store(x.posOf(r, rec), r, x.coarse(ms))
}

// Remove takes an entry out of the index. Call it before the entry is freed or loses its expiry.
func (x *Index) Remove(r dict.Ref) {
	rec := x.a.Entry(r)
	pos := x.posOf(r, rec)
	last := x.n - 1
	if pos != last {
		lr, coarse := x.load(last)
		x.store(pos, lr, coarse)
		x.setPos(x.a.Entry(lr), uint32(pos))
	}
	if x.inPayload {
		x.setPos(rec, NoPosition)
	}
	x.n = last
	x.shrink()
}

// Moved tells the index that the entry at a position has a new reference: its block was moved or replaced. The record's
// position and expiry must have moved with it.
func (x *Index) Moved(pos uint32, r dict.Ref) {
	_, coarse := x.load(int(pos))
	x.store(int(pos), r, coarse)
}

// MovedTo is Moved for an entry of an index made by NewInPayload.
func (x *Index) MovedTo(r dict.Ref) { x.Moved(x.recPos(x.a.Entry(r)), r) }

// At returns the entry at a position in [0, Len).
func (x *Index) At(pos int) dict.Ref {
	r, _ := x.load(pos)
	return r
}

// posOf returns the position that a record claims, which must be right.
func (x *Index) posOf(r dict.Ref, rec dict.Record) int {
	pos := int(x.recPos(rec))
	if pos >= x.n {
		panic(fmt.Sprintf("expire: entry %#x says it is at %d of %d", r, pos, x.n))
	}
	if have, _ := x.load(pos); have != r {
		panic(fmt.Sprintf("expire: entry %#x says it is at %d, where %#x is", r, pos, have))
	}
	return pos
}

// grow makes room for at least one more word.
func (x *Index) grow() {
	switch {
	case x.room == 0:
		x.segs = append(x.segs, x.a.Alloc(minWords*wordSize))
		x.room = minWords
	case x.room < segWords:
		x.segs[0] = x.a.Realloc(x.segs[0], 2*x.room*wordSize, x.n*wordSize)
		x.room *= 2
	default:
		x.segs = append(x.segs, x.a.Alloc(segWords*wordSize))
		x.room += segWords
	}
}

// shrink frees the last segment when the one before it is half empty too, so that an index that hovers around a segment's
// edge stays put.
func (x *Index) shrink() {
	if last := len(x.segs) - 1; last > 0 {
		if x.n <= x.room-segWords-segWords/2 {
			x.a.Free(x.segs[last])
			x.segs = x.segs[:last]
			x.room -= segWords
		}
		return
	}
	if x.n == 0 && x.room != 0 {
		x.a.Free(x.segs[0])
		x.segs, x.room = x.segs[:0], 0
	}
}

// Clear empties the index and frees its memory. The entries keep their positions: free them, or take away their expiry.
func (x *Index) Clear() {
	for _, s := range x.segs {
		x.a.Free(s)
	}
	*x = Index{a: x.a, base: x.base, inPayload: x.inPayload}
}

// ttlSample sums up the time that keys have left.
type ttlSample struct{ sum, count int64 }

// skipLive moves the cursor, around the end too, over at most limit words that are later than due, and returns how many.
func (x *Index) skipLive(limit int, due uint64, ttl *ttlSample) int {
	for left := limit; left > 0; {
		if x.cursor >= x.n {
			x.cursor = 0
		}
		seg, at := x.cursor>>segShift, x.cursor&(segWords-1)
		n := min(left, x.n-x.cursor, segWords-at)
		words := x.a.Bytes(x.segs[seg], x.segWords(seg)*wordSize)[at*wordSize : (at+n)*wordSize]
		for len(words) >= wordSize {
			coarse := binary.LittleEndian.Uint64(words) & coarseMax
			if coarse <= due {
				return limit - left
			}
			if coarse != coarseMax {
				ttl.sum += int64(coarse-due) << unitShift
				ttl.count++
			}
			words = words[wordSize:]
			x.cursor++
			left--
		}
	}
	return limit
}

// Compact moves what the index holds out of memory that is being evacuated; see [dict.Arena.CompactBegin].
func (x *Index) Compact() {
	// Full segments are page runs, which never move.
	if len(x.segs) == 1 && x.a.ShouldMove(x.segs[0]) {
		q := x.a.Alloc(x.room * wordSize)
		copy(x.a.Bytes(q, x.n*wordSize), x.a.Bytes(x.segs[0], x.n*wordSize))
		x.a.Free(x.segs[0])
		x.segs[0] = q
	}
}

// AvgTTL returns the running average of the remaining time to live in ms, as the cycles have seen it.
func (x *Index) AvgTTL() int64 { return x.avgTTL }

// StaleFraction returns the running estimate of the share of keys in the index that have expired: 0 to 1.
func (x *Index) StaleFraction() float64 { return x.stale }

// Check verifies that every word refers to an entry that has an expiry, agrees with it and knows its position.
func (x *Index) Check() error {
	words := 0
	for i := range x.segs {
		words += x.segWords(i)
	}
	if words != x.room || x.n > x.room {
		return fmt.Errorf("expire: %d words in segments of %d, room for %d", x.n, words, x.room)
	}
	for pos := range x.n {
		r, coarse := x.load(pos)
		rec := x.a.Entry(r)
		switch {
		case !x.inPayload && !rec.HasExpire():
			return fmt.Errorf("expire: word %d: entry %#x (key %q) has no expiry", pos, r, rec.Key())
		case x.recPos(rec) != uint32(pos):
			return fmt.Errorf("expire: word %d: entry %#x (key %q) says it is at %d", pos, r, rec.Key(), x.recPos(rec))
		case x.coarse(x.when(rec)) != coarse:
			return fmt.Errorf("expire: word %d: entry %#x (key %q) expires at %d, coarse %d, here %d", pos, r, rec.Key(),
				x.when(rec), x.coarse(x.when(rec)), coarse)
		}
	}
	return nil
}

// Random returns a random entry of the index, which must not be empty.
func (x *Index) Random(rnd func() uint64) dict.Ref {
	hi, _ := bits.Mul64(rnd(), uint64(x.n))
	r, _ := x.load(int(hi))
	return r
}
