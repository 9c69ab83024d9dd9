package masterlink

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/masterlink/mastertest"
)

func someRDB(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	copy(b, "REDIS0010")
	return b
}

func TestFullSyncAndStream(t *testing.T) {
	for _, marked := range []bool{false, true} {
		for _, max := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("marked=%v,max=%d", marked, max), func(t *testing.T) {
				rdb := someRDB(20000)
				if max == 1 {
					rdb = rdb[:1000]
				}
				m := newMaster(t, mastertest.Config{RDB: rdb, Offset: 1000, Marked: marked, MaxWrite: max, Keepalives: 2})
				h := newHost(t)
				follow(t, h, quick(m))
				if err := m.WaitOnline(1, 5*time.Second); err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					m.Feed(mastertest.Command("SET", fmt.Sprint("key", i), "value"))
				}
				m.Feed(mastertest.Command("REPLCONF", "GETACK", "*"))
				want := m.Offset()
				until(t, "all applied", func() bool { return h.applied() == want })
				getack := want - int64(len(mastertest.Command("REPLCONF", "GETACK", "*")))
				until(t, "the answer to GETACK", func() bool { return m.Acked() == getack })
				if !bytes.Equal(h.data, rdb) || h.installs != 1 || h.commands != 101 {
					t.Fatalf("%d bytes, %d installs, %d commands", len(h.data), h.installs, h.commands)
				}
			})
		}
	}
}
