package differential

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// elsewhere are commands that have no case here, with the place that tries them.
var elsewhere = map[string]string{
	"PSYNC":   "tests/replication: it turns a client into a replica",
	"SYNC":    "tests/replication: it turns a client into a replica",
	"MONITOR": "monitor_test.go: the lines carry the clock and the address",
}

// beyond are commands of later versions that clients send to any server: redis-server 7.0 does not know them.
var beyond = map[string]string{
	"CLIENT|CAPA":        "Valkey 8.0",
	"CLUSTER|MYSHARDID":  "7.2",
	"CLIENT|NO-TOUCH":    "7.2",
	"HEXPIRE":            "7.4: a newer master sends it",
	"HPEXPIRE":           "7.4: a newer master sends it",
	"HEXPIREAT":          "7.4: a newer master sends it",
	"HPEXPIREAT":         "7.4: a newer master sends it",
	"HTTL":               "7.4: a newer master sends it",
	"HPTTL":              "7.4: a newer master sends it",
	"HEXPIRETIME":        "7.4: a newer master sends it",
	"HPEXPIRETIME":       "7.4: a newer master sends it",
	"HPERSIST":           "7.4: a newer master sends it",
	"HGETDEL":            "8.0: a newer master sends what it makes of it",
	"HGETEX":             "8.0: a newer master sends what it makes of it",
	"HSETEX":             "8.0: a newer master sends what it makes of it",
	"CLIENT|SETINFO":     "7.2: client libraries send it on every connection",
	"SCRIPT|SHOW":        "Valkey 8.0",
	"XDELEX":             "8.2: a newer master sends it",
	"XACKDEL":            "8.2: a newer master sends it",
	"MSETEX":             "8.4: a newer master sends it",
	"DELEX":              "8.4: a newer master sends what it makes of it",
	"DIGEST":             "8.4: what DELEX compares",
	"DELIFEQ":            "Valkey 9.0",
	"REPLICA":            "this server's own",
	"REPLICA|HELP":       "this server's own",
	"REPLICA|WAITOFFSET": "this server's own",
}

// absent are commands of redis-server 7.0 that have no row here and shall have none, each with its reason.
var absent = map[string]string{
	"BGREWRITEAOF": "there is no append-only file: the master's stream and snapshots take its place",
}

// A row is one command or subcommand of a COMMAND reply.
type row struct {
	name  string // upper case; "CONFIG|GET" for a subcommand
	arity int64
	value testutil.Value // without the subcommands
}

func rows(tb testing.TB, c *testutil.Conn) map[string]row {
	tb.Helper()
	all := map[string]row{}
	var add func(v testutil.Value)
	add = func(v testutil.Value) {
		if len(v.Elems) < 7 {
			tb.Fatalf("a row of COMMAND: %v", v)
		}
		var subs []testutil.Value
		if len(v.Elems) >= 10 {
			subs = v.Elems[9].Elems
			v.Elems = slices.Clone(v.Elems)
			v.Elems[9].Elems = nil
		}
		name := strings.ToUpper(v.Elems[0].Text)
		all[name] = row{name, v.Elems[1].Int, v}
		for _, s := range subs {
			add(s)
		}
	}
	for _, v := range c.Must(tb, "COMMAND").Elems {
		add(v)
	}
	return all
}

