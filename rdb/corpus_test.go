package rdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// corpusFile is a snapshot of testdata and what its server said of it.
type corpusFile struct {
	name string
	rdb  []byte
	want struct {
		DBs map[int]map[string]struct {
			Digest      string
			Encoding    string
			PExpireTime int64
			Type        string
		}
		DebugDigest string `json:"debug_digest"`
		Server      string
	}
}

// sink returns a sink that computes digests as the file's server does.
func (f *corpusFile) sink() *digestSink {
	s := newDigestSink()
	s.short = !strings.HasPrefix(f.name, "redis-7.0")
	return s
}

func corpus(t testing.TB) []*corpusFile {
	names, err := filepath.Glob("testdata/*.rdb")
	if err != nil || len(names) < 5 {
		t.Fatalf("testdata has %d snapshots, %v", len(names), err)
	}
	var files []*corpusFile
	for _, name := range names {
		f := &corpusFile{name: filepath.Base(name)}
		if f.rdb, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		j, err := os.ReadFile(strings.TrimSuffix(name, ".rdb") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, &f.want); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// compatible tells whether the decoder's packing got is what an encoding of a
// server becomes in an RDB.
func compatible(got, want, typ string) bool {
	switch {
	case got == want:
		return true
	case typ == "list":
		// A list of one node is packed; Redis 7.0 calls every list a quicklist.
		return got == "listpack" || got == "quicklist"
	case typ == "string":
		// What was APPENDed or SETRANGEd to is raw in memory, whatever it holds.
		return want == "raw"
	}
	return false
}

func TestCorpus(t *testing.T) {
	for _, f := range corpus(t) {
		t.Run(f.name, func(t *testing.T) {
			s := f.sink()
			d := NewDecoder(bytes.NewReader(f.rdb))
			if err := d.Decode(s); err != nil {
				t.Fatal(err)
			}
			if d.Offset() != int64(len(f.rdb)) || len(d.Rest()) != 0 {
				t.Errorf("offset %d of %d, %d bytes left", d.Offset(), len(f.rdb), len(d.Rest()))
			}
			n := 0
			for db, keys := range f.want.DBs {
				for key, want := range keys {
					n++
					got := s.dbs[db][key]
					if got == nil {
						t.Errorf("db %d: key %q is missing", db, key)
						continue
					}
					if got.typ != want.Type || got.expireAt != want.PExpireTime || got.value != want.Digest {
						t.Errorf("db %d: %q: %s, expires at %d, digest %s; want %+v", db, key, got.typ, got.expireAt, got.value, want)
					}
					if !compatible(got.encoding, want.Encoding, want.Type) {
						t.Errorf("db %d: %q: packed as %s, the server had %s", db, key, got.encoding, want.Encoding)
					}
					lfu, lru := strings.Contains(f.name, "lfu"), strings.Contains(f.name, "lru")
					if (got.freq >= 0) != lfu || (got.idle >= 0) != lru {
						t.Errorf("%q: freq %d, idle %d", key, got.freq, got.idle)
					}
				}
			}
			if s.keys() != n || d.Stats().Keys != uint64(n) {
				t.Errorf("%d keys, the decoder counted %d, want %d", s.keys(), d.Stats().Keys, n)
			}
			if s.sum() != f.want.DebugDigest {
				t.Errorf("digest %s, want %s", s.sum(), f.want.DebugDigest)
			}
			version := strings.TrimPrefix(f.want.Server, "redis_version:")
			if v := s.aux["redis-ver"]; v != version && s.aux["valkey-ver"] == "" {
				t.Errorf("aux field redis-ver is %q, want %s", v, version)
			}
			if len(s.code) == 0 {
				t.Error("the function library is missing")
			}
		})
	}
}

// Any size of buffer and of reads gives the same dataset.
func TestCorpusInPieces(t *testing.T) {
	for _, f := range corpus(t) {
		for _, size := range []int{1, 700, 1 << 16} {
			s := f.sink()
			d := NewDecoderSize(iotest.HalfReader(bytes.NewReader(f.rdb)), size)
			if err := d.Decode(s); err != nil {
				t.Fatalf("%s, buffer of %d: %v", f.name, size, err)
			}
			if s.sum() != f.want.DebugDigest || d.Offset() != int64(len(f.rdb)) {
				t.Errorf("%s, buffer of %d: digest %s, offset %d", f.name, size, s.sum(), d.Offset())
			}
		}
		s := f.sink()
		d := NewDecoderSize(iotest.OneByteReader(bytes.NewReader(f.rdb)), 1)
		if err := d.Decode(s); err != nil || s.sum() != f.want.DebugDigest {
			t.Errorf("%s, byte by byte: %v", f.name, err)
		}
	}
}

// A file that ends early is an error that says so, wherever it ends. (The files
// are big, so this takes a sample of their prefixes; TestEveryPrefix takes all of
// a small file.)
func TestCorpusTruncated(t *testing.T) {
	d := NewDecoder(nil)
	for i, f := range corpus(t) {
		r := bytes.NewReader(nil)
		for n := i; n < len(f.rdb); n += 211 {
			r.Reset(f.rdb[:n])
			d.Reset(r)
			err := d.Decode(NopSink{})
			var e *Error
			if !errors.Is(err, ErrTruncated) || !errors.As(err, &e) || e.Offset > int64(n) {
				t.Fatalf("%s cut at %d: %v", f.name, n, err)
			}
		}
	}
}
