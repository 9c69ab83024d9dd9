//go:build unix

package logging

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"time"
)

// syslogSockets are where systems have their log's socket.
var syslogSockets = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// syslogger sends lines to the system log, by its datagram protocol (RFC 3164's form, as local loggers use it). The
// connection is made anew when it breaks. A log that does not take lines costs them, and at most syslogPatience each.
type syslogger struct {
	facility int
	tag      string
	path     string
	conn     net.Conn
	buf      []byte
}

const syslogPatience = 20 * time.Millisecond

func newSyslogger(o Syslog, pid int) (*syslogger, error) {
	s := &syslogger{facility: o.Facility, tag: o.Ident + "[" + strconv.Itoa(pid) + "]: ", path: o.Path}
	if s.path == "" {
		for _, p := range syslogSockets {
			if st, err := os.Stat(p); err == nil && st.Mode()&fs.ModeSocket != 0 {
				s.path = p
				break
			}
		}
	}
	if s.path == "" {
		return nil, errors.New("syslog-enabled: this system has no log socket (/dev/log)")
	}
	return s, nil
}

// severities by level: debug, info, notice, warning.
var severities = [...]int{7, 6, 5, 4}

func (s *syslogger) write(now time.Time, level Level, msg string) error {
	b := append(s.buf[:0], '<')
	b = strconv.AppendInt(b, int64(s.facility<<3|severities[level]), 10)
	b = append(b, '>')
	b = now.AppendFormat(b, time.Stamp)
	b = append(b, ' ')
	b = append(b, s.tag...)
	b = appendPrintable(b, msg)
	s.buf = b
	fresh := s.conn == nil
	if fresh {
		if err := s.dial(); err != nil {
			return err
		}
	}
	err := s.send()
	if err == nil || fresh {
		return err
	}
	// The system's logger may have been restarted.
	if err := s.dial(); err != nil {
		return err
	}
	return s.send()
}

func (s *syslogger) dial() error {
	s.close()
	c, err := net.Dial("unixgram", s.path)
	if err == nil {
		s.conn = c
	}
	return err
}

func (s *syslogger) send() error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(syslogPatience))
	_, err := s.conn.Write(s.buf)
	return err
}

func (s *syslogger) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}
