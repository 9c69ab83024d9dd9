package acl

import (
	"errors"
	"slices"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
)

// Perm is what is done to a key, or what a pattern allows to be done.
type Perm uint8

// The two rights to a key.
const (
	Read Perm = 1 << iota
	Write
)

// The errors of rules; their texts are the protocol's.
var (
	ErrUnknown     = errors.New("Unknown command or category name in ACL")                                                                                                                                 //lint:ignore ST1005 the protocol's text
	ErrSyntax      = errors.New("Syntax error")                                                                                                                                                            //lint:ignore ST1005 the protocol's text
	ErrAllKeys     = errors.New("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")         //lint:ignore ST1005 the protocol's text
	ErrAllChannels = errors.New("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels") //lint:ignore ST1005 the protocol's text
	ErrNoPassword  = errors.New("The password you are trying to remove from the user does not exist")                                                                                                      //lint:ignore ST1005 the protocol's text
	ErrHash        = errors.New("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")                                                                       //lint:ignore ST1005 the protocol's text
	ErrFirstArg    = errors.New("Allowing first-arg of a subcommand is not supported")                                                                                                                     //lint:ignore ST1005 the protocol's text
	ErrDuplicate   = errors.New("Duplicate user found. A user can only be defined once in config files")                                                                                                   //lint:ignore ST1005 the protocol's text
)

// keyPattern is one ~, %R~ or %W~ rule.
type keyPattern struct {
	text string
	glob glob.Pattern
	perm Perm
}

// channelPattern is one & rule.
type channelPattern struct {
	text string
	glob glob.Pattern
}

// Selector is one set of rights: commands, and the keys and channels that they may touch.
type Selector struct {
	cmds *Commands
	bits []uint64
	// future is the bit of commands that do not exist yet: set by +@all, and by nothing else.
	future bool
	// allCommands is set by +@all until the first right is taken away.
	allCommands bool
	allKeys     bool
	allChannels bool
	// firstArgs are first arguments with which a command without subcommands is allowed although its bit is not set, by the
	// command's ID.
	firstArgs map[int][]string
	keys      []keyPattern
	channels  []channelPattern
}

func newSelector(cs *Commands, allChannels bool) *Selector {
	return &Selector{cmds: cs, bits: make([]uint64, (cs.n+63)/64), allChannels: allChannels}
}

func (s *Selector) clone() *Selector {
	c := *s
	c.bits = slices.Clone(s.bits)
	c.keys = slices.Clone(s.keys)
	c.channels = slices.Clone(s.channels)
	c.firstArgs = nil
	for id, list := range s.firstArgs {
		c.addFirstArgs(id, list...)
	}
	return &c
}

// unrestricted tells whether nothing at all needs a check.
func (s *Selector) unrestricted() bool { return s.allCommands && s.allKeys && s.allChannels }

// AllKeys tells whether every key may be read and written.
func (s *Selector) AllKeys() bool { return s.allKeys }

// AllChannels tells whether every channel may be used.
func (s *Selector) AllChannels() bool { return s.allChannels }

// AllowsCommand tells whether the command with that ID may be called. first is its first argument, nil if it has none.
func (s *Selector) AllowsCommand(id int, first []byte) bool {
	if s.allCommands || s.bits[id>>6]&(1<<(id&63)) != 0 {
		return true
	}
	if first == nil || s.firstArgs == nil {
		return false
	}
	for _, a := range s.firstArgs[id] {
		if equalFold(first, a) {
			return true
		}
	}
	return false
}

// AllowsKey tells whether perm may be done to the key. With no right needed, as for a command that only asks for the
// existence of a key, any pattern that matches it is enough.
func (s *Selector) AllowsKey(key []byte, perm Perm) bool {
	if s.allKeys {
		return true
	}
	for i := range s.keys {
		p := &s.keys[i]
		if p.perm&perm == perm && p.glob.Match(key) {
			return true
		}
	}
	return false
}

// AllowsAllKeys tells whether perm may be done to every key.
func (s *Selector) AllowsAllKeys(perm Perm) bool {
	if s.allKeys {
		return true
	}
	for i := range s.keys {
		if p := &s.keys[i]; p.text == "*" && p.perm&perm == perm {
			return true
		}
	}
	return false
}

// AllowsChannel tells whether a channel may be used. A pattern that is subscribed to must itself be among the rules.
func (s *Selector) AllowsChannel(channel []byte, pattern bool) bool {
	if s.allChannels {
		return true
	}
	for i := range s.channels {
		p := &s.channels[i]
		if pattern {
			if p.text == string(channel) {
				return true
			}
		} else if p.glob.Match(channel) {
			return true
		}
	}
	return false
}

func (s *Selector) bit(id int) bool { return s.bits[id>>6]&(1<<(id&63)) != 0 }

func (s *Selector) setBit(id int, on bool) {
	if on {
		s.bits[id>>6] |= 1 << (id & 63)
		return
	}
	s.bits[id>>6] &^= 1 << (id & 63)
	s.allCommands = false
}

