package scripting

import (
	"fmt"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// Arguments of library functions, checked and reported as Lua 5.1's own library does.

// raise ends the function with an error. Its text gets the place in front, if it is Lua code that runs or that called the running function.
func raise(l *lua.LState, format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	cf := mirrorOf(l).currentFrame
	if cf != nil && cf.Fn.IsG {
		cf = cf.Parent
	}
	if cf != nil && !cf.Fn.IsG {
		p := cf.Fn.Proto
		line := 0
		if at := cf.Pc - 1; at >= 0 && at < len(p.DbgSourcePositions) {
			line = p.DbgSourcePositions[at]
		}
		format = p.SourceName + ":" + itoa(line) + ": " + format
	}
	l.Error(lua.LString(format), 0)
}

// calledAs is the name under which Lua code called the running function, and what it is the name of; "?" if no Lua code did.
func calledAs(l *lua.LState) (kind, name string) {
	if cf := mirrorOf(l).currentFrame; cf != nil && cf.Parent != nil && !cf.Parent.Fn.IsG {
		p, pc := cf.Parent.Fn.Proto, cf.Parent.Pc-1
		if inst := p.Code[pc]; int(inst>>26) == lua.OP_CALL || int(inst>>26) == lua.OP_TAILCALL || int(inst>>26) == lua.OP_TFORLOOP {
			if kind, name = variable(p, pc, int(inst>>18)&0xff); kind != "" {
				return kind, name
			}
		}
	}
	return "", "?"
}

func argError(l *lua.LState, n int, text string) {
	kind, name := calledAs(l)
	if kind == "method" {
		if n--; n == 0 {
			raise(l, "calling '%s' on bad self (%s)", name, text)
		}
	}
	raise(l, "bad argument #%d to '%s' (%s)", n, name, text)
}

func typeError(l *lua.LState, n int, want string) {
	got := "no value"
	if n <= l.GetTop() {
		got = l.Get(n).Type().String()
	}
	argError(l, n, want+" expected, got "+got)
}

func checkString(l *lua.LState, n int) string {
	s, ok := argString(l.Get(n))
	if !ok {
		typeError(l, n, "string")
	}
	return s
}

func checkNumber(l *lua.LState, n int) float64 {
	f, ok := argNumber(l.Get(n))
	if !ok {
		typeError(l, n, "number")
	}
	return f
}

func checkAny(l *lua.LState, n int) {
	if n > l.GetTop() {
		argError(l, n, "value expected")
	}
}

func checkFunction(l *lua.LState, n int) *lua.LFunction {
	f, ok := l.Get(n).(*lua.LFunction)
	if !ok {
		typeError(l, n, "function")
	}
	return f
}

func optString(l *lua.LState, n int, def string) string {
	if l.Get(n) == lua.LNil {
		return def
	}
	return checkString(l, n)
}

// checkInteger is a number as C's lua_Integer: truncated.
func checkInteger(l *lua.LState, n int) int { return int(truncate(checkNumber(l, n))) }

func optInteger(l *lua.LState, n, def int) int {
	if l.Get(n) == lua.LNil {
		return def
	}
	return checkInteger(l, n)
}

// checkInt is a number as C's int: the low 32 bits of the truncated number. Most of Lua's library takes its integers so.
func checkInt(l *lua.LState, n int) int {
	return int(int32(checkInteger(l, n)))
}

func optInt(l *lua.LState, n, def int) int {
	if l.Get(n) == lua.LNil {
		return def
	}
	return checkInt(l, n)
}

func checkTable(l *lua.LState, n int) *lua.LTable {
	t, ok := l.Get(n).(*lua.LTable)
	if !ok {
		typeError(l, n, "table")
	}
	return t
}

// pushNumber leaves a number.
func pushNumber(l *lua.LState, f float64) int {
	l.Push(lua.LNumber(f))
	return 1
}

func pushString(l *lua.LState, s string) int {
	l.Push(lua.LString(s))
	return 1
}

// power is C's pow, whose answer to an impossible question is the negative NaN.
func power(x, y float64) float64 {
	z := math.Pow(x, y)
	if z != z && x == x && y == y {
		return math.Copysign(z, -1)
	}
	return z
}

func (e *Engine) fixMath(t *lua.LTable) {
	rawSetString(t, "huge", lua.LNumber(math.Inf(1)))
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	one := func(name string, f func(float64) float64) {
		set(name, func(l *lua.LState) int { return pushNumber(l, f(checkNumber(l, 1))) })
	}
	one("abs", math.Abs)
	one("ceil", math.Ceil)
	one("floor", math.Floor)
	one("sqrt", math.Sqrt)
	one("exp", math.Exp)
	one("log", math.Log)
	one("log10", math.Log10)
	one("sin", math.Sin)
	one("cos", math.Cos)
	one("tan", math.Tan)
	one("asin", math.Asin)
	one("acos", math.Acos)
	one("atan", math.Atan)
	one("sinh", math.Sinh)
	one("cosh", math.Cosh)
	one("tanh", math.Tanh)
	one("deg", func(x float64) float64 { return x / (math.Pi / 180) })
	one("rad", func(x float64) float64 { return x * (math.Pi / 180) })
	two := func(name string, f func(a, b float64) float64) {
		set(name, func(l *lua.LState) int {
			b := checkNumber(l, 2) // the first complaint is about the second, as from Lua's own library
			return pushNumber(l, f(checkNumber(l, 1), b))
		})
	}
	two("fmod", math.Mod)
	two("mod", math.Mod)
	two("pow", power)
	two("atan2", math.Atan2)
	set("ldexp", func(l *lua.LState) int {
		exp := checkInt(l, 2)
		return pushNumber(l, math.Ldexp(checkNumber(l, 1), exp))
	})
	set("frexp", func(l *lua.LState) int {
		f, x := math.Frexp(checkNumber(l, 1))
		pushNumber(l, f)
		return 1 + pushNumber(l, float64(x))
	})
	set("modf", func(l *lua.LState) int {
		x := checkNumber(l, 1)
		if math.IsInf(x, 0) {
			pushNumber(l, x)
			return 1 + pushNumber(l, math.Copysign(0, x))
		}
		i := math.Trunc(x)
		pushNumber(l, i)
		return 1 + pushNumber(l, math.Copysign(x-i, x))
	})
	pick := func(name string, better func(a, b float64) bool) {
		set(name, func(l *lua.LState) int {
			best := checkNumber(l, 1)
			for i := 2; i <= l.GetTop(); i++ {
				if x := checkNumber(l, i); better(x, best) {
					best = x
				}
			}
			return pushNumber(l, best)
		})
	}
	pick("max", func(a, b float64) bool { return a > b })
	pick("min", func(a, b float64) bool { return a < b })
	set("random", func(l *lua.LState) int {
		r := float64(e.rand.next()%math.MaxInt32) / math.MaxInt32
		low, high := 1, 0
		switch l.GetTop() {
		case 0:
			return pushNumber(l, r)
		case 1:
			if high = int(int32(checkInt(l, 1))); high < 1 {
				argError(l, 1, "interval is empty")
			}
		case 2:
			low, high = int(int32(checkInt(l, 1))), int(int32(checkInt(l, 2)))
			if low > high {
				argError(l, 2, "interval is empty")
			}
		default:
			raise(l, "wrong number of arguments")
		}
		return pushNumber(l, math.Floor(r*float64(high-low+1))+float64(low))
	})
	set("randomseed", func(l *lua.LState) int {
		e.rand.seed(uint32(checkInt(l, 1)))
		return 0
	})
}

// openBit is the library of Mike Pall's BitOp: 32-bit operations on numbers.
func (e *Engine) openBit() *lua.LTable {
	t := e.l.NewTable()
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	word := func(l *lua.LState, n int, name string) uint32 { return toBits(checkNumber(l, n)) }
	push := func(l *lua.LState, w uint32) int { return pushNumber(l, float64(int32(w))) }
	set("tobit", func(l *lua.LState) int { return push(l, word(l, 1, "tobit")) })
	set("bnot", func(l *lua.LState) int { return push(l, ^word(l, 1, "bnot")) })
	set("bswap", func(l *lua.LState) int {
		w := word(l, 1, "bswap")
		return push(l, w>>24|w>>8&0xff00|w&0xff00<<8|w<<24)
	})
	fold := func(name string, f func(a, b uint32) uint32) {
		set(name, func(l *lua.LState) int {
			w := word(l, 1, name)
			for i := 2; i <= l.GetTop(); i++ {
				w = f(w, word(l, i, name))
			}
			return push(l, w)
		})
	}
	fold("band", func(a, b uint32) uint32 { return a & b })
	fold("bor", func(a, b uint32) uint32 { return a | b })
	fold("bxor", func(a, b uint32) uint32 { return a ^ b })
	shift := func(name string, f func(a, n uint32) uint32) {
		set(name, func(l *lua.LState) int { return push(l, f(word(l, 1, name), word(l, 2, name)&31)) })
	}
	shift("lshift", func(a, n uint32) uint32 { return a << n })
	shift("rshift", func(a, n uint32) uint32 { return a >> n })
	shift("arshift", func(a, n uint32) uint32 { return uint32(int32(a) >> n) })
	shift("rol", func(a, n uint32) uint32 { return a<<n | a>>((32-n)&31) })
	shift("ror", func(a, n uint32) uint32 { return a>>n | a<<((32-n)&31) })
	set("tohex", func(l *lua.LState) int {
		w := word(l, 1, "tohex")
		n := 8
		if l.GetTop() >= 2 {
			n = int(int32(word(l, 2, "tohex")))
		}
		digits := "0123456789abcdef"
		if n < 0 {
			digits, n = "0123456789ABCDEF", -n
		}
		if n > 8 || n < 0 {
			n = 8
		}
		b := make([]byte, n)
		for i := n - 1; i >= 0; i-- {
			b[i] = digits[w&15]
			w >>= 4
		}
		return pushString(l, string(b))
	})
	return t
}

// toBits takes a number's low 32 bits, rounded to the nearest integer.
func toBits(f float64) uint32 {
	return uint32(math.Float64bits(f + 6755399441055744.0))
}
