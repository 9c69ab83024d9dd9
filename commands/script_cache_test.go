package commands

import (
	"strconv"
	"strings"
	"testing"
)

// TestScriptCacheIsBounded: scripts of EVAL make room for one another in the order of their last use, those of SCRIPT LOAD stay.
func TestScriptCacheIsBounded(t *testing.T) {
	s, _ := newTestServer(t, "lua-max-cached-scripts", "10")
	c := newTestClient(s)
	loaded := do(c, "SCRIPT", "LOAD", "return 'loaded'")[5:45]
	promoted := "return 'promoted'"
	do(c, "EVAL", promoted, "0")
	kept := do(c, "SCRIPT", "LOAD", promoted)[5:45]
	for i := range 100 {
		do(c, "EVAL", "return "+strconv.Itoa(i), "0")
		do(c, "EVAL", "return 'often'", "0")
	}
	if n := s.cachedScripts(); n != 12 {
		t.Errorf("%d scripts are cached, want 10 of EVAL and 2 of SCRIPT LOAD", n)
	}
	for _, sha := range []string{loaded, kept} {
		if got := do(c, "EVALSHA", sha, "0"); !strings.HasPrefix(got, "$") {
			t.Errorf("a loaded script: %q", got)
		}
	}
	if t2 := s.scripts(); t2.byText["return 'often'"] == nil || t2.byText["return 5"] != nil {
		t.Error("it is not the script unused for the longest time that went")
	}
}

// TestScriptMemoryLimit: a script that wants more than its share gets an error, whatever it fills, and the next one runs.
func TestScriptMemoryLimit(t *testing.T) {
	s, _ := newTestServer(t, "lua-memory-limit", "8mb")
	c := newTestClient(s)
	for _, script := range []string{
		"local s='x' while true do s=s..s end",
		"local s=string.rep('x',9000000) return #s",
		"local t={} local i=0 while true do i=i+1 t[i]=string.rep('x',1000)..i end",
		"local t={} for i=1,1e9 do t[i]=i+0.5 end",
		"local t={} for i=1,1e9 do t['k'..i]=i end",
		"return #('x'):rep(4000):gsub('x',('y'):rep(4000))",
		"local t={} for i=1,8000 do t[i]=('x'):rep(8000) end return #table.concat(t)",
		"while true do pcall(function() local s='x' while true do s=s..s end end) end",
	} {
		if got := do(c, "EVAL", script, "0"); !strings.Contains(got, "memory limit") {
			t.Errorf("%s: %q", script, got)
		}
	}
	if got := do(c, "EVAL", "return 1", "0"); got != ":1\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}

// TestScriptStackLimit: overflows of the machine's stacks end the script, not the server.
func TestScriptStackLimit(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	wide := "local function f(n) local t = {" + strings.Repeat("n,", 200) + "} return 1 + f(n+1) end return f(1)"
	for _, script := range []string{
		"return unpack({},1,1e8)", "return string.char(unpack({},1,8000))", "return unpack({},-1e9,1e9)", wide,
		"local function f(...) return 1 + f(1,2,3,4,5,6,7,8,9,10,...) end return f()",
		"local function f(...) return 1 + f(unpack({},1,7000)) end return f()",
		"return cmsgpack.unpack(('\\1'):rep(3000000))", "return struct.unpack(('b'):rep(3000000),('x'):rep(3000000))",
		"local function f() return coroutine.wrap(f)() end return f()",
		"local t=setmetatable({},{__index=function(t,k) return t[k+1] end}) return t[1]",
		"local t=setmetatable({},{__newindex=function(t,k,v) t[k]=v end}) t[1]=1 return 1",
	} {
		if got := do(c, "EVAL", script, "0"); !strings.HasPrefix(got, "-") && !strings.HasPrefix(got, ":") {
			t.Errorf("%.60s: %.100q", script, got)
		}
		if got := do(c, "EVAL", "return redis.call('echo',ARGV[1])", "0", "on"); got != "$2\r\non\r\n" {
			t.Fatalf("after %.60s: %q", script, got)
		}
	}
}
