package commands

import (
	"strings"
	"testing"
)

// pushes returns what was pushed to a client since the last call.
func pushes(c *Client) string {
	f := c.conn.(*fakeConn)
	p := string(f.pushed)
	f.pushed = nil
	return p
}

const invalidateX = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n"

// TestTracking: what a caching client is told in each mode. The expected bytes
// are those of redis-server 7.0.15.
func TestTracking(t *testing.T) {
	s, h := newTestServer(t)
	a, b := newTestClient(s), newTestClient(s)
	do(a, "HELLO", "3")
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	do(a, "CLIENT", "TRACKING", "ON")
	do(b, "SET", "x", "1")
	want("a key that was not read", pushes(a), "")
	do(a, "GET", "x")
	do(b, "SET", "x", "2")
	want("a key that was read", pushes(a), invalidateX)
	do(b, "SET", "x", "3")
	want("told once", pushes(a), "")
	do(a, "GET", "x")
	want("its own write, behind the reply", do(a, "SET", "x", "9"), "+OK\r\n"+invalidateX)

	do(a, "GET", "x")
	do(b, "FLUSHALL")
	want("flush", pushes(a), ">2\r\n$10\r\ninvalidate\r\n_\r\n")

	do(a, "CLIENT", "TRACKING", "OFF")
	do(a, "CLIENT", "TRACKING", "ON", "OPTIN")
	do(a, "GET", "x")
	do(b, "SET", "x", "1")
	want("opt-in without asking", pushes(a), "")
	do(a, "CLIENT", "CACHING", "YES")
	do(a, "GET", "x")
	do(b, "PEXPIRE", "x", "50")
	want("opt-in after asking", pushes(a), invalidateX)
	do(a, "CLIENT", "CACHING", "YES")
	do(a, "GET", "x")
	h.milli += 100
	s.Cron()
	want("expiry", pushes(a), invalidateX)

	do(a, "CLIENT", "TRACKING", "OFF")
	do(a, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "x", "NOLOOP")
	do(b, "MSET", "x", "1", "y", "2")
	want("broadcast", pushes(a), invalidateX)
	want("broadcast of its own write", do(a, "SET", "x", "3"), "+OK\r\n")
	want("and nothing later", pushes(a), "")

	sub, d := newTestClient(s), newTestClient(s)
	do(sub, "SUBSCRIBE", "__redis__:invalidate")
	do(d, "CLIENT", "TRACKING", "ON", "REDIRECT", itoa(int64(sub.id)))
	do(d, "GET", "x")
	do(b, "SET", "x", "4")
	want("redirected to a RESP2 subscriber", pushes(sub), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nx\r\n")

	for _, c := range []*Client{a, b, sub, d} {
		s.RemoveClient(c)
	}
	if s.tracking.clients != 0 || len(s.tracking.table) != 0 || len(s.tracking.prefixes) != 0 || !s.pubsub.empty() {
		t.Errorf("left behind: %d clients, %d keys, %d prefixes", s.tracking.clients, len(s.tracking.table), len(s.tracking.prefixes))
	}
}

// TestTrackingTableIsBounded: beyond tracking-table-max-keys, clients are told
// to forget keys.
func TestTrackingTableIsBounded(t *testing.T) {
	s, _ := newTestServer(t, "tracking-table-max-keys", "10")
	a := newTestClient(s)
	do(a, "HELLO", "3")
	do(a, "CLIENT", "TRACKING", "ON")
	told := 0
	for i := range 100 {
		told += strings.Count(do(a, "GET", itoa(int64(i))), "invalidate")
	}
	if n := len(s.tracking.table); n != 10 {
		t.Errorf("%d keys in the table", n)
	}
	if told != 90 {
		t.Errorf("the client was told of %d keys", told)
	}
}
