//go:build invariants

package dict

import "fmt"

// invariants is whether the package checks, at a cost, what it otherwise takes for granted. Built with the tag
// "invariants", an arena knows which references are live: each access through a dead one panics, freed memory and
// fresh memory are filled with patterns, and a block that is freed twice is named.
const invariants = true

const (
	poisonFreed = 0xdb
	poisonFresh = 0xcd
)

type generation = uint32

type debugArena struct {
	size map[Ref]int    // live blocks
	gen  map[Ref]uint32 // how often a reference was given out
}

func (d *debugArena) init() { d.size, d.gen = map[Ref]int{}, map[Ref]uint32{} }

func (d *debugArena) isLive(r Ref) bool { return d.size[r] != 0 }

func (d *debugArena) mustLive(r Ref) {
	if d.size[r] == 0 {
		panic(fmt.Sprintf("dict: access to dead block %#x (given out %d times)", r, d.gen[r]))
	}
}

func (d *debugArena) alloc(a *Arena, r Ref, n int) {
	if r == 0 || d.size[r] != 0 {
		panic(fmt.Sprintf("dict: block %#x of %d bytes given out again, as one of %d", r, d.size[r], n))
	}
	d.size[r] = n
	d.gen[r]++
	fill(a.Bytes(r, n), poisonFresh)
}

func (d *debugArena) free(a *Arena, r Ref) {
	n := d.size[r]
	if n == 0 {
		panic(fmt.Sprintf("dict: block %#x freed twice, or never given out (generation %d)", r, d.gen[r]))
	}
	fill(a.Bytes(r, n), poisonFreed)
	delete(d.size, r)
}

func (d *debugArena) resize(_ *Arena, r Ref, n int) { d.size[r] = n }

// check verifies that the blocks believed live are those of the arena's sums.
func (d *debugArena) check(a *Arena) error {
	total := int64(0)
	for r, n := range d.size {
		if have := a.Usable(r); have != n {
			return fmt.Errorf("dict: block %#x of %d bytes was given out with %d", r, have, n)
		}
		total += int64(n)
	}
	if total != a.live {
		return fmt.Errorf("dict: %d bytes live, the blocks given out have %d", a.live, total)
	}
	return nil
}

func (d *debugArena) generationOf(r Ref) generation {
	d.mustLive(r)
	return d.gen[r]
}

func (d *debugArena) mustBe(h Handle) {
	if d.size[h.ref] == 0 || d.gen[h.ref] != h.gen {
		panic(fmt.Sprintf("dict: handle to block %#x, generation %d, which is now %d (live: %v)", h.ref, h.gen, d.gen[h.ref], d.size[h.ref] != 0))
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
