package replproto

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// IDLen is the length in bytes of a replication id.
const IDLen = 40

// maxLine bounds one line of the handshake; Redis's own lines stay below 1 KB.
const maxLine = 16 << 10

// Phase is where the replica side of a connection stands.
type Phase uint8

// The phases, in the order in which a connection goes through them.
const (
	PhaseConnect  Phase = iota // no byte exchanged yet; Start leads on
	PhasePing                  // PING sent
	PhaseAuth                  // AUTH sent
	PhaseReplconf              // REPLCONFs sent, several answers due
	PhasePsync                 // PSYNC sent
	PhaseHeader                // full sync granted (or SYNC sent): the payload's header is due
	PhasePayload               // inside the RDB payload
	PhaseStream                // the master's command stream
	PhaseFailed                // an error was returned; the machine is dead
)

// String names the phase for logs and errors.
func (p Phase) String() string {
	switch p {
	case PhaseConnect:
		return "connect"
	case PhasePing:
		return "ping"
	case PhaseAuth:
		return "auth"
	case PhaseReplconf:
		return "replconf"
	case PhasePsync:
		return "psync"
	case PhaseHeader:
		return "payload header"
	case PhasePayload:
		return "payload"
	case PhaseStream:
		return "stream"
	case PhaseFailed:
		return "failed"
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// Config is what a Replica machine needs to know before the connection starts.
type Config struct {
	User string // ACL user for AUTH; "" sends the one-argument form
	Pass string // "" sends no AUTH at all

	ListeningPort int      // REPLCONF listening-port; 0 leaves it out
	AnnounceIP    string   // REPLCONF ip-address; "" leaves it out
	Capa          []string // REPLCONF capa; nil means eof and psync2

	// ReplID and Offset name the history and the last byte of it that is applied. An
	// empty ReplID asks for a full sync.
	ReplID string
	Offset int64
	// Failover is the replication id of a coordinated failover: PSYNC … FAILOVER asks
	// the master to hand over its role. Only meaningful with a ReplID.
	Failover bool

	// How long each phase may stay silent, in nanoseconds; 0 is for ever. In the
	// handshake only a whole line ends a silence, so that a master that drips bytes
	// cannot hold the link for ever.
	HandshakeTimeout int64
	TransferTimeout  int64
	StreamTimeout    int64
}

// EventKind is what Step found.
type EventKind uint8

const (
	// EventNone: all the input is consumed, nothing to tell.
	EventNone EventKind = iota
	// EventNote: Text says something that belongs in the log (a REPLCONF that the master
	// does not know, the fallback to SYNC).
	EventNote
	// EventKeepalive: the master is still preparing; the timeout starts again.
	EventKeepalive
	// EventFullSync: the master grants a full sync. ReplID and Offset name the history
	// that the payload leads to; after the SYNC fallback ReplID is "" and Offset -1, and
	// such a link can neither acknowledge nor resume.
	EventFullSync
	// EventPayload: the payload starts. Size is its length, or -1 when it is EOF-marked.
	EventPayload
	// EventData: Data is the next piece of the payload. It is a view of the input or of
	// the machine, valid until the next Step.
	EventData
	// EventPayloadEnd: the payload is complete to the byte, its mark verified. The bytes
	// that follow are the stream.
	EventPayloadEnd
	// EventContinue: the master resumes the stream after the asked offset. ReplID is the
	// new id of the history when it changed, else "".
	EventContinue
	// EventStream: Data is the next piece of the stream, a view of the input.
	EventStream
)

var eventNames = [...]string{"none", "note", "keepalive", "fullsync", "payload", "data", "payload-end", "continue", "stream"}

// String names the event for transcripts.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is one thing that Step found in the input.
type Event struct {
	Kind   EventKind
	Data   []byte // EventData, EventStream
	ReplID string // EventFullSync, EventContinue
	Offset int64  // EventFullSync; EventContinue: the offset it goes on from
	Size   int64  // EventPayload
	Text   string // EventNote
}

// Replica is the replica side of one connection to a master.
//
//	connect ─Start→ ping ─+PONG, -NOAUTH, -NOPERM, -ERR operation not permitted→
//	  auth (only with a password) ─+OK→ replconf (port, ip, capa; errors are notes) →
//	  psync ─+CONTINUE [id]──────────────────────────────────────────────→ stream
//	        ─+FULLRESYNC id off→ header ─$len or $EOF:mark→ payload ─end→ stream
//	        ─-NOMASTERLINK, -LOADING→ failed, KindLater
//	        ─anything else→ SYNC → header
//	any state ─fault, silence→ failed
//
// An empty line in psync and header is a keepalive. There is one method for each state
// that reads a line (onPing … onHeader), and payload frames the RDB.
//
// A Replica serves one connection; make a new one for the next. Invariant: after an
// error the machine stays in PhaseFailed and returns the same error.
type Replica struct {
	cfg    Config
	phase  Phase
	err    error
	out    []byte
	line   []byte // unfinished line, never longer than maxLine
	seen   int64  // bytes received in this phase; in the stream: the replication offset
	due    []string
	pay    payload
	offset int64 // offset at which the stream starts
	lastIO int64
}

// NewReplica makes the machine for one connection.
func NewReplica(cfg Config) *Replica {
	if cfg.Capa == nil {
		cfg.Capa = []string{"eof", "psync2"}
	}
	return &Replica{cfg: cfg}
}

// Phase reports where the machine stands.
func (m *Replica) Phase() Phase { return m.phase }

// Start begins the handshake on a connection that has just been made. now is monotonic
// time in nanoseconds, as everywhere in this type.
func (m *Replica) Start(now int64) {
	if m.phase != PhaseConnect {
		panic(fmt.Sprintf("replproto: Start in phase %v", m.phase))
	}
	m.enter(PhasePing, now)
	m.out = resp.AppendCommand(m.out, "PING")
}

// Output takes the bytes that are to be written to the master; the slice is valid until
// the next call of Start or Step.
func (m *Replica) Output() []byte {
	p := m.out
	m.out = m.out[:0]
	return p
}

// Wait tells the machine that its owner starts to wait for input only now: a silence
// that the owner itself caused (a busy loop, a slow load) does not count.
func (m *Replica) Wait(now int64) {
	if m.phase >= PhasePayload && now > m.lastIO {
		m.lastIO = now
	}
}

// Deadline is the time at which the present silence has lasted too long, or 0 when
// nothing limits it.
func (m *Replica) Deadline() int64 {
	t := m.timeout()
	if t <= 0 || m.phase == PhaseConnect || m.phase == PhaseFailed {
		return 0
	}
	return m.lastIO + t
}

// Tick reports the timeout of the present phase as an error of KindTimeout, or nil.
func (m *Replica) Tick(now int64) error {
	if m.phase == PhaseFailed {
		return m.err
	}
	if d := m.Deadline(); d != 0 && now >= d {
		what := "no answer"
		switch m.phase {
		case PhasePayload:
			what = "the transfer stands still"
		case PhaseStream:
			what = "no data nor ping"
		}
		return m.fail(KindTimeout, fmt.Sprintf("%s for %d ms", what, (now-m.lastIO)/1e6), "")
	}
	return nil
}

func (m *Replica) timeout() int64 {
	switch m.phase {
	case PhasePayload, PhaseHeader:
		return m.cfg.TransferTimeout
	case PhaseStream:
		return m.cfg.StreamTimeout
	}
	return m.cfg.HandshakeTimeout
}

// Step consumes input until it has something to tell. It returns how many bytes of p it
// consumed; call it again with the rest until the rest is empty and the event is
// EventNone. After every call Output may hold bytes to send.
func (m *Replica) Step(now int64, p []byte) (n int, ev Event, err error) {
	switch m.phase {
	case PhaseConnect:
		panic("replproto: Step before Start")
	case PhaseFailed:
		return 0, Event{}, m.err
	case PhaseStream:
		if len(p) == 0 {
			return 0, Event{}, nil
		}
		m.lastIO = now
		m.seen += int64(len(p))
		return len(p), Event{Kind: EventStream, Data: p}, nil
	case PhasePayload:
		return m.stepPayload(now, p)
	}
	for n < len(p) {
		line, used, ok := m.cutLine(p[n:])
		n += used
		m.seen += int64(used)
		if !ok {
			if len(m.line) > maxLine {
				return n, Event{}, m.fail(KindProtocol, fmt.Sprintf("a line longer than %d bytes: %q…", maxLine, m.line[:64]), "")
			}
			return n, Event{}, nil
		}
		m.lastIO = now
		ev, err = m.onLine(now, line)
		m.line = m.line[:0]
		if err != nil || ev.Kind != EventNone {
			return n, ev, err
		}
	}
	return n, Event{}, nil
}

// cutLine takes one line off p, or keeps p for later when it holds no end of line.
func (m *Replica) cutLine(p []byte) (line []byte, used int, ok bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		room := maxLine + 1 - len(m.line)
		m.line = append(m.line, p[:min(room, len(p))]...)
		return nil, len(p), false
	}
	line = p[:i]
	if len(m.line) > 0 {
		m.line = append(m.line, line...)
		line = m.line
	}
	if k := len(line); k > 0 && line[k-1] == '\r' {
		line = line[:k-1]
	}
	return line, i + 1, true
}

func (m *Replica) onLine(now int64, line []byte) (Event, error) {
	if len(line) > maxLine {
		return Event{}, m.fail(KindProtocol, fmt.Sprintf("a line longer than %d bytes: %q…", maxLine, line[:64]), "")
	}
	switch m.phase {
	case PhasePing:
		return m.onPing(now, line)
	case PhaseAuth:
		return m.onAuth(now, line)
	case PhaseReplconf:
		return m.onReplconf(now, line)
	case PhasePsync:
		return m.onPsync(now, line)
	case PhaseHeader:
		return m.onHeader(now, line)
	}
	panic(fmt.Sprintf("replproto: a line in phase %v", m.phase))
}

// onPing accepts every answer that shows a Redis at the other end, even one that wants
// credentials first: those come next.
func (m *Replica) onPing(now int64, line []byte) (Event, error) {
	switch {
	case has(line, "+"), has(line, "-NOAUTH"), has(line, "-NOPERM"), has(line, "-ERR operation not permitted"):
	case later(line), has(line, "-MASTERDOWN"):
		return Event{}, m.fail(KindLater, fmt.Sprintf("the master is not ready: %s", quote(line)), "")
	case has(line, "-"):
		return Event{}, m.fail(KindAborted, fmt.Sprintf("error reply to PING: %s", quote(line)), "")
	default:
		return Event{}, m.fail(KindProtocol, fmt.Sprintf("unexpected reply to PING: %s", quote(line)), "is the other end a Redis or Valkey server?")
	}
	if m.cfg.Pass == "" {
		m.sendReplconf(now)
		return Event{}, nil
	}
	m.enter(PhaseAuth, now)
	if m.cfg.User != "" {
		m.out = resp.AppendCommand(m.out, "AUTH", m.cfg.User, m.cfg.Pass)
	} else {
		m.out = resp.AppendCommand(m.out, "AUTH", m.cfg.Pass)
	}
	return Event{}, nil
}

// onAuth: an error here is final for the connection.
func (m *Replica) onAuth(now int64, line []byte) (Event, error) {
	if has(line, "+") {
		m.sendReplconf(now)
		return Event{}, nil
	}
	if has(line, "-") {
		return Event{}, m.fail(KindRefused, fmt.Sprintf("unable to AUTH to the master: %s", quote(line)),
			"check masteruser and masterauth against the master's ACL")
	}
	return Event{}, m.fail(KindProtocol, fmt.Sprintf("unexpected reply to AUTH: %s", quote(line)), "")
}

// sendReplconf sends all that we announce in one write; the answers come in order.
func (m *Replica) sendReplconf(now int64) {
	m.enter(PhaseReplconf, now)
	if m.cfg.ListeningPort != 0 {
		m.out = resp.AppendCommand(m.out, "REPLCONF", "listening-port", strconv.Itoa(m.cfg.ListeningPort))
		m.due = append(m.due, "listening-port")
	}
	if m.cfg.AnnounceIP != "" {
		m.out = resp.AppendCommand(m.out, "REPLCONF", "ip-address", m.cfg.AnnounceIP)
		m.due = append(m.due, "ip-address")
	}
	if len(m.cfg.Capa) > 0 {
		args := []string{"REPLCONF"}
		for _, c := range m.cfg.Capa {
			args = append(args, "capa", c)
		}
		m.out = resp.AppendCommand(m.out, args...)
		m.due = append(m.due, "capa")
	}
	if len(m.due) == 0 {
		m.sendPsync(now)
	}
}

// onReplconf: a master that does not know an option may still serve us.
func (m *Replica) onReplconf(now int64, line []byte) (Event, error) {
	option := m.due[0]
	if !has(line, "+") && !has(line, "-") {
		return Event{}, m.fail(KindProtocol, fmt.Sprintf("unexpected reply to REPLCONF %s: %s", option, quote(line)), "")
	}
	m.due = m.due[1:]
	if len(m.due) == 0 {
		m.sendPsync(now)
	}
	if has(line, "-") {
		return Event{Kind: EventNote, Text: fmt.Sprintf("the master does not take REPLCONF %s: %s", option, quote(line))}, nil
	}
	return Event{}, nil
}

func (m *Replica) sendPsync(now int64) {
	m.enter(PhasePsync, now)
	if m.cfg.ReplID == "" {
		m.out = resp.AppendCommand(m.out, "PSYNC", "?", "-1")
		return
	}
	next := strconv.FormatInt(m.cfg.Offset+1, 10)
	if m.cfg.Failover {
		m.out = resp.AppendCommand(m.out, "PSYNC", m.cfg.ReplID, next, "FAILOVER")
		return
	}
	m.out = resp.AppendCommand(m.out, "PSYNC", m.cfg.ReplID, next)
}

func (m *Replica) onPsync(now int64, line []byte) (Event, error) {
	switch {
	case len(line) == 0:
		return Event{Kind: EventKeepalive}, nil
	case has(line, "+FULLRESYNC"):
		f := strings.Fields(string(line))
		if len(f) != 3 || len(f[1]) != IDLen {
			return Event{}, m.fail(KindProtocol, fmt.Sprintf("malformed +FULLRESYNC: %s", quote(line)), "")
		}
		off, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil || off < 0 {
			return Event{}, m.fail(KindProtocol, fmt.Sprintf("malformed offset in +FULLRESYNC: %s", quote(line)), "")
		}
		m.offset = off
		m.enter(PhaseHeader, now)
		return Event{Kind: EventFullSync, ReplID: f[1], Offset: off}, nil
	case has(line, "+CONTINUE"):
		if m.cfg.ReplID == "" {
			return Event{}, m.fail(KindProtocol, "+CONTINUE although a full sync was asked for", "")
		}
		f := strings.Fields(string(line))
		ev := Event{Kind: EventContinue, Offset: m.cfg.Offset}
		if len(f) > 1 && len(f[1]) != IDLen {
			return Event{}, m.fail(KindProtocol, fmt.Sprintf("malformed +CONTINUE: %s", quote(line)), "")
		}
		if len(f) > 1 && f[1] != m.cfg.ReplID {
			ev.ReplID = f[1]
		}
		m.offset = m.cfg.Offset
		m.enter(PhaseStream, now)
		return ev, nil
	case later(line):
		return Event{}, m.fail(KindLater, fmt.Sprintf("the master cannot sync now: %s", quote(line)), "")
	}
	// Whatever else it says, the master does not speak PSYNC with us. SYNC is the
	// protocol of before: no id, no offset, no acknowledgement.
	m.offset = 0
	m.enter(PhaseHeader, now)
	m.out = append(m.out, "SYNC\r\n"...)
	return Event{Kind: EventFullSync, Offset: -1, Text: fmt.Sprintf("unexpected reply to PSYNC: %s; trying SYNC", quote(line))}, nil
}

func (m *Replica) onHeader(now int64, line []byte) (Event, error) {
	switch {
	case len(line) == 0:
		return Event{Kind: EventKeepalive}, nil
	case has(line, "-"):
		kind, remedy := KindAborted, ""
		switch {
		case has(line, "-NOAUTH"):
			kind, remedy = KindRefused, "the master wants credentials: set masterauth (and masteruser)"
		case has(line, "-NOPERM"):
			kind, remedy = KindRefused, "grant the replication user +psync +replconf +ping on the master"
		case later(line), has(line, "-MASTERDOWN"):
			kind = KindLater
		}
		return Event{}, m.fail(kind, fmt.Sprintf("the master aborted the sync: %s", quote(line)), remedy)
	case !has(line, "$"):
		return Event{}, m.fail(KindProtocol, fmt.Sprintf("the payload's header does not start with '$': %s", quote(line)),
			"is this address the master's, and is it a Redis or Valkey server?")
	}
	if has(line, "$EOF:") {
		mark := line[len("$EOF:"):]
		if len(mark) != markLen {
			return Event{}, m.fail(KindProtocol, fmt.Sprintf("an end mark of %d bytes instead of %d: %s", len(mark), markLen, quote(line)), "")
		}
		m.pay.startMarked(mark)
		m.enter(PhasePayload, now)
		return Event{Kind: EventPayload, Size: -1}, nil
	}
	size, err := strconv.ParseInt(string(line[1:]), 10, 64)
	if err != nil || size < 0 || line[1] == '+' {
		return Event{}, m.fail(KindProtocol, fmt.Sprintf("malformed payload length: %s", quote(line)), "")
	}
	m.pay.startSized(size)
	m.enter(PhasePayload, now)
	return Event{Kind: EventPayload, Size: size}, nil
}

func (m *Replica) stepPayload(now int64, p []byte) (int, Event, error) {
	if len(p) > 0 {
		m.lastIO = now
	}
	n, data, end := m.pay.next(p)
	m.seen += int64(n)
	if end {
		m.enter(PhaseStream, now)
		return n, Event{Kind: EventPayloadEnd}, nil
	}
	if len(data) > 0 {
		return n, Event{Kind: EventData, Data: data}, nil
	}
	return n, Event{}, nil
}

// Remaining is the number of payload bytes still to come, or -1 when the payload is
// EOF-marked. It is only meaningful in PhasePayload.
func (m *Replica) Remaining() int64 {
	if m.pay.marked {
		return -1
	}
	return m.pay.left
}

// Held is how many bytes at the end of the input so far may belong to the end mark and
// were therefore neither handed out nor taken for it: at most 39.
func (m *Replica) Held() int { return m.pay.match }

// Closed turns the end of the connection (cause is what the socket said) into an error
// that names the phase and the offset.
func (m *Replica) Closed(cause error) error {
	if m.phase == PhaseFailed {
		return m.err
	}
	err := &Error{Phase: m.phase, Offset: m.seen, Kind: KindLost, Msg: fmt.Sprintf("connection lost: %v", cause), Cause: cause}
	if m.phase == PhasePayload && !m.pay.marked {
		err.Msg += fmt.Sprintf("; %d bytes of the payload are missing", m.pay.left)
	}
	m.err, m.phase = err, PhaseFailed
	return err
}

func (m *Replica) enter(p Phase, now int64) {
	m.phase = p
	m.lastIO = now
	m.seen = 0
	if p == PhaseStream {
		m.seen = m.offset
	}
}

func (m *Replica) fail(k Kind, msg, remedy string) error {
	m.err = &Error{Phase: m.phase, Offset: m.seen, Kind: k, Msg: msg, Remedy: remedy}
	m.phase = PhaseFailed
	return m.err
}

func later(line []byte) bool {
	return has(line, "-LOADING") || has(line, "-NOMASTERLINK")
}

func has(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && string(line[:len(prefix)]) == prefix
}

// quote shortens what a stranger sent before it goes into a log.
func quote(line []byte) string {
	const most = 200
	if len(line) > most {
		return strconv.Quote(string(line[:most])) + "…"
	}
	return strconv.Quote(string(line))
}
