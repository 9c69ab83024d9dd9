package redisreplica

import (
	"time"

	"github.com/raniellyferreira/redis-inmemory-replica/commands"
	"github.com/raniellyferreira/redis-inmemory-replica/eventloop"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
)

// handler receives the event loop's callbacks: it is the Replica under another
// name, so that these methods are not part of the library's surface.
type handler Replica

// conn gives the command layer's view of a connection.
type conn struct {
	*eventloop.Conn
	h      *handler
	client *commands.Client
	// softSince is the unix time in ms since which the pending output has been
	// above the soft limit, 0 when it is not; inSoft that the connection stands in Replica.soft.
	softSince int64
	inSoft    bool
}

// Flush sends replies in the middle of a pipeline.
func (c *conn) Flush(out []byte) []byte {
	out = c.Conn.Flush(out)
	if n := c.Pending(); n > 0 {
		c.h.limitOutput(c, n)
	}
	return out
}

// Push appends to the output of a connection that is not being served.
func (c *conn) Push(p []byte) {
	if c.IsClosed() {
		return
	}
	c.Append(p)
	c.pushed()
}

// PushShared appends what many connections get, without a copy for each.
func (c *conn) PushShared(_ []byte, s commands.Shared) {
	if c.IsClosed() {
		return
	}
	c.AppendShared(eventloop.Shared(s))
	c.pushed()
}

func (c *conn) pushed() {
	if c.client != nil {
		c.h.limitOutput(c, c.Pending())
	}
}

func (h *handler) Opened(ec *eventloop.Conn) {
	c := &conn{Conn: ec, h: h}
	ec.Ctx = c
	if denial := h.srv.Admit(c); denial != "" {
		ec.Out = append(ec.Out, denial...)
		ec.CloseAfterFlush()
		return
	}
	c.client = h.srv.NewClient(c)
	if h.log.Enabled(logging.Verbose) {
		h.log.Verbosef("Accepted %s", c.RemoteAddr())
	}
}

func (h *handler) Data(ec *eventloop.Conn, in []byte) {
	c := ec.Ctx.(*conn)
	if c.client == nil {
		return
	}
	h.reads++
	c.client.SetOutput(ec.Out)
	h.srv.Process(c.client, in)
	h.finish(c)
}

// finish takes the lent output back and applies what the commands decided about
// the connection.
func (h *handler) finish(c *conn) {
	c.Out = c.client.Output()
	c.client.SetOutput(nil)
	if c.client.Closing() {
		c.CloseAfterFlush()
		return
	}
	if len(c.Out) > 0 {
		h.writes++
	}
	if n := c.Pending(); n > 0 {
		h.limitOutput(c, n)
	}
}

// limitOutput ends a client that lets its replies pile up, by
// client-output-buffer-limit.
func (h *handler) limitOutput(c *conn, n int) {
	h.srv.NoteOutput(n)
	if c.client.OutputUnlimited() {
		return
	}
	l := &h.v.ClientOutput[c.client.OutputClass()]
	over := l.Hard > 0 && int64(n) >= l.Hard
	if !over && l.Soft > 0 && int64(n) >= l.Soft {
		now := h.srv.Now()
		if c.softSince == 0 {
			c.softSince = now
		}
		if !c.inSoft {
			c.inSoft = true
			h.soft = append(h.soft, c)
		}
		over = now-c.softSince > int64(l.SoftSeconds)*1000
	} else if !over {
		c.softSince = 0
	}
	if over {
		r := (*Replica)(h)
		r.Logf(commands.LogWarning, "Client id=%d addr=%s scheduled to be closed ASAP for overcoming of output buffer limits.", c.ID(), c.RemoteAddr())
		c.client.Abandon()
		c.Close()
	}
}

// checkSoftLimits looks again at the connections that were above the soft limit: one that gets nothing more may have stayed above it for
// too long, and one that has caught up begins anew the next time.
func (h *handler) checkSoftLimits() {
	kept := h.soft[:0]
	for _, c := range h.soft {
		if c.client != nil && !c.IsClosed() {
			h.limitOutput(c, c.Pending())
		}
		if c.client == nil || c.IsClosed() || c.softSince == 0 {
			c.inSoft = false
			continue
		}
		kept = append(kept, c)
	}
	clear(h.soft[len(kept):])
	h.soft = kept
}

func (h *handler) Closed(ec *eventloop.Conn, err error) {
	c := ec.Ctx.(*conn)
	if c.client != nil {
		h.srv.RemoveClient(c.client)
		c.client = nil
	}
}

func (h *handler) Tick() time.Duration {
	h.heap.trim(h.srv.Now())
	if len(h.soft) > 0 {
		h.checkSoftLimits()
	}
	return time.Duration(h.srv.Cron())
}
