package resp

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// Limits of redis-server 7.0.
const (
	// DefaultMaxBulk is proto-max-bulk-len's default: the longest argument a client may send, in bytes.
	DefaultMaxBulk = 512 << 20
	// DefaultMaxInline is the longest line, in bytes: an inline command, or the header of an array or of an argument.
	DefaultMaxInline = 64 << 10
	// DefaultQueryBufferLimit is client-query-buffer-limit's default, in bytes.
	DefaultQueryBufferLimit = 1 << 30
	// UnauthenticatedMaxArgs is the largest number of arguments before authentication.
	UnauthenticatedMaxArgs = 10
	// UnauthenticatedMaxBulk is the longest argument before authentication, in bytes.
	UnauthenticatedMaxBulk = 16384

	maxArgs = math.MaxInt32
)

const (
	// carryKeep is what the carry buffer may keep for ever once it is empty.
	carryKeep = 64 << 10
	// carryDrop is the capacity above which an empty carry buffer is given up at once.
	carryDrop = 1 << 20
	// carryIdle is how many slices in a row must have left a buffer between those two sizes mostly unused before it
	// is given up: a client that sends 200 KB values in a loop should not cost an allocation for each.
	carryIdle = 32
	// argsKeep is the number of argument headers kept for the next command.
	argsKeep = 1024
	// minArgBytes is the least that an argument takes on the wire: "$0\r\n\r\n".
	minArgBytes = 6
)

// ErrQueryBufferLimit says that the unparsed bytes of one argument exceed Reader.QueryBufferLimit. Redis closes the
// connection without a reply.
var ErrQueryBufferLimit = errors.New("resp: query buffer limit exceeded")

// ProtocolError is a violation of the protocol by the peer. Redis replies "-ERR " and the text, then closes.
type ProtocolError struct {
	// Text is the exact text of Redis's reply without the error code, e.g. "Protocol error: invalid multibulk length".
	Text string
	// Offset is the position in the stream, in the units of Reader.Pos, of the element that was refused.
	Offset int64
	// Inline is set when a master sent an inline command: the stream is out of step.
	Inline bool
}

// Error returns the text as Redis sends it, without the error code.
func (e *ProtocolError) Error() string { return e.Text }

// AppendReply appends the reply that Redis gives before it closes the connection.
func (e *ProtocolError) AppendReply(dst []byte) []byte {
	dst = append(dst, "-ERR "...)
	dst = append(dst, e.Text...)
	return append(dst, '\r', '\n')
}

// span is one argument of an unfinished command: an offset from the command's first byte, and a length. Offsets
// survive the moves of the carry buffer, slices would not.
type span struct{ off, n int }

// Reader cuts a stream of bytes into commands. It belongs to one goroutine. Use NewReader.
//
// The order of calls is: Feed once for each slice that arrives, then Next until it reports ok == false. Who stops
// earlier (a blocked client, a bounded slice of work) calls Keep before the fed slice becomes invalid.
//
// An error of Next is final: every later Next returns it again.
type Reader struct {
	// MaxBulk is proto-max-bulk-len: the longest argument in bytes. Not applied when Master is set. Zero means
	// DefaultMaxBulk.
	MaxBulk int64
	// MaxInline is the longest line in bytes. Zero means DefaultMaxInline.
	MaxInline int
	// QueryBufferLimit is the most bytes of an unfinished argument. Not applied when Master is set. Zero means
	// DefaultQueryBufferLimit.
	QueryBufferLimit int
	// Authenticated lifts the smaller limits for clients that have yet to authenticate. It may change between two
	// calls of Next.
	Authenticated bool
	// Master marks the stream of a replica's master: arguments of any length are accepted, and a line that is not
	// empty is an error (ProtocolError with Inline set) since a master never sends one.
	Master bool
	// Inline tells whether the command that Next returned last was an inline one.
	Inline bool
	// Newlines counts the empty lines skipped so far. A replica sends them to its master as a sign of life.
	Newlines uint64

	win    []byte // the bytes being parsed: the fed slice, or carry when owned is set
	pos    int    // first byte in win of the command under way
	owned  bool   // win is carry
	live   bool   // arguments in carry were handed out since the last Feed: it may grow but not be overwritten
	left   int    // arguments of the command under way that are still to come
	fed    []byte // the slice given to the last Feed
	pulled int    // bytes of fed that were copied to the end of carry

	consumed int64
	args     [][]byte

	// The command under way, when win does not hold it whole.
	off   int    // parsed so far, from pos
	scan  int    // no line end stands before this offset from pos
	bulk  int64  // length of the argument under way, -1: its header is still to come
	spans []span // its arguments so far
	raw   []byte // the last command returned

	carry   []byte
	idle    int // slices in a row that left most of carry unused
	peak    int // most bytes held by carry since idle was reset
	scratch []byte
	err     error
}

