package masterlink

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
)

// BenchmarkStream is what the link itself costs for each SET of the stream: socket, chunk,
// post, parse; nothing is stored.
func BenchmarkStream(b *testing.B) {
	m := newMaster(b, mastertest.Config{RDB: someRDB(10), BacklogSize: 16 << 20})
	h := newHost(b)
	follow(b, h, Config{Addr: m.Addr()})
	if err := m.WaitOnline(1, 5*time.Second); err != nil {
		b.Fatal(err)
	}
	const batch = 2000
	p := bytes.Repeat(mastertest.Command("SET", "key:000000012345", strings.Repeat("v", 64)), batch)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		m.Feed(p)
	}
	want := m.Offset()
	for h.applied() != want {
		time.Sleep(50 * time.Microsecond)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/command")
}

// BenchmarkPayload is what framing and reading a payload costs.
func BenchmarkPayload(b *testing.B) {
	const size = 64 << 20
	rdb := bytes.Repeat([]byte("\x00\x0fkey:000000012345\x40the value of the key, of sixty four bytes, as usual in here ...."), size/86)
	for _, marked := range []bool{false, true} {
		b.Run(fmt.Sprintf("marked=%v", marked), func(b *testing.B) {
			b.SetBytes(int64(len(rdb)))
			for b.Loop() {
				m := newMaster(b, mastertest.Config{RDB: rdb, Marked: marked})
				h := newHost(b)
				h.load = func(r io.Reader, _ SyncInfo) (Loaded, error) {
					n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 256<<10))
					return Loaded{Data: []byte{}, Bytes: n}, err
				}
				l := follow(b, h, Config{Addr: m.Addr()})
				if err := m.WaitAck(0, 30*time.Second); err != nil {
					b.Fatal(err)
				}
				h.on(l.Stop)
			}
		})
	}
}

// BenchmarkLatency is the time from a write on the master's side until the loop has
// applied it, with nothing else going on.
func BenchmarkLatency(b *testing.B) {
	m := newMaster(b, mastertest.Config{RDB: someRDB(10)})
	h := newHost(b)
	follow(b, h, Config{Addr: m.Addr()})
	if err := m.WaitOnline(1, 5*time.Second); err != nil {
		b.Fatal(err)
	}
	applied := make(chan struct{}, 1)
	h.on(func() { h.onApplied = func() { applied <- struct{}{} } })
	p := mastertest.Command("SET", "key:000000012345", strings.Repeat("v", 64))
	for b.Loop() {
		m.Feed(p)
		<-applied
	}
	h.on(func() { h.onApplied = nil })
}
