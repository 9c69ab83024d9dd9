package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
)

// DefaultName is the user that a connection has before it says who it is.
const DefaultName = "default"

// sanitize is what a user's payloads of RESTORE are to be checked for.
type sanitize uint8

const (
	sanitizeUnset sanitize = iota
	sanitizeYes
	sanitizeSkip
)

// User is a name with rights. A pointer to it stays valid when its rules change; only its removal from the Users
// ends it.
type User struct {
	// Name never changes.
	Name string
	// Unrestricted is set when the root selector allows everything: no check is needed.
	Unrestricted bool

	enabled   bool
	nopass    bool
	sanitize  sanitize
	passwords [][sha256.Size]byte
	selectors []*Selector // the first one is the root
	owner     *Users
}

// Root is the selector that rules outside of parentheses change.
func (u *User) Root() *Selector { return u.selectors[0] }

// Selectors are all selectors, the root first. The caller must not change the slice.
func (u *User) Selectors() []*Selector { return u.selectors }

// Enabled tells whether one can log in as the user.
func (u *User) Enabled() bool { return u.enabled }

// NoPassword tells whether any password will do.
func (u *User) NoPassword() bool { return u.nopass }

// Open tells whether a connection has the user's rights without logging in; it matters for the default user only.
func (u *User) Open() bool { return u.enabled && u.nopass }

// Flags are the user's flags as ACL GETUSER lists them.
func (u *User) Flags() []string {
	flags := []string{"off"}
	if u.enabled {
		flags[0] = "on"
	}
	if u.nopass {
		flags = append(flags, "nopass")
	}
	switch u.sanitize {
	case sanitizeSkip:
		flags = append(flags, "skip-sanitize-payload")
	case sanitizeYes:
		flags = append(flags, "sanitize-payload")
	}
	return flags
}

// Passwords are the SHA-256 hashes in hexadecimal.
func (u *User) Passwords() []string {
	list := make([]string, len(u.passwords))
	for i := range u.passwords {
		list[i] = hex.EncodeToString(u.passwords[i][:])
	}
	return list
}

// CheckPassword tells whether one can log in with a password. Time and effort are the same whether it is right or not,
// whatever its length; u may be nil, for a user that does not exist.
func (u *User) CheckPassword(pass []byte) bool {
	hash := sha256.Sum256(pass)
	if u == nil {
		return false
	}
	ok := 0
	for i := range u.passwords {
		ok |= subtle.ConstantTimeCompare(hash[:], u.passwords[i][:])
	}
	return u.enabled && (u.nopass || ok == 1)
}

// Set applies one rule. What an erroneous rule consists of was not applied, what came before it was: callers that
// want all or nothing change a Clone and put it in place by Replace.
func (u *User) Set(op string) error {
	err := u.set(op)
	u.Unrestricted = u.Root().unrestricted()
	return err
}

func (u *User) set(op string) error {
	if op == "" {
		return nil
	}
	switch word := cString(op); {
	case strings.EqualFold(word, "on"):
		u.enabled = true
	case strings.EqualFold(word, "off"):
		u.enabled = false
	case strings.EqualFold(word, "nopass"):
		u.nopass, u.passwords = true, nil
	case strings.EqualFold(word, "resetpass"):
		u.nopass, u.passwords = false, nil
	case strings.EqualFold(word, "skip-sanitize-payload"):
		u.sanitize = sanitizeSkip
	case strings.EqualFold(word, "sanitize-payload"):
		u.sanitize = sanitizeYes
	case strings.EqualFold(word, "clearselectors"):
		u.selectors = u.selectors[:1:1]
	case strings.EqualFold(word, "reset"):
		u.reset()
	case op[0] == '>' || op[0] == '#':
		hash, err := passwordHash(op)
		if err != nil {
			return err
		}
		if !slices.Contains(u.passwords, hash) {
			u.passwords = append(u.passwords, hash)
		}
		u.nopass = false
	case op[0] == '<' || op[0] == '!':
		hash, err := passwordHash(op)
		if err != nil {
			return err
		}
		i := slices.Index(u.passwords, hash)
		if i < 0 {
			return ErrNoPassword
		}
		u.passwords = slices.Delete(u.passwords, i, i+1)
	case op[0] == '(' && op[len(op)-1] == ')':
		s, err := u.parseSelector(op[1 : len(op)-1])
		if err != nil {
			return err
		}
		u.selectors = append(u.selectors, s)
	default:
		return u.Root().set(op)
	}
	return nil
}

