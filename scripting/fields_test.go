package scripting

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestFields holds tables against a model: random keys of every kind are set, changed and deleted, and iterated in the order of their coming.
func TestFields(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		table := &lua.LTable{Metatable: lua.LNil}
		model := map[lua.LValue]lua.LValue{}
		keys := make([]lua.LValue, 30)
		for i := range keys {
			keys[i] = [...]lua.LValue{lua.LString(fmt.Sprint("k", i)), lua.LNumber(-i), lua.LNumber(float64(i) + .5), lua.LBool(i%2 == 0)}[i%4]
		}
		for step := range 400 {
			k, v := keys[r.IntN(len(keys))], lua.LValue(lua.LNumber(step))
			if r.IntN(3) == 0 {
				v = lua.LNil
			}
			rawSet(table, k, v)
			switch {
			case v == lua.LNil:
				delete(model, k)
			default:
				model[k] = v
			}
			got := map[lua.LValue]lua.LValue{}
			for k, v := range elements(table) {
				if _, twice := got[k]; twice {
					t.Fatalf("seed %d, step %d: %v comes twice", seed, step, k)
				}
				got[k] = v
			}
			if !reflect.DeepEqual(got, model) || count(table) != len(model) {
				t.Fatalf("seed %d, step %d: %v, want %v", seed, step, got, model)
			}
			// next from anywhere agrees, with and without what it remembers.
			var c, forgetful cursor
			seen := 0
			for k := lua.LValue(lua.LNil); ; seen++ {
				nk, nv, ok := c.next(table, k)
				forgetful = cursor{}
				fk, fv, fok := forgetful.next(table, k)
				if !ok || !fok || nk != fk || nv != fv {
					t.Fatalf("seed %d, step %d: next(%v) = %v, %v or %v, %v", seed, step, k, nk, nv, fk, fv)
				}
				if k = nk; k == lua.LNil {
					break
				}
			}
			if seen != len(model) {
				t.Fatalf("seed %d, step %d: next finds %d of %d", seed, step, seen, len(model))
			}
		}
		if n := len(tableOf(table).keys); n > 2*len(keys) {
			t.Errorf("seed %d: %d keys are kept of %d", seed, n, len(keys))
		}
	}
}

// TestQueueTable: a table through which ever new keys pass does not grow.
func TestQueueTable(t *testing.T) {
	table := &lua.LTable{Metatable: lua.LNil}
	for i := range 100_000 {
		rawSetString(table, fmt.Sprint(i), lua.LTrue)
		rawSetString(table, fmt.Sprint(i-5), lua.LNil)
	}
	if m := tableOf(table); len(m.keys) > 100 || len(m.k2i) > 100 || count(table) != 5 {
		t.Errorf("%d keys, %d places, %d elements", len(m.keys), len(m.k2i), count(table))
	}
}

