package replproto

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "record testdata/*.txt anew")

// A transcript is a sequence of blocks: command lines, a line of dashes, what the machine
// did, an empty line. Commands:
//
//	new [user=] [pass=] [port=] [ip=] [capa=a,b] [replid=] [offset=] [failover] [handshake=] [transfer=] [stream=]
//	start
//	recv "bytes"…          bytes from the master
//	at 1500ms              move the clock
//	tick                   ask for a timeout
//	wait                   the owner starts to wait only now
//	close "reason"         the connection ends
type transcript struct {
	m    *Replica
	now  int64
	sent string // told before the events: the order between the two depends on the splits
	out  []string
}

func (x *transcript) emit(kind, text string) {
	// Pieces of one thing are one thing: how the input was split must not show.
	if n := len(x.out); n > 0 && (kind == "data" || kind == "stream") {
		if old, ok := strings.CutPrefix(x.out[n-1], kind+" "); ok {
			was, _ := strconv.Unquote(old)
			add, _ := strconv.Unquote(text)
			x.out[n-1] = kind + " " + strconv.Quote(was+add)
			return
		}
	}
	x.out = append(x.out, strings.TrimSpace(kind+" "+text))
}

func (x *transcript) flush() {
	x.sent += string(x.m.Output())
}

func (x *transcript) fault(err error) { x.emit("error", err.Error()) }

func (x *transcript) recv(p []byte) {
	for {
		n, ev, err := x.m.Step(x.now, p)
		p = p[n:]
		if err != nil {
			x.flush()
			x.fault(err)
			return
		}
		switch ev.Kind {
		case EventNone:
			x.flush()
			if len(p) == 0 {
				return
			}
			continue
		case EventNote:
			x.emit("note", ev.Text)
		case EventKeepalive:
			x.emit("keepalive", "")
		case EventFullSync:
			x.emit("fullsync", strings.TrimSpace(fmt.Sprintf("id=%s offset=%d %s", ev.ReplID, ev.Offset, ev.Text)))
		case EventPayload:
			x.emit("payload", fmt.Sprintf("size=%d", ev.Size))
		case EventData:
			x.emit("data", strconv.Quote(string(ev.Data)))
		case EventPayloadEnd:
			x.emit("payload-end", "")
		case EventContinue:
			x.emit("continue", strings.TrimSpace(fmt.Sprintf("offset=%d %s", ev.Offset, ev.ReplID)))
		case EventStream:
			x.emit("stream", strconv.Quote(string(ev.Data)))
		}
		x.flush()
	}
}

// do runs one command line. cuts says where recv splits its input.
func (x *transcript) do(t *testing.T, line string, cuts func(n int) []int) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "new":
		var cfg Config
		for _, f := range strings.Fields(rest) {
			k, v, _ := strings.Cut(f, "=")
			d, _ := time.ParseDuration(v)
			n, _ := strconv.ParseInt(v, 10, 64)
			switch k {
			case "user":
				cfg.User = v
			case "pass":
				cfg.Pass = v
			case "port":
				cfg.ListeningPort = int(n)
			case "ip":
				cfg.AnnounceIP = v
			case "capa":
				cfg.Capa = strings.Split(v, ",")
			case "nocapa":
				cfg.Capa = []string{}
			case "replid":
				cfg.ReplID = v
			case "offset":
				cfg.Offset = n
			case "failover":
				cfg.Failover = true
			case "handshake":
				cfg.HandshakeTimeout = int64(d)
			case "transfer":
				cfg.TransferTimeout = int64(d)
			case "stream":
				cfg.StreamTimeout = int64(d)
			default:
				t.Fatalf("unknown setting %q", f)
			}
		}
		x.m, x.now = NewReplica(cfg), 0
		return
	case "start":
		x.m.Start(x.now)
		x.flush()
	case "recv":
		var p []byte
		for rest != "" {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			s, _ := strconv.Unquote(q)
			p = append(p, s...)
			rest = strings.TrimSpace(rest[len(q):])
		}
		from := 0
		for _, to := range append(cuts(len(p)), len(p)) {
			x.recv(bytes.Clone(p[from:to]))
			if x.m.Phase() == PhaseFailed {
				break
			}
			from = to
		}
	case "at":
		d, err := time.ParseDuration(rest)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		x.now = int64(d)
		return
	case "tick":
		if err := x.m.Tick(x.now); err != nil {
			x.fault(err)
		}
	case "wait":
		x.m.Wait(x.now)
	case "close":
		reason, _ := strconv.Unquote(rest)
		x.fault(x.m.Closed(fmt.Errorf("%s", reason)))
	default:
		t.Fatalf("unknown command %q", line)
	}
}

