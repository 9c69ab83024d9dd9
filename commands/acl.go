package commands

import (
	"fmt"
	"os"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/acl"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// Access control: who may call what. The rules live in package acl; here they
// meet commands, clients and the configuration.
//
//	gates ──► c.user.Unrestricted?  yes: nothing to check (the default)
//	              │ no
//	              ▼
//	          aclCheck: for each selector the command's bit, then its keys, then its channels
//
// A client without a user (the master's stream, the server itself) may do all.

// denial says what a user lacks; the higher one is told when selectors differ.
type denial uint8

const (
	notDenied denial = iota
	deniedCommand
	deniedKey
	deniedAuth
	deniedChannel
)

// The texts of refusals, by denial: to a client, to a script, and for EXEC.
var (
	denialReason = [...]string{deniedCommand: "command", deniedKey: "key", deniedAuth: "auth", deniedChannel: "channel"}
	denialInExec = [...]string{
		deniedCommand: "no permission to execute the command or subcommand",
		deniedKey:     "no permission to touch the specified keys",
		deniedAuth:    "no permission",
		deniedChannel: "no permission to access one of the channels used as arguments",
	}
	denialInScript = [...]string{
		deniedCommand: "The user executing the script can't run this command or subcommand",
		deniedKey:     "The user executing the script can't access at least one of the keys mentioned in the command arguments",
		deniedAuth:    "The user executing the script is lacking the permissions for the command",
		deniedChannel: "The user executing the script can't publish to the channel mentioned in the command",
	}
)

// text is the refusal of a command that a client sent.
func (d denial) text(cmd *Command) string {
	switch d {
	case deniedKey:
		return "-NOPERM this user has no permissions to access one of the keys used as arguments"
	case deniedChannel:
		return "-NOPERM this user has no permissions to access one of the channels used as arguments"
	}
	return "-NOPERM this user has no permissions to run the '" + cmd.FullName + "' command"
}

// aclVocabulary numbers all commands known, those without a handler too: a rule
// may name them.
func aclVocabulary(rows []*Command) *acl.Commands {
	var of func(rows []*Command, prefix string) []*acl.Command
	made := make(map[*Command]*acl.Command)
	of = func(rows []*Command, prefix string) []*acl.Command {
		list := make([]*acl.Command, len(rows))
		for i, row := range rows {
			c := &acl.Command{
				Name:       prefix + row.Name,
				Categories: uint32(row.ACL.implicit(row.Flags)),
				Recent:     laterVersion(row.Since),
			}
			c.Subs = of(row.Subcommands, c.Name+"|")
			made[row] = c
			list[i] = c
		}
		return list
	}
	cs := acl.NewCommands(CategoryNames(), of(rows, ""))
	for row, c := range made {
		row.aclID = c.ID()
	}
	return cs
}

// laterVersion tells whether a version is later than 7.0, or of another
// numbering.
func laterVersion(since string) bool {
	var major, minor int
	_, _ = fmt.Sscanf(since, "%d.%d", &major, &minor)
	return major > 7 || major == 7 && minor > 0 || major == 0
}

// initACL makes the users that the configuration names.
func (s *Server) initACL() error {
	us := acl.NewUsers(s.Table.acl, config.SplitArgs)
	s.acl, s.defaultUser = us, us.Default()
	us.AllChannels = s.V.ACLPubsubDefault == config.AllChannels
	us.SetDefaultPassword(s.V.RequirePass)
	s.Conf.OnChange(func() error {
		us.SetDefaultPassword(s.V.RequirePass)
		return nil
	}, "requirepass")
	s.Conf.OnChange(func() error {
		us.AllChannels = s.V.ACLPubsubDefault == config.AllChannels
		return nil
	}, "acl-pubsub-default")
	s.Conf.UserLines = s.userLines
	if s.V.ACLFile != "" {
		if len(s.V.Users) > 0 {
			return s.V.Users[0].At.Errorf("Configuring users in the configuration file and setting an ACL file path at the same time is invalid: please define either an ACL file or declare users directly, but not both")
		}
		if err := s.loadACLFile(); err != nil {
			return fmt.Errorf("aborting startup because of ACL errors: %w", err)
		}
		return nil
	}
	return s.applyUserLines()
}

// applyUserLines makes the users of the `user` directives.
func (s *Server) applyUserLines() error {
	seen := make(map[string]bool)
	for _, line := range s.V.Users {
		name := line.Args[0]
		fail := func(what string, err any) error {
			return line.At.Errorf("Error in user declaration '%s': %v", what, err)
		}
		switch {
		case !acl.ValidName(name):
			return fail(name, "Usernames can't contain spaces or null characters")
		case seen[name]:
			return fail(name, acl.ErrDuplicate)
		}
		seen[name] = true
		rules, bad, ok := acl.MergeSelectors(line.Args[1:])
		if !ok {
			return fail(line.Args[1+bad], "Unmatched parenthesis")
		}
		u := s.acl.Get(name)
		if u == nil {
			u = s.acl.NewUser(name)
			s.acl.Add(u)
		} else if err := u.Set("reset"); err != nil {
			return fail("reset", err)
		}
		for _, op := range rules {
			if err := u.Set(op); err != nil {
				return fail(op, err)
			}
		}
		if !u.Enabled() {
			s.Host.Logf(LogNotice, "The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error.", name)
		}
	}
	return nil
}

// userLines are the `user` lines that CONFIG REWRITE writes: none if the users
// are kept in a file of their own.
func (s *Server) userLines() []string {
	var lines []string
	if s.V.ACLFile == "" {
		for _, u := range s.acl.Sorted() {
			lines = append(lines, u.Name+" "+u.String())
		}
	}
	return lines
}

// loadACLFile puts the users of the ACL file in the place of those in force.
// If anything is wrong with it, all stays as it is.
func (s *Server) loadACLFile() error {
	name := s.V.ACLFile
	text, err := os.ReadFile(s.V.Path(name))
	if err != nil {
		return fmt.Errorf("Error loading ACLs, opening file '%s': %s", name, systemError(err)) //lint:ignore ST1005 the protocol's text
	}
	fresh, err := s.acl.ParseFile(name, string(text))
	if err != nil {
		return err
	}
	gone := make(map[*acl.User]bool)
	for _, u := range s.acl.Adopt(fresh) {
		gone[u] = true
	}
	s.dropUsers(func(u *acl.User) bool { return gone[u] })
	return nil
}

// saveACLFile writes the users to the ACL file: a crash leaves the old file or
// the new one.
func (s *Server) saveACLFile() error {
	path := s.V.Path(s.V.ACLFile)
	tmp := fmt.Sprintf("%s.tmp-%d-%d", path, s.Host.Process().PID, s.now)
	err := writeSynced(tmp, s.acl.Text())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// systemError is the system's own text of an error, as C words it.
func systemError(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// dropUsers cuts the connections of users that are no more. The one in
// execution still gets its reply.
func (s *Server) dropUsers(gone func(*acl.User) bool) {
	for c := s.clients.head; c != nil; {
		next := c.next
		if gone(c.user) {
			c.user, c.authed = s.defaultUser, false
			s.dropClient(c)
		}
		c = next
	}
}

// dropClient closes a connection, at once or, if its command is in execution,
// behind the reply.
func (s *Server) dropClient(c *Client) {
	if c == s.current {
		c.closeAsync()
		return
	}
	c.conn.Close()
}

// dropListeners cuts the connections of a user that listen to what the user's
// new rules do not allow any more.
func (s *Server) dropListeners(u, next *acl.User) {
	if !acl.NarrowedChannels(u, next) {
		return
	}
	for c := s.clients.head; c != nil; {
		following := c.next
		if c.user == u && c.subs != nil && c.listensBeyond(next) {
			s.dropClient(c)
		}
		c = following
	}
}

func (c *Client) listensBeyond(u *acl.User) bool {
	for _, list := range [][]string{c.subs.channels.list, c.subs.shard.list} {
		for _, name := range list {
			if !u.AllowsChannel([]byte(name), false) {
				return true
			}
		}
	}
	for _, name := range c.subs.patterns.list {
		if !u.AllowsChannel([]byte(name), true) {
			return true
		}
	}
	return false
}

// authRequired tells whether a client must log in before anything else.
func (s *Server) authRequired(c *Client) bool { return !c.authed && !s.defaultUser.Open() }

// keyPerm is the right that a command needs for one of its keys.
func keyPerm(f KeyFlags) (p acl.Perm) {
	if f&KeyAccess != 0 {
		p = acl.Read
	}
	if f&(KeyInsert|KeyDelete|KeyUpdate) != 0 {
		p |= acl.Write
	}
	return p
}

// aclCheck tells whether a user may make a call, and if not, what is lacking and
// which argument it is about. u may be nil, for one who may do all. It
// allocates nothing once its storage has grown to the longest list of keys.
func (s *Server) aclCheck(u *acl.User, cmd *Command, args [][]byte) (denial, int) {
	if u == nil || u.Unrestricted {
		return notDenied, 0
	}
	worst, at := deniedCommand, 0
	keys, known := s.aclKeys[:0], false
	for _, sel := range u.Selectors() {
		if !known && !sel.AllKeys() && cmd.hasKeys {
			keys, _ = cmd.Keys(args, keys)
			s.aclKeys, known = keys[:0], true
		}
		d, pos := selectorCheck(sel, cmd, args, keys)
		if d == notDenied {
			return notDenied, 0
		}
		if d > worst || d == worst && pos > at {
			worst, at = d, pos
		}
	}
	return worst, at
}

// selectorCheck asks one selector; keys are those of the call, unless the
// selector allows every key.
func selectorCheck(sel *acl.Selector, cmd *Command, args [][]byte, keys []KeyRef) (denial, int) {
	if cmd.Flags&CmdNoAuth == 0 {
		var first []byte
		if len(args) > 1 {
			first = args[1]
		}
		if !sel.AllowsCommand(cmd.aclID, first) {
			return deniedCommand, 0
		}
	}
	if !sel.AllKeys() {
		for _, k := range keys {
			if !sel.AllowsKey(args[k.Pos], keyPerm(k.Flags)) {
				return deniedKey, k.Pos
			}
		}
	}
	if ch := &cmd.Channels; ch.Flags&(ChannelSubscribe|ChannelPublish) != 0 && !sel.AllChannels() {
		for i, name := range cmd.ChannelArgs(args) {
			if !sel.AllowsChannel(name, ch.Flags&ChannelPattern != 0) {
				return deniedChannel, ch.First + i
			}
		}
	}
	return notDenied, 0
}

// aclGate refuses what the client's user may not do, and keeps a record of it.
func (s *Server) aclGate(c *Client) bool {
	d, at := s.aclCheck(c.user, c.cmd, c.args)
	if d == notDenied {
		return true
	}
	context := "toplevel"
	if c.flags&flagMulti != 0 {
		context = "multi"
	}
	s.logDenial(c, d, context, c.deniedObject(d, at), c.user.Name)
	return s.refuse(c, d.text(c.cmd))
}

// deniedObject names what a denial is about.
func (c *Client) deniedObject(d denial, at int) string {
	if d == deniedCommand {
		return c.cmd.FullName
	}
	return string(c.args[at])
}

// aclScriptCheck asks whether the caller of a script may run a command in it.
// The text of a refusal, without its code, is empty if so. A refusal is
// recorded.
func (s *Server) aclScriptCheck(caller *Client, cmd *Command, args [][]byte) string {
	d, at := s.aclCheck(caller.user, cmd, args)
	if d == notDenied {
		return ""
	}
	object := cmd.FullName
	if d != deniedCommand {
		object = string(args[at])
	}
	s.logDenial(caller, d, "lua", object, caller.user.Name)
	return denialInScript[d]
}

// readsAllKeys tells whether the client may run its command and read every key:
// SORT with BY or GET may reach any.
func (c *Client) readsAllKeys() bool {
	u := c.user
	if u == nil || u.Unrestricted {
		return true
	}
	keys, _ := c.cmd.Keys(c.args, nil)
	for _, sel := range u.Selectors() {
		if d, _ := selectorCheck(sel, c.cmd, c.args, keys); d == notDenied && sel.AllowsAllKeys(acl.Read) {
			return true
		}
	}
	return false
}
