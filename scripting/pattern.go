package scripting

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Patterns of Lua 5.1: a backtracking matcher over bytes. Single characters are matched by class; the repetitions *, + and ? try the most
// first, - the least. Its recursion is bounded, and every step is counted against the script's budget, since a hostile pattern takes
// exponential time.

const (
	maxCaptures    = 32
	maxMatchDepth  = 200
	captureOpen    = -1
	captureAtPoint = -2
)

type capture struct{ start, length int }

type matcher struct {
	e     *Engine
	l     *lua.LState
	s, p  string
	level int
	depth int
	caps  [maxCaptures]capture
}

func (m *matcher) fail(text string) { raise(m.l, "%s", text) }

func (m *matcher) step() {
	if m.e.ticks--; m.e.ticks <= 0 {
		m.e.tick(m.l)
	}
}

// match matches the pattern from p at s; -1 if it does not.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth*50 {
		m.fail("pattern too complex")
	}
	defer func() { m.depth-- }()
	for {
		m.step()
		if p >= len(m.p) {
			return s
		}
		switch m.p[p] {
		case '(':
			if p+1 < len(m.p) && m.p[p+1] == ')' {
				return m.open(s, p+2, captureAtPoint)
			}
			return m.open(s, p+1, captureOpen)
		case ')':
			return m.close(s, p+1)
		case '%':
			if p+1 < len(m.p) {
				switch c := m.p[p+1]; {
				case c == 'b':
					if s = m.balance(s, p+2); s == -1 {
						return -1
					}
					p += 4
					continue
				case c == 'f':
					p += 2
					if p >= len(m.p) || m.p[p] != '[' {
						m.fail("missing '[' after '%f' in pattern")
					}
					end := m.classEnd(p)
					var prev, cur byte
					if s > 0 {
						prev = m.s[s-1]
					}
					if s < len(m.s) {
						cur = m.s[s]
					}
					if m.inSet(prev, p, end-1) || !m.inSet(cur, p, end-1) {
						return -1
					}
					p = end
					continue
				case c >= '0' && c <= '9':
					if s = m.again(s, c); s == -1 {
						return -1
					}
					p += 2
					continue
				}
			}
		case '$':
			if p+1 == len(m.p) {
				if s == len(m.s) {
					return s
				}
				return -1
			}
		}
		end := m.classEnd(p)
		one := s < len(m.s) && m.single(m.s[s], p, end)
		var rep byte
		if end < len(m.p) {
			rep = m.p[end]
		}
		switch rep {
		case '?':
			if one {
				if r := m.match(s+1, end+1); r != -1 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end)
		case '+':
			if !one {
				return -1
			}
			return m.most(s+1, p, end)
		case '-':
			for {
				if r := m.match(s, end+1); r != -1 {
					return r
				}
				if s >= len(m.s) || !m.single(m.s[s], p, end) {
					return -1
				}
				s++
			}
		default:
			if !one {
				return -1
			}
			s, p = s+1, end
		}
	}
}

func (m *matcher) most(s, p, end int) int {
	i := 0
	for s+i < len(m.s) && m.single(m.s[s+i], p, end) {
		i++
	}
	for ; i >= 0; i-- {
		m.step()
		if r := m.match(s+i, end+1); r != -1 {
			return r
		}
	}
	return -1
}

func (m *matcher) open(s, p, what int) int {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.caps[m.level] = capture{s, what}
	m.level++
	r := m.match(s, p)
	if r == -1 {
		m.level--
	}
	return r
}

func (m *matcher) close(s, p int) int {
	i := m.level - 1
	for ; i >= 0 && m.caps[i].length != captureOpen; i-- {
	}
	if i < 0 {
		m.fail("invalid pattern capture")
	}
	m.caps[i].length = s - m.caps[i].start
	r := m.match(s, p)
	if r == -1 {
		m.caps[i].length = captureOpen
	}
	return r
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.p) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.s) || m.s[s] != m.p[p] {
		return -1
	}
	b, x := m.p[p], m.p[p+1]
	depth := 1
	for i := s + 1; i < len(m.s); i++ {
		switch c := m.s[i]; {
		case c == x:
			if depth--; depth == 0 {
				return i + 1
			}
		case c == b:
			depth++
		}
	}
	return -1
}

