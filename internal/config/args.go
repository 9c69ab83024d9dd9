package config

import "strings"

// SplitArgs splits a configuration line into words by the rules of redis.conf: words are separated by blanks;
// "double quotes" know the escapes \n \r \t \b \a \xHH and \<any>; 'single quotes' know only \'. A closing quote
// must be followed by a blank or the end. ok is false for unbalanced quotes.
func SplitArgs(line string) (args []string, ok bool) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) || line[i] == 0 {
			return args, true
		}
		word, next, good := splitWord(line, i)
		if !good {
			return nil, false
		}
		args = append(args, word)
		i = next
	}
}

// splitWord reads one word that starts at i and returns the position behind it. A quote may open in the middle of
// a word (a"b c" is one word), but a closing quote ends it.
func splitWord(line string, i int) (word string, next int, ok bool) {
	var b strings.Builder
	quote := byte(0)
	for ; i < len(line) && line[i] != 0; i++ {
		c := line[i]
		switch {
		case quote == 0:
			switch c {
			case ' ', '\n', '\r', '\t':
				return b.String(), i, true
			case '"', '\'':
				quote = c
			default:
				b.WriteByte(c)
			}
		case c == quote:
			if i+1 < len(line) && line[i+1] != 0 && !isSpace(line[i+1]) {
				return "", 0, false
			}
			return b.String(), i + 1, true
		case quote == '\'':
			if c == '\\' && i+1 < len(line) && line[i+1] == '\'' {
				i++
				c = '\''
			}
			b.WriteByte(c)
		case c == '\\' && i+3 < len(line) && line[i+1] == 'x' && hexDigit(line[i+2]) >= 0 && hexDigit(line[i+3]) >= 0:
			b.WriteByte(byte(hexDigit(line[i+2])<<4 | hexDigit(line[i+3])))
			i += 3
		case c == '\\' && i+1 < len(line) && line[i+1] != 0:
			i++
			b.WriteByte(unescape(line[i]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), i, quote == 0
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

// Quote writes s in double quotes so that SplitArgs reads the same bytes back; bytes that are not printable ASCII
// become escapes.
func Quote(s string) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\a':
			b = append(b, '\\', 'a')
		case '\b':
			b = append(b, '\\', 'b')
		default:
			if c >= 0x20 && c < 0x7f {
				b = append(b, c)
			} else {
				b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
			}
		}
	}
	return string(append(b, '"'))
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// splitSet splits a CONFIG SET value of a directive with several arguments: at single blanks, empty words kept, no
// words for the empty value.
func splitSet(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, " ")
}

// cString cuts s at its first NUL byte. Most of Redis's settings are C strings, where one ends the value.
func cString(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}
