package dict

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// resident returns the memory of an arena that is resident, metadata and all, as the system sees it.
func resident(t testing.TB, a *Arena) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	within := func(lo, hi uint64, p unsafe.Pointer, n uintptr) bool {
		return p != nil && lo >= uint64(uintptr(p)) && hi <= uint64(uintptr(p)+n)
	}
	total := int64(0)
	inside := false
	for line := range strings.SplitSeq(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if from, to, ok := strings.Cut(f[0], "-"); ok {
			lo, err1 := strconv.ParseUint(from, 16, 64)
			hi, err2 := strconv.ParseUint(to, 16, 64)
			inside = err1 == nil && err2 == nil && (within(lo, hi, a.raw, a.rawSize) || within(lo, hi, a.meta, a.metaSize))
		} else if inside && f[0] == "Rss:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			total += n << 10
		}
	}
	return total
}
