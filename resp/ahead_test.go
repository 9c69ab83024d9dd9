package resp

import (
	"fmt"
	"testing"
)

// TestAhead: what Ahead sees is what Next then returns, and looking changes
// nothing, wherever the bytes end.
func TestAhead(t *testing.T) {
	in := []byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$2\r\nbc\r\n$10\r\n0123456789\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nz\r\n")
	for cut := range len(in) + 1 {
		r := NewReader()
		r.Authenticated = true
		r.Feed(in[:cut])
		var want []string
		for {
			ahead := r.Ahead(make([][]byte, 0, 8))
			args, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				if len(ahead) != 0 {
					t.Fatalf("cut at %d: Ahead sees %q, Next nothing", cut, ahead)
				}
				break
			}
			if len(ahead) > 0 && string(ahead[0]) != string(args[1]) {
				t.Fatalf("cut at %d: Ahead sees %q first, Next returns %q", cut, ahead[0], args)
			}
			want = append(want, fmt.Sprintf("%q", args))
		}
		plain := NewReader()
		plain.Authenticated = true
		plain.Feed(in[:cut])
		for i := 0; ; i++ {
			args, ok, _ := plain.Next()
			if !ok {
				if i != len(want) {
					t.Fatalf("cut at %d: %d commands with looking ahead, %d without", cut, len(want), i)
				}
				break
			}
			if got := fmt.Sprintf("%q", args); got != want[i] {
				t.Fatalf("cut at %d: %s, want %s", cut, got, want[i])
			}
		}
	}
	r := NewReader()
	r.Feed(in)
	if n := len(r.Ahead(make([][]byte, 0, 8))); n != 3 {
		t.Errorf("%d keys ahead of the inline command, want 3", n)
	}
	if n := len(r.Ahead(make([][]byte, 0, 2))); n != 2 {
		t.Errorf("%d keys, room for 2", n)
	}
}

func FuzzAhead(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"))
	f.Add([]byte("*9\r\n$9999999999\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader()
		r.Authenticated = true
		r.Feed(in)
		var keys [16][]byte
		for _, k := range r.Ahead(keys[:0]) {
			args, ok, err := r.Next()
			if err != nil || !ok || len(args) < 2 || string(args[1]) != string(k) {
				t.Fatalf("Ahead sees %q; Next: %q %v %v", k, args, ok, err)
			}
		}
	})
}
