//go:build !linux

package dict

import "testing"

// resident returns the memory of an arena that may be resident: these systems do not say what is.
func resident(_ testing.TB, a *Arena) int64 { return a.committed() }
