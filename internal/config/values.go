package config

// Values are the settings, as typed fields. Units: a field without one in its comment counts things; times say s or ms
// or µs; sizes are bytes. Owned by the registry's goroutine.
type Values struct {
	// Network.
	Bind             []string // addresses to listen on; "-addr" may be unavailable, "*" and "-::*" are all
	Port             int      // 0: no TCP listener
	ProtectedMode    bool
	TCPBacklog       int
	UnixSocket       string // path, "" for none
	UnixSocketPerm   uint32 // file mode, 0 for the umask's
	Timeout          int    // s of idleness before a client is closed, 0 never
	TCPKeepalive     int    // s, 0 off
	MaxClients       int
	BindSourceAddr   string
	ProtoMaxBulkLen  int64
	QueryBufferLimit int64
	ClientOutput     [3]OutputLimit // indexed by ClientNormal, ClientReplica, ClientPubsub
	SocketMarkID     uint32

	// TLS.
	TLSPort                  int
	TLSCertFile              string
	TLSKeyFile               string
	TLSKeyFilePass           string
	TLSClientCertFile        string
	TLSClientKeyFile         string
	TLSClientKeyFilePass     string
	TLSCACertFile            string
	TLSCACertDir             string
	TLSAuthClients           TLSAuth
	TLSReplication           bool
	TLSReplicationVerifyName bool
	TLSProtocols             string
	TLSCiphers               string
	TLSCipherSuites          string
	TLSPreferServer          bool
	TLSSessionCaching        bool
	TLSSessionCacheSize      int
	TLSSessionCacheTime      int // s

	// General.
	Databases       int
	Daemonize       bool
	PidFile         string
	LogLevel        LogLevel
	LogFile         string // "" for standard output
	LogFormat       LogFormat
	SyslogEnabled   bool
	SyslogIdent     string
	SyslogFacility  int // 0 to 7 for local0 to local7, -1 for user
	Dir             string
	Hz              int // ticks a second, 1 to 500
	DynamicHz       bool
	ShutdownTimeout int // s
	OnSigint        ShutdownFlags
	OnSigterm       ShutdownFlags
	ActiveRehashing bool

	// Security.
	RequirePass            string
	ACLFile                string
	ACLLogMaxLen           int64
	ACLPubsubDefault       ACLPubsub
	Users                  []UserLine
	RenamedCommands        []RenamedCommand
	EnableDebugCommand     Permission
	EnableProtectedConfigs Permission
	EnableModuleCommand    Permission

	// Operations.
	MetricsAddr      string // host:port, "" for none
	StatusPage       Permission
	MetricsPprof     Permission
	ReadyMaxLag      int   // ms, 0 for any
	ReadyMaxLagBytes int64 // 0 for any
	Supervised       Supervision

	// Replication.
	MasterHost                string // "" when not a replica
	MasterPort                int
	MasterUser                string
	MasterAuth                string
	ReplicaServeStaleData     bool
	ReplicaReadOnly           bool
	ReplicaPriority           int
	ReplicaAnnounceIP         string
	ReplicaAnnouncePort       int
	ReplicaAnnounced          bool
	ReplicaIgnoreMaxmemory    bool
	ReplicaLazyFlush          bool
	ReplTimeout               int // s
	ReplPingPeriod            int // s
	ReplBacklogSize           int64
	ReplBacklogTTL            int64 // s, 0 never released
	ReplDisableTCPNodelay     bool
	ReplDisklessLoad          DisklessLoad
	ReplDisklessSync          bool
	ReplDisklessSyncDelay     int // s
	ReplDisklessSyncMax       int
	MinReplicasToWrite        int
	MinReplicasMaxLag         int // s
	ReplicaActiveExpire       ActiveExpire
	ReplicaExpireGrace        int // s
	PropagationErrorBehaviour PropagationError

	// Filters of a replica, write redirection, freshness.
	FilterDatabases     []string // numbers and ranges; with ! in front: left out
	FilterKeys          []string // globs
	FilterCommands      []string // globs of names, or @category
	WriteRedirection    bool
	RedirectUser        string
	RedirectAuth        string
	RedirectTimeout     int // ms
	RedirectWait        bool
	RedirectWaitTimeout int   // ms
	MaxStaleness        int   // ms, 0 no limit
	MaxStalenessBytes   int64 // 0 no limit
	LagProbe            int   // ms between probes, 0 only when needed

	// Memory, expiry, eviction.
	Maxmemory            uint64
	MaxmemoryPolicy      EvictionPolicy
	MaxmemorySamples     int
	MaxmemoryTenacity    int
	MaxmemoryClients     int64 // bytes; negative: percent of Maxmemory
	ActiveExpireEffort   int
	ActiveExpireProfile  ExpireProfile
	CustomExpire         ExpireParams // of the profile ExpireCustom
	LFULogFactor         int
	LFUDecayTime         int // minutes
	LazyfreeLazyEviction bool
	LazyfreeLazyExpire   bool
	LazyfreeServerDel    bool
	LazyfreeUserDel      bool
	LazyfreeUserFlush    bool
	TrackingTableMaxKeys int64

	// Encodings.
	HashMaxListpackEntries int64
	HashMaxListpackValue   int64
	ListMaxListpackSize    int // entries if positive, else -1 to -5 for 4 to 64 KB
	ListCompressDepth      int
	SetMaxIntsetEntries    int64
	ZsetMaxListpackEntries int64
	ZsetMaxListpackValue   int64
	HLLSparseMaxBytes      int64
	StreamNodeMaxBytes     int64
	StreamNodeMaxEntries   int64

	// Monitoring and scripts.
	SlowlogLogSlowerThan    int64 // µs, -1 off
	SlowlogMaxLen           int64
	LatencyMonitorThreshold int64 // ms, 0 off
	LatencyTracking         bool
	LatencyPercentiles      []float64
	NotifyKeyspaceEvents    EventClasses
	BusyReplyThreshold      int64 // ms
	LuaMaxCachedScripts     int64 // of EVAL; 0 no limit
	LuaMemoryLimit          int64 // bytes

	// Persistence.
	Save                []SavePoint
	DBFilename          string
	RDBCompression      bool
	RDBChecksum         bool
	RDBVersion          int
	RDBIncrementalFsync bool

	StopWritesOnSaveError bool
	ReplicaSaveOnShutdown bool
	SanitizeDumpPayload   SanitizeMode
	KeyLoadDelay          int // µs a key, for tests
}

