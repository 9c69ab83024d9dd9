package commands

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestKeys pins the commands in which finding the keys takes more than a range.
// Each key is shown with its flags.
func TestKeys(t *testing.T) {
	table := wholeTable(t)
	for line, want := range map[string]string{
		"GET a":                                   "a[RO access]",
		"MSET a 1 b 2":                            "a[OW update] b[OW update]",
		"SET a 1":                                 "a[OW update]",
		"SET a 1 EX 5 get":                        "a[RW access update]",
		"BITFIELD a GET u8 0":                     "a[RO access]",
		"BITFIELD a GET u8 0 SET u8 0 1":          "a[RW access update]",
		"SORT a BY x GET y STORE b STORE c":       "a[RO access] c[OW update]",
		"SORT a GET store x":                      "a[RO access]",
		"MIGRATE h 1 a 0 9":                       "a[RW access delete]",
		`MIGRATE h 1 "" 0 9 KEYS a b`:             "a[RW access delete] b[RW access delete]",
		`MIGRATE h 1 "" 0 9 AUTH keys KEYS a`:     "a[RW access delete]",
		"MIGRATE h 1 a 0 9 KEYS b":                "error",
		"EVAL s 2 a b c":                          "a[RW access update] b[RW access update]",
		"EVAL s 0":                                "",
		"EVAL s x a":                              "",
		"ZUNIONSTORE d 2 a b WEIGHTS 1 2":         "d[OW update] a[RO access] b[RO access]",
		"ZUNIONSTORE d 2x a b":                    "a[] b[] d[]",
		"ZUNIONSTORE d 9 a b":                     "error",
		"ZUNION 99999999999999999999 a":           "error",
		"XREAD COUNT 1 STREAMS a b 0 0":           "a[RO access] b[RO access]",
		"XREADGROUP GROUP streams c STREAMS a 0":  "a[RO access]",
		"XREAD COUNT 1 BLOCK 1":                   "error",
		"GEORADIUS a 1 2 3 m STORE b":             "a[RO access] b[OW update]",
		"GEORADIUS a 1 2 3 m STORE b STOREDIST c": "a[RO access] b[OW update] c[OW update]",
		"MEMORY USAGE a":                          "a[RO]",
		"OBJECT ENCODING a":                       "a[RO]",
		"LCS a b":                                 "a[RO access] b[RO access]",
		"BLPOP a b 0":                             "a[RW access delete] b[RW access delete]",
		"BLMPOP 0 2 a b LEFT":                     "a[RW access delete] b[RW access delete]",
		"COPY a b":                                "a[RO access] b[OW update]",
		"MSETEX 2 a 1 b 2 EX 3":                   "a[OW update] b[OW update]",
		"MSETEX 2 a 1 b":                          "a[OW update] b[OW update]",
		"MSETEX 2 a 1":                            "error",
		"PING x":                                  "",
	} {
		call := argv(line)
		cmd, _ := table.LookupArgs(call)
		got := "error"
		if cmd.HasKeys() {
			if keys, err := cmd.Keys(call, nil); err == nil {
				got = describeKeys(call, keys)
			} else if err != ErrNoKeys || len(keys) != 0 {
				t.Errorf("%s: %v %v", line, keys, err)
			}
		} else {
			got = ""
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

func describeKeys(call [][]byte, keys []KeyRef) string {
	var list []string
	for _, k := range keys {
		list = append(list, fmt.Sprintf("%s%v", call[k.Pos], k.Flags.Names(nil)))
	}
	return strings.Join(list, " ")
}

// TestKeysAppends checks that a caller's own entries survive success and failure.
func TestKeysAppends(t *testing.T) {
	table := wholeTable(t)
	for _, line := range []string{"GET a", "ZUNION 9 a", "SORT a STORE b", "XREAD STREAMS a"} {
		call := argv(line)
		cmd := table.Lookup(call[0])
		mine := []KeyRef{{Pos: 77}}
		got, _ := cmd.Keys(call, mine)
		if len(got) == 0 || got[0].Pos != 77 {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestKeysDoesNotAllocate(t *testing.T) {
	table := wholeTable(t)
	room := make([]KeyRef, 0, 8)
	for _, line := range []string{
		"GET a", "MSET a 1 b 2", "SET a 1 EX 10", "ZUNIONSTORE d 2 a b", "XREAD STREAMS a 0", "SORT a STORE b", "EVAL s 1 a",
	} {
		call := argv(line)
		cmd := table.Lookup(call[0])
		if n := testing.AllocsPerRun(100, func() {
			if keys, err := cmd.Keys(call, room); err != nil || len(keys) == 0 {
				t.Fatal(line, keys, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

func TestChannelArgs(t *testing.T) {
	table := wholeTable(t)
	for line, want := range map[string]string{
		"SUBSCRIBE a b": "[a b]", "PUBLISH a b": "[a]", "UNSUBSCRIBE": "[]", "PSUBSCRIBE a*": "[a*]", "SPUBLISH a b": "[a]",
		"SSUBSCRIBE a": "[a]", "GET a": "[]",
	} {
		call := argv(line)
		if got := fmt.Sprintf("%s", table.Lookup(call[0]).ChannelArgs(call)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// FuzzKeys feeds any arguments that satisfy the arity to the key finders: they
// must not panic, and every position must be an argument.
func FuzzKeys(f *testing.F) {
	table := wholeTable(f)
	for _, line := range []string{
		"0 2 a b", `h 1 "" 0 9 KEYS a`, "GROUP g c STREAMS a 0", "a BY x LIMIT 1", "a STORE", "-1 KEYS", "s 99999999999 a",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		rest := strings.Split(line, " ")
		for id := range table.Len() {
			cmd := table.ByID(id)
			var call [][]byte
			for _, w := range append(strings.Split(cmd.FullName, "|"), rest...) {
				call = append(call, []byte(w))
			}
			if !cmd.ArityOK(len(call)) {
				continue
			}
			keys, err := cmd.Keys(call, nil)
			if err != nil && len(keys) > 0 {
				t.Fatalf("%q: %v and an error", call, keys)
			}
			for _, k := range keys {
				if k.Pos < 1 || k.Pos >= len(call) {
					t.Fatalf("%q: key at %d", call, k.Pos)
				}
			}
		}
	})
}

// TestLegacyRange pins the rule by which specs become first key, last key and
// step; the live comparison covers only the shapes that Redis has.
func TestLegacyRange(t *testing.T) {
	for _, c := range []struct {
		specs []KeySpec
		want  string
	}{
		{nil, "0 0 0 false"},
		{[]KeySpec{keyAt(1, 0)}, "1 1 1 false"},
		{[]KeySpec{keyAt(2, 0)}, "2 2 1 false"},
		{[]KeySpec{keysFrom(1, -2, 1, 0)}, "1 -2 1 false"},
		{[]KeySpec{keysFrom(1, -1, 2, 0)}, "1 -1 2 false"},
		{[]KeySpec{keysFrom(1, -1, 1, KeyIncomplete)}, "1 -1 1 true"},
		{[]KeySpec{keysRun(1, 2, 0)}, "1 2 1 false"},
		{[]KeySpec{keyAt(1, 0), keyAt(2, 0)}, "1 2 1 false"},
		{[]KeySpec{keyAt(1, 0), keyAt(3, 0)}, "1 1 1 true"},
		{[]KeySpec{keyAt(1, 0), keysFrom(2, -1, 1, 0)}, "1 -1 1 false"},
		{[]KeySpec{keyAt(1, 0), keysFrom(2, -1, 2, 0)}, "1 1 1 true"},
		{[]KeySpec{keyAt(1, 0), keysCounted(2, 0)}, "1 1 1 true"},
		{[]KeySpec{keysCounted(1, 0)}, "0 0 0 true"},
		{[]KeySpec{keySomewhere(0)}, "0 0 0 true"},
		{[]KeySpec{keyAt(1, 0), keyAt(2, KeyIncomplete)}, "1 2 1 true"},
	} {
		first, last, step, movable := legacyRange(c.specs)
		if got := fmt.Sprint(first, last, step, movable); got != c.want {
			t.Errorf("%+v: %s, want %s", c.specs, got, c.want)
		}
	}
}

func TestLooseInt(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "5": 5, " \t\n7x": 7, "+3": 3, "-4": -4, "--4": 0, "x": 0, "4294967297": 1, "99999999999999999999": -1,
	} {
		if got := looseInt([]byte(s)); got != want {
			t.Errorf("looseInt(%q) = %d, want %d", s, got, want)
		}
	}
}

// keyWords are what random calls are made of: the words that the finders know,
// counts good and bad, and keys.
var keyWords = strings.Fields("a b c d k1 k2 0 1 2 3 9 -1 2x +2 01 99999999999999999999 " +
	"STREAMS streams STORE store STOREDIST KEYS keys GET get SET INCRBY OVERFLOW SAT BY LIMIT ALPHA COUNT BLOCK GROUP NOACK " +
	"AUTH AUTH2 COPY REPLACE EX NX WEIGHTS AGGREGATE MIN LEFT RIGHT WITHSCORES u8 m")

// TestKeysEqualRedis sends random calls of every command that has keys to the live server's
// COMMAND GETKEYSANDFLAGS and compares keys, flags and errors.
func TestKeysEqualRedis(t *testing.T) {
	const perCommand = 60
	table := sevenZero(t)
	conn := live(t, 2)
	rnd := rand.New(rand.NewPCG(1, 2))
	var calls [][]string
	for id := range table.Len() {
		cmd := table.ByID(id)
		if !cmd.HasKeys() {
			continue
		}
		names := strings.Split(cmd.FullName, "|")
		least := max(cmd.Arity, -cmd.Arity)
		for range perCommand {
			call := append([]string{"COMMAND", "GETKEYSANDFLAGS"}, names...)
			n := least
			if cmd.Arity < 0 || rnd.IntN(10) == 0 {
				n += rnd.IntN(8)
			}
			for len(call) < 2+n {
				w := keyWords[rnd.IntN(len(keyWords))]
				if rnd.IntN(30) == 0 {
					w = ""
				}
				call = append(call, w)
			}
			calls = append(calls, call)
		}
	}
	failures := 0
	for batch := range slices.Chunk(calls, 200) {
		var out []byte
		for _, call := range batch {
			out = testutil.AppendCommand(out, call...)
		}
		if _, err := conn.Write(out); err != nil {
			t.Fatal(err)
		}
		for _, call := range batch {
			want, _, err := conn.Read()
			if err != nil {
				t.Fatalf("%q: %v", call, err)
			}
			if got := ask(t, table, 2, call...); got.String() != want.String() {
				t.Errorf("%q\n got %s\nwant %s", call[2:], got, want)
				if failures++; failures == 20 {
					t.FailNow()
				}
			}
		}
	}
	t.Logf("%d calls compared", len(calls))
}
