package resp

import (
	"bytes"
	"testing"
)

// FuzzReader feeds the same bytes whole and cut into pieces: the commands, the error and the position must be the same.
func FuzzReader(f *testing.F) {
	for _, s := range splitStreams {
		f.Add([]byte(s), uint64(0x0103), byte(1))
	}
	for _, c := range protocolCases {
		if len(c.in) < 1000 {
			f.Add([]byte(c.in), uint64(0x070102), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64, mode byte) {
		setup := func(r *Reader) {
			r.Authenticated = mode&1 != 0
			r.Master = mode&2 != 0
			if mode&4 != 0 {
				r.MaxInline = 16
			}
			if mode&8 != 0 {
				r.MaxBulk, r.QueryBufferLimit = 64, 32
			}
		}
		whole := run(setup, in)
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(int(cuts&7)+1, len(rest))
			cuts = cuts>>3 | cuts<<61
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if cut := run(setup, pieces...); cut.String() != whole.String() {
			t.Fatalf("in pieces:\n got %v\nwant %v", cut, whole)
		}
		if whole.pos > int64(len(in)) {
			t.Fatalf("position %d of %d", whole.pos, len(in))
		}
	})
}

// FuzzReplyReader does the same for replies, and decodes what is whole.
func FuzzReplyReader(f *testing.F) {
	for _, c := range replyCases {
		f.Add([]byte(c.raw), uint64(0x0103))
	}
	f.Add([]byte("\x8c\rx"), uint64(1)) // an unknown type and a bad line end: the first counts
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64) {
		whole, err := collect(in)
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(int(cuts&7)+1, len(rest))
			cuts = cuts>>3 | cuts<<61
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		cut, cutErr := collect(pieces...)
		if cut != whole || (err == nil) != (cutErr == nil) || err != nil && err.Error() != cutErr.Error() {
			t.Fatalf("in pieces:\n got %s %v\nwant %s %v", cut, cutErr, whole, err)
		}
		var r ReplyReader
		r.Feed(in)
		var back []byte
		for {
			raw, ok, err := r.Next()
			if !ok || err != nil {
				break
			}
			back = append(back, raw...)
			if v, err := DecodeValue(raw); err == nil {
				_ = v.String()
			}
		}
		if !bytes.HasPrefix(in, back) {
			t.Fatalf("extents %q are not the start of %q", back, in)
		}
	})
}

// FuzzSplitArgs holds the splitter to a plain rendering of the same rules.
func FuzzSplitArgs(f *testing.F) {
	for _, s := range []string{`a "b c" 'd\'e' x"y"`, `"\x41\n\q" "`, "\v a\vb", `''""`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := SplitArgs(line)
		want, wantOK := plainSplit(line)
		if ok != wantOK {
			t.Fatalf("%q: ok %v, want %v", line, ok, wantOK)
		}
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %q, want %q", line, got, want)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%q: %q, want %q", line, got, want)
			}
		}
	})
}

// plainSplit walks the line one byte at a time with an explicit state.
func plainSplit(line []byte) (words [][]byte, ok bool) {
	if i := bytes.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	at := func(i int) byte {
		if i < len(line) {
			return line[i]
		}
		return 0
	}
	const blanks = " \t\n\v\f\r"
	hex := func(c byte) int { return bytes.IndexByte([]byte("0123456789abcdef"), c|0x20) }
	isHex := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
	state := 'b' // between words; w: in a word; d, s: in quotes; e: after a closing quote
	var word []byte
	for i := 0; i <= len(line); i++ {
		c := at(i)
		blank := c != 0 && bytes.IndexByte([]byte(blanks), c) >= 0
		switch state {
		case 'e':
			if c != 0 && !blank {
				return nil, false
			}
			words = append(words, word)
			word, state = nil, 'b'
		case 'b':
			if c == 0 || blank {
				continue
			}
			word, state = []byte{}, 'w'
			i--
		case 'w':
			switch {
			case c == 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r':
				words = append(words, word)
				word, state = nil, 'b'
			case c == '"':
				state = 'd'
			case c == '\'':
				state = 's'
			default:
				word = append(word, c)
			}
		case 's':
			switch {
			case c == 0:
				return nil, false
			case c == '\\' && at(i+1) == '\'':
				word = append(word, '\'')
				i++
			case c == '\'':
				state = 'e'
			default:
				word = append(word, c)
			}
		case 'd':
			switch {
			case c == 0:
				return nil, false
			case c == '\\' && at(i+1) == 'x' && isHex(at(i+2)) && isHex(at(i+3)):
				word = append(word, byte(hex(at(i+2))*16+hex(at(i+3))))
				i += 3
			case c == '\\' && at(i+1) != 0:
				i++
				c = at(i)
				if j := bytes.IndexByte([]byte("nrtba"), c); j >= 0 {
					c = "\n\r\t\b\a"[j]
				}
				word = append(word, c)
			case c == '"':
				state = 'e'
			default:
				word = append(word, c)
			}
		}
	}
	return words, true
}
