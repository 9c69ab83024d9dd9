package redisreplica

import (
	"bytes"
	"net"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// Exchange has a conversation with another server on a goroutine of its own, and reports on the loop.
func (r *Replica) Exchange(call commands.ExchangeCall) {
	done := call.Done
	wire := bytes.Clone(call.Wire)
	go func() {
		res := converse(&call, wire)
		r.loop.Post(func() { done(res) })
	}()
}

func converse(call *commands.ExchangeCall, wire []byte) (res commands.ExchangeResult) {
	timeout := time.Duration(call.Timeout)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(call.Host, call.Port), timeout)
	if err != nil {
		res.Phase = "writing to"
		return res
	}
	defer conn.Close()
	// The other side may answer before it has read everything, and stop reading when its replies pile up: so both at once.
	written := make(chan error, 1)
	go func() {
		for len(wire) > 0 {
			n := min(len(wire), 1<<20)
			conn.SetWriteDeadline(time.Now().Add(timeout))
			if _, err := conn.Write(wire[:n]); err != nil {
				written <- err
				return
			}
			wire = wire[n:]
		}
		written <- nil
	}()
	var rd resp.ReplyReader
	buf := make([]byte, 16<<10)
	for len(res.Replies) < call.Replies {
		raw, ok, err := rd.Next()
		switch {
		case err != nil:
			res.Phase = "reading from"
			return res
		case ok:
			res.Replies = append(res.Replies, bytes.Clone(raw))
			continue
		}
		conn.SetReadDeadline(time.Now().Add(timeout))
		n, err := conn.Read(buf)
		rd.Feed(buf[:n])
		if err == nil {
			continue
		}
		select {
		case werr := <-written:
			if werr == nil {
				res.Phase = "reading from"
				return res
			}
			res.Phase = "writing to"
			return res
		default:
			if ne, ok := err.(net.Error); ok && ne.Timeout() && len(res.Replies) == 0 {
				continue // still writing
			}
			res.Phase = "writing to"
			return res
		}
	}
	return res
}
