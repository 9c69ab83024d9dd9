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

// spinTimers runs what was put off until the server is no longer busy.
func spinTimers(t *testing.T, s *Server, h *fakeHost) {
	t.Helper()
	for i := 0; s.Busy(); i++ {
		if i > 100_000 {
			t.Fatal("the script never ends")
		}
		timers := h.timer
		h.timer = nil
		for _, fn := range timers {
			fn()
		}
	}
}

// TestSlowScriptOfTheMaster: it steps aside, alone or in a transaction; nobody can kill it; and it is whole when the next command comes.
func TestSlowScriptOfTheMaster(t *testing.T) {
	const script = "redis.call('append',KEYS[1],'a') for i=1,200000 do end redis.call('append',KEYS[1],'b') return 1"
	for _, commands := range [][][]string{
		{{"EVAL", script, "1", "k"}},
		{{"MULTI"}, {"APPEND", "k", "<"}, {"EVAL", script, "1", "k"}, {"EVAL", script, "1", "k"}, {"APPEND", "k", ">"}, {"EXEC"}},
	} {
		s, h := newTestServer(t, "busy-reply-threshold", "1")
		h.slow = 1e6
		s.SetFollowing(true)
		m, c := s.NewMasterClient(0), newTestClient(s)
		s.BeginStream()
		for _, cmd := range commands {
			args := make([][]byte, len(cmd))
			for i := range cmd {
				args[i] = []byte(cmd[i])
			}
			s.CallMaster(m, args)
			for i := range args {
				clear(args[i]) // the stream's buffer is used again
			}
		}
		if !s.Busy() {
			t.Fatal("the script did not step aside")
		}
		if got := do(c, "GET", "k"); got != errBusyScript+"\r\n" {
			t.Errorf("GET: %q", got)
		}
		if got := do(c, "SCRIPT", "KILL"); !strings.HasPrefix(got, "-UNKILLABLE The busy script was sent by a master") {
			t.Errorf("SCRIPT KILL: %q", got)
		}
		spinTimers(t, s, h)
		want := "$2\r\nab\r\n"
		if len(commands) > 1 {
			want = "$6\r\n<abab>\r\n"
		}
		if got := do(c, "GET", "k"); got != want {
			t.Errorf("afterwards: %q", got)
		}
		if s.Stats.ApplyErrors != 0 {
			t.Errorf("%d errors", s.Stats.ApplyErrors)
		}
	}
}

// TestSlowTransactionOfOneWhoLeft: what a client began with EXEC is done to its end, though the client is gone.
func TestSlowTransactionOfOneWhoLeft(t *testing.T) {
	s, h := newTestServer(t, "busy-reply-threshold", "1")
	h.slow = 1e6
	c, d := newTestClient(s), newTestClient(s)
	do(c, "MULTI")
	do(c, "APPEND", "k", "<")
	do(c, "EVAL", "redis.call('append','k','a') for i=1,200000 do end redis.call('append','k','b')", "0")
	do(c, "APPEND", "k", ">")
	do(c, "EXEC")
	if !s.Busy() {
		t.Fatal("the script did not step aside")
	}
	s.RemoveClient(c)
	spinTimers(t, s, h)
	if got := do(d, "GET", "k"); got != "$4\r\n<ab>\r\n" {
		t.Errorf("afterwards: %q", got)
	}
	if got := do(d, "EVAL", "return 1", "0"); got != ":1\r\n" {
		t.Errorf("the next script: %q", got)
	}
}
