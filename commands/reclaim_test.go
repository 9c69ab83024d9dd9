package commands

import (
	"errors"
	"strings"
	"testing"
)

// expiring is a replica with a link and two clocks that the test turns.
type expiring struct {
	t *testing.T
	s *Server
	h *fakeHost
	m *Client
	r *Client
}

func newExpiring(t *testing.T, directives ...string) *expiring {
	s, h := newTestServer(t, directives...)
	s.SetFollowing(true)
	h.link = LinkInfo{Configured: true, Up: true}
	e := &expiring{t, s, h, s.NewMasterClient(0), newTestClient(s)}
	s.LinkUp()
	e.hear()
	return e
}

// pass lets milliseconds go by, with a turn of the periodic work each second.
func (e *expiring) pass(ms int64) {
	for ms > 0 {
		d := min(ms, 1000)
		ms -= d
		e.h.milli += d
		e.h.nanos += d * 1e6
		e.s.Cron()
	}
}

// hear is a byte of the master that arrives now.
func (e *expiring) hear() { e.s.StreamProgress(e.h.link.ReadOffset, e.h.nanos+1, 0) }

// passHearing is pass with a PING of the master each ten seconds.
func (e *expiring) passHearing(ms int64) {
	for ; ms > 0; ms -= 10_000 {
		e.pass(min(ms, 10_000))
		e.hear()
	}
	e.s.Cron()
}

func (e *expiring) master(lines ...string) {
	e.t.Helper()
	apply(e.s, e.m, lines...)
	if e.s.Stats.ApplyErrors != 0 {
		e.t.Fatalf("%v: %q", lines, e.h.logs)
	}
}

// holds checks which keys are stored, whether readers see them or not.
func (e *expiring) holds(what, want string) {
	e.t.Helper()
	var got []string
	for _, k := range strings.Fields("a b c") {
		if _, ok := e.s.KS.DB(0).LookupRaw([]byte(k)); ok {
			got = append(got, k)
		}
	}
	if g := strings.Join(got, " "); g != want {
		e.t.Errorf("%s: %q stored, want %q", what, g, want)
	}
}

func TestReplicaReclaimsAfterGrace(t *testing.T) {
	for _, tc := range []struct{ mode, at1, at40, at80 string }{
		{"no", "a", "a", "a"}, {"grace", "a", "a", ""}, {"immediate", "", "", ""},
	} {
		e := newExpiring(t, "replica-active-expire", tc.mode, "replica-expire-grace", "60")
		e.master("SET a 1 PX 500")
		e.passHearing(1000)
		e.holds(tc.mode+" after 1 s", tc.at1)
		if got := do(e.r, "GET", "a") + do(e.r, "EXISTS", "a"); got != "$-1\r\n:0\r\n" {
			t.Errorf("%s: a reader sees an expired key: %q", tc.mode, got)
		}
		e.passHearing(40_000)
		e.holds(tc.mode+" after 40 s", tc.at40)
		e.passHearing(40_000)
		e.holds(tc.mode+" after 80 s", tc.at80)
	}
}

// TestReplicaRevivingCommands: what the master did in time is applied to a key that has expired here since.
func TestReplicaRevivingCommands(t *testing.T) {
	e := newExpiring(t)
	e.master("SET a 1 PX 500", "SET b 1 PX 500", "RPUSH c x", "PEXPIRE c 500")
	e.passHearing(30_000)
	e.holds("within the grace", "a b c")
	e.master("INCR a", "PERSIST a", "PEXPIRE b 9999999", "RPUSH c y", "PERSIST c")
	if got := do(e.r, "MGET", "a", "b") + do(e.r, "LLEN", "c"); got != "*2\r\n$1\r\n2\r\n$1\r\n1\r\n:2\r\n" {
		t.Errorf("revived: %q", got)
	}
	e.passHearing(100_000)
	e.holds("after they were revived", "a b c")
}

