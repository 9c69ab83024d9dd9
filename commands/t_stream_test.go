package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

func TestStreamCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	for i := range 1000 {
		do(c, "XADD", "long", fmt.Sprintf("%d-1", i+1), "temperature", "21.5", "place", "hall")
	}
	do(c, "XGROUP", "CREATE", "long", "g", "0")
	do(c, "XREADGROUP", "GROUP", "g", "c", "COUNT", "200", "STREAMS", "long", ">")
	out := make([]byte, 0, 1<<16)
	for _, cmds := range [][]string{
		{"XADD capped MAXLEN ~ 100 * temperature 21.5 place hall"}, {"XADD long * a b", "XLEN long"},
		{"XRANGE long - + COUNT 100"}, {"XREVRANGE long + - COUNT 100"}, {"XRANGE long 500 510"},
		{"XREAD COUNT 10 STREAMS long 100"}, {"XREADGROUP GROUP g c COUNT 1 STREAMS long >"}, {"XREADGROUP GROUP g c COUNT 10 STREAMS long 0"},
		{"XACK long g 1-1 2-1"}, {"XCLAIM long g d 0 5-1 6-1", "XCLAIM long g c 0 5-1 6-1 JUSTID"}, {"XAUTOCLAIM long g c 0 10 COUNT 10"},
		{"XPENDING long g"}, {"XPENDING long g - + 10"}, {"XDEL long 9999-1"}, {"XTRIM long MAXLEN ~ 100000"}, {"XINFO STREAM long"}, {"XINFO GROUPS long"},
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

// TestStreamsSurviveReload: groups, pending entries and counters go through the
// encoder and the loader.
func TestStreamsSurviveReload(t *testing.T) {
	s, _ := newTestServer(t, "enable-debug-command", "yes", "stream-node-max-entries", "7")
	c := newTestClient(s)
	for i := range 100 {
		do(c, "XADD", "s", fmt.Sprintf("%d-1", i+1), "a", fmt.Sprint(i), fmt.Sprint("field", i%13), "x")
	}
	do(c, "XDEL", "s", "5-1", "6-1", "50-1")
	do(c, "XGROUP", "CREATE", "s", "g", "0")
	do(c, "XGROUP", "CREATE", "s", "empty", "$")
	for i := range 10 {
		do(c, "XREADGROUP", "GROUP", "g", fmt.Sprint("consumer", i%3), "COUNT", "4", "STREAMS", "s", ">")
	}
	do(c, "XACK", "s", "g", "3-1", "9-1")
	do(c, "XGROUP", "CREATE", "none", "g", "$", "MKSTREAM")
	state := func() string {
		return do(c, "XINFO", "STREAM", "s", "FULL", "COUNT", "0") + do(c, "XINFO", "GROUPS", "s") +
			do(c, "XINFO", "CONSUMERS", "s", "g") + do(c, "XINFO", "STREAM", "none", "FULL") + do(c, "DEBUG", "DIGEST-VALUE", "s", "none")
	}
	before := state()
	for _, step := range [][]string{{"DEBUG", "RELOAD"}, {"COPY", "s", "t"}, {"RENAME", "t", "s"}, {"DEBUG", "RELOAD"}} {
		if got := do(c, step...); got[0] == '-' {
			t.Fatalf("%v: %s", step, got)
		}
		if after := state(); after != before {
			t.Fatalf("after %v: %s", step, firstDifference(before, after))
		}
		if got := do(c, "DEBUG", "CHECK"); got != "+OK\r\n" {
			t.Fatalf("after %v: %s", step, got)
		}
	}
}

// TestRestoreDamagedStreams: whatever bytes a payload is made of, RESTORE
// refuses them or makes a stream that every command can work on; what it
// refuses leaves no memory behind.
func TestRestoreDamagedStreams(t *testing.T) {
	s, _ := newTestServer(t, "stream-node-max-entries", "4")
	c := newTestClient(s)
	for i := range 12 {
		do(c, "XADD", "s", fmt.Sprintf("%d-1", i+1), "a", fmt.Sprint(i))
	}
	do(c, "XDEL", "s", "2-1")
	do(c, "XGROUP", "CREATE", "s", "g", "0")
	do(c, "XREADGROUP", "GROUP", "g", "c", "COUNT", "8", "STREAMS", "s", ">")
	e, _ := c.db.LookupRaw([]byte("s"))
	payload := s.appendDump(nil, e)
	do(c, "DEL", "s")
	for s.KS.LazyPending() > 0 {
		s.KS.Maintain(s.Host.Nanos, 1e6)
	}
	empty := s.KS.UsedMemory()
	rnd := rand.New(rand.NewPCG(3, 3))
	accepted := 0
	for range 4000 {
		b := bytes.Clone(payload[:len(payload)-rdb.FooterSize])
		for range 1 + rnd.IntN(2) {
			i := 1 + rnd.IntN(len(b)-1)
			switch rnd.IntN(3) {
			case 0:
				b[i] ^= 1 << rnd.IntN(8)
			case 1:
				b[i] = byte(rnd.IntN(5))
			default:
				b[i]++
			}
		}
		b = rdb.AppendFooter(b, 0, rdb.DumpVersion)
		if got := do(c, "RESTORE", "s", "0", string(b)); got != "+OK\r\n" {
			if used := s.KS.UsedMemory(); used != empty {
				t.Fatalf("a refused payload holds %d bytes: %x", used-empty, b)
			}
			continue
		}
		accepted++
		for _, cmd := range []string{
			"XINFO STREAM s FULL COUNT 0", "XRANGE s - +", "XREVRANGE s + -", "XREADGROUP GROUP g d STREAMS s >", "XAUTOCLAIM s g d 0 0",
			"XADD s * a b", "XDEL s 3-1", "XTRIM s MINID 4", "XTRIM s MAXLEN 2", "XPENDING s g", "DUMP s", "XGROUP DESTROY s g", "XTRIM s MAXLEN 0",
		} {
			do(c, strings.Fields(cmd)...)
		}
		if e, ok := c.db.LookupRaw([]byte("s")); ok && e.Type() == object.TypeStream {
			do(c, "DEL", "s")
		}
		for s.KS.LazyPending() > 0 {
			s.KS.Maintain(s.Host.Nanos, 1e6)
		}
	}
	if accepted == 0 || accepted == 4000 {
		t.Errorf("%d of 4000 payloads accepted", accepted)
	}
	if used := s.KS.UsedMemory(); used != empty {
		t.Errorf("%d bytes are left", used-empty)
	}
}

// TestBigStreamIsFreedInSlices: deleting a stream does bounded work at once.
func TestBigStreamIsFreedInSlices(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for i := range 20000 {
		do(c, "XADD", "s", fmt.Sprintf("%d-1", i+1), "a", "b")
	}
	used := s.KS.UsedMemory()
	do(c, "DEL", "s")
	if left := s.KS.UsedMemory(); left < used/2 {
		t.Errorf("DEL itself freed %d of %d bytes", used-left, used)
	}
	if got := do(c, "EXISTS", "s"); got != ":0\r\n" {
		t.Errorf("EXISTS: %s", got)
	}
	for s.KS.LazyPending() > 0 {
		s.KS.Maintain(s.Host.Nanos, 1e6)
	}
	if left := s.KS.UsedMemory(); left > used/20 {
		t.Errorf("%d of %d bytes are left", left, used)
	}
}

// firstDifference shows where two texts part.
func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(i-60, 0)
	return fmt.Sprintf("%q is now %q", a[from:min(i+40, len(a))], b[from:min(i+40, len(b))])
}
