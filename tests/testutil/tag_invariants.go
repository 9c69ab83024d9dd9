//go:build invariants

package testutil

func init() {
	buildFlags = append(buildFlags, "-tags", "invariants")
	Invariants = true
}
