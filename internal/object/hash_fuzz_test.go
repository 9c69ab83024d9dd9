package object

import (
	"maps"
	"testing"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/listpack"
)

// FuzzHash reads the input as a program of changes to a hash and runs it on a
// hash and on a map.
func FuzzHash(f *testing.F) {
	f.Add([]byte("\x00\x01a\x02\x02b\x03\x05c\x01\x01"), uint8(3), uint8(4))
	f.Add([]byte("\x10\x21\x32\x43\x54\x65\x76\x87\x98\xa9\xba\xcb"), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, prog []byte, entries, length uint8) {
		a := newArena(t)
		v := newHash(a)
		lim := Limits{HashMaxListpackEntries: int(entries), HashMaxListpackValue: int(length)}
		model := map[string]hashField{}
		now := int64(1000)
		for len(prog) >= 3 {
			op, n := prog[0], int(prog[1]%8)
			field := prog[2:min(2+n, len(prog))]
			rest := prog[min(2+n, len(prog)):]
			val := rest[:min(int(prog[2]%40), len(rest))]
			prog = prog[min(1+n%3+len(field), len(prog)):]
			key := string(field)
			old, had := model[key]
			expired := had && now > old.expiry
			switch op % 6 {
			case 0, 1:
				keep := op%12 == 0
				if v.HashSet(field, val, keep, now, &lim) != (!had || expired) {
					t.Fatalf("setting %q", key)
				}
				e := NoFieldExpiry
				if keep && had && !expired {
					e = old.expiry
				}
				model[key] = hashField{string(val), e}
			case 2:
				if v.HashDelete(field) != had {
					t.Fatalf("deleting %q", key)
				}
				delete(model, key)
			case 3:
				when := now + int64(len(val))*7 - 40
				if v.HashSetExpiry(field, when) != had {
					t.Fatalf("expiry of %q", key)
				}
				if had {
					model[key] = hashField{old.val, max(when, 1)}
				}
			case 4:
				now += int64(op)
				v.HashExpire(now, 1+n, func(field []byte) {
					if m, ok := model[string(field)]; !ok || now <= m.expiry {
						t.Fatalf("%q expired: %v", field, m)
					}
					delete(model, string(field))
				})
			case 5:
				if v.HashSetExpiry(field, NoFieldExpiry) != had {
					t.Fatalf("no expiry of %q", key)
				}
				if had {
					model[key] = hashField{old.val, NoFieldExpiry}
				}
			}
			if err := v.Check(); err != nil {
				t.Fatal(err)
			}
		}
		sameHash(t, v, model)
		alive := maps.Clone(model)
		maps.DeleteFunc(alive, func(_ string, m hashField) bool { return now > m.expiry })
		if n := v.HashAlive(now); n != len(alive) {
			t.Fatalf("%d alive, want %d", n, len(alive))
		}
		freeHash(v)
		if n := a.Stats().Live; n != 0 {
			t.Fatalf("%d bytes leaked", n)
		}
	})
}

// FuzzHashPacked takes any valid listpack of pairs for a hash from an RDB.
func FuzzHashPacked(f *testing.F) {
	f.Add(listpack.Append(listpack.Append(listpack.Append(listpack.New(0), []byte("a")), []byte("b")), []byte("5")))
	f.Fuzz(func(t *testing.T, lp []byte) {
		n, err := listpack.Validate(lp)
		if err != nil || n%2 != 0 || n == 0 {
			return
		}
		seen := map[string]bool{}
		var buf listpack.IntBuf
		for p := listpack.First(lp); p >= 0; {
			k := string(listpack.Get(lp, p, &buf))
			if seen[k] {
				return
			}
			seen[k] = true
			if p = listpack.Next(lp, p); p >= 0 {
				p = listpack.Next(lp, p)
			}
		}
		a := newArena(t)
		v := newHash(a)
		v.SetPacked(lp)
		count := v.HashLen()
		lim := DefaultLimits()
		v.HashSet([]byte("a field of its own"), []byte("x"), false, NoTime, &lim)
		v.HashSetExpiry([]byte("a field of its own"), 77)
		v.HashToTable()
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
		if got := v.HashLen(); got != count+1 && !seen["a field of its own"] {
			t.Fatalf("%d fields of %d", got, count)
		}
		freeHash(v)
	})
}
