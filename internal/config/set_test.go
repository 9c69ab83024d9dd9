package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// candidates are values to try on a directive, good and bad.
func candidates(d *Directive) []string {
	common := []string{"", " ", "abc", "-1", "0", "1", "01", "+1", "1 ", " 1", "1.5", "0x10", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "99999999999999999999999", "-9223372036854775808", "4294967296", "2147483648", "yes", "NO", "1%", "a b", "\x00", "1\x002"}
	switch d.Kind {
	case Bool:
		return append([]string{"Yes", "nO", "true"}, common...)
	case Memory, MemoryPc:
		common = append(common, "1kb", "2K", "3mB", "4m", "5Gb", "6g", "7b", "8 kb", "kb", "1tb", "-5kb", "%", "100%", "101%", "-5%", "05%", "16777216gb")
	case Enum, EnumSet:
		for _, w := range strings.Split(d.Range, ", ") {
			common = append(common, w, strings.ToUpper(w), w+" ", w+" "+w)
		}
		common = append(common, "save nosave", "now force", "save  now", "default now")
	case Octal:
		common = append(common, "777", "1000", "8")
	case String:
		common = append(common, "x", "a/b", `a\b`, strings.Repeat("h", 255), strings.Repeat("h", 256), "with.dot-and-HYPHEN9", "under_score",
			"{title}", "{title", "{nosuch}", "{port}", "{{", "{}", "{title}{listen-addr}", "  ")
	case Int:
		var lo, hi int64
		if n, _ := fmt.Sscanf(d.Range, "%d to %d", &lo, &hi); n == 2 {
			for _, v := range []int64{lo - 1, lo, lo + 1, hi - 1, hi, hi + 1} {
				common = append(common, strconv.FormatInt(v, 10))
			}
		}
	case Special:
		common = append(common, "10 20", "10  20", "0 1", "1 -1", "10 20 30", "10 20 30 40", "1 99999999999", "99999999999999999999 1", "+1 +2",
			"normal 1gb 2mb 3", "replica 1 2 3", "slave 1 2 3 pubsub 4kb 5 6", "master 1 2 3", "PUBSUB 1 2 3", "normal 1 2", "normal x 2 3",
			"normal 1 2 -3", "normal 1 2 4294967295", "normal 1 2 2147483648", "normal 1 2 x", "normal 0 0 0", "1 2 3", "-2000 0 2000", "-2001 0 1", "1 2 x", "0 200 800",
			"KEA", "Kg$lshzxet", "g$lshzxetd", "Ag$lshzxeKEtmdn", "nm", "An", "q", "E x", "50 99.9", "0.1234567", "1e1", "0x1p3", "100.0001", "inf", "nan", "1_0", "50 x",
			"::1", "127.0.0.1 ::1", "1 2 3 4 5 6 7 8 9 a b c d e f g h", "/nonexistent", ".", "/tmp", "/etc/passwd")
	}
	return common
}

// notTried are directives whose CONFIG SET would disturb this machine or the comparison itself.
var notTried = map[string]string{
	"port":                 "opens ports by number",
	"bind":                 "the server would listen elsewhere",
	"tls-port":             "opens ports by number",
	"maxclients":           "bound to the descriptor limit of the process",
	"oom-score-adj":        "writes to the kernel",
	"oom-score-adj-values": "writes to the kernel while oom-score-adj is on",
	"activedefrag":         "this redis-server has no defragmentation and refuses yes; here it is accepted without effect",
	"appendonly":           "starts writing files",
	"tls-replication":      "needs certificates",
	"tls-cluster":          "needs certificates",
	"watchdog-period":      "sends signals",
	"proc-title-template":  "listed below with values that do not depend on the process",
	"rdb-key-save-delay":   "slows the snapshots that save starts",
	"dir":                  "listed below",
	"key-load-delay":       "out of range values are the same as of rdb-key-save-delay",
}

