package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// This file measures the collection types: memory per element, CPU per operation, whole reads, and a stream of mixed writes.
//
// All rows but the last share one server a side. It holds, of each type, many collections of smallLen elements, fewer of fullLen (one listpack
// each, in both servers, and not far from the length at which it ends to be one) and a few of largeLen (hash table, skiplist, quicklist, radix
// tree), filled in the order of the types; the growth of the resident set around each filling is the memory of the row.

// A collection is one type as the benchmarks fill it. add appends the command that adds elements from..to to a key.
type collection struct {
	name   string
	prefix string // of the keys: hs:000000000012
	add    func(dst []byte, key string, from, to int) []byte
	ops    []typeOp
}

// A typeOp is a command that is repeated. KEY stands for a random key of the wanted size, OTHER for another one, ELEM and
// INDEX for the number of a random element, LENGTH for the length of the collections.
type typeOp struct {
	name string
	args string
}

const (
	smallLen = 16
	fullLen  = 100
)

// bulkLen are the lengths of the collections that are read whole.
var bulkLen = [...]int{100, 10_000}

// element is i as redis-benchmark writes it, with twelve digits.
func element(i int) string {
	var b [12]byte
	for at := len(b) - 1; at >= 0; at, i = at-1, i/10 {
		b[at] = '0' + byte(i%10)
	}
	return string(b[:])
}

var collections = []collection{
	{"hash", "h", func(dst []byte, key string, from, to int) []byte {
		args := []string{"HSET", key}
		for i := from; i < to; i++ {
			args = append(args, "field:"+element(i), "value-of-field:"+element(i))
		}
		return testutil.AppendCommand(dst, args...)
	}, []typeOp{{"hget", "HGET KEY field:ELEM"}, {"hset", "HSET KEY field:ELEM value-of-field:ELEM"}}},
	{"set", "s", func(dst []byte, key string, from, to int) []byte {
		args := []string{"SADD", key}
		for i := from; i < to; i++ {
			args = append(args, "member:"+element(i))
		}
		return testutil.AppendCommand(dst, args...)
	}, []typeOp{{"sismember", "SISMEMBER KEY member:ELEM"}, {"sadd", "SADD KEY member:ELEM"}, {"srem", "SREM KEY member:none:ELEM"}}},
	{"zset", "z", func(dst []byte, key string, from, to int) []byte {
		args := []string{"ZADD", key}
		for i := from; i < to; i++ {
			args = append(args, strconv.Itoa(i*7919%1000003), "member:"+element(i))
		}
		return testutil.AppendCommand(dst, args...)
	}, []typeOp{{"zscore", "ZSCORE KEY member:ELEM"}, {"zadd", "ZADD KEY ELEM member:ELEM"}, {"zrank", "ZRANK KEY member:ELEM"}}},
	{"list", "l", func(dst []byte, key string, from, to int) []byte {
		args := []string{"RPUSH", key}
		for i := from; i < to; i++ {
			args = append(args, "element:"+element(i))
		}
		return testutil.AppendCommand(dst, args...)
	}, []typeOp{{"lindex", "LINDEX KEY INDEX"}, {"lset", "LSET KEY INDEX element:ELEM"}, {"lmove", "LMOVE KEY KEY LEFT RIGHT"}}},
	{"stream", "x", func(dst []byte, key string, from, to int) []byte {
		for i := from; i < to; i++ {
			dst = testutil.AppendCommand(dst, "XADD", key, strconv.Itoa(i+1)+"-1", "sensor", element(i), "value", "21.5")
		}
		return dst
	}, []typeOp{{"xrange", "XRANGE KEY ELEM + COUNT 1"}, {"xadd", "XADD KEY MAXLEN = LENGTH * sensor ELEM value 21.5"}}},
}

// The sizes of a collection. sizeName names them, in keys and in rows.
const (
	small = iota
	full
	large
)

var sizeName = [...]string{"small", "full", "large"}

func (e *env) collectionLen(size int) int {
	return [...]int{smallLen, fullLen, e.sizes.largeLen}[size]
}

// collectionKeys is the number of collections of a type and size. There are fewer of those streams that are not large: each entry is a command.
func (e *env) collectionKeys(t *collection, size int) int {
	few := e.sizes.smallKeys
	if t.name == "stream" {
		few /= 4
	}
	return [...]int{few, max(few*smallLen/fullLen, 2), e.sizes.largeKeys}[size]
}

// typeMemory fills a server with every type and gives, by "type-size", the resident bytes an element. The last run's server stays for the rows
// of operations.
func typeMemory(e *env, which string) (sample, error) {
	if s := e.types[which]; s != nil {
		e.stop(s)
		delete(e.types, which)
	}
	s, got, err := filledTypes(e, which)
	if err != nil {
		return nil, err
	}
	e.keepTypes(which, s)
	return got, nil
}

