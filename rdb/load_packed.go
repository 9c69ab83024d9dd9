package rdb

import (
	"bytes"
	"math"
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/ziplist"
)

// Containers of a quicklist's node.
const (
	nodePlain  = 1
	nodePacked = 2
)

// packed hands a whole collection over.
func (d *Decoder) packed(p Packing, data []byte, n int) error {
	if n == 0 {
		return ErrEmpty
	}
	d.m.Key = d.key.b
	return d.sink.Packed(&d.m, p, data, n)
}

// loadQuicklist reads a list of nodes. A node is a listpack (quicklist 2, which
// names the container first) or a ziplist (quicklist); empty ones are left out.
func (d *Decoder) loadQuicklist(second bool) error {
	nodes, err := d.count()
	if err != nil {
		return err
	}
	begun := false
	for left := nodes; left > 0; left-- {
		container := uint64(nodePacked)
		if second {
			if container, err = d.count(); err != nil {
				return err
			}
			if container != nodePacked && container != nodePlain {
				return corrupt("quicklist node container %d", container)
			}
		}
		at := d.offset()
		v, err := d.value()
		if err != nil {
			return err
		}
		if len(v) == 0 {
			return &offsetError{at, corrupt("a quicklist node of 0 bytes")}
		}
		n := 0
		if container == nodePacked {
			if second {
				n, err = listpack.Validate(v)
			} else {
				d.work.lp, n, err = ziplist.AppendListpack(d.work.lp[:0], v)
				v = d.work.lp
			}
			if err != nil {
				return &offsetError{at, err}
			}
			if n == 0 {
				continue
			}
			if nodes == 1 {
				return d.packed(Listpack, v, n)
			}
		}
		if !begun {
			begun = true
			if err := d.begin(nodes); err != nil {
				return err
			}
		}
		if container == nodePlain {
			err = d.sink.ListElement(v)
		} else {
			err = d.sink.ListNode(v, n)
		}
		if err != nil {
			return err
		}
	}
	if !begun {
		return ErrEmpty
	}
	return d.sink.End()
}

func (d *Decoder) loadIntset() error {
	at := d.offset()
	v, err := d.value()
	if err != nil {
		return err
	}
	n, err := intset.Validate(v)
	if err != nil {
		return &offsetError{at, err}
	}
	return d.packed(Intset, v, n)
}

// loadListpack reads a set, sorted set or hash in one listpack.
func (d *Decoder) loadListpack(code byte) error {
	at := d.offset()
	v, err := d.value()
	if err != nil {
		return err
	}
	n, err := listpack.Validate(v)
	if err != nil {
		return &offsetError{at, err}
	}
	if err := d.packedListpack(v, n, code); err != nil {
		return d.contentError(at, err)
	}
	return nil
}

// contentError gives an error of validation the offset of the value's start. An
// error of the sink passes unchanged.
func (d *Decoder) contentError(at int64, err error) error {
	if ce, ok := err.(*CorruptError); ok {
		return &offsetError{at, ce}
	}
	return err
}

// loadOldPacked reads a collection in one ziplist or zipmap.
func (d *Decoder) loadOldPacked(code byte) error {
	at := d.offset()
	v, err := d.value()
	if err != nil {
		return err
	}
	var n int
	if code == rdbHashZipmap {
		d.work.lp, n, err = ziplist.AppendMapListpack(d.work.lp[:0], v)
		n *= 2
	} else {
		d.work.lp, n, err = ziplist.AppendListpack(d.work.lp[:0], v)
	}
	if err != nil {
		return &offsetError{at, err}
	}
	if err := d.packedListpack(d.work.lp, n, code); err != nil {
		return d.contentError(at, err)
	}
	return nil
}

// packedListpack checks what the entries of a structurally valid listpack mean,
// and hands it over.
func (d *Decoder) packedListpack(lp []byte, n int, code byte) error {
	switch d.m.Type {
	case TypeList:
		return d.packed(Listpack, lp, n)
	case TypeSet:
		if p := d.work.dups.find(lp, n, 1); p >= 0 {
			return corrupt("member %.64q occurs twice", text(lp, p))
		}
		return d.packed(Listpack, lp, n)
	case TypeHash:
		if n%2 != 0 {
			return corrupt("a hash of %d listpack entries, which are not pairs", n)
		}
		if p := d.work.dups.find(lp, n, 2); p >= 0 {
			return corrupt("field %.64q occurs twice", text(lp, p))
		}
		return d.packed(Listpack, lp, n/2)
	}
	if n%2 != 0 {
		return corrupt("a sorted set of %d listpack entries, which are not pairs", n)
	}
	if p := d.work.dups.find(lp, n, 2); p >= 0 {
		return corrupt("member %.64q occurs twice", text(lp, p))
	}
	sorted, err := d.zsetOrder(lp)
	if err != nil {
		return err
	}
	if !sorted {
		lp = d.sortZSet(lp)
	}
	return d.packed(Listpack, lp, n/2)
}

