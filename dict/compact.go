package dict

// Compaction, see below.
type compaction struct {
	marked int // slabs marked for evacuation
}

// ShouldMove says whether a block stands in a slab that is being evacuated.
func (a *Arena) ShouldMove(r Ref) bool {
	m := &a.slabs[r>>(unitShift-granShift)]
	if m.class == classCont {
		m = &a.slabs[m.next]
	}
	return m.flags&slabEvac != 0
}
