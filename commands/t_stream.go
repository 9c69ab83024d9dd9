package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// Stream commands: entries. Reading with XREAD stands in t_stream_read.go,
// consumer groups in t_stream_group.go and t_stream_claim.go, XINFO in
// t_stream_info.go.

const (
	errStreamID       = "Invalid stream ID specified as stream command argument"
	errStreamTooLarge = "Elements are too large to be stored"
	errStreamSmallID  = "The ID specified in XADD is equal or smaller than the target stream top item"
)

// parseStreamNumber reads a part of an ID as C's strtoull does: spaces, a sign
// and leading zeros are fine, and so is a negative number that is not in
// canonical form, which wraps.
func parseStreamNumber(b []byte) (uint64, bool) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] >= '\t' && b[i] <= '\r') {
		i++
	}
	neg := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		if neg && i == 0 && len(b) > 1 && b[1] >= '1' && b[1] <= '9' && len(b) <= 20 {
			if n, ok := parseStreamNumber(b[1:]); ok && n <= 1<<63 {
				return 0, false
			}
		}
		i++
	}
	if i == len(b) {
		return 0, false
	}
	n := uint64(0)
	for ; i < len(b); i++ {
		c := uint64(b[i]) - '0'
		if c > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-c {
			return 0, false
		}
		n = n*10 + c
	}
	if neg {
		n = -n
	}
	return n, true
}

// parseStreamID reads an ID: "ms-seq", "ms" with the sequence number missing, or
// if not strict "-" and "+" for the least and the greatest. auto tells that
// "ms-*" was given, which is an ID only if star.
func parseStreamID(b []byte, missing uint64, strict, star bool) (id stream.ID, auto, ok bool) {
	if len(b) > 127 {
		return id, false, false
	}
	b = cString(b, 127)
	if len(b) == 1 && (b[0] == '-' || b[0] == '+') {
		if b[0] == '+' {
			id = stream.Max
		}
		return id, false, !strict
	}
	ms, seq := b, []byte(nil)
	dash := -1
	for i, c := range b {
		if c == '-' {
			dash = i
			ms, seq = b[:i], b[i+1:]
			break
		}
	}
	if id.Ms, ok = parseStreamNumber(ms); !ok {
		return id, false, false
	}
	switch {
	case dash < 0:
		id.Seq = missing
	case star && len(seq) == 1 && seq[0] == '*':
		auto = true
	default:
		id.Seq, ok = parseStreamNumber(seq)
	}
	return id, auto, ok
}

// streamID reads argument b as a strict ID; it answers the error itself.
func (c *Client) streamID(b []byte) (stream.ID, bool) {
	id, _, ok := parseStreamID(b, 0, true, false)
	if !ok {
		c.addReplyError(errStreamID)
	}
	return id, ok
}

// streamBound reads a bound of a range: an ID, "-" or "+", or "(ID" for one that
// does not belong to the range. missing is the sequence number of a bound
// without; the exclusion of a bound moves it up (start) or down.
func (c *Client) streamBound(b []byte, missing uint64, start bool) (stream.ID, bool) {
	exclude := len(b) > 1 && b[0] == '('
	if exclude {
		b = b[1:]
	}
	id, _, ok := parseStreamID(b, missing, exclude, false)
	if !ok {
		c.addReplyError(errStreamID)
		return id, false
	}
	if !exclude {
		return id, true
	}
	if start {
		if id, ok = id.Next(); !ok {
			c.addReplyError("invalid start ID for the interval")
		}
		return id, ok
	}
	if id, ok = id.Prev(); !ok {
		c.addReplyError("invalid end ID for the interval")
	}
	return id, ok
}

func (c *Client) addReplyStreamID(id stream.ID) {
	var buf [41]byte
	c.addReplyBulk(id.AppendText(buf[:0]))
}

// addReplyEntry answers the current entry of an iterator.
func (c *Client) addReplyEntry(it *stream.Iter) {
	c.addReplyArrayLen(2)
	c.addReplyStreamID(it.ID)
	c.addReplyArrayLen(2 * it.Fields)
	for range it.Fields {
		field, value := it.Field()
		c.addReplyBulk(field)
		c.addReplyBulk(value)
	}
}

