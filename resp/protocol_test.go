package resp

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"
)

// protocolCases were checked against redis-server 7.0.15. want is the text after "-ERR "; empty when the server goes
// on waiting; "=" and the arguments when it runs a command.
var protocolCases = []struct {
	in, want string
}{
	{"*x\r\n", "Protocol error: invalid multibulk length"},
	{"*2147483648\r\n", "Protocol error: invalid multibulk length"},
	{"*2147483647\r\n", ""},
	{"*03\r\n", "Protocol error: invalid multibulk length"},
	{"*00\r\n", "Protocol error: invalid multibulk length"},
	{"*-0\r\n", "Protocol error: invalid multibulk length"},
	{"*+1\r\n", "Protocol error: invalid multibulk length"},
	{"* 1\r\n", "Protocol error: invalid multibulk length"},
	{"*\r\n", "Protocol error: invalid multibulk length"},
	{"*-1\r\nPING\r\n", `=["PING"]`},
	{"*-9223372036854775808\r\nPING\r\n", `=["PING"]`},
	{"*-9223372036854775809\r\nPING\r\n", "Protocol error: invalid multibulk length"},
	{"*1\r\n:4\r\n", "Protocol error: expected '$', got ':'"},
	{"*1\r\n\r\n", "Protocol error: expected '$', got ' '"},
	{"*1\r\n\n\r\n", "Protocol error: expected '$', got ' '"},
	{"*1\r\n\xff\r\n", "Protocol error: expected '$', got '\xff'"},
	{"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$03\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$03\r\nabc\r\n", "Protocol error: invalid bulk length"},
	{"*01\r\n$3\r\nabc\r\n", "Protocol error: invalid multibulk length"},
	{"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$536870912\r\n", ""},
	{"*1\r\n$x\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$0\r\n\r\n", `=[""]`},
	{"*1\r\n$4\r\nPINGab*1\r\n$4\r\nPONG\r\n", `=["PING"]["PONG"]`},
	{"*1\rX$4\rYPING\r\n", `=["PING"]`},
	{"*" + strings.Repeat("1", 65536), "Protocol error: too big mbulk count string"},
	{"*" + strings.Repeat("1", 65535), ""},
	{"*1\r\n$" + strings.Repeat("1", 65536), "Protocol error: too big bulk count string"},
	{"*1\r\n$" + strings.Repeat("1", 65535), ""},
	{"*1\r\n" + strings.Repeat("x", 65537), "Protocol error: too big bulk count string"},
	{strings.Repeat("x", 65537), "Protocol error: too big inline request"},
	{strings.Repeat("x", 65536), ""},
	{strings.Repeat("\x00", 65537), "Protocol error: too big inline request"},
	{"echo \"a\n", "Protocol error: unbalanced quotes in request"},
	{"echo 'a\r\n", "Protocol error: unbalanced quotes in request"},
	{"echo \"a\"b\n", "Protocol error: unbalanced quotes in request"},
	{"echo 'a'b\n", "Protocol error: unbalanced quotes in request"},
	{"echo \"\\\n", "Protocol error: unbalanced quotes in request"},
	{"echo '\\'\n", "Protocol error: unbalanced quotes in request"},
	{"echo ''\"\"\n", "Protocol error: unbalanced quotes in request"},
	{"echo \"\\x41\\x4g\\n\\q\"\n", `=["echo" "Ax4g\nq"]`},
	{"echo 'a\\'b\\n'\n", `=["echo" "a'b\\n"]`},
	{"echo a\"b c\"\n", `=["echo" "ab c"]`},
	{"echo a\x0bb\n", `=["echo" "a\vb"]`},
	{"echo \x0bb\n", `=["echo" "b"]`},
	{"echo\x0b b\n", `=["echo\v" "b"]`},
	{"echo a\rb\n", `=["echo" "a" "b"]`},
	{"echo \"\"\n", `=["echo" ""]`},
	{"echo a''\n", `=["echo" "a"]`},
	{"\"\"\r\nPING\r\n", `=[""]["PING"]`},
	{"ping\x00\r\nping\r\n", ""},
	{"\x00\r\nping\r\n", ""},
	{"*1\x00\r\n$4\r\nPING\r\n", ""},
	{"*1\r\n$4\x00\r\nPING\r\n", ""},
	{"\r\n\n \r\nPING\r\n", `=["PING"]`},
	{"*0\r\n*1\r\n$4\r\nPING\r\n", `=["PING"]`},
}

