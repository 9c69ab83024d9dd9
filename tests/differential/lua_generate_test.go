package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Random Lua programs, run by both servers: the same bytes must come back. A program is a list of statements over a few variables of every type;
// each may fail, which is noted like everything else that is seen. A program that differs is shrunk, statement by statement, and printed as a case.

type luaGen struct {
	*rand.Rand
	loops int
}

func (g *luaGen) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *luaGen) variable() string { return g.pick("a", "b", "c", "d", "s", "t", "u", "n") }

func (g *luaGen) number() string {
	return g.pick("0", "1", "2", "3", "7", "10", "255", "(-1)", "(-3)", "0.5", "2.5", "1e3", "1e15", "123456789", "1e300", "0x1F", "(-0.1)", "4294967296", "2147483647", "9007199254740993", "(1/0)", "1000.25")
}

func (g *luaGen) text() string {
	return g.pick("''", "'a'", "'abc'", "'hello world'", "'10'", "' 7 '", "'0x1f'", "'1e2'", "'key=val, k2=v2'", `'\0'`, `'a\0b'`, "'%d'", "'(x)'", "'ÄÖ'", `'\n\t"\\'`, "'[1,2,{\"a\":null}]'", "'-5.5'", "'nan'", "'ABC'")
}

func (g *luaGen) pattern() string {
	return g.pick("'.'", "'%a+'", "'(%w+)=(%w+)'", "'^%s*(.-)%s*$'", "'[aeiou]'", "'[^a-c]'", "'%d*'", "'()'", "'l+'", "'a.c'", "'%b()'", "'%f[%w]%w+'", "'x?'", "'(.)%1'", "''", "'[%]]'", "'%z'", "'[a-'", "'%'", "'(a'", "'.-b'")
}

