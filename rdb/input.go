package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/crc64"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

// The input buffer.
//
//	         base                     base+pos             base+end
//	stream ──┬────────────────────────┬────────────────────┬───────────────▶
//	         buf[0]      crcPos       pos                  end        cap(buf)
//	         ├───summed──┼──consumed──┼──read, not parsed──┼──free───────┤
//
// Records are parsed in place. Only when fewer bytes are buffered than the next
// item needs does fill move the unparsed rest to the front and read on; views
// into the buffer that must outlive such a move (the key, a hash's field) are
// pinned: fill copies them out first. In a stream of small strings that happens
// once per buffer, so that keys and values reach the sink without a copy.
//
// The buffer grows only while an item bigger than it arrives, by doubling, so
// that a claimed length alone allocates nothing.

const (
	// DefaultBufferSize is the size of a Decoder's input buffer in bytes.
	DefaultBufferSize = 256 << 10
	minBufferSize     = 512
	// A read that returns no byte and no error may be repeated this often.
	maxEmptyReads = 100
)

type input struct {
	r      io.Reader
	err    error // what r said at its end
	buf    []byte
	pos    int
	end    int
	base   int64
	crcPos int
	crc    uint64
	size   int // the usual size of buf
	sum    bool

	key  pin
	fld  pin
	vbuf []byte // scratch of values that are not in the buffer as they are
}

// pin is a view that survives fill.
type pin struct {
	b       []byte
	scratch []byte
	live    bool // b points into input.buf
}

func (p *pin) save() {
	if p.live {
		p.scratch = append(p.scratch[:0], p.b...)
		p.b = p.scratch
		p.live = false
	}
}

func (d *input) offset() int64 { return d.base + int64(d.pos) }

// need makes sure that n bytes are buffered from pos on.
func (d *input) need(n int) error {
	if d.end-d.pos >= n {
		return nil
	}
	return d.fill(n)
}

// settle adds the bytes consumed since the last time to the checksum.
func (d *input) settle() {
	if d.sum {
		d.crc = crc64.Update(d.crc, d.buf[d.crcPos:d.pos])
	}
	d.crcPos = d.pos
}

func (d *input) fill(n int) error {
	if d.r == nil || d.err != nil {
		return d.ended()
	}
	d.key.save()
	d.fld.save()
	d.settle()
	rest := d.end - d.pos
	if len(d.buf) > 4*d.size && n <= d.size && rest <= d.size {
		// A big value made the buffer grow: go back to the usual size.
		nb := make([]byte, d.size)
		copy(nb, d.buf[d.pos:d.end])
		d.buf = nb
	} else {
		copy(d.buf, d.buf[d.pos:d.end])
	}
	d.base += int64(d.pos)
	d.pos, d.crcPos, d.end = 0, 0, rest
	empty := 0
	for d.end < n {
		if d.end == len(d.buf) {
			size := 2 * len(d.buf)
			if size < len(d.buf) {
				return ErrTruncated
			}
			nb := make([]byte, size)
			copy(nb, d.buf[:d.end])
			d.buf = nb
		}
		k, err := d.r.Read(d.buf[d.end:])
		if k < 0 || k > len(d.buf)-d.end {
			panic(fmt.Sprintf("rdb: Read returned %d for a buffer of %d bytes", k, len(d.buf)-d.end))
		}
		d.end += k
		if err != nil {
			d.err = err
			if d.end < n {
				return d.ended()
			}
			return nil
		}
		if k > 0 {
			empty = 0
		} else if empty++; empty >= maxEmptyReads {
			d.err = io.ErrNoProgress
			return d.ended()
		}
	}
	return nil
}

// ended is the error of an input that has no more bytes.
func (d *input) ended() error {
	if d.err == nil || d.err == io.EOF || d.err == io.ErrUnexpectedEOF {
		return ErrTruncated
	}
	return fmt.Errorf("reading the RDB: %w", d.err)
}

func (d *input) byte() (byte, error) {
	if d.pos >= d.end {
		if err := d.fill(1); err != nil {
			return 0, err
		}
	}
	b := d.buf[d.pos]
	d.pos++
	return b, nil
}

// take returns the next n bytes as a view that is valid until the next fill.
func (d *input) take(n uint64) ([]byte, error) {
	if n > uint64(d.end-d.pos) {
		if n > math.MaxInt-1 {
			return nil, corrupt("a length of %d bytes", n)
		}
		if err := d.fill(int(n)); err != nil {
			return nil, err
		}
	}
	p := d.buf[d.pos : d.pos+int(n) : d.pos+int(n)]
	d.pos += int(n)
	return p, nil
}

func (d *input) uint32() (uint32, error) {
	if err := d.need(4); err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint32(d.buf[d.pos:])
	d.pos += 4
	return v, nil
}

func (d *input) uint64() (uint64, error) {
	if err := d.need(8); err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint64(d.buf[d.pos:])
	d.pos += 8
	return v, nil
}

