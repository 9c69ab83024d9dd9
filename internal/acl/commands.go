package acl

import "strings"

// Command is what rules can name: a command, or a subcommand with its Parent.
type Command struct {
	Name       string // in lower case, in full: "get", "config|get"
	Categories uint32 // bit i is category i of Commands
	Parent     *Command
	Subs       []*Command
	// Recent commands are not among those of redis-server 7.0. Rules are described by the categories that fit best, and
	// only the others count for that: a description is the same as there.
	Recent bool

	id int
}

// ID is the command's bit. It lies below Commands.Len.
func (c *Command) ID() int { return c.id }

// Commands is the vocabulary of rules. It does not change once made.
type Commands struct {
	list       []*Command // top-level commands in the order given
	byName     map[string]*Command
	categories []string
	n          int
}

// NewCommands numbers the commands and their subcommands. categories are the names of the bits of Command.Categories,
// without '@'; redis-server's order of them decides how it describes rules.
func NewCommands(categories []string, list []*Command) *Commands {
	cs := &Commands{list: list, byName: make(map[string]*Command), categories: categories}
	var number func(list []*Command, parent *Command)
	number = func(list []*Command, parent *Command) {
		for _, c := range list {
			c.Parent, c.id = parent, cs.n
			cs.n++
			cs.byName[c.Name] = c
			number(c.Subs, c)
		}
	}
	number(list, nil)
	return cs
}

// Len is the number of commands and subcommands.
func (cs *Commands) Len() int { return cs.n }

// Lookup finds a command by its full name in any letter case; nil if there is none.
func (cs *Commands) Lookup(name string) *Command { return cs.byName[strings.ToLower(name)] }

// Category returns the bit of a category, 0 if there is none of that name.
func (cs *Commands) Category(name string) uint32 {
	for i, n := range cs.categories {
		if strings.EqualFold(n, name) {
			return 1 << i
		}
	}
	return 0
}

// each calls fn for every command, and for its subcommands after it.
func (cs *Commands) each(fn func(*Command)) { eachOf(cs.list, fn) }

func eachOf(list []*Command, fn func(*Command)) {
	for _, c := range list {
		fn(c)
		eachOf(c.Subs, fn)
	}
}
