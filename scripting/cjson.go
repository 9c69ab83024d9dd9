package scripting

import (
	"math"
	"strconv"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// The cjson library, in the version and with the settings that Redis ships.

type jsonConfig struct {
	sparseConvert             bool
	sparseRatio, sparseSafe   int
	encodeDepth, decodeDepth  int
	precision                 int
	keepBuffer, decodeInvalid bool
	encodeInvalid             int // 0 off, 1 on, 2 null
}

func defaultJSON() jsonConfig {
	return jsonConfig{sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: 14, keepBuffer: true, decodeInvalid: true}
}

func (e *Engine) openCJSON() *lua.LTable {
	e.jsonNull = &lua.LUserData{Metatable: lua.LNil}
	return e.newCJSON(&e.cjson)
}

// newCJSON makes the table of functions over one set of settings.
func (e *Engine) newCJSON(c *jsonConfig) *lua.LTable {
	t := e.l.NewTable()
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("encode", func(l *lua.LState) int {
		if l.GetTop() != 1 {
			argError(l, 1, "expected 1 argument")
		}
		w := jsonWriter{e: e, l: l, c: c}
		w.value(l.Get(1), 0)
		return pushString(l, string(w.b))
	})
	set("decode", func(l *lua.LState) int {
		if l.GetTop() != 1 {
			argError(l, 1, "expected 1 argument")
		}
		r := jsonReader{e: e, l: l, c: c, s: checkString(l, 1)}
		v := r.document()
		l.Push(v)
		return 1
	})
	set("new", func(l *lua.LState) int {
		n := defaultJSON()
		l.Push(e.newCJSON(&n))
		return 1
	})
	integer := func(name string, p *int, low, high int) {
		set(name, func(l *lua.LState) int {
			if l.GetTop() > 1 {
				argError(l, 2, "found too many arguments")
			}
			if l.Get(1) != lua.LNil {
				n := checkInt(l, 1)
				if n < low || n > high {
					argError(l, 1, "expected integer between "+itoa(low)+" and "+itoa(high))
				}
				*p = n
			}
			return pushNumber(l, float64(*p))
		})
	}
	integer("encode_max_depth", &c.encodeDepth, 1, math.MaxInt32)
	integer("decode_max_depth", &c.decodeDepth, 1, math.MaxInt32)
	integer("encode_number_precision", &c.precision, 1, 14)
	boolean := func(name string, p *bool) {
		set(name, func(l *lua.LState) int {
			switch v := l.Get(1).(type) {
			case lua.LBool:
				*p = bool(v)
			case lua.LString:
				if v != "on" && v != "off" {
					argError(l, 1, "invalid option '"+string(v)+"'")
				}
				*p = v == "on"
			}
			l.Push(lua.LBool(*p))
			return 1
		})
	}
	boolean("encode_keep_buffer", &c.keepBuffer)
	boolean("decode_invalid_numbers", &c.decodeInvalid)
	set("encode_invalid_numbers", func(l *lua.LState) int {
		switch v := l.Get(1).(type) {
		case lua.LBool:
			c.encodeInvalid = 0
			if v {
				c.encodeInvalid = 1
			}
		case lua.LString:
			n, ok := map[string]int{"off": 0, "on": 1, "null": 2}[string(v)]
			if !ok {
				argError(l, 1, "invalid option '"+string(v)+"'")
			}
			c.encodeInvalid = n
		}
		if c.encodeInvalid == 2 {
			return pushString(l, "null")
		}
		l.Push(lua.LBool(c.encodeInvalid == 1))
		return 1
	})
	set("encode_sparse_array", func(l *lua.LState) int {
		if v, ok := l.Get(1).(lua.LBool); ok {
			c.sparseConvert = bool(v)
		}
		if l.Get(2) != lua.LNil {
			c.sparseRatio = checkInt(l, 2)
		}
		if l.Get(3) != lua.LNil {
			c.sparseSafe = checkInt(l, 3)
		}
		l.Push(lua.LBool(c.sparseConvert))
		l.Push(lua.LNumber(c.sparseRatio))
		l.Push(lua.LNumber(c.sparseSafe))
		return 3
	})
	rawSetString(t, "null", e.jsonNull)
	rawSetString(t, "_NAME", lua.LString("cjson"))
	rawSetString(t, "_VERSION", lua.LString("2.1.0"))
	return t
}

type jsonWriter struct {
	e       *Engine
	l       *lua.LState
	c       *jsonConfig
	b       []byte
	charged int
}

func (w *jsonWriter) fail(v lua.LValue, why string) {
	raise(w.l, "Cannot serialise %s: %s", v.Type().String(), why)
}

func (w *jsonWriter) value(v lua.LValue, depth int) {
	if len(w.b)-w.charged > 1<<16 {
		w.e.charge(w.l, len(w.b)-w.charged)
		w.charged = len(w.b)
	}
	switch v := v.(type) {
	case lua.LString:
		w.string(string(v))
	case lua.LNumber:
		w.number(v)
	case lua.LBool:
		w.b = append(w.b, v.String()...)
	case *lua.LNilType:
		w.b = append(w.b, "null"...)
	case *lua.LTable:
		if depth++; depth > w.c.encodeDepth {
			raise(w.l, "Cannot serialise, excessive nesting (%d)", depth)
		}
		if n := w.arrayLength(v); n >= 0 {
			w.array(v, n, depth)
		} else {
			w.object(v, depth)
		}
	case *lua.LUserData:
		if v != w.e.jsonNull {
			w.fail(v, "type not supported")
		}
		w.b = append(w.b, "null"...)
	default:
		w.fail(v, "type not supported")
	}
}

// arrayLength is the length of a table that is an array, -1 for an object.
func (w *jsonWriter) arrayLength(t *lua.LTable) int {
	top, items := 0, 0
	for k := range elements(t) {
		n, ok := k.(lua.LNumber)
		if !ok || n != lua.LNumber(math.Floor(float64(n))) || n < 1 {
			return -1
		}
		top = max(top, int(n))
		items++
	}
	if items == 0 {
		return -1
	}
	if w.c.sparseRatio > 0 && top > items*w.c.sparseRatio && top > w.c.sparseSafe {
		if !w.c.sparseConvert {
			w.fail(t, "excessively sparse array")
		}
		return -1
	}
	return top
}

func (w *jsonWriter) array(t *lua.LTable, n, depth int) {
	w.b = append(w.b, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			w.b = append(w.b, ',')
		}
		w.value(rawGetInt(t, i), depth)
	}
	w.b = append(w.b, ']')
}

