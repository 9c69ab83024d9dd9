package differential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// What a master sends to its replicas is compared as replies are: a raw connection becomes a replica of each server, the same commands
// go to both, and the two streams must be equal, byte for byte. After each command a PUBLISH marks its place.

// A tap is a replica that only listens.
type tap struct {
	nc net.Conn
	r  *bufio.Reader
}

func openTap(addr string) (*tap, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	t := &tap{nc, bufio.NewReader(nc)}
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	for _, cmd := range [][]string{{"REPLCONF", "listening-port", "7"}, {"REPLCONF", "capa", "eof", "capa", "psync2"}, {"PSYNC", "?", "-1"}} {
		if _, err := nc.Write(testutil.AppendCommand(nil, cmd...)); err != nil {
			return nil, err
		}
		l := "\n"
		for l == "\n" && err == nil {
			l, err = t.r.ReadString('\n')
		}
		if err != nil || l[0] != '+' {
			return nil, fmt.Errorf("%q answers %q, %v", cmd, l, err)
		}
	}
	return t, t.skipSnapshot()
}

// settled waits until redis-server has noticed the end of its full sync: until then a FLUSHALL ends the child that made it, and the link with it.
func settled(c *testutil.Conn) error {
	for range 500 {
		info, err := c.Info("persistence")
		if err != nil {
			return err
		}
		if info["rdb_bgsave_in_progress"] == "0" {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("redis-server does not end its full sync")
}

// skipSnapshot reads the payload of a full sync and acknowledges it.
func (t *tap) skipSnapshot() error {
	head := "\n"
	var err error
	for head == "\n" && err == nil {
		head, err = t.r.ReadString('\n')
	}
	if err != nil {
		return err
	}
	head = strings.TrimSpace(head)
	if mark, ok := strings.CutPrefix(head, "$EOF:"); ok {
		var last []byte
		for string(last) != mark {
			b, err := t.r.ReadByte()
			if err != nil {
				return err
			}
			if last = append(last, b); len(last) > len(mark) {
				last = last[1:]
			}
		}
	} else if n, err := strconv.Atoi(strings.TrimPrefix(head, "$")); err != nil {
		return fmt.Errorf("the payload begins with %q", head)
	} else if _, err := io.CopyN(io.Discard, t.r, int64(n)); err != nil {
		return err
	}
	// redis-server notices the end of the transfer some time after us, and waits for an acknowledgement since then.
	go func() {
		for err := error(nil); err == nil; time.Sleep(20 * time.Millisecond) {
			_, err = t.nc.Write(testutil.AppendCommand(nil, "REPLCONF", "ACK", "0"))
		}
	}()
	return nil
}

// command reads one command of the stream.
func (t *tap) command() ([]string, error) {
	t.nc.SetDeadline(time.Now().Add(10 * time.Second))
	number := func(kind byte) (int, error) {
		l, err := t.r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if l[0] != kind || !strings.HasSuffix(l, "\r\n") {
			return 0, fmt.Errorf("the stream has %q instead of a %c", l, kind)
		}
		return strconv.Atoi(l[1 : len(l)-2])
	}
	n, err := number('*')
	if err != nil {
		return nil, err
	}
	cmd := make([]string, n)
	for i := range cmd {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(t.r, b); err != nil {
			return nil, err
		}
		cmd[i] = string(b[:size])
	}
	return cmd, nil
}

// until reads the stream up to a mark.
func (t *tap) until(mark string) (cmds [][]string, err error) {
	for {
		cmd, err := t.command()
		if err != nil {
			return cmds, err
		}
		if len(cmd) == 3 && cmd[1] == markChannel && cmd[2] == mark {
			return cmds, nil
		}
		cmds = append(cmds, cmd)
	}
}

const markChannel = "--mark--"

// taps compares the streams of a pair.
type taps struct {
	p           *pair
	redis, ours *tap
	marks       int
}

func newTaps(t *testing.T, args ...string) *taps {
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "3600"}, args...)
	x := &taps{p: newPair(t, args...)}
	var err error
	if x.redis, err = openTap(x.p.redis.Addr()); err == nil {
		err = settled(x.p.redisCtl)
	}
	if err == nil {
		x.ours, err = openTap(x.p.ours.Addr())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.redis.nc.Close(); x.ours.nc.Close() })
	return x
}

