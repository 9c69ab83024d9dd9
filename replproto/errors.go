package replproto

import "fmt"

// Kind says what an Error means to the one who decides when to try again.
type Kind uint8

const (
	// KindProtocol is an answer that the protocol does not allow, or a length or a
	// mark that does not hold.
	KindProtocol Kind = iota
	// KindLater is a master that cannot serve a replica yet (-LOADING, -NOMASTERLINK,
	// -MASTERDOWN): nothing is wrong, try again after a pause.
	KindLater
	// KindRefused is a refusal that no retry cures: credentials or permissions. The
	// Remedy says what the operator has to change.
	KindRefused
	// KindAborted is an error that the master reported while it prepared the payload.
	KindAborted
	// KindTimeout is a silence longer than the timeout of the phase.
	KindTimeout
	// KindLost is a connection that ended: closed, reset, unreachable.
	KindLost
)

// String names the kind for logs.
func (k Kind) String() string {
	switch k {
	case KindProtocol:
		return "protocol"
	case KindLater:
		return "later"
	case KindRefused:
		return "refused"
	case KindAborted:
		return "aborted"
	case KindTimeout:
		return "timeout"
	case KindLost:
		return "lost"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is the end of a connection as a Replica machine sees it.
type Error struct {
	Phase  Phase  // where the machine stood
	Offset int64  // bytes of this phase received before the fault; in the stream: the replication offset
	Kind   Kind   // what to do about it
	Msg    string // what happened
	Remedy string // what the operator can do, or ""
	Cause  error  // the error below, or nil
}

// Error implements error.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s at byte %d: %s", e.Phase, e.Offset, e.Msg)
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Unwrap gives the error below.
func (e *Error) Unwrap() error { return e.Cause }
