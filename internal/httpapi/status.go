package httpapi

import (
	"net"
	"sort"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
)

// status is what the page shows, as JSON. Durations are in the unit that their name ends with, sizes in bytes. Texts of clients
// come as they are, with invalid UTF-8 replaced: the page puts them in as text, never as markup.
type status struct {
	NowMs     int64     `json:"now_ms"`
	Version   string    `json:"version"`
	RunID     string    `json:"run_id"`
	UptimeMs  int64     `json:"uptime_ms"`
	Role      string    `json:"role"` // master, replica
	Loading   bool      `json:"loading"`
	Readiness Readiness `json:"readiness"`
	Link      link      `json:"link"`
	Ops       int64     `json:"ops_per_second"`
	InRate    int64     `json:"input_bytes_per_second"`
	OutRate   int64     `json:"output_bytes_per_second"`
	ReplRate  int64     `json:"stream_bytes_per_second"`
	Commands  int64     `json:"commands"`
	Hits      int64     `json:"hits"`
	Misses    int64     `json:"misses"`
	Expired   int64     `json:"expired_keys"`
	Evicted   int64     `json:"evicted_keys"`
	Errors    int64     `json:"error_replies"`
	Memory    memory    `json:"memory"`
	Loop      loop      `json:"loop"`
	Databases []db      `json:"databases"`
	Top       []command `json:"top_commands"`
	Slow      []slow    `json:"slow_log"`
	SlowTotal int       `json:"slow_log_length"`
	Clients   []client  `json:"clients"`
	Connected int       `json:"connected_clients"`
	Blocked   int       `json:"blocked_clients"`
	MaxConns  int       `json:"max_clients"`
	Replicas  int       `json:"replicas"`
}

type link struct {
	Master      string  `json:"master"`
	State       string  `json:"state"`
	Up          bool    `json:"up"`
	Synced      bool    `json:"synced"`
	DownSeconds int64   `json:"down_seconds"` // -1 unknown
	LastIO      int64   `json:"last_io_seconds"`
	Error       string  `json:"error"`
	Syncing     bool    `json:"syncing"`
	SyncRead    int64   `json:"sync_read_bytes"`
	SyncTotal   int64   `json:"sync_total_bytes"` // 0 unknown
	LastSyncMs  float64 `json:"last_sync_ms"`
	LagBytes    int64   `json:"lag_bytes"`
	LagMs       int64   `json:"lag_ms"`
	StaleMs     int64   `json:"staleness_ms"` // -1 unknown
	Offset      int64   `json:"offset"`
	ReplID      string  `json:"replid"`
	FullSyncs   int64   `json:"full_syncs"`
	Partials    int64   `json:"partial_syncs"`
	Reconnects  int64   `json:"reconnects"`
}

type memory struct {
	Used  int64  `json:"used"`
	RSS   int64  `json:"rss"`
	Peak  int64  `json:"peak"`
	Max   int64  `json:"max"`
	Heap  int64  `json:"go_heap"`
	Parts []part `json:"parts"`
}

type part struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

type loop struct {
	Turns     int64 `json:"turns"`
	BusyNs    int64 `json:"busy_ns"`
	LongestNs int64 `json:"longest_ns"`
	GCs       int64 `json:"gc_runs"`
	GCPauseNs int64 `json:"gc_pause_ns"`
}

type db struct {
	ID      int   `json:"id"`
	Keys    int64 `json:"keys"`
	Expires int64 `json:"expires"`
	AvgTTL  int64 `json:"avg_ttl_ms"`
}

type command struct {
	Name   string  `json:"name"`
	Calls  int64   `json:"calls"`
	Micros float64 `json:"mean_us"`
	Failed int64   `json:"failed"`
}

type slow struct {
	ID      int64    `json:"id"`
	Unix    int64    `json:"unix_s"`
	Micros  int64    `json:"us"`
	Command []string `json:"command"`
	Client  string   `json:"client"`
}

