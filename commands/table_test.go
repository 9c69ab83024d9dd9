package commands

import (
	"fmt"
	"strings"
	"testing"
)

// everyRow returns all rows, those without a handler with an empty one, so that
// tests see the whole table whatever is implemented.
func everyRow() []*Command {
	rows := allRows()
	for _, c := range rows {
		if c.Proc == nil && len(c.Subcommands) == 0 {
			c.Proc = func(*Client) {}
		}
		for _, s := range c.Subcommands {
			if s.Proc == nil {
				s.Proc = func(*Client) {}
			}
		}
	}
	return rows
}

func wholeTable(tb testing.TB) *Table {
	tb.Helper()
	t, err := newTable(everyRow(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func argv(line string) [][]byte {
	var list [][]byte
	for _, w := range strings.Fields(line) {
		if w == `""` {
			w = ""
		}
		list = append(list, []byte(w))
	}
	return list
}

// TestRowsAreWhole checks what every row must have, whoever wrote it.
func TestRowsAreWhole(t *testing.T) {
	missing := 0
	var check func(c *Command, prefix string)
	check = func(c *Command, prefix string) {
		name := prefix + c.Name
		if c.Name != lowerString(c.Name) || c.Summary == "" || c.Since == "" || c.Arity == 0 {
			t.Errorf("%s: name in small letters, summary, since and arity are needed", name)
		}
		if !strings.HasSuffix(c.Summary, ".") {
			t.Errorf("%s: the summary is no sentence: %q", name, c.Summary)
		}
		if c.Flags.Has(CmdWrite) && c.Flags.Has(CmdReadonly) {
			t.Errorf("%s: both write and readonly", name)
		}
		if prefix != "" && len(c.Subcommands) > 0 {
			t.Errorf("%s: subcommands of a subcommand", name)
		}
		checkKeySpecIndexes(t, name, c.Args, len(c.KeySpecs))
		if c.Proc == nil && len(c.Subcommands) == 0 {
			missing++
			t.Logf("no handler yet: %s", name)
		}
		for _, s := range c.Subcommands {
			check(s, name+" ")
		}
	}
	for _, c := range allRows() {
		check(c, "")
	}
	t.Logf("%d rows have no handler and are left out of the table", missing)
}

func checkKeySpecIndexes(t *testing.T, name string, args []Arg, specs int) {
	for i := range args {
		a := &args[i]
		if a.KeySpec >= specs || a.Type == ArgKey && a.KeySpec < 0 {
			t.Errorf("%s: argument %s has key spec %d of %d", name, a.Name, a.KeySpec, specs)
		}
		if (a.Type == ArgOneOf || a.Type == ArgBlock) != (len(a.Args) > 0) {
			t.Errorf("%s: argument %s of type %s has %d inner ones", name, a.Name, a.Type, len(a.Args))
		}
		checkKeySpecIndexes(t, name, a.Args, specs)
	}
}

func TestOnlyCallableRowsAreInTheTable(t *testing.T) {
	proc := func(*Client) {}
	table, err := newTable([]*Command{
		{Name: "plain", Proc: proc},
		{Name: "later"},
		{Name: "box", Subcommands: []*Command{{Name: "in", Proc: proc}, {Name: "later"}}},
		{Name: "empty", Subcommands: []*Command{{Name: "later"}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for id := range table.Len() {
		c := table.ByID(id)
		if c.ID != id {
			t.Errorf("%s has ID %d at %d", c.FullName, c.ID, id)
		}
		names = append(names, c.FullName)
	}
	if got := strings.Join(names, " "); got != "box box|in plain" {
		t.Errorf("table holds %q", got)
	}
	if cmd, box := table.LookupArgs(argv("BOX later")); cmd != nil || box == nil {
		t.Errorf("a subcommand without a handler was found: %v %v", cmd, box)
	}
}

func TestLookup(t *testing.T) {
	table := wholeTable(t)
	for _, c := range table.Commands() {
		for _, name := range []string{c.Name, strings.ToUpper(c.Name), strings.ToUpper(c.Name[:1]) + c.Name[1:]} {
			if got := table.Lookup([]byte(name)); got != c {
				t.Fatalf("Lookup(%q) = %v", name, got)
			}
		}
		// Neighbours of the name must not be taken for it.
		for _, name := range []string{c.Name + "x", c.Name + "\x00", c.Name[1:], c.Name[:len(c.Name)-1], c.Name + c.Name} {
			if got := table.Lookup([]byte(name)); got != nil && got.Name != name {
				t.Fatalf("Lookup(%q) = %s", name, got.Name)
			}
		}
		for i := range len(c.Name) {
			b := []byte(c.Name)
			b[i] ^= 0x40
			if got := table.Lookup(b); got != nil {
				t.Fatalf("Lookup(%q) = %s", b, got.Name)
			}
		}
		for _, s := range c.Subcommands {
			if got := c.Sub([]byte(strings.ToUpper(s.Name))); got != s || s.Parent() != c || s.topName() != c.Name {
				t.Fatalf("%s: Sub = %v, parent %v", s.FullName, got, s.Parent())
			}
		}
	}
	if table.Lookup(nil) != nil {
		t.Error("the empty name was found")
	}
}

// TestLowerWord checks the folding of eight bytes at once against the plain
// way, for every byte at every place.
func TestLowerWord(t *testing.T) {
	for place := range 8 {
		for b := range 256 {
			const others = 0x41617a5a405b7bff // letters and their neighbours
			shift := 8 * place
			word := uint64(others)&^(0xff<<shift) | uint64(b)<<shift
			want := uint64(0)
			for i := range 8 {
				c := byte(word >> (8 * i))
				if c >= 'A' && c <= 'Z' {
					c += 32
				}
				want |= uint64(c) << (8 * i)
			}
			if got := lowerWord(word); got != want {
				t.Fatalf("lowerWord(%016x) = %016x, want %016x", word, got, want)
			}
		}
	}
}

func TestLookupArgs(t *testing.T) {
	table := wholeTable(t)
	for line, want := range map[string]string{
		"GET k":             "get -",
		"get":               "get -",
		"CONFIG":            "config -",
		"config GET x":      "config|get config",
		"Config nosuch":     "- config",
		"COMMAND":           "command -",
		"COMMAND count":     "command|count command",
		"nosuch":            "- -",
		"nosuch sub":        "- -",
		"client NO-EVICT x": "client|no-evict client",
	} {
		cmd, container := table.LookupArgs(argv(line))
		name := func(c *Command) string {
			if c == nil {
				return "-"
			}
			return c.FullName
		}
		if got := name(cmd) + " " + name(container); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	for name, want := range map[string]string{
		"get": "get", "CONFIG|Get": "config|get", "config": "config", "config|": "", "|get": "", "config|get|x": "",
		"get|x": "", "": "", "nosuch|get": "",
	} {
		got := ""
		if c := table.LookupFull([]byte(name)); c != nil {
			got = c.FullName
		}
		if got != want {
			t.Errorf("LookupFull(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestArity(t *testing.T) {
	for _, c := range []struct {
		arity, argc int
		ok          bool
	}{{2, 1, false}, {2, 2, true}, {2, 3, false}, {-2, 1, false}, {-2, 2, true}, {-2, 9, true}} {
		if got := (&Command{Arity: c.arity}).ArityOK(c.argc); got != c.ok {
			t.Errorf("arity %d, %d arguments: %v", c.arity, c.argc, got)
		}
	}
}

func TestRename(t *testing.T) {
	secret := strings.Repeat("Secret", 9)
	table, err := newTable(everyRow(), []Rename{
		{"FLUSHALL", ""}, {"config", secret}, {"get", "fetch"}, {"set", "get"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"flushall": "", "config": "", secret: "config", strings.ToUpper(secret): "config", secret[1:]: "",
		"fetch": "get", "GET": "set", "set": "",
	} {
		got := ""
		if c := table.Lookup([]byte(name)); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("Lookup(%q) = %q, want %q", name, got, want)
		}
	}
	if c := table.LookupOriginal("flushall"); c == nil || c.Name != "flushall" {
		t.Error("a disabled command is not found by its own name")
	}
	if cmd, _ := table.LookupArgs(argv(secret + " get x")); cmd == nil || cmd.FullName != "config|get" {
		t.Errorf("a renamed container lost its subcommands: %v", cmd)
	}
	if got, want := len(table.Commands()), len(everyRow())-1; got != want {
		t.Errorf("%d commands listed, want %d", got, want)
	}
	for _, bad := range []Rename{{"nosuch", "x"}, {"get", "SET"}, {"client|list", "x"}} {
		if _, err := newTable(everyRow(), []Rename{bad}); err == nil {
			t.Errorf("rename %v was taken", bad)
		}
	}
	if _, err := newTable([]*Command{{Name: "later"}}, []Rename{{"later", ""}}); err != nil {
		t.Errorf("a command without a handler cannot be disabled: %v", err)
	}
	if _, err := newTable(everyRow(), []Rename{{"get", "fetch"}, {"get", "take"}}); err == nil {
		t.Error("a name was renamed twice")
	}
	if _, err := NewTable(Rename{"nosuch", ""}); err == nil {
		t.Error("an unknown command was disabled")
	}
}

func TestTwoRowsOfOneNamePanic(t *testing.T) {
	proc := func(*Client) {}
	for _, rows := range [][]*Command{
		{{Name: "a", Proc: proc}, {Name: "a", Proc: proc}},
		{{Name: "a", Subcommands: []*Command{{Name: "b", Proc: proc}, {Name: "b", Proc: proc}}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			newTable(rows, nil)
		}()
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table := wholeTable(t)
	calls := [][][]byte{argv("GeT k"), argv("CONFIG get x"), argv("GEORADIUSBYMEMBER_RO a"), argv("nosuch")}
	if n := testing.AllocsPerRun(100, func() {
		for _, call := range calls {
			table.LookupArgs(call)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCategories(t *testing.T) {
	for i, name := range CategoryNames() {
		c := CategoryByName([]byte(strings.ToUpper(name)))
		if c != 1<<i || fmt.Sprint(c.Names(nil)) != "["+name+"]" {
			t.Errorf("%s: %b %v", name, c, c.Names(nil))
		}
	}
	if CategoryByName([]byte("nosuch")) != 0 {
		t.Error("an unknown category has a bit")
	}
}

func TestSynopsis(t *testing.T) {
	key := Arg{Name: "key", Type: ArgKey}
	str := func(name string) Arg { return Arg{Name: name, KeySpec: -1} }
	word := func(name, token string) Arg { return Arg{Name: name, Token: token, Type: ArgPureToken, KeySpec: -1} }
	with := func(a Arg, f func(*Arg)) Arg { f(&a); return a }
	for s, want := range map[string][]Arg{
		"":           nil,
		"key#0 v":    {key, str("v")},
		"key#0...":   {with(key, func(a *Arg) { a.Flags = ArgMultiple })},
		"[NX]":       {with(word("nx", "NX"), func(a *Arg) { a.Flags = ArgOptional })},
		"NX XX":      {word("nx", "NX"), word("xx", "XX")},
		"NX [x]":     {word("nx", "NX"), with(str("x"), func(a *Arg) { a.Flags = ArgOptional })},
		"NX@1.2.0 x": {with(word("nx", "NX"), func(a *Arg) { a.Since = "1.2.0" }), str("x")},
		"EX s:int":   {with(str("s"), func(a *Arg) { a.Token, a.Type = "EX", ArgInteger })},
		`eq="=" ch=CH none=""`: {
			word("eq", "="), word("ch", "CH"), word("none", ""),
		},
		`"lib-name" x`: {with(str("x"), func(a *Arg) { a.Token = "lib-name" })},
		"[BY 'a:b':pattern#0@1.0.0!2.0.0]...": {{
			Name: "a:b", Token: "BY", Type: ArgPattern, Since: "1.0.0", DeprecatedSince: "2.0.0",
			Flags: ArgOptional | ArgMultiple | ArgMultipleToken,
		}},
		"a@1.0.0...": {with(str("a"), func(a *Arg) { a.Since, a.Flags = "1.0.0", ArgMultiple })},
		"c<NX | y>@1.0.0 l(a:double b:unixtime)": {
			{Name: "c", Type: ArgOneOf, KeySpec: -1, Since: "1.0.0", Args: []Arg{word("nx", "NX"), str("y")}},
			{Name: "l", Type: ArgBlock, KeySpec: -1, Args: []Arg{
				with(str("a"), func(a *Arg) { a.Type = ArgDouble }), with(str("b"), func(a *Arg) { a.Type = ArgUnixTime }),
			}},
		},
	} {
		if got := args(s); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s\n got %+v\nwant %+v", s, got, want)
		}
	}
	for _, bad := range []string{"[a", "a]", "a<b c>", "a:what", "a#x", "[a b]", ":int", "a)"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", bad)
				}
			}()
			args(bad)
		}()
	}
}

func BenchmarkLookup(b *testing.B) {
	table := wholeTable(b)
	names := argv("GET incrbyfloat Zadd GEORADIUSBYMEMBER_RO")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if table.Lookup(names[i&3]) == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkNewTable(b *testing.B) {
	for i := 0; i < b.N; i++ {
		if _, err := newTable(everyRow(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
