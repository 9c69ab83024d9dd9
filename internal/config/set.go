package config

import (
	"fmt"
	"slices"
	"strings"
)

// SetContext tells what CONFIG SET may do.
type SetContext struct {
	Loading bool // a dataset is being loaded
	Local   bool // the client came by loopback or unix socket
}

// SetError is a refused CONFIG SET. Its text is the error reply, with the code and without the leading minus.
type SetError struct{ reply string }

func (e *SetError) Error() string { return e.reply }

func setFailed(name string, reason string) error {
	s := fmt.Sprintf("ERR CONFIG SET failed (possibly related to argument '%s')", name)
	if reason != "" {
		s += " - " + reason
	}
	return &SetError{s}
}

// Set performs CONFIG SET of several directives: all or none. Every value is checked and stored, then the work of
// each changed directive and the OnChange hooks run, each once. A wrong value or a hook's error puts everything back.
// The error is a *SetError.
func (r *Registry) Set(pairs [][2]string, ctx SetContext) error {
	found, err := r.settable(pairs, ctx)
	if err != nil {
		return err
	}
	restores := make([]func(), len(found))
	for i, f := range found {
		restores[i] = f.snapshot()
	}
	rollback := func() {
		for _, restore := range slices.Backward(restores) {
			restore()
		}
	}
	var changed []*Directive
	var names []string
	for i, d := range found {
		args := []string{pairs[i][1]}
		if d.is(MultiArg) {
			args = splitSet(pairs[i][1])
		}
		differs, err := d.set(args)
		if err != nil {
			rollback()
			return setFailed(strings.ToLower(pairs[i][0]), err.Error())
		}
		if differs || d.is(Volatile) {
			changed = append(changed, d)
			names = append(names, strings.ToLower(pairs[i][0]))
		}
	}
	ran, failed, err := applyAll(changed)
	if err != nil {
		rollback()
		for _, h := range ran {
			// The old values worked before; a hook that now refuses them leaves its component as it is.
			_ = h.fn()
		}
		return setFailed(names[failed], err.Error())
	}
	for _, d := range found {
		delete(r.fromEnv, d)
	}
	return nil
}

// settable finds the rows of a CONFIG SET and checks what can be checked before any value is touched. The
// first argument that is refused gives the error.
func (r *Registry) settable(pairs [][2]string, ctx SetContext) ([]*Directive, error) {
	found := make([]*Directive, 0, len(pairs))
	var entries []string // lower-case names: an alias and its directive are two
	var refused error
	for _, p := range pairs {
		if refused != nil {
			break
		}
		d := r.lookup(p[0])
		switch entry := strings.ToLower(p[0]); {
		case d == nil:
			name, _, _ := strings.Cut(p[0], "\x00")
			refused = &SetError{fmt.Sprintf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", name)}
		case d.is(Immutable):
			refused = setFailed(p[0], "can't set immutable config")
		case d.is(Protected) && !r.Values.EnableProtectedConfigs.Allows(ctx.Local):
			refused = setFailed(p[0], "can't set protected config")
		case d.is(DenyLoading) && ctx.Loading:
			refused = &SetError{"LOADING Redis is loading the dataset in memory"}
		case slices.Contains(entries, entry):
			refused = setFailed(p[0], "duplicate parameter")
		default:
			entries = append(entries, entry)
			found = append(found, d)
		}
	}
	return found, refused
}

// applyAll runs the built-in work and the hooks of changed directives. On an error, failed is the index of the
// directive and ran holds the hooks that were called, the failed one included.
func applyAll(changed []*Directive) (ran []*hook, failed int, err error) {
	for i, d := range changed {
		if d.apply != nil {
			if err := d.apply(); err != nil {
				return ran, i, err
			}
		}
		for _, h := range d.hooks {
			if slices.Contains(ran, h) {
				continue
			}
			ran = append(ran, h)
			if err := h.fn(); err != nil {
				return ran, i, err
			}
		}
	}
	return ran, 0, nil
}
