package scripting

// What the machine keeps to itself, seen from outside.
//
// gopher-lua's state, frames, registers and tables have unexported fields. The interpreter of this package (interpreter.go) works on them
// directly, through the structures below, which have the same layout. An init function compares every field's name, offset and size with
// the library's own types: another version of the library that lays them out otherwise ends the process at its start, with the field's
// name, and never corrupts memory.

import (
	"fmt"
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

type frame struct {
	Idx        int
	Fn         *lua.LFunction
	Parent     *frame
	Pc         int
	Base       int
	LocalBase  int
	ReturnBase int
	NArgs      int
	NRet       int
	TailCall   int
}

type registers struct {
	array   []lua.LValue
	top     int
	growBy  int
	maxSize int
	alloc   unsafe.Pointer
	handler [2]unsafe.Pointer
}

// Fields that only hold their place.
var _ = registers{growBy: 0, maxSize: 0, alloc: nil, handler: [2]unsafe.Pointer{}}

type stateMirror struct {
	G       *lua.Global
	Parent  *lua.LState
	Env     *lua.LTable
	Panic   func(*lua.LState)
	Dead    bool
	Options lua.Options

	stop         int32
	reg          *registers
	stack        [2]unsafe.Pointer
	alloc        unsafe.Pointer
	currentFrame *frame
	wrapped      bool
	uvcache      unsafe.Pointer
	hasErrorFunc bool
	mainLoop     loopFunc
	ctx          [2]unsafe.Pointer
	ctxCancelFn  func()
}

type tableMirror struct {
	Metatable lua.LValue

	array   []lua.LValue
	dict    map[lua.LValue]lua.LValue
	strdict map[string]lua.LValue
	keys    []lua.LValue
	k2i     map[lua.LValue]int
}

// loopFunc executes the function on top of a state's stack, and what it calls, until the frame base (nil: the whole stack) has returned.
type loopFunc func(l *lua.LState, base *frame)

type instruction func(l *lua.LState, inst uint32, base *frame) int

//go:linkname jumpTable github.com/yuin/gopher-lua.jumpTable
var jumpTable [lua.OP_NOP + 1]instruction

func mirrorOf(l *lua.LState) *stateMirror { return (*stateMirror)(unsafe.Pointer(l)) }

func tableOf(t *lua.LTable) *tableMirror { return (*tableMirror)(unsafe.Pointer(t)) }

func init() {
	ls := reflect.TypeFor[lua.LState]()
	sameLayout(ls, reflect.TypeFor[stateMirror]())
	sameLayout(reflect.TypeFor[lua.LTable](), reflect.TypeFor[tableMirror]())
	field := func(name string) reflect.Type {
		f, ok := ls.FieldByName(name)
		if !ok {
			panic("scripting: gopher-lua's LState has no field " + name)
		}
		return f.Type.Elem()
	}
	sameLayout(field("reg"), reflect.TypeFor[registers]())
	sameLayout(field("currentFrame"), reflect.TypeFor[frame]())
}

// sameLayout panics unless both structures have the same fields at the same places.
func sameLayout(theirs, ours reflect.Type) {
	if theirs.NumField() != ours.NumField() || theirs.Size() != ours.Size() {
		panic(fmt.Sprintf("scripting: gopher-lua's %v is not laid out as expected: %d fields, %d bytes", theirs, theirs.NumField(), theirs.Size()))
	}
	for i := range theirs.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != b.Name || a.Offset != b.Offset || a.Type.Size() != b.Type.Size() {
			panic(fmt.Sprintf("scripting: gopher-lua's %v is not laid out as expected: %s at %d, not %s at %d", theirs, a.Name, a.Offset, b.Name, b.Offset))
		}
	}
}

// iface is an interface value's two words.
type iface struct{ tab, word unsafe.Pointer }

func wordsOf(v *lua.LValue) *iface { return (*iface)(unsafe.Pointer(v)) }

// numberTab is the first word of every LValue that holds a number, stringTab of every one that holds a string; nilWord the second of LNil.
var (
	numberTab = func() unsafe.Pointer { v := lua.LValue(lua.LNumber(1)); return wordsOf(&v).tab }()
	stringTab = func() unsafe.Pointer { v := lua.LValue(lua.LString("")); return wordsOf(&v).tab }()
	nilWord   = func() unsafe.Pointer { v := lua.LValue(lua.LNil); return wordsOf(&v).word }()
)

// Numbers in registers are pointers to floats. Small integers share theirs; others come from pages, one allocation for many.

const (
	smallNumbers = 1024
	boxPage      = 64
)

var smallNumber = func() (v [smallNumbers]float64) {
	for i := range v {
		v[i] = float64(i)
	}
	return
}()

// boxes hands out places for numbers. A number that a script keeps holds its page.
type boxes struct {
	page []float64
}

// number makes a Lua value of a number.
func (e *Engine) number(f float64) (v lua.LValue) {
	w := wordsOf(&v)
	w.tab = numberTab
	if i := int(f); uint(i) < smallNumbers && float64(i) == f && (i != 0 || 1/f > 0) {
		w.word = unsafe.Pointer(&smallNumber[i])
		return v
	}
	w.word = unsafe.Pointer(e.place(f))
	return v
}

// place stores a number where it may stay as long as anybody wants it.
func (e *Engine) place(f float64) (p *float64) {
	if i := e.pool.usedNumbers; e.pool.on && i < len(e.pool.numbers) {
		p = &e.pool.numbers[i]
		e.pool.usedNumbers++
	} else {
		if len(e.boxes.page) == 0 {
			e.boxes.page = make([]float64, boxPage)
			e.pool.short = true
		}
		p = &e.boxes.page[0]
		e.boxes.page = e.boxes.page[1:]
	}
	*p = f
	return p
}
