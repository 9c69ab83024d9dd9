package scripting

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// store is a host with two commands and every kind of reply.
func store() (Commands, map[string]string) {
	data := map[string]string{}
	return Commands{Do: func(args [][]byte) (any, error) {
		switch string(args[0]) {
		case "GET":
			if v, ok := data[string(args[1])]; ok {
				return v, nil
			}
			return nil, nil
		case "SET":
			data[string(args[1])] = string(args[2])
			return Status("OK"), nil
		case "KINDS":
			return []any{1, int64(2), uint8(3), uint64(1<<63 + 1), "s", []byte("b"), true, 2.5, float32(0.5), nil, []string{"x"},
				Map{{"k", "v"}}, errors.New("inner"), big.NewInt(7)}, nil
		case "ODD":
			return struct{}{}, nil
		}
		return nil, fmt.Errorf("NOSUCH command %s\r\n", args[0])
	}}, data
}

func TestEval(t *testing.T) {
	commands, data := store()
	e := New(commands.Host(), Options{Version: "7.0.15"})
	for _, c := range []struct {
		script string
		want   any
	}{
		{"return nil", nil},
		{"return false", nil},
		{"return 3.99", int64(3)},
		{"return 'text'", "text"},
		{"return {ok='FINE'}", Status("FINE")},
		{"return {1,'two',{3},{err='X y'}}", []any{int64(1), "two", []any{int64(3)}, ReplyError("X y")}},
		{"return {double=2.5}", 2.5},
		{"return {map={a=1}}", Map{{"a", int64(1)}}},
		{"return {set={a=true}}", []any{"a"}},
		{"return {big_number='12345678901234567890'}", func() any { n, _ := new(big.Int).SetString("12345678901234567890", 10); return n }()},
		{"return {big_number='x'}", "x"},
		{"return {verbatim_string={format='txt',string='abc'}}", "abc"},
		{"redis.setresp(3) return {true,false}", []any{true, false}},
		{"return {KEYS[1],ARGV[1],#KEYS,#ARGV}", []any{"k", "a", int64(1), int64(2)}},
		{"return redis.call('SET',KEYS[1],ARGV[2])", Status("OK")},
		{"return redis.call('GET',KEYS[1])", "b"},
		{"return redis.call('GET','absent')", nil},
		{"local r = redis.call('KINDS') return {#r, r[4], r[7], r[8], r[9], type(r[10]), r[11], r[12], r[13], r[14]}",
			[]any{int64(14), "9223372036854775809", int64(1), "2.5", "0.5", "boolean", []any{"x"}, []any{"k", "v"}, ReplyError("ERR inner"), "7"}},
		{"redis.setresp(3) local r = redis.call('KINDS') return {tostring(r[7]), r[8], type(r[10]), r[12], r[14].big_number}",
			[]any{"true", 2.5, "nil", Map{{"k", "v"}}, "7"}},
	} {
		for range 2 { // compiled, and from the cache
			got, err := e.Eval(c.script, []string{"k"}, []string{"a", "b"})
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %#v, %v, want %#v", c.script, got, err, c.want)
			}
		}
	}
	if data["k"] != "b" {
		t.Errorf("the host holds %v", data)
	}
}

func TestEvalErrors(t *testing.T) {
	commands, _ := store()
	e := New(commands.Host(), Options{})
	for script, want := range map[string]string{
		"return 1 +":                  "ERR Error compiling script (new function): user_script:1: ",
		"return redis.call('ABSENT')": "NOSUCH command ABSENT   script: ",
		"return redis.call('ODD')":    "ERR a command returned a struct {} script: ",
		"return {err='MINE x'}":       "MINE x",
		"error('boom')":               "ERR user_script:1: boom script: ",
		"x = 1":                       "ERR user_script:1: Attempt to modify a readonly table script: ",
	} {
		v, err := e.Eval(script, nil, nil)
		var re ReplyError
		if !errors.As(err, &re) || !strings.HasPrefix(string(re), want) || v != nil {
			t.Errorf("%s: %v, %v", script, v, err)
		}
	}
	if _, err := New(nil, Options{}).Eval("return redis.call('GET','k')", nil, nil); err == nil ||
		!strings.HasPrefix(err.Error(), "ERR Unknown Redis command called from script") {
		t.Errorf("without a host: %v", err)
	}
}

