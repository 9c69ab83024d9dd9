package commands

import (
	"fmt"
	"net"
	"sort"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// The table is compared with the live server through the replies of COMMAND
// themselves, so that both the rows and the shapes of the replies are held
// to it, in both protocols.

// newerCommands are rows of which a 7.0 server knows nothing. They are here because
// newer masters send them or newer clients ask for them.
var newerCommands = map[string]string{
	"client|capa":       "since Valkey 8.0: clients that understand redirections",
	"client|no-touch":   "since 7.2: clients that keep their reads out of the access times",
	"client|setinfo":    "since 7.2: client libraries introduce themselves",
	"cluster|myshardid": "since 7.2",
	"waitaof":           "since 7.2",
	"replica":           "this server's own",
	"hexpire":           "since 7.4: expiry of hash fields",
	"hexpireat":         "since 7.4: expiry of hash fields",
	"hexpiretime":       "since 7.4: expiry of hash fields",
	"hpersist":          "since 7.4: expiry of hash fields",
	"hpexpire":          "since 7.4: expiry of hash fields",
	"hpexpireat":        "since 7.4: expiry of hash fields, the form in the master's stream",
	"hpexpiretime":      "since 7.4: expiry of hash fields",
	"hpttl":             "since 7.4: expiry of hash fields",
	"httl":              "since 7.4: expiry of hash fields",
	"hgetdel":           "since 8.0",
	"hgetex":            "since 8.0",
	"hsetex":            "since 8.0",
	"script|show":       "since Valkey 8.0",
	"xackdel":           "since 8.2",
	"xdelex":            "since 8.2",
	"msetex":            "since 8.4",
	"delex":             "since 8.4",
	"digest":            "since 8.4",
	"delifeq":           "since Valkey 9.0",
}

// ask runs one command of the COMMAND family on our side and parses the reply.
func ask(t *testing.T, table *Table, proto int, call ...string) testutil.Value {
	t.Helper()
	var words [][]byte
	for _, w := range call {
		words = append(words, []byte(w))
	}
	cmd, _ := table.LookupArgs(words)
	if cmd == nil {
		t.Fatalf("%q: no such command", call)
	}
	c := &Client{srv: &Server{Table: table, errorStats: map[string]*int64{}}, proto: proto, args: words}
	cmd.Proc(c)
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		there.Write(c.out)
		there.Close()
	}()
	conn := testutil.NewConn(here)
	v, raw, err := conn.Read()
	if err != nil || len(raw) != len(c.out) {
		t.Fatalf("%q: %d of %d bytes are a reply: %v", call, len(raw), len(c.out), err)
	}
	return v
}

func live(t *testing.T, proto int) *testutil.Conn {
	conn := testutil.StartRedis(t).Dial(t)
	conn.Must(t, "HELLO", fmt.Sprint(proto))
	return conn
}

// prose are the fields in which both servers use their own words.
var prose = map[string]bool{"summary": true, "complexity": true, "notes": true, "replaced_by": true}

// normalize blanks prose and brings subcommands into the order of their names:
// redis-server lists them as its hash table happens to hold them.
func normalize(v *testutil.Value) {
	for i := range v.Elems {
		e := &v.Elems[i]
		key := ""
		if i > 0 && v.Elems[i-1].Kind == '$' {
			key = v.Elems[i-1].Text
		}
		switch {
		case prose[key] && e.Kind == '$':
			e.Text = ""
		case key == "history":
			for j := range e.Elems {
				e.Elems[j].Elems[1].Text = ""
			}
		case key == "subcommands":
			e.Elems = sortPairs(e.Elems)
			normalize(e)
		default:
			normalize(e)
		}
	}
	// The row of COMMAND INFO is an array of ten with the subcommands at its end.
	if len(v.Elems) == 10 && v.Elems[1].Kind == ':' {
		subs := v.Elems[9].Elems
		sort.Slice(subs, func(i, j int) bool { return subs[i].Elems[0].Text < subs[j].Elems[0].Text })
	}
}

func sortPairs(list []testutil.Value) []testutil.Value {
	pairs := make(map[string]testutil.Value)
	var names []string
	for i := 0; i < len(list); i += 2 {
		names = append(names, list[i].Text)
		pairs[list[i].Text] = list[i+1]
	}
	sort.Strings(names)
	var sorted []testutil.Value
	for _, n := range names {
		sorted = append(sorted, testutil.Value{Kind: '$', Text: n}, pairs[n])
	}
	return sorted
}

