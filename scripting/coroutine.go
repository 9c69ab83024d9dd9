package scripting

import (
	lua "github.com/yuin/gopher-lua"
)

// maxResumed is how deep coroutines may resume one another: each takes a part of the goroutine's stack. It is Lua's limit for C calls.
const maxResumed = 195

// fixCoroutine makes coroutines run in the engine's interpreter, and bounds how deep they nest.
func (e *Engine) fixCoroutine(t *lua.LTable) {
	original := func(name string) lua.LGFunction { return t.RawGetString(name).(*lua.LFunction).GFunction }
	nested := func(l *lua.LState, resume lua.LGFunction) int {
		if e.resumed >= maxResumed {
			l.RaiseError("C stack overflow")
		}
		e.resumed++
		n := resume(l)
		e.resumed--
		if e.fatal != nil {
			l.Error(e.fatalValue(l), 0) // an order to end passes every coroutine
		}
		return n
	}
	create, wrap, resume, yield := original("create"), original("wrap"), original("resume"), original("yield")
	rawSetString(t, "create", e.fn(func(l *lua.LState) int {
		n := create(l)
		mirrorOf(l.Get(-1).(*lua.LState)).mainLoop = e.loop
		return n
	}))
	rawSetString(t, "wrap", e.fn(func(l *lua.LState) int {
		n := wrap(l)
		fn := l.Get(-1).(*lua.LFunction)
		mirrorOf(fn.Upvalues[0].Value().(*lua.LState)).mainLoop = e.loop
		inner := fn.GFunction
		fn.GFunction = func(l *lua.LState) int { return nested(l, inner) }
		return n
	}))
	rawSetString(t, "resume", e.fn(func(l *lua.LState) int { return nested(l, resume) }))
	rawSetString(t, "yield", e.fn(func(l *lua.LState) int {
		if l.Parent == nil {
			l.RaiseError("attempt to yield across metamethod/C-call boundary")
		}
		return yield(l)
	}))
}
