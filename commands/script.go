package commands

import (
	"container/list"
	"errors"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/scripting"
)

// Scripts. The engine runs them (package scripting); here are the commands, the cache of scripts by digest, and the way from redis.call
// to a command's handler: a client of its own, with the database, the user and the rights of the script's caller.

// compatVersionNum is CompatVersion as redis.REDIS_VERSION_NUM gives it.
const compatVersionNum = 0x0007000f

// scriptState is what the server keeps for scripts; it is made when the first one comes.
type scriptState struct {
	s      *Server
	engine *scripting.Engine
	random *scripting.Random // of this engine and of that of the functions
	client *Client           // runs the commands that scripts call
	caller *Client           // the client whose script runs; nil when none does

	byText map[string]*scripting.Script
	bySHA  map[string]*scripting.Script
	bytes  int64     // of the cached scripts' texts
	lru    list.List // of the scripts that came by EVAL, the last used first

	running  *scripting.Script
	function *scripting.Function // the function that runs; nil for a script
	readOnly bool                // the script may not write
	allowOOM bool
	compat   bool // no shebang: the gates look at each command
	wrote    bool
	// replicates: what the script does goes into the stream (redis.set_repl).
	replicates bool
	oom        bool  // memory was above maxmemory when the script began
	startedAt  int64 // ns
	killed     bool

	// What the job on the second stack takes and leaves (script_busy.go).
	co         coroutine
	keys, argv [][]byte
	out        []byte
	failed     bool
	mayYield   bool
	overdue    bool // it stepped aside at least once
	aside      bool // it stands aside now
	waiting    *Client
	hosting    *hosted // the transaction on the second stack, if one is there
	sliceEnd   int64   // ns
	now        int64   // the script's logical time, unix ms
	runScript  func()
	runFunc    func()
	funcArgs   [][]byte // of the FCALL
	panicked   any
}

func (s *Server) scripts() *scriptState {
	if s.script == nil {
		t := &scriptState{s: s, client: s.NewInternalClient(), random: scripting.NewRandom()}
		t.client.flags |= flagScript | flagDenyBlocking
		t.runScript = func() {
			t.out, t.failed = t.engine.Run(t.out[:0], t.running, t.keys, t.argv, t.caller.proto)
		}
		t.runFunc = func() {
			t.out, t.failed = s.functions.engine.Call(t.out[:0], t.function, t.keys, t.argv, t.caller.proto)
		}
		t.flush()
		s.script = t
	}
	return s.script
}

// flush forgets all cached scripts, and the machine that ran them.
func (t *scriptState) flush() {
	t.byText = make(map[string]*scripting.Script)
	t.bySHA = make(map[string]*scripting.Script)
	t.bytes = 0
	t.lru.Init()
	t.engine = t.newEngine()
}

func (t *scriptState) newEngine() *scripting.Engine {
	return scripting.New(t, scripting.Options{Version: CompatVersion, VersionNum: compatVersionNum, MemoryLimit: t.s.V.LuaMemoryLimit, Random: t.random})
}

// load compiles a script, or finds it in the cache. keep is set by SCRIPT LOAD: what a client loads it expects to find.
func (t *scriptState) load(text []byte, keep bool) (*scripting.Script, error) {
	if sc := t.byText[string(text)]; sc != nil {
		if keep && sc.Evictable() {
			t.lru.Remove(sc.Use)
			sc.Use = nil
		}
		return sc, nil
	}
	sc, err := t.engine.Compile(string(text))
	if err != nil {
		return nil, err
	}
	t.byText[sc.Text] = sc
	t.bySHA[sc.SHA] = sc
	t.bytes += int64(len(sc.Text))
	if !keep {
		sc.Use = t.lru.PushFront(sc)
		if limit := t.s.V.LuaMaxCachedScripts; limit > 0 {
			for int64(t.lru.Len()) > limit {
				t.forget(t.lru.Back().Value.(*scripting.Script))
			}
		}
	}
	return sc, nil
}

// forget drops a script that nobody promised to keep.
func (t *scriptState) forget(sc *scripting.Script) {
	t.lru.Remove(sc.Use)
	delete(t.byText, sc.Text)
	delete(t.bySHA, sc.SHA)
	t.bytes -= int64(len(sc.Text))
}

// find looks a digest up, in any letter case.
func (t *scriptState) find(sha []byte) *scripting.Script {
	var low [40]byte
	if len(sha) != len(low) {
		return nil
	}
	for i, b := range sha {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		low[i] = b
	}
	return t.bySHA[string(low[:])]
}

const errNoScript = "-NOSCRIPT No matching script. Please use EVAL."

func evalCommand(c *Client)      { evalGeneric(c, false, false) }
func evalRoCommand(c *Client)    { evalGeneric(c, false, true) }
func evalshaCommand(c *Client)   { evalGeneric(c, true, false) }
func evalshaRoCommand(c *Client) { evalGeneric(c, true, true) }

