package commands

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/intset"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/keyspace"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/rdb"
)

// TestSetCommandsDoNotAllocate runs them on a set in each encoding.
func TestSetCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	out := make([]byte, 0, 1<<16)
	for i := range 60 {
		do(c, "SADD", "intset", strconv.Itoa(i*3000))
		do(c, "SADD", "listpack", fmt.Sprint("member:", i))
		do(c, "SADD", "hashtable", fmt.Sprint("member:", i))
		do(c, "SADD", "other", fmt.Sprint("member:", i*2))
	}
	do(c, "SADD", "hashtable", strings.Repeat("long", 30))
	do(c, "SREM", "hashtable", strings.Repeat("long", 30))
	for _, key := range []string{"intset", "listpack", "hashtable"} {
		for _, cmds := range [][][]string{
			{{"SADD", key, "member:1"}, {"SREM", key, "new"}, {"SADD", key, "7"}, {"SREM", key, "7"}},
			{{"SADD", "fresh", "1", "2", "a"}, {"DEL", "fresh"}},
			{{"SADD", "fresh", "1", "2"}, {"SREM", "fresh", "1", "2"}},
			{{"SISMEMBER", key, "member:7"}, {"SMISMEMBER", key, "member:7", "3000", "x"}, {"SCARD", key}},
			{{"SRANDMEMBER", key}, {"SRANDMEMBER", key, "5"}, {"SRANDMEMBER", key, "50"}, {"SRANDMEMBER", key, "-5"}},
			{{"SMEMBERS", key}, {"SSCAN", key, "0"}},
			{{"SINTER", key, "other"}, {"SINTERCARD", "2", key, "other"}, {"SUNION", key, "other"}, {"SDIFF", key, "other"}},
			{{"SINTERSTORE", "dst", key, "other"}, {"SUNIONSTORE", "dst", key, "other"}, {"SDIFFSTORE", "dst", key, "other"}},
			{{"SMOVE", "other", key, "member:6"}, {"SADD", "other", "member:6"}, {"SREM", "intset", "member:6"}},
		} {
			if key == "intset" && slices.ContainsFunc(cmds, func(a []string) bool { return a[0] == "SMOVE" || len(a) > 2 && a[2] == "member:1" }) {
				continue // would be no intset any more
			}
			var in []byte
			for _, a := range cmds {
				in = append(in, wire(a...)...)
			}
			run := func() {
				h.milli++
				c.SetOutput(out)
				s.Process(c, in)
				c.SetOutput(nil)
			}
			run()
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s, %s and others: %.1f allocations a run", key, cmds[0], n)
			}
		}
		want := map[string]byte{"intset": object.EncIntset, "listpack": object.EncListpack, "hashtable": object.EncHashtable}[key]
		if e, ok := s.KS.DB(0).LookupRaw([]byte(key)); !ok || e.Encoding() != want {
			t.Errorf("%s is in another encoding by now", key)
		}
	}
	if err := s.KS.Check(); err != nil {
		t.Error(err)
	}
}

// TestSpopTakesFairly pops parts of sets in each encoding, and wants every member
// to come up equally often, the set to keep the rest, and the key to go with the
// last.
func TestSpopTakesFairly(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	const n, rounds = 20, 1500
	for _, suffix := range []string{"", "m", strings.Repeat("m", 70)} {
		hits := map[string]int{}
		var members []string
		for i := range n {
			members = append(members, strconv.Itoa(i)+suffix)
		}
		for range rounds {
			do(c, append([]string{"SADD", "s"}, members...)...)
			for _, m := range strings.Split(do(c, "SPOP", "s", "4"), "\r\n") {
				if m != "" && m[0] != '$' && m[0] != '*' {
					hits[m]++
					if do(c, "SISMEMBER", "s", m) != ":0\r\n" {
						t.Fatalf("%q was popped and is still there", m)
					}
				}
			}
			do(c, "SPOP", "s")
			if got := do(c, "SCARD", "s"); got != ":15\r\n" {
				t.Fatalf("left: %s", got)
			}
			if got := strings.Count(do(c, "SPOP", "s", "15"), "$"); got != 15 || do(c, "EXISTS", "s") != ":0\r\n" {
				t.Fatalf("the rest: %d", got)
			}
		}
		for _, m := range members {
			if want := rounds * 4 / n; hits[m] < want-100 || hits[m] > want+100 {
				t.Errorf("%q was popped %d times, expected %d", m, hits[m], want)
			}
		}
	}
	if got := s.KS.Arena().Stats().Live; got > 1<<16 {
		t.Errorf("%d bytes are live", got)
	}
}

