package commands

import (
	"encoding/binary"
	"io"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/expire"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/acl"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// LogLevel orders the server's log lines as Redis orders them.
type LogLevel int

// The four levels of redis.conf's loglevel.
const (
	LogDebug LogLevel = iota
	LogVerbose
	LogNotice
	LogWarning
)

// Host is what the command layer asks of the program around it: the clocks,
// the log, the process and the master link. The composition root implements
// it; every method is called on the loop goroutine and must not block it,
// except where the command itself is a wait (DEBUG SLEEP, SAVE).
type Host interface {
	// UnixMilli is the wall clock, Nanos a monotonic clock.
	UnixMilli() int64
	UnixMicro() int64
	Nanos() int64
	Logf(level LogLevel, format string, args ...any)
	// ReplicaOf starts to follow a master; an empty host stops following and
	// makes the server writable.
	ReplicaOf(host string, port int)
	// Shutdown ends the process once the replies of this turn are out.
	Shutdown(opts ShutdownOptions) error
	// Sleep blocks the loop for a number of nanoseconds (DEBUG SLEEP).
	Sleep(nanos int64)
	// Process reports what INFO says of the process.
	Process() ProcessInfo
	// Replication reports the state of the link to the master.
	Replication() LinkInfo
	// Loop reports the event loop's own figures.
	Loop() LoopInfo
	// AckNow asks the link to send REPLCONF ACK at once.
	AckNow()
	// ReleaseLater returns memory that nothing refers to any more to the system,
	// away from the loop.
	ReleaseLater(release func())
	// RandomBytes returns n bytes of the system's random source.
	RandomBytes(n int) []byte
	// After runs fn on the loop once d nanoseconds have passed.
	After(d int64, fn func())
	// Share keeps output for many connections until the end of the callback.
	Share(p []byte) Shared
	// Exchange talks to another server, away from the loop (MIGRATE).
	Exchange(call ExchangeCall)
	// Resume goes on with the input that a client's connection held back.
	Resume(c *Client)
	// Answer lets a client that is not being served write replies, in fn, which
	// does not run if the connection is closed. The client goes on with its input
	// in a later turn.
	Answer(c *Client, fn func())
	// DropLink ends the present connection to the master.
	DropLink()
	// Again runs fn in a later turn of the loop, after the input that is ready now.
	Again(fn func())
	// CreateSnapshotFile begins a new snapshot file, OpenSnapshotFile opens the one
	// that stands.
	CreateSnapshotFile() (SnapshotFile, error)
	OpenSnapshotFile() (io.ReadCloser, error)
	// Resumable tells whether the history of the data can be gone on with from Repl,
	// while the server follows a master.
	Resumable() bool
	// ResetLoopStats forgets the longest turn.
	ResetLoopStats()
	// HeapLive is what was alive on the Go heap when it was last collected, bytes.
	HeapLive() int64
	// TrimOutput sets after how many nanoseconds the loop's output buffer is made as small as it was used
	// meanwhile; a negative time is never.
	TrimOutput(after int64)
}

// ShutdownOptions are the arguments of SHUTDOWN.
type ShutdownOptions struct {
	NoSave, Save, Now, Force bool
}

// ProcessInfo is the part of INFO that only the process knows.
type ProcessInfo struct {
	PID                       int
	RSS                       int64 // bytes resident
	FileRSS                   int64 // of these, mapped from files
	PeakRSS                   int64
	TotalSystemMemory         int64
	UserCPU, SysCPU           float64 // seconds, whole process
	UserCPUMain, SysCPUMain   float64 // seconds, the loop's thread
	UserCPUChild, SysCPUChild float64
	OS                        string
	ArchBits                  int
	Executable, ConfigFile    string
	// GoHeapObjects is objects on the Go heap, dead ones too; GoHeapInUse also the holes between them; GoHeapSys what the
	// runtime has from the system.
	GoHeapObjects, GoHeapInUse, GoHeapSys int64
	GoGCPauseTotalNanos                   int64
	GoNumGC                               int64
	GoRoutines                            int
	TCPPort                               int
	IOThreads                             int
	RunID                                 string
	Version                               string
	ListenerCount, OpenFDLimit            int
	StartedAt                             int64 // unix ms
	Supervised                            bool  // by systemd
}

// LoopInfo is what the event loop measures of itself.
type LoopInfo struct {
	Turns            int64
	BusyNanos        int64 // spent in turns
	LongestTurnNanos int64 // since the last CONFIG RESETSTAT
	Connections      int64 // accepted since start
	Rejected         int64
	NetInput         int64 // bytes
	NetOutput        int64
	Reads, Writes    int64
	// TurnBuckets[i] counts turns shorter than 1<<i ns and not shorter than half of that, the last one also longer ones; since
	// the last CONFIG RESETSTAT.
	TurnBuckets [36]uint64
}

// LinkInfo is the state of the link to the master, as INFO replication and
// ROLE report it. Zero when the server follows nobody.
type LinkInfo struct {
	Configured       bool
	Host             string
	Port             int
	State            string // connect, connecting, handshake, sync, connected
	Up               bool
	SyncInProgress   bool
	LastIOSeconds    int64 // -1 unknown
	DownSinceSeconds int64 // -1 never up
	SyncTotalBytes   int64 // 0 unknown size
	SyncReadBytes    int64
	SyncLastIOSec    int64
	SyncStartMilli   int64
	ReadOffset       int64
	LastError        string
	FullSyncs        int64
	PartialSyncs     int64
	Reconnects       int64
	Synced           bool  // the data held is a dataset of a master
	SyncsTimed       int64 // full syncs that ended well, and what they took
	SyncNanos        int64
	LastSyncNanos    int64
}

// Stats are the counters of INFO stats that commands maintain.
type Stats struct {
	Commands        int64
	ErrorReplies    int64
	KeyspaceHits    int64
	KeyspaceMisses  int64
	ExpiredKeys     int64
	ExpiredFields   int64 // fields of hashes
	ExpiredStale    float64
	ExpireCycleTime int64 // us
	TimeCapReached  int64
	EvictedKeys     int64
	EvictedClients  int64
	ApplyErrors     int64
	Protocol        int64 // protocol errors: unexpected_error_replies and kin
	RejectedConns   int64
	SyncFull        int64
	SyncPartialOK   int64
	SyncPartialErr  int64
	AppliedCommands int64
	StaleRefused    int64 // reads
	netInput        int64
	replOutput      int64 // bytes
	commandNanos    int64 // spent in commands
	compactNanos    int64 // spent in compaction
}

// Server is the command layer: the table, the clients, the keyspace and the
// state that commands share. It belongs to the loop goroutine.
type Server struct {
	Host  Host
	Conf  *config.Registry
	V     *config.Values
	KS    *keyspace.Keyspace
	Table *Table
	Stats Stats
	// Filters counts what filters left out. ResyncWanted is a reason for a full
	// resync that applying the stream brought up; who applies it looks there after
	// each command.
	Filters      FilterStats
	ResyncWanted string
	// Redirect carries writes of clients to the master; nil without one.
	Redirect  Redirector
	Redirects RedirectStats
	// Repl is the replication identity and offset of the data held.
	Repl ReplID

	prop     propagation
	repl     masterState
	now      int64 // unix ms, logical time of the command in execution
	monoNow  int64 // ns, monotonic, read once a command
	dirty    int64 // changes since the last save
	current  *Client
	master   *Client // applies the master's stream; the latest made
	clients  clientList
	byID     map[uint64]*Client
	cmdStats []cmdStat

	errorStats  map[string]*int64
	acl         *acl.Users
	defaultUser *acl.User
	aclLog      aclLog
	aclKeys     []KeyRef // storage of aclCheck

	// Loading is true while the snapshot file is loaded at the start, and from the
	// start of the first synchronisation until its data is in place: there is
	// nothing yet that could be served.
	Loading bool
	// Startup is the progress of the former, nil when it is over.
	Startup *StartupLoad

	watchedKeys map[watchID][]*watchedKey
	// blockedOn are the clients that wait for a key, in order; readyKeys the keys
	// that changed and have not been served.
	blockedOn      map[watchID]*keyQueue
	blockedCount   int
	readyKeys      []watchID
	readySpare     []watchID // storage for the next round of readyKeys
	servingBlocked bool
	quiet          quietClient
	timeouts       timeoutHeap
	timerAt        int64 // unix ms for which a timer runs, 0 none
	lim            object.Limits
	// hashBuf, refs and sets are storage of commands on collections, between whose
	// calls they keep nothing.
	hashBuf      object.HashBuf
	refs         []dict.Ref
	sets         []setSource
	setIndexes   []object.SetIndex
	paused       pauseState
	ending       *ending // the shutdown under way
	ended        bool    // the loop ends after this turn
	ops          opsSampler
	recent       recentBuffers
	infoProcess  *ProcessInfo // while an INFO is written
	lastSave     int64        // unix seconds
	cron         cronState
	activeExpire bool
	ahead        [aheadCommands][]byte // storage of lookAhead
	scratch      []byte
	// lists has the settings and the storage of commands on lists.
	lists quicklist.Env
	hll   *hllWork // made at its first use
	// streamIDs and readFroms are storage of stream commands for their arguments.
	streamIDs   []stream.ID
	readFroms   []readFrom
	bitfieldOps []bitfieldOp
	slowlog     slowlog
	latency     latencyMonitor
	monitors    []*Client
	monitorBuf  []byte
	// dumper encodes for DUMP; made at its first use.
	dumper            *rdb.Encoder
	dumperCompresses  bool
	lastCrossProtocol int64
	offsetWaits       []*offsetWait
	fresh             freshness
	clock             clockBound
	// afterGates: writes may be redirected, or reads refused as stale.
	afterGates  bool
	following   bool
	rand        func() uint64
	notifyFlags config.EventClasses
	pubsub      pubsub
	tracking    tracking
	keyRefs     []KeyRef
	filter      *streamFilter // nil without replica-filter-*
	script      *scriptState  // nil until the first script
	functions   functionTable
	snapshot    *Snapshot // under way, or nil
	persist     persistence
	locals      []*Client  // of the program that the server is embedded in
	changeHook  ChangeHook // of the same
	failover    failoverState
	debug       debugState
	evicting    evictionState
	// memoryShort: before the command in execution there was too much memory, and nothing to evict.
	memoryShort bool
	// clientsMax is maxmemory-clients in bytes, 0 for none; clientsSum what the clients that count take together, as last noted.
	// noVictimUntil is the unix time in ms before which nobody is looked for who could be dropped.
	clientsMax, clientsSum, noVictimUntil int64
	heapLive                              int64 // bytes alive on the Go heap, as of the last cron
	// peakMemory and startupMemory are INFO's, bytes.
	peakMemory, startupMemory int64
}

// ReplID is the identity of the replication history that the data belongs to.
type ReplID struct {
	ID           string // 40 hex digits
	ID2          string
	Offset       int64 // bytes of the stream applied
	SecondOffset int64 // first offset that ID2 does not cover; -1 none
}

// ZeroReplID is what INFO shows where no second id is known.
const ZeroReplID = "0000000000000000000000000000000000000000"

// New builds the command layer over a configuration and an empty keyspace.
func New(host Host, conf *config.Registry, ks *keyspace.Keyspace) (*Server, error) {
	s := &Server{
		Host: host, Conf: conf, V: conf.Values, KS: ks,
		byID:         make(map[uint64]*Client),
		errorStats:   make(map[string]*int64),
		watchedKeys:  make(map[watchID][]*watchedKey),
		blockedOn:    make(map[watchID]*keyQueue),
		pubsub:       newPubsub(),
		tracking:     newTracking(),
		notifyFlags:  conf.Values.NotifyKeyspaceEvents,
		lim:          LimitsOf(conf.Values),
		activeExpire: true,
	}
	object.SetListSettings(&s.lists, &s.lim)
	renames := make([]Rename, 0, len(conf.Values.RenamedCommands))
	for _, r := range conf.Values.RenamedCommands {
		renames = append(renames, Rename{From: r.From, To: r.To})
	}
	t, err := NewTable(renames...)
	if err != nil {
		return nil, err
	}
	s.Table = t
	s.cmdStats = make([]cmdStat, t.Len())
	f, err := NewFilter(s.V, t)
	if err != nil {
		return nil, err
	}
	s.SetFilter(f)
	s.afterGates = s.V.WriteRedirection || s.limitsStaleness()
	if err := s.initACL(); err != nil {
		return nil, err
	}
	s.Repl = ReplID{ID: hexID(host.RandomBytes(20)), ID2: ZeroReplID, SecondOffset: -1}
	s.now = host.UnixMilli()
	s.monoNow = host.Nanos()
	s.lastSave = s.now / 1000
	s.persist.lastTook = -1
	s.rand = newRand(host.RandomBytes(8))
	s.heapLive = host.HeapLive()
	s.startupMemory = s.UsedMemory()
	s.clientsMax = s.clientsLimit()
	s.cron.cycle = expire.NewCycle(expireProfile(s.V), host.Nanos)
	s.cron.fields = expire.NewCycle(expireProfile(s.V), host.Nanos)
	s.hookKeyspace(ks)
	return s, nil
}

// hookKeyspace lets a keyspace report its changes to this server.
func (s *Server) hookKeyspace(ks *keyspace.Keyspace) {
	ks.OnExpired = s.keyExpired
	ks.OnNew = nil
	if s.notifyFlags&config.NotifyNew != 0 {
		ks.OnNew = func(db *keyspace.DB, key []byte) { s.notifyEvent(config.NotifyNew, "new", key, db.ID) }
	}
	ks.PassiveRehashing = !s.V.ActiveRehashing
	ks.OnFieldsExpired = s.fieldsExpired
	ks.OnFieldExpired = nil
	if s.prop.on {
		ks.OnFieldExpired = s.fieldExpires
	}
	ks.OnRetire = func(a *dict.Arena) { s.Host.ReleaseLater(a.Release) }
	ks.SetLFU(s.lfuPolicy(), s.V.LFULogFactor, s.V.LFUDecayTime)
	ks.KeepTableSizes(s.debug.keepTables)
}

// Now is the logical time of the command in execution, unix milliseconds.
func (s *Server) Now() int64 { return s.now }

// NewClient registers a connection.
func (s *Server) NewClient(conn Conn) *Client {
	now := s.Host.UnixMilli()
	c := &Client{
		srv: s, conn: conn, proto: 2, id: conn.ID(),
		db: s.KS.DB(0), reader: resp.NewReader(),
		createdAt: now, lastUsed: now, user: s.defaultUser,
	}
	c.authed = s.defaultUser.Open()
	c.applyReaderLimits()
	s.clients.add(c)
	s.byID[c.id] = c
	return c
}

// applyReaderLimits sets the parser's limits to those of the client's state:
// an unauthenticated peer may claim far less.
func (c *Client) applyReaderLimits() {
	c.reader.MaxBulk = c.srv.V.ProtoMaxBulkLen
	c.reader.QueryBufferLimit = int(c.srv.V.QueryBufferLimit)
	c.reader.Authenticated = c.authed
}

// NewInternalClient makes a client without a connection: the master's stream,
// a script, the embedding program.
func (s *Server) NewInternalClient() *Client {
	return &Client{
		srv: s, proto: 2, db: s.KS.DB(0), authed: true,
		flags: flagInternal, createdAt: s.now, lastUsed: s.now,
	}
}

// NewMasterClient makes the client that applies the master's stream, starting
// in database db.
func (s *Server) NewMasterClient(db int) *Client {
	c := s.NewInternalClient()
	c.flags |= flagMaster
	if !c.selectDB(db) {
		c.selectDB(0)
	}
	s.master = c
	if s.filter != nil {
		s.filter.db = db
	}
	return c
}

// ConfigChanged applies directives that CONFIG SET changed.
func (s *Server) ConfigChanged() {
	for c := s.clients.head; c != nil; c = c.next {
		c.applyReaderLimits()
	}
	s.afterGates = s.V.WriteRedirection || s.limitsStaleness()
	s.setNotifyFlags()
	s.hookKeyspace(s.KS)
	s.cron.cycle.Profile = expireProfile(s.V)
	s.cron.fields.Profile = s.cron.cycle.Profile
	s.lim = LimitsOf(s.V)
	object.SetListSettings(&s.lists, &s.lim)
}

// MemoryLimitsChanged applies maxmemory, maxmemory-policy and maxmemory-clients.
func (s *Server) MemoryLimitsChanged() {
	s.maxmemoryChanged()
	s.clientsLimitChanged()
}

// Admit decides whether a new connection may talk to the server. A non-empty
// answer is the refusal to send before it is closed.
func (s *Server) Admit(conn Conn) string {
	if s.clients.n >= s.V.MaxClients {
		s.Stats.RejectedConns++
		return "-ERR max number of clients reached\r\n"
	}
	if s.V.ProtectedMode && s.defaultUser.NoPassword() && !isLocal(conn) {
		s.Stats.RejectedConns++
		return "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"
	}
	return ""
}

// isLocal tells whether a connection came by the unix socket or the loopback
// interface.
func isLocal(conn Conn) bool {
	if conn == nil || conn.IsUnix() {
		return true
	}
	a := conn.RemoteAddr()
	return strings.HasPrefix(a, "127.") || strings.HasPrefix(a, "[::1]:")
}

// RemoveClient forgets a connection that is closed.
func (s *Server) RemoveClient(c *Client) {
	if c.flags&flagClosed != 0 {
		return
	}
	c.flags |= flagClosed
	c.unwatchAll()
	c.forgetBlocked()
	c.dropRedirected()
	s.dropSubscriptions(c)
	s.dropMonitor(c)
	s.detach(c)
	s.disableTracking(c)
	c.multi = nil
	s.clients.remove(c)
	s.clientsSum -= c.counted
	delete(s.byID, c.id)
	c.out = nil
}

// SwapKeyspace puts a newly synchronised dataset in place of the old one, in
// one step. Watching clients are told, since every key may have changed; each
// client keeps the number of its database. The old keyspace is released away
// from the loop.
func (s *Server) SwapKeyspace(ks *keyspace.Keyspace) {
	s.abortSaving(errReplaced)
	if s.snapshot != nil {
		s.snapshot.Abort(errReplaced)
	}
	old := s.KS
	s.hookKeyspace(ks)
	s.touchAllWatched()
	s.trackFlush()
	s.KS = ks
	s.evicting.pool.Forget()
	for c := s.clients.head; c != nil; c = c.next {
		c.db = ks.DB(c.db.ID)
	}
	for _, c := range s.locals {
		c.db = ks.DB(c.db.ID)
	}
	if s.script != nil {
		s.script.client.db = ks.DB(s.script.client.db.ID)
	}
	if s.master != nil {
		s.master.db = ks.DB(s.master.db.ID)
	}
	ks.InheritStats(old)
	s.databasesReady(-1, -1)
	s.wholeChanged(-1, "resync")
	old.OnExpired, old.OnFieldsExpired, old.OnNew, old.OnRetire = nil, nil, nil, nil
	s.Host.ReleaseLater(old.Release)
}

// clientList is the list of connected clients in the order of their arrival.
type clientList struct {
	head, tail *Client
	n          int
	turn       *Client // next of those that cron looks at in turn; nil for the head
}

// nextInTurn goes round the list, which must not be empty.
func (l *clientList) nextInTurn() *Client {
	c := l.turn
	if c == nil {
		c = l.head
	}
	l.turn = c.next
	return c
}

func (l *clientList) add(c *Client) {
	c.prev = l.tail
	if l.tail != nil {
		l.tail.next = c
	} else {
		l.head = c
	}
	l.tail = c
	l.n++
}

func (l *clientList) remove(c *Client) {
	if l.turn == c {
		l.turn = c.next
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// newRand is a small fast generator (xorshift64*) for choices that need no
// secrecy: a random key, a sample.
func newRand(seed []byte) func() uint64 {
	x := binary.LittleEndian.Uint64(seed) | 1
	return func() uint64 {
		x ^= x >> 12
		x ^= x << 25
		x ^= x >> 27
		return x * 2685821657736338717
	}
}
