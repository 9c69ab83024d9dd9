//go:build !invariants

package differential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// cacheTrace plays a cache in front of something slower: keys are asked for by Zipf's law, whose ranking moves on, and what is
// not there is stored. It lasts some seconds, because both servers know the time of an access to the second. It returns the share of
// hits in its second half.
func cacheTrace(c *testutil.Conn, keys int, seed uint64, d time.Duration) (float64, error) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(rnd, 1.05, 20, uint64(keys-1))
	value := strings.Repeat("v", 200)
	const batch, perSecond = 200, 30_000
	batches := int(d.Seconds() * perSecond / batch)
	begin := time.Now()
	hits, asked := 0, 0
	for b := range batches {
		// The same trace for everyone, at the same pace.
		time.Sleep(time.Until(begin.Add(d * time.Duration(b) / time.Duration(batches))))
		shift := uint64(b * keys / batches / 4)
		var out []byte
		names := make([]string, batch)
		for i := range names {
			names[i] = "key:" + strconv.FormatUint((zipf.Uint64()+shift)%uint64(keys), 10)
			out = testutil.AppendCommand(out, "GET", names[i])
		}
		if _, err := c.Write(out); err != nil {
			return 0, err
		}
		out = out[:0]
		misses := 0
		for _, name := range names {
			v, _, err := c.Read()
			if err != nil {
				return 0, err
			}
			if b >= batches/2 {
				asked++
				if !v.Null {
					hits++
				}
			}
			if v.Null {
				out = testutil.AppendCommand(out, "SET", name, value)
				misses++
			}
		}
		if _, err := c.Write(out); err != nil {
			return 0, err
		}
		for range misses {
			if v, _, err := c.Read(); err != nil || v.Err() != nil {
				return 0, fmt.Errorf("SET: %v, %v", v, err)
			}
		}
	}
	return float64(hits) / float64(asked), nil
}

// limitTo gives a server the maxmemory with which it holds about want keys. A key costs the two servers different amounts, and
// the test is about which keys they keep.
func limitTo(t *testing.T, c *testutil.Conn, keys, want int) {
	t.Helper()
	info, err := c.Info("memory")
	if err != nil {
		t.Fatal(err)
	}
	base, _ := strconv.Atoi(info["used_memory"])
	limit := base + want*200
	for range 12 {
		c.Must(t, "CONFIG", "SET", "maxmemory", strconv.Itoa(limit))
		for i := 0; i < keys; i += 200 {
			var out []byte
			for j := range 200 {
				out = testutil.AppendCommand(out, "SET", "key:"+strconv.Itoa(i+j), strings.Repeat("v", 200))
			}
			if _, err := c.Write(out); err != nil {
				t.Fatal(err)
			}
			for range 200 {
				if v, _, err := c.Read(); err != nil || v.Err() != nil {
					t.Fatal(v, err)
				}
			}
		}
		n := int(c.Must(t, "DBSIZE").Int)
		if max(n-want, want-n) <= want/200 {
			c.Must(t, "FLUSHALL", "SYNC")
			return
		}
		limit += (want - n) * 240
	}
	t.Fatal("no maxmemory gives the server the wanted number of keys")
}

// Not with invariants: what the checks take would count against maxmemory, of one of the two servers.

// TestEvictionQuality: which keys stay under LRU and LFU is as good a choice as redis-server's, by the hits of a cache.
func TestEvictionQuality(t *testing.T) {
	keys, d := 20_000, 5*time.Second
	type run struct {
		policy string
		redis  bool
		hits   float64
		keys   int
	}
	runs := []*run{{policy: "allkeys-lru", redis: true}, {policy: "allkeys-lru"}, {policy: "allkeys-lfu", redis: true}, {policy: "allkeys-lfu"}}
	var wg sync.WaitGroup
	start := make(chan bool)
	for _, r := range runs {
		var s *testutil.Server
		if r.redis {
			s = testutil.StartRedis(t, "--maxmemory-policy", r.policy)
		} else {
			s = testutil.StartOurs(t, "--maxmemory-policy", r.policy)
		}
		c := s.Dial(t)
		limitTo(t, c, keys, keys*4/10)
		wg.Go(func() {
			<-start
			var err error
			if r.hits, err = cacheTrace(c, keys, 5, d); err != nil {
				t.Error(err)
			}
			r.keys = int(c.Must(t, "DBSIZE").Int)
			info, err := c.Info("stats")
			if err != nil || info["evicted_keys"] == "0" {
				t.Errorf("%s: evicted_keys %s, %v", r.policy, info["evicted_keys"], err)
			}
		})
	}
	close(start)
	wg.Wait()
	for i := 0; i < len(runs); i += 2 {
		if a, b := runs[i].keys, runs[i+1].keys; max(a-b, b-a) > a/12 {
			t.Errorf("%s: redis-server holds %d keys, this one %d: the limits are not comparable", runs[i].policy, a, b)
		}
		redis, ours := runs[i].hits, runs[i+1].hits
		t.Logf("%s: hits %.4f at redis-server, %.4f here", runs[i].policy, redis, ours)
		if ours < redis*0.97 {
			t.Errorf("%s: %.4f of the reads hit, %.4f at redis-server", runs[i].policy, ours, redis)
		}
		if math.IsNaN(ours) || redis < 0.3 || redis > 0.97 {
			t.Errorf("%s: the trace says nothing: %.3f of the reads hit", runs[i].policy, redis)
		}
	}
}
