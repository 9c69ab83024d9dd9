package rdb

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// live is a redis-server of its own on a unix socket, and a connection to it.
type live struct {
	t    testing.TB
	dir  string
	conn net.Conn
	r    *bufio.Reader
	bad  bool // the last reply was an error

	pending bytes.Buffer // queued commands
	queued  int
}

// startRedis runs a redis-server in dir until the test ends. It loads
// dir/dump.rdb if that exists.
func startRedis(t testing.TB, dir string, args ...string) *live {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test compares with redis-server 7.0, which is not installed: %v", err)
	}
	sock := filepath.Join(dir, "s")
	if len(sock) > 100 {
		t.Fatalf("the path of a unix socket would be too long: %s", sock)
	}
	var log bytes.Buffer
	cmd := exec.Command(bin, append([]string{"--port", "0", "--unixsocket", sock, "--save", "", "--dir", dir, "--enable-debug-command", "yes",
		"--daemonize", "no", "--databases", "16"}, args...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of redis-server:\n%s", log.String())
		}
	})
	l := &live{t: t, dir: dir}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if l.conn, err = net.Dial("unix", sock); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not come up: %v", err)
		}
	}
	t.Cleanup(func() { l.conn.Close() })
	l.r = bufio.NewReader(l.conn)
	for strings.HasPrefix(l.reply("PING"), "-LOADING") {
		time.Sleep(10 * time.Millisecond)
	}
	return l
}

// reply sends a command and returns the reply: text, or an error with its "-".
func (l *live) reply(args ...string) string {
	l.t.Helper()
	if _, err := l.conn.Write(request(args)); err != nil {
		l.t.Fatal(err)
	}
	l.bad = false
	return l.read()
}

func request(args []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// queue adds a command that must succeed to those that sync sends.
func (l *live) queue(args ...string) {
	l.t.Helper()
	l.pending.Write(request(args))
	if l.queued++; l.queued == 500 {
		l.sync()
	}
}

// sync sends the queued commands and reads their replies.
func (l *live) sync() {
	l.t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := l.conn.Write(l.pending.Bytes())
		sent <- err
	}()
	l.bad = false
	for range l.queued {
		if s := l.read(); l.bad {
			l.t.Fatalf("a queued command: %s", s)
		}
	}
	if err := <-sent; err != nil {
		l.t.Fatal(err)
	}
	l.pending.Reset()
	l.queued = 0
}

