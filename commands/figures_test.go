package commands

import "testing"

// TestLatencyFold: the coarse bounds count what the fine histogram has, exactly at the bounds too.
func TestLatencyFold(t *testing.T) {
	var st cmdStat
	durations := []int64{0, 1, 1023, 1024, 1025, 4095, 4096, 1 << 20, 1<<20 - 1, 1 << 33, 1 << 50}
	for _, d := range durations {
		st.observe(d)
	}
	var f CommandFigures
	st.fold(&f)
	if f.Timed != int64(len(durations)) {
		t.Errorf("%d calls, want %d", f.Timed, len(durations))
	}
	for i, b := range LatencyBounds {
		want := int64(0)
		for _, d := range durations {
			if d < b {
				want++
			}
		}
		if f.Counts[i] != want {
			t.Errorf("below %d ns: %d, want %d", b, f.Counts[i], want)
		}
	}
}

// TestFigures: lists come only on request, the newest slow command first, and are bounded.
func TestFigures(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	s.V.SlowlogLogSlowerThan = 0
	do(c, "SET", "a", "1")
	do(c, "GET", "a")
	do(c, "NOSUCH")
	f := s.Figures(0, 0)
	if len(f.SlowLog) != 0 || len(f.ClientList) != 0 || f.SlowLen < 2 {
		t.Errorf("%d slow, %d clients, %d in the slow log", len(f.SlowLog), len(f.ClientList), f.SlowLen)
	}
	if f.Databases[0].Keys != 1 || f.Stats.Commands < 2 || f.Stats.KeyspaceHits != 1 {
		t.Errorf("%+v, commands %d, hits %d", f.Databases, f.Stats.Commands, f.Stats.KeyspaceHits)
	}
	if len(f.Errors) != 1 || f.Errors[0] != (ErrorFigures{"ERR", 1}) {
		t.Errorf("errors %v", f.Errors)
	}
	f = s.Figures(1, 1)
	if len(f.SlowLog) != 1 || f.SlowLog[0].Args[0] != "GET" || len(f.ClientList) != 1 {
		t.Errorf("slow %v, %d clients", f.SlowLog, len(f.ClientList))
	}
}
