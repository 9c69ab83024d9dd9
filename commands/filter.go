package commands

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
)

// A partial replica takes only a part of its master's data.
//
//	master ──RDB─────► filterSink ──► Loader        filter_load.go
//	master ──stream──► filterCall ──► execute       filter_stream.go
//
// What is left out costs the bytes on the wire and nothing else. The offsets
// count it, so the master sees an ordinary replica: partial resync and WAIT work.
//
// A key is replicated if its database is, and if the key filter passes its name.
// The promise for those keys is: each is exactly the master's, or absent. It is
// absent when its value was made of keys that are left out (RENAME of one,
// ZUNIONSTORE over one …): then it is *unknown*, and what the master does to it is
// left out as well, until it replaces or deletes it, or a full resync brings it.

// Filter is the part of a master's data that a replica takes. It does not
// change once it is made, so any goroutine may use it.
type Filter struct {
	id     string // the directives, to tell one filter from another
	dbs    []dbRange
	byDB   []bool // answers for the first databases
	keys   patternList
	skip   []bool // by command ID: left out; nil for none
	rules  []filterRule
	ranges bool // dbs or keys are there
	// skipFunctions: FUNCTION LOAD is left out, and so are the libraries of an RDB.
	skipFunctions bool
}

// dbRange is one word of replica-filter-databases.
type dbRange struct {
	first, last int
	deny        bool
}

// patternList passes what no denying pattern matches and, if there are allowing
// ones, one of them does.
type patternList struct{ allow, deny []glob.Pattern }

func (l *patternList) empty() bool { return len(l.allow)+len(l.deny) == 0 }

func (l *patternList) pass(b []byte) bool {
	for i := range l.deny {
		if l.deny[i].Match(b) {
			return false
		}
	}
	for i := range l.allow {
		if l.allow[i].Match(b) {
			return true
		}
	}
	return len(l.allow) == 0
}

// NewFilter makes the filter that the directives replica-filter-* ask for, nil
// if they ask for none. The error says which word means nothing.
func NewFilter(v *config.Values, t *Table) (*Filter, error) {
	if len(v.FilterDatabases)+len(v.FilterKeys)+len(v.FilterCommands) == 0 {
		return nil, nil
	}
	f := &Filter{
		id:     fmt.Sprintf("%q %q %q", v.FilterDatabases, v.FilterKeys, v.FilterCommands),
		ranges: len(v.FilterDatabases)+len(v.FilterKeys) > 0,
	}
	for _, w := range v.FilterDatabases {
		r, err := parseDBRange(w)
		if err != nil {
			return nil, err
		}
		f.dbs = append(f.dbs, r)
	}
	f.byDB = make([]bool, v.Databases)
	for n := range f.byDB {
		f.byDB[n] = f.dbPasses(n)
	}
	for _, w := range v.FilterKeys {
		p, deny := strings.CutPrefix(w, "!")
		list := &f.keys.allow
		if deny {
			list = &f.keys.deny
		}
		*list = append(*list, glob.Compile([]byte(p)))
	}
	if len(v.FilterCommands) > 0 {
		if err := f.compileCommands(v.FilterCommands, t); err != nil {
			return nil, err
		}
	}
	c := t.LookupFull([]byte("function|load"))
	f.skipFunctions = c != nil && f.skips(c)
	f.rules = rulesOf(t)
	return f, nil
}

func parseDBRange(w string) (r dbRange, err error) {
	text, deny := strings.CutPrefix(w, "!")
	r.deny = deny
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	if r.first, err = strconv.Atoi(first); err == nil {
		r.last, err = strconv.Atoi(last)
	}
	if err != nil || r.first < 0 || r.last < r.first {
		return r, fmt.Errorf("replica-filter-databases: %q is neither a database nor a range such as 2-5", w)
	}
	return r, nil
}

// dbPasses is the answer of the words for one database.
func (f *Filter) dbPasses(n int) bool {
	allowing, passed := false, false
	for _, r := range f.dbs {
		in := r.first <= n && n <= r.last
		if r.deny && in {
			return false
		}
		allowing = allowing || !r.deny
		passed = passed || !r.deny && in
	}
	return passed || !allowing
}

// DB tells whether database n is replicated.
func (f *Filter) DB(n int) bool {
	if n < len(f.byDB) {
		return f.byDB[n]
	}
	return f.dbPasses(n)
}

// Key tells whether a key of a replicated database is.
func (f *Filter) Key(key []byte) bool {
	if len(key) == 0 && len(f.keys.deny) == 0 {
		for i := range f.keys.allow {
			if f.keys.allow[i].All() {
				return true // the glob "*" does not match nothing; the filter "*" means everything
			}
		}
	}
	return f.keys.pass(key)
}

