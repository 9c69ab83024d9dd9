package config

import (
	"fmt"
	"slices"
)

// pending names the directives whose feature this version does not have yet. They are accepted and reported as usual,
// but documented as such, and named in the log at start. Whoever builds the feature takes its names away here; a test
// holds the list against the code.
var pending = []string{}

func markPending(r *Registry) {
	left := len(pending)
	for _, d := range r.rows {
		if !slices.Contains(pending, d.Name) {
			continue
		}
		left--
		d.Flags |= Pending
	}
	if left != 0 {
		panic(fmt.Sprintf("config: %d pending directives do not exist", left))
	}
}
