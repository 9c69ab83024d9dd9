package redisreplica

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
)

// Option is an argument of New.
type Option func(*settings) error

// settings is what the options say.
type settings struct {
	lines   []string // of a configuration file
	tls     *tls.Config
	times   linkTimes
	db      int
	logger  Logger
	metrics MetricsCollector
}

// linkTimes override repl-timeout for phases of the link; 0 leaves it.
type linkTimes struct{ sync, connect, read, write, heartbeat time.Duration }

func (s *settings) set(name string, values ...string) error {
	line := name
	for _, v := range values {
		line += " " + config.Quote(v)
	}
	s.lines = append(s.lines, line)
	return nil
}

// WithConfig sets a directive of redis.conf, or one of this server's own: see docs/configuration.md. Later options win.
func WithConfig(name string, values ...string) Option {
	return func(s *settings) error { return s.set(name, values...) }
}

// WithMaster follows the master at "host:port"; a bare host has port 6379.
func WithMaster(addr string) Option {
	return func(s *settings) error {
		host, port, err := hostPort(addr)
		if err != nil {
			return err
		}
		return s.set("replicaof", host, port)
	}
}

func hostPort(addr string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(addr)
	if err != nil {
		if strings.Contains(addr, ":") && net.ParseIP(addr) == nil {
			return "", "", fmt.Errorf("redisreplica: the master's address: %w", err)
		}
		host, port = addr, "6379"
	}
	if n, e := strconv.Atoi(port); e != nil || n < 1 || n > 65535 || host == "" {
		return "", "", fmt.Errorf("redisreplica: %q is no host:port", addr)
	}
	return host, port, nil
}

// WithMasterAuth logs in to the master with a password.
func WithMasterAuth(password string) Option { return WithConfig("masterauth", password) }

// WithMasterUser logs in to the master as an ACL user, with the password of WithMasterAuth.
func WithMasterUser(user string) Option { return WithConfig("masteruser", user) }

// WithTLS speaks TLS to the master, with the given settings. A copy is taken.
func WithTLS(c *tls.Config) Option {
	return func(s *settings) error {
		if c == nil {
			return fmt.Errorf("redisreplica: WithTLS without settings; WithSecureTLS has safe ones")
		}
		s.tls = c.Clone()
		return s.set("tls-replication", "yes")
	}
}

// WithSecureTLS speaks TLS 1.2 or later to the master, whose certificate must be for the name under which it is configured and signed by
// an authority that the system trusts.
func WithSecureTLS() Option { return WithTLS(&tls.Config{MinVersion: tls.VersionTLS12}) }

// WithReplicaAddr serves clients at "host:port", or at a socket "unix:/path". Without it there is no listener, and the data are reached by
// Storage alone. An empty host stands for every address; port 0 lets the system choose (see Addrs).
func WithReplicaAddr(addr string) Option {
	return func(s *settings) error {
		if path, is := strings.CutPrefix(addr, "unix:"); is {
			return s.set("unixsocket", strings.TrimPrefix(path, "//"))
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("redisreplica: the address to serve at: %w", err)
		}
		if host == "" {
			host = "*"
		}
		if port == "0" { // to the configuration, 0 is no listener
			if port, err = freePort(host); err != nil {
				return err
			}
		}
		if err := s.set("bind", host); err != nil {
			return err
		}
		return s.set("port", port)
	}
}

// freePort asks the system for a port.
func freePort(host string) (string, error) {
	if host == "*" {
		host = ""
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("redisreplica: a free port: %w", err)
	}
	defer func() { _ = ln.Close() }()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port), nil
}

// WithReplicaAuth is the password that clients of WithReplicaAddr must give.
func WithReplicaAuth(password string) Option { return WithConfig("requirepass", password) }

// WithReadOnly refuses (the default) or accepts writes of clients and of Storage while a master is followed.
func WithReadOnly(on bool) Option { return WithConfig("replica-read-only", yesNo(on)) }

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

// WithSyncTimeout bounds the wait of WaitForSync when its context has no deadline, and the silence during a full sync.
func WithSyncTimeout(d time.Duration) Option {
	return func(s *settings) error { return duration("sync", &s.times.sync, d) }
}

// WithConnectTimeout bounds each attempt to connect to the master.
func WithConnectTimeout(d time.Duration) Option {
	return func(s *settings) error { return duration("connect", &s.times.connect, d) }
}

