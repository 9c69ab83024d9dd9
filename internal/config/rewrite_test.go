package config

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const commented = `# The head of the file.

port PORT


# memory
MaxMemory 100mb
maxmemory 200mb

# saves
save 900 1
save 300 10
   # indented comment
save 60 10000

slave-read-only no
client-output-buffer-limit pubsub 32mb 8mb 60
timeout 10
masterauth "old secret"
masterauth second
logfile ""
loglevel notice
include none*.conf
rename-command ECHO ""
notify-keyspace-events Kg
maxmemory-clients 0
bind 127.0.0.1
user bob on nopass ~* +@all
hash-max-ziplist-entries 512
pidfile ""
oom-score-adj-values 0 200 800
shutdown-on-sigterm now
unixsocketperm 700
latency-tracking-info-percentiles 50 99
# the end`

// rewriteChanges are CONFIG SETs of both servers before the file is rewritten.
var rewriteChanges = [][2]string{
	{"maxmemory", "1073741824"}, {"save", "1000 1 2000 2"}, {"replica-read-only", "yes"}, {"masterauth", "new \"secret\"\x01"},
	{"timeout", "0"}, {"hz", "55"}, {"notify-keyspace-events", "KEA"}, {"client-output-buffer-limit", "normal 1025 0 0 replica 2gb 1mb 5"},
	{"maxmemory-clients", "5%"}, {"repl-backlog-size", "1048577"}, {"list-compress-depth", "3"}, {"shutdown-on-sigterm", "save force"},
	{"latency-tracking-info-percentiles", ""}, {"tcp-keepalive", "300"}, {"replica-announce-ip", "10.1.1.1"}, {"hash-max-listpack-entries", "100"},
}

// normal splits a rewritten file into the part above the mark and the sorted lines below, whose order is Redis's own.
func normal(text string) (head string, added []string) {
	text = strings.Replace(text, redisRewriteMark, rewriteMark, 1)
	head, tail, _ := strings.Cut(text, rewriteMark+"\n")
	added = strings.Split(strings.TrimSuffix(tail, "\n"), "\n")
	slices.Sort(added)
	// Where superfluous lines left blanks depends on that order too.
	return head, slices.DeleteFunc(added, func(line string) bool { return line == "" })
}

func TestRewriteEqualsRedis(t *testing.T) {
	for name, file := range map[string]string{"commented": commented, "short": "port PORT", "no newline twice": "\n\n\nport PORT\n\n\n\nhz 12\n\n"} {
		t.Run(name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			file := strings.Replace(file, "PORT", strconv.Itoa(port), 1)
			ours, theirs := filepath.Join(dir, "ours.conf"), filepath.Join(dir, "theirs.conf")
			for _, p := range []string{ours, theirs} {
				if err := os.WriteFile(p, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := startRedis(t, dir, port, theirs)
			t.Chdir(dir)
			r := New()
			if err := r.LoadFile("ours.conf"); err != nil {
				t.Fatal(err)
			}
			r.UserLines = func() []string {
				var lines []string
				for _, l := range strings.Split(s.do("ACL", "LIST"), "\n") {
					lines = append(lines, strings.TrimPrefix(l, "user "))
				}
				return lines
			}
			for round, changes := range [][][2]string{nil, rewriteChanges, {{"hz", "10"}, {"save", ""}, {"bind", "127.0.0.1 ::1"}, {"replica-announce-ip", ""}}} {
				for _, c := range changes {
					if reply := s.do("CONFIG", "SET", c[0], c[1]); reply != "OK" && c[0] != "bind" {
						t.Fatalf("%q: %s", c, reply)
					} else if reply != "OK" {
						continue // no IPv6 here
					}
					if err := r.Set([][2]string{c}, SetContext{}); err != nil {
						t.Fatal(err)
					}
				}
				if reply := s.do("CONFIG", "REWRITE"); reply != "OK" {
					t.Fatal(reply)
				}
				if err := r.Rewrite(r.ConfigFile); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(ours)
				if err != nil {
					t.Fatal(err)
				}
				want, err := os.ReadFile(theirs)
				if err != nil {
					t.Fatal(err)
				}
				gotHead, gotAdded := normal(string(got))
				wantHead, wantAdded := normal(string(want))
				if gotHead != wantHead || !slices.Equal(gotAdded, wantAdded) {
					t.Errorf("round %d\n--- ours\n%s\n--- redis-server\n%s", round, got, want)
				}
				again := New()
				if err := again.LoadFile(ours); err != nil {
					t.Fatal(err)
				}
				compareConfigs(t, ownConfig(r), ownConfig(again), nil)
			}
		})
	}
}

func TestRewriteKeepsWhatOnlyTheFileKnows(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.conf")
	text := "user alice on >pw ~* +@all\nrename-command KEYS \"\"\nloadmodule /x.so a b\nx.y 1\nmasterauth fromfile\nlua-replicate-commands yes\n"
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.conf")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"REDIS_REPLICA_MASTERAUTH": "envsecret", "REDIS_REPLICA_REQUIREPASS": "envsecret"}
	r := New()
	err := r.LoadArgs([]string{link, "--replica-expire-grace", "5"}, Environment{Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rewrite(r.ConfigFile); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"user alice on >pw ~* +@all\n", "rename-command KEYS \"\"\n", "loadmodule /x.so a b\n", "x.y 1\n", "masterauth fromfile\n", "replica-expire-grace 5\n", "# not understood: lua-replicate-commands yes\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "envsecret") {
		t.Errorf("a secret of the environment is in the file:\n%s", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v %v", info, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left-over files: %v", entries)
	}

	// A password set at run time is no longer the environment's.
	if err := r.Set([][2]string{{"masterauth", "runtime"}}, SetContext{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Rewrite(r.ConfigFile); err != nil {
		t.Fatal(err)
	}
	if got, _ = os.ReadFile(file); !strings.Contains(string(got), "masterauth \"runtime\"\n") {
		t.Errorf("masterauth was not rewritten:\n%s", got)
	}
}

func TestRewriteErrors(t *testing.T) {
	r := New()
	dir := t.TempDir()
	if err := r.Rewrite(dir); err == nil || err.Error() != "Is a directory" {
		t.Error(err)
	}
	if err := r.Rewrite(filepath.Join(dir, "no", "r.conf")); err == nil || err.Error() != "No such file or directory" {
		t.Error(err)
	}
	fresh := filepath.Join(dir, "fresh.conf")
	if err := r.Rewrite(fresh); err != nil {
		t.Error(err)
	}
	if err := New().LoadFile(fresh); err != nil {
		t.Error(err)
	}
}
