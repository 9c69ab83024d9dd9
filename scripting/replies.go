package scripting

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Replies, both ways.
//
//	RESP → Lua              Lua → RESP
//	:n       number         number    :n, truncated
//	$ bulk   string         string    $
//	$-1 *-1  false          false     null     (RESP3: #f becomes false, _ nil)
//	+ -      {ok=} {err=}   true      :1       (RESP3 after setresp(3): #t)
//	* ~ %    table, {set=}, {map=}     table: err, ok, double, map, set, big_number, verbatim_string, else an array up to its first nil

// toLua makes a Lua value of one reply and returns what follows it. The bytes come from our own writers: anything else is a bug.
func (e *Engine) toLua(b []byte) (lua.LValue, []byte) {
	kind := b[0]
	i := 1
	for b[i] != '\r' {
		i++
	}
	line, rest := b[1:i], b[i+2:]
	switch kind {
	case ':':
		return lua.LNumber(parseInt(line)), rest
	case '$':
		n := parseInt(line)
		if n < 0 {
			return lua.LFalse, rest
		}
		return lua.LString(rest[:n]), rest[n+2:]
	case '+':
		t := e.l.CreateTable(0, 1)
		rawSetString(t, "ok", lua.LString(line))
		return t, rest
	case '-':
		return e.errorTable(string(line)), rest
	case '*', '>':
		n := parseInt(line)
		if n < 0 {
			return lua.LFalse, rest
		}
		t := e.l.CreateTable(int(n), 0)
		for j := 1; j <= int(n); j++ {
			var v lua.LValue
			v, rest = e.toLua(rest)
			rawSetInt(t, j, v)
		}
		return t, rest
	case '%', '~':
		inner, outer := e.l.CreateTable(0, 8), e.l.CreateTable(0, 1)
		for range parseInt(line) {
			var k lua.LValue
			k, rest = e.toLua(rest)
			v := lua.LValue(lua.LTrue)
			if kind == '%' {
				v, rest = e.toLua(rest)
			}
			if k != lua.LNil {
				rawSet(inner, k, v)
			}
		}
		if kind == '%' {
			rawSetString(outer, "map", inner)
		} else {
			rawSetString(outer, "set", inner)
		}
		return outer, rest
	case '_':
		return lua.LNil, rest
	case '#':
		return lua.LBool(line[0] == 't'), rest
	case ',':
		t := e.l.CreateTable(0, 1)
		f, _ := strconv.ParseFloat(string(line), 64)
		rawSetString(t, "double", lua.LNumber(f))
		return t, rest
	case '(':
		t := e.l.CreateTable(0, 1)
		rawSetString(t, "big_number", lua.LString(line))
		return t, rest
	case '=':
		n := parseInt(line)
		v := e.l.CreateTable(0, 2)
		rawSetString(v, "format", lua.LString(rest[:3]))
		rawSetString(v, "string", lua.LString(rest[4:n]))
		t := e.l.CreateTable(0, 1)
		rawSetString(t, "verbatim_string", v)
		return t, rest[n+2:]
	}
	panic("scripting: no such reply: " + string(b))
}

// errorTable is the Lua form of an error reply.
func (e *Engine) errorTable(text string) *lua.LTable {
	t := e.l.CreateTable(0, 2)
	rawSetString(t, "err", lua.LString(text))
	rawSetString(t, "ignore_error_stats_update", lua.LTrue)
	return t
}

func parseInt(b []byte) int64 {
	neg := false
	var n int64
	for i, c := range b {
		if i == 0 && c == '-' {
			neg = true
			continue
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		return -n
	}
	return n
}

// appendResult appends a script's result. failed tells whether it is an error.
func (e *Engine) appendResult(dst []byte, v lua.LValue, proto int) (out []byte, failed bool) {
	if t, ok := v.(*lua.LTable); ok {
		if _, ok := t.RawGetString("err").(lua.LString); ok {
			failed = true
		}
	}
	return e.appendValue(dst, v, proto, 0), failed
}

// maxReplyDepth bounds the nesting of a result: a table may contain itself.
const maxReplyDepth = 1000

func (e *Engine) appendValue(dst []byte, v lua.LValue, proto, depth int) []byte {
	switch v := v.(type) {
	case lua.LString:
		return resp.AppendBulkString(dst, string(v))
	case lua.LNumber:
		return resp.AppendInt(dst, truncate(float64(v)))
	case lua.LBool:
		if e.proto == 3 {
			return resp.AppendBool(dst, proto, bool(v))
		}
		if v {
			return resp.AppendInt(dst, 1)
		}
		return resp.AppendNull(dst, proto)
	case *lua.LTable:
		return e.appendTable(dst, v, proto, depth)
	}
	return resp.AppendNull(dst, proto)
}

// truncate is C's conversion of a double to a long long on the machines Redis runs on.
func truncate(f float64) int64 {
	if f != f || f >= 9223372036854775808 || f < -9223372036854775808 {
		return -1 << 63
	}
	return int64(f)
}

func (e *Engine) appendTable(dst []byte, t *lua.LTable, proto, depth int) []byte {
	if depth > maxReplyDepth {
		return resp.AppendError(dst, "ERR reached lua stack limit")
	}
	switch f := e.get(t, "err").(type) {
	case lua.LString:
		return resp.AppendError(dst, string(f))
	}
	switch f := e.get(t, "ok").(type) {
	case lua.LString:
		return resp.AppendSimple(dst, string(f))
	}
	if f, ok := e.get(t, "double").(lua.LNumber); ok {
		return resp.AppendDouble(dst, proto, float64(f))
	}
	if m, ok := e.get(t, "map").(*lua.LTable); ok {
		dst = resp.AppendMap(dst, proto, count(m))
		for k, v := range elements(m) {
			dst = e.appendValue(dst, k, proto, depth+1)
			dst = e.appendValue(dst, v, proto, depth+1)
		}
		return dst
	}
	if m, ok := e.get(t, "set").(*lua.LTable); ok {
		dst = resp.AppendSet(dst, proto, count(m))
		for k := range elements(m) {
			dst = e.appendValue(dst, k, proto, depth+1)
		}
		return dst
	}
	if s, ok := e.get(t, "big_number").(lua.LString); ok {
		return resp.AppendBigNumber(dst, proto, oneLine(string(s)))
	}
	if vt, ok := e.get(t, "verbatim_string").(*lua.LTable); ok {
		format, ok1 := e.get(vt, "format").(lua.LString)
		text, ok2 := e.get(vt, "string").(lua.LString)
		if ok1 && ok2 {
			return resp.AppendVerbatim(dst, proto, (string(format) + "   ")[:3], []byte(text))
		}
	}
	n := 0
	for e.getInt(t, n+1) != lua.LNil {
		n++
	}
	dst = resp.AppendArray(dst, n)
	for i := 1; i <= n; i++ {
		dst = e.appendValue(dst, e.getInt(t, i), proto, depth+1)
	}
	return dst
}

// get reads a field; metatables are not consulted: a result's conversion runs no script code.
func (e *Engine) get(t *lua.LTable, field string) lua.LValue { return t.RawGetString(field) }

func (e *Engine) getInt(t *lua.LTable, i int) lua.LValue { return rawGetInt(t, i) }

func oneLine(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == '\r' || c == '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}
