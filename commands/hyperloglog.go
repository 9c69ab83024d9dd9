package commands

import (
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/hll"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// HyperLogLogs are strings (package hll). A dense one is changed in place; a
// sparse one, whose length changes, in a workspace from which it is copied back.

const (
	errNotHLL     = "-WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptHLL = "-INVALIDOBJ Corrupted HLL object detected"
)

// hllWork is the memory that the commands work in.
type hllWork struct {
	sketch hll.Sketch
	union  hll.Union
}

func (s *Server) hllWork() *hllWork {
	if s.hll == nil {
		s.hll = new(hllWork)
	}
	return s.hll
}

// isHLLObjectOrReply returns the sketch that an entry holds; it answers the error
// itself.
func (c *Client) isHLLObjectOrReply(e keyspace.Entry) ([]byte, bool) {
	if e.Type() != object.TypeString {
		c.addReplyErrorWrongType()
		return nil, false
	}
	v := e.StringValue()
	if !hll.Valid(v) {
		c.addReplyError(errNotHLL)
		return nil, false
	}
	return v, true
}

// storeHLL writes a sketch under a key; e is its entry, the zero one if there is
// none.
func (c *Client) storeHLL(key []byte, e keyspace.Entry, s []byte) {
	copy(c.db.ResizeString(key, e, len(s)), s)
}

func pfaddCommand(c *Client) {
	key := c.args[1]
	e, found := c.lookupKeyWrite(key)
	updated := int64(0)
	if found {
		v, ok := c.isHLLObjectOrReply(e)
		if !ok {
			return
		}
		// The string counts as touched even if nothing is added: it is raw now.
		v = c.db.ResizeString(key, e, len(v))
		if hll.IsDense(v) {
			for _, elem := range c.args[2:] {
				updated += int64(b2i(hll.AddDense(v, elem)))
			}
			if updated > 0 {
				hll.Invalidate(v)
			}
		} else if updated, ok = c.addSparse(v); !ok {
			return
		}
	} else {
		w := c.srv.hllWork()
		w.sketch.LoadEmpty()
		updated = 1
		for _, elem := range c.args[2:] {
			// An empty sketch cannot be corrupt.
			changed, _ := w.sketch.Add(elem, c.srv.V.HLLSparseMaxBytes)
			updated += int64(b2i(changed))
		}
		hll.Invalidate(w.sketch.Bytes())
		c.storeHLL(key, e, w.sketch.Bytes())
	}
	if updated > 0 {
		c.signalModified(key)
		c.notify(notifyString, "pfadd", key)
		c.srv.dirty += updated
	}
	c.addReplyLongLong(int64(b2i(updated > 0)))
}

// addSparse adds the elements of PFADD to the sparse sketch v of args[1]. It
// answers the error itself, after which those added before it stay, as they do
// in redis-server.
func (c *Client) addSparse(v []byte) (updated int64, ok bool) {
	k := &c.srv.hllWork().sketch
	k.Load(v)
	var err error
	for _, elem := range c.args[2:] {
		var changed bool
		if changed, err = k.Add(elem, c.srv.V.HLLSparseMaxBytes); err != nil {
			break
		}
		updated += int64(b2i(changed))
	}
	if updated > 0 {
		s := k.Bytes()
		if err == nil {
			hll.Invalidate(s)
		}
		e, _ := c.db.LookupWrite(c.args[1])
		c.storeHLL(c.args[1], e, s)
	}
	if err != nil {
		c.addReplyError(errCorruptHLL)
		return 0, false
	}
	return updated, true
}

func pfcountCommand(c *Client) {
	if len(c.args) > 2 {
		if u, ok := c.unionOf(c.args[1:], nil); ok {
			c.addReplyLongLong(int64(u.Count()))
		}
		return
	}
	key := c.args[1]
	e, found := c.lookupKeyRead(key)
	if !found {
		c.addReplyLongLong(0)
		return
	}
	v, ok := c.isHLLObjectOrReply(e)
	if !ok {
		return
	}
	n, ok := hll.Cached(v)
	if !ok || e.Encoding() != object.EncRaw {
		// The estimate is kept in the string, which makes this read a write; and
		// the string is raw now even if it was up to date.
		v = c.db.ResizeString(key, e, len(v))
	}
	if !ok {
		var err error
		if n, err = hll.Count(v); err != nil {
			c.addReplyError(errCorruptHLL)
			return
		}
		hll.SetCached(v, n)
		c.signalModified(key)
		c.srv.dirty++
	}
	c.addReplyLongLong(int64(n))
}

// unionOf merges the sketches under keys; those that do not exist count as empty.
// anyDense, if not nil, learns whether one was dense. It answers the error
// itself.
func (c *Client) unionOf(keys [][]byte, anyDense *bool) (*hll.Union, bool) {
	u := &c.srv.hllWork().union
	clear(u[:])
	for _, key := range keys {
		e, found := c.lookupKeyRead(key)
		if !found {
			continue
		}
		v, ok := c.isHLLObjectOrReply(e)
		if !ok {
			return nil, false
		}
		if anyDense != nil && hll.IsDense(v) {
			*anyDense = true
		}
		if u.Merge(v) != nil {
			c.addReplyError(errCorruptHLL)
			return nil, false
		}
	}
	return u, true
}

func pfmergeCommand(c *Client) {
	dense := false
	u, ok := c.unionOf(c.args[1:], &dense)
	if !ok {
		return
	}
	key := c.args[1]
	k := &c.srv.hllWork().sketch
	e, found := c.lookupKeyWrite(key)
	if found {
		k.Load(e.StringValue())
	} else {
		k.LoadEmpty()
	}
	if dense && k.ToDense() != nil {
		c.addReplyError(errCorruptHLL)
		return
	}
	for i, v := range u {
		if v > 0 {
			// The target was among the sketches merged: its registers add up.
			_, _ = k.Set(i, v, c.srv.V.HLLSparseMaxBytes)
		}
	}
	hll.Invalidate(k.Bytes())
	c.storeHLL(key, e, k.Bytes())
	c.signalModified(key)
	c.notify(notifyString, "pfadd", key)
	c.srv.dirty++
	c.addReplyOK()
}

func pfdebugCommand(c *Client) {
	key := c.args[2]
	e, found := c.lookupKeyWrite(key)
	if !found {
		c.addReplyError("The specified key does not exist")
		return
	}
	v, ok := c.isHLLObjectOrReply(e)
	if !ok {
		return
	}
	v = c.db.ResizeString(key, e, len(v))
	switch sub := c.args[1]; {
	case equalFold(sub, "getreg"):
		if v, _, ok = c.hllToDense(key, v); !ok {
			return
		}
		c.addReplyArrayLen(hll.Registers)
		for i := range hll.Registers {
			c.addReplyLongLong(int64(hll.Register(v, i)))
		}
	case equalFold(sub, "decode"):
		if hll.IsDense(v) {
			c.addReplyError("HLL encoding is not sparse")
			return
		}
		c.srv.scratch = hll.AppendDecoded(c.srv.scratch[:0], v)
		c.addReplyBulk(c.srv.scratch)
	case equalFold(sub, "encoding"):
		if hll.IsDense(v) {
			c.addReplyStatus("dense")
		} else {
			c.addReplyStatus("sparse")
		}
	case equalFold(sub, "todense"):
		_, changed, ok := c.hllToDense(key, v)
		if ok {
			c.addReplyLongLong(int64(b2i(changed)))
		}
	default:
		c.addReplyError("Unknown PFDEBUG subcommand '" + string(cString(sub, math.MaxInt)) + "'")
	}
}

// hllToDense makes the sketch v under a key dense and returns it; it answers the
// error itself.
func (c *Client) hllToDense(key, v []byte) (dense []byte, changed, ok bool) {
	if hll.IsDense(v) {
		return v, false, true
	}
	k := &c.srv.hllWork().sketch
	k.Load(v)
	if k.ToDense() != nil {
		c.addReplyError(errCorruptHLL)
		return nil, false, false
	}
	e, _ := c.db.LookupWrite(key)
	v = c.db.ResizeString(key, e, hll.DenseSize)
	copy(v, k.Bytes())
	c.srv.dirty++ // so that a replica's sketch becomes dense, too
	return v, true, true
}

// pfselftestCommand adds known numbers of elements to a dense and a sparse
// sketch, which must agree, and be off by no more than six times the expected
// error.
func pfselftestCommand(c *Client) {
	const elements = 1_000_000
	relative := 6 * 1.04 / math.Sqrt(hll.Registers)
	limit := c.srv.V.HLLSparseMaxBytes
	var a, b hll.Sketch
	a.LoadEmpty()
	b.LoadEmpty()
	if err := b.ToDense(); err != nil {
		c.addReplyError("TESTFAILED an empty sketch does not become dense")
		return
	}
	var elem [8]byte
	seed := c.srv.rand()
	for n, checkpoint := uint64(1), uint64(1); n <= elements; n++ {
		for i := range elem {
			elem[i] = byte((n ^ seed) >> (8 * i))
		}
		if _, err := a.Add(elem[:], limit); err != nil {
			c.addReplyError("TESTFAILED " + err.Error())
			return
		}
		hll.AddDense(b.Bytes(), elem[:])
		if n != checkpoint {
			continue
		}
		checkpoint *= 10
		if int64(n) < limit/2 && hll.IsDense(a.Bytes()) {
			c.addReplyError("TESTFAILED sparse encoding not used")
			return
		}
		x, errX := hll.Count(a.Bytes())
		y, errY := hll.Count(b.Bytes())
		if x != y || errX != nil || errY != nil {
			c.addReplyError("TESTFAILED dense/sparse disagree")
			return
		}
		allowed := math.Ceil(relative * float64(n))
		if n == 10 {
			allowed = 1
		}
		if math.Abs(float64(n)-float64(x)) > allowed {
			c.addReplyError("TESTFAILED Too big error. card:" + string(appendUint(nil, n)) + " estimate:" + string(appendUint(nil, x)))
			return
		}
	}
	c.addReplyOK()
}
