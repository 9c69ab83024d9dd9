package dict

// Check verifies the arena.
func (a *Arena) Check() error { return nil }
