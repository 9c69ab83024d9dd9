package commands

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestZsetCommandsDoNotAllocate covers a small sorted set and a large one.
func TestZsetCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	out := make([]byte, 0, 1<<16)
	for i := range 1000 {
		do(c, "ZADD", "large", strconv.Itoa(i*7), fmt.Sprintf("member:%d", i))
	}
	for i := range 60 {
		do(c, "ZADD", "small", strconv.Itoa(i*7), fmt.Sprintf("member:%d", i))
		do(c, "GEOADD", "places", strconv.Itoa(i), strconv.Itoa(i), fmt.Sprintf("member:%d", i))
	}
	for _, key := range []string{"small", "large"} {
		for _, in := range [][]byte{
			append(wire("ZADD", key, "100", "member:5"), wire("ZADD", key, "35", "member:5")...),
			append(wire("ZADD", key, "1.5", "new", "2.5", "newer"), wire("ZREM", key, "new", "newer")...),
			append(wire("ZINCRBY", key, "0.5", "member:9"), wire("ZINCRBY", key, "-0.5", "member:9")...),
			append(wire("ZADD", key, "-5", "least"), wire("ZPOPMIN", key)...),
			wire("ZSCORE", key, "member:7"),
			wire("ZMSCORE", key, "member:7", "none"),
			wire("ZRANK", key, "member:7"),
			wire("ZCARD", key),
			wire("ZCOUNT", key, "(10", "+inf"),
			wire("ZRANGE", key, "3", "40", "WITHSCORES"),
			wire("ZRANGEBYSCORE", key, "10", "200", "LIMIT", "1", "10"),
			wire("ZREVRANGEBYLEX", key, "+", "-", "LIMIT", "1", "10"),
			wire("ZRANDMEMBER", key),
			wire("GEODIST", "places", "member:1", "member:2"),
			wire("GEOPOS", "places", "member:1", "member:2"),
		} {
			run := func() {
				h.milli++
				c.SetOutput(out)
				s.Process(c, in)
				if o := c.Output(); len(o) == 0 || o[0] == '-' {
					t.Fatalf("%q: %q", in, o)
				}
				c.SetOutput(nil)
			}
			run()
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s: %.1f allocations for %q", key, n, strings.ReplaceAll(string(in), "\r\n", " "))
			}
		}
	}
	if err := s.KS.Check(); err != nil {
		t.Error(err)
	}
}

// TestZsetOperationsFreeWhatTheyBuild: what a union or intersection builds to
// answer with, and what it replaces, must not stay.
func TestZsetOperationsFreeWhatTheyBuild(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for i := range 300 {
		do(c, "ZADD", "a", strconv.Itoa(i), "m"+strconv.Itoa(i))
		do(c, "ZADD", "b", strconv.Itoa(i), "m"+strconv.Itoa(i+100))
	}
	settle := func() int64 {
		for s.KS.LazyPending() > 0 {
			s.KS.Maintain(func() int64 { return 0 }, 1)
		}
		return s.KS.UsedMemory()
	}
	do(c, "ZUNIONSTORE", "dst", "2", "a", "b")
	before := settle()
	for range 20 {
		do(c, "ZUNION", "2", "a", "b")
		do(c, "ZINTER", "2", "a", "b", "WITHSCORES")
		do(c, "ZDIFF", "2", "a", "b")
		do(c, "ZINTERSTORE", "none", "2", "a", "nokey")
		do(c, "ZINTERSTORE", "dst", "2", "a", "b")
		do(c, "ZRANGESTORE", "dst", "a", "0", "5")
		do(c, "ZUNIONSTORE", "dst", "2", "a", "b")
	}
	if after := settle(); after != before {
		t.Errorf("%d bytes used before, %d after", before, after)
	}
	if err := s.KS.Check(); err != nil {
		t.Error(err)
	}
}

func BenchmarkZrangeWithScores10000(b *testing.B) {
	s, h := newTestServer(b)
	c := newTestClient(s)
	for i := range 10000 {
		do(c, "ZADD", "z", strconv.FormatFloat(float64(i*7919%10007)/10007, 'g', 17, 64), fmt.Sprintf("member:%d", i))
	}
	out := make([]byte, 0, 1<<20)
	in := wire("ZRANGE", "z", "0", "-1", "WITHSCORES")
	for b.Loop() {
		h.milli++
		c.SetOutput(out)
		s.Process(c, in)
		c.SetOutput(nil)
	}
}
