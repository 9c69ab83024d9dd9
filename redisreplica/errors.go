package redisreplica

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that errors.Is finds in what the methods of this package return. The text of an error that the server answered is that of a Redis server.
var (
	// ErrClosed: the replica was closed, or has ended by SHUTDOWN.
	ErrClosed = errors.New("redisreplica: closed")
	// ErrNotStarted: Start was not called yet.
	ErrNotStarted = errors.New("redisreplica: not started")
	// ErrNoMaster: no master is configured, so there is nothing to wait for.
	ErrNoMaster = errors.New("redisreplica: no master is configured")
	// ErrNoSuchKey: there is no such key, or it has expired.
	ErrNoSuchKey = errors.New("redisreplica: no such key")
	// ErrWrongType: the key holds a value of another type.
	ErrWrongType = errors.New("redisreplica: the key holds a value of another type")
	// ErrReadOnly: a write on a replica that is read-only.
	ErrReadOnly = errors.New("redisreplica: the replica is read-only")
	// ErrOutOfMemory: a write beyond the memory limit.
	ErrOutOfMemory = errors.New("redisreplica: more memory than maxmemory allows")
	// ErrLoading: there is no dataset yet.
	ErrLoading = errors.New("redisreplica: the dataset is being loaded")
	// ErrStale: the data are older than the configuration allows (replica-serve-stale-data, replica-max-staleness).
	ErrStale = errors.New("redisreplica: the data are older than the configuration allows")
	// ErrNoDatabase: there is no database of that number.
	ErrNoDatabase = errors.New("redisreplica: no such database")
	// ErrInView: a view function asks for what waits for the end of its view.
	ErrInView = errors.New("redisreplica: called from within a view of the same replica")
)

// ServerError is an error that the server answered.
type ServerError struct {
	Text string // as a client gets it, without the leading '-'
	kind error
}

// Error implements error.
func (e *ServerError) Error() string { return "redisreplica: " + e.Text }

// Unwrap is the kind of the error, nil for one that has no name of its own.
func (e *ServerError) Unwrap() error { return e.kind }

// kinds are the errors that have a name, by the first word of their text.
var kinds = map[string]error{
	"WRONGTYPE": ErrWrongType, "READONLY": ErrReadOnly, "OOM": ErrOutOfMemory, "LOADING": ErrLoading, "MASTERDOWN": ErrStale, "STALEREPLICA": ErrStale,
}

// serverError makes an error of an answer.
func serverError(text string) error {
	word, _, _ := strings.Cut(text, " ")
	kind := kinds[word]
	if kind == nil && strings.HasSuffix(text, "DB index is out of range") {
		kind = ErrNoDatabase
	}
	return &ServerError{text, kind}
}

func unexpected(v any) error { return fmt.Errorf("redisreplica: unexpected reply %v", v) }