func (w *jsonWriter) object(t *lua.LTable, depth int) {
	w.b = append(w.b, '{')
	first := true
	for k, v := range elements(t) {
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		switch k := k.(type) {
		case lua.LNumber:
			w.b = append(w.b, '"')
			w.number(k)
			w.b = append(w.b, '"')
		case lua.LString:
			w.string(string(k))
		default:
			w.fail(k, "table key must be a number or string")
		}
		w.b = append(w.b, ':')
		w.value(v, depth)
	}
	w.b = append(w.b, '}')
}

func (w *jsonWriter) number(n lua.LNumber) {
	f := float64(n)
	if math.IsInf(f, 0) || f != f {
		switch w.c.encodeInvalid {
		case 0:
			w.fail(n, "must not be NaN or Inf")
		case 2:
			w.b = append(w.b, "null"...)
			return
		}
		if f != f {
			w.b = append(w.b, "nan"...)
			return
		}
	}
	w.b = appendG(w.b, f, w.c.precision)
}

func (w *jsonWriter) string(s string) {
	w.b = append(w.b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '/':
			w.b = append(w.b, '\\', c)
		case c == '\b':
			w.b = append(w.b, `\b`...)
		case c == '\t':
			w.b = append(w.b, `\t`...)
		case c == '\n':
			w.b = append(w.b, `\n`...)
		case c == '\f':
			w.b = append(w.b, `\f`...)
		case c == '\r':
			w.b = append(w.b, `\r`...)
		case c < 32 || c == 127:
			const hex = "0123456789abcdef"
			w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			w.b = append(w.b, c)
		}
	}
	w.b = append(w.b, '"')
}

type jsonReader struct {
	e     *Engine
	l     *lua.LState
	c     *jsonConfig
	s     string
	i     int
	depth int
}

func (r *jsonReader) fail(expected, found string, at int) {
	raise(r.l, "Expected %s but found %s at character %d", expected, found, at+1)
}

