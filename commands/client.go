package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/acl"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Conn is what a client needs of the connection under it. The event loop's
// connection implements it; scripts and the master's stream have none.
// All methods are called on the loop goroutine.
type Conn interface {
	// ID is unique for the life of the process and grows with each connection.
	ID() uint64
	RemoteAddr() string
	LocalAddr() string
	Fd() int
	IsUnix() bool
	// Pending is the number of reply bytes that the kernel has not taken yet.
	Pending() int
	// Push appends bytes to the output of a connection that is not the one
	// being served; they leave at the end of the current callback.
	Push(p []byte)
	// PushShared is Push of p, which Host.Share was given in the same callback and answered with s.
	PushShared(p []byte, s Shared)
	// Flush hands the replies in out to the kernel while the connection is being
	// served, and returns the buffer to go on with.
	Flush(out []byte) []byte
	// Close drops the connection and its pending output.
	Close()
	// CloseAfterFlush sends what is pending first.
	CloseAfterFlush()
	// PauseRead and ResumeRead stop and restart the delivery of input.
	PauseRead()
	ResumeRead()
}

// Shared is the place of output that goes to many connections.
type Shared struct{ From, To int }

// clientFlags are the states of a client.
type clientFlags uint32

const (
	flagMaster       clientFlags = 1 << iota // the master's stream, applied by us
	flagMulti                                // between MULTI and EXEC
	flagDirtyCAS                             // a watched key changed: EXEC answers nil
	flagDirtyExec                            // a command was refused while queueing: EXEC aborts
	flagCloseAfter                           // close once the replies are out
	flagClosed                               // the connection is gone
	flagReplyOff                             // CLIENT REPLY OFF
	flagReplySkip                            // drop the reply of this command
	flagReplySkipNxt                         // drop the reply of the next command
	flagScript                               // the client inside a script
	flagReadOnly                             // READONLY was sent
	flagNoEvict                              // CLIENT NO-EVICT
	flagNoTouch                              // CLIENT NO-TOUCH
	flagDenyBlocking                         // must not block: inside MULTI or a script
	flagPostponed                            // held back by CLIENT PAUSE
	flagPubSub                               // has at least one subscription
	flagExecuting                            // inside EXEC
	flagReplicaConn                          // announced itself as a replica
	flagInternal                             // made by the server itself: not listed, not counted
	flagMonitor                              // sees every command
	flagCapaRedirect                         // CLIENT CAPA redirect
)

// Client is one peer whose commands are executed: a connection, the master's
// stream, or the server itself. Everything in it belongs to the loop goroutine.
//
// Fields are ordered so that those which every command touches share the first
// cache lines.
type Client struct {
	srv   *Server
	db    *keyspace.DB
	out   []byte   // replies of the commands of this turn
	args  [][]byte // views into the input, valid during the command only
	cmd   *Command
	proto int
	flags clientFlags
	// failed is set when the command in execution answered an error.
	failed bool
	authed bool
	// serving is set while the client has the lent output.
	serving bool

	reader *resp.Reader
	conn   Conn
	id     uint64

	lastCmd   *Command
	lastUsed  int64 // unix ms at which it last sent something, or took some of its output
	waiting   int   // bytes of output that waited when cron last looked
	createdAt int64 // unix ms
	commands  int64
	bytesIn   int64
	bytesOut  int64
	name      string
	libName   string
	libVer    string
	user      *acl.User // nil: may do everything
	multi     *multiState
	watch     []*watchedKey
	subs      *subscriptions
	track     *trackState
	announce  announced
	// blocked holds what a blocking command waits for; nil when it does not.
	blocked *blockedState
	// retrying is set while a blocked command runs again.
	retrying *blockedState
	// held is a command that a pause holds back: it runs first when it ends.
	held [][]byte
	// writeOffset is the offset of the stream after its last command: what WAIT
	// waits for, as in Redis. Kept only while there is a stream of our own.
	writeOffset int64
	// replica is set for a connection that is sent the stream.
	replica *replicaConn
	// redir is what is under way at the master; nil mostly.
	redir      *redirState
	prev, next *Client // in the server's list, by arrival
	// counted is the client's share of the server's clientsSum, bytes.
	counted int64
}

