package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestRedisBenchmark runs all default tests of redis-benchmark against the writable server, and those that read against the replica.
func TestRedisBenchmark(t *testing.T) {
	t.Parallel()
	bench := func(t *testing.T, s *testutil.Server, args ...string) []string {
		t.Helper()
		out, err := run(t, 40*time.Second, "", need(t, "redis-benchmark"), append([]string{"-p", fmt.Sprint(s.Port), "-q", "--csv"}, args...)...)
		if err != nil {
			t.Fatalf("redis-benchmark %q: %v\n%s", args, err, out)
		}
		var tests []string
		for line := range strings.Lines(out) {
			fields := strings.Split(strings.TrimSpace(line), ",")
			if len(fields) < 8 || fields[0] == `"test"` {
				if !strings.HasPrefix(line, `"test"`) && strings.TrimSpace(line) != "" {
					t.Errorf("redis-benchmark %q says %q", args, line)
				}
				continue
			}
			rps, err := strconv.ParseFloat(strings.Trim(fields[1], `"`), 64)
			if err != nil || rps <= 0 {
				t.Errorf("%s: %s requests a second", fields[0], fields[1])
			}
			tests = append(tests, strings.Trim(fields[0], `"`))
		}
		return tests
	}
	redis, ours := testutil.StartRedis(t), testutil.StartOurs(t)
	want := bench(t, redis, "-n", "500")
	for _, more := range [][]string{nil, {"-P", "16"}, {"-3"}, {"-r", "1000", "--threads", "2"}} {
		got := bench(t, ours, append([]string{"-n", "500"}, more...)...)
		if !slices.Equal(got, want) {
			t.Errorf("%q: the tests are %q, with redis-server %q", more, got, want)
		}
	}
	s := replicaSite(t)
	bench(t, s.write, "-n", "500", "-t", "set,lpush,hset")
	bench(t, s.read, "-n", "2000", "-t", "ping,get")
	bench(t, s.read, "-n", "1000", "lrange", "mylist", "0", "10")
	s.settle(t)
}

// metrics runs prometheus-redis-exporter against a server and returns what it exports, by name.
func metrics(t *testing.T, s *testutil.Server) map[string]float64 {
	t.Helper()
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.CommandContext(ctx, need(t, "prometheus-redis-exporter"), "-redis.addr", "redis://"+s.Addr(), "-web.listen-address", addr)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	done := make(chan bool)
	go func() {
		io.Copy(&log, stderr)
		close(done)
	}()
	m := map[string]float64{}
	testutil.Eventually(t, 10*time.Second, "the exporter answers", func() error {
		res, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		for sc := bufio.NewScanner(res.Body); sc.Scan(); {
			name, value, ok := strings.Cut(sc.Text(), " ")
			if i := strings.LastIndexByte(sc.Text(), ' '); ok && i > 0 && !strings.HasPrefix(name, "#") {
				name, value = sc.Text()[:i], sc.Text()[i+1:]
				if v, err := strconv.ParseFloat(value, 64); err == nil {
					m[name] = v
				}
			}
		}
		if m["redis_up"] != 1 {
			return errors.New("redis_up is not 1")
		}
		return nil
	})
	cancel()
	<-done
	cmd.Wait()
	if strings.Contains(log.String(), "level=error") || strings.Contains(log.String(), "level=warn") {
		t.Errorf("the exporter complains:\n%s", log.String())
	}
	return m
}

// TestExporter: whoever watches redis-server with Prometheus finds the same metrics here.
func TestExporter(t *testing.T) {
	t.Parallel()
	families := func(m map[string]float64) map[string]bool {
		set := map[string]bool{}
		for name := range m {
			name, _, _ = strings.Cut(name, "{")
			set[name] = true
		}
		return set
	}
	plain := testutil.StartRedis(t)
	reference := &site{"redis-server", plain, plain}
	refMaster, refReplica := testutil.StartRedis(t), testutil.StartRedis(t)
	refReplica.Dial(t).Must(t, "REPLICAOF", "127.0.0.1", fmt.Sprint(refMaster.Port))
	referenceReplica := &site{"redis-server as a replica", refMaster, refReplica}
	ours := sites(t)
	for i, s := range ours {
		ref := []*site{reference, referenceReplica}[i]
		for _, x := range []*site{s, ref} {
			c := x.write.Dial(t)
			c.Must(t, "SET", "k", "v")
			c.Must(t, "SET", "e", "v", "EX", "1000")
			x.settle(t)
		}
		want, got := metrics(t, ref.read), metrics(t, s.read)
		have := families(got)
		for name := range families(want) {
			if !have[name] {
				t.Errorf("%s: %s is missing", s.name, name)
			}
		}
		for name, v := range map[string]float64{`redis_db_keys{db="db0"}`: 2, `redis_db_keys_expiring{db="db0"}`: 1} {
			if got[name] != v {
				t.Errorf("%s: %s is %v", s.name, name, got[name])
			}
		}
		if s.replica() && (got["redis_master_link_up"] != want["redis_master_link_up"] || len(got) < 100) {
			t.Errorf("redis_master_link_up %v, %d metrics", got["redis_master_link_up"], len(got))
		}
		if got["redis_memory_used_bytes"] <= 0 || got["redis_memory_used_rss_bytes"] < got["redis_memory_used_bytes"] || got["redis_connected_clients"] < 1 {
			t.Errorf("%s: memory %v of %v, %v clients", s.name, got["redis_memory_used_bytes"], got["redis_memory_used_rss_bytes"], got["redis_connected_clients"])
		}
	}
}