// blank skips white space.
func (r *jsonReader) blank() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\t' || r.s[r.i] == '\n' || r.s[r.i] == '\r') {
		r.i++
	}
}

func (r *jsonReader) document() lua.LValue {
	// UTF-16 and UTF-32 have NULs among their first bytes.
	if len(r.s) >= 2 && (r.s[0] == 0 || r.s[1] == 0) {
		raise(r.l, "JSON parser does not support UTF-16 or UTF-32")
	}
	v := r.value()
	r.blank()
	if r.i < len(r.s) {
		at := r.i
		r.fail("the end", r.token(), at)
	}
	return v
}

// token names what stands at the present place, for a message.
func (r *jsonReader) token() string {
	r.blank()
	if r.i >= len(r.s) || r.s[r.i] == 0 {
		return "T_END"
	}
	switch c := r.s[r.i]; {
	case c == '{':
		return "T_OBJ_BEGIN"
	case c == '}':
		return "T_OBJ_END"
	case c == '[':
		return "T_ARR_BEGIN"
	case c == ']':
		return "T_ARR_END"
	case c == ',':
		return "T_COMMA"
	case c == ':':
		return "T_COLON"
	case c == '"':
		r.string()
		return "T_STRING"
	case c == '-' || (c >= '0' && c <= '9'):
		r.number()
		return "T_NUMBER"
	default:
		for _, w := range []struct{ text, name string }{{"true", "T_BOOLEAN"}, {"false", "T_BOOLEAN"}, {"null", "T_NULL"}} {
			if len(r.s)-r.i >= len(w.text) && r.s[r.i:r.i+len(w.text)] == w.text {
				return w.name
			}
		}
		return "invalid token"
	}
}

func (r *jsonReader) value() lua.LValue {
	r.blank()
	at := r.i
	if r.i >= len(r.s) {
		r.fail("value", "T_END", at)
	}
	switch c := r.s[r.i]; {
	case c == '"':
		return lua.LString(r.string())
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '-' || (c >= '0' && c <= '9'):
		return lua.LNumber(r.number())
	}
	for _, w := range []struct {
		text string
		v    lua.LValue
	}{{"true", lua.LTrue}, {"false", lua.LFalse}, {"null", r.e.jsonNull}} {
		if len(r.s)-r.i >= len(w.text) && r.s[r.i:r.i+len(w.text)] == w.text {
			r.i += len(w.text)
			return w.v
		}
	}
	if f, ok := r.special(); ok {
		return lua.LNumber(f)
	}
	r.fail("value", r.token(), at)
	return nil
}

// special reads the numbers that JSON does not know.
func (r *jsonReader) special() (float64, bool) {
	if !r.c.decodeInvalid {
		return 0, false
	}
	for _, w := range []struct {
		text string
		f    float64
	}{{"infinity", math.Inf(1)}, {"inf", math.Inf(1)}, {"nan", math.NaN()}} {
		if len(r.s)-r.i >= len(w.text) && equalFold(r.s[r.i:r.i+len(w.text)], w.text) {
			r.i += len(w.text)
			return w.f, true
		}
	}
	return 0, false
}

func equalFold(s, low string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != low[i] {
			return false
		}
	}
	return true
}

func (r *jsonReader) number() float64 {
	at := r.i
	i := r.i
	if r.s[i] == '-' {
		i++
	}
	if r.c.decodeInvalid && i < len(r.s) && r.s[i] != '-' {
		neg := i != r.i
		save := r.i
		r.i = i
		if f, ok := r.special(); ok {
			if neg {
				f = -f
			}
			return f
		}
		if len(r.s)-i > 2 && r.s[i] == '0' && r.s[i+1]|0x20 == 'x' {
			j := i + 2
			for j < len(r.s) && classOf(r.s[j], 'x') {
				j++
			}
			r.i = j
			f, _ := parseNumber(r.s[at:j])
			return f
		}
		r.i = save
	}
	digits := func() bool {
		from := i
		for i < len(r.s) && r.s[i] >= '0' && r.s[i] <= '9' {
			i++
		}
		return i > from
	}
	lead := i
	if !digits() || (!r.c.decodeInvalid && i-lead > 1 && r.s[lead] == '0') {
		r.fail("value", "invalid number", at)
	}
	if i < len(r.s) && r.s[i] == '.' {
		i++
		digits()
	}
	if i < len(r.s) && r.s[i]|0x20 == 'e' {
		back := i
		i++
		if i < len(r.s) && (r.s[i] == '+' || r.s[i] == '-') {
			i++
		}
		if !digits() {
			i = back
		}
	}
	f, _ := strconv.ParseFloat(r.s[at:i], 64)
	r.i = i
	return f
}