type block struct{ comment, cmds, want []string }

func readTranscript(t *testing.T, path string) []block {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	var b block
	in := 0
	flush := func() {
		if len(b.cmds) > 0 || len(b.comment) > 0 {
			blocks = append(blocks, b)
		}
		b, in = block{}, 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "":
			flush()
		case line == "----":
			in = 1
		case in == 0 && strings.HasPrefix(line, "#"):
			b.comment = append(b.comment, line)
		case in == 0:
			b.cmds = append(b.cmds, line)
		default:
			b.want = append(b.want, line)
		}
	}
	flush()
	return blocks
}

func play(t *testing.T, blocks []block, cuts func(n int) []int) [][]string {
	x := &transcript{}
	var all [][]string
	for _, b := range blocks {
		x.out, x.sent = nil, ""
		for _, line := range b.cmds {
			x.do(t, line, cuts)
		}
		if x.m != nil {
			x.out = append(x.out, "phase "+x.m.Phase().String())
		}
		if x.sent != "" {
			x.out = append([]string{"send " + strconv.Quote(x.sent)}, x.out...)
		}
		all = append(all, x.out)
	}
	return all
}

func whole(int) []int { return nil }

func TestTranscripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) < 5 {
		t.Fatalf("only %d transcripts", len(files))
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			blocks := readTranscript(t, path)
			got := play(t, blocks, whole)
			if *rewrite {
				var b strings.Builder
				for i, k := range blocks {
					for _, l := range k.comment {
						b.WriteString(l + "\n")
					}
					if len(k.cmds) > 0 {
						b.WriteString(strings.Join(k.cmds, "\n") + "\n----\n" + strings.Join(got[i], "\n") + "\n")
					}
					b.WriteString("\n")
				}
				if err := os.WriteFile(path, []byte(strings.TrimRight(b.String(), "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for i, k := range blocks {
				if len(k.cmds) > 0 && strings.Join(got[i], "\n") != strings.Join(k.want, "\n") {
					t.Errorf("%s\ngot:\n  %s\nwant:\n  %s", strings.Join(k.cmds, "\n"),
						strings.Join(got[i], "\n  "), strings.Join(k.want, "\n  "))
				}
			}
			// The same again for every split point of every input, and byte by byte.
			longest := 0
			play(t, blocks, func(n int) []int { longest = max(longest, n); return nil })
			compare := func(name string, cuts func(n int) []int) {
				for i, out := range play(t, blocks, cuts) {
					if strings.Join(out, "\n") != strings.Join(got[i], "\n") {
						t.Fatalf("split %s: %s\ngot:\n  %s\nwant:\n  %s", name, strings.Join(blocks[i].cmds, "\n"),
							strings.Join(out, "\n  "), strings.Join(got[i], "\n  "))
					}
				}
			}
			for at := 0; at <= longest; at++ {
				compare(strconv.Itoa(at), func(n int) []int { return []int{min(at, n)} })
			}
			compare("everywhere", func(n int) []int {
				var c []int
				for i := 1; i < n; i++ {
					c = append(c, i)
				}
				return c
			})
		})
	}
}
