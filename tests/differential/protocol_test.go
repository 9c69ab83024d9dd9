package differential

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// rawCases are byte strings below the level of commands. What comes back must be equal, and so must the fate of the connection.
var rawCases = []string{
	// inline commands
	"PING\r\n", "PING\n", "\r\nPING\r\n", "\n\n\nPING\r\n", "  PING  \r\n", "SET k \"a b\"\r\nGET k\r\n", "SET k 'a b'\r\nGET k\r\n",
	"SET k \"\\x41\\n\"\r\nGET k\r\n", "SET k \"unbalanced\r\n", "SET k 'unbalanced\r\n", "SET k \"a\"b\r\n", "PING \"\"\r\n", "\"\"\r\n", "GET\r\n",
	"NOSUCH a b\r\n", "\t PING\r\n", "PING\r\r\n", "PING\x00\r\n", "PING \x00\r\n", "ECHO \xff\xfe\r\n", "ping\r\necho x\r\n", "SET k 'it\\'s'\r\nGET k\r\n",
	// the multibulk count
	"*0\r\nPING\r\n", "*-1\r\nPING\r\n", "*-10\r\nPING\r\n", "*\r\n", "*abc\r\n", "*1.5\r\n", "*+1\r\n$4\r\nPING\r\n", "* 1\r\n", "*01\r\n$4\r\nPING\r\n",
	"*1048577\r\n", "*2147483647\r\n", "*2147483648\r\n", "*4294967297\r\n", "*9223372036854775808\r\n", "*-9223372036854775808\r\n", "*-9223372036854775809\r\n", "*1\n$4\nPING\n", "*1\rx",
	// the bulk length
	"*1\r\nPING\r\n", "*1\r\n\r\n", "*1\r\n4\r\nPING\r\n", "*1\r\n:4\r\n", "*1\r\n$\r\n", "*1\r\n$abc\r\n", "*1\r\n$-1\r\n", "*1\r\n$-2\r\n", "*1\r\n$536870913\r\n", "*1\r\n$9223372036854775807\r\n",
	"*1\r\n$9223372036854775808\r\n", "*1\r\n$04\r\nPING\r\n", "*1\r\n$+4\r\nPING\r\n", "*1\r\n$4 \r\nPING\r\n", "*1\r\n$4\r\nPINGxx", "*1\r\n$4\r\nPINGxxPING\r\n", "*1\r\n$0\r\n\r\n",
	"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n", "*1\r\n$4\n", "*1\r\n*1\r\n", "*1\r\n+PING\r\n",
	// unfinished
	"*", "*1", "*1\r", "*1\r\n", "*1\r\n$", "*1\r\n$4", "*1\r\n$4\r\nPIN", "*1\r\n$4\r\nPING", "*1\r\n$4\r\nPING\r", "PING", "*3\r\n$3\r\nSET\r\n",
	// an error in the middle of a pipeline: what stands before it is answered
	"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n*1\r\n$4\r\nPING\r\n", "ECHO a\r\nECHO \"\r\nECHO b\r\n",
	// too long: an inline line, a count line, a bulk line without an end
	strings.Repeat("x", 70000), strings.Repeat("x", 65530) + "\r\n", "*" + strings.Repeat("1", 70000), "*1\r\n$" + strings.Repeat("1", 70000), "PING " + strings.Repeat("x", 60000) + "\r\n",
	strings.Repeat("PING ", 13000) + "\r\n", "*1\r\n$4\r\nPING\r\n" + strings.Repeat("y", 66000),
	// HTTP and its friends are attacks
	"POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Host: localhost\r\n", "post x\r\n", "*1\r\n$4\r\nPOST\r\nPING\r\n",
	// garbage
	"\x00\x01\x02\r\n", "\xff\xff\xff\xff\r\n", "$4\r\nPING\r\n", "+OK\r\n", ":1\r\n", "%1\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	// QUIT ends it, and what follows is not answered
	"QUIT\r\nPING\r\n", "*1\r\n$4\r\nquit\r\n*1\r\n$4\r\nPING\r\n",
	// EXEC of a pipeline with a broken command
	"MULTI\r\nSET k\r\nEXEC\r\n", "MULTI\r\nSET k v\r\nEXEC\r\nGET k\r\n",
	"HELLO 3\r\nGET nokey\r\nHELLO 2\r\nGET nokey\r\n",
}

