package differential

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "seed of the generators; 0 takes one from the clock")
	stepsFlag = flag.Int("steps", 0, "commands the generator compares; 0: 60,000, or 8,000 with -short")
	caseFlag  = flag.String("case", "", "run only the hand-written cases whose title holds this")
)

// randomSeed is the seed of a random test. It is fixed unless the flag says otherwise, so that the same tree gets the same verdict;
// to look for differences that nobody knows, run with -seed 0.
func randomSeed() uint64 {
	if *seedFlag == 0 {
		return uint64(time.Now().UnixNano())
	}
	return *seedFlag
}

func TestMain(m *testing.M) {
	testutil.ShownLog = 500 // both servers are long at work before something differs: the log seldom tells
	testutil.Main(m)
}

// A pair is redis-server and ours, started with the same directives.
type pair struct {
	redis, ours       *testutil.Server
	redisCtl, oursCtl *testutil.Conn // control connections: flush, digest
	oursAddr          string         // where lanes reach ours, when not at its own address
}

func newPair(t *testing.T, args ...string) *pair {
	t.Helper()
	p := &pair{}
	var wg sync.WaitGroup
	wg.Go(func() { p.ours = testutil.StartOurs(t, args...) })
	wg.Go(func() { p.redis = testutil.StartRedis(t, args...) })
	wg.Wait()
	if p.redis == nil || p.ours == nil {
		t.FailNow()
	}
	p.redisCtl, p.oursCtl = p.redis.Dial(t), p.ours.Dial(t)
	if redisCommands == nil {
		redisCommands = texts(t, p.redisCtl, "COMMAND", "LIST")
	}
	return p
}

// reset empties both servers and turns the active expiry cycle off: it deletes when it pleases, and DBSIZE and DEBUG DIGEST would see it.
func (p *pair) reset() error {
	for _, cmd := range [][]string{{"FLUSHALL"}, {"DEBUG", "SET-ACTIVE-EXPIRE", "0"}} {
		for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
			v, err := c.Do(cmd...)
			if err == nil {
				err = v.Err()
			}
			if err != nil {
				return fmt.Errorf("%v: %w", cmd, err)
			}
		}
	}
	return nil
}

// A mismatch is two replies (or an end of the connection) that differ.
type mismatch struct {
	cmd         []string
	redis, ours string
	why         string
}

func (m *mismatch) Error() string {
	cmd := quoteArgs(m.cmd)
	if len(cmd) > 2000 {
		cmd = cmd[:2000] + "…"
	}
	return fmt.Sprintf("%s\n  redis: %s\n  ours:  %s\n  (%s)", cmd, m.redis, m.ours, m.why)
}

// A lane is one logical client: the same connection to both servers.
type lane struct {
	redis, ours *testutil.Conn
	multi       bool       // inside MULTI: replies are +QUEUED
	queued      [][]string // what EXEC will answer for
}

// replyTimeout is how long a reply may take; one that never comes is a difference.
const replyTimeout = 8 * time.Second

func (p *pair) open(proto int) (*lane, error) {
	l := &lane{}
	oursAddr := p.oursAddr
	if oursAddr == "" {
		oursAddr = p.ours.Addr()
	}
	for _, side := range []struct {
		to   **testutil.Conn
		addr string
	}{{&l.redis, p.redis.Addr()}, {&l.ours, oursAddr}} {
		c, err := testutil.Dial(side.addr)
		if err != nil {
			l.close()
			return nil, err
		}
		c.SetTimeout(replyTimeout)
		*side.to = c
		if proto == 3 {
			if v, err := c.Do("HELLO", "3"); err != nil || v.Err() != nil {
				l.close()
				return nil, fmt.Errorf("HELLO 3 to %s: %w", side.addr, errors.Join(err, v.Err()))
			}
		}
	}
	return l, nil
}

func (l *lane) close() {
	for _, c := range []*testutil.Conn{l.redis, l.ours} {
		if c != nil {
			c.Close()
		}
	}
}

func (l *lane) send(p []byte) error {
	if _, err := l.redis.Write(p); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if _, err := l.ours.Write(p); err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	return nil
}

// read reads one reply from each and compares them as replies to cmd. cmd nil: no command is known, compare raw.
func (l *lane) read(cmd []string) error {
	rv, rraw, rerr := l.redis.Read()
	ov, oraw, oerr := l.ours.Read()
	if rerr != nil || oerr != nil {
		if rerr != nil && oerr != nil {
			return fmt.Errorf("%s: both connections failed: redis: %w; ours: %w", quoteArgs(cmd), rerr, oerr)
		}
		return &mismatch{cmd, side(rraw, rerr), side(oraw, oerr), "one of the connections failed"}
	}
	compare := exact
	if len(cmd) > 0 {
		compare = l.comparator(cmd, rv)
	}
	if bytes.Equal(rraw, oraw) {
		return nil
	}
	if err := compare(cmd, rv, ov); err != nil {
		return &mismatch{cmd, clip(rraw), clip(oraw), err.Error()}
	}
	return nil
}

