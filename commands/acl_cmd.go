package commands

import (
	"encoding/hex"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/acl"
)

// The ACL family.

const errNoACLFile = "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."

func aclWhoamiCommand(c *Client) {
	if c.user == nil {
		c.addReplyNull()
		return
	}
	c.addReplyBulkString(c.user.Name)
}

func aclUsersCommand(c *Client) {
	users := c.srv.acl.Sorted()
	c.addReplyArrayLen(len(users))
	for _, u := range users {
		c.addReplyBulkString(u.Name)
	}
}

func aclListCommand(c *Client) {
	users := c.srv.acl.Sorted()
	c.addReplyArrayLen(len(users))
	for _, u := range users {
		c.addReplyBulkString("user " + u.Name + " " + u.String())
	}
}

// aclSetuserCommand changes a user, or makes one: all of the rules, or none.
func aclSetuserCommand(c *Client) {
	s := c.srv
	name := c.arg(2)
	if !acl.ValidName(name) {
		c.addReplyError("Usernames can't contain spaces or null characters")
		return
	}
	words := make([]string, 0, len(c.args)-3)
	for i := 3; i < len(c.args); i++ {
		words = append(words, c.arg(i))
	}
	rules, bad, ok := acl.MergeSelectors(words)
	if !ok {
		c.addReplyError("Unmatched parenthesis in acl selector starting at '" + cText(c.args[3+bad]) + "'.")
		return
	}
	u := s.acl.Get(name)
	next := s.acl.NewUser(name)
	if u != nil {
		next = u.Clone()
	}
	for _, op := range rules {
		if err := next.Set(op); err != nil {
			c.addReplyError("Error in ACL SETUSER modifier '" + cText([]byte(op)) + "': " + err.Error())
			return
		}
	}
	if u == nil {
		s.acl.Add(next)
	} else {
		s.dropListeners(u, next)
		u.Replace(next)
	}
	c.addReplyOK()
}

func aclDeluserCommand(c *Client) {
	s := c.srv
	for _, name := range c.args[2:] {
		if string(name) == acl.DefaultName {
			c.addReplyError("The 'default' user cannot be removed")
			return
		}
	}
	deleted := 0
	for _, name := range c.args[2:] {
		if u := s.acl.Get(string(name)); u != nil {
			s.acl.Remove(u)
			s.dropUsers(func(x *acl.User) bool { return x == u })
			deleted++
		}
	}
	c.addReplyLongLong(int64(deleted))
}

func aclGetuserCommand(c *Client) {
	u := c.srv.acl.Get(string(c.args[2]))
	if u == nil {
		c.addReplyNull()
		return
	}
	c.addReplyMapLen(6)
	c.addReplyBulkString("flags")
	flags := u.Flags()
	c.addReplySetLen(len(flags))
	for _, f := range flags {
		c.addReplyBulkString(f)
	}
	c.addReplyBulkString("passwords")
	passwords := u.Passwords()
	c.addReplyArrayLen(len(passwords))
	for _, p := range passwords {
		c.addReplyBulkString(p)
	}
	c.addReplySelector(u.Root())
	c.addReplyBulkString("selectors")
	more := u.Selectors()[1:]
	c.addReplyArrayLen(len(more))
	for _, sel := range more {
		c.addReplyMapLen(3)
		c.addReplySelector(sel)
	}
}

// addReplySelector answers the three fields of a selector.
func (c *Client) addReplySelector(sel *acl.Selector) {
	c.addReplyBulkString("commands")
	c.addReplyBulkString(sel.CommandRules())
	c.addReplyBulkString("keys")
	c.addReplyBulkString(sel.KeyRules())
	c.addReplyBulkString("channels")
	c.addReplyBulkString(sel.ChannelRules())
}

func aclLoadCommand(c *Client) {
	s := c.srv
	if s.V.ACLFile == "" {
		c.addReplyError(errNoACLFile)
		return
	}
	if err := s.loadACLFile(); err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.addReplyOK()
}

