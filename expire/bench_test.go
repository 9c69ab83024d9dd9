package expire

import (
	"fmt"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// BenchmarkCycleLive passes over keys that have not expired: ns a key.
func BenchmarkCycleLive(b *testing.B) {
	s := newServer(b, 1)
	s.fill(b, 0, 200_000, func(i int) int64 { return testNow + 1_000_000 + int64(i) })
	c := NewCycle(BestPerformance, s.tick)
	for done := 0; done < b.N; {
		done += c.Run(s, testNow, 1<<40).Looked
	}
}

// BenchmarkCycleExpired reclaims keys: ns a key, without what a table and its owner add.
func BenchmarkCycleExpired(b *testing.B) {
	s := newServer(b, 1)
	c := NewCycle(Default, s.tick)
	for done := 0; done < b.N; {
		b.StopTimer()
		s.fill(b, 0, 200_000, func(int) int64 { return testNow - 1 })
		b.StartTimer()
		for s.dbs[0].Len() != 0 {
			done += c.Run(s, testNow, 1<<40).Expired
		}
	}
}

// BenchmarkIndexSet changes the expiry of keys, as a stream of SETEX would.
func BenchmarkIndexSet(b *testing.B) {
	s := newServer(b, 1)
	var refs []dict.Ref
	for i := range 100_000 {
		r := entry(s.a, fmt.Sprint(i), testNow)
		s.dbs[0].Add(r)
		refs = append(refs, r)
	}
	for i := 0; i < b.N; i++ {
		s.dbs[0].Set(refs[i%len(refs)], testNow+int64(i))
	}
}
