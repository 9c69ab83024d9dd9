package commands

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
)

func TestDebugReports(t *testing.T) {
	s, h := newTestServer(t, "enable-debug-command", "yes", "list-max-listpack-size", "4")
	c := newTestClient(s)
	do(c, "SET", "s", "hello")
	for i := range 30 {
		do(c, "RPUSH", "l", fmt.Sprint("element", i))
	}
	do(c, "HSET", "h", "field", "value", "n", "12345")
	for i := range 2000 {
		do(c, "SADD", "big", fmt.Sprint("m", i))
	}
	logged := func(cmd ...string) string {
		h.logs = nil
		if got := do(c, append([]string{"DEBUG"}, cmd...)...); got[0] != '+' {
			t.Errorf("%q: %q", cmd, got)
		}
		return strings.Join(h.logs, "\n")
	}
	if got := logged("LISTPACK", "h"); !strings.Contains(got, "{num entries 4}") || !strings.Contains(got, `[str] "field"}`) || !strings.Contains(got, "[int] 12345}") {
		t.Error(got)
	}
	if got := logged("QUICKLIST", "l", "1"); !strings.Contains(got, "ql_nodes:8") || !strings.Contains(got, `"element29"`) || !strings.Contains(got, "node 7: container: PACKED") {
		t.Error(got)
	}
	if got := logged("QUICKLIST", "l"); strings.Contains(got, "element29") {
		t.Error("entries without being asked for")
	}
	if got := logged("JMAP"); !strings.Contains(got, "arena live ") {
		t.Error(got)
	}
	for _, cmd := range [][]string{{"HTSTATS-KEY", "big"}, {"HTSTATS-KEY", "big", "FULL"}} {
		got := do(c, append([]string{"DEBUG"}, cmd...)...)
		if !strings.Contains(got, " number of elements: ") || !strings.Contains(got, "Chain length distribution") || strings.Contains(got, "overflow buckets") != (len(cmd) == 3) {
			t.Errorf("%q: %q", cmd, got)
		}
	}
	if got := do(c, "DEBUG", "HTSTATS", "0", "FULL"); !strings.Contains(got, " number of elements: 4\n") || !strings.Contains(got, "overflow buckets") {
		t.Error(got)
	}
	if got := do(c, "DEBUG", "SDSLEN", "s"); !strings.Contains(got, "key_sds_len:1,") || !strings.Contains(got, "val_sds_len:5,") {
		t.Error(got)
	}
	if got := do(c, "DEBUG", "MALLCTL", "stats.allocated"); got[0] != ':' || got == ":0\r\n" {
		t.Error(got)
	}
	if got := do(c, "DEBUG", "STRINGMATCH-LEN", "h*o", "hello") + do(c, "DEBUG", "STRINGMATCH-LEN", "h*x", "hello"); got != ":1\r\n:0\r\n" {
		t.Error(got)
	}
}

// TestDebugDictResizing: while sizes are kept, a table becomes five times as full as usual before it grows.
func TestDebugDictResizing(t *testing.T) {
	s, _ := newTestServer(t, "enable-debug-command", "yes")
	c := newTestClient(s)
	buckets := func() string {
		_, rest, _ := strings.Cut(do(c, "DEBUG", "HTSTATS", "0"), "table size: ")
		n, _, _ := strings.Cut(rest, "\n")
		return n
	}
	do(c, "DEBUG", "DICT-RESIZING", "0")
	for i := range 49 {
		do(c, "SET", fmt.Sprint(i), "v")
	}
	if got := buckets(); got != "1" {
		t.Errorf("%s buckets", got)
	}
	for i := range 10 {
		do(c, "SET", fmt.Sprint("x", i), "v")
	}
	if got := buckets(); got == "1" {
		t.Error("far too full, and did not grow")
	}
	grown := buckets()
	for i := range 49 {
		do(c, "DEL", fmt.Sprint(i))
	}
	do(c, "FLUSHALL")
	do(c, "DEBUG", "DICT-RESIZING", "1")
	for i := range 49 {
		do(c, "SET", fmt.Sprint(i), "v")
	}
	if got := buckets(); got == "1" {
		t.Errorf("%s buckets for 49 keys, %s before", got, grown)
	}
}

func TestDebugPauseCron(t *testing.T) {
	s, h := newTestServer(t, "enable-debug-command", "yes")
	c := newTestClient(s)
	do(c, "SET", "k", "v", "PX", "1")
	do(c, "DEBUG", "PAUSE-CRON", "1")
	h.milli += 1000
	s.Cron()
	if s.KS.DB(0).Len() != 1 {
		t.Error("cron expired a key although it is paused")
	}
	do(c, "DEBUG", "PAUSE-CRON", "0")
	s.Cron()
	if s.KS.DB(0).Len() != 0 {
		t.Error("cron does not go on")
	}
}

// TestDebugOOM: running out of memory fails the command and not the server.
func TestDebugOOM(t *testing.T) {
	s, _ := newTestServer(t, "enable-debug-command", "yes")
	c := newTestClient(s)
	if got := do(c, "DEBUG", "OOM"); got != errNoMemory+"\r\n" {
		t.Error(got)
	}
	if got := do(c, "PING"); got != "+PONG\r\n" {
		t.Error(got)
	}
}

// TestDebugPanic ends the server: nothing below main may catch it.
func TestDebugPanic(t *testing.T) {
	s, _ := newTestServer(t, "enable-debug-command", "yes")
	c := newTestClient(s)
	defer func() {
		r := recover()
		var oom *dict.OutOfMemoryError
		if err, ok := r.(error); r == nil || ok && errors.As(err, &oom) {
			t.Errorf("recovered %v", r)
		}
	}()
	do(c, "DEBUG", "PANIC")
}