func (g *luaGen) expr(depth int) string {
	if depth <= 0 {
		switch g.IntN(8) {
		case 0, 1, 2:
			return g.variable()
		case 3, 4:
			return g.number()
		case 5:
			return g.text()
		case 6:
			return g.pick("nil", "true", "false", "{}", "ARGV[1]", "KEYS[1]")
		}
		return g.pick("t[1]", "t.x", "u[n]", "#t", "#s", "t[n]", "u.y", "t[s]")
	}
	d := depth - 1
	e := func() string { return g.expr(d) }
	switch g.IntN(30) {
	case 0, 1, 2, 3:
		return "(" + e() + g.pick("+", "-", "*", "/", "%", "^") + e() + ")"
	case 4, 5:
		return "(" + e() + g.pick("==", "~=", "<", ">", "<=", ">=") + e() + ")"
	case 6, 7:
		// As an operand it would be named in errors, which compilers see differently: so it is an argument.
		return "f(" + e() + g.pick(" and ", " or ") + e() + ")"
	case 8:
		return "(" + e() + " .. " + e() + ")"
	case 9:
		return g.pick("not ", "-", "#") + g.variable()
	case 10:
		return "{" + e() + "," + e() + g.pick("", ",x="+e(), ",["+g.number()+"]="+e(), ",nil,"+e()) + "}"
	case 11:
		return "tostring(" + e() + ")"
	case 12:
		return "tonumber(" + e() + g.pick("", "", ",10", ",16", ",2", ",36", ","+e()) + ")"
	case 13:
		return "string.format('" + g.pick("%d", "%5.2f", "%s", "%q", "%x", "%g", "%10s|", "%-8s|", "%c", "%e", "%i", "%05d", "%+d", "%.3s", "%u", "%o", "%%", "%.14g", "%s %s", "%5s%d") + "'," + e() + g.pick("", ","+e()) + ")"
	case 14:
		return g.pick("s", "("+g.text()+")") + ":" + g.pick("upper()", "lower()", "len()", "reverse()", "sub(2)", "sub(-2,-1)", "byte()", "rep(3)", "sub("+e()+","+e()+")", "rep("+e()+")", "byte(1,-1)", "find("+g.pattern()+")", "match("+g.pattern()+")")
	case 15:
		return "string." + g.pick("find", "match") + "(" + g.pick("s", g.text()) + "," + g.pattern() + g.pick("", ","+g.number(), ",1,true") + ")"
	case 16:
		return "string.gsub(" + g.pick("s", g.text()) + "," + g.pattern() + "," + g.pick("'-'", "'%0%0'", "'%1'", "t", "string.upper", "s", "'%2'") + g.pick("", ",1", ","+g.number()) + ")"
	case 17:
		return "math." + g.pick("floor", "ceil", "abs", "sqrt", "max", "min", "fmod", "modf", "frexp", "ldexp", "log", "random", "pow", "exp", "log10") + "(" + e() + "," + e() + ")"
	case 18:
		return "bit." + g.pick("band", "bor", "bxor", "bnot", "lshift", "rshift", "arshift", "rol", "ror", "tobit", "tohex", "bswap") + "(" + e() + "," + g.number() + ")"
	case 19:
		return "cjson.encode(" + g.pick(e(), "{"+e()+","+e()+"}", "{x="+e()+"}") + ")"
	case 20:
		return "cjson.decode(" + g.pick(g.text(), "cjson.encode({"+e()+","+e()+"})", "'{\"a\":1.5,\"b\":[true,\"x\"]}'") + ")"
	case 21:
		return "cmsgpack.unpack(cmsgpack.pack(" + e() + "," + e() + "))"
	case 22:
		return "cmsgpack.pack(" + g.pick(e(), "{"+e()+","+e()+"}") + ")"
	case 23:
		return "struct.pack('" + g.pick(">I2", "<i4", "b", ">d", "s", "z", "<f", "c4", ">l", "Bxh") + "'," + e() + ")"
	case 24:
		return g.pick("type", "rawget", "select", "unpack", "rawequal", "next", "assert", "ipairs", "getmetatable") + "(" + e() + "," + e() + ")"
	case 25:
		return "table." + g.pick("concat", "getn", "maxn", "concat", "remove") + "(" + g.pick("t", "u", e()) + g.pick("", ","+e()) + ")"
	case 26:
		return "redis." + g.pick("sha1hex("+e()+")", "call('get',"+e()+")", "pcall('incr',"+e()+")", "call('set','k',"+e()+")", "call('hset','h',"+e()+","+e()+")", "call('hgetall','h')", "pcall("+e()+")", "call('lpush','l',"+e()+")", "call('lrange','l',0,-1)", "error_reply("+e()+")", "status_reply("+e()+")", "call('zadd','z',"+e()+","+e()+")", "call('zrange','z',0,-1,'WITHSCORES')")
	case 27:
		return "f(" + e() + "," + e() + ")"
	case 28:
		return "(" + e() + ")"
	}
	return e()
}

// block is a few statements; flat ones make no closures.
func (g *luaGen) block(n, depth int, flat bool) string {
	var b strings.Builder
	for range n {
		b.WriteString(g.statement(depth, flat))
		b.WriteByte(' ')
	}
	return b.String()
}

