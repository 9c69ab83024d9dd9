package resp

import (
	"math"
	"slices"
	"strconv"

	"github.com/raniellyferreira/redis-inmemory-replica/internal/numeric"
)

// The Append functions append one element to dst and return the longer slice, as append does. They allocate only when
// dst has to grow. proto is 2 or 3: the protocol that the client has chosen with HELLO; any other number counts as 2.

// appendHeader appends a type byte, a number and CRLF.
func appendHeader(dst []byte, kind byte, n int64) []byte {
	// One and two digits make up nearly all headers.
	if uint64(n) < 10 {
		return append(dst, kind, '0'+byte(n), '\r', '\n')
	}
	if uint64(n) < 100 {
		return append(dst, kind, '0'+byte(n/10), '0'+byte(n%10), '\r', '\n')
	}
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// headerSpace is room for the longest header and the closing CRLF of a bulk string.
const headerSpace = 32

// AppendBulk appends b as a bulk string: any bytes, with their length.
func AppendBulk(dst, b []byte) []byte {
	if cap(dst)-len(dst) < len(b)+headerSpace {
		dst = slices.Grow(dst, len(b)+headerSpace)
	}
	dst = appendHeader(dst, '$', int64(len(b)))
	dst = append(dst, b...)
	return append(dst, '\r', '\n')
}

// AppendBulkString is AppendBulk for a string.
func AppendBulkString(dst []byte, s string) []byte {
	if cap(dst)-len(dst) < len(s)+headerSpace {
		dst = slices.Grow(dst, len(s)+headerSpace)
	}
	dst = appendHeader(dst, '$', int64(len(s)))
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendBulkInt appends n as a bulk string of its decimal digits.
func AppendBulkInt(dst []byte, n int64) []byte {
	var digits [20]byte
	return AppendBulk(dst, strconv.AppendInt(digits[:0], n, 10))
}

// AppendBulkHeader appends only the header of a bulk string of n bytes. The caller appends the bytes and CRLF.
func AppendBulkHeader(dst []byte, n int) []byte { return appendHeader(dst, '$', int64(n)) }

// AppendInt appends an integer reply.
func AppendInt(dst []byte, n int64) []byte { return appendHeader(dst, ':', n) }

// AppendSimple appends a status such as OK. Line ends in s become spaces: the form cannot hold them.
func AppendSimple(dst []byte, s string) []byte {
	dst = append(dst, '+')
	dst = appendLine(dst, s)
	return append(dst, '\r', '\n')
}

// AppendError appends an error; s starts with its code, as in "ERR syntax error". Trailing line ends are cut and
// others become spaces, as Redis does.
func AppendError(dst []byte, s string) []byte {
	for len(s) > 0 && (s[len(s)-1] == '\r' || s[len(s)-1] == '\n') {
		s = s[:len(s)-1]
	}
	dst = append(dst, '-')
	dst = appendLine(dst, s)
	return append(dst, '\r', '\n')
}

func appendLine(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[start:] {
		if c == '\r' || c == '\n' {
			dst[start+i] = ' '
		}
	}
	return dst
}

// AppendArray appends the header of an array of n elements.
func AppendArray(dst []byte, n int) []byte { return appendHeader(dst, '*', int64(n)) }

// AppendMap appends the header of a map of n pairs. RESP2 has an array of 2n elements instead.
func AppendMap(dst []byte, proto, n int) []byte {
	if proto == 3 {
		return appendHeader(dst, '%', int64(n))
	}
	return appendHeader(dst, '*', 2*int64(n))
}

// AppendSet appends the header of a set of n members. RESP2 has an array instead.
func AppendSet(dst []byte, proto, n int) []byte {
	if proto == 3 {
		return appendHeader(dst, '~', int64(n))
	}
	return appendHeader(dst, '*', int64(n))
}

// AppendPush appends the header of an out-of-band message of n elements. RESP2 has an array instead, which only a
// client in subscriber mode can tell from a reply.
func AppendPush(dst []byte, proto, n int) []byte {
	if proto == 3 {
		return appendHeader(dst, '>', int64(n))
	}
	return appendHeader(dst, '*', int64(n))
}

// AppendAttribute appends the header of n pairs of attributes, which precede the reply that they describe. They exist
// in RESP3 alone: the caller must not send them to others.
func AppendAttribute(dst []byte, n int) []byte { return appendHeader(dst, '|', int64(n)) }

// AppendNull appends the null value; in RESP2 the null bulk string.
func AppendNull(dst []byte, proto int) []byte {
	if proto == 3 {
		return append(dst, "_\r\n"...)
	}
	return append(dst, "$-1\r\n"...)
}

// AppendNullArray appends the null value; in RESP2 the null array.
func AppendNullArray(dst []byte, proto int) []byte {
	if proto == 3 {
		return append(dst, "_\r\n"...)
	}
	return append(dst, "*-1\r\n"...)
}

// AppendBool appends a boolean; in RESP2 the integers 1 and 0.
func AppendBool(dst []byte, proto int, b bool) []byte {
	switch {
	case proto == 3 && b:
		return append(dst, "#t\r\n"...)
	case proto == 3:
		return append(dst, "#f\r\n"...)
	case b:
		return append(dst, ":1\r\n"...)
	}
	return append(dst, ":0\r\n"...)
}

// AppendDouble appends a floating point number with 17 significant digits, as Redis 7.0 does; in RESP2 as a bulk
// string. Infinities are "inf" and "-inf".
func AppendDouble(dst []byte, proto int, f float64) []byte {
	var buf [32]byte
	var text []byte
	if math.IsInf(f, 0) {
		text = append(buf[:0], "-inf"...)
		if f > 0 {
			text = text[1:]
		}
	} else {
		text = numeric.AppendDouble17g(buf[:0], f)
	}
	return AppendDoubleText(dst, proto, text)
}

// AppendDoubleText appends a floating point number that was formatted already: a bulk string in RESP2, a double in
// RESP3. INCRBYFLOAT's kin format theirs in their own way.
func AppendDoubleText(dst []byte, proto int, text []byte) []byte {
	if proto != 3 {
		return AppendBulk(dst, text)
	}
	dst = append(dst, ',')
	dst = append(dst, text...)
	return append(dst, '\r', '\n')
}

// AppendBigNumber appends an integer of any size, given as its decimal digits; in RESP2 a bulk string.
func AppendBigNumber(dst []byte, proto int, s string) []byte {
	if proto != 3 {
		return AppendBulkString(dst, s)
	}
	dst = append(dst, '(')
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendVerbatim appends text with a format of three letters, such as "txt" or "mkd"; in RESP2 a bulk string without
// the format. Longer formats are cut, shorter ones filled with spaces.
func AppendVerbatim(dst []byte, proto int, ext string, b []byte) []byte {
	if proto != 3 {
		return AppendBulk(dst, b)
	}
	dst = slices.Grow(dst, len(b)+headerSpace)
	dst = appendHeader(dst, '=', int64(len(b)+4))
	for i := range 3 {
		c := byte(' ')
		if i < len(ext) {
			c = ext[i]
		}
		dst = append(dst, c)
	}
	dst = append(dst, ':')
	dst = append(dst, b...)
	return append(dst, '\r', '\n')
}

// AppendCommand appends a command as a client sends it: an array of bulk strings.
func AppendCommand(dst []byte, words ...string) []byte {
	dst = AppendArray(dst, len(words))
	for _, w := range words {
		dst = AppendBulkString(dst, w)
	}
	return dst
}

// AppendCall appends a command whose words are bytes.
func AppendCall(dst []byte, args [][]byte) []byte {
	dst = AppendArray(dst, len(args))
	for _, a := range args {
		dst = AppendBulk(dst, a)
	}
	return dst
}
