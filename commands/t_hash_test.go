package commands

import (
	"fmt"
	"strings"
	"testing"
)

// words makes "*2 :1 :-2" of a reply, to read it easily.
func words(reply string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(reply, "\r\n", " ")), " ")
}

// steps runs commands and compares each reply.
func steps(t *testing.T, c *Client, pairs ...string) {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		list := strings.Fields(pairs[i])
		for j, w := range list {
			if w == `""` {
				list[j] = ""
			}
		}
		if got := words(do(c, list...)); got != pairs[i+1] {
			t.Errorf("%s: %s, want %s", pairs[i], got, pairs[i+1])
		}
	}
}

// The time of the fake server is 1,000,000,000 ms.

func TestHexpireAndItsRelatives(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	steps(t, c,
		"HSET h a 1 b 2 c 3", ":3",
		"HEXPIRE h 10 FIELDS 2 a x", "*2 :1 :-2",
		"OBJECT ENCODING h", "$10 listpackex",
		"HTTL h FIELDS 3 a b x", "*3 :10 :-1 :-2",
		"HPTTL h FIELDS 3 a b x", "*3 :10000 :-1 :-2",
		"HEXPIRETIME h FIELDS 1 a", "*1 :1000010",
		"HPEXPIRETIME h FIELDS 1 a", "*1 :1000010000",
		"HPEXPIRE h 500 FIELDS 1 b", "*1 :1",
		"HTTL h FIELDS 1 b", "*1 :1",
		"HEXPIREAT h 1000020 FIELDS 1 c", "*1 :1",
		"HPEXPIREAT h 1000030000 FIELDS 1 c", "*1 :1",
		"HPTTL h FIELDS 1 c", "*1 :30000",
		"HPERSIST h FIELDS 3 a a x", "*3 :1 :-1 :-2",
		"HTTL h FIELDS 1 a", "*1 :-1",
		// Conditions.
		"HPEXPIRE h 100 NX FIELDS 2 a b", "*2 :1 :0",
		"HPERSIST h FIELDS 1 a", "*1 :1",
		"HPEXPIRE h 100 XX FIELDS 2 a b", "*2 :0 :1",
		"HPEXPIRE h 100 GT FIELDS 2 a b", "*2 :0 :0",
		"HPEXPIRE h 101 GT FIELDS 1 b", "*1 :1",
		"HPEXPIRE h 101 LT FIELDS 1 b", "*1 :0",
		"HPEXPIRE h 50 LT FIELDS 2 a b", "*2 :1 :1",
		// The past deletes, with the last field the key.
		"HEXPIRE h 0 FIELDS 1 a", "*1 :2",
		"HPEXPIREAT h 1 FIELDS 2 b a", "*2 :2 :-2",
		"HGETALL h", "*2 $1 c $1 3",
		"HEXPIREAT h 1 FIELDS 1 c", "*1 :2",
		"EXISTS h", ":0",
		"HEXPIRE h 10 FIELDS 2 a b", "*2 :-2 :-2",
		"HTTL h FIELDS 2 a b", "*2 :-2 :-2",
		"HPERSIST h FIELDS 2 a b", "*2 :-2 :-2",
	)
}

