package scripting

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// Numbers without garbage.
//
// A number in a register is a pointer to a float. Each register of the engine's main state has a place of its own for one, beside the
// registers, and the result of an arithmetic instruction is written there:
//
//	registers   │ fn │ ●  │ "s" │ ●  │
//	               ╭───╯        ╰─╮
//	places      │    │ 7. │     │ 8. │
//
// So a register may refer to its own place, and nobody else may: the next result would change the number under him. What is copied from one
// register to another is copied from place to place (move). What leaves the registers, into tables, upvalues, arguments of Go functions and
// results, gets a box for ever first (settle). Functions that make closures do without places: an upvalue refers to a register, and takes
// the value out of it when the function ends.

// places are the places of a function's registers from lb on, nil if it does without.
func (e *Engine) places(l *lua.LState, s *stateMirror, p *lua.FunctionProto, lb int) []float64 {
	if len(p.FunctionPrototypes) != 0 || l != e.l {
		return nil
	}
	if n := len(s.reg.array); len(e.own) < n {
		e.own = make([]float64, n) // what refers to the old ones keeps them: they change no more
	}
	return e.own[lb:]
}

// move copies register from to register to.
func (e *Engine) move(r []lua.LValue, own []float64, to, from int) {
	v := r[from]
	if own != nil && wordsOf(&v).tab == numberTab {
		own[to] = *(*float64)(wordsOf(&v).word)
		v = numberAt(&own[to])
	}
	r[to] = v
}

// settle makes the numbers in the registers from lo up to hi, hi excluded, independent of their places. Operands that are constants are.
func (e *Engine) settle(r []lua.LValue, own []float64, lo, hi int) {
	if own == nil || lo >= rkBit && hi == lo+1 {
		return
	}
	for i := lo; i < hi && i < len(r); i++ {
		if w := wordsOf(&r[i]); w.tab == numberTab && w.word == unsafe.Pointer(&own[i]) {
			r[i] = e.number(own[i])
		}
	}
}

// numberAt makes a Lua value of a number in its place.
func numberAt(p *float64) (v lua.LValue) {
	w := wordsOf(&v)
	w.tab, w.word = numberTab, unsafe.Pointer(p)
	return v
}
