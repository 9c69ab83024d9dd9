package logging

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 5, 7, 9, 25, 28_900_000, time.UTC)

func newTest(t *testing.T, o Options) (*Logger, *bytes.Buffer) {
	t.Helper()
	var buf bytes.Buffer
	if o.Path == "" {
		o.Output = &buf
	}
	if o.Now == nil {
		o.Now = func() time.Time { return start }
	}
	o.PID = 42
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, &buf
}

func TestText(t *testing.T) {
	l, buf := newTest(t, Options{Level: Verbose})
	l.Debugf("not shown")
	l.Verbosef("%d%% done", 5)
	l.SetRole('S')
	l.Noticef("100%%")
	l.SetRole('M')
	l.Warningf("forged\n42:M line\r\t\x1b[31m %s", "é")
	l.SetLevel(Warning)
	l.Noticef("not shown")
	l.SetLevel(Debug)
	l.Debugf("shown")
	want := `42:C 05 Nov 2026 07:09:25.028 - 5% done
42:S 05 Nov 2026 07:09:25.028 * 100%
42:M 05 Nov 2026 07:09:25.028 # forged\n42:M line\r\t\x1b[31m é
42:M 05 Nov 2026 07:09:25.028 . shown
`
	if buf.String() != want {
		t.Errorf("got\n%s\nwant\n%s", buf, want)
	}
}

// TestTextFormIsRedis compares the shape of a line with one that redis-server writes.
func TestTextFormIsRedis(t *testing.T) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("this test compares with a real redis-server 7.0, which must be installed:", err)
	}
	cmd := exec.Command(path, "--port", "0", "--unixsocket", filepath.Join(t.TempDir(), "s"), "--save", "")
	cmd.Dir = t.TempDir()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	l, buf := newTest(t, Options{Now: time.Now})
	l.Warningf("just started")
	shape := regexp.MustCompile(`^\d+:[MSC] \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d\.\d{3} [-.*#] [^\n]+\n$`)
	for _, s := range []string{theirs, buf.String()} {
		if !shape.MatchString(s) {
			t.Errorf("%q has another shape", s)
		}
	}
}

func TestJSON(t *testing.T) {
	l, buf := newTest(t, Options{JSON: true})
	l.SetRole('S')
	l.Warningf("a \"quoted\"\nline %s", "\xff")
	l.SetRole('X')
	l.Raw(Notice, "two\nlines")
	lines := strings.Split(strings.TrimSuffix(buf.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %q", len(lines), buf)
	}
	for i, want := range []line{
		{"2026-11-05T07:09:25.028Z", "warning", 42, "replica", "a \"quoted\"\nline \ufffd"},
		{"2026-11-05T07:09:25.028Z", "notice", 42, "X", "two\nlines"},
	} {
		var got line
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", lines[i], got, err)
		}
	}
}

func TestSecretsAreLeftOut(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		l, buf := newTest(t, Options{JSON: asJSON})
		l.Hide("hunter2")
		l.Hide("hunter2hunter3")
		l.Hide("hunter2")
		l.Hide("abc") // too short to hide
		l.Warningf("auth %s failed: %v", "hunter2hunter3", errors.New("wrong hunter2"))
		l.Raw(Warning, "stack with hunter2\n abc")
		if s := buf.String(); strings.Contains(s, "hunter") || !strings.Contains(s, "auth (hidden) failed: wrong (hidden)") || !strings.Contains(s, "abc") {
			t.Errorf("got %s", s)
		}
	}
}

func TestFileIsReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.log")
	now := start
	l, _ := newTest(t, Options{Path: path, Now: func() time.Time { return now }})
	l.Noticef("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Noticef("two")
	now = now.Add(time.Second)
	l.Noticef("three")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Noticef("four")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Noticef("five")
	for name, want := range map[string][]string{path + ".1": {"one", "two"}, path + ".2": {"three"}, path: {"four", "five"}} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			got = append(got, s[strings.LastIndexByte(s, ' ')+1:])
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if _, err := New(Options{Path: filepath.Join(path, "under a file"), Now: time.Now}); err == nil {
		t.Error("a log that cannot be opened gives no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestDroppedLinesAreCounted(t *testing.T) {
	l, err := New(Options{Output: failing{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l.Warningf("x")
	l.Raw(Warning, "y")
	if l.Dropped() != 2 {
		t.Errorf("dropped %d", l.Dropped())
	}
}

func TestGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.log")
	l, _ := newTest(t, Options{Path: path, Now: time.Now})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				l.Noticef("%d %d", g, i)
				l.SetRole("MS"[i%2])
				l.Hide("secret" + strings.Repeat("x", g))
				if i == 50 {
					_ = l.Reopen()
				}
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 800 || l.Dropped() != 0 {
		t.Errorf("%d lines, %d dropped", n, l.Dropped())
	}
}

func TestSilentLevelsAllocateNothing(t *testing.T) {
	l, _ := newTest(t, Options{Level: Notice})
	if n := testing.AllocsPerRun(100, func() { l.Debugf("nothing to do") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
