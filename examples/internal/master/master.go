// Package master gives the examples a master to follow.
package master

import (
	"context"
	"log"
	"os"

	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

// Open returns the address of the master at MASTER, if that is set, or of a writable server of our own that lives in this process. own is that
// server, nil for MASTER.
func Open(ctx context.Context) (addr string, own *redisreplica.Replica) {
	if addr := os.Getenv("MASTER"); addr != "" {
		return addr, nil
	}
	own, err := redisreplica.New(redisreplica.WithReplicaAddr("127.0.0.1:0"), redisreplica.WithConfig("repl-diskless-sync-delay", "0"))
	if err != nil {
		log.Fatal(err)
	}
	if err := own.Start(ctx); err != nil {
		log.Fatal(err)
	}
	return own.Addrs()[0].String(), own
}

// Follow starts a replica of addr and waits for its data.
func Follow(ctx context.Context, addr string, options ...redisreplica.Option) *redisreplica.Replica {
	r, err := redisreplica.New(append([]redisreplica.Option{redisreplica.WithMaster(addr)}, options...)...)
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := r.WaitForSync(ctx); err != nil {
		log.Fatal(err)
	}
	return r
}

// Set writes a key on an own master; on one at MASTER, whose data are not ours, it does nothing.
func Set(own *redisreplica.Replica, key, value string) {
	if own == nil {
		return
	}
	if err := own.Storage().Set(key, []byte(value), 0); err != nil {
		log.Fatal(err)
	}
}