// TestUnionOfManySets takes both ways of building a union.
func TestUnionOfManySets(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	rnd := rand.New(rand.NewPCG(4, 4))
	for _, sets := range []int{1, 2, fewSets, fewSets + 1, 9} {
		want := map[string]bool{}
		args := []string{"SUNION"}
		for i := range sets {
			key := fmt.Sprint("u", i)
			do(c, "DEL", key)
			for range rnd.IntN(200) {
				m := fmt.Sprint("m", rnd.IntN(300))
				want[m] = true
				do(c, "SADD", key, m)
			}
			args = append(args, key)
		}
		got := do(c, args...)
		if head := fmt.Sprintf("*%d\r\n", len(want)); !strings.HasPrefix(got, head) {
			t.Errorf("%d sets: %.10q, want %q", sets, got, head)
		}
		for m := range want {
			if strings.Count(got, "\r\n"+m+"\r\n") != 1 {
				t.Errorf("%d sets: %q is not there once", sets, m)
			}
		}
		args[0] = "dst"
		if n := do(c, append([]string{"SUNIONSTORE"}, args...)...); n != fmt.Sprintf(":%d\r\n", len(want)) {
			t.Errorf("%d sets: stored %q", sets, n)
		}
	}
	if err := s.KS.Check(); err != nil {
		t.Error(err)
	}
}

// loadSet puts members through the loader as an RDB brings them, and calls check
// with what came of it.
func loadSet(t *testing.T, lim object.Limits, announced uint64, members [][]byte, check func(v object.Value)) error {
	t.Helper()
	ks, err := keyspace.New(1, 7)
	if err != nil {
		t.Fatal(err)
	}
	defer ks.Release()
	l := NewLoader(ks, lim, 1000)
	m := &rdb.Meta{Key: []byte("s"), ExpireAt: -1, Idle: -1, Freq: -1, Type: rdb.TypeSet}
	if err := l.Begin(m, announced); err != nil {
		return err
	}
	for _, b := range members {
		if err := l.SetMember(b); err != nil {
			return err
		}
	}
	if err := l.End(); err != nil {
		return err
	}
	if err := ks.Check(); err != nil {
		t.Fatal(err)
	}
	e, ok := ks.DB(0).LookupRaw([]byte("s"))
	if !ok {
		t.Fatal("nothing was loaded")
	}
	if n := object.SetLen(e.Value()); n != len(members) {
		t.Fatalf("%d members of %d", n, len(members))
	}
	check(e.Value())
	return nil
}

// TestLoadedSetIsAddedSet: a set that comes member by member has all members, and
// is an intset if it may be one; a member that comes twice is an error wherever it
// stands.
func TestLoadedSetIsAddedSet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 6))
	encs := map[byte]int{}
	for round := range 60 {
		lim := object.DefaultLimits()
		if round%2 == 0 {
			lim.SetMaxIntsetEntries, lim.SetMaxListpackEntries, lim.SetMaxListpackValue = rnd.IntN(10), rnd.IntN(12), rnd.IntN(30)
		}
		seen := map[string]bool{}
		var members [][]byte
		strs := rnd.IntN(3)
		for range 1 + rnd.IntN([]int{6, 40, 700}[rnd.IntN(3)]) {
			m := strconv.AppendInt(nil, rnd.Int64N(5000)-2500, 10)
			if strs > 0 && rnd.IntN(4) < strs {
				m = fmt.Append(nil, "m", strings.Repeat("x", rnd.IntN(25)), rnd.IntN(1000))
			}
			if strs > 0 && rnd.IntN(300) == 0 {
				m = bytes.Repeat([]byte{'y'}, 65+rnd.IntN(10))
			}
			if !seen[string(m)] {
				seen[string(m)] = true
				members = append(members, m)
			}
		}
		err := loadSet(t, lim, uint64(len(members)), members, func(v object.Value) {
			ints := true
			for _, m := range members {
				if !object.SetContains(v, m) {
					t.Fatalf("%q is missing", m)
				}
				_, isInt := listpack.ParseInt(m)
				ints = ints && isInt
			}
			enc := v.Record().Encoding()
			if want := ints && len(members) <= lim.SetMaxIntsetEntries; want != (enc == object.EncIntset) {
				t.Fatalf("%d members, all integers: %v, intset: %v", len(members), ints, enc == object.EncIntset)
			}
			encs[enc]++
		})
		if err != nil {
			t.Fatal(err)
		}
		nothing := func(object.Value) {}
		twice := append(slices.Clone(members), members[rnd.IntN(len(members))])
		if err := loadSet(t, lim, uint64(len(twice)), twice, nothing); err != rdb.ErrDuplicate {
			t.Fatalf("a member twice: %v", err)
		}
		// An RDB that lies about the number is found out by the decoder; the
		// loader must only not break.
		for _, announced := range []uint64{1, 1 << 40, math.MaxUint64} {
			if err := loadSet(t, lim, announced, members, nothing); err != nil {
				t.Fatalf("%d announced, %d came: %v", announced, len(members), err)
			}
		}
	}
	for _, enc := range []byte{object.EncIntset, object.EncListpack, object.EncHashtable} {
		if encs[enc] < 5 {
			t.Errorf("encoding %d was loaded %d times", enc, encs[enc])
		}
	}
}