// sevenZero returns a table with only the rows that a 7.0 server has.
func sevenZero(t *testing.T) *Table {
	unused := make(map[string]bool)
	for n := range newerCommands {
		unused[n] = true
	}
	var drop func(rows []*Command, prefix string) []*Command
	drop = func(rows []*Command, prefix string) (kept []*Command) {
		for _, c := range rows {
			if name := prefix + c.Name; newerCommands[name] != "" {
				delete(unused, name)
				continue
			}
			c.Subcommands = drop(c.Subcommands, c.Name+"|")
			kept = append(kept, c)
		}
		return kept
	}
	table, err := newTable(drop(everyRow(), ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range unused {
		t.Errorf("the exception %s names no row", n)
	}
	return table
}

func TestTableEqualsRedis(t *testing.T) {
	table := sevenZero(t)
	for _, proto := range []int{2, 3} {
		conn := live(t, proto)
		names := conn.Must(t, "COMMAND", "LIST").Strings()
		if got := ask(t, table, proto, "COMMAND", "LIST").Strings(); fmt.Sprint(sorted(got)) != fmt.Sprint(sorted(names)) {
			t.Errorf("COMMAND LIST\n got %v\nwant %v", sorted(got), sorted(names))
		}
		names = append(names, "nosuch", "get|x", "config|nosuch", "CONFIG|GET", "a|b|c", "")
		for _, name := range names {
			for _, sub := range []string{"INFO", "DOCS"} {
				got, want := ask(t, table, proto, "COMMAND", sub, name), conn.Must(t, "COMMAND", sub, name)
				normalize(&got)
				normalize(&want)
				if got.String() != want.String() {
					t.Errorf("RESP%d COMMAND %s %s\n got %s\nwant %s", proto, sub, name, got, want)
				}
			}
		}
	}
}

func sorted(list []string) []string {
	list = append([]string(nil), list...)
	sort.Strings(list)
	return list
}

// TestProseIsOurs: texts of the table are written for it, not taken over.
func TestProseIsOurs(t *testing.T) {
	table := sevenZero(t)
	docs := live(t, 2).Must(t, "COMMAND", "DOCS")
	for i := 0; i < len(docs.Elems); i += 2 {
		name, fields := docs.Elems[i].Text, docs.Elems[i+1].Elems
		c := table.LookupFull([]byte(name))
		if c == nil {
			t.Errorf("%s has no row", name)
			continue
		}
		for j := 0; j < len(fields); j += 2 {
			if fields[j].Text == "summary" && strings.TrimSuffix(fields[j+1].Text, ".") == strings.TrimSuffix(c.Summary, ".") {
				t.Errorf("%s: the summary is redis-server's: %q", name, c.Summary)
			}
		}
	}
}

// TestCommandReplies compares what does not depend on single rows.
func TestCommandReplies(t *testing.T) {
	table := sevenZero(t)
	for _, proto := range []int{2, 3} {
		conn := live(t, proto)
		for _, line := range []string{
			"COMMAND COUNT",
			"COMMAND LIST FILTERBY MODULE nosuch",
			"COMMAND LIST FILTERBY ACLCAT hash",
			"COMMAND LIST FILTERBY aclcat SCRIPTING",
			"COMMAND LIST FILTERBY ACLCAT nosuch",
			"COMMAND LIST FILTERBY PATTERN config*",
			"COMMAND LIST FILTERBY PATTERN CONFIG|?ET",
			"COMMAND LIST FILTERBY PATTERN x*",
			"COMMAND LIST FILTERBY PATTERN",
			"COMMAND LIST FILTERBY",
			"COMMAND LIST filterby what ever",
			"COMMAND LIST nosuch",
			"COMMAND LIST FILTERBY ACLCAT hash FILTERBY ACLCAT list",
			"COMMAND GETKEYS nosuch a",
			"COMMAND GETKEYS ping a",
			"COMMAND GETKEYS config get a",
			"COMMAND GETKEYS config nosuch",
			"COMMAND GETKEYS mset a",
			"COMMAND GETKEYS get a b",
			"COMMAND GETKEYS spublish a b",
			"COMMAND GETKEYS eval x 0",
			"COMMAND GETKEYS zunion 0 a",
			"COMMAND GETKEYS MSET a 1 b 2",
			"COMMAND GETKEYSANDFLAGS MSET a 1 b 2",
			"COMMAND GETKEYSANDFLAGS SET a 1 GET",
			"COMMAND GETKEYSANDFLAGS memory usage a",
			"COMMAND DOCS nosuch",
			"COMMAND DOCS get nosuch set",
			"COMMAND INFO nosuch get",
		} {
			call := strings.Fields(line)
			got := ask(t, table, proto, call...)
			want, err := conn.Do(call...)
			if err != nil {
				t.Fatal(err)
			}
			if call[1] == "LIST" {
				sortTexts(got.Elems)
				sortTexts(want.Elems)
			}
			normalize(&got)
			normalize(&want)
			if got.String() != want.String() {
				t.Errorf("RESP%d %s\n got %s\nwant %s", proto, line, got, want)
			}
		}
		// Whole tables come in any order: the number of rows and their shape count.
		for _, line := range []string{"COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND HELP"} {
			call := strings.Fields(line)
			got, want := ask(t, table, proto, call...), conn.Must(t, call...)
			if got.Kind != want.Kind || len(got.Elems) != len(want.Elems) && line != "COMMAND HELP" {
				t.Errorf("RESP%d %s: %c of %d, want %c of %d", proto, line, got.Kind, len(got.Elems), want.Kind, len(want.Elems))
			}
			if line == "COMMAND HELP" && (got.Elems[0].String() != want.Elems[0].String()) {
				t.Errorf("COMMAND HELP begins otherwise: %s, want %s", got, want)
			}
		}
	}
}

func sortTexts(list []testutil.Value) {
	sort.Slice(list, func(i, j int) bool { return list[i].Text < list[j].Text })
}