func (g *luaGen) statement(depth int, flat bool) string {
	v, e := g.variable, func() string { return g.expr(2) }
	kinds := 19
	if flat {
		kinds = 13
	}
	switch g.IntN(kinds) {
	case 0, 1:
		return v() + "=" + e()
	case 2:
		return v() + "," + v() + "=" + e() + "," + e()
	case 3:
		return g.pick("t", "u") + "[" + g.pick("1", "2", "n", "#t+1", "#u", "'x'", e()) + "]=" + e()
	case 4:
		return "see(" + e() + ")"
	case 5:
		return "see(" + e() + "," + e() + "," + e() + ")"
	case 6:
		if depth > 0 {
			g.loops++
			i := fmt.Sprintf("i%d", g.loops)
			return "for " + i + "=" + g.pick("1,3", "3,1,-1", "1,2,0.5", "n,n+2", e()+","+e()) + " do " + g.pick("n=n+"+i, "t["+i+"]="+i+"*1.5", "see("+i+")", "if "+i+"==2 then break end", "local x="+i+" "+i+"="+i+"*2 see(x,"+i+")") +
				" bound() " + g.block(1+g.IntN(2), depth-1, flat) + "end"
		}
		return "n=n+1"
	case 7:
		if depth > 0 {
			return "if " + e() + " then " + g.block(1+g.IntN(2), depth-1, flat) + g.pick("", "else "+g.block(1, depth-1, flat), "elseif "+e()+" then "+g.block(1, depth-1, flat)) + "end"
		}
		return "see(n)"
	case 8:
		return "table." + g.pick("insert(t,"+e()+")", "insert(u,1,"+e()+")", "remove(t)", "remove(u,1)", "sort(t)", "sort(u)", "insert(t,"+e()+","+e()+")")
	case 9:
		return "for k,v in " + g.pick("ipairs(t)", "ipairs("+e()+")", "string.gmatch(s,"+g.pattern()+")", "ipairs(u)") + " do bound() see(k,v) " + g.pick("", "v=1 k=2 ", "n=n+1 ") + "end"
	case 10:
		return "local x,y=" + e() + "," + e() + " x,y=y,x see(x,y)"
	case 11:
		return "do local m=0 while m<3 do bound() m=m+1 " + g.pick("see(m)", "n=n+m", "if m==2 then break end", "t[m]=m+1000") + " end end"
	case 12:
		return "do local m=n repeat bound() local y=m m=m+1 until " + e() + " or m>n+2 see(m) end"
	case 13:
		return "see(pcall(function() " + g.block(1+g.IntN(2), depth-1, false) + "end))"
	case 14:
		return "do local x=" + e() + " local function g() x=" + g.pick("x", e()) + " return x end see(g(),x,g()) f=" + g.pick("g", "f", "function(p,q) return q,p end", "function(...) return select('#',...),... end", "function(p) return p end") + " end"
	case 15:
		return "setmetatable(" + g.pick("t", "u") + "," + g.pick("{__index=function(t,k) return k end}", "{__index=u}", "{__newindex=function(t,k,v) rawset(t,k,v) see(k) end}", "{__call=function(s,a) return a end}", "{__add=function(a,b) return 42 end,__concat=function() return 'cat' end,__unm=function() return 1 end}",
			"{__eq=function() return true end,__lt=function() return true end,__le=function() return false end}", "nil", "{__tostring=function() return 'T' end}", "{__index=string}") + ")"
	case 16:
		return "do local co=coroutine." + g.pick("wrap", "create") + "(function(p) see(p) local q=coroutine.yield(" + e() + ") see(q) " + g.block(1, depth-1, false) + "return " + e() + " end) see(" + g.pick("co(1)", "coroutine.resume(co,1)", "coroutine.resume(co,n)") + ") see(" + g.pick("co(2)", "coroutine.resume(co,2)", "coroutine.status(co)") + ") end"
	case 17:
		return g.pick("error("+e()+")", "error("+e()+",0)", "error({err="+e()+"})", "error({"+e()+"})", "assert("+e()+","+e()+")", "see(pcall(error,"+e()+"))", "see(xpcall(function() error("+e()+") end,function(m) return type(m) end))")
	}
	return "table.sort(t,function(a,b) " + g.pick("return a>b", "return tostring(a)<tostring(b)", "return false", "return true", "bound() return b<a") + " end)"
}

