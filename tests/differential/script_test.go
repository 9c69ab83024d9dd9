package differential

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// The format of testdata/*.txt. Blank lines and lines that begin with # are nothing.
//
//	== title             begins a case. Both servers are empty, and connection a is new; every case runs in RESP2 and in RESP3.
//	GET k "a\x00b"       a command on connection a, quoted as redis-cli does; the replies are compared.
//	b> GET k             the same on connection b (any name of lower-case letters), which is opened when it is first named.
//	b& BLPOP l 0         sends without reading: the reply comes later,
//	%read b              reads one reply (or push) of connection b from both and compares.
//	%quiet b             nothing may stand unread on connection b.
//	%raw "bytes"         raw bytes on connection a; all that comes back, and whether the connection is closed, is compared.
//	%scan SCAN $ COUNT 3 iterates ($ is the cursor) to the end on both; what was returned is compared as a set.
//	%wait 20             milliseconds.
//	%close b             closes connection b.
//	%resp 3              this case runs in RESP3 (or 2) only.
//	%after CONFIG SET …  runs on both when the case has ended, to undo what FLUSHALL does not.
//
// In an argument, @{a*100} is a repeated 100 times, @{now+10} is the unix time in seconds plus 10, @{nowms+10} in milliseconds,
// @{dump10:00c00c} a DUMP payload of RDB version 10 over the value in hex, with its CRC.
// Each case ends with a comparison of DEBUG DIGEST.

type scriptLine struct {
	no   int
	conn string // connection, for commands
	verb string // "", "&" for commands; else the directive
	args []string
}

type scriptCase struct {
	file, title string
	no          int
	protos      []int
	lines       []scriptLine
	after       [][]string
}

var connPrefix = regexp.MustCompile(`^([a-z]+)([>&]) `)

func parseScript(name, text string) ([]*scriptCase, error) {
	var cases []*scriptCase
	for i, l := range strings.Split(text, "\n") {
		no := i + 1
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if title, ok := strings.CutPrefix(l, "== "); ok {
			cases = append(cases, &scriptCase{file: name, title: title, no: no, protos: []int{2, 3}})
			continue
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("%s:%d: a line before the first case", name, no)
		}
		c := cases[len(cases)-1]
		line := scriptLine{no: no, conn: "a"}
		if m := connPrefix.FindStringSubmatch(l); m != nil {
			line.conn, l = m[1], l[len(m[0]):]
			if m[2] == "&" {
				line.verb = "&"
			}
		}
		args, err := splitArgs(l)
		if err != nil || len(args) == 0 {
			return nil, fmt.Errorf("%s:%d: %q: %v", name, no, l, err)
		}
		if strings.HasPrefix(args[0], "%") {
			line.verb, args = args[0][1:], args[1:]
		}
		line.args = args
		switch line.verb {
		case "resp":
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, no, err)
			}
			c.protos = []int{n}
		case "after":
			c.after = append(c.after, args)
		case "", "&", "raw", "scan":
			c.lines = append(c.lines, line)
		case "read", "quiet", "wait", "close":
			if len(args) != 1 {
				return nil, fmt.Errorf("%s:%d: %%%s takes one argument", name, no, line.verb)
			}
			if line.verb != "wait" {
				line.conn = args[0]
			}
			c.lines = append(c.lines, line)
		default:
			return nil, fmt.Errorf("%s:%d: unknown directive %%%s", name, no, line.verb)
		}
	}
	return cases, nil
}

// splitArgs splits a line as redis-cli does: words, 'single' and "double" quotes, \n \r \t \b \a \\ \" and \xHH in the double ones.
func splitArgs(s string) ([]string, error) {
	var args []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		var b strings.Builder
		for i < len(s) && s[i] != ' ' && s[i] != '\t' {
			switch s[i] {
			case '"':
				end, err := unquote(s[i+1:], &b)
				if err != nil {
					return nil, err
				}
				i += 1 + end
			case '\'':
				end := strings.IndexByte(s[i+1:], '\'')
				if end < 0 {
					return nil, errors.New("unbalanced '")
				}
				b.WriteString(s[i+1 : i+1+end])
				i += end + 2
			default:
				b.WriteByte(s[i])
				i++
			}
		}
		args = append(args, b.String())
	}
	return args, nil
}

