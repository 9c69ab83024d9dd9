package scripting

import (
	"math"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// The interpreter.
//
// gopher-lua calls one function for each instruction, through a table. It has no read-only tables, no limit on memory, no way to interrupt
// that does not ask a context before every instruction, and errors that do not name what they are about. So a state of ours runs this loop
// in the place of the library's (a field of the state says which): the instructions that scripts spend their time in are executed here,
// on registers held in local variables; what is rare or intricate (calls, returns, closures, metamethods) goes through the library's table.
//
//	back jumps, loops, calls        count down; at zero the host is asked and the heap is measured (limits.go)
//	arithmetic, comparison, fields  numbers and tables without metatables here, all else in the library
//	CONCAT                          the length of the result is charged before it is built
//	SETGLOBAL, SETTABLE             refused on read-only tables
//	errors                          worded as Lua 5.1 words them, with the variable's name (names.go)
//	numbers                         live beside the registers where they can (places.go): arithmetic allocates nothing
//
// Every loop and every recursion passes one of the counted instructions, so no script escapes. States that other code in the process makes
// are not touched.

const (
	maxSbx   = 1<<17 - 1 // bias of a jump's distance
	rkBit    = 256       // an operand from here on is a constant
	maxCalls = 19900     // frames, a little less than the stack has

	// Registers a state may have. Calls are refused before the last of them: an error's handler needs some.
	maxRegisters   = 1 << 20
	spareRegisters = 1 << 15
)

// loop is the loopFunc of the engine's states.
func (e *Engine) loop(l *lua.LState, base *frame) {
	s := mirrorOf(l)
	cf := s.currentFrame
	if base != nil {
		e.inner++ // who unwinds by a panic puts it right: guarded, coroutines, begin
	}
	if cf == nil || cf.Fn.IsG {
		e.plainLoop(l, base)
		if base != nil {
			e.inner--
		}
		return
	}
	var (
		proto = cf.Fn.Proto
		code  = proto.Code
		k     = proto.Constants
		reg   = s.reg
		lb    = cf.LocalBase
		r     = reg.array[lb:]
		own   = e.places(l, s, proto, lb)
		pc    = cf.Pc

		inst       uint32
		a, b, c    int
		z          float64
		op         int
		vb, vc     lua.LValue
		result, ok bool
	)
	for {
		inst = code[pc]
		pc++
		a = int(inst>>18) & 0xff
		op = int(inst >> 26)
		switch op {
		case lua.OP_MOVE:
			vb = r[inst&0x1ff]
			if wordsOf(&vb).tab == numberTab {
				z = *(*float64)(wordsOf(&vb).word)
				if own != nil {
					goto numbered
				}
			}
			r[a] = vb
			goto stored

		case lua.OP_MOVEN:
			e.move(r, own, a, int(inst&0x1ff))
			if t := lb + a + 1; t > reg.top {
				reg.top = t
			}
			for n := int(inst>>9) & 0x1ff; n > 0; n-- {
				m := code[pc]
				pc++
				x := int(m>>18) & 0xff
				e.move(r, own, x, int(m&0x1ff))
				if t := lb + x + 1; t > reg.top {
					reg.top = t
				}
			}
			continue

		case lua.OP_LOADK:
			r[a] = k[inst&0x3ffff]
			goto stored

		case lua.OP_LOADBOOL:
			if inst&0x1ff != 0 {
				r[a] = lua.LTrue
			} else {
				r[a] = lua.LFalse
			}
			if inst>>9&0x1ff != 0 {
				pc++
			}
			goto stored

		case lua.OP_GETUPVAL:
			r[a] = cf.Fn.Upvalues[inst&0x1ff].Value()
			goto stored

		case lua.OP_SETUPVAL:
			e.settle(r, own, a, a+1)
			cf.Fn.Upvalues[inst&0x1ff].SetValue(r[a])
			continue

		case lua.OP_GETGLOBAL:
			if v, ok := tableOf(cf.Fn.Env).strdict[string(k[inst&0x3ffff].(lua.LString))]; ok {
				r[a] = v
				goto stored
			}

		case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vc = operand(r, k, c)
			if t, isTable := r[b].(*lua.LTable); isTable {
				if x, isNumber := vc.(lua.LNumber); isNumber {
					m := tableOf(t)
					if i := int(x) - 1; uint(i) < uint(len(m.array)) && lua.LNumber(i+1) == x {
						if vb = m.array[i]; wordsOf(&vb).word != nilWord {
							r[a] = vb
							goto stored
						}
					}
				}
				cf.Pc = pc
				if vb, ok = e.index(l, t, vc); ok {
					r[a] = vb
					goto stored
				}
			}
			cf.Pc = pc
			e.checkIndex(l, b, r[b])
			e.settle(r, own, b, b+1)
			e.settle(r, own, c, c+1)

		case lua.OP_NEWTABLE:
			b, c = size(int(inst&0x1ff)), size(int(inst>>9)&0x1ff)
			{
				t := e.pool.table()
				m := tableOf(t)
				if b > 0 {
					m.array = e.pool.array(b, b)
					for i := range m.array {
						m.array[i] = lua.LNil
					}
				}
				if c > 0 {
					m.resize(b, c)
				}
				if c > 0 {
					tableOf(t).strdict = make(map[string]lua.LValue, c)
				}
				r[a] = t
			}
			goto stored

		case lua.OP_SELF:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vc = operand(r, k, c)
			vb = r[b]
			switch self := vb.(type) {
			case *lua.LTable:
				cf.Pc = pc
				vc, ok = e.index(l, self, vc)
			case lua.LString:
				if vc, ok = tableOf(e.stringLib).strdict[string(vc.(lua.LString))]; !ok {
					vc, ok = lua.LNil, true
				}
			default:
				ok = false
			}
			if ok {
				r[a] = vc
				r[a+1] = vb
				if t := lb + a + 2; t > reg.top {
					reg.top = t
				}
				continue
			}
			cf.Pc = pc
			e.checkIndex(l, b, vb)

		case lua.OP_SETGLOBAL:
			cf.Pc = pc
			raise(l, errReadonly)

		case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if own != nil && wordsOf(&vc).tab == numberTab && c < rkBit {
				vc = e.number(*(*float64)(wordsOf(&vc).word))
			}
			if t, ok := r[a].(*lua.LTable); ok {
				m := tableOf(t)
				if wordsOf(&m.Metatable).word == nilWord {
					switch x := vb.(type) {
					case lua.LString:
						setString(m, string(x), vb, vc)
						continue
					case lua.LNumber:
						if i := int(x) - 1; uint(i) < uint(len(m.array)) && lua.LNumber(i+1) == x {
							m.array[i] = vc
							continue
						} else if i >= 0 && lua.LNumber(i+1) == x {
							if i == len(m.array) && e.pool.appendTo(m, vc) {
								continue
							}
							setOther(m, e.number(float64(x)), vc)
							continue
						}
					}
				}
				cf.Pc = pc
				if own != nil && wordsOf(&vb).tab == numberTab && b < rkBit {
					vb = e.number(*(*float64)(wordsOf(&vb).word))
				}
				if e.store(l, t, vb, vc) {
					continue
				}
			} else {
				cf.Pc = pc
				e.checkIndex(l, a, r[a])
			}
			e.settle(r, own, b, b+1)
			e.settle(r, own, c, c+1)

		case lua.OP_ADD:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					z = float64(x + y)
					goto numbered
				}
			}
			goto arithmetic

		case lua.OP_SUB:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					z = float64(x - y)
					goto numbered
				}
			}
			goto arithmetic

		case lua.OP_MUL:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					z = float64(x * y)
					goto numbered
				}
			}
			goto arithmetic

		case lua.OP_DIV, lua.OP_MOD, lua.OP_POW:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			goto arithmetic

		case lua.OP_UNM:
			b = int(inst & 0x1ff)
			c = b
			vb = operand(r, k, b)
			vc = vb
			goto arithmetic

		case lua.OP_NOT:
			vb = r[inst&0x1ff]
			r[a] = lua.LBool(lua.LVIsFalse(vb))
			goto stored

		case lua.OP_LEN:
			b = int(inst & 0x1ff)
			switch v := operand(r, k, b).(type) {
			case lua.LString:
				z = float64(len(v))
			case *lua.LTable:
				z = float64(length(v))
			default:
				cf.Pc = pc
				e.typeError(l, "get length of", b, v)
			}
			goto numbered

		case lua.OP_CONCAT:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			cf.Pc = pc
			if vb, ok = e.concat(l, r[b:c+1], b); ok {
				r[a] = vb
				goto stored
			}
			e.settle(r, own, b, c+1)

		case lua.OP_JMP:
			d := int(inst&0x3ffff) - maxSbx
			if d < 0 {
				if e.ticks--; e.ticks <= 0 {
					cf.Pc = pc // of the jump: its target may be the first instruction, which has none before it to name
					e.tick(l)
				}
			}
			pc += d
			continue

		case lua.OP_EQ:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if wordsOf(&vb).tab != wordsOf(&vc).tab {
				result = false // values of different types are never equal
				goto compared
			}
			switch x := vb.(type) {
			case lua.LNumber:
				result = x == vc.(lua.LNumber)
				goto compared
			case lua.LString:
				result = x == vc.(lua.LString)
				goto compared
			case *lua.LTable:
			default:
				result = vb == vc
				goto compared
			}

		case lua.OP_LT:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					result = x < y
					goto compared
				}
			} else if x, ok := vb.(lua.LString); ok {
				if y, ok := vc.(lua.LString); ok {
					result = x < y
					goto compared
				}
			}
			cf.Pc = pc
			e.checkOrder(l, vb, vc, "__lt", "__lt")
			e.settle(r, own, b, b+1)
			e.settle(r, own, c, c+1)

		case lua.OP_LE:
			b, c = int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc = operand(r, k, b), operand(r, k, c)
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					result = x <= y
					goto compared
				}
			} else if x, ok := vb.(lua.LString); ok {
				if y, ok := vc.(lua.LString); ok {
					result = x <= y
					goto compared
				}
			}
			cf.Pc = pc
			e.checkOrder(l, vb, vc, "__le", "__lt")
			e.settle(r, own, b, b+1)
			e.settle(r, own, c, c+1)

		case lua.OP_TEST:
			if lua.LVAsBool(r[a]) == (inst>>9&0x1ff == 0) {
				pc++
			}
			continue

		case lua.OP_TESTSET:
			if lua.LVAsBool(r[inst&0x1ff]) != (inst>>9&0x1ff == 0) {
				e.move(r, own, a, int(inst&0x1ff))
				goto stored
			}
			pc++
			continue

		case lua.OP_FORPREP:
			cf.Pc = pc
			var loop [3]float64
			for i, what := range [3]string{"initial value", "limit", "step"} {
				n, ok := argNumber(r[a+i])
				if !ok {
					raise(l, "'for' %s must be a number", what)
				}
				loop[i] = n
			}
			// The counter is nobody's but this loop's: it changes in place.
			r[a] = numberAt(e.place(loop[0] - loop[2]))
			r[a+1], r[a+2] = e.number(loop[1]), e.number(loop[2])
			if t := lb + a + 3; t > reg.top {
				reg.top = t
			}
			pc += int(inst&0x3ffff) - maxSbx
			continue

		case lua.OP_FORLOOP:
			if e.ticks--; e.ticks <= 0 {
				cf.Pc = pc
				e.tick(l)
			}
			{
				p := (*float64)(wordsOf(&r[a]).word)
				limit, step := *(*float64)(wordsOf(&r[a+1]).word), *(*float64)(wordsOf(&r[a+2]).word)
				z = *p + step
				*p = z
				if step > 0 && z <= limit || step <= 0 && z >= limit {
					pc += int(inst&0x3ffff) - maxSbx
					a += 3
					goto numbered
				}
			}
			continue

		case lua.OP_TFORLOOP:
			if e.ticks--; e.ticks <= 0 {
				cf.Pc = pc
				e.tick(l)
			}
			switch fn, isFunction := r[a].(*lua.LFunction); {
			case !isFunction:
				cf.Pc = pc
				e.checkCall(l, a, r[a])
			case fn == e.next || fn == e.inext:
				if t, ok := r[a+1].(*lua.LTable); ok {
					cf.Pc = pc
					if e.iterate(l, t, fn, r[a+2:a+3+max(2, int(inst>>9)&0x1ff)]) {
						pc += int(code[pc]&0x3ffff) - maxSbx
					}
					pc++
					a += 2 + max(2, int(inst>>9)&0x1ff)
					goto stored
				}
			}
			e.settle(r, own, a, a+3)

		case lua.OP_SETLIST:
			if b = int(inst & 0x1ff); b == 0 {
				b = reg.top - lb - a - 1
			}
			if c = int(inst>>9) & 0x1ff; c == 0 {
				c = int(code[pc])
				pc++
			}
			e.settle(r, own, a+1, a+1+b)
			if m := tableOf(r[a].(*lua.LTable)); b > 0 {
				c = (c - 1) * lua.FieldsPerFlush
				m.grow(c + b)
				copy(m.array[c:], r[a+1:a+1+b])
			}
			continue

		case lua.OP_RETURN:
			if b = int(inst & 0x1ff); b == 0 {
				b = reg.top - lb - a + 1
			}
			e.settle(r, own, a, a+b-1)

		case lua.OP_CALL, lua.OP_TAILCALL:
			cf.Pc = pc
			if inst&0x1ff == 0 {
				e.ticks -= (reg.top - lb - a) >> 4 // as many arguments as there are: a million take their time
			}
			if e.ticks--; e.ticks <= 0 {
				e.tick(l)
			}
			fn, isFunction := r[a].(*lua.LFunction)
			if !isFunction {
				e.checkCall(l, a, r[a])
			}
			if cf.Idx > maxCalls || reg.top > maxRegisters-spareRegisters {
				raise(l, "stack overflow")
			}
			// A Lua function with plain parameters finds its arguments where they are, in registers that are now its own.
			if op == lua.OP_TAILCALL || !isFunction || fn.IsG || fn.Proto.IsVarArg != 0 || len(fn.Proto.FunctionPrototypes) != 0 {
				if b = int(inst & 0x1ff); b == 0 {
					b = reg.top - lb - a
				}
				e.settle(r, own, a+1, a+b)
			}
		}
		cf.Pc = pc
		if jumpTable[op](l, inst, base) == 1 {
			if base != nil {
				e.inner--
			}
			return
		}
		cf = s.currentFrame
		proto = cf.Fn.Proto
		code, k = proto.Code, proto.Constants
		lb = cf.LocalBase
		r = reg.array[lb:]
		own = e.places(l, s, proto, lb)
		pc = cf.Pc
		continue

	arithmetic: // of the operands b and c, whose values are vb and vc
		{
			x, ok1 := vb.(lua.LNumber)
			y, ok2 := vc.(lua.LNumber)
			if !ok1 || !ok2 {
				cf.Pc = pc
				if x, y, ok = e.operands(l, op, b, c, vb, vc); !ok { // a metamethod
					e.settle(r, own, b, b+1)
					e.settle(r, own, c, c+1)
					jumpTable[op](l, inst, base)
					r = reg.array[lb:]
					own = e.places(l, s, proto, lb)
					continue
				}
			}
			switch op {
			case lua.OP_ADD:
				z = float64(x + y)
			case lua.OP_SUB:
				z = float64(x - y)
			case lua.OP_MUL:
				z = float64(x * y)
			case lua.OP_DIV:
				z = float64(x / y)
			case lua.OP_MOD:
				z = modulo(float64(x), float64(y))
			case lua.OP_POW:
				z = power(float64(x), float64(y))
			default:
				z = float64(-x)
			}
		}

	numbered: // an instruction is done whose result, z, belongs into register a
		if a < len(own) {
			p := &own[a]
			*p = z
			if w := wordsOf(&r[a]); w.word != unsafe.Pointer(p) || w.tab != numberTab {
				r[a] = numberAt(p)
			}
		} else {
			r[a] = e.number(z)
		}

	stored: // an instruction is done that left its result in register a
		if t := lb + a + 1; t > reg.top {
			reg.top = t
		}
		continue

	compared: // a comparison is done
		if result != (a != 0) {
			pc++
		}
	}
}

