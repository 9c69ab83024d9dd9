// Package glob matches byte strings against glob-style patterns with the semantics of redis-server 7.0: KEYS, SCAN
// MATCH, PSUBSCRIBE, CONFIG GET, ACL key patterns and the like.
//
//   - any bytes, also none
//     ?        one byte, whatever character it belongs to
//     [abc]    one of the bytes          [a-c]  a range; its ends may stand in either order and are compared as signed
//     [^abc]   none of the bytes         []     nothing; [^] anything
//     \x       x itself, also within [ ]; a backslash at the end of the pattern is itself
//     [abc     a class without its end reaches to the end of the pattern
//
// The empty string matches only the empty pattern: not even "*" (which is why Redis's callers treat "*" by itself
// where they want everything).
//
// Where its rules are the same the work is done by github.com/tidwall/match, which works on runes, knows no classes and
// treats escapes and the empty string in its own way; see agrees. All else goes to a matcher of our own, which takes
// at most len(pattern)*len(s) steps. Nothing here allocates.
package glob

import (
	"bytes"
	"unsafe"

	"github.com/tidwall/match"
)

// kind tells how a pattern is matched.
type kind uint8

const (
	general  kind = iota // by the matcher of this package
	shared               // by tidwall/match, for every string but the empty one
	shared7              // the same, for strings of 7-bit characters
	exact                // no wildcard
	all                  // stars alone
	prefix               // literal*
	suffix               // *literal
	contains             // *literal*
	affix                // literal*literal
)

// maxShared bounds the stars of a pattern given to tidwall/match, which goes one call deeper with each.
const maxShared = 16

// effort is the number of calls, per byte of the string, after which tidwall/match is stopped: it tries all
// combinations of star lengths. Ordinary patterns need one or two.
const effort = 4

// Pattern is a pattern that was looked at once and can be matched many times. The zero value is the empty pattern. It
// is a value; copies are independent, and any number of goroutines may use one.
type Pattern struct {
	text   []byte
	before []byte // literal before the star, or the only literal
	after  []byte // literal behind the star
	kind   kind
	fold   bool
}

// Compile prepares a pattern. The bytes are not copied and must not change while the Pattern is in use.
func Compile(pattern []byte) Pattern { return compile(pattern, false) }

// CompileFold is Compile for matches that disregard the case of ASCII letters.
func CompileFold(pattern []byte) Pattern { return compile(pattern, true) }

// Match tells whether s matches pattern.
func Match(pattern, s []byte) bool {
	p := compile(pattern, false)
	return p.Match(s)
}

// MatchFold is Match without regard to the case of ASCII letters, as CONFIG GET and COMMAND LIST have it.
func MatchFold(pattern, s []byte) bool {
	p := compile(pattern, true)
	return p.Match(s)
}

// String returns the text of the pattern.
func (p *Pattern) String() string { return string(p.text) }

// All tells whether the pattern is a lone star, for which KEYS and SCAN do not ask Match: every key passes, the empty
// one too, which Match refuses ("**" is no such pattern).
func (p *Pattern) All() bool { return len(p.text) == 1 && p.text[0] == '*' }

// Exact returns the only string that matches, if the pattern has no wildcards.
func (p *Pattern) Exact() ([]byte, bool) {
	return p.text, p.kind == exact && !p.fold || len(p.text) == 0
}

// Match tells whether s matches the pattern.
func (p *Pattern) Match(s []byte) bool {
	if len(s) == 0 || len(p.text) == 0 {
		return len(s) == len(p.text)
	}
	switch p.kind {
	case exact:
		return bytes.Equal(s, p.before)
	case all:
		return true
	case prefix:
		return bytes.HasPrefix(s, p.before)
	case suffix:
		return bytes.HasSuffix(s, p.after)
	case contains:
		return bytes.Contains(s, p.before)
	case affix:
		return len(s) >= len(p.before)+len(p.after) && bytes.HasPrefix(s, p.before) && bytes.HasSuffix(s, p.after)
	case shared7:
		if !ascii(s) {
			break
		}
		fallthrough
	case shared:
		str, pat := unsafe.String(&s[0], len(s)), unsafe.String(&p.text[0], len(p.text))
		var matched, stopped bool
		if p.fold {
			matched, stopped = match.MatchLimitNoCase(str, pat, effort)
		} else {
			matched, stopped = match.MatchLimit(str, pat, effort)
		}
		if !stopped {
			return matched
		}
	}
	return matchBytes(p.text, s, p.fold)
}

