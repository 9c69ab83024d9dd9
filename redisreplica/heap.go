package redisreplica

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// heapReader reads the Go runtime's figures of its heap, without stopping the world. It belongs to the loop goroutine.
type heapReader struct {
	all  []metrics.Sample
	last []metrics.Sample

	// Of trim: when it looked last (unix ms), the collections it saw then, and what is known to stay alive.
	looked, collections, floor int64
}

// heapFigures are bytes, a count and nanoseconds.
type heapFigures struct{ objects, inUse, sys, collections, pauses int64 }

func newHeapReader() heapReader {
	return heapReader{
		all: []metrics.Sample{
			{Name: "/memory/classes/heap/objects:bytes"},
			{Name: "/memory/classes/heap/unused:bytes"},
			{Name: "/memory/classes/total:bytes"},
			{Name: "/memory/classes/heap/released:bytes"},
			{Name: "/gc/cycles/total:gc-cycles"},
			{Name: "/sched/pauses/total/gc:seconds"},
		},
		last: []metrics.Sample{{Name: "/gc/heap/live:bytes"}},
	}
}

func (h *heapReader) read() heapFigures {
	metrics.Read(h.all)
	n := func(i int) int64 { return int64(h.all[i].Value.Uint64()) }
	return heapFigures{
		objects: n(0), inUse: n(0) + n(1), sys: n(2) - n(3), collections: n(4),
		pauses: int64(1e9 * total(h.all[5].Value.Float64Histogram())),
	}
}

// live is what was alive at the last collection, bytes.
func (h *heapReader) live() int64 {
	metrics.Read(h.last)
	return int64(h.last[0].Value.Uint64())
}

// total estimates the sum of a distribution from the middles of its buckets.
func total(h *metrics.Float64Histogram) float64 {
	sum := 0.0
	for i, n := range h.Counts {
		low, high := h.Buckets[i], h.Buckets[i+1]
		if math.IsInf(low, -1) {
			low = 0
		}
		if math.IsInf(high, 1) {
			high = low
		}
		sum += float64(n) * (low + high) / 2
	}
	return sum
}

const (
	trimEvery = 1000     // ms
	trimSlack = 16 << 20 // bytes that may be garbage for as long as the collector likes
)

// trim gives back what a burst has left on the heap. The data is elsewhere, so the heap of a server at work hardly grows, and the collector,
// which waits for it to double, would leave the buffers of a huge argument standing for minutes: they would count as used memory, and
// keys would be evicted for them. When the heap is far above what is known to be alive, and nobody has collected for a while, a
// collection is due, on another goroutine. What stays alive after it is the new floor.
func (h *heapReader) trim(now int64) {
	if now-h.looked < trimEvery {
		return
	}
	h.looked = now
	f, live := h.read(), h.live()
	quiet := f.collections == h.collections
	h.collections = f.collections
	if h.floor == 0 || live < h.floor {
		h.floor = live
	}
	if quiet && f.objects > h.floor+trimSlack {
		// Until the next look the collection has ended; if not, what is alive by then is told by the one after it.
		h.floor = f.objects
		go debug.FreeOSMemory()
	}
}
