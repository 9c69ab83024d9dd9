package dict

// Handle is a reference to keep over code that might free the block. In an ordinary build it is the reference and nothing
// more; built with the tag "invariants" it knows which block it means, so that the use of one that was freed panics even
// if another has been given out at its place.
type Handle struct {
	ref Ref
	gen generation
}

// Hold returns a handle to a live block.
func (a *Arena) Hold(r Ref) Handle { return Handle{r, a.debug.generationOf(r)} }

// Ref returns the reference of a handle; under invariants it panics if the block was freed.
func (a *Arena) Ref(h Handle) Ref {
	if invariants {
		a.debug.mustBe(h)
	}
	return h.ref
}
