package differential

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file plays random histories of several clients that subscribe, track, watch, queue and write, and compares everything that each
// of them receives.

// A surfer is one client of a history, at both servers.
type surfer struct {
	lane  *lane
	ids   [2]string
	multi [2]bool // in MULTI
}

// surfaceCommand draws a command. "@n" stands for the id of client n. Invalidations are redirected to one that does nothing else: redis-server
// writes them into the middle of the reply that a client is getting, here they come behind it.
func surfaceCommand(r *rand.Rand, clients int) []string {
	key := func() string { return oneOf(r, "k1", "k2", "k3", "user:1", "user:2", "l") }
	channel := func() string { return oneOf(r, "c1", "c2", "news", "__redis__:invalidate") }
	switch r.IntN(45) {
	case 0, 1, 2:
		return []string{"SET", key(), strconv.Itoa(r.IntN(5))}
	case 3:
		return []string{"MSET", key(), "1", key(), "2"}
	case 4:
		return []string{"DEL", key(), key()}
	case 5:
		return []string{"EXPIRE", key(), oneOf(r, "100", "-1", "1000")}
	case 6:
		return []string{oneOf(r, "RPUSH", "LPUSH"), "l", "x"}
	case 7:
		return []string{"EVAL", "redis.call('SET', KEYS[1], 'x') return redis.call('GET', KEYS[2])", "2", key(), key()}
	case 8:
		return []string{"RENAME", key(), key()}
	case 9, 10, 11, 12, 13:
		return []string{"GET", key()}
	case 14:
		return []string{"MGET", key(), key()}
	case 15:
		return []string{"EXISTS", key()}
	case 16, 17:
		return []string{"MULTI"}
	case 18, 19, 20:
		return []string{"EXEC"}
	case 21:
		return []string{"DISCARD"}
	case 22, 23:
		return []string{"WATCH", key()}
	case 24:
		return []string{"UNWATCH"}
	case 25, 26:
		return []string{"SUBSCRIBE", channel()}
	case 27:
		return []string{"PSUBSCRIBE", oneOf(r, "c*", "n*", "_*")}
	case 28:
		return []string{"UNSUBSCRIBE", channel()}
	case 29:
		return []string{"PUNSUBSCRIBE", oneOf(r, "c*", "n*", "_*")}
	case 30, 31:
		return []string{"PUBLISH", channel(), strconv.Itoa(r.IntN(100))}
	case 32:
		return []string{"SSUBSCRIBE", channel()}
	case 33:
		return []string{"SPUBLISH", channel(), "shard"}
	case 34, 35:
		return []string{"CLIENT", "TRACKING", "ON"}
	case 36:
		return slices.Concat([]string{"CLIENT", "TRACKING", "ON"}, strings.Fields(oneOf(r, "BCAST", "BCAST PREFIX user:", "BCAST NOLOOP", "OPTIN", "OPTOUT", "NOLOOP", "OPTIN NOLOOP")))
	case 37:
		return []string{"CLIENT", "TRACKING", "ON", "REDIRECT", "@" + strconv.Itoa(clients)}
	case 38:
		return []string{"CLIENT", "TRACKING", "OFF"}
	case 39:
		return []string{"CLIENT", "CACHING", oneOf(r, "YES", "NO")}
	case 40:
		return []string{"CLIENT", "TRACKINGINFO"}
	case 41:
		return []string{"HELLO", oneOf(r, "2", "3", "3")}
	case 42:
		if r.IntN(3) > 0 {
			return []string{"PING"}
		}
		return []string{"RESET"}
	case 43:
		return []string{oneOf(r, "FLUSHALL", "FLUSHDB", "SWAPDB 0 1")}
	case 44:
		return []string{"SELECT", oneOf(r, "0", "0", "1")}
	}
	return []string{"CLIENT", "GETNAME"}
}

func oneOf(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// surfaceVaries are ids of clients; and the null of a redirected invalidation, which redis-server writes in the protocol of the client that
// tracks: it must be in that of the client which reads it.
var surfaceVaries = regexp.MustCompile(`(redirect\r\n|\$2\r\nid\r\n|tracking-redir-broken\r\n):\d+|(invalidate\r\n)(?:_|\$-1)\r\n`)

// TestRandomSurface: everything that several clients receive is equal, messages and invalidations in their places.
func TestRandomSurface(t *testing.T) {
	p := newPair(t)
	seed := randomSeed()
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		if err := p.reset(); err != nil {
			t.Fatal(err)
		}
		if err := surfaceRound(p, rand.New(rand.NewPCG(seed, uint64(round)))); err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
	}
}

