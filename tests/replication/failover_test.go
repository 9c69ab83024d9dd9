package replication

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestFailover hands the role of master over and back: from ours to ours, from ours to redis-server, from redis-server to ours. No write that was
// answered is lost, the data are equal, and no full sync is needed.
func TestFailover(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(testing.TB, ...string) *testutil.Server{"ours": testutil.StartOurs, "redis": testutil.StartRedis}
	for _, x := range [][2]string{{"ours", "ours"}, {"ours", "redis"}, {"redis", "ours"}} {
		t.Run(x[0]+" to "+x[1], func(t *testing.T) {
			t.Parallel()
			a := kinds[x[0]](t, "--repl-ping-replica-period", "1")
			b := kinds[x[1]](t, "--replicaof", "127.0.0.1", strconv.Itoa(a.Port), "--repl-ping-replica-period", "1")
			ca, cb := a.Dial(t), b.Dial(t)
			seedData(t, seed(t), scaled(1000))(ca)
			testutil.Eventually(t, syncTimeout, "the replica is online", func() error { return wantInfo(cb, "replication", "master_link_status", "up") })
			testutil.Eventually(t, syncTimeout, "its address is known", func() error {
				v, err := ca.Do("FAILOVER", "TO", "127.0.0.1", strconv.Itoa(b.Port), "TIMEOUT", "30000")
				if err == nil {
					err = v.Err()
				}
				return err
			})
			if v, err := ca.Do("FAILOVER"); err != nil || v.Err() == nil {
				t.Errorf("a second one: %v, %v", v, err)
			}
			// A write that came meanwhile gets its answer in the end.
			writer := a.Dial(t)
			v, err := writer.Do("SET", "late", "write")
			if err != nil {
				t.Fatal(err)
			}
			refused := v.Err() != nil
			testutil.Eventually(t, syncTimeout, "the roles have changed", func() error {
				if err := wantInfo(cb, "replication", "role", "master"); err != nil {
					return err
				}
				if err := wantInfo(ca, "replication", "master_failover_state", "no-failover"); err != nil {
					return err
				}
				return wantInfo(ca, "replication", "master_link_status", "up")
			})
			if !refused {
				t.Errorf("the late write was answered %v", v)
			}
			cb.Must(t, "SET", "after", "it")
			testutil.EventuallySame(t, syncTimeout, ca, cb)
			if err := wantInfo(cb, "stats", "sync_full", "0"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFailoverThatFails: a target that cannot be reached, or does not catch up, leaves the roles as they are and lets the writes through.
func TestFailoverThatFails(t *testing.T) {
	t.Parallel()
	a := testutil.StartOurs(t, "--repl-ping-replica-period", "1")
	b := testutil.StartRedis(t, "--replicaof", "127.0.0.1", strconv.Itoa(a.Port))
	ca, cb := a.Dial(t), b.Dial(t)
	testutil.Eventually(t, syncTimeout, "the replica is online", func() error { return wantInfo(cb, "replication", "master_link_status", "up") })
	testutil.Eventually(t, syncTimeout, "it has acknowledged", func() error {
		info, err := ca.Info("replication")
		if err == nil && info["connected_slaves"] != "1" {
			err = fmt.Errorf("%v", info)
		}
		return err
	})
	if err := b.Suspend(); err != nil {
		t.Fatal(err)
	}
	ca.Must(t, "SET", "not", "acknowledged")
	ca.Must(t, "FAILOVER", "TIMEOUT", "300")
	if err := wantInfo(ca, "replication", "master_failover_state", "waiting-for-sync"); err != nil {
		t.Error(err)
	}
	writer := a.Dial(t)
	if v, err := writer.Do("SET", "k", "v"); err != nil || v.Text != "OK" {
		t.Errorf("the write that waited: %v, %v", v, err)
	}
	ca.Must(t, "FAILOVER", "TIMEOUT", "60000")
	ca.Must(t, "FAILOVER", "ABORT")
	ca.Must(t, "SET", "k", "w")
	// By force it goes on; the target is silent, and an ABORT makes this one a master again.
	ca.Must(t, "FAILOVER", "TO", "127.0.0.1", strconv.Itoa(b.Port), "FORCE", "TIMEOUT", "50")
	testutil.Eventually(t, syncTimeout, "it goes on by force", func() error {
		return wantInfo(ca, "replication", "master_failover_state", "failover-in-progress")
	})
	if v, err := ca.Do("REPLICAOF", "NO", "ONE"); err != nil || v.Text != "ERR REPLICAOF not allowed while failing over." {
		t.Errorf("REPLICAOF meanwhile: %v, %v", v, err)
	}
	ca.Must(t, "FAILOVER", "ABORT")
	if err := wantInfo(ca, "replication", "role", "master"); err != nil {
		t.Error(err)
	}
	ca.Must(t, "SET", "k", "x")
	if err := b.Resume(); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, syncTimeout, "the replica is back", func() error { return wantInfo(cb, "replication", "master_link_status", "up") })
	testutil.EventuallySame(t, syncTimeout, ca, cb)
}
