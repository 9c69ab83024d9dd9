package examples

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestExamples runs each program and compares what it prints.
func TestExamples(t *testing.T) {
	want := map[string]string{
		"basic":               `(?s)in step with .*: 1 keys\ngreeting = hello\n1 keys, greeting is a string\n`,
		"lua":                 `(?s)in stock: 19\nplums: 3\nos.execute: .*nonexistent global variable 'os'.*\n`,
		"replica-lua":         `(?s)return .*\* 2\n  -> :24\nreturn .*\n  -> -READONLY .*\n`,
		"monitoring":          `synced true, connected true, progress 100 %\nthe collector heard of a full sync: true\n(?:redis_.*\n)+metrics: true\n`,
		"cluster":             `users: user:1 = ada\norders: order:1 = 3 apples\nconnected: true true\n`,
		"filtering":           `2 keys here; left out: 2 keys of the snapshot\n`,
		"write-redirection":   `here: from the replica\non the master: from the replica\n`,
		"change-hooks":        `map\[PT:1\]\nmap\[BR:1 PT:1\]\nmap\[BR:2 PT:1\]\nmap\[BR:2\]\n`,
		"client-side-caching": `cached: first edition\nentries after the invalidation: 0\n`,
	}
	t.Setenv("MASTER", "") // each brings its own
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", dir, "./...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sources, err := filepath.Glob("*/main.go")
	if err != nil || len(sources) != len(want) {
		t.Errorf("%d examples, %d expected (%v)", len(sources), len(want), err)
	}
	for _, s := range sources {
		name := filepath.Dir(s)
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(ctx, filepath.Join(dir, name)).CombinedOutput()
			if err != nil {
				t.Errorf("%v", err)
			}
			text := strings.ReplaceAll(string(out), "\r\n", "\n")
			if !regexp.MustCompile("^(?:" + want[name] + ")$").MatchString(text) {
				t.Errorf("it prints\n%s\nwant %s", out, want[name])
			}
		})
	}
}