// compile finds the cheapest way to match a pattern.
func compile(text []byte, fold bool) Pattern {
	p := Pattern{text: text, fold: fold}
	stars, first, last := 0, -1, -1
	special, wild, high := false, false, false
	for i, c := range text {
		switch {
		case c == '*':
			if stars++; first < 0 {
				first = i
			}
			last = i
		case c == '?':
			wild = true
		case c == '[' || c == '\\':
			special = true
		case c >= 0x80:
			high = true
		}
	}
	if !special && !wild && !fold {
		if stars == 0 {
			p.kind, p.before = exact, text
			return p
		}
		one := last-first+1 == stars // the stars stand side by side
		switch before, after := text[:first], text[last+1:]; {
		case stars == len(text):
			p.kind = all
			return p
		case one && len(after) == 0:
			p.kind, p.before = prefix, before
			return p
		case one && len(before) == 0:
			p.kind, p.after = suffix, after
			return p
		case one:
			p.kind, p.before, p.after = affix, before, after
			return p
		case len(before) == 0 && len(after) == 0:
			if lit := bytes.Trim(text, "*"); bytes.IndexByte(lit, '*') < 0 {
				p.kind, p.before = contains, lit
				return p
			}
		}
	}
	if stars == len(text) && stars > 0 {
		p.kind = all
		return p
	}
	if !high && stars <= maxShared && agrees(text) {
		p.kind = shared
		if wild {
			p.kind = shared7
		}
	}
	return p
}

// agrees tells whether tidwall/match has Redis's rules for a pattern of 7-bit characters, strings that are not empty,
// and, when the pattern has a question mark, strings of 7-bit characters. It has no classes, and a backslash at the
// end of a pattern does not stand for itself there.
func agrees(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[':
			return false
		case '\\':
			if i++; i == len(text) {
				return false
			}
		}
	}
	return true
}

func ascii(s []byte) bool {
	for len(s) >= 8 {
		if (uint64(s[0])|uint64(s[1])|uint64(s[2])|uint64(s[3])|uint64(s[4])|uint64(s[5])|uint64(s[6])|uint64(s[7]))&0x80 != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// matchBytes matches by Redis's rules. Only the last star met is ever reconsidered: when the rest of the pattern
// behind it matches nowhere, no other length of an earlier star can help, for it would only leave less of the string.
func matchBytes(p, s []byte, fold bool) bool {
	if len(s) == 0 {
		return len(p) == 0
	}
	i, j := 0, 0
	star, from := -1, 0 // the pattern behind the last star, and where in s it was tried last
	for j < len(s) {
		if i < len(p) {
			if p[i] == '*' {
				for i < len(p) && p[i] == '*' {
					i++
				}
				if i == len(p) {
					return true
				}
				star, from = i, j
				continue
			}
			if next, ok := matchOne(p, i, s[j], fold); ok {
				i, j = next, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		if c := p[star]; !fold && c != '?' && c != '[' && c != '\\' {
			skip := bytes.IndexByte(s[from:], c)
			if skip < 0 {
				return false
			}
			from += skip
		}
		i, j = star, from
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// matchOne matches one byte against the element of the pattern at p[i], which is no star, and returns the index of the
// next element.
func matchOne(p []byte, i int, c byte, fold bool) (next int, ok bool) {
	switch p[i] {
	case '?':
		return i + 1, true
	case '[':
		return matchClass(p, i+1, c, fold)
	case '\\':
		if i+1 < len(p) {
			i++
		}
	}
	return i + 1, p[i] == c || fold && lower(p[i]) == lower(c)
}

// matchClass matches one byte against a class, whose bracket stands before p[i].
func matchClass(p []byte, i int, c byte, fold bool) (next int, ok bool) {
	not := i < len(p) && p[i] == '^'
	if not {
		i++
	}
	found := false
	for ; i < len(p) && p[i] != ']'; i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			found = found || p[i] == c // always with regard to the case
		case i+2 < len(p) && p[i+1] == '-':
			lo, hi := p[i], p[i+2]
			if int8(lo) > int8(hi) {
				lo, hi = hi, lo
			}
			if fold {
				found = found || foldOrder(lo) <= foldOrder(c) && foldOrder(c) <= foldOrder(hi)
			} else {
				found = found || int8(lo) <= int8(c) && int8(c) <= int8(hi)
			}
			i += 2
		default:
			found = found || p[i] == c || fold && lower(p[i]) == lower(c)
		}
	}
	return min(i+1, len(p)), found != not
}

// foldOrder ranks bytes within a range when case is disregarded. C's tolower, to which Redis gives signed characters,
// makes the high ones positive, all but the last.
func foldOrder(c byte) int {
	if c == 0xff {
		return -1
	}
	return int(lower(c))
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}