// TestSetEqualsRedis sets every directive that can be set to good and bad values on both sides: the replies and the
// values afterwards must be the same.
func TestSetEqualsRedis(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	args := []string{"--port", strconv.Itoa(port), "--enable-protected-configs", "yes", "--logfile", "/dev/null"}
	s := startRedis(t, dir, port, args...)
	s.do("CLIENT", "NO-EVICT", "on")
	t.Chdir(dir)
	r := New()
	if err := r.LoadArgs(args, noEnvironment()); err != nil {
		t.Fatal(err)
	}
	compare := func(pairs ...string) {
		t.Helper()
		var own [][2]string
		for i := 0; i < len(pairs); i += 2 {
			own = append(own, [2]string{pairs[i], pairs[i+1]})
		}
		got := "OK"
		if err := r.Set(own, SetContext{Local: true}); err != nil {
			got = err.Error()
		}
		if want := s.do(append([]string{"CONFIG", "SET"}, pairs...)...); got != want {
			t.Errorf("CONFIG SET %.200q\n  ours:         %q\n  redis-server: %q", pairs, got, want)
		}
		for i := 0; i < len(pairs); i += 2 {
			if r.lookup(pairs[i]) == nil {
				continue
			}
			got, _ := r.Lookup(pairs[i])
			if want := strings.TrimPrefix(s.do("CONFIG", "GET", pairs[i]), pairs[i]+"\n"); got != want {
				t.Errorf("after CONFIG SET %.200q: %s is %q, of redis-server %q", pairs, pairs[i], got, want)
			}
		}
	}
	tried := 0
	for _, d := range r.Directives() {
		if _, skip := notTried[d.Name]; skip || d.is(Own) {
			continue
		}
		if d.is(Immutable) {
			compare(d.Name, "1")
			continue
		}
		for _, name := range []string{d.Name, strings.ToUpper(d.Alias)} {
			if name == "" {
				continue
			}
			before := d.get()
			for _, value := range candidates(d) {
				compare(name, value)
				tried++
			}
			compare(name, before)
		}
	}
	if tried < 3000 {
		t.Errorf("only %d values were tried", tried)
	}

	// Several at once, and the checks before any value is looked at.
	for _, pairs := range [][]string{
		{"nosuch", "1", "maxmemory", "x"},
		{"maxmemory", "x", "nosuch", "1"},
		{"maxmemory", "1", "maxmemory", "2"},
		{"MaxMemory", "1", "maxmemory", "2"},
		{"slave-priority", "1", "replica-priority", "2"},
		{"maxmemory", "1", "Databases", "2"},
		{"Databases", "2", "nosuch", "1"},
		{"hz", "11", "maxmemory", "12mb", "timeout", "x"},
		{"hz", "12", "maxmemory", "12mb", "timeout", "13"},
		{"hz", "10", "maxmemory", "0", "timeout", "0"},
		{"save", "1 2 3", "hz", "44"},
		{"hz", "44", "save", "1 2 3"},
		{"dir", "/nonexistent"},
		{"dir", "/etc/passwd"},
		{"dir", ""},
		{"dir", "/tmp"},
		{"dir", "../tmp/."},
		{"dir", dir},
		{"proc-title-template", "{title} {port}"},
		{"proc-title-template", "{title"},
		{"proc-title-template", "{nosuch}"},
		{"proc-title-template", ""},
		{"proc-title-template", "  "},
		{"proc-title-template", "{server-mode}"},
		{"proc-title-template", "{{"},
		{"bind", strings.Repeat("::1 ", 16) + "::1"},
		{"oom-score-adj-values", "1 2"},
		{"oom-score-adj-values", "-2001 0 1"},
		{"oom-score-adj-values", "1 2 x"},
		{"oom-score-adj", "maybe"},
		{"port", "65536"},
		{"port", "x"},
		{"appendonly", "maybe"},
		{"key-load-delay", "2147483648"},
	} {
		compare(pairs...)
	}
	all := ownConfig(r)
	for name := range notTried {
		delete(all, name)
	}
	want := s.config()
	for name, got := range all {
		if got != want[name] {
			t.Errorf("in the end %s is %q, of redis-server %q", name, got, want[name])
		}
	}
}