func evalGeneric(c *Client, bySHA, ro bool) {
	t := c.srv.scripts()
	if bySHA && len(c.args[1]) != 40 {
		c.addReplyError(errNoScript)
		return
	}
	keys, argv, ok := c.keysAndArgs("")
	if !ok {
		return
	}
	var sc *scripting.Script
	if bySHA {
		if sc = t.find(c.args[1]); sc == nil {
			c.addReplyError(errNoScript)
			return
		}
	} else {
		var err error
		if sc, err = t.load(c.args[1], false); err != nil {
			c.addReplyError(err.Error())
			return
		}
	}
	if sc.Evictable() {
		t.lru.MoveToFront(sc.Use)
	}
	if !t.prepare(c, sc, sc.Shebang, ro) {
		return
	}
	t.begin(c, sc)
	t.function = nil
	t.keys, t.argv = keys, argv
	t.execute(c, t.runScript)
}

// keysAndArgs reads "numkeys key … arg …" from the third argument on.
func (c *Client) keysAndArgs(bad string) (keys, argv [][]byte, ok bool) {
	n, ok := c.longArg(2, bad)
	if !ok {
		return nil, nil, false
	}
	if n > int64(len(c.args)-3) {
		c.addReplyError("Number of keys can't be greater than number of args")
		return nil, nil, false
	}
	if n < 0 {
		c.addReplyError("Number of keys can't be negative")
		return nil, nil, false
	}
	return c.args[3 : 3+n], c.args[3+n:], true
}

// prepare are the gates of a script that says by its flags what it does.
func (t *scriptState) prepare(c *Client, sc *scripting.Script, declared, ro bool) bool {
	s := t.s
	obey := c.isMaster()
	t.compat = !declared
	t.readOnly = ro || (declared && sc.Flags&scripting.NoWrites != 0)
	t.allowOOM = declared && sc.Flags&(scripting.AllowOOM|scripting.NoWrites) != 0
	t.oom = s.V.Maxmemory > 0 && !obey && s.memoryShort
	if !declared {
		return true
	}
	if s.stale() && !obey && sc.Flags&scripting.AllowStale == 0 {
		c.addReplyError(errMasterDown)
		return false
	}
	if sc.Flags&scripting.NoWrites == 0 {
		if s.Following() && s.V.ReplicaReadOnly && !obey {
			c.addReplyError("-READONLY You can not run script with write flag on readonly replica.")
			return false
		}
		if !obey && s.cannotPersist() {
			c.addReplyError(errMisconf)
			return false
		}
		if s.V.MinReplicasToWrite > 0 && !obey && s.tooFewReplicas() {
			c.addReplyError(errNoReplicas)
			return false
		}
		if ro {
			c.addReplyError("Can not execute a script with write flag using *_ro command.")
			return false
		}
	}
	if t.oom && !t.allowOOM {
		c.addReplyError("-OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'")
		return false
	}
	return true
}

// stale tells whether the data may be out of date and clients are not to see it.
func (s *Server) stale() bool {
	return s.Following() && !s.V.ReplicaServeStaleData && !s.Host.Replication().Up
}

// begin lends the script's client the state of the caller.
func (t *scriptState) begin(c *Client, sc *scripting.Script) {
	x := t.client
	x.db, x.user, x.authed, x.proto = c.db, c.user, c.authed, 2
	x.track, x.id = c.track, c.id
	x.flags = x.flags&^flagMaster | c.flags&flagMaster
	t.caller, t.running = c, sc
	t.wrote, t.killed = false, false
	t.replicates = true
	t.startedAt = t.s.monoNow
	t.engine.SetMemoryLimit(t.s.V.LuaMemoryLimit)
	if e := t.s.functions.engine; e != nil {
		e.SetMemoryLimit(t.s.V.LuaMemoryLimit)
	}
}

// end gives it back, and accounts for a failure.
func (t *scriptState) end(c *Client, start int, failed bool) {
	t.caller, t.running = nil, nil
	t.client.track = nil
	if r := t.panicked; r != nil {
		t.panicked = nil
		panic(r)
	}
	if failed && len(c.out) > start+3 && c.out[start] == '-' {
		c.afterErrorReply(c.out[start+1 : len(c.out)-2])
	}
}

// Call implements scripting.Host: the gates that stand before a command which a script calls, and the command.
func (t *scriptState) Call(args [][]byte) []byte {
	x, s := t.client, t.s
	x.out = x.out[:0]
	x.args = args
	cmd, _ := s.Table.LookupArgs(args)
	switch {
	case cmd == nil:
		return t.refuse("-ERR Unknown Redis command called from script")
	case !cmd.ArityOK(len(args)):
		return t.refuse("-ERR Wrong number of args calling Redis command from script")
	case cmd.Flags&CmdNoScript != 0 && !s.debug.allowDenied:
		return t.refuse("-ERR This Redis command is not allowed from script")
	}
	obey := x.isMaster()
	if cmd.Flags&CmdStale == 0 && !obey && s.stale() {
		return t.refuse("-ERR Can not execute the command on a stale replica")
	}
	if text := s.aclScriptCheck(t.caller, cmd, args); text != "" {
		return t.refuse("-ERR " + text)
	}
	if cmd.Flags&CmdWrite != 0 {
		if t.readOnly {
			return t.refuse("-ERR Write commands are not allowed from read-only scripts.")
		}
		if !obey && s.Following() && s.V.ReplicaReadOnly {
			return t.refuse(errReadOnly)
		}
		if !obey && s.cannotPersist() {
			return t.refuse(errMisconf)
		}
		if s.V.MinReplicasToWrite > 0 && !obey && s.tooFewReplicas() {
			return t.refuse(errNoReplicas)
		}
		// Once a script has written it goes on to its end: half of it would be worse than a little more memory.
		if t.oom && !t.wrote && !t.allowOOM && cmd.Flags&CmdDenyOOM != 0 {
			return t.refuse(errOOM)
		}
		t.wrote = true
	}
	x.cmd = cmd
	t.run()
	return x.out
}

