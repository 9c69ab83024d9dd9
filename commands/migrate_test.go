package commands

import (
	"strings"
	"testing"
)

// answerOK plays a target that takes everything.
func answerOK(call ExchangeCall) ExchangeResult {
	var res ExchangeResult
	for range call.Replies {
		res.Replies = append(res.Replies, []byte("+OK\r\n"))
	}
	return res
}

func TestMigrateMovesAndWaits(t *testing.T) {
	s, h := newTestServer(t)
	c, other := newTestClient(s), newTestClient(s)
	do(c, "MSET", "a", "1", "b", "2", "c", "3")
	if got := do(c, "MIGRATE", "h", "6379", "", "2", "100", "REPLACE", "AUTH2", "u", "p", "KEYS", "a", "b", "nokey"); got != "" {
		t.Fatalf("answered at once: %q", got)
	}
	call := h.exchanges[0]
	for _, want := range []string{"AUTH\r\n$1\r\nu\r\n$1\r\np", "SELECT\r\n$1\r\n2", "RESTORE\r\n$1\r\na", "RESTORE\r\n$1\r\nb", "REPLACE"} {
		if !strings.Contains(string(call.Wire), want) {
			t.Errorf("%q is not in %q", want, call.Wire)
		}
	}
	if call.Host != "h" || call.Port != "6379" || call.Timeout != 100e6 || call.Replies != 4 {
		t.Errorf("%+v", call)
	}
	if got := do(other, "GET", "a"); got != "$1\r\n1\r\n" {
		t.Errorf("another client reads %q meanwhile", got)
	}
	c.SetOutput(make([]byte, 0, 100))
	call.Done(answerOK(call))
	if got := string(c.Output()); got != "+OK\r\n" {
		t.Errorf("the reply is %q", got)
	}
	c.SetOutput(nil)
	if got := do(other, "EXISTS", "a", "b", "c"); got != ":1\r\n" {
		t.Errorf("%q keys are left", got)
	}
	if len(s.watchedKeys) != 0 {
		t.Error("keys are still watched")
	}
}

// TestMigrateSendsChangesToo: what is written while the payload travels is neither lost nor left behind.
func TestMigrateSendsChangesToo(t *testing.T) {
	s, h := newTestServer(t)
	c, other := newTestClient(s), newTestClient(s)
	do(c, "MSET", "a", "1", "b", "2", "c", "3")
	do(c, "MIGRATE", "h", "6379", "", "0", "100", "KEYS", "a", "b", "c")
	do(other, "APPEND", "b", "more")
	do(other, "DEL", "c")
	c.SetOutput(make([]byte, 0, 100))
	h.exchanges[0].Done(answerOK(h.exchanges[0]))
	if len(h.exchanges) != 2 {
		t.Fatalf("%d rounds", len(h.exchanges))
	}
	call := h.exchanges[1]
	w := string(call.Wire)
	if strings.Contains(w, "$1\r\na\r\n") || !strings.Contains(w, "RESTORE\r\n$1\r\nb") || !strings.Contains(w, "2more") || !strings.Contains(w, "REPLACE") || !strings.Contains(w, "DEL\r\n$1\r\nc") || call.Replies != 3 {
		t.Errorf("the second round is %q", w)
	}
	call.Done(answerOK(call))
	if got := string(c.Output()); got != "+OK\r\n" {
		t.Errorf("the reply is %q", got)
	}
	c.SetOutput(nil)
	if n := s.KS.DB(0).Len(); n != 0 {
		t.Errorf("%d keys are left", n)
	}
}

