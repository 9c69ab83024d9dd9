package ops

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// site is one of ours with its HTTP server.
type site struct {
	*testutil.Server
	url string
}

var httpLine = regexp.MustCompile(`status page on (http://[0-9.:]+)/`)

func start(t *testing.T, args ...string) *site {
	t.Helper()
	s := &site{Server: testutil.StartOurs(t, append([]string{"--metrics-addr", "127.0.0.1:0"}, args...)...)}
	m := httpLine.FindStringSubmatch(s.Log())
	if m == nil {
		t.Fatalf("the log does not name the address of the HTTP server:\n%s", s.Log())
	}
	s.url = m[1]
	return s
}

// get answers status and body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	c := http.Client{Timeout: 20 * time.Second}
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// series reads the text format: values by name with labels.
func series(t *testing.T, text string) map[string]float64 {
	t.Helper()
	m := map[string]float64{}
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		line := sc.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(line[i+1:], 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			m[line[:i]] = v
		}
	}
	return m
}

func (s *site) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	status, body := get(t, s.url+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, body)
	}
	return series(t, body)
}

// ready expects an answer of /readyz, in time, and a reason that contains why.
func (s *site) ready(t *testing.T, want bool, why string) {
	t.Helper()
	testutil.Eventually(t, 20*time.Second, "/readyz", func() error {
		status, body := get(t, s.url+"/readyz")
		var r struct {
			Ready   bool
			Reasons []string
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return err
		}
		if r.Ready != want || (status == http.StatusOK) != want || !strings.Contains(strings.Join(r.Reasons, ";"), why) {
			return fmt.Errorf("%d %s; want ready %v, %q", status, body, want, why)
		}
		return nil
	})
}

func (s *site) healthy(t *testing.T) {
	t.Helper()
	if status, body := get(t, s.url+"/healthz"); status != http.StatusOK {
		t.Fatalf("/healthz: %d %s", status, body)
	}
}

// TestHealthAndReadiness follows a replica through its life.
func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	alone := start(t)
	alone.ready(t, true, "")
	alone.healthy(t)

	master := testutil.StartRedis(t)
	link := testutil.NewProxy(t, master.Addr())
	link.Refuse(true)
	s := start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(link.Port()), "--ready-max-lag-ms", "1500", "--replica-lag-probe", "50")
	s.healthy(t)
	s.ready(t, false, "no dataset")
	if m := s.metrics(t); m["redis_replica_ready"] != 0 || m["redis_replica_link_up"] != 0 || m["redis_replica_synced"] != 0 {
		t.Errorf("metrics of a replica without a master: ready %v, link up %v, synced %v", m["redis_replica_ready"], m["redis_replica_link_up"], m["redis_replica_synced"])
	}
	link.Refuse(false)
	s.ready(t, true, "")
	m := s.metrics(t)
	for name, want := range map[string]float64{
		"redis_replica_ready": 1, "redis_replica_link_up": 1, "redis_replica_synced": 1, "redis_replica_full_syncs_total": 1,
		`redis_replica_link_state{state="connected"}`: 1, `redis_replica_link_state{state="connect"}`: 0,
		"redis_replica_full_sync_duration_seconds_count": 1,
	} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	if d := m["redis_replica_last_full_sync_duration_seconds"]; d <= 0 || d != m["redis_replica_full_sync_duration_seconds_sum"] {
		t.Errorf("the sync took %v s, in all %v", d, m["redis_replica_full_sync_duration_seconds_sum"])
	}
	// The master is away: the process lives, the data gets too old.
	master.Kill()
	s.ready(t, false, "ready-max-lag-ms")
	s.healthy(t)
	// The bound can be moved while the server runs.
	s.Dial(t).Must(t, "CONFIG", "SET", "ready-max-lag-ms", "0")
	s.ready(t, true, "")
}

