package replication

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// withoutSwap is the writes without SWAPDB, which across a filter of databases asks for a full resync each time.
func withoutSwap(w *writer) {
	for i := range w.all {
		fn := w.all[i].fn
		w.all[i].fn = func(r *rand.Rand) [][]string {
			cmds := fn(r)
			kept := cmds[:0:0]
			for _, cmd := range cmds {
				if cmd[0] != "SWAPDB" {
					kept = append(kept, cmd)
				}
			}
			return kept
		}
	}
}

// checkFiltered holds the promise of the filters against both servers: every key that passes is the master's, or absent and one of
// the unknown ones that INFO counts; no other key is there.
func checkFiltered(m, r *testutil.Conn, pass func(db int, key string) bool) (held, absent int, err error) {
	for db := range 16 {
		for _, c := range []*testutil.Conn{m, r} {
			if v, err := c.Do("SELECT", strconv.Itoa(db)); err != nil || v.Err() != nil {
				return 0, 0, fmt.Errorf("SELECT %d: %v %v", db, v, err)
			}
		}
		var keys [2]map[string]bool
		for i, c := range []*testutil.Conn{m, r} {
			v, err := c.Do("KEYS", "*")
			if err != nil {
				return 0, 0, err
			}
			keys[i] = map[string]bool{}
			for _, k := range v.Strings() {
				keys[i][k] = true
			}
		}
		for k := range keys[1] {
			if !pass(db, k) {
				return 0, 0, fmt.Errorf("db %d: key %q is left out by the filter, and is here", db, k)
			}
			if !keys[0][k] {
				return 0, 0, fmt.Errorf("db %d: key %q is here, and not on the master", db, k)
			}
		}
		for k := range keys[0] {
			switch {
			case !pass(db, k):
			case !keys[1][k]:
				absent++
			default:
				held++
				for _, q := range [][]string{{"TYPE", k}, {"PEXPIRETIME", k}, {"DEBUG", "DIGEST-VALUE", k}} {
					a, err1 := m.Do(q...)
					b, err2 := r.Do(q...)
					if err1 != nil || err2 != nil || a.String() != b.String() {
						return 0, 0, fmt.Errorf("db %d: %v: master %v, replica %v (%v %v)", db, q, a, b, err1, err2)
					}
				}
			}
		}
	}
	for _, c := range []*testutil.Conn{m, r} {
		if _, err := c.Do("SELECT", "0"); err != nil {
			return 0, 0, err
		}
	}
	info, err := r.Info("replication")
	if err != nil {
		return 0, 0, err
	}
	if n, _ := strconv.Atoi(info["filter_unknown_keys"]); absent > n {
		return 0, 0, fmt.Errorf("%d keys that pass are absent, but only %d are unknown", absent, n)
	}
	return held, absent, nil
}

// TestFilterRandom: random writes of every kind through a link that is cut, to a replica that takes a part.
func TestFilterRandom(t *testing.T) {
	t.Parallel()
	odd := func(k string) bool { return k != "" && strings.ContainsRune("13579", rune(k[len(k)-1])) }
	for _, tc := range []struct {
		name string
		args []string
		swap bool
		pass func(db int, key string) bool
	}{
		{"keys", []string{"--replica-filter-keys", "!*[13579] !key:2*"}, true,
			func(_ int, k string) bool { return !odd(k) && !strings.HasPrefix(k, "key:2") }},
		{"both", []string{"--replica-filter-databases", "!1", "--replica-filter-keys", "*[02468] *5"}, false,
			func(db int, k string) bool { return db != 1 && (!odd(k) || k[len(k)-1] == '5') && k[len(k)-1] < '9' }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := seed(t)
			c := newCluster(t, clusterOptions{populate: seedData(t, s, scaled(2000)), replica: tc.args})
			c.online()
			w := newWriter(t, c.master, s)
			if !tc.swap {
				withoutSwap(w)
			}
			rnd := rand.New(rand.NewPCG(s, 3))
			held, absent := 0, 0
			for range 3 {
				for range 3 {
					c.proxy.CutAfter(1 + rnd.Int64N(40000))
					if err := w.write(scaled(600)); err != nil {
						t.Fatal(err)
					}
				}
				testutil.Eventually(t, syncTimeout, "the master sees the replica at its offset", c.caughtUp)
				testutil.Eventually(t, 10*time.Second, "the part that passes is equal", func() (err error) {
					held, absent, err = checkFiltered(c.m, c.r, tc.pass)
					return err
				})
			}
			info, err := c.r.Info("replication")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d keys held, %d unknown; %s commands left out, %s applied in part, %s bytes; errors %s",
				held, absent, info["filter_stream_commands"], info["filter_stream_rewritten"], info["filter_stream_bytes"], info["master_apply_errors"])
			if info["master_apply_errors"] != "0" {
				t.Errorf("%s commands failed", info["master_apply_errors"])
			}
			if held == 0 || info["filter_stream_commands"] == "0" || info["filter_rdb_keys"] == "0" || info["filter_stream_bytes"] == "0" {
				t.Errorf("nothing was left out, or nothing is left: %v", info)
			}
			if full, partial := c.syncs(); full != 1 || partial == 0 {
				t.Errorf("%d full and %d partial syncs, want 1 and some", full, partial)
			}
		})
	}
}

// TestFilterResyncs: a change of the filters, and a SWAPDB across them, bring a full resync, after which the part is exact.
func TestFilterResyncs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--replica-filter-databases", "0"}, populate: func(m *testutil.Conn) {
		m.Must(t, "SET", "a", "0")
		m.Must(t, "SELECT", "1")
		m.Must(t, "SET", "b", "1")
		m.Must(t, "SELECT", "0")
	}})
	c.online()
	pass := func(db int, _ string) bool { return db == 0 }
	check := func(what string, fulls int) {
		t.Helper()
		testutil.Eventually(t, syncTimeout, what, func() error {
			if full, _ := c.syncs(); full != fulls {
				return fmt.Errorf("%d full syncs, want %d", full, fulls)
			}
			if err := c.caughtUp(); err != nil {
				return err
			}
			_, _, err := checkFiltered(c.m, c.r, pass)
			return err
		})
	}
	check("start", 1)
	c.m.Must(t, "SWAPDB", "0", "1")
	check("SWAPDB across the filter", 2)
	if v := c.r.Must(t, "GET", "b"); v.Text != "1" {
		t.Errorf("GET b: %v", v)
	}
	pass = func(int, string) bool { return true }
	c.r.Must(t, "CONFIG", "SET", "replica-filter-databases", "")
	check("no filter", 3)
	if err := testutil.SameDigest(c.m, c.r); err != nil {
		t.Error(err)
	}
	pass = func(_ int, k string) bool { return k == "b" }
	c.r.Must(t, "CONFIG", "SET", "replica-filter-keys", "b")
	check("by key", 4)
	if v, _ := c.r.Do("CONFIG", "SET", "replica-filter-databases", "x-y"); v.Kind != '-' {
		t.Errorf("a filter of nonsense: %v", v)
	}
	if v := c.m.Must(t, "WAIT", "1", "2000"); v.Int != 1 {
		t.Errorf("WAIT 1: %v", v)
	}
}
