package commands

import "encoding/hex"

// equalFold compares an argument with a lower-case ASCII word, ignoring the
// argument's case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		x := b[i]
		if x >= 'A' && x <= 'Z' {
			x += 'a' - 'A'
		}
		if x != word[i] {
			return false
		}
	}
	return true
}

// upper returns an argument in upper case, for messages.
func upper(b []byte) string {
	u := append([]byte(nil), b...)
	for i, x := range u {
		if x >= 'a' && x <= 'z' {
			u[i] = x - ('a' - 'A')
		}
	}
	return string(u)
}

// appendUint appends n in decimal.
func appendUint(dst []byte, n uint64) []byte {
	var tmp [20]byte
	i := len(tmp)
	for {
		i--
		tmp[i] = byte('0' + n%10)
		n /= 10
		if n == 0 {
			return append(dst, tmp[i:]...)
		}
	}
}

func hexID(b []byte) string { return hex.EncodeToString(b) }

// maxScratch is the size up to which the server's scratch buffer is kept.
const maxScratch = 1 << 20

// keepScratch takes back a buffer that was grown from s.scratch.
func (s *Server) keepScratch(b []byte) {
	if cap(b) <= maxScratch {
		s.scratch = b[:0]
	}
}
