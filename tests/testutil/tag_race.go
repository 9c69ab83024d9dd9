//go:build race

package testutil

func init() { buildFlags = append(buildFlags, "-race") }
