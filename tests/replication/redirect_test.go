package replication

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// mixed draws a command, or a transaction of several, on keys of one client. The replies depend on nothing but what this client did.
func mixed(r *rand.Rand, me string) [][]string {
	k := func(kind string) string { return me + ":" + kind + strconv.Itoa(r.IntN(3)) }
	n := strconv.Itoa(r.IntN(100))
	single := func() []string {
		switch r.IntN(28) {
		case 0:
			return []string{"SET", k("s"), n}
		case 1:
			return []string{"INCR", k("s")}
		case 2:
			return []string{"APPEND", k("s"), "x" + n}
		case 3, 4, 5:
			return []string{"GET", k("s")}
		case 6:
			return []string{"RPUSH", k("l"), n, "b"}
		case 7:
			return []string{"LPOP", k("l")}
		case 8:
			return []string{"LRANGE", k("l"), "0", "-1"}
		case 9:
			return []string{"HSET", k("h"), "f" + n, n}
		case 10:
			return []string{"HGETALL", k("h")}
		case 11:
			return []string{"HINCRBYFLOAT", k("h"), "f" + n, "0.5"}
		case 12:
			return []string{"ZADD", k("z"), n, "m" + n}
		case 13:
			return []string{"ZRANGE", k("z"), "0", "-1", "WITHSCORES"}
		case 14:
			return []string{"LPUSH", k("s"), n} // WRONGTYPE
		case 15:
			return []string{"EVAL", "redis.call('set',KEYS[1],ARGV[1]) return {1,redis.call('get',KEYS[1])}", "1", k("s"), n}
		case 16:
			return []string{"EVAL_RO", "return redis.call('get',KEYS[1])", "1", k("s")}
		case 17:
			return []string{"DEL", k("s"), k("l")}
		case 18:
			return []string{"BLPOP", k("l"), "0.01"}
		case 19:
			return []string{"SELECT", strconv.Itoa(r.IntN(3))}
		case 20:
			return []string{"MSET", k("s"), n, k("s"), n + "0"}
		case 21:
			return []string{"STRLEN", k("s")}
		case 22:
			return []string{"SET", k("s"), n, "NX", "GET"}
		case 23:
			return []string{"INCR"} // arity
		case 24:
			return []string{"NOSUCH", n}
		case 25:
			return []string{"LMOVE", k("l"), k("l"), "LEFT", "RIGHT"}
		case 26:
			return []string{"EVAL", "#!lua flags=no-writes\nreturn redis.call('exists',KEYS[1])", "1", k("s")}
		}
		return []string{"SORT", k("l"), "ALPHA"}
	}
	if r.IntN(8) > 0 {
		return [][]string{single()}
	}
	var cmds [][]string
	if r.IntN(3) == 0 {
		cmds = append(cmds, []string{"WATCH", k("s")})
	}
	cmds = append(cmds, []string{"MULTI"})
	for range 1 + r.IntN(4) {
		if c := single(); len(c) > 1 && c[0] != "NOSUCH" || r.IntN(10) == 0 {
			cmds = append(cmds, c)
		}
	}
	return append(cmds, []string{pickOne(r, "EXEC", "EXEC", "EXEC", "DISCARD")})
}

