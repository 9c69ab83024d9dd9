package scripting

import (
	"iter"
	"math"
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// Fields of tables.
//
// gopher-lua keeps a table's fields in a map (one for strings, one for other keys), the order of their insertion in a list of keys, and the
// places in that list in one more map, for next. Each new field thus costs two maps, the second only for the sake of who iterates. Here the
// last map is filled when it is asked for, which is seldom: next remembers where it stood.
//
//	array           the values at 1, 2, 3 …; its length is a power of two, or what a constructor asked for
//	strdict, dict   key → value, for all other keys
//	keys            those keys in their order; a deleted field's stays until the next rehash
//	k2i             key → its index in keys, for the first len(k2i) of them
//
// Which whole numbers are in the array decides what # says of a table with holes, and scripts see that. So array and fields change their sizes
// when Lua 5.1's do (rehash): when a new key comes and there is no room for it. cap(keys) is the number of fields for which there is room.
//
// The library would add a key twice to a list whose map is behind, and knows nothing of sizes. So no code of this package and no instruction
// stores or reads an element by the library's methods.

// setString stores a field whose name is a string; key is its LValue. No metatable has a say.
//
// As in Lua, the assignment of nil to a field that is not there takes room like any other.
func setString(m *tableMirror, name string, key, v lua.LValue) {
	n := len(m.strdict)
	if wordsOf(&v).word == nilWord {
		delete(m.strdict, name)
		if len(m.strdict) != n {
			return
		}
	} else {
		if m.strdict == nil {
			m.strdict = make(map[string]lua.LValue)
		}
		if m.strdict[name] = v; len(m.strdict) == n {
			return
		}
	}
	if live := n + len(m.dict); !m.hasKey(key, live) {
		if len(m.keys) == cap(m.keys) {
			m.rehash(0, live+1)
		}
		m.keys = append(m.keys, key)
	}
}

// setOther stores a field whose key is neither a string nor an index of the array.
func setOther(m *tableMirror, key, v lua.LValue) {
	x, isNumber := key.(lua.LNumber)
	if isNumber && x != x {
		return // nobody could find it
	}
	isNil := wordsOf(&v).word == nilWord
	if _, ok := m.dict[key]; ok {
		if isNil {
			delete(m.dict, key)
			return
		}
	} else if live := len(m.strdict) + len(m.dict); !m.hasKey(key, live) {
		if len(m.keys) == cap(m.keys) {
			i := int(x)
			if !isNumber || i < 1 || i > maxArray || lua.LNumber(i) != x {
				i = 0
			}
			if m.rehash(i, live+1); i > 0 && i <= len(m.array) {
				m.array[i-1] = v
				return
			}
		}
		m.keys = append(m.keys, key)
	}
	if isNil {
		return
	}
	if m.dict == nil {
		m.dict = make(map[lua.LValue]lua.LValue)
	}
	m.dict[key] = v
}

// hasKey tells whether a key that has no value is in the list nevertheless, from before it was deleted; live is the number of fields.
func (m *tableMirror) hasKey(key lua.LValue, live int) bool {
	if len(m.keys) == live {
		return false
	}
	m.indexKeys()
	_, ok := m.k2i[key]
	return ok
}

const (
	maxArrayBits = 26 // of the largest index that may be in an array, as in Lua 5.1
	maxArray     = 1 << maxArrayBits
)

// rehash gives array and fields new sizes before a key is added: i if it is an index, 0 if not. total is the number of fields, the new one
// included. The array gets the largest power of two of
// which more than half is in use (the rule of Lua 5.1), and deleted keys go.
func (m *tableMirror) rehash(i, total int) {
	var uses [maxArrayBits + 1]int // of indexes above 2^(n-1) up to 2^n
	use := func(i int) { uses[bits.Len(uint(i-1))]++ }
	indexes := 0
	for n, j := 0, 0; j < len(m.array); n++ {
		for end := min(1<<n, len(m.array)); j < end; j++ {
			if wordsOf(&m.array[j]).word != nilWord {
				uses[n]++
				indexes++
			}
		}
	}
	total += indexes
	for k := range m.dict {
		if x, ok := k.(lua.LNumber); ok {
			if j := int(x); j >= 1 && j <= maxArray && lua.LNumber(j) == x {
				use(j)
				indexes++
			}
		}
	}
	if i > 0 {
		use(i)
		indexes++
	} else if len(m.array) == 0 && indexes == 0 {
		m.resize(0, total) // a record: most tables are
		return
	}
	size, inArray, seen := 0, 0, 0
	for n, p := 0, 1; p/2 < indexes && n < len(uses); n, p = n+1, p*2 {
		if seen += uses[n]; uses[n] > 0 && seen > p/2 {
			size, inArray = p, seen
		}
		if seen == indexes {
			break
		}
	}
	m.resize(size, total-inArray)
}

// resize makes the array that long, and room for that many fields.
func (m *tableMirror) resize(size, fields int) {
	if fields > 0 {
		fields = 1 << bits.Len(uint(fields-1))
	}
	old := m.array
	if size > len(old) {
		if size <= cap(old) {
			m.array = old[:size]
		} else {
			room := size
			if size < 64 {
				room = max(4, 2*size) // small arrays grow often
			}
			m.array = make([]lua.LValue, size, room)
			copy(m.array, old)
		}
		for i := len(old); i < size; i++ {
			m.array[i] = lua.LNil
		}
	} else if size < len(old) {
		m.array = old[:size:size]
	}
	keys := make([]lua.LValue, 0, fields)
	for _, k := range m.keys {
		v, ok := m.field(k)
		if !ok {
			continue
		}
		if x, isNumber := k.(lua.LNumber); isNumber {
			if i := int(x); i >= 1 && i <= size && lua.LNumber(i) == x {
				m.array[i-1] = v
				delete(m.dict, k)
				continue
			}
		}
		keys = append(keys, k)
	}
	for i := size; i < len(old); i++ {
		if v := old[i]; wordsOf(&v).word != nilWord {
			k := lua.LValue(lua.LNumber(i + 1))
			if m.dict == nil {
				m.dict = make(map[lua.LValue]lua.LValue)
			}
			m.dict[k] = v
			keys = append(keys, k)
		}
	}
	m.keys = keys
	clear(m.k2i)
}

// grow makes the array at least that long, as a constructor does.
func (m *tableMirror) grow(size int) {
	if size > len(m.array) {
		m.resize(size, cap(m.keys))
	}
}

// indexKeys completes the map of places.
func (m *tableMirror) indexKeys() {
	if m.k2i == nil {
		m.k2i = make(map[lua.LValue]int, len(m.keys))
	}
	for i := len(m.k2i); i < len(m.keys); i++ {
		m.k2i[m.keys[i]] = i
	}
}

// field finds a field that is not in the array.
func (m *tableMirror) field(key lua.LValue) (v lua.LValue, ok bool) {
	if s, isString := key.(lua.LString); isString {
		v, ok = m.strdict[string(s)]
	} else {
		v, ok = m.dict[key]
	}
	return v, ok
}

// rawSet stores a value; no metatable has a say.
func rawSet(t *lua.LTable, key, v lua.LValue) {
	switch k := key.(type) {
	case lua.LString:
		setString(tableOf(t), string(k), key, v)
	case lua.LNumber:
		if i := int(k); i >= 1 && lua.LNumber(i) == k {
			setIndex(tableOf(t), i, key, v)
			return
		}
		setOther(tableOf(t), key, v)
	default:
		setOther(tableOf(t), key, v)
	}
}

// rawSetInt is rawSet for an index from 1 on.
func rawSetInt(t *lua.LTable, i int, v lua.LValue) {
	if m := tableOf(t); i <= len(m.array) {
		m.array[i-1] = v
	} else {
		setOther(m, lua.LNumber(i), v)
	}
}

// setIndex stores a value at an index from 1 on; key is the index as an LValue.
func setIndex(m *tableMirror, i int, key, v lua.LValue) {
	if i <= len(m.array) {
		m.array[i-1] = v
	} else {
		setOther(m, key, v)
	}
}

// length is Lua's #: an index that has a value and behind which there is none; which one it is with holes depends on the array's size.
func length(t *lua.LTable) int {
	m := tableOf(t)
	i, j := 0, len(m.array)
	if j == 0 || wordsOf(&m.array[j-1]).word != nilWord {
		if len(m.dict) == 0 {
			return j
		}
		for i, j = j, j+1; rawGetInt(t, j) != lua.LNil; {
			if i, j = j, j*2; j > math.MaxInt32 {
				for i = 1; rawGetInt(t, i) != lua.LNil; i++ { // somebody wants to make it slow: it is
				}
				return i - 1
			}
		}
	}
	for j-i > 1 {
		if k := (i + j) / 2; rawGetInt(t, k) == lua.LNil {
			j = k
		} else {
			i = k
		}
	}
	return i
}

// rawGet reads a value; no metatable has a say.
func rawGet(t *lua.LTable, key lua.LValue) lua.LValue {
	m := tableOf(t)
	if x, ok := key.(lua.LNumber); ok {
		if i := int(x) - 1; uint(i) < uint(len(m.array)) && lua.LNumber(i+1) == x {
			return m.array[i]
		}
	}
	if v, ok := m.field(key); ok {
		return v
	}
	return lua.LNil
}

// rawGetInt is rawGet for an index.
func rawGetInt(t *lua.LTable, i int) lua.LValue {
	m := tableOf(t)
	if uint(i-1) < uint(len(m.array)) {
		return m.array[i-1]
	}
	if len(m.dict) > 0 {
		if v, ok := m.dict[lua.LNumber(i)]; ok {
			return v
		}
	}
	return lua.LNil
}

// rawSetString is rawSet for a key that Go code names.
func rawSetString(t *lua.LTable, name string, v lua.LValue) {
	setString(tableOf(t), name, lua.LString(name), v)
}

// cursor is the position of an iteration: what next found last, and where in the list of keys.
type cursor struct {
	table *tableMirror
	index int
}

// next finds the element behind a key, the first behind nil. At the end k is nil; ok is false if the table has no such key.
func (p *cursor) next(t *lua.LTable, key lua.LValue) (k, v lua.LValue, ok bool) {
	m := tableOf(t)
	i, j := 0, 0
	switch x := key.(type) {
	case *lua.LNilType:
	case lua.LNumber:
		n := int(x)
		if n >= 1 && n <= len(m.array) && lua.LNumber(n) == x {
			i = n
			break
		}
		i, j = len(m.array), p.after(m, key)
	default:
		i, j = len(m.array), p.after(m, key)
	}
	if j < 0 {
		return nil, nil, false
	}
	for ; i < len(m.array); i++ {
		if v := m.array[i]; wordsOf(&v).word != nilWord {
			return lua.LNumber(i + 1), v, true
		}
	}
	for ; j < len(m.keys); j++ {
		if v, ok := m.field(m.keys[j]); ok {
			p.table, p.index = m, j
			return m.keys[j], v, true
		}
	}
	return lua.LNil, lua.LNil, true
}

// iterate makes one step of a loop over pairs or ipairs. r holds the control variable and then the loop's own; it returns false at the end.
func (e *Engine) iterate(l *lua.LState, t *lua.LTable, fn *lua.LFunction, r []lua.LValue) bool {
	m := tableOf(t)
	var k, v lua.LValue
	if n, ok := r[0].(lua.LNumber); ok && (n >= 1 || fn == e.inext) && uint(int(n)) < uint(len(m.array)) && lua.LNumber(int(n)) == n && wordsOf(&m.array[int(n)]).word != nilWord {
		k, v = e.number(float64(n)+1), m.array[int(n)]
	} else if fn == e.inext {
		k, v = lua.LNil, lua.LNil
	} else if k, v, ok = e.cursor.next(t, r[0]); !ok {
		l.Error(lua.LString("invalid key to 'next'"), 0)
	}
	r[1], r[2] = k, v
	for i := 3; i < len(r); i++ {
		r[i] = lua.LNil
	}
	if wordsOf(&k).word == nilWord {
		return false
	}
	r[0] = k
	return true
}

// after is the place behind a key in the list, -1 if it is not there.
func (p *cursor) after(m *tableMirror, key lua.LValue) int {
	if p.table == m && p.index < len(m.keys) && m.keys[p.index] == key {
		return p.index + 1
	}
	m.indexKeys()
	if i, ok := m.k2i[key]; ok {
		return i + 1
	}
	return -1
}

// elements iterates over a table, the array first, then the fields in the order of their insertion.
func elements(t *lua.LTable) iter.Seq2[lua.LValue, lua.LValue] {
	m := tableOf(t)
	return func(yield func(k, v lua.LValue) bool) {
		for i := 0; i < len(m.array); i++ {
			if v := m.array[i]; wordsOf(&v).word != nilWord && !yield(lua.LNumber(i+1), v) {
				return
			}
		}
		for j := 0; j < len(m.keys); j++ {
			if v, ok := m.field(m.keys[j]); ok && !yield(m.keys[j], v) {
				return
			}
		}
	}
}

// count is the number of a table's elements.
func count(t *lua.LTable) int {
	m := tableOf(t)
	n := len(m.strdict) + len(m.dict)
	for i := range m.array {
		if wordsOf(&m.array[i]).word != nilWord {
			n++
		}
	}
	return n
}
