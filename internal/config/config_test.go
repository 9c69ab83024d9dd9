package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func noEnvironment() Environment { return Environment{} }

func mustLoad(t *testing.T, text string) *Registry {
	t.Helper()
	r := New()
	if err := r.LoadLines("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSplitArgsAndQuote(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
		ok   bool
	}{
		{``, nil, true},
		{`  port   6380 `, []string{"port", "6380"}, true},
		{`a "b c" 'd e'`, []string{"a", "b c", "d e"}, true},
		{`a"b c" d`, []string{"ab c", "d"}, true},
		{`"\x41\n\r\t\a\b\q\""`, []string{"A\n\r\t\a\bq\""}, true},
		{`"\xZZ"`, []string{"xZZ"}, true},
		{`'it\'s' '\n'`, []string{"it's", `\n`}, true},
		{`""`, []string{""}, true},
		{`"a"b`, nil, false},
		{`'a'b`, nil, false},
		{`"open`, nil, false},
		{`'open`, nil, false},
		{`"tail\`, nil, false},
	} {
		got, ok := SplitArgs(c.line)
		if ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("SplitArgs(%q) = %q, %v; want %q, %v", c.line, got, ok, c.want, c.ok)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if got, ok := SplitArgs(Quote(string(all))); !ok || len(got) != 1 || got[0] != string(all) {
		t.Errorf("Quote does not survive SplitArgs: %q, %v", got, ok)
	}
}

func TestLoadLines(t *testing.T) {
	r := mustLoad(t, `
# a comment
PORT 7000
  bind 127.0.0.1 -::1
slave-read-only no
maxmemory 1gb
maxmemory-clients 5%
save 900 1
save 300 10 60 100
client-output-buffer-limit replica 1mb 2k 3
notify-keyspace-events "KA"
requirepass "a b#\x41"
replicaof 10.0.0.1 6379
unixsocketperm 700
shutdown-on-sigterm "nosave now"
user alice on >secret ~* +@all
rename-command FLUSHALL ""
hz 100000
appendonly yes
`)
	v := r.Values
	if v.Port != 7000 || !reflect.DeepEqual(v.Bind, []string{"127.0.0.1", "-::1"}) || v.ReplicaReadOnly || v.Maxmemory != 1<<30 ||
		v.MaxmemoryClients != -5 || v.RequirePass != "a b#A" || v.MasterHost != "10.0.0.1" || v.MasterPort != 6379 ||
		v.UnixSocketPerm != 0o700 || v.OnSigterm != ShutdownNoSave|ShutdownNow || v.Hz != 500 {
		t.Errorf("wrong values: %+v", v)
	}
	if want := []SavePoint{{900, 1}, {300, 10}, {60, 100}}; !reflect.DeepEqual(v.Save, want) {
		t.Errorf("save = %v, want %v", v.Save, want)
	}
	if want := (OutputLimit{1 << 20, 2000, 3}); v.ClientOutput[ClientReplica] != want {
		t.Errorf("output limit = %v, want %v", v.ClientOutput[ClientReplica], want)
	}
	if v.NotifyKeyspaceEvents != NotifyAll|NotifyKeyspace {
		t.Errorf("events = %v", v.NotifyKeyspaceEvents)
	}
	if len(v.Users) != 1 || v.Users[0].Args[0] != "alice" || v.Users[0].At.Line != 16 || strings.Contains(v.Users[0].At.Text, "secret") {
		t.Errorf("users = %+v", v.Users)
	}
	if len(v.RenamedCommands) != 1 || v.RenamedCommands[0].From != "FLUSHALL" || v.RenamedCommands[0].To != "" {
		t.Errorf("renamed = %+v", v.RenamedCommands)
	}
	if got := mustLoad(t, "cluster-port 1\nport 1\nappendonly yes\ncluster-port 2\ndisable-thp yes\nloadmodule /x.so").WithoutEffect(); !reflect.DeepEqual(got, []string{"cluster-port", "appendonly", "loadmodule"}) {
		t.Errorf("without effect: %v", got)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ text, line, reason string }{
		{"port 1\nnosuch x", "2 nosuch x", "Bad directive or wrong number of arguments"},
		{"port", "1 port", "wrong number of arguments"},
		{"port 1 2", "1 port 1 2", "wrong number of arguments"},
		{"port x", "1 port x", "argument couldn't be parsed into an integer"},
		{"port 70000", "1 port 70000", "argument must be between 0 and 65535 inclusive"},
		{"unixsocketperm 888", "1 unixsocketperm 888", "argument couldn't be parsed as an octal number"},
		{"unixsocketperm -1", "1 unixsocketperm -1", "argument must be between 0 and 777 inclusive"},
		{"masterauth \"x", "1 masterauth (hidden)", "Unbalanced quotes in configuration line"},
		{"REQUIREPASS hunter2 again", "1 requirepass (hidden)", "wrong number of arguments"},
		{"user \"bob >hunter2", "1 user (hidden)", "Unbalanced quotes in configuration line"},
		{"require-pass hunter2", "1 require-pass (hidden)", "Bad directive"},
		{"a.b 1", "1 a.b 1", "no module is loaded"},
		{"a.b", "1 a.b", "Module config specified without value"},
		{"sentinel monitor m 127.0.0.1 1 1", "1 sentinel monitor m 127.0.0.1 1 1", "not in sentinel mode"},
		{"replicaof h", "1 replicaof h", "wrong number of arguments"},
		{"replicaof h 99999", "1 replicaof h 99999", "Invalid master port"},
	} {
		err := New().LoadLines("f", []byte(c.text))
		var le *LineError
		if !errors.As(err, &le) {
			t.Errorf("%q: error %v is no LineError", c.text, err)
			continue
		}
		if got := strings.SplitN(c.line, " ", 2); le.Text != got[1] || !strings.Contains(le.Error(), "at line "+got[0]) {
			t.Errorf("%q: block is\n%s", c.text, le.Error())
		}
		if !strings.Contains(le.Reason, c.reason) {
			t.Errorf("%q: reason %q, want %q", c.text, le.Reason, c.reason)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the secret is in the error %q", c.text, err)
		}
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	write("a1.inc", "hz 20\nport 1")
	write("a2.inc", "hz 30")
	main := write("main.conf", "dir "+dir+"\ninclude a*.inc\ninclude none*.inc\nport 2")
	r := New()
	if err := r.LoadFile(main); err != nil {
		t.Fatal(err)
	}
	if r.Values.Hz != 30 || r.Values.Port != 2 || r.ConfigFile != main {
		t.Errorf("hz %d, port %d, file %q", r.Values.Hz, r.Values.Port, r.ConfigFile)
	}
	loop := write("loop.conf", "include "+filepath.Join(dir, "loop.conf"))
	if err := New().LoadFile(loop); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("a file that includes itself gives %v", err)
	}
	bad := write("bad.inc", "\nfoo bar")
	err := New().LoadFile(write("outer.conf", "include "+bad))
	var le *LineError
	if !errors.As(err, &le) || le.Source != bad || le.Line != 2 {
		t.Errorf("error in an included file: %v", err)
	}
	if err := New().LoadFile(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "No such file or directory") {
		t.Errorf("missing file: %v", err)
	}
}

func TestLoadArgs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.conf")
	if err := os.WriteFile(file, []byte("port 1\nhz 11\nmasterauth file"), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(args ...string) *Registry {
		t.Helper()
		r := New()
		if err := r.LoadArgs(args, Environment{Stdin: strings.NewReader("hz 12\ntimeout 7")}); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return r
	}
	if v := load("--port", "6380", "--replicaof", "127.0.0.1", "6379").Values; v.Port != 6380 || v.MasterHost != "127.0.0.1" || v.MasterPort != 6379 {
		t.Errorf("port %d master %s %d", v.Port, v.MasterHost, v.MasterPort)
	}
	if v := load(file, "--port", "2", "-").Values; v.Port != 2 || v.Hz != 12 || v.Timeout != 7 {
		t.Errorf("file, stdin, arguments: port %d hz %d timeout %d", v.Port, v.Hz, v.Timeout)
	}
	if v := load("-", "--hz", "13").Values; v.Hz != 13 || v.Timeout != 7 {
		t.Errorf("stdin first: hz %d timeout %d", v.Hz, v.Timeout)
	}
	if v := load("--port 5", "--save", "", "--bind", "a", "b").Values; v.Port != 5 || v.Save != nil || len(v.Bind) != 2 {
		t.Errorf("port %d save %v bind %v", v.Port, v.Save, v.Bind)
	}
	for _, args := range [][]string{{"--save"}, {"--save", "--port", "3"}, {"--save", ""}} {
		if v := load(args...).Values; len(v.Save) != 0 {
			t.Errorf("%q: save %v", args, v.Save)
		}
	}
	if v := load("--save", "10 20 30 40").Values; len(v.Save) != 2 {
		t.Errorf("save in one argument: %v", v.Save)
	}
	if v := load("--masterauth", "--secret").Values; v.MasterAuth != "--secret" {
		t.Errorf("a value that starts with --: %q", v.MasterAuth)
	}
	for arg, want := range map[string]error{"-h": ErrHelp, "--help": ErrHelp, "-v": ErrVersion, "--version": ErrVersion} {
		if err := New().LoadArgs([]string{arg}, noEnvironment()); err != want {
			t.Errorf("%s: %v", arg, err)
		}
	}
	var le *LineError
	if err := New().LoadArgs([]string{"--port", "1", "--nosuch", "x"}, noEnvironment()); !errors.As(err, &le) || le.Source != "command line" || le.Text != `nosuch "x"` {
		t.Errorf("unknown directive: %v", err)
	}
}

func TestEnvironmentSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.conf")
	if err := os.WriteFile(file, []byte("masterauth file\nmasteruser file"), 0o600); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"REDIS_REPLICA_MASTERAUTH": "env", "REDIS_REPLICA_REQUIREPASS": "env"}[name]
		return v, ok
	}
	r := New()
	if err := r.LoadArgs([]string{file, "--requirepass", "arg"}, Environment{Lookup: lookup}); err != nil {
		t.Fatal(err)
	}
	if v := r.Values; v.MasterAuth != "env" || v.MasterUser != "file" || v.RequirePass != "arg" {
		t.Errorf("masterauth %q masteruser %q requirepass %q", v.MasterAuth, v.MasterUser, v.RequirePass)
	}
}

func TestGet(t *testing.T) {
	r := New()
	for _, c := range []struct {
		patterns []string
		want     string
	}{
		{[]string{"maxclients"}, "maxclients=10000"},
		{[]string{"MaxClients", "maxclients"}, "MaxClients=10000"},
		{[]string{"nosuch"}, ""},
		{[]string{"slave-read-only", "replica-read-only"}, "slave-read-only=yes replica-read-only=yes"},
		{[]string{"HASH-max-*-VALUE"}, "hash-max-listpack-value=64 hash-max-ziplist-value=64"},
		{[]string{"rdb-key-save-delay"}, "rdb-key-save-delay=0"},
		{[]string{"*save-delay*"}, ""},
		{[]string{"h?", "[f-h]z"}, "hz=10"},
		{[]string{"h[^z]", "\\hz*"}, "hz=10"},
	} {
		var got []string
		for _, p := range r.Get(c.patterns...) {
			got = append(got, p.Name+"="+p.Value)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("Get(%q) = %q, want %q", c.patterns, s, c.want)
		}
	}
}

func TestPasswords(t *testing.T) {
	r := mustLoad(t, "requirepass one\nmasterauth two\nmasteruser default")
	if got := r.Passwords(); !reflect.DeepEqual(got, []string{"one", "two"}) {
		t.Errorf("passwords %q", got)
	}
}
