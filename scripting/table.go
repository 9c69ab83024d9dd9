package scripting

import (
	"sort"

	lua "github.com/yuin/gopher-lua"
)

// The table library of Lua 5.1, which honours read-only tables and the memory limit.

func (e *Engine) fixTable(t *lua.LTable) {
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("concat", func(l *lua.LState) int {
		t := checkTable(l, 1, "concat")
		sep := optString(l, 2, "concat", "")
		i, j := optInt(l, 3, "concat", 1), optInt(l, 4, "concat", length(t))
		total := 0
		for k := i; k <= j; k++ {
			v := rawGetInt(t, k)
			s, ok := argString(v)
			if !ok {
				l.RaiseError("invalid value (%s) at index %d in table for 'concat'", v.Type().String(), k)
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
		t := checkTable(l, 1, "insert")
		e.checkWritable(l, t)
		n := length(t) + 1
		switch l.GetTop() {
		case 2:
			rawSet(t, lua.LNumber(n), l.Get(2))
		case 3:
			pos := checkInt(l, 2, "insert")
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
			l.RaiseError("wrong number of arguments to 'insert'")
		}
		return 0
	})
	set("remove", func(l *lua.LState) int {
		t := checkTable(l, 1, "remove")
		e.checkWritable(l, t)
		n := length(t)
		pos := optInt(l, 2, "remove", n)
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
	set("getn", func(l *lua.LState) int { return pushNumber(l, float64(length(checkTable(l, 1, "getn")))) })
	set("setn", func(l *lua.LState) int {
		checkTable(l, 1, "setn")
		l.RaiseError("'setn' is obsolete")
		return 0
	})
	set("maxn", func(l *lua.LState) int {
		best := 0.0
		t := checkTable(l, 1, "maxn")
		for k := range elements(t) {
			if n, ok := k.(lua.LNumber); ok && float64(n) > best {
				best = float64(n)
			}
		}
		return pushNumber(l, best)
	})
	set("foreach", func(l *lua.LState) int {
		t, fn := checkTable(l, 1, "foreach"), l.CheckFunction(2)
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
		t, fn := checkTable(l, 1, "foreachi"), l.CheckFunction(2)
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
		t := checkTable(l, 1, "sort")
		e.checkWritable(l, t)
		s := &sorter{l: l, t: t, n: length(t)}
		if l.Get(2) != lua.LNil {
			s.fn = l.CheckFunction(2)
		}
		sort.Sort(s)
		return 0
	})
}

// sorter sorts the array part of a table in place.
type sorter struct {
	l  *lua.LState
	t  *lua.LTable
	fn *lua.LFunction
	n  int
}

func (s *sorter) Len() int { return s.n }

func (s *sorter) Swap(i, j int) {
	a, b := rawGetInt(s.t, i+1), rawGetInt(s.t, j+1)
	rawSetInt(s.t, i+1, b)
	rawSetInt(s.t, j+1, a)
}

func (s *sorter) Less(i, j int) bool {
	a, b := rawGetInt(s.t, i+1), rawGetInt(s.t, j+1)
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
		if a.Type() != b.Type() {
			s.l.Error(lua.LString("attempt to compare "+a.Type().String()+" with "+b.Type().String()), 0)
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