// lookupStream finds the stream of a key that is only looked at by the reply:
// found is false when there is no key; ok is false after a type error was
// answered.
func (c *Client) lookupStream(key []byte) (v object.Value, found, ok bool) {
	e, found := c.lookupKeyRead(key)
	return c.asStream(e, found)
}

// lookupStreamWrite is lookupStream for a command that changes the stream.
func (c *Client) lookupStreamWrite(key []byte) (v object.Value, found, ok bool) {
	e, found := c.lookupKeyWrite(key)
	return c.asStream(e, found)
}

func (c *Client) asStream(e keyspace.Entry, found bool) (v object.Value, _, ok bool) {
	if !found {
		return v, false, true
	}
	if e.Type() != object.TypeStream {
		c.addReplyErrorWrongType()
		return v, true, false
	}
	return e.Value(), true, true
}

// createStream makes an empty stream under a key that does not exist.
func (c *Client) createStream(key []byte) object.Value {
	v := c.db.Create(key, object.TypeStream, object.EncStream, nil, object.StreamHeadSize).Value()
	v.InitStream()
	return v
}

// streamOptions are the options of XADD and XTRIM.
type streamOptions struct {
	id         stream.ID
	idGiven    bool // else "*"
	autoSeq    bool // "ms-*"
	noMkstream bool
	trims      bool
	trim       stream.Trim
	trimAt     int // argument with the threshold
	refs       refPolicy
}

// parseStreamOptions reads them and returns the position of the ID (for XADD);
// it answers errors itself.
func (c *Client) parseStreamOptions(xadd bool) (o streamOptions, pos int, ok bool) {
	limitGiven, policyGiven := false, false
	i := 2
loop:
	for ; i < len(c.args); i++ {
		opt := c.args[i]
		more := len(c.args) - 1 - i
		policy, isPolicy := parseRefPolicy(opt)
		switch {
		case xadd && len(opt) == 1 && opt[0] == '*':
			break loop
		case more > 0 && (equalFold(opt, "maxlen") || equalFold(opt, "minid")):
			if o.trims {
				c.addReplyError("syntax error, MAXLEN and MINID options at the same time are not compatible")
				return o, 0, false
			}
			o.trims = true
			o.trim.ByID = len(opt) == 5
			o.trim.Approx = false
			if next := c.args[i+1]; more >= 2 && len(next) == 1 && (next[0] == '~' || next[0] == '=') {
				o.trim.Approx = next[0] == '~'
				i++
			}
			i++
			o.trimAt = i
			if o.trim.ByID {
				if o.trim.MinID, ok = c.streamID(c.args[i]); !ok {
					return o, 0, false
				}
				continue
			}
			if o.trim.MaxLen, ok = c.longArg(i, ""); !ok {
				return o, 0, false
			}
			if o.trim.MaxLen < 0 {
				c.addReplyError("The MAXLEN argument must be >= 0.")
				return o, 0, false
			}
		case more > 0 && equalFold(opt, "limit"):
			i++
			if o.trim.Limit, ok = c.longArg(i, ""); !ok {
				return o, 0, false
			}
			if o.trim.Limit < 0 {
				c.addReplyError("The LIMIT argument must be >= 0.")
				return o, 0, false
			}
			limitGiven = true
		case xadd && equalFold(opt, "nomkstream"):
			o.noMkstream = true
		case isPolicy && !policyGiven:
			o.refs, policyGiven = policy, true
		case xadd:
			if o.id, o.autoSeq, ok = parseStreamID(opt, 0, true, true); !ok {
				c.addReplyError(errStreamID)
				return o, 0, false
			}
			o.idGiven = true
			break loop
		default:
			c.addReplyErrorSyntax()
			return o, 0, false
		}
	}
	return o, i, c.checkTrim(&o, xadd, limitGiven)
}

