package differential

import (
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestFunctionDumps: what one server dumps the other restores, in both directions, with every policy and into every state.
func TestFunctionDumps(t *testing.T) {
	p := newPair(t)
	library := func(name, fn, answer string) string {
		return "#!lua name=" + name + "\nredis.register_function('" + fn + "', function() return '" + answer + "' end)"
	}
	states := [][]string{{}, {library("one", "f", "old")}, {library("one", "f", "old"), library("other", "h", "kept")}, {library("other", "g", "taken")}}
	do := func(c *testutil.Conn, args ...string) string {
		t.Helper()
		_, raw, err := c.DoRaw(args...)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, from := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		do(from, "FUNCTION", "FLUSH")
		do(from, "FUNCTION", "LOAD", library("one", "f", "new"))
		do(from, "FUNCTION", "LOAD", library("two", "g", strings.Repeat("long ", 100)))
		v, err := from.Do("FUNCTION", "DUMP")
		if err != nil || v.Err() != nil {
			t.Fatal(v, err)
		}
		dump := v.Text
		payloads := []string{dump, dump[:len(dump)-1] + "x", dump[:10], "", "x" + dump}
		for _, policy := range []string{"", "APPEND", "REPLACE", "FLUSH", "NONE"} {
			for i, state := range states {
				for j, payload := range payloads {
					var answers [2]string
					for k, to := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
						do(to, "FUNCTION", "FLUSH")
						for _, code := range state {
							do(to, "FUNCTION", "LOAD", code)
						}
						restore := []string{"FUNCTION", "RESTORE", payload}
						if policy != "" {
							restore = append(restore, policy)
						}
						answers[k] = do(to, restore...)
						for _, fn := range []string{"f", "g", "h"} {
							answers[k] += do(to, "FCALL", fn, "0")
						}
						answers[k] += do(to, "FUNCTION", "STATS")
					}
					if answers[0] != answers[1] {
						t.Errorf("policy %q, state %d, payload %d\nredis: %q\nours:  %q", policy, i, j, answers[0], answers[1])
					}
				}
			}
		}
	}
}