// TestRedirectEqualsMaster: what clients of the replica are answered to reads and writes, in pipelines, is byte for byte what a
// server of its own answers.
func TestRedirectEqualsMaster(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{
		master:  []string{"--requirepass", "secret"},
		replica: []string{"--masterauth", "secret", "--write-redirection", "yes", "--write-redirection-wait", "yes", "--write-redirection-wait-timeout", "20000"},
	})
	alone := testutil.StartRedis(t)
	c.online()
	var wg sync.WaitGroup
	for i := range 4 {
		ours, redis := c.replica.Dial(t), alone.Dial(t)
		if i%2 == 1 {
			ours.Must(t, "HELLO", "3")
			redis.Must(t, "HELLO", "3")
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(s, uint64(i)))
			for range scaled(150) {
				var cmds [][]string
				for range 1 + r.IntN(6) {
					cmds = append(cmds, mixed(r, fmt.Sprint("c", i))...)
				}
				var wire []byte
				for _, cmd := range cmds {
					wire = testutil.AppendCommand(wire, cmd...)
				}
				for _, conn := range []*testutil.Conn{ours, redis} {
					if _, err := conn.Write(wire); err != nil {
						t.Error(err)
						return
					}
				}
				for j, cmd := range cmds {
					_, want, err1 := redis.Read()
					_, got, err2 := ours.Read()
					if err1 != nil || err2 != nil || !bytes.Equal(want, got) {
						t.Errorf("client %d, %q (%d of %q):\n redis: %q %v\n ours:  %q %v", i, cmd, j, cmds, want, err1, got, err2)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
	c.m.Must(t, "CONFIG", "SET", "requirepass", "")
	c.checkpoint()
	if err := testutil.SameDigest(alone.Dial(t), c.m); err != nil {
		t.Error(err)
	}
	info, err := c.r.Info("replication")
	if err != nil {
		t.Fatal(err)
	}
	if info["write_redirection_commands"] == "0" || info["write_redirection_unknown"] != "0" || info["write_redirection_unsent"] != "0" || info["write_redirection_late"] != "0" {
		t.Errorf("%v", info)
	}
}

// TestRedirectAtMostOnce: counters are incremented through connections that are cut at random bytes. None counts more than
// what was acknowledged and what is unknown, nor less than what was acknowledged.
func TestRedirectAtMostOnce(t *testing.T) {
	t.Parallel()
	s := seed(t)
	c := newCluster(t, clusterOptions{replica: []string{"--write-redirection", "yes"}})
	c.online()
	const clients = 4
	var acked, unknown, unsent [clients]int
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range clients {
		conn := c.replica.Dial(t)
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := fmt.Sprint("counter", i)
			r := rand.New(rand.NewPCG(s, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := 1 + r.IntN(20)
				var wire []byte
				replies := n
				if i == clients-1 {
					replies = n + 2 // as a transaction: all or nothing
					wire = testutil.AppendCommand(wire, "MULTI")
				}
				for range n {
					wire = testutil.AppendCommand(wire, "INCR", key)
				}
				if i == clients-1 {
					wire = testutil.AppendCommand(wire, "EXEC")
				}
				if _, err := conn.Write(wire); err != nil {
					t.Error(err)
					return
				}
				for j := range replies {
					v, _, err := conn.Read()
					if err != nil {
						t.Error(err)
						return
					}
					weight := 1
					if i == clients-1 {
						if j < replies-1 {
							continue
						}
						weight = n
					}
					switch {
					case v.Kind == ':' || v.Kind == '*':
						acked[i] += weight
					case strings.HasPrefix(v.Text, "OUTCOMEUNKNOWN"):
						unknown[i] += weight
					case strings.HasPrefix(v.Text, "MASTERDOWN"):
						unsent[i] += weight
						time.Sleep(time.Millisecond)
					default:
						t.Errorf("reply %v", v)
						return
					}
				}
			}
		}()
	}
	rnd := rand.New(rand.NewPCG(s, 99))
	for n := range scaled(60) {
		switch n % 5 {
		case 4:
			c.proxy.Refuse(true)
			time.Sleep(20 * time.Millisecond)
			c.proxy.Refuse(false)
		case 3:
			c.proxy.CutNow()
		default:
			c.proxy.CutAfter(1 + rnd.Int64N(2000))
		}
		time.Sleep(time.Duration(5+rnd.IntN(40)) * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	t.Logf("acknowledged %v, unknown %v, unsent %v", acked, unknown, unsent)
	total := 0
	for i := range clients {
		total += unknown[i]
		v := c.m.Must(t, "GET", fmt.Sprint("counter", i))
		n, _ := strconv.Atoi(v.Text)
		if n < acked[i] || n > acked[i]+unknown[i] {
			t.Errorf("counter %d is %d: acknowledged %d, unknown %d", i, n, acked[i], unknown[i])
		}
	}
	if total == 0 {
		t.Error("no cut met a command under way")
	}
	c.checkpoint()
}

// TestRedirectWatch: optimistic locking through the replica loses no update, against writers at the master too.
func TestRedirectWatch(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--write-redirection", "yes", "--write-redirection-wait-timeout", "20000"}})
	c.online()
	c.m.Must(t, "SET", "n", "0")
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		server := c.replica
		if i == 3 {
			server = c.master
		}
		conn := server.Dial(t)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range scaled(150) {
				conn.Must(t, "WATCH", "n")
				n, _ := strconv.Atoi(conn.Must(t, "GET", "n").Text)
				conn.Must(t, "MULTI")
				conn.Must(t, "SET", "n", strconv.Itoa(n+1))
				if v := conn.Must(t, "EXEC"); !v.Null {
					done.Add(1)
				}
			}
		}()
	}
	wg.Wait()
	if v := c.m.Must(t, "GET", "n"); v.Text != strconv.FormatInt(done.Load(), 10) || done.Load() == 0 {
		t.Errorf("n is %s after %d transactions", v.Text, done.Load())
	}
	// UNWATCH, DISCARD and a transaction that only reads.
	c.r.Must(t, "WATCH", "n")
	c.r.Must(t, "UNWATCH")
	c.m.Must(t, "SET", "n", "5")
	c.r.Must(t, "MULTI")
	c.r.Must(t, "SET", "n", "6")
	if v := c.r.Must(t, "EXEC"); v.Null {
		t.Error("EXEC after UNWATCH failed")
	}
	c.r.Must(t, "WATCH", "n")
	c.m.Must(t, "SET", "n", "7")
	c.r.Must(t, "MULTI")
	c.r.Must(t, "GET", "n")
	if v := c.r.Must(t, "EXEC"); !v.Null {
		t.Errorf("EXEC of reads after a change: %v", v)
	}
}

// TestRedirectMasterAway: a master that is gone, that stalls, that refuses the user.
func TestRedirectMasterAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--write-redirection", "yes", "--write-redirection-timeout", "300"}})
	c.online()
	want := func(conn *testutil.Conn, prefix, text string, cmd ...string) {
		t.Helper()
		v, err := conn.Do(cmd...)
		if err != nil || !strings.HasPrefix(v.Text, prefix) || !strings.Contains(v.Text, text) {
			t.Errorf("%v: %v %v, want %s … %s …", cmd, v, err, prefix, text)
		}
	}
	c.r.Must(t, "SET", "k", "1")
	testutil.Eventually(t, 5*time.Second, "the write comes by the stream", func() error {
		if v := c.r.Must(t, "GET", "k"); v.Text != "1" {
			return fmt.Errorf("k is %v", v)
		}
		return nil
	})
	other := c.replica.Dial(t)
	if err := other.Send("BLPOP", "list", "0"); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 5*time.Second, "the master has the blocked command", func() error { return wantInfo(c.m, "clients", "blocked_clients", "1") })
	if err := c.master.Suspend(); err != nil {
		t.Fatal(err)
	}
	want(c.r, "OUTCOMEUNKNOWN", "no reply in", "SET", "k", "2")
	want(c.r, "1", "", "GET", "k") // reads go on
	if err := c.master.Resume(); err != nil {
		t.Fatal(err)
	}
	c.m.Must(t, "RPUSH", "list", "x")
	if v, _, err := other.Read(); err != nil || len(v.Elems) != 2 || v.Elems[1].Text != "x" {
		t.Errorf("BLPOP across a stall: %v %v", v, err)
	}
	// A client that goes away takes its blocked command with it.
	if err := other.Send("BLPOP", "list", "0"); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, 5*time.Second, "blocked again", func() error { return wantInfo(c.m, "clients", "blocked_clients", "1") })
	other.Close()
	testutil.Eventually(t, 5*time.Second, "the blocked command is gone", func() error { return wantInfo(c.m, "clients", "blocked_clients", "0") })
	// Credentials of their own, refused by the master.
	c.m.Must(t, "ACL", "SETUSER", "writer", "on", ">pw", "~k*", "+set", "+select", "+info")
	c.r.Must(t, "CONFIG", "SET", "write-redirection-user", "writer", "write-redirection-auth", "wrong")
	want(c.r, "MASTERDOWN", "WRONGPASS", "SET", "k", "3")
	c.r.Must(t, "CONFIG", "SET", "write-redirection-auth", "pw")
	want(c.r, "OK", "", "SET", "k", "3")
	want(c.r, "NOPERM", "", "SET", "other", "3")
	want(c.r, "NOPERM", "", "INCR", "k")
	// Refused before anything is executed: MULTI is not allowed.
	c.r.Must(t, "MULTI")
	c.r.Must(t, "SET", "k", "4")
	want(c.r, "NOPERM", "", "EXEC")
	if v := c.m.Must(t, "GET", "k"); v.Text != "3" {
		t.Errorf("a transaction without MULTI was executed: %v", v)
	}
	c.proxy.Refuse(true)
	testutil.Eventually(t, 5*time.Second, "the end of the connection is noticed", func() error {
		if v, err := c.r.Do("SET", "k", "5"); err != nil || !strings.HasPrefix(v.Text, "MASTERDOWN") || !strings.Contains(v.Text, "not sent") {
			return fmt.Errorf("%v %v", v, err)
		}
		return nil
	})
	want(c.r, "MASTERDOWN", "", "WATCH", "k")
	c.r.Must(t, "CONFIG", "SET", "write-redirection", "no")
	want(c.r, "READONLY", "", "SET", "k", "6")
}

