package scripting

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// The engine by itself: scripts by text or digest, Go values in and out. A server has its own cache and wants RESP; it uses Compile and Run.
//
//	e := scripting.New(scripting.Commands{Do: do}.Host(), scripting.Options{})
//	v, err := e.Eval("return redis.call('GET', KEYS[1])", []string{"k"}, nil)
//
// All of it belongs to the goroutine that owns the engine, as the rest of the engine does.

// ErrNoScript is the error of EvalSHA for a digest that LoadScript and Eval have not seen since the last FlushScripts.
var ErrNoScript error = ReplyError("NOSCRIPT No matching script. Please use EVAL.")

// ErrBusy is the error of a call that is made while a script of the same engine runs, that is, by the script's own host.
var ErrBusy = errors.New("scripting: the engine is running a script")

// ReplyError is an error reply: of a script that failed or does not compile, of a command, or a value {err=…} inside of a result. It begins
// with the error's code ("ERR", "WRONGTYPE") and has no line break.
type ReplyError string

// Error implements error.
func (e ReplyError) Error() string { return string(e) }

// Status is a status reply, such as "OK".
type Status string

// Map is a map of RESP3, in the order in which it came.
type Map []MapEntry

// MapEntry is one field of a Map.
type MapEntry struct{ Key, Value any }

// LoadScript compiles a script, keeps it and returns its digest: 40 hexadecimal digits. The error is a ReplyError.
func (e *Engine) LoadScript(text string) (sha string, err error) {
	s, err := e.cached(text)
	if err != nil {
		return "", err
	}
	return s.SHA, nil
}

func (e *Engine) cached(text string) (*Script, error) {
	if e.running {
		return nil, ErrBusy
	}
	if s := e.byText[text]; s != nil {
		return s, nil
	}
	s, err := e.Compile(text)
	if err != nil {
		return nil, ReplyError("ERR " + err.Error())
	}
	if e.byText == nil {
		e.byText, e.bySHA = make(map[string]*Script), make(map[string]*Script)
	}
	e.byText[s.Text], e.bySHA[s.SHA] = s, s
	return s, nil
}

// ScriptExists tells of each digest, written in lower case, whether EvalSHA would find its script.
func (e *Engine) ScriptExists(shas ...string) []bool {
	found := make([]bool, len(shas))
	for i, sha := range shas {
		found[i] = e.bySHA[sha] != nil
	}
	return found
}

// FlushScripts forgets every script that Eval and LoadScript have kept.
func (e *Engine) FlushScripts() { e.byText, e.bySHA = nil, nil }

// Eval runs a script with its KEYS and ARGV, and keeps it for EvalSHA. The result is nil, an int64, string, Status, bool, float64, *big.Int,
// []any (arrays and sets) or Map; inside of those also a ReplyError. A script that fails, or answers an error, returns it as a ReplyError.
//
// The flags of a shebang line are not enforced: that is the host's business, who knows which commands write (see Compile).
func (e *Engine) Eval(text string, keys, args []string) (any, error) {
	s, err := e.cached(text)
	if err != nil {
		return nil, err
	}
	return e.eval(s, keys, args)
}

// EvalSHA is Eval of a script that is known by its digest, in lower case. The error of one that is not is ErrNoScript.
func (e *Engine) EvalSHA(sha string, keys, args []string) (any, error) {
	s := e.bySHA[sha]
	switch {
	case e.running:
		return nil, ErrBusy
	case s == nil:
		return nil, ErrNoScript
	}
	return e.eval(s, keys, args)
}

func (e *Engine) eval(s *Script, keys, args []string) (any, error) {
	out, _ := e.Run(nil, s, bytesOf(keys), bytesOf(args), 3)
	v, _, err := decodeReply(out)
	if err != nil {
		panic("scripting: a reply of our own: " + err.Error())
	}
	if failure, ok := v.(ReplyError); ok {
		return nil, failure
	}
	return v, nil
}

func bytesOf(s []string) [][]byte {
	b := make([][]byte, len(s))
	for i := range s {
		b[i] = []byte(s[i])
	}
	return b
}

// decodeReply makes Go values of one whole reply and returns what follows it.
func decodeReply(b []byte) (v any, rest []byte, err error) {
	i := 1
	for i+1 < len(b) && b[i] != '\r' {
		i++
	}
	if i+1 >= len(b) {
		return nil, nil, errors.New("an unfinished reply")
	}
	line, rest := string(b[1:i]), b[i+2:]
	n := 0
	switch b[0] {
	case '$', '=', '*', '~', '>', '%':
		if n, err = strconv.Atoi(line); err != nil {
			return nil, nil, err
		}
		if n < 0 {
			return nil, rest, nil
		}
	}
	switch b[0] {
	case ':':
		v, err = strconv.ParseInt(line, 10, 64)
	case '+':
		v = Status(line)
	case '-':
		v = ReplyError(line)
	case '_':
	case '#':
		v = line == "t"
	case ',':
		v, err = strconv.ParseFloat(line, 64)
	case '(':
		if x, ok := new(big.Int).SetString(line, 10); ok {
			v = x
		} else {
			v = line // a script may call anything a number
		}
	case '$', '=':
		if len(rest) < n+2 {
			return nil, nil, errors.New("an unfinished reply")
		}
		text := string(rest[:n])
		if b[0] == '=' {
			text = text[min(4, n):]
		}
		return text, rest[n+2:], nil
	case '*', '~', '>':
		list := make([]any, 0, min(n, len(rest)))
		for range n {
			var x any
			if x, rest, err = decodeReply(rest); err != nil {
				return nil, nil, err
			}
			list = append(list, x)
		}
		v = list
	case '%':
		m := make(Map, 0, min(n, len(rest)))
		for range n {
			var f MapEntry
			if f.Key, rest, err = decodeReply(rest); err != nil {
				return nil, nil, err
			}
			if f.Value, rest, err = decodeReply(rest); err != nil {
				return nil, nil, err
			}
			m = append(m, f)
		}
		v = m
	default:
		err = fmt.Errorf("no such reply: %q", b[:1])
	}
	return v, rest, err
}

