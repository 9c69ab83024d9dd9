// Command write-redirection reads here and writes to the master, over one object: a write returns when it shows here.
// With MASTER set it leaves one key there, example:write-redirection.
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
	r := master.Follow(ctx, addr,
		redisreplica.WithWriteRedirection(true),
		redisreplica.WithConfig("write-redirection-wait", "yes"), // read your own writes
	)
	defer r.Close()
	s := r.Storage()
	const key = "example:write-redirection"
	if err := s.Set(key, []byte("from the replica"), time.Minute); err != nil {
		log.Fatal(err)
	}
	here, err := s.Get(key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("here: %s\n", here)
	if own != nil {
		there, err := own.Storage().Get(key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("on the master: %s\n", there)
	}
}