// size is a table's size as NEWTABLE has it: three bits behind a leading one, and an exponent.
func size(x int) int {
	if e := x >> 3 & 31; e > 0 {
		return (x&7 + 8) << (e - 1)
	}
	return x
}

// operand is a register, or a constant from rkBit on.
func operand(r, k []lua.LValue, x int) lua.LValue {
	if x >= rkBit {
		return k[x-rkBit]
	}
	return r[x]
}

// index reads a field, of the tables behind __index too; ok is false if a function behind it must be asked.
func (e *Engine) index(l *lua.LState, t *lua.LTable, key lua.LValue) (v lua.LValue, ok bool) {
	for range maxMetaLoop {
		if v = rawGet(t, key); wordsOf(&v).word != nilWord {
			return v, true
		}
		if wordsOf(&t.Metatable).word == nilWord {
			return lua.LNil, true
		}
		mt, isTable := t.Metatable.(*lua.LTable)
		if !isTable {
			return lua.LNil, false
		}
		switch h := mt.RawGetString("__index").(type) {
		case *lua.LNilType:
			return lua.LNil, true
		case *lua.LTable:
			t = h
		default:
			return lua.LNil, false
		}
	}
	raise(l, "loop in gettable")
	return lua.LNil, false
}

// modulo is Lua's: the result has the sign of the divisor.
func modulo(x, y float64) float64 {
	if i, j := int32(x), int32(y); j > 0 && i >= 0 && float64(i) == x && float64(j) == y && (i != 0 || 1/x > 0) {
		return float64(i % j)
	}
	return x - math.Floor(x/y)*y
}

