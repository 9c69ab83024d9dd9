package snapfile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// TestCommit: the file has all bytes in order, and replaces the old one.
func TestCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dump.rdb")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := Create(path, true)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	full := false
	for i := range 4000 {
		p := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1+i%3000)
		want = append(want, p...)
		x.Write(p)
		if !x.Room() {
			full = true
			x.Wait()
		}
		if i == 2000 {
			if got, _ := os.ReadFile(path); string(got) != "old" {
				t.Fatalf("half way the file is %d bytes", len(got))
			}
		}
	}
	if err := x.CommitNow(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes were written, the file has %d, equal: %v, %v", len(want), len(got), bytes.Equal(got, want), err)
	}
	if names(t, dir) != "dump.rdb" {
		t.Errorf("left behind: %s", names(t, dir))
	}
	t.Logf("%d bytes, the queue was full: %v", len(want), full)
}

// TestFailure: whatever goes wrong, the old file stands and nothing else is left.
func TestFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dump.rdb")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		if got, _ := os.ReadFile(path); string(got) != "old" || names(t, dir) != "dump.rdb" {
			t.Errorf("%s: the file is %q, in the folder: %s", what, got, names(t, dir))
		}
	}
	x, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	x.Write([]byte("new"))
	x.Discard()
	<-x.done
	check("discarded")

	if x, err = Create(path, false); err != nil {
		t.Fatal(err)
	}
	_ = x.f.Close() // every write fails from now on
	x.Write([]byte("new"))
	for x.Err() == nil {
		x.Wait()
	}
	x.Write(make([]byte, 2*QueueLimit)) // goes nowhere
	if !x.Room() {
		t.Error("no room after a failure")
	}
	if err := x.CommitNow(); err == nil {
		t.Error("committed what could not be written")
	}
	check("a disk that fails")

	if _, err := Create(filepath.Join(dir, "none", "dump.rdb"), false); err == nil {
		t.Error("a file in a folder that does not exist")
	}
}