// allow gives or takes the right to a command with all of its subcommands; first arguments allowed before are void.
func (s *Selector) allow(c *Command, on bool) {
	s.setBit(c.id, on)
	delete(s.firstArgs, c.id)
	for _, sub := range c.Subs {
		s.allow(sub, on)
	}
}

func (s *Selector) allowCategory(cat uint32, on bool) {
	s.cmds.each(func(c *Command) {
		if c.Categories&cat != 0 {
			s.allow(c, on)
		}
	})
}

func (s *Selector) allowAll(on bool) {
	word := uint64(0)
	if on {
		word = ^word
	}
	for i := range s.bits {
		s.bits[i] = word
	}
	s.future, s.allCommands = on, on
	s.firstArgs = nil
}

func (s *Selector) addFirstArgs(id int, args ...string) {
	if s.firstArgs == nil {
		s.firstArgs = make(map[int][]string)
	}
	for _, a := range args {
		if !slices.ContainsFunc(s.firstArgs[id], func(b string) bool { return strings.EqualFold(a, b) }) {
			s.firstArgs[id] = append(s.firstArgs[id], a)
		}
	}
}

// set applies one rule about commands, keys or channels.
func (s *Selector) set(op string) error {
	word := cString(op)
	switch {
	case strings.EqualFold(word, "allkeys"), word == "~*":
		s.allKeys, s.keys = true, nil
	case strings.EqualFold(word, "resetkeys"):
		s.allKeys, s.keys = false, nil
	case strings.EqualFold(word, "allchannels"), word == "&*":
		s.allChannels, s.channels = true, nil
	case strings.EqualFold(word, "resetchannels"):
		s.allChannels, s.channels = false, nil
	case strings.EqualFold(word, "allcommands"), strings.EqualFold(word, "+@all"):
		s.allowAll(true)
	case strings.EqualFold(word, "nocommands"), strings.EqualFold(word, "-@all"):
		s.allowAll(false)
	case op == "":
		return ErrSyntax
	case op[0] == '~' || op[0] == '%':
		return s.setKeyPattern(op)
	case op[0] == '&':
		return s.setChannelPattern(op[1:])
	case len(word) > 1 && (word[0] == '+' || word[0] == '-') && word[1] == '@':
		cat := s.cmds.Category(word[2:])
		if cat == 0 {
			return ErrUnknown
		}
		s.allowCategory(cat, word[0] == '+')
	case op[0] == '+':
		return s.setCommand(word[1:])
	case op[0] == '-':
		c := s.cmds.Lookup(word[1:])
		if c == nil {
			return ErrUnknown
		}
		s.allow(c, false)
	default:
		return ErrSyntax
	}
	return nil
}

// setCommand allows a command, a subcommand, or a command with a first argument.
func (s *Selector) setCommand(name string) error {
	i := strings.LastIndexByte(name, '|')
	if i < 0 {
		c := s.cmds.Lookup(name)
		if c == nil {
			return ErrUnknown
		}
		s.allow(c, true)
		return nil
	}
	c := s.cmds.Lookup(name[:i])
	switch {
	case c == nil:
		return ErrUnknown
	case c.Parent != nil:
		return ErrFirstArg
	case i+1 == len(name):
		return ErrSyntax
	case len(c.Subs) > 0:
		if c = s.cmds.Lookup(name); c == nil {
			return ErrUnknown
		}
		s.allow(c, true)
	default:
		s.addFirstArgs(c.id, name[i+1:])
	}
	return nil
}

func (s *Selector) setKeyPattern(op string) error {
	if s.allKeys {
		return ErrAllKeys
	}
	perm, text := Read|Write, op[1:]
	if op[0] == '%' {
		perm = 0
		i := 1
	flags:
		for ; i < len(op); i++ {
			switch c := op[i] | 0x20; {
			case c == 'r' && perm&Read == 0:
				perm |= Read
			case c == 'w' && perm&Write == 0:
				perm |= Write
			case op[i] == '~':
				i++
				break flags
			default:
				return ErrSyntax
			}
		}
		text = op[i:]
		if perm == 0 {
			return ErrSyntax
		}
	}
	if hasSpaces(text) {
		return ErrSyntax
	}
	for i := range s.keys {
		if s.keys[i].text == text {
			s.keys[i].perm |= perm
			return nil
		}
	}
	s.keys = append(s.keys, keyPattern{text, glob.Compile([]byte(text)), perm})
	return nil
}

func (s *Selector) setChannelPattern(text string) error {
	if s.allChannels {
		return ErrAllChannels
	}
	if hasSpaces(text) {
		return ErrSyntax
	}
	for i := range s.channels {
		if s.channels[i].text == text {
			return nil
		}
	}
	s.channels = append(s.channels, channelPattern{text, glob.Compile([]byte(text))})
	return nil
}

// hasSpaces tells whether a name or pattern could not be written in a line of rules.
func hasSpaces(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == 0 || c == ' ' || c-'\t' < 5 {
			return true
		}
	}
	return false
}

// cString cuts s at its first NUL byte: the words of rules are C strings in redis-server.
func cString(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}

// equalFold compares ASCII without letter case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		d := s[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if d-'A' < 26 {
			d |= 0x20
		}
		if c != d {
			return false
		}
	}
	return true
}
