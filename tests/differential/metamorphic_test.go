package differential

import (
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// The tests of this file compare ours with ours: how values are encoded, where they lie in memory and how bytes arrive must not show.

// A variant is a server that differs from the usual one in what clients must not notice.
type variant struct {
	name    string
	args    []string
	odd     bool // bytes pass through a relay that cuts them at odd places
	compact bool // all memory is moved again and again
}

var variants = []variant{
	{name: "tiny thresholds", args: []string{
		"--hash-max-listpack-entries", "1", "--set-max-intset-entries", "1", "--zset-max-listpack-entries", "1", "--list-max-listpack-size", "2",
	}},
	{name: "values never fit a listpack", args: []string{
		"--hash-max-listpack-value", "1", "--zset-max-listpack-value", "1", "--list-max-listpack-size", "-1", "--list-compress-depth", "1",
	}},
	{name: "huge thresholds", args: []string{
		"--hash-max-listpack-entries", "100000", "--hash-max-listpack-value", "1000000", "--set-max-intset-entries", "100000",
		"--zset-max-listpack-entries", "100000", "--zset-max-listpack-value", "1000000", "--list-max-listpack-size", "-5",
	}},
	{name: "odd reads", odd: true},
	{name: "forced compaction", compact: true},
	{name: "tiny thresholds, forced compaction", compact: true, args: []string{
		"--hash-max-listpack-entries", "0", "--set-max-intset-entries", "0", "--zset-max-listpack-entries", "0", "--list-max-listpack-size", "1",
	}},
}

// telling are commands that report the encoding or the memory of a value, or the numbers of the process.
var telling = map[string]bool{"OBJECT": true, "DEBUG": true, "DUMP": true, "MEMORY": true, "CONFIG": true}

// shows tells whether the encoding shows in what a command leaves behind, as it does in redis-server: a listpack keeps the score -0 as the integer 0.
func shows(cmd []string) bool {
	for _, a := range cmd {
		if f, err := strconv.ParseFloat(a, 64); (err == nil && f == 0 && math.Signbit(f)) || strings.EqualFold(a, "WEIGHTS") {
			return true
		}
	}
	return telling[strings.ToUpper(cmd[0])]
}

// TestMetamorphic plays random histories of all types against the usual server and each variant: equal replies, equal DEBUG DIGEST.
func TestMetamorphic(t *testing.T) {
	seed := randomSeed()
	batches := 60
	if testing.Short() {
		batches = 12
	}
	t.Logf("again with: make diff ARGS=\"-run TestMetamorphic -seed %d\"", seed)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			p := newTwins(t, v)
			g := newGenerator(t, seed)
			moved := int64(0)
			for range batches {
				b := &batch{proto: 2 + g.rnd.IntN(2)}
				for len(b.cmds) < 150 {
					if cmd := g.command(); !shows(cmd) {
						b.cmds = append(b.cmds, cmd)
					}
				}
				if v.compact {
					// A background pass would hit the moments between commands by luck; this one hits most of them.
					stop := p.compacting(t)
					_, err := b.play(p, func() int { return 1 + g.rnd.IntN(4) })
					stop()
					if err != nil {
						t.Fatalf("%v\n%s", err, b.script())
					}
				} else if _, err := b.play(p, func() int { return 1 + g.rnd.IntN(32) }); err != nil {
					short, why := b.shrink(p)
					t.Fatalf("%v\n\nshrunk to:\n%s\n%v", err, short.script(), why)
				}
				if v.compact {
					p.oursCtl.Must(t, "DEBUG", "CHECK")
					info, err := p.oursCtl.Info("stats")
					if err != nil {
						t.Fatal(err)
					}
					n, err := strconv.ParseInt(info["active_defrag_key_hits"], 10, 64)
					if err != nil {
						t.Fatalf("active_defrag_key_hits: %v", err)
					}
					moved = max(moved, n)
				}
			}
			if v.compact && moved == 0 {
				t.Error("nothing was moved")
			}
		})
	}
}

// newTwins is a pair of two of our servers: the usual one in the place of redis-server, and the variant.
func newTwins(t *testing.T, v variant) *pair {
	t.Helper()
	p := &pair{}
	var wg sync.WaitGroup
	wg.Go(func() { p.redis = testutil.StartOurs(t) })
	wg.Go(func() { p.ours = testutil.StartOurs(t, v.args...) })
	wg.Wait()
	if p.redis == nil || p.ours == nil {
		t.FailNow()
	}
	p.redisCtl, p.oursCtl = p.redis.Dial(t), p.ours.Dial(t)
	if v.odd {
		p.oursAddr = relay(t, p.ours.Addr())
	}
	return p
}

// compacting moves all memory of the variant as often as it can until stop is called.
func (p *pair) compacting(t *testing.T) (stop func()) {
	c := p.ours.Dial(t)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer c.Close()
		for {
			select {
			case <-done:
				return
			default:
			}
			if v, err := c.Do("DEBUG", "COMPACT"); err != nil || v.Text != "OK" {
				t.Errorf("DEBUG COMPACT: %v, %v", v, err)
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// relay passes bytes on to addr in pieces of 1, 2, 3, 5, 8 … bytes, each a write of its own, so that every message arrives cut somewhere.
func relay(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				return
			}
			go func() {
				defer client.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := server.Read(buf)
					if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
						return
					}
				}
			}()
			go func() {
				defer server.Close()
				buf := make([]byte, 64<<10)
				for a, b := 1, 2; ; {
					n, err := client.Read(buf)
					for p := buf[:n]; len(p) > 0; {
						k := min(a, len(p))
						if _, err := server.Write(p[:k]); err != nil {
							return
						}
						p = p[k:]
						if a, b = b, a+b; a > 2000 {
							a, b = 1, 2
						}
						if k < 10 {
							time.Sleep(20 * time.Microsecond) // or the kernel joins them again
						}
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