// operands makes numbers of the operands of an arithmetic instruction; ok is false if a metamethod must see them.
func (e *Engine) operands(l *lua.LState, op, b, c int, vb, vc lua.LValue) (x, y lua.LNumber, ok bool) {
	f, ok1 := argNumber(vb)
	g, ok2 := argNumber(vc)
	if ok1 && ok2 {
		return lua.LNumber(f), lua.LNumber(g), true
	}
	if event := arithEvents[op-lua.OP_ADD]; l.GetMetaField(vb, event).Type() == lua.LTFunction || l.GetMetaField(vc, event).Type() == lua.LTFunction {
		return 0, 0, false
	}
	if ok1 {
		b, vb = c, vc
	}
	e.typeError(l, "perform arithmetic on", b, vb)
	return 0, 0, false
}

var arithEvents = [...]string{"__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm"}

// concat joins strings and numbers; ok is false if a metamethod must see them. first is the register of the first.
func (e *Engine) concat(l *lua.LState, vs []lua.LValue, first int) (v lua.LValue, ok bool) {
	total := 0
	for i := len(vs) - 1; i >= 0; i-- {
		switch x := vs[i].(type) {
		case lua.LString:
			total += len(x)
		case lua.LNumber:
			total += 24
		default:
			// Pairs are joined from the right: this value and the one behind it, or, for the last, the one before it.
			j := min(i, len(vs)-2)
			left, right := vs[j], vs[j+1]
			if l.GetMetaField(left, "__concat").Type() == lua.LTFunction || l.GetMetaField(right, "__concat").Type() == lua.LTFunction {
				e.charge(l, total)
				return nil, false
			}
			if _, isText := argString(left); isText {
				j++
			}
			e.typeError(l, "concatenate", first+j, vs[j])
		}
	}
	e.charge(l, total)
	b := e.scratch[:0]
	for _, v := range vs {
		switch x := v.(type) {
		case lua.LString:
			b = append(b, x...)
		case lua.LNumber:
			b = appendNumber(b, float64(x))
		}
	}
	v = lua.LString(b)
	if e.scratch = b; cap(b) > 1<<20 {
		e.scratch = nil
	}
	return v, true
}

// store puts a value into a table as an assignment does: read-only tables refuse it, and the tables behind __newindex have their turn. It returns false, with nothing done, if a function behind __newindex must see it.
func (e *Engine) store(l *lua.LState, t *lua.LTable, key, v lua.LValue) bool {
	for range maxMetaLoop {
		if wordsOf(&t.Metatable).word != nilWord {
			if e.isReadonly(t) {
				raise(l, errReadonly)
			}
			if mt, ok := t.Metatable.(*lua.LTable); ok && rawGet(t, key) == lua.LNil {
				switch h := mt.RawGetString("__newindex").(type) {
				case *lua.LNilType:
				case *lua.LTable:
					t = h
					continue
				default:
					return false
				}
			}
		}
		switch k := key.(type) {
		case lua.LNumber:
			if k != k {
				raise(l, "table index is NaN")
			}
		case *lua.LNilType:
			raise(l, "table index is nil")
		}
		rawSet(t, key, v)
		return true
	}
	raise(l, "loop in settable")
	return false
}

// maxMetaLoop bounds a chain of metatables, as in Lua 5.1.
const maxMetaLoop = 100
