package replproto

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const testID = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

// drive feeds in to a machine in pieces and returns all it told, in a canonical form.
func drive(t testing.TB, cfg Config, in []byte, size func() int) string {
	t.Helper()
	m := NewReplica(cfg)
	m.Start(1)
	var sent, told, data, stream strings.Builder
	sent.Write(m.Output())
	for off := 0; off < len(in); {
		k := min(size(), len(in)-off)
		p := bytes.Clone(in[off : off+k])
		off += k
		for {
			n, ev, err := m.Step(1, p)
			if n < 0 || n > len(p) {
				t.Fatalf("consumed %d of %d", n, len(p))
			}
			p = p[n:]
			sent.Write(m.Output())
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("an error of type %T", err)
				}
				if _, _, again := m.Step(1, p); again != err {
					t.Fatalf("%v, then %v", err, again)
				}
				if m.Phase() != PhaseFailed {
					t.Fatalf("phase %v after %v", m.Phase(), err)
				}
				fmt.Fprintf(&told, "error %v\n", err)
				return sent.String() + "|" + told.String() + "|" + data.String() + "|" + stream.String()
			}
			switch ev.Kind {
			case EventNone:
				if len(p) > 0 && n == 0 {
					t.Fatalf("no progress in phase %v", m.Phase())
				}
			case EventData:
				data.Write(ev.Data)
			case EventStream:
				stream.Write(ev.Data)
			default:
				fmt.Fprintf(&told, "%v %s %d %d %s\n", ev.Kind, ev.ReplID, ev.Offset, ev.Size, ev.Text)
			}
			if len(p) == 0 && ev.Kind == EventNone {
				break
			}
		}
		if len(m.line) > maxLine+1 {
			t.Fatalf("a line of %d bytes is held", len(m.line))
		}
	}
	return sent.String() + "|" + told.String() + "|" + data.String() + "|" + stream.String()
}

func FuzzReplica(f *testing.F) {
	f.Add([]byte("+PONG\r\n+OK\r\n+FULLRESYNC "+testID+" 10\r\n\n$5\r\nREDIS*1\r\n$4\r\nPING\r\n"), false, false, uint64(1))
	f.Add([]byte("+PONG\r\n+OK\r\n+OK\r\n+CONTINUE "+testID+"\r\n*1\r\n$4\r\nPING\r\n"), true, true, uint64(2))
	f.Add([]byte("+PONG\r\n+OK\r\n+FULLRESYNC "+testID+" 10\r\n\n$EOF:"+testID+"\r\naaaaaaaaaab"+testID+"\n"), false, false, uint64(3))
	f.Add([]byte("-NOAUTH\r\n-ERR\r\n-ERR\r\n$3\r\nabc"), false, true, uint64(4))
	f.Fuzz(func(t *testing.T, in []byte, auth, resume bool, seed uint64) {
		cfg := Config{ListeningPort: 1}
		if auth {
			cfg.Pass = "p"
		}
		if resume {
			cfg.ReplID, cfg.Offset = testID, 10
		}
		want := drive(t, cfg, in, func() int { return len(in) })
		rnd := rand.New(rand.NewPCG(seed, 1))
		if got := drive(t, cfg, in, func() int { return 1 + rnd.IntN(20) }); got != want {
			t.Fatalf("split:\n%q\nwhole:\n%q", got, want)
		}
		if got := drive(t, cfg, in, func() int { return 1 }); got != want {
			t.Fatalf("bytes:\n%q\nwhole:\n%q", got, want)
		}
	})
}

func TestLongLineIsRefusedAndNotHeld(t *testing.T) {
	for _, size := range []int{1, 1000, 1 << 20} {
		in := bytes.Repeat([]byte("x"), 1<<20)
		got := drive(t, Config{}, in, func() int { return size })
		if !strings.Contains(got, "a line longer than") {
			t.Fatalf("pieces of %d: %.200s", size, got)
		}
	}
	in := append(bytes.Repeat([]byte("x"), maxLine+1), '\n')
	if got := drive(t, Config{}, in, func() int { return len(in) }); !strings.Contains(got, "a line longer than") {
		t.Fatalf("%.200s", got)
	}
}