func TestFieldExpiryArguments(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	do(c, "SET", "s", "v")
	do(c, "HSET", "h", "a", "1")
	wrong := "-WRONGTYPE Operation against a key holding the wrong kind of value"
	missing := "-ERR Mandatory argument FIELDS is missing or not at the right position"
	count := "-ERR The `numfields` parameter must match the number of arguments"
	steps(t, c,
		"HEXPIRE s x FIELDS 1 a", wrong,
		"HTTL s FIELDS 1 a", wrong,
		"HPERSIST s FIELDS 1 a", wrong,
		"HGETDEL s FIELDS 1 a", wrong,
		"HGETEX s FIELDS 1 a", wrong,
		"HSETEX s FIELDS 1 a b", wrong,
		"HEXPIRE h", "-ERR wrong number of arguments for 'hexpire' command",
		"HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range",
		"HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0",
		"HEXPIRE h 70368744178 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command",
		"HPEXPIRE h 70368744177663 FIELDS 1 a", "-ERR invalid expire time in 'hpexpire' command",
		"HPEXPIREAT h 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command",
		"HPEXPIREAT h 70368744177663 FIELDS 1 a", "*1 :1",
		"HEXPIRE h 10 FIELD 1 a", missing,
		"HEXPIRE h 10 NX 1 a b", missing,
		"HEXPIRE h 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0",
		"HEXPIRE h 10 FIELDS x a", "-ERR Parameter `numFields` should be greater than 0",
		"HEXPIRE h 10 FIELDS 2 a", count,
		"HEXPIRE h 10 NX FIELDS 2 a", count,
		"HTTL h FIELDS 2 a", count,
		"HTTL h FIELDS 0 a", "-ERR Number of fields must be a positive integer",
		"HTTL h a 1 a", missing,
		"HPERSIST h FIELDS 2 a", count,
		"HGETDEL h FIELDS 2 a", count,
		"HGETDEL h x 1 a", missing,
		"HGETEX h FIELDS 2 a", count,
		"HGETEX h EX 10 FIELDS 2 a", count,
		"HGETEX h EX 10 a b", missing,
		"HGETEX h EX -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0",
		"HSETEX h EX 10 PX 10 FIELDS 1 a b", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
		"HSETEX h FNX FXX FIELDS 1 a b", "-ERR Only one of FXX or FNX arguments can be specified",
		"HSETEX h FIELDS 2 a b", "-ERR wrong number of arguments for 'hsetex' command",
		"HSETEX h FIELDS x a b", "-ERR invalid number of fields",
		"HSETEX h BOGUS 1 a b c", "-ERR unknown argument: BOGUS",
		"HSETEX h FNX KEEPTTL FNX EX 5", "-ERR Only one of FXX or FNX arguments can be specified",
		"HSETEX h FNX KEEPTTL FNY EX", "-ERR unknown argument: FNY",
		"HGETALL h", "*2 $1 a $1 1",
	)
}

func TestHgetdelHgetexHsetex(t *testing.T) {
	s, _ := newTestServer(t)
	c := newTestClient(s)
	steps(t, c,
		"HSET h a 1 b 2 c 3", ":3",
		"HGETDEL h FIELDS 3 a x b", "*3 $1 1 $-1 $1 2",
		"HGETALL h", "*2 $1 c $1 3",
		"HGETDEL h FIELDS 1 c", "*1 $1 3",
		"EXISTS h", ":0",
		"HGETDEL h FIELDS 2 c d", "*2 $-1 $-1",
		"HGETEX h FIELDS 2 c d", "*2 $-1 $-1",
		"HSETEX h FXX FIELDS 1 a 1", ":0",
		"EXISTS h", ":0",
		"HSETEX h EX 10 FIELDS 2 a 1 b 2", ":1",
		"HTTL h FIELDS 2 a b", "*2 :10 :10",
		"HSETEX h FNX FIELDS 2 c 3 a 9", ":0",
		"HSETEX h FXX FIELDS 2 c 3 a 9", ":0",
		"HSETEX h FNX FIELDS 1 c 3", ":1",
		"HSETEX h FXX KEEPTTL FIELDS 2 a 8 c 4", ":1",
		"HGETALL h", "*6 $1 a $1 8 $1 b $1 2 $1 c $1 4",
		"HTTL h FIELDS 3 a b c", "*3 :10 :10 :-1",
		"HSETEX h FIELDS 1 a 7", ":1",
		"HTTL h FIELDS 1 a", "*1 :-1",
		"HGETEX h PX 5000 FIELDS 2 a x", "*2 $1 7 $-1",
		"HPTTL h FIELDS 1 a", "*1 :5000",
		"HGETEX h EXAT 1000077 FIELDS 1 a", "*1 $1 7",
		"HEXPIRETIME h FIELDS 1 a", "*1 :1000077",
		"HGETEX h FIELDS 1 a", "*1 $1 7",
		"HEXPIRETIME h FIELDS 1 a", "*1 :1000077",
		"HGETEX h PERSIST FIELDS 2 a c", "*2 $1 7 $1 4",
		"HTTL h FIELDS 1 a", "*1 :-1",
		"HGETEX h PXAT 1 FIELDS 2 a c", "*2 $1 7 $1 4",
		"HLEN h", ":1",
		"HSETEX h PXAT 1 FIELDS 2 b 1 d 1", ":1",
		"EXISTS h", ":0",
		"HSETEX new PXAT 1 FIELDS 1 b 1", ":1",
		"EXISTS new", ":0",
	)
}

