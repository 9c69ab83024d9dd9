package scripting

// The machine's instructions, hooked.
//
// gopher-lua dispatches every instruction through one table of functions. It has no hook of its own, no read-only tables and no limit on
// memory; a context would be asked before every single instruction. So this file replaces a few entries of that table, for the whole
// process, by functions that first look whether the state is one of ours (its registry says so at index 1), and then call the original:
//
//	JMP back, FORLOOP, CALL, TAILCALL   count down; at zero the host is asked and the heap is measured
//	CONCAT                              the length of the result is charged before it is built
//	SETGLOBAL                           refused: globals are read-only
//	SETTABLE, SETTABLEKS                refused on a read-only table; a far index does not fill an array with nils
//
// Every loop and every recursion passes one of the counted instructions, so no script escapes. States that other code in the process makes
// are passed through untouched. The table is changed in init, before any state can run.

import (
	"runtime/metrics"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

type instruction func(l *lua.LState, inst uint32, base unsafe.Pointer) int

//go:linkname jumpTable github.com/yuin/gopher-lua.jumpTable
var jumpTable [lua.OP_NOP + 1]instruction

// tickInterval is the number of counted instructions between two looks at the host: about a millisecond of work.
const tickInterval = 20000

func init() {
	ticked := func(op int) {
		old := jumpTable[op]
		jumpTable[op] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
			if e := engineOf(l); e != nil {
				if e.ticks--; e.ticks <= 0 {
					e.tick(l)
				}
			}
			return old(l, inst, base)
		}
	}
	ticked(lua.OP_FORLOOP)
	ticked(lua.OP_CALL)
	ticked(lua.OP_TAILCALL)

	jmp := jumpTable[lua.OP_JMP]
	jumpTable[lua.OP_JMP] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
		if int(inst&0x3ffff)-maxSbx < 0 {
			if e := engineOf(l); e != nil {
				if e.ticks--; e.ticks <= 0 {
					e.tick(l)
				}
			}
		}
		return jmp(l, inst, base)
	}

	concat := jumpTable[lua.OP_CONCAT]
	jumpTable[lua.OP_CONCAT] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
		if e := engineOf(l); e != nil {
			total := 0
			for i, last := int(inst&0x1ff), int(inst>>9)&0x1ff; i <= last; i++ {
				switch v := l.Get(i + 1).(type) {
				case lua.LString:
					total += len(v)
				case lua.LNumber:
					// The machine's own notation of numbers is not Lua's.
					setRegister(l, i, lua.LString(tostring(v)))
				case *lua.LTable, *lua.LUserData:
				default:
					l.RaiseError("attempt to concatenate a %s value", v.Type().String())
				}
			}
			e.charge(l, total)
		}
		return concat(l, inst, base)
	}

	length := jumpTable[lua.OP_LEN]
	jumpTable[lua.OP_LEN] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
		if e := engineOf(l); e != nil {
			b := int(inst & 0x1ff)
			if b&0x100 != 0 {
				return length(l, inst, base) // a constant: a string, or an error in the machine's own words
			}
			switch v := l.Get(b + 1).(type) {
			case *lua.LTable, lua.LString:
			default:
				l.RaiseError("attempt to get length of a %s value", v.Type().String())
			}
		}
		return length(l, inst, base)
	}

	setGlobal := jumpTable[lua.OP_SETGLOBAL]
	jumpTable[lua.OP_SETGLOBAL] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
		if e := engineOf(l); e != nil {
			l.RaiseError(errReadonly)
		}
		return setGlobal(l, inst, base)
	}

	for _, op := range []int{lua.OP_SETTABLE, lua.OP_SETTABLEKS} {
		old := jumpTable[op]
		jumpTable[op] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
			if t, ok := l.Get(int(inst>>18)&0xff + 1).(*lua.LTable); ok && t.Metatable != lua.LNil {
				if e := engineOf(l); e != nil && e.isReadonly(t) {
					l.RaiseError(errReadonly)
				}
			}
			return old(l, inst, base)
		}
	}
	setTable := jumpTable[lua.OP_SETTABLE]
	jumpTable[lua.OP_SETTABLE] = func(l *lua.LState, inst uint32, base unsafe.Pointer) int {
		if e := engineOf(l); e != nil {
			e.checkStore(l, inst)
		}
		return setTable(l, inst, base)
	}
}

