package numeric

import (
	"bytes"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The recorded answers of a real server.
func TestRecordedAnswers(t *testing.T) {
	file, err := os.ReadFile("testdata/redis-7.0.15.txt")
	if err != nil {
		t.Fatal(err)
	}
	const invalid = "-ERR value is not a valid float"
	checked := map[string]int{}
	for line := range strings.Lines(string(file)) {
		if line[0] == '#' {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		op, a, b, want := f[0], []byte(f[1]), []byte(f[2]), f[3]
		got := invalid
		switch op {
		case "score":
			if x, ok := ParseFloat(a); ok {
				got = string(AppendDouble17g(nil, x+0)) // a listpack keeps no sign of zero
				if x == 0 {
					got = "0"
				}
			}
		case "zincrby":
			x, ok1 := ParseFloat(a)
			y, ok2 := ParseFloat(b)
			switch sum := x + y; {
			case !ok1 || !ok2:
			case sum != sum:
				got = "-ERR resulting score is not a number (NaN)"
			case sum == 0:
				got = "0"
			default:
				got = string(AppendDouble17g(nil, sum))
			}
		case "incrbyfloat":
			x, ok1 := ParseLongDouble(a)
			y, ok2 := ParseLongDouble(b)
			if ok1 && ok2 {
				text, err := AppendIncr(nil, x, y)
				if got = string(text); err != nil {
					got = "-ERR " + err.Error()
				}
			}
		default:
			t.Fatalf("unknown command %q", op)
		}
		if got != want {
			t.Errorf("%s %q %q: got %s, want %s", op, a, b, got, want)
		}
		checked[op]++
	}
	if checked["score"] < 100 || checked["zincrby"] < 100 || checked["incrbyfloat"] < 200 {
		t.Errorf("only %v cases", checked)
	}
}

func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"7", 7, true}, {"-1", -1, true}, {"1234567890", 1234567890, true},
		{"9223372036854775807", math.MaxInt64, true}, {"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false}, {"9999999999999999999", 0, false},
		{"99999999999999999999", 0, false}, {"-99999999999999999999", 0, false}, {"18446744073709551616", 0, false},
		{"", 0, false}, {"-", 0, false}, {"-0", 0, false}, {"00", 0, false}, {"01", 0, false}, {"-01", 0, false},
		{"+1", 0, false}, {" 1", 0, false}, {"1 ", 0, false}, {"1a", 0, false}, {"a", 0, false}, {"1.0", 0, false}, {"0x1", 0, false}, {"1\x00", 0, false},
	} {
		got, ok := ParseInt([]byte(c.in))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %d %v, want %d %v", c.in, got, ok, c.want, c.ok)
		}
		if ok && string(AppendInt(nil, got)) != c.in {
			t.Errorf("%q came back as %d", c.in, got)
		}
	}
}

