package rdb

import (
	"errors"
	"io"
	"math"
)

// Stats counts what a Decoder met.
type Stats struct {
	// Keys is the number of keys handed to the sink, Expires how many of them
	// have an expiry time.
	Keys, Expires uint64
	// EmptyKeys counts keys that were left out because their collection has no
	// elements: an old bug of Redis could write them, and Redis 7 skips them too.
	EmptyKeys uint64
	// Modules counts keys of module types, whose values were skipped.
	Modules uint64
	// Functions counts function libraries.
	Functions uint64
	// SortedSets counts sorted sets whose listpack was out of order and was sorted.
	SortedSets uint64
}

// Decoder reads one RDB from a stream. It is not safe for concurrent use; the
// goroutine that calls Decode runs the sink.
type Decoder struct {
	input
	sink    Sink
	m       Meta
	version int
	valkey  bool
	inKey   bool
	payload bool
	noSum   bool
	stats   Stats
	work    workspace
}

// NewDecoder returns a decoder that reads an RDB from r in pieces of up to
// DefaultBufferSize bytes. It may read past the end of the RDB: Rest returns
// what it read too much.
func NewDecoder(r io.Reader) *Decoder {
	return NewDecoderSize(r, DefaultBufferSize)
}

// NewDecoderSize is NewDecoder with a buffer of the given size in bytes (at
// least 512). Any size gives the same result.
func NewDecoderSize(r io.Reader, size int) *Decoder {
	size = max(size, minBufferSize)
	d := &Decoder{}
	d.buf = make([]byte, size)
	d.size = size
	d.r = r
	return d
}

// SetChecksum tells whether the checksum is verified, as it is at first. Call it
// before Decode.
func (d *Decoder) SetChecksum(on bool) { d.noSum = !on }

// Reset makes the decoder read another RDB from r and keeps its buffers.
func (d *Decoder) Reset(r io.Reader) {
	in := input{r: r, buf: d.buf, size: d.size, vbuf: d.vbuf}
	in.key.scratch, in.fld.scratch = d.key.scratch, d.fld.scratch
	*d = Decoder{input: in, work: d.work, noSum: d.noSum}
}

// Offset returns the number of bytes of the RDB that were consumed so far. After
// a successful Decode that is the exact length of the RDB, checksum included.
// It may be called from within the sink.
func (d *Decoder) Offset() int64 { return d.offset() }

// Rest returns the bytes that were read from the stream but do not belong to
// the RDB: after a successful Decode, what follows it. The view is valid until
// the next use of the decoder.
func (d *Decoder) Rest() []byte { return d.buf[d.pos:d.end:d.end] }

// Version returns the RDB version of the header, and whether it is Valkey's
// numbering ("VALKEY" in place of "REDIS"). It is valid within the sink.
func (d *Decoder) Version() (version int, valkey bool) { return d.version, d.valkey }

// Stats returns what was counted so far.
func (d *Decoder) Stats() Stats { return d.stats }

// Decode reads the whole RDB and hands its content to s. It returns nil after
// the EOF marker and a checksum that matches (or is absent: version 4 and
// older, or written with rdbchecksum no), else an *Error. It never blocks for
// more bytes than the RDB has. Call it once for each RDB; Reset prepares for the
// next.
func (d *Decoder) Decode(s Sink) error {
	d.sink = s
	d.m = Meta{ExpireAt: -1, Idle: -1, DB: -1, Freq: -1}
	err := d.header()
	if err == nil {
		err = d.records()
	}
	d.settle()
	return d.wrap(err)
}

// wrap adds the position to an error.
func (d *Decoder) wrap(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Offset: d.offset(), DB: d.m.DB, Err: err}
	var at *offsetError
	if errors.As(err, &at) {
		e.Offset, e.Err = at.at, at.err
	}
	if d.inKey {
		e.Key = append([]byte{}, d.key.b[:min(len(d.key.b), 128)]...)
	}
	return e
}

// header reads "REDIS" and four digits, or "VALKEY" and three.
func (d *Decoder) header() error {
	// Whatever is checked is checked as it arrives: one who sends something
	// else, and less of it, gets his answer.
	d.sum = true
	for i := 1; i <= 9; i++ {
		if err := d.need(i); err != nil {
			return err
		}
		c := d.buf[d.pos+i-1]
		switch {
		case i == 1:
			if c != 'R' && c != 'V' {
				return ErrNotRDB
			}
			d.valkey = c == 'V'
		case d.valkey && i <= 6:
			if c != "VALKEY"[i-1] {
				return ErrNotRDB
			}
		case !d.valkey && i <= 5:
			if c != "REDIS"[i-1] {
				return ErrNotRDB
			}
		default:
			if c < '0' || c > '9' {
				return ErrNotRDB
			}
			d.version = d.version*10 + int(c-'0')
		}
	}
	if d.valkey {
		if d.version != ValkeyVersion {
			return &VersionError{Version: d.version, Valkey: true}
		}
	} else if d.version < 1 || d.version > MaxVersion {
		return &VersionError{Version: d.version}
	}
	d.pos += 9
	d.sum = d.version >= 5 && !d.noSum
	return nil
}

func (d *Decoder) records() error {
	for {
		op, err := d.byte()
		if err != nil {
			return err
		}
		if op == rdbString {
			if err := d.stringKey(); err != nil {
				return err
			}
			continue
		}
		if op < opSlotImport {
			if err := d.object(op); err != nil {
				return err
			}
			continue
		}
		if op == opEOF {
			return d.trailer()
		}
		if err := d.opcode(op); err != nil {
			return err
		}
	}
}

