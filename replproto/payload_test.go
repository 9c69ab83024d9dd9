package replproto

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// frame runs a marked payload through the machine in pieces of the given sizes and
// returns what it handed out and what it left for the stream.
func frame(t testing.TB, mark string, in []byte, size func() int) (data, rest []byte, ended bool) {
	t.Helper()
	var y payload
	y.startMarked([]byte(mark))
	for len(in) > 0 {
		k := min(size(), len(in))
		p := bytes.Clone(in[:k])
		in = in[k:]
		for len(p) > 0 {
			n, d, end := y.next(p)
			data = append(data, d...)
			p = p[n:]
			if end {
				return data, append(p, in...), true
			}
			if n == 0 && len(d) == 0 {
				t.Fatalf("no progress at match %d", y.match)
			}
		}
	}
	return data, nil, false
}

func checkFrame(t testing.TB, mark string, in []byte, size func() int) {
	t.Helper()
	data, rest, ended := frame(t, mark, in, size)
	i := bytes.Index(in, []byte(mark))
	if ended != (i >= 0) {
		t.Fatalf("end found: %v, mark %q at %d of %q", ended, mark, i, in)
	}
	if ended {
		if !bytes.Equal(data, in[:i]) || !bytes.Equal(rest, in[i+markLen:]) {
			t.Fatalf("mark %q in %q: data %q, rest %q", mark, in, data, rest)
		}
		return
	}
	// Without an end only a start of the mark may be held back.
	held := len(in) - len(data)
	if held < 0 || held >= markLen || !bytes.HasPrefix(in, data) || !strings.HasPrefix(mark, string(in[len(in)-held:])) {
		t.Fatalf("mark %q in %q: data %q", mark, in, data)
	}
}

func TestMarkIsFoundInEverySplit(t *testing.T) {
	marks := []string{
		"0123456789abcdef0123456789abcdef01234567",
		strings.Repeat("a", 40),
		strings.Repeat("a", 39) + "b",
		strings.Repeat("ab", 20),
		"ababababacababababacabababababacabab0123",
	}
	for _, mark := range marks {
		inputs := []string{
			mark,
			"x" + mark + "y",
			mark[:39] + mark + "*1\r\n",
			mark[:39] + "x" + mark[1:] + mark,
			mark[:20] + mark[:20] + mark[:39] + mark + mark,
			mark[1:] + mark[:39],
			mark[20:] + mark,
		}
		for _, in := range inputs {
			for a := 0; a <= len(in); a++ {
				for b := a; b <= len(in); b += 1 + len(in)/12 {
					sizes := []int{a, b - a, len(in)}
					checkFrame(t, mark, []byte(in), func() int {
						for len(sizes) > 1 && sizes[0] == 0 {
							sizes = sizes[1:]
						}
						k := sizes[0]
						if len(sizes) > 1 {
							sizes = sizes[1:]
						}
						return k
					})
				}
			}
			for k := 1; k < 50; k++ {
				checkFrame(t, mark, []byte(in), func() int { return k })
			}
		}
	}
}

// TestMarkAgainstIndex compares with bytes.Index on data over a tiny alphabet, where
// near misses are the rule.
func TestMarkAgainstIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		letters := 1 + rnd.IntN(3)
		text := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte('a' + rnd.IntN(letters))
			}
			return b
		}
		mark := string(text(markLen))
		in := text(rnd.IntN(300))
		for range rnd.IntN(4) {
			in = append(in, mark[:rnd.IntN(markLen+1)]...)
			in = append(in, text(rnd.IntN(30))...)
		}
		checkFrame(t, mark, in, func() int { return 1 + rnd.IntN(60) })
	}
}

func FuzzMark(f *testing.F) {
	f.Add("ababababacababababacabababababacabab0123", []byte("ababab"), uint64(3))
	f.Fuzz(func(t *testing.T, mark string, in []byte, seed uint64) {
		if len(mark) != markLen {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		in = append(bytes.Clone(in), mark...)
		in = append(in, in...)
		checkFrame(t, mark, in, func() int { return 1 + rnd.IntN(90) })
	})
}

func TestSizedPayloadIsExact(t *testing.T) {
	in := []byte("0123456789stream")
	for k := 1; k <= len(in); k++ {
		var y payload
		y.startSized(10)
		var data []byte
		p := in
		for ended := false; !ended; {
			n, d, end := y.next(p[:min(k, len(p))])
			data, p, ended = append(data, d...), p[n:], end
		}
		if string(data) != "0123456789" || string(p) != "stream" {
			t.Fatalf("pieces of %d: %q and %q", k, data, p)
		}
	}
	var y payload
	y.startSized(0)
	if n, d, end := y.next(nil); n != 0 || d != nil || !end {
		t.Fatalf("an empty payload: %d %q %v", n, d, end)
	}
}

func TestPayloadCopiesNothing(t *testing.T) {
	var y payload
	y.startMarked([]byte("0123456789abcdef0123456789abcdef01234567"))
	p := bytes.Repeat([]byte("payload 0123 "), 1000)
	n, d, _ := y.next(p)
	if n != len(p) || &d[0] != &p[0] {
		t.Fatalf("consumed %d of %d, data is a copy", n, len(p))
	}
	if a := testing.AllocsPerRun(100, func() { y.next(p) }); a != 0 {
		t.Fatalf("%v allocations", a)
	}
}

func BenchmarkMarkSearch(b *testing.B) {
	var y payload
	y.startMarked([]byte("0c3f56789abcdef0a23b56f89abcde101234567a"))
	p := bytes.Repeat([]byte("\x00\x0fkey:000000012345\x40the value of the key, of sixty four bytes, as usual in here ...."), 3000)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		y.next(p)
	}
}
