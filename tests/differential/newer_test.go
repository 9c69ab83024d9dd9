package differential

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var newerFlag = flag.Bool("newer", false, "the redis-server that REDIS names is an 8.4: compare the commands that 7.0 does not have")

func init() {
	addKind("bkey", func(r *rand.Rand) string { return mostly(r, "b", keyPool) })
	// Few values, so that conditions hold now and then.
	addKind("cond", func(r *rand.Rand) string { return pick(r, []string{"a", "b", "", "12", "12", "hello", value(r)}) })
	addKind("digest", func(r *rand.Rand) string {
		// XXH3 of "a", of "", of "12", and what is none.
		return pick(r, []string{"e6c632b61e964e1f", "2d06800538d394c2", "2D06800538D394C2", "0000000000000000", "00", "xyzxyzxyzxyzxyzx", strconv.Itoa(r.IntN(99))})
	})
}

// TestNewerCommands plays random histories of commands that redis-server 7.0 does not have. With -newer the server at REDIS is the judge;
// else ours judges itself, with other encodings (and TestNewerCommands of package commands holds the replies).
func TestNewerCommands(t *testing.T) {
	forms, err := parseGrammar("newer", scriptFiles(t, "newer/*.grammar")["newer"])
	if err != nil {
		t.Fatal(err)
	}
	seed := randomSeed()
	t.Logf("again with: make diff ARGS=\"-run TestNewerCommands -seed %d\"", seed)
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 11))}
	for _, f := range forms {
		for range f.weight {
			g.forms = append(g.forms, f)
		}
	}
	var p *pair
	if *newerFlag {
		p = newPair(t)
	} else {
		p = newTwins(t, variants[0])
	}
	steps := *stepsFlag
	if steps == 0 {
		steps = 10000
		if testing.Short() {
			steps = 2000
		}
	}
	for done, failures := 0, 0; done < steps; done += 150 {
		b := &batch{proto: 2 + g.rnd.IntN(2)}
		for len(b.cmds) < 150 {
			if cmd := g.command(); !reworded(cmd) && (*newerFlag || !shows(cmd)) {
				b.cmds = append(b.cmds, cmd)
			}
		}
		if _, err := b.play(p, func() int { return 1 + g.rnd.IntN(16) }); err != nil {
			short, why := b.shrink(p)
			t.Errorf("after %d commands: %v\n\nshrunk to:\n%s\n%v", done, err, short.script(), why)
			if failures++; failures == 5 {
				t.Fatal("enough")
			}
		}
	}
}

// reworded finds commands that later versions refuse in words of their own, or with two replies (a SET … GET whose digest is none).
func reworded(cmd []string) bool {
	switch strings.ToUpper(cmd[0]) {
	case "XREADGROUP":
		return slices.Index(cmd, ">") != len(cmd)-1 || slices.Index(cmd, "STREAMS") != len(cmd)-3
	case "SET":
		return slices.Contains(cmd, "GET") && (slices.Contains(cmd, "IFDEQ") || slices.Contains(cmd, "IFDNE"))
	}
	return false
}