// stringKey reads a key and its string value: the record of which an RDB may
// hold millions, so it takes the shortest way to the sink.
func (d *Decoder) stringKey() error {
	if err := d.beginKey(rdbString, TypeString); err != nil {
		return err
	}
	v, err := d.value()
	if err != nil {
		return err
	}
	d.m.Key = d.key.b
	d.stats.Keys++
	if err := d.sink.String(&d.m, v); err != nil {
		return err
	}
	d.endKey()
	return nil
}

// beginKey reads the key of a record.
func (d *Decoder) beginKey(code byte, t Type) error {
	if err := d.pinned(&d.key); err != nil {
		return err
	}
	if d.m.DB < 0 {
		// Redis starts in database 0 when no SELECTDB precedes the first key.
		d.m.DB = 0
	}
	d.m.Code, d.m.Type = code, t
	d.inKey = true
	return nil
}

// endKey forgets what belongs to one key only.
func (d *Decoder) endKey() {
	d.inKey = false
	d.key.live = false
	if d.m.ExpireAt != -1 {
		d.stats.Expires++
		d.m.ExpireAt = -1
	}
	d.m.Idle = -1
	d.m.Freq = -1
	if cap(d.vbuf) > 4*d.size {
		d.shrink()
	}
}

// shrink gives back the storage that an unusually big value needed.
func (d *Decoder) shrink() {
	d.vbuf = nil
	d.key.scratch, d.fld.scratch = nil, nil
	d.work = workspace{dups: dupSet{seed: d.work.dups.seed, ready: d.work.dups.ready}}
}

func (d *Decoder) trailer() error {
	if d.version < 5 {
		return nil
	}
	d.settle()
	at := d.offset()
	want, err := d.uint64()
	if err != nil {
		return err
	}
	d.crcPos = d.pos
	if want != 0 && d.sum && want != d.crc {
		return &offsetError{at, &ChecksumError{Stored: want, Computed: d.crc}}
	}
	return nil
}

func (d *Decoder) opcode(op byte) error {
	switch op {
	case opExpireTime:
		v, err := d.uint32()
		if err != nil {
			return err
		}
		d.m.ExpireAt = int64(int32(v)) * 1000
	case opExpireTimeMS:
		v, err := d.uint64()
		if err != nil {
			return err
		}
		d.m.ExpireAt = int64(v)
	case opFreq:
		b, err := d.byte()
		if err != nil {
			return err
		}
		d.m.Freq = int(b)
	case opIdle:
		n, err := d.count()
		if err != nil {
			return err
		}
		d.m.Idle = int64(min(n, math.MaxInt64))
	case opSelectDB:
		n, err := d.count()
		if err != nil {
			return err
		}
		if n > math.MaxInt32 {
			return corrupt("database number %d", n)
		}
		d.m.DB = int(n)
		return d.sink.SelectDB(int(n))
	case opResizeDB:
		keys, err := d.count()
		if err != nil {
			return err
		}
		expires, err := d.count()
		if err != nil {
			return err
		}
		return d.sink.ResizeDB(keys, expires)
	case opAux:
		if err := d.pinned(&d.fld); err != nil {
			return err
		}
		v, err := d.value()
		if err != nil {
			return err
		}
		d.fld.live = false
		return d.sink.Aux(d.fld.b, v)
	case opFunction2:
		v, err := d.value()
		if err != nil {
			return err
		}
		d.stats.Functions++
		return d.sink.Function(v)
	case opModuleAux:
		return d.moduleAux()
	case opSlotInfo:
		slot, err := d.count()
		if err != nil {
			return err
		}
		keys, err := d.count()
		if err != nil {
			return err
		}
		expires, err := d.count()
		if err != nil {
			return err
		}
		return d.sink.SlotInfo(slot, keys, expires)
	case opSlotImport:
		if d.valkey {
			return d.slotImport()
		}
		return &UnsupportedError{Code: op, Name: "unknown"}
	case opFunctionPre:
		return &UnsupportedError{Code: op, Name: "function library of Redis 7.0 RC1 or RC2"}
	default:
		return &UnsupportedError{Code: op, Name: "unknown"}
	}
	return nil
}

func (d *Decoder) slotImport() error {
	if err := d.pinned(&d.fld); err != nil {
		return err
	}
	n, err := d.count()
	if err != nil {
		return err
	}
	for range n {
		first, err := d.count()
		if err != nil {
			return err
		}
		last, err := d.count()
		if err != nil {
			return err
		}
		if first > last || last > 16383 {
			return corrupt("slot range %d-%d", first, last)
		}
		if err := d.sink.SlotImport(d.fld.b, uint16(first), uint16(last)); err != nil {
			return err
		}
	}
	d.fld.live = false
	return nil
}

// object reads a key and a value of any type but string.
func (d *Decoder) object(code byte) error {
	t, ok := d.typeOf(code)
	if !ok {
		d.pos--
		return &UnsupportedError{Code: code, Name: "unknown"}
	}
	if err := d.beginKey(code, t); err != nil {
		return err
	}
	err := d.load(code)
	if err == ErrEmpty && !d.payload {
		d.stats.EmptyKeys++
		d.m.ExpireAt = -1
	} else if err != nil {
		return err
	} else {
		d.stats.Keys++
	}
	d.endKey()
	return nil
}