func sortedNames(m map[string]row) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// TestCommandTable compares every row that our COMMAND and COMMAND DOCS report with redis-server's.
func TestCommandTable(t *testing.T) {
	p := newPair(t)
	redis, ours := rows(t, p.redisCtl), rows(t, p.oursCtl)
	for _, name := range sortedNames(redis) {
		top, _, _ := strings.Cut(name, "|")
		_, here := ours[name]
		why := cmp.Or(absent[name], absent[top])
		switch {
		case !here && why == "":
			t.Errorf("redis-server has %s; there is no row for it here, and no reason in absent", name)
		case here && why != "":
			t.Errorf("%s has a row here, and stands among the absent: %s", name, why)
		}
	}
	for name := range absent {
		if redis[name].name == "" {
			t.Errorf("%s stands among the absent, and redis-server does not know it", name)
		}
	}
	for _, name := range sortedNames(ours) {
		r, ok := redis[name]
		if !ok && beyond[name] != "" {
			continue
		}
		if !ok {
			t.Errorf("%s is in our COMMAND, and not in redis-server's", name)
			continue
		}
		o := ours[name]
		for i, what := range []string{"name", "arity", "flags", "first key", "last key", "step", "ACL categories", "tips", "key specifications", "subcommands"} {
			if i >= len(o.value.Elems) || i >= len(r.value.Elems) || !same(withoutProse(r.value.Elems[i]), withoutProse(o.value.Elems[i])) {
				at := func(v testutil.Value) string {
					if i < len(v.Elems) {
						return v.Elems[i].String()
					}
					return "nothing"
				}
				t.Errorf("COMMAND, %s, %s:\n  redis: %s\n  ours:  %s", name, what, at(r.value), at(o.value))
			}
		}
		if strings.Contains(name, "|") {
			continue
		}
		for _, proto := range []string{"2", "3"} {
			p.redisCtl.Must(t, "HELLO", proto)
			p.oursCtl.Must(t, "HELLO", proto)
			rd, od := p.redisCtl.Must(t, "COMMAND", "DOCS", name), p.oursCtl.Must(t, "COMMAND", "DOCS", name)
			rd, od = withoutProse(docsOf(rd, redis, ours)), withoutProse(docsOf(od, redis, ours))
			if !same(rd, od) {
				t.Errorf("COMMAND DOCS %s, RESP%s:\n  redis: %v\n  ours:  %v", name, proto, rd, od)
			}
		}
	}
}

// TestAbsentIsDocumented: whoever looks for a command that is missing finds the reason.
func TestAbsentIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range absent {
		if !strings.Contains(string(page), "| `"+strings.ReplaceAll(name, "|", " ")+"` |") {
			t.Errorf("docs/compatibility.md does not say why %s is absent", name)
		}
	}
}

// docsOf sorts the subcommands of a COMMAND DOCS reply, which stand in hash order, and leaves out those that one side does not have at all.
func docsOf(v testutil.Value, redis, ours map[string]row) testutil.Value {
	v.Elems = slices.Clone(v.Elems)
	for i := range v.Elems {
		if i > 0 && v.Elems[i-1].Text == "subcommands" {
			var kept []testutil.Value
			for j := 0; j+1 < len(v.Elems[i].Elems); j += 2 {
				name := strings.ToUpper(v.Elems[i].Elems[j].Text)
				if redis[name].name != "" && ours[name].name != "" {
					kept = append(kept, v.Elems[i].Elems[j], v.Elems[i].Elems[j+1])
				}
			}
			v.Elems[i].Elems = kept
			v.Elems[i] = sorted(v.Elems[i], 2)
			continue
		}
		v.Elems[i] = docsOf(v.Elems[i], redis, ours)
	}
	return v
}

// withoutProse empties what is a sentence (summaries, notes, what changed in a version): ours are our own.
func withoutProse(v testutil.Value) testutil.Value {
	v.Elems = slices.Clone(v.Elems)
	for i := range v.Elems {
		if i > 0 {
			switch v.Elems[i-1].Text {
			case "summary", "complexity", "notes", "replaced_by":
				v.Elems[i].Text = ""
				continue
			case "history":
				v.Elems[i].Elems = slices.Clone(v.Elems[i].Elems)
				for j, change := range v.Elems[i].Elems {
					if len(change.Elems) == 2 {
						change.Elems = []testutil.Value{change.Elems[0], {Kind: change.Elems[1].Kind}}
						v.Elems[i].Elems[j] = change
					}
				}
				continue
			}
		}
		v.Elems[i] = withoutProse(v.Elems[i])
	}
	return v
}

// TestWrongArity calls every command of ours with every count of arguments that its arity forbids.
func TestWrongArity(t *testing.T) {
	p := newPair(t)
	redis := rows(t, p.redisCtl)
	ours := rows(t, p.oursCtl)
	for _, proto := range []int{2, 3} {
		l, err := p.open(proto)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range sortedNames(ours) {
			r, ok := redis[name]
			if !ok {
				continue // TestCommandTable says so
			}
			words := strings.Split(strings.ToLower(name), "|")
			var counts []int
			for n := len(words); n < int(max(r.arity, -r.arity)); n++ {
				counts = append(counts, n)
			}
			if r.arity > 0 {
				counts = append(counts, int(r.arity)+1, int(r.arity)+7)
			}
			for _, n := range counts {
				cmd := slices.Clone(words)
				for len(cmd) < n {
					cmd = append(cmd, "x")
				}
				if err := l.do(cmd...); err != nil {
					t.Errorf("RESP%d: %v", proto, err)
				}
			}
		}
		l.close()
	}
}