func (l *live) read() string {
	l.t.Helper()
	line, err := l.r.ReadString('\n')
	if err != nil {
		l.t.Fatalf("redis-server: %v", err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch line[0] {
	case '$':
		n, _ := strconv.Atoi(line[1:])
		if n < 0 {
			return "(nil)"
		}
		p := make([]byte, n+2)
		if _, err := io.ReadFull(l.r, p); err != nil {
			l.t.Fatal(err)
		}
		return string(p[:n])
	case '*':
		n, _ := strconv.Atoi(line[1:])
		var parts []string
		for range n {
			parts = append(parts, l.read())
		}
		return strings.Join(parts, " ")
	case '-':
		l.bad = true
		return line
	}
	return line[1:]
}

// do is reply for a command that must succeed.
func (l *live) do(args ...string) string {
	l.t.Helper()
	s := l.reply(args...)
	if l.bad {
		l.t.Fatalf("%.100q: %s", args, s)
	}
	return s
}

// fill writes keys of every type and encoding, different for each seed.
func (l *live) fill(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, seed))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghij\x00\xff 0123456789"[rnd.IntN(22)]
		}
		return string(b)
	}
	value := func() string {
		switch rnd.IntN(6) {
		case 0:
			return strconv.FormatInt(int64(rnd.Uint64())>>rnd.IntN(64), 10)
		case 1:
			return strconv.Itoa(rnd.IntN(300) - 100)
		case 2:
			return strings.Repeat(text(3), rnd.IntN(40))
		case 3:
			return text(rnd.IntN(200))
		}
		return text(rnd.IntN(12))
	}
	score := func() string {
		switch rnd.IntN(5) {
		case 0:
			return strconv.Itoa(rnd.IntN(200) - 100)
		case 1:
			return []string{"inf", "-inf", "1e300", "-0", "0.1"}[rnd.IntN(5)]
		}
		return strconv.FormatFloat((rnd.Float64()-0.5)*1000, 'g', -1, 64)
	}
	for i := range 160 {
		key := fmt.Sprintf("k:%d:%s", i, text(rnd.IntN(30)))
		if i%40 == 39 {
			l.queue("SELECT", strconv.Itoa(i/40))
		}
		n := 1 + rnd.IntN(30)
		if rnd.IntN(4) == 0 {
			n = 150 + rnd.IntN(500)
		}
		switch i % 7 {
		case 0, 1:
			l.queue("SET", key, value())
		case 2:
			for range n {
				l.queue("RPUSH", key, value())
			}
			if rnd.IntN(5) == 0 {
				l.queue("RPUSH", key, text(20000))
				l.queue("LPUSH", key, value())
			}
		case 3:
			ints := rnd.IntN(2) == 0
			for range n {
				if ints {
					l.queue("SADD", key, strconv.FormatInt(int64(rnd.Uint64())>>rnd.IntN(64), 10))
				} else {
					l.queue("SADD", key, value())
				}
			}
		case 4:
			for range n {
				l.queue("ZADD", key, score(), value())
			}
		case 5:
			for range n {
				l.queue("HSET", key, value(), value())
			}
		case 6:
			for j := range n {
				id := fmt.Sprintf("%d-%d", 1000+j/3, j%3+1)
				if j%5 == 0 {
					l.queue("XADD", key, id, "other", value(), text(3), value())
				} else {
					l.queue("XADD", key, id, "f", value(), "g", value())
				}
			}
			l.queue("XDEL", key, "1000-2", "1001-1")
			for g := range rnd.IntN(3) {
				group := fmt.Sprint("group", g)
				l.queue("XGROUP", "CREATE", key, group, "0")
				for c := range 1 + rnd.IntN(3) {
					l.queue("XREADGROUP", "GROUP", group, fmt.Sprint("consumer", c), "COUNT", strconv.Itoa(1+rnd.IntN(20)), "STREAMS", key, ">")
				}
				l.queue("XGROUP", "CREATECONSUMER", key, group, "idle")
			}
		}
		if rnd.IntN(3) == 0 {
			l.queue("PEXPIREAT", key, "4102444800000")
		}
	}
	l.queue("SELECT", "0")
	l.queue("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
	l.sync()
}

// details is what the digest does not cover: consumer groups and metadata of
// streams, and encodings.
func (l *live) details() string {
	var b strings.Builder
	for db := range 4 {
		l.do("SELECT", strconv.Itoa(db))
		keys := l.do("DEBUG", "DIGEST") // a cheap marker of the database in the text
		fmt.Fprintln(&b, db, l.do("DBSIZE"), keys)
		for _, key := range l.keys() {
			typ := l.do("TYPE", key)
			fmt.Fprintln(&b, strconv.Quote(key), typ, l.do("OBJECT", "ENCODING", key), l.do("PEXPIRETIME", key), l.do("DEBUG", "DIGEST-VALUE", key))
			if typ == "stream" {
				full := l.do("XINFO", "STREAM", key, "FULL", "COUNT", "0")
				// The shape of the radix tree depends on the order of insertion.
				if i, j := strings.Index(full, "radix-tree-nodes"), strings.Index(full, "last-generated-id"); i >= 0 && j > i {
					full = full[:i] + full[j:]
				}
				fmt.Fprintln(&b, full)
			}
		}
	}
	l.do("SELECT", "0")
	fmt.Fprintln(&b, l.do("FUNCTION", "LIST", "WITHCODE"))
	return b.String()
}

