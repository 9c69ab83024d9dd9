package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/tests/testutil"
)

// sizes are how much of everything a run takes.
type sizes struct {
	keys       int // of the memory, full sync and turn measures
	streamKeys int
	streamSets int
	loadKeys   int
	pipelined  int // requests with a pipeline of 16
	single     int // requests without

	// Of the collection types: how many of smallLen elements, how many of largeLen, commands of a row, elements of a whole read's row.
	smallKeys, largeKeys, largeLen int
	typeOps, bulkElements          int
	settle                         time.Duration // between a filling and its measurement

	conns, latencyReads, messages int // of the rows with many connections

	// Of the latency rows: how long a state is watched, how many full resyncs, how many writes are followed.
	watch           time.Duration
	resyncs, probes int
}

var (
	fullSizes = sizes{keys: 5_000_000, streamKeys: 1_000_000, streamSets: 2_000_000, loadKeys: 1_000_000, pipelined: 4_000_000, single: 600_000,
		smallKeys: 100_000, largeKeys: 10, largeLen: 200_000, typeOps: 300_000, bulkElements: 5_000_000, settle: 700 * time.Millisecond, conns: 10_000, latencyReads: 30_000, messages: 1_000,
		watch: 5 * time.Second, resyncs: 8, probes: 2_000}
	quickSizes = sizes{keys: 100_000, streamKeys: 20_000, streamSets: 50_000, loadKeys: 20_000, pipelined: 60_000, single: 12_000,
		smallKeys: 2_000, largeKeys: 2, largeLen: 10_000, typeOps: 2_000, bulkElements: 60_000, conns: 500, latencyReads: 2_000, messages: 50,
		watch: 300 * time.Millisecond, resyncs: 2, probes: 100}
)

// An env is what measures share. Its servers end with close.
type env struct {
	oursPath, redisPath string
	runs                int
	sizes               sizes
	cache               string
	progress            io.Writer
	profiling           bool // servers end in order, to write their profiles

	mu      sync.Mutex
	servers []*testutil.Server
	shared  []*testutil.Server          // of the load measures, started once
	types   map[string]*testutil.Server // by side: of the measures of the types
	runOf   map[string][]sample         // by group and side: what the runs so far gave
	taken   map[string]int              // by row and side: how many of those the row has read
	ended   []func()
}

func (e *env) say(format string, args ...any) { fmt.Fprintf(e.progress, format+"\n", args...) }

// start runs a server that lives until stop or close.
func (e *env) start(which string, args ...string) (*testutil.Server, error) {
	path := e.oursPath
	if which == redisSide {
		path = e.redisPath
	}
	s, err := testutil.NewServer(which, path, args...)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.servers = append(e.servers, s)
	return s, nil
}

func (e *env) stop(s *testutil.Server) {
	e.end(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.servers = slices.DeleteFunc(e.servers, func(o *testutil.Server) bool { return o == s })
}

func (e *env) end(s *testutil.Server) {
	if e.profiling {
		if err := s.Stop(); err != nil {
			e.say("%v", err)
		}
	}
	s.Close()
}

func (e *env) atEnd(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = append(e.ended, fn)
}

func (e *env) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.servers {
		e.end(s)
	}
	for _, fn := range e.ended {
		fn()
	}
	e.servers, e.ended = nil, nil
}

// A sample is what one run gave, by field.
type sample map[string]float64

// field makes a row that reads one field of a group's runs. The rows of a group share their runs: the first to need a run makes it.
func field(group, name string, run func(e *env, which string) (sample, error)) func(*env, string) (float64, error) {
	return func(e *env, which string) (float64, error) {
		if e.runOf == nil {
			e.runOf, e.taken = map[string][]sample{}, map[string]int{}
		}
		runs, row := group+" "+which, group+" "+name+" "+which
		i := e.taken[row]
		if i == len(e.runOf[runs]) {
			s, err := run(e, which)
			if err != nil {
				return 0, err
			}
			e.runOf[runs] = append(e.runOf[runs], s)
		}
		e.taken[row]++
		v, ok := e.runOf[runs][i][name]
		if !ok {
			return 0, fmt.Errorf("the server does not tell its %s", name)
		}
		return v, nil
	}
}

