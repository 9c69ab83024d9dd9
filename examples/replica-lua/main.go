// Command replica-lua serves clients: here a connection of the program's own evaluates a script on the replica. Scripts that only read run here;
// one that writes is refused, as a Redis replica refuses it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/examples/internal/master"
	"github.com/raniellyferreira/redis-inmemory-replica/redisreplica"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr, own := master.Open(ctx)
	master.Set(own, "price", "12")
	r := master.Follow(ctx, addr, redisreplica.WithReplicaAddr("127.0.0.1:0"))
	defer r.Close()

	nc, err := net.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	for _, script := range []string{
		`return (tonumber(redis.call('GET','price')) or 0) * 2`,
		`return redis.call('SET','price','1')`,
	} {
		// Any Redis client does; the inline form of the protocol is enough for this.
		fmt.Fprintf(nc, "EVAL \"%s\" 0\r\n", script)
		reply, err := in.ReadString('\n')
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n  -> %s", script, reply)
	}
}
