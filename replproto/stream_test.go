package replproto

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

func cmd(args ...string) []byte { return resp.AppendCommand(nil, args...) }

// apply feeds in in pieces and records each command with the offsets around it.
func apply(t testing.TB, s *Stream, in []byte, size func() int) (told []string, err error) {
	t.Helper()
	for len(in) > 0 {
		k := min(size(), len(in))
		p := bytes.Clone(in[:k])
		in = in[k:]
		s.Feed(p)
		for {
			args, ok, err := s.Next()
			if err != nil {
				return told, err
			}
			if !ok {
				break
			}
			before := s.Applied()
			line := fmt.Sprintf("%q %d", args, len(s.Raw()))
			s.Done()
			told = append(told, fmt.Sprintf("%s %d->%d", line, before, s.Applied()))
		}
		for i := range p {
			p[i] = '!' // nothing may rest on a buffer that was given back
		}
	}
	return told, nil
}

func TestOffsetsCountEveryByte(t *testing.T) {
	var in []byte
	var want []string
	at := int64(1000)
	add := func(stands bool, args ...string) {
		c := cmd(args...)
		in = append(in, c...)
		want = append(want, fmt.Sprintf("%q %d", args, len(c)))
		_ = stands
	}
	add(false, "PING")
	add(false, "SELECT", "3")
	in = append(in, "\r\n\n"...)
	add(false, "SET", "k", strings.Repeat("v", 300))
	add(true, "mUlTi")
	add(true, "INCR", "a")
	in = append(in, "\n"...)
	add(true, "INCR", "b")
	add(false, "EXEC")
	add(false, "REPLCONF", "GETACK", "*")
	add(true, "MULTI")
	add(false, "DISCARD")
	in = append(in, "*0\r\n"...)
	add(false, "EXEC") // without MULTI: moves on
	all := int64(len(in))

	check := func(size func() int) {
		s := NewStream(at)
		told, err := apply(t, s, in, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(told) != len(want) {
			t.Fatalf("%d commands instead of %d", len(told), len(want))
		}
		for i := range told {
			if !strings.HasPrefix(told[i], want[i]) {
				t.Fatalf("%s instead of %s", told[i], want[i])
			}
		}
		if s.Applied() != at+all || s.Received() != at+all || s.Buffered() != 0 {
			t.Fatalf("applied %d, received %d, buffered %d, want %d", s.Applied(), s.Received(), s.Buffered(), at+all)
		}
	}
	check(func() int { return len(in) })
	for k := 1; k < 60; k++ {
		check(func() int { return k })
	}
	for at := 1; at < len(in); at++ {
		first := true
		check(func() int {
			if first {
				first = false
				return at
			}
			return len(in)
		})
	}
}

func TestTransactionStandsStillAndJumps(t *testing.T) {
	s := NewStream(0)
	before := cmd("SET", "a", "1")
	multi := bytes.Join([][]byte{cmd("MULTI"), cmd("SET", "b", "2"), cmd("SET", "c", "3")}, nil)
	exec := cmd("EXEC")
	if _, err := apply(t, s, append(append([]byte{}, before...), multi...), func() int { return 5 }); err != nil {
		t.Fatal(err)
	}
	if s.Applied() != int64(len(before)) || !s.InMulti() {
		t.Fatalf("applied %d inside of MULTI, want %d", s.Applied(), len(before))
	}
	s.Feed(exec[:4])
	if _, ok, _ := s.Next(); ok {
		t.Fatal("half an EXEC is a command")
	}
	// The link is lost: all falls back to the last whole thing, and comes again.
	s.Reset(s.Applied())
	if s.InMulti() || s.Buffered() != 0 || s.Received() != int64(len(before)) {
		t.Fatalf("after Reset: multi %v, buffered %d, received %d", s.InMulti(), s.Buffered(), s.Received())
	}
	told, err := apply(t, s, append(append([]byte{}, multi...), exec...), func() int { return 7 })
	if err != nil || len(told) != 4 {
		t.Fatal(told, err)
	}
	if want := int64(len(before) + len(multi) + len(exec)); s.Applied() != want {
		t.Fatalf("applied %d, want %d", s.Applied(), want)
	}
}

func TestCorruptionNamesTheOffset(t *testing.T) {
	good := cmd("SET", "a", "1")
	for _, bad := range []string{
		"PING\r\n", "x\n", "*1\r\n+PING\r\n", "*abc\r\n", "*1\r\n$-5\r\n", "*1\r\n$99999999999999999999\r\n", "$3\r\nabc\r\n", "\x01\x00\x02\n", "\x00\x00\x00", "\r\x00", "noise",
	} {
		for k := 1; k < len(good)+len(bad); k++ {
			s := NewStream(500)
			told, err := apply(t, s, append(append([]byte{}, good...), bad...), func() int { return k })
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindProtocol || e.Phase != PhaseStream {
				t.Fatalf("%q: %v", bad, err)
			}
			if len(told) != 1 || s.Applied() != 500+int64(len(good)) || e.Offset != s.Applied() {
				t.Fatalf("%q: %d commands, applied %d, error at %d", bad, len(told), s.Applied(), e.Offset)
			}
			if _, _, again := s.Next(); again == nil {
				t.Fatal("the error does not last")
			}
			s.Reset(s.Applied())
			if told, err := apply(t, s, good, func() int { return 3 }); err != nil || len(told) != 1 {
				t.Fatal(told, err)
			}
		}
	}
}

func TestBigArgumentsAreExemptFromLimits(t *testing.T) {
	s := NewStream(0)
	s.Feed([]byte("*2\r\n$4\r\nECHO\r\n$4294967296\r\nabc"))
	if _, ok, err := s.Next(); ok || err != nil {
		t.Fatal(ok, err)
	}
	args := []string{"MSET"}
	for i := range 3000 {
		args = append(args, fmt.Sprint(i))
	}
	s.Reset(0)
	if told, err := apply(t, s, cmd(args...), func() int { return 100 }); err != nil || len(told) != 1 {
		t.Fatal(len(told), err)
	}
}

func TestStreamAllocatesNothing(t *testing.T) {
	s := NewStream(0)
	chunk := bytes.Repeat(cmd("SET", "key:000000012345", strings.Repeat("v", 64)), 100)
	chunk = append(chunk, cmd("MULTI")...)
	chunk = append(chunk, cmd("EXEC")...)
	run := func() {
		s.Feed(chunk)
		for {
			_, ok, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
			s.Done()
		}
	}
	run()
	if a := testing.AllocsPerRun(50, run); a != 0 {
		t.Fatalf("%v allocations for 102 commands", a)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(append(cmd("MULTI"), cmd("EXEC")...), uint64(1))
	f.Add([]byte("\r\n*1\r\n$4\r\nPING\r\n*0\r\nx\r\n"), uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		a, b := NewStream(7), NewStream(7)
		toldA, errA := apply(t, a, in, func() int { return len(in) })
		rnd := rand.New(rand.NewPCG(seed, 1))
		toldB, errB := apply(t, b, in, func() int { return 1 + rnd.IntN(30) })
		if strings.Join(toldA, "\n") != strings.Join(toldB, "\n") || (errA == nil) != (errB == nil) {
			t.Fatalf("whole: %q %v\nsplit: %q %v", toldA, errA, toldB, errB)
		}
		if a.Applied() != b.Applied() || a.InMulti() != b.InMulti() {
			t.Fatalf("applied %d and %d", a.Applied(), b.Applied())
		}
		if errA == nil && a.Received() != 7+int64(len(in)) {
			t.Fatalf("received %d of %d", a.Received()-7, len(in))
		}
		if a.Applied() < 7 || a.Applied() > a.Received() {
			t.Fatalf("applied %d, received %d", a.Applied(), a.Received())
		}
	})
}

func BenchmarkStream(b *testing.B) {
	s := NewStream(0)
	chunk := bytes.Repeat(cmd("SET", "key:000000012345", strings.Repeat("v", 64)), 2000)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		s.Feed(chunk)
		for {
			_, ok, _ := s.Next()
			if !ok {
				break
			}
			s.Done()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/command")
}
