package config

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisRefusal runs redis-server with arguments that it refuses and returns the number and the text of the bad line
// (empty for errors of the whole configuration) and the reason.
func redisRefusal(t *testing.T, dir string, args ...string) (line, text, reason string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test compares with a real redis-server 7.0, which must be installed:", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return "", "", "(redis-server accepts it)"
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, l := range lines {
		if n, found := strings.CutPrefix(l, "Reading the configuration file, at line "); found && i+2 < len(lines) {
			return n, strings.TrimSuffix(strings.TrimPrefix(lines[i+1], ">>> '"), "'"), lines[i+2]
		}
	}
	return "", "", lines[len(lines)-1]
}

func TestRefusedFilesEqualRedis(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, text := range []string{
		"nosuch 1", "port", "port 1 2", "port x", "port 65536", "\n\n  # c\n\tport  x  ", "port \"1", "port '1'2", "port \"\\x31x\"",
		"databases 0", "unixsocketperm 8", "unixsocketperm 1000", "unixsocketperm -1", "loglevel none", "appendonly maybe", "maxmemory 1x", "maxmemory-clients 101%",
		"maxmemory-clients 1x", "save 1", "save 0 1", "save 1 -1", "save 1 2 3", "save \"1 2 3\"", "client-output-buffer-limit normal 1 2",
		"client-output-buffer-limit master 1 2 3", "client-output-buffer-limit normal x 2 3", "client-output-buffer-limit normal 1 2 -3",
		"oom-score-adj-values 1 2", "oom-score-adj-values 1 2 3000", "notify-keyspace-events q", "notify-keyspace-events K E", "notify-keyspace-events",
		"latency-tracking-info-percentiles 1 x", "latency-tracking-info-percentiles 101", "replicaof h", "replicaof h 1 2", "replicaof h x", "replicaof h 65536",
		"slaveof h -1", "dir /nonexistent", "dir a b", "dir /etc/passwd", "dbfilename a/b", "appendfilename \"\"", "appenddirname a/b", "proc-title-template {x}",
		"shutdown-on-sigint save nosave", "shutdown-on-sigint \"save nosave\"", "shutdown-on-sigint \"\"", "shutdown-on-sigterm maybe",
		"bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "cluster-announce-hostname a_b", "include", "include a b", "rename-command a", "loadmodule", "user", "a.b",
		"sentinel monitor m h 1 1", "lua-replicate-commands yes no", "list-max-ziplist-entries", "hz x", "hz -1", "active-expire-effort 11", "tls-port 70000",
		"client-query-buffer-limit 1", "proto-max-bulk-len 1", "logfile /nonexistent/x.log", "logfile \"x\"\nlogfile /nonexistent/y",
		"enable-debug-command maybe", "maxclients 0", "maxclients 4294967296", "socket-mark-id -1", "io-threads 129", "repl-timeout 0",
	} {
		file := filepath.Join(dir, "r.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		line, shown, reason := redisRefusal(t, dir, file)
		err := New().LoadFile(file)
		var le *LineError
		switch {
		case err == nil:
			t.Errorf("%q is accepted; redis-server: %s", text, reason)
		case errors.As(err, &le):
			if strconv.Itoa(le.Line) != line || le.Text != shown || le.Reason != reason {
				if !strings.Contains(text, "a.b") { // ours tells more about that one
					t.Errorf("%q\n  ours:         line %d %q: %s\n  redis-server: line %s %q: %s", text, le.Line, le.Text, le.Reason, line, shown, reason)
				}
			}
		case line != "" || err.Error() != reason:
			t.Errorf("%q\n  ours:         %v\n  redis-server: line %s %q: %s", text, err, line, shown, reason)
		}
	}
}

func TestCommandLinesEqualRedis(t *testing.T) {
	const names = "port hz save bind timeout maxmemory masterauth requirepass replicaof loglevel maxmemory-clients shutdown-on-sigterm syslog-ident unixsocket client-output-buffer-limit"
	for _, args := range [][]string{
		{"--port", "PORT", "--hz", "20"},
		{"--port PORT", "--hz 20"},
		{"--port", "PORT", "--save"},
		{"--port", "PORT", "--SAVE", "--hz", "20"},
		{"--save", "", "--port", "PORT"},
		{"--save", "1 2 3 4", "--port", "PORT"},
		{"--save", "1", "2", "--save", "3", "4", "--port", "PORT"},
		{"--save", "1", "2", "--save", "", "--port", "PORT"},
		{"--port", "PORT", "--masterauth", "--not-a-directive"},
		{"--port", "PORT", "--masterauth", "a \"quoted\" \\ 'value'\n\x01é"},
		{"--port", "PORT", "--bind", "127.0.0.1", "-::1", "--replicaof", "127.0.0.1", "1"},
		{"--port", "PORT", "--bind", "127.0.0.1 -::1", "--replicaof", "127.0.0.1 1"},
		{"--port", "PORT", "--bind 127.0.0.1", "-::1"},
		{"--port", "PORT", "--bind", "127.0.0.1", "-"},
		{"-", "--port", "PORT"},
		{"FILE", "--hz", "21"},
		{"FILE", "--port", "PORT", "-"},
		{"FILE", "--save", "5", "6"},
		{"--port ", "PORT"},
		{"--port", "PORT", "--syslog-ident", "-"},
		{"--port", "PORT", "--syslog-ident", "-", "--hz", "22"},
		{"--Port", "PORT", "--LogLevel", "VERBOSE"},
		{"--port", "PORT", "--shutdown-on-sigterm", "save", "now"},
		{"--port", "PORT", "--shutdown-on-sigterm", "save now"},
		{"--port", "PORT", "--client-output-buffer-limit", "normal 1mb 2mb 3", "--client-output-buffer-limit", "replica", "1", "2", "3"},
		{"--port", "PORT", "--maxmemory-clients", "5%", "--maxmemory", "1gb\n\nhz 23"},
		{"--port", "PORT\nhz 24"},
		{"--port PORT\nhz 24"},
		{"--port", "1", "--port", "PORT"},
		{"--port", "PORT", "--requirepass", ""},
		{"--port", "PORT", "--unixsocket", ""},
	} {
		dir, port := t.TempDir(), freePort(t)
		t.Chdir(dir)
		file := filepath.Join(dir, "r.conf")
		if err := os.WriteFile(file, []byte("port "+strconv.Itoa(port)+"\nsave 7 8\nhz 9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		real := slices.Clone(args)
		for i := range real {
			real[i] = strings.ReplaceAll(strings.ReplaceAll(real[i], "PORT", strconv.Itoa(port)), "FILE", file)
		}
		r := New()
		own := r.LoadArgs(real, Environment{Stdin: strings.NewReader("")})
		if own != nil {
			_, text, reason := redisRefusal(t, dir, real...)
			var le *LineError
			if !errors.As(own, &le) || le.Text != text || le.Reason != reason {
				t.Errorf("%q\n  ours:         %v\n  redis-server: %q: %s", args, own, text, reason)
			}
			continue
		}
		s := startRedis(t, dir, port, real...)
		for _, name := range strings.Fields(names) {
			got, _ := r.Lookup(name)
			if want := strings.TrimPrefix(s.do("CONFIG", "GET", name), name+"\n"); got != want {
				t.Errorf("%q: %s is %q, of redis-server %q", args, name, got, want)
			}
		}
	}
}

func TestGlobsEqualRedis(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	s := startRedis(t, dir, port, "--port", strconv.Itoa(port))
	r := New()
	for _, patterns := range [][]string{
		{"*"}, {"**"}, {"*-*-*-*"}, {"MAX*"}, {"max*", "*max*"}, {"?z"}, {"h?"}, {"[a-c]*"}, {"[c-a]*"}, {"[^a-y]*"}, {"[A-C]*-[x-z]*"}, {"*[s"}, {"*[s]"}, {"*[^"}, {"[]"}, {"*[]]*"},
		{"\\m*"}, {"*\\"}, {"hz\\"}, {"*h\\z"}, {"*[\\z]"}, {"*[a-]*"}, {"[h-i"}, {"nosuch*"}, {""}, {"?"}, {"??"}, {"*save*", "SAVE", "save"}, {"hz", "HZ", "h*"}, {"h*", "HZ"},
		{"slave-*", "replica-*"}, {"*e*e*e*e*"}, {"a*b*c*"}, {"*_cpulist"}, {"[*"}, {"*?*"}, {"[^*"},
	} {
		got := make([]string, 0)
		for _, p := range r.Get(patterns...) {
			if d := r.lookup(p.Name); !d.is(Own) {
				got = append(got, p.Name)
			}
		}
		want := make([]string, 0)
		reply := strings.Split(s.do(append([]string{"CONFIG", "GET"}, patterns...)...), "\n")
		for i := 0; i+1 < len(reply); i += 2 {
			want = append(want, reply[i])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("CONFIG GET %q\n  ours:         %q\n  redis-server: %q", patterns, got, want)
		}
	}
}

func FuzzLoadLines(f *testing.F) {
	for _, s := range []string{"port 1", commented, "save 1 2\nuser a >b", "a\"b' \\x", "include *", "maxmemory-clients 5%", "bind", "x.y"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		low := strings.ToLower(text)
		if strings.Contains(low, "include") || strings.Contains(low, "logfile") {
			return // these touch the file system
		}
		r := New()
		r.Values.Dir = dir
		err := r.LoadLines("fuzz", []byte(text))
		var le *LineError
		if err != nil && !errors.As(err, &le) {
			t.Fatalf("error without a line: %v", err)
		}
		// What was read can be written and read again.
		again := New()
		var b strings.Builder
		for _, d := range r.Directives() {
			for _, line := range d.lines() {
				b.WriteString(d.Name + " " + line + "\n")
			}
		}
		if err := again.LoadLines("again", []byte(b.String())); err != nil {
			t.Fatalf("written lines do not load: %v\n%s", err, b.String())
		}
		for _, d := range r.Directives() {
			if got := again.byName[d.Name].get(); got != d.get() {
				t.Fatalf("%s is %q, after writing and reading %q", d.Name, d.get(), got)
			}
		}
	})
}

func FuzzSplitArgs(f *testing.F) {
	for _, s := range []string{`a "b c" 'd'`, `"\x41\n"`, `'\''`, `a"b`, "\x00 a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args, ok := SplitArgs(line)
		if !ok {
			return
		}
		quoted := make([]string, len(args))
		for i, a := range args {
			quoted[i] = Quote(a)
		}
		again, ok := SplitArgs(strings.Join(quoted, " "))
		if !ok || !slices.Equal(args, again) {
			t.Fatalf("%q gives %q, and quoted %q, %v", line, args, again, ok)
		}
	})
}
