package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/raniellyferreira/redis-inmemory-replica"
	maxLines   = 1000
)

// A room is a folder of packages that share a floor. The longest prefix of a package's folder decides its room.
type room struct {
	dir   string
	floor int
	// owned packages belong to the loop's goroutine: no locks, sockets, clocks, randomness, channels or goroutines in them.
	owned bool
	// support packages serve tests only: no package of the binary may import them.
	support bool
}

// rooms is the map of ARCHITECTURE.md. Floors are in tens, so that a package can stand between two of them.
var rooms = []room{
	{dir: ".", floor: 50},
	{dir: "benchmarks", floor: 50},
	{dir: "tests", floor: 50},
	{dir: "tests/testutil", floor: 45, support: true},
	{dir: "examples", floor: 50},
	{dir: "examples/internal", floor: 45, support: true},
	{dir: "redisreplica", floor: 40},
	{dir: "internal/masterlink", floor: 35},
	{dir: "internal/tlsio", floor: 35},
	{dir: "internal/redirect", floor: 35},
	{dir: "internal/httpapi", floor: 35},
	{dir: "internal/masterlink/mastertest", floor: 45, support: true},
	{dir: "commands", floor: 30, owned: true},
	{dir: "internal/keyspace", floor: 20, owned: true},
	{dir: "scripting", floor: 20, owned: true},
	{dir: "rdb", floor: 20, owned: true},
	{dir: "internal/object", floor: 10, owned: true},
	{dir: "expire", floor: 10, owned: true},
	{dir: "replproto", floor: 10, owned: true},
	{dir: "internal/config", floor: 10, owned: true},
	{dir: "internal/acl", floor: 10, owned: true},
	{dir: "dict", floor: 0, owned: true},
	{dir: "resp", floor: 0, owned: true},
	{dir: "eventloop", floor: 0},
	{dir: "internal", floor: 0, owned: true}, // the encodings: floor 0 unless a line says otherwise
	{dir: "internal/config/gendoc", floor: 50},
	{dir: "internal/demo", floor: 45},
	{dir: "internal/logging", floor: 0},
	{dir: "internal/service", floor: 0},
	{dir: "internal/snapfile", floor: 0},
	{dir: "internal/testport", floor: 0},
	// The ground under floor 0: what the encodings are made of.
	{dir: "internal/zindex", floor: 5, owned: true}, // over blocks of dict
	{dir: "internal/quicklist", floor: 5, owned: true},
	{dir: "internal/stream", floor: 5, owned: true},
	{dir: "internal/listpack", floor: -10, owned: true},
	{dir: "internal/intset", floor: -10, owned: true},
	{dir: "internal/numeric", floor: -20, owned: true},
	{dir: "internal/lzf", floor: -20, owned: true},
	{dir: "internal/crc64", floor: -20, owned: true},
	{dir: "internal/digest", floor: -20, owned: true},
}

// onlyIn names the one folder that may import a dependency, and whether the binary must reach it once that folder exists.
var onlyIn = []struct {
	importPath string
	dirs       []string
	mustReach  bool
}{
	{"github.com/tidwall/evio", []string{"eventloop"}, true},
	{"github.com/yuin/gopher-lua", []string{"scripting"}, true},
	{"github.com/prometheus/client_golang", []string{"internal/httpapi"}, true},
	{"github.com/tidwall/match", []string{"commands", "internal"}, true},
}

// pureNet are the packages under net that are values and parsing only.
var pureNet = map[string]bool{"net/netip": true, "net/url": true}

// A goFile is one parsed source file of the module.
type goFile struct {
	path string // from the root, with slashes
	dir  string
	ast  *ast.File
	test bool // a _test.go file
}

func (f *goFile) imports() []string {
	var list []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(fmt.Sprintf("%s: import path %s: %v", f.path, spec.Path.Value, err))
		}
		list = append(list, p)
	}
	return list
}

// A tree is the module as it stands on disk.
type tree struct {
	root string
	fset *token.FileSet
	text []string // every file that is text, from the root
	gos  []*goFile
}

