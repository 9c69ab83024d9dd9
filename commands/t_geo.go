package commands

import (
	"sort"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/geo"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/zindex"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// GEO commands. A set of places is a sorted set whose scores are geohashes.

const errGeoMember = "could not decode requested zset member"

// pointArg reads the longitude and latitude in arguments i and i+1.
func (c *Client) pointArg(i int) (p geo.Point, ok bool) {
	if p.Lon, ok = c.floatArg(i, ""); !ok {
		return p, false
	}
	if p.Lat, ok = c.floatArg(i+1, ""); !ok {
		return p, false
	}
	if !p.Valid() {
		text := append([]byte("invalid longitude,latitude pair "), appendFloatF(nil, p.Lon)...)
		text = append(text, ',')
		c.addReplyError(string(appendFloatF(text, p.Lat)))
		return p, false
	}
	return p, true
}

// appendFloatF appends a number as C's %f does.
func appendFloatF(dst []byte, f float64) []byte {
	if f-f != 0 { // infinite
		return numeric.AppendDouble17g(dst, f)
	}
	return strconv.AppendFloat(dst, f, 'f', 6, 64)
}

// unitArg reads a unit and returns its length in metres.
func (c *Client) unitArg(i int) (float64, bool) {
	switch u := c.args[i]; {
	case equalFold(u, "m"):
		return 1, true
	case equalFold(u, "km"):
		return 1000, true
	case equalFold(u, "ft"):
		return 0.3048, true
	case equalFold(u, "mi"):
		return 1609.34, true
	}
	c.addReplyError("unsupported unit provided. please use M, KM, FT, MI")
	return 0, false
}

// circleArg reads the radius and unit in arguments i and i+1.
func (c *Client) circleArg(i int, s *geo.Shape) (ok bool) {
	if s.Radius, ok = c.floatArg(i, "need numeric radius"); !ok {
		return false
	}
	if s.Radius < 0 {
		c.addReplyError("radius cannot be negative")
		return false
	}
	s.Unit, ok = c.unitArg(i + 1)
	return ok
}

// boxArg reads the width, height and unit in arguments i to i+2.
func (c *Client) boxArg(i int, s *geo.Shape) (ok bool) {
	if s.Width, ok = c.floatArg(i, "need numeric width"); !ok {
		return false
	}
	if s.Height, ok = c.floatArg(i+1, "need numeric height"); !ok {
		return false
	}
	if s.Width < 0 || s.Height < 0 {
		c.addReplyError("height or width cannot be negative")
		return false
	}
	s.Box = true
	s.Unit, ok = c.unitArg(i + 2)
	return ok
}

// geoaddCommand is ZADD with the scores of places.
func geoaddCommand(c *Client) {
	first := 2
	var nx, xx bool
options:
	for ; first < len(c.args); first++ {
		switch opt := c.args[first]; {
		case equalFold(opt, "nx"):
			nx = true
		case equalFold(opt, "xx"):
			xx = true
		case equalFold(opt, "ch"):
		default:
			break options
		}
	}
	places := c.args[first:]
	if len(places)%3 != 0 || nx && xx {
		c.addReplyErrorSyntax()
		return
	}
	all := c.args
	args := append(make([][]byte, 0, first+len(places)/3*2), all[:first]...)
	for i := 0; i < len(places); i += 3 {
		p, ok := c.pointArg(first + i)
		if !ok {
			return
		}
		args = append(args, strconv.AppendUint(nil, geo.Encode(p), 10), places[i+2])
	}
	c.args = args
	dirty := c.srv.dirty
	c.zaddGeneric(0)
	c.args = all
	if c.srv.dirty > dirty {
		args[0] = wordZadd
		c.rewrite(args...)
	}
}

// memberPoint is the place of a member.
func memberPoint(v object.Value, member []byte) (geo.Point, bool) {
	score, ok := v.ZsetScore(member)
	return geo.Decode(score), ok
}

func (c *Client) addReplyDistance(metres, unit float64) {
	var buf [40]byte
	c.addReplyBulk(numeric.AppendFixed(buf[:0], metres/unit, 4))
}

func (c *Client) addReplyPoint(p geo.Point) {
	c.addReplyArrayLen(2)
	var buf [64]byte
	for _, f := range [2]float64{p.Lon, p.Lat} {
		c.out = resp.AppendDoubleText(c.out, c.proto, numeric.LongDoubleFrom(f).AppendHuman(buf[:0]))
	}
}

func geodistCommand(c *Client) {
	unit := 1.0
	switch {
	case len(c.args) == 5:
		var ok bool
		if unit, ok = c.unitArg(4); !ok {
			return
		}
	case len(c.args) > 5:
		c.addReplyErrorSyntax()
		return
	}
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	if found {
		a, ok1 := memberPoint(v, c.args[2])
		b, ok2 := memberPoint(v, c.args[3])
		if ok1 && ok2 {
			c.addReplyDistance(geo.Distance(a, b), unit)
			return
		}
	}
	c.addReplyNull()
}

func geohashCommand(c *Client) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	c.addReplyArrayLen(len(c.args) - 2)
	var buf [16]byte
	for _, m := range c.args[2:] {
		if found {
			if score, has := v.ZsetScore(m); has {
				c.addReplyBulk(geo.AppendHash(buf[:0], score))
				continue
			}
		}
		c.addReplyNull()
	}
}

