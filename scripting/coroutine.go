package scripting

import (
	lua "github.com/yuin/gopher-lua"
)

// maxResumed is how deep coroutines may resume one another: each takes a part of the goroutine's stack. It is Lua's limit for C calls.
const maxResumed = 195

// fixCoroutine makes coroutines run in the engine's interpreter, bounds how deep they nest, and words their errors as Lua 5.1 does.
func (e *Engine) fixCoroutine(t *lua.LTable) {
	original := func(name string) lua.LGFunction { return t.RawGetString(name).(*lua.LFunction).GFunction }
	create, resume, status, running := original("create"), original("resume"), original("status"), original("running")
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	make := func(l *lua.LState) *lua.LState {
		if fn, ok := l.Get(1).(*lua.LFunction); !ok || fn.IsG {
			argError(l, 1, "Lua function expected")
		}
		create(l)
		co := l.Get(-1).(*lua.LState)
		mirrorOf(co).mainLoop = e.loop
		return co
	}
	thread := func(l *lua.LState) *lua.LState {
		co, ok := l.Get(1).(*lua.LState)
		if !ok {
			argError(l, 1, "coroutine expected")
		}
		return co
	}
	// enter resumes the coroutine that is the first argument, which leaves true and its values, or false and the error.
	enter := func(l *lua.LState, co *lua.LState) int {
		state := ""
		switch {
		case co.Dead:
			state = "dead"
		case l.G.CurrentThread == co:
			state = "running"
		case l.Status(co) == "normal":
			state = "normal"
		}
		if state != "" {
			l.Push(lua.LFalse)
			l.Push(lua.LString("cannot resume " + state + " coroutine"))
			return 2
		}
		if e.resumed >= maxResumed {
			raise(l, "C stack overflow")
		}
		inner, protected := e.inner, e.protected
		e.inner = 0
		e.resumed++
		n := resume(l)
		e.resumed--
		e.inner, e.protected = inner, protected
		if e.fatal != nil {
			l.Error(e.fatalValue(l), 0) // an order to end passes every coroutine
		}
		return n
	}
	set("create", func(l *lua.LState) int {
		make(l)
		return 1
	})
	set("resume", func(l *lua.LState) int { return enter(l, thread(l)) })
	set("wrap", func(l *lua.LState) int {
		co := make(l)
		l.Push(e.fn(func(l *lua.LState) int {
			l.Insert(co, 1)
			n := enter(l, co)
			if l.Get(-n) == lua.LTrue {
				return n - 1
			}
			if text, ok := argString(l.Get(-1)); ok {
				raise(l, "%s", text) // with the place of the caller in front
			}
			l.Error(l.Get(-1), 0)
			return 0
		}))
		return 1
	})
	set("status", func(l *lua.LState) int {
		thread(l)
		return status(l)
	})
	set("running", running)
	set("yield", func(l *lua.LState) int {
		// A Go function between the coroutine's start and here could not go on afterwards.
		if l.Parent == nil || e.inner > 0 {
			l.Error(lua.LString("attempt to yield across metamethod/C-call boundary"), 0)
		}
		return -1
	})
}
