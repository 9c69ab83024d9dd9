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
//	└──sent────────────┘ └────a large reply, adopted──┘ └─small ones──┘
//
// Sent bytes are stepped over and never moved, so draining n bytes costs O(n) however
// small the steps. Large slices are adopted, not copied; small ones are gathered
// in chunks. A chunk is let go when it is sent, the queue when it is empty.

const (
	scratchSize = 64 << 10  // of a fresh scratch buffer
	maxScratch  = 256 << 10 // larger ones are not kept
	adoptSize   = 32 << 10  // slices at least this long are adopted
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
func (q *outQueue) add(b []byte) (adopted bool) {
	q.size += len(b)
	if len(b) >= adoptSize && len(b) >= cap(b)/2 {
		q.chunks = append(q.chunks, b)
		return true
	}
	for len(b) > 0 {
		last := len(q.chunks) - 1
		if last < q.head || len(q.chunks[last]) == cap(q.chunks[last]) {
			size := chunkMin
			if last >= q.head {
				size = chunkMax
			}
			q.chunks = append(q.chunks, make([]byte, 0, size))
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
func (q *outQueue) sent(n int) {
	q.off += n
	q.size -= n
	if q.off < len(q.chunks[q.head]) {
		return
	}
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

// bufPool keeps a few buffers for connections that are written to outside their own callback.
type bufPool struct {
	free  [][]byte
	bytes int
}

const (
	pooledSize = 1 << 10  // of a fresh buffer
	pooledMax  = 16 << 10 // larger ones are not kept
	poolBytes  = 1 << 20  // kept in all
)

func (p *bufPool) get() []byte {
	n := len(p.free) - 1
	if n < 0 {
		return make([]byte, 0, pooledSize)
	}
	b := p.free[n]
	p.free[n] = nil
	p.free = p.free[:n]
	p.bytes -= cap(b)
	return b
}

func (p *bufPool) put(b []byte) {
	if cap(b) == 0 || cap(b) > pooledMax || p.bytes+cap(b) > poolBytes {
		return
	}
	p.bytes += cap(b)
	p.free = append(p.free, b[:0])
}