// unquote writes the content up to the closing quote and returns how many bytes it took, the quote included.
func unquote(s string, b *strings.Builder) (int, error) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return i + 1, nil
		case s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x':
			n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil {
				return 0, err
			}
			b.WriteByte(byte(n))
			i += 3
		case s[i] == '\\' && i+1 < len(s):
			i++
			if at := strings.IndexByte("nrtba", s[i]); at >= 0 {
				b.WriteByte("\n\r\t\b\a"[at])
			} else {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return 0, errors.New(`unbalanced "`)
}

// quoteArgs is the inverse of splitArgs: what it prints can be pasted into a case. Long arguments of one repeated byte are folded.
func quoteArgs(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = quoteArg(a)
	}
	return strings.Join(out, " ")
}

func quoteArg(a string) string {
	if len(a) > 40 && strings.Count(a, a[:1]) == len(a) && a[0] > ' ' && a[0] < 0x7f {
		return fmt.Sprintf("@{%s*%d}", a[:1], len(a))
	}
	plain := a != "" && !strings.HasPrefix(a, "%") && !strings.HasPrefix(a, "#")
	for i := range len(a) {
		plain = plain && a[i] > ' ' && a[i] < 0x7f && a[i] != '"' && a[i] != '\'' && a[i] != '\\'
	}
	if plain {
		return a
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(a) {
		switch c := a[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

var macro = regexp.MustCompile(`@\{(?:([^{}]*)\*(\d+)|(now|nowms)([+-]\d+)|dump(\d+):([0-9a-f]*))\}`)

func expand(arg string, now time.Time) string {
	return macro.ReplaceAllStringFunc(arg, func(m string) string {
		p := macro.FindStringSubmatch(m)
		if p[5] != "" {
			return dumpPayload(p[5], p[6])
		}
		if p[2] != "" {
			n, _ := strconv.Atoi(p[2])
			return strings.Repeat(p[1], n)
		}
		n, _ := strconv.ParseInt(p[4], 10, 64)
		if p[3] == "now" {
			return strconv.FormatInt(now.Unix()+n, 10)
		}
		return strconv.FormatInt(now.UnixMilli()+n, 10)
	})
}

// dumpPayload closes a value (type byte and body, in hex) as DUMP does: RDB version in two bytes, CRC64 in eight, both little endian.
func dumpPayload(version, body string) string {
	b, err := hex.DecodeString(body)
	if err != nil {
		panic(err)
	}
	v, _ := strconv.Atoi(version)
	b = binary.LittleEndian.AppendUint16(b, uint16(v))
	return string(binary.LittleEndian.AppendUint64(b, crc64Jones(b)))
}

// crc64Jones is the CRC of RDB files: polynomial 0xad93d23594c935a9, reflected, no inversion; bit by bit.
func crc64Jones(b []byte) (crc uint64) {
	const reflected = 0x95ac9329ac4bc9b5
	for _, c := range b {
		crc ^= uint64(c)
		for range 8 {
			crc = crc>>1 ^ reflected*(crc&1)
		}
	}
	return crc
}

func scriptFiles(tb testing.TB, pattern string) map[string]string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		tb.Fatalf("no testdata/%s (%v)", pattern, err)
	}
	files := map[string]string{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			tb.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(n), filepath.Ext(n))] = string(b)
	}
	return files
}

