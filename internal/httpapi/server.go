package httpapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// Source is where figures come from. Its methods are called from any goroutine; they wait for the loop until the
// context is done.
type Source interface {
	// Figures measures, with that many entries of the slow log and of the list of clients.
	Figures(ctx context.Context, slow, clients int) (*commands.Figures, error)
	// Alive returns nil once the loop has answered.
	Alive(ctx context.Context) error
}

// Settings are the directives that may change while the server runs.
type Settings struct {
	Page, Pprof Permission
	MaxLag      time.Duration // of /readyz; 0 for any
	MaxLagBytes int64         // the same
}

// Permission says who gets a page.
type Permission = config.Permission

const (
	// patience is how long the loop may take to answer before a request fails, and /healthz says no.
	patience = 5 * time.Second
	// maxConns are served at one time; others wait in the listener's queue.
	maxConns = 64
	// What the status page shows at most.
	pageSlow, pageClients = 32, 100
)

// Server is the HTTP server. Its methods may be called from any goroutine.
type Server struct {
	src      Source
	settings atomic.Pointer[Settings]
	ln       net.Listener
	http     *http.Server
	done     chan struct{}
}

// Listen opens the server's address, host:port; Start serves it.
func Listen(addr string, src Source, s Settings, logf func(format string, args ...any)) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics-addr: %w", err)
	}
	srv := &Server{src: src, ln: &limitedListener{Listener: ln, room: make(chan struct{}, maxConns)}, done: make(chan struct{})}
	srv.settings.Store(&s)
	srv.http = &http.Server{
		Handler:           srv.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      5 * time.Minute, // a profile may be asked to take long
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(lineWriter(logf), "", 0),
	}
	return srv, nil
}

// lineWriter passes the lines of a log.Logger on.
type lineWriter func(format string, args ...any)

func (w lineWriter) Write(p []byte) (int, error) {
	w("metrics-addr: %s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Set puts other settings in force.
func (s *Server) Set(n Settings) { s.settings.Store(&n) }

// Start serves until Close, on goroutines of its own.
func (s *Server) Start() {
	go func() {
		defer close(s.done)
		_ = s.http.Serve(s.ln) // always returns an error, ErrServerClosed after Close
	}()
}

// Close ends the server: requests that are being answered have a second to end. It does nothing for the second time, and
// may be called without Start.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	_ = s.ln.Close()
}

// Handler answers the requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metricsHandler())
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	page := func(set *Settings) Permission { return set.Page }
	mux.Handle("GET /{$}", s.guarded("status-page", page, s.page))
	mux.Handle("GET /status.json", s.guarded("status-page", page, s.statusJSON))
	profile := func(set *Settings) Permission { return set.Pprof }
	for path, h := range map[string]http.HandlerFunc{
		"": pprof.Index, "cmdline": s.noCommandLine, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
	} {
		mux.Handle("GET /debug/pprof/"+path, s.guarded("metrics-pprof", profile, h))
	}
	return mux
}

// noCommandLine stands for the profile that would show passwords given on the command line.
func (s *Server) noCommandLine(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not shown: the command line may hold passwords", http.StatusForbidden)
}

// guarded lets those through whom the directive permits.
func (s *Server) guarded(directive string, permission func(*Settings) Permission, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := permission(s.settings.Load())
		if !p.Allows(local(r)) {
			http.Error(w, "not permitted by the directive "+directive, http.StatusForbidden)
			return
		}
		h(w, r)
	})
}

// local tells whether a request comes from this machine and means it: a name in the Host field that is not this machine's
// is how a web page elsewhere would use a browser here to read ours (DNS rebinding).
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// healthz says whether the process works: the loop answers.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if err := s.src.Alive(ctx); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "the event loop does not answer: %v\n", err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Readiness is whether the data may be served, and why not.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

// Judge tells whether a server with these figures is ready, by the settings.
func Judge(f *commands.Figures, s *Settings) Readiness {
	var why []string
	say := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	lag := f.Freshness
	switch {
	case f.Loading:
		say("there is no dataset yet: it is being loaded")
	case !f.Following:
	case !f.Link.Synced:
		say("no dataset of the master has arrived yet")
	default:
		if age := time.Duration(lag.StalenessMillis) * time.Millisecond; s.MaxLag > 0 && (lag.StalenessMillis < 0 || age > s.MaxLag) {
			if lag.StalenessMillis < 0 {
				say("the data is not known to have been the master's at any time")
			} else {
				say("the data was last known to be the master's %v ago, ready-max-lag-ms allows %v", age.Round(time.Millisecond), s.MaxLag)
			}
		}
		if s.MaxLagBytes > 0 && lag.LagBytes > s.MaxLagBytes {
			say("%d bytes of the master's stream are not applied, ready-max-lag-bytes allows %d", lag.LagBytes, s.MaxLagBytes)
		}
	}
	return Readiness{Ready: len(why) == 0, Reasons: why}
}

// readyz says whether the data may be served.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var ready Readiness
	if f, err := s.src.Figures(ctx, 0, 0); err != nil {
		ready.Reasons = []string{"the event loop does not answer: " + err.Error()}
	} else {
		ready = Judge(f, s.settings.Load())
	}
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, ready)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer may be gone
}

//go:embed page.html
var pageHTML []byte

// page answers the status page. Its policy lets a browser load nothing from elsewhere, and nobody frame it.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(pageHTML)
}

// statusJSON answers what the page shows.
func (s *Server) statusJSON(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	f, err := s.src.Figures(ctx, pageSlow, pageClients)
	if err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, statusOf(f, s.settings.Load()))
}

// limitedListener serves so many connections at one time.
type limitedListener struct {
	net.Listener
	room chan struct{}
}

type limitedConn struct {
	net.Conn
	once sync.Once
	room chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &limitedConn{Conn: c, room: l.room}, nil
}

func (c *limitedConn) Close() error {
	c.once.Do(func() { <-c.room })
	return c.Conn.Close()
}

// ErrStopped is what a Source answers when its loop has ended.
var ErrStopped = errors.New("the server has stopped")
