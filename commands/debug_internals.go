package commands

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/glob"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// The DEBUG subcommands that look into structures or change how the server treats them.

// debugState is what DEBUG has switched.
type debugState struct {
	cronPaused bool
	// allowDenied lets scripts call what is marked noscript.
	allowDenied bool
	keepTables  bool
}

func debugInternals(c *Client) {
	s := c.srv
	n := len(c.args)
	switch sub := c.args[1]; {
	case n == 3 && equalFold(sub, "listpack"):
		debugListpack(c)
	case (n == 3 || n == 4) && equalFold(sub, "quicklist"):
		debugQuicklist(c)
	case (n == 3 || n == 4) && equalFold(sub, "htstats-key"):
		debugHTStatsKey(c)
	case n == 3 && equalFold(sub, "sdslen"):
		debugStringSizes(c)
	case n == 2 && equalFold(sub, "jmap"):
		s.Host.Logf(LogNotice, "DEBUG JMAP: %s", s.memoryMap())
		c.addReplyOK()
	case (n == 3 || n == 4) && equalFold(sub, "mallctl"):
		debugMallctl(c)
	case (n == 3 || n == 4) && equalFold(sub, "mallctl-str"):
		debugMallctlString(c)
	case n == 3 && equalFold(sub, "dict-resizing"):
		s.debug.keepTables = !c.boolArg(2)
		s.KS.KeepTableSizes(s.debug.keepTables)
		c.addReplyOK()
	case n == 3 && equalFold(sub, "pause-cron"):
		s.debug.cronPaused = c.boolArg(2)
		c.addReplyOK()
	case n == 3 && equalFold(sub, "set-disable-deny-scripts"):
		s.debug.allowDenied = c.boolArg(2)
		c.addReplyOK()
	case n == 4 && equalFold(sub, "replybuffer"):
		debugReplyBuffer(c)
	case n == 2 && equalFold(sub, "client-eviction"):
		debugClientEviction(c)
	case n == 4 && equalFold(sub, "stringmatch-len"):
		c.addReplyBool01(glob.Match(c.args[2], c.args[3]))
	case n == 2 && equalFold(sub, "stringmatch-test"):
		debugMatchTest(s.rand)
		c.addReplyStatus("Apparently Redis did not crash: test passed")
	case n == 3 && equalFold(sub, "leak"):
		a := s.KS.Arena()
		copy(a.Bytes(a.Alloc(len(c.args[2])), len(c.args[2])), c.args[2])
		c.addReplyOK()
	case n == 2 && equalFold(sub, "oom"):
		panic(&dict.OutOfMemoryError{Committed: s.KS.Memory().Committed})
	case n == 2 && (equalFold(sub, "panic") || equalFold(sub, "assert") || equalFold(sub, "segfault")):
		s.Host.Logf(LogWarning, "DEBUG %s called by %s", upper(sub), s.describeClient(c))
		panic("DEBUG " + upper(sub) + " called")
	case n == 2 && equalFold(sub, "config-rewrite-force-all"):
		debugRewriteAll(c)
	case n == 3 && equalFold(sub, "drop-cluster-packet-filter"):
		if _, ok := c.longArg(2, ""); ok {
			c.addReplyOK()
		}
	case n == 5 && equalFold(sub, "clusterlink"):
		c.addReplyError("Debug option only available for cluster mode enabled setup!")
	default:
		c.addReplySubcommandSyntaxError()
	}
}

// boolArg reads an argument as C's atoi does: what does not begin with a number is 0.
func (c *Client) boolArg(i int) bool {
	a := bytes.TrimLeft(c.args[i], " \t+-0")
	return len(a) > 0 && a[0] >= '1' && a[0] <= '9'
}

func (c *Client) addReplyBool01(b bool) { c.addReplyLongLong(int64(b2i(b))) }

func (c *Client) debugLookup() (object.Value, bool) {
	e, ok := c.db.LookupRaw(c.args[2])
	if !ok {
		c.addReplyError(errNoKey)
		return object.Value{}, false
	}
	return e.Value(), true
}

func debugListpack(c *Client) {
	v, ok := c.debugLookup()
	if !ok {
		return
	}
	text, ok := v.ListpackReport()
	if !ok {
		c.addReplyError("Not a listpack encoded object.")
		return
	}
	c.logLines("DEBUG LISTPACK: ", text)
	c.addReplyStatus("Listpack structure printed on stdout")
}

func debugQuicklist(c *Client) {
	v, ok := c.debugLookup()
	if !ok {
		return
	}
	text, ok := v.ListReport(&c.srv.lists, len(c.args) == 4 && c.boolArg(3))
	if !ok {
		c.addReplyError("Not a quicklist encoded object.")
		return
	}
	c.logLines("DEBUG QUICKLIST: ", text)
	c.addReplyStatus("Quicklist structure printed on stdout")
}

// logLines writes a report to the log, a line each.
func (c *Client) logLines(prefix, text string) {
	for l := range strings.SplitSeq(text, "\n") {
		c.srv.Host.Logf(LogNotice, "%s%s", prefix, l)
	}
}

