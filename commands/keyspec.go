package commands

import (
	"errors"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Where the keys of a command stand.
//
// A key spec works in two steps. The first finds where a run of keys begins,
// the second how far it goes:
//
//	begin by index      SET key value              argument 1
//	begin by keyword    XREAD … STREAMS k1 k2 i1 i2   behind the word
//	find a range        MSET k v k v               to the last argument, step 2
//	find by a count     ZUNION 2 k1 k2 WEIGHTS …   as many as the count says
//
// A command has one spec for each run of keys, each with its own flags. What
// specs cannot express is left to the command's GetKeys function. The
// positions are argument indexes: 0 is the command's name, for a subcommand
// 0 and 1 are the two names.

// KeySpec describes one run of keys among a command's arguments.
type KeySpec struct {
	Flags KeyFlags
	Notes string // remark for COMMAND INFO
	Begin BeginSearch
	Find  FindKeys
}

// BeginSearch tells where a run of keys begins: at an Index (above 0), or
// behind a Keyword (in lower case) that is searched from argument StartFrom on, or, if
// StartFrom is negative, backwards from that many arguments before the end.
// The zero value means that no spec can tell.
type BeginSearch struct {
	Index     int
	Keyword   string
	StartFrom int
}

// FindKeys tells how far a run of keys goes. With Step 0 no spec can tell.
//
// Range (ByCount false): up to LastKey, counted from the first key if it is not
// negative, else from the end of the arguments (-1 is the last one). A Limit
// of n makes the run one n-th of the remaining arguments.
//
// Count (ByCount true): the number of keys stands CountIndex arguments behind the
// begin, the first key FirstKey behind it.
type FindKeys struct {
	Step                 int
	LastKey, Limit       int
	ByCount              bool
	CountIndex, FirstKey int
}

// KeyRef is one key of a command: its argument index and what is done to it.
type KeyRef struct {
	Pos   int
	Flags KeyFlags
}

// GetKeysFunc appends the keys of one call to dst. It stands in where specs
// are not enough, and when a spec cannot be resolved. It appends nothing when
// the arguments make no sense. It is only called with an argument count
// that the command's arity allows.
type GetKeysFunc func(args [][]byte, dst []KeyRef) []KeyRef

// ErrNoKeys is returned by Keys for arguments in which no key can be found
// although the command cannot do without.
var ErrNoKeys = errors.New("Invalid arguments specified for command") //lint:ignore ST1005 the protocol's text

// errSpec: a spec does not fit the arguments, or cannot tell.
var errSpec = errors.New("key spec cannot be resolved")

// keyAt is the spec of a single key at a fixed position.
func keyAt(pos int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Index: pos}, Find: FindKeys{Step: 1}}
}

// keysRun is the spec of n keys from a fixed position on.
func keysRun(pos, n int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Index: pos}, Find: FindKeys{LastKey: n - 1, Step: 1}}
}

// keysFrom is the spec of a run of keys that starts at a fixed position and
// ends at last, which is negative: -1 is the last argument. Step 2 skips a value
// behind each key.
func keysFrom(pos, last, step int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Index: pos}, Find: FindKeys{LastKey: last, Step: step}}
}

// keysCounted is the spec of a count at a fixed position with that many keys
// right behind it.
func keysCounted(pos int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Index: pos}, Find: FindKeys{Step: 1, ByCount: true, FirstKey: 1}}
}

// keyAfter is the spec of a single key behind a keyword.
func keyAfter(word string, from int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Keyword: word, StartFrom: from}, Find: FindKeys{Step: 1}}
}

// keysAfter is the spec of a run of keys from a keyword to the end, or over
// the first limit-th part of what is left if limit is not 0.
func keysAfter(word string, from, limit int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Begin: BeginSearch{Keyword: word, StartFrom: from}, Find: FindKeys{LastKey: -1, Step: 1, Limit: limit}}
}

// keySomewhere is the spec of keys that no spec can find.
func keySomewhere(f KeyFlags) KeySpec { return KeySpec{Flags: f} }

// every sets the distance from one key of the run to the next.
func (s KeySpec) every(step int) KeySpec {
	s.Find.Step = step
	return s
}

// note puts a remark on a spec.
func (s KeySpec) note(text string) KeySpec {
	s.Notes = text
	return s
}

// begin returns the argument index at which the run begins, 0 if the keyword is
// not there (then the run is empty), or errSpec.
func (s *KeySpec) begin(args [][]byte) (int, error) {
	b := &s.Begin
	switch {
	case b.Index > 0:
		return b.Index, nil
	case b.Keyword == "":
		return 0, errSpec
	}
	if b.StartFrom > 0 {
		// The last argument is not looked at: nothing could follow it.
		for i := b.StartFrom; i < len(args)-1; i++ {
			if equalFold(args[i], b.Keyword) {
				return i + 1, nil
			}
		}
		return 0, nil
	}
	for i := len(args) + b.StartFrom; i > 1; i-- {
		if equalFold(args[i], b.Keyword) {
			return i + 1, nil
		}
	}
	return 0, nil
}