// NewReader returns a Reader with the default limits, for a client that has yet to authenticate.
func NewReader() *Reader {
	r := &Reader{}
	r.Init()
	return r
}

// Init sets the default limits and forgets everything else. It serves a Reader embedded by value.
func (r *Reader) Init() {
	*r = Reader{
		MaxBulk:          DefaultMaxBulk,
		MaxInline:        DefaultMaxInline,
		QueryBufferLimit: DefaultQueryBufferLimit,
		bulk:             -1,
	}
}

// Reset drops all bytes held, the unfinished command and the error, and sets Pos to pos. Limits and modes stay. A
// master link calls it when a new connection resumes the stream at an offset.
func (r *Reader) Reset(pos int64) {
	*r = Reader{
		MaxBulk: r.MaxBulk, MaxInline: r.MaxInline, QueryBufferLimit: r.QueryBufferLimit,
		Authenticated: r.Authenticated, Master: r.Master,
		bulk: -1, consumed: pos,
	}
}

// Pos returns how many bytes whole commands have taken from the stream, with the empty lines and empty arrays that
// were skipped. Bytes of an unfinished command do not count.
func (r *Reader) Pos() int64 { return r.consumed }

// Buffered returns the number of bytes that were fed and not yet consumed, whether copied or not. An owner that goes
// on feeding a client without calling Next (it is blocked) compares it with QueryBufferLimit itself.
func (r *Reader) Buffered() int {
	n := len(r.win) - r.pos
	if r.owned {
		n += len(r.fed) - r.pulled
	}
	return n
}

// BufferCap returns the bytes of memory that the reader holds for itself: what CLIENT LIST calls qbuf and qbuf-free.
func (r *Reader) BufferCap() int { return cap(r.carry) + cap(r.scratch) }

// Raw returns the bytes on the wire of the command that Next returned last, valid as long as its arguments.
func (r *Reader) Raw() []byte { return r.raw }

// Feed gives the reader the next bytes of the stream. The slice is read in place and must stay unchanged until Next
// has returned ok == false, or Keep was called. Arguments returned earlier become invalid.
func (r *Reader) Feed(p []byte) {
	r.Keep()
	r.scratch = r.scratch[:0]
	r.live = false
	if !r.owned {
		r.win, r.pos = p, 0
		r.fed = p
		return
	}
	// A rest stands in carry. Move it to the front when that costs less than what was consumed before it, so that
	// the moves stay linear in the bytes of the stream.
	if rest := len(r.carry) - r.pos; r.pos >= rest {
		copy(r.carry, r.carry[r.pos:])
		r.carry = r.carry[:rest]
		r.pos = 0
		r.win = r.carry
	}
	r.fed, r.pulled = p, 0
}

// Keep copies what the last Feed's slice still holds unparsed, so that the slice may be reused. Next may be called
// afterwards without a Feed. It is needed only by who stops before Next has reported ok == false.
func (r *Reader) Keep() {
	if r.owned {
		if r.pulled < len(r.fed) {
			r.pull(len(r.fed) - r.pulled)
		}
	} else if r.pos < len(r.win) {
		r.save()
	}
	r.fed, r.pulled = nil, 0
}

