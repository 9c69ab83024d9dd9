package listpack

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// texts walks lp forwards.
func texts(lp []byte) []string {
	var out []string
	var buf IntBuf
	for p := First(lp); p >= 0; p = Next(lp, p) {
		out = append(out, string(Get(lp, p, &buf)))
	}
	return out
}

// check verifies lp in every way against what it should hold.
func check(t *testing.T, lp []byte, want []string) {
	t.Helper()
	n, err := Validate(lp)
	if err != nil {
		t.Fatalf("%v\n%s", err, hex.Dump(lp[:min(len(lp), 300)]))
	}
	if n != len(want) || Len(lp) != n || Size(lp) != len(lp) {
		t.Fatalf("n %d, Len %d, want %d; Size %d, len %d", n, Len(lp), len(want), Size(lp), len(lp))
	}
	if got := texts(lp); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	var buf IntBuf
	i := len(want)
	for p := Last(lp); p >= 0; p = Prev(lp, p) {
		i--
		if got := string(Get(lp, p, &buf)); got != want[i] {
			t.Fatalf("backwards at %d: %q, want %q", i, got, want[i])
		}
	}
	if i != 0 {
		t.Fatalf("backwards stopped at %d", i)
	}
}

func build(want []string) []byte {
	lp := New(0)
	for _, s := range want {
		lp = Append(lp, []byte(s))
	}
	return lp
}

// The bytes that Redis 7.0 produces for some entries, as its DUMP shows them.
func TestEncodings(t *testing.T) {
	for _, c := range []struct{ in, hex string }{
		{"0", "0001"}, {"127", "7f01"}, {"128", "c08002"}, {"-1", "dfff02"}, {"4095", "cfff02"}, {"-4096", "d00002"},
		{"4096", "f1001003"}, {"-4097", "f1ffef03"}, {"32767", "f1ff7f03"}, {"-32768", "f1008003"},
		{"32768", "f200800004"}, {"-32769", "f2ff7fff04"}, {"8388607", "f2ffff7f04"}, {"-8388608", "f200008004"},
		{"8388608", "f30000800005"}, {"2147483647", "f3ffffff7f05"}, {"-2147483648", "f30000008005"},
		{"2147483648", "f4000000800000000009"}, {"9223372036854775807", "f4ffffffffffffff7f09"}, {"-9223372036854775808", "f4000000000000008009"},
		{"", "8001"}, {"a", "816102"}, {"01", "82303103"}, {"-0", "822d3003"}, {"+1", "822b3103"}, {"-", "812d02"}, {"9223372036854775808", "93" + hex.EncodeToString([]byte("9223372036854775808")) + "14"},
		{" 1", "82203103"}, {"1 ", "82312003"}, {"18446744073709551616", "94" + hex.EncodeToString([]byte("18446744073709551616")) + "15"},
	} {
		got := AppendEntry(nil, []byte(c.in))
		if hex.EncodeToString(got) != c.hex {
			t.Errorf("%q: %x, want %s", c.in, got, c.hex)
		}
		if EntrySize([]byte(c.in)) != len(got) {
			t.Errorf("EntrySize(%q) = %d, want %d", c.in, EntrySize([]byte(c.in)), len(got))
		}
	}
}

func TestLengthsAroundEachLimit(t *testing.T) {
	for _, n := range []int{0, 1, 62, 63, 64, 65, 124, 125, 126, 127, 128, 4094, 4095, 4096, 4097, 16375, 16376, 16377, 16378, 16379, 16380, 16383, 16384,
		2097140, 2097144, 2097145, 2097146, 2097147, 2097152} {
		s := strings.Repeat("x", n)
		if got := len(AppendEntry(nil, []byte(s))); got != EntrySize([]byte(s)) {
			t.Errorf("%d: EntrySize %d, real %d", n, EntrySize([]byte(s)), got)
		}
		check(t, build([]string{"a", s, "b"}), []string{"a", s, "b"})
	}
	// 2097151 and 268435455 are encoded sizes, not lengths.
	for _, c := range []struct{ n, size int }{{127, 1}, {128, 2}, {16382, 2}, {16383, 3}, {2097150, 3}, {2097151, 4}, {268435454, 4}, {268435455, 5}} {
		b := appendBacklen(nil, c.n)
		if len(b) != c.size || !backlenIs(b, c.n) {
			t.Errorf("backlen of %d: % x", c.n, b)
		}
		if n, k := decodeBacklen(b, len(b)-1); n != c.n || k != c.size {
			t.Errorf("backlen of %d decodes to %d in %d bytes", c.n, n, k)
		}
	}
}