func (m *matcher) again(s int, c byte) int {
	i := int(c - '1')
	if i < 0 || i >= m.level || m.caps[i].length == captureOpen {
		m.fail("invalid capture index")
	}
	t := m.s[m.caps[i].start : m.caps[i].start+max(m.caps[i].length, 0)]
	if strings.HasPrefix(m.s[s:], t) {
		return s + len(t)
	}
	return -1
}

// classEnd is the end of the single-character class at p.
func (m *matcher) classEnd(p int) int {
	c := m.p[p]
	p++
	switch c {
	case '%':
		if p >= len(m.p) {
			m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if p < len(m.p) && m.p[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.p) || m.p[p] != ']'; first = false {
			if p >= len(m.p) {
				m.fail("malformed pattern (missing ']')")
			}
			c := m.p[p]
			p++
			if c == '%' && p < len(m.p) {
				p++
			}
		}
		return p + 1
	}
	return p
}

func (m *matcher) single(c byte, p, end int) bool {
	switch m.p[p] {
	case '.':
		return true
	case '%':
		return classOf(c, m.p[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.p[p] == c
}

// inSet tells whether c is in the set [p, end], end being its closing bracket.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	if m.p[p+1] == '^' {
		in = false
		p++
	}
	for p++; p < end; p++ {
		switch {
		case m.p[p] == '%':
			p++
			if classOf(c, m.p[p]) {
				return in
			}
		case p+2 < end && m.p[p+1] == '-':
			if m.p[p] <= c && c <= m.p[p+2] {
				return in
			}
			p += 2
		case m.p[p] == c:
			return in
		}
	}
	return !in
}

func classOf(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = c|0x20 >= 'a' && c|0x20 <= 'z'
	case 'c':
		in = c < 32 || c == 127
	case 'd':
		in = c >= '0' && c <= '9'
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > 32 && c < 127 && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'z')
	case 's':
		in = c == ' ' || (c >= 9 && c <= 13)
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = (c >= '0' && c <= '9') || (c|0x20 >= 'a' && c|0x20 <= 'z')
	case 'x':
		in = (c >= '0' && c <= '9') || (c|0x20 >= 'a' && c|0x20 <= 'f')
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	if class >= 'A' && class <= 'Z' {
		return !in
	}
	return in
}

// value is capture i, or the whole match [s,e) if there are none.
func (m *matcher) value(i, s, e int) lua.LValue {
	if i >= m.level {
		if i != 0 {
			m.fail("invalid capture index")
		}
		return lua.LString(m.s[s:e])
	}
	c := m.caps[i]
	switch c.length {
	case captureOpen:
		m.fail("unfinished capture")
	case captureAtPoint:
		return lua.LNumber(c.start + 1)
	}
	return lua.LString(m.s[c.start : c.start+c.length])
}

// pushCaptures leaves all captures; without any, the whole match if whole is set.
func (m *matcher) pushCaptures(s, e int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.l.Push(m.value(i, s, e))
	}
	return n
}

func (e *Engine) matcher(l *lua.LState, s, p string) *matcher {
	return &matcher{e: e, l: l, s: s, p: p}
}

