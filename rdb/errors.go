package rdb

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors that a caller may want to tell apart with errors.Is. The decoder wraps
// them in *Error, which adds where they happened.
var (
	// ErrTruncated: the input ended in the middle of the RDB.
	ErrTruncated = errors.New("RDB ends before its EOF marker")
	// ErrNotRDB: the first bytes are not those of an RDB.
	ErrNotRDB = errors.New("not an RDB: it does not begin with REDIS or VALKEY and a version")
	// ErrChecksum: the CRC64 does not match what was read.
	ErrChecksum = errors.New("RDB checksum mismatch")
	// ErrEmpty: a payload (DUMP, RESTORE) holds a collection without elements.
	ErrEmpty = errors.New("collection without elements")
	// ErrDuplicate: an element occurs twice in a set, sorted set or hash. A Sink
	// returns it from SetMember, ZSetMember and HashField, whose elements only
	// the sink can compare at no cost; the decoder finds those of packed values.
	ErrDuplicate = errors.New("duplicate element in a collection")
	// ErrPayload: a DUMP payload's version or checksum is not acceptable. Redis's
	// reply to RESTORE is then "ERR DUMP payload version or checksum are wrong".
	ErrPayload = errors.New("DUMP payload version or checksum are wrong")
)

// VersionError refuses an RDB whose version is not one that can be read.
type VersionError struct {
	// Version is the version that the RDB announces.
	Version int
	// Valkey is true when the RDB begins with "VALKEY", not "REDIS".
	Valkey bool
}

func (e *VersionError) Error() string {
	if e.Valkey {
		return fmt.Sprintf("RDB version %d of Valkey is not supported: this server reads versions 1 to %d of Redis and %d of Valkey; "+
			"follow a master of Valkey 9.0 or older, or upgrade this server", e.Version, MaxVersion, ValkeyVersion)
	}
	if e.Version < 1 {
		return fmt.Sprintf("RDB version %d does not exist: the file is damaged or not an RDB", e.Version)
	}
	return fmt.Sprintf("RDB version %d is too new: this server reads versions 1 to %d of Redis and %d of Valkey; "+
		"follow a master of Redis 8.0 or older, or upgrade this server", e.Version, MaxVersion, ValkeyVersion)
}

// UnsupportedError refuses a type or op code that is known by name but whose
// data cannot be read, or a number that is not known at all.
type UnsupportedError struct {
	// Code is the byte found in the RDB.
	Code byte
	// Name says what it stands for.
	Name string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("RDB type %d (%s) is not supported", e.Code, e.Name)
}

// Error says where in an RDB the decoder failed.
type Error struct {
	// Offset counts bytes from the start of the RDB (or payload) to the first
	// byte that was not accepted, as exactly as it is known.
	Offset int64
	// DB is the database of the record, or -1 when none was selected yet.
	DB int
	// Key is a copy of the key being read, cut to 128 bytes; nil outside of one.
	Key []byte
	// Err is the cause.
	Err error
}

func (e *Error) Error() string {
	s := "rdb: offset " + strconv.FormatInt(e.Offset, 10)
	if e.DB >= 0 {
		s += ", db " + strconv.Itoa(e.DB)
	}
	if e.Key != nil {
		s += ", key " + strconv.Quote(string(e.Key))
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// corrupt makes the error of malformed content.
func corrupt(format string, args ...any) error {
	return &CorruptError{fmt.Sprintf(format, args...)}
}

// CorruptError says that the content of an RDB breaks the rules of its format.
type CorruptError struct{ msg string }

func (e *CorruptError) Error() string { return "corrupt RDB: " + e.msg }

// ChecksumError is an ErrChecksum with both values.
type ChecksumError struct {
	// Stored is the CRC64 at the end of the RDB, Computed that of its bytes.
	Stored, Computed uint64
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%v: it says %016x, its bytes give %016x", ErrChecksum, e.Stored, e.Computed)
}

// Is makes errors.Is(err, ErrChecksum) true.
func (e *ChecksumError) Is(target error) bool { return target == ErrChecksum }