// Release gives back the carry buffer and the other scratch memory when nothing is buffered. The owner calls it for
// idle clients. Arguments returned earlier stay valid as long as somebody holds them.
func (r *Reader) Release() {
	if r.Buffered() == 0 {
		r.drained()
		r.carry, r.spans, r.scratch, r.args, r.raw = nil, nil, nil, nil, nil
	}
}

// Next returns the arguments of the next command, at least one. ok == false with a nil error means that more bytes
// are needed. Empty lines and empty arrays are skipped. The slice of arguments is reused by the next call; the bytes
// of the arguments are views that stay valid until the next Feed, or until the fed slice is reused.
//
// The error is a *ProtocolError or ErrQueryBufferLimit.
func (r *Reader) Next() (args [][]byte, ok bool, err error) {
	if r.left == 0 && r.fast() {
		return r.args, true, nil
	}
	return r.slow()
}

// fast parses a command that stands whole in the window and is written the way every client library writes it.
// Anything else (a rest, an inline command, a limit, an error) is left untouched to slow, which decides alone about
// errors: fast refuses without a verdict.
func (r *Reader) fast() bool {
	b, i := r.win, r.pos
	if len(b)-i < 4+minArgBytes || b[i] != '*' {
		return false
	}
	n := int(b[i+1]) - '0'
	if uint(n-1) > 8 {
		return false
	}
	i += 2
	for b[i] != '\r' {
		d := int(b[i]) - '0'
		if uint(d) > 9 || n > maxArgs/10 {
			return false
		}
		n = n*10 + d
		if i++; i >= len(b)-1 {
			return false
		}
	}
	if b[i+1] != '\n' {
		return false
	}
	i += 2
	limit := r.MaxBulk
	if r.Master {
		limit = math.MaxInt
	}
	if !r.Authenticated {
		if n > UnauthenticatedMaxArgs {
			return false
		}
		limit = min(limit, UnauthenticatedMaxBulk)
	}
	if n > (len(b)-i)/minArgBytes {
		return false
	}
	args := r.args
	if cap(args) < n {
		args = make([][]byte, max(n, 8)) // n is bounded by the bytes at hand
	}
	args = args[:n]
	for j := range args {
		if len(b)-i < minArgBytes || b[i] != '$' {
			return false
		}
		l := int(b[i+1]) - '0'
		if uint(l) > 9 {
			return false
		}
		i += 2
		for b[i] != '\r' {
			d := int(b[i]) - '0'
			if uint(d) > 9 || l == 0 || l > math.MaxInt32 {
				return false
			}
			l = l*10 + d
			if i++; i >= len(b)-1 {
				return false
			}
		}
		if b[i+1] != '\n' {
			return false
		}
		i += 2
		if l > len(b)-i-2 || int64(l) > limit || (l > r.QueryBufferLimit-2 && !r.Master) {
			return false
		}
		args[j] = b[i : i+l : i+l]
		i += l + 2 // Redis does not look at the two bytes after an argument either
	}
	r.args = args
	r.raw = b[r.pos:i]
	r.consumed += int64(i - r.pos)
	r.pos = i
	r.Inline = false
	if r.owned {
		r.live = true
		r.goInPlace()
	}
	return true
}

// slow parses a command of any kind, resuming where the last slice ended.
func (r *Reader) slow() ([][]byte, bool, error) {
	for r.err == nil {
		switch r.step() {
		case stepCommand:
			return r.args, true, nil
		case stepMore:
			if !r.more() {
				return nil, false, nil
			}
		case stepSkip, stepError:
		}
	}
	return nil, false, r.err
}

type step uint8

const (
	stepMore    step = iota // the window ends inside an element
	stepSkip                // an empty command was consumed
	stepCommand             // r.args holds a command
	stepError               // r.err is set
)

