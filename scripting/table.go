package scripting

import (
	lua "github.com/yuin/gopher-lua"
)

// The table library of Lua 5.1, which honours read-only tables and the memory limit.

func (e *Engine) fixTable(t *lua.LTable) {
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("concat", func(l *lua.LState) int {
		sep := optString(l, 2, "")
		t := checkTable(l, 1)
		i, j := optInt(l, 3, 1), optInt(l, 4, length(t))
		total := 0
		for k := i; k <= j; k++ {
			v := rawGetInt(t, k)
			s, ok := argString(v)
			if !ok {
				raise(l, "invalid value (%s) at index %d in table for 'concat'", v.Type().String(), k)
			}
			total += len(s) + len(sep)
			if total > chargeStep {
				e.charge(l, total)
				total = 0
			}
			if k == j {
				break
			}
		}
		e.charge(l, total)
		b := e.scratch[:0]
		for k := i; k <= j; k++ {
			s, _ := argString(rawGetInt(t, k))
			b = append(b, s...)
			if k != j {
				b = append(b, sep...)
			} else {
				break
			}
		}
		e.scratch = b
		pushString(l, string(b))
		if cap(e.scratch) > 1<<20 {
			e.scratch = nil
		}
		return 1
	})
	set("insert", func(l *lua.LState) int {
		t := checkTable(l, 1)
		e.checkWritable(l, t)
		n := length(t) + 1
		switch l.GetTop() {
		case 2:
			rawSet(t, lua.LNumber(n), l.Get(2))
		case 3:
			pos := checkInt(l, 2)
			v := l.Get(3)
			i := n
			if pos >= 1 && pos < n {
				// All at once what is in the array.
				if n > len(tableOf(t).array) {
					rawSetInt(t, n, rawGetInt(t, n-1))
					i--
				}
				if array := tableOf(t).array; i <= len(array) && pos < i {
					copy(array[pos:i], array[pos-1:i-1])
					i = pos
				}
			}
			for ; i > pos; i-- {
				if e.ticks--; e.ticks <= 0 {
					e.tick(l) // it may be far
				}
				rawSet(t, lua.LNumber(i), rawGet(t, lua.LNumber(i-1)))
			}
			rawSet(t, lua.LNumber(pos), v)
		default:
			raise(l, "wrong number of arguments to 'insert'")
		}
		return 0
	})
	set("remove", func(l *lua.LState) int {
		t := checkTable(l, 1)
		e.checkWritable(l, t)
		n := length(t)
		pos := optInt(l, 2, n)
		if pos < 1 || pos > n {
			return 0
		}
		v := rawGetInt(t, pos)
		if array := tableOf(t).array; n <= len(array) {
			copy(array[pos-1:n-1], array[pos:n])
		} else {
			for i := pos; i < n; i++ {
				rawSetInt(t, i, rawGetInt(t, i+1))
			}
		}
		rawSetInt(t, n, lua.LNil)
		l.Push(v)
		return 1
	})
	set("getn", func(l *lua.LState) int { return pushNumber(l, float64(length(checkTable(l, 1)))) })
	set("setn", func(l *lua.LState) int {
		checkTable(l, 1)
		raise(l, "'setn' is obsolete")
		return 0
	})
	set("maxn", func(l *lua.LState) int {
		best := 0.0
		t := checkTable(l, 1)
		for k := range elements(t) {
			if n, ok := k.(lua.LNumber); ok && float64(n) > best {
				best = float64(n)
			}
		}
		return pushNumber(l, best)
	})
	set("foreach", func(l *lua.LState) int {
		t, fn := checkTable(l, 1), checkFunction(l, 2)
		for k, v := range elements(t) {
			l.Push(fn)
			l.Push(k)
			l.Push(v)
			l.Call(2, 1)
			if l.Get(-1) != lua.LNil {
				return 1
			}
			l.Pop(1)
		}
		return 0
	})
	set("foreachi", func(l *lua.LState) int {
		t, fn := checkTable(l, 1), checkFunction(l, 2)
		for i, n := 1, length(t); i <= n; i++ {
			l.Push(fn)
			l.Push(lua.LNumber(i))
			l.Push(rawGetInt(t, i))
			l.Call(2, 1)
			if l.Get(-1) != lua.LNil {
				return 1
			}
			l.Pop(1)
		}
		return 0
	})
	set("sort", func(l *lua.LState) int {
		t := checkTable(l, 1)
		e.checkWritable(l, t)
		s := &sorter{l: l, t: t}
		if l.Get(2) != lua.LNil {
			s.fn = checkFunction(l, 2)
		}
		s.sort(1, length(t))
		return 0
	})
}

// sorter sorts a table in place. It is Lua's own quicksort, with the median of three as the pivot and the smaller side first, because scripts see
// in which order their function is asked and how equal elements end up. A function that is no order leads the search for the next element past
// the ends, which is how Lua finds out.
type sorter struct {
	l  *lua.LState
	t  *lua.LTable
	fn *lua.LFunction
}

func (s *sorter) at(i int) lua.LValue { return rawGetInt(s.t, i) }

func (s *sorter) swap(i, j int) {
	a, b := s.at(i), s.at(j)
	rawSet(s.t, lua.LNumber(i), b)
	rawSet(s.t, lua.LNumber(j), a)
}

// order swaps two elements if the later one belongs before the other.
func (s *sorter) order(i, j int) {
	if s.less(s.at(j), s.at(i)) {
		s.swap(i, j)
	}
}

func (s *sorter) sort(low, high int) {
	for low < high {
		s.order(low, high)
		if high-low == 1 {
			return
		}
		middle := (low + high) / 2
		if s.less(s.at(middle), s.at(low)) {
			s.swap(middle, low)
		} else {
			s.order(middle, high)
		}
		if high-low == 2 {
			return
		}
		pivot := s.at(middle)
		s.swap(middle, high-1)
		i, j := low, high-1
		for {
			for i++; s.less(s.at(i), pivot); i++ {
				if i > high {
					raise(s.l, "invalid order function for sorting")
				}
			}
			for j--; s.less(pivot, s.at(j)); j-- {
				if j < low {
					raise(s.l, "invalid order function for sorting")
				}
			}
			if j < i {
				break
			}
			s.swap(i, j)
		}
		s.swap(high-1, i)
		if i-low < high-i {
			s.sort(low, i-1)
			low = i + 1
		} else {
			s.sort(i+1, high)
			high = i - 1
		}
	}
}

func (s *sorter) less(a, b lua.LValue) bool {
	if s.fn == nil {
		switch x := a.(type) {
		case lua.LNumber:
			if y, ok := b.(lua.LNumber); ok {
				return x < y
			}
		case lua.LString:
			if y, ok := b.(lua.LString); ok {
				return x < y
			}
		}
		// The library's function compares, not the script: no place stands before its errors.
		if a.Type() != b.Type() {
			s.l.Error(lua.LString("attempt to compare "+a.Type().String()+" with "+b.Type().String()), 0)
		} else if s.l.GetMetaField(a, "__lt") == lua.LNil {
			s.l.Error(lua.LString("attempt to compare two "+a.Type().String()+" values"), 0)
		}
		return s.l.LessThan(a, b)
	}
	s.l.Push(s.fn)
	s.l.Push(a)
	s.l.Push(b)
	s.l.Call(2, 1)
	r := lua.LVAsBool(s.l.Get(-1))
	s.l.Pop(1)
	return r
}
