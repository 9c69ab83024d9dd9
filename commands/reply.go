package commands

import (
	"fmt"
	"github.com/raniellyferreira/redis-inmemory-replica/resp"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/config"
)

// Reply methods append one reply, or the head of one, to the client's output.
// They carry the names of their counterparts in Redis's networking.c, so that
// a handler reads the same in both. All of them run on the loop goroutine.

func (c *Client) addReplyBulk(b []byte)       { c.out = resp.AppendBulk(c.out, b) }
func (c *Client) addReplyBulkString(s string) { c.out = resp.AppendBulkString(c.out, s) }
func (c *Client) addReplyLongLong(n int64)    { c.out = resp.AppendInt(c.out, n) }
func (c *Client) addReplyStatus(s string)     { c.out = resp.AppendSimple(c.out, s) }
func (c *Client) addReplyNull()               { c.out = resp.AppendNull(c.out, c.proto) }
func (c *Client) addReplyNullArray()          { c.out = resp.AppendNullArray(c.out, c.proto) }
func (c *Client) addReplyArrayLen(n int)      { c.out = resp.AppendArray(c.out, n) }
func (c *Client) addReplyMapLen(n int)        { c.out = resp.AppendMap(c.out, c.proto, n) }
func (c *Client) addReplySetLen(n int)        { c.out = resp.AppendSet(c.out, c.proto, n) }
func (c *Client) addReplyPushLen(n int)       { c.out = resp.AppendPush(c.out, c.proto, n) }
func (c *Client) addReplyDouble(f float64)    { c.out = resp.AppendDouble(c.out, c.proto, f) }
func (c *Client) addReplyBool(b bool)         { c.out = resp.AppendBool(c.out, c.proto, b) }
func (c *Client) addReplyBigNum(s string)     { c.out = resp.AppendBigNumber(c.out, c.proto, s) }
func (c *Client) addReplyVerbatim(ext, s string) {
	c.out = resp.AppendVerbatim(c.out, c.proto, ext, []byte(s))
}

// addReplyOK is the status reply of most writes.
func (c *Client) addReplyOK() { c.out = append(c.out, "+OK\r\n"...) }

// addReplyError answers an error. A text that begins with '-' brings its own
// code ("-WRONGTYPE Operation …"); any other gets the generic one, ERR.
// Line breaks, which would end the reply early, become spaces.
func (c *Client) addReplyError(text string) {
	start := len(c.out)
	if len(text) == 0 || text[0] != '-' {
		c.out = append(c.out, "-ERR "...)
	}
	body := len(c.out)
	c.out = append(c.out, text...)
	for i := body; i < len(c.out); i++ {
		if c.out[i] == '\r' || c.out[i] == '\n' {
			c.out[i] = ' '
		}
	}
	c.afterErrorReply(c.out[start+1:])
	c.out = append(c.out, '\r', '\n')
}

// afterErrorReply counts an error by its code, the first word of the text, and
// lets call know that the command failed.
func (c *Client) afterErrorReply(text []byte) {
	c.failed = true
	if c.flags&flagScript != 0 {
		return // the script's own reply counts
	}
	s := c.srv
	s.Stats.ErrorReplies++
	n := 0
	for n < len(text) && text[n] != ' ' && text[n] != '\r' {
		n++
	}
	if p, ok := s.errorStats[string(text[:n])]; ok {
		*p++
	} else if len(s.errorStats) < maxErrorStats {
		one := int64(1)
		s.errorStats[string(text[:n])] = &one
	}
	if c.isMaster() {
		s.Host.Logf(LogWarning, "== CRITICAL == this replica answered an error to its master: '%s' after processing the command '%s'",
			text, c.cmdName())
		s.Stats.ApplyErrors++
		if s.V.PropagationErrorBehaviour != config.PropagationIgnore && s.V.ReplicaReadOnly {
			// To end is what was asked for: the data may differ from the master's.
			panic(fmt.Sprintf("commands: this replica panicked sending an error to its master: '%s' after processing the command '%s'", text, c.cmdName()))
		}
	}
}

