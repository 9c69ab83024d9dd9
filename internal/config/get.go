package config

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
	"sort"
	"strings"
)

// Pair is a directive's name and value in a CONFIG GET reply.
type Pair struct{ Name, Value string }

// Get answers CONFIG GET: the directives that match any of the patterns, each once. A pattern without [, * and ? is a
// name: it finds hidden directives too, in any case, and is reported as the caller wrote it. Other patterns are matched
// against names and aliases without regard to case. Redis's order is that of a hash table; here it is that of the
// patterns, then of the names.
func (r *Registry) Get(patterns ...string) []Pair {
	var out []Pair
	seen := make(map[string]bool)
	report := func(name string, d *Directive) {
		if key := strings.ToLower(name); !seen[key] {
			seen[key] = true
			out = append(out, Pair{name, d.get()})
		}
	}
	for _, pattern := range patterns {
		if !strings.ContainsAny(pattern, "[*?") {
			if d := r.lookup(pattern); d != nil {
				report(pattern, d)
			}
			continue
		}
		for _, name := range r.match(pattern) {
			report(name, r.byName[name])
		}
	}
	return out
}

// match returns the names and aliases that a glob pattern matches, sorted.
func (r *Registry) match(pattern string) []string {
	var names []string
	low := strings.ToLower(pattern)
	for name, d := range r.byName {
		if !d.is(Hidden) && glob.MatchFold([]byte(low), []byte(name)) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Lookup returns one directive's value as CONFIG GET reports it.
func (r *Registry) Lookup(name string) (value string, ok bool) {
	d := r.lookup(name)
	if d == nil {
		return "", false
	}
	return d.get(), true
}
