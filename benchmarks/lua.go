package main

import (
	"fmt"
	"os/exec"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// Scripts and functions: what a call costs the server, by redis-benchmark with 50 clients and a pipeline of 16, all on one key.

// luaShapes are the bodies that are measured, each as a script and as a function.
var luaShapes = []struct {
	name, title, body string
	share             int // calls, as a part of the sizes' pipelined requests
	bar, aim          float64
}{
	{"return", "return 1", "return 1", 4, 1.2, 0.8},
	{"get", "redis.call('get')", "return redis.call('get',KEYS[1])", 4, 1.2, 0.8},
	{"set", "redis.call('set')", "return redis.call('set',KEYS[1],ARGV[1])", 8, 0, 0},
	{"stores", "100 table stores", "local t={} for i=1,100 do t[i]=i end return #t", 20, 2, 0},
	{"fields", "20 fields set and read", "local t={} for i=1,20 do local k='f'..i t[k]=i t[k]=t[k]+1 end return t.f7", 20, 0, 0},
	{"loop", "10,000 steps of arithmetic", "local x=0 for i=1,10000 do x=x+i*2 end return x", 1000, 0, 0},
	{"cjson", "cjson round trip", `local d=cjson.decode('{"a":[1,2,3],"b":{"c":"text"},"d":true}') d.a[4]=4 return cjson.encode(d)`, 20, 0, 0},
}

func luaRows() (rows []*measure) {
	for _, s := range luaShapes {
		rows = append(rows, &measure{name: "lua-" + s.name, title: "CPU per EVALSHA, pipeline 16: " + s.title, unit: "µs", bar: s.bar, aim: s.aim, sign: "<=",
			once: func(e *env, which string) (float64, error) { return callLua(e, which, s.body, false, s.share) }})
	}
	for _, s := range luaShapes[:2] {
		rows = append(rows, &measure{name: "lua-fcall-" + s.name, title: "CPU per FCALL, pipeline 16: " + s.title, unit: "µs", bar: s.bar, aim: s.aim, sign: "<=",
			once: func(e *env, which string) (float64, error) { return callLua(e, which, s.body, true, s.share) }})
	}
	return append(rows, &measure{name: "lua-growth", title: "resident memory after a million EVALSHA by that after a tenth", unit: "x", bar: 1.1, sign: "<=",
		absolute: true, once: luaGrowth})
}

func init() { measures = append(measures, luaRows()...) }

// luaServer starts a server with the script and the function, and returns the words of their call.
func luaServer(e *env, which, body string, function bool) (*testutil.Server, []string, error) {
	s, err := e.start(which)
	if err != nil {
		return nil, nil, err
	}
	c, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	var call []string
	for _, cmd := range [][]string{
		{"SET", "lua:key", "a value of some length"},
		{"SCRIPT", "LOAD", body},
		{"FUNCTION", "LOAD", "#!lua name=bench\nredis.register_function('bench',function(KEYS,ARGV) " + body + " end)"},
	} {
		v, err := c.Do(cmd...)
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", cmd[0], err)
		}
		if cmd[0] == "SCRIPT" {
			call = []string{"EVALSHA", v.Text, "1", "lua:key", "argument"}
		}
	}
	if function {
		call[0], call[1] = "FCALL", "bench"
	}
	return s, call, nil
}

// callLua gives µs of the server's CPU a call.
func callLua(e *env, which, body string, function bool, share int) (float64, error) {
	s, call, err := luaServer(e, which, body, function)
	if err != nil {
		return 0, err
	}
	defer e.stop(s)
	n := max(e.sizes.pipelined/share, 800)
	if err := repeat(s, max(n/20, 800), call); err != nil { // the machine warms up
		return 0, err
	}
	before, err := testutil.CPUTime(s.PID())
	if err != nil {
		return 0, err
	}
	if err := repeat(s, n, call); err != nil {
		return 0, err
	}
	after, err := testutil.CPUTime(s.PID())
	return micros(after-before) / float64(n), err
}

// repeat sends one command n times.
func repeat(s *testutil.Server, n int, call []string) error {
	out, err := exec.Command("redis-benchmark", append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-n", strconv.Itoa(n), "-c", "50", "-P", "16", "--csv", "-e"},
		call...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("redis-benchmark: %w\n%s", err, out)
	}
	return nil
}

// luaGrowth calls a script a million times and compares the resident memory with what it was after the first tenth.
func luaGrowth(e *env, which string) (float64, error) {
	s, call, err := luaServer(e, which, "return redis.call('get',KEYS[1])", false)
	if err != nil {
		return 0, err
	}
	defer e.stop(s)
	n := e.sizes.pipelined / 4
	var rss [2]int64
	for i, calls := range [...]int{n / 10, n - n/10} {
		if err := repeat(s, calls, call); err != nil {
			return 0, err
		}
		if rss[i], err = testutil.RSS(s.PID()); err != nil {
			return 0, err
		}
	}
	return float64(rss[1]) / float64(rss[0]), nil
}
