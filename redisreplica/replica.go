// Package redisreplica is the embeddable replica and the composition root of
// the server: it wires the event loop, the command layer, the keyspace and the
// link to the master together. A Replica is the only type of the project that
// may be used from any goroutine; so may what it hands out, but for a Tx.
//
// For a program that embeds it: New makes a replica of the master of
// WithMaster, or a writable server without one; Start begins and returns at
// once; WaitForSync waits for the first dataset; Close ends all of it. New
// opens no port without WithReplicaAddr, no file and no log unless told to, and
// installs no signal handler. Several replicas live side by side in a process.
//
// The data are reached in three ways:
//   - Storage: methods that return copies, from any goroutine;
//   - Storage.View: several reads of one moment, without copies of strings, while
//     the server stands still: microseconds, not milliseconds;
//   - OnChange: a function that is told of each change, in order, on a goroutine
//     of its own, which the server never waits for.
//
// Errors are compared with errors.Is (ErrNoSuchKey, ErrReadOnly, ErrClosed …);
// a ServerError has the text that a client would get. Any directive of
// redis.conf is set by WithConfig. docs/embedding.md tells more, and examples/
// has a program for each use.
package redisreplica

import (
	"context"
	crand "crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/eventloop"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/httpapi"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/redirect"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/service"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/sysinfo"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/tlsio"
	"github.com/raniellyferreira/redis-inmemory-replica/replproto"
)

// Version of the program.
const Version = "0.1.0"

// Replica is one server: it follows a master, holds its data and serves it.
type Replica struct {
	conf *config.Registry
	v    *config.Values
	log  *logging.Logger
	loop *eventloop.Loop
	srv  *commands.Server

	// The rest of the fields up to the lock belong to the loop goroutine.
	link      *masterlink.Link
	linkHost  string
	linkPort  int
	linkState masterlink.Change
	lastErr   error
	stream    *replproto.Stream
	master    *commands.Client
	queue     []*masterlink.Chunk // received, not yet applied in full
	fed       bool                // queue[0] was given to stream
	waiting   [][]byte            // command of the stream that waits for a snapshot
	startup   *startup            // the snapshot file is being loaded
	startErr  error               // it cannot be
	relayed   int64               // offset up to which our replicas have the stream
	tail      []byte              // received before queue[0] and not yet relayed
	applying  bool                // applySlice is due
	resumable bool                // the history in srv.Repl can be asked for
	synced    bool                // a dataset of the master is in place
	everUp    bool
	syncStart int64 // unix ms
	// Times by Nanos: the start of the last full sync, the arrival of the last byte of
	// the stream and of the oldest that is not applied, 0 for none. received is the
	// offset of the last byte.
	syncAt, arrived, oldest int64
	received                int64
	syncs, syncNanos        int64 // full syncs that ended well, ns they took
	lastSync                int64 // ns
	reconnect               int64
	heap                    heapReader
	mainCPU                 sysinfo.CPU // of the loop's threads: the most that one has used
	soft                    []*conn     // whose output is above the soft limit
	reads                   int64       // chunks of input, and outputs of callbacks (INFO)
	writes                  int64
	tlsServer               *tlsio.Server     // nil without tls-port
	tlsConfig               *tls.Config       // of tlsServer
	tlsClient               *tls.Config       // for connections to the master; nil without tls-replication
	tlsPort                 int               // that tlsServer listens on
	ops                     *httpapi.Server   // nil without metrics-addr
	manager                 *service.Notifier // nil without a service manager that listens
	managerDone             chan struct{}     // ends the watchdog's goroutine

	redirects *redirect.Pool                  // to the present master, nil until needed
	retired   []*redirect.Pool                // to earlier ones, until they have ended
	filter    atomic.Pointer[commands.Filter] // as srv has it, for the goroutine that loads
	sys       *sysinfo.Process
	start     time.Time
	runID     string
	pidFile   string
	mu        sync.Mutex
	started   bool
	stopped   bool
	closing   bool // Close was called
	lib       *library
	done      chan struct{}
	runErr    error
}

// NewFromConfig builds a server from a configuration that was read already. It
// binds the listeners; nothing is served before Run.
func NewFromConfig(conf *config.Registry, log *logging.Logger) (*Replica, error) {
	return newReplica(conf, log, &library{})
}

