package acl

import (
	"fmt"
	"strings"
)

// MergeSelectors joins the words of a selector, "(+get" "~a)", into one rule. A parenthesis that is not closed
// makes ok false, and bad the index of the word with it. One that opens before the last is closed takes its place: what
// stood in the last is forgotten, as redis-server forgets it.
func MergeSelectors(words []string) (rules []string, bad int, ok bool) {
	rules = make([]string, 0, len(words))
	open, start := false, 0
	for i, w := range words {
		switch opens := strings.HasPrefix(w, "(") && !strings.HasSuffix(w, ")"); {
		case opens && open:
			start = i
			rules[len(rules)-1] = w
		case opens:
			open, start = true, i
			rules = append(rules, w)
		case open:
			rules[len(rules)-1] += " " + cString(w)
			open = !strings.HasSuffix(w, ")")
		default:
			rules = append(rules, w)
		}
	}
	return rules, start, !open
}

// ParseFile reads the text of an ACL file into a fresh set of users; those of us stay as they are. The error's text
// lists all that is wrong, by redis-server's words; name is the file's name in them.
func (us *Users) ParseFile(name, text string) (*Users, error) {
	fresh := NewUsers(us.cmds, us.split)
	fresh.AllChannels = us.AllChannels
	var errs strings.Builder
	seen := make(map[string]bool)
	for i, line := range strings.Split(cString(text), "\n") {
		line = strings.Trim(line, " \t\r\n")
		if line == "" {
			continue
		}
		at := i + 1
		words := strings.Split(line, " ")
		if words[0] != "user" || len(words) < 2 {
			fmt.Fprintf(&errs, "%s:%d should start with user keyword followed by the username. ", name, at)
			continue
		}
		user := words[1]
		if hasSpaces(user) {
			fmt.Fprintf(&errs, "'%s:%d: username '%s' contains invalid characters. ", name, at, user)
			continue
		}
		if seen[user] {
			fmt.Fprintf(&errs, "WARNING: Duplicate user '%s' found on line %d. ", user, at)
			continue
		}
		seen[user] = true
		u := fresh.NewUser(user)
		rules, _, ok := MergeSelectors(words[2:])
		if !ok {
			fmt.Fprintf(&errs, "%s:%d: Unmatched parenthesis in selector definition.", name, at)
			continue
		}
		told := false
		for _, op := range rules {
			op = strings.Trim(op, "\t\r\n")
			switch err := u.Set(op); {
			case err == nil:
			case err == ErrUnknown:
				fmt.Fprintf(&errs, "%s:%d: Error in applying operation '%s': %s. ", name, at, op, err)
			case !told:
				told = true
				fmt.Fprintf(&errs, "%s:%d: %s. ", name, at, err)
			}
		}
		if user == DefaultName {
			fresh.deflt.Replace(u)
			continue
		}
		fresh.Add(u)
	}
	if errs.Len() > 0 {
		return nil, fmt.Errorf("%sWARNING: ACL errors detected, no change to the previously active ACL rules was performed", errs.String())
	}
	return fresh, nil
}

// Adopt puts the users of a parsed file in the place of those of us and returns the users that are gone: all but the
// default one, which keeps its pointer.
func (us *Users) Adopt(fresh *Users) (gone []*User) {
	for _, u := range us.byName {
		if u != us.deflt {
			gone = append(gone, u)
		}
	}
	us.byName = fresh.byName
	us.deflt.Replace(fresh.deflt)
	us.byName[DefaultName] = us.deflt
	for _, u := range us.byName {
		u.owner = us
	}
	us.isStale = true
	return gone
}

// Text is the content of an ACL file with all users.
func (us *Users) Text() string {
	var b strings.Builder
	for _, u := range us.Sorted() {
		b.WriteString("user " + u.Name + " " + u.String() + "\n")
	}
	return b.String()
}

// NarrowedChannels tells whether next takes from channels that prev allowed: then the clients that listen must be looked at,
// by Allows of a channel.
func NarrowedChannels(prev, next *User) bool {
	for _, s := range next.selectors {
		if s.allChannels {
			return false
		}
	}
	for _, s := range prev.selectors {
		if s.allChannels {
			return true
		}
		for i := range s.channels {
			if !next.hasChannelRule(s.channels[i].text) {
				return true
			}
		}
	}
	return false
}

func (u *User) hasChannelRule(text string) bool {
	for _, s := range u.selectors {
		for i := range s.channels {
			if s.channels[i].text == text {
				return true
			}
		}
	}
	return false
}

// AllowsChannel tells whether any selector allows a channel, or a pattern of channels.
func (u *User) AllowsChannel(channel []byte, pattern bool) bool {
	for _, s := range u.selectors {
		if s.AllowsChannel(channel, pattern) {
			return true
		}
	}
	return false
}
