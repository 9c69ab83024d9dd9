package scripting

import (
	"math/bits"

	lua "github.com/yuin/gopher-lua"
)

// What scripts make, used again.
//
// Nothing that a script makes can be reached when it has ended (see arguments.go), so the tables, arrays and numbers that it made are the next
// script's: the interpreter takes them from a pool that is given back as a whole. A script that makes more than the pool holds gets the rest
// from Go's heap, as do functions of libraries, which may keep what they make.

// pool is what one script may take before the heap serves it.
type pool struct {
	on      bool // a script runs; not a function
	short   bool // it wanted more
	values  []lua.LValue
	tables  []lua.LTable
	numbers []float64

	usedValues, usedTables, usedNumbers int
}

const (
	firstPool = 256 // elements of arrays in a new pool; of tables and numbers there are fewer
	lastPool  = 1 << 13
)

// begin opens the pool to a script.
func (p *pool) begin() {
	if n := len(p.values); n == 0 || p.short && n < lastPool {
		n = min(max(firstPool, 4*n), lastPool)
		p.values, p.tables, p.numbers = make([]lua.LValue, n), make([]lua.LTable, n/16), make([]float64, n/2)
	}
	p.on, p.short = true, false
}

// end takes back what the script had.
func (p *pool) end() {
	clear(p.values[:p.usedValues])
	clear(p.tables[:p.usedTables])
	p.usedValues, p.usedTables, p.usedNumbers = 0, 0, 0
	p.on = false
}

// array makes a slice of n nils of Go, with room for more.
func (p *pool) array(n, room int) []lua.LValue {
	if from := p.usedValues; p.on && room <= len(p.values)-from {
		p.usedValues += room
		return p.values[from : from+n : from+room]
	}
	p.short = true
	return make([]lua.LValue, n, room)
}

// table makes an empty table.
func (p *pool) table() (t *lua.LTable) {
	if p.on && p.usedTables < len(p.tables) {
		t = &p.tables[p.usedTables]
		p.usedTables++
	} else {
		p.short = true
		t = &lua.LTable{}
	}
	t.Metatable = lua.LNil
	return t
}

// appendTo puts a value behind the last of an array without holes, when only that array has to grow. It returns false, with nothing done, if
// the table is another.
func (p *pool) appendTo(m *tableMirror, v lua.LValue) bool {
	n := len(m.array)
	if len(m.dict) != 0 || len(m.keys) != cap(m.keys) || len(m.keys) != len(m.strdict) || n >= maxArray || wordsOf(&v).word == nilWord {
		return false
	}
	for i := range m.array {
		if wordsOf(&m.array[i]).word == nilWord {
			return false
		}
	}
	size := 1 << bits.Len(uint(n)) // the least power of two with a place for it
	if size <= cap(m.array) {
		m.array = m.array[:size]
	} else {
		room := size
		if size < 64 {
			room = max(4, 2*size) // small arrays grow often
		}
		array := p.array(size, room)
		copy(array, m.array)
		m.array = array
	}
	m.array[n] = v
	for i := n + 1; i < size; i++ {
		m.array[i] = lua.LNil
	}
	return true
}
