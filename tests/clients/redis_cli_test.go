package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// cli runs redis-cli against a server.
func cli(t *testing.T, s *testutil.Server, stdin string, args ...string) string {
	t.Helper()
	out, err := run(t, 20*time.Second, stdin, need(t, "redis-cli"), append([]string{"-p", fmt.Sprint(s.Port)}, args...)...)
	if err != nil {
		t.Errorf("redis-cli %q: %v\n%s", args, err, out)
	}
	return out
}

// cliFor runs a mode of redis-cli that does not end, for a time.
func cliFor(t *testing.T, s *testutil.Server, d time.Duration, args ...string) string {
	t.Helper()
	// Written line by line: what is in a buffer when the time is up would be lost.
	out, _ := run(t, d, "", need(t, "stdbuf"), append([]string{"-oL", "redis-cli", "-p", fmt.Sprint(s.Port)}, args...)...)
	return out
}

// fill stores some of everything.
func fill(t *testing.T, s *site) {
	t.Helper()
	c := s.write.Dial(t)
	defer c.Close()
	for i := range 1000 {
		c.Must(t, "SET", fmt.Sprint("key:", i), fmt.Sprint("value:", i))
	}
	c.Must(t, "SET", "large", strings.Repeat("x", 5000))
	c.Must(t, "RPUSH", "list", "a", "b", "c", "d")
	c.Must(t, "HSET", "hash", "a", "1", "b", "2")
	c.Must(t, "SADD", "set", "a", "b", "c")
	c.Must(t, "ZADD", "zset", "1", "a")
	c.Must(t, "XADD", "stream", "1-1", "a", "b")
	s.settle(t)
}

func TestRedisCLI(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t, "--maxmemory-policy", "allkeys-lfu") {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			redisCLI(t, s)
		})
	}
}

