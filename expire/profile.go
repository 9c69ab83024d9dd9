package expire

import "fmt"

// Profile says how hard an active cycle works.
type Profile struct {
	Name string
	// SampleSize is how many due keys a round visits. A round also ends after SampleSize*64 words of the index, due or
	// not: looking at one costs about a nanosecond.
	SampleSize int
	// MaxRounds is how many rounds a database gets before the next one has its turn.
	MaxRounds int
	// BatchSize is how many keys are reclaimed between two looks at the clock: the most that a cycle works beyond its
	// budget.
	BatchSize int
	// Threshold is the percentage of expired keys among those that a database's rounds looked at, above which it gets
	// another turn in the same cycle: there must be many more.
	Threshold int
}

// The profiles that the configuration names.
var (
	Default         = Profile{"default", 20, 4, 10, 25}
	SmallDataset    = Profile{"small", 10, 2, 5, 50}
	MediumDataset   = Profile{"medium", 25, 5, 12, 30}
	LargeDataset    = Profile{"large", 50, 8, 25, 15}
	BestPerformance = Profile{"best-performance", 100, 10, 50, 10}
	LowLatency      = Profile{"low-latency", 15, 3, 8, 40}
)

// Profiles lists the named profiles.
func Profiles() []Profile {
	return []Profile{Default, SmallDataset, MediumDataset, LargeDataset, BestPerformance, LowLatency}
}

// ByName returns the named profile.
func ByName(name string) (Profile, bool) {
	for _, p := range Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// Custom returns a profile of one's own, or an error that says which number is out of its range: 1 to 100,000 keys a
// sample and a batch, 1 to 1,000 rounds, 0 to 100 percent.
func Custom(sampleSize, maxRounds, batchSize, threshold int) (Profile, error) {
	for _, v := range []struct {
		what      string
		n, lo, hi int
	}{
		{"sample size", sampleSize, 1, 100_000},
		{"number of rounds", maxRounds, 1, 1000},
		{"batch size", batchSize, 1, 100_000},
		{"threshold", threshold, 0, 100},
	} {
		if v.n < v.lo || v.n > v.hi {
			return Profile{}, fmt.Errorf("expire: %s %d is not between %d and %d", v.what, v.n, v.lo, v.hi)
		}
	}
	return Profile{"custom", sampleSize, maxRounds, batchSize, threshold}, nil
}
