package commands

import (
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"testing"
)

// The hot commands must not allocate: garbage is latency, later.
func TestHotCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	out := make([]byte, 0, 4096)
	for i := range 1000 {
		do(c, "SET", fmt.Sprintf("key:%d", i), fmt.Sprintf("value:%058d", i))
	}
	do(c, "SET", "counter", "1")
	do(c, "SET", "volatile", "v", "EX", "1000")
	for _, tc := range []struct{ name, in string }{
		{"GET", "*2\r\n$3\r\nGET\r\n$5\r\nkey:7\r\n"},
		{"GET of nothing", "*2\r\n$3\r\nGET\r\n$5\r\nkey:x\r\n"},
		{"SET over", "*3\r\n$3\r\nSET\r\n$5\r\nkey:7\r\n$64\r\n" + fmt.Sprintf("%064d", 1) + "\r\n"},
		{"SET anew and DEL", "*3\r\n$3\r\nSET\r\n$4\r\nnew1\r\n$3\r\nabc\r\n*2\r\n$3\r\nDEL\r\n$4\r\nnew1\r\n"},
		{"SET EX", "*5\r\n$3\r\nSET\r\n$8\r\nvolatile\r\n$1\r\nv\r\n$2\r\nEX\r\n$3\r\n100\r\n"},
		{"INCR", "*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n"},
		{"EXPIRE and PERSIST", "*3\r\n$6\r\nEXPIRE\r\n$5\r\nkey:9\r\n$3\r\n100\r\n*2\r\n$7\r\nPERSIST\r\n$5\r\nkey:9\r\n"},
		{"MGET", "*4\r\n$4\r\nMGET\r\n$5\r\nkey:1\r\n$5\r\nkey:2\r\n$5\r\nkey:3\r\n"},
		{"PING", "*1\r\n$4\r\nPING\r\n"},
		{"EXISTS", "*2\r\n$6\r\nEXISTS\r\n$5\r\nkey:1\r\n"},
	} {
		in := []byte(tc.in)
		run := func() {
			h.milli++
			c.SetOutput(out)
			s.Process(c, in)
			c.SetOutput(nil)
		}
		run()
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %.1f allocations a run", tc.name, n)
		}
	}
}

func TestReplicatedWritesDoNotAllocate(t *testing.T) {
	s, _ := newTestServer(t)
	s.SetFollowing(true)
	m := s.NewMasterClient(0)
	args := [][]byte{[]byte("SET"), []byte("key:1"), []byte(fmt.Sprintf("%064d", 1))}
	s.BeginStream()
	s.CallMaster(m, args)
	if n := testing.AllocsPerRun(500, func() { s.CallMaster(m, args) }); n != 0 {
		t.Errorf("%.1f allocations a replicated SET", n)
	}
	if got := s.Stats.ApplyErrors; got != 0 {
		t.Errorf("%d errors while applying", got)
	}
}

// TestOutOfMemory: a command for which the arena has no memory fails, and the
// server goes on.
func TestOutOfMemory(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	do(c, "SET", "k", "v")
	get := s.Table.Lookup([]byte("get"))
	proc := get.Proc
	get.Proc = func(*Client) { panic(&dict.OutOfMemoryError{}) }
	got := doRaw(c, []byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n"))
	get.Proc = proc
	if want := errNoMemory + "\r\n+PONG\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := do(c, "GET", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}

// TestWritableReplicaExpiry: an expired key is hidden from reads of a replica and
// kept; a client's write to a writable replica finds it gone.
func TestWritableReplicaExpiry(t *testing.T) {
	s, h := newTestServer(t, "replica-read-only", "no")
	c := newTestClient(s)
	do(c, "SET", "k", "old", "PX", "100")
	s.SetFollowing(true)
	h.milli += 200
	if got := do(c, "GET", "k"); got != "$-1\r\n" {
		t.Errorf("GET: %q", got)
	}
	if got := do(c, "DBSIZE"); got != ":1\r\n" {
		t.Errorf("DBSIZE: %q, a read must not delete", got)
	}
	if got := do(c, "APPEND", "k", "x"); got != ":1\r\n" {
		t.Errorf("APPEND: %q, want a new value", got)
	}
	if got := do(c, "TTL", "k"); got != ":-1\r\n" {
		t.Errorf("TTL: %q, the old expiry lives on", got)
	}
}
