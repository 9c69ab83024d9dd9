// Package logging writes the server's log in redis-server's form, or as one JSON object a line.
//
//	1234:S 25 Nov 2026 07:19:25.228 * Connecting to MASTER 127.0.0.1:6379
//	pid:role time                  level message
//
// The role is M (master), S (replica) or C (start-up and helpers); the level is . debug, - verbose, * notice or
// # warning. Nothing that comes from a client or a master can forge a line: control characters in messages are written
// as escapes. Secrets that were given to Hide are left out of every message.
package logging

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Level is the severity of a message.
type Level int32

// The levels, least severe first; their order is that of config.LogLevel.
const (
	Debug Level = iota
	Verbose
	Notice
	Warning
)

const marks = ".-*#"

var levelNames = [...]string{"debug", "verbose", "notice", "warning"}

// Options of a Logger.
type Options struct {
	Level  Level               // least severe level that is written
	JSON   bool                // one JSON object a line instead of text
	Path   string              // file to append to; "" for Output
	Output io.Writer           // where to write without a Path; nil for standard output
	PID    int                 // process id to show
	Now    func() time.Time    // clock; its location is that of the times in the text form
	Syslog *Syslog             // the system log gets every line too; nil for not
	Sink   func(Level, string) // gets every message in place of Output, without its secrets; it must not log
}

// Syslog says how lines go to the system log.
type Syslog struct {
	Ident    string // the program's name there
	Facility int    // code of the facility: 1 user, 16 to 23 local0 to local7
	Path     string // of the log's socket; "" for the system's
}

// Logger writes log lines. All methods may be called from any goroutine.
type Logger struct {
	level   atomic.Int32
	role    atomic.Int32
	dropped atomic.Int64
	json    bool
	pid     int
	now     func() time.Time
	path    string

	mu      sync.Mutex // guards what follows
	out     io.Writer
	file    *os.File
	checked time.Time // when the file was last compared with the one at path
	secrets []string
	buf     []byte
	syslog  *syslogger
	sink    func(Level, string)
}

