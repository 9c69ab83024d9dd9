package commands

// Figures is what the server measures of itself, as values that nobody shares:
// the loop goroutine makes them, any other may keep and read them. Counters
// count since the start or since CONFIG RESETSTAT.
type Figures struct {
	Process   ProcessInfo
	Loop      LoopInfo
	Link      LinkInfo
	Freshness Freshness
	Stats     Stats
	Memory    MemoryFigures

	NowMilli  int64 // unix
	Following bool  // a master is configured
	Loading   bool  // there is no dataset yet that could be served
	ReadOnly  bool  // writes of clients are refused
	Repl      ReplID

	Clients, Replicas          int // connected; replicas are not among the clients
	BlockedClients, MaxClients int
	PubSubClients              int
	TrackingClients            int
	TrackedKeys                int
	Channels, Patterns         int

	NetInput, ReplOutput    int64   // bytes
	CommandNanos            int64   // spent in commands
	CompactNanos            int64   // spent in compaction
	OpsPerSecond            int64   // over the last 1.6 s
	InputRate, OutputRate   int64   // bytes a second, the same
	ReplInputRate           int64   // bytes a second from the master
	ExpiredStale            float64 // estimated share of keys that are expired and still there, 0 to 1
	MaxMemory               int64   // bytes, 0 for none
	DirtyKeys               int64   // changes since the last snapshot
	LastSave                int64   // unix seconds
	SaveRunning, SaveFailed bool
	BacklogBytes            int64 // history that the backlog holds

	Databases []DatabaseFigures
	Commands  []CommandFigures // those that were called, by name of the table
	Errors    []ErrorFigures   // replies, by their first word
	SlowLen   int
	SlowLast  int64 // id of the newest entry of the slow log, -1 for none
	SlowNanos int64 // of it

	// The following are there on request.
	SlowLog    []SlowFigures   // newest first
	ClientList []ClientFigures // in the order of their arrival
}

// MemoryFigures are bytes; see the table at memoryFigures for what adds up to what.
type MemoryFigures struct {
	Used, Startup, Peak            int64
	Dataset, Overhead              int64
	Allocated, Active, Resident    int64
	RSS                            int64
	Tables, Expires                int64
	ClientsNormal, ClientsReplicas int64
	Backlog, Scripts, Tracking     int64
	ArenaLive, ArenaSlabs          int64
	ArenaCommitted                 int64
	GoHeapLive, GoHeapInUse        int64
	NotEvictable                   int64 // what is not counted for eviction
}

// DatabaseFigures are those of a database. Without keys it is left out, but for the first.
type DatabaseFigures struct {
	ID            int
	Keys, Expires int64
	AvgTTL        int64 // ms
}

// LatencyBounds are the bounds of CommandFigures.Counts, nanoseconds: each is the least duration that is no longer counted.
// They are powers of two, and so bounds of the histograms' own buckets.
var LatencyBounds = [...]int64{1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30, 1 << 32}

// CommandFigures are those of a command.
type CommandFigures struct {
	Name                           string
	Calls, Nanos, Rejected, Failed int64
	// Timed is the number of calls in the histogram, Counts those below each of LatencyBounds.
	Timed  int64
	Counts [len(LatencyBounds)]int64
}

// ErrorFigures are the error replies that start with a word.
type ErrorFigures struct {
	Code  string
	Count int64
}

// SlowFigures is an entry of the slow log; secrets in its arguments are left out.
type SlowFigures struct {
	ID, UnixSeconds, Micros int64
	Args                    []string
	Addr, Client            string
}

// ClientFigures is a connection.
type ClientFigures struct {
	ID               uint64
	Addr, Name, User string
	Library          string
	Kind, Flags      string
	Command          string // the last one
	DB               int
	AgeMs, IdleMs    int64
	Memory, Unsent   int64 // bytes
}