func aclSaveCommand(c *Client) {
	s := c.srv
	if s.V.ACLFile == "" {
		c.addReplyError(errNoACLFile)
		return
	}
	if err := s.saveACLFile(); err != nil {
		s.Host.Logf(LogWarning, "Saving the ACL file: %v", err)
		c.addReplyError("There was an error trying to save the ACLs. Please check the server logs for more information")
		return
	}
	c.addReplyOK()
}

func aclCatCommand(c *Client) {
	switch len(c.args) {
	case 2:
		names := CategoryNames()
		c.addReplyArrayLen(len(names))
		for _, n := range names {
			c.addReplyBulkString(n)
		}
	case 3:
		cat := CategoryByName(c.args[2])
		if cat == 0 {
			c.addReplyError("Unknown category '" + cText(c.args[2]) + "'")
			return
		}
		t := c.srv.Table
		mark, n := c.deferredLen(), 0
		for id := range t.Len() {
			if cmd := t.ByID(id); cmd.ACL&cat != 0 {
				c.addReplyBulkString(cmd.FullName)
				n++
			}
		}
		c.setDeferredArrayLen(mark, n)
	default:
		c.addReplySubcommandSyntaxError()
	}
}

// aclGenpassMaxBits is the longest password that ACL GENPASS makes.
const aclGenpassMaxBits = 4096

func aclGenpassCommand(c *Client) {
	bits := int64(256)
	if len(c.args) > 3 {
		c.addReplySubcommandSyntaxError()
		return
	}
	if len(c.args) == 3 {
		var ok bool
		if bits, ok = c.longArg(2, ""); !ok {
			return
		}
		if bits <= 0 || bits > aclGenpassMaxBits {
			c.addReplyError("ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
			return
		}
	}
	digits := int(bits+3) / 4
	c.addReplyBulkString(hex.EncodeToString(c.srv.Host.RandomBytes((digits + 1) / 2))[:digits])
}

func aclDryrunCommand(c *Client) {
	s := c.srv
	u := s.acl.Get(string(c.args[2]))
	if u == nil {
		c.addReplyError("User '" + cText(c.args[2]) + "' not found")
		return
	}
	args := c.args[3:]
	cmd, _ := s.Table.LookupArgs(args)
	if cmd == nil {
		c.addReplyError("Command '" + cText(args[0]) + "' not found")
		return
	}
	if !cmd.ArityOK(len(args)) {
		c.addReplyError("wrong number of arguments for '" + cmd.FullName + "' command")
		return
	}
	d, at := s.aclCheck(u, cmd, args)
	switch d {
	case notDenied:
		c.addReplyOK()
	case deniedCommand:
		c.addReplyBulkString("This user has no permissions to run the '" + cmd.FullName + "' command")
	case deniedKey:
		c.addReplyBulkString("This user has no permissions to access the '" + cText(args[at]) + "' key")
	case deniedChannel:
		c.addReplyBulkString("This user has no permissions to access the '" + cText(args[at]) + "' channel")
	}
}

func aclHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"CAT [<category>]", "    Answer the categories, or the commands of one.",
		"DELUSER <username> [<username> ...]", "    Delete users and cut their connections.",
		"DRYRUN <username> <command> [<arg> ...]", "    Tell whether a user could run a command, without running it.",
		"GETUSER <username>", "    Answer the rules of a user.",
		"GENPASS [<bits>]", "    Answer a random password of 256 bits, or of as many as asked for.",
		"LIST", "    Answer the users as lines of an ACL file.",
		"LOAD", "    Read the ACL file again.",
		"LOG [<count> | RESET]", "    Answer what was refused lately, or forget it.",
		"SAVE", "    Write the users to the ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]", "    Create a user or change its rules.",
		"USERS", "    Answer the names of the users.",
		"WHOAMI", "    Answer the user of this connection.",
	})
}
