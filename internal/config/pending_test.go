package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

// productCode joins the Go files of the server, without tests and without this package.
func productCode(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name := e.Name(); path == filepath.Join(root, "internal", "config") || name == "tests" || name == "benchmarks" || name == "examples" || name[0] == '.' && len(name) > 2 {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.Write(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fieldsOf sets a directive to another value and returns the fields of Values that changed.
func fieldsOf(t *testing.T, d *Directive, v *Values) []string {
	t.Helper()
	before := *v
	args, _ := SplitArgs(otherValue(d))
	if d.is(MultiArg) && len(args) == 1 {
		args, _ = SplitArgs(args[0])
	}
	if _, err := d.set(args); err != nil {
		t.Fatalf("%s %q: %v", d.Name, args, err)
	}
	var names []string
	now, old := reflect.ValueOf(*v), reflect.ValueOf(before)
	for i := range now.NumField() {
		if !reflect.DeepEqual(now.Field(i).Interface(), old.Field(i).Interface()) {
			names = append(names, now.Type().Field(i).Name)
		}
	}
	*v = before
	return names
}

// TestPendingIsTrue holds the marks of the rows against the code: a directive that claims a meaning is read by some
// code, and one without is not.
func TestPendingIsTrue(t *testing.T) {
	// Every selector of the code, and those on something that is called as Values are. A field with a common name may
	// count as read by mistake; none counts as unread by mistake.
	anyRead, valuesRead := make(map[string]bool), make(map[string]bool)
	notName := func(c rune) bool { return c != '.' && c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }
	for _, chain := range strings.FieldsFunc(productCode(t), notName) {
		parts := strings.Split(chain, ".")
		for i := 1; i < len(parts); i++ {
			anyRead[parts[i]] = true
			switch parts[i-1] {
			case "v", "conf", "Conf", "cfg", "values", "Values":
				valuesRead[parts[i]] = true
			}
		}
	}
	savedPending := pending
	defer func() { pending = savedPending }()
	pending = nil // without the guards, so that every row can be set
	r := New()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	isPending := make(map[string]bool)
	for _, name := range savedPending {
		isPending[name] = true
	}
	for _, d := range r.Directives() {
		if d.UsedBy == "internal/config" || d.Name == "aclfile" || d.Name == "dir" {
			continue // read here; otherValue has none to try; read through Values.Path
		}
		fields := fieldsOf(t, d, r.Values)
		idle := d.is(NoEffect) || isPending[d.Name]
		if !idle && len(fields) == 0 {
			t.Errorf("%s is bound to no field of Values", d.Name)
		}
		read := false
		for _, f := range fields {
			read = read || anyRead[f]
			if idle && valuesRead[f] {
				t.Errorf("%s has no meaning by its row, but code reads Values.%s: take it from the list in pending.go, or NoEffect from its row", d.Name, f)
			}
		}
		if !idle && !read {
			t.Errorf("%s: no code reads Values.%s: add it to the list in pending.go", d.Name, strings.Join(fields, ", "))
		}
	}
}
