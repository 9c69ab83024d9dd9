package mastertest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/resp"
)

var errFault = errors.New("mastertest: the fault struck")

// conn is one replica. The serving goroutine reads commands; once a sync is granted a
// second one sends the payload and the stream, so that ACKs are seen meanwhile.
type conn struct {
	m     *Master
	id    int
	nc    net.Conn
	fault Fault
	sent  int64
	once  sync.Once
	gone  chan struct{}
	// syncing is the serving goroutine's: from here on the sending one alone writes.
	syncing bool

	// Under m.mu:
	online bool
	stuck  bool
	ack    bool  // an ACK has come on this connection
	next   int64 // offset of the next stream byte to send
}

func newConn(m *Master, id int, nc net.Conn) *conn {
	c := &conn{m: m, id: id, nc: nc, gone: make(chan struct{})}
	if m.cfg.Fault != nil {
		c.fault = m.cfg.Fault(id)
	}
	return c
}

func (c *conn) abort() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.nc.Close()
	})
}

// Write sends p, in pieces if so configured, up to the byte at which the fault strikes.
func (c *conn) Write(p []byte) (int, error) {
	total := len(p)
	if c.isStuck() {
		return 0, errFault
	}
	for len(p) > 0 {
		n := len(p)
		if c.m.cfg.MaxWrite > 0 {
			n = min(n, c.m.cfg.MaxWrite)
		}
		if c.fault.Kind != None {
			if c.sent == c.fault.After {
				skip, err := c.strike(p[0])
				if err != nil {
					return 0, err
				}
				p = p[skip:]
				continue
			}
			n = int(min(int64(n), c.fault.After-c.sent))
		}
		k, err := c.nc.Write(p[:n])
		c.sent += int64(k)
		if err != nil {
			return 0, err
		}
		p = p[n:]
	}
	return total, nil
}

// strike does what the fault says at the byte that was to be sent next. It returns how
// many bytes it sent in place of the script's, or an error when nothing more is to be sent.
func (c *conn) strike(next byte) (skip int, err error) {
	f := c.fault
	c.fault.Kind = None
	switch f.Kind {
	case Cut:
		c.abort()
		return 0, errFault
	case Reset:
		if tc, ok := c.nc.(*net.TCPConn); ok {
			_ = tc.SetLinger(0)
		}
		c.abort()
		return 0, errFault
	case Stall:
		c.m.mu.Lock()
		c.stuck = true
		c.m.cond.Broadcast()
		c.m.mu.Unlock()
		return 0, errFault
	case Insert:
		_, err := c.nc.Write(f.Data)
		return 0, err
	case Flip:
		_, err := c.nc.Write([]byte{next ^ 0xff})
		return 1, err
	case Delay:
		c.pause(f.Pause)
		return 0, nil
	}
	panic(fmt.Sprintf("mastertest: fault kind %d", f.Kind))
}

func (c *conn) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.gone:
	}
}

// serve reads what the replica sends until the connection ends.
func (c *conn) serve() {
	m := c.m
	defer m.wg.Done()
	defer func() {
		c.abort()
		m.mu.Lock()
		delete(m.conns, c.id)
		m.cond.Broadcast()
		m.mu.Unlock()
	}()
	var r resp.Reader
	r.Init()
	r.Authenticated = true
	authed := m.cfg.Pass == ""
	buf := make([]byte, 16<<10)
	var blank uint64
	for {
		n, err := c.nc.Read(buf)
		if err != nil {
			return
		}
		r.Feed(buf[:n])
		for {
			args, ok, err := r.Next()
			if err != nil {
				return
			}
			for ; blank < r.Newlines; blank++ {
				c.note(nil)
			}
			if !ok {
				break
			}
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = string(a)
			}
			c.note(words)
			if !c.syncing && !c.command(words, &authed) {
				return
			}
		}
	}
}

func (c *conn) note(words []string) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.seen = append(c.m.seen, Seen{Conn: c.id, At: time.Now(), Args: words})
	if len(words) >= 3 && strings.EqualFold(words[0], "REPLCONF") && strings.EqualFold(words[1], "ACK") {
		if off, err := strconv.ParseInt(words[2], 10, 64); err == nil {
			c.m.acked = off
			c.ack = true
		}
	}
	c.m.cond.Broadcast()
}

