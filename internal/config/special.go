package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Rows with a syntax of their own.

var errArgCount = replyText("wrong number of arguments")

// defaultBind is every IPv4 address, and every IPv6 one where there are any.
var defaultBind = []string{"*", "-::*"}

const maxBind = 16

func bindRow(r *Registry, name string, p *[]string, doc string) *Directive {
	*p = defaultBind
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg, Range: "address ...", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return strings.Join(*p, " ") }
	d.Default = d.get()
	d.isDefault = func() bool { return slices.Equal(*p, defaultBind) }
	d.lines = func() []string {
		switch {
		case d.isDefault():
			return nil
		case len(*p) == 0:
			return []string{`""`}
		}
		return []string{d.get()}
	}
	d.set = func(args []string) (bool, error) {
		if len(args) > maxBind {
			return false, replyText("Too many bind addresses specified.")
		}
		if len(args) == 1 && args[0] == "" {
			args = nil
		}
		addrs := make([]string, len(args))
		for i, a := range args {
			addrs[i] = cString(a)
		}
		*p = addrs
		return true, nil
	}
	return r.add(d)
}

// clientClasses are the words of client-output-buffer-limit in the order of Values.ClientOutput.
var clientClasses = [3]string{"normal", "slave", "pubsub"}

func clientClass(name string) (class int, ok bool) {
	switch strings.ToLower(cString(name)) {
	case "normal":
		return ClientNormal, true
	case "slave", "replica":
		return ClientReplica, true
	case "pubsub":
		return ClientPubsub, true
	}
	return 0, false
}

func outputLimitRow(r *Registry, name string, p *[3]OutputLimit, doc string) *Directive {
	def := [3]OutputLimit{{}, {256 << 20, 64 << 20, 60}, {32 << 20, 8 << 20, 60}}
	*p = def
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg, Range: "class hard soft seconds ...", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string {
		parts := make([]string, len(p))
		for i, l := range p {
			parts[i] = fmt.Sprintf("%s %d %d %d", clientClasses[i], uint64(l.Hard), uint64(l.Soft), l.SoftSeconds)
		}
		return strings.Join(parts, " ")
	}
	d.Default = d.get()
	d.isDefault = func() bool { return *p == def }
	d.mustWrite = func(class int) bool { return p[class] != def[class] }
	d.lines = func() []string {
		lines := make([]string, len(p))
		for i, l := range p {
			class := clientClasses[i]
			if i == ClientReplica {
				class = "replica"
			}
			lines[i] = fmt.Sprintf("%s %s %s %d", class, formatMemory(l.Hard), formatMemory(l.Soft), l.SoftSeconds)
		}
		return lines
	}
	d.set = func(args []string) (bool, error) {
		if len(args)%4 != 0 {
			return false, replyText("Wrong number of arguments in buffer limit configuration.")
		}
		limits := *p
		for ; len(args) > 0; args = args[4:] {
			class, ok := clientClass(args[0])
			if !ok {
				return false, replyText("Invalid client class specified in buffer limit configuration.")
			}
			hard, ok1 := ParseMemory(cString(args[1]))
			soft, ok2 := ParseMemory(cString(args[2]))
			seconds, _, ok3 := looseInt(args[3], 10)
			// Redis keeps the seconds in 32 bits, and checks them there.
			if !ok1 || !ok2 || !ok3 || int32(seconds) < 0 {
				return false, replyText("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
			}
			limits[class] = OutputLimit{int64(hard), int64(soft), int(int32(seconds))}
		}
		*p = limits
		return true, nil
	}
	return r.add(d)
}

func saveRow(r *Registry, name string, p *[]SavePoint, doc string) *Directive {
	def := []SavePoint{{3600, 1}, {300, 100}, {60, 10000}}
	*p = def
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg, Range: "seconds changes ...", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return strings.Join(savePoints(*p), " ") }
	d.Default = d.get()
	d.isDefault = func() bool { return slices.Equal(*p, def) }
	d.mustWrite = func(int) bool { return true } // so that the defaults never come back
	d.lines = func() []string {
		if len(*p) == 0 {
			return []string{`""`}
		}
		return savePoints(*p)
	}
	d.set = func(args []string) (bool, error) {
		// In a file the first line replaces the defaults and the others add to it; "" forgets those before it.
		var points []SavePoint
		if r.loading {
			if r.saveSeen {
				points = slices.Clone(*p)
			}
			r.saveSeen = true
		}
		if len(args) == 1 && cString(args[0]) == "" {
			points, args = nil, nil
		}
		if len(args)%2 != 0 {
			return false, replyText("Invalid save parameters")
		}
		for ; len(args) > 0; args = args[2:] {
			seconds, _, ok1 := looseInt(args[0], 10)
			changes, _, ok2 := looseInt(args[1], 10)
			if !ok1 || !ok2 || seconds < 1 || changes < 0 {
				return false, replyText("Invalid save parameters")
			}
			points = append(points, SavePoint{seconds, int(int32(changes))})
		}
		*p = points
		return true, nil
	}
	return r.add(d)
}