// usedCommands are the commands, and command|subcommand pairs, that the case files name.
func usedCommands(tb testing.TB) map[string]bool {
	tb.Helper()
	used := map[string]bool{}
	add := func(args []string) {
		if len(args) > 0 {
			used[strings.ToUpper(args[0])] = true
		}
		if len(args) > 1 {
			used[strings.ToUpper(args[0]+"|"+args[1])] = true
		}
	}
	for name, text := range scriptFiles(tb, "*.txt") {
		cases, err := parseScript(name, text)
		if err != nil {
			tb.Fatal(err)
		}
		for _, c := range cases {
			for _, l := range c.lines {
				if l.verb == "" || l.verb == "&" || l.verb == "scan" {
					add(l.args)
				}
			}
		}
	}
	return used
}

// TestEveryCommandHasACase: a command that enters our table brings its cases along.
func TestEveryCommandHasACase(t *testing.T) {
	used := usedCommands(t)
	ours := testutil.StartOurs(t).Dial(t)
	var without []string
	for _, name := range sortedNames(rows(t, ours)) {
		if !used[name] && elsewhere[name] == "" && beyond[name] == "" {
			without = append(without, name)
		}
	}
	if len(without) > 0 {
		t.Errorf("%d commands have no case in testdata/*.txt: %s", len(without), strings.Join(without, " "))
	}
}

// notGenerated are commands on keys that no grammar has, each with its reason.
var notGenerated = map[string]string{
	"BZMPOP":         "may wait, and the history with it: zset.txt has its cases",
	"BZPOPMAX":       "may wait, and the history with it: zset.txt has its cases",
	"BZPOPMIN":       "may wait, and the history with it: zset.txt has its cases",
	"SPOP":           "takes members at random, so the states would part: set.txt has its cases",
	"MIGRATE":        "absent here",
	"OBJECT|HELP":    "reads no key",
	"XGROUP|HELP":    "reads no key",
	"XINFO|HELP":     "reads no key",
	"PFSELFTEST":     "reads no key",
	"RESTORE-ASKING": "RESTORE under another name",
}

// TestEveryDataCommandIsGenerated: whatever reads or writes keys takes part in the random histories, subcommands too.
func TestEveryDataCommandIsGenerated(t *testing.T) {
	drawn := map[string]bool{}
	g := newGenerator(t, 1)
	for _, f := range g.forms {
		for range 50 { // a form may have its subcommands as alternatives
			cmd := draw(g.rnd, f.nodes, nil)
			drawn[strings.ToUpper(cmd[0])] = true
			if len(cmd) > 1 {
				drawn[strings.ToUpper(cmd[0]+"|"+cmd[1])] = true
			}
		}
	}
	table := rows(t, testutil.StartRedis(t).Dial(t))
	var without []string
	for _, name := range sortedNames(table) {
		onKeys := false
		for _, category := range table[name].value.Elems[6].Elems {
			switch category.Text {
			case "@keyspace", "@string", "@list", "@hash", "@set", "@sortedset", "@stream", "@bitmap", "@hyperloglog", "@geo":
				onKeys = true
			}
		}
		switch why := notGenerated[name]; {
		case drawn[name] && why != "":
			t.Errorf("%s is in a grammar, and stands among those that are not: %s", name, why)
		case onKeys && !drawn[name] && why == "":
			without = append(without, name)
		}
	}
	for name := range notGenerated {
		if table[name].name == "" {
			t.Errorf("%s is no command of redis-server", name)
		}
	}
	if len(without) > 0 {
		t.Errorf("%d commands on keys stand in no testdata/*.grammar: %s", len(without), strings.Join(without, " "))
	}
}

