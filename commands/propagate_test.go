package commands

import (
	"strings"
	"testing"
)

// newReplica attaches a replica over a connection that keeps what is pushed to it,
// and returns it once it is online.
func newReplica(t testing.TB, s *Server) (*Client, *fakeConn) {
	t.Helper()
	c := newTestClient(s)
	conn := c.conn.(*fakeConn)
	do(c, "REPLCONF", "listening-port", "7777", "capa", "eof", "capa", "psync2")
	if got := do(c, "PSYNC", "?", "-1"); !strings.HasPrefix(got, "+FULLRESYNC "+s.Repl.ID+" 0\r\n$EOF:") {
		t.Fatalf("the replica was sent %q", got)
	}
	conn.pushed = conn.pushed[:0]
	do(c, "REPLCONF", "ACK", "0")
	return c, conn
}

func streamText(stream []byte) string {
	var out []string
	for _, l := range strings.Split(string(stream), "\r\n") {
		if l != "" && l[0] != '$' && l[0] != '*' {
			out = append(out, l)
		}
	}
	return strings.Join(out, " ")
}

func TestPropagation(t *testing.T) {
	s, h := newTestServer(t, "repl-diskless-sync-delay", "0")
	c := newTestClient(s)
	do(c, "SET", "before", "v") // nobody listens: not counted
	if s.Repl.Offset != 0 {
		t.Errorf("offset %d without a replica", s.Repl.Offset)
	}
	_, conn := newReplica(t, s)
	for _, step := range []struct{ cmd, want string }{
		{"SET k v", "SELECT 0 SET k v"},
		{"GET k", ""},
		{"SET k v EX 100", "SET k v PXAT 1000100000"},
		{"EXPIRE k 10 LT", "PEXPIREAT k 1000010000 LT"},
		{"EXPIRE nokey 10", ""},
		{"SELECT 3", ""},
		{"INCRBYFLOAT f 1.50", "SELECT 3 SET f 1.5 KEEPTTL"},
		{"HSET h a 1 b 2 c 3", "HSET h a 1 b 2 c 3"},
		{"HEXPIRE h 10 FIELDS 2 a x", "HPEXPIREAT h 1000010000 FIELDS 1 a"},
		{"HEXPIRE h 0 FIELDS 2 a b", "MULTI HDEL h a HDEL h b EXEC"},
		{"HPEXPIRE h 500 FIELDS 1 c", "HPEXPIREAT h 1000000500 FIELDS 1 c"},
		{"HGETEX h PERSIST FIELDS 1 c", "HPERSIST h FIELDS 1 c"},
		{"HSETEX h PX 500 FIELDS 1 d 4", "MULTI HSET h d 4 HPEXPIREAT h 1000000500 FIELDS 1 d EXEC"},
		{"HGETDEL h FIELDS 2 c nofield", "HDEL h c"},
		{"EVAL return{redis.call('incr',KEYS[1]),redis.call('set','y','z','ex','1')} 1 x", "MULTI incr x SET y z PXAT 1000001000 EXEC"},
		{"PUBLISH ch msg", "PUBLISH ch msg"},
	} {
		conn.pushed = conn.pushed[:0]
		at := s.Repl.Offset
		do(c, strings.Fields(step.cmd)...)
		if got := streamText(conn.pushed); got != step.want {
			t.Errorf("%s: the stream has %q, want %q", step.cmd, got, step.want)
		}
		if n := s.Repl.Offset - at; n != int64(len(conn.pushed)) {
			t.Errorf("%s: %d bytes counted, %d sent", step.cmd, n, len(conn.pushed))
		}
	}
	// What expires is deleted in the stream, before what met it.
	conn.pushed = conn.pushed[:0]
	h.milli += 2000
	do(c, "SETNX", "y", "again")
	do(c, "HGET", "h", "d")
	if got, want := streamText(conn.pushed), "MULTI DEL y SETNX y again EXEC HDEL h d"; got != want {
		t.Errorf("after the expiry the stream has %q, want %q", got, want)
	}
	if b := s.repl.backlog; b.Next()-1 != s.Repl.Offset {
		t.Errorf("the backlog ends at %d, the offset is %d", b.Next()-1, s.Repl.Offset)
	}
}

// TestPropagationAllocatesNothing: neither without a replica nor with one.
func TestPropagationAllocatesNothing(t *testing.T) {
	s, _ := newTestServer(t, "repl-diskless-sync-delay", "0")
	c := newTestClient(s)
	in := append(wire("SET", "key", "value"), wire("SET", "key", "value", "EX", "100")...)
	in = append(in, wire("EXPIRE", "key", "50")...)
	out := make([]byte, 0, 1024)
	run := func() {
		c.SetOutput(out)
		s.Process(c, in)
		c.SetOutput(nil)
	}
	run()
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations without a replica", n)
	}
	_, conn := newReplica(t, s)
	conn.pushed = make([]byte, 0, 1<<20)
	run()
	if n := testing.AllocsPerRun(200, func() { conn.pushed = conn.pushed[:0]; run() }); n != 0 {
		t.Errorf("%v allocations with a replica", n)
	}
}

