package config

import (
	"fmt"
	"sort"
	"strings"
)

// Registry holds the directives and their values. One goroutine owns it; see the package comment.
type Registry struct {
	// Values is what the rest of the server reads. The owner may also change fields itself (REPLICAOF does), and
	// CONFIG GET and CONFIG REWRITE then report the new value.
	Values *Values

	// ConfigFile is the absolute path of the file the configuration was read from, or "".
	ConfigFile string

	// UserLines gives the `user` lines for Rewrite, without the word user itself ("alice on >secret ~* +@all").
	// While nil, Rewrite leaves the lines of the file as they are.
	UserLines func() []string

	heading string
	rows    []*Directive
	byName  map[string]*Directive // lower-case names and aliases

	loading  bool           // directives come from a file, not from CONFIG SET
	saveSeen bool           // the first `save` of a file replaces the defaults, later ones add
	idle     map[string]int // directives without effect that were set, and their order
	fromEnv  map[*Directive]string
	modules  []directiveLine // x.y directives, which only a module would know
	depth    int             // of include
}

// directiveLine is a line kept for a later check.
type directiveLine struct {
	name string
	at   Position
}

// New returns a registry in which every directive has its default.
func New() *Registry {
	r := &Registry{
		Values:  new(Values),
		byName:  make(map[string]*Directive),
		idle:    make(map[string]int),
		fromEnv: make(map[*Directive]string),
	}
	v := r.Values
	networkRows(r, v)
	generalRows(r, v)
	securityRows(r, v)
	replicationRows(r, v)
	partialReplicaRows(r, v)
	memoryRows(r, v)
	encodingRows(r, v)
	monitoringRows(r, v)
	operationsRows(r, v)
	persistenceRows(r, v)
	clusterRows(r)
	systemRows(r, v)
	markPending(r)
	for _, d := range r.rows {
		for _, name := range []string{d.Name, d.Alias} {
			if name == "" {
				continue
			}
			if r.byName[name] != nil {
				panic(fmt.Sprintf("config: directive %s is declared twice, by %s and %s", name, r.byName[name].Name, d.Name))
			}
			r.byName[name] = d
		}
	}
	return r
}

// lookup finds a directive by name or alias, in any case.
func (r *Registry) lookup(name string) *Directive { return r.byName[strings.ToLower(name)] }

// Directives returns the rows in the order of the documentation.
func (r *Registry) Directives() []*Directive { return r.rows }

// IsSensitive tells whether the value of the named directive is a secret, which logs, SLOWLOG and MONITOR must not show.
func (r *Registry) IsSensitive(name string) bool {
	d := r.lookup(name)
	return d != nil && d.is(Sensitive)
}

// Passwords returns the values of the secret directives that are set, except user names: what a log must hide.
func (r *Registry) Passwords() []string {
	var list []string
	for _, d := range r.rows {
		if s := d.get(); d.is(Sensitive) && d.Name != "masteruser" && s != "" {
			list = append(list, s)
		}
	}
	return list
}

// OnChange has fn called by Set after one or more of the named directives changed. It runs once for a Set, after all
// values are stored; it sees the new Values and can veto: its error's text goes into the reply, every value falls
// back, and the hooks that had run are called again so that they apply the old values. An unknown name panics.
func (r *Registry) OnChange(fn func() error, names ...string) {
	h := &hook{fn}
	for _, name := range names {
		d := r.lookup(name)
		if d == nil {
			panic(fmt.Sprintf("config: OnChange of unknown directive %q", name))
		}
		d.hooks = append(d.hooks, h)
	}
}

// WithoutEffect names the directives that a file or the command line gave another value than their default although they
// have no meaning here, or none yet, in the order they were met. The server logs them once at start. Those set to
// their default lose nothing: a file that spells all defaults out, as packaged ones do, needs no warning.
func (r *Registry) WithoutEffect() []string {
	names := make([]string, 0, len(r.idle))
	for name := range r.idle {
		if d := r.byName[name]; d == nil || !d.isDefault() {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool { return r.idle[names[i]] < r.idle[names[j]] })
	return names
}

func (r *Registry) markIdle(name string) {
	if _, seen := r.idle[name]; !seen {
		r.idle[name] = len(r.idle)
	}
}
