package scripting

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// The sandbox: which names a script finds, and what it may do with them.

// baseNames are the functions of Lua's base library that scripts may call.
var baseNames = []string{
	"assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "loadstring", "next", "pairs", "pcall", "rawequal",
	"rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "_VERSION",
}

// newState makes a state that runs in the engine's interpreter.
func (e *Engine) newState() {
	e.l = lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: 20000, MinimizeStackMemory: true,
		RegistrySize: 1024, RegistryMaxSize: maxRegisters, RegistryGrowStep: 1 << 15,
	})
	e.plainLoop = mirrorOf(e.l).mainLoop
	mirrorOf(e.l).mainLoop = e.loop
}

// open builds the state and its globals.
func (e *Engine) open(o Options) {
	e.newState()
	l := e.l
	e.readonly = l.NewTable()
	e.handler = e.fn(e.errorHandler)

	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath, lua.OpenCoroutine} {
		l.Push(l.NewFunction(open))
		l.Call(0, 0)
	}
	all := l.G.Global
	g := l.NewTable()
	for _, n := range baseNames {
		rawSetString(g, n, all.RawGetString(n))
	}
	e.openBase(g)
	libs := map[string]*lua.LTable{
		"table": all.RawGetString("table").(*lua.LTable), "string": all.RawGetString("string").(*lua.LTable),
		"math": all.RawGetString("math").(*lua.LTable), "coroutine": all.RawGetString("coroutine").(*lua.LTable),
		"redis": e.openRedis(o), "bit": e.openBit(), "cjson": e.openCJSON(),
		"struct": e.openStruct(), "cmsgpack": e.openMsgpack(),
	}
	e.fixCoroutine(libs["coroutine"])
	e.fixString(libs["string"])
	rawSetString(libs["string"], "__index", lua.LNil) // only the metatable of strings has one
	e.fixTable(libs["table"])
	e.fixMath(libs["math"])
	for _, name := range slices.Sorted(maps.Keys(libs)) {
		libs[name].Metatable = e.readonly
		rawSetString(g, name, libs[name])
	}
	rawSetString(g, "server", libs["redis"])
	e.arguments.keys, e.arguments.argv = l.NewTable(), l.NewTable()
	rawSetString(g, "KEYS", e.arguments.keys)
	rawSetString(g, "ARGV", e.arguments.argv)
	rawSetString(g, "_G", g)
	mt := l.NewTable()
	mt.Metatable = e.readonly
	rawSetString(mt, "__index", e.fn(func(l *lua.LState) int {
		name, _ := argString(l.Get(2))
		raise(l, "Script attempted to access nonexistent global variable '%s'", name)
		return 0
	}))
	g.Metatable = mt
	e.globals = g
	if mt, ok := l.GetMetatable(lua.LString("")).(*lua.LTable); ok {
		rawSetString(mt, "__index", libs["string"])
		mt.Metatable = e.readonly
		e.stringMT = mt
		e.stringLib = libs["string"]
	}
}

// isReadonly tells whether scripts may not change a table.
func (e *Engine) isReadonly(t *lua.LTable) bool {
	return t.Metatable == lua.LValue(e.readonly) || t == e.globals || t == e.funcGlobals || t == e.readonly
}

// visible is the metatable of a value as scripts see it.
func (e *Engine) visible(v lua.LValue) lua.LValue {
	if mt := e.l.GetMetatable(v); mt != lua.LValue(e.readonly) {
		return mt
	}
	return lua.LNil
}

