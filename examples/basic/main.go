// Command basic follows a master and reads its data from the same process.
//
//	go run ./examples/basic
//	MASTER=127.0.0.1:6379 go run ./examples/basic
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
	addr, own := master.Open(ctx) // where the data come from
	master.Set(own, "greeting", "hello")

	replica, err := redisreplica.New(redisreplica.WithMaster(addr))
	if err != nil {
		log.Fatal(err)
	}
	defer replica.Close()
	if err := replica.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := replica.WaitForSync(ctx); err != nil {
		log.Fatal(err)
	}

	// From here on reads are local: no network, no copy of a protocol, about half a microsecond.
	storage := replica.Storage()
	n, err := storage.KeyCount()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("in step with %s: %d keys\n", addr, n)
	if v, err := storage.Get("greeting"); err == nil {
		fmt.Printf("greeting = %s\n", v)
	}

	// Several reads of one moment: no write comes between them.
	err = storage.View(func(tx *redisreplica.Tx) error {
		fmt.Printf("%d keys, greeting is a %s\n", tx.KeyCount(), tx.Type("greeting"))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
