package replication

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the random writes; 0 takes one from the clock")

func TestMain(m *testing.M) { testutil.Main(m) }

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: go test ./tests/replication -run %s -args -seed %d", t.Name(), s)
	return s
}

// scaled is n, or a fifth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

// A cluster is a master, a proxy before it, and one replica behind the proxy.
type cluster struct {
	t               *testing.T
	master, replica *testutil.Server
	proxy           *testutil.Proxy
	m, r            *testutil.Conn // control connections
}

type clusterOptions struct {
	master, replica []string
	// populate is done to the master before the replica is started.
	populate func(m *testutil.Conn)
	// proxy is set up before the replica is started.
	proxy func(p *testutil.Proxy)
}

func newCluster(t *testing.T, o clusterOptions) *cluster {
	t.Helper()
	c := &cluster{t: t}
	c.master = testutil.StartRedis(t, append([]string{"--repl-backlog-size", "64mb", "--repl-ping-replica-period", "1"}, o.master...)...)
	c.m = c.master.Dial(t)
	if pass := directive(o.master, "--requirepass"); pass != "" {
		c.m.Must(t, "AUTH", pass)
	}
	if o.populate != nil {
		o.populate(c.m)
	}
	c.proxy = testutil.NewProxy(t, c.master.Addr())
	if o.proxy != nil {
		o.proxy(c.proxy)
	}
	c.replica = testutil.StartOurs(t, append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(c.proxy.Port())}, o.replica...)...)
	c.r = c.replica.Dial(t)
	return c
}

func directive(args []string, name string) string {
	for i, a := range args {
		if a == name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

const syncTimeout = 40 * time.Second

// online waits until the link is up as the replica tells it.
func (c *cluster) online() {
	c.t.Helper()
	testutil.Eventually(c.t, syncTimeout, "the replica's link is up", func() error { return wantInfo(c.r, "replication", "master_link_status", "up") })
}

func wantInfo(c *testutil.Conn, section, field, want string) error {
	info, err := c.Info(section)
	if err != nil {
		return err
	}
	if info[field] != want {
		return fmt.Errorf("%s is %q, want %q", field, info[field], want)
	}
	return nil
}

// checkpoint waits until the master's INFO shows one replica online at the master's own offset with a lag of a second at most, and
// until both hold the same data. Nobody may write meanwhile.
func (c *cluster) checkpoint() {
	c.t.Helper()
	testutil.Eventually(c.t, syncTimeout, "the master sees the replica online at its offset", c.caughtUp)
	// A key that falls due is deleted by the master a moment later, and then by the replica.
	testutil.EventuallySame(c.t, 10*time.Second, c.m, c.r)
	if err := c.offsetsAgree(); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) caughtUp() error {
	if !c.replica.Running() {
		c.t.Fatal("the replica has died")
	}
	info, err := c.m.Info("replication")
	if err != nil {
		return err
	}
	if info["connected_slaves"] != "1" {
		return fmt.Errorf("connected_slaves:%s", info["connected_slaves"])
	}
	fields := map[string]string{}
	for _, f := range strings.Split(info["slave0"], ",") {
		k, v, _ := strings.Cut(f, "=")
		fields[k] = v
	}
	lag, err := strconv.Atoi(fields["lag"])
	if err != nil || lag > 1 || fields["state"] != "online" || fields["offset"] != info["master_repl_offset"] || fields["port"] != strconv.Itoa(c.replica.Port) {
		return fmt.Errorf("slave0:%s at master_repl_offset:%s", info["slave0"], info["master_repl_offset"])
	}
	return nil
}

// offsetsAgree compares what the replica says of its own offset; the master's PINGs move both, so it tries a few times.
func (c *cluster) offsetsAgree() error {
	return testutil.WaitFor(5*time.Second, func() error {
		mi, err := c.m.Info("replication")
		if err != nil {
			return err
		}
		ri, err := c.r.Info("replication")
		if err != nil {
			return err
		}
		if ri["role"] != "slave" || ri["master_replid"] != mi["master_replid"] || ri["slave_repl_offset"] != mi["master_repl_offset"] {
			return fmt.Errorf("the replica says %s, replid %s, offset %s; the master has %s, %s", ri["role"], ri["master_replid"], ri["slave_repl_offset"], mi["master_replid"], mi["master_repl_offset"])
		}
		return nil
	})
}

// syncs are the master's counts of granted syncs.
func (c *cluster) syncs() (full, partial int) {
	c.t.Helper()
	info, err := c.m.Info("stats")
	if err != nil {
		c.t.Fatal(err)
	}
	full, err1 := strconv.Atoi(info["sync_full"])
	partial, err2 := strconv.Atoi(info["sync_partial_ok"])
	if err := errors.Join(err1, err2); err != nil {
		c.t.Fatal(err)
	}
	return full, partial
}
