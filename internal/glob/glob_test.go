package glob

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/match"
)

// The recorded answers of a real server: 230 patterns against 70 keys, and some against the names of parameters.
func TestRecordedAnswers(t *testing.T) {
	file, err := os.ReadFile("testdata/redis-7.0.15.txt")
	if err != nil {
		t.Fatal(err)
	}
	unquote := func(s string) []byte {
		u, err := strconv.Unquote(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		return []byte(u)
	}
	var keys, names [][]byte
	patterns := 0
	for line := range strings.Lines(string(file)) {
		if line[0] == '#' {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		text := unquote(f[1])
		var subjects [][]byte
		var p Pattern
		var once func(pattern, s []byte) bool
		switch f[0] {
		case "string":
			keys = append(keys, text)
			continue
		case "name":
			names = append(names, text)
			continue
		case "match":
			p, once, subjects = Compile(text), Match, keys
		case "fold":
			p, once, subjects = CompileFold(text), MatchFold, names
		default:
			t.Fatalf("unknown line %q", line)
		}
		patterns++
		want := " " + f[2] + " "
		for i, s := range subjects {
			expect := strings.Contains(want, fmt.Sprintf(" %d ", i))
			if got := p.Match(s); got != expect {
				t.Errorf("%s %q on %q: %v, want %v (kind %d)", f[0], text, s, got, expect, p.kind)
			}
			if got := once(text, s); got != expect {
				t.Errorf("%s %q on %q at once: %v, want %v", f[0], text, s, got, expect)
			}
			if got := matchBytes(text, s, f[0] == "fold"); got != expect {
				t.Errorf("%s %q on %q by the general matcher: %v, want %v", f[0], text, s, got, expect)
			}
		}
	}
	if patterns < 240 {
		t.Errorf("only %d patterns", patterns)
	}
}

// Every way in which tidwall/match differs from Redis, one line each. Should it change, this test says so, and the
// conditions in compile and agrees can be relaxed.
func TestDifferencesFromTidwallMatch(t *testing.T) {
	for _, c := range []struct {
		why, pattern, s string
		fold            bool
		redis, tidwall  bool
	}{
		{"a star matches no empty string", "*", "", false, false, true},
		{"nor do several", "**", "", false, false, true},
		{"classes", "[ab]", "a", false, true, false},
		{"classes are no literals", "[ab]", "[ab]", false, false, true},
		{"negated classes", "[^a]", "b", false, true, false},
		{"ranges", "[a-c]", "b", false, true, false},
		{"ranges in reverse", "[c-a]", "b", false, true, false},
		{"escapes in classes", "[\\]]", "]", false, true, false},
		{"classes without an end", "[ab", "b", false, true, false},
		{"an empty class matches nothing", "[]", "[]", false, false, true},
		{"an empty negated class matches anything", "[^]", "x", false, true, false},
		{"classes disregard case", "[A]", "a", true, true, false},
		{"but not what is escaped in them", "[\\A]", "a", true, false, false},
		{"a backslash at the end is itself", "a\\", "a\\", false, true, false},
		{"and alone", "\\", "\\", false, true, false},
		{"a question mark is a byte, not a character", "?", "é", false, false, true},
		{"so that two are needed", "??", "é", false, true, false},
		{"also within a longer pattern", "h?llo", "héllo", false, false, true},
		{"bytes that are no UTF-8 differ from each other", "\xff", "\xfe", false, false, true},
		{"and from the replacement character", "\uFFFD", "\xff", false, false, true},
		{"a pattern may end within a character", "\xc3*", "é", false, true, false},
	} {
		if got := matchWith(c.fold, c.pattern, c.s); got != c.redis {
			t.Errorf("%s: %q on %q: %v, want %v", c.why, c.pattern, c.s, got, c.redis)
		}
		theirs := match.Match(c.s, c.pattern)
		if c.fold {
			theirs = match.MatchNoCase(c.s, c.pattern)
		}
		if theirs != c.tidwall {
			t.Errorf("%s: %q on %q: tidwall/match now says %v", c.why, c.pattern, c.s, theirs)
		}
	}
}

func matchWith(fold bool, pattern, s string) bool {
	if fold {
		return MatchFold([]byte(pattern), []byte(s))
	}
	return Match([]byte(pattern), []byte(s))
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		pattern string
		kind    kind
		fold    kind
	}{
		{"", exact, shared}, {"key", exact, shared}, {"é", exact, general}, {"*", all, all}, {"***", all, all}, {"user:*", prefix, shared}, {"user:**", prefix, shared}, {"*:1", suffix, shared},
		{"*a*", contains, shared}, {"**abc**", contains, shared}, {"a*b", affix, shared}, {"é*", prefix, general}, {"a*b*c", shared, shared}, {"*a*b", shared, shared}, {"a?", shared7, shared7}, {"\\*a", shared, shared},
		{"[a]", general, general}, {"a\\", general, general}, {"?é", general, general}, {"*é*b*", general, general}, {strings.Repeat("a*", 40), general, general},
	} {
		p, f := Compile([]byte(c.pattern)), CompileFold([]byte(c.pattern))
		if p.kind != c.kind || f.kind != c.fold {
			t.Errorf("%q: kind %d and %d, want %d and %d", c.pattern, p.kind, f.kind, c.kind, c.fold)
		}
		if p.String() != c.pattern || p.All() != (c.pattern == "*") {
			t.Errorf("%q: %s, all %v", c.pattern, p.String(), p.All())
		}
		if lit, ok := p.Exact(); ok != (c.kind == exact) || ok && string(lit) != c.pattern {
			t.Errorf("%q: exact %q %v", c.pattern, lit, ok)
		}
	}
	if p := CompileFold([]byte("key")); !p.Match([]byte("KEY")) {
		t.Error("case counts where it should not")
	} else if _, ok := p.Exact(); ok {
		t.Error("a pattern that disregards case has more than one string")
	}
	if Match([]byte("abcab*abcab"), []byte("abcabcab")) {
		t.Error("the ends of a*b overlap")
	}
}

// Patterns that are exponential for a simple backtracker. The test would not end.
func TestManyStars(t *testing.T) {
	s := []byte(strings.Repeat("a", 20000))
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{strings.Repeat("a*", 12) + "b", false},
		{strings.Repeat("*a", 12) + "*b*", false},
		{strings.Repeat("a*", 200) + "b", false},
		{strings.Repeat("a*", 200) + "a", true},
		{strings.Repeat("*?", 200) + "b", false},
		{strings.Repeat("*[a]", 200) + "[b]", false},
		{strings.Repeat("*?", 15) + "\\b", false},
	} {
		for _, fold := range []bool{false, true} {
			p := compile([]byte(c.pattern), fold)
			if got := p.Match(s); got != c.want {
				t.Errorf("%.30q: %v, want %v", c.pattern, got, c.want)
			}
		}
	}
}

