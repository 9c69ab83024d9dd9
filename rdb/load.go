package rdb

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// workspace is what the loaders keep from one key to the next, so that a file of
// many small collections allocates only while its largest one is met.
type workspace struct {
	lp     []byte // listpack made of a ziplist, zipmap or unsorted listpack
	dups   dupSet
	order  []zsetPair
	pel    []pelEntry
	names  map[string]struct{}
	member []byte
}

// typeOf returns the type of value that a type byte stands for.
func (d *Decoder) typeOf(code byte) (Type, bool) {
	switch code {
	case rdbString:
		return TypeString, true
	case rdbList, rdbListZiplist, rdbListQuicklist, rdbListQuicklist2:
		return TypeList, true
	case rdbSet, rdbSetIntset, rdbSetListpack:
		return TypeSet, true
	case rdbZSet, rdbZSet2, rdbZSetZiplist, rdbZSetListpack:
		return TypeZSet, true
	case rdbHash, rdbHashZipmap, rdbHashZiplist, rdbHashListpack, rdbHashMetadataPreGA:
		return TypeHash, true
	case rdbHashListpackExPre, rdbHashMetadata, rdbHashListpackEx:
		// Valkey gives these numbers no meaning (or another, later).
		return TypeHash, !d.valkey
	case rdbModulePreGA, rdbModule2:
		return TypeModule, true
	case rdbStreamListpacks, rdbStreamListpacks2, rdbStreamListpacks3:
		return TypeStream, true
	}
	return 0, false
}

// load reads the value of the key in d.m and hands it over. ErrEmpty says that
// it was read and has no elements.
func (d *Decoder) load(code byte) error {
	switch code {
	case rdbString:
		v, err := d.value()
		if err != nil {
			return err
		}
		d.m.Key = d.key.b
		return d.sink.String(&d.m, v)
	case rdbList:
		return d.loadList()
	case rdbSet:
		return d.loadSet()
	case rdbZSet, rdbZSet2:
		return d.loadZSet(code == rdbZSet2)
	case rdbHash:
		return d.loadHash(hashPlain)
	case rdbHashMetadataPreGA:
		if d.valkey {
			return d.loadHash(hashValkey)
		}
		return d.loadHash(hashMetadataPreGA)
	case rdbHashMetadata:
		return d.loadHash(hashMetadata)
	case rdbListQuicklist, rdbListQuicklist2:
		return d.loadQuicklist(code == rdbListQuicklist2)
	case rdbHashZipmap, rdbListZiplist, rdbZSetZiplist, rdbHashZiplist:
		return d.loadOldPacked(code)
	case rdbSetIntset:
		return d.loadIntset()
	case rdbSetListpack, rdbZSetListpack, rdbHashListpack:
		return d.loadListpack(code)
	case rdbHashListpackEx, rdbHashListpackExPre:
		return d.loadListpackEx(code == rdbHashListpackEx)
	case rdbStreamListpacks, rdbStreamListpacks2, rdbStreamListpacks3:
		return d.loadStream(code)
	case rdbModule2:
		return d.loadModule()
	case rdbModulePreGA:
		return &UnsupportedError{Code: code, Name: "module value of Redis 4.0 release candidates, which cannot be skipped"}
	}
	return &UnsupportedError{Code: code, Name: "unknown"}
}

func (d *Decoder) begin(n uint64) error {
	d.m.Key = d.key.b
	return d.sink.Begin(&d.m, n)
}

// elements reads the number of elements of a collection and begins it.
func (d *Decoder) elements() (uint64, error) {
	n, err := d.count()
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, ErrEmpty
	}
	return n, d.begin(n)
}

func (d *Decoder) loadList() error {
	n, err := d.elements()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		v, err := d.value()
		if err != nil {
			return err
		}
		if err := d.sink.ListElement(v); err != nil {
			return err
		}
	}
	return d.sink.End()
}

