package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// sortedRules puts the single commands of a description into alphabetical order: words that stand side by side, begin with + or -
// and name no category.
func sortedRules(text string) string {
	words := strings.Fields(strings.NewReplacer("(", "( ", ")", " )").Replace(text))
	single := func(w string) bool { return (w[0] == '+' || w[0] == '-') && !strings.HasPrefix(w[1:], "@") }
	for i := 0; i < len(words); {
		j := i
		for j < len(words) && single(words[j]) {
			if !redisKnows(words[j][1:]) {
				words = slices.Delete(words, j, j+1)
				continue
			}
			j++
		}
		slices.Sort(words[i:j])
		i = max(j, i+1)
	}
	return strings.Join(words, " ")
}

// redisCommands are the commands that the reference server has: asked for once, by the first pair.
var redisCommands map[string]bool

// redisKnows tells whether redis-server has a command: later ones stand in our descriptions only.
func redisKnows(name string) bool {
	if command, _, first := strings.Cut(name, "|"); first && redisCommands[command] {
		return !strings.HasPrefix(name, "client|") && !strings.HasPrefix(name, "cluster|") || redisCommands[name]
	}
	return redisCommands[name]
}

func aclRules(cmd []string, r, o testutil.Value) error {
	var norm func(v testutil.Value) testutil.Value
	norm = func(v testutil.Value) testutil.Value {
		if v.Kind == '$' && strings.ContainsAny(v.Text, "+-") {
			v.Text = sortedRules(v.Text)
		}
		v.Elems = slices.Clone(v.Elems)
		for i := range v.Elems {
			v.Elems[i] = norm(v.Elems[i])
		}
		return v
	}
	if !same(norm(r), norm(o)) {
		return fmt.Errorf("must be equal but for the order of single commands")
	}
	return nil
}

// aclLogEntries compares everything but the age and the description of the client, of which the user must agree.
func aclLogEntries(cmd []string, r, o testutil.Value) error {
	norm := func(v testutil.Value) testutil.Value {
		v.Elems = slices.Clone(v.Elems)
		for i := range v.Elems {
			e := &v.Elems[i]
			e.Elems = slices.Clone(e.Elems)
			for j := 0; j+1 < len(e.Elems); j += 2 {
				switch val := &e.Elems[j+1]; e.Elems[j].Text {
				case "age-seconds":
					val.Text = ""
				case "client-info":
					at := strings.Index(val.Text, " cmd=")
					end := strings.Index(val.Text, " redir=")
					if at >= 0 && end > at {
						val.Text = val.Text[at:end]
					}
				}
			}
		}
		return v
	}
	if !same(norm(r), norm(o)) {
		return fmt.Errorf("must be equal but for ages and the fields of the client")
	}
	return nil
}

// texts are the elements of an array.
func texts(t *testing.T, c *testutil.Conn, cmd ...string) map[string]bool {
	t.Helper()
	v, err := c.Do(cmd...)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	set := make(map[string]bool)
	for _, e := range v.Elems {
		set[e.Text] = true
	}
	return set
}

// TestACLCategories: of the commands that both servers have, each category holds the same.
func TestACLCategories(t *testing.T) {
	p := newPair(t)
	theirs, ours := texts(t, p.redisCtl, "COMMAND", "LIST"), texts(t, p.oursCtl, "COMMAND", "LIST")
	cats := texts(t, p.redisCtl, "ACL", "CAT")
	if len(cats) < 20 {
		t.Fatalf("redis-server names %d categories", len(cats))
	}
	for cat := range cats {
		a, b := texts(t, p.redisCtl, "ACL", "CAT", cat), texts(t, p.oursCtl, "ACL", "CAT", cat)
		for name := range a {
			if ours[name] && !b[name] {
				t.Errorf("@%s lacks %s", cat, name)
			}
		}
		for name := range b {
			if theirs[name] && !a[name] {
				t.Errorf("@%s has %s", cat, name)
			}
		}
	}
}