// Commands is a Host of Go functions, each of which may be nil. Its methods are called on the goroutine that runs the script.
type Commands struct {
	// Do executes a command for redis.call. It may return nil, a string, []byte, Status, bool, float64, any integer type, []string, []any,
	// Map or *big.Int; an error, as the error or the value, becomes an error reply, with the code "ERR" unless its text begins with a code
	// of upper-case letters. The arguments are views of Lua's strings: they must not be changed or kept. Nil: there are no commands.
	Do func(args [][]byte) (any, error)
	// Print takes the lines of redis.log; the level goes from 0, debug, to 3, warning.
	Print func(level int, text string)
	// Now is a monotonic clock in nanoseconds, which bounds how long a library may take to load. Nil: no bound.
	Now func() int64
	// Stop is asked about once a millisecond of a script's work: an error ends the script with it, past every pcall. It is the place to look at a
	// context or a deadline. Nil: scripts run to their end.
	Stop func() error
}

// commandHost is Commands at work.
type commandHost struct {
	Commands
	proto int
	out   []byte
}

// Host makes a Host of the functions, for New.
func (c Commands) Host() Host { return &commandHost{Commands: c, proto: 2} }

func (h *commandHost) Call(args [][]byte) []byte {
	if h.Do == nil {
		return []byte("-ERR Unknown Redis command called from script\r\n")
	}
	v, err := h.Do(args)
	if err != nil {
		v = err
	}
	h.out = appendReply(h.out[:0], v, h.proto)
	return h.out
}

func (h *commandHost) SetResp(proto int) { h.proto = proto }

func (h *commandHost) CheckACL([][]byte) (allowed, known bool) { return h.Do != nil, h.Do != nil }

func (h *commandHost) Log(level int, text string) {
	if h.Print != nil {
		h.Print(level, text)
	}
}

func (h *commandHost) Nanos() int64 {
	if h.Now == nil {
		return 0
	}
	return h.Now()
}

func (h *commandHost) Interrupt() error {
	if h.Stop == nil {
		return nil
	}
	return h.Stop()
}

// appendReply writes a Go value as a reply.
func appendReply(dst []byte, v any, proto int) []byte {
	switch v := v.(type) {
	case nil:
		return resp.AppendNull(dst, proto)
	case string:
		return resp.AppendBulkString(dst, v)
	case []byte:
		return resp.AppendBulk(dst, v)
	case Status:
		return resp.AppendSimple(dst, oneLine(string(v)))
	case bool:
		return resp.AppendBool(dst, proto, v)
	case float64:
		return resp.AppendDouble(dst, proto, v)
	case float32:
		return resp.AppendDouble(dst, proto, float64(v))
	case int:
		return resp.AppendInt(dst, int64(v))
	case int64:
		return resp.AppendInt(dst, v)
	case int32, int16, int8, uint, uint64, uint32, uint16, uint8:
		n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		if err != nil {
			return resp.AppendBulkString(dst, fmt.Sprint(v)) // above the range of a reply
		}
		return resp.AppendInt(dst, n)
	case *big.Int:
		return resp.AppendBigNumber(dst, proto, v.String())
	case error:
		text := oneLine(v.Error())
		if !hasCode(text) {
			text = "ERR " + text
		}
		return resp.AppendError(dst, text)
	case []string:
		dst = resp.AppendArray(dst, len(v))
		for _, s := range v {
			dst = resp.AppendBulkString(dst, s)
		}
		return dst
	case []any:
		dst = resp.AppendArray(dst, len(v))
		for _, x := range v {
			dst = appendReply(dst, x, proto)
		}
		return dst
	case Map:
		dst = resp.AppendMap(dst, proto, len(v))
		for _, f := range v {
			dst = appendReply(appendReply(dst, f.Key, proto), f.Value, proto)
		}
		return dst
	}
	return resp.AppendError(dst, fmt.Sprintf("ERR a command returned a %T", v))
}

// hasCode tells whether an error's text begins with a word in upper case.
func hasCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == ' ' {
			return i > 0
		} else if c < 'A' || c > 'Z' {
			return false
		}
	}
	return false
}
