package resp

import (
	"bytes"
	"fmt"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

const (
	// DefaultMaxReply is the largest reply that a ReplyReader accepts, in bytes.
	DefaultMaxReply = 1 << 30
	// maxReplyDepth bounds how deep aggregates may stand within each other.
	maxReplyDepth = 1024
)

// ReplyError says why a stream of replies cannot be understood.
type ReplyError struct {
	// Offset is the position in the stream of the element at fault.
	Offset int64
	// Reason says what is wrong with it.
	Reason string
}

// Error returns the reason and the offset.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("resp: invalid reply at offset %d: %s", e.Offset, e.Reason)
}

// ReplyReader finds the extents of whole replies in a stream that arrives in pieces: the client's side of RESP2 and
// RESP3. It descends into aggregates without recursion and resumes where the last piece ended, so the work is linear
// in the bytes of the stream. Attributes belong to the reply that they precede. The streamed forms of RESP3, which no
// server sends, are refused. The zero value is ready. It belongs to one goroutine.
//
// Feed, then Next until it reports ok == false, as with Reader.
type ReplyReader struct {
	// MaxReply is the largest reply in bytes; zero means DefaultMaxReply.
	MaxReply int
	// Push tells whether the reply that Next returned last was an out-of-band message.
	Push bool

	win   []byte // bytes not yet returned start at pos
	pos   int
	owned bool // win is carry
	carry []byte

	consumed int64
	off      int     // scanned so far, from pos
	scan     int     // no line end stands before this offset from pos
	bulk     int64   // bytes of the bulk under way with its CRLF; 0: none
	kind     byte    // its type
	pending  []int64 // elements still to come in each open aggregate, the outermost first; the reply itself is the first
	push     bool
	err      error
}

// Pos returns the number of bytes of the replies returned so far.
func (r *ReplyReader) Pos() int64 { return r.consumed }

// Buffered returns the number of bytes fed and not yet returned.
func (r *ReplyReader) Buffered() int { return len(r.win) - r.pos }

// Feed gives the reader the next bytes of the stream, which must stay unchanged until Next has returned ok == false.
// Replies returned earlier become invalid.
func (r *ReplyReader) Feed(p []byte) {
	r.keep()
	if !r.owned {
		r.win, r.pos = p, 0
		return
	}
	if rest := len(r.carry) - r.pos; r.pos >= rest {
		r.carry = r.carry[:copy(r.carry, r.carry[r.pos:])]
		r.pos = 0
	}
	r.carry = append(r.carry, p...)
	r.win = r.carry
}

// keep copies the rest of the fed slice.
func (r *ReplyReader) keep() {
	if r.owned {
		return
	}
	if r.pos == len(r.win) {
		r.win, r.pos = nil, 0
		return
	}
	r.carry = append(r.carry[:0], r.win[r.pos:]...)
	r.win, r.pos, r.owned = r.carry, 0, true
}

// Next returns the bytes of the next whole reply, with its attributes. ok == false with a nil error means that more
// bytes are needed. The bytes are valid until the next Feed. An error, a *ReplyError, is final.
func (r *ReplyReader) Next() (raw []byte, ok bool, err error) {
	if r.err != nil {
		return nil, false, r.err
	}
	if len(r.pending) == 0 {
		r.pending = append(r.pending, 1)
	}
	w := r.win[r.pos:]
	for len(r.pending) > 0 {
		if top := len(r.pending) - 1; r.pending[top] == 0 {
			r.pending = r.pending[:top]
			continue
		}
		more, err := r.element(w)
		if err == nil && r.off > r.maxReply() {
			err = r.tooLarge()
		}
		if err != nil {
			r.err = err
			return nil, false, err
		}
		if more {
			if len(w) > r.maxReply() {
				r.err = r.tooLarge()
				return nil, false, r.err
			}
			r.keep()
			if r.owned && r.pos == len(r.win) {
				r.release()
			}
			return nil, false, nil
		}
	}
	raw = w[:r.off:r.off]
	r.consumed += int64(r.off)
	r.pos += r.off
	r.Push = r.push
	r.off, r.scan, r.push = 0, 0, false
	return raw, true, nil
}

// release forgets a drained carry buffer, and gives it back when a large reply has made it large.
func (r *ReplyReader) release() {
	r.win, r.pos, r.owned = nil, 0, false
	if cap(r.carry) > carryKeep {
		r.carry = nil
	}
}