func redisCLI(t *testing.T, s *site) {
	fill(t, s)
	contains := func(what, out string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if ok, err := regexp.MatchString(want, out); err != nil || !ok {
				t.Errorf("%s: %q is not in\n%s", what, want, out)
			}
		}
	}
	t.Run("commands", func(t *testing.T) {
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"GET", "key:7"}, `^value:7\n$`},
			{[]string{"--json", "HGETALL", "hash"}, `\{"a":"1","b":"2"\}`},
			{[]string{"-3", "HGETALL", "hash"}, `a 1\nb 2`},
			{[]string{"--csv", "LRANGE", "list", "0", "-1"}, `"a","b","c","d"`},
			{[]string{"--no-raw", "LRANGE", "list", "0", "0"}, `1\) "a"`},
			{[]string{"-n", "3", "DBSIZE"}, `^0\n$`},
			{[]string{"-r", "3", "PING"}, `^PONG\nPONG\nPONG\n$`},
			{[]string{"INFO", "server"}, `redis_version:7`},
			{[]string{"COMMAND", "DOCS", "GET"}, `summary`},
			{[]string{"MEMORY", "DOCTOR"}, `.`},
			{[]string{"LATENCY", "DOCTOR"}, `.`},
			{[]string{"HELLO", "3"}, `proto`},
			{[]string{"LOLWUT"}, `Redis ver`},
			{[]string{"DEBUG", "SLEEP", "0"}, `OK`},
		} {
			contains(strings.Join(c.args, " "), cli(t, s.read, "", c.args...), c.want)
		}
		contains("stdin", cli(t, s.read, "GET key:1\nGET key:2\n"), `^value:1\nvalue:2\n$`)
		contains("-x", cli(t, s.read, "from stdin", "-x", "ECHO"), `^from stdin\n`)
		eval := filepath.Join(t.TempDir(), "s.lua")
		if err := os.WriteFile(eval, []byte("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}"), 0o600); err != nil {
			t.Fatal(err)
		}
		contains("--eval", cli(t, s.read, "", "--eval", eval, "key:3", ",", "x"), `^key:3\nx\nvalue:3\n$`)
		if s.replica() {
			contains("a write", cli(t, s.read, "", "SET", "a", "b"), `^READONLY You can't write against a read only replica`)
		}
	})
	t.Run("modes", func(t *testing.T) {
		if got := cli(t, s.read, "", "--scan", "--pattern", "key:*"); strings.Count(got, "\n") != 1000 {
			t.Errorf("--scan: %d lines", strings.Count(got, "\n"))
		}
		contains("--bigkeys", cli(t, s.read, "", "--bigkeys"), `Sampled 1006 keys`, `Biggest string found '"large"' has 5000 bytes`, `Biggest   list found '"list"' has 4 items`,
			`Biggest    set found '"set"' has 3 members`, `Biggest   hash found '"hash"' has 2 fields`, `Biggest   zset found '"zset"' has 1 members`, `Biggest stream found '"stream"' has 1 entries`)
		contains("--memkeys", cli(t, s.read, "", "--memkeys"), `Sampled 1006 keys`, `Biggest string found '"large"' has 5\d\d\d bytes`)
		c := s.read.Dial(t)
		for range 3000 {
			c.Must(t, "GET", "key:42")
		}
		contains("--hotkeys", cli(t, s.read, "", "--hotkeys"), `Sampled 1006 keys`, `hot key found with counter: \d\d+\s+keyname: "?key:42"?`)
		var wg sync.WaitGroup
		wg.Go(func() {
			contains("--latency", cliFor(t, s.read, 3*time.Second, "--latency", "--raw"), `^\d+ \d+ [\d.]+ \d+`)
		})
		wg.Go(func() {
			contains("--latency-history", cliFor(t, s.read, 2500*time.Millisecond, "--latency-history", "-i", "1", "--raw"), `\d+ \d+ [\d.]+ \d+`)
		})
		wg.Go(func() {
			contains("--latency-dist", cliFor(t, s.read, 1500*time.Millisecond, "--latency-dist", "-i", "1"), `from 1 to 9 +milliseconds`)
		})
		wg.Go(func() {
			contains("--stat", cliFor(t, s.read, 1500*time.Millisecond, "--stat", "-i", "0.5"), `keys +mem +clients +blocked +requests +connections`, `1006 +[\d.]+[KM] +\d+ +0 +\d+`)
		})
		wg.Wait()
	})
	t.Run("pipe", func(t *testing.T) {
		var in []byte
		for i := range 20_000 {
			in = testutil.AppendCommand(in, "SET", fmt.Sprint("pipe:", i), strings.Repeat("v", 20))
		}
		contains("--pipe", cli(t, s.write, string(in), "--pipe"), `errors: 0, replies: 20000`)
		if s.replica() {
			contains("--pipe to a replica", cliPipeRefused(t, s.read, in[:2000]), `errors: \d+`, `READONLY`)
			s.settle(t)
		}
		c := s.read.Dial(t)
		if n := c.Must(t, "DBSIZE").Int; n != 21006 {
			t.Errorf("%d keys", n)
		}
	})
	t.Run("streams", func(t *testing.T) { // what shows what others do, until it is ended
		var wg sync.WaitGroup
		shows := func(wants []string, args ...string) {
			wg.Go(func() {
				contains(strings.Join(args, " "), cliFor(t, s.read, 3*time.Second, args...), wants...)
			})
		}
		shows([]string{`sending REPLCONF`, `SYNC with master`, `(?i)"set","shown","by --replica"`}, "--replica")
		shows([]string{`"CLIENT" "ID"`}, "MONITOR")
		shows([]string{`subscribe`, `message\s+channel\s+hello`}, "SUBSCRIBE", "channel")
		shows([]string{`pmessage\s+__key\*\s+__keyevent@0__:set\s+shown`}, "PSUBSCRIBE", "__key*")
		w, r := s.write.Dial(t), s.read.Dial(t)
		r.Must(t, "CONFIG", "SET", "notify-keyspace-events", "KEA")
		for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			w.Must(t, "SET", "shown", "by --replica")
			w.Must(t, "PUBLISH", "channel", "hello")
			r.Must(t, "CLIENT", "ID")
		}
		wg.Wait()
		w.Must(t, "DEL", "shown")
		s.settle(t)
	})
	t.Run("functions", func(t *testing.T) {
		s.write.Dial(t).Must(t, "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
		s.settle(t)
		file := filepath.Join(t.TempDir(), "functions.rdb")
		contains("--functions-rdb", cli(t, s.write, "", "--functions-rdb", file), `Transfer finished with success`)
		loaded := testutil.StartRedis(t, "--dbfilename", "functions.rdb", "--dir", filepath.Dir(file)).Dial(t)
		if v := loaded.Must(t, "FCALL", "f", "0"); v.Int != 1 {
			t.Errorf("FCALL: %v", v)
		}
		if n := loaded.Must(t, "DBSIZE").Int; n != 0 {
			t.Errorf("%d keys beside the functions", n)
		}
	})
	t.Run("rdb", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dump.rdb")
		contains("--rdb", cli(t, s.read, "", "--rdb", file), `Transfer finished with success`)
		loaded := testutil.StartRedis(t, "--dbfilename", "dump.rdb", "--dir", filepath.Dir(file))
		if err := testutil.SameDigest(loaded.Dial(t), s.read.Dial(t)); err != nil {
			t.Error(err)
		}
	})
}

