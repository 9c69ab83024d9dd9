package commands

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// answered returns what was written to a client that is not being served.
func answered(c *Client) string {
	out := string(c.Output())
	c.SetOutput(nil)
	return out
}

func TestWaitsEndInTheirOrder(t *testing.T) {
	s, h := newTestServer(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	clients := map[int64]*Client{}
	for i := range 200 {
		c := newTestClient(s)
		ms := int64(rnd.IntN(5000) + 1)
		for clients[ms] != nil {
			ms++
		}
		clients[ms] = c
		if got := do(c, "BLPOP", fmt.Sprint("k", i%7), fmt.Sprintf("%d.%03d", ms/1000, ms%1000)); got != "" {
			t.Fatalf("%q", got)
		}
	}
	if s.blockedCount != 200 || len(s.timeouts) != 200 {
		t.Fatalf("%d blocked, %d timeouts", s.blockedCount, len(s.timeouts))
	}
	// A third of them is served before its time.
	for range 70 {
		b := s.timeouts[rnd.IntN(len(s.timeouts))]
		do(newTestClient(s), "LPUSH", b.keys[0].key, "v")
	}
	if s.blockedCount != 130 || len(s.timeouts) != 130 {
		t.Fatalf("%d blocked, %d timeouts after 70 pushes", s.blockedCount, len(s.timeouts))
	}
	for i, b := range s.timeouts {
		if b.at != i || i > 0 && s.timeouts[(i-1)/2].deadline > b.deadline {
			t.Fatalf("the heap is out of order at %d", i)
		}
	}
	start := h.milli
	for len(s.timeouts) > 0 {
		first := slices.MinFunc(s.timeouts, func(a, b *blockedState) int { return int(a.deadline - b.deadline) })
		c := first.c
		h.milli = first.deadline
		h.fire()
		if c.blocked == nil {
			t.Fatal("a wait ended when its deadline was reached, not after it")
		}
		h.milli++
		h.fire()
		if c.blocked != nil {
			t.Fatalf("after %d ms a wait of %d ms goes on", h.milli-start, first.deadline-start)
		}
	}
	if s.blockedCount != 0 || len(s.blockedOn) != 0 {
		t.Errorf("%d blocked, on %d keys", s.blockedCount, len(s.blockedOn))
	}
}

// fire runs the timers that were set, whether due or not: a timer must look at
// the clock itself.
func (h *fakeHost) fire() {
	fns := h.timer
	h.timer = nil
	for _, fn := range fns {
		fn()
	}
}

// TestTimersDoNotPileUp: clients that wait again and again, each time with a
// long timeout, share one timer.
func TestTimersDoNotPileUp(t *testing.T) {
	s, h := newTestServer(t)
	waits, pushes := newTestClient(s), newTestClient(s)
	for range 1000 {
		h.milli++
		do(waits, "BLPOP", "k", "3600")
		do(pushes, "LPUSH", "k", "v")
		if waits.blocked != nil {
			t.Fatal("not served")
		}
	}
	if n := len(h.timer); n > 1 {
		t.Errorf("%d timers", n)
	}
	do(waits, "BLPOP", "k", "1")
	if n := len(h.timer); n > 2 {
		t.Errorf("%d timers", n)
	}
}

// TestServedClientGoesOnLater: what stands behind a waiting command in a
// pipeline does not run in the middle of the command that ended the wait.
func TestServedClientGoesOnLater(t *testing.T) {
	s, h := newTestServer(t)
	waits, pushes := newTestClient(s), newTestClient(s)
	waits.SetOutput(make([]byte, 0, 64))
	s.Process(waits, []byte("*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"))
	if got := do(pushes, "RPUSH", "k", "1", "2"); got != ":2\r\n" {
		t.Errorf("%q", got)
	}
	if got := do(pushes, "LLEN", "k"); got != ":1\r\n" {
		t.Errorf("the pipeline went on too early: %q", got)
	}
	h.turn()
	if got := answered(waits); got != "*2\r\n$1\r\nk\r\n$1\r\n1\r\n:1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestBlockedClientThatLeavesIsForgotten(t *testing.T) {
	s, _ := newTestServer(t)
	a, b, c := newTestClient(s), newTestClient(s), newTestClient(s)
	do(a, "BLPOP", "k", "j", "10")
	do(b, "BLPOP", "k", "0")
	s.RemoveClient(a)
	if s.blockedCount != 1 || len(s.timeouts) != 0 || len(s.blockedOn) != 1 {
		t.Errorf("%d blocked, %d timeouts, %d keys", s.blockedCount, len(s.timeouts), len(s.blockedOn))
	}
	b.SetOutput(make([]byte, 0, 64))
	do(c, "LPUSH", "k", "v")
	if got := answered(b); got != "*2\r\n$1\r\nk\r\n$1\r\nv\r\n" {
		t.Errorf("%q", got)
	}
}

// TestManyWaiters: one push of many elements serves many clients, in order, and
// does not take time quadratic in their number.
func TestManyWaiters(t *testing.T) {
	s, _ := newTestServer(t)
	const n = 20000
	clients := make([]*Client, n)
	for i := range clients {
		clients[i] = newTestClient(s)
		do(clients[i], "BLPOP", "k", "0")
		clients[i].SetOutput(make([]byte, 0, 40))
	}
	words := make([]string, 2, n+2)
	words[0], words[1] = "RPUSH", "k"
	for i := range n {
		words = append(words, fmt.Sprint(i))
	}
	do(newTestClient(s), words...)
	for i, c := range clients {
		v := fmt.Sprint(i)
		if got, want := answered(c), fmt.Sprintf("*2\r\n$1\r\nk\r\n$%d\r\n%s\r\n", len(v), v); got != want {
			t.Fatalf("client %d: %q, want %q", i, got, want)
		}
	}
	if s.blockedCount != 0 || s.KS.Keys() != 0 {
		t.Errorf("%d blocked, %d keys", s.blockedCount, s.KS.Keys())
	}
}

// TestInternalClientsDoNotWait: who has no connection could never be answered.
func TestInternalClientsDoNotWait(t *testing.T) {
	s, _ := newTestServer(t)
	c := s.NewInternalClient()
	c.args = [][]byte{[]byte("BLPOP"), []byte("k"), []byte("0")}
	s.Execute(c)
	if got := string(c.out); got != "*-1\r\n" || c.blocked != nil || s.blockedCount != 0 {
		t.Errorf("%q, %d blocked", got, s.blockedCount)
	}
}

// TestNewDatasetServes: a synchronisation that brings the key ends the wait.
func TestNewDatasetServes(t *testing.T) {
	s, _ := newTestServer(t)
	a, b := newTestClient(s), newTestClient(s)
	do(b, "RPUSH", "k", "v")
	do(a, "SELECT", "1")
	do(a, "BLPOP", "k", "0")
	do(b, "SELECT", "1")
	do(b, "RPUSH", "other", "v")
	if a.blocked == nil {
		t.Fatal("served by another key")
	}
	a.SetOutput(make([]byte, 0, 64))
	do(b, "SWAPDB", "0", "1")
	if got := answered(a); got != "*2\r\n$1\r\nk\r\n$1\r\nv\r\n" {
		t.Errorf("%q", got)
	}
}