// luaPrelude defines what programs see and how it is noted. Tables are noted without regard to the order of their fields, addresses not at all; bound
// ends what would run for ever.
const luaPrelude = `local o,steps={},0
local function text(v,depth) local k=type(v) if k=='table' then if depth>2 then return '{..}' end local p={} for i,x in pairs(v) do p[#p+1]=text(i,depth+1)..'='..text(x,depth+1) end table.sort(p) return '{'..table.concat(p,',')..'}#'..#v end
 if k=='function' or k=='thread' or k=='userdata' then return k end return tostring(v) end
local function see(...) if #o<200 then for i=1,select('#',...) do local x=text((select(i,...)),0) if #x>200 then x=x:sub(1,200)..#x end x=x:gsub('0x%x+','ADDR') o[#o+1]=x end end end
local function bound() steps=steps+1 if steps>300 then error('enough',0) end end
local a,b,c,d,s,n,t,u=1,2.5,'x',nil,'hello',3,{5,3,1},{x=1,10,20}
local f=function(p,q) return p end
math.randomseed(7)
`

type luaProgram struct {
	flat       bool
	statements []string
}

func (p *luaProgram) source() string {
	var b strings.Builder
	b.WriteString(luaPrelude)
	for i, s := range p.statements {
		if p.flat {
			// One function without closures: its numbers live beside its registers.
			fmt.Fprintf(&b, "local function flat%d(a,b,c,d,s,n,t,u,f,see,bound) %s see(a,b,c,d,s,n) return a,b,c,d,s,n end\n", i, s)
			fmt.Fprintf(&b, "do local r={pcall(flat%d,a,b,c,d,s,n,t,u,f,see,bound)} if r[1] then a,b,c,d,s,n=unpack(r,2,7) else see(r[2]) end if type(n)~='number' or n~=n or n>100 or n<-100 then n=3 end if type(s)~='string' or #s>100 then s='hello' end end\n", i)
		} else {
			fmt.Fprintf(&b, "do local ok,e=pcall(function() %s end) if not ok then see(e) end see(a,b,c,d) if type(n)~='number' or n~=n or n>100 or n<-100 then n=3 end if type(s)~='string' or #s>100 then s='hello' end if type(t)~='table' then t={5,3,1} end if type(u)~='table' then u={x=1,10,20} end if type(f)~='function' then f=type end end\n", s)
		}
	}
	b.WriteString("see(t,u) return o")
	return b.String()
}

// play runs a program on both servers and tells whether they differ. Memory that two servers cannot agree on is no difference.
func (p *luaProgram) play(l *lane) error {
	return l.do("EVAL", p.source(), "1", "k", "argument")
}

func TestRandomLuaPrograms(t *testing.T) {
	programs := 120
	if testing.Short() {
		programs = 40
	}
	if *stepsFlag > 0 {
		programs = *stepsFlag
	}
	p := newPair(t)
	first := randomSeed() * 1_000_000
	t.Logf("seeds from %d", first)
	failures := 0
	var lanes [2]*lane
	for i := range lanes {
		var err error
		if lanes[i], err = p.open(2 + i); err != nil {
			t.Fatal(err)
		}
		defer lanes[i].close()
	}
	for i := range programs {
		seed := first + uint64(i)
		g := &luaGen{Rand: rand.New(rand.NewPCG(seed, 5))}
		program := &luaProgram{flat: i%2 == 0}
		for range 2 + g.IntN(10) {
			program.statements = append(program.statements, g.statement(2, program.flat))
		}
		l := lanes[i/2%2]
		differs := func(q *luaProgram) error {
			if err := l.do("FLUSHALL"); err != nil {
				t.Fatal(err)
			}
			return q.play(l)
		}
		err := differs(program)
		if !p.redis.Running() || !p.ours.Running() {
			t.Fatalf("seed %d: a server has died\n%s", seed, program.source())
		}
		if err == nil {
			continue
		}
		for k := 0; k < len(program.statements); {
			less := &luaProgram{flat: program.flat, statements: append(append([]string{}, program.statements[:k]...), program.statements[k+1:]...)}
			if again := differs(less); again != nil {
				program, err = less, again
			} else {
				k++
			}
		}
		_, where, _ := strings.Cut(err.Error(), "\n")
		t.Errorf("seed %d: %s\n%s", seed, strings.Join(program.statements, "\n"), where)
		if failures++; failures == 10 {
			t.Fatal("enough")
		}
	}
}
