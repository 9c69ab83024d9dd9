package stream

// How far a group has read. The count of entries delivered is exact as long as
// no entry was deleted ahead of the group; where that is not known, the position
// can still be told at the ends of the stream.

// tombstonesFrom tells whether an entry that was deleted may lie at or after
// start, and among those that are there.
func (s *Stream) tombstonesFrom(start ID) bool {
	return s.Length > 0 && !s.MaxDeletedID.IsZero() && !s.MaxDeletedID.Less(s.FirstID) && !s.MaxDeletedID.Less(start)
}

// ReadAt is how many entries a reader at id has passed, counted from the first
// that ever was; UnknownRead where that cannot be said.
func (s *Stream) ReadAt(id ID) int64 {
	switch {
	case s.Added == 0:
		return 0
	case s.Length == 0 && !s.LastID.Less(id):
		return int64(s.Added)
	case id == s.LastID:
		return int64(s.Added)
	case s.LastID.Less(id):
		return UnknownRead
	case !s.MaxDeletedID.IsZero() && !s.MaxDeletedID.Less(s.FirstID):
		return UnknownRead
	case id.Less(s.FirstID):
		return int64(s.Added - s.Length)
	case id == s.FirstID:
		return int64(s.Added-s.Length) + 1
	}
	return UnknownRead
}

// Advance moves a group on to the entry id that was delivered to one of its
// consumers, unless it is there already.
func (s *Stream) Advance(g *Group, id ID) {
	if !g.LastID.Less(id) {
		return
	}
	switch {
	case g.EntriesRead != UnknownRead && !s.tombstonesFrom(id):
		g.EntriesRead++
	case s.Added > 0:
		g.EntriesRead = s.ReadAt(id)
	}
	g.LastID = id
}

// Lag is the number of entries that a group has still to read; ok is false when
// that cannot be said.
func (s *Stream) Lag(g *Group) (lag int64, ok bool) {
	switch {
	case s.Added == 0:
		return 0, true
	case g.EntriesRead != UnknownRead && !s.tombstonesFrom(g.LastID):
		return int64(s.Added) - g.EntriesRead, true
	}
	if read := s.ReadAt(g.LastID); read != UnknownRead {
		return int64(s.Added) - read, true
	}
	return 0, false
}