func (r *jsonReader) string() string {
	r.i++
	from := r.i
	for r.i < len(r.s) && r.s[r.i] != '"' && r.s[r.i] != '\\' {
		r.i++
	}
	if r.i < len(r.s) && r.s[r.i] == '"' {
		s := r.s[from:r.i]
		r.i++
		return s
	}
	b := []byte(r.s[from:r.i])
	for {
		if r.i >= len(r.s) {
			r.fail("value", "unexpected end of string", r.i)
		}
		c := r.s[r.i]
		r.i++
		if c == '"' {
			r.e.charge(r.l, len(b))
			return string(b)
		}
		if c != '\\' {
			b = append(b, c)
			continue
		}
		if r.i >= len(r.s) {
			r.fail("value", "invalid escape code", r.i-1)
		}
		c = r.s[r.i]
		r.i++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			esc := r.i - 2
			u, ok := r.hex4()
			if ok && u >= 0xd800 && u < 0xe000 {
				ok = u < 0xdc00 && r.i+1 < len(r.s) && r.s[r.i] == '\\' && r.s[r.i+1] == 'u'
				if ok {
					r.i += 2
					var low rune
					low, ok = r.hex4()
					ok = ok && low >= 0xdc00 && low < 0xe000
					u = (u-0xd800)<<10 + (low - 0xdc00) + 0x10000
				}
			}
			if !ok {
				r.fail("value", "invalid unicode escape code", esc)
			}
			b = utf8.AppendRune(b, u)
		default:
			r.fail("value", "invalid escape code", r.i-2)
		}
	}
}

func (r *jsonReader) hex4() (rune, bool) {
	if len(r.s)-r.i < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(r.s[r.i:r.i+4], 16, 32)
	r.i += 4
	return rune(n), err == nil
}

func (r *jsonReader) deeper() {
	if r.depth++; r.depth > r.c.decodeDepth {
		raise(r.l, "Found too many nested data structures (%d) at character %d", r.depth, r.i+1)
	}
	r.e.charge(r.l, 200)
}

func (r *jsonReader) array() lua.LValue {
	r.deeper()
	r.i++
	t := r.l.NewTable()
	r.blank()
	if r.i < len(r.s) && r.s[r.i] == ']' {
		r.i++
		r.depth--
		return t
	}
	for {
		t.Append(r.value())
		r.e.charge(r.l, 32)
		r.blank()
		at := r.i
		switch {
		case r.i < len(r.s) && r.s[r.i] == ']':
			r.i++
			r.depth--
			return t
		case r.i < len(r.s) && r.s[r.i] == ',':
			r.i++
		default:
			r.fail("comma or array end", r.token(), at)
		}
	}
}

func (r *jsonReader) object() lua.LValue {
	r.deeper()
	r.i++
	t := r.l.NewTable()
	r.blank()
	if r.i < len(r.s) && r.s[r.i] == '}' {
		r.i++
		r.depth--
		return t
	}
	for {
		r.blank()
		at := r.i
		if r.i >= len(r.s) || r.s[r.i] != '"' {
			r.fail("object key string", r.token(), at)
		}
		k := r.string()
		r.blank()
		at = r.i
		if r.i >= len(r.s) || r.s[r.i] != ':' {
			r.fail("colon", r.token(), at)
		}
		r.i++
		rawSetString(t, k, r.value())
		r.e.charge(r.l, len(k)+100)
		r.blank()
		at = r.i
		switch {
		case r.i < len(r.s) && r.s[r.i] == '}':
			r.i++
			r.depth--
			return t
		case r.i < len(r.s) && r.s[r.i] == ',':
			r.i++
		default:
			r.fail("comma or object end", r.token(), at)
		}
	}
}
