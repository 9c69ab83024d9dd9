package differential

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// figures are the numbers of a section of INFO.
func figures(t *testing.T, c *testutil.Conn, section string) map[string]float64 {
	t.Helper()
	info, err := c.Info(section)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]float64{}
	for k, v := range info {
		if f, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64); err == nil {
			m[k] = f
		}
	}
	return m
}

// TestInfoSections: which sections an INFO with arguments shows, in which order.
func TestInfoSections(t *testing.T) {
	p := newPair(t)
	heads := func(c *testutil.Conn, args ...string) string {
		v := c.Must(t, append([]string{"INFO"}, args...)...)
		var list []string
		for l := range strings.SplitSeq(v.Text, "\r\n") {
			if strings.HasPrefix(l, "# ") && l != "# Eventloop" {
				list = append(list, l)
			}
		}
		return strings.Join(list, " ")
	}
	for _, args := range [][]string{
		{}, {"default"}, {"all"}, {"everything"}, {"server"}, {"SERVER", "Keyspace"}, {"keyspace", "server"}, {"foo"}, {"foo", "cpu"}, {"cpu", "cpu"},
		{"all", "cpu"}, {"default", "commandstats"}, {"commandstats", "default"}, {"modules"}, {"latencystats"}, {"errorstats"}, {"cluster"}, {"sentinel"}, {""},
	} {
		if r, o := heads(p.redisCtl, args...), heads(p.oursCtl, args...); r != o {
			t.Errorf("INFO %q:\n  redis: %s\n  ours:  %s", args, r, o)
		}
	}
}

// TestInfoOrder: the fields of a section that redis-server has stand in its order; ours may have more between them.
func TestInfoOrder(t *testing.T) {
	p := newPair(t)
	for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		c.Must(t, "CONFIG", "RESETSTAT")
		c.Must(t, "SET", "k", "v", "EX", "100")
	}
	names := func(c *testutil.Conn) (list []string) {
		for l := range strings.SplitSeq(c.Must(t, "INFO", "everything").Text, "\r\n") {
			if name, _, ok := strings.Cut(l, ":"); (ok || strings.HasPrefix(l, "#")) && !strings.HasPrefix(name, "cmdstat_") && !strings.HasPrefix(name, "latency_percentiles") {
				list = append(list, name)
			}
		}
		return list
	}
	ours := names(p.oursCtl)
	for _, name := range names(p.redisCtl) {
		at := slices.Index(ours, name)
		if at < 0 {
			t.Errorf("%s is missing, or stands before what it follows", name)
			continue
		}
		ours = ours[at+1:]
	}
}