type client struct {
	ID      uint64 `json:"id"`
	Addr    string `json:"addr"`
	Name    string `json:"name"`
	User    string `json:"user"`
	Library string `json:"library"`
	Kind    string `json:"kind"`
	Flags   string `json:"flags"`
	Command string `json:"command"`
	DB      int    `json:"db"`
	AgeMs   int64  `json:"age_ms"`
	IdleMs  int64  `json:"idle_ms"`
	Memory  int64  `json:"memory"`
}

// pageCommands are shown, those that took the most time.
const pageCommands = 12

// valid is s with bytes that are no UTF-8 replaced.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func statusOf(f *commands.Figures, set *Settings) *status {
	s := &status{
		NowMs: f.NowMilli, Version: f.Process.Version, RunID: f.Process.RunID, UptimeMs: f.NowMilli - f.Process.StartedAt,
		Role: "master", Loading: f.Loading, Readiness: Judge(f, set),
		Ops: f.OpsPerSecond, InRate: f.InputRate, OutRate: f.OutputRate, ReplRate: f.ReplInputRate,
		Commands: f.Stats.Commands, Hits: f.Stats.KeyspaceHits, Misses: f.Stats.KeyspaceMisses,
		Expired: f.Stats.ExpiredKeys, Evicted: f.Stats.EvictedKeys, Errors: f.Stats.ErrorReplies,
		Memory: memory{Used: f.Memory.Used, RSS: f.Memory.RSS, Peak: f.Memory.Peak, Max: f.MaxMemory, Heap: f.Memory.GoHeapLive},
		Loop:   loop{f.Loop.Turns, f.Loop.BusyNanos, f.Loop.LongestTurnNanos, f.Process.GoNumGC, f.Process.GoGCPauseTotalNanos},
		Slow:   []slow{}, SlowTotal: f.SlowLen, Clients: []client{}, Top: []command{},
		Connected: f.Clients, Blocked: f.BlockedClients, MaxConns: f.MaxClients, Replicas: f.Replicas,
	}
	if l := &f.Link; f.Following {
		s.Role = "replica"
		s.Link = link{
			Master: masterOf(l), State: l.State, Up: l.Up, Synced: l.Synced, DownSeconds: l.DownSinceSeconds, LastIO: l.LastIOSeconds,
			Error: valid(l.LastError), Syncing: l.SyncInProgress, SyncRead: l.SyncReadBytes, SyncTotal: max(l.SyncTotalBytes, 0),
			LastSyncMs: float64(l.LastSyncNanos) / 1e6, LagBytes: f.Freshness.LagBytes, LagMs: f.Freshness.LagMillis,
			StaleMs: f.Freshness.StalenessMillis, FullSyncs: l.FullSyncs, Partials: l.PartialSyncs, Reconnects: l.Reconnects,
		}
	}
	s.Link.Offset, s.Link.ReplID = f.Repl.Offset, f.Repl.ID
	parts(&f.Memory, func(name string, n int64) { s.Memory.Parts = append(s.Memory.Parts, part{name, n}) })
	for _, d := range f.Databases {
		s.Databases = append(s.Databases, db{d.ID, d.Keys, d.Expires, d.AvgTTL})
	}
	byTime := append([]commands.CommandFigures(nil), f.Commands...)
	sort.SliceStable(byTime, func(i, j int) bool { return byTime[i].Nanos > byTime[j].Nanos })
	for _, c := range byTime[:min(len(byTime), pageCommands)] {
		if c.Calls > 0 {
			s.Top = append(s.Top, command{c.Name, c.Calls, float64(c.Nanos) / 1000 / float64(c.Calls), c.Failed + c.Rejected})
		}
	}
	for _, e := range f.SlowLog {
		args := make([]string, len(e.Args))
		for i, a := range e.Args {
			args[i] = valid(a)
		}
		who := e.Addr
		if e.Client != "" {
			who += " " + e.Client
		}
		s.Slow = append(s.Slow, slow{e.ID, e.UnixSeconds, e.Micros, args, valid(who)})
	}
	for _, c := range f.ClientList {
		s.Clients = append(s.Clients, client{
			c.ID, c.Addr, valid(c.Name), valid(c.User), valid(c.Library), c.Kind, c.Flags, c.Command, c.DB, c.AgeMs, c.IdleMs, c.Memory,
		})
	}
	return s
}

func masterOf(l *commands.LinkInfo) string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }
