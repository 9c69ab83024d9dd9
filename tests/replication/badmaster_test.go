package replication

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

const firstOffset = 5000

// snapshot is an RDB written by redis-server of the same data as the commands make.
func snapshot(t *testing.T, cmds ...[]string) []byte {
	t.Helper()
	s := testutil.StartRedis(t, "--dbfilename", "made.rdb")
	c := s.Dial(t)
	for _, cmd := range cmds {
		c.Must(t, cmd...)
	}
	c.Must(t, "SAVE")
	b, err := os.ReadFile(filepath.Join(s.Dir, "made.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A victim is a replica of ours that has synchronised once with a good scripted master and holds the witness.
type victim struct {
	t       *testing.T
	server  *testutil.Server
	c       *testutil.Conn
	good    *mastertest.Master
	goodRDB []byte
}

// newVictim starts the replica and turns it away from the good master, so that what a bad one does meets old data.
func newVictim(t *testing.T, args ...string) *victim {
	t.Helper()
	v := &victim{t: t}
	v.goodRDB = snapshot(t, []string{"SET", "witness", "old"}, []string{"DEBUG", "POPULATE", "2000", "key", "100"})
	v.good = master(t, mastertest.Config{RDB: v.goodRDB, Offset: firstOffset})
	v.server = testutil.StartOurs(t, append([]string{"--replicaof", "127.0.0.1", v.good.Port(), "--repl-timeout", "2"}, args...)...)
	v.c = v.server.Dial(t)
	if err := v.good.WaitAck(firstOffset, syncTimeout); err != nil {
		t.Fatal(err)
	}
	v.serves("old")
	return v
}

func master(t *testing.T, cfg mastertest.Config) *mastertest.Master {
	t.Helper()
	m, err := mastertest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func (v *victim) follow(port string) {
	v.t.Helper()
	v.c.Must(v.t, "REPLICAOF", "127.0.0.1", port)
}

// serves checks that readers get the witness, at once.
func (v *victim) serves(want string) {
	v.t.Helper()
	from := time.Now()
	got, err := v.c.Do("GET", "witness")
	if err != nil || got.Text != want {
		v.t.Fatalf("GET witness: %v, %v; want %s", got, err, want)
	}
	if took := time.Since(from); took > 2*time.Second {
		v.t.Errorf("GET witness took %v", took)
	}
	if n := v.c.Must(v.t, "DBSIZE"); n.Int != 2001 {
		v.t.Fatalf("DBSIZE %v, want 2001", n)
	}
}

// tried waits until a master has been asked n times, while the old data is served.
func (v *victim) tried(m *mastertest.Master, n int) {
	v.t.Helper()
	deadline := time.Now().Add(syncTimeout)
	for {
		v.serves("old")
		if conns, _, _ := m.Counts(); conns >= n {
			return
		}
		if time.Now().After(deadline) {
			conns, _, _ := m.Counts()
			v.t.Fatalf("the master was asked %d times only", conns)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// recovers turns the replica to a good master with new data and waits for that.
func (v *victim) recovers(newRDB []byte) {
	v.t.Helper()
	m := master(v.t, mastertest.Config{RDB: newRDB, Offset: firstOffset, ReplID: strings.Repeat("ab", 20)})
	v.follow(m.Port())
	if err := m.WaitAck(firstOffset, syncTimeout); err != nil {
		v.t.Fatal(err)
	}
	testutil.Eventually(v.t, 10*time.Second, "the new data", func() error {
		if got := v.c.Must(v.t, "GET", "witness"); got.Text != "new" {
			return fmt.Errorf("witness is %v", got)
		}
		return nil
	})
}

func newData(t *testing.T) []byte {
	return snapshot(t, []string{"SET", "witness", "new"}, []string{"DEBUG", "POPULATE", "3000", "key", "100"})
}

// TestBadMasters: whatever a master does during the sync, the old data stays and is served, the log says what was wrong, and a good master
// afterwards is followed.
func TestBadMasters(t *testing.T) {
	t.Parallel()
	rdb := newData(t)
	flip := func(at int) []byte {
		b := append([]byte(nil), rdb...)
		b[at] ^= 0x55
		return b
	}
	newest := append([]byte("REDIS9999"), rdb[9:]...)
	other := strings.Repeat("cd", 20)
	cases := []struct {
		name string
		cfg  mastertest.Config
		// log must hold one of these (lower case) after the second attempt.
		log []string
	}{
		{"truncated, length as sent", mastertest.Config{RDB: rdb[:len(rdb)/2]}, []string{"rdb", "payload", "eof", "truncated"}},
		{"length too long", mastertest.Config{RDB: rdb, Declare: func(n int64) int64 { return n + 1000 }}, []string{"rdb", "payload", "stands still", "timeout", "timed out", "length"}},
		{"length too short", mastertest.Config{RDB: rdb, Declare: func(n int64) int64 { return n - 100 }}, []string{"rdb", "payload"}},
		{"length huge", mastertest.Config{RDB: rdb, Declare: func(int64) int64 { return 1 << 62 }}, []string{"rdb", "payload", "stands still", "timeout", "timed out", "length"}},
		{"length negative", mastertest.Config{RDB: rdb, Declare: func(int64) int64 { return -5 }}, []string{"length", "payload", "bulk"}},
		{"length nought", mastertest.Config{RDB: nil}, []string{"rdb", "payload", "empty", "short"}},
		{"wrong end mark", mastertest.Config{RDB: rdb, Marked: true, EndMark: strings.Repeat("z", 40)}, []string{"mark", "eof", "stands still", "timeout", "timed out"}},
		{"checksum", mastertest.Config{RDB: flip(len(rdb) - 3)}, []string{"checksum", "crc"}},
		{"corrupt in the middle", mastertest.Config{RDB: flip(len(rdb) / 2)}, []string{"rdb", "checksum", "crc"}},
		{"corrupt head", mastertest.Config{RDB: flip(2)}, []string{"rdb", "magic", "signature"}},
		{"version of the future", mastertest.Config{RDB: newest}, []string{"9999"}},
		{"garbage payload", mastertest.Config{RDB: []byte(strings.Repeat("garbage!", 5000))}, []string{"rdb", "magic", "signature"}},
		{"garbage payload with a mark", mastertest.Config{RDB: []byte(strings.Repeat("garbage!", 5000)), Marked: true}, []string{"rdb", "magic", "signature"}},
		{"garbage in place of +FULLRESYNC", mastertest.Config{RDB: rdb, Reply: replyTo("PSYNC SYNC", "+NONSENSE here\r\n")}, []string{"psync", "sync", "reply", "answer"}},
		{"FULLRESYNC without an offset", mastertest.Config{RDB: rdb, Reply: replyTo("PSYNC", "+FULLRESYNC "+other+"\r\n")}, []string{"fullresync", "psync", "reply", "answer"}},
		{"an offset that is no number", mastertest.Config{RDB: rdb, Reply: replyTo("PSYNC", "+FULLRESYNC "+other+" abc\r\n")}, []string{"fullresync", "psync", "reply", "offset"}},
		{"bytes that are not RESP", mastertest.Config{RDB: rdb, Reply: replyTo("PING", "\x00\x01\x02\xff\r\n")}, []string{"ping", "reply", "answer", "unexpected"}},
		{"a line without end", mastertest.Config{RDB: rdb, Reply: replyTo("PSYNC", "+"+strings.Repeat("x", 300000))}, []string{"line", "long", "reply", "no answer", "timeout", "timed out"}},
		{"HTTP", mastertest.Config{RDB: rdb, Reply: replyTo("PING", "HTTP/1.1 400 Bad Request\r\n\r\n")}, []string{"ping", "reply", "answer", "unexpected"}},
		{"stall before the payload", mastertest.Config{RDB: rdb, Fault: every(mastertest.Fault{Kind: mastertest.Stall, After: 60})}, []string{"no answer", "stands still", "timeout", "timed out"}},
		{"stall inside the payload", mastertest.Config{RDB: rdb, Fault: every(mastertest.Fault{Kind: mastertest.Stall, After: 20000})}, []string{"no answer", "stands still", "timeout", "timed out"}},
		{"reset inside the payload", mastertest.Config{RDB: rdb, Fault: every(mastertest.Fault{Kind: mastertest.Reset, After: 20000})}, []string{"reset", "eof", "closed", "lost"}},
		{"close inside the payload", mastertest.Config{RDB: rdb, Fault: every(mastertest.Fault{Kind: mastertest.Cut, After: 20000})}, []string{"eof", "closed", "lost"}},
		{"bytes inserted", mastertest.Config{RDB: rdb, Fault: every(mastertest.Fault{Kind: mastertest.Insert, After: 20000, Data: []byte("oops")})}, []string{"rdb", "checksum", "crc", "payload"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			c.cfg.Offset, c.cfg.ReplID = firstOffset, other
			bad := master(t, c.cfg)
			before := len(v.server.Log())
			v.follow(bad.Port())
			v.tried(bad, 2)
			v.serves("old")
			testutil.Eventually(t, 10*time.Second, "the log tells", func() error {
				said := strings.ToLower(v.server.Log()[before:])
				for _, word := range c.log {
					if strings.Contains(said, word) {
						return nil
					}
				}
				return fmt.Errorf("the log has none of %q", c.log)
			})
			if err := wantInfo(v.c, "replication", "master_link_status", "down"); err != nil {
				t.Error(err)
			}
			v.recovers(rdb)
		})
	}
}

// replyTo answers the commands (separated by spaces) itself.
func replyTo(commands, reply string) func(int, []string) (string, bool) {
	return func(_ int, args []string) (string, bool) {
		if len(args) > 0 && slices.Contains(strings.Fields(commands), strings.ToUpper(args[0])) {
			return reply, true
		}
		return "", false
	}
}

func every(f mastertest.Fault) func(int) mastertest.Fault {
	return func(int) mastertest.Fault { return f }
}

// TestCorruptPayloads inverts bytes at random places of the payload, one after another, against one replica. The CRC catches what the
// structure does not.
func TestCorruptPayloads(t *testing.T) {
	t.Parallel()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 8))
	rdb := newData(t)
	v := newVictim(t)
	attempts := scaled(40)
	places := make([]int64, attempts)
	head := int64(len("+PONG\r\n")) // what comes before the payload is some hundred bytes: the fault counts from the connection's first byte
	for i := range places {
		places[i] = head + 300 + rnd.Int64N(int64(len(rdb))-400)
	}
	bad := master(t, mastertest.Config{RDB: rdb, Offset: firstOffset, ReplID: strings.Repeat("cd", 20), Fault: func(conn int) mastertest.Fault {
		return mastertest.Fault{Kind: mastertest.Flip, After: places[conn%attempts]}
	}})
	for i := range attempts {
		v.follow(v.good.Port()) // REPLICAOF anew: no backoff between the attempts
		conns, _, _ := bad.Counts()
		v.follow(bad.Port())
		v.tried(bad, conns+1)
		testutil.Eventually(t, syncTimeout, fmt.Sprintf("attempt %d is over", i), func() error {
			v.serves("old")
			if now, _, _ := bad.Counts(); now < conns+2 {
				return fmt.Errorf("%d connections", now)
			}
			return nil
		})
	}
	v.recovers(rdb)
}

// TestGarbageInTheStream: bytes after the sync that are no commands end the link, and the history is not resumed from them.
func TestGarbageInTheStream(t *testing.T) {
	t.Parallel()
	rdb := newData(t)
	for _, garbage := range []string{"\x00\x01\x02\x03\r\n", "*1\r\n$x\r\n", "*-5\r\n+OK\r\n", "GET witness\r\n", "*3\r\n$3\r\nSET\r\n$1000000000000\r\n", "*1000000000\r\n", "-ERR sorry\r\n"} {
		t.Run(fmt.Sprintf("%.20q", garbage), func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			v.good.Feed(mastertest.Command("SELECT", "0"))
			v.good.Feed(mastertest.Command("SET", "before", "1"))
			conns, _, _ := v.good.Counts()
			v.good.Feed([]byte(garbage))
			if err := v.good.WaitConns(conns+1, syncTimeout); err != nil {
				t.Fatalf("the link was not dropped: %v", err)
			}
			if got := v.c.Must(t, "GET", "witness"); got.Text != "old" {
				t.Errorf("witness is %v", got)
			}
			v.recovers(rdb)
		})
	}
}

// TestStreamLies: commands that are well formed and wrong (unknown, wrong type, wrong arity) are logged and counted, and the rest goes on.
func TestStreamLies(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	for _, cmd := range [][]string{{"SELECT", "0"}, {"NOSUCHCOMMAND", "x"}, {"SET", "k"}, {"INCR", "witness"}, {"SET", "after", "1"}} {
		v.good.Feed(mastertest.Command(cmd...))
	}
	if err := v.good.WaitAck(v.good.Offset(), 10*time.Second); err != nil {
		t.Fatalf("acknowledged %d of %d: %v", v.good.Acked(), v.good.Offset(), err)
	}
	if got := v.c.Must(t, "GET", "after"); got.Text != "1" {
		t.Errorf("after is %v", got)
	}
	if conns, full, _ := v.good.Counts(); conns != 1 || full != 1 {
		t.Errorf("%d connections, %d full syncs; want one of each", conns, full)
	}
	if !strings.Contains(strings.ToLower(v.server.Log()), "nosuchcommand") {
		t.Error("the log does not name the command that could not be applied")
	}
}

// TestUnreachableMaster: a port where nobody listens, and one that accepts and says nothing.
func TestUnreachableMaster(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	v.follow(strconv.Itoa(port))
	testutil.Eventually(t, 10*time.Second, "link down", func() error { return wantInfo(v.c, "replication", "master_link_status", "down") })
	v.serves("old")
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	v.follow(strconv.Itoa(silent.Addr().(*net.TCPAddr).Port))
	time.Sleep(200 * time.Millisecond)
	v.serves("old")
	v.recovers(newData(t))
}
