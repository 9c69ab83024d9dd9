//go:build invariants

package dict

import (
	"strings"
	"testing"
)

// Each misuse that the tag is there to find is found.
func TestInvariants(t *testing.T) {
	for name, f := range map[string]func(a *Arena, r Ref){
		"dead block":      func(a *Arena, r Ref) { a.Free(r); a.Ptr(r) },
		"freed twice":     func(a *Arena, r Ref) { a.Free(r); a.Free(r) },
		"view of":         func(a *Arena, r Ref) { a.Bytes(r, a.Usable(r)+1) },
		"never given out": func(a *Arena, r Ref) { a.Free(r + 1) },
		"handle to block": func(a *Arena, r Ref) {
			h := a.Hold(r)
			a.Free(r)
			for range unitSize/84 + 1 { // until the same place is given out again
				a.Alloc(84)
			}
			a.Ref(h)
		},
		"without one": func(a *Arena, r Ref) { a.Entry(a.NewEntry(Header{ExpireAt: NoExpire}, nil, nil)).SetExpireAt(1) },
	} {
		func() {
			a, err := NewArena(1)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Release()
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, name) {
					t.Errorf("%q: panic %q", name, s)
				}
			}()
			f(a, a.Alloc(84))
		}()
	}
}

// Freed memory is overwritten, so that a stale view shows it.
func TestPoison(t *testing.T) {
	a := testArena(t)
	r := a.Alloc(84)
	view := a.Bytes(r, 84)
	a.Free(r)
	for i, c := range view[2:] { // the first bytes link the free list
		if c != poisonFreed {
			t.Fatalf("byte %d of a freed block is %#x", i+2, c)
		}
	}
	if p := a.Bytes(a.Alloc(84), 84); p[50] != poisonFresh {
		t.Errorf("byte of a fresh block is %#x", p[50])
	}
}

func TestHandle(t *testing.T) {
	a := testArena(t)
	r := a.Alloc(84)
	if a.Ref(a.Hold(r)) != r {
		t.Error("a handle gives another reference")
	}
}
