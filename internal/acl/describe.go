package acl

import "strings"

// How a selector's rights are put into words. The rules that made them are not kept: a description starts from all
// commands or none, adds or takes the categories that fit best, and then the single commands that are left over.

// KeyRules are the key patterns as rules, separated by spaces.
func (s *Selector) KeyRules() string {
	if s.allKeys {
		return "~*"
	}
	words := make([]string, len(s.keys))
	for i := range s.keys {
		words[i] = s.keys[i].rule()
	}
	return strings.Join(words, " ")
}

func (p *keyPattern) rule() string {
	switch p.perm {
	case Read:
		return "%R~" + p.text
	case Write:
		return "%W~" + p.text
	}
	return "~" + p.text
}

// ChannelRules are the channel patterns as rules, separated by spaces.
func (s *Selector) ChannelRules() string {
	if s.allChannels {
		return "&*"
	}
	words := make([]string, len(s.channels))
	for i := range s.channels {
		words[i] = "&" + s.channels[i].text
	}
	return strings.Join(words, " ")
}

// CommandRules describes the rights to commands. Applied to a new selector, the rules give the same rights.
func (s *Selector) CommandRules() string {
	cs := s.cmds
	made := newSelector(cs, false) // what the rules so far amount to
	words := []string{"-@all"}
	add := !s.future
	if !add {
		made.allowAll(true)
		words[0] = "+@all"
	}
	left := s.clone() // the rights that no category has accounted for
	var used uint32
	for {
		best, fewest, most := -1, 0, 0
		for j := range cs.categories {
			if used&(1<<j) != 0 {
				continue
			}
			on, off := left.count(1 << j)
			same, diff := on, off
			if !add {
				same, diff = off, on
			}
			if same > diff && (best < 0 || diff < fewest || diff == fewest && same > most) {
				best, fewest, most = j, diff, same
			}
		}
		if best < 0 {
			break
		}
		used |= 1 << best
		made.allowCategory(1<<best, add)
		left.allowCategory(1<<best, !add)
		sign := "-@"
		if add {
			sign = "+@"
		}
		words = append(words, sign+cs.categories[best])
	}
	cs.each(func(c *Command) {
		on := s.bit(c.id)
		if on != made.bit(c.id) {
			made.allow(c, on)
			sign := "-"
			if on {
				sign = "+"
			}
			words = append(words, sign+c.Name)
		}
		if !on {
			for _, a := range s.firstArgs[c.id] {
				words = append(words, "+"+c.Name+"|"+a)
			}
		}
	})
	return strings.Join(words, " ")
}

// count tells how many commands of a category are allowed, and how many not.
func (s *Selector) count(cat uint32) (on, off int) {
	s.cmds.each(func(c *Command) {
		switch {
		case c.Recent || c.Categories&cat == 0:
		case s.bit(c.id):
			on++
		default:
			off++
		}
	})
	return on, off
}

// String is the selector as rules, as they stand in a line of an ACL file.
func (s *Selector) String() string {
	var b strings.Builder
	if k := s.KeyRules(); k != "" {
		b.WriteString(k + " ")
	}
	if s.allChannels {
		b.WriteString("&* ")
	} else {
		b.WriteString("resetchannels ")
		if c := s.ChannelRules(); c != "" {
			b.WriteString(c + " ")
		}
	}
	b.WriteString(s.CommandRules())
	return b.String()
}

// String is the user as rules: what stands behind the name in a line of an ACL file.
func (u *User) String() string {
	var b strings.Builder
	for _, f := range u.Flags() {
		b.WriteString(f + " ")
	}
	for _, p := range u.Passwords() {
		b.WriteString("#" + p + " ")
	}
	b.WriteString(u.Root().String())
	for _, s := range u.selectors[1:] {
		b.WriteString(" (" + s.String() + ")")
	}
	return b.String()
}
