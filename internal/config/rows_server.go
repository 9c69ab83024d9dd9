package config

import (
	"strings"
)

var (
	logLevels   = words("debug", "verbose", "notice", "warning")
	logFormats  = words("text", "json")
	permissions = words("no", "yes", "local")
	// supervisions are in redis-server's order.
	supervisions = words("upstart", "systemd", "auto", "no")
	tlsAuths     = words("no", "yes", "optional")
	aclPubsubs   = []word{{"allchannels", int(AllChannels)}, {"resetchannels", int(ResetChannels)}}

	shutdownFlags = []word{
		{"default", int(ShutdownDefault)}, {"save", int(ShutdownSave)}, {"nosave", int(ShutdownNoSave)},
		{"now", int(ShutdownNow)}, {"force", int(ShutdownForce)},
	}
	syslogFacilities = []word{
		{"user", -1}, {"local0", 0}, {"local1", 1}, {"local2", 2}, {"local3", 3}, {"local4", 4}, {"local5", 5},
		{"local6", 6}, {"local7", 7},
	}
)

func networkRows(r *Registry, v *Values) {
	r.section("Network")
	bindRow(r, "bind", &v.Bind, "Addresses to listen on. A leading - lets the server start without that address; * stands for every IPv4 address, ::* for every IPv6 one.").by("redisreplica")
	integer(r, "port", &v.Port, signed(0, 65535), 6379, "TCP port of the plain-text listener; 0 opens none.").by("redisreplica")
	r.bool("protected-mode", &v.ProtectedMode, true, "Without a password, refuse clients that do not come from this machine.").by("redisreplica")
	integer(r, "tcp-backlog", &v.TCPBacklog, signed(0, maxInt), 511, "Length of the listener's queue of connections that wait to be accepted.").with(Immutable).by("eventloop")
	r.text("unixsocket", &v.UnixSocket, "", nil, "Path of a unix socket to listen on; empty for none.").with(Immutable).by("redisreplica")
	numeric(r, Octal, "unixsocketperm", &v.UnixSocketPerm, bounds{hi: 0777, unsigned: true, octal: true}, 0, "File mode of the unix socket; 0 leaves it to the umask.").with(Immutable).by("redisreplica")
	integer(r, "timeout", &v.Timeout, signed(0, maxInt), 0, "Close a client after this many idle seconds; 0 never does.").by("commands")
	integer(r, "tcp-keepalive", &v.TCPKeepalive, signed(0, maxInt), 300, "Seconds between TCP keepalive probes to clients; 0 turns them off.").by("eventloop")
	integer(r, "maxclients", &v.MaxClients, unsigned(1, 1<<32-1), 10000, "Most client connections at one time; more are refused with an error.").by("redisreplica")
	r.text("bind-source-addr", &v.BindSourceAddr, "", nil, "Local address from which the connection to the master is made.").by("masterlink")
	memory(r, "proto-max-bulk-len", &v.ProtoMaxBulkLen, signed(1<<20, maxLong), 512<<20, "Longest single argument that a client may send.").by("resp")
	memory(r, "client-query-buffer-limit", &v.QueryBufferLimit, unsigned(1<<20, maxLong), 1<<30, "Most bytes of unfinished commands that one client may have pending.").by("resp")
	outputLimitRow(r, "client-output-buffer-limit", &v.ClientOutput, "Per class of client (normal, replica, pubsub): bytes of unread replies at which it is dropped at once, and bytes and seconds at which it is dropped for staying above.").by("commands")
	integer(r, "socket-mark-id", &v.SocketMarkID, unsigned(0, 1<<32-1), 0, "Mark set on sockets for the system's packet filters.").with(Immutable | NoEffect)

	r.section("TLS")
	integer(r, "tls-port", &v.TLSPort, signed(0, 65535), 0, "TCP port of the TLS listener; 0 opens none.").by("redisreplica")
	certFile := func(name string, p *string, doc string) *Directive {
		return r.text(name, p, "", nil, doc).with(Volatile).by("redisreplica")
	}
	certFile("tls-cert-file", &v.TLSCertFile, "PEM file of the server's certificate.")
	certFile("tls-key-file", &v.TLSKeyFile, "PEM file of the server's private key.")
	r.text("tls-key-file-pass", &v.TLSKeyFilePass, "", nil, "Password of the server's private key.").with(Sensitive).env("REDIS_REPLICA_TLS_KEY_FILE_PASS").by("redisreplica")
	certFile("tls-client-cert-file", &v.TLSClientCertFile, "PEM file of the certificate shown to the master; empty takes tls-cert-file.")
	certFile("tls-client-key-file", &v.TLSClientKeyFile, "PEM file of the key of tls-client-cert-file.")
	r.text("tls-client-key-file-pass", &v.TLSClientKeyFilePass, "", nil, "Password of tls-client-key-file.").with(Sensitive).env("REDIS_REPLICA_TLS_CLIENT_KEY_FILE_PASS").by("masterlink")
	certFile("tls-ca-cert-file", &v.TLSCACertFile, "PEM file of the authorities trusted to sign peers' certificates.")
	certFile("tls-ca-cert-dir", &v.TLSCACertDir, "Directory of PEM files of trusted authorities.")
	enum(r, "tls-auth-clients", &v.TLSAuthClients, tlsAuths, TLSAuthYes, "Whether clients must show a certificate: no, yes, or only checked when shown.").by("redisreplica")
	r.bool("tls-replication", &v.TLSReplication, false, "Speak TLS to the master.").by("masterlink")
	r.bool("tls-replication-verify-name", &v.TLSReplicationVerifyName, false, "Accept a master's certificate only if it is for the name or address under which the master is configured. Without this who signed it is checked alone, as redis-server does.").with(Own).by("redisreplica")
	r.bool("tls-cluster", new(bool), false, "TLS on the cluster bus.").with(NoEffect)
	r.text("tls-protocols", &v.TLSProtocols, "", nil, "TLS versions to allow, such as \"TLSv1.2 TLSv1.3\"; empty allows both.").by("redisreplica")
	r.text("tls-ciphers", &v.TLSCiphers, "", nil, "Cipher suites for TLS 1.2.").by("redisreplica")
	r.text("tls-ciphersuites", &v.TLSCipherSuites, "", nil, "Cipher suites for TLS 1.3, which the TLS library chooses itself.").with(NoEffect)
	r.bool("tls-prefer-server-ciphers", &v.TLSPreferServer, false, "Prefer the server's order of ciphers, which the TLS library always does.").with(NoEffect)
	r.bool("tls-session-caching", &v.TLSSessionCaching, true, "Let clients resume TLS sessions.").by("redisreplica")
	integer(r, "tls-session-cache-size", &v.TLSSessionCacheSize, signed(0, maxInt), 20*1024, "Sessions kept for resumption; tickets are used here, which need no cache.").with(NoEffect)
	integer(r, "tls-session-cache-timeout", &v.TLSSessionCacheTime, signed(0, maxInt), 300, "Seconds for which a session can be resumed; the TLS library decides it here.").with(NoEffect)
	r.text("tls-dh-params-file", new(string), "", nil, "Diffie-Hellman parameters, for key exchanges that the TLS library does not offer.").with(Volatile | NoEffect)
}

