package scripting

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Function libraries.
//
// A library's text runs once, when it is loaded, to register functions. While it does it finds nothing but a small redis table in its
// globals; its functions, when they are called, find all that scripts find, except KEYS and ARGV. Since a function's environment is the
// table with which its library was loaded, it is the content of that table which changes for the time of a load.

// Library is one function library.
type Library struct {
	Name, Code string
	Functions  []*Function // in the order of their registration
}

// Function is one function of a library.
type Function struct {
	Name        string
	Description string
	Described   bool // whether there is a description
	Flags       Flags

	script Script
}

// maxNameError is the answer to a bad name of a library or function.
const badName = " names can only contain letters, numbers, or underscores(_) and must be at least one character long"

func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !classOf(c, 'w') && c != '_' {
			return false
		}
	}
	return s != ""
}

// LibraryHeader reads the first line of a library, "#!lua name=lib", and returns the name and the code behind the line.
func LibraryHeader(code string) (name, body string, err error) {
	if !strings.HasPrefix(code, "#!") {
		return "", "", textError("Missing library metadata")
	}
	line, _, ok := strings.Cut(code, "\n")
	if !ok {
		return "", "", textError("Invalid library metadata")
	}
	parts := strings.Fields(line)
	named := false
	for _, p := range parts[1:] {
		v, ok := strings.CutPrefix(p, "name=")
		if !ok {
			return "", "", textError("Invalid metadata value given: " + p)
		}
		if named {
			return "", "", textError("Invalid metadata value, name argument was given multiple times")
		}
		name, named = v, true
	}
	if !named {
		return "", "", textError("Library name was not given")
	}
	if !validName(name) {
		return "", "", textError("Library" + badName)
	}
	if engine := parts[0][2:]; !strings.EqualFold(engine, "lua") {
		return "", "", textError("Engine '" + engine + "' not found")
	}
	return name, code[len(line):], nil
}

// openLibraries builds the globals of functions.
func (e *Engine) openLibraries() {
	g := e.l.NewTable()
	for k, v := range elements(e.globals) {
		switch k {
		case lua.LString("KEYS"), lua.LString("ARGV"):
		case lua.LString("_G"):
			rawSet(g, k, g)
		default:
			rawSet(g, k, v)
		}
	}
	g.Metatable = e.globals.Metatable
	e.funcGlobals = g
	full := e.globals.RawGetString("redis").(*lua.LTable)
	api := e.l.NewTable()
	for _, n := range []string{"log", "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING", "REDIS_VERSION", "REDIS_VERSION_NUM"} {
		rawSetString(api, n, full.RawGetString(n))
	}
	rawSetString(api, "register_function", e.fn(e.registerFunction))
	api.Metatable = e.readonly
	e.loadGlobals = map[string]lua.LValue{"redis": api, "server": api}
}

// LoadLibrary compiles and runs a library's code. Nothing is kept by the engine but what the functions themselves hold.
func (e *Engine) LoadLibrary(code string) (*Library, error) {
	name, body, err := LibraryHeader(code)
	if err != nil {
		return nil, err
	}
	lib := &Library{Name: name, Code: code}
	proto, err := compile(body, "user_function")
	if err != nil {
		return nil, textError("Error compiling function: " + err.Error())
	}
	saved := make(map[string]lua.LValue)
	for k, v := range elements(e.funcGlobals) {
		saved[string(k.(lua.LString))] = v
	}
	for k := range saved {
		rawSetString(e.funcGlobals, k, lua.LNil)
	}
	for k, v := range e.loadGlobals {
		rawSetString(e.funcGlobals, k, v)
	}
	e.loading = lib
	fn := e.l.NewFunctionFromProto(proto)
	fn.Env = e.funcGlobals
	e.begin()
	e.deadline = e.host.Nanos() + loadTimeout
	e.l.Push(fn)
	err = e.protect(0, 0)
	e.l.SetTop(0)
	e.running, e.loading, e.deadline = false, nil, 0
	for k, v := range saved {
		rawSetString(e.funcGlobals, k, v)
	}
	if err != nil {
		text := "ERR " + err.Error()
		if ae, ok := err.(*lua.ApiError); ok {
			text, _, _ = e.failure(ae)
		}
		return nil, textError("Error registering functions: " + text)
	}
	if len(lib.Functions) == 0 {
		return nil, textError("No functions registered")
	}
	return lib, nil
}