// unauthCases are the same for a client that has yet to authenticate.
var unauthCases = []struct {
	in, want string
}{
	{"*11\r\n", "Protocol error: unauthenticated multibulk length"},
	{"*10\r\n", ""},
	{"*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
	{"*1\r\n$16384\r\n", ""},
	{"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"},
	{"*2147483648\r\n", "Protocol error: invalid multibulk length"},
	{"*1\r\n$16385\r\n" + strings.Repeat("v", 16385) + "\r\n", "Protocol error: unauthenticated bulk length"},
	{"*11\r\n" + strings.Repeat("$1\r\nx\r\n", 11), "Protocol error: unauthenticated multibulk length"},
	{"a b c d e f g h i j k\n", `=["a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k"]`},
}

// longLines end just within the limit, and just beyond it. When the whole of the latter arrives in one read, Redis sees
// the line end before it looks at the length and accepts them; our verdict never depends on the reads.
var longLines = []struct {
	in, want string
}{
	{strings.Repeat("x", 65535) + "\r\n", "=[\"" + strings.Repeat("x", 65535) + "\"]"},
	{strings.Repeat("x", 65536) + "\n", "=[\"" + strings.Repeat("x", 65536) + "\"]"},
	{strings.Repeat("x", 65537) + "\n", "Protocol error: too big inline request"},
	{"*" + strings.Repeat("1", 65535) + "\r\n", "Protocol error: invalid multibulk length"},
	{"*" + strings.Repeat("1", 65536) + "\r\n", "Protocol error: too big mbulk count string"},
	{"*1\r\n$" + strings.Repeat("1", 65535) + "\r\n", "Protocol error: invalid bulk length"},
	{"*1\r\n$" + strings.Repeat("1", 65536) + "\r\n", "Protocol error: too big bulk count string"},
}

func verdict(in []byte, auth bool, size int) string {
	r := NewReader()
	r.Authenticated = auth
	cmds := ""
	for len(in) > 0 {
		n := min(size, len(in))
		r.Feed(in[:n])
		in = in[n:]
		for {
			args, ok, err := r.Next()
			if err != nil {
				return err.Error()
			}
			if !ok {
				break
			}
			cmds += fmt.Sprintf("%q", args)
		}
	}
	if cmds == "" {
		return ""
	}
	return "=" + cmds
}

func TestProtocolErrors(t *testing.T) {
	for _, size := range []int{1, 7, 16384, 1 << 20} {
		for _, c := range protocolCases {
			if got := verdict([]byte(c.in), true, size); got != c.want {
				t.Errorf("%.60q in pieces of %d: got %q, want %q", c.in, size, got, c.want)
			}
		}
		for _, c := range longLines {
			if got := verdict([]byte(c.in), true, size); got != c.want {
				t.Errorf("%.10q and on, %d bytes in pieces of %d: got %.60q, want %.60q", c.in, len(c.in), size, got, c.want)
			}
		}
		for _, c := range unauthCases {
			if got := verdict([]byte(c.in), false, size); got != c.want {
				t.Errorf("%.60q in pieces of %d, unauthenticated: got %q, want %q", c.in, size, got, c.want)
			}
		}
	}
}

func TestProtocolErrorReplyAndOffset(t *testing.T) {
	r := NewReader()
	r.Authenticated = true
	r.Feed([]byte("PING\r\n*2\r\n$1\r\nx\r\n$x\r\n"))
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, _, err := r.Next()
	var pe *ProtocolError
	if !errors.As(err, &pe) || pe.Offset != 17 {
		t.Fatalf("got %v, want an error at offset 17", err)
	}
	if got := string(pe.AppendReply(nil)); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("reply %q", got)
	}
	if r.Pos() != 6 {
		t.Errorf("pos %d, want 6", r.Pos())
	}
	r.Feed([]byte("PING\r\n"))
	if _, ok, again := r.Next(); ok || again != err {
		t.Errorf("after an error: %v %v", ok, again)
	}
	r.Reset(100)
	r.Feed([]byte("PING\r\n"))
	if _, ok, err := r.Next(); !ok || err != nil || r.Pos() != 106 {
		t.Errorf("after Reset: %v %v, pos %d", ok, err, r.Pos())
	}
}