// TestPermissions: pages for this machine alone, and profiles for nobody, unless a directive says otherwise.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := func(path, host string) int {
		req, err := http.NewRequest("GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	c := s.Dial(t)
	for _, step := range []struct {
		set        []string
		path, host string
		want       int
	}{
		{nil, "/", "127.0.0.1:9121", 200},
		{nil, "/", "localhost", 200},
		{nil, "/", "[::1]:1", 200},
		{nil, "/", "rebound.example", 403},
		{nil, "/status.json", "rebound.example", 403},
		{nil, "/metrics", "rebound.example", 200},
		{nil, "/healthz", "10.0.0.1:9121", 200},
		{nil, "/debug/pprof/", "localhost", 403},
		{[]string{"metrics-pprof", "local"}, "/debug/pprof/heap", "localhost", 200},
		{nil, "/debug/pprof/", "rebound.example", 403},
		{nil, "/debug/pprof/cmdline", "localhost", 403},
		{[]string{"status-page", "yes"}, "/", "any.example", 200},
		{[]string{"status-page", "no"}, "/status.json", "localhost", 403},
		{nil, "/nothing", "localhost", 404},
	} {
		if step.set != nil {
			c.Must(t, "CONFIG", "SET", step.set[0], step.set[1])
		}
		if got := ask(step.path, step.host); got != step.want {
			t.Errorf("%v, then %s with Host %s: %d, want %d", step.set, step.path, step.host, got, step.want)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// slack says by how much a value of the exporter may lie outside of ours before and after it.
func slack(name string, v float64) float64 {
	switch {
	case strings.Contains(name, "memory"), strings.Contains(name, "_mem_"), strings.Contains(name, "allocator"):
		return v/5 + 2<<20 // the exporter's connection, and garbage, come and go
	case name == "redis_connected_clients":
		return 1 // the exporter
	case strings.Contains(name, "avg_ttl"):
		return 2
	case strings.Contains(name, "last_io_seconds"), strings.Contains(name, "uptime"):
		return 1
	}
	return math.Abs(v)*1e-9 + 1e-6*truth(strings.Contains(name, "seconds")) // it reads microseconds
}

// TestExporterAgrees: what prometheus-redis-exporter says of a server is what the server says itself, under the same name.
func TestExporterAgrees(t *testing.T) {
	t.Parallel()
	master := testutil.StartRedis(t)
	mc := master.Dial(t)
	s := start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port), "--slowlog-log-slower-than", "0")
	for i := range 200 {
		key := "key:" + strconv.Itoa(i)
		mc.Must(t, "SET", key, strings.Repeat("v", i))
		if i%3 == 0 {
			mc.Must(t, "EXPIRE", key, "1000")
		}
	}
	mc.Must(t, "SELECT", "3")
	mc.Must(t, "HSET", "h", "f", "v")
	c := s.Dial(t)
	testutil.EventuallySame(t, 20*time.Second, master.Dial(t), c)
	c.Must(t, "GET", "key:1")
	c.Must(t, "GET", "nokey")
	c.Do("NOSUCHCOMMAND")
	c.Do("LPUSH", "key:1", "x")
	c.Must(t, "CONFIG", "SET", "slowlog-log-slower-than", "-1") // the exporter's own commands do not count
	c.Must(t, "PSUBSCRIBE", "news.*")

	before := s.metrics(t)
	theirs := exporter(t, s.Addr())
	after := s.metrics(t)
	common, wrong := 0, 0
	families := map[string]bool{}
	for name, v := range theirs {
		base, _, _ := strings.Cut(name, "{")
		if !strings.HasPrefix(name, "redis_") {
			continue // the Go runtime and the process: the exporter's own
		}
		a, ok := before[name]
		b, ok2 := after[name]
		if !ok || !ok2 {
			continue
		}
		common++
		families[base] = true
		lo, hi := min(a, b), max(a, b)
		if d := slack(base, hi); v < lo-d || v > hi+d {
			wrong++
			t.Errorf("%s: the exporter says %v, we %v before and %v after", name, v, a, b)
		}
	}
	if len(families) < 55 || common < 90 {
		t.Errorf("only %d names and %d series in common", len(families), common)
	}
	for _, must := range []string{
		`redis_db_keys{db="db0"}`, `redis_db_keys{db="db3"}`, `redis_db_keys_expiring{db="db0"}`, `redis_commands_total{cmd="get"}`,
		`redis_errors_total{err="ERR"}`, `redis_errors_total{err="READONLY"}`,
		fmt.Sprintf(`redis_master_link_up{master_host="127.0.0.1",master_port="%d"}`, master.Port),
		fmt.Sprintf(`redis_master_last_io_seconds_ago{master_host="127.0.0.1",master_port="%d"}`, master.Port),
		"redis_keyspace_hits_total", "redis_memory_used_bytes", "redis_slowlog_length", "redis_pubsub_patterns",
	} {
		_, ours := after[must]
		_, its := theirs[must]
		if !ours || !its && !strings.Contains(must, "errors") { // the Debian exporter is older than that name
			t.Errorf("%s: ours has it: %v, the exporter: %v", must, ours, its)
		}
	}
	if after[`redis_db_keys{db="db0"}`] != 200 || after[`redis_db_keys{db="db3"}`] != 1 || after["redis_pubsub_patterns"] != 1 {
		t.Errorf("db0 %v, db3 %v, patterns %v", after[`redis_db_keys{db="db0"}`], after[`redis_db_keys{db="db3"}`], after["redis_pubsub_patterns"])
	}
	t.Logf("%d series of %d names agree", common-wrong, len(families))
}

// exporter runs prometheus-redis-exporter against a server once.
func exporter(t *testing.T, server string) map[string]float64 {
	t.Helper()
	path, err := exec.LookPath("prometheus-redis-exporter")
	if err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	port, err := testutil.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.CommandContext(ctx, path, "-redis.addr", "redis://"+server, "-web.listen-address", addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); cmd.Wait() }()
	var m map[string]float64
	testutil.Eventually(t, 20*time.Second, "the exporter answers", func() error {
		res, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if m = series(t, string(body)); m["redis_up"] != 1 {
			return errors.New("redis_up is not 1")
		}
		return nil
	})
	return m
}

// TestMetricsFormat holds the exposition against Prometheus's own rules: every name has help and type, counters end in
// _total, histograms grow and end at their count, and no value is missing.
func TestMetricsFormat(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.Dial(t)
	for range 50 {
		c.Must(t, "SET", "a", "b")
		c.Must(t, "GET", "a")
	}
	_, body := get(t, s.url+"/metrics")
	help, kinds := map[string]bool{}, map[string]string{}
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			help[f[2]] = len(f) > 4
		case strings.HasPrefix(line, "# TYPE "):
			kinds[f[2]] = f[3]
		}
	}
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !help[name] {
			t.Errorf("%s has no help", name)
		}
		if name == "redis_total_error_replies" {
			continue // the exporter's name
		}
		if strings.HasPrefix(name, "redis_") && (kinds[name] == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, kinds[name])
		}
	}
	m := series(t, body)
	for _, h := range []struct{ name, labels string }{
		{"redis_replica_command_duration_seconds", `cmd="get"`}, {"redis_replica_loop_turn_duration_seconds", ""},
	} {
		count := m[h.name+"_count"]
		if h.labels != "" {
			count = m[h.name+"_count{"+h.labels+"}"]
		}
		if count < 50 {
			t.Errorf("%s{%s} counts %v", h.name, h.labels, count)
		}
		last, buckets := 0.0, 0
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, h.name+"_bucket{"+h.labels) {
				v := m[line[:strings.LastIndexByte(line, ' ')]]
				if v < last {
					t.Errorf("%s falls to %v behind %v", strings.TrimSpace(line), v, last)
				}
				last = v
				buckets++
			}
		}
		if last != count || buckets < 10 {
			t.Errorf("%s{%s}: the last of %d buckets has %v, the count is %v", h.name, h.labels, buckets, last, count)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "redis_replica_memory_bytes{part=\"records\"}", "redis_replica_go_heap_live_bytes"} {
		if m[name] <= 0 {
			t.Errorf("%s is %v", name, m[name])
		}
	}
	found := false
	for name := range m {
		found = found || strings.HasPrefix(name, "go_gc_pauses_seconds_bucket") || strings.HasPrefix(name, "go_sched_pauses_total_gc_seconds_bucket")
	}
	if !found {
		t.Error("no histogram of the collector's pauses")
	}
}
