package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/stream"
)

// What commands become in the stream, where that takes more than a line beside
// the handler. The forms are those of redis-server.

// rewriteArgs puts words in place of the first n arguments and keeps the rest.
func (c *Client) rewriteArgs(n int, words ...[]byte) {
	if !c.propagating() {
		return
	}
	if n < len(c.args) {
		words = append(words[:len(words):len(words)], c.args[n:]...)
	}
	c.rewrite(words...)
}

// rewriteSet writes SET and its relatives with a point in time, and without GET.
func (c *Client) rewriteSet(flags setFlags, val []byte, when int64) {
	switch {
	case flags&setAnyExpire != 0:
		c.rewrite(wordSet, c.args[1], val, wordPXAT, c.srv.propNumber(when))
	case flags&(setIf|setKeepTTL) == setIf|setKeepTTL:
		c.rewrite(wordSet, c.args[1], val, wordKeepTTL)
	case flags&setIf != 0:
		c.rewrite(wordSet, c.args[1], val)
	case flags&setGet != 0:
		args := append([][]byte(nil), c.args[:3]...)
		for _, a := range c.args[3:] {
			if !equalFold(a, "get") {
				args = append(args, a)
			}
		}
		c.rewrite(args...)
	}
}

func (w listEnd) popWord() []byte {
	if w == listTail {
		return wordRpop
	}
	return wordLpop
}

func (w listEnd) word() []byte {
	if w == listTail {
		return wordRight
	}
	return wordLeft
}

// rewritePop writes that n elements left a key's value by a command that was
// asked for count of them, or for one without a count (-1).
func (c *Client) rewritePop(word, key []byte, count int64, n int) {
	switch {
	case !c.propagating():
	case count == -1:
		c.rewrite(word, key)
	default:
		c.rewrite(word, key, c.srv.propNumber(int64(n)))
	}
}

// rewriteMove writes BLMOVE and BRPOPLPUSH as what does not wait.
func (c *Client) rewriteMove(from, to listEnd) {
	if !c.propagating() {
		return
	}
	switch c.cmd.Name {
	case "blmove":
		if c.retrying != nil {
			c.rewrite(wordLmove, c.args[1], c.args[2], from.word(), to.word())
		} else {
			c.rewrite(wordLmove, c.args[1], c.args[2], c.args[3], c.args[4])
		}
	case "brpoplpush":
		c.rewrite(wordRpoplpush, c.args[1], c.args[2])
	}
}

// rewriteStream writes XADD with the ID that the entry got, at argument idAt (0 if
// there is none to write), and an approximate trim of XADD or XTRIM as the exact
// one that it came to.
func (c *Client) rewriteStream(o *streamOptions, v object.Value, idAt int, id stream.ID) {
	s := v.Stream()
	approx := o.trims && o.trim.Approx
	if !c.propagating() || idAt == 0 && !approx {
		return
	}
	args := append([][]byte(nil), c.args...)
	if idAt != 0 {
		args[idAt] = id.AppendText(nil)
	}
	if approx {
		args[o.trimAt-1] = wordExact
		if o.trim.ByID {
			first := stream.Max // of an entry that may be deleted, as redis-server has it
			s.EachNode(v.A, func(id stream.ID, _ []byte, _ int) bool {
				first = id
				return false
			})
			args[o.trimAt] = first.AppendText(nil)
		} else {
			args[o.trimAt] = c.srv.propNumber(int64(s.Length))
		}
	}
	c.rewrite(args...)
}

// propagateClaim writes who has an entry pending, since when and how often it was
// delivered. text is the ID as it was given, nil for its usual form.
func (c *Client) propagateClaim(v object.Value, key []byte, g *stream.Group, id stream.ID, text []byte) {
	if !c.propagating() {
		return
	}
	nack := g.Find(v.A, id)
	var b1, b2 [41]byte
	var n1, n2 [20]byte
	if text == nil {
		text = id.AppendText(b1[:0])
	}
	c.srv.alsoPropagate(c.db.ID, wordXclaim, key, g.Name(), g.ConsumerOf(v.A, nack).Name(), wordZero, text,
		wordTime, appendUint(n1[:0], uint64(nack.Time())), wordRetryCount, appendUint(n2[:0], nack.Count()),
		wordForce, wordJustID, wordLastID, g.LastID.AppendText(b2[:0]))
}

// propagateGroupID writes how far a group has read.
func (c *Client) propagateGroupID(key []byte, g *stream.Group) {
	if !c.propagating() {
		return
	}
	var b [41]byte
	c.srv.alsoPropagate(c.db.ID, wordXgroup, wordSetID, key, g.Name(), g.LastID.AppendText(b[:0]),
		wordEntriesRead, c.srv.propNumber(g.EntriesRead))
}