// TestRedirectScripts: a script known to the replica only is sent by its text.
func TestRedirectScripts(t *testing.T) {
	t.Parallel()
	c := newCluster(t, clusterOptions{replica: []string{"--write-redirection", "yes"}})
	c.online()
	sha := c.r.Must(t, "SCRIPT", "LOAD", "return redis.call('incr',KEYS[1])").Text
	for want := int64(1); want < 4; want++ {
		if v := c.r.Must(t, "EVALSHA", sha, "1", "k"); v.Int != want {
			t.Errorf("EVALSHA: %v, want %d", v, want)
		}
	}
	c.r.Must(t, "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('inc', function(k,a) return redis.call('incr',k[1]) end)\nredis.register_function{function_name='ro', callback=function(k,a) return redis.call('get',k[1]) end, flags={'no-writes'}}")
	testutil.Eventually(t, 5*time.Second, "the function arrives", func() error {
		if v := c.r.Must(t, "FUNCTION", "LIST"); len(v.Elems) != 1 {
			return errors.New("no library")
		}
		return nil
	})
	if v := c.r.Must(t, "FCALL", "inc", "1", "k"); v.Int != 4 {
		t.Errorf("FCALL: %v", v)
	}
	c.m.Must(t, "CONFIG", "RESETSTAT")
	c.r.Must(t, "FCALL", "ro", "1", "k")
	if info, err := c.m.Info("commandstats"); err != nil || info["cmdstat_fcall"] != "" {
		t.Errorf("a function that does not write went to the master: %v %v", info["cmdstat_fcall"], err)
	}
	sub := c.replica.Dial(t)
	sub.Must(t, "SUBSCRIBE", "news")
	if v := c.r.Must(t, "PUBLISH", "news", "x"); v.Int != 0 {
		t.Errorf("PUBLISH: %v: the master has no subscribers", v)
	}
	if v, _, err := sub.Read(); err != nil || len(v.Elems) != 3 || v.Elems[2].Text != "x" {
		t.Errorf("the message: %v %v", v, err)
	}
}
