package scripting

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The string library of Lua 5.1.

func (e *Engine) fixString(t *lua.LTable) {
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("format", e.format)
	set("find", func(l *lua.LState) int { return e.find(l, "find", true) })
	set("match", func(l *lua.LState) int { return e.find(l, "match", false) })
	set("gmatch", e.gmatch)
	set("gfind", e.gmatch)
	set("gsub", e.gsub)
	set("len", func(l *lua.LState) int { return pushNumber(l, float64(len(checkString(l, 1)))) })
	set("rep", func(l *lua.LState) int {
		s, n := checkString(l, 1), checkInt(l, 2)
		if n <= 0 || s == "" {
			return pushString(l, "")
		}
		if int64(n) > e.memLimit/int64(len(s)) {
			e.charge(l, int(e.memLimit)+1)
		}
		e.charge(l, n*len(s))
		return pushString(l, strings.Repeat(s, n))
	})
	set("sub", func(l *lua.LState) int {
		s := checkString(l, 1)
		i, j := span(checkInteger(l, 2), optInteger(l, 3, -1), len(s))
		return pushString(l, s[i:j])
	})
	set("byte", func(l *lua.LState) int {
		s := checkString(l, 1)
		from := optInteger(l, 2, 1)
		i, j := span(from, optInteger(l, 3, from), len(s))
		if j-i > 7900 {
			raise(l, "string slice too long")
		}
		for _, c := range []byte(s[i:j]) {
			pushNumber(l, float64(c))
		}
		return j - i
	})
	set("char", func(l *lua.LState) int {
		b := make([]byte, l.GetTop())
		for i := range b {
			c := checkInt(l, i+1)
			if c < 0 || c > 255 {
				argError(l, i+1, "invalid value")
			}
			b[i] = byte(c)
		}
		return pushString(l, string(b))
	})
	set("reverse", func(l *lua.LState) int {
		b := []byte(checkString(l, 1))
		e.charge(l, len(b))
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return pushString(l, string(b))
	})
	fold := func(name string, low, high byte) {
		set(name, func(l *lua.LState) int {
			b := []byte(checkString(l, 1))
			e.charge(l, len(b))
			for i, c := range b {
				if c >= low && c <= high {
					b[i] = c ^ 0x20
				}
			}
			return pushString(l, string(b))
		})
	}
	fold("lower", 'A', 'Z')
	fold("upper", 'a', 'z')
	set("dump", func(l *lua.LState) int {
		checkFunction(l, 1)
		raise(l, "unable to dump given function")
		return 0
	})
}

// span turns Lua's inclusive positions, negative ones from the end, into a Go slice's bounds.
func span(i, j, n int) (int, int) {
	if i < 0 {
		i = max(i+n+1, 1)
	} else if i == 0 {
		i = 1
	}
	if j < 0 {
		j += n + 1
	}
	j = min(j, n)
	if i > j {
		return 0, 0
	}
	return i - 1, j
}

// format is string.format with C's conversions.
func (e *Engine) format(l *lua.LState) int {
	f := checkString(l, 1)
	out := make([]byte, 0, len(f)+32)
	arg := 1
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			out = append(out, f[i])
			continue
		}
		i++
		if i < len(f) && f[i] == '%' {
			out = append(out, '%')
			continue
		}
		if arg++; arg > l.GetTop() {
			argError(l, arg, "no value")
		}
		var s spec
		start := i
		for ; i < len(f) && strings.IndexByte("-+ #0", f[i]) >= 0; i++ {
			switch f[i] {
			case '-':
				s.left = true
			case '+':
				s.plus = true
			case ' ':
				s.space = true
			case '#':
				s.alt = true
			case '0':
				s.zero = true
			}
		}
		if i-start > 5 {
			raise(l, "invalid format (repeated flags)")
		}
		s.prec = -1
		digits := func() int {
			n := 0
			for k := 0; k < 2 && i < len(f) && f[i] >= '0' && f[i] <= '9'; k++ {
				n = n*10 + int(f[i]-'0')
				i++
			}
			return n
		}
		s.width = digits()
		if i < len(f) && f[i] == '.' {
			i++
			s.prec = digits()
		}
		if i < len(f) && f[i] >= '0' && f[i] <= '9' {
			raise(l, "invalid format (width or precision too long)")
		}
		var verb byte
		if i < len(f) {
			verb = f[i]
		}
		switch verb {
		case 'c':
			// C writes the directive as a string, which ends at a NUL.
			from := len(out)
			out = s.pad(out, string([]byte{byte(checkInt(l, arg))}))
			if nul := bytes.IndexByte(out[from:], 0); nul >= 0 {
				out = out[:from+nul]
			}
		case 'd', 'i':
			out = s.integer(out, truncate(checkNumber(l, arg)))
		case 'o', 'u', 'x', 'X':
			out = s.unsigned(out, verb, unsigned(checkNumber(l, arg)))
		case 'e', 'E', 'f', 'g', 'G':
			out = s.float(out, verb, checkNumber(l, arg))
		case 'q':
			out = appendQuoted(out, checkString(l, arg))
		case 's':
			v := checkString(l, arg)
			if s.prec >= 0 && len(v) > s.prec {
				v = v[:s.prec]
			}
			e.charge(l, len(v))
			out = s.pad(out, v)
		default:
			t := "%"
			if verb != 0 {
				t += string([]byte{verb})
			}
			raise(l, "invalid option '%s' to 'format'", t)
		}
	}
	return pushString(l, string(out))
}

