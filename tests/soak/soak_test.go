package soak

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

var duration = flag.Duration("for", 6*time.Second, "how long the bad clients are at work; from a minute on, redis-server goes through the same for a quarter of it")

func TestMain(m *testing.M) { testutil.Main(m) }

// limits are what an operator who expects such clients would set.
var limits = []string{"--maxclients", "2000", "--client-output-buffer-limit", "normal 4mb 0 0 pubsub 4mb 1mb 3", "--client-query-buffer-limit", "8mb", "--hz", "20"}

// A look is what the system says of a server, and the server of itself.
type look struct {
	rss, fds, goroutines int
}

func (l look) String() string {
	return fmt.Sprintf("%.1f MB, %d descriptors, %d goroutines", float64(l.rss)/(1<<20), l.fds, l.goroutines)
}

func lookAt(t *testing.T, s *testutil.Server, c *testutil.Conn) look {
	t.Helper()
	rss, err := testutil.RSS(s.PID())
	if err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.Info("memory")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(info["goroutines"])
	return look{int(rss), len(fds), n}
}

// alone waits until the server has no clients but n.
func alone(t *testing.T, c *testutil.Conn, n int) {
	t.Helper()
	testutil.Eventually(t, 20*time.Second, "the others are gone", func() error {
		info, err := c.Info("clients")
		if err == nil && info["connected_clients"] != strconv.Itoa(n) {
			err = fmt.Errorf("%s clients", info["connected_clients"])
		}
		return err
	})
}

func TestSoak(t *testing.T) {
	ours := testutil.StartOurs(t, limits...)
	c := ours.Dial(t)
	// A first round of everything brings the server to its working size.
	first := max(*duration/10, 1500*time.Millisecond)
	endure(t, ours, c, first, nil)
	before := lookAt(t, ours, c)
	var looks []look
	p99 := endure(t, ours, c, *duration, func() { looks = append(looks, lookAt(t, ours, c)) })
	after := lookAt(t, ours, c)
	t.Logf("p99 of the good clients: %v", p99)
	t.Logf("before %v; after %v", before, after)
	if after.fds > before.fds {
		t.Errorf("%d descriptors, before %d", after.fds, before.fds)
	}
	if after.goroutines > before.goroutines {
		t.Errorf("%d goroutines, before %d", after.goroutines, before.goroutines)
	}
	const slack = 64 << 20
	if after.rss > before.rss+slack {
		t.Errorf("%d MB resident, before %d MB", after.rss>>20, before.rss>>20)
	}
	// While it lasts: the last quarter needs no more than the first.
	if n := len(looks) / 4; n > 0 {
		peak := func(list []look) int { return slices.MaxFunc(list, func(a, b look) int { return a.rss - b.rss }).rss }
		early, late := peak(looks[:n]), peak(looks[len(looks)-n:])
		t.Logf("peaks: %d MB in the first quarter, %d MB in the last", early>>20, late>>20)
		if late > early+early/4+slack {
			t.Errorf("%d MB resident in the last quarter, %d MB in the first", late>>20, early>>20)
		}
	}
	if p99 > time.Second {
		t.Errorf("p99 of the good clients: %v", p99)
	}
	if *duration < time.Minute {
		return
	}
	redis := testutil.StartRedis(t, limits...)
	theirs := endure(t, redis, redis.Dial(t), *duration/4, nil)
	t.Logf("p99 of the good clients of redis-server: %v", theirs)
	if p99 > theirs*3/2+time.Millisecond {
		t.Errorf("p99 of the good clients is %v, with redis-server %v", p99, theirs)
	}
}

// endure sets good and bad clients on a server for a time and returns the 99th percentile of what the good ones waited.
func endure(t *testing.T, s *testutil.Server, c *testutil.Conn, d time.Duration, eachSecond func()) time.Duration {
	t.Helper()
	c.Must(t, "SET", "large", string(make([]byte, 16<<10)))
	stop := make(chan bool)
	var bad, good sync.WaitGroup
	counts := make([]atomic.Int64, len(badClients))
	for i, b := range badClients {
		for w := range b.workers {
			bad.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(w)))
				for {
					select {
					case <-stop:
						return
					default:
					}
					b.fn(s.Addr(), r, stop)
					counts[i].Add(1)
					pause(stop, b.pause)
				}
			})
		}
	}
	var mu sync.Mutex
	var took []time.Duration
	var worked int
	for w := range 6 {
		good.Go(func() {
			list, err := wellBehaved(s.Addr(), w, stop)
			if err != nil {
				t.Errorf("good client %d, after %d requests: %v", w, len(list), err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, list...)
			worked++
		})
	}
	good.Go(func() {
		if n, err := listener(s.Addr(), stop); err != nil {
			t.Errorf("the good subscriber, after %d messages: %v", n, err)
		}
	})
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		if eachSecond != nil {
			eachSecond()
		}
	}
	close(stop)
	good.Wait()
	bad.Wait()
	for i, b := range badClients {
		if counts[i].Load() == 0 {
			t.Errorf("%q did not get round once", b.name)
		}
	}
	alone(t, c, 1)
	if !s.Running() {
		t.Fatal("the server has died")
	}
	slices.Sort(took)
	if len(took) < 100 {
		t.Fatalf("%d requests of %d good clients", len(took), worked)
	}
	return took[len(took)*99/100]
}

// wellBehaved writes and reads its own keys, at a modest rate, and checks what it reads.
func wellBehaved(addr string, id int, stop chan bool) (took []time.Duration, err error) {
	c, err := testutil.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetTimeout(20 * time.Second)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return took, nil
		default:
		}
		key, want := fmt.Sprintf("good:%d:%d", id, i%100), strconv.Itoa(i)
		for _, step := range []struct {
			cmd  []string
			want string
		}{{[]string{"SET", key, want}, "OK"}, {[]string{"GET", key}, want}} {
			begin := time.Now()
			v, err := c.Do(step.cmd...)
			if err != nil {
				return took, err
			}
			took = append(took, time.Since(begin))
			if v.Text != step.want {
				return took, fmt.Errorf("%q answers %v", step.cmd, v)
			}
		}
		time.Sleep(4 * time.Millisecond)
	}
}

// listener subscribes and publishes, and must get each message once, in order.
func listener(addr string, stop chan bool) (n int, err error) {
	sub, err := testutil.Dial(addr)
	if err != nil {
		return 0, err
	}
	defer sub.Close()
	pub, err := testutil.Dial(addr)
	if err != nil {
		return 0, err
	}
	defer pub.Close()
	sub.SetTimeout(20 * time.Second)
	pub.SetTimeout(20 * time.Second)
	if v, err := sub.Do("SUBSCRIBE", "ordered"); err != nil || v.Err() != nil {
		return 0, errors.Join(err, v.Err())
	}
	for {
		select {
		case <-stop:
			return n, nil
		default:
		}
		for i := range 5 {
			if v, err := pub.Do("PUBLISH", "ordered", strconv.Itoa(n+i)); err != nil || v.Int != 1 {
				return n, fmt.Errorf("PUBLISH: %v, %w", v, err)
			}
		}
		for range 5 {
			v, _, err := sub.Read()
			if err != nil || len(v.Elems) != 3 || v.Elems[2].Text != strconv.Itoa(n) {
				return n, fmt.Errorf("got %v, %w", v, err)
			}
			n++
		}
		time.Sleep(5 * time.Millisecond)
	}
}
