package commands

import (
	"strings"
	"testing"
)

// TestCronLooksAtAllClients: in a second each client gets its turn, while others come and go, and buffers of idle ones are given back.
func TestCronLooksAtAllClients(t *testing.T) {
	s, h := newTestServer(t, "hz", "10")
	var clients []*Client
	for range 97 {
		c := newTestClient(s)
		s.Process(c, []byte("*2\r\n$4\r\nECHO\r\n$30000\r\n"+strings.Repeat("x", 20000)))
		s.Process(c, []byte(strings.Repeat("x", 10000)+"\r\n"))
		if c.reader.BufferCap() == 0 {
			t.Fatal("no buffer is held: the test does not reach its subject")
		}
		clients = append(clients, c)
	}
	part := newTestClient(s) // in the middle of a command
	s.Process(part, []byte("*2\r\n$4\r\nECHO\r\n$30000\r\n"+strings.Repeat("x", 20000)))
	h.milli += 1000
	for range 10 {
		s.Cron()
	}
	if n := clients[5].reader.BufferCap(); n == 0 {
		t.Error("a buffer was taken from a client that was at work a second ago")
	}
	h.milli += 3000
	for i := range 12 { // the list is shorter and longer than it was
		s.RemoveClient(clients[i*8])
		newTestClient(s)
		s.Cron()
	}
	for i, c := range clients {
		if c.flags&flagClosed == 0 && c.reader.BufferCap() > 0 {
			t.Errorf("client %d still holds %d bytes", i, c.reader.BufferCap())
		}
	}
	if part.reader.Buffered() < 20000 {
		t.Error("a command that has half arrived was dropped")
	}
}

// TestDynamicHz: with many clients cron runs more often, so that each run has as few to look at.
func TestDynamicHz(t *testing.T) {
	s, _ := newTestServer(t, "hz", "10")
	for _, step := range []struct{ clients, hz int64 }{{1, 10}, {2000, 10}, {2010, 20}, {5000, 40}} {
		for int64(s.clients.n) < step.clients {
			newTestClient(s)
		}
		if d := s.Cron(); d != 1e9/step.hz {
			t.Errorf("%d clients: the next run in %d ns", step.clients, d)
		}
	}
	s.V.DynamicHz = false
	if d := s.Cron(); d != 1e8 {
		t.Errorf("not dynamic: the next run in %d ns", d)
	}
}
