package scripting

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// The cmsgpack library: MessagePack.

func (e *Engine) openMsgpack() *lua.LTable {
	t := e.l.NewTable()
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("pack", func(l *lua.LState) int {
		n := l.GetTop()
		if n == 0 {
			argError(l, 0, "MessagePack pack needs input.")
		}
		w := packer{e: e, l: l}
		for i := 1; i <= n; i++ {
			w.value(l.Get(i), 0)
		}
		return pushString(l, string(w.b))
	})
	unpack := func(l *lua.LState, name string, limit, offset int, full bool) int {
		s := checkString(l, 1)
		if offset < 0 || limit < 0 {
			raise(l, "Invalid request to unpack with offset of %d and limit of %d.", offset, limit)
		}
		if offset > len(s) {
			raise(l, "Start offset %d greater than input length %d.", offset, len(s))
		}
		r := unpacker{e: e, l: l, s: s, i: offset}
		at := l.GetTop()
		n := 0
		l.Push(lua.LNumber(0))
		if full {
			limit = math.MaxInt
		}
		for ; r.i < len(s) && n < limit; n++ {
			l.Push(r.value(0))
		}
		if full {
			return n
		}
		next := r.i
		if next == len(s) {
			next = -1
		}
		l.Replace(at+1, lua.LNumber(next))
		return n + 1
	}
	set("unpack", func(l *lua.LState) int { return unpack(l, "unpack", 0, 0, true) })
	set("unpack_one", func(l *lua.LState) int { return unpack(l, "unpack_one", 1, optInt(l, 2, 0), false) })
	set("unpack_limit", func(l *lua.LState) int {
		return unpack(l, "unpack_limit", checkInt(l, 2), optInt(l, 3, 0), false)
	})
	for k, v := range map[string]string{
		"_NAME": "cmsgpack", "_VERSION": "lua-cmsgpack 0.4.0", "_COPYRIGHT": "Copyright (C) 2012, Salvatore Sanfilippo",
		"_DESCRIPTION": "MessagePack C implementation for Lua",
	} {
		rawSetString(t, k, lua.LString(v))
	}
	return t
}

// maxPackDepth is where nested tables are cut: the library packs nil below it.
const maxPackDepth = 16

type packer struct {
	e       *Engine
	l       *lua.LState
	b       []byte
	charged int
}

func (w *packer) value(v lua.LValue, depth int) {
	if len(w.b)-w.charged > 1<<16 {
		w.e.charge(w.l, len(w.b)-w.charged)
		w.charged = len(w.b)
	}
	if _, ok := v.(*lua.LTable); ok && depth == maxPackDepth {
		v = lua.LNil
	}
	switch v := v.(type) {
	case lua.LString:
		w.string(string(v))
	case lua.LBool:
		if v {
			w.b = append(w.b, 0xc3)
		} else {
			w.b = append(w.b, 0xc2)
		}
	case lua.LNumber:
		w.number(float64(v))
	case *lua.LTable:
		w.table(v, depth)
	default:
		w.b = append(w.b, 0xc0)
	}
}

func (w *packer) string(s string) {
	switch n := len(s); {
	case n < 32:
		w.b = append(w.b, 0xa0|byte(n))
	case n <= 0xff:
		w.b = append(w.b, 0xd9, byte(n))
	case n <= 0xffff:
		w.b = binary.BigEndian.AppendUint16(append(w.b, 0xda), uint16(n))
	default:
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0xdb), uint32(n))
	}
	w.b = append(w.b, s...)
}

func (w *packer) number(f float64) {
	if f != math.Trunc(f) || f >= 9223372036854775808 || f < -9223372036854775808 {
		if f == float64(float32(f)) {
			w.b = binary.BigEndian.AppendUint32(append(w.b, 0xca), math.Float32bits(float32(f)))
			return
		}
		w.b = binary.BigEndian.AppendUint64(append(w.b, 0xcb), math.Float64bits(f))
		return
	}
	switch n := int64(f); {
	case n >= 0 && n <= 127:
		w.b = append(w.b, byte(n))
	case n >= 0 && n <= 0xff:
		w.b = append(w.b, 0xcc, byte(n))
	case n >= 0 && n <= 0xffff:
		w.b = binary.BigEndian.AppendUint16(append(w.b, 0xcd), uint16(n))
	case n >= 0 && n <= 0xffffffff:
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0xce), uint32(n))
	case n >= 0:
		w.b = binary.BigEndian.AppendUint64(append(w.b, 0xcf), uint64(n))
	case n >= -32:
		w.b = append(w.b, byte(n))
	case n >= -128:
		w.b = append(w.b, 0xd0, byte(n))
	case n >= -32768:
		w.b = binary.BigEndian.AppendUint16(append(w.b, 0xd1), uint16(n))
	case n >= -2147483648:
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0xd2), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, 0xd3), uint64(n))
	}
}

