package commands

import (
	"fmt"
	"strings"
	"testing"
)

func TestBitmapsAndSketchesDoNotAllocate(t *testing.T) {
	s, h := newTestServer(t)
	c := newTestClient(s)
	out := make([]byte, 0, 4096)
	do(c, "SET", "bits", strings.Repeat("x", 1000))
	for i := range 200 {
		do(c, "PFADD", "sparse", fmt.Sprint(i))
		do(c, "PFADD", "dense", fmt.Sprint(i))
	}
	do(c, "PFDEBUG", "TODENSE", "dense")
	for _, cmds := range [][][]string{
		{{"SETBIT", "bits", "70", "1"}, {"SETBIT", "bits", "70", "0"}},
		{{"GETBIT", "bits", "70"}},
		{{"BITCOUNT", "bits"}},
		{{"BITCOUNT", "bits", "5", "-7", "BIT"}},
		{{"BITPOS", "bits", "1", "9", "-3", "BIT"}},
		{{"BITFIELD", "bits", "SET", "u8", "#3", "200", "INCRBY", "i12", "100", "7", "GET", "u4", "0"}},
		{{"BITFIELD_RO", "bits", "GET", "u8", "#3"}},
		{{"SETBIT", "grown", "100", "1"}, {"DEL", "grown"}},
		{{"PFADD", "sparse", "another"}},
		{{"PFADD", "dense", "another"}},
		{{"PFADD", "new", "a", "b"}, {"PFCOUNT", "new"}, {"DEL", "new"}},
		{{"PFCOUNT", "sparse", "dense"}},
		{{"PFMERGE", "dense", "sparse"}, {"PFCOUNT", "dense"}},
		{{"PFMERGE", "sparse", "nokey"}},
	} {
		var in []byte
		for _, cmd := range cmds {
			in = append(in, wire(cmd...)...)
		}
		run := func() {
			h.milli++
			c.SetOutput(out)
			s.Process(c, in)
			c.SetOutput(nil)
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%v: %.1f allocations a run", cmds, n)
		}
	}
}