func (e *Engine) openBase(g *lua.LTable) {
	set := func(name string, fn lua.LGFunction) { rawSetString(g, name, e.fn(fn)) }
	set("getmetatable", func(l *lua.LState) int {
		if l.GetTop() == 0 {
			raise(l, "bad argument #1 to 'getmetatable' (value expected)")
		}
		mt := e.visible(l.Get(1))
		if t, ok := mt.(*lua.LTable); ok {
			if f := t.RawGetString("__metatable"); f != lua.LNil {
				mt = f
			}
		}
		l.Push(mt)
		return 1
	})
	set("setmetatable", func(l *lua.LState) int {
		t := checkTable(l, 1)
		mt := l.Get(2)
		if _, ok := mt.(*lua.LTable); !ok && (mt != lua.LNil || l.GetTop() < 2) {
			raise(l, "bad argument #2 to 'setmetatable' (nil or table expected)")
		}
		e.checkWritable(l, t)
		if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
			raise(l, "cannot change a protected metatable")
		}
		if mt == lua.LValue(e.readonly) {
			return 0
		}
		t.Metatable = mt
		l.SetTop(1)
		return 1
	})
	set("rawset", func(l *lua.LState) int {
		t := checkTable(l, 1)
		if l.GetTop() < 3 {
			raise(l, "bad argument #%d to 'rawset' (value expected)", l.GetTop()+1)
		}
		e.checkWritable(l, t)
		switch k := l.Get(2).(type) {
		case *lua.LNilType:
			raise(l, "table index is nil")
		case lua.LNumber:
			if k != k {
				raise(l, "table index is NaN")
			}
		}
		rawSet(t, l.Get(2), l.Get(3))
		l.SetTop(1)
		return 1
	})
	set("tostring", func(l *lua.LState) int {
		if l.GetTop() == 0 {
			raise(l, "bad argument #1 to 'tostring' (value expected)")
		}
		v := l.Get(1)
		if f := l.GetMetaField(v, "__tostring"); f != lua.LNil {
			l.Push(f)
			l.Push(v)
			l.Call(1, 1)
			return 1
		}
		l.Push(lua.LString(tostring(v)))
		return 1
	})
	set("collectgarbage", func(l *lua.LState) int {
		switch opt := optString(l, 1, "collect"); opt {
		case "count":
			return pushNumber(l, float64(e.samples.read())/1024)
		case "stop", "restart", "collect", "step", "setpause", "setstepmul":
			optInt(l, 2, 0)
			if opt == "step" {
				l.Push(lua.LFalse)
				return 1
			}
			return pushNumber(l, 0)
		default:
			argError(l, 1, "invalid option '"+opt+"'")
		}
		return 0
	})
	set("rawequal", func(l *lua.LState) int {
		checkAny(l, 1)
		checkAny(l, 2)
		l.Push(lua.LBool(l.Get(1) == l.Get(2)))
		return 1
	})
	set("rawget", func(l *lua.LState) int {
		t := checkTable(l, 1)
		checkAny(l, 2)
		l.Push(rawGet(t, l.Get(2)))
		return 1
	})
	set("gcinfo", func(l *lua.LState) int {
		l.Push(lua.LNumber(e.samples.read() / 1024))
		return 1
	})
	set("unpack", func(l *lua.LState) int {
		t := checkTable(l, 1)
		i := optInt(l, 2, 1)
		j := 0
		if l.Get(3) == lua.LNil {
			j = length(t)
		} else {
			j = checkInt(l, 3)
		}
		if i > j {
			return 0
		}
		if n := j - i + 1; n <= 0 || n > maxCStack-l.GetTop() {
			raise(l, "too many results to unpack")
		}
		for k := i; ; k++ {
			l.Push(rawGetInt(t, k))
			if k == j {
				return j - i + 1
			}
		}
	})
	load := func(l *lua.LState, src, name string) int {
		if strings.HasPrefix(src, "\x1bLua") {
			l.Push(lua.LNil)
			l.Push(lua.LString("bad header in precompiled chunk"))
			return 2
		}
		proto, err := compile(src, name)
		if err != nil {
			l.Push(lua.LNil)
			l.Push(lua.LString(err.Error()))
			return 2
		}
		fn := l.NewFunctionFromProto(proto)
		fn.Env = e.globals
		l.Push(fn)
		return 1
	}
	set("loadstring", func(l *lua.LState) int {
		src := checkString(l, 1)
		return load(l, src, chunkName(optString(l, 2, src)))
	})
	set("load", func(l *lua.LState) int {
		fn := checkFunction(l, 1)
		name := chunkName(optString(l, 2, "=(load)"))
		var b strings.Builder
		for {
			l.Push(fn)
			l.Call(0, 1)
			s, ok := argString(l.Get(-1))
			l.Pop(1)
			if !ok || s == "" {
				break
			}
			e.charge(l, len(s))
			b.WriteString(s)
		}
		return load(l, b.String(), name)
	})
	set("error", func(l *lua.LState) int {
		v := l.Get(1)
		level := optInt(l, 2, 1)
		if s, ok := argString(v); ok && level > 0 {
			v = lua.LString(whereAt(l, level) + s)
		}
		l.Error(v, 0)
		return 0
	})
	set("tonumber", func(l *lua.LState) int {
		base := optInt(l, 2, 10)
		if l.GetTop() == 0 {
			argError(l, 1, "value expected")
		}
		if base == 10 {
			if f, ok := argNumber(l.Get(1)); ok {
				return pushNumber(l, f)
			}
			l.Push(lua.LNil)
			return 1
		}
		s := strings.Trim(checkString(l, 1), " \t\n\v\f\r")
		if base < 2 || base > 36 {
			argError(l, 2, "base out of range")
		}
		if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
			s = s[2:]
		}
		if n, err := strconv.ParseUint(s, base, 64); err == nil {
			return pushNumber(l, float64(n))
		} else if n, err := strconv.ParseInt(s, base, 64); err == nil {
			return pushNumber(l, float64(uint64(n)))
		}
		l.Push(lua.LNil)
		return 1
	})
	set("type", func(l *lua.LState) int {
		if l.GetTop() == 0 {
			argError(l, 1, "value expected")
		}
		return pushString(l, l.Get(1).Type().String())
	})
	e.inext = e.fn(func(l *lua.LState) int {
		i := checkInt(l, 2) + 1
		v := rawGetInt(checkTable(l, 1), i)
		if v == lua.LNil {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(lua.LNumber(i))
		l.Push(v)
		return 2
	})
	set("ipairs", func(l *lua.LState) int {
		t := checkTable(l, 1)
		l.Push(e.inext)
		l.Push(t)
		return 2 + pushNumber(l, 0)
	})
	e.next = e.fn(func(l *lua.LState) int {
		t := checkTable(l, 1)
		k, v, ok := e.cursor.next(t, l.Get(2))
		if !ok {
			l.Error(lua.LString("invalid key to 'next'"), 0)
		}
		l.Push(k)
		if k == lua.LNil {
			return 1
		}
		l.Push(v)
		return 2
	})
	rawSetString(g, "next", e.next)
	set("pairs", func(l *lua.LState) int {
		t := checkTable(l, 1)
		l.Push(e.next)
		l.Push(t)
		l.Push(lua.LNil)
		return 3
	})
	set("select", func(l *lua.LState) int {
		n := l.GetTop()
		if s, ok := l.Get(1).(lua.LString); ok && strings.HasPrefix(string(s), "#") {
			return pushNumber(l, float64(n-1))
		}
		i := checkInt(l, 1)
		if i < 0 {
			i = n + i
		} else if i > n {
			i = n
		}
		if i < 1 {
			argError(l, 1, "index out of range")
		}
		return n - i
	})
	set("assert", func(l *lua.LState) int {
		if l.GetTop() == 0 {
			argError(l, 1, "value expected")
		}
		if !lua.LVAsBool(l.Get(1)) {
			raise(l, "%s", optString(l, 2, "assertion failed!"))
		}
		return l.GetTop()
	})
	pcall := g.RawGetString("pcall").(*lua.LFunction).GFunction
	set("pcall", func(l *lua.LState) int {
		if l.GetTop() == 0 {
			l.Push(lua.LFalse)
			l.Push(lua.LString("attempt to call a boolean value"))
			return 2
		}
		return e.guarded(l, pcall)
	})
	xpcall := g.RawGetString("xpcall").(*lua.LFunction).GFunction
	set("xpcall", func(l *lua.LState) int {
		checkAny(l, 2)
		l.SetTop(2)
		handler, ok := l.Get(2).(*lua.LFunction)
		if !ok {
			handler = e.fn(func(l *lua.LState) int { raise(l, ""); return 0 })
		}
		// What the handler itself does wrong is no longer its business.
		failed := false
		l.Replace(2, e.fn(func(l *lua.LState) int {
			failed = true
			l.Push(handler)
			l.Push(l.Get(1))
			l.Call(1, 1)
			failed = false
			return 1
		}))
		if _, ok := l.Get(1).(*lua.LFunction); !ok {
			callee := l.Get(1)
			l.Replace(1, e.fn(func(l *lua.LState) int {
				if l.GetMetaField(callee, "__call") == lua.LNil {
					l.Error(lua.LString("attempt to call a "+callee.Type().String()+" value"), 0)
				}
				l.Push(callee)
				l.Call(0, lua.MultRet)
				return l.GetTop()
			}))
		}
		n := e.guarded(l, xpcall)
		if failed {
			l.SetTop(0)
			l.Push(lua.LFalse)
			l.Push(lua.LString("error in error handling"))
			return 2
		}
		return n
	})
	rawSetString(g, "__redis__err__handler", e.handler)
}

