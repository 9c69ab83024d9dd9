package commands

import (
	"bytes"
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// SORT and SORT_RO.
//
//	elements ──► weight: the element itself, or what BY finds ──► sort ──► LIMIT ──► element or what GET finds ──► reply or list
//
// Two elements of the same weight stand in the order of their texts, so that
// results are deterministic; but with BY and ALPHA the weights alone decide, and
// equals keep their order. Texts that are answered are compared as C's strcoll
// does in the C locale, up to the first zero byte; those that are stored, as a
// whole.

// sortItem is an element on its way.
type sortItem struct {
	text    []byte
	weight  []byte  // with ALPHA and BY: nil without one, which sorts first
	score   float64 // without ALPHA
	missing bool
}

// sortQuery is a parsed SORT.
type sortQuery struct {
	desc, alpha bool
	dontSort    bool // a BY pattern without a '*'
	by          []byte
	get         []keyPattern
	store       []byte
	storing     bool
	from, count int64
	start, end  int64 // of the elements to answer, both included

	items []sortItem
	texts []byte // what items refer to; parts stay valid when it grows
}

// keyPattern says where BY and GET find a value for an element: in a key, or in
// a field of a hash, whose name contains the element.
type keyPattern struct {
	self            bool // "#": the element itself
	none            bool // without a '*' no key is meant
	prefix, postfix []byte
	field           []byte // nil for a string key
}

// parseKeyPattern reads a pattern as C code does, for which a zero byte ends a
// string when it is searched.
func parseKeyPattern(p []byte) keyPattern {
	seen := cutAtZero(p)
	if string(seen) == "#" {
		return keyPattern{self: true}
	}
	star := bytes.IndexByte(seen, '*')
	if star < 0 {
		return keyPattern{none: true}
	}
	k := keyPattern{prefix: p[:star], postfix: p[star+1:]}
	if i := bytes.Index(seen[star+1:], []byte("->")); i >= 0 && star+1+i+2 < len(seen) {
		k.postfix, k.field = p[star+1:star+1+i], p[star+1+i+2:]
	}
	return k
}

// cutAtZero is b up to its first zero byte.
func cutAtZero(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// lookupByPattern finds the value for an element: a view of the record, of the
// element, or of c.srv.hashBuf.
func (c *Client) lookupByPattern(p *keyPattern, element []byte) (val []byte, ok bool) {
	if p.self {
		return element, true
	}
	if p.none {
		return nil, false
	}
	key := append(append(append(c.srv.scratch[:0], p.prefix...), element...), p.postfix...)
	c.srv.keepScratch(key)
	e, ok := c.lookupKeyRead(key)
	if !ok {
		return nil, false
	}
	if p.field == nil {
		if e.Type() != object.TypeString {
			return nil, false
		}
		return e.StringValue(), true
	}
	if e.Type() != object.TypeHash {
		return nil, false
	}
	val, st := e.Value().HashGet(p.field, c.fieldTime(), &c.srv.hashBuf[1])
	return val, st == object.FieldFound
}

// parseSort reads the options; false after an error reply.
func (c *Client) parseSort(readonly bool) (q sortQuery, ok bool) {
	q.count = -1
	for j := 2; j < len(c.args); j++ {
		left := len(c.args) - j - 1
		switch opt := c.args[j]; {
		case equalFold(opt, "asc"):
			q.desc = false
		case equalFold(opt, "desc"):
			q.desc = true
		case equalFold(opt, "alpha"):
			q.alpha = true
		case equalFold(opt, "limit") && left >= 2:
			if q.from, ok = c.longArg(j+1, ""); !ok {
				return q, false
			}
			if q.count, ok = c.longArg(j+2, ""); !ok {
				return q, false
			}
			j += 2
		case equalFold(opt, "store") && !readonly && left >= 1:
			q.store, q.storing = c.args[j+1], true
			j++
		case equalFold(opt, "by") && left >= 1:
			q.by = c.args[j+1]
			if bytes.IndexByte(cutAtZero(q.by), '*') < 0 {
				q.dontSort = true
			} else if !c.readsAllKeys() {
				c.addReplyError("BY option of SORT denied due to insufficient ACL permissions.")
				return q, false
			}
			j++
		case equalFold(opt, "get") && left >= 1:
			if !c.readsAllKeys() {
				c.addReplyError("GET option of SORT denied due to insufficient ACL permissions.")
				return q, false
			}
			q.get = append(q.get, parseKeyPattern(c.args[j+1]))
			j++
		default:
			c.addReplyErrorSyntax()
			return q, false
		}
	}
	return q, true
}

func (c *Client) sortGeneric(readonly bool) {
	q, ok := c.parseSort(readonly)
	if !ok {
		return
	}
	e, found := c.lookupKeyRead(c.args[1])
	typ, n := object.TypeList, 0
	if found {
		if typ = e.Type(); typ != object.TypeSet && typ != object.TypeList && typ != object.TypeZset {
			c.addReplyErrorWrongType()
			return
		}
		n = e.Value().Len()
	}
	if q.dontSort && typ == object.TypeSet && (q.storing || c.flags&flagScript != 0) {
		// A set has no order of its own that a replica would share.
		q.dontSort, q.alpha, q.by = false, true, nil
	}
	q.limit(int64(n))
	if found {
		v := e.Value()
		if typ == object.TypeZset && e.Encoding() == object.EncListpack {
			// Redis sorts none but large ones, and leaves them large.
			v.ZsetToSkiplist()
			c.db.Update(e, v, false)
		}
		c.collectSort(&q, v, n)
	}
	if !q.dontSort && !c.weighSort(&q) {
		c.addReplyError("One or more scores can't be converted into double")
		return
	}
	if q.storing {
		c.storeSort(&q)
		return
	}
	c.replySort(&q)
}

func sortCommand(c *Client)   { c.sortGeneric(false) }
func sortroCommand(c *Client) { c.sortGeneric(true) }

// limit computes which of n sorted elements LIMIT asks for.
func (q *sortQuery) limit(n int64) {
	q.start = min(max(q.from, 0), n)
	count := min(max(q.count, -1), n)
	q.end = n - 1
	if count >= 0 {
		q.end = q.start + count - 1
	}
	if q.start >= n {
		q.start, q.end = n-1, n-2
	}
	q.end = min(q.end, n-1)
}

// collectSort copies the elements of a value of n elements. Where nothing is to be
// sorted and the value has an order, it takes only those that LIMIT asks for.
func (c *Client) collectSort(q *sortQuery, v object.Value, n int) {
	from, count := 0, n
	if q.dontSort && v.Record().Type() != object.TypeSet {
		from, count = int(q.start), int(q.end-q.start+1)
		q.end -= q.start
		q.start = 0
	}
	if count <= 0 {
		return
	}
	q.items = slices.Grow(q.items, count)
	c.eachToSort(v, from, count, q.dontSort && q.desc, func(text []byte) {
		q.items = append(q.items, sortItem{text: q.keep(text)})
	})
}

// keep copies a text.
func (q *sortQuery) keep(text []byte) []byte {
	at := len(q.texts)
	q.texts = append(q.texts, text...)
	return q.texts[at:len(q.texts):len(q.texts)]
}

// eachToSort calls fn for count elements of a set, list or sorted set; in the
// latter two from the index from on, counted and walked from the end if back.
func (c *Client) eachToSort(v object.Value, from, count int, back bool, fn func(text []byte)) {
	switch v.Record().Type() {
	case object.TypeSet:
		object.SetEachBuf(v, c.setBuf(), func(m []byte) bool {
			fn(m)
			return true
		})
	case object.TypeZset:
		c.eachRanked(v, from, count, back, fn)
	case object.TypeList:
		if back {
			from = v.ListLen() - 1 - from
		}
		for it := v.ListIter(&c.srv.lists, from, back); it.Valid() && count > 0; it.Next() {
			fn(it.Value(c.setBuf()))
			count--
		}
	}
}

// eachRanked is eachToSort for a sorted set.
func (c *Client) eachRanked(v object.Value, from, count int, back bool, fn func(text []byte)) {
	var it object.ZsetIter
	step := it.Next
	if back {
		from, step = v.ZsetLen()-1-from, it.Prev
	}
	for ok := it.Seek(v, from); ok && count > 0; ok = step() {
		fn(it.Member())
		count--
	}
}

// sortScore is the number that an element is sorted by, as C's strtod reads it:
// blanks may stand before it, and nothing at all is 0.
func sortScore(text []byte) (float64, bool) {
	text = cutAtZero(text)
	if len(text) == 0 {
		return 0, true
	}
	for len(text) > 0 && (text[0] == ' ' || text[0]-'\t' < 5) {
		text = text[1:]
	}
	const leastNormal = 0x1p-1022
	f, ok := numeric.ParseFloat(text)
	// What is nearer to zero loses digits, which C reports as a range error.
	return f, ok && (f == 0 || f >= leastNormal || f <= -leastNormal)
}

// weighSort finds the weights of all elements and sorts them; false if one is no
// number and should be.
func (c *Client) weighSort(q *sortQuery) bool {
	by, numbers := parseKeyPattern(q.by), true
	for i := range q.items {
		it := &q.items[i]
		weight := it.text
		if q.by != nil {
			val, ok := c.lookupByPattern(&by, it.text)
			if !ok {
				it.missing = true
				continue
			}
			weight = val
		}
		switch {
		case !q.alpha:
			ok := false
			if it.score, ok = sortScore(weight); !ok {
				numbers = false
			}
		case q.by != nil:
			it.weight = q.keep(weight)
		}
	}
	if !numbers {
		return false
	}
	if q.alpha {
		slices.SortStableFunc(q.items, q.compareTexts())
	} else {
		slices.SortFunc(q.items, q.compareScores())
	}
	return true
}

func (q *sortQuery) compareScores() func(a, b sortItem) int {
	sign := q.sign()
	return func(a, b sortItem) int {
		switch {
		case a.score > b.score:
			return sign
		case a.score < b.score:
			return -sign
		}
		return sign * bytes.Compare(a.text, b.text)
	}
}

func (q *sortQuery) sign() int {
	if q.desc {
		return -1
	}
	return 1
}

func (q *sortQuery) compareTexts() func(a, b sortItem) int {
	sign, byWeight, whole := q.sign(), q.by != nil, q.storing
	return func(a, b sortItem) int {
		x, y := a.text, b.text
		if byWeight {
			switch {
			case a.missing && b.missing:
				return 0
			case a.missing:
				return -sign
			case b.missing:
				return sign
			}
			x, y = a.weight, b.weight
		}
		if !whole {
			x, y = cutAtZero(x), cutAtZero(y)
		}
		return sign * bytes.Compare(x, y)
	}
}

// chosen are the elements to answer.
func (q *sortQuery) chosen() []sortItem {
	if q.end < q.start {
		return nil
	}
	return q.items[q.start : q.end+1]
}

func (c *Client) replySort(q *sortQuery) {
	items := q.chosen()
	c.addReplyArrayLen(len(items) * max(len(q.get), 1))
	for i := range items {
		if len(q.get) == 0 {
			c.addReplyBulk(items[i].text)
			continue
		}
		for j := range q.get {
			if val, ok := c.lookupByPattern(&q.get[j], items[i].text); ok {
				c.addReplyBulk(val)
			} else {
				c.addReplyNull()
			}
		}
	}
}

// storeSort makes a list of the result; what GET does not find is empty there.
func (c *Client) storeSort(q *sortQuery) {
	items := q.chosen()
	elems := make([][]byte, 0, len(items)*max(len(q.get), 1))
	for i := range items {
		if len(q.get) == 0 {
			elems = append(elems, items[i].text)
			continue
		}
		for j := range q.get {
			val, _ := c.lookupByPattern(&q.get[j], items[i].text)
			elems = append(elems, q.keep(val))
		}
	}
	n := len(elems)
	c.addReplyLongLong(int64(n))
	if n == 0 {
		c.deleteForStore(q.store)
		return
	}
	c.overwrite(q.store, func() { c.pushElements(q.store, keyspace.Entry{}, false, elems, listTail) })
	c.signalModified(q.store)
	c.notify(notifyList, "sortstore", q.store)
	c.srv.dirty += int64(n)
}