// Authentication may come in the middle of a pipeline: the limits change between two commands of one slice.
func TestAuthenticationWithinPipeline(t *testing.T) {
	r := NewReader()
	r.Feed([]byte("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*11\r\n" + strings.Repeat("$1\r\nx\r\n", 11)))
	if args, ok, err := r.Next(); !ok || err != nil || string(args[0]) != "AUTH" {
		t.Fatal(args, ok, err)
	}
	r.Authenticated = true
	if args, ok, err := r.Next(); !ok || err != nil || len(args) != 11 {
		t.Fatal(args, ok, err)
	}
}

func TestMasterStream(t *testing.T) {
	big := strings.Repeat("v", 5000)
	stream := "\n\r\n*1\r\n$5000\r\n" + big + "\r\n\n"
	for _, size := range []int{1, 100, 1 << 20} {
		r := NewReader()
		r.Authenticated, r.Master, r.MaxBulk, r.QueryBufferLimit = true, true, 1000, 1000
		var args [][]byte
		for in := []byte(stream); len(in) > 0; in = in[min(size, len(in)):] {
			r.Feed(in[:min(size, len(in))])
			for {
				a, ok, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				args = append(args, append([]byte(nil), a[0]...))
			}
		}
		if len(args) != 1 || string(args[0]) != big || r.Pos() != int64(len(stream)) || r.Newlines != 3 {
			t.Errorf("pieces of %d: %d commands, %v, %d newlines", size, len(args), r, r.Newlines)
		}
		for _, line := range []string{"PING\r\n", " \r\n", "\x00", "x", "\r\r\n"} {
			pos := r.Pos()
			r.Feed([]byte(line))
			_, ok, err := r.Next()
			var pe *ProtocolError
			if ok || !errors.As(err, &pe) || !pe.Inline || !r.Inline || pe.Offset != pos || r.Pos() != pos {
				t.Errorf("inline from the master: %v %v", ok, err)
			}
			r.Reset(pos)
		}
	}
}

func TestQueryBufferLimit(t *testing.T) {
	in := []byte("*2\r\n$3\r\nSET\r\n$2000\r\n" + strings.Repeat("v", 2000) + "\r\n")
	for _, size := range []int{1, 100, 1 << 20} {
		for _, c := range []struct {
			limit int
			fails bool
		}{{2002, false}, {2001, true}} {
			r := NewReader()
			r.Authenticated, r.QueryBufferLimit = true, c.limit
			var err error
			for rest := in; len(rest) > 0 && err == nil; rest = rest[min(size, len(rest)):] {
				r.Feed(rest[:min(size, len(rest))])
				_, _, err = r.Next()
			}
			if c.fails != errors.Is(err, ErrQueryBufferLimit) {
				t.Errorf("limit %d, pieces of %d: %v", c.limit, size, err)
			}
		}
	}
}

