package commands

import (
	"bytes"
	"errors"
	"sort"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
	"github.com/raniellyferreira/redis-inmemory-replica/scripting"
)

// Functions: libraries of Lua code that belong to the dataset. They come by FUNCTION LOAD, by the master's stream and with the RDB, and
// they have an engine of their own, so that SCRIPT FLUSH does not touch them.

// functionTable holds the libraries. The zero value is empty.
type functionTable struct {
	engine *scripting.Engine
	libs   map[string]*scripting.Library
	byName map[string]*scripting.Function
}

func (s *Server) functionEngine() *scripting.Engine {
	if s.functions.engine == nil {
		s.functions.engine = s.scripts().newEngine()
		s.functions.libs = make(map[string]*scripting.Library)
		s.functions.byName = make(map[string]*scripting.Function)
	}
	return s.functions.engine
}

func (f *functionTable) add(lib *scripting.Library) {
	f.libs[lib.Name] = lib
	for _, fn := range lib.Functions {
		f.byName[fn.Name] = fn
	}
}

func (f *functionTable) remove(lib *scripting.Library) {
	delete(f.libs, lib.Name)
	for _, fn := range lib.Functions {
		delete(f.byName, fn.Name)
	}
}

// sorted are the libraries by name.
func (f *functionTable) sorted() []*scripting.Library {
	out := make([]*scripting.Library, 0, len(f.libs))
	for _, l := range f.libs {
		out = append(out, l)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// loadLibrary compiles a library and puts it in the table; with replace in the place of one of the same name.
func (s *Server) loadLibrary(code string, replace bool) (*scripting.Library, error) {
	e := s.functionEngine()
	f := &s.functions
	name, _, err := scripting.LibraryHeader(code)
	if err != nil {
		return nil, err
	}
	old := f.libs[name]
	if old != nil && !replace {
		return nil, errors.New("Library '" + name + "' already exists")
	}
	lib, err := e.LoadLibrary(code)
	if err != nil {
		return nil, err
	}
	if old != nil {
		f.remove(old)
	}
	for _, fn := range lib.Functions {
		if f.byName[fn.Name] != nil {
			if old != nil {
				f.add(old)
			}
			return nil, errors.New("Function " + fn.Name + " already exists")
		}
	}
	f.add(lib)
	return lib, nil
}

// InstallFunctions replaces all libraries by those of a dataset that was synchronised. A library that does not load is logged and left out:
// its calls would fail on the master's own terms too.
func (s *Server) InstallFunctions(codes []string) {
	s.functions = functionTable{}
	for _, code := range codes {
		if _, err := s.loadLibrary(code, true); err != nil {
			s.Host.Logf(LogWarning, "A function library of the master's dataset does not load: %v", err)
		}
	}
}

// emitFunctions writes the libraries to a snapshot.
func (s *Server) emitFunctions(sink rdb.Sink) error {
	for _, lib := range s.functions.sorted() {
		if err := sink.Function([]byte(lib.Code)); err != nil {
			return err
		}
	}
	return nil
}

// Function implements rdb.Sink: libraries are compiled where they are served, by InstallFunctions.
func (l *Loader) Function(code []byte) error {
	l.Functions = append(l.Functions, string(code))
	return nil
}

func fcallCommand(c *Client)   { fcallGeneric(c, false) }
func fcallRoCommand(c *Client) { fcallGeneric(c, true) }

func fcallGeneric(c *Client, ro bool) {
	s := c.srv
	fn := s.functions.byName[string(c.args[1])]
	if fn == nil {
		fn = s.functions.find(c.args[1])
	}
	if fn == nil {
		c.addReplyError("Function not found")
		return
	}
	keys, argv, ok := c.keysAndArgs("Bad number of keys provided")
	if !ok {
		return
	}
	t := s.scripts()
	sc := fn.Script()
	if !t.prepare(c, sc, true, ro) {
		return
	}
	t.begin(c, sc)
	t.function = fn
	t.funcArgs = c.args
	t.keys, t.argv = keys, argv
	t.execute(c, t.runFunc)
}

// find looks a function up in any letter case.
func (f *functionTable) find(name []byte) *scripting.Function {
	for n, fn := range f.byName {
		if equalFold(name, lowerString(n)) {
			return fn
		}
	}
	return nil
}

func functionLoadCommand(c *Client) {
	replace := false
	i := 2
	for ; i < len(c.args)-1; i++ {
		if !equalFold(c.args[i], "replace") {
			c.addReplyError("Unknown option given: " + cText(c.args[i]))
			return
		}
		replace = true
	}
	lib, err := c.srv.loadLibrary(string(c.args[i]), replace)
	if err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.srv.dirty++
	c.addReplyBulkString(lib.Name)
}

func functionDeleteCommand(c *Client) {
	f := &c.srv.functions
	lib := f.libs[string(c.args[2])]
	if lib == nil {
		c.addReplyError("Library not found")
		return
	}
	f.remove(lib)
	c.srv.dirty++
	c.addReplyOK()
}

func functionFlushCommand(c *Client) {
	if len(c.args) > 3 || (len(c.args) == 3 && !equalFold(c.args[2], "sync") && !equalFold(c.args[2], "async")) {
		c.addReplyError("FUNCTION FLUSH only supports SYNC|ASYNC option")
		return
	}
	c.srv.functions = functionTable{}
	c.srv.dirty++
	c.addReplyOK()
}

func functionListCommand(c *Client) {
	var pattern []byte
	withCode := false
	for i := 2; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case !withCode && equalFold(a, "withcode"):
			withCode = true
		case pattern == nil && equalFold(a, "libraryname"):
			if i++; i >= len(c.args) {
				c.addReplyError("library name argument was not given")
				return
			}
			pattern = c.args[i]
		default:
			c.addReplyError("Unknown argument " + cText(a))
			return
		}
	}
	mark, n := c.deferredLen(), 0
	for _, lib := range c.srv.functions.sorted() {
		if pattern != nil && !glob.MatchFold(pattern, []byte(lib.Name)) {
			continue
		}
		n++
		fields := 3
		if withCode {
			fields++
		}
		c.addReplyMapLen(fields)
		c.addReplyBulkString("library_name")
		c.addReplyBulkString(lib.Name)
		c.addReplyBulkString("engine")
		c.addReplyBulkString("LUA")
		c.addReplyBulkString("functions")
		c.addReplyArrayLen(len(lib.Functions))
		for _, fn := range lib.Functions {
			c.addReplyMapLen(3)
			c.addReplyBulkString("name")
			c.addReplyBulkString(fn.Name)
			c.addReplyBulkString("description")
			if fn.Described {
				c.addReplyBulkString(fn.Description)
			} else {
				c.addReplyNull()
			}
			c.addReplyBulkString("flags")
			mark, n := c.deferredLen(), 0
			for _, f := range scripting.FlagNames {
				if fn.Flags&f.Flag != 0 {
					c.addReplyStatus(f.Name)
					n++
				}
			}
			c.setDeferredSetLen(mark, n)
		}
		if withCode {
			c.addReplyBulkString("library_code")
			c.addReplyBulkString(lib.Code)
		}
	}
	c.setDeferredArrayLen(mark, n)
}