// unsigned is C's cast of a double to an unsigned 64-bit integer, negative ones wrapping.
func unsigned(f float64) uint64 {
	if f >= 9223372036854775808 && f < 18446744073709551616 {
		return uint64(f)
	}
	return uint64(truncate(f))
}

// spec is one conversion of a format.
type spec struct {
	left, plus, space, alt, zero bool
	width, prec                  int
}

func (s *spec) pad(dst []byte, v string) []byte {
	n := s.width - len(v)
	if !s.left {
		for ; n > 0; n-- {
			dst = append(dst, ' ')
		}
	}
	dst = append(dst, v...)
	for ; n > 0; n-- {
		dst = append(dst, ' ')
	}
	return dst
}

// number writes sign, zeros and digits.
func (s *spec) number(dst []byte, sign, digits string, zero bool) []byte {
	n := s.width - len(sign) - len(digits)
	if zero && !s.left && n > 0 {
		return append(append(append(dst, sign...), strings.Repeat("0", n)...), digits...)
	}
	return s.pad(dst, sign+digits)
}

func (s *spec) signOf(neg bool) string {
	switch {
	case neg:
		return "-"
	case s.plus:
		return "+"
	case s.space:
		return " "
	}
	return ""
}

func (s *spec) precise(d string) string {
	if s.prec == 0 && d == "0" {
		return ""
	}
	if n := s.prec - len(d); n > 0 {
		return strings.Repeat("0", n) + d
	}
	return d
}

func (s *spec) integer(dst []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	return s.number(dst, s.signOf(n < 0), s.precise(strconv.FormatUint(u, 10)), s.zero && s.prec < 0)
}

func (s *spec) unsigned(dst []byte, verb byte, u uint64) []byte {
	base, sign := 10, ""
	switch verb {
	case 'o':
		base = 8
	case 'x', 'X':
		base = 16
		if s.alt && u != 0 {
			sign = "0" + string([]byte{verb})
		}
	}
	d := s.precise(strconv.FormatUint(u, base))
	if verb == 'X' {
		d = strings.ToUpper(d)
	}
	if verb == 'o' && s.alt && !strings.HasPrefix(d, "0") {
		d = "0" + d
	}
	return s.number(dst, sign, d, s.zero && s.prec < 0)
}

func (s *spec) float(dst []byte, verb byte, f float64) []byte {
	prec := s.prec
	if prec < 0 {
		prec = 6
	}
	neg := math.Signbit(f)
	a := math.Abs(f)
	var d string
	low := verb | 0x20
	switch {
	case f != f:
		d = "nan"
	case math.IsInf(f, 0):
		d = "inf"
	case low == 'g':
		d = string(appendG(nil, a, prec))
		if s.alt && !strings.Contains(d, ".") {
			d += "."
		}
	default:
		d = strconv.FormatFloat(a, low, prec, 64)
		if s.alt && prec == 0 {
			d += "."
		}
	}
	if verb != low {
		d = strings.ToUpper(d)
	}
	return s.number(dst, s.signOf(neg), d, s.zero && f == f && !math.IsInf(f, 0))
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			dst = append(dst, '\\', c)
		case '\r':
			dst = append(dst, `\r`...)
		case 0:
			dst = append(dst, `\000`...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