func text(lp []byte, p int) []byte {
	var buf listpack.IntBuf
	return listpack.Get(lp, p, &buf)
}

// zsetPair is where a member stands in a listpack, and its score.
type zsetPair struct {
	score  float64
	member int
	next   int // the offset after the pair
}

func lpScore(lp []byte, p int) (float64, error) {
	s, v, isInt := listpack.Entry(lp, p)
	if isInt {
		return float64(v), nil
	}
	f, ok := parseScore(s)
	if !ok || math.IsNaN(f) {
		return 0, corrupt("%.64q is not a score", s)
	}
	return f, nil
}

// zsetOrder checks the scores of a listpack of pairs and tells whether the pairs
// ascend by score and then by member.
func (d *Decoder) zsetOrder(lp []byte) (sorted bool, err error) {
	sorted = true
	prev := -1
	var prevScore float64
	for p := listpack.First(lp); p >= 0; {
		q := listpack.Next(lp, p)
		score, err := lpScore(lp, q)
		if err != nil {
			return false, err
		}
		if prev >= 0 && !pairLess(lp, prevScore, prev, score, p) {
			sorted = false
		}
		prev, prevScore = p, score
		p = listpack.Next(lp, q)
	}
	return sorted, nil
}

func pairLess(lp []byte, s1 float64, m1 int, s2 float64, m2 int) bool {
	if s1 != s2 {
		return s1 < s2
	}
	var b1, b2 listpack.IntBuf
	return bytes.Compare(listpack.Get(lp, m1, &b1), listpack.Get(lp, m2, &b2)) < 0
}

// sortZSet returns the pairs of lp in order. Redis keeps a packed sorted set in
// the order in which it came and sorts it only once it outgrows its packing;
// nothing that a server writes is out of order, but ranges over such a set would
// be wrong for as long as it stays small.
func (d *Decoder) sortZSet(lp []byte) []byte {
	d.stats.SortedSets++
	pairs := d.work.order[:0]
	for p := listpack.First(lp); p >= 0; {
		q := listpack.Next(lp, p)
		score, err := lpScore(lp, q)
		if err != nil {
			panic(err) // zsetOrder accepted it
		}
		next := listpack.Next(lp, q)
		end := next
		if next < 0 {
			end = len(lp) - 1
		}
		pairs = append(pairs, zsetPair{score, p, end})
		p = next
	}
	d.work.order = pairs
	slices.SortFunc(pairs, func(a, b zsetPair) int {
		if pairLess(lp, a.score, a.member, b.score, b.member) {
			return -1
		}
		if a.member == b.member {
			return 0
		}
		return 1
	})
	// work.lp may be what lp is a view of, so the result needs storage of its own.
	out := listpack.Begin(d.work.member[:0])
	for _, p := range pairs {
		out = append(out, lp[p.member:p.next]...)
	}
	out = listpack.Finish(out, 0, 2*len(pairs))
	d.work.member = out
	return out
}

// loadListpackEx reads a hash of (field, value, expiry) in one listpack,
// preceded by the least expiry except in release candidates of Redis 7.4.
func (d *Decoder) loadListpackEx(withLeast bool) error {
	if withLeast {
		if _, err := d.uint64(); err != nil {
			return err
		}
	}
	at := d.offset()
	v, err := d.value()
	if err != nil {
		return err
	}
	n, err := listpack.Validate(v)
	if err != nil {
		return &offsetError{at, err}
	}
	if n%3 != 0 {
		return &offsetError{at, corrupt("a hash of %d listpack entries, which are not triples", n)}
	}
	if p := d.work.dups.find(v, n, 3); p >= 0 {
		return &offsetError{at, corrupt("field %.64q occurs twice", text(v, p))}
	}
	last := int64(-1)
	for p := listpack.First(v); p >= 0; p = nextElement(v, p, 3) {
		ttl, ok := listpack.GetInt(v, nextElement(v, p, 2))
		if !ok || ttl < 0 || ttl > maxFieldExpire {
			return &offsetError{at, corrupt("the expiry of field %.64q is %.64q", text(v, p), text(v, nextElement(v, p, 2)))}
		}
		if ttl != 0 && (last == 0 || ttl < last) {
			return &offsetError{at, corrupt("field %.64q is out of the order of expiry", text(v, p))}
		}
		last = ttl
	}
	return d.packed(ListpackEx, v, n/3)
}
