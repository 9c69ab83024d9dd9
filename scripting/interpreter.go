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
//	SETGLOBAL, SETTABLE             refused on read-only tables; a far index does not fill an array with nils for nothing
//	errors                          worded as Lua 5.1 words them, with the variable's name (names.go)
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

	firstArray = 8 // elements for which a table's array has room when its first one comes
)

// loop is the loopFunc of the engine's states.
func (e *Engine) loop(l *lua.LState, base *frame) {
	s := mirrorOf(l)
	cf := s.currentFrame
	if cf == nil || cf.Fn.IsG {
		e.plainLoop(l, base)
		return
	}
	var (
		proto = cf.Fn.Proto
		code  = proto.Code
		k     = proto.Constants
		reg   = s.reg
		lb    = cf.LocalBase
		r     = reg.array[lb:]
		pc    = cf.Pc
	)
	for {
		inst := code[pc]
		pc++
		a := int(inst>>18) & 0xff
		op := int(inst >> 26)
		switch op {
		case lua.OP_MOVE:
			r[a] = r[inst&0x1ff]
			goto stored

		case lua.OP_MOVEN:
			r[a] = r[inst&0x1ff]
			if t := lb + a + 1; t > reg.top {
				reg.top = t
			}
			for n := int(inst>>9) & 0x1ff; n > 0; n-- {
				m := code[pc]
				pc++
				x := int(m>>18) & 0xff
				r[x] = r[m&0x1ff]
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
			if t := lb + a + 1; t > reg.top {
				reg.top = t
			}
			if inst>>9&0x1ff != 0 {
				pc++
			}
			continue

		case lua.OP_GETUPVAL:
			r[a] = cf.Fn.Upvalues[inst&0x1ff].Value()
			goto stored

		case lua.OP_SETUPVAL:
			cf.Fn.Upvalues[inst&0x1ff].SetValue(r[a])
			continue

		case lua.OP_GETGLOBAL:
			if v, ok := tableOf(cf.Fn.Env).strdict[string(k[inst&0x3ffff].(lua.LString))]; ok {
				r[a] = v
				goto stored
			}

		case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
			c := int(inst>>9) & 0x1ff
			key := r[c&0xff]
			if c >= rkBit {
				key = k[c&0xff]
			}
			if v, ok := e.index(r[inst&0x1ff], key); ok {
				r[a] = v
				goto stored
			}
			cf.Pc = pc
			e.checkIndex(l, int(inst&0x1ff), r[inst&0x1ff])

		case lua.OP_SELF:
			c := int(inst>>9) & 0x1ff
			key := r[c&0xff]
			if c >= rkBit {
				key = k[c&0xff]
			}
			self := r[inst&0x1ff]
			v, ok := e.index(self, key)
			if !ok {
				if _, isString := self.(lua.LString); isString {
					if v, ok = tableOf(e.stringLib).strdict[string(key.(lua.LString))]; !ok {
						v, ok = lua.LNil, true
					}
				}
			}
			if ok {
				r[a] = v
				r[a+1] = self
				if t := lb + a + 2; t > reg.top {
					reg.top = t
				}
				continue
			}
			cf.Pc = pc
			e.checkIndex(l, int(inst&0x1ff), self)

		case lua.OP_SETGLOBAL:
			cf.Pc = pc
			l.RaiseError(errReadonly)

		case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
			b, c := int(inst&0x1ff), int(inst>>9)&0x1ff
			key, v := r[b&0xff], r[c&0xff]
			if b >= rkBit {
				key = k[b&0xff]
			}
			if c >= rkBit {
				v = k[c&0xff]
			}
			if t, ok := r[a].(*lua.LTable); ok {
				m := tableOf(t)
				if wordsOf(&m.Metatable).word == nilWord {
					switch x := key.(type) {
					case lua.LString:
						t.RawSetString(string(x), v)
						continue
					case lua.LNumber:
						if i := int(x) - 1; uint(i) < uint(len(m.array)) && lua.LNumber(i+1) == x {
							m.array[i] = v
							continue
						} else if i == len(m.array) && lua.LNumber(i+1) == x && i < lua.MaxArrayIndex-1 && wordsOf(&v).word != nilWord {
							if m.array == nil {
								m.array = make([]lua.LValue, 0, firstArray)
							}
							m.array = append(m.array, v)
							continue
						}
					}
				}
				cf.Pc = pc
				e.checkStore(l, t, key)
			} else {
				cf.Pc = pc
				e.checkIndex(l, a, r[a])
			}

		case lua.OP_ADD, lua.OP_SUB, lua.OP_MUL, lua.OP_DIV, lua.OP_MOD, lua.OP_POW:
			b, c := int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc := r[b&0xff], r[c&0xff]
			if b >= rkBit {
				vb = k[b&0xff]
			}
			if c >= rkBit {
				vc = k[c&0xff]
			}
			x, ok1 := vb.(lua.LNumber)
			y, ok2 := vc.(lua.LNumber)
			if !ok1 || !ok2 {
				cf.Pc = pc
				if x, y, ok1 = e.operands(l, op, b, c, vb, vc); !ok1 {
					break // a metamethod
				}
			}
			var z float64
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
			default:
				z = math.Pow(float64(x), float64(y))
			}
			r[a] = e.boxes.number(z)
			goto stored

		case lua.OP_UNM:
			b := int(inst & 0x1ff)
			v := r[b&0xff]
			if b >= rkBit {
				v = k[b&0xff]
			}
			x, ok := v.(lua.LNumber)
			if !ok {
				cf.Pc = pc
				if x, _, ok = e.operands(l, op, b, b, v, v); !ok {
					break
				}
			}
			r[a] = e.boxes.number(float64(-x))
			goto stored

		case lua.OP_NOT:
			v := r[inst&0x1ff]
			r[a] = lua.LBool(lua.LVIsFalse(v))
			goto stored

		case lua.OP_LEN:
			b := int(inst & 0x1ff)
			v := r[b&0xff]
			if b >= rkBit {
				v = k[b&0xff]
			}
			n := 0
			switch v := v.(type) {
			case lua.LString:
				n = len(v)
			case *lua.LTable:
				n = v.Len()
			default:
				cf.Pc = pc
				e.typeError(l, "get length of", b, v)
			}
			r[a] = e.boxes.number(float64(n))
			goto stored

		case lua.OP_CONCAT:
			b, c := int(inst&0x1ff), int(inst>>9)&0x1ff
			cf.Pc = pc
			if v, ok := e.concat(l, r[b:c+1], b); ok {
				r[a] = v
				goto stored
			}

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

		case lua.OP_EQ, lua.OP_LT, lua.OP_LE:
			b, c := int(inst&0x1ff), int(inst>>9)&0x1ff
			vb, vc := r[b&0xff], r[c&0xff]
			if b >= rkBit {
				vb = k[b&0xff]
			}
			if c >= rkBit {
				vc = k[c&0xff]
			}
			var result, done bool
			if x, ok := vb.(lua.LNumber); ok {
				if y, ok := vc.(lua.LNumber); ok {
					done = true
					switch op {
					case lua.OP_EQ:
						result = x == y
					case lua.OP_LT:
						result = x < y
					default:
						result = x <= y
					}
				}
			} else if x, ok := vb.(lua.LString); ok {
				if y, ok := vc.(lua.LString); ok {
					done = true
					switch op {
					case lua.OP_EQ:
						result = x == y
					case lua.OP_LT:
						result = x < y
					default:
						result = x <= y
					}
				}
			}
			if !done && op == lua.OP_EQ && wordsOf(&vb).tab != wordsOf(&vc).tab {
				done = true // values of different types are never equal
			}
			if done {
				if result != (a != 0) {
					pc++
				}
				continue
			}

		case lua.OP_TEST:
			if lua.LVAsBool(r[a]) == (inst>>9&0x1ff == 0) {
				pc++
			}
			continue

		case lua.OP_TESTSET:
			if v := r[inst&0x1ff]; lua.LVAsBool(v) != (inst>>9&0x1ff == 0) {
				r[a] = v
				if t := lb + a + 1; t > reg.top {
					reg.top = t
				}
			} else {
				pc++
			}
			continue

		case lua.OP_FORPREP:
			cf.Pc = pc
			var loop [3]float64
			for i, what := range [3]string{"initial value", "limit", "step"} {
				n, ok := argNumber(r[a+i])
				if !ok {
					l.RaiseError("'for' %s must be a number", what)
				}
				loop[i] = n
			}
			// The counter is nobody's but this loop's: it changes in place.
			r[a] = ownNumber(loop[0] - loop[2])
			r[a+1], r[a+2] = e.boxes.number(loop[1]), e.boxes.number(loop[2])
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
			p := (*float64)(wordsOf(&r[a]).word)
			limit, step := float64(r[a+1].(lua.LNumber)), float64(r[a+2].(lua.LNumber))
			i := *p + step
			*p = i
			if step > 0 && i <= limit || step <= 0 && i >= limit {
				pc += int(inst&0x3ffff) - maxSbx
				r[a+3] = e.boxes.number(i)
				if t := lb + a + 4; t > reg.top {
					reg.top = t
				}
			}
			continue

		case lua.OP_TFORLOOP:
			if e.ticks--; e.ticks <= 0 {
				cf.Pc = pc
				e.tick(l)
			}
			if _, ok := r[a].(*lua.LFunction); !ok {
				cf.Pc = pc
				e.checkCall(l, a, r[a])
			}

		case lua.OP_CALL, lua.OP_TAILCALL:
			cf.Pc = pc
			if e.ticks--; e.ticks <= 0 {
				e.tick(l)
			}
			if _, ok := r[a].(*lua.LFunction); !ok {
				e.checkCall(l, a, r[a])
			}
			if cf.Idx > maxCalls || reg.top > maxRegisters-spareRegisters {
				l.RaiseError("stack overflow")
			}
		}
		cf.Pc = pc
		if jumpTable[op](l, inst, base) == 1 {
			return
		}
		cf = s.currentFrame
		proto = cf.Fn.Proto
		code, k = proto.Code, proto.Constants
		lb = cf.LocalBase
		r = reg.array[lb:]
		pc = cf.Pc
		continue

	stored: // an instruction is done that left its result in register a
		if t := lb + a + 1; t > reg.top {
			reg.top = t
		}
	}
}

