package commands

// What a client can rely on about how fresh the data is.

// offsetWait is somebody who goes on once an offset of a history is applied.
type offsetWait struct {
	id     string // replication id, "" for the present history
	offset int64
	due    int64 // unix ms, 0 never
	fn     func(applied bool)
}

// reached tells whether the data has everything up to an offset of a history.
func (s *Server) reached(id string, offset int64) bool {
	return s.history(id, offset) && s.Repl.Offset >= offset
}

// history tells whether an offset belongs to the data's past or future.
func (s *Server) history(id string, offset int64) bool {
	return id == "" || id == s.Repl.ID || id == s.Repl.ID2 && id != ZeroReplID && offset < s.Repl.SecondOffset
}

// waitOffset calls w.fn later, on the loop.
func (s *Server) waitOffset(w *offsetWait) {
	s.offsetWaits = append(s.offsetWaits, w)
}

// forgetWait takes a wait back.
func (s *Server) forgetWait(w *offsetWait) {
	for i, x := range s.offsetWaits {
		if x == w {
			s.offsetWaits = append(s.offsetWaits[:i], s.offsetWaits[i+1:]...)
			return
		}
	}
}

// OffsetMoved is called when the applied offset, or the history, has changed. It
// costs a comparison when nobody waits.
func (s *Server) OffsetMoved() {
	if len(s.offsetWaits) != 0 {
		s.endOffsetWaits(s.Host.UnixMilli())
	}
}

// endOffsetWaits lets those go on whose offset is reached or whose time is up.
func (s *Server) endOffsetWaits(now int64) {
	var over []*offsetWait
	kept := s.offsetWaits[:0]
	for _, w := range s.offsetWaits {
		if s.reached(w.id, w.offset) || w.due != 0 && now > w.due {
			over = append(over, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(s.offsetWaits[len(kept):])
	s.offsetWaits = kept
	for _, w := range over {
		w.fn(s.reached(w.id, w.offset))
	}
}
