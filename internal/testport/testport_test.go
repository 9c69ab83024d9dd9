//go:build unix

package testport

import "testing"

func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 50 {
		p, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		if seen[p] || p < first || p > last {
			t.Fatalf("port %d", p)
		}
		seen[p] = true
	}
}