// index reads a field where no metamethod has a say; ok is false if one may have.
func (e *Engine) index(o, key lua.LValue) (v lua.LValue, ok bool) {
	t, ok := o.(*lua.LTable)
	if !ok {
		return nil, false
	}
	m := tableOf(t)
	switch x := key.(type) {
	case lua.LString:
		if v, ok := m.strdict[string(x)]; ok {
			return v, true
		}
	case lua.LNumber:
		if i := int(x) - 1; uint(i) < uint(len(m.array)) && lua.LNumber(i+1) == x {
			v = m.array[i]
		} else {
			v = t.RawGet(key)
		}
		if wordsOf(&v).word != nilWord {
			return v, true
		}
	default:
		if v = t.RawGet(key); wordsOf(&v).word != nilWord {
			return v, true
		}
	}
	return lua.LNil, wordsOf(&m.Metatable).word == nilWord
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

// checkStore raises what a store into a table raises, and keeps a far index from filling an array with nils unpaid.
func (e *Engine) checkStore(l *lua.LState, t *lua.LTable, key lua.LValue) {
	if t.Metatable != lua.LNil && e.isReadonly(t) {
		l.RaiseError(errReadonly)
	}
	switch k := key.(type) {
	case lua.LNumber:
		e.checkGap(l, t, k)
	case *lua.LNilType:
		if l.GetMetaField(t, "__newindex") == lua.LNil {
			l.RaiseError("table index is nil")
		}
	}
}

// maxGap is how far beyond the end of a table's array an index may lie and still be stored in the array.
const maxGap = 1024

func (e *Engine) checkGap(l *lua.LState, t *lua.LTable, k lua.LNumber) {
	if k != k {
		l.RaiseError("table index is NaN")
	}
	if k > maxGap && k < lua.LNumber(lua.MaxArrayIndex) {
		if gap := int(k) - len(tableOf(t).array); gap > maxGap {
			e.charge(l, gap*int(unsafe.Sizeof(lua.LValue(nil))))
		}
	}
}