func (t *scriptState) refuse(text string) []byte {
	t.client.out = append(append(t.client.out, text...), '\r', '\n')
	return t.client.out
}

// run calls the handler. The machine would take a panic for an error of the script: it is kept, and goes on when the script has ended.
func (t *scriptState) run() {
	defer func() {
		if r := recover(); r != nil {
			t.s.current = t.caller
			t.client.out = append(append(t.client.out[:0], errNoMemory...), '\r', '\n')
			var oom *dict.OutOfMemoryError
			if err, ok := r.(error); !ok || !errors.As(err, &oom) {
				t.panicked = r
			}
		}
	}()
	t.s.call(t.client)
}

// SetReplication implements scripting.Replicator.
func (t *scriptState) SetReplication(on bool) { t.replicates = on }

// SetResp implements scripting.Host.
func (t *scriptState) SetResp(proto int) { t.client.proto = proto }

// CheckACL implements scripting.Host.
func (t *scriptState) CheckACL(args [][]byte) (allowed, known bool) {
	cmd, _ := t.s.Table.LookupArgs(args)
	if cmd == nil {
		return false, false
	}
	d, _ := t.s.aclCheck(t.client.user, cmd, args)
	return d == notDenied, true
}

// Log implements scripting.Host.
func (t *scriptState) Log(level int, text string) { t.s.Host.Logf(LogLevel(level), "%s", text) }

// Nanos implements scripting.Host.
func (t *scriptState) Nanos() int64 { return t.s.Host.Nanos() }

func scriptLoadCommand(c *Client) {
	sc, err := c.srv.scripts().load(c.args[2], true)
	if err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.addReplyBulkString(sc.SHA)
}

func scriptExistsCommand(c *Client) {
	t := c.srv.scripts()
	c.addReplyArrayLen(len(c.args) - 2)
	for _, sha := range c.args[2:] {
		if t.find(sha) != nil {
			c.addReplyLongLong(1)
		} else {
			c.addReplyLongLong(0)
		}
	}
}

func scriptFlushCommand(c *Client) {
	if len(c.args) > 3 || (len(c.args) == 3 && !equalFold(c.args[2], "sync") && !equalFold(c.args[2], "async")) {
		c.addReplyError("SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	}
	c.srv.scripts().flush()
	c.addReplyOK()
}

func scriptShowCommand(c *Client) {
	sc := c.srv.scripts().find(c.args[2])
	if sc == nil {
		c.addReplyError(errNoScript)
		return
	}
	c.addReplyBulkString(sc.Text)
}

func scriptKillCommand(c *Client) { killScript(c, false) }

// killScript ends the script (or function) in execution, if it has not written yet.
func killScript(c *Client, function bool) {
	t := c.srv.script
	switch {
	case t == nil || t.caller == nil:
		c.addReplyError("-NOTBUSY No scripts in execution right now.")
	case t.caller.isMaster():
		c.addReplyError("-UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.")
	case t.wrote:
		c.addReplyError("-UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
	case function != (t.function != nil):
		if function {
			c.addReplyError(errBusyScript)
		} else {
			c.addReplyError(errBusyFunction)
		}
	default:
		t.killed = true
		c.addReplyOK()
	}
}

func scriptDebugCommand(c *Client) {
	if equalFold(c.args[2], "no") {
		c.addReplyOK()
		return
	}
	if equalFold(c.args[2], "yes") || equalFold(c.args[2], "sync") {
		c.addReplyError("SCRIPT DEBUG is not supported by this server")
		return
	}
	c.addReplyError("Use SCRIPT DEBUG YES/SYNC/NO")
}

func scriptHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"DEBUG (YES|SYNC|NO)",
		"    Set the debug mode for subsequent scripts executed.",
		"EXISTS <sha1> [<sha1> ...]",
		"    Return information about the existence of the scripts in the script cache.",
		"FLUSH [ASYNC|SYNC]",
		"    Flush the Lua scripts cache. Very dangerous on replicas.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the scripts cache.",
		"    * SYNC: Synchronously flush the scripts cache.",
		"KILL",
		"    Kill the currently executing Lua script.",
		"LOAD <script>",
		"    Load a script into the scripts cache without executing it.",
	})
}

// cachedScripts is the number of scripts that EVALSHA finds.
func (s *Server) cachedScripts() int {
	if s.script == nil {
		return 0
	}
	return len(s.script.bySHA)
}
