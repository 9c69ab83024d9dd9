package commands

import (
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
)

// COMMAND and its subcommands: the table describing itself.

// commandCommand: COMMAND
func commandCommand(c *Client) { replyAllCommandInfo(c) }

// commandCountCommand: COMMAND COUNT
func commandCountCommand(c *Client) {
	c.addReplyLongLong(int64(len(c.srv.Table.Commands())))
}

// commandInfoCommand: COMMAND INFO [name ...]
func commandInfoCommand(c *Client) {
	names := c.args[2:]
	if len(names) == 0 {
		replyAllCommandInfo(c)
		return
	}
	c.addReplyArrayLen(len(names))
	for _, name := range names {
		replyCommandInfo(c, c.srv.Table.LookupFull(name))
	}
}

func replyAllCommandInfo(c *Client) {
	all := c.srv.Table.Commands()
	c.addReplyArrayLen(len(all))
	for _, cmd := range all {
		replyCommandInfo(c, cmd)
	}
}

func replyCommandInfo(c *Client, cmd *Command) {
	if cmd == nil {
		c.addReplyNull()
		return
	}
	c.addReplyArrayLen(10)
	c.addReplyBulkString(cmd.FullName)
	c.addReplyLongLong(int64(cmd.Arity))
	var names [32]string
	replyStatusSet(c, "", cmd.Flags.Names(names[:0]))
	c.addReplyLongLong(int64(cmd.FirstKey()))
	c.addReplyLongLong(int64(cmd.LastKey()))
	c.addReplyLongLong(int64(cmd.KeyStep()))
	replyStatusSet(c, "@", cmd.ACL.Names(names[:0]))
	c.addReplySetLen(len(cmd.Tips))
	for _, tip := range cmd.Tips {
		c.addReplyBulkString(tip)
	}
	c.addReplySetLen(len(cmd.KeySpecs))
	for i := range cmd.KeySpecs {
		replyKeySpec(c, &cmd.KeySpecs[i])
	}
	if len(cmd.Subcommands) == 0 {
		c.addReplySetLen(0)
		return
	}
	c.addReplyArrayLen(len(cmd.Subcommands))
	for _, sub := range cmd.Subcommands {
		replyCommandInfo(c, sub)
	}
}

// replyStatusSet replies with a set of names, each with a prefix.
func replyStatusSet(c *Client, prefix string, names []string) {
	c.addReplySetLen(len(names))
	for _, n := range names {
		c.addReplyStatus(prefix + n)
	}
}

func replyKeySpec(c *Client, s *KeySpec) {
	n := 3
	if s.Notes != "" {
		n++
	}
	c.addReplyMapLen(n)
	if s.Notes != "" {
		c.addReplyBulkString("notes")
		c.addReplyBulkString(s.Notes)
	}
	c.addReplyBulkString("flags")
	var names [16]string
	replyStatusSet(c, "", s.Flags.Names(names[:0]))

	c.addReplyBulkString("begin_search")
	switch b := &s.Begin; {
	case b.Index > 0:
		replySpecPart(c, "index", specNumber{"index", b.Index})
	case b.Keyword != "":
		replySpecHead(c, "keyword", 2)
		c.addReplyBulkString("keyword")
		c.addReplyBulkString(strings.ToUpper(b.Keyword))
		c.addReplyBulkString("startfrom")
		c.addReplyLongLong(int64(b.StartFrom))
	default:
		replySpecPart(c, "unknown")
	}

	c.addReplyBulkString("find_keys")
	switch f := &s.Find; {
	case f.Step == 0:
		replySpecPart(c, "unknown")
	case f.ByCount:
		replySpecPart(c, "keynum",
			specNumber{"keynumidx", f.CountIndex}, specNumber{"firstkey", f.FirstKey}, specNumber{"keystep", f.Step})
	default:
		replySpecPart(c, "range",
			specNumber{"lastkey", f.LastKey}, specNumber{"keystep", f.Step}, specNumber{"limit", f.Limit})
	}
}