func TestSetGuards(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	args := []string{"--port", strconv.Itoa(port)}
	s := startRedis(t, dir, port, args...)
	r := New()
	for _, name := range []string{"dir", "dbfilename", "DIR"} {
		err := r.Set([][2]string{{name, "."}}, SetContext{Local: true})
		if want := s.do("CONFIG", "SET", name, "."); err == nil || err.Error() != want {
			t.Errorf("%s: %v, redis-server: %s", name, err, want)
		}
	}
	r.Values.EnableProtectedConfigs = PermitLocal
	if err := r.Set([][2]string{{"dbfilename", "x.rdb"}}, SetContext{Local: true}); err != nil {
		t.Error(err)
	}
	if err := r.Set([][2]string{{"dbfilename", "x.rdb"}}, SetContext{}); err == nil {
		t.Error("a remote client may set a protected directive")
	}
	err := r.Set([][2]string{{"dir", "."}}, SetContext{Loading: true, Local: true})
	if err == nil || err.Error() != "LOADING Redis is loading the dataset in memory" {
		t.Errorf("while loading: %v", err)
	}
}

func TestHooks(t *testing.T) {
	r := New()
	var calls []string
	veto := errors.New("no room")
	fail := false
	r.OnChange(func() error {
		calls = append(calls, fmt.Sprintf("mem %d %d", r.Values.Maxmemory, r.Values.MaxmemorySamples))
		return nil
	}, "maxmemory", "maxmemory-samples")
	r.OnChange(func() error {
		calls = append(calls, fmt.Sprintf("hz %d", r.Values.Hz))
		if fail {
			return veto
		}
		return nil
	}, "hz")
	set := func(pairs ...[2]string) error { calls = nil; return r.Set(pairs, SetContext{}) }

	if err := set([2]string{"maxmemory", "5"}, [2]string{"maxmemory-samples", "6"}, [2]string{"hz", "7"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"mem 5 6", "hz 7"}; !reflect.DeepEqual(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if err := set([2]string{"maxmemory", "5"}); err != nil || calls != nil {
		t.Errorf("a set to the same value calls %q, %v", calls, err)
	}
	fail = true
	err := set([2]string{"maxmemory", "50"}, [2]string{"HZ", "70"})
	if err == nil || err.Error() != "ERR CONFIG SET failed (possibly related to argument 'hz') - no room" {
		t.Errorf("veto gives %v", err)
	}
	if want := []string{"mem 50 6", "hz 70", "mem 5 6", "hz 7"}; !reflect.DeepEqual(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if v := r.Values; v.Maxmemory != 5 || v.Hz != 7 {
		t.Errorf("values after the veto: %d %d", v.Maxmemory, v.Hz)
	}
	defer func() {
		if recover() == nil {
			t.Error("OnChange of an unknown directive does not panic")
		}
	}()
	r.OnChange(func() error { return nil }, "nosuch")
}

// TestEveryRowRollsBack sets each directive beside one that fails, and expects the old value.
func TestEveryRowRollsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	r := New()
	r.Values.EnableProtectedConfigs = PermitYes
	for _, d := range r.Directives() {
		if d.is(Immutable) {
			continue
		}
		before := d.get()
		value, ok := SplitArgs(otherValue(d))
		if d.Name == "dir" {
			value = []string{filepath.Join(before, "sub")}
		}
		if !ok {
			t.Fatal(d.Name)
		}
		good := [2]string{d.Name, strings.Join(value, " ")}
		if d.Name != "hz" {
			err := r.Set([][2]string{good, {"hz", "x"}}, SetContext{})
			if err == nil || !strings.Contains(err.Error(), "'hz'") {
				t.Errorf("%s: %v", d.Name, err)
			}
			if d.get() != before {
				t.Errorf("%s is %q after a failed CONFIG SET, was %q", d.Name, d.get(), before)
			}
		}
		if err := r.Set([][2]string{good}, SetContext{}); err != nil {
			t.Errorf("%v: %v", good, err)
		}
		if d.get() == before && d.Name != "aclfile" {
			t.Errorf("%s did not change by %q", d.Name, good[1])
		}
	}
}
