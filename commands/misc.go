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