func TestPartialResync(t *testing.T) {
	s, _ := newTestServer(t, "repl-diskless-sync-delay", "0")
	c := newTestClient(s)
	r, conn := newReplica(t, s)
	do(c, "SET", "k", "v")
	first := append([]byte(nil), conn.pushed...)
	s.RemoveClient(r)
	do(c, "SET", "k", "w")
	back := newTestClient(s)
	do(back, "REPLCONF", "capa", "psync2")
	got := do(back, "PSYNC", s.Repl.ID, itoa(int64(len(first))+1))
	if want := "+CONTINUE " + s.Repl.ID + "\r\n" + string(wire("SET", "k", "w")); got != want {
		t.Errorf("PSYNC answers %q, want %q", got, want)
	}
	old := s.Repl.ID
	s.following = true
	s.Promote()
	if !back.conn.(*fakeConn).closed {
		t.Error("a replica stays connected over a change of the id")
	}
	s.RemoveClient(back)
	again := newTestClient(s)
	do(again, "REPLCONF", "capa", "psync2")
	if got := do(again, "PSYNC", old, itoa(s.Repl.Offset+1)); got != "+CONTINUE "+s.Repl.ID+"\r\n" {
		t.Errorf("PSYNC with the old id answers %q", got)
	}
	if s.Stats.SyncPartialOK != 2 || s.Stats.SyncFull != 1 {
		t.Errorf("%d partial and %d full syncs counted", s.Stats.SyncPartialOK, s.Stats.SyncFull)
	}
}

// TestReplicaLimit: a replica for which too much of the stream waits is dropped.
func TestReplicaLimit(t *testing.T) {
	s, _ := newTestServer(t, "repl-diskless-sync-delay", "0", "client-output-buffer-limit", "replica 100kb 0 0", "repl-backlog-size", "16kb")
	c := newTestClient(s)
	r := newTestClient(s)
	do(r, "REPLCONF", "capa", "eof")
	do(r, "PSYNC", "?", "-1") // and never acknowledges
	for range 20 {
		do(c, "SET", "k", strings.Repeat("x", 10000))
	}
	if !r.conn.(*fakeConn).closed {
		t.Error("the replica is still connected")
	}
	s.RemoveClient(r)
	if s.repl.tail != nil || len(s.repl.replicas) != 0 {
		t.Error("something is kept for a replica that is gone")
	}
}

func TestBacklogTTL(t *testing.T) {
	s, h := newTestServer(t, "repl-diskless-sync-delay", "0", "repl-backlog-ttl", "10")
	r, _ := newReplica(t, s)
	s.RemoveClient(r)
	for range 9 {
		h.milli += 1000
		s.now = h.milli
		s.replicasCron()
	}
	if s.repl.backlog == nil || !s.prop.on {
		t.Fatal("the backlog went early")
	}
	h.milli += 2000
	s.now = h.milli
	s.replicasCron()
	if s.repl.backlog != nil || s.prop.on {
		t.Error("the backlog outlives its time")
	}
}

// TestSharedSnapshot: replicas that come within the delay share a snapshot, and one
// that needs to know its length gets that.
func TestSharedSnapshot(t *testing.T) {
	s, h := newTestServer(t, "repl-diskless-sync-delay", "3", "repl-diskless-sync-max-replicas", "3", "enable-debug-command", "yes")
	c := newTestClient(s)
	do(c, "SET", "k", "v")
	var conns []*fakeConn
	ask := func(words ...string) *Client {
		r := newTestClient(s)
		do(r, append([]string{"REPLCONF", "listening-port", "7777"}, words...)...)
		if got := do(r, "PSYNC", "?", "-1"); got != "" && len(conns) < 2 {
			t.Errorf("PSYNC answers %q at once", got)
		}
		conns = append(conns, r.conn.(*fakeConn))
		return r
	}
	started := func() (n int) {
		for _, l := range h.logs {
			if strings.HasPrefix(l, "Starting a snapshot") {
				n++
			}
		}
		return n
	}
	a := ask("capa", "eof")
	b := ask() // of old: it must be told the length
	info := do(c, "INFO", "replication")
	if !strings.Contains(info, "connected_slaves:2\r\nslave0:ip=127.0.0.1,port=7777,state=wait_bgsave,offset=0,lag=0") {
		t.Errorf("INFO: %s", info)
	}
	h.milli += 1000
	s.now = h.milli
	s.replicasCron()
	if string(conns[0].pushed) != "\n" || started() != 0 {
		t.Errorf("while the replica waits it is sent %q", conns[0].pushed)
	}
	do(c, "SET", "k", "w") // before the snapshot: in it
	h.milli += 2000
	s.now = h.milli
	s.replicasCron()
	if started() != 1 {
		t.Fatalf("%d snapshots", started())
	}
	do(c, "SET", "k", "x")
	do(a, "REPLCONF", "ACK", "0")
	if !strings.Contains(string(conns[0].pushed), "$EOF:") || !strings.Contains(string(conns[1].pushed), "\r\n$") {
		t.Errorf("sent %q and %q", conns[0].pushed, conns[1].pushed)
	}
	// What was written since follows, in a database that is named.
	if want := "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" + string(wire("SET", "k", "x")); !strings.HasSuffix(string(conns[1].pushed), want) {
		t.Errorf("the replica of old is sent %q, which does not end with %q", conns[1].pushed, want)
	}
	if do(c, "CLIENT", "LIST", "TYPE", "replica") == "" || !strings.Contains(do(c, "CLIENT", "LIST"), " flags=S ") {
		t.Error("CLIENT LIST knows no replicas")
	}
	if got := do(c, "DEBUG", "CHANGE-REPL-ID"); got != "+OK\r\n" {
		t.Error(got)
	}
	if got := do(b, "GET", "k"); !strings.Contains(got, "Replica can't interact with the keyspace") {
		t.Errorf("a replica reads: %q", got)
	}
	if got := do(c, "ROLE"); !strings.Contains(got, "$4\r\n7777\r\n") {
		t.Errorf("ROLE: %q", got)
	}
}
