package commands

import (
	"strings"
	"testing"
)

func TestEval(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	do(c, "SET", "k", "v")
	for _, tc := range []struct{ script, want string }{
		{"return 1", ":1\r\n"},
		{"return redis.call('get',KEYS[1])", "$1\r\nv\r\n"},
		{"return {1,'a',3.9,true,false,nil,7}", "*5\r\n:1\r\n$1\r\na\r\n:3\r\n:1\r\n$-1\r\n"},
		{"return redis.call('nosuch')", "-ERR Unknown Redis command called from script script: "},
		{"x=1", "-ERR user_script:1: Attempt to modify a readonly table script: "},
	} {
		if got := do(c, "EVAL", tc.script, "1", "k"); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.script, got, tc.want)
		}
	}
	sha := do(c, "SCRIPT", "LOAD", "return ARGV[1]")[5:45]
	if got := do(c, "EVALSHA", strings.ToUpper(sha), "0", "x"); got != "$1\r\nx\r\n" {
		t.Errorf("EVALSHA: %q", got)
	}
	do(c, "SCRIPT", "FLUSH")
	if got := do(c, "EVALSHA", sha, "0"); got != errNoScript+"\r\n" {
		t.Errorf("after FLUSH: %q", got)
	}
}

// TestScriptOnReplica: reading goes on, the first write fails; what the master sends applies.
func TestScriptOnReplica(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	s.SetFollowing(true)
	if got := do(c, "EVAL", "redis.call('get','k') return redis.call('set','k','1')", "0"); !strings.HasPrefix(got, errReadOnly+" script: ") {
		t.Errorf("a write: %q", got)
	}
	if got := do(c, "EVAL", "#!lua\nreturn 1", "0"); got != "-READONLY You can not run script with write flag on readonly replica.\r\n" {
		t.Errorf("a script that may write: %q", got)
	}
	if got := do(c, "EVAL", "#!lua flags=no-writes\nreturn 1", "0"); got != ":1\r\n" {
		t.Errorf("a script that only reads: %q", got)
	}
	m := s.NewMasterClient(2)
	s.BeginStream()
	s.CallMaster(m, [][]byte{[]byte("EVAL"), []byte("return redis.call('set','k',ARGV[1])"), []byte("0"), []byte("fromthemaster")})
	do(c, "SELECT", "2")
	if got := do(c, "GET", "k"); got != "$13\r\nfromthemaster\r\n" {
		t.Errorf("from the master: %q", got)
	}
	if s.Stats.ApplyErrors != 0 {
		t.Error("the master's script failed")
	}
}
