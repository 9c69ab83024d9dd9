package redisreplica

import (
	"net"
	"strconv"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/redirect"
)

// This file carries the command layer's calls to the master: a pool of
// connections for the present master, and results posted to the loop.

// redirector is the Replica as the command layer's Redirector.
type redirector Replica

// pool is the connections to the present master, made when they are first needed.
func (rd *redirector) pool() *redirect.Pool {
	r := (*Replica)(rd)
	if r.redirects == nil {
		user, pass := r.v.RedirectUser, r.v.RedirectAuth
		if user == "" && pass == "" {
			user, pass = r.v.MasterUser, r.v.MasterAuth
		}
		r.redirects = redirect.New(redirect.Config{
			Addr: net.JoinHostPort(r.linkHost, strconv.Itoa(r.linkPort)),
			User: user, Pass: pass,
			Timeout: time.Duration(r.v.RedirectTimeout) * time.Millisecond,
			Dial:    r.linkConfig().Dial,
		})
	}
	return r.redirects
}

// dropRedirects retires the connections to a master that is no longer ours, or that
// other credentials hold for. What is under way has its time to end.
func (r *Replica) dropRedirects() {
	p := r.redirects
	if p == nil {
		return
	}
	r.redirects = nil
	p.Retire()
	r.retired = append(r.retired, p)
	r.After(int64(r.v.RedirectTimeout)*1e6, func() {
		for i, x := range r.retired {
			if x == p {
				r.retired = append(r.retired[:i], r.retired[i+1:]...)
				go p.Close()
			}
		}
	})
}

// closeRedirects ends all of them, after the loop.
func (r *Replica) closeRedirects() {
	if r.redirects != nil {
		r.retired = append(r.retired, r.redirects)
	}
	for _, p := range r.retired {
		p.Close()
	}
	r.retired, r.redirects = nil, nil
}

// request turns a call into a request whose result comes to the loop.
func (rd *redirector) request(q *commands.RedirectCall) *redirect.Request {
	done := q.Done
	return &redirect.Request{
		DB: q.DB, Proto: q.Proto, First: q.First, FirstReplies: q.FirstReplies,
		Wire: q.Wire, Replies: q.Replies, Blocks: q.Blocks, Offset: q.Offset,
		Done: func(res redirect.Result) {
			out := commands.RedirectResult{Reply: res.Reply, Offset: res.Offset, ReplID: res.ReplID}
			if res.Err != nil {
				out.Err, out.Sent = res.Err, res.Err.Sent
			}
			rd.loop.Post(func() { done(out) })
		},
	}
}

// Do sends a command over the shared connection.
func (rd *redirector) Do(q *commands.RedirectCall) { rd.pool().Do(rd.request(q)) }

// Session gives a client a connection of its own.
func (rd *redirector) Session(db, proto int) commands.RedirectSession {
	return &redirectSession{rd, rd.pool().Session(db, proto)}
}

type redirectSession struct {
	rd *redirector
	s  *redirect.Session
}

func (s *redirectSession) Do(q *commands.RedirectCall) { s.s.Do(s.rd.request(q)) }
func (s *redirectSession) Release()                    { s.s.Release() }
func (s *redirectSession) Close()                      { s.s.Close() }
