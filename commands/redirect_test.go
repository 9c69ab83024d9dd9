package commands

import (
	"errors"
	"strings"
	"testing"
)

// fakeRedirect keeps what is sent to the master until the test answers it.
type fakeRedirect struct {
	calls  []*RedirectCall
	closed []string // what became of the sessions
}

func (f *fakeRedirect) Do(q *RedirectCall) { f.calls = append(f.calls, q) }
func (f *fakeRedirect) Session(int, int) RedirectSession {
	return &fakeSession{f}
}

type fakeSession struct{ f *fakeRedirect }

func (s *fakeSession) Do(q *RedirectCall) { s.f.Do(q) }
func (s *fakeSession) Release()           { s.f.closed = append(s.f.closed, "released") }
func (s *fakeSession) Close()             { s.f.closed = append(s.f.closed, "closed") }

// sent is what waits for an answer, as words.
func (f *fakeRedirect) sent() string {
	var all []string
	for _, q := range f.calls {
		var words []string
		for w := range strings.SplitSeq(string(q.First)+string(q.Wire), "\r\n") {
			if w != "" && w[0] != '*' && w[0] != '$' {
				words = append(words, w)
			}
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, "; ")
}

func (f *fakeRedirect) answer(res RedirectResult) {
	q := f.calls[0]
	f.calls = f.calls[1:]
	q.Done(res)
}

func (f *fakeRedirect) reply(text string) {
	f.answer(RedirectResult{Reply: []byte(text + "\r\n"), Offset: -1})
}

func redirecting(t *testing.T, directives ...string) (*Server, *Client, *fakeRedirect, *fakeHost) {
	t.Helper()
	s, h := newTestServer(t, append([]string{"write-redirection", "yes"}, directives...)...)
	s.SetFollowing(true)
	h.link = LinkInfo{Configured: true, Up: true}
	f := &fakeRedirect{}
	s.Redirect = f
	m := s.NewMasterClient(0)
	apply(s, m, "SET k v")
	return s, newTestClient(s), f, h
}

// pipe sends commands in one go and collects all that the client is answered until nothing moves any more.
type pipe struct {
	c   *Client
	h   *fakeHost
	out string
}

func (p *pipe) send(lines ...string) {
	var in []byte
	for _, l := range lines {
		in = append(in, wire(strings.Fields(l)...)...)
	}
	p.out += doRaw(p.c, in)
}

// collect takes what was answered meanwhile.
func (p *pipe) collect() string {
	p.h.turn()
	out := p.out + string(p.c.out)
	p.c.out, p.out = nil, ""
	return strings.ReplaceAll(out, "\r\n", " ")
}

func (p *pipe) want(t *testing.T, what, want string) {
	t.Helper()
	if got := p.collect(); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestRedirectOrder(t *testing.T) {
	_, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	p.send("GET k", "SET a 1", "INCR b", "INCR", "SET", "INCR a b c", "GET k", "SET c 1", "PING")
	p.want(t, "before the first reply", "$1 v ")
	if got := f.sent(); got != "SET a 1; INCR b" {
		t.Errorf("sent: %q", got)
	}
	f.calls[1].Done(RedirectResult{Reply: []byte(":7\r\n"), Offset: -1}) // an answer before its turn
	p.want(t, "out of turn", "")
	f.calls = f.calls[:1]
	f.reply("+OK")
	p.want(t, "after both", "+OK :7 -ERR wrong number of arguments for 'incr' command -ERR wrong number of arguments for 'set' command -ERR wrong number of arguments for 'incr' command $1 v ")
	if got := f.sent(); got != "SET c 1" {
		t.Errorf("sent: %q", got)
	}
	f.reply("+OK")
	p.want(t, "the end", "+OK +PONG ")
	if c.redir != nil || c.blocked != nil {
		t.Error("something is left")
	}
}

func TestRedirectErrors(t *testing.T) {
	s, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	p.send("SET a 1", "SET b 1", "SET c 1")
	f.answer(RedirectResult{Err: errors.New("broken\r\npipe"), Sent: true, Offset: -1})
	f.answer(RedirectResult{Err: errors.New("no route"), Offset: -1})
	f.reply("-WRONGTYPE x")
	got := p.collect()
	if !strings.HasPrefix(got, "-OUTCOMEUNKNOWN Write redirection: ") || !strings.Contains(got, "(broken  pipe). It may") ||
		!strings.Contains(got, " -MASTERDOWN Write redirection: ") || !strings.Contains(got, "not sent") || !strings.HasSuffix(got, " -WRONGTYPE x ") {
		t.Errorf("%q", got)
	}
	if s.Redirects != (RedirectStats{Commands: 3, Unsent: 1, Unknown: 1}) {
		t.Errorf("%+v", s.Redirects)
	}
}

// TestRedirectWhat: which commands go to the master and which stay.
func TestRedirectWhat(t *testing.T) {
	s, c, f, h := redirecting(t)
	for line, there := range map[string]bool{
		"GET k": false, "SET k 1": true, "FLUSHALL": true, "PUBLISH c m": true, "SPUBLISH c m": true, "PFCOUNT x": false, "SORT x": true,
		"EVAL return(1) 0": true, "EVAL_RO return(1) 0": false, "FCALL f 0": true, "EVALSHA aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0": true,
		"SUBSCRIBE x": false, "CONFIG SET maxclients 100": false, "FUNCTION FLUSH": true, "XREADGROUP GROUP g c STREAMS x >": true, "BLPOP x 0": true,
	} {
		c := newTestClient(s)
		if do(c, strings.Fields(line)...); (len(f.calls) == 1) != there {
			t.Errorf("%s: sent %q", line, f.sent())
		}
		if there && !f.calls[0].Blocks {
			f.reply("+OK")
		}
		f.calls = nil
		s.RemoveClient(c)
	}
	// Scripts that say what they do.
	p := &pipe{c: c, h: h}
	p.out = do(c, "EVAL", "#!lua flags=no-writes\nreturn 5", "0")
	p.want(t, "a script without writes", ":5 ")
	do(c, "EVAL", "#!lua\nreturn 5", "0")
	if f.sent() == "" {
		t.Error("a script that may write was not sent")
	}
	f.reply(":5")
	p.collect()
	// Not on a writable replica, and not without a master.
	h.later = nil
	s.V.ReplicaReadOnly = false
	p.send("SET a 1")
	p.want(t, "writable", "+OK ")
	s.V.ReplicaReadOnly = true
	s.SetFollowing(false)
	p.send("SET a 2")
	p.want(t, "a master", "+OK ")
}

func TestRedirectEvalsha(t *testing.T) {
	_, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	p.send("SCRIPT LOAD return(7)")
	sha := strings.Fields(p.collect())[1]
	p.send("EVALSHA "+sha+" 0", "SET a 1")
	if f.sent() != "EVALSHA "+sha+" 0" {
		t.Errorf("sent %q", f.sent())
	}
	f.reply("-NOSCRIPT No matching script. Please use EVAL.")
	if f.sent() != "EVAL return(7) 0" {
		t.Errorf("then %q", f.sent())
	}
	f.reply(":7")
	if f.sent() != "SET a 1" {
		t.Errorf("at last %q", f.sent())
	}
	f.reply("+OK")
	p.want(t, "replies", ":7 +OK ")
}

func TestRedirectTransaction(t *testing.T) {
	s, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	p.send("MULTI", "GET k", "SET a 1", "SELECT 2", "EXEC", "GET k")
	if f.sent() != "MULTI GET k SET a 1 SELECT 2 EXEC" || f.calls[0].FirstReplies != 1 || f.calls[0].Replies != 4 {
		t.Errorf("sent %q", f.sent())
	}
	p.want(t, "queued", "+OK +QUEUED +QUEUED +QUEUED ")
	f.reply("*3\r\n$1\r\nv\r\n+OK\r\n+OK")
	p.want(t, "the replies, and the database that it selected", "*3 $1 v +OK +OK $-1 ")
	if f.closed[0] != "closed" {
		t.Error("a session in another database was kept")
	}
	p.send("SELECT 0", "MULTI", "GET k", "EXEC")
	p.want(t, "only reads", "+OK +OK +QUEUED *1 $1 v ")
	p.send("MULTI", "SET a 1", "CLIENT SETNAME x", "EXEC")
	p.want(t, "of the connection", "+OK +QUEUED +QUEUED -EXECABORT Transaction discarded because of: 'client|setname' belongs to this connection and cannot be redirected together with writes ")
	p.send("MULTI", "SET a 1", "NOSUCH", "EXEC")
	if got := p.collect(); !strings.HasSuffix(got, "-EXECABORT Transaction discarded because of previous errors. ") {
		t.Errorf("a refusal while queueing: %q", got)
	}
	p.send("MULTI", "SET a 1", "DISCARD", "EXEC")
	p.want(t, "discarded", "+OK +QUEUED +OK -ERR EXEC without MULTI ")
	p.send("MULTI", "SET a 1", "EXEC")
	f.answer(RedirectResult{Err: errors.New("gone"), Sent: true, Offset: -1})
	if got := p.collect(); !strings.Contains(got, "-OUTCOMEUNKNOWN") || c.flags&flagMulti != 0 {
		t.Errorf("a broken EXEC: %q", got)
	}
	if len(f.calls) != 0 || s.Redirects.Commands != 2 {
		t.Errorf("%q, %+v", f.sent(), s.Redirects)
	}
}

func TestRedirectedWatch(t *testing.T) {
	s, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	id := s.Repl.ID
	p.send("WATCH k", "GET k")
	f.answer(RedirectResult{Reply: []byte("+OK\r\n"), Offset: 100, ReplID: id})
	p.want(t, "the replica is behind", "")
	s.Repl.Offset = 100
	s.OffsetMoved()
	p.want(t, "it has caught up", "+OK $1 v ")
	p.send("SELECT 1", "MULTI", "SET a 1", "EXEC")
	if f.sent() != "SELECT 1 MULTI SET a 1 EXEC" {
		t.Errorf("sent %q", f.sent())
	}
	f.answer(RedirectResult{Err: errors.New("gone"), Offset: -1})
	p.want(t, "a session that broke is a key that changed", "+OK +OK +QUEUED *-1 ")
	// A replica that stays behind cannot watch.
	p.send("WATCH k")
	f.answer(RedirectResult{Reply: []byte("+OK\r\n"), Offset: 500, ReplID: id})
	h.milli += int64(s.V.RedirectWaitTimeout) + 1
	s.Cron()
	if got := p.collect(); !strings.Contains(got, "-MASTERDOWN") || c.redir != nil {
		t.Errorf("%q", got)
	}
	// UNWATCH, RESET and the end of the connection close the session.
	for _, end := range []string{"UNWATCH", "RESET", ""} {
		f.closed = nil
		p.send("WATCH k")
		f.answer(RedirectResult{Reply: []byte("+OK\r\n"), Offset: 100, ReplID: id})
		p.collect()
		if end == "" {
			s.RemoveClient(c)
		} else {
			p.send(end)
		}
		if len(f.closed) != 1 || f.closed[0] != "closed" || c.redir != nil {
			t.Errorf("%q: %v", end, f.closed)
		}
	}
}

func TestRedirectWait(t *testing.T) {
	s, c, f, h := redirecting(t, "write-redirection-wait", "yes")
	p := &pipe{c: c, h: h}
	p.send("SET a 1", "GET k")
	f.answer(RedirectResult{Reply: []byte("+OK\r\n"), Offset: 100, ReplID: s.Repl.ID})
	p.want(t, "not applied", "")
	s.Repl.Offset = 99
	s.OffsetMoved()
	p.want(t, "nearly", "")
	s.Repl.Offset = 100
	s.OffsetMoved()
	p.want(t, "applied", "+OK $1 v ")
	p.send("SET a 1")
	f.answer(RedirectResult{Reply: []byte("+OK\r\n"), Offset: 200, ReplID: strings.Repeat("e", 40)})
	h.milli += int64(s.V.RedirectWaitTimeout) + 1
	s.Cron()
	p.want(t, "too late", "+OK ")
	p.send("SET a 1")
	f.reply("-ERR x")
	p.want(t, "an error needs no wait", "-ERR x ")
	if s.Redirects.Late != 1 || len(s.offsetWaits) != 0 {
		t.Errorf("%+v, %d waits", s.Redirects, len(s.offsetWaits))
	}
}

// TestRedirectGone: a client that closes while its commands are under way, and CLIENT REPLY.
func TestRedirectGone(t *testing.T) {
	s, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	p.send("BLPOP x 0", "GET k")
	if !f.calls[0].Blocks || c.blocked == nil {
		t.Error("not a call that blocks")
	}
	other := newTestClient(s)
	if got := do(other, "CLIENT", "UNBLOCK", itoa(int64(c.id))); got != ":0\r\n" {
		t.Errorf("CLIENT UNBLOCK: %q", got)
	}
	s.RemoveClient(c)
	if len(f.closed) != 1 || s.blockedCount != 0 {
		t.Errorf("%v, %d blocked", f.closed, s.blockedCount)
	}
	f.answer(RedirectResult{Err: errors.New("closed"), Sent: true, Offset: -1})
	if len(c.out) != 0 || len(f.closed) != 1 {
		t.Errorf("a client that is gone was answered %q", c.out)
	}
	p = &pipe{c: other, h: h}
	p.send("CLIENT REPLY SKIP", "SET a 1", "SET b 1", "CLIENT REPLY OFF", "SET c 1", "CLIENT REPLY ON", "PING")
	f.reply("+OK")
	f.reply("+OK")
	f.reply("+OK")
	p.want(t, "CLIENT REPLY", "+OK +OK +PONG ")
}

func TestRedirectPipelineIsBounded(t *testing.T) {
	_, c, f, h := redirecting(t)
	p := &pipe{c: c, h: h}
	lines := make([]string, 3*maxRedirected)
	for i := range lines {
		lines[i] = "INCR a"
	}
	p.send(lines...)
	for got := 0; got < len(lines); got++ {
		if len(f.calls) == 0 || len(f.calls) > maxRedirected {
			t.Fatalf("%d under way after %d replies", len(f.calls), got)
		}
		f.reply(":1")
		h.turn()
	}
	if got := p.collect(); got != strings.Repeat(":1 ", len(lines)) {
		t.Errorf("%d bytes of replies", len(got))
	}
}

// TestRedirectPermissions: what the master would run with another user's permissions is not sent for one who lacks them.
func TestRedirectPermissions(t *testing.T) {
	s, admin, f, h := redirecting(t)
	if got := do(admin, "ACL", "SETUSER", "app", "on", ">pw", "+@all", "~app:*"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	c := newTestClient(s)
	if got := do(c, "AUTH", "app", "pw"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	p := &pipe{c: c, h: h}
	for _, line := range []string{
		"SET other 1", "EVAL return(1) 0", "EVALSHA aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0", "FCALL f 0",
		"SORT app:l BY w_* STORE app:d", "SORT app:l GET w_*", "WATCH other",
	} {
		p.send(line)
		if got := p.collect(); !strings.HasPrefix(got, "-NOPERM ") || len(f.calls) != 0 {
			t.Errorf("%s: %q, sent %q", line, got, f.sent())
		}
	}
	p.send("SET app:k 1", "EVAL return(1) 0")
	if f.sent() != "SET app:k 1" {
		t.Errorf("sent %q", f.sent())
	}
	f.reply("+OK")
	if got := p.collect(); !strings.HasPrefix(got, "+OK -NOPERM ") {
		t.Errorf("in order: %q", got)
	}
	p.send("SORT app:l BY nosort STORE app:d")
	f.reply(":0")
	p.want(t, "SORT that looks at no other keys", ":0 ")
	for _, line := range []string{"EVAL return(1) 0", "SORT app:l GET w_*"} {
		p.send("MULTI", "SET app:k 1", line, "EXEC")
		if got := p.collect(); !strings.Contains(got, "-EXECABORT ") || len(f.calls) != 0 || c.flags&flagMulti != 0 {
			t.Errorf("%s in a transaction: %q, sent %q", line, got, f.sent())
		}
	}
	p.send("MULTI", "SET app:k 1")
	do(admin, "ACL", "SETUSER", "app", "-set")
	p.send("EXEC")
	if got := p.collect(); !strings.Contains(got, "-EXECABORT ") || len(f.calls) != 0 {
		t.Errorf("rules that changed: %q", got)
	}
}