func TestRawBytes(t *testing.T) {
	p := newPair(t)
	runRaw(t, p, rawCases)
}

// TestRawBytesBeforeAuthentication: a client that has not authenticated meets smaller limits.
func TestRawBytesBeforeAuthentication(t *testing.T) {
	p := newPair(t, "--requirepass", "secret")
	for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		c.Must(t, "AUTH", "secret")
	}
	args := func(n int) string { return fmt.Sprintf("*%d\r\n", n) + strings.Repeat("$1\r\nx\r\n", n) }
	runRaw(t, p, []string{
		"PING\r\n", "GET k\r\n", "NOSUCH\r\n", "AUTH wrong\r\nPING\r\n", "AUTH secret\r\nPING\r\n", "AUTH default secret\r\nPING\r\n", "AUTH nosuch secret\r\n", "AUTH\r\n", "AUTH a b c\r\n",
		"HELLO\r\n", "HELLO 3\r\n", "HELLO 3 AUTH default secret\r\nPING\r\n", "HELLO 3 AUTH default wrong\r\nPING\r\n", "HELLO 4\r\n", "QUIT\r\n", "RESET\r\nPING\r\n", "AUTH secret\r\nRESET\r\nPING\r\n",
		"MULTI\r\n", "EXEC\r\n", "SUBSCRIBE x\r\n", "COMMAND\r\n", "INFO\r\n", "SELECT 1\r\n", "CLIENT SETNAME x\r\n", "SET k\r\n", "PING a b\r\n", "REPLCONF listening-port 1\r\n",
		args(9), args(10), args(11), "*10\r\n", "*11\r\n", "*1000\r\n",
		"*1\r\n$16384\r\n" + strings.Repeat("x", 16384) + "\r\n", "*1\r\n$16385\r\n", "*2\r\n$4\r\nAUTH\r\n$16384\r\n" + strings.Repeat("x", 16384) + "\r\n", "*2\r\n$4\r\nAUTH\r\n$16385\r\n",
		"AUTH secret\r\n" + args(11) + "PING\r\n", "AUTH secret\r\n*2\r\n$4\r\nECHO\r\n$20000\r\n" + strings.Repeat("y", 20000) + "\r\n",
		"AUTH " + strings.Repeat("x", 20000) + "\r\n", strings.Repeat("x", 70000),
	})
}

