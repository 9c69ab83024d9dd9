// Package scripting runs Lua scripts and function libraries with the semantics of Redis 7 on the gopher-lua virtual machine.
//
// One Engine is one sandbox with one Lua state, owned by one goroutine. It knows nothing of commands: redis.call hands its arguments to
// the Host, which appends the reply in RESP; the engine turns replies into Lua values and a script's result back into RESP.
//
//	EVALSHA ──► Engine.Run ──► Lua function ──► redis.call ──► Host.Call ──► handler
//	   ▲                                            │                          │
//	   └──────── RESP ◄── result ◄──────────────────┴──── Lua value ◄── RESP ◄─┘
//
// A script is compiled once, when it is first seen, and kept by the SHA1 of its text. The state is used again for every script: what a
// script can reach is read-only (globals, libraries, metatables of the basic types), so nothing passes from one to the next. See
// interpreter.go for how the machine is made to honour that, and to be interrupted.
package scripting

import (
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Host is what scripts ask of the server. Every method is called on the goroutine that runs the script.
type Host interface {
	// Call executes a command for the running script and returns its reply in RESP; the bytes are valid until the next call. The
	// arguments are views of Lua strings: they must not be changed or kept.
	Call(args [][]byte) []byte
	// SetResp chooses the protocol, 2 or 3, in which Call answers.
	SetResp(proto int)
	// CheckACL tells whether the client of the script may run the command; known is false if there is no such command.
	CheckACL(args [][]byte) (allowed, known bool)
	// Log writes a line at a level of redis.log (0 debug to 3 warning).
	Log(level int, text string)
	// Nanos is a monotonic clock, nanoseconds.
	Nanos() int64
	// Interrupt is called now and then while a script runs. An error ends the script with it, past every pcall.
	Interrupt() error
}

// Replicator is a Host that can keep what a script does from its replicas (redis.set_repl).
type Replicator interface {
	// SetReplication tells whether the commands called from here on, until the script ends, go to the replicas.
	SetReplication(on bool)
}

// Script is a compiled script or a function of a library.
type Script struct {
	SHA   string // 40 hex digits; a function's name for functions
	Text  string
	Flags Flags
	// Shebang is set if the text begins with "#!": only then do Flags bind.
	Shebang bool

	fn *lua.LFunction
	// Use is the script's place in its owner's order of last use; nil for one that is not evicted.
	Use *list.Element
}

// Evictable tells whether the owner may forget the script.
func (s *Script) Evictable() bool { return s.Use != nil }

// Flags are what a script or function declares of itself.
type Flags uint8

// The flags of a shebang line and of register_function.
const (
	NoWrites Flags = 1 << iota
	AllowOOM
	AllowStale
	NoCluster
	AllowCrossSlotKeys
)

// FlagNames are the flags in the order in which FUNCTION LIST shows them.
var FlagNames = []struct {
	Flag Flags
	Name string
}{
	{NoWrites, "no-writes"}, {AllowOOM, "allow-oom"}, {AllowStale, "allow-stale"}, {NoCluster, "no-cluster"},
	{AllowCrossSlotKeys, "allow-cross-slot-keys"},
}

// Engine is one Lua sandbox. It belongs to one goroutine.
type Engine struct {
	host Host
	l    *lua.LState
	// globals is the environment of scripts, funcGlobals that of libraries.
	globals, funcGlobals *lua.LTable
	// readonly marks the tables that scripts may not change: it is their metatable.
	readonly *lua.LTable
	stringMT *lua.LTable
	handler  *lua.LFunction
	rand     *Random

	boxes  boxes
	own    []float64 // places of the main state's registers
	cursor cursor    // of next
	// next is what pairs iterates with, inext what ipairs does.
	next, inext *lua.LFunction
	stringLib   *lua.LTable
	plainLoop   loopFunc // the library's own

	running   bool
	argv      [][]byte
	proto     int // of replies to redis.call
	protected int // depth of protected calls
	resumed   int // depth of coroutines
	inner     int // Lua functions that Go code called since the running coroutine began
	ticks     int // until the next look at the host
	charged   int64
	memLimit  int64
	heapBase  uint64
	fatal     error // ends the script past pcall
	samples   heapSample

	cjson       jsonConfig
	jsonNull    *lua.LUserData
	loading     *Library
	loadGlobals map[string]lua.LValue
	deadline    int64 // ns; 0 none
	numBuf      []byte
	scratch     []byte
	arguments   arguments
	pool        pool

	byText, bySHA map[string]*Script // what Eval and LoadScript keep
}

// Options configure an engine.
type Options struct {
	Version    string // REDIS_VERSION
	VersionNum int    // REDIS_VERSION_NUM
	// Random is what math.random draws from; engines may share one, if they have the same goroutine. Nil: one of its own.
	Random *Random
	// MemoryLimit bounds what one script may hold, bytes; 0 is DefaultMemoryLimit.
	MemoryLimit int64
}

// DefaultMemoryLimit is what one script may hold if nothing else is set, bytes.
const DefaultMemoryLimit = 128 << 20

// New makes an engine. Without a host (nil) its scripts find no commands.
func New(host Host, o Options) *Engine {
	if host == nil {
		host = Commands{}.Host()
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = DefaultMemoryLimit
	}
	if o.Random == nil {
		o.Random = NewRandom()
	}
	e := &Engine{host: host, memLimit: o.MemoryLimit, rand: o.Random, proto: 2, cjson: defaultJSON()}
	e.open(o)
	e.openLibraries()
	return e
}

// SetMemoryLimit changes what one script may hold, bytes, from the next script on.
func (e *Engine) SetMemoryLimit(n int64) { e.memLimit = n }

// SHA1 is the name under which a script is cached.
func SHA1(text []byte) string {
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

// Compile compiles a script. The error's text is that of redis-server's reply, without the code.
func (e *Engine) Compile(text string) (*Script, error) {
	s := &Script{SHA: SHA1([]byte(text)), Text: text}
	body := text
	if strings.HasPrefix(text, "#!") {
		s.Shebang = true
		flags, rest, err := scriptShebang(text)
		if err != nil {
			return nil, err
		}
		s.Flags, body = flags, rest
	}
	proto, err := compile(body, "user_script")
	if err != nil {
		return nil, textError("Error compiling script (new function): " + err.Error())
	}
	s.fn = e.l.NewFunctionFromProto(proto)
	s.fn.Env = e.globals
	return s, nil
}

type textError string

func (e textError) Error() string { return string(e) }

// compile turns source into code; name is the chunk's name.
func compile(src, name string) (proto *lua.FunctionProto, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = textError(name + ":1: " + strings.TrimSpace(anyText(r)))
		}
	}()
	if err := checkNesting(src, name); err != nil {
		return nil, err
	}
	chunk, err := parse.Parse(strings.NewReader(src), name)
	if err != nil {
		return nil, syntaxError(err, name, src)
	}
	assignments(chunk)
	proto, err = lua.Compile(chunk, name)
	if err != nil {
		if ce, ok := err.(*lua.CompileError); ok {
			return nil, textError(name + ":" + itoa(ce.Line) + ": " + ce.Message)
		}
		return nil, err
	}
	// A chunk has no "arg" table in Lua 5.1; the machine would make one at each call.
	proto.IsVarArg &^= lua.VarArgNeedsArg
	return proto, nil
}

