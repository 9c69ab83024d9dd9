// Command monitoring shows the three ways to watch a replica: SyncStatus, a collector of one's own, and Prometheus with a status page.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/examples/internal/master"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

// printer is a MetricsCollector; a program would hand the figures to its own system.
type printer struct{ synced chan time.Duration }

func (p printer) SyncDuration(d time.Duration)                { p.synced <- d }
func (printer) CommandProcessed(string, int64, time.Duration) {}
func (printer) NetworkBytes(int64)                            {}
func (printer) KeyCount(int64)                                {}
func (printer) MemoryUsage(int64)                             {}
func (printer) Reconnection(int64)                            {}
func (printer) Error(kind string, n int64)                    { log.Printf("%d errors: %s", n, kind) }

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr, own := master.Open(ctx)
	master.Set(own, "k", "v")
	p := printer{make(chan time.Duration, 1)}
	r := master.Follow(ctx, addr, redisreplica.WithMetrics(p), redisreplica.WithConfig("metrics-addr", "127.0.0.1:0"))
	defer r.Close()

	st := r.SyncStatus()
	fmt.Printf("synced %v, connected %v, progress %.0f %%\n", st.InitialSyncCompleted, st.Connected, 100*st.InitialSyncProgress)
	fmt.Println("the collector heard of a full sync:", <-p.synced > 0)

	base := "http://" + r.MetricsAddr().String() // the status page
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "redis_up ") || strings.HasPrefix(line, "redis_master_link_up") {
			fmt.Println(line)
		}
	}
	fmt.Println("metrics:", len(text) > 1000)
}
