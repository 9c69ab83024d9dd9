package differential

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// monitorHead is the clock and the address of a line of MONITOR.
var monitorHead = regexp.MustCompile(`(?m)^\+\d+\.\d{6} \[(\d+) (lua|[0-9.]+:\d+)\]`)

// withoutClock leaves of each line what two servers agree on.
func withoutClock(data []byte) string {
	return monitorHead.ReplaceAllStringFunc(string(data), func(s string) string {
		m := monitorHead.FindStringSubmatch(s)
		who := "client"
		if m[2] == "lua" {
			who = "lua"
		}
		return "[" + m[1] + " " + who + "]"
	})
}

// TestMonitor: what is shown of which command, in which order, to others and to the monitor itself.
func TestMonitor(t *testing.T) {
	p := newPair(t)
	history := [][]string{
		{"SET", "k", "a\"\\\n\r\t\a\b\x00\xff é"}, {"get", "k"}, {"AUTH", "x"}, {"AUTH", "u", "x"}, {"HELLO", "3", "AUTH", "default", "zz"},
		{"HELLO", "2", "AUTH", "x"}, {"HELLO", "2", "SETNAME", "n", "AUTH", "a", "b"}, {"CONFIG", "GET", "port"}, {"CONFIG", "SET", "requirepass", ""}, {"CLIENT", "SETNAME", "n"},
		{"CLIENT", "LIST"}, {"SELECT", "2"}, {"MULTI"}, {"SET", "a", "1"}, {"INCR", "k"}, {"EXEC"}, {"MULTI"}, {"DISCARD"}, {"NOSUCH"}, {"GET"}, {"ping"}, {"COMMAND", "COUNT"},
		{"SLOWLOG", "LEN"}, {"LATENCY", "LATEST"}, {"PUBLISH", "c", "m"}, {"HSET", "h", "f", "v"}, {"INCR", "h"}, {"DEL", "a", "h", ""}, {"DBSIZE"}, {"SHUTDOWN", "x"}, {"DEBUG", "DIGEST"}, {"FLUSHALL"},
	}
	for _, proto := range []string{"2", "3"} {
		var shown, own []string
		for _, s := range []*testutil.Server{p.redis, p.ours} {
			m, c := s.Dial(t), s.Dial(t)
			m.Must(t, "HELLO", proto)
			m.Must(t, "MONITOR")
			if err := m.Send("MONITOR"); err != nil { // no answer
				t.Fatal(err)
			}
			for _, cmd := range history {
				if _, err := c.Do(cmd...); err != nil {
					t.Fatal(err)
				}
			}
			data, closed := m.ReadAll(300 * time.Millisecond)
			if closed {
				t.Fatal("the monitor was disconnected")
			}
			shown = append(shown, withoutClock(data))
			var all []byte
			for _, cmd := range [][]string{{"GET", "k"}, {"PING"}, {"SET", "k", "v"}, {"PFCOUNT", "x"}, {"MULTI"}, {"PING"}, {"EXEC"}, {"MULTI"}, {"GET", "k"}, {"EXEC"}, {"RESET"}, {"GET", "k"}} {
				if err := m.Send(cmd...); err != nil {
					t.Fatal(err)
				}
				data, _ := m.ReadAll(50 * time.Millisecond)
				all = append(append(all, strings.Join(cmd, " ")+": "...), data...)
			}
			if err := c.Send("PING"); err != nil {
				t.Fatal(err)
			}
			data, _ = m.ReadAll(50 * time.Millisecond)
			own = append(own, withoutClock(append(all, data...)))
			x := s.Dial(t)
			x.Must(t, "MULTI")
			x.Must(t, "MONITOR")
			if v, err := x.Do("EXEC"); err != nil || len(v.Elems) != 1 || v.Elems[0].Text != "ERR MONITOR isn't allowed for DENY BLOCKING client" {
				t.Errorf("MONITOR in a transaction: %v, %v", v, err)
			}
		}
		for i, pair := range [][]string{shown, own} {
			if pair[0] != pair[1] {
				t.Errorf("RESP%s, part %d:\nredis: %s\nours:  %s", proto, i, pair[0], pair[1])
			}
		}
	}
}

// TestMonitorFlag: CLIENT LIST marks a monitor, and one that left is no longer fed.
func TestMonitorFlag(t *testing.T) {
	p := newPair(t)
	for _, s := range []*testutil.Server{p.redis, p.ours} {
		m, c := s.Dial(t), s.Dial(t)
		m.Must(t, "MONITOR")
		if list := c.Must(t, "CLIENT", "LIST").Text; !strings.Contains(list, " flags=O ") {
			t.Errorf("no monitor in %s", list)
		}
		m.Close()
		testutil.Eventually(t, 5*time.Second, "the monitor is gone", func() error {
			if list := c.Must(t, "CLIENT", "LIST").Text; strings.Contains(list, " flags=O ") {
				return errors.New(list)
			}
			return nil
		})
		c.Must(t, "PING")
	}
}