// step parses the window from where the last step stopped.
func (r *Reader) step() step {
	w := r.win[r.pos:]
	if r.left == 0 {
		if len(w) == 0 {
			return stepMore
		}
		if w[0] != '*' {
			return r.stepInline(w)
		}
		end, ok := r.line(w, '\r')
		if !ok {
			if end > r.maxInline() {
				return r.fail("too big mbulk count string")
			}
			return stepMore
		}
		if end+2 > len(w) {
			return stepMore
		}
		n, ok := numeric.ParseInt(w[1:end])
		if !ok || n > maxArgs {
			return r.fail("invalid multibulk length")
		}
		if n > UnauthenticatedMaxArgs && !r.Authenticated {
			return r.fail("unauthenticated multibulk length")
		}
		if n <= 0 {
			r.consume(end + 2)
			return stepSkip
		}
		r.left = int(n)
		r.off, r.scan, r.bulk = end+2, end+2, -1
		r.spans = r.spans[:0]
	}
	for r.left > 0 {
		if r.bulk < 0 {
			end, ok := r.line(w, '\r')
			if !ok {
				if end-r.off > r.maxInline() {
					return r.fail("too big bulk count string")
				}
				return stepMore
			}
			if end+2 > len(w) {
				return stepMore
			}
			if c := w[r.off]; c != '$' {
				if c == '\r' || c == '\n' {
					c = ' ' // a reply cannot hold them; Redis maps them so
				}
				return r.fail("expected '$', got '" + string([]byte{c}) + "'")
			}
			n, ok := numeric.ParseInt(w[r.off+1 : end])
			if !ok || n < 0 || (!r.Master && n > r.maxBulk()) {
				return r.fail("invalid bulk length")
			}
			if n > UnauthenticatedMaxBulk && !r.Authenticated {
				return r.fail("unauthenticated bulk length")
			}
			r.bulk = n
			r.off = end + 2
		}
		have := uint64(len(w) - r.off)
		need := uint64(r.bulk) + 2
		if !r.Master && min(have, need) > uint64(r.queryBufferLimit()) {
			r.err = ErrQueryBufferLimit
			return stepError
		}
		if have < need {
			return stepMore
		}
		r.spans = append(r.spans, span{r.off, int(r.bulk)})
		r.off += int(need)
		r.scan = r.off
		r.bulk = -1
		r.left--
	}
	if cap(r.args) < len(r.spans) {
		r.args = make([][]byte, max(len(r.spans), 8))
	}
	r.args = r.args[:len(r.spans)]
	for i, s := range r.spans {
		r.args[i] = w[s.off : s.off+s.n : s.off+s.n]
	}
	r.Inline = false
	r.command(r.off)
	return stepCommand
}

// line looks for the end of the line that starts at r.off. It returns its offset and true; or, when the line goes on,
// false and the number of bytes looked at. Like the C functions in Redis it does not see beyond a NUL byte: a line
// with one never ends and is refused once it is too long.
//
// The end must stand within the first MaxInline+1 bytes: this is the rule that Redis follows when bytes arrive one by
// one, and it makes the verdict independent of how they arrive.
func (r *Reader) line(w []byte, delim byte) (int, bool) {
	stop := min(len(w), r.off+r.maxInline()+1)
	part := w[r.scan:stop]
	end := bytes.IndexByte(part, delim)
	seen := part
	if end >= 0 {
		seen = part[:end]
	}
	if nul := bytes.IndexByte(seen, 0); nul >= 0 {
		r.scan += nul
		return stop, false
	}
	if end < 0 {
		r.scan = stop
		return stop, false
	}
	return r.scan + end, true
}

// command hands out the command that takes the next n bytes of the window.
func (r *Reader) command(n int) {
	r.raw = r.win[r.pos : r.pos+n]
	if r.owned {
		r.live = true
	}
	r.consume(n)
}

// consume takes a whole command, or one that is skipped, from the window.
func (r *Reader) consume(n int) {
	r.consumed += int64(n)
	r.pos += n
	r.off, r.scan, r.bulk = 0, 0, -1
	if r.owned {
		r.goInPlace()
	}
}

// goInPlace returns from carry to the fed slice once the command that began in an earlier slice is complete.
func (r *Reader) goInPlace() {
	if rest := len(r.win) - r.pos; rest <= r.pulled {
		r.win, r.pos, r.owned = r.fed, r.pulled-rest, false
		r.pulled = 0
	}
}