// maxCStack is how many values a function of a library may have on its stack, as in Lua 5.1.
const maxCStack = 8000

// maxProtected is how deep protected calls may be nested: Lua's limit for C calls.
const maxProtected = 195

// guarded makes a protected call.
func (e *Engine) guarded(l *lua.LState, call lua.LGFunction) int {
	if e.protected >= maxProtected {
		raise(l, "stack overflow")
	}
	inner, protected := e.inner, e.protected
	e.protected++
	n := call(l)
	e.inner, e.protected = inner, protected
	return e.caught(l, n)
}

// caught looks at what a protected call returned: an order to end passes every pcall, and an error of the server becomes its text.
func (e *Engine) caught(l *lua.LState, n int) int {
	if e.fatal != nil {
		l.Error(e.fatalValue(l), 0)
	}
	if n == 2 && l.Get(-2) == lua.LFalse {
		switch v := l.Get(-1).(type) {
		case *lua.LTable:
			switch s := v.RawGetString("err").(type) {
			case lua.LString, lua.LNumber:
				l.Pop(1)
				l.Push(s)
			default:
				l.Push(lua.LNil) // as Redis leaves it
				return 3
			}
		case lua.LString:
			if s := e.luaMessage(string(v)); s != string(v) {
				l.Pop(1)
				l.Push(lua.LString(s))
			}
		}
	}
	return n
}