// TestFieldsExpireOnAMaster lets fields expire and looks at every command that
// can meet one, in a small hash and in a large one.
func TestFieldsExpireOnAMaster(t *testing.T) {
	for _, entries := range []string{"512", "0"} {
		s, h := newTestServer(t, "hash-max-listpack-entries", entries)
		c := newTestClient(s)
		fill := func() {
			do(c, "DEL", "h")
			do(c, "HSET", "h", "a", "1", "b", "2", "c", "3")
			do(c, "HPEXPIRE", "h", "100", "FIELDS", "2", "a", "b")
			h.milli += 100
			if got := words(do(c, "HGET", "h", "a")); got != "$1 1" {
				t.Errorf("in its last millisecond: %s", got)
			}
			h.milli++
		}
		for _, step := range [][2]string{
			{"HGET h a", "$-1"},
			{"HMGET h a b c", "*3 $-1 $-1 $1 3"},
			{"HEXISTS h a", ":0"},
			{"HSTRLEN h a", ":0"},
			{"HGETALL h", "*2 $1 c $1 3"},
			{"HKEYS h", "*1 $1 c"},
			{"HVALS h", "*1 $1 3"},
			{"HSCAN h 0", "*2 $1 0 *2 $1 c $1 3"},
			{"HRANDFIELD h", "$1 c"},
			{"HRANDFIELD h 5", "*1 $1 c"},
			{"HRANDFIELD h -2", "*2 $1 c $1 c"},
			{"HTTL h FIELDS 2 a c", "*2 :-2 :-1"},
			{"HPERSIST h FIELDS 2 a c", "*2 :-2 :-1"},
			{"HEXPIRE h 10 FIELDS 1 a", "*1 :-2"},
			{"HGETDEL h FIELDS 1 a", "*1 $-1"},
			{"HGETEX h EX 10 FIELDS 1 a", "*1 $-1"},
			{"HSETEX h FXX FIELDS 1 a 1", ":0"},
			{"HSETEX h FNX FIELDS 1 a 1", ":1"},
			{"HSETNX h a 1", ":1"},
			{"HSET h a 1", ":1"},
			{"HINCRBY h a 5", ":5"},
			{"HINCRBYFLOAT h a 1.5", "$3 1.5"},
		} {
			fill()
			steps(t, c, step[0], step[1])
			// What was set anew has no expiry; what was not is absent.
			want := "*1 :-2"
			if strings.HasSuffix(step[0], " FNX FIELDS 1 a 1") || strings.HasPrefix(step[0], "HSETNX") || strings.HasPrefix(step[0], "HSET ") || strings.HasPrefix(step[0], "HINCR") {
				want = "*1 :-1"
			}
			steps(t, c, "HTTL h FIELDS 1 a", want)
		}
		// Lazily: an access deletes what has expired, the last takes the key along.
		fill()
		steps(t, c, "HLEN h", ":3", "HGET h a", "$-1", "HLEN h", ":1",
			"HPEXPIRE h 10 FIELDS 1 c", "*1 :1")
		h.milli += 11
		before := s.dirty
		steps(t, c, "EXISTS h", ":1", "HMGET h c c", "*2 $-1 $-1", "EXISTS h", ":0")
		if s.dirty != before {
			t.Error("an expiry counts as a change, and would put the command that met it into the stream of replicas")
		}
		if s.Stats.ExpiredFields == 0 {
			t.Error("no expired fields counted")
		}
		// A value keeps its expiry through HINCRBY, and loses it by HSET.
		steps(t, c, "HSET h n 1", ":1", "HEXPIRE h 100 FIELDS 1 n", "*1 :1", "HINCRBY h n 1", ":2", "HTTL h FIELDS 1 n", "*1 :100",
			"HINCRBYFLOAT h n 0.5", "$3 2.5", "HTTL h FIELDS 1 n", "*1 :100", "HSET h n 1", ":0", "HTTL h FIELDS 1 n", "*1 :-1")
	}
}

