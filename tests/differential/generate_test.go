package differential

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// The format of testdata/*.grammar: one form of a command a line.
//
//	SET skey val [NX|XX] [GET] [EX sec|PX ms|KEEPTTL]
//	3* MSET {skey val}+
//
// A word in capitals (or any word that is not a kind) stands for itself; a kind (the table below) is drawn; [a|b] is one of the
// alternatives or nothing, (a|b) one of them, {…}+ one to four times; "3*" makes the line three times as likely.
// One command in eight is then spoiled: an argument dropped, doubled, exchanged or replaced by junk.

// kinds draw one argument. A type's own file adds to it in an init function.
var kinds = map[string]func(r *rand.Rand) string{
	"key":   func(r *rand.Rand) string { return pick(r, keyPool) },
	"skey":  func(r *rand.Rand) string { return mostly(r, "s", keyPool) },
	"nkey":  func(r *rand.Rand) string { return mostly(r, "n", keyPool) }, // strings that are numbers
	"val":   value,
	"int":   func(r *rand.Rand) string { return pick(r, integers) },
	"small": func(r *rand.Rand) string { return strconv.Itoa(r.IntN(12) - 3) },
	"count": func(r *rand.Rand) string { return pick(r, []string{"1", "2", "3", "10", "0", "-1"}) },
	"float": func(r *rand.Rand) string { return pick(r, floats) },
	"sec": func(r *rand.Rand) string {
		return pick(r, []string{"100", "1000", "100000", "0", "-1", "9223372036854775807"})
	},
	"ms": func(r *rand.Rand) string {
		return pick(r, []string{"100000", "1000000", "0", "-1", "9223372036854775807"})
	},
	"unix":    func(r *rand.Rand) string { return pick(r, []string{"4000000000", "4100000000", "1", "0", "-1"}) },
	"unixms":  func(r *rand.Rand) string { return pick(r, []string{"4000000000000", "4100000000000", "1", "0", "-1"}) },
	"offset":  func(r *rand.Rand) string { return pick(r, []string{"0", "1", "5", "30", "300", "-1", "536870912"}) },
	"pattern": func(r *rand.Rand) string { return pick(r, patterns) },
	"db":      func(r *rand.Rand) string { return pick(r, []string{"0", "1", "2", "2", "15", "16", "-1", "x"}) },
	"text":    func(r *rand.Rand) string { return pick(r, []string{"", "a", "hello", "x y", "\x00\r\n"}) },
}

// addKind is called once for each further kind: the grammars share their names.
func addKind(name string, draw func(r *rand.Rand) string) {
	if kinds[name] != nil {
		panic("there are two kinds " + name)
	}
	kinds[name] = draw
}

var (
	keyPool  = []string{"s0", "s1", "s2", "s3", "n0", "n1", "n2", "", "k\x00\xff", "other"}
	integers = []string{"0", "1", "-1", "2", "10", "100", "-7", "65536", "4294967296", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "01", "+1", " 1", "1 ", "1.0", "abc", ""}
	floats   = []string{"0", "1", "-1", "0.1", "1.5", "-2.25", "3.14159265358979", "1e5", "1e-5", "1e20", "123456789.123456789", "inf", "-inf", "nan", "abc", "", "1e400", "0x10", " 1", ".5", "1e17", "-0"}
	patterns = []string{"*", "s*", "n?", "[sn]0", "[^s]*", "s[0-2]", "nokey", "", "k*", "*0", "\\s0", "[", "*\xff"}
	junk     = []string{"", "NX", "XX", "GET", "EX", "PX", "foo", "-1", "0", "18446744073709551616", "9223372036854775807", "\x00", "*", "DB", "REPLACE", "COUNT", "abc", "1.5", "LIMIT", "WITHSCORES"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func mostly(r *rand.Rand, prefix string, rest []string) string {
	if r.IntN(12) == 0 {
		return pick(r, rest)
	}
	return prefix + strconv.Itoa(r.IntN(4))
}

func value(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0, 1:
		return pick(r, integers)
	case 2:
		return pick(r, floats)
	case 3:
		return strings.Repeat(string(rune('a'+r.IntN(4))), 38+r.IntN(12)) // around the embstr limit
	case 4:
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	case 5:
		return strings.Repeat("ab", r.IntN(2000))
	case 6:
		return strconv.FormatInt(r.Int64()>>r.IntN(63), 10)
	}
	return pick(r, []string{"hello", "world", "a", "", "foobar", "10", "20"})
}

// A node of a grammar line.
type node struct {
	word string    // a literal or a kind
	alts [][]*node // of [ ] and ( ); one alternative of { }
	open byte      // '[', '(', '{' or 0
}

type form struct {
	weight int
	nodes  []*node
	text   string
}

func parseGrammar(name, text string) ([]*form, error) {
	var forms []*form
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		f := &form{weight: 1, text: l}
		for _, c := range "[](){}|" {
			l = strings.ReplaceAll(l, string(c), " "+string(c)+" ")
		}
		words := strings.Fields(strings.ReplaceAll(l, "} +", "}"))
		if n, ok := strings.CutSuffix(words[0], "*"); ok && n != "" {
			w, err := strconv.Atoi(n)
			if err != nil {
				return nil, fmt.Errorf("%s.grammar:%d: %w", name, i+1, err)
			}
			f.weight, words = w, words[1:]
		}
		nodes, rest, err := parseSeq(words, 0)
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%q is left over", rest)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.grammar:%d: %w", name, i+1, err)
		}
		f.nodes = nodes
		forms = append(forms, f)
	}
	return forms, nil
}

