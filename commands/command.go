package commands

// Command is one row of the command table: all that COMMAND and COMMAND DOCS
// report about a command or subcommand, and its handler. Rows are read-only
// once NewTable has returned.
type Command struct {
	Name            string // lower case; for a subcommand its own name only
	Summary         string
	Since           string // first version that had it, of Redis or, for its own commands, of Valkey
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
	pubsubContext   bool // allowed to a RESP2 client that listens to channels
	isExec          bool // EXEC: the gates ask it for its whole transaction

	// FullName is the name with which the command is shown and counted: "get",
	// or "config|get" for a subcommand. ID is its dense index in the table, from
	// 0 to Table.Len()-1, for statistics that are kept in a slice beside it.
	// NewTable sets both, and what follows.
	FullName string
	ID       int
	aclID    int // the command's bit in the rights of users

	parent            *Command
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

// Parent returns the container of a subcommand, nil for other commands.
func (c *Command) Parent() *Command { return c.parent }

// topName returns the name of the command itself or, for a subcommand, of its
// container.
func (c *Command) topName() string {
	if c.parent != nil {
		return c.parent.Name
	}
	return c.Name
}

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
