package eventloop

// own is called before the loop touches its state.
func (l *Loop) own() {
	v := &l.visits
	if !v.on || v.owner.TryLock() {
		return
	}
	v.want.Store(true)
	v.owner.Lock()
	v.want.Store(false)
}

// disown is called after it.
func (l *Loop) disown() {
	if l.visits.on {
		l.visits.owner.Unlock()
	}
}
