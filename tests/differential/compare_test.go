package differential

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// A comparator decides whether two replies to the same command, whose bytes differ, agree all the same.
type comparator func(cmd []string, redis, ours testutil.Value) error

// A loose rule says for one command (or "COMMAND|SUBCOMMAND") why its replies may differ and what must agree still.
type loose struct {
	names  string // separated by spaces
	reason string
	fn     comparator
}

var looseRules = []loose{
	{"TIME", "each server reads its own clock", sameShape},
	{"TTL EXPIRETIME", "relative expiries were set at two moments: a second may pass between them", within(2)},
	{"PTTL PEXPIRETIME", "relative expiries were set at two moments, on a busy machine", within(2000)},
	{"HTTL HEXPIRETIME", "relative expiries were set at two moments: a second may pass between them", eachWithin(2)},
	{"HPTTL HPEXPIRETIME", "relative expiries were set at two moments, on a busy machine", eachWithin(2000)},
	{"RANDOMKEY", "random", sameShape},
	{"KEYS", "hash order", unordered},
	{"SCAN HSCAN SSCAN ZSCAN", "cursors and order are the table's own; full iterations are compared by %scan", sameShape},
	{"OBJECT|IDLETIME", "clock; and redis-server shares the integers up to 9999, whose clock is that of any key that holds one (TestIdleTime compares the rest)", sameShape},
	{"OBJECT|REFCOUNT", "whether a small integer is one of redis-server's shared objects depends on the command that made it (SET shares, COPY does not); no record is shared here", sameKind},
	{"OBJECT|FREQ", "probabilistic counter", within(10)},
	{"MEMORY|USAGE", "memory layout", sameShape},
	{"MEMORY|STATS MEMORY|DOCTOR MEMORY|MALLOC-STATS MEMORY|PURGE", "the allocator's own report", sameKind},
	{"DEBUG|OBJECT", "address, clock", debugObject},
	{"DEBUG|HTSTATS DEBUG|HTSTATS-KEY DEBUG|SDSLEN DEBUG|STRUCTSIZE", "the inside of either server's own structures", sameKind},
	{"CLIENT|ID CLIENT|GETREDIR", "ids are counted by each server", sameKind},
	{"CLIENT|INFO CLIENT|LIST", "addresses, ids, ages, buffer sizes: the names of the fields must agree", clientFields},
	{"HELLO", "version and client id", hello},
	{"INFO", "values are each server's own; info_test.go compares the fields", sameKind},
	{"LOLWUT", "the last line names the version", sameKind},
	{"COMMAND COMMAND|LIST COMMAND|COUNT COMMAND|INFO COMMAND|DOCS", "hash order, and the rows are compared one by one in table_test.go", sameKind},
	{"CONFIG|GET", "hash order", pairsUnordered},
	{"LASTSAVE", "clock", sameKind},
	{"ACL|GENPASS", "random", sameShape},
	{"ACL|LIST ACL|GETUSER", "redis-server names single commands in hash order", aclRules},
	{"ACL|CAT", "hash order, and either server has commands of its own (TestACLCategories compares the rest)", sameKind},
	{"ACL|LOG", "ages, addresses, buffer sizes", aclLogEntries},
	{"SMEMBERS SINTER SUNION SDIFF HKEYS HVALS PUBSUB|CHANNELS PUBSUB|SHARDCHANNELS", "hash order", unordered},
	{"HGETALL", "hash order", pairsUnordered},
	{"SRANDMEMBER SPOP HRANDFIELD ZRANDMEMBER", "random", sameShape},
	{"DUMP", "a set or hash in a table is written in hash order", dumped},
	{"SORT SORT_RO", "BY a constant leaves a set in hash order", sortReply},
	{"SLOWLOG|GET LATENCY|LATEST LATENCY|HISTORY LATENCY|HISTOGRAM LATENCY|DOCTOR LATENCY|GRAPH", "durations and clocks", sameKind},
	{"XADD", "an ID from the clock", clockID},
	{"XPENDING", "the time since a delivery", pendingIdle},
	{"XINFO|CONSUMERS XINFO|STREAM", "idle times, times of deliveries", namedIdle},
	{"MODULE|LIST", "no modules here, but the empty list may be of either kind", sameKind},
}

var looseByName = func() map[string]loose {
	m := map[string]loose{}
	for _, r := range looseRules {
		if r.reason == "" {
			panic("a rule without a reason: " + r.names)
		}
		for _, n := range strings.Fields(r.names) {
			m[n] = r
		}
	}
	return m
}()

