package scripting

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// The struct library: values packed as C lays them out, by a format string.
//
//	> < =   byte order      !n  alignment       x   padding
//	b B h H i[n] I[n] l L T  integers            f d  floats
//	s  string up to a NUL    c[n]  n bytes (c0: as many as the number before says)

// packOption is one item of a format.
type packOption struct {
	op      byte
	size    int
	toAlign int
	big     bool
}

type packFormat struct {
	l     *lua.LState
	name  string
	f     string
	big   bool
	align int
	total int
}

func (p *packFormat) number(def int) int {
	if p.f == "" || p.f[0] < '0' || p.f[0] > '9' {
		return def
	}
	n := 0
	for p.f != "" && p.f[0] >= '0' && p.f[0] <= '9' {
		if n > (math.MaxInt32-9)/10 {
			raise(p.l, "integral size overflow")
		}
		n = n*10 + int(p.f[0]-'0')
		p.f = p.f[1:]
	}
	return n
}

// next takes one option off the format.
func (p *packFormat) next() (packOption, bool) {
	for p.f != "" {
		o := packOption{op: p.f[0]}
		p.f = p.f[1:]
		switch o.op {
		case ' ':
			continue
		case '>':
			p.big = true
			continue
		case '<', '=':
			p.big = false
			continue
		case '!':
			a := p.number(8)
			if a == 0 || a&(a-1) != 0 {
				raise(p.l, "alignment %d is not a power of 2", a)
			}
			p.align = a
			continue
		case 'b', 'B', 'x':
			o.size = 1
		case 'h', 'H':
			o.size = 2
		case 'l', 'L', 'T', 'd':
			o.size = 8
		case 'f':
			o.size = 4
		case 'i', 'I':
			if o.size = p.number(4); o.size > 32 {
				raise(p.l, "integral size %d is larger than limit of %d", o.size, 32)
			}
		case 'c':
			o.size = p.number(1)
		case 's':
		default:
			argError(p.l, 1, "invalid format option '"+string([]byte{o.op})+"'")
		}
		if a := min(o.size, p.align); a > 1 && o.op != 'c' && a&(a-1) == 0 {
			o.toAlign = (a - p.total&(a-1)) & (a - 1)
		}
		o.big = p.big
		return o, true
	}
	return packOption{}, false
}

func (e *Engine) openStruct() *lua.LTable {
	t := e.l.NewTable()
	set := func(name string, fn lua.LGFunction) { rawSetString(t, name, e.fn(fn)) }
	set("pack", e.structPack)
	set("unpack", e.structUnpack)
	set("size", func(l *lua.LState) int {
		p := &packFormat{l: l, name: "size", f: checkString(l, 1), align: 1}
		for o, ok := p.next(); ok; o, ok = p.next() {
			if o.op == 's' {
				argError(l, 1, "option 's' has no fixed size")
			}
			if o.op == 'c' && o.size == 0 {
				argError(l, 1, "variable-length format in sizeof")
			}
			p.total += o.toAlign + o.size
		}
		return pushNumber(l, float64(p.total))
	})
	return t
}

func (e *Engine) structPack(l *lua.LState) int {
	p := &packFormat{l: l, name: "pack", f: checkString(l, 1), align: 1}
	var b []byte
	arg := 2
	for o, ok := p.next(); ok; o, ok = p.next() {
		e.charge(l, o.size+o.toAlign)
		b = append(b, make([]byte, o.toAlign)...)
		p.total += o.toAlign
		from := len(b)
		switch o.op {
		case 'x':
			b = append(b, 0)
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			f := packNumber(l, arg)
			arg++
			u := uint64(truncate(f))
			if f >= 9223372036854775808 && f < 18446744073709551616 {
				u = uint64(f)
			}
			sign := byte(0)
			if f < 0 {
				sign = 0xff
			}
			b = append(b, make([]byte, o.size)...)
			for i := range o.size {
				v := sign
				if i < 8 {
					v = byte(u >> (8 * i))
				}
				if o.big {
					b[from+o.size-1-i] = v
				} else {
					b[from+i] = v
				}
			}
		case 'f':
			v := math.Float32bits(float32(packNumber(l, arg)))
			arg++
			if o.big {
				b = binary.BigEndian.AppendUint32(b, v)
			} else {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
		case 'd':
			v := math.Float64bits(packNumber(l, arg))
			arg++
			if o.big {
				b = binary.BigEndian.AppendUint64(b, v)
			} else {
				b = binary.LittleEndian.AppendUint64(b, v)
			}
		case 'c', 's':
			if l.GetTop() < arg {
				argError(l, arg, "string expected, got nil")
			}
			s := checkString(l, arg)
			n := o.size
			if n == 0 {
				n = len(s)
			}
			arg++
			if len(s) < n {
				argError(l, arg, "string too short")
			}
			b = append(b, s[:n]...)
			if o.op == 's' {
				b = append(b, 0)
			}
		}
		p.total += len(b) - from
	}
	return pushString(l, string(b))
}

func (e *Engine) structUnpack(l *lua.LState) int {
	p := &packFormat{l: l, name: "unpack", f: checkString(l, 1), align: 1}
	data := checkString(l, 2)
	pos := optInt(l, 3, 1) - 1
	if pos < 0 {
		argError(l, 3, "offset must be 1 or greater")
	}
	n := 0
	for o, ok := p.next(); ok; o, ok = p.next() {
		pos += o.toAlign
		if pos > len(data) || o.size > len(data)-pos {
			argError(l, 2, "data string too short")
		}
		size := o.size
		if o.op != 'x' {
			n++
		}
		switch o.op {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			var u uint64
			for i := range size {
				c := data[pos+i]
				if !o.big {
					c = data[pos+size-1-i]
				}
				u = u<<8 | uint64(c)
			}
			signed := o.op >= 'a'
			switch {
			case signed && size < 8:
				shift := 64 - 8*uint(size)
				pushNumber(l, float64(int64(u<<shift)>>shift))
			case signed:
				pushNumber(l, float64(int64(u)))
			default:
				pushNumber(l, float64(u))
			}
		case 'f':
			v := binary.LittleEndian.Uint32([]byte(data[pos : pos+4]))
			if o.big {
				v = binary.BigEndian.Uint32([]byte(data[pos : pos+4]))
			}
			pushNumber(l, float64(math.Float32frombits(v)))
		case 'd':
			v := binary.LittleEndian.Uint64([]byte(data[pos : pos+8]))
			if o.big {
				v = binary.BigEndian.Uint64([]byte(data[pos : pos+8]))
			}
			pushNumber(l, math.Float64frombits(v))
		case 'c':
			if size == 0 {
				f, ok := l.Get(-1).(lua.LNumber)
				if n < 2 || !ok {
					raise(l, "format 'c0' needs a previous size")
				}
				l.Pop(1)
				n--
				if f < 0 || int64(f) > int64(len(data)-pos) {
					argError(l, 2, "data string too short")
				}
				size = int(f)
			}
			pushString(l, data[pos:pos+size])
		case 's':
			for pos+size < len(data) && data[pos+size] != 0 {
				size++
			}
			if pos+size >= len(data) {
				raise(l, "unfinished string in data")
			}
			pushString(l, data[pos:pos+size])
			size++
		}
		pos += size
		p.total = pos
	}
	return n + pushNumber(l, float64(pos+1))
}

// packNumber is a number argument of pack, which finds a nil of its own behind the last.
func packNumber(l *lua.LState, n int) float64 {
	if l.GetTop() < n {
		argError(l, n, "number expected, got nil")
	}
	return checkNumber(l, n)
}