func TestEvalCache(t *testing.T) {
	e := New(nil, Options{})
	const text = "return 1"
	sha, err := e.LoadScript(text)
	if err != nil || sha != SHA1([]byte(text)) {
		t.Fatalf("%q, %v", sha, err)
	}
	if v, err := e.EvalSHA(sha, nil, nil); err != nil || v != int64(1) {
		t.Errorf("%v, %v", v, err)
	}
	if got := e.ScriptExists(sha, strings.Repeat("0", 40)); !reflect.DeepEqual(got, []bool{true, false}) {
		t.Errorf("ScriptExists: %v", got)
	}
	e.FlushScripts()
	if _, err := e.EvalSHA(sha, nil, nil); err != ErrNoScript {
		t.Errorf("after a flush: %v", err)
	}
	if _, err := e.Eval(text, nil, nil); err != nil {
		t.Error(err)
	}
	if !e.ScriptExists(sha)[0] {
		t.Error("Eval did not keep its script")
	}
	if _, err := e.LoadScript("("); err == nil || e.ScriptExists(SHA1([]byte("(")))[0] {
		t.Errorf("a bad script: %v", err)
	}
}

// TestEvalStops: the host ends a script, past every pcall, and may not enter the engine while it runs.
func TestEvalStops(t *testing.T) {
	var e *Engine
	stop := errors.New("enough")
	var inner error
	var lines []string
	e = New(Commands{
		Do:    func([][]byte) (any, error) { _, inner = e.Eval("return 1", nil, nil); return nil, nil },
		Print: func(level int, text string) { lines = append(lines, fmt.Sprint(level, text)) },
		Stop:  func() error { return stop },
	}.Host(), Options{})
	if _, err := e.Eval("while true do pcall(function() while true do end end) end", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "ERR enough script: ") {
		t.Errorf("an endless script: %v", err)
	}
	if _, err := e.Eval("redis.log(redis.LOG_WARNING,'a','b') return redis.call('X')", nil, nil); err != nil || inner != ErrBusy {
		t.Errorf("a script within a script: %v, %v", err, inner)
	}
	if !reflect.DeepEqual(lines, []string{"3a b"}) {
		t.Errorf("logged %q", lines)
	}
}

// FuzzDecodeReply: no bytes make the decoder panic, and what it reads of a whole reply ends where the reply does.
func FuzzDecodeReply(f *testing.F) {
	for _, s := range []string{":1\r\n", "$3\r\nabc\r\n", "*2\r\n+a\r\n-b c\r\n", "%1\r\n$1\r\na\r\n,1.5\r\n", "~1\r\n#t\r\n", "=5\r\ntxt:a\r\n", "_\r\n", "(12\r\n", "$-1\r\n", "*99999999\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, rest, err := decodeReply(append([]byte{}, b...)); err == nil && len(rest) > len(b) {
			t.Fatal("more is left than there was")
		}
	})
}

func ExampleEngine() {
	counters := map[string]int{}
	engine := New(Commands{Do: func(args [][]byte) (any, error) {
		if len(args) == 2 && string(args[0]) == "INCR" {
			counters[string(args[1])]++
			return counters[string(args[1])], nil
		}
		return nil, errors.New("unknown command")
	}}.Host(), Options{})

	sha, err := engine.LoadScript(`
		local n = redis.call('INCR', KEYS[1])
		if n > tonumber(ARGV[1]) then return redis.error_reply('LIMIT of ' .. ARGV[1] .. ' reached') end
		return n`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(engine.EvalSHA(sha, []string{"visits"}, []string{"2"}))
	}
	fmt.Println(engine.ScriptExists(sha))
	engine.FlushScripts()
	fmt.Println(engine.EvalSHA(sha, []string{"visits"}, []string{"2"}))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// <nil> LIMIT of 2 reached
	// [true]
	// <nil> NOSCRIPT No matching script. Please use EVAL.
}
