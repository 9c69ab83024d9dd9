package commands

// ACL LOG: who was refused what. Entries that repeat within a minute are
// counted as one.

// aclLogGrouping is how long an entry collects its likes, ms.
const aclLogGrouping = 60000

type aclLogEntry struct {
	count    int64
	reason   denial
	context  string
	object   string
	username string
	client   string // as CLIENT LIST describes it
	at       int64  // unix ms of the last one
}

// aclLog holds the entries, the newest last.
type aclLog struct {
	entries []aclLogEntry
	denied  [5]int64 // refusals by reason, since the last CONFIG RESETSTAT
}

// trim drops the oldest entries beyond max, when one is added: a lower
// acllog-max-len takes hold with the next new entry.
func (l *aclLog) trim(max int64) {
	if n := int64(len(l.entries)); n > max {
		l.entries = append(l.entries[:0:0], l.entries[n-max:]...)
	}
}

// aclLogLook is how many of the newest entries are looked at for one that a new
// one repeats: an attacker must not make refusals expensive.
const aclLogLook = 10

// logDenial records a refusal. Its texts are the caller's own copies.
func (s *Server) logDenial(c *Client, d denial, context, object, username string) {
	who := c
	if s.current != nil && c.flags&flagInternal != 0 {
		who = s.current
	}
	e := aclLogEntry{
		count: 1, reason: d, context: context, object: object, username: username,
		client: s.describeClient(who), at: s.now,
	}
	l := &s.aclLog
	l.denied[d]++
	for i := len(l.entries) - 1; i >= 0 && i >= len(l.entries)-aclLogLook; i-- {
		old := &l.entries[i]
		if old.reason != d || old.context != context || old.object != object || old.username != username ||
			e.at-old.at > aclLogGrouping {
			continue
		}
		e.count = old.count + 1
		copy(l.entries[i:], l.entries[i+1:])
		l.entries[len(l.entries)-1] = e
		return
	}
	l.entries = append(l.entries, e)
	l.trim(s.V.ACLLogMaxLen)
}

func aclLogCommand(c *Client) {
	l := &c.srv.aclLog
	if len(c.args) > 3 {
		c.addReplySubcommandSyntaxError()
		return
	}
	count := int64(10)
	if len(c.args) == 3 {
		if equalFold(c.args[2], "reset") {
			l.entries = nil
			c.addReplyOK()
			return
		}
		var ok bool
		if count, ok = c.longArg(2, ""); !ok {
			return
		}
	}
	count = min(max(count, 0), int64(len(l.entries)))
	c.addReplyArrayLen(int(count))
	for i := range int(count) {
		e := &l.entries[len(l.entries)-1-i]
		c.addReplyMapLen(7)
		c.addReplyBulkString("count")
		c.addReplyLongLong(e.count)
		c.addReplyBulkString("reason")
		c.addReplyBulkString(denialReason[e.reason])
		c.addReplyBulkString("context")
		c.addReplyBulkString(e.context)
		c.addReplyBulkString("object")
		c.addReplyBulkString(e.object)
		c.addReplyBulkString("username")
		c.addReplyBulkString(e.username)
		c.addReplyBulkString("age-seconds")
		c.addReplyDouble(float64(c.now()-e.at) / 1000)
		c.addReplyBulkString("client-info")
		c.addReplyBulkString(e.client)
	}
}