func newReplica(conf *config.Registry, log *logging.Logger, lib *library) (*Replica, error) {
	lib.stop = make(chan struct{})
	lib.syncs.done = make(chan struct{})
	r := &Replica{
		conf: conf, v: conf.Values, log: log, lib: lib,
		start: time.Now(), done: make(chan struct{}),
		stream: replproto.NewStream(0),
	}
	r.sys = sysinfo.Open(r.start.UnixMilli())
	r.runID = hex.EncodeToString(r.RandomBytes(20))
	ks, err := keyspace.New(conf.Values.Databases, r.seed())
	if err != nil {
		return nil, fmt.Errorf("reserving memory for the dataset: %w", err)
	}
	if err := r.configureTLS(); err != nil {
		ks.Release()
		return nil, fmt.Errorf("configuring TLS: %w", err)
	}
	maxConns, reserve := conf.Values.MaxClients, 0
	if conf.Values.TLSPort != 0 {
		maxConns, reserve = fitTLS(maxConns)
	}
	loop, err := eventloop.New(eventloop.Config{
		Addrs:          listenAddrs(conf.Values),
		UnixSocketPerm: os.FileMode(conf.Values.UnixSocketPerm),
		TCPBacklog:     conf.Values.TCPBacklog,
		TCPKeepAlive:   time.Duration(conf.Values.TCPKeepalive) * time.Second,
		MaxConns:       maxConns,
		ReserveFDs:     reserve,
		Visits:         lib.on,
		RejectReply:    []byte("-ERR max number of clients reached\r\n"),
		Logf:           func(format string, args ...any) { r.Logf(commands.LogWarning, format, args...) },
	}, (*handler)(r))
	if err != nil {
		ks.Release()
		return nil, err
	}
	r.loop = loop
	if n := loop.MaxConns(); n < conf.Values.MaxClients {
		r.Logf(commands.LogWarning, "The limit of open files allows %d clients; maxclients is lowered from %d.", n, conf.Values.MaxClients)
		conf.Values.MaxClients = n
	}
	r.heap = newHeapReader()
	runtime.GC() // so that the first figure of what is alive is one
	srv, err := commands.New(r, conf, ks)
	if err != nil {
		ks.Release()
		return nil, err
	}
	r.srv = srv
	if err := r.listenTLS(); err != nil {
		loop.Stop()
		ks.Release()
		return nil, err
	}
	r.filter.Store(srv.CurrentFilter())
	srv.Redirect = (*redirector)(r)
	r.master = srv.NewMasterClient(0)
	r.watchConfig()
	r.watchTLS()
	if err := r.openOps(); err != nil {
		if r.tlsServer != nil {
			r.tlsServer.Close()
		}
		loop.Stop()
		ks.Release()
		return nil, err
	}
	if err := r.openStartup(); err != nil {
		r.closeOps()
		if r.tlsServer != nil {
			r.tlsServer.Close()
		}
		loop.Stop()
		ks.Release()
		return nil, err
	}
	if host, port := conf.Values.MasterHost, conf.Values.MasterPort; host != "" && r.startup == nil {
		loop.Post(func() { srv.Follow(host, port) })
	}
	return r, nil
}

// seed is the random seed of a keyspace's hash.
func (r *Replica) seed() uint64 {
	b := r.RandomBytes(8)
	s := uint64(0)
	for _, x := range b {
		s = s<<8 | uint64(x)
	}
	return s
}

// listenAddrs turns bind, port and unixsocket into the loop's addresses. An
// address with a leading '-' may be unavailable on this machine.
func listenAddrs(v *config.Values) []string {
	var addrs []string
	if v.Port != 0 {
		for _, a := range bindAddrs(v, v.Port) {
			if rest, optional := strings.CutPrefix(a, "-"); optional {
				addrs = append(addrs, "-tcp://"+rest)
			} else {
				addrs = append(addrs, "tcp://"+a)
			}
		}
	}
	if v.UnixSocket != "" {
		addrs = append(addrs, "unix://"+v.Path(v.UnixSocket))
	}
	return addrs
}

