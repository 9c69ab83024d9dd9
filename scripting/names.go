package scripting

import (
	lua "github.com/yuin/gopher-lua"
)

// Names in errors: "attempt to call field 'x' (a nil value)".
//
// Lua 5.1 finds the name of the variable at fault by executing the function's code symbolically up to the instruction that failed, to see
// which one put the value into its register. So does this file, on gopher-lua's instructions, which are those of 5.1 and a few more.

// typeError raises "attempt to <what> <kind> '<name>' (a <type> value)"; operand is a register, or a constant from rkBit on.
func (e *Engine) typeError(l *lua.LState, what string, operand int, v lua.LValue) {
	cf := mirrorOf(l).currentFrame
	if operand < rkBit {
		if kind, name := variable(cf.Fn.Proto, cf.Pc-1, operand); kind != "" {
			raise(l, "attempt to %s %s '%s' (a %s value)", what, kind, name, typeName(v))
		}
	}
	raise(l, "attempt to %s a %s value", what, typeName(v))
}

// typeName is the type of a value, which may be a register that was never set.
func typeName(v lua.LValue) string {
	if v == nil {
		return "nil"
	}
	return v.Type().String()
}

// checkIndex raises an error unless a value can be indexed.
func (e *Engine) checkIndex(l *lua.LState, operand int, v lua.LValue) {
	switch v.(type) {
	case *lua.LTable, lua.LString:
		return
	}
	if v == nil || l.GetMetatable(v) == lua.LNil {
		e.typeError(l, "index", operand, v)
	}
}

// checkOrder raises an error unless two values that are neither numbers nor strings have a metamethod for their comparison.
func (e *Engine) checkOrder(l *lua.LState, a, b lua.LValue, event, other string) {
	x, y := typeName(a), typeName(b)
	if x != y {
		raise(l, "attempt to compare %s with %s", x, y)
	}
	for _, name := range [2]string{event, other} {
		if a != nil && l.GetMetaField(a, name) != lua.LNil {
			return
		}
	}
	raise(l, "attempt to compare two %s values", x)
}

// checkCall raises an error unless a value, which is no function, can be called.
func (e *Engine) checkCall(l *lua.LState, operand int, v lua.LValue) {
	if v == nil || l.GetMetaField(v, "__call").Type() != lua.LTFunction {
		e.typeError(l, "call", operand, v)
	}
}

// variable tells what a register holds at an instruction: its kind (local, global, field, method, upvalue; "" unknown) and its name.
func variable(p *lua.FunctionProto, pc, reg int) (kind, name string) {
	if name := localName(p, reg, pc); name != "" {
		return "local", name
	}
	set := lastSet(p, pc, reg)
	if set < 0 {
		return "", ""
	}
	inst := p.Code[set]
	b, c := int(inst&0x1ff), int(inst>>9)&0x1ff
	switch int(inst >> 26) {
	case lua.OP_GETGLOBAL:
		return "global", constantName(p, int(inst&0x3ffff))
	case lua.OP_MOVE, lua.OP_MOVEN:
		// Several moves may stand behind one instruction.
		for at := set; ; at++ {
			m := p.Code[at]
			if int(m>>18)&0xff == reg {
				if from := int(m & 0x1ff); from < reg {
					return variable(p, set, from)
				}
				return "", ""
			}
			if at-set >= c {
				return "", ""
			}
		}
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		return "field", operandName(p, set, c)
	case lua.OP_GETUPVAL:
		if b < len(p.DbgUpvalues) {
			return "upvalue", p.DbgUpvalues[b]
		}
		return "upvalue", "?"
	case lua.OP_SELF:
		return "method", operandName(p, set, c)
	}
	return "", ""
}

// operandName is the name that a key gives: a constant's, which gopher-lua's compiler sometimes puts into a register first.
func operandName(p *lua.FunctionProto, pc, c int) string {
	if c >= rkBit {
		return constantName(p, c&0xff)
	}
	if localName(p, c, pc) == "" {
		if set := lastSet(p, pc, c); set >= 0 && int(p.Code[set]>>26) == lua.OP_LOADK {
			return constantName(p, int(p.Code[set]&0x3ffff))
		}
	}
	return "?"
}

func constantName(p *lua.FunctionProto, i int) string {
	if s, ok := p.Constants[i].(lua.LString); ok {
		return string(s)
	}
	return "?"
}

// localName is the name of the local variable in a register at an instruction.
func localName(p *lua.FunctionProto, reg, pc int) string {
	for _, v := range p.DbgLocals {
		if v.StartPc > pc {
			break
		}
		if pc < v.EndPc {
			if reg == 0 {
				if v.Name == "" || v.Name[0] == '(' {
					return ""
				}
				return v.Name
			}
			reg--
		}
	}
	return ""
}

// lastSet is the last instruction before pc that set a register, -1 if none did. Branches that are skipped by a forward jump do not count.
func lastSet(p *lua.FunctionProto, last, reg int) int {
	found := -1
	for pc := 0; pc < last; pc++ {
		inst := p.Code[pc]
		a, b, c := int(inst>>18)&0xff, int(inst&0x1ff), int(inst>>9)&0x1ff
		switch op := int(inst >> 26); op {
		case lua.OP_MOVEN:
			for i := 0; i <= c; i++ {
				if int(p.Code[pc+i]>>18)&0xff == reg {
					found = pc
				}
			}
			pc += c
		case lua.OP_LOADNIL:
			if a <= reg && reg <= b {
				found = pc
			}
		case lua.OP_TFORLOOP:
			if reg >= a+2 {
				found = pc
			}
		case lua.OP_CALL, lua.OP_TAILCALL:
			if reg >= a {
				found = pc
			}
		case lua.OP_SELF:
			if reg == a || reg == a+1 {
				found = pc
			}
		case lua.OP_JMP, lua.OP_FORLOOP, lua.OP_FORPREP:
			if op != lua.OP_JMP && reg >= a && reg <= a+3 {
				found = pc
			}
			if dest := pc + 1 + int(inst&0x3ffff) - maxSbx; op != lua.OP_FORLOOP && pc < dest && dest <= last {
				pc = dest - 1
			}
		case lua.OP_SETLIST:
			if c == 0 {
				pc++
			}
		case lua.OP_CLOSURE:
			if a == reg {
				found = pc
			}
			pc += int(p.FunctionPrototypes[inst&0x3ffff].NumUpvalues)
		case lua.OP_VARARG:
			if reg >= a {
				found = pc
			}
		case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS, lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST, lua.OP_RETURN,
			lua.OP_CLOSE, lua.OP_NOP:
		default:
			if a == reg {
				found = pc
			}
		}
	}
	return found
}
