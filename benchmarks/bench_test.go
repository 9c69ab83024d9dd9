package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestQuickRun runs every measure at small sizes, both servers, so that the benchmarks cannot rot.
func TestQuickRun(t *testing.T) {
	var out, progress bytes.Buffer
	if err := run([]string{"-quick", "-runs", "1", "-json", "-cache", t.TempDir()}, &out, &progress); err != nil {
		t.Errorf("%v\n%s", err, progress.String())
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen[r.Name] = true
		if r.Verdict != verdictError && (r.Ours <= 0 || (!r.Absolute && r.Ratio <= 0)) {
			t.Errorf("%s: ours %v, ratio %v", r.Name, r.Ours, r.Ratio)
		}
	}
	for _, m := range measures {
		if !seen[m.name] {
			t.Errorf("%s was not measured", m.name)
		}
	}
}

// TestSameServerTwice compares redis-server with itself: the instruments must say about one.
func TestSameServerTwice(t *testing.T) {
	var out, progress bytes.Buffer
	if err := run([]string{"-quick", "-runs", "1", "-only", "rss,sync,stream,cpu-get-p16", "-ours", "redis-server", "-json", "-cache", t.TempDir()}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		limit := 6.0 // times are short and the machine is shared
		if r.Name == "rss" {
			limit = 1.2
		}
		if r.Ratio > limit || r.Ratio < 1/limit {
			t.Errorf("%s: redis-server is %.2f of itself", r.Name, r.Ratio)
		}
	}
}

func TestTable(t *testing.T) {
	redis := 100.0
	var out bytes.Buffer
	rows := []result{
		{Title: "first", Unit: "MB", Ours: 65, Redis: &redis, Ratio: 0.65, Bar: 0.7, Aim: 0.6, Sign: "<=", Verdict: verdict(0.65, 0.7, 0.6, "<=")},
		{Title: "second", Unit: "ms", Ours: 7, Bar: 5, Sign: "<=", Absolute: true, Verdict: verdict(7, 5, 1, "<=")},
		{Title: "third", Verdict: verdictError, Error: "why"},
	}
	table(&out, rows, "ours", "redis")
	for _, want := range []string{"65.0 MB   100.0 MB", "<= 0.70", "pass", "7.000 ms", "<= 5.000 ms", "FAIL", "failed: why"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestMarkdownTable(t *testing.T) {
	redis := 100.0
	var out bytes.Buffer
	markdownTable(&out, []result{
		{Title: "first", Unit: "MB", Ours: 65, Redis: &redis, Ratio: 0.65},
		{Title: "second", Unit: "ms", Ours: 7, Absolute: true},
		{Title: "third", Verdict: verdictError, Error: "why"},
	}, "ours", "redis")
	const want = "| measure | ours | redis | ratio |\n| --- | --- | --- | --- |\n" +
		"| first | 65.0 MB | 100.0 MB | 0.65 |\n| second | 7.000 ms | – | – |\n| third | failed | | |\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		value, bar, aim float64
		sign, want      string
	}{
		{0.5, 0.7, 0.6, "<=", verdictAim}, {0.65, 0.7, 0.6, "<=", verdictPass}, {0.8, 0.7, 0.6, "<=", verdictFail},
		{5, 2.5, 4, ">=", verdictAim}, {3, 2.5, 4, ">=", verdictPass}, {1, 2.5, 4, ">=", verdictFail}, {1, 0, 0, "<=", verdictNone},
	} {
		if got := verdict(c.value, c.bar, c.aim, c.sign); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("median")
	}
	if v, err := parseCSV("\"test\",\"rps\"\n\"SET\",\"123456.50\",\"0.1\"\n", "set"); err != nil || v != 123456.5 {
		t.Errorf("%v, %v", v, err)
	}
}