// command answers one command of the handshake; false ends the connection.
func (c *conn) command(words []string, authed *bool) bool {
	m := c.m
	name := strings.ToUpper(words[0])
	if m.cfg.Reply != nil {
		if reply, handled := m.cfg.Reply(c.id, words); handled {
			_, err := c.Write([]byte(reply))
			return err == nil || c.isStuck()
		}
	}
	reply := ""
	switch {
	case name == "AUTH":
		user := "default"
		if len(words) > 2 {
			user = words[1]
		}
		want := m.cfg.User
		if want == "" {
			want = "default"
		}
		switch {
		case m.cfg.Pass == "":
			reply = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n"
		case user == want && words[len(words)-1] == m.cfg.Pass:
			*authed = true
			reply = "+OK\r\n"
		default:
			reply = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
	case !*authed:
		reply = "-NOAUTH Authentication required.\r\n"
	case name == "PING":
		reply = "+PONG\r\n"
	case name == "REPLCONF":
		if len(words) > 1 && strings.EqualFold(words[1], "ACK") {
			return true
		}
		reply = "+OK\r\n"
	case name == "PSYNC" && len(words) >= 3:
		next, _ := strconv.ParseInt(words[2], 10, 64)
		m.mu.Lock()
		ok, _ := m.state.Resume(words[1], next, m.log)
		ok = ok && words[1] != "?"
		id := m.state.ID
		m.mu.Unlock()
		m.wg.Add(1)
		c.syncing = true
		go c.send(ok, next, id, words[1] != id, true)
		return true
	case name == "SYNC":
		m.wg.Add(1)
		c.syncing = true
		go c.send(false, 0, "", false, false)
		return true
	default:
		reply = "-ERR unknown command '" + words[0] + "', with args beginning with: \r\n"
	}
	_, err := c.Write([]byte(reply))
	return err == nil || c.isStuck()
}

func (c *conn) isStuck() bool {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.stuck
}

// send grants the sync and then sends the stream until the connection ends.
func (c *conn) send(partial bool, next int64, id string, renamed, psync bool) {
	m := c.m
	defer m.wg.Done()
	w := bufio.NewWriterSize(c, 256<<10)
	if partial {
		m.mu.Lock()
		m.parts++
		m.mu.Unlock()
		line := "+CONTINUE\r\n"
		if renamed {
			line = "+CONTINUE " + id + "\r\n"
		}
		if _, err := c.Write([]byte(line)); err != nil {
			return
		}
	} else {
		m.mu.Lock()
		m.fulls++
		cfg := m.cfg
		m.mu.Unlock()
		next = cfg.Offset + 1
		if c.payload(w, cfg, id, psync) != nil {
			return
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c.next = next
	c.online = true
	m.cond.Broadcast()
	buf := make([]byte, 0, 64<<10)
	for {
		p, ok := m.log.View(c.next)
		if !ok {
			c.abort() // a replica so far behind is dropped, as a real master does
			return
		}
		buf = append(buf[:0], p[:min(len(p), cap(buf))]...)
		select {
		case <-c.gone:
			return
		default:
		}
		if len(buf) == 0 {
			m.cond.Wait()
			continue
		}
		m.mu.Unlock()
		_, err := c.Write(buf)
		m.mu.Lock()
		if err != nil {
			c.stuck = true
			m.cond.Broadcast()
			return
		}
		c.next += int64(len(buf))
		m.cond.Broadcast()
	}
}

func (c *conn) payload(w *bufio.Writer, cfg Config, id string, psync bool) error {
	m := c.m
	blank := func() error {
		for range cfg.Keepalives {
			c.pause(cfg.Pause)
			if _, err := c.Write([]byte("\n")); err != nil {
				return err
			}
		}
		return nil
	}
	if psync {
		if err := blank(); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c, "+FULLRESYNC %s %d\r\n", id, cfg.Offset); err != nil {
			return err
		}
	}
	if err := blank(); err != nil {
		return err
	}
	if cfg.Marked {
		fmt.Fprintf(w, "$EOF:%s\r\n", cfg.Mark)
	} else {
		size := cfg.RDBSize
		if cfg.Declare != nil {
			size = cfg.Declare(size)
		}
		fmt.Fprintf(w, "$%d\r\n", size)
	}
	if err := cfg.WriteRDB(w); err != nil {
		return err
	}
	if cfg.Marked {
		mark := cfg.Mark
		if cfg.EndMark != "" {
			mark = cfg.EndMark
		}
		_, _ = w.WriteString(mark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if cfg.Marked && !cfg.Eager {
		m.mu.Lock()
		defer m.mu.Unlock()
		for !c.ack {
			select {
			case <-c.gone:
				return errFault
			default:
			}
			m.cond.Wait()
		}
	}
	return nil
}
