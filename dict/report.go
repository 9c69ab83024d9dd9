package dict

import (
	"fmt"
	"strings"
)

// maxChainRow bounds the lengths that a report lists one by one.
const maxChainRow = 50

// Report describes the table in words, in the form that tools know from redis-server: how many elements there are and how
// they are spread over the buckets. A bucket's chain is all of its elements, up to ten of which share a cache line. With
// full, the memory of the buckets follows. It takes time proportional to the table.
func (t *Table) Report(a *Arena, full bool) string {
	var b strings.Builder
	t.reportArray(a, &b, 0, "main hash table")
	if t.arr[1] != 0 {
		t.reportArray(a, &b, 1, "rehashing target")
	}
	if full {
		s := t.Stats()
		fmt.Fprintf(&b, "Memory of the buckets:\n buckets: %d\n overflow buckets: %d\n bytes: %d\n", s.Buckets, s.Overflow, s.Bytes)
		if s.Rehashing {
			fmt.Fprintf(&b, " rehashed: %d of %d buckets\n", s.Moved, s.ToMove)
		}
	}
	return b.String()
}

func (t *Table) reportArray(a *Arena, b *strings.Builder, w int, name string) {
	fmt.Fprintf(b, "Hash table %d stats (%s):\n", w, name)
	if t.used[w] == 0 {
		b.WriteString("No stats available for empty dictionaries\n")
		return
	}
	size := uint64(1) << t.bits[w]
	var chains [maxChainRow + 1]uint64
	filled, longest := uint64(0), uint64(0)
	for i := range size {
		n := uint64(0)
		if w != 0 || i >= t.pos {
			n = t.chainLen(a, t.arr[w]+uint32(i))
		}
		if n > 0 {
			filled++
		}
		longest = max(longest, n)
		chains[min(n, maxChainRow)]++
	}
	fmt.Fprintf(b, " table size: %d\n number of elements: %d\n different slots: %d\n max chain length: %d\n", size, t.used[w], filled, longest)
	fmt.Fprintf(b, " avg chain length (counted): %.2f\n avg chain length (computed): %.2f\n Chain length distribution:\n",
		float64(t.used[w])/float64(filled), float64(t.used[w])/float64(filled))
	for n, count := range chains {
		if count == 0 {
			continue
		}
		more := ""
		if n == maxChainRow {
			more = ">= "
		}
		fmt.Fprintf(b, "   %s%d: %d (%.2f%%)\n", more, n, count, 100*float64(count)/float64(size))
	}
}