func generalRows(r *Registry, v *Values) {
	r.section("General")
	integer(r, "databases", &v.Databases, signed(1, maxInt), 16, "Number of databases.").with(Immutable).by("internal/keyspace")
	dirRow(r, &v.Dir).by("redisreplica")
	r.bool("daemonize", &v.Daemonize, false, "Run in the background: the command returns when the server can be reached, or with the reason why it cannot start. Without a logfile its log goes nowhere. Without meaning under supervised, and refused on Windows.").with(Immutable).by("main")
	r.text("pidfile", &v.PidFile, "", nil, "File that holds the process id while the server runs.").with(Immutable).by("main")
	enum(r, "loglevel", &v.LogLevel, logLevels, LogNotice, "Least severe level that is logged.").by("internal/logging")
	r.text("logfile", &v.LogFile, "", nil, "File to log to; empty logs to standard output.").orEmpty().with(Immutable).by("internal/logging")
	enum(r, "log-format", &v.LogFormat, logFormats, LogText, "Shape of log lines: text as Redis writes them, or one JSON object a line.").with(Immutable | Own).by("internal/logging")
	r.bool("syslog-enabled", &v.SyslogEnabled, false, "Also log to the system log (not on Windows).").with(Immutable).by("internal/logging")
	r.text("syslog-ident", &v.SyslogIdent, "redis", nil, "Name in the system log.").with(Immutable).by("internal/logging")
	enum(r, "syslog-facility", &v.SyslogFacility, syslogFacilities, 0, "Facility in the system log.").with(Immutable).by("internal/logging")
	integer(r, "hz", &v.Hz, signed(0, maxInt), 10, "Background ticks a second; values outside 1 to 500 are moved to the nearest of them.").applies(func() error {
		clampHz(v)
		return nil
	}).by("commands")
	r.bool("dynamic-hz", &v.DynamicHz, true, "Tick faster while many clients are connected.").by("commands")
	r.bool("activerehashing", &v.ActiveRehashing, true, "Go on with the growth of hash tables in background ticks.").by("internal/keyspace")
	integer(r, "shutdown-timeout", &v.ShutdownTimeout, signed(0, maxInt), 10, "Seconds for which a shutdown waits for lagging replicas.").by("redisreplica")
	onSignal := func(name string, p *ShutdownFlags, doc string) {
		d := enumSet(r, name, p, shutdownFlags, ShutdownDefault, doc).by("main")
		checked(d, func() error {
			if *p&ShutdownSave != 0 && *p&ShutdownNoSave != 0 {
				return replyText("shutdown options SAVE and NOSAVE can't be used simultaneously")
			}
			return nil
		})
	}
	onSignal("shutdown-on-sigint", &v.OnSigint, "How to shut down on SIGINT.")
	onSignal("shutdown-on-sigterm", &v.OnSigterm, "How to shut down on SIGTERM.")
}

