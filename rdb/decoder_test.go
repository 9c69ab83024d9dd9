package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/crc64"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// sealed completes an RDB: EOF marker and, from version 5, its checksum.
func sealed(s string) []byte {
	p := append([]byte(s), opEOF)
	if p[8] >= '5' || p[7] > '0' {
		p = binary.LittleEndian.AppendUint64(p, crc64.Update(0, p))
	}
	return p
}

func TestStringsAndOpcodes(t *testing.T) {
	file := sealed("REDIS0012" +
		"\xfa\x09redis-ver\x057.4.1" +
		"\xfa\x05ctime\xc2\x01\x00\x00\x80" +
		"\xf5\x04code" +
		"\xfe\x03" + "\xfb\x0a\x02" + "\xf4\x01\x02\x40\x40" +
		"\x00\x01a\x01b" +
		"\xfc\xe8\x03\x00\x00\x00\x00\x00\x00\x00\x01k\xc0\x85" + // expire 1000 ms, int8 -123
		"\xfd\x02\x00\x00\x00\x00\x01l\xc1\x39\x30" + // expire 2 s, int16 12345
		"\xf8\x80\x00\x00\x01\x00\x00\xc0\x07\xc2\xff\xff\xff\x7f" + // idle 256, int key 7, int32 max
		"\xf9\xff\x00\x40\x02xy\x81\x00\x00\x00\x00\x00\x00\x00\x01z" + // freq 255, 14- and 64-bit lengths
		"\x00\x01c\xc3\x05\x0a\x00a\xe0\x00\x00") // LZF: a literal and a copy of 9 from 1 back
	want := []string{
		`aux "redis-ver" "7.4.1"`, `aux "ctime" "-2147483647"`, `function "code"`,
		`select 3`, `resize 10 2`, `slot 1 2 64`,
		`string db=3 "a" exp=-1 idle=-1 freq=-1 "b"`,
		`string db=3 "k" exp=1000 idle=-1 freq=-1 "-123"`,
		`string db=3 "l" exp=2000 idle=-1 freq=-1 "12345"`,
		`string db=3 "7" exp=-1 idle=256 freq=-1 "2147483647"`,
		`string db=3 "xy" exp=-1 idle=-1 freq=255 "z"`,
		`string db=3 "c" exp=-1 idle=-1 freq=-1 "aaaaaaaaaa"`,
	}
	for name, r := range map[string]io.Reader{
		"whole":     bytes.NewReader(file),
		"bytewise":  iotest.OneByteReader(bytes.NewReader(file)),
		"data+EOF":  iotest.DataErrReader(bytes.NewReader(file)),
		"with rest": io.MultiReader(bytes.NewReader(file), strings.NewReader("")),
	} {
		var l logSink
		d := NewDecoder(r)
		if err := d.Decode(&l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := strings.Join(l.lines, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s", name, got)
		}
		if d.Offset() != int64(len(file)) {
			t.Errorf("%s: offset %d of %d", name, d.Offset(), len(file))
		}
		if v, valkey := d.Version(); v != 12 || valkey {
			t.Errorf("version %d %v", v, valkey)
		}
	}
	d := NewDecoder(bytes.NewReader(append(bytes.Clone(file), "PING"...)))
	if err := d.Decode(NopSink{}); err != nil || string(d.Rest()) != "PING" {
		t.Errorf("rest %q, %v", d.Rest(), err)
	}
	for n := range file {
		err := NewDecoderSize(bytes.NewReader(file[:n]), 0).Decode(NopSink{})
		if !errors.Is(err, ErrTruncated) {
			t.Fatalf("prefix of %d bytes: %v", n, err)
		}
	}
}

func TestVersions(t *testing.T) {
	for v := range 20 {
		err := NewDecoder(bytes.NewReader(sealed(fmt.Sprintf("REDIS%04d", v)))).Decode(NopSink{})
		var ve *VersionError
		if ok := v >= 1 && v <= 12; ok != (err == nil) || !ok && (!errors.As(err, &ve) || ve.Version != v) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if err := NewDecoder(bytes.NewReader(sealed("VALKEY080"))).Decode(NopSink{}); err != nil {
		t.Error(err)
	}
	var ve *VersionError
	if err := NewDecoder(strings.NewReader("VALKEY081")).Decode(NopSink{}); !errors.As(err, &ve) || !ve.Valkey || ve.Version != 81 {
		t.Error(err)
	}
	for _, s := range []string{"X", "REDIX0001", "REDIS00a1", "VALKER080", "+FULLRESYNC", "VALKEY0-1"} {
		if err := NewDecoder(strings.NewReader(s)).Decode(NopSink{}); !errors.Is(err, ErrNotRDB) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestChecksum(t *testing.T) {
	file := sealed("REDIS0009\x00\x01a\x01b")
	bad := bytes.Clone(file)
	bad[13] ^= 1
	err := NewDecoder(bytes.NewReader(bad)).Decode(NopSink{})
	var e *Error
	if !errors.Is(err, ErrChecksum) || !errors.As(err, &e) || e.Offset != int64(len(file)-8) {
		t.Error(err)
	}
	// A stored checksum of zero means that there is none.
	copy(bad[len(bad)-8:], make([]byte, 8))
	if err := NewDecoder(bytes.NewReader(bad)).Decode(NopSink{}); err != nil {
		t.Error(err)
	}
	// Before version 5 there is none at all.
	d := NewDecoder(strings.NewReader("REDIS0004\x00\x01a\x01b\xffmore"))
	if err := d.Decode(NopSink{}); err != nil || string(d.Rest()) != "more" {
		t.Error(err, d.Rest())
	}
}

// endless yields a header and then the same byte for ever.
type endless struct {
	head string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	for n < len(p) {
		p[n] = 'x'
		n++
	}
	e.n += n
	if e.n > 8<<20 {
		return 0, errors.New("too much was read")
	}
	return n, nil
}

func TestClaimedLengthsAllocateNothing(t *testing.T) {
	for _, s := range []string{
		"REDIS0009\x00\x81\x00\x00\xff\xff\xff\xff\xff\xff", // a key of 2^48 bytes
		"REDIS0009\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
		"REDIS0009\x00\x01a\xc3\x05\x81\x00\x00\xff\xff\xff\xff\xff\xff\x00a\xe0\x00\x00", // LZF to 2^48 bytes
	} {
		var err error
		allocs := testing.AllocsPerRun(1, func() {
			err = NewDecoderSize(strings.NewReader(s), 1024).Decode(NopSink{})
		})
		if err == nil || allocs > 40 {
			t.Errorf("%q: %v, %v allocations", s, err, allocs)
		}
	}
	d := NewDecoder(&endless{head: "REDIS0009\x00\x81\x00\x00\xff\xff\xff\xff\xff\xff"})
	if err := d.Decode(NopSink{}); err == nil || cap(d.buf) > 32<<20 {
		t.Errorf("%v, buffer of %d bytes", err, cap(d.buf))
	}
}

func TestErrorNamesThePlace(t *testing.T) {
	err := NewDecoder(strings.NewReader("REDIS0009\xfe\x02\x00\x03key\x05va")).Decode(NopSink{})
	var e *Error
	if !errors.As(err, &e) || e.DB != 2 || string(e.Key) != "key" || !errors.Is(err, ErrTruncated) {
		t.Fatalf("%v", err)
	}
	if want := `rdb: offset 17, db 2, key "key": RDB ends before its EOF marker`; err.Error() != want {
		t.Errorf("%v", err)
	}
	fail := errors.New("connection reset")
	err = NewDecoder(io.MultiReader(strings.NewReader("REDIS0009\xfe"), iotest.ErrReader(fail))).Decode(NopSink{})
	if !errors.Is(err, fail) {
		t.Errorf("%v", err)
	}
}

type countSink struct {
	NopSink
	n, bytes int
}

func (c *countSink) String(m *Meta, v []byte) error {
	c.n++
	c.bytes += len(m.Key) + len(v)
	return nil
}

func manyStrings(n int) []byte {
	p := []byte("REDIS0010\xfe\x00")
	for i := range n {
		p = append(p, rdbString, 11)
		p = fmt.Appendf(p, "key:%07d", i)
		p = append(p, 0x40, 64)
		p = append(p, strings.Repeat("v", 64)...)
	}
	return sealed(string(p))
}

func TestStringKeysAllocateNothing(t *testing.T) {
	file := manyStrings(10000)
	var c countSink
	d := NewDecoderSize(nil, 4096)
	r := bytes.NewReader(nil)
	if n := testing.AllocsPerRun(3, func() {
		r.Reset(file)
		d.Reset(r)
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations for 10000 keys", n)
	}
}

func BenchmarkStringKeys(b *testing.B) {
	const keys = 200000
	file := manyStrings(keys)
	var c countSink
	r := bytes.NewReader(nil)
	d := NewDecoder(nil)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r.Reset(file)
		d.Reset(r)
		if err := d.Decode(&c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}

// newLP makes a listpack of texts.
func newLP(texts ...string) []byte {
	lp := listpack.New(0)
	for _, s := range texts {
		lp = listpack.Append(lp, []byte(s))
	}
	return lp
}

// populated is what DEBUG POPULATE n key 64 saves: values that LZF compresses.
func populated(n int) []byte {
	p := []byte("REDIS0010\xfe\x00")
	c := new(Compressor)
	for i := range n {
		p = append(p, rdbString, 11)
		p = fmt.Appendf(p, "key:%07d", i)
		v := make([]byte, 64)
		copy(v, fmt.Sprintf("value:%d", i))
		p = AppendString(p, v, c)
	}
	return sealed(string(p))
}

func BenchmarkPopulatedKeys(b *testing.B) {
	const keys = 200000
	file := populated(keys)
	var c countSink
	r := bytes.NewReader(nil)
	d := NewDecoder(nil)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r.Reset(file)
		d.Reset(r)
		if err := d.Decode(&c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}
