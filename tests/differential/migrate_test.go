package differential

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// TestMigrate moves keys of every type to a real server and back.
func TestMigrate(t *testing.T) {
	p := newPair(t)
	redis, ours := p.redisCtl, p.oursCtl
	for _, c := range []*testutil.Conn{redis, ours} {
		c.Must(t, "CONFIG", "SET", "requirepass", "secret")
	}
	fill := func(c *testutil.Conn) {
		c.Must(t, "SET", "string", "value")
		c.Must(t, "SET", "volatile", "value", "EX", "1000")
		c.Must(t, "RPUSH", "list", "a", "b", "c")
		c.Must(t, "HSET", "hash", "f", "v")
		c.Must(t, "SADD", "set", "m", "n")
		c.Must(t, "ZADD", "zset", "1", "a", "2", "b")
		c.Must(t, "XADD", "stream", "1-1", "f", "v")
		big := []string{"RPUSH", "big"}
		for i := range 20_000 {
			big = append(big, fmt.Sprint("element", i))
		}
		c.Must(t, big...)
	}
	keys := []string{"string", "volatile", "list", "hash", "set", "zset", "stream", "big"}
	fill(ours)
	before, err := ours.Digest()
	if err != nil {
		t.Fatal(err)
	}
	move := func(from *testutil.Conn, port int, more ...string) {
		t.Helper()
		cmd := append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(port), "", "0", "5000", "AUTH", "secret"}, more...)
		if v := from.Must(t, append(append(cmd, "KEYS"), keys...)...); v.Text != "OK" {
			t.Fatalf("MIGRATE: %v", v)
		}
	}
	for range 3 {
		move(ours, p.redis.Port)
		if v := ours.Must(t, "DBSIZE"); v.Int != 0 {
			t.Errorf("%d keys are left", v.Int)
		}
		if d, err := redis.Digest(); err != nil || d != before {
			t.Errorf("redis-server has another dataset: %v", err)
		}
		move(redis, p.ours.Port)
		if d, err := ours.Digest(); err != nil || d != before {
			t.Errorf("what came back is not what went: %v", err)
		}
	}
	move(ours, p.redis.Port, "COPY")
	if err := testutil.SameDigest(redis, ours); err != nil {
		t.Error(err)
	}
	if v, err := ours.Do("MIGRATE", "127.0.0.1", strconv.Itoa(p.redis.Port), "string", "0", "1000", "AUTH", "secret"); err != nil || !strings.Contains(v.Text, "BUSYKEY") {
		t.Errorf("onto a key that exists: %v %v", v, err)
	}
	move(ours, p.redis.Port, "REPLACE")
	if v, err := ours.Do("MIGRATE", "127.0.0.1", strconv.Itoa(p.redis.Port), "string", "0", "1000"); err != nil || v.Text != "NOKEY" {
		t.Errorf("without a key: %v %v", v, err)
	}
	ours.Must(t, "SET", "string", "v")
	if v, err := ours.Do("MIGRATE", "127.0.0.1", strconv.Itoa(p.redis.Port), "string", "0", "1000", "REPLACE"); err != nil || !strings.Contains(v.Text, "NOAUTH") {
		t.Errorf("without a password: %v %v", v, err)
	}
	if v := ours.Must(t, "EXISTS", "string"); v.Int != 1 {
		t.Error("the key is gone although the target refused it")
	}
	// Others are served while the target is silent.
	if err := p.redis.Suspend(); err != nil {
		t.Fatal(err)
	}
	other := p.ours.Dial(t)
	other.Must(t, "AUTH", "secret")
	if err := ours.Send("MIGRATE", "127.0.0.1", strconv.Itoa(p.redis.Port), "string", "0", "700", "AUTH", "secret", "REPLACE"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 50 {
		other.Must(t, "GET", "string")
	}
	if d := time.Since(begin); d > 300*time.Millisecond {
		t.Errorf("fifty reads took %v", d)
	}
	v, raw, err := ours.Read()
	if err != nil || !bytes.HasPrefix(raw, []byte("-IOERR error or timeout")) {
		t.Errorf("a silent target: %v %v", v, err)
	}
	if err := p.redis.Resume(); err != nil {
		t.Fatal(err)
	}
}