func savePoints(points []SavePoint) []string {
	out := make([]string, len(points))
	for i, sp := range points {
		out[i] = fmt.Sprintf("%d %d", sp.Seconds, sp.Changes)
	}
	return out
}

func oomScoresRow(r *Registry, name, doc string) *Directive {
	def := [3]int{0, 200, 800}
	p := new([3]int)
	*p = def
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg, Range: "three of -2000 to 2000", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return fmt.Sprintf("%d %d %d", p[0], p[1], p[2]) }
	d.Default = d.get()
	d.isDefault = func() bool { return *p == def }
	d.lines = func() []string { return []string{d.get()} }
	d.set = func(args []string) (bool, error) {
		if len(args) != len(p) {
			return false, errArgCount
		}
		var scores [3]int
		for i, arg := range args {
			n, _, ok := looseInt(arg, 10)
			if !ok || n < -2000 || n > 2000 {
				return false, replyText("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
			}
			scores[i] = int(n)
		}
		changed := *p != scores
		*p = scores
		return changed, nil
	}
	return r.add(d)
}

// eventLetters are the letters of notify-keyspace-events as the error message lists them.
const eventLetters = "Ag$lshzxeKEtmdn"

// eventOrder pairs letters and classes in the order in which the value is reported.
var eventOrder = []struct {
	letter byte
	class  EventClasses
}{
	{'g', NotifyGeneric}, {'$', NotifyString}, {'l', NotifyList}, {'s', NotifySet}, {'h', NotifyHash}, {'z', NotifyZset},
	{'x', NotifyExpired}, {'e', NotifyEvicted}, {'t', NotifyStream}, {'d', NotifyModule}, {'n', NotifyNew},
	{'K', NotifyKeyspace}, {'E', NotifyKeyevent}, {'m', NotifyKeyMiss},
}

// ParseEvents reads the letters of notify-keyspace-events.
func ParseEvents(s string) (e EventClasses, ok bool) {
	for i := 0; i < len(s); i++ {
		class := EventClasses(0)
		if s[i] == 'A' {
			class = NotifyAll
		}
		for _, o := range eventOrder {
			if o.letter == s[i] {
				class = o.class
			}
		}
		if class == 0 {
			return 0, false
		}
		e |= class
	}
	return e, true
}

// String writes the classes as CONFIG GET does: A in the place of the classes it stands for, which hides n.
func (e EventClasses) String() string {
	var b []byte
	rest := e
	if e&NotifyAll == NotifyAll {
		b = append(b, 'A')
		rest &^= NotifyAll | NotifyNew
	}
	for _, o := range eventOrder {
		if rest&o.class != 0 {
			b = append(b, o.letter)
		}
	}
	return string(b)
}

func eventsRow(r *Registry, name string, p *EventClasses, doc string) *Directive {
	*p = 0
	d := &Directive{Name: name, Kind: Special, Range: "letters", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return p.String() }
	d.isDefault = func() bool { return *p == 0 }
	d.lines = func() []string { return []string{Quote(p.String())} }
	d.set = func(args []string) (bool, error) {
		if len(args) != 1 {
			return false, errArgCount
		}
		e, ok := ParseEvents(cString(args[0]))
		if !ok {
			return false, replyText("Invalid event class character. Use '" + eventLetters + "'.")
		}
		*p = e
		return true, nil
	}
	return r.add(d)
}

