package commands

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/acl"
)

// The table of all commands, found by name.
//
// The rows stand in table_<group>.go, one function for each group. NewTable
// collects the rows that have a handler and indexes them:
//
//	name ──fold to lower case, pack into 3 words──> hash
//	slots   [ . 7 . . 2 . . 9 ]     uint16: entry number + 1, linear probing
//	entries [ {words, length, *Command} … ]
//
// The packed name is also what is compared, so a lookup touches one slot and
// one entry and allocates nothing. Names of more than 24 bytes, which only
// rename-command can bring about, are searched one by one.

// Table is an index of commands by name. After NewTable it does not change, so
// any goroutine may read it.
type Table struct {
	index  nameIndex
	top    []*Command          // top-level commands, by name
	byID   []*Command          // all commands and subcommands
	byOrig map[string]*Command // top-level commands by the name in the row
	acl    *acl.Commands
}

// Rename gives a top-level command another name, as rename-command does; with
// To empty it can no longer be called.
type Rename struct{ From, To string }

// NewTable builds the table of all commands that have a handler, with the
// renames applied in their order. It fails if a rename names no command or takes a
// name that is in use. A command that is known but has no handler may be
// renamed, to no effect: a configuration that disables it holds anyway.
func NewTable(renames ...Rename) (*Table, error) { return newTable(allRows(), renames) }

// allRows returns fresh rows of every command known, with or without a
// handler.
func allRows() []*Command {
	var rows []*Command
	for _, group := range []func() []*Command{
		genericCommands, stringCommands, listCommands, setCommands, sortedSetCommands, hashCommands,
		streamCommands, bitmapCommands, hyperLogLogCommands, geoCommands, pubsubCommands,
		transactionCommands, scriptingCommands, connectionCommands, serverCommands, clusterCommands,
	} {
		rows = append(rows, group()...)
	}
	return rows
}

// inGroup puts the rows and their subcommands in a group.
func inGroup(g Group, rows []*Command) []*Command {
	for _, c := range rows {
		c.Group = g
		inGroup(g, c.Subcommands)
	}
	return rows
}

func newTable(rows []*Command, renames []Rename) (*Table, error) {
	t := &Table{byOrig: make(map[string]*Command)}
	known := make(map[string]bool, len(rows))
	for _, c := range rows {
		known[c.Name] = true
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].Name < rows[j].Name })
	t.acl = aclVocabulary(rows)
	rows = callable(rows)
	names := make(map[string]*Command, len(rows))
	for _, c := range rows {
		if t.byOrig[c.Name] != nil {
			panic(fmt.Sprintf("command %q has two rows", c.Name))
		}
		t.add(c, nil)
		t.byOrig[c.Name] = c
		names[c.Name] = c
	}
	for _, r := range renames {
		from, to := lowerString(r.From), lowerString(r.To)
		c := names[from]
		if c == nil && known[from] && t.byOrig[from] == nil {
			continue
		}
		if c == nil {
			return nil, fmt.Errorf("rename-command: no such command: %q", r.From)
		}
		delete(names, from)
		if to == "" {
			continue
		}
		if names[to] != nil {
			return nil, fmt.Errorf("rename-command: the name %q is in use", r.To)
		}
		names[to] = c
	}
	t.index.build(names)
	for _, c := range rows {
		for _, kept := range names {
			if kept == c {
				t.top = append(t.top, c)
				break
			}
		}
	}
	return t, nil
}

