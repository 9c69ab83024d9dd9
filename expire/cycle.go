package expire

import "github.com/raniellyferreira/redis-inmemory-replica/dict"

// The active cycle
//
// Keys that nobody asks for again would stay for ever if only accesses found them expired. The cycle walks each
// database's index from where it last stopped, a round at a time, and reclaims what is due:
//
//	pass      db 0: round round round (MaxRounds of them)   db 3: round round round   db 7: …
//	pass      those databases again where these found many expired keys (Threshold)
//	…         until none is left, or the budget is used up; the next cycle starts with the database that was next
//
// That is Redis's algorithm (activeExpireCycle) with two differences. It walks an index in order rather than sampling a hash
// table, so it needs no luck to find the one expired key among a million: a lap of the index visits all. And as it
// tells live keys apart without touching them, a round passes over many more of them.
//
// A slow cycle runs on each tick of the server with a share of the tick's time; in between, fast cycles of at most a
// millisecond run as long as a cycle has reason to believe that much is left to do.

const (
	// FastBudget is the length of a fast cycle in ns.
	FastBudget = 1_000_000
	// SlowPercent is the share of the time between two ticks that a slow cycle may use.
	SlowPercent = 25
	// acceptableStale is the share of expired keys with which no fast cycle is due.
	acceptableStale = 0.10

	// wordsPerKey is how many words of the index a round looks at for each key of its sample.
	wordsPerKey = 64
	// prefetchAhead is how many removals ahead their records are loaded.
	prefetchAhead = 4
)

// SlowBudget returns the budget of a slow cycle in ns on a server that ticks hz times a second.
func SlowBudget(hz int) int64 { return 1_000_000_000 / int64(max(hz, 1)) * SlowPercent / 100 }

// Target is what a cycle works on: the databases.
type Target interface {
	// Databases returns the number of databases.
	Databases() int
	// Index returns the index of a database, or nil if it has none.
	Index(db int) *Index
	// Expire reclaims an entry that expired at when (Unix ms): it takes it out of the index and the table, frees it,
	// and tells whom it concerns. It returns false if it left the entry where it was.
	Expire(db int, r dict.Ref, when int64) bool
}

// Result is what a cycle did.
type Result struct {
	Expired  int  // keys reclaimed
	Looked   int  // words of indexes looked at
	Visited  int  // records read
	Rounds   int  // rounds of all databases
	TimedOut bool // the budget ended before the work
}

// Cycle is the active expire cycle over all databases of a server.
type Cycle struct {
	Profile Profile

	clock    func() int64 // monotonic ns
	next     int          // database that the next cycle starts with
	timedOut bool         // the last slow cycle ran out of budget
	stale    float64      // running estimate over all databases
	lastFast int64        // when the last fast cycle started
	ranFast  bool
	busy     [maxBusy]bool // databases that the next pass visits
}

// maxBusy is how many databases can be told apart as busy; the others count as busy in every pass that any is.
const maxBusy = 1024

// NewCycle returns a cycle. clock is a monotonic clock in ns.
func NewCycle(p Profile, clock func() int64) *Cycle { return &Cycle{Profile: p, clock: clock} }

// StaleFraction returns the running estimate of the share of expired keys among those with an expiry: 0 to 1.
func (c *Cycle) StaleFraction() float64 { return c.stale }

// Run is a slow cycle: it reclaims keys that expired before now (Unix ms) for at most budget ns. A replica that gives its
// master a grace passes a time in the past.
func (c *Cycle) Run(t Target, now, budget int64) Result {
	res := c.run(t, now, c.clock()+budget)
	c.timedOut = res.TimedOut
	return res
}

// RunFast is a fast cycle: as Run, but only if the last slow cycle could not finish or more than a tenth of the keys with an
// expiry is believed to have expired, and not sooner after the last fast one than twice its length. Call it in every turn
// of the loop.
func (c *Cycle) RunFast(t Target, now int64) Result {
	if !c.timedOut && c.stale < acceptableStale {
		return Result{}
	}
	start := c.clock()
	if c.ranFast && start < c.lastFast+2*FastBudget {
		return Result{}
	}
	c.lastFast, c.ranFast = start, true
	res := c.run(t, now, start+FastBudget)
	if !res.TimedOut {
		c.timedOut = false
	}
	return res
}

func (c *Cycle) run(t Target, now, deadline int64) Result {
	var res Result
	n := t.Databases()
	if n == 0 {
		return res
	}
	if c.next >= n {
		c.next = 0
	}
	for i := range min(n, maxBusy) {
		c.busy[i] = true
	}
	first := c.next
	for more := true; more && !res.TimedOut; {
		more = false
		for i := range n {
			db := (first + i) % n
			if db < maxBusy && !c.busy[db] {
				continue
			}
			x := t.Index(db)
			again := false
			if x != nil && x.n != 0 {
				again = c.database(t, db, x, now, deadline, &res)
			}
			if db < maxBusy {
				c.busy[db] = again
			}
			more = more || again
			if res.TimedOut {
				c.next = (db + 1) % n
				break
			}
		}
	}
	if !res.TimedOut {
		c.next = first
	}
	if res.Looked != 0 {
		c.stale = c.stale*0.95 + float64(res.Expired)/float64(res.Looked)*0.05
	} else {
		c.stale = 0
	}
	return res
}

// database gives one database its rounds, and says whether it should get more.
func (c *Cycle) database(t Target, db int, x *Index, now, deadline int64, res *Result) bool {
	lap := x.n
	many := false
	looked, expired := 0, 0
	for range c.Profile.MaxRounds {
		l, e := c.round(t, db, x, now, deadline, res)
		looked += l
		expired += e
		many = expired*100 > looked*c.Profile.Threshold
		if res.TimedOut || x.n == 0 || looked >= lap && !many {
			break
		}
	}
	return many && x.n != 0
}

// round looks at the next stretch of an index.
func (c *Cycle) round(t Target, db int, x *Index, now, deadline int64, res *Result) (looked, expired int) {
	p := &c.Profile
	limit := min(p.SampleSize*wordsPerKey, x.n)
	due := x.coarse(now)
	visited, batch := 0, 0
	var ttl ttlSample
	for visited < p.SampleSize && x.n != 0 {
		looked += x.skipLive(limit-looked, due, &ttl)
		if looked >= limit {
			break
		}
		looked++
		visited++
		r := x.At(x.cursor)
		if x.n > prefetchAhead {
			// Its removal will write to the record of the last word, and the one after to that of the word before.
			x.a.Prefetch(x.At(x.n - prefetchAhead))
		}
		when := x.when(x.a.Entry(r))
		if when >= now || !t.Expire(db, r, when) {
			x.cursor++
			continue
		}
		// Reclaimed: another word stands at the cursor now.
		expired++
		if batch++; batch >= p.BatchSize {
			batch = 0
			if c.clock() >= deadline {
				res.TimedOut = true
				break
			}
		}
	}
	if !res.TimedOut && c.clock() >= deadline {
		res.TimedOut = true
	}
	res.Rounds++
	res.Looked += looked
	res.Visited += visited
	res.Expired += expired
	if ttl.count != 0 {
		avg := ttl.sum / ttl.count
		if x.avgTTL == 0 {
			x.avgTTL = avg
		}
		x.avgTTL = x.avgTTL/50*49 + avg/50
	}
	if looked != 0 {
		x.stale = x.stale*0.95 + float64(expired)/float64(looked)*0.05
	}
	return looked, expired
}
