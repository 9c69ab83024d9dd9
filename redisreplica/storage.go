package redisreplica

import (
	"strconv"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Storage is the data of one database, for the program that the replica is embedded in. It holds no state of its own: any goroutine may use
// it, any number at a time. Values that are returned belong to the caller.
//
// On a replica of a master the methods that write return ErrReadOnly, unless WithReadOnly(false) lets them write here, or
// WithWriteRedirection has them write to the master.
type Storage struct {
	r  *Replica
	db int
}

// Storage is the database of WithDefaultDatabase.
func (r *Replica) Storage() *Storage { return &Storage{r, r.lib.defaultDB} }

// SelectDB is another database of the same replica; s stays as it is.
func (s *Storage) SelectDB(db int) (*Storage, error) {
	if db < 0 || db >= s.r.v.Databases {
		return nil, ErrNoDatabase
	}
	return &Storage{s.r, db}, nil
}

// DB is the number of the database.
func (s *Storage) DB() int { return s.db }

// direct runs fn with access to the keys.
func (s *Storage) direct(fn func(d commands.Direct)) error {
	var failed error
	err := s.r.visit(func() {
		d, err := s.r.srv.DirectAccess(s.db)
		if err != nil {
			failed = directError(err)
			return
		}
		fn(d)
		d.Done()
	})
	if err == nil {
		err = failed
	}
	return err
}

func directError(err error) error { return serverError(err.Error()) }

// Get is the value of a string. The error is ErrNoSuchKey when there is none.
func (s *Storage) Get(key string) ([]byte, error) {
	var val []byte
	found := false
	var failed error
	err := s.direct(func(d commands.Direct) {
		var v []byte
		if v, found, failed = d.String([]byte(key)); found {
			val = append(make([]byte, 0, len(v)), v...)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, directError(failed)
	case !found:
		return nil, ErrNoSuchKey
	}
	return val, nil
}

// Set stores a string. ttl is the time after which it expires, 0 for never; less than a millisecond counts as one.
func (s *Storage) Set(key string, value []byte, ttl time.Duration) error {
	args := []string{"SET", key, string(value)}
	if ttl > 0 {
		args = append(args, "PX", millis(ttl))
	}
	_, err := s.r.command(s.db, args...)
	return err
}

func millis(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// Del deletes keys and returns how many there were.
func (s *Storage) Del(keys ...string) (int64, error) { return s.count("DEL", keys) }

// Exists returns how many of the keys there are; one that is named twice counts twice.
func (s *Storage) Exists(keys ...string) (int64, error) {
	n := int64(0)
	err := s.direct(func(d commands.Direct) {
		for _, k := range keys {
			if d.Exists([]byte(k)) {
				n++
			}
		}
	})
	return n, err
}

// count runs a command over keys that answers a number.
func (s *Storage) count(name string, args []string) (int64, error) {
	if len(args) == 0 {
		return 0, nil
	}
	v, err := s.r.command(s.db, append([]string{name}, args...)...)
	return v.Int, err
}

// Expire has a key expire after ttl, which at 0 or less deletes it; false if there is no such key.
func (s *Storage) Expire(key string, ttl time.Duration) (bool, error) {
	ms := ttl.Milliseconds()
	if ttl > 0 {
		ms = max(ms, 1)
	}
	v, err := s.r.command(s.db, "PEXPIRE", key, strconv.FormatInt(ms, 10))
	return v.Int == 1, err
}

// NoExpiry is the TTL of a key that does not expire.
const NoExpiry = time.Duration(-1)

// PTTL is the time until a key expires, in whole milliseconds, or NoExpiry. The error is ErrNoSuchKey when there is none.
func (s *Storage) PTTL(key string) (time.Duration, error) {
	var at, now int64
	var expires, found bool
	err := s.direct(func(d commands.Direct) {
		at, expires, found = d.ExpireAt([]byte(key))
		now = d.Now()
	})
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, ErrNoSuchKey
	case !expires:
		return NoExpiry, nil
	}
	return time.Duration(max(at-now, 0)) * time.Millisecond, nil
}

// TTL is PTTL in whole seconds, rounded to the nearest, as the command TTL has it.
func (s *Storage) TTL(key string) (time.Duration, error) {
	d, err := s.PTTL(key)
	if err != nil || d == NoExpiry {
		return d, err
	}
	return d.Round(time.Second), nil
}

// Type is the type of a key: string, list, set, zset, hash or stream; "none" when there is no such key.
func (s *Storage) Type(key string) (string, error) {
	var t string
	err := s.direct(func(d commands.Direct) { t = d.Type([]byte(key)) })
	return t, err
}

// Keys are the keys that a glob matches. It visits every key in one turn of the loop, as the command does: Scan is for large databases.
func (s *Storage) Keys(pattern string) ([]string, error) { return s.strings("KEYS", pattern) }

// KeyCount is the number of keys.
func (s *Storage) KeyCount() (int64, error) {
	n := 0
	err := s.direct(func(d commands.Direct) { n = d.Len() })
	return int64(n), err
}

// Scan returns some of the keys that a glob ("" for all) matches, and the cursor for the next call; the first call has 0, and 0 comes back
// when all is done. A key that is there all the while is returned at least once. count is about how many keys are looked at, 0 for 10.
func (s *Storage) Scan(cursor uint64, pattern string, count int) (keys []string, next uint64, err error) {
	args := []string{"SCAN", strconv.FormatUint(cursor, 10)}
	if pattern != "" {
		args = append(args, "MATCH", pattern)
	}
	if count > 0 {
		args = append(args, "COUNT", strconv.Itoa(count))
	}
	v, err := s.r.command(s.db, args...)
	if err != nil {
		return nil, 0, err
	}
	if len(v.Elems) != 2 {
		return nil, 0, unexpected(v)
	}
	if next, err = strconv.ParseUint(string(v.Elems[0].Str), 10, 64); err != nil {
		return nil, 0, unexpected(v)
	}
	return texts(v.Elems[1]), next, nil
}

// FlushAll deletes all keys of all databases; their memory is released in slices.
func (s *Storage) FlushAll() error {
	_, err := s.r.command(s.db, "FLUSHALL")
	return err
}

// MemoryUsage is the bytes that the data of all databases take.
func (s *Storage) MemoryUsage() (int64, error) {
	n := int64(0)
	err := s.r.visit(func() { n = s.r.srv.KS.UsedMemory() })
	return n, err
}

// Info is the server's report, as Replica.GetInfo has it.
func (s *Storage) Info(sections ...string) (map[string]string, error) {
	return s.r.GetInfo(sections...)
}

// HGetAll is a hash's fields and values; it is empty when there is no such key.
func (s *Storage) HGetAll(key string) (map[string]string, error) {
	v, err := s.r.command(s.db, "HGETALL", key)
	if err != nil {
		return nil, err
	}
	return fieldMap(v), nil
}

func fieldMap(v resp.Value) map[string]string {
	m := make(map[string]string, len(v.Elems)/2)
	for i := 0; i+1 < len(v.Elems); i += 2 {
		m[string(v.Elems[i].Str)] = string(v.Elems[i+1].Str)
	}
	return m
}

// LRange is the elements of a list from one index to another, both included; negative ones count from the end.
func (s *Storage) LRange(key string, start, stop int64) ([]string, error) {
	return s.strings("LRANGE", key, itoa(start), itoa(stop))
}

// SMembers is the members of a set, in no order.
func (s *Storage) SMembers(key string) ([]string, error) { return s.strings("SMEMBERS", key) }

func (s *Storage) strings(args ...string) ([]string, error) {
	v, err := s.r.command(s.db, args...)
	if err != nil {
		return nil, err
	}
	return texts(v), nil
}

func texts(v resp.Value) []string {
	out := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		out[i] = string(e.Str)
	}
	return out
}

// Member is a member of a sorted set.
type Member struct {
	Member string
	Score  float64
}

// ZRange is the members of a sorted set from one rank to another, both included; negative ones count from the end.
func (s *Storage) ZRange(key string, start, stop int64) ([]Member, error) {
	v, err := s.r.command(s.db, "ZRANGE", key, itoa(start), itoa(stop), "WITHSCORES")
	if err != nil {
		return nil, err
	}
	return members(v), nil
}

func members(v resp.Value) []Member {
	out := make([]Member, 0, len(v.Elems))
	for _, e := range v.Elems {
		if len(e.Elems) == 2 {
			out = append(out, Member{string(e.Elems[0].Str), e.Elems[1].Float})
		}
	}
	return out
}

// StreamEntry is an entry of a stream.
type StreamEntry struct {
	ID     string
	Fields []Field // in the order in which they were added
}

// Field is a name and a value of an entry.
type Field struct{ Name, Value string }

// XRange is the entries of a stream from one ID to another, both included ("-" and "+" are the ends), count at most; 0 for all.
func (s *Storage) XRange(key, start, end string, count int64) ([]StreamEntry, error) {
	args := []string{"XRANGE", key, start, end}
	if count > 0 {
		args = append(args, "COUNT", itoa(count))
	}
	v, err := s.r.command(s.db, args...)
	if err != nil {
		return nil, err
	}
	return entries(v), nil
}

func entries(v resp.Value) []StreamEntry {
	out := make([]StreamEntry, 0, len(v.Elems))
	for _, e := range v.Elems {
		if len(e.Elems) != 2 {
			continue
		}
		x := StreamEntry{ID: string(e.Elems[0].Str)}
		for f := e.Elems[1].Elems; len(f) >= 2; f = f[2:] {
			x.Fields = append(x.Fields, Field{string(f[0].Str), string(f[1].Str)})
		}
		out = append(out, x)
	}
	return out
}

// CleanupConfig says how hard the active expiry cycle works: see docs/expiry.md.
type CleanupConfig struct {
	Name       string // of the preset; "custom" for one's own numbers
	SampleSize int    // keys looked at in a round
	MaxRounds  int    // rounds in a cycle
	BatchSize  int    // deletions before the clock is looked at again
	Threshold  int    // percent of expired keys in a sample above which another round follows
}

// The presets, by name of active-expire-profile.
var (
	CleanupDefault         = CleanupConfig{Name: "default"}
	CleanupSmallDataset    = CleanupConfig{Name: "small-dataset"}
	CleanupMediumDataset   = CleanupConfig{Name: "medium-dataset"}
	CleanupLargeDataset    = CleanupConfig{Name: "large-dataset"}
	CleanupBestPerformance = CleanupConfig{Name: "best-performance"}
	CleanupLowLatency      = CleanupConfig{Name: "low-latency"}
)

// SetCleanupConfig changes the active expiry cycle from now on: to a preset, whose numbers are not looked at, or to the numbers of one with the
// name "custom".
func (s *Storage) SetCleanupConfig(c CleanupConfig) error {
	args := []string{"CONFIG", "SET", "active-expire-profile", c.Name}
	if c.Name == "custom" {
		for _, p := range []struct {
			name string
			n    int
		}{{"sample-size", c.SampleSize}, {"rounds", c.MaxRounds}, {"batch", c.BatchSize}, {"threshold", c.Threshold}} {
			args = append(args, "active-expire-"+p.name, strconv.Itoa(p.n))
		}
	}
	_, err := s.r.command(s.db, args...)
	return err
}

// GetCleanupConfig is what the active expiry cycle works with, with its numbers.
func (s *Storage) GetCleanupConfig() (CleanupConfig, error) {
	var c CleanupConfig
	err := s.r.visit(func() {
		p := s.r.srv.ExpireProfile()
		name, _ := s.r.conf.Lookup("active-expire-profile")
		c = CleanupConfig{name, p.SampleSize, p.MaxRounds, p.BatchSize, p.Threshold}
	})
	return c, err
}

// GetInfo is the server's report (INFO) as fields: of the given sections, or of the default ones.
func (r *Replica) GetInfo(sections ...string) (map[string]string, error) {
	v, err := r.command(0, append([]string{"INFO"}, sections...)...)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for line := range strings.SplitSeq(string(v.Str), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			m[name] = value
		}
	}
	return m, nil
}
func itoa(n int64) string { return strconv.FormatInt(n, 10) }