// TestSlowlogEntries: what is kept of a command.
func TestSlowlogEntries(t *testing.T) {
	p := newPair(t, "--slowlog-log-slower-than", "0")
	var many []string
	for i := range 60 {
		many = append(many, strings.Repeat("v", 126+i/8))
	}
	history := [][]string{
		{"PING", strings.Repeat("x", 200)}, append([]string{"MSET"}, many...), append([]string{"DEL"}, many[:31]...), append([]string{"DEL"}, many[:32]...),
		{"AUTH", "secret"}, {"AUTH", "user", "secret"}, {"HELLO", "2", "AUTH", "default", "secret"}, {"CONFIG", "SET", "requirepass", ""}, {"CONFIG", "SET", "maxmemory", "0", "masterauth", ""},
		{"MULTI"}, {"SET", "k", "v"}, {"EXEC"}, {"GET"}, {"CLIENT", "SETNAME", "me"}, {"GET", "\x00\xff"},
	}
	var logs [][]string
	for _, s := range []*testutil.Server{p.redis, p.ours} {
		c := s.Dial(t)
		c.Must(t, "SLOWLOG", "RESET")
		for _, cmd := range history {
			if _, err := c.Do(cmd...); err != nil {
				t.Fatal(err)
			}
		}
		var log []string
		last := int64(-1)
		for _, e := range c.Must(t, "SLOWLOG", "GET", "-1").Elems {
			if len(e.Elems) != 6 {
				t.Fatalf("an entry of %d elements", len(e.Elems))
			}
			id := e.Elems[0].Int
			if last >= 0 && id != last-1 {
				t.Errorf("entry %d follows %d", id, last)
			}
			last = id
			if when := e.Elems[1].Int; when < time.Now().Unix()-60 || when > time.Now().Unix()+1 {
				t.Errorf("at %d", when)
			}
			if addr := e.Elems[4].Text; addr != c.Net().LocalAddr().String() {
				t.Errorf("of %q", addr)
			}
			log = append(log, quoteArgs(e.Elems[3].Strings())+" of "+e.Elems[5].Text)
		}
		logs = append(logs, log)
	}
	if !slices.Equal(logs[0], logs[1]) {
		t.Errorf("redis:\n%s\nours:\n%s", strings.Join(logs[0], "\n"), strings.Join(logs[1], "\n"))
	}
}

// TestLatencySamples: one slow command, seen by LATEST, HISTORY and HISTOGRAM.
func TestLatencySamples(t *testing.T) {
	p := newPair(t, "--latency-monitor-threshold", "50")
	for _, s := range []*testutil.Server{p.redis, p.ours} {
		c := s.Dial(t)
		c.Must(t, "LATENCY", "RESET")
		c.Must(t, "DEBUG", "SLEEP", "0.08")
		latest := c.Must(t, "LATENCY", "LATEST").Elems
		if len(latest) != 1 || latest[0].Elems[0].Text != "command" || latest[0].Elems[2].Int < 80 || latest[0].Elems[3].Int < 80 {
			t.Errorf("LATEST: %v", latest)
		}
		history := c.Must(t, "LATENCY", "HISTORY", "command").Elems
		if len(history) != 1 || history[0].Elems[1].Int < 80 {
			t.Errorf("HISTORY: %v", history)
		}
		if graph := c.Must(t, "LATENCY", "GRAPH", "command").Text; !strings.HasPrefix(graph, "command - high ") {
			t.Errorf("GRAPH: %s", graph)
		}
		if doctor := c.Must(t, "LATENCY", "DOCTOR").Text; !strings.Contains(doctor, "1. command: 1 latency spikes") {
			t.Errorf("DOCTOR: %s", doctor)
		}
		h := c.Must(t, "LATENCY", "HISTOGRAM", "debug").Elems
		if len(h) != 2 || h[0].Text != "debug" || len(h[1].Elems) != 4 || h[1].Elems[1].Int != 1 || len(h[1].Elems[3].Elems) != 2 {
			t.Errorf("HISTOGRAM: %v", h)
		} else if bound := h[1].Elems[3].Elems[0].Int; bound != 135266 { // 1032 * 2^17 ns
			t.Errorf("80 ms are counted up to %d us", bound)
		}
		if n := c.Must(t, "LATENCY", "RESET").Int; n != 1 {
			t.Errorf("RESET forgot %d events", n)
		}
	}
}