// checkTrim checks the options against each other and sets the limit that an
// approximate trim has by itself. A master has trimmed already: what it sends is
// done in full.
func (c *Client) checkTrim(o *streamOptions, xadd, limitGiven bool) bool {
	switch {
	case o.trim.Limit != 0 && !o.trims:
		c.addReplyError("syntax error, LIMIT cannot be used without specifying a trimming strategy")
		return false
	case !xadd && !o.trims:
		c.addReplyError("syntax error, XTRIM must be called with a trimming strategy")
		return false
	case c.isMaster():
		o.trim.Limit = 0
	case limitGiven && !o.trim.Approx:
		c.addReplyError("syntax error, LIMIT cannot be used without the special ~ option")
		return false
	case !limitGiven && o.trim.Approx:
		o.trim.Limit = min(100*int64(c.srv.lim.StreamNodeMaxEntries), 1000000)
		if o.trim.Limit <= 0 {
			o.trim.Limit = 10000
		}
	}
	return true
}

// nextStreamID is the ID that XADD gives an entry; ok is false when it would not
// be above the stream's last.
func (o *streamOptions) nextStreamID(last stream.ID, now int64) (id stream.ID, ok bool) {
	switch {
	case !o.idGiven:
		if uint64(now) > last.Ms {
			return stream.ID{Ms: uint64(now)}, true
		}
		return last.Next()
	case o.autoSeq && o.id.Ms == last.Ms:
		if last.Seq == math.MaxUint64 {
			return last, false
		}
		return stream.ID{Ms: last.Ms, Seq: last.Seq + 1}, true
	}
	return o.id, last.Less(o.id)
}

func xaddCommand(c *Client) {
	o, pos, ok := c.parseStreamOptions(true)
	if !ok {
		return
	}
	fields := c.args[min(pos+1, len(c.args)):]
	if len(fields) < 2 || len(fields)%2 != 0 {
		c.addReplyErrorArity()
		return
	}
	if o.idGiven && !o.autoSeq && o.id.IsZero() {
		c.addReplyError("The ID specified in XADD must be greater than 0-0")
		return
	}
	key := c.args[1]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	if !found {
		if o.noMkstream {
			c.addReplyNull()
			return
		}
		v = c.createStream(key)
	}
	s := v.Stream()
	if s.LastID == stream.Max {
		c.addReplyError("The stream has exhausted the last possible ID, unable to add more items")
		return
	}
	id, ok := o.nextStreamID(s.LastID, c.now())
	if !ok {
		text := errStreamSmallID
		if o.autoSeq && o.id.Ms == s.LastID.Ms {
			text = errStreamTooLarge // what redis-server answers to a millisecond that is used up
		}
		c.addReplyError(text)
		return
	}
	total := 0
	for _, f := range fields {
		total += len(f)
	}
	if total > stream.MaxEntry {
		c.addReplyError(errStreamTooLarge)
		return
	}
	s.Append(v.A, id, fields, c.srv.lim.StreamLimits())
	c.addReplyStreamID(id)
	c.signalModified(key)
	c.notify(notifyStream, "xadd", key)
	c.srv.dirty++
	if o.trims && trimStream(v, o.trim, o.refs) > 0 {
		c.notify(notifyStream, "xtrim", key)
	}
	idAt := 0
	if !o.idGiven || o.autoSeq {
		idAt = pos
	}
	c.rewriteStream(&o, v, idAt, id)
}

func xtrimCommand(c *Client) {
	o, _, ok := c.parseStreamOptions(false)
	if !ok {
		return
	}
	key := c.args[1]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	if !found {
		c.addReplyLongLong(0)
		return
	}
	n := trimStream(v, o.trim, o.refs)
	if n > 0 {
		c.notify(notifyStream, "xtrim", key)
		c.signalModified(key)
		c.srv.dirty += n
		c.rewriteStream(&o, v, 0, stream.ID{})
	}
	c.addReplyLongLong(n)
}

func xlenCommand(c *Client) {
	v, found, ok := c.lookupStream(c.args[1])
	switch {
	case !ok:
	case !found:
		c.addReplyLongLong(0)
	default:
		c.addReplyLongLong(int64(v.Stream().Length))
	}
}

func xrangeCommand(c *Client)    { c.xrangeGeneric(c.args[2], c.args[3], false) }
func xrevrangeCommand(c *Client) { c.xrangeGeneric(c.args[3], c.args[2], true) }

