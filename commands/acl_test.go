package commands

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// login makes a client of a user that asks for no password.
func login(t *testing.T, s *Server, user string) *Client {
	t.Helper()
	c := newTestClient(s)
	if got := do(c, "AUTH", user, "x"); got != "+OK\r\n" {
		t.Fatalf("AUTH %s: %q", user, got)
	}
	return c
}

// TestACLCheckAllocatesNothing: not for the default user, and not for one with
// rules of every kind.
func TestACLCheckAllocatesNothing(t *testing.T) {
	s, _ := newTestServer(t)
	admin := newTestClient(s)
	do(admin, "ACL", "SETUSER", "u", "on", "nopass", "-@all", "+@string", "+select|0", "%R~a*", "~k*", "&c*", "(+mget ~b*x*)", "(+publish)")
	u := s.acl.Get("u")
	for _, words := range [][]string{{"GET", "k"}, {"MGET", "b1x", "b2x"}, {"SELECT", "0"}, {"PUBLISH", "c1", "m"}, {"SET", "a", "v"}, {"DEL", "k"}} {
		args := make([][]byte, len(words))
		for i, w := range words {
			args[i] = []byte(w)
		}
		cmd, _ := s.Table.LookupArgs(args)
		s.aclCheck(u, cmd, args)
		if n := testing.AllocsPerRun(100, func() { s.aclCheck(u, cmd, args) }); n != 0 {
			t.Errorf("%v: %v allocations", words, n)
		}
	}
	c := login(t, s, "u")
	in := wire("GET", "k1")
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		c.SetOutput(out)
		s.Process(c, in)
		c.SetOutput(nil)
	}); n != 0 {
		t.Errorf("GET of a restricted user: %v allocations", n)
	}
}

// BenchmarkACL compares a GET of the default user, of one with a few rules, and
// of one with many patterns.
func BenchmarkACL(b *testing.B) {
	s, _ := newTestServer(b)
	admin := newTestClient(s)
	do(admin, "ACL", "SETUSER", "few", "on", "nopass", "+@read", "~k*")
	many := []string{"ACL", "SETUSER", "many", "on", "nopass", "+@read"}
	for i := range 100 {
		many = append(many, "~tenant"+string(rune('a'+i%26))+strings.Repeat("x", i)+"*")
	}
	do(admin, append(many, "~k*")...)
	in := wire("GET", "k1")
	out := make([]byte, 0, 4096)
	for _, user := range []string{"default", "few", "many"} {
		c := newTestClient(s)
		do(c, "AUTH", user, "x")
		b.Run(user, func(b *testing.B) {
			for b.Loop() {
				c.SetOutput(out)
				s.Process(c, in)
				c.SetOutput(nil)
			}
		})
	}
}

func TestACLFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, []byte("user alice on nopass ~* +@all\nuser default on nopass ~* &* +@all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := newTestServer(t, "aclfile", path)
	admin, alice := newTestClient(s), login(t, s, "alice")
	if got := do(admin, "ACL", "SETUSER", "bob", "on", ">p"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if got := do(admin, "ACL", "SAVE"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 3 || !strings.Contains(string(text), "user bob on #") {
		t.Errorf("saved %q, %v", text, err)
	}
	if left, err := filepath.Glob(path + ".tmp*"); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	// What is wrong changes nothing, and says all of it.
	if err := os.WriteFile(path, []byte("user alice off\nuser x +nosuch\nhello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := do(admin, "ACL", "LOAD")
	if !strings.Contains(got, path+":2: Error in applying operation '+nosuch'") || !strings.Contains(got, path+":3 should start with user") {
		t.Errorf("ACL LOAD: %q", got)
	}
	if got := do(alice, "ACL", "WHOAMI"); got != "$5\r\nalice\r\n" {
		t.Errorf("WHOAMI: %q", got)
	}
	// A good file takes the connections of its predecessor's users.
	if err := os.WriteFile(path, []byte("user alice on nopass ~* +@all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := do(admin, "ACL", "LOAD"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if !alice.Conn().(*fakeConn).closed || admin.Conn().(*fakeConn).closed {
		t.Error("the user's connection is open, or the default user's is not")
	}
	if got := do(admin, "ACL", "USERS"); got != "*2\r\n$5\r\nalice\r\n$7\r\ndefault\r\n" {
		t.Errorf("USERS: %q", got)
	}
	// A file that cannot be read, or written.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := do(admin, "ACL", "LOAD"); got != "-ERR Error loading ACLs, opening file '"+path+"': No such file or directory\r\n" {
		t.Errorf("LOAD: %q", got)
	}
	s.V.ACLFile = "/nosuch/users.acl"
	if got := do(admin, "ACL", "SAVE"); !strings.HasPrefix(got, "-ERR There was an error trying to save the ACLs.") {
		t.Errorf("SAVE: %q", got)
	}
}

func TestUserDirectives(t *testing.T) {
	s, _ := newTestServer(t, "user", `alice on nopass ~a* (+set ~b*) +get`, "user", "default on >pw ~* &* +@all")
	want := []string{"alice on nopass ~a* resetchannels -@all +get (~b* resetchannels -@all +set)"}
	lines := s.Conf.UserLines()
	if len(lines) != 2 || lines[0] != want[0] || !strings.HasPrefix(lines[1], "default on ") {
		t.Errorf("lines %q", lines)
	}
	c := newTestClient(s)
	if got := do(c, "GET", "a"); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("GET: %q", got)
	}
	if got := do(c, "AUTH", "pw"); got != "+OK\r\n" {
		t.Errorf("AUTH: %q", got)
	}
}

// TestProtectedMode asks whether the default user needs a password, wherever
// that was set.
func TestProtectedMode(t *testing.T) {
	s, _ := newTestServer(t)
	far := &farConn{}
	if s.Admit(far) == "" {
		t.Error("a stranger was let in")
	}
	do(newTestClient(s), "ACL", "SETUSER", "default", ">pw")
	if got := s.Admit(far); got != "" {
		t.Errorf("refused although there is a password: %q", got)
	}
}

type farConn struct{ fakeConn }

func (*farConn) RemoteAddr() string { return "192.0.2.1:1" }

// TestRenamedCommandsKeepTheirRights: rules name a command by the name in the
// table, whatever a client has to call it.
func TestRenamedCommandsKeepTheirRights(t *testing.T) {
	s, _ := newTestServer(t, "rename-command", "GET hidden", "rename-command", "FLUSHALL \"\"")
	admin := newTestClient(s)
	do(admin, "ACL", "SETUSER", "u", "on", "nopass", "allkeys", "+set", "-get", "+flushall")
	c := login(t, s, "u")
	if got := do(c, "hidden", "k"); got != "-NOPERM this user has no permissions to run the 'get' command\r\n" {
		t.Errorf("hidden: %q", got)
	}
	if got := do(c, "FLUSHALL"); !strings.HasPrefix(got, "-ERR unknown command") {
		t.Errorf("FLUSHALL: %q", got)
	}
	if got := do(c, "GET", "k"); !strings.HasPrefix(got, "-ERR unknown command") {
		t.Errorf("GET: %q", got)
	}
	if got := do(admin, "ACL", "SETUSER", "u", "+hidden"); !strings.Contains(got, "Unknown command or category") {
		t.Errorf("+hidden: %q", got)
	}
}

// TestMasterIsAboveRules: the stream is applied whatever the default user may
// do.
func TestMasterIsAboveRules(t *testing.T) {
	s, _ := newTestServer(t)
	admin := newTestClient(s)
	m := s.NewMasterClient(0)
	do(admin, "ACL", "SETUSER", "default", "-@all", "resetkeys", "off")
	s.BeginStream()
	s.CallMaster(m, [][]byte{[]byte("SET"), []byte("k"), []byte("v")})
	if s.KS.DB(0).Len() != 1 {
		t.Error("the master's SET was refused")
	}
}