func loadTree(t *testing.T) *tree {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch d.Name() {
			case ".git", ".bench", "node_modules", "bin", "dist":
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || rel == ".git" {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) < 0 {
			tr.text = append(tr.text, rel)
		}
		if !strings.HasSuffix(rel, ".go") || strings.Contains(rel, "testdata/") {
			return nil
		}
		parsed, err := parser.ParseFile(tr.fset, p, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tr.gos = append(tr.gos, &goFile{path: rel, dir: path.Dir(rel), ast: parsed, test: strings.HasSuffix(rel, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.gos) == 0 {
		t.Fatalf("no Go files under %s", root)
	}
	return tr
}

func (tr *tree) read(t *testing.T, rel string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tr.root, filepath.FromSlash(rel)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (tr *tree) pos(f *goFile, n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, tr.fset.Position(n.Pos()).Line)
}

func roomOf(dir string) (room, bool) {
	best, found := room{}, false
	for _, r := range rooms {
		inside := dir == r.dir || (r.dir != "." && strings.HasPrefix(dir, r.dir+"/"))
		if inside && (!found || len(r.dir) > len(best.dir)) {
			best, found = r, true
		}
	}
	return best, found
}

// localDir turns an import path of this module into a folder from the root.
func localDir(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	if rest, ok := strings.CutPrefix(importPath, modulePath+"/"); ok {
		return rest, true
	}
	return "", false
}

// floorErrors is the rule of the floors over (file, its folder, its imports); TestFloorRule feeds it lies.
func floorErrors(file, dir string, test bool, imports []string) []string {
	from, ok := roomOf(dir)
	if !ok {
		return []string{fmt.Sprintf("%s: folder %q has no floor; give it one in internal/lint and ARCHITECTURE.md", file, dir)}
	}
	var errs []string
	for _, imp := range imports {
		to, local := localDir(imp)
		if !local {
			continue
		}
		target, ok := roomOf(to)
		switch {
		case !ok:
			errs = append(errs, fmt.Sprintf("%s: imports %q, which has no floor", file, to))
		case test: // a test may look at anything: it is not part of the building
		case target.support && from.floor < 50:
			errs = append(errs, fmt.Sprintf("%s: imports the test support package %q", file, to))
		case target.floor >= from.floor:
			errs = append(errs, fmt.Sprintf("%s: %q (floor %d) imports %q (floor %d): imports go strictly downward", file, dir, from.floor, to, target.floor))
		}
	}
	return errs
}

func TestFloors(t *testing.T) {
	for _, f := range loadTree(t).gos {
		for _, e := range floorErrors(f.path, f.dir, f.test, f.imports()) {
			t.Error(e)
		}
	}
}

func TestFloorRule(t *testing.T) {
	for _, c := range []struct {
		dir, imp string
		bad      bool
	}{
		{"commands", "dict", false},
		{"dict", "commands", true},
		{"rdb", "internal/keyspace", true}, // the same floor
		{"rdb", "internal/listpack", false},
		{"internal/listpack", "internal/object", true},
		{"redisreplica", "tests/testutil", true},
		{"tests/differential", "tests/testutil", false},
		{"nosuchroom", "dict", true},
	} {
		got := floorErrors("x.go", c.dir, false, []string{modulePath + "/" + c.imp})
		if (len(got) > 0) != c.bad {
			t.Errorf("%s imports %s: got %q, want an error: %v", c.dir, c.imp, got, c.bad)
		}
	}
}

func TestDependenciesStayInTheirRoom(t *testing.T) {
	for _, f := range loadTree(t).gos {
		for _, imp := range f.imports() {
			if imp == "C" {
				t.Errorf("%s: cgo", f.path)
			}
			for _, rule := range onlyIn {
				if !under(imp, rule.importPath) || f.test {
					continue
				}
				allowed := false
				for _, d := range rule.dirs {
					allowed = allowed || under(f.dir, d)
				}
				if !allowed {
					t.Errorf("%s: imports %s, which belongs to %s", f.path, imp, strings.Join(rule.dirs, ", "))
				}
			}
		}
	}
}

func under(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// TestMainReachesItsDependencies: a dependency that the binary does not reach is dead weight, or a room that was never wired.
func TestMainReachesItsDependencies(t *testing.T) {
	tr := loadTree(t)
	byDir := map[string][]string{}
	dirs := map[string]bool{}
	for _, f := range tr.gos {
		dirs[f.dir] = true
		if !f.test {
			byDir[f.dir] = append(byDir[f.dir], f.imports()...)
		}
	}
	if _, ok := byDir["."]; !ok {
		t.Log("no main package yet: nothing to reach from")
		return
	}
	reached, external := map[string]bool{}, map[string]bool{}
	for todo := []string{"."}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if reached[dir] {
			continue
		}
		reached[dir] = true
		for _, imp := range byDir[dir] {
			if to, local := localDir(imp); local {
				todo = append(todo, to)
			} else {
				external[imp] = true
			}
		}
	}
	for _, rule := range onlyIn {
		got, exists := false, dirs[rule.dirs[0]]
		for imp := range external {
			got = got || under(imp, rule.importPath)
		}
		if rule.mustReach && exists && !got {
			t.Errorf("%s exists but main does not reach %s", rule.dirs[0], rule.importPath)
		}
	}
	for dir := range dirs { // an encoding may wait for the commands that use it; a room may not
		r, ok := roomOf(dir)
		if ok && !r.support && r.floor < 50 && r.floor > 0 && !reached[dir] && !tests(tr, dir) {
			t.Errorf("%s: main does not reach this package", dir)
		}
	}
}

// tests says that a folder holds nothing but tests and a package comment.
func tests(tr *tree, dir string) bool {
	for _, f := range tr.gos {
		if f.dir == dir && !f.test && len(f.ast.Decls) > 0 {
			return false
		}
	}
	return true
}

// ownedErrors lists what a file of a package owned by one goroutine may not hold.
func ownedErrors(fset *token.FileSet, file *ast.File) []string {
	var errs []string
	say := func(n ast.Node, format string, args ...any) {
		errs = append(errs, fmt.Sprintf("line %d: %s", fset.Position(n.Pos()).Line, fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // local name -> import path
	for _, spec := range file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(p)
		if strings.HasPrefix(name, "v") && len(name) == 2 { // math/rand/v2
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
		switch {
		case p == "sync", p == "sync/atomic", p == "net", p == "crypto/rand", p == "context", p == "os/signal":
			say(spec, "imports %s", p)
		case strings.HasPrefix(p, "net/") && !pureNet[p]:
			say(spec, "imports %s", p)
		}
	}
	clock := map[string]bool{"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Sleep": true, "Tick": true, "NewTimer": true, "NewTicker": true}
	seeded := map[string]bool{"New": true, "NewSource": true, "NewPCG": true, "NewChaCha8": true, "NewZipf": true, "Rand": true, "Source": true, "Source64": true, "PCG": true, "ChaCha8": true, "Zipf": true}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n, "go statement")
		case *ast.SelectStmt:
			say(n, "select statement")
		case *ast.ChanType:
			say(n, "channel type")
		case *ast.SendStmt:
			say(n, "send on a channel")
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			switch p := names[id.Name]; {
			case p == "time" && clock[n.Sel.Name]:
				say(n, "time.%s: time is passed in", n.Sel.Name)
			case strings.HasPrefix(p, "math/rand") && !seeded[n.Sel.Name]:
				say(n, "%s.%s: randomness is passed in", p, n.Sel.Name)
			}
		}
		return true
	})
	return errs
}

func TestOwnedPackages(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.gos {
		if r, ok := roomOf(f.dir); !ok || !r.owned || f.test {
			continue
		}
		for _, e := range ownedErrors(tr.fset, f.ast) {
			t.Errorf("%s: %s", f.path, e)
		}
	}
}

func TestOwnedRule(t *testing.T) {
	const head = "package x\n"
	for _, c := range []struct {
		src  string
		want int
	}{
		{head + `import "sync"`, 1},
		{head + `import ("sync/atomic"; "net"; "net/netip"; "net/http")`, 3},
		{head + "func f() { go f() }", 1},
		{head + "func f(c chan int) {}", 1},
		{head + `import "time"` + "\nvar a = time.Now()", 1},
		{head + `import clock "time"` + "\nvar a = clock.Since", 1},
		{head + `import "time"` + "\nconst a = 3 * time.Second", 0},
		{head + `import "math/rand/v2"` + "\nvar a = rand.IntN(3)", 1},
		{head + `import "math/rand/v2"` + "\nvar a = rand.New(rand.NewPCG(1, 2))", 0},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", c.src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := ownedErrors(fset, file); len(got) != c.want {
			t.Errorf("%q: got %q, want %d errors", c.src, got, c.want)
		}
	}
}

func TestFileSizes(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.gos {
		if n := bytes.Count(tr.read(t, f.path), []byte("\n")); n > maxLines {
			t.Errorf("%s: %d lines; split it by noun (the limit is %d)", f.path, n, maxLines)
		}
	}
}

// TestNoSkippedTests: a test that skips in silence is a test that is not there.
func TestNoSkippedTests(t *testing.T) {
	tr := loadTree(t)
	for _, f := range tr.gos {
		usesTesting := false
		for _, imp := range f.imports() {
			usesTesting = usesTesting || imp == "testing"
		}
		if !usesTesting {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			id, ok := sel.X.(*ast.Ident)
			testing := ok && (id.Name == "t" || id.Name == "tb" || id.Name == "b" || id.Name == "f" || id.Name == "m")
			switch sel.Sel.Name {
			case "Skipf", "SkipNow":
				t.Errorf("%s: a test skips itself", tr.pos(f, call))
			case "Skip":
				if testing {
					t.Errorf("%s: a test skips itself", tr.pos(f, call))
				}
			}
			return true
		})
	}
}

// machinePaths finds absolute paths of somebody's own machine.
var machinePaths = regexp.MustCompile(`(^|[\s"'` + "`" + `=(:,])/(work|home|root|Users|farm)/[A-Za-z0-9_.-]`)

func TestNoMachinePaths(t *testing.T) {
	tr := loadTree(t)
	for _, rel := range tr.text {
		for i, line := range bytes.Split(tr.read(t, rel), []byte("\n")) {
			if machinePaths.Match(line) {
				t.Errorf("%s:%d: a path of one machine: %s", rel, i+1, bytes.TrimSpace(line))
			}
		}
	}
	if lie := "see /" + "home/me/x"; !machinePaths.MatchString(lie) {
		t.Errorf("the rule does not find %q", lie)
	}
}

func TestNoUnreasonedToDo(t *testing.T) {
	tr := loadTree(t)
	words := []string{"TO" + "DO", "FIX" + "ME"}
	for _, f := range tr.gos {
		for _, group := range f.ast.Comments {
			for _, w := range words {
				if strings.Contains(group.Text(), w) {
					t.Errorf("%s: %s", tr.pos(f, group), w)
				}
			}
		}
	}
}

func TestModulePath(t *testing.T) {
	tr := loadTree(t)
	first, _, _ := strings.Cut(string(tr.read(t, "go.mod")), "\n")
	if first != "module "+modulePath {
		t.Errorf("go.mod says %q, want module %s", first, modulePath)
	}
}

// TestPackageComments: each package says once what it is.
func TestPackageComments(t *testing.T) {
	has, all := map[string]bool{}, map[string]bool{}
	for _, f := range loadTree(t).gos {
		if f.test {
			continue
		}
		all[f.dir] = true
		if f.ast.Doc != nil && strings.TrimSpace(f.ast.Doc.Text()) != "" {
			has[f.dir] = true
		}
	}
	var missing []string
	for dir := range all {
		if !has[dir] {
			missing = append(missing, dir)
		}
	}
	sort.Strings(missing)
	for _, dir := range missing {
		t.Errorf("%s: no package comment", dir)
	}
}