// runRaw plays each case on a connection of its own, a few at a time: most of a case is waiting for silence. Each worker has a database.
func runRaw(t *testing.T, p *pair, cases []string) {
	t.Helper()
	work := make(chan string)
	var wg sync.WaitGroup
	for db := range 8 {
		wg.Go(func() {
			for wire := range work {
				if err := rawCase(p, db, wire); err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	for _, wire := range cases {
		work <- wire
	}
	close(work)
	wg.Wait()
}

func rawCase(p *pair, db int, wire string) error {
	l, err := p.open(2)
	if err != nil {
		return err
	}
	defer l.close()
	// Before authentication both are refused, in the same words.
	for _, cmd := range [][]string{{"SELECT", strconv.Itoa(db)}, {"FLUSHDB"}} {
		if err := l.do(cmd...); err != nil {
			return err
		}
	}
	return l.raw([]byte(wire))
}

// A long pipeline of commands of every form, whose replies are deterministic.
func mixedPipeline() []byte {
	var b []byte
	b = append(b, "SET inline 1\r\n"...)
	b = testutil.AppendCommand(b, "SET", "k", "hello")
	b = testutil.AppendCommand(b, "GET", "k")
	b = append(b, "\r\n"...)
	b = testutil.AppendCommand(b, "SET", "bin", "a\r\nb\x00*3\r\n$3\r\n")
	b = testutil.AppendCommand(b, "GET", "bin")
	b = append(b, "*0\r\n"...)
	b = testutil.AppendCommand(b, "MGET", "k", "nokey", "bin")
	b = testutil.AppendCommand(b, "NOSUCH", "x")
	b = testutil.AppendCommand(b, "SET", "k")
	b = append(b, "GET inline\n"...)
	b = testutil.AppendCommand(b, "MULTI")
	b = testutil.AppendCommand(b, "INCR", "n")
	b = testutil.AppendCommand(b, "INCRBY", "n", "10")
	b = testutil.AppendCommand(b, "EXEC")
	b = testutil.AppendCommand(b, "APPEND", "k", strings.Repeat("z", 300))
	b = testutil.AppendCommand(b, "STRLEN", "k")
	return testutil.AppendCommand(b, "ECHO", "")
}

// TestSplitPipelines cuts the same bytes into pieces at every place, and at many random places: the answer must not change.
func TestSplitPipelines(t *testing.T) {
	p := newPair(t)
	wire := pipelineForSplits()
	var cuts [][]int
	for i := 1; i < len(wire); i += 1 + len(wire)/200 {
		cuts = append(cuts, []int{i})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var places []int
		for i := 1; i < len(wire); i++ {
			if rnd.IntN(40) == 0 {
				places = append(places, i)
			}
		}
		cuts = append(cuts, places)
	}
	want, err := answer(p.redis.Addr(), wire, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, places := range append(cuts, nil) {
		if err := p.reset(); err != nil {
			t.Fatal(err)
		}
		got, err := answer(p.ours.Addr(), wire, places)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut at %v: %v\n redis: %s\n ours:  %s", places, err, clip(want), clip(got))
		}
	}
}

const splitEnd = "the end"

func pipelineForSplits() []byte {
	return testutil.AppendCommand(mixedPipeline(), "ECHO", splitEnd)
}

// answer sends the bytes in pieces and reads up to the reply of the last command.
func answer(addr string, wire []byte, cuts []int) ([]byte, error) {
	c, err := testutil.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	from := 0
	for _, at := range append(append([]int(nil), cuts...), len(wire)) {
		if _, err := c.Write(wire[from:at]); err != nil {
			return nil, err
		}
		from = at
		if len(cuts) > 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	var all []byte
	for {
		v, raw, err := c.Read()
		all = append(all, raw...)
		if err != nil || v.Text == splitEnd {
			return all, err
		}
	}
}

// TestBigPipeline sends far more than one read's worth before it reads anything.
func TestBigPipeline(t *testing.T) {
	p := newPair(t)
	var wire []byte
	for i := range 20000 {
		key := fmt.Sprintf("k%d", i%500)
		wire = testutil.AppendCommand(wire, "SET", key, strings.Repeat("v", i%200))
		wire = testutil.AppendCommand(wire, "GET", key)
		wire = testutil.AppendCommand(wire, "MGET", key, "nokey", key)
	}
	wire = testutil.AppendCommand(wire, "ECHO", splitEnd)
	send := func(addr string) []byte {
		c, err := testutil.Dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		done := make(chan error, 1)
		go func() { _, err := c.Net().Write(wire); done <- err }()
		var all []byte
		for {
			v, raw, err := c.Read()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, raw...)
			if v.Text == splitEnd {
				break
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return all
	}
	r, o := send(p.redis.Addr()), send(p.ours.Addr())
	if !bytes.Equal(r, o) {
		at := 0
		for at < len(r) && at < len(o) && r[at] == o[at] {
			at++
		}
		t.Errorf("%d and %d bytes; they part at %d: %s | %s", len(r), len(o), at, clip(r[at:]), clip(o[at:]))
	}
	if err := testutil.SameDigest(p.redisCtl, p.oursCtl); err != nil {
		t.Error(err)
	}
}

// TestGarbage sends random bytes, and commands with random bytes changed: replies and fate must agree, and both must live.
func TestGarbage(t *testing.T) {
	p := newPair(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	n := 60
	if testing.Short() {
		n = 15
	}
	base := mixedPipeline()
	for i := range n {
		wire := bytes.Clone(base)
		if i%4 == 0 {
			wire = make([]byte, 1+rnd.IntN(300))
			for j := range wire {
				wire[j] = byte(rnd.Uint32())
			}
		} else {
			for range 1 + rnd.IntN(3) {
				wire[rnd.IntN(len(wire))] = "\r\n*$0123456789-:+ \x00\xffABC"[rnd.IntN(23)]
			}
		}
		if err := p.reset(); err != nil {
			t.Fatal(err)
		}
		l, err := p.open(2)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.raw(wire); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		l.close()
	}
}