// maxErrorStats bounds the table of error codes: codes can be made up by
// scripts, and a table that grows by what clients send would be a leak.
const maxErrorStats = 128

// Texts shared by many handlers.
const (
	errSyntax         = "syntax error"
	errWrongType      = "-WRONGTYPE Operation against a key holding the wrong kind of value"
	errNoKey          = "no such key"
	errNotInteger     = "value is not an integer or out of range"
	errNotFloat       = "value is not a valid float"
	errOutOfRange     = "index out of range"
	errSameObject     = "source and destination objects are the same"
	errReadOnly       = "-READONLY You can't write against a read only replica."
	errMasterDown     = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	errLoading        = "-LOADING Redis is loading the dataset in memory"
	errNoAuth         = "-NOAUTH Authentication required."
	errOOM            = "-OOM command not allowed when used memory > 'maxmemory'."
	errExecAbort      = "-EXECABORT Transaction discarded because of previous errors."
	errBusyKey        = "-BUSYKEY Target key name already exists."
	errMisconf        = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
	errNoReplicas     = "-NOREPLICAS Not enough good replicas to write."
	errNoMemory       = "-OOM the dataset's memory is exhausted: the system refused to give more"
	errNumKeys        = "numkeys should be greater than 0"
	errMustBePositive = "value is out of range, must be positive"
	errInvalidDB      = "invalid DB index"
	errDBOutOfRange   = "DB index is out of range"
)

func (c *Client) addReplyErrorSyntax()    { c.addReplyError(errSyntax) }
func (c *Client) addReplyErrorWrongType() { c.addReplyError(errWrongType) }

// addReplyErrorArity is the answer to a wrong number of arguments; name is
// the full name of the command ("config|get").
func (c *Client) addReplyErrorArity() {
	c.addReplyError("wrong number of arguments for '" + c.cmdName() + "' command")
}

// addReplyErrorExpireTime is the answer to an expiry outside the range that
// can be stored.
func (c *Client) addReplyErrorExpireTime() {
	c.addReplyError("invalid expire time in '" + c.cmdName() + "' command")
}

// addReplyHelp answers a container command's HELP: its usage line, one line a
// subcommand, and the HELP entry itself.
func (c *Client) addReplyHelp(lines []string) {
	name := ""
	if len(c.args) > 0 {
		name = upper(c.args[0])
	}
	c.addReplyArrayLen(len(lines) + 3)
	c.addReplyStatus(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.addReplyStatus(l)
	}
	c.addReplyStatus("HELP")
	c.addReplyStatus("    Prints this help.")
}

// addReplySubcommandSyntaxError answers a subcommand with the wrong shape.
func (c *Client) addReplySubcommandSyntaxError() {
	c.addReplyError("unknown subcommand or wrong number of arguments for '" + string(cString(c.args[1], 128)) + "'. Try " + upper(c.args[0]) + " HELP.")
}

// deferredLen reserves the place of a container's length that is known only
// after its elements were written. It returns a mark for setDeferred….
//
// Redis keeps a node in the reply list for it; here the elements are shifted by
// the few bytes of the header when the length is known, which costs one memmove
// of the elements and no allocation.
func (c *Client) deferredLen() int { return len(c.out) }

func (c *Client) setDeferredArrayLen(mark, n int) { c.insertHead(mark, '*', n) }

func (c *Client) setDeferredSetLen(mark, n int) {
	if c.proto == 3 {
		c.insertHead(mark, '~', n)
		return
	}
	c.insertHead(mark, '*', n)
}

func (c *Client) setDeferredMapLen(mark, pairs int) {
	if c.proto == 3 {
		c.insertHead(mark, '%', pairs)
		return
	}
	c.insertHead(mark, '*', pairs*2)
}

func (c *Client) insertHead(mark int, kind byte, n int) {
	var tmp [24]byte
	head := append(tmp[:0], kind)
	head = appendUint(head, uint64(n))
	head = append(head, '\r', '\n')
	old := len(c.out)
	c.out = append(c.out, head...)
	copy(c.out[mark+len(head):], c.out[mark:old])
	copy(c.out[mark:], head)
}