// length reads a length; enc is true when it is not one but the number of a
// string encoding.
//
//	00xxxxxx                 6 bits
//	01xxxxxx xxxxxxxx        14 bits, big endian
//	10000000 + 4 bytes       32 bits, big endian
//	10000001 + 8 bytes       64 bits, big endian
//	11xxxxxx                 string encoding
func (d *input) length() (n uint64, enc bool, err error) {
	b, err := d.byte()
	if err != nil {
		return 0, false, err
	}
	switch {
	case b < 0x40:
		return uint64(b), false, nil
	case b < 0x80:
		c, err := d.byte()
		return uint64(b&0x3f)<<8 | uint64(c), false, err
	case b == 0x80:
		if err := d.need(4); err != nil {
			return 0, false, err
		}
		n = uint64(binary.BigEndian.Uint32(d.buf[d.pos:]))
		d.pos += 4
		return n, false, nil
	case b == 0x81:
		if err := d.need(8); err != nil {
			return 0, false, err
		}
		n = binary.BigEndian.Uint64(d.buf[d.pos:])
		d.pos += 8
		return n, false, nil
	case b >= 0xc0:
		return uint64(b & 0x3f), true, nil
	}
	d.pos--
	return 0, false, corrupt("unknown length encoding 0x%02x", b)
}

// count reads a length that must not be a string encoding.
func (d *input) count() (uint64, error) {
	n, enc, err := d.length()
	if err == nil && enc {
		d.pos--
		return 0, corrupt("a string encoding where a length should be")
	}
	return n, err
}

// str reads a string. The result is a view into the buffer (inBuf) or into
// *scratch, which is grown as needed and keeps its storage.
func (d *input) str(scratch *[]byte) (p []byte, inBuf bool, err error) {
	// The two shortest forms of a length, without a call.
	if d.end-d.pos >= 2 {
		b := d.buf[d.pos]
		if b < 0x80 {
			n, h := int(b), 1
			if b >= 0x40 {
				n, h = int(b&0x3f)<<8|int(d.buf[d.pos+1]), 2
			}
			if d.end-d.pos-h >= n {
				from := d.pos + h
				d.pos = from + n
				return d.buf[from : from+n : from+n], true, nil
			}
		}
	}
	return d.strSlow(scratch)
}

func (d *input) strSlow(scratch *[]byte) (p []byte, inBuf bool, err error) {
	n, enc, err := d.length()
	if err != nil {
		return nil, false, err
	}
	if !enc {
		p, err = d.take(n)
		return p, true, err
	}
	var v int64
	switch n {
	case encInt8:
		b, err := d.byte()
		if err != nil {
			return nil, false, err
		}
		v = int64(int8(b))
	case encInt16:
		if err := d.need(2); err != nil {
			return nil, false, err
		}
		v = int64(int16(binary.LittleEndian.Uint16(d.buf[d.pos:])))
		d.pos += 2
	case encInt32:
		u, err := d.uint32()
		if err != nil {
			return nil, false, err
		}
		v = int64(int32(u))
	case encLZF:
		p, err = d.lzf(scratch)
		return p, false, err
	default:
		d.pos--
		return nil, false, corrupt("unknown string encoding %d", n)
	}
	*scratch = strconv.AppendInt((*scratch)[:0], v, 10)
	return *scratch, false, nil
}

func (d *input) lzf(scratch *[]byte) ([]byte, error) {
	// Short strings have short lengths: the usual case without a call.
	if d.end-d.pos >= 3 && d.buf[d.pos] < 0x40 {
		clen, h := int(d.buf[d.pos]), 2
		n := int(d.buf[d.pos+1])
		if n >= 0x40 {
			n, h = (n&0x3f)<<8|int(d.buf[d.pos+2]), 3
		}
		if d.buf[d.pos+1] < 0x80 && d.end-d.pos-h >= clen && n <= cap(*scratch) {
			p := (*scratch)[:n]
			c := d.buf[d.pos+h : d.pos+h+clen]
			if lzf.Decompress(p, c) == nil {
				d.pos += h + clen
				return p, nil
			}
		}
	}
	clen, err := d.count()
	if err != nil {
		return nil, err
	}
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	at := d.offset()
	c, err := d.take(clen)
	if err != nil {
		return nil, err
	}
	// The length is a claim. It is believed when the storage is there already,
	// or else when the compressed bytes, which did arrive, add up to it.
	if n > uint64(cap(*scratch)) {
		if real, err := lzf.DecompressedLen(c); err != nil || uint64(real) != n {
			return nil, &offsetError{at, corrupt("LZF data of %d bytes does not decompress to the %d bytes announced", clen, n)}
		}
		*scratch = make([]byte, n)
	}
	p := (*scratch)[:n]
	if err := lzf.Decompress(p, c); err != nil {
		return nil, &offsetError{at, corrupt("LZF data of %d bytes does not decompress to the %d bytes announced", clen, n)}
	}
	return p, nil
}

// value reads a string that is needed until the next item is read.
func (d *input) value() ([]byte, error) {
	p, _, err := d.str(&d.vbuf)
	return p, err
}

// pinned reads a string that must outlive further items.
func (d *input) pinned(p *pin) error {
	p.live = false
	b, inBuf, err := d.str(&p.scratch)
	if err != nil {
		return err
	}
	p.b, p.live = b, inBuf
	return nil
}

// offsetError carries an offset that is more exact than the position at which
// the decoder stood when it noticed.
type offsetError struct {
	at  int64
	err error
}

func (e *offsetError) Error() string { return e.err.Error() }
func (e *offsetError) Unwrap() error { return e.err }
