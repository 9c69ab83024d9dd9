package resp

import (
	"fmt"
	"strings"
	"testing"
)

var replyCases = []struct{ raw, text string }{
	{"+OK\r\n", "OK"},
	{"-ERR no\r\n", "(error) ERR no"},
	{":-12\r\n", "-12"},
	{"$5\r\na\r\nbc\r\n", `"a\r\nbc"`},
	{"$0\r\n\r\n", `""`},
	{"$-1\r\n", "(nil)"},
	{"*-1\r\n", "(nil)"},
	{"_\r\n", "(nil)"},
	{"*0\r\n", "[]"},
	{"*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n+x\r\n", `[1 ["a" []] x]`},
	{"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "{a 1 b [(nil)]}"},
	{"~2\r\n+a\r\n+b\r\n", "~{a b}"},
	{">2\r\n+message\r\n%1\r\n:1\r\n:2\r\n", ">[message {1 2}]"},
	{"#t\r\n", "true"},
	{"#f\r\n", "false"},
	{",3.5\r\n", "3.5"},
	{",inf\r\n", "inf"},
	{",-inf\r\n", "-inf"},
	{",nan\r\n", "nan"},
	{"(12345678901234567890\r\n", "12345678901234567890"},
	{"!5\r\nERR x\r\n", "(error) ERR x"},
	{"=8\r\ntxt:abcd\r\n", `"abcd"`},
	{"|1\r\n+ttl\r\n:5\r\n$1\r\na\r\n", `|{ttl 5} "a"`},
	{"|0\r\n|1\r\n+a\r\n+b\r\n*2\r\n|1\r\n+c\r\n:1\r\n:2\r\n:3\r\n", "|{a b} [|{c 1} 2 3]"},
}

func collect(pieces ...[]byte) (string, error) {
	var r ReplyReader
	var out []string
	for _, p := range pieces {
		mem := append([]byte(nil), p...)
		r.Feed(mem)
		for {
			raw, ok, err := r.Next()
			if err != nil {
				return strings.Join(out, ";"), err
			}
			if !ok {
				break
			}
			out = append(out, fmt.Sprintf("%q%v@%d", raw, r.Push, r.Pos()))
		}
		clear(mem)
	}
	return strings.Join(out, ";") + fmt.Sprintf(" +%d", r.Buffered()), nil
}

func TestReplies(t *testing.T) {
	for _, c := range replyCases {
		v, err := DecodeValue([]byte(c.raw))
		if err != nil || v.String() != c.text {
			t.Errorf("%q: %v %v, want %s", c.raw, v, err, c.text)
		}
		if _, err := DecodeValue([]byte(c.raw[:len(c.raw)-1])); err == nil {
			t.Errorf("%q without its last byte was decoded", c.raw)
		}
		if _, err := DecodeValue([]byte(c.raw + "x")); err == nil {
			t.Errorf("%q with a byte too many was decoded", c.raw)
		}
		// Within a stream, at every two splits.
		in := []byte("+first\r\n" + c.raw + ":7\r\n$3\r\nab")
		push := c.raw[0] == '>'
		want := fmt.Sprintf("%q%v@%d;%q%v@%d;%q%v@%d +6", "+first\r\n", false, 8, c.raw, push, 8+len(c.raw), ":7\r\n", false, 12+len(c.raw))
		for i := range in {
			for j := i; j < len(in); j++ {
				if got, err := collect(in[:i], in[i:j], in[j:]); err != nil || got != want {
					t.Fatalf("split at %d and %d: %v\n got %s\nwant %s", i, j, err, got, want)
				}
			}
		}
	}
}

func TestBadReplies(t *testing.T) {
	for _, in := range []string{
		"x", "\r\n", "PING\r\n", "$?\r\n", "*?\r\n", "%?\r\n", "~?\r\n", ">?\r\n", ";4\r\n", ".\r\n", "$-2\r\n", "*-2\r\n", "%-1\r\n", "~-1\r\n", "!-1\r\n",
		"$x\r\n", "$1\r\nabc", ":\r\n", ":1.5\r\n", "+a\rb", "_x\r\n", "#\r\n", "#x\r\n", "=3\r\nabc\r\n", "=5\r\nabcde\r\n", ",\r\n", "(\r\n",
		"*9999999999\r\n", "$99999999999\r\n", "*1\r\n*1\r\nx", strings.Repeat("*1\r\n", 2000),
	} {
		_, whole := collect([]byte(in))
		var single [][]byte
		for i := range in {
			single = append(single, []byte(in[i:i+1]))
		}
		_, bytewise := collect(single...)
		if whole == nil || bytewise == nil || whole.Error() != bytewise.Error() {
			t.Errorf("%.40q: %v, byte by byte: %v", in, whole, bytewise)
		}
	}
	if _, err := DecodeValue([]byte(",1.5.5\r\n")); err == nil {
		t.Error("a bad double was decoded")
	}
}

func TestReplyLimit(t *testing.T) {
	for _, in := range []string{"*100\r\n" + strings.Repeat(":1\r\n", 100), "+" + strings.Repeat("x", 200), "$101\r\n"} {
		for _, size := range []int{1, 1000} {
			r := ReplyReader{MaxReply: 100}
			var err error
			want := "resp: invalid reply at offset 0: larger than 100 bytes"
			for rest := []byte(in); len(rest) > 0 && err == nil; rest = rest[min(size, len(rest)):] {
				r.Feed(rest[:min(size, len(rest))])
				_, _, err = r.Next()
			}
			if err == nil || err.Error() != want {
				t.Errorf("%.20q in pieces of %d: %v", in, size, err)
			}
		}
	}
}

func TestReplyReaderShrinks(t *testing.T) {
	var r ReplyReader
	r.Feed([]byte("$1000000\r\n"))
	r.Next()
	r.Feed(make([]byte, 1000000))
	r.Next()
	r.Feed([]byte("\r\n"))
	if raw, ok, err := r.Next(); !ok || err != nil || len(raw) != 1000012 {
		t.Fatal(len(raw), ok, err)
	}
	r.Next()
	if cap(r.carry) > carryKeep {
		t.Errorf("%d bytes held", cap(r.carry))
	}
}