// clampHz moves hz into the range that the server can tick at.
func clampHz(v *Values) { v.Hz = min(max(v.Hz, 1), 500) }

// checked adds a check that needs the stored value; a veto puts the old one back.
func checked(d *Directive, check func() error) {
	set := d.set
	d.set = func(args []string) (bool, error) {
		restore := d.snapshot()
		changed, err := set(args)
		if err == nil {
			err = check()
		}
		if err != nil {
			restore()
			return false, err
		}
		return changed, nil
	}
}

func securityRows(r *Registry, v *Values) {
	r.section("Security")
	r.text("requirepass", &v.RequirePass, "", nil, "Password of the default user; empty asks for none.").with(Sensitive).raw().env("REDIS_REPLICA_REQUIREPASS").by("commands")
	r.text("aclfile", &v.ACLFile, "", nil, "File of ACL users, instead of `user` lines.").orEmpty().with(Immutable).by("commands")
	integer(r, "acllog-max-len", &v.ACLLogMaxLen, signed(0, maxLong), 128, "Entries kept by ACL LOG.").by("commands")
	enum(r, "acl-pubsub-default", &v.ACLPubsubDefault, aclPubsubs, ResetChannels, "Whether new users may use every Pub/Sub channel or none.").by("commands")
	enum(r, "enable-debug-command", &v.EnableDebugCommand, permissions, PermitNo, "Who may use DEBUG: nobody, everybody, or local clients.").with(Immutable).by("commands")
	enum(r, "enable-protected-configs", &v.EnableProtectedConfigs, permissions, PermitNo, "Who may set the protected directives by CONFIG SET.").with(Immutable).by("internal/config")
	enum(r, "enable-module-command", &v.EnableModuleCommand, permissions, PermitNo, "Who may use MODULE; this server loads no modules.").with(Immutable | NoEffect)
}

