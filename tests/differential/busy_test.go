package differential

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// Slow scripts: what each server tells others meanwhile, and how it gets out of it. The same is played to both; all replies must be equal.

var durations = regexp.MustCompile(`(duration_ms\r\n):\d+`)

// busyCase is one way to keep a server busy.
type busyCase struct {
	name  string
	start [][]string // sent on one connection, without waiting
	kill  []string
}

const endlessLibrary = "#!lua name=endless\nredis.register_function('endless', function(k, a) if a[1] then redis.call('set', k[1], a[1]) end while true do end end)\n" +
	"redis.register_function{function_name='loop', callback=function() while true do end end, flags={'no-writes'}}"

var busyCases = []busyCase{
	{"a script", [][]string{{"EVAL", "while true do end", "0"}}, []string{"SCRIPT", "KILL"}},
	{"a script that catches errors", [][]string{{"EVAL", "while true do pcall(function() while true do pcall(function() end) end end) end", "0"}}, []string{"SCRIPT", "KILL"}},
	{"a script in a coroutine", [][]string{{"EVAL", "\n\ncoroutine.wrap(function() for i = 1, math.huge do end end)()", "0"}}, []string{"SCRIPT", "KILL"}},
	{"a script that reads", [][]string{{"EVAL", "while true do redis.call('get', KEYS[1]) end", "1", "k"}}, []string{"SCRIPT", "KILL"}},
	{"a function", [][]string{{"FCALL", "endless", "1", "k"}}, []string{"FUNCTION", "KILL"}},
	{"a function that only reads", [][]string{{"FCALL_RO", "loop", "0"}}, []string{"FUNCTION", "KILL"}},
	{"a transaction", [][]string{{"MULTI"}, {"SET", "k", "in"}, {"EVAL", "return redis.call('incr', 'n')", "0"}, {"GET", "k"}, {"EXEC"}}, nil},
	{"a slow transaction", [][]string{{"MULTI"}, {"SET", "k", "in"}, {"EVAL", "while true do end", "0"}, {"EVAL", "return 7", "0"}, {"INCR", "n"}, {"EXEC"}, {"GET", "k"}}, []string{"SCRIPT", "KILL"}},
}

// others are what a second client asks meanwhile.
var others = [][]string{
	{"GET", "k"}, {"PING"}, {"SET", "k", "other"}, {"EVAL", "return 1", "0"}, {"FCALL", "endless", "0"}, {"SCRIPT", "EXISTS", "x"}, {"SCRIPT", "FLUSH"}, {"SCRIPT", "LOAD", "return 1"},
	{"FUNCTION", "LIST"}, {"FUNCTION", "FLUSH"}, {"FUNCTION", "STATS"}, {"MULTI"}, {"DISCARD"}, {"WATCH", "k"}, {"UNWATCH"}, {"HELLO"}, {"RESET"}, {"SELECT", "1"}, {"SUBSCRIBE", "x"},
	{"UNSUBSCRIBE", "x"}, {"CONFIG", "GET", "lua-time-limit"}, {"DBSIZE"}, {"SHUTDOWN"}, {"REPLICAOF", "no", "one"}, {"WAIT", "0", "0"}, {"NOSUCH"}, {"GET"}, {"FLUSHALL"},
}

// playBusy plays one case to one server and returns the replies.
func playBusy(s *testutil.Server, c busyCase) (replies []string, err error) {
	a, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := testutil.Dial(s.Addr())
	if err != nil {
		return nil, err
	}
	defer b.Close()
	a.SetTimeout(30 * time.Second)
	b.SetTimeout(30 * time.Second)
	note := func(what string, raw []byte, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		replies = append(replies, what+" → "+durations.ReplaceAllString(string(raw), "$1:n"))
		return nil
	}
	do := func(args ...string) error {
		_, raw, err := b.DoRaw(args...)
		if len(raw) > 0 && args[0] == "HELLO" && raw[0] != '-' {
			raw = []byte("a map\r\n")
		}
		return note(strings.Join(args, " "), raw, err)
	}
	for _, cmd := range [][]string{{"FLUSHALL"}, {"FUNCTION", "LOAD", "REPLACE", endlessLibrary}, {"SET", "k", "v"}} {
		if err := do(cmd...); err != nil {
			return nil, err
		}
	}
	for _, cmd := range c.start {
		if err := a.Send(cmd...); err != nil {
			return nil, err
		}
	}
	if c.kill != nil {
		for limit := time.Now().Add(30 * time.Second); ; {
			v, err := b.Do("GET", "k")
			if err != nil {
				return nil, err
			}
			if v.Err() != nil && strings.HasPrefix(v.Err().Error(), "BUSY ") {
				break
			}
			if time.Now().After(limit) {
				return nil, fmt.Errorf("never busy: %v", v)
			}
			time.Sleep(time.Millisecond)
		}
		for _, cmd := range others {
			if err := do(cmd...); err != nil {
				return nil, err
			}
		}
		wrong := []string{"FUNCTION", "KILL"}
		if c.kill[0] == "FUNCTION" {
			wrong[0] = "SCRIPT"
		}
		for _, cmd := range [][]string{wrong, c.kill} {
			if err := do(cmd...); err != nil {
				return nil, err
			}
		}
	}
	for _, cmd := range c.start {
		_, raw, err := a.Read()
		if err := note("first client's "+cmd[0], raw, err); err != nil {
			return nil, err
		}
	}
	for _, cmd := range [][]string{{"GET", "k"}, {"GET", "n"}, c.kill, {"SCRIPT", "KILL"}, {"FUNCTION", "STATS"}, {"PING"}} {
		if cmd == nil {
			continue
		}
		if err := do(cmd...); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

func TestBusy(t *testing.T) {
	p := newPair(t, "--busy-reply-threshold", "20")
	for _, c := range busyCases {
		t.Run(c.name, func(t *testing.T) {
			want, err := playBusy(p.redis, c)
			if err != nil {
				t.Fatalf("redis-server: %v", err)
			}
			got, err := playBusy(p.ours, c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Errorf("redis: %q\nours:  %q", want[i], append(got, make([]string, len(want))...)[i])
				}
			}
		})
	}
}

// TestBusyAndWritten: a script that has written cannot be killed; SHUTDOWN NOSAVE is the way out.
func TestBusyAndWritten(t *testing.T) {
	p := newPair(t, "--lua-time-limit", "20")
	c := busyCase{start: [][]string{{"EVAL", "redis.call('set', KEYS[1], 'half') while true do end", "1", "k"}}}
	play := func(s *testutil.Server) (replies []string) {
		a, b := s.Dial(t), s.Dial(t)
		a.Send(c.start[0]...)
		b.SetTimeout(30 * time.Second)
		for busy := false; !busy; {
			v, err := b.Do("GET", "k")
			if err != nil {
				t.Fatal(err)
			}
			busy = v.Err() != nil
		}
		for _, cmd := range [][]string{{"SCRIPT", "KILL"}, {"FUNCTION", "KILL"}, {"GET", "k"}, {"SHUTDOWN", "SAVE"}, {"SHUTDOWN"}} {
			_, raw, err := b.DoRaw(cmd...)
			if err != nil {
				t.Fatalf("%v: %v", cmd, err)
			}
			replies = append(replies, string(raw))
		}
		b.Send("SHUTDOWN", "NOSAVE")
		for limit := time.Now().Add(30 * time.Second); s.Running(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s does not end", s.Name)
			}
		}
		return replies
	}
	want, got := play(p.redis), play(p.ours)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("redis: %q\nours:  %q", want[i], got[i])
		}
	}
}
