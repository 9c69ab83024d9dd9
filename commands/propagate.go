package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Propagation: what this server writes, as the stream that its replicas apply.
//
// A command goes into the stream if it changed something, and as what it did,
// not as what it was asked: an expiry as a point in time, a random choice as
// its outcome, a script as its commands. Each command, and each deletion of an
// expired key on its way, is an effect. The effects of one outermost command
// are gathered in RESP and leave together when it is done, between MULTI and
// EXEC if they are more than one:
//
//	call ── handler ──► effect: DEL k (had expired)  ┐
//	                    effect: SET k v PXAT …       ├► SELECT? MULTI … EXEC ─► backlog, replicas
//	                    ─────────────────────────────┘
//
// Nothing of this happens, and nothing is spent, before the first replica asks
// for the stream, and while the server follows a master: its replicas then get
// that master's stream, byte for byte (see Relay).

// propagation is the state of the stream's source.
type propagation struct {
	// on: somebody may want the stream (there is a backlog), and it is ours.
	on bool
	// as is what the command in execution asked for.
	as propagateAs
	// noMulti: the effects of now are independent of each other.
	noMulti         bool
	effects         []byte // RESP, of the outermost command
	n               int
	firstDB, lastDB int
	selected        int // database that the stream is in, -1 unknown
	head            []byte
	number          []byte // see propNumber
}

type propagateAs uint8

const (
	// propagateNever: the command's effects have been named, or it has none.
	propagateNever propagateAs = 1 << iota
	// propagateAlways: although no data changed.
	propagateAlways
)

// maxKeptEffects is the most storage for effects that is kept, bytes.
const maxKeptEffects = 1 << 20

// Words of rewritten commands.
var (
	wordSet         = []byte("SET")
	wordPXAT        = []byte("PXAT")
	wordKeepTTL     = []byte("KEEPTTL")
	wordUnlink      = []byte("UNLINK")
	wordPersist     = []byte("PERSIST")
	wordPexpireat   = []byte("PEXPIREAT")
	wordHset        = []byte("HSET")
	wordHdel        = []byte("HDEL")
	wordHpexpireat  = []byte("HPEXPIREAT")
	wordHpersist    = []byte("HPERSIST")
	wordFields      = []byte("FIELDS")
	wordLmove       = []byte("LMOVE")
	wordRpoplpush   = []byte("RPOPLPUSH")
	wordLeft        = []byte("left")
	wordRight       = []byte("right")
	wordZpopmin     = []byte("ZPOPMIN")
	wordZpopmax     = []byte("ZPOPMAX")
	wordZadd        = []byte("zadd")
	wordAbsTTL      = []byte("ABSTTL")
	wordExact       = []byte("=")
	wordXclaim      = []byte("XCLAIM")
	wordXgroup      = []byte("XGROUP")
	wordSetID       = []byte("SETID")
	wordCreateCons  = []byte("CREATECONSUMER")
	wordEntriesRead = []byte("ENTRIESREAD")
	wordTime        = []byte("TIME")
	wordRetryCount  = []byte("RETRYCOUNT")
	wordForce       = []byte("FORCE")
	wordJustID      = []byte("JUSTID")
	wordLastID      = []byte("LASTID")
	wordZero        = []byte("0")
)

var (
	rawMulti = []byte("*1\r\n$5\r\nMULTI\r\n")
	rawExec  = []byte("*1\r\n$4\r\nEXEC\r\n")
)

func appendSelect(dst []byte, db int) []byte {
	var digits [20]byte
	dst = append(dst, "*2\r\n$6\r\nSELECT\r\n"...)
	return resp.AppendBulk(dst, numeric.AppendInt(digits[:0], int64(db)))
}

// alsoPropagate adds an effect on database db to those of the command in
// execution; outside of any command it leaves at once. It keeps no argument.
func (s *Server) alsoPropagate(db int, args ...[]byte) {
	if s.prop.on && (s.current == nil || s.current.flags&flagScript == 0 || s.script.replicates) {
		s.addEffect(db, args)
		if s.current == nil {
			s.propagatePending()
		}
	}
}

func (s *Server) addEffect(db int, args [][]byte) {
	p := &s.prop
	switch {
	case p.n == 0:
		p.firstDB = db
	case db != p.lastDB:
		p.effects = appendSelect(p.effects, db)
	}
	p.lastDB = db
	p.n++
	p.effects = resp.AppendArray(p.effects, len(args))
	for _, a := range args {
		p.effects = resp.AppendBulk(p.effects, a)
	}
}

// rewrite puts a command in place of the one in execution. Called once what it
// says has been done.
func (c *Client) rewrite(args ...[]byte) {
	if p := &c.srv.prop; p.on {
		c.srv.alsoPropagate(c.db.ID, args...)
		p.as |= propagateNever
	}
}

// preventPropagation keeps the command in execution out of the stream.
func (c *Client) preventPropagation() { c.srv.prop.as |= propagateNever }

// forcePropagation puts the command into the stream although it changes no data.
func (c *Client) forcePropagation() { c.srv.prop.as |= propagateAlways }

// propagating tells whether there is a stream of our own to write to, for
// handlers whose rewriting costs something.
func (c *Client) propagating() bool { return c.srv.prop.on }

// propagateCall is what call does for the stream once a handler is done.
func (s *Server) propagateCall(c *Client, dirty int64, outermost bool) {
	p := &s.prop
	if p.as&propagateNever == 0 && (s.dirty > dirty || p.as&propagateAlways != 0) && !c.cmd.isExec {
		if c.flags&flagScript == 0 || s.script.replicates {
			s.addEffect(c.db.ID, c.args)
		}
	}
	if outermost && !s.Busy() {
		p.noMulti = c.cmd.Flags&CmdTouchesArbitraryKeys != 0
		s.propagatePending()
		p.noMulti = false
		c.writeOffset = s.Repl.Offset
		if s.repl.askAcks {
			s.askForAcks()
		}
	}
}

// propagatePending lets the gathered effects leave.
func (s *Server) propagatePending() {
	p := &s.prop
	if p.n == 0 {
		return
	}
	head := p.head[:0]
	if p.selected != p.firstDB {
		head = appendSelect(head, p.firstDB)
	}
	if p.n > 1 && !p.noMulti {
		head = append(head, rawMulti...)
		p.effects = append(p.effects, rawExec...)
	}
	p.head = head
	if len(head) != 0 {
		s.feedStream(head)
	}
	s.feedStream(p.effects)
	p.selected = p.lastDB
	p.n = 0
	p.effects = p.effects[:0]
	if cap(p.effects) > maxKeptEffects {
		p.effects = nil
	}
}

// propagateDeletion is the DEL, or UNLINK if lazy, of a key that went by itself.
func (s *Server) propagateDeletion(db *keyspace.DB, key []byte, lazy bool) {
	if s.prop.on {
		s.alsoPropagate(db.ID, delWord(lazy), key)
	}
}

func delWord(lazy bool) []byte {
	if lazy {
		return wordUnlink
	}
	return wordDel
}

// propNumber is a number as an argument of a rewritten command; valid until the
// next call.
func (s *Server) propNumber(n int64) []byte {
	s.prop.number = numeric.AppendInt(s.prop.number[:0], n)
	return s.prop.number
}