const (
	oursSide  = "ours"
	redisSide = "redis"
)

// A measure is one row of the table. once measures one server a single time; it is called alternately for both.
type measure struct {
	name, title, unit string
	// bar and aim bound ours ÷ redis, or ours itself when absolute; sign is "<=" or ">=". Zero: no bound.
	bar, aim float64
	sign     string
	absolute bool // only our server is measured
	once     func(e *env, which string) (float64, error)
}

// A result is a measured row. Redis is nil for an absolute measure.
type result struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Unit     string    `json:"unit"`
	Ours     float64   `json:"ours"`
	Redis    *float64  `json:"redis,omitempty"`
	Ratio    float64   `json:"ratio,omitempty"`
	Bar      float64   `json:"bar,omitempty"`
	Aim      float64   `json:"aim,omitempty"`
	Sign     string    `json:"sign"`
	Absolute bool      `json:"absolute,omitempty"`
	Verdict  string    `json:"verdict"`
	Error    string    `json:"error,omitempty"`
	AllOurs  []float64 `json:"all_ours,omitempty"`
	AllRedis []float64 `json:"all_redis,omitempty"`
}

const (
	verdictPass  = "pass"
	verdictAim   = "pass, aim met"
	verdictFail  = "FAIL"
	verdictNone  = "-"
	verdictError = "error"
)

// measure runs a row e.runs times. bars says whether its bars count.
func (m *measure) measure(e *env, bars bool) result {
	r := result{Name: m.name, Title: m.title, Unit: m.unit, Sign: m.sign, Absolute: m.absolute}
	if bars || m.absolute {
		r.Bar, r.Aim = m.bar, m.aim
	}
	fail := func(which string, err error) result {
		r.Verdict, r.Error = verdictError, fmt.Sprintf("%s: %v", which, err)
		e.say("%s: %s", m.name, r.Error)
		return r
	}
	alone := m.absolute || e.profiling
	for i := range e.runs {
		if !alone {
			v, err := m.once(e, redisSide)
			if err != nil {
				return fail(redisSide, err)
			}
			r.AllRedis = append(r.AllRedis, v)
		}
		v, err := m.once(e, oursSide)
		if err != nil {
			return fail(oursSide, err)
		}
		r.AllOurs = append(r.AllOurs, v)
		if alone {
			e.say("%s %d/%d: ours %s", m.name, i+1, e.runs, format(v, m.unit))
		} else {
			e.say("%s %d/%d: ours %s, redis %s", m.name, i+1, e.runs, format(v, m.unit), format(r.AllRedis[i], m.unit))
		}
	}
	r.Ours = median(r.AllOurs)
	value := r.Ours
	if !alone {
		redis := median(r.AllRedis)
		r.Redis, r.Ratio = &redis, r.Ours/redis
		value = r.Ratio
	}
	if alone && !m.absolute {
		value = math.NaN()
	}
	r.Verdict = verdict(value, r.Bar, r.Aim, m.sign)
	return r
}

func verdict(value, bar, aim float64, sign string) string {
	meets := func(bound float64) bool {
		if sign == ">=" {
			return value >= bound
		}
		return value <= bound
	}
	switch {
	case bar == 0 || math.IsNaN(value):
		return verdictNone
	case aim != 0 && meets(aim):
		return verdictAim
	case meets(bar):
		return verdictPass
	}
	return verdictFail
}