func (e *Engine) checkWritable(l *lua.LState, t *lua.LTable) {
	if e.isReadonly(t) {
		l.Error(lua.LString(errReadonly), 0)
	}
}

// chunkName is a chunk's name as messages show it.
func chunkName(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '@') {
		return s[1:]
	}
	line, _, more := strings.Cut(s, "\n")
	const room = 60 - len(`[string "..."]`) - 1
	if len(line) > room {
		line, more = line[:room], true
	}
	if more {
		line += "..."
	}
	return `[string "` + line + `"]`
}

func collect() { runtime.GC() }

func itoa(n int) string { return strconv.Itoa(n) }

func anyText(v any) string { return fmt.Sprint(v) }

// tostring is Lua's notation of a value without its metamethod.
func tostring(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LNumber:
		return numberText(float64(v))
	case lua.LString:
		return string(v)
	case *lua.LTable:
		return fmt.Sprintf("table: %p", v)
	case *lua.LFunction:
		return fmt.Sprintf("function: %p", v)
	case *lua.LUserData:
		if v.Value == nil {
			return "userdata: (nil)"
		}
		return fmt.Sprintf("userdata: %p", v)
	}
	return v.String()
}

// numberText is C's "%.14g", in which Lua 5.1 writes numbers.
func numberText(f float64) string { return string(appendNumber(make([]byte, 0, 24), f)) }

