package redisreplica

import (
	"context"
	"log/slog"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/logging"
)

// Logger is told what the server logs. Methods are called from several goroutines, the loop's among them: they must be quick and must not
// call the replica. fields are keys and values in turn.
type Logger interface {
	Debug(msg string, fields ...any)
	Info(msg string, fields ...any)
	Error(msg string, fields ...any)
}

// SlogLogger adapts a *slog.Logger; nil is slog's default.
func SlogLogger(l *slog.Logger) Logger {
	if l == nil {
		l = slog.Default()
	}
	return slogLogger{l}
}

type slogLogger struct{ l *slog.Logger }

func (s slogLogger) Debug(msg string, fields ...any) { s.l.Debug(msg, fields...) }
func (s slogLogger) Info(msg string, fields ...any)  { s.l.Info(msg, fields...) }
func (s slogLogger) Error(msg string, fields ...any) {
	s.l.Log(context.Background(), slog.LevelError, msg, fields...)
}

// sinkOf hands log lines to a Logger: warnings as errors, what is for debugging as such.
func sinkOf(l Logger) func(logging.Level, string) {
	if l == nil {
		return func(logging.Level, string) {}
	}
	return func(level logging.Level, msg string) {
		switch level {
		case logging.Warning:
			l.Error(msg, "level", "warning")
		case logging.Notice:
			l.Info(msg, "level", "notice")
		case logging.Verbose:
			l.Debug(msg, "level", "verbose")
		default:
			l.Debug(msg, "level", "debug")
		}
	}
}
