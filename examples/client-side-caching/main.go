// Command client-side-caching keeps copies of keys in the client and has the replica say when they are stale (CLIENT TRACKING, RESP3). The
// replica knows of a change when the master's stream brings it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"strings"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/examples/internal/master"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr, own := master.Open(ctx)
	master.Set(own, "article:1", "first edition")
	r := master.Follow(ctx, addr, redisreplica.WithReplicaAddr("127.0.0.1:0"))
	defer r.Close()

	nc, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(nc)
	line := func() string {
		s, err := in.ReadString('\n')
		if err != nil {
			log.Fatal(err)
		}
		return strings.TrimSpace(s)
	}
	fmt.Fprint(nc, "HELLO 3\r\nCLIENT TRACKING ON\r\nGET article:1\r\n")
	for !strings.HasPrefix(line(), "+OK") { // the description of the server, then the answer to TRACKING
	}
	if line() == "_" {
		fmt.Println("there is no article:1 on", addr)
		return
	}
	cache := map[string]string{"article:1": line()}
	fmt.Println("cached:", cache["article:1"])
	if own == nil {
		return
	}
	master.Set(own, "article:1", "second edition")
	for !strings.Contains(line(), "invalidate") { // a push that nobody asked for: >2 $10 invalidate *1 $9 article:1
	}
	line()
	line()
	delete(cache, line())
	fmt.Println("entries after the invalidation:", len(cache))
}