func TestParseUint(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"0", 0, true}, {"18446744073709551615", math.MaxUint64, true}, {"18446744073709551616", 0, false},
		{"9223372036854775808", 1 << 63, true}, {"-1", 0, false}, {"-01", math.MaxUint64, true}, {"-0", 0, true},
		{"007", 7, true}, {" 5", 5, true}, {"\v+5", 5, true}, {"5 ", 0, false}, {"", 0, false}, {"+", 0, false}, {"5\x00x", 5, true}, {"x", 0, false},
		{"99999999999999999999999", 0, false},
	} {
		got, ok := ParseUint([]byte(c.in))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %d %v, want %d %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

// Checked with SCAN on redis-server 7.0.15.
func TestParseCursor(t *testing.T) {
	for in, want := range map[string]uint64{"": 0, "0": 0, "-1": math.MaxUint64, "+5": 5, "1\x00x": 1, "\x00": 0, "007": 7, "18446744073709551615": math.MaxUint64, "-18446744073709551615": 1, "-0": 0} {
		if got, ok := ParseCursor([]byte(in)); !ok || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{" 1", "1 ", "18446744073709551616", "-18446744073709551616", "0x1", "-", "+", "x", "--1", "\v1"} {
		if got, ok := ParseCursor([]byte(in)); ok {
			t.Errorf("%q was taken for %d", in, got)
		}
	}
}

func TestParseFloatGrammar(t *testing.T) {
	for _, in := range []string{"", "-", "+", ".", "e5", "1e", "1e+", "1e5.", "--1", "+-1", "1_0", "0x", "0x.", "0xp1", "0x1p", "0x1p+", "0x_1p1", "0b1", "0o7",
		"nan", "NaN", "-nan", "nan(1)", "inf1", "infinit", " 1", "1 ", "\t1", "1\n", "1\x00", "1e400", "-1e400", "1e-400", "0x1p1024", "0x1p-1080", "1e99999999999999999999", "1,5"} {
		if f, ok := ParseFloat([]byte(in)); ok {
			t.Errorf("%q was taken for %v", in, f)
		}
		if in == "1e400" || in == "-1e400" || in == "1e-400" || strings.HasPrefix(in, "0x1p1024") || strings.HasPrefix(in, "0x1p-1080") {
			continue // within the range of long double
		}
		if ld, ok := ParseLongDouble([]byte(in)); ok {
			t.Errorf("%q was taken for a long double %s", in, ld.AppendHuman(nil))
		}
	}
	for in, want := range map[string]float64{
		"1": 1, "-1": -1, "+1.5": 1.5, ".5": .5, "5.": 5, "1e3": 1000, "1E+3": 1000, "1e-3": 0.001, "0x10": 16, "0X1.8P+1": 3, "0x.8p1": 1, "0x1p-1074": 5e-324,
		"inf": math.Inf(1), "INFINITY": math.Inf(1), "-Inf": math.Inf(-1), "0e99999999999": 0, "007": 7, "4503599627370497.5": 4503599627370497.5,
		"1.7976931348623157e308": math.MaxFloat64, "2.4703282292062328e-324": 5e-324, "0x0.000p99999": 0,
		"9007199254740993": 9007199254740992, "9007199254740992.000000000000000000000000000001": 9007199254740992, "9007199254740993.0000000000000000000000000000001": 9007199254740994,
		"1" + strings.Repeat("0", 900) + "e-900": 1, "0." + strings.Repeat("0", 900) + "1e901": 1, "1" + strings.Repeat("1", 900) + "e-900": 1.1111111111111112,
		"0x1" + strings.Repeat("0", 100) + "p-400": 1, "0x1.00000000000008" + strings.Repeat("0", 60) + "1": 1.0000000000000002, "0x1.00000000000008": 1,
	} {
		got, ok := ParseFloat([]byte(in))
		if !ok || got != want {
			t.Errorf("%.40q: %v %v, want %v", in, got, ok, want)
		}
	}
	if f, ok := ParseFloat([]byte("-0")); !ok || !math.Signbit(f) || f != 0 {
		t.Errorf("-0: %v %v", f, ok)
	}
	// A tie that only the last of many digits breaks, far behind what is kept.
	tie := "9007199254740993." + strings.Repeat("0", 2*maxDigits)
	if f, _ := ParseFloat([]byte(tie)); f != 9007199254740992 {
		t.Errorf("tie: %v", f)
	}
	if f, _ := ParseFloat([]byte(tie + "1")); f != 9007199254740994 {
		t.Errorf("broken tie: %v", f)
	}
}

func TestDoubleFormats(t *testing.T) {
	for _, c := range []struct {
		f                float64
		printf, d2string string
	}{
		{0, "0", "0"}, {math.Copysign(0, -1), "-0", "-0"}, {3, "3", "3"}, {-3, "-3", "-3"}, {3.5, "3.5", "3.5"}, {0.1, "0.10000000000000001", "0.10000000000000001"},
		{1e15, "1000000000000000", "1000000000000000"}, {1e16, "10000000000000000", "10000000000000000"}, {1e17, "1e+17", "100000000000000000"}, {-1e18, "-1e+18", "-1000000000000000000"},
		{4611686018427387904, "4.6116860184273879e+18", "4611686018427387904"}, {4611686018427389952, "4.61168601842739e+18", "4.61168601842739e+18"},
		{1e19, "1e+19", "1e+19"}, {1e-4, "0.0001", "0.0001"}, {1e-5, "1.0000000000000001e-05", "1.0000000000000001e-05"}, {1e100, "1e+100", "1e+100"}, {5e-324, "4.9406564584124654e-324", "4.9406564584124654e-324"},
		{math.Inf(1), "inf", "inf"}, {math.Inf(-1), "-inf", "-inf"}, {math.NaN(), "nan", "nan"}, {math.Copysign(math.NaN(), -1), "-nan", "nan"}, {123456789.125, "123456789.125", "123456789.125"},
	} {
		if got := string(AppendDouble17g([]byte("x"), c.f)); got != "x"+c.printf {
			t.Errorf("%%.17g of %v: %s, want %s", c.f, got[1:], c.printf)
		}
		if got := string(AppendDouble([]byte("x"), c.f)); got != "x"+c.d2string {
			t.Errorf("d2string of %v: %s, want %s", c.f, got[1:], c.d2string)
		}
	}
	for _, f := range []float64{4611686018427389952, -4611686018427389952, 0.5, math.NaN(), math.Inf(1)} {
		if n, ok := DoubleToInt(f); ok {
			t.Errorf("%v became %d", f, n)
		}
	}
}

func TestAppendFixed(t *testing.T) {
	for _, c := range []struct {
		f    float64
		n    int
		want string
	}{
		{0, 4, "0.0000"}, {0.5, 4, "0.5000"}, {166274.1516, 4, "166274.1516"}, {-1.5, 1, "-1.5"}, {0.00005, 4, "0.0000"}, {0.00015, 4, "0.0001"}, {0.0025, 3, "0.002"}, {0.0035, 3, "0.004"}, {12.25, 1, "12.2"}, {12.75, 1, "12.8"},
		{-0.00001, 4, "0.0000"}, {99.99999, 4, "100.0000"}, {1e30, 4, "-922337203685477.5808"}, {0.775, 3, "0.775"}, {0.01, 17, "0.01000000000000000"},
	} {
		if got := string(AppendFixed(nil, c.f, c.n)); got != c.want {
			t.Errorf("%v with %d decimals: %s, want %s", c.f, c.n, got, c.want)
		}
	}
}

func TestLongDoubleEdges(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"10.5", "0.1", "10.6"}, {"5.0e3", "2.0e2", "5200"}, {"0.1", "0.2", "0.3"}, {"3", "1.00000000000000000001", "4"}, {"-0", "-0", "0"}, {"1e-18", "0", "0"}, {"5e-18", "0", "0"}, {"5.1e-18", "0", "0.00000000000000001"},
		{"-5.1e-18", "0", "-0.00000000000000001"}, {"18446744073709551615", "1", "18446744073709551616"}, {"18446744073709551615", "0.5", "18446744073709551616"}, {"9223372036854775807", "0.5", "9223372036854775807.5"},
		{"1e30", "-1e30", "0"}, {"1e38", "1", "99999999999999999999312600448599326720"}, {"1e39", "0", "999999999999999999993126004485993267200"},
		{"0x1p-16445", "-0x1p-16445", "0"}, {"0x1.fffffffffffffffep16383", "0", maxLD()},
		{"0x1.fffffffffffffffep16383", "0x1p16319", "inf"}, {"0x1.fffffffffffffffep16383", "0x0.ffp16319", maxLD()}, {"inf", "1", "inf"}, {"inf", "-inf", "inf"},
		{"0x1p63", "-0x0.8p0", "9223372036854775807.5"}, {"0x1p63", "-0x0.4p0", "9223372036854775808"}, {"0x1p63", "-0x0.4001p0", "9223372036854775807.5"}, {"0x1p63", "-0x0.2001p0", "9223372036854775808"}, {"0x1p63", "0x1p-1", "9223372036854775808"}, {"0x8000000000000001", "0x1p-1", "9223372036854775810"},
	} {
		a, ok1 := ParseLongDouble([]byte(c.a))
		b, ok2 := ParseLongDouble([]byte(c.b))
		if !ok1 || !ok2 {
			t.Errorf("%s or %s was refused", c.a, c.b)
			continue
		}
		got, err := AppendIncr(nil, a, b)
		if err != nil {
			got = []byte("inf")
		}
		if string(got) != c.want {
			t.Errorf("%s + %s = %s, want %s", c.a, c.b, got, c.want)
		}
		if back, err2 := AppendIncr(nil, b, a); err2 != err || err == nil && !bytes.Equal(back, got) {
			t.Errorf("%s + %s = %s the other way round", c.b, c.a, back)
		}
	}
	for _, in := range []string{"1e4933", "0x1p16384", "0x1.ffffffffffffffffp16383", "0x1p-16446", "1e-4952", "1e-99999", "1e99999", strings.Repeat("1", ldMaxText)} {
		if ld, ok := ParseLongDouble([]byte(in)); ok {
			t.Errorf("%.30q was taken for %.50s", in, ld.AppendHuman(nil))
		}
	}
	if ld, ok := ParseLongDouble([]byte("-inf")); !ok || ld.IsFinite() || string(ld.AppendHuman(nil)) != "-inf" {
		t.Error("-inf was not understood")
	}
}

