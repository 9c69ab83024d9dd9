package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Position is where a directive was read.
type Position struct {
	Source string // file name, "standard input" or "command line"
	Line   int    // from 1
	Text   string // the line itself, secrets removed
}

// LineError tells which line of the configuration is wrong. Its text is the block that the server prints before it
// gives up.
type LineError struct {
	Position
	Reason string
}

// Error is the whole block, without a final newline.
func (e *LineError) Error() string {
	return fmt.Sprintf("*** FATAL CONFIG FILE ERROR ***\nReading the configuration (%s), at line %d\n>>> '%s'\n%s", e.Source, e.Line, e.Text, e.Reason)
}

// Errorf makes the error of a line that only a later step found wrong, such as a `user` line.
func (p Position) Errorf(format string, args ...any) error {
	return &LineError{p, fmt.Sprintf(format, args...)}
}

// What LoadArgs returns when the command line asks for a text instead of a server.
var (
	ErrHelp    = errors.New("help requested")
	ErrVersion = errors.New("version requested")
)

// Environment of a command line, so that tests can give their own.
type Environment struct {
	Stdin  io.Reader                        // read for the argument "-"; may be nil
	Lookup func(name string) (string, bool) // environment variables; may be nil
}

// ProcessEnvironment is the standard input and the variables of this process.
func ProcessEnvironment() Environment { return Environment{os.Stdin, os.LookupEnv} }

// LoadArgs reads a command line in redis-server's form, without the program's name:
//
//	[FILE] [-] [--directive value ...] ...
//
// The file is read first, then the environment's secrets, then standard input if asked for by a first or last "-", then
// the directives, so that later ones win. Values follow their directive as further arguments or within the same one
// ("--port 6380"); an argument that starts with -- is a value only where the directive before it has none yet.
// `--save` without a value means --save "". The first argument may be -h, --help, -v or --version: ErrHelp, ErrVersion.
func (r *Registry) LoadArgs(args []string, env Environment) error {
	if len(args) > 0 {
		switch args[0] {
		case "-h", "--help":
			return ErrHelp
		case "-v", "--version":
			return ErrVersion
		}
	}
	file := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		file = args[0]
	}
	lines, fromStdin := argLines(args, file != "")

	r.loading = true
	defer func() { r.loading = false }()
	if file != "" {
		if err := r.LoadFile(file); err != nil {
			return err
		}
	}
	if err := r.loadEnvironment(env.Lookup); err != nil {
		return err
	}
	if fromStdin && env.Stdin != nil {
		text, err := io.ReadAll(env.Stdin)
		if err != nil {
			return fmt.Errorf("reading the configuration from standard input: %w", err)
		}
		if err := r.loadText("standard input", text); err != nil {
			return err
		}
	}
	if err := r.loadText("command line", []byte(strings.Join(lines, "\n"))); err != nil {
		return err
	}
	return r.finish()
}

// argLines turns arguments into the lines of a configuration file, by redis-server's rules.
func argLines(args []string, file bool) (lines []string, fromStdin bool) {
	i := 0
	if file {
		i = 1
	}
	complete := true // the last directive has a value, so that -- starts the next one
	for ; i < len(args); i++ {
		arg := args[i]
		if arg == "-" && (i == 0 || i == len(args)-1) {
			fromStdin = true
			continue
		}
		if !complete || !strings.HasPrefix(arg, "--") {
			if len(lines) == 0 {
				lines = append(lines, "")
			}
			lines[len(lines)-1] += Quote(arg) + " "
			complete = true
			continue
		}
		line := arg[2:] + " "
		if words, _ := SplitArgs(arg); len(words) == 1 {
			complete = false
			last := i == len(args)-1
			if strings.EqualFold(arg, "--save") && (last || strings.HasPrefix(args[i+1], "--")) {
				line += `""`
				complete = true
			}
		}
		lines = append(lines, line)
	}
	return lines, fromStdin
}

// loadEnvironment takes secrets from environment variables, so that they need not stand in a file or in the process
// list. Errors name the variable and never its value.
func (r *Registry) loadEnvironment(lookup func(string) (string, bool)) error {
	if lookup == nil {
		return nil
	}
	for _, d := range r.rows {
		if d.Env == "" {
			continue
		}
		value, ok := lookup(d.Env)
		if !ok {
			continue
		}
		if _, err := d.set([]string{value}); err != nil {
			return fmt.Errorf("environment variable %s: %w", d.Env, err)
		}
		r.fromEnv[d] = value
	}
	return nil
}

// LoadFile reads a redis.conf file. A name with * ? or [ is a glob: all files that match are read in the order of their
// names, and none is no error. The first file that is read becomes ConfigFile.
func (r *Registry) LoadFile(name string) error {
	if name == "" {
		return replyText("can't open config file '': No such file or directory")
	}
	path := r.Values.Path(name)
	if r.ConfigFile == "" {
		r.ConfigFile = path
	}
	paths := []string{path}
	if strings.ContainsAny(path, "*?[") {
		found, err := filepath.Glob(path)
		if err != nil {
			return nil // a malformed glob matches nothing
		}
		slices.Sort(found)
		paths = found
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return fmt.Errorf("can't open config file '%s': %s", p, systemText(err))
		}
		if err := r.LoadLines(p, text); err != nil {
			return err
		}
	}
	return nil
}

