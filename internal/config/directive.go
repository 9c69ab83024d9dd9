package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind tells how a directive's value is written.
type Kind uint8

// The kinds of directives.
const (
	Bool     Kind = iota // yes or no
	Int                  // whole number in a range
	Memory               // bytes, with an optional unit
	MemoryPc             // bytes with an optional unit, or a percentage such as 5%
	Octal                // octal number, for file modes
	Enum                 // one word of a list
	EnumSet              // several words of a list
	String               // any text
	Special              // a syntax of its own
)

var kindNames = [...]string{"yes/no", "integer", "memory", "memory or percentage", "octal", "one of", "any of", "string", "special"}

// String is the kind's name in the documentation.
func (k Kind) String() string { return kindNames[k] }

// Flags are the properties of a directive.
type Flags uint16

// The flags of directives.
const (
	Immutable   Flags = 1 << iota // only in the file or on the command line, not by CONFIG SET
	Hidden                        // CONFIG GET reports it by its exact name only
	Sensitive                     // a secret: never shown in logs or error messages
	Protected                     // CONFIG SET needs enable-protected-configs
	DenyLoading                   // CONFIG SET is refused while a dataset is being loaded
	MultiArg                      // takes several arguments
	Volatile                      // hooks run even when CONFIG SET does not change the value (files may have)
	NoEffect                      // accepted and reported, without a meaning in this server
	Own                           // not a directive of Redis
	Pending                       // belongs to a feature that this version does not have yet; see pending.go
)

// Directive is one row of the registry. The exported fields describe it; they are not to be changed.
type Directive struct {
	Name    string
	Alias   string // older name, or ""
	Section string // heading in the documentation
	Kind    Kind
	Flags   Flags
	Default string // as CONFIG GET reports it
	Range   string // limits or words, for the documentation
	Doc     string
	UsedBy  string // the component that reads it; "" for directives without effect
	Env     string // environment variable that can give the value, or ""

	emptyOK   bool                                          // an empty String is a value, not an unset one
	binary    bool                                          // a String may hold NUL bytes
	set       func(args []string) (changed bool, err error) // check and store
	get       func() string                                 // as CONFIG GET
	lines     func() []string                               // arguments of each line in a file; none: not written
	isDefault func() bool
	mustWrite func(line int) bool // whether a line is added to a file without it; nil: unless isDefault
	snapshot  func() (restore func())
	apply     func() error // built-in work after CONFIG SET
	hooks     []*hook
}

// replyText is an error whose text clients and operators know from Redis, capitals and full stops included.
type replyText string

func (e replyText) Error() string { return string(e) }

// Refuse makes an error whose text stands in a reply to a client as it is: the veto of an OnChange hook.
func Refuse(format string, args ...any) error { return replyText(fmt.Sprintf(format, args...)) }

// hook is one OnChange registration; it may stand at several directives and runs once a CONFIG SET.
type hook struct{ fn func() error }

func (d *Directive) is(f Flags) bool { return d.Flags&f != 0 }

// Modifiers of a row, chained behind its constructor.

func (d *Directive) alias(name string) *Directive { d.Alias = name; return d }
func (d *Directive) by(user string) *Directive    { d.UsedBy = user; return d }
func (d *Directive) with(f Flags) *Directive      { d.Flags |= f; return d }
func (d *Directive) env(name string) *Directive   { d.Env = name; return d }
func (d *Directive) orEmpty() *Directive          { d.emptyOK = true; return d }
func (d *Directive) raw() *Directive              { d.binary = true; return d }
func (d *Directive) applies(fn func() error) *Directive {
	d.apply = fn
	return d
}

// number is the set of field types a numeric or enumerated row can be bound to.
type number interface {
	~int | ~int64 | ~uint64 | ~uint32
}

// snapshotOf returns the snapshot function of a row that is bound to one field.
func snapshotOf[T any](p *T) func() func() {
	return func() func() {
		old := *p
		return func() { *p = old }
	}
}

// section starts a new heading for the rows that follow.
func (r *Registry) section(name string) { r.heading = name }

func (r *Registry) add(d *Directive) *Directive {
	d.Section = r.heading
	r.rows = append(r.rows, d)
	return d
}