func maxLD() string {
	n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(1))
	return n.Lsh(n, 16320).String()
}

func TestLongDoubleFrom(t *testing.T) {
	for _, f := range []float64{0, 1, -1.5, 0.1, 1e300, 5e-324, math.MaxFloat64, 13.361389338970184, -1e-7} {
		ld := LongDoubleFrom(f)
		want := new(big.Float).SetFloat64(f).Text('f', ldDecimals)
		if want = strings.TrimRight(strings.TrimRight(want, "0"), "."); f == 0 || want == "0" || want == "-0" {
			want = "0"
		} else if !strings.Contains(new(big.Float).SetFloat64(f).Text('f', ldDecimals), ".") {
			t.Fatal("no point")
		}
		if f == math.MaxFloat64 || f == 1e300 {
			want = new(big.Float).SetFloat64(f).Text('f', 0)
		}
		if got := string(ld.AppendHuman(nil)); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	if LongDoubleFrom(math.Inf(-1)).IsFinite() || LongDoubleFrom(math.NaN()).IsFinite() {
		t.Error("infinity became finite")
	}
}

func TestMemory(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "1": 1, "1b": 1, "1k": 1000, "1kb": 1024, "1K": 1000, "2Mb": 2 << 20, "2m": 2000000, "1g": 1000000000, "1GB": 1 << 30, "512mb": 512 << 20,
		"": 0, "mb": 0, "18446744073709551615": math.MaxUint64, "99999999999999999999": math.MaxUint64, "007kb": 7 << 10} {
		if got, ok := ParseMemory(in); !ok || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"-1", "1tb", "1 kb", "x", "1kbb", "1.5gb", "+1", strings.Repeat("1", 128)} {
		if got, ok := ParseMemory(in); ok {
			t.Errorf("%.20q was taken for %d", in, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1kb", 1536: "1536", 1 << 20: "1mb", 3 << 20: "3mb", 1 << 30: "1gb", 5 << 30: "5gb", 1<<30 + 1: "1073741825", -1024: "-1kb"} {
		if got := string(AppendMemory(nil, n)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 1536: "1.50K", 1<<20 - 1: "1024.00K", 1 << 20: "1.00M", 1 << 30: "1.00G", 3 << 39: "1.50T", 1 << 50: "1.00P", 1 << 60: "1152921504606846976B", 873968: "853.48K"} {
		if got := string(AppendBytesHuman(nil, n)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestOrdinaryCasesAllocateNothing(t *testing.T) {
	dst := make([]byte, 0, 256)
	texts := [][]byte{[]byte("10.5"), []byte("-0.001"), []byte("123456789012345678"), []byte("1e-7"), []byte("0x1.8p3"), []byte("3.14159265358979323846"), []byte("inf"), []byte("x")}
	if n := testing.AllocsPerRun(100, func() {
		for _, text := range texts {
			ParseInt(text)
			ParseUint(text)
			f, _ := ParseFloat(text)
			dst = AppendDouble17g(dst[:0], f)
			dst = AppendDouble(dst[:0], f)
			dst = AppendFixed(dst[:0], f, 4)
		}
		a, _ := ParseLongDouble(texts[0])
		b, _ := ParseLongDouble(texts[1])
		dst, _ = AppendIncr(dst[:0], a, b)
		c, _ := ParseLongDouble(texts[2])
		dst, _ = AppendIncr(dst[:0], a, c)
		dst = AppendMemory(dst[:0], 1<<20)
		dst = AppendBytesHuman(dst[:0], 123456)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzFloat holds the parsers to strconv and to arithmetic with exact fractions.
func FuzzFloat(f *testing.F) {
	for _, s := range []string{"1", "-1.5e3", "0x1.8p1", "inf", "9007199254740993", "1e-320", "0.1", "123456789012345678901234567890", "1e4000", "0x1p-16440"} {
		f.Add(s, "0.3")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 300 {
			return
		}
		if x, ok := ParseFloat([]byte(a)); ok {
			if back, ok := ParseFloat(AppendDouble17g(nil, x)); !ok || back != x {
				t.Fatalf("%q: %v came back as %v", a, x, back)
			}
			if back, ok := ParseFloat(AppendDouble(nil, x)); !ok || back != x {
				t.Fatalf("%q: %v came back as %v through d2string", a, x, back)
			}
			text := a
			if strings.ContainsAny(a, "xX") && !strings.ContainsAny(a, "pP") {
				text += "p0"
			}
			if want, err := strconv.ParseFloat(text, 64); err == nil && want != x {
				t.Fatalf("%q: %v, strconv says %v", a, x, want)
			}
		}
		x, ok1 := ParseLongDouble([]byte(a))
		y, ok2 := ParseLongDouble([]byte(b))
		if !ok1 || !ok2 || !x.IsFinite() || !y.IsFinite() {
			return
		}
		sum, ok := x.Add(y)
		if !ok {
			return
		}
		exact := new(big.Float).SetPrec(40000).Add(bigOf(x), bigOf(y))
		want := new(big.Float).SetPrec(64).SetMode(big.ToNearestEven).Set(exact)
		if sum.exp > ldMinExp && bigOf(sum).Cmp(want) != 0 {
			t.Fatalf("%q + %q = %v, want %v", a, b, bigOf(sum), want)
		}
		// The printed text is the exact value, rounded half to even at 17 decimals.
		text := string(sum.AppendHuman(nil))
		if got := decimals(bigOf(sum)); text != got {
			t.Fatalf("%q + %q prints %s, want %s", a, b, text, got)
		}
	})
}

func bigOf(a LongDouble) *big.Float {
	f := new(big.Float).SetPrec(64).SetUint64(a.mant)
	f.SetMantExp(f, int(a.exp))
	if a.neg {
		f.Neg(f)
	}
	return f
}

// decimals formats with fractions of big integers, digit by digit from the definition.
func decimals(f *big.Float) string {
	r, _ := f.Rat(nil)
	if f.Sign() == 0 {
		r = new(big.Rat)
	}
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(ldDecimals), nil)))
	num := new(big.Int).Abs(scaled.Num())
	quo, rem := new(big.Int).QuoRem(num, scaled.Denom(), new(big.Int))
	switch rem.Lsh(rem, 1).Cmp(scaled.Denom()) {
	case 1:
		quo.Add(quo, big.NewInt(1))
	case 0:
		if quo.Bit(0) == 1 {
			quo.Add(quo, big.NewInt(1))
		}
	}
	s := quo.String()
	for len(s) <= ldDecimals {
		s = "0" + s
	}
	s = strings.TrimRight(s[:len(s)-ldDecimals]+"."+s[len(s)-ldDecimals:], "0")
	s = strings.TrimSuffix(s, ".")
	if scaled.Sign() < 0 && s != "0" {
		s = "-" + s
	}
	return s
}

func BenchmarkAppendDouble17g(b *testing.B) {
	dst := make([]byte, 0, 64)
	for b.Loop() {
		_ = AppendDouble17g(dst, 3.14159)
	}
}

func BenchmarkIncrByFloat(b *testing.B) {
	dst := make([]byte, 0, 64)
	x, y := []byte("1234.5678"), []byte("0.1")
	for b.Loop() {
		a, _ := ParseLongDouble(x)
		c, _ := ParseLongDouble(y)
		_, _ = AppendIncr(dst, a, c)
	}
}

func BenchmarkParseInt(b *testing.B) {
	in := []byte("1234567890123")
	for b.Loop() {
		ParseInt(in)
	}
}

func BenchmarkParseFloat(b *testing.B) {
	in := []byte("3.14159")
	for b.Loop() {
		ParseFloat(in)
	}
}