// Figures measures. slow and clients say how many entries of the slow log and
// of the list of clients are wanted, 0 for none. Loop goroutine; it takes some
// hundred microseconds.
func (s *Server) Figures(slow, clients int) *Figures {
	p := s.Host.Process()
	s.infoProcess = &p
	defer func() { s.infoProcess = nil }()
	m := s.memoryFigures()
	f := &Figures{
		Process: p, Loop: s.Host.Loop(), Link: s.Host.Replication(), Freshness: s.Freshness(), Stats: s.Stats,
		NowMilli: s.Host.UnixMilli(), Following: s.Following(), Loading: s.Loading,
		ReadOnly: s.Following() && s.V.ReplicaReadOnly, Repl: s.Repl,
		Clients: s.clients.n - len(s.repl.replicas), Replicas: len(s.repl.replicas),
		BlockedClients: s.blockedCount, MaxClients: s.V.MaxClients, PubSubClients: s.pubsub.count,
		TrackingClients: s.tracking.clients, TrackedKeys: len(s.tracking.table),
		Channels: len(s.pubsub.channels), Patterns: len(s.pubsub.patterns),
		NetInput: s.Stats.netInput, ReplOutput: s.Stats.replOutput,
		CommandNanos: s.Stats.commandNanos, CompactNanos: s.Stats.compactNanos,
		OpsPerSecond: s.ops.rate(0), InputRate: s.ops.rate(1), OutputRate: s.ops.rate(2), ReplInputRate: s.ops.rate(3),
		ExpiredStale: s.cron.cycle.StaleFraction(), MaxMemory: int64(s.V.Maxmemory),
		DirtyKeys: s.dirty, LastSave: s.lastSave, SaveRunning: s.savingNow(), SaveFailed: s.persist.failed,
		Memory: MemoryFigures{
			Used: m.used, Startup: m.startup, Peak: m.peak, Dataset: m.dataset, Overhead: m.overhead,
			Allocated: m.allocated, Active: m.active, Resident: m.resident, RSS: m.rss,
			Tables: m.tables, Expires: m.expires, ClientsNormal: m.clientsNormal, ClientsReplicas: m.clientsReplicas,
			Backlog: m.backlog, Scripts: m.vmEval + m.vmFunctions + m.scripts + m.functions, Tracking: m.tracking,
			ArenaLive: m.arenaLive, ArenaSlabs: m.arenaSlabs, ArenaCommitted: m.arenaCommitted,
			GoHeapLive: s.heapLive, GoHeapInUse: p.GoHeapInUse, NotEvictable: s.notEvictable(),
		},
		SlowLen: len(s.slowlog.entries), SlowLast: s.slowlog.nextID - 1,
	}
	if b := s.repl.backlog; b != nil {
		f.BacklogBytes = b.Len()
	}
	for i := range s.KS.Databases() {
		if db := s.KS.DB(i); i == 0 || db.Len() > 0 {
			f.Databases = append(f.Databases, DatabaseFigures{ID: i, Keys: int64(db.Len()), Expires: int64(db.Expires()), AvgTTL: db.AvgTTL()})
		}
	}
	for id := range s.Table.Len() {
		cmd := s.Table.ByID(id)
		st := &s.cmdStats[cmd.ID]
		if st.calls == 0 && st.failed == 0 && st.rejected == 0 {
			continue
		}
		f.Commands = append(f.Commands, CommandFigures{Name: cmd.FullName, Calls: st.calls, Nanos: st.nanos, Rejected: st.rejected, Failed: st.failed})
		if s.V.LatencyTracking {
			st.fold(&f.Commands[len(f.Commands)-1])
		}
	}
	for name, n := range s.errorStats {
		f.Errors = append(f.Errors, ErrorFigures{name, *n})
	}
	if n := len(s.slowlog.entries); n > 0 {
		f.SlowNanos = s.slowlog.entries[n-1].micros * 1000
		for i := n - 1; i >= max(n-slow, 0); i-- {
			e := &s.slowlog.entries[i]
			f.SlowLog = append(f.SlowLog, SlowFigures{e.id, e.when, e.micros, e.args, e.addr, e.clientID})
		}
	}
	for c := s.clients.head; c != nil && len(f.ClientList) < clients; c = c.next {
		f.ClientList = append(f.ClientList, s.clientFigures(c))
	}
	return f
}

// fold counts the histogram's calls by the coarser bounds of Figures.
func (st *cmdStat) fold(f *CommandFigures) {
	if st.hist == nil {
		return
	}
	next := 0
	for i, n := range st.hist {
		for next < len(LatencyBounds) && histValue(i) >= LatencyBounds[next] {
			f.Counts[next] = f.Timed
			next++
		}
		f.Timed += int64(n)
	}
	for ; next < len(LatencyBounds); next++ {
		f.Counts[next] = f.Timed
	}
}

func (s *Server) clientFigures(c *Client) ClientFigures {
	now := s.Host.UnixMilli()
	f := ClientFigures{
		ID: c.id, Name: c.name, User: "(superuser)", Kind: c.typeName(), Flags: c.flagLetters(), DB: c.db.ID,
		AgeMs: max(now-c.createdAt, 0), IdleMs: max(now-c.lastUsed, 0), Memory: c.memory(),
	}
	if c.libName != "" {
		f.Library = c.libName + " " + c.libVer
	}
	if c.user != nil {
		f.User = c.user.Name
	}
	if c.lastCmd != nil {
		f.Command = c.lastCmd.FullName
	}
	if c.conn != nil {
		f.Addr, f.Unsent = c.conn.RemoteAddr(), int64(c.conn.Pending())
	}
	return f
}
