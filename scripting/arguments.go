package scripting

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// KEYS and ARGV without garbage.
//
// A script leaves nothing behind that could hold its arguments: its globals are read-only, and what it made is out of reach when it ends. So the
// two tables, the values in them and the bytes of these are used again for the next script. (The functions of a library may keep what they were
// called with, in an upvalue: they get tables of their own.)

// arguments are KEYS and ARGV of the engine's scripts.
type arguments struct {
	keys, argv *lua.LTable
	strings    []lua.LString // to which the values in the tables refer
	bytes      []byte        // to which the strings refer
}

const (
	keptArguments     = 1 << 10 // strings that are kept for the next script
	keptArgumentBytes = 1 << 16
)

// fill puts the arguments of a script into the tables.
func (a *arguments) fill(keys, argv [][]byte) {
	total := 0
	for _, list := range [2][][]byte{keys, argv} {
		for _, b := range list {
			total += len(b)
		}
	}
	if cap(a.bytes) < total {
		a.bytes = make([]byte, 0, max(total, 1<<10))
	}
	if n := len(keys) + len(argv); cap(a.strings) < n {
		a.strings = make([]lua.LString, 0, max(n, 16))
	}
	a.bytes, a.strings = a.bytes[:0], a.strings[:0]
	a.put(a.keys, keys)
	a.put(a.argv, argv)
}

// put fills one table. Neither buffer moves: there is room.
func (a *arguments) put(t *lua.LTable, list [][]byte) {
	m := tableOf(t)
	array := m.array
	if cap(array) < len(list) {
		array = make([]lua.LValue, 0, max(len(list), 8))
	}
	array = array[:len(list)]
	for i, b := range list {
		from := len(a.bytes)
		a.bytes = append(a.bytes, b...)
		a.strings = append(a.strings, lua.LString(unsafe.String(unsafe.SliceData(a.bytes[from:]), len(b))))
		w := wordsOf(&array[i])
		w.tab, w.word = stringTab, unsafe.Pointer(&a.strings[len(a.strings)-1])
	}
	m.array = array
}

// empty clears the tables of everything a script put there, and gives back what was large.
func (a *arguments) empty() {
	for _, t := range [2]*lua.LTable{a.keys, a.argv} {
		m := tableOf(t)
		clear(m.array)
		array := m.array[:0]
		if cap(array) > keptArguments {
			array = nil
		}
		*m = tableMirror{Metatable: lua.LNil, array: array}
	}
	if cap(a.bytes) > keptArgumentBytes {
		a.bytes = nil
	}
	if cap(a.strings) > keptArguments {
		a.strings = nil
	}
}

// newArguments makes tables of arguments that may be kept: four blocks for both.
func newArguments(keys, argv [][]byte) (k, v *lua.LTable) {
	total, n := 0, len(keys)+len(argv)
	for _, list := range [2][][]byte{keys, argv} {
		for _, b := range list {
			total += len(b)
		}
	}
	tables := new([2]lua.LTable)
	values := make([]lua.LValue, n)
	a := arguments{keys: &tables[0], argv: &tables[1], bytes: make([]byte, 0, total), strings: make([]lua.LString, 0, n)}
	a.keys.Metatable, a.argv.Metatable = lua.LNil, lua.LNil
	tableOf(a.keys).array = values[:0:len(keys)]
	tableOf(a.argv).array = values[len(keys):len(keys):n]
	a.fill(keys, argv)
	return a.keys, a.argv
}