// TestFieldsOnAReplica: for readers an expired field is gone at once; the
// master's commands find it, and only its HDEL removes it.
func TestFieldsOnAReplica(t *testing.T) {
	for _, entries := range []string{"512", "0"} {
		s, h := newTestServer(t, "hash-max-listpack-entries", entries, "replica-active-expire", "no")
		s.SetFollowing(true)
		h.link = LinkInfo{Configured: true, Up: true}
		m := s.NewMasterClient(0)
		c := newTestClient(s)
		master := func(list ...string) string {
			args := make([][]byte, len(list))
			for i, w := range list {
				args[i] = []byte(w)
			}
			s.BeginStream()
			s.CallMaster(m, args)
			return words(string(m.out))
		}
		master("HSET", "h", "a", "1", "b", "2")
		master("HPEXPIREAT", "h", "1000000100", "FIELDS", "1", "a")
		h.milli += 5000
		for range 50 {
			s.Cron()
		}
		steps(t, c, "HGET h a", "$-1", "HGETALL h", "*2 $1 b $1 2", "HLEN h", ":2", "HRANDFIELD h 9", "*1 $1 b", "HRANDFIELD h", "$1 b",
			"HRANDFIELD h -2", "*2 $1 b $1 b", "HSCAN h 0", "*2 $1 0 *2 $1 b $1 2", "HTTL h FIELDS 1 a", "*1 :-2",
			"HSET h x 1", "-READONLY You can't write against a read only replica.")
		if got := master("HINCRBY", "h", "a", "1"); got != ":2" {
			t.Errorf("the master's HINCRBY: %s", got)
		}
		if got := master("HPEXPIREAT", "h", "5", "FIELDS", "1", "b"); got != "*1 :1" {
			t.Errorf("the master's expiry in the past: %s", got)
		}
		steps(t, c, "HGETALL h", "*0", "HLEN h", ":2", "EXISTS h", ":1", "HRANDFIELD h", "$-1", "HRANDFIELD h 3", "*0")
		if got := master("HDEL", "h", "a"); got != ":1" {
			t.Errorf("the master's HDEL: %s", got)
		}
		master("HDEL", "h", "b")
		steps(t, c, "EXISTS h", ":0")
		if s.Stats.ApplyErrors != 0 {
			t.Errorf("%d errors: %q", s.Stats.ApplyErrors, h.logs)
		}
	}
}

// TestActiveFieldExpiry: fields that nobody asks for go too, and the hash that
// has none left.
func TestActiveFieldExpiry(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	const small, large = 300, 2000
	for i := range small {
		k := fmt.Sprint("small:", i)
		do(c, "HSET", k, "a", "1", "b", "2")
		do(c, "HPEXPIRE", k, fmt.Sprint(1+i), "FIELDS", "1", "a")
		if i%3 == 0 {
			do(c, "HPEXPIRE", k, "400", "FIELDS", "1", "b")
		}
	}
	for i := range large {
		do(c, "HSET", "large", fmt.Sprint("f", i), "v")
		do(c, "HPEXPIRE", "large", fmt.Sprint(1+i%500), "FIELDS", "1", fmt.Sprint("f", i))
	}
	do(c, "HSET", "other", "a", "1")
	do(c, "HPEXPIRE", "other", "100000", "FIELDS", "1", "a")
	db := s.KS.DB(0)
	if n := db.FieldExpires(); n != small+2 {
		t.Fatalf("%d hashes with expiring fields", n)
	}
	// Renaming, copying, moving and converting keep the index right.
	do(c, "RENAME", "other", "other2")
	do(c, "COPY", "other2", "other3")
	do(c, "MOVE", "other3", "1")
	do(c, "EXPIRE", "other2", "1000")
	do(c, "HSET", "other2", "long", strings.Repeat("x", 100))
	if err := s.KS.Check(); err != nil {
		t.Fatal(err)
	}
	if s.KS.DB(1).FieldExpires() != 1 {
		t.Error("the copy in database 1 is not indexed")
	}
	h.milli += 250
	for range 200 {
		s.Cron()
	}
	if err := s.KS.Check(); err != nil {
		t.Fatal(err)
	}
	steps(t, c, "HLEN small:0", ":1", "HLEN small:200", ":1", "HLEN small:299", ":2", "HLEN large", ":1004")
	h.milli += 2000
	for range 200 {
		s.Cron()
	}
	steps(t, c, "EXISTS large", ":0", "EXISTS small:0", ":0", "EXISTS small:1", ":1", "HLEN small:1", ":1", "HLEN other2", ":2")
	if n := db.FieldExpires(); n != 1 {
		t.Errorf("%d hashes with expiring fields are left", n)
	}
	if want := int64(small + small/3 + large); s.Stats.ExpiredFields != want {
		t.Errorf("%d fields expired, want %d", s.Stats.ExpiredFields, want)
	}
	do(c, "FLUSHALL")
	for range 20 {
		s.Cron()
	}
	if db.FieldExpires() != 0 || s.KS.DB(1).FieldExpires() != 0 {
		t.Error("FLUSHALL left an index")
	}
}

