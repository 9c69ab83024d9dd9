package ops

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func deployFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// load reads a command line, without the files that it names.
func load(t *testing.T, args []string) *config.Values {
	t.Helper()
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	for i := range args {
		if i > 0 && args[i-1] == "--dir" {
			args[i] = t.TempDir()
		}
	}
	r := config.New()
	if err := r.LoadArgs(args, config.Environment{}); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return r.Values
}

// metricNames are those that a server exports, as a replica that has been used, with the suffixes of histograms.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	master := testutil.StartRedis(t)
	s := start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port))
	s.ready(t, true, "")
	c := s.Dial(t)
	c.Do("NOSUCHCOMMAND")
	c.Must(t, "GET", "x")
	names := map[string]bool{}
	for name := range s.metrics(t) {
		name, _, _ = strings.Cut(name, "{")
		names[name] = true
	}
	return names
}

var metricName = regexp.MustCompile(`\b(?:redis|go|process)_[a-z0-9_]+`)

// TestDashboardAndAlerts: each query and each rule asks for metrics that there are.
func TestDashboardAndAlerts(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, RefID string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(deployFile(t, "grafana/dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	names := metricNames(t)
	asked := 0
	check := func(where, expr string) {
		found := metricName.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s: %q asks for no metric", where, expr)
		}
		for _, n := range found {
			asked++
			if !names[n] {
				t.Errorf("%s: there is no metric %s", where, n)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: %q is not balanced", where, expr)
		}
	}
	ids := map[int]bool{}
	for i, p := range dashboard.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: id %d twice, or wider than the grid", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, q := range dashboard.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q overlap", p.Title, q.Title)
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Name != "datasource" {
			check("variable "+v.Name, v.Query)
		}
	}
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict(stripLabels(deployFile(t, "grafana/alerts.yaml")), &alerts); err != nil {
		t.Fatal(err)
	}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			check("alert "+r.Alert, r.Expr)
			if r.Annotations["summary"] == "" {
				t.Errorf("alert %s says nothing", r.Alert)
			}
		}
	}
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile("`redis_[a-z_]+").FindAllString(string(guide), -1) {
		if name := line[1:]; !names[name] && !names[name+"_count"] {
			t.Errorf("docs/operations.md: there is no metric %s", name)
		}
	}
	if asked < 60 || len(alerts.Groups) == 0 {
		t.Errorf("only %d metrics are asked for", asked)
	}
}

// stripLabels takes out what the strict reading of the test has no field for.
func stripLabels(text []byte) []byte {
	return regexp.MustCompile(`(?m)^ +(labels|for): .*\n|^  - name: .*\n    rules:|^groups:`).ReplaceAllFunc(text, func(m []byte) []byte {
		switch {
		case bytes.HasPrefix(m, []byte("groups")):
			return m
		case bytes.Contains(m, []byte("rules:")):
			return []byte("  - rules:")
		}
		return nil
	})
}

// TestSystemdUnit: the unit's command line is one that the server takes, and it expects the notification that the server sends.
func TestSystemdUnit(t *testing.T) {
	unit := map[string][]string{}
	section := ""
	sc := bufio.NewScanner(bytes.NewReader(deployFile(t, "systemd/redis-inmemory-replica.service")))
	for sc.Scan() {
		line := sc.Text()
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case !ok || section == "":
			t.Errorf("%q is no setting", line)
		default:
			unit[section+"."+key] = append(unit[section+"."+key], value)
		}
	}
	one := func(key string) string {
		if v := unit[key]; len(v) == 1 {
			return v[0]
		}
		t.Errorf("%s: %q", key, unit[key])
		return ""
	}
	v := load(t, strings.Fields(one("Service.ExecStart"))[1:])
	if one("Service.Type") != "notify" || v.Supervised != config.SupervisedSystemd || v.Daemonize {
		t.Errorf("type %q, supervised %v, daemonize %v", one("Service.Type"), v.Supervised, v.Daemonize)
	}
	if one("Service.NoNewPrivileges") != "yes" || one("Service.DynamicUser") != "yes" || one("Install.WantedBy") == "" {
		t.Error("the unit runs with more rights than it needs, or cannot be enabled")
	}
	if path, err := exec.LookPath("systemd-analyze"); err == nil {
		if out, err := exec.Command(path, "verify", "--man=no", filepath.Join("..", "..", "deploy", "systemd", "redis-inmemory-replica.service")).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("not executable")) {
			t.Errorf("systemd-analyze: %v\n%s", err, out)
		}
	}
}