// WithReadTimeout is the silence of the master after which the link counts as lost. Masters ping every ten seconds by default.
func WithReadTimeout(d time.Duration) Option {
	return func(s *settings) error { return duration("read", &s.times.read, d) }
}

// WithWriteTimeout bounds each write to the master: of the handshake, and of acknowledgements.
func WithWriteTimeout(d time.Duration) Option {
	return func(s *settings) error { return duration("write", &s.times.write, d) }
}

// WithHeartbeatInterval is the time between two acknowledgements to the master; a second by default.
func WithHeartbeatInterval(d time.Duration) Option {
	return func(s *settings) error { return duration("heartbeat", &s.times.heartbeat, d) }
}

func duration(what string, to *time.Duration, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("redisreplica: a %s time of %v", what, d)
	}
	*to = d
	return nil
}

// WithMaxMemory is the limit of the dataset in bytes; 0 is none. A follower leaves eviction to its master unless replica-ignore-maxmemory is no.
func WithMaxMemory(bytes int64) Option {
	return WithConfig("maxmemory", strconv.FormatInt(bytes, 10))
}

// WithDatabases is the number of databases; 16 by default.
func WithDatabases(n int) Option { return WithConfig("databases", strconv.Itoa(n)) }

// WithDefaultDatabase is the database of Storage.
func WithDefaultDatabase(db int) Option {
	return func(s *settings) error {
		s.db = db
		return nil
	}
}

// WithCommandFilters replicates only some commands: globs of names, or @categories; one with ! in front leaves commands out. See docs/filters.md.
func WithCommandFilters(patterns ...string) Option {
	return WithConfig("replica-filter-commands", patterns...)
}

// WithKeyFilters replicates only some keys: globs; one with ! in front leaves keys out. See docs/filters.md.
func WithKeyFilters(patterns ...string) Option {
	return WithConfig("replica-filter-keys", patterns...)
}

// WithWriteRedirection sends writes of clients, and of Storage, to the master. See docs/redirection.md.
func WithWriteRedirection(on bool) Option { return WithConfig("write-redirection", yesNo(on)) }

// WithLogger has l told what the server would write to its log. Without it nothing is logged.
func WithLogger(l Logger) Option {
	return func(s *settings) error {
		s.logger = l
		return nil
	}
}

// WithMetrics has c told of measurements.
func WithMetrics(c MetricsCollector) Option {
	return func(s *settings) error {
		s.metrics = c
		return nil
	}
}

// New makes a replica, or a writable server if there is no WithMaster. It binds the listeners; Start begins to follow and to serve. Unlike the
// program, it neither reads nor writes files unless told to (save, dbfilename, logfile …), and logs to WithLogger alone.
func New(options ...Option) (*Replica, error) {
	var s settings
	for _, line := range [][]string{{"port", "0"}, {"save", ""}, {"dbfilename", ""}} {
		if err := s.set(line[0], line[1:]...); err != nil {
			return nil, err
		}
	}
	for _, o := range options {
		if err := o(&s); err != nil {
			return nil, err
		}
	}
	conf := config.New()
	if err := conf.LoadLines("options", []byte(strings.Join(s.lines, "\n"))); err != nil {
		return nil, fmt.Errorf("redisreplica: %w", err)
	}
	if s.db < 0 || s.db >= conf.Values.Databases {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoDatabase, s.db, conf.Values.Databases)
	}
	log, err := libraryLog(conf, s.logger)
	if err != nil {
		return nil, err
	}
	r, err := newReplica(conf, log, &library{on: true, defaultDB: s.db, metrics: s.metrics, tls: s.tls, times: s.times})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// libraryLog is the log of an embedded replica.
func libraryLog(conf *config.Registry, to Logger) (*logging.Logger, error) {
	o := logging.Options{Level: logging.Level(conf.Values.LogLevel), PID: os.Getpid(), Now: time.Now, Sink: sinkOf(to)}
	if conf.Values.LogFile != "" {
		o.Path = conf.Values.Path(conf.Values.LogFile)
	}
	log, err := logging.New(o)
	if err != nil {
		return nil, fmt.Errorf("redisreplica: opening the log: %w", err)
	}
	for _, secret := range conf.Passwords() {
		log.Hide(secret)
	}
	return log, nil
}