func debugHTStatsKey(c *Client) {
	full := len(c.args) == 4
	if full && !equalFold(c.args[3], "full") {
		c.addReplyErrorSyntax()
		return
	}
	v, ok := c.debugLookup()
	if !ok {
		return
	}
	t := v.InnerTable()
	if t == nil {
		c.addReplyError("The value stored at the specified key is not represented using an hash table")
		return
	}
	c.addReplyVerbatim("txt", t.Report(v.A, full))
}

// debugStringSizes is DEBUG SDSLEN: key and value stand in one block here, whose size is told with both.
func debugStringSizes(c *Client) {
	v, ok := c.debugLookup()
	if !ok {
		return
	}
	rec := v.Record()
	if rec.Type() != object.TypeString || rec.Encoding() == object.EncInt {
		c.addReplyError("Not an sds encoded string.")
		return
	}
	block := v.A.Usable(v.Ref)
	c.addReplyStatus(fmt.Sprintf("key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:%d, val_zmalloc: %d",
		len(rec.Key()), block, len(rec.Payload()), max(block-rec.Size(), 0), block))
}

// memoryMap is where the memory is, in one line.
func (s *Server) memoryMap() string {
	m, p := s.KS.Memory(), s.Host.Process()
	return fmt.Sprintf("arena live %d, slabs %d, committed %d (tables %d, expiry indexes %d, records %d); Go heap in use %d, Go total %d; resident %d",
		m.Live, m.Slabs+m.Runs, m.Committed, m.Tables, m.Expires, m.Records, p.GoHeapInUse, p.GoHeapSys, p.RSS)
}

// mallctlFigures are the names of DEBUG MALLCTL that are read: those of jemalloc that have a meaning here.
func (s *Server) mallctlFigures() map[string]int64 {
	m, p := s.KS.Memory(), s.Host.Process()
	return map[string]int64{
		"stats.allocated": m.Live + p.GoHeapInUse,
		"stats.active":    m.Slabs + m.Runs + p.GoHeapInUse,
		"stats.mapped":    m.Committed + p.GoHeapSys,
		"stats.resident":  p.RSS,
		"stats.metadata":  m.Tables + m.Expires,
		"arenas.narenas":  1,
	}
}

func debugMallctl(c *Client) {
	if string(c.args[2]) == "arena.purge" {
		c.srv.KS.Purge()
		c.addReplyLongLong(0)
		return
	}
	v, ok := c.srv.mallctlFigures()[c.arg(2)]
	switch {
	case !ok:
		c.addReplyError("No such file or directory")
	case len(c.args) == 4:
		c.addReplyError("Operation not permitted")
	default:
		c.addReplyLongLong(v)
	}
}

func debugMallctlString(c *Client) {
	switch {
	case string(c.args[2]) != "version":
		c.addReplyError("No such file or directory")
	case len(c.args) == 4:
		c.addReplyError("Operation not permitted")
	default:
		c.addReplyBulkString("arena " + c.srv.Host.Process().Version)
	}
}

// defaultPeakReset is how often the loop forgets how large its output buffer has been, nanoseconds.
const defaultPeakReset = 5e9

// debugReplyBuffer controls the one buffer that replies are written to: it belongs to the loop, which lends it to the
// client being served.
func debugReplyBuffer(c *Client) {
	switch arg := c.args[3]; {
	case equalFold(c.args[2], "peak-reset-time"):
		switch {
		case equalFold(arg, "never"):
			c.srv.Host.TrimOutput(-1)
		case equalFold(arg, "reset"):
			c.srv.Host.TrimOutput(defaultPeakReset)
		default:
			ms, ok := c.longArg(3, "")
			if !ok {
				return
			}
			c.srv.Host.TrimOutput(max(ms, 0) * 1e6)
		}
	case equalFold(c.args[2], "resizing"):
		if c.boolArg(3) {
			c.srv.Host.TrimOutput(defaultPeakReset)
		} else {
			c.srv.Host.TrimOutput(-1)
		}
	default:
		c.addReplySubcommandSyntaxError()
		return
	}
	c.addReplyOK()
}

// debugMatchTest throws random patterns and texts at the matcher of KEYS.
func debugMatchTest(rnd func() uint64) {
	const alphabet = `abc[]*?\-^`
	text := func() []byte {
		b := make([]byte, rnd()%32)
		for i := range b {
			if rnd()%4 == 0 {
				b[i] = byte(rnd())
			} else {
				b[i] = alphabet[rnd()%uint64(len(alphabet))]
			}
		}
		return b
	}
	for range 10_000 {
		glob.Match(text(), text())
	}
}

func debugRewriteAll(c *Client) {
	if err := c.srv.Conf.RewriteAll(c.srv.Conf.ConfigFile); err != nil {
		c.addReplyError("CONFIG-REWRITE-FORCE-ALL failed: " + err.Error())
		return
	}
	c.addReplyOK()
}