// cliPipeRefused sends whole commands that are refused: redis-cli then ends with an error.
func cliPipeRefused(t *testing.T, s *testutil.Server, in []byte) string {
	t.Helper()
	whole := in[:strings.LastIndex(string(in), "*3\r\n")]
	out, err := run(t, 20*time.Second, string(whole), need(t, "redis-cli"), "-p", fmt.Sprint(s.Port), "--pipe")
	if err == nil {
		t.Errorf("redis-cli --pipe to a replica ends well:\n%s", out)
	}
	return out
}

// TestHints: redis-cli makes the hints it shows while one types, and the text of its HELP, from COMMAND DOCS. They must be those that it
// shows with redis-server.
func TestHints(t *testing.T) {
	t.Parallel()
	redis, ours := testutil.StartRedis(t), testutil.StartOurs(t)
	a, b := openTerminal(t, redis), openTerminal(t, ours)
	for _, typed := range []string{
		"get ", "set ", "set key ", "set key value ", "set key value ex ", "hset ", "zadd key ", "xadd key ", "zrange ", "geosearch key ", "client kill ",
		"client list ", "config set ", "migrate ", "restore key ", "acl setuser ", "bitfield key ", "copy ", "eval ", "function load ", "latency histogram ", "memory usage ",
		"object encoding ", "sort key ", "xreadgroup ", "xautoclaim ", "zunionstore dest ", "cluster setslot ", "lpop key ", "expire key ", "scan ", "shutdown ",
	} {
		x, y := a.hint(typed), b.hint(typed)
		if x != y {
			t.Errorf("after %q redis-cli shows\n  %q with redis-server,\n  %q with ours", typed, x, y)
		}
		if x == "" {
			t.Errorf("no hint after %q", typed)
		}
	}
}

// A terminal is an interactive redis-cli.
type terminal struct {
	t   *testing.T
	pty *os.File
}

func openTerminal(t *testing.T, s *testutil.Server) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 2000}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	// Fd made it blocking; a file that is not gives deadlines.
	dup, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	pty := os.NewFile(uintptr(dup), "ptmx")
	t.Cleanup(func() { pty.Close() })
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need(t, "redis-cli"), "-p", fmt.Sprint(s.Port))
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir(), "REDISCLI_HISTFILE=/dev/null")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	term := &terminal{t, pty}
	term.read("> ")
	return term
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// read returns what the terminal shows until nothing more comes for a moment, and at least until it has shown a text.
func (t *terminal) read(until string) string {
	t.t.Helper()
	var out []byte
	buf := make([]byte, 64<<10)
	deadline := time.Now().Add(5 * time.Second)
	for {
		t.pty.SetReadDeadline(time.Now().Add(25 * time.Millisecond))
		n, err := t.pty.Read(buf)
		out = append(out, buf[:n]...)
		if err != nil && strings.Contains(string(out), until) {
			return string(out)
		}
		if time.Now().After(deadline) {
			t.t.Fatalf("the terminal shows %q, and no %q", out, until)
		}
	}
}

// hint types something and returns what redis-cli shows behind it; then it takes it back.
func (t *terminal) hint(typed string) string {
	t.t.Helper()
	if _, err := t.pty.WriteString(typed); err != nil {
		t.t.Fatal(err)
	}
	shown := t.read(typed)
	if _, err := t.pty.WriteString("\x15"); err != nil { // Ctrl-U
		t.t.Fatal(err)
	}
	t.read("> ")
	// The line is drawn anew at each key; the last drawing counts.
	lines := strings.Split(escapes.ReplaceAllString(shown, "\r"), "\r")
	for i := len(lines) - 1; i >= 0; i-- {
		if _, rest, ok := strings.Cut(lines[i], typed); ok {
			var tail strings.Builder
			tail.WriteString(rest)
			for _, l := range lines[i+1:] {
				tail.WriteString(l)
			}
			return strings.TrimSpace(tail.String())
		}
	}
	return ""
}