// scriptShebang reads the first line of a script, "#!lua flags=a,b".
func scriptShebang(text string) (Flags, string, error) {
	line, _, ok := strings.Cut(text, "\n")
	if !ok {
		return 0, "", textError("Invalid script shebang")
	}
	parts := strings.Fields(line)
	if len(parts) == 0 || parts[0] != "#!lua" {
		name := line
		if len(parts) > 0 {
			name = parts[0]
		}
		return 0, "", textError("Unexpected engine in script shebang: " + name)
	}
	var flags Flags
	for _, p := range parts[1:] {
		list, ok := strings.CutPrefix(p, "flags=")
		if !ok {
			return 0, "", textError("Unknown lua shebang option: " + p)
		}
		for _, f := range strings.Split(list, ",") {
			if f == "" {
				continue
			}
			bit := flagByName(f)
			if bit == 0 {
				return 0, "", textError("Unexpected flag in script shebang: " + f)
			}
			flags |= bit
		}
	}
	// The line break stays, so that line numbers are those of the text.
	return flags, text[len(line):], nil
}

func flagByName(name string) Flags {
	for _, f := range FlagNames {
		if f.Name == name {
			return f.Flag
		}
	}
	return 0
}

// Running tells whether a script is being executed.
func (e *Engine) Running() bool { return e.running }

// Run executes a script and appends its reply to dst in the protocol given. A script that fails answers an error; failed says so.
func (e *Engine) Run(dst []byte, s *Script, keys, argv [][]byte, proto int) (out []byte, failed bool) {
	e.arguments.fill(keys, argv)
	e.pool.begin()
	e.l.Push(s.fn)
	out, failed = e.run(dst, s, 0, proto)
	e.pool.end()
	e.arguments.empty()
	return out, failed
}

