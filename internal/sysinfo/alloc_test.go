//go:build !race

package sysinfo

import "testing"

// The race detector's instrumentation allocates by itself.
func TestRSSAllocatesNothing(t *testing.T) {
	p := Open(0)
	defer p.Close()
	if n := testing.AllocsPerRun(100, func() { p.RSS() }); n != 0 {
		t.Errorf("RSS allocates %v times", n)
	}
}