// bool adds a yes/no row.
func (r *Registry) bool(name string, p *bool, def bool, doc string) *Directive {
	*p = def
	d := &Directive{Name: name, Kind: Bool, Default: yesNo(def), Range: "yes, no", Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return yesNo(*p) }
	d.isDefault = func() bool { return *p == def }
	d.lines = func() []string { return []string{yesNo(*p)} }
	d.set = func(args []string) (bool, error) {
		v, ok := parseYesNo(args[0])
		if !ok {
			return false, replyText("argument must be 'yes' or 'no'")
		}
		changed := *p != v
		*p = v
		return changed, nil
	}
	return r.add(d)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func parseYesNo(s string) (v, ok bool) {
	switch s = cString(s); {
	case strings.EqualFold(s, "yes"):
		return true, true
	case strings.EqualFold(s, "no"):
		return false, true
	}
	return false, false
}

// bounds of a numeric row. Redis checks unsigned settings in 64-bit unsigned arithmetic, where a negative argument is
// a huge one, and prints the limits accordingly.
type bounds struct {
	lo, hi   int64
	unsigned bool
	octal    bool
	percent  bool
}

func signed(lo, hi int64) bounds   { return bounds{lo: lo, hi: hi} }
func unsigned(lo, hi int64) bounds { return bounds{lo: lo, hi: hi, unsigned: true} }

const (
	maxInt  = math.MaxInt32 // the largest of Redis's int settings
	maxLong = math.MaxInt64
	noLimit = -1 // as an unsigned bound: the largest 64-bit number
)

func (b bounds) String() string {
	switch {
	case b.octal:
		return fmt.Sprintf("%o to %o", b.lo, b.hi)
	case b.percent:
		return fmt.Sprintf("0 to %d, or 0%% to %d%%", b.hi, -b.lo)
	case b.unsigned:
		return fmt.Sprintf("%d to %d", uint64(b.lo), uint64(b.hi))
	}
	return fmt.Sprintf("%d to %d", b.lo, b.hi)
}

func (b bounds) check(n int64) error {
	switch {
	case b.unsigned && (uint64(n) < uint64(b.lo) || uint64(n) > uint64(b.hi)):
		if b.octal {
			return Refuse("argument must be between %o and %o inclusive", uint64(b.lo), uint64(b.hi))
		}
		return Refuse("argument must be between %d and %d inclusive", uint64(b.lo), uint64(b.hi))
	case b.unsigned:
		return nil
	case b.percent && n < 0:
		if n < b.lo {
			return Refuse("percentage argument must be less or equal to %d", -b.lo)
		}
		return nil
	case n < b.lo || n > b.hi:
		return Refuse("argument must be between %d and %d inclusive", b.lo, b.hi)
	}
	return nil
}

// numeric builds the rows of whole numbers; parse and format belong to the kind. A percentage is held as a negative
// number.
func numeric[T number](r *Registry, kind Kind, name string, p *T, b bounds, def T, doc string) *Directive {
	*p = def
	d := &Directive{Name: name, Kind: kind, Range: b.String(), Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return formatNumber(kind, int64(*p)) }
	d.Default = d.get()
	d.isDefault = func() bool { return *p == def }
	d.lines = func() []string {
		n := int64(*p)
		switch {
		case kind == Memory, kind == MemoryPc && n >= 0:
			return []string{formatMemory(n)}
		}
		return []string{formatNumber(kind, n)}
	}
	d.set = func(args []string) (bool, error) {
		n, err := parseNumber(kind, args[0])
		if err == nil {
			err = b.check(n)
		}
		if err != nil {
			return false, err
		}
		changed := *p != T(n)
		*p = T(n)
		return changed, nil
	}
	return r.add(d)
}

func formatNumber(kind Kind, n int64) string {
	switch {
	case kind == MemoryPc && n < 0:
		return strconv.FormatInt(-n, 10) + "%"
	case kind == Memory || kind == MemoryPc:
		return strconv.FormatUint(uint64(n), 10)
	case kind == Octal:
		return strconv.FormatUint(uint64(n), 8)
	}
	return strconv.FormatInt(n, 10)
}

func parseNumber(kind Kind, s string) (int64, error) {
	switch kind {
	case Memory, MemoryPc:
		if n, ok := ParseMemory(cString(s)); ok {
			return int64(n), nil
		}
		if kind == Memory {
			return 0, replyText("argument must be a memory value")
		}
		if pc, found := strings.CutSuffix(s, "%"); found {
			if n, ok := ParseInt(pc); ok && n >= 0 {
				return -n, nil
			}
		}
		return 0, replyText("argument must be a memory or percent value")
	case Octal:
		if n, saturated, ok := looseInt(s, 8); ok && !saturated {
			return n, nil
		}
		return 0, replyText("argument couldn't be parsed as an octal number")
	}
	if n, ok := ParseInt(s); ok {
		return n, nil
	}
	return 0, replyText("argument couldn't be parsed into an integer")
}

// integer adds a row for a whole number.
func integer[T number](r *Registry, name string, p *T, b bounds, def T, doc string) *Directive {
	return numeric(r, Int, name, p, b, def, doc)
}

// memory adds a row for a number of bytes.
func memory[T number](r *Registry, name string, p *T, b bounds, def T, doc string) *Directive {
	return numeric(r, Memory, name, p, b, def, doc)
}

// word is one word of an enumeration with its value. Two words may share a value: the first is the one reported.
type word struct {
	name  string
	value int
}

// words numbers its arguments 0, 1, 2, ...
func words(names ...string) []word {
	w := make([]word, len(names))
	for i, n := range names {
		w[i] = word{n, i}
	}
	return w
}

// enum adds a row for one word of a list.
func enum[T ~int](r *Registry, name string, p *T, list []word, def T, doc string) *Directive {
	return enumRow(r, Enum, name, p, list, def, doc)
}

// enumSet adds a row for any words of a list, whose values are bits.
func enumSet[T ~int](r *Registry, name string, p *T, list []word, def T, doc string) *Directive {
	return enumRow(r, EnumSet, name, p, list, def, doc).with(MultiArg)
}

func enumRow[T ~int](r *Registry, kind Kind, name string, p *T, list []word, def T, doc string) *Directive {
	*p = def
	d := &Directive{Name: name, Kind: kind, Range: wordList(list), Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return wordsOf(list, int(*p)) }
	d.Default = d.get()
	d.isDefault = func() bool { return *p == def }
	d.lines = func() []string { return []string{d.get()} }
	d.set = func(args []string) (bool, error) {
		if len(args) == 0 || kind == Enum && len(args) != 1 {
			return false, errWord(list)
		}
		n := 0
		for _, arg := range args {
			v, ok := findWord(list, arg)
			if !ok {
				return false, errWord(list)
			}
			n |= v
		}
		changed := *p != T(n)
		*p = T(n)
		return changed, nil
	}
	return r.add(d)
}

func wordList(list []word) string {
	names := make([]string, len(list))
	for i, w := range list {
		names[i] = w.name
	}
	return strings.Join(names, ", ")
}

func errWord(list []word) error {
	return replyText("argument(s) must be one of the following: " + wordList(list))
}

func findWord(list []word, s string) (value int, ok bool) {
	s = cString(s)
	for _, w := range list {
		if strings.EqualFold(w.name, s) {
			return w.value, true
		}
	}
	return 0, false
}

// wordsOf names a value: the word that is exactly it, else the words of its bits in the list's order.
func wordsOf(list []word, value int) string {
	var names []string
	rest := value
	for _, w := range list {
		if w.value == value {
			return w.name
		}
		if w.value != 0 && rest&w.value == w.value {
			names = append(names, w.name)
			rest &^= w.value
		}
	}
	if rest != 0 || len(names) == 0 {
		panic(fmt.Sprintf("config: value %d has no words in %s", value, wordList(list)))
	}
	return strings.Join(names, " ")
}

// text adds a row for a string. An empty one counts as unset where the default is empty, unless orEmpty follows: it is
// then taken out of the file by CONFIG REWRITE. check may be nil.
func (r *Registry) text(name string, p *string, def string, check func(string) error, doc string) *Directive {
	*p = def
	d := &Directive{Name: name, Kind: String, Default: def, Doc: doc, snapshot: snapshotOf(p)}
	d.get = func() string { return *p }
	d.isDefault = func() bool { return *p == def }
	d.lines = func() []string {
		if *p == "" && def == "" && !d.emptyOK {
			return nil
		}
		return []string{Quote(*p)}
	}
	d.set = func(args []string) (bool, error) {
		s := args[0]
		if !d.binary {
			s = cString(s)
		}
		if check != nil {
			if err := check(s); err != nil {
				return false, err
			}
		}
		changed := *p != s
		*p = s
		return changed, nil
	}
	return r.add(d)
}
