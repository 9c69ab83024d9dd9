package scripting

import (
	"math"
	"strconv"
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// The redis table.

func (e *Engine) openRedis(o Options) *lua.LTable {
	l := e.l
	t := l.NewTable()
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("call", e.redisCall)
	set("pcall", e.redisPCall)
	set("log", e.redisLog)
	set("setresp", e.redisSetResp)
	set("sha1hex", func(l *lua.LState) int {
		if l.GetTop() != 1 {
			return e.raise(l, "wrong number of arguments")
		}
		s, _ := argString(l.Get(1))
		l.Push(lua.LString(SHA1([]byte(s))))
		return 1
	})
	reply := func(field string) lua.LGFunction {
		return func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if l.GetTop() != 1 || !ok {
				l.Push(e.plainError("ERR wrong number or type of arguments"))
				return 1
			}
			t := l.CreateTable(0, 1)
			text := string(s)
			if field == "err" {
				// A text without a code gets the generic one.
				text = strings.TrimPrefix(text, "-")
				if !strings.Contains(text, " ") {
					text = "ERR " + text
				}
			}
			rawSetString(t, field, lua.LString(text))
			l.Push(t)
			return 1
		}
	}
	set("error_reply", reply("err"))
	set("status_reply", reply("ok"))
	set("replicate_commands", func(l *lua.LState) int { l.Push(lua.LTrue); return 1 })
	set("set_repl", func(l *lua.LState) int {
		if l.GetTop() != 1 {
			return e.raise(l, "redis.set_repl() requires two arguments.")
		}
		n, _ := argNumber(l.Get(1))
		f := truncate(n)
		if f&^3 != 0 {
			return e.raise(l, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
		}
		if h, ok := e.host.(Replicator); ok {
			h.SetReplication(f&2 != 0)
		}
		return 0
	})
	set("breakpoint", func(l *lua.LState) int { l.Push(lua.LFalse); return 1 })
	set("debug", func(l *lua.LState) int { return 0 })
	set("acl_check_cmd", func(l *lua.LState) int {
		args, ok := e.args(l)
		if len(args) == 0 && ok {
			return e.raise(l, "Please specify at least one argument for this redis lib call")
		}
		if !ok {
			return e.raise(l, "redis.acl_check_cmd() arguments must be strings or integers")
		}
		allowed, known := e.host.CheckACL(args)
		if !known {
			return e.raise(l, "Invalid command passed to redis.acl_check_cmd()")
		}
		l.Push(lua.LBool(allowed))
		return 1
	})
	for name, v := range map[string]int{
		"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3,
	} {
		rawSetString(t, name, lua.LNumber(v))
	}
	rawSetString(t, "REDIS_VERSION", lua.LString(o.Version))
	rawSetString(t, "REDIS_VERSION_NUM", lua.LNumber(o.VersionNum))
	return t
}

// fn makes a Lua function of a Go one.
func (e *Engine) fn(f lua.LGFunction) *lua.LFunction { return e.l.NewFunction(f) }

func (e *Engine) plainError(text string) *lua.LTable {
	t := e.l.CreateTable(0, 1)
	rawSetString(t, "err", lua.LString(text))
	return t
}

// raise ends the function with an error of the server: a table with its text, as redis.call raises it.
func (e *Engine) raise(l *lua.LState, text string) int {
	l.Error(e.plainError("ERR "+text), 0)
	return 0
}

// args takes the arguments of a call: views of Lua strings, numbers in their shortest exact notation.
func (e *Engine) args(l *lua.LState) ([][]byte, bool) {
	n := l.GetTop()
	e.argv = e.argv[:0]
	e.numBuf = e.numBuf[:0]
	if cap(e.numBuf) < n*32 {
		e.numBuf = make([]byte, 0, n*32) // never moves while the arguments refer to it
	}
	for i := 1; i <= n; i++ {
		switch v := l.Get(i).(type) {
		case lua.LString:
			e.argv = append(e.argv, unsafe.Slice(unsafe.StringData(string(v)), len(v)))
		case lua.LNumber:
			from := len(e.numBuf)
			e.numBuf = appendG17(e.numBuf, float64(v))
			e.argv = append(e.argv, e.numBuf[from:len(e.numBuf):len(e.numBuf)])
		default:
			return nil, false
		}
	}
	return e.argv, true
}

// appendG17 is C's "%.17g".
func appendG17(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 && (f != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return appendG(dst, f, 17)
}

// call runs the command and leaves its reply as a Lua value.
func (e *Engine) call(l *lua.LState) lua.LValue {
	args, ok := e.args(l)
	switch {
	case !ok:
		return e.plainError("ERR Lua redis lib command arguments must be strings or integers")
	case len(args) == 0:
		return e.plainError("ERR Please specify at least one argument for this redis lib call")
	case !e.running:
		return e.plainError("ERR redis.call/pcall can only be called inside a script invocation")
	}
	v, _ := e.toLua(e.host.Call(args))
	return v
}

func (e *Engine) redisCall(l *lua.LState) int {
	v := e.call(l)
	if t, ok := v.(*lua.LTable); ok && t.RawGetString("err") != lua.LNil {
		l.Error(t, 0)
	}
	l.Push(v)
	return 1
}

func (e *Engine) redisPCall(l *lua.LState) int {
	l.Push(e.call(l))
	return 1
}

func (e *Engine) redisLog(l *lua.LState) int {
	n := l.GetTop()
	if n < 2 {
		return e.raise(l, "redis.log() requires two arguments or more.")
	}
	level, ok := argNumber(l.Get(1))
	if !ok {
		return e.raise(l, "First argument must be a number (log level).")
	}
	if level < 0 || level > 3 {
		return e.raise(l, "Invalid debug level.")
	}
	var b strings.Builder
	for i := 2; i <= n; i++ {
		if s, ok := argString(l.Get(i)); ok {
			if i > 2 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
	}
	e.host.Log(int(level), b.String())
	return 0
}

func (e *Engine) redisSetResp(l *lua.LState) int {
	if l.GetTop() != 1 {
		return e.raise(l, "redis.setresp() requires one argument.")
	}
	n, _ := argNumber(l.Get(1))
	if n != 2 && n != 3 {
		return e.raise(l, "RESP version must be 2 or 3.")
	}
	e.proto = int(n)
	e.host.SetResp(int(n))
	return 0
}

// argString is a string argument as C's lua_tolstring sees it: numbers count.
func argString(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return tostring(v), true
	}
	return "", false
}

// argNumber is a number argument as C's lua_tonumber sees it: numerals count.
func argNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}
