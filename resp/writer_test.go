package resp

import (
	"math"
	"strings"
	"testing"
)

// Checked against redis-server 7.0.15 with DEBUG PROTOCOL, ZSCORE and ordinary commands.
func TestWriters(t *testing.T) {
	for _, c := range []struct {
		name         string
		write        func(dst []byte, proto int) []byte
		resp2, resp3 string
	}{
		{"bulk", func(d []byte, _ int) []byte { return AppendBulk(d, []byte("Hello World")) }, "$11\r\nHello World\r\n", ""},
		{"bulk string", func(d []byte, _ int) []byte { return AppendBulkString(d, "") }, "$0\r\n\r\n", ""},
		{"bulk of 100", func(d []byte, _ int) []byte { return AppendBulkString(d, strings.Repeat("x", 100)) }, "$100\r\n" + strings.Repeat("x", 100) + "\r\n", ""},
		{"bulk int", func(d []byte, _ int) []byte { return AppendBulkInt(d, math.MinInt64) }, "$20\r\n-9223372036854775808\r\n", ""},
		{"bulk header", func(d []byte, _ int) []byte { return AppendBulkHeader(d, 12) }, "$12\r\n", ""},
		{"integer", func(d []byte, _ int) []byte { return AppendInt(d, 12345) }, ":12345\r\n", ""},
		{"negative", func(d []byte, _ int) []byte { return AppendInt(d, -2) }, ":-2\r\n", ""},
		{"zero", func(d []byte, _ int) []byte { return AppendInt(d, 0) }, ":0\r\n", ""},
		{"99", func(d []byte, _ int) []byte { return AppendInt(d, 99) }, ":99\r\n", ""},
		{"simple", func(d []byte, _ int) []byte { return AppendSimple(d, "OK") }, "+OK\r\n", ""},
		{"simple in lines", func(d []byte, _ int) []byte { return AppendSimple(d, "a\r\nb") }, "+a  b\r\n", ""},
		{"error", func(d []byte, _ int) []byte { return AppendError(d, "ERR a\nb\r\n") }, "-ERR a b\r\n", ""},
		{"array", func(d []byte, _ int) []byte { return AppendArray(d, 3) }, "*3\r\n", ""},
		{"array of 1000", func(d []byte, _ int) []byte { return AppendArray(d, 1000) }, "*1000\r\n", ""},
		{"map", func(d []byte, p int) []byte { return AppendMap(d, p, 3) }, "*6\r\n", "%3\r\n"},
		{"set", func(d []byte, p int) []byte { return AppendSet(d, p, 3) }, "*3\r\n", "~3\r\n"},
		{"push", func(d []byte, p int) []byte { return AppendPush(d, p, 2) }, "*2\r\n", ">2\r\n"},
		{"attribute", func(d []byte, _ int) []byte { return AppendAttribute(d, 1) }, "|1\r\n", ""},
		{"null", AppendNull, "$-1\r\n", "_\r\n"},
		{"null array", AppendNullArray, "*-1\r\n", "_\r\n"},
		{"true", func(d []byte, p int) []byte { return AppendBool(d, p, true) }, ":1\r\n", "#t\r\n"},
		{"false", func(d []byte, p int) []byte { return AppendBool(d, p, false) }, ":0\r\n", "#f\r\n"},
		{"big number", func(d []byte, p int) []byte { return AppendBigNumber(d, p, "1234567999999999999999999999999999999") },
			"$37\r\n1234567999999999999999999999999999999\r\n", "(1234567999999999999999999999999999999\r\n"},
		{"verbatim", func(d []byte, p int) []byte { return AppendVerbatim(d, p, "txt", []byte("This is a verbatim\nstring")) },
			"$25\r\nThis is a verbatim\nstring\r\n", "=29\r\ntxt:This is a verbatim\nstring\r\n"},
		{"short format", func(d []byte, p int) []byte { return AppendVerbatim(d, p, "m", nil) }, "$0\r\n\r\n", "=4\r\nm  :\r\n"},
		{"double text", func(d []byte, p int) []byte { return AppendDoubleText(d, p, []byte("0.1")) }, "$3\r\n0.1\r\n", ",0.1\r\n"},
		{"double", double(3.141), "$5\r\n3.141\r\n", ",3.141\r\n"},
		{"double 3", double(3), "$1\r\n3\r\n", ",3\r\n"},
		{"double 1e15", double(1e15), "$16\r\n1000000000000000\r\n", ",1000000000000000\r\n"},
		{"double 1e16", double(1e16), "$17\r\n10000000000000000\r\n", ",10000000000000000\r\n"},
		{"double -1e17", double(-1e17), "$6\r\n-1e+17\r\n", ",-1e+17\r\n"},
		{"double 1e-5", double(1e-5), "$22\r\n1.0000000000000001e-05\r\n", ",1.0000000000000001e-05\r\n"},
		{"double 0.1", double(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"},
		{"double inf", double(math.Inf(1)), "$3\r\ninf\r\n", ",inf\r\n"},
		{"double -inf", double(math.Inf(-1)), "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"double least", double(5e-324), "$23\r\n4.9406564584124654e-324\r\n", ",4.9406564584124654e-324\r\n"},
		{"double large", double(123456789012345678), "$22\r\n1.2345678901234568e+17\r\n", ",1.2345678901234568e+17\r\n"},
	} {
		want3 := c.resp3
		if want3 == "" {
			want3 = c.resp2
		}
		for proto, want := range map[int]string{2: c.resp2, 3: want3} {
			if got := string(c.write([]byte("x"), proto)); got != "x"+want {
				t.Errorf("%s in RESP%d: %q, want %q", c.name, proto, got[1:], want)
			}
		}
	}
}

func double(f float64) func([]byte, int) []byte {
	return func(d []byte, p int) []byte { return AppendDouble(d, p, f) }
}

func TestWritersAllocateNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	value := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		d := AppendBulk(dst[:0], value)
		d = AppendBulkString(d, "text")
		d = AppendBulkInt(d, 123456)
		d = AppendInt(d, 1234567)
		d = AppendSimple(d, "OK")
		d = AppendError(d, "ERR no")
		d = AppendMap(d, 3, 12345)
		d = AppendDouble(d, 2, 0.1)
		d = AppendDouble(d, 3, 12)
		d = AppendVerbatim(d, 3, "txt", value)
		_ = AppendNull(d, 3)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendBulk(b *testing.B) {
	dst := make([]byte, 0, 256)
	value := make([]byte, 64)
	for b.Loop() {
		_ = AppendBulk(dst, value)
	}
}

func BenchmarkAppendInt(b *testing.B) {
	dst := make([]byte, 0, 64)
	n := int64(0)
	for b.Loop() {
		_ = AppendInt(dst, n)
		n = (n + 7) & 0xffff
	}
}