func (w *packer) table(t *lua.LTable, depth int) {
	items, top, array := 0, 0.0, true
	for k := range elements(t) {
		items++
		n, ok := k.(lua.LNumber)
		if !ok || n <= 0 || float64(n) != math.Trunc(float64(n)) {
			array = false
		} else if float64(n) > top {
			top = float64(n)
		}
	}
	if array && top == float64(items) {
		w.head(items, 0x90, 0xdc)
		for i := 1; i <= items; i++ {
			w.value(rawGetInt(t, i), depth+1)
		}
		return
	}
	w.head(items, 0x80, 0xde)
	for k, v := range elements(t) {
		w.value(k, depth+1)
		w.value(v, depth+1)
	}
}

func (w *packer) head(n int, small, big byte) {
	switch {
	case n <= 15:
		w.b = append(w.b, small|byte(n))
	case n <= 0xffff:
		w.b = binary.BigEndian.AppendUint16(append(w.b, big), uint16(n))
	default:
		w.b = binary.BigEndian.AppendUint32(append(w.b, big+1), uint32(n))
	}
}

type unpacker struct {
	e *Engine
	l *lua.LState
	s string
	i int
}

// take returns n bytes, which must be there.
func (r *unpacker) take(n int) string {
	if n > len(r.s)-r.i {
		raise(r.l, "Missing bytes in input.")
	}
	r.i += n
	return r.s[r.i-n : r.i]
}

func (r *unpacker) uint(n int) uint64 {
	var u uint64
	for _, c := range []byte(r.take(n)) {
		u = u<<8 | uint64(c)
	}
	return u
}

func (r *unpacker) value(depth int) lua.LValue {
	if depth > 1000 {
		raise(r.l, "too many nested data structures")
	}
	switch c := r.take(1)[0]; {
	case c < 0x80:
		return lua.LNumber(c)
	case c >= 0xe0:
		return lua.LNumber(int8(c))
	case c < 0x90:
		return r.object(int(c&15), depth)
	case c < 0xa0:
		return r.array(int(c&15), depth)
	case c < 0xc0:
		return r.text(int(c & 31))
	case c == 0xc0:
		return lua.LNil
	case c == 0xc2:
		return lua.LFalse
	case c == 0xc3:
		return lua.LTrue
	case c >= 0xc4 && c <= 0xc6:
		return r.text(int(r.uint(1 << (c - 0xc4))))
	case c == 0xca:
		return lua.LNumber(math.Float32frombits(uint32(r.uint(4))))
	case c == 0xcb:
		return lua.LNumber(math.Float64frombits(r.uint(8)))
	case c >= 0xcc && c <= 0xcf:
		return lua.LNumber(r.uint(1 << (c - 0xcc)))
	case c == 0xd0:
		return lua.LNumber(int8(r.uint(1)))
	case c == 0xd1:
		return lua.LNumber(int16(r.uint(2)))
	case c == 0xd2:
		return lua.LNumber(int32(r.uint(4)))
	case c == 0xd3:
		return lua.LNumber(int64(r.uint(8)))
	case c == 0xd9:
		return r.text(int(r.uint(1)))
	case c == 0xda:
		return r.text(int(r.uint(2)))
	case c == 0xdb:
		return r.text(int(r.uint(4)))
	case c == 0xdc:
		return r.array(int(r.uint(2)), depth)
	case c == 0xdd:
		return r.array(int(r.uint(4)), depth)
	case c == 0xde:
		return r.object(int(r.uint(2)), depth)
	case c == 0xdf:
		return r.object(int(r.uint(4)), depth)
	}
	raise(r.l, "Bad data format in input.")
	return nil
}

func (r *unpacker) text(n int) lua.LValue { return lua.LString(r.take(n)) }

func (r *unpacker) array(n, depth int) lua.LValue {
	t := r.l.NewTable()
	for i := 1; i <= n; i++ {
		rawSetInt(t, i, r.value(depth+1))
		r.e.charge(r.l, 32)
	}
	return t
}

func (r *unpacker) object(n, depth int) lua.LValue {
	t := r.l.NewTable()
	for range n {
		k := r.value(depth + 1)
		v := r.value(depth + 1)
		r.e.charge(r.l, 100)
		if k == lua.LNil {
			raise(r.l, "table index is nil")
		}
		rawSet(t, k, v)
	}
	return t
}
