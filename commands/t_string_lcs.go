package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// LCS is the longest common subsequence of two strings by the textbook dynamic
// programme (Wagner and Fischer): a table of (n+1)(m+1) lengths filled row by
// row, then walked back from its far corner. The walk reports either the
// subsequence itself or the ranges in which the strings agree.
//
// The table costs 4 bytes a cell; like Redis, a table larger than
// proto-max-bulk-len is refused.
func lcsCommand(c *Client) {
	var values [2][]byte
	for i := range values {
		e, ok := c.lookupKeyRead(c.args[1+i])
		if !ok {
			continue
		}
		if e.Type() != object.TypeString {
			c.addReplyError("The specified keys must contain string values")
			return
		}
		values[i] = e.StringValue()
	}
	a, b := values[0], values[1]
	var getLen, getIdx, withMatchLen bool
	var minMatch int64
	for j := 3; j < len(c.args); j++ {
		opt := c.args[j]
		switch {
		case equalFold(opt, "idx"):
			getIdx = true
		case equalFold(opt, "len"):
			getLen = true
		case equalFold(opt, "withmatchlen"):
			withMatchLen = true
		case equalFold(opt, "minmatchlen") && j+1 < len(c.args):
			var ok bool
			if minMatch, ok = numeric.ParseInt(c.args[j+1]); !ok {
				c.addReplyError(errNotInteger)
				return
			}
			minMatch = max(minMatch, 0)
			j++
		default:
			c.addReplyErrorSyntax()
			return
		}
	}
	if getIdx && getLen {
		c.addReplyError("If you want both the length and indexes, please just use IDX.")
		return
	}
	n, m := int64(len(a)), int64(len(b))
	if n >= 1<<32-1 || m >= 1<<32-1 {
		c.addReplyError("String too long for LCS")
		return
	}
	cells := (n + 1) * (m + 1)
	if cells*4 > int64(c.srv.V.ProtoMaxBulkLen) {
		c.addReplyError("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	table := make([]uint32, cells)
	width := m + 1
	for i := int64(1); i <= n; i++ {
		prev, row := table[(i-1)*width:i*width], table[i*width:(i+1)*width]
		ch := a[i-1]
		for j := int64(1); j <= m; j++ {
			if ch == b[j-1] {
				row[j] = prev[j-1] + 1
			} else {
				row[j] = max(prev[j], row[j-1])
			}
		}
	}
	total := int64(table[n*width+m])
	if getLen {
		c.addReplyLongLong(total)
		return
	}
	var text []byte
	mark, ranges := 0, 0
	if getIdx {
		c.addReplyMapLen(2)
		c.addReplyBulkString("matches")
		mark = c.deferredLen()
	} else {
		text = make([]byte, total)
	}
	// A run of agreeing bytes is open while inRun is set; it is reported when
	// the walk leaves it.
	inRun := false
	var aStart, aEnd, bStart, bEnd int64
	report := func() {
		if length := aEnd - aStart + 1; minMatch == 0 || length >= minMatch {
			c.addReplyArrayLen(2 + b2i(withMatchLen))
			c.addReplyArrayLen(2)
			c.addReplyLongLong(aStart)
			c.addReplyLongLong(aEnd)
			c.addReplyArrayLen(2)
			c.addReplyLongLong(bStart)
			c.addReplyLongLong(bEnd)
			if withMatchLen {
				c.addReplyLongLong(length)
			}
			ranges++
		}
		inRun = false
	}
	left := total
	for i, j := n, m; i > 0 && j > 0; {
		if a[i-1] == b[j-1] {
			if text != nil {
				text[left-1] = a[i-1]
			}
			if !inRun {
				inRun = true
				aStart, aEnd, bStart, bEnd = i-1, i-1, j-1, j-1
			} else {
				aStart--
				bStart--
			}
			left--
			i--
			j--
			if getIdx && (i == 0 || j == 0) {
				report()
			}
			continue
		}
		if table[(i-1)*width+j] > table[i*width+j-1] {
			i--
		} else {
			j--
		}
		if getIdx && inRun {
			report()
		}
	}
	if !getIdx {
		c.addReplyBulk(text)
		return
	}
	c.setDeferredArrayLen(mark, ranges)
	c.addReplyBulkString("len")
	c.addReplyLongLong(total)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