// reference follows the rules by another road: the pattern becomes a list of stars and of sets of bytes, the match a
// table of which prefixes of both go together.
func reference(pattern, s []byte, fold bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	type elem struct {
		star bool
		set  [256]bool
	}
	var elems []elem
	fold1 := func(c byte) byte {
		if fold && c >= 'A' && c <= 'Z' {
			return c | 0x20
		}
		return c
	}
	add := func(e *elem, c byte) {
		for b := range 256 {
			if fold1(byte(b)) == fold1(c) {
				e.set[b] = true
			}
		}
	}
	for i := 0; i < len(pattern); i++ {
		var e elem
		switch c := pattern[i]; c {
		case '*':
			e.star = true
		case '?':
			for b := range e.set {
				e.set[b] = true
			}
		case '[':
			i++
			not := false
			if i < len(pattern) && pattern[i] == '^' {
				not = true
				i++
			}
			for i < len(pattern) && pattern[i] != ']' {
				if pattern[i] == '\\' && len(pattern)-i >= 2 {
					e.set[pattern[i+1]] = true
					i += 2
				} else if len(pattern)-i >= 3 && pattern[i+1] == '-' {
					rank := func(c byte) int {
						if fold && c >= 0x80 && c < 0xff {
							return int(c)
						}
						return int(int8(fold1(c)))
					}
					a, b := pattern[i], pattern[i+2]
					if int8(a) > int8(b) {
						a, b = b, a
					}
					for x := range 256 {
						if rank(a) <= rank(byte(x)) && rank(byte(x)) <= rank(b) {
							e.set[x] = true
						}
					}
					i += 3
				} else {
					add(&e, pattern[i])
					i++
				}
			}
			if not {
				for b := range e.set {
					e.set[b] = !e.set[b]
				}
			}
		case '\\':
			if i+1 < len(pattern) {
				i++
			}
			add(&e, pattern[i])
		default:
			add(&e, c)
		}
		elems = append(elems, e)
	}
	row := make([]bool, len(s)+1) // row[j]: the elements so far match s[:j]
	row[0] = true
	for _, e := range elems {
		next := make([]bool, len(s)+1)
		for j := range next {
			if e.star {
				next[j] = row[j] || j > 0 && next[j-1]
			} else {
				next[j] = j > 0 && row[j-1] && e.set[s[j-1]]
			}
		}
		row = next
	}
	return row[len(s)]
}

