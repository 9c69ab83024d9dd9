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
