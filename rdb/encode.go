package rdb

import (
	"encoding/binary"
	"math"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/crc64"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/lzf"
)

// Compressor is the state of LZF compression (256 KB). Its zero value is ready.
// One goroutine owns it.
type Compressor struct{ t lzf.Table }

// AppendLength appends a length: 1, 2, 5 or 9 bytes.
func AppendLength(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0x80), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81), n)
}

// AppendString appends a string as Redis saves one: as an integer of 8, 16 or 32
// bits if it is the canonical text of one, compressed if c is not nil, it is
// longer than 20 bytes and at least four bytes are saved, else as it is.
func AppendString(dst, s []byte, c *Compressor) []byte {
	if len(s) <= 11 {
		if v, ok := listpack.ParseInt(s); ok {
			switch {
			case v >= math.MinInt8 && v <= math.MaxInt8:
				return append(dst, 0xc0|encInt8, byte(v))
			case v >= math.MinInt16 && v <= math.MaxInt16:
				return append(dst, 0xc0|encInt16, byte(v), byte(v>>8))
			case v >= math.MinInt32 && v <= math.MaxInt32:
				return append(dst, 0xc0|encInt32, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
			}
		}
	}
	if c != nil && len(s) > 20 && len(s) < math.MaxUint32 {
		// The compressed length comes first: leave room for the longest form of
		// both lengths and close the gap afterwards.
		const room = 1 + 5 + 5
		start := len(dst)
		dst = append(dst, make([]byte, room)...)
		if out, ok := lzf.Compress(dst, s, len(s)-4, &c.t); ok {
			body := out[start+room:]
			head := append(out[:start], 0xc0|encLZF)
			head = AppendLength(head, uint64(len(body)))
			head = AppendLength(head, uint64(len(s)))
			return append(head, body...)
		}
		dst = dst[:start]
	}
	dst = AppendLength(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendDouble appends a float as eight bytes, little endian.
func AppendDouble(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

// AppendMillis appends a unix time in milliseconds: eight bytes, little endian.
func AppendMillis(dst []byte, ms int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(ms))
}

// FooterSize is the size of the footer of a DUMP payload: the RDB version (two
// bytes, little endian) and the CRC64 of everything before the checksum.
const FooterSize = 10

// AppendFooter completes the DUMP payload dst[start:], which so far is a type
// byte and a value.
func AppendFooter(dst []byte, start int, version uint16) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, version)
	return binary.LittleEndian.AppendUint64(dst, crc64.Update(0, dst[start:]))
}

// AppendDumpString appends the DUMP payload of a string value. c may be nil for
// no compression.
func AppendDumpString(dst, v []byte, c *Compressor) []byte {
	start := len(dst)
	dst = append(dst, rdbString)
	dst = AppendString(dst, v, c)
	return AppendFooter(dst, start, DumpVersion)
}

// VerifyPayload checks the footer of a DUMP payload as RESTORE does: it has a
// known RDB version and the right checksum. It returns the version. The error is
// ErrPayload.
func VerifyPayload(payload []byte) (version int, err error) {
	if len(payload) < FooterSize {
		return 0, ErrPayload
	}
	foot := payload[len(payload)-FooterSize:]
	version = int(binary.LittleEndian.Uint16(foot))
	if version > MaxVersion && version != ValkeyVersion {
		return version, ErrPayload
	}
	if binary.LittleEndian.Uint64(foot[2:]) != crc64.Update(0, payload[:len(payload)-8]) {
		return version, ErrPayload
	}
	return version, nil
}

// DecodePayload reads a payload as DUMP makes it and hands its value to s, with
// the given database and key in Meta and no expiry. The error is ErrPayload when
// version or checksum are wrong; else *Error, which RESTORE reports as "Bad data
// format". A collection without elements is an error here (ErrEmpty). Bytes
// between the value and the footer are ignored, as Redis does.
func DecodePayload(payload []byte, db int, key []byte, s Sink) error {
	version, err := VerifyPayload(payload)
	if err != nil {
		return err
	}
	d := Decoder{version: version, valkey: version == ValkeyVersion, payload: true, sink: s}
	// Redis reads on into the footer if a length says so, and accepts what comes
	// of it: so does this.
	d.buf, d.end, d.size = payload, len(payload), DefaultBufferSize
	d.m = Meta{Key: key, ExpireAt: -1, Idle: -1, DB: db, Freq: -1}
	d.key.b = key
	d.inKey = true
	return d.wrap(d.payloadValue())
}

func (d *Decoder) payloadValue() error {
	code, err := d.byte()
	if err != nil {
		return err
	}
	t, ok := d.typeOf(code)
	if !ok {
		d.pos--
		return &UnsupportedError{Code: code, Name: "unknown"}
	}
	d.m.Type, d.m.Code = t, code
	return d.load(code)
}
