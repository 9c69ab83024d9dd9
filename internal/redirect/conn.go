package redirect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

// conn is one connection: a goroutine that connects and writes, and one that reads.
type conn struct {
	p        *Pool
	key      key
	isShared bool
	wake     chan struct{}
	late     []*Request // came when it was dead already; guarded by the pool's lock

	mu      sync.Mutex
	nc      net.Conn
	pending []*Request // not a byte of them has left
	// flight is what was sent, in order; nil stands for an INFO that tells the
	// offset to those in await.
	flight   []*Request
	await    []*Request // have their reply, and wait for the offset
	dead     error
	retiring bool
	up       bool
}

func (c *conn) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead == nil
}

// reason is why the connection is gone.
func (c *conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// tryAdd queues a request unless the connection is gone.
func (c *conn) tryAdd(r *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return false
	}
	c.pending = append(c.pending, r)
	c.signal()
	return true
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// retire ends the connection when it has nothing more to do.
func (c *conn) retire() {
	c.mu.Lock()
	c.retiring = true
	c.mu.Unlock()
	c.signal()
}

// run connects, starts the reader and writes what is queued.
func (c *conn) run() {
	defer c.p.wg.Done()
	if err := c.open(); err != nil {
		c.fail(err)
		return
	}
	c.p.wg.Add(1)
	go c.read()
	var out []byte
	for {
		var again bool
		out, again = c.gather(out[:0])
		if len(out) > 0 {
			_ = c.nc.SetWriteDeadline(time.Now().Add(c.p.cfg.Timeout))
			if _, err := c.nc.Write(out); err != nil {
				c.fail(fmt.Errorf("writing to the master: %w", err))
				return
			}
		}
		if !again {
			return
		}
		if cap(out) > 1<<20 {
			out = nil
		}
		<-c.wake
	}
}

var infoWire = []byte("*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n")

// maxBatch bounds the bytes of one write.
const maxBatch = 1 << 20

// gather moves what is queued to what is sent and appends its bytes; false when the
// connection is gone.
func (c *conn) gather(out []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return nil, false
	}
	n := 0
	idle := len(c.flight) == 0
	offset := false
	for ; n < len(c.pending) && len(out) < maxBatch; n++ {
		r := c.pending[n]
		if !r.Blocks {
			r.due = time.Now().Add(c.p.cfg.Timeout)
		}
		if len(r.First) > 0 && !r.first {
			if n > 0 || !idle {
				break // a session has one request at a time
			}
			r.first, r.left = true, r.FirstReplies
			out = append(out, r.First...)
		} else {
			r.left = r.Replies
			out = append(out, r.Wire...)
			offset = offset || r.Offset
		}
		c.flight = append(c.flight, r)
	}
	c.pending = append(c.pending[:0], c.pending[n:]...)
	if len(c.pending) > 0 {
		c.signal()
	}
	if offset {
		c.flight = append(c.flight, nil)
		out = append(out, infoWire...)
	}
	if idle {
		c.arm()
	}
	if c.retiring && len(c.flight) == 0 && len(c.await) == 0 {
		go c.fail(errClosed)
	}
	return out, true
}

// arm sets the deadline for the reply that is due next; the lock is held.
func (c *conn) arm() {
	t := time.Time{}
	if len(c.flight) > 0 {
		if r := c.flight[0]; r == nil {
			t = time.Now().Add(c.p.cfg.Timeout)
		} else {
			t = r.due
		}
	}
	_ = c.nc.SetReadDeadline(t)
}

// open connects and agrees on user, protocol and database.
func (c *conn) open() error {
	cfg := &c.p.cfg
	ctx, cancel := context.WithTimeout(c.p.ctx, cfg.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	netw, addr := network(cfg.Addr)
	nc, err := cfg.Dial(ctx, netw, addr)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		_ = nc.Close()
		return c.dead
	}
	c.nc = nc
	c.mu.Unlock()
	_ = nc.SetDeadline(deadline)
	if err := c.shake(nc); err != nil {
		return err
	}
	_ = nc.SetDeadline(time.Time{})
	c.mu.Lock()
	c.up = true
	c.mu.Unlock()
	return nil
}

func (c *conn) shake(nc net.Conn) error {
	cfg := &c.p.cfg
	user := cfg.User
	if user == "" {
		user = "default"
	}
	var steps [][]string
	switch {
	case c.key.proto == 3 && cfg.Pass != "":
		steps = append(steps, []string{"HELLO", "3", "AUTH", user, cfg.Pass})
	case c.key.proto == 3:
		steps = append(steps, []string{"HELLO", "3"})
	case cfg.Pass != "" && cfg.User != "":
		steps = append(steps, []string{"AUTH", user, cfg.Pass})
	case cfg.Pass != "":
		steps = append(steps, []string{"AUTH", cfg.Pass})
	}
	// Always there: it is also the proof that the master talks to us.
	steps = append(steps, []string{"SELECT", strconv.Itoa(c.key.db)})
	var rd resp.ReplyReader
	buf := make([]byte, 4096)
	for _, s := range steps {
		if _, err := nc.Write(resp.AppendCommand(nil, s...)); err != nil {
			return err
		}
		reply, err := next(nc, &rd, buf)
		if err != nil {
			return err
		}
		if reply[0] == '-' {
			what := s[0]
			if s[0] == "SELECT" {
				what += " " + s[1]
			}
			return refused(what, reply)
		}
	}
	return nil
}

