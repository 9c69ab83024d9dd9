//go:build linux

package redisreplica_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

// A replica in the program: here its master is another server of the same process; usually it is WithMaster("redis.example.com:6379").
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	master, err := redisreplica.New(redisreplica.WithReplicaAddr("127.0.0.1:0"), redisreplica.WithConfig("repl-diskless-sync-delay", "0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = master.Close() }()
	if err := master.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := master.Storage().Set("greeting", []byte("hello"), 0); err != nil {
		fmt.Println(err)
		return
	}

	replica, err := redisreplica.New(redisreplica.WithMaster(master.Addrs()[0].String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = replica.Close() }()
	if err := replica.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := replica.WaitForSync(ctx); err != nil { // the dataset is here when it returns
		fmt.Println(err)
		return
	}
	value, err := replica.Storage().Get("greeting")
	fmt.Printf("%s %v\n", value, err)
	_, err = replica.Storage().Get("missing")
	fmt.Println(errors.Is(err, redisreplica.ErrNoSuchKey))
	err = replica.Storage().Set("greeting", []byte("bye"), 0)
	fmt.Println(errors.Is(err, redisreplica.ErrReadOnly))
	// Output:
	// hello <nil>
	// true
	// true
}

// Without a master, New makes a writable server. All reads of a view see one moment.
func ExampleStorage_View() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := redisreplica.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	data := server.Storage()
	for key, value := range map[string]string{"debit": "70", "credit": "30"} {
		if err := data.Set(key, []byte(value), 0); err != nil {
			fmt.Println(err)
			return
		}
	}
	var debit, credit string
	err = data.View(func(tx *redisreplica.Tx) error {
		d, err := tx.Get("debit") // not a copy: it is good until the view ends
		if err != nil {
			return err
		}
		c, err := tx.Get("credit")
		if err != nil {
			return err
		}
		debit, credit = string(d), string(c)
		return nil
	})
	fmt.Println(debit, credit, err)
	// Output: 70 30 <nil>
}

// A function hears of changes one after the other, in their order. Registered before Start, it misses nothing.
func ExampleReplica_OnChange() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := redisreplica.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	events := make(chan redisreplica.ChangeEvent, 8)
	stop, err := server.OnChange("user:*", func(e redisreplica.ChangeEvent) { events <- e })
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	if err := server.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	_ = server.Storage().Set("other", []byte("not told"), 0)
	_ = server.Storage().Set("user:1", []byte("Ada"), 0)
	_, _ = server.Storage().Del("user:1")
	for range 2 {
		e := <-events
		fmt.Println(e.Command, e.Key)
	}
	// Output:
	// set user:1
	// del user:1
}