// TestIdleTime: set, read, restored with an idle time, touched; values that redis-server does not share.
func TestIdleTime(t *testing.T) {
	p := newPair(t)
	payload := expand("@{dump10:000568656c6c6f}", time.Now())
	for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		c.Must(t, "SET", "new", "hello")
		c.Must(t, "RESTORE", "old", "0", payload, "IDLETIME", "1000")
		c.Must(t, "RESTORE", "read", "0", payload, "IDLETIME", "1000")
		c.Must(t, "GET", "read")
		c.Must(t, "RESTORE", "touched", "0", payload, "IDLETIME", "1000")
		c.Must(t, "TOUCH", "touched")
		c.Must(t, "RESTORE", "typed", "0", payload, "IDLETIME", "1000")
		c.Must(t, "TYPE", "typed")
		c.Must(t, "EXISTS", "typed")
		c.Must(t, "TTL", "typed")
		c.Must(t, "RESTORE", "got", "0", payload, "IDLETIME", "1000")
		c.Must(t, "STRLEN", "got")
	}
	for _, key := range []string{"new", "old", "read", "touched", "typed", "got"} {
		cmd := []string{"OBJECT", "IDLETIME", key}
		if err := within(2)(cmd, p.redisCtl.Must(t, cmd...), p.oursCtl.Must(t, cmd...)); err != nil {
			t.Errorf("%q: redis %v, ours %v: %v", cmd, p.redisCtl.Must(t, cmd...), p.oursCtl.Must(t, cmd...), err)
		}
	}
}

// TestInfoFields: whoever parses redis-server's INFO finds the same fields in ours.
func TestInfoFields(t *testing.T) {
	p := newPair(t)
	for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		c.Must(t, "SET", "k", "v")
		c.Must(t, "SET", "e", "v", "EX", "100")
		c.Must(t, "GET", "nokey")
	}
	for _, section := range []string{"", "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "modules", "errorstats", "cluster", "keyspace", "commandstats", "latencystats", "all", "everything"} {
		r, err := p.redisCtl.Info(section)
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.oursCtl.Info(section)
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for name := range r {
			if _, ok := o[name]; !ok && !infoOfItsOwn(name) {
				missing = append(missing, name)
			}
		}
		slices.Sort(missing)
		if len(missing) > 0 {
			t.Errorf("INFO %s lacks: %s", section, strings.Join(missing, " "))
		}
		for _, name := range []string{"redis_mode", "role", "connected_slaves", "loading", "maxmemory_policy", "cluster_enabled", "db0", "aof_enabled", "tcp_port", "arch_bits", "blocked_clients", "keyspace_hits", "keyspace_misses", "master_failover_state", "second_repl_offset"} {
			want, ok := r[name]
			if name == "tcp_port" && ok {
				want = strconv.Itoa(p.ours.Port)
			}
			if ok && name == "db0" { // keys and expires; avg_ttl is a running estimate
				cut := func(s string) string { a, _, _ := strings.Cut(s, ",avg_ttl"); return a }
				if cut(want) != cut(o[name]) {
					t.Errorf("INFO %s: db0 is %q, want %q", section, o[name], want)
				}
				continue
			}
			if ok && want != o[name] {
				t.Errorf("INFO %s: %s is %q, want %q", section, name, o[name], want)
			}
		}
	}
}

// infoOfItsOwn are fields that tell of redis-server's own parts: its allocator, its child processes, its build. Per-command lines are
// named after what each server has run.
func infoOfItsOwn(name string) bool {
	for _, prefix := range []string{"allocator_", "rss_overhead_", "mem_allocator", "active_defrag", "gcc_version", "atomicvar_api", "redis_build_id", "redis_git_", "monotonic_clock",
		"multiplexing_api", "io_thread", "used_memory_vm_", "used_memory_scripts_eval", "number_of_", "mem_aof_", "mem_cluster_links", "aof_", "module_fork", "current_cow", "current_fork", "current_save_keys",
		"cmdstat_", "latency_percentiles_usec_", "dump_payload_sanitizations", "latest_fork_usec", "total_forks", "lazyfree_pending", "total_active_defrag", "current_active_defrag", "_rehash"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func TestRowsParse(t *testing.T) {
	c := testutil.StartRedis(t).Dial(t)
	all := rows(t, c)
	if all["GET"].arity != 2 || all["CONFIG|SET"].arity != -4 || len(all) < 300 {
		t.Errorf("%d rows, GET %v, CONFIG SET %v", len(all), all["GET"].arity, all["CONFIG|SET"].arity)
	}
	if !usedCommands(t)["CLIENT|SETNAME"] {
		t.Error(fmt.Errorf("the case files are not read"))
	}
}