// compare reads both streams up to here.
func (x *taps) compare() error {
	x.marks++
	mark := strconv.Itoa(x.marks)
	for _, c := range []*testutil.Conn{x.p.redisCtl, x.p.oursCtl} {
		if _, err := c.Do("PUBLISH", markChannel, mark); err != nil {
			return err
		}
	}
	a, err := x.redis.until(mark)
	if err != nil {
		return fmt.Errorf("redis's stream: %w after %s", err, stretch(a))
	}
	b, err := x.ours.until(mark)
	if err != nil {
		return fmt.Errorf("our stream: %w after %s (redis's: %s)", err, stretch(b), stretch(a))
	}
	if len(a) == len(b) {
		i := 0
		for i < len(a) && sameEffect(a[i], b[i]) {
			i++
		}
		if i == len(a) {
			return nil
		}
	}
	return fmt.Errorf("the streams differ\n  redis: %s\n  ours:  %s", stretch(a), stretch(b))
}

func stretch(cmds [][]string) string {
	var parts []string
	for _, c := range cmds {
		parts = append(parts, quoteArgs(c))
	}
	s := strings.Join(parts, " | ")
	if len(s) > 1500 {
		s = s[:1500] + "…"
	}
	return s
}

// sameEffect compares two commands. All bytes must agree but those of times that come from the two servers' clocks, in ms: as an argument,
// or in the ID of a stream's entry. A millisecond apart is the ordinary case, so they must be near each other, not equal.
func sameEffect(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 3 && a[0] == "SREM" && b[0] == "SREM" && a[1] == b[1] {
		return true // the choice of SPOP
	}
	for i := range a {
		if a[i] != b[i] && !nearTimes(a[i], b[i]) {
			return false
		}
	}
	return true
}

func nearTimes(a, b string) bool {
	const near = 3000
	a, aseq, _ := strings.Cut(a, "-")
	b, bseq, _ := strings.Cut(b, "-")
	x, err := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	return err == nil && err2 == nil && len(a) == 13 && len(b) == 13 && aseq == bseq && x-y < near && y-x < near
}

// TestStreamOfScripts compares the streams of the hand-written cases.
func TestStreamOfScripts(t *testing.T) {
	x := newTaps(t)
	for file, text := range scriptFiles(t, "*.txt") {
		switch file {
		case "connection", "server", "slowlog", "tracking", "acl":
			continue // nothing there writes what others do not
		}
		cases, err := parseScript(file, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if *caseFlag != "" && !strings.Contains(c.title, *caseFlag) || ownStream(c) {
				continue
			}
			c.run(x.p, 2) // replies are TestScripts' business
			if err := x.compare(); err != nil {
				t.Errorf("%s.txt:%d: %s: %v", c.file, c.no, c.title, err)
				if !x.p.redis.Running() || !x.p.ours.Running() || strings.Contains(err.Error(), "stream:") {
					t.Fatal("enough")
				}
			}
		}
	}
}

// ownStream tells which cases cannot be compared so, and why.
func ownStream(c *scriptCase) bool {
	for _, l := range c.lines {
		if len(l.args) == 0 {
			continue
		}
		switch strings.ToUpper(l.args[0]) {
		case "REPLICAOF", "SLAVEOF", "SHUTDOWN", "FAILOVER":
			return true // the taps would be dropped
		}
	}
	return false
}

// TestStreamOfRandomHistories compares the streams of what the generator draws.
func TestStreamOfRandomHistories(t *testing.T) {
	seed := randomSeed()
	steps := *stepsFlag
	if steps == 0 {
		steps = 12000
		if testing.Short() {
			steps = 3000
		}
	}
	t.Logf("again with: make diff ARGS=\"-run TestStreamOfRandomHistories -seed %d -steps %d\"", seed, steps)
	x := newTaps(t)
	g := newGenerator(t, seed)
	failures := 0
	for done := 0; done < steps; {
		if err := x.p.reset(); err != nil {
			t.Fatal(err)
		}
		l, err := x.p.open(2)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.compare(); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			cmd := g.command()
			done++
			if readsErrno(cmd) {
				l.do(clearErrno...)
			}
			l.do(cmd...) // replies are TestRandom's business
			if err := x.compare(); err != nil {
				t.Errorf("seed %d, after %d commands: %s: %v", seed, done, quoteArgs(cmd), err)
				if failures++; failures == 10 {
					t.Fatal("enough")
				}
				break
			}
		}
		l.close()
	}
}