var closers = map[string]byte{"[": ']', "(": ')', "{": '}'}

func parseSeq(words []string, closer byte) (seq []*node, rest []string, err error) {
	for len(words) > 0 {
		w := words[0]
		if w == "|" || (closer != 0 && w == string(closer)) {
			return seq, words, nil
		}
		words = words[1:]
		end, opens := closers[w]
		if !opens {
			seq = append(seq, &node{word: w})
			continue
		}
		n := &node{open: w[0]}
		for {
			var alt []*node
			alt, words, err = parseSeq(words, end)
			if err != nil {
				return nil, nil, err
			}
			n.alts = append(n.alts, alt)
			if len(words) == 0 {
				return nil, nil, fmt.Errorf("%q is not closed", w)
			}
			end := words[0] != "|"
			words = words[1:]
			if end {
				break
			}
		}
		seq = append(seq, n)
	}
	return seq, nil, nil
}

func draw(r *rand.Rand, nodes []*node, out []string) []string {
	for _, n := range nodes {
		switch n.open {
		case 0:
			if kind, ok := kinds[n.word]; ok {
				out = append(out, kind(r))
			} else {
				out = append(out, n.word)
			}
		case '[':
			if r.IntN(2) == 0 {
				out = draw(r, pick(r, n.alts), out)
			}
		case '(':
			out = draw(r, pick(r, n.alts), out)
		case '{':
			for range 1 + r.IntN(4) {
				out = draw(r, pick(r, n.alts), out)
			}
		}
	}
	return out
}

// A generator draws commands from the grammars; equal seeds draw equal commands.
type generator struct {
	rnd   *rand.Rand
	forms []*form // each as often as its weight says
}

func newGenerator(tb testing.TB, seed uint64) *generator {
	tb.Helper()
	files := scriptFiles(tb, "*.grammar")
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 1))}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		forms, err := parseGrammar(name, files[name])
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range forms {
			for range f.weight {
				g.forms = append(g.forms, f)
			}
		}
	}
	return g
}

func (g *generator) command() []string {
	for {
		cmd := draw(g.rnd, pick(g.rnd, g.forms).nodes, nil)
		if g.rnd.IntN(8) == 0 {
			cmd = g.spoil(cmd)
		}
		if g.rnd.IntN(20) == 0 {
			cmd[0] = strings.ToLower(cmd[0])
		}
		if !racy(cmd) && !waitsLong(cmd) {
			return cmd
		}
	}
}

