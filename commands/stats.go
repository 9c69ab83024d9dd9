package commands

import "math/bits"

// cmdStat is what one command has cost so far (INFO commandstats, latencystats).
type cmdStat struct {
	calls, nanos, rejected, failed int64
	// hist counts calls by duration: bucket of the value's position among
	// powers of two, each power split into histSub parts. It gives percentiles
	// to within 1/histSub. Allocated at the first call.
	hist *[histBuckets]uint32
}

const (
	histSubBits = 7 // as in redis-server: 1 % wide, 17 KB for a command that is used
	histSub     = 1 << histSubBits
	// 2^40 ns is 18 minutes; longer calls count as that.
	histBuckets = (40 - histSubBits + 1) * histSub
)

func histIndex(v int64) int {
	if v < histSub {
		return int(max(v, 0))
	}
	p := bits.Len64(uint64(v)) - 1 // position of the top bit, >= histSubBits
	i := (p-histSubBits+1)*histSub + int(v>>(p-histSubBits))&(histSub-1)
	return min(i, histBuckets-1)
}

// histValue is the upper bound of a bucket, nanoseconds.
func histValue(i int) int64 {
	if i < histSub {
		return int64(i)
	}
	p := i/histSub - 1 + histSubBits
	sub := int64(i%histSub) + histSub
	return (sub+1)<<(p-histSubBits) - 1
}

func (st *cmdStat) observe(nanos int64) {
	if st.hist == nil {
		st.hist = new([histBuckets]uint32)
	}
	st.hist[histIndex(nanos)]++
}

// percentile is the duration that p percent of the calls did not exceed, ns.
func (st *cmdStat) percentile(p float64) int64 {
	if st.hist == nil || st.calls == 0 {
		return 0
	}
	total := int64(0)
	for _, n := range st.hist {
		total += int64(n)
	}
	want := int64(p/100*float64(total) + 0.5)
	want = max(want, 1)
	seen := int64(0)
	for i, n := range st.hist {
		seen += int64(n)
		if seen >= want {
			return histValue(i)
		}
	}
	return histValue(histBuckets - 1)
}