// appendKeys resolves the spec against the arguments of one call.
func (s *KeySpec) appendKeys(args [][]byte, dst []KeyRef) ([]KeyRef, error) {
	first, err := s.begin(args)
	if err != nil {
		return dst, err
	}
	if first == 0 {
		return dst, nil
	}
	f := &s.Find
	argc := len(args)
	var last int
	switch {
	case f.Step == 0:
		return dst, errSpec
	case f.ByCount:
		at := first + f.CountIndex
		if at >= argc {
			return dst, errSpec
		}
		n, ok := numeric.ParseInt(args[at])
		if !ok || n < 0 || n > int64(argc) {
			return dst, errSpec
		}
		first += f.FirstKey
		last = first + (int(n)-1)*f.Step
	case f.LastKey >= 0:
		last = first + f.LastKey
	case f.Limit == 0:
		last = argc + f.LastKey
	default:
		last = first + (argc-first)/f.Limit + f.LastKey
	}
	if first >= argc || last >= argc || last < first {
		return dst, errSpec
	}
	for i := first; i <= last; i += f.Step {
		dst = append(dst, KeyRef{Pos: i, Flags: s.Flags})
	}
	if s.Flags&KeyIncomplete != 0 {
		return dst, errSpec
	}
	return dst, nil
}

// HasKeys reports whether the command can have keys among its arguments.
func (c *Command) HasKeys() bool { return c.hasKeys }

// Keys appends to dst the keys that one call of the command names: their
// argument indexes and what is done to each. args is the whole call with the
// command's name first, and its count satisfies the arity. It returns ErrNoKeys, and dst as
// it was, if no key can be found and the command needs one. Nothing is
// allocated if dst has room.
func (c *Command) Keys(args [][]byte, dst []KeyRef) ([]KeyRef, error) {
	mark := len(dst)
	if c.specsReliable {
		out, err := c.keysBySpecs(args, dst)
		if err == nil {
			dst = out
			if len(dst) == mark && !c.Flags.Has(CmdNoMandatoryKeys) {
				return dst, ErrNoKeys
			}
			return dst, nil
		}
	}
	if c.GetKeys != nil {
		dst = c.GetKeys(args, dst[:mark])
	}
	if len(dst) == mark && !c.Flags.Has(CmdNoMandatoryKeys) {
		return dst[:mark], ErrNoKeys
	}
	return dst, nil
}

// keysBySpecs resolves all specs of the command, or none.
func (c *Command) keysBySpecs(args [][]byte, dst []KeyRef) ([]KeyRef, error) {
	mark := len(dst)
	for i := range c.KeySpecs {
		s := &c.KeySpecs[i]
		if s.Flags&KeyNotKey != 0 {
			continue
		}
		var err error
		if dst, err = s.appendKeys(args, dst); err != nil {
			return dst[:mark], err
		}
	}
	return dst, nil
}

// legacyRange derives the first key, last key and step that COMMAND INFO has
// reported since its first version, and whether they fail to tell all keys.
// Only plain ranges at fixed positions that follow each other can be merged.
func legacyRange(specs []KeySpec) (first, last, step int, movable bool) {
	if len(specs) == 1 && specs[0].Begin.Index > 0 && specs[0].Find.Step > 0 && !specs[0].Find.ByCount {
		s := &specs[0]
		first, last, step = s.Begin.Index, s.Find.LastKey, s.Find.Step
		if last >= 0 {
			last += first
		}
		return first, last, step, s.Flags&KeyIncomplete != 0
	}
	for i := range specs {
		s := &specs[i]
		plain := s.Begin.Index > 0 && s.Find.Step == 1 && !s.Find.ByCount
		if !plain || last != 0 && last != s.Begin.Index-1 {
			movable = true
			continue
		}
		if s.Flags&KeyIncomplete != 0 {
			movable = true
		}
		if first == 0 || s.Begin.Index < first {
			first = s.Begin.Index
		}
		end := s.Find.LastKey
		if end >= 0 {
			end += s.Begin.Index
		}
		// A negative end counts from the back and so lies behind any other.
		if uint(end) > uint(last) {
			last = end
		}
	}
	if first == 0 {
		return 0, 0, 0, len(specs) > 0
	}
	return first, last, 1, movable
}

// ChannelArgs returns the channels, or the patterns of channels, that one call
// names: a part of args, nil if the command has none.
func (c *Command) ChannelArgs(args [][]byte) [][]byte {
	s := &c.Channels
	if s.First == 0 || s.First >= len(args) {
		return nil
	}
	if s.Count > 0 && s.First+s.Count < len(args) {
		return args[s.First : s.First+s.Count]
	}
	return args[s.First:]
}