// LoadLines reads directives from text, which name identifies in errors. It may be called several times; later values
// win. A wrong line gives a *LineError; the lines before it have been applied.
func (r *Registry) LoadLines(name string, text []byte) error {
	was := r.loading
	r.loading = true
	defer func() { r.loading = was }()
	if err := r.loadText(name, text); err != nil {
		return err
	}
	if was {
		return nil
	}
	return r.finish()
}

func (r *Registry) loadText(name string, text []byte) error {
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		at := Position{Source: name, Line: i + 1, Text: line}
		args, ok := SplitArgs(line)
		if !ok {
			at.Text = r.redactRaw(line)
			return &LineError{at, "Unbalanced quotes in configuration line"}
		}
		if len(args) == 0 {
			continue
		}
		args[0] = strings.ToLower(args[0])
		at.Text = r.redact(line, args)
		if err := r.loadLine(at, args); err != nil {
			var known *LineError
			if errors.As(err, &known) {
				return err // from an included file
			}
			return &LineError{at, err.Error()}
		}
	}
	return nil
}

func (r *Registry) loadLine(at Position, args []string) error {
	name, args := args[0], args[1:]
	if d := r.byName[name]; d != nil {
		return r.loadDirective(d, args)
	}
	switch {
	case name == "include" && len(args) == 1:
		return r.include(args[0])
	case name == "rename-command" && len(args) == 2:
		r.Values.RenamedCommands = append(slices.Clone(r.Values.RenamedCommands), RenamedCommand{args[0], args[1], at})
		return nil
	case name == "user" && len(args) >= 1:
		r.Values.Users = append(slices.Clone(r.Values.Users), UserLine{args, at})
		return nil
	case name == "loadmodule" && len(args) >= 1:
		r.markIdle(name)
		return nil
	case strings.Contains(name, "."):
		if len(args) == 0 {
			return replyText("Module config specified without value")
		}
		r.modules = append(r.modules, directiveLine{name, at})
		return nil
	case name == "sentinel":
		return replyText("sentinel directive while not in sentinel mode")
	case slices.Contains(obsolete, name) && len(args) == 1:
		r.markIdle(name)
		return nil
	}
	return replyText("Bad directive or wrong number of arguments")
}

// obsolete directives are accepted by Redis 7.0, without a meaning there either.
var obsolete = []string{"list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"}

func (r *Registry) loadDirective(d *Directive, args []string) error {
	switch {
	case !d.is(MultiArg) && len(args) != 1:
		return errArgCount
	case d.is(MultiArg) && len(args) == 1 && args[0] != "":
		// All arguments may stand in one: --bind "127.0.0.1 ::1".
		args, _ = SplitArgs(args[0])
	}
	if _, err := d.set(args); err != nil {
		return err
	}
	delete(r.fromEnv, d)
	if d.is(NoEffect | Pending) {
		r.markIdle(d.Name)
	}
	return nil
}

// maxIncludeDepth stops files that include each other.
const maxIncludeDepth = 64

func (r *Registry) include(name string) error {
	if r.depth >= maxIncludeDepth {
		return fmt.Errorf("files are included more than %d deep", maxIncludeDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	return r.LoadFile(name)
}

// finish checks what only the whole configuration can tell.
func (r *Registry) finish() error {
	clampHz(r.Values)
	if _, loads := r.idle["loadmodule"]; !loads && len(r.modules) > 0 {
		return r.modules[0].at.Errorf("Bad directive or wrong number of arguments (no module is loaded that could know it)")
	}
	for _, m := range r.modules {
		r.markIdle(m.name)
	}
	r.modules = nil
	if v := r.Values; v.LogFile != "" {
		f, err := os.OpenFile(v.Path(v.LogFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return Refuse("Can't open the log file: %s", systemText(err))
		}
		return f.Close()
	}
	return nil
}

// secretDirectives holds, besides the rows marked Sensitive, the directives whose lines can contain a password.
var secretDirectives = []string{"user"}

// redact returns the line for error messages, with the arguments of secret directives left out; so are those of an
// unknown one that is likely to be a secret one misspelt.
func (r *Registry) redact(line string, args []string) string {
	if len(args) < 2 {
		return line
	}
	name := args[0]
	misspelt := r.byName[name] == nil && (strings.Contains(name, "pass") || strings.Contains(name, "auth"))
	if misspelt || r.IsSensitive(name) || slices.Contains(secretDirectives, name) {
		return name + " (hidden)"
	}
	return line
}

// redactRaw does so for a line that cannot be split.
func (r *Registry) redactRaw(line string) string {
	name := strings.ToLower(strings.Trim(line, `"' `))
	if i := strings.IndexAny(name, " \t\"'"); i >= 0 {
		name = name[:i]
	}
	return r.redact(line, []string{name, ""})
}

// systemText is the system's own words for an I/O error, as C's strerror has them.
func systemText(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		s := errno.Error()
		return strings.ToUpper(s[:1]) + s[1:]
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	}
	return err.Error()
}