// Rules are drawn from these; the commands are those that DRYRUN tries.
var (
	aclCommands = strings.Fields("get set mget mset del exists expire type hget hset hgetall lpush lrange sadd sinter sinterstore zadd zrange xadd xread publish subscribe psubscribe eval sort sort_ro bitfield copy rename object object|encoding object|freq config config|get config|set client client|list client|id client|kill acl acl|list acl|whoami debug select ping info flushall function function|list script|load memory|usage slowlog command command|count hello auth multi nosuch nosuch|x get|x")
	aclPatterns = []string{"*", "a*", "b?", "key", "a", "", "[ab]c", "\\*", "a b", "x\\", "ab*c", "{tag}*"}
	aclTries    = [][]string{
		{"GET", "a"}, {"GET", "b1"}, {"GET", "key"}, {"GET", ""}, {"SET", "ac", "1"}, {"SET", "a", "1", "GET"}, {"MSET", "a", "1", "bc", "2"},
		{"MGET", "a", "b1", "zz"}, {"DEL", "a", "b1"}, {"EXISTS", "a"}, {"EXPIRE", "key", "10"}, {"TYPE", "b1"}, {"COPY", "a", "b1"},
		{"RENAME", "a", "key"}, {"SORT", "a"}, {"SORT", "a", "STORE", "b1"}, {"SORT", "a", "BY", "w_*"}, {"BITFIELD", "a", "GET", "u8", "0"},
		{"BITFIELD", "a", "SET", "u8", "0", "1"}, {"SINTERSTORE", "a", "b1", "key"}, {"ZADD", "key", "1", "m"}, {"XREAD", "STREAMS", "a", "b1", "0", "0"},
		{"EVAL", "return 1", "1", "a"}, {"EVAL", "return 1", "0"}, {"EVAL", "return 1", "7", "a"}, {"PUBLISH", "a", "m"}, {"PUBLISH", "key", "m"},
		{"SUBSCRIBE", "a", "b1"}, {"PSUBSCRIBE", "a*"}, {"PSUBSCRIBE", "key"}, {"SSUBSCRIBE", "ac"}, {"SPUBLISH", "a", "m"}, {"UNSUBSCRIBE", "zz"},
		{"OBJECT", "ENCODING", "a"}, {"OBJECT", "FREQ", "b1"}, {"CONFIG", "GET", "x"}, {"CONFIG", "SET", "a", "b"}, {"CLIENT", "ID"}, {"CLIENT", "LIST"},
		{"ACL", "WHOAMI"}, {"ACL", "LIST"}, {"DEBUG", "OBJECT", "a"}, {"SELECT", "0"}, {"SELECT", "1"}, {"PING"}, {"INFO"}, {"FLUSHALL"}, {"AUTH", "x"},
		{"HELLO"}, {"MULTI"}, {"COMMAND"}, {"COMMAND", "COUNT"}, {"COMMAND", "GETKEYS", "GET", "a"}, {"MEMORY", "USAGE", "a"}, {"NOSUCH"}, {"GET"}, {"CONFIG"},
		{"GEORADIUS", "a", "1", "1", "1", "m"}, {"GEORADIUS", "a", "1", "1", "1", "m", "STORE", "b1"}, {"LMOVE", "a", "b1", "LEFT", "LEFT"},
		{"ZUNIONSTORE", "a", "2", "b1", "key"}, {"LMPOP", "2", "a", "b1", "LEFT"}, {"SMOVE", "a", "b1", "m"}, {"PFCOUNT", "a"}, {"PFMERGE", "a", "b1"},
		{"BITOP", "AND", "a", "b1"}, {"WATCH", "a", "b1"}, {"GETEX", "a"}, {"GETDEL", "a"}, {"SETRANGE", "a", "0", "x"}, {"STRLEN", "a"}, {"APPEND", "a", "x"},
	}
)

