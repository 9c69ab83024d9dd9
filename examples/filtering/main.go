// Command filtering replicates a part of the master's data: what does not match never takes memory here.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/examples/internal/master"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr, own := master.Open(ctx)
	for _, k := range []string{"user:1", "user:2", "user:tmp:3", "session:4"} {
		master.Set(own, k, "x")
	}
	r := master.Follow(ctx, addr,
		redisreplica.WithKeyFilters("user:*", "!user:tmp:*"), // these, but not those
		redisreplica.WithCommandFilters("!publish"),          // and no messages
	)
	defer r.Close()
	keys, err := r.Storage().Keys("*")
	if err != nil {
		log.Fatal(err)
	}
	info, err := r.GetInfo("replication")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d keys here; left out: %s keys of the snapshot\n", len(keys), info["filter_rdb_keys"])
}
