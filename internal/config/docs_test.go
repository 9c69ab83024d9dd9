package config

import (
	"os"
	"strings"
	"testing"
	"unicode"
)

func TestDocumentationIsFresh(t *testing.T) {
	got, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Error("docs/configuration.md is stale: run go generate ./internal/config")
	}
}

func TestEveryRowIsDescribed(t *testing.T) {
	for _, d := range New().Directives() {
		if d.Doc == "" || !strings.HasSuffix(d.Doc, ".") || !unicode.IsUpper(rune(d.Doc[0])) {
			t.Errorf("%s: the description %q is no sentence", d.Name, d.Doc)
		}
		if (d.UsedBy == "") != d.is(NoEffect) {
			t.Errorf("%s: used by %q, without effect %v", d.Name, d.UsedBy, d.is(NoEffect))
		}
		if d.Env != "" && !d.is(Sensitive) {
			t.Errorf("%s: taken from the environment but no secret", d.Name)
		}
		if d.Name != "dir" && d.Default != d.get() {
			t.Errorf("%s: default %q, value %q", d.Name, d.Default, d.get())
		}
	}
}

func TestUsageAndVersion(t *testing.T) {
	if s := Usage("prog"); !strings.HasPrefix(s, "Usage: prog ") || strings.Contains(s, "PROGRAM") {
		t.Error(s)
	}
	if got := Version("prog", "1.2", "abc"); got != "prog 1.2, speaks the protocol of Redis 7.0.15, build abc" {
		t.Error(got)
	}
	if got := Version("prog", "1.2", ""); strings.Contains(got, "build") {
		t.Error(got)
	}
}

// TestExample: the example file is fresh, names every directive of ours, and can be loaded, as it is and with everything
// that stands behind a # switched on.
func TestExample(t *testing.T) {
	got, err := os.ReadFile("../../deploy/redis.conf")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Example() {
		t.Error("deploy/redis.conf is stale: run go generate ./internal/config")
	}
	if err := New().LoadLines("redis.conf", got); err != nil {
		t.Error(err)
	}
	r := New()
	r.Values.Dir = t.TempDir()
	var on strings.Builder
	for line := range strings.Lines(string(got)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "# "), " ")
		if d := r.lookup(name); strings.HasPrefix(line, "# ") && d != nil && d.is(Own) && !strings.HasSuffix(strings.TrimSpace(line), ".") {
			d.Doc = "" // seen
			on.WriteString(strings.TrimPrefix(line, "# "))
		}
	}
	for _, d := range r.Directives() {
		if d.is(Own) && !d.is(Hidden) && d.Doc != "" {
			t.Errorf("%s is not in deploy/redis.conf", d.Name)
		}
	}
	if err := New().LoadLines("redis.conf", []byte(on.String())); err != nil {
		t.Error(err)
	}
}
