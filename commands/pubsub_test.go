package commands

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSubscriptionsModel subscribes and unsubscribes at random and compares who gets what with a model of plain maps.
func TestSubscriptionsModel(t *testing.T) {
	s, _ := newTestServer(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	pub := newTestClient(s)
	type peer struct {
		c        *Client
		channels map[string]bool
		patterns map[string]bool
	}
	var peers []*peer
	connect := func() *peer { return &peer{newTestClient(s), map[string]bool{}, map[string]bool{}} }
	for range 4 {
		peers = append(peers, connect())
	}
	name := func() string { return fmt.Sprint("c", rnd.IntN(40)) }
	for range 4000 {
		i := rnd.IntN(len(peers))
		p := peers[i]
		switch n := name(); rnd.IntN(9) {
		case 0, 1, 2:
			do(p.c, "SUBSCRIBE", n, name(), n)
			p.channels[n] = true
			for _, x := range p.c.subs.channels.list {
				p.channels[x] = true
			}
		case 3, 4:
			do(p.c, "PSUBSCRIBE", n+"*")
			p.patterns[n+"*"] = true
		case 5, 6:
			do(p.c, "UNSUBSCRIBE", n)
			delete(p.channels, n)
		case 7:
			do(p.c, "PUNSUBSCRIBE", n+"*")
			delete(p.patterns, n+"*")
		case 8:
			if rnd.IntN(20) == 0 {
				s.RemoveClient(p.c)
				peers[i] = connect()
			}
		}
		channel, want := name(), 0
		for _, p := range peers {
			if p.channels[channel] {
				want++
			}
			for pat := range p.patterns {
				if strings.HasPrefix(channel, strings.TrimSuffix(pat, "*")) {
					want++
				}
			}
			if len(p.channels)+len(p.patterns) != p.c.subs.count() {
				t.Fatalf("%d channels and %d patterns, counted %d", len(p.channels), len(p.patterns), p.c.subs.count())
			}
		}
		if got := do(pub, "PUBLISH", channel, "m"); got != fmt.Sprintf(":%d\r\n", want) {
			t.Fatalf("PUBLISH to %s: %q, want %d", channel, got, want)
		}
		for _, p := range peers {
			n := strings.Count(pushes(p.c), "\r\n"+channel+"\r\n")
			want := 0
			if p.channels[channel] {
				want++
			}
			for pat := range p.patterns {
				if strings.HasPrefix(channel, strings.TrimSuffix(pat, "*")) {
					want++
				}
			}
			if n != want {
				t.Fatalf("one of %d listeners got %d messages, want %d", len(peers), n, want)
			}
		}
	}
	for _, p := range peers {
		s.RemoveClient(p.c)
	}
	if ps := &s.pubsub; !ps.empty() || ps.count != 0 || slices.ContainsFunc(ps.order, func(x *subscribers) bool { return x != nil }) {
		t.Errorf("left behind: %d channels, %d patterns, %d clients", len(ps.channels), len(ps.patterns), ps.count)
	}
}

// TestManySubscriptions: one client with very many subscriptions costs what they cost, not the square of it.
func TestManySubscriptions(t *testing.T) {
	s, _ := newTestServer(t)
	const n = 60_000
	begin := time.Now()
	for _, word := range []string{"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"} {
		c := newTestClient(s)
		args := []string{word}
		for i := range n {
			args = append(args, fmt.Sprint("name", i))
		}
		do(c, args...)
		if got := c.subs.count() + kindShard.count(c.subs); got != n {
			t.Errorf("%s: %d subscriptions", word, got)
		}
		args[0] = strings.Replace(word, "SUB", "UNSUB", 1)
		do(c, args[:n/2]...)
		if got := c.subs.count() + kindShard.count(c.subs); got != n-n/2+1 {
			t.Errorf("%s: %d subscriptions are left", word, got)
		}
		s.RemoveClient(c)
	}
	if !s.pubsub.empty() || len(s.pubsub.shard) != 0 {
		t.Error("subscriptions are left behind")
	}
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("it took %v", d)
	}
}