func surfaceRound(p *pair, r *rand.Rand) error {
	const clients = 3
	var surfers []*surfer
	open := func() (*surfer, error) {
		l, err := p.open(2 + r.IntN(2))
		if err != nil {
			return nil, err
		}
		s := &surfer{lane: l}
		for i, c := range []*testutil.Conn{l.redis, l.ours} {
			v, err := c.Do("CLIENT", "ID")
			if err != nil {
				return nil, err
			}
			s.ids[i] = strconv.FormatInt(v.Int, 10)
		}
		return s, nil
	}
	for range clients + 1 {
		s, err := open()
		if err != nil {
			return err
		}
		surfers = append(surfers, s)
	}
	defer func() {
		for _, s := range surfers {
			s.lane.close()
		}
	}()
	// With the last client that tracks the table goes; redis-server keeps it.
	for _, c := range []*testutil.Conn{surfers[clients].lane.redis, surfers[clients].lane.ours} {
		if v, err := c.Do("CLIENT", "TRACKING", "ON"); err != nil || v.Err() != nil {
			return fmt.Errorf("%v, %w", v, err)
		}
	}
	var history []string
	for step := range 60 {
		who := r.IntN(clients)
		cmd := surfaceCommand(r, clients)
		if len(cmd) == 1 {
			cmd = strings.Fields(cmd[0])
		}
		if surfers[who].multi[0] && (cmd[0] == "CLIENT" || cmd[0] == "MULTI") {
			continue // of CLIENT TRACKING, the state at the time of a change counts here, and that at the end of EXEC for redis-server
		}
		history = append(history, fmt.Sprintf("%d> %s", who, quoteArgs(cmd)))
		s := surfers[who]
		for i, c := range []*testutil.Conn{s.lane.redis, s.lane.ours} {
			mine := slices.Clone(cmd)
			for j, a := range mine {
				if n, err := strconv.Atoi(strings.TrimPrefix(a, "@")); err == nil && strings.HasPrefix(a, "@") {
					mine[j] = surfers[n].ids[i]
				}
			}
			if err := c.Send(mine...); err != nil {
				return fmt.Errorf("%s: %w", strings.Join(history, "\n"), err)
			}
		}
		if slices.Contains([]string{"EXEC", "DISCARD", "RESET"}, cmd[0]) {
			s.multi = [2]bool{}
		}
		mark := "step" + strconv.Itoa(step)
		for i := range surfers {
			n := (who + i) % len(surfers) // the one that has done something first
			s := surfers[n]
			var got [2][]byte
			for i, c := range []*testutil.Conn{s.lane.redis, s.lane.ours} {
				b, err := upTo(c, mark, &s.multi[i])
				if err == nil { // what is sent at the end of a turn may come behind that
					var more []byte
					more, err = upTo(c, mark+"again", &s.multi[i])
					b = append(b, more...)
				}
				if err != nil {
					return fmt.Errorf("client %d of server %d, after\n%s\n: %q, %w", n, i, strings.Join(history, "\n"), b, err)
				}
				got[i] = surfaceVaries.ReplaceAll(b, []byte("$1$2"))
			}
			if !bytes.Equal(got[0], got[1]) {
				return fmt.Errorf("client %d receives\n  redis: %q\n  ours:  %q\nafter\n%s", n, got[0], got[1], strings.Join(history, "\n"))
			}
		}
	}
	return nil
}

// upTo reads all that a client receives before the answer to a word. In MULTI that would be queued: what is refused there is taken for it.
func upTo(c *testutil.Conn, mark string, multi *bool) ([]byte, error) {
	wire := testutil.AppendCommand(nil, "PING", mark)
	if *multi {
		wire, mark = testutil.AppendCommand(nil, "MULTI"), "ERR MULTI calls can not be nested"
	}
	if _, err := c.Write(wire); err != nil {
		return nil, err
	}
	var all []byte
	for {
		v, raw, err := c.Read()
		switch {
		case err != nil:
			return append(all, raw...), err
		case v.Text == mark || len(v.Elems) == 2 && v.Elems[1].Text == mark:
			return all, nil
		case v.Text == "QUEUED" && !*multi:
			*multi = true
			return all, nil
		}
		all = append(all, raw...)
	}
}