// aclRule draws one rule; inner ones may stand in a selector.
func aclRule(r *rand.Rand, cats []string, inner bool) string {
	command := func() string {
		name := pick(r, aclCommands)
		// First arguments ("+select|1") are in testdata/acl.txt: redis-server describes several of them in an order of its own.
		if r.IntN(12) == 0 {
			name = strings.ToUpper(name)
		}
		return name
	}
	pattern := func() string { return pick(r, aclPatterns) }
	n := 24
	if inner {
		n = 15
	}
	switch r.IntN(n) {
	case 0, 1, 2:
		return "+" + command()
	case 3, 4:
		return "-" + command()
	case 5, 6:
		return "+@" + pick(r, cats)
	case 7:
		return "-@" + pick(r, cats)
	case 8:
		return pick(r, []string{"allcommands", "nocommands", "+@all", "-@all", "+@ALL"})
	case 9, 10:
		return "~" + pattern()
	case 11:
		return pick(r, []string{"%R~", "%W~", "%RW~", "%wr~", "%r~", "%RR~", "%~", "%", "%R", "%X~"}) + pattern()
	case 12:
		return "&" + pattern()
	case 13:
		return pick(r, []string{"allkeys", "resetkeys", "ALLKEYS", "resetkeys"})
	case 14:
		return pick(r, []string{"allchannels", "resetchannels", "resetchannels"})
	case 15:
		return pick(r, []string{"on", "off", "ON"})
	case 16:
		return pick(r, []string{"nopass", "resetpass"})
	case 17:
		return pick(r, []string{">p1", ">p2", "<p1", "<p2", ">", "#", "#" + strings.Repeat("a", 64), "!" + strings.Repeat("a", 64), "#" + strings.Repeat("A", 64)})
	case 18:
		return pick(r, []string{"sanitize-payload", "skip-sanitize-payload"})
	case 19:
		return pick(r, []string{"clearselectors", "reset", "", "foo", "+", "-", "+@", "-@nosuch", "(", ")", "()", "(+get", "on\x00x"})
	}
	words := make([]string, r.IntN(5))
	for i := range words {
		words[i] = aclRule(r, cats, true)
	}
	return "(" + strings.Join(words, " ") + ")"
}

// TestRandomRules gives users random rules. All that shows of them must be equal: the reply to each SETUSER, their description, and
// what DRYRUN says of commands of every kind.
func TestRandomRules(t *testing.T) {
	seed := randomSeed()
	t.Logf("again with: -seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	p := newPair(t)
	var cats []string
	for c := range texts(t, p.redisCtl, "ACL", "CAT") {
		cats = append(cats, c)
	}
	slices.Sort(cats)
	cats = append(cats, "READ", "nosuch")
	users := 400
	if testing.Short() {
		users = 100
	}
	for i := range users {
		l, err := p.open(2 + i%2)
		if err != nil {
			t.Fatal(err)
		}
		var history [][]string
		do := func(cmd ...string) bool {
			if err := l.do(cmd...); err != nil {
				var h strings.Builder
				for _, c := range history {
					h.WriteString(quoteArgs(c) + "\n")
				}
				t.Errorf("seed %d: after\n%s%v", seed, h.String(), err)
				return false
			}
			return true
		}
		for range 1 + r.IntN(4) {
			cmd := []string{"ACL", "SETUSER", "u"}
			for range r.IntN(5) {
				cmd = append(cmd, aclRule(r, cats, false))
			}
			history = append(history, cmd)
			if !do(cmd...) {
				break
			}
		}
		// A description sums a user up by the categories that fit best, and which fit best hangs on every row of the table: with categories in
		// the rules it is what DRYRUN says that must agree.
		categories := false
		for _, cmd := range history {
			for _, rule := range cmd {
				categories = categories || strings.Contains(rule, "@")
			}
		}
		ok := categories || (do("ACL", "GETUSER", "u") && do("ACL", "LIST"))
		for range 25 {
			if !ok {
				break
			}
			ok = do(append([]string{"ACL", "DRYRUN", "u"}, pick(r, aclTries)...)...)
		}
		do("ACL", "DELUSER", "u")
		l.close()
		if t.Failed() {
			break
		}
	}
}
