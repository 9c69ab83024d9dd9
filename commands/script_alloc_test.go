package commands

import (
	"runtime"
	"strings"
	"testing"
)

// TestEvalshaAllocations: a call of a script allocates nothing, one with a redis.call the Lua string of its reply, and none of it stays: the
// thousandth call costs what the first one did.
func TestEvalshaAllocations(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		most       float64
	}{
		{"return", "return 1", 0},
		{"arguments", "return {KEYS[1],ARGV[1],#KEYS}", 0},
		{"get", "return redis.call('get',KEYS[1])", 1},
		{"stores", "local t={} for i=1,100 do t[i]=i end return #t", 0},
		{"loop", "local x=0.5 for i=1,1000 do x=x+i*2 end return x", 0},
	} {
		s, h := newTestServer(t)
		c := newTestClient(s)
		do(c, "SET", "k", "v")
		sha := do(c, "SCRIPT", "LOAD", tc.text)[5:45]
		in := wire("EVALSHA", sha, "1", "k", "argument")
		out := make([]byte, 0, 4096)
		run := func() {
			h.milli++
			c.SetOutput(out)
			s.Process(c, in)
			c.SetOutput(nil)
		}
		for range 10 {
			run()
		}
		if n := testing.AllocsPerRun(1000, run); n > tc.most {
			t.Errorf("%s: %.1f allocations a call, not %.0f", tc.name, n, tc.most)
		}
	}
}