func check(t *testing.T, pattern, s []byte) {
	t.Helper()
	for _, fold := range []bool{false, true} {
		want := reference(pattern, s, fold)
		p := compile(pattern, fold)
		if got := p.Match(s); got != want {
			t.Fatalf("%q on %q, fold %v: %v, want %v (kind %d)", pattern, s, fold, got, want, p.kind)
		}
		if got := matchBytes(pattern, s, fold); got != want {
			t.Fatalf("%q on %q, fold %v, general matcher: %v, want %v", pattern, s, fold, got, want)
		}
		// The promise of agrees, without the limit of effort.
		if len(s) > 0 && (p.kind == shared || p.kind == shared7 && ascii(s)) {
			theirs := match.Match(string(s), string(pattern))
			if fold {
				theirs = match.MatchNoCase(string(s), string(pattern))
			}
			if theirs != want {
				t.Fatalf("%q on %q, fold %v: tidwall/match says %v", pattern, s, fold, theirs)
			}
		}
	}
}

func TestRandomPatterns(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	alphabets := []string{"ab*?", "ab-]^[\\*?", "aA-]^[\\*?\xc3\xa9\xff", "abBzk-]^[\\*?\x00\x80", "a*", "ab*\\", "a?*\\\xc3\xa9\xff"}
	for range 40000 {
		alphabet := alphabets[r.Intn(len(alphabets))]
		subject := alphabet
		if r.Intn(2) == 0 {
			subject = "abAB"
		}
		random := func(alphabet string, n int) []byte {
			b := make([]byte, r.Intn(n))
			for i := range b {
				b[i] = alphabet[r.Intn(len(alphabet))]
			}
			return b
		}
		check(t, random(alphabet, 12), random(subject, 10))
	}
}

func FuzzMatch(f *testing.F) {
	for _, p := range []string{"*", "a*b?c", "[a-c]*", "[^\\]]", "h\\*", "*[", "é?", "\\"} {
		f.Add([]byte(p), []byte("abc*]é"))
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if len(pattern) <= 40 && len(s) <= 60 && bytes.Count(pattern, []byte("*")) <= 5 {
			check(t, pattern, s)
		}
	})
}

func TestASCII(t *testing.T) {
	for n := range 40 {
		s := []byte(strings.Repeat("x", n))
		if !ascii(s) {
			t.Errorf("%d letters", n)
		}
		for i := range s {
			s[i] = 0x80
			if ascii(s) || utf8.Valid(s) {
				t.Errorf("a high byte at %d of %d was missed", i, n)
			}
			s[i] = 'x'
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	s := []byte("user:1234:name")
	patterns := [][]byte{[]byte("user:*"), []byte("*:name"), []byte("*12*"), []byte("u*e"), []byte("user:*:n*e"), []byte("user:????:name"), []byte("[u]ser*"), []byte("user\\:*:*")}
	if n := testing.AllocsPerRun(100, func() {
		for _, pattern := range patterns {
			if !Match(pattern, s) || !MatchFold(pattern, s) {
				t.Fatalf("%q does not match", pattern)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	s := []byte("user:123456:session:name")
	for _, pattern := range []string{"user:*", "*:name", "*:session:*", "user:*:session:*", "user:??????:session:name", "[u]ser:*:name", "user:[0-9]*"} {
		p := Compile([]byte(pattern))
		b.Run(pattern, func(b *testing.B) {
			for b.Loop() {
				if !p.Match(s) {
					b.Fatal("no match")
				}
			}
		})
		b.Run(pattern+"/general", func(b *testing.B) {
			for b.Loop() {
				if !matchBytes(p.text, s, false) {
					b.Fatal("no match")
				}
			}
		})
	}
}