// comparator follows MULTI so that EXEC's elements are compared by the rules of the commands they answer.
func (l *lane) comparator(cmd []string, redis testutil.Value) comparator {
	name := strings.ToUpper(cmd[0])
	switch {
	case l.multi && redis.Kind == '+' && redis.Text == "QUEUED":
		l.queued = append(l.queued, cmd)
		return exact
	case name == "MULTI" && redis.Kind == '+':
		l.multi, l.queued = true, nil
		return exact
	case name == "EXEC" && l.multi:
		queued := l.queued
		l.multi, l.queued = false, nil
		return func(_ []string, r, o testutil.Value) error { return compareExec(queued, r, o) }
	case name == "DISCARD" || name == "RESET":
		l.multi, l.queued = false, nil
	}
	return comparatorFor(cmd)
}

func side(raw []byte, err error) string {
	if err != nil {
		return fmt.Sprintf("%s then %v", clip(raw), err)
	}
	return clip(raw)
}

func clip(raw []byte) string {
	const limit = 300
	if len(raw) > limit {
		return fmt.Sprintf("%q… (%d bytes)", raw[:limit], len(raw))
	}
	return fmt.Sprintf("%q", raw)
}

// do sends one command and compares the replies.
func (l *lane) do(cmd ...string) error {
	if err := l.send(testutil.AppendCommand(nil, cmd...)); err != nil {
		return err
	}
	return l.read(cmd)
}

// iterate runs a SCAN-like command to the end on each side ("$" stands for the cursor) and compares what was returned as a set.
func (l *lane) iterate(cmd []string) error {
	collect := func(c *testutil.Conn) (map[string]bool, error) {
		seen, cursor := map[string]bool{}, "0"
		for range 100000 {
			args := append([]string(nil), cmd...)
			for i, a := range args {
				if a == "$" {
					args[i] = cursor
				}
			}
			v, err := c.Do(args...)
			if err != nil {
				return nil, err
			}
			if len(v.Elems) != 2 {
				return map[string]bool{v.String(): true}, nil
			}
			for _, e := range v.Elems[1].Elems {
				seen[e.Text] = true
			}
			if cursor = v.Elems[0].Text; cursor == "0" {
				return seen, nil
			}
		}
		return nil, errors.New("the iteration does not end")
	}
	r, err := collect(l.redis)
	if err != nil {
		return err
	}
	o, err := collect(l.ours)
	if err != nil {
		return err
	}
	for k := range r {
		if !o[k] {
			return &mismatch{cmd, fmt.Sprintf("%q is returned", k), fmt.Sprintf("not among %d", len(o)), "a full iteration, as a set"}
		}
	}
	if len(o) != len(r) {
		return &mismatch{cmd, fmt.Sprintf("%d elements", len(r)), fmt.Sprintf("%d elements", len(o)), "a full iteration, as a set"}
	}
	return nil
}

// helloVaries are the client id and the version in a raw reply to HELLO.
var helloVaries = regexp.MustCompile(`\$2\r\nid\r\n:\d+|\$7\r\nversion\r\n\$\d+\r\n[^\r]+`)

// raw sends bytes on both sides and compares all that comes back and whether the connection is closed.
func (l *lane) raw(pieces ...[]byte) error {
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(300 * time.Microsecond)
		}
		// A server that has already refused the beginning may reset the connection: what it answered is still compared.
		l.redis.Write(piece)
		l.ours.Write(piece)
	}
	const quiet = 60 * time.Millisecond
	rdata, rclosed := readUntilQuiet(l.redis, -1, quiet)
	odata, oclosed := readUntilQuiet(l.ours, len(rdata), quiet)
	if !rclosed && len(odata) > len(rdata) {
		// redis-server was not slow for want of something to say: the machine is busy.
		more, closed := readUntilQuiet(l.redis, len(odata)-len(rdata), quiet)
		rdata, rclosed = append(rdata, more...), closed
	}
	if oclosed && !rclosed {
		more, closed := l.redis.ReadAll(3 * time.Second)
		rdata, rclosed = append(rdata, more...), closed
	}
	if rclosed && !oclosed {
		more, closed := l.ours.ReadAll(3 * time.Second)
		odata, oclosed = append(odata, more...), closed
	}
	rdata, odata = helloVaries.ReplaceAll(rdata, []byte("…")), helloVaries.ReplaceAll(odata, []byte("…"))
	if !bytes.Equal(rdata, odata) || rclosed != oclosed {
		text := func(data []byte, closed bool) string {
			if closed {
				return clip(data) + ", closed"
			}
			return clip(data) + ", open"
		}
		return &mismatch{[]string{string(bytes.Join(pieces, []byte("⏎")))}, text(rdata, rclosed), text(odata, oclosed), "raw bytes"}
	}
	return nil
}

// readUntilQuiet reads until nothing has come for a while; where it is known how much should come, it first waits longer for that.
func readUntilQuiet(c *testutil.Conn, want int, quiet time.Duration) (data []byte, closed bool) {
	for {
		patience := quiet
		if want > len(data) {
			patience = 3 * time.Second
		}
		if c.Quiet(patience) {
			return data, false
		}
		piece, err := c.ReadSome()
		data = append(data, piece...)
		if err != nil {
			return data, true
		}
	}
}
