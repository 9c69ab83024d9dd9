package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// fakeSource answers what a test says.
type fakeSource struct {
	f   *commands.Figures
	err error
}

func (s *fakeSource) Figures(context.Context, int, int) (*commands.Figures, error) { return s.f, s.err }
func (s *fakeSource) Alive(context.Context) error                                  { return s.err }

func serve(t *testing.T, src Source) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", src, Settings{Page: config.PermitLocal, MaxLag: time.Second}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *Server, path string) (int, string, http.Header) {
	t.Helper()
	res, err := http.Get("http://" + s.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// TestLoopThatDoesNotAnswer: every page says so, with a status that monitors understand.
func TestLoopThatDoesNotAnswer(t *testing.T) {
	s := serve(t, &fakeSource{err: errors.New("stuck since noon")})
	for path, want := range map[string]int{"/healthz": 503, "/readyz": 503, "/status.json": 503, "/metrics": 500, "/": 200} {
		status, body, _ := get(t, s, path)
		if status != want || path != "/" && !strings.Contains(body, "stuck since noon") {
			t.Errorf("%s: %d %q, want %d", path, status, body, want)
		}
	}
}

func TestJudge(t *testing.T) {
	synced := commands.LinkInfo{Configured: true, Up: true, Synced: true}
	fresh := commands.Freshness{StalenessMillis: 100}
	set := &Settings{MaxLag: time.Second, MaxLagBytes: 1000}
	for _, c := range []struct {
		name string
		f    commands.Figures
		set  *Settings
		why  string // "" for ready
	}{
		{"no master", commands.Figures{}, set, ""},
		{"loading a file", commands.Figures{Loading: true}, set, "being loaded"},
		{"never synced", commands.Figures{Following: true}, set, "no dataset of the master"},
		{"in step", commands.Figures{Following: true, Link: synced, Freshness: fresh}, set, ""},
		{"link down for a moment", commands.Figures{Following: true, Link: commands.LinkInfo{Synced: true}, Freshness: fresh}, set, ""},
		{"old", commands.Figures{Following: true, Link: synced, Freshness: commands.Freshness{StalenessMillis: 1001}}, set, "ready-max-lag-ms allows 1s"},
		{"age unknown", commands.Figures{Following: true, Link: synced, Freshness: commands.Freshness{StalenessMillis: -1}}, set, "at any time"},
		{"far behind", commands.Figures{Following: true, Link: synced, Freshness: commands.Freshness{LagBytes: 1001}}, set, "ready-max-lag-bytes allows 1000"},
		{"old, but nobody minds", commands.Figures{Following: true, Link: synced, Freshness: commands.Freshness{StalenessMillis: -1, LagBytes: 1 << 40}}, &Settings{}, ""},
	} {
		got := Judge(&c.f, c.set)
		if got.Ready != (c.why == "") || !strings.Contains(strings.Join(got.Reasons, ";"), c.why) {
			t.Errorf("%s: %+v, want %q", c.name, got, c.why)
		}
	}
}

// TestHostileTexts: what clients made up stays text in every form in which it leaves.
func TestHostileTexts(t *testing.T) {
	evil := "</script><img src=x onerror=alert(1)>\"\n\xff"
	f := &commands.Figures{
		SlowLog:    []commands.SlowFigures{{Args: []string{evil}, Addr: evil, Client: evil}},
		ClientList: []commands.ClientFigures{{Name: evil, Library: evil, User: evil}},
		Errors:     []commands.ErrorFigures{{Code: evil, Count: 1}},
		Link:       commands.LinkInfo{LastError: evil}, Following: true,
	}
	s := serve(t, &fakeSource{f: f})
	status, body, h := get(t, s, "/status.json")
	if status != 200 || strings.Contains(body, "<") || h.Get("Content-Type") != "application/json" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("/status.json: %d %v %s", status, h, body)
	}
	status, body, _ = get(t, s, "/metrics")
	if want := `redis_errors_total{err="</script><img src=x onerror=alert(1)>\"\n` + "\uFFFD" + `"} 1`; status != 200 || !strings.Contains(body, want) {
		t.Errorf("/metrics: %d, without %s", status, want)
	}
	_, page, h := get(t, s, "/")
	if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("no policy: %v", h)
	}
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http://", "https://", "@import", "url("} {
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), word) {
			t.Errorf("the page contains %s: texts go in by textContent, and nothing is loaded from elsewhere", word)
		}
	}
}

func TestMemoryPartsAddUp(t *testing.T) {
	m := &commands.MemoryFigures{Used: 1000, Dataset: 300, Tables: 200, Expires: 50, ClientsNormal: 20, ClientsReplicas: 10, Backlog: 5, Scripts: 4, Tracking: 1}
	sum, other := int64(0), int64(0)
	parts(m, func(name string, n int64) {
		sum += n
		if name == "other" {
			other = n
		}
	})
	if sum != 1000 || other != 410 {
		t.Errorf("sum %d, other %d", sum, other)
	}
}

// TestCloseEndsEverything: an open connection does not hold the end up, and the port is free again.
func TestCloseEndsEverything(t *testing.T) {
	s := serve(t, &fakeSource{f: &commands.Figures{}})
	get(t, s, "/healthz") // leaves a connection open
	s.Close()
	again, err := Listen(s.Addr().String(), &fakeSource{}, Settings{}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/metrics", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d", rec.Code)
	}
}
