package eventloop

// Buffers for output.
//
// While a callback runs, its connection's Out is the loop's scratch buffer: almost
// always the kernel takes all of it and nobody owns anything afterwards. What it
// refuses goes to the connection's outQueue:
//
//	           off                                   chunks[head:] in order
//	            ▼
//	┌──────────▒▒▒▒▒▒▒▒┐ ┌▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒┐ ┌▒▒▒▒▒▒▒       ┐
//	└──sent────────────┘ └────a huge reply, adopted───┘ └─other ones──┘
//
// Sent bytes are stepped over and never moved, so draining n bytes costs O(n) however
// small the steps. Bytes are copied into chunks, because the scratch buffer they come
// from is warm and grown, and worth more than the copy costs; a buffer too large to be
// kept is adopted. Full chunks come from the loop's stock and go back to it when they
// are sent, the queue itself when it is empty.

const (
	scratchSize = 64 << 10  // of a fresh scratch buffer
	idleScratch = 256 << 10 // larger ones are kept only while they are used
	maxScratch  = 2 << 20   // larger ones are not kept at all
	chunkMin    = 4 << 10   // first chunk of a queue
	chunkMax    = 64 << 10
	writeMax    = 256 << 10 // handed to one write(2): bounds its time
	drainMax    = 512 << 10 // sent for one connection in one turn
)

type outQueue struct {
	chunks [][]byte
	head   int // chunks before it are sent
	off    int // bytes of chunks[head] that are sent
	size   int // unsent bytes
}

// add queues b and tells whether it kept b itself.
func (q *outQueue) add(b []byte, chunks *stock) (adopted bool) {
	q.size += len(b)
	if len(b) > maxScratch {
		q.chunks = append(q.chunks, b)
		return true
	}
	for len(b) > 0 {
		last := len(q.chunks) - 1
		if last < q.head || len(q.chunks[last]) == cap(q.chunks[last]) {
			if last >= q.head || len(b) > chunkMin {
				q.chunks = append(q.chunks, chunks.get())
			} else {
				q.chunks = append(q.chunks, make([]byte, 0, chunkMin))
			}
			last++
		}
		t := q.chunks[last]
		n := min(len(b), cap(t)-len(t))
		q.chunks[last] = append(t, b[:n]...)
		b = b[n:]
	}
	return false
}

// next returns the bytes to send first; empty only when the queue is.
func (q *outQueue) next() []byte {
	if q.size == 0 {
		return nil
	}
	return q.chunks[q.head][q.off:]
}

// sent takes n bytes, at most len(next()), off the queue.
func (q *outQueue) sent(n int, chunks *stock) {
	q.off += n
	q.size -= n
	if q.off < len(q.chunks[q.head]) {
		return
	}
	chunks.put(q.chunks[q.head])
	q.chunks[q.head] = nil
	q.head++
	q.off = 0
	// Slide the (24-byte) headers down once half of them are spent: O(1) amortised.
	if q.head >= 32 && q.head*2 >= len(q.chunks) {
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks = q.chunks[:n]
		q.head = 0
	}
}

// What flush did with the buffer it was given.
const (
	bufferFree  = iota // the caller may use it again
	bufferTaken        // it is part of an outQueue now
)

// A stock keeps buffers that nobody uses for those who need one next.
type stock struct {
	fresh int // capacity of a new buffer
	most  int // larger ones are not kept
	limit int // bytes kept in all
	free  [][]byte
	bytes int
}

// newPool is for connections that are written to outside their own callback, newChunks for the chunks of queues.
func newPool() stock   { return stock{fresh: 1 << 10, most: 16 << 10, limit: 1 << 20} }
func newChunks() stock { return stock{fresh: chunkMax, most: chunkMax, limit: 4 << 20} }

func (s *stock) get() []byte {
	n := len(s.free) - 1
	if n < 0 {
		return make([]byte, 0, s.fresh)
	}
	b := s.free[n]
	s.free[n] = nil
	s.free = s.free[:n]
	s.bytes -= cap(b)
	return b
}

// put takes a buffer that nobody reads any more; a nil stock drops it.
func (s *stock) put(b []byte) {
	if s == nil || cap(b) < s.fresh || cap(b) > s.most || s.bytes+cap(b) > s.limit {
		return
	}
	s.bytes += cap(b)
	s.free = append(s.free, b[:0])
}
