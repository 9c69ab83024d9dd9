package commands

import (
	"fmt"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// BenchmarkSnapshot is the cost of a key of 11 and a value of 64 bytes in a
// snapshot, and of a write that makes its segment come early.
func BenchmarkSnapshot(b *testing.B) {
	const keys = 1_000_000
	for _, how := range []string{"walk", "early"} {
		for _, compress := range []string{"yes", "no"} {
			b.Run(how+"-compress-"+compress, func(b *testing.B) {
				s, h := newTestServer(b, "rdbcompression", compress)
				begun := time.Now()
				h.clock = func() int64 { return int64(time.Since(begun)) }
				db := s.KS.DB(0)
				db.Expand(keys)
				key := func(i int) []byte { return fmt.Appendf(nil, "key:%07d", i) }
				for i := range keys {
					db.SetString(key(i), fmt.Appendf(nil, "%064d", i*7919), object.EncRaw, keyspace.NoExpire)
				}
				bytes, done := 0, false
				b.ResetTimer()
				b.ReportAllocs()
				for b.Loop() {
					done = false
					if _, err := s.BeginSnapshot(SnapshotOptions{
						Version: 10, Keys: true, Sink: func(p []byte) { bytes += len(p) }, Room: func() bool { return true },
						Done: func(error) { done = true },
					}); err != nil {
						b.Fatal(err)
					}
					for i := 0; i < keys && how == "early"; i++ {
						db.Delete(key(i * 7919 % keys))
						db.SetString(key(i*7919%keys), fmt.Appendf(nil, "%064d", i), object.EncRaw, keyspace.NoExpire)
					}
					h.spin()
					if !done {
						b.Fatal("it is under way still")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
				b.ReportMetric(float64(bytes)/float64(b.N)/keys, "bytes/key")
			})
		}
	}
}
