package docs

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

const root = "../.."

// documents are those for people, from the root.
func documents(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, glob := range []string{"*.md", "docs/*.md", "examples/*.md", "examples/*/*.md", "benchmarks/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, _ := filepath.Rel(root, f)
			list = append(list, filepath.ToSlash(rel))
		}
	}
	for _, must := range []string{"README.md", "SECURITY.md", "CHANGELOG.md", "docs/operations.md", "docs/configuration.md"} {
		if !slices.Contains(list, must) {
			t.Errorf("there is no %s", must)
		}
	}
	return list
}

// A block is a fenced block of a document.
type block struct {
	file  string
	line  int // of its first line
	kind  string
	lines []string
}

var fence = regexp.MustCompile("^\\s*```([a-z]*)\\s*$")

func blocks(t *testing.T, file string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	var open *block
	for i, l := range strings.Split(string(text), "\n") {
		m := fence.FindStringSubmatch(l)
		switch {
		case open == nil && m != nil:
			open = &block{file: file, line: i + 2, kind: m[1]}
		case open != nil && m != nil && m[1] == "":
			list = append(list, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, l)
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", file, open.line)
	}
	return list
}

// words cuts a line as a shell does, as far as the documents need: quotes, a comment behind a blank, "$(…)" and variables
// as they are.
func words(line string) []string {
	var list []string
	var b strings.Builder
	quote, in := byte(0), false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '"' && c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				list = append(list, b.String())
				b.Reset()
				in = false
			}
		case c == '#' && !in:
			return list
		case c == '|' && !in:
			list = append(list, "|")
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		list = append(list, b.String())
	}
	return list
}

// site is a master with a replica of ours, with which the commands of one block talk.
type site struct {
	t               *testing.T
	master, replica *testutil.Server
	metrics         string // host:port
	begun           bool   // the replica follows, for the block in hand
	alone           bool   // the block starts a server of its own, without a master
}

var statusLine = regexp.MustCompile(`status page on http://([0-9.:]+)/`)

// servers starts the site when it is needed first, and makes it what the block in hand expects.
func (s *site) servers() {
	s.t.Helper()
	if s.begun {
		return
	}
	s.begun = true
	if s.replica != nil {
		if s.alone {
			s.replica.Dial(s.t).Must(s.t, "REPLICAOF", "NO", "ONE")
			return
		}
		s.replica.Dial(s.t).Must(s.t, "REPLICAOF", "127.0.0.1", strconv.Itoa(s.master.Port))
		testutil.EventuallySame(s.t, 20*time.Second, s.master.Dial(s.t), s.replica.Dial(s.t))
		return
	}
	defer func() {
		if s.alone {
			s.replica.Dial(s.t).Must(s.t, "REPLICAOF", "NO", "ONE")
		}
	}()
	s.master = testutil.StartRedis(s.t)
	s.replica = testutil.StartOurs(s.t, "--metrics-addr", "127.0.0.1:0", "--replicaof", "127.0.0.1 "+strconv.Itoa(s.master.Port))
	m := statusLine.FindStringSubmatch(s.replica.Log())
	if m == nil {
		s.t.Fatal("no address of the HTTP server in the log")
	}
	s.metrics = m[1]
	mc := s.master.Dial(s.t)
	mc.Must(s.t, "SET", "greeting", "hello")
	testutil.EventuallySame(s.t, 20*time.Second, mc, s.replica.Dial(s.t))
}

// port is the port of this machine that stands for one of the documents: 6380 is the replica, others are its master.
func (s *site) port(p string) string {
	if p == "6380" {
		return strconv.Itoa(s.replica.Port)
	}
	return strconv.Itoa(s.master.Port)
}

// endless are commands of redis-cli that go on until they are interrupted.
var endless = regexp.MustCompile(`(?i)\b(subscribe|psubscribe|ssubscribe|monitor)\b|--stat|--latency|--replica|--rdb|--lru-test`)

// wrong is what a reply says to a command that should not stand in a document.
var wrong = regexp.MustCompile(`(?i)ERR unknown|wrong number of arguments|syntax error|Unrecognized option|Unknown (option|subcommand)|Unsupported CONFIG|Could not connect|NOPERM|CONFIG SET failed`)

// run runs one command line and answers what it printed.
func (s *site) run(limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.t.TempDir()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil && limit < time.Second {
		err = nil // it goes on until it is interrupted
	}
	return string(out), err
}

// ours checks a command line of the program: every directive and value must be accepted.
func (s *site) ours(args []string, stdin string) error {
	if len(args) > 0 {
		switch args[0] {
		case "--demo":
			args = args[1:]
		case "--probe":
			return nil
		case "-h", "--help", "-v", "--version":
			return nil
		}
	}
	args = slices.Clone(args)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name := args[0]
		args = args[1:]
		if !filepath.IsAbs(name) {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				return err
			}
			if err := config.New().LoadLines(name, text); err != nil {
				return err
			}
		}
	}
	for i := range args {
		if i > 0 && args[i-1] == "--dir" {
			args[i] = s.t.TempDir()
		}
	}
	return config.New().LoadArgs(args, config.Environment{Stdin: strings.NewReader(stdin)})
}