func systemRows(r *Registry, v *Values) {
	r.section("System")
	cpus := func(name, whose string) {
		r.text(name, new(string), "", nil, "CPUs to pin "+whose+" to.").with(Immutable | NoEffect)
	}
	cpus("server_cpulist", "the server")
	cpus("bio_cpulist", "background threads")
	cpus("aof_rewrite_cpulist", "the append-only rewriter")
	cpus("bgsave_cpulist", "the snapshot child")
	enum(r, "supervised", &v.Supervised, supervisions, SupervisedNo, "Service manager to report readiness, state and end to: systemd, or auto for systemd where it asks for it (NOTIFY_SOCKET). Of upstart nothing is known here.").with(Immutable).by("main")
	enum(r, "oom-score-adj", new(int), []word{{"no", 0}, {"yes", 1}, {"relative", 1}, {"absolute", 2}}, 0, "Whether to tell the kernel whom to end first when memory runs out.").with(NoEffect)
	oomScoresRow(r, "oom-score-adj-values", "Scores for a master, a replica and a forked child.").with(NoEffect)
	r.bool("disable-thp", new(bool), true, "Turn transparent huge pages off; they are a help to this server, which never forks.").with(Immutable | NoEffect)
	r.bool("jemalloc-bg-thread", new(bool), true, "Background thread of Redis's allocator.").with(NoEffect)
	integer(r, "io-threads", new(int), signed(1, 128), 1, "Threads for socket I/O; one loop does it all here.").with(Immutable | NoEffect)
	r.bool("io-threads-do-reads", new(bool), false, "Whether those threads read as well as write.").with(Immutable | NoEffect)
	r.bool("set-proc-title", new(bool), true, "Show the listening address in the process list.").with(Immutable | NoEffect)
	r.text("proc-title-template", new(string), "{title} {listen-addr} {server-mode}", checkTitle, "Shape of the process title.").with(NoEffect)
	r.bool("always-show-logo", new(bool), false, "Show a logo at start even when nobody watches.").with(Immutable | NoEffect)
	r.bool("crash-log-enabled", new(bool), true, "Print a report of Redis's own on a crash.").with(NoEffect)
	r.bool("crash-memcheck-enabled", new(bool), true, "Test the memory after a crash.").with(NoEffect)
	r.bool("use-exit-on-panic", new(bool), false, "Exit instead of aborting on an assertion.").with(Hidden | NoEffect)
	period := new(int)
	integer(r, "watchdog-period", period, signed(0, maxInt), 0, "Milliseconds after which a debugging timer reports a stuck command.").with(Hidden | NoEffect).applies(func() error {
		if *period != 0 {
			*period = max(*period, 2*(1000/v.Hz))
		}
		return nil
	})
	r.text("ignore-warnings", new(string), "", nil, "Start-up warnings to accept.").orEmpty().with(NoEffect)
	r.bool("activedefrag", new(bool), false, "Defragmentation through Redis's allocator; the arena here compacts by itself.").with(NoEffect)
	memory(r, "active-defrag-ignore-bytes", new(int64), unsigned(1, maxLong), 100<<20, "Fragmentation below which it rests.").with(NoEffect)
	integer(r, "active-defrag-threshold-lower", new(int), signed(0, 1000), 10, "Percent of fragmentation at which it starts.").with(NoEffect)
	integer(r, "active-defrag-threshold-upper", new(int), signed(0, 1000), 100, "Percent of fragmentation at which it works hardest.").with(NoEffect)
	integer(r, "active-defrag-cycle-min", new(int), signed(1, 99), 1, "Percent of CPU for it at the lower threshold.").with(NoEffect)
	integer(r, "active-defrag-cycle-max", new(int), signed(1, 99), 25, "Percent of CPU for it at the upper threshold.").with(NoEffect)
	integer(r, "active-defrag-max-scan-fields", new(int64), signed(1, maxLong), 1000, "Fields of a collection it handles in one go.").with(NoEffect)
}

// titleVariables are those that a proc-title-template may name.
const titleVariables = " title listen-addr server-mode port tls-port unixsocket config-file "

// checkTitle checks a process title template: known variables in braces, {{ for a brace, and something left to show.
func checkTitle(s string) error {
	invalid := replyText("template format is invalid or contains unknown variables")
	shown := false
	for s != "" {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			open = len(s)
		}
		shown = shown || strings.Trim(s[:open], " ") != ""
		if s = s[open:]; s == "" {
			break
		}
		if strings.HasPrefix(s, "{{") {
			shown = true
			s = s[2:]
			continue
		}
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return invalid
		}
		name := s[1:end]
		if strings.Contains(name, " ") || !strings.Contains(titleVariables, " "+name+" ") {
			return invalid
		}
		// The title itself is empty while a template is checked, and so can the paths be.
		shown = shown || name == "listen-addr" || name == "port" || name == "tls-port"
		s = s[end+1:]
	}
	if !shown {
		return invalid
	}
	return nil
}