func comparatorFor(cmd []string) comparator {
	name := strings.ToUpper(cmd[0])
	if len(cmd) == 2 && strings.EqualFold(cmd[1], "HELP") {
		return help
	}
	if len(cmd) > 1 {
		if r, ok := looseByName[name+"|"+strings.ToUpper(cmd[1])]; ok {
			return r.fn
		}
	}
	if r, ok := looseByName[name]; ok {
		return r.fn
	}
	return exact
}

// same says whether two values are equal in every part.
func same(a, b testutil.Value) bool {
	if a.Kind != b.Kind || a.Text != b.Text || a.Null != b.Null || len(a.Elems) != len(b.Elems) || len(a.Attr) != len(b.Attr) {
		return false
	}
	for i := range a.Elems {
		if !same(a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	for i := range a.Attr {
		if !same(a.Attr[i], b.Attr[i]) {
			return false
		}
	}
	return true
}

func exact(_ []string, r, o testutil.Value) error {
	if same(r, o) {
		return nil
	}
	return fmt.Errorf("must be equal")
}

func isError(v testutil.Value) bool { return v.Kind == '-' || v.Kind == '!' }

// sameKind: both are replies of one type; errors must be equal.
func sameKind(_ []string, r, o testutil.Value) error {
	if r.Kind != o.Kind || r.Null != o.Null || (isError(r) && r.Text != o.Text) {
		return fmt.Errorf("must be of the same type")
	}
	return nil
}

// sameShape: sameKind at every level, arrays of the same length, except that the elements of a SCAN page are not counted.
func sameShape(cmd []string, r, o testutil.Value) error {
	if err := sameKind(cmd, r, o); err != nil {
		return err
	}
	if strings.HasSuffix(strings.ToUpper(cmd[0]), "SCAN") && len(r.Elems) == 2 && len(o.Elems) == 2 {
		return sameKind(cmd, r.Elems[1], o.Elems[1])
	}
	if len(r.Elems) != len(o.Elems) {
		return fmt.Errorf("must have the same number of elements")
	}
	for i := range r.Elems {
		if err := sameShape(cmd, r.Elems[i], o.Elems[i]); err != nil {
			return err
		}
	}
	return nil
}

// within: integers at most d apart; negative ones (no key, no expiry) must be equal.
func within(d int64) comparator {
	return func(_ []string, r, o testutil.Value) error {
		if r.Kind == ':' && o.Kind == ':' && r.Int >= 0 && o.Int >= 0 && max(r.Int-o.Int, o.Int-r.Int) <= d {
			return nil
		}
		if same(r, o) {
			return nil
		}
		return fmt.Errorf("must be at most %d apart", d)
	}
}

// eachWithin is within for the elements of an array.
func eachWithin(d int64) comparator {
	one := within(d)
	return func(cmd []string, r, o testutil.Value) error {
		if r.Kind != '*' || o.Kind != '*' || len(r.Elems) != len(o.Elems) {
			return one(cmd, r, o)
		}
		for i := range r.Elems {
			if err := one(cmd, r.Elems[i], o.Elems[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func sorted(v testutil.Value, group int) testutil.Value {
	n := len(v.Elems) / group
	keys := make([]string, n)
	for i := range n {
		for _, e := range v.Elems[i*group : (i+1)*group] {
			keys[i] += e.String() + " "
		}
	}
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	sort.SliceStable(index, func(a, b int) bool { return keys[index[a]] < keys[index[b]] })
	elems := make([]testutil.Value, 0, len(v.Elems))
	for _, i := range index {
		elems = append(elems, v.Elems[i*group:(i+1)*group]...)
	}
	v.Elems = elems
	return v
}

func unordered(cmd []string, r, o testutil.Value) error {
	if same(sorted(r, 1), sorted(o, 1)) {
		return nil
	}
	return fmt.Errorf("must hold the same elements, in any order")
}

func pairsUnordered(cmd []string, r, o testutil.Value) error {
	if len(r.Elems)%2 == 0 && len(o.Elems)%2 == 0 && same(sorted(r, 2), sorted(o, 2)) {
		return nil
	}
	return fmt.Errorf("must hold the same pairs, in any order")
}

// sortReply: of a set that BY leaves unsorted, any elements may be returned first.
func sortReply(cmd []string, r, o testutil.Value) error {
	unsorted := false
	for i, arg := range cmd {
		if strings.EqualFold(arg, "BY") && i+1 < len(cmd) && !strings.Contains(cmd[i+1], "*") {
			unsorted = true
		}
	}
	if !unsorted || len(cmd) < 2 || !strings.HasPrefix(cmd[1], "os") {
		return exact(cmd, r, o)
	}
	if err := sameKind(cmd, r, o); err != nil {
		return err
	}
	if len(r.Elems) != len(o.Elems) {
		return fmt.Errorf("must have the same number of elements")
	}
	return nil
}

// dumped: what stands in a hash table may be written in any order; the length must agree. Digests compare the contents.
func dumped(cmd []string, r, o testutil.Value) error {
	const rdbSet, rdbHash = 2, 4
	if r.Kind == '$' && o.Kind == '$' && len(r.Text) == len(o.Text) && len(r.Text) > 0 && r.Text[0] == o.Text[0] && (r.Text[0] == rdbSet || r.Text[0] == rdbHash) {
		return nil
	}
	return exact(cmd, r, o)
}

var debugObjectVaries = regexp.MustCompile(`refcount:\d+|at:0x[0-9a-f]+|lru:\d+|lru_seconds_idle:\d+`)

func debugObject(cmd []string, r, o testutil.Value) error {
	r.Text, o.Text = debugObjectVaries.ReplaceAllString(r.Text, "…"), debugObjectVaries.ReplaceAllString(o.Text, "…")
	return exact(cmd, r, o)
}

func clientFields(cmd []string, r, o testutil.Value) error {
	if err := sameKind(cmd, r, o); err != nil {
		return err
	}
	names := func(v testutil.Value) string {
		line, _, _ := strings.Cut(strings.TrimPrefix(v.Text, "txt:"), "\n")
		var list []string
		for f := range strings.FieldsSeq(line) {
			k, _, _ := strings.Cut(f, "=")
			list = append(list, k)
		}
		return strings.Join(list, " ")
	}
	if a, b := names(r), names(o); a != b {
		return fmt.Errorf("must have the fields %s, has %s", a, b)
	}
	return nil
}

func hello(cmd []string, r, o testutil.Value) error {
	if err := sameKind(cmd, r, o); err != nil {
		return err
	}
	if len(r.Elems) != len(o.Elems) {
		return fmt.Errorf("must have the same number of fields")
	}
	for i := 0; i+1 < len(r.Elems); i += 2 {
		varies := r.Elems[i].Text == "version" || r.Elems[i].Text == "id"
		if !same(r.Elems[i], o.Elems[i]) || (!varies && !same(r.Elems[i+1], o.Elems[i+1])) {
			return fmt.Errorf("field %s: %v, %v %v", r.Elems[i].Text, r.Elems[i+1], o.Elems[i], o.Elems[i+1])
		}
	}
	return nil
}

// help texts are sentences, and ours are our own: the first line must agree, and the rest must be lines.
func help(cmd []string, r, o testutil.Value) error {
	if err := sameKind(cmd, r, o); err != nil || len(r.Elems) == 0 {
		return err
	}
	if len(o.Elems) == 0 || !same(r.Elems[0], o.Elems[0]) {
		return fmt.Errorf("must begin with the same line")
	}
	for _, line := range o.Elems {
		if line.Kind != '+' {
			return fmt.Errorf("%v is not a status line", line)
		}
	}
	return nil
}

// queuedReference takes away the reference that redis-server's queue holds: inside EXEC, a value that is the very argument of a queued
// command counts two.
func queuedReference(cmd []string, v testutil.Value) testutil.Value {
	if len(cmd) != 3 {
		return v
	}
	switch strings.ToUpper(cmd[0] + " " + cmd[1]) {
	case "OBJECT REFCOUNT":
		if v.Kind == ':' && v.Int == 2 {
			v.Int, v.Text = 1, "1"
		}
	case "DEBUG OBJECT":
		v.Text = strings.Replace(v.Text, " refcount:2 ", " refcount:1 ", 1)
	}
	return v
}

// compareExec compares EXEC's elements by the rules of the queued commands.
func compareExec(queued [][]string, r, o testutil.Value) error {
	if len(r.Elems) != len(queued) || len(o.Elems) != len(queued) || r.Kind != o.Kind {
		return exact(nil, r, o)
	}
	for i, cmd := range queued {
		if same(r.Elems[i], o.Elems[i]) {
			continue
		}
		// Ours may count the reference or not; both sides are brought to one.
		if err := comparatorFor(cmd)(cmd, queuedReference(cmd, r.Elems[i]), queuedReference(cmd, o.Elems[i])); err != nil {
			return fmt.Errorf("element %d, %s: %w", i, quoteArgs(cmd), err)
		}
	}
	return nil
}
