package object

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/dict"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/digest"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/quicklist"
)

func newList(a *dict.Arena) Value {
	h := dict.Header{Type: TypeList, Encoding: EncListpack, ExpireAt: dict.NoExpire}
	return Value{a, a.NewEntry(h, []byte("thekey"), listpack.AppendEmpty(nil))}
}

func sameList(t *testing.T, v Value, env *quicklist.Env, want []string, op string) {
	t.Helper()
	if err := v.Check(); err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	got := []string{}
	v.ListEach(env, func(s []byte) bool {
		got = append(got, string(s))
		return true
	})
	if v.Len() != len(want) || !slices.Equal(got, want) {
		t.Fatalf("%s: %d elements %.200q\nwant %.200q", op, v.Len(), got, want)
	}
	if k := v.Record().Key(); string(k) != "thekey" {
		t.Fatalf("%s: key %q", op, k)
	}
	if EncodingName(TypeList, v.Record().Encoding()) != "quicklist" {
		t.Fatalf("%s: encoding %d", op, v.Record().Encoding())
	}
}

// TestListModel makes random changes under several settings and expects a slice
// to agree after each.
func TestListModel(t *testing.T) {
	a := newArena(t)
	for seed := range uint64(24) {
		env := []quicklist.Env{
			{Fill: -2, Large: quicklist.DefaultLarge},
			{Fill: 20, Large: quicklist.DefaultLarge},
			{Fill: 30, Depth: 1, Large: 90},
			{Fill: 0, Large: quicklist.DefaultLarge},
		}[seed%4]
		rnd := rand.New(rand.NewPCG(seed, 4))
		elem := func() []byte {
			switch rnd.IntN(5) {
			case 0:
				return []byte(strings.Repeat("abc", rnd.IntN(60)))
			case 1:
				return []byte("same")
			}
			return fmt.Append(nil, rnd.IntN(1000))
		}
		v := newList(a)
		want := []string{}
		large := false
		for range 300 {
			n := len(want)
			op, i := rnd.IntN(12), 0
			if n == 0 {
				op %= 5
			} else {
				i = rnd.IntN(n)
			}
			s := elem()
			switch op {
			case 0, 1, 2:
				v.ListPush(&env, s, true)
				want = append(want, string(s))
			case 3, 4:
				v.ListPush(&env, s, false)
				want = slices.Insert(want, 0, string(s))
			case 5:
				v.ListDelRange(&env, 0, 1)
				want = want[1:]
			case 6:
				v.ListDelRange(&env, n-1, 1)
				want = want[:n-1]
			case 7:
				k := rnd.IntN(n-i+1) / 2
				v.ListDelRange(&env, i, k)
				want = slices.Delete(want, i, i+k)
			case 8:
				v.ListReplace(&env, i, s)
				want[i] = string(s)
			case 9, 10:
				after := op == 9
				v.ListInsert(&env, i, s, after)
				if after {
					i++
				}
				want = slices.Insert(want, i, string(s))
			case 11:
				k, back := rnd.IntN(3), rnd.IntN(2) == 0
				if back {
					slices.Reverse(want)
				}
				gone := 0
				want = slices.DeleteFunc(want, func(x string) bool {
					if x == "same" && (k == 0 || gone < k) {
						gone++
						return true
					}
					return false
				})
				if back {
					slices.Reverse(want)
				}
				if got := v.ListRemove(&env, []byte("same"), k, back); got != gone {
					t.Fatalf("removed %d, want %d", got, gone)
				}
			}
			sameList(t, v, &env, want, fmt.Sprintf("seed %d, op %d at %d, %q", seed, op, i, s))
			large = large || v.List() != nil
		}
		if large != (seed%4 != 0) {
			t.Errorf("settings %d: became large: %v", seed%4, large)
		}
		n := Value{a, v.Copy([]byte("thekey"))}
		var d1, d2 digest.State
		v.Digest(&d1)
		n.Digest(&d2)
		if d1 != d2 || d1 == (digest.State{}) {
			t.Errorf("digests %v and %v", d1, d2)
		}
		freeHash(v)
		sameList(t, n, &env, want, "copy")
		if m := n.Memory(0); m <= 0 {
			t.Errorf("memory %d", m)
		}
		freeHash(n)
	}
	if n := a.Stats().Live; n != 0 {
		t.Errorf("%d bytes leaked", n)
	}
}

// TestAppendListIsPushing: making a new list at once gives what pushing its
// elements one by one does, and says so exactly when that stays small.
func TestAppendListIsPushing(t *testing.T) {
	a := newArena(t)
	rnd := rand.New(rand.NewPCG(3, 3))
	for range 400 {
		env := quicklist.Env{Fill: []int{-1, 3, 10, 0}[rnd.IntN(4)], Large: 3000}
		elems := make([][]byte, 1+rnd.IntN(12))
		for i := range elems {
			elems[i] = []byte(strings.Repeat("7", rnd.IntN(8)*rnd.IntN(120)))
			if rnd.IntN(100) == 0 {
				elems[i] = make([]byte, 3000)
			}
		}
		tail := rnd.IntN(2) == 0
		v := newList(a)
		for _, s := range elems {
			v.ListPush(&env, s, tail)
		}
		lp, ok := AppendList([]byte("before"), &env, elems, tail)
		if ok != (v.List() == nil) || ok && string(lp[6:]) != string(v.Packed()) || !ok && string(lp) != "before" {
			t.Fatalf("%q: %v, %q", elems, ok, lp)
		}
		freeHash(v)
	}
}

func TestListSettings(t *testing.T) {
	lim := DefaultLimits()
	lim.ListCompressDepth = 3
	var env quicklist.Env
	SetListSettings(&env, &lim)
	if env.Fill != -2 || env.Depth != 3 || env.Large != 1<<30 {
		t.Errorf("%+v", env)
	}
	env.Large = 7
	SetListSettings(&env, &lim)
	if env.Large != 7 {
		t.Errorf("%+v", env)
	}
}