func functionStatsCommand(c *Client) {
	s := c.srv
	t := s.script
	if t != nil && t.caller != nil && t.function == nil {
		c.addReplyError(errBusyScript)
		return
	}
	c.addReplyMapLen(2)
	c.addReplyBulkString("running_script")
	if t == nil || t.function == nil || t.caller == nil {
		c.addReplyNull()
	} else {
		c.addReplyMapLen(3)
		c.addReplyBulkString("name")
		c.addReplyBulkString(t.function.Name)
		c.addReplyBulkString("command")
		c.addReplyArrayLen(len(t.funcArgs))
		for _, a := range t.funcArgs {
			c.addReplyBulk(a)
		}
		c.addReplyBulkString("duration_ms")
		c.addReplyLongLong((s.Host.Nanos() - t.startedAt) / 1e6)
	}
	c.addReplyBulkString("engines")
	c.addReplyMapLen(1)
	c.addReplyBulkString("LUA")
	c.addReplyMapLen(2)
	c.addReplyBulkString("libraries_count")
	c.addReplyLongLong(int64(len(s.functions.libs)))
	c.addReplyBulkString("functions_count")
	c.addReplyLongLong(int64(len(s.functions.byName)))
}

func functionDumpCommand(c *Client) {
	enc := rdb.NewEncoder(nil, rdb.DumpVersion, c.srv.V.RDBCompression)
	enc.StartDump(nil)
	err := c.srv.emitFunctions(enc)
	var b []byte
	if err == nil {
		b, err = enc.FinishDump()
	}
	if err != nil {
		panic("commands: FUNCTION DUMP: " + err.Error())
	}
	c.addReplyBulk(b)
}