// TestMemoryAddsUp: every byte of INFO memory has its place, up to the resident memory that the system tells.
func TestMemoryAddsUp(t *testing.T) {
	s := testutil.StartOurs(t)
	c := s.Dial(t)
	check := func(when string) map[string]float64 {
		t.Helper()
		m := figures(t, c, "memory")
		sum := func(total string, parts ...string) {
			t.Helper()
			got := 0.0
			for _, p := range parts {
				v, ok := m[p]
				if !ok {
					t.Errorf("no field %s", p)
				}
				got += v
			}
			if got != m[total] {
				t.Errorf("%s: %s is %.0f, its parts %q make %.0f", when, total, m[total], parts, got)
			}
		}
		sum("used_memory", "used_memory_dataset", "used_memory_overhead")
		sum("allocator_active", "allocator_allocated", "allocator_frag_bytes")
		sum("allocator_resident", "allocator_active", "allocator_rss_bytes")
		sum("used_memory_rss", "allocator_resident", "rss_overhead_bytes")
		sum("used_memory_rss", "used_memory", "mem_fragmentation_bytes")
		if m["used_memory"] > m["used_memory_peak"] || m["used_memory_startup"] <= 0 || m["used_memory_startup"] > m["used_memory"]*4 {
			t.Errorf("%s: used %.0f, peak %.0f, startup %.0f", when, m["used_memory"], m["used_memory_peak"], m["used_memory_startup"])
		}
		rss, err := testutil.RSS(s.PID())
		if err != nil {
			t.Fatal(err)
		}
		if d := m["used_memory_rss"] / float64(rss); d < 0.9 || d > 1.1 {
			t.Errorf("%s: used_memory_rss %.0f, the system says %d", when, m["used_memory_rss"], rss)
		}
		return m
	}
	before := check("empty")
	c.Must(t, "DEBUG", "POPULATE", "200000", "key", "100")
	full := check("200,000 keys")
	if d := full["used_memory_dataset"]; d < 200_000*105 || d > 200_000*135 {
		t.Errorf("200,000 keys of some 10 and 100 bytes take %.0f", d)
	}
	if grown := full["used_memory_rss"] - before["used_memory_rss"]; grown < (full["used_memory"]-before["used_memory"])*0.8 {
		t.Errorf("used_memory grew by %.0f, resident memory by %.0f", full["used_memory"]-before["used_memory"], grown)
	}
	limit := 2.2
	if testutil.Invariants {
		limit = 3 // the checks' own memory is resident, and none of the server's
	}
	if f := full["mem_fragmentation_ratio"]; f > limit {
		t.Errorf("fragmentation ratio %.2f", f)
	}
	c.Must(t, "EVAL", "return 1", "0")
	c.Must(t, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
	m := check("scripts")
	for name, want := range map[string]float64{"number_of_cached_scripts": 1, "number_of_functions": 1, "number_of_libraries": 1} {
		if m[name] != want {
			t.Errorf("%s is %.0f", name, m[name])
		}
	}
	for _, name := range []string{"used_memory_vm_eval", "used_memory_vm_functions", "used_memory_scripts", "used_memory_functions", "mem_clients_normal"} {
		if m[name] <= 0 {
			t.Errorf("%s is %.0f", name, m[name])
		}
	}
	c.Must(t, "FLUSHALL")
	testutil.Eventually(t, 10*time.Second, "memory comes back", func() error {
		if m := figures(t, c, "memory"); m["used_memory_dataset"] > 1<<20 || m["used_memory_rss"] > before["used_memory_rss"]+16<<20 {
			return fmt.Errorf("dataset %.0f, resident %.0f of %.0f", m["used_memory_dataset"], m["used_memory_rss"], before["used_memory_rss"])
		}
		return nil
	})
	check("flushed")
}

// TestStatsCount: counters of INFO that commands move, compared with redis-server's.
func TestStatsCount(t *testing.T) {
	p := newPair(t, "--latency-tracking", "yes")
	for _, c := range []*testutil.Conn{p.redisCtl, p.oursCtl} {
		c.Must(t, "CONFIG", "RESETSTAT")
		c.Must(t, "SET", "k", "v")
		c.Must(t, "SET", "e", "v", "PX", "1")
		c.Must(t, "GET", "k")
		c.Must(t, "GET", "nokey")
		for _, bad := range [][]string{{"FOO"}, {"SET", "a"}, {"LPUSH", "k", "x"}, {"GET"}, {"EVAL", "return redis.error_reply('MY own')", "0"}} {
			if v, err := c.Do(bad...); err != nil || v.Err() == nil {
				t.Fatalf("%q: %v %v", bad, v, err)
			}
		}
		c.Must(t, "SUBSCRIBE", "x")
		c.Must(t, "UNSUBSCRIBE", "x")
		time.Sleep(20 * time.Millisecond)
		c.Must(t, "GET", "e")
		c.Must(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1")
		c.Must(t, "PING")
		c.Must(t, "CONFIG", "SET", "maxmemory", "0")
	}
	for _, section := range []string{"stats", "errorstats", "commandstats"} {
		r, err := p.redisCtl.Info(section)
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.oursCtl.Info(section)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"expired_keys", "evicted_keys", "evicted_clients", "keyspace_hits", "keyspace_misses", "total_error_replies", "unexpected_error_replies",
			"pubsub_channels", "tracking_clients", "sync_full", "total_forks", "rejected_connections",
		} {
			if r[name] != o[name] {
				t.Errorf("%s: redis %s, ours %s", name, r[name], o[name])
			}
		}
		if section == "stats" {
			continue
		}
		for name, rv := range r {
			rv, ov := withoutTimes(rv), withoutTimes(o[name])
			if rv != ov && !strings.HasPrefix(name, "cmdstat_info") {
				t.Errorf("%s: redis %q, ours %q", name, rv, ov)
			}
		}
	}
}

// withoutTimes takes the durations out of a line of commandstats.
func withoutTimes(s string) string {
	var kept []string
	for f := range strings.SplitSeq(s, ",") {
		if !strings.HasPrefix(f, "usec") {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, ",")
}

// TestPercentiles: a command of known duration is seen as such in latencystats and LATENCY HISTOGRAM.
func TestPercentiles(t *testing.T) {
	c := testutil.StartOurs(t).Dial(t)
	for range 9 {
		c.Must(t, "DEBUG", "SLEEP", "0.002")
	}
	c.Must(t, "DEBUG", "SLEEP", "0.03")
	info, err := c.Info("latencystats")
	if err != nil {
		t.Fatal(err)
	}
	var p50, p99, p999 float64
	if _, err := fmt.Sscanf(info["latency_percentiles_usec_debug"], "p50=%f,p99=%f,p99.9=%f", &p50, &p99, &p999); err != nil {
		t.Fatalf("%q: %v", info["latency_percentiles_usec_debug"], err)
	}
	if p50 < 2000 || p50 > 20_000 || p99 < 30_000 || p99 > 100_000 || p999 != p99 {
		t.Errorf("p50 %.0f, p99 %.0f, p99.9 %.0f", p50, p99, p999)
	}
}