// find serves string.find and string.match.
func (e *Engine) find(l *lua.LState, name string, find bool) int {
	s, p := checkString(l, 1), checkString(l, 2)
	init := optInteger(l, 3, 1)
	if init < 0 {
		init += len(s) + 1
	}
	init = min(max(init-1, 0), len(s))
	if find && (lua.LVAsBool(l.Get(4)) || !strings.ContainsAny(p, "^$*+?.([%-")) {
		i := strings.Index(s[init:], p)
		if i < 0 {
			l.Push(lua.LNil)
			return 1
		}
		pushNumber(l, float64(init+i+1))
		return 1 + pushNumber(l, float64(init+i+len(p)))
	}
	anchor := strings.HasPrefix(p, "^")
	if anchor {
		p = p[1:]
	}
	m := e.matcher(l, s, p)
	for at := init; at <= len(s); at++ {
		m.level = 0
		if end := m.match(at, 0); end != -1 {
			if find {
				pushNumber(l, float64(at+1))
				pushNumber(l, float64(end))
				return 2 + m.pushCaptures(at, end, false)
			}
			return m.pushCaptures(at, end, true)
		}
		if anchor {
			break
		}
	}
	l.Push(lua.LNil)
	return 1
}

func (e *Engine) gmatch(l *lua.LState) int {
	s, p := checkString(l, 1), checkString(l, 2)
	at := 0
	l.Push(e.fn(func(l *lua.LState) int {
		m := e.matcher(l, s, p)
		for ; at <= len(s); at++ {
			m.level = 0
			if end := m.match(at, 0); end != -1 {
				from := at
				if at = end; end == from {
					at++
				}
				return m.pushCaptures(from, end, true)
			}
		}
		l.Push(lua.LNil)
		return 1
	}))
	return 1
}

func (e *Engine) gsub(l *lua.LState) int {
	s, p := checkString(l, 1), checkString(l, 2)
	repl := l.Get(3)
	switch v := repl.(type) {
	case lua.LString, *lua.LTable, *lua.LFunction:
	case lua.LNumber:
		repl = lua.LString(tostring(v))
	default:
		argError(l, 3, "string/function/table expected")
	}
	limit := optInt(l, 4, len(s)+1)
	anchor := strings.HasPrefix(p, "^")
	if anchor {
		p = p[1:]
	}
	m := e.matcher(l, s, p)
	var out []byte
	n, at, charged := 0, 0, 0
	for n < limit {
		m.level = 0
		end := m.match(at, 0)
		if end != -1 {
			n++
			out = m.substitute(out, at, end, repl)
			if len(out)-charged > 1<<16 {
				e.charge(l, len(out)-charged)
				charged = len(out)
			}
		}
		switch {
		case end != -1 && end > at:
			at = end
		case at < len(s):
			out = append(out, s[at])
			at++
		default:
			at = len(s) + 1
		}
		if at > len(s) || anchor {
			break
		}
	}
	if at < len(s) {
		out = append(out, s[at:]...)
	}
	e.charge(l, len(out))
	pushString(l, string(out))
	return 1 + pushNumber(l, float64(n))
}

func (m *matcher) substitute(out []byte, s, end int, repl lua.LValue) []byte {
	var v lua.LValue
	switch r := repl.(type) {
	case lua.LString:
		for i := 0; i < len(r); i++ {
			if r[i] != '%' {
				out = append(out, r[i])
				continue
			}
			i++
			switch {
			case i >= len(r):
				return append(out, 0) // C reads the string's end
			case r[i] == '0':
				out = append(out, m.s[s:end]...)
			case r[i] >= '1' && r[i] <= '9':
				t, _ := argString(m.value(int(r[i]-'1'), s, end))
				out = append(out, t...)
			default:
				out = append(out, r[i])
			}
		}
		return out
	case *lua.LTable:
		v = m.l.GetTable(r, m.value(0, s, end))
	case *lua.LFunction:
		m.l.Push(r)
		n := m.pushCaptures(s, end, true)
		m.l.Call(n, 1)
		v = m.l.Get(-1)
		m.l.Pop(1)
	}
	if !lua.LVAsBool(v) {
		return append(out, m.s[s:end]...)
	}
	t, ok := argString(v)
	if !ok {
		m.fail("invalid replacement value (a " + v.Type().String() + ")")
	}
	return append(out, t...)
}