// next reads one reply in the handshake.
func next(nc net.Conn, rd *resp.ReplyReader, buf []byte) ([]byte, error) {
	for {
		reply, ok, err := rd.Next()
		if err != nil {
			return nil, err
		}
		if ok && rd.Push {
			continue
		}
		if ok {
			return reply, nil
		}
		n, err := nc.Read(buf)
		if n == 0 && err != nil {
			return nil, closedBy(err)
		}
		rd.Feed(buf[:n])
	}
}

func closedBy(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the master closed the connection")
	}
	return err
}

// read takes the replies to those that asked.
func (c *conn) read() {
	defer c.p.wg.Done()
	var rd resp.ReplyReader
	buf := make([]byte, 16<<10)
	for {
		n, err := c.nc.Read(buf)
		if n > 0 {
			rd.Feed(buf[:n])
			if err := c.replies(&rd); err != nil {
				c.fail(err)
				return
			}
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.mu.Lock()
			late := len(c.flight) > 0 && (c.flight[0] == nil || !c.flight[0].Blocks && !time.Now().Before(c.flight[0].due))
			if !late {
				c.arm()
			}
			c.mu.Unlock()
			if !late {
				continue
			}
			err = fmt.Errorf("no reply in %v", c.p.cfg.Timeout)
		}
		if err != nil {
			c.fail(closedBy(err))
			return
		}
	}
}

func (c *conn) replies(rd *resp.ReplyReader) error {
	for {
		raw, ok, err := rd.Next()
		if err != nil {
			return fmt.Errorf("the master's reply: %w", err)
		}
		if !ok {
			return nil
		}
		if rd.Push {
			continue
		}
		if err := c.reply(raw); err != nil {
			return err
		}
	}
}

// reply accounts for one reply of the master.
func (c *conn) reply(raw []byte) error {
	c.mu.Lock()
	if c.dead != nil || len(c.flight) == 0 {
		c.mu.Unlock()
		return fmt.Errorf("the master sent a reply that nobody asked for: %.40q", raw)
	}
	r := c.flight[0]
	var done []*Request
	var offset int64 = -1
	var id string
	switch {
	case r == nil:
		offset, id = ParseOffset(raw)
		done, c.await = c.await, nil
	case r.first && r.left > 0 && string(raw) != "+OK\r\n":
		// The rest of First may still answer; such a connection is of no use.
		r.reply = bytes.Clone(raw)
		done = []*Request{r}
		defer c.fail(errors.New("the session could not be prepared"))
	default:
		if r.left--; r.left > 0 {
			c.mu.Unlock()
			return nil
		}
		switch {
		case r.first:
			r.first, r.First = false, nil
			c.pending = append([]*Request{r}, c.pending...)
			c.signal()
		case r.Offset:
			r.reply = bytes.Clone(raw)
			c.await = append(c.await, r)
		default:
			r.reply = bytes.Clone(raw)
			done = []*Request{r}
		}
	}
	c.flight[0] = nil
	if c.flight = c.flight[1:]; len(c.flight) == 0 {
		c.flight = nil
	}
	c.arm()
	over := c.retiring && len(c.flight)+len(c.pending)+len(c.await) == 0
	c.mu.Unlock()
	for _, r := range done {
		r.Done(Result{Reply: r.reply, Offset: offset, ReplID: id})
	}
	if over {
		return errClosed
	}
	return nil
}

// fail ends the connection. What was sent has an unknown outcome, except for what
// has its reply already; what was not goes on elsewhere.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		return
	}
	c.dead = err
	flight, await, pending, up := c.flight, c.await, c.pending, c.up
	c.flight, c.await, c.pending = nil, nil, nil
	if c.nc != nil {
		nc := c.nc
		go nc.Close() // closing a TLS connection may wait for its peer
	}
	c.signal()
	c.mu.Unlock()
	for _, r := range await {
		r.Done(Result{Reply: r.reply, Offset: -1})
	}
	for _, r := range flight {
		if r != nil {
			// Of a request whose First was sent alone, nothing has happened.
			r.fail(!r.first, err)
		}
	}
	for _, r := range c.p.gone(c, pending, up) {
		r.fail(false, err)
	}
}

// ParseOffset finds the history and the offset in the reply to INFO replication;
// offset is -1 if it is not there.
func ParseOffset(info []byte) (offset int64, replid string) {
	offset = -1
	for l := range bytes.SplitSeq(info, []byte("\r\n")) {
		if v, ok := bytes.CutPrefix(l, []byte("master_repl_offset:")); ok {
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
				offset = n
			}
		} else if v, ok := bytes.CutPrefix(l, []byte("master_replid:")); ok {
			replid = string(v)
		}
	}
	return offset, replid
}