func (c *Client) xrangeGeneric(from, to []byte, rev bool) {
	start, ok := c.streamBound(from, 0, true)
	if !ok {
		return
	}
	end, ok := c.streamBound(to, math.MaxUint64, false)
	if !ok {
		return
	}
	count := int64(-1)
	for j := 4; j < len(c.args); j++ {
		if !equalFold(c.args[j], "count") || j+1 >= len(c.args) {
			c.addReplyErrorSyntax()
			return
		}
		if count, ok = c.longArg(j+1, ""); !ok {
			return
		}
		count = max(count, 0)
		j++
	}
	v, found, ok := c.lookupStream(c.args[1])
	switch {
	case !ok:
	case !found:
		c.addReplyArrayLen(0)
	case count == 0:
		c.addReplyNullArray()
	default:
		c.addReplyRange(v, start, end, max(count, 0), rev)
	}
}

// addReplyRange answers the entries of a range, at most count of them (0: all).
func (c *Client) addReplyRange(v object.Value, start, end stream.ID, count int64, rev bool) {
	mark, n := c.deferredLen(), int64(0)
	for it := v.Stream().Range(v.A, start, end, rev); it.Next(); {
		c.addReplyEntry(&it)
		if n++; n == count {
			break
		}
	}
	c.setDeferredArrayLen(mark, int(n))
}

// addReplyOneEntry answers one entry; false, and nothing is answered, when it is
// not there.
func (c *Client) addReplyOneEntry(v object.Value, id stream.ID) bool {
	it := v.Stream().Range(v.A, id, id, false)
	if !it.Next() {
		return false
	}
	c.addReplyEntry(&it)
	return true
}

// streamIDs reads IDs, all before any of them is used; it answers the error itself.
func (c *Client) streamIDs(words [][]byte) ([]stream.ID, bool) {
	ids := c.srv.streamIDs[:0]
	for _, b := range words {
		id, ok := c.streamID(b)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	c.srv.streamIDs = ids
	return ids, true
}

func xdelCommand(c *Client) {
	key := c.args[1]
	v, found, ok := c.lookupStreamWrite(key)
	if !ok {
		return
	}
	if !found {
		c.addReplyLongLong(0)
		return
	}
	ids, ok := c.streamIDs(c.args[2:])
	if !ok {
		return
	}
	n := int64(0)
	for _, id := range ids {
		if v.Stream().Delete(v.A, id) {
			n++
		}
	}
	if n > 0 {
		c.signalModified(key)
		c.notify(notifyStream, "xdel", key)
		c.srv.dirty += n
	}
	c.addReplyLongLong(n)
}

func xsetidCommand(c *Client) {
	id, ok := c.streamID(c.args[2])
	if !ok {
		return
	}
	added, deleted := int64(-1), stream.ID{}
	for i := 3; i < len(c.args); i += 2 {
		more := len(c.args) - 1 - i
		switch {
		case more > 0 && equalFold(c.args[i], "entriesadded"):
			if added, ok = c.longArg(i+1, ""); !ok {
				return
			}
			if added < 0 {
				c.addReplyError("entries_added must be positive")
				return
			}
		case more > 0 && equalFold(c.args[i], "maxdeletedid"):
			if deleted, ok = c.streamID(c.args[i+1]); !ok {
				return
			}
			if id.Less(deleted) {
				c.addReplyError("The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				return
			}
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	v, found, ok := c.lookupStreamWrite(c.args[1])
	if !ok {
		return
	}
	if !found {
		c.addReplyError(errNoKey)
		return
	}
	s := v.Stream()
	switch {
	case s.Length > 0 && id.Less(s.LastLive(v.A)):
		c.addReplyError("The ID specified in XSETID is smaller than the target stream top item")
		return
	case s.Length > 0 && added != -1 && s.Length > uint64(added):
		c.addReplyError("The entries_added specified in XSETID is smaller than the target stream length")
		return
	}
	s.LastID = id
	if added != -1 {
		s.Added = uint64(added)
	}
	if !deleted.IsZero() {
		s.MaxDeletedID = deleted
	}
	c.addReplyOK()
	c.srv.dirty++
	c.notify(notifyStream, "xsetid", c.args[1])
}
