package commands

import (
	"slices"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// MONITOR: a client that is shown every command, whoever runs it. Commands for
// administrators are not shown, nor are secrets in others.

func monitorCommand(c *Client) {
	if c.flags&flagDenyBlocking != 0 {
		// The replies of a transaction would mix with what the monitor sees.
		c.addReplyError("MONITOR isn't allowed for DENY BLOCKING client")
		return
	}
	if c.flags&flagMonitor != 0 {
		return
	}
	c.flags |= flagMonitor
	c.srv.monitors = append(c.srv.monitors, c)
	c.addReplyOK()
}

// dropMonitor ends a client's MONITOR, if there is one.
func (s *Server) dropMonitor(c *Client) {
	if c.flags&flagMonitor == 0 {
		return
	}
	c.flags &^= flagMonitor
	s.monitors = slices.DeleteFunc(s.monitors, func(m *Client) bool { return m == c })
}

// feedMonitors shows the command in execution to all monitors:
//
//	+1700000000.123456 [0 127.0.0.1:50000] "SET" "k" "v"
func (s *Server) feedMonitors(c *Client) {
	now := s.Host.UnixMicro()
	b := append(s.monitorBuf[:0], '+')
	b = numeric.AppendInt(b, now/1e6)
	b = append(b, '.')
	for unit := int64(1e5); unit > 0; unit /= 10 {
		b = append(b, '0'+byte(now/unit%10))
	}
	b = append(b, " ["...)
	b = numeric.AppendInt(b, int64(c.db.ID))
	b = append(b, ' ')
	if c.flags&flagScript != 0 {
		b = append(b, "lua"...)
	} else {
		b = append(b, c.peer()...)
	}
	b = append(b, ']')
	hidden := c.secretArgs(c.cmd)
	for i, a := range c.args {
		b = append(b, ' ')
		if hidden.has(i) {
			b = append(b, '"')
			b = append(b, redacted...)
			b = append(b, '"')
			continue
		}
		b = appendQuoted(b, a)
	}
	b = append(b, "\r\n"...)
	for _, m := range s.monitors {
		if m.flags&flagCloseAfter == 0 {
			m.push(b)
		}
	}
	if cap(b) > maxKeptMonitorBuf {
		b = nil
	}
	s.monitorBuf = b
}

// maxKeptMonitorBuf bounds the memory kept for the next line.
const maxKeptMonitorBuf = 1 << 16

// appendQuoted appends an argument in quotes, with everything that is not
// printable ASCII escaped as redis-cli understands it.
func appendQuoted(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, b := range s {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b == '\n':
			dst = append(dst, `\n`...)
		case b == '\r':
			dst = append(dst, `\r`...)
		case b == '\t':
			dst = append(dst, `\t`...)
		case b == '\a':
			dst = append(dst, `\a`...)
		case b == '\b':
			dst = append(dst, `\b`...)
		case b < ' ' || b > '~':
			dst = append(dst, '\\', 'x', hex[b>>4], hex[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
