package masterlink

import "sync"

// Chunk is a stretch of the master's stream in a buffer of the link's pool.
type Chunk struct {
	Data []byte // valid until Release
	// Offset is the replication offset before Data[0].
	Offset int64
	// At is when its last byte arrived, by Config.Clock.
	At int64

	link    *Link
	buf     []byte
	deliver func()
}

// Release gives the buffer back. Call it once, from any goroutine; the link reads on when
// it has buffers.
func (c *Chunk) Release() {
	c.Data = nil
	c.link.pool.put(c)
}

// pool holds the chunks that nobody uses. The last one back is the first one out again:
// its memory is warm, and a trickle touches (and so allocates) one buffer only.
type pool struct {
	free  chan struct{} // one token for each chunk in stack
	mu    sync.Mutex
	stack []*Chunk
}

func (p *pool) init(n int) {
	p.free = make(chan struct{}, n)
	p.stack = make([]*Chunk, 0, n)
}

func (p *pool) put(c *Chunk) {
	p.mu.Lock()
	if len(p.stack) == cap(p.stack) {
		p.mu.Unlock()
		panic("masterlink: a chunk was released twice")
	}
	p.stack = append(p.stack, c)
	p.mu.Unlock()
	p.free <- struct{}{}
}

// take pops a chunk; the caller holds a token of free.
func (p *pool) take() *Chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	return c
}