// maxSbx is the bias of a jump's distance.
const maxSbx = 1<<17 - 1

// setRegister changes a register of the function in execution.
func setRegister(l *lua.LState, i int, v lua.LValue) { l.Replace(i+1, v) }

// engineOf is the engine that a state belongs to, nil for states of other code.
func engineOf(l *lua.LState) *Engine {
	if u, ok := l.G.Registry.RawGetInt(1).(*lua.LUserData); ok {
		e, _ := u.Value.(*Engine)
		return e
	}
	return nil
}

// tick looks at the host and at the heap, and ends a script that was told to end.
func (e *Engine) tick(l *lua.LState) {
	e.ticks = tickInterval
	if e.fatal == nil && e.running {
		e.fatal = e.host.Interrupt()
		if e.fatal == nil && e.deadline != 0 && e.host.Nanos() > e.deadline {
			e.fatal = textError("FUNCTION LOAD timeout")
		}
		if e.fatal == nil {
			e.fatal = e.measure()
		}
	}
	if e.fatal != nil {
		e.ticks = 1 // past every pcall: each instruction counted raises it again
		l.Error(e.fatalValue(l), 0)
	}
}

func (e *Engine) fatalValue(l *lua.LState) lua.LValue {
	t := l.NewTable()
	t.RawSetString("err", lua.LString("ERR "+e.fatal.Error()))
	return t
}

// heapSample reads the size of the heap.
type heapSample [1]metrics.Sample

func (h *heapSample) read() uint64 {
	if h[0].Name == "" {
		h[0].Name = "/memory/classes/heap/objects:bytes"
	}
	metrics.Read(h[:])
	return h[0].Value.Uint64()
}

// measure compares the growth of the heap since the script began with the limit.
func (e *Engine) measure() error {
	now := e.samples.read()
	if e.heapBase == 0 {
		e.heapBase = now
		return nil
	}
	if now > e.heapBase && int64(now-e.heapBase) > e.memLimit {
		collect()
		if now = e.samples.read(); now > e.heapBase && int64(now-e.heapBase) > e.memLimit {
			return errMemory
		}
	}
	return nil
}

const (
	errMemory   = textError("script exceeded its memory limit")
	errReadonly = "Attempt to modify a readonly table"
)

// chargeStep is how many bytes are allocated between two looks at the heap.
const chargeStep = 4 << 20

// charge accounts for n bytes that are about to be allocated.
func (e *Engine) charge(l *lua.LState, n int) {
	if int64(n) > e.memLimit {
		e.fatal = errMemory
		e.tick(l)
	}
	if e.charged += int64(n); e.charged >= chargeStep {
		e.charged = 0
		if e.heapBase == 0 {
			e.heapBase = e.samples.read()
		}
		if err := e.measure(); err != nil {
			e.fatal = err
			e.tick(l)
		}
	}
}

// maxGap is how far beyond the end of a table's array an index may lie and still be stored in the array.
const maxGap = 1024

// checkStore keeps a far index from filling an array with nils: what it would allocate is charged first.
func (e *Engine) checkStore(l *lua.LState, inst uint32) {
	t, ok := l.Get(int(inst>>18)&0xff + 1).(*lua.LTable)
	if !ok {
		return
	}
	b := int(inst & 0x1ff)
	if b&0x100 != 0 {
		return // a constant: bounded by what the text says, and checked below when it is a register
	}
	switch k := l.Get(b + 1).(type) {
	case lua.LNumber:
		if k > maxGap && k < lua.LNumber(lua.MaxArrayIndex) {
			if gap := int(k) - t.MaxN(); gap > maxGap {
				e.charge(l, gap*16)
			}
		}
	case *lua.LNilType:
		l.RaiseError("table index is nil")
	}
}
