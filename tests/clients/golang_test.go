package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// eventually waits until fn returns want: what is written at the master is soon at the replica.
func eventually[T any](t *testing.T, what string, want T, fn func() (T, error)) {
	t.Helper()
	testutil.Eventually(t, 10*time.Second, what, func() error {
		got, err := fn()
		if err != nil {
			return err
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	})
}

func TestGoRedis(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t) {
		t.Run(s.name, func(t *testing.T) { goRedis(t, s) })
	}
}

func goRedis(t *testing.T, s *site) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := redis.NewClient(&redis.Options{Addr: s.write.Addr()})
	r := redis.NewClient(&redis.Options{Addr: s.read.Addr()})
	defer w.Close()
	defer r.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Ping(ctx).Err())
	must(w.Set(ctx, "go:s", "value", time.Hour).Err())
	eventually(t, "GET", "value", func() (string, error) { return r.Get(ctx, "go:s").Result() })
	must(w.HSet(ctx, "go:h", "a", 1, "b", 2).Err())
	eventually(t, "HGETALL", map[string]string{"a": "1", "b": "2"}, func() (map[string]string, error) { return r.HGetAll(ctx, "go:h").Result() })
	must(w.ZAdd(ctx, "go:z", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: -2, Member: "b"}).Err())
	eventually(t, "ZRANGE", []redis.Z{{Score: -2, Member: "b"}, {Score: 1.5, Member: "a"}}, func() ([]redis.Z, error) { return r.ZRangeWithScores(ctx, "go:z", 0, -1).Result() })
	must(w.XAdd(ctx, &redis.XAddArgs{Stream: "go:x", ID: "1-1", Values: []string{"f", "v"}}).Err())
	eventually(t, "XLEN", 1, func() (int64, error) { return r.XLen(ctx, "go:x").Result() })
	must(w.GeoAdd(ctx, "go:g", &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556}).Err())
	eventually(t, "GEOSEARCH", 1, func() (int, error) {
		v, err := r.GeoSearch(ctx, "go:g", &redis.GeoSearchQuery{Longitude: 13, Latitude: 38, Radius: 200, RadiusUnit: "km"}).Result()
		return len(v), err
	})
	cmds, err := w.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "go:n", 1, 0)
		p.Incr(ctx, "go:n")
		return nil
	})
	if err != nil || cmds[1].(*redis.IntCmd).Val() != 2 {
		t.Fatalf("MULTI: %v %v", cmds, err)
	}
	must(w.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.Get(ctx, "go:n").Int()
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "go:n", n+1, 0); return nil })
		return err
	}, "go:n"))
	script := redis.NewScript("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}")
	if v, err := script.RunRO(ctx, r, []string{"go:s"}, "x").StringSlice(); err != nil || !slices.Equal(v, []string{"go:s", "x", "value"}) {
		t.Errorf("a script: %v %v", v, err)
	}
	var pairs []any
	for i := range 500 {
		pairs = append(pairs, fmt.Sprint("go:scan:", i), i)
	}
	must(w.MSet(ctx, pairs...).Err())
	eventually(t, "SCAN", 500, func() (int, error) {
		seen := map[string]bool{}
		it := r.Scan(ctx, 0, "go:scan:*", 50).Iterator()
		for it.Next(ctx) {
			seen[it.Val()] = true
		}
		return len(seen), it.Err()
	})
	sub := r.Subscribe(ctx, "go:ch")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	must(w.Publish(ctx, "go:ch", "hello").Err())
	select {
	case m := <-sub.Channel():
		if m.Payload != "hello" {
			t.Errorf("a message: %v", m)
		}
	case <-ctx.Done():
		t.Error("no message")
	}
	if v, err := r.Info(ctx, "server").Result(); err != nil || !strings.Contains(v, "redis_version:7.") {
		t.Errorf("INFO: %q %v", v, err)
	}
	if v, err := r.ClientInfo(ctx).Result(); err != nil || v.Resp != 3 {
		t.Errorf("CLIENT INFO: %+v %v", v, err)
	}
	if v, err := r.CommandList(ctx, nil).Result(); err != nil || len(v) < 200 {
		t.Errorf("COMMAND LIST: %d %v", len(v), err)
	}
	if v, err := r.SlowLogGet(ctx, 10).Result(); err != nil {
		t.Errorf("SLOWLOG GET: %v %v", v, err)
	}
	if s.replica() {
		if err := r.Set(ctx, "a", "b", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
			t.Errorf("a write to the replica: %v", err)
		}
	} else {
		go func() {
			time.Sleep(50 * time.Millisecond)
			w.RPush(ctx, "go:queue", "job")
		}()
		if v, err := w.BLPop(ctx, 5*time.Second, "go:queue").Result(); err != nil || v[1] != "job" {
			t.Errorf("BLPOP: %v %v", v, err)
		}
	}
	if _, err := r.Get(ctx, "nokey").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET of nothing: %v", err)
	}
}