func TestIntegersRoundTrip(t *testing.T) {
	lp := New(0)
	var want []string
	for shift := range 64 {
		for d := int64(-2); d <= 2; d++ {
			for _, v := range []int64{1<<shift + d, -(1 << shift) + d} {
				s := strconv.FormatInt(v, 10)
				want = append(want, s)
				lp = AppendInt(lp, v)
				if EntrySizeInt(v) != len(AppendEntryInt(nil, v)) {
					t.Errorf("EntrySizeInt(%d)", v)
				}
				if got, ok := ParseInt([]byte(s)); !ok || got != v {
					t.Errorf("ParseInt(%s) = %d, %v", s, got, ok)
				}
			}
		}
	}
	check(t, lp, want)
	if !bytes.Equal(lp, build(want)) {
		t.Error("AppendInt and Append differ")
	}
}

func TestParseIntIsStrict(t *testing.T) {
	for _, s := range []string{"", "-", "--1", "00", "01", "-0", "-01", "+1", "1a", "a1", " 1", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "99999999999999999999", "123456789012345678901"} {
		if v, ok := ParseInt([]byte(s)); ok {
			t.Errorf("ParseInt(%q) = %d", s, v)
		}
	}
}

// randomText favours the borders of the encodings.
func randomText(rnd *rand.Rand) string {
	switch rnd.IntN(8) {
	case 0, 1, 2:
		return strconv.FormatInt(int64(rnd.Uint64())>>rnd.IntN(64), 10)
	case 3:
		return strconv.Itoa(rnd.IntN(10))
	case 4:
		return strings.Repeat("y", []int{62, 63, 64, 125, 126, 127, 128, 300}[rnd.IntN(8)])
	case 5:
		if rnd.IntN(20) == 0 {
			return strings.Repeat("z", []int{4095, 4096, 16376, 16378}[rnd.IntN(4)])
		}
		return ""
	default:
		b := make([]byte, rnd.IntN(20))
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		return string(b)
	}
}

// TestModel makes random changes to a listpack and to a []string and expects
// them to agree after each.
func TestModel(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		lp := New(0)
		var model []string
		for step := range 300 {
			s := randomText(rnd)
			i := 0
			if len(model) > 0 {
				i = rnd.IntN(len(model))
			}
			p := Seek(lp, i)
			if (p < 0) != (len(model) == 0) {
				t.Fatalf("Seek(%d) of %d = %d", i, len(model), p)
			}
			v, isInt := ParseInt([]byte(s))
			switch op := rnd.IntN(12); {
			case op < 2 || len(model) == 0:
				if isInt && op == 0 {
					lp = AppendInt(lp, v)
				} else {
					lp = Append(lp, []byte(s))
				}
				model = append(model, s)
			case op == 2:
				if isInt {
					lp = PrependInt(lp, v)
				} else {
					lp = Prepend(lp, []byte(s))
				}
				model = slices.Insert(model, 0, s)
			case op < 5:
				if isInt {
					lp = InsertInt(lp, p, v)
				} else {
					lp = Insert(lp, p, []byte(s))
				}
				model = slices.Insert(model, i, s)
			case op == 5:
				var q int
				lp, q = InsertAfter(lp, p, []byte(s))
				model = slices.Insert(model, i+1, s)
				if q != Seek(lp, i+1) {
					t.Fatalf("InsertAfter says %d", q)
				}
			case op < 8:
				if isInt {
					lp = ReplaceInt(lp, p, v)
				} else {
					lp = Replace(lp, p, []byte(s))
				}
				model[i] = s
			case op < 10:
				var next int
				lp, next = Delete(lp, p)
				model = slices.Delete(model, i, i+1)
				if (next < 0) != (i == len(model)) || next >= 0 && next != Seek(lp, i) {
					t.Fatalf("Delete says %d", next)
				}
			case op == 10:
				n := rnd.IntN(6)
				to := min(i+n, len(model))
				if rnd.IntN(2) == 0 {
					lp, _ = DeleteN(lp, p, n)
				} else {
					lp = DeleteRange(lp, i-len(model), n)
				}
				model = slices.Delete(model, i, to)
			case op == 11:
				more := []string{randomText(rnd), randomText(rnd)}
				lp = Concat(lp, build(more))
				model = append(model, more...)
			}
			check(t, lp, model)
			// Find agrees with a search of the model, from anywhere.
			if len(model) > 0 {
				needle := model[rnd.IntN(len(model))]
				if rnd.IntN(4) == 0 {
					needle = s
				}
				from, skip := rnd.IntN(len(model)), rnd.IntN(3)
				want := -1
				for k := from; k < len(model); k += skip + 1 {
					if model[k] == needle {
						want = k
						break
					}
				}
				got := Find(lp, Seek(lp, from), []byte(needle), skip)
				if want < 0 && got >= 0 || want >= 0 && got != Seek(lp, want) {
					t.Fatalf("seed %d step %d: Find %q from %d skip %d = %d, want index %d", seed, step, needle, from, skip, got, want)
				}
				if want >= 0 && !Equal(lp, got, []byte(needle)) {
					t.Fatal("Equal disagrees with Find")
				}
			}
		}
		if !bytes.Equal(lp, build(model)) {
			t.Fatalf("seed %d: the bytes depend on the history", seed)
		}
	}
}