// run calls the function that was pushed, with nargs arguments.
func (e *Engine) run(dst []byte, s *Script, nargs, proto int) (out []byte, failed bool) {
	e.begin()
	err := e.protect(nargs, 1)
	l := e.l
	e.running = false
	if err != nil {
		dst = e.appendFailure(dst, s, err)
		failed = true
	} else {
		dst, failed = e.appendResult(dst, l.Get(-1), proto)
	}
	l.SetTop(0)
	if e.proto != 2 {
		e.proto = 2
	}
	return dst, failed
}

// protect calls the function that was pushed. What the library's own protected call lets through, such as an overflow of the registers while
// it calls the error handler, leaves its state unfit for use: another one takes its place, which finds the same globals.
func (e *Engine) protect(nargs, nret int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			text := "ERR " + strings.TrimSpace(anyText(r))
			if ae, ok := r.(*lua.ApiError); ok {
				text = "ERR " + errorText(ae)
			}
			global := e.l.G
			e.newState()
			e.l.G = global
			global.MainThread, global.CurrentThread = e.l, e.l
			e.l.Push(lua.LNil)
			err = textError(strings.TrimPrefix(text, "ERR "))
		}
	}()
	return e.l.PCall(nargs, nret, e.handler)
}

func (e *Engine) begin() {
	e.running = true
	e.fatal = nil
	e.ticks = tickInterval
	e.charged = 0
	e.protected, e.resumed, e.inner = 0, 0, 0
	e.heapBase = 0
	e.cursor = cursor{}
	e.host.SetResp(2)
}

// appendFailure appends the error with which a script ended.
func (e *Engine) appendFailure(dst []byte, s *Script, err error) []byte {
	text, source, line := "ERR "+err.Error(), "", ""
	if ae, ok := err.(*lua.ApiError); ok {
		text, source, line = e.failure(ae)
	}
	dst = append(dst, '-')
	n := len(dst)
	dst = append(dst, text...)
	if source != "" {
		dst = append(dst, " script: "...)
		dst = append(dst, s.SHA...)
		dst = append(dst, ", on "...)
		dst = append(dst, source...)
		dst = append(dst, ':')
		dst = append(dst, line...)
		dst = append(dst, '.')
	}
	for i := n; i < len(dst); i++ {
		if dst[i] == '\r' || dst[i] == '\n' {
			dst[i] = ' '
		}
	}
	return append(dst, '\r', '\n')
}

// failure takes an error apart: its text, and where it arose.
func (e *Engine) failure(err *lua.ApiError) (text, source, line string) {
	t, ok := err.Object.(*lua.LTable)
	if !ok {
		return "ERR " + errorText(err), "", ""
	}
	switch v := t.RawGetString("err").(type) {
	case lua.LString:
		text = string(v)
	case lua.LNumber:
		text = tostring(v)
	default:
		text = "ERR unknown error"
	}
	if v, ok := t.RawGetString("source").(lua.LString); ok {
		source = string(v)
	}
	if v := t.RawGetString("line"); v != lua.LNil {
		line = tostring(v)
	}
	if line == "" {
		source = ""
	}
	return text, source, line
}

func errorText(err *lua.ApiError) string {
	if err.Object != nil && err.Object != lua.LNil {
		return tostring(err.Object)
	}
	if err.Cause != nil {
		return err.Cause.Error()
	}
	return "nil"
}

// errorHandler is called where an error arose, with the stack in place: it makes the error a table that knows its source and line.
func (e *Engine) errorHandler(l *lua.LState) int {
	v := l.Get(1)
	t, ok := v.(*lua.LTable)
	if !ok {
		t = l.NewTable()
		text := "nil"
		if v != lua.LNil && v != nil {
			text = e.luaMessage(tostring(v))
		}
		rawSetString(t, "err", lua.LString("ERR "+text))
	}
	if t.Metatable != lua.LValue(e.readonly) {
		if source, line, ok := position(l); ok {
			rawSetString(t, "source", lua.LString("@"+source))
			rawSetString(t, "line", lua.LNumber(line))
		}
	}
	l.Push(t)
	return 1
}

// position finds the innermost Lua function on the stack, and its line.
func position(l *lua.LState) (source string, line int, ok bool) {
	for level := 1; ; level++ {
		d, ok := l.GetStack(level)
		if !ok {
			return "", 0, false
		}
		if _, err := l.GetInfo("Sl", d, lua.LNil); err == nil && d.What != "G" {
			return d.Source, d.CurrentLine, true
		}
	}
}
