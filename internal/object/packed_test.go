package object

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

func newArena(t testing.TB) *dict.Arena {
	t.Helper()
	a, err := dict.NewArena(0x9e3779b97f4a7c15)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Release)
	return a
}

func packedValue(a *dict.Arena, key string) Value {
	h := dict.Header{Type: TypeHash, Encoding: EncListpack, ExpireAt: dict.NoExpire}
	return Value{a, a.NewEntry(h, []byte(key), listpack.AppendEmpty(nil))}
}

func lpTexts(t *testing.T, lp []byte) []string {
	t.Helper()
	if _, err := listpack.Validate(lp); err != nil {
		t.Fatal(err)
	}
	var out []string
	var buf listpack.IntBuf
	for p := listpack.First(lp); p >= 0; p = listpack.Next(lp, p) {
		out = append(out, string(listpack.Get(lp, p, &buf)))
	}
	return out
}

// TestPackedEditsModel edits a listpack in its record at random, over the
// lengths at which the payload's own length takes another byte.
func TestPackedEditsModel(t *testing.T) {
	a := newArena(t)
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		v := packedValue(a, "key")
		var model []string
		for range 600 {
			s := fmt.Sprint(rnd.IntN(70000))
			if rnd.IntN(3) == 0 {
				s = strings.Repeat("x", rnd.IntN(90))
			}
			if rnd.IntN(100) == 0 {
				s = strings.Repeat("y", rnd.IntN(20000))
			}
			b := []byte(s)
			i := 0
			if len(model) > 0 {
				i = rnd.IntN(len(model))
			}
			p := listpack.Seek(v.Packed(), i)
			switch op := rnd.IntN(8); {
			case op == 0 || len(model) == 0:
				v.LpAppend(b)
				model = append(model, s)
			case op == 1:
				v.LpAppendPair(b, []byte("7"))
				model = append(model, s, "7")
			case op == 2:
				v.LpInsert(p, b)
				model = slices.Insert(model, i, s)
			case op == 3:
				v.LpInsertPair(p, b, []byte("pair"))
				model = slices.Insert(model, i, s, "pair")
			case op < 6:
				v.LpReplace(p, b)
				model[i] = s
			default:
				n := 1 + rnd.IntN(3)
				next := v.LpDelete(p, n)
				to := min(i+n, len(model))
				if (next < 0) != (to == len(model)) {
					t.Fatalf("deleting %d of %d at %d: next %d", n, len(model), i, next)
				}
				model = slices.Delete(model, i, to)
			}
			if got := lpTexts(t, v.Packed()); !slices.Equal(got, model) {
				t.Fatalf("seed %d:\n%q\n%q", seed, got, model)
			}
			if k := v.Record().Key(); string(k) != "key" {
				t.Fatalf("key %q", k)
			}
			if have, need := a.Usable(v.Ref), v.Record().Size(); have > 128 && have > 2*need {
				t.Fatalf("a record of %d bytes in a block of %d", need, have)
			}
		}
		a.Free(v.Ref)
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

func TestPackedEditsStayOffTheHeap(t *testing.T) {
	a := newArena(t)
	v := packedValue(a, "key")
	name, val, long := []byte("field"), []byte("value"), bytes.Repeat([]byte("v"), 60)
	if n := testing.AllocsPerRun(50, func() {
		for range 40 {
			v.LpAppendPair(name, val)
		}
		v.LpReplace(listpack.Seek(v.Packed(), 11), long)
		v.LpReplace(listpack.Seek(v.Packed(), 11), val)
		v.LpInsert(listpack.Seek(v.Packed(), 3), name)
		v.LpDelete(listpack.First(v.Packed()), 100)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
