package commands

import (
	"fmt"
	"strings"
	"testing"
)

// fill stores keys until the memory is at least n bytes more than at the start.
func fillMemory(t *testing.T, c *Client, prefix string, n int64, extra ...string) int {
	t.Helper()
	start, i := c.srv.UsedMemory(), 0
	for ; c.srv.UsedMemory() < start+n; i++ {
		if got := do(c, append([]string{"SET", fmt.Sprint(prefix, i), strings.Repeat("v", 200)}, extra...)...); got != "+OK\r\n" {
			t.Fatalf("SET: %q", got)
		}
	}
	return i
}

func setConfig(t *testing.T, c *Client, name, value string) {
	t.Helper()
	if got := do(c, "CONFIG", "SET", name, value); got != "+OK\r\n" {
		t.Fatalf("CONFIG SET %s %s: %q", name, value, got)
	}
	c.srv.MemoryLimitsChanged() // as the composition root does
}

// TestEvictionKeepsTheLimit: under each policy that has something to evict, writes go on for ever and memory stays.
func TestEvictionKeepsTheLimit(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			s, _ := newTestServer(t, "maxmemory-policy", policy)
			c := newTestClient(s)
			limit := s.UsedMemory() + 1<<20
			setConfig(t, c, "maxmemory", fmt.Sprint(limit))
			for i := range 12_000 {
				if got := do(c, "SET", fmt.Sprint("k", i), strings.Repeat("v", 200), "EX", "1000"); got != "+OK\r\n" {
					t.Fatalf("write %d: %q", i, got)
				}
				if used := s.UsedMemory(); used > limit+1<<14 {
					t.Fatalf("write %d: %d bytes are used, the limit is %d", i, used, limit)
				}
			}
			if n := s.KS.DB(0).Len(); int64(n)+s.Stats.EvictedKeys != 12_000 || n < 2000 {
				t.Errorf("%d keys are left, %d were evicted", n, s.Stats.EvictedKeys)
			}
		})
	}
}

// TestEvictionSparesKeysWithoutExpiry: volatile policies take keys with an expiry alone, then refuse.
func TestEvictionSparesKeysWithoutExpiry(t *testing.T) {
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		s, _ := newTestServer(t, "maxmemory-policy", policy)
		c := newTestClient(s)
		stay := fillMemory(t, c, "stay", 300_000)
		limit := s.UsedMemory() + 300_000
		setConfig(t, c, "maxmemory", fmt.Sprint(limit))
		for i := range 5000 {
			if got := do(c, "SET", fmt.Sprint("go", i), strings.Repeat("v", 200), "EX", "1000"); got != "+OK\r\n" {
				t.Fatalf("%s, write %d: %q", policy, i, got)
			}
		}
		for i := range stay {
			if got := do(c, "EXISTS", fmt.Sprint("stay", i)); got != ":1\r\n" {
				t.Fatalf("%s: a key without expiry is gone", policy)
			}
		}
		refused := false
		for i := 0; i < 5000 && !refused; i++ {
			refused = strings.HasPrefix(do(c, "SET", fmt.Sprint("more", i), strings.Repeat("v", 200)), "-OOM command not allowed when used memory > 'maxmemory'.")
		}
		if !refused {
			t.Errorf("%s: no write was refused", policy)
		}
		if n := s.KS.DB(0).Expires(); n != 0 {
			t.Errorf("%s: %d keys with expiry are left", policy, n)
		}
		if got := do(c, "GET", "stay0"); !strings.HasPrefix(got, "$200") {
			t.Errorf("%s: a read is answered %q", policy, got)
		}
		if got := do(c, "DEL", "stay0"); got != ":1\r\n" {
			t.Errorf("%s: DEL is answered %q", policy, got)
		}
	}
}

// TestVolatileTTL: those that expire first go first.
func TestVolatileTTL(t *testing.T) {
	s, _ := newTestServer(t, "maxmemory-policy", "volatile-ttl", "maxmemory-samples", "10")
	c := newTestClient(s)
	const n = 2000
	for i := range n {
		do(c, "SET", fmt.Sprint("k", i), strings.Repeat("v", 100), "EX", fmt.Sprint(1000+10*i))
	}
	used := s.UsedMemory()
	setConfig(t, c, "maxmemory", fmt.Sprint(used-80_000))
	do(c, "PING")
	for s.overLimit() > 0 {
		s.evict()
	}
	left, sum := 0, 0
	for i := range n {
		if do(c, "EXISTS", fmt.Sprint("k", i)) == ":1\r\n" {
			left++
		} else {
			sum += i
		}
	}
	gone := n - left
	if gone < 300 || gone > 1200 {
		t.Fatalf("%d of %d keys are gone", gone, n)
	}
	if mean := sum / gone; mean > gone*7/10 {
		t.Errorf("%d keys are gone; their mean place in the order of expiry is %d, ideally %d", gone, mean, gone/2)
	}
}