// more makes further bytes visible to step, or reports that there are none, with the rest saved in carry.
func (r *Reader) more() bool {
	if !r.owned {
		if r.pos < len(r.win) {
			r.save()
		} else {
			r.drained()
		}
		return false
	}
	rest := len(r.fed) - r.pulled
	if rest == 0 {
		r.fed, r.pulled = nil, 0
		return false
	}
	n := rest
	if r.bulk >= 0 {
		if missing := uint64(r.bulk) + 2 - uint64(len(r.win)-r.pos-r.off); missing < uint64(n) {
			n = int(missing)
		}
	} else {
		// A header, or a line: a few bytes will do, and each round doubles them so that a long line stays linear.
		n = min(n, max(32, r.pulled))
	}
	r.pull(n)
	return true
}

// save copies the unparsed rest of the fed slice into the carry buffer.
func (r *Reader) save() {
	rest := r.win[r.pos:]
	start := 0
	if r.live {
		start = len(r.carry)
	}
	r.carry = r.carry[:start]
	r.owned = true
	r.pos = start
	r.grow(len(rest))
	r.carry = append(r.carry, rest...)
	r.win = r.carry
	r.fed, r.pulled = nil, 0
	r.peak = max(r.peak, len(r.carry))
}

// pull copies the next n bytes of the fed slice to the end of the carry buffer.
func (r *Reader) pull(n int) {
	r.grow(n)
	r.carry = append(r.carry, r.fed[r.pulled:r.pulled+n]...)
	r.pulled += n
	r.win = r.carry
	r.peak = max(r.peak, len(r.carry)-r.pos)
}

// grow makes room for n bytes that are at hand. The capacity at least doubles, so that a large argument is copied a
// bounded number of times, but it does not pass the end of the argument under way. Consumed bytes stay behind in
// the old buffer, which lives as long as arguments point into it.
func (r *Reader) grow(n int) {
	if cap(r.carry)-len(r.carry) >= n {
		return
	}
	held := len(r.carry) - r.pos
	size := max(512, 2*held, held+n)
	if r.left > 0 && r.bulk >= 0 {
		if end := uint64(r.off) + uint64(r.bulk) + 2; end < uint64(size) {
			size = max(held+n, int(end))
		}
	}
	carry := make([]byte, held, size)
	copy(carry, r.carry[r.pos:])
	r.carry, r.pos, r.live = carry, 0, false
}

// drained notes that every byte was consumed, and shrinks what a large command has left behind.
func (r *Reader) drained() {
	r.win, r.pos, r.owned = nil, 0, false
	r.fed, r.pulled = nil, 0
	if cap(r.args) > argsKeep {
		r.args = nil
	}
	if cap(r.spans) > argsKeep {
		r.spans = nil
	}
	if cap(r.scratch) > carryKeep {
		r.scratch = nil
	}
	if cap(r.carry) <= carryKeep {
		return
	}
	if r.idle++; cap(r.carry) > carryDrop || r.idle >= carryIdle {
		if cap(r.carry) > carryDrop || r.peak < cap(r.carry)/4 {
			r.carry, r.raw = nil, nil
			clear(r.args[:cap(r.args)]) // they would keep the buffer alive
		}
		r.idle, r.peak = 0, 0
	}
}

func (r *Reader) fail(text string) step {
	r.err = &ProtocolError{Text: "Protocol error: " + text, Offset: r.consumed + int64(r.off)}
	return stepError
}

func (r *Reader) maxBulk() int64 {
	if r.MaxBulk > 0 {
		return r.MaxBulk
	}
	return DefaultMaxBulk
}

func (r *Reader) maxInline() int {
	if r.MaxInline > 0 {
		return r.MaxInline
	}
	return DefaultMaxInline
}

func (r *Reader) queryBufferLimit() int {
	if r.QueryBufferLimit > 0 {
		return r.QueryBufferLimit
	}
	return DefaultQueryBufferLimit
}

// String describes the state of the reader for a panic or a log.
func (r *Reader) String() string {
	return fmt.Sprintf("resp.Reader{pos %d, buffered %d, args left %d, bulk %d, err %v}",
		r.consumed, r.Buffered(), r.left, r.bulk, r.err)
}