func appendNumber(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e14 && (f != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return appendG(dst, f, 14)
}

// appendG is C's "%.<prec>g".
func appendG(dst []byte, f float64, prec int) []byte {
	switch {
	case f != f:
		if math.Signbit(f) {
			return append(dst, "-nan"...)
		}
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	if prec == 0 {
		prec = 1
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', prec-1, 64)
	e := from
	for e < len(dst) && dst[e] != 'e' {
		e++
	}
	exp, _ := strconv.Atoi(string(dst[e+1:]))
	if exp < -4 || exp >= prec {
		tail := string(dst[e:])
		return append(trimZeros(dst[:e], from), tail...)
	}
	dst = strconv.AppendFloat(dst[:from], f, 'f', prec-1-exp, 64)
	return trimZeros(dst, from)
}

func trimZeros(b []byte, from int) []byte {
	dot := false
	for _, c := range b[from:] {
		dot = dot || c == '.'
	}
	if !dot {
		return b
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

// parseNumber is Lua 5.1's conversion of a string to a number: a decimal or hexadecimal numeral with blanks around it.
func parseNumber(s string) (float64, bool) {
	s, _, _ = strings.Cut(s, "\x00") // C's conversions end there
	s = strings.Trim(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || strings.Contains(s, "_") || digits[0] > '9' && digits[0]|0x20 != 'i' && digits[0]|0x20 != 'n' {
		return 0, false
	}
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		if !strings.ContainsAny(digits, "pP") {
			s += "p0" // Go asks for the exponent
		}
	} else if strings.ContainsAny(s, "pPbBoOxX") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && err.(*strconv.NumError).Err != strconv.ErrRange {
		return 0, false
	}
	if f != f {
		f = math.Float64frombits(0x7ff8 << 48) // C's, whose low bits are 0 (see toBits)
	}
	return f, true
}

// Random is the generator behind math.random: that of drand48, as in Redis, and in the state in which it is there when a server starts. What one
// script draws is missing to the next.
type Random struct{ x uint64 }

// NewRandom makes a generator in its first state.
func NewRandom() *Random { return &Random{x: 0x1234abcd330e} }

func (p *Random) seed(n uint32) { p.x = uint64(n)<<16 | 0x330e }

// next returns 31 random bits.
func (p *Random) next() uint32 {
	p.x = (p.x*0x5deece66d + 0xb) & (1<<48 - 1)
	return uint32(p.x >> 17)
}

// messages are the texts in which the machine's errors differ from those of Lua 5.1.
var messages = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`attempt to index a non-table object\((\w+)\) with key '(?s:.*)'$`), "attempt to index a $1 value"},
	{regexp.MustCompile(`cannot perform (?:add|sub|mul|div|mod|pow) operation between (?:number and (\w+)|(\w+) and \w+)$`), "attempt to perform arithmetic on a $1$2 value"},
	{regexp.MustCompile(`cannot perform concat operation between (?:(?:string|number) and (\w+)|(\w+) and \w+)$`), "attempt to concatenate a $1$2 value"},
	{regexp.MustCompile(`__unm undefined`), "attempt to perform arithmetic on a table value"},
	{regexp.MustCompile(`__len undefined`), "attempt to get length of a nil value"},
	{regexp.MustCompile(`attempt to call a non-function object`), "attempt to call a nil value"},
}

// luaMessage words an error of the machine as Lua 5.1 does.
func (e *Engine) luaMessage(s string) string {
	if i := strings.Index(s, "attempt to compare "); i >= 0 {
		if a, b, ok := strings.Cut(s[i+len("attempt to compare "):], " with "); ok && a == b {
			return s[:i] + "attempt to compare two " + a + " values"
		}
		return s
	}
	for i := range messages {
		if m := &messages[i]; m.from.MatchString(s) {
			return m.from.ReplaceAllString(s, m.to)
		}
	}
	return s
}

// syntaxError words a parser's error as Lua 5.1 does.
func syntaxError(err error, name, src string) error {
	pe, ok := err.(*parse.Error)
	if !ok {
		return err
	}
	near, line := pe.Token, pe.Pos.Line
	if near == "" || line < 0 {
		near, line = "<eof>", strings.Count(strings.TrimRight(src, "\n"), "\n")+1
	}
	return textError(name + ":" + itoa(line) + ": unexpected symbol near '" + near + "'")
}

// whereAt is the position that error puts before its text: level 1 is the function that called it.
func whereAt(l *lua.LState, level int) string {
	d, ok := l.GetStack(level)
	if !ok {
		return ""
	}
	if _, err := l.GetInfo("Sl", d, lua.LNil); err != nil || d.What == "G" {
		return ""
	}
	return d.Source + ":" + itoa(d.CurrentLine) + ": "
}