// callable drops the rows that have no handler and no subcommand with one.
func callable(rows []*Command) []*Command {
	kept := rows[:0]
	for _, c := range rows {
		c.Subcommands = callable(c.Subcommands)
		if c.Proc != nil || len(c.Subcommands) > 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

// add completes the derived fields of a row and of its subcommands.
func (t *Table) add(c, parent *Command) {
	c.parent, c.FullName = parent, c.Name
	if parent != nil {
		c.FullName = parent.Name + "|" + c.Name
	}
	c.ID = len(t.byID)
	t.byID = append(t.byID, c)
	c.ACL = c.ACL.implicit(c.Flags)
	var movable bool
	if c.first, c.last, c.step, movable = legacyRange(c.KeySpecs); movable {
		c.Flags |= CmdMovableKeys
	}
	real, variable := false, false
	for i := range c.KeySpecs {
		real = real || c.KeySpecs[i].Flags&KeyNotKey == 0
		variable = variable || c.KeySpecs[i].Flags&KeyVariableFlags != 0
	}
	c.hasKeys = real || c.GetKeys != nil
	c.specsReliable = real && !variable
	names := make(map[string]*Command, len(c.Subcommands))
	for _, s := range c.Subcommands {
		if names[s.Name] != nil {
			panic(fmt.Sprintf("subcommand %q of %q has two rows", s.Name, c.Name))
		}
		names[s.Name] = s
		t.add(s, c)
	}
	c.subs.build(names)
}

// Lookup returns the top-level command with that name in any letter case, or
// nil. It does not allocate.
func (t *Table) Lookup(name []byte) *Command { return t.index.find(name) }

// LookupArgs finds the command that a call means. For a container and at least
// one more argument that is the subcommand, and container is set; cmd is nil
// then if there is no such subcommand. A container called alone is returned
// as cmd: its arity turns the call down. Both are nil for an unknown command.
func (t *Table) LookupArgs(args [][]byte) (cmd, container *Command) {
	cmd = t.index.find(args[0])
	if cmd == nil || len(args) == 1 || len(cmd.Subcommands) == 0 {
		return cmd, nil
	}
	return cmd.subs.find(args[1]), cmd
}

// LookupFull returns the command with a full name like "get" or "config|get",
// or nil.
func (t *Table) LookupFull(name []byte) *Command {
	for i, b := range name {
		if b == '|' {
			if c := t.index.find(name[:i]); c != nil {
				return c.subs.find(name[i+1:])
			}
			return nil
		}
	}
	return t.index.find(name)
}

// LookupOriginal returns the top-level command whose row has that lower-case
// name, whatever rename-command did to it.
func (t *Table) LookupOriginal(name string) *Command { return t.byOrig[name] }

// Commands returns the top-level commands that can be called, by name. The
// caller must not change the slice.
func (t *Table) Commands() []*Command { return t.top }

// Len returns the number of commands and subcommands; IDs lie below it.
func (t *Table) Len() int { return len(t.byID) }

// ByID returns the command or subcommand with that ID.
func (t *Table) ByID(id int) *Command { return t.byID[id] }

// nameIndex finds commands by name in any letter case.
type nameIndex struct {
	slots   []uint16 // power of two long, at most a quarter in use
	entries []nameEntry
	long    []longName
}

// nameEntry holds a name of 1 to maxPacked bytes, packed.
type nameEntry struct {
	w0, w1, w2 uint64
	n          int
	cmd        *Command
}

type longName struct {
	name string
	cmd  *Command
}

// maxPacked is the longest name that three words can hold.
const maxPacked = 24

// pack folds a name of 1 to maxPacked bytes to lower case and into three
// words. Words may overlap or repeat bytes; together with the length the
// packing is one to one.
func pack(b []byte) (w0, w1, w2 uint64) {
	n := len(b)
	switch {
	case n >= 8:
		w0 = lowerWord(binary.LittleEndian.Uint64(b))
		w1 = lowerWord(binary.LittleEndian.Uint64(b[n-8:]))
		if n > 16 {
			w2 = lowerWord(binary.LittleEndian.Uint64(b[8:]))
		}
	case n >= 4:
		w0 = lowerWord(uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32)
	default:
		w0 = lowerWord(uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16)
	}
	return w0, w1, w2
}

// hashWords mixes a packed name by one wide multiplication.
func hashWords(w0, w1, w2 uint64, n int) uint64 {
	hi, lo := bits.Mul64(w0^0x9e3779b97f4a7c15^uint64(n), w1^bits.RotateLeft64(w2, 31)^0xd1b54a32d192ed03)
	return hi ^ lo
}

// lowerWord makes the ASCII capitals among 8 bytes small, without a carry
// from one byte into the next: with the high bits off, adding 0x3f sets a byte's
// high bit from 'A' on, adding 0x25 from behind 'Z' on.
func lowerWord(x uint64) uint64 {
	const ones = 0x0101010101010101
	low := x & (0x7f * ones)
	capital := (low + 0x3f*ones) &^ (low + 0x25*ones) &^ x & (0x80 * ones)
	return x | capital>>2
}

func (ix *nameIndex) build(names map[string]*Command) {
	if len(names) == 0 {
		return
	}
	size := 8
	for size < 4*len(names) {
		size *= 2
	}
	ix.slots = make([]uint16, size)
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	sort.Strings(sorted)
	for _, n := range sorted {
		if len(n) > maxPacked {
			ix.long = append(ix.long, longName{n, names[n]})
			continue
		}
		e := nameEntry{n: len(n), cmd: names[n]}
		e.w0, e.w1, e.w2 = pack([]byte(n))
		ix.entries = append(ix.entries, e)
		i := hashWords(e.w0, e.w1, e.w2, e.n) & uint64(size-1)
		for ix.slots[i] != 0 {
			i = (i + 1) & uint64(size-1)
		}
		ix.slots[i] = uint16(len(ix.entries))
	}
}

func (ix *nameIndex) find(name []byte) *Command {
	if len(ix.slots) == 0 || len(name) == 0 {
		return nil
	}
	if len(name) > maxPacked {
		for i := range ix.long {
			if equalFold(name, ix.long[i].name) {
				return ix.long[i].cmd
			}
		}
		return nil
	}
	w0, w1, w2 := pack(name)
	mask := uint64(len(ix.slots) - 1)
	for i := hashWords(w0, w1, w2, len(name)); ; i++ {
		n := ix.slots[i&mask]
		if n == 0 {
			return nil
		}
		if e := &ix.entries[n-1]; e.w0 == w0 && e.w1 == w1 && e.w2 == w2 && e.n == len(name) {
			return e.cmd
		}
	}
}

// lowerString makes the ASCII capitals of s small.
func lowerString(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c | 0x20
		}
	}
	return string(b)
}