func (g *generator) spoil(cmd []string) []string {
	r := g.rnd
	if len(cmd) == 1 {
		return append(cmd, pick(r, junk))
	}
	i := 1 + r.IntN(len(cmd)-1)
	switch r.IntN(5) {
	case 0:
		return slices.Delete(cmd, i, i+1)
	case 1:
		return slices.Insert(cmd, i, cmd[i])
	case 2:
		return slices.Insert(cmd, i, pick(r, junk))
	case 3:
		j := 1 + r.IntN(len(cmd)-1)
		cmd[i], cmd[j] = cmd[j], cmd[i]
	case 4:
		cmd[i] = pick(r, junk)
	}
	return cmd
}

// waitsLong finds blocking commands with a timeout that no test waits for: those that spoil, or an argument that was moved, gave 0 or a large one.
func waitsLong(cmd []string) bool {
	i := 0
	switch strings.ToUpper(cmd[0]) {
	case "BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX":
		i = len(cmd) - 1
	case "BLMPOP", "BZMPOP":
		i = 1
	}
	if i == 0 || i >= len(cmd) {
		return false
	}
	timeout, err := strconv.ParseFloat(strings.TrimSpace(cmd[i]), 64)
	return err == nil && (timeout == 0 || timeout > 1) && timeout < 1e15
}

// racy finds commands whose effect depends on the moment they arrive: expiries that fall due while the test runs,
// comparisons of two relative expiries.
func racy(cmd []string) bool {
	soon := func(i int, limit int64) bool {
		if i >= len(cmd) {
			return false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(cmd[i]), 10, 64)
		return err == nil && n > 0 && n < limit
	}
	const seconds, millis = 30, 30000
	switch strings.ToUpper(cmd[0]) {
	case "EXPIRE", "PEXPIRE":
		for _, a := range cmd {
			if strings.EqualFold(a, "GT") || strings.EqualFold(a, "LT") {
				return true
			}
		}
		return soon(2, seconds) || (strings.EqualFold(cmd[0], "PEXPIRE") && soon(2, millis))
	case "XADD", "XREAD", "XREADGROUP", "XCLAIM", "XAUTOCLAIM", "XPENDING":
		return racyStream(cmd)
	case "SETEX":
		return soon(2, seconds)
	case "PSETEX", "RESTORE":
		return soon(2, millis)
	case "SET", "GETEX", "HSETEX":
		for i, a := range cmd {
			switch strings.ToUpper(a) {
			case "EX":
				if soon(i+1, seconds) {
					return true
				}
			case "PX":
				if soon(i+1, millis) {
					return true
				}
			case "EXAT", "PXAT": // a key that is stored expired: RANDOMKEY and KEYS delete it when they happen upon it
				if cmd[0] != "GETEX" && soon(i+1, 4000000000) {
					return true
				}
			}
		}
	}
	return false
}

// A batch is a history from empty servers, played in one protocol.
type batch struct {
	proto int
	cmds  [][]string
}

// readsErrno finds the commands whose answer from redis-server 7.0 hangs on what stood in errno before them: SORT takes an ERANGE that an
// earlier command's out-of-range number left behind for one of its own ("One or more scores can't be converted into double").
func readsErrno(cmd []string) bool {
	return strings.EqualFold(cmd[0], "SORT") || strings.EqualFold(cmd[0], "SORT_RO")
}

// clearErrno goes before such a command, to both servers: redis-server clears errno before it parses a timeout.
var clearErrno = []string{"BLPOP", "k", "no-timeout"}

// play runs a batch; pipe says how many commands to send before reading (0: one). It returns the index of the command that differs
// (len(cmds) when the data does at the end), or -1.
func (b *batch) play(p *pair, pipe func() int) (int, error) {
	if err := p.reset(); err != nil {
		return 0, err
	}
	l, err := p.open(b.proto)
	if err != nil {
		return 0, err
	}
	defer l.close()
	for at := 0; at < len(b.cmds); {
		n := 1
		if pipe != nil {
			n = min(pipe(), len(b.cmds)-at)
		}
		var wire []byte
		for _, cmd := range b.cmds[at : at+n] {
			if readsErrno(cmd) {
				wire = testutil.AppendCommand(wire, clearErrno...)
			}
			wire = testutil.AppendCommand(wire, cmd...)
		}
		if err := l.send(wire); err != nil {
			return at, err
		}
		for i := range n {
			if readsErrno(b.cmds[at+i]) {
				if err := l.read(clearErrno); err != nil {
					return at + i, err
				}
			}
			if err := l.read(b.cmds[at+i]); err != nil {
				return at + i, err
			}
		}
		at += n
	}
	if err := testutil.SameDigest(p.redisCtl, p.oursCtl); err != nil {
		return len(b.cmds), err
	}
	return -1, nil
}