type specNumber struct {
	name string
	n    int
}

// replySpecHead begins one step of a key spec: its type, and a map of n fields
// that the caller completes.
func replySpecHead(c *Client, kind string, n int) {
	c.addReplyMapLen(2)
	c.addReplyBulkString("type")
	c.addReplyBulkString(kind)
	c.addReplyBulkString("spec")
	c.addReplyMapLen(n)
}

func replySpecPart(c *Client, kind string, fields ...specNumber) {
	replySpecHead(c, kind, len(fields))
	for _, f := range fields {
		c.addReplyBulkString(f.name)
		c.addReplyLongLong(int64(f.n))
	}
}

// commandDocsCommand: COMMAND DOCS [name ...]. Names that are not known are
// left out.
func commandDocsCommand(c *Client) {
	cmds := c.srv.Table.Commands()
	if names := c.args[2:]; len(names) > 0 {
		cmds = nil
		for _, name := range names {
			if cmd := c.srv.Table.LookupFull(name); cmd != nil {
				cmds = append(cmds, cmd)
			}
		}
	}
	replyDocs(c, cmds)
}

func replyDocs(c *Client, cmds []*Command) {
	c.addReplyMapLen(len(cmds))
	for _, cmd := range cmds {
		c.addReplyBulkString(cmd.FullName)
		replyCommandDocs(c, cmd)
	}
}

// docText is a field of COMMAND DOCS that is left out if it is empty.
type docText struct{ name, text string }

func countTexts(fields []docText) (n int) {
	for _, f := range fields {
		if f.text != "" {
			n++
		}
	}
	return n
}

func replyTexts(c *Client, fields []docText) {
	for _, f := range fields {
		if f.text != "" {
			c.addReplyBulkString(f.name)
			c.addReplyBulkString(f.text)
		}
	}
}

func replyCommandDocs(c *Client, cmd *Command) {
	head := [...]docText{
		{"summary", cmd.Summary}, {"since", cmd.Since}, {"group", cmd.Group.String()}, {"complexity", cmd.Complexity},
	}
	deprecation := [...]docText{{"deprecated_since", cmd.DeprecatedSince}, {"replaced_by", cmd.ReplacedBy}}
	n := countTexts(head[:]) + countTexts(deprecation[:])
	for _, present := range [...]bool{
		cmd.DocFlags != 0, len(cmd.History) > 0, len(cmd.Args) > 0, len(cmd.Subcommands) > 0,
	} {
		if present {
			n++
		}
	}
	c.addReplyMapLen(n)
	replyTexts(c, head[:])
	if cmd.DocFlags != 0 {
		c.addReplyBulkString("doc_flags")
		replyStatusSet(c, "", cmd.DocFlags.Names(nil))
	}
	replyTexts(c, deprecation[:])
	if len(cmd.History) > 0 {
		c.addReplyBulkString("history")
		c.addReplySetLen(len(cmd.History))
		for _, h := range cmd.History {
			c.addReplyArrayLen(2)
			c.addReplyBulkString(h.Since)
			c.addReplyBulkString(h.Text)
		}
	}
	if len(cmd.Args) > 0 {
		c.addReplyBulkString("arguments")
		replyArgs(c, cmd.Args)
	}
	if len(cmd.Subcommands) > 0 {
		c.addReplyBulkString("subcommands")
		replyDocs(c, cmd.Subcommands)
	}
}

