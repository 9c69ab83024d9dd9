package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// outcome is what a stream gives: its commands, then how it ended.
type outcome struct {
	cmds []string // arguments, quoted, one command a string, with the position after it
	err  string
	pos  int64
	off  int64 // offset of the protocol error
	nl   uint64
}

func (o outcome) String() string {
	return fmt.Sprintf("%s err=%q pos=%d off=%d newlines=%d", strings.Join(o.cmds, " "), o.err, o.pos, o.off, o.nl)
}

func (o *outcome) take(r *Reader) bool {
	for {
		args, ok, err := r.Next()
		if err != nil {
			o.err = err.Error()
			var pe *ProtocolError
			if errors.As(err, &pe) {
				o.off = pe.Offset
			}
		}
		if !ok {
			o.pos, o.nl = r.Pos(), r.Newlines
			return err == nil
		}
		o.cmds = append(o.cmds, fmt.Sprintf("%q%v@%d", args, r.Inline, r.Pos()))
	}
}

// run feeds the pieces one after the other. Each piece is handed over in memory that is destroyed afterwards, as a
// network buffer is.
func run(setup func(*Reader), pieces ...[]byte) outcome {
	r := NewReader()
	r.Authenticated = true
	if setup != nil {
		setup(r)
	}
	var o outcome
	for _, p := range pieces {
		mem := append([]byte(nil), p...)
		r.Feed(mem)
		more := o.take(r)
		for i := range mem {
			mem[i] = 0xDB
		}
		if !more {
			break
		}
	}
	return o
}

func TestReaderCommands(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		pos  int
	}{
		{"*1\r\n$4\r\nPING\r\n", []string{`["PING"]`}, 14},
		{"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", []string{`["SET" "key" "value"]`, `["GET" "key"]`}, 55},
		{"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", []string{`["GET" ""]`}, 19},
		{"*0\r\n*-1\r\n*-7\r\n*1\r\n$4\r\nPING\r\n*0\r\n", []string{`["PING"]`}, 32},
		{"\r\n\n  \r\nPING\r\n\n", []string{`["PING"]`}, 14},
		{"*1\rX$4\rYPINGab", []string{`["PING"]`}, 14}, // the byte after CR is not looked at
		{"*2\r\n$4\r\n\r\n\r\n\r\n$1\r\n*\r\n", []string{`["\r\n\r\n" "*"]`}, 21},
		{"*1\r\n$4\r\nPIN", nil, 0},
		{"*12\r\n" + strings.Repeat("$1\r\nx\r\n", 12), []string{`["x" "x" "x" "x" "x" "x" "x" "x" "x" "x" "x" "x"]`}, 89},
		{"set k \"a\\x41\\n\\\"\" 'it\\'s' x\"y\"\nGET 'k'\n", []string{`["set" "k" "aA\n\"" "it's" "xy"]`, `["GET" "k"]`}, 39},
		{"\tget\v \fx\vy \r\r\n", []string{`["get\v" "x\vy"]`}, 14},
	} {
		r := NewReader()
		r.Authenticated = true
		r.Feed([]byte(c.in))
		var got []string
		for {
			args, ok, err := r.Next()
			if err != nil {
				t.Fatalf("%q: %v", c.in, err)
			}
			if !ok {
				break
			}
			got = append(got, fmt.Sprintf("%q", args))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || r.Pos() != int64(c.pos) {
			t.Errorf("%q: got %v pos %d, want %v pos %d", c.in, got, r.Pos(), c.want, c.pos)
		}
		if got := r.Buffered(); got != len(c.in)-c.pos {
			t.Errorf("%q: %d bytes buffered, want %d", c.in, got, len(c.in)-c.pos)
		}
	}
}

// splitStreams are short streams that between them visit every state of the reader.
var splitStreams = []string{
	"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
	"*0\r\n\r\n*-1\r\n*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n\n",
	"set k \"a\\x41\\n\" 'it\\'s'\r\n*1\r\n$1\r\nx\r\nget k\n",
	"*1\rX$4\rYPINGab*1\r\n$1\r\nx\r\n",
	"*1\r\n$4\r\nPING\r\n*1\r\n:4\r\n",
	"*1\r\n$1\r\nx\r\n*x\r\n",
	"*1\r\n$1\r\nx\r\n*1\r\n$-1\r\n",
	"*1\r\n$1\r\nx\r\nget \"k\n*1\r\n",
	"*12\r\n" + strings.Repeat("$1\r\nx\r\n", 12) + "*1\r\n$10\r\n0123456789\r\n",
	"PI\x00NG\r\n*1\r\n$4\r\nPING\r\n",
	"*1\x00\r\n$4\r\nPING\r\n",
	"*2147483648\r\n",
	"*03\r\n",
}

func TestReaderEverySplit(t *testing.T) {
	for _, s := range splitStreams {
		for _, setup := range []func(*Reader){nil, func(r *Reader) { r.Master = true }, func(r *Reader) { r.Authenticated = false }} {
			in := []byte(s)
			want := run(setup, in)
			var single [][]byte
			for i := range in {
				single = append(single, in[i:i+1])
			}
			if got := run(setup, single...); got.String() != want.String() {
				t.Errorf("%q byte by byte:\n got %v\nwant %v", s, got, want)
			}
			for i := 0; i <= len(in); i++ {
				for j := i; j <= len(in); j++ {
					if got := run(setup, in[:i], in[i:j], in[j:]); got.String() != want.String() {
						t.Fatalf("%q split at %d and %d:\n got %v\nwant %v", s, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestReaderKeep(t *testing.T) {
	in := []byte("*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\nget c\n*1\r\n$1\r\nd\r\n*1\r\n$1")
	for cut := range in {
		for stop := range 4 {
			r := NewReader()
			r.Authenticated = true
			var got []string
			for _, p := range [][]byte{in[:cut], in[cut:], []byte("\r\ne\r\n")} {
				mem := append([]byte(nil), p...)
				r.Feed(mem)
				for range stop {
					if args, ok, _ := r.Next(); ok {
						got = append(got, string(bytes.Join(args, []byte("+"))))
					}
				}
				r.Keep()
				clear(mem)
			}
			for {
				args, ok, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				got = append(got, string(bytes.Join(args, []byte("+"))))
			}
			if s := strings.Join(got, " "); s != "a b get+c d e" || r.Buffered() != 0 {
				t.Fatalf("cut %d, stop after %d: %s, %v", cut, stop, s, r)
			}
		}
	}
}

var benchStreams = map[string]string{
	"GET":  "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n",
	"SET":  "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$64\r\n" + strings.Repeat("v", 64) + "\r\n",
	"PING": "*1\r\n$4\r\nPING\r\n",
}

func BenchmarkReader(b *testing.B) {
	for name, s := range benchStreams {
		b.Run(name, func(b *testing.B) {
			in := bytes.Repeat([]byte(s), 64)
			r := NewReader()
			r.Authenticated = true
			b.ReportAllocs()
			for i := 0; i < b.N; i += 64 {
				r.Feed(in)
				for {
					_, ok, err := r.Next()
					if err != nil {
						b.Fatal(err)
					}
					if !ok {
						break
					}
				}
			}
		})
	}
}