// TestReplicaStalledLink: while the link is silent nothing is reclaimed that the master may have revived before it fell silent.
func TestReplicaStalledLink(t *testing.T) {
	e := newExpiring(t, "replica-expire-grace", "5")
	e.passHearing(20_000)
	e.master("SET a 1 PX 500")
	e.hear()
	e.pass(3_600_000)
	e.holds("an hour of silence", "a")
	e.master("PERSIST a")
	e.hear()
	if got := do(e.r, "GET", "a"); got != "$1\r\n1\r\n" {
		t.Errorf("after the stall: %q", got)
	}
	// Received and not applied counts as silence, too.
	e.master("PEXPIRE a 1")
	e.h.link.ReadOffset = 100
	e.passHearing(100_000)
	e.holds("a stream that is behind", "a")
	e.h.link.ReadOffset = 0
	e.passHearing(20_000)
	e.holds("caught up", "")
}

// TestReplicaResumedBacklog: a link that comes back has a backlog to deliver, in which the master revives what has expired here.
func TestReplicaResumedBacklog(t *testing.T) {
	e := newExpiring(t, "replica-expire-grace", "10")
	e.passHearing(20_000)
	e.master("SET a 1 PX 500", "SET b 1 PX 500")
	e.h.link.Up = false
	e.pass(120_000)
	e.holds("link down", "a b")
	// It is up again; the first bytes have come and are applied, the rest is under way.
	e.h.link.Up = true
	e.s.LinkUp()
	e.pass(1000)
	e.hear()
	e.pass(1000)
	e.holds("the backlog is being delivered", "a b")
	e.master("PERSIST a")
	e.passHearing(40_000)
	e.holds("long after", "a")
}

// TestReplicaClockAhead: a clock that is ahead of the master's by more than the grace, from the start or set so later.
func TestReplicaClockAhead(t *testing.T) {
	const hour = 3_600_000
	e := newExpiring(t, "replica-expire-grace", "60")
	e.s.SnapshotArrived(2*hour, true) // begun two hours ago, by our clock
	e.passHearing(100_000)
	e.master("SET a 1 PX 500", "SET b 1 PX 500")
	e.passHearing(hour)
	e.holds("by the master's clock a may live", "a b")
	e.master("PERSIST a")
	e.passHearing(hour + 200_000)
	e.holds("expired by any clock", "a")

	e = newExpiring(t, "replica-expire-grace", "60")
	e.s.SnapshotArrived(0, true)
	e.passHearing(100_000)
	e.master("SET a 1 PX 5000", "SET b 1 PX 5000")
	e.h.milli += hour // our clock is set
	e.passHearing(50_000)
	e.holds("after the clock was set an hour ahead", "a b")
	e.master("PERSIST a")
	e.passHearing(50_000)
	e.holds("a was revived; b has expired by the master's clock", "a")

	e = newExpiring(t, "replica-expire-grace", "60")
	e.s.SnapshotArrived(-2*hour, true) // ours is behind
	if e.s.clockAhead() != 0 {
		t.Errorf("ahead %d", e.s.clockAhead())
	}
}

// TestReplicaProbedReclaim: with a probe it is known what is applied, whatever the link did before.
func TestReplicaProbedReclaim(t *testing.T) {
	e := newExpiring(t, "replica-expire-grace", "1", "replica-lag-probe", "1000")
	e.master("SET a 1 PX 500")
	e.pass(10_000)
	e.holds("the last probe is older than the key's end", "a")
	e.s.probed(e.h.nanos-9_900*1e6, RedirectResult{Offset: 0, ReplID: e.s.Repl.ID})
	e.pass(1000)
	e.holds("probed before it expired", "a")
	e.s.probed(e.h.nanos, RedirectResult{Offset: 50, ReplID: e.s.Repl.ID})
	e.pass(1000)
	e.holds("the probe's offset is not applied", "a")
	e.s.Repl.Offset, e.h.link.ReadOffset = 50, 50
	e.hear()
	e.pass(1000)
	e.holds("applied", "")
}