// OutputLimit bounds the replies that wait for one client: at Hard bytes at once, at Soft bytes after SoftSeconds. 0 is
// no limit.
type OutputLimit struct {
	Hard, Soft  int64
	SoftSeconds int
}

// The client classes of Values.ClientOutput.
const (
	ClientNormal = iota
	ClientReplica
	ClientPubsub
)

// SavePoint asks for a snapshot after Seconds if at least Changes writes came.
type SavePoint struct {
	Seconds int64
	Changes int
}

// UserLine is a `user` directive, to be applied by the ACL component.
type UserLine struct {
	Args []string // name, then rules
	At   Position
}

// RenamedCommand is a `rename-command` directive, to be applied by the command table. An empty To removes the command.
type RenamedCommand struct {
	From, To string
	At       Position
}

// LogLevel is the least severe level that is logged.
type LogLevel int

// The log levels.
const (
	LogDebug LogLevel = iota
	LogVerbose
	LogNotice
	LogWarning
)

// Supervision is the service manager that readiness is reported to.
type Supervision int

// The service managers.
const (
	SupervisedUpstart Supervision = iota
	SupervisedSystemd
	SupervisedAuto
	SupervisedNo
)

// LogFormat is the shape of log lines.
type LogFormat int

// The log formats.
const (
	LogText LogFormat = iota
	LogJSON
)

// Permission tells who may use a guarded feature.
type Permission int

// The permissions.
const (
	PermitNo Permission = iota
	PermitYes
	PermitLocal // clients of the loopback interface and of the unix socket
)