// loadTimeout is how long a library may take to load, nanoseconds.
const loadTimeout = 500e6

func (e *Engine) registerFunction(l *lua.LState) int {
	if e.loading == nil {
		return e.raise(l, "redis.register_function can only be called on FUNCTION LOAD command")
	}
	f := &Function{}
	var fn *lua.LFunction
	switch n := l.GetTop(); n {
	case 1:
		t, ok := l.Get(1).(*lua.LTable)
		if !ok {
			return e.raise(l, "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
		}
		var text string
		if fn, text = e.namedArguments(f, t); text != "" {
			return e.raise(l, text)
		}
	case 2:
		name, ok := argString(l.Get(1))
		if !ok {
			return e.raise(l, "first argument to redis.register_function must be a string")
		}
		f.Name = name
		if fn, ok = l.Get(2).(*lua.LFunction); !ok {
			return e.raise(l, "second argument to redis.register_function must be a function")
		}
	default:
		return e.raise(l, "wrong number of arguments to redis.register_function")
	}
	if !validName(f.Name) {
		return e.raise(l, "Function"+badName)
	}
	for _, g := range e.loading.Functions {
		if g.Name == f.Name {
			return e.raise(l, "Function already exists in the library")
		}
	}
	f.script = Script{SHA: f.Name, Flags: f.Flags, Shebang: true, fn: fn}
	e.loading.Functions = append(e.loading.Functions, f)
	return 0
}

// namedArguments reads the table form of register_function; text is not empty if it is wrong.
func (e *Engine) namedArguments(f *Function, t *lua.LTable) (fn *lua.LFunction, text string) {
	named := false
	for k, v := range elements(t) {
		key, ok := k.(lua.LString)
		if !ok {
			return nil, "named argument key given to redis.register_function is not a string"
		}
		switch strings.ToLower(string(key)) {
		case "function_name":
			if f.Name, named = argString(v); !named {
				return nil, "function_name argument given to redis.register_function must be a string"
			}
		case "description":
			if f.Description, f.Described = argString(v); !f.Described {
				return nil, "description argument given to redis.register_function must be a string"
			}
		case "callback":
			if fn, ok = v.(*lua.LFunction); !ok {
				return nil, "callback argument given to redis.register_function must be a function"
			}
		case "flags":
			flags, ok := v.(*lua.LTable)
			if !ok {
				return nil, "flags argument to redis.register_function must be a table representing function flags"
			}
			for i := 1; rawGetInt(flags, i) != lua.LNil; i++ {
				name, _ := rawGetInt(flags, i).(lua.LString)
				bit := flagByName(string(name))
				if bit == 0 {
					return nil, "unknown flag given"
				}
				f.Flags |= bit
			}
		default:
			return nil, "unknown argument given to redis.register_function"
		}
	}
	if !named {
		return nil, "redis.register_function must get a function name argument"
	}
	if fn == nil {
		return nil, "redis.register_function must get a callback argument"
	}
	return fn, ""
}

// Script is what the gates look at before the function runs.
func (f *Function) Script() *Script { return &f.script }

// Call executes a function as Run does a script.
func (e *Engine) Call(dst []byte, f *Function, keys, argv [][]byte, proto int) (out []byte, failed bool) {
	e.l.Push(f.script.fn)
	k, v := newArguments(keys, argv)
	e.l.Push(k)
	e.l.Push(v)
	return e.run(dst, &f.script, 2, proto)
}
