package differential

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func init() {
	addKind("node", func(r *rand.Rand) string { return "node" + strconv.Itoa(r.IntN(2)) })
	addKind("lkey", func(r *rand.Rand) string { return mostly(r, "l", keyPool) })
	addKind("index", func(r *rand.Rand) string {
		if r.IntN(10) == 0 {
			return pick(r, integers)
		}
		return strconv.Itoa(r.IntN(40) - 20)
	})
	// Few and repeated, so that searches find something; some as long as a good part of a node.
	addKind("elem", func(r *rand.Rand) string {
		switch r.IntN(12) {
		case 0:
			return pick(r, integers)
		case 1:
			return strings.Repeat(string(rune('a'+r.IntN(3))), []int{63, 64, 1000, 4095, 4096, 9000}[r.IntN(6)])
		case 2:
			return pick(r, []string{"", "\x00\xff", "a b"})
		}
		return strconv.Itoa(r.IntN(8))
	})
}

// nodeGrammar makes long lists out of one or two keys and looks at the bytes of each node.
const nodeGrammar = `
6* RPUSH node {elem}+
6* LPUSH node {elem}+
2* LPOP node small
2* RPOP node small
4* LSET node index elem
6* LINSERT node (BEFORE|AFTER) elem elem
LTRIM node small -1
LTRIM node 0 index
2* LREM node small elem
LRANGE node index index
LINDEX node index
LPOS node elem RANK -1 COUNT 0
2* LMOVE node node (LEFT|RIGHT) (LEFT|RIGHT)
COPY node node REPLACE
4* DUMP node
`

// TestListNodes compares lists node by node (DUMP) through random changes, under every kind of limit of a node, with
// compression and with elements that have a node of their own.
func TestListNodes(t *testing.T) {
	forms, err := parseGrammar("nodes", nodeGrammar)
	if err != nil {
		t.Fatal(err)
	}
	seed := randomSeed()
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 2))}
	for _, f := range forms {
		for range f.weight {
			g.forms = append(g.forms, f)
		}
	}
	p := newPair(t)
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		for _, fill := range []int{-2, -1, 0, 1, 2, 3, 5, 16, 100} {
			depth, large := g.rnd.IntN(4), []int{0, 0, 63, 1000, 9000}[g.rnd.IntN(5)]
			b := &batch{proto: 2, cmds: [][]string{
				{"CONFIG", "SET", "list-max-listpack-size", strconv.Itoa(fill), "list-compress-depth", strconv.Itoa(depth)},
				{"DEBUG", "QUICKLIST-PACKED-THRESHOLD", strconv.Itoa(large) + "b"},
			}}
			for range 400 {
				b.cmds = append(b.cmds, g.command())
			}
			if _, err := b.play(p, func() int { return 20 }); err != nil {
				short, why := b.shrink(p)
				t.Fatalf("seed %d, round %d, fill %d, depth %d, large %d: %v\n\nshrunk to:\n%s\n%v", seed, round, fill, depth, large, err, short.script(), why)
			}
			if v, err := p.oursCtl.Do("DEBUG", "CHECK"); err != nil || v.Err() != nil {
				t.Fatal(fmt.Errorf("seed %d: %v, %w", seed, v, err))
			}
		}
	}
}
