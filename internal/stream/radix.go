package stream

import (
	"math/bits"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// RadixNodes is the number of nodes that Redis's radix tree would have for the
// keys of this index, each an ID in big endian: what XINFO reports as
// radix-tree-nodes. It goes over all nodes of the stream.
//
// In a compressed radix tree there is a node where keys part, one for each
// stretch of bytes without a choice, and one at the end of each key. What two
// neighbours in the order have in common tells where keys part: a depth that
// is on the stack already is the same node.
func (s *Stream) RadixNodes(a *dict.Arena) int {
	if s.nodes.n == 0 {
		return 1
	}
	var depths [17]int // of the parting nodes on the way to the current key, ascending
	open, total := 0, 0
	prev := ID{}
	first := true
	// stretch counts the stretch between a parting node and what hangs below.
	stretch := func(from, to int) {
		if to > from {
			total++
		}
	}
	close := func(depth int) {
		// The key before ends; below depth nothing parts any more.
		at := 16
		total++ // its end
		for open > 0 && depths[open-1] > depth {
			d := depths[open-1]
			stretch(d+1, at)
			at = d
			open--
		}
		if open > 0 && depths[open-1] == depth {
			stretch(depth+1, at)
			return
		}
		if depth >= 0 {
			depths[open] = depth
			open++
			total++ // a new parting node
			stretch(depth+1, at)
			return
		}
		stretch(0, at)
	}
	for c := s.nodes.Seek(a, Min); c.Valid(); c.Next() {
		id := c.Key()
		if !first {
			close(common(prev, id))
		}
		first, prev = false, id
	}
	close(-1)
	return total
}

// common returns how many bytes two different IDs have in common.
func common(x, y ID) int {
	if d := x.Ms ^ y.Ms; d != 0 {
		return bits.LeadingZeros64(d) / 8
	}
	return 8 + bits.LeadingZeros64(x.Seq^y.Seq)/8
}