func TestMoreEntriesThanTheHeaderCanCount(t *testing.T) {
	lp := Begin(nil)
	const n = 65534
	for i := range n {
		lp = AppendEntryInt(lp, int64(i))
	}
	lp = Finish(lp, 0, n)
	if got, err := Validate(lp); got != n || err != nil || lp[4] != 0xfe || lp[5] != 0xff {
		t.Fatalf("%d, %v, header % x", got, err, lp[:6])
	}
	lp = AppendInt(lp, 7)
	lp = AppendInt(lp, 8)
	if got, err := Validate(lp); got != n+2 || err != nil || Len(lp) != n+2 || lp[4] != 0xff || lp[5] != 0xff {
		t.Fatalf("%d, %v, Len %d, header % x", got, err, Len(lp), lp[:6])
	}
	for _, i := range []int{0, 1, 40000, n + 1} {
		a, b := Seek(lp, i), Seek(lp, i-(n+2))
		if a != b || a < 0 {
			t.Errorf("Seek(%d) = %d, from the end %d", i, a, b)
		}
	}
	if Seek(lp, n+2) != -1 || Seek(lp, -n-3) != -1 {
		t.Error("Seek beyond the ends")
	}
	lp, _ = Delete(lp, First(lp))
	if lp[4] != 0xff || Len(lp) != n+1 {
		t.Error("the unknown count must stay unknown")
	}
	if got := Len(Concat(slices.Clone(lp), lp)); got != 2*(n+1) {
		t.Error(got)
	}
}

