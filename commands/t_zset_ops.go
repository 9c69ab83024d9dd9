package commands

import (
	"sort"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// Unions, intersections and differences of sorted sets. Sets are inputs too, with
// the score 1 for each member. What is built is built in the arena, not on the Go
// heap, and then stored, or answered and dropped.

type zsetOp uint8

const (
	zsetUnion zsetOp = iota
	zsetInter
	zsetDiff
)

// zaggregate says how the scores of a member in several inputs become one.
type zaggregate uint8

const (
	zaggregateSum zaggregate = iota
	zaggregateMin
	zaggregateMax
)

func (g zaggregate) join(target, val float64) float64 {
	switch g {
	case zaggregateMin:
		if val < target {
			return val
		}
		return target
	case zaggregateMax:
		if val > target {
			return val
		}
		return target
	}
	if sum := target + val; sum == sum {
		return sum
	}
	return 0 // infinity and its opposite
}

// zsource is an input and its weight.
type zsource struct {
	in     object.ZsetInput
	ok     bool // there is such a key
	weight float64
}

func (s *zsource) len() int {
	if !s.ok {
		return 0
	}
	return s.in.Len()
}

// weigh is a score with its weight, not NaN.
func (s *zsource) weigh(score float64) float64 {
	if f := s.weight * score; f == f {
		return f
	}
	return 0
}

// zsetQuery is a parsed operation.
type zsetQuery struct {
	op         zsetOp
	src        []zsource
	aggregate  zaggregate
	withScores bool
	limit      int64
}

// parseZsetOp reads "numkeys key [key ...] options" from argument at on. store and
// card tell which options there may be.
func (c *Client) parseZsetOp(op zsetOp, at int, store, card bool) (q zsetQuery, ok bool) {
	q.op = op
	n, ok := c.longArg(at, "")
	if !ok {
		return q, false
	}
	if n < 1 {
		c.addReplyError("at least 1 input key is needed for '" + c.cmdName() + "' command")
		return q, false
	}
	if n > int64(len(c.args)-at-1) {
		c.addReplyErrorSyntax()
		return q, false
	}
	num := int(n)
	q.src = make([]zsource, num)
	j := at + 1
	for i := range q.src {
		q.src[i].weight = 1
		if e, found := c.lookupKeyRead(c.args[j]); found {
			if t := e.Type(); t != object.TypeZset && t != object.TypeSet {
				c.addReplyErrorWrongType()
				return q, false
			}
			q.src[i].in, q.src[i].ok = object.NewZsetInput(e.Value()), true
		}
		j++
	}
	for j < len(c.args) {
		opt, left := c.args[j], len(c.args)-j
		weighted := op != zsetDiff && !card
		switch {
		case weighted && left >= num+1 && equalFold(opt, "weights"):
			j++
			for i := range q.src {
				if q.src[i].weight, ok = c.floatArg(j, "weight value is not a float"); !ok {
					return q, false
				}
				j++
			}
		case weighted && left >= 2 && equalFold(opt, "aggregate"):
			switch how := c.args[j+1]; {
			case equalFold(how, "sum"):
				q.aggregate = zaggregateSum
			case equalFold(how, "min"):
				q.aggregate = zaggregateMin
			case equalFold(how, "max"):
				q.aggregate = zaggregateMax
			default:
				c.addReplyErrorSyntax()
				return q, false
			}
			j += 2
		case !store && !card && equalFold(opt, "withscores"):
			q.withScores = true
			j++
		case card && left >= 2 && equalFold(opt, "limit"):
			if q.limit, ok = c.longArg(j+1, "LIMIT can't be negative"); !ok {
				return q, false
			}
			if q.limit < 0 {
				c.addReplyError("LIMIT can't be negative")
				return q, false
			}
			j += 2
		default:
			c.addReplyErrorSyntax()
			return q, false
		}
	}
	if op != zsetDiff {
		// The smallest first: it bounds the work of an intersection, and it is
		// the order in which Redis adds up scores.
		sort.SliceStable(q.src, func(i, k int) bool { return q.src[i].len() < q.src[k].len() })
	}
	return q, true
}

// intersect calls fn for each member of the intersection until it returns false.
func (q *zsetQuery) intersect(fn func(member []byte, score float64) bool) {
	first := &q.src[0]
	if first.len() == 0 {
		return
	}
	first.in.Each(func(member []byte, s float64) bool {
		score := first.weigh(s)
		for i := range q.src[1:] {
			other := &q.src[1+i]
			val := s
			if !other.in.Same(first.in) {
				var ok bool
				if val, ok = other.in.Find(member); !ok {
					return true
				}
			}
			score = q.aggregate.join(score, val*other.weight)
		}
		return fn(member, score)
	})
}

// diff calls fn for each member of the first input that no other one has.
func (q *zsetQuery) diff(fn func(member []byte, score float64) bool) {
	first := &q.src[0]
	if first.len() == 0 {
		return
	}
	for i := range q.src[1:] {
		if other := &q.src[1+i]; other.ok && other.in.Same(first.in) {
			return
		}
	}
	first.in.Each(func(member []byte, s float64) bool {
		for i := range q.src[1:] {
			if other := &q.src[1+i]; other.ok {
				if _, found := other.in.Find(member); found {
					return true
				}
			}
		}
		return fn(member, s)
	})
}

// build puts the result in a sorted set, which is empty and large.
func (q *zsetQuery) build(to object.Value) {
	add := func(member []byte, score float64) bool {
		to.ZsetBuild(member, score)
		return true
	}
	switch q.op {
	case zsetInter:
		q.intersect(add)
	case zsetDiff:
		q.diff(add)
	default:
		if n := len(q.src); n > 0 {
			to.ZsetExpand(q.src[n-1].len())
		}
		for i := range q.src {
			s := &q.src[i]
			if !s.ok {
				continue
			}
			s.in.Each(func(member []byte, score float64) bool {
				score = s.weigh(score)
				at, fresh := to.ZsetCollect(member)
				if !fresh {
					score = q.aggregate.join(*at, score)
				}
				*at = score
				return true
			})
		}
		to.ZsetCollected()
	}
}

// zsetOpGeneric answers the result of an operation.
func (c *Client) zsetOpGeneric(op zsetOp) {
	q, ok := c.parseZsetOp(op, 1, false, false)
	if !ok {
		return
	}
	res := c.newZset(nil)
	q.build(res)
	c.addReplyZrange(res, 0, res.ZsetLen(), false, q.withScores)
	c.srv.KS.FreeDetached(res.Ref)
}

// zsetOpStore stores the result of an operation under args[1].
func (c *Client) zsetOpStore(op zsetOp, event string) {
	q, ok := c.parseZsetOp(op, 2, true, false)
	if !ok {
		return
	}
	res := c.newZset(c.args[1])
	q.build(res)
	c.storeZset(c.args[1], res, event)
}

func zunionCommand(c *Client)      { c.zsetOpGeneric(zsetUnion) }
func zinterCommand(c *Client)      { c.zsetOpGeneric(zsetInter) }
func zdiffCommand(c *Client)       { c.zsetOpGeneric(zsetDiff) }
func zunionstoreCommand(c *Client) { c.zsetOpStore(zsetUnion, "zunionstore") }
func zinterstoreCommand(c *Client) { c.zsetOpStore(zsetInter, "zinterstore") }
func zdiffstoreCommand(c *Client)  { c.zsetOpStore(zsetDiff, "zdiffstore") }

func zintercardCommand(c *Client) {
	q, ok := c.parseZsetOp(zsetInter, 1, false, true)
	if !ok {
		return
	}
	n := int64(0)
	q.intersect(func([]byte, float64) bool {
		n++
		return q.limit == 0 || n < q.limit
	})
	c.addReplyLongLong(n)
}