func TestRueidis(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t) {
		t.Run(s.name, func(t *testing.T) { rueidisPlay(t, s) })
	}
}

// rueidisPlay uses what rueidis does by default: RESP3, automatic pipelines, and client-side caching with OPTIN.
func rueidisPlay(t *testing.T, s *site) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	open := func(addr string) rueidis.Client {
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	w, r := open(s.write.Addr()), open(s.read.Addr())
	do := func(cmd rueidis.Completed) rueidis.RedisResult {
		t.Helper()
		res := w.Do(ctx, cmd)
		if err := res.Error(); err != nil {
			t.Fatal(err)
		}
		return res
	}
	do(w.B().Set().Key("ru:s").Value("one").Build())
	get := func() (string, error) { return r.Do(ctx, r.B().Get().Key("ru:s").Build()).ToString() }
	eventually(t, "GET", "one", get)
	cached := func() rueidis.RedisResult { return r.DoCache(ctx, r.B().Get().Key("ru:s").Cache(), time.Minute) }
	if v, err := cached().ToString(); err != nil || v != "one" {
		t.Fatalf("DoCache: %v %v", v, err)
	}
	if res := cached(); !res.IsCacheHit() {
		t.Error("the second read is not served from the cache")
	}
	do(w.B().Set().Key("ru:s").Value("two").Build())
	eventually(t, "a cached value", "two", func() (string, error) { return cached().ToString() })
	do(w.B().Hset().Key("ru:h").FieldValue().FieldValue("a", "1").FieldValue("b", "2").Build())
	eventually(t, "HGETALL", map[string]string{"a": "1", "b": "2"}, func() (map[string]string, error) {
		return r.Do(ctx, r.B().Hgetall().Key("ru:h").Build()).AsStrMap()
	})
	for _, kv := range []string{"x", "y", "z"} {
		do(w.B().Sadd().Key("ru:set").Member(kv).Build())
	}
	eventually(t, "SCARD", 3, func() (int64, error) { return r.Do(ctx, r.B().Scard().Key("ru:set").Build()).AsInt64() })
	var cmds rueidis.Commands
	for range 1000 {
		cmds = append(cmds, r.B().Get().Key("ru:s").Build())
	}
	for _, res := range r.DoMulti(ctx, cmds...) {
		if v, err := res.ToString(); err != nil || v != "two" {
			t.Fatalf("DoMulti: %v %v", v, err)
		}
	}
	script := rueidis.NewLuaScriptReadOnly("return redis.call('GET', KEYS[1])")
	if v, err := script.Exec(ctx, r, []string{"ru:s"}, nil).ToString(); err != nil || v != "two" {
		t.Errorf("a script: %v %v", v, err)
	}
	got := make(chan string, 1)
	listening := make(chan bool, 1)
	go func() {
		dedicated, release := r.Dedicate()
		defer release()
		wait := dedicated.SetPubSubHooks(rueidis.PubSubHooks{
			OnMessage:      func(m rueidis.PubSubMessage) { got <- m.Message },
			OnSubscription: func(rueidis.PubSubSubscription) { listening <- true },
		})
		dedicated.Do(ctx, dedicated.B().Subscribe().Channel("ru:ch").Build())
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}()
	<-listening
	do(w.B().Publish().Channel("ru:ch").Message("hello").Build())
	select {
	case m := <-got:
		if m != "hello" {
			t.Errorf("a message: %q", m)
		}
	case <-ctx.Done():
		t.Error("no message")
	}
	if s.replica() {
		if err := r.Do(ctx, r.B().Set().Key("a").Value("b").Build()).Error(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
			t.Errorf("a write to the replica: %v", err)
		}
		// The usual set-up of a standalone service with replicas: writes to one address, reads to the other.
		pair, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{s.write.Addr()}, SendToReplicas: func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() },
			Standalone: rueidis.StandaloneOption{ReplicaAddress: []string{s.read.Addr()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer pair.Close()
		if err := pair.Do(ctx, pair.B().Set().Key("ru:p").Value("v").Build()).Error(); err != nil {
			t.Error(err)
		}
		eventually(t, "a read by way of the replica", "v", func() (string, error) { return pair.Do(ctx, pair.B().Get().Key("ru:p").Build()).ToString() })
	}
}