func (d *Decoder) loadSet() error {
	n, err := d.elements()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		v, err := d.value()
		if err != nil {
			return err
		}
		if err := d.sink.SetMember(v); err != nil {
			return err
		}
	}
	return d.sink.End()
}

func (d *Decoder) loadZSet(binaryScores bool) error {
	n, err := d.elements()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		if err := d.pinned(&d.fld); err != nil {
			return err
		}
		score, err := d.score(binaryScores)
		if err != nil {
			return err
		}
		d.fld.live = false
		if math.IsNaN(score) {
			return corrupt("the score of a sorted set's member is not a number")
		}
		if err := d.sink.ZSetMember(d.fld.b, score); err != nil {
			return err
		}
	}
	return d.sink.End()
}

// score reads a float: eight bytes, or (ZSET of old) a length and decimal text,
// where lengths from 253 on stand for NaN, +inf and -inf.
func (d *Decoder) score(binaryForm bool) (float64, error) {
	if binaryForm {
		u, err := d.uint64()
		return math.Float64frombits(u), err
	}
	n, err := d.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case 253:
		return math.NaN(), nil
	case 254:
		return math.Inf(1), nil
	case 255:
		return math.Inf(-1), nil
	}
	p, err := d.take(uint64(n))
	if err != nil {
		return 0, err
	}
	f, ok := parseScore(p)
	if !ok {
		return 0, corrupt("%q is not a score", p)
	}
	return f, nil
}

// parseScore reads the decimal text of a score.
func parseScore(p []byte) (float64, bool) {
	if len(p) == 0 || len(p) > 400 {
		return 0, false
	}
	for _, c := range p {
		// ParseFloat also takes hexadecimal and underscores, which nobody writes.
		if c == '_' || c == 'x' || c == 'X' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(&p[0], len(p)), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// The forms of a hash that arrives field by field.
type hashForm uint8

const (
	hashPlain         hashForm = iota // (field, value)…
	hashMetadata                      // least expiry; (expiry relative to it plus 1, field, value)…
	hashMetadataPreGA                 // (expiry or 0, field, value)…
	hashValkey                        // (field, value, expiry or -1)…
)

// maxFieldExpire is the greatest expiry of a hash field in Redis: 48 bits of ms.
const maxFieldExpire = 1<<48 - 1

func (d *Decoder) loadHash(form hashForm) error {
	var least uint64
	if form == hashMetadata {
		var err error
		if least, err = d.uint64(); err != nil {
			return err
		}
		if least > maxFieldExpire+1 { // +1 stands for none
			return corrupt("least field expiry %d", least)
		}
	}
	n, err := d.elements()
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		expireAt := int64(-1)
		if form == hashMetadata || form == hashMetadataPreGA {
			ttl, err := d.count()
			if err != nil {
				return err
			}
			if ttl != 0 {
				at := ttl
				if form == hashMetadata {
					at += least - 1
				}
				if ttl > maxFieldExpire || at > maxFieldExpire {
					return corrupt("field expiry %d", at)
				}
				expireAt = int64(at)
			}
		}
		if err := d.pinned(&d.fld); err != nil {
			return err
		}
		v, inBuf, err := d.str(&d.vbuf)
		if err != nil {
			return err
		}
		if form == hashValkey {
			// The value must survive reading the expiry behind it.
			if inBuf && d.end-d.pos < 8 {
				d.work.member = append(d.work.member[:0], v...)
				v = d.work.member
			}
			u, err := d.uint64()
			if err != nil {
				return err
			}
			if expireAt = int64(u); expireAt < -1 {
				return corrupt("field expiry %d", expireAt)
			}
		}
		d.fld.live = false
		if err := d.sink.HashField(d.fld.b, v, expireAt); err != nil {
			return err
		}
	}
	return d.sink.End()
}

func streamID(p []byte) StreamID {
	return StreamID{Ms: binary.BigEndian.Uint64(p), Seq: binary.BigEndian.Uint64(p[8:])}
}
