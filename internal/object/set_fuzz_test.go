package object

import (
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// FuzzSet runs a history, one operation a byte and a member of the bytes behind
// it, under small limits and against a model.
func FuzzSet(f *testing.F) {
	f.Add([]byte("\x02a1\x02b2\x42c3\x81a1"), uint8(3))
	f.Add([]byte("\x011\x012\x013\x014\x0215\x41x\x811\x812"), uint8(2))
	f.Add([]byte("\x0a-123456789\x0a9876543210\x8a-123456789\xc0"), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, limit uint8) {
		a := newArena(t)
		defer a.Release()
		lim := Limits{SetMaxIntsetEntries: int(limit % 7), SetMaxListpackEntries: int(limit % 11), SetMaxListpackValue: int(limit % 13)}
		v := newSet(a)
		model := map[string]bool{}
		for i, x := 0, uint64(limit); i < len(in); {
			op, n := in[i]>>6, int(in[i]&0x0f)
			i++
			m := in[i:min(i+n, len(in))]
			i += len(m)
			switch op {
			case 0, 1:
				if SetAdd(&v, m, &lim) == model[string(m)] {
					t.Fatalf("adding %q", m)
				}
				model[string(m)] = true
			case 2:
				if SetRemove(&v, m) != model[string(m)] {
					t.Fatalf("removing %q", m)
				}
				delete(model, string(m))
			case 3:
				if len(model) == 0 {
					continue
				}
				rnd := func() uint64 { x = x*6364136223846793005 + 1442695040888963407; return x }
				SetPop(&v, rnd, new(listpack.IntBuf), func(m []byte) {
					if !model[string(m)] {
						t.Fatalf("popped %q", m)
					}
					delete(model, string(m))
				})
			}
		}
		sameSet(t, v, model)
		freeSet(v)
		if n := a.Stats().Live; n != 0 {
			t.Fatalf("%d bytes leaked", n)
		}
	})
}