// keys returns the keys of the selected database in order.
func (l *live) keys() (keys []string) {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, "*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n"); err != nil {
		l.t.Fatal(err)
	}
	line, err := l.r.ReadString('\n')
	if err != nil || line[0] != '*' {
		l.t.Fatalf("KEYS: %q, %v", line, err)
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	for range n {
		keys = append(keys, l.read())
	}
	slices.Sort(keys)
	return keys
}

// shortDir is a directory whose path is short enough for a unix socket.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "rdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// What a real server saves is decoded to the same dataset, and what is encoded
// from it is loaded by a real server as the same dataset again.
func TestLiveRoundTrip(t *testing.T) {
	for seed, conf := range [][]string{
		{"--rdbcompression", "yes"},
		{"--rdbcompression", "no", "--rdbchecksum", "no", "--list-max-listpack-size", "4", "--hash-max-listpack-entries", "10", "--stream-node-max-entries", "7"},
		{"--maxmemory-policy", "allkeys-lfu", "--set-max-intset-entries", "5", "--zset-max-listpack-entries", "0"},
	} {
		src := startRedis(t, shortDir(t), conf...)
		src.fill(uint64(seed))
		src.do("SAVE")
		file, err := os.ReadFile(filepath.Join(src.dir, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		want := src.do("DEBUG", "DIGEST")
		s := newDigestSink()
		if err := NewDecoder(bytes.NewReader(file)).Decode(s); err != nil {
			t.Fatalf("%q: %v", conf, err)
		}
		if s.sum() != want {
			t.Errorf("%q: digest %s, the server says %s", conf, s.sum(), want)
		}

		dir := shortDir(t)
		f, err := os.Create(filepath.Join(dir, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		enc := NewEncoder(f, DumpVersion, seed != 1)
		if err := transcode(file, enc); err != nil {
			t.Fatalf("%q: %v", conf, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		dst := startRedis(t, dir, conf...)
		if got := dst.do("DEBUG", "DIGEST"); got != want {
			t.Errorf("%q: the server loaded digest %s, want %s", conf, got, want)
		}
		if a, b := src.details(), dst.details(); a != b {
			t.Errorf("%q: details differ:\n%s", conf, firstDifference(a, b))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%.2000s\n%.2000s", x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines and %d lines", len(x), len(y))
}

// transcode decodes file into enc.
func transcode(file []byte, enc *Encoder) error {
	if err := enc.Header(); err != nil {
		return err
	}
	if err := NewDecoder(bytes.NewReader(file)).Decode(enc); err != nil {
		return err
	}
	return enc.Close()
}

// The snapshots of Redis 7.0 survive decoding, encoding and loading.
func TestCorpusLoadsInRedisAfterEncoding(t *testing.T) {
	for _, f := range corpus(t) {
		if !strings.HasPrefix(f.name, "redis-7.0") {
			continue
		}
		dir := shortDir(t)
		var buf bytes.Buffer
		if err := transcode(f.rdb, NewEncoder(&buf, DumpVersion, true)); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), buf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := startRedis(t, dir).do("DEBUG", "DIGEST"); got != f.want.DebugDigest {
			t.Errorf("%s: digest %s, want %s", f.name, got, f.want.DebugDigest)
		}
	}
}

// A string's payload has the very bytes that DUMP gives.
func TestLiveDumpOfStrings(t *testing.T) {
	l := startRedis(t, shortDir(t))
	rnd := rand.New(rand.NewPCG(4, 2))
	c := new(Compressor)
	values := []string{"", "0", "-1", "127", "128", "-128", "-129", "32767", "32768", "2147483647", "2147483648", "-2147483648", "-2147483649", "01", "12345678901", "99999999999999999999",
		"aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaa", strings.Repeat("ab", 11), strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 20000)}
	for range 1500 {
		n := rnd.IntN(600)
		if rnd.IntN(20) == 0 {
			n = rnd.IntN(40000)
		}
		b := make([]byte, n)
		alphabet := 1 + rnd.IntN(20)
		for i := range b {
			if back := 1 + rnd.IntN(300); rnd.IntN(3) > 0 && i > back {
				b[i] = b[i-back]
			} else {
				b[i] = byte('a' + rnd.IntN(alphabet))
			}
		}
		values = append(values, string(b))
	}
	for _, v := range values {
		l.do("SET", "k", v)
		want := l.do("DUMP", "k")
		got := AppendDumpString([]byte("prefix"), []byte(v), c)[len("prefix"):]
		if string(got) != want {
			t.Fatalf("%.200q (%d bytes): payload of %d bytes, DUMP has %d\n% .80x\n% .80x", v, len(v), len(got), len(want), got, want)
		}
		plain := AppendDumpString(nil, []byte(v), nil)
		l.do("RESTORE", "k2", "0", string(plain), "REPLACE")
		if l.do("GET", "k2") != v {
			t.Fatalf("%.100q does not survive RESTORE", v)
		}
		var s valueSink
		if err := DecodePayload([]byte(want), 5, []byte("key"), &s); err != nil || s.v != v || s.db != 5 || s.key != "key" {
			t.Fatalf("DecodePayload(%.100q): %v", v, err)
		}
	}
}

type valueSink struct {
	NopSink
	v, key string
	db     int
}

func (s *valueSink) String(m *Meta, v []byte) error {
	s.v, s.key, s.db = string(v), string(m.Key), m.DB
	return nil
}

// DUMP, decode, encode, RESTORE: for every key of every type.
func TestLiveDumpOfEverything(t *testing.T) {
	l := startRedis(t, shortDir(t), "--sanitize-dump-payload", "yes")
	l.fill(9)
	e := NewEncoder(nil, DumpVersion, true)
	for {
		key := l.do("RANDOMKEY")
		if key == "(nil)" {
			break
		}
		l.do("PERSIST", key)
		want := l.do("DEBUG", "DIGEST-VALUE", key)
		payload := l.do("DUMP", key)
		s := newDigestSink()
		if err := DecodePayload([]byte(payload), 0, []byte(key), s); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if got := s.dbs[0][key].value; got != want {
			t.Errorf("%q: digest %s, want %s", key, got, want)
		}
		e.StartDump([]byte("prefix"))
		if err := DecodePayload([]byte(payload), 0, []byte(key), e); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		out, err := e.FinishDump()
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		l.do("RESTORE", "copy", "0", string(out[len("prefix"):]), "REPLACE")
		if got := l.do("DEBUG", "DIGEST-VALUE", "copy"); got != want {
			t.Errorf("%q: RESTOREd with digest %s, want %s", key, got, want)
		}
		l.do("DEL", key, "copy")
	}
}

// Payloads are accepted or refused as by RESTORE.
func TestLivePayloadAcceptance(t *testing.T) {
	l := startRedis(t, shortDir(t), "--sanitize-dump-payload", "yes")
	foot := func(s string, version uint16) string { return string(AppendFooter([]byte(s), 0, version)) }
	good := foot("\x00\x01v", 10)
	lp := func(e ...string) string {
		b := []byte("\x07\x00\x00\x00\x00\x00\xff")
		for _, x := range e {
			b = appendLP(b, x)
		}
		return string(AppendString(nil, b, nil))
	}
	for _, p := range []string{
		"", "x", good, good[:len(good)-1], good[1:], good + "x",
		foot("\x00\x01v", 9), foot("\x00\x01v", 6), foot("\x00\x01v", 0), foot("\x00\x01v", 79), foot("\x00\x01v", 300),
		foot("\x00\x01vtrailing bytes", 10), foot("\x00\x05v", 10), foot("", 10), foot("\x08\x01v", 10), foot("\x20\x01v", 10), foot("\xff", 10), foot("\xfe\x01", 10),
		foot("\x01\x00", 10), foot("\x02\x00", 10), foot("\x05\x00", 10), foot("\x04\x00", 10), foot("\x12\x00", 10), foot("\x0e\x00", 10), // empty collections
		foot("\x10"+lp(), 10), foot("\x11"+lp(), 10),
		foot("\x02\x02\x01a\x01a", 10), foot("\x04\x02\x01a\x01x\x01a\x01y", 10), // duplicates
		foot("\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f", 10), foot("\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf0\x7f", 10), // NaN, +inf
		foot("\x03\x01\x01a\xfd", 10), foot("\x03\x01\x01a\xfe", 10), foot("\x03\x01\x01a\x031.5", 10), foot("\x03\x01\x01a\x03zzz", 10),
		foot("\x10"+lp("a", "1", "b"), 10), foot("\x10"+lp("a", "1", "a", "2"), 10), foot("\x10"+lp("a", "1", "b", "2"), 10),
		foot("\x11"+lp("a", "1", "b"), 10), foot("\x11"+lp("5", "1", "5", "2"), 10), foot("\x11"+lp("b", "2", "a", "1"), 10),
		foot("\x12\x01\x02"+lp("a"), 10), foot("\x12\x01\x01\x03abc", 10), foot("\x12\x01\x03\x03abc", 10), foot("\x12\x01\x01\x00", 10), foot("\x12\x02\x02"+lp()+"\x02"+lp("a"), 10), foot("\x12\x01\x02"+lp(), 10),
		foot("\x0b\x0a\x02\x00\x00\x00\x01\x00\x00\x00\x05\x00", 10), foot("\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x05\x00\x05\x00", 10), foot("\x0b\x08\x02\x00\x00\x00\x00\x00\x00\x00", 10),
		foot("\x00\xc3\x05\x0a\x00a\xe0\x00\x00", 10), foot("\x00\xc3\x05\x0b\x00a\xe0\x00\x00", 10), foot("\x00\xc3\x04\x0a\x00a\xe0\x00", 10),
		foot("\x00\xc4\x05", 10), foot("\x06\x01", 10), foot("\x07\x01\x00", 10),
	} {
		theirs := l.reply("RESTORE", "k", "0", p, "REPLACE")
		err := DecodePayload([]byte(p), 0, []byte("k"), &strictSink{})
		ours := "OK"
		switch {
		case err == ErrPayload:
			ours = "-ERR DUMP payload version or checksum are wrong"
		case err != nil:
			ours = "-ERR Bad data format"
		}
		if ours != theirs {
			t.Errorf("%q: %s (%v), redis-server says %s", p, ours, err, theirs)
		}
	}
}

func appendLP(lp []byte, s string) []byte {
	e := newLP(s)
	lp = append(lp[:len(lp)-1], e[6:]...)
	lp[0], lp[1] = byte(len(lp)), byte(len(lp)>>8)
	lp[4]++
	return lp
}

// strictSink reports duplicates, as a sink that keeps elements does.
type strictSink struct {
	NopSink
	seen map[string]bool
}

func (s *strictSink) Begin(*Meta, uint64) error { s.seen = map[string]bool{}; return nil }
func (s *strictSink) add(v []byte) error {
	if s.seen[string(v)] {
		return ErrDuplicate
	}
	s.seen[string(v)] = true
	return nil
}
func (s *strictSink) SetMember(v []byte) error              { return s.add(v) }
func (s *strictSink) ZSetMember(v []byte, _ float64) error  { return s.add(v) }
func (s *strictSink) HashField(f, _ []byte, _ int64) error  { return s.add(f) }
func (s *strictSink) Module(m *Meta, n string, v int) error { return fmt.Errorf("module %s", n) }
