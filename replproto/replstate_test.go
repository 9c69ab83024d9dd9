package replproto

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func checkState(t *testing.T, s ReplState, want ReplState) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if s != want {
		t.Fatalf("%+v, want %+v", s, want)
	}
}

func TestReplStateShifts(t *testing.T) {
	a, b, c := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	s := NewReplState(a)
	checkState(t, s, ReplState{ID: a, ID2: zeroID, SecondOffset: -1})
	s.FullSync(b, 1000)
	checkState(t, s, ReplState{ID: b, ID2: zeroID, Offset: 1000, SecondOffset: -1})
	s.Offset = 1500
	if s.Continue("") || s.Continue(b) {
		t.Fatal("the same id is a change")
	}
	if !s.Continue(c) {
		t.Fatal("a new id is no change")
	}
	checkState(t, s, ReplState{ID: c, ID2: b, Offset: 1500, SecondOffset: 1501})
	s.Offset = 1600
	s.Promote(a)
	checkState(t, s, ReplState{ID: a, ID2: c, Offset: 1600, SecondOffset: 1601})
	s.FullSync(b, 5)
	checkState(t, s, ReplState{ID: b, ID2: zeroID, Offset: 5, SecondOffset: -1})
}

func TestReplStateResume(t *testing.T) {
	a, b, c := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)
	s := NewReplState(a)
	log := NewBacklog(1<<20, 0)
	log.Append(make([]byte, 1000))
	s.Offset = 1000
	s.Promote(b)
	log.Append(make([]byte, 500))
	s.Offset = 1500
	for _, c := range []struct {
		id   string
		next int64
		log  *Backlog
		ok   bool
		why  string
	}{
		{b, 1501, log, true, ""},
		{b, 1502, log, false, "ends at offset 1500"},
		{b, 1, log, true, ""},
		{b, 0, log, false, "starts at offset 1"},
		{a, 1001, log, true, ""},
		{a, 1002, log, false, "second history ends at offset 1000"},
		{a, 7, log, true, ""},
		{c, 7, log, false, "unknown"},
		{"?", -1, log, false, "unknown"},
		{zeroID, 7, log, false, "unknown"},
		{b, 1501, nil, false, "no backlog"},
	} {
		ok, why := s.Resume(c.id, c.next, c.log)
		if ok != c.ok || !strings.Contains(why, c.why) {
			t.Errorf("%s at %d: %v %q", c.id, c.next, ok, why)
		}
	}
	s.FullSync(c, 0)
	if ok, why := s.Resume(zeroID, 1, log); ok || !strings.Contains(why, "unknown") {
		t.Errorf("the zero id resumes: %q", why)
	}
}

func TestNewReplID(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for range 100 {
		id := NewReplID(rnd.Uint64)
		if len(id) != IDLen || strings.Trim(id, "0123456789abcdef") != "" || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}
