package commands

import (
	"fmt"
	"strconv"
	"strings"
)

// A small language for the arguments that COMMAND DOCS reports, close to the way
// in which synopses are written, so that a row reads like a manual page:
//
//	key#0                    a key, found by the row's key spec 0
//	value                    a string
//	count:int                a typed argument: int, double, pattern, unixtime
//	KEEPTTL                  a bare word ("pure token"), named keepttl
//	change=CH                a bare word with another name
//	EX seconds:int           an argument behind a word
//	name<NX | XX>            one of several
//	name(offset:int …)       a block, all of them in order
//	[arg]                    optional
//	arg...                   may be repeated
//	[GET arg]...             may be repeated together with its word
//	arg@6.2.0  arg!6.2.0     since, deprecated since
//	'ip:port'                quotes for odd names
//	"~"  approximately="~"   quotes for words that are not capitals
//
// A word is the token of the argument that follows it directly, unless that is
// in brackets or the word has a version of its own.

// ArgType is the type of an argument.
type ArgType uint8

const (
	ArgString ArgType = iota
	ArgInteger
	ArgDouble
	ArgKey
	ArgPattern
	ArgUnixTime
	ArgPureToken
	ArgOneOf
	ArgBlock
)

var argTypeNames = [...]string{
	"string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block",
}

// String returns the type's name as COMMAND DOCS reports it.
func (t ArgType) String() string { return argTypeNames[t] }

// ArgFlags says how often an argument may stand.
type ArgFlags uint8

const (
	ArgOptional      ArgFlags = 1 << iota // may be left out
	ArgMultiple                           // may be repeated
	ArgMultipleToken                      // is repeated with its token
)

var argFlagNames = [...]string{"optional", "multiple", "multiple_token"}

// Names appends the names of the set flags to dst.
func (f ArgFlags) Names(dst []string) []string {
	for i, n := range argFlagNames {
		if f&(1<<i) != 0 {
			dst = append(dst, n)
		}
	}
	return dst
}

// Arg is one argument of a command as COMMAND DOCS describes it.
type Arg struct {
	Name            string
	Token           string // the word in front of it, or the word itself for ArgPureToken
	Since           string
	DeprecatedSince string
	Type            ArgType
	Flags           ArgFlags
	KeySpec         int   // index of the key spec that finds it, -1 if none
	Args            []Arg // of ArgOneOf and ArgBlock
}

// args reads a synopsis. It panics on a mistake: synopses are part of the
// program.
func args(synopsis string) []Arg {
	p := argParser{s: synopsis}
	list := p.list(0, false)
	if p.i != len(p.s) {
		p.fail("unexpected " + p.s[p.i:])
	}
	return list
}

type argParser struct {
	s string
	i int
}

func (p *argParser) fail(why string) {
	panic(fmt.Sprintf("synopsis %q, at %d: %s", p.s, p.i, why))
}

// peek returns the next byte behind spaces, 0 at the end.
func (p *argParser) peek() byte {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	if p.i == len(p.s) {
		return 0
	}
	return p.s[p.i]
}

// take skips the prefix if it stands right here.
func (p *argParser) take(prefix string) bool {
	if !strings.HasPrefix(p.s[p.i:], prefix) {
		return false
	}
	p.i += len(prefix)
	return true
}

// list reads arguments up to the closing byte, which it consumes. Alternatives
// are separated by bars.
func (p *argParser) list(end byte, bars bool) []Arg {
	var list []Arg
	for p.peek() != end {
		if bars && len(list) > 0 && !p.take("|") {
			p.fail("expected |")
		}
		list = append(list, p.arg())
	}
	if end != 0 {
		p.i++
	}
	return list
}

func (p *argParser) arg() Arg {
	if p.peek() == '[' {
		p.i++
		a := p.arg()
		if p.peek() != ']' {
			p.fail("expected ]")
		}
		p.i++
		a.Flags |= ArgOptional
		if p.take("...") {
			a.Flags |= ArgMultiple | ArgMultipleToken
		}
		return a
	}
	if c := p.peek(); c == '"' || c-'A' < 26 {
		word := p.token()
		since := p.version('@')
		if c := p.peek(); since == "" && (c-'a' < 26 || c == '\'') {
			a := p.named()
			a.Token = word
			return a
		}
		return Arg{Name: lowerString(word), Token: word, Type: ArgPureToken, KeySpec: -1, Since: since}
	}
	return p.named()
}

// named reads an argument that begins with its name.
func (p *argParser) named() Arg {
	a := Arg{KeySpec: -1}
	if p.take("'") {
		a.Name = p.until("'")
		p.i++
	} else {
		a.Name = p.until(" :#@!=<>()[]|.")
	}
	if a.Name == "" {
		p.fail("expected a name")
	}
	switch {
	case p.take("="):
		a.Type, a.Token = ArgPureToken, p.token()
	case p.take("<"):
		a.Type, a.Args = ArgOneOf, p.list('>', true)
	case p.take("("):
		a.Type, a.Args = ArgBlock, p.list(')', false)
	case p.take(":"):
		switch t := p.until(" #@!=<>()[]|."); t {
		case "int":
			a.Type = ArgInteger
		case "double":
			a.Type = ArgDouble
		case "pattern":
			a.Type = ArgPattern
		case "unixtime":
			a.Type = ArgUnixTime
		default:
			p.fail("unknown type " + t)
		}
	}
	if p.take("#") {
		n, err := strconv.Atoi(p.until(" @!<>()[]|."))
		if err != nil {
			p.fail("expected a key spec's number")
		}
		a.KeySpec = n
		if a.Type == ArgString {
			a.Type = ArgKey
		}
	}
	a.Since = p.version('@')
	a.DeprecatedSince = p.version('!')
	if p.take("...") {
		a.Flags |= ArgMultiple
	}
	return a
}

// token reads a word, which is quoted if it is not all capitals.
func (p *argParser) token() string {
	if p.take(`"`) {
		t := p.until(`"`)
		p.i++
		return t
	}
	return p.until(" @!<>()[]|.")
}

// version reads a mark and the version number behind it, if the mark is there.
func (p *argParser) version(mark byte) string {
	if p.i == len(p.s) || p.s[p.i] != mark {
		return ""
	}
	p.i++
	start := p.i
	for p.i < len(p.s) && (p.s[p.i]-'0' < 10 || p.s[p.i] == '.') && !strings.HasPrefix(p.s[p.i:], "...") {
		p.i++
	}
	return p.s[start:p.i]
}

// until reads up to any of the stop bytes or the end.
func (p *argParser) until(stops string) string {
	n := strings.IndexAny(p.s[p.i:], stops)
	if n < 0 {
		n = len(p.s) - p.i
	}
	s := p.s[p.i : p.i+n]
	p.i += n
	return s
}
