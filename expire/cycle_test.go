package expire

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

// server is a Target of a few databases without tables: what Expire reclaims it frees.
type server struct {
	a     *dict.Arena
	dbs   []*Index
	clock int64
	// cost of one call, in ns of the clock
	perExpire, perLook int64
	keep               bool
	early              int // keys that Expire was called for though they had time left
	now                int64
	order              []int
}

func (s *server) Databases() int { return len(s.dbs) }

func (s *server) Index(db int) *Index { return s.dbs[db] }

func (s *server) Expire(db int, r dict.Ref, when int64) bool {
	s.clock += s.perExpire
	if when >= s.now || s.a.Entry(r).ExpireAt() != when {
		s.early++
	}
	if s.keep {
		return false
	}
	if len(s.order) < cap(s.order) {
		s.order = append(s.order, db)
	}
	s.dbs[db].Remove(r)
	s.a.Free(r)
	return true
}

func (s *server) tick() int64 {
	s.clock += s.perLook
	return s.clock
}

func newServer(t testing.TB, dbs int) *server {
	s := &server{a: newArena(t), perExpire: 1000, perLook: 50, now: testNow}
	for range dbs {
		s.dbs = append(s.dbs, New(s.a, testNow-1_000_000))
	}
	return s
}

func (s *server) fill(t testing.TB, db, n int, when func(i int) int64) {
	t.Helper()
	for i := range n {
		s.dbs[db].Add(entry(s.a, fmt.Sprint(i), when(i)))
	}
}

func (s *server) check(t testing.TB) {
	t.Helper()
	for i, x := range s.dbs {
		if err := x.Check(); err != nil {
			t.Fatalf("database %d: %v", i, err)
		}
	}
	if s.early != 0 {
		t.Fatalf("%d keys were to be reclaimed early, or with a wrong expiry", s.early)
	}
}

// A lap of the index finds the one key among many, with any profile, in a number of cycles that its numbers promise.
func TestCycleFindsTheOne(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	for _, p := range Profiles() {
		s := newServer(t, 1)
		s.fill(t, 0, n, func(i int) int64 {
			if i == n/2 {
				return testNow - 1
			}
			return testNow + 1_000_000
		})
		c := NewCycle(p, s.tick)
		want := n/(p.SampleSize*wordsPerKey*p.MaxRounds) + 1
		runs := 0
		for s.dbs[0].Len() == n {
			if runs++; runs > want {
				t.Fatalf("%s: not found in %d cycles", p.Name, want)
			}
			c.Run(s, testNow, SlowBudget(10))
		}
		s.check(t)
	}
}

// Everything due is reclaimed in the end, nothing else, and the work goes on within one cycle as long as there is much of it.
func TestCycleReclaimsAll(t *testing.T) {
	for _, p := range Profiles() {
		s := newServer(t, 4)
		rnd := rand.New(rand.NewPCG(1, 2))
		live := 0
		for db := range s.dbs {
			s.fill(t, db, 5000, func(int) int64 {
				w := testNow + rnd.Int64N(4000) - 3000
				if w >= testNow {
					live++
				}
				return w
			})
		}
		c := NewCycle(p, s.tick)
		res := c.Run(s, testNow, 1_000_000_000)
		if res.TimedOut || res.Expired < (20000-live)/20 {
			t.Fatalf("%s: first cycle: %+v of %d due", p.Name, res, 20000-live)
		}
		for i := 0; i < 2000 && s.total() != live; i++ {
			c.Run(s, testNow, 1_000_000_000)
		}
		if s.total() != live {
			t.Fatalf("%s: %d keys left, %d of them live", p.Name, s.total(), live)
		}
		s.check(t)
	}
}

func (s *server) total() int {
	n := 0
	for _, x := range s.dbs {
		n += x.Len()
	}
	return n
}

// A cycle stops at its budget, but for one batch, and the next one goes on with the next database.
func TestCycleBudget(t *testing.T) {
	for _, p := range Profiles() {
		s := newServer(t, 3)
		for db := range s.dbs {
			s.fill(t, db, 20_000, func(int) int64 { return testNow - 1 })
		}
		c := NewCycle(p, s.tick)
		for range 10 {
			start := s.clock
			budget := int64(300_000)
			res := c.Run(s, testNow, budget)
			over := s.clock - start - budget
			if !res.TimedOut || over > int64(p.BatchSize)*s.perExpire+2*s.perLook {
				t.Fatalf("%s: %d ns over the budget, %+v", p.Name, over, res)
			}
			if res.Expired == 0 {
				t.Fatalf("%s: nothing reclaimed in %d ns", p.Name, budget)
			}
		}
		lens := []int{s.dbs[0].Len(), s.dbs[1].Len(), s.dbs[2].Len()}
		for db, n := range lens {
			if n == 20_000 {
				t.Errorf("%s: database %d had no turn: %v", p.Name, db, lens)
			}
		}
		s.check(t)
	}
}

// Below the threshold a database has MaxRounds rounds in a cycle, above it more.
func TestCycleThreshold(t *testing.T) {
	p, err := Custom(10, 3, 5, 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ every, rounds int }{{4, 3}, {1, 100}} {
		s := newServer(t, 1)
		s.fill(t, 0, 1000, func(i int) int64 {
			if i%test.every == 0 {
				return testNow - 1
			}
			return testNow + 1_000_000
		})
		res := NewCycle(p, s.tick).Run(s, testNow, 1_000_000_000)
		if res.Rounds != test.rounds {
			t.Errorf("1 of %d expired: %+v, want %d rounds", test.every, res, test.rounds)
		}
		s.check(t)
	}
}