// New opens the log. The error is that of opening the file.
func New(o Options) (*Logger, error) {
	l := &Logger{json: o.JSON, pid: o.PID, now: o.Now, path: o.Path, out: o.Output, sink: o.Sink}
	l.level.Store(int32(o.Level))
	l.role.Store('C')
	if l.out == nil {
		l.out = os.Stdout
	}
	if o.Syslog != nil {
		var err error
		if l.syslog, err = newSyslogger(*o.Syslog, o.PID); err != nil {
			return nil, err
		}
	}
	if l.path != "" {
		if err := l.Reopen(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// SetLevel changes the least severe level that is written.
func (l *Logger) SetLevel(level Level) { l.level.Store(int32(level)) }

// SetRole changes the letter behind the process id: 'M', 'S' or 'C'.
func (l *Logger) SetRole(letter byte) { l.role.Store(int32(letter)) }

// Enabled tells whether messages of the level are written; it costs one load, so that hot code can ask before it
// gathers a message's parts.
func (l *Logger) Enabled(level Level) bool { return int32(level) >= l.level.Load() }

// Dropped counts the lines that could not be written, for example to a full disk.
func (l *Logger) Dropped() int64 { return l.dropped.Load() }

// minSecret is the shortest secret that Hide takes. Hiding shorter ones would show them, by blanking them everywhere.
const minSecret = 4

// Hide has the text left out of all later messages. Secrets should not be given to a logger in the first place; this is
// the second line of defence, for error texts of other layers. Texts shorter than 4 bytes are not hidden.
func (l *Logger) Hide(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(secret) < minSecret || slices.Contains(l.secrets, secret) {
		return
	}
	l.secrets = append(l.secrets, secret)
	// The longest first, so that one which contains another goes away whole.
	slices.SortFunc(l.secrets, func(a, b string) int { return len(b) - len(a) })
}

// Debugf logs at level debug.
func (l *Logger) Debugf(format string, args ...any) { l.Logf(Debug, format, args...) }

// Verbosef logs at level verbose.
func (l *Logger) Verbosef(format string, args ...any) { l.Logf(Verbose, format, args...) }

// Noticef logs at level notice.
func (l *Logger) Noticef(format string, args ...any) { l.Logf(Notice, format, args...) }

// Warningf logs at level warning.
func (l *Logger) Warningf(format string, args ...any) { l.Logf(Warning, format, args...) }

// Logf logs a message at a level.
func (l *Logger) Logf(level Level, format string, args ...any) {
	if !l.Enabled(level) {
		return
	}
	msg := fmt.Sprintf(format, args...)
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	msg = l.clean(msg)
	if l.sink != nil {
		l.sink(level, msg)
		if l.file == nil {
			return
		}
	}
	if l.json {
		l.buf = l.appendJSON(l.buf[:0], now, level, msg)
	} else {
		l.buf = l.appendText(l.buf[:0], now, level, msg)
	}
	l.write(now, l.buf)
	l.toSyslog(now, level, msg)
}

// toSyslog sends a message to the system log, if it is to have them.
func (l *Logger) toSyslog(now time.Time, level Level, msg string) {
	if l.syslog != nil && l.syslog.write(now, level, msg) != nil {
		l.dropped.Add(1)
	}
}

// Raw writes a report of several lines, such as a stack, as it is; in the JSON form it becomes one message. Secrets
// are left out, control characters are not.
func (l *Logger) Raw(level Level, text string) {
	if !l.Enabled(level) {
		return
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	text = l.clean(text)
	if l.json {
		l.buf = l.appendJSON(l.buf[:0], now, level, text)
	} else {
		l.buf = append(l.buf[:0], text...)
		if !strings.HasSuffix(text, "\n") {
			l.buf = append(l.buf, '\n')
		}
	}
	l.write(now, l.buf)
	l.toSyslog(now, level, text)
}

func (l *Logger) clean(s string) string {
	for _, secret := range l.secrets {
		s = strings.ReplaceAll(s, secret, "(hidden)")
	}
	return s
}

func (l *Logger) appendText(b []byte, now time.Time, level Level, msg string) []byte {
	b = strconv.AppendInt(b, int64(l.pid), 10)
	b = append(b, ':', byte(l.role.Load()), ' ')
	b = now.AppendFormat(b, "02 Jan 2006 15:04:05.000")
	b = append(b, ' ', marks[level], ' ')
	b = appendPrintable(b, msg)
	return append(b, '\n')
}

// appendPrintable writes s with control characters as escapes, so that a message stays one line and cannot steer a
// terminal.
func appendPrintable(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// line is the JSON form of a message.
type line struct {
	Time  string `json:"time"`
	Level string `json:"level"`
	PID   int    `json:"pid"`
	Role  string `json:"role"`
	Msg   string `json:"msg"`
}

var roleNames = map[byte]string{'M': "master", 'S': "replica", 'C': "startup"}

func (l *Logger) appendJSON(b []byte, now time.Time, level Level, msg string) []byte {
	role := byte(l.role.Load())
	name, ok := roleNames[role]
	if !ok {
		name = string(rune(role))
	}
	text, err := json.Marshal(line{now.UTC().Format("2006-01-02T15:04:05.000Z"), levelNames[level], l.pid, name, msg})
	if err != nil {
		panic(fmt.Sprintf("logging: a line of strings and numbers does not marshal: %v", err))
	}
	return append(append(b, text...), '\n')
}

// write hands a line to the output. Redis opens its file anew for each line, so that it may be moved away at any time
// without telling the server; here the file is compared with the name once a second.
func (l *Logger) write(now time.Time, b []byte) {
	out := l.out
	if l.path != "" {
		if l.file == nil || now.Sub(l.checked) >= time.Second || now.Before(l.checked) {
			l.checked = now
			if l.file == nil || l.moved() {
				_ = l.reopen() // the old file, if there is one, takes the lines until it works again
			}
		}
		if l.file == nil {
			l.dropped.Add(1)
			return
		}
		out = l.file
	}
	if _, err := out.Write(b); err != nil {
		l.dropped.Add(1)
	}
}

// moved tells whether the open file is no longer the one at path.
func (l *Logger) moved() bool {
	mine, err1 := l.file.Stat()
	named, err2 := os.Stat(l.path)
	return err1 != nil || err2 != nil || !os.SameFile(mine, named)
}

// Reopen opens the log file again, as after its rotation. On an error the old one stays in use. Without a file it does
// nothing.
func (l *Logger) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return nil
	}
	return l.reopen()
}

func (l *Logger) reopen() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log file: %w", err)
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = f
	return nil
}

// Close closes the file. A message logged after it opens the file again.
func (l *Logger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.syslog != nil {
		l.syslog.close()
	}
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
