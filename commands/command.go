package commands

import (
	"bytes"
	"fmt"
	"strings"
)

// Command is one row of the command table: all that COMMAND and COMMAND DOCS
// report about a command or subcommand, and its handler. Rows are read-only
// once NewTable has returned.
type Command struct {
	Name            string // lower case; for a subcommand its own name only
	Summary         string
	Since           string // first Redis version that had it
	Complexity      string
	Group           Group
	Arity           int // argument count with the name (and subcommand); -n: n or more
	Flags           Flags
	ACL             Categories // explicit ones; NewTable adds those that follow from Flags
	KeySpecs        []KeySpec
	Channels        ChannelSpec
	Args            []Arg
	Subcommands     []*Command
	Tips            []string // hints for clients and proxies
	History         []Change
	DeprecatedSince string
	ReplacedBy      string
	DocFlags        DocFlags
	GetKeys         GetKeysFunc // where specs do not suffice
	Proc            func(c *Client)

	// Set by NewTable.
	parent            *Command
	fullName          string
	id                int
	first, last, step int
	subs              nameIndex
	hasKeys           bool
	specsReliable     bool // specs tell both positions and flags
}

// Change is one entry of a command's history.
type Change struct{ Since, Text string }

// ChannelSpec says which arguments of a command are channels: Count of them
// from First on, all that follow if Count is -1. The zero value means none.
type ChannelSpec struct {
	Flags        ChannelFlags
	First, Count int
}

// FullName returns the name with which the command is shown and counted:
// "get", or "config|get" for a subcommand.
func (c *Command) FullName() string { return c.fullName }

// Parent returns the container of a subcommand, nil for other commands.
func (c *Command) Parent() *Command { return c.parent }

// ID returns the command's dense index in its table, from 0 to Table.Size()-1,
// for statistics that are kept in a slice beside the table.
func (c *Command) ID() int { return c.id }

// FirstKey, LastKey and KeyStep are the old-style key range of COMMAND INFO;
// all are 0 if the command has no plain range of keys.
func (c *Command) FirstKey() int { return c.first }

// LastKey is counted from the end if it is negative.
func (c *Command) LastKey() int { return c.last }

// KeyStep is the distance between two keys of the range.
func (c *Command) KeyStep() int { return c.step }

// IsContainer reports whether the command has subcommands.
func (c *Command) IsContainer() bool { return len(c.Subcommands) > 0 }

// Sub returns the subcommand with that name in any letter case, or nil. It
// does not allocate.
func (c *Command) Sub(name []byte) *Command { return c.subs.find(name) }

// ArityOK reports whether a call of argc arguments, the names included, satisfies
// the command's arity.
func (c *Command) ArityOK(argc int) bool {
	if c.Arity >= 0 {
		return argc == c.Arity
	}
	return argc >= -c.Arity
}

// maxEcho is how much of a client's words an error text repeats.
const maxEcho = 128

// echo makes a client's word fit to be repeated in an error: at most n bytes,
// and, as in a C string, nothing behind a zero byte.
func echo(b []byte, n int) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) > n {
		b = b[:n]
	}
	return b
}

// wrongArityText is the error for a call that misses the command's arity.
func wrongArityText(c *Command) string {
	return "wrong number of arguments for '" + c.fullName + "' command"
}

// unknownCommandText is the error for a name that is not in the table. It repeats
// the name and as many arguments as fit.
func unknownCommandText(args [][]byte) string {
	var tail []byte
	for _, a := range args[1:] {
		if len(tail) >= maxEcho {
			break
		}
		tail = fmt.Appendf(tail, "'%s' ", echo(a, maxEcho-len(tail)))
	}
	return fmt.Sprintf("unknown command '%s', with args beginning with: %s", echo(args[0], maxEcho), tail)
}

// unknownSubcommandText is the error for a name that the container does not
// have.
func unknownSubcommandText(container *Command, name []byte) string {
	return fmt.Sprintf("unknown subcommand '%s'. Try %s HELP.", echo(name, maxEcho), strings.ToUpper(container.Name))
}