// TestScriptsKeepNothing: after many calls that make tables, strings and closures of every kind, the heap is what it was after a few.
func TestScriptsKeepNothing(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	do(c, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f',function(k,a) local t={k[1],a[1],x={}} for i=1,20 do t['k'..i]=i end return #t end)")
	const script = "local t={} for i=1,50 do t[i]={ARGV[1]..i,x=i} t['f'..i]=function() return t end end table.sort(t,function(a,b) return a.x>b.x end) " +
		"local co=coroutine.wrap(function() coroutine.yield(1) end) co() redis.call('set',KEYS[1],cjson.encode(t[1])) return {pcall(error,t)}"
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	calls := func(n int) {
		for range n {
			h.milli++
			do(c, "EVAL", script, "1", "k", "argument")
			do(c, "FCALL", "f", "1", "k", "argument")
		}
	}
	calls(300)
	before := heap()
	calls(3000)
	if after := heap(); after > before+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// TestNothingLeaks: what a script leaves behind, the next one does not find.
func TestNothingLeaks(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for _, leave := range []string{
		"x = 1", "_G.x = 1", "rawset(_G,'x',1)", "getmetatable('').__index.x = 1", "getmetatable(_G).__index = function() return 1 end",
		"setmetatable(_G,{__index=function() return 1 end})", "string.x = 1", "redis.x = 1", "table.insert(string,1)", "setmetatable(string,{})",
		"KEYS.x = 1 ARGV.x = 1 setmetatable(KEYS,{__index=function() return 1 end})", "getmetatable('').__call = print", "redis.setresp(3)",
		"for k in pairs(_G) do _G[k] = nil end", "table.sort(string)", "rawset(getmetatable(''),'__index',{})", "loadstring('x=1')()",
		"cjson.x = 1", "local m = getmetatable(getmetatable('')) m.x = 1",
	} {
		do(c, "EVAL", "pcall(function() "+leave+" end) "+leave, "0")
		probe := "return {tostring(rawget(_G,'x')),tostring(string.x),tostring(redis.x),tostring(cjson.x),tostring(KEYS.x),tostring(ARGV.x)," +
			"tostring(('').x),tostring(pcall(function() return y end)),type(redis.call('get','nokey'))}"
		got := do(c, "EVAL", probe, "0")
		if want := "*9\r\n" + strings.Repeat("$3\r\nnil\r\n", 7) + "$5\r\nfalse\r\n$7\r\nboolean\r\n"; got != want {
			t.Errorf("after %q: %q", leave, got)
		}
	}
}

// TestHostileScripts: each gets an error, and the server goes on.
func TestHostileScripts(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for _, script := range []string{
		"local s='x' while true do s=s..s end",
		"return string.rep('x',1e10)",
		"local t={} t[60000000]=1 return {err='stored'}",
		"local function f() return 1+f() end return f()",
		"return loadstring('return '..('('):rep(100000)..'1')()",
		"return os.exit()", "return io.open('/etc/passwd')", "return require('os')", "return debug.getinfo(1)", "return getfenv(0)",
		"return loadfile('x')", "return dofile('x')", "return module('x')", "return package.loaded", "return loadstring('\\27Lua')()",
		"return newproxy(true)", "return setfenv(1,{})", "return redis.call('debug','segfault')",
	} {
		if got := do(c, "EVAL", script, "0"); !strings.HasPrefix(got, "-") {
			t.Errorf("%s: %q", script, got)
		}
	}
	if got := do(c, "EVAL", "return 1", "0"); got != ":1\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}

// FuzzScripts: no text makes the server panic, run for ever, hold more than it may, or the next script fail. Every script has a budget of
// instructions: when it is spent the script is killed as by SCRIPT KILL.
func FuzzScripts(f *testing.F) {
	for _, s := range []string{
		"return 1", "return redis.call('get',KEYS[1])", "return cjson.encode({a=1})", "return ('x'):gsub('.','%0%0')", "return struct.unpack('i4','abcd')",
		"return cmsgpack.unpack('\\147\\1')", "for i=1,3 do redis.call('set',i,i) end", "return string.format('%5.2f',1)", "return bit.tohex(1)",
		"while true do end", "repeat pcall(function() while true do end end) until false", "local function f() return f() end return f()", "local function f() return 1+f() end return f()",
		"local s='x' while true do s=s..s end", "local t={} for i=1,1e9 do t[i]={} end", "local t={} for i=1,1e9 do t['k'..i]=i end", "return ('a'):rep(3000):find(('a?'):rep(30)..('a'):rep(30))",
		"return ('a'):rep(1e4):find('.-.-.-.-b')", "local function c() return coroutine.wrap(c)() end return c()", "local co={} for i=1,1e6 do co[i]=coroutine.create(function() end) coroutine.resume(co[i]) end",
		"return table.concat({('x'):rep(1e6),('y'):rep(1e6)},('z'):rep(1e6))", "local t={} t[1]=t return t", "local t=setmetatable({},{}) getmetatable(t).__index=t return t.x",
		"table.sort({3,1,2},function() return true end)", "table.insert({},-1e9,1)", "return loadstring('return '..('('):rep(300)..'1'..(')'):rep(300))", "return unpack({},1,7000)",
		"local f f=function(...) return f(1,...) end return f()", "error(setmetatable({},{__tostring=function() return {} end}))", "return cjson.decode(('['):rep(2000))",
		"coroutine.wrap(function() table.sort({2,1},function() coroutine.yield() end) end)()", "return next({},1)", "for k in pairs(_G) do _G[k]=nil end", "a,b=b,a", "local a,b=1,2 a,b=b,a return {a,b}",
	} {
		f.Add(s)
	}
	s, h := newTestServer(f, "busy-reply-threshold", "1", "lua-memory-limit", "16mb")
	h.slow = 1e6 // each look at the clock is a millisecond: a script is overdue at once
	c := newTestClient(s)
	f.Fuzz(func(t *testing.T, script string) {
		do(c, "EVAL", script, "1", "k", "v")
		for slices := 0; s.Busy(); slices++ {
			if slices == 20 && s.script != nil {
				s.script.killed = true // written or not
			}
			if slices > 100_000 {
				t.Fatalf("%q cannot be ended", script)
			}
			timers := h.timer
			h.timer = nil
			for _, fn := range timers {
				fn()
			}
		}
		c.out = nil
		if c.blocked != nil || c.flags&(flagMulti|flagClosed) != 0 {
			t.Fatalf("after %q the client is not free", script)
		}
		if got := do(c, "EVAL", "return 1", "0"); got != ":1\r\n" {
			t.Fatalf("after %q: %q", script, got)
		}
	})
}

func TestFunctions(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	const lib = "#!lua name=lib\nredis.register_function('f',function(k,a) return redis.call('set',k[1],a[1]) end)"
	if got := do(c, "FUNCTION", "LOAD", lib); got != "$3\r\nlib\r\n" {
		t.Fatalf("LOAD: %q", got)
	}
	if got := do(c, "FCALL", "f", "1", "k", "v"); got != "+OK\r\n" {
		t.Errorf("FCALL: %q", got)
	}
	if got := do(c, "GET", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("GET: %q", got)
	}
	// A synchronised dataset brings its own libraries, and only those.
	l := &Loader{}
	if err := l.Function([]byte("#!lua name=other\nredis.register_function('g',function() return 7 end)")); err != nil {
		t.Fatal(err)
	}
	s.InstallFunctions(l.Functions)
	if got := do(c, "FCALL", "g", "0"); got != ":7\r\n" {
		t.Errorf("the dataset's function: %q", got)
	}
	if got := do(c, "FCALL", "f", "0"); got != "-ERR Function not found\r\n" {
		t.Errorf("the old function: %q", got)
	}
	s.SetFollowing(true)
	if got := do(c, "FCALL", "g", "0"); got != "-READONLY You can not run script with write flag on readonly replica.\r\n" {
		t.Errorf("on a replica: %q", got)
	}
	m := s.NewMasterClient(0)
	s.BeginStream()
	s.CallMaster(m, [][]byte{[]byte("FUNCTION"), []byte("LOAD"), []byte(lib)})
	s.CallMaster(m, [][]byte{[]byte("FCALL"), []byte("f"), []byte("1"), []byte("k"), []byte("w")})
	if got := do(c, "GET", "k"); got != "$1\r\nw\r\n" || s.Stats.ApplyErrors != 0 {
		t.Errorf("from the master: %q, %d errors", got, s.Stats.ApplyErrors)
	}
}

// TestOverdueScript: past the threshold the script steps aside, others hear BUSY, and SCRIPT KILL ends it.
func TestOverdueScript(t *testing.T) {
	s, h := newTestServer(t, "busy-reply-threshold", "1")
	c, d := newTestClient(s), newTestClient(s)
	if got := do(c, "EVAL", "while true do end", "0"); got != "" {
		t.Fatalf("an endless script answered %q", got)
	}
	if !s.Busy() {
		t.Fatal("the server is not busy")
	}
	if got := do(d, "GET", "k"); got != errBusyScript+"\r\n" {
		t.Errorf("GET: %q", got)
	}
	if got := do(d, "SCRIPT", "KILL"); got != "+OK\r\n" {
		t.Errorf("SCRIPT KILL: %q", got)
	}
	out := make([]byte, 0, 256)
	c.SetOutput(out)
	for i := 0; i < 100 && s.Busy(); i++ {
		timers := h.timer
		h.timer = nil
		for _, fn := range timers {
			fn()
		}
	}
	got := string(c.Output())
	c.SetOutput(nil)
	if !strings.HasPrefix(got, "-ERR Script killed by user with SCRIPT KILL... script: ") {
		t.Errorf("the killed script: %q", got)
	}
	if got := do(d, "GET", "k"); got != "$-1\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}
