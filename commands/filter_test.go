package commands

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

// filtered makes a replica that holds what passes "!secret*" in the databases 0 to 2, and applies a stream to it.
func filtered(t testing.TB, directives ...string) (*Server, *Client, *fakeHost) {
	t.Helper()
	if len(directives) == 0 {
		directives = []string{"replica-filter-keys", "!secret*", "replica-filter-databases", "0-2"}
	}
	s, h := newTestServer(t, directives...)
	s.SetFollowing(true)
	h.link = LinkInfo{Up: true}
	return s, s.NewMasterClient(0), h
}

func apply(s *Server, m *Client, lines ...string) {
	s.BeginStream()
	for _, l := range lines {
		var args [][]byte
		for _, w := range strings.Fields(l) {
			args = append(args, []byte(w))
		}
		s.CallMaster(m, args)
	}
}

// held lists the keys of all databases with their values, as type-specific text.
func held(s *Server) string {
	c := newTestClient(s)
	var all []string
	for db := range 3 {
		do(c, "SELECT", fmt.Sprint(db))
		for k := range strings.SplitSeq(do(c, "KEYS", "*"), "\r\n") {
			if k == "" || k[0] == '*' || k[0] == '$' {
				continue
			}
			value := do(c, "GET", k)
			switch do(c, "TYPE", k) {
			case "+list\r\n":
				value = do(c, "LRANGE", k, "0", "-1")
			case "+set\r\n":
				value = do(c, "SORT_RO", k, "ALPHA")
			case "+zset\r\n":
				value = do(c, "ZRANGE", k, "0", "-1")
			}
			var words []string
			for w := range strings.SplitSeq(value, "\r\n") {
				if w != "" && w[0] != '$' && w[0] != '*' {
					words = append(words, w)
				}
			}
			if db != 0 {
				k = fmt.Sprintf("%d/%s", db, k)
			}
			all = append(all, k+"="+strings.Join(words, ","))
		}
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func TestFilterOfStream(t *testing.T) {
	for _, tc := range []struct {
		stream  string // commands, by ;
		want    string // what is here then
		unknown int
	}{
		{"SET a 1; SET secret 2; APPEND secret x", "a=1", 0},
		{"MSET a 1 secret 2 b 3; MSET secret1 1 secret2 2", "a=1 b=3", 0},
		{"MSETNX secret 2 b 3", "b=3", 0},
		{"MSET a 1 b 2 c 3; DEL a secret b; UNLINK secret c", "", 0},
		// RENAME and COPY
		{"SET a 1; RENAME a b", "b=1", 0},
		{"SET a 1; RENAME a secret", "", 0},
		{"SET a 1; RENAME secret a; APPEND a x; INCR a", "", 1},
		{"SET a 1; RENAME secret a; SET a 3", "a=3", 0},
		{"SET a 1; RENAME secret a; SET a 3 KEEPTTL; SET a 4 XX", "", 1},
		{"RENAME secret a; RENAME a b; RENAME b secret", "", 0},
		{"RENAME secret a; SET b 1; RENAME b a", "a=1", 0},
		{"RENAMENX secret a; RENAME secret1 secret2", "", 1},
		{"RENAME secret a; FLUSHDB; INCR a", "a=1", 0},
		{"RENAME secret a; SELECT 1; RENAME secret b; FLUSHALL; INCR b", "1/b=1", 0},
		{"SET a 1; COPY a secret; COPY a b", "a=1 b=1", 0},
		{"SET a 1; COPY secret a REPLACE; INCR a", "", 1},
		{"SET a 1; COPY a c DB 1; COPY a c DB 3", "1/c=1 a=1", 0},
		{"SELECT 1; SET c 1; SELECT 0; COPY secret c DB 1 REPLACE; SET d 1", "d=1", 1},
		// MOVE, databases
		{"SET a 1; MOVE a 1", "1/a=1", 0},
		{"SET a 1; MOVE a 3", "", 0},
		{"SELECT 3; SET a 1; MOVE a 1; SELECT 1; INCR a", "", 1},
		{"SELECT 3; SET a 1; FLUSHDB; INCR b; SELECT 99; SET a 1; SELECT 0; SET a 2", "a=2", 0},
		{"SET a 1; SELECT 1; SET b 2; SWAPDB 0 1", "1/a=1 b=2", 0},
		{"RENAME secret a; SWAPDB 0 1; SELECT 1; INCR a; SELECT 0; INCR a", "a=1", 1},
		{"SET a 1; SWAPDB 3 4", "a=1", 0},
		// elements that move
		{"SADD s x y; SMOVE s secret x; SMOVE secret s z; SMOVE secret secret1 q", "s=y,z", 0},
		{"RPUSH l 1 2 3; LMOVE l secret LEFT RIGHT; RPOPLPUSH l secret", "l=2", 0},
		{"RPUSH l 1 2 3; RPUSH k 9; LMOVE secret l LEFT RIGHT; RPUSH l 4; RPOPLPUSH k l", "", 1},
		{"RPUSH l 1 2; LMOVE l k LEFT LEFT; LMOVE l l LEFT RIGHT", "k=1 l=2", 0},
		// stores
		{"SADD s x; SADD u y; SUNIONSTORE d s u", "d=x,y s=x u=y", 0},
		{"SADD s x; SUNIONSTORE secret s", "s=x", 0},
		{"SADD s x; SADD d z; SUNIONSTORE d s secret; SADD d q", "s=x", 1},
		{"ZADD z 1 x; ZUNIONSTORE d 2 z secret; ZRANGESTORE e z 0 -1", "e=x z=x", 1},
		{"ZADD z 1 x; ZUNIONSTORE d 1 secret; ZUNIONSTORE d 1 z", "d=x z=x", 0},
		{"SET a x; BITOP OR d a secret; BITOP OR e a", "a=x e=x", 1},
		{"RPUSH l 2 1; SORT l STORE d; SORT secret STORE e", "d=1,2 l=2,1", 1},
		{"RPUSH l 2 1; SORT l BY w_* STORE d; SORT l BY nosort GET # STORE e", "e=2,1 l=2,1", 1},
		{"PFADD h a; PFMERGE secret h; PFMERGE d h secret; PFMERGE d h; DEL h", "", 1},
		{"GEOADD g 1 1 x; GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km; GEOSEARCHSTORE e secret FROMLONLAT 1 1 BYRADIUS 1 km; DEL g; ZREM d x", "", 1},
		{"GEOADD g 1 1 x; GEORADIUS g 1 1 1 km STORE secret; GEORADIUS secret 1 1 1 km STORE d; DEL g", "", 1},
		// transactions and scripts
		{"MULTI; SET a 1; SET secret 2; SELECT 1; SET b 3; SELECT 3; SET c 4; EXEC; SET d 5; SELECT 0; SET e 1", "1/b=3 a=1 e=1", 0},
		{"MULTI; SET secret 2; EXEC", "", 0},
		{"EVAL return(redis.call('set',KEYS[1],'x')) 1 a; EVAL return(redis.call('set',KEYS[1],'x')) 1 secret", "a=x", 0},
		{"SET a 1; EVAL return(redis.call('set',KEYS[1],'x')) 2 a secret; INCR a", "", 1},
		{"SELECT 3; EVAL return(redis.call('set','a','x')) 0", "", 0},
	} {
		s, m, h := filtered(t)
		var lines []string
		for l := range strings.SplitSeq(tc.stream, ";") {
			lines = append(lines, strings.TrimSpace(l))
		}
		apply(s, m, lines...)
		if got := held(s); got != tc.want || s.filter.count != tc.unknown {
			t.Errorf("%s\n got  %q, %d unknown\n want %q, %d", tc.stream, got, s.filter.count, tc.want, tc.unknown)
		}
		if s.Stats.ApplyErrors != 0 || s.ResyncWanted != "" {
			t.Errorf("%s: errors %q, resync %q", tc.stream, h.logs, s.ResyncWanted)
		}
	}
}

// TestFilterDroppedTransaction: a transaction that is cut off and comes again leaves the unknown keys as if it had come once.
func TestFilterDroppedTransaction(t *testing.T) {
	s, m, _ := filtered(t)
	apply(s, m, "RENAME secret k", "SELECT 1", "RENAME secret q", "SELECT 0", "SET x old")
	before := fmt.Sprint(s.filter.unknown, s.filter.db)
	open := []string{"MULTI", "SELECT 2", "RENAME secret n", "SELECT 0", "RENAME k x", "SET k 1", "SWAPDB 0 1", "FLUSHDB"}
	apply(s, m, open...)
	m.Reset()
	if got := fmt.Sprint(s.filter.unknown, s.filter.db); got != before {
		t.Errorf("after the cut: %s, before MULTI: %s", got, before)
	}
	apply(s, m, open...)
	apply(s, m, "EXEC")
	if got, n := held(s), s.filter.count; got != "1/k=1" || n != 2 {
		t.Errorf("%q, %d unknown: %v", got, n, s.filter.unknown)
	}
}

func TestFilterSwapAcross(t *testing.T) {
	s, m, _ := filtered(t)
	apply(s, m, "SET a 1", "SWAPDB 0 5")
	if s.ResyncWanted == "" || held(s) != "a=1" || s.Filters.Resyncs != 1 {
		t.Errorf("resync %q, %q", s.ResyncWanted, held(s))
	}
}

func TestFilterOfCommands(t *testing.T) {
	s, m, _ := filtered(t, "replica-filter-commands", "!publish !@scripting !xgroup|create !flush*")
	apply(s, m, "SET a 1", "EVAL return(redis.call('set',KEYS[1],'x')) 1 b", "FLUSHALL", "XGROUP CREATE x g $ MKSTREAM", "MULTI", "FLUSHDB", "EXEC")
	if got := held(s); got != "a=1" || s.Filters.Commands != 4 {
		t.Errorf("%q, %d left out", got, s.Filters.Commands)
	}
	s, m, _ = filtered(t, "replica-filter-commands", "set select")
	apply(s, m, "SELECT 1", "SET a 1", "INCR b", "PING", "MULTI", "SET c 1", "EXEC")
	if got := held(s); got != "1/a=1 1/c=1" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"nosuch", "@nosuch", "!"} {
		s, _ := newTestServer(t)
		s.V.FilterCommands = []string{bad}
		if f, err := NewFilter(s.V, s.Table); err == nil {
			t.Errorf("%q gives %v", bad, f)
		}
	}
	for _, bad := range []string{"x", "3-1", "-1", "1-", ""} {
		s, _ := newTestServer(t)
		s.V.FilterDatabases = []string{bad}
		if f, err := NewFilter(s.V, s.Table); err == nil {
			t.Errorf("database %q gives %v", bad, f)
		}
	}
}

func TestFilteredPromotion(t *testing.T) {
	s, _, _ := filtered(t)
	if !s.Filtered() {
		t.Error("not filtered")
	}
	s.Promote()
	if s.Filtered() || s.Repl.ID2 != ZeroReplID || s.Repl.SecondOffset != -1 {
		t.Errorf("after the promotion: filtered %v, %+v", s.Filtered(), s.Repl)
	}
}

func TestFilterDoesNotAllocate(t *testing.T) {
	s, m, _ := filtered(t)
	apply(s, m, "SET a 1")
	for _, line := range []string{"SET secret 2", "SET a 3", "MSET a 1 secret 2", "DEL secret nothing", "SMOVE secret secret2 x", "SELECT 3", "SET a 1", "SELECT 0"} {
		var args [][]byte
		for w := range strings.FieldsSeq(line) {
			args = append(args, []byte(w))
		}
		s.CallMaster(m, args)
		if n := testing.AllocsPerRun(200, func() { s.CallMaster(m, args) }); n != 0 {
			t.Errorf("%s: %.1f allocations", line, n)
		}
	}
	if s.Filters.Keys == 0 || s.Filters.Bytes == 0 {
		t.Errorf("%+v", s.Filters)
	}
}

func TestRespSize(t *testing.T) {
	for _, words := range [][]string{{"A"}, {"SET", "k", strings.Repeat("x", 100)}, {"MSET", "0123456789", "", "a", "b", "c", "d", "e", "f", "g", "h"}} {
		var args [][]byte
		for _, w := range words {
			args = append(args, []byte(w))
		}
		if got, want := respSize(args), int64(len(wire(words...))); got != want {
			t.Errorf("%q: %d bytes, want %d", words, got, want)
		}
	}
}
