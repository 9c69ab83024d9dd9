package replproto

import "fmt"

// zeroID stands for "no second history", as INFO reports it.
const zeroID = "0000000000000000000000000000000000000000"

// ReplState is the replication identity of a server: the history that it follows or
// writes, and the history which that one continues.
//
//	history ID2 ───────────────●────────── other writes we never saw
//	                           │ SecondOffset-1
//	history ID                 └─────●──── our writes, or our master's
//	                                 │ Offset
//
// Up to SecondOffset both names mean the same bytes, so a replica that knows only ID2 can
// still resume from there. Invariant: ID has IDLen bytes; ID2 is either another id with
// SecondOffset > 0, or zeroID with SecondOffset -1.
type ReplState struct {
	ID           string
	ID2          string
	Offset       int64 // bytes of the history produced or applied
	SecondOffset int64 // first offset that ID2 does not vouch for, or -1
}

// NewReplState starts an own, empty history called id.
func NewReplState(id string) ReplState {
	return ReplState{ID: id, ID2: zeroID, SecondOffset: -1}
}

// NewReplID draws a replication id: 40 random hexadecimal digits.
func NewReplID(random func() uint64) string {
	const digits = "0123456789abcdef"
	var b [IDLen]byte
	var bits uint64
	for i := range b {
		if i%16 == 0 {
			bits = random()
		}
		b[i] = digits[bits&15]
		bits >>= 4
	}
	return string(b[:])
}

// FullSync enters the history id at offset, and forgets every other: the dataset was
// replaced, so sub-replicas of the old history have to be dropped.
func (s *ReplState) FullSync(id string, offset int64) {
	*s = ReplState{ID: id, ID2: zeroID, Offset: offset, SecondOffset: -1}
}

// Continue is +CONTINUE newID: the master's history has a new name from our offset on.
// It reports whether the id changed, in which case sub-replicas must be disconnected so
// that they learn it.
func (s *ReplState) Continue(newID string) bool {
	if newID == "" || newID == s.ID {
		return false
	}
	s.shift(newID)
	return true
}

// Promote turns a replica into a master: from here on the history is our own and has a
// new name, and the old name stays good up to here.
func (s *ReplState) Promote(newID string) {
	s.shift(newID)
}

func (s *ReplState) shift(newID string) {
	if len(newID) != IDLen {
		panic(fmt.Sprintf("replproto: a replication id of %d bytes: %q", len(newID), newID))
	}
	s.ID2 = s.ID
	s.SecondOffset = s.Offset + 1
	s.ID = newID
}

// Resume decides whether a replica that has the history id and asks for the byte next
// can go on with a partial resync out of b (nil: there is no backlog). When it cannot,
// why says it in words for the log.
func (s *ReplState) Resume(id string, next int64, b *Backlog) (ok bool, why string) {
	switch {
	case id == s.ID:
	case id == s.ID2 && s.SecondOffset >= 0 && next <= s.SecondOffset:
	case id == s.ID2 && s.SecondOffset >= 0:
		return false, fmt.Sprintf("the second history ends at offset %d, asked for %d", s.SecondOffset-1, next)
	default:
		return false, fmt.Sprintf("history %q is unknown here (%s, %s)", id, s.ID, s.ID2)
	}
	switch {
	case b == nil:
		return false, "there is no backlog"
	case next < b.First():
		return false, fmt.Sprintf("the backlog starts at offset %d, asked for %d", b.First(), next)
	case next > b.Next():
		return false, fmt.Sprintf("the backlog ends at offset %d, asked for %d", b.Next()-1, next)
	}
	return true, ""
}

// Check verifies the invariants.
func (s *ReplState) Check() error {
	if len(s.ID) != IDLen || len(s.ID2) != IDLen {
		return fmt.Errorf("replproto: ids of %d and %d bytes", len(s.ID), len(s.ID2))
	}
	if (s.ID2 == zeroID) != (s.SecondOffset == -1) {
		return fmt.Errorf("replproto: replid2 %s with second offset %d", s.ID2, s.SecondOffset)
	}
	if s.SecondOffset > s.Offset+1 {
		return fmt.Errorf("replproto: second offset %d is past offset %d", s.SecondOffset, s.Offset)
	}
	return nil
}
