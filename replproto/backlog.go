package replproto

import "fmt"

// backlogBlock is the unit in which a Backlog takes memory, in bytes.
const backlogBlock = 64 << 10

// Backlog keeps the newest bytes of a replication stream, so that a replica that lost
// its link can go on from where it was.
//
//	position = offset mod size
//	┌─────────block 0─────────┬─────────block 1─────────┬──block 2 (not yet written)──┐
//	│ 70005 … 70131           │ 65536 …                 │                             │
//	└────────────▲────────────┴────▲────────────────────┴─────────────────────────────┘
//	             Next              First
//
// The ring is cut into blocks that are taken only when the first byte lands in them, so
// a large size costs nothing before it is used. The bytes held are the offsets
// [First, Next); Next-First never exceeds Size.
//
// Offsets are Redis's: the first byte after offset N has the offset N+1.
type Backlog struct {
	blocks [][]byte
	size   int64
	first  int64
	next   int64
}

// NewBacklog makes an empty backlog of size bytes (rounded up to whole blocks of 64 KB)
// for a stream at offset: the next byte is offset+1.
func NewBacklog(size, offset int64) *Backlog {
	b := &Backlog{}
	b.setSize(size)
	b.Reset(offset)
	return b
}

func (b *Backlog) setSize(size int64) {
	n := max((size+backlogBlock-1)/backlogBlock, 1)
	b.size = n * backlogBlock
	b.blocks = make([][]byte, n)
}

// Size is the most bytes it holds.
func (b *Backlog) Size() int64 { return b.size }

// Len is how many bytes it holds (repl_backlog_histlen).
func (b *Backlog) Len() int64 { return b.next - b.first }

// First is the offset of the oldest byte held; it equals Next when nothing is held.
func (b *Backlog) First() int64 { return b.first }

// Next is the offset that the next appended byte gets.
func (b *Backlog) Next() int64 { return b.next }

// Reset drops everything and goes on after offset. The memory is kept.
func (b *Backlog) Reset(offset int64) { b.first, b.next = offset+1, offset+1 }

// Append adds p to the stream; the oldest bytes make room.
func (b *Backlog) Append(p []byte) {
	if over := int64(len(p)) - b.size; over > 0 {
		b.next += over
		b.first = b.next
		p = p[over:]
	}
	for len(p) > 0 {
		at := b.next % b.size
		i, from := at/backlogBlock, at%backlogBlock
		if b.blocks[i] == nil {
			b.blocks[i] = make([]byte, backlogBlock)
		}
		n := copy(b.blocks[i][from:], p)
		p = p[n:]
		b.next += int64(n)
	}
	b.first = max(b.first, b.next-b.size)
}

// View returns bytes from offset on, as many as lie in one piece, without copying; it is
// valid until the next Append. It returns nil when offset is Next, and ok false when the
// backlog does not hold offset.
func (b *Backlog) View(offset int64) (p []byte, ok bool) {
	if offset < b.first || offset > b.next {
		return nil, false
	}
	if offset == b.next {
		return nil, true
	}
	at := offset % b.size
	from := at % backlogBlock
	n := min(backlogBlock-from, b.next-offset)
	return b.blocks[at/backlogBlock][from : from+n], true
}

// Truncate drops the newest bytes, those after offset: what was received and never
// applied when a link was lost. An offset outside of the backlog empties it there.
func (b *Backlog) Truncate(offset int64) {
	switch {
	case offset+1 >= b.next:
		if offset+1 > b.next {
			b.Reset(offset)
		}
	case offset+1 < b.first:
		b.Reset(offset)
	default:
		b.next = offset + 1
	}
}

// Resize changes the size and keeps as many of the newest bytes as fit. It copies what it
// keeps.
func (b *Backlog) Resize(size int64) {
	old := *b
	b.setSize(size)
	if b.size == old.size {
		b.blocks = old.blocks
		return
	}
	from := max(old.first, old.next-b.size)
	b.Reset(from - 1)
	for from < old.next {
		p, ok := old.View(from)
		if !ok {
			panic(fmt.Sprintf("replproto: backlog [%d,%d) without offset %d", old.first, old.next, from))
		}
		b.Append(p)
		from += int64(len(p))
	}
}

// Memory is how many bytes the ring has taken.
func (b *Backlog) Memory() int64 {
	var n int64
	for _, p := range b.blocks {
		n += int64(len(p))
	}
	return n
}

// Check verifies the invariants.
func (b *Backlog) Check() error {
	switch {
	case b.size != int64(len(b.blocks))*backlogBlock:
		return fmt.Errorf("replproto: backlog of size %d with %d blocks", b.size, len(b.blocks))
	case b.first > b.next || b.next-b.first > b.size:
		return fmt.Errorf("replproto: backlog holds [%d,%d) in %d bytes", b.first, b.next, b.size)
	}
	for off := b.first; off < b.next; off += backlogBlock - off%backlogBlock {
		if b.blocks[off%b.size/backlogBlock] == nil {
			return fmt.Errorf("replproto: backlog holds offset %d in a block that was never taken", off)
		}
	}
	return nil
}