// TestWritableReplica: it deletes what clients wrote when they write again, and leaves the master's keys to the master.
func TestWritableReplica(t *testing.T) {
	e := newExpiring(t, "replica-read-only", "no")
	e.master("SET a 5 PX 500")
	do(e.r, "SET", "b", "5", "PX", "500")
	e.pass(1000)
	if got := do(e.r, "GET", "a") + do(e.r, "GET", "b"); got != "$-1\r\n$-1\r\n" {
		t.Errorf("readers: %q", got)
	}
	e.holds("reads delete nothing", "a b")
	e.master("INCR a") // it did so in time
	if got := do(e.r, "INCR", "b"); got != ":1\r\n" {
		t.Errorf("INCR of what a client wrote and has expired: %q", got)
	}
	e.master("PERSIST a")
	if got := do(e.r, "GET", "a"); got != "$1\r\n6\r\n" {
		t.Errorf("the master's key: %q", got)
	}
}

// TestFreshness: lag and staleness by the arrival of bytes, and by a probe.
func TestFreshness(t *testing.T) {
	e := newExpiring(t)
	e.s.fresh = freshness{}
	if f := e.s.Freshness(); f.StalenessMillis != -1 || f.Probe != "off" {
		t.Errorf("never heard of a master: %+v", f)
	}
	e.s.StreamProgress(100, e.h.nanos, 0)
	e.s.Repl.Offset = 100
	check := func(what string, bytes, lag, old int64) {
		t.Helper()
		if f := e.s.Freshness(); f.LagBytes != bytes || f.LagMillis != lag || f.StalenessMillis != old {
			t.Errorf("%s: %+v, want %d bytes, %d ms, %d ms", what, f, bytes, lag, old)
		}
	}
	ns := func(ms int64) { e.h.nanos += ms * 1e6 }
	ns(3)
	check("idle", 0, 0, 3)
	at := e.h.nanos
	e.s.StreamProgress(300, at, at)
	ns(5)
	check("200 bytes wait", 200, 5, 5)
	e.s.Repl.Offset = 300
	e.s.StreamProgress(300, at, 0)
	check("applied", 0, 0, 5)

	e.s.V.LagProbe = 1000
	at = e.h.nanos
	ns(2)
	e.s.probed(at, RedirectResult{Offset: 500, ReplID: e.s.Repl.ID})
	ns(2)
	if f := e.s.Freshness(); f.LagBytes != 200 || f.LagMillis != 4 || f.Probe != "ok" || f.ProbeMicros < 2000 || f.ProbeMicros > 2100 {
		t.Errorf("the master is ahead of what has arrived: %+v", f)
	}
	e.s.Repl.Offset = 500
	e.s.StreamProgress(500, e.h.nanos, 0)
	check("the probe's offset is applied", 0, 0, 4)
	ns(100)
	e.hear()
	check("a byte is no probe", 0, 0, 104)
	e.s.probed(e.h.nanos, RedirectResult{Offset: 1, ReplID: strings.Repeat("f", 40)})
	if f := e.s.Freshness(); f.StalenessMillis < 104 || f.Probe != "the master has another history" {
		t.Errorf("another history: %+v", f)
	}
	e.s.probed(e.h.nanos, RedirectResult{Err: errors.New("connection refused"), Offset: -1})
	check("the master is away", 0, 0, 104)
	e.s.probed(e.h.nanos, RedirectResult{Offset: -1})
	if f := e.s.Freshness(); f.StalenessMillis != 0 || !strings.Contains(f.Probe, "does not tell") {
		t.Errorf("no INFO for us: by the arrival of bytes again: %+v", f)
	}
	e.s.SetFollowing(false)
	check("no master", 0, 0, 0)
}
