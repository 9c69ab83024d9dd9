package masterlink

import "io"

// Host is what a Link works for: the owner of the keyspace and of its loop. All methods
// but Post, LoadRDB and Discard run on the loop, in the order in which the link posted
// them; once Stop was called on the loop none of them runs any more.
type Host interface {
	// Post runs fn on the loop, first in first out. Called on the link's goroutines. A
	// host that is closing may drop fn.
	Post(fn func())

	// Resume is called before each handshake, when every chunk handed out was released.
	// The host drops the unfinished command and the open transaction and says where to go
	// on; an empty ReplID asks for a full sync. After a Drop for corruption the host must
	// ask for one.
	Resume() Resume

	// LoadRDB reads a full dataset out of r into a new keyspace that nobody else sees. It
	// runs on the link's goroutine. It need not read r to its end, and an error of r has
	// to be returned (wrapped). On error it frees what it built. The link verifies that
	// the payload ended with the RDB.
	LoadRDB(r io.Reader, info SyncInfo) (Loaded, error)

	// Install swaps the loaded keyspace in and starts the history of info, at its offset.
	Install(l Loaded, info SyncInfo)

	// Discard frees a keyspace that was loaded and will not be installed. It may be called
	// on the link's goroutine or on the loop.
	Discard(l Loaded)

	// Continue tells of a granted partial resync at offset, the one that Resume named.
	// newID is the history's new id, or "" when it is unchanged.
	Continue(newID string, offset int64)

	// OnStream hands over the next bytes of the stream. The host queues the chunk, applies
	// it in slices and calls Release when done.
	OnStream(c *Chunk)

	// OnState tells of every change of state.
	OnState(s Change)
}

// Resume is where a host wants to go on.
type Resume struct {
	ReplID   string // "": full sync
	Offset   int64  // the applied offset
	Failover bool   // PSYNC … FAILOVER
}

// SyncInfo describes a full sync under way.
type SyncInfo struct {
	ReplID string // "" after the fallback to SYNC: such a link cannot be resumed
	Offset int64  // offset of the history that the payload leads to; -1 after SYNC, whose chunks count from 0
	Size   int64  // bytes of the payload, -1 when it is EOF-marked
	Marked bool   // EOF-marked: sent without a file on the master's side
}

// Loaded is a dataset on its way from LoadRDB to Install.
type Loaded struct {
	Data     any   // the host's own
	Bytes    int64 // length of the RDB as the decoder read it, checksum included
	StreamDB int   // database selected at the start of the stream (aux repl-stream-db, else 0)
}

// State is where the link is, by the names of ROLE and INFO.
type State uint8

// The states of a link.
const (
	StateStopped    State = iota // before Start, after Stop
	StateConnect                 // about to connect, or pausing before it
	StateConnecting              // connecting
	StateHandshake               // PING to PSYNC
	StateSync                    // waiting for, receiving and loading a full dataset
	StateConnected               // the stream flows
)

var stateNames = [...]string{"none", "connect", "connecting", "handshake", "sync", "connected"}

// String is the word that ROLE reports.
func (s State) String() string { return stateNames[s] }

// Change is one change of state.
type Change struct {
	State State
	// Err is why the last attempt or link ended, on the way to StateConnect. It names
	// phase and byte offset; errors.As finds the *replproto.Error or *Refused in it.
	Err     error
	Attempt int   // failures in a row
	RetryIn int64 // StateConnect: ns until the next attempt
	WasUp   bool  // StateConnect: the link was StateConnected before
	Full    bool  // StateConnected: reached by a full sync
	// Info describes the sync in StateSync, once more when the payload starts (Size is -1
	// until then).
	Info SyncInfo
}

// Refused is an error that no retry cures, told by a host: an RDB version or a feature
// that this build does not know. The link then pauses for Backoff.Max and logs the remedy.
type Refused struct {
	Err    error
	Remedy string
}

// Error implements error.
func (e *Refused) Error() string {
	if e.Remedy == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (" + e.Remedy + ")"
}

// Unwrap gives the error below.
func (e *Refused) Unwrap() error { return e.Err }

// Status is a snapshot of the counters, for INFO.
type Status struct {
	State         State
	LastIO        int64 // Clock time of the last byte from the master, 0: none yet
	DownSince     int64 // Clock time since which the link is not connected, 0: connected
	SyncTotal     int64 // payload bytes of the sync under way, -1 unknown
	SyncRead      int64 // payload bytes read so far
	SyncLastIO    int64 // Clock time of the last payload byte
	BytesRead     int64 // all bytes from masters
	FullSyncs     int64 // full syncs completed
	PartialSyncs  int64 // partial resyncs granted
	PartialDenied int64 // resumes that were asked for and answered by a full sync
	Failures      int64 // attempts and links that ended with an error
	Acked         int64 // offset of the last ACK written
	Now           int64 // Clock time of the snapshot
}