// TestDockerfile: the image runs as nobody, is asked for its health by itself, and starts with a command line that the server takes.
func TestDockerfile(t *testing.T) {
	lines := map[string][]string{}
	text := strings.ReplaceAll(string(deployFile(t, "docker/Dockerfile")), "\\\n", " ")
	for line := range strings.Lines(text) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && word != "#" {
			lines[word] = append(lines[word], rest)
		}
	}
	list := func(s string) (words []string) {
		t.Helper()
		i := strings.IndexByte(s, '[')
		if i < 0 {
			t.Fatalf("%q has no list", s)
		}
		if err := json.Unmarshal([]byte(s[i:]), &words); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		return words
	}
	if len(lines["FROM"]) != 2 || len(lines["USER"]) != 1 || strings.HasPrefix(lines["USER"][0], "0") || lines["USER"][0] == "root" {
		t.Errorf("stages %q, user %q", lines["FROM"], lines["USER"])
	}
	v := load(t, list(lines["ENTRYPOINT"][0])[1:])
	if v.Port != 6380 || v.MetricsAddr != "0.0.0.0:9121" || !slices.Equal(v.Bind, []string{"*", "-::*"}) || v.LogFormat != config.LogJSON {
		t.Errorf("port %d, metrics %s, bind %q", v.Port, v.MetricsAddr, v.Bind)
	}
	if !slices.Equal(strings.Fields(lines["EXPOSE"][0]), []string{"6380", "9121"}) {
		t.Errorf("exposed %q", lines["EXPOSE"])
	}
	if !strings.Contains(strings.Join(lines["RUN"], ";"), "CGO_ENABLED=0") {
		t.Error("the program would need a C library, which the image does not have")
	}
	// The health check, as the image runs it.
	health := list(lines["HEALTHCHECK"][0])
	path, err := testutil.OursBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	if len(health) != 3 || health[2] != "http://127.0.0.1:9121/healthz" {
		t.Fatalf("health check %q", health)
	}
	if out, err := exec.Command(path, health[1], s.url+"/healthz").CombinedOutput(); err != nil {
		t.Errorf("a healthy server: %v\n%s", err, out)
	}
	s.Kill()
	if out, err := exec.Command(path, health[1], s.url+"/healthz").CombinedOutput(); err == nil || len(out) == 0 {
		t.Errorf("a server that is gone: %v, %q", err, out)
	}
}

type probe struct {
	HTTPGet struct {
		Path string
		Port string
	} `yaml:"httpGet"`
	TimeoutSeconds int `yaml:"timeoutSeconds"`
}

type container struct {
	Name          string
	Command, Args []string
	Ports         []struct {
		Name          string
		ContainerPort string `yaml:"containerPort"`
	}
	StartupProbe   *probe `yaml:"startupProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	ReadinessProbe *probe `yaml:"readinessProbe"`
	Resources      struct{ Requests, Limits map[string]string }
	Security       struct {
		ReadOnly bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
}

type podSpec struct {
	Containers     []container
	InitContainers []container `yaml:"initContainers"`
	Security       struct {
		NonRoot bool `yaml:"runAsNonRoot"`
	} `yaml:"securityContext"`
}

type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string
	Spec       struct {
		podSpec  `yaml:",inline"`
		Template struct{ Spec podSpec }
	}
}

// TestManifests: what Kubernetes is told is what the server does: command lines, ports, pages of the probes.
func TestManifests(t *testing.T) {
	seen := map[string]int{}
	for _, file := range []string{"kubernetes/replica.yaml", "kubernetes/sidecar.yaml"} {
		dec := yaml.NewDecoder(bytes.NewReader(deployFile(t, file)))
		for {
			var m manifest
			err := dec.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			seen[m.Kind]++
			if m.APIVersion == "" || m.Metadata.Name == "" {
				t.Errorf("%s: %s without version or name", file, m.Kind)
			}
			for name, text := range m.Data {
				r := config.New()
				if err := r.LoadLines(name, []byte(text)); err != nil {
					t.Errorf("%s: %s: %v", file, name, err)
				}
				if r.Values.MetricsAddr != "0.0.0.0:9121" || r.Values.ReadyMaxLag != 5000 {
					t.Errorf("%s: %s: metrics-addr %q", file, name, r.Values.MetricsAddr)
				}
			}
			pod := m.Spec.Template.Spec
			if m.Kind == "Pod" {
				pod = m.Spec.podSpec
			}
			for _, c := range append(pod.Containers, pod.InitContainers...) {
				if len(c.Command) == 0 {
					continue // somebody else's image
				}
				seen["server"]++
				where := file + ": " + c.Name
				v := load(t, c.Args)
				if !pod.Security.NonRoot || !c.Security.ReadOnly || c.Resources.Limits["memory"] == "" || c.Resources.Requests["memory"] == "" {
					t.Errorf("%s: runs as root, or without limits: %+v", where, c)
				}
				if v.MetricsAddr != "" && v.MetricsAddr != "0.0.0.0:9121" {
					t.Errorf("%s: metrics-addr %s: the kubelet asks from outside", where, v.MetricsAddr)
				}
				ports := map[string]string{}
				for _, p := range c.Ports {
					ports[p.Name] = p.ContainerPort
				}
				for path, p := range map[string]*probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe, "": c.StartupProbe} {
					if p == nil {
						continue
					}
					seen["probe"]++
					if path != "" && p.HTTPGet.Path != path || p.HTTPGet.Path != "/healthz" && p.HTTPGet.Path != "/readyz" || ports[p.HTTPGet.Port] != "9121" {
						t.Errorf("%s: a probe asks %s of port %q", where, p.HTTPGet.Path, p.HTTPGet.Port)
					}
				}
				if c.LivenessProbe == nil || c.LivenessProbe.TimeoutSeconds < 6 {
					t.Errorf("%s: the liveness probe gives up before the server does", where)
				}
			}
		}
	}
	if seen["Deployment"] != 1 || seen["Service"] != 1 || seen["ConfigMap"] != 1 || seen["Pod"] != 1 || seen["server"] != 2 || seen["probe"] != 5 {
		t.Errorf("%v", seen)
	}
}