func TestMigrateFails(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	do(c, "MSET", "a", "1", "b", "2")
	try := func(res func(ExchangeCall) ExchangeResult) string {
		do(c, "MIGRATE", "h", "6379", "", "0", "100", "KEYS", "a", "b")
		call := h.exchanges[len(h.exchanges)-1]
		c.SetOutput(make([]byte, 0, 100))
		defer c.SetOutput(nil)
		call.Done(res(call))
		return string(c.Output())
	}
	if got := try(func(ExchangeCall) ExchangeResult { return ExchangeResult{Phase: "writing to"} }); got != "-IOERR error or timeout writing to target instance\r\n" {
		t.Error(got)
	}
	if n := s.KS.DB(0).Len(); n != 2 {
		t.Errorf("%d keys are left after a failed attempt", n)
	}
	if got := try(func(ExchangeCall) ExchangeResult {
		return ExchangeResult{Replies: [][]byte{[]byte("+OK\r\n"), []byte("-BUSYKEY Target key name already exists.\r\n"), []byte("+OK\r\n")}}
	}); got != "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n" {
		t.Error(got)
	}
	if do(c, "EXISTS", "a") != ":1\r\n" || do(c, "EXISTS", "b") != ":0\r\n" {
		t.Error("the key that was refused must stay, the other must go")
	}
	// The target that refuses the database gets nothing.
	if got := try(func(ExchangeCall) ExchangeResult {
		return ExchangeResult{Replies: [][]byte{[]byte("-ERR DB index is out of range\r\n"), []byte("+OK\r\n")}}
	}); !strings.HasPrefix(got, "-ERR Target instance replied with error: ERR DB index") {
		t.Error(got)
	}
	if do(c, "EXISTS", "a") != ":1\r\n" {
		t.Error("a key is gone that went into the wrong database")
	}
	do(c, "MULTI")
	do(c, "MIGRATE", "h", "6379", "a", "0", "100")
	if got := do(c, "EXEC"); !strings.Contains(got, "not allowed in transactions") {
		t.Error(got)
	}
	// A client that goes away in the meantime.
	do(c, "MIGRATE", "h", "6379", "a", "0", "100")
	s.RemoveClient(c)
	call := h.exchanges[len(h.exchanges)-1]
	call.Done(answerOK(call))
	if len(s.watchedKeys) != 0 || s.KS.DB(0).Len() != 0 {
		t.Error("the move of a client that left is not completed")
	}
}

// TestCapaRedirect: a client that asked for it is sent to the master.
func TestCapaRedirect(t *testing.T) {
	s, h := newTestServer(t)
	s.SetFollowing(true)
	h.link = LinkInfo{Configured: true, Up: true, Host: "10.0.0.1", Port: 6390}
	c := newTestClient(s)
	const moved = "-REDIRECT 10.0.0.1:6390\r\n"
	if got := do(c, "SET", "k", "v"); got != errReadOnly+"\r\n" {
		t.Errorf("before: %q", got)
	}
	if got := do(c, "CLIENT", "CAPA", "nosuch", "redirect"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	for _, cmd := range [][]string{{"SET", "k", "v"}, {"GET", "k"}, {"PUBLISH", "c", "m"}, {"EVAL", "return 1", "0"}} {
		if got := do(c, cmd...); got != moved {
			t.Errorf("%q: %q", cmd, got)
		}
	}
	if got := do(c, "PING"); got != "+PONG\r\n" {
		t.Errorf("PING: %q", got)
	}
	do(c, "READONLY")
	if got := do(c, "GET", "k"); got != "$-1\r\n" {
		t.Errorf("GET after READONLY: %q", got)
	}
	if got := do(c, "SET", "k", "v"); got != moved {
		t.Errorf("SET after READONLY: %q", got)
	}
	do(c, "MULTI")
	do(c, "SET", "k", "v")
	if got := do(c, "EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Errorf("EXEC: %q", got)
	}
	s.SetFollowing(false)
	if got := do(c, "SET", "k", "v"); got != "+OK\r\n" {
		t.Errorf("as a master: %q", got)
	}
	do(c, "RESET")
	s.SetFollowing(true)
	if got := do(c, "GET", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("after RESET: %q", got)
	}
}