// TestNumbersStay: numbers that a function still works with do not change where they were put.
func TestNumbersStay(t *testing.T) {
	e := New(nil, Options{})
	for script, want := range map[string]any{
		"local a = 1000.5 local b = a a = a + 1 return {tostring(a),tostring(b)}":                                           []any{"1001.5", "1000.5"},
		"local t = {} local x = 5000 for i = 1, 3 do x = x + 1 t[i] = x end x = x * 2 return t":                             []any{int64(5001), int64(5002), int64(5003)},
		"local t = {} local x = 5000 for i = 1, 3 do x = x + 1 t[x] = i t['f'..i] = x end x = 0 return {t.f1,t.f2,t[5003]}": []any{int64(5001), int64(5002), int64(3)},
		"local x = 5000 + 1 local t = {x, x + 1, x} x = x + 10 return t":                                                    []any{int64(5001), int64(5002), int64(5001)},
		"local function f(a, b) a = a + b return a, b end local x = 5000 + 1 local y, z = f(x, x) return {x,y,z}":           []any{int64(5001), int64(10002), int64(5001)},
		"local x = 5000 + 1 local function f() return x end x = x + 1 local y = f() x = x + 1 return {x,y,f()}":             []any{int64(5003), int64(5002), int64(5003)},
		"local fs = {} for i = 5001, 5003 do local y = i * 2 fs[#fs+1] = function() y = y + 1 return y end end return {fs[1](),fs[1](),fs[2](),fs[3]()}": []any{
			int64(10003), int64(10004), int64(10005), int64(10007)},
		"local function v(...) local a, b = ... a = a + 1 return a, b, ... end local x = 5000 + 1 return {v(x, x + 1)}": []any{int64(5002), int64(5002), int64(5001), int64(5002)},
		"local co = coroutine.wrap(function(a) local s = a while true do s = s + coroutine.yield(s) end end) local x = 5000 + 1 return {co(x),co(x),co(x+1)}": []any{
			int64(5001), int64(10002), int64(15004)},
		"local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v) end}) local x = 5000 + 1 t[x] = x x = x + 1 t[x] = x x = 0 return {t[5001],t[5002]}": []any{
			int64(5001), int64(5002)},
		"local t = setmetatable({}, {__newindex = rawset}) local x = 5000 + 1 t.a = x x = x + 1 t.b = x x = 0 return {t.a,t.b}":                           []any{int64(5001), int64(5002)},
		"local m = setmetatable({}, {__add = function(a, b) return b end}) local x = 5000 + 1 local y = m + x x = x + 1 return {x,y}":                     []any{int64(5002), int64(5001)},
		"local x = 5000 + 1 local t = {} table.insert(t, x) x = x + 1 table.insert(t, x) x = 0 return t":                                                  []any{int64(5001), int64(5002)},
		"local x = 5000 + 1 local ok, y = pcall(function(a) a = a + 1 error({v = a}) end, x) return {x, y.v}":                                             []any{int64(5001), int64(5002)},
		"local function r(n) if n == 0 then return 0 end local x = n * 5000 local y = r(n - 1) return x + y end return r(100)":                            int64(25250000),
		"local s = 0 for k, v in pairs({5001, 5002, a = 5003}) do s = s + v v = v + 1 end for i, v in ipairs({5001}) do s = s + v i = i + 1 end return s": int64(20007),
		"local t = {} for i = 1, 3, 0.5 do t[i] = i * 2 end local n, s = 0, 0 for k, v in pairs(t) do n = n + 1 s = s + k end return {n, s, t[1.5], t[2.5]}": []any{
			int64(5), int64(10), int64(3), int64(5)},
		"local x = 5000 local a, b = x + 1, x + 2 a, b = b, a return {a, b}":                                           []any{int64(5002), int64(5001)},
		"local x = 5000 + 1 local y = x and x or 0 x = x + 1 return {x, y}":                                            []any{int64(5002), int64(5001)},
		"local function big(n) if n > 0 then local x = n + 5000 big(n - 1) return x end return 0 end return big(3000)": int64(8000),
		"for i = 1, 3 do local j = i i = i * 5000 if i ~= j * 5000 then return 'bad' end end return 'good'":            "good",
	} {
		for range 2 {
			if got, err := e.Eval(script, nil, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\n%v, %v, want %v", script, got, err, want)
			}
		}
	}
}

// TestArithmeticAllocatesNothing: a loop costs what its call costs, however long it is.
func TestArithmeticAllocatesNothing(t *testing.T) {
	e := New(nil, Options{})
	cost := func(text string) float64 {
		s, err := e.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 0, 64)
		return testing.AllocsPerRun(50, func() { out, _ = e.Run(out[:0], s, nil, nil, 2) })
	}
	short, long := cost("local x,y=0,0.5 for i=1,10 do x=x+i*2 y=-x if x>y then y=x%7 end end return x"), cost("local x,y=0,0.5 for i=1,10000 do x=x+i*2 y=-x if x>y then y=x%7 end end return x")
	if long > short+1 {
		t.Errorf("%v allocations in a long loop, %v in a short one", long, short)
	}
}