// Allows tells whether a client may use the feature; local says whether it came by loopback or unix socket.
func (p Permission) Allows(local bool) bool { return p == PermitYes || p == PermitLocal && local }

// TLSAuth tells whether clients of the TLS port must show a certificate.
type TLSAuth int

// The modes of TLSAuth.
const (
	TLSAuthNo TLSAuth = iota
	TLSAuthYes
	TLSAuthOptional
)

// ACLPubsub is the channel permission of new users.
type ACLPubsub int

// The defaults for channels.
const (
	ResetChannels ACLPubsub = iota
	AllChannels
)

// ShutdownFlags modify a shutdown that a signal asks for.
type ShutdownFlags int

// The shutdown flags.
const (
	ShutdownSave ShutdownFlags = 1 << iota
	ShutdownNoSave
	ShutdownNow
	ShutdownForce
	ShutdownDefault ShutdownFlags = 0
)

// DisklessLoad is repl-diskless-load. A full sync is always decoded into a new dataset beside the old one here.
type DisklessLoad int

// The modes of DisklessLoad.
const (
	DisklessDisabled DisklessLoad = iota
	DisklessOnEmptyDB
	DisklessSwapDB
)

// ActiveExpire tells what the active expiry cycle may delete on a replica.
type ActiveExpire int

// The modes of ActiveExpire.
const (
	ExpireGrace     ActiveExpire = iota // keys that expired longer ago than the grace, while the stream is caught up
	ExpireNo                            // nothing: only the master's DEL deletes
	ExpireImmediate                     // expired keys at once
)

// ExpireProfile selects the parameters of the active expiry cycle.
type ExpireProfile int

// The profiles of the active expiry cycle.
const (
	ExpireDefault ExpireProfile = iota
	ExpireSmallDataset
	ExpireMediumDataset
	ExpireLargeDataset
	ExpireBestPerformance
	ExpireLowLatency
	ExpireCustom
)

// ExpireParams steer the active expiry cycle.
type ExpireParams struct {
	SampleSize int // keys looked at in one round
	Rounds     int // rounds in one cycle at most
	Batch      int // databases, or deletions, handled before the time is looked at again
	Threshold  int // percent of expired keys in a sample above which another round follows
}

// PropagationError is propagation-error-behavior.
type PropagationError int

// The behaviours on an error of a command from the master.
const (
	PropagationIgnore PropagationError = iota
	PropagationPanic
	PropagationPanicOnReplicas
)

// EvictionPolicy is maxmemory-policy.
type EvictionPolicy int

// The eviction policies.
const (
	VolatileLRU EvictionPolicy = iota
	VolatileLFU
	VolatileRandom
	VolatileTTL
	AllkeysLRU
	AllkeysLFU
	AllkeysRandom
	NoEviction
)

// String is the policy's name, as INFO reports it.
func (p EvictionPolicy) String() string { return evictionPolicies[p].name }

// SanitizeMode is sanitize-dump-payload.
type SanitizeMode int

// The modes of SanitizeMode.
const (
	SanitizeNo SanitizeMode = iota
	SanitizeYes
	SanitizeClients
)

// EventClasses is the set of keyspace events that are published (notify-keyspace-events).
type EventClasses int

// The event classes; the letter is the one of the directive.
const (
	NotifyKeyspace EventClasses = 1 << iota // K
	NotifyKeyevent                          // E
	NotifyGeneric                           // g
	NotifyString                            // $
	NotifyList                              // l
	NotifySet                               // s
	NotifyHash                              // h
	NotifyZset                              // z
	NotifyExpired                           // x
	NotifyEvicted                           // e
	NotifyStream                            // t
	NotifyKeyMiss                           // m
	_                                       // (an event of modules that no directive selects)
	NotifyModule                            // d
	NotifyNew                               // n

	// NotifyAll is what the letter A stands for: every class but m and n.
	NotifyAll = NotifyGeneric | NotifyString | NotifyList | NotifySet | NotifyHash | NotifyZset | NotifyExpired |
		NotifyEvicted | NotifyStream | NotifyModule
)