// functionSink takes the libraries of a payload.
type functionSink struct {
	rdb.NopSink
	codes []string
}

func (f *functionSink) Function(code []byte) error {
	f.codes = append(f.codes, string(code))
	return nil
}

func (f *functionSink) SelectDB(int) error { return errNotFunctions }

var errNotFunctions = errors.New("given type is not a function")

// decodeFunctions reads the payload of FUNCTION DUMP: the function records of an RDB. It is read as an RDB that holds nothing else.
func decodeFunctions(payload []byte) ([]string, error) {
	body := payload[:len(payload)-rdb.FooterSize]
	const functionRecord, endOfFile = 245, 255
	if len(body) == 0 {
		return nil, nil
	}
	if body[0] != functionRecord {
		return nil, errNotFunctions
	}
	file := append([]byte("REDIS0010"), body...)
	file = append(file, endOfFile, 0, 0, 0, 0, 0, 0, 0, 0)
	var sink functionSink
	if err := rdb.NewDecoder(bytes.NewReader(file)).Decode(&sink); err != nil {
		return nil, err
	}
	return sink.codes, nil
}

func functionRestoreCommand(c *Client) {
	s := c.srv
	if len(c.args) > 4 {
		c.addReplyErrorArity()
		return
	}
	flush, replace := false, false
	if len(c.args) == 4 {
		switch p := c.args[3]; {
		case equalFold(p, "append"):
		case equalFold(p, "replace"):
			replace = true
		case equalFold(p, "flush"):
			flush = true
		default:
			c.addReplyError("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
			return
		}
	}
	if _, err := rdb.VerifyPayload(c.args[2]); err != nil {
		c.addReplyError("DUMP payload version or checksum are wrong")
		return
	}
	codes, err := decodeFunctions(c.args[2])
	if err != nil {
		c.addReplyError("failed loading functions payload: given type is not a function")
		return
	}
	// All or nothing: the table is put back if a library fails.
	saved := s.functions
	s.functions = functionTable{}
	s.functionEngine()
	if !flush {
		s.functions.engine = saved.engine
		if saved.engine == nil {
			s.functions.engine = s.scripts().newEngine()
		}
		for _, lib := range saved.libs {
			s.functions.add(lib)
		}
	}
	for _, code := range codes {
		name, _, err := scripting.LibraryHeader(code)
		if err == nil && !replace && s.functions.libs[name] != nil {
			err = errors.New("Library " + name + " already exists")
		}
		if err == nil {
			_, err = s.loadLibrary(code, replace)
		}
		if err != nil {
			s.functions = saved
			c.addReplyError(err.Error())
			return
		}
	}
	s.dirty++
	c.addReplyOK()
}

func functionKillCommand(c *Client) { killScript(c, true) }

func functionHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"LOAD [REPLACE] <FUNCTION CODE>",
		"    Create a new library with the given library name and code.",
		"DELETE <LIBRARY NAME>",
		"    Delete the given library.",
		"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
		"    Return general information on all the libraries:",
		"    * Library name",
		"    * The engine used to run the Library",
		"    * Library description",
		"    * Functions list",
		"    * Library code (if WITHCODE is given)",
		"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
		"STATS",
		"    Return information about the current function running:",
		"    * Function name",
		"    * Command used to run the function",
		"    * Duration in MS that the function is running",
		"    If no function is running, return nil",
		"    In addition, returns a list of available engines.",
		"KILL",
		"    Kill the current running function.",
		"FLUSH [ASYNC|SYNC]",
		"    Delete all the libraries.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the libraries.",
		"    * SYNC: Synchronously flush the libraries.",
		"DUMP",
		"    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
		"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
		"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
		"    control how to handle existing libraries (default APPEND):",
		"    * FLUSH: delete all existing libraries.",
		"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
		"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
		"      libraries with the new libraries (notice that even on this option there is a chance of failure",
		"      in case of functions name collision with another library).",
	})
}
