// Command change-hooks keeps a structure of the program in step with the master: here, the number of users by country.
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
	r := master.Follow(ctx, addr)
	defer r.Close()

	country := map[string]string{} // of each user; only the function below touches it
	changed := make(chan map[string]int, 64)
	stop, err := r.OnChange("user:*", func(e redisreplica.ChangeEvent) {
		switch e.Kind {
		case redisreplica.KeyChanged:
			if v, ok := e.Value.([]byte); ok {
				country[e.Key] = string(v)
			} else {
				delete(country, e.Key) // deleted, expired, or of another type now
			}
		default: // a full sync, a flush, or events that were lost: a program would read all of it again here
			clear(country)
		}
		count := map[string]int{}
		for _, c := range country {
			count[c]++
		}
		changed <- count
	}, redisreplica.WithValues())
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	if own == nil {
		fmt.Println("watching user:* of", addr)
		return
	}
	for _, write := range []func(){
		func() { master.Set(own, "user:1", "PT") },
		func() { master.Set(own, "user:2", "BR") },
		func() { master.Set(own, "user:3", "BR") },
		func() { _, err = own.Storage().Del("user:1") },
	} {
		write()
		fmt.Println(<-changed)
	}
	if err != nil {
		log.Fatal(err)
	}
}