func replyArgs(c *Client, args []Arg) {
	c.addReplyArrayLen(len(args))
	for i := range args {
		a := &args[i]
		nested := a.Type == ArgOneOf || a.Type == ArgBlock
		word := a.Token != "" || a.Type == ArgPureToken // a pure token may be the empty string
		versions := [...]docText{{"since", a.Since}, {"deprecated_since", a.DeprecatedSince}}
		n := 2 + countTexts(versions[:])
		for _, present := range [...]bool{a.KeySpec >= 0, word, a.Flags != 0, nested} {
			if present {
				n++
			}
		}
		c.addReplyMapLen(n)
		c.addReplyBulkString("name")
		c.addReplyBulkString(a.Name)
		c.addReplyBulkString("type")
		c.addReplyBulkString(a.Type.String())
		if a.KeySpec >= 0 {
			c.addReplyBulkString("key_spec_index")
			c.addReplyLongLong(int64(a.KeySpec))
		}
		if word {
			c.addReplyBulkString("token")
			c.addReplyBulkString(a.Token)
		}
		replyTexts(c, versions[:])
		if a.Flags != 0 {
			c.addReplyBulkString("flags")
			var names [4]string
			replyStatusSet(c, "", a.Flags.Names(names[:0]))
		}
		if nested {
			c.addReplyBulkString("arguments")
			replyArgs(c, a.Args)
		}
	}
}

// commandListCommand: COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern].
// Of several filters the last one counts.
func commandListCommand(c *Client) {
	keep := func(*Command) bool { return true }
	for i := 2; i < len(c.args); i += 3 {
		if !equalFold(c.args[i], "filterby") || len(c.args)-i != 3 {
			c.addReplyErrorSyntax()
			return
		}
		switch kind, value := c.args[i+1], c.args[i+2]; {
		case equalFold(kind, "module"):
			// No module is ever loaded, so none has a command.
			keep = func(*Command) bool { return false }
		case equalFold(kind, "aclcat"):
			category := CategoryByName(value)
			keep = func(cmd *Command) bool { return cmd.ACL&category != 0 }
		case equalFold(kind, "pattern"):
			pattern := glob.Compile([]byte(lowerString(string(value))))
			keep = func(cmd *Command) bool { return pattern.Match([]byte(cmd.FullName)) }
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	var names []string
	for _, cmd := range c.srv.Table.Commands() {
		if keep(cmd) {
			names = append(names, cmd.FullName)
		}
		for _, sub := range cmd.Subcommands {
			if keep(sub) {
				names = append(names, sub.FullName)
			}
		}
	}
	c.addReplyArrayLen(len(names))
	for _, n := range names {
		c.addReplyBulkString(n)
	}
}

// commandGetKeysCommand: COMMAND GETKEYS name [arg ...]
func commandGetKeysCommand(c *Client) { replyKeys(c, false) }

// commandGetKeysAndFlagsCommand: COMMAND GETKEYSANDFLAGS name [arg ...]
func commandGetKeysAndFlagsCommand(c *Client) { replyKeys(c, true) }

func replyKeys(c *Client, withFlags bool) {
	call := c.args[2:]
	cmd, _ := c.srv.Table.LookupArgs(call)
	switch {
	case cmd == nil:
		c.addReplyError("Invalid command specified")
		return
	case !cmd.HasKeys():
		c.addReplyError("The command has no key arguments")
		return
	case !cmd.ArityOK(len(call)):
		c.addReplyError("Invalid number of arguments specified for command")
		return
	}
	var room [16]KeyRef
	keys, err := cmd.Keys(call, room[:0])
	if err != nil {
		c.addReplyError(err.Error())
		return
	}
	c.addReplyArrayLen(len(keys))
	for _, k := range keys {
		if withFlags {
			c.addReplyArrayLen(2)
		}
		c.addReplyBulk(call[k.Pos])
		if withFlags {
			var names [16]string
			replyStatusSet(c, "", k.Flags.Names(names[:0]))
		}
	}
}

// commandHelpCommand: COMMAND HELP
func commandHelpCommand(c *Client) {
	c.addReplyHelp([]string{
		"(no subcommand)",
		"    Describe all commands.",
		"COUNT",
		"    Count the commands.",
		"LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
		"    List the names of the commands.",
		"INFO [<command-name> ...]",
		"    Describe these commands, or all.",
		"DOCS [<command-name> ...]",
		"    Document these commands, or all.",
		"GETKEYS <full-command>",
		"    Show the keys of a whole command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Show the keys of a whole command and what it does to each.",
	})
}
