package eventloop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// TestSharedOutput mixes output of their own and shared output of many connections, some of which read slowly: each gets its bytes, in
// order.
func TestSharedOutput(t *testing.T) {
	var mu sync.Mutex
	var conns []*Conn
	s := start(t, Config{PauseReadAbove: -1}, &hooks{opened: func(c *Conn) {
		mu.Lock()
		conns = append(conns, c)
		mu.Unlock()
	}, data: echo})
	const n = 12
	peers := make([]net.Conn, n)
	for i := range peers {
		peers[i] = dial(t, "tcp", s.addr)
		peers[i].Write([]byte{byte(i)})
		expect(t, peers[i], string([]byte{byte(i)}))
	}
	eventually(t, "all are open", func() bool { mu.Lock(); defer mu.Unlock(); return len(conns) == n })
	want := make([]bytes.Buffer, n)
	rnd := rand.New(rand.NewPCG(3, 3))
	for turn := range 300 {
		s.do(func() {
			for k := range 1 + rnd.IntN(8) {
				p := fmt.Appendf(nil, "[%d %d %0*d]", turn, k, rnd.IntN(400), 0)
				if k == 0 && turn%150 == 149 {
					p = append(p, make([]byte, 3<<20)...) // more than the kernel takes, and than is copied
				}
				sh := s.Share(p)
				for i, c := range conns {
					switch rnd.IntN(8) {
					case 0: // not for this one
						continue
					case 1:
						c.Append(p)
					case 2:
						c.MarkDirty()
						c.AppendShared(sh)
					default:
						c.AppendShared(sh)
					}
					want[i].Write(p)
				}
			}
		})
	}
	// Peers in the order of their connections: the loop may have accepted them in another.
	order := make([]net.Conn, n)
	s.do(func() {
		for i, c := range conns {
			for _, p := range peers {
				if p.LocalAddr().String() == c.RemoteAddr() {
					order[i] = p
				}
			}
		}
	})
	var wg sync.WaitGroup
	for i, p := range order {
		wg.Go(func() {
			got := make([]byte, want[i].Len())
			for at := 0; at < len(got); {
				k, err := p.Read(got[at:])
				at += k
				if err != nil {
					t.Errorf("connection %d, after %d of %d bytes: %v", i, at, len(got), err)
					return
				}
			}
			if !bytes.Equal(got, want[i].Bytes()) {
				at := 0
				for got[at] == want[i].Bytes()[at] {
					at++
				}
				t.Errorf("connection %d: byte %d of %d differs", i, at, len(got))
			}
		})
	}
	wg.Wait()
	s.do(func() {
		for _, c := range conns {
			if c.Pending() != 0 {
				t.Errorf("%d bytes are pending", c.Pending())
			}
		}
		if cap(s.shared) > keepShared {
			t.Errorf("%d bytes of storage are kept", cap(s.shared))
		}
		// A connection that closes takes its share along.
		conns[0].AppendShared(s.Share([]byte("bye")))
		conns[0].CloseAfterFlush()
		conns[1].AppendShared(s.Share([]byte("never")))
		conns[1].Close()
	})
	expect(t, order[0], "bye")
	expectEOF(t, order[0])
	expectEOF(t, order[1])
}

// TestSharedOutputAllocatesNothing: a thousand messages to many cost no buffers.
func TestSharedOutputAllocatesNothing(t *testing.T) {
	var conns []*Conn
	s := start(t, Config{}, &hooks{opened: func(c *Conn) { conns = append(conns, c) }})
	const n = 8
	for range n {
		p := dial(t, "tcp", s.addr)
		go func() {
			buf := make([]byte, 64<<10)
			for {
				if _, err := p.Read(buf); err != nil {
					return
				}
			}
		}()
	}
	eventually(t, "all are open", func() (ok bool) { s.do(func() { ok = len(conns) == n }); return ok })
	msg := []byte("a message")
	s.do(func() {
		if k := testing.AllocsPerRun(200, func() {
			sh := s.Share(msg)
			for _, c := range conns {
				c.AppendShared(sh)
			}
			s.leave()
		}); k > 0 {
			t.Errorf("%.1f allocations", k)
		}
	})
}
