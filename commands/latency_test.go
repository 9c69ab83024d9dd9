package commands

import (
	"strings"
	"testing"
)

func TestLatencySeries(t *testing.T) {
	var m latencyMonitor
	m.add("command", 100, 30)
	m.add("command", 100, 20) // the same second: the longest counts
	m.add("command", 101, 40)
	m.add("fork", 101, 7)
	s := m.events["command"]
	if len(s.samples) != 2 || s.samples[0] != (latencySample{100, 30}) || s.samples[1] != (latencySample{101, 40}) || s.max != 40 {
		t.Errorf("%+v", s)
	}
	for i := range int64(500) {
		m.add("command", 200+i, 10)
	}
	if len(s.samples) != latencySamples || s.samples[0].when != 700-latencySamples || s.samples[latencySamples-1].when != 699 || s.max != 40 {
		t.Errorf("%d samples from %d on, max %d", len(s.samples), s.samples[0].when, s.max)
	}
	if got := strings.Join(m.names(), " "); got != "command fork" {
		t.Errorf("events %s", got)
	}
}

func TestLatencyGraph(t *testing.T) {
	s, h := newTestServer(t)
	h.milli = 10_000_000_000
	c := newTestClient(s)
	for i, ms := range []int64{25, 50, 100, 1} {
		s.latency.add("command", h.milli/1000-90+int64(i)*30, ms)
	}
	want := strings.Join([]string{
		"command - high 100 ms, low 1 ms (all time high 100 ms)",
		strings.Repeat("-", 80),
		"  #", "  #", " ##", "####", "",
		"1130", "mm0s", "  s", "",
	}, "\n")
	if got := do(c, "LATENCY", "GRAPH", "command"); !strings.HasSuffix(got, want+"\r\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := ago(59) + ago(60) + ago(3600) + ago(86400*3); got != "59s1m1h3d" {
		t.Error(got)
	}
}

func TestSlowlogKeepsTheNewest(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	s.V.SlowlogLogSlowerThan, s.V.SlowlogMaxLen = 0, 3
	for range 10 {
		do(c, "PING")
	}
	l := &s.slowlog
	if len(l.entries) != 3 || l.entries[2].id != 9 || l.entries[0].id != 7 || l.entries[0].args[0] != "PING" {
		t.Errorf("%+v", l.entries)
	}
	s.V.SlowlogLogSlowerThan = -1
	do(c, "PING")
	if l.nextID != 10 {
		t.Errorf("entered while the log is off: next id %d", l.nextID)
	}
}

func TestQuoted(t *testing.T) {
	if got, want := string(appendQuoted(nil, []byte("a\"\\\n\r\t\a\b\x00\x7f\xff é"))), `"a\"\\\n\r\t\a\b\x00\x7f\xff \xc3\xa9"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