func (c *Client) isMaster() bool { return c.flags&flagMaster != 0 }

// now is the logical time of the command, unix milliseconds: it stands still
// while a command, a transaction or a script runs.
func (c *Client) now() int64 { return c.srv.now }

// cmdName is the full name of the command in execution ("set", "config|get").
func (c *Client) cmdName() string {
	if c.cmd == nil {
		return ""
	}
	return c.cmd.FullName
}

// ID is the number that CLIENT ID answers.
func (c *Client) ID() uint64 { return c.id }

// Reader is the incremental parser of the client's input.
func (c *Client) Reader() *resp.Reader { return c.reader }

// SetOutput lends the client the buffer that replies are appended to, and
// Output takes it back. The loop lends one buffer to whichever connection it
// serves, so that an idle client holds none.
func (c *Client) SetOutput(b []byte) { c.out, c.serving = b, b != nil }

// Output returns the lent buffer with what was appended to it.
func (c *Client) Output() []byte { return c.out }

// Conn is the connection under the client, nil when it has none.
func (c *Client) Conn() Conn { return c.conn }

// Closing tells whether the connection is to be closed once its replies are
// out.
func (c *Client) Closing() bool { return c.flags&flagCloseAfter != 0 }

// OutputClass is the class of the client in client-output-buffer-limit.
func (c *Client) OutputClass() int {
	switch {
	case c.flags&flagReplicaConn != 0:
		return config.ClientReplica
	case c.flags&flagPubSub != 0:
		return config.ClientPubsub
	}
	return config.ClientNormal
}

// OutputUnlimited tells whether the client's output is a snapshot, which is as
// large as the data and paced by its own means.
func (c *Client) OutputUnlimited() bool { return c.replica != nil && c.replica.state == replicaLoads }

// Reset drops the open transaction: for the master's stream after a lost link.
func (c *Client) Reset() {
	c.discardTransaction()
	if c.srv.filter != nil {
		c.srv.filter.drop()
	}
}

// arg returns argument i as a string copy, for arguments that are kept.
func (c *Client) arg(i int) string { return string(c.args[i]) }

// selectDB points the client to database n; false when there is none.
func (c *Client) selectDB(n int) bool {
	if n < 0 || n >= c.srv.KS.Databases() {
		return false
	}
	c.db = c.srv.KS.DB(n)
	return true
}

// closeAsync ends the connection once the replies written so far are out.
func (c *Client) closeAsync() {
	c.flags |= flagCloseAfter
}

// Abandon drops the replies of a client whose connection is being closed, and has it execute nothing more.
func (c *Client) Abandon() {
	c.flags |= flagCloseAfter
	if c.serving {
		c.out = c.out[:0]
	}
}

// holdsInput tells whether commands of the client wait in its reader until something has happened.
func (c *Client) holdsInput() bool { return c.blocked != nil || c.flags&flagPostponed != 0 }

// pushShared is push of what many clients get.
func (c *Client) pushShared(p []byte, s Shared) {
	if c.conn == nil || c.serving || c.flags&(flagClosed|flagReplicaConn) != 0 || c.srv.clientsMax > 0 {
		c.push(p)
		return
	}
	c.bytesOut += int64(len(p))
	c.conn.PushShared(p, s)
}

// passQuiet keeps what stands in the client's output from an offset on, even if its replies are dropped.
func (c *Client) passQuiet(from int) {
	if q := &c.srv.quiet; q.c == c {
		q.pushes = append(q.pushes, c.out[from:]...)
	}
}

// push sends bytes to a client that is not the one in execution: a pub/sub
// message, an invalidation, a copy of the stream.
func (c *Client) push(p []byte) {
	if c.conn == nil || c.flags&flagClosed != 0 {
		return
	}
	if c.serving {
		// Its own replies of this turn come first.
		c.out = append(c.out, p...)
		c.passQuiet(len(c.out) - len(p))
		return
	}
	c.bytesOut += int64(len(p))
	if c.flags&flagReplicaConn != 0 {
		c.srv.Stats.replOutput += int64(len(p))
	}
	c.conn.Push(p)
	if c.srv.clientsMax > 0 {
		c.srv.account(c)
	}
}
