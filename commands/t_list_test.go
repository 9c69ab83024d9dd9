package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

func TestListCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t, "list-compress-depth", "2")
	c := newTestClient(s)
	for i := range 5000 {
		do(c, "RPUSH", "long", fmt.Sprintf("element number %d", i))
	}
	do(c, "RPUSH", "short", "a", "b", "3", "4")
	out := make([]byte, 0, 1<<16)
	for _, cmds := range [][]string{
		{"LPUSH short x", "RPOP short"}, {"RPUSH short 12 x", "LPOP short 2"}, {"LPUSH long x", "RPOP long"}, {"RPUSH long x", "LPOP long"},
		{"RPUSH new a b c", "DEL new"}, {"LLEN long"}, {"LINDEX long 20"}, {"LINDEX long -20"}, {"LINDEX short 2"}, {"LRANGE short 0 -1"}, {"LRANGE long 0 99"},
		{"LSET short 1 q"}, {"LSET long 1 q"}, {"LPOS short nothing"}, {"LREM short 0 nothing"}, {"LTRIM short 0 -1"},
		{"LMOVE short short LEFT RIGHT"}, {"LMOVE long short LEFT RIGHT", "RPOPLPUSH short long"}, {"LMPOP 1 short LEFT", "RPUSH short v"},
		{"BLPOP short 0", "RPUSH short v"}, {"LINSERT short AFTER v w", "LREM short 1 w"}, {"LINDEX long 2500"},
	} {
		var in []byte
		for _, cmd := range cmds {
			in = append(in, wire(strings.Fields(cmd)...)...)
		}
		run := func() {
			h.milli++
			c.SetOutput(out)
			s.Process(c, in)
			c.SetOutput(nil)
		}
		for range 10 {
			run()
		}
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%q: %.1f allocations a run", cmds, n)
		}
	}
}

// TestListsSurviveReload: DEBUG RELOAD goes through the encoder and the loader,
// with every kind of node; what fits is small again.
func TestListsSurviveReload(t *testing.T) {
	s, _ := newTestServer(t, "list-compress-depth", "1", "enable-debug-command", "yes")
	c := newTestClient(s)
	do(c, "DEBUG", "QUICKLIST-PACKED-THRESHOLD", "1000b")
	do(c, "RPUSH", "small", "a", "1")
	for i := range 3000 {
		do(c, "RPUSH", "long", fmt.Sprintf("element number %d", i))
		if i%500 == 0 {
			do(c, "LPUSH", "long", strings.Repeat("big", 400))
		}
	}
	do(c, "RPUSH", "was long", strings.Repeat("x", 900))
	for range 20 {
		do(c, "RPUSH", "was long", strings.Repeat("x", 900))
	}
	do(c, "LTRIM", "was long", "0", "1")
	do(c, "RPUSH", "plain", strings.Repeat("x", 1001))
	before, dump := do(c, "DEBUG", "DIGEST"), do(c, "DUMP", "long")
	if got := do(c, "DEBUG", "RELOAD"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if after := do(c, "DEBUG", "DIGEST"); after != before {
		t.Errorf("digest %s, before %s", after, before)
	}
	if do(c, "DUMP", "long") != dump {
		t.Error("other nodes")
	}
	for key, enc := range map[string]byte{"small": object.EncListpack, "was long": object.EncListpack, "long": object.EncQuicklist, "plain": object.EncQuicklist} {
		if e, ok := c.db.LookupRaw([]byte(key)); !ok || e.Encoding() != enc {
			t.Errorf("%s: %v, encoding %d", key, ok, e.Encoding())
		}
		if got := do(c, "OBJECT", "ENCODING", key); got != "$9\r\nquicklist\r\n" {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// TestRestoreOfBadListLeaksNothing: what was built of a payload that breaks off
// is freed.
func TestRestoreOfBadListLeaksNothing(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for i := range 2000 {
		do(c, "RPUSH", "l", fmt.Sprintf("element number %d", i))
	}
	e, _ := c.db.LookupRaw([]byte("l"))
	value := s.appendDump(nil, e)
	value = value[:len(value)-rdb.FooterSize]
	do(c, "DEL", "l")
	free := func() int64 {
		for s.KS.LazyPending() > 0 {
			s.KS.Maintain(s.Host.Nanos, 1e9)
		}
		return s.KS.UsedMemory()
	}
	used := free()
	for _, n := range []int{3, len(value) / 3, len(value) / 2, len(value) - 1} {
		bad := rdb.AppendFooter(append([]byte(nil), value[:n]...), 0, rdb.DumpVersion)
		if got := do(c, "RESTORE", "l", "0", string(bad)); got != "-ERR Bad data format\r\n" {
			t.Errorf("%d of %d bytes: %q", n, len(value), got)
		}
		if got := free(); got != used {
			t.Errorf("%d bytes in use, before %d", got, used)
		}
	}
	good := rdb.AppendFooter(value, 0, rdb.DumpVersion)
	if got := do(c, "RESTORE", "l", "0", string(good)); got != "+OK\r\n" {
		t.Error(got)
	}
	if got := do(c, "LLEN", "l"); got != ":2000\r\n" {
		t.Error(got)
	}
}