// A target that keeps the keys does not hold a cycle up.
func TestCycleKept(t *testing.T) {
	s := newServer(t, 2)
	s.keep = true
	s.fill(t, 1, 1000, func(int) int64 { return testNow - 1 })
	res := NewCycle(Default, s.tick).Run(s, testNow, 1_000_000_000)
	if res.Expired != 0 || res.TimedOut || s.total() != 1000 {
		t.Fatalf("%+v, %d keys", res, s.total())
	}
	s.check(t)
}

func TestFastCycle(t *testing.T) {
	s := newServer(t, 1)
	c := NewCycle(Default, s.tick)
	s.fill(t, 0, 100_000, func(int) int64 { return testNow - 1 })
	if res := c.RunFast(s, testNow); res.Looked != 0 {
		t.Fatalf("a fast cycle ran without a reason: %+v", res)
	}
	if res := c.Run(s, testNow, 1_000_000); !res.TimedOut {
		t.Fatalf("%+v", res)
	}
	start := s.clock
	if res := c.RunFast(s, testNow); !res.TimedOut || res.Expired == 0 {
		t.Fatalf("no fast cycle after one that timed out: %+v", res)
	}
	if took := s.clock - start; took > FastBudget+20*s.perExpire {
		t.Fatalf("a fast cycle took %d ns", took)
	}
	if res := c.RunFast(s, testNow); res.Looked != 0 {
		t.Fatalf("two fast cycles in a row: %+v", res)
	}
	s.clock += 2 * FastBudget
	if res := c.RunFast(s, testNow); res.Expired == 0 {
		t.Fatalf("no fast cycle later: %+v", res)
	}
	for range 1000 {
		s.clock += 2 * FastBudget
		c.RunFast(s, testNow)
		c.Run(s, testNow, SlowBudget(10))
	}
	if s.total() != 0 {
		t.Fatalf("%d keys left", s.total())
	}
	s.clock += 2 * FastBudget
	if res := c.RunFast(s, testNow); res.Looked != 0 || c.StaleFraction() != 0 {
		t.Fatalf("a fast cycle with nothing left to do: %+v, stale %v", res, c.StaleFraction())
	}
}

func TestAvgTTL(t *testing.T) {
	s := newServer(t, 1)
	rnd := rand.New(rand.NewPCG(3, 4))
	s.fill(t, 0, 10_000, func(int) int64 { return testNow + rnd.Int64N(200_000) })
	c := NewCycle(Default, s.tick)
	for range 300 {
		c.Run(s, testNow, SlowBudget(10))
	}
	if avg := s.dbs[0].AvgTTL(); avg < 90_000 || avg > 110_000 {
		t.Errorf("average of 0 to 200 s is %d ms", avg)
	}
	if s.dbs[0].StaleFraction() > 0.01 {
		t.Errorf("stale %v", s.dbs[0].StaleFraction())
	}
}

func TestCycleAllocs(t *testing.T) {
	s := newServer(t, 2)
	s.fill(t, 0, 10_000, func(i int) int64 { return testNow - 5000 + int64(i) })
	c := NewCycle(LowLatency, s.tick)
	if n := testing.AllocsPerRun(100, func() {
		c.Run(s, testNow, 10_000)
		c.RunFast(s, testNow)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Over a simulated hour with keys of every kind of life, no key is reclaimed before its time, and the stale ones stay few.
func TestCycleOverTime(t *testing.T) {
	for _, p := range Profiles() {
		s := newServer(t, 1)
		rnd := rand.New(rand.NewPCG(7, 8))
		c := NewCycle(p, s.tick)
		x := s.dbs[0]
		for tick := range 3000 {
			s.now = testNow + int64(tick)*100
			for range 20 {
				x.Add(entry(s.a, fmt.Sprint(tick), s.now+rnd.Int64N(30_000)))
			}
			c.Run(s, s.now, SlowBudget(10))
		}
		s.check(t)
		stale := 0
		for i := range x.Len() {
			if s.a.Entry(x.At(i)).ExpireAt() < s.now {
				stale++
			}
		}
		// 200 keys a second for 15 s on average are alive; the profile's threshold bounds the rest.
		if max := x.Len()*p.Threshold/100 + p.SampleSize; stale > max {
			t.Errorf("%s: %d of %d keys are stale", p.Name, stale, x.Len())
		}
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range Profiles() {
		if got, ok := ByName(p.Name); !ok || got != p {
			t.Errorf("ByName(%q) = %v, %v", p.Name, got, ok)
		}
		if q, err := Custom(p.SampleSize, p.MaxRounds, p.BatchSize, p.Threshold); err != nil || q.Name != "custom" {
			t.Errorf("Custom as %s: %v, %v", p.Name, q, err)
		}
	}
	if _, ok := ByName("none"); ok {
		t.Error("a profile named none")
	}
	for _, bad := range [][4]int{{0, 1, 1, 1}, {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, -1}, {1, 1, 1, 101}, {1 << 30, 1, 1, 1}, {1, 1 << 20, 1, 1}} {
		if p, err := Custom(bad[0], bad[1], bad[2], bad[3]); err == nil {
			t.Errorf("Custom(%v) = %v", bad, p)
		}
	}
}
