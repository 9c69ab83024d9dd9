package replication

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

func masterOffset(t *testing.T, c *testutil.Conn) (replid string, offset int64) {
	t.Helper()
	info, err := c.Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	offset, err = strconv.ParseInt(info["master_repl_offset"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return info["master_replid"], offset
}

// TestWaitOffset: who writes at the master and waits for its offset at the replica reads what he wrote.
func TestWaitOffset(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{})
	c.online()
	for i := range scaled(500) {
		c.m.Must(t, "SET", "k", strconv.Itoa(i))
		id, offset := masterOffset(t, c.m)
		cmd := []string{"REPLICA", "WAITOFFSET", strconv.FormatInt(offset, 10), "5000"}
		if i%2 == 0 {
			cmd = []string{"REPLICA", "WAITOFFSET", id, strconv.FormatInt(offset, 10), "0"}
		}
		if v := c.r.Must(t, cmd...); v.Int < offset {
			t.Fatalf("%v: %v", cmd, v)
		}
		if v := c.r.Must(t, "GET", "k"); v.Text != strconv.Itoa(i) {
			t.Fatalf("after the wait k is %v, want %d", v, i)
		}
	}
	id, offset := masterOffset(t, c.m)
	far := strconv.FormatInt(offset+1000, 10)
	want := func(prefix string, cmd ...string) {
		t.Helper()
		if v, err := c.r.Do(cmd...); err != nil || !strings.HasPrefix(v.Text, prefix) {
			t.Errorf("%v: %v %v, want %s", cmd, v, err, prefix)
		}
	}
	begin := time.Now()
	want("TIMEOUT", "REPLICA", "WAITOFFSET", far, "60")
	if d := time.Since(begin); d < 60*time.Millisecond || d > 2*time.Second {
		t.Errorf("a timeout of 60 ms took %v", d)
	}
	want("OTHERHISTORY", "REPLICA", "WAITOFFSET", strings.Repeat("a", 40), "1", "0")
	want("ERR value is not", "REPLICA", "WAITOFFSET", "x", "0")
	want("ERR offset is negative", "REPLICA", "WAITOFFSET", "-1", "0")
	want("ERR timeout", "REPLICA", "WAITOFFSET", "1", "-1")
	want("ERR syntax", "REPLICA", "WAITOFFSET", id, "1", "0", "0")
	c.r.Must(t, "MULTI")
	c.r.Must(t, "REPLICA", "WAITOFFSET", far, "0")
	if v := c.r.Must(t, "EXEC"); len(v.Elems) != 1 || !strings.HasPrefix(v.Elems[0].Text, "TIMEOUT") {
		t.Errorf("in a transaction: %v", v)
	}
	// A wait outlives the link, and ends with the history.
	waiting := c.replica.Dial(t)
	if err := waiting.Send("REPLICA", "WAITOFFSET", id, far, "0"); err != nil {
		t.Fatal(err)
	}
	c.proxy.CutNow()
	c.m.Must(t, "SET", "big", strings.Repeat("x", 2000))
	if v, _, err := waiting.Read(); err != nil || v.Kind != ':' {
		t.Errorf("a wait across a cut: %v %v", v, err)
	}
	if err := waiting.Send("REPLICA", "WAITOFFSET", "99999999999", "0"); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 5*time.Second, "it waits", func() error { return wantInfo(c.r, "clients", "blocked_clients", "1") })
	other := testutil.StartRedis(t)
	c.r.Must(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(other.Port))
	v, _, err := waiting.Read()
	if err != nil || !strings.HasPrefix(v.Text, "OTHERHISTORY") && !strings.HasPrefix(v.Text, "UNBLOCKED") {
		t.Errorf("a wait for an offset of another master: %v %v", v, err)
	}
}

// TestMaxStaleness: an idle master is fresh, one that stalls or is cut off is not, and the data is readable again once it is back.
func TestMaxStaleness(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{
		master:   []string{"--repl-ping-replica-period", "3600"},
		replica:  []string{"--replica-max-staleness", "400"},
		populate: func(m *testutil.Conn) { m.Must(t, "SET", "k", "1") },
	})
	c.online()
	read := func() error {
		v, err := c.r.Do("GET", "k")
		if err != nil {
			return err
		}
		return v.Err()
	}
	testutil.Eventually(t, 5*time.Second, "fresh", read)
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := read(); err != nil {
			t.Fatalf("an idle master: %v", err)
		}
	}
	info, err := c.r.Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	if ms, err := strconv.Atoi(info["master_staleness_ms"]); err != nil || ms < 0 || ms > 400 || info["master_lag_probe"] != "ok" || info["master_lag_bytes"] != "0" || info["master_lag_ms"] != "0" {
		t.Errorf("idle: %v", info)
	}
	stale := func() error {
		if err := read(); err == nil || !strings.HasPrefix(err.Error(), "STALEREPLICA") {
			return fmt.Errorf("GET: %v", err)
		}
		return nil
	}
	if err := c.master.Suspend(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 3*time.Second, "stale after the master stalls", stale)
	for _, cmd := range [][]string{{"PING"}, {"INFO", "replication"}, {"CONFIG", "GET", "port"}, {"SET", "k", "2"}} {
		if v, err := c.r.Do(cmd...); err != nil || strings.HasPrefix(v.Text, "STALEREPLICA") {
			t.Errorf("%v: %v %v", cmd, v, err)
		}
	}
	for _, cmd := range [][]string{{"EXISTS", "k"}, {"KEYS", "*"}, {"EVAL", "return redis.call('get','k')", "0"}, {"EVAL_RO", "return 1", "0"}} {
		if v, err := c.r.Do(cmd...); err != nil || !strings.HasPrefix(v.Text, "STALEREPLICA") {
			t.Errorf("%v: %v %v", cmd, v, err)
		}
	}
	c.r.Must(t, "MULTI")
	c.r.Do("GET", "k")
	if v, err := c.r.Do("EXEC"); err != nil || !strings.HasPrefix(v.Text, "EXECABORT") {
		t.Errorf("EXEC: %v %v", v, err)
	}
	c.r.Must(t, "CONFIG", "SET", "replica-max-staleness", "0")
	if err := read(); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	c.r.Must(t, "CONFIG", "SET", "replica-max-staleness", "400")
	if err := c.master.Resume(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 5*time.Second, "fresh again", read)
	c.proxy.Refuse(true)
	testutil.Eventually(t, 3*time.Second, "stale after a cut", stale)
	c.proxy.Refuse(false)
	testutil.Eventually(t, 15*time.Second, "fresh again after the cut", read)
}