// debugHelps are the subcommands of DEBUG with a line on each.
var debugHelps = map[string]string{
	"ASSERT":                               "Crash with a failed assertion.",
	"CHANGE-REPL-ID":                       "Start a new replication history.",
	"CHECK":                                "Verify every structure of the keyspace.",
	"CLIENT-EVICTION":                      "Answer how many clients use how much memory (with maxmemory-clients).",
	"COMPACT":                              "Move all memory that can be moved.",
	"CONFIG-REWRITE-FORCE-ALL":             "Rewrite the configuration file with every directive in it.",
	"DICT-RESIZING <0|1>":                  "With 0 hash tables keep their sizes until they are far too full.",
	"DIGEST":                               "Answer the fingerprint of the dataset.",
	"DIGEST-VALUE <key> [<key> ...]":       "Answer the fingerprints of values.",
	"ERROR <text>":                         "Answer that error.",
	"HTSTATS <db> [FULL]":                  "Answer the statistics of a database's hash tables.",
	"HTSTATS-KEY <key> [FULL]":             "Answer those of the hash table that the value of a key is.",
	"JMAP":                                 "Write to the log where the memory is.",
	"LEAK <text>":                          "Take memory for the text and never free it.",
	"LISTPACK <key>":                       "Write the entries of a listpack to the log.",
	"LOG <text>":                           "Write to the log.",
	"MALLCTL <name> [<value>]":             "Answer a figure of the allocator: stats.allocated, stats.active, stats.mapped, stats.resident, stats.metadata; arena.purge returns memory.",
	"MALLCTL-STR version":                  "Answer the allocator's version.",
	"OBJECT <key>":                         "Answer internals of a value.",
	"OOM":                                  "Run out of memory: the command fails, the server lives.",
	"PANIC":                                "Crash.",
	"PAUSE-CRON <0|1>":                     "Stop or start the periodic work.",
	"POPULATE <count> [<prefix>] [<size>]": "Make keys to test with.",
	"PROTOCOL <type>":                      "Answer a value of that protocol type.",
	"QUICKLIST <key> [<0|1>]":              "Write the nodes of a list to the log, with 1 also their entries.",
	"QUICKLIST-PACKED-THRESHOLD <size>":    "Set the size from which an element of a list has a node of its own; 0 for the default.",
	"RELOAD [MERGE] [NOFLUSH] [NOSAVE]":    "Save the dataset and load it back: over the present data, beside it, from the file as it is.",
	"REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>": "Set after how long the output buffer is trimmed to what was needed.",
	"REPLYBUFFER RESIZING <0|1>":                             "Stop or start that trimming.",
	"SDSLEN <key>":                                           "Answer the sizes of a string's record.",
	"SEGFAULT":                                               "Crash.",
	"SET-ACTIVE-EXPIRE <0|1>":                                "Stop or start the active expiry cycle.",
	"SET-DISABLE-DENY-SCRIPTS <0|1>":                         "With 1 scripts may call what is forbidden to them.",
	"SLEEP <seconds>":                                        "Stop the server for that time.",
	"STRINGMATCH-LEN <pattern> <text>":                       "Answer 1 if the pattern matches.",
	"STRINGMATCH-TEST":                                       "Throw random patterns at the matcher.",
	"STRUCTSIZE":                                             "Answer the sizes of internal structures, bytes.",
}

func debugHelp(c *Client) {
	names := make([]string, 0, len(debugHelps))
	for n := range debugHelps {
		names = append(names, n)
	}
	sort.Strings(names)
	lines := make([]string, 0, 2*len(names))
	for _, n := range names {
		lines = append(lines, n, "    "+debugHelps[n])
	}
	c.addReplyHelp(lines)
}

// memoryBuckets are the rows of DEBUG CLIENT-EVICTION: clients by the power of two below their memory, from 32 KB on.
const (
	firstMemoryBucket = 15
	memoryBuckets     = 19
)

func debugClientEviction(c *Client) {
	s := c.srv
	if s.clientsLimit() == 0 {
		c.addReplyError("maxmemory-clients is disabled.")
		return
	}
	var count, sum [memoryBuckets]int64
	for t := s.clients.head; t != nil; t = t.next {
		if !t.counts() || t.flags&flagNoEvict != 0 {
			continue
		}
		m := t.memory()
		i := memoryBucket(m)
		count[i]++
		sum[i] += m
	}
	text := numeric.AppendInt(nil, 0)[:0]
	for i := range memoryBuckets {
		low, high := int64(0), int64(1)<<(firstMemoryBucket+i)-1
		if i > 0 {
			low = 1 << (firstMemoryBucket + i - 1)
		}
		if i == memoryBuckets-1 {
			text = fmt.Appendf(text, "bucket %10d+            : ", low)
		} else {
			text = fmt.Appendf(text, "bucket %10d - %10d: ", low, high)
		}
		text = fmt.Appendf(text, "tot-mem: %10d, clients: %d\n", sum[i], count[i])
	}
	c.addReplyVerbatim("txt", string(text))
}