func (u *User) reset() {
	u.enabled, u.nopass, u.passwords, u.sanitize = false, false, nil, sanitizeYes
	u.selectors = u.selectors[:1:1]
	root := u.Root()
	root.allKeys, root.keys = false, nil
	root.allChannels, root.channels = u.owner.AllChannels, nil
	root.allowAll(false)
}

// passwordHash reads a rule about a password: > and < are followed by the password, # and ! by its hash.
func passwordHash(op string) (hash [sha256.Size]byte, err error) {
	if op[0] == '>' || op[0] == '<' {
		return sha256.Sum256([]byte(op[1:])), nil
	}
	if len(op) != 1+2*sha256.Size || strings.ContainsFunc(op[1:], func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') }) {
		return hash, ErrHash
	}
	_, err = hex.Decode(hash[:], []byte(op[1:]))
	return hash, err
}

func (u *User) parseSelector(rules string) (*Selector, error) {
	s := newSelector(u.owner.cmds, u.owner.AllChannels)
	words, ok := u.owner.split(rules)
	if !ok {
		return s, nil // redis-server takes unbalanced quotes for an empty selector
	}
	for _, w := range words {
		if err := s.set(w); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Clone makes a copy that is not among the Users, to try rules on.
func (u *User) Clone() *User {
	c := *u
	c.passwords = slices.Clone(u.passwords)
	c.selectors = make([]*Selector, len(u.selectors))
	for i, s := range u.selectors {
		c.selectors[i] = s.clone()
	}
	return &c
}

// Replace gives u the rules of from, which must not be used any more.
func (u *User) Replace(from *User) {
	name := u.Name
	*u = *from
	u.Name = name
}

// Users are all users by name. There always is a default one, whose pointer never changes.
type Users struct {
	// AllChannels is acl-pubsub-default: whether a new user may use all channels.
	AllChannels bool

	cmds    *Commands
	split   func(string) ([]string, bool)
	byName  map[string]*User
	deflt   *User
	sorted  []*User
	isStale bool // sorted is
}

// NewUsers makes the default user, who may do everything without a password. split cuts the rules in parentheses into
// words, with redis.conf's quotes; ok is false if these are not balanced.
func NewUsers(cs *Commands, split func(string) (words []string, ok bool)) *Users {
	us := &Users{cmds: cs, split: split, byName: make(map[string]*User), isStale: true}
	us.deflt = us.NewUser(DefaultName)
	us.byName[DefaultName] = us.deflt
	for _, op := range []string{"+@all", "~*", "&*", "on", "nopass"} {
		if err := us.deflt.Set(op); err != nil {
			panic(err)
		}
	}
	return us
}

// NewUser makes a user without any right that is not among the Users.
func (us *Users) NewUser(name string) *User {
	return &User{Name: name, owner: us, selectors: []*Selector{newSelector(us.cmds, us.AllChannels)}}
}

// Commands is the vocabulary.
func (us *Users) Commands() *Commands { return us.cmds }

// Default is the default user.
func (us *Users) Default() *User { return us.deflt }

// Get returns a user, nil if there is none of that name.
func (us *Users) Get(name string) *User { return us.byName[name] }

// Add puts a user among the others; the name must be free.
func (us *Users) Add(u *User) {
	us.byName[u.Name] = u
	us.isStale = true
}

// Remove takes a user out. The default user stays.
func (us *Users) Remove(u *User) {
	if u != us.deflt {
		delete(us.byName, u.Name)
		us.isStale = true
	}
}

// Sorted returns the users by name. The caller must not change the slice.
func (us *Users) Sorted() []*User {
	if us.isStale {
		us.sorted = us.sorted[:0:0]
		for _, u := range us.byName {
			us.sorted = append(us.sorted, u)
		}
		sort.Slice(us.sorted, func(i, j int) bool { return us.sorted[i].Name < us.sorted[j].Name })
		us.isStale = false
	}
	return us.sorted
}

// SetDefaultPassword makes requirepass the one password of the default user; an empty one asks for none.
func (us *Users) SetDefaultPassword(pass string) {
	op := "nopass"
	if pass != "" {
		_ = us.deflt.Set("resetpass") // knows no error, nor do the others
		op = ">" + pass
	}
	_ = us.deflt.Set(op)
}

// ValidName tells whether a name can be given to a user.
func ValidName(name string) bool { return !hasSpaces(name) }