// shrink drops commands as long as a difference remains, and returns the short history with its difference.
func (b *batch) shrink(p *pair) (*batch, error) {
	last := errors.New("the difference did not show again without a pipeline")
	best := &batch{b.proto, slices.Clone(b.cmds)}
	try := func(cmds [][]string) bool {
		c := &batch{b.proto, cmds}
		at, err := c.play(p, nil)
		if err == nil {
			return false
		}
		last = err
		best = &batch{b.proto, slices.Clone(cmds[:min(at+1, len(cmds))])}
		return true
	}
	if !try(best.cmds) {
		return best, last
	}
	deadline := time.Now().Add(20 * time.Second)
	for size := len(best.cmds) / 2; size >= 1; {
		shrunk := false
		for from := 0; from+size <= len(best.cmds) && time.Now().Before(deadline); {
			without := slices.Concat(best.cmds[:from], best.cmds[from+size:])
			if len(without) > 0 && try(without) {
				shrunk = true
			} else {
				from += size
			}
		}
		if size = min(size, len(best.cmds)); size > 1 {
			size /= 2
		} else if !shrunk {
			break
		}
	}
	return best, last
}

func (b *batch) script() string {
	var s strings.Builder
	fmt.Fprintf(&s, "== found by the generator\n%%resp %d\n", b.proto)
	for _, cmd := range b.cmds {
		s.WriteString(quoteArgs(cmd) + "\n")
	}
	return s.String()
}

// TestRandom plays random histories. A failing one is shrunk and printed as a case that can be pasted into testdata/*.txt.
func TestRandom(t *testing.T) {
	seed := randomSeed()
	steps := *stepsFlag
	if steps == 0 {
		steps = 60000
		if testing.Short() {
			steps = 8000
		}
	}
	t.Logf("again with: make diff ARGS=\"-seed %d -steps %d\"", seed, steps)
	p := newPair(t)
	g := newGenerator(t, seed)
	const perBatch = 200
	for done, failures := 0, 0; done < steps; done += perBatch {
		b := &batch{proto: 2 + g.rnd.IntN(2)}
		for range perBatch {
			b.cmds = append(b.cmds, g.command())
		}
		pipe := func() int { return 1 }
		if g.rnd.IntN(2) == 0 {
			pipe = func() int { return 1 + g.rnd.IntN(32) }
		}
		if _, err := b.play(p, pipe); err != nil {
			short, why := b.shrink(p)
			t.Errorf("seed %d, after %d commands: %v\n\nshrunk to:\n%s\n%v", seed, done, err, short.script(), why)
			if failures++; failures == 5 || !p.redis.Running() || !p.ours.Running() {
				t.Fatal("enough")
			}
		}
	}
}

func TestGrammar(t *testing.T) {
	forms, err := parseGrammar("x", "# c\n2* SET skey [NX|XX] (A b|C) {key val}+ end")
	if err != nil || len(forms) != 1 || forms[0].weight != 2 || len(forms[0].nodes) != 6 {
		t.Fatalf("%+v, %v", forms, err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		cmd := draw(r, forms[0].nodes, nil)
		if cmd[0] != "SET" || cmd[len(cmd)-1] != "end" {
			t.Errorf("%q", cmd)
		}
	}
	for _, bad := range []string{"SET [a|b", "x* GET"} {
		if f, err := parseGrammar("x", bad); err == nil {
			t.Errorf("%q was accepted: %+v", bad, f)
		}
	}
	a, b := newGenerator(t, 5), newGenerator(t, 5)
	for range 1000 {
		if x, y := a.command(), b.command(); !slices.Equal(x, y) {
			t.Fatalf("equal seeds drew %q and %q", x, y)
		}
	}
	if !racy([]string{"SET", "k", "v", "px", "10"}) || racy([]string{"SET", "k", "10"}) || !racy([]string{"EXPIRE", "k", "5", "NX"}) {
		t.Error("racy is wrong")
	}
}