func makefile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// try tries one command line; the answer says what is wrong with it.
func (s *site) try(list []string) error {
	if len(list) > 2 && list[0] == "echo" && slices.Contains(list, "|") {
		i := slices.Index(list, "|")
		return s.program(list[i+1:], strings.Join(list[1:i], " ")+"\n")
	}
	return s.program(list, "")
}

func (s *site) program(list []string, stdin string) error {
	if slices.Contains(list, "|") {
		list = list[:slices.Index(list, "|")]
	}
	for len(list) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(list[0]) {
		list = list[1:] // variables of the environment
	}
	if len(list) == 0 {
		return nil
	}
	args := slices.Clone(list[1:])
	switch name := strings.TrimPrefix(list[0], "./"); name {
	case "redis-inmemory-replica":
		if len(args) > 1 && args[0] == "--probe" {
			s.servers()
			path, err := testutil.OursBinary()
			if err != nil {
				return err
			}
			out, err := s.run(20*time.Second, path, args[0], s.here(args[1]))
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}
		s.alone = !slices.Contains(args, "--replicaof") && !slices.Contains(args, "--demo")
		return s.ours(args, stdin)
	case "redis-server":
		// A file of redis-server's may be named that is not here; the directives are the same.
		return s.ours(args, stdin)
	case "redis-cli", "redis-benchmark":
		s.servers()
		ported := false
		for i := range args {
			switch {
			case args[i] == "-p" && i+1 < len(args):
				args[i+1] = s.port(args[i+1])
				ported = true
			case args[i] == "-n" && name == "redis-benchmark" && i+1 < len(args):
				args[i+1] = "200"
			case args[i] == "-h" && i+1 < len(args):
				args[i+1] = "127.0.0.1"
			}
		}
		if !ported {
			args = append([]string{"-p", strconv.Itoa(s.master.Port)}, args...)
		}
		if slices.Contains(args, "--tls") {
			return nil // needs the reader's certificates
		}
		limit := 20 * time.Second
		if endless.MatchString(strings.Join(args, " ")) {
			limit = 300 * time.Millisecond
		}
		out, err := s.run(limit, name, args...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if wrong.MatchString(out) {
			return fmt.Errorf("it answers %s", out)
		}
		return nil
	case "curl":
		s.servers()
		for i, a := range args {
			args[i] = s.here(a)
		}
		out, err := s.run(20*time.Second, "curl", append([]string{"--fail", "--output", os.DevNull}, args...)...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	case "make":
		text := makefile(s.t)
		for _, a := range args {
			if variable, _, ok := strings.Cut(a, "="); ok {
				if !strings.Contains(text, "$("+variable+")") && !strings.Contains(text, "$("+variable+",") {
					return fmt.Errorf("the Makefile has no variable %s", variable)
				}
			} else if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(a) + `:`).MatchString(text) {
				return fmt.Errorf("the Makefile has no target %s", a)
			}
		}
		return nil
	case "go":
		for _, a := range args {
			if p, ok := strings.CutPrefix(a, "./"); ok {
				if _, err := os.Stat(filepath.Join(root, strings.TrimSuffix(p, "..."))); err != nil {
					return err
				}
			}
		}
		return nil
	case "cd":
		_, err := os.Stat(filepath.Join(root, args[0]))
		return err
	case "docker", "kubectl":
		for i, a := range args {
			if i > 0 && args[i-1] == "-f" {
				if _, err := os.Stat(filepath.Join(root, a)); err != nil {
					return err
				}
			}
			if a == "redis-inmemory-replica" && args[0] == "run" {
				return s.ours(args[i+1:], "")
			}
		}
		return nil
	case "git", "systemctl", "journalctl", "openssl", "ssh", "sudo", "apt-get", "install", "mkdir", "export", "valkey-server", "valkey-cli", "wait", "kill":
		return nil
	}
	return fmt.Errorf("the test does not know the program %q: teach it in tests/docs", list[0])
}

// here turns an address of the documents into one of the site.
func (s *site) here(a string) string {
	return strings.Replace(a, "127.0.0.1:9121", s.metrics, 1)
}

// known are the programs whose lines are tried in blocks that are not marked as sh, too.
var known = regexp.MustCompile(`^(\./)?(redis-inmemory-replica|redis-server|redis-cli|redis-benchmark|make|curl|go (run|build|test|install|get)|docker|kubectl)( |$)`)

// usage marks lines that show a form and not a command: [OPTIONAL], <name>, and three dots.
var usage = regexp.MustCompile(`\[[A-Z-]|<[a-z]|\.\.\.$|…`)

// TestCommandLines tries every command line of the documents.
func TestCommandLines(t *testing.T) {
	tried := 0
	s := &site{t: t}
	for _, file := range documents(t) {
		for _, b := range blocks(t, file) {
			if b.kind != "sh" && b.kind != "" && b.kind != "bash" && b.kind != "console" {
				continue
			}
			s.begun, s.alone = false, false
			for i := 0; i < len(b.lines); i++ {
				line, at := strings.TrimSpace(b.lines[i]), b.line+i
				for strings.HasSuffix(line, `\`) && i+1 < len(b.lines) {
					i++
					line = strings.TrimSpace(strings.TrimSuffix(line, `\`)) + " " + strings.TrimSpace(b.lines[i])
				}
				line = strings.TrimPrefix(line, "$ ")
				if b.kind == "" && (!known.MatchString(line) || usage.MatchString(strings.SplitN(line, " #", 2)[0])) {
					continue
				}
				list := words(strings.TrimSuffix(strings.TrimSpace(line), " &"))
				if len(list) == 0 {
					continue
				}
				tried++
				if err := s.try(list); err != nil {
					t.Errorf("%s:%d: %s\n%v", b.file, at, line, err)
				}
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d command lines were found", tried)
	}
	t.Logf("%d command lines", tried)
}

// TestConfigurations loads every block of configuration.
func TestConfigurations(t *testing.T) {
	for _, file := range documents(t) {
		for _, b := range blocks(t, file) {
			if b.kind == "conf" {
				if err := config.New().LoadLines(fmt.Sprintf("%s:%d", b.file, b.line), []byte(strings.Join(b.lines, "\n"))); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	target = regexp.MustCompile("`make ([a-z][a-z-]*)[^`]*`")
	setter = regexp.MustCompile("`(?:CONFIG SET|config set) ([a-z][a-z-]+)[^`]*`")
)

// TestReferences: links lead to files and headings, and targets and directives named in running text exist.
func TestReferences(t *testing.T) {
	mk := makefile(t)
	for _, file := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" || u.Path == "" {
				continue
			}
			to := filepath.Join(root, filepath.Dir(file), u.Path)
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", file, m[1])
				continue
			}
			if u.Fragment != "" && !hasHeading(t, to, u.Fragment) {
				t.Errorf("%s: %s has no such heading", file, m[1])
			}
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(mk) {
				t.Errorf("%s: the Makefile has no target %s", file, m[1])
			}
		}
		for _, m := range setter.FindAllStringSubmatch(string(text), -1) {
			if !isDirective(m[1]) {
				t.Errorf("%s: there is no directive %s", file, m[1])
			}
		}
	}
}

func isDirective(name string) bool {
	return slices.ContainsFunc(config.New().Directives(), func(d *config.Directive) bool { return d.Name == name || d.Alias == name })
}

// hasHeading tells whether a document has a heading with the anchor that GitHub would give it.
func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		name := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestMakefileHelp: every target says what it is for, and the list of `make help` has it.
func TestMakefileHelp(t *testing.T) {
	mk := makefile(t)
	out, err := exec.Command("make", "-C", root, "--no-print-directory", "help").CombinedOutput()
	if err != nil {
		t.Fatalf("make help: %v\n%s", err, out)
	}
	for _, m := range regexp.MustCompile(`(?m)^\.PHONY: (.*)$`).FindAllStringSubmatch(mk, -1) {
		for _, name := range strings.Fields(m[1]) {
			if !regexp.MustCompile(`(?m)^\s+(\x1b\[1m)?` + name + `\s`).Match(out) {
				t.Errorf("make help does not show %s", name)
			}
		}
	}
	for _, must := range []string{"build", "run", "test", "test-short", "race", "coverage", "lint", "fuzz", "bench", "bench-compare", "profile", "docs", "release", "security-audit", "help"} {
		if !regexp.MustCompile(`(?m)^` + must + `:`).MatchString(mk) {
			t.Errorf("the Makefile has no target %s", must)
		}
	}
}

// TestLiesAreFound: the test of the documents sees what is wrong with a line.
func TestLiesAreFound(t *testing.T) {
	s := &site{t: t}
	for line, why := range map[string]string{
		"make nothing":                                "no target",
		"make run NOTHING=1":                          "no variable",
		"redis-inmemory-replica --nothing 1":          "Bad directive",
		"./redis-inmemory-replica --port many":        "",
		"redis-inmemory-replica deploy/nothing":       "no such file",
		`echo "nothing 1" | redis-inmemory-replica -`: "Bad directive",
		"redis-server --port 1 --nothing":             "",
		"redis-cli -p 6380 nosuchcommand":             "ERR unknown",
		"redis-cli -p 6380 config set nothing 1":      "CONFIG SET",
		"redis-cli -p 6380 get":                       "wrong number",
		"curl -s http://127.0.0.1:9121/nothing":       "exit status 22",
		"docker build -f nothing .":                   "no such file",
		"go run ./nothing":                            "no such file",
		"unheard-of 1":                                "does not know",
	} {
		err := s.try(words(line))
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", line, err, why)
		}
	}
	if got := words(`a 'b c'  "d\"e" # comment`); !slices.Equal(got, []string{"a", "b c", `d"e`}) {
		t.Errorf("words: %q", got)
	}
}