// element scans one element of w at r.off; the elements within an aggregate are left to the next calls. more reports
// that w ends before the element does.
func (r *ReplyReader) element(w []byte) (more bool, err error) {
	if r.bulk == 0 {
		if r.off == len(w) {
			return true, nil
		}
		if bytes.IndexByte([]byte("+-:$*_#,(!=%~>|"), w[r.off]) < 0 {
			return false, r.header(w[r.off], nil) // at once: garbage may have no line ends
		}
		end := bytes.IndexByte(w[r.scan:], '\r')
		if end < 0 {
			r.scan = len(w)
			return true, nil
		}
		end += r.scan
		if end+1 == len(w) {
			r.scan = end
			return true, nil
		}
		if w[end+1] != '\n' {
			return false, r.bad("a carriage return without a line feed")
		}
		if err := r.header(w[r.off], w[r.off+1:end]); err != nil {
			return false, err
		}
		r.off, r.scan = end+2, end+2
		if r.bulk == 0 {
			return false, nil
		}
	}
	if int64(len(w)-r.off) < r.bulk {
		return true, nil
	}
	body := w[r.off : r.off+int(r.bulk)]
	if body[len(body)-2] != '\r' || body[len(body)-1] != '\n' {
		return false, r.bad("a bulk string without CRLF at its end")
	}
	if r.kind == '=' && body[3] != ':' {
		return false, r.bad("a verbatim string without its format")
	}
	r.off += len(body)
	r.scan, r.bulk = r.off, 0
	r.pending[len(r.pending)-1]--
	return false, nil
}

// header accounts for the line of an element.
func (r *ReplyReader) header(kind byte, line []byte) error {
	top := len(r.pending) - 1
	switch kind {
	case '$', '!', '=', '*', '%', '~', '>', '|':
		if len(line) == 1 && line[0] == '?' {
			return r.bad("streamed forms are not supported")
		}
	case '+', '-', '(', ',':
		if kind == '(' || kind == ',' {
			if len(line) == 0 {
				return r.bad("an empty number")
			}
		}
		r.pending[top]--
		return nil
	case ':':
		if _, ok := numeric.ParseInt(line); !ok {
			return r.bad(fmt.Sprintf("not an integer: %.40q", line))
		}
		r.pending[top]--
		return nil
	case '_':
		if len(line) != 0 {
			return r.bad("a null with a value")
		}
		r.pending[top]--
		return nil
	case '#':
		if len(line) != 1 || line[0] != 't' && line[0] != 'f' {
			return r.bad(fmt.Sprintf("not a boolean: %.40q", line))
		}
		r.pending[top]--
		return nil
	case ';', '.':
		return r.bad("streamed forms are not supported")
	default:
		return r.bad(fmt.Sprintf("unknown type %q", kind))
	}

	n, ok := numeric.ParseInt(line)
	if !ok || n < -1 || n == -1 && kind != '$' && kind != '*' {
		return r.bad(fmt.Sprintf("invalid length %.40q of type %q", line, kind))
	}
	switch kind {
	case '$', '!', '=':
		if n < 0 {
			r.pending[top]--
			return nil
		}
		if kind == '=' && n < 4 {
			return r.bad("a verbatim string without its format")
		}
		if n > int64(r.maxReply()) {
			return r.tooLarge()
		}
		r.bulk, r.kind = n+2, kind
		return nil
	}
	if n > math.MaxInt32 {
		return r.bad(fmt.Sprintf("invalid length %.40q of type %q", line, kind))
	}
	if len(r.pending) > maxReplyDepth {
		return r.bad("nested too deep")
	}
	if n < 0 {
		r.pending[top]--
		return nil
	}
	if kind != '|' {
		r.pending[top]-- // attributes do not count as an element: the reply that they describe follows them
	}
	if kind == '>' && top == 0 {
		r.push = true
	}
	if kind == '%' || kind == '|' {
		n *= 2
	}
	if n > 0 {
		r.pending = append(r.pending, n)
	}
	return nil
}

func (r *ReplyReader) bad(reason string) error {
	return &ReplyError{Offset: r.consumed + int64(r.off), Reason: reason}
}

// tooLarge names the start of the reply, which does not depend on how its bytes arrived.
func (r *ReplyReader) tooLarge() error {
	return &ReplyError{Offset: r.consumed, Reason: fmt.Sprintf("larger than %d bytes", r.maxReply())}
}

func (r *ReplyReader) maxReply() int {
	if r.MaxReply > 0 {
		return r.MaxReply
	}
	return DefaultMaxReply
}