// TestLRUTakesTheIdle and LFU the rare.
func TestVictimsByUse(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu"} {
		s, h := newTestServer(t, "maxmemory-policy", policy)
		c := newTestClient(s)
		const n = 3000
		s.Cron()
		for i := range n {
			do(c, "SET", fmt.Sprint("k", i), strings.Repeat("v", 100))
		}
		for range 30 { // the first half is used, again and again
			h.milli += 2000
			s.Cron()
			for i := range n / 2 {
				do(c, "GET", fmt.Sprint("k", i))
			}
		}
		used := s.UsedMemory()
		setConfig(t, c, "maxmemory", fmt.Sprint(used-int64(n)*128/4))
		for s.overLimit() > 0 {
			s.evict()
		}
		var used1, idle int
		for i := range n {
			if do(c, "EXISTS", fmt.Sprint("k", i)) != ":1\r\n" {
				if i < n/2 {
					used1++
				} else {
					idle++
				}
			}
		}
		if idle < n/8 || used1 > idle/50 {
			t.Errorf("%s: of the keys in use %d were evicted, of the others %d", policy, used1, idle)
		}
	}
}

// TestReplicaDoesNotEvict: what the master has, its replica keeps, whatever maxmemory says, unless it is told otherwise.
func TestReplicaDoesNotEvict(t *testing.T) {
	s, _ := newTestServer(t, "maxmemory-policy", "allkeys-lru", "maxmemory", "1")
	s.SetFollowing(true)
	m := s.NewMasterClient(0)
	set := func(n int) {
		for i := range n {
			s.BeginStream()
			s.CallMaster(m, [][]byte{[]byte("SET"), fmt.Appendf(nil, "k%d", i), []byte("v")})
		}
	}
	set(100)
	if n := s.KS.DB(0).Len(); n != 100 {
		t.Errorf("%d of 100 keys", n)
	}
	s.V.ReplicaIgnoreMaxmemory = false
	s.evict()
	if n := s.KS.DB(0).Len(); n != 0 {
		t.Errorf("%d keys are left although the replica's own limit counts", n)
	}
	set(1)
	if s.Stats.ErrorReplies != 0 || s.KS.DB(0).Len() > 1 {
		t.Errorf("a command of the master was refused, or %d keys", s.KS.DB(0).Len())
	}
}

// TestEvictionIsTold: watchers, trackers and subscribers learn of it.
func TestEvictionIsTold(t *testing.T) {
	s, _ := newTestServer(t, "maxmemory-policy", "allkeys-random", "notify-keyspace-events", "Ee")
	c, w, sub := newTestClient(s), newTestClient(s), newTestClient(s)
	do(sub, "SUBSCRIBE", "__keyevent@0__:evicted")
	do(c, "SET", "k", "v")
	do(w, "WATCH", "k")
	setConfig(t, c, "maxmemory", "1")
	do(c, "PING")
	if got := string(sub.conn.(*fakeConn).pushed); !strings.Contains(got, "__keyevent@0__:evicted\r\n$1\r\nk\r\n") {
		t.Errorf("the subscriber got %q", got)
	}
	do(w, "MULTI")
	if got := do(w, "EXEC"); got != "*-1\r\n" {
		t.Errorf("EXEC: %q", got)
	}
	if s.Stats.EvictedKeys != 1 {
		t.Errorf("%d keys were evicted", s.Stats.EvictedKeys)
	}
}

// TestQueueingNeedsMemory: under noeviction nothing is queued that could not run.
func TestQueueingNeedsMemory(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	do(c, "SET", "k", "v")
	do(c, "MULTI")
	setLimit := func(n uint64) { s.V.Maxmemory = n }
	setLimit(1)
	if got := do(c, "GET", "k"); !strings.HasPrefix(got, "-OOM") {
		t.Errorf("queueing: %q", got)
	}
	if got := do(c, "EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Errorf("EXEC: %q", got)
	}
	if got := do(c, "EVAL", "return redis.call('SET', 'a', 'b')", "0"); !strings.Contains(got, "OOM") {
		t.Errorf("a script that writes: %q", got)
	}
	if got := do(c, "EVAL", "return redis.call('GET', 'k')", "0"); got != "$1\r\nv\r\n" {
		t.Errorf("a script that reads: %q", got)
	}
	setLimit(0)
	if got := do(c, "SET", "a", "b"); got != "+OK\r\n" {
		t.Errorf("without a limit: %q", got)
	}
}

// TestEvictionFreesLargeValuesFirst: a value of many elements, which is freed in slices, is not the reason to evict a second one.
func TestEvictionFreesLargeValuesFirst(t *testing.T) {
	s, _ := newTestServer(t, "maxmemory-policy", "allkeys-random", "maxmemory-eviction-tenacity", "100")
	c := newTestClient(s)
	for k := range 4 {
		for i := 0; i < 20_000; i += 100 {
			args := []string{"SADD", fmt.Sprint("set", k)}
			for j := range 100 {
				args = append(args, fmt.Sprintf("member:%d", i+j))
			}
			do(c, args...)
		}
	}
	setConfig(t, c, "maxmemory", fmt.Sprint(s.UsedMemory()-1000))
	do(c, "PING")
	if n := s.KS.DB(0).Len(); n != 3 {
		t.Errorf("%d of 4 sets are left", n)
	}
	if s.overLimit() != 0 {
		t.Errorf("%d bytes above the limit", s.overLimit())
	}
}

