package commands

import "strings"

// lolwutCommand answers with a piece of generative text art: a row of hills
// drawn from the server's random source, and the version.
func lolwutCommand(c *Client) {
	const width, height = 60, 8
	var heights [width]int
	h := int(c.srv.rand() % height)
	for i := range heights {
		heights[i] = h
		h = min(max(h+int(c.srv.rand()%3)-1, 0), height-1)
	}
	var b strings.Builder
	for row := height - 1; row >= 0; row-- {
		for _, x := range heights {
			switch {
			case x == row:
				b.WriteByte('^')
			case x > row:
				b.WriteByte('#')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("Redis ver. " + CompatVersion + "\n")
	c.addReplyVerbatim("txt", b.String())
}

// overMemory tells whether a command that may add data must be refused because
// the data has reached maxmemory. A replica follows its master whatever its own
// limit says (replica-ignore-maxmemory).
func (s *Server) overMemory(c *Client, flags Flags) bool {
	if flags&CmdDenyOOM == 0 || (s.following && s.V.ReplicaIgnoreMaxmemory) {
		return false
	}
	return uint64(s.KS.UsedMemory()) > s.V.Maxmemory
}