func TestInPlaceWhenCapacityAllows(t *testing.T) {
	lp := New(1 << 10)
	base := &lp[0]
	for i := range 50 {
		lp = Append(lp, fmt.Append(nil, "value", i))
	}
	lp = Insert(lp, Seek(lp, 3), []byte("inserted"))
	lp = Replace(lp, Seek(lp, 3), []byte("replaced by something longer"))
	lp, _ = Delete(lp, Seek(lp, 10))
	if &lp[0] != base {
		t.Error("the listpack moved although there was room")
	}
	full := slices.Clip(lp)
	keep := slices.Clone(full)
	if got := Append(full, []byte("x")); &got[0] == &full[0] {
		t.Error("a clipped slice was written beyond its capacity")
	}
	if !bytes.Equal(full[HeaderSize:len(full)-1], keep[HeaderSize:len(keep)-1]) {
		t.Error("the old slice's entries changed")
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprint("field", i), strconv.Itoa(i*i*i-500))
	}
	lp := build(want)
	needle := []byte("field199")
	room := slices.Grow(slices.Clone(lp), 100)
	var buf IntBuf
	sum := 0
	if n := testing.AllocsPerRun(10, func() {
		for p := First(lp); p >= 0; p = Next(lp, p) {
			sum += len(Get(lp, p, &buf))
		}
		for p := Last(lp); p >= 0; p = Prev(lp, p) {
			sum++
		}
		if Find(lp, First(lp), needle, 1) < 0 {
			t.Fatal("not found")
		}
		if _, err := Validate(lp); err != nil {
			t.Fatal(err)
		}
		x := Append(room, needle)
		x = Insert(x, Seek(x, 5), needle)
		x, _ = Delete(x, Seek(x, 5))
		_ = x
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValidateRefuses(t *testing.T) {
	good := build([]string{"hello", "1", "-70000", strings.Repeat("w", 200), "5000000000"})
	if _, err := Validate(good); err != nil {
		t.Fatal(err)
	}
	// No single bit of the structure may change unnoticed: what still validates
	// must have the same shape (a flipped bit of content).
	for i := range good {
		for bit := range 8 {
			b := slices.Clone(good)
			b[i] ^= 1 << bit
			n, err := Validate(b)
			if err == nil {
				walk(t, b, n)
			} else if ce := (*CorruptError)(nil); !errors.As(err, &ce) || ce.Offset < 0 || ce.Offset > len(b) {
				t.Fatalf("%v", err)
			}
		}
		if _, err := Validate(good[:i]); err == nil {
			t.Fatalf("a prefix of %d bytes is valid", i)
		}
	}
	for name, h := range map[string]string{
		"count":             "0900000002000101ff",
		"size":              "0a000000010001" + "01ff",
		"early end":         "090000000200ff01ff",
		"unknown encoding":  "0900000001 00f501ff",
		"string past end":   "090000000100bf01ff",
		"backlen":           "0900000001000102ff",
		"12 bit string cut": "080000000100e0ff",
		"32 bit string cut": "0a0000000100f0ffffff",
		"32 bit string":     "0d0000000100f0ffffffff01ff",
		"no end byte":       "090000000100010100",
		"int64 cut":         "090000000100f401ff",
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Validate(b); err == nil {
			t.Errorf("%s: accepted with %d entries", name, n)
		}
	}
}

// walk goes over a listpack that validated, in both directions.
func walk(t *testing.T, lp []byte, n int) {
	t.Helper()
	var buf IntBuf
	k, back := 0, 0
	for p := First(lp); p >= 0; p = Next(lp, p) {
		s := Get(lp, p, &buf)
		if !Equal(lp, p, s) {
			t.Fatalf("entry %q does not equal itself", s)
		}
		k++
	}
	for p := Last(lp); p >= 0; p = Prev(lp, p) {
		back++
	}
	if k != n || back != n || Len(lp) != n {
		t.Fatalf("valid with %d entries, but %d forwards, %d backwards, Len %d", n, k, back, Len(lp))
	}
}

func FuzzListpackValidate(f *testing.F) {
	f.Add(build([]string{"a", "1", "-5000", strings.Repeat("b", 70), "123456789012"}))
	f.Add(build(nil))
	f.Add([]byte("\x09\x00\x00\x00\xff\xff\x01\x01\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Validate(b)
		if err != nil {
			return
		}
		walk(t, b, n)
		lp := slices.Clone(b)
		lp = Insert(lp, HeaderSize, []byte("new"))
		lp = Append(lp, []byte("77"))
		m, err := Validate(lp)
		if err != nil || m != n+2 {
			t.Fatalf("after two insertions: %d, %v", m, err)
		}
		lp = DeleteRange(lp, 0, m)
		if m, err := Validate(lp); m != 0 || err != nil {
			t.Fatalf("after deleting all: %d, %v", m, err)
		}
	})
}

func FuzzListpackModel(f *testing.F) {
	f.Add([]byte("12\x00abc\x00-7\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint8) {
		var want []string
		for _, s := range bytes.Split(data, []byte{0}) {
			want = append(want, string(s))
		}
		lp := build(want)
		check(t, lp, want)
		i := int(at) % len(want)
		lp, _ = Delete(lp, Seek(lp, i))
		check(t, lp, slices.Delete(want, i, i+1))
	})
}

func TestEntrySizeOfExtremes(t *testing.T) {
	for _, v := range []int64{math.MinInt64, math.MaxInt64, 0, -1} {
		if EntrySizeInt(v) != len(AppendEntryInt(nil, v)) {
			t.Errorf("%d", v)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	var want []string
	for i := range 64 {
		want = append(want, fmt.Sprint("field", i), fmt.Sprint("value-", i))
	}
	lp := build(want)
	b.SetBytes(int64(len(lp)))
	for b.Loop() {
		if _, err := Validate(lp); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	var want []string
	for i := range 64 {
		want = append(want, fmt.Sprint("field", i), fmt.Sprint("value-", i))
	}
	lp := build(want)
	needle := []byte("field63")
	for b.Loop() {
		if Find(lp, HeaderSize, needle, 1) < 0 {
			b.Fatal()
		}
	}
}