func geoposCommand(c *Client) {
	v, found, ok := c.lookupZsetRead(c.args[1])
	if !ok {
		return
	}
	c.addReplyArrayLen(len(c.args) - 2)
	for _, m := range c.args[2:] {
		if found {
			if p, has := memberPoint(v, m); has {
				c.addReplyPoint(p)
				continue
			}
		}
		c.addReplyNullArray()
	}
}

// geoKind says which of the search commands is in execution.
type geoKind uint8

const (
	geoRadius geoKind = 1 << iota // the centre is in arguments 2 and 3
	geoRadiusByMember
	geoNoStore     // the _RO forms
	geoSearch      // GEOSEARCH
	geoSearchStore // GEOSEARCHSTORE
)

// geoQuery is a parsed search.
type geoQuery struct {
	shape                         geo.Shape
	withDist, withHash, withCoord bool
	any                           bool
	order                         int // 1 ascending, -1 descending, 0 as found
	count                         int64
	store                         []byte
	storeDist                     bool
}

// geoHit is a place that was found. Its member stands in the query's buffer, or
// in the sorted set, which does not change while it is searched.
type geoHit struct {
	member []byte
	score  float64
	dist   float64 // metres
	point  geo.Point
}

// parseGeoSearch reads the arguments of a search. v is the sorted set, if found.
func (c *Client) parseGeoSearch(kind geoKind, v object.Value, found bool) (q geoQuery, ok bool) {
	var base int
	search := kind&(geoSearch|geoSearchStore) != 0
	switch {
	case kind&geoRadius != 0:
		base = 6
		if q.shape.Center, ok = c.pointArg(2); !ok {
			return q, false
		}
		if !c.circleArg(4, &q.shape) {
			return q, false
		}
	case kind&geoRadiusByMember != 0:
		base = 5
		// Without a key the arguments are not looked at.
		if found {
			if q.shape.Center, ok = memberPoint(v, c.args[2]); !ok {
				c.addReplyError(errGeoMember)
				return q, false
			}
			if !c.circleArg(3, &q.shape) {
				return q, false
			}
		}
	case kind&geoSearchStore != 0:
		base = 3
		q.store = c.args[1]
	default:
		base = 2
	}
	var fromMember, fromPoint, byRadius, byBox bool
	for i := base; i < len(c.args); i++ {
		opt := c.args[i]
		left := len(c.args) - i - 1
		switch {
		case equalFold(opt, "withdist"):
			q.withDist = true
		case equalFold(opt, "withhash"):
			q.withHash = true
		case equalFold(opt, "withcoord"):
			q.withCoord = true
		case equalFold(opt, "any"):
			q.any = true
		case equalFold(opt, "asc"):
			q.order = 1
		case equalFold(opt, "desc"):
			q.order = -1
		case equalFold(opt, "count") && left >= 1:
			i++
			if q.count, ok = c.longArg(i, ""); !ok {
				return q, false
			}
			if q.count <= 0 {
				c.addReplyError("COUNT must be > 0")
				return q, false
			}
		case !search && kind&geoNoStore == 0 && left >= 1 && (equalFold(opt, "store") || equalFold(opt, "storedist")):
			i++
			q.store, q.storeDist = c.args[i], len(opt) > len("store")
		case kind&geoSearchStore != 0 && equalFold(opt, "storedist"):
			q.storeDist = true
		case search && !fromPoint && equalFold(opt, "frommember") && left >= 1:
			i++
			fromMember = true
			if !found {
				break
			}
			if q.shape.Center, ok = memberPoint(v, c.args[i]); !ok {
				c.addReplyError(errGeoMember)
				return q, false
			}
		case search && !fromMember && equalFold(opt, "fromlonlat") && left >= 2:
			fromPoint = true
			if q.shape.Center, ok = c.pointArg(i + 1); !ok {
				return q, false
			}
			i += 2
		case search && !byBox && equalFold(opt, "byradius") && left >= 2:
			byRadius = true
			if !c.circleArg(i+1, &q.shape) {
				return q, false
			}
			i += 2
		case search && !byRadius && equalFold(opt, "bybox") && left >= 3:
			byBox = true
			if !c.boxArg(i+1, &q.shape) {
				return q, false
			}
			i += 3
		default:
			c.addReplyErrorSyntax()
			return q, false
		}
	}
	name := string(c.args[0])
	switch {
	case q.store != nil && (q.withDist || q.withHash || q.withCoord):
		what := "STORE option in GEORADIUS"
		if kind&geoSearchStore != 0 {
			what = "GEOSEARCHSTORE"
		}
		c.addReplyError(what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
		return q, false
	case search && !fromMember && !fromPoint:
		c.addReplyError("exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name)
		return q, false
	case search && !byRadius && !byBox:
		c.addReplyError("exactly one of BYRADIUS and BYBOX can be specified for " + name)
		return q, false
	case q.any && q.count == 0:
		c.addReplyError("the ANY argument requires COUNT argument")
		return q, false
	}
	if q.count != 0 && q.order == 0 && !q.any {
		// The nearest ones are meant.
		q.order = 1
	}
	return q, true
}

// search finds the places in the shape, in the order of Redis.
func (q *geoQuery) search(v object.Value) []geoHit {
	limit := 0
	if q.any {
		limit = int(q.count)
	}
	var ranges [9]geo.Range
	var hits []geoHit
	packed := v.ZsetPacked() != nil
	for _, r := range q.shape.Covering(ranges[:0]) {
		var it object.ZsetIter
		at := v.ZsetBelow(&zindex.Bound{Score: r.Min, By: zindex.ByScore})
		for ok := it.Seek(v, at); ok; ok = it.Next() {
			score := it.Score()
			if score >= r.Max {
				break
			}
			p := geo.Decode(score)
			dist, in := q.shape.Contains(p, q.storeDist)
			if !in {
				continue
			}
			m := it.Member()
			if packed {
				m = append([]byte(nil), m...) // it may be a number in the iterator
			}
			hits = append(hits, geoHit{m, score, dist, p})
			if limit > 0 && len(hits) >= limit {
				return hits
			}
		}
	}
	return hits
}

// geoSearchGeneric is GEORADIUS, GEOSEARCH and their relatives. The key is
// argument at.
func (c *Client) geoSearchGeneric(at int, kind geoKind) {
	v, found, ok := c.lookupZsetRead(c.args[at])
	if !ok {
		return
	}
	q, ok := c.parseGeoSearch(kind, v, found)
	if !ok {
		return
	}
	var hits []geoHit
	if found {
		hits = q.search(v)
	}
	if q.order != 0 {
		sort.SliceStable(hits, func(i, j int) bool {
			if q.order > 0 {
				return hits[i].dist < hits[j].dist
			}
			return hits[i].dist > hits[j].dist
		})
	}
	if q.count > 0 && int64(len(hits)) > q.count {
		hits = hits[:q.count]
	}
	if q.store != nil {
		c.geoStore(&q, kind, hits)
		return
	}
	c.addReplyArrayLen(len(hits))
	parts := 1
	for _, with := range [...]bool{q.withDist, q.withHash, q.withCoord} {
		if with {
			parts++
		}
	}
	for i := range hits {
		h := &hits[i]
		if parts > 1 {
			c.addReplyArrayLen(parts)
		}
		c.addReplyBulk(h.member)
		if q.withDist {
			c.addReplyDistance(h.dist, q.shape.Unit)
		}
		if q.withHash {
			c.addReplyLongLong(int64(h.score))
		}
		if q.withCoord {
			c.addReplyPoint(h.point)
		}
	}
}

// geoStore stores what a search found.
func (c *Client) geoStore(q *geoQuery, kind geoKind, hits []geoHit) {
	res := c.newZset(q.store)
	for i := range hits {
		score := hits[i].score
		if q.storeDist {
			score = hits[i].dist / q.shape.Unit
		}
		res.ZsetBuild(hits[i].member, score)
	}
	event := "georadiusstore"
	if kind&geoSearchStore != 0 {
		event = "geosearchstore"
	}
	c.storeZset(q.store, res, event)
}

func georadiusCommand(c *Client)           { c.geoSearchGeneric(1, geoRadius) }
func georadiusroCommand(c *Client)         { c.geoSearchGeneric(1, geoRadius|geoNoStore) }
func georadiusbymemberCommand(c *Client)   { c.geoSearchGeneric(1, geoRadiusByMember) }
func georadiusbymemberroCommand(c *Client) { c.geoSearchGeneric(1, geoRadiusByMember|geoNoStore) }
func geosearchCommand(c *Client)           { c.geoSearchGeneric(1, geoSearch) }
func geosearchstoreCommand(c *Client)      { c.geoSearchGeneric(2, geoSearchStore) }