// ID tells filters apart: it is the same for the same directives.
func (f *Filter) ID() string {
	if f == nil {
		return ""
	}
	return f.id
}

// streamControl are the commands that carry the stream itself.
var streamControl = []string{"multi", "exec", "discard", "select", "ping", "replconf"}

// compileCommands marks the commands that are left out.
func (f *Filter) compileCommands(words []string, t *Table) error {
	type word struct {
		deny bool
		cat  Categories
		glob glob.Pattern
		used bool
	}
	list := make([]word, len(words))
	allowing := false
	for i, w := range words {
		p, deny := strings.CutPrefix(w, "!")
		list[i].deny = deny
		allowing = allowing || !deny
		if name, ok := strings.CutPrefix(p, "@"); ok {
			if list[i].cat = CategoryByName([]byte(name)); list[i].cat == 0 {
				return fmt.Errorf("replica-filter-commands: there is no category %q", p)
			}
			list[i].used = true
			continue
		}
		list[i].glob = glob.CompileFold([]byte(p))
	}
	f.skip = make([]bool, t.Len())
	for id := range f.skip {
		c := t.ByID(id)
		denied, passed := false, !allowing
		for i := range list {
			w := &list[i]
			hit := w.cat != 0 && c.ACL&w.cat != 0
			if w.cat == 0 {
				hit = w.glob.Match([]byte(c.FullName)) || w.glob.Match([]byte(c.topName()))
			}
			w.used = w.used || hit
			denied = denied || hit && w.deny
			passed = passed || hit && !w.deny
		}
		f.skip[id] = denied || !passed
	}
	for i := range list {
		if !list[i].used {
			return fmt.Errorf("replica-filter-commands: no command is called %q", words[i])
		}
	}
	for _, name := range streamControl {
		if c := t.LookupOriginal(name); c != nil {
			f.skip[c.ID] = false
		}
	}
	return nil
}

// skips tells whether the command is left out.
func (f *Filter) skips(c *Command) bool { return f.skip != nil && f.skip[c.ID] }

// FilterStats count what was left out, for INFO.
type FilterStats struct {
	Commands  int64 // of the stream, left out as a whole
	Rewritten int64 // of the stream, applied in part or as another command
	Keys      int64 // named in them and left out
	Bytes     int64 // of the stream, not applied
	RDBKeys   int64 // of full syncs
	RDBBytes  int64 // of their keys and values
	Unknown   int64 // times that a key became unknown
	Resyncs   int64 // full resyncs that the filter asked for
}

// Filtered tells whether the data is only a part of the master's, as long as
// one is followed: such a server must not feed replicas of its own, since they
// would take it for the whole.
func (s *Server) Filtered() bool { return s.filter != nil && s.following }

// errFiltered is what a replica that asks a filtered one for its stream is told.
const errFiltered = "-ERR This replica holds only a part of its master's data (replica-filter-*) and cannot feed replicas. Follow the master itself."

// CurrentFilter is the filter in force, nil for none. Loop goroutine.
func (s *Server) CurrentFilter() *Filter {
	if s.filter == nil {
		return nil
	}
	return s.filter.Filter
}

// SetFilter puts a filter in force, nil for none. What was left out before, or
// is now too much, only a full resync can put right: the caller sees to that.
func (s *Server) SetFilter(f *Filter) {
	if f == nil {
		s.filter = nil
		return
	}
	db := 0
	if s.master != nil {
		db = s.master.db.ID
	}
	if s.filter != nil {
		db = s.filter.db
	}
	s.filter = newStreamFilter(f, s.KS.Databases(), db)
}

// FilterInstalled forgets the unknown keys: a full sync has brought them.
// db is the database in which the stream goes on.
func (s *Server) FilterInstalled(db int, ld *Loader) {
	s.Filters.RDBKeys += ld.FilteredKeys
	s.Filters.RDBBytes += ld.FilteredBytes
	if s.filter != nil {
		s.filter = newStreamFilter(s.filter.Filter, s.KS.Databases(), db)
	}
}

// infoFilter is the part of INFO replication about the filter.
func (s *Server) infoFilter(b *strings.Builder) {
	if s.filter == nil {
		return
	}
	st := &s.Filters
	line(b, "replica_filter", strings.Map(safeInfoChar, s.filter.id))
	line(b, "filter_stream_commands", st.Commands)
	line(b, "filter_stream_rewritten", st.Rewritten)
	line(b, "filter_stream_keys", st.Keys)
	line(b, "filter_stream_bytes", st.Bytes)
	line(b, "filter_rdb_keys", st.RDBKeys)
	line(b, "filter_rdb_bytes", st.RDBBytes)
	line(b, "filter_unknown_keys", s.filter.count)
	line(b, "filter_unknown_total", st.Unknown)
	line(b, "filter_resyncs", st.Resyncs)
}