func TestStreamStepAllocatesNothing(t *testing.T) {
	m := NewReplica(Config{ReplID: testID, Offset: 7})
	m.Start(1)
	p := []byte("+PONG\r\n+OK\r\n+CONTINUE\r\n")
	for len(p) > 0 {
		n, _, err := m.Step(1, p)
		if err != nil {
			t.Fatal(err)
		}
		p = p[n:]
	}
	chunk := make([]byte, 1<<16)
	if a := testing.AllocsPerRun(100, func() {
		if n, ev, err := m.Step(1, chunk); n != len(chunk) || ev.Kind != EventStream || err != nil {
			t.Fatal(n, ev, err)
		}
	}); a != 0 {
		t.Fatalf("%v allocations", a)
	}
}

func TestClosedKeepsTheCause(t *testing.T) {
	cause := errors.New("reset")
	m := NewReplica(Config{})
	m.Start(1)
	err := m.Closed(cause)
	var e *Error
	if !errors.Is(err, cause) || !errors.As(err, &e) || e.Kind != KindLost || e.Phase != PhasePing {
		t.Fatalf("%#v", err)
	}
	if m.Tick(1<<60) != err || m.Closed(errors.New("other")) != err {
		t.Fatal("the first error does not last")
	}
}

func TestMisuseStops(t *testing.T) {
	for name, fn := range map[string]func(){
		"Step before Start": func() { NewReplica(Config{}).Step(1, []byte("x")) },
		"Start twice":       func() { m := NewReplica(Config{}); m.Start(1); m.Start(2) },
		"Done without Next": func() { NewStream(1).Done() },
		"short id":          func() { s := NewReplState(testID); s.Promote("x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			fn()
		}()
	}
}

func TestPacer(t *testing.T) {
	const s = int64(1e9)
	var c Pacer
	if c.Next() != 0 || len(c.Tick(s, 1, nil)) != 0 || len(c.Asked(1, nil)) != 0 {
		t.Fatal("a new pacer is not silent")
	}
	c.Load(0)
	var out []byte
	for now := int64(0); now < 10*s; now += s / 10 {
		out = c.Tick(now, 5, out)
	}
	if string(out) != "\n\n\n\n\n\n\n\n\n" {
		t.Fatalf("9.9 s of loading: %q", out)
	}
	if out = c.Asked(5, nil); len(out) != 0 {
		t.Fatalf("an answer while loading: %q", out)
	}
	if out = c.Stream(20*s, 1234, nil); string(out) != "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$4\r\n1234\r\n" {
		t.Fatalf("first ACK: %q", out)
	}
	var acks []int64
	for now := 20 * s; now < 24*s; now = c.Next() {
		if out := c.Tick(now-1, 1, nil); len(out) != 0 {
			t.Fatalf("too early: %q", out)
		}
		if out := c.Tick(now, 1, nil); len(out) != 0 {
			acks = append(acks, (now-20*s)/1e6)
		}
	}
	if want := []int64{10, 30, 70, 150, 310, 630, 1270, 2270, 3270}; !slices.Equal(acks, want) {
		t.Fatalf("ACKs at %v ms, want %v", acks, want)
	}
	at := c.Next()
	if out = c.Asked(77, nil); string(out) != "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$2\r\n77\r\n" {
		t.Fatalf("GETACK: %q", out)
	}
	if out = c.Tick(at, 1<<62, nil); string(out) != "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$19\r\n4611686018427387904\r\n" {
		t.Fatalf("beat: %q", out)
	}
	c.Silence()
	if c.Next() != 0 || len(c.Tick(100*s, 1, nil)) != 0 || len(c.Asked(1, nil)) != 0 {
		t.Fatal("not silent after Silence")
	}
}