func median(list []float64) float64 {
	s := slices.Clone(list)
	slices.Sort(s)
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

// measures is the table, in its order. Rows without a bar are there to explain those that have one.
var measures = []*measure{
	{name: "rss", title: "RSS after DEBUG POPULATE", unit: "MB", bar: 0.70, aim: 0.60, sign: "<=", once: field("populate", "rss", populate)},
	{name: "heap", title: "Go heap in use with that data", unit: "MB", bar: 32, aim: 8, sign: "<=", absolute: true, once: field("populate", "heap", populate)},
	{name: "sync", title: "full sync to the first ACK", unit: "s", bar: 0.40, aim: 0.20, sign: "<=", once: field("sync", "time", fullSync)},
	{name: "sync-cpu", title: "CPU of that sync", unit: "s", sign: "<=", once: field("sync", "cpu", fullSync)},
	{name: "stream", title: "SETs applied from the stream", unit: "k/s", bar: 2.5, aim: 4, sign: ">=", once: field("stream", "rate", streamApply)},
	{name: "stream-cpu", title: "CPU per SET of the stream", unit: "µs", sign: "<=", once: field("stream", "cpu", streamApply)},
	{name: "cpu-get-p16", title: "CPU per GET, pipeline 16", unit: "µs", bar: 0.75, aim: 0.60, sign: "<=", once: loadRow("get", 16, "cpu")},
	{name: "cpu-set-p16", title: "CPU per SET, pipeline 16", unit: "µs", bar: 0.75, aim: 0.60, sign: "<=", once: loadRow("set", 16, "cpu")},
	{name: "cpu-get-p1", title: "CPU per GET, no pipeline", unit: "µs", bar: 1.00, aim: 0.90, sign: "<=", once: loadRow("get", 1, "cpu")},
	{name: "cpu-set-p1", title: "CPU per SET, no pipeline", unit: "µs", bar: 1.00, aim: 0.90, sign: "<=", once: loadRow("set", 1, "cpu")},
	{name: "rps-get-p16", title: "GETs a second, pipeline 16", unit: "k/s", sign: ">=", once: loadRow("get", 16, "rps")},
	{name: "rps-set-p16", title: "SETs a second, pipeline 16", unit: "k/s", sign: ">=", once: loadRow("set", 16, "rps")},
	{name: "rps-get-p1", title: "GETs a second, no pipeline", unit: "k/s", sign: ">=", once: loadRow("get", 1, "rps")},
	{name: "rps-set-p1", title: "SETs a second, no pipeline", unit: "k/s", sign: ">=", once: loadRow("set", 1, "rps")},
	{name: "turn", title: "longest turn of the loop during a resync", unit: "ms", bar: 5, aim: 1, sign: "<=", absolute: true, once: field("resync", "turn", resync)},
	{name: "stall-max", title: "slowest read during that resync", unit: "ms", sign: "<=", absolute: true, once: field("resync", "slowest", resync)},
	{name: "stall-calm", title: "slowest read in two seconds before it", unit: "ms", sign: "<=", absolute: true, once: field("resync", "calm", resync)},
	{name: "stall-p999", title: "99.9 % of reads during that resync", unit: "ms", sign: "<=", absolute: true, once: field("resync", "p999", resync)},
	{name: "snapshot-turn", title: "longest turn of the loop during a BGSAVE, 50,000 writes/s", unit: "ms", bar: 5, aim: 1, sign: "<=", absolute: true, once: field("snapshot", "turn", background)},
	{name: "snapshot-memory", title: "peak memory of that by the memory before it", unit: "x", bar: 1.2, aim: 1.05, sign: "<=", absolute: true, once: field("snapshot", "memory", background)},
	{name: "snapshot-redis", title: "the same, with redis-server", unit: "x", sign: "<=", once: field("snapshot", "memory", background)},
	{name: "snapshot-time", title: "time of that BGSAVE", unit: "s", sign: "<=", once: field("snapshot", "time", background)},
	{name: "snapshot-p999", title: "99.9 % of batches of 50 writes during it", unit: "ms", sign: "<=", once: field("snapshot", "p999", background)},
	{name: "snapshot-max", title: "slowest batch", unit: "ms", sign: "<=", once: field("snapshot", "slowest", background)},
	{name: "restart", title: "start with a snapshot file to the first read", unit: "s", bar: 0.40, aim: 0.15, sign: "<=", once: field("restart", "time", restart)},
	{name: "restart-cpu", title: "CPU of that start", unit: "s", sign: "<=", once: field("restart", "cpu", restart)},
}
