package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

const (
	catRead = 1 << iota
	catWrite
	catAdmin
)

// vocabulary is a small world of commands.
func vocabulary() *Commands {
	return NewCommands([]string{"read", "write", "admin"}, []*Command{
		{Name: "get", Categories: catRead},
		{Name: "mget", Categories: catRead},
		{Name: "set", Categories: catWrite},
		{Name: "del", Categories: catWrite},
		{Name: "getset", Categories: catRead | catWrite},
		{Name: "newget", Categories: catRead, Recent: true},
		{Name: "select"},
		{Name: "config", Categories: catAdmin, Subs: []*Command{
			{Name: "config|get", Categories: catAdmin}, {Name: "config|set", Categories: catAdmin},
		}},
	})
}

func newUsers() *Users { return NewUsers(vocabulary(), config.SplitArgs) }

func user(t testing.TB, rules ...string) *User {
	t.Helper()
	u := newUsers().NewUser("u")
	for _, r := range rules {
		if err := u.Set(r); err != nil {
			t.Fatalf("%q: %v", r, err)
		}
	}
	return u
}

func (u *User) allows(name string, first ...byte) bool {
	return u.Root().AllowsCommand(u.owner.cmds.Lookup(name).ID(), first)
}

func TestDefaultUser(t *testing.T) {
	u := newUsers().Default()
	if !u.Unrestricted || !u.Open() || u.String() != "on nopass ~* &* +@all" {
		t.Errorf("%+v: %s", u, u)
	}
	for _, rule := range []string{"-get", "resetkeys", "resetchannels"} {
		u := newUsers().Default()
		if err := u.Set(rule); err != nil || u.Unrestricted {
			t.Errorf("%s: %v, unrestricted %v", rule, err, u.Unrestricted)
		}
	}
}

func TestCommands(t *testing.T) {
	u := user(t, "+@read", "-mget", "+select|0", "+config|get")
	for name, want := range map[string]bool{"get": true, "mget": false, "set": false, "getset": true, "newget": true, "config|get": true, "config|set": false, "config": false} {
		if u.allows(name) != want {
			t.Errorf("%s: allowed %v", name, !want)
		}
	}
	if !u.allows("select", '0') || u.allows("select", '1') || u.allows("select") {
		t.Error("first argument of select")
	}
	if got := u.Root().CommandRules(); got != "-@all +@read -mget +select|0 +config|get" {
		t.Errorf("rules %q", got)
	}
	if got := user(t, "+@all", "-config").Root().CommandRules(); got != "+@all -@admin" {
		t.Errorf("rules %q", got)
	}
}

func TestKeysAndChannels(t *testing.T) {
	s := user(t, "~a*", "%R~r*", "%W~w*", "&c*").Root()
	for _, c := range []struct {
		key  string
		perm Perm
		want bool
	}{
		{"a1", Read | Write, true}, {"r1", Read, true}, {"r1", Write, false}, {"r1", Read | Write, false},
		{"w1", Write, true}, {"w1", Read, false}, {"w1", 0, true}, {"x", 0, false}, {"", 0, false},
	} {
		if s.AllowsKey([]byte(c.key), c.perm) != c.want {
			t.Errorf("%q for %d: %v", c.key, c.perm, !c.want)
		}
	}
	if !s.AllowsChannel([]byte("c1"), false) || s.AllowsChannel([]byte("c1"), true) || !s.AllowsChannel([]byte("c*"), true) || s.AllowsChannel([]byte("d"), false) {
		t.Error("channels")
	}
	if s.AllowsAllKeys(Read) || !user(t, "%R~*").Root().AllowsAllKeys(Read) || user(t, "%R~*").Root().AllowsAllKeys(Read|Write) {
		t.Error("AllowsAllKeys")
	}
}

func TestPasswords(t *testing.T) {
	var nobody *User
	if nobody.CheckPassword([]byte("p")) {
		t.Error("one who does not exist has logged in")
	}
	u := user(t, ">p", ">q")
	if u.CheckPassword([]byte("p")) {
		t.Error("a user that is off has logged in")
	}
	hash := sha256.Sum256([]byte("p"))
	if got := u.Passwords(); len(got) != 2 || got[0] != hex.EncodeToString(hash[:]) {
		t.Errorf("hashes %q", got)
	}
	for _, r := range []string{"on", "<q"} {
		if err := u.Set(r); err != nil {
			t.Fatal(err)
		}
	}
	if !u.CheckPassword([]byte("p")) || u.CheckPassword([]byte("q")) || u.CheckPassword(nil) {
		t.Error("passwords")
	}
	if err := u.Set("<q"); err != ErrNoPassword {
		t.Errorf("<q: %v", err)
	}
	if err := u.Set("nopass"); err != nil || !u.CheckPassword([]byte("whatever")) || len(u.Passwords()) != 0 {
		t.Errorf("nopass: %v", err)
	}
}