// bindAddrs are the addresses of bind with a port, a leading '-' kept.
func bindAddrs(v *config.Values, port int) []string {
	var addrs []string
	for _, b := range v.Bind {
		optional := ""
		if strings.HasPrefix(b, "-") {
			optional, b = "-", b[1:]
		}
		switch b {
		case "":
			continue
		case "*":
			b = "0.0.0.0"
		case "::*":
			b = "::"
		}
		addrs = append(addrs, optional+net.JoinHostPort(b, strconv.Itoa(port)))
	}
	return addrs
}

// Addrs are the addresses that the server listens on.
func (r *Replica) Addrs() []net.Addr { return r.loop.Addrs() }

// Run serves until Stop, or until SHUTDOWN. It may be called once.
func (r *Replica) Run() error {
	r.mu.Lock()
	if r.started || r.stopped {
		r.mu.Unlock()
		return ErrClosed
	}
	r.started = true
	r.mu.Unlock()
	return r.serveUntilStopped()
}

func (r *Replica) serveUntilStopped() error {
	if r.v.MasterHost == "" {
		r.log.SetRole('M')
	}
	for _, a := range r.loop.Addrs() {
		if a != nil {
			r.log.Noticef("Ready to accept connections on %s", a)
		}
	}
	for _, a := range r.TLSAddrs() {
		r.log.Noticef("Ready to accept TLS connections on %s", a)
	}
	r.serveOps()
	r.watchedByManager()
	if r.startup != nil {
		r.startup.begin(r)
	}
	err := r.loop.Run()
	r.leaveManager()
	r.closeOps()
	// The loop is gone: its goroutine is this one.
	if err == nil {
		err = r.startErr
	}
	if r.startup != nil {
		r.startup.end()
	}
	r.srv.Close()
	if r.link != nil {
		r.link.Stop()
		r.link = nil
	}
	if r.tlsServer != nil {
		r.tlsServer.Close()
	}
	r.closeRedirects()
	r.srv.KS.Release()
	_ = r.sys.Close()
	if r.pidFile != "" {
		_ = os.Remove(r.pidFile)
	}
	r.log.Warningf("Redis is now ready to exit, bye bye...")
	_ = r.log.Close()
	r.mu.Lock()
	r.stopped = true
	r.runErr = err
	r.mu.Unlock()
	close(r.done)
	return err
}

// release gives back what a Replica holds that was never run.
func (r *Replica) release() {
	r.closeOps()
	if r.tlsServer != nil {
		r.tlsServer.Close()
	}
	r.loop.Stop()
	_ = r.loop.Run() // it ends at once: its descriptors are closed
	r.srv.Close()
	r.srv.KS.Release()
	_ = r.sys.Close()
	_ = r.log.Close()
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	close(r.done)
}

// Stop ends the server; any goroutine may call it, any number of times.
func (r *Replica) Stop() { r.loop.Stop() }

// Wait blocks until the server has ended or the context is done.
func (r *Replica) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.runErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RandomBytes returns n bytes of the system's random source.
func (r *Replica) RandomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = crand.Read(b) // crypto/rand never fails
	return b
}

// Open builds a server from a configuration: it opens the log, changes to the
// configured directory, and says what of the configuration has no meaning here.
func Open(conf *config.Registry) (*Replica, error) {
	v := conf.Values
	path := v.LogFile
	if path != "" {
		path = v.Path(path)
	}
	options := logging.Options{
		Level: logging.Level(v.LogLevel), JSON: v.LogFormat == config.LogJSON,
		Path: path, PID: os.Getpid(), Now: time.Now,
	}
	if v.SyslogEnabled {
		options.Syslog = &logging.Syslog{Ident: v.SyslogIdent, Facility: syslogFacility(v.SyslogFacility)}
	}
	log, err := logging.New(options)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	for _, secret := range conf.Passwords() {
		log.Hide(secret)
	}
	r, err := NewFromConfig(conf, log)
	if err != nil {
		return nil, err
	}
	if v.PidFile != "" {
		if err := os.WriteFile(v.Path(v.PidFile), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
			log.Warningf("Writing the pid file: %v", err)
		} else {
			r.pidFile = v.Path(v.PidFile)
		}
	}
	log.Noticef("redis-inmemory-replica %s started, pid %d", Version, os.Getpid())
	r.supervise()
	for _, name := range conf.WithoutEffect() {
		log.Noticef("The directive '%s' is accepted and has no effect here.", name)
	}
	return r, nil
}