// A header that claims half a gigabyte costs nothing until the bytes come, and the buffer is gone after the command.
func TestMemoryFollowsArrivedBytes(t *testing.T) {
	r := NewReader()
	r.Authenticated = true
	r.Feed([]byte("*2147483647\r\n$536870912\r\nabc"))
	if _, ok, err := r.Next(); ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := r.BufferCap(); got > 1024 {
		t.Errorf("%d bytes held for 30 that came", got)
	}

	const size = 9 << 20
	r = NewReader()
	r.Authenticated = true
	piece := bytes.Repeat([]byte("v"), 16<<10)
	r.Feed(fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range size / len(piece) {
		if _, ok, err := r.Next(); ok || err != nil {
			t.Fatal(ok, err)
		}
		r.Feed(piece)
		if held := r.Buffered(); r.BufferCap() > 2*held+len(piece)+1024 {
			t.Fatalf("%d bytes held for %d that came", r.BufferCap(), held)
		}
	}
	r.Next()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 3*size {
		t.Errorf("%d bytes allocated for an argument of %d", got, size)
	}
	if got := r.BufferCap(); got > size+1024 {
		t.Errorf("%d bytes held for an argument of %d: the buffer passes its end", got, size)
	}
	r.Feed([]byte("\r\n"))
	args, ok, err := r.Next()
	if !ok || err != nil || len(args) != 3 || len(args[2]) != size {
		t.Fatal(ok, err)
	}
	big := weak.Make(&args[2][0])
	if _, ok, _ := r.Next(); ok {
		t.Fatal("a command out of nothing")
	}
	if runtime.GC(); big.Value() != nil {
		t.Error("the reader still holds on to a large argument")
	}
	runtime.KeepAlive(r)
	if r.BufferCap() > carryKeep {
		t.Errorf("%d bytes held after a large command", r.BufferCap())
	}
}

// A buffer of middle size stays while it is in use and goes when it has been idle for a while.
func TestCarryHysteresis(t *testing.T) {
	r := NewReader()
	r.Authenticated = true
	next := func(p []byte) {
		t.Helper()
		r.Feed(p)
		for {
			if _, ok, err := r.Next(); err != nil {
				t.Fatal(err)
			} else if !ok {
				return
			}
		}
	}
	big := fmt.Appendf(nil, "*1\r\n$200000\r\n%0200000d\r\n", 1)
	for range 100 {
		next(big[:190000])
		next(big[190000:])
	}
	held := r.BufferCap()
	if held < 190000 {
		t.Fatalf("%d bytes held: the test does not reach its subject", held)
	}
	for range 2*carryIdle + 1 {
		next([]byte("PING\r\n"))
	}
	if got := r.BufferCap(); got != 0 {
		t.Errorf("%d bytes held after an idle while, before %d", got, held)
	}
	next(big[:190000])
	next(big[190000:])
	r.Release()
	if got := r.BufferCap(); got != 0 {
		t.Errorf("%d bytes held after Release", got)
	}
}

// The bytes of arguments stay valid until the next Feed, over later calls of Next and over the saving of a rest, be it
// short enough for the buffer that holds them or not.
func TestArgumentsOutliveNext(t *testing.T) {
	for _, rest := range []int{1, 20, 650} {
		part1 := []byte("*2\r\n$1\r\na\r\n$10\r\n01234")
		part2 := []byte("56789\r\n*2\r\n$1\r\nb\r\n$3\r\nxyz\r\nset \"q\\x41\" y\n*3\r\n$700\r\n" + strings.Repeat("z", rest))
		r := NewReader()
		r.Authenticated = true
		r.Feed(part1)
		r.Next()
		r.Feed(part2)
		var kept [][][]byte
		for {
			args, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			kept = append(kept, append([][]byte(nil), args...))
		}
		if got := fmt.Sprintf("%q", kept); got != `[["a" "0123456789"] ["b" "xyz"] ["set" "qA" "y"]]` {
			t.Errorf("with a rest of %d: got %s", rest, got)
		}
	}
}

// A command of very many arguments, in many pieces, takes time linear in its size: what was parsed is not parsed again.
func TestManyArgumentsInPieces(t *testing.T) {
	const n = 300000
	in := fmt.Appendf(nil, "*%d\r\n", n)
	for range n {
		in = append(in, "$3\r\nabc\r\n"...)
	}
	r := NewReader()
	r.Authenticated = true
	got := 0
	for rest := in; len(rest) > 0; rest = rest[min(100, len(rest)):] {
		r.Feed(rest[:min(100, len(rest))])
		args, _, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got += len(args)
	}
	if got != n || r.Pos() != int64(len(in)) {
		t.Errorf("%d arguments, %v", got, r)
	}
	if r.Next(); cap(r.args) > argsKeep || cap(r.spans) > argsKeep {
		t.Errorf("%d and %d argument headers kept", cap(r.args), cap(r.spans))
	}
}

func TestRaw(t *testing.T) {
	in := []byte("\n*1\r\n$1\r\na\r\nget c\n*0\r\n*1\r\n$1\r\nd\r\n")
	for size := 1; size <= len(in); size++ {
		r := NewReader()
		r.Authenticated = true
		var raws []string
		for rest := in; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			r.Feed(rest[:min(size, len(rest))])
			for {
				if _, ok, _ := r.Next(); !ok {
					break
				}
				raws = append(raws, string(r.Raw()))
			}
		}
		if got := fmt.Sprintf("%q", raws); got != `["*1\r\n$1\r\na\r\n" "get c\n" "*1\r\n$1\r\nd\r\n"]` {
			t.Fatalf("pieces of %d: %s", size, got)
		}
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	in := []byte(strings.Repeat(benchStreams["SET"]+benchStreams["GET"]+"set a b\r\n", 8))
	r := NewReader()
	r.Authenticated = true
	feed := func(p []byte) {
		r.Feed(p)
		for {
			if _, ok, _ := r.Next(); !ok {
				return
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { feed(in) }); n != 0 {
		t.Errorf("%v allocations for whole slices", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		for rest := in; len(rest) > 0; rest = rest[min(50, len(rest)):] {
			feed(rest[:min(50, len(rest))])
		}
	}); n != 0 {
		t.Errorf("%v allocations for commands in pieces", n)
	}
}