func percentilesRow(r *Registry, name string, p *[]float64, doc string) *Directive {
	def := []float64{50, 99, 99.9}
	*p = def
	d := &Directive{Name: name, Kind: Special, Flags: MultiArg, Range: "0 to 100 ...", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string {
		parts := make([]string, len(*p))
		for i, f := range *p {
			parts[i] = formatPercentile(f)
		}
		return strings.Join(parts, " ")
	}
	d.Default = d.get()
	d.isDefault = func() bool { return slices.Equal(*p, def) }
	d.mustWrite = func(int) bool { return true } // so that the defaults never come back
	d.lines = func() []string {
		if len(*p) == 0 {
			return []string{`""`}
		}
		return []string{d.get()}
	}
	d.set = func(args []string) (bool, error) {
		if len(args) == 1 && args[0] == "" {
			args = nil
		}
		list := make([]float64, len(args))
		for i, arg := range args {
			f, ok := parsePercentile(arg)
			if !ok {
				return false, replyText("Invalid latency-tracking-info-percentiles parameters")
			}
			if f > 100 || f < 0 {
				return false, replyText("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
			}
			list[i] = f
		}
		*p = list
		return true, nil
	}
	return r.add(d)
}

// parsePercentile reads a number as C's strtod would: decimal or hexadecimal, inf and infinity, no blanks and no
// underscores.
func parsePercentile(s string) (float64, bool) {
	if strings.ContainsRune(s, '_') {
		return 0, false
	}
	text := s
	if low := strings.ToLower(strings.TrimLeft(s, "+-")); strings.HasPrefix(low, "0x") && !strings.Contains(low, "p") {
		text += "p0" // Go wants the exponent that C leaves out
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != f {
		return 0, false
	}
	return f, true
}

// formatPercentile writes up to six decimals without trailing zeros.
func formatPercentile(f float64) string {
	s := strings.TrimRight(strconv.FormatFloat(f, 'f', 6, 64), "0")
	return strings.TrimSuffix(s, ".")
}

// dirRow is the working directory. Redis changes to it at once; this registry only keeps the name, since it may live
// inside another program: Path makes relative names absolute, and the server's main may change to it.
func dirRow(r *Registry, p *string) *Directive {
	*p = workingDir()
	d := &Directive{Name: "dir", Kind: Special, Flags: Protected | DenyLoading, Range: "directory", Default: "the working directory",
		Doc: "Directory of the files that the server reads and writes; relative names of other directives start there.", snapshot: snapshotOf(p)}
	d.get = func() string { return *p }
	d.isDefault = func() bool { return false }
	d.lines = func() []string { return []string{Quote(*p)} }
	d.set = func(args []string) (bool, error) {
		if len(args) != 1 {
			return false, errArgCount
		}
		dir, err := resolveDir(*p, cString(args[0]))
		if err != nil {
			return false, err
		}
		*p = dir
		return true, nil
	}
	return r.add(d)
}

func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// resolveDir makes dir absolute and checks that it is a directory; the error has the system's text alone.
func resolveDir(base, dir string) (string, error) {
	if dir == "" {
		return "", replyText("No such file or directory")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(base, dir)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", replyText(systemText(err))
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", replyText(systemText(err))
	}
	if !info.IsDir() {
		return "", replyText("Not a directory")
	}
	return real, nil
}

// Path makes the name of a file absolute, by the directive dir. The empty name stays empty.
func (v *Values) Path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(v.Dir, name)
}

func replicaofRow(r *Registry, v *Values) *Directive {
	type master struct {
		host string
		port int
	}
	d := &Directive{Name: "replicaof", Kind: Special, Flags: MultiArg | Immutable, Range: "host port, or no one", Doc: "Master to follow. Without one the server is writable on its own; the command REPLICAOF changes it at run time."}
	d.snapshot = func() func() {
		old := master{v.MasterHost, v.MasterPort}
		return func() { v.MasterHost, v.MasterPort = old.host, old.port }
	}
	d.get = func() string {
		if v.MasterHost == "" {
			return ""
		}
		return fmt.Sprintf("%s %d", v.MasterHost, v.MasterPort)
	}
	d.isDefault = func() bool { return false }
	d.lines = func() []string {
		if v.MasterHost == "" {
			return nil
		}
		return []string{d.get()}
	}
	d.set = func(args []string) (bool, error) {
		if len(args) != 2 {
			return false, errArgCount
		}
		v.MasterHost = ""
		if strings.EqualFold(args[0], "no") && strings.EqualFold(args[1], "one") {
			return true, nil
		}
		port, _, ok := looseInt(args[1], 10)
		if !ok || port < 0 || port > 65535 {
			return false, replyText("Invalid master port")
		}
		v.MasterHost, v.MasterPort = args[0], int(port)
		return true, nil
	}
	return r.add(d)
}
