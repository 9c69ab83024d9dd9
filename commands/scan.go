package commands

import (
	"github.com/raniellyferreira/redis-inmemory-replica/internal/object"
)

// collectionScan is one step of HSCAN, SSCAN or ZSCAN: what was asked, and the
// reply in the making.
//
//	s, ok := c.beginScan(object.TypeSet)
//	if !ok {
//		return // answered
//	}
//	… s.emit each element that s.match accepts, set s.cursor …
//	c.endScan(&s)
//
// A small collection is answered whole, with cursor 0, whatever COUNT says; a
// large one goes on at s.cursor with object.ScanElems and s.count.
type collectionScan struct {
	scanOptions
	c      *Client
	v      object.Value
	cursor uint64
	mark   int
	n      int
}

// beginScan reads the arguments "key cursor [options]" and finds the collection.
// When it returns false it has answered: an error, or an empty end of scan.
func (c *Client) beginScan(typ byte) (s collectionScan, ok bool) {
	s.c = c
	if s.cursor, ok = c.parseCursor(c.args[2]); !ok {
		return s, false
	}
	e, found := c.lookupKeyRead(c.args[1])
	if !found {
		c.out = append(c.out, "*2\r\n$1\r\n0\r\n*0\r\n"...)
		return s, false
	}
	if e.Type() != typ {
		c.addReplyErrorWrongType()
		return s, false
	}
	if s.scanOptions, ok = c.parseScanOptions(3, false); !ok {
		return s, false
	}
	s.v = e.Value()
	s.mark = c.deferredLen()
	return s, true
}

// match tells whether the reply is to contain an element of that name.
func (s *collectionScan) match(name []byte) bool {
	return s.pattern == nil || s.pattern.Match(name)
}

// emit adds one element of the reply.
func (s *collectionScan) emit(b []byte) {
	s.c.addReplyBulk(b)
	s.n++
}

// endScan completes the reply. The elements stand behind the place of the two
// heads, since cursor and number are known last.
func (c *Client) endScan(s *collectionScan) {
	c.setDeferredArrayLen(s.mark, s.n)
	c.insertScanHead(s.mark, s.cursor)
}

// insertScanHead puts the head of a scan's reply, with the cursor to go on with,
// in front of the array that begins at mark.
func (c *Client) insertScanHead(mark int, cursor uint64) {
	var tmp [64]byte
	var num [20]byte
	digits := appendUint(num[:0], cursor)
	head := append(tmp[:0], "*2\r\n$"...)
	head = appendUint(head, uint64(len(digits)))
	head = append(head, '\r', '\n')
	head = append(head, digits...)
	head = append(head, '\r', '\n')
	c.insertRaw(mark, head)
}