func (e *env) keepTypes(which string, s *testutil.Server) {
	if e.types == nil {
		e.types = map[string]*testutil.Server{}
	}
	e.types[which] = s
}

// filledTypes starts a server that holds all collections.
func filledTypes(e *env, which string) (*testutil.Server, sample, error) {
	s, err := e.start(which)
	if err != nil {
		return nil, nil, err
	}
	got := sample{}
	err = func() error {
		nc, err := net.Dial("tcp", s.Addr())
		if err != nil {
			return err
		}
		defer nc.Close()
		c := &pipeliner{conn: nc, in: bufio.NewReaderSize(nc, 64<<10)}
		for _, t := range collections {
			for size := range sizeName {
				before, err := testutil.RSS(s.PID())
				if err != nil {
					return err
				}
				keys, n := e.collectionKeys(&t, size), e.collectionLen(size)
				if err := fillCollections(c, &t, size, keys, n); err != nil {
					return err
				}
				time.Sleep(e.sizes.settle) // background work: resizing tables, returning pages
				after, err := testutil.RSS(s.PID())
				if err != nil {
					return err
				}
				got[t.name+"-"+sizeName[size]] = float64(max(after-before, 1)) / float64(keys*n)
			}
			for _, n := range bulkLen {
				if err := fillCollections(c, t.named("b"+strconv.Itoa(n)), 0, 1, n); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	if err != nil {
		e.stop(s)
		return nil, nil, err
	}
	return s, got, nil
}

// named is the same type under keys of another prefix.
func (t collection) named(prefix string) *collection {
	t.prefix += prefix
	return &t
}

// bulkKey is the key that whole reads read.
func bulkKey(t *collection, n int) string { return sizeKey(t.named("b"+strconv.Itoa(n)), 0, 0) }

func sizeKey(t *collection, size, k int) string {
	return t.prefix + sizeName[size][:1] + ":" + element(k)
}

// fillCollections makes keys collections of n elements each, in pipelines.
func fillCollections(c *pipeliner, t *collection, size, keys, n int) error {
	const perBatch = 2000 // elements
	var wire []byte
	pending := 0
	flush := func() error {
		c.batches = [][]byte{wire}
		if err := c.run(1); err != nil {
			return fmt.Errorf("filling a %s: %w", t.name, err)
		}
		wire, c.depth, pending = wire[:0], 0, 0
		return nil
	}
	first := []byte(sizeKey(t, size, 0))
	for from := 0; from < n; from += perBatch {
		to := min(from+perBatch, n)
		// The keys differ, and are of one length: what is sent for the first of them is what is sent for all.
		template := t.add(nil, string(first), from, to)
		for k := range keys {
			at := len(wire)
			wire = append(wire, template...)
			if k > 0 {
				key := sizeKey(t, size, k)
				for i := bytes.Index(wire[at:], first); i >= 0; i = bytes.Index(wire[at:], first) {
					copy(wire[at+i:], key)
					at += i + len(key)
				}
			}
			c.depth += t.commands(to - from)
			if pending += to - from; pending >= perBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// commands is how many commands add writes for that many elements.
func (t *collection) commands(elements int) int {
	if t.name == "stream" {
		return elements
	}
	return 1
}

// typeServer is the server that the CPU rows share.
func typeServer(e *env, which string) (*testutil.Server, error) {
	if s := e.types[which]; s != nil {
		return s, nil
	}
	s, _, err := filledTypes(e, which)
	if err != nil {
		return nil, err
	}
	e.keepTypes(which, s)
	return s, nil
}

// typeOps gives the CPU of one operation, µs.
func typeOps(t *collection, op typeOp, size, pipeline int) func(*env, string) (float64, error) {
	return func(e *env, which string) (float64, error) {
		s, err := typeServer(e, which)
		if err != nil {
			return 0, err
		}
		words := strings.Fields(op.args)
		keys, n := e.collectionKeys(t, size), e.collectionLen(size)
		return cpuPerOp(s, e.sizes.typeOps, pipeline, func(dst []byte, r *rand.Rand) []byte {
			args := make([]string, 0, len(words))
			key := sizeKey(t, size, r.IntN(keys))
			for _, w := range words {
				w = strings.ReplaceAll(w, "KEY", key)
				if w == "OTHER" {
					w = sizeKey(t, size, r.IntN(keys))
				}
				if strings.Contains(w, "ELEM") {
					w = strings.ReplaceAll(w, "ELEM", element(r.IntN(n)))
				}
				switch w {
				case "INDEX":
					w = strconv.Itoa(r.IntN(n))
				case "LENGTH":
					w = strconv.Itoa(n)
				}
				args = append(args, w)
			}
			return testutil.AppendCommand(dst, args...)
		})
	}
}

// bulkRead gives the CPU of one read of a whole collection of n elements, µs.
func bulkRead(t *collection, n int, args ...string) func(*env, string) (float64, error) {
	return func(e *env, which string) (float64, error) {
		s, err := typeServer(e, which)
		if err != nil {
			return 0, err
		}
		args := append([]string{args[0], bulkKey(t, n)}, args[1:]...)
		return cpuPerOp(s, max(e.sizes.bulkElements/n, 16), 4, func(dst []byte, r *rand.Rand) []byte {
			return testutil.AppendCommand(dst, args...)
		})
	}
}

// pipelinePeak is by how many MB a server grows, at most, while its clients read lists with long pipelines: what replies wait in.
func pipelinePeak(e *env, which string) (float64, error) {
	s, err := e.start(which)
	if err != nil {
		return 0, err
	}
	defer e.stop(s)
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	lists := &collections[3]
	if err := fillCollections(&pipeliner{conn: nc, in: bufio.NewReader(nc)}, lists, full, 100, fullLen); err != nil {
		return 0, err
	}
	before, err := testutil.RSS(s.PID())
	if err != nil {
		return 0, err
	}
	if _, err := cpuPerOp(s, e.sizes.typeOps/10, 500, func(dst []byte, r *rand.Rand) []byte {
		return testutil.AppendCommand(dst, "LRANGE", sizeKey(lists, full, r.IntN(100)), "0", "-1")
	}); err != nil {
		return 0, err
	}
	peak, err := testutil.PeakRSS(s.PID())
	return float64(max(peak-before, 4096)) / mb, err
}

// cpuPerOp sends ops commands over loadConns connections, each with a pipeline, and gives the server's CPU a command in µs. The bytes to send are
// drawn before the clock starts.
func cpuPerOp(s *testutil.Server, ops, pipeline int, command func(dst []byte, r *rand.Rand) []byte) (float64, error) {
	const loadConns, prepared = 8, 256
	rounds := max(ops/(loadConns*pipeline), 1)
	conns := make([]*pipeliner, loadConns)
	for i := range conns {
		nc, err := net.Dial("tcp", s.Addr())
		if err != nil {
			return 0, err
		}
		defer nc.Close()
		r := rand.New(rand.NewPCG(uint64(i), 5))
		p := &pipeliner{conn: nc, in: bufio.NewReaderSize(nc, 64<<10), depth: pipeline}
		for range min(prepared, rounds) {
			var b []byte
			for range pipeline {
				b = command(b, r)
			}
			p.batches = append(p.batches, b)
		}
		conns[i] = p
	}
	before, err := testutil.CPUTime(s.PID())
	if err != nil {
		return 0, err
	}
	errs := make(chan error, loadConns)
	for _, p := range conns {
		go func() { errs <- p.run(rounds) }()
	}
	for range conns {
		if e := <-errs; err == nil {
			err = e
		}
	}
	if err != nil {
		return 0, err
	}
	after, err := testutil.CPUTime(s.PID())
	return micros(after-before) / float64(rounds*loadConns*pipeline), err
}

// A pipeliner sends batches of commands and waits for all replies of one before it sends the next.
type pipeliner struct {
	conn    net.Conn
	in      *bufio.Reader
	depth   int
	batches [][]byte
}

func (p *pipeliner) run(rounds int) error {
	for i := range rounds {
		if _, err := p.conn.Write(p.batches[i%len(p.batches)]); err != nil {
			return err
		}
		for range p.depth {
			if err := skipReply(p.in); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipReply reads one RESP2 reply and forgets it. An error reply is an error: a benchmark of refusals would be a fine one to win.
func skipReply(in *bufio.Reader) error {
	for left := 1; left > 0; left-- {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch line[0] {
		case '-':
			return errors.New(strings.TrimSpace(string(line)))
		case '$', '*':
			n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
			if err != nil {
				return err
			}
			if line[0] == '*' {
				left += max(n, 0)
			} else if n >= 0 {
				if _, err := in.Discard(n + 2); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// typeRows are the rows of this file.
func typeRows() (rows []*measure) {
	for i := range collections {
		t := &collections[i]
		for _, name := range sizeName {
			field := field("types", t.name+"-"+name, typeMemory)
			rows = append(rows, &measure{name: "mem-" + t.name + "-" + name, title: fmt.Sprintf("RSS an element, %s %s", name, t.name), unit: "B", bar: 0.90, aim: 0.75, sign: "<=", once: field})
		}
	}
	for i := range collections {
		t := &collections[i]
		for _, op := range t.ops {
			for size, name := range sizeName {
				rows = append(rows, &measure{name: "cpu-" + op.name + "-" + name, title: fmt.Sprintf("CPU per %s, %s %s, pipeline 16", strings.ToUpper(op.name), name, t.name),
					unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: typeOps(t, op, size, 16)})
			}
		}
	}
	for i, args := range [][]string{{"HGETALL"}, {"SMEMBERS"}, {"ZRANGE", "0", "-1"}, {"LRANGE", "0", "-1"}, {"XRANGE", "-", "+"}} {
		for _, n := range bulkLen {
			rows = append(rows, &measure{name: fmt.Sprintf("bulk-%s-%d", strings.ToLower(args[0]), n), title: fmt.Sprintf("CPU per %s of %d elements", strings.Join(args, " "), n),
				unit: "µs", bar: 1, aim: 0.7, sign: "<=", once: bulkRead(&collections[i], n, args...)})
		}
	}
	for _, extra := range []struct {
		name     string
		t        int
		args     string
		size     int
		pipeline int
	}{
		{"hget-small-p1", 0, "HGET KEY field:ELEM", small, 1},
		{"sinter-small", 1, "SINTER KEY OTHER", small, 16},
		{"sinter-full", 1, "SINTER KEY OTHER", full, 16},
		{"sunion-full", 1, "SUNION KEY OTHER", full, 16},
		{"zrangebyscore-full", 2, "ZRANGEBYSCORE KEY ELEM +inf LIMIT 0 10", full, 16},
		{"zrangebyscore-large", 2, "ZRANGEBYSCORE KEY ELEM +inf LIMIT 0 10", large, 16},
		{"zrange-withscores-p500", 2, "ZRANGE KEY 0 -1 WITHSCORES", small, 500},
		{"lrange-10-p500", 3, "LRANGE KEY 0 9", small, 500},
		{"lrange-100-p500", 3, "LRANGE KEY 0 -1", full, 500},
		{"lindex-p500", 3, "LINDEX KEY INDEX", large, 500},
		{"xadd-p1", 4, "XADD KEY MAXLEN ~ LENGTH * sensor ELEM value 21.5", large, 1},
	} {
		t := &collections[extra.t]
		depth := fmt.Sprintf("pipeline %d", extra.pipeline)
		if extra.pipeline == 1 {
			depth = "no pipeline"
		}
		title := fmt.Sprintf("CPU per %s, %s %s, %s", strings.NewReplacer(" KEY", "", " OTHER", "", " field:ELEM", "", " ELEM", "", " INDEX", "").Replace(extra.args),
			sizeName[extra.size], t.name, depth)
		rows = append(rows, &measure{name: "cpu-" + extra.name, title: title, unit: "µs", bar: 1, aim: 0.7, sign: "<=",
			once: typeOps(t, typeOp{args: extra.args}, extra.size, extra.pipeline)})
	}
	return append(rows,
		&measure{name: "peak-p500", title: "memory that LRANGE 0 -1, full list, pipeline 500 takes at most", unit: "MB", sign: "<=", once: pipelinePeak},
		&measure{name: "mixed", title: "mixed writes applied from the stream", unit: "k/s", bar: 2, aim: 3, sign: ">=", once: field("mixed", "rate", mixedApply)},
		&measure{name: "mixed-cpu", title: "CPU per write of that stream", unit: "µs", sign: "<=", once: field("mixed", "cpu", mixedApply)})
}

func init() { measures = append(measures, typeRows()...) }

// mixedApply is streamApply with eight commands in turn: SET INCR HSET ZADD SADD RPUSH PEXPIREAT DEL, on random keys.
func mixedApply(e *env, which string) (sample, error) {
	return apply(e, which, e.sizes.streamSets, func(yield func(args ...string)) {
		r := rand.New(rand.NewPCG(13, 14))
		key := func(prefix string, n int) string { return fmt.Sprintf("%s:%07d", prefix, r.IntN(n)) }
		keys := e.sizes.streamKeys
		far := strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMilli(), 10)
		for i := range e.sizes.streamSets {
			switch i % 8 {
			case 0:
				yield("SET", key("key", keys), "value:"+element(i))
			case 1:
				yield("INCR", key("counter", keys/8))
			case 2:
				yield("HSET", key("hash", keys/16), key("field", 20), element(i))
			case 3:
				yield("ZADD", key("zset", keys/64), strconv.Itoa(i), key("member", 300))
			case 4:
				yield("SADD", key("set", keys/64), key("member", 300))
			case 5:
				yield("RPUSH", key("list", keys/16), element(i))
			case 6:
				yield("PEXPIREAT", key("key", keys), far)
			case 7:
				yield("DEL", key("key", keys))
			}
		}
	})
}
