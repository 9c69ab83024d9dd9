package commands

import (
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// The filter over the master's stream. A command is applied as it is, left out,
// or applied in part: MSET without the keys that are left out, SMOVE as the SREM
// or the SADD that remains, a RENAME to a key that is left out as a DEL. Where
// the part that remains depends on data that is not here, the key it would go to
// is deleted and becomes unknown (see filter.go).

// filterRule is how a command is cut down.
type filterRule uint8

const (
	ruleKeys   filterRule = iota // one key; of several, all or none
	ruleEach                     // cmd key key …: each by itself
	rulePairs                    // cmd key value key value …
	ruleCount                    // cmd numkeys key value … options
	ruleRename                   // cmd from to
	ruleCopy                     // cmd from to [DB n]
	ruleMove                     // cmd key db
	ruleSMove                    // cmd from to member
	ruleLMove                    // cmd from to …: takes an element
	ruleStore                    // a destination made of all other keys
	ruleSelect
	ruleMulti
	ruleExec
	ruleFlushDB
	ruleFlushAll
	ruleSwapDB
)

var filterRules = map[string]filterRule{
	"del": ruleEach, "unlink": ruleEach, "touch": ruleEach,
	"mset": rulePairs, "msetnx": rulePairs, "msetex": ruleCount,
	"rename": ruleRename, "renamenx": ruleRename, "copy": ruleCopy, "move": ruleMove,
	"smove": ruleSMove, "lmove": ruleLMove, "blmove": ruleLMove, "rpoplpush": ruleLMove, "brpoplpush": ruleLMove,
	"sort": ruleStore, "bitop": ruleStore, "pfmerge": ruleStore,
	"zunionstore": ruleStore, "zinterstore": ruleStore, "zdiffstore": ruleStore, "zrangestore": ruleStore,
	"sunionstore": ruleStore, "sinterstore": ruleStore, "sdiffstore": ruleStore,
	"geosearchstore": ruleStore, "georadius": ruleStore, "georadiusbymember": ruleStore,
	"select": ruleSelect, "multi": ruleMulti, "exec": ruleExec, "discard": ruleExec,
	"flushdb": ruleFlushDB, "flushall": ruleFlushAll, "swapdb": ruleSwapDB,
}

// replacing are the commands of one key after which its value does not depend on
// what it was; see replaces for the options that undo it.
var replacing = map[string]bool{
	"set": true, "setex": true, "psetex": true, "setnx": true, "getset": true, "getdel": true,
	"restore": true, "restore-asking": true,
}

// rulesOf looks the rules up for every command of the table.
func rulesOf(t *Table) []filterRule {
	rules := make([]filterRule, t.Len())
	for name, r := range filterRules {
		if c := t.LookupOriginal(name); c != nil {
			rules[c.ID] = r
		}
	}
	return rules
}

// maxUnknown bounds the memory for the names of unknown keys: beyond it a full
// resync brings them all.
const maxUnknown = 100_000

// streamFilter is a filter with what it remembers of the stream. It belongs to
// the loop.
type streamFilter struct {
	*Filter
	db      int // selected in the stream; the master client's lags behind inside of MULTI
	unknown []map[string]struct{}
	count   int // unknown keys
	multi   bool
	undo    []filterUndo // since MULTI, for a transaction that is dropped
	undoDB  int          // selected at MULTI

	refs []KeyRef
	args [][]byte // a call that was cut down
	num  []byte
}

// filterUndo takes one change of the unknown keys back.
type filterUndo struct {
	db  int
	key string
	was bool
	all []map[string]struct{} // instead: all of them as they were
}

func newStreamFilter(f *Filter, databases, db int) *streamFilter {
	return &streamFilter{Filter: f, db: db, unknown: make([]map[string]struct{}, databases)}
}

// keyState says what is here of a key of the master.
type keyState uint8

const (
	keyLeftOut keyState = iota
	keyUnknown
	keyHeld // here, or absent on both sides
)

func (f *streamFilter) state(db int, key []byte) keyState {
	switch {
	case !f.DB(db) || !f.Key(key):
		return keyLeftOut
	case f.count != 0 && f.isUnknown(db, key):
		return keyUnknown
	}
	return keyHeld
}

func (f *streamFilter) isUnknown(db int, key []byte) bool {
	if db >= len(f.unknown) {
		return false
	}
	_, ok := f.unknown[db][string(key)]
	return ok
}

// mark notes that a replicated key is unknown, or known again.
func (f *streamFilter) mark(db int, key []byte, unknown bool) {
	if db >= len(f.unknown) || !unknown && f.count == 0 {
		return
	}
	was := f.isUnknown(db, key)
	if was == unknown {
		return
	}
	f.set(db, string(key), unknown)
	if f.multi {
		f.undo = append(f.undo, filterUndo{db: db, key: string(key), was: was})
	}
}

func (f *streamFilter) set(db int, key string, unknown bool) {
	switch {
	case !unknown:
		delete(f.unknown[db], key)
		f.count--
	default:
		if f.unknown[db] == nil {
			f.unknown[db] = make(map[string]struct{})
		}
		f.unknown[db][key] = struct{}{}
		f.count++
	}
}

// known forgets the unknown keys of databases that are emptied; db -1 is all.
func (f *streamFilter) known(db int) {
	if f.count == 0 {
		return
	}
	f.saveAll()
	for i := range f.unknown {
		if db < 0 || i == db {
			f.count -= len(f.unknown[i])
			f.unknown[i] = nil
		}
	}
}

// saveAll makes the exchange of whole databases undoable.
func (f *streamFilter) saveAll() {
	if f.multi {
		f.undo = append(f.undo, filterUndo{all: append([]map[string]struct{}(nil), f.unknown...)})
	}
}

// drop forgets an open transaction: it comes again, whole.
func (f *streamFilter) drop() {
	if !f.multi {
		return
	}
	for i := len(f.undo) - 1; i >= 0; i-- {
		u := &f.undo[i]
		if u.all == nil {
			f.set(u.db, u.key, u.was)
			continue
		}
		f.unknown, f.count = u.all, 0
		for _, m := range f.unknown {
			f.count += len(m)
		}
	}
	f.multi, f.undo, f.db = false, nil, f.undoDB
}

// respSize is the length of a call on the wire.
func respSize(args [][]byte) int64 {
	n := int64(3 + digits(len(args)))
	for _, a := range args {
		n += int64(5 + digits(len(a)) + len(a))
	}
	return n
}

func digits(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// filterCall takes one command of the stream through the filter and returns
// what of it is to be applied, nil for nothing. What it returns is valid until the
// next call.
func (s *Server) filterCall(c *Client, args [][]byte) [][]byte {
	f := s.filter
	cmd, _ := s.Table.LookupArgs(args)
	if cmd == nil || (cmd.Arity > 0 && cmd.Arity != len(args)) || len(args) < -cmd.Arity {
		return args // the refusal is logged as without a filter
	}
	if f.skips(cmd) {
		return s.leaveOut(args, 0)
	}
	if !cmd.hasKeys {
		return s.filterKeyless(f.rules[cmd.ID], args)
	}
	if !f.ranges {
		return args
	}
	refs, err := cmd.Keys(args, f.refs[:0])
	f.refs = refs
	if err != nil || len(refs) == 0 {
		if !f.DB(f.db) {
			return s.leaveOut(args, 0)
		}
		return args // a script without keys, or a call that fails
	}
	switch f.rules[cmd.ID] {
	case ruleEach:
		return s.filterEach(args, 1, 1)
	case rulePairs:
		return s.filterEach(args, 1, 2)
	case ruleCount:
		return s.filterCounted(args)
	case ruleRename:
		return s.filterRename(args)
	case ruleCopy:
		return s.filterCopy(c, args)
	case ruleMove:
		return s.filterMove(args)
	case ruleSMove:
		return s.filterSMove(args)
	case ruleLMove:
		return s.filterLMove(cmd, args)
	case ruleStore:
		return s.filterStore(cmd, args)
	}
	return s.filterKeys(cmd, args)
}

// leaveOut counts a command that is not applied, with keys of its.
func (s *Server) leaveOut(args [][]byte, keys int) [][]byte {
	s.Filters.Commands++
	s.Filters.Keys += int64(keys)
	s.Filters.Bytes += respSize(args)
	return nil
}

// instead counts a command that is applied in another form.
func (s *Server) instead(args [][]byte, keys int, by [][]byte) [][]byte {
	s.Filters.Rewritten++
	s.Filters.Keys += int64(keys)
	s.Filters.Bytes += max(respSize(args)-respSize(by), 0)
	return by
}

// call makes a call of words and arguments.
func (f *streamFilter) call(args ...[]byte) [][]byte {
	f.args = append(f.args[:0], args...)
	return f.args
}

var (
	wordDel  = []byte("DEL")
	wordSrem = []byte("SREM")
	wordSadd = []byte("SADD")
	wordLpop = []byte("LPOP")
	wordRpop = []byte("RPOP")
)

// becomesUnknown applies, in the stead of a command that would put a value here
// which cannot be known, the deletion of its key.
func (s *Server) becomesUnknown(args [][]byte, left int, key []byte) [][]byte {
	f := s.filter
	f.mark(f.db, key, true)
	s.noteUnknown()
	return s.instead(args, left, f.call(wordDel, key))
}

func (s *Server) noteUnknown() {
	s.Filters.Unknown++
	if s.filter.count > maxUnknown {
		s.wantResync("more than " + strconv.Itoa(maxUnknown) + " keys were made of keys that the filter leaves out")
	}
}

// wantResync asks for a full resync once the command is done.
func (s *Server) wantResync(reason string) {
	if s.ResyncWanted == "" {
		s.ResyncWanted = "filter: " + reason
		s.Filters.Resyncs++
	}
}

func (s *Server) filterKeyless(r filterRule, args [][]byte) [][]byte {
	f := s.filter
	switch r {
	case ruleSelect:
		if n, ok := numeric.ParseInt(args[1]); ok && n >= 0 && n < 1<<31 {
			f.db = int(n)
			if !f.DB(f.db) && f.db >= len(f.unknown) {
				return nil // a database that does not exist here and need not
			}
		}
	case ruleMulti:
		f.multi, f.undoDB = true, f.db
	case ruleExec:
		f.multi, f.undo = false, f.undo[:0]
	case ruleFlushDB:
		if !f.DB(f.db) {
			return s.leaveOut(args, 0)
		}
		f.known(f.db)
	case ruleFlushAll:
		f.known(-1)
	case ruleSwapDB:
		return s.filterSwapDB(args)
	}
	return args
}

// filterSwapDB: two databases that are replicated are exchanged as they are. What
// comes in from one that is not, only a full resync can bring.
func (s *Server) filterSwapDB(args [][]byte) [][]byte {
	f := s.filter
	a, ok1 := numeric.ParseInt(args[1])
	b, ok2 := numeric.ParseInt(args[2])
	if !ok1 || !ok2 || a < 0 || b < 0 || a >= 1<<31 || b >= 1<<31 {
		return args
	}
	inA, inB := f.DB(int(a)), f.DB(int(b))
	switch {
	case !inA && !inB:
		return s.leaveOut(args, 0)
	case inA != inB:
		s.wantResync("SWAPDB exchanged a database that is replicated with one that is not")
		return s.leaveOut(args, 0)
	}
	if n := int64(len(f.unknown)); f.count != 0 && a < n && b < n {
		f.saveAll()
		f.unknown[a], f.unknown[b] = f.unknown[b], f.unknown[a]
	}
	return args
}

// filterKeys: a command of one key, or of several that belong together.
func (s *Server) filterKeys(cmd *Command, args [][]byte) [][]byte {
	f := s.filter
	left, unknown := 0, 0
	for _, r := range f.refs {
		switch f.state(f.db, args[r.Pos]) {
		case keyLeftOut:
			left++
		case keyUnknown:
			unknown++
		}
	}
	switch {
	case left+unknown == 0:
		return args
	case left == len(f.refs):
		return s.leaveOut(args, left)
	case len(f.refs) == 1: // unknown
		if replaces(cmd, args) {
			f.mark(f.db, args[f.refs[0].Pos], false)
			return args
		}
		return s.leaveOut(args, 1)
	}
	// Whatever it may have written is unknown from now on: a script with keys on
	// both sides, an LMPOP.
	del := f.call(wordDel)
	for _, r := range f.refs {
		if r.Flags&(KeyRW|KeyOW|KeyRM) == 0 && r.Flags&KeyRO != 0 || f.state(f.db, args[r.Pos]) != keyHeld {
			continue
		}
		f.mark(f.db, args[r.Pos], true)
		s.noteUnknown()
		del = append(del, args[r.Pos])
	}
	f.args = del
	if len(del) == 1 {
		return s.leaveOut(args, left+unknown)
	}
	return s.instead(args, left+unknown, del)
}

// replaces tells whether the key's value after the command is what the command
// says, whatever it was.
func replaces(cmd *Command, args [][]byte) bool {
	if !replacing[cmd.Name] {
		return false
	}
	if cmd.Name == "set" {
		for _, a := range args[3:] {
			if equalFold(a, "keepttl") || equalFold(a, "xx") || len(a) == 4 && (equalFold(a, "ifeq") || equalFold(a, "ifne")) || len(a) == 5 && (equalFold(a, "ifdeq") || equalFold(a, "ifdne")) {
				return false
			}
		}
	}
	return true
}

// filterEach keeps the keys of a list in which each stands for itself, with
// step-1 arguments behind each. What such a command does to a key leaves it known.
func (s *Server) filterEach(args [][]byte, from, step int) [][]byte {
	f := s.filter
	left := 0
	for i := from; i < len(args); i += step {
		if !f.DB(f.db) || !f.Key(args[i]) {
			left++
		} else if f.count != 0 {
			f.mark(f.db, args[i], false)
		}
	}
	if left == 0 {
		return args
	}
	if left*step == len(args)-from {
		return s.leaveOut(args, left)
	}
	kept := append(f.args[:0], args[:from]...)
	for i := from; i < len(args); i += step {
		if f.DB(f.db) && f.Key(args[i]) {
			kept = append(kept, args[i:min(i+step, len(args))]...)
		}
	}
	f.args = kept
	return s.instead(args, left, kept)
}

// filterCounted: MSETEX.
func (s *Server) filterCounted(args [][]byte) [][]byte {
	f := s.filter
	left := 0
	replaced := true
	end := f.refs[len(f.refs)-1].Pos + 2
	for _, a := range args[min(end, len(args)):] {
		replaced = replaced && !equalFold(a, "keepttl") && !equalFold(a, "xx")
	}
	kept := append(f.args[:0], args[0], nil)
	for _, r := range f.refs {
		switch st := f.state(f.db, args[r.Pos]); {
		case st == keyLeftOut, st == keyUnknown && !replaced, r.Pos+1 >= len(args):
			left++
		default:
			f.mark(f.db, args[r.Pos], false)
			kept = append(kept, args[r.Pos], args[r.Pos+1])
		}
	}
	f.args = kept
	switch left {
	case 0:
		return args
	case len(f.refs):
		return s.leaveOut(args, left)
	}
	f.num = strconv.AppendInt(f.num[:0], int64(len(f.refs)-left), 10)
	kept[1] = f.num
	f.args = append(kept, args[end:]...)
	return s.instead(args, left, f.args)
}

// filterRename: RENAME and RENAMENX, which is in the stream only if it renamed.
func (s *Server) filterRename(args [][]byte) [][]byte {
	f := s.filter
	from, to := f.state(f.db, args[1]), f.state(f.db, args[2])
	if string(args[1]) == string(args[2]) {
		if from == keyHeld {
			return args
		}
		return s.leaveOut(args, 1)
	}
	f.mark(f.db, args[1], false) // it is gone
	switch {
	case to == keyLeftOut && from == keyHeld:
		return s.instead(args, 1, f.call(wordDel, args[1]))
	case to == keyLeftOut:
		return s.leaveOut(args, 2)
	case from == keyHeld:
		f.mark(f.db, args[2], false)
		return args
	}
	return s.becomesUnknown(args, 1, args[2])
}

// copyDB is the database that COPY copies to.
func copyDB(args [][]byte, db int) int {
	for i := 3; i+1 < len(args); i++ {
		if equalFold(args[i], "db") {
			if n, ok := numeric.ParseInt(args[i+1]); ok && n >= 0 && n < 1<<31 {
				return int(n)
			}
		}
	}
	return db
}

func (s *Server) filterCopy(c *Client, args [][]byte) [][]byte {
	f := s.filter
	db := copyDB(args, f.db)
	from, to := f.state(f.db, args[1]), f.state(db, args[2])
	switch {
	case to == keyLeftOut:
		return s.leaveOut(args, 1)
	case from == keyHeld:
		f.mark(db, args[2], false)
		return args
	case db == f.db:
		return s.becomesUnknown(args, 1, args[2])
	}
	// The destination is in another database: its deletion needs a SELECT there and
	// one back.
	f.mark(db, args[2], true)
	s.noteUnknown()
	selectWord := []byte("SELECT")
	s.applyMaster(c, [][]byte{selectWord, strconv.AppendInt(nil, int64(db), 10)})
	s.applyMaster(c, [][]byte{wordDel, args[2]})
	if f.db < len(f.unknown) {
		s.applyMaster(c, [][]byte{selectWord, strconv.AppendInt(nil, int64(f.db), 10)})
	}
	s.instead(args, 1, nil)
	return nil
}

// filterMove: MOVE, whose key was absent in the other database, else it would not
// be in the stream.
func (s *Server) filterMove(args [][]byte) [][]byte {
	f := s.filter
	n, ok := numeric.ParseInt(args[2])
	if !ok || n < 0 || n >= 1<<31 {
		return args
	}
	from, to := f.state(f.db, args[1]), f.state(int(n), args[1])
	f.mark(f.db, args[1], false)
	switch {
	case to == keyLeftOut && from == keyHeld:
		return s.instead(args, 1, f.call(wordDel, args[1]))
	case to == keyLeftOut:
		return s.leaveOut(args, 1)
	case from == keyHeld:
		f.mark(int(n), args[1], false)
		return args
	}
	f.mark(int(n), args[1], true)
	s.noteUnknown()
	return s.leaveOut(args, 1)
}

// filterSMove: what remains of SMOVE is exact on either side, since the stream has
// it only if the member was there.
func (s *Server) filterSMove(args [][]byte) [][]byte {
	f := s.filter
	from, to := f.state(f.db, args[1]) == keyHeld, f.state(f.db, args[2]) == keyHeld
	switch {
	case from && to:
		return args
	case from:
		return s.instead(args, 1, f.call(wordSrem, args[1], args[3]))
	case to:
		return s.instead(args, 1, f.call(wordSadd, args[2], args[3]))
	}
	return s.leaveOut(args, 2)
}

func (s *Server) filterLMove(cmd *Command, args [][]byte) [][]byte {
	f := s.filter
	from, to := f.state(f.db, args[1]), f.state(f.db, args[2])
	switch {
	case from == keyHeld && to == keyHeld:
		return args
	case from == keyHeld:
		pop := wordRpop
		if (cmd.Name == "lmove" || cmd.Name == "blmove") && equalFold(args[3], "left") {
			pop = wordLpop
		}
		return s.instead(args, 1, f.call(pop, args[1]))
	case to == keyHeld:
		return s.becomesUnknown(args, 1, args[2])
	}
	return s.leaveOut(args, 2)
}

// storeDest is the argument index of the destination of a command that stores
// what it computes.
func storeDest(cmd *Command, refs []KeyRef) int {
	switch cmd.Name {
	case "bitop":
		return 2
	case "sort", "georadius", "georadiusbymember":
		if len(refs) < 2 {
			return 0
		}
		return refs[len(refs)-1].Pos
	}
	return 1
}

func (s *Server) filterStore(cmd *Command, args [][]byte) [][]byte {
	f := s.filter
	dest := storeDest(cmd, f.refs)
	if dest == 0 {
		return args // stores nothing
	}
	left, held := 0, true
	for _, r := range f.refs {
		if r.Pos == dest {
			continue
		}
		st := f.state(f.db, args[r.Pos])
		held = held && st == keyHeld
		if st == keyLeftOut {
			left++
		}
	}
	if cmd.Name == "sort" && !f.keys.empty() && sortDereferences(args) {
		held = false // which keys it looked at only the master knows
	}
	switch st := f.state(f.db, args[dest]); {
	case st == keyLeftOut:
		return s.leaveOut(args, left+1)
	case cmd.Name == "pfmerge" && st == keyUnknown:
		return s.leaveOut(args, left+1) // it adds to what was there
	case !held:
		return s.becomesUnknown(args, left, args[dest])
	}
	f.mark(f.db, args[dest], false)
	return args
}

// sortDereferences tells whether BY or GET lead SORT to other keys.
func sortDereferences(args [][]byte) bool {
	for i := 2; i+1 < len(args); i++ {
		if !equalFold(args[i], "by") && !equalFold(args[i], "get") {
			continue
		}
		i++
		for _, b := range args[i] {
			if b == '*' {
				return true
			}
		}
	}
	return false
}
