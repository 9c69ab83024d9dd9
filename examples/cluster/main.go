// Command cluster follows two masters in one process: each replica has its own loop, memory and link.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/examples/internal/master"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	usersAddr, users := master.Open(ctx)
	ordersAddr, orders := master.Open(ctx)
	master.Set(users, "user:1", "ada")
	master.Set(orders, "order:1", "3 apples")

	a, b := master.Follow(ctx, usersAddr), master.Follow(ctx, ordersAddr)
	defer a.Close()
	defer b.Close()
	for _, r := range []struct {
		name string
		get  func(string) ([]byte, error)
		key  string
	}{{"users", a.Storage().Get, "user:1"}, {"orders", b.Storage().Get, "order:1"}} {
		if v, err := r.get(r.key); err == nil {
			fmt.Printf("%s: %s = %s\n", r.name, r.key, v)
		} else if users != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("connected:", a.IsConnected(), b.IsConnected())
}