// TestPackedSets loads whole small sets.
func TestPackedSets(t *testing.T) {
	ints := intset.New(0)
	lpInts, lpText := listpack.New(0), listpack.New(0)
	for i := range 200 {
		ints, _ = intset.Add(ints, int64(i*i))
		lpInts = listpack.AppendInt(lpInts, int64(i*i))
		lpText = listpack.Append(lpText, fmt.Append(nil, "m", i))
	}
	short := listpack.Append(listpack.AppendInt(listpack.New(0), 5), []byte("five"))
	long := listpack.Append(listpack.New(0), bytes.Repeat([]byte("l"), 65))
	def := object.DefaultLimits()
	few := def
	few.SetMaxIntsetEntries = 100
	for _, tc := range []struct {
		name string
		lim  object.Limits
		p    rdb.Packing
		data []byte
		n    int
		want byte
	}{
		{"intset", def, rdb.Intset, ints, 200, object.EncIntset},
		{"intset beyond the limit", few, rdb.Intset, ints, 200, object.EncHashtable},
		{"listpack of integers", def, rdb.Listpack, lpInts, 200, object.EncIntset},
		{"listpack of integers beyond the limits", few, rdb.Listpack, lpInts, 200, object.EncHashtable},
		{"listpack beyond the limit", def, rdb.Listpack, lpText, 200, object.EncHashtable},
		{"listpack", def, rdb.Listpack, short, 2, object.EncListpack},
		{"listpack with a long member", def, rdb.Listpack, long, 1, object.EncHashtable},
	} {
		ks, err := keyspace.New(1, 7)
		if err != nil {
			t.Fatal(err)
		}
		l := NewLoader(ks, tc.lim, 1000)
		m := &rdb.Meta{Key: []byte("s"), ExpireAt: -1, Idle: -1, Freq: -1, Type: rdb.TypeSet}
		if err := l.Packed(m, tc.p, tc.data, tc.n); err != nil {
			t.Fatal(err)
		}
		e, ok := ks.DB(0).LookupRaw([]byte("s"))
		if !ok || e.Encoding() != tc.want || e.Value().Len() != tc.n {
			t.Errorf("%s: encoding %d, %d members", tc.name, e.Encoding(), e.Value().Len())
		}
		if err := ks.Check(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		ks.Release()
	}
}

// TestSetSurvivesDump: what DUMP writes, RESTORE reads, in each encoding, and a
// payload that breaks off leaves nothing behind.
func TestSetSurvivesDump(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	for i := range 300 {
		do(c, "SADD", "int", strconv.Itoa(i*i))
		do(c, "SADD", "small", fmt.Sprint("m", i%100))
		do(c, "SADD", "large", fmt.Sprint("m", i))
	}
	for _, key := range []string{"int", "small", "large"} {
		dump := do(c, "DUMP", key)
		_, payload, _ := strings.Cut(dump, "\r\n")
		payload = strings.TrimSuffix(payload, "\r\n")
		if got := do(c, "RESTORE", "copy", "0", payload); got != "+OK\r\n" {
			t.Fatalf("%s: %q", key, got)
		}
		if a, b := do(c, "DEBUG", "DIGEST-VALUE", key), do(c, "DEBUG", "DIGEST-VALUE", "copy"); a != b {
			t.Errorf("%s: %q, %q", key, a, b)
		}
		if a, b := do(c, "OBJECT", "ENCODING", key), do(c, "OBJECT", "ENCODING", "copy"); a != b {
			t.Errorf("%s: %q, %q", key, a, b)
		}
		do(c, "DEL", "copy")
	}
}