// TestReplicaActiveFieldExpiry: with grace a replica reclaims what expired long
// ago, while it is in step with its master.
func TestReplicaActiveFieldExpiry(t *testing.T) {
	s, h := newTestServer(t, "replica-active-expire", "grace", "replica-expire-grace", "60")
	c := newTestClient(s)
	do(c, "HSET", "h", "a", "1", "b", "2")
	do(c, "HPEXPIRE", "h", "100", "FIELDS", "1", "a")
	s.SetFollowing(true)
	h.link = LinkInfo{Configured: true, Up: true, ReadOffset: s.Repl.Offset}
	s.LinkUp()
	for _, step := range []struct {
		ms   int64
		want string
	}{{50_000, ":2"}, {20_000, ":1"}} {
		h.milli += step.ms
		h.nanos += step.ms * 1e6
		s.StreamProgress(0, h.nanos, 0) // a PING
		for range 10 {
			s.Cron()
		}
		steps(t, c, "HLEN h", step.want)
	}
}

func TestHashDumpWithFieldExpiry(t *testing.T) {
	for _, entries := range []string{"512", "0"} {
		s, _ := newTestServer(t, "hash-max-listpack-entries", entries)
		c := newTestClient(s)
		steps(t, c, "HSET h a 1 b 2 c 3", ":3", "HPEXPIRE h 9000 FIELDS 1 b", "*1 :1", "HPEXPIRE h 5000 FIELDS 1 c", "*1 :1")
		dump := do(c, "DUMP", "h")
		_, payload, _ := strings.Cut(dump, "\r\n")
		payload = strings.TrimSuffix(payload, "\r\n")
		if got := words(do(c, "RESTORE", "copy", "0", payload)); got != "+OK" {
			t.Fatalf("RESTORE: %s", got)
		}
		steps(t, c, "HPTTL copy FIELDS 3 a b c", "*3 :-1 :9000 :5000", "HMGET copy a b c", "*3 $1 1 $1 2 $1 3")
		if s.KS.DB(0).FieldExpires() != 2 {
			t.Error("the restored hash is not indexed")
		}
		a, b := do(c, "DEBUG", "DIGEST-VALUE", "h"), do(c, "DEBUG", "DIGEST-VALUE", "copy")
		if a != b {
			t.Errorf("digests %s and %s", words(a), words(b))
		}
		// What is damaged must leave nothing behind.
		live := s.KS.UsedMemory()
		for i := range len(payload) {
			p := []byte(payload)
			p[i] ^= 0x55
			if got := do(c, "RESTORE", "bad", "0", string(p)); got == "+OK\r\n" {
				t.Errorf("byte %d changed: accepted", i)
			}
		}
		if now := s.KS.UsedMemory(); now != live {
			t.Errorf("%d bytes leaked", now-live)
		}
	}
}

func TestHashCommandsDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	for i := range 1000 {
		do(c, "HSET", "large", fmt.Sprint("field:", i), "value")
		if i < 50 {
			do(c, "HSET", "small", fmt.Sprint("field:", i), fmt.Sprint(i))
		}
	}
	do(c, "HSET", "ttl", "a", "1", "b", "2")
	do(c, "HEXPIRE", "ttl", "1000", "FIELDS", "1", "a")
	out := make([]byte, 0, 1<<16)
	for _, cmds := range [][]string{
		{"HSET small field:7 other", "HSET small field:7 7"},
		{"HSET large field:7 other", "HSET large field:7 value"},
		{"HSET small new 1", "HDEL small new"},
		{"HSET large new 1", "HDEL large new"},
		{"HSET fresh a 1 b 2 c 3", "DEL fresh"},
		{"HGET small field:40"}, {"HGET large field:40"}, {"HGET large nofield"},
		{"HMGET large field:1 field:2 x field:3"},
		{"HGETALL small"}, {"HGETALL large"}, {"HKEYS small"}, {"HVALS large"},
		{"HINCRBY small field:3 1"}, {"HINCRBYFLOAT small field:3 0.5"},
		{"HEXISTS small field:1"}, {"HLEN large"}, {"HSTRLEN large field:9"},
		{"HSCAN large 0 COUNT 100"}, {"HSCAN small 0"},
		{"HRANDFIELD small"}, {"HRANDFIELD large"}, {"HRANDFIELD large 20"}, {"HRANDFIELD large 900"}, {"HRANDFIELD small 10 WITHVALUES"},
		{"HGET ttl a"}, {"HSET ttl b 3"}, {"HINCRBY ttl a 1"}, {"HEXPIRE ttl 900 FIELDS 1 a"}, {"HTTL ttl FIELDS 2 a b"}, {"HGETALL ttl"},
	} {
		var in []byte
		for _, cmd := range cmds {
			list := strings.Fields(cmd)
			in = fmt.Appendf(in, "*%d\r\n", len(list))
			for _, w := range list {
				in = fmt.Appendf(in, "$%d\r\n%s\r\n", len(w), w)
			}
		}
		run := func() {
			h.milli++
			c.SetOutput(out)
			s.Process(c, in)
			c.SetOutput(nil)
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %.1f allocations a run", cmds[0], n)
		}
	}
}

// TestHashEvents lists the keyspace events of the commands on hashes, in order.
func TestHashEvents(t *testing.T) {
	s, h := newTestServer(t, "notify-keyspace-events", "Egh")
	c := newTestClient(s)
	sub := newTestClient(s)
	do(sub, "PSUBSCRIBE", "__keyevent@0__:*")
	conn := sub.conn.(*fakeConn)
	events := func() string {
		var list []string
		for _, part := range strings.Split(string(conn.pushed), "__keyevent@0__:") {
			if name, _, ok := strings.Cut(part, "\r\n"); ok && name != "*" && !strings.HasPrefix(name, "*") {
				list = append(list, name)
			}
		}
		conn.pushed = nil
		return strings.Join(list, " ")
	}
	for _, step := range [][2]string{
		{"HSET h a 1 b 2", "hset"},
		{"HMSET h c 3", "hset"},
		{"HSETNX h c 3", ""},
		{"HSETNX h d 3", "hset"},
		{"HINCRBY h c 3", "hincrby"},
		{"HINCRBYFLOAT h c 3", "hincrbyfloat"},
		{"HGET h c", ""},
		{"HDEL h d x", "hdel"},
		{"HDEL h x", ""},
		{"HEXPIRE h 10 FIELDS 2 a b", "hexpire"},
		{"HEXPIRE h 10 NX FIELDS 2 a b", ""},
		{"HPERSIST h FIELDS 2 a c", "hpersist"},
		{"HPERSIST h FIELDS 2 a c", ""},
		{"HPEXPIREAT h 1 FIELDS 1 a", "hdel"},
		{"HSETEX h FIELDS 1 e 1", "hset"},
		{"HSETEX h EX 10 FIELDS 1 e 1", "hset hexpire"},
		{"HSETEX h PXAT 1 FIELDS 1 e 1", "hset hdel"},
		{"HGETEX h FIELDS 1 c", ""},
		{"HGETEX h EX 10 FIELDS 1 c", "hexpire"},
		{"HGETEX h PERSIST FIELDS 1 c", "hpersist"},
		{"HGETDEL h FIELDS 2 c x", "hdel"},
		{"HGETDEL h FIELDS 1 b", "hdel del"},
		{"HSET h a 1", "hset"},
		{"HDEL h a", "hdel del"},
		{"HSETEX h PX 50 FIELDS 2 a 1 b 2", "hset hexpire"},
	} {
		do(c, strings.Fields(step[0])...)
		if got := events(); got != step[1] {
			t.Errorf("%s: %q, want %q", step[0], got, step[1])
		}
	}
	do(c, "HPEXPIRE", "h", "90", "FIELDS", "1", "b")
	events()
	h.milli += 60
	do(c, "HMGET", "h", "a", "b")
	if got := events(); got != "hexpired" {
		t.Errorf("an access to an expired field: %q", got)
	}
	h.milli += 60
	for range 10 {
		s.Cron()
	}
	if got := events(); got != "hexpired del" {
		t.Errorf("the active cycle: %q", got)
	}
}
