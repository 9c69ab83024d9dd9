package replproto

import "bytes"

// markLen is the length of the mark that ends a payload of unknown length.
const markLen = 40

// payload frames the RDB inside the connection. It hands out views and copies nothing.
//
//	$1000\r\n  ▒▒▒▒▒▒▒▒ 1000 bytes ▒▒▒▒▒▒▒▒              stream…
//	$EOF:m…\r\n▒▒▒▒▒▒▒▒▒ any number ▒▒▒▒▒▒▒▒ m… 40 bytes stream…
//
// A marked payload is searched in two ways. Inside one input the Horspool algorithm
// (R. N. Horspool, 1980) looks at every 40th byte or so. At the seam of two inputs a
// Knuth-Morris-Pratt automaton counts how many bytes of the mark have matched; those
// bytes are held back, and since they equal the mark's own start they need no storage:
// when the match breaks they are handed out as a slice of the mark.
type payload struct {
	marked bool
	left   int64 // sized: bytes still to come

	mark  [markLen]byte
	match int            // marked: bytes of the mark matched and held back
	fail  [markLen]uint8 // fail[i]: length of the longest proper border of mark[:i+1]
	shift [256]uint8     // Horspool: how far to jump on the window's last byte
}

func (y *payload) startSized(size int64) {
	y.marked, y.left = false, size
}

func (y *payload) startMarked(mark []byte) {
	y.marked, y.left, y.match = true, 0, 0
	copy(y.mark[:], mark)
	y.fail[0] = 0
	k := 0
	for i := 1; i < markLen; i++ {
		for k > 0 && y.mark[i] != y.mark[k] {
			k = int(y.fail[k-1])
		}
		if y.mark[i] == y.mark[k] {
			k++
		}
		y.fail[i] = uint8(k)
	}
	for i := range y.shift {
		y.shift[i] = markLen
	}
	for i := 0; i < markLen-1; i++ {
		y.shift[y.mark[i]] = uint8(markLen - 1 - i)
	}
}

// next consumes n bytes of p and returns either a piece of the payload, or the end, or
// (with all of p consumed) nothing.
func (y *payload) next(p []byte) (n int, data []byte, end bool) {
	if !y.marked {
		if y.left == 0 {
			return 0, nil, true
		}
		n = int(min(y.left, int64(len(p))))
		y.left -= int64(n)
		return n, p[:n], false
	}
	// The seam: go on with what earlier input matched.
	for y.match > 0 {
		if n == len(p) {
			return n, nil, false
		}
		if p[n] == y.mark[y.match] {
			n++
			y.match++
			if y.match == markLen {
				y.match = 0
				return n, nil, true
			}
			continue
		}
		was := y.match
		y.match = int(y.fail[was-1])
		return n, y.mark[:was-y.match], false
	}
	if n > 0 || len(p) == 0 {
		// Unreachable with n > 0: a broken match always returns above.
		return n, nil, false
	}
	i := y.find(p)
	switch {
	case i == 0:
		return markLen, nil, true
	case i > 0:
		// The end itself is told by the next call, which starts at the mark.
		return i, p[:i], false
	}
	// No whole mark: hold back the longest tail that starts one.
	tail := min(len(p), markLen-1)
	for k := tail; k > 0; k-- {
		if p[len(p)-k] == y.mark[0] && bytes.Equal(p[len(p)-k:], y.mark[:k]) {
			y.match = k
			break
		}
	}
	return len(p), p[:len(p)-y.match], false
}

// find returns the place of the first whole mark in p, or -1.
func (y *payload) find(p []byte) int {
	for i := markLen - 1; i < len(p); {
		c := p[i]
		if c == y.mark[markLen-1] && bytes.Equal(p[i-markLen+1:i+1], y.mark[:]) {
			return i - markLen + 1
		}
		i += int(y.shift[c])
	}
	return -1
}