// TestEvictionHasABudget: with no tenacity a command waits for one step, and the rest goes on between commands.
func TestEvictionHasABudget(t *testing.T) {
	s, h := newTestServer(t, "maxmemory-policy", "allkeys-lru", "maxmemory-eviction-tenacity", "0")
	c := newTestClient(s)
	fillMemory(t, c, "k", 1<<20)
	setConfig(t, c, "maxmemory", fmt.Sprint(s.UsedMemory()-1<<19))
	before := s.KS.DB(0).Len()
	do(c, "PING")
	if n := before - s.KS.DB(0).Len(); n != 1 {
		t.Errorf("%d keys in one round", n)
	}
	for range 10_000 {
		if len(h.timer) == 0 {
			break
		}
		fn := h.timer[0]
		h.timer = h.timer[1:]
		fn()
	}
	if s.overLimit() != 0 || s.KS.DB(0).Len() < before/3 {
		t.Errorf("%d bytes above the limit, %d of %d keys", s.overLimit(), s.KS.DB(0).Len(), before)
	}
	if evictionBudget(10) != 500_000 || evictionBudget(0) != 0 || evictionBudget(11) != 575_000 || evictionBudget(100) < 1<<62 {
		t.Error("the budgets are not redis-server's")
	}
}

// TestClientEviction: the largest client goes, and only while the sum is too large.
func TestClientEviction(t *testing.T) {
	s, _ := newTestServer(t, "enable-debug-command", "yes")
	c := newTestClient(s)
	var big []*Client
	for i := range 4 {
		b := newTestClient(s)
		// An unfinished argument stays in the query buffer.
		doRaw(b, fmt.Appendf(nil, "*2\r\n$4\r\nPING\r\n$%d\r\n%s", 10_000_000, strings.Repeat("x", 100_000*(i+1))))
		big = append(big, b)
	}
	closed := func() (n int) {
		for _, b := range big {
			if b.conn.(*fakeConn).closed {
				n++
			}
		}
		return n
	}
	sum := int64(0)
	for _, b := range big {
		sum += b.memory()
	}
	if sum < 1_000_000 {
		t.Fatalf("four clients hold %d bytes", sum)
	}
	if got := do(c, "DEBUG", "CLIENT-EVICTION"); got != "-ERR maxmemory-clients is disabled.\r\n" {
		t.Error(got)
	}
	setConfig(t, c, "maxmemory-clients", fmt.Sprint(sum+100_000))
	if closed() != 0 {
		t.Fatal("a client was dropped below the limit")
	}
	do(big[3], "x") // nothing but more input
	setConfig(t, c, "maxmemory-clients", fmt.Sprint(sum*2/3))
	if n := closed(); n < 1 || n > 2 || !big[3].conn.(*fakeConn).closed && !big[2].conn.(*fakeConn).closed {
		t.Errorf("%d clients were dropped", n)
	}
	if s.Stats.EvictedClients == 0 || s.clientsSum > s.clientsMax {
		t.Errorf("%d evicted, %d of %d bytes", s.Stats.EvictedClients, s.clientsSum, s.clientsMax)
	}
	for _, b := range big {
		if b.conn.(*fakeConn).closed {
			s.RemoveClient(b)
		}
	}
	before := closed()
	do(big[0], "CLIENT", "NO-EVICT", "ON") // is still in the middle of an argument: it stays evictable
	setConfig(t, c, "maxmemory-clients", "1")
	if n := closed(); n != 4 || before == 4 {
		t.Errorf("%d of 4 clients are gone", n)
	}
	if got := do(c, "PING"); got == "+PONG\r\n" {
		t.Error("a client that is larger than the limit by itself is still served")
	}
}

func TestNoEvict(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	do(c, "CLIENT", "NO-EVICT", "ON")
	setConfig(t, c, "maxmemory-clients", "1")
	if got := do(c, "PING"); got != "+PONG\r\n" {
		t.Errorf("PING: %q", got)
	}
	setConfig(t, c, "maxmemory-clients", "0")
	s.V.Maxmemory, s.V.MaxmemoryClients = 1000, -50
	if n := s.clientsLimit(); n != 500 {
		t.Errorf("50%% of 1000 is %d", n)
	}
}

// TestMemoryGateIsCheap: below the limit a command pays two comparisons.
func TestMemoryGateIsCheap(t *testing.T) {
	s, _ := newTestServer(t, "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru")
	c := newTestClient(s)
	in := wire("GET", "k")
	c.SetOutput(make([]byte, 0, 4096))
	if n := testing.AllocsPerRun(200, func() {
		s.Process(c, in)
		c.out = c.out[:0]
	}); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}
