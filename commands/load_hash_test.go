package commands

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// hashesOnly passes the hashes of a snapshot on.
type hashesOnly struct {
	rdb.NopSink
	l    *Loader
	hash bool
	n    int
}

func (s *hashesOnly) SelectDB(n int) error { return s.l.SelectDB(n) }

func (s *hashesOnly) Packed(m *rdb.Meta, p rdb.Packing, data []byte, n int) error {
	if m.Type != rdb.TypeHash {
		return nil
	}
	s.n++
	return s.l.Packed(m, p, data, n)
}

func (s *hashesOnly) Begin(m *rdb.Meta, n uint64) error {
	if s.hash = m.Type == rdb.TypeHash; !s.hash {
		return nil
	}
	s.n++
	return s.l.Begin(m, n)
}

func (s *hashesOnly) HashField(field, value []byte, expireAt int64) error {
	return s.l.HashField(field, value, expireAt)
}

func (s *hashesOnly) End() error {
	if !s.hash {
		return nil
	}
	return s.l.End()
}

// TestHashesOfTheCorpus loads the hashes of snapshots that real servers wrote,
// under several limits, and compares each with what its server said of it.
func TestHashesOfTheCorpus(t *testing.T) {
	names, err := filepath.Glob("../rdb/testdata/*.rdb")
	if err != nil || len(names) < 4 {
		t.Fatalf("%d snapshots, %v", len(names), err)
	}
	total, expiring := 0, 0
	for _, name := range names {
		var want struct {
			DBs map[int]map[string]struct {
				Digest, Encoding, Type string
			}
		}
		j, err := os.ReadFile(strings.TrimSuffix(name, ".rdb") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, &want); err != nil {
			t.Fatal(err)
		}
		for _, lim := range []object.Limits{object.DefaultLimits(), {}, {HashMaxListpackEntries: 1 << 20, HashMaxListpackValue: 1 << 20}} {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			ks, err := keyspace.New(16, 5)
			if err != nil {
				t.Fatal(err)
			}
			s := &hashesOnly{l: NewLoader(ks, lim, 1_700_000_000_000)}
			if err := rdb.NewDecoder(f).Decode(s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			f.Close()
			found := 0
			for i := range 16 {
				ks.DB(i).Each(func(e keyspace.Entry) bool {
					found++
					var d digest.State
					e.Value().Digest(&d)
					w := want.DBs[i][string(e.Key())]
					if w.Type != "hash" || d.String() != w.Digest {
						t.Errorf("%s, database %d, %q: digest %s, want %s of a %s", name, i, e.Key(), d.String(), w.Digest, w.Type)
					}
					enc := object.EncodingName(e.Type(), e.Encoding())
					if lim.HashMaxListpackEntries == 512 && enc != w.Encoding {
						t.Errorf("%s, database %d, %q: encoding %s, want %s", name, i, e.Key(), enc, w.Encoding)
					}
					if err := e.Value().Check(); err != nil {
						t.Errorf("%s, %q: %v", name, e.Key(), err)
					}
					return true
				})
				expiring += ks.DB(i).FieldExpires()
			}
			if found != s.n {
				t.Errorf("%s: %d hashes, %d are held", name, s.n, found)
			}
			total += found
			if err := ks.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			ks.Release()
		}
	}
	if total < 30 || expiring == 0 {
		t.Errorf("only %d hashes, %d with expiring fields", total, expiring)
	}
}