// run plays a case in one protocol and returns the differences, each with its place.
func (c *scriptCase) run(p *pair, proto int) (errs []error) {
	if err := p.reset(); err != nil {
		return []error{err}
	}
	lanes := map[string]*lane{}
	defer func() {
		for _, l := range lanes {
			l.close()
		}
		for _, cmd := range c.after {
			p.redisCtl.Do(cmd...)
			p.oursCtl.Do(cmd...)
		}
	}()
	now := time.Now()
	for _, line := range c.lines {
		l := lanes[line.conn]
		if l == nil && line.verb != "wait" {
			var err error
			if l, err = p.open(proto); err != nil {
				return append(errs, err)
			}
			lanes[line.conn] = l
		}
		args := make([]string, len(line.args))
		for i, a := range line.args {
			args[i] = expand(a, now)
		}
		if err := playLine(l, line, args); err != nil {
			errs = append(errs, fmt.Errorf("testdata/%s.txt:%d (RESP%d): %w", c.file, line.no, proto, err))
			var m *mismatch
			if !errors.As(err, &m) || m.why == "one of the connections failed" {
				return errs
			}
		}
		if line.verb == "close" {
			l.close()
			delete(lanes, line.conn)
		}
	}
	if err := testutil.SameDigest(p.redisCtl, p.oursCtl); err != nil {
		errs = append(errs, fmt.Errorf("testdata/%s.txt:%d (RESP%d): at the end of the case: %w", c.file, c.no, proto, err))
	}
	return errs
}

func playLine(l *lane, line scriptLine, args []string) error {
	switch line.verb {
	case "":
		return l.do(args...)
	case "&":
		return l.send(testutil.AppendCommand(nil, args...))
	case "read":
		return l.read(nil)
	case "quiet":
		if !l.redis.Quiet(20*time.Millisecond) || !l.ours.Quiet(20*time.Millisecond) {
			return errors.New("something arrived on a connection that should be quiet")
		}
	case "raw":
		return l.raw([]byte(args[0]))
	case "scan":
		return l.iterate(args)
	case "wait":
		ms, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	return nil
}

// TestScripts plays every hand-written case in both protocols.
func TestScripts(t *testing.T) {
	const shown = 40 // differences of one group; whoever has more mends these first
	for group, text := range scriptFiles(t, "*.txt") {
		cases, err := parseScript(group, text)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(group, func(t *testing.T) {
			p := newPair(t)
			failures := 0
			for _, c := range cases {
				if !strings.Contains(c.title, *caseFlag) {
					continue
				}
				told := map[string]bool{}
				for _, proto := range c.protos {
					for _, err := range c.run(p, proto) {
						// What fails in RESP2 most often fails in RESP3 too: it is told once.
						if place, _, _ := strings.Cut(err.Error(), " "); !told[place] {
							told[place] = true
							failures++
							t.Errorf("%s\n%v", c.title, err)
						}
					}
				}
				if failures > shown {
					t.Fatalf("enough of %s", group)
				}
				if !p.redis.Running() || !p.ours.Running() {
					t.Fatalf("%s: a server has died", c.title)
				}
			}
		})
	}
}

func TestScriptFormat(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{`SET  k "a b\x00\n\"" 'x y'`, []string{"SET", "k", "a b\x00\n\"", "x y"}},
		{`GET ""`, []string{"GET", ""}},
	} {
		got, err := splitArgs(c.line)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, %v", c.line, got, err)
		}
		again, err := splitArgs(quoteArgs(got))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c.want) {
			t.Errorf("%s: quoted and split: %q, %v", c.line, again, err)
		}
	}
	if got := expand("x@{ab*3}@{now+5}", time.Unix(100, 0)); got != "xababab105" {
		t.Errorf("macro: %q", got)
	}
	if got := crc64Jones([]byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("CRC64 of the check string: %#x", got)
	}
	for _, bad := range []string{"GET k", "== t\n%nosuch", "== t\nGET \"x", "== t\n%wait"} {
		if _, err := parseScript("x", bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
