package replication

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestExpiryResumedBacklog: keys expire at the replica while its link is down, and the master has revived half of them in time. When
// the backlog comes, behind a lot of other data, none of those may be gone.
func TestExpiryResumedBacklog(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--replica-expire-grace", "1", "--hz", "100"}})
	c.online()
	const keys = 400
	name := func(i int) string { return fmt.Sprint("k", i) }
	pipeline := func(n int, cmd func(i int) []string) {
		t.Helper()
		var wire []byte
		for i := range n {
			wire = testutil.AppendCommand(wire, cmd(i)...)
		}
		if _, err := c.m.Write(wire); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if v, _, err := c.m.Read(); err != nil || v.Text == "0" {
				t.Fatalf("%v: %v %v", cmd(i), v, err)
			}
		}
	}
	begin := time.Now()
	pipeline(keys, func(i int) []string { return []string{"SET", name(i), "1", "PX", "1500"} })
	testutil.Eventually(t, 5*time.Second, "the keys arrive", func() error {
		if v := c.r.Must(t, "DBSIZE"); v.Int != keys {
			return fmt.Errorf("%d keys", v.Int)
		}
		return nil
	})
	c.proxy.Refuse(true)
	filler := strings.Repeat("x", 100_000)
	pipeline(60, func(i int) []string { return []string{"SET", "filler" + strconv.Itoa(i), filler} })
	pipeline(keys/2, func(i int) []string { return []string{"PERSIST", name(2 * i)} })
	time.Sleep(time.Until(begin.Add(3500 * time.Millisecond))) // expired for longer than the grace
	if v := c.r.Must(t, "DBSIZE"); v.Int < keys {
		t.Errorf("%d keys while the link is down, want %d", v.Int, keys)
	}
	c.proxy.Refuse(false)
	testutil.Eventually(t, syncTimeout, "the backlog is applied", c.caughtUp)
	for i := 0; i < keys; i += 2 {
		if v := c.r.Must(t, "GET", name(i)); v.Text != "1" {
			t.Fatalf("%s is %v", name(i), v)
		}
	}
	c.checkpoint()
	if full, partial := c.syncs(); full != 1 || partial == 0 {
		t.Errorf("%d full and %d partial syncs", full, partial)
	}
}

// TestExpiryReclaims: a replica in step reclaims what a master leaves lying about.
func TestExpiryReclaims(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--replica-expire-grace", "1", "--replica-lag-probe", "50", "--hz", "50"}})
	c.online()
	c.m.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	for i := range 500 {
		c.m.Must(t, "SET", fmt.Sprint("k", i), "1", "PX", "200")
	}
	testutil.Eventually(t, 15*time.Second, "the replica reclaims them", func() error {
		if v := c.r.Must(t, "DBSIZE"); v.Int != 0 {
			return fmt.Errorf("%d keys", v.Int)
		}
		return nil
	})
	if v := c.m.Must(t, "DBSIZE"); v.Int != 500 {
		t.Errorf("the master has %d keys", v.Int)
	}
	c.m.Must(t, "DEBUG", "SET-ACTIVE-EXPIRE", "1")
	c.checkpoint()
	info, err := c.r.Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	if ms, err := strconv.Atoi(info["master_clock_behind_max_ms"]); err != nil || ms > 20_000 || info["master_apply_errors"] != "0" {
		t.Errorf("clock bound %q, apply errors %s", info["master_clock_behind_max_ms"], info["master_apply_errors"])
	}
}