// TestCloneIsApart: rules tried on a copy leave the original alone.
func TestCloneIsApart(t *testing.T) {
	u := user(t, "on", ">p", "~a", "&c", "+get", "+select|0", "(+set ~b)")
	before := u.String()
	c := u.Clone()
	for _, r := range []string{"<p", ">x", "%R~z", "&z", "-get", "+select|1", "(+del)", "clearselectors", "+@all"} {
		if err := c.Set(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := u.String(); got != before {
		t.Errorf("%q became %q", before, got)
	}
	u.Replace(c)
	if u.Name != "u" || u.String() != c.String() {
		t.Errorf("Replace: %s", u)
	}
}

func TestMergeSelectors(t *testing.T) {
	got, _, ok := MergeSelectors([]string{"on", "(+get", "~a)", "(x)", "("})
	if ok || len(got) != 4 || got[1] != "(+get ~a)" {
		t.Errorf("%q %v", got, ok)
	}
	if _, bad, ok := MergeSelectors([]string{"a", "(b", "c"}); ok || bad != 1 {
		t.Errorf("%d %v", bad, ok)
	}
}

func TestFile(t *testing.T) {
	us := newUsers()
	fresh, err := us.ParseFile("f", "user alice on >p ~a* +get (+set ~b)\n\n  user default off\n")
	if err != nil {
		t.Fatal(err)
	}
	def := us.Default()
	bob := us.NewUser("bob")
	us.Add(bob)
	gone := us.Adopt(fresh)
	if len(gone) != 1 || gone[0] != bob || us.Get("bob") != nil || us.Default() != def || us.Get("default") != def || def.Enabled() {
		t.Errorf("gone %v, default %s", gone, def)
	}
	// What is written reads back the same.
	again, err := us.ParseFile("f", us.Text())
	if err != nil || again.Text() != us.Text() {
		t.Errorf("%v\n%s\n%s", err, us.Text(), again.Text())
	}
	text := us.Text()
	if _, err := us.ParseFile("f", "user x +nosuch\nusr y\nuser x (a"); err == nil || us.Text() != text ||
		!strings.HasSuffix(err.Error(), "no change to the previously active ACL rules was performed") {
		t.Errorf("%v", err)
	}
}

func TestNarrowedChannels(t *testing.T) {
	for _, c := range []struct {
		prev, next []string
		want       bool
	}{
		{[]string{"&a"}, []string{"&a", "&b"}, false},
		{[]string{"&a", "&b"}, []string{"&a"}, true},
		{[]string{"&*"}, []string{"&a"}, true},
		{[]string{"&*"}, []string{"&*"}, false},
		{[]string{"&a"}, []string{"(allchannels)"}, false},
	} {
		if got := NarrowedChannels(user(t, c.prev...), user(t, c.next...)); got != c.want {
			t.Errorf("%v to %v: %v", c.prev, c.next, got)
		}
	}
}

// TestChecksAllocateNothing: they stand before every command of a restricted user.
func TestChecksAllocateNothing(t *testing.T) {
	u := user(t, "+@read", "+select|0", "~a*", "%R~b*z*", "&c*", "(+set ~x)")
	id := u.owner.cmds.Lookup("select").ID()
	arg, key, channel, missing := []byte("0"), []byte("bazaar"), []byte("c1"), []byte("nokey")
	if n := testing.AllocsPerRun(100, func() {
		for _, s := range u.Selectors() {
			s.AllowsCommand(id, arg)
			s.AllowsKey(key, Read)
			s.AllowsKey(missing, Read|Write)
			s.AllowsChannel(channel, false)
			s.AllowsChannel(channel, true)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRules: whatever rules a user gets, the description of the result gives the same rights again.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		"on >p ~a +get", "+@all\n-config|get\n+config", "%RW~x\n%R~x\n&c\nallchannels", "(+get ~a)\n(\"+set\" '~b')\nclearselectors",
		"+select|0\n+select|1\n-select", "reset\nnopass\nskip-sanitize-payload", "+get|\n+|\n-\n%\n#\n(\n)", "-@read\n+@write\n-@admin\n+newget",
	} {
		f.Add(s)
	}
	us := newUsers()
	f.Fuzz(func(t *testing.T, text string) {
		u := us.NewUser("u")
		for _, r := range strings.Split(text, "\n") {
			_ = u.Set(r)
		}
		again := us.NewUser("u")
		rules, _, ok := MergeSelectors(strings.Split(u.String(), " "))
		if strings.ContainsAny(text, "()\"' \t\r\v\f") {
			return // as in redis-server, a description quotes neither parentheses in patterns nor blanks in first arguments
		}
		if !ok {
			t.Fatalf("%q cannot be merged", u.String())
		}
		for _, r := range rules {
			if err := again.Set(r); err != nil {
				t.Fatalf("%q of %q: %v", r, u.String(), err)
			}
		}
		if u.String() != again.String() || !sameRights(u, again) {
			t.Fatalf("%q became %q", u.String(), again.String())
		}
		if u.Unrestricted && !u.Root().unrestricted() {
			t.Fatal("unrestricted without the rights")
		}
	})
}

// sameRights tells whether two users may call the same commands; bits of no command do not count.
func sameRights(a, b *User) bool {
	for id := range a.owner.cmds.Len() {
		if a.Root().bit(id) != b.Root().bit(id) {
			return false
		}
	}
	return true
}

// FuzzFile: no text of an ACL file does harm, and what it gives can be written and read back.
func FuzzFile(f *testing.F) {
	f.Add("user a on >p ~a +get\nuser default off")
	f.Add("user a (+get ~x) (allkeys)\n# x\nuser")
	f.Add("user a\nuser a\x00b\n user  b  on ")
	f.Fuzz(func(t *testing.T, text string) {
		us := newUsers()
		fresh, err := us.ParseFile("f", text)
		if err != nil {
			return
		}
		us.Adopt(fresh)
		if us.Get(DefaultName) != us.Default() {
			t.Fatal("the default user is lost")
		}
		_ = us.Text()
	})
}
