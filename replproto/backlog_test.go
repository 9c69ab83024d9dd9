package replproto

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// readAll takes everything from offset on out of b.
func readAll(t *testing.T, b *Backlog, off int64) []byte {
	t.Helper()
	var all []byte
	for {
		p, ok := b.View(off)
		if !ok {
			t.Fatalf("offset %d is not held in [%d,%d)", off, b.First(), b.Next())
		}
		if len(p) == 0 {
			return all
		}
		all = append(all, p...)
		off += int64(len(p))
	}
}

// TestBacklogModel compares with a plain slice that keeps everything.
func TestBacklogModel(t *testing.T) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		start := rnd.Int64N(1 << 40)
		size := 1 + rnd.Int64N(300_000)
		b := NewBacklog(size, start)
		model := []byte{} // model[i] has the offset base+i
		base := start + 1
		var first int64 = base
		for step := range 120 {
			switch k := rnd.IntN(40); {
			case k < 34:
				p := make([]byte, rnd.IntN(20_000))
				if rnd.IntN(20) == 0 {
					p = make([]byte, rnd.IntN(500_000))
				}
				for i := range p {
					p[i] = byte(rnd.Uint32())
				}
				b.Append(p)
				model = append(model, p...)
			case k < 37:
				drop := int(min(rnd.Int64N(40_000), b.Len()))
				b.Truncate(b.Next() - 1 - int64(drop))
				model = model[:len(model)-drop]
			case k < 39:
				b.Resize(1 + rnd.Int64N(400_000))
			default:
				start = b.Next() + rnd.Int64N(1000)
				b.Reset(start)
				model, base, first = nil, start+1, start+1
			}
			if err := b.Check(); err != nil {
				t.Fatal(err)
			}
			if b.Next() != base+int64(len(model)) {
				t.Fatalf("seed %d step %d: next %d, want %d", seed, step, b.Next(), base+int64(len(model)))
			}
			if b.First() < first || b.Len() > b.Size() {
				t.Fatalf("seed %d: first went back from %d to %d, len %d of %d", seed, first, b.First(), b.Len(), b.Size())
			}
			first = b.First()
			off := b.First() + rnd.Int64N(b.Len()+1)
			if got := readAll(t, b, off); !bytes.Equal(got, model[off-base:]) {
				t.Fatalf("seed %d step %d: bytes from %d differ", seed, step, off)
			}
			if _, ok := b.View(b.First() - 1); ok {
				t.Fatal("a byte before the first is held")
			}
			if _, ok := b.View(b.Next() + 1); ok {
				t.Fatal("a byte after the next is held")
			}
		}
	}
}

func TestBacklogTakesMemoryAsItFills(t *testing.T) {
	b := NewBacklog(1<<30, 0)
	if b.Memory() != 0 {
		t.Fatalf("%d bytes before the first", b.Memory())
	}
	b.Append(make([]byte, 100))
	if b.Memory() != backlogBlock {
		t.Fatalf("%d bytes for 100", b.Memory())
	}
	small := NewBacklog(1, 0)
	small.Append(make([]byte, 10*backlogBlock))
	if small.Memory() != backlogBlock || small.Len() != backlogBlock {
		t.Fatalf("%d bytes of memory, %d held", small.Memory(), small.Len())
	}
	p := make([]byte, 1000)
	if a := testing.AllocsPerRun(100, func() { small.Append(p); small.View(small.First()) }); a != 0 {
		t.Fatalf("%v allocations", a)
	}
}

func TestBacklogTruncateOutside(t *testing.T) {
	b := NewBacklog(1000, 10)
	b.Append([]byte("abcdef")) // offsets 11 to 16
	b.Truncate(16)
	if b.Len() != 6 {
		t.Fatalf("%d bytes left", b.Len())
	}
	b.Truncate(13)
	if got := readAll(t, b, 11); string(got) != "abc" || b.Next() != 14 {
		t.Fatalf("%q, next %d", got, b.Next())
	}
	b.Truncate(100)
	if b.Len() != 0 || b.Next() != 101 {
		t.Fatalf("[%d,%d)", b.First(), b.Next())
	}
	b.Append([]byte("x"))
	b.Truncate(5)
	if b.Len() != 0 || b.Next() != 6 {
		t.Fatalf("[%d,%d)", b.First(), b.Next())
	}
}
