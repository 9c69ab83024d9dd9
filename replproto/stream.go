package replproto

import (
	"fmt"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Stream cuts the master's command stream into commands and keeps the exact offsets.
//
//	bytes    … SET │ MULTI SET SET EXEC │ PING │ SE
//	received                                    ▲
//	applied        ▲ stands still in MULTI ▲ …
//
// Every byte counts: PING, SELECT, REPLCONF GETACK and empty lines too. The applied
// offset moves when the owner calls Done after it has run the command; from MULTI on it
// stands still, and jumps at EXEC. When a link is lost, Reset with Applied makes both
// offsets one again: the unfinished command and the open transaction come again, whole.
//
// The order of calls is Feed, then Next and Done for each command until Next has none;
// the fed bytes are read in place and must not change before that. An error of Next is
// corruption: the link has to be dropped and must not be resumed from.
type Stream struct {
	r       resp.Reader
	fed     int64 // offset of the last byte received
	applied int64
	multi   bool
	verb    verb
	open    bool   // a command was returned and Done is due
	in      []byte // what Feed gave last
	head    byte   // first byte of the unfinished element
	err     error
}

type verb uint8

const (
	verbOther verb = iota
	verbMulti
	verbExec // or DISCARD
)

// NewStream makes a stream that goes on after offset.
func NewStream(offset int64) *Stream {
	s := new(Stream)
	s.Init(offset)
	return s
}

// Init prepares a Stream embedded by value.
func (s *Stream) Init(offset int64) {
	s.r.Init()
	s.r.Master, s.r.Authenticated = true, true
	s.Reset(offset)
}

// Reset drops the unfinished command, the open transaction and an error, and goes on
// after offset: for a new history, or with Applied for a resumed one.
func (s *Stream) Reset(offset int64) {
	s.r.Reset(offset)
	s.fed, s.applied = offset, offset
	s.multi, s.open, s.verb = false, false, verbOther
	s.in, s.err = nil, nil
}

// Feed gives the next bytes of the stream.
func (s *Stream) Feed(p []byte) {
	s.fed += int64(len(p))
	s.in = p
	s.r.Feed(p)
}

// Keep copies what is left of the fed bytes so that their buffer may be reused before
// Next has run dry.
func (s *Stream) Keep() { s.r.Keep() }

// Next returns the next whole command, or ok false when more bytes are needed. The
// arguments are views that are valid until the next Feed or the reuse of the fed bytes.
//
// The error is an *Error of KindProtocol with the replication offset.
func (s *Stream) Next() (args [][]byte, ok bool, err error) {
	if s.open {
		panic(fmt.Sprintf("replproto: Next without Done at offset %d, applied %d", s.r.Pos(), s.applied))
	}
	if s.err != nil {
		return nil, false, s.err
	}
	args, ok, err = s.r.Next()
	if err != nil {
		s.err = &Error{Phase: PhaseStream, Offset: s.r.Pos(), Kind: KindProtocol,
			Msg: fmt.Sprintf("corrupt command stream: %v", err), Cause: err}
		return nil, false, s.err
	}
	if !ok {
		return nil, false, s.checkHead()
	}
	s.open = true
	s.verb = verbOf(args[0])
	return args, true, nil
}

// checkHead looks at the first byte of what is left unfinished. A reader of clients waits
// for the end of any line, which zeros or noise may not bring for 64 KB; from a master
// only the start of an array and an empty line make sense, so the rest is told at once.
func (s *Stream) checkHead() error {
	n := s.r.Buffered()
	if n == 0 {
		return nil
	}
	if n <= len(s.in) {
		s.head = s.in[len(s.in)-n]
	}
	if s.head == '*' || s.head == '\r' && n == 1 {
		return nil
	}
	s.err = &Error{Phase: PhaseStream, Offset: s.r.Pos(), Kind: KindProtocol,
		Msg: fmt.Sprintf("corrupt command stream: a command starts with %q instead of '*'", s.head)}
	return s.err
}

// Done says that the command which Next returned last is applied (or, inside of MULTI,
// queued).
func (s *Stream) Done() {
	if !s.open {
		panic(fmt.Sprintf("replproto: Done without a command at offset %d", s.r.Pos()))
	}
	s.open = false
	switch s.verb {
	case verbMulti:
		s.multi = true
		return
	case verbExec:
		s.multi = false
	}
	if !s.multi {
		s.applied = s.r.Pos()
	}
}

// Ahead is resp.Reader.Ahead: keys of the commands to come.
func (s *Stream) Ahead(keys [][]byte) [][]byte { return s.r.Ahead(keys) }

// Raw returns the bytes on the wire of the command that Next returned last, valid as long
// as its arguments.
func (s *Stream) Raw() []byte { return s.r.Raw() }

// Applied is the offset up to which the stream is applied: what ACK, INFO and a resume
// name.
func (s *Stream) Applied() int64 { return s.applied }

// Received is the offset of the last byte received (slave_read_repl_offset).
func (s *Stream) Received() int64 { return s.fed }

// InMulti tells whether a transaction of the master is open.
func (s *Stream) InMulti() bool { return s.multi }

// Buffered is how many received bytes are not yet returned as commands.
func (s *Stream) Buffered() int { return s.r.Buffered() }

// Release gives back scratch memory when nothing is buffered.
func (s *Stream) Release() { s.r.Release() }

func verbOf(name []byte) verb {
	switch len(name) {
	case 4:
		if fold(name, "exec") {
			return verbExec
		}
	case 5:
		if fold(name, "multi") {
			return verbMulti
		}
	case 7:
		if fold(name, "discard") {
			return verbExec
		}
	}
	return verbOther
}

// fold compares with a lower-case ASCII word of the same length. Setting bit 5 also maps
// a few punctuation marks, none of which makes a letter.
func fold(name []byte, word string) bool {
	for i := 0; i < len(word); i++ {
		if name[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}
